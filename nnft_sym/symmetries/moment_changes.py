"""How the moments of a neuron change when a generator moves the points.

A moment is a function of polynomials of the points (covariances, distances); if those are
invariant so is the moment, whatever the function, integrals included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy as sp

from nnft_sym.calculus import written_out
from nnft_sym.exactness import Kind
from nnft_sym.expectation.covariances import DIMENSION
from nnft_sym.expectation.law import InnerProduct, NeuronLaw, coordinate, relabelled
from nnft_sym.expectation.variables import expanded_determinants
from nnft_sym.group_theory.transformations import AffineMap
from nnft_sym.language.errors import NotDerivedError
from nnft_sym.language.nodes import shorten
from nnft_sym.symmetries.generators import ActingGenerator
from nnft_sym.symmetries.neuron_forms import polynomial_cores

__all__ = ["MomentChange", "changed_polynomial"]

DIGITS = 30
"""Digits in which a change is looked at where it is not zero term by term."""

Block = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class MomentChange:
    """A moment M_{1...k} and its change, in the coordinates of points 1..k; false if invariant.

    Parameters
    ----------
    moment : sympy.Expr
        M, ``sp.nan`` where it is not needed.
    change : sympy.Expr
        δM under a flow, M(gx) - M(x) under a finite generator.
    """

    moment: sp.Expr
    change: sp.Expr

    def __bool__(self) -> bool:
        return bool(self.change != 0)

    @classmethod
    def of(cls, law: NeuronLaw, order: int, generator: ActingGenerator) -> MomentChange:
        """Derive the change of a moment.

        Examples
        --------
        >>> from nnft_sym.symmetries.generators import acting
        >>> from nnft_sym.groups import SO
        >>> from nnft_sym.laws import first_layer_law
        >>> from nnft_sym.literature import scalar_field_net
        >>> (turn,) = acting(SO(2), None)
        >>> bool(MomentChange.of(first_layer_law(scalar_field_net(2)), 4, turn))
        False
        """
        symbols = _coordinates(order, generator)
        variables = law.variables(order)
        lowest = [m for m in variables.values() if not m.free_symbols & set(variables)]
        if lowest and all(
            _difference(_in_coordinates(m, generator), generator, symbols) == 0 for m in lowest
        ):
            return cls(moment=sp.nan, change=sp.Integer(0))
        expression = expanded_determinants(law.expression(order), order)
        moment = _in_coordinates(written_out(expression, variables), generator)
        cores = dict.fromkeys(polynomial_cores(moment, tuple(symbols)))
        if all(_difference(core, generator, symbols) == 0 for core in cores):
            return cls(moment=moment, change=sp.Integer(0))
        if law.exactness(order).kind is Kind.INTEGRAL:
            raise NotDerivedError(
                expected="moments in closed form for their change under a transformation",
                came=f"{shorten(str(moment))}, known as an integral only",
                remedy="compare .tensor at the points and at the transformed points",
            )
        if generator.is_flow:
            change = sp.Add(*(v * sp.diff(moment, x) for x, v in symbols.items() if v != 0))
        else:
            change = moment.xreplace(symbols) - moment
        return cls(moment=moment, change=change)


def changed_polynomial(
    formula: sp.Expr,
    moments: Mapping[sp.Symbol, tuple[Block, MomentChange]],
    generator: ActingGenerator,
    values: Mapping[sp.Symbol, sp.Expr],
) -> sp.Expr:
    """Change of a polynomial in moments, zero only if it is shown to vanish identically.

    Parameters
    ----------
    formula : sympy.Expr
        The polynomial in symbols M_B.
    moments : mapping of symbol to (block of legs, MomentChange)
        What the symbols stand for.
    generator : ActingGenerator
        What moves the points.
    values : mapping of symbol to number
        Parameters at which a change is looked at in numbers.

    Raises
    ------
    NotDerivedError
        If it is zero to 30 digits but not shown to vanish.
    """
    own = {s: pair for s, pair in moments.items() if s in formula.free_symbols}
    moving = {s: pair for s, pair in own.items() if pair[1]}
    if not moving:
        return sp.Integer(0)
    names = {s: sp.Dummy(f"d{s.name}") for s in moving}
    if generator.is_flow:
        change = sp.Add(*(sp.diff(formula, s) * name for s, name in names.items()))
    else:
        change = sp.expand(formula.xreplace({s: s + name for s, name in names.items()}) - formula)
    pieces = {
        s: _placed(pair[1].moment, pair[0]) for s, pair in own.items() if s in change.free_symbols
    }
    pieces |= {name: _placed(own[s][1].change, own[s][0]) for s, name in names.items()}
    written = change.xreplace(pieces)
    if _is_seen(change, pieces, values):
        return written
    if sp.expand(written.rewrite(sp.exp).expand()) == 0:
        return sp.Integer(0)
    raise NotDerivedError(
        expected="a change that vanishes term by term, or does not vanish",
        came=f"one that is zero to {DIGITS} digits at random points",
        remedy="compare .tensor at the points and at the transformed points",
    )


def _is_seen(
    change: sp.Expr, pieces: Mapping[sp.Symbol, sp.Expr], values: Mapping[sp.Symbol, sp.Expr]
) -> bool:
    """Whether the change differs from zero in numbers, at points of no special position."""
    points: dict[sp.Basic, sp.Expr] = dict(values)
    for number, symbol in enumerate(
        sorted({s for piece in pieces.values() for s in piece.free_symbols} - set(values), key=str)
    ):
        points[symbol] = sp.Rational(3 * number**2 + 5 * number + 7, 23 + 4 * number)
    numbers = {s: sp.N(piece.xreplace(points), DIGITS) for s, piece in pieces.items()}
    terms = [sp.N(t.xreplace(points).xreplace(numbers), DIGITS) for t in sp.Add.make_args(change)]
    scale = sp.Add(*(abs(t) for t in terms))
    return bool(abs(sp.Add(*terms)) > scale * sp.Float(10) ** (5 - DIGITS))


def _coordinates(order: int, generator: ActingGenerator) -> dict[sp.Symbol, sp.Expr]:
    """Coordinates of points 1..k, with their velocities or images."""
    d = generator.map.dimension
    found: dict[sp.Symbol, sp.Expr] = {}
    for a in range(1, order + 1):
        point = tuple(coordinate(a, i + 1) for i in range(d))
        if isinstance(generator.map, AffineMap):
            found |= dict(zip(point, generator.map(point), strict=True))
        else:
            found |= dict(zip(point, generator.map.at(point), strict=True))
    return found


def _in_coordinates(expression: sp.Expr, generator: ActingGenerator) -> sp.Expr:
    """Inner products written out."""
    d = generator.map.dimension
    rule: dict[sp.Basic, sp.Expr] = {DIMENSION: sp.Integer(d)}
    for node in expression.atoms(InnerProduct):
        a, b = (int(argument) for argument in node.args)
        rule[node] = sp.Add(*(coordinate(a, i + 1) * coordinate(b, i + 1) for i in range(d)))
    return expression.xreplace(rule)


def _difference(
    core: sp.Expr, generator: ActingGenerator, symbols: Mapping[sp.Symbol, sp.Expr]
) -> sp.Expr:
    if generator.is_flow:
        return sp.expand(sp.Add(*(v * sp.diff(core, x) for x, v in symbols.items() if v != 0)))
    return sp.expand(core.xreplace(dict(symbols)) - core)


def _placed(expression: sp.Expr, block: Block) -> sp.Expr:
    """Points 1..k renamed to those of a block of legs, counted from 0."""
    if expression is sp.nan:
        return expression
    return relabelled(expression, tuple(leg + 1 for leg in block))
