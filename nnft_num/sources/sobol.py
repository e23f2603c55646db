"""Scrambled Sobol points as pure functions of (key, randomisation, position, coordinate).

Points x_i of a (t, d)-sequence in base 2 fill the unit cube more evenly than independent ones.
Their direction numbers are scrambled by a random lower-triangular binary matrix with unit diagonal
and a random digital shift for each coordinate: every point is then uniform, averages over the 2^m
first points are unbiased, and different randomisations are independent, so that their spread is
the error.

Source: S. Joe, F. Y. Kuo, ACM Transactions on Mathematical Software 29 (2003) 49, for the direction
numbers; J. Matoušek, Journal of Complexity 14 (1998) 527, for the scrambling.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nnft_num.kernels.draws import PRIMITIVE_BITS, philox

__all__ = ["MAX_COORDINATES", "sobol_points"]

PARAMETER = 252
"""Parameter index of the scrambling."""

_BITS = 32
_POLYNOMIALS = (
    (1, 0, (1,)),
    (2, 1, (1, 3)),
    (3, 1, (1, 3, 1)),
    (3, 2, (1, 1, 1)),
    (4, 1, (1, 1, 3, 3)),
    (4, 4, (1, 3, 5, 13)),
    (5, 2, (1, 1, 5, 5, 17)),
    (5, 4, (1, 1, 5, 5, 5)),
    (5, 7, (1, 1, 7, 11, 19)),
    (5, 11, (1, 1, 5, 1, 1)),
    (5, 13, (1, 1, 1, 3, 11)),
    (5, 14, (1, 3, 5, 5, 31)),
    (6, 1, (1, 3, 3, 9, 7, 49)),
    (6, 13, (1, 1, 1, 15, 21, 21)),
    (6, 16, (1, 3, 1, 13, 27, 49)),
)
"""Degree, inner coefficients and first direction numbers of coordinates 2, 3, ..."""

MAX_COORDINATES = len(_POLYNOMIALS) + 1
"""Coordinates there are direction numbers for."""


def sobol_points(
    key: tuple[int, int], randomisation: int, start: int, count: int, coordinates: int
) -> NDArray[np.float64]:
    """Scrambled Sobol points start, ..., start + count - 1, in the open unit cube.

    Parameters
    ----------
    key : tuple of two int
        Key of the run.
    randomisation : int
        Index of the randomisation.
    start, count : int
        Positions in the sequence, below 2^32.
    coordinates : int
        Dimension of the cube, at most ``MAX_COORDINATES``.

    Returns
    -------
    ndarray, shape (coordinates, count)

    Examples
    --------
    >>> points = sobol_points((0, 1), 0, 0, 8, 2)
    >>> sorted(np.floor(8 * points[1]).astype(int).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    directions, shifts = _scrambled((int(key[0]), int(key[1])), randomisation, coordinates)
    out = np.empty((coordinates, count))
    _fill(directions, shifts, np.uint64(start), out)
    return out


@lru_cache(maxsize=1)
def _directions() -> NDArray[np.uint64]:
    """Direction numbers v_j 2^32 of every coordinate, shape (coordinates, 32)."""
    table = np.zeros((MAX_COORDINATES, _BITS), dtype=np.uint64)
    table[0] = [1 << (_BITS - 1 - j) for j in range(_BITS)]
    for row, (degree, inner, first) in zip(table[1:], _POLYNOMIALS, strict=True):
        m = list(first)
        for j in range(degree, _BITS):
            value = m[j - degree] ^ (m[j - degree] << degree)
            for i in range(1, degree):
                if inner >> (degree - 1 - i) & 1:
                    value ^= m[j - i] << i
            m.append(value)
        row[:] = [m[j] << (_BITS - 1 - j) for j in range(_BITS)]
    return table


@lru_cache(maxsize=256)
def _scrambled(
    key: tuple[int, int], randomisation: int, coordinates: int
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    directions = np.zeros((coordinates, _BITS), dtype=np.uint64)
    shifts = np.empty(coordinates, dtype=np.uint64)
    _scramble(
        _directions(), np.uint64(key[0]), np.uint64(key[1]), np.uint64(randomisation),
        directions, shifts,
    )  # fmt: skip
    return directions, shifts


@njit(nogil=True, error_model="numpy")
def _scramble(
    plain: Any, k0: Any, k1: Any, randomisation: Any, directions: Any, shifts: Any
) -> None:
    low, high = randomisation & np.uint64(0xFFFFFFFF), randomisation >> np.uint64(32)
    words = np.empty(_BITS + 4, dtype=np.uint64)
    for coordinate in range(len(directions)):
        word = np.uint64(PARAMETER << PRIMITIVE_BITS) + np.uint64(coordinate)
        for block in range(_BITS // 4 + 1):
            found = philox(np.uint64(block), word, low, high, k0, k1)
            for i in range(4):
                words[4 * block + i] = found[i]
        for row in range(_BITS):
            # row of the matrix: a unit diagonal and random bits above
            unit = np.uint64(1) << np.uint64(_BITS - 1 - row)
            mask = (words[row] & ~(unit + unit - np.uint64(1))) | unit
            for j in range(_BITS):
                parity = plain[coordinate, j] & mask
                for shift in (16, 8, 4, 2, 1):
                    parity ^= parity >> np.uint64(shift)
                if parity & np.uint64(1):
                    directions[coordinate, j] |= unit
        shifts[coordinate] = words[_BITS]


@njit(nogil=True, error_model="numpy")
def _fill(directions: Any, shifts: Any, start: Any, out: Any) -> None:
    one = np.uint64(1)
    for coordinate in range(len(out)):
        gray = start ^ (start >> one)
        point = shifts[coordinate]
        bit = 0
        while gray != np.uint64(0):
            if gray & one:
                point ^= directions[coordinate, bit]
            gray >>= one
            bit += 1
        for i in range(out.shape[1]):
            out[coordinate, i] = (np.float64(point) + 0.5) * 2.0**-32
            # position start + i + 1 differs by the direction of its lowest set bit
            following = start + np.uint64(i) + one
            bit = 0
            while not following & one:
                following >>= one
                bit += 1
            point ^= directions[coordinate, bit]
