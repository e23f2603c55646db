"""Scans: a confrontation at every combination of several values of parameters and widths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.confrontation.checking import Report
from nnft_num.confrontation.verdicts import Criterion, Verdict, joined
from nnft_num.estimates.estimate import wanted_orders
from nnft_num.front import check, merged
from nnft_num.kernels.draws import key_from_rng
from nnft_num.reporting import reports
from nnft_num.reporting.publishing import Published
from nnft_num.runs.executing import ExecutorLike
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Table
from nnft_sym.networks import Network

__all__ = ["Scan", "scan"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan(Published):
    """Theory against samples on a grid of parameters.

    Parameters
    ----------
    network : str
        Name of the network.
    axes : mapping of str to tuple of float
        Parameters that take several values, the last one fastest.
    reports : tuple of Report
        One for each combination of values.
    criterion : Criterion
        Level, resolution and size of the family: all entries of all reports.
    """

    network: str
    axes: Mapping[str, tuple[float, ...]]
    reports: tuple[Report, ...]
    criterion: Criterion

    @property
    def verdict(self) -> Verdict:
        """Disagree if any report does, else unresolved if any is, else agree."""
        return joined(report.verdict for report in self.reports)

    @property
    def cites(self) -> tuple[Any, ...]:
        """What the comparisons rest on."""
        return self.reports

    def at(self, **values: float) -> Report:
        """Report at one value of each axis.

        Raises
        ------
        SpecificationError
            If an axis is missing or unknown, or a value is not one of its own.
        """
        if set(values) != set(self.axes) or any(v not in self.axes[k] for k, v in values.items()):
            raise SpecificationError(
                expected="one value of each of "
                + ", ".join(f"{name} in {list(own)}" for name, own in self.axes.items()),
                came=f"{values}",
                remedy="take the values of the scan",
            )
        return next(r for r in self.reports if all(r.params[k] == v for k, v in values.items()))

    def to_dataframe(self) -> Any:
        """One row for each distinct entry of each report, as a pandas.DataFrame.

        The values of the axes are its first columns.
        """
        import pandas as pd

        frames = []
        for report in self.reports:
            frame = report.to_dataframe()
            for place, name in enumerate(self.axes):
                frame.insert(place, name, report.params[name])
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def plot(self, ax: Any = None) -> Any:
        """Histogram of the pulls of all reports; returns the matplotlib axes."""
        from nnft_num.reporting.figures import plot_pulls

        return plot_pulls(self, ax)

    def _table(self) -> Table:
        rows = tuple(
            (*(f"{report.params[name]:g}" for name in self.axes), *cells)
            for report in self.reports
            for cells in reports.order_rows(report)
        )
        return Table(
            title=f"{self.network} over {', '.join(self.axes)}",
            header=(*self.axes, *reports.HEADER),
            rows=rows,
            notes=(reports.criterion_text(self.verdict, self.criterion),),
        )

    def __str__(self) -> str:
        return self._table().text

    def __repr__(self) -> str:
        size = " x ".join(f"{len(values)} {name}" for name, values in self.axes.items())
        return f"Scan({self.network}: {self.verdict}; {size})"


def scan(
    net: Network,
    X: ArrayLike,
    orders: int | Iterable[int] = (2, 4),
    networks: int = 10**5,
    rng: Any = None,
    *,
    level: float = 0.01,
    resolution: float = 5.0,
    route: str = "parameters",
    executor: ExecutorLike = None,
    progress: bool | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> Scan:
    """Confront a network with samples at every combination of several values of its parameters.

    The sampler is compiled once, as scales and widths are arguments of it.

    Parameters
    ----------
    net : Network
        The ensemble of networks.
    X : array_like, shape (n, d)
        Points.
    orders, networks, rng, route, executor, progress
        As in :func:`nnft_num.check`, at each combination; every one has draws of its own.
    level : float
        α: probability, at most, that any entry at any combination is said to disagree by chance.
    resolution : float
        Resolution below which an entry is unresolved.
    params, **values
        Parameters and widths: a number, or a sequence of numbers.

    Returns
    -------
    Scan

    Raises
    ------
    SpecificationError
        If points, parameters, orders or counts are impossible, or no parameter has several values.
    NotDerivedError, AccuracyError, InfiniteMomentError
        As :func:`nnft_num.check`, naming the combination.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> grid = scan(nn.cos_net(), [0.0, 1.0], orders=2, networks=10**4, rng=0,
    ...             sigma_w=[0.5, 1.0], N=[1, 4], sigma_v=1.0)
    >>> grid
    Scan(Cos-net: agree; 2 sigma_w x 2 N)
    >>> len(grid.to_dataframe()), str(grid.at(sigma_w=0.5, N=4).verdict)
    (12, 'agree')
    """
    given = merged(params, values)
    axes = {name: _values(name, value) for name, value in given.items() if np.ndim(value)}
    if not axes:
        raise SpecificationError(
            expected="a parameter with several values",
            came=f"one value for each of {', '.join(given) or 'none'}",
            remedy="pass sigma_w=[0.5, 1.0], say, or use nm.check",
        )
    points, wanted = net.points(X), wanted_orders(orders)
    grid = [given | dict(zip(axes, chosen, strict=True)) for chosen in product(*axes.values())]
    numbers = [net.bind(combination) for combination in grid]
    family = len(grid) * _comparisons(points, net.outputs, wanted)
    seeds = np.random.SeedSequence(key_from_rng(rng)).spawn(len(grid))
    found = []
    for bound, seed in zip(numbers, seeds, strict=True):
        try:
            report = check(
                net,
                points,
                wanted,
                networks,
                seed,
                level=level,
                resolution=resolution,
                route=route,
                executor=executor,
                progress=progress,
                params=bound,
                family=family,
            )
        except Exception as error:
            error.add_note("at " + reports.parameters(bound))
            raise
        found.append(report)
    return Scan(
        network=net.name,
        axes=axes,
        reports=tuple(found),
        criterion=Criterion(level=level, resolution=resolution, family=family),
    )


def _values(name: str, value: Any) -> tuple[float, ...]:
    array = np.asarray(value)
    if array.ndim != 1 or array.dtype.kind not in "iuf" or len(set(array.tolist())) != array.size:
        raise SpecificationError(
            expected=f"a number or different numbers in a row for {name}",
            came=f"{value!r}",
            remedy=f"pass {name}=[0.5, 1.0], say",
        )
    if array.size == 0:
        raise SpecificationError(
            expected=f"at least one value of {name}", came="none", remedy=f"pass {name}=1.0"
        )
    return tuple(array.tolist())


def _comparisons(X: NDArray[np.float64], outputs: int, orders: Iterable[int]) -> int:
    fields = len(X) * outputs
    return sum(comb(fields + order - 1, order) for order in orders)
