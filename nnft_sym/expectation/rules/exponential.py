"""Polynomial × exponential × Gaussian factors at any number of points.

With θ-terms P_a(z_a) exp(α_a z_a + β_a z_a²) and B = diag(β), completing the square gives

    E = det(1 - 2BK)^{-1/2} exp(αᵀWα/2) E_{z ~ N(Wα, W)}[prod_a P_a(z_a)],   W = K(1 - 2BK)^{-1},

and the last factor follows by Wick's theorem.  The expectation is finite iff 1 - 2BK is positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import VARIANCE
from nnft_sym.expectation.exponential_steps import exponential_steps
from nnft_sym.expectation.exponentials import Term, exponential_terms
from nnft_sym.expectation.forms import ClosedForm
from nnft_sym.expectation.gaussian_factors import wick_moment, written_sum
from nnft_sym.language.errors import InfiniteMomentError, NotDerivedError

RANK = 10

LARGEST_SYMBOLIC = 4
"""Points beyond which a Gaussian factor's k × k inverse is not written out."""

LARGEST_DEGREE = 12
"""Total degree beyond which a polynomial moment is not written out."""

LARGEST_DEGREE_OF_TWO = 24
"""The same for polynomials alone at one and two points, whose moments are short."""

LARGEST_NUMERIC = 128
"""Total degree beyond which Wick's theorem is left to numerical integration."""


def derive(factors: tuple[sp.Expr, ...]) -> ClosedForm | None:
    """Closed form for sums of polynomial × exponential terms, at any number of points.

    Source: completing the square and Wick's theorem [W96], [HMS20] appendix A.

    Examples
    --------
    >>> from nnft_sym.activations import Z
    >>> derive((sp.exp(-Z**2), sp.exp(-Z**2))).expression
    1/sqrt(-4*K_12**2 + (2*K_11 + 1)*(2*K_22 + 1))
    """
    read = {factor: exponential_terms(factor) for factor in set(factors)}
    terms = [term for factor in factors if (term := read[factor]) is not None]
    if len(terms) < len(factors) or _degree(terms) > LARGEST_NUMERIC:
        return None
    return _ExponentialForm(factors=tuple(terms))


def _degree(factors: Sequence[Sequence[Term]]) -> int:
    """Largest total degree of the polynomials of a product of terms."""
    return sum(max(term.degree for term in terms) for terms in factors)


@dataclass(frozen=True, kw_only=True)
class _ExponentialForm(ClosedForm):
    factors: tuple[tuple[Term, ...], ...]
    source: str = "W96"

    @cached_property
    def steps(self) -> tuple[str, ...]:  # type: ignore[override]
        return exponential_steps(self.factors)

    @property
    def points(self) -> int:  # type: ignore[override]
        """Number of points k."""
        return len(self.factors)

    @property
    def _is_gaussian(self) -> bool:
        return any(term.quadratic != 0 for terms in self.factors for term in terms)

    @property
    def _largest_degree(self) -> int:
        alone = all(t.quadratic == 0 == t.linear for terms in self.factors for t in terms)
        return LARGEST_DEGREE_OF_TWO if alone and self.points <= 2 else LARGEST_DEGREE

    @cached_property
    def expression(self) -> sp.Expr:
        if self._is_gaussian and self.points > LARGEST_SYMBOLIC:
            raise NotDerivedError(
                expected=f"at most {LARGEST_SYMBOLIC} points for Gaussian factors written out",
                came=f"{self.points} points",
                remedy="evaluate it with .tensor, which works for any number of points",
            )
        if _degree(self.factors) > self._largest_degree:
            raise NotDerivedError(
                expected=f"polynomials of total degree at most {self._largest_degree} written out",
                came=f"degree {_degree(self.factors)}",
                remedy="evaluate it with .tensor: Wick's theorem in numbers has no such bound",
            )
        return written_sum(self.factors)

    def evaluate(self, K: NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._summed(K)[0]

    def magnitude(self, K: NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._summed(K)[1]

    def _summed(self, K: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum of the terms, and of their sizes times what their exponents lose to rounding."""
        total, size = np.zeros(len(K), dtype=complex), np.zeros(len(K))
        coefficients = [[_Numeric(term) for term in terms] for terms in self.factors]
        states = int(np.prod([max(t.degree for t in terms) + 1 for terms in self.factors]))
        rows = max(1, 2_000_000 // states)
        for start in range(0, len(K), rows):
            block = slice(start, start + rows)
            for choice in product(*coefficients):
                value, exponents = _numeric_term(choice, K[block])
                total[block] += value
                size[block] += np.abs(value) * (1 + exponents)
        return total.real, size


def _exponent(coefficient: sp.Expr) -> sp.Expr:
    """Exponent of the factor of a coefficient that depends on the variance."""
    factors = (f for f in sp.Mul.make_args(coefficient) if isinstance(f, sp.exp))
    return sp.Add(*(f.exp for f in factors if f.has(VARIANCE)))


class _Numeric:
    """A term with coefficients as numbers, or functions of the variance they refer to."""

    def __init__(self, term: Term) -> None:
        self.degree = term.degree
        self.linear = complex(term.linear)
        self.quadratic = complex(term.quadratic)
        shifts = {_exponent(c) for c in term.polynomial if c != 0}
        common = shifts.pop() if len(shifts) == 1 else sp.Integer(0)
        reduced = [c * sp.exp(-common) for c in term.polynomial]
        self.shift = sp.lambdify(VARIANCE, common, modules="numpy")
        self._polynomial = [sp.lambdify(VARIANCE, c, modules="numpy") for c in reduced]

    def polynomial(self, variance: NDArray[np.float64]) -> list[Any]:
        """Coefficients of P at points of the given variances."""
        return [coefficient(variance) for coefficient in self._polynomial]


def _numeric_term(
    choice: Sequence[_Numeric], K: NDArray[np.float64]
) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """One product of terms, and the size of the numbers its exponent was added from."""
    k = len(choice)
    alpha = np.array([term.linear for term in choice])
    beta = np.array([term.quadratic for term in choice])
    scale = np.ones(len(K), dtype=complex)
    W = K.astype(complex)
    if np.any(beta != 0):
        system = np.eye(k) - 2 * beta[:, None] * K
        if np.any(beta.real > 0):
            _check_finite(beta.real, K)
        eigenvalues = np.linalg.eigvals(system)
        scale = 1 / np.prod(np.sqrt(eigenvalues), axis=-1)
        W = K @ np.linalg.inv(system)
    mean = W @ alpha
    exponent = (mean @ alpha) / 2
    summed = (np.abs(W) @ np.abs(alpha)) @ np.abs(alpha) / 2
    for a, term in enumerate(choice):
        shift = term.shift(K[:, a, a])
        exponent, summed = exponent + shift, summed + np.abs(shift)
    polynomials = [term.polynomial(K[:, a, a]) for a, term in enumerate(choice)]
    moment = wick_moment(polynomials, list(mean.T), lambda a, b: W[:, a, b])
    return scale * np.exp(exponent) * moment, summed


def _check_finite(beta: NDArray[np.float64], K: NDArray[np.float64]) -> None:
    """Refuse E exp(sum β z²) unless 1 - 2 K^{1/2} B K^{1/2} is positive."""
    values, vectors = np.linalg.eigh(K)
    root = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
    quadratic = np.eye(K.shape[-1]) - 2 * np.swapaxes(root, 1, 2) @ (beta[:, None] * root)
    if np.linalg.eigvalsh(quadratic).min() <= 0:
        raise InfiniteMomentError(
            expected="covariances for which the moment is finite",
            came=f"exp(β z²) with β = {beta.tolist()} beyond its range of convergence",
            remedy="lower the weight and bias scales",
        )
