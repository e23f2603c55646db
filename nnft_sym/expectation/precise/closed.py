"""Closed forms of moments in mpmath's arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from nnft_sym.expectation.forms import ClosedForm, SymbolicForm
from nnft_sym.expectation.half_spaces.arithmetic import Big
from nnft_sym.expectation.half_spaces.form import HalfSpaceForm
from nnft_sym.expectation.half_spaces.moments import TermMoment
from nnft_sym.expectation.precise.gram import Matrix
from nnft_sym.expectation.variables import covariance, determinant, point_pairs
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError

__all__ = ["evaluated", "real"]


def evaluated(form: ClosedForm, K: Matrix, D: Matrix) -> mpmath.mpf:
    """Value of a closed form at covariances of positive variance.

    Raises
    ------
    InfiniteMomentError
        If the moment is infinite there.

    Examples
    --------
    >>> from nnft_sym.activations import Z
    >>> from nnft_sym.expectation.closed import closed_form
    >>> one, zero = mpmath.mpf(1), mpmath.mpf(0)
    >>> form = closed_form((sp.Max(Z, 0), sp.Max(Z, 0)))
    >>> evaluated(form, [[one, one], [one, one]], [[zero, zero], [zero, zero]])
    mpf('0.5')
    """
    _require_finite(form, K, D)
    if isinstance(form, HalfSpaceForm):
        moments = (
            TermMoment(choice=choice, K=K, D=D, arithmetic=Big()) for choice in product(*form.terms)
        )
        return mpmath.fsum(mpmath.re(moment.value) for moment in moments)
    pairs = point_pairs(len(K))
    symbols = [covariance(a, b) for a, b in pairs]
    numbers = [K[a - 1][b - 1] for a, b in pairs]
    expression = form.expression
    if isinstance(form, SymbolicForm):
        expression = form.in_determinants
        symbols += [determinant(a, b) for a, b in pairs if a != b]
        numbers += [D[a - 1][b - 1] for a, b in pairs if a != b]
    return real(function_of(tuple(symbols), expression)(*numbers), str(expression))


@lru_cache(maxsize=256)
def function_of(symbols: tuple[sp.Symbol, ...], expression: sp.Expr) -> Callable[..., Any]:
    """The expression as a function of mpmath's numbers."""
    return sp.lambdify(symbols, expression, modules="mpmath")


def real(value: Any, name: str) -> mpmath.mpf:
    """A finite real number, from one that may carry a rounded imaginary part."""
    found = mpmath.mpmathify(value)
    part = mpmath.re(found)
    if not mpmath.isfinite(found):
        raise InfiniteMomentError(
            expected="a finite moment", came=f"{found} for {name}", remedy="lower the scales"
        )
    if abs(mpmath.im(found)) > mpmath.mpf(10) ** (4 - mpmath.mp.dps // 2) * (abs(part) + 1):
        raise AccuracyError(
            expected="a real moment",
            came=f"{mpmath.nstr(found, 8)} for {name}",
            remedy="check that the scales are possible",
        )
    return part


def _require_finite(form: ClosedForm, K: Matrix, D: Matrix) -> None:
    """Have the form itself refuse covariances at which it is infinite, in doubles."""
    matrix, minors = (np.array([[[float(x) for x in row] for row in M]]) for M in (K, D))
    with np.errstate(all="ignore"):
        try:
            form.evaluate(matrix, minors)
        except AccuracyError:
            # Too much for doubles only.
            return
