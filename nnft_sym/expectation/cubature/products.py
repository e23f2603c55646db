"""Sums over nodes of all products of k functions, by matrix products of half-products."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Products"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Products:
    r"""Plan to evaluate S_{a_1...a_k} = sum_q w_q F_{a_1 q} ... F_{a_k q} for many multi-indices.

    Each product of k factors is split in halves, so that all sums over nodes are products of
    two matrices of half-products.

    Parameters
    ----------
    orders : ndarray of int, shape (U,)
        k of each multi-index, all orders one after the other.
    left, right : dict
        For each k the positions of the two halves among the half-products.
    parents, lasts : dict
        For each length m of a half-product: the product of m - 1 factors that it extends, and
        by which factor.

    Examples
    --------
    >>> plan = Products.of({2: np.array([[0, 0], [0, 1]])}, points=2)
    >>> F = np.array([[[1.0, 2.0], [3.0, 4.0]]])
    >>> plan.sums(plan.halves(F), np.ones((1, 2))).tolist()
    [[5.0, 11.0]]
    """

    orders: Indices
    left: dict[int, Indices]
    right: dict[int, Indices]
    parents: dict[int, Indices]
    lasts: dict[int, Indices]

    @classmethod
    def of(cls, index_sets: Mapping[int, Indices], points: int) -> Products:
        """Plan the products of the multi-indices given for each order."""
        needed: dict[int, set[tuple[int, ...]]] = {}
        for k, rows in index_sets.items():
            for row in np.sort(rows, axis=1).tolist():
                for half in (tuple(row[: (k + 1) // 2]), tuple(row[(k + 1) // 2 :])):
                    while half not in needed.setdefault(len(half), set()):
                        needed[len(half)].add(half)
                        half = half[:-1]
        needed[0] = {()}
        needed[1] = {(a,) for a in range(points)}
        tables = {m: sorted(rows) for m, rows in sorted(needed.items())}
        position = {row: i for rows in tables.values() for i, row in enumerate(rows)}
        left, right = {}, {}
        for k, rows in index_sets.items():
            split = (k + 1) // 2
            ordered = [tuple(row) for row in np.sort(rows, axis=1).tolist()]
            left[k] = np.array([position[row[:split]] for row in ordered], dtype=np.intp)
            right[k] = np.array([position[row[split:]] for row in ordered], dtype=np.intp)
        higher = [m for m in tables if m > 1]
        return cls(
            orders=np.repeat(list(index_sets), [len(rows) for rows in index_sets.values()]),
            left=left,
            right=right,
            parents={m: np.array([position[r[:-1]] for r in tables[m]]) for m in higher},
            lasts={m: np.array([r[-1] for r in tables[m]]) for m in higher},
        )

    @property
    def widest(self) -> int:
        """Largest number of half-products of one length."""
        return max([1, *(len(rows) for rows in self.parents.values())])

    def halves(self, F: Floats) -> dict[int, Floats]:
        """Form all half-products of functions F, shape (T, s, Q), by their length."""
        table = {0: np.ones((F.shape[0], 1, F.shape[2])), 1: F}
        for m, parents in self.parents.items():
            table[m] = table[m - 1][:, parents] * F[:, self.lasts[m]]
        return table

    def sums(self, halves: dict[int, Floats], weights: Floats) -> Floats:
        """Sum with weights of shape (T, Q); the result has shape (T, U)."""
        columns = []
        for k, left in self.left.items():
            first, second = halves[(k + 1) // 2], halves[k // 2]
            grid = np.matmul(first * weights[:, None, :], np.swapaxes(second, 1, 2))
            columns.append(grid[:, left, self.right[k]])
        return np.concatenate(columns, axis=1)

    def absolute(self, halves: dict[int, Floats], weights: Floats, values: Floats) -> Floats:
        """Sum the absolute values of the products whose sums are ``values``."""
        if np.all(halves[1] >= 0):
            return values
        return self.sums({m: np.abs(rows) for m, rows in halves.items()}, weights)
