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
from nnft_num.reference import reference_fields
from nnft_num.vectorkernel import ARGUMENTS, VectorKernel

__all__ = ["fill_fields_single", "is_single_enough"]

_TRUSTED = 1e-5
"""Largest error of a field of single precision, in units of the root mean square of its network's
fields; usual errors are 1e-7 to 1e-6."""

_NETWORKS = 16
_WIDTH = 32

_POINTER = ctypes.c_void_p
_TYPES = [
    _POINTER if isinstance(kind, ir.PointerType) else ctypes.c_uint64 for kind in ARGUMENTS.values()
]


def is_single_enough(
    plan: Plan, X: NDArray[np.float64], values: NDArray[np.float64], widths: Sequence[int]
) -> bool:
    """Whether single precision gives the fields of some networks to 1e-5 of their size.

    A large argument of a cosine loses its digits in single precision, exp(z) overflows beyond 88,
    differences of large terms cancel.  So before a run the fields of a few networks, at most 32
    neurons wide, are compared with ``reference_fields`` at the same points and parameters.  The
    answer depends on nothing else, so that all parts of a run agree on it.
    """
    narrow = tuple(min(width, _WIDTH) for width in widths)
    return _is_enough(plan, X.shape, X.tobytes(), tuple(values.tolist()), narrow)


@lru_cache(maxsize=1024)
def _is_enough(
    plan: Plan, shape: tuple[int, int], X: bytes, values: tuple[float, ...], widths: tuple[int, ...]
) -> bool:
    points = np.frombuffer(X).reshape(shape)
    params = dict(zip(plan.parameters, values, strict=True))
    key = (0, 0)
    got = np.empty((_NETWORKS, shape[0], plan.outputs))
    fill_fields_single(
        plan, points, key=key, start=0, values=np.array(values), widths=widths, out=got
    )
    with np.errstate(all="ignore"):
        want = np.array(
            [reference_fields(plan, points, params, widths, key, i) for i in range(_NETWORKS)]
        )
        scale = np.sqrt(np.mean(want**2, axis=0))
        return bool((np.abs(got - want) <= _TRUSTED * scale).all())


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
    arrays: list[NDArray[Any]] = [
        np.array(widths, dtype=np.int64),
        *(np.ascontiguousarray(array, dtype=np.float32) for array in (scales, singles)),
        doubles,
        *(
            np.ascontiguousarray(array, dtype=np.float32)
            for array in (at_points, X.T, X.T * scales[0])
        ),
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
    memory: NDArray[Any] = np.empty(size + 64 // item, dtype=kind)
    first = -memory.ctypes.data % 64 // item
    return memory[first : first + size]
