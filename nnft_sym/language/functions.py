"""The vocabulary of the little language: its functions, operators and constants.

Each function is one record: how many arguments it takes, how numpy computes it, and what it is
called in scalar source.  Everything else (parser, interpreter, scalar source, sympy bridge) reads
these tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from types import MappingProxyType
from typing import Any

import numpy as np

__all__ = ["COMPARISONS", "CONSTANTS", "FUNCTIONS", "OPERATORS", "Function"]


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function of the language.

    Parameters
    ----------
    arity : int
        Number of arguments; the least number if ``variadic``.
    numpy : callable
        Elementwise implementation on broadcastable float64 arrays.
    scalar : str
        Name of the function of floats that stands for it in ``scalar_source``.
    doc : str
        What it is, in a few words.
    variadic : bool
        Whether more than ``arity`` arguments are allowed.
    """

    arity: int
    numpy: Callable[..., Any]
    scalar: str
    doc: str
    variadic: bool = False

    def accepts(self, count: int) -> bool:
        """Whether the function can be called with ``count`` arguments."""
        return count == self.arity or (self.variadic and count > self.arity)


def _sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def _largest(*arguments: Any) -> Any:
    return reduce(np.maximum, arguments)


def _smallest(*arguments: Any) -> Any:
    return reduce(np.minimum, arguments)


def _unary(implementation: Callable[..., Any], scalar: str, doc: str) -> Function:
    return Function(arity=1, numpy=implementation, scalar=scalar, doc=doc)


#: The named functions.
FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "exp": _unary(np.exp, "exp", "exponential"),
        "log": _unary(np.log, "log", "natural logarithm"),
        "sqrt": _unary(np.sqrt, "sqrt", "square root"),
        "sin": _unary(np.sin, "sin", "sine"),
        "cos": _unary(np.cos, "cos", "cosine"),
        "tan": _unary(np.tan, "tan", "tangent"),
        "sinh": _unary(np.sinh, "sinh", "hyperbolic sine"),
        "cosh": _unary(np.cosh, "cosh", "hyperbolic cosine"),
        "tanh": _unary(np.tanh, "tanh", "hyperbolic tangent"),
        "asin": _unary(np.arcsin, "asin", "inverse sine, in [-pi/2, pi/2]"),
        "acos": _unary(np.arccos, "acos", "inverse cosine, in [0, pi]"),
        "atan": _unary(np.arctan, "atan", "inverse tangent, in (-pi/2, pi/2)"),
        "erf": _unary(
            np.vectorize(math.erf, otypes=[np.float64]), "erf", "2/sqrt(pi) int_0^z exp(-t^2) dt"
        ),
        "erfc": _unary(np.vectorize(math.erfc, otypes=[np.float64]), "erfc", "1 - erf(z)"),
        "abs": _unary(np.abs, "fabs", "absolute value"),
        "sign": _unary(np.sign, "sign", "-1, 0 or 1 for z < 0, z = 0, z > 0"),
        "heaviside": _unary(
            lambda x: np.heaviside(x, 0.5), "heaviside", "0, 1/2 or 1 for z < 0, z = 0, z > 0"
        ),
        "sigmoid": _unary(_sigmoid, "sigmoid", "1/(1 + exp(-z))"),
        "max": Function(
            arity=2, numpy=_largest, scalar="fmax", doc="largest argument", variadic=True
        ),
        "min": Function(
            arity=2, numpy=_smallest, scalar="fmin", doc="smallest argument", variadic=True
        ),
        "where": Function(
            arity=3,
            numpy=np.where,
            scalar="where",
            doc="where(condition, a, b): a where the comparison holds, else b",
        ),
    }
)

#: The comparisons, which only ``where`` may ask.
COMPARISONS: Mapping[str, Function] = MappingProxyType(
    {
        "<": Function(arity=2, numpy=np.less, scalar="<", doc="less"),
        "<=": Function(arity=2, numpy=np.less_equal, scalar="<=", doc="less or equal"),
        ">": Function(arity=2, numpy=np.greater, scalar=">", doc="greater"),
        ">=": Function(arity=2, numpy=np.greater_equal, scalar=">=", doc="greater or equal"),
        "==": Function(arity=2, numpy=np.equal, scalar="==", doc="equal"),
        "!=": Function(arity=2, numpy=np.not_equal, scalar="!=", doc="different"),
    }
)

#: The operators, comparisons included; ``"neg"`` is the sign in front of a term.
OPERATORS: Mapping[str, Function] = MappingProxyType(
    {
        "+": Function(arity=2, numpy=np.add, scalar="+", doc="sum"),
        "-": Function(arity=2, numpy=np.subtract, scalar="-", doc="difference"),
        "*": Function(arity=2, numpy=np.multiply, scalar="*", doc="product"),
        "/": Function(arity=2, numpy=np.divide, scalar="/", doc="quotient"),
        "**": Function(arity=2, numpy=np.power, scalar="pow", doc="power"),
        "neg": Function(arity=1, numpy=np.negative, scalar="-", doc="sign change"),
        **COMPARISONS,
    }
)

#: The named constants.
CONSTANTS: Mapping[str, float] = MappingProxyType({"pi": math.pi, "e": math.e})
