"""Equivariant maps by a block Krylov method, for representations beyond elimination.

The null space of L = Σ_g D_gᵀD_g with D_g(W) = ρ_out(g)W - Wρ_in(g) is separated by a Chebyshev
filter on a block of random maps: only products with sparse generators are needed, and the block,
being random, meets every direction of the null space.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import acosh, ceil
from typing import TYPE_CHECKING

import numpy as np
from sympy.polys.matrices import DomainMatrix

from nnft_sym.group_theory.representations import Representation
from nnft_sym.language.errors import AccuracyError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["FixedVectors", "fixed_vectors"]

ZERO = 1e-10
"""|D W|/|D| below which a map of norm 1 counts as equivariant."""

APART = 1e-3
"""|D W|/|D| above which it counts as not: the gap of L must exceed 10⁻⁶ of its norm."""

GAIN = 30.0
"""Factor by which a round of the filter brings the null space forward."""

SETTLED = 0.02
"""Relative change of the gap in a round: a map not yet separated would change by GAIN²."""

ROUNDS = 60
FIRST_BLOCK = 16
MEMORY = 2e9
"""Bytes that the block and its images may take."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedVectors:
    """An orthonormal basis of maps and how far they are from commuting with the generators.

    Parameters
    ----------
    basis : ndarray of shape (k, dim_out, dim_in)
        The maps, Tr B_kᵀB_l = δ_kl.
    residual : float
        Largest norm of ρ_out(g)B - Bρ_in(g) over generators and basis.
    """

    basis: np.ndarray
    residual: float


def fixed_vectors(rho_in: Representation, rho_out: Representation) -> FixedVectors:
    """Return the maps that commute with all generators, to the residual stated.

    Raises
    ------
    AccuracyError
        If blocks take more than 2 GB, or no gap above the null space is seen.
    """
    algebra = zip(rho_in.exact_algebra, rho_out.exact_algebra, strict=True)
    finite = zip(rho_in.exact_finite, rho_out.exact_finite, strict=True)
    pairs = [(_sparse(right), _sparse(left)) for right, left in (*algebra, *finite)]
    system = _System(pairs=pairs, rows=rho_out.dimension, columns=rho_in.dimension)
    block = FIRST_BLOCK
    while True:
        block = min(block, system.size)
        found = system.null_space(block)
        if found is not None:
            return found
        block *= 2


@dataclass(frozen=True, kw_only=True, eq=False)
class _System:
    """The operator L on blocks of maps, of shape (rows, block, columns)."""

    pairs: list[tuple[csr_array, csr_array]]
    rows: int
    columns: int

    @property
    def size(self) -> int:
        return self.rows * self.columns

    @property
    def bound(self) -> float:
        """An upper bound of the norm of L, from |A|² <= |A|_1 |A|_∞."""
        return sum((_norm(right) + _norm(left)) ** 2 for right, left in self.pairs)

    def defects(self, block: np.ndarray) -> list[np.ndarray]:
        return [_left(left, block) - _right(block, right) for right, left in self.pairs]

    def apply(self, block: np.ndarray) -> np.ndarray:
        total = np.zeros_like(block)
        for (right, left), defect in zip(self.pairs, self.defects(block), strict=True):
            total += _left(left.T, defect) - _right(defect, right.T)
        return total

    def null_space(self, count: int) -> FixedVectors | None:
        """Filter a block of ``count`` maps; None if it is too small to show a gap."""
        if 8.0 * self.size * count * 6 > MEMORY:
            raise AccuracyError(
                expected=f"blocks of at most {MEMORY / 1e9:.0f} GB",
                came=f"{count} maps of shape {(self.rows, self.columns)}",
                remedy="use smaller representations, or method='exact' with sparse generators",
            )
        bound = self.bound
        if bound == 0:
            return FixedVectors(
                basis=np.eye(self.size).reshape(-1, self.rows, self.columns), residual=0.0
            )
        rng = np.random.default_rng(0)
        block = self._orthonormal(rng.normal(size=(self.rows, count, self.columns)))
        cut, gap, top = bound / 4, 0.0, np.inf
        for _ in range(ROUNDS):
            block, ritz, residuals = self._ritz(self._filtered(block, cut, bound))
            small = residuals <= ZERO * np.sqrt(bound)
            number = int(small.sum())
            if number == count:
                if count < self.size:
                    return None
                return _found(block, residuals, small)
            before, gap = gap, float(ritz[~small].min())
            settled = abs(gap - before) < SETTLED * gap
            if settled and np.all(small | (residuals >= APART * np.sqrt(bound))):
                return _found(block, residuals, small)
            if ritz[-1] > top / 2:  # what is left above 0 does not shrink: filter closer to it
                cut = min(max(float(ritz[-1]), APART**2 * bound), bound / 4)
            top = float(ritz[-1])
        raise AccuracyError(
            expected="a gap between equivariant maps and the others",
            came=f"{number} maps below, others not separated after {ROUNDS} rounds",
            remedy="use method='exact'",
        )

    def _filtered(self, block: np.ndarray, cut: float, bound: float) -> np.ndarray:
        """A Chebyshev polynomial of L, 1 at 0 and at most 1/GAIN on [cut, bound]."""
        degree = ceil(acosh(GAIN) / acosh((bound + cut) / (bound - cut)))
        centre, half = (bound + cut) / 2, (bound - cut) / 2
        previous, scale = block, -half / centre
        ratio = scale
        current = (self.apply(block) - centre * block) * (ratio / half)
        for _ in range(degree - 1):
            fresh = 1 / (2 / scale - ratio)
            following = (self.apply(current) - centre * current) * (2 * fresh / half)
            previous, current = current, following - ratio * fresh * previous
            ratio = fresh
        return current

    def _ritz(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rotate an orthonormalised block to Ritz vectors; their values and defects."""
        flat = self._flat(self._orthonormal(block))
        shaped = self._shaped(flat)
        defects = [self._flat(d) for d in self.defects(shaped)]
        gram = sum(d.T @ d for d in defects)
        ritz, rotation = np.linalg.eigh(gram)
        residuals = np.sqrt(sum(np.sum((d @ rotation) ** 2, axis=0) for d in defects))
        return self._shaped(flat @ rotation), ritz, residuals

    def _flat(self, block: np.ndarray) -> np.ndarray:
        return np.moveaxis(block, 1, 2).reshape(self.size, -1)

    def _shaped(self, flat: np.ndarray) -> np.ndarray:
        return np.moveaxis(flat.reshape(self.rows, self.columns, -1), 2, 1).copy()

    def _orthonormal(self, block: np.ndarray) -> np.ndarray:
        return self._shaped(np.linalg.qr(self._flat(block))[0])


def _found(block: np.ndarray, residuals: np.ndarray, small: np.ndarray) -> FixedVectors:
    basis = np.moveaxis(block[:, small], 1, 0)
    return FixedVectors(basis=basis, residual=float(residuals[small].max(initial=0.0)))


def _left(matrix: csr_array, block: np.ndarray) -> np.ndarray:
    return (matrix @ block.reshape(block.shape[0], -1)).reshape(block.shape)


def _right(block: np.ndarray, matrix: csr_array) -> np.ndarray:
    return (block.reshape(-1, block.shape[2]) @ matrix).reshape(block.shape)


def _norm(matrix: csr_array) -> float:
    sizes = abs(matrix)
    return float(np.sqrt(sizes.sum(axis=0).max() * sizes.sum(axis=1).max()))


def _sparse(matrix: DomainMatrix) -> csr_array:
    from scipy.sparse import csr_array

    entries = [(i, j, float(matrix.domain.to_sympy(v))) for (i, j), v in matrix.iter_items()]
    rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    return csr_array((values, (rows, columns)), shape=matrix.shape, dtype=float)
