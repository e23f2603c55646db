"""Cells of one or two coordinates, and the rule that integrates over each with its error."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["CellRule", "Cells", "cell_rule"]

Floats = NDArray[np.float64]

_NODES = 14
_COEFFICIENTS = 3
_EDGES = 2
# Errors at the ends, in units of the last coefficients, of a function that is smooth.
_EXPLAINED = 0.1
# Place of the probes beside the ends of a cell: off them, where a jump may lie.
_BESIDE = 1e-8


@dataclass(frozen=True, kw_only=True, eq=False)
class CellRule:
    """Rules that integrate over a cell and tell how far that is wrong.

    Parameters
    ----------
    nodes : ndarray, shape (q,)
        Places on (0, 1) along each coordinate: Gauss nodes between two probes beside the ends.
    weights : ndarray, shape (rules, q^d)
        The integral, then the last Legendre coefficients and the errors at the probes.
    along_u, along_v, edges_u, edges_v : slice
        Rules with the coefficients of each coordinate, and with the errors at its ends, times
        the length that lies between an end and the next node.
    """

    nodes: Floats
    weights: Floats
    along_u: slice
    edges_u: slice
    along_v: slice
    edges_v: slice

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which nodes of the cell carry the integral."""
        return np.asarray(self.weights[0] != 0)

    def errors(self, sums: Floats) -> tuple[Floats, Floats, Floats]:
        """Coefficients in u and v, and what the ends hide, of sums (..., rules).

        A kink between an end and the next node leaves all coefficients as they are, and shows
        where the interpolant misses the probe by more than they explain.
        """
        parts = np.abs(sums)
        in_u = np.max(parts[..., self.along_u], axis=-1)
        in_v = np.max(parts[..., self.along_v], axis=-1, initial=0.0)
        beyond_u = np.max(parts[..., self.edges_u], axis=-1) - _EXPLAINED * in_u
        beyond_v = np.max(parts[..., self.edges_v], axis=-1, initial=0.0) - _EXPLAINED * in_v
        return in_u, in_v, np.maximum(beyond_u, 0.0) + np.maximum(beyond_v, 0.0)


@lru_cache(maxsize=4)
def cell_rule(dimension: int) -> CellRule:
    """Tensor Gauss-Legendre rule of one or two coordinates.

    Examples
    --------
    >>> rule = cell_rule(1)
    >>> round(float(rule.weights[0] @ rule.nodes**3), 12)
    0.25
    """
    x, w = np.polynomial.legendre.leggauss(_NODES)
    w = w / 2
    degrees = np.arange(_NODES)
    # Legendre coefficients of the interpolant from its values at the nodes.
    series = (2 * degrees[:, None] + 1) * w * np.polynomial.legendre.legvander(x, _NODES - 1).T
    probes = np.array([2 * _BESIDE - 1, 1 - 2 * _BESIDE])
    missed = np.polynomial.legendre.legvander(probes, _NODES - 1) @ series
    nodes = np.concatenate([[_BESIDE], (1 + x) / 2, [1 - _BESIDE]])
    value = np.pad(w, 1)
    last = np.pad(series[-_COEFFICIENTS:], ((0, 0), (1, 1)))
    ends = np.pad(-missed, ((0, 0), (1, 1)))
    ends[0, 0] = ends[1, -1] = 1.0
    ends *= (1 + x[0]) / 2
    along = np.concatenate([last, ends])
    u, first = len(along) + 1, 1 + _COEFFICIENTS
    places = {"along_u": slice(1, first), "edges_u": slice(first, u)}
    v = u if dimension == 1 else u + len(along)
    places |= {"along_v": slice(u, min(v, u + _COEFFICIENTS)), "edges_v": slice(v - _EDGES, v)}
    if dimension == 1:
        places["edges_v"] = slice(u, u)
        return CellRule(nodes=nodes, weights=np.array([value, *along]), **places)
    rows = [np.outer(value, value)]
    rows += [np.outer(row, value) for row in along] + [np.outer(value, row) for row in along]
    return CellRule(nodes=nodes, weights=np.array(rows).reshape(len(rows), -1), **places)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Many cells at once: combination, range of u, strip of v and part of the strip."""

    member: NDArray[np.intp]
    u0: Floats
    u1: Floats
    low: Floats
    high: Floats
    strip: NDArray[np.intp]
    v0: Floats
    v1: Floats
    depth: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.member)

    def __getitem__(self, chosen: object) -> Cells:
        return Cells(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @classmethod
    def joined(cls, parts: list[Cells]) -> Cells:
        """All cells of several lots."""
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )

    def halves(self, along_u: NDArray[np.bool_]) -> Cells:
        """Two children of each cell."""
        u, v = (self.u0 + self.u1) / 2, (self.v0 + self.v1) / 2
        depth = self.depth + 1
        first = replace(
            self, u1=np.where(along_u, u, self.u1), v1=np.where(along_u, self.v1, v), depth=depth
        )
        second = replace(
            self, u0=np.where(along_u, u, self.u0), v0=np.where(along_u, self.v0, v), depth=depth
        )
        return Cells.joined([first, second])
