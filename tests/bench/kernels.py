"""Times of numerical moments: `python tests/bench/kernels.py` prints medians and spreads."""

from __future__ import annotations

import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np

import nnft_sym as nn
from nnft_sym.expectation.layered import layered_kernels

RUNS = 5


def timed(label: str, work: Callable[[], object]) -> None:
    """Print median, minimum and maximum of a few runs after one warm-up."""
    work()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    spread = f"{min(times):.0f} .. {max(times):.0f}"
    print(f"{label:58s} {statistics.median(times):9.1f} ms   ({spread})")


def main() -> None:
    """Run all cases."""
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    rng = np.random.default_rng(0)
    for d in (1, 2, 3):
        X = rng.normal(size=(20, d))
        for bias in (0.0, 0.5):
            for net in (nn.relu_net(), nn.erf_net()):
                four = nn.cumulant(net, 4)
                values = dict(sigma_w=1.0, sigma_b=bias, sigma_v=1.0, N=100)
                timed(
                    f"{net.name}, G_c^(4) over 20 points, d={d}, sigma_b={bias}",
                    lambda four=four, X=X, values=values: four.tensor(X, **values),
                )
    X = rng.normal(size=(100, 5))
    smooth = {
        "tanh": "tanh(z)",
        "sigmoid": "sigmoid(z)",
        "softplus": "log(1 + exp(z))",
        "SiLU": "z*sigmoid(z)",
        "GELU": "z*(1 + erf(z/sqrt(2)))/2",
    }
    for name, text in smooth.items():
        deep = nn.kernel(nn.mlp(nn.Activation.of(text), depth=3))
        for scale in (1.0, 3.0):
            timed(
                f"{name} kernel, depth 3, 100 points, sigma_w={scale}",
                lambda deep=deep, scale=scale: deep.tensor(X, sigma_w=scale, sigma_b=0.2),
            )
    interleaved(rng.normal(size=(1000, 20)))


def interleaved(X: np.ndarray) -> None:
    """Deep kernels of both families, all routes in turn, so that other work hits them alike."""
    first = 0.01 + 1.96 * X @ X.T / X.shape[1]
    scales = dict(sigma_w=1.4, sigma_b=0.1)
    for activation in (nn.Erf(), nn.ReLU()):
        net = nn.mlp(activation, depth=10)
        kernel, tangent = nn.kernel(net), nn.ntk(net)
        layers = [1.96] * 10, [0.01] * 10
        routes: dict[str, Callable[[], object]] = {
            "recursion alone, NNGP and NTK": partial(layered_kernels, activation, first, *layers),
            "nn.kernel_matrices, NNGP and NTK": partial(nn.kernel_matrices, net, X, **scales),
            "nn.kernel(net).tensor": partial(kernel.tensor, X, **scales),
            "nn.ntk(net).tensor": partial(tangent.tensor, X, **scales),
        }
        times: dict[str, list[float]] = {name: [] for name in routes}
        for _ in range(RUNS + 1):
            for name, work in routes.items():
                start = time.perf_counter()
                work()
                times[name].append(1e3 * (time.perf_counter() - start))
        for name, all_runs in times.items():
            runs = all_runs[1:]
            spread = f"{min(runs):.0f} .. {max(runs):.0f}"
            label = f"{activation.name}, depth 10, {len(X)} points, {name}"
            print(f"{label:70s} {statistics.median(runs):9.1f} ms   ({spread})")
        tracemalloc.start()
        nn.kernel_matrices(net, X, **scales)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        print(f"peak memory {peak:.1f} MB, of which the pair {2 * first.nbytes / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
