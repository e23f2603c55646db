"""Tensor-level comparison: one χ² of all entries, from the covariance between them.

With δ = theory - estimate over U entries and S their covariance from G groups of networks,

    T² = δᵀ V (Vᵀ S V)⁻¹ Vᵀ δ,    F = T² (ν - r + 1)/(ν r),

where V holds r directions.  For groups with normal contributions F follows Fisher's law with r and
ν - r + 1 degrees of freedom (Hotelling), not χ²: S is known from finitely many groups alone, ν of
them effectively, the least over the entries.

S has at most G - 1 directions, and its smallest ones are badly known.  Where the entries have no
more than ν/4 directions all are used.  Elsewhere V has to be chosen, and choosing it from the S
that is then inverted would spoil the law: every fourth group chooses the directions of largest
variance, all others give S.  What lies outside V is not compared: a
disagreement can be found, an agreement of the tensor cannot be stated.
Bounds on the theory's error and the second-order term of the error are added to the diagonal of S.

Source: [H31].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from nnft_num.confrontation.verdicts import Verdict
from nnft_sym.language.markup import Judged, Shown, Table

__all__ = ["ChiSquare", "chi_square"]

_SHARE = 4
"""Degrees of freedom for each direction that is compared, at least."""

_ROUNDING = 1e-10
"""Variance of a direction, in units of the largest, below which it is rounding."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ChiSquare(Shown):
    """All entries of a tensor against theory in one number.

    Parameters
    ----------
    order : int
        n: order of the correlator.
    value : float
        T²; χ² with ``rank`` degrees of freedom for infinitely many groups.
    rank : int
        r: directions that are compared.
    present : int
        Directions in which the sample fluctuates.
    entries : int
        U: distinct entries with a known error.
    unknown : int
        Entries left out because their error is not known.
    freedom : float
        ν: effective degrees of freedom of the covariance.
    resolution : float
        Size of the theory in the same directions, in standard deviations.
    level : float
        p-value below which the tensors disagree.
    required : float
        Resolution below which the comparison is unresolved.
    """

    order: int
    value: float
    rank: int
    present: int
    entries: int
    unknown: int
    freedom: float
    resolution: float
    level: float
    required: float

    source = "H31"

    @property
    def p_value(self) -> float:
        """Probability of a larger value if the theory holds; NaN if nothing could be compared."""
        second = self.freedom - self.rank + 1
        if self.rank == 0 or second <= 0:
            return float("nan")
        return float(fdtrc(self.rank, second, self.value * second / (self.freedom * self.rank)))

    @property
    def verdict(self) -> Verdict:
        """Disagree below the level; agree if all directions are compared and resolved."""
        if self.p_value < self.level:
            return Verdict.DISAGREE
        whole = self.rank == self.present and not np.isnan(self.p_value)
        resolved = whole and self.resolution >= self.required
        return Verdict.AGREE if resolved else Verdict.UNRESOLVED

    def _table(self) -> Table:
        return Table(
            title=f"tensor level, order {self.order}",
            rows=(
                ("T²", f"{self.value:.4g}"),
                ("directions", f"{self.rank} of {self.present}"),
                ("entries", str(self.entries)),
                ("entries of unknown error", str(self.unknown)),
                ("degrees of freedom", f"{self.freedom:.4g}"),
                ("p-value", f"{self.p_value:.3g}"),
                ("resolution", f"{self.resolution:.3g} of {self.required:.3g}"),
                ("verdict", Judged(self.verdict)),
            ),
        )

    def __str__(self) -> str:
        if self.rank == 0:
            return f"order {self.order}: no entry with a known error; {self.verdict}"
        return (
            f"order {self.order}: T2 = {self.value:.4g} in {self.rank} of {self.present} "
            f"directions of {self.entries} entries, p = {self.p_value:.2g}, resolution "
            f"{self.resolution:.3g}; {self.verdict}"
        )

    def __repr__(self) -> str:
        return f"ChiSquare({self})"


def chi_square(
    delta: Floats,
    deviations: Floats,
    *,
    order: int,
    added: Floats,
    freedom: Floats,
    size: Floats,
    known: NDArray[np.bool_],
    level: float,
    required: float,
) -> ChiSquare:
    """Compare all entries at once.

    Parameters
    ----------
    delta : ndarray, shape (U,)
        Theory less estimate.
    deviations : ndarray, shape (U, G)
        Deviations of the groups, whose products are the covariance.
    order : int
        n.
    added : ndarray, shape (U,)
        Variances that the groups do not show.
    freedom : ndarray, shape (U,)
        Degrees of freedom of each error.
    size : ndarray, shape (U,)
        The theory, or the natural scale where it vanishes.
    known : ndarray of bool, shape (U,)
        Entries whose errors are known.
    level, required : float
        p-value and resolution that decide the verdict.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=(3, 128))
    >>> mean = draws.mean(axis=1)
    >>> groups = (draws - mean[:, None]) / np.sqrt(128 * 127)
    >>> one = np.ones(3)
    >>> found = chi_square(mean, groups, order=2, added=0 * one, freedom=127 * one, size=one,
    ...                    known=one > 0, level=0.01, required=5)
    >>> found.rank, str(found.verdict)
    (3, 'agree')
    """
    errors = np.sqrt(np.sum(deviations**2, axis=1) + added)
    used = known & (errors > 0)
    count = int(used.sum())
    rank, present, nu, value, resolution = 0, 0, 0.0, 0.0, 0.0
    if count:
        unit = errors[used]
        z, t, groups = delta[used] / unit, size[used] / unit, deviations[used] / unit[:, None]
        extra = np.diag(added[used] / unit**2)
        nu = float(min(freedom[used].min(), deviations.shape[1] - 1))
        directions, covariance, nu, present = _directions(groups, extra, nu)
        rank = directions.shape[1]
        if rank:
            inverse = np.linalg.inv(covariance)
            along, scale = directions.T @ z, directions.T @ t
            value = float(along @ inverse @ along)
            resolution = float(np.sqrt(scale @ inverse @ scale))
    return ChiSquare(
        order=order,
        value=value,
        rank=rank,
        present=present,
        entries=count,
        unknown=len(delta) - count,
        freedom=nu,
        resolution=resolution,
        level=level,
        required=required,
    )


def _directions(groups: Floats, extra: Floats, freedom: float) -> tuple[Floats, Floats, float, int]:
    """Directions, the covariance in them, its degrees of freedom, and how many there are."""
    values, vectors = np.linalg.eigh(groups @ groups.T + extra)
    present = values > _ROUNDING * values[-1]
    number = int(present.sum())
    if number <= max(freedom / _SHARE, 1):
        directions = vectors[:, present]
        return directions, directions.T @ (groups @ groups.T + extra) @ directions, freedom, number
    chosen = np.arange(groups.shape[1]) % 4 == 0
    first, second = _covariance(groups, chosen), _covariance(groups, ~chosen)
    own = freedom * (np.sum(~chosen) - 1) / (groups.shape[1] - 1)
    rank = min(max(int(own / _SHARE), 1), int(np.sum(chosen)) - 1)
    directions = np.linalg.eigh(first + extra)[1][:, ::-1][:, :rank]
    return directions, directions.T @ (second + extra) @ directions, own, number


def _covariance(groups: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """Covariance of the mean over all groups, from the scatter of some of them."""
    own = groups[:, chosen]
    own = own - own.mean(axis=1, keepdims=True)
    scatter: Floats = own @ own.T * ((groups.shape[1] - 1) / (own.shape[1] - 1))
    return scatter
