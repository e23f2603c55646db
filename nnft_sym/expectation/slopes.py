"""Weak derivatives of activations: a function part and a list of jumps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import sympy as sp

from nnft_sym.activations import VARIANCE, Z
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.language.errors import NotDerivedError

__all__ = ["Jump", "WeakDerivative", "pieces_at", "weak_derivative"]

_LARGEST_DENOMINATOR = 1000
_MOST_JUMPS = 64
# Absolute values, maxima and positive powers are continuous.
_JUMPING = (sp.sign, sp.Heaviside, sp.Piecewise, sp.Pow, sp.log, sp.tan, sp.cot)
_BRANCHED = (sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise)


@dataclass(frozen=True, kw_only=True)
class Jump:
    """A jump of φ: φ' contains height·δ(z - threshold).

    Parameters
    ----------
    threshold : sympy.Expr
        t: where φ jumps; exact where it is a simple fraction, else in double precision.
    height : sympy.Expr
        φ(t+) - φ(t-).
    """

    threshold: sp.Expr
    height: sp.Expr


@dataclass(frozen=True, kw_only=True)
class WeakDerivative:
    r"""The weak derivative φ'(z) = regular(z) + sum_i c_i δ(z - t_i).

    Parameters
    ----------
    regular : sympy.Expr
        The derivative where φ is differentiable.
    jumps : tuple of Jump
        The thresholds t_i and heights c_i.
    """

    regular: sp.Expr
    jumps: tuple[Jump, ...] = ()


@lru_cache(maxsize=512)
def weak_derivative(phi: sp.Expr) -> WeakDerivative:
    """Differentiate an activation in z, corners and jumps included.

    Corners become steps and signs; jumps are listed, so that no product of delta functions is
    ever formed.

    Parameters
    ----------
    phi : sympy.Expr
        φ in z (and k = E z² for normalised activations, which is not differentiated).

    Returns
    -------
    WeakDerivative

    Raises
    ------
    NotDerivedError
        If φ is infinite at a point, or is not differentiable as an expression.

    Examples
    --------
    >>> weak_derivative(sp.Max(Z, 0)).regular
    Heaviside(z)
    >>> weak_derivative(sp.sign(Z))
    WeakDerivative(regular=0, jumps=(Jump(threshold=0, height=2),))
    """
    # Away from the thresholds steps and signs are constants.
    steps = {atom: sp.Dummy(real=True) for atom in phi.atoms(sp.sign, sp.Heaviside)}
    regular = sp.diff(phi.xreplace(steps), Z).xreplace({v: k for k, v in steps.items()})
    # A Piecewise whose pieces have one derivative is that derivative.
    if isinstance(regular, sp.Piecewise) and len({value for value, _ in regular.args}) == 1:
        regular = regular.args[0][0]
    if regular.has(sp.Derivative, sp.Subs, sp.DiracDelta, sp.re, sp.im):
        raise NotDerivedError(
            expected="an activation that can be differentiated",
            came=f"{phi}, whose derivative is {regular}",
            remedy="write it with Max, Abs, sign or Piecewise of functions with derivatives",
        )
    return WeakDerivative(regular=regular, jumps=_jumps(phi))


def _jumps(phi: sp.Expr) -> tuple[Jump, ...]:
    # The height is a function of k for normalised activations; thresholds are not.
    thresholds = [_exact(t) for t in find_kinks(phi.xreplace({VARIANCE: sp.Integer(1)})).thresholds]
    if not thresholds or not phi.has(*_JUMPING):
        return ()
    if len(thresholds) > _MOST_JUMPS:
        raise NotDerivedError(
            expected=f"at most {_MOST_JUMPS} corners and jumps, for a derivative",
            came=f"{phi} with {len(thresholds)} of them found",
            remedy="write an activation with finitely many jumps",
        )
    inner = [(low + high) / 2 for low, high in pairwise(thresholds)]
    samples = [thresholds[0] - 1, *inner, thresholds[-1] + 1]
    pieces = [_on_interval(phi, sample) for sample in samples]
    jumps = []
    for t, (left, right) in zip(thresholds, pairwise(pieces), strict=True):
        height = _limit(right, t, "+") - _limit(left, t, "-")
        scale = abs(_limit(right, t, "+")) + abs(_limit(left, t, "-"))
        if not height.equals(0) and not bool(abs(sp.N(height)) <= 1e-12 * sp.N(scale)):
            jumps.append(Jump(threshold=t, height=height))
    return tuple(jumps)


def _exact(t: float) -> sp.Expr:
    """Read a threshold as a fraction where the nearest simple one is the same number."""
    fraction = sp.Rational(t).limit_denominator(_LARGEST_DENOMINATOR)
    return fraction if float(fraction) == t else sp.Float(t)


def pieces_at(phi: sp.Expr, t: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """The smooth expressions that φ equals just below and just above a point.

    Examples
    --------
    >>> pieces_at(sp.Max(Z, 0), sp.Integer(0))
    (0, z)
    """
    thresholds = [_exact(other) for other in find_kinks(phi).thresholds]
    below = max((other for other in thresholds if other < t), default=t - 2)
    above = min((other for other in thresholds if other > t), default=t + 2)
    return _on_interval(phi, (below + t) / 2), _on_interval(phi, (above + t) / 2)


def _on_interval(phi: sp.Expr, sample: sp.Expr) -> sp.Expr:
    """The smooth expression that φ equals on the interval between kinks around a sample."""
    while True:
        atom = next((a for a in sp.postorder_traversal(phi) if isinstance(a, _BRANCHED)), None)
        if atom is None:
            return phi
        phi = phi.xreplace({atom: _branch(atom, sample)})


def _branch(atom: sp.Expr, sample: sp.Expr) -> sp.Expr:
    def at(argument: sp.Expr) -> float:
        return float(argument.xreplace({Z: sp.Float(sample)}))

    if isinstance(atom, sp.Piecewise):
        point = {Z: sp.Float(sample)}
        return next(value for value, condition in atom.args if condition.xreplace(point) == True)  # noqa: E712
    if isinstance(atom, (sp.Max, sp.Min)):
        best = max if isinstance(atom, sp.Max) else min
        return best(atom.args, key=at)
    sign = (at(atom.args[0]) > 0) - (at(atom.args[0]) < 0)
    if isinstance(atom, sp.Abs):
        return sign * atom.args[0]
    return sp.Integer(sign) if isinstance(atom, sp.sign) else sp.Rational(1 + sign, 2)


def _limit(piece: sp.Expr, t: sp.Expr, side: str) -> sp.Expr:
    value = sp.sympify(piece).xreplace({Z: t})
    if not value.is_finite:
        value = sp.limit(piece, Z, t, side)
    if value.is_finite is False or value.has(sp.nan, sp.zoo, sp.AccumBounds, sp.I):
        raise NotDerivedError(
            expected="an activation that is finite everywhere, for its derivative",
            came=f"{piece} at z = {t}",
            remedy="its neural tangent kernel diverges; use another activation",
        )
    return value
