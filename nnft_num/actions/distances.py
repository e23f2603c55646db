r"""How far a sampled density is from a claimed one, without the bias of noise.

With p_c the mass of the true density in cell c, q_c that of the claimed one and π_c that of the
Gaussian of the same covariance, the distance is Pearson's χ² with the Gaussian as reference,

.. math:: D^2 = \sum_c (p_c - q_c)^2/\pi_c .

M networks give masses p̂ of covariance C with E (p̂_c - q_c)² = (p_c - q_c)² + C_cc, so that

.. math:: \hat D^2 = \sum_c \frac{(\hat p_c - q_c)^2 - \hat C_{cc}}{\pi_c}

with an unbiased C, p̂_c(1 - p̂_c)/(M - 1) on the diagonal for the counts of a histogram, is unbiased
at every M, and may be negative.  Cells of a finite window are compared: beyond it the truncated
expansion means nothing, and e^{-S} may grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nnft_num.confrontation.amplitudes import Amplitude
from nnft_num.runs.cells import Grid, Noise
from nnft_sym.expectation.cells import CellMasses

__all__ = ["Distance", "SampledMasses", "distance"]


class SampledMasses(Protocol):
    """What a distance asks of the masses of cells in a sample."""

    @property
    def grid(self) -> Grid:
        """The cells."""

    @property
    def networks(self) -> int:
        """M."""

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Unbiased masses p̂, shape (C,)."""

    @property
    def errors(self) -> NDArray[np.float64]:
        """Their standard errors."""

    def noise(self, weights: NDArray[np.float64], delta: NDArray[np.float64]) -> Noise:
        """Their noise, weighted, and along a direction."""


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
    sampled: SampledMasses, claimed: CellMasses, reference: CellMasses, *, width: int
) -> Distance:
    """Distance of a sampled density from a claimed one, with its error.

    The variance of D² is 4 δᵀCδ + 2 tr C² for the covariance C of the frequencies and δ = p - q;
    that of the first term from the sample is reduced by the noise it contains, but never below
    zero, so that the error is up to a fifth too large where noise is all there is.  The error of
    the claimed masses is added in quadrature.

    Parameters
    ----------
    sampled : SampledMasses
        p̂, a histogram or the mean of masses given the hidden layers.
    claimed, reference : CellMasses
        q and π over the same cells.
    width : int
        N.

    Examples
    --------
    >>> from nnft_num.runs.cells import Grid
    >>> from nnft_num.runs.histograms import Histogram
    >>> grid = Grid(shift=np.zeros(1), matrix=np.eye(1), edges=np.array([-1.0, 0.0, 1.0]))
    >>> half = CellMasses(values=np.array([0.5, 0.5]), errors=np.zeros(2))
    >>> seen = Histogram(grid=grid, counts=np.array([600, 400]), networks=1000)
    >>> A = distance(seen, half, half, width=1).amplitude
    >>> round(A.value, 3), round(A.error, 3)
    (0.198, 0.031)
    """
    M = sampled.networks
    if not np.isfinite(claimed.values).all():
        return _unknown(width, M)
    weights = 1 / np.sqrt(reference.values)
    delta = weights * (sampled.frequencies - claimed.values)
    noise = sampled.noise(weights, delta)
    square = float(delta @ delta) - noise.trace
    spread = float(np.sqrt(max(4 * noise.along - 2 * noise.square, 2 * noise.square)))
    value = float(np.sqrt(max(square, 0.0)))
    systematic = float(np.linalg.norm(weights * claimed.errors))
    error = float(np.hypot(spread, (2 * value + systematic) * systematic))
    amplitude = Amplitude(
        width=width,
        value=value,
        error=error / (2 * value) if value > 0 else float("nan"),
        freedom=float(M - 1),
        skew=noise.skew,
        networks=M,
        bound=float(np.sqrt(max(square, 0.0) + 2 * error)),
        noise=float(np.sqrt(noise.square)),
    )
    return Distance(square=square, error=error, amplitude=amplitude)


def _unknown(width: int, networks: int) -> Distance:
    """Where e^{-S} is beyond all numbers within the window."""
    nan = float("nan")
    amplitude = Amplitude(width=width, value=nan, error=nan, freedom=1.0, networks=networks)
    return Distance(square=nan, error=nan, amplitude=amplitude)
