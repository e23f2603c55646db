"""Times and memory of actions: `python tests/bench/actions.py` prints medians and peaks.

Limits: quartic coupling over 30 points 2 s and 200 MB; order 2 over 12 points 10 s; symbols at two
points to order 2 10 s.  The cumulant tensors are given.
"""

from __future__ import annotations

import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

import nnft_sym as nn
from nnft_sym.tensors import multi_indices

RUNS = 5


def measured(label: str, limit: float, work: Callable[[], object]) -> None:
    """Print the first time, the median of a few runs and the peak memory of one more."""
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    median = statistics.median(times)
    print(
        f"{label:52s} first {times[0]:6.2f} s, median {median:6.2f} s of {limit:g}, {peak:6.0f} MB"
    )


def cumulants(points: int, orders: tuple[int, ...]) -> dict[int, nn.SymmetricTensor]:
    """Return a well-conditioned covariance and random cumulants."""
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(points, 2 * points)) / np.sqrt(2 * points)
    found = {2: nn.SymmetricTensor.from_dense(factor @ factor.T)}
    for k in orders:
        entries = 1e-2 * rng.normal(size=len(multi_indices(k, points)))
        found[k] = nn.SymmetricTensor(k, points, entries)
    return found


def main() -> None:
    """Run all cases."""
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    quartic, sextic = cumulants(30, (4,)), cumulants(12, (4, 6))
    symbols = nn.cumulant_symbols((2, 4, 6), points=2)
    odd = nn.cumulant_symbols((2, 3, 4, 5, 6), points=2)
    measured(
        "order 1 over 30 points: all couplings",
        2,
        lambda: dict(nn.action_from_cumulants(quartic)),
    )
    measured(
        "order 2 over 12 points: all couplings",
        10,
        lambda: dict(nn.action_from_cumulants(sextic)),
    )
    measured(
        "order 2 over 12 points: correlators back",
        10,
        lambda: nn.action_from_cumulants(sextic).correlators(),
    )
    measured("order 2 at two points, symbols", 10, lambda: dict(nn.action_from_cumulants(symbols)))
    measured(
        "order 2 at two points, symbols, odd orders too",
        10,
        lambda: dict(nn.action_from_cumulants(odd)),
    )


if __name__ == "__main__":
    main()
