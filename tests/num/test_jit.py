from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from nnft_num.kernels import double as jit
from nnft_num.plans.plan import Plan
from nnft_num.runs.sampling import sample_fields
from nnft_sym.language import FUNCTIONS, evaluate, parse
from nnft_sym.language.errors import SpecificationError
from tests.num import oracle
from tests.num.example_plans import D1, DEEP, ERF, EXAMPLES, data, dense, scalar

KEY = (3, 2**32 - 5)
START = 2**32 - 3
double = partial(sample_fields, precision="double")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_kernels_agree_with_the_definition(example):
    got = double(example.plan, example.X, 7, KEY, example.params, start=START)
    want = np.array(
        [oracle.fields(example.plan, example.X, example.params, KEY, START + i) for i in range(7)]
    )
    scale = np.abs(want).max()
    assert scale > 0.1
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13 * scale)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7, 8])
def test_widths_that_are_no_multiple_of_four(width):
    params = DEEP.params | {"n_1": width, "n_2": 9 - width, "n_3": width}
    got = double(DEEP.plan, DEEP.X, 2, KEY, params)
    want = [oracle.fields(DEEP.plan, DEEP.X, params, KEY, i) for i in range(2)]
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


def test_a_sweep_over_numbers_compiles_once():
    plan = Plan.from_dict(data("N s", [dense("erf(s*z)", weight=scalar("g_1"), bias=None)],
                               weights=[scalar("g_1")]))  # fmt: skip
    before = jit.compilations()
    for width in (1, 10, 100):
        for scale in (0.5, 2.0):
            for points in (D1, D1[:2], np.zeros((3, 4))):
                double(plan, points, 2, KEY, {"N": width, "s": scale})
                double(Plan.from_json(plan.to_json()), points, 2, KEY, {"N": 2, "s": 1})
    assert jit.compilations() == before + 1


def test_the_runtime_knows_every_function_of_the_language():
    assert set(jit.RUNTIME) == {f.scalar for f in FUNCTIONS.values()} - {"where"} | {"pow"}


def test_functions_agree_with_the_interpreter_at_their_corners():
    names = [name for name in FUNCTIONS if name != "where"]
    texts = [f"{name}({', '.join(('z', '1/4')[: FUNCTIONS[name].arity])})" for name in names]
    chosen = "0"
    for number, text in enumerate(texts):
        chosen = f"where(which == {number}, {text}, {chosen})"
    one = scalar("1", normals=0)
    layer = dense(chosen, weight=one, bias=None, width="1")
    plan = Plan.from_dict(data("which", [layer], weights=[one]))
    z = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 0.25, 30.0, -30.0, 800.0, -800.0, 1e-300])
    for number, text in enumerate(texts):
        out = np.empty((1, len(z), 1))
        values = np.array([number], dtype=float)
        jit.fill_fields(plan, z[:, None], key=KEY, start=0, values=values, widths=(1,), out=out)
        got = out[0, :, 0]
        with np.errstate(all="ignore"):
            want = evaluate(parse(text), {"z": z})
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=0, err_msg=text)


def test_nan_passes_through_the_runtime():
    for name in ("sign", "heaviside", "sigmoid"):
        assert math.isnan(jit.RUNTIME[name](math.nan))
    for name in ("fmax", "fmin"):
        assert math.isnan(jit.RUNTIME[name](math.nan, 1.0))
        assert math.isnan(jit.RUNTIME[name](1.0, math.nan))


def test_names_of_python_and_numpy_are_ordinary_names():
    layer = dense("range*z + float + np", weight=scalar("points*g_1"), bias=None, width="out")
    names = "range float np points out"
    plan = Plan.from_dict(data(names, [layer], weights=[scalar("g_1")]))
    params = dict.fromkeys(plan.parameters, 2.0)
    got = double(plan, D1, 1, KEY, params)[0]
    np.testing.assert_allclose(got, oracle.fields(plan, D1, params, KEY, 0), rtol=1e-12)


def test_a_narrow_network_is_the_beginning_of_a_wide_one():
    fields = {
        width: double(ERF.plan, D1, 1, KEY, ERF.params | {"N": width})[0, :, 0] for width in (4, 5)
    }
    last = fields[5] * np.sqrt(5) - fields[4] * 2
    only = oracle.event(ERF.plan.layers[0].weight, ERF.params, KEY, 0, 0, 0, 5)[0][4]
    bias = oracle.event(ERF.plan.layers[0].bias, ERF.params, KEY, 0, 1, 0, 5)[0][4]
    readout = oracle.event(ERF.plan.weights[0], ERF.params, KEY, 0, 2, 0, 5)[0][4]
    want = readout * np.array([math.erf(only * x + bias) for x in D1[:, 0]])
    np.testing.assert_allclose(last, want, rtol=1e-11, atol=1e-13)


def test_too_many_draws_for_one_neuron_are_refused():
    params = DEEP.params | {"n_1": 2**24, "n_2": 1, "n_3": 1}
    with pytest.raises(SpecificationError, match="2\\^24"):
        sample_fields(DEEP.plan, DEEP.X, 1, KEY, params)
