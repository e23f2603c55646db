"""Moments of fields that come in pieces: nothing but sums is kept.

Where the number of networks is known, the groups are those of the whole array and the sums are the
same to the bit.  Where it is not, groups of 16 networks are filled one after another; as often as
there are twice as many groups as wanted, neighbours are joined and the size of a group doubles.
So the sums depend on the fields and their order, and not on where one piece ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nnft_num.statistics.moments import (
    LANES,
    Accumulator,
    Moments,
    group_bounds,
    moments_from_fields,
)
from nnft_sym.language.errors import SpecificationError

__all__ = ["moments_of_pieces"]

_GROUPS = 128


def moments_of_pieces(
    pieces: Iterable[NDArray[np.float64]],
    dimension: int,
    max_order: int,
    *,
    networks: int | None = None,
    groups: int = _GROUPS,
) -> Moments:
    """Moments of fields given piece by piece.

    Parameters
    ----------
    pieces : iterable of ndarray, shape (networks, m)
        Consecutive networks, any number in each piece.
    dimension, max_order : int
        m and the highest order to sum.
    networks : int, optional
        Number of networks in all pieces, if known.
    groups : int
        Number of groups; up to twice as many where the number of networks is not known.

    Raises
    ------
    SpecificationError
        If there are no networks, or other than announced.

    Examples
    --------
    >>> f = np.random.default_rng(0).normal(size=(1000, 2))
    >>> parts = moments_of_pieces([f[:7], f[7:600], f[600:]], 2, 4, networks=1000)
    >>> bool(np.all(parts.table == moments_from_fields(f, max_order=4).table))
    True
    """
    stream = _Pieces(pieces, dimension)
    if networks is None:
        head = stream.up_to(2 * groups * LANES)
        if len(head) == 0:
            raise _too_few("at least one network", 0)
        if len(head) < 2 * groups * LANES:
            return moments_from_fields(head, max_order=max_order, groups=groups)
        sums = _growing(stream, head, dimension, max_order, groups)
    else:
        sums = _fixed(stream, group_bounds(networks, groups).tolist(), dimension, max_order)
    counts, table, maxima = zip(*sums, strict=True)
    return Moments(
        dimension=dimension,
        max_order=max_order,
        counts=np.array(counts, dtype=np.int64),
        table=np.array(table),
        maxima=np.array(maxima),
    )


_Group = tuple[int, NDArray[np.float64], NDArray[np.float64]]


def _fixed(stream: _Pieces, bounds: list[int], dimension: int, max_order: int) -> list[_Group]:
    """Sums of groups between known borders."""
    accumulator = Accumulator(dimension, max_order)
    sums = []
    for low, high in pairwise(bounds):
        present = _fill(accumulator, stream, high - low)
        if present < high - low:
            raise _too_few(f"{bounds[-1]} networks", low + present)
        sums.append((high - low, *accumulator.finish()))
    if len(stream.up_to(1)):
        raise _too_few(f"{bounds[-1]} networks and no more", bounds[-1] + 1)
    return sums


def _growing(
    stream: _Pieces, head: NDArray[np.float64], dimension: int, max_order: int, groups: int
) -> list[_Group]:
    """Sums of groups whose size doubles as networks come."""
    stream.put_back(head)
    accumulator = Accumulator(dimension, max_order)
    sums: list[_Group] = []
    size = LANES
    while True:
        present = _fill(accumulator, stream, size)
        if present:
            sums.append((present, *accumulator.finish()))
        if present < size:
            break
        if len(sums) == 2 * groups:
            sums = [_joined(*sums[at : at + 2]) for at in range(0, 2 * groups, 2)]
            size *= 2
    if sums[-1][0] < size / 2:
        sums[-2:] = [_joined(*sums[-2:])]
    return sums


def _fill(accumulator: Accumulator, stream: _Pieces, networks: int) -> int:
    """Add so many networks, or as many as there are; return how many."""
    present = 0
    # at most so many rows at once: the rest of a group stays where it is
    step = max(LANES, _STEP_VALUES // accumulator.dimension // LANES * LANES)
    while present < networks:
        rows = stream.up_to(min(step, networks - present))
        if len(rows) == 0:
            break
        accumulator.add(rows)
        present += len(rows)
    return present


_STEP_VALUES = 2**18
"""Field values handed to the sums at once."""


def _joined(one: _Group, two: _Group) -> _Group:
    return one[0] + two[0], one[1] + two[1], np.maximum(one[2], two[2])


class _Pieces:
    """Rows of the pieces, so many at a time."""

    def __init__(self, pieces: Iterable[NDArray[np.float64]], dimension: int) -> None:
        self._pieces: Iterator[NDArray[np.float64]] = iter(pieces)
        self._rest = np.empty((0, dimension))

    def up_to(self, rows: int) -> NDArray[np.float64]:
        """Return the next rows: fewer than asked for at the end alone."""
        parts, present = [self._rest], len(self._rest)
        while present < rows:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            present += len(piece)
        held = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._rest = held[rows:]
        return np.ascontiguousarray(held[:rows], dtype=np.float64)

    def put_back(self, rows: NDArray[np.float64]) -> None:
        """Give rows back, to be the next ones."""
        self._rest = np.concatenate([rows, self._rest])


def _too_few(expected: str, came: int) -> SpecificationError:
    return SpecificationError(
        expected=expected, came=f"{came}", remedy="look at where the fields come from"
    )
