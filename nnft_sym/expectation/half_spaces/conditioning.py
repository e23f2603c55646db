"""Gaussian fields under Gaussian factors and given half-space boundaries, without cancellation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Arithmetic", "Fields"]

Matrix = Any
"""Indexed by two points: nested sequences or an array, of numbers or of arrays over entries."""


class Arithmetic(Protocol):
    """Numbers the fields are computed with: arrays of doubles, or mpmath's."""

    def divide(self, numerator: Any, denominator: Any, otherwise: Any) -> Any:
        """Quotient, and another value where the denominator is 0."""


@dataclass(frozen=True, kw_only=True)
class Fields:
    r"""Mean, covariance and 2×2 minors of jointly Gaussian fields.

    A factor exp(βz_b²) and a boundary z_b + τξ = t are the same thing to the covariance: z_b is
    seen with precision p/q, which is -2β/1 or 1/τ².  With s = q + p W_bb,

    .. math:: W'_{ab} = q W_{ab}/s, \quad W'_{aa} = (q W_{aa} + p D_{ab})/s, \quad
              D'_{ab} = q D_{ab}/s ,

    so that the determinants D, known without cancellation, keep their digits.

    Parameters
    ----------
    mean, mean_size : sequence
        m_a, and the sum of the absolute values of its terms.
    covariance, minors : sequence of sequences
        W_ab and D_ab = W_aa W_bb - W_ab².
    """

    mean: Sequence[Any]
    mean_size: Sequence[Any]
    covariance: Matrix
    minors: Matrix

    @property
    def points(self) -> int:
        """Number of fields k."""
        return len(self.mean)

    def seen(self, b: int, p: Any, q: Any, arithmetic: Arithmetic) -> Fields:
        """Update the covariance for field b seen with precision p/q; the mean is left alone."""
        W, D, divide = self.covariance, self.minors, arithmetic.divide
        spread = q + p * W[b][b]

        def entry(a: int, c: int) -> Any:
            if b in (a, c):
                return divide(q * W[a][c], spread, 0 * W[a][c])
            if a == c:
                return divide(q * W[a][a] + p * D[a][b], spread, W[a][a])
            return W[a][c] - divide(p * W[a][b] * W[c][b], spread, 0 * W[a][c])

        def minor(a: int, c: int) -> Any:
            if a == c:
                return 0 * D[a][c]
            if b in (a, c):
                return divide(q * D[a][c], spread, 0 * D[a][c])
            lost = (W[a][a] * W[c][b] - W[a][c] * W[a][b]) ** 2 + D[a][c] * W[a][b] ** 2
            return D[a][c] - divide(p * lost, spread * W[a][a], 0 * D[a][c])

        k = range(self.points)
        return Fields(
            mean=self.mean,
            mean_size=self.mean_size,
            covariance=[[entry(a, c) for c in k] for a in k],
            minors=[[minor(a, c) for c in k] for a in k],
        )

    def tilted(self, alpha: Sequence[Any]) -> Fields:
        """Move the mean to W α under a factor exp(αᵀz), for fields that were centred."""
        W, k = self.covariance, range(self.points)
        mean = [sum((W[a][b] * alpha[b] for b in k), 0 * W[a][a]) for a in k]
        size = [sum((abs(W[a][b] * alpha[b]) for b in k), 0 * W[a][a]) for a in k]
        return Fields(mean=mean, mean_size=size, covariance=W, minors=self.minors)

    def given(self, b: int, noise: Any, threshold: Any, arithmetic: Arithmetic) -> Fields:
        """Condition on z_b + τξ = t."""
        W, m, divide = self.covariance, self.mean, arithmetic.divide
        spread = noise + W[b][b]
        off = m[b] - threshold
        off_size = self.mean_size[b] + abs(threshold)
        mean, size = list(m), list(self.mean_size)
        for a in range(self.points):
            if a == b:
                mean[a] = divide(noise * m[b] + W[b][b] * threshold, spread, threshold + 0 * m[b])
            else:
                mean[a] = m[a] - divide(W[a][b] * off, spread, 0 * m[a])
            size[a] = size[a] + divide(abs(W[a][b]) * off_size, spread, 0 * W[a][b])
        after = self.seen(b, 1, noise, arithmetic)
        return Fields(mean=mean, mean_size=size, covariance=after.covariance, minors=after.minors)
