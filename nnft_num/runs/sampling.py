"""Running a source over networks: raw fields, or moments streamed on an executor.

A task sums some segments of a run; the sums of the segments are added in the order of the
networks.  So the result is the same to the last bit for every number of threads or processes,
every schedule, and whether or not the run was interrupted.
"""

from __future__ import annotations

import operator
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from nnft_num.plans.plan import Plan
from nnft_num.runs.executing import Calls, ExecutorLike
from nnft_num.runs.layouts import GROUPS, Layout, Segment, segment_size
from nnft_num.runs.run import Run, Sums
from nnft_num.sources.source import RowSource, Source
from nnft_num.statistics.moments import LANES, Accumulator, Moments, order_offsets
from nnft_sym.language.errors import NNFTError, SpecificationError

__all__ = ["Keeper", "new_run", "sample_fields", "sample_moments", "sample_sums"]

_TASK_WORK = 5e7
"""Products of the first tasks; later ones grow to about a third of a second."""

_TASK_SECONDS = 0.3

_TASK_BYTES = 2**21
"""Sums that a task of several segments gives back."""

_CHUNK_BYTES = 2**17
"""Rows kept between the kernel and the sums."""

_LONG_RUN = 2.0
"""Seconds after which a run shows its progress."""


class Keeper(Protocol):
    """Keeps the sums of a run, so that it can go on where it was interrupted."""

    def resumed(self, run: Run) -> Sums | None:
        """Sums of the run as they were kept, None for a run that begins."""

    def reached(self, sums: Sums) -> None:
        """Keep the sums now and then."""

    def finished(self, sums: Sums) -> None:
        """Keep the sums at the end."""


def sample_fields(
    plan: Plan,
    X: ArrayLike,
    networks: int,
    key: tuple[int, int],
    params: Mapping[str, Any],
    start: int = 0,
    precision: str = "single",
) -> NDArray[np.float64]:
    """Raw fields of the networks start, ..., start + networks - 1.

    Parameters
    ----------
    plan : Plan
        What to draw.
    X : array_like, shape (n, d)
        Points; (n,) is read as d = 1.
    networks : int
        Number of networks.
    key : tuple of two int
        Key of the run, from ``key_from_rng``.
    params : mapping
        Values of the parameters of the plan.
    start : int
        Index of the first network.
    precision : str
        ``"double"``, or ``"single"`` where it is enough for the network.

    Returns
    -------
    ndarray, shape (networks, n, D)

    Raises
    ------
    SpecificationError
        If points, parameters, counts or the precision are impossible, or a field is not finite.
    """
    source = Source(plan=plan, X=plan.points(X), params=params, precision=precision).settled
    count = _whole(networks, "networks", 1)
    out = np.empty((count, len(source.X), plan.outputs))
    source.fill(key, _whole(start, "start", 0), out.reshape(count, source.dimension))
    if not np.isfinite(out).all():
        raise _diverging("finite fields", "check the activation and the scales")
    return out


def sample_moments(
    source: RowSource,
    *,
    networks: int,
    max_order: int,
    key: tuple[int, int],
    executor: ExecutorLike = None,
    progress: bool | None = None,
    groups: int = GROUPS,
) -> Moments:
    """Moments of rows 0, ..., networks - 1 of a source.

    Parameters
    ----------
    source : Source
        What to sample.
    networks : int
        Number of rows, one for each network.
    max_order : int
        Highest order of the moments, at least 1.
    key : tuple of two int
        Key of the run, from ``key_from_rng``.
    executor : concurrent.futures.Executor or function that makes one, optional
        Where the work runs; by default as many threads as there are processors.
    progress : bool, optional
        Whether to show a progress bar; by default in long runs on a terminal.
    groups : int
        Number of groups of networks, fewer if there are fewer networks.

    Raises
    ------
    SpecificationError
        If counts are impossible, or a number is not finite.
    """
    run = new_run(source, networks=networks, max_order=max_order, key=key, groups=groups)
    return sample_sums(run, executor=executor, progress=progress).moments()


def new_run(
    source: RowSource,
    *,
    networks: int | None,
    max_order: int,
    key: tuple[int, int],
    first: int = 0,
    groups: int = GROUPS,
) -> Run:
    """Describe a run over networks first, first + 1, ...; ``networks`` None lets it grow.

    Raises
    ------
    SpecificationError
        If a number is impossible.
    """
    order = _whole(max_order, "max_order", 1)
    work = order_offsets(source.dimension, order)[-1] + source.work
    layout = Layout(
        first=_whole(first, "first", 0),
        networks=None if networks is None else _whole(networks, "networks", 1),
        groups=_whole(groups, "groups", 1),
        segment=segment_size(work),
    )
    words = (int(key[0]), int(key[1]))
    return Run(source=source, key=words, max_order=order, layout=layout)


def sample_sums(
    run: Run,
    *,
    executor: ExecutorLike = None,
    progress: bool | None = None,
    keeper: Keeper | None = None,
    enough: Callable[[Sums, tqdm[Any]], bool] | None = None,
) -> Sums:
    """Sum a run to its end, or one that grows until it is ``enough``.

    Parameters
    ----------
    run : Run
        What to sum.
    executor, progress
        As in ``sample_moments``.
    keeper : Keeper, optional
        Keeps the sums and gives back those of an interrupted run.
    enough : callable (sums, bar) -> bool
        Asked at each end of a run that grows; looks at nothing but the sums.

    Raises
    ------
    SpecificationError
        If a number is not finite.
    """
    layout = run.layout
    sums = (keeper.resumed(run) if keeper is not None else None) or Sums(run)
    with Calls(executor) as calls, _bar(progress, layout.networks, sums.done) as bar:
        while not _ended(sums, enough, bar, keeper):
            for segments, parts in _summed(run, sums.done, calls):
                for segment, (part, largest) in zip(segments, parts, strict=True):
                    if not np.isfinite(part).all():
                        raise _diverging(
                            "finite fields, with finite products up to the highest order",
                            "check the activation and the scales, or ask for lower orders",
                        )
                    sums.add(segment, part, largest)
                bar.update(segments[-1].stop - segments[0].start)
                if keeper is not None:
                    keeper.reached(sums)
    if keeper is not None:
        keeper.finished(sums)
    return sums


def _ended(
    sums: Sums,
    enough: Callable[[Sums, tqdm[Any]], bool] | None,
    bar: tqdm[Any],
    keeper: Keeper | None,
) -> bool:
    layout, done = sums.run.layout, sums.done
    if layout.networks is not None:
        return done == layout.networks
    assert enough is not None, "a run that grows ends where something says so"
    if done == 0 or layout.next_end(done - 1) != done:
        return False
    try:
        return enough(sums, bar)
    except NNFTError:
        if keeper is not None:
            keeper.finished(sums)
        raise


def _summed(
    run: Run, done: int, calls: Calls
) -> Iterator[tuple[list[Segment], list[tuple[NDArray[np.float64], NDArray[np.float64]]]]]:
    """Sums of the segments from ``done`` to the next end, task by task in their order."""
    size = _Size(run, calls.workers)
    end = run.layout.next_end(done)
    sent: deque[list[Segment]] = deque()

    def arguments() -> Iterator[tuple[Any, ...]]:
        for task in _tasks(run.layout.segments(done, end), end - done, size):
            sent.append(task)
            yield run.source, run.key, run.max_order, task

    for parts, seconds in calls.results(_sum_segments, arguments()):
        task = sent.popleft()
        size.learn(task, seconds)
        yield task, parts


class _Size:
    """Networks of the next task; it decides when sums are made, never what they are."""

    def __init__(self, run: Run, workers: int) -> None:
        self.networks = max(LANES, int(_TASK_WORK / run.work))
        self.segments = max(1, _TASK_BYTES // (8 * run.unique))
        self.workers = workers

    def learn(self, task: list[Segment], seconds: float) -> None:
        summed = task[-1].stop - task[0].start
        if summed >= self.networks and seconds < _TASK_SECONDS / 2:
            self.networks *= 2

    def now(self, left: int) -> int:
        return max(LANES, min(self.networks, left // (2 * self.workers)))


def _tasks(segments: Iterator[Segment], left: int, size: _Size) -> Iterator[list[Segment]]:
    """Consecutive segments joined into tasks."""
    task: list[Segment] = []
    for segment in segments:
        task.append(segment)
        summed = segment.stop - task[0].start
        if summed >= size.now(left) or len(task) == size.segments:
            left -= summed
            yield task
            task = []
    if task:
        yield task


def _sum_segments(
    source: RowSource, key: tuple[int, int], max_order: int, segments: list[Segment]
) -> tuple[list[tuple[NDArray[np.float64], NDArray[np.float64]]], float]:
    """Work of one task, from plain data alone so that it can run in any process."""
    began = time.perf_counter()
    dimension = source.dimension
    accumulator = Accumulator(dimension, max_order)
    chunk = max(1, _CHUNK_BYTES // (8 * dimension * LANES)) * LANES
    out = np.empty((min(chunk, segments[-1].stop - segments[0].start), dimension))
    sums = []
    for joined in _joined(segments, chunk):
        first, stop = joined[0].start, joined[-1].stop
        # a single segment may be longer than the rows that are kept
        for start in range(first, stop, chunk):
            rows = out[: min(chunk, stop - start)]
            source.fill(key, start, rows)
            for segment in joined:
                accumulator.add(rows[max(segment.start - start, 0) : segment.stop - start])
                if segment.stop <= start + chunk:
                    sums.append(accumulator.finish())
    return sums, time.perf_counter() - began


def _joined(segments: list[Segment], rows: int) -> Iterator[list[Segment]]:
    """Segments with so many rows together, or one with more: kernels fill sixteen rows at once."""
    joined: list[Segment] = []
    for segment in segments:
        if joined and segment.stop - joined[0].start > rows:
            yield joined
            joined = []
        joined.append(segment)
    yield joined


def _diverging(expected: str, remedy: str) -> SpecificationError:
    return SpecificationError(
        expected=expected, came="NaN or infinity at some point", remedy=remedy
    )


@contextmanager
def _bar(progress: bool | None, networks: int | None, done: int) -> Iterator[tqdm[Any]]:
    delay = 0.0 if progress else _LONG_RUN
    hidden = not (sys.stderr.isatty() if progress is None else progress)
    with tqdm(
        total=networks,
        initial=done,
        unit=" networks",
        unit_scale=True,
        delay=delay,
        disable=hidden,
    ) as bar:
        yield bar


def _whole(value: Any, name: str, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = int(value) if isinstance(value, float) and value.is_integer() else least - 1
    if number < least:
        raise SpecificationError(
            expected=f"{name} as an integer of at least {least}",
            came=f"{value!r}",
            remedy=f"pass {name}={max(least, 1)} or more",
        )
    return number
