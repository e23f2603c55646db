"""The derivation of a moment of exponentials and polynomials, as LaTeX lines."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from nnft_sym.activations import VARIANCE, Z
from nnft_sym.expectation.exponentials import Term
from nnft_sym.expectation.gaussian_factors import wick_moment

__all__ = ["exponential_steps"]

_HIGHEST_DEGREE = 6
"""Total degree of the polynomials up to which the sum over contractions is written."""


def exponential_steps(factors: Sequence[Sequence[Term]]) -> tuple[str, ...]:
    r"""Lines from functions, read as sums of terms P(z) exp(αz + βz²), to their moment.

    Examples
    --------
    >>> from nnft_sym.expectation.exponentials import exponential_terms
    >>> for line in exponential_steps([exponential_terms(sp.cos(Z))] * 2):
    ...     print(line)
    \phi(z) = \frac{e^{i z}}{2} + \frac{e^{- i z}}{2}
    \text{Gaussian generating function: } E\,e^{\alpha^T z} = e^{\frac12\alpha^T K\alpha}
    \text{add up the products of one term for each point}
    """
    distinct = list(dict.fromkeys(tuple(read) for read in factors))
    terms = [term for read in distinct for term in read]
    lines = []
    for number, read in enumerate(distinct):
        name = r"\phi" if len(distinct) == 1 else rf"\phi_{{{number + 1}}}"
        lines.append(rf"{name}(z) = {sp.latex(sp.Add(*map(_written, read)))}")
    gaussian = any(term.quadratic != 0 for term in terms)
    linear = any(term.linear != 0 for term in terms)
    if gaussian:
        lines.append(
            r"\text{completing the square: } E\prod_a P_a(z_a)e^{\alpha_a z_a+\beta_a z_a^2}"
            r" = \Delta^{-1/2}e^{\frac12\alpha^T W\alpha}\,E_{N(m, W)}\prod_a P_a(z_a),"
            r"\quad W = K(1-2BK)^{-1},\ B = \mathrm{diag}(\beta),\ m = W\alpha,"
            r"\ \Delta = \det(1-2BK)"
        )
    elif linear and any(term.degree for term in terms):
        lines.append(
            r"\text{completing the square: } E\prod_a P_a(z_a)e^{\alpha_a z_a}"
            r" = e^{\frac12\alpha^T K\alpha}\,E_{N(m, K)}\prod_a P_a(z_a),\quad m = K\alpha"
        )
    elif linear:
        lines.append(
            r"\text{Gaussian generating function: } E\,e^{\alpha^T z}"
            r" = e^{\frac12\alpha^T K\alpha}"
        )
    if any(term.degree for term in terms):
        mean, width = (r"m_a E[R] + " if linear else ""), "W" if gaussian else "K"
        lines.append(
            rf"\text{{by parts (Wick): }} E[z_a R] = {mean}\sum_b {width}_{{ab}}"
            r" E[\partial R/\partial z_b]"
        )
    if len(terms) > len(distinct):
        lines.append(r"\text{add up the products of one term for each point}")
    if gaussian and not linear and len(terms) == len(distinct):
        lines += _in_widths([term for (term,) in factors])
    return tuple(lines)


def _in_widths(terms: Sequence[Term]) -> list[str]:
    """The moment in W and Δ where that is short: in the covariances K it is far longer."""
    if sum(term.degree for term in terms) > _HIGHEST_DEGREE or any(
        c.has(VARIANCE) for term in terms for c in term.polynomial
    ):
        return []
    moment = wick_moment(
        [term.polynomial for term in terms],
        [sp.Integer(0)] * len(terms),
        lambda a, b: sp.Symbol(f"W_{min(a, b) + 1}{max(a, b) + 1}"),
    )
    fields = "".join(rf"\phi(z_{a + 1})" for a in range(len(terms)))
    result = sp.latex(sp.expand(moment))
    return [rf"E[{fields}] = \Delta^{{-1/2}}\left({result}\right)"]


def _written(term: Term) -> sp.Expr:
    polynomial = sp.Add(*(c * Z**p for p, c in enumerate(term.polynomial)))
    return polynomial * sp.exp(term.linear * Z + term.quadratic * Z**2)
