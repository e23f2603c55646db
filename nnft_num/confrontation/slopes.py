"""Measured powers of the width against those that are claimed."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from nnft_num.confrontation.amplitudes import Amplitude
from nnft_num.confrontation.fits import NO_FIT, Fit
from nnft_num.confrontation.verdicts import Criterion, Verdict
from nnft_num.reporting import reports
from nnft_sym.language.markup import Judged, Shown, Table

__all__ = ["Slope"]


@dataclass(frozen=True, kw_only=True)
class Slope(Shown):
    """A measured power of the width against the one that is claimed.

    Parameters
    ----------
    order : int
        n: order of the correlator.
    what : str
        The quantity whose power is measured.
    amplitudes : tuple of Amplitude
        A at each width.
    claimed : float
        The power the theory claims.
    fit : Fit
        Slope of log A in log N; NaN if too few widths are resolved.
    criterion : Criterion
        What is asked of the comparison.
    intercept : Fit
        log A at N = 1 by the same fit; NaN where it was not fitted.
    """

    order: int
    what: str
    amplitudes: tuple[Amplitude, ...]
    claimed: float
    fit: Fit
    criterion: Criterion
    intercept: Fit = NO_FIT

    @property
    def value(self) -> float:
        """Slope of log A in log N."""
        return self.fit.value

    @property
    def error(self) -> float:
        """Standard error of the slope."""
        return self.fit.error

    @property
    def claimed_intercept(self) -> float:
        """Log |T| - s log N of the theory T with the power s that is claimed; NaN without T."""
        known = [a for a in self.amplitudes if a.theory > 0]
        logs = [np.log(a.theory) - self.claimed * np.log(a.width) for a in known]
        return float(np.mean(logs)) if logs else float("nan")

    def _table(self) -> Table:
        pairs = (
            ("exponent", self.fit, self.claimed),
            ("intercept log A(N=1)", self.intercept, self.claimed_intercept),
        )
        rows = tuple(
            (
                name,
                "unresolved" if np.isnan(fit.value) else reports.uncertain(fit.value, fit.error),
                "not claimed" if np.isnan(claimed) else f"{claimed:.5g}",
                "unknown" if np.isnan(fit.value) else f"{(claimed - fit.value) / fit.error:+.2f}",
            )
            for name, fit, claimed in pairs
        )
        return Table(
            title=f"power of N of {self.what}",
            header=("quantity", "measured", "claimed", "pull"),
            rows=rows,
            notes=(Judged(self.verdict),),
        )

    def __repr__(self) -> str:
        return f"Slope({self})"

    @property
    def pull(self) -> float:
        """(claimed - slope)/error."""
        return (self.claimed - self.value) / self.error

    @property
    def resolution(self) -> float:
        """Distance 1 between successive powers of 1/N, over the error."""
        return 1.0 / self.error

    @property
    def verdict(self) -> Verdict:
        """Verdict on the claimed power."""
        fit = self.fit
        found = self.criterion.verdicts(self.pull, self.resolution, fit.freedom, fit.skew)
        return Verdict(str(found))

    @property
    def networks_needed(self) -> int | None:
        """Networks at each width that would resolve all amplitudes; None if none is unresolved.

        Sizes are those of the theory, or follow the claimed power from the best resolved width;
        None also where not even that is known.
        """
        asked = self.criterion.resolution
        unresolved = [a for a in self.amplitudes if not a.resolution >= asked]
        seen = [a for a in self.amplitudes if a.resolution > 0]
        if not unresolved or not seen:
            return None
        best = max(seen, key=lambda a: a.resolution)
        needed = []
        for a in unresolved:
            expected = best.value * (a.width / best.width) ** self.claimed
            size = expected if np.isnan(a.theory) else a.theory
            needed.append(a.networks_needed(asked, size))
        return ceil(max(needed)) if np.all(np.isfinite(needed)) else None

    def __str__(self) -> str:
        if np.isnan(self.value):
            remedy = "more networks or smaller widths are needed"
            if self.networks_needed:
                remedy = f"{self.networks_needed:.2g} networks would resolve every width"
            return f"slope of {self.what}: too few widths are resolved, {remedy}; {self.verdict}"
        return (
            f"slope of {self.what}: {reports.uncertain(self.value, self.error)} against "
            f"{self.claimed:g}, pull {self.pull:+.2f}{self._start}; {self.verdict}"
        )

    @property
    def _start(self) -> str:
        if np.isnan(self.intercept.value):
            return ""
        return f", intercept {reports.uncertain(self.intercept.value, self.intercept.error)}" + (
            "" if np.isnan(self.claimed_intercept) else f" against {self.claimed_intercept:.4g}"
        )
