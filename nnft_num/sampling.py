"""Running a plan over networks: raw fields, or moments streamed on an executor.

The networks 0..M-1 of a run are cut into contiguous groups, and the groups into segments, by rules
that know the run and not the machine.  A task sums some segments; the sums of the segments of a
group are added in the order of the networks.  So the result is the same to the last bit for every
number of threads or processes and every schedule.
"""

from __future__ import annotations

import operator
import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from nnft_num.jit import fill_fields
from nnft_num.moments import LANES, Accumulator, Moments, group_bounds
from nnft_num.plans import Plan
from nnft_sym.language.errors import SpecificationError

__all__ = ["sample_fields", "sample_moments"]

_TASK_WORK = 5e7
"""Products of one task: about a quarter of a second."""

_CHUNK_BYTES = 2**17
"""Fields kept between the kernel and the sums."""

_LONG_RUN = 2.0
"""Seconds after which a run shows its progress."""


class _Segment(NamedTuple):
    group: int
    start: int
    stop: int


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
        ``"single"`` or ``"double"``, as in ``nnft_num.jit.fill_fields``.

    Returns
    -------
    ndarray, shape (networks, n, D)

    Raises
    ------
    SpecificationError
        If points, parameters or counts are impossible, or a field is not finite.
    """
    points = plan.points(X)
    out = np.empty((_whole(networks, "networks", 1), len(points), plan.outputs))
    _fill(plan, points, params, key, _whole(start, "start", 0), out, precision)
    if not np.isfinite(out).all():
        raise _diverging("finite fields", "check the activation and the scales")
    return out


def sample_moments(
    plan: Plan,
    X: ArrayLike,
    *,
    networks: int,
    max_order: int,
    key: tuple[int, int],
    params: Mapping[str, Any],
    executor: Executor | None = None,
    progress: bool | None = None,
    groups: int = 128,
) -> Moments:
    """Moments of the fields of networks 0, ..., networks - 1 at the points.

    Parameters
    ----------
    plan : Plan
        What to draw.
    X : array_like, shape (n, d)
        Points; (n,) is read as d = 1.
    networks : int
        Number of networks.
    max_order : int
        Highest order of the moments, at least 1.
    key : tuple of two int
        Key of the run, from ``key_from_rng``.
    params : mapping
        Values of the parameters of the plan.
    executor : concurrent.futures.Executor, optional
        Where the work runs; by default as many threads as there are processors.
    progress : bool, optional
        Whether to show a progress bar; by default in long runs on a terminal.
    groups : int
        Number of groups of networks, fewer if there are fewer networks.

    Raises
    ------
    SpecificationError
        If points, parameters or counts are impossible, or a field is not finite.
    """
    points = plan.points(X)
    numbers = plan.values(params)
    order = _whole(max_order, "max_order", 1)
    bounds = group_bounds(_whole(networks, "networks", 1), _whole(groups, "groups", 1))
    dimension = len(points) * plan.outputs
    unique = comb(dimension + order, order) - 1
    table = np.zeros((len(bounds) - 1, unique))
    maxima = np.zeros((len(bounds) - 1, dimension))
    work = unique + len(points) * _fan(plan, numbers, points.shape[1])
    text = plan.to_json()
    arguments = (text, points, numbers, (int(key[0]), int(key[1])), order)

    with _running(executor) as (pool, workers), _bar(progress, int(bounds[-1])) as bar:
        tasks = _tasks(bounds, max(LANES, int(_TASK_WORK / work)))
        pending: deque[tuple[list[_Segment], Future[Any]]] = deque()
        try:
            for segments in tasks:
                pending.append((segments, pool.submit(_sum_segments, *arguments, segments)))
                if len(pending) >= 4 * workers:
                    _collect(pending.popleft(), table, maxima, bar)
            while pending:
                _collect(pending.popleft(), table, maxima, bar)
        finally:
            for _, future in pending:
                future.cancel()
    if not np.isfinite(table).all():
        raise _diverging(
            "finite fields, with finite products up to the highest order",
            "check the activation and the scales, or ask for lower orders",
        )
    return Moments(
        dimension=dimension,
        max_order=order,
        counts=np.diff(bounds),
        table=table,
        maxima=maxima,
    )


def _diverging(expected: str, remedy: str) -> SpecificationError:
    return SpecificationError(
        expected=expected, came="NaN or infinity at some point", remedy=remedy
    )


def _tasks(bounds: NDArray[np.int64], size: int) -> Iterator[list[_Segment]]:
    """Segments of at most ``size`` networks within groups, joined into tasks of about ``size``."""
    size = -(-size // LANES) * LANES
    task: list[_Segment] = []
    room = size
    for group, (low, high) in enumerate(pairwise(bounds.tolist())):
        for start in range(low, high, size):
            segment = _Segment(group, start, min(start + size, high))
            if task and segment.stop - segment.start > room:
                yield task
                task, room = [], size
            task.append(segment)
            room -= segment.stop - segment.start
    yield task


def _sum_segments(
    text: str,
    X: NDArray[np.float64],
    params: dict[str, float],
    key: tuple[int, int],
    max_order: int,
    segments: list[_Segment],
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Work of one task, from plain data alone so that it can run in any process."""
    plan = _load(text)
    dimension = len(X) * plan.outputs
    accumulator = Accumulator(dimension, max_order)
    chunk = max(1, _CHUNK_BYTES // (8 * dimension * LANES)) * LANES
    longest = max(segment.stop - segment.start for segment in segments)
    out = np.empty((min(chunk, longest), len(X), plan.outputs))
    sums = []
    for segment in segments:
        for start in range(segment.start, segment.stop, chunk):
            part = out[: min(chunk, segment.stop - start)]
            _fill(plan, X, params, key, start, part)
            accumulator.add(part.reshape(len(part), dimension))
        sums.append(accumulator.finish())
    return sums


def _collect(
    done: tuple[list[_Segment], Future[Any]],
    table: NDArray[np.float64],
    maxima: NDArray[np.float64],
    bar: tqdm[Any],
) -> None:
    segments, future = done
    for segment, (sums, largest) in zip(segments, future.result(), strict=True):
        table[segment.group] += sums
        np.maximum(maxima[segment.group], largest, out=maxima[segment.group])
    bar.update(segments[-1].stop - segments[0].start)


def _fill(
    plan: Plan,
    X: NDArray[np.float64],
    params: Mapping[str, Any],
    key: tuple[int, int],
    start: int,
    out: NDArray[np.float64],
    precision: str = "single",
) -> None:
    numbers = plan.values(params)
    values = np.array([numbers[name] for name in plan.parameters], dtype=np.float64)
    widths = plan.widths(numbers)
    fill_fields(
        plan, X, key=key, start=start, values=values, widths=widths, out=out, precision=precision
    )


@lru_cache(maxsize=64)
def _load(text: str) -> Plan:
    return Plan.from_json(text)


def _fan(plan: Plan, params: Mapping[str, Any], dimension: int) -> float:
    """Cost of one network at one point, in products."""
    widths = plan.widths(params)
    return float(sum(a * (b + 10) for a, b in zip(widths, (dimension, *widths), strict=False)))


@contextmanager
def _running(executor: Executor | None) -> Iterator[tuple[Executor, int]]:
    """Give the executor to use and its number of workers; shut down one of our own at the end."""
    processors = os.cpu_count() or 1
    if executor is not None:
        if not callable(getattr(executor, "submit", None)):
            raise SpecificationError(
                expected="executor= a concurrent.futures.Executor",
                came=f"{executor!r}",
                remedy="leave it out, or pass ThreadPoolExecutor(2), say",
            )
        yield executor, getattr(executor, "_max_workers", None) or processors
        return
    pool = ThreadPoolExecutor(processors, thread_name_prefix="nnft")
    try:
        yield pool, processors
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _bar(progress: bool | None, networks: int) -> Iterator[tqdm[Any]]:
    delay = 0.0 if progress else _LONG_RUN
    hidden = not (sys.stderr.isatty() if progress is None else progress)
    with tqdm(
        total=networks, unit=" networks", unit_scale=True, delay=delay, disable=hidden
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
