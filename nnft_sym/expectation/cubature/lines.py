"""Gaussian moments of points whose fields are multiples of one normal variable."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnft_sym.expectation.cubature.panels import gauss
from nnft_sym.expectation.cubature.products import Products
from nnft_sym.expectation.cubature.reach import PointFunction
from nnft_sym.expectation.cubature.refining import Cells, Contributions, Totals, integrate_cells

__all__ = ["line_moments"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_NODES = 20
_STEP = 1.25
_BUDGET = 400_000
_CHUNK = 2_000_000


def line_moments(
    phi: PointFunction,
    points: Indices,
    vectors: Floats,
    breaks: Floats,
    plan: Products,
    radius: float,
    rtol: float,
    scales: dict[int, float],
) -> Totals:
    r"""Moments of collinear points by adaptive Gauss-Legendre panels.

    .. math:: M = \int \frac{dg}{\sqrt{2\pi}} e^{-g^2/2} \prod_i \phi(v_{a_i} g)

    with panels split at t / v_a for every kink t. Rank 0 is the case v = 0.

    Parameters
    ----------
    phi : callable
        Function phi(z, a).
    points : ndarray of int, shape (B, s)
        Points of each support.
    vectors : ndarray, shape (B, s)
        v: one number for each point.
    breaks : ndarray, shape (B, s, m)
        Boundaries in z of the panels of each point, padded with nan.
    plan : Products
        Entries over the s points of a support.
    radius : float
        R: the integral is taken over \|g\| <= R.
    rtol, scales
        As in ``integrate_cells``.
    """
    supports = len(points)
    with np.errstate(all="ignore"):
        crossings = (breaks / vectors[:, :, None]).reshape(supports, -1)
    usable = np.abs(crossings) < radius
    crossings = np.where(usable, crossings, radius)
    base = np.linspace(-radius, radius, 2 + int(2 * radius / _STEP))
    edges = np.concatenate([np.broadcast_to(base, (supports, len(base))), crossings], axis=1)
    edges.sort(axis=1)
    support, panel = np.nonzero(np.diff(edges, axis=1) > 0)
    cells = Cells(
        support=support,
        low=edges[support, panel],
        high=edges[support, panel + 1],
        level=np.zeros(len(support), dtype=np.intp),
        side=np.ones(len(support)),
    )
    rule = gauss(_NODES)
    size = max(1, _CHUNK // (_NODES * max(plan.widest, vectors.shape[1])))

    def evaluate(cells: Cells) -> Contributions:
        parts = [
            _panels(phi, points, vectors, plan, rule.nodes, rule.weights, rule.nulls, part)
            for part in (
                cells.take(np.arange(start, min(start + size, len(cells))))
                for start in range(0, len(cells), size)
            )
        ]
        return Contributions(
            values=np.concatenate([part.values for part in parts]),
            outer=np.concatenate([part.outer for part in parts]),
            inner=np.concatenate([part.inner for part in parts]),
            absolute=np.concatenate([part.absolute for part in parts]),
            nodes=sum(part.nodes for part in parts),
        )

    budget = _BUDGET * points.size
    return integrate_cells(evaluate, cells, supports, plan, rtol, scales, radius, 0.0, budget)


def _panels(
    phi: PointFunction,
    points: Indices,
    vectors: Floats,
    plan: Products,
    nodes: Floats,
    weights: Floats,
    nulls: Floats,
    cells: Cells,
) -> Contributions:
    length = cells.high - cells.low
    g = cells.low[:, None] + length[:, None] * nodes
    density = length[:, None] * np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi)
    z = vectors[cells.support][:, :, None] * g[:, None, :]
    with np.errstate(all="ignore"):
        halves = plan.halves(phi(z, points[cells.support][:, :, None]))
        values = plan.sums(halves, density * weights)
        outer = sum(np.abs(plan.sums(halves, density * null)) for null in nulls)
        absolute = plan.absolute(halves, density * weights, values)
    return Contributions(
        values=values,
        outer=np.asarray(outer),
        inner=np.zeros_like(values),
        absolute=absolute,
        nodes=g.size,
    )
