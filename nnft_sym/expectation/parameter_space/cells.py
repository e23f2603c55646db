"""Cells of one or two coordinates, and the rule that integrates over each with its error."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells", "cell_rule"]

Floats = NDArray[np.float64]

_NODES = 14


@lru_cache(maxsize=4)
def cell_rule(dimension: int) -> tuple[Floats, Floats]:
    """Nodes on (0, 1), and weights: of the integral, then of the last Legendre coefficients.

    Rows of the weights: value; last three coefficients in u; in v; the last mixed one.
    """
    x, w = np.polynomial.legendre.leggauss(_NODES)
    w = w / 2
    degrees = range(_NODES - 3, _NODES)
    null = [(2 * m + 1) * w * np.polynomial.legendre.Legendre.basis(m)(x) for m in degrees]
    if dimension == 1:
        return (1 + x) / 2, np.array([w, *null])
    rows = [np.outer(w, w), *(np.outer(c, w) for c in null), *(np.outer(w, c) for c in null)]
    rows.append(np.outer(null[-1], null[-1]))
    return (1 + x) / 2, np.array(rows).reshape(len(rows), -1)


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
