"""Whether a function of a Gaussian has an average at all: real almost everywhere, integrable."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import mpmath
import sympy as sp

from nnft_sym.activations import VARIANCE, Z
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.language.errors import SpecificationError

__all__ = ["require_averages"]

# A pole of order p is read from two distances; orders from here on are not integrable.
_DISTANCES = (sp.Rational(1, 10**5), sp.Rational(1, 10**7))
_LEAST_ORDER = 0.97
_DIGITS = 30


@lru_cache(maxsize=512)
def require_averages(phi: sp.Expr) -> None:
    """Refuse functions of z that are undefined on an interval, or have a pole.

    Between its thresholds a function is smooth, so that one number inside each interval decides
    whether it is real there.  Next to a threshold t its growth |z - t|^{-p} decides whether it is
    integrable, p < 1.

    Parameters
    ----------
    phi : sympy.Expr
        φ in z (and k = E z² for normalised activations).

    Raises
    ------
    SpecificationError
        If φ is not real on an interval, or not integrable at a point.

    Examples
    --------
    >>> require_averages(sp.log(sp.Abs(Z)))
    >>> require_averages(1 / Z)
    Traceback (most recent call last):
    ...
    nnft_sym.language.errors.SpecificationError: expected an activation that is integrable; ...
    """
    if not any(_may_fail(node) for node in sp.preorder_traversal(phi)):
        return
    phi = phi.xreplace({VARIANCE: sp.Integer(1)})
    thresholds = [sp.Rational(t) for t in find_kinks(phi).thresholds]
    ends = [thresholds[0] - 1, *thresholds, thresholds[-1] + 1] if thresholds else [0, 1]
    for low, high in pairwise(ends):
        sample = sp.Rational(low + high) / 2
        value = _at(phi, sample)
        if not value.is_real:
            raise SpecificationError(
                expected="an activation that is real for every z",
                came=f"{phi}, which is {value} at z = {float(sample):.6g}",
                remedy="a Gaussian z takes every value: write where(z > 0, ..., 0) or use abs(z)",
            )
    for t in thresholds:
        order = max(_order(phi, t, side) for side in (1, -1))
        if order > _LEAST_ORDER:
            raise SpecificationError(
                expected="an activation that is integrable",
                came=f"{phi}, which grows like |z - t|^-{order:.3g} at t = {float(t):.6g}",
                remedy="its averages do not exist; cut the singularity off",
            )


def _may_fail(node: sp.Basic) -> bool:
    if isinstance(node, sp.Pow):
        return not (node.exp.is_integer and node.exp.is_nonnegative) and node.base is not sp.E
    return isinstance(node, (sp.log, sp.tan, sp.asin, sp.acos)) and bool(node.has(Z))


def _at(phi: sp.Expr, place: sp.Expr) -> sp.Expr:
    return sp.sympify(phi.xreplace({Z: place})).evalf(_DIGITS, chop=True)


def _order(phi: sp.Expr, t: sp.Expr, side: int) -> float:
    """Order p of |φ| ~ |z - t|^{-p} on one side of a threshold; 0 where it does not grow."""
    step = sp.Max(1, abs(t))
    far, near = (abs(_at(phi, t + side * d * step)) for d in _DISTANCES)
    if not (far.is_positive and near.is_finite) or near <= far:
        return 0.0
    ratio = mpmath.mpf(_DISTANCES[0] / _DISTANCES[1])
    return float(mpmath.log(mpmath.mpf(near / far)) / mpmath.log(ratio))
