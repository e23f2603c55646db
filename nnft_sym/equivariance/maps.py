"""Equivariant linear maps: all W with W ρ_in(g) = ρ_out(g) W.

The generators suffice: ρ_out(g)W = Wρ_in(g) for the finite ones, ρ_out(A)W = Wρ_in(A) for the
Lie algebra [F21].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import sympy as sp
from sympy.polys.domains import QQ
from sympy.polys.domains.domain import Domain
from sympy.polys.matrices import DomainMatrix

from nnft_sym.group_theory.exact_matrices import add_multiple
from nnft_sym.group_theory.null_spaces import Equation, null_space
from nnft_sym.group_theory.orbits import orbit_vectors
from nnft_sym.group_theory.projections import fixed_vectors
from nnft_sym.group_theory.representations import Representation, trivial
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.mathml import Written

__all__ = ["EquivariantBasis", "bias_basis", "equivariant_basis"]

MOST_UNKNOWNS = 10_000
"""Entries of W up to which elimination is exact unless asked otherwise."""

LARGEST_PRINTED = 12

Method = Literal["auto", "exact", "numeric"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EquivariantBasis(Written):
    """A basis B_1 ... B_k of the linear maps that commute with a group.

    Parameters
    ----------
    rho_in, rho_out : Representation
        The representations on the two sides.
    vectors : tuple of dict, or None
        Exact basis: entry i·dim_in + j of each map to its value in ``domain``.
    domain : Domain or None
        The field of the values.
    numeric : ndarray of shape (k, dim_out, dim_in), or None
        Orthonormal basis where it was found numerically.
    residual : float
        Largest |ρ_out(g)B - Bρ_in(g)| over generators and basis; 0 for an exact basis.
    """

    rho_in: Representation
    rho_out: Representation
    vectors: tuple[Mapping[int, Any], ...] | None
    domain: Domain | None
    numeric: np.ndarray | None = None
    residual: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the maps."""
        return self.rho_out.dimension, self.rho_in.dimension

    @property
    def dimension(self) -> int:
        """k: how many free weights an equivariant layer has."""
        if self.vectors is not None:
            return len(self.vectors)
        assert self.numeric is not None
        return len(self.numeric)

    @property
    def is_exact(self) -> bool:
        """Whether the basis is proved rather than computed to a residual."""
        return self.vectors is not None

    @cached_property
    def matrices(self) -> tuple[sp.ImmutableMatrix, ...]:
        """The maps as exact matrices.

        Raises
        ------
        NotDerivedError
            If the basis is numeric.
        """
        return tuple(self._matrix(v) for v in self._exact_vectors())

    def _exact_vectors(self) -> tuple[Mapping[int, Any], ...]:
        if self.vectors is None:
            raise NotDerivedError(
                expected="an exact basis",
                came=f"a numeric one with residual {self.residual:.1e}",
                remedy="use .array(), or method='exact'",
            )
        return self.vectors

    def _matrix(self, vector: Mapping[int, Any]) -> sp.ImmutableMatrix:
        assert self.domain is not None
        columns = self.shape[1]
        entries = {divmod(k, columns): self.domain.to_sympy(v) for k, v in vector.items()}
        return sp.ImmutableMatrix(sp.SparseMatrix(*self.shape, entries))

    @property
    def weights(self) -> tuple[sp.Symbol, ...]:
        """The free weights a_1 ... a_k."""
        return tuple(sp.Symbol(f"a_{k + 1}", real=True) for k in range(self.dimension))

    @cached_property
    def pattern(self) -> sp.ImmutableMatrix:
        """The pattern of shared weights, W = Σ_k a_k B_k.

        Raises
        ------
        NotDerivedError
            If the basis is numeric.
        """
        total = sp.zeros(*self.shape)
        for weight, matrix in zip(self.weights, self.matrices, strict=True):
            total += weight * matrix
        return sp.ImmutableMatrix(total)

    def array(self) -> np.ndarray:
        """The basis as floats, of shape (k, dim_out, dim_in)."""
        if self.vectors is None:
            assert self.numeric is not None
            return self.numeric.copy()
        assert self.domain is not None
        flat = np.zeros((self.dimension, self.shape[0] * self.shape[1]))
        for row, vector in zip(flat, self.vectors, strict=True):
            values = [float(self.domain.to_sympy(value)) for value in vector.values()]
            row[list(vector)] = values
        return flat.reshape(self.dimension, *self.shape)

    def orthonormal(self) -> np.ndarray:
        """An orthonormal basis, Tr B_kᵀB_l = δ_kl, of shape (k, dim_out, dim_in)."""
        if self.vectors is None:
            return self.array()
        flat = self.array().reshape(self.dimension, self.shape[0] * self.shape[1])
        return np.linalg.qr(flat.T)[0].T.reshape(self.dimension, *self.shape)

    def latex(self) -> str:
        """The maps with their pattern of shared weights, where it is small enough to print."""
        hom = (
            rf"\mathrm{{Hom}}_{{{self.rho_in.group.latex}}}"
            rf"({self.rho_in.latex_name}, {self.rho_out.latex_name})"
        )
        line = rf"\dim {hom} = {self.dimension}"
        if self.is_exact and max(self.shape) <= LARGEST_PRINTED:
            line += rf",\quad W = {sp.latex(self.pattern)}"
        return line

    def __repr__(self) -> str:
        how = "exact" if self.is_exact else f"residual {self.residual:.1e}"
        return (
            f"EquivariantBasis({self.rho_in.name} -> {self.rho_out.name} of "
            f"{self.rho_in.group.name}, dimension {self.dimension}, {how})"
        )


def equivariant_basis(
    rho_in: Representation, rho_out: Representation, *, method: Method = "auto"
) -> EquivariantBasis:
    """All linear maps that commute with a group: ρ_out(g) W = W ρ_in(g).

    Parameters
    ----------
    rho_in, rho_out : Representation
        Representations of one group.
    method : {"auto", "exact", "numeric"}
        "exact": orbits where every generator is a signed permutation, else verified elimination;
        "numeric": a block Krylov projection onto the null space, with its residual, for large
        representations. "auto" is exact for signed permutations, else up to 10 000 entries of W.

    Returns
    -------
    EquivariantBasis
        ``.dimension``, ``.matrices`` (exact), ``.pattern`` of shared weights, ``.array()``.

    Raises
    ------
    SpecificationError
        If the groups differ.
    AccuracyError
        If the numeric projection does not separate the null space, or does not fit in memory.

    Source: Finzi, Welling, Wilson 2104.09459, sections 4 and 5 [F21].

    Examples
    --------
    >>> from nnft_sym.groups import Zn
    >>> from nnft_sym.group_theory.representations import regular
    >>> equivariant_basis(regular(Zn(3)), regular(Zn(3))).pattern
    Matrix([
    [a_1, a_2, a_3],
    [a_3, a_1, a_2],
    [a_2, a_3, a_1]])
    """
    if rho_in.group != rho_out.group:
        raise SpecificationError(
            expected=f"two representations of {rho_in.group.name}",
            came=f"one of {rho_out.group.name}",
            remedy="a map is equivariant under one group",
        )
    if method not in ("auto", "exact", "numeric"):
        raise SpecificationError(
            expected="method 'auto', 'exact' or 'numeric'",
            came=repr(method),
            remedy="choose one of them",
        )
    unknowns = rho_in.dimension * rho_out.dimension
    permuted = orbit_vectors(rho_in, rho_out) if method != "numeric" else None
    if permuted is not None:
        return EquivariantBasis(rho_in=rho_in, rho_out=rho_out, vectors=permuted, domain=QQ)
    if method == "exact" or (method == "auto" and unknowns <= MOST_UNKNOWNS):
        domain, equations = _equations(rho_in, rho_out)
        vectors = null_space(equations, unknowns, domain)
        return EquivariantBasis(rho_in=rho_in, rho_out=rho_out, vectors=vectors, domain=domain)
    found = fixed_vectors(rho_in, rho_out)
    return EquivariantBasis(
        rho_in=rho_in,
        rho_out=rho_out,
        vectors=None,
        domain=None,
        numeric=found.basis,
        residual=found.residual,
    )


def bias_basis(rho: Representation) -> EquivariantBasis:
    """All biases an equivariant layer may have: vectors with ρ(g) b = b, as maps from R^1.

    Examples
    --------
    >>> from nnft_sym.groups import Sn
    >>> from nnft_sym.group_theory.representations import defining
    >>> bias_basis(defining(Sn(3))).pattern.T
    Matrix([[a_1, a_1, a_1]])
    """
    return equivariant_basis(trivial(rho.group), rho)


def _equations(rho_in: Representation, rho_out: Representation) -> tuple[Domain, list[Equation]]:
    """The entries of ρ_out W - W ρ_in for a generating set, as equations in the entries of W."""
    pairs = [
        (rho_in.exact_algebra[a], rho_out.exact_algebra[a]) for a in rho_in.group.lie_generators
    ]
    pairs += zip(rho_in.exact_finite, rho_out.exact_finite, strict=True)
    shared: list[DomainMatrix] = (
        DomainMatrix.unify(*(m for pair in pairs for m in pair)) if pairs else []
    )
    equations: list[Equation] = []
    for right, left in zip(shared[::2], shared[1::2], strict=True):
        equations += _commutation(left, right)
    return (shared[0].domain if shared else QQ), equations


def _commutation(left: DomainMatrix, right: DomainMatrix) -> list[Equation]:
    """L W - W R = 0, entry by entry."""
    columns = right.shape[0]
    rows: dict[tuple[int, int], Equation] = {}
    for (i, k), value in left.iter_items():
        for j in range(columns):
            add_multiple(rows.setdefault((i, j), {}), {k * columns + j: value}, left.domain.one)
    for (k, j), value in right.iter_items():
        for i in range(left.shape[0]):
            add_multiple(rows.setdefault((i, j), {}), {i * columns + k: value}, -left.domain.one)
    return list(rows.values())
