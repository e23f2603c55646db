"""A test of many mean differences at once by flips of signs, with p-values of stated level.

Groups b = 1..G of networks give independent contributions p_ub to the mean of entry u, of weights
w_b.  Where the two sides of a difference are exchanged with equal right, p_b and -p_b have one law,
jointly over all entries, and so have the statistics

    T(s) = max_u |t_u|,    t_u = m_u/√((Σ_b w_b p_ub² - m_u²)/(G - 1)),    m_u = Σ_b w_b s_b p_ub,

for all signs s.  T(1) among R random flips gives (1 + #{T(s) ≥ T(1)})/(1 + R): a p-value for all
entries together, whatever their correlations and their number.  It is exact for groups of such a
symmetric law, and holds as the central limit theorem makes the groups' contributions symmetric.

Source: [WY93] for the maximum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnft_sym.language.errors import SpecificationError

__all__ = ["SignFlips", "flip_signs"]

_CHUNK = 2**22
"""Numbers of flipped entries worked on at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SignFlips:
    """What flips of signs say of many differences.

    Parameters
    ----------
    statistics : ndarray, shape (U,)
        t_u of the sample.
    largest : ndarray, shape (R,)
        T(s) of the flips, sorted.
    """

    statistics: NDArray[np.float64]
    largest: NDArray[np.float64]

    def p_value(self, statistic: float) -> float:
        """Probability of a T at least as large where nothing differs."""
        reached = len(self.largest) - np.searchsorted(self.largest, statistic * (1 - 1e-12))
        return float(1 + reached) / (1 + len(self.largest))

    def critical(self, level: float) -> float:
        """T beyond which the p-value is at most the level."""
        allowed = int(level * (1 + len(self.largest)))
        return float(self.largest[len(self.largest) - allowed])


def flip_signs(
    contributions: NDArray[np.float64],
    weights: NDArray[np.float64],
    flips: int,
    rng: np.random.Generator,
    level: float,
) -> SignFlips:
    """Flip the signs of groups.

    Parameters
    ----------
    contributions : ndarray, shape (U, G)
        p_ub; entries that do not fluctuate must be left out.
    weights : ndarray, shape (G,)
        w_b, of sum 1.
    flips : int
        R.
    rng : numpy.random.Generator
        Draws the signs.
    level : float
        Smallest p-value that is asked for.

    Raises
    ------
    SpecificationError
        If there are too few flips for the level.

    Examples
    --------
    >>> p = np.random.default_rng(0).normal(size=(3, 64)) + [[1.0], [0.0], [0.0]]
    >>> found = flip_signs(p, np.full(64, 1 / 64), 999, np.random.default_rng(1), 0.01)
    >>> found.p_value(np.max(np.abs(found.statistics))), bool(found.critical(0.01) > 2.5)
    (0.001, True)
    """
    if flips < 1 or (1 + flips) * level < 2:
        raise SpecificationError(
            expected=f"at least {int(np.ceil(2 / level)) - 1} flips for the level {level:g}",
            came=f"{flips}",
            remedy="pass flips=999, say",
        )
    weighted = contributions * weights
    squares = np.sum(contributions * weighted, axis=1)
    groups = contributions.shape[1]

    def studentised(means: NDArray[np.float64]) -> NDArray[np.float64]:
        spread = np.maximum(squares - means**2, np.finfo(float).eps * squares) / (groups - 1)
        found: NDArray[np.float64] = means / np.sqrt(spread)
        return found

    largest = np.zeros(flips)
    rows = max(1, _CHUNK // max(1, len(contributions)))
    for start in range(0, flips, rows):
        stop = min(start + rows, flips)
        signs = 2.0 * rng.integers(0, 2, size=(stop - start, groups)) - 1.0
        if len(contributions):
            largest[start:stop] = np.max(np.abs(studentised(signs @ weighted.T)), axis=1)
    largest.sort()
    return SignFlips(statistics=studentised(weighted.sum(axis=1)), largest=largest)
