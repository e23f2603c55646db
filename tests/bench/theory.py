"""Times of the theory side: `python tests/bench/theory.py` prints medians and spreads."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

import nnft_sym as nn

RUNS = 7


def timed(label: str, work: Callable[[], object]) -> None:
    """Print median, minimum and maximum of a few runs after one warm-up."""
    work()
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    spread = f"{min(times):.1f} .. {max(times):.1f}"
    print(f"{label:58s} {statistics.median(times):9.1f} ms   ({spread})")


def main() -> None:
    """Run all cases."""
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}")
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20, 3))
    line = np.array([-1, -0.6, -0.2, 0.2, 0.6, 1.0])[:, None]
    cos, gauss, erf, relu = nn.cos_net(), nn.gauss_net(), nn.erf_net(), nn.relu_net()
    scales = dict(sigma_w=1.0, sigma_v=1.0, N=10)
    with_bias = scales | dict(sigma_b=0.3)
    timed(
        "Cos-net, G_c^(4) over 20 points, d=3, closed form",
        lambda: nn.cumulant(cos, 4).tensor(points, **scales),
    )
    timed(
        "Gauss-net, G_c^(4) over 20 points, d=3, closed form",
        lambda: nn.cumulant(gauss, 4).tensor(points, **with_bias),
    )
    timed(
        "Erf-net, G_c^(4) over 6 points, d=1, integral",
        lambda: nn.cumulant(erf, 4).tensor(line, **with_bias),
    )
    timed(
        "Erf-net, G_c^(6) over 6 points, d=1, integral",
        lambda: nn.cumulant(erf, 6).tensor(line, **with_bias),
    )
    timed(
        "ReLU-net, G_c^(6) over 6 points, d=1, integral",
        lambda: nn.cumulant(relu, 6).tensor(line, **with_bias),
    )
    timed(
        "Cos-net, G_c^(8) over 4 points, d=3, closed form",
        lambda: nn.cumulant(cos, 8).tensor(points[:4], **scales),
    )
    timed(
        "deep erf kernel, depth 5, 20 points",
        lambda: nn.kernel(nn.mlp(nn.Erf(), depth=5)).tensor(points, sigma_w=1.3, sigma_b=0.2),
    )
    T2, V = nn.defining(nn.Sn(6)) ** 2, nn.defining(nn.SO(3)) ** 3
    timed("equivariant maps of S_6, T2 -> T2, orbits", lambda: nn.equivariant_basis(T2, T2))
    timed(
        "equivariant maps of S_6, T2 -> T2, numeric",
        lambda: nn.equivariant_basis(T2, T2, method="numeric"),
    )
    timed("equivariant maps of SO(3), T3 -> T3, elimination", lambda: nn.equivariant_basis(V, V))
    six = nn.relu_net(outputs=6)
    for group in (nn.SO(6), nn.Hyperoctahedral(6), nn.Sn(6), nn.Translations(6)):
        timed(f"symmetry of ReLU-net under {group.name}, inputs", partial(nn.symmetry, relu, group))
        timed(
            f"symmetry of ReLU-net under {group.name}, outputs",
            partial(nn.symmetry, six, group, on="output"),
        )


if __name__ == "__main__":
    main()
