"""Defects of a symmetry with their errors, what would have been seen of them, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from nnft_num.confrontation.verdicts import Verdict
from nnft_num.statistics.sign_flips import flip_signs
from nnft_num.symmetries import reports
from nnft_num.symmetries.ensembles import Observed
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table
from nnft_sym.tensors import multi_indices

__all__ = ["POWER", "DefectCriterion", "OrderDefect", "defects_of"]

POWER = 0.9
"""Probability with which the stated defect would have been seen."""

_SEEN = 5.0
"""Errors by which the largest entry of a correlator differs from zero for it to be its scale."""


@dataclass(frozen=True, kw_only=True)
class DefectCriterion:
    """What is asked of the defects of a symmetry.

    Parameters
    ----------
    level : float
        p-value up to which the symmetry is rejected.
    resolution : float
        Scale over error that is asked for.
    flips : int
        Number of flips of signs.
    width : int
        N: cumulants of order k ≥ 2 that vanish are measured by N^{1-k/2} times their legs.
    rounding : float
        Differences network by network, over the size of the legs, that are rounding.

    Raises
    ------
    SpecificationError
        If the level is not in (0, 1) or the resolution not positive.
    """

    level: float
    resolution: float
    flips: int
    width: int
    rounding: float

    def __post_init__(self) -> None:
        if not (0 < self.level < 1 and 0 < self.resolution < np.inf):
            raise SpecificationError(
                expected="a level between 0 and 1, a resolution above 0",
                came=f"level={self.level}, resolution={self.resolution}",
                remedy="use level=0.01, resolution=5",
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class OrderDefect(Shown):
    """Defects of one order: over elements, and distinct entries of the correlator.

    Parameters
    ----------
    order : int
        k.
    indices : ndarray, shape (U, k)
        Fields of each entry, point * outputs + output; entries of Θ for tangent kernels.
    defect, error : ndarray, shape (elements, U)
        Δ_g and its standard error.
    heavy : ndarray of bool, shape (elements, U)
        Entries whose error is not to be trusted: they are not tested.
    still : ndarray of bool, shape (elements, U)
        Entries equal in every network, to rounding.
    scale : float
        Size of the correlator that a defect is measured by.
    p_value : float
        Of all its entries, adjusted for all that are tested with them.
    critical : float
        c: |Δ|/error called significant.
    level, resolution : float
        Of the test.
    """

    order: int
    indices: NDArray[np.intp]
    defect: NDArray[np.float64]
    error: NDArray[np.float64]
    heavy: NDArray[np.bool_]
    still: NDArray[np.bool_]
    scale: float
    p_value: float
    critical: float
    level: float
    resolution: float

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Entries that are tested."""
        return ~(self.heavy | self.still)

    @cached_property
    def statistic(self) -> NDArray[np.float64]:
        """Δ/error; 0 where both sides are equal, NaN where the error is not to be trusted."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.still, 0.0, self.defect / self.error)
        return np.where(self.heavy, np.nan, ratio)

    @property
    def worst(self) -> tuple[int, int] | None:
        """Element and entry of the largest |Δ|/error."""
        if not self.tested.any():
            return None
        flat = int(np.nanargmax(np.where(self.tested, np.abs(self.statistic), np.nan)))
        element, entry = np.unravel_index(flat, self.defect.shape)
        return int(element), int(entry)

    @property
    def detectable(self) -> float:
        """Smallest defect that is seen with probability 0.9 in whichever entry it is."""
        largest = np.max(self.error, where=self.tested, initial=0.0)
        return float((self.critical + ndtri(POWER)) * largest)

    @property
    def resolved(self) -> bool:
        """Whether a defect of the size of the correlator would be seen, in any entry.

        Never of a correlator without a size: fields that are zero keep every symmetry.
        """
        largest = np.max(self.error, where=self.tested, initial=0.0)
        needed = max(self.detectable, self.resolution * largest)
        return not self.heavy.any() and 0 < self.scale >= needed

    @property
    def verdict(self) -> Verdict:
        """Disagree if the symmetry is rejected, agree if a defect would have been seen."""
        if self.p_value <= self.level:
            return Verdict.DISAGREE
        return Verdict.AGREE if self.resolved else Verdict.UNRESOLVED

    @property
    def networks_factor(self) -> float | None:
        """How many times the networks would resolve it; None if that is not the remedy."""
        if self.verdict is not Verdict.UNRESOLVED or self.heavy.any() or self.scale <= 0:
            return None
        largest = np.max(self.error, where=self.tested, initial=0.0)
        return float((max(self.detectable, self.resolution * largest) / self.scale) ** 2)

    def _table(self) -> Table:
        return reports.order_table(self)

    def __repr__(self) -> str:
        tested = f"{self.tested.sum()} of {self.defect.size} entries tested"
        return f"OrderDefect(order {self.order}: {self.verdict}, p = {self.p_value:.3g}, {tested})"


def defects_of(
    pairs: Sequence[tuple[Observed, Observed]],
    orders: Sequence[int],
    criterion: DefectCriterion,
    rng: np.random.Generator,
) -> tuple[tuple[OrderDefect, ...], float]:
    """Test the differences of the two sides of some elements, all orders together.

    Parameters
    ----------
    pairs : sequence of (Observed, Observed)
        The two sides of each element, over the same networks.
    orders : sequence of int
        Orders to test.
    criterion : DefectCriterion
        What is asked.
    rng : numpy.random.Generator
        Draws the signs.
    """
    here = pairs[0][0]
    counts, fields = here.counts, len(here.squares)
    weights, networks = counts / counts.sum(), int(counts.sum())
    differences = {
        order: np.array([there.values[order] - own.values[order] for own, there in pairs])
        for order in orders
    }
    heavy = {
        order: np.array([there.heavy[order] | own.heavy[order] for own, there in pairs])
        for order in orders
    }
    errors, still, scales = {}, {}, {}
    for order in orders:
        legs = np.sqrt(here.squares)[multi_indices(order, fields)].prod(axis=1)
        errors[order] = np.sqrt(np.sum(differences[order][:, :, 1:] ** 2, axis=2))
        spread = np.abs(differences[order][:, :, 0]) + networks**0.5 * errors[order]
        still[order] = spread <= criterion.rounding * legs
        heavy[order] &= ~still[order]
        scales[order] = _scale(here.values[order], order, legs, criterion.width)
    moving = {order: ~(heavy[order] | still[order]) for order in orders}
    root = np.sqrt((len(counts) - 1) / weights)
    rows = [differences[order][moving[order]] for order in orders]
    contributions = np.concatenate([row[:, :1] + row[:, 1:] * root for row in rows])
    found = flip_signs(contributions, weights, criterion.flips, rng, criterion.level)
    critical = found.critical(criterion.level)
    tables, start = [], 0
    for order, row in zip(orders, rows, strict=True):
        own = np.abs(found.statistics[start : start + len(row)])
        start += len(row)
        tables.append(
            OrderDefect(
                order=order,
                indices=multi_indices(order, fields),
                defect=differences[order][:, :, 0],
                error=errors[order],
                heavy=heavy[order],
                still=still[order],
                scale=scales[order],
                p_value=found.p_value(float(own.max())) if len(own) else 1.0,
                critical=critical,
                level=criterion.level,
                resolution=criterion.resolution,
            )
        )
    return tuple(tables), min(table.p_value for table in tables)


def _scale(values: NDArray[np.float64], order: int, legs: NDArray[np.float64], width: int) -> float:
    """Size of a correlator: its largest entry if that is seen, or else what it could be."""
    size = np.abs(values[:, 0])
    error = np.sqrt(np.sum(values[:, 1:] ** 2, axis=1))
    largest = int(np.argmax(size))
    if size[largest] >= _SEEN * error[largest]:
        return float(size[largest])
    return float(max(size[largest], float(width) ** min(0.0, 1 - order / 2) * np.max(legs)))
