"""Sizes of sampled tensors, and of their deviations, without the bias of noise.

A sampled tensor E with noise has E|E|² = |T|² + noise, so the logarithm of its norm flattens where
the noise takes over.  Two amplitudes without that bias are used:

- where the theory T is exact, the projection A = <T, E>/|T|, linear in E, equal to |T| on average;
- where it is the limit of infinite width, the deviation Q = |E - T|² - trace of the covariance of
  E, equal on average to |E[E] - T|², and A = √Q.

Their errors follow from the groups of the jackknife.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnft_num.confrontation.verdicts import gaussian_freedom, skewness
from nnft_num.estimates.correlator import CorrelatorEstimate
from nnft_num.reporting import reports
from nnft_num.statistics.tails import effective_freedom
from nnft_sym.tensors import SymmetricTensor

__all__ = ["Amplitude", "deviation", "projection"]


@dataclass(frozen=True, kw_only=True)
class Amplitude:
    """Size of a tensor, or of its deviation, measured at one width.

    Parameters
    ----------
    width : int
        N.
    value, error : float
        A and its standard error.
    freedom, skew : float
        Degrees of freedom of the error and skewness of the value.
    theory : float
        |T| where the theory gives it, else NaN.
    networks : int
        M: number of networks of the sample.
    bound : float
        Upper limit of A where there is no theory: A² and two of its standard errors.
    noise : float
        |C|, C the covariance of the tensor, where A is the size of a deviation.
    """

    width: int
    value: float
    error: float
    freedom: float
    skew: float = 0.0
    theory: float = float("nan")
    networks: int = 0
    bound: float = float("nan")
    noise: float = float("nan")

    @property
    def resolution(self) -> float:
        """|T|/error, or A/error where there is no theory; NaN where the error is not known."""
        size = self.value if np.isnan(self.theory) else self.theory
        return size / self.error if self.error > 0 else float("nan")

    def networks_needed(self, resolution: float, size: float) -> float:
        """Networks that would resolve an amplitude of a size; NaN if not known.

        Errors of projections fall with 1/√M.  Those of deviations are √(4A²|C| + 2|C|²)/(2A) at
        most, with C falling as 1/M, so M grows by |C|/(A² (√(1 + 2/r²) - 1)) at resolution r.
        """
        if not np.isnan(self.noise):
            return self.networks * self.noise / (size**2 * ((1 + 2 / resolution**2) ** 0.5 - 1))
        return self.networks * (resolution * self.error / size) ** 2

    def __str__(self) -> str:
        if np.isfinite(self.error):
            return reports.uncertain(self.value, self.error)
        if np.isfinite(self.bound):
            return f"below {self.bound:.2g}"
        return f"{self.value:.4g}, error unknown"


def projection(
    theory: SymmetricTensor, sample: CorrelatorEstimate, *, width: int, networks: int
) -> Amplitude:
    """Project an estimate E on a theory T: A = <T, E>/|T|.

    Linear in E, A is |T| on average if the theory holds, whatever the noise; its error is that of
    the same combination over the groups of the jackknife.
    """
    weights = theory.multiplicities * theory.entries / theory.norm()
    groups = weights @ sample.deviations
    trusted = not np.any(sample.heavy_tailed.entries)
    error = float(np.sqrt(groups @ groups))
    return Amplitude(
        width=width,
        value=float(weights @ sample.tensor.entries),
        error=error if trusted else float("nan"),
        freedom=_freedom(groups, sample.order, networks),
        skew=float(skewness(groups)),
        theory=theory.norm(),
        networks=networks,
    )


def deviation(
    limit: SymmetricTensor, sample: CorrelatorEstimate, *, width: int, networks: int
) -> Amplitude:
    """Size of the deviation of an estimate E from a limit T: A² = |E - T|² - trace cov E.

    The square is unbiased for the square of the mean δ of E - T.  For normal noise of covariance C
    its variance is 4 δᵀCδ + 2 tr C², estimated by 4 (E-T)ᵀC(E-T) - 2 tr C², whose noise is
    subtracted too, and at least 2 tr C².  A square below zero gives A = 0.
    """
    root = np.sqrt(limit.multiplicities)
    delta = root * (sample.tensor.entries - limit.entries)
    groups = root[:, None] * sample.deviations
    covariance = groups @ groups.T
    square = float(delta @ delta - np.trace(covariance))
    noise = 2 * np.sum(covariance**2)
    spread = float(np.sqrt(max(4 * delta @ covariance @ delta - noise, noise)))
    value = np.sqrt(max(square, 0.0))
    light = not np.any(sample.heavy_tailed.entries)
    trusted = value > 0 and light
    return Amplitude(
        width=width,
        value=float(value),
        error=spread / (2 * value) if trusted else float("nan"),
        freedom=_freedom(delta @ groups, sample.order, networks),
        skew=float(skewness(delta @ groups)),
        networks=networks,
        bound=float(np.sqrt(max(square, 0.0) + 2 * spread)) if light else float("nan"),
        noise=float(np.sqrt(noise / 2)),
    )


def _freedom(groups: NDArray[np.float64], order: int, networks: int) -> float:
    return min(float(effective_freedom(groups[None])[0]), gaussian_freedom(order, networks))
