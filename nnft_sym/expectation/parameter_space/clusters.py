"""Products of a neuron at several points, as functions of as few fields as carry them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cluster", "clustered", "components"]

Floats = NDArray[np.float64]

_PARALLEL = 16 * np.finfo(np.float64).eps


@dataclass(frozen=True, kw_only=True, eq=False)
class Cluster:
    """A product of neurons φ_b(λ_b t + m_b)^{p_b} of one centred field t.

    Parameters
    ----------
    slopes : ndarray, shape (parameters,)
        t = slopes·(θ - E θ).
    members : tuple of (int, int, float, float)
        The point b, its power p_b, λ_b and m_b.
    """

    slopes: Floats
    members: tuple[tuple[int, int, float, float], ...]

    def function(self, phis: Sequence[Callable[[Floats], Floats]]) -> Callable[[Floats], Floats]:
        """f(t), for neurons φ_b of one variable."""

        def product(t: Floats) -> Floats:
            value = np.ones_like(t)
            for point, power, ratio, mean in self.members:
                value = value * phis[point](ratio * t + mean) ** power
            return value

        return product

    def kinks(self, thresholds: Sequence[Sequence[float]]) -> tuple[float, ...]:
        """Where t puts a φ_b at one of its thresholds, such as those of its kinks."""
        found = (
            (threshold - mean) / ratio
            for point, _, ratio, mean in self.members
            for threshold in thresholds[point]
        )
        return tuple(sorted(set(found)))


def clustered(
    powers: Sequence[tuple[int, int]], slopes: Floats, means: Floats
) -> tuple[list[Cluster], list[tuple[int, int]]]:
    """Gather points with parallel slopes; points without slopes are returned apart.

    Parameters
    ----------
    powers : sequence of (int, int)
        Points and their powers.
    slopes : ndarray, shape (n, parameters)
        Fields u_b = slopes[b]·(θ - E θ) + means[b].
    means : ndarray, shape (n,)

    Examples
    --------
    >>> found, constant = clustered(
    ...     [(0, 1), (1, 2), (2, 1)], np.array([[1.0, 1], [-2, -2], [0, 0]]), np.zeros(3)
    ... )
    >>> found[0].members, constant
    (((0, 1, 1.0, 0.0), (1, 2, -2.0, 0.0)), [(2, 1)])
    """
    groups: list[tuple[Floats, list[tuple[int, int, float, float]]]] = []
    constant = []
    for point, power in powers:
        own = slopes[point]
        if not np.any(own):
            constant.append((point, power))
            continue
        for base, members in groups:
            ratio = float(base @ own / (base @ base))
            if np.max(np.abs(own - ratio * base)) <= _PARALLEL * np.max(np.abs(own)):
                members.append((point, power, ratio, float(means[point])))
                break
        else:
            groups.append((own, [(point, power, 1.0, float(means[point]))]))
    return [Cluster(slopes=base, members=tuple(m)) for base, m in groups], constant


def components(
    clusters: Sequence[Cluster], columns: Sequence[tuple[int, ...]]
) -> list[list[Cluster]]:
    """Split clusters into sets that share no event, and so are independent.

    Examples
    --------
    >>> found, _ = clustered([(0, 1), (1, 1)], np.eye(2), np.zeros(2))
    >>> len(components(found, [(0,), (1,)])), len(components(found, [(0, 1)]))
    (2, 1)
    """
    parts: list[tuple[set[int], list[Cluster]]] = []
    for cluster in clusters:
        own = {e for e, places in enumerate(columns) if np.any(cluster.slopes[list(places)])}
        together = [cluster]
        for part in [p for p in parts if p[0] & own]:
            parts.remove(part)
            own |= part[0]
            together = part[1] + together
        parts.append((own, together))
    return [together for _, together in parts]
