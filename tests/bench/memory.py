"""Peak memory of a run: `python tests/bench/memory.py [networks ...]` prints it for each number.

Each number runs in a process of its own, as the peak of a process never falls.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import numpy as np

LINE = np.array([-1, -0.6, -0.2, 0.2, 0.6, 1.0])[:, None]
PARAMETERS = dict(sigma_w=1.0, sigma_b=1.0, sigma_v=1.0)
CASES = {
    "erf-1000": "Erf-net, d=1, N=1000, 6 points, orders 2 and 4",
    "six-point": "Erf-net, d=1, N=10, 16 points, order 6",
}


def measure(case: str, networks: int) -> None:
    """Run one case in this process and print its peaks."""
    import nnft_num as nm
    import nnft_sym as nn

    X = LINE if case == "erf-1000" else np.linspace(-1, 1, 16)[:, None]
    orders, width = ((2, 4), 1000) if case == "erf-1000" else ((6,), 10)
    net = nn.erf_net()
    nm.correlators(net, X[:2], (2,), 100, 0, N=2, **PARAMETERS)
    before, start = _peak(), time.perf_counter()
    estimate = nm.correlators(net, X, orders, networks, 0, N=width, **PARAMETERS)
    middle, seconds = _peak(), time.perf_counter() - start
    for order in orders:
        assert np.isfinite(estimate[order].error_tensor.entries).all()
    after = time.perf_counter() - start - seconds
    print(
        f"{CASES[case]}: {networks} networks in {seconds:.0f} s; peak resident memory {before:.0f} "
        f"MB before, {middle:.0f} MB with the moments, {_peak():.0f} MB with the estimate "
        f"({after:.1f} s)",
        flush=True,
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run all cases for the numbers of networks given, by default two a factor 16 apart."""
    if len(sys.argv) == 3 and sys.argv[1] in CASES:
        measure(sys.argv[1], int(sys.argv[2]))
        return
    for case in CASES:
        for networks in sys.argv[1:] or ("2000", "32000"):
            subprocess.run([sys.executable, __file__, case, str(int(float(networks)))], check=True)


if __name__ == "__main__":
    main()
