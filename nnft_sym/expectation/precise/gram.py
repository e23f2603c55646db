"""Covariances of Gaussian fields to many digits, with equal and collinear points kept exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import mpmath
import sympy as sp

from nnft_sym.expectation.precise.numbers import number

__all__ = ["PreciseGram", "Support"]

Matrix = list[list[mpmath.mpf]]

_LOST = 8
"""Digits that rounding may take: smaller minors are those of collinear points."""


@dataclass(frozen=True, kw_only=True)
class Support:
    """The distinct points of an entry whose fields vary, and how often each occurs.

    Parameters
    ----------
    K, D : list of list of mpf
        Their covariances and 2×2 minors.
    slots : tuple of int
        The point of each factor that varies.
    fixed : int
        Number of factors at points of zero variance.
    """

    K: Matrix
    D: Matrix
    slots: tuple[int, ...]
    fixed: int

    def spread(self) -> tuple[Matrix, Matrix]:
        """K and D over the factors, repeated points repeated."""
        K = [[self.K[a][b] for b in self.slots] for a in self.slots]
        return K, [[self.D[a][b] for b in self.slots] for a in self.slots]

    def vectors(self) -> list[list[mpmath.mpf]]:
        """v_a with K_ab = v_a·v_b, of as many components as the numerical rank (Cholesky)."""
        n = len(self.K)
        rest = [row[:] for row in self.K]
        columns: list[list[mpmath.mpf]] = []
        left = set(range(n))
        while left:
            pivot = max(left, key=lambda a: rest[a][a] / self.K[a][a])
            if rest[pivot][pivot] <= _tiny() * self.K[pivot][pivot]:
                break
            root = mpmath.sqrt(rest[pivot][pivot])
            column = [rest[a][pivot] / root if a in left else mpmath.mpf(0) for a in range(n)]
            columns.append(column)
            left.discard(pivot)
            for a in left:
                for b in left:
                    rest[a][b] -= column[a] * column[b]
        return [[column[a] for column in columns] for a in range(n)]


@dataclass(frozen=True, kw_only=True, eq=False)
class PreciseGram:
    """K and its 2×2 minors over n points at the working precision.

    Parameters
    ----------
    K, D : list of list of mpf
        Covariances, and K_aa K_bb - K_ab²: exactly 0 for collinear points.
    labels : tuple of int
        For each point the first one that it equals.
    """

    K: Matrix
    D: Matrix
    labels: tuple[int, ...]

    @classmethod
    def from_exact(cls, K: Sequence[Sequence[sp.Expr]], labels: tuple[int, ...]) -> PreciseGram:
        """Covariances as exact numbers: the minors of rational ones are exact.

        Examples
        --------
        >>> one = sp.Rational(1, 3)
        >>> PreciseGram.from_exact([[one, 2 * one], [2 * one, 4 * one]], (0, 1)).D[0][1]
        mpf('0.0')
        """
        rational = all(entry.is_Rational for row in K for entry in row)
        numbers = [[number(entry) for entry in row] for row in K]
        if not rational:
            return cls.from_numbers(numbers, labels)
        D = _symmetric(len(K), lambda a, b: number(K[a][a] * K[b][b] - K[a][b] ** 2))
        return cls(K=numbers, D=D, labels=labels)

    @classmethod
    def from_numbers(cls, K: Matrix, labels: tuple[int, ...]) -> PreciseGram:
        """Covariances known to the working precision, less a few digits."""

        def minor(a: int, b: int) -> mpmath.mpf:
            bound = K[a][a] * K[b][b]
            found = bound - K[a][b] ** 2
            return found if found > _tiny() * bound else mpmath.mpf(0)

        return cls(K=K, D=_symmetric(len(K), minor), labels=labels)

    def support(self, row: Sequence[int]) -> Support:
        """The points of an entry."""
        labels = [self.labels[a] for a in row]
        moving = sorted({a for a in labels if self.K[a][a] > 0})
        place = {a: i for i, a in enumerate(moving)}
        return Support(
            K=[[self.K[a][b] for b in moving] for a in moving],
            D=[[self.D[a][b] for b in moving] for a in moving],
            slots=tuple(sorted(place[a] for a in labels if a in place)),
            fixed=sum(a not in place for a in labels),
        )


def _tiny() -> mpmath.mpf:
    return mpmath.mpf(10) ** (_LOST - mpmath.mp.dps)


def _symmetric(n: int, entry: Callable[[int, int], mpmath.mpf]) -> Matrix:
    matrix = [[mpmath.mpf(0)] * n for _ in range(n)]
    for a, b in combinations(range(n), 2):
        matrix[a][b] = matrix[b][a] = entry(a, b)
    return matrix
