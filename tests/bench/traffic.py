"""Bytes between a run and its workers: `python tests/bench/traffic.py` prints them per task.

The case is the Erf-net in d=1 with N=1000 at 6 points up to order 4.  What is sent and what comes
back is pickled as an executor for processes does it.
"""

from __future__ import annotations

import pickle
import resource
import time

import numpy as np

import nnft_sym as nn
from nnft_num.compiling import compile_plan
from nnft_num.runs import sampling
from nnft_num.runs.sampling import new_run
from nnft_num.sources.source import Source

NETWORKS = 10**9
LINE = np.array([-1, -0.6, -0.2, 0.2, 0.6, 1.0])[:, None]


def main() -> None:
    """Print the bytes of one task and of a run of 10⁹ networks."""
    params = dict(sigma_w=1.0, sigma_b=1.0, sigma_v=1.0, N=1000)
    source = Source(plan=compile_plan(nn.erf_net()), X=LINE, params=params)
    run = new_run(source, networks=NETWORKS, max_order=4, key=(1, 2))
    count = sum(1 for _ in run.layout.segments(0, NETWORKS))
    segment = next(run.layout.segments(0, NETWORKS))
    task = (sampling._sum_segments, (source, run.key, run.max_order, [segment]))
    start = time.perf_counter()
    result = sampling._sum_segments(*task[1])
    seconds = time.perf_counter() - start
    sent, returned = (len(pickle.dumps(each)) for each in (task, result))
    table = run.layout.most_groups * (run.unique + source.dimension) * 8
    print(f"segments of {segment.stop - segment.start} networks: {count} of them, {seconds:.1f} s")
    print(f"a task of one segment: {sent} bytes sent, {returned} bytes returned")
    print(f"the whole run: {count * sent / 1e6:.0f} MB sent, {count * returned / 1e6:.0f} MB back")
    print(f"sums kept by the caller: {table / 1e6:.2f} MB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak resident memory of this process, theory and worker in one: {peak:.0f} MB")


if __name__ == "__main__":
    main()
