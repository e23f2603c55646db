"""Neurons that are sums of waves c(x) A(θ) exp(s(x)·θ): how a function is read as one.

Cosines, sines, exponentials and hyperbolic functions of arguments affine in the parameters, and
sums and products of them, are such sums.  Complex numbers are kept as pairs, so that no formula
ever holds the imaginary unit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import sympy as sp

__all__ = ["Amplitudes", "Wave", "radial_amplitude", "read_waves"]

_HALF = sp.Rational(1, 2)
_LARGEST_POWER = 8

Amplitudes = tuple[tuple[int, sp.Expr], ...]
"""Pairs (isotropic group, A(r)): amplitudes in the radial variable of their group."""

RADIUS = sp.Symbol("p", positive=True)
"""Norm of the parameters of an isotropic group."""


@dataclass(frozen=True, kw_only=True)
class Wave:
    """One wave c exp(A·θ + A_0) exp(i(B·θ + B_0)) times radial amplitudes.

    Parameters
    ----------
    coefficient : tuple of sympy.Expr
        Real and imaginary part of c, functions of the point x.
    growth, phase : tuple of sympy.Expr
        A and B as functions of x, one entry for each parameter, then A_0 and B_0.
    amplitudes : Amplitudes
        Functions of the norm of the parameters of isotropic groups.
    """

    coefficient: tuple[sp.Expr, sp.Expr]
    growth: tuple[sp.Expr, ...]
    phase: tuple[sp.Expr, ...]
    amplitudes: Amplitudes = ()

    def __mul__(self, other: Wave) -> Wave:
        amplitudes = dict(self.amplitudes)
        for group, amplitude in other.amplitudes:
            amplitudes[group] = amplitudes.get(group, sp.Integer(1)) * amplitude
        return Wave(
            coefficient=product(self.coefficient, other.coefficient),
            growth=_sum(self.growth, other.growth),
            phase=_sum(self.phase, other.phase),
            amplitudes=tuple(sorted(amplitudes.items(), key=lambda item: item[0])),
        )

    @property
    def conjugate(self) -> Wave:
        """The complex conjugate wave."""
        return replace(
            self,
            coefficient=(self.coefficient[0], -self.coefficient[1]),
            phase=tuple(sp.expand(-b) for b in self.phase),
        )


def product(left: tuple[sp.Expr, sp.Expr], right: tuple[sp.Expr, sp.Expr]) -> tuple:
    """Multiply two complex numbers given as pairs.

    Examples
    --------
    >>> product((sp.Integer(0), sp.Integer(1)), (sp.Integer(0), sp.Integer(1)))
    (-1, 0)
    """
    (a, b), (c, d) = left, right
    return a * c - b * d, a * d + b * c


def _sum(left: Sequence[sp.Expr], right: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    return tuple(sp.expand(a + b) for a, b in zip(left, right, strict=True))


def radial_amplitude(
    expression: sp.Expr, symbols: tuple[sp.Symbol, ...], radius: sp.Symbol = RADIUS
) -> sp.Expr | None:
    """Write a function of a vector p as one of |p|; None if it is not.

    Examples
    --------
    >>> p, q = sp.symbols("p_1 p_2", real=True)
    >>> radial_amplitude(1 / (2 * p**2 + 2 * q**2 + 1), (p, q))
    1/(2*p**2 + 1)
    """
    first, *rest = symbols
    if not rest:
        mirrored = expression.xreplace({first: -first})
        if sp.expand(mirrored - expression) != 0:
            return None
        return expression.xreplace({first: radius})
    transverse = sp.Add(*(symbol**2 for symbol in rest))
    radial = sp.expand(expression.subs(first, sp.sqrt(radius**2 - transverse)))
    return None if radial.free_symbols & set(symbols) else radial


def read_waves(
    expression: sp.Expr,
    parameters: tuple[sp.Symbol, ...],
    inputs: tuple[sp.Symbol, ...],
    isotropic: tuple[tuple[int, tuple[sp.Symbol, ...]], ...] = (),
) -> tuple[Wave, ...] | None:
    """Read a function as a sum of waves in its parameters; None if it is not one.

    Parameters
    ----------
    expression : sympy.Expr
        h(x; θ), real.
    parameters : tuple of sympy.Symbol
        θ.
    inputs : tuple of sympy.Symbol
        x.
    isotropic : tuple of (int, tuple of sympy.Symbol)
        Groups of parameters, by number, whose norm may enter through an amplitude.

    Examples
    --------
    >>> w, x = sp.symbols("w x", real=True)
    >>> [wave.phase for wave in read_waves(sp.cos(w * x), (w,), (x,))]
    [(x, 0), (-x, 0)]
    >>> read_waves(sp.tanh(w * x), (w,), (x,)) is None
    True
    """
    found = _Reader(parameters, inputs, isotropic).read(expression)
    return None if found is None else _merged(found)


class _Reader:
    def __init__(
        self,
        parameters: tuple[sp.Symbol, ...],
        inputs: tuple[sp.Symbol, ...],
        isotropic: tuple[tuple[int, tuple[sp.Symbol, ...]], ...],
    ) -> None:
        self.parameters = parameters
        self.drawn = set(parameters)
        self.inputs = set(inputs)
        self.isotropic = isotropic
        self.nothing = (sp.Integer(0),) * (len(parameters) + 1)

    def wave(self, real: sp.Expr, imaginary: sp.Expr = sp.S.Zero) -> Wave:
        return Wave(coefficient=(real, imaginary), growth=self.nothing, phase=self.nothing)

    def read(self, expression: sp.Expr) -> list[Wave] | None:
        if not expression.free_symbols & self.drawn:
            return [self.wave(expression)]
        amplitude = self.amplitude(expression)
        if amplitude is not None:
            return [amplitude]
        if isinstance(expression, sp.Add):
            return self.gathered(expression.args, lambda left, right: left + right)
        if isinstance(expression, sp.Mul):
            return self.gathered(expression.args, _multiplied)
        if isinstance(expression, (sp.exp, sp.cos, sp.sin, sp.cosh, sp.sinh)):
            return self.elementary(expression)
        if isinstance(expression, sp.Pow):
            base, power = expression.args
            if power.is_Integer and 0 < power <= _LARGEST_POWER:
                return self.gathered((base,) * int(power), _multiplied)
        return None

    def gathered(
        self,
        parts: Sequence[sp.Expr],
        combine: Callable[[list[Wave], list[Wave]], list[Wave]],
    ) -> list[Wave] | None:
        found = []
        for part in parts:
            waves = self.read(part)
            if waves is None:
                return None
            found.append(waves)
        return reduce(combine, found)

    def amplitude(self, expression: sp.Expr) -> Wave | None:
        for number, symbols in self.isotropic:
            inside = expression.free_symbols & self.drawn
            if inside <= set(symbols) and not expression.free_symbols & self.inputs:
                radial = radial_amplitude(expression, symbols)
                if radial is not None:
                    return replace(self.wave(sp.Integer(1)), amplitudes=((number, radial),))
        return None

    def elementary(self, expression: sp.Expr) -> list[Wave] | None:
        argument = self.affine(expression.args[0])
        if argument is None:
            return None
        minus = tuple(-part for part in argument)
        base = self.wave(sp.Integer(1))
        if isinstance(expression, sp.exp):
            return [replace(base, growth=argument)]
        if isinstance(expression, (sp.cosh, sp.sinh)):
            sign = 1 if isinstance(expression, sp.cosh) else -1
            up = replace(self.wave(_HALF), growth=argument)
            return [up, replace(self.wave(sign * _HALF), growth=minus)]
        if isinstance(expression, sp.cos):
            pair = self.wave(_HALF), self.wave(_HALF)
        else:
            pair = self.wave(sp.Integer(0), -_HALF), self.wave(sp.Integer(0), _HALF)
        return [replace(pair[0], phase=argument), replace(pair[1], phase=minus)]

    def affine(self, argument: sp.Expr) -> tuple[sp.Expr, ...] | None:
        """Coefficients of the parameters, then the rest, of an affine argument."""
        if not argument.is_polynomial(*self.parameters):
            return None
        polynomial = sp.Poly(argument, *self.parameters)
        if polynomial.total_degree() > 1:
            return None
        slopes = tuple(sp.expand(polynomial.coeff_monomial(p)) for p in self.parameters)
        return (*slopes, sp.expand(polynomial.coeff_monomial(1)))


def _multiplied(left: list[Wave], right: list[Wave]) -> list[Wave]:
    return list(_merged([a * b for a in left for b in right]))


def _merged(waves: list[Wave]) -> tuple[Wave, ...]:
    """Add the coefficients of equal waves and drop those that cancel."""
    total: dict[tuple, tuple[sp.Expr, sp.Expr]] = {}
    for wave in waves:
        key = (wave.growth, wave.phase, wave.amplitudes)
        real, imaginary = total.get(key, (sp.Integer(0), sp.Integer(0)))
        total[key] = (real + wave.coefficient[0], imaginary + wave.coefficient[1])
    return tuple(
        Wave(coefficient=coefficient, growth=growth, phase=phase, amplitudes=amplitudes)
        for (growth, phase, amplitudes), coefficient in total.items()
        if coefficient != (0, 0)
    )
