"""Whether an error bar can be trusted: what the sample shows of the tails of the fields.

The jackknife error of a correlator of order k rests on E f^(2k).  Where the tail of a field falls
like |f|^(-alpha) at the edge of the sample, that moment has been seen only if alpha is well above
2k; else rare networks beyond the sample would change the error, and the claimed one is too small
(lognormal fields: estimate and error both far below the truth, a false disagreement).

The index is read off the largest |f| of blocks of B networks each: their logarithms spread like
pi / (sqrt(6) alpha_B).  From one block to the n networks of the run it grows,

    alpha = alpha_B (log n / log B)^gamma,

with gamma = 1 for tails exp(-c |f|^tau), where alpha_B = tau log B, and gamma = 1/2 for lognormal
ones.  The slower growth is taken unless the tail is clearly lighter than exponential: gamma rises
from 1/2 to 1 as alpha_B / log B goes from 1.2 to 1.8.  An entry is called heavy-tailed where
alpha < 1.5 k for one of its fields.  The threshold is the measured border: where pulls lie beyond
the 1e-5 quantiles of their law more often than some times in a hundred, alpha is below it.  It
cannot see a tail that the bulk of the sample covers: a hundred lognormal neurons in a field look
light at order 4 up to 10^5 networks.  Then few groups carry the error, which shows in its effective
degrees of freedom.

Source: E. J. Gumbel, Statistics of Extremes (1958), for the law of block maxima.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnft_num.statistics.moments import Moments

__all__ = ["HEAVY", "effective_freedom", "tail_indices"]

HEAVY = 1.5
"""Tail index over order below which an error bar is not trusted."""

_BLOCKS = 32
_NETWORKS = 8
_SHAPES = (1.2, 1.8)
_GROWTHS = (0.5, 1.0)


def effective_freedom(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Degrees of freedom that match the spread of the sum of squares of the group deviations.

    With q = sum d^4 / (sum d^2)^2 over G groups, 2/(q - 1/G), at most G - 1: equal to it for normal
    deviations, and 2 when one group carries the whole error.

    Parameters
    ----------
    deviations : ndarray, shape (U, G)
        Deviations d of the groups for each entry.

    Source: F. E. Satterthwaite, Biometrics Bulletin 2 (1946) 110.

    Examples
    --------
    >>> effective_freedom(np.array([[1.0, -1.0, 1.0, -1.0], [3.0, 0.1, -0.1, 0.1]])).round(1)
    array([3. , 2.7])
    """
    groups = deviations.shape[1]
    squares = deviations**2
    total = squares.sum(axis=1)
    share = np.divide(squares, total[:, None], where=total[:, None] > 0, out=np.zeros_like(squares))
    excess = np.sum(share**2, axis=1) - 1 / groups
    limit = float(groups - 1)
    return np.minimum(limit, 2 / np.maximum(excess, 2 / limit))


def tail_indices(moments: Moments) -> NDArray[np.float64]:
    """Index alpha of each field at the edge of the sample; infinite where nothing shows a tail.

    Parameters
    ----------
    moments : Moments
        Holds the largest |f| of each group; groups of few networks are joined to blocks.

    Returns
    -------
    ndarray, shape (m,)
        NaN with fewer than 32 blocks of 8 networks: too few to tell.
    """
    unknown = np.full(moments.dimension, np.nan)
    blocks = min(moments.groups, moments.networks // _NETWORKS)
    if blocks < _BLOCKS:
        return unknown
    starts = np.arange(blocks) * moments.groups // blocks
    maxima = np.maximum.reduceat(moments.maxima, starts, axis=0)
    size = moments.networks / blocks
    positive = (maxima > 0).all(axis=0)
    logarithms = np.log(np.where(positive, maxima, 1.0))
    spread = np.std(logarithms, axis=0, ddof=1)
    with np.errstate(divide="ignore"):
        block_index = np.pi / np.sqrt(6) / spread
    shape = block_index / np.log(size)
    gamma = np.interp(shape, _SHAPES, _GROWTHS)
    indices = block_index * (np.log(moments.networks) / np.log(size)) ** gamma
    return np.where(positive | (maxima == 0).all(axis=0), indices, unknown)
