"""What a route samples: independent rows of numbers, as pure functions of (key, index).

A ``Rows`` record says for one route how many numbers a row holds, what it costs and how it is
filled; ``nnft_num.sources`` binds it to a plan, points and parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnft_num.jit import fill_fields

if TYPE_CHECKING:
    from nnft_num.sources import Source

__all__ = ["PARAMETER_ROWS", "Rows"]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """How the rows of a route are made; all three are functions at the top of a module.

    Parameters
    ----------
    dimension : callable (source) -> int
        m: numbers in one row.
    work : callable (source) -> float
        Cost of one row in products of two numbers; it sets the size of tasks.
    fill : callable (source, key, start, out) -> None
        Writes rows start, start + 1, ... into ``out`` of shape (rows, m), float64 and contiguous;
        row i depends on the source, the key and i alone.
    """

    dimension: Callable[[Source], int]
    work: Callable[[Source], float]
    fill: Callable[[Source, tuple[int, int], int, NDArray[np.float64]], None]


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
    fill_fields(
        source.plan,
        source.X,
        key=key,
        start=start,
        values=source.values,
        widths=source.widths,
        out=fields,
    )


PARAMETER_ROWS = Rows(dimension=_field_count, work=_field_work, fill=_fill_fields)
"""One network a row: its fields f_j(x_a), field index = point * D + output."""
