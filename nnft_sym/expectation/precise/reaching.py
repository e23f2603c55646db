"""How far out a Gaussian integral must go for a number of digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath

from nnft_sym.language.errors import InfiniteMomentError

__all__ = ["reach"]

_LONGEST = 8.0


def reach(phi: Callable[[Any], Any], deviation: Any, power: int) -> float:
    """R with |φ(s g)|^k exp(-g²/2) below the working precision for |g| > R.

    Parameters
    ----------
    phi : callable
        φ of one of mpmath's numbers.
    deviation : mpf
        s.
    power : int
        k.

    Raises
    ------
    InfiniteMomentError
        If the product does not fall off.

    Examples
    --------
    >>> with mpmath.workdps(15):
    ...     round(reach(mpmath.tanh, mpmath.mpf(1), 2), 1)
    8.7
    """
    target = -mpmath.mp.dps * math.log(10)
    start = math.sqrt(-2 * target)
    middle = max((_log(phi, deviation, g / 4, power) for g in range(-24, 25)), default=0.0)

    def below(radius: float) -> bool:
        return all(
            _log(phi, deviation, sign * radius * stretch, power) <= target + middle
            for sign in (-1, 1)
            for stretch in (1.0, 1.1, 1.3, 1.7, 2.0, 3.0)
        )

    radius = start
    while not below(radius):
        radius *= 1.05
        if radius > _LONGEST * start:
            raise InfiniteMomentError(
                expected="a function that grows more slowly than the Gaussian density falls",
                came=f"one that does not fall off within {radius:.0f} standard deviations",
                remedy="lower the weight and bias scales",
            )
    return radius


def _log(phi: Callable[[Any], Any], deviation: Any, g: float, power: int) -> float:
    """Logarithm of |φ|^k exp(-g²/2)."""
    size = abs(phi(deviation * mpmath.mpf(g)))
    return -math.inf if size == 0 else float(power * mpmath.log(size)) - g * g / 2
