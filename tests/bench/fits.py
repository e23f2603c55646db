"""Coefficients of the vector math: `python tests/bench/fits.py` repeats every fit and prints them.

With ``--tables`` it prints the module ``nnft_num/machine/tables.py``.

Each is a weighted minimax polynomial P(t), found by iteratively reweighted least squares on
Chebyshev nodes (C. L. Lawson, 1961) against mpmath, its coefficients then rounded to the precision
they are used in, one after another from the constant term, the rest fitted again each time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

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
        name="HALF_TURN_SIN: sin(pi r) = r P(r^2)",
        low=0.0,
        high=0.506**2,
        degree=4,
        target=lambda t: mp.sin(mp.pi * _root(t)) / _root(t),
        weight=lambda t: _root(t) / mp.sin(mp.pi * _root(t)),
    ),
    Fit(
        name="HALF_TURN_COS: cos(pi r) = P(r^2)",
        low=0.0,
        high=0.506**2,
        degree=4,
        target=lambda t: mp.cos(mp.pi * _root(t)),
        weight=lambda t: mp.mpf(1),
    ),
    Fit(
        name="SIXTEENTH_EXP: exp(r) = P(r)",
        low=-0.0217,
        high=0.0434,
        degree=3,
        target=mp.exp,
        weight=lambda r: 1 / mp.exp(r),
    ),
    Fit(
        name="DRAW_SIN: sin(pi s/32) = s P(s^2), |s| <= 1",
        low=0.0,
        high=1.0,
        degree=1,
        target=lambda t: mp.sin(mp.pi / 32 * _root(t)) / _root(t),
        weight=lambda t: _root(t) / mp.sin(mp.pi / 32 * _root(t)),
    ),
    Fit(
        name="DRAW_COS: cos(pi s/32) = P(s^2), |s| <= 1",
        low=0.0,
        high=1.0,
        degree=2,
        target=lambda t: mp.cos(mp.pi / 32 * _root(t)),
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


@dataclass(frozen=True, kw_only=True)
class Table:
    """Coefficients of one degree after the other, for all pieces of a function."""

    name: str
    statement: str
    pieces: tuple[Fit, ...]


def _pieces(
    function: Callable[[mp.mpf], mp.mpf], count: int, width: mp.mpf, unit: mp.mpf, degree: int
) -> tuple[Fit, ...]:
    """Odd function(x) at x = k width + r unit, of which the latter is half a width at most."""
    end = float(width / unit / 2)

    def piece(k: int) -> Fit:
        def value(r: mp.mpf) -> mp.mpf:
            return function(k * width + r * unit)

        def slope(r: mp.mpf) -> mp.mpf:
            return value(r) / r if r else mp.diff(function, 0) * unit

        if k:
            return Fit(
                name=f"{k}",
                low=-end,
                high=end,
                degree=degree,
                target=value,
                weight=lambda r: 1 / value(r),
            )
        # r P(r), so that small numbers keep their digits
        return Fit(
            name="0",
            low=0.0,
            high=end,
            degree=degree - 1,
            target=slope,
            weight=lambda r: 1 / slope(r),
        )

    return tuple(map(piece, range(count)))


def _tanh_piece(k: int) -> Fit:
    """tanh(x) on a quarter of an octave of 1 + 1.78 x, from its lower end."""
    octave, quarter = 2 ** (k // 4), k % 4
    low = octave * (1 + mp.mpf(quarter) / 4)

    def value(r: mp.mpf) -> mp.mpf:
        return mp.tanh((low - 1 + r) / mp.mpf("1.78"))

    def slope(r: mp.mpf) -> mp.mpf:
        return value(r) / r if r else 1 / mp.mpf("1.78")

    # r P(r) in the first, so that small numbers keep their digits
    target = value if k else slope
    return Fit(
        name=f"{k}",
        low=0.0,
        high=octave / 4,
        degree=5 if k else 4,
        target=target,
        weight=lambda r: 1 / target(r),
    )


def _log_piece(k: int) -> Fit:
    def target(f: mp.mpf) -> mp.mpf:
        return -2 * mp.log1p(f / 2**32) / f if f else -mp.mpf(2) / 2**32

    low = (mp.mpf(32 + k) / 64 - 1) * 2**32
    return Fit(
        name=f"{k}",
        low=float(low),
        high=float(low + 2**26),
        degree=2,
        target=target,
        weight=lambda f: abs(1 / target(f)),
    )


TABLES = (
    Table(
        name="ERF",
        statement="erf(k/4 + r) = P_k(r), |r| <= 1/8, k < 16",
        pieces=_pieces(mp.erf, 16, mp.mpf(1) / 4, mp.mpf(1), 4),
    ),
    Table(
        name="TANH",
        statement="tanh(x) = P(r), 1 + 1.78 x = 2^p (1 + q/4) + r, at (4p + q + 12) mod 16",
        # the lowest bits of the exponent of 1 are 11
        pieces=tuple(_tanh_piece((place + 4) % 16) for place in range(16)),
    ),
    Table(
        name="RADIUS",
        statement="-2 ln(1 + f/2^32) = f P_k(f), -32 + k <= f/2^26 <= -31 + k, k < 32",
        pieces=tuple(map(_log_piece, range(32))),
    ),
)


def tables() -> None:
    """Print the module of tables."""
    print(
        '"""Numbers looked up by the vector math and the draws, from ``tests/bench/fits.py``."""\n'
    )
    names = sorted(["COSINES", "EXPONENTIALS", *(table.name for table in TABLES)])
    print(f"__all__ = [{', '.join(f'{name!r}' for name in names)}]".replace("'", '"'))
    for table in TABLES:
        found = [coefficients(piece) for piece in table.pieces]
        size = len(found[-1][0])
        rows = [np.concatenate([np.zeros(size - len(row)), row]) for row, _ in found]
        worst = max(error for _, error in found)
        print(f"\n{table.name} = (")
        for column in np.array(rows).T:
            print(f"    ({', '.join(f'{c:.9g}' for c in column)}),")
        print(f')\n"""{table.statement}; relative error {worst:.1g}."""')
    cosines = [float(np.float32(mp.cos(mp.pi * k / 16))) for k in range(32)]
    cosines = [0.0 if abs(c) < 1e-9 else c for c in cosines]
    print(f"\nCOSINES = ({', '.join(f'{c:.9g}' for c in cosines)})")
    print('"""cos(2 pi k/32)."""')
    sixteenths = [np.float32(mp.mpf(2) ** (mp.mpf(k) / 16)) for k in range(16)]
    shifted = [
        (x.view(np.uint32) - np.uint32(k << 19)).view(np.float32) for k, x in enumerate(sixteenths)
    ]
    print(f"\nEXPONENTIALS = ({', '.join(f'{c:.9g}' for c in shifted)})")
    print('"""2^(k/16), its bits less k 2^19."""')


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
    tables() if "--tables" in sys.argv else main()
