"""Sums of polynomial × exp(αz + βz²) × half-spaces: how a function is read as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import sympy as sp

from nnft_sym.activations import Z
from nnft_sym.expectation.exponentials import exponential_terms
from nnft_sym.expectation.half_spaces.pieces import smooth_pieces

__all__ = ["Edge", "EdgeTerm", "edge_terms", "expanded_terms", "is_closed"]

MOST_EDGES = 2
"""Half-spaces in a product beyond which there is no closed form."""


@dataclass(frozen=True, kw_only=True)
class Edge:
    """The boundary of a noisy half-space, y = o (z - t + τξ) > 0.

    Parameters
    ----------
    side : int
        o: +1 for z above the threshold, -1 for z below it.
    threshold : sympy.Expr
        t.
    noise : sympy.Expr
        τ²: 0 for a kink, positive for an error function.
    is_sign : bool
        Whether the factor is sign(y) rather than the indicator θ(y).
    """

    side: int
    threshold: sp.Expr
    noise: sp.Expr
    is_sign: bool


_Key = tuple[sp.Expr, sp.Expr, tuple[Edge, ...]]


@dataclass(frozen=True, kw_only=True)
class EdgeTerm:
    """One term P(z) exp(αz + βz²) ∏ g(y), with g(y) = sign(y) or θ(y) on each edge.

    Parameters
    ----------
    polynomial : tuple of sympy.Expr
        Coefficients of P, ascending.
    linear, quadratic : sympy.Expr
        α and β.
    edges : tuple of Edge
        At most one kink, and any error functions.
    """

    polynomial: tuple[sp.Expr, ...]
    linear: sp.Expr
    quadratic: sp.Expr
    edges: tuple[Edge, ...]


def edge_terms(function: sp.Expr) -> tuple[EdgeTerm, ...] | None:
    """Read a function of z as a sum of terms; None if it is not one.

    Half-lines are chosen so that little cancels: away from the growing side of an exponential,
    and otherwise away from z = 0, so that a narrow Gaussian meets the piece around zero and
    exponentially small rests; at zero itself a kink is written with sign(z).  Numbers in floating
    point are read as the decimal fractions they stand for.

    Examples
    --------
    >>> [term.polynomial for term in edge_terms(sp.Max(Z, 0))]
    [(0, 1/2), (0, 1/2)]
    >>> edge_terms(sp.tanh(Z)) is None
    True
    """
    if function.free_symbols - {Z}:
        return None
    pieces = smooth_pieces(sp.nsimplify(function, rational=True))
    if pieces is None:
        return None
    read = [_smooth_terms(piece) for piece in pieces.functions]
    if any(terms is None for terms in read):
        return None
    keys = dict.fromkeys(key for terms in read for key in terms)  # type: ignore[union-attr]
    found: list[EdgeTerm] = []
    for linear, quadratic, errors in keys:
        along = [sp.Poly(terms.get((linear, quadratic, errors), 0), Z) for terms in read]  # type: ignore[union-attr]
        for polynomial, kinks in _jumps(pieces.thresholds, along, sp.re(linear)):
            edges = (*kinks, *errors)
            if polynomial.is_zero:
                continue
            if len(edges) > MOST_EDGES:
                return None
            coefficients = tuple(polynomial.all_coeffs()[::-1])
            found.append(
                EdgeTerm(polynomial=coefficients, linear=linear, quadratic=quadratic, edges=edges)
            )
    return tuple(found)


def _jumps(
    thresholds: tuple[sp.Expr, ...], along: list[sp.Poly], growth: sp.Expr
) -> list[tuple[sp.Poly, tuple[Edge, ...]]]:
    """Write polynomials, one on each piece, as a common one plus a jump at every threshold."""
    if growth != 0:
        base = len(thresholds) if growth > 0 else 0
        signed = False
    else:
        base = sum(bool(t < 0) for t in thresholds)
        signed = sp.Integer(0) in thresholds
    found: list[tuple[sp.Poly, tuple[Edge, ...]]] = []
    common = along[base]
    for place, threshold in enumerate(thresholds):
        jump = along[place + 1] - along[place]
        if signed and threshold == 0:
            common, jump = (along[place] + along[place + 1]) * sp.S.Half, jump * sp.S.Half
            kink = Edge(side=1, threshold=threshold, noise=sp.Integer(0), is_sign=True)
            found.append((jump, (kink,)))
        else:
            side = -1 if place < base else 1
            kink = Edge(side=side, threshold=threshold, noise=sp.Integer(0), is_sign=False)
            found.append((jump * side, (kink,)))
    return [(common, ()), *found]


def _smooth_terms(function: sp.Expr) -> dict[_Key, sp.Expr] | None:
    """Read a smooth function: the polynomial in front of each exponential and error functions."""
    function = function.replace(sp.erfc, lambda argument: 1 - sp.erf(argument))
    names = {node: sp.Dummy() for node in function.atoms(sp.erf) if node.has(Z)}
    edges = {name: _error_edge(node.args[0]) for node, name in names.items()}
    if None in edges.values():
        return None
    expanded = sp.expand(function.xreplace(names))
    parts: list[tuple[tuple[int, ...], sp.Expr]] = [((), expanded)]
    if names:
        if not expanded.is_polynomial(*edges):
            return None
        parts = sp.Poly(expanded, *edges).terms()
    found: dict[_Key, sp.Expr] = {}
    for powers, coefficient in parts:
        terms = exponential_terms(coefficient)
        if terms is None:
            return None
        sides: list[tuple[int, Edge]] = []
        for name, power in zip(edges, powers, strict=False):
            sides += [edges[name]] * power  # type: ignore[list-item]
        flips = sp.prod([side for side, _ in sides])
        errors = tuple(sorted((edge for _, edge in sides), key=str))
        for term in terms:
            key = (term.linear, term.quadratic, errors)
            polynomial = sp.Add(*(flips * c * Z**p for p, c in enumerate(term.polynomial)))
            found[key] = found.get(key, sp.Integer(0)) + polynomial
    return found


def _error_edge(argument: sp.Expr) -> tuple[int, Edge] | None:
    """Read erf(cz + e) = ±E sign(z - t + τξ) with t = -e/c and τ² = 1/(2c²)."""
    argument = sp.expand(argument)
    if not argument.is_polynomial(Z) or sp.degree(argument, Z) != 1:
        return None
    slope, offset = argument.coeff(Z, 1), argument.coeff(Z, 0)
    if not (slope.is_real and offset.is_real):
        return None
    threshold, noise = sp.expand(-offset / slope), sp.expand(1 / (2 * slope**2))
    edge = Edge(side=1, threshold=threshold, noise=noise, is_sign=True)
    return (1 if slope.is_positive else -1), edge


def is_closed(choice: Sequence[EdgeTerm]) -> bool:
    """Whether a product of terms reduces to normal distribution functions of real arguments.

    One half-space may come with an oscillating exponent, whose erf is complex; two may not.

    Examples
    --------
    >>> is_closed(edge_terms(sp.erf(Z)) * 2), is_closed(edge_terms(sp.erf(Z)) * 3)
    (True, False)
    """
    edges = sum(len(term.edges) for term in choice)
    if edges and any(sp.im(term.quadratic) != 0 for term in choice):
        return False
    oscillates = any(sp.im(term.linear) != 0 for term in choice)
    return edges <= (1 if oscillates else MOST_EDGES)


@lru_cache(maxsize=64)
def expanded_terms(terms: tuple[EdgeTerm, ...], degree: int) -> tuple[EdgeTerm, ...]:
    """Replace exponentials by their Taylor polynomials, where what they share cancels exactly.

    Examples
    --------
    >>> expanded_terms(edge_terms(sp.exp(Z) - 1 - Z), 3)[0].polynomial
    (0, 0, 1/2, 1/6)
    """
    collected: dict[tuple[Edge, ...], sp.Poly] = {}
    for term in terms:
        # (n + 1) c_{n+1} = α c_n + 2β c_{n-1}, from the derivative of the exponential.
        series = [sp.Integer(0), sp.Integer(1)]
        for n in range(degree):
            following = term.linear * series[-1] + 2 * term.quadratic * series[-2]
            series.append(sp.expand(following / (n + 1)))
        if term.linear == term.quadratic == 0:
            series = series[:2]
        factor = sp.Poly(series[:0:-1], Z) * sp.Poly(term.polynomial[::-1], Z)
        for weight, edges in _turned(term.edges):
            collected[edges] = collected.get(edges, sp.Poly(0, Z)) + factor * weight
    return tuple(
        EdgeTerm(
            polynomial=tuple(polynomial.all_coeffs()[::-1]),
            linear=sp.Integer(0),
            quadratic=sp.Integer(0),
            edges=edges,
        )
        for edges, polynomial in collected.items()
        if not polynomial.is_zero
    )


def _turned(edges: tuple[Edge, ...]) -> list[tuple[sp.Expr, tuple[Edge, ...]]]:
    """Write a kink's half-line with the one turned away from zero, or with sign(z) at zero."""
    kinks = [edge for edge in edges if edge.noise == 0 and not edge.is_sign]
    if not kinks or kinks[0].side * kinks[0].threshold > 0:
        return [(sp.Integer(1), edges)]
    kink, rest = kinks[0], tuple(edge for edge in edges if edge is not kinks[0])
    if kink.threshold == 0:
        sign = replace(kink, side=1, is_sign=True)
        return [(sp.S.Half, rest), (sp.Rational(kink.side, 2), (sign, *rest))]
    return [(sp.Integer(1), rest), (sp.Integer(-1), (replace(kink, side=-kink.side), *rest))]
