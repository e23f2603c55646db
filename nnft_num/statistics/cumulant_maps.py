"""From means over rows to cumulants of the fields: what each route keeps is mapped back.

A map turns the k-statistics of the numbers y in a row into joint cumulants of the fields
f_j(x_a), field index = point * D + output, for several samples (all groups, and all but one) at
once, and carries flags of the numbers y over to the entries they enter.

- ``FieldMap``: y are the fields.
- ``MetricMap``: y_e = S_ab = (1/N) sum_i φ_i(x_a) φ_i(x_b).  With a Gaussian readout of deviation
  s_j and output bias of deviation β_j, f given S is Gaussian with covariance δ_ij (s_j² S + β_j²),
  so that for even k, with κ_{k/2} the joint cumulant of the k/2 entries of S that a pairing names,

      κ(f_1, ..., f_k) = sum over pairings of κ_{k/2}(S, ..., S) prod δ_ij s_j²  +  δ_k2 δ_ij β_j²

  by the law of total cumulance (higher cumulants of a Gaussian vanish).
- ``NeuronMap``: y are one neuron's outputs φ(x_a), or a_j φ(x_a).  For independent, identically
  distributed neurons κ_k(f) = N^{1-k/2} κ_k[aφ] + κ_k of the output bias.

Source: D. R. Brillinger, Annals of the Institute of Statistical Mathematics 21 (1969) 215, for the
law of total cumulance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from math import factorial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnft_num.plans.affine import Affine
from nnft_num.statistics.kstatistics import k_statistics, weighted_statistics
from nnft_num.statistics.moments import Moments, order_offsets
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import multi_indices, rank_of

__all__ = ["CumulantMap", "FieldMap", "MetricMap", "NeuronMap", "pairings"]

_CHUNK = 2**16
"""Products of pairings and entries worked on at a time."""

Means = NDArray[np.float64]
Counts = NDArray[np.int64]


class CumulantMap(Protocol):
    """What an estimate asks of a route."""

    @property
    def dimension(self) -> int:
        """Numbers in a row."""

    @property
    def corrected(self) -> bool:
        """Whether the jackknife takes out a bias that the statistic has."""

    def highest(self, order: int) -> int:
        """Order of the moments that cumulants of an order need.

        Raises
        ------
        SpecificationError
            If the route says nothing about that order.
        """

    def cumulants(self, order: int, means: Means, counts: Counts) -> Means:
        """Joint cumulants of the fields, shape (U, R), from means over rows as in k_statistics."""

    def spread(self, order: int, flags: NDArray[Any]) -> NDArray[Any]:
        """Least over the numbers that enter each entry, shape (U,)."""

    def floor(self, order: int, moments: Moments) -> NDArray[np.float64] | None:
        """Second-order term of the error; None to leave it to the variances of the fields."""


@lru_cache(maxsize=16)
def pairings(order: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Pair up slots 0..k-1 in every way: (k - 1)!! pairings.

    Examples
    --------
    >>> len(pairings(4)), pairings(4)[0]
    (3, ((0, 1), (2, 3)))
    """

    def rest(slots: tuple[int, ...]) -> list[tuple[tuple[int, int], ...]]:
        if not slots:
            return [()]
        first = slots[0]
        return [
            ((first, slots[i]), *others)
            for i in range(1, len(slots))
            for others in rest(slots[1:i] + slots[i + 1 :])
        ]

    return tuple(rest(tuple(range(order))))


@dataclass(frozen=True, kw_only=True)
class FieldMap:
    """Rows are the fields themselves."""

    dimension: int
    corrected: bool = False

    def highest(self, order: int) -> int:
        return order

    def cumulants(self, order: int, means: Means, counts: Counts) -> Means:
        return k_statistics(order, self.dimension, means, counts)

    def spread(self, order: int, flags: NDArray[Any]) -> NDArray[Any]:
        least: NDArray[Any] = flags[multi_indices(order, self.dimension)].min(axis=1)
        return least

    def floor(self, order: int, moments: Moments) -> NDArray[np.float64] | None:
        return None


@dataclass(frozen=True, kw_only=True)
class MetricMap:
    """Rows are the metric S_ab of the last hidden layer, its readout integrated out.

    Parameters
    ----------
    points : int
        n.
    deviations, biases : tuple of float
        s_j and β_j of each output.
    """

    points: int
    deviations: tuple[float, ...]
    biases: tuple[float, ...]
    corrected: bool = False

    @property
    def dimension(self) -> int:
        return self.points * (self.points + 1) // 2

    @property
    def outputs(self) -> int:
        """D."""
        return len(self.deviations)

    def highest(self, order: int) -> int:
        if order % 2:
            raise SpecificationError(
                expected="even orders with the readout integrated out",
                came=f"order {order}",
                remedy="odd orders vanish there by assumption; test them with route='parameters'",
            )
        return order // 2

    def cumulants(self, order: int, means: Means, counts: Counts) -> Means:
        self.highest(order)
        legs = self._legs(order)
        total = np.empty((len(legs), len(counts)))
        size = max(1, _CHUNK // len(pairings(order)))
        for start in range(0, len(legs), size):
            some = slice(start, start + size)
            metrics, weights = self._terms(legs[some])
            _, first, where = np.unique(
                rank_of(metrics, self.dimension), return_index=True, return_inverse=True
            )
            entries = metrics.reshape(-1, metrics.shape[2])[first]
            known = weighted_statistics(entries, self.dimension, means, counts)
            total[some] = np.einsum("pu,pur->ur", weights, known[where.reshape(weights.shape)])
        if order == 2:
            same = legs[:, 0] % self.outputs == legs[:, 1] % self.outputs
            total += (same * np.square(self.biases)[legs[:, 0] % self.outputs])[:, None]
        return total

    def spread(self, order: int, flags: NDArray[Any]) -> NDArray[Any]:
        points = self._legs(order) // self.outputs
        least = np.full(len(points), np.inf)
        for i, j in combinations_with_replacement(range(order), 2):
            least = np.minimum(least, flags[rank_of(points[:, [i, j]], self.points)])
        return least

    def floor(self, order: int, moments: Moments) -> NDArray[np.float64] | None:
        half = self.highest(order)
        if half < 2:
            return np.zeros(len(self._legs(order)))
        total, networks = moments.table.sum(axis=0) / moments.networks, moments.networks
        start = order_offsets(self.dimension, 2)[1]
        index = np.arange(self.dimension)
        squares = total[start + rank_of(np.stack([index, index], axis=1), self.dimension)]
        variance = np.clip(squares - total[: self.dimension] ** 2, 0.0, None)
        metrics, weights = self._terms(self._legs(order))
        size = np.sqrt(variance[metrics].prod(axis=2))
        floor: NDArray[np.float64] = (
            2 * factorial(half) ** 0.5 / networks * np.sum(weights * size, axis=0)
        )
        return floor

    def _legs(self, order: int) -> NDArray[np.intp]:
        return multi_indices(order, self.points * self.outputs)

    def _terms(self, legs: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Entries of S, shape (P, U, k/2), and weight, shape (P, U), of each of P pairings."""
        points, outputs = legs // self.outputs, legs % self.outputs
        squares = np.square(self.deviations)
        found = pairings(legs.shape[1])
        weights = np.ones((len(found), len(legs)))
        metrics = np.empty((len(found), len(legs), len(found[0])), dtype=np.intp)
        for number, pairing in enumerate(found):
            for slot, (i, j) in enumerate(pairing):
                weights[number] *= (outputs[:, i] == outputs[:, j]) * squares[outputs[:, i]]
                metrics[number, :, slot] = rank_of(points[:, [i, j]], self.points)
        return metrics, weights


@dataclass(frozen=True, kw_only=True)
class NeuronMap:
    """Rows are the outputs of one neuron.

    Parameters
    ----------
    points : int
        n.
    width : int
        N.
    readout : tuple of Affine or None
        Density of a_j, integrated out; None if rows hold a_j φ(x_a).
    biases : tuple of Affine
        Density of each output bias, of which cumulants are added.
    independent : bool
        Whether rows are independent; else only the groups are.
    """

    points: int
    width: int
    readout: tuple[Affine, ...] | None
    biases: tuple[Affine, ...]
    independent: bool = True

    @property
    def outputs(self) -> int:
        """D."""
        return len(self.biases)

    @property
    def corrected(self) -> bool:
        return not self.independent

    @property
    def dimension(self) -> int:
        return self.points * (self.outputs if self.readout is None else 1)

    def highest(self, order: int) -> int:
        return order

    def cumulants(self, order: int, means: Means, counts: Counts) -> Means:
        legs = self._legs(order)
        outputs = legs % self.outputs
        total = np.zeros((len(legs), len(counts)))
        patterns, which = np.unique(outputs, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(which.reshape(-1) == number)
            labels = tuple(int(j) for j in pattern)
            total[rows] = weighted_statistics(
                self._numbers(legs[rows]),
                self.dimension,
                means,
                counts,
                labels,
                self._weights(labels),
                self.independent,
            )
        total *= float(self.width) ** (1 - order / 2)
        own = np.array([bias.cumulant(order) for bias in self.biases])
        same = np.all(outputs == outputs[:, :1], axis=1)
        total += (same * own[outputs[:, 0]])[:, None]
        return total

    def spread(self, order: int, flags: NDArray[Any]) -> NDArray[Any]:
        least: NDArray[Any] = flags[self._numbers(self._legs(order))].min(axis=1)
        return least

    def floor(self, order: int, moments: Moments) -> NDArray[np.float64] | None:
        legs = self._legs(order)
        if order < 2 or not self.independent:
            return np.zeros(len(legs))
        index = np.arange(self.dimension)
        start = order_offsets(self.dimension, 2)[1]
        total = moments.table.sum(axis=0) / moments.networks
        squares = total[start + rank_of(np.stack([index, index], axis=1), self.dimension)]
        size = np.sqrt(squares)[self._numbers(legs)]
        if self.readout is not None:
            size = size * np.sqrt([a.moment(2) for a in self.readout])[legs % self.outputs]
        power = float(self.width) ** (1 - order / 2)
        floor: NDArray[np.float64] = (
            2 * factorial(order) ** 0.5 / moments.networks * power * size.prod(axis=1)
        )
        return floor

    def _legs(self, order: int) -> NDArray[np.intp]:
        return multi_indices(order, self.points * self.outputs)

    def _numbers(self, legs: NDArray[np.intp]) -> NDArray[np.intp]:
        return legs if self.readout is None else legs // self.outputs

    def _weights(self, labels: tuple[int, ...]) -> dict[tuple[int, ...], float] | None:
        """E[product of the a_j] of every sorted part of the labels."""
        if self.readout is None:
            return None
        weights = {}
        for mask in range(1, 2 ** len(labels)):
            part = tuple(sorted(j for slot, j in enumerate(labels) if mask >> slot & 1))
            value = 1.0
            for j in set(part):
                value *= self.readout[j].moment(part.count(j))
            weights[part] = value
        return weights
