"""Compiled hidden layers of sixteen networks side by side, below a given network's readout.

Functions written for each plan: ``_first`` turns primitives (normals and uniforms) into the outputs
φ(x_a) of neurons of the first layer, ``_rows`` runs all hidden layers and keeps of each network its
fields, or the metric S_ab = sum_i φ_i(x_a) φ_i(x_b)/n_L of the last layer, and ``_neurons`` keeps
single neurons.  In the first layer a Gaussian density is drawn through a factor F of the covariance
of its fields, z = F g with F Fᵀ = K; any other density by its own recipe.  The fields of a later
layer are drawn given the layer below,

    z = L g,    L Lᵀ = C_b + C_W/n_l sum_i φ_i φ_iᵀ,

which is their law when weights and biases are Gaussian of mean zero.

Draws of these routes stand at parameter index 254, with primitive = layer * 2^16 + position; the
layers are 0, ..., L-1, the readout is layer L and the output biases layer L + 1.  The text that is
compiled is written from validated expression trees alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nnft_num.kernels.double import RUNTIME
from nnft_num.kernels.draws import PRIMITIVE_BITS
from nnft_num.kernels.lanes import (
    EPSILON,
    NETWORKS,
    VECTOR,
    add_gram,
    apply_factor,
    draw,
    factorise,
    pivoted,
    write_fields,
    write_metric,
)
from nnft_num.plans.affine import read_affine
from nnft_num.plans.layers import Dense, DrawRecipe, Neurons
from nnft_num.plans.plan import Plan
from nnft_sym.language import evaluate, scalar_source

__all__ = ["PARAMETER", "Kernels", "LayerInput", "kernels", "layer_input", "layer_word"]

PARAMETER = 254
"""Parameter index of all draws of these routes."""

LAYER_BITS = 16


def layer_word(layer: int, position: int = 0) -> int:
    """Second counter word of a primitive of a layer."""
    return PARAMETER << PRIMITIVE_BITS | layer << LAYER_BITS | position


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerInput:
    """What the first layer is run with, computed once for a plan at its points.

    Parameters
    ----------
    normal : ndarray of bool, shape (P,)
        Which primitives of a neuron are normals.
    factor : ndarray, shape (n, r)
        F with F Fᵀ the covariance of Gaussian fields; empty for other densities.
    locals_ : ndarray, shape (count, n)
        Local names of the activation at each point.
    """

    normal: NDArray[np.bool_]
    factor: NDArray[np.float64]
    locals_: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Kernels:
    """Compiled functions of a plan: neurons of the first layer, and rows of whole networks."""

    rows: Callable[..., None]
    neurons: Callable[..., None]


def layer_input(plan: Plan, X: NDArray[np.float64], params: Mapping[str, float]) -> LayerInput:
    """Prepare the first layer of a plan at its points."""
    layer, n = plan.layers[0], len(X)
    if isinstance(layer, Neurons):
        kinds = [kind for item in layer.draws for kind in _kinds(item.recipe) * item.events]
        return LayerInput(
            normal=np.array(kinds, dtype=np.bool_),
            factor=np.zeros((n, 0)),
            locals_=np.zeros((0, n)),
        )
    reserved = {**params, "norm2": np.sum(X**2, axis=1), "d": float(X.shape[1])}
    locals_ = np.array([evaluate(text, reserved) for _, text in layer.locals]).reshape(-1, n)
    if gaussian_layer(layer, params):
        factor = _gaussian_factor(layer, X, params)
        return LayerInput(
            normal=np.ones(factor.shape[1], dtype=np.bool_), factor=factor, locals_=locals_
        )
    events = X.shape[1] if len(layer.weight.components) == 1 else 1
    kinds = _kinds(layer.weight) * events + (_kinds(layer.bias) if layer.bias else [])
    return LayerInput(
        normal=np.array(kinds, dtype=np.bool_), factor=np.zeros((n, 0)), locals_=locals_
    )


def gaussian_layer(layer: Dense | Neurons, params: Mapping[str, float]) -> bool:
    """Whether weights and biases of a layer are Gaussian of mean zero."""
    if isinstance(layer, Neurons):
        return False
    recipes = [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
    read = [read_affine(recipe, params) for recipe in recipes]
    return all(density is not None and density.centred_normal for density in read)


def variances(layer: Dense, params: Mapping[str, float]) -> tuple[float, float]:
    """C_W and C_b of a Gaussian layer."""
    weight = read_affine(layer.weight, params)
    bias = None if layer.bias is None else read_affine(layer.bias, params)
    return (
        0.0 if weight is None else weight.slope**2,
        0.0 if bias is None else bias.slope**2,
    )


def _gaussian_factor(
    layer: Dense, X: NDArray[np.float64], params: Mapping[str, float]
) -> NDArray[np.float64]:
    weight, bias = variances(layer, params)
    columns = np.hstack([(weight / X.shape[1]) ** 0.5 * X, np.full((len(X), 1), bias**0.5)])
    if bias == 0:
        columns = columns[:, :-1]
    if columns.shape[1] <= len(X):
        return np.ascontiguousarray(columns)
    factor = pivoted(columns @ columns.T)
    rank = max(1, int(np.count_nonzero(np.any(factor != 0, axis=0))))
    return np.ascontiguousarray(factor[:, :rank])


def _kinds(recipe: DrawRecipe) -> list[bool]:
    return [True] * recipe.normals + [False] * recipe.uniforms


_INTERNAL: dict[str, Any] = {
    "_np": np,
    "_range": range,
    "_float": float,
    "_max": max,
    "_min": min,
    "_len": len,
    "_epsilon": EPSILON,
    "_draw": draw,
    "_add_gram": add_gram,
    "_factorise": factorise,
    "_apply": apply_factor,
    "_write_fields": write_fields,
    "_write_metric": write_metric,
}

_compiled: dict[tuple[str, bool], Kernels] = {}
_lock = threading.Lock()


def kernels(plan: Plan, params: Mapping[str, float]) -> Kernels:
    """Compile the hidden layers of a plan, once in a process."""
    gaussian = gaussian_layer(plan.layers[0], params)
    with _lock:
        if (plan.hash, gaussian) not in _compiled:
            writer = _Writer(plan, gaussian)
            namespace: dict[str, Any] = {**RUNTIME, **_INTERNAL}
            exec(compile(writer.text(), f"<layers of plan {plan.hash[:12]}>", "exec"), namespace)
            jit = njit(nogil=True, error_model="numpy")
            for name in writer.functions:
                namespace[name] = jit(namespace[name])
            _compiled[plan.hash, gaussian] = Kernels(
                rows=namespace["_rows"], neurons=namespace["_neurons"]
            )
        return _compiled[plan.hash, gaussian]


class _Writer:
    """Writes the functions of one plan, line by line."""

    def __init__(self, plan: Plan, gaussian: bool) -> None:
        self.lines: list[str] = []
        self.functions: list[str] = []
        self.depth = 0
        self.plan = plan
        self.first(gaussian)
        self.later()
        self.rows()
        self.neuron_rows()

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def put(self, *lines: str) -> None:
        self.lines.extend("    " * self.depth + line for line in lines)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.put(head)
        self.depth += 1
        yield
        self.depth -= 1

    @contextmanager
    def function(self, name: str, arguments: str) -> Iterator[None]:
        self.functions.append(name)
        with self.block(f"def {name}({arguments}):"):
            yield

    def names(self) -> None:
        for position, name in enumerate(self.plan.parameters):
            self.put(f"{name} = _values[{position}]")

    def first(self, gaussian: bool) -> None:
        layer = self.plan.layers[0]
        with self.function("_first", "_G, _X, _F, _locals, _values, _H"):
            self.names()
            if isinstance(layer, Neurons):
                self.neurons(layer)
                return
            if gaussian:
                with self.block("for _a in _range(_len(_H)):"):
                    with self.each():
                        self.put("_H[_a, _v] = 0.0")
                    with self.block("for _p in _range(_F.shape[1]):"):
                        self.put("_c = _F[_a, _p]")
                        with self.each():
                            self.put("_H[_a, _v] += _c * _G[_p, _v]")
            else:
                self.dense(layer)
            with self.block("for _a in _range(_len(_H)):"):
                for position, (name, _) in enumerate(layer.locals):
                    self.put(f"{name} = _locals[{position}, _a]")
                with self.each():
                    self.put("z = _H[_a, _v]", f"_H[_a, _v] = {scalar_source(layer.activation)}")

    def each(self) -> AbstractContextManager[None]:
        return self.block(f"for _v in _range({VECTOR}):")

    def dense(self, layer: Dense) -> None:
        """Sum W x / sqrt(d) + b from the recipes."""
        self.put(
            "_d = _X.shape[1]",
            "_scale = 1.0 / _np.sqrt(_float(_d))",
            f"_T = _np.empty((_d + 1, {VECTOR}))",
        )
        weight = layer.weight
        if len(weight.components) > 1:
            self.event(weight, "0", [str(row) for row in range(len(weight.components))])
            used = str(weight.primitives)
        else:
            with self.block("for _j in _range(_d):"):
                self.event(weight, f"_j * {weight.primitives}", ["_j"])
            used = f"_d * {weight.primitives}"
        if layer.bias is not None:
            self.event(layer.bias, used, ["_d"])
        else:
            with self.each():
                self.put("_T[_d, _v] = 0.0")
        with self.block("for _a in _range(_len(_H)):"):
            with self.each():
                self.put("_H[_a, _v] = 0.0")
            with self.block("for _j in _range(_d):"):
                self.put("_c = _scale * _X[_a, _j]")
                with self.each():
                    self.put("_H[_a, _v] += _c * _T[_j, _v]")
            with self.each():
                self.put("_H[_a, _v] += _T[_d, _v]")

    def neurons(self, layer: Neurons) -> None:
        names = [name for item in layer.draws for name in item.names]
        self.put(f"_T = _np.empty(({max(1, len(names))}, {VECTOR}))")
        primitive = slot = 0
        for item in layer.draws:
            width = len(item.recipe.components)
            for _ in range(item.events):
                self.event(item.recipe, str(primitive), [str(slot + i) for i in range(width)])
                primitive += item.recipe.primitives
                slot += width
        with self.block("for _a in _range(_len(_H)):"):
            for position, name in enumerate(layer.inputs):
                self.put(f"{name} = _X[_a, {position}]")
            with self.each():
                for position, name in enumerate(names):
                    self.put(f"{name} = _T[{position}, _v]")
                self.put(f"_H[_a, _v] = {scalar_source(layer.neuron)}")

    def event(self, recipe: DrawRecipe, primitive: str, rows: list[str]) -> None:
        """One event of a density for every entry of the vector."""
        with self.each():
            for position, name in enumerate(recipe.names):
                self.put(f"{name} = _G[{primitive} + {position}, _v]")
            for row, component in zip(rows, recipe.components, strict=True):
                self.put(f"_T[{row}, _v] = {scalar_source(component)}")

    def later(self) -> None:
        """Activations of the layers above the first; equal ones are written once."""
        by_text: dict[str, list[int]] = {}
        for index, layer in enumerate(self.plan.layers[1:], start=1):
            if isinstance(layer, Dense):
                by_text.setdefault(scalar_source(layer.activation), []).append(index)
        with self.function("_later", "_index, _values, _H"):
            self.names()
            for text, indices in by_text.items():
                chosen = " or ".join(f"_index == {index}" for index in indices)
                points = self.block("for _a in _range(_len(_H)):")
                with self.block(f"if {chosen}:"), points, self.each():
                    self.put("z = _H[_a, _v]", f"_H[_a, _v] = {text}")
            self.put("return")

    def rows(self) -> None:
        """All layers, sixteen networks at a time, and what is kept of each network."""
        arguments = "_k0, _k1, _start, _X, _normal, _F, _locals, _values, _widths, _scales"
        with self.function("_rows", f"{arguments}, _readout, _out"):
            self.put(
                "_n = _len(_X)",
                f"_words = _np.empty((4, {NETWORKS}), dtype=_np.uint64)",
                f"_G = _np.empty((_max(_n + 1, _len(_normal)), {VECTOR}))",
                f"_H = _np.empty((_n, {VECTOR}))",
                f"_L = _np.empty((_n * (_n + 1) // 2, {NETWORKS}))",
                f"_S = _np.empty((_n * (_n + 1) // 2, {NETWORKS}))",
                "_all = _np.ones(_n, dtype=_np.bool_)",
            )
            with self.block(f"for _row in _range(0, _len(_out), {NETWORKS}):"):
                self.put("_first_network = _start + _np.uint64(_row)")
                self.layer("0")
                if len(self.plan.layers) > 1:
                    with self.block(f"for _index in _range(1, {len(self.plan.layers)}):"):
                        self.put(
                            "_shape = _scales[_index, 0] / _widths[_index - 1]",
                            "_factorise(_S, _shape, _scales[_index, 1], _epsilon, _L)",
                        )
                        self.layer("_index")
                last = len(self.plan.layers)
                self.put(f"_part = _out[_row:_min(_row + {NETWORKS}, _len(_out))]")
                with self.block("if _len(_readout) == 0:"):
                    self.put(f"_write_metric(_S, _widths[{last - 1}], _part)")
                with self.block("else:"):
                    self.put(
                        f"_factorise(_S, 1.0 / _widths[{last - 1}], 0.0, _epsilon, _L)",
                        f"_write_fields(_k0, _k1, _np.uint64({layer_word(last)}), "
                        f"_np.uint64({layer_word(last + 1)}), _first_network, _L, "
                        "_readout, _all, _words, _G, _H, _part)",
                    )

    def layer(self, index: str) -> None:
        """Sum S over the neurons of one layer, the first (``0``) or one of the others."""
        with (
            self.block("for _e in _range(_len(_S)):"),
            self.block(f"for _v in _range({NETWORKS}):"),
        ):
            self.put("_S[_e, _v] = 0.0")
        kinds = "_all" if index != "0" else "_normal"
        word = f"_np.uint64({layer_word(0)} + ({index} << {LAYER_BITS}))"
        with self.block(f"for _block in _range((_widths[{index}] + 3) // 4):"):
            self.put(
                f"_draw(_k0, _k1, _np.uint64(_block), {word}, _first_network, {kinds}, _words, _G)"
            )
            if index == "0":
                self.put("_first(_G, _X, _F, _locals, _values, _H)")
            else:
                self.put("_apply(_L, _G, _H)", "_later(_index, _values, _H)")
            self.put(f"_add_gram(_H, _widths[{index}] - 4 * _block, _S)")

    def neuron_rows(self) -> None:
        """Outputs of single neurons of the first layer, times their readout if it is sampled."""
        plan = self.plan
        arguments = "_columns, _X, _F, _locals, _values, _weighted, _out"
        with self.function("_neurons", arguments):
            self.names()
            self.put(
                f"_G = _np.zeros((_len(_columns), {VECTOR}))",
                f"_H = _np.empty((_len(_X), {VECTOR}))",
                f"_T = _np.empty(({plan.outputs}, {VECTOR}))",
            )
            with self.block(f"for _row in _range(0, _len(_out), {VECTOR}):"):
                self.put(
                    f"_present = _min({VECTOR}, _len(_out) - _row)",
                )
                columns = self.block("for _p in _range(_len(_columns)):")
                with columns, self.block("for _v in _range(_present):"):
                    self.put("_G[_p, _v] = _columns[_p, _row + _v]")
                self.put("_first(_G, _X, _F, _locals, _values, _H)")
                with self.block("if not _weighted:"):
                    with self.present():
                        self.put("_out[_row + _v, _a] = _H[_a, _v]")
                    self.put("continue")
                primitive = f"_len(_columns) - {sum(w.primitives for w in plan.weights)}"
                for output, recipe in enumerate(plan.weights):
                    self.event(recipe, primitive, [str(output)])
                    primitive += f" + {recipe.primitives}"
                with self.present():
                    for output in range(plan.outputs):
                        self.put(
                            f"_out[_row + _v, _a * {plan.outputs} + {output}] = "
                            f"_T[{output}, _v] * _H[_a, _v]"
                        )

    @contextmanager
    def present(self) -> Iterator[None]:
        """Loop over the neurons that are asked for and the points."""
        points = self.block("for _a in _range(_len(_X)):")
        with self.block("for _v in _range(_present):"), points:
            yield
