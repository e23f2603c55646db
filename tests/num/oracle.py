"""The fields of one network, slowly: numpy, the interpreter, and draws repeated one by one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nnft_num.kernels.draws import normals, uniforms
from nnft_num.plans.layers import Dense, DrawRecipe
from nnft_num.plans.plan import Plan
from nnft_sym.language import evaluate


def event(
    recipe: DrawRecipe,
    params: Mapping[str, float],
    key: tuple[int, int],
    network: int,
    parameter: int,
    primitive: int,
    count: int,
) -> list[np.ndarray]:
    values = dict(params)
    for position, name in enumerate(recipe.names):
        draw = normals if name.startswith("g") else uniforms
        values[name] = draw(key, network, parameter, primitive + position, count)
    return [np.broadcast_to(evaluate(c, values), (count,)) for c in recipe.components]


def fields(
    plan: Plan, X: np.ndarray, params: Mapping[str, float], key: tuple[int, int], network: int
) -> np.ndarray:
    """Fields of shape (n, D), straight from the definition of a plan."""
    points, dimension = X.shape
    hidden = X.T
    for index, (layer, width) in enumerate(zip(plan.layers, plan.widths(params), strict=True)):
        where = (params, key, network, 2 * index)
        if isinstance(layer, Dense):
            recipe = layer.weight
            if len(recipe.components) > 1:
                columns = event(recipe, *where, 0, width)
            else:
                columns = [
                    event(recipe, *where, j * recipe.primitives, width)[0]
                    for j in range(len(hidden))
                ]
            z = np.stack(columns, axis=1) @ hidden / np.sqrt(len(hidden))
            if layer.bias is not None:
                z = z + event(layer.bias, params, key, network, 2 * index + 1, 0, width)[0][:, None]
            values = dict(params) | {"z": z}
            reserved = dict(params) | {"norm2": np.sum(X**2, axis=1), "d": float(dimension)}
            for name, expression in layer.locals:
                values[name] = evaluate(expression, reserved)
            hidden = evaluate(layer.activation, values)
        else:
            values = dict(params) | {name: X[:, j] for j, name in enumerate(layer.inputs)}
            offset = 0
            for draw in layer.draws:
                drawn: list[np.ndarray] = []
                while len(drawn) < len(draw.names):
                    drawn += event(draw.recipe, *where, offset, width)
                    offset += draw.recipe.primitives
                values |= {n: v[:, None] for n, v in zip(draw.names, drawn, strict=True)}
            hidden = np.broadcast_to(evaluate(layer.neuron, values), (width, points))
    last = 2 * len(plan.layers)
    out = np.zeros((points, plan.outputs))
    offset = 0
    for j, recipe in enumerate(plan.weights):
        a = event(recipe, params, key, network, last, offset, len(hidden))[0]
        offset += recipe.primitives
        out[:, j] = a @ hidden / np.sqrt(len(hidden))
    offset = 0
    for j, bias in enumerate(plan.biases):
        if bias is not None:
            out[:, j] += event(bias, params, key, network, last + 1, offset, 1)[0]
            offset += bias.primitives
    return out
