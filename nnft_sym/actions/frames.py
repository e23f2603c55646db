"""Coordinates of the field in which a covariance is amputated.

Numbers are whitened, f = L h with G = L Lᵀ, so that lines are the identity and no power of G⁻¹ is
formed before the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_sym.language.errors import InfiniteMomentError, SpecificationError
from nnft_sym.tensors import SymmetricTensor

__all__ = ["Frame", "whitened"]

SINGULAR = 1e-12
"""Eigenvalues of the correlation matrix below this share of the largest count as zero."""

SCALES = (1e-30, 1e30)
"""Standard deviations of fields whose couplings doubles can hold."""

REPEATED = 1e-10
"""How far from 1 the correlation of two fields may be for their points to count as repeated."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """What amputates: matrices between the field f and the coordinates of bare tensors.

    Parameters
    ----------
    enter : ndarray or None
        Matrix applied to each index of a correlator of f, (r, n); None for the identity.
    line : ndarray or None
        C: matrix of a line between bare tensors, (r, r); None for the identity.
    coupling_legs : ndarray
        Matrix applied to each index of a bare coupling, (n, r): g = ĝ with legs.
    correlator_legs : ndarray or None
        Matrix applied to each index of a bare correlator, (n, r); None for the identity.
    precision : SymmetricTensor
        G⁻¹, or its pseudo-inverse.
    half_log_determinant : number or expression
        ½ log det 2πG on the support.
    condition : float or None
        Largest over smallest eigenvalue of the correlation matrix, for numbers.
    projected : ndarray or None
        Unit directions, in rows, along which the field does not fluctuate.
    """

    enter: NDArray[Any] | None
    line: NDArray[Any] | None
    coupling_legs: NDArray[Any]
    correlator_legs: NDArray[Any] | None
    precision: SymmetricTensor
    half_log_determinant: Any
    condition: float | None = None
    projected: NDArray[np.float64] | None = None

    @property
    def rank(self) -> int:
        """r: number of coordinates."""
        return int(self.coupling_legs.shape[1])

    def entered(self, correlator: SymmetricTensor) -> SymmetricTensor:
        """A correlator of f in the coordinates of bare tensors."""
        return correlator if self.enter is None else correlator.transform(self.enter)

    def coupling(self, bare: SymmetricTensor) -> SymmetricTensor:
        """A bare coupling with its legs attached."""
        return bare.transform(self.coupling_legs)

    def correlator(self, bare: SymmetricTensor) -> SymmetricTensor:
        """A bare correlator with its legs attached."""
        legs = self.correlator_legs
        return bare if legs is None else bare.transform(legs)


def whitened(G: SymmetricTensor, *, project: bool, names: list[str]) -> Frame:
    """Return the frame f = L h in which a numerical covariance is the identity.

    Parameters
    ----------
    G : SymmetricTensor
        Covariance of n fields.
    project : bool
        Use the pseudo-inverse where G is singular.
    names : list of str
        What to call the fields in errors.

    Raises
    ------
    SpecificationError
        If G is no covariance, or singular without ``project``.
    InfiniteMomentError
        If G is not finite.

    Examples
    --------
    >>> frame = whitened(SymmetricTensor(2, 1, [4.0]), project=False, names=["f(0)"])
    >>> frame.coupling_legs.tolist(), frame.precision.entries.tolist()
    ([[0.5]], [0.25])
    """
    covariance = np.asarray(G.dense, dtype=np.float64)
    if not np.all(np.isfinite(covariance)):
        raise InfiniteMomentError(
            expected="a finite covariance G",
            came="entries that are infinite or undefined",
            remedy="a theory without a two-point function has no propagator to amputate with",
        )
    scales = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    if np.any((scales > 0) & ((scales < SCALES[0]) | (scales > SCALES[1]))):
        raise SpecificationError(
            expected=f"standard deviations between {SCALES[0]:g} and {SCALES[1]:g}",
            came=f"{np.min(scales[scales > 0]):.3g} to {np.max(scales):.3g}",
            remedy="measure the field in other units",
        )
    divisors = np.where(scales > 0, scales, 1.0)
    correlation = covariance / np.outer(divisors, divisors)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    largest = eigenvalues[-1]
    if eigenvalues[0] < -SINGULAR * max(largest, 1.0) * len(scales):
        raise SpecificationError(
            expected="a covariance G without negative directions",
            came=f"an eigenvalue {eigenvalues[0]:.3g} of its correlation matrix",
            remedy="pass the connected two-point function",
        )
    kept = eigenvalues > SINGULAR * len(scales) * largest
    if np.all(kept):
        lower = divisors[:, None] * np.linalg.cholesky(correlation)
        inverse = np.linalg.inv(lower)
        projected = None
    elif not project or not np.any(kept):
        raise SpecificationError(
            expected="a covariance G that can be inverted",
            came=_singular(correlation, scales, vectors[:, ~kept], int(kept.sum()), names),
            remedy="leave points out"
            + (
                ", or pass singular='project' for the action on the directions that fluctuate"
                if np.any(kept)
                else ""
            ),
        )
    else:
        own, directions = np.linalg.eigh(covariance)
        kept = np.arange(len(own)) >= len(own) - int(kept.sum())
        lower = directions[:, kept] * np.sqrt(own[kept])
        inverse = (directions[:, kept] / np.sqrt(own[kept])).T
        projected = directions[:, ~kept].T
        eigenvalues = eigenvalues[-int(kept.sum()) :]
    rank = lower.shape[1]
    return Frame(
        enter=inverse,
        line=None,
        coupling_legs=inverse.T,
        correlator_legs=lower,
        precision=SymmetricTensor.from_dense(_symmetric(inverse.T @ inverse)),
        half_log_determinant=_half_log_determinant(lower, rank),
        condition=float(eigenvalues[-1] / eigenvalues[0]),
        projected=projected,
    )


def _symmetric(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return (matrix + matrix.T) / 2


def _half_log_determinant(lower: NDArray[np.float64], rank: int) -> float:
    """½ log det 2πG from a factor of G, on its range."""
    singular = np.linalg.svd(lower, compute_uv=False)
    return float(np.sum(np.log(singular)) + 0.5 * rank * np.log(2 * pi))


def _singular(
    correlation: NDArray[np.float64],
    scales: NDArray[np.float64],
    null: NDArray[np.float64],
    rank: int,
    names: list[str],
) -> str:
    """Name the points that make G singular: without variance, repeated, or dependent."""
    reasons = [f"{names[a]} has no variance" for a in np.flatnonzero(scales == 0)]
    twins = [
        f"{names[a]} and {names[b]} are the same up to a factor"
        for a in range(len(names))
        for b in range(a + 1, len(names))
        if abs(abs(correlation[a, b]) - 1) < REPEATED
    ]
    if not reasons and not twins:
        involved = [names[a] for a in np.flatnonzero(np.max(np.abs(null), axis=1) > 1e-3)]
        more = f" and {len(involved) - 6} more" if len(involved) > 6 else ""
        twins = [f"{', '.join(involved[:6])}{more} are linearly dependent to working accuracy"]
    listed = reasons + twins
    more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
    return f"rank {rank} of {len(names)}: {'; '.join(listed[:4])}{more}"
