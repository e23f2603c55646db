"""Fields of networks in single precision, with sums in double precision."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from nnft_num.machine import machine_function
from nnft_num.plans import Plan
from nnft_num.vectorkernel import ARGUMENTS, VectorKernel

__all__ = ["fill_fields_single"]

_POINTER = ctypes.c_void_p
_TYPES = [
    _POINTER if isinstance(kind, ir.PointerType) else ctypes.c_uint64
    for kind in ARGUMENTS.values()
]


@lru_cache(maxsize=256)
def _kernel(plan: Plan) -> tuple[VectorKernel, Any]:
    kernel = VectorKernel(plan)
    return kernel, machine_function(kernel.text, "kernel", _TYPES)


def fill_fields_single(
    plan: Plan,
    X: NDArray[np.float64],
    *,
    key: tuple[int, int],
    start: int,
    values: NDArray[np.float64],
    widths: Sequence[int],
    out: NDArray[np.float64],
) -> None:
    """Fill ``out`` as ``nnft_num.jit.fill_fields`` does, in single precision."""
    kernel, function = _kernel(plan)
    points, dimension = X.shape
    params = dict(zip(plan.parameters, values.tolist(), strict=True))
    singles, doubles, at_points = kernel.scalars(params, X)
    fans = (dimension, *widths)
    scales = np.array([1.0 / math.sqrt(fan) for fan in fans])
    memory = kernel.workspace(points, widths)
    work = [
        _aligned(size, kind)
        for size, kind in zip(memory, (np.float32, np.int32, np.float64), strict=True)
    ]
    arrays = [
        np.array(widths, dtype=np.int64),
        *(
            np.ascontiguousarray(array, dtype=np.float32)
            for array in (scales, singles)
        ),
        doubles,
        *(np.ascontiguousarray(array, dtype=np.float32) for array in (at_points, X.T, X.T * scales[0])),
        *work,
    ]
    # sixteen networks side by side share the upper word of their index
    done = 0
    while done < len(out):
        part = min(len(out) - done, 2**32 - (start + done) % 2**32)
        function(
            part, start + done, key[0], key[1], points, dimension,
            *(array.ctypes.data for array in arrays), out[done:].ctypes.data,
        )  # fmt: skip
        done += part


def _aligned(size: int, kind: type) -> NDArray[Any]:
    """Uninitialised memory that starts at a multiple of 64 bytes."""
    item = np.dtype(kind).itemsize
    memory = np.empty(size + 64 // item, dtype=kind)
    first = -memory.ctypes.data % 64 // item
    return memory[first : first + size]
