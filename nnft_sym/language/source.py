"""Scalar Python source of an expression, for a compiler of functions of floats."""

from __future__ import annotations

from functools import reduce

from nnft_sym.language.functions import CONSTANTS, FUNCTIONS, OPERATORS
from nnft_sym.language.nodes import ATOM, BINDING, Call, Expression, Name, Number, infix, negated

__all__ = ["scalar_source"]

#: Integer exponents up to this size are left to the compiler, which multiplies.
_SMALL_POWER = 8


def scalar_source(expression: Expression) -> str:
    """Write an expression as scalar Python source.

    The source uses the free names of the expression as variables, and the scalar names of
    ``FUNCTIONS`` (``exp``, ..., ``fabs``, ``fmax``, ``fmin``, ``sign``, ``heaviside``) and ``pow``
    as functions of floats.  All literals are floats, so no integer arithmetic can overflow, except
    small integer exponents: ``z**3`` is meant to be multiplied out.  Negative ones are written as
    quotients, ``1.0/z**3``.  ``where(c, a, b)`` becomes ``(a if c else b)``.

    Parameters
    ----------
    expression : Expression
        What ``parse`` returns.

    Examples
    --------
    >>> from nnft_sym.language import parse
    >>> scalar_source(parse("max(0, z)**2/2 + z**a"))
    'fmax(0.0, z)**2/2.0 + pow(z, a)'
    >>> scalar_source(parse("where(z > 0, z, z/10)"))
    '(z if z > 0.0 else z/10.0)'
    """
    return _write(expression)[0]


def _write(expression: Expression) -> tuple[str, int]:
    """Source and how tightly its outermost operator binds."""
    if isinstance(expression, Number):
        return repr(float(expression.value)), ATOM
    if isinstance(expression, Name):
        constant = CONSTANTS.get(expression.id)
        return (expression.id if constant is None else repr(constant)), ATOM
    if not isinstance(expression, Call):
        raise TypeError(f"{type(expression).__name__} is no node of the language")
    function = expression.function
    if function == "**":
        return _power(*expression.arguments)
    parts = [_write(argument) for argument in expression.arguments]
    if function == "neg":
        return negated(parts[0]), BINDING["neg"]
    if function in OPERATORS:
        return infix(function, parts[0], parts[1]), BINDING[function]
    texts = [text for text, _ in parts]
    if function == "where":
        condition, yes, no = texts
        return f"({yes} if {condition} else {no})", ATOM
    name = FUNCTIONS[function].scalar
    if FUNCTIONS[function].variadic:
        return reduce(lambda left, right: f"{name}({left}, {right})", texts), ATOM
    return f"{name}({', '.join(texts)})", ATOM


def _power(base: Expression, exponent: Expression) -> tuple[str, int]:
    part = _write(base)
    size, inverse = exponent, False
    if isinstance(exponent, Call) and exponent.function == "neg":
        size, inverse = exponent.arguments[0], True
    if isinstance(size, Number) and isinstance(size.value, int) and size.value <= _SMALL_POWER:
        power = infix("**", part, (str(size.value), ATOM)), BINDING["**"]
        if inverse:
            return infix("/", ("1.0", ATOM), power), BINDING["/"]
        return power
    return f"{OPERATORS['**'].scalar}({part[0]}, {_write(exponent)[0]})", ATOM
