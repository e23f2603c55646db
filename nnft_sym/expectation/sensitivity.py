r"""How errors of a covariance change two-point moments: bounds to first order.

In the variables s_a = √K_aa, s_b and ρ, with Cauchy-Schwarz,

    |∂E[φ_aφ_b]/∂ρ| <= s_a s_b √(E φ'_a² E φ'_b²),   |∂E[φ_aφ_b]/∂s_a| <= √(E(zφ')_a² E φ_b²)/s_a,

one-point averages alone.  Jumps of φ add delta functions to φ', whose part of ∂/∂ρ is at most
1/(2π√(1-ρ²)) for each pair: an angle, which changes by no more than √(2δρ) where ρ → ±1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import Z
from nnft_sym.density import Density
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.slopes import Jump, weak_derivative

__all__ = ["propagated", "relative_change_of_minors"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_EPS = float(np.finfo(np.float64).eps)
_RADIUS = 9.0
_NODES = 801
_OFFSETS = 33
_SAFETY = 1.05
"""For the rough quadrature and the second order."""


def propagated(phi: sp.Expr, gram: Gram, rows: Indices, offset: Density | None = None) -> Floats:
    """Bounds of the changes of E[φ_a φ_b] when K changes within ``gram.errors``.

    Parameters
    ----------
    phi : sympy.Expr
        φ in z.
    gram : Gram
        Covariance with bounds of its errors.
    rows : ndarray of int, shape (U, 2)
        Pairs of points.
    offset : Density, optional
        Independent bias, with numbers.

    Examples
    --------
    >>> gram = Gram.from_matrix([[1.0]], errors=[[1e-12]])
    >>> change = propagated(sp.Max(Z, 0), gram, np.array([[0, 0]]))
    >>> bool(0.5e-12 <= change[0] <= 0.6e-12)
    True
    """
    if gram.errors is None:
        return np.zeros(len(rows))
    K, dK = np.diag(gram.matrix), np.diag(gram.errors)
    with np.errstate(all="ignore"):
        size = _Sizes(phi, np.sqrt(np.maximum(K, dK)), offset)
        a, b = rows.T
        s = np.sqrt(np.maximum(K, dK))
        product = s[a] * s[b]
        rho = np.clip(np.nan_to_num(gram.matrix[a, b] / product), -1.0, 1.0)
        relative = np.nan_to_num(dK / (2 * s**2))
        turn = np.nan_to_num(gram.errors[a, b] / product) + np.abs(rho) * (
            relative[a] + relative[b]
        )
        smooth = product * np.sqrt(size.steep[a] * size.steep[b]) * turn
        scaled = relative[a] * np.sqrt(size.radial[a] * size.square[b])
        scaled += relative[b] * np.sqrt(size.radial[b] * size.square[a])
        total = smooth + scaled
        if size.jumps:
            floor = np.maximum(turn, 8 * _EPS)
            rest = np.maximum((1 - rho) * (1 + rho), 0.0)
            angle = np.minimum(2 * floor / np.sqrt(rest), 1.1 * np.sqrt(2 * floor))
            height = sum(abs(float(jump.height)) for jump in size.jumps)
            total += height**2 / (2 * np.pi) * np.nan_to_num(angle, nan=0.0)
            total += (
                height * turn / np.sqrt(2 * np.pi) * (s[b] * size.slope[b] + s[a] * size.slope[a])
            )
            total += size.crossing[a] * size.largest[b] * relative[a]
            total += size.crossing[b] * size.largest[a] * relative[b]
        total = np.where(a == b, size.along[a] * dK[a], total)
    return np.asarray(_SAFETY * np.nan_to_num(total, nan=np.inf, posinf=np.inf))


def relative_change_of_minors(gram: Gram, rows: Indices) -> Floats:
    """Bounds of |δD_ab|/D_ab; infinite where D_ab is not known at all."""
    if gram.errors is None:
        return np.zeros(len(rows))
    a, b = rows.T
    K, e = gram.matrix, gram.errors
    change = K[a, a] * e[b, b] + K[b, b] * e[a, a] + 2 * np.abs(K[a, b]) * e[a, b]
    with np.errstate(all="ignore"):
        return np.asarray(np.where(change > 0, change / gram.determinants[a, b], 0.0))


class _Sizes:
    """One-point averages at standard deviations s, by rough sums.

    Two sets of nodes, even and crowded at zero, see features of any width there; the larger
    value counts.
    """

    def __init__(self, phi: sp.Expr, s: Floats, offset: Density | None) -> None:
        function, slope, self.jumps = _functions(phi)
        even = np.linspace(-_RADIUS, _RADIUS, _NODES)
        crowded = np.geomspace(1e-9, _RADIUS, _NODES // 2)
        found = []
        for g in (even, np.concatenate([-crowded[::-1], crowded])):
            weights = np.gradient(g) * np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi)
            u = s[:, None] * g
            rows = np.zeros((6, len(s)))
            for shift, probability in _shifts(offset):
                f = np.broadcast_to(function(u + shift), u.shape)
                df = np.broadcast_to(slope(u + shift), u.shape)
                w = probability * weights
                rows[0] += (f**2) @ w
                rows[1] += (df**2) @ w
                rows[2] += ((u * df) ** 2) @ w
                rows[3] += ((g**2 - 1) * f**2) @ w
                rows[4] = np.maximum(rows[4], np.max(np.abs(f), axis=1))
                rows[5] = np.maximum(rows[5], np.max(np.abs(df), axis=1))
            rows[3] = np.abs(rows[3]) / (2 * s**2)
            found.append(rows)
        best = np.fmax(*found)
        self.square, self.steep, self.radial, self.along, self.largest, self.slope = best
        self.crossing = np.zeros(len(s))
        for jump in self.jumps:
            t = float(jump.threshold)
            self.crossing += (
                abs(float(jump.height) * t) / (np.sqrt(2 * np.pi) * s) * np.exp(-((t / s) ** 2) / 2)
            )


@lru_cache(maxsize=256)
def _functions(
    phi: sp.Expr,
) -> tuple[Callable[[Floats], Floats], Callable[[Floats], Floats], tuple[Jump, ...]]:
    derivative = weak_derivative(phi)
    function, slope = (
        sp.lambdify(Z, e, modules=["scipy", "numpy"]) for e in (phi, derivative.regular)
    )
    return function, slope, derivative.jumps


def _shifts(offset: Density | None) -> list[tuple[float, float]]:
    """Values of the bias with their weights, roughly."""
    if offset is None:
        return [(0.0, 1.0)]
    if offset.is_point_mass:
        return [(float(offset.moment(1)), 1.0)]
    if offset.atoms():
        return [(float(b), float(p)) for b, p in offset.atoms()]
    mean = float(offset.moment(1))
    spread = float(offset.moment(2) - offset.moment(1) ** 2) ** 0.5
    low, high = (float(end) for end in offset.support())
    b = sp.Symbol("b", real=True)
    nodes = np.linspace(max(low, mean - 12 * spread), min(high, mean + 12 * spread), _OFFSETS + 2)
    density = sp.lambdify(b, offset.log_density(b), modules="numpy")(nodes[1:-1])
    weights = np.exp(np.broadcast_to(density, (_OFFSETS,)))
    return list(zip(nodes[1:-1].tolist(), (weights / np.sum(weights)).tolist(), strict=True))
