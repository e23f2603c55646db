"""Gaussian moments of points whose fields span a plane, in polar coordinates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from nnft_sym.expectation.cubature.panels import Rule, composite, gauss
from nnft_sym.expectation.cubature.products import Products
from nnft_sym.expectation.cubature.reach import PointFunction
from nnft_sym.expectation.cubature.refining import Cells, Contributions, Totals, integrate_cells

__all__ = ["plane_moments"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_ANGLES = 15
_RADII = 20
_STEP = 1.8
_DEEPEST = 7
# Values of phi for each point of each support.
_BUDGET = 20_000_000
_CHUNK = 1_000_000
# Sectors narrower than rounding of their angles hold nothing.
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

    # The sectors of a pair are exact to the last digit, those of more points to rounding.
    misplaced = 4 * float(np.finfo(float).eps) if points.shape[1] > 2 else 0.0
    budget = _BUDGET * points.size
    return integrate_cells(
        evaluate, cells, len(points), plan, rtol, scales, radius, misplaced, budget
    )


def _sectors(vectors: Floats, breaks: Floats, kinks: Floats, radius: float) -> Cells:
    """Cut both half-planes where the inner integral is not smooth, or changes fast.

    The angle psi is counted from the y axis, u = +-(-sin psi, cos psi), so that the normal of a
    vector (x, y) is at psi = arctan(y / x): small angles between the first vector, along x, and
    others keep all their digits.
    """
    supports = len(vectors)
    with np.errstate(all="ignore"):
        normal = np.arctan(vectors[:, :, 1] / vectors[:, :, 0])
    normal = np.where(np.isnan(normal), 0.0, normal)
    octants = np.broadcast_to(np.arange(-2, 3) * np.pi / 4, (supports, 5))
    shared = [octants, normal, _graded(vectors, breaks, normal, radius)]
    parts = []
    for side in (1.0, -1.0):
        crossings = _crossings(vectors, kinks, radius, side)
        edges = np.sort(np.concatenate([*shared, crossings], axis=1), axis=1)
        edges = np.clip(edges, -np.pi / 2, np.pi / 2)
        low, high = edges[:, :-1], edges[:, 1:]
        support, sector = np.nonzero(high - low > _NARROW * np.maximum(np.abs(low), np.abs(high)))
        parts.append(
            Cells(
                support=support,
                low=low[support, sector],
                high=high[support, sector],
                # Short panels between many cuts need few nodes.
                level=np.full(len(support), int(not np.any(np.abs(breaks) > 0)), dtype=np.intp),
                side=np.full(len(support), side),
            )
        )
    return Cells.joined(parts)


def _crossings(vectors: Floats, kinks: Floats, radius: float, side: float) -> Floats:
    """Angles at which kink lines v_a.g = t and v_b.g = t' cross inside a half of the disc."""
    longest = float(np.max(np.linalg.norm(vectors, axis=2)))
    reached = kinks[np.abs(kinks) < radius * longest]
    if not np.any(reached):
        return np.zeros((len(vectors), 1))
    a, b = np.triu_indices(vectors.shape[1], k=1)
    ax, ay, bx, by = (vectors[:, which, i, None, None] for which in (a, b) for i in (0, 1))
    first, second = reached[:, None], reached[None, :]
    with np.errstate(all="ignore"):
        determinant = ax * by - ay * bx
        x = (first * by - second * ay) / determinant
        y = (second * ax - first * bx) / determinant
        inside = (np.hypot(x, y) < radius) & (side * y > 0)
        angles = np.where(inside, -np.arctan(x / y), 0.0)
    return np.asarray(angles.reshape(len(vectors), -1))


def _graded(vectors: Floats, breaks: Floats, normal: Floats, radius: float) -> Floats:
    """Angles that approach the normals of each v_a geometrically, down to its finest break."""
    lengths = np.hypot(vectors[:, :, 0], vectors[:, :, 1])
    finest = np.min(np.where(np.abs(breaks) > 0, np.abs(breaks), np.inf), axis=2, initial=np.inf)
    with np.errstate(all="ignore"):
        smallest = finest / (lengths * radius)
    smallest = np.where(np.isfinite(smallest) & (smallest < 0.4), smallest, np.inf)
    smallest = np.maximum(smallest, 1e-14)
    if not np.any(np.isfinite(smallest)):
        return normal[:, :0]
    steps = int(np.ceil(np.log(0.4 / np.min(smallest)) / np.log(8.0))) + 1
    offsets = smallest[:, :, None] * 8.0 ** np.arange(steps)
    offsets = np.where(offsets < 0.4, offsets, 0.0)
    graded = normal[:, :, None] + np.concatenate([offsets, -offsets], axis=2)
    # A direction beyond the end of one half-plane is at the start of the other.
    graded = graded - np.pi * np.round(graded / np.pi)
    return np.asarray(graded.reshape(len(vectors), -1))


def _radial(level: int) -> Rule:
    """Rule for one radial panel: half the nodes at level 0, then 2^(level - 1) pieces."""
    return composite(_RADII // 2, 1) if level == 0 else composite(_RADII, 2 ** (level - 1))


def _cuts(slopes: Floats, breaks: Floats, radius: float) -> tuple[Floats, NDArray[np.intp]]:
    """Radii at which rays meet the boundaries of panels, sorted, and how many are inside."""
    with np.errstate(all="ignore"):
        hits = (breaks[:, None] / slopes[..., None]).reshape(*slopes.shape[:2], -1)
    hits = np.where((hits > 0) & (hits < radius), hits, radius)
    hits.sort(axis=2)
    return hits, np.sum(hits < radius, axis=2)


def _chunks(level: Indices, panels: Indices, width: int) -> Iterator[Indices]:
    """Group cells of one level and similar numbers of panels that fit in memory."""
    order = np.lexsort((panels, level))
    start = 0
    while start < len(order):
        rest = order[start : start + 4096]
        rest = rest[level[rest] == level[rest[0]]]
        nodes = _ANGLES * len(_radial(int(level[rest[0]])).nodes) * width
        # Sorted by panels: a chunk is padded to those of its last cell.
        load = np.arange(1, len(rest) + 1) * panels[rest] * nodes
        chunk = rest[: max(1, int(np.searchsorted(load, _CHUNK)))]
        start += len(chunk)
        yield chunk


def _evaluate(
    phi: PointFunction,
    points: Indices,
    vectors: Floats,
    breaks: Floats,
    base: Floats,
    plan: Products,
    cells: Cells,
) -> Contributions:
    """Contributions of sectors: Gauss rules in the angle and along every ray."""
    rule = gauss(_ANGLES)
    width = cells.high - cells.low
    psi = cells.low[:, None] + width[:, None] * rule.nodes
    x, y = -cells.side[:, None] * np.sin(psi), cells.side[:, None] * np.cos(psi)
    v = vectors[cells.support][:, None]
    slopes = v[..., 0] * x[:, :, None] + v[..., 1] * y[:, :, None]
    hits, counts = _cuts(slopes, breaks[cells.support], float(base[-1]))
    most = np.max(counts, axis=1, initial=0)
    level = np.minimum(cells.level, _DEEPEST)
    shape = (len(cells), len(plan.orders))
    values, outer, inner, absolute = (np.zeros(shape) for _ in range(4))
    spent = 0
    for chunk in _chunks(level, most + len(base), max(plan.widest, vectors.shape[1])):
        radial = _radial(int(level[chunk[0]]))
        rays = len(chunk) * _ANGLES
        cuts = hits[chunk][:, :, : most[chunk].max()].reshape(rays, most[chunk].max())
        fixed = np.broadcast_to(base, (rays, len(base)))
        edges = np.sort(np.concatenate([fixed, cuts], axis=1), axis=1)
        low, length = edges[:, :-1, None], np.diff(edges, axis=1)[:, :, None]
        r = (low + length * radial.nodes).reshape(rays, -1)
        density = r * np.exp(-(r**2) / 2) / (2 * np.pi)
        weights = density * (length * radial.weights).reshape(r.shape)
        nulls = density * (length * radial.nulls[0]).reshape(r.shape)
        z = slopes[chunk].reshape(rays, -1, 1) * r[:, None, :]
        label = np.repeat(points[cells.support[chunk]], _ANGLES, axis=0)[:, :, None]
        by_ray = (len(chunk), _ANGLES, -1)
        with np.errstate(all="ignore"):
            halves = plan.halves(phi(z, label))
            sums = plan.sums(halves, weights)
            sizes = plan.absolute(halves, weights, sums).reshape(by_ray)
            unresolved = np.abs(plan.sums(halves, nulls)).reshape(by_ray)
        along = sums.reshape(by_ray)
        across = width[chunk][:, None, None] * rule.weights
        values[chunk] = np.matmul(across, along)[:, 0]
        inner[chunk] = np.matmul(across, unresolved)[:, 0]
        outer[chunk] = np.abs(np.matmul(rule.nulls, along)).sum(axis=1) * width[chunk][:, None]
        absolute[chunk] = np.matmul(across, sizes)[:, 0]
        spent += z.size
    return Contributions(values=values, outer=outer, inner=inner, absolute=absolute, nodes=spent)
