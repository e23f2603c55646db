"""Drawing all parameters of networks into rows, from the same counters as for their fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numba import float64, int64, uint64, void
from numpy.typing import NDArray

from nnft_num.kernels.double import Writer, compiled, require_addressable
from nnft_num.kernels.draws import LANES
from nnft_num.plans.layers import Dense, Neurons
from nnft_num.plans.plan import Plan, recipes

__all__ = ["fill_parameters", "write_views"]

_SIGNATURE = void(uint64, uint64, uint64, int64, float64[::1], int64[::1], float64[:, ::1])


def fill_parameters(
    plan: Plan,
    *,
    dimension: int,
    key: tuple[int, int],
    start: int,
    values: NDArray[np.float64],
    widths: Sequence[int],
    out: NDArray[np.float64],
) -> None:
    """Fill ``out[i]`` with the parameters of network ``start + i``, as ``block_shapes`` cuts them.

    Parameters
    ----------
    plan : Plan
        The network; its kernel is compiled at the first call in this process.
    dimension : int
        d: dimension of the inputs.
    key, start, values, widths
        As for ``fill_fields``.
    out : ndarray, shape (networks, parameters of one network)
        Filled in place.

    Raises
    ------
    SpecificationError
        If a neuron would need more draws than can be addressed.
    """
    require_addressable(plan, dimension, widths)
    kernel = compiled(
        f"parameters {plan.hash}", lambda: "\n".join(_DrawWriter(plan).lines) + "\n", _SIGNATURE, {}
    )
    shape = np.array(widths, dtype=np.int64)
    words = np.uint64(key[0]), np.uint64(key[1]), np.uint64(start)
    kernel(*words, dimension, values, shape, out)


def write_views(writer: Writer, row: str, prefix: str) -> None:
    """Write the blocks of a row as arrays named by the prefix: ``<prefix>W0``, ``<prefix>a``."""
    writer.put("_offset = 0")
    fan_in = "_dimension"
    for index, layer in enumerate(writer.plan.layers):
        width = f"_widths[{index}]"
        if isinstance(layer, Neurons):
            named = sum(len(draw.names) for draw in layer.draws)
            _view(writer, row, f"{prefix}W{index}", (width, str(named)))
        else:
            _view(writer, row, f"{prefix}W{index}", (width, fan_in))
            if layer.bias is not None:
                _view(writer, row, f"{prefix}B{index}", (width,))
        fan_in = width
    outputs = str(writer.plan.outputs)
    _view(writer, row, f"{prefix}a", (outputs, fan_in))
    _view(writer, row, f"{prefix}c", (outputs,))


def _view(writer: Writer, row: str, name: str, shape: tuple[str, ...]) -> None:
    size = " * ".join(shape)
    shaped = f".reshape(({', '.join(shape)}))" if len(shape) > 1 else ""
    writer.put(f"{name} = {row}[_offset : _offset + {size}]{shaped}", f"_offset += {size}")


class _DrawWriter(Writer):
    """Writes the kernel that draws; the blocks of a network are views of its row."""

    def kernel(self) -> None:
        plan = self.plan
        primitives = max(1, *(recipe.primitives for recipe in recipes(plan)))
        with self.block("def _kernel(_k0, _k1, _start, _dimension, _values, _widths, _out):"):
            for position, name in enumerate(plan.parameters):
                self.put(f"{name} = _values[{position}]")
            self.put(f"_G = _np.empty(({primitives}, {LANES}))", f"_B = _np.empty({LANES})")
            self.put(f"_T = _np.empty(({_rows(plan.layers[0])}, {LANES}))")
            with self.block("for _network in _range(_out.shape[0]):"):
                self.put("_number = _start + _np.uint64(_network)")
                self.put(
                    "_c2 = _number & _np.uint64(0xFFFFFFFF)", "_c3 = _number >> _np.uint64(32)"
                )
                write_views(self, "_out[_network]", "_")
                for index, layer in enumerate(plan.layers):
                    with self.neurons_of(index):
                        if isinstance(layer, Neurons):
                            self.neuron_draws(layer)
                            self.rows(index, _rows(layer))
                        else:
                            self.dense(index, layer)
                self.readouts()

    @contextmanager
    def neurons_of(self, index: int) -> Iterator[None]:
        """Loop over a layer, four neurons at a time."""
        with self.block(f"for _block in _range((_widths[{index}] + {LANES - 1}) // {LANES}):"):
            self.put("_c0 = _np.uint64(_block)", f"_row = {LANES} * _block")
            self.put(f"_lanes = _min({LANES}, _widths[{index}] - _row)")
            yield

    def rows(self, index: int, count: int) -> None:
        with self.block("for _lane in _range(_lanes):"):
            for column in range(count):
                self.put(f"_W{index}[_row + _lane, {column}] = _T[{column}, _lane]")

    def dense(self, index: int, layer: Dense) -> None:
        recipe, parameter, count = layer.weight, 2 * index, len(layer.weight.components)
        if count > 1:
            self.draw(recipe, parameter, "0", [f"_T[{column}, _lane]" for column in range(count)])
            self.rows(index, count)
        else:
            fan_in = f"_widths[{index - 1}]" if index else "_dimension"
            with self.block(f"for _j in _range({fan_in}):"):
                self.draw(recipe, parameter, f"_j * {recipe.primitives}", ["_B[_lane]"])
                with self.block("for _lane in _range(_lanes):"):
                    self.put(f"_W{index}[_row + _lane, _j] = _B[_lane]")
        if layer.bias is not None:
            self.draw(layer.bias, parameter + 1, "0", ["_B[_lane]"])
            with self.block("for _lane in _range(_lanes):"):
                self.put(f"_B{index}[_row + _lane] = _B[_lane]")

    def readouts(self) -> None:
        parameter, primitive = 2 * len(self.plan.layers), 0
        with self.neurons_of(len(self.plan.layers) - 1):
            for output, recipe in enumerate(self.plan.weights):
                self.draw(recipe, parameter, str(primitive), ["_B[_lane]"])
                primitive += recipe.primitives
                with self.block("for _lane in _range(_lanes):"):
                    self.put(f"_a[{output}, _row + _lane] = _B[_lane]")
        self.put("_c0 = _np.uint64(0)")
        primitive = 0
        for output, bias in enumerate(self.plan.biases):
            if bias is None:
                self.put(f"_c[{output}] = 0.0")
            else:
                self.draw(bias, parameter + 1, str(primitive), ["_B[_lane]"])
                primitive += bias.primitives
                self.put(f"_c[{output}] = _B[0]")


def _rows(layer: Dense | Neurons) -> int:
    """Numbers drawn together for one neuron."""
    if isinstance(layer, Dense):
        return len(layer.weight.components)
    return max(1, sum(len(draw.names) for draw in layer.draws))
