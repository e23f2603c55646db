"""Roots of functions known with error bounds, bracketed by certain signs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


def find_roots(function: Bounded, low: float, high: float, extrema: Iterable[float] = ()) -> Search:
    """Find the roots of f on a range of positive numbers, on a logarithmic grid.

    Every change of sign beyond the errors is bracketed, and every local minimum of abs(f) on the
    grid is followed down.  Pairs of roots between two neighbouring grid points at which abs(f)
    has no minimum would be missed, unless the extrema of f are given: between those f is
    monotone, and no root is missed.

    Parameters
    ----------
    function : callable
        Returns f(x) and a bound on its error.
    low, high : float
        0 < low < high.
    extrema : iterable of float
        Points at which f is stationary, where they are known.

    Examples
    --------
    >>> search = find_roots(lambda x: (x * x - 2, 1e-15), 0.1, 10.0)
    >>> round(search.roots[0].value, 12), search.roots[0].error < 1e-14
    (1.414213562373, True)
    """
    count = max(3, round(PER_DECADE * np.log10(high / low)) + 1)
    grid = _evaluated(function, np.unique([*np.geomspace(low, high, count), *extrema]).tolist())
    if not grid:
        raise AccuracyError(
            expected=f"a function that can be evaluated on [{low:g}, {high:g}]",
            came="none of its values",
            remedy="search another range",
        )
    certain = [i for i, node in enumerate(grid) if abs(node.value) > node.error]
    roots = []
    for i, j in pairwise(certain):
        left, right = grid[i], grid[j]
        if left.value * right.value < 0:
            roots.append(_bracketed(function, left.x, right.x))
        elif j > i + 1:
            lowest = min(grid[i + 1 : j], key=lambda node: abs(node.value))
            roots.append(_touching(function, lowest.x, left.x, right.x))
    for before, here, after in zip(certain, certain[1:], certain[2:], strict=False):
        f, g, h = (grid[i].value for i in (before, here, after))
        if (
            (before, after) == (here - 1, here + 1)
            and f * g > 0 < g * h
            and abs(g) <= min(abs(f), abs(h))
        ):
            roots += _followed(function, grid[before].x, grid[after].x, float(np.sign(g)))
    ordered = tuple(sorted(roots, key=lambda root: root.value))
    return Search(roots=ordered, low=grid[0].x, high=grid[-1].x)


@dataclass(frozen=True)
class _Node:
    x: float
    value: float
    error: float


def _evaluated(function: Bounded, points: list[float]) -> list[_Node]:
    """Values on the part of the grid where the function can be evaluated."""
    grid: list[_Node] = []
    for x in points:
        try:
            grid.append(_Node(x, *function(x)))
        except (AccuracyError, InfiniteMomentError):
            if grid:
                break
    # A run of zeros at an end of the range is underflow, not a row of roots.
    for end in (0, -1):
        while len(grid) > 1 and grid[end].value == 0 and grid[1 if end == 0 else -2].value == 0:
            del grid[end]
    return grid


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


def _touching(function: Bounded, x: float, left: float, right: float) -> Root:
    """A root without a change of sign: as wide as |f| stays within its errors."""
    width = 1e-9 * x
    while x - width > left and x + width < right:
        if all(abs(value) > bound for value, bound in (function(x - width), function(x + width))):
            break
        width *= 2
    return Root(value=x, error=width, touching=True)


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
    return [] if abs(value) > bound else [_touching(function, lowest, left, right)]
