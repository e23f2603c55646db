"""Two points of smooth functions: Hermite series for all pairs at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nnft_sym.expectation.cubature.moments import Values
from nnft_sym.expectation.mehler import MehlerSeries
from nnft_sym.language.errors import AccuracyError

if TYPE_CHECKING:
    from nnft_sym.expectation.evaluation import Problem

__all__ = ["evaluate"]

RANK = 50

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_TERMS = (96, 384, 1536, 6144)
# Pairs handed to the cubature at once, for the sake of memory.
_TOGETHER = 256


def evaluate(problem: Problem, rows: Indices) -> Values | None:
    r"""E[φ(z_a) φ(z_b)] = Σ_n c_n(a) c_n(b) ρ_ab^n for smooth φ.

    Where a series of 6144 terms does not reach the tolerance (steep φ: large variances, and
    correlations close to ±1 besides) the pairs concerned are left to the cubature.

    Examples
    --------
    >>> import sympy as sp
    >>> from nnft_sym.activations import Z
    >>> from nnft_sym.expectation.evaluation import Problem
    >>> from nnft_sym.expectation.cubature.gram import Gram
    >>> tanh = Problem(phi=sp.tanh(Z), gram=Gram.from_matrix(np.eye(2)), shift=0, rtol=1e-10)
    >>> evaluate(tanh, np.array([[0, 0], [0, 1]])).entries.round(10).tolist()
    [0.3942944904, 0.0]
    """
    if rows.shape[1] != 2 or not len(rows) or problem.thresholds:
        return None
    used, compact = np.unique(rows, return_inverse=True)
    a, b = compact.reshape(rows.shape).T
    K = problem.gram.matrix
    lengths = np.sqrt(np.maximum(np.diag(K)[used], 0.0))
    scale = lengths[a] * lengths[b]
    rho = np.where(scale > 0, K[rows[:, 0], rows[:, 1]] / np.where(scale > 0, scale, 1.0), 0.0)
    rho = np.clip(rho, -1.0, 1.0)

    def field(z: Floats, at: Indices) -> Floats:
        return problem.field(z, used[at])

    found: Values | None = None
    for terms in _TERMS:
        try:
            series = MehlerSeries.of_field(field, lengths, terms)
        except AccuracyError:
            break
        found = series.sums(a, b, rho)
        same = a == b
        # Without a series: the variance of a point is E φ² itself.
        found.entries[same] = series.norms[a[same]]
        found.errors[same] = (2 * series.errors * np.sqrt(series.norms))[a[same]]
        missed = found.errors > problem.rtol * np.max(np.abs(found.entries))
        if not np.any(missed):
            return found
    if found is None:
        return None
    left = np.flatnonzero(missed)
    for start in range(0, len(left), _TOGETHER):
        block = left[start : start + _TOGETHER]
        rest = problem.cubature({2: rows[block]})[2]
        found.entries[block], found.errors[block] = rest.entries, rest.errors
    return found
