"""Source of an expression on vectors: what varies lane by lane, and what is computed once.

Parts of an expression that are the same for all neurons (of numbers, parameters, coordinates of a
point) are left out of the vector code: they are computed once, in double precision, and enter as
scalars.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from functools import reduce

from nnft_sym.language import FUNCTIONS, Call, Expression, Name, Number

__all__ = ["VectorSource", "has_kept_digits"]

_LARGEST_POWER = 64


class VectorSource:
    """Writes expressions as source on the vectors of ``nnft_num.simd``.

    Parameters
    ----------
    varying : set of str
        Names that are vectors.
    hoist : callable
        Takes an expression without varying names, returns the name of the scalar that holds it.
    prefix : str
        Put before the scalar names of functions, ``_s_`` or ``_d_``.

    Examples
    --------
    >>> from nnft_sym.language import parse
    >>> source = VectorSource(varying={"z"}, hoist=lambda part: f"[{part}]", prefix="_s_")
    >>> source.write(parse("exp(z)/sqrt(exp(2*k)) + max(0, z)"))
    '((_s_exp(z)*[1/sqrt(exp(2*k))]) + _select(0.0 > z, 0.0, z))'
    """

    def __init__(self, *, varying: Set[str], hoist: Callable[[Expression], str], prefix: str):
        self.varying = varying
        self.hoist = hoist
        self.prefix = prefix

    def varies(self, expression: Expression) -> bool:
        """Whether the expression is a vector."""
        return bool(expression.names & self.varying)

    def write(self, expression: Expression) -> str:
        """Source of an expression: a vector if it varies, else a scalar."""
        if not self.varies(expression):
            constant = expression.constant
            return self.hoist(expression) if constant is None else f"{constant!r}"
        if isinstance(expression, Name):
            return expression.id
        assert isinstance(expression, Call)
        function, arguments = expression.function, expression.arguments
        if function == "**":
            return self._power(*arguments)
        if function == "/" and not self.varies(arguments[1]):
            inverse = Call("/", (Number(1), arguments[1]))
            return f"({self.write(arguments[0])}*{self.write(inverse)})"
        if function in ("+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!="):
            return f"({self.write(arguments[0])} {function} {self.write(arguments[1])})"
        if function == "neg":
            return f"(-{self.write(arguments[0])})"
        if function == "where":
            return self._where(*arguments)
        if function in ("max", "min"):
            ordered = sorted(arguments, key=lambda a: (not self.varies(a), a.constant is not None))
            return reduce(lambda a, b: self._extreme(function, a, b), ordered, "")
        name = FUNCTIONS[function].scalar
        return f"{self.prefix}{name}({', '.join(map(self.vector, arguments))})"

    def vector(self, expression: Expression) -> str:
        """Source of an expression as a vector, whether it varies or not."""
        text = self.write(expression)
        return text if self.varies(expression) else f"{self.prefix}splat({text})"

    def _where(self, condition: Expression, yes: Expression, no: Expression) -> str:
        if self.varies(condition):
            return f"_select({self.write(condition)}, {self.vector(yes)}, {self.write(no)})"
        assert isinstance(condition, Call)
        left, right = map(self.write, condition.arguments)
        test = f"{left} {condition.function} {right}"
        return f"({self.vector(yes)} if {test} else {self.vector(no)})"

    def _extreme(self, function: str, one: str, other: Expression) -> str:
        """Largest or smallest of what is written already and one more argument."""
        if not one:
            return self.vector(other)
        sign = ">" if function == "max" else "<"
        if other.constant is not None:
            bound = f"{other.constant!r}"
            return f"_select({bound} {sign} {one}, {bound}, {one})"
        return f"{self.prefix}{FUNCTIONS[function].scalar}({one}, {self.vector(other)})"

    def _power(self, base: Expression, exponent: Expression) -> str:
        value = exponent.constant
        if value == 0.5:
            return f"{self.prefix}sqrt({self.vector(base)})"
        if value is not None and value == int(value) and 1 <= abs(value) <= _LARGEST_POWER:
            power = f"_power({self.write(base)}, {abs(int(value))})"
            return power if value > 0 else f"(1.0/{power})"
        return f"{self.prefix}pow({self.vector(base)}, {self.vector(exponent)})"


def has_kept_digits(expression: Expression, uniforms: Set[str]) -> bool:
    """Whether single-precision uniforms are enough: sums, and products with other things, of them.

    Anything else could magnify the rounding of a uniform: a logarithm at 0, a sign at 1/2.

    Examples
    --------
    >>> from nnft_sym.language import parse
    >>> [has_kept_digits(parse(t), {"u_1"}) for t in ("2*pi*u_1 - pi", "sign(u_1 - 1/2)")]
    [True, False]
    """
    if not expression.names & uniforms or isinstance(expression, Name):
        return True
    assert isinstance(expression, Call)
    if expression.function not in ("+", "-", "*", "/", "neg"):
        return False
    if expression.function == "/" and expression.arguments[1].names & uniforms:
        return False
    return all(has_kept_digits(argument, uniforms) for argument in expression.arguments)
