"""A function of one variable as smooth pieces between its kinks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import sympy as sp
from sympy.core.relational import Relational

from nnft_sym.activations import Z
from nnft_sym.expectation.parameter_space.creases import crease_arguments

__all__ = ["Pieces", "smooth_pieces"]

_DIGITS = 30
_KINKED = (sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise)


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """Smooth functions on the intervals between thresholds.

    Parameters
    ----------
    thresholds : tuple of sympy.Expr
        t_1 < ... < t_m, exact.
    functions : tuple of sympy.Expr
        m + 1 expressions without kinks, from left to right.
    """

    thresholds: tuple[sp.Expr, ...]
    functions: tuple[sp.Expr, ...]


def smooth_pieces(function: sp.Expr) -> Pieces | None:
    """Split a function of z at its kinks; None if they are not known exactly.

    Examples
    --------
    >>> smooth_pieces(sp.Max(sp.Min(Z, 1), -1))
    Pieces(thresholds=(-1, 1), functions=(-1, z, 1))
    """
    roots: set[sp.Expr] = set()
    if function.has(*_KINKED):
        for argument in crease_arguments(function, (Z,)):
            found = _roots(argument)
            if found is None:
                return None
            roots |= found
    places = {root: root.evalf(_DIGITS) for root in roots}
    thresholds = sorted(places, key=lambda root: places[root])
    samples = _samples([places[root] for root in thresholds])
    functions = [_on_piece(function, sample) for sample in samples]
    kept: list[sp.Expr] = []
    distinct = functions[:1]
    for threshold, right in zip(thresholds, functions[1:], strict=True):
        if right != distinct[-1]:
            kept.append(threshold)
            distinct.append(right)
    return Pieces(thresholds=tuple(kept), functions=tuple(distinct))


def _samples(places: list[sp.Expr]) -> list[sp.Expr]:
    """One number inside each interval."""
    if not places:
        return [sp.Rational(1, 3)]
    inner = [(a + b) / 2 for a, b in pairwise(places)]
    return [places[0] - 1, *inner, places[-1] + 1]


def _roots(argument: sp.Expr) -> set[sp.Expr] | None:
    """Real zeros of an argument; None if they are not all known in closed form."""
    if isinstance(argument, sp.Mul):
        found: set[sp.Expr] = set()
        for factor in argument.args:
            part = _roots(factor)
            if part is None:
                return None
            found |= part
        return found
    if isinstance(argument, sp.Pow) and argument.exp.is_Integer and argument.exp > 0:
        return _roots(argument.base)
    if not argument.has(Z) or argument.is_positive or isinstance(argument, sp.exp):
        return set()
    if isinstance(argument, sp.erf):
        return _roots(sp.expand(argument.args[0]))
    if argument.is_polynomial(Z):
        factors = [base for base, _ in sp.factor_list(argument, Z)[1]]
        if any(sp.degree(base, Z) > 2 for base in factors):
            return None
        solutions = [root for base in factors for root in sp.roots(base, Z)]
        return {root for root in solutions if root.is_real}
    offset, rest = argument.as_independent(Z, as_Add=True)
    scale, growth = rest.as_independent(Z, as_Add=False)
    if isinstance(growth, sp.exp) and growth.args[0].is_polynomial(Z):
        ratio = -offset / scale
        return _roots(sp.expand(growth.args[0] - sp.log(ratio))) if ratio.is_positive else set()
    return None


def _on_piece(node: sp.Expr, sample: sp.Expr) -> sp.Expr:
    """The function without its kinked nodes, decided at a number inside the piece."""
    if isinstance(node, sp.Piecewise):
        for value, condition in node.args:
            if _holds(condition, sample):
                return _on_piece(value, sample)
        return sp.nan
    if not node.has(*_KINKED):
        return node
    parts = [_on_piece(part, sample) for part in node.args]
    if isinstance(node, (sp.Max, sp.Min)):
        choose = max if isinstance(node, sp.Max) else min
        return choose(parts, key=lambda part: _number(part, sample))
    if isinstance(node, (sp.Abs, sp.sign, sp.Heaviside)):
        side = sp.sign(_number(parts[0], sample))
        if isinstance(node, sp.Heaviside):
            return (1 + side) / 2 if side != 0 else node.func(0, *parts[1:])
        return side if isinstance(node, sp.sign) else side * parts[0]
    return node.func(*parts)


def _holds(condition: sp.Basic, sample: sp.Expr) -> bool:
    if isinstance(condition, Relational):
        difference = _number(_on_piece(condition.lhs - condition.rhs, sample), sample)
        return bool(condition.func(difference, 0))
    if isinstance(condition, (sp.And, sp.Or)):
        together = all if isinstance(condition, sp.And) else any
        return together(_holds(part, sample) for part in condition.args)
    if isinstance(condition, sp.Not):
        return not _holds(condition.args[0], sample)
    return condition == sp.true


def _number(expression: sp.Expr, sample: sp.Expr) -> sp.Expr:
    return expression.xreplace({Z: sample}).evalf(_DIGITS)
