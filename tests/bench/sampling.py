"""Networks per second: `python tests/bench/sampling.py` prints them beside the machine's own rates.

Rates are per second of processor time of one thread, so that what else runs on the machine counts
little; medians, with the spread, of interleaved runs.  Beside each stands its share of the
roofline, ``roofline.Rates.networks``.
"""

from __future__ import annotations

from functools import partial

from conditions import conditions
from roofline import Rates, Work, moments, works
from workloads import OWN, WORKLOADS, Workload

from nnft_num.compiling import compile_plan
from nnft_num.runs.sampling import sample_fields

RUNS = 7
SECONDS = 0.015


def fields(load: Workload) -> Work:
    """Fields of networks, without their moments."""
    net, params = load.network, load.params
    run = partial(sample_fields, compile_plan(net), load.X, key=(1, 2), params=params)
    work = sum(load.draws("parameters")) + load.products("parameters") / 8 + load.activations / 4
    networks = int(SECONDS * 2e9 / work)

    def work_once() -> int:
        run(networks=networks)
        return networks

    return work_once


def main() -> None:
    """Run all cases."""
    print(conditions())
    loads = WORKLOADS | OWN
    own = {f"{name:6s} {load.title}": fields(load) for name, load in loads.items()}
    others = {
        f"moments to order {order}, {points} points": moments(points, order)
        for points, order in ((6, 4), (8, 4), (16, 6))
    }
    rates = Rates(works(loads) | own | others)
    for _ in range(RUNS):
        rates.measure()
    shares = {
        title: rates[title] / rates.networks(load)
        for title, load in zip(own, loads.values(), strict=True)
    }
    for title, values in rates.runs.items():
        share = f"   {shares[title]:4.0%} of the roofline" if title in shares else ""
        spread = f"({min(values):.3g} .. {max(values):.3g})"
        print(f"{title:54s} {rates[title]:12.4g} /s   {spread:24s}{share}")


if __name__ == "__main__":
    main()
