"""Gaussian expectations by composite Gauss-Legendre quadrature: it shares nothing with nnft.

Panels shrink geometrically towards everything a factor may do within a short distance: its own
kinks and unit scale, and, seen from the first field, those of the second.
"""

import numpy as np
import sympy as sp
from numpy.polynomial.legendre import leggauss

z, variance = sp.Symbol("z", real=True), sp.Symbol("k", nonnegative=True)
REACH = 40.0
NODES, WEIGHTS = leggauss(16)
STEPS = 4.0 ** np.arange(-9, 4)
UNIFORM = np.arange(-12.0, 12.5)


def numeric(phi, own=1.0):
    function = sp.lambdify((z, variance), phi, modules=["scipy", "numpy"])
    return lambda at: np.broadcast_to(function(at, own), np.shape(at)).astype(float)


def _cut(breaks):
    """Panels between sorted breaks along the last axis, within the reach."""
    ends = np.full((*breaks.shape[:-1], 1), REACH)
    edges = np.sort(np.clip(np.concatenate([-ends, breaks, ends], axis=-1), -REACH, REACH), axis=-1)
    half = (edges[..., 1:] - edges[..., :-1])[..., None] / 2
    middle = (edges[..., 1:] + edges[..., :-1])[..., None] / 2
    nodes, weights = middle + half * NODES, half * WEIGHTS
    flat = (*breaks.shape[:-1], -1)
    nodes, weights = nodes.reshape(flat), weights.reshape(flat)
    return nodes, weights * np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)


def _around(centres, widths):
    """Breaks at centres and at geometric distances from them."""
    steps = np.concatenate([-STEPS[::-1], [0.0], STEPS])
    return (centres[..., None] + widths[..., None] * steps).reshape(
        *centres.shape[:-1], centres.shape[-1] * len(steps)
    )


def one_point(phi, K, kinks=()):
    """E φ(z) and E|φ(z)| for variance K."""
    root = np.sqrt(K)
    at = np.array([0.0, *kinks]) / root
    nodes, weights = _cut(np.concatenate([_around(at, np.full(at.shape, 1 / root)), UNIFORM]))
    values = numeric(phi, K)(root * nodes)
    return np.sum(weights * values), np.sum(weights * np.abs(values))


def two_points(first, second, K, kinks=((), ()), minor=None):
    """E φ_1(u) φ_2(v), and the same of absolute values, for covariance K of any rank."""
    K = np.asarray(K, dtype=float)
    minor = K[0, 0] * K[1, 1] - K[0, 1] ** 2 if minor is None else minor
    if K[0, 0] == 0.0 or K[1, 1] == 0.0:
        fixed = [float(numeric(phi, 0.0)(np.zeros(1))[0]) for phi in (first, second)]
        parts = [
            (
                np.array([value, abs(value)])
                if K[a, a] == 0
                else np.array(one_point(phi, K[a, a], t))
            )
            for a, (phi, value, t) in enumerate(zip((first, second), fixed, kinks, strict=True))
        ]
        return tuple(parts[0] * parts[1])
    if K[0, 0] < K[1, 1]:
        return two_points(second, first, K[::-1, ::-1], kinks[::-1], minor)
    root, slope, spread = np.sqrt(K[0, 0]), K[0, 1] / K[0, 0], np.sqrt(max(minor, 0.0) / K[0, 0])
    own, other = (np.array([0.0, *t]) for t in kinks)
    # Where the second field, on average, meets its own structure, blurred by its spread.
    met, blur = (other / slope / root, spread / abs(slope) / root) if slope else (own[:0], 0.0)
    breaks = np.concatenate(
        [
            _around(own / root, np.full(own.shape, 1 / root)),
            _around(met, np.full(met.shape, max(blur, 1e-4))),
            _around(met, np.full(met.shape, 1 / root / (abs(slope) or 1.0))),
            UNIFORM, STEPS, -STEPS,
        ]
    )  # fmt: skip
    outer, weights = _cut(breaks[np.abs(breaks) < REACH])
    values = weights * numeric(first, K[0, 0])(root * outer)
    kept = np.flatnonzero(values)
    total = size = 0.0
    for start in range(0, len(kept), 100):
        rows = kept[start : start + 100]
        mean = slope * root * outer[rows]
        if spread == 0.0:
            inner = numeric(second, K[1, 1])(mean)
            absolute = np.abs(inner)
        else:
            at = (other - mean[:, None]) / spread
            breaks = _around(at, np.full(at.shape, 1 / spread))
            local = np.broadcast_to(UNIFORM, (len(rows), len(UNIFORM)))
            nodes, weight = _cut(np.concatenate([breaks, local], axis=-1))
            found = weight * numeric(second, K[1, 1])(mean[:, None] + spread * nodes)
            inner, absolute = found.sum(axis=-1), np.abs(found).sum(axis=-1)
        total += np.sum(values[rows] * inner)
        size += np.sum(np.abs(values[rows]) * absolute)
    return total, size
