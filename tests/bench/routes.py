"""What each route knows for its work: `python tests/bench/routes.py` prints ratios to parameters.

Efficiency of an entry is 1/(error² x time of the processors); its ratio is that of a route to the
route over parameters in the same precision, and the median is over the entries of G_c⁽⁴⁾ that the
route resolves (|value| at least five errors).  The ratio of variances for one row, a network or a
neuron, does not depend on the speed of any kernel.  Times are of whole calls after one that
compiled, sums and errors included.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
from conditions import conditions
from workloads import BOX, LINE, WORKLOADS

import nnft_num as nm
import nnft_sym as nn

ERF, DEEP = WORKLOADS["W1"], WORKLOADS["W4"]
RUNS = 3
CASES = (
    (
        "erf, d=1, N=1000, 6 points", ERF.network, LINE, ERF.params, 200_000,
        {"readout": 200_000, "neurons": 2**22, "sobol": 2**20},
    ),
    (
        "ReLU, d=1, N=1000, 6 points", nn.relu_net(), LINE, ERF.params, 200_000,
        {"readout": 200_000, "neurons": 2**22, "sobol": 2**20},
    ),
    (
        "tanh 128-128-128, d=4, 8 points", DEEP.network, BOX, DEEP.params,
        50_000, {"functions": 500_000, "readout": 500_000},
    ),
)  # fmt: skip


def measured(net, X, params, route, rows):
    """1/(error² time) and 1/(error² rows) of G_c⁽⁴⁾, values over errors, and rows a second."""
    found, rates = [], []
    for run in range(RUNS + 1):
        wall, processor = time.perf_counter(), time.process_time()
        estimate = nm.correlators(
            net, X, 4, rows, run, route=route, precision="single", progress=False, params=params
        )
        error, value = estimate[4].error_tensor.entries, estimate[4].tensor.entries
        processor = time.process_time() - processor
        rates.append(estimate.networks / (time.perf_counter() - wall))
        found.append((1 / (error**2 * processor), 1 / (error**2 * estimate.networks)))
    efficiency, per_row = np.median(found[1:], axis=0)
    return efficiency, per_row, np.abs(value) / error, statistics.median(rates[1:])


def main() -> None:
    """Run all cases."""
    for label, net, X, params, networks, routes in CASES:
        print(label)
        base, base_row, resolution, rate = measured(net, X, params, "parameters", networks)
        best = 100 / resolution.max()
        print(f"  {'parameters':12s} {rate:10.4g} rows/s   best entry ±{best:.0f} %")
        for route, rows in routes.items():
            own, own_row, resolution, rate = measured(net, X, params, route, rows)
            use = resolution >= 5
            ratio, variances = (
                np.median((a / b)[use]) if use.any() else np.nan
                for a, b in ((own, base), (own_row, base_row))
            )
            print(
                f"  {route:12s} {rate:10.4g} rows/s   efficiency x {ratio:.2g}, variance for one "
                f"row / {variances:.2g}   ({use.sum()} of {len(use)} entries resolved; median "
                f"±{100 / np.median(resolution):.2g} %)"
            )


if __name__ == "__main__":
    print(conditions())
    main()
