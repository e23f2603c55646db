"""Sums of polynomial × exp(αz + βz²): how a function is read as one.

Polynomials, exponentials, sines, cosines, hyperbolic functions and Gaussians, and all their
sums and products, are of this form with complex α and β.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from nnft_sym.activations import Z

__all__ = ["Term", "exponential_terms"]

_REWRITTEN = (sp.cos, sp.sin, sp.cosh, sp.sinh)


@dataclass(frozen=True, kw_only=True)
class Term:
    """One term P(z) exp(αz + βz²).

    Parameters
    ----------
    polynomial : tuple of sympy.Expr
        Coefficients of P, ascending.
    linear, quadratic : sympy.Expr
        α and β.
    """

    polynomial: tuple[sp.Expr, ...]
    linear: sp.Expr
    quadratic: sp.Expr

    @property
    def degree(self) -> int:
        """Degree of P."""
        return len(self.polynomial) - 1


def exponential_terms(function: sp.Expr, variable: sp.Symbol = Z) -> tuple[Term, ...] | None:
    """Read a function of one variable as a sum of terms; None if it is not one.

    Coefficients may contain other symbols; α and β may too.

    Examples
    --------
    >>> [term.linear for term in exponential_terms(sp.cos(Z))]
    [I, -I]
    """
    if function.has(*_REWRITTEN):
        function = function.replace(
            lambda node: isinstance(node, _REWRITTEN), lambda node: node.rewrite(sp.exp)
        )
    collected: dict[tuple[sp.Expr, sp.Expr], dict[int, sp.Expr]] = {}
    for summand in sp.Add.make_args(sp.expand(function)):
        parsed = _monomial(summand, variable)
        if parsed is None:
            return None
        coefficient, power, linear, quadratic = parsed
        powers = collected.setdefault((linear, quadratic), {})
        powers[power] = powers.get(power, sp.Integer(0)) + coefficient
    return tuple(
        Term(
            polynomial=tuple(powers.get(p, sp.Integer(0)) for p in range(max(powers) + 1)),
            linear=linear,
            quadratic=quadratic,
        )
        for (linear, quadratic), powers in collected.items()
    )


def _monomial(
    summand: sp.Expr, variable: sp.Symbol
) -> tuple[sp.Expr, int, sp.Expr, sp.Expr] | None:
    """Read c z^p exp(αz + βz² + γ), with exp(γ) moved into c."""
    coefficient, power = sp.Integer(1), 0
    exponent = [sp.Integer(0)] * 3
    for factor in sp.Mul.make_args(summand):
        if not factor.has(variable):
            coefficient *= factor
        elif isinstance(factor, sp.exp) or (factor.is_Pow and factor.base == sp.E):
            argument = sp.expand(factor.exp)
            if not argument.is_polynomial(variable):
                return None
            parts = sp.Poly(argument, variable).all_coeffs()[::-1]
            if len(parts) > 3:
                return None
            exponent = [
                total + (parts[i] if i < len(parts) else 0) for i, total in enumerate(exponent)
            ]
        else:
            base, exponent_of_base = factor.as_base_exp()
            if base != variable or not (exponent_of_base.is_Integer and exponent_of_base > 0):
                return None
            power += int(exponent_of_base)
    constant, linear, quadratic = exponent
    return coefficient * sp.exp(constant), power, linear, quadratic
