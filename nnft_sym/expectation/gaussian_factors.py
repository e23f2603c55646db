"""Sums of products of polynomial × exp(αz + βz²) terms, averaged and written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import sympy as sp
from sympy.polys.fields import FracElement

from nnft_sym.activations import VARIANCE
from nnft_sym.expectation.exponential_sums import Summand, collected_sum, shorter_polynomial
from nnft_sym.expectation.exponentials import Term
from nnft_sym.expectation.half_spaces.rational import RationalFunctions, cofactor, determinant_of
from nnft_sym.expectation.variables import covariance, covariance_matrix

__all__ = ["wick_moment", "written_sum"]


def written_sum(factors: Sequence[Sequence[Term]]) -> sp.Expr:
    """E[∏ φ_a(z_a)] in the symbols K_ab, for sums φ_a of terms P(z) exp(αz + βz²).

    Examples
    --------
    >>> from nnft_sym.activations import Z
    >>> from nnft_sym.expectation.exponentials import exponential_terms
    >>> written_sum([exponential_terms(sp.cos(Z))] * 2)
    exp(-K_11/2 - K_22/2)*cosh(K_12)
    """
    terms = [term for read in factors for term in read]
    choices = list(product(*factors))
    if all(term.quadratic == 0 for term in terms):
        return collected_sum(map(_polynomial_summand, choices), _written_polynomial)
    if any(c.has(VARIANCE) for term in terms for c in term.polynomial) or any(
        term.quadratic.is_real is not True for term in terms
    ):
        return sp.Add(*(_complex_term(choice) for choice in choices))
    field = RationalFunctions(
        len(factors), [c for t in terms for c in (*t.polynomial, t.linear, t.quadratic)]
    )
    widths = {tuple(term.quadratic for term in choice) for choice in choices}
    narrowed = {beta: _narrowed(field, beta) for beta in widths}
    summands = (_rational_summand(field, choice, narrowed) for choice in choices)
    total = collected_sum(summands, lambda c, N: sp.Mul(*field.over_root(c, N)))
    return total.xreplace(field.meanings)


def _polynomial_summand(choice: Sequence[Term]) -> Summand:
    """One product of terms without Gaussian factors: W = K."""
    k = len(choice)
    K = covariance_matrix(k)
    alpha = [term.linear for term in choice]
    mean = list(K * sp.Matrix(alpha))
    moment = sp.expand(wick_moment(_coefficients(choice), mean, lambda a, b: K[a, b]))
    shift, prefactor = sp.Integer(0), sp.Integer(1)
    for factor in sp.Mul.make_args(moment):
        if isinstance(factor, sp.exp):
            shift += factor.exp
        else:
            prefactor *= factor
    common = sp.expand(sum((alpha[a] ** 2 * K[a, a] for a in range(k)), sp.Integer(0)) / 2 + shift)
    growth = sp.expand(
        sum((alpha[a] * alpha[b] * K[a, b] for b in range(k) for a in range(b)), sp.Integer(0))
    )
    (common, turned), (growth, phase) = common.as_real_imag(), growth.as_real_imag()
    real, imaginary = sp.expand(prefactor, complex=True).as_real_imag()
    return Summand(
        real=sp.expand(real),
        imaginary=sp.expand(imaginary),
        common=common,
        growth=growth,
        phase=sp.expand(turned + phase),
        exponent=sp.expand(common + growth),
    )


def _written_polynomial(coefficient: sp.Expr, radicand: Any) -> sp.Expr:
    return shorter_polynomial(coefficient)


def _coefficients(choice: Sequence[Term]) -> list[tuple[sp.Expr, ...]]:
    """Polynomials, with the variance they may refer to at its point."""
    return [
        tuple(c.xreplace({VARIANCE: covariance(a + 1, a + 1)}) for c in term.polynomial)
        for a, term in enumerate(choice)
    ]


@dataclass(frozen=True, kw_only=True)
class _Narrowed:
    """The fields under Gaussian factors: N = det(1 - 2BK) and W = K (1 - 2BK)⁻¹."""

    determinant: FracElement
    W: list[list[FracElement]]


def _narrowed(field: RationalFunctions, beta: Sequence[sp.Expr]) -> _Narrowed:
    k = range(len(beta))
    K = [[field.covariance(a, b) for b in k] for a in k]
    minus = [-2 * field.constant(b) for b in beta]
    system = [[int(a == b) + minus[a] * K[a][b] for b in k] for a in k]
    determinant = field.normal(determinant_of(system))
    adjugate = [[cofactor(system, b, a) for b in k] for a in k]
    W = [[sum(K[a][c] * adjugate[c][b] for c in k) / determinant for b in k] for a in k]
    return _Narrowed(
        determinant=determinant, W=[[field.normal(entry) for entry in row] for row in W]
    )


def _rational_summand(
    field: RationalFunctions,
    choice: Sequence[Term],
    narrowed: Mapping[tuple[sp.Expr, ...], _Narrowed],
) -> Summand:
    """One product of terms with real Gaussian factors, where W is rational."""
    k = range(len(choice))
    fields = narrowed[tuple(term.quadratic for term in choice)]
    W = fields.W
    alpha = [field.constant(term.linear) for term in choice]
    mean = [field.normal(sum(W[a][b] * alpha[b] for b in k)) for a in k]
    polynomials = [[field.constant(c) for c in term.polynomial] for term in choice]
    moment = field.field(wick_moment(polynomials, mean, lambda a, b: W[a][b]))
    real, imaginary = field.real_and_imaginary(field.normal(moment))
    zero = field.field(0)
    own = sum((alpha[a] ** 2 * W[a][a] for a in k), zero) / 2
    mixed = sum((alpha[a] * alpha[b] * W[a][b] for b in k for a in range(b)), zero)
    common, turned = field.real_and_imaginary(field.normal(own))
    growth, phase = field.real_and_imaginary(field.normal(mixed))
    return Summand(
        real=real,
        imaginary=imaginary,
        common=field.write(common),
        growth=field.write(growth),
        phase=field.write(turned + phase),
        exponent=field.write(common + growth),
        radicand=fields.determinant,
    )


def _complex_term(choice: Sequence[Term]) -> sp.Expr:
    """One product of terms with oscillating Gaussian factors; its conjugate is in the sum too."""
    k = len(choice)
    K = covariance_matrix(k)
    alpha = sp.Matrix([term.linear for term in choice])
    system = sp.eye(k) - 2 * sp.diag(*(term.quadratic for term in choice)) * K
    determinant = sp.expand(system.det(method="berkowitz"))
    W = (K * system.adjugate(method="berkowitz")).expand() / determinant
    moment = wick_moment(_coefficients(choice), list(W * alpha), lambda a, b: W[a, b])
    term = sp.exp((alpha.T * W * alpha)[0] / 2) * moment / sp.sqrt(determinant)
    return sp.re(term, evaluate=False)


def wick_moment(polynomials: Sequence[Sequence[Any]], mean: Sequence[Any], W: Any) -> Any:
    """E[prod_a P_a(z_a)] for z ~ N(mean, W), by integrating by parts one factor at a time."""
    cache: dict[tuple[int, ...], Any] = {}

    def monomial(powers: tuple[int, ...]) -> Any:
        if not any(powers):
            return 1
        if powers not in cache:
            a = next(i for i, p in enumerate(powers) if p)
            lower = (*powers[:a], powers[a] - 1, *powers[a + 1 :])
            value = mean[a] * monomial(lower)
            for b, p in enumerate(lower):
                if p:
                    contracted = (*lower[:b], p - 1, *lower[b + 1 :])
                    value = value + p * W(a, b) * monomial(contracted)
            cache[powers] = value
        return cache[powers]

    total: Any = 0
    for powers in product(*(range(len(P)) for P in polynomials)):
        coefficient: Any = 1
        for P, p in zip(polynomials, powers, strict=True):
            coefficient = coefficient * P[p]
        if not (isinstance(coefficient, (int, sp.Integer)) and coefficient == 0):
            total = total + coefficient * monomial(powers)
    return total
