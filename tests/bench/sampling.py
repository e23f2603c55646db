"""Networks per second: `python tests/bench/sampling.py` prints them beside the machine's own rates.

Rates are per second of processor time of one thread, so that what else runs on the machine counts
little; medians, with the spread, of interleaved runs.  Beside each stands the share of the time
that its draws and its functions alone would take at the rates measured in the same runs.
"""

from __future__ import annotations

import ctypes
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import llvmlite
import numpy as np

import nnft_sym as nn
from nnft_num.compiling import compile_plan
from nnft_num.machine import machine_function
from nnft_num.moments import Accumulator
from nnft_num.sampling import sample_fields, sample_moments
from nnft_num.simd import LANES, Code, f32, i64
from nnft_num.sources import Source
from nnft_num.vectordraws import round_keys
from nnft_num.vectorfill import FILL_NORMALS, normals_address
from nnft_num.vectormath import SINGLE

RUNS = 7
LINE = np.array([-1, -0.6, -0.2, 0.2, 0.6, 1.0])[:, None]
CUBE = np.random.default_rng(0).uniform(-1, 1, size=(6, 3))
BOX = np.random.default_rng(0).uniform(-1, 1, size=(8, 4))
ONE = dict(sigma_w=1.0, sigma_b=1.0, sigma_v=1.0, N=1000)
COS = dict(sigma_w=1.0, sigma_v=1.0, N=1000)
DEEP = 128 * (4 + 1) + 2 * 128 * (128 + 1) + 129
# name: network, points, parameters, networks of a run, (normals, function, calls) of a network
CASES = {
    "W1 Erf-net, d=1, N=1000": (nn.erf_net(), LINE, ONE, 4000, (3000, "erf", 6000)),
    "W2 ReLU-net, d=3, N=1000": (nn.relu_net(), CUBE, ONE, 4000, (5000, "erf", 0)),
    "W3 Cos-net, d=1, N=1000": (nn.cos_net(), LINE, COS, 4000, (2500, "cos", 6000)),
    "W4 tanh 4-128-128-128-1": (
        nn.mlp(nn.Tanh(), widths=(128, 128, 128)), BOX, dict(sigma_w=1.0, sigma_b=0.1), 500,
        (DEEP, "tanh", 8 * 384),
    ),
    "W5 Gauss-net, d=1, N=1000": (nn.gauss_net(), LINE, ONE, 4000, (3000, "exp", 6000)),
    "GELU, d=1, N=1000": (nn.shallow(nn.GELU()), LINE, ONE, 4000, (3000, "erf", 6000)),
    "cos exp + tanh, N=1000": (
        nn.shallow("cos(z)*exp(-z**2/2) + tanh(z)"), LINE, ONE, 2000, (3000, "tanh", 6000),
    ),
    "Erf-net, d=1, N=8": (nn.erf_net(), LINE, ONE | dict(N=8), 300_000, (24, "erf", 48)),
}  # fmt: skip
POINTER, COUNT = ctypes.c_void_p, ctypes.c_int64
FOURS = 256


def draw_rate() -> Callable[[], int]:
    """Normals alone, into a buffer of the first cache."""
    kinds = list(FILL_NORMALS.values())
    code = Code("draw", {"n": i64, "y": f32.as_pointer(), "keys": i64.as_pointer(), "fill": i64})
    given = code.arguments
    numbers = [code.number(number, i64) for number in (0, 16, 5, 1, 1)]
    with code.loop(0, given["n"]) as run:
        code.call_address(
            given["fill"], kinds, given["y"], code.number(1.0, f32), given["keys"], run, *numbers
        )
    function = machine_function(code.finish(), "draw", [COUNT, POINTER, POINTER, COUNT])
    y, keys = np.zeros(16 * 4 * LANES, np.float32), round_keys((1, 2))

    def work() -> int:
        function(10_000, y.ctypes.data, keys.ctypes.data, normals_address())
        return 10_000 * 16 * 4 * LANES

    return work


def function_rate(name: str) -> Callable[[], int]:
    """One function alone, from and to the first cache."""
    code = Code("apply", {"n": i64, "x": f32.as_pointer(), "y": f32.as_pointer()})
    given = code.arguments
    with code.loop(0, given["n"]), code.loop(0, 2048, LANES) as i:
        code.store(given["y"], i, SINGLE[name](code.load(given["x"], i)))
    function = machine_function(code.finish(), "apply", [COUNT, POINTER, POINTER])
    x = np.random.default_rng(0).normal(size=2048).astype(np.float32)
    y = np.zeros_like(x)

    def work() -> int:
        function(1000, x.ctypes.data, y.ctypes.data)
        return 1000 * 2048

    return work


def moment_rate(points: int, order: int) -> Callable[[], int]:
    """Moments alone, of given fields."""
    fields = np.random.default_rng(0).normal(size=(2048, points))
    accumulator = Accumulator(points, order)

    def work() -> int:
        for _ in range(4):
            accumulator.add(fields)
        return 4 * len(fields)

    return work


def fields_rate(net: nn.Network, X: np.ndarray, params: dict, networks: int) -> Callable[[], int]:
    """Fields of networks."""
    run = partial(sample_fields, compile_plan(net), X, networks, (1, 2), params)

    def work() -> int:
        run()
        return networks

    return work


def main() -> None:
    """Run all cases."""
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"llvmlite {llvmlite.__version__}, load {os.getloadavg()[0]:.1f}, "
        f"OPENBLAS_CORETYPE={os.environ.get('OPENBLAS_CORETYPE', '')}"
    )
    works = {"normals": draw_rate()}
    works |= {name: function_rate(name) for name in ("erf", "tanh", "exp", "cos")}
    works |= {label: fields_rate(*case[:4]) for label, case in CASES.items()}
    works |= {
        "moments, order 4, 6 points": moment_rate(6, 4),
        "moments, order 4, 8 points": moment_rate(8, 4),
        "moments, order 6, 16 points": moment_rate(16, 6),
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    for run in range(RUNS + 1):
        for name, work in works.items():
            begin = time.process_time()
            done = work()
            if run:
                rates[name].append(done / (time.process_time() - begin))
    median = {name: statistics.median(values) for name, values in rates.items()}
    for name, values in rates.items():
        share = ""
        if name in CASES:
            normals, function, calls = CASES[name][4]
            alone = normals / median["normals"] + calls / median[function]
            share = f"   {alone * median[name]:4.0%} of draws and {function} alone"
        print(
            f"{name:30s} {median[name]:12.4g} /s   ({min(values):.3g} .. {max(values):.3g}){share}"
        )
    if "--threads" in sys.argv:
        threads()


def threads() -> None:
    """Whole calls on all processors, by the clock: fields and their moments up to order 4."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for label, (net, X, params, networks, _) in CASES.items():
            source = Source(
                plan=compile_plan(net), X=X, params=net.bind(params), precision="single"
            )
            seconds = []
            for run in range(RUNS):
                begin = time.perf_counter()
                sample_moments(
                    source, networks=20 * networks, max_order=4, key=(run, 0), executor=pool
                )
                seconds.append(time.perf_counter() - begin)
            rates = [20 * networks / second for second in seconds]
            print(f"{label:30s} {statistics.median(rates):12.4g} networks/s by the clock")


if __name__ == "__main__":
    main()
