"""Fields of a few networks in plain numpy, double precision: what the kernels must agree with.

Slow and short: the generator on arrays, draws by the formulas of ``nnft_num.kernels.draws``,
layers by the definition of a plan, expressions by the interpreter of the language.  A run in single
precision is checked against it before it begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.plans.layers import Dense, DrawRecipe
from nnft_num.plans.plan import Plan
from nnft_sym.language import evaluate

__all__ = ["reference_fields"]

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def reference_fields(
    plan: Plan,
    X: NDArray[np.float64],
    params: Mapping[str, float],
    widths: Sequence[int],
    key: tuple[int, int],
    network: int,
) -> NDArray[np.float64]:
    """Fields (n, D) of one network.

    Parameters
    ----------
    plan, X, params
        Network, points (n, d) and values of its parameters.
    widths : sequence of int
        Widths of the hidden layers.
    key, network
        Key of the run and index of the network.
    """

    def drawn(recipe: DrawRecipe, parameter: int, first: int, events: int, count: int) -> Any:
        """Components, each (count neurons, events)."""
        primitives = recipe.primitives
        words = first + primitives * np.arange(events)[:, None] + np.arange(primitives)
        uniforms = _uniforms(key, network, (parameter << 24) + words, count)
        values: dict[str, Any] = dict(params)
        for position, name in enumerate(recipe.names):
            u = uniforms[:, :, position]
            values[name] = _normals(u) if position < recipe.normals else u
        shape = (len(uniforms), events)
        return [np.broadcast_to(evaluate(c, values), shape)[:count] for c in recipe.components]

    hidden = X.T
    for index, (layer, width) in enumerate(zip(plan.layers, widths, strict=True)):
        if isinstance(layer, Dense):
            fan_in = len(hidden)
            if len(layer.weight.components) > 1:
                weights = np.concatenate(drawn(layer.weight, 2 * index, 0, 1, width), axis=1)
            else:
                weights = drawn(layer.weight, 2 * index, 0, fan_in, width)[0]
            z = weights @ hidden / np.sqrt(fan_in)
            if layer.bias is not None:
                z = z + drawn(layer.bias, 2 * index + 1, 0, 1, width)[0]
            names: dict[str, Any] = dict(params) | {"z": z}
            at_points = dict(params) | {"norm2": np.sum(X**2, axis=1), "d": float(X.shape[1])}
            names |= {name: evaluate(part, at_points) for name, part in layer.locals}
            hidden = np.broadcast_to(evaluate(layer.activation, names), z.shape)
        else:
            names = dict(params) | {name: X[:, j] for j, name in enumerate(layer.inputs)}
            first = 0
            for draw in layer.draws:
                values = []
                for _ in range(draw.events):
                    values += drawn(draw.recipe, 2 * index, first, 1, width)
                    first += draw.recipe.primitives
                names |= dict(zip(draw.names, values, strict=True))
            hidden = np.broadcast_to(evaluate(layer.neuron, names), (width, len(X)))
    last, out, first = 2 * len(plan.layers), np.zeros((len(X), plan.outputs)), 0
    for output, recipe in enumerate(plan.weights):
        readout = drawn(recipe, last, first, 1, len(hidden))[0][:, 0]
        first += recipe.primitives
        out[:, output] = readout @ hidden / np.sqrt(len(hidden))
    first = 0
    for output, bias in enumerate(plan.biases):
        if bias is not None:
            out[:, output] += drawn(bias, last + 1, first, 1, 1)[0][0, 0]
            first += bias.primitives
    return out


def _uniforms(
    key: tuple[int, int], network: int, words: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Uniforms (neurons, *words.shape), four for each counter, of the given second words."""
    c0 = np.arange(-(-count // 4), dtype=np.uint64).reshape(-1, *(1,) * words.ndim)
    c0, c1 = np.broadcast_arrays(c0, words.astype(np.uint64))
    c2 = np.full(c0.shape, network & 0xFFFFFFFF, dtype=np.uint64)
    c3 = np.full(c0.shape, network >> 32, dtype=np.uint64)
    k0, k1 = key
    for _ in range(10):
        wide, broad = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1 = (broad >> _SHIFT) ^ c1 ^ np.uint64(k0), broad & _LOW
        c2, c3 = (wide >> _SHIFT) ^ c3 ^ np.uint64(k1), wide & _LOW
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    four = np.stack([c0, c1, c2, c3], axis=1).reshape(4 * len(c0), *words.shape)
    return (four.astype(np.float64) + 0.5) * 2.0**-32


def _normals(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Box and Muller over pairs of neurons."""
    radius, angle = np.sqrt(-2.0 * np.log(u[0::2])), 2.0 * np.pi * u[1::2]
    pairs = [radius * np.cos(angle), radius * np.sin(angle)]
    return np.stack(pairs, axis=1).reshape(u.shape)
