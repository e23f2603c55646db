"""One point: polynomial × Gaussian × at most one error function."""

from __future__ import annotations

import sympy as sp

from nnft_sym.activations import Z
from nnft_sym.expectation.exponentials import exponential_terms
from nnft_sym.expectation.forms import ClosedForm, SymbolicForm
from nnft_sym.expectation.variables import covariance

RANK = 25


def derive(factors: tuple[sp.Expr, ...]) -> ClosedForm | None:
    r"""E[P(z) e^{βz²} erf(cz)], summed over terms, at one point.

    A Gaussian factor only changes the variance, to s = K/(1 - 2βK); then by parts
    E_s[z^m erf(cz)] = (m-1) s E_s[z^{m-2} erf(cz)] + (2c/√π) s E_s[z^{m-1} e^{-c²z²}].

    Source: Gaussian integration by parts [W96].

    Examples
    --------
    >>> derive((Z * sp.erf(Z),)).expression
    2*K_11/(sqrt(pi)*sqrt(2*K_11 + 1))
    """
    if len(factors) != 1:
        return None
    total = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(factors[0])):
        functions = [f for f in sp.Mul.make_args(term) if f.has(sp.erf)]
        if len(functions) > 1 or not all(isinstance(f, sp.erf) for f in functions):
            return None
        erf = functions[0] if functions else sp.Integer(1)
        slope = sp.cancel(erf.args[0] / Z) if functions else None
        terms = exponential_terms(term / erf)
        if terms is None or (slope is not None and slope.has(Z)):
            return None
        for t in terms:
            if t.linear != 0 or t.quadratic.is_positive:
                return None
            total += _average(t.polynomial, t.quadratic, slope)
    step = (
        r"E_s[z^m\,\mathrm{erf}(cz)] = (m-1)s\,E_s[z^{m-2}\mathrm{erf}(cz)]"
        r" + \tfrac{2c}{\sqrt\pi}s\,E_s[z^{m-1}e^{-c^2z^2}],\quad s = K/(1-2\beta K)"
    )
    return SymbolicForm(points=1, in_determinants=total, source="W96", steps=(step,))


def _average(polynomial: tuple[sp.Expr, ...], beta: sp.Expr, slope: sp.Expr | None) -> sp.Expr:
    K = covariance(1, 1)
    norm = 1 - 2 * beta * K
    s = K / norm
    moment = (lambda m: _power(m, s)) if slope is None else (lambda m: _with_erf(m, s, slope))
    return sp.Add(*(c * moment(m) for m, c in enumerate(polynomial) if c != 0)) / sp.sqrt(norm)


def _power(m: int, s: sp.Expr) -> sp.Expr:
    return sp.Integer(0) if m % 2 else sp.factorial2(m - 1) * s ** (m // 2)


def _with_erf(m: int, s: sp.Expr, c: sp.Expr) -> sp.Expr:
    if m % 2 == 0:
        return sp.Integer(0)
    norm = 1 + 2 * c**2 * s
    boundary = 2 * c / sp.sqrt(sp.pi) * s * _power(m - 1, s / norm) / sp.sqrt(norm)
    lower = (m - 1) * s * _with_erf(m - 2, s, c) if m > 1 else 0
    return boundary + lower
