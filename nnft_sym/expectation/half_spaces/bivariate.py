"""The bivariate normal distribution function as a sympy function."""

from __future__ import annotations

from typing import Any

import mpmath
import sympy as sp
from mpmath.libmp import prec_to_dps
from sympy.core.function import ArgumentIndexError

from nnft_sym.expectation.half_spaces.tails import bivariate_normal_cdf
from nnft_sym.language.errors import AccuracyError

__all__ = ["BivariateNormalCDF", "normal_cdf", "quadrant_probability"]

# Working bits beyond the precision asked for.
_EXTRA_BITS = (30, 60, 120, 240, 480, 960)


def normal_cdf(h: sp.Expr) -> sp.Expr:
    """Φ(h), written with the error function.

    Examples
    --------
    >>> normal_cdf(sp.Integer(0))
    1/2
    """
    return (1 + sp.erf(h / sp.sqrt(2))) / 2


class BivariateNormalCDF(sp.Function):
    r"""Probability of a quadrant under two correlated standard normals.

    .. math:: \Phi_2(h, k; \rho) = P(X < h, Y < k), \qquad E[XY] = \rho .

    Parameters
    ----------
    h, k : sympy.Expr
        Corner of the quadrant, real or infinite.
    rho : sympy.Expr
        ρ: correlation, -1 <= ρ <= 1.

    Notes
    -----
    Source: D. B. Owen, Ann. Math. Statist. 27 (1956) 1075, for the reduction to wedges.

    Examples
    --------
    >>> BivariateNormalCDF(0, 0, sp.Rational(1, 2))
    1/3
    >>> BivariateNormalCDF(1, -1, sp.Rational(1, 2)).evalf(20)
    0.15487295185860278754
    """

    nargs = 3
    is_nonnegative = True
    # What sympy.lambdify calls in place of a function it does not know.
    _imp_ = staticmethod(bivariate_normal_cdf)

    @classmethod
    def eval(cls, h: sp.Expr, k: sp.Expr, rho: sp.Expr) -> sp.Expr | None:
        if sp.nan in (h, k, rho) or (rho.is_number and (abs(rho) - 1).is_positive):
            return sp.nan
        for this, other in ((h, k), (k, h)):
            if this is sp.S.NegativeInfinity:
                return sp.Integer(0)
            if this is sp.S.Infinity:
                return normal_cdf(other)
        if rho.is_zero:
            return normal_cdf(h) * normal_cdf(k)
        if h.is_zero and k.is_zero:
            return sp.Rational(1, 4) + sp.asin(rho) / (2 * sp.pi)
        if rho == 1:
            return normal_cdf(sp.Min(h, k))
        if rho == -1:
            return sp.Max(normal_cdf(h) + normal_cdf(k) - 1, 0)
        return None

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        h, k, rho = self.args
        if argindex == 2:
            return BivariateNormalCDF(k, h, rho).fdiff(1)
        root = sp.sqrt(1 - rho**2)
        if argindex == 1:
            density = sp.exp(-(h**2) / 2) / sp.sqrt(2 * sp.pi)
            return density * normal_cdf((k - rho * h) / root)
        if argindex == 3:
            form = (h**2 - 2 * rho * h * k + k**2) / (1 - rho**2)
            return sp.exp(-form / 2) / (2 * sp.pi * root)
        raise ArgumentIndexError(self, argindex)

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        """Digits that stay as the working precision grows: slivers at ρ -> ±1 lose many."""
        before = None
        for extra in _EXTRA_BITS:
            working = prec + extra
            values = [argument.evalf(prec_to_dps(working) + 1) for argument in self.args]
            if not all(value.is_Float or value.is_Rational for value in values):
                return None
            with mpmath.workprec(working):
                h, k, rho = (value._to_mpmath(working) for value in values)
                found = _at(h, k, rho)
                if mpmath.isnan(found):
                    return sp.nan
                settled = before is not None and abs(found - before) <= mpmath.ldexp(
                    abs(found), -prec
                )
                # A correlation rounded to ±1 may show slivers when more is known of it.
                if settled and (abs(rho) < 1 or extra == _EXTRA_BITS[-1]):
                    return sp.Float._new(found._mpf_, prec)
            before = found
        raise AccuracyError(
            expected=f"{prec_to_dps(prec)} digits of a bivariate normal probability",
            came=f"{self}, of which {prec_to_dps(working)} working digits leave none certain",
            remedy="write its arguments in exact numbers, ρ = ±1 where the correlation is perfect",
        )

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        h, k, rho = (printer._print(argument) for argument in self.args)
        text = rf"\Phi_{{2}}\left({h}, {k}; {rho}\right)"
        return text if exp is None else rf"{text}^{{{exp}}}"


def _at(h: Any, k: Any, rho: Any) -> Any:
    """Φ₂(h, k; ρ), with a correlation that rounding moved beyond ±1 put back."""
    rest = (1 - rho) * (1 + rho)
    if rest < 0:
        if -rest > mpmath.ldexp(1, 16 - mpmath.mp.prec):
            return mpmath.nan
        rho, rest = mpmath.sign(rho), mpmath.mpf(0)
    return quadrant_probability(h, k, rho, rest)


def quadrant_probability(
    h: Any, k: Any, rho: Any, rest: Any, slopes: tuple[Any, Any] | None = None
) -> Any:
    """Φ₂(h, k; ρ) in mpmath's working precision.

    Parameters
    ----------
    h, k, rho, rest : mpf
        Corner, correlation, and 1 - ρ².
    slopes : tuple of mpf, optional
        (k - ρh)/√(1-ρ²) and (h - ρk)/√(1-ρ²), where they are known better than from the others.

    Examples
    --------
    >>> mpmath.nstr(quadrant_probability(mpmath.mpf(-9), mpmath.mpf(-9), mpmath.mpf(0), 1), 6)
    '1.27371e-38'
    """
    root = mpmath.sqrt(rest)
    if h == 0 and k == 0:
        return mpmath.mpf(1) / 4 + mpmath.atan2(rho, root) / (2 * mpmath.pi)
    slope_h, slope_k = slopes or (
        rise / root if root else (mpmath.sign(rise) * mpmath.inf if rise else mpmath.mpf(0))
        for rise in (k - rho * h, h - rho * k)
    )
    tail = _wedge(abs(h), -slope_h if k <= 0 else slope_h)
    tail += _wedge(abs(k), -slope_k if h <= 0 else slope_k)
    if h <= 0 and k <= 0:
        return tail
    if k <= 0 or h <= 0:
        return mpmath.ncdf(min(h, k)) - tail
    return mpmath.ncdf(h) - mpmath.ncdf(-k) + tail


def _wedge(H: Any, b: Any) -> Any:
    """P(X > H, H Y > b X) for independent standard normals and H >= 0.

    With y = H sinh(u) it is (1/2π) ∫ exp(-H² cosh²(u)/2)/cosh(u) du from asinh(b/H), smooth for
    every H; unit steps reach until nothing is left at the working precision.
    """
    B = abs(b)
    value = mpmath.mpf(0)
    if H and mpmath.isfinite(B):
        start = mpmath.asinh(B / H)
        corner = H**2 + B**2
        lost = (mpmath.mp.prec + 10) * mpmath.log(2)
        scale = mpmath.cosh(start)

        def integrand(u: Any) -> Any:
            return mpmath.exp(-((H * mpmath.cosh(u)) ** 2 - corner) / 2) / mpmath.cosh(u) * scale

        end = min(mpmath.asinh(mpmath.sqrt(B**2 + 2 * lost) / H), start + lost)
        steps = int(mpmath.ceil(end - start)) or 1
        path = [start + (end - start) * i / steps for i in range(steps + 1)]
        value = mpmath.quad(integrand, path)
        value *= mpmath.exp(-corner / 2) / (2 * mpmath.pi * scale)
    elif not H and not B:
        value = mpmath.mpf(1) / 4
    return mpmath.ncdf(-H) - value if b < 0 else value
