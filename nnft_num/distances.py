r"""How far a sampled density is from a claimed one, without the bias of noise.

With p_c the mass of the true density in cell c, q_c that of the claimed one and π_c that of the
Gaussian of the same covariance, the distance is Pearson's χ² with the Gaussian as reference,

.. math:: D^2 = \sum_c (p_c - q_c)^2/\pi_c .

M networks give frequencies p̂ with E (p̂_c - q_c)² = (p_c - q_c)² + p_c(1 - p_c)/M, so that

.. math:: \hat D^2 = \sum_c \frac{(\hat p_c - q_c)^2 - \hat p_c(1 - \hat p_c)/(M - 1)}{\pi_c}

is unbiased at every M, and may be negative.  Cells of a finite window are compared: beyond it the
truncated expansion means nothing, and e^{-S} may grow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnft_num.histograms import Histogram
from nnft_num.slopes import Amplitude
from nnft_sym.expectation.cells import CellMasses

__all__ = ["Distance", "distance"]


@dataclass(frozen=True, kw_only=True)
class Distance:
    """Distance of a sampled density from a claimed one at one width.

    Parameters
    ----------
    square, error : float
        D² and its standard error, the error of the claimed masses included.
    amplitude : Amplitude
        D itself.
    """

    square: float
    error: float
    amplitude: Amplitude


def distance(
    sampled: Histogram, claimed: CellMasses, reference: CellMasses, *, width: int
) -> Distance:
    """Distance of a sampled density from a claimed one, with its error.

    The variance of D² is 4 δᵀCδ + 2 tr C² for the covariance C of the frequencies and δ = p - q;
    that of the first term from the sample is reduced by the noise it contains, but never below
    zero, so that the error is up to a fifth too large where noise is all there is.  The error of
    the claimed masses is added in quadrature.

    Parameters
    ----------
    sampled : Histogram
        p̂.
    claimed, reference : CellMasses
        q and π over the same cells.
    width : int
        N.

    Examples
    --------
    >>> from nnft_num.histograms import Grid
    >>> grid = Grid(shift=np.zeros(1), matrix=np.eye(1), edges=np.array([-1.0, 0.0, 1.0]))
    >>> half = CellMasses(values=np.array([0.5, 0.5]), errors=np.zeros(2))
    >>> seen = Histogram(grid=grid, counts=np.array([600, 400]), networks=1000)
    >>> A = distance(seen, half, half, width=1).amplitude
    >>> round(A.value, 3), round(A.error, 3)
    (0.198, 0.031)
    """
    p, M = sampled.frequencies, sampled.networks
    if not np.isfinite(claimed.values).all():
        return _unknown(width, M)
    weights = 1 / np.sqrt(reference.values)
    delta = weights * (p - claimed.values)
    diagonal = weights**2 * p / (M - 1)
    root = weights * p / np.sqrt(M - 1)
    square = float(delta @ delta - np.sum(diagonal) + root @ root)
    # C = diag - root rootᵀ
    squared = float(diagonal @ diagonal - 2 * root @ (diagonal * root) + (root @ root) ** 2)
    along = float(delta @ (diagonal * delta) - (root @ delta) ** 2)
    noise = 2 * squared
    spread = float(np.sqrt(max(4 * along - noise, noise)))
    value = float(np.sqrt(max(square, 0.0)))
    systematic = float(np.linalg.norm(weights * claimed.errors))
    error = float(np.hypot(spread, (2 * value + systematic) * systematic))
    amplitude = Amplitude(
        width=width,
        value=value,
        error=error / (2 * value) if value > 0 else float("nan"),
        freedom=float(M - 1),
        skew=_skewness(weights * delta, p, M),
        networks=M,
        bound=float(np.sqrt(max(square, 0.0) + 2 * error)),
        noise=float(np.sqrt(squared)),
    )
    return Distance(square=square, error=error, amplitude=amplitude)


def _unknown(width: int, networks: int) -> Distance:
    """Where e^{-S} is beyond all numbers within the window."""
    nan = float("nan")
    amplitude = Amplitude(width=width, value=nan, error=nan, freedom=1.0, networks=networks)
    return Distance(square=nan, error=nan, amplitude=amplitude)


def _skewness(scores: NDArray[np.float64], p: NDArray[np.float64], networks: int) -> float:
    """Skewness of the mean of a score of the cell a network falls into, 0 outside all cells."""
    mean = float(scores @ p)
    outside = max(0.0, 1 - float(np.sum(p)))
    second = float((scores - mean) ** 2 @ p) + outside * mean**2
    third = float((scores - mean) ** 3 @ p) - outside * mean**3
    return third / second**1.5 / float(np.sqrt(networks)) if second > 0 else 0.0
