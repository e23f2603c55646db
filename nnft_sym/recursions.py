"""The recursion K → C_b + C_W E[φ²]_K of the variance through layers, and its fixed points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite
from typing import Any

import sympy as sp

from nnft_sym.activations import Activation, Z
from nnft_sym.expectation.averages import Average
from nnft_sym.expectation.slopes import pieces_at, weak_derivative
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.roots import Root, find_roots

__all__ = ["FixedPoint", "FixedPoints", "VarianceRecursion", "fixed_points", "over_bracket"]

RANGE = (1e-4, 1e4)
"""Variances searched if no range is given."""


@dataclass(frozen=True, kw_only=True)
class VarianceRecursion:
    """F(K) = E[φ²]_K with its derivative and E[φ'²]_K, for one input.

    By parts F'(K) = ½E[(φ²)'']_K = E[φ'²]_K + E[φφ'']_K, so that the two susceptibilities
    χ_∥ = C_W F' and χ_⊥ = C_W E[φ'²] agree where E[φφ'']_K = 0.

    Parameters
    ----------
    activation : Activation
        φ.

    Raises
    ------
    NotDerivedError
        For normalised activations, which refer to K themselves.

    Source: [PDLT] chapter 5.
    """

    activation: Activation

    def __post_init__(self) -> None:
        if self.activation.is_normalised:
            raise NotDerivedError(
                expected="an activation in z alone, for its recursion of variances",
                came=f"{self.activation}",
                remedy="normalised activations belong in first layers only",
            )

    @property
    def phi(self) -> sp.Expr:
        """φ(z)."""
        return self.activation.expression

    @property
    def jumps(self) -> bool:
        """Whether φ jumps: E[φ'²] is infinite then."""
        return bool(weak_derivative(self.phi).jumps)

    @cached_property
    def variance(self) -> Average:
        """F: E[φ²]."""
        return Average(integrand=self.phi**2)

    @cached_property
    def _weighted(self) -> Average:
        return Average(integrand=self.phi**2 * Z**2)

    @cached_property
    def slope(self) -> Average:
        """E[φ'²] of an activation without jumps."""
        return Average(integrand=weak_derivative(self.phi).regular ** 2)

    @cached_property
    def curvature(self) -> Average:
        """E[φφ''] of an activation without jumps; corners of φ are delta functions of φ''."""
        second = weak_derivative(weak_derivative(self.phi).regular)
        corners = tuple(
            (jump.threshold, jump.height * self._at(jump.threshold)) for jump in second.jumps
        )
        return Average(
            integrand=sp.expand(self.phi * second.regular),
            deltas=tuple((t, c) for t, c in corners if c != 0),
        )

    def _at(self, t: sp.Expr) -> sp.Expr:
        value = pieces_at(self.phi, t)[1].xreplace({Z: t})
        return sp.Integer(0) if abs(sp.N(value)) < 1e-14 else value

    def derivative(self, K: float) -> tuple[float, float]:
        """F'(K) with its error bound, K > 0."""
        if self.jumps:
            # ∂p/∂K = p (z²/K - 1)/2K for the density p of z needs no derivative of φ.
            (a, da), (b, db) = self._weighted(K), self.variance(K)
            return (a / K - b) / (2 * K), (da / K + db) / (2 * K)
        (a, da), (b, db) = self.slope(K), self.curvature(K)
        return a + b, da + db

    @cached_property
    def slopes_at_zero(self) -> tuple[sp.Expr, sp.Expr] | None:
        """One-sided derivatives φ'(0-), φ'(0+); None if not finite."""
        values = tuple(
            sp.diff(piece, Z).xreplace({Z: sp.Integer(0)})
            for piece in pieces_at(self.phi, sp.S.Zero)
        )
        return None if any(not value.is_finite for value in values) else values

    @cached_property
    def scale_invariant(self) -> tuple[sp.Expr, sp.Expr] | None:
        """Slopes (a_-, a_+) if φ = a_+ max(z, 0) + a_- min(z, 0), else None."""
        t = sp.Symbol("t", positive=True)
        plus, minus = self.phi.subs(Z, t) / t, -self.phi.subs(Z, -t) / t
        slopes = sp.cancel(minus), sp.cancel(plus)
        return None if any(a.has(t) for a in slopes) else slopes

    @property
    def fixes_zero(self) -> bool:
        """Whether φ(0) = 0, so that K = 0 is a fixed point without biases."""
        left, right = (piece.xreplace({Z: sp.S.Zero}) for piece in pieces_at(self.phi, sp.S.Zero))
        return bool(left == 0 and right == 0)


@dataclass(frozen=True, kw_only=True)
class FixedPoint:
    """A fixed point K* of K → C_b + C_W F(K), with its susceptibilities.

    Parameters
    ----------
    K, K_error : float
        K* and its error bound.
    parallel, perpendicular : float
        χ_∥ = C_W F'(K*) and χ_⊥ = C_W E[φ'²]_{K*}; the latter infinite for jumps.
    parallel_error, perpendicular_error : float
        Their error bounds.
    stability : str
        ``"stable"`` (χ_∥ < 1), ``"unstable"`` or ``"marginal"``.
    """

    K: float
    K_error: float
    parallel: float
    perpendicular: float
    parallel_error: float
    perpendicular_error: float
    stability: str


@dataclass(frozen=True, kw_only=True)
class FixedPoints:
    """All fixed points found, and what was searched.

    Parameters
    ----------
    points : tuple of FixedPoint
        In ascending order of K.
    every : bool
        Whether every K is fixed.
    searched : str
        The range and the method.
    source : str
        Reference.
    """

    points: tuple[FixedPoint, ...]
    every: bool
    searched: str
    source: str = "PDLT"


def fixed_points(
    activation: Any,
    weight_variance: float,
    bias_variance: float,
    *,
    search: tuple[float, float] = RANGE,
) -> FixedPoints:
    """Return the fixed points of K → C_b + C_W E[φ²]_K.

    Parameters
    ----------
    activation : Activation, sympy.Expr or str
        φ.
    weight_variance, bias_variance : float
        C_W ≥ 0 and C_b ≥ 0.
    search : (float, float)
        Range of K > 0 that is searched; K = 0 is looked at besides.

    Returns
    -------
    FixedPoints

    Raises
    ------
    SpecificationError
        If a variance is negative or the range is empty.
    AccuracyError, InfiniteMomentError
        If E[φ²] cannot be evaluated anywhere on the range.

    Source: [PDLT] chapter 5.

    Examples
    --------
    >>> fixed_points("erf(z)", 1.0, 0.1, search=(0.1, 1.0)).points[0].stability
    'stable'
    """
    C_W, C_b = float(weight_variance), float(bias_variance)
    low, high = search
    if not (C_W >= 0 and C_b >= 0 and isfinite(C_W + C_b) and 0 < low < high):
        raise SpecificationError(
            expected="variances C_W, C_b >= 0 and a range 0 < low < high",
            came=f"C_W = {C_W}, C_b = {C_b}, search = {search}",
            remedy="pass squares of scales and a range of variances",
        )
    recursion = VarianceRecursion(activation=Activation.of(activation))
    if recursion.scale_invariant is not None:
        return _of_lines(recursion, C_W, C_b)
    points = []
    if C_b == 0 and recursion.fixes_zero:
        points.append(_at_zero(recursion, C_W))

    def residual(K: float) -> tuple[float, float]:
        value, error = recursion.variance(K)
        return C_b + C_W * value - K, C_W * error + 1e-15 * (K + C_b)

    def slope(K: float) -> tuple[float, float]:
        value, error = recursion.derivative(K)
        return C_W * value - 1, C_W * error

    stationary = find_roots(slope, low, high)
    found = find_roots(residual, low, high, (root.value for root in stationary.roots))
    for root in found.roots:
        parallel, error = over_bracket(recursion.derivative, root)
        steep = C_W * parallel
        across = (inf, 0.0) if recursion.jumps else over_bracket(recursion.slope, root)
        marginal = root.touching or abs(steep - 1) <= C_W * error
        points.append(
            FixedPoint(
                K=root.value,
                K_error=root.error,
                parallel=steep,
                parallel_error=C_W * error,
                perpendicular=C_W * across[0] if C_W else 0.0,
                perpendicular_error=C_W * across[1],
                stability="marginal" if marginal else "stable" if abs(steep) < 1 else "unstable",
            )
        )
    searched = f"{found}, and between all K where χ_∥ = 1, found likewise; and K = 0"
    return FixedPoints(points=tuple(points), every=False, searched=searched)


def over_bracket(
    function: Callable[[float], tuple[float, float]], root: Root
) -> tuple[float, float]:
    """Value at a root, with what the root's own error and that of the function can change."""
    value, error = function(root.value)
    for end in (root.value - root.error, root.value + root.error):
        other, bound = function(end)
        error = max(error, abs(other - value) + bound)
    return value, error


def _at_zero(recursion: VarianceRecursion, C_W: float) -> FixedPoint:
    slopes = recursion.slopes_at_zero
    steep = inf if slopes is None else C_W * float(slopes[0] ** 2 + slopes[1] ** 2) / 2
    stability = "marginal" if abs(steep - 1) <= 1e-12 else "stable" if steep < 1 else "unstable"
    return FixedPoint(
        K=0.0,
        K_error=0.0,
        parallel=steep,
        perpendicular=steep,
        parallel_error=4e-16 * steep,
        perpendicular_error=4e-16 * steep,
        stability=stability,
    )


def _of_lines(recursion: VarianceRecursion, C_W: float, C_b: float) -> FixedPoints:
    """F(K) = A K: one fixed point C_b/(1 - C_W A), or none, or all."""
    left, right = recursion.scale_invariant  # type: ignore[misc]
    chi = C_W * float(left**2 + right**2) / 2
    searched = "solved exactly: E[φ²] = (a_+² + a_-²)K/2"
    if abs(chi - 1) <= 4e-15 and C_b == 0:
        return FixedPoints(points=(), every=True, searched=searched)
    points: tuple[FixedPoint, ...] = ()
    if C_b == 0 or chi < 1:
        K = C_b / (1 - chi) if C_b else 0.0
        stability = "stable" if chi < 1 else "unstable"
        error = 4e-16 * K / abs(1 - chi)
        points = (
            FixedPoint(
                K=K,
                K_error=error,
                parallel=chi,
                perpendicular=chi,
                parallel_error=4e-16 * chi,
                perpendicular_error=4e-16 * chi,
                stability=stability,
            ),
        )
    return FixedPoints(points=points, every=False, searched=searched)
