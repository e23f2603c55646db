"""Hand-written plans, one for each feature of the format, with parameters and points to run at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnft_num.plans.plan import FORMAT, Plan


@dataclass(frozen=True, kw_only=True)
class Example:
    name: str
    plan: Plan
    params: dict[str, float]
    X: np.ndarray


def scalar(component: str, *, normals: int = 1, uniforms: int = 0) -> dict[str, Any]:
    return {"normals": normals, "uniforms": uniforms, "components": [component]}


def uniform(component: str) -> dict[str, Any]:
    return scalar(component, normals=0, uniforms=1)


NORMAL_W = scalar("sigma_w*g_1")
NORMAL_B = scalar("sigma_b*g_1")
NORMAL_V = scalar("sigma_v*g_1")
BALL = {
    "normals": 2,
    "uniforms": 1,
    "components": [f"Lambda*sqrt(u_1)*g_{i}/sqrt(g_1**2 + g_2**2)" for i in (1, 2)],
}
D1 = np.array([[-1.0], [-0.6], [-0.2], [0.2], [0.6], [1.0]])
D2 = np.array([[0.1, 0.4], [-0.7, 0.2], [1.0, -0.3]])
D3 = np.array([[0.1, 0.4, 0.3], [-0.7, 0.2, 1.1], [1.0, -0.3, 0.0], [0.0, 0.0, 0.0]])


def dense(activation: str, **changes: Any) -> dict[str, Any]:
    layer = {
        "kind": "dense",
        "width": "N",
        "weight": NORMAL_W,
        "bias": NORMAL_B,
        "activation": activation,
        "locals": {},
    }
    return layer | changes


def data(
    parameters: str,
    layers: list[dict[str, Any]],
    *,
    dimension: int | None = None,
    weights: list[dict[str, Any]] | None = None,
    biases: list[dict[str, Any] | None] | None = None,
) -> dict[str, Any]:
    weights = [NORMAL_V] if weights is None else weights
    return {
        "format": FORMAT,
        "parameters": sorted(parameters.split()),
        "dimension": dimension,
        "layers": layers,
        "readout": {"weights": weights, "biases": biases or [None] * len(weights)},
    }


def _example(
    name: str, params: dict[str, float], X: np.ndarray, layers: list[dict[str, Any]], **rest: Any
) -> Example:
    plan = Plan.from_dict(data(" ".join(params), layers, **rest))
    return Example(name=name, plan=plan, params=params, X=X)


SHALLOW = {"N": 5, "sigma_b": 0.5, "sigma_v": 1.3, "sigma_w": 0.9}

ERF = _example("erf", SHALLOW, D1, [dense("erf(z)")])
RELU = _example("relu", SHALLOW, D3, [dense("max(0, z)", bias=None)], biases=[uniform("u_1 - 1/2")])
COS = _example(
    "cos with uniform phase",
    {"N": 6, "sigma_v": 1.0, "sigma_w": 1.2},
    D2,
    [dense("cos(z)", bias=uniform("-pi + 2*pi*u_1"))],
)
GAUSS = _example(
    "gauss-net with locals",
    SHALLOW | {"sigma_b": 0.3},
    D3,
    [dense("exp(z)/sqrt(exp(2*k))", locals={"k": "sigma_b**2 + sigma_w**2*norm2/d"})],
)
SCALAR_FIELD = _example(
    "scalar field in a ball",
    {"N": 7, "m": 0.8, "Lambda": 3.0},
    D2,
    [
        {
            "kind": "neurons",
            "width": "N",
            "inputs": ["x_1", "x_2"],
            "draws": [
                {"names": ["b_1", "b_2"], "draw": BALL},
                {"names": ["c"], "draw": uniform("-pi + 2*pi*u_1")},
            ],
            "neuron": "sqrt(2*pi*Lambda**2/(2*pi)**2)"
            "*cos(b_1*x_1 + b_2*x_2 + c)/sqrt(b_1**2 + b_2**2 + m**2)",
        }
    ],
    dimension=2,
    weights=[scalar("g_1")],
)
NEURONS = _example(
    "neurons with scalar draws",
    {"N": 3, "mean": 0.4},
    D2,
    [
        {
            "kind": "neurons",
            "width": "2*N + 1",
            "inputs": ["x_1", "x_2"],
            "draws": [
                {"names": ["w_1", "w_2"], "draw": scalar("mean + g_1")},
                {"names": ["s"], "draw": scalar("g_1*u_1", uniforms=1)},
            ],
            "neuron": "where(w_1*x_1 > w_2*x_2, s*x_1**3, tanh(w_2) - x_2**-2 + abs(s)**mean)",
        }
    ],
    dimension=2,
    weights=[scalar("g_1")],
)
DEEP = _example(
    "deep tanh",
    {"n_1": 9, "n_2": 6, "n_3": 4, "sigma_b": 0.2, "sigma_w": 1.1},
    D2,
    [dense("tanh(z)", width=f"n_{layer}") for layer in (1, 2, 3)],
    weights=[NORMAL_W],
    biases=[NORMAL_B],
)
RADEMACHER = _example(
    "Rademacher",
    {"N": 2},
    D2,
    [dense("z**2 + z", weight=uniform("sign(u_1 - 1/2)"), bias=None)],
    weights=[uniform("sign(u_1 - 1/2)")],
)
ROW = _example(
    "row from a ball, sphere-like bias",
    {"N": 5, "Lambda": 1.5},
    D2,
    [dense("sigmoid(z) + heaviside(z)*z", weight=BALL, bias=uniform("u_1"))],
    dimension=2,
    weights=[scalar("g_1")],
)
OUTPUTS = _example(
    "several outputs",
    SHALLOW,
    D2,
    [dense("erfc(z)*sin(z)", width="N"), dense("min(z, 1, z**3)", width="N + 2")],
    weights=[NORMAL_V, uniform("sqrt(12)*(u_1 - 1/2)"), scalar("g_1 + g_2 + 1", normals=2)],
    biases=[uniform("u_1"), None, scalar("g_1*g_2", normals=2)],
)

EXAMPLES = (
    ERF,
    RELU,
    COS,
    GAUSS,
    SCALAR_FIELD,
    NEURONS,
    DEEP,
    RADEMACHER,
    ROW,
    OUTPUTS,
)
