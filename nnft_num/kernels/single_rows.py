"""Rows of networks whose layers are drawn given the one below, in single precision.

Some thousand networks at a time go through one layer after another: machine code draws the layer
and sums φφ, and the covariances are factorised in double precision in between.  Draws are those of
double precision, at the same addresses; factors of singular covariances may differ, of which the
law does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.kernels.draws import normals
from nnft_num.kernels.hidden import PARAMETER, LayerInput, layer_word
from nnft_num.kernels.lanes import NETWORKS, add_all_biases
from nnft_num.kernels.single_factor import factors
from nnft_num.kernels.single_layer import MAX_POINTS, vector_layer
from nnft_num.plans.layers import Dense
from nnft_num.plans.plan import Plan
from nnft_sym.language import evaluate

__all__ = ["VectorRun", "holds_in_single"]

_SIXTEENS = 128
"""Sixteens of networks that go through a layer together: what is kept of them fits the cache."""

_EPSILON = 2.0**-22
"""Relative rounding of a covariance summed in single precision."""

_TRUSTED = 1e-5
"""Largest error of a sum, in units of its size."""

_WIDTH = 32


def holds_in_single(plan: Plan, first: LayerInput) -> bool:
    """Whether a run in single precision is written: Gaussian layers at not too many points."""
    points, columns = first.factor.shape
    return isinstance(plan.layers[0], Dense) and columns > 0 and points <= MAX_POINTS


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

    def fill_neurons(
        self, key: tuple[int, int], word: int, start: int, out: NDArray[np.float64]
    ) -> None:
        """Write φ(x_a) of single neurons of the first layer, four to a network index."""
        layer, factor = self.plan.layers[0], self.first_factor
        assert isinstance(layer, Dense)
        names = tuple(name for name, _ in layer.locals)
        code = vector_layer(layer.activation, names, *factor.shape, True, False)
        row, size = start, 4 * NETWORKS
        while row < start + len(out):
            begin = row // size * size
            stop = min(begin + size * _SIXTEENS, start + len(out))
            phi = code.run(
                sixteens=-(-(stop - begin) // size),
                start=begin // 4,
                key=key,
                word=word,
                width=0,
                factor=factor,
                values=self._values(0),
            )
            vectors = phi.reshape(-1, out.shape[1], 4, NETWORKS)
            rows = vectors.transpose(0, 3, 2, 1).reshape(-1, out.shape[1])
            out[row - start : stop - start] = rows[row - begin : stop - begin]
            row = stop

    def is_accurate(self) -> bool:
        """Whether single precision gives the sums of every layer to 1e-5 of their size.

        A large argument of a cosine loses its digits, exp(z) overflows beyond 88.  So before a run
        each layer of sixteen networks, at most 32 neurons wide, is compared with the same sums of
        the interpreter at the same normals and factors, in double precision.
        """
        narrow = replace(self, widths=tuple(min(width, _WIDTH) for width in self.widths))
        key, factor, metric = (0, 0), narrow.first_factor, np.empty(0)
        for index, width in enumerate(narrow.widths):
            if index:
                factor = narrow.factors(index, metric)
            metric = narrow.layer(index, factor, key, 0, 1)
            for network in range(NETWORKS):
                L = factor if index == 0 else _lower(factor[0, :, network])
                g = [normals(key, network, PARAMETER, p, width) for p in _positions(index, L)]
                found = metric[0, :, network]
                if not _is_close(found, self._sums(index, L.astype(np.float64) @ np.array(g))):
                    return False
        return True

    def _sums(self, index: int, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """S of fields z, shape (n, width), by the interpreter."""
        layer = self.plan.layers[index]
        assert isinstance(layer, Dense)
        values = self._values(index) | {"z": z}
        for name, _ in layer.locals:
            values[name] = values[name][:, None]
        phi = evaluate(layer.activation, {name: values[name] for name in layer.activation.names})
        phi = np.broadcast_to(phi, z.shape)
        return (phi @ phi.T)[np.tril_indices(len(z))]

    @property
    def first_factor(self) -> NDArray[np.float32]:
        """Factor of the first layer, the same for all networks."""
        return np.ascontiguousarray(self.first.factor, dtype=np.float32)

    def factors(self, index: int, metric: NDArray[np.float64]) -> NDArray[np.float32]:
        """Factors of a layer above the first, or of the fields without their bias (index L)."""
        readout = index == len(self.widths)
        weight, bias = (1.0, 0.0) if readout else self.scales[index]
        return factors(metric, weight / self.widths[index - 1], bias, _EPSILON)

    def _values(self, index: int) -> dict[str, Any]:
        layer = self.plan.layers[index]
        assert isinstance(layer, Dense)
        names = (name for name, _ in layer.locals)
        return {**self.params, **dict(zip(names, self.first.locals_, strict=False))}

    def layer(
        self,
        index: int,
        factor: NDArray[np.float32],
        key: tuple[int, int],
        start: int,
        sixteens: int,
    ) -> NDArray[np.float64]:
        """Sums over one layer of some sixteens of networks."""
        layer, points = self.plan.layers[index], len(self.first.factor)
        assert isinstance(layer, Dense)
        columns = points if index else factor.shape[1]
        names = tuple(name for name, _ in layer.locals)
        return vector_layer(layer.activation, names, points, columns, index == 0).run(
            sixteens=sixteens,
            start=start,
            key=key,
            word=layer_word(index),
            width=self.widths[index],
            factor=factor,
            values=self._values(index),
        )

    def _rows(self, key: tuple[int, int], start: int, sixteens: int) -> NDArray[np.float64]:
        metric = self.layer(0, self.first_factor, key, start, sixteens)
        for index in range(1, len(self.widths)):
            metric = self.layer(index, self.factors(index, metric), key, start, sixteens)
        if len(self.readout):
            return self._fields(key, start, self.factors(len(self.widths), metric))
        metric /= self.widths[-1]
        return metric.transpose(0, 2, 1).reshape(sixteens * NETWORKS, -1)

    def _fields(
        self, key: tuple[int, int], start: int, factor: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        outputs, sixteens, last = len(self.readout), len(factor), len(self.widths)
        points = len(self.first.factor)
        fields = np.empty((sixteens, NETWORKS, points, outputs))
        for four in range(-(-outputs // 4)):
            z = vector_layer(None, (), points, points, False, False).run(
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
        uniform = self.readout.copy()
        for output, (_, _, slope, normal) in enumerate(self.readout):
            if slope and normal:
                uniform[output, 2] = 0.0
                word = layer_word(last + 1) + output
                rows[:, output::outputs] += slope * _normals(key, word, start, sixteens)[:, None]
        if uniform[:, 2].any():
            add_all_biases(
                np.uint64(key[0]),
                np.uint64(key[1]),
                np.uint64(layer_word(last + 1)),
                np.uint64(start),
                uniform,
                rows,
            )
        return rows


def _normals(key: tuple[int, int], word: int, start: int, sixteens: int) -> NDArray[np.float64]:
    """One normal of each network, that of neuron 0."""
    four = vector_layer(None, (), 1, 1, True, False).run(
        sixteens=sixteens,
        start=start,
        key=key,
        word=word,
        width=0,
        factor=np.ones((1, 1), dtype=np.float32),
        values={},
    )
    return four[:, 0].ravel()


def _lower(entries: NDArray[np.float32]) -> NDArray[np.float32]:
    n = round((2 * len(entries)) ** 0.5 - 0.5)
    full = np.zeros((n, n), dtype=np.float32)
    full[np.tril_indices(n)] = entries
    return full


def _positions(index: int, factor: NDArray[np.float32]) -> range:
    """Primitives of the normals of a layer."""
    first = layer_word(index) - layer_word(0)
    return range(first, first + factor.shape[1])


def _is_close(found: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    n = round((2 * len(found)) ** 0.5 - 0.5)
    rows, columns = np.tril_indices(n)
    with np.errstate(all="ignore"):
        size = np.sqrt(expected[rows == columns])
        return bool(np.all(np.abs(found - expected) <= _TRUSTED * size[rows] * size[columns]))
