"""Scales, means and widths: numbers or free symbols, and their binding to values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any, TypeAlias

import sympy as sp

from nnft_sym.formulas import to_sympy
from nnft_sym.language import parse
from nnft_sym.language.errors import SpecificationError

__all__ = ["Parameter", "in_symbols", "location", "non_negative", "unified", "width_parameter"]

Parameter: TypeAlias = Any
"""What a scale, mean or width may be given as: a number, a text of the language, an expression."""


def location(value: Parameter, role: str) -> sp.Expr:
    """Read a real parameter such as a mean or an end of an interval.

    Examples
    --------
    >>> location("mu", "mean").is_real
    True
    """
    return _read(value, role, {"real": True})


def non_negative(value: Parameter, role: str) -> sp.Expr:
    """Read a parameter that cannot be negative such as a standard deviation.

    Examples
    --------
    >>> non_negative("sigma_w", "std").is_nonnegative
    True
    """
    number = _read(value, role, {"nonnegative": True})
    if number.is_negative:
        raise SpecificationError(
            expected=f"{role} >= 0", came=f"{role} = {value}", remedy="give its absolute value"
        )
    return number


def width_parameter(value: Parameter) -> sp.Expr:
    """Read a width: an integer of at least 1 or the name of one.

    Examples
    --------
    >>> width_parameter("N").is_positive
    True
    """
    width = _read(value, "width", {"integer": True, "positive": True})
    if isinstance(width, sp.Symbol) or (width.is_Integer and width >= 1):
        return width
    raise SpecificationError(
        expected="a width that is an integer of at least 1, or one name",
        came=f"width = {value}",
        remedy="write width=128 or width='N'",
    )


def _read(value: Parameter, role: str, assumptions: Mapping[str, bool]) -> sp.Expr:
    if isinstance(value, str):
        tree = parse(value)
        return to_sympy(tree, {name: sp.Symbol(name, **assumptions) for name in tree.names})
    if isinstance(value, bool) or not isinstance(value, (Real, sp.Expr)):
        raise SpecificationError(
            expected=f"a number, a name or an expression for {role}",
            came=f"{value!r} of type {type(value).__name__}",
            remedy=f"write for example {role}=1.0 or {role}='sigma'",
        )
    number = sp.sympify(value)
    if number.is_number and not (number.is_real and number.is_finite):
        raise SpecificationError(
            expected=f"a finite real number for {role}", came=str(value), remedy="check its source"
        )
    return number


def in_symbols(value: Parameter, role: str, known: Mapping[str, sp.Symbol]) -> sp.Expr:
    """Read a number, text or expression in symbols that are known by name; others become real.

    Examples
    --------
    >>> scale = sp.Symbol("s", nonnegative=True)
    >>> in_symbols("2*s", "scale", {"s": scale}) == 2 * scale
    True
    """
    expression = _read(value, role, {"real": True})
    return expression.xreplace({s: known.get(s.name, s) for s in expression.free_symbols})


def unified(expressions: Iterable[sp.Expr]) -> dict[sp.Symbol, sp.Symbol]:
    """Map symbols that share a name to the one among them with the most assumptions.

    Examples
    --------
    >>> plain, scale = sp.Symbol("s"), sp.Symbol("s", nonnegative=True)
    >>> unified([plain, scale])[plain].is_nonnegative
    True
    """
    strongest: dict[str, sp.Symbol] = {}
    symbols = sorted(
        {symbol for expression in expressions for symbol in expression.free_symbols},
        key=lambda symbol: (len(symbol.assumptions0), sorted(symbol.assumptions0.items())),
    )
    for symbol in symbols:
        strongest[symbol.name] = symbol
    return {s: strongest[s.name] for s in symbols if s is not strongest[s.name]}


def number_of(name: str, value: Any) -> float | int:
    """Return a parameter's value as a plain number.

    Examples
    --------
    >>> number_of("sigma_w", sp.Rational(1, 2))
    0.5
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if (
        isinstance(value, (bool, str))
        or number != number
        or number in (float("inf"), float("-inf"))
    ):
        raise SpecificationError(
            expected=f"a finite real number for {name}",
            came=f"{name} = {value!r}",
            remedy="pass one number for each parameter",
        )
    return int(number) if number.is_integer() and not isinstance(value, float) else number
