"""Generating functions E exp(s·θ) at complex sources, as real formulas and as numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.special import hyp0f1

from nnft_sym.density import Density
from nnft_sym.language.errors import InfiniteMomentError

__all__ = ["Polar", "generating_numbers", "polar_generating_function"]

_ROUNDING = 8 * np.finfo(np.float64).eps


@dataclass(frozen=True, kw_only=True)
class Polar:
    """A complex formula size · exp(i angle) · (real + i imaginary), all parts real.

    Parameters
    ----------
    size, angle, real, imaginary : sympy.Expr
        The parts.
    """

    size: sp.Expr = sp.S.One
    angle: sp.Expr = sp.S.Zero
    real: sp.Expr = sp.S.One
    imaginary: sp.Expr = sp.S.Zero

    def __mul__(self, other: Polar) -> Polar:
        return Polar(
            size=self.size * other.size,
            angle=self.angle + other.angle,
            real=self.real * other.real - self.imaginary * other.imaginary,
            imaginary=self.real * other.imaginary + self.imaginary * other.real,
        )

    @property
    def real_part(self) -> sp.Expr:
        """Real part of the whole."""
        angle = sp.expand(self.angle)
        return self.size * (self.real * sp.cos(angle) - self.imaginary * sp.sin(angle))

    def xreplace(self, rule: Mapping[sp.Basic, sp.Basic]) -> Polar:
        """Replace symbols in all parts."""
        return Polar(
            size=self.size.xreplace(rule),
            angle=self.angle.xreplace(rule),
            real=self.real.xreplace(rule),
            imaginary=self.imaginary.xreplace(rule),
        )


def polar_generating_function(
    density: Density, growth: tuple[sp.Expr, ...], phase: tuple[sp.Expr, ...]
) -> Polar:
    """E exp((A + iB)·θ) for real A and B, without the imaginary unit.

    Examples
    --------
    >>> from nnft_sym.densities import Uniform
    >>> t = sp.Symbol("t", real=True)
    >>> polar_generating_function(Uniform(0, 2), (sp.Integer(0),), (t,)).real_part
    cos(t)*sinc(t)
    """
    grows = tuple(a != 0 for a in growth)
    turns = tuple(b != 0 for b in phase)
    form, names_a, names_b = _template(density, grows, turns)
    rule = dict(zip((*names_a, *names_b), (*growth, *phase), strict=True))
    return form.xreplace(rule)


@lru_cache(maxsize=512)
def _template(
    density: Density, grows: tuple[bool, ...], turns: tuple[bool, ...]
) -> tuple[Polar, tuple[sp.Symbol, ...], tuple[sp.Symbol, ...]]:
    growth = tuple(sp.Dummy(f"A_{j}", real=True) for j in range(len(grows)))
    phase = tuple(sp.Dummy(f"B_{j}", real=True) for j in range(len(turns)))
    sources = (
        (a if grow else 0) + (sp.I * b if turn else 0)
        for a, b, grow, turn in zip(growth, phase, grows, turns, strict=True)
    )
    value = density.generating_function(*map(sp.sympify, sources))
    form = Polar()
    for factor in sp.Mul.make_args(value):
        form = form * _factor(factor)
    return form, growth, phase


def _factor(factor: sp.Expr) -> Polar:
    if isinstance(factor, sp.exp):
        real, imaginary = sp.expand(factor.args[0]).as_real_imag()
        return Polar(size=sp.exp(real), angle=imaginary)
    if isinstance(factor, sp.hyper):
        argument = sp.expand(factor.argument)
        root = sp.sqrt(sp.factor(-4 * argument))
        if factor.ap == () and not root.has(sp.I):
            # sin(s)/s and J_0(s) are the confluent limit functions of -s²/4 with b = 3/2 and 1.
            if factor.bq == (sp.Rational(3, 2),):
                return Polar(size=sp.sinc(root))
            if factor.bq == (1,):
                return Polar(size=sp.besselj(0, root))
        factor = sp.hyper(factor.ap, factor.bq, argument)
    if not factor.has(sp.I):
        return Polar(size=factor)
    if isinstance(factor, sp.sinc):
        return _sinc(sp.expand(factor.args[0]))
    real, imaginary = factor.as_real_imag()
    return Polar(real=real, imaginary=imaginary)


def _sinc(argument: sp.Expr) -> Polar:
    u, v = argument.as_real_imag()
    if u == 0:
        return Polar(size=sp.Piecewise((sp.sinh(v) / v, sp.Ne(v, 0)), (1, True)))
    real, imaginary = sp.sin(u) * sp.cosh(v), sp.cos(u) * sp.sinh(v)
    square = u**2 + v**2
    return Polar(
        real=(real * u + imaginary * v) / square, imaginary=(imaginary * u - real * v) / square
    )


class _Confluent(sp.Function):
    """Confluent limit function 0F1(; b; z), under a name that lambdify can print."""

    nargs = 2


class _Sinc(sp.Function):
    """sin(z)/z for complex z, under a name of its own: numpy's sinc is sin(πz)/πz."""

    nargs = 1


def _sinc_numbers(z: Any) -> Any:
    small = np.abs(z) < 1e-4
    safe = np.where(small, 1.0, z)
    return np.where(small, 1 - z**2 / 6 + z**4 / 120, np.sin(safe) / safe)


def _confluent_numbers(b: float, z: Any) -> Any:
    z = np.asarray(z)
    return hyp0f1(b, z.real) if not np.any(z.imag) else hyp0f1(b, z)


_FUNCTIONS = {"_Sinc": _sinc_numbers, "_Confluent": _confluent_numbers}


@lru_cache(maxsize=256)
def _compiled(density: Density) -> Callable[..., Any]:
    sources = tuple(sp.Dummy(f"s_{j}") for j in range(density.dimension))
    value = density.generating_function(*sources).replace(
        lambda node: isinstance(node, sp.hyper) and node.ap == (),
        lambda node: _Confluent(node.bq[0], node.argument),
    )
    value = value.replace(sp.sinc, _Sinc)
    return sp.lambdify(sources, value, modules=[_FUNCTIONS, "scipy", "numpy"])


def generating_numbers(
    density: Density,
    growth: NDArray[np.float64],
    phase: NDArray[np.float64],
    size: NDArray[np.float64],
) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """E exp((A + iB)·θ) and a bound on its rounding error.

    Parameters
    ----------
    density : Density
        With numbers for parameters.
    growth, phase : ndarray, shape (dimension, U)
        A and B.
    size : ndarray, shape (dimension, U)
        Sum of the absolute values of the terms that A + iB was added up from.

    Raises
    ------
    InfiniteMomentError
        If the expectation is infinite at a source.
    """
    reach = float(density.tail)
    margin = 1 - reach * np.max(np.abs(growth), axis=0)
    if np.any(margin <= 0):
        raise InfiniteMomentError(
            expected=f"exponentials within |s| < {1 / reach:g}, where E exp(s θ) is finite",
            came=f"s = {np.max(np.abs(growth)):g} for θ drawn from {density}",
            remedy="use smaller points or a smaller scale, or a lower order",
        )
    rows = tuple(growth + 1j * phase)
    with np.errstate(all="ignore"):
        value = np.asarray(_compiled(density)(*rows), dtype=np.complex128)
    value = np.broadcast_to(value, growth.shape[1:]).copy()
    if not np.all(np.isfinite(value)):
        raise InfiniteMomentError(
            expected="exponentials whose expectation is a floating-point number",
            came=f"an overflow at s = {np.max(np.abs(growth)):g} for θ drawn from {density}",
            remedy="use smaller points or a smaller scale, or a lower order",
        )
    spread = np.sqrt(float(density.moment(2)))
    effect = spread * np.sum(size, axis=0)
    level = np.where(np.any(growth != 0, axis=0), np.abs(value) * (1 + effect), 1.0)
    error = _ROUNDING * (np.abs(value) + effect * level / margin)
    return value, error
