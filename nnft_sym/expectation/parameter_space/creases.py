"""Where a function of two parameters is not smooth: the arguments of its kinks."""

from __future__ import annotations

from itertools import combinations

import sympy as sp
from sympy.core.relational import Relational

__all__ = ["crease_arguments", "transitions"]

_STEPS = (sp.Abs, sp.sign, sp.Heaviside)
_KINKED = (*_STEPS, sp.Max, sp.Min, sp.Piecewise)
_SATURATING = (sp.exp, sp.erf, sp.erfc, sp.tanh, sp.atan, sp.sech)
_BRANCHES = 64


def crease_arguments(expression: sp.Expr, parameters: tuple[sp.Symbol, ...]) -> tuple[sp.Expr, ...]:
    """Smooth functions whose zeros hold every kink, jump and singularity of an expression.

    They are the arguments of Abs, sign and Heaviside, differences of those of Max and Min,
    boundaries of Piecewise, and bases of negative or fractional powers and of logarithms.
    Nested kinks are followed into each of their branches.

    Examples
    --------
    >>> w, x = sp.symbols("w x", real=True)
    >>> crease_arguments(sp.Max(w * x, 0) + sp.Abs(w - 1), (w,))
    (-w*x, w - 1)
    """
    drawn = set(parameters)
    found: dict[sp.Expr, None] = {}
    for node in sp.preorder_traversal(expression):
        for argument in _arguments(node):
            for branch in _branches(argument):
                if branch.free_symbols & drawn:
                    found[sp.expand(branch)] = None
    kept: list[sp.Expr] = []
    for argument in sorted(found, key=sp.default_sort_key):
        if not argument.is_positive and not any(sp.expand(argument + k) == 0 for k in kept):
            kept.append(argument)
    return tuple(kept)


def transitions(
    expression: sp.Expr, parameters: tuple[sp.Symbol, ...]
) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
    """Where a smooth function may change fast: pairs (argument, function zero at its transition).

    A saturating function or an exponential changes where its argument vanishes, or is stationary
    if that is not affine; how fast is seen from the range of the argument.

    Examples
    --------
    >>> b, w = sp.symbols("b w", real=True)
    >>> transitions(sp.erf(200 * b) + sp.exp(-((w - 1) ** 2)), (b, w))
    ((200*b, 200*b), (-(w - 1)**2, 2 - 2*w))
    """
    found: dict[tuple[sp.Expr, sp.Expr], None] = {}
    for node in sp.preorder_traversal(expression):
        if isinstance(node, _SATURATING):
            argument = node.args[0]
        elif isinstance(node, sp.Pow) and node.exp.is_number and node.exp.is_negative:
            argument = node.base
        else:
            continue
        inside = [p for p in parameters if p in argument.free_symbols]
        if not inside or not argument.is_polynomial(*inside):
            continue
        if sp.Poly(argument, *inside).total_degree() == 1:
            found[argument, argument] = None
        else:
            slopes = (sp.expand(sp.diff(argument, p)) for p in inside)
            found.update({(argument, slope): None for slope in slopes if slope != 0})
    return tuple(sorted(found, key=sp.default_sort_key))


def _arguments(node: sp.Basic) -> list[sp.Expr]:
    if isinstance(node, (*_STEPS, sp.log)):
        return [node.args[0]]
    if isinstance(node, (sp.Max, sp.Min)):
        return [a - b for a, b in combinations(node.args, 2)]
    if isinstance(node, Relational):
        return [node.lhs - node.rhs]
    if isinstance(node, sp.Pow) and not (node.exp.is_Integer and node.exp.is_nonnegative):
        return [] if not node.exp.is_number else [node.base]
    return []


def _branches(argument: sp.Expr) -> list[sp.Expr]:
    pending: list[sp.Expr] = [argument]
    done: list[sp.Expr] = []
    while pending and len(pending) + len(done) <= _BRANCHES:
        current = pending.pop()
        node = next((a for a in sp.preorder_traversal(current) if isinstance(a, _KINKED)), None)
        if node is None:
            done.append(current)
        else:
            pending.extend(current.xreplace({node: choice}) for choice in _choices(node))
    return done


def _choices(node: sp.Expr) -> list[sp.Expr]:
    if isinstance(node, sp.Abs):
        return [node.args[0], -node.args[0]]
    if isinstance(node, sp.sign):
        return [sp.Integer(-1), sp.Integer(1)]
    if isinstance(node, sp.Heaviside):
        return [sp.Integer(0), sp.Integer(1)]
    if isinstance(node, sp.Piecewise):
        return [value for value, _ in node.args]
    return list(node.args)
