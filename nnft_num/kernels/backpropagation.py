"""From the plan of a tangent kernel to a compiled kernel that fills Θ, network by network.

Each network is drawn once, from the same counters as for its fields, and kept: weights, neurons and
slopes of every layer.  The signals g = ∂f_j(x_a)/∂z then go backwards, one column for each field
c = a D + j, and no gradient is ever stored: the sum over the weights of a layer is a product of two
sums, over the neurons above and over those below.  Θ is written by its distinct entries c <= c' in
colexicographic order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import float64, int64, njit, uint64, void
from numpy.typing import NDArray

from nnft_num.kernels.double import Writer, compiled, require_addressable
from nnft_num.kernels.draws import LANES
from nnft_num.plans.gradients import DenseGradient, NeuronGradient, TangentPlan
from nnft_num.plans.layers import Dense, Neurons
from nnft_num.plans.plan import recipes
from nnft_sym.language import Expression, scalar_source

__all__ = ["fill_tangents", "tangent_source"]

_SIGNATURE = void(
    uint64, uint64, uint64, float64[:, ::1], float64[::1], int64[::1], float64[:, ::1]
)


@njit(nogil=True, error_model="numpy")
def _forward(weights: Any, below: Any, scale: float, out: Any) -> None:
    """Write scale W h."""
    for k in range(weights.shape[0]):
        for a in range(out.shape[1]):
            out[k, a] = 0.0
        for j in range(weights.shape[1]):
            weight = weights[k, j]
            for a in range(out.shape[1]):
                out[k, a] += weight * below[j, a]
        for a in range(out.shape[1]):
            out[k, a] *= scale


@njit(nogil=True, error_model="numpy")
def _backward(weights: Any, above: Any, scale: float, out: Any) -> None:
    """Write scale Wᵀ g."""
    out[:] = 0.0
    for k in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            weight = scale * weights[k, j]
            for c in range(out.shape[1]):
                out[j, c] += weight * above[k, c]


@njit(nogil=True, error_model="numpy")
def _steepen(slopes: Any, signals: Any) -> None:
    """Multiply signals by the slopes at their points."""
    points = slopes.shape[1]
    outputs = signals.shape[1] // points
    for k in range(len(signals)):
        for a in range(points):
            for j in range(outputs):
                signals[k, a * outputs + j] *= slopes[k, a]


@njit(nogil=True, error_model="numpy")
def _gram(rows: Any, out: Any) -> None:
    """Write sum_k r_ka r_kb for a >= b."""
    out[:] = 0.0
    for k in range(len(rows)):
        for a in range(rows.shape[1]):
            value = rows[k, a]
            for b in range(a + 1):
                out[a, b] += value * rows[k, b]


@njit(nogil=True, error_model="numpy")
def _add_layer(
    signals: Any, gram: Any, inputs: Any, weight: float, bias: float, theta: Any
) -> None:
    """Add what the parameters of a dense layer contribute."""
    fields = signals.shape[1]
    outputs = fields // inputs.shape[1]
    _gram(signals, gram)
    entry = 0
    for c in range(fields):
        for e in range(c + 1):
            theta[entry] += gram[c, e] * (weight * inputs[c // outputs, e // outputs] + bias)
            entry += 1


@njit(nogil=True, error_model="numpy")
def _add_neurons(signals: Any, gradients: Any, squares: Any, inputs: Any, theta: Any) -> None:
    """Add what the parameters of neurons h(x; θ) contribute, neuron by neuron."""
    fields, points = signals.shape[1], gradients.shape[2]
    outputs = fields // points
    for k in range(len(signals)):
        for a in range(points):
            for b in range(a + 1):
                total = 0.0
                for p in range(len(squares)):
                    total += squares[p] * gradients[k, p, a] * gradients[k, p, b]
                inputs[a, b] = total
        entry = 0
        for c in range(fields):
            for e in range(c + 1):
                theta[entry] += signals[k, c] * signals[k, e] * inputs[c // outputs, e // outputs]
                entry += 1


@njit(nogil=True, error_model="numpy")
def _add_readout(inputs: Any, weights: Any, biases: Any, theta: Any) -> None:
    """Add what the readout contributes, output by output."""
    outputs = len(weights)
    entry = 0
    for c in range(outputs * inputs.shape[1]):
        for e in range(c + 1):
            j = c % outputs
            if j == e % outputs:
                theta[entry] += weights[j] * inputs[c // outputs, e // outputs] + biases[j]
            entry += 1


_HELPERS: dict[str, Any] = {
    "_forward": _forward,
    "_backward": _backward,
    "_steepen": _steepen,
    "_gram": _gram,
    "_add_layer": _add_layer,
    "_add_neurons": _add_neurons,
    "_add_readout": _add_readout,
}


def fill_tangents(
    plan: TangentPlan,
    X: NDArray[np.float64],
    *,
    key: tuple[int, int],
    start: int,
    values: NDArray[np.float64],
    widths: Sequence[int],
    out: NDArray[np.float64],
) -> None:
    """Fill ``out[i]`` with the distinct entries of Θ of network ``start + i`` at the points.

    Parameters
    ----------
    plan : TangentPlan
        The plan; its kernel is compiled at the first call in this process.
    X, key, start, values, widths
        As for ``fill_fields``.
    out : ndarray, shape (networks, m (m + 1)/2)
        Filled in place; m = n D fields.

    Raises
    ------
    SpecificationError
        If a neuron would need more draws than can be addressed.
    """
    require_addressable(plan.network, X.shape[1], widths)
    kernel = compiled(plan.hash, lambda: tangent_source(plan), _SIGNATURE, _HELPERS)
    shape = np.array(widths, dtype=np.int64)
    kernel(np.uint64(key[0]), np.uint64(key[1]), np.uint64(start), X, values, shape, out)


def tangent_source(plan: TangentPlan) -> str:
    """Scalar Python source of the kernel of a plan."""
    return "\n".join(_TangentWriter(plan).lines) + "\n"


class _TangentWriter(Writer):
    """Writes the kernel of the plan of a tangent kernel.

    For hidden layer l: _W weights, _B biases, _H neurons, _P slopes, _E signals, _S sums over the
    neurons of h_a h_b, _V the factor s_W²/fan_in and _U the square s_b².
    """

    def __init__(self, plan: TangentPlan) -> None:
        self.tangent = plan
        super().__init__(plan.network)

    def kernel(self) -> None:
        plan, last = self.plan, len(self.plan.layers) - 1
        primitives = max(recipe.primitives for recipe in recipes(plan))
        with self.block("def _kernel(_k0, _k1, _start, _X, _values, _widths, _out):"):
            self.put("_points = _X.shape[0]", "_dimension = _X.shape[1]")
            self.put(f"_fields = {plan.outputs} * _points")
            for position, name in enumerate(plan.parameters):
                self.put(f"{name} = _values[{position}]")
            self.put(f"_G = _np.empty(({max(1, primitives)}, {LANES}))")
            self.put(f"_B = _np.zeros({LANES})", "_gram_of_fields = _np.empty((_fields, _fields))")
            for index, layer in enumerate(plan.layers):
                self.memory(index, layer)
            self.scales()
            with self.block("for _network in _range(_out.shape[0]):"):
                self.put("_number = _start + _np.uint64(_network)")
                self.put(
                    "_c2 = _number & _np.uint64(0xFFFFFFFF)", "_c3 = _number >> _np.uint64(32)"
                )
                self.put("_theta = _out[_network]", "_theta[:] = 0.0")
                for index, layer in enumerate(plan.layers):
                    self.upwards(index, layer)
                self.readout_weights()
                self.put(f"_add_readout(_S{last}, _readout_weights, _readout_biases, _theta)")
                for index in range(last, -1, -1):
                    self.downwards(index)

    def memory(self, index: int, layer: Dense | Neurons) -> None:
        """Arrays of a layer, and what is the same for all networks."""
        width = f"_widths[{index}]"
        for name in ("_H", "_P"):
            self.put(f"{name}{index} = _np.empty(({width}, _points))")
        self.put(f"_E{index} = _np.empty(({width}, _fields))")
        self.put(f"_S{index} = _np.empty((_points, _points))")
        if isinstance(layer, Neurons):
            named = sum(len(draw.names) for draw in layer.draws)
            self.put(f"_T = _np.empty(({max(1, named)}, {LANES}))")
            self.put(f"_Q = _np.empty(({width}, {named}, _points))")
            self.put("_inputs = _np.empty((_points, _points))")
            return
        fan_in = f"_widths[{index - 1}]" if index else "_dimension"
        self.put(f"_W{index} = _np.empty(({width}, {fan_in}))")
        self.put(f"_F{index} = 1.0 / _np.sqrt(_float({fan_in}))")
        if not index:
            self.put(f"_T = _np.empty(({max(1, len(layer.weight.components))}, {LANES}))")
            self.put("_XT = _X.T.copy()", "_S = _np.empty((_points, _points))", "_gram(_XT, _S)")
            if layer.locals:
                self.locals(layer)

    def scales(self) -> None:
        """Squares of the scales of all parameters, over fan_in for weights."""
        for index, part in enumerate(self.tangent.layers):
            if isinstance(part, NeuronGradient):
                self.put(f"_squares = _np.zeros({len(part.squares)})")
                for position, square in enumerate(part.squares):
                    self.put(f"_squares[{position}] = {scalar_source(square)}")
            else:
                fan_in = f"_widths[{index - 1}]" if index else "_dimension"
                self.put(f"_V{index} = {_over(part.weight, fan_in)}")
                self.put(f"_U{index} = {_source(part.bias)}")
        outputs, last = self.plan.outputs, len(self.plan.layers) - 1
        self.put(f"_readout_scale = 1.0 / _np.sqrt(_float(_widths[{last}]))")
        for name in ("weights", "biases"):
            self.put(f"_readout_{name} = _np.empty({outputs})")
        for j, (weight, bias) in enumerate(
            zip(self.tangent.weights, self.tangent.biases, strict=True)
        ):
            self.put(f"_readout_weights[{j}] = {_over(weight, f'_widths[{last}]')}")
            self.put(f"_readout_biases[{j}] = {_source(bias)}")

    def upwards(self, index: int, layer: Dense | Neurons) -> None:
        """Draw a layer; neurons and their slopes."""
        with self.block(f"for _block in _range((_widths[{index}] + {LANES - 1}) // {LANES}):"):
            self.put("_c0 = _np.uint64(_block)", f"_row = {LANES} * _block")
            self.put(f"_lanes = _min({LANES}, _widths[{index}] - _row)")
            if isinstance(layer, Neurons):
                self.differentiated(layer)
            else:
                self.weights(index, layer)
        if isinstance(layer, Dense):
            self.activated(index, layer)
        self.put(f"_gram(_H{index}, _S{index})")

    def differentiated(self, layer: Neurons) -> None:
        part = self.tangent.layers[0]
        assert isinstance(part, NeuronGradient)
        self.neuron_draws(layer)
        with self.block("for _lane in _range(_lanes):"):
            self.neuron_names(layer)
            with self.block("for _a in _range(_points):"):
                self.input_names(layer)
                self.put(f"_H0[_row + _lane, _a] = {scalar_source(layer.neuron)}")
                for p, gradient in enumerate(part.gradients):
                    self.put(f"_Q[_row + _lane, {p}, _a] = {scalar_source(gradient)}")

    def weights(self, index: int, layer: Dense) -> None:
        """Draw the rows of four neurons; biases go where slopes will be."""
        recipe, parameter = layer.weight, 2 * index
        rows = range(len(recipe.components))
        if len(rows) > 1:
            self.draw(recipe, parameter, "0", [f"_T[{row}, _lane]" for row in rows])
            with self.block("for _lane in _range(_lanes):"):
                for row in rows:
                    self.put(f"_W{index}[_row + _lane, {row}] = _T[{row}, _lane]")
        else:
            fan_in = f"_widths[{index - 1}]" if index else "_dimension"
            with self.block(f"for _j in _range({fan_in}):"):
                self.draw(recipe, parameter, f"_j * {recipe.primitives}", ["_B[_lane]"])
                with self.block("for _lane in _range(_lanes):"):
                    self.put(f"_W{index}[_row + _lane, _j] = _B[_lane]")
        if layer.bias is not None:
            self.draw(layer.bias, parameter + 1, "0", ["_B[_lane]"])
            with self.block("for _lane in _range(_lanes):"):
                self.put(f"_P{index}[_row + _lane, 0] = _B[_lane]")

    def activated(self, index: int, layer: Dense) -> None:
        part = self.tangent.layers[index]
        assert isinstance(part, DenseGradient)
        below = f"_H{index - 1}" if index else "_XT"
        self.put(f"_forward(_W{index}, {below}, _F{index}, _H{index})")
        with self.block(f"for _k in _range(_widths[{index}]):"):
            self.put(f"_shift = _P{index}[_k, 0]" if layer.bias is not None else "_shift = 0.0")
            with self.block("for _a in _range(_points):"):
                self.put(f"z = _H{index}[_k, _a] + _shift")
                for position, (name, _) in enumerate(layer.locals):
                    self.put(f"{name} = _L[{position}, _a]")
                self.put(f"_H{index}[_k, _a] = {scalar_source(layer.activation)}")
                self.put(f"_P{index}[_k, _a] = {scalar_source(part.slope)}")

    def readout_weights(self) -> None:
        """Draw the readout, and start the signals ∂f_j/∂h = a_j/√n_L."""
        last, primitive, outputs = len(self.plan.layers) - 1, 0, self.plan.outputs
        with self.block(f"for _block in _range((_widths[{last}] + {LANES - 1}) // {LANES}):"):
            self.put("_c0 = _np.uint64(_block)", f"_row = {LANES} * _block")
            self.put(f"_lanes = _min({LANES}, _widths[{last}] - _row)")
            for j, recipe in enumerate(self.plan.weights):
                self.draw(recipe, 2 * len(self.plan.layers), str(primitive), ["_B[_lane]"])
                primitive += recipe.primitives
                with self.block("for _lane in _range(_lanes):"):
                    self.put("_weight = _readout_scale * _B[_lane]")
                    with self.block("for _a in _range(_points):"):
                        self.put(f"_E{last}[_row + _lane, _a * {outputs} + {j}] = _weight")

    def downwards(self, index: int) -> None:
        """Signals of a layer from those above it, and what its parameters contribute."""
        if index + 1 < len(self.plan.layers):
            above = index + 1
            self.put(f"_backward(_W{above}, _E{above}, _F{above}, _E{index})")
        if isinstance(self.plan.layers[index], Neurons):
            self.put(f"_add_neurons(_E{index}, _Q, _squares, _inputs, _theta)")
            return
        inputs = f"_S{index - 1}" if index else "_S"
        self.put(f"_steepen(_P{index}, _E{index})")
        self.put(f"_add_layer(_E{index}, _gram_of_fields, {inputs}, _V{index}, _U{index}, _theta)")


def _source(square: Expression | None) -> str:
    return "0.0" if square is None else scalar_source(square)


def _over(square: Expression | None, fan_in: str) -> str:
    """s_W²/fan_in; 1 for gradients in the entries W/√fan_in."""
    return "1.0" if square is None else f"({scalar_source(square)}) / _float({fan_in})"
