"""Closed forms of Gaussian expectations, by the first rule that applies."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module

import sympy as sp

from nnft_sym.expectation import rules
from nnft_sym.expectation.forms import ClosedForm

__all__ = ["closed_form"]

Rule = Callable[[tuple[sp.Expr, ...]], ClosedForm | None]


_LARGEST_DENOMINATOR = 10**6


@lru_cache(maxsize=1)
def _rules() -> tuple[Rule, ...]:
    modules = [
        import_module(f"{rules.__name__}.{info.name}")
        for info in pkgutil.iter_modules(rules.__path__)
    ]
    return tuple(module.derive for module in sorted(modules, key=lambda module: module.RANK))


@lru_cache(maxsize=512)
def closed_form(factors: tuple[sp.Expr, ...]) -> ClosedForm | None:
    """E[φ_1(z_1) ... φ_k(z_k)] in closed form for centred Gaussians z, or None.

    Parameters
    ----------
    factors : tuple of sympy.Expr
        φ_1, ..., φ_k as expressions in the activation's argument z.

    Examples
    --------
    >>> from nnft_sym.activations import Z
    >>> closed_form((sp.cos(Z), sp.cos(Z))).expression
    exp(-K_11/2 - K_12 - K_22/2)/2 + exp(-K_11/2 + K_12 - K_22/2)/2
    >>> closed_form((sp.tanh(Z), sp.tanh(Z))) is None
    True
    """
    exact = tuple(_with_fractions(factor) for factor in factors)
    for derive in _rules():
        form = derive(exact)
        if form is not None:
            return form
    return None


def _with_fractions(factor: sp.Expr) -> sp.Expr:
    """Read short decimals as the fractions they stand for, so that formulas are exact."""
    short = {}
    for number in factor.atoms(sp.Float):
        fraction = sp.Rational(repr(float(number)))
        if fraction.q <= _LARGEST_DENOMINATOR and abs(fraction.p) <= _LARGEST_DENOMINATOR:
            short[number] = fraction
    return factor.xreplace(short)
