"""All measured rates: `python tests/bench/table.py` prints the tables of docs/benchmarks.md.

For each workload: networks per second of our sampler through its public call, moments included, of
numpy, and of JAX, torch and neural-tangents where they can be imported, each tuned; how many times
as fast ours is; and its share of the roofline (``roofline.Rates.networks``).  Then the efficiencies
of the routes.

Rates are medians over interleaved rounds, so that whatever else the machine does falls on all
alike; the spread is the range over the rounds.  Ratios are of rates by the clock, and in brackets
of rates by the time of the processors, which other programs change less.  Shares are by the time
of the processors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from statistics import median

import routes
from conditions import conditions
from peers import peers, tuned
from roofline import Rates, works
from workloads import ORDER, WORKLOADS, Workload

import nnft_num as nm

SECONDS = 1.5
ROUTES = "routes"

Run = Callable[[int, int], None]
"""Called with a seed and a number of networks."""


@dataclass
class Sampler:
    """A way to sample a workload, the networks of a round, and the rates of the rounds so far."""

    run: Run
    networks: int
    clock: list[float] = field(default_factory=list)
    processors: list[float] = field(default_factory=list)

    def measure(self, seed: int) -> None:
        """One round."""
        wall, processors = time.perf_counter(), time.process_time()
        self.run(seed, self.networks)
        self.processors.append(self.networks / (time.process_time() - processors))
        self.clock.append(self.networks / (time.perf_counter() - wall))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    choices = [*WORKLOADS, ROUTES]
    parser.add_argument("--only", nargs="*", default=choices, choices=choices)
    arguments = parser.parse_args()
    print(conditions())
    wanted = {name: WORKLOADS[name] for name in WORKLOADS if name in arguments.only}
    if wanted:
        workloads(wanted, arguments.rounds)
    if ROUTES in arguments.only:
        print("\nRoutes, relative to that over parameters")
        routes.main()
    print(conditions())


def workloads(wanted: dict[str, Workload], rounds: int) -> None:
    """Print the table of the workloads."""
    rates = Rates(works(wanted))
    print(
        f"Thousands of networks per second with moments to order {ORDER}, by the clock: median of "
        f"{rounds} interleaved rounds (range)"
    )
    for name, load in wanted.items():
        own = {f"nnft, {route}": ours(load, route) for route in load.routes}
        others = {peer: Sampler(*tuned(peer, load, SECONDS)) for peer in peers(load)}
        for seed in range(rounds):
            for sampler in (*own.values(), *others.values()):
                rates.measure()
                sampler.measure(seed)
        print(f"\n{name}  {load.title}")
        for route, (title, sampler) in zip(load.routes, own.items(), strict=True):
            share = median(sampler.processors) / rates.networks(load, route)
            print(line(title, sampler) + f"   {share:4.0%} of the roofline")
            for peer, other in others.items():
                clock, processors = (
                    median(getattr(sampler, kind)) / median(getattr(other, kind))
                    for kind in ("clock", "processors")
                )
                print(f"    {clock:6.1f} x {peer} ({processors:.1f})")
        for title, sampler in others.items():
            print(line(title, sampler))
    print("\nThe machine alone, millions for a second of one processor")
    for title, found in rates.runs.items():
        print(f"  {title:20s} {rates[title] / 1e6:9.0f}  {spread(found, 1e6)}")


def line(title: str, sampler: Sampler) -> str:
    """Rates of one sampler."""
    return f"  {title:20s} {median(sampler.clock) / 1e3:9.1f}  {spread(sampler.clock, 1e3)}"


def spread(rates: list[float], unit: float) -> str:
    """Range of rates."""
    return f"({min(rates) / unit:.5g} .. {max(rates) / unit:.5g})"


def ours(load: Workload, route: str) -> Sampler:
    """Our sampler through its public call, with networks for about SECONDS."""
    call = partial(nm.correlators, load.network, load.X, (2, ORDER), route=route, progress=False)

    def run(seed: int, networks: int) -> None:
        call(networks=networks, rng=seed, params=load.params)

    run(0, 4096)
    start = time.perf_counter()
    run(1, 16384)
    return Sampler(run, int(16384 * max(1.0, SECONDS / (time.perf_counter() - start))))


if __name__ == "__main__":
    main()
