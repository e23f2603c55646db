"""Single precision against double on the same draws, and its law where factors differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import nnft_sym as nn
from nnft_num.compiling import compile_plan
from nnft_num.sources.source import Source
from nnft_sym.language.errors import SpecificationError
from tests.num.example_plans import COS, GAUSS

BOX = np.random.default_rng(0).uniform(-1, 1, size=(5, 3))
DEEP = nn.mlp(nn.Tanh(), widths=(9, 6, 131), outputs=6)
DEEP_PARAMS = dict(sigma_w=1.2, sigma_b=0.3)


def source(net, X, params, route):
    return Source(plan=compile_plan(net), X=X, params=params, route=route, precision="single")


def rows(source, count, start=0, key=(3, 4)):
    out = np.empty((count, source.dimension))
    source.fill(key, start, out)
    return out


@pytest.mark.parametrize("route", ["functions", "readout"])
def test_single_precision_is_double_precision_on_the_same_draws(route):
    single = source(DEEP, BOX, DEEP_PARAMS, route)
    assert single.settled is single
    found = rows(single, 70, start=5)
    expected = rows(replace(single, precision="double"), 70, start=5)
    scale = np.sqrt(np.mean(expected**2))
    assert np.max(np.abs(found - expected)) < 2e-5 * scale
    assert np.max(np.abs(found - expected)) > 0


@pytest.mark.parametrize("start", [0, 77])
def test_single_neurons_are_those_of_double_precision(start):
    params = dict(sigma_w=1.2, sigma_b=0.3, sigma_v=1.0, N=3)
    single = source(nn.shallow(nn.Erf()), BOX, params, "neurons")
    found = rows(single, 5000, start=start)
    expected = rows(replace(single, precision="double"), 5000, start=start)
    error = np.max(np.abs(found - expected))
    assert 0 < error < 3e-6


def test_names_with_a_value_at_each_point_are_known():
    single = Source(
        plan=GAUSS.plan, X=GAUSS.X, params=GAUSS.params, route="readout", precision="single"
    )
    assert single.settled is single
    expected = rows(replace(single, precision="double"), 20)
    np.testing.assert_allclose(rows(single, 20), expected, rtol=2e-5, atol=1e-7)


def test_rows_are_functions_of_their_index():
    single = source(DEEP, BOX, DEEP_PARAMS, "functions")
    whole = rows(single, 1100)
    for start, count in ((0, 1), (15, 3), (1000, 100), (1023, 2)):
        assert np.array_equal(rows(single, count, start=start), whole[start : start + count])


def test_long_sums_keep_their_digits():
    """A million terms, each of single precision."""
    single = source(
        nn.shallow(nn.Erf()), BOX[:2], dict(sigma_w=1, sigma_b=1, sigma_v=1, N=10**6), "readout"
    )
    expected = rows(replace(single, precision="double"), 1)
    np.testing.assert_allclose(rows(single, 1), expected, rtol=3e-7)


@pytest.mark.parametrize(
    ("net", "params"),
    [
        (nn.shallow("cos(1e6*z)"), dict(sigma_w=1.0, sigma_b=1.0, sigma_v=1.0, N=3)),
        (nn.shallow("exp(60*z)"), dict(sigma_w=1.0, sigma_b=1.0, sigma_v=1.0, N=3)),
    ],
)
def test_double_precision_is_taken_where_single_is_not_enough(net, params):
    single = source(net, BOX[:2], params, "readout")
    assert single.settled.precision == "double"
    assert np.array_equal(rows(single.settled, 3), rows(replace(single, precision="double"), 3))


def test_first_layers_of_other_densities_stay_in_double_precision():
    single = Source(plan=COS.plan, X=COS.X, params=COS.params, route="readout", precision="single")
    assert single.settled.precision == "double"
    with pytest.raises(SpecificationError, match="settled"):
        rows(single, 3)
