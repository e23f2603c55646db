"""Where a crease lies in one coordinate, given the other: explicit branches of g(u, v) = 0 in v.

Creases that are affine, quadratic or one wave in v, g = a cos v + b sin v + c, have one, one or two
branches; where there is no real one, the nearest approach of g to zero takes its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import numpy as np
import sympy as sp
from numpy.typing import NDArray

__all__ = ["Solution", "affine_parts", "solution"]

Floats = NDArray[np.float64]

_SQUARINGS = 2


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Coefficients of a crease in v, functions of u.

    Parameters
    ----------
    kind : str
        "affine" (a v + b), "quadratic" (a v² + b v + c) or "wave" (a cos v + b sin v + c).
    coefficients : tuple of sympy.Expr
        a, b and c.
    """

    kind: str
    coefficients: tuple[sp.Expr, ...]

    @property
    def branches(self) -> int:
        """Number of zeros in v."""
        return 1 if self.kind == "affine" else 2

    @property
    def indicators(self) -> tuple[sp.Expr, ...]:
        """Functions of u whose zeros hold every u at which branches appear, meet or escape.

        Examples
        --------
        >>> u, v = sp.symbols("u v", real=True)
        >>> solution(u * v**2 - 1, v).indicators
        (u, 4*u)
        """
        a, b, *rest = self.coefficients
        if self.kind == "affine":
            return (a,)
        if self.kind == "quadratic":
            return a, sp.expand(b**2 - 4 * a * rest[0])
        return sp.expand(a**2 + b**2), sp.expand(a**2 + b**2 - rest[0] ** 2)

    def roots(self, coefficients: tuple[Floats, ...], low: Floats) -> Floats:
        """Zeros along a new last axis, waves between low and low + 2π, sorted.

        Examples
        --------
        >>> v = sp.Symbol("v", real=True)
        >>> numbers = tuple(np.array(float(c)) for c in (1, -3, 2))
        >>> solution(v**2 - 3 * v + 2, v).roots(numbers, np.array(0.0)).tolist()
        [1.0, 2.0]
        """
        a, b, *rest = coefficients
        with np.errstate(all="ignore"):
            if self.kind == "affine":
                return (-b / a)[..., None]
            c = rest[0]
            if self.kind == "quadratic":
                # The larger root first, so that the smaller one does not cancel.
                square = b**2 - 4 * a * c
                far = -(b + np.copysign(np.sqrt(np.maximum(square, 0)), b)) / 2
                vertex = -b / (2 * a)
                pair = [
                    np.where(square < 0, vertex, far / a),
                    np.where(square < 0, vertex, c / far),
                ]
            else:
                centre = np.arctan2(b, a)
                half = np.arccos(np.clip(-c / np.hypot(a, b), -1, 1))
                pair = [low + (centre + s * half - low) % (2 * np.pi) for s in (-1, 1)]
            return np.sort(np.stack(pair, axis=-1), axis=-1)


def solution(argument: sp.Expr, symbol: sp.Symbol) -> Solution | None:
    """Solve g = 0 for one coordinate; None if g is of another kind.

    Square roots are squared away, which may add branches on which g is smooth.

    Examples
    --------
    >>> u, v = sp.symbols("u v", real=True)
    >>> solution(sp.sqrt(u**2 + v**2) - 1, v).coefficients
    (1, 0, u**2 - 1)
    >>> solution(u * sp.cos(v) + 2 * sp.sin(v), v).coefficients
    (u, 2, 0)
    >>> solution(sp.exp(v) - v, v) is None
    True
    """
    argument = _without_roots(argument, symbol)
    if argument.is_polynomial(symbol):
        coefficients = sp.Poly(argument, symbol).all_coeffs()
        if len(coefficients) > 3:
            return None
        padded = [sp.Integer(0)] * (2 - len(coefficients)) + coefficients
        kind = "quadratic" if len(padded) == 3 else "affine"
        return Solution(kind=kind, coefficients=tuple(padded))
    cosine, sine = sp.Dummy(), sp.Dummy()
    plain = sp.expand(argument).xreplace({sp.cos(symbol): cosine, sp.sin(symbol): sine})
    if symbol in plain.free_symbols or not plain.is_polynomial(cosine, sine):
        return None
    polynomial = sp.Poly(plain, cosine, sine)
    if polynomial.total_degree() > 1:
        return None
    parts = tuple(polynomial.coeff_monomial(m) for m in (cosine, sine, 1))
    return Solution(kind="wave", coefficients=parts)


def affine_parts(argument: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, sp.Expr] | None:
    """(α, β) of α·symbol + β; None if it is no such function.

    Examples
    --------
    >>> u, v = sp.symbols("u v", real=True)
    >>> affine_parts(u * v + 3, v)
    (u, 3)
    """
    if not argument.is_polynomial(symbol):
        return None
    coefficients = sp.Poly(argument, symbol).all_coeffs()
    if len(coefficients) > 2:
        return None
    return (sp.Integer(0), coefficients[0]) if len(coefficients) == 1 else tuple(coefficients)


def _without_roots(argument: sp.Expr, symbol: sp.Symbol) -> sp.Expr:
    """P² A - Q² for P √A + Q: every zero of the latter is one of the former."""
    for squared in count():
        argument = sp.expand(argument)
        root = next(
            (
                node
                for node in sp.preorder_traversal(argument)
                if isinstance(node, sp.Pow)
                and node.exp == sp.Rational(1, 2)
                and symbol in node.free_symbols
            ),
            None,
        )
        if root is None or squared == _SQUARINGS:
            return argument
        stand_in = sp.Dummy()
        parts = affine_parts(argument.xreplace({root: stand_in}), stand_in)
        if parts is None:
            return argument
        argument = parts[0] ** 2 * root.base - parts[1] ** 2
    return argument
