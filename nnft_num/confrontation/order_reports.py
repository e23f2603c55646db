"""Theory against sample in one order, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.confrontation.chi_squares import ChiSquare, chi_square
from nnft_num.confrontation.verdicts import Criterion, Verdict, joined
from nnft_num.reporting import reports
from nnft_sym.language.markup import Shown, Table
from nnft_sym.tensors import SymmetricTensor

if TYPE_CHECKING:
    from nnft_sym.correlators import Correlator

__all__ = ["OrderReport"]

_ROUNDING = 1e-12
"""Theories below this fraction of their natural scale are zeros that were rounded."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OrderReport(Shown):
    """Theory against estimate for one order, entry by entry over the n·D fields.

    Parameters
    ----------
    order : int
        n.
    points, outputs : int
        Number of points and of outputs; a field index is point * outputs + output.
    theory, theory_error : SymmetricTensor
        t and the bound on its error.
    estimate, error : SymmetricTensor
        Estimate and its standard error.
    freedom, skew : SymmetricTensor
        Degrees of freedom of the errors and skewness of the estimates.
    heavy_tailed : SymmetricTensor
        Entries whose error cannot be trusted.
    sparse : SymmetricTensor
        Entries with a field that is zero in all but a few groups.
    floor : SymmetricTensor
        Second-order term of the error, (2/M) sqrt(n! prod G⁽²⁾_aa) for n ≥ 2 and M networks.
    natural : SymmetricTensor
        N^{1-n/2} sqrt(prod G⁽²⁾_aa).
    exactness : str
        What the theory leaves out.
    networks, groups : int
        Size of the sample and number of groups of the jackknife.
    criterion : Criterion
        What is asked of each entry.
    deviations : ndarray, shape (U, G), or None
        Deviations of the groups of the sample, whose products are the covariance of the entries.
    formula : Correlator or None
        The formula that was evaluated.
    """

    order: int
    points: int
    outputs: int
    theory: SymmetricTensor
    theory_error: SymmetricTensor
    estimate: SymmetricTensor
    error: SymmetricTensor
    freedom: SymmetricTensor
    skew: SymmetricTensor
    heavy_tailed: SymmetricTensor
    sparse: SymmetricTensor
    floor: SymmetricTensor
    natural: SymmetricTensor
    exactness: str
    networks: int
    groups: int
    criterion: Criterion
    deviations: NDArray[np.float64] | None = None
    formula: Correlator | None = None

    @property
    def cites(self) -> tuple[Any, ...]:
        """What the comparison rests on."""
        theory = () if self.formula is None else (self.formula,)
        return (*theory, "E82, BML99, H92", *(() if self.chi_square is None else ("H31",)))

    @cached_property
    def chi_square(self) -> ChiSquare | None:
        """All entries at once; None if the covariance between them was not kept.

        Its level is the share of α that its entries have in the family, so that all tensors of the
        family together are at level α; the verdicts of the entries do not depend on it.
        """
        if self.deviations is None:
            return None
        added = self.theory_error.entries**2 + self.floor.entries**2
        finite = np.isfinite(self.pull.entries) & np.isfinite(self.theory.entries)
        return chi_square(
            np.where(finite, self.theory.entries - self.estimate.entries, 0.0),
            self.deviations,
            order=self.order,
            added=np.where(finite, added, 0.0),
            freedom=self.freedom.entries,
            size=self.natural.entries if self.vanishes else self.theory.entries,
            known=finite,
            level=self.criterion.level * min(1.0, len(self.theory) / self.criterion.family),
            required=self.criterion.resolution,
        )

    def _table(self) -> Table:
        return reports.order_table(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(order {self.order}: {self.verdict})"

    @property
    def vanishes(self) -> bool:
        """Whether the theory is zero in every entry, to its error or to rounding."""
        bound = np.maximum(self.theory_error.entries, _ROUNDING * self.natural.entries)
        return bool(np.all(np.abs(self.theory.entries) <= bound))

    @cached_property
    def scale(self) -> SymmetricTensor:
        """The largest |theory| of the tensor, or the natural scale if the theory vanishes."""
        if self.vanishes:
            return self.natural
        largest = np.max(np.abs(self.theory.entries))
        return self.theory.map(lambda entries: np.full(len(entries), largest))

    @cached_property
    def uncertainty(self) -> NDArray[np.float64]:
        """Combined sqrt(error² + theory error² + floor²) of the unique entries."""
        return self._uncertainty(1.0)

    def _uncertainty(self, factor: float) -> NDArray[np.float64]:
        """Combined uncertainty at so many times the networks."""
        sampled = np.hypot(self.error.entries / factor**0.5, self.floor.entries / factor)
        combined: NDArray[np.float64] = np.hypot(sampled, self.theory_error.entries)
        return combined

    @cached_property
    def pull(self) -> SymmetricTensor:
        """(theory - estimate)/sqrt(error² + theory error² + floor²); NaN for unknown errors.

        A sample that does not fluctuate has no known error and no pull, unless it hits the theory
        exactly or the theory says that the field vanishes in every network.
        """
        difference = self.theory.entries - self.estimate.entries
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = np.where(difference == 0, 0.0, difference / self.uncertainty)
        still = self._still & (self.natural.entries > 0) & (difference != 0)
        pull[self.heavy_tailed.entries | self.sparse.entries | still] = np.nan
        return SymmetricTensor(self.order, self.theory.dimension, pull)

    @cached_property
    def resolution(self) -> SymmetricTensor:
        """Scale over combined error; NaN where unknown, infinite where the field itself is zero.

        A sample that does not fluctuate (error 0) has no known error, except where the theory
        says that the field vanishes in every network.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = self.scale.entries / self.uncertainty
        ratio[self._still | self.heavy_tailed.entries | self.sparse.entries] = np.nan
        ratio[(self.error.entries == 0) & (self.natural.entries == 0)] = np.inf
        return SymmetricTensor(self.order, self.theory.dimension, ratio)

    @cached_property
    def limit(self) -> SymmetricTensor:
        """|pull| beyond which each entry disagrees."""
        limit = self.criterion.limit(self.pull.entries, self.freedom.entries, self.skew.entries)
        return SymmetricTensor(self.order, self.theory.dimension, limit)

    @cached_property
    def verdicts(self) -> SymmetricTensor:
        """Verdict of each entry."""
        table = self.criterion.verdicts(
            self.pull.entries, self.resolution.entries, self.freedom.entries, self.skew.entries
        )
        return SymmetricTensor(self.order, self.theory.dimension, table)

    @property
    def verdict(self) -> Verdict:
        """Verdict over the entries."""
        return joined(np.unique(self.verdicts.entries))

    @cached_property
    def required(self) -> SymmetricTensor:
        """Resolution each entry has to reach."""
        required = self.criterion.required(self.freedom.entries)
        return SymmetricTensor(self.order, self.theory.dimension, required)

    @property
    def weakest(self) -> int | None:
        """Position, among the unique entries, of the lowest resolution in units of the required."""
        relative = self.resolution.entries / self.required.entries
        return None if np.all(np.isnan(relative)) else int(np.nanargmin(relative))

    @property
    def worst(self) -> int | None:
        """Position, among the unique entries, of the largest |pull| in units of its limit."""
        relative = np.abs(self.pull.entries) / self.limit.entries
        return None if np.all(np.isnan(relative)) else int(np.nanargmax(relative))

    @property
    def networks_needed(self) -> int | None:
        """Networks that would resolve all entries, as their errors fall with 1/sqrt(networks).

        Entries that more networks of this kind do not help are left out; None if none remains.
        """
        unresolved = self.verdicts.entries == Verdict.UNRESOLVED
        unknown = self.heavy_tailed.entries | self.sparse.entries | self._still
        helped = unresolved & ~(unknown | self._limited)
        if not helped.any():
            return None
        low, high = 1.0, 2.0
        while not self._resolved_by(high, helped):
            low, high = high, 2 * high
        while high / low > 1 + 1e-9:
            middle = (low * high) ** 0.5
            low, high = (low, middle) if self._resolved_by(middle, helped) else (middle, high)
        return _rounded_up(self.networks * high)

    def _resolved_by(self, factor: float, entries: NDArray[np.bool_]) -> bool:
        """Whether so many times the networks would resolve the entries."""
        error = self._uncertainty(factor)
        freedom = np.minimum(self.freedom.entries * factor, self.groups - 1)
        required = self.criterion.required(freedom)
        return bool(np.all((self.scale.entries >= required * error)[entries]))

    @property
    def _still(self) -> NDArray[np.bool_]:
        """Entries whose sample does not fluctuate, but for rounding."""
        still: NDArray[np.bool_] = self.error.entries <= _ROUNDING * self.natural.entries
        return still

    @property
    def _limited(self) -> NDArray[np.bool_]:
        """Entries that the theory's own error keeps from being resolved by any sample."""
        least = self.criterion.required(self.groups - 1)
        limited: NDArray[np.bool_] = self.theory_error.entries * least >= self.scale.entries
        return limited

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why entries are unresolved, and what would resolve them."""
        unresolved = self.verdicts.entries == Verdict.UNRESOLVED
        heavy = self.heavy_tailed.entries
        few = self.sparse.entries & ~heavy & ~self._still
        said = (
            (heavy, "heavy tails, no reliable error"),
            (self._still & ~heavy, "the sample does not fluctuate"),
            (few, "too few networks carry the error"),
            (self._limited & ~heavy & ~self._still & ~few, "the theory's own error is too large"),
        )
        found = [
            f"{words} in {np.sum(where & unresolved)} of {len(self.theory)} entries"
            for where, words in said
            if np.any(where & unresolved)
        ]
        if self.networks_needed is not None:
            found.append(f"{self.networks_needed:.2g} networks would resolve it")
        return tuple(found)


def _rounded_up(number: float) -> int:
    """Round up to two digits.

    Examples
    --------
    >>> _rounded_up(123456.0)
    130000
    """
    digits = max(int(np.floor(np.log10(max(number, 1.0)))) - 1, 0)
    return ceil(number / 10**digits * (1 - 1e-6)) * 10**digits
