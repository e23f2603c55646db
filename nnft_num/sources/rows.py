"""What a route samples: independent rows of numbers, as pure functions of (key, index).

A ``Rows`` record says for one route how many numbers a row holds, what it costs and how it is
filled; ``nnft_num.sources.source`` binds it to a plan, points and parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnft_num.kernels.double import fill_fields, require_addressable
from nnft_num.kernels.fields import fill_fields_single, is_single_enough

if TYPE_CHECKING:
    from nnft_num.sources.source import Source

__all__ = ["PARAMETER_ROWS", "Rows"]


def _never(source: Source) -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class Rows:
    """How the rows of a route are made; all are functions at the top of a module.

    Parameters
    ----------
    dimension : callable (source) -> int
        m: numbers in one row.
    work : callable (source) -> float
        Cost of one row in products of two numbers; it sets the size of tasks.
    fill : callable (source, key, start, out) -> None
        Writes rows start, start + 1, ... into ``out`` of shape (rows, m), float64 and contiguous;
        row i depends on the source, the key and i alone.
    is_single_enough : callable (source) -> bool
        Whether single precision gives the rows at these points and parameters; never by default,
        for rows that are filled in double precision alone.
    """

    dimension: Callable[[Source], int]
    work: Callable[[Source], float]
    fill: Callable[[Source, tuple[int, int], int, NDArray[np.float64]], None]
    is_single_enough: Callable[[Source], bool] = _never


def _field_count(source: Source) -> int:
    return len(source.X) * source.plan.outputs


def _field_work(source: Source) -> float:
    widths, d = source.widths, source.X.shape[1]
    products = sum(a * (b + 10) for a, b in zip(widths, (d, *widths), strict=False))
    return float(len(source.X) * products)


def _fill_fields(
    source: Source, key: tuple[int, int], start: int, out: NDArray[np.float64]
) -> None:
    fields = out.reshape(len(out), len(source.X), source.plan.outputs)
    if source.precision == "single":
        require_addressable(source.plan, source.X.shape[1], source.widths)
    fill = fill_fields_single if source.precision == "single" else fill_fields
    fill(
        source.plan,
        source.X,
        key=key,
        start=start,
        values=source.values,
        widths=source.widths,
        out=fields,
    )


def _single_fields_enough(source: Source) -> bool:
    return is_single_enough(source.plan, source.X, source.values, source.widths)


PARAMETER_ROWS = Rows(
    dimension=_field_count,
    work=_field_work,
    fill=_fill_fields,
    is_single_enough=_single_fields_enough,
)
"""One network a row: its fields f_j(x_a), field index = point * D + output."""
