"""Networks per second: `python tests/bench/sampling.py` prints medians and spreads."""

from __future__ import annotations

import os
import platform
import statistics
import time

import numba
import numpy as np

import nnft_num as nm
import nnft_sym as nn

RUNS = 5
LINE = np.array([-1, -0.6, -0.2, 0.2, 0.6, 1.0])[:, None]
BOX = np.random.default_rng(0).uniform(-1, 1, size=(8, 4))
ONE = dict(sigma_w=1.0, sigma_b=1.0, sigma_v=1.0)
CASES = {
    "Erf-net, N=1000, 6 points, d=1": (nn.erf_net(), LINE, 10_000, ONE | dict(N=1000)),
    "Erf-net, N=8, 6 points, d=1": (nn.erf_net(), LINE, 500_000, ONE | dict(N=8)),
    "ReLU-net, N=1000, 6 points, d=1": (nn.relu_net(), LINE, 10_000, ONE | dict(N=1000)),
    "Cos-net, N=1000, 6 points, d=1": (
        nn.cos_net(), LINE, 10_000, dict(sigma_w=1.0, sigma_v=1.0, N=1000),
    ),
    "tanh 128-128-128, 8 points, d=4": (
        nn.mlp(nn.Tanh(), widths=(128, 128, 128)), BOX, 2_000, dict(sigma_w=1.0, sigma_b=0.1),
    ),
}  # fmt: skip


def main() -> None:
    """Run all cases: fields and their moments up to order 4, double precision."""
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"numba {numba.__version__}"
    )
    for label, (net, X, networks, params) in CASES.items():
        rates = []
        for run in range(RUNS + 1):
            start = time.perf_counter()
            nm.correlators(net, X, (2, 4), networks, run, progress=False, params=params)
            rates.append(networks / (time.perf_counter() - start))
        rates = rates[1:]
        spread = f"{min(rates):.0f} .. {max(rates):.0f}"
        print(f"{label:40s} {statistics.median(rates):12.0f} networks/s   ({spread})")


if __name__ == "__main__":
    main()
