"""Times of numerical moments: `python tests/bench/kernels.py` prints medians and spreads."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable

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
    X = rng.normal(size=(1000, 20))
    first = 0.01 + 1.96 * X @ X.T / 20
    for activation in (nn.Erf(), nn.ReLU()):
        for tangent in (False, True):
            timed(
                f"{activation.name}, depth 10, 1000 points, NNGP{' and NTK' * tangent}",
                lambda activation=activation, tangent=tangent: layered_kernels(
                    activation, first, [1.96] * 10, [0.01] * 10, tangent=tangent
                ),
            )
        deep = nn.kernel(nn.mlp(activation, depth=10))
        timed(
            f"{activation.name}, depth 10, 1000 points, NNGP as a correlator",
            lambda deep=deep: deep.tensor(X, sigma_w=1.4, sigma_b=0.1),
        )


if __name__ == "__main__":
    main()
