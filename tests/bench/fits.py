"""Coefficients of the vector math: `python tests/bench/fits.py` repeats every fit and prints them.

Each is a weighted minimax polynomial P(t), found by iteratively reweighted least squares on
Chebyshev nodes (C. L. Lawson, 1961) against mpmath, its coefficients then rounded to the precision
they are used in, one after another from the constant term, the rest fitted again each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import mpmath as mp
import numpy as np

NODES, ROUNDS = 1200, 60
mp.mp.dps = 40


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Polynomial of a degree close to ``target`` on an interval, |error| weighted by ``weight``."""

    name: str
    low: float
    high: float
    degree: int
    target: Callable[[mp.mpf], mp.mpf]
    weight: Callable[[mp.mpf], mp.mpf]
    precision: type = np.float32


def _solve(basis: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted minimax coefficients by Lawson's iteration."""
    lawson = np.ones(len(values))
    best, smallest = np.zeros(basis.shape[1]), np.inf
    for _ in range(ROUNDS):
        root = np.sqrt(lawson) * weights
        found = np.linalg.lstsq(basis * root[:, None], values * root, rcond=None)[0]
        errors = np.abs(basis @ found - values) * weights
        if errors.max() < smallest:
            best, smallest = found, errors.max()
        lawson *= errors + 1e-3 * errors.max()
        lawson /= lawson.sum()
    return best


def coefficients(fit: Fit) -> tuple[np.ndarray, float]:
    """Coefficients, constant term first, and the largest weighted error on a fine grid."""

    def sampled(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
        t = (fit.low + fit.high) / 2 + (fit.high - fit.low) / 2 * nodes
        exact = [fit.target(mp.mpf(float(x))) for x in t]
        weight = np.array([float(fit.weight(mp.mpf(float(x)))) for x in t])
        return t, np.array([float(y) for y in exact]), weight

    t, values, weights = sampled(NODES)
    scale = max(abs(fit.low), abs(fit.high))
    powers = (t[:, None] / scale) ** np.arange(fit.degree + 1)
    fixed: list[float] = []
    rest = values.copy()
    for order in range(fit.degree + 1):
        found = _solve(powers[:, order:], rest, weights)
        rounded = float(fit.precision(found[0] / scale**order))
        fixed.append(rounded)
        rest = rest - rounded * t**order
    t, values, weights = sampled(5 * NODES)
    errors = np.abs(np.polynomial.polynomial.polyval(t, fixed) - values) * weights
    return np.array(fixed), float(errors.max())


def _root(t: mp.mpf) -> mp.mpf:
    return mp.sqrt(t) if t > mp.mpf("1e-30") else mp.mpf("1e-15")


def _step_slope(u: mp.mpf) -> mp.mpf:
    return 15 * (1 - u * u) ** 2 / 8


@cache
def _unstepped(y: mp.mpf) -> mp.mpf:
    """u in [0, 1] with u (15 - 10 u^2 + 3 u^4)/8 = y, which is flat at u = 1."""
    low, high = mp.mpf(0), mp.mpf(1)
    while high - low > mp.mpf("1e-25") * high:
        u = (low + high) / 2
        if u * (15 - 10 * u * u + 3 * u**4) / 8 < y:
            low = u
        else:
            high = u
    return high


def _log_rest(f: mp.mpf) -> mp.mpf:
    return (mp.log1p(f) - f + f * f / 2) / f**3 if abs(f) > 1e-9 else mp.mpf(1) / 3


def _exp_rest(r: mp.mpf) -> mp.mpf:
    return (mp.expm1(r) - r) / r**2 if abs(r) > 1e-9 else mp.mpf(1) / 2


def _odd_rest(function: Callable[[mp.mpf], mp.mpf]) -> Callable[[mp.mpf], mp.mpf]:
    """(function(x) - x)/x^3 at t = x^2."""

    def rest(t: mp.mpf) -> mp.mpf:
        x = _root(t) if t > 1e-12 else mp.mpf("1e-6")
        return (function(x) - x) / x**3

    return rest


def _odd(name: str, function: Callable[[mp.mpf], mp.mpf], end: float, degree: int) -> Fit:
    """x + x^3 P(x^2) with relative error."""
    return Fit(
        name=name,
        low=0.0,
        high=end**2,
        degree=degree,
        target=_odd_rest(function),
        weight=lambda t: _root(t) ** 3 / function(_root(t)),
    )


def _tail(t: mp.mpf) -> mp.mpf:
    """exp(x^2) erfc(x) (1 + 2x) at t = (x - 2)/(x + 2)."""
    x = 2 * (1 + t) / (1 - t)
    return mp.exp(x * x) * mp.erfc(x) * (1 + 2 * x)


FITS = (
    Fit(
        name="ERF: erf(x) = s(x P(x^2)), s(u) = u (15 - 10 u^2 + 3 u^4)/8",
        low=0.0,
        high=3.9**2,
        degree=6,
        target=lambda t: _unstepped(mp.erf(_root(t))) / _root(t),
        weight=lambda t: _step_slope(_unstepped(mp.erf(_root(t)))) * _root(t) / mp.erf(_root(t)),
    ),
    Fit(
        name="ERFC: exp(x^2) erfc(x) (1 + 2x) = P((x - 2)/(x + 2)) on x > 0",
        low=-1.0,
        high=0.75,
        degree=10,
        target=_tail,
        weight=lambda t: 1 / _tail(t),
    ),
    Fit(
        name="LOG: log(1 + f) = f - f^2/2 + f^3 P(f)",
        low=float(mp.sqrt(0.5) - 1),
        high=float(mp.sqrt(2) - 1),
        degree=6,
        target=_log_rest,
        weight=lambda f: abs(f**3 / mp.log1p(f)) if f else mp.mpf(0),
    ),
    Fit(
        name="EXP: exp(r) = 1 + r + r^2 P(r)",
        low=-0.35,
        high=0.35,
        degree=4,
        target=_exp_rest,
        weight=lambda r: r**2,
    ),
    _odd("SIN: sin(x) = x + x^3 P(x^2)", mp.sin, 0.7870, 2),
    Fit(
        name="COS: cos(x) = 1 - x^2/2 + x^4 P(x^2)",
        low=0.0,
        high=0.7870**2,
        degree=2,
        target=lambda t: (mp.cos(_root(t)) - 1 + t / 2) / t**2 if t > 1e-8 else mp.mpf(1) / 24,
        weight=lambda t: t**2,
    ),
    _odd("HALF_TURN: sin(x) = x + x^3 P(x^2)", mp.sin, 1.5725, 3),
    _odd("TANH: tanh(x) = x + x^3 P(x^2)", mp.tanh, 0.625, 4),
    _odd("SINH: sinh(x) = x + x^3 P(x^2)", mp.sinh, 1.0, 3),
    _odd("ASIN: asin(x) = x + x^3 P(x^2)", mp.asin, 0.5, 4),
    _odd("ATAN: atan(x) = x + x^3 P(x^2)", mp.atan, 1.0, 7),
    Fit(
        name="TURN_SIN: sin(2 pi s/2^32) = s P(s^2), |s| <= 2^29, in units of 2^29",
        low=0.0,
        high=1.0,
        degree=3,
        target=lambda t: mp.sin(mp.pi / 4 * _root(t)) / _root(t),
        weight=lambda t: _root(t) / mp.sin(mp.pi / 4 * _root(t)),
    ),
    Fit(
        name="TURN_COS: cos(2 pi s/2^32) = P(s^2), in the same units",
        low=0.0,
        high=1.0,
        degree=3,
        target=lambda t: mp.cos(mp.pi / 4 * _root(t)),
        weight=lambda t: mp.mpf(1),
    ),
    Fit(
        name="LOG2_DOUBLE: log2((1 + s)/(1 - s)) = s P(s^2)",
        low=0.0,
        high=float((mp.sqrt(2) - 1) ** 2 / (mp.sqrt(2) + 1) ** 2),
        degree=7,
        target=lambda t: 2 * mp.atanh(_root(t)) / mp.log(2) / _root(t),
        weight=lambda t: mp.mpf(1),
        precision=np.float64,
    ),
    Fit(
        name="EXP2_DOUBLE: 2^r = P(r)",
        low=-0.5,
        high=0.5,
        degree=7,
        target=lambda r: mp.mpf(2) ** r,
        weight=lambda r: mp.mpf(1),
        precision=np.float64,
    ),
)


def main() -> None:
    """Print every fit."""
    for fit in FITS:
        found, error = coefficients(fit)
        print(f"{fit.name}   (largest error {error:.2g})")
        print(
            "    "
            + ", ".join(f"{c:.9g}" if fit.precision is np.float32 else f"{c!r}" for c in found)
        )


if __name__ == "__main__":
    main()
