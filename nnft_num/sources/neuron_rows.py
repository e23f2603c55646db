"""Rows of the routes over single neurons: φ(x_a) of one neuron, or a_j φ(x_a).

Independent neurons are drawn at parameter index 253, four to a network index.  Sobol neurons are
points of a scrambled sequence, mapped to normals by the inverse of their distribution function;
row r 2^m + i is point i of randomisation r.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from nnft_num.kernels.draws import PRIMITIVE_BITS
from nnft_num.kernels.hidden import LayerInput, kernels, layer_input
from nnft_num.kernels.lanes import draw_samples
from nnft_num.plans.affine import Affine
from nnft_num.sources.hidden_rows import (
    layers_in_single,
    output_biases,
    readout_weights,
    vector_run,
)
from nnft_num.sources.rows import Rows
from nnft_num.sources.sobol import MAX_COORDINATES, sobol_points
from nnft_num.statistics.cumulant_maps import NeuronMap

if TYPE_CHECKING:
    from nnft_num.sources.source import Source

__all__ = ["NEURON_ROWS", "neuron_map", "neurons_refusal", "sobol_refusal", "sobol_rows"]

PARAMETER = 253
"""Parameter index of the draws of single neurons."""


def neurons_refusal(source: Source) -> str | None:
    """Why a network is not a sum of independent neurons, None if it is."""
    if len(source.plan.layers) > 1:
        return (
            "with more than one hidden layer the neurons share the layers below and are not "
            "independent"
        )
    if any(density is None for density in output_biases(source)):
        return "the cumulants of an output bias that is neither Gaussian nor uniform are not known"
    return None


def sobol_refusal(source: Source) -> str | None:
    """Why neurons cannot be drawn at Sobol points, None if they can."""
    refusal = neurons_refusal(source)
    if refusal is not None:
        return refusal
    count = len(_kinds(source))
    if count > MAX_COORDINATES:
        return f"a neuron takes {count} primitives, and there are {MAX_COORDINATES} coordinates"
    return None


def neuron_map(source: Source, independent: bool) -> NeuronMap:
    """Map from sums over neurons to cumulants of the fields."""
    return NeuronMap(
        points=len(source.X),
        width=source.widths[0],
        readout=_integrated(source),
        biases=tuple(bias for bias in output_biases(source) if bias is not None),
        independent=independent,
    )


def _integrated(source: Source) -> tuple[Affine, ...] | None:
    """Readout densities whose moments are those of their primitives; None if one has others."""
    read = tuple(weight for weight in readout_weights(source) if weight is not None)
    return read if len(read) == source.plan.outputs else None


@lru_cache(maxsize=64)
def _input(source: Source) -> LayerInput:
    return layer_input(source.plan, source.X, source.params)


def _kinds(source: Source) -> NDArray[np.bool_]:
    """Which primitives of a row are normals: those of the neuron, then of a sampled readout."""
    normal = _input(source).normal
    if _integrated(source) is not None:
        return normal
    readout = [
        kind
        for recipe in source.plan.weights
        for kind in [True] * recipe.normals + [False] * recipe.uniforms
    ]
    return np.concatenate([normal, np.array(readout, dtype=np.bool_)])


def _count(source: Source) -> int:
    return len(source.X) * (1 if _integrated(source) is not None else source.plan.outputs)


def _work(source: Source) -> float:
    return float(40 * len(_kinds(source)) + 40 * len(source.X))


def _evaluate(source: Source, primitives: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    first = _input(source)
    kernels(source.plan, source.params).neurons(
        primitives,
        source.X,
        first.factor,
        first.locals_,
        source.values,
        _integrated(source) is None,
        out,
    )


def _fill(source: Source, key: tuple[int, int], start: int, out: NDArray[np.float64]) -> None:
    if source.precision == "single":
        vector_run(source).fill_neurons(key, PARAMETER << PRIMITIVE_BITS, start, out)
        return
    kinds = _kinds(source)
    primitives = np.empty((len(kinds), len(out)))
    word = np.uint64(PARAMETER << PRIMITIVE_BITS)
    draw_samples(np.uint64(key[0]), np.uint64(key[1]), word, np.uint64(start), kinds, primitives)
    _evaluate(source, primitives, out)


def _neurons_in_single(source: Source) -> bool:
    return _integrated(source) is not None and layers_in_single(source)


NEURON_ROWS = Rows(dimension=_count, work=_work, fill=_fill, is_single_enough=_neurons_in_single)
"""One independent neuron a row."""


@lru_cache(maxsize=32)
def sobol_rows(exponent: int) -> Rows:
    """One neuron a row, at 2^exponent Sobol points for each randomisation."""

    def fill(source: Source, key: tuple[int, int], start: int, out: NDArray[np.float64]) -> None:
        kinds = _kinds(source)
        row, stop = start, start + len(out)
        while row < stop:
            randomisation, position = row >> exponent, row & ((1 << exponent) - 1)
            count = min(stop - row, (1 << exponent) - position)
            points = sobol_points(key, randomisation, position, count, len(kinds))
            points[kinds] = ndtri(points[kinds])
            _evaluate(source, points, out[row - start : row - start + count])
            row += count

    return Rows(dimension=_count, work=_work, fill=fill)
