"""The expression tree: numbers, names and calls, valid by construction.

A tree that exists can be printed, parsed back to an equal tree, evaluated and handed to sympy
without surprise: every node checks on construction that its arguments fit, that its parts without
names are finite real numbers, that powers stay moderate, and that its text stays within bounds.
"""

from __future__ import annotations

import keyword
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from nnft_sym.language.errors import LanguageError
from nnft_sym.language.functions import COMPARISONS, CONSTANTS, FUNCTIONS, OPERATORS

__all__ = [
    "BINDING",
    "MAX_DEPTH",
    "MAX_EXPONENT",
    "MAX_INTEGER",
    "MAX_LENGTH",
    "Call",
    "Expression",
    "Name",
    "Number",
    "infix",
    "negated",
    "shorten",
    "substitute",
]

#: Characters in a text.
MAX_LENGTH = 10_000
#: Levels of a tree, and of brackets in a text.
MAX_DEPTH = 100
#: Largest integer literal: up to it, every integer is a float64.
MAX_INTEGER = 2**53
#: Largest constant exponent, also of a power of a power: (z**a)**b counts as a*b.
MAX_EXPONENT = 1000
#: Characters in a name.
MAX_NAME = 64

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_RESERVED = frozenset(FUNCTIONS) | {record.scalar for record in FUNCTIONS.values()} | {"pow"}

#: How tightly an operator holds its operands; a function call, a name or a number holds tightest.
BINDING: Mapping[str, int] = MappingProxyType(
    {**dict.fromkeys(COMPARISONS, 1), "+": 2, "-": 2, "*": 3, "/": 3, "neg": 4, "**": 5}
)
ATOM = 6


def shorten(text: str, limit: int = 60) -> str:
    """Quote a text, leaving out its middle if it is long.

    Examples
    --------
    >>> shorten("z**2")
    "'z**2'"
    """
    if len(text) > limit:
        half = limit // 2 - 2
        text = f"{text[:half]} ... {text[-half:]}"
    return ascii(text)


def infix(symbol: str, left: tuple[str, int], right: tuple[str, int]) -> str:
    """Join two operands, each a text and its binding, with the brackets they need.

    Examples
    --------
    >>> infix("*", ("a + b", BINDING["+"]), ("c", 6))
    '(a + b)*c'
    """
    strength = BINDING[symbol]
    power = symbol == "**"
    first, second = left[0], right[0]
    if left[1] < strength or (power and left[1] == strength):
        first = f"({first})"
    signed = right[1] == BINDING["neg"] and strength >= BINDING["+"]
    if right[1] < strength or signed or (not power and right[1] == strength):
        second = f"({second})"
    space = "" if strength > BINDING["+"] else " "
    return f"{first}{space}{symbol}{space}{second}"


def negated(operand: tuple[str, int]) -> str:
    """Put a minus sign in front of an operand, given as a text and its binding."""
    return f"-{operand[0]}" if operand[1] > BINDING["neg"] else f"-({operand[0]})"


class Expression:
    """A frozen node of the language; two are equal when their canonical texts are.

    Attributes
    ----------
    text : str
        Canonical text, which parses back to an equal expression.
    names : frozenset of str
        Free names, constants excluded.
    constant : float or None
        The value, where no free names occur.
    depth : int
        Levels below this node.
    degree : float
        Largest product of constant exponents applied one upon the other.
    binding : int
        How tightly the outermost operator holds.
    """

    text: str
    names: frozenset[str]
    constant: float | None
    depth: int
    degree: float
    binding: int

    def _settle(
        self,
        text: str,
        *,
        names: frozenset[str] = frozenset(),
        constant: float | None = None,
        depth: int = 0,
        degree: float = 1.0,
        binding: int = ATOM,
    ) -> None:
        for field, value in (
            ("text", text),
            ("names", names),
            ("constant", constant),
            ("depth", depth),
            ("degree", degree),
            ("binding", binding),
        ):
            object.__setattr__(self, field, value)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"parse({self.text!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Expression):
            return NotImplemented
        return self.text == other.text

    def __hash__(self) -> int:
        return hash((Expression, self.text))


@dataclass(frozen=True, eq=False, repr=False)
class Number(Expression):
    """A literal, finite and not negative; a negative number is ``Call("neg", ...)``.

    Integers and floats differ (``2`` is not ``2.0``): the first is exact in sympy.

    Parameters
    ----------
    value : int or float
        The number; an integer at most 2**53.

    Raises
    ------
    LanguageError
        If the value is negative, not finite, too large an integer, or no number.

    Examples
    --------
    >>> Number(0.1)
    parse('0.1')
    """

    value: int | float

    def __post_init__(self) -> None:
        value = self.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise LanguageError(
                expected="an int or a float",
                came=f"a value of type {type(value).__name__}",
                remedy="convert it first",
            )
        if isinstance(value, int):
            if not 0 <= value <= MAX_INTEGER:
                raise LanguageError(
                    expected=f"an integer literal between 0 and 2**53 = {MAX_INTEGER}",
                    came=f"an integer of {value.bit_length()} bits" if value > 0 else "a negative",
                    remedy="write a float such as 1e20, or neg for a negative number",
                )
            value = int(value)
        else:
            if not math.isfinite(value) or math.copysign(1.0, value) < 0:
                raise LanguageError(
                    expected="a finite float literal of at least 0",
                    came=repr(float(value)),
                    remedy="stay below 1.8e308, and use neg for a negative number",
                )
            value = float(value)
        object.__setattr__(self, "value", value)
        self._settle(repr(value), constant=float(value))


@dataclass(frozen=True, eq=False, repr=False)
class Name(Expression):
    """A free name, or one of the constants pi and e.

    Parameters
    ----------
    id : str
        ASCII letters, digits and underscores, starting with a letter.

    Raises
    ------
    LanguageError
        If the name cannot be used: a Python keyword, the name of a function, or misspelt.

    Examples
    --------
    >>> sorted(Name("sigma_w").names), sorted(Name("pi").names)
    (['sigma_w'], [])
    """

    id: str

    def __post_init__(self) -> None:
        if not isinstance(self.id, str):
            raise LanguageError(
                expected="a name as a string",
                came=f"a value of type {type(self.id).__name__}",
                remedy="pass the name itself",
            )
        if not _IDENTIFIER.match(self.id) or len(self.id) > MAX_NAME:
            raise LanguageError(
                expected=f"a name of at most {MAX_NAME} ASCII letters, digits and underscores, "
                "starting with a letter",
                came=f"the name {shorten(self.id)}",
                remedy="rename it, for instance sigma_w or x_1",
            )
        if keyword.iskeyword(self.id):
            raise LanguageError(
                expected="a name that is not a Python keyword",
                came=f"the name '{self.id}'",
                remedy=f"rename it, for instance {self.id}_",
            )
        if self.id in _RESERVED:
            raise LanguageError(
                expected="a name that is not the name of a function",
                came=f"'{self.id}' without arguments",
                remedy=f"call it as {self.id}(z), or rename the variable",
            )
        if self.id in CONSTANTS:
            self._settle(self.id, constant=CONSTANTS[self.id])
        else:
            self._settle(self.id, names=frozenset({self.id}))


@dataclass(frozen=True, eq=False, repr=False)
class Call(Expression):
    """A function or operator applied to arguments.

    Parameters
    ----------
    function : str
        A key of ``FUNCTIONS``, or one of ``+ - * / ** neg < <= > >= == !=``.
    arguments : tuple of Expression
        As many as the function takes; a comparison occurs only as the first argument of where.

    Raises
    ------
    LanguageError
        If function and arguments do not fit, if a part without names is not a finite real
        number, if a power is astronomical, or if the tree grows too deep or its text too long.

    Examples
    --------
    >>> Call("*", (Call("+", (Name("a"), Number(1))), Name("b")))
    parse('(a + 1)*b')
    """

    function: str
    arguments: tuple[Expression, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", tuple(self.arguments))
        self._check_arguments()
        arguments = self.arguments
        text = self._write()
        depth = 1 + max(argument.depth for argument in arguments)
        if depth > MAX_DEPTH:
            raise LanguageError(
                expected=f"an expression of at most {MAX_DEPTH} levels",
                came=f"one that is deeper: {shorten(text)}",
                remedy="give parts of it names, or bracket a long sum into shorter sums",
            )
        if len(text) > MAX_LENGTH:
            raise LanguageError(
                expected=f"an expression of at most {MAX_LENGTH} characters",
                came=f"{len(text)} characters: {shorten(text)}",
                remedy="give parts of it names",
            )
        self._settle(
            text,
            names=frozenset().union(*(argument.names for argument in arguments)),
            constant=self._constant(text),
            depth=depth,
            degree=self._degree(text),
            binding=BINDING.get(self.function, ATOM),
        )

    def _check_arguments(self) -> None:
        record = OPERATORS.get(self.function) or FUNCTIONS.get(self.function)
        if record is None:
            raise LanguageError(
                expected="a function of the language: " + ", ".join(FUNCTIONS),
                came=f"{shorten(str(self.function))}",
                remedy="build it from these",
            )
        if not all(isinstance(argument, Expression) for argument in self.arguments):
            raise LanguageError(
                expected=f"expressions as arguments of {self.function}",
                came=", ".join(type(argument).__name__ for argument in self.arguments),
                remedy="wrap them in Number, Name or Call",
            )
        if not record.accepts(len(self.arguments)):
            count = f"{record.arity}{' or more' if record.variadic else ''}"
            written = ", ".join(argument.text for argument in self.arguments)
            raise LanguageError(
                expected=f"{count} argument{'s' * (count != '1')} for {self.function}",
                came=f"{len(self.arguments)} in {shorten(f'{self.function}({written})')}",
                remedy=f"{self.function} is: {record.doc}",
            )
        for position, argument in enumerate(self.arguments):
            comparison = isinstance(argument, Call) and argument.function in COMPARISONS
            wanted = self.function == "where" and position == 0
            if comparison and not wanted:
                raise LanguageError(
                    expected="a comparison only as the condition of where",
                    came=f"{shorten(argument.text)} as an argument of {self.function}",
                    remedy="write where(condition, a, b); nest where for 'and', 'or' and chains",
                )
            if wanted and not comparison:
                raise LanguageError(
                    expected="a comparison as the condition of where",
                    came=shorten(argument.text),
                    remedy="write for instance where(z > 0, z, 0)",
                )

    def _write(self) -> str:
        parts = [(argument.text, argument.binding) for argument in self.arguments]
        if self.function == "neg":
            return negated(parts[0])
        if self.function in OPERATORS:
            return infix(self.function, parts[0], parts[1])
        return f"{self.function}({', '.join(text for text, _ in parts)})"

    def _constant(self, text: str) -> float | None:
        values = [a.constant for a in self.arguments if a.constant is not None]
        if len(values) < len(self.arguments):
            return None
        record = OPERATORS.get(self.function) or FUNCTIONS[self.function]
        with np.errstate(all="ignore"):
            value = float(record.numpy(*map(np.float64, values)))
        if not math.isfinite(value):
            raise LanguageError(
                expected="a finite real number, at most 1.8e308, for every part without names",
                came=f"{shorten(text)}, which is {value}",
                remedy="rewrite this part, or give it a name",
            )
        return value

    def _degree(self, text: str) -> float:
        degree = max(argument.degree for argument in self.arguments)
        if self.function != "**":
            return degree
        base, exponent = self.arguments
        if exponent.constant is None:
            return degree
        degree = max(degree, base.degree * abs(exponent.constant))
        if degree > MAX_EXPONENT:
            raise LanguageError(
                expected=f"constant exponents, multiplied up, of at most {MAX_EXPONENT}",
                came=f"the power {shorten(text)}",
                remedy="give the exponent a name, or write the power with exp and log",
            )
        return degree


def substitute(expression: Expression, values: Mapping[str, Expression]) -> Expression:
    """Replace free names by expressions, all at once.

    Parameters
    ----------
    expression : Expression
        The expression to read.
    values : mapping of str to Expression
        What to put for each name; other names stay.

    Raises
    ------
    LanguageError
        If the result is outside the language (too long, too deep, or not finite).

    Examples
    --------
    >>> z = Call("+", (Name("x"), Number(1)))
    >>> substitute(Call("**", (Name("z"), Number(2))), {"z": z})
    parse('(x + 1)**2')
    """
    if isinstance(expression, Name) and expression.names:
        return values.get(expression.id, expression)
    if isinstance(expression, Call) and expression.names:
        return Call(
            expression.function,
            tuple([substitute(argument, values) for argument in expression.arguments]),
        )
    return expression
