r"""Fourier coefficients of functions on a window, kinks and jumps included.

On |t| <= L a function f equals its product with W(t) = (erf((t+M)/δ) - erf((t-M)/δ))/2, to
rounding, and W vanishes at the ends of the period 2P:

    f(t) = sum_k c_k exp(i s_k t),   s_k = π k/P,   c_k = ∫ dt f(t) W(t) exp(-i s_k t)/2P.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from nnft_sym.language.errors import AccuracyError

__all__ = ["WindowedFunction"]

Floats = NDArray[np.float64]

_NODES = 20
_PANELS = 256
_MOST_PANELS = 1 << 17
# W differs from 1 at L, and from 0 at P, by erfc(6) = 2e-17.
_STEEPNESS = 6.0
_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True, kw_only=True)
class WindowedFunction:
    """A function of one variable and its Fourier coefficients on a window.

    Parameters
    ----------
    function : callable
        f at an array of t.
    kinks : tuple of float
        Where f is not smooth.
    cuts : tuple of float
        Where else panels end: around what is smooth but narrow.
    reach : float
        L: f matters on [-L, L].
    gap : float
        (P - L)/L.  Not a simple fraction: no period then fits the zeros of a characteristic
        function.

    Examples
    --------
    >>> step = WindowedFunction(function=np.sign, kinks=(0.0,), reach=1.0)
    >>> c, error = step.coefficients(2)
    >>> bool(np.all(np.abs(c.real) <= error))
    True
    """

    function: Callable[[Floats], Floats]
    kinks: tuple[float, ...]
    reach: float
    cuts: tuple[float, ...] = ()
    gap: float = 0.5123
    known: dict[int, tuple[NDArray[np.complex128], float]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def period(self) -> float:
        """P: half the period."""
        return self.reach * (1 + self.gap)

    @property
    def step(self) -> float:
        """π/P: distance of neighbouring sources s_k."""
        return float(np.pi / self.period)

    def windowed(self, t: Floats) -> Floats:
        """F W."""
        middle, delta = (self.reach + self.period) / 2, self.reach * self.gap / 2 / _STEEPNESS
        window = (erf((t + middle) / delta) - erf((t - middle) / delta)) / 2
        with np.errstate(all="ignore"):
            value = np.broadcast_to(np.asarray(self.function(t), dtype=np.float64), t.shape)
        if not np.all(np.isfinite(value)):
            raise AccuracyError(
                expected="a neuron that is finite within the reach of its field",
                came="an infinite value",
                remedy="check that the neuron is defined for every value of its parameters",
            )
        return value * window

    def coefficients(self, count: int) -> tuple[NDArray[np.complex128], float]:
        """c_0 ... c_count, and a bound on the error of each of them.

        Panels are halved until the coefficients settle; what they settle to is the error.
        """
        if count not in self.known:
            panels = max(_PANELS, 1 << int(np.ceil(np.log2(2 * count + 2))))
            found, size = self._on_panels(count, panels)
            while True:
                panels *= 2
                finer, size = self._on_panels(count, panels)
                error = float(np.max(np.abs(finer - found)))
                found = finer
                if error <= 8 * _EPS * size or panels >= _MOST_PANELS:
                    break
            self.known[count] = found, error + 4 * _EPS * size
        return self.known[count]

    def largest(self) -> float:
        """Largest |f W| over the nodes."""
        inside = [t for t in (*self.kinks, *self.cuts) if abs(t) < self.period]
        t = np.append(np.linspace(-self.period, self.period, 4097), inside)
        return float(np.max(np.abs(self.windowed(t))))

    def _on_panels(self, count: int, panels: int) -> tuple[NDArray[np.complex128], float]:
        """Gauss-Legendre on equal panels: for each node the sum over panels is a transform."""
        x, w = np.polynomial.legendre.leggauss(_NODES)
        x, w = (1 + x) / 2, w / 2
        P, h = self.period, 2 * self.period / panels
        starts = -P + h * np.arange(panels)
        places = sorted({*self.kinks, *self.cuts})
        f = self.windowed(starts[:, None] + h * x) * (w * h)
        size = float(np.sum(np.abs(f))) / (2 * P)
        kinked = np.unique([int((k + P) // h) for k in places if -P < k < P]).astype(int)
        f[kinked] = 0.0
        k = np.arange(count + 1)
        transform = np.fft.fft(f, axis=0)[k % panels]
        shift = np.exp(-1j * self.step * k[:, None] * (h * x - P))
        total = np.sum(transform * shift, axis=1)
        for panel in kinked:
            low, high = starts[panel], starts[panel] + h
            cuts = [low, *(k for k in places if low < k < high), high]
            for a, b in pairwise(cuts):
                t = a + (b - a) * x
                part = self.windowed(t) * w * (b - a)
                total += np.exp(-1j * self.step * k[:, None] * t) @ part
        return total / (2 * P), size
