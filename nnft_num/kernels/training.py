"""From the plan of a tangent kernel to a compiled kernel that trains networks, one after another.

A step takes a batch of examples forwards, the signals ∂loss/∂z backwards, and moves the parameters
of the network along the gradient.  With signals g of a dense layer with inputs h,

    ∂loss/∂W_kj = sum_a g_ka h_ja/√fan_in,    ∂loss/∂b_k = sum_a g_ka.

What is trained are parameters θ of scale s (``gradients``): W = s θ + constant, so that ∂loss/∂θ is
s times the gradient in W, and W moves by s times the step of θ.  Losses over a batch of B examples:

    mean squared error  sum_a |f(x_a) - y_a|²/2B,     ∂/∂f = (f - y)/B,
    cross entropy       -sum_a y_a·log softmax f(x_a)/B,    ∂/∂f = (|y|₁ softmax f - y)/B.

Batches are drawn from counters of their own, network by network: nothing depends on threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import float64, int64, njit, uint64, void
from numpy.typing import NDArray

from nnft_num.kernels.double import Writer, compiled
from nnft_num.kernels.draws import LANES, PRIMITIVE_BITS, fill_uniforms
from nnft_num.kernels.parameters import write_views
from nnft_num.plans.gradients import DenseGradient, NeuronGradient, TangentPlan
from nnft_num.plans.layers import Neurons
from nnft_num.plans.optimisers import Optimiser
from nnft_sym.language import Expression, scalar_source

__all__ = ["LOSSES", "Task", "train_networks"]

LOSSES = ("mse", "cross_entropy")
"""Losses by the numbers the kernel knows them by."""

_SIGNATURE = void(
    uint64, uint64, uint64,
    float64[:, ::1], float64[:, ::1], int64, int64[::1],
    float64[::1], int64[::1], int64, float64[::1], int64,
    float64[:, ::1], float64[:, :, :, ::1], float64[:, ::1],
)  # fmt: skip

_SUMS = {"reassoc", "contract", "nsz"}
"""Freedom of sums alone: they may be taken in vectors."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """What networks are trained on, and how.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Examples.
    Y : ndarray, shape (n, D)
        Targets.
    at : ndarray, shape (m, d)
        Points the fields are looked at.
    times : tuple of int
        Numbers of steps after which they are, sorted; the last one ends the training.
    optimiser : Optimiser
        How parameters move.
    loss : str
        Out of ``LOSSES``.
    """

    X: NDArray[np.float64]
    Y: NDArray[np.float64]
    at: NDArray[np.float64]
    times: tuple[int, ...]
    optimiser: Optimiser
    loss: str


@njit(nogil=True, error_model="numpy", fastmath=_SUMS)
def _apply(inputs: Any, weights: Any, scale: float, rows: int, out: Any) -> None:
    """Write scale W h for each row h."""
    for a in range(rows):
        for k in range(weights.shape[0]):
            total = 0.0
            for j in range(weights.shape[1]):
                total += weights[k, j] * inputs[a, j]
            out[a, k] = scale * total


@njit(nogil=True, error_model="numpy", fastmath=_SUMS)
def _collect(signals: Any, inputs: Any, scale: float, rows: int, out: Any) -> None:
    """Write scale sum_a g_ka h_ja."""
    for k in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[k, j] = 0.0
        for a in range(rows):
            signal = scale * signals[a, k]
            for j in range(out.shape[1]):
                out[k, j] += signal * inputs[a, j]


@njit(nogil=True, error_model="numpy", fastmath=_SUMS)
def _sum(signals: Any, rows: int, out: Any) -> None:
    """Write sum_a g_ka."""
    for k in range(len(out)):
        out[k] = 0.0
        for a in range(rows):
            out[k] += signals[a, k]


@njit(nogil=True, error_model="numpy", fastmath=_SUMS)
def _return(signals: Any, weights: Any, scale: float, rows: int, out: Any) -> None:
    """Write scale Wᵀ g for each row g."""
    for a in range(rows):
        for j in range(weights.shape[1]):
            out[a, j] = 0.0
        for k in range(weights.shape[0]):
            signal = scale * signals[a, k]
            for j in range(weights.shape[1]):
                out[a, j] += signal * weights[k, j]


@njit(nogil=True, error_model="numpy")
def _compare(fields: Any, targets: Any, chosen: Any, rows: int, loss: int, signals: Any) -> float:
    """Write ∂loss/∂f, and give the loss."""
    total = 0.0
    outputs = fields.shape[1]
    for a in range(rows):
        target = targets[chosen[a]]
        if loss == 0:
            for j in range(outputs):
                signals[a, j] = fields[a, j] - target[j]
                total += 0.5 * signals[a, j] ** 2
        else:
            largest = fields[a, 0]
            for j in range(outputs):
                largest = max(largest, fields[a, j])
            norm = 0.0
            for j in range(outputs):
                norm += math.exp(fields[a, j] - largest)
            weight = 0.0
            for j in range(outputs):
                weight += target[j]
                total -= target[j] * (fields[a, j] - largest - math.log(norm))
            for j in range(outputs):
                share = math.exp(fields[a, j] - largest) / norm
                signals[a, j] = weight * share - target[j]
        for j in range(outputs):
            signals[a, j] /= rows
    return total / rows


@njit(nogil=True, error_model="numpy")
def _shuffle(order: Any, word: Any, c2: Any, c3: Any, k0: Any, k1: Any, four: Any) -> None:
    """Write a random order of 0..n-1, by exchanges from the last place to the first."""
    count = len(order)
    for place in range(count):
        order[place] = place
    for step in range(count - 1):
        if step % 4 == 0:
            fill_uniforms(np.uint64(step // 4), word, c2, c3, k0, k1, four)
        place = count - 1 - step
        other = int(four[step % 4] * (place + 1))
        order[place], order[other] = order[other], order[place]


@njit(nogil=True, error_model="numpy")
def _move(
    row: Any,
    gradient: Any,
    scales: Any,
    first: Any,
    second: Any,
    step: int,
    code: int,
    numbers: Any,
) -> None:
    """Move the parameters by one step of the optimiser."""
    rate = numbers[0]
    if code == 0:
        for p in range(len(row)):
            row[p] -= rate * scales[p] ** 2 * gradient[p]
        return
    beta1, beta2, epsilon = numbers[1], numbers[2], numbers[3]
    seen1, seen2 = 1.0 - beta1 ** (step + 1), 1.0 - beta2 ** (step + 1)
    for p in range(len(row)):
        own = scales[p] * gradient[p]
        first[p] = beta1 * first[p] + (1.0 - beta1) * own
        second[p] = beta2 * second[p] + (1.0 - beta2) * own * own
        row[p] -= scales[p] * rate * (first[p] / seen1) / (math.sqrt(second[p] / seen2) + epsilon)


@njit(nogil=True, error_model="numpy")
def _gather(points: Any, chosen: Any, rows: int, out: Any) -> None:
    """Write the chosen points."""
    for a in range(rows):
        for j in range(points.shape[1]):
            out[a, j] = points[chosen[a], j]


@njit(nogil=True, error_model="numpy")
def _shift(fields: Any, biases: Any, rows: int) -> None:
    """Add the biases of the outputs."""
    for a in range(rows):
        for j in range(len(biases)):
            fields[a, j] += biases[j]


@njit(nogil=True, error_model="numpy")
def _keep(fields: Any, network: int, record: int, out: Any) -> None:
    """Copy fields at the points."""
    for a in range(out.shape[2]):
        for j in range(out.shape[3]):
            out[network, record, a, j] = fields[a, j]


@njit(nogil=True, error_model="numpy")
def _set(out: Any, value: float) -> None:
    """Fill a row."""
    for p in range(len(out)):
        out[p] = value


_HELPERS: dict[str, Any] = {
    "_gather": _gather,
    "_shift": _shift,
    "_keep": _keep,
    "_set": _set,
    "_apply": _apply,
    "_collect": _collect,
    "_sum": _sum,
    "_return": _return,
    "_compare": _compare,
    "_shuffle": _shuffle,
    "_move": _move,
}


def train_networks(
    plan: TangentPlan,
    task: Task,
    *,
    key: tuple[int, int],
    start: int,
    values: NDArray[np.float64],
    widths: Sequence[int],
    table: NDArray[np.float64],
    fields: NDArray[np.float64],
    losses: NDArray[np.float64],
) -> None:
    """Train networks ``start``, ``start + 1``, ... from the parameters given.

    Parameters
    ----------
    plan : TangentPlan
        The networks and what their gradients are taken in; compiled at the first call.
    task : Task
        Data, times and optimiser.
    key, start, values, widths
        As for ``fill_tangents``; the key is that of the batches.
    table : ndarray, shape (networks, parameters of one network)
        Parameters at the beginning, and then at the end.
    fields : ndarray, shape (networks, times, m, D)
        Filled with the fields at the points at the times.
    losses : ndarray, shape (networks, times)
        Filled with the loss over all examples at the times.
    """
    kernel = compiled(
        f"training {plan.hash}",
        lambda: "\n".join(_TrainingWriter(plan).lines) + "\n",
        _SIGNATURE,
        _HELPERS,
    )
    kernel(
        np.uint64(key[0]),
        np.uint64(key[1]),
        np.uint64(start),
        np.concatenate([task.X, task.at]),
        task.Y,
        task.optimiser.batch_of(len(task.X)),
        np.array(task.times, dtype=np.int64),
        values,
        np.array(widths, dtype=np.int64),
        task.optimiser.code,
        task.optimiser.numbers,
        LOSSES.index(task.loss),
        table,
        fields,
        losses,
    )


_ARGUMENTS = (
    "_k0, _k1, _start, _X, _Y, _batch, _times, _values, _widths, _code, _numbers, _loss, "
    "_table, _fields, _losses"
)


class _TrainingWriter(Writer):
    """Writes the kernel that trains networks of a plan.

    For hidden layer l: _pWl, _pBl its parameters, _gWl, _gBl gradients in them, _Hl neurons, _Sl
    slopes, _El signals, one row for each example; _I the inputs.  A step has three passes: the
    fields at the points (0), the loss over all examples (1) and the batch that is trained on (2).
    """

    def __init__(self, plan: TangentPlan) -> None:
        self.tangent = plan
        super().__init__(plan.network)

    def kernel(self) -> None:
        with self.block(f"def _kernel({_ARGUMENTS}):"):
            self.memory()
            with self.block("for _network in _range(_table.shape[0]):"):
                self.put("_number = _start + _np.uint64(_network)", "_row = _table[_network]")
                self.put(
                    "_c2 = _number & _np.uint64(0xFFFFFFFF)", "_c3 = _number >> _np.uint64(32)"
                )
                self.put("_set(_first, 0.0)", "_set(_second, 0.0)")
                self.put("_place = _examples", "_epoch = 0", "_record = 0")
                write_views(self, "_row", "_p")
                with self.block("for _step in _range(_times[-1] + 1):"):
                    self.put("_recorded = _times[_record] == _step")
                    with self.block("for _pass in _range(3):"):
                        self.chosen()
                        self.forwards()
                        self.put("_value = 0.0")
                        with self.block("if _pass > 0:"):
                            self.put("_value = _compare(_O, _Y, _chosen, _rows, _loss, _D)")
                        self.records()
                        with self.block("if _pass == 2:"):
                            self.backwards()
                            self.put(
                                "_move(_row, _gradient, _scales, _first, _second, _step, _code, "
                                "_numbers)"
                            )

    def memory(self) -> None:
        """Arrays, and what is the same for all networks and steps."""
        plan = self.plan
        self.put("_points = _X.shape[0]", "_dimension = _X.shape[1]", "_examples = _Y.shape[0]")
        self.put("_most = _max(_examples, _points - _examples)")
        for position, name in enumerate(plan.parameters):
            self.put(f"{name} = _values[{position}]")
        self.put("_I = _np.empty((_most, _dimension))")
        self.put("_chosen = _np.empty(_most, dtype=_np.int64)")
        self.put("_order = _np.arange(_examples)", f"_four = _np.empty({LANES})")
        for index, layer in enumerate(plan.layers):
            width = f"_widths[{index}]"
            for name in "HSE":
                self.put(f"_{name}{index} = _np.empty((_most, {width}))")
            if isinstance(layer, Neurons):
                named = sum(len(draw.names) for draw in layer.draws)
                self.put(f"_Q = _np.empty((_most, {width}, {named}))")
            else:
                fan_in = f"_widths[{index - 1}]" if index else "_dimension"
                self.put(f"_F{index} = 1.0 / _np.sqrt(_float({fan_in}))")
                if layer.locals:
                    self.locals(layer)
        self.put(f"_F = 1.0 / _np.sqrt(_float(_widths[{len(plan.layers) - 1}]))")
        self.put(f"_O = _np.empty((_most, {plan.outputs}))")
        self.put(f"_D = _np.empty((_most, {plan.outputs}))")
        for name in ("gradient", "scales", "first", "second"):
            self.put(f"_{name} = _np.zeros(_table.shape[1])")
        write_views(self, "_gradient", "_g")
        write_views(self, "_scales", "_s")
        self.scales()

    def scales(self) -> None:
        """Scales s of all parameters."""
        for index, part in enumerate(self.tangent.layers):
            if isinstance(part, NeuronGradient):
                for position, square in enumerate(part.squares):
                    self.put(f"_sW{index}[:, {position}] = _np.sqrt({scalar_source(square)})")
            else:
                fan_in = f"_widths[{index - 1}]" if index else "_dimension"
                self.put(f"_set(_sW{index}.ravel(), _np.sqrt({_square(part.weight, fan_in)}))")
                if part.bias is not None:
                    self.put(f"_set(_sB{index}, _np.sqrt({scalar_source(part.bias)}))")
        for output, (weight, bias) in enumerate(
            zip(self.tangent.weights, self.tangent.biases, strict=True)
        ):
            own = _square(weight, f"_widths[{len(self.plan.layers) - 1}]")
            self.put(f"_set(_sa[{output}], _np.sqrt({own}))")
            if bias is not None:
                self.put(f"_sc[{output}] = _np.sqrt({scalar_source(bias)})")

    def chosen(self) -> None:
        """Choose the rows of a pass, or leave it out."""
        with self.block("if _pass < 2:"):
            with self.block("if not _recorded:"):
                self.put("continue")
            self.put("_rows = _points - _examples if _pass == 0 else _examples")
            with self.block("for _a in _range(_rows):"):
                self.put("_chosen[_a] = _a + (_examples if _pass == 0 else 0)")
        with self.block("else:"):
            with self.block("if _step == _times[-1]:"):
                self.put("break")
            self.put("_rows = _batch")
            with self.block("if _batch < _examples and _place + _batch > _examples:"):
                word = (2 * len(self.plan.layers) + 2) << PRIMITIVE_BITS
                self.put(f"_word = _np.uint64({word} + _epoch)")
                self.put("_shuffle(_order, _word, _c2, _c3, _k0, _k1, _four)")
                self.put("_epoch += 1", "_place = 0")
            self.put("_begin = _place if _batch < _examples else 0")
            with self.block("for _a in _range(_rows):"):
                self.put("_chosen[_a] = _order[_begin + _a]")
            self.put("_place += _batch")
        self.put("_gather(_X, _chosen, _rows, _I)")

    def forwards(self) -> None:
        """Neurons, slopes and fields of the chosen rows."""
        for index, layer in enumerate(self.plan.layers):
            if isinstance(layer, Neurons):
                self.neurons_forwards(layer)
                continue
            below = f"_H{index - 1}" if index else "_I"
            self.put(f"_apply({below}, _pW{index}, _F{index}, _rows, _H{index})")
            part = self.tangent.layers[index]
            assert isinstance(part, DenseGradient)
            with self.over(index):
                shift = f" + _pB{index}[_k]" if layer.bias is not None else ""
                self.put(f"z = _H{index}[_a, _k]{shift}")
                for position, (name, _) in enumerate(layer.locals):
                    self.put(f"{name} = _L[{position}, _chosen[_a]]")
                self.put(f"_H{index}[_a, _k] = {scalar_source(layer.activation)}")
                self.put(f"_S{index}[_a, _k] = {scalar_source(part.slope)}")
        last = len(self.plan.layers) - 1
        self.put(f"_apply(_H{last}, _pa, _F, _rows, _O)")
        self.put("_shift(_O, _pc, _rows)")

    def neurons_forwards(self, layer: Neurons) -> None:
        part = self.tangent.layers[0]
        assert isinstance(part, NeuronGradient)
        names = [name for draw in layer.draws for name in draw.names]
        with self.over(0):
            for position, name in enumerate(names):
                self.put(f"{name} = _pW0[_k, {position}]")
            for position, name in enumerate(layer.inputs):
                self.put(f"{name} = _I[_a, {position}]")
            self.put(f"_H0[_a, _k] = {scalar_source(layer.neuron)}")
            for position, gradient in enumerate(part.gradients):
                self.put(f"_Q[_a, _k, {position}] = {scalar_source(gradient)}")

    @contextmanager
    def over(self, index: int) -> Iterator[None]:
        """Loop over the chosen rows and the neurons of a layer."""
        rows, neurons = "for _a in _range(_rows):", f"for _k in _range(_widths[{index}]):"
        with self.block(rows), self.block(neurons):
            yield

    def records(self) -> None:
        """Keep fields and losses."""
        with self.block("if _pass == 0:"):
            self.put("_keep(_O, _network, _record, _fields)")
        with self.block("elif _pass == 1:"):
            self.put("_losses[_network, _record] = _value", "_record += 1")

    def backwards(self) -> None:
        """Gradient of the loss in all parameters."""
        last = len(self.plan.layers) - 1
        self.put(f"_collect(_D, _H{last}, _F, _rows, _ga)", "_sum(_D, _rows, _gc)")
        self.put(f"_return(_D, _pa, _F, _rows, _E{last})")
        for index in range(last, -1, -1):
            layer = self.plan.layers[index]
            if isinstance(layer, Neurons):
                self.put("_set(_gW0.ravel(), 0.0)")
                with self.over(0), self.block("for _p in _range(_gW0.shape[1]):"):
                    self.put("_gW0[_k, _p] += _E0[_a, _k] * _Q[_a, _k, _p]")
                continue
            with self.over(index):
                self.put(f"_E{index}[_a, _k] *= _S{index}[_a, _k]")
            below = f"_H{index - 1}" if index else "_I"
            self.put(f"_collect(_E{index}, {below}, _F{index}, _rows, _gW{index})")
            if layer.bias is not None:
                self.put(f"_sum(_E{index}, _rows, _gB{index})")
            if index:
                below = f"_E{index - 1}"
                self.put(f"_return(_E{index}, _pW{index}, _F{index}, _rows, {below})")


def _square(square: Expression | None, fan_in: str) -> str:
    """s² of a weight; fan_in for gradients in the entries W/√fan_in."""
    return f"_float({fan_in})" if square is None else scalar_source(square)
