"""Two sides of a transformation, sampled over the same networks.

An ensemble gives, for an element g, the cumulants of what is observed of it on both sides,

    input:   f at the points x,            and f at the points g x;
    output:  g f at the points,            and f at the points;
    trained: as above, with the examples (X, Y) of the second side moved, (g X, Y) or (X, g Y),

with the deviations of the same groups of the same networks, so that differences have their errors.
Cumulants of g f are those of f turned, leg by leg: no field is sampled again for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnft_num.estimates.estimate import Estimate
from nnft_num.front import correlators
from nnft_num.runs.executing import ExecutorLike
from nnft_num.symmetries.elements import GroupElement
from nnft_num.tangents.checking import tangent
from nnft_num.training import Training, run_training
from nnft_sym.networks import Network
from nnft_sym.tangent import Parametrisation
from nnft_sym.tensors import SymmetricTensor, multi_indices, rank_of

__all__ = ["Ensemble", "Fields", "Kernels", "Observed", "TrainedFields"]

_DENSE = 2**22
"""Entries of dense tensors worked on at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """Cumulants of m numbers a network, of some orders.

    Parameters
    ----------
    values : mapping of int to ndarray, shape (U, 1 + G)
        Estimates and the scaled deviations of the groups, unique entries.
    heavy : mapping of int to ndarray, shape (U,)
        Entries whose error is not to be trusted.
    squares : ndarray, shape (m,)
        E y² of each number.
    counts : ndarray, shape (G,)
        Networks in each group.
    """

    values: Mapping[int, NDArray[np.float64]]
    heavy: Mapping[int, NDArray[np.bool_]]
    squares: NDArray[np.float64]
    counts: NDArray[np.int64]

    def turned(self, matrix: NDArray[np.float64], shift: NDArray[np.float64]) -> Observed:
        """Cumulants of matrix y + shift."""
        values = {order: _turned(table, order, matrix) for order, table in self.values.items()}
        if 1 in values:
            values[1][:, 0] += shift
        mixed = np.abs(matrix) > 0
        heavy = {
            order: _turned(flags[:, None].astype(float), order, mixed.astype(float))[:, 0] > 0
            for order, flags in self.heavy.items()
        }
        return replace(self, values=values, heavy=heavy)


def observed(estimate: Estimate) -> Observed:
    """Read what a test needs off an estimate."""
    moments = estimate.moments
    own = np.arange(moments.dimension)[:, None].repeat(2, axis=1)
    squares = SymmetricTensor(2, moments.dimension, moments.sums[2].sum(axis=0)).gather(own)
    found = {order: estimate[order] for order in estimate.orders}
    return Observed(
        values={
            order: np.column_stack([one.tensor.entries, one.deviations])
            for order, one in found.items()
        },
        heavy={order: one.heavy_tailed.entries for order, one in found.items()},
        squares=squares / moments.networks,
        counts=moments.counts,
    )


class Ensemble(Protocol):
    """What a test asks of that which it transforms."""

    @property
    def networks(self) -> int: ...

    def sides(
        self, element: GroupElement, on: str, orders: tuple[int, ...]
    ) -> tuple[Observed, Observed]:
        """Cumulants on the two sides of an element."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sampled:
    net: Network
    X: NDArray[np.float64]
    networks: int
    key: tuple[int, int]
    params: Mapping[str, Any]
    executor: ExecutorLike = None
    progress: bool | None = None

    @property
    def rng(self) -> np.random.SeedSequence:
        """Seed of every sample: that of the same networks."""
        return np.random.SeedSequence(list(self.key))

    def own(self, orders: tuple[int, ...]) -> Observed:
        """Give the cumulants at the points themselves, sampled once."""
        kept: dict[tuple[int, ...], Observed] = self._kept
        if orders not in kept:
            kept[orders] = self.at(self.X, orders)
        return kept[orders]

    @cached_property
    def _kept(self) -> dict[tuple[int, ...], Observed]:
        return {}

    def at(self, X: NDArray[np.float64], orders: tuple[int, ...]) -> Observed:
        raise NotImplementedError

    def sides(
        self, element: GroupElement, on: str, orders: tuple[int, ...]
    ) -> tuple[Observed, Observed]:
        here = self.own(orders)
        if on == "input":
            return here, self.at(element(self.X), orders)
        return here.turned(*self.on_rows(element)), here

    def on_rows(self, element: GroupElement) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How an element acting on the outputs acts on the n D fields."""
        assert element.matrix is not None
        assert element.shift is not None
        points = len(self.X)
        turned = np.kron(np.eye(points), element.matrix).astype(np.float64)
        return turned, np.tile(element.shift, points)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fields(_Sampled):
    """Fields of networks as they are drawn.

    Parameters
    ----------
    net, X, networks, key, params, executor, progress
        As in :func:`nnft_num.correlators`.
    route, precision : str
        Likewise.
    """

    route: str = "parameters"
    precision: str = "double"

    def at(self, X: NDArray[np.float64], orders: tuple[int, ...]) -> Observed:
        return observed(
            correlators(
                self.net,
                X,
                orders,
                self.networks,
                self.rng,
                route=self.route,
                precision=self.precision,
                executor=self.executor,
                progress=self.progress,
                params=self.params,
            )
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Kernels(_Sampled):
    """Tangent kernels of networks as they are drawn: the distinct entries of Θ."""

    parametrisation: Parametrisation = "ntk"

    def at(self, X: NDArray[np.float64], orders: tuple[int, ...]) -> Observed:
        found = tangent(
            self.net,
            X,
            self.networks,
            self.rng,
            parametrisation=self.parametrisation,
            orders=sorted({1, *orders}),
            executor=self.executor,
            progress=self.progress,
            params=self.params,
        )
        return observed(found.entries)

    def on_rows(self, element: GroupElement) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Θ → g Θ gᵀ on the distinct entries."""
        matrix, _ = super().on_rows(element)
        pairs = multi_indices(2, len(matrix))
        first, second = pairs[:, 0], pairs[:, 1]
        straight = matrix[np.ix_(first, first)] * matrix[np.ix_(second, second)]
        crossed = matrix[np.ix_(first, second)] * matrix[np.ix_(second, first)]
        turned = straight + np.where(first == second, 0.0, crossed)
        return turned, np.zeros(len(turned))


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedFields(_Sampled):
    """Fields of trained networks; the examples move with the points, or with the outputs.

    Parameters
    ----------
    training : Training
        What the networks are trained on, and how.
    move_data : bool
        Whether the examples are moved; where they are not, training breaks the symmetry.
    """

    training: Training
    move_data: bool = True

    def at(self, X: NDArray[np.float64], orders: tuple[int, ...]) -> Observed:
        return self._trained(X, self.training, orders)

    def sides(
        self, element: GroupElement, on: str, orders: tuple[int, ...]
    ) -> tuple[Observed, Observed]:
        here = self.own(orders)
        examples, targets = (np.asarray(array) for array in self.training.data)
        moved = (element(examples), targets) if on == "input" else (examples, element(targets))
        training = replace(self.training, data=moved) if self.move_data else self.training
        if on == "input":
            return here, self._trained(element(self.X), training, orders)
        there = self._trained(self.X, training, orders) if self.move_data else here
        return here.turned(*self.on_rows(element)), there

    def _trained(
        self, X: NDArray[np.float64], training: Training, orders: tuple[int, ...]
    ) -> Observed:
        trained = run_training(
            self.net,
            training,
            X,
            times=(training.steps,),
            networks=self.networks,
            key=self.key,
            params=self.params,
            executor=self.executor,
        )
        return observed(trained.estimate(orders=orders))


def _turned(
    table: NDArray[np.float64], order: int, matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Apply a matrix to every leg of symmetric tensors, one a column."""
    count = len(matrix)
    unique = multi_indices(order, count)
    grid = np.indices((count,) * order).reshape(order, -1).T
    rank = rank_of(grid, count).reshape((count,) * order)
    out = np.empty_like(table)
    columns = max(1, _DENSE // len(grid))
    for start in range(0, table.shape[1], columns):
        some = slice(start, start + columns)
        dense = table[:, some][rank]
        for leg in range(order):
            dense = np.moveaxis(np.tensordot(matrix, dense, axes=(1, leg)), 0, leg)
        out[:, some] = dense[tuple(unique.T)]
    return out
