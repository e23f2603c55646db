"""Gaussian expectations to twenty digits by mpmath: they share nothing with nnft, nor doubles.

Two correlated fields are turned into independent ones, u = √K₁₁ x and v = (K₁₂ x + √D y)/√K₁₁;
Gauss-Legendre panels, with cached nodes, are cut at kinks of either function.
"""

from functools import cache
from itertools import pairwise

import mpmath
import sympy as sp
from mpmath.calculus.quadrature import GaussLegendre

from tests.sym.quadrature import z

DIGITS = 25
REACH = 10  # exp(-REACH²/2) is 2e-22
RULE = GaussLegendre(mpmath.mp)


@cache
def _rule(degree, precision):
    return RULE.calc_nodes(degree, precision)


def _nodes(cuts):
    """Nodes and weights of the normal density between cuts."""
    inside = sorted({mpmath.mpf(c) for c in cuts if -REACH < c < REACH})
    found = []
    for low, high in pairwise([mpmath.mpf(-REACH), *inside, mpmath.mpf(REACH)]):
        half, middle = (high - low) / 2, (high + low) / 2
        # 24, 48 or 96 nodes.
        degree = 4 if high - low < 4 else 5 if high - low < 11 else 6
        for x, w in _rule(degree, mpmath.mp.prec):
            at = middle + half * x
            found.append((at, half * w * mpmath.npdf(at)))
    return found


def _scales(root):
    """Cuts where functions of unit scale bend."""
    return [0, -2 / root, 2 / root, -4 / root, 4 / root] if root > 1 else [0, -3, 3]


def _numeric(phi):
    function = sp.lambdify(z, phi, modules="mpmath")
    return lambda at: mpmath.mpmathify(function(at))


def one_point(phi, variance, kinks=()):
    """E φ(z) for an exact variance."""
    with mpmath.workdps(DIGITS):
        root = mpmath.sqrt(mpmath.mpf(variance.p) / variance.q)
        f = _numeric(phi)
        cuts = [mpmath.mpf(t) / root for t in kinks] + _scales(root)
        return mpmath.fsum(w * f(root * x) for x, w in _nodes(cuts))


def two_points(first, second, K11, K12, D, kinks=((), ())):
    """E φ_1(u) φ_2(v) for exact K₁₁ > 0, K₁₂ and determinant D ≥ 0."""
    with mpmath.workdps(DIGITS):
        K11, K12, D = (mpmath.mpf(x.p) / x.q for x in (K11, K12, D))
        root = mpmath.sqrt(K11)
        slope, spread = K12 / root, mpmath.sqrt(D / K11)
        f, g = _numeric(first), _numeric(second)
        cuts = [mpmath.mpf(t) / root for t in kinks[0]] + _scales(root)
        if slope:
            # Averages of the second function change within a few spreads of its kinks.
            met = [mpmath.mpf(t) / slope for t in kinks[1]]
            cuts += [t + s * spread / abs(slope) for t in met for s in (-REACH, 0, REACH)]
        total = []
        for x, weight in _nodes(cuts):
            mean = slope * x
            if spread == 0:
                inner = g(mean)
            else:
                nodes = _nodes([(t - mean) / spread for t in kinks[1]] or [0])
                inner = mpmath.fsum(w * g(mean + spread * y) for y, w in nodes)
            total.append(weight * f(root * x) * inner)
        return mpmath.fsum(total)
