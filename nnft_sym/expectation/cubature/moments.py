"""Moments of functions of jointly Gaussian fields, by numerical integration with a bound."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_sym.expectation.cubature.charts import Chart, draw_chart
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.cubature.lines import line_moments
from nnft_sym.expectation.cubature.plane import plane_moments
from nnft_sym.expectation.cubature.products import Products
from nnft_sym.expectation.cubature.reach import PointFunction, find_reach
from nnft_sym.expectation.cubature.refining import Totals
from nnft_sym.expectation.cubature.smooth import lattice_moments
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError, SpecificationError

__all__ = ["Values", "gaussian_moments"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_EPS = float(np.finfo(float).eps)
# Nodes of a lattice: in the plane sectors take over soon, above rank 2 nothing does.
_LATTICE_BUDGET = {2: 400_000, 3: 6_000_000, 4: 12_000_000}
_SMALLEST_RTOL = 1e-13


@dataclass(frozen=True, kw_only=True, eq=False)
class Values:
    """Moments of one order with bounds of their errors.

    Parameters
    ----------
    entries : ndarray, shape (U,)
        M: one for each multi-index.
    errors : ndarray, shape (U,)
        Upper bounds of the absolute errors, rounding included.
    """

    entries: Floats
    errors: Floats


def gaussian_moments(
    phi: Callable[..., Any],
    thresholds: Sequence[float],
    gram: Gram,
    index_sets: Mapping[int, ArrayLike],
    *,
    rtol: float = 1e-10,
    per_point: bool = False,
) -> dict[int, Values]:
    r"""Moments of a function of centred jointly Gaussian fields, with bounds of the errors.

    .. math:: M_{a_1 \dots a_k} = E[\phi(z_{a_1}) \cdots \phi(z_{a_k})], \qquad
              z \sim N(0, K)

    The integral has the dimension of the rank of K over the distinct points of an entry: one
    number (rank 0), panels on a line (rank 1), sectors of the plane (rank 2), and for smooth phi
    a lattice (any rank, as far as its nodes can be afforded).

    Parameters
    ----------
    phi : callable
        Vectorised function of an array of values z. With ``per_point`` it is called as
        phi(z, a) with an integer array a of points (rows of ``gram``) that broadcasts against z.
    thresholds : sequence of float
        t: every real point at which phi is not smooth (of any of the points); empty if smooth.
        Features of smooth phi narrower than about 1/500 of the standard deviation, away from zero
        and from the thresholds, may escape the sampling of phi: name them here.
    gram : Gram
        Covariance of the fields.
    index_sets : mapping of int to array_like, shape (U, k)
        Multi-indices for each order k.
    rtol : float
        Error allowed, relative to the largest \|M\| of the same order among the entries asked
        for, at least 1e-13. Where that largest one is zero or cancels, the error is bounded by
        rounding of the integral of the absolute value instead.
    per_point : bool
        Whether phi depends on the point.

    Returns
    -------
    dict of int to Values
        Entries and bounds of their errors for each order.

    Raises
    ------
    SpecificationError
        If the indices, thresholds or tolerance are not valid.
    AccuracyError
        If the accuracy cannot be had: naming the effective dimension where that is the reason.
    InfiniteMomentError
        If a moment is infinite or undefined.

    Examples
    --------
    >>> gram = Gram.from_points([[1.0], [2.0]], weight_variance=1.0, bias_variance=0.0)
    >>> relu = gaussian_moments(lambda z: np.maximum(z, 0.0), [0.0], gram, {2: [[0, 0], [0, 1]]})
    >>> relu[2].entries.round(12).tolist()
    [0.5, 1.0]
    """
    sets = _validated(index_sets, len(gram), rtol)
    kinks = np.unique(np.asarray(list(thresholds), dtype=float))
    if not np.all(np.isfinite(kinks)):
        raise SpecificationError(
            expected="finite thresholds",
            came=f"{list(thresholds)}",
            remedy="leave out kinks at infinity",
        )
    names = np.arange(len(gram))
    if not per_point:
        merged = gram.distinct()
        gram, names = merged.gram, merged.points
        sets = {k: merged.labels[rows] for k, rows in sets.items()}

    def field(z: Floats, a: Indices) -> Floats:
        values = phi(z, np.broadcast_to(a, z.shape)) if per_point else phi(z)
        return np.asarray(np.broadcast_to(np.asarray(values, dtype=float), z.shape))

    return _Moments(field, per_point, kinks, gram, names, sets, rtol).all()


def _validated(index_sets: Mapping[int, ArrayLike], n: int, rtol: float) -> dict[int, Indices]:
    if not _SMALLEST_RTOL <= rtol < 1:
        raise SpecificationError(
            expected=f"a relative tolerance between {_SMALLEST_RTOL:g} and 1",
            came=f"{rtol!r}",
            remedy="more digits need arithmetic beyond doubles",
        )
    sets: dict[int, Indices] = {}
    for k, given in index_sets.items():
        rows = np.asarray(given)
        if rows.size == 0:
            rows = np.zeros((len(rows), k), dtype=np.intp)
        integers = rows.ndim == 2 and rows.shape[1] == k and np.issubdtype(rows.dtype, np.integer)
        if not integers or np.any(rows < 0) or np.any(rows >= n):
            raise SpecificationError(
                expected=f"multi-indices of shape (U, {k}) with entries from 0 to {n - 1}",
                came=f"an array of shape {rows.shape} and type {rows.dtype}",
                remedy="pass one row of k point indices for each entry",
            )
        sets[int(k)] = rows.astype(np.intp)
    return sets


class _Moments:
    """One evaluation: the common reach and panels, then the supports by their rank."""

    def __init__(
        self,
        phi: PointFunction,
        per_point: bool,
        kinks: Floats,
        gram: Gram,
        names: Indices,
        sets: dict[int, Indices],
        rtol: float,
    ) -> None:
        self.phi, self.per_point, self.kinks, self.rtol = phi, per_point, kinks, rtol
        self.gram, self.names = gram, names
        self.unique: dict[int, Indices] = {}
        self.inverse: dict[int, Indices] = {}
        for k, rows in sets.items():
            unique, inverse = np.unique(np.sort(rows, axis=1), axis=0, return_inverse=True)
            self.unique[k], self.inverse[k] = unique, inverse.reshape(-1)
        self.lengths = np.sqrt(np.maximum(np.diag(gram.matrix), 0.0))
        self.values = {k: np.zeros(len(rows)) for k, rows in self.unique.items()}
        self.errors = {k: np.zeros(len(rows)) for k, rows in self.unique.items()}
        self.scales = dict.fromkeys(self.unique, 0.0)

    def all(self) -> dict[int, Values]:
        work = {k: rows for k, rows in self.unique.items() if k and len(rows)}
        for k, rows in self.unique.items():
            if k == 0:
                self.values[k] = np.ones(len(rows))
        if work:
            self.used = np.unique(np.concatenate([rows.ravel() for rows in work.values()]))
            self._prepare(work)
            for points, orders in self._groups(work):
                self._integrate(points, orders)
        return {
            k: Values(entries=self.values[k][where], errors=self.errors[k][where])
            for k, where in self.inverse.items()
        }

    def _prepare(self, work: dict[int, Indices]) -> None:
        """Find the reach, and panels of phi for every point."""
        compact = {k: np.searchsorted(self.used, rows) for k, rows in work.items()}
        used, phi = self.used, self.phi

        def restricted(z: Floats, a: Indices) -> Floats:
            return phi(z, used[a])

        self.reach = find_reach(restricted, self.lengths[used], compact)
        charts = self._charts()
        most = max(len(chart.breaks) for chart in charts.values())
        self.breaks = np.full((len(self.gram), most), np.nan)
        self.finest = np.full(len(self.gram), np.inf)
        for a in charts:
            self.breaks[a, : len(charts[a].breaks)] = charts[a].breaks
            if self.lengths[a] > 0:
                self.finest[a] = charts[a].finest / self.lengths[a]

    def _charts(self) -> dict[int, Chart]:
        """Panels of phi at every point, shared where the ranges are similar."""
        drawn: dict[tuple[int, float], Chart] = {}
        charts = {}
        for a in self.used.tolist():
            span = float(2.0 ** np.ceil(np.log2(self.reach.radius * self.lengths[a] + 1e-300)))
            key = (a if self.per_point else 0, span)
            if key not in drawn:
                drawn[key] = draw_chart(self.phi, a, self.kinks, span)
            charts[a] = drawn[key]
        return charts

    def _groups(
        self, work: dict[int, Indices]
    ) -> Iterator[tuple[Indices, dict[int, tuple[Indices, Indices, Indices]]]]:
        """Supports of equal size, with the entries of each: (support, pattern, entry)."""
        rank = self.gram.rank(self.used.tolist())
        together = self._worth_together(rank, work)
        alone = {}
        for k, rows in work.items():
            # Up to rank 2, or where products of k points fill the whole space, one set of nodes
            # serves all entries of an order.
            if together or (rank > 2 and not self.kinks.size and k >= rank):
                local = np.searchsorted(self.used, rows)
                alone[k] = (np.zeros(len(rows), dtype=np.intp), local, np.arange(len(rows)))
        if alone:
            yield self.used[None, :], alone
        by_support: dict[tuple[int, ...], dict[int, list[int]]] = defaultdict(dict)
        for k, rows in work.items():
            if k in alone:
                continue
            for entry, row in enumerate(rows.tolist()):
                support = tuple(dict.fromkeys(row))
                by_support[support].setdefault(k, []).append(entry)
        by_size: dict[tuple[int, int], list[tuple[int, ...]]] = defaultdict(list)
        for support in by_support:
            own = self._rank(support)
            if own > 2 and self.kinks.size:
                raise self._too_many_dimensions(support, own)
            by_size[len(support), own].append(support)
        for _, supports in sorted(by_size.items()):
            orders: dict[int, tuple[Indices, Indices, Indices]] = {}
            collected: dict[int, list[tuple[int, list[int], int]]] = defaultdict(list)
            for b, support in enumerate(supports):
                place = {a: i for i, a in enumerate(support)}
                for k, entries in by_support[support].items():
                    collected[k].extend(
                        (b, [place[a] for a in work[k][entry].tolist()], entry) for entry in entries
                    )
            for k, triples in collected.items():
                which, places, entry_list = zip(*triples, strict=True)
                orders[k] = (np.array(which), np.array(places), np.array(entry_list))
            yield np.array(supports, dtype=np.intp), orders

    def _rank(self, support: tuple[int, ...]) -> int:
        if len(support) == 1:
            return int(self.lengths[support[0]] > 0)
        if len(support) == 2:
            if self.gram.determinants[support] > 0:
                return 2
            return int(np.any(self.lengths[list(support)] > 0))
        return self.gram.rank(support)

    def _worth_together(self, rank: int, work: dict[int, Indices]) -> bool:
        """Whether one set of nodes costs less than one for each support."""
        if rank <= 1:
            return True
        if rank > 2:
            return False
        lines = self._lines_of_a_point() * len(self.used)
        if not lines:
            return True
        n, k = len(self.used), max(work)
        supports = sum(comb(n, s) for s in range(1, min(k, n) + 1))
        halves = comb(n + (k + 1) // 2 - 1, (k + 1) // 2)
        # Crossings times panels times products, against the measured cost of one support.
        return lines**3 * halves**2 < 2e5 * supports

    def _lines_of_a_point(self) -> float:
        """How many lines off the origin the sectors of the plane must follow."""
        if self.kinks.size:
            return float(np.count_nonzero(self.kinks))
        nodes = np.pi * (self.reach.radius / np.min(self.finest[self.used])) ** 2
        if nodes < _LATTICE_BUDGET[2]:
            return 0.0
        # Panels of a steep smooth function are lines that need not be met exactly.
        return self.breaks.shape[1] / 6

    def _integrate(
        self, points: Indices, orders: dict[int, tuple[Indices, Indices, Indices]]
    ) -> None:
        """Integrate supports of one size and rank, and store their entries."""
        patterns = {k: np.unique(local, axis=0) for k, (_, local, _) in orders.items()}
        plan = Products.of(patterns, points.shape[1])
        totals = self._totals(points, plan)
        if not np.all(np.isfinite(totals.values)):
            raise InfiniteMomentError(
                expected="a function that is finite where all fields vanish",
                came="a value that is infinite or not a number at zero",
                remedy="leave out points of zero variance",
            )
        start = 0
        for k, (which, local, entries) in orders.items():
            patterns_of_order = patterns[k]
            column = start + _row_positions(patterns_of_order, local)
            self.values[k][entries] = totals.values[which, column]
            outside = self.reach.tails[k] if np.any(self.lengths[points]) else 0.0
            self.errors[k][entries] = totals.errors[which, column] + outside
            start += len(patterns_of_order)
            largest = float(np.max(np.abs(self.values[k][entries])))
            self.scales[k] = max(self.scales[k], largest)

    def _totals(self, points: Indices, plan: Products) -> Totals:
        """Choose the method by rank and smoothness."""
        vectors = self._vectors(points)
        rank = vectors.shape[2]
        radius = self.reach.radius
        if rank == 0:
            return _constants(self.phi, points, plan)
        if rank == 1:
            line = vectors[:, :, 0]
            return line_moments(
                self.phi, points, line, self.breaks[points], plan, radius, self.rtol, self.scales
            )
        if not self.kinks.size:
            budget = _LATTICE_BUDGET.get(rank, 12_000_000)
            lattice = lattice_moments(
                self.phi,
                points,
                vectors,
                plan,
                radius,
                float(np.min(self.finest[points])),
                self.rtol,
                self.scales,
                budget * (len(points) if rank == 2 else 1),
            )
            if lattice is not None:
                return lattice
        if rank == 2:
            return plane_moments(
                self.phi,
                points,
                vectors,
                self.breaks[points],
                self.kinks,
                plan,
                radius,
                self.rtol,
                self.scales,
            )
        raise self._too_many_dimensions(points[0], rank)

    def _too_many_dimensions(self, support: Sequence[int] | Indices, rank: int) -> AccuracyError:
        shape = "with kinks" if self.kinks.size else "too steep for the lattices that fit"
        return AccuracyError(
            expected="an integral of effective dimension at most 2, or of a smooth function",
            came=(
                f"effective dimension {rank} at the points "
                f"{self.names[np.asarray(support)].tolist()} of a function {shape}"
            ),
            remedy="use a closed form, a larger rtol, or points whose features span a plane",
        )

    def _vectors(self, points: Indices) -> Floats:
        if points.shape[1] == 2 and self._rank(tuple(points[0].tolist())) == 2:
            return self.gram.pairs(points)
        return np.stack([self.gram.factor(support) for support in points.tolist()])


def _constants(phi: PointFunction, points: Indices, plan: Products) -> Totals:
    """Products of phi(0) for points of zero variance."""
    with np.errstate(all="ignore"):
        halves = plan.halves(phi(np.zeros(points.shape), points)[:, :, None])
        values = plan.sums(halves, np.ones((len(points), 1)))
    return Totals(values=values, errors=64 * _EPS * np.abs(values))


def _row_positions(table: Indices, rows: Indices) -> Indices:
    """Position of each row in a table of sorted unique rows."""
    place = {tuple(row): i for i, row in enumerate(table.tolist())}
    return np.array([place[tuple(row)] for row in rows.tolist()], dtype=np.intp)
