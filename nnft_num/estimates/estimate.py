"""Estimates of correlators with jackknife errors, from moments of the fields.

The entries are joint cumulants by k-statistics, exactly unbiased at every number of networks.
Leaving out one group at a time gives pseudo-values p_g = (n/m_g) k - (n/m_g - 1) k_(g) with
weights w_g = m_g/n (n networks, m_g of them in group g, k_(g) the estimate without the group), and

    covariance = sum over groups of w_g (p_g - p)(p'_g - p') / (G - 1),    p = sum w_g p_g.

Law of the errors: with G groups whose contributions are close to normal, the pull
(truth - estimate)/error follows Student's t with G - 1 degrees of freedom.  Contributions to high
orders are skewed with long tails; each entry therefore carries its effective degrees of freedom
and a flag for tails that its error bar may not have seen (``nnft_num.statistics.tails``).

Source: B. Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982); F. Busing,
E. Meijer, R. van der Leeden, Statistics and Computing 9 (1999) 3, for unequal groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.estimates.correlator import CorrelatorEstimate
from nnft_num.routes import ASKED, GIVEN, Route, find_route
from nnft_num.runs.run import Provenance
from nnft_num.sources.source import Source
from nnft_num.statistics.cumulant_maps import CumulantMap, FieldMap, MetricMap
from nnft_num.statistics.jackknife import jackknife, leave_one_out
from nnft_num.statistics.kstatistics import MAX_ORDER, partitions
from nnft_num.statistics.moments import Moments, moments_from_fields, order_offsets
from nnft_num.statistics.tails import HEAVY, tail_indices
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table
from nnft_sym.tensors import SymmetricTensor, multi_indices, rank_of

__all__ = [
    "Estimate",
    "estimate_from_fields",
    "estimate_of",
    "wanted_orders",
]

_CHUNK = 4096
"""Entries worked on at a time where intermediate tables are needed."""


Statistic = Callable[[int, Any, Any], NDArray[np.float64]]
"""Numbers of one order from means of monomials and counts of networks."""


class _Orders(dict[int, CorrelatorEstimate]):
    """Estimates by order; one that is not there is refused in words."""

    def __missing__(self, order: object) -> CorrelatorEstimate:
        raise SpecificationError(
            expected=f"an order out of {', '.join(map(str, self))}",
            came=f"{order!r}",
            remedy="ask for it with orders=",
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate(Shown):
    """Estimates of the connected correlators of some orders; ``est[k]``, ``est.full[k]``.

    Parameters
    ----------
    moments : Moments
        Sums over groups of networks, up to the highest order.
    orders : tuple of int
        Orders estimated, each from 1 to 8.
    points, outputs_count : int
        n and D, with n D fields in the moments.
    route : Route
        How the networks were sampled.
    plan_hash : str or None
        Hash of the plan that was sampled, None for fields from elsewhere.
    key : tuple of two int or None
        Key of the draws.
    provenance : Provenance or None
        What was sampled, over which networks and by which versions.
    cumulant_map : CumulantMap, optional
        Map from the moments to cumulants of the fields; by default rows are the fields.
    reason : str
        Why the route was taken.

    Raises
    ------
    SpecificationError
        If orders or shapes are impossible, or there are fewer than max(8, 2k) networks.

    Examples
    --------
    >>> f = np.random.default_rng(0).normal(size=(1000, 2))
    >>> est = estimate_from_fields(f, orders=(2, 4))
    >>> est[2].mean.shape, est[4].error.shape, est.degrees_of_freedom
    ((2, 2), (2, 2, 2, 2), 127)
    >>> bool(abs(est[2].mean[0, 1]) < 5 * est[2].error[0, 1])
    True
    """

    moments: Moments
    orders: tuple[int, ...]
    points: int
    outputs_count: int
    route: Route
    plan_hash: str | None = None
    key: tuple[int, int] | None = None
    provenance: Provenance | None = None
    cumulant_map: CumulantMap | None = None
    reason: str = ASKED

    def __post_init__(self) -> None:
        orders = wanted_orders(self.orders)
        object.__setattr__(self, "orders", orders)
        moments, highest = self.moments, self._map.highest(orders[-1])
        if moments.dimension != self._map.dimension or moments.max_order < highest:
            raise SpecificationError(
                expected=f"moments of {self._map.dimension} numbers to order {highest}",
                came=f"{moments.dimension} numbers to order {moments.max_order}",
                remedy="sum the moments up to the highest order",
            )
        least = max(8, 2 * highest)
        if moments.networks < least or moments.groups < 2:
            raise SpecificationError(
                expected=f"at least {least} networks in at least 2 groups for order {highest}",
                came=f"{moments.networks} networks in {moments.groups} groups",
                remedy="sample more networks, or ask for lower orders",
            )
        if not np.isfinite(moments.table).all():
            raise SpecificationError(
                expected="finite fields, with finite products up to the highest order",
                came="NaN or infinity",
                remedy="find the network or point that diverges, or ask for lower orders",
            )

    @property
    def networks(self) -> int:
        """Number of networks."""
        return self.moments.networks

    @property
    def groups(self) -> int:
        """G: number of groups of the jackknife."""
        return self.moments.groups

    @property
    def degrees_of_freedom(self) -> int:
        """G - 1."""
        return self.groups - 1

    @property
    def precision(self) -> str | None:
        """Arithmetic of the fields, None for fields from elsewhere."""
        return None if self.provenance is None else self.provenance.source.precision

    @cached_property
    def full(self) -> Mapping[int, CorrelatorEstimate]:
        """Full correlators E[f...f] of the same orders."""
        return _Orders({order: self._estimate(order, self._averages) for order in self.orders})

    @cached_property
    def _connected(self) -> Mapping[int, CorrelatorEstimate]:
        return _Orders({order: self._estimate(order, self._cumulants) for order in self.orders})

    source = "E82, BML99"

    def _table(self) -> Table:
        rows = tuple(
            (
                str(order),
                str(len(own.tensor)),
                f"{np.max(np.abs(own.tensor.entries)):.4g}",
                f"{np.max(own.error_tensor.entries):.2g}",
                str(int(np.sum(own.heavy_tailed.entries))),
            )
            for order, own in ((order, self[order]) for order in self.orders)
        )
        return Table(
            title=f"{self.networks} networks at {self.points} points ({self.route.name}, "
            f"{self.groups} groups)",
            header=("order", "entries", "largest", "largest error", "heavy-tailed entries"),
            rows=rows,
        )

    def __repr__(self) -> str:
        orders = ", ".join(map(str, self.orders))
        return (
            f"Estimate(orders {orders}; {self.points} points, {self.outputs_count} outputs; "
            f"{self.networks} networks)"
        )

    def __getitem__(self, order: int) -> CorrelatorEstimate:
        return self._connected[order]

    def covariance(self, order: int) -> NDArray[np.float64]:
        """Covariance between the unique entries of one order, shape (U, U)."""
        return self[order].covariance

    def resampled(self, order: int) -> NDArray[np.float64]:
        """Connected correlators over all networks, then without each group, shape (U, 1 + G)."""
        return self._resampled(order, self._cumulants)

    @property
    def _map(self) -> CumulantMap:
        if self.cumulant_map is not None:
            return self.cumulant_map
        return FieldMap(dimension=self.points * self.outputs_count)

    def _cumulants(self, order: int, means: Any, counts: Any) -> NDArray[np.float64]:
        return self._map.cumulants(order, means, counts)

    def _averages(self, order: int, means: Any, counts: Any) -> NDArray[np.float64]:
        if isinstance(self._map, FieldMap):
            starts = order_offsets(self.moments.dimension, order)
            averages: NDArray[np.float64] = means[starts[order - 1] : starts[order]].copy()
            return averages
        return moments_of_cumulants(
            order,
            self.points * self.outputs_count,
            lambda lower: self._map.cumulants(lower, means, counts),
            odd=not isinstance(self._map, MetricMap),
        )

    def _resampled(self, order: int, statistic: Statistic) -> NDArray[np.float64]:
        moments, rows = self.moments, self._map
        return statistic(
            order,
            leave_one_out(moments, order_offsets(rows.dimension, rows.highest(order))[-1]),
            np.concatenate([[moments.networks], moments.networks - moments.counts]),
        )

    def _estimate(self, order: int, statistic: Statistic) -> CorrelatorEstimate:
        moments, rows = self.moments, self._map
        dimension, least = self.points * self.outputs_count, rows.highest(order)
        values = self._resampled(order, statistic)
        spread = jackknife(values, moments.counts)
        tails = tail_indices(moments)
        known = np.where(np.isnan(tails), np.inf, tails)
        floor = rows.floor(order, moments)
        if floor is not None and rows.corrected:
            floor = floor + 2 * np.abs(spread.centre - values[:, 0])
        # products of cumulants are biased; so are cumulants of sums that are no independent draws
        unbiased = not rows.corrected and (statistic == self._cumulants or floor is None)
        active = np.count_nonzero(moments.maxima, axis=0)
        active[active == 0] = moments.groups

        def tensor(entries: NDArray[Any]) -> SymmetricTensor:
            return SymmetricTensor(order, dimension, entries)

        return CorrelatorEstimate(
            points=self.points,
            outputs_count=self.outputs_count,
            tensor=tensor(values[:, 0] if unbiased else spread.centre),
            error_tensor=tensor(spread.errors),
            deviations=spread.deviations,
            freedom=tensor(spread.freedom),
            tail_index=rows.spread(1, tails).reshape(self.points, self.outputs_count),
            heavy_tailed=tensor(rows.spread(order, known) < HEAVY * least),
            row_order=least,
            floor=None if floor is None else tensor(floor),
            active=tensor(rows.spread(order, active)),
        )


def estimate_of(
    moments: Moments, orders: Iterable[int], provenance: Provenance, reason: str = ASKED
) -> Estimate:
    """Estimate correlators from the moments of a sampled source, by the map of its route.

    Parameters
    ----------
    moments : Moments
        Sums of the rows of the source.
    orders : iterable of int
        Orders to estimate.
    provenance : Provenance
        What was sampled.
    reason : str
        Why its route was taken.

    Raises
    ------
    SpecificationError
        If there are too few networks, a sum is not finite, or the route says nothing about an
        order.
    """
    source = provenance.source
    if not isinstance(source, Source):
        raise SpecificationError(
            expected="a source of correlators of the fields",
            came=f"one by the route {source.route!r}",
            remedy="estimate tangent kernels with nnft_num.tangent",
        )
    route = find_route(source.route)
    return Estimate(
        moments=moments,
        orders=wanted_orders(orders),
        points=len(source.X),
        outputs_count=source.plan.outputs,
        route=route,
        plan_hash=source.plan.hash,
        key=provenance.key,
        provenance=provenance,
        cumulant_map=route.cumulant_map(source),
        reason=reason,
    )


def moments_of_cumulants(
    order: int,
    dimension: int,
    cumulants: Callable[[int], NDArray[np.float64]],
    odd: bool = True,
) -> NDArray[np.float64]:
    """Moments E[f...f] of one order: sum over set partitions of products of cumulants.

    Parameters
    ----------
    order, dimension : int
        k, and the number of fields.
    cumulants : callable (order) -> ndarray, shape (U, R)
        Joint cumulants of each order up to k.
    odd : bool
        Whether cumulants of odd orders occur.
    """
    legs = multi_indices(order, dimension)
    known = {j: cumulants(j) for j in range(1, order + 1) if odd or j % 2 == 0}
    total: NDArray[np.float64] = np.zeros_like(known[order])
    for partition in partitions(order):
        parts = [[slot for slot in range(order) if block >> slot & 1] for block in partition]
        if not all(len(part) in known for part in parts):
            continue
        for start in range(0, len(legs), _CHUNK):
            some = legs[start : start + _CHUNK]
            term = np.ones((len(some), total.shape[1]))
            for part in parts:
                term *= known[len(part)][rank_of(some[:, part], dimension)]
            total[start : start + _CHUNK] += term
    return total


def estimate_from_fields(
    f: ArrayLike, orders: int | Iterable[int] = (2, 4), groups: int = 128
) -> Estimate:
    """Estimate correlators of fields from anywhere.

    Parameters
    ----------
    f : array_like, shape (networks, n) or (networks, n, D)
        Field values, independent and identically distributed over the first axis.
    orders : iterable of int
        Orders to estimate.
    groups : int
        Number of groups of the jackknife, fewer if there are fewer networks.

    Raises
    ------
    SpecificationError
        If the shape is wrong, a value is not a finite real number or there are too few networks.
    """
    array = np.asarray(f)
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind not in "fiub":
        raise SpecificationError(
            expected="real fields of shape (networks, n) or (networks, n, D)",
            came=f"shape {array.shape} of type {array.dtype}",
            remedy="put the networks first, then the points",
        )
    array = array.astype(np.float64)
    bad = ~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if bad.any():
        raise SpecificationError(
            expected="finite fields",
            came=f"NaN or infinity in {bad.sum()} networks, the first at {int(np.argmax(bad))}",
            remedy="leave none out silently: find out why they diverge",
        )
    wanted = wanted_orders(orders)
    outputs = array.shape[2] if array.ndim == 3 else 1
    flat = array.reshape(len(array), -1)
    return Estimate(
        moments=moments_from_fields(flat, max_order=wanted[-1], groups=groups),
        orders=wanted,
        points=array.shape[1],
        outputs_count=outputs,
        route=GIVEN,
    )


def wanted_orders(orders: int | Iterable[int]) -> tuple[int, ...]:
    """Orders sorted, each once; a single integer is read as one order.

    Raises
    ------
    SpecificationError
        If there is none, or one is not an integer from 1 to 8.

    Examples
    --------
    >>> wanted_orders([4, np.int64(2), 2]), wanted_orders(np.int64(4))
    ((2, 4), (4,))
    """
    listed = tuple(orders) if isinstance(orders, Iterable) else (orders,)
    valid = all(isinstance(k, (int, np.integer)) and not isinstance(k, bool) for k in listed)
    if not listed or not valid or not all(1 <= k <= MAX_ORDER for k in listed):
        raise SpecificationError(
            expected=f"orders from 1 to {MAX_ORDER}",
            came=f"{listed}",
            remedy="pass orders=(2, 4), say",
        )
    return tuple(sorted({int(k) for k in listed}))
