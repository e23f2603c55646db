"""Masses of densities in the cells of a grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CellMasses", "cell_masses"]

ORDERS = (10, 14)
"""Nodes along each side of a cell, of the rule that gives the error and of the one that is used."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CellMasses:
    """Integrals of a density over cells, with the difference to a coarser rule as their error.

    Parameters
    ----------
    values, errors : ndarray, shape (C,)
        One for each cell, the last direction running fastest.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]


def cell_masses(
    density: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    edges: NDArray[np.float64],
    directions: int,
) -> CellMasses:
    """Integrate a smooth density over each cell of a grid by Gauss-Legendre rules.

    Parameters
    ----------
    density : callable
        From coordinates, shape (Q, r), to values, shape (Q,).
    edges : ndarray, shape (B + 1,)
        Ascending edges of the cells along each direction.
    directions : int
        r.

    Examples
    --------
    >>> flat = cell_masses(lambda h: h[:, 0] ** 2, np.array([0.0, 1.0, 3.0]), 1)
    >>> flat.values.round(12).tolist()
    [0.333333333333, 8.666666666667]
    """
    coarse, fine = (_masses(density, edges, directions, order) for order in ORDERS)
    rounding = float(np.finfo(np.float64).eps) * np.abs(fine)
    return CellMasses(values=fine, errors=np.abs(fine - coarse) + rounding)


def _masses(
    density: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    edges: NDArray[np.float64],
    directions: int,
    order: int,
) -> NDArray[np.float64]:
    points, weights = np.polynomial.legendre.leggauss(order)
    halves = np.diff(edges) / 2
    line = (edges[:-1, None] + halves[:, None] * (points + 1)).ravel()
    own = (halves[:, None] * weights).ravel()
    nodes = np.stack([g.ravel() for g in np.meshgrid(*[line] * directions, indexing="ij")], axis=1)
    shares = np.meshgrid(*[own] * directions, indexing="ij")
    weighted = density(nodes) * np.prod([share.ravel() for share in shares], axis=0)
    blocks = weighted.reshape((len(halves), order) * directions)
    masses: NDArray[np.float64] = blocks.sum(axis=tuple(range(1, 2 * directions, 2))).ravel()
    return masses
