"""Integrals over position space, a box |y_i| <= Λ, refined until they stand still."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nnft_sym.language.errors import AccuracyError

__all__ = ["BoxIntegral", "integrated_over_box"]

MOST_NODES = 30_000
"""Nodes beyond which no finer rule is tried."""

HIGHEST_ORDER = 200
"""Nodes on each panel beyond which more of them do not help."""

FIRST_ORDER = {1: 12, 2: 10}
"""Nodes on each panel of the first rule by the dimension; fewer in higher ones."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxIntegral:
    """Integrals over a box, with the difference to the last coarser rule as their error.

    Parameters
    ----------
    values : ndarray
        The integrals.
    errors : ndarray
        Largest difference to the coarser rule in each row of the integrals, relative to the
        largest integral of the row.
    nodes : int
        Number of nodes of the rule.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    nodes: int


def integrated_over_box(
    integrals: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    *,
    cutoff: float,
    dimension: int,
    kinks: Sequence[float] = (),
    rtol: float,
) -> BoxIntegral:
    """Integrate over |y_i| <= Λ by Gauss-Legendre rules on panels, in each direction.

    Parameters
    ----------
    integrals : callable
        From nodes (Q, d) and weights (Q,) to the integrals, shape (rows, ...).
    cutoff : float
        Λ.
    dimension : int
        d.
    kinks : sequence of float
        Coordinates at which the integrand may have kinks.
    rtol : float
        Largest change from one rule to the next, relative to the largest integral of each row.

    Raises
    ------
    AccuracyError
        If the integrals still change where the rules become too large.

    Examples
    --------
    >>> square = lambda y, w: np.array([[w @ np.abs(y[:, 0])]])
    >>> found = integrated_over_box(square, cutoff=2.0, dimension=1, kinks=(0.0,), rtol=1e-9)
    >>> round(float(found.values[0, 0]), 9)
    4.0
    """
    inside = sorted({k for k in kinks if -cutoff < k < cutoff})
    edges = [-cutoff, *inside, cutoff]
    order = FIRST_ORDER.get(dimension, 5)
    coarse, errors = None, np.array([np.inf])
    while order <= HIGHEST_ORDER and ((len(edges) - 1) * order) ** dimension <= MOST_NODES:
        nodes, weights = _rule(edges, order, dimension)
        values = np.asarray(integrals(nodes, weights))
        if coarse is not None:
            sizes = _row_maxima(values)
            errors = _row_maxima(values - coarse) / np.where(sizes > 0, sizes, 1.0)
            if np.all(errors <= rtol):
                return BoxIntegral(values=values, errors=errors, nodes=len(nodes))
        coarse, order = values, order + max(2, order // 3)
    raise AccuracyError(
        expected=f"integrals over |y| <= {cutoff:g} in d={dimension} to a relative {rtol:g}",
        came=f"a relative change of {np.max(errors):.2g} between the finest two rules",
        remedy="ask for less with rtol=, or lower the cutoff",
    )


def _row_maxima(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.max(np.abs(values.reshape(len(values), -1)), axis=1)


def _rule(
    edges: Sequence[float], order: int, dimension: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points, weights = np.polynomial.legendre.leggauss(order)
    halves = [(b - a) / 2 for a, b in pairwise(edges)]
    line = np.concatenate([a + h * (points + 1) for a, h in zip(edges, halves, strict=False)])
    own = np.concatenate([h * weights for h in halves])
    grid = np.meshgrid(*[line] * dimension, indexing="ij")
    shares = np.meshgrid(*[own] * dimension, indexing="ij")
    nodes = np.stack([axis.ravel() for axis in grid], axis=1)
    return nodes, np.prod([share.ravel() for share in shares], axis=0)
