"""From a plan to a compiled kernel that fills fields in double precision.

One function is generated for each plan: a loop over networks, over blocks of four neurons (one
call of the generator serves four), and over points inside.  Scales, widths and points are
arguments, so that a sweep over them compiles once.  Everything is float64, by the functions of the
C library; ``nnft_num.kernels.fields`` computes the same networks, from the same counters, in single
precision.  The text that is compiled is written from validated expression trees alone, never from
the text of a plan.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numba import float64, int64, njit, uint64, void
from numpy.typing import NDArray

from nnft_num.kernels.draws import LANES, PRIMITIVE_BITS, fill_normals, fill_uniforms
from nnft_num.plans.layers import Dense, DrawRecipe, Neurons
from nnft_num.plans.plan import Plan, recipes
from nnft_sym.language import scalar_source
from nnft_sym.language.errors import SpecificationError

__all__ = [
    "RUNTIME",
    "Writer",
    "compilations",
    "compiled",
    "fill_fields",
    "kernel_source",
    "require_addressable",
]

_SIGNATURE = void(
    uint64, uint64, uint64, float64[:, ::1], float64[::1], int64[::1], float64[:, :, ::1]
)


@njit(nogil=True, error_model="numpy")
def _sign(x: Any) -> Any:
    return 1.0 if x > 0.0 else (-1.0 if x < 0.0 else x)


@njit(nogil=True, error_model="numpy")
def _heaviside(x: Any) -> Any:
    return 1.0 if x > 0.0 else (0.0 if x < 0.0 else 0.5 + x)


@njit(nogil=True, error_model="numpy")
def _sigmoid(x: Any) -> Any:
    decay = math.exp(-abs(x))
    return 1.0 / (1.0 + decay) if x >= 0.0 else decay / (1.0 + decay)


@njit(nogil=True, error_model="numpy")
def _fmax(a: Any, b: Any) -> Any:
    return a if a > b or a != a else b


@njit(nogil=True, error_model="numpy")
def _fmin(a: Any, b: Any) -> Any:
    return a if a < b or a != a else b


RUNTIME: dict[str, Any] = {
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "erf": math.erf,
    "erfc": math.erfc,
    "fabs": math.fabs,
    "pow": math.pow,
    "sign": _sign,
    "heaviside": _heaviside,
    "sigmoid": _sigmoid,
    "fmax": _fmax,
    "fmin": _fmin,
}
"""What the names of the scalar source mean: sign(0) = 0, heaviside(0) = 1/2, NaN passes through."""

_INTERNAL: dict[str, Any] = {
    "_np": np,
    "_range": range,
    "_float": float,
    "_min": min,
    "_max": max,
    "_fill_normals": fill_normals,
    "_fill_uniforms": fill_uniforms,
}

_kernels: dict[str, Callable[..., None]] = {}
_lock = threading.Lock()
_compiled = 0


def compilations() -> int:
    """Count the kernels compiled in this process."""
    return _compiled


def fill_fields(
    plan: Plan,
    X: NDArray[np.float64],
    *,
    key: tuple[int, int],
    start: int,
    values: NDArray[np.float64],
    widths: Sequence[int],
    out: NDArray[np.float64],
) -> None:
    """Fill ``out[i]`` with the fields of network ``start + i`` at the points.

    Parameters
    ----------
    plan : Plan
        The plan; its kernel is compiled at the first call in this process.
    X : ndarray, shape (n, d)
        Points, float64 and C-contiguous.
    key : tuple of two int
        Key of the run.
    start : int
        Index of the first network.
    values : ndarray, shape (p,)
        Values of ``plan.parameters`` in their order.
    widths : sequence of int
        Widths of the hidden layers.
    out : ndarray, shape (networks, n, D)
        Filled in place.

    Raises
    ------
    SpecificationError
        If a neuron would need more draws than can be addressed.
    """
    require_addressable(plan, X.shape[1], widths)
    kernel = compiled(plan.hash, lambda: kernel_source(plan), _SIGNATURE, {})
    shape = np.array(widths, dtype=np.int64)
    kernel(np.uint64(key[0]), np.uint64(key[1]), np.uint64(start), X, values, shape, out)


def require_addressable(plan: Plan, dimension: int, widths: Sequence[int]) -> None:
    """Refuse networks whose neurons need more draws than can be addressed.

    Raises
    ------
    SpecificationError
        If a neuron would.
    """
    fan_in = dimension
    for layer, width in zip(plan.layers, widths, strict=True):
        if isinstance(layer, Dense):
            events = fan_in if len(layer.weight.components) == 1 else 1
            if events * layer.weight.primitives >= 2**PRIMITIVE_BITS:
                raise SpecificationError(
                    expected=f"fewer than 2^{PRIMITIVE_BITS} draws for each neuron",
                    came=f"{events} x {layer.weight.primitives}",
                    remedy="reduce the width or the dimension",
                )
        fan_in = width


def compiled(
    name: str, source: Callable[[], str], signature: Any, helpers: Mapping[str, Any]
) -> Callable[..., None]:
    """Compile ``_kernel`` of a source once in this process, under a name that identifies it.

    Parameters
    ----------
    name : str
        Hash of the plan the source is written from.
    source : callable
        Writes the source, if it was not compiled before.
    signature : numba signature
        Types of the arguments.
    helpers : mapping
        What names the source uses beyond the runtime.
    """
    global _compiled
    with _lock:
        if name not in _kernels:
            namespace: dict[str, Any] = {**RUNTIME, **_INTERNAL, **helpers}
            code = compile(source(), f"<kernel of plan {name[:12]}>", "exec")
            exec(code, namespace)
            compiler = njit(signature, nogil=True, error_model="numpy")
            _kernels[name] = compiler(namespace["_kernel"])
            _compiled += 1
        return _kernels[name]


def kernel_source(plan: Plan) -> str:
    """Scalar Python source of the kernel of a plan.

    Names of the kernel start with an underscore, which no name of the language does, and the
    names of the runtime are reserved in the language: no name of a plan can meet either.
    """
    return "\n".join(Writer(plan).lines) + "\n"


class Writer:
    """Writes the kernel of one plan, line by line."""

    def __init__(self, plan: Plan) -> None:
        self.lines: list[str] = []
        self.depth = 0
        self.plan = plan
        self.kernel()

    def put(self, *lines: str) -> None:
        self.lines.extend("    " * self.depth + line for line in lines)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.put(head)
        self.depth += 1
        yield
        self.depth -= 1

    @contextmanager
    def each(self) -> Iterator[None]:
        """Loop over the neurons of the block and the points."""
        with self.block("for _lane in _range(_lanes):"), self.block("for _a in _range(_points):"):
            yield

    def kernel(self) -> None:
        plan = self.plan
        first = plan.layers[0]
        named = 1 if isinstance(first, Dense) else sum(len(draw.names) for draw in first.draws)
        primitives = max(recipe.primitives for recipe in recipes(plan))
        with self.block("def _kernel(_k0, _k1, _start, _X, _values, _widths, _out):"):
            self.put("_points = _X.shape[0]", "_dimension = _X.shape[1]")
            for position, name in enumerate(plan.parameters):
                self.put(f"{name} = _values[{position}]")
            self.put(f"_G = _np.empty(({max(1, primitives)}, {LANES}))")
            self.put(f"_T = _np.empty((_max(_dimension, {named}), {LANES}))")
            self.put(f"_B = _np.zeros({LANES})", f"_Z = _np.empty(({LANES}, _points))")
            for index in range(len(plan.layers) - 1):
                self.put(f"_H{index} = _np.empty((_widths[{index}], _points))")
            if isinstance(first, Dense) and first.locals:
                self.locals(first)
            with self.block("for _network in _range(_out.shape[0]):"):
                self.put("_number = _start + _np.uint64(_network)")
                self.put(
                    "_c2 = _number & _np.uint64(0xFFFFFFFF)", "_c3 = _number >> _np.uint64(32)"
                )
                self.put("_out[_network] = 0.0")
                for index, layer in enumerate(plan.layers):
                    self.layer(index, layer)
                self.output_biases()

    def locals(self, layer: Dense) -> None:
        self.put(f"_L = _np.empty(({len(layer.locals)}, _points))", "d = _float(_dimension)")
        with self.block("for _a in _range(_points):"):
            self.put("norm2 = 0.0")
            with self.block("for _j in _range(_dimension):"):
                self.put("norm2 += _X[_a, _j] * _X[_a, _j]")
            for position, (_, expression) in enumerate(layer.locals):
                self.put(f"_L[{position}, _a] = {scalar_source(expression)}")

    def layer(self, index: int, layer: Dense | Neurons) -> None:
        with self.block(f"for _block in _range((_widths[{index}] + {LANES - 1}) // {LANES}):"):
            self.put("_c0 = _np.uint64(_block)")
            self.put(f"_lanes = _min({LANES}, _widths[{index}] - {LANES} * _block)")
            if isinstance(layer, Neurons):
                self.neurons(layer)
            else:
                self.preactivation(index, layer)
                self.activation(layer)
            if index + 1 < len(self.plan.layers):
                with self.each():
                    self.put(f"_H{index}[{LANES} * _block + _lane, _a] = _Z[_lane, _a]")
            else:
                self.readout()

    def neurons(self, layer: Neurons) -> None:
        self.neuron_draws(layer)
        with self.block("for _lane in _range(_lanes):"):
            self.neuron_names(layer)
            with self.block("for _a in _range(_points):"):
                self.input_names(layer)
                self.put(f"_Z[_lane, _a] = {scalar_source(layer.neuron)}")

    def neuron_draws(self, layer: Neurons) -> None:
        """Draw the parameters of four neurons into ``_T``, one row for each name."""
        primitive = slot = 0
        for draw in layer.draws:
            width = len(draw.recipe.components)
            for _ in range(draw.events):
                slots = [f"_T[{slot + component}, _lane]" for component in range(width)]
                self.draw(draw.recipe, 0, str(primitive), slots)
                primitive += draw.recipe.primitives
                slot += width

    def neuron_names(self, layer: Neurons) -> None:
        names = [name for draw in layer.draws for name in draw.names]
        for position, name in enumerate(names):
            self.put(f"{name} = _T[{position}, _lane]")

    def input_names(self, layer: Neurons) -> None:
        for position, name in enumerate(layer.inputs):
            self.put(f"{name} = _X[_a, {position}]")

    def preactivation(self, index: int, layer: Dense) -> None:
        parameter, recipe = 2 * index, layer.weight
        fan_in = f"_widths[{index - 1}]" if index else "_dimension"
        self.put("_Z[:] = 0.0")
        if len(recipe.components) > 1:
            slots = [f"_T[{component}, _lane]" for component in range(len(recipe.components))]
            self.draw(recipe, parameter, "0", slots)
        with self.block(f"for _j in _range({fan_in}):"):
            row = "0" if index else "_j"
            if len(recipe.components) == 1:
                self.draw(recipe, parameter, f"_j * {recipe.primitives}", [f"_T[{row}, _lane]"])
            source = f"_H{index - 1}[_j, _a]" if index else "_X[_a, _j]"
            with self.block("for _lane in _range(_lanes):"):
                self.put(f"_weight = _T[{row}, _lane]")
                with self.block("for _a in _range(_points):"):
                    self.put(f"_Z[_lane, _a] += _weight * {source}")
        self.put(f"_scale = 1.0 / _np.sqrt(_float({fan_in}))")
        if layer.bias is not None:
            self.draw(layer.bias, parameter + 1, "0", ["_B[_lane]"])

    def activation(self, layer: Dense) -> None:
        bias = " + _B[_lane]" if layer.bias is not None else ""
        with self.each():
            self.put(f"z = _scale * _Z[_lane, _a]{bias}")
            for position, (name, _) in enumerate(layer.locals):
                self.put(f"{name} = _L[{position}, _a]")
            self.put(f"_Z[_lane, _a] = {scalar_source(layer.activation)}")

    def readout(self) -> None:
        primitive = 0
        for output, recipe in enumerate(self.plan.weights):
            self.draw(recipe, 2 * len(self.plan.layers), str(primitive), ["_B[_lane]"])
            primitive += recipe.primitives
            with self.each():
                self.put(f"_out[_network, _a, {output}] += _B[_lane] * _Z[_lane, _a]")

    def output_biases(self) -> None:
        self.put(f"_scale = 1.0 / _np.sqrt(_float(_widths[{len(self.plan.layers) - 1}]))")
        self.put("_c0 = _np.uint64(0)")
        primitive = 0
        for output, recipe in enumerate(self.plan.biases):
            shift = ""
            if recipe is not None:
                self.draw(recipe, 2 * len(self.plan.layers) + 1, str(primitive), ["_B[_lane]"])
                primitive += recipe.primitives
                shift = " + _B[0]"
            with self.block("for _a in _range(_points):"):
                target = f"_out[_network, _a, {output}]"
                self.put(f"{target} = {target} * _scale{shift}")

    def draw(self, recipe: DrawRecipe, parameter: int, primitive: str, slots: list[str]) -> None:
        """Draw one event for each of four neurons into ``slots``."""
        for position, name in enumerate(recipe.names):
            fill = "_fill_normals" if name.startswith("g_") else "_fill_uniforms"
            word = f"_np.uint64({parameter << PRIMITIVE_BITS} + {primitive} + {position})"
            self.put(f"{fill}(_c0, {word}, _c2, _c3, _k0, _k1, _G[{position}])")
        with self.block(f"for _lane in _range({LANES}):"):
            for position, name in enumerate(recipe.names):
                self.put(f"{name} = _G[{position}, _lane]")
            for slot, component in zip(slots, recipe.components, strict=True):
                self.put(f"{slot} = {scalar_source(component)}")
