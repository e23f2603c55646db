"""Three and four points of error functions, signs and rectifiers to many digits.

The same reduction to one integral of arcsines as in ``orthants``, with minors computed at a
precision at which their cancellation near the end of the path does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import mpmath

from nnft_sym.language.errors import AccuracyError

__all__ = ["four_absolutes", "four_signs", "of_error_functions", "of_sides"]

Matrix = list[list[mpmath.mpf]]

_SPLITS = ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2), (1, 2, 0, 3), (1, 3, 0, 2), (2, 3, 0, 1))
_FINEST = 9


def four_signs(R: Matrix) -> mpmath.mpf:
    """E[s_1 s_2 s_3 s_4] of the signs of four standard normals with correlations R.

    Examples
    --------
    >>> one, zero = mpmath.mpf(1), mpmath.mpf(0)
    >>> pairs = [[one, one, zero, zero], [one, one, zero, zero]]
    >>> pairs += [[zero, zero, one, one], [zero, zero, one, one]]
    >>> mpmath.nstr(four_signs(pairs), 12)
    '1.0'
    """
    return 4 / mpmath.pi**2 * _path(R, lambda split, t, m: R[split[0]][split[1]])


def four_absolutes(R: Matrix) -> mpmath.mpf:
    """E|z_1 z_2 z_3 z_4| of four standard normals with correlations R.

    Examples
    --------
    >>> one = mpmath.mpf(1)
    >>> mpmath.nstr(four_absolutes([[one] * 4] * 4), 12)
    '3.0'
    """

    def coefficient(split: tuple[int, int, int, int], t: Any, m: Any) -> Any:
        p, q, r, s = split
        x, rest = R[p][q], R[r][s]
        A = R[p][r] * R[p][s] + R[q][r] * R[q][s]
        B = R[p][r] * R[q][s] + R[p][s] * R[q][r]
        closed = m * (2 * t * A + rest) + t**2 * x * (B - t * x * A)
        return closed + (1 - t**2) * x * (x * rest + B)

    return 4 / mpmath.pi**2 * (1 + _path(R, coefficient))


def _path(R: Matrix, coefficient: Callable[..., Any]) -> mpmath.mpf:
    """∫ dt of sum_splits H_pq asin(ρ_rs|pq)/√(1 - t²R_pq²), by t = 1/(1 + exp(-π sinh y))."""
    digits = mpmath.mp.dps
    with mpmath.workdps(3 * digits + 10):
        small = mpmath.mpf(10) ** (-0.6 * digits)
        # The integrand grows at most like (1 - t)^{-1/2} at one end and is bounded at the other.
        ends = [
            mpmath.asinh(mpmath.log(10) * digits * stretch / mpmath.pi) for stretch in (1.1, 2.2)
        ]
        total, before = mpmath.mpf(0), None
        for level in range(2, _FINEST + 1):
            step = mpmath.mpf(2) ** -level
            first, last = -int(ends[0] / step), int(ends[1] / step)
            fresh = [k for k in range(first, last + 1) if before is None or k % 2]
            total += mpmath.fsum(_term(R, coefficient, k * step) for k in fresh)
            now = total * step
            if before is not None and abs(now - before) <= small:
                return now
            before = now
    raise AccuracyError(
        expected=f"an integral of arcsines to {digits} digits",
        came="one that does not converge",
        remedy="ask for fewer digits, or move the points",
    )


def _term(R: Matrix, coefficient: Callable[..., Any], y: Any) -> Any:
    slope = mpmath.pi * mpmath.sinh(y)
    t, tau = 1 / (1 + mpmath.exp(-slope)), 1 / (1 + mpmath.exp(slope))
    C = [[t * R[a][b] + (tau if a == b else 0) for b in range(4)] for a in range(4)]
    whole = max(mpmath.det(mpmath.matrix(C)), mpmath.mpf(0))
    total = mpmath.mpf(0)
    for split in _SPLITS:
        p, q, r, s = split
        m = max((1 - C[p][q]) * (1 + C[p][q]), mpmath.mpf(0))
        crossed = C[p][r] * C[q][s] + C[q][r] * C[p][s]
        top = C[r][s] * m - (C[p][r] * C[p][s] + C[q][r] * C[q][s] - C[p][q] * crossed)
        if m:
            arcsine = mpmath.atan2(top, mpmath.sqrt(m * whole))
            total += coefficient(split, t, m) * arcsine / mpmath.sqrt(m)
    return total * mpmath.pi * mpmath.cosh(y) * t * tau


def of_error_functions(offset: Any, amplitude: Any, slope: Any, K: Matrix) -> mpmath.mpf:
    """E of three or four factors offset + amplitude erf(slope z), by signs of fields with noise.

    Parameters
    ----------
    offset, amplitude, slope : mpf
        The activation.
    K : list of list of mpf
        Covariances of the factors.
    """
    k = len(K)
    norms = [mpmath.sqrt(1 + 2 * slope**2 * K[a][a]) for a in range(k)]

    def correlation(a: int, b: int) -> Any:
        if a == b:
            return mpmath.mpf(1)
        if max(a, b) >= k:
            return mpmath.mpf(0)
        return 2 * slope**2 * K[a][b] / (norms[a] * norms[b])

    R = [[correlation(a, b) for b in range(4)] for a in range(4)]
    total = mpmath.mpf(offset) ** k
    for p, q in combinations(range(k), 2):
        total += offset ** (k - 2) * amplitude**2 * 2 / mpmath.pi * mpmath.asin(R[p][q])
    return total + (amplitude**4 * four_signs(R) if k == 4 else 0)


def of_sides(degree: int, even: Any, odd: Any, K: Matrix, D: Matrix) -> mpmath.mpf:
    """E of three or four factors even |z|^n + odd sign(z)|z|^n, n = 0 or 1.

    Parameters
    ----------
    degree : int
        n.
    even, odd : mpf
        The activation.
    K, D : list of list of mpf
        Covariances of the factors, of positive variance, and their 2×2 minors.
    """
    k, one, zero = len(K), mpmath.mpf(1), mpmath.mpf(0)
    sigma = [mpmath.sqrt(K[a][a]) for a in range(k)]

    def pair(M: Matrix, a: int, b: int, root: bool) -> Any:
        if max(a, b) >= k:
            return one if (a == b) != root else zero
        scale = sigma[a] * sigma[b]
        return mpmath.sqrt(M[a][b]) / scale if root else M[a][b] / scale

    R = [[pair(K, a, b, False) for b in range(4)] for a in range(4)]
    for a in range(4):
        R[a][a] = one
        for b in range(4):
            if a != b and max(a, b) < k and D[a][b] == 0:
                R[a][b] = mpmath.sign(R[a][b])
    S = [[one if max(a, b) >= k and a != b else zero for b in range(4)] for a in range(4)]
    for a, b in combinations(range(k), 2):
        S[a][b] = S[b][a] = pair(D, a, b, True)
    asin = [[mpmath.atan2(R[a][b], S[a][b]) for b in range(4)] for a in range(4)]
    if degree == 0:
        return _of_signs(even, odd, k, R, asin)
    total = _of_lines(even, odd, k, R, S, asin)
    factor = mpmath.fprod(sigma)
    return total * factor * (1 if k == 4 else mpmath.sqrt(mpmath.pi / 2))


def _of_signs(even: Any, odd: Any, k: int, R: Matrix, asin: Sequence[Sequence[Any]]) -> mpmath.mpf:
    total = mpmath.mpf(even) ** k
    for p, q in combinations(range(k), 2):
        total += odd**2 * even ** (k - 2) * 2 / mpmath.pi * asin[p][q]
    return total + (odd**4 * four_signs(R) if k == 4 and odd else 0)


def _of_lines(
    even: Any, odd: Any, k: int, R: Matrix, S: Matrix, asin: Sequence[Sequence[Any]]
) -> mpmath.mpf:
    """E over four factors of unit variance, the last |z| and independent if there are three."""
    total = mpmath.mpf(0)
    for a, b in combinations(range(k), 2):
        c, d = (e for e in range(4) if e not in (a, b))
        total += (
            odd**2
            * even ** (k - 2)
            * (2 / mpmath.pi)
            * (
                R[a][b] * (S[c][d] + R[c][d] * asin[c][d])
                + R[a][c] * (R[b][c] * S[c][d] + R[b][d] * asin[c][d])
                + R[a][d] * (R[b][d] * S[c][d] + R[b][c] * asin[c][d])
            )
        )
    if k == 4:
        total += odd**4 * (R[0][1] * R[2][3] + R[0][2] * R[1][3] + R[0][3] * R[1][2])
    return total + (even**k * four_absolutes(R) if even else 0)
