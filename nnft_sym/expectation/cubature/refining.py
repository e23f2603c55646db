"""Adaptive integration of many moments at once, by accepting or dividing cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nnft_sym.expectation.cubature.products import Products
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError

__all__ = ["Cells", "Contributions", "Totals", "allowed_errors", "integrate_cells", "rounding"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_ROUNDS = 80
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Intervals of the outer variable, each of one support.

    Parameters
    ----------
    support : ndarray of int, shape (C,)
        Which set of points is integrated.
    low, high : ndarray, shape (C,)
        Ends of the interval.
    level : ndarray of int, shape (C,)
        How finely the inner panels are cut.
    side : ndarray, shape (C,)
        Which half of the space the outer variable runs over: 1 or -1.
    """

    support: Indices
    low: Floats
    high: Floats
    level: Indices
    side: Floats

    def __len__(self) -> int:
        return len(self.low)

    def take(self, which: NDArray[np.bool_] | Indices) -> Cells:
        """Keep some of the cells."""
        return Cells(
            support=self.support[which],
            low=self.low[which],
            high=self.high[which],
            level=self.level[which],
            side=self.side[which],
        )

    @classmethod
    def joined(cls, parts: Sequence[Cells]) -> Cells:
        """Put several sets of cells one after the other."""
        return cls(
            support=np.concatenate([part.support for part in parts]),
            low=np.concatenate([part.low for part in parts]),
            high=np.concatenate([part.high for part in parts]),
            level=np.concatenate([part.level for part in parts]),
            side=np.concatenate([part.side for part in parts]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Contributions:
    """What each cell contributes.

    Parameters
    ----------
    values : ndarray, shape (C, U)
        Integrals over the cells.
    outer, inner : ndarray, shape (C, U)
        Estimates of the errors of the outer and of the inner rule.
    absolute : ndarray, shape (C, U)
        Integrals of the absolute values.
    nodes : int
        Number of nodes used.
    """

    values: Floats
    outer: Floats
    inner: Floats
    absolute: Floats
    nodes: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Totals:
    """Integrals of all entries over each support, with bounds of their errors.

    Parameters
    ----------
    values, errors : ndarray, shape (B, U)
        Integrals and bounds of their errors, rounding included.
    """

    values: Floats
    errors: Floats


def integrate_cells(
    evaluate: Callable[[Cells], Contributions],
    cells: Cells,
    supports: int,
    plan: Products,
    rtol: float,
    scales: dict[int, float],
    radius: float,
    misplaced: float,
    budget: int,
) -> Totals:
    """Divide cells until the error of every entry is below rtol of the largest of its order.

    Parameters
    ----------
    evaluate : callable
        Contributions of cells.
    cells : Cells
        First division.
    supports : int
        B: number of supports.
    plan : Products
        The entries.
    rtol : float
        Error allowed, relative to the largest moment of the order.
    scales : dict
        For each order a lower bound of that largest moment known already.
    radius : float
        R: how far out the integral goes, for the bound of rounding.
    misplaced : float
        Error of the ends of the cells by rounding.
    budget : int
        Nodes after which to give up.

    Raises
    ------
    AccuracyError
        If the error does not fall below the tolerance within the budget.
    InfiniteMomentError
        If values that are not finite are met.
    """
    orders = plan.orders
    entries = len(orders)
    values, errors = np.zeros((supports, entries)), np.zeros((supports, entries))
    absolute, steepest = np.zeros((supports, entries)), np.zeros((supports, entries))
    first = np.bincount(cells.support, minlength=supports)
    total_width = np.bincount(cells.support, cells.high - cells.low, minlength=supports)
    spent = 0
    for _ in range(_ROUNDS):
        found = evaluate(cells)
        spent += found.nodes
        _require_finite(found)
        allowed = allowed_errors(
            orders,
            values + _grouped(cells, found.values, supports),
            absolute + _grouped(cells, found.absolute, supports),
            rtol,
            scales,
        )
        share = np.maximum(
            (cells.high - cells.low) / total_width[cells.support],
            1 / (8 * first[cells.support]),
        )
        error = found.outer + found.inner
        excess = np.max(error / (0.5 * allowed * share[:, None]), axis=1, initial=0.0)
        accept = (excess <= 1) | (spent > budget)
        if spent <= budget:
            # Cells may pass together although some are above their share.
            pending_error = _grouped(cells, error, supports)
            whole = np.all(errors + pending_error <= 0.5 * allowed, axis=1)
            accept |= whole[cells.support]
        settled = cells.support[accept]
        np.add.at(values, settled, found.values[accept])
        np.add.at(errors, settled, error[accept])
        np.add.at(absolute, settled, found.absolute[accept])
        if misplaced:
            density = found.absolute / (cells.high - cells.low)[:, None]
            np.maximum.at(steepest, settled, density[accept])
        if np.all(accept):
            break
        inner = (found.inner / allowed).max(axis=1) > (found.outer / allowed).max(axis=1)
        cells = _divided(cells.take(~accept), inner[~accept])
    else:
        raise _not_converged(errors, orders, spent)
    errors += misplaced * steepest
    allowed = allowed_errors(orders, values, absolute, rtol, scales)
    if np.any(errors > allowed):
        raise _not_converged(errors / allowed * rtol, orders, spent)
    return Totals(values=values, errors=errors + rounding(radius) * absolute)


def rounding(radius: float) -> float:
    """Bound the relative error of rounding of a sum over |g| < R.

    Exponents are of the order of R^2 at most, and so is the loss of relative accuracy in them.
    """
    return _EPS * (64 + radius**2)


def _grouped(cells: Cells, rows: Floats, supports: int) -> Floats:
    total = np.zeros((supports, rows.shape[1]))
    np.add.at(total, cells.support, rows)
    return total


def allowed_errors(
    orders: Indices, values: Floats, absolute: Floats, rtol: float, scales: dict[int, float]
) -> Floats:
    """Error allowed in each entry: never below rounding of the integral of absolute values."""
    allowed = np.empty(len(orders))
    for k in np.unique(orders):
        of_order = orders == k
        largest = max(scales.get(int(k), 0.0), float(np.max(np.abs(values[:, of_order]))))
        floor = 256 * _EPS * float(np.max(absolute[:, of_order]))
        allowed[of_order] = max(rtol * largest, floor, 1e-300)
    return allowed


def _divided(cells: Cells, inner: NDArray[np.bool_]) -> Cells:
    """Cut the inner panels of some cells, and the interval of the others."""
    deeper = cells.take(inner)
    deeper = replace(deeper, level=deeper.level + 1)
    halved = cells.take(~inner)
    middle = (halved.low + halved.high) / 2
    return Cells.joined([deeper, replace(halved, high=middle), replace(halved, low=middle)])


def _require_finite(found: Contributions) -> None:
    if np.all(np.isfinite(found.values)) and np.all(np.isfinite(found.outer)):
        return
    raise InfiniteMomentError(
        expected="an integrand that is finite at every node",
        came="products of the function that overflow or are not numbers",
        remedy="check that the moment exists, and that it is below 1e308",
    )


def _not_converged(errors: Floats, orders: Indices, spent: int) -> AccuracyError:
    worst = int(np.argmax(np.max(errors, axis=0)))
    return AccuracyError(
        expected="an integral that converges to the accuracy asked for",
        came=(
            f"an error of {float(np.max(errors)):.2g} in a {orders[worst]}-point moment "
            f"after {spent} nodes"
        ),
        remedy="ask for less (rtol), use a closed form, or check that the moment is finite",
    )
