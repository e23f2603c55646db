"""Roots of functions known with error bounds, bracketed by certain signs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from nnft_sym.language.errors import AccuracyError, InfiniteMomentError

__all__ = ["Root", "Search", "find_roots"]

Bounded = Callable[[float], tuple[float, float]]

_EPS = float(np.finfo(np.float64).eps)
PER_DECADE = 16


@dataclass(frozen=True, kw_only=True)
class Root:
    """A root, with the half-width of a bracket that holds it.

    Parameters
    ----------
    value, error : float
        The root and its error bound.
    touching : bool
        Whether the function touches zero within its errors, without a change of sign seen.
    """

    value: float
    error: float
    touching: bool = False


@dataclass(frozen=True, kw_only=True)
class Search:
    """What was found on which range.

    Parameters
    ----------
    roots : tuple of Root
        In ascending order.
    low, high : float
        The range on which the function could be evaluated.
    """

    roots: tuple[Root, ...]
    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"changes of sign and near-touches of zero between {PER_DECADE} points per decade on "
            f"[{self.low:.3g}, {self.high:.3g}]"
        )


def find_roots(function: Bounded, low: float, high: float) -> Search:
    """Find the roots of f on a range of positive numbers, on a logarithmic grid.

    Every change of sign beyond the errors is bracketed, and every local minimum of abs(f) on the
    grid is followed down.  Pairs of roots between two neighbouring grid points at which abs(f)
    has no minimum would be missed.

    Parameters
    ----------
    function : callable
        Returns f(x) and a bound on its error.
    low, high : float
        0 < low < high.

    Examples
    --------
    >>> search = find_roots(lambda x: (x * x - 2, 1e-15), 0.1, 10.0)
    >>> round(search.roots[0].value, 12), search.roots[0].error < 1e-14
    (1.414213562373, True)
    """
    count = max(3, round(PER_DECADE * np.log10(high / low)) + 1)
    grid: list[float] = []
    values: list[tuple[float, float]] = []
    for x in np.geomspace(low, high, count).tolist():
        try:
            value = function(x)
        except (AccuracyError, InfiniteMomentError):
            if grid:
                break
            continue
        grid.append(x)
        values.append(value)
    # A run of zeros at an end of the range is underflow, not a row of roots.
    while len(grid) > 1 and values[0][0] == 0 and values[1][0] == 0:
        del grid[0], values[0]
    while len(grid) > 1 and values[-1][0] == 0 and values[-2][0] == 0:
        del grid[-1], values[-1]
    if not grid:
        raise AccuracyError(
            expected=f"a function that can be evaluated on [{low:g}, {high:g}]",
            came="none of its values",
            remedy="search another range",
        )
    roots = [
        _bracketed(function, *interval)
        for interval, (f, g) in zip(pairwise(grid), pairwise(values), strict=True)
        if f[0] * g[0] < 0 and abs(f[0]) > f[1] and abs(g[0]) > g[1]
    ]
    for i in range(1, len(grid) - 1):
        left, here, right = (values[j][0] for j in (i - 1, i, i + 1))
        if here == 0 and left != 0 and right != 0:
            roots.append(Root(value=grid[i], error=0.0))
        same_sign = left * here > 0 and right * here > 0
        if same_sign and abs(here) <= min(abs(left), abs(right)):
            roots += _followed(function, grid[i - 1], grid[i + 1], float(np.sign(here)))
    ordered = tuple(sorted(roots, key=lambda root: root.value))
    return Search(roots=ordered, low=grid[0], high=grid[-1])


def _bracketed(function: Bounded, left: float, right: float) -> Root:
    """Narrow a bracket down to where the signs are still certain."""
    root = float(brentq(lambda x: function(x)[0], left, right, xtol=4 * _EPS * left, rtol=4 * _EPS))
    width = 8 * _EPS * root
    while root - width > left and root + width < right:
        below, above = function(root - width), function(root + width)
        if below[0] * above[0] < 0 and all(abs(value) > bound for value, bound in (below, above)):
            break
        width *= 2
    return Root(value=root, error=min(width, right - left))


def _followed(function: Bounded, left: float, right: float, sign: float) -> list[Root]:
    """Roots around a local minimum of |f|: two, one that touches, or none."""
    found = minimize_scalar(
        lambda x: sign * function(x)[0],
        bounds=(left, right),
        method="bounded",
        options={"xatol": 1e-9 * left},
    )
    lowest = float(found.x)
    value, bound = function(lowest)
    if sign * value < -bound:
        return [_bracketed(function, left, lowest), _bracketed(function, lowest, right)]
    if abs(value) > bound:
        return []
    # Where |f| stays within its errors, to either side.
    width = 1e-9 * lowest
    while lowest - width > left and lowest + width < right:
        if all(abs(v) > b for v, b in (function(lowest - width), function(lowest + width))):
            break
        width *= 2
    return [Root(value=lowest, error=width, touching=True)]
