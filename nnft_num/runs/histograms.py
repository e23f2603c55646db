"""Histograms of fields: how many networks fall into each cell of a grid."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.plans.plan import Plan
from nnft_num.runs.executing import ExecutorLike
from nnft_num.runs.sampling import sample_moments
from nnft_num.sources.source import Source
from nnft_sym.language.errors import SpecificationError

__all__ = [
    "Grid",
    "Histogram",
    "HistogramSource",
    "Noise",
    "histogram_of_fields",
    "sample_histogram",
]

MOST_CELLS = 4096
"""Cells of the largest grid; a row of a run holds a number for each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Grid:
    """Cells in the coordinates h = A (f - μ), the same edges along each of them.

    Parameters
    ----------
    shift : ndarray, shape (m,)
        μ.
    matrix : ndarray, shape (r, m)
        A.
    edges : ndarray, shape (B + 1,)
        Ascending edges; what lies outside is in no cell.

    Raises
    ------
    SpecificationError
        If edges do not ascend, shapes do not match or there are too many cells.

    Examples
    --------
    >>> grid = Grid(shift=np.zeros(1), matrix=np.eye(1), edges=np.array([-1.0, 0.0, 1.0]))
    >>> grid.cells, grid.places(np.array([[-0.5], [0.5], [7.0]])).tolist()
    (2, [0, 1, -1])
    """

    shift: NDArray[np.float64]
    matrix: NDArray[np.float64]
    edges: NDArray[np.float64]

    def __post_init__(self) -> None:
        edges, matrix = self.edges, self.matrix
        right = edges.ndim == 1 and len(edges) > 1 and np.all(np.diff(edges) > 0)
        fitting = matrix.ndim == 2 and matrix.shape[1:] == self.shift.shape
        if not right or not fitting or self.cells > MOST_CELLS:
            raise SpecificationError(
                expected=f"edges of at most {MOST_CELLS} cells, a matrix (r, m), m shifts",
                came=f"edges of shape {edges.shape}, a matrix of shape {matrix.shape}, shifts of "
                f"shape {self.shift.shape}",
                remedy="use fewer cells along each direction",
            )

    @property
    def directions(self) -> int:
        """r: number of coordinates."""
        return int(self.matrix.shape[0])

    @property
    def cells(self) -> int:
        """Number of cells, B^r."""
        return int((len(self.edges) - 1) ** self.directions)

    def places(self, fields: NDArray[np.float64]) -> NDArray[np.int64]:
        """Cell of each field, shape (M, m), the last coordinate running fastest; -1 for none."""
        coordinates = (fields - self.shift) @ self.matrix.T
        along = np.searchsorted(self.edges, coordinates, side="right") - 1
        size = len(self.edges) - 1
        inside = np.all((along >= 0) & (along < size), axis=1)
        powers = size ** np.arange(self.directions)[::-1]
        return np.where(inside, along @ powers, -1)

    def to_dict(self) -> dict[str, Any]:
        """Give the grid as plain data."""
        return {
            "shift": self.shift.tolist(),
            "matrix": self.matrix.tolist(),
            "edges": self.edges.tolist(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Grid:
        """Build the grid from plain data."""
        return cls(**{name: np.array(value, dtype=np.float64) for name, value in data.items()})


@dataclass(frozen=True, kw_only=True, eq=False)
class HistogramSource:
    """A source with a grid: rows with a one in the cell of the network.

    Parameters
    ----------
    fields : Source
        What draws the fields.
    grid : Grid
        The cells.
    """

    fields: Source
    grid: Grid

    @property
    def plan(self) -> Plan:
        """What is drawn."""
        return self.fields.plan

    @property
    def X(self) -> NDArray[np.float64]:
        """Points, shape (n, d)."""
        return self.fields.X

    @property
    def params(self) -> Mapping[str, float]:
        """Values of the parameters."""
        return self.fields.params

    @property
    def route(self) -> str:
        """How networks are sampled."""
        return self.fields.route

    @property
    def precision(self) -> str:
        """Arithmetic of the fields."""
        return self.fields.precision

    @property
    def dimension(self) -> int:
        """Number of cells."""
        return self.grid.cells

    @property
    def work(self) -> float:
        """Cost of one row, in products of two numbers."""
        return self.fields.work + 10.0 * self.grid.cells

    def fill(self, key: tuple[int, int], start: int, out: NDArray[np.float64]) -> None:
        """Write rows start, start + 1, ... into ``out``, shape (rows, cells)."""
        fields = np.empty((len(out), self.fields.dimension))
        self.fields.fill(key, start, fields)
        if not np.isfinite(fields).all():
            out[:] = np.nan
            return
        places = self.grid.places(fields)
        rows = np.flatnonzero(places >= 0)
        out[:] = 0.0
        out[rows, places[rows]] = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Give the source as plain data; floats survive a round trip to the bit."""
        return {"fields": self.fields.to_dict(), "grid": self.grid.to_dict()}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (self.fields.to_json(), json.dumps(self.grid.to_dict()))


def _load(fields: str, grid: str) -> HistogramSource:
    return HistogramSource(fields=Source.from_json(fields), grid=Grid.from_dict(json.loads(grid)))


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise of weighted masses w p̂ of covariance C, and along a vector δ.

    Parameters
    ----------
    trace, square : float
        tr C and tr C².
    along : float
        δᵀ C δ.
    skew : float
        Skewness of δᵀ w p̂.
    """

    trace: float
    square: float
    along: float
    skew: float


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
        HistogramSource(fields=source, grid=grid),
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
