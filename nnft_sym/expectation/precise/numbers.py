"""Exact numbers in, mpmath's numbers out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

import mpmath
import sympy as sp

from nnft_sym.language.errors import SpecificationError

__all__ = ["exact", "number", "require_exact"]

_FEW = 2**20
"""Denominators of floats that are meant: 0.25 is, 0.1 is a rounded number."""


def exact(value: Any, role: str) -> sp.Expr:
    """Read a number as what it is: integers, fractions, decimals and texts without rounding.

    Parameters
    ----------
    value : int, Fraction, Decimal, str, sympy.Expr, mpmath.mpf or float
        Texts are decimals or fractions, such as ``"0.1"`` or ``"1/3"``; floats and mpf are the
        binary numbers they hold.
    role : str
        What it is, for the error.

    Raises
    ------
    SpecificationError
        If it is not a finite real number.

    Examples
    --------
    >>> exact("0.1", "x"), exact(0.5, "x"), exact(sp.sqrt(2), "x")
    (1/10, 1/2, sqrt(2))
    """
    found: Any = None
    try:
        if isinstance(value, mpmath.mpf):
            found = sp.Rational(*map(int, mpmath.libmp.to_rational(value._mpf_)))
        elif isinstance(value, Integral) and not isinstance(value, bool):
            found = sp.Integer(int(value))
        elif isinstance(value, (str, Decimal, Fraction)):
            found = sp.Rational(str(value))
        elif isinstance(value, sp.Float):
            found = sp.Rational(value)
        elif isinstance(value, sp.Expr):
            found = value if not value.atoms(sp.Float) else None
        elif isinstance(value, Real) and not isinstance(value, bool):
            found = sp.Rational(float(value)) if math.isfinite(value) else None
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None or not (found.is_number and found.is_real and found.is_finite):
        raise SpecificationError(
            expected=f"a finite real number for {role}",
            came=f"{value!r}",
            remedy='pass an int, a fraction, a decimal text such as "0.1", or an exact expression',
        )
    return found


def number(value: sp.Expr) -> mpmath.mpf:
    """Value of an exact expression at mpmath's working precision."""
    if value.is_Rational:
        return mpmath.mpf(int(value.p)) / int(value.q)
    return +sp.N(value, mpmath.mp.dps + 5)._to_mpmath(mpmath.mp.prec + 10)


def require_exact(expressions: Iterable[sp.Expr], role: str) -> None:
    """Refuse rounded numbers inside a definition, which would pass for exact ones.

    Raises
    ------
    SpecificationError
        If an expression contains a float that is not a short binary fraction.
    """
    for expression in expressions:
        for rounded in expression.atoms(sp.Float):
            if sp.Rational(rounded).q > _FEW:
                raise SpecificationError(
                    expected=f"exact numbers in {role}, for more digits than doubles have",
                    came=f"the rounded number {rounded} in {expression}",
                    remedy="define the network with sympy.Rational, or leave the scale a symbol",
                )
