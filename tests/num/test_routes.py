from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.compiling import compile_plan
from nnft_num.routes import (
    GIVEN,
    INDEPENDENT_NEURONS,
    METRIC_CUMULANTS,
    ROUTES,
    Route,
    choose_route,
    find_route,
)
from nnft_num.sources.source import Source
from nnft_sym.language.errors import SpecificationError

SHALLOW = dict(sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=3)
DEEP = dict(sigma_w=1.0, sigma_b=0.5, n_1=3, n_2=4)
X = np.array([[-1.0], [0.5]])


def source(net, params, points=X):
    return Source(plan=compile_plan(net), X=points, params=params)


def test_routes_are_found_by_their_names():
    for name, route in ROUTES.items():
        assert find_route(name) is route
        assert route.name == name


def test_the_route_over_parameters_assumes_nothing():
    assert find_route("parameters").assumes == ()
    assert all(route.assumes for name, route in ROUTES.items() if name != "parameters")


@pytest.mark.parametrize(
    "name", ["function", "Parameters", "", None, 3, "sobol-0", "sobol-32", "sobol-x", GIVEN.name]
)
def test_unknown_routes_are_refused_with_the_known_ones(name):
    with pytest.raises(SpecificationError, match="'parameters'"):
        find_route(name)


def test_routes_are_frozen_and_say_something():
    with pytest.raises(dataclasses.FrozenInstanceError):
        find_route("parameters").name = "other"
    with pytest.raises(SpecificationError, match="empty text"):
        Route(name="x", drawn=" ", statistic="f", assumes=(), statement="exact")


UNIFORM = nn.shallow(nn.Erf(), readout=nn.Uniform(-1, 1))
MEAN = nn.shallow(nn.Erf(), readout=nn.Gaussian(0.3, 1))
LAPLACE_BIAS = nn.shallow(nn.Erf(), output_bias=nn.Laplace(0, 1))
UNIFORM_WEIGHTS = nn.mlp(nn.Tanh(), depth=2, weight=nn.Uniform(-1, 1), readout=nn.Gaussian(0, 1))
FREE = {key: SHALLOW[key] for key in ("sigma_w", "sigma_b", "N")}


@pytest.mark.parametrize(
    ("net", "params", "route", "reason"),
    [
        (UNIFORM, FREE, "readout", "wrong, by their sign"),
        (UNIFORM, FREE, "functions", "not Gaussian of mean zero"),
        (MEAN, FREE, "readout", "not Gaussian of mean zero"),
        (LAPLACE_BIAS, SHALLOW, "readout", "output bias"),
        (LAPLACE_BIAS, SHALLOW, "functions", "output bias"),
        (LAPLACE_BIAS, SHALLOW, "neurons", "output bias"),
        (UNIFORM_WEIGHTS, {"sigma_b": 0.5, "n_1": 3, "n_2": 4}, "functions", "layer 2"),
        (UNIFORM_WEIGHTS, {"sigma_b": 0.5, "n_1": 3, "n_2": 4}, "readout", "layer 2"),
        (nn.mlp(nn.Tanh(), depth=2), DEEP, "neurons", "not independent"),
        (nn.mlp(nn.Tanh(), depth=2), DEEP, "sobol", "not independent"),
    ],
)
def test_networks_without_a_route_are_refused_with_the_reason(net, params, route, reason):
    plain = source(net, params)
    with pytest.raises(SpecificationError, match=reason):
        choose_route(route, plain, (2, 4))
    with pytest.raises(SpecificationError, match=reason):
        dataclasses.replace(plain, route=route)
    with pytest.raises(SpecificationError, match=reason):
        nm.correlators(net, X, 2, 100, rng=0, route=route, params=params)


def test_too_many_coordinates_are_refused_by_sobol_alone():
    points = np.eye(20)
    plain = source(nn.shallow(nn.Erf()), SHALLOW, points)
    with pytest.raises(SpecificationError, match="20 primitives"):
        choose_route("sobol", plain, (2,))
    assert choose_route("auto", plain, (2,)).route.name == "neurons"


@pytest.mark.parametrize(
    ("net", "params", "orders", "testing", "expected"),
    [
        (nn.erf_net(), SHALLOW, (2, 4), (), "sobol"),
        (nn.erf_net(), SHALLOW, (2, 4), (INDEPENDENT_NEURONS,), "readout"),
        (nn.erf_net(), SHALLOW, (2, 3), (INDEPENDENT_NEURONS,), "parameters"),
        (UNIFORM, FREE, (2, 4), (INDEPENDENT_NEURONS,), "parameters"),
        (UNIFORM, FREE, (3,), (), "sobol"),
        (nn.mlp(nn.Tanh(), depth=2), DEEP, (2, 4), (), "readout"),
        (nn.mlp(nn.Tanh(), depth=2), DEEP, (2, 4), (METRIC_CUMULANTS,), "functions"),
        (nn.mlp(nn.Tanh(), depth=2), DEEP, (1,), (METRIC_CUMULANTS,), "functions"),
    ],
)
def test_auto_takes_the_best_route_that_tests_what_is_asked(net, params, orders, testing, expected):
    choice = choose_route("auto", source(net, params), orders, testing)
    assert choice.route.name == expected
    assert not set(choice.route.assumes) & set(testing)
    assert "best" in choice.reason


def test_a_route_asked_for_is_taken_even_if_it_assumes_what_is_tested():
    plain = source(nn.erf_net(), SHALLOW)
    assert choose_route("neurons", plain, (2,), (INDEPENDENT_NEURONS,)).reason == "asked for"


def test_a_report_names_the_route_and_why():
    report = nm.check(nn.erf_net(), X, 2, 20_000, rng=0, route="auto", params=SHALLOW)
    assert report.route == "readout"
    assert "assumes what is tested" in report.route_reason
    assert "route readout: the best route" in str(report)
    assert "assumes, and so does not test: given the layer below" in str(report)
    assert report.verdict == "agree"


def test_only_randomisations_of_sobol_points_are_taken_for_independent():
    plain = source(nn.erf_net(), SHALLOW)
    for name, independent in (("neurons", True), ("sobol", False)):
        found = find_route(name).cumulant_map(plain)
        assert found.independent is independent
        assert found.corrected is not independent


def test_a_sobol_run_is_of_whole_randomisations():
    estimate = nm.correlators(nn.erf_net(), X, 2, 1000, rng=0, route="sobol", params=SHALLOW)
    assert estimate.route.name == "sobol-4"
    assert (estimate.networks, estimate.groups) == (1024, 64)
    assert set(estimate.moments.counts) == {16}
