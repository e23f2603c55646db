"""Requirements: what a symmetry asks of the parameters of densities, and whether it can hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from nnft_sym.deformations import MatrixDensity
from nnft_sym.densities import Gaussian, Laplace, Rademacher, Uniform
from nnft_sym.density import Density

__all__ = ["SYMMETRIC_FAMILIES", "Requirement", "evenness", "vanishing"]

SYMMETRIC_FAMILIES = (Gaussian, Uniform, Laplace, Rademacher)
"""Families of location and scale, symmetric about their mean: fixed by mean and variance."""


@dataclass(frozen=True)
class Requirement:
    """A condition that a symmetry needs, with its reason.

    Parameters
    ----------
    condition : sympy.Boolean or None
        The condition on free parameters; ``sp.false`` if none can meet it, None if undecided.
    because : str
        Why it is needed.
    """

    condition: sp.Basic | None
    because: str


def vanishing(expression: sp.Expr) -> sp.Basic:
    """Return the condition that an expression vanishes, scales being taken as positive.

    Factors that cannot vanish are left out; a scale of zero would be another density, a point
    mass.

    Examples
    --------
    >>> s, mu = sp.Symbol("s", nonnegative=True), sp.Symbol("mu", real=True)
    >>> vanishing(mu * s**2), vanishing(3 / s), vanishing(s - s)
    (Eq(mu, 0), False, True)
    """
    positive = {
        symbol: sp.Dummy(symbol.name, positive=True)
        for symbol in expression.free_symbols
        if symbol.is_nonnegative
    }
    numerator, _ = sp.fraction(sp.together(sp.expand(expression.xreplace(positive))))
    numerator = sp.expand(numerator)
    if numerator.is_number:
        return sp.true if numerator.equals(0) else sp.false
    factors = []
    for factor in sp.Mul.make_args(sp.factor(numerator)):
        base = factor.base if isinstance(factor, sp.Pow) else factor
        if not (base.is_number or base.is_nonzero):
            factors.append(base)
    if not factors:
        return sp.false
    back = {dummy: symbol for symbol, dummy in positive.items()}
    product = sp.Mul(*factors).xreplace(back)
    return sp.Eq(-product if product.could_extract_minus_sign() else product, 0)


def evenness(densities: Iterable[Density]) -> sp.Basic:
    """Return the condition that all densities of entries or rows are even, each for itself.

    A density of a whole matrix does not allow the signs of single neurons to change.

    Examples
    --------
    >>> evenness([Gaussian("mu", 1), Uniform(-1, 1)])
    Eq(mu, 0)
    """
    odd = [d for d in densities if isinstance(d, MatrixDensity) or not d.is_even]
    if not all(isinstance(density, SYMMETRIC_FAMILIES) for density in odd):
        return sp.false
    return sp.And(*(vanishing(density.moment(1)) for density in odd))
