"""The symbols closed forms are written in: covariances and their 2×2 determinants."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

__all__ = [
    "PairGeometry",
    "collected_determinants",
    "covariance",
    "covariance_matrix",
    "determinant",
    "expanded_determinants",
    "pair_geometries",
    "point_pairs",
]


@lru_cache(maxsize=1024)
def covariance(a: int, b: int, layer: int | None = None) -> sp.Symbol:
    """K_ab = E z_a z_b of two field values, for points counted from 1.

    In a deep network the layer is marked, except for the one a correlator is written in.

    Examples
    --------
    >>> covariance(2, 1), covariance(1, 2, layer=3)
    (K_12, K_12^(3))
    """
    low, high = sorted((a, b))
    mark = "" if layer is None else f"^({layer})"
    if low == high:
        return sp.Symbol(f"K_{low}{high}{mark}", nonnegative=True)
    return sp.Symbol(f"K_{low}{high}{mark}", real=True)


@lru_cache(maxsize=1024)
def determinant(a: int, b: int, layer: int | None = None) -> sp.Symbol:
    """D_ab = K_aa K_bb - K_ab², kept apart because its value is known without cancellation.

    Examples
    --------
    >>> determinant(1, 2)
    D_12
    """
    low, high = sorted((a, b))
    mark = "" if layer is None else f"^({layer})"
    return sp.Symbol(f"D_{low}{high}{mark}", nonnegative=True)


def point_pairs(points: int) -> list[tuple[int, int]]:
    """Pairs a <= b of points 1..k.

    Examples
    --------
    >>> point_pairs(2)
    [(1, 1), (1, 2), (2, 2)]
    """
    return [(a, b) for b in range(1, points + 1) for a in range(1, b + 1)]


def covariance_matrix(points: int) -> sp.ImmutableMatrix:
    """Return the matrix of covariance symbols of points 1..k.

    Examples
    --------
    >>> covariance_matrix(2)
    Matrix([
    [K_11, K_12],
    [K_12, K_22]])
    """
    return sp.ImmutableMatrix(points, points, lambda i, j: covariance(i + 1, j + 1))


def expanded_determinants(expression: sp.Expr, points: int) -> sp.Expr:
    """Write D_ab as K_aa K_bb - K_ab², and its angle as an arccosine, in every layer.

    Examples
    --------
    >>> expanded_determinants(sp.atan2(sp.sqrt(determinant(1, 2)), covariance(1, 2)), 2)
    acos(K_12/(sqrt(K_11)*sqrt(K_22)))
    """
    for pair in pair_geometries(expression, points):
        expression = expression.xreplace({pair.angle: pair.arccosine, pair.D: pair.difference})
    return expression


def collected_determinants(expression: sp.Expr, points: int) -> sp.Expr:
    """Undo :func:`expanded_determinants`, so that degenerate points are evaluated exactly.

    Examples
    --------
    >>> collected_determinants(covariance(1, 1) * covariance(2, 2) - covariance(1, 2) ** 2, 2)
    D_12
    """
    for pair in pair_geometries(expression, points):
        expression = expression.xreplace({pair.arccosine: pair.angle, pair.difference: pair.D})
    return expression


@dataclass(frozen=True, kw_only=True)
class PairGeometry:
    """Two points of one layer: covariances, determinant and angle, as symbols and written out."""

    K_aa: sp.Symbol
    K_ab: sp.Symbol
    K_bb: sp.Symbol
    D: sp.Symbol

    @property
    def difference(self) -> sp.Expr:
        """K_aa K_bb - K_ab²."""
        return self.K_aa * self.K_bb - self.K_ab**2

    @property
    def angle(self) -> sp.Expr:
        """The angle ϑ_ab through its tangent √D/K_ab, accurate at every angle."""
        return sp.atan2(sp.sqrt(self.D), self.K_ab)

    @property
    def arccosine(self) -> sp.Expr:
        """The angle ϑ_ab as it is printed."""
        return sp.acos(self.K_ab / sp.sqrt(self.K_aa * self.K_bb))


def pair_geometries(expression: sp.Expr, points: int) -> list[PairGeometry]:
    """Pairs of distinct points in every layer whose covariances an expression may contain."""
    marks = {symbol.name.partition("^")[2] for symbol in expression.free_symbols}
    layers = sorted(int(mark[1:-1]) for mark in marks if mark)
    return [
        PairGeometry(
            K_aa=covariance(a, a, layer),
            K_ab=covariance(a, b, layer),
            K_bb=covariance(b, b, layer),
            D=determinant(a, b, layer),
        )
        for layer in (None, *layers)
        for a, b in point_pairs(points)
        if a != b
    ]
