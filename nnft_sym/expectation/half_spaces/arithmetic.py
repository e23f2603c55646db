"""The two arithmetics closed forms are evaluated in: doubles over arrays, and mpmath."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import sympy as sp
from mpmath.libmp import prec_to_dps

from nnft_sym.expectation.half_spaces.bivariate import quadrant_probability
from nnft_sym.expectation.half_spaces.tails import (
    corner_slopes,
    half_line,
    quadrant,
    sign_line,
)

__all__ = ["Big", "Doubles"]


class Doubles:
    """Arrays of doubles."""

    exp = staticmethod(np.exp)
    sqrt = staticmethod(np.sqrt)
    half_line = staticmethod(half_line)
    sign_line = staticmethod(sign_line)
    corner_slopes = staticmethod(corner_slopes)
    pi = np.pi

    def number(self, constant: sp.Expr) -> Any:
        """A constant of the function as a number."""
        value = complex(constant)
        return value if value.imag else value.real

    def divide(self, numerator: Any, denominator: Any, otherwise: Any) -> Any:
        """Quotient, and another value where the denominator is 0."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.where(denominator == 0, otherwise, numerator / denominator)

    def correlation(self, covariance: Any, scale: Any, rest: Any) -> Any:
        """ρ, in agreement with 1 - ρ² = rest where that is small."""
        near = np.copysign(np.sqrt(np.maximum(1 - rest, 0)), covariance)
        return np.where(rest < 0.5, near, self.divide(covariance, scale, near))

    def arcsine(self, rho: Any, rest: Any) -> Any:
        """asin(ρ), given 1 - ρ²."""
        return np.arctan2(rho, np.sqrt(rest))

    def quadrant(self, weight: Any, h: Any, k: Any, rho: Any, rest: Any, slopes: Any) -> Any:
        """exp(w) Φ₂(h, k; ρ)."""
        return quadrant(weight, h, k, rho, *slopes)


class Big:
    """mpmath's numbers at its working precision."""

    exp = staticmethod(mpmath.exp)
    sqrt = staticmethod(mpmath.sqrt)

    @property
    def pi(self) -> Any:
        """π at the working precision."""
        return +mpmath.pi

    def number(self, constant: sp.Expr) -> Any:
        """A constant of the function as a number."""
        value = sp.sympify(constant).evalf(prec_to_dps(mpmath.mp.prec) + 5)
        real, imaginary = value.as_real_imag()
        precision = mpmath.mp.prec
        if imaginary:
            return mpmath.mpc(real._to_mpmath(precision), imaginary._to_mpmath(precision))
        return real._to_mpmath(precision)

    def divide(self, numerator: Any, denominator: Any, otherwise: Any) -> Any:
        """Quotient, and another value where the denominator is 0."""
        return otherwise if denominator == 0 else numerator / denominator

    def half_line(self, weight: Any, h: Any) -> Any:
        """exp(w) Φ(h)."""
        return mpmath.exp(weight) * mpmath.erfc(-h / mpmath.sqrt(2)) / 2

    def sign_line(self, weight: Any, h: Any) -> Any:
        """exp(w) erf(h/√2)."""
        return mpmath.exp(weight) * mpmath.erf(h / mpmath.sqrt(2))

    def correlation(self, covariance: Any, scale: Any, rest: Any) -> Any:
        """ρ, in agreement with 1 - ρ² = rest."""
        near = mpmath.sqrt(max(1 - rest, 0)) * (-1 if covariance < 0 else 1)
        return near if rest < 0.5 else covariance / scale

    def corner_slopes(self, h: Any, k: Any, rho: Any, rest: Any) -> tuple[Any, Any]:
        """(k - ρh)/√(1-ρ²) and (h - ρk)/√(1-ρ²)."""
        side = -1 if rho < 0 else 1
        gap = rest / (1 + abs(rho))
        slopes = []
        for this, other in ((h, k), (k, h)):
            rise = (other - side * this) + side * gap * this
            if rest:
                slopes.append(rise / mpmath.sqrt(rest))
            else:
                slopes.append(mpmath.sign(rise) * mpmath.inf if rise else mpmath.mpf(0))
        return slopes[0], slopes[1]

    def arcsine(self, rho: Any, rest: Any) -> Any:
        """asin(ρ), given 1 - ρ²."""
        return mpmath.atan2(rho, mpmath.sqrt(rest))

    def quadrant(self, weight: Any, h: Any, k: Any, rho: Any, rest: Any, slopes: Any) -> Any:
        """exp(w) Φ₂(h, k; ρ)."""
        return mpmath.exp(weight) * quadrant_probability(h, k, rho, rest, slopes)
