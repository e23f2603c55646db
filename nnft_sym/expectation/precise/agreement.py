"""Results to a number of digits, confirmed by computing them with more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.expectation.precise.numbers import exact
from nnft_sym.language.errors import AccuracyError, SpecificationError

__all__ = ["Digits", "agreed", "exact_points"]

_LARGEST = 500
_GUARD = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Digits:
    """Numbers to a stated precision.

    Parameters
    ----------
    values : ndarray of sympy.Float, shape (U,)
        The numbers, which print all their digits.
    errors : ndarray, shape (U,)
        What raising the working precision changed, and the last digit.
    """

    values: NDArray[np.object_]
    errors: NDArray[np.float64]


def agreed(compute: Callable[[], Sequence[mpmath.mpf]], precision: int, *, doubled: bool) -> Digits:
    """Compute numbers at two working precisions and take the finer if they agree.

    All steps of an integral (range, spacing, number of terms) depend on the working precision,
    so that an agreement confirms them too.

    Parameters
    ----------
    compute : callable
        The numbers, at mpmath's working precision.
    precision : int
        Decimal digits relative to the largest number.
    doubled : bool
        Whether square roots of differences may cost half of the digits.

    Raises
    ------
    AccuracyError
        If the two differ by more.
    SpecificationError
        If the precision is not an integer from 1 to 500.

    Examples
    --------
    >>> agreed(lambda: [mpmath.sqrt(2)], 30, doubled=False).values[0]
    1.41421356237309504880168872421
    """
    whole = isinstance(precision, (int, np.integer)) and not isinstance(precision, bool)
    if not whole or not 1 <= precision <= _LARGEST:
        raise SpecificationError(
            expected=f"a number of decimal digits from 1 to {_LARGEST}",
            came=f"precision={precision!r}",
            remedy="pass for example precision=50",
        )
    first = (2 if doubled else 1) * precision + _GUARD
    second = first + _GUARD + precision // 8
    with mpmath.workdps(first):
        before = list(compute())
    with mpmath.workdps(second):
        after = list(compute())
        scale = max((abs(value) for value in after), default=mpmath.mpf(0))
        last = mpmath.mpf(10) ** -precision
        changes = [abs(b - a) for a, b in zip(before, after, strict=True)]
        if any(change > last * scale for change in changes):
            raise AccuracyError(
                expected=f"{precision} digits relative to the largest entry",
                came=f"entries that change by {mpmath.nstr(max(changes) / scale, 2)} of it when "
                f"{second} digits are carried instead of {first}",
                remedy="ask for fewer digits",
            )
        errors = [float(c + last * abs(v) / 2) for c, v in zip(changes, after, strict=True)]
    values = np.empty(len(after), dtype=object)
    values[:] = [sp.Float(value, precision) for value in after]
    return Digits(values=values, errors=np.array(errors))


def exact_points(X: Any) -> list[list[sp.Expr]]:
    """Read points of shape (n, d), or (n,) for d = 1, as exact numbers.

    Raises
    ------
    SpecificationError
        If an entry is not a number.

    Examples
    --------
    >>> exact_points([["0.1"], [2]])
    [[1/10], [2]]
    """
    rows = list(X) if hasattr(X, "__iter__") else [X]
    nested = [
        row if hasattr(row, "__iter__") and not isinstance(row, str) else [row] for row in rows
    ]
    return [[exact(x, "a coordinate") for x in row] for row in nested]
