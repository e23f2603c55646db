from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

from nnft_num.plans.plan import Plan
from nnft_sym.language.errors import LanguageError, SpecificationError
from tests.num.example_plans import DEEP, ERF, EXAMPLES, GAUSS, OUTPUTS, SCALAR_FIELD

each_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


@each_example
def test_plans_survive_json_and_pickle(example):
    plan = example.plan
    again = Plan.from_json(plan.to_json())
    assert again == plan
    assert again.hash == plan.hash
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert again.to_json() == plan.to_json()
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict(), indent=3))).hash == plan.hash


def test_hashes_tell_plans_apart():
    assert len({example.plan.hash for example in EXAMPLES}) == len(EXAMPLES)


def test_shapes():
    assert ERF.plan.outputs == 1
    assert OUTPUTS.plan.outputs == 3
    assert OUTPUTS.plan.widths(OUTPUTS.params) == (5, 7)
    assert DEEP.plan.widths(DEEP.params) == (9, 6, 4)
    assert SCALAR_FIELD.plan.dimension == 2
    assert ERF.plan.points([0.5, 1.0]).shape == (2, 1)


def changed(example, path, value):
    data = copy.deepcopy(example.plan.to_dict())
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return data


EVIL = "__import__('os').system('true')"
NORMAL = {"normals": 1, "uniforms": 0, "components": ["g_1"]}

FAULTS = [
    (ERF, ("format",), "nnft-plan/2", "format"),
    (ERF, ("extra",), 1, "keys"),
    (ERF, ("parameters",), ["sigma_w", "N", "sigma_b", "sigma_v"], "sorted"),
    (ERF, ("parameters",), ["N", "N", "sigma_b", "sigma_v", "sigma_w"], "new and not reserved"),
    (ERF, ("parameters",), ["N", "d", "sigma_b", "sigma_v", "sigma_w"], "reserved"),
    (ERF, ("parameters",), ["N", "pi", "sigma_b", "sigma_v", "sigma_w"], "reserved"),
    (ERF, ("parameters",), ["N", "_x", "sigma_b", "sigma_v", "sigma_w"], "name"),
    (ERF, ("parameters",), ["N", "lambda", "sigma_b", "sigma_v", "sigma_w"], "keyword"),
    (ERF, ("parameters",), "N", "list"),
    (ERF, ("dimension",), 0, "dimension"),
    (ERF, ("dimension",), True, "dimension"),
    (ERF, ("layers",), [], "layers"),
    (ERF, ("layers", 0, "kind"), "conv", "kind"),
    (ERF, ("layers", 0, "depth"), 3, "keys"),
    (ERF, ("layers", 0, "width"), 5, "text"),
    (ERF, ("layers", 0, "width"), "M", "width"),
    (ERF, ("layers", 0, "activation"), EVIL, "activation"),
    (ERF, ("layers", 0, "activation"), "z.real", "activation"),
    (ERF, ("layers", 0, "activation"), "norm2*z", "activation"),
    (ERF, ("layers", 0, "activation"), "g_1*z", "activation"),
    (ERF, ("layers", 0, "weight", "components"), ["g_2"], "components"),
    (ERF, ("layers", 0, "weight", "components"), ["z"], "components"),
    (ERF, ("layers", 0, "weight", "components"), ["g_1", "g_1"], "row"),
    (ERF, ("layers", 0, "weight", "components"), [], "components"),
    (ERF, ("layers", 0, "weight", "normals"), -1, "normals"),
    (ERF, ("layers", 0, "weight", "normals"), 1.0, "normals"),
    (ERF, ("layers", 0, "weight", "normals"), 10**9, "primitives"),
    (ERF, ("layers", 0, "bias"), {"normals": 0, "uniforms": 0, "components": ["1", "2"]}, "one"),
    (ERF, ("layers", 0, "locals"), {"k": "z"}, "locals"),
    (ERF, ("layers", 0, "locals"), {"z": "1"}, "reserved"),
    (ERF, ("layers", 0, "locals"), {"N": "1"}, "new"),
    (DEEP, ("layers", 1, "locals"), {"k": "1"}, "first layer"),
    (DEEP, ("layers", 1), SCALAR_FIELD.plan.to_dict()["layers"][0], "first layer"),
    (SCALAR_FIELD, ("dimension",), 3, "inputs"),
    (SCALAR_FIELD, ("dimension",), None, "inputs"),
    (SCALAR_FIELD, ("layers", 0, "inputs"), ["x_1", "x_1"], "new"),
    (SCALAR_FIELD, ("layers", 0, "draws", 0, "names"), ["b_1", "b_2", "b_3"], "match"),
    (SCALAR_FIELD, ("layers", 0, "draws", 1, "names"), ["b_1"], "new"),
    (SCALAR_FIELD, ("layers", 0, "draws", 1, "names"), [], "match"),
    (SCALAR_FIELD, ("layers", 0, "neuron"), "cos(z)", "neuron"),
    (ERF, ("readout", "weights"), [], "weights"),
    (ERF, ("readout", "biases"), [], "biases"),
    (ERF, ("readout", "biases"), [None, NORMAL], "bias"),
]


@pytest.mark.parametrize(
    ("example", "path", "value", "message"), FAULTS, ids=[f"{n}" for n in range(len(FAULTS))]
)
def test_impossible_plans_are_refused(example, path, value, message):
    with pytest.raises(SpecificationError, match=message):
        Plan.from_dict(changed(example, path, value))


def test_missing_keys_are_refused():
    data = ERF.plan.to_dict()
    del data["readout"]
    with pytest.raises(SpecificationError, match="readout"):
        Plan.from_dict(data)
    with pytest.raises(SpecificationError, match="keys"):
        Plan.from_dict([1, 2])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "NaN", '{"format": 1, "format": 2}', "[" * 100_000, '"' + "a" * 99]
)
def test_text_that_is_no_plan_is_refused(text):
    with pytest.raises(SpecificationError):
        Plan.from_json(text)


def test_code_in_a_plan_is_a_language_error():
    with pytest.raises(LanguageError, match=r"layers\[0\]\.activation"):
        Plan.from_dict(changed(ERF, ("layers", 0, "activation"), EVIL))


@pytest.mark.parametrize("width", [0, -3, 2.5, 1e300])
def test_impossible_widths_are_refused(width):
    with pytest.raises(SpecificationError, match="width"):
        ERF.plan.widths(ERF.params | {"N": width})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"N": 5}, "missing"),
        (GAUSS.params | {"sigma": 1.0}, "sigma"),
        (GAUSS.params | {"N": float("nan")}, "finite"),
        (GAUSS.params | {"N": "5"}, "finite"),
        (GAUSS.params | {"N": True}, "finite"),
    ],
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises(SpecificationError, match=message):
        GAUSS.plan.values(params)


@pytest.mark.parametrize(
    "X", [[[1.0, 2.0, 3.0]], 1.0, [], [[np.nan, 0.0]], "points", [[1j, 0]], np.zeros((2, 2, 1))]
)
def test_impossible_points_are_refused(X):
    with pytest.raises(SpecificationError, match=r"points|coordinates"):
        SCALAR_FIELD.plan.points(X)
