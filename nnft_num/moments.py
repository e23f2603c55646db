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
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from nnft_sym.language.errors import SpecificationError

__all__ = ["Accumulator", "Moments", "group_bounds", "moments_from_fields"]

LANES = 16
"""Networks summed side by side; part of the definition of the order of summation."""


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
        self._totals = np.zeros((starts[-1], LANES))
        self._products = np.zeros((max(dimension, starts[-2]), LANES))
        self._maxima = np.zeros(dimension)

    def add(self, fields: NDArray[np.float64]) -> None:
        """Add fields (networks, m); all calls but the last take a multiple of 16 networks."""
        _accumulate(fields, self._starts, self._totals, self._products, self._maxima)

    def finish(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the sums and the largest |f|, and start again from zero."""
        sums = np.empty(len(self._totals))
        _fold(self._totals, sums)
        maxima = self._maxima.copy()
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


@njit(nogil=True, error_model="numpy")
def _accumulate(fields: Any, starts: Any, totals: Any, products: Any, maxima: Any) -> None:
    networks, dimension = fields.shape
    orders = len(starts) - 1
    for first in range(0, networks, LANES):
        present = min(LANES, networks - first)
        for i in range(dimension):
            for lane in range(present):
                products[i, lane] = fields[first + lane, i]
            for lane in range(present, LANES):
                products[i, lane] = 0.0
            for lane in range(present):
                size = abs(products[i, lane])
                if size > maxima[i]:
                    maxima[i] = size
            for lane in range(LANES):
                totals[i, lane] += products[i, lane]
        for order in range(2, orders + 1):
            child = starts[order - 1]
            begin = starts[order - 2]
            for last in range(dimension):
                # multi-indices of length order-1 with all indices <= last: C(last+order-1, order-1)
                parents = 1
                for step in range(1, order):
                    parents = parents * (last + step) // step
                if order == orders:
                    for parent in range(begin, begin + parents):
                        for lane in range(LANES):
                            totals[child, lane] += products[parent, lane] * products[last, lane]
                        child += 1
                else:
                    for parent in range(begin, begin + parents):
                        for lane in range(LANES):
                            product = products[parent, lane] * products[last, lane]
                            products[child, lane] = product
                            totals[child, lane] += product
                        child += 1


@njit(nogil=True, error_model="numpy")
def _fold(totals: Any, sums: Any) -> None:
    for entry in range(len(totals)):
        total = 0.0
        for lane in range(LANES):
            total += totals[entry, lane]
        sums[entry] = total
