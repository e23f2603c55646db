"""Gaussian fields as vectors: z_a = |v_a| u_a.g, with what a rounded matrix leaves open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnft_sym.expectation.cubature.gram import Gram

__all__ = ["Directions"]

Floats = NDArray[np.float64]
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, kw_only=True, eq=False)
class Directions:
    """Lengths and unit vectors of n fields, one dimension left free for an independent one.

    Parameters
    ----------
    lengths : ndarray, shape (n,)
        sqrt(K_aa).
    units : ndarray, shape (n, r + 1)
        u: the last component is zero; a point of zero variance gets any unit vector.
    defect : float
        Largest error of a correlation u_a . u_b, beyond rounding of the vectors.
    uncertainty : float
        Largest error of the angles of a vector, which the square root of a defect may reach
        where vectors are almost dependent.
    """

    lengths: Floats
    units: Floats
    defect: float
    uncertainty: float

    @classmethod
    def of(cls, gram: Gram) -> Directions:
        """Vectors of the fields of a Gram matrix.

        Examples
        --------
        >>> Directions.of(Gram.from_matrix([[4.0, 2.0], [2.0, 4.0]])).lengths.tolist()
        [2.0, 2.0]
        """
        vectors = gram.factor()
        lengths = np.sqrt(np.maximum(np.diag(gram.matrix), 0.0))
        live = lengths > 0
        units = np.zeros((len(gram), vectors.shape[1] + 1))
        units[live, :-1] = vectors[live] / np.linalg.norm(vectors[live], axis=1, keepdims=True)
        units[~live, -1] = 1.0
        if gram.features is not None:
            return cls(lengths=lengths, units=units, defect=0.0, uncertainty=0.0)
        safe = np.where(live, lengths, 1.0)
        both = np.outer(live, live)
        missed = np.abs(gram.matrix / np.outer(safe, safe) - units @ units.T)[both]
        defect = 4 * _EPS + float(np.max(missed, initial=0.0))
        smallest = np.linalg.svd(units[live], compute_uv=False)[-1:].min(initial=1.0)
        if np.count_nonzero(live) > vectors.shape[1]:
            smallest = 0.0
        spread = defect * len(gram)
        uncertainty = min(np.sqrt(spread), spread / smallest if smallest else np.inf)
        return cls(lengths=lengths, units=units, defect=defect, uncertainty=float(uncertainty))

    def of_rows(self, rows: NDArray[np.intp]) -> Floats:
        """Vectors of the points of each row; where a row has three, the fourth is independent."""
        u = self.units[rows]
        if rows.shape[1] == 4:
            return u
        fourth = np.zeros((len(rows), 1, u.shape[2]))
        fourth[:, :, -1] = 1.0
        return np.concatenate([u, fourth], axis=1)
