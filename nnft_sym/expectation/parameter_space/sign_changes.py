"""Zeros of functions of one variable, from samples: sign changes, and approaches to zero."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["sampled_roots"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_SAMPLES = 257
_BISECTIONS = 60
_SECTIONS = 80
_TOUCHES = 1e-9
_GOLDEN = 0.3819660112501051


def sampled_roots(
    function: Callable[[Floats], Floats],
    low: float,
    high: float,
    pairs: tuple[Indices, Indices] | None = None,
) -> Floats:
    """Zeros of several functions on a range, or of differences of pairs of them.

    Sign changes on a grid are bisected.  Where samples come nearest to zero without a change,
    the extremum is found: two zeros beside it if it lies across, itself if it touches.

    Parameters
    ----------
    function : callable
        Array of shape (1, q) to values of shape (1, q, functions).
    low, high : float
        The range.
    pairs : tuple of ndarray, optional
        Indices (i, j) of functions whose differences are meant.

    Examples
    --------
    >>> roots = sampled_roots(lambda u: ((u - 0.3) ** 2 - 1e-8)[..., None], -1, 1)
    >>> [round(float(root), 9) for root in sorted(roots)]
    [0.2999, 0.3001]
    """

    def along(rows: Floats, chosen: Indices | None = None) -> Floats:
        values = function(rows[None, :])[0]
        if pairs is None:
            return values if chosen is None else values[np.arange(len(rows)), chosen]
        i, j = pairs
        if chosen is None:
            return values[:, i] - values[:, j]
        every = np.arange(len(rows))
        return values[every, i[chosen]] - values[every, j[chosen]]

    grid = np.linspace(low, high, _SAMPLES)
    with np.errstate(all="ignore"):
        values = along(grid)
        exact = np.unique(np.nonzero(values == 0)[0])
        row, which = np.nonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
        found = [_bisected(along, grid[row], grid[row + 1], which)]
        found += _approaches(along, grid, values)
    # A function that vanishes on a part of the range has no zeros to cut at.
    found.append(grid[exact] if len(exact) < _SAMPLES // 4 else grid[:0])
    return np.concatenate(found)


def _bisected(
    along: Callable[[Floats, Indices], Floats], left: Floats, right: Floats, which: Indices
) -> Floats:
    if not len(left):
        return left
    sign = np.sign(along(left, which))
    for _ in range(_BISECTIONS):
        middle = (left + right) / 2
        same = np.sign(along(middle, which)) == sign
        left, right = np.where(same, middle, left), np.where(same, right, middle)
    return left


def _approaches(
    along: Callable[[Floats, Indices], Floats], grid: Floats, values: Floats
) -> list[Floats]:
    """Extrema nearest to zero between samples of one sign, with the zeros beside them."""
    size = np.abs(values)
    inner = size[1:-1]
    signs = np.sign(values)
    one_sign = (signs[:-2] == signs[1:-1]) & (signs[2:] == signs[1:-1]) & (inner > 0)
    row, which = np.nonzero(one_sign & (inner <= size[:-2]) & (inner <= size[2:]))
    if not len(row):
        return []
    start, end = grid[row], grid[row + 2]
    sign = signs[row + 1, which]
    left, right = start, end
    for _ in range(_SECTIONS):
        a, b = left + _GOLDEN * (right - left), right - _GOLDEN * (right - left)
        lower = sign * along(a, which) <= sign * along(b, which)
        left, right = np.where(lower, left, a), np.where(lower, b, right)
    extremum = (left + right) / 2
    at = sign * along(extremum, which)
    across = at < 0
    touches = ~across & (at <= _TOUCHES * np.nanmax(size, axis=0)[which])
    outer = [
        _bisected(along, start[across], extremum[across], which[across]),
        _bisected(along, extremum[across], end[across], which[across]),
    ]
    return [*outer, extremum[touches]]
