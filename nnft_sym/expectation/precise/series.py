"""Two-point moments of smooth functions to many digits: Mehler's series in whole numbers.

Hermite functions at the nodes of a trapezoidal rule obey a recursion of three terms, run here on
integers scaled by a power of two, which Python multiplies faster than it multiplies mpmath's
numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np

from nnft_sym.expectation.precise.reaching import reach
from nnft_sym.language.errors import AccuracyError

__all__ = ["mehler_moments"]

_BUDGET = 6_000_000
"""Coefficients times nodes that are affordable (about 5 s)."""
_NODES = 4000
"""Nodes on each side that are affordable."""


def mehler_moments(
    phi: Callable[[Any], Any], pairs: Sequence[tuple[Any, Any, Any]]
) -> list[mpmath.mpf]:
    r"""E[φ(s g) φ(t h)] for standard normals g, h of correlation ρ, to the working precision.

    .. math:: E = \sum_{n \le N} c_n(s)\, c_n(t)\, \rho^n + R, \qquad
              |R| \le |\rho|^{N+1} \sqrt{T_s T_t}, \quad T = E\phi^2 - \sum_{n \le N} c_n^2

    Parameters
    ----------
    phi : callable
        φ of one of mpmath's numbers, smooth.
    pairs : sequence of (s, t, rho)
        Standard deviations and correlations.

    Raises
    ------
    AccuracyError
        If φ is too steep for the series or the quadrature.

    Examples
    --------
    >>> with mpmath.workdps(25):
    ...     value = mehler_moments(mpmath.erf, [(mpmath.mpf(1), mpmath.mpf(1), mpmath.mpf(0.5))])
    ...     bool(abs(value[0] - 2 / mpmath.pi * mpmath.asin(mpmath.mpf(1) / 3)) < 1e-24)
    True
    """
    digits = mpmath.mp.dps
    scales = list(dict.fromkeys(s for pair in pairs for s in pair[:2]))
    radius = max(reach(phi, s, 2) for s in scales) * math.sqrt(2)
    terms = 64
    step = math.pi / (math.sqrt(terms) + 1.4 * math.sqrt(2 * digits * math.log(10)))
    while terms * radius / step < _BUDGET and radius / step < _NODES:
        tables = _Tables(phi, scales, radius, step)
        if not tables.resolved:
            step /= 1.5
            continue
        values = tables.sums(pairs, terms)
        if values is not None:
            return values
        terms *= 2
        step = min(step, math.pi / (math.sqrt(terms) + 1.4 * math.sqrt(2 * digits * math.log(10))))
    raise AccuracyError(
        expected=f"a function whose Hermite series reaches {digits} digits",
        came=f"one that needs more than {terms // 2} terms, or steps below {step:.2g} deviations",
        remedy="ask for fewer digits, or use smaller variances",
    )


class _Tables:
    """Samples of φ at ±g, weighted by the square root of the Gaussian, as scaled integers."""

    def __init__(
        self, phi: Callable[[Any], Any], scales: Sequence[Any], radius: float, step: float
    ) -> None:
        self.digits = mpmath.mp.dps
        # exp(-g²/4) at the end is what the recursion starts from.
        self.bits = int((self.digits + radius**2 / 4 / math.log(10) + 12) * math.log2(10))
        half = 2 * int(radius / step / 2)
        with mpmath.workprec(self.bits + 20):
            h = mpmath.mpf(step)
            g = [h * i for i in range(half + 1)]
            root = [mpmath.exp(-x * x / 4) / (2 * mpmath.pi) ** 0.25 for x in g]
            self.g, self.root = self._scaled(g), self._scaled(root)
            self.step = h
            self.sides = {}
            for s in scales:
                up = [phi(s * x) * r for x, r in zip(g, root, strict=True)]
                down = [phi(-s * x) * r for x, r in zip(g, root, strict=True)]
                up[0], down[0] = up[0] / 2, down[0] / 2
                self.sides[s] = self._scaled(up), self._scaled(down)
            self.norms = {s: self._norm(s, 1) for s in scales}
            small = mpmath.mpf(10) ** (-0.6 * self.digits)
            self.resolved = all(
                abs(self._norm(s, 2) - norm) <= small * norm for s, norm in self.norms.items()
            )

    def _scaled(self, values: Sequence[Any]) -> np.ndarray:
        return np.array([int(mpmath.ldexp(v, self.bits)) for v in values], dtype=object)

    def _value(self, scaled: int) -> mpmath.mpf:
        return mpmath.ldexp(mpmath.mpf(int(scaled)), -self.bits)

    def _norm(self, s: Any, stride: int) -> mpmath.mpf:
        """E φ² by every ``stride``-th node; the node at 0 is kept halved on both sides."""
        up, down = (side[::stride] for side in self.sides[s])
        total = int(np.dot(up, up) + np.dot(down, down)) >> self.bits
        middle = int(up[0] * up[0] + down[0] * down[0]) >> self.bits
        # Halved twice where a square is taken, once too often.
        return self._value(total + middle) * self.step * stride

    def sums(self, pairs: Sequence[tuple[Any, Any, Any]], terms: int) -> list[mpmath.mpf] | None:
        """The series of all pairs, None if the tails are not below the precision."""
        one = 1 << self.bits
        previous, current = np.zeros_like(self.root), self.root
        coefficients: dict[Any, list[mpmath.mpf]] = {s: [] for s in self.sides}
        left = dict(self.norms)
        for n in range(terms):
            for s, (up, down) in self.sides.items():
                signed = up - down if n % 2 else up + down
                value = self._value(int(np.dot(signed, current)) >> self.bits) * self.step
                coefficients[s].append(value)
                left[s] -= value * value
            if n % 16 == 15 and self._finished(pairs, left, n):
                break
            rising = math.isqrt(one * one // (n + 1))
            falling = math.isqrt(one * one * n // (n + 1))
            following = (self.g * current >> self.bits) * rising - falling * previous
            previous, current = current, following >> self.bits
        else:
            return None
        return [
            mpmath.fsum(
                c * d * rho**n
                for n, (c, d) in enumerate(zip(coefficients[s], coefficients[t], strict=True))
            )
            for s, t, rho in pairs
        ]

    def _finished(
        self, pairs: Sequence[tuple[Any, Any, Any]], left: dict[Any, mpmath.mpf], n: int
    ) -> bool:
        """Whether what is left out of every series is below the working precision."""
        small = mpmath.mpf(10) ** (1 - self.digits)
        noise = {s: abs(left[s]) + small * small * self.norms[s] for s in left}
        return all(
            abs(rho) ** (n + 1) * mpmath.sqrt(noise[s] * noise[t])
            <= small * mpmath.sqrt(self.norms[s] * self.norms[t])
            for s, t, rho in pairs
        )
