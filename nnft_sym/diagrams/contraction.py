"""The value of a diagram over points: symmetric tensors contracted as such.

Each bundle of equal legs or lines is one index over the unique multi-indices of its size, so that
a vertex with k slots never becomes an array of m^k entries unless all its slots go elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import factorial, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_sym.diagrams.diagram import Diagram, Vertex
from nnft_sym.tensors import SymmetricTensor, multi_indices, multiplicities, rank_of

__all__ = ["Contraction", "boxed", "scaled", "symmetric_product"]

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Contraction:
    """Rules of contraction: the tensor of each vertex and the matrix of a line.

    Parameters
    ----------
    tensors : mapping of Vertex to SymmetricTensor
        All over the same m indices.
    line : ndarray, shape (m, m), or None
        Symmetric matrix C_ij of a line; None for the identity.

    Examples
    --------
    >>> quartic = Vertex(4, 2)
    >>> rules = Contraction(tensors={quartic: SymmetricTensor(4, 1, [2.0])})
    >>> loop = Diagram(vertices=(quartic,), legs=(2,), lines=((1,),))
    >>> rules.value(loop).entries.tolist()
    [1.0]
    """

    tensors: Mapping[Vertex, SymmetricTensor]
    line: Array | None = None
    _closed: dict[tuple[Vertex, int], SymmetricTensor] = field(default_factory=dict, repr=False)

    def value(self, diagram: Diagram) -> SymmetricTensor:
        """Return n!/|Aut| times the symmetrised product of vertices and lines, legs bare.

        It is the n-th derivative of the diagram with respect to its legs: the sum over distinct
        labellings, each divided by the symmetry factor of the labelled diagram.
        """
        operands: list[Any] = []
        for v in range(len(diagram.vertices)):
            bundles = _bundles(diagram, v)
            array = _unfolded(self._own_lines_closed(diagram, v), [size for size, _ in bundles])
            for axis, (size, other) in enumerate(bundles):
                if other > v:
                    array = self._with_lines(array, axis, size)
            operands += [array, [_label(v, other) for _, other in bundles]]
        outputs = [_label(v, v) for v, legs in enumerate(diagram.legs) if legs]
        exact = any(array.dtype == object for array in operands[::2])
        product = _array(np.einsum(*operands, outputs, optimize=not exact), exact)
        ends = [legs for legs in diagram.legs if legs]
        total = _shuffled(product, ends, self._dimension)
        share = diagram.symmetry_factor // prod(map(factorial, ends))
        return scaled(SymmetricTensor(diagram.external, self._dimension, total), 1, share)

    @property
    def _dimension(self) -> int:
        return next(iter(self.tensors.values())).dimension

    def _own_lines_closed(self, diagram: Diagram, v: int) -> SymmetricTensor:
        """The vertex with its lines to itself closed."""
        vertex, own = diagram.vertices[v], diagram.lines[v][v]
        if own == 0:
            return self.tensors[vertex]
        if (vertex, own) not in self._closed:
            tensor = self.tensors[vertex]
            for _ in range(own):
                tensor = self._trace(tensor)
            self._closed[vertex, own] = tensor
        return self._closed[vertex, own]

    def _trace(self, tensor: SymmetricTensor) -> SymmetricTensor:
        m, rest = tensor.dimension, tensor.order - 2
        if self.line is None:
            doubles = np.repeat(np.arange(m)[:, None], 2, axis=1)
            weights: Array = np.ones(m)
        else:
            doubles = multi_indices(2, m)
            weights = self.line[doubles[:, 0], doubles[:, 1]] * _counts(2, m, self.line.dtype)
        table = _combined([multi_indices(rest, m), doubles])
        return SymmetricTensor(rest, m, np.dot(tensor.entries[rank_of(table, m)], weights))

    def _with_lines(self, array: Array, axis: int, size: int) -> Array:
        """Multiply one axis, a bundle of so many lines, by the lines."""
        if self.line is not None:
            power = symmetric_power(self.line, size)
            array = np.moveaxis(np.tensordot(power, array, axes=(1, axis)), 0, axis)
        counts = _counts(size, self._dimension, array.dtype)
        return array * counts.reshape(-1, *(1,) * (array.ndim - axis - 1))


def _bundles(diagram: Diagram, v: int) -> list[tuple[int, int]]:
    """Size and other end of the bundles at a vertex: its legs first, with itself as other end."""
    legs = [(diagram.legs[v], v)] if diagram.legs[v] else []
    return legs + [(m, w) for w, m in enumerate(diagram.lines[v]) if m and w != v]


def _label(v: int, w: int) -> int:
    """A number for the bundle between two vertices, or the legs of one."""
    low, high = min(v, w), max(v, w)
    return high * (high + 1) // 2 + low


def _counts(order: int, dimension: int, dtype: Any) -> Array:
    """Multiplicities in numbers that exact entries can be multiplied with."""
    counts = multiplicities(order, dimension)
    return np.array([int(c) for c in counts], dtype=object) if np.dtype(dtype).hasobject else counts


def _combined(tables: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    """All concatenations of one row from each table: shape (*numbers of rows, total order)."""
    grids = []
    for axis, table in enumerate(tables):
        shape = [1] * len(tables)
        shape[axis] = len(table)
        full = tuple(len(other) for other in tables)
        grids.append(np.broadcast_to(table.reshape(*shape, -1), (*full, table.shape[1])))
    return np.concatenate(grids, axis=-1)


def _unfolded(tensor: SymmetricTensor, sizes: Sequence[int]) -> Array:
    """The tensor as an array with one axis for each bundle of indices."""
    if not sizes:
        return tensor.entries.reshape(())
    tables = [multi_indices(size, tensor.dimension) for size in sizes]
    return tensor.gather(_combined(tables))


def _array(value: Any, exact: bool) -> Array:
    """The result of einsum as an array also where it is one exact number."""
    return np.asarray(value) if isinstance(value, np.ndarray) or not exact else boxed([value])


def boxed(values: Sequence[Any]) -> Array:
    """Return exact numbers as an array of objects, not as what numpy would read into them."""
    box = np.empty(len(values), dtype=object)
    box[:] = values
    return box


def scaled(tensor: SymmetricTensor, numerator: int, denominator: int) -> SymmetricTensor:
    """Multiply by a fraction, staying in the ring where the entries are of one.

    Examples
    --------
    >>> scaled(SymmetricTensor(0, 1, [3.0]), 1, 2).entries.tolist()
    [1.5]
    """
    entries = tensor.entries * numerator
    if entries.dtype == object:
        quotients = [_exact_quotient(entry, denominator) for entry in entries]
        return SymmetricTensor(tensor.order, tensor.dimension, boxed(quotients))
    return SymmetricTensor(tensor.order, tensor.dimension, entries / denominator)


def _exact_quotient(entry: Any, divisor: int) -> Any:
    """An entry of a polynomial ring by an integer, in the ring."""
    quotient = getattr(entry, "quo_ground", None)
    return entry / divisor if quotient is None else quotient(divisor)


def _splittings(positions: frozenset[int], sizes: Sequence[int]) -> Iterator[list[list[int]]]:
    """All ways to deal positions into ordered blocks of the given sizes."""
    if not sizes:
        yield []
        return
    for block in combinations(sorted(positions), sizes[0]):
        for rest in _splittings(positions - set(block), sizes[1:]):
            yield [list(block), *rest]


def _shuffled(array: Array, sizes: Sequence[int], dimension: int) -> Array:
    """Sum over all ways to deal the indices of the result to the bundles of legs."""
    if not sizes:
        return array.reshape(1)
    indices = multi_indices(sum(sizes), dimension)
    total: Any = 0
    for blocks in _splittings(frozenset(range(sum(sizes))), sizes):
        total = total + array[tuple(rank_of(indices[:, block], dimension) for block in blocks)]
    return np.asarray(total, dtype=array.dtype)


def symmetric_power(matrix: Array, order: int) -> Array:
    """Return the matrix that a linear map A induces on the unique entries of symmetric tensors.

    Examples
    --------
    >>> symmetric_power(np.array([[0.0, 1.0], [1.0, 0.0]]), 2).tolist()
    [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    m = matrix.shape[1]
    size = len(multi_indices(order, m))
    one = np.array([1], dtype=matrix.dtype)[0]
    columns = []
    for column in range(size):
        unit = np.zeros(size, dtype=matrix.dtype)
        unit[column] = one
        columns.append(SymmetricTensor(order, m, unit).transform(matrix).entries)
    return np.stack(columns, axis=1)


def symmetric_product(factors: Iterable[SymmetricTensor]) -> SymmetricTensor:
    """Sum over all distinct ways to deal k_1 + k_2 + ... indices to the factors.

    It is the derivative of order sum k_i of the product of the forms T_i(f)/k_i!.

    Examples
    --------
    >>> G = SymmetricTensor(2, 1, [1.0])
    >>> symmetric_product([G, G]).entries.tolist()
    [6.0]
    """
    tensors = list(factors)
    dimension = tensors[0].dimension
    operands: list[Any] = []
    for axis, tensor in enumerate(tensors):
        operands += [_unfolded(tensor, [tensor.order][: tensor.order]), [axis][: tensor.order]]
    outputs = [axis for axis, tensor in enumerate(tensors) if tensor.order]
    exact = any(array.dtype == object for array in operands[::2])
    product = _array(np.einsum(*operands, outputs), exact)
    sizes = [tensor.order for tensor in tensors if tensor.order]
    return SymmetricTensor(sum(sizes), dimension, _shuffled(product, sizes, dimension))
