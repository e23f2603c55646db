"""Whether a function of a Gaussian has an average at all: real almost everywhere, integrable."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import mpmath
import sympy as sp

from nnft_sym.activations import VARIANCE, Z
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.language.errors import InfiniteMomentError, SpecificationError

__all__ = ["require_averages", "require_moment"]

# A pole of order p is read from two distances; orders from here on are not integrable.
_DISTANCES = (sp.Rational(1, 10**5), sp.Rational(1, 10**7))
_LEAST_ORDER = 0.97
_DIGITS = 30
# A power read from these distances is exact to about as much.
_ROUNDED = 1e-3


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
    for t, order in _poles(phi):
        if order > _LEAST_ORDER:
            raise SpecificationError(
                expected="an activation that is integrable",
                came=f"{phi}, which grows like |z - t|^-{order:.3g} at t = {float(t):.6g}",
                remedy="its averages do not exist; cut the singularity off",
            )


def require_moment(phi: sp.Expr, order: int) -> None:
    """Refuse E φ(z)^k where |φ|^k is not integrable next to a point.

    Raises
    ------
    InfiniteMomentError
        If φ grows like |z - t|^{-p} with kp ≥ 1.

    Examples
    --------
    >>> require_moment(sp.Abs(Z) ** sp.Rational(-1, 3), 2)
    >>> require_moment(1 / sp.sqrt(sp.Abs(Z)), 2)
    Traceback (most recent call last):
    ...
    nnft_sym.language.errors.InfiniteMomentError: expected an activation with a finite moment ...
    """
    if not any(_may_fail(node) for node in sp.preorder_traversal(phi)):
        return
    for t, power in _poles(phi.xreplace({VARIANCE: sp.Integer(1)})):
        if order * power >= 1 - _ROUNDED:
            raise InfiniteMomentError(
                expected=f"an activation with a finite moment of order {order} at one point",
                came=f"{phi}, which grows like |z - t|^-{power:.3g} at t = {float(t):.6g}",
                remedy="cut the singularity off, or ask for a lower order",
            )


@lru_cache(maxsize=512)
def _poles(phi: sp.Expr) -> tuple[tuple[sp.Rational, float], ...]:
    """Thresholds and the order p of |φ| ~ |z - t|^{-p} there."""
    thresholds = [sp.Rational(t) for t in find_kinks(phi).thresholds]
    return tuple((t, max(_order(phi, t, side) for side in (1, -1))) for t in thresholds)


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
