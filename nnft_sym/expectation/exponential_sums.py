"""Sums of exponentials: collected as a paper prints them, and evaluated without overflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.codegen.cfunctions import expm1

__all__ = ["Summand", "collected_sum", "shorter_polynomial", "without_overflow"]

_MOST_TERMS = 60
"""Terms of a polynomial beyond which no factors are looked for."""

_HYPERBOLIC = (sp.cosh, sp.sinh)
_Waves = dict[sp.Expr, Any]


@dataclass(frozen=True, kw_only=True)
class Summand:
    """Re[(a + ib) exp(d + g + iφ)].

    Parameters
    ----------
    real, imaginary : polynomial or rational function
        a and b: anything that can be added and compared with 0.
    common, growth, phase : sympy.Expr
        d, g and φ, all real; d is what terms with other signs of z_a share.
    exponent : sympy.Expr
        d + g, as it is printed where the term stays alone.
    radicand : object
        What terms must agree in besides, to be collected.
    """

    real: Any
    imaginary: Any
    common: sp.Expr
    growth: sp.Expr
    phase: sp.Expr
    exponent: sp.Expr
    radicand: Any = None


def collected_sum(summands: Iterable[Summand], write: Callable[[Any, Any], sp.Expr]) -> sp.Expr:
    r"""Sum of e^d (even cosh g + odd sinh g), each a sum of waves, from a sum of exponentials.

    Parameters
    ----------
    summands : iterable of Summand
        The terms, each with its complex conjugate or real.
    write : callable
        The expression of a coefficient, given its radicand.

    Examples
    --------
    >>> x, y = sp.symbols("x y", real=True)
    >>> both = [
    ...     Summand(real=c, imaginary=sp.Integer(0), common=-x, growth=g, phase=sp.Integer(0),
    ...             exponent=g - x)
    ...     for c, g in ((sp.S.Half, y), (-sp.S.Half, -y))
    ... ]
    >>> collected_sum(both, lambda coefficient, radicand: coefficient)
    exp(-x)*sinh(y)
    """
    groups: dict[tuple[sp.Expr, Any], dict[sp.Expr, _Waves]] = {}
    exponents: dict[tuple[sp.Expr, sp.Expr], sp.Expr] = {}
    for s in summands:
        exponents[s.common, s.growth] = s.exponent
        waves = groups.setdefault((s.common, s.radicand), {}).setdefault(s.growth, {})
        back = s.phase.could_extract_minus_sign()
        phase = -s.phase if back else s.phase
        _add(waves, sp.cos(phase), s.real)
        if phase != 0:
            _add(waves, sp.sin(phase), s.imaginary if back else -s.imaginary)
    total = []
    for (common, radicand), growths in groups.items():
        growths = {g: kept for g, waves in growths.items() if (kept := _nonzero(waves))}

        def wave(waves: _Waves, radicand: Any = radicand) -> sp.Expr:
            return sp.Add(*(write(c, radicand) * trig for trig, c in waves.items()))

        if len(growths) == 1:
            ((growth, waves),) = growths.items()
            total.append(sp.exp(exponents[common, growth]) * wave(waves))
        elif growths:
            content, rest = sp.Add(*_pairs(growths, wave)).primitive()
            total.append(sp.Mul(content, sp.exp(common), rest))
    return sp.Add(*total)


def _add(waves: _Waves, key: sp.Expr, coefficient: Any) -> None:
    waves[key] = waves[key] + coefficient if key in waves else coefficient


def _nonzero(waves: _Waves) -> _Waves:
    return {key: c for key, c in waves.items() if c != 0}


def _pairs(growths: dict[sp.Expr, _Waves], wave: Callable[[_Waves], sp.Expr]) -> list[sp.Expr]:
    """Terms of e^g and e^-g as hyperbolic functions, where that is shorter."""
    found, done = [], set()
    for growth in growths:
        # Of each pair, the one that is printed without a minus sign comes first.
        g = -growth if growth.could_extract_minus_sign() else growth
        if g in done:
            continue
        done.add(g)
        up, down = growths.get(g, {}), growths.get(-g, {})
        plain = wave(up) * sp.exp(g) + (wave(down) * sp.exp(-g) if g != 0 else 0)
        if g != 0 and up and down:
            even, odd = dict(up), dict(up)
            for key, c in down.items():
                _add(even, key, c)
                odd[key] = odd[key] - c if key in odd else -c
            hyperbolic = wave(_nonzero(even)) * sp.cosh(g) + wave(_nonzero(odd)) * sp.sinh(g)
            if hyperbolic.count_ops() <= plain.count_ops():
                plain = hyperbolic
        found.append(plain)
    return found


def shorter_polynomial(polynomial: sp.Expr) -> sp.Expr:
    """A polynomial expanded or in factors, whichever is shorter.

    Examples
    --------
    >>> x, y, z = sp.symbols("x y z")
    >>> shorter_polynomial(x * y + x * z), shorter_polynomial(x**2 + y)
    (x*(y + z), x**2 + y)
    """
    expanded = sp.expand(polynomial)
    if not expanded.is_Add or len(expanded.args) > _MOST_TERMS:
        return expanded
    return min(expanded, sp.factor(expanded), key=sp.count_ops)


def without_overflow(expression: sp.Expr) -> sp.Expr:
    """Write hyperbolic functions in products with one exponential of the whole exponent.

    cosh g = e^|g| (1 + e^{-2|g|})/2 and sinh g = ∓ e^|g| (e^{-2|g|} - 1)/2 keep their digits
    for any g, and e^d e^|g| = e^{d+|g|} overflows only where the product does.

    Examples
    --------
    >>> x, y = sp.symbols("x y", real=True)
    >>> function = sp.lambdify((x, y), without_overflow(sp.exp(-x) * sp.cosh(y)), "numpy")
    >>> float(function(800.0, 800.0))
    0.5
    """
    if not expression.has(*_HYPERBOLIC):
        return expression
    scaled: dict[sp.Expr, sp.Expr] = {}

    def apart(node: sp.Expr) -> sp.Expr:
        g = node.args[0]
        size = sp.Abs(g)
        if isinstance(node, sp.cosh):
            rest = (1 + sp.exp(-2 * size)) / 2
        else:
            rest = -sp.sign(g) * expm1(-2 * size) / 2
        name = sp.Dummy()
        scaled[name] = rest
        return sp.exp(size) * name

    written = expression.replace(lambda node: isinstance(node, _HYPERBOLIC), apart)
    spread = written.replace(
        lambda node: node.is_Mul and any(name in node.free_symbols for name in scaled), _merged
    )
    return spread.xreplace(scaled)


def _merged(product: sp.Expr) -> sp.Expr:
    """Multiply out, and write products of exponentials as one."""
    terms = []
    for term in sp.Add.make_args(sp.expand_mul(product)):
        exponents = [factor.exp for factor in sp.Mul.make_args(term) if isinstance(factor, sp.exp)]
        rest = [factor for factor in sp.Mul.make_args(term) if not isinstance(factor, sp.exp)]
        terms.append(sp.Mul(*rest) * sp.exp(sp.Add(*exponents)))
    return sp.Add(*terms)
