"""Divergences at small momenta: whether E|h|^k is finite where an amplitude A(|p|) is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.expectation.parameter_space.radial import (
    RadialDensity,
    diverges_at_origin,
    power_at_origin,
)
from nnft_sym.expectation.parameter_space.waves import RADIUS, Wave
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError

if TYPE_CHECKING:
    from nnft_sym.expectation.parameter_space.wave_sums import WaveSum

__all__ = ["require_finite"]

_DIGITS = 340
# Values of the other parameters, and a direction in momentum space, without special relations.
_GENERIC = [mpmath.sqrt(prime) - 1 for prime in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)]


def require_finite(neuron: WaveSum, order: int, X: NDArray[np.float64]) -> None:
    """Refuse moments of an order that diverge at small momenta at some point of X.

    The power of ρ(r)|h|^k at r -> 0 is read off at 10^{-140} and 10^{-120} of the scale, with
    the other parameters at generic values.

    Raises
    ------
    InfiniteMomentError
        If E|h(x)|^k diverges at a point.
    AccuracyError
        If it is finite, but only by a cancellation between divergent waves.
    """
    for number in neuron.radial_groups:
        radial = neuron.radial(number)
        amplitudes = {dict(w.amplitudes).get(number, sp.Integer(1)) for w in neuron.waves}
        divergent = [a for a in amplitudes if diverges_at_origin(radial, a**order)]
        if not divergent:
            continue
        for x in X:
            if _diverges(neuron, number, radial, order, x):
                raise InfiniteMomentError(
                    expected="a neuron that is integrable at small momenta",
                    came=f"an infrared divergence: {divergent[0]} at order {order} "
                    f"in {radial.dimension} dimensions",
                    remedy="give the field a mass, or go to a higher dimension or a lower order",
                )
        raise AccuracyError(
            expected="radial integrals that are finite one by one",
            came=f"{divergent[0]}, whose divergences at small momenta cancel at order {order}",
            remedy="regulate with a small mass",
        )


def _diverges(
    neuron: WaveSum, number: int, radial: RadialDensity, order: int, x: NDArray[np.float64]
) -> bool:
    rule = {
        symbol: sp.Rational(float(value)) for symbol, value in zip(neuron.inputs, x, strict=True)
    }
    with mpmath.workdps(_DIGITS):
        waves = [_Numbers(neuron, wave, number, rule) for wave in neuron.waves]
        density = sp.lambdify(RADIUS, radial.weight, modules="mpmath")

        def size(r: Any) -> Any:
            field = mpmath.fsum(wave.at(r) for wave in waves)
            return density(r) * abs(field) ** order

        return power_at_origin(size, radial) < -1 + 1e-3


class _Numbers:
    """One wave at one point as a function of the norm along a generic direction."""

    def __init__(
        self, neuron: WaveSum, wave: Wave, number: int, rule: dict[sp.Symbol, sp.Rational]
    ) -> None:
        def value(expression: sp.Expr) -> Any:
            return mpmath.mpmathify(expression.xreplace(rule).evalf(_DIGITS))

        slots = neuron.slots(number)
        exponent = mpmath.mpc(value(wave.growth[-1]), value(wave.phase[-1]))
        for j, (a, b) in enumerate(zip(wave.growth[:-1], wave.phase[:-1], strict=True)):
            if j not in slots:
                exponent += mpmath.mpc(value(a), value(b)) * _GENERIC[j % len(_GENERIC)]
        real, imaginary = (value(part) for part in wave.coefficient)
        self.constant = mpmath.mpc(real, imaginary) * mpmath.exp(exponent)
        self.slope = mpmath.fsum(
            value(wave.phase[j]) * _GENERIC[i % len(_GENERIC)] for i, j in enumerate(slots)
        )
        amplitude = dict(wave.amplitudes).get(number, sp.Integer(1))
        self.amplitude = sp.lambdify(RADIUS, amplitude, modules="mpmath")

    def at(self, r: Any) -> Any:
        return self.constant * self.amplitude(r) * mpmath.expj(r * self.slope)
