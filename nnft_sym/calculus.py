"""Derivatives and limits of functions of points with respect to the parameters."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from nnft_sym.exactness import Exactness
from nnft_sym.expectation.variables import collected_determinants, pair_geometries
from nnft_sym.language.errors import InfiniteMomentError, NotDerivedError
from nnft_sym.point_functions import ClosedExpression, MomentPolynomial, PointFunction

__all__ = ["differentiated", "limited", "written_out", "written_size"]


def differentiated(function: PointFunction, parameter: sp.Symbol, order: int) -> PointFunction:
    """∂/∂parameter of a function of ``order`` points, through the covariances by the chain rule."""
    if isinstance(function, MomentPolynomial) and parameter not in function.law.symbols:
        return function.map(lambda c: sp.diff(c, parameter))
    function = closed(function, order, "differentiated")
    variables = function.law.variables(order)
    derivative = _total_derivative(function.expression, parameter, variables, order, {})
    return ClosedExpression(function.law, order, derivative)


def _total_derivative(
    expression: sp.Expr,
    parameter: sp.Symbol,
    variables: Mapping[sp.Symbol, sp.Expr],
    order: int,
    slopes: dict[sp.Symbol, sp.Expr],
) -> sp.Expr:
    """Differentiate in the variables K, D and ϑ, whose singular terms cancel term by term.

    dD_ab = K_bb dK_aa + K_aa dK_bb - 2 K_ab dK_ab and
    dϑ_ab = [K_ab (dK_aa/K_aa + dK_bb/K_bb)/2 - dK_ab]/√D_ab.
    """
    pairs = pair_geometries(expression, order)
    angles = {pair.angle: sp.Dummy("vartheta") for pair in pairs}
    flat = collected_determinants(expression, order).xreplace(angles)

    def slope(symbol: sp.Symbol) -> sp.Expr:
        if symbol not in slopes:
            meaning = variables[symbol]
            slopes[symbol] = _total_derivative(meaning, parameter, variables, order, slopes)
        return slopes[symbol]

    total = sp.diff(flat, parameter)
    for symbol in flat.free_symbols & set(variables):
        total += sp.diff(flat, symbol) * slope(symbol)
    squares: dict[sp.Symbol, sp.Expr] = {}
    for pair in pairs:
        angle = angles[pair.angle]
        if not flat.free_symbols & {pair.D, angle}:
            continue
        aa, ab, bb = slope(pair.K_aa), slope(pair.K_ab), slope(pair.K_bb)
        total += sp.diff(flat, pair.D) * (pair.K_bb * aa + pair.K_aa * bb - 2 * pair.K_ab * ab)
        turn = pair.K_ab * (aa / pair.K_aa + bb / pair.K_bb) / 2 - ab
        total += sp.diff(flat, angle) * turn / sp.sqrt(pair.D)
        squares[pair.K_ab] = pair.K_aa * pair.K_bb - pair.D
    normal = sp.expand(_reduced_powers(sp.expand(total), squares))
    return normal.xreplace({symbol: angle for angle, symbol in angles.items()})


def _reduced_powers(expression: sp.Expr, squares: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """Replace K_ab² by K_aa K_bb - D_ab in every power, so that no 1/√D is left uncancelled."""
    return expression.replace(
        lambda node: node.is_Pow and node.base in squares and node.exp.is_Integer and node.exp > 1,
        lambda node: node.base ** (node.exp % 2) * squares[node.base] ** (node.exp // 2),
    )


def written_out(expression: sp.Expr, variables: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """Replace symbols by their meanings until none is left."""
    while expression.free_symbols & set(variables):
        expression = expression.xreplace(dict(variables))
    return expression


def written_size(expression: sp.Expr, variables: Mapping[sp.Symbol, sp.Expr]) -> int:
    """Operations of the expression with symbols replaced by their meanings, without doing so.

    Examples
    --------
    >>> x, y = sp.symbols("x y")
    >>> written_size(x + x**2, {x: y + 1})
    4
    """
    sizes: dict[sp.Symbol, int] = {}

    def size(body: sp.Expr) -> int:
        total = int(body.count_ops())
        for symbol in body.free_symbols & set(variables):
            if symbol not in sizes:
                sizes[symbol] = size(variables[symbol])
            total += int(body.count(symbol)) * sizes[symbol]
        return total

    return size(expression)


def limited(
    function: PointFunction, parameter: sp.Symbol, target: sp.Expr, order: int
) -> PointFunction:
    """Limit parameter -> target, with the covariances written out where they depend on it."""
    if isinstance(function, MomentPolynomial) and parameter not in function.law.symbols:
        return function.map(lambda c: _limit(c, parameter, target))
    if target.is_finite and target != 0:
        # Scales are smooth away from zero: the limit is the value.
        return function.replace({parameter: target})
    function = closed(function, order, "taken to a limit")
    if parameter not in function.law.symbols:
        limit = _limit(function.expression, parameter, target)
        return ClosedExpression(function.law, order, limit)
    explicit = written_out(function.expression, function.law.variables(order))
    limit = _limit(explicit, parameter, target)
    # The limit is written in inner products; the law only has to forget the parameter.
    remaining = target if target.is_finite else sp.Integer(1)
    return ClosedExpression(function.law.replace({parameter: remaining}), order, limit)


def _limit(expression: sp.Expr, parameter: sp.Symbol, target: sp.Expr) -> sp.Expr:
    try:
        limit = sp.limit(expression, parameter, target)
        if isinstance(limit, sp.Limit):
            raise NotImplementedError
    except Exception as reason:
        # sympy's limits fail in many ways, none of them under a common class.
        raise NotDerivedError(
            expected=f"a limit {parameter} -> {target} that sympy can take",
            came=f"{expression}",
            remedy="evaluate at a value near the limit instead",
        ) from reason
    if limit.has(sp.oo, sp.zoo, sp.nan, sp.AccumBounds):
        raise InfiniteMomentError(
            expected=f"a finite limit {parameter} -> {target}",
            came=f"{limit} for {expression}",
            remedy="choose another limit",
        )
    return limit


def closed(function: PointFunction, order: int, wish: str) -> ClosedExpression:
    """Write a function out in covariances, if all its moments have closed forms."""
    if isinstance(function, ClosedExpression):
        return function
    if function.exactness != Exactness.exact():
        raise NotDerivedError(
            expected=f"closed forms of all moments of a correlator to be {wish}",
            came="a moment that is known as an integral only",
            remedy="set the parameter to a number and evaluate instead",
        )
    return ClosedExpression(function.law, order, function.expression)
