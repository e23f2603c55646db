"""Normal probabilities of half-lines and quadrants, times exp(weight), over arrays.

Completing the square leaves weights exp(w) with large w in front of tails that compensate them:
both exponents are added before either is exponentiated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf, erfcx, ndtr, owens_t, wofz

__all__ = ["bivariate_normal_cdf", "half_line", "quadrant", "sign_line"]

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = leggauss(64)
# The wedge's integrand is cut where its Gaussian factor is exp(-38) of its start.
_REACH = 76.0
# Wedges whose corner is nearer to the origin than this are not small: Owen's T has their digits.
_NEAR = 1.0
_ROWS = 20_000
_ROOT2 = np.sqrt(2.0)


def half_line(weight: Any, h: Any) -> Any:
    """exp(w) Φ(h), for real or complex h.

    Examples
    --------
    >>> float(half_line(np.array(800.0), np.array(-40.0)).round(12))
    0.009967...
    """
    weight, h = np.asarray(weight), np.asarray(h)
    tail = weight - h**2 / 2
    left = h.real < 0
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        if np.iscomplexobj(h) or np.iscomplexobj(weight):
            small = np.exp(tail) * wofz(1j * np.where(left, -h, h) / _ROOT2) / 2
            return np.where(left, small, np.exp(weight) - small)
        small = np.exp(tail) * erfcx(np.abs(h) / _ROOT2) / 2
        small = np.where(np.isinf(h), 0.0, small)
        return np.where(left, small, np.exp(weight) * ndtr(h))


def sign_line(weight: Any, h: Any) -> Any:
    """exp(w) E sign(ξ + h) = exp(w) erf(h/√2), for real or complex h.

    Examples
    --------
    >>> float(sign_line(np.array(0.0), np.array(0.0)))
    0.0
    """
    weight, h = np.asarray(weight), np.asarray(h)
    if not np.iscomplexobj(h) and not np.iscomplexobj(weight):
        return np.exp(weight) * erf(h / _ROOT2)
    small = np.abs(h) < 1
    near = np.exp(weight) * erf(np.where(small, h, 0) / _ROOT2)
    return np.where(small, near, 2 * half_line(weight, h) - np.exp(weight))


def quadrant(
    weight: Floats, h: Floats, k: Floats, rho: Floats, slope_h: Floats, slope_k: Floats
) -> Floats:
    r"""exp(w) P(X < h, Y < k) for standard normals of correlation ρ.

    The quadrant is two wedges, seen from the origin, one at each side of its corner.  With
    b = (k - ρh)/√(1-ρ²), and likewise for the other, the wedge at h is
    V(h, b) = (h/2π) ∫_b^∞ e^{-(h²+y²)/2}/(h²+y²) dy.

    Parameters
    ----------
    weight : ndarray
        w.
    h, k, rho : ndarray
        Corner and correlation.
    slope_h, slope_k : ndarray
        (k - ρh)/√(1-ρ²) and (h - ρk)/√(1-ρ²): given, as they lose digits where ρ -> ±1.
    """
    H, K = np.abs(h), np.abs(k)
    tail = _wedge(weight, H, np.where(k <= 0, -slope_h, slope_h))
    tail = tail + _wedge(weight, K, np.where(h <= 0, -slope_k, slope_k))
    origin = (H == 0) & (K == 0)
    if origin.any():
        tail = np.where(origin, np.exp(weight) * (0.25 + np.arcsin(rho) / (2 * np.pi)), tail)
    low_h, low_k = h <= 0, k <= 0
    return np.select(
        [low_h & low_k, low_k, low_h],
        [tail, half_line(weight, k) - tail, half_line(weight, h) - tail],
        half_line(weight, h) - half_line(weight, -k) + tail,
    )


def _wedge(weight: Floats, H: Floats, b: Floats) -> Floats:
    """exp(w) P(X > H, H Y > b X) for independent standard normals and H >= 0."""
    weight, H, b = (np.atleast_1d(a) for a in np.broadcast_arrays(weight, H, b))
    B = np.abs(b)
    value = np.zeros(H.shape)
    corner = H**2 + B**2
    near = (corner < _NEAR) & ((H > 0) | (B > 0))
    if near.any():
        with np.errstate(divide="ignore", over="ignore"):
            owen = owens_t(H[near], B[near] / H[near])
        value[near] = np.exp(weight[near]) * (ndtr(-H[near]) / 2 - owen)
    far = (corner >= _NEAR) & np.isfinite(B) & np.isfinite(H)
    if far.any():
        outer = np.exp(weight[far] - corner[far] / 2) * H[far] / (2 * np.pi)
        value[far] = outer * _far_integral(H[far], B[far])
    return np.where(b < 0, half_line(weight, -H) - value, value)


def _far_integral(H: Floats, B: Floats) -> Floats:
    """∫_0^∞ exp(-x²/2 - Bx)/(H² + (B+x)²) dx, whose poles are away from the path."""
    value = np.empty(H.shape)
    for start in range(0, len(H), _ROWS):
        rows = slice(start, start + _ROWS)
        h, b = H[rows, None], B[rows, None]
        half = _REACH / (np.sqrt(b**2 + _REACH) + b) / 2
        x = half * (_NODES + 1)
        value[rows] = (half * np.exp(-x * (x / 2 + b)) / (h**2 + (b + x) ** 2)) @ _WEIGHTS
    return value


def bivariate_normal_cdf(h: ArrayLike, k: ArrayLike, rho: ArrayLike) -> Any:
    """Return Φ₂(h, k; ρ) = P(X < h, Y < k) for standard normals X, Y of correlation ρ.

    Errors are roundings of min(Φ(h), Φ(k)); not a number for |ρ| > 1.

    Examples
    --------
    >>> bivariate_normal_cdf([0.0, 1.0], [0.0, np.inf], [1.0, 0.5]).round(6).tolist()
    [0.5, 0.841345]
    """
    h, k, rho = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (h, k, rho)))
    shape = h.shape
    h, k, rho = h.ravel(), k.ravel(), rho.ravel()
    value = np.where(np.minimum(h, k) == -np.inf, 0.0, ndtr(np.minimum(h, k)))
    corner = np.isfinite(h) & np.isfinite(k) & (np.abs(rho) <= 1)
    slopes = corner_slopes(h[corner], k[corner], rho[corner], (1 - rho[corner]) * (1 + rho[corner]))
    zero = np.zeros(int(corner.sum()))
    value[corner] = quadrant(zero, h[corner], k[corner], rho[corner], *slopes)
    value[np.isnan(h) | np.isnan(k) | np.isnan(rho) | (np.abs(rho) > 1)] = np.nan
    return value.reshape(shape)


def corner_slopes(h: Floats, k: Floats, rho: Floats, rest: Floats) -> tuple[Floats, Floats]:
    """(k - ρh)/√(1-ρ²) and (h - ρk)/√(1-ρ²), given rest = 1 - ρ² to full relative accuracy.

    At ρ = ±1 they are ±∞, or 0 where the two lines coincide.
    """
    side = np.where(rho < 0, -1.0, 1.0)
    # 1 - |ρ| keeps its digits, and rounding of h and k moves both slopes oppositely.
    gap = np.where(np.abs(rho) > 0.5, rest / (1 + np.abs(rho)), 1 - np.abs(rho))
    root = np.sqrt(rest)
    slopes = []
    for this, other in ((h, k), (k, h)):
        rise = (other - side * this) + side * gap * this
        at_one = np.where(rise == 0, 0.0, np.copysign(np.inf, rise))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            slopes.append(np.where(root > 0, rise / root, at_one))
    return slopes[0], slopes[1]
