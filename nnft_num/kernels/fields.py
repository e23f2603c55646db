"""Fields of networks in single precision, with sums in double precision."""

from __future__ import annotations

import ctypes
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from nnft_num.kernels.single import ARGUMENTS, VectorKernel
from nnft_num.machine.compiled import machine_function
from nnft_num.machine.draws import round_keys
from nnft_num.machine.fill import normals_address, words_address
from nnft_num.plans.plan import Plan
from nnft_num.plans.reference import reference_fields

__all__ = ["fill_fields_single", "is_single_enough"]

_TRUSTED = 1e-5
"""Largest error of a field of single precision, in units of the root mean square of its network's
fields; usual errors are 1e-7 to 1e-6."""

_NETWORKS = 16
_WIDTH = 32
_KEPT = 256

_Made = TypeVar("_Made")

_POINTER = ctypes.c_void_p
_TYPES = [
    _POINTER if isinstance(kind, ir.PointerType) else ctypes.c_uint64 for kind in ARGUMENTS.values()
]


class _Run:
    """A plan at given points, parameters and widths: kernel, scalars and sizes, made once."""

    def __init__(
        self,
        plan: Plan,
        X: NDArray[np.float64],
        values: NDArray[np.float64],
        widths: Sequence[int],
    ) -> None:
        kernel, self.function = _kernel(plan)
        params = dict(zip(plan.parameters, values.tolist(), strict=True))
        singles, self.doubles, at_points = kernel.scalars(params, X)
        scales = np.array([1.0 / math.sqrt(fan) for fan in (X.shape[1], *widths)])
        self.widths = np.array(widths, dtype=np.int64)
        self.shape = X.shape
        self.memory = kernel.workspace(len(X), widths)
        with np.errstate(over="ignore"):
            self.singles = [
                np.ascontiguousarray(array, dtype=np.float32)
                for array in (scales, singles, at_points, X.T, X.T * scales[0])
            ]

    def fill(self, key: tuple[int, int], start: int, out: NDArray[np.float64]) -> None:
        """Fill ``out`` with the networks from ``start`` on."""
        scales, singles, *others = self.singles
        work = [
            _aligned(size, kind)
            for size, kind in zip(self.memory, (np.float32, np.int32, np.float64), strict=True)
        ]
        arrays: list[NDArray[Any]] = [
            round_keys(key), self.widths, scales, singles, self.doubles, *others, *work,
        ]  # fmt: skip
        # sixteen networks side by side share the upper word of their index
        done = 0
        while done < len(out):
            part = min(len(out) - done, 2**32 - (start + done) % 2**32)
            self.function(
                words_address(), normals_address(), part, start + done, *self.shape,
                *(array.ctypes.data for array in arrays), out[done:].ctypes.data,
            )  # fmt: skip
            done += part


_kernels: dict[str, tuple[VectorKernel, Any]] = {}
_runs: OrderedDict[Any, _Run] = OrderedDict()
_enough: OrderedDict[Any, bool] = OrderedDict()
_lock = threading.RLock()


def _remembered(store: OrderedDict[Any, _Made], key: Any, make: Callable[[], _Made]) -> _Made:
    """Make a thing once for each of the last keys."""
    with _lock:
        if key not in store:
            store[key] = make()
            if len(store) > _KEPT:
                store.popitem(last=False)
        return store[key]


def _kernel(plan: Plan) -> tuple[VectorKernel, Any]:
    with _lock:
        if plan.hash not in _kernels:
            kernel = VectorKernel(plan)
            _kernels[plan.hash] = kernel, machine_function(kernel.text, "kernel", _TYPES)
        return _kernels[plan.hash]


def _key(
    plan: Plan, X: NDArray[np.float64], values: NDArray[np.float64], widths: Sequence[int]
) -> Any:
    return plan.hash, X.shape, X.tobytes(), values.tobytes(), tuple(widths)


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
    key = _key(plan, X, values, narrow)
    return _remembered(_enough, key, lambda: _is_enough(plan, X, values, narrow))


def _is_enough(
    plan: Plan, X: NDArray[np.float64], values: NDArray[np.float64], widths: Sequence[int]
) -> bool:
    params = dict(zip(plan.parameters, values.tolist(), strict=True))
    key = (0, 0)
    got = np.empty((_NETWORKS, len(X), plan.outputs))
    _Run(plan, X, values, widths).fill(key, 0, got)
    with np.errstate(all="ignore"):
        want = np.array(
            [reference_fields(plan, X, params, widths, key, i) for i in range(_NETWORKS)]
        )
        scale = np.sqrt(np.mean(want**2, axis=0))
        return bool((np.abs(got - want) <= _TRUSTED * (scale + np.abs(want))).all())


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
    """Fill ``out`` as ``nnft_num.kernels.double.fill_fields`` does, in single precision."""
    run = _remembered(_runs, _key(plan, X, values, widths), lambda: _Run(plan, X, values, widths))
    run.fill(key, start, out)


def _aligned(size: int, kind: type) -> NDArray[Any]:
    """Uninitialised memory that starts at a multiple of 64 bytes."""
    item = np.dtype(kind).itemsize
    memory: NDArray[Any] = np.empty(size + 64 // item, dtype=kind)
    first = -memory.ctypes.data % 64 // item
    return memory[first : first + size]
