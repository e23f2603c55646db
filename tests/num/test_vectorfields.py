"""Fields of single precision: against double precision on the same draws, and to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from nnft_num.kernels import fields as vectorfields
from nnft_num.kernels.draws import normals, uniforms
from nnft_num.plans.plan import Plan
from nnft_num.plans.reference import reference_fields
from nnft_num.runs.sampling import sample_fields
from nnft_sym.language.errors import SpecificationError
from tests.num import oracle
from tests.num.example_plans import D1, DEEP, ERF, EXAMPLES, OUTPUTS, data, dense, scalar, uniform

KEY = (3, 2**32 - 5)
START = 2**32 - 3


def size(fields: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(fields**2))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_single_precision_agrees_with_double_on_the_same_draws(example):
    args = (example.plan, example.X, 37, KEY, example.params)
    got = sample_fields(*args, start=START)
    want = sample_fields(*args, start=START, precision="double")
    assert not np.array_equal(got, want), "the two are different computations"
    assert (np.abs(got - want) < 3e-6 * (size(want) + np.abs(want))).all()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_reference_is_the_definition(example):
    widths = example.plan.widths(example.params)
    for network in (0, 2**32 + 1):
        got = reference_fields(example.plan, example.X, example.params, widths, KEY, network)
        want = oracle.fields(example.plan, example.X, example.params, KEY, network)
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


def test_bits_do_not_depend_on_what_is_computed_together():
    whole = sample_fields(DEEP.plan, DEEP.X, 53, KEY, DEEP.params, start=START)
    for first, count in ((0, 1), (1, 16), (17, 5), (22, 31)):
        args = (DEEP.plan, DEEP.X, count, KEY, DEEP.params)
        part = sample_fields(*args, start=START + first)
        assert np.array_equal(part, whole[first : first + count])


@pytest.mark.parametrize("width", [1, 2, 5, 31, 32, 33, 70, 129])
def test_widths_on_both_sides_of_a_tile(width):
    params = DEEP.params | {"n_1": width, "n_2": 130 - width, "n_3": width}
    for points in (1, 2, 3, 7):
        X = np.random.default_rng(points).uniform(-1, 1, (points, 5))
        got = sample_fields(DEEP.plan, X, 3, KEY, params)
        want = sample_fields(DEEP.plan, X, 3, KEY, params, precision="double")
        # each of the three layers adds the absolute error of its function
        assert np.abs(got - want).max() < 3e-6 * size(want) + 3 * 4e-7


def angles() -> tuple[Plan, np.ndarray]:
    layers = [
        dense("sin(z)", weight=scalar("s*g_1"), bias=uniform("pi*u_1"), width="20"),
        dense("cos(z)*sin(z) + 1", weight=scalar("g_1"), bias=None, width="7"),
        dense("cos(z)", weight=scalar("-g_1/2"), bias=uniform("u_1"), width="70"),
    ]
    plan = Plan.from_dict(data("s", layers, weights=[scalar("g_1")]))
    return plan, np.random.default_rng(1).uniform(-1, 1, (5, 4))


def test_angles_are_kept_in_half_turns():
    plan, X = angles()
    got, want = (
        sample_fields(plan, X, 40, KEY, {"s": 1.0}, precision=precision)
        for precision in ("single", "double")
    )
    assert 0 < np.abs(got - want).max() < 3e-6 * size(want)


def test_large_angles_stay_bounded():
    """Beyond 131 072 half turns their digits are gone, and their sines and cosines are not."""
    plan, X = angles()
    for scale in (3e5, 1e9, 1e30):
        got, want = np.empty((2, 400, 5, 1))
        args = {"key": KEY, "start": 0, "values": np.array([scale]), "widths": (20, 7, 70)}
        vectorfields.fill_fields_single(plan, X, **args, out=got)
        want[:] = sample_fields(plan, X, 400, KEY, {"s": scale}, precision="double")
        assert size(got) == pytest.approx(size(want), rel=0.2)


def test_long_sums_lose_nothing():
    """A million neurons with outputs of one sign, and a hundred thousand inputs: 1e-6 is kept."""
    wide = Plan.from_dict(
        data("N", [dense("1 + erf(z)", weight=scalar("g_1"), bias=None)], weights=[uniform("u_1")])
    )
    params = {"N": 10**6}
    got = sample_fields(wide, D1[:1], 1, KEY, params)
    want = sample_fields(wide, D1[:1], 1, KEY, params, precision="double")
    np.testing.assert_allclose(got, want, rtol=1e-7)
    X = np.abs(np.random.default_rng(0).normal(size=(1, 10**5)))
    many = Plan.from_dict(
        data(
            "", [dense("z", weight=uniform("u_1"), bias=None, width="3")], weights=[uniform("u_1")]
        )
    )
    got, want = (
        sample_fields(many, X, 1, KEY, {}, precision=precision)
        for precision in ("single", "double")
    )
    np.testing.assert_allclose(got, want, rtol=1e-6)


LINEAR = [dense("z", weight=scalar("1", normals=0), bias=None, width="1")]


def drawn(component: dict, count: int) -> np.ndarray:
    plan = Plan.from_dict(data("", LINEAR, weights=[component]))
    return sample_fields(plan, [1.0], count, KEY, {}).ravel()


def test_draws_are_those_of_double_precision():
    count = 20_000
    n = np.array([normals(KEY, network, 2, 0, 1)[0] for network in range(count)])
    u = np.array([uniforms(KEY, network, 2, 0, 1)[0] for network in range(count)])
    np.testing.assert_allclose(drawn(scalar("g_1"), count), n, rtol=4e-7, atol=1e-7)
    np.testing.assert_allclose(drawn(uniform("u_1"), count), u, rtol=0, atol=6e-8)
    laplace = -np.sign(u - 0.5) * np.log(1 - 2 * np.abs(u - 0.5))
    text = "-sign(u_1 - 1/2)*log(1 - 2*abs(u_1 - 1/2))"
    np.testing.assert_allclose(drawn(uniform(text), count), laplace, rtol=3e-7, atol=0)
    assert np.array_equal(drawn(uniform("sign(u_1 - 1/2)"), count), np.sign(u - 0.5))


def test_networks_single_precision_cannot_do_are_done_in_double():
    def enough(activation: str, X: list[float], **params: float) -> bool:
        plan = Plan.from_dict(
            data(" ".join(params), [dense(activation, weight=scalar("g_1"), bias=None, width="9")],
                 weights=[scalar("g_1")])
        )  # fmt: skip
        points, values = plan.points(X), np.array([params[name] for name in plan.parameters])
        got = sample_fields(plan, X, 5, KEY, params)
        want = sample_fields(plan, X, 5, KEY, params, precision="double")
        assert np.abs(got - want).max() <= 1e-5 * size(want)
        return vectorfields.is_single_enough(plan, points, values, (9,))

    assert enough("cos(z)", [1.0, 2.0])
    assert not enough("cos(z)", [1e6, 1e6 + 1]), "arguments without digits after the point"
    assert not enough("(exp(c*z) - 1)/c", [1.0], c=1e-5), "cancellation"
    assert not enough("c*z", [1.0, 2.0], c=1e-42), "subnormal numbers"
    assert not enough("exp(z + c)/exp(c)", [1.0], c=100.0), "overflow on the way"
    assert enough("exp(z - c)*exp(c)", [1.0], c=3.0)


def test_several_outputs_share_the_hidden_layer():
    fields = sample_fields(OUTPUTS.plan, OUTPUTS.X, 3, KEY, OUTPUTS.params)
    assert fields.shape == (3, len(OUTPUTS.X), 3)


def test_an_unknown_precision_is_refused():
    with pytest.raises(SpecificationError, match="'single', 'double'"):
        sample_fields(ERF.plan, ERF.X, 1, KEY, ERF.params, precision="half")


@pytest.mark.parametrize("activation", ["cos(z) + 2", "sin(z)*z", "abs(z)**(4/3) + tan(z)"])
def test_rare_arguments_are_computed_again(activation):
    """Arguments 6e7 and 0 without rounding, beside a usual one, in shallow and deep layers."""
    sign = uniform("sign(u_1 - 1/2)")
    layer = dense(activation, weight=sign, bias=None, width="7")
    last = dense("z", weight=sign, bias=None, width="3")
    X = [60000004.0, 0.0, 1.0]
    for layers in ([layer], [layer, last]):
        plan = Plan.from_dict(data("", layers, weights=[scalar("g_1")]))
        points = plan.points(X)
        assert vectorfields.is_single_enough(plan, points, np.zeros(0), (7, 3)[: len(layers)])
        got = sample_fields(plan, X, 20, KEY, {})
        want = sample_fields(plan, X, 20, KEY, {}, precision="double")
        assert (np.abs(got - want) <= 3e-6 * np.abs(want).max(axis=0)).all()
