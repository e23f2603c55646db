"""Cells of a grid in the space of fields, and what rows over them have in common."""

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
from nnft_num.sources.source import Source
from nnft_sym.language.errors import SpecificationError

__all__ = ["CellSource", "Grid", "Noise"]

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
class CellSource:
    """A source with a grid: rows with a number for each cell.

    Parameters
    ----------
    source : Source
        What is sampled.
    grid : Grid
        The cells.
    """

    source: Source
    grid: Grid

    @property
    def plan(self) -> Plan:
        """What is drawn."""
        return self.source.plan

    @property
    def X(self) -> NDArray[np.float64]:
        """Points, shape (n, d)."""
        return self.source.X

    @property
    def params(self) -> Mapping[str, float]:
        """Values of the parameters."""
        return self.source.params

    @property
    def route(self) -> str:
        """How networks are sampled."""
        return self.source.route

    @property
    def precision(self) -> str:
        """Arithmetic of the source."""
        return self.source.precision

    @property
    def dimension(self) -> int:
        """Number of cells."""
        return self.grid.cells

    def _in_cells(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Numbers of the cells from rows of the source, shape (rows, cells)."""
        raise NotImplementedError

    def fill(self, key: tuple[int, int], start: int, out: NDArray[np.float64]) -> None:
        """Write rows start, start + 1, ... into ``out``, shape (rows, cells)."""
        rows = np.empty((len(out), self.source.dimension))
        self.source.fill(key, start, rows)
        out[:] = self._in_cells(rows) if np.isfinite(rows).all() else np.nan

    def to_dict(self) -> dict[str, Any]:
        """Give the source as plain data; floats survive a round trip to the bit."""
        own = {"source": self.source.to_dict(), "grid": self.grid.to_dict()}
        return {"cells": type(self).__name__, **own}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (type(self), self.source.to_json(), json.dumps(self.grid.to_dict()))


def _load(kind: type[CellSource], source: str, grid: str) -> CellSource:
    return kind(source=Source.from_json(source), grid=Grid.from_dict(json.loads(grid)))
