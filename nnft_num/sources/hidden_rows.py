"""Rows of the routes that draw fields given the layer below: fields, or the last metric."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnft_num.kernels.hidden import LayerInput, gaussian_layer, kernels, layer_input, variances
from nnft_num.kernels.single_rows import VectorRun, holds_in_single
from nnft_num.plans.affine import Affine, read_affine
from nnft_num.plans.layers import Dense
from nnft_num.sources.rows import Rows
from nnft_num.statistics.cumulant_maps import MetricMap
from nnft_sym.language.errors import SpecificationError

if TYPE_CHECKING:
    from nnft_num.sources.source import Source

__all__ = [
    "FUNCTION_ROWS",
    "METRIC_ROWS",
    "functions_refusal",
    "layers_in_single",
    "metric_map",
    "output_biases",
    "readout_refusal",
    "readout_weights",
    "vector_run",
]

_MAX_POSITION = 2**16


def readout_weights(source: Source) -> list[Affine | None]:
    """Densities of the readout weights, None where they are not affine in their primitives."""
    return [read_affine(recipe, source.params) for recipe in source.plan.weights]


def output_biases(source: Source) -> list[Affine | None]:
    """Densities of the output biases, that of no bias being zero; None as in the weights."""
    zero = Affine(offset=0.0, slope=0.0, normal=True)
    return [
        zero if recipe is None else read_affine(recipe, source.params)
        for recipe in source.plan.biases
    ]


def _centred(densities: list[Affine | None]) -> bool:
    return all(density is not None and density.centred_normal for density in densities)


def _hidden_refusal(source: Source) -> str | None:
    """Why the layers of a network cannot be drawn this way, None if they can."""
    for index, layer in enumerate(source.plan.layers[1:], start=2):
        if not gaussian_layer(layer, source.params):
            return (
                f"weights and biases of layer {index} are not Gaussian of mean zero, so that its "
                "fields given the layer below are not"
            )
    if max(len(source.X), len(_input(source).normal)) >= _MAX_POSITION:
        return f"{_MAX_POSITION} points or primitives of a neuron cannot be addressed"
    return None


def readout_refusal(source: Source) -> str | None:
    """Why the readout of a network cannot be integrated out, None if it can."""
    if not _centred(readout_weights(source)):
        return (
            "the readout is not Gaussian of mean zero: given the hidden layer the field is not "
            "Gaussian, and cumulants of the metric are wrong, by their sign where "
            "E a⁴ E φ⁴ < 3 σ⁴ (E φ²)²"
        )
    if not _centred(output_biases(source)):
        return "an output bias is not Gaussian of mean zero"
    return _hidden_refusal(source)


def metric_map(source: Source) -> MetricMap:
    """Map from sums over metrics to cumulants of the fields."""
    return MetricMap(
        points=len(source.X),
        deviations=tuple(a.slope for a in readout_weights(source) if a is not None),
        biases=tuple(b.slope for b in output_biases(source) if b is not None),
    )


def functions_refusal(source: Source) -> str | None:
    """Why the fields of a network cannot be drawn layer by layer, None if they can."""
    if not _centred(readout_weights(source)):
        return "the readout is not Gaussian of mean zero, so that the fields given it are not"
    if any(density is None for density in output_biases(source)):
        return "an output bias is neither Gaussian nor uniform"
    if len(source.X) * source.plan.outputs >= _MAX_POSITION:
        return f"{_MAX_POSITION} fields cannot be addressed"
    return _hidden_refusal(source)


@lru_cache(maxsize=64)
def _input(source: Source) -> LayerInput:
    return layer_input(source.plan, source.X, source.params)


def _work(source: Source) -> float:
    """Per neuron: one draw (about 20 products), activation and covariance at each point."""
    n = len(source.X)
    return float(sum(source.widths) * n * (40 + n))


def _field_count(source: Source) -> int:
    return len(source.X) * source.plan.outputs


def _metric_count(source: Source) -> int:
    return len(source.X) * (len(source.X) + 1) // 2


def _scales(source: Source) -> NDArray[np.float64]:
    """C_W and C_b of the layers above the first."""
    scales = np.zeros((len(source.plan.layers), 2))
    for index, layer in enumerate(source.plan.layers[1:], start=1):
        if isinstance(layer, Dense):
            scales[index] = variances(layer, source.params)
    return scales


@lru_cache(maxsize=64)
def vector_run(source: Source) -> VectorRun:
    """Run in single precision.

    Raises
    ------
    SpecificationError
        If none is written for the network.
    """
    first = _input(source)
    if not holds_in_single(source.plan, first):
        raise SpecificationError(
            expected="a Gaussian first layer and not too many points in single precision",
            came=f"{len(source.X)} points by the route {source.route!r}",
            remedy="sample the source as it is settled, or in double precision",
        )
    return VectorRun(
        plan=source.plan,
        params=source.params,
        widths=source.widths,
        scales=_scales(source),
        first=first,
        readout=np.zeros((0, 4)),
    )


def layers_in_single(source: Source) -> bool:
    """Whether layers in single precision are written and agree with double precision."""
    return holds_in_single(source.plan, _input(source)) and vector_run(source).is_accurate()


def _fill(
    source: Source,
    key: tuple[int, int],
    start: int,
    out: NDArray[np.float64],
    readout: NDArray[np.float64],
) -> None:
    first = _input(source)
    if source.precision == "single":
        replace(vector_run(source), readout=readout).fill(key, start, out)
        return
    kernels(source.plan, source.params).rows(
        np.uint64(key[0]),
        np.uint64(key[1]),
        np.uint64(start),
        source.X,
        first.normal,
        first.factor,
        first.locals_,
        source.values,
        np.array(source.widths, dtype=np.int64),
        _scales(source),
        readout,
        out,
    )


def _fill_fields(
    source: Source, key: tuple[int, int], start: int, out: NDArray[np.float64]
) -> None:
    table = []
    for weight, bias in zip(readout_weights(source), output_biases(source), strict=True):
        assert weight is not None
        assert bias is not None
        table.append([weight.slope, bias.offset, bias.slope, float(bias.normal)])
    _fill(source, key, start, out, np.array(table))


def _fill_metric(
    source: Source, key: tuple[int, int], start: int, out: NDArray[np.float64]
) -> None:
    _fill(source, key, start, out, np.zeros((0, 4)))


FUNCTION_ROWS = Rows(
    dimension=_field_count, work=_work, fill=_fill_fields, is_single_enough=layers_in_single
)
"""One network a row: its fields, each layer drawn given the one below."""

METRIC_ROWS = Rows(
    dimension=_metric_count, work=_work, fill=_fill_metric, is_single_enough=layers_in_single
)
"""One network a row: the metric S_ab, a >= b, at position a (a + 1)/2 + b."""
