"""The law of φ'(z) for activations with jumps: delta functions of Gaussian fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import Activation, Z
from nnft_sym.exactness import Exactness
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.expectation.cubature.moments import gaussian_moments
from nnft_sym.expectation.gaussian import GaussianLaw
from nnft_sym.expectation.law import Moments
from nnft_sym.expectation.sensitivity import relative_change_of_minors
from nnft_sym.expectation.slopes import Jump, weak_derivative
from nnft_sym.expectation.variables import covariance
from nnft_sym.language.errors import NotDerivedError
from nnft_sym.tensors import SymmetricTensor, multi_indices

__all__ = ["JumpLaw", "slope_law"]

Floats = NDArray[np.float64]

_COINCIDENT = 1e-7
"""Thresholds of collinear points, in standard deviations, that rounding cannot tell apart."""

_EPS = float(np.finfo(np.float64).eps)


def slope_law(law: GaussianLaw) -> GaussianLaw | JumpLaw:
    """Law of φ'(z) from the law of φ(z).

    Raises
    ------
    NotDerivedError
        If φ jumps and the bias is not a centred Gaussian, or φ is infinite somewhere.
    """
    derivative = weak_derivative(law.activation.expression)
    name = f"{law.activation.name}'"
    regular = replace(law, activation=Activation(expression=derivative.regular, name=name))
    if not derivative.jumps:
        return regular
    if law.offset is not None or law.activation.is_normalised:
        raise NotDerivedError(
            expected="a centred Gaussian bias below an activation with jumps, for its derivative",
            came=f"{law.activation} with the bias {law.offset}",
            remedy="use a Gaussian bias without mean, or none",
        )
    return JumpLaw(regular=regular, jumps=derivative.jumps)


@dataclass(frozen=True, kw_only=True)
class JumpLaw:
    """Law of g(z) + sum_i c_i δ(z - t_i) for a centred Gaussian field z; second moments alone.

    With p_ab the density of (z_a, z_b),

        E[φ'_a φ'_b] = E[g_a g_b] + sum_i c_i (E[δ(z_a - t_i) g_b] + E[g_a δ(z_b - t_i)])
                       + sum_ij c_i c_j p_ab(t_i, t_j),

    which is infinite at coincident points.

    Parameters
    ----------
    regular : GaussianLaw
        Law of g.
    jumps : tuple of Jump
        The thresholds t_i and heights c_i.

    Examples
    --------
    >>> from nnft_sym.activations import Sign
    >>> from nnft_sym.laws import first_layer_law
    >>> from nnft_sym.architectures import shallow
    >>> slope_law(first_layer_law(shallow(Sign()))).expression(2)
    2/(pi*sqrt(K_11*K_22 - K_12**2))
    """

    regular: GaussianLaw
    jumps: tuple[Jump, ...]

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        return self.regular.symbols

    @property
    def level(self) -> int:
        return self.regular.level

    @property
    def _slope(self) -> sp.Expr:
        return self.regular.activation.expression

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> JumpLaw:
        return replace(self, regular=self.regular.replace(symbols))

    def exactness(self, order: int) -> Exactness:
        if not self._slope.has(Z):
            return Exactness.exact()
        return Exactness.integral()

    def source(self, order: int) -> str:
        return "Price's theorem"

    def steps(self, order: int) -> tuple[str, ...]:
        deltas = " + ".join(
            rf"{sp.latex(j.height)}\,\delta({sp.latex(Z - j.threshold)})" for j in self.jumps
        )
        regular = "" if self._slope == 0 else f"{sp.latex(self._slope)} + "
        return (
            rf"\phi'(z) = {regular}{deltas}",
            r"E[\delta(z_1 - s)\delta(z_2 - t)] = \frac{1}{2\pi\sqrt{D}}"
            r"\exp\left(-\frac{K_{22}s^2 - 2K_{12}st + K_{11}t^2}{2D}\right),"
            r"\quad D = K_{11}K_{22} - K_{12}^2; \text{ infinite at coincident points}",
        )

    def expression(self, order: int) -> sp.Expr:
        _two_points_only(order)
        K11, K12, K22 = covariance(1, 1), covariance(1, 2), covariance(2, 2)
        D = K11 * K22 - K12**2
        total = sp.Integer(0)
        for left, right in product(self.jumps, repeat=2):
            s, t = left.threshold, right.threshold
            form = sp.expand(K22 * s**2 - 2 * K12 * s * t + K11 * t**2)
            density = sp.exp(-form / (2 * D)) / (2 * sp.pi * sp.sqrt(D))
            total += left.height * right.height * density
        if self._slope != 0:
            total += self.regular.expression(2)
            for jump in self.jumps:
                total += jump.height * (
                    self._mixed(jump, K11, K12, D) + self._mixed(jump, K22, K12, D)
                )
        return total

    def _mixed(self, jump: Jump, K11: sp.Expr, K12: sp.Expr, D: sp.Expr) -> sp.Expr:
        """E[δ(u - t) g(v)] by the conditional law of v, a Gaussian of mean K₁₂t/K₁₁."""
        t = jump.threshold
        at_threshold = sp.exp(-(t**2) / (2 * K11)) / sp.sqrt(2 * sp.pi * K11)
        if not self._slope.has(Z):
            return at_threshold * self._slope
        mean, variance = K12 * t / K11, D / K11
        density = sp.exp(-((Z - mean) ** 2) / (2 * variance)) / sp.sqrt(2 * sp.pi * variance)
        return at_threshold * sp.Integral(self._slope * density, (Z, -sp.oo, sp.oo))

    def variables(self, order: int) -> dict[sp.Symbol, sp.Expr]:
        return self.regular.variables(order)

    def arguments(
        self, X: Floats, values: Mapping[sp.Symbol, float], indices: NDArray[np.intp]
    ) -> dict[sp.Basic, Floats]:
        return self.regular.arguments(X, values, indices)

    def moments(
        self, orders: Iterable[int], X: Floats, values: Mapping[sp.Symbol, float]
    ) -> dict[int, Moments]:
        return self.moments_over(self.regular.covariance.gram(X, values), orders, values)

    def moments_over(
        self, gram: Gram, orders: Iterable[int], values: Mapping[sp.Symbol, float]
    ) -> dict[int, Moments]:
        """Second moments over a covariance; entries are infinite at coincident points."""
        for order in orders:
            _two_points_only(order)
        n = len(gram)
        rows = multi_indices(2, n)
        entries = np.zeros(len(rows))
        for left, right in product(self.jumps, repeat=2):
            weight = float(left.height * right.height)
            entries = entries + weight * _density(
                gram, rows, float(left.threshold), float(right.threshold)
            )
        sizes = np.where(np.isfinite(entries), np.abs(entries), 0.0)
        errors = 64 * _EPS * sizes
        # A density p ~ exp(-q/2)/√D of given thresholds changes by half the relative change of D,
        # and by q times as much where the thresholds are not zero.
        unsure = relative_change_of_minors(gram, rows)
        with np.errstate(invalid="ignore"):
            far = 1 + max(float(jump.threshold) ** 2 for jump in self.jumps) * _inverse(gram, rows)
            errors = errors + np.where(sizes > 0, 2 * sizes * unsure * far, 0.0)
        if self._slope != 0:
            smooth = self.regular.moments_over(gram, (2,), values)[2]
            mixed = self._mixed_entries(gram, rows[:, 0], rows[:, 1])
            swapped = self._mixed_entries(gram, rows[:, 1], rows[:, 0])
            entries = entries + smooth.values.entries + mixed[0] + swapped[0]
            errors = errors + smooth.errors.entries + mixed[1] + swapped[1]
        moments = Moments(
            values=SymmetricTensor(2, n, entries), errors=SymmetricTensor(2, n, errors)
        )
        return {2: moments}

    def _mixed_entries(
        self, gram: Gram, a: NDArray[np.intp], b: NDArray[np.intp]
    ) -> tuple[Floats, Floats]:
        """Values and errors of sum_i c_i E[δ(z_a - t_i) g(z_b)] at pairs of points."""
        slope = sp.lambdify(Z, self._slope, modules=["scipy", "numpy"])
        kinks = find_kinks(self._slope).thresholds
        values, errors = np.zeros(len(a)), np.zeros(len(a))
        for row, (p, q) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
            variance = gram.matrix[p, p]
            for jump in self.jumps:
                t, height = float(jump.threshold), float(jump.height)
                if variance == 0:
                    values[row] += 0.0 if t else height * np.inf
                    continue
                density = np.exp(-(t**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)
                mean = gram.matrix[p, q] * t / variance
                width = Gram.from_matrix([[gram.determinants[p, q] / variance]])
                found = gaussian_moments(
                    lambda z, mean=mean: np.broadcast_to(slope(z + mean), np.shape(z)),
                    [kink - mean for kink in kinks],
                    width,
                    {1: [[0]]},
                )[1]
                values[row] += height * density * found.entries[0]
                errors[row] += (
                    abs(height) * density * (found.errors[0] + 64 * _EPS * abs(found.entries[0]))
                )
        return values, errors


def _density(gram: Gram, rows: NDArray[np.intp], s: float, t: float) -> Floats:
    """p_ab(s, t) at pairs of points, infinite where s and t are one event of a degenerate pair."""
    a, b = rows[:, 0], rows[:, 1]
    K11, K12, K22 = gram.matrix[a, a], gram.matrix[a, b], gram.matrix[b, b]
    D = gram.determinants[a, b]
    with np.errstate(all="ignore"):
        form = (K22 * s**2 - 2 * K12 * s * t + K11 * t**2) / D
        regular = np.exp(-form / 2) / (2 * np.pi * np.sqrt(D))
        gap = np.abs(s / np.sqrt(K11) - np.sign(K12) * t / np.sqrt(K22))
    # A field of zero variance is at its threshold or never.
    fixed = ((K11 > 0) | (s == 0)) & ((K22 > 0) | (t == 0)) & ((K11 == 0) | (K22 == 0))
    degenerate = np.where((gap <= _COINCIDENT) | fixed, np.inf, 0.0)
    return np.where(D > 0, regular, degenerate)


def _inverse(gram: Gram, rows: NDArray[np.intp]) -> Floats:
    """(K_aa + K_bb + 2|K_ab|)/D_ab: what squares of thresholds are multiplied by at most."""
    a, b = rows.T
    K = gram.matrix
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((K[a, a] + K[b, b] + 2 * np.abs(K[a, b])) / gram.determinants[a, b])


def _two_points_only(order: int) -> None:
    if order != 2:
        raise NotDerivedError(
            expected="second moments of the derivative of an activation with jumps",
            came=f"order {order}",
            remedy="smooth the activation, for example by a steep erf",
        )
