"""The delete-one-group jackknife over many entries at once, without copies of its tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnft_num.statistics.moments import Moments
from nnft_num.statistics.tails import effective_freedom

__all__ = ["Jackknife", "jackknife", "leave_one_out"]

_CHUNK = 4096
"""Entries worked on at a time where intermediate tables are needed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Jackknife:
    """Spread of a statistic over groups left out.

    Parameters
    ----------
    errors : ndarray, shape (U,)
        Standard error of each entry.
    deviations : ndarray, shape (U, G)
        Scaled deviations of the groups, whose products are the covariance.
    freedom : ndarray, shape (U,)
        Effective degrees of freedom of each error.
    centre : ndarray, shape (U,)
        Weighted mean of the pseudo-values: the statistic with its leading bias taken out.
    """

    errors: NDArray[np.float64]
    deviations: NDArray[np.float64]
    freedom: NDArray[np.float64]
    centre: NDArray[np.float64]


def leave_one_out(moments: Moments, monomials: int) -> NDArray[np.float64]:
    """Means of the first monomials over all networks, then without each group.

    Returns
    -------
    ndarray, shape (monomials, 1 + G)
    """
    table = moments.table[:, :monomials]
    total = table.sum(axis=0)
    means = np.empty((monomials, 1 + moments.groups))
    np.divide(total, moments.networks, out=means[:, 0])
    for group, count in enumerate(moments.counts):
        np.divide(total - table[group], moments.networks - count, out=means[:, 1 + group])
    return means


def jackknife(values: NDArray[np.float64], counts: NDArray[np.int64]) -> Jackknife:
    """Errors from the values over all networks (first column) and without each group.

    Parameters
    ----------
    values : ndarray, shape (U, 1 + G)
        Values of the statistic; the columns after the first are used up.
    counts : ndarray, shape (G,)
        Networks in each group.
    """
    groups = len(counts)
    weights = counts / counts.sum()
    deviations = values[:, 1:]
    errors, freedom, centre = (np.empty(len(values)) for _ in range(3))
    for start in range(0, len(values), _CHUNK):
        rows = slice(start, start + _CHUNK)
        pseudo = (values[rows, :1] - (1 - weights) * deviations[rows]) / weights
        centre[rows] = pseudo @ weights
        deviations[rows] = (pseudo - centre[rows, None]) * np.sqrt(weights / (groups - 1))
        errors[rows] = np.sqrt(np.sum(deviations[rows] ** 2, axis=1))
        freedom[rows] = effective_freedom(deviations[rows])
    return Jackknife(errors=errors, deviations=deviations, freedom=freedom, centre=centre)
