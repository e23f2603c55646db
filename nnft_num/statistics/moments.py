"""Sums of monomials of the fields, kept by groups of networks and mergeable.

Over the m = n D fields f_1..f_m of one network (field index = point * D + output) all unique
monomials f_{i_1} ... f_{i_k}, i_1 <= ... <= i_k, of orders 1 to K are summed.  Each product is its
parent's, the one without the last index, times one field; in colexicographic order the parents
of all monomials with the same last index stand in a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.machine.monomials import accumulate, parent_counts
from nnft_num.machine.simd import LANES
from nnft_sym.language.errors import SpecificationError

__all__ = ["LANES", "Accumulator", "Moments", "group_bounds", "moments_from_fields"]

_PRODUCT_BYTES = 2**18
"""Memory for products that the networks taken at once are meant to fit in."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Sums over groups of networks of all monomials up to an order.

    Parameters
    ----------
    dimension : int
        m: number of fields (points times outputs).
    max_order : int
        K: highest order, at least 1.
    counts : ndarray, shape (G,)
        Number of networks of each group.
    table : ndarray, shape (G, C(m + K, K) - 1)
        Sums, orders 1 to K one after another, each in colexicographic order.
    maxima : ndarray, shape (G, m)
        Largest |f_i| of each group.

    Raises
    ------
    SpecificationError
        If the shapes do not agree.

    Examples
    --------
    >>> moments = moments_from_fields([[1.0, 2.0], [3.0, 4.0]], max_order=2, groups=2)
    >>> moments.sums[2].sum(axis=0).tolist()
    [10.0, 14.0, 20.0]
    """

    dimension: int
    max_order: int
    counts: NDArray[np.int64]
    table: NDArray[np.float64]
    maxima: NDArray[np.float64]

    def __post_init__(self) -> None:
        groups = len(self.counts)
        unique = comb(self.dimension + self.max_order, self.max_order) - 1
        if self.table.shape != (groups, unique) or self.maxima.shape != (groups, self.dimension):
            raise SpecificationError(
                expected=f"sums of shape {(groups, unique)} and maxima {(groups, self.dimension)}",
                came=f"{self.table.shape} and {self.maxima.shape}",
                remedy="build moments with sample_moments or moments_from_fields",
            )
        for array in (self.counts, self.table, self.maxima):
            array.setflags(write=False)

    @property
    def groups(self) -> int:
        """G: number of groups."""
        return len(self.counts)

    @property
    def networks(self) -> int:
        """Number of networks in all groups."""
        return int(self.counts.sum())

    @cached_property
    def sums(self) -> Mapping[int, NDArray[np.float64]]:
        """Sums of order k, shape (G, C(m+k-1, k)), for k = 1..K."""
        starts = order_offsets(self.dimension, self.max_order)
        return {
            order: self.table[:, starts[order - 1] : starts[order]]
            for order in range(1, self.max_order + 1)
        }

    def merge(self, other: Moments) -> Moments:
        """Join the groups of two runs over different networks.

        Raises
        ------
        SpecificationError
            If the two hold different fields or orders.
        """
        mine, its = (self.dimension, self.max_order), (other.dimension, other.max_order)
        if mine != its:
            raise SpecificationError(
                expected=f"moments of {mine[0]} fields up to order {mine[1]}",
                came=f"{its[0]} fields up to order {its[1]}",
                remedy="merge runs over the same points and orders",
            )
        return Moments(
            dimension=self.dimension,
            max_order=self.max_order,
            counts=np.concatenate([self.counts, other.counts]),
            table=np.concatenate([self.table, other.table]),
            maxima=np.concatenate([self.maxima, other.maxima]),
        )


def order_offsets(dimension: int, max_order: int) -> list[int]:
    """Where each order starts among all monomials of orders 1..K, and their number.

    Examples
    --------
    >>> order_offsets(2, 3)
    [0, 2, 5, 9]
    """
    return [comb(dimension + order, order) - 1 for order in range(max_order + 1)]


def group_bounds(networks: int, groups: int) -> NDArray[np.int64]:
    """Borders of contiguous groups of equal size within one: group g is [b_g, b_(g+1)).

    Examples
    --------
    >>> group_bounds(10, 4).tolist()
    [0, 2, 5, 7, 10]
    """
    if networks < 1 or groups < 1:
        raise SpecificationError(
            expected="at least 1 network and 1 group",
            came=f"{networks} networks, {groups} groups",
            remedy="sample more networks",
        )
    groups = min(groups, networks)
    return np.array([networks * group // groups for group in range(groups + 1)], dtype=np.int64)


class Accumulator:
    """Running sums of one group; memory does not grow with the number of networks.

    Parameters
    ----------
    dimension, max_order : int
        m and K as in ``Moments``.
    """

    def __init__(self, dimension: int, max_order: int) -> None:
        starts = order_offsets(dimension, max_order)
        self.dimension = dimension
        self._starts = np.array(starts, dtype=np.int64)
        self._parents = parent_counts(dimension, max_order)
        kept = max(dimension, starts[-2])
        self._vectors = max(4, min(16, _PRODUCT_BYTES // (8 * LANES * kept)))
        self._totals = np.zeros((starts[-1], LANES))
        self._products = np.empty(kept * self._vectors * LANES)
        self._maxima = np.zeros((dimension, LANES))

    def add(self, fields: NDArray[np.float64]) -> None:
        """Add fields (networks, m); all calls but the last take a multiple of 16 networks."""
        if fields.ndim != 2 or fields.shape[1] != self.dimension:
            raise SpecificationError(
                expected=f"fields of shape (networks, {self.dimension})",
                came=f"{fields.shape}",
                remedy="reshape them to one row for each network",
            )
        accumulate(
            np.ascontiguousarray(fields, dtype=np.float64),
            self._starts,
            self._parents,
            self._vectors,
            self._totals,
            self._products,
            self._maxima,
        )

    def finish(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the sums and the largest |f|, and start again from zero."""
        sums = np.zeros(len(self._totals))
        for lane in range(LANES):
            sums += self._totals[:, lane]
        maxima = self._maxima.max(axis=1)
        self._totals[:] = 0.0
        self._maxima[:] = 0.0
        return sums, maxima


def moments_from_fields(fields: ArrayLike, *, max_order: int, groups: int = 128) -> Moments:
    """Moments of given fields.

    Parameters
    ----------
    fields : array_like, shape (networks, m)
        One row for each network.
    max_order : int
        Highest order to sum.
    groups : int
        Number of groups of networks, fewer if there are fewer networks.
    """
    array = np.ascontiguousarray(fields, dtype=np.float64)
    bounds = group_bounds(len(array), groups)
    accumulator = Accumulator(array.shape[1], max_order)
    rows = []
    for low, high in pairwise(bounds.tolist()):
        accumulator.add(array[low:high])
        rows.append(accumulator.finish())
    return Moments(
        dimension=array.shape[1],
        max_order=max_order,
        counts=np.diff(bounds),
        table=np.array([sums for sums, _ in rows]),
        maxima=np.array([maxima for _, maxima in rows]),
    )
