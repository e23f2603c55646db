"""Null spaces of sparse exact linear systems.

Over the rationals elimination runs modulo a prime; the vectors found are lifted to fractions and
put into the equations exactly. A prime can only make the rank too small, so that vectors which
pass, one for each free unknown, are a basis: the result is proved, not probable. Over number
fields elimination runs in the field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import gcd, isqrt, lcm
from typing import Any

from sympy.polys.domains import QQ
from sympy.polys.domains.domain import Domain

from nnft_sym.language.errors import AccuracyError

__all__ = ["null_space"]

Equation = dict[int, Any]
"""A sparse row: unknown to coefficient."""

EXPONENTS = (61, 127, 521, 1279, 4423)
"""Mersenne primes 2^e - 1, tried in turn: fractions up to about 2^(e/2) are recovered."""


def null_space(
    equations: Iterable[Equation], unknowns: int, domain: Domain
) -> tuple[Equation, ...]:
    """Return a basis of the solutions of homogeneous equations.

    Each vector is 1 at one free unknown and 0 at the others; free unknowns come as early as
    possible.

    Parameters
    ----------
    equations : iterable of dict
        Unknown to coefficient, an element of the domain.
    unknowns : int
        Their number.
    domain : Domain
        The field of the coefficients.

    Raises
    ------
    AccuracyError
        If a solution has fractions of more than 600 digits.

    Examples
    --------
    >>> null_space([{0: QQ(2), 1: QQ(-3)}], 3, QQ)
    ({0: MPQ(1,1), 1: MPQ(2,3)}, {2: MPQ(1,1)})
    """
    rows = [row for row in equations if row]
    if domain != QQ:
        solved = _echelon(rows, lambda a: domain.one / a, lambda a: a)
        return _read_off(solved, unknowns, domain.one)
    integers = _distinct([_primitive(row) for row in rows])
    columns: dict[int, list[tuple[int, int]]] = {}
    for number, row in enumerate(integers):
        for unknown, coefficient in row.items():
            columns.setdefault(unknown, []).append((number, coefficient))
    for exponent in EXPONENTS:
        prime = 2**exponent - 1
        solved = _echelon(integers, partial(pow, exp=-1, mod=prime), prime.__rmod__)
        vectors = [_lifted(vector, prime) for vector in _read_off(solved, unknowns, 1)]
        if all(vector is not None and _solves(vector, columns) for vector in vectors):
            return tuple(v for v in vectors if v is not None)
    raise AccuracyError(
        expected="solutions with fractions of at most 600 digits",
        came="longer ones",
        remedy="choose generators with smaller numbers, or method='numeric'",
    )


def _primitive(row: Equation) -> dict[int, int]:
    """The equation with coprime integers, the first positive."""
    scale = lcm(*(int(c.denominator) for c in row.values()))
    whole = {k: int(c.numerator) * (scale // int(c.denominator)) for k, c in row.items()}
    divisor = gcd(*whole.values())
    divisor = -divisor if whole[max(whole)] < 0 else divisor
    return {k: c // divisor for k, c in whole.items()}


def _distinct(rows: Sequence[dict[int, int]]) -> list[dict[int, int]]:
    """Each equation once, short ones first: they fill in least."""
    unique = {tuple(sorted(row.items())): row for row in rows}
    return sorted(unique.values(), key=len)


def _echelon(
    rows: Iterable[Equation], invert: Callable[[Any], Any], clean: Callable[[Any], Any]
) -> dict[int, Equation]:
    """Reduced echelon form, each row by its last unknown, which it expresses in free ones."""
    pivots: dict[int, Equation] = {}
    for equation in rows:
        row = {k: c for k, value in equation.items() if (c := clean(value))}
        while row:
            lead = max(row)
            factor = row.pop(lead)
            if lead not in pivots:
                scale = invert(-factor)
                pivots[lead] = {k: clean(c * scale) for k, c in row.items()}
                break
            _add(row, pivots[lead], factor, clean)
    for lead in sorted(pivots):
        row = pivots[lead]
        for other in [k for k in row if k in pivots]:
            _add(row, pivots[other], row.pop(other), clean)
    return pivots


def _add(target: Equation, row: Equation, factor: Any, clean: Callable[[Any], Any]) -> None:
    for key, value in row.items():
        new = clean(target[key] + factor * value) if key in target else clean(factor * value)
        if new:
            target[key] = new
        else:
            target.pop(key, None)


def _read_off(solved: dict[int, Equation], unknowns: int, one: Any) -> tuple[Equation, ...]:
    """One vector for each free unknown."""
    vectors = {free: {free: one} for free in range(unknowns) if free not in solved}
    for lead in sorted(solved):
        for free, value in solved[lead].items():
            vectors[free][lead] = value
    return tuple(vectors.values())


def _lifted(vector: dict[int, int], prime: int) -> Equation | None:
    """The vector of fractions with small numerators and denominators, by Euclid's algorithm."""
    bound = isqrt(prime // 2)
    lifted = {}
    for unknown, residue in vector.items():
        (r0, r1), (t0, t1) = (prime, residue), (0, 1)
        while r1 > bound:
            quotient = r0 // r1
            (r0, r1), (t0, t1) = (r1, r0 - quotient * r1), (t1, t0 - quotient * t1)
        if t1 == 0 or abs(t1) > bound:
            return None
        lifted[unknown] = QQ(r1, t1)
    return lifted


def _solves(vector: Equation, columns: dict[int, list[tuple[int, int]]]) -> bool:
    left: dict[int, Any] = {}
    for unknown, value in vector.items():
        for number, coefficient in columns.get(unknown, ()):
            left[number] = left.get(number, 0) + coefficient * value
    return not any(left.values())
