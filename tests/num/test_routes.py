from __future__ import annotations

import dataclasses

import pytest

from nnft_num.routes import GIVEN, ROUTES, Route, find_route
from nnft_sym.language.errors import SpecificationError


def test_routes_are_found_by_their_names():
    for name, route in ROUTES.items():
        assert find_route(name) is route
        assert route.name == name


def test_the_route_over_parameters_assumes_nothing():
    assert find_route("parameters").assumes == ()


@pytest.mark.parametrize("name", ["functions", "Parameters", "", None, 3, GIVEN.name])
def test_unknown_routes_are_refused_with_the_known_ones(name):
    with pytest.raises(SpecificationError, match="'parameters'"):
        find_route(name)


def test_routes_are_frozen_and_say_something():
    with pytest.raises(dataclasses.FrozenInstanceError):
        find_route("parameters").name = "other"
    with pytest.raises(SpecificationError, match="empty text"):
        Route(name="x", drawn=" ", statistic="f", assumes=(), statement="exact")
