"""Rates of the machine: draws, functions, products and moments alone, from and to the first cache.

Each rate is measured by the machine code that the kernels are made of.  The roofline of a workload
is the processor time its draws, functions and products would take at these rates, one after
another; a kernel also has to load, to store and to add up.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
from workloads import Workload

from nnft_num.kernels.halfturns import HALF_TURNS
from nnft_num.machine.compiled import machine_function
from nnft_num.machine.draws import round_keys
from nnft_num.machine.fill import FILL_NORMALS, FILL_WORDS, normals_address, words_address
from nnft_num.machine.functions import SINGLE, fma
from nnft_num.machine.simd import LANES, Code, Variable, f32, i64
from nnft_num.statistics.moments import Accumulator

__all__ = ["Rates", "Work", "measured_once", "moments", "works"]

Work = Callable[[], int]
"""Does some work and tells how much."""

_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_int64
_FUNCTIONS = {**SINGLE, "cos of half turns": HALF_TURNS["cos"]}


def works(loads: Mapping[str, Workload]) -> dict[str, Work]:
    """What the rooflines of workloads are made of, by name."""
    functions = {name for load in loads.values() for name in load.functions}
    return {
        "normals": _draws("fill_normals"),
        "uniforms": _draws("fill_words"),
        "products": _products(),
        **{name: _function(name) for name in sorted(functions)},
    }


def measured_once(work: Work) -> float:
    """Rate for a second of processor time."""
    begin = time.process_time()
    done = work()
    return done / (time.process_time() - begin)


class Rates:
    """Rates of several runs, and what follows from their medians."""

    def __init__(self, works: Mapping[str, Work]) -> None:
        self.works = works
        self.runs: dict[str, list[float]] = {name: [] for name in works}
        for work in works.values():
            work()

    def measure(self) -> None:
        """One more run of each."""
        for name, work in self.works.items():
            self.runs[name].append(measured_once(work))

    def __getitem__(self, name: str) -> float:
        return median(self.runs[name])

    def networks(self, load: Workload, route: str = "parameters") -> float:
        """Networks for a second of processor time, were there nothing else to do."""
        normals, uniforms = load.draws(route)
        return 1.0 / (
            normals / self["normals"]
            + uniforms / self["uniforms"]
            + load.products(route) / self["products"]
            + sum(load.activations / self[name] for name in load.functions)
        )


def _draws(name: str) -> Work:
    """Draws alone: words, as which uniforms are kept, or normals."""
    normal = name == "fill_normals"
    kinds = FILL_NORMALS if normal else FILL_WORDS
    code = Code("draw", {"n": i64, "y": f32.as_pointer(), "keys": i64.as_pointer(), "fill": i64})
    given = code.arguments
    target = [given["y"], code.number(1.0, f32)] if normal else [code.as_words(given["y"])]
    numbers = [code.number(number, i64) for number in (0, 16, 5, 1, 1)]
    with code.loop(0, given["n"]) as run:
        code.call_address(
            given["fill"], list(kinds.values()), *target, given["keys"], run, *numbers
        )
    function = machine_function(code.finish(), "draw", [_COUNT, _POINTER, _POINTER, _COUNT])
    address = normals_address() if normal else words_address()
    y, keys = _aligned(16 * 4 * LANES), round_keys((1, 2))

    def work() -> int:
        function(10_000, y.ctypes.data, keys.ctypes.data, address)
        return 10_000 * 16 * 4 * LANES

    return work


def _function(name: str) -> Work:
    """One function of the vector math."""
    code = Code("apply", {"n": i64, "x": f32.as_pointer(), "y": f32.as_pointer()})
    given = code.arguments
    with code.loop(0, given["n"]), code.loop(0, 2048, LANES) as i:
        code.store(given["y"], i, _FUNCTIONS[name](code.load(given["x"], i)))
    function = machine_function(code.finish(), "apply", [_COUNT, _POINTER, _POINTER])
    x, y = _aligned(2048), _aligned(2048)
    x[:] = np.random.default_rng(0).normal(size=2048)

    def work() -> int:
        function(1000, x.ctypes.data, y.ctypes.data)
        return 1000 * 2048

    return work


def _products() -> Work:
    """Sums of products in registers, sixteen of them at a time, one operand from the cache."""
    code = Code("multiply", {"n": i64, "x": f32.as_pointer(), "y": f32.as_pointer()})
    given = code.arguments
    sums = [Variable(code.vector(0.0, f32)) for _ in range(16)]
    with code.loop(0, given["n"]), code.loop(0, 2048, LANES) as i:
        x = code.load(given["x"], i)
        for slot, total in enumerate(sums):
            total.value = fma(x, code.vector(0.5 + slot, f32), total.value)
    for slot, total in enumerate(sums):
        code.store(given["y"], code.number(slot * LANES, i64), total.value)
    function = machine_function(code.finish(), "multiply", [_COUNT, _POINTER, _POINTER])
    x, y = _aligned(2048), _aligned(2048)

    def work() -> int:
        function(1000, x.ctypes.data, y.ctypes.data)
        return 1000 * 2048 * len(sums)

    return work


def moments(points: int, order: int) -> Work:
    """Moments alone, of given fields."""
    fields = np.random.default_rng(0).normal(size=(2048, points))
    accumulator = Accumulator(points, order)

    def work() -> int:
        for _ in range(4):
            accumulator.add(fields)
        return 4 * len(fields)

    return work


def _aligned(size: int) -> np.ndarray:
    memory = np.zeros(size + LANES, np.float32)
    first = -memory.ctypes.data % 64 // 4
    return memory[first : first + size]
