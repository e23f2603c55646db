"""Whether e^{-S} can be normalised: the sign of the highest coupling in its worst direction.

At large fields the highest form g_k f^k of the truncated action wins, so ∫ e^{-S} is infinite if
it is negative in any direction and finite if it is positive in all.  A negative direction, once
found, proves the first.  The second is proved at one and two points by looking at all critical
points, and at more points by a sum of squares,

    g_k u^k = vᵀ M v >= λ_min(M) |u|^k > 0,    v = all monomials of degree k/2,

where that suffices.  Otherwise a local search from many starts found nothing negative, which
proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb, factorial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from nnft_sym.actions.polynomials import form
from nnft_sym.tensors import SymmetricTensor, multi_indices, rank_of

__all__ = ["Normalisability", "normalisability", "worst_direction"]

NEGLIGIBLE = 1e-12
"""Share of the largest entry below which a value is put down to rounding."""

LARGEST_MATRIX = 500
"""Monomials of half the degree up to which a sum of squares is sought."""

PROJECTIONS = 400
"""Most steps of that search."""

AIMS = (0.3, 0.05)
"""Eigenvalues aimed at, as shares of the lowest value found: high ones are reached sooner."""

PROJECTION_WORK = 3e9
"""Steps times the cube of the number of monomials, a few seconds."""

STARTS = 24
"""Random directions from which the local search starts, besides the axes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Normalisability:
    """Whether ∫ e^{-S} is finite, and why.

    Parameters
    ----------
    holds : bool or None
        None where nothing is proved.
    reason : str
        What decided.
    coupling : int or None
        k of the highest coupling.
    value : float or None
        Lowest g_k u^k found over directions u of unit variance.
    direction : ndarray or None
        The field in which it was found.
    """

    holds: bool | None
    reason: str
    coupling: int | None = None
    value: float | None = None
    direction: NDArray[np.float64] | None = None

    def __bool__(self) -> bool:
        return self.holds is True

    def __str__(self) -> str:
        word = {True: "normalisable", False: "not normalisable", None: "undecided"}[self.holds]
        return f"{word}: {self.reason}"


def normalisability(
    couplings: Mapping[int, SymmetricTensor],
    legs: NDArray[np.float64],
    errors: Mapping[int, SymmetricTensor] | None = None,
) -> Normalisability:
    """Decide by the highest coupling, in coordinates in which G is the identity.

    A value within the error bound of its form decides nothing.

    Parameters
    ----------
    couplings : mapping of int to SymmetricTensor
        All couplings of S in whitened coordinates, the free part included.
    legs : ndarray, shape (n, r)
        The field f = L u of a direction u.
    errors : mapping of int to SymmetricTensor, optional
        Error bounds of the couplings.

    Examples
    --------
    >>> quartic = {4: SymmetricTensor(4, 1, [-0.1]), 2: SymmetricTensor(2, 1, [1.05])}
    >>> print(normalisability(quartic, np.eye(1)))
    not normalisable: g_4 u^4 = -0.1 < 0 in a direction found
    """
    k = max(k for k, tensor in couplings.items() if k and np.any(tensor.entries != 0))
    tensor = couplings[k]
    u = worst_direction(tensor)
    value = float(form(tensor, u[None, :])[0]) * factorial(k)
    tolerance = NEGLIGIBLE * float(np.max(np.abs(tensor.entries)))
    if errors is not None and k in errors:
        tolerance = max(tolerance, errors[k].norm())
    holds, reason = _decision(tensor, value, tolerance)
    return Normalisability(holds=holds, reason=reason, coupling=k, value=value, direction=legs @ u)


def _decision(tensor: SymmetricTensor, value: float, tolerance: float) -> tuple[bool | None, str]:
    """Verdict and reason from the lowest value found."""
    name = f"g_{tensor.order} u^{tensor.order}"
    if value < -tolerance:
        return False, f"{name} = {value:.4g} < 0 in a direction found"
    if value <= tolerance:
        return (
            None,
            f"{name} vanishes within its error in a direction found, where lower couplings decide",
        )
    if tensor.dimension <= 2:
        return True, f"{name} >= {value:.4g} > 0 at all critical directions"
    for share in AIMS:
        bound = _sum_of_squares_bound(tensor, aim=share * value)
        if bound > tolerance:
            return True, f"{name} >= {bound:.4g} > 0 in all directions, as a sum of squares"
    starts = STARTS + tensor.dimension
    found = f"a local search from {starts} starts found {name} >= {value:.4g}"
    return None, f"{found}, which proves nothing"


def worst_direction(tensor: SymmetricTensor) -> NDArray[np.float64]:
    """Return the unit vector u with the lowest T u^k found.

    Examples
    --------
    >>> worst_direction(SymmetricTensor(2, 2, [1.0, 0.0, -1.0])).tolist() in ([0, 1], [0, -1])
    True
    """
    if tensor.dimension == 1:
        candidates = np.array([[1.0], [-1.0]])
    elif tensor.dimension == 2:
        candidates = _critical_directions(tensor)
    else:
        candidates = _local_minima(tensor)
    return candidates[int(np.argmin(form(tensor, candidates)))]


def _critical_directions(tensor: SymmetricTensor) -> NDArray[np.float64]:
    """All directions where a binary form T (1, s)^k is stationary on the circle, among others.

    They are roots of (1 + s²) q'(s) = k s q(s); the real part of a complex root does no harm.
    """
    k = tensor.order
    q = np.polynomial.Polynomial([comb(k, j) * tensor.entries[j] for j in range(k + 1)])
    s = np.polynomial.Polynomial([0.0, 1.0])
    stationary = (1 + s**2) * q.deriv() - k * s * q
    coefficients = stationary.coef
    kept = np.abs(coefficients) > NEGLIGIBLE * np.max(np.abs(coefficients), initial=0.0)
    length = int(np.max(np.flatnonzero(kept), initial=0)) + 1
    roots = np.polynomial.Polynomial(coefficients[:length]).roots().real
    slopes = np.concatenate([[0.0], roots])
    vectors = np.stack([np.ones_like(slopes), slopes], axis=1)
    vectors = np.vstack([vectors / np.linalg.norm(vectors, axis=1)[:, None], [[0.0, 1.0]]])
    return np.vstack([vectors, -vectors])


def _local_minima(tensor: SymmetricTensor) -> NDArray[np.float64]:
    """Local minima on the sphere from random starts and the axes."""
    k, m = tensor.order, tensor.dimension
    rest = multi_indices(k - 1, m)
    slots = np.stack([np.hstack([np.full((len(rest), 1), a), rest]) for a in range(m)])
    counts = SymmetricTensor(k - 1, m, np.zeros(len(rest))).multiplicities
    unfolded = tensor.entries[rank_of(slots, m)] * counts

    def value(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        length = np.linalg.norm(v)
        u = v / length
        gradient = unfolded @ np.prod(u[rest], axis=1)
        height = float(u @ gradient)
        return height, k * (gradient - height * u) / length

    starts = np.random.default_rng(0).normal(size=(STARTS, m))
    found = []
    for start in [*starts, *np.eye(m)]:
        end = minimize(value, start, jac=True, method="L-BFGS-B").x
        found.append(end / np.linalg.norm(end))
    minima = np.array(found)
    return np.vstack([minima, -minima])


def _sum_of_squares_bound(tensor: SymmetricTensor, aim: float) -> float:
    """Lowest eigenvalue of a matrix M with T u^k = vᵀ M v, M sought with eigenvalues >= aim.

    Such M form an affine space; projections onto it and onto the matrices with eigenvalues of at
    least the aim alternate.  Every M visited is in the space, so any positive bound is a proof.
    """
    k, m = tensor.order, tensor.dimension
    half = multi_indices(k // 2, m)
    if k % 2 or len(half) > LARGEST_MATRIX:
        return -np.inf
    left = np.repeat(half[:, None], len(half), axis=1)
    right = np.repeat(half[None, :], len(half), axis=0)
    monomial = rank_of(np.concatenate([left, right], axis=-1), m)
    roots = np.sqrt(SymmetricTensor(k // 2, m, np.zeros(len(half))).multiplicities)
    weights = np.outer(roots, roots)
    norms = np.bincount(monomial.ravel(), (weights**2).ravel())
    target = tensor.multiplicities * tensor.entries
    matrix = tensor.entries[monomial] * weights
    best = -np.inf
    for _ in range(min(PROJECTIONS, int(PROJECTION_WORK / len(half) ** 3))):
        eigenvalues, vectors = np.linalg.eigh(matrix)
        best = max(best, float(eigenvalues[0]))
        if best > aim / 2:
            break
        raised = (vectors * np.maximum(eigenvalues, aim)) @ vectors.T
        current = np.bincount(monomial.ravel(), (weights * raised).ravel())
        matrix = raised + ((target - current) / norms)[monomial] * weights
    return best
