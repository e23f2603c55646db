r"""A vector uniform on a sphere, seen through one or two of its coordinates.

The projection of the unit sphere in n dimensions on two coordinates is t = sin θ (cos α, sin α)
with density (n-2) sin θ cos^{n-3} θ/2π on 0 <= θ <= π/2, and that on one coordinate is cos θ with
density ∝ sin^{n-2} θ.  A ball is the projection of the sphere with two dimensions more.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.expectation.parameter_space.events import Axis, Event

__all__ = ["one_coordinate", "plane_average"]

Floats = NDArray[np.float64]

_EPS = np.finfo(np.float64).eps
_NODES = 20


def one_coordinate(name: sp.Symbol, n: int, radius: sp.Expr) -> Event:
    """Event of one coordinate of a point on a sphere in n dimensions.

    Examples
    --------
    >>> event = one_coordinate(sp.Symbol("t", real=True), 3, sp.Integer(1))
    >>> sp.integrate(event.weight, (event.axes[0].symbol, 0, sp.pi))
    1
    """
    polar = sp.Symbol("polar", real=True)
    if n == 1:
        half = sp.Rational(1, 2)
        return Event(names=(name,), atoms=(((-radius,), half), ((radius,), half)))
    normal = sp.gamma(sp.Rational(n, 2)) / (sp.sqrt(sp.pi) * sp.gamma(sp.Rational(n - 1, 2)))
    return Event(
        names=(name,),
        values=(radius * sp.cos(polar),),
        weight=normal * sp.sin(polar) ** (n - 2),
        axes=(Axis(symbol=polar, low=sp.Integer(0), high=sp.pi),),
    )


def plane_average(
    function: Callable[[Floats], Floats], slopes: Floats, n: int, radius: float
) -> tuple[float, float]:
    """E f(slopes t) over two coordinates t of a sphere, and a bound on its error.

    Parameters
    ----------
    function : callable
        f of fields, shape (fields, ...), smooth except where a field vanishes.
    slopes : ndarray, shape (fields, 2)
    n : int
        Dimension of the space, at least 2.
    radius : float
        Radius of the sphere.

    Examples
    --------
    >>> value, _ = plane_average(lambda u: u[0] ** 2, np.array([[1.0, 0.0]]), 5, 1.0)
    >>> round(value, 12)
    0.2
    """
    zeros = np.arctan2(slopes[:, 0], -slopes[:, 1])
    cuts = np.unique(np.concatenate([zeros, zeros + np.pi]) % (2 * np.pi))
    ring = np.append(cuts, cuts[0] + 2 * np.pi)
    coarse, _ = _rule_sum(function, slopes, n, radius, ring, 4)
    fine, size = _rule_sum(function, slopes, n, radius, ring, 8)
    return fine, 2 * abs(fine - coarse) + 64 * float(_EPS) * size


def _rule_sum(
    function: Callable[[Floats], Floats],
    slopes: Floats,
    n: int,
    radius: float,
    ring: Floats,
    pieces: int,
) -> tuple[float, float]:
    parts = [_composite(a, b, pieces) for a, b in pairwise(ring)]
    alpha = np.concatenate([nodes for nodes, _ in parts])
    weight = np.concatenate([w for _, w in parts]) / (2 * np.pi)
    lengths, heights = np.ones(1), np.ones(1)
    if n > 2:
        theta, heights = _composite(0.0, np.pi / 2, pieces)
        lengths = np.sin(theta)
        heights = heights * (n - 2) * lengths * np.cos(theta) ** (n - 3)
    across = slopes @ np.array([np.cos(alpha), np.sin(alpha)])
    value = function(radius * across[:, :, None] * lengths)
    terms = value * weight[:, None] * heights
    return float(np.sum(terms)), float(np.sum(np.abs(terms)))


def _composite(low: float, high: float, pieces: int) -> tuple[Floats, Floats]:
    x, w = np.polynomial.legendre.leggauss(_NODES)
    edges = np.linspace(low, high, pieces + 1)
    width = np.diff(edges)[:, None]
    return (edges[:-1, None] + width * (1 + x) / 2).ravel(), (width * w / 2).ravel()
