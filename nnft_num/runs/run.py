"""A run: what is summed over which networks, and the sums as they stand."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.runs.layouts import Layout, Segment
from nnft_num.sources.source import RowSource, Source
from nnft_num.statistics.moments import Moments, order_offsets
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = ["Provenance", "Run", "Sums", "environment"]


@lru_cache(maxsize=1)
def environment() -> Mapping[str, str]:
    """Versions that the bits of a run depend on, and the processor."""
    import llvmlite.binding

    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for package in ("nnft", "llvmlite", "numba", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["processor"] = llvmlite.binding.get_host_cpu_name()
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A run: everything that fixes its sums to the bit, given the versions.

    Parameters
    ----------
    source : Source
        What is sampled.
    key : tuple of two int
        Key of the draws.
    max_order : int
        Highest order of the moments.
    layout : Layout
        Which networks, in which groups and segments.
    """

    source: RowSource
    key: tuple[int, int]
    max_order: int
    layout: Layout

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Run:
        """Validate plain data and build the run, executing nothing.

        Raises
        ------
        SpecificationError
            If a key is unknown or missing, or a value is impossible.
        """
        keys = {"source", "key", "max_order", "layout"}
        if not isinstance(data, Mapping) or set(data) != keys:
            raise SpecificationError(
                expected=f"a run with the keys {', '.join(sorted(keys))}",
                came=f"{data!r:.80}",
                remedy="write it with Run.to_dict",
            )
        words, order = data["key"], data["max_order"]
        right = isinstance(words, (list, tuple)) and len(words) == 2
        if not right or not all(_whole(word) and 0 <= word < 2**32 for word in words):
            raise SpecificationError(
                expected="a key of two 32-bit words",
                came=f"{words!r:.80}",
                remedy="write it with Run.to_dict",
            )
        if not _whole(order) or not 1 <= order <= 64:
            raise SpecificationError(
                expected="a highest order from 1 to 64",
                came=f"{order!r:.80}",
                remedy="write it with Run.to_dict",
            )
        return cls(
            source=Source.from_dict(data["source"]),
            key=(words[0], words[1]),
            max_order=order,
            layout=Layout.from_dict(data["layout"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the run as plain data."""
        return {
            "source": self.source.to_dict(),
            "key": list(self.key),
            "max_order": self.max_order,
            "layout": self.layout.to_dict(),
        }

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def unique(self) -> int:
        """Number of sums of each group: monomials of orders 1 to ``max_order``."""
        return order_offsets(self.source.dimension, self.max_order)[-1]

    @property
    def work(self) -> float:
        """Cost of one network with its moments, in products."""
        return self.unique + self.source.work

    def differences(self, other: Run) -> list[str]:
        """Names of what differs between two runs."""
        mine, its = self.source, other.source
        pairs = {
            "plan": (mine.plan.hash, its.plan.hash),
            "points": (mine.X.tolist(), its.X.tolist()),
            "parameters": (dict(mine.params), dict(its.params)),
            "route": (mine.route, its.route),
            "precision": (mine.precision, its.precision),
            "seed": (self.key, other.key),
            "highest order": (self.max_order, other.max_order),
            "first network": (self.layout.first, other.layout.first),
            "number of networks": (self.layout.networks, other.layout.networks),
            "groups": (self.layout.groups, other.layout.groups),
            "segments": (self.layout.segment, other.layout.segment),
        }
        return [name for name, (one, two) in pairs.items() if one != two]


@dataclass(frozen=True, kw_only=True)
class Provenance(Shown):
    """Where moments come from.

    Parameters
    ----------
    source : Source
        What was sampled.
    key : tuple of two int
        Key of the draws.
    ranges : tuple of (int, int)
        Networks start, ..., stop - 1 that were summed; sorted and disjoint.
    environments : tuple of mapping
        Versions of what took part.

    Raises
    ------
    SpecificationError
        If ranges are empty or overlap.
    """

    source: RowSource
    key: tuple[int, int]
    ranges: tuple[tuple[int, int], ...]
    environments: tuple[Mapping[str, str], ...]

    def _table(self) -> Table:
        versions = (
            ", ".join(f"{name} {value}" for name, value in own.items()) for own in self.environments
        )
        return Table(
            title="provenance",
            rows=(
                ("networks", str(self.networks)),
                ("ranges", ", ".join(f"{start}-{stop - 1}" for start, stop in self.ranges)),
                ("key", ", ".join(map(str, self.key))),
                ("source", self.source.hash),
                *(("environment", line) for line in versions),
            ),
        )

    def __repr__(self) -> str:
        return f"Provenance({self.networks} networks; source {self.source.hash[:12]})"

    def __post_init__(self) -> None:
        ordered = sorted(self.ranges)
        empty = any(start < 0 or stop <= start for start, stop in ordered)
        clash = [(a, b) for a, b in pairwise(ordered) if a[1] > b[0]]
        if empty or clash or not ordered:
            raise SpecificationError(
                expected="disjoint ranges of networks",
                came=f"{clash[0][0]} and {clash[0][1]}" if clash else f"{ordered}",
                remedy="give each run its own networks: first= the end of the one before",
            )
        object.__setattr__(self, "ranges", tuple(ordered))

    @property
    def networks(self) -> int:
        """Number of networks."""
        return sum(stop - start for start, stop in self.ranges)

    def joined(self, other: Provenance) -> Provenance:
        """Provenance of the moments of two runs together.

        Raises
        ------
        SpecificationError
            If they sampled different things, with different keys or the same networks.
        """
        if self.source.hash != other.source.hash or self.key != other.key:
            mine, its = ((p.source.plan.hash[:12], p.key) for p in (self, other))
            raise SpecificationError(
                expected="runs of one source (plan, points, parameters, route) under one seed",
                came=f"plan {mine[0]} under {mine[1]} and plan {its[0]} under {its[1]}"
                + ("" if mine != its else ", with different points, parameters or routes"),
                remedy="merge parts of one run: the same call with other networks, by first=",
            )
        known = [*self.environments, *other.environments]
        return Provenance(
            source=self.source,
            key=self.key,
            ranges=(*self.ranges, *other.ranges),
            environments=tuple(e for i, e in enumerate(known) if e not in known[:i]),
        )


class Sums:
    """Sums of a run over its first ``done`` networks.

    Parameters
    ----------
    run : Run
        The run.
    """

    def __init__(self, run: Run) -> None:
        groups = run.layout.most_groups
        self.run = run
        self.done = 0
        # untouched rows of zeros take no memory
        self.table = np.zeros((groups, run.unique))
        self.maxima = np.zeros((groups, run.source.dimension))

    @property
    def counts(self) -> NDArray[np.int64]:
        """Networks summed in each group."""
        return self.run.layout.counts(self.done)

    def add(self, segment: Segment, sums: NDArray[np.float64], maxima: NDArray[np.float64]) -> None:
        """Add the sums of the next segment."""
        layout = self.run.layout
        if segment.start != layout.first + self.done:
            raise AssertionError(f"segment {segment} does not follow {self.done} networks")
        self.table[segment.group] += sums
        np.maximum(self.maxima[segment.group], maxima, out=self.maxima[segment.group])
        before = self.done
        self.done = segment.stop - layout.first
        if layout.networks is None and layout.group_size(self.done) > layout.group_size(before):
            self._join_neighbours()

    def _join_neighbours(self) -> None:
        half = self.run.layout.groups
        for group in range(half):
            pair = slice(2 * group, 2 * group + 2)
            self.table[group] = self.table[pair].sum(axis=0)
            self.maxima[group] = self.maxima[pair].max(axis=0)
        self.table[half:] = 0.0
        self.maxima[half:] = 0.0

    def moments(self) -> Moments:
        """Moments over the groups that hold networks."""
        counts = self.counts
        held = counts > 0
        whole = bool(held.all()) and len(counts) == len(self.table)
        rows = slice(None) if whole else np.flatnonzero(held)
        return Moments(
            dimension=self.run.source.dimension,
            max_order=self.run.max_order,
            counts=counts[held],
            table=self.table[rows].view(),
            maxima=self.maxima[rows].view(),
        )

    def provenance(self) -> Provenance:
        """Where these sums come from."""
        first = self.run.layout.first
        return Provenance(
            source=self.run.source,
            key=self.run.key,
            ranges=((first, first + self.done),),
            environments=(environment(),),
        )


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
