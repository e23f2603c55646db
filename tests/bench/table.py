"""Our sampler against its peers: `python tests/bench/table.py` prints the table of the docs.

Rates are medians over interleaved rounds, so that whatever else the machine does falls on all
alike; the spread is the range over the rounds.  The roofline of a workload is the time its random
numbers, activations and products take alone, each at the throughput measured on this machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date

import numba
import numpy as np
from peers import PEERS, tuned
from workloads import ORDER, WORKLOADS, Workload

import nnft_num as nm

SECONDS = 1.5


def main() -> None:
    """Print networks per second of everybody, and our ratio to each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=list(WORKLOADS), choices=list(WORKLOADS))
    arguments = parser.parse_args()
    print(conditions())
    print(
        f"thousands of networks per second, median of {arguments.rounds} interleaved rounds (range)"
    )
    for name in arguments.only:
        load = WORKLOADS[name]
        rates = measure(load, arguments.rounds)
        own = statistics.median(rates["nnft"])
        print(f"\n{name}  {load.title}; moments to order {ORDER}")
        for who, found in rates.items():
            middle = statistics.median(found)
            ratio = "" if who == "nnft" else f"   nnft is {own / middle:6.1f} times as fast"
            span = f"({min(found) / 1e3:.1f} .. {max(found) / 1e3:.1f})"
            print(f"  {who:6s} {middle / 1e3:9.1f}  {span:22s}{ratio}")


def conditions() -> str:
    """Machine, date, versions and the settings that matter."""
    coretype = os.environ.get("OPENBLAS_CORETYPE", "unset")
    return (
        f"{date.today()}: {processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, numba {numba.__version__}, "
        f"numpy {np.__version__}, OPENBLAS_CORETYPE {coretype}"
    )


def processor() -> str:
    """Name of the processor, as Linux gives it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(
                line.split(":")[1].strip() for line in lines if line.startswith("model name")
            )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def measure(load: Workload, rounds: int) -> dict[str, list[float]]:
    """Networks per second of each sampler in each round."""
    runs = {"nnft": ours(load)} | {name: tuned(name, load, SECONDS) for name in PEERS}
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for seed in range(rounds):
        for name, (sampler, networks) in runs.items():
            start = time.perf_counter()
            sampler(seed, networks)
            rates[name].append(networks / (time.perf_counter() - start))
    return rates


def ours(load: Workload) -> tuple[Callable[[int, int], None], int]:
    """Our sampler through its public call, and the networks that take it about SECONDS."""

    def run(seed: int, networks: int) -> None:
        nm.correlators(
            load.network, load.X, (2, ORDER), networks, seed, progress=False, params=load.params
        )

    run(0, 4096)
    start = time.perf_counter()
    run(1, 16384)
    return run, int(16384 * max(1.0, SECONDS / (time.perf_counter() - start)))


if __name__ == "__main__":
    main()
