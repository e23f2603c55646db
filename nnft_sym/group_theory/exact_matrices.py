"""Exact sparse matrices over the rationals, or over the number field their entries need.

A matrix is a sympy ``DomainMatrix`` in sparse form; what sympy does not offer for it, or does not
do sparsely, is here: number fields found and refused, Kronecker products, inverses, spans.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from sympy.polys.constructor import construct_domain
from sympy.polys.domains import QQ
from sympy.polys.domains.domain import Domain
from sympy.polys.matrices import DomainMatrix

from nnft_sym.language.errors import SpecificationError

__all__ = [
    "Span",
    "direct_sum",
    "exact_matrix",
    "inverse",
    "kronecker",
    "matrix_key",
    "number_field",
    "read_matrix",
]

Row = dict[Any, Any]
"""A sparse vector: position to non-zero element."""


def number_field(numbers: Iterable[Any]) -> tuple[Domain, list[Any]]:
    """Return the smallest field sympy finds for exact numbers, and the numbers as its elements.

    Raises
    ------
    SpecificationError
        If a number is a float, a symbol or not algebraic.

    Examples
    --------
    >>> number_field([sp.sqrt(3) / 2, 1])[0]
    QQ<sqrt(3)>
    """
    entries = [sp.sympify(number, strict=True) for number in numbers]
    if all(entry.is_Rational for entry in entries):
        return QQ, [QQ.from_sympy(entry) for entry in entries]
    domain, elements = construct_domain(entries, field=True, extension=True)
    if domain.is_QQ or domain.is_AlgebraicField or domain.is_QQ_I:
        return domain, elements
    inexact = next(e for e in entries if e.is_Float or e.free_symbols or not e.is_algebraic)
    raise SpecificationError(
        expected="exact algebraic numbers",
        came=str(inexact),
        remedy="write fractions as sympy.Rational(1, 2) and roots as sympy.sqrt(3)",
    )


def read_matrix(matrix: Any) -> sp.ImmutableMatrix:
    """Return a matrix (nested lists, an array, sympy) of numbers; texts are not read.

    Raises
    ------
    SpecificationError
        If it is no rectangle of numbers.
    """
    if isinstance(matrix, sp.MatrixBase):
        return sp.ImmutableMatrix(matrix)
    try:
        entries = np.array(matrix, dtype=object)
        rows = [[sp.sympify(entry, strict=True) for entry in row] for row in entries]
        if entries.ndim == 2:
            return sp.ImmutableMatrix(rows)
    except (TypeError, ValueError):  # ragged, a number, or what sympy does not know
        pass
    raise SpecificationError(
        expected="a matrix of numbers",
        came=repr(matrix),
        remedy="give rows of equal length, as nested lists or a sympy Matrix",
    )


def exact_matrix(matrix: Any) -> DomainMatrix:
    """Return a matrix as an exact sparse one."""
    if isinstance(matrix, DomainMatrix):
        return matrix
    dense = read_matrix(matrix)
    places = sorted(dense.todok())
    domain, elements = number_field(dense[place] for place in places)
    rows: dict[int, Row] = {}
    for (i, j), element in zip(places, elements, strict=True):
        rows.setdefault(i, {})[j] = element
    return DomainMatrix(rows, dense.shape, domain)


def kronecker(left: DomainMatrix, right: DomainMatrix) -> DomainMatrix:
    """Return A ⊗ B, with (i, k) at row i·rows(B) + k."""
    left, right = left.unify(right)
    (m, n), (p, q) = left.shape, right.shape
    rows: dict[int, Row] = {}
    factors = list(right.iter_items())
    for (i, j), a in left.iter_items():
        for (k, h), b in factors:
            rows.setdefault(i * p + k, {})[j * q + h] = a * b
    return DomainMatrix(rows, (m * p, n * q), left.domain)


def direct_sum(left: DomainMatrix, right: DomainMatrix) -> DomainMatrix:
    """Return A ⊕ B, the block-diagonal matrix."""
    left, right = left.unify(right)
    (m, n), (p, q) = left.shape, right.shape
    rows: dict[int, Row] = {}
    for (i, j), a in left.iter_items():
        rows.setdefault(i, {})[j] = a
    for (i, j), b in right.iter_items():
        rows.setdefault(m + i, {})[n + j] = b
    return DomainMatrix(rows, (m + p, n + q), left.domain)


def inverse(matrix: DomainMatrix, what: str) -> DomainMatrix:
    """Return the inverse; an orthogonal matrix (a permutation, say) is only transposed."""
    transposed = matrix.transpose()
    one = DomainMatrix.eye(matrix.shape, matrix.domain).to_sparse()
    if matrix.shape[0] != matrix.shape[1]:
        raise SpecificationError(
            expected=f"a square matrix for {what}",
            came=f"shape {matrix.shape}",
            remedy="give a matrix of the action on R^n",
        )
    if matrix * transposed == one:
        return transposed
    if matrix.rank() < matrix.shape[0]:
        raise SpecificationError(
            expected=f"an invertible matrix for {what}",
            came=f"rank {matrix.rank()} of {matrix.shape[0]}",
            remedy="elements of a group have inverses: give another matrix",
        )
    return matrix.inv().to_sparse()


def matrix_key(matrix: DomainMatrix) -> Hashable:
    """Return what two equal matrices over one field have in common."""
    return tuple(sorted((place, str(value)) for place, value in matrix.iter_items()))


class Span:
    """The span of sparse vectors over a field, with coordinates in the vectors given.

    Parameters
    ----------
    vectors : sequence of mapping
        Position (any ordered key) to non-zero element.
    one : element
        1 of the field.
    """

    def __init__(self, vectors: Sequence[Mapping[Any, Any]], one: Any) -> None:
        self._rows: dict[Any, tuple[Row, Row]] = {}
        self._one = one
        self._count = 0
        independent = [self.add(vector) for vector in vectors]
        self.dependent = None if all(independent) else independent.index(False)

    def add(self, vector: Mapping[Any, Any]) -> bool:
        """Add a vector; return whether it was independent of those before it."""
        index = self._count
        self._count += 1
        rest, taken = self._reduce(vector)
        if not rest:
            return False
        lead = min(rest)
        scale = self._one / rest[lead]
        combination = {k: -c * scale for k, c in taken.items()} | {index: scale}
        self._rows[lead] = ({k: c * scale for k, c in rest.items()}, combination)
        return True

    def _reduce(self, vector: Mapping[Any, Any]) -> tuple[Row, Row]:
        """Return the part outside the span's echelon form, and the combination taken out."""
        rest, taken = dict(vector), Row()
        kept: Row = {}
        while rest:
            lead = min(rest)
            if lead not in self._rows:
                kept[lead] = rest.pop(lead)
                continue
            row, combination = self._rows[lead]
            factor = rest[lead]
            add_multiple(rest, row, -factor)
            add_multiple(taken, combination, factor)
        return kept, taken

    def coordinates(self, vector: Mapping[Any, Any]) -> Row | None:
        """Return c with vector = Σ c_k v_k, or None if the vector is outside the span."""
        rest, taken = self._reduce(vector)
        return None if rest else taken


def add_multiple(target: Row, row: Mapping[Any, Any], factor: Any) -> None:
    """Add factor·row to target in place, dropping zeros."""
    for key, value in row.items():
        new = target[key] + factor * value if key in target else factor * value
        if new:
            target[key] = new
        else:
            target.pop(key, None)
