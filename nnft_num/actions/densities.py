"""Claimed densities of the field: masses of cells by truncated actions."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.runs.cells import Grid
from nnft_sym.actions.at_points import ActionAtPoints
from nnft_sym.actions.polynomials import form
from nnft_sym.expectation.cells import CellMasses, cell_masses
from nnft_sym.language.errors import SpecificationError

__all__ = ["CELLS", "WINDOW", "action_grid", "action_masses", "is_small"]

WINDOW = 2.0
"""Half the width of the window of cells, in standard deviations."""

LARGEST_RATIO = 0.5
"""What order p adds to the masses over what order p - 1 did, up to which 1/N counts as small."""

CELLS = {1: 8, 2: 8}
"""Cells along each direction, by the number of directions."""


def action_masses(at: ActionAtPoints, density: str, grid: Grid) -> CellMasses:
    """Masses of the cells of a grid by e^{-S} or the Edgeworth density, with their errors.

    Parameters
    ----------
    at : ActionAtPoints
        S over the fields.
    density : str
        "action" or "edgeworth"; of order 0 both are the Gaussian, which may be called so.
    grid : Grid
        In the coordinates in which the covariance is the identity.
    """
    legs = at.frame.correlator_legs
    assert legs is not None
    volume = np.exp(at.frame.half_log_determinant) / (2 * pi) ** (at.frame.rank / 2)
    kind: Any = "edgeworth" if density == "edgeworth" else "action"

    def fields(h: NDArray[np.float64]) -> NDArray[np.float64]:
        return h @ legs.T + grid.shift

    def mass(h: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = at.pdf(fields(h), density=kind) * volume
        return result

    def uncertain(h: NDArray[np.float64]) -> NDArray[np.float64]:
        size = np.abs(fields(h) - grid.shift)
        bounds = [form(bound, size) for bound in at.errors.values()]
        return np.abs(mass(h)) * np.sum(bounds, axis=0)

    # An action far from normalisable can be infinite to doubles within the window.
    with np.errstate(over="ignore", invalid="ignore"):
        found = cell_masses(mass, grid.edges, grid.directions)
        theory = cell_masses(uncertain, grid.edges, grid.directions)
    return CellMasses(values=found.values, errors=found.errors + theory.values)


def action_grid(at: ActionAtPoints, window: float, cells: int | None) -> Grid:
    """Cells in the coordinates in which the covariance is the identity."""
    enter = at.frame.enter
    assert enter is not None
    count = CELLS[at.frame.rank] if cells is None else cells
    whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
    if not whole or count < 2 or not 0 < window < np.inf:
        raise SpecificationError(
            expected="a window above 0 with at least 2 cells along each direction",
            came=f"window={window!r}, cells={cells!r}",
            remedy="leave them out",
        )
    shift = np.zeros(enter.shape[1]) if at.mean is None else np.asarray(at.mean, dtype=np.float64)
    return Grid(shift=shift, matrix=enter, edges=np.linspace(-window, window, int(count) + 1))


def is_small(
    masses: Mapping[tuple[int, str, int], CellMasses], order: int, density: str, width: int
) -> bool:
    """Whether what order p adds to the masses is at most half of what order p - 1 did."""
    gaussian = masses[0, "gaussian", width].values

    def through(p: int) -> NDArray[np.float64]:
        if p < 0:
            return np.zeros_like(gaussian)
        return masses[p, density, width].values if p else gaussian

    def added(p: int) -> float:
        with np.errstate(invalid="ignore"):
            return float(np.linalg.norm((through(p) - through(p - 1)) / np.sqrt(gaussian)))

    return order == 0 or added(order) <= LARGEST_RATIO * added(order - 1)
