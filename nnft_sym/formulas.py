"""Formulas: expressions of the little language as sympy expressions, and back.

What the language can say, both directions keep exactly: ``from_sympy`` undoes ``to_sympy`` up to
what sympy itself rewrites on construction.  No text is ever handed to sympy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy.core.function import Application

from nnft_sym.language import CONSTANTS, Call, Expression, Name, Number, SpecificationError, parse
from nnft_sym.language.functions import COMPARISONS
from nnft_sym.language.nodes import shorten

__all__ = ["from_sympy", "to_sympy"]

_REAL: Mapping[str, bool] = MappingProxyType({"real": True})


def _cases(condition: Any, yes: Any, no: Any) -> Any:
    others = no.args if isinstance(no, sp.Piecewise) else [(no, True)]
    return sp.Piecewise((yes, condition), *others)


_TO_SYMPY: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "exp": sp.exp,
        "log": sp.log,
        "sqrt": sp.sqrt,
        "sin": sp.sin,
        "cos": sp.cos,
        "tan": sp.tan,
        "sinh": sp.sinh,
        "cosh": sp.cosh,
        "tanh": sp.tanh,
        "asin": sp.asin,
        "acos": sp.acos,
        "atan": sp.atan,
        "erf": sp.erf,
        "erfc": sp.erfc,
        "abs": sp.Abs,
        "sign": sp.sign,
        "heaviside": lambda z: sp.Heaviside(z, sp.S.Half),
        "sigmoid": lambda z: 1 / (1 + sp.exp(-z)),
        "max": sp.Max,
        "min": sp.Min,
        "where": _cases,
        "**": sp.Pow,
        "<": sp.Lt,
        "<=": sp.Le,
        ">": sp.Gt,
        ">=": sp.Ge,
        "==": sp.Eq,
        "!=": sp.Ne,
    }
)
_CONSTANTS: Mapping[str, sp.Expr] = MappingProxyType({"pi": sp.pi, "e": sp.E})

_FROM_SYMPY: Mapping[type, str] = MappingProxyType(
    {kind: name for name, kind in _TO_SYMPY.items() if isinstance(kind, type) and name != "**"}
)
# sympy turns tan(pi/2 - z) into cot(z), and the like.
_RECIPROCALS: Mapping[type, str] = MappingProxyType(
    {
        sp.cot: "tan",
        sp.sec: "cos",
        sp.csc: "sin",
        sp.coth: "tanh",
        sp.sech: "cosh",
        sp.csch: "sinh",
    }
)
_NO_NUMBERS = (sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I)


def to_sympy(
    expression: Expression | str,
    symbols: Mapping[str, sp.Symbol] | None = None,
    *,
    assumptions: Mapping[str, bool] = _REAL,
) -> sp.Expr:
    """Read an expression of the little language as a sympy expression.

    Parameters
    ----------
    expression : Expression or str
        A text is parsed first.
    symbols : mapping of str to Symbol, optional
        The symbol for each free name; other names become ``Symbol(name, **assumptions)``.
    assumptions : mapping of str to bool
        Of the symbols made here; real if not given.

    Raises
    ------
    LanguageError
        If a text is outside the language.
    SpecificationError
        If the formula is no real number anywhere, such as ``1/(z - z)``.

    Examples
    --------
    >>> to_sympy("z*(1 + erf(z/sqrt(2)))/2")
    z*(erf(sqrt(2)*z/2) + 1)/2
    >>> to_sympy("where(z >= 0, z, z/10)")
    Piecewise((z, z >= 0), (z/10, True))
    """
    tree = parse(expression) if isinstance(expression, str) else expression
    if not isinstance(tree, Expression):
        raise SpecificationError(
            expected="an expression of the little language or its text",
            came=f"a value of type {type(tree).__name__}",
            remedy="a sympy expression needs no translation",
        )
    known: dict[str, sp.Expr] = {name: sp.Symbol(name, **assumptions) for name in tree.names}
    known.update(symbols or {})
    known.update(_CONSTANTS)
    try:
        formula = _formula(tree, known)
    except (TypeError, ValueError, OverflowError) as error:
        # sympy refuses to order numbers it knows to be complex, and numbers beyond its reach.
        raise SpecificationError(
            expected="a formula that is real and of moderate size for real values of its names",
            came=f"{shorten(str(tree))}, of which sympy says: {shorten(str(error))}",
            remedy="look at the arguments of sqrt, log, asin, acos, powers and exponentials",
        ) from error
    if formula.has(sp.re, sp.im):
        # From abs(2**(z**z)), say.  A formula is meant where all its parts are real.
        formula = formula.replace(sp.re, lambda part: part).replace(sp.im, lambda part: sp.S.Zero)
    if formula.has(*_NO_NUMBERS):
        raise SpecificationError(
            expected="a formula that is a finite real number somewhere",
            came=f"{shorten(str(tree))}, which is {shorten(str(formula))}",
            remedy="look for a division by zero or the root of a negative number",
        )
    return formula


def _formula(tree: Expression, known: Mapping[str, sp.Expr]) -> Any:
    if isinstance(tree, Number):
        return sp.Integer(tree.value) if isinstance(tree.value, int) else sp.Float(tree.value)
    if isinstance(tree, Name):
        return known[tree.id]
    if not isinstance(tree, Call):
        raise TypeError(f"{type(tree).__name__} is no node of the language")
    if tree.function in ("+", "-"):
        return sp.Add(*_terms(tree, known))
    if tree.function in ("*", "/", "neg"):
        # All factors at once: sympy would multiply a lone number into a sum, 2*(x + y) -> 2*x + 2*y
        # and 1/(2*(x + y)) -> 1/(2*x + 2*y).
        return sp.Mul(*_factors(tree, known))
    return _TO_SYMPY[tree.function](*[_formula(part, known) for part in tree.arguments])


def _terms(tree: Expression, known: Mapping[str, sp.Expr]) -> list[Any]:
    if isinstance(tree, Call) and tree.function in ("+", "-"):
        left, right = (_terms(part, known) for part in tree.arguments)
        return left + ([sp.Mul(-1, term) for term in right] if tree.function == "-" else right)
    return [_formula(tree, known)]


def _factors(tree: Expression, known: Mapping[str, sp.Expr]) -> list[Any]:
    if isinstance(tree, Call) and tree.function == "neg":
        return [sp.S.NegativeOne, *_factors(tree.arguments[0], known)]
    if isinstance(tree, Call) and tree.function in ("*", "/"):
        left, right = (_factors(part, known) for part in tree.arguments)
        return left + ([sp.Pow(factor, -1) for factor in right] if tree.function == "/" else right)
    return [_formula(tree, known)]


def from_sympy(expr: sp.Expr) -> Expression:
    """Write a sympy expression in the little language.

    Parameters
    ----------
    expr : sympy expression
        Built from numbers, symbols, arithmetic and the functions of the language.

    Raises
    ------
    SpecificationError
        If a part has no counterpart in the language; the message names it.

    Examples
    --------
    >>> z = sp.Symbol("z", real=True)
    >>> from_sympy(z * sp.exp(-(z**2) / 2))
    parse('z*exp(-z**2/2)')
    """
    if not isinstance(expr, sp.Expr):
        raise SpecificationError(
            expected="a sympy expression",
            came=f"a value of type {type(expr).__name__}",
            remedy="read a text with parse, and wrap a number in sympy.Float or sympy.Rational",
        )
    symbols = sorted(expr.atoms(sp.Symbol), key=lambda symbol: symbol.name)
    for first, second in pairwise(symbols):
        if first.name == second.name:
            raise SpecificationError(
                expected="different names for different symbols",
                came=f"two symbols named {first.name}",
                remedy="use one symbol throughout, with the same assumptions",
            )
    for symbol in symbols:
        if symbol.name in CONSTANTS:
            raise SpecificationError(
                expected="symbols that are not named like the constants pi and e",
                came=f"a symbol named {symbol.name}",
                remedy="use sympy.pi or sympy.E, or rename the symbol",
            )
    return _tree(expr)


def _tree(expr: sp.Basic) -> Expression:
    kind = type(expr)
    if isinstance(expr, sp.Symbol):
        return Name(expr.name)
    if isinstance(expr, sp.Number) and expr.is_finite:
        return _number(expr)
    if expr is sp.pi or expr is sp.E:
        return Name("pi" if expr is sp.pi else "e")
    if kind is sp.Add:
        return _sum(expr)
    if kind is sp.Mul:
        return _product(expr)
    if kind is sp.Pow:
        return _product(expr) if _is_inverse(expr) else _power(expr.base, expr.exp)
    if kind in _FROM_SYMPY:
        # The order of the arguments of Max and Min is otherwise that of their hashes.
        arguments = sorted(expr.args, key=sp.default_sort_key)
        return Call(_FROM_SYMPY[kind], tuple([_tree(argument) for argument in arguments]))
    if kind in _RECIPROCALS:
        inner = Call(_RECIPROCALS[kind], (_tree(expr.args[0]),))
        return Call("/", (Number(1), inner))
    if kind is sp.Heaviside and expr.args[1] == sp.S.Half:
        return Call("heaviside", (_tree(expr.args[0]),))
    if kind is sp.Piecewise:
        return _piecewise(expr)
    raise _no_counterpart(expr)


def _no_counterpart(expr: sp.Basic) -> SpecificationError:
    kind = type(expr).__name__
    remedy = "write it with the functions of the language"
    if isinstance(expr, sp.Heaviside):
        remedy = "only Heaviside(z) with the value 1/2 at zero; else write a Piecewise"
    elif isinstance(expr, (sp.NumberSymbol, sp.Float)):
        remedy = "write it as a double precision number"
    elif isinstance(expr, (sp.Integral, sp.Derivative, sp.Sum, sp.Limit, sp.Product)):
        remedy = "evaluate it first, with doit()"
    elif isinstance(expr, Application) and not expr.free_symbols:
        remedy = "write its value as a number"
    return SpecificationError(
        expected="numbers, symbols, arithmetic and the functions of the little language",
        came=f"the sympy node {kind} in {shorten(str(expr))}",
        remedy=remedy,
    )


def _number(value: sp.Number) -> Expression:
    if value.is_negative:
        return _negative(_number(-value))
    if isinstance(value, sp.Integer):
        return Number(int(value))
    if isinstance(value, sp.Rational):
        return Call("/", (Number(int(value.p)), Number(int(value.q))))
    if isinstance(value, sp.Float) and sp.Float(float(value)) == value:
        return Number(float(value))
    raise _no_counterpart(value)


def _negative(tree: Expression) -> Expression:
    """Minus a product or quotient, with the sign at its first factor: -z**2/2, not -(z**2/2)."""
    if isinstance(tree, Call) and tree.function in ("*", "/"):
        first, second = tree.arguments
        return Call(tree.function, (_negative(first), second))
    return Call("neg", (tree,))


def _sum(expr: sp.Add) -> Expression:
    total: Expression | None = None
    for term in expr.as_ordered_terms():
        coefficient, rest = term.as_coeff_Mul()
        if total is None:
            total = _tree(term)
        elif coefficient.is_negative:
            total = Call("-", (total, _tree(sp.Mul(-coefficient, rest, evaluate=False))))
        else:
            total = Call("+", (total, _tree(term)))
    return total if total is not None else Number(0)


def _is_inverse(expr: sp.Basic) -> bool:
    return isinstance(expr, sp.Pow) and expr.exp.is_Rational and expr.exp.is_negative


def _product(expr: sp.Expr) -> Expression:
    """Numerator over denominator, each a chain of factors with its number in front."""
    above: list[Expression] = []
    below: list[Expression] = []
    negative = False
    factors = expr.as_ordered_factors() if isinstance(expr, sp.Mul) else [expr]
    for factor in factors:
        if isinstance(factor, sp.Number) and factor.is_finite:
            negative ^= bool(factor.is_negative)
            size = abs(factor)
            if isinstance(size, sp.Rational):
                above += [_number(sp.Integer(size.p))] * (size.p != 1)
                below += [_number(sp.Integer(size.q))] * (size.q != 1)
            else:
                above.append(_number(size))
        elif _is_inverse(factor):
            below.append(_power(factor.base, -factor.exp))
        else:
            above.append(_tree(factor))
    tree = _chain(above)
    if below:
        tree = Call("/", (tree, _chain(below)))
    return _negative(tree) if negative else tree


def _chain(factors: Iterable[Expression]) -> Expression:
    tree: Expression | None = None
    for factor in factors:
        tree = factor if tree is None else Call("*", (tree, factor))
    return tree if tree is not None else Number(1)


def _power(base: sp.Expr, exponent: sp.Expr) -> Expression:
    if exponent == 1:
        return _tree(base)
    if exponent == sp.S.Half:
        return Call("sqrt", (_tree(base),))
    return Call("**", (_tree(base), _tree(exponent)))


def _piecewise(expr: sp.Piecewise) -> Expression:
    *cases, (last, condition) = expr.args
    if condition != sp.true:
        raise SpecificationError(
            expected="a Piecewise with a value everywhere",
            came=f"the sympy node Piecewise without a final (value, True) in {shorten(str(expr))}",
            remedy="add the value for all other arguments, for instance (0, True)",
        )
    tree = _tree(last)
    for value, condition in reversed(cases):
        tree = _where(condition, _tree(value), tree)
    return tree


def _where(condition: sp.Basic, yes: Expression, no: Expression) -> Expression:
    """Nest what the language lacks: and, or, not, if-then-else."""
    if condition in (sp.true, sp.false):
        return yes if condition == sp.true else no
    if isinstance(condition, sp.Not):
        return _where(condition.args[0], no, yes)
    if isinstance(condition, (sp.And, sp.Or)):
        both = isinstance(condition, sp.And)
        tree = yes if both else no
        for part in sorted(condition.args, key=sp.default_sort_key, reverse=True):
            tree = _where(part, tree, no) if both else _where(part, yes, tree)
        return tree
    if isinstance(condition, sp.ITE):
        question, then, otherwise = condition.args
        return _where(question, _where(then, yes, no), _where(otherwise, yes, no))
    comparison = _FROM_SYMPY.get(type(condition), "")
    if comparison not in COMPARISONS:
        raise _no_counterpart(condition)
    sides = tuple([_tree(side) for side in condition.args])
    return Call("where", (Call(comparison, sides), yes, no))
