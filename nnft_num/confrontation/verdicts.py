"""Verdicts: when a pull disagrees, when a comparison is resolved, and at what level.

A pull of known normal noise follows Student's t.  Estimates of high orders are neither normal nor
is their error well known; both are allowed for, so that the stated level is held:

- an error of order n from M networks has at most 2M/κ_n degrees of freedom, κ_n the kurtosis of
  the n-th Hermite polynomial: what a Gaussian field, the tamest there is, would have;
- an estimate with skewness γ has its small values together with small errors.  On that side the
  pull p is compared after Hall's transformation of t = -p,

      g(t) = ((1 + γt/3)³ - 1)/γ + γ/6,

  whose law is Student's to the next order in 1/√M.

A comparison agrees only if its error is known well enough: its resolution must reach the one
asked for, and the quantile of Student's t at level α with the degrees of freedom it has.

Source: P. Hall, Journal of the Royal Statistical Society B 54 (1992) 221.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import comb, factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = [
    "Criterion",
    "Verdict",
    "gaussian_freedom",
    "hermite_kurtosis",
    "joined",
    "skewness",
]

_STRAIGHT = 1e-6
"""Skewness below which the transformation is the identity to double precision."""


class Verdict(StrEnum):
    """What a comparison says."""

    AGREE = "agree"
    DISAGREE = "disagree"
    UNRESOLVED = "unresolved"


def joined(verdicts: Iterable[str]) -> Verdict:
    """Verdict over several: disagree if any disagrees, else unresolved if any is, else agree.

    Examples
    --------
    >>> str(joined(["agree", "unresolved"]))
    'unresolved'
    """
    present = set(map(str, verdicts))
    for verdict in (Verdict.DISAGREE, Verdict.UNRESOLVED):
        if verdict in present:
            return verdict
    return Verdict.AGREE if present else Verdict.UNRESOLVED


def hermite_kurtosis(order: int) -> float:
    """Kurtosis E He_n(z)⁴/(E He_n(z)²)² of a standard normal z.

    Examples
    --------
    >>> [hermite_kurtosis(order) for order in (1, 2, 4)]
    [3.0, 15.0, 639.0]
    """
    fourth = sum(
        (comb(order, k) ** 2 * factorial(k)) ** 2 * factorial(2 * order - 2 * k)
        for k in range(order + 1)
    )
    return fourth / factorial(order) ** 2


def gaussian_freedom(order: int, networks: int) -> float:
    """Degrees of freedom 2M/κ_n of the error of order n for Gaussian fields.

    The estimate is a mean of M values; that of their variance has relative variance κ_n/M.

    Examples
    --------
    >>> gaussian_freedom(2, 750)
    100.0
    """
    return 2 * networks / hermite_kurtosis(order)


def skewness(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Skewness of estimates from the deviations of their groups (last axis); 0 if there are none.

    Examples
    --------
    >>> skewness(np.array([[2.0, -1.0, -1.0], [1.0, 0.0, -1.0]])).round(3).tolist()
    [0.408, 0.0]
    """
    variance = np.sum(deviations**2, axis=-1)
    third = np.sum(deviations**3, axis=-1)
    return np.divide(third, variance**1.5, out=np.zeros_like(third), where=variance > 0)


@dataclass(frozen=True, kw_only=True)
class Criterion(Shown):
    """What is asked of each comparison of a family.

    Parameters
    ----------
    level : float
        α: probability, at most, that any comparison of the family disagrees by chance.
    resolution : float
        Resolution below which a comparison is unresolved.
    family : int
        m: number of comparisons; each is tested at level α/m (Bonferroni).

    Raises
    ------
    SpecificationError
        If the level is not in (0, 1), the resolution not positive, or the family empty.

    Examples
    --------
    >>> criterion = Criterion(level=0.01, resolution=5.0, family=100)
    >>> round(float(criterion.limit(1.0, 127)), 2), round(float(criterion.limit(1.0, 127, 0.2)), 2)
    (4.02, 6.38)
    """

    level: float
    resolution: float
    family: int

    def __post_init__(self) -> None:
        if not (0 < self.level < 1 and 0 < self.resolution < np.inf and self.family >= 1):
            raise SpecificationError(
                expected="a level between 0 and 1, a resolution above 0, at least one comparison",
                came=f"level={self.level}, resolution={self.resolution}, family={self.family}",
                remedy="use level=0.01, resolution=5",
            )

    def _table(self) -> Table:
        return Table(
            title="criterion",
            rows=(
                ("family-wise level", f"{self.level:g}"),
                ("comparisons", str(self.family)),
                ("resolution asked for", f"{self.resolution:g}"),
            ),
        )

    def limit(
        self, pull: ArrayLike, freedom: ArrayLike, skew: ArrayLike = 0.0
    ) -> NDArray[np.float64]:
        """|pull| beyond which a comparison disagrees.

        The two-sided quantile c of Student's t at level α/m, and on the side where the estimate's
        skewness makes errors small, t = 3/γ (1 - (1 - γ(c + γ/6))^{1/3}) > c.

        Parameters
        ----------
        pull : array_like
            Of which the sign is used: the side.
        freedom : array_like
            Degrees of freedom of the error.
        skew : array_like
            γ: skewness of the estimate.
        """
        quantile = -stdtrit(freedom, self.level / self.family / 2)
        towards = np.asarray(skew) * np.sign(pull)
        bend = np.maximum(towards, _STRAIGHT)
        stretched = 3 / bend * (1 - np.cbrt(1 - bend * (quantile + bend / 6)))
        limit: NDArray[np.float64] = np.where(
            towards > _STRAIGHT, np.maximum(quantile, stretched), quantile
        )
        return limit

    def required(self, freedom: ArrayLike) -> NDArray[np.float64]:
        """Resolution to reach: the one asked for, more where the error itself is hardly known.

        An entry as far from the theory as the scale would disagree at level α if tested alone.
        """
        return np.maximum(self.resolution, -stdtrit(freedom, self.level / 2))

    def verdicts(
        self,
        pull: ArrayLike,
        resolution: ArrayLike,
        freedom: ArrayLike,
        skew: ArrayLike = 0.0,
    ) -> NDArray[np.str_]:
        """Verdicts of comparisons; those of unknown error (NaN) are unresolved at best."""
        disagrees = np.abs(pull) > self.limit(pull, freedom, skew)
        resolved = np.asarray(resolution) >= self.required(freedom)
        return np.where(
            disagrees,
            str(Verdict.DISAGREE),
            np.where(resolved, str(Verdict.AGREE), str(Verdict.UNRESOLVED)),
        )
