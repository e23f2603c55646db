"""The symbols closed forms are written in: covariances and their 2×2 determinants."""

from __future__ import annotations

from functools import lru_cache

import sympy as sp

__all__ = [
    "collected_determinants",
    "covariance",
    "covariance_matrix",
    "determinant",
    "expanded_determinants",
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
def determinant(a: int, b: int) -> sp.Symbol:
    """D_ab = K_aa K_bb - K_ab², kept apart because its value is known without cancellation.

    Examples
    --------
    >>> determinant(1, 2)
    D_12
    """
    low, high = sorted((a, b))
    return sp.Symbol(f"D_{low}{high}", nonnegative=True)


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
    """Write D_ab as K_aa K_bb - K_ab², and its angle as an arccosine.

    Examples
    --------
    >>> expanded_determinants(sp.atan2(sp.sqrt(determinant(1, 2)), covariance(1, 2)), 2)
    acos(K_12/(sqrt(K_11)*sqrt(K_22)))
    """
    for b in range(1, points + 1):
        for a in range(1, b):
            D, K = determinant(a, b), covariance(a, b)
            product = covariance(a, a) * covariance(b, b)
            angle = sp.acos(K / sp.sqrt(product))
            expression = expression.xreplace({sp.atan2(sp.sqrt(D), K): angle, D: product - K**2})
    return expression


def collected_determinants(expression: sp.Expr, points: int) -> sp.Expr:
    """Undo :func:`expanded_determinants`, so that degenerate points are evaluated exactly.

    Examples
    --------
    >>> collected_determinants(covariance(1, 1) * covariance(2, 2) - covariance(1, 2) ** 2, 2)
    D_12
    """
    for b in range(1, points + 1):
        for a in range(1, b):
            D, K = determinant(a, b), covariance(a, b)
            product = covariance(a, a) * covariance(b, b)
            angle = sp.acos(K / sp.sqrt(product))
            expression = expression.xreplace({angle: sp.atan2(sp.sqrt(D), K), product - K**2: D})
    return expression
