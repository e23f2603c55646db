"""Times of training and of symmetry tests: `python tests/bench/training.py` prints medians."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np

import nnft_num as nm
import nnft_sym as nn

RUNS = 5


def timed(label: str, work: Callable[[], object], products: float | None = None) -> None:
    """Print median, minimum and maximum of a few runs after one warm-up."""
    work()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    spread = f"{1e3 * min(times):.0f} .. {1e3 * max(times):.0f}"
    speed = "" if products is None else f"   {2e-9 * products / min(times):.1f} GFlop/s at best"
    print(f"{label:66s} {1e3 * statistics.median(times):9.1f} ms   ({spread}){speed}")


def trained(d: int, width: int, batch: int, steps: int, networks: int, optimiser: str) -> None:
    """Time networks with ten outputs on random images."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(512, d)), rng.normal(size=(512, 10))
    net = nn.shallow(nn.ReLU(), outputs=10)
    rule = nm.SGD(0.01, batch) if optimiser == "SGD" else nm.Adam(0.001, batch=batch)

    def work() -> object:
        return nm.train(
            net, data, data[0][:1], optimiser=rule, steps=steps, times=(steps,), networks=networks,
            rng=0, N=width, sigma_w=1.0, sigma_b=0.5, sigma_v=1.0,
        )  # fmt: skip

    products = float(networks) * steps * batch * width * (2 * d + 3 * 10)
    label = f"{networks} networks, {d}-{width}-10, {steps} steps of {optimiser} by {batch}"
    timed(label, work, products)


def main() -> None:
    """Run all cases."""
    print(f"{platform.machine()}, {os.cpu_count()} threads, numpy {np.__version__}")
    for optimiser in ("SGD", "Adam"):
        trained(49, 64, 64, 100, 64, optimiser)
        trained(784, 64, 64, 50, 16, optimiser)
        trained(2, 64, 8, 100, 512, optimiser)
    X = np.random.default_rng(1).normal(size=(3, 2))
    values = dict(N=10, sigma_w=1.0, sigma_b=0.5, sigma_v=1.0)
    for group in (nn.SO(2), nn.Hyperoctahedral(2)):
        timed(
            f"symmetry test under {group.name}, 3 points, orders 2 and 4, 10^4 networks",
            lambda group=group: nm.symmetry_test(nn.erf_net(), group, X, rng=0, **values),
        )
    net = nn.shallow(nn.ReLU(), outputs=3)
    timed(
        "symmetry test of 3 outputs under SO(3), 2 points, 10^4 networks",
        lambda: nm.symmetry_test(net, nn.SO(3), X[:2], rng=0, on="output", **values),
    )


if __name__ == "__main__":
    main()
