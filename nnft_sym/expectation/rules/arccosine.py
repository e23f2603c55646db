"""Two piecewise polynomials with one kink at zero: the arc-cosine kernels and their relatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import Z
from nnft_sym.expectation.forms import ClosedForm, SymbolicForm
from nnft_sym.expectation.variables import covariance, determinant

RANK = 30

LARGEST_DEGREE = 24
"""Degree beyond which the recursion is left to numerical integration."""

_T = sp.Symbol("t", positive=True)
_ANGLE = sp.Symbol("vartheta", real=True)
HalfLines = tuple[tuple[sp.Expr, ...], tuple[sp.Expr, ...]]


def derive(factors: tuple[sp.Expr, ...]) -> ClosedForm | None:
    """E[φ_1(u) φ_2(v)] for φ polynomial on each side of zero.

    The expectation is a sum of J_ij = E[u^i v^j; u>0, v>0], which integration by parts
    reduces to J_00 = (π - ϑ)/2π with cos ϑ = K₁₂/√(K₁₁K₂₂).

    Source: [CS09] equation (1) for the pure powers.

    Examples
    --------
    >>> form = derive((sp.Max(Z, 0), sp.Max(Z, 0)))
    >>> sp.simplify(form.in_determinants.subs(determinant(1, 2), 0))
    K_12*(pi - atan2(0, K_12))/(2*pi)
    """
    if len(factors) > 2:
        return None
    halves = [half for factor in factors if (half := _half_lines(factor)) is not None]
    if len(halves) < len(factors):
        return None
    if len(factors) == 1:
        expression = _one_point(halves[0], covariance(1, 1))
        step = (
            r"E[u^i\,\theta(\pm u)] = (\pm 1)^i\,\frac{2^{i/2}}{2\sqrt\pi}"
            r"\,\Gamma\!\left(\tfrac{i+1}{2}\right) K_{11}^{i/2}"
        )
        return SymbolicForm(
            points=1, in_determinants=expression, source="CS09", steps=(_sides(halves[0]), step)
        )
    angle = sp.atan2(sp.sqrt(determinant(1, 2)), covariance(1, 2))
    expression = _shortest(_two_points(halves[0], halves[1]))
    steps = (
        *dict.fromkeys(_sides(half) for half in halves),
        r"\text{Price: } \partial_{K_{12}} E[\phi_1\phi_2] = E[\phi_1'\phi_2'],"
        r"\ \theta' = \delta:\quad \partial_{K_{12}} J_{00} = E[\delta(u)\delta(v)]"
        r" = \frac{1}{2\pi\sqrt{K_{11}K_{22}-K_{12}^2}}",
        r"J_{ij} = E[u^i v^j\,\theta(u)\theta(v)],\quad J_{00} = (\pi-\vartheta)/2\pi,"
        r"\quad \cos\vartheta = K_{12}/\sqrt{K_{11}K_{22}}",
        r"J_{ij} = (i-1)K_{11}J_{i-2,j} + jK_{12}J_{i-1,j-1}"
        r" + K_{11}E[u^{i-1}\delta(u)v^j\theta(v)] + K_{12}E[u^{i-1}\theta(u)v^j\delta(v)]",
    )
    return _ArccosineForm(
        points=2,
        in_determinants=expression.xreplace({_ANGLE: angle}),
        source="CS09",
        steps=steps,
        at_zero=tuple(factor.xreplace({Z: sp.Integer(0)}) for factor in factors),
        one_point=tuple(_one_point(half, covariance(1, 1)) for half in halves),
    )


@dataclass(frozen=True, kw_only=True)
class _ArccosineForm(SymbolicForm):
    """Two-point form that treats points of zero variance, where the angle is undefined."""

    at_zero: tuple[sp.Expr, ...]
    one_point: tuple[sp.Expr, ...]

    def evaluate(self, K: NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
        value = np.empty(len(K))
        fixed = K[:, [0, 1], [0, 1]] == 0.0
        free = ~fixed.any(axis=1)
        value[free] = super().evaluate(K[free], D[free])
        for mask, random in ((fixed.all(axis=1), None), (~fixed[:, 0], 0), (~fixed[:, 1], 1)):
            rows = mask & ~free
            if rows.any():
                value[rows] = self._with_fixed_points(K[rows], random)
        return value

    def _with_fixed_points(self, K: NDArray[np.float64], random: int | None) -> NDArray[np.float64]:
        if random is None:
            return np.full(len(K), float(self.at_zero[0] * self.at_zero[1]))
        one = SymbolicForm(points=1, in_determinants=self.one_point[random], source=self.source)
        variance = K[:, random, random].reshape(-1, 1, 1)
        return float(self.at_zero[1 - random]) * one.evaluate(variance, variance)


def _sides(half: HalfLines) -> str:
    """The function on its two half-lines."""
    positive, negative = (
        sp.latex(sp.Add(*(c * Z**i for i, c in enumerate(side)))) for side in half
    )
    return rf"\phi(z) = \theta(z)\left({positive}\right) + \theta(-z)\left({negative}\right)"


def _half_lines(factor: sp.Expr) -> HalfLines | None:
    """Coefficients (ascending) of the polynomials for z > 0 and z < 0."""
    sides = []
    for value in (_T, -_T):
        side = factor.subs(Z, value)
        if not side.is_polynomial(_T):
            return None
        ascending = sp.Poly(side, _T).all_coeffs()[::-1]
        if len(ascending) > LARGEST_DEGREE + 1:
            return None
        sides.append(tuple(c * (1 if value is _T else (-1) ** i) for i, c in enumerate(ascending)))
    return sides[0], sides[1]


@lru_cache(maxsize=64)
def _half_moment(power: int) -> sp.Expr:
    """E[g^i; g > 0] of a standard normal: 2^{i/2} Γ((i+1)/2)/(2√π)."""
    half = sp.Rational(power + 1, 2)
    return 2 ** sp.Rational(power, 2) * sp.gamma(half) / (2 * sp.sqrt(sp.pi))


def _one_point(half: HalfLines, variance: sp.Expr) -> sp.Expr:
    scale = sp.sqrt(variance)
    positive, negative = half
    return sp.Add(
        *(c * _half_moment(i) * scale**i for i, c in enumerate(positive)),
        *(c * _half_moment(i) * (-scale) ** i for i, c in enumerate(negative)),
    )


def _two_points(first: HalfLines, second: HalfLines) -> sp.Expr:
    """Sum over the four quadrants; a reflection of one variable flips K₁₂ and ϑ -> π - ϑ."""
    K12 = covariance(1, 2)
    flip = {K12: -K12, _ANGLE: sp.pi - _ANGLE}
    total = []
    for s, p in zip((1, -1), first, strict=True):
        for r, q in zip((1, -1), second, strict=True):
            for i, a in enumerate(p):
                for j, b in enumerate(q):
                    if a != 0 and b != 0:
                        J = _quadrant(i, j)
                        total.append(a * b * s**i * r**j * (J if s == r else J.xreplace(flip)))
    return sp.Add(*total)


def _shortest(expression: sp.Expr) -> sp.Expr:
    """Collect in ϑ or in π - ϑ, whichever is shorter."""
    in_angle = sp.expand(expression).collect(_ANGLE)
    supplement = sp.Dummy("psi")
    in_supplement = sp.expand(expression.xreplace({_ANGLE: sp.pi - supplement})).collect(supplement)
    in_supplement = in_supplement.xreplace({supplement: sp.pi - _ANGLE})
    return min(in_supplement, in_angle, key=sp.count_ops)


@lru_cache(maxsize=256)
def _quadrant(i: int, j: int) -> sp.Expr:
    """J_ij = E[u^i v^j; u > 0, v > 0] in K, D and the angle ϑ, by Gaussian integration by parts."""
    K11, K12, K22 = covariance(1, 1), covariance(1, 2), covariance(2, 2)
    D = determinant(1, 2)
    if i == 0 and j == 0:
        return (sp.pi - _ANGLE) / (2 * sp.pi)
    if i == 0:
        return _quadrant(j, 0).xreplace({K11: K22, K22: K11})
    bulk = sp.Integer(0)
    if i >= 2:
        bulk += (i - 1) * K11 * _quadrant(i - 2, j)
    if j >= 1:
        bulk += j * K12 * _quadrant(i - 1, j - 1)
    if i == 1:
        bulk += sp.sqrt(K11) / sp.sqrt(2 * sp.pi) * sp.sqrt(D / K11) ** j * _half_moment(j)
    if j == 0:
        density = K12 / sp.sqrt(2 * sp.pi * K22)
        bulk += density * sp.sqrt(D / K22) ** (i - 1) * _half_moment(i - 1)
    return sp.expand(bulk)
