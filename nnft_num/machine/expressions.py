"""Expressions on vectors: what varies lane by lane, and what is computed once.

Parts of an expression that are the same for all neurons (of numbers, parameters, coordinates of a
point) are left out of the machine code: they are computed before, in double precision, and enter
as scalars.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from functools import reduce
from typing import Any

from nnft_num.machine.functions import DOUBLE, SINGLE, power, sqrt
from nnft_num.machine.simd import Code, Value, f32, f64
from nnft_sym.language import FUNCTIONS, Call, Expression, Name, Number

__all__ = ["VectorExpression", "keeps_digits"]

_LARGEST_POWER = 64


class VectorExpression:
    """Writes the machine code of expressions.

    Parameters
    ----------
    code : Code
        Where it is written.
    names : mapping
        Vectors that names stand for.
    hoist : callable
        Takes a part without these names and gives the scalar that holds it.
    double : bool
        Whether the vectors are of double precision.
    functions : mapping, optional
        Functions other than those of the precision.
    """

    def __init__(
        self,
        code: Code,
        names: Mapping[str, Value],
        hoist: Callable[[Expression], Value],
        *,
        double: bool = False,
        functions: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.names = names
        self.hoist = hoist
        self.element = f64 if double else f32
        self.functions = functions or (DOUBLE if double else SINGLE)
        self.written: dict[Expression, Value] = {}

    def vector(self, expression: Expression) -> Value:
        """Write an expression as a vector."""
        value = self._value(expression)
        if isinstance(value, Value):
            return value if value.is_vector else value.splat()
        return self.code.vector(value, self.element)

    def _varies(self, expression: Expression) -> bool:
        return not expression.names.isdisjoint(self.names)

    def _value(self, expression: Expression) -> Value | float:
        """Vector, scalar or plain number."""
        if not self._varies(expression):
            constant = expression.constant
            return self.hoist(expression) if constant is None else constant
        if isinstance(expression, Name):
            return self.names[expression.id]
        assert isinstance(expression, Call)
        # parts that occur several times are written once
        if expression not in self.written:
            self.written[expression] = self._call(expression)
        return self.written[expression]

    def _call(self, expression: Call) -> Value:
        function, arguments = expression.function, expression.arguments
        if function == "**":
            return self._power(*arguments)
        if function == "/" and not self._varies(arguments[1]):
            inverse = self._value(Call("/", (Number(1), arguments[1])))
            return self.vector(arguments[0]) * inverse
        if function in _OPERATORS:
            a, b = map(self._value, arguments)
            return _OPERATORS[function](a, b)
        if function == "neg":
            return -self.vector(arguments[0])
        if function == "where":
            condition, yes, no = arguments
            assert isinstance(condition, Call)
            a, b = map(self.vector, condition.arguments)
            return _OPERATORS[condition.function](a, b).select(self.vector(yes), self.vector(no))
        if function in ("max", "min"):
            ordered = sorted(arguments, key=lambda a: (not self._varies(a), a.constant is not None))
            first = self.vector(ordered[0])
            return reduce(lambda a, b: self._extreme(function, a, b), ordered[1:], first)
        return self.functions[FUNCTIONS[function].scalar](*map(self.vector, arguments))

    def _extreme(self, function: str, one: Value, other: Expression) -> Value:
        """Largest or smallest of what is written already and one more argument."""
        if other.constant is None:
            return self.functions[FUNCTIONS[function].scalar](one, self.vector(other))
        # one instruction, which gives its second operand if that is NaN
        bound = self.code.vector(other.constant, self.element)
        beyond = bound > one if function == "max" else bound < one
        return beyond.select(bound, one)

    def _power(self, base: Expression, exponent: Expression) -> Value:
        value = exponent.constant
        if value == 0.5:
            return sqrt(self.vector(base))
        if value is not None and value == int(value) and 1 <= abs(value) <= _LARGEST_POWER:
            result = power(self.vector(base), abs(int(value)))
            return result if value > 0 else 1.0 / result
        return self.functions["pow"](self.vector(base), self.vector(exponent))


_OPERATORS: Mapping[str, Callable[..., Value]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a.equals(b),
    "!=": lambda a, b: a.differs(b),
}


def keeps_digits(expression: Expression, uniforms: Set[str]) -> bool:
    """Whether single-precision uniforms are enough: sums, and products with other things, of them.

    Anything else could magnify the rounding of a uniform: a logarithm at 0, a sign at 1/2.

    Examples
    --------
    >>> from nnft_sym.language import parse
    >>> [keeps_digits(parse(t), {"u_1"}) for t in ("2*pi*u_1 - pi", "sign(u_1 - 1/2)")]
    [True, False]
    """
    if not expression.names & uniforms or isinstance(expression, Name):
        return True
    assert isinstance(expression, Call)
    if expression.function not in ("+", "-", "*", "/", "neg"):
        return False
    if expression.function == "/" and expression.arguments[1].names & uniforms:
        return False
    return all(keeps_digits(argument, uniforms) for argument in expression.arguments)
