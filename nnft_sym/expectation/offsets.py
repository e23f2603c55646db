"""Exponential factors of z = u + b with Gaussian u and an independent bias b of any density."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import VARIANCE
from nnft_sym.density import Density
from nnft_sym.expectation.exponentials import Term, exponential_terms
from nnft_sym.expectation.forms import ClosedForm
from nnft_sym.expectation.variables import covariance_matrix
from nnft_sym.language.errors import InfiniteMomentError

__all__ = ["offset_form"]


def offset_form(factors: tuple[sp.Expr, ...], density: Density) -> ClosedForm | None:
    """E[prod_a φ_a(u_a + b)] = sum of c exp(αᵀKα/2) E exp(b sum_a α_a), for sums of exponentials.

    None if a factor is not a sum of pure exponentials (sines and cosines included).

    Source: [H21] section 4 for the cosine with uniform phase.

    Examples
    --------
    >>> from nnft_sym.activations import Z
    >>> from nnft_sym.densities import Uniform
    >>> offset_form((sp.cos(Z),) * 2, Uniform(-sp.pi, sp.pi)).expression
    exp(-K_11/2 + K_12 - K_22/2)/2
    """
    terms = [read for factor in factors if (read := exponential_terms(factor)) is not None]
    if len(terms) < len(factors):
        return None
    if any(t.quadratic != 0 or t.degree > 0 for term in terms for t in term):
        return None
    if any(factor.has(VARIANCE) for factor in factors):
        return None
    return _OffsetForm(factors=tuple(terms), density=density)


@dataclass(frozen=True, kw_only=True)
class _OffsetForm(ClosedForm):
    factors: tuple[tuple[Term, ...], ...]
    density: Density
    source: str = "H21"
    steps: tuple[str, ...] = (
        r"E\prod_a e^{\alpha_a(u_a + b)} = e^{\frac12\alpha^T K\alpha}\,E\,e^{b\sum_a\alpha_a}",
    )

    @property
    def points(self) -> int:  # type: ignore[override]
        """Number of points k."""
        return len(self.factors)

    @cached_property
    def _terms(self) -> dict[tuple[sp.Expr, ...], sp.Expr]:
        """Coefficient of exp(αᵀKα/2) for each α, the bias averaged, zeros dropped."""
        collected: dict[tuple[sp.Expr, ...], sp.Expr] = {}
        averages: dict[sp.Expr, sp.Expr] = {}
        for choice in product(*self.factors):
            alpha = tuple(term.linear for term in choice)
            total = sp.expand(sp.Add(*alpha))
            if total not in averages:
                averages[total] = self.density.generating_function(total)
            coefficient = sp.Mul(*(term.polynomial[0] for term in choice)) * averages[total]
            if coefficient != 0:
                collected[alpha] = collected.get(alpha, sp.Integer(0)) + coefficient
        return collected

    @cached_property
    def expression(self) -> sp.Expr:
        K = covariance_matrix(len(self.factors))
        collected: dict[sp.Expr, sp.Expr] = {}
        for alpha, coefficient in self._terms.items():
            vector = sp.Matrix(alpha)
            exponent = sp.expand((vector.T * K * vector)[0] / 2)
            collected[exponent] = collected.get(exponent, sp.Integer(0)) + coefficient
        return sp.Add(*(_real(c, exponent) for exponent, c in collected.items()))

    def evaluate(self, K: NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._summed(K)[0]

    def magnitude(self, K: NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._summed(K)[1]

    def _summed(self, K: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum of the terms, and of their sizes times what their exponents lose to rounding."""
        total, size = np.zeros(len(K), dtype=complex), np.zeros(len(K))
        for alpha, coefficient in self._terms.items():
            vector = np.array([complex(a) for a in alpha])
            self._check_strip(vector)
            value = complex(coefficient) * np.exp((K @ vector) @ vector / 2)
            total += value
            size += np.abs(value) * (1 + (np.abs(K) @ np.abs(vector)) @ np.abs(vector) / 2)
        return total.real, size

    def _check_strip(self, alpha: NDArray[np.complex128]) -> None:
        growth = abs(float(np.sum(alpha).real))
        if growth * float(self.density.tail) >= 1:
            raise InfiniteMomentError(
                expected=f"a bias whose tail falls off faster than exp(-{growth:g}|b|)",
                came=f"{self.density}, for which the moment is infinite",
                remedy="lower its scale, or use a Gaussian bias",
            )


def _real(coefficient: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    if exponent.is_real and coefficient.is_real:
        return coefficient * sp.exp(exponent)
    growth, phase = sp.expand(exponent).as_real_imag()
    real, imaginary = sp.expand(coefficient, complex=True).as_real_imag()
    return sp.exp(growth) * (real * sp.cos(phase) - imaginary * sp.sin(phase))
