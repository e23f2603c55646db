"""Gaussian moments of smooth functions in any rank, on lattices."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from nnft_sym.expectation.cubature.products import Products
from nnft_sym.expectation.cubature.reach import PointFunction
from nnft_sym.expectation.cubature.refining import Totals, allowed_errors, rounding

__all__ = ["lattice_moments"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_CHUNK = 1_000_000
# Spacings h, each 3/4 of the one before: aliasing falls like exp(-c / h^2) or exp(-c / h).
_SPACINGS = 0.6 * 0.75 ** np.arange(16)


def lattice_moments(
    phi: PointFunction,
    points: Indices,
    vectors: Floats,
    plan: Products,
    radius: float,
    finest: float,
    rtol: float,
    scales: dict[int, float],
    budget: int,
) -> Totals | None:
    r"""Moments of smooth functions by the trapezoidal rule in r dimensions.

    .. math:: M \approx h^r (2\pi)^{-r/2} \sum_{g \in h Z^r,\, |g| < R} e^{-|g|^2/2}
                  \prod_i \phi(v_{a_i} \cdot g),

    which converges faster than any power of h. The error is what changes between two spacings,
    and no spacing is trusted that steps over the finest panel of phi.

    Parameters
    ----------
    phi : callable
        Function phi(z, a).
    points : ndarray of int, shape (B, s)
        Points of each support.
    vectors : ndarray, shape (B, s, r)
        v: one vector for each point.
    plan : Products
        Entries over the s points of a support.
    radius : float
        R: radius of the ball.
    finest : float
        Shortest panel that phi needs, in units of its standard deviation.
    rtol, scales
        As in ``integrate_cells``.
    budget : int
        Nodes of the finest lattice, over all supports.

    Returns
    -------
    Totals or None
        None if the budget is too small for the accuracy asked for.
    """
    rank = vectors.shape[2]
    previous: Floats | None = None
    for spacing in _SPACINGS:
        if _ball(rank) * (radius / spacing) ** rank * len(points) > budget:
            return None
        values, absolute = _sum(phi, points, vectors, plan, radius, float(spacing))
        if not np.all(np.isfinite(values)):
            return None
        if previous is not None and spacing <= finest:
            change = np.abs(values - previous)
            allowed = allowed_errors(plan.orders, values, absolute, rtol, scales)
            if np.all(change <= allowed):
                errors = change + rounding(radius) * absolute
                return Totals(values=values, errors=errors)
        previous = values
    return None


def _ball(rank: int) -> float:
    """Volume of the unit ball."""
    volume = [1.0, 2.0]
    for r in range(2, rank + 1):
        volume.append(volume[-2] * 2 * np.pi / r)
    return volume[rank]


def _sum(
    phi: PointFunction,
    points: Indices,
    vectors: Floats,
    plan: Products,
    radius: float,
    spacing: float,
) -> tuple[Floats, Floats]:
    """Lattice sums of all entries, and those of the absolute values."""
    supports, s, rank = vectors.shape
    half = int(radius / spacing)
    axis = spacing * np.arange(-half, half + 1)
    # Slabs of the lattice: all axes but the first few are kept as one block.
    inner_rank = min(rank, 2)
    block = np.stack(np.meshgrid(*[axis] * inner_rank, indexing="ij"), axis=-1)
    block = block.reshape(-1, inner_rank)
    square = np.sum(block**2, axis=1)
    values = np.zeros((supports, len(plan.orders)))
    absolute = np.zeros_like(values)
    width = max(plan.widest, s)
    for head in product(axis, repeat=rank - inner_rank):
        rest = radius**2 - sum(t * t for t in head)
        inside = square <= rest
        if not np.any(inside):
            continue
        tail = block[inside]
        nodes = np.hstack([np.broadcast_to(head, (len(tail), len(head))), tail])
        weights = (spacing / np.sqrt(2 * np.pi)) ** rank * np.exp(-np.sum(nodes**2, axis=1) / 2)
        for start in range(0, len(nodes), step := max(1, _CHUNK // width)):
            g, w = nodes[start : start + step], weights[start : start + step]
            together = max(1, _CHUNK // (width * len(g)))
            for first in range(0, supports, together):
                group = slice(first, first + together)
                z = np.matmul(vectors[group], g.T)
                with np.errstate(all="ignore"):
                    halves = plan.halves(phi(z, points[group][:, :, None]))
                    w_all = np.broadcast_to(w, (len(z), len(w)))
                    sums = plan.sums(halves, w_all)
                    values[group] += sums
                    absolute[group] += plan.absolute(halves, w_all, sums)
    return values, absolute
