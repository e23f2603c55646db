"""Histograms of fields: how many networks fall into each cell of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnft_num.runs.cells import CellSource, Grid, Noise
from nnft_num.runs.executing import ExecutorLike
from nnft_num.runs.sampling import sample_moments
from nnft_num.sources.source import Source

__all__ = ["Histogram", "HistogramSource", "histogram_of_fields", "sample_histogram"]


class HistogramSource(CellSource):
    """A source of fields with a grid: rows with a one in the cell of the network."""

    @property
    def work(self) -> float:
        """Cost of one row, in products of two numbers."""
        return self.source.work + 10.0 * self.grid.cells

    def _in_cells(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        places = self.grid.places(rows)
        inside = np.flatnonzero(places >= 0)
        ones = np.zeros((len(rows), self.grid.cells))
        ones[inside, places[inside]] = 1.0
        return ones


@dataclass(frozen=True, kw_only=True, eq=False)
class Histogram:
    """Counts of independent networks in cells.

    Parameters
    ----------
    grid : Grid
        The cells.
    counts : ndarray, shape (C,)
        Networks in each cell.
    networks : int
        M: all networks, those in no cell among them.

    Examples
    --------
    >>> grid = Grid(shift=np.zeros(1), matrix=np.eye(1), edges=np.array([-1.0, 0.0, 1.0]))
    >>> found = histogram_of_fields(np.array([[-0.5], [0.5], [0.7], [7.0]]), grid)
    >>> found.frequencies.tolist(), found.errors.round(3).tolist()
    ([0.25, 0.5], [0.25, 0.289])
    """

    grid: Grid
    counts: NDArray[np.int64]
    networks: int

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Share of the networks in each cell."""
        return self.counts / self.networks

    @property
    def errors(self) -> NDArray[np.float64]:
        """Standard errors of the frequencies."""
        p = self.frequencies
        return np.sqrt(p * (1 - p) / (self.networks - 1))

    def noise(self, weights: NDArray[np.float64], delta: NDArray[np.float64]) -> Noise:
        """Noise of the weighted frequencies, whose covariance is diag - root rootᵀ."""
        p, M = self.frequencies, self.networks
        diagonal = weights**2 * p / (M - 1)
        root = weights * p / np.sqrt(M - 1)
        norm = float(root @ root)
        return Noise(
            trace=float(np.sum(diagonal)) - norm,
            square=float(diagonal @ diagonal - 2 * root @ (diagonal * root)) + norm**2,
            along=float(delta @ (diagonal * delta) - (root @ delta) ** 2),
            skew=_skewness(weights * delta, p, M),
        )


def _skewness(scores: NDArray[np.float64], p: NDArray[np.float64], networks: int) -> float:
    """Skewness of the mean of a score of the cell a network falls into, 0 outside all cells."""
    mean = float(scores @ p)
    outside = max(0.0, 1 - float(np.sum(p)))
    second = float((scores - mean) ** 2 @ p) + outside * mean**2
    third = float((scores - mean) ** 3 @ p) - outside * mean**3
    return third / second**1.5 / float(np.sqrt(networks)) if second > 0 else 0.0


def sample_histogram(
    source: Source,
    grid: Grid,
    *,
    networks: int,
    key: tuple[int, int],
    executor: ExecutorLike = None,
    progress: bool | None = None,
) -> Histogram:
    """Count networks 0, ..., networks - 1 of a source in cells.

    Parameters
    ----------
    source : Source
        What draws the fields.
    grid : Grid
        The cells, over the fields of the source.
    networks : int
        Number of networks, at least 2.
    key, executor, progress
        As in ``sample_moments``.

    Raises
    ------
    SpecificationError
        If counts are impossible, or a field is not finite.
    """
    moments = sample_moments(
        HistogramSource(source=source, grid=grid),
        networks=networks,
        max_order=1,
        key=key,
        executor=executor,
        progress=progress,
    )
    counts = np.rint(moments.table.sum(axis=0)).astype(np.int64)
    return Histogram(grid=grid, counts=counts, networks=moments.networks)


def histogram_of_fields(fields: NDArray[np.float64], grid: Grid) -> Histogram:
    """Count given fields, shape (M, m), in cells."""
    places = grid.places(fields)
    counts = np.bincount(places[places >= 0], minlength=grid.cells)
    return Histogram(grid=grid, counts=counts, networks=len(fields))
