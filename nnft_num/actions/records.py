"""What a confrontation of an action with samples holds: distances, couplings and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.actions.distances import SampledMasses
from nnft_num.actions.reports import action_table, dataframe, distance_table, latex, text
from nnft_num.confrontation.amplitudes import Amplitude
from nnft_num.confrontation.checking import Report
from nnft_num.confrontation.slopes import Slope
from nnft_num.confrontation.verdicts import Criterion, Verdict, joined
from nnft_num.reporting import reports
from nnft_sym.expectation.cells import CellMasses
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ActionReport", "DensityDistance"]


@dataclass(frozen=True, kw_only=True, eq=False)
class DensityDistance(Shown):
    """Distance of the sampled density from a claimed one, over the widths.

    Parameters
    ----------
    order : int
        p: the claim leaves out what is beyond N^{-p}; 0 is the Gaussian.
    density : str
        "gaussian", "action" (e^{-S}) or "edgeworth".
    amplitudes : tuple of Amplitude
        D at each width.
    used : tuple of int
        Widths large enough for the power: order p adds to the masses at most half of what order
        p - 1 did, the Gaussian itself counting as the order before 0.
    slope : Slope or None
        Its measured power of N; None for a single width.
    """

    order: int
    density: str
    amplitudes: tuple[Amplitude, ...]
    used: tuple[int, ...]
    slope: Slope | None

    @property
    def name(self) -> str:
        """Density and order in words."""
        return self.density if self.order == 0 else f"{self.density} {self.order}"

    def _table(self) -> Table:
        return distance_table(self)

    def __repr__(self) -> str:
        return f"DensityDistance({self.name}: {len(self.amplitudes)} widths)"


@dataclass(frozen=True, kw_only=True, eq=False)
class ActionReport(Shown):
    """An action against samples, with its verdict.

    Parameters
    ----------
    network : str
        Name of the network.
    X : ndarray, shape (n, d)
        Points.
    order : int
        p: the highest order of the action in 1/N.
    widths : tuple of int
        N.
    couplings : Report
        Couplings g_k at one width; its orders are the k.
    coupling_width : int
        That width.
    distances : tuple of DensityDistance
        One for each density.
    densities : mapping of int to SampledMasses
        Sampled densities by the width, in coordinates in which the covariance is the identity.
    route : str
        How networks were sampled: whole, or with the readout integrated out.
    route_assumes : tuple of str
        Laws the route takes for granted and the report therefore does not test.
    masses : mapping of (int, str, int) to CellMasses
        Claimed masses of the cells by (order, density, width).
    criterion : Criterion
        Level, resolution and size of the family: couplings and slopes.
    """

    network: str
    X: NDArray[np.float64]
    order: int
    widths: tuple[int, ...]
    couplings: Report
    coupling_width: int
    distances: tuple[DensityDistance, ...]
    densities: Mapping[int, SampledMasses]
    route: str
    route_assumes: tuple[str, ...]
    masses: Mapping[tuple[int, str, int], CellMasses]
    criterion: Criterion

    @property
    def slopes(self) -> tuple[Slope, ...]:
        """Measured powers of N; none for a single width."""
        return tuple(found.slope for found in self.distances if found.slope is not None)

    def distance(self, order: int, density: str = "action") -> DensityDistance:
        """Look the distance from one density up; order 0 is the Gaussian, under any name."""
        for found in self.distances:
            if found.order == order and (order == 0 or found.density == density):
                return found
        raise SpecificationError(
            expected=f"an order from 0 to {self.order}, the density 'action' or 'edgeworth'",
            came=f"{order!r}, {density!r}",
            remedy="ask for it with order=",
        )

    @property
    def verdict(self) -> Verdict:
        """Disagree if couplings or a power do, else unresolved if any is, else agree."""
        return joined([self.couplings.verdict, *(slope.verdict for slope in self.slopes)])

    def to_text(self) -> str:
        """Terminal tables: couplings, distances and their powers."""
        return text(self)

    def to_dataframe(self) -> Any:
        """One row for each density and width, as a pandas.DataFrame.

        The couplings, one row for each entry, are ``report.couplings.to_dataframe()``.
        """
        return dataframe(self)

    def to_latex(self, path: str | Path | None = None) -> str:
        """LaTeX table (booktabs, siunitx) of distances and powers."""
        return reports.written(latex(self), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Page of its own with tables, figures and references; needs no network."""
        from nnft_num.actions.pages import action_page

        return reports.written(action_page(self), path)

    def plot(self) -> Any:
        """Densities at the smallest width and distances over the widths; a matplotlib figure."""
        from nnft_num.actions.figures import plot_action

        return plot_action(self)

    @property
    def cites(self) -> tuple[Any, ...]:
        """What the comparison rests on."""
        return ("D23", self.couplings, "E82, BML99, H92")

    def _table(self) -> Table:
        return action_table(self)

    def _repr_latex_(self) -> str:
        return self.to_latex()

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"ActionReport({self.network}: {self.verdict}; order {self.order} in 1/N)"
