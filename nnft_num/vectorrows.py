"""Rows of networks whose layers are drawn given the one below, in single precision.

Some thousand networks at a time go through one layer after another: machine code draws the layer
and sums φφ, and the covariances are factorised in double precision in between.  Draws are those of
double precision, at the same addresses; factors of singular covariances may differ, of which the
law does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.hidden import LayerInput, layer_word
from nnft_num.lanes import NETWORKS, add_all_biases, factorise_all
from nnft_num.layers import Dense
from nnft_num.plans import Plan
from nnft_num.vectorhidden import MAX_POINTS, vector_layer
from nnft_sym.language import Expression

__all__ = ["VectorRun", "holds_in_single"]

_SIXTEENS = 64
"""Sixteens of networks that go through a layer together: what is kept of them fits the cache."""

_EPSILON = 2.0**-22
"""Relative rounding of a covariance summed in single precision."""


def holds_in_single(plan: Plan, first: LayerInput) -> bool:
    """Whether a run in single precision is written: Gaussian layers at not too many points."""
    points, columns = first.factor.shape
    return isinstance(plan.layers[0], Dense) and 0 < columns and points <= MAX_POINTS


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorRun:
    """A plan with everything its layers are run with.

    Parameters
    ----------
    plan, params, widths
        Network, values of its parameters and widths of its layers.
    scales : ndarray, shape (L, 2)
        C_W and C_b of the layers above the first.
    first : LayerInput
        Factor and locals of the first layer.
    readout : ndarray, shape (D, 4)
        Deviation, offset and slope of the bias, and whether its primitive is normal, for each
        output; empty to keep the metric.
    """

    plan: Plan
    params: Mapping[str, float]
    widths: tuple[int, ...]
    scales: NDArray[np.float64]
    first: LayerInput
    readout: NDArray[np.float64]

    def fill(self, key: tuple[int, int], start: int, out: NDArray[np.float64]) -> None:
        """Write rows start, start + 1, ... into ``out``."""
        # sixteens start at multiples of sixteen
        row = start
        while row < start + len(out):
            begin = row // NETWORKS * NETWORKS
            stop = min(begin + NETWORKS * _SIXTEENS, start + len(out))
            sixteens = -(-(stop - begin) // NETWORKS)
            rows = self._rows(key, begin, sixteens)
            out[row - start : stop - start] = rows[row - begin : stop - begin]
            row = stop

    def _rows(self, key: tuple[int, int], start: int, sixteens: int) -> NDArray[np.float64]:
        points = len(self.first.factor)
        factor = np.ascontiguousarray(self.first.factor, dtype=np.float32)
        metric = np.empty(0)
        for index, width in enumerate(self.widths):
            layer = self.plan.layers[index]
            assert isinstance(layer, Dense)
            names = tuple(name for name, _ in layer.locals)
            values: dict[str, Any] = dict(self.params)
            values |= dict(zip(names, self.first.locals_, strict=False))
            if index:
                weight, bias = self.scales[index]
                factor = _factors(metric, weight / self.widths[index - 1], bias)
            metric = self._layer(
                layer.activation, names, factor, index == 0
            ).run(
                sixteens=sixteens,
                start=start,
                key=key,
                word=layer_word(index),
                width=width,
                factor=factor,
                values=values,
            )
        if len(self.readout) == 0:
            metric /= self.widths[-1]
            return metric.transpose(0, 2, 1).reshape(sixteens * NETWORKS, -1)
        factor = _factors(metric, 1 / self.widths[-1], 0.0)
        return self._fields(key, start, factor, points)

    def _layer(
        self, activation: Expression | None, names: tuple[str, ...], factor: Any, shared: bool
    ) -> Any:
        points = len(self.first.factor)
        columns = factor.shape[1] if shared else points
        return vector_layer(activation, names, points, columns, shared)

    def _fields(
        self, key: tuple[int, int], start: int, factor: NDArray[np.float32], points: int
    ) -> NDArray[np.float64]:
        outputs, sixteens, last = len(self.readout), len(factor), len(self.widths)
        fields = np.empty((sixteens, NETWORKS, points, outputs))
        for four in range(-(-outputs // 4)):
            z = self._layer(None, (), factor, False).run(
                sixteens=sixteens,
                start=start,
                key=key,
                word=layer_word(last),
                width=four,
                factor=factor,
                values=self.params,
            )
            z = z.reshape(sixteens, points, 4, NETWORKS)
            for slot in range(min(4, outputs - 4 * four)):
                deviation, offset = self.readout[4 * four + slot, :2]
                fields[..., 4 * four + slot] = offset + deviation * z[:, :, slot].transpose(0, 2, 1)
        rows = fields.reshape(sixteens * NETWORKS, points * outputs)
        add_all_biases(
            np.uint64(key[0]),
            np.uint64(key[1]),
            np.uint64(layer_word(last + 1)),
            np.uint64(start),
            self.readout,
            rows,
        )
        return rows


def _factors(metric: NDArray[np.float64], scale: float, shift: float) -> NDArray[np.float32]:
    factor = np.empty(metric.shape, dtype=np.float32)
    factorise_all(metric, scale, shift, _EPSILON, factor)
    return factor
