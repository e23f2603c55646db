"""Factors of the covariances of sixteen networks side by side, written as machine code.

Cholesky without pivoting, all loops over points written out, in double precision.  A network with a
pivot below the root of the relative rounding of its sums is left to ``factorise`` of
``nnft_num.kernels.lanes``, which pivots.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from nnft_num.kernels.lanes import factorise
from nnft_num.machine.compiled import machine_function
from nnft_num.machine.functions import fma, sqrt
from nnft_num.machine.simd import LANES, Code, Value, f32, f64, i64

__all__ = ["factors"]

_ARGUMENTS: dict[str, ir.Type] = {
    "sixteens": i64,
    "scale": f64,
    "shift": f64,
    "least": f64,
    "sums": f64.as_pointer(),
    "factor": f32.as_pointer(),
    "usual": f64.as_pointer(),
}
_TYPES = [
    ctypes.c_uint64,
    *[ctypes.c_double] * 3,
    *[ctypes.c_void_p] * 3,
]


def factors(
    sums: NDArray[np.float64], scale: float, shift: float, epsilon: float
) -> NDArray[np.float32]:
    """Lower triangular L of each network with L Lᵀ = shift + scale S.

    Parameters
    ----------
    sums : ndarray, shape (sixteens, n(n+1)/2, 16)
        S, its unique entries.
    scale, shift : float
        C_W/width and C_b of a layer.
    epsilon : float
        Relative rounding of S.

    Returns
    -------
    ndarray, of the shape of ``sums``
    """
    sums = np.ascontiguousarray(sums)
    sixteens, entries, _ = sums.shape
    factor = np.empty(sums.shape, dtype=np.float32)
    usual = np.empty((sixteens, LANES))
    points = round((2 * entries) ** 0.5 - 0.5)
    _function(points)(
        sixteens, scale, shift, math.sqrt(epsilon), sums.ctypes.data, factor.ctypes.data,
        usual.ctypes.data,
    )  # fmt: skip
    room = np.empty(sums.shape[1:])
    for batch in np.flatnonzero(~usual.all(axis=1)):
        factorise(sums[batch], scale, shift, epsilon, room)
        factor[batch] = room
    return factor


@lru_cache(maxsize=32)
def _function(points: int) -> Callable[..., None]:
    code = Code("factors", _ARGUMENTS)
    given = code.arguments
    entries = points * (points + 1) // 2
    with code.loop(0, given["sixteens"]) as batch:
        first = batch * (entries * LANES)

        def at(row: int, column: int) -> Value:
            return first + (row * (row + 1) // 2 + column) * LANES

        usual, L = code.vector(1.0, f64), dict[tuple[int, int], Value]()
        for j in range(points):
            inverse = usual
            for i in range(j, points):
                G = fma(code.load(given["sums"], at(i, j)), given["scale"], given["shift"])
                rest = G
                for k in range(j):
                    rest = fma(-L[i, k], L[j, k], rest)
                if i == j:
                    # false for a NaN as well
                    good = rest > given["least"].splat() * G
                    usual = good.select(usual, 0.0)
                    inverse = 1.0 / sqrt(good.select(rest, 1.0))
                L[i, j] = rest * inverse
                code.store(given["factor"], at(i, j), L[i, j].to_single())
        code.store(given["usual"], batch * LANES, usual)
    return machine_function(code.finish(), "factors", _TYPES)
