"""Gaussian moments of points whose fields span a plane, in polar coordinates."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nnft_sym.expectation.panels import composite, gauss
from nnft_sym.expectation.products import Products
from nnft_sym.expectation.reach import PointFunction
from nnft_sym.expectation.refining import Cells, Contributions, Totals, integrate_cells

__all__ = ["plane_moments"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_ANGLES = 15
_RADII = 16
_STEP = 1.5
_DEEPEST = 7
_BUDGET = 60_000_000
_CHUNK = 1_000_000
# Sectors narrower than rounding of an angle hold nothing.
_NARROW = 1e-15


def plane_moments(
    phi: PointFunction,
    points: Indices,
    vectors: Floats,
    breaks: Floats,
    kinks: Floats,
    plan: Products,
    radius: float,
    rtol: float,
    scales: dict[int, float],
) -> Totals:
    r"""Moments over the plane by adaptive sectors and radial panels.

    .. math:: M = \int_0^{2\pi} \frac{d\theta}{2\pi} \int_0^R r\,dr\, e^{-r^2/2}
                  \prod_i \phi(r\, v_{a_i} \cdot u(\theta))

    Along each ray the panels are split where r v_a.u = t for every kink t. The angles are split
    where a kink line is parallel to the ray and where two kink lines cross, so that the inner
    integral is a smooth function of the angle in every sector; towards the directions
    perpendicular to v_a the sectors shrink geometrically down to the scale t / \|v_a\|.

    Parameters
    ----------
    phi : callable
        Function phi(z, a).
    points : ndarray of int, shape (B, s)
        Points of each support.
    vectors : ndarray, shape (B, s, 2)
        v: one vector of the plane for each point.
    breaks : ndarray, shape (B, s, m)
        Boundaries in z of the panels of each point, padded with nan.
    kinks : ndarray, shape (t,)
        Kinks of phi, at which the breaks are not merely a help.
    plan : Products
        Entries over the s points of a support.
    radius : float
        R: radius of the disc.
    rtol, scales
        As in ``integrate_cells``.
    """
    cells = _sectors(vectors, breaks, kinks, radius)
    base = np.linspace(0.0, radius, 2 + int(radius / _STEP))

    def evaluate(cells: Cells) -> Contributions:
        return _evaluate(phi, points, vectors, breaks, base, plan, cells)

    return integrate_cells(evaluate, cells, len(points), plan, rtol, scales, _BUDGET)


def _sectors(vectors: Floats, breaks: Floats, kinks: Floats, radius: float) -> Cells:
    """Cut the circle where the inner integral is not smooth, or changes fast."""
    supports = len(vectors)
    direction = np.arctan2(vectors[:, :, 1], vectors[:, :, 0])
    normal = direction[:, :, None] + np.array([0.5, -0.5]) * np.pi
    angles = [normal.reshape(supports, -1)]
    angles.append(np.broadcast_to(np.arange(8) * np.pi / 4, (supports, 8)) + normal[:, 0, :1])
    angles.append(_crossings(vectors, kinks, radius, angles[0][:, :1]))
    angles.append(_graded(vectors, breaks, normal, radius))
    edges = np.sort(np.mod(np.concatenate(angles, axis=1), 2 * np.pi), axis=1)
    edges = np.concatenate([edges, edges[:, :1] + 2 * np.pi], axis=1)
    support, sector = np.nonzero(np.diff(edges, axis=1) > _NARROW)
    return Cells(
        support=support,
        low=edges[support, sector],
        high=edges[support, sector + 1],
        level=np.zeros(len(support), dtype=np.intp),
    )


def _crossings(vectors: Floats, kinks: Floats, radius: float, spare: Floats) -> Floats:
    """Angles at which kink lines v_a.g = t and v_b.g = t' cross inside the disc."""
    supports, s, _ = vectors.shape
    found = [spare]
    for a, b in combinations(range(s), 2):
        va, vb = vectors[:, a], vectors[:, b]
        determinant = va[:, 0] * vb[:, 1] - va[:, 1] * vb[:, 0]
        for first in kinks:
            for second in kinks:
                if first == 0 and second == 0:
                    continue
                with np.errstate(all="ignore"):
                    x = (first * vb[:, 1] - second * va[:, 1]) / determinant
                    y = (second * va[:, 0] - first * vb[:, 0]) / determinant
                    inside = np.hypot(x, y) < radius
                angle = np.where(inside, np.arctan2(y, x), spare[:, 0])
                found.append(np.where(np.isfinite(angle), angle, spare[:, 0])[:, None])
    return np.concatenate(found, axis=1)


def _graded(vectors: Floats, breaks: Floats, normal: Floats, radius: float) -> Floats:
    """Angles that approach the normals of each v_a geometrically, down to its finest break."""
    lengths = np.hypot(vectors[:, :, 0], vectors[:, :, 1])
    size = np.where(np.abs(breaks) > 0, np.abs(breaks), np.nan)
    finest = np.min(np.where(np.isnan(size), np.inf, size), axis=2, initial=np.inf)
    with np.errstate(all="ignore"):
        smallest = finest / (lengths * radius)
    smallest = np.where(np.isfinite(smallest) & (smallest < 0.4), smallest, np.inf)
    smallest = np.maximum(smallest, 1e-14)
    if not np.any(np.isfinite(smallest)):
        return normal[:, 0, :1]
    steps = int(np.ceil(np.log(0.4 / np.min(smallest)) / np.log(8.0))) + 1
    offsets = smallest[:, :, None] * 8.0 ** np.arange(steps)
    offsets = np.where(offsets < 0.4, offsets, 0.0)
    both = np.concatenate([offsets, -offsets], axis=2)
    graded = normal[:, :, :, None] + both[:, :, None, :]
    return np.asarray(graded.reshape(len(vectors), -1))


def _evaluate(
    phi: PointFunction,
    points: Indices,
    vectors: Floats,
    breaks: Floats,
    base: Floats,
    plan: Products,
    cells: Cells,
) -> Contributions:
    """Contributions of sectors, in chunks of similar numbers of panels."""
    rule = gauss(_ANGLES)
    width = cells.high - cells.low
    theta = cells.low[:, None] + width[:, None] * rule.nodes
    x, y = np.cos(theta), np.sin(theta)
    v = vectors[cells.support]
    slopes = v[:, None, :, 0] * x[:, :, None] + v[:, None, :, 1] * y[:, :, None]
    radius = base[-1]
    with np.errstate(all="ignore"):
        hits = breaks[cells.support][:, None] / slopes[..., None]
    hits = hits.reshape(*theta.shape, -1)
    hits = np.where((hits > 0) & (hits < radius), hits, radius)
    panels = np.max(np.sum(hits < radius, axis=2), axis=1, initial=0)
    hits.sort(axis=2)
    values, outer, inner = (np.zeros((len(cells), len(plan.orders))) for _ in range(3))
    sizes: dict[int, Floats] = {}
    spent = 0
    level = np.minimum(cells.level, _DEEPEST)
    order = np.lexsort((panels, level))
    start = 0
    while start < len(order):
        head = order[start]
        # Cells are sorted by panels: the last of a chunk has the most of its level.
        widest = max(plan.widest, vectors.shape[1])
        tail = order[start : start + 4096]
        tail = tail[level[tail] == level[head]]
        load = np.arange(1, len(tail) + 1) * (panels[tail] + len(base))
        load = load * (_ANGLES * _RADII * 2 ** int(level[head]) * widest)
        chunk = tail[: max(1, int(np.searchsorted(load, _CHUNK)))]
        start += len(chunk)
        radial = composite(_RADII, 2 ** int(level[head]))
        most = int(panels[chunk].max())
        cuts = hits[chunk][:, :, :most].reshape(-1, most)
        fixed = np.broadcast_to(base, (len(cuts), len(base)))
        edges = np.sort(np.concatenate([fixed, cuts], axis=1), axis=1)
        low, length = edges[:, :-1, None], np.diff(edges, axis=1)[:, :, None]
        r = (low + length * radial.nodes).reshape(len(edges), -1)
        density = r * np.exp(-(r**2) / 2) / (2 * np.pi)
        weights = density * (length * radial.weights).reshape(r.shape)
        nulls = density * (length * radial.nulls[0]).reshape(r.shape)
        z = slopes[chunk].reshape(len(edges), -1, 1) * r[:, None, :]
        label = np.repeat(points[cells.support[chunk]], _ANGLES, axis=0)[:, :, None]
        shape = (len(chunk), _ANGLES, -1)
        across = width[chunk][:, None, None]
        with np.errstate(all="ignore"):
            halves = plan.halves(phi(z, label))
            along = plan.sums(halves, weights).reshape(shape)
            unresolved = np.abs(plan.sums(halves, nulls)).reshape(shape)
            squares = plan.sizes(halves, weights)
        column = (across * rule.weights[None, :, None]).transpose(0, 2, 1)
        values[chunk] = np.matmul(column, along)[:, 0]
        inner[chunk] = np.matmul(column, unresolved)[:, 0]
        outer[chunk] = np.abs(np.matmul(rule.nulls, along)).sum(axis=1) * across[:, 0]
        for m, rows in squares.items():
            store = sizes.setdefault(m, np.zeros((len(cells), rows.shape[1])))
            store[chunk] = np.matmul(column, rows.reshape(shape))[:, 0]
        spent += z.size
    return Contributions(values=values, outer=outer, inner=inner, sizes=sizes, nodes=spent)
