"""Totally symmetric tensors, stored by their unique entries.

A symmetric tensor of order k over m indices has C(m+k-1, k) unique entries, one for each
multi-index i_1 <= i_2 <= ... <= i_k.  They are kept in colexicographic order, in which the rank
of a multi-index does not depend on m:

    rank(i_1 <= ... <= i_k) = sum_j C(i_j + j - 1, j),     j = 1..k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations_with_replacement
from math import comb, factorial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = ["SymmetricTensor", "multi_indices", "multiplicities", "rank_of"]

SHOWN = 12
"""Entries that a tensor shows of itself."""


@lru_cache(maxsize=128)
def multi_indices(order: int, dimension: int) -> NDArray[np.intp]:
    """The unique multi-indices i_1 <= ... <= i_k, as rows in colexicographic order.

    Examples
    --------
    >>> multi_indices(2, 2).tolist()
    [[0, 0], [0, 1], [1, 1]]
    """
    rows = list(combinations_with_replacement(range(dimension), order))
    rows.sort(key=lambda row: row[::-1])
    table = np.array(rows, dtype=np.intp).reshape(len(rows), order)
    table.setflags(write=False)
    return table


@lru_cache(maxsize=128)
def multiplicities(order: int, dimension: int) -> NDArray[np.float64]:
    """How many entries of the dense tensor each unique entry stands for: k!/prod(n_i!).

    Examples
    --------
    >>> multiplicities(2, 2).tolist()
    [1.0, 2.0, 1.0]
    """
    table = multi_indices(order, dimension)
    counts = np.full(len(table), float(factorial(order)))
    if order:
        run = np.ones(len(table))
        for j in range(1, order):
            run = np.where(table[:, j] == table[:, j - 1], run + 1, 1)
            counts /= run
    counts.setflags(write=False)
    return counts


@lru_cache(maxsize=128)
def _binomials(order: int, dimension: int) -> NDArray[np.intp]:
    """C(i + j, j + 1) for slot j (rows) and index i (columns)."""
    return np.array(
        [[comb(i + j, j + 1) for i in range(dimension)] for j in range(order)], dtype=np.intp
    ).reshape(order, dimension)


def _appended(indices: NDArray[np.intp], last: int) -> NDArray[np.intp]:
    """Multi-indices with one more index, the same in all rows."""
    return np.hstack([indices, np.full((len(indices), 1), last, dtype=np.intp)])


def rank_of(indices: ArrayLike, dimension: int) -> NDArray[np.intp]:
    """Position of each multi-index (last axis, in any order) among the unique entries.

    Examples
    --------
    >>> rank_of([[1, 0], [1, 1]], dimension=2).tolist()
    [1, 2]
    """
    rows = np.sort(np.asarray(indices, dtype=np.intp), axis=-1)
    order = rows.shape[-1]
    table = _binomials(order, dimension)
    rank = np.zeros(rows.shape[:-1], dtype=np.intp)
    for slot in range(order):
        rank += table[slot, rows[..., slot]]
    return rank


@dataclass(frozen=True, eq=False)
class SymmetricTensor(Shown):
    """A totally symmetric tensor T_{i_1...i_k} held by its unique entries.

    Parameters
    ----------
    order : int
        k: number of indices, at least 0.
    dimension : int
        m: number of values of each index, at least 1.
    entries : array_like, shape (C(m+k-1, k),)
        Unique entries in colexicographic order of ``multi_indices(order, dimension)``.

    Raises
    ------
    SpecificationError
        If the number of entries is not C(m+k-1, k).

    Examples
    --------
    >>> T = SymmetricTensor(2, 2, [1.0, 5.0, 2.0])
    >>> T.dense.tolist()
    [[1.0, 5.0], [5.0, 2.0]]
    >>> float(T[1, 0])
    5.0
    """

    order: int
    dimension: int
    entries: NDArray[Any]

    def __post_init__(self) -> None:
        if self.order < 0 or self.dimension < 1:
            raise SpecificationError(
                expected="an order of at least 0 and a dimension of at least 1",
                came=f"order {self.order}, dimension {self.dimension}",
                remedy="count the indices and the points again",
            )
        entries = np.array(self.entries)
        unique = comb(self.dimension + self.order - 1, self.order)
        if entries.shape != (unique,):
            raise SpecificationError(
                expected=f"{unique} unique entries for order {self.order} over {self.dimension}",
                came=f"an array of shape {entries.shape}",
                remedy="use SymmetricTensor.from_dense for a dense array",
            )
        entries.setflags(write=False)
        object.__setattr__(self, "entries", entries)

    @classmethod
    def from_dense(cls, array: ArrayLike, *, rtol: float = 1e-12) -> SymmetricTensor:
        """Build from a dense array, refusing one that is not symmetric within ``rtol``.

        Examples
        --------
        >>> SymmetricTensor.from_dense([[1.0, 5.0], [5.0, 2.0]]).entries.tolist()
        [1.0, 5.0, 2.0]
        """
        dense = np.asarray(array)
        order = dense.ndim
        dimension = dense.shape[0] if order else 1
        if any(size != dimension for size in dense.shape):
            raise SpecificationError(
                expected="an array with all axes of the same length",
                came=f"shape {dense.shape}",
                remedy="pass one axis for each index, each over the same points",
            )
        table = multi_indices(order, dimension)
        tensor = cls(order, dimension, dense[tuple(table.T)] if order else dense.reshape(1))
        if dense.dtype != object:
            scale = np.max(np.abs(dense), initial=0.0)
            if np.any(np.abs(tensor.dense - dense) > rtol * scale):
                raise SpecificationError(
                    expected=f"an array symmetric to {rtol:g} of its largest entry",
                    came="an array that changes when its axes are permuted",
                    remedy="symmetrise it first",
                )
        return tensor

    @classmethod
    def from_function(
        cls, order: int, dimension: int, function: Callable[..., Any]
    ) -> SymmetricTensor:
        """Build entry by entry from a function of k indices.

        Examples
        --------
        >>> SymmetricTensor.from_function(2, 2, lambda i, j: i + j).entries.tolist()
        [0, 1, 2]
        """
        values = [function(*map(int, row)) for row in multi_indices(order, dimension)]
        return cls(order, dimension, np.array(values))

    @property
    def indices(self) -> NDArray[np.intp]:
        """Unique multi-indices, one row for each entry."""
        return multi_indices(self.order, self.dimension)

    @property
    def multiplicities(self) -> NDArray[np.float64]:
        """Number of dense entries that each unique entry stands for."""
        return multiplicities(self.order, self.dimension)

    @cached_property
    def dense(self) -> NDArray[Any]:
        """The full array of shape (m,)*k, read-only and built when first asked for."""
        if self.order == 0:
            full = self.entries.reshape(())
        else:
            grid = np.indices((self.dimension,) * self.order)
            full = self.entries[rank_of(np.moveaxis(grid, 0, -1), self.dimension)]
        full.setflags(write=False)
        return full

    def gather(self, indices: ArrayLike) -> NDArray[Any]:
        """Entries at multi-indices given along the last axis, in any order of the slots.

        Examples
        --------
        >>> SymmetricTensor(2, 2, [1.0, 5.0, 2.0]).gather([[1, 0], [1, 1]]).tolist()
        [5.0, 2.0]
        """
        return self.entries[rank_of(indices, self.dimension)]

    def __getitem__(self, index: int | tuple[int, ...]) -> Any:
        slots = index if isinstance(index, tuple) else (index,)
        valid = len(slots) == self.order and all(
            isinstance(i, (int, np.integer)) and -self.dimension <= i < self.dimension
            for i in slots
        )
        if not valid:
            raise SpecificationError(
                expected=f"{self.order} integer indices below {self.dimension}",
                came=f"{index!r}",
                remedy="use .dense for slices",
            )
        return self.gather([[i % self.dimension for i in slots]])[0]

    def __iter__(self) -> Iterator[tuple[tuple[int, ...], Any]]:
        """Pairs (multi-index, entry) over the unique entries."""
        for row, value in zip(self.indices, self.entries, strict=True):
            yield tuple(map(int, row)), value

    def __len__(self) -> int:
        return len(self.entries)

    def map(self, function: Callable[[NDArray[Any]], ArrayLike]) -> SymmetricTensor:
        """Apply a vectorised function to the unique entries."""
        return SymmetricTensor(self.order, self.dimension, np.asarray(function(self.entries)))

    def __add__(self, other: SymmetricTensor) -> SymmetricTensor:
        if not isinstance(other, SymmetricTensor):
            return NotImplemented
        if (other.order, other.dimension) != (self.order, self.dimension):
            raise SpecificationError(
                expected=f"a tensor of order {self.order} over {self.dimension}",
                came=f"order {other.order} over {other.dimension}",
                remedy="add tensors over the same points only",
            )
        return SymmetricTensor(self.order, self.dimension, self.entries + other.entries)

    def __mul__(self, factor: Any) -> SymmetricTensor:
        if isinstance(factor, SymmetricTensor):
            return NotImplemented
        return SymmetricTensor(self.order, self.dimension, self.entries * factor)

    __rmul__ = __mul__

    def __neg__(self) -> SymmetricTensor:
        return self * -1

    def __sub__(self, other: SymmetricTensor) -> SymmetricTensor:
        return self + (-other)

    def contract(self, vector: ArrayLike, times: int = 1) -> SymmetricTensor:
        """Contract ``times`` indices with a vector: sum_i v_i T_{i...}.

        Examples
        --------
        >>> SymmetricTensor(2, 2, [1.0, 5.0, 2.0]).contract([1.0, 1.0], times=2).entries.tolist()
        [13.0]
        """
        v = np.asarray(vector)
        if v.shape != (self.dimension,) or not 0 <= times <= self.order:
            raise SpecificationError(
                expected=f"a vector of length {self.dimension}, at most {self.order} times",
                came=f"shape {v.shape}, {times} times",
                remedy="match the vector to the points of the tensor",
            )
        tensor = self
        for _ in range(times):
            lower = multi_indices(tensor.order - 1, tensor.dimension)
            total = np.zeros(len(lower), dtype=np.result_type(tensor.entries, v))
            for i in range(tensor.dimension):
                total = total + v[i] * tensor.gather(_appended(lower, i))
            tensor = SymmetricTensor(tensor.order - 1, tensor.dimension, total)
        return tensor

    def inner(self, other: SymmetricTensor) -> Any:
        """Full contraction sum over all indices of T_{i...} U_{i...}.

        Examples
        --------
        >>> T = SymmetricTensor(2, 2, [1.0, 5.0, 2.0])
        >>> float(T.inner(T))
        55.0
        """
        if (other.order, other.dimension) != (self.order, self.dimension):
            raise SpecificationError(
                expected=f"a tensor of order {self.order} over {self.dimension}",
                came=f"order {other.order} over {other.dimension}",
                remedy="contract tensors over the same points only",
            )
        return np.sum(self.multiplicities * self.entries * other.entries)

    def norm(self) -> float:
        """Frobenius norm of the dense tensor."""
        return float(np.sqrt(self.inner(self)))

    def transform(self, matrix: ArrayLike) -> SymmetricTensor:
        """Apply one matrix to every index: sum A_{i a} A_{j b} ... T_{a b ...}.

        Examples
        --------
        >>> SymmetricTensor(2, 2, [1.0, 5.0, 2.0]).transform([[0, 1], [1, 0]]).entries.tolist()
        [2.0, 5.0, 1.0]
        """
        rows = np.asarray(matrix)
        out, start = len(rows), self.dimension
        # One index at a time; those done and those left are each symmetric, and stored as such.
        part = self.entries.reshape(1, -1)
        for done in range(self.order):
            left = self.order - done - 1
            inner = multi_indices(left, start)
            slots = np.stack([rank_of(_appended(inner, i), start) for i in range(start)])
            opened = np.tensordot(part[:, slots], rows, axes=(1, 1))
            outer = multi_indices(done + 1, out)
            part = opened[rank_of(outer[:, :-1], out), :, outer[:, -1]]
        return SymmetricTensor(self.order, out, part.reshape(-1))

    def _table(self) -> Table:
        indices = multi_indices(self.order, self.dimension)[:SHOWN]
        rows = ((",".join(map(str, row)), f"{self[tuple(row)]}") for row in indices.tolist())
        more = len(self.entries) - len(indices)
        return Table(
            title=repr(self),
            header=("indices", "entry"),
            rows=tuple(rows),
            notes=(f"and {more} more",) * bool(more),
        )

    def __repr__(self) -> str:
        return (
            f"SymmetricTensor(order={self.order}, dimension={self.dimension}, "
            f"{len(self.entries)} unique entries)"
        )
