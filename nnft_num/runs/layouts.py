"""How the networks of a run are cut into groups and segments.

Groups of consecutive networks serve the jackknife; segments are the pieces that are summed apart
and added in their order.  Both follow rules that know the run and not the machine: where the
sums stand after the first so many networks is the same however the work was spread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnft_num.statistics.moments import LANES, group_bounds
from nnft_sym.language.errors import SpecificationError

__all__ = ["GROUPS", "Layout", "Segment", "segment_size"]

GROUPS = 128
"""Groups of a run of fixed length; one that grows has between one and two times as many."""

_SEGMENT_WORK = 1e9
"""Products of the longest segment: some hundredths to some seconds of one core."""

_SMALLEST = 16
"""Networks of a group when a growing run begins."""

_MAX_INDEX = 2**63


class Segment(NamedTuple):
    """Networks start, ..., stop - 1 of one group, summed in one piece."""

    group: int
    start: int
    stop: int


def segment_size(work: float) -> int:
    """Longest segment, in networks, for the work of one network in products.

    Examples
    --------
    >>> segment_size(1e6), segment_size(1e12)
    (1008, 16)
    """
    return max(1, -(-int(_SEGMENT_WORK / work) // LANES)) * LANES


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Groups and segments of a run.

    A run of fixed length has its groups of equal size.  One that grows begins with groups of 16
    networks; when there are twice ``groups`` of them, neighbours are joined.  It may stop where it
    has 1, 5/4, 3/2, 7/4 or 2 times ``groups`` full groups: its ends.

    Parameters
    ----------
    first : int
        Index of the first network.
    networks : int or None
        Number of networks; None for a run that grows.
    groups : int
        Number of groups; a multiple of 4 for a run that grows.
    segment : int
        Longest segment, in networks.

    Raises
    ------
    SpecificationError
        If a number is impossible.

    Examples
    --------
    >>> layout = Layout(first=0, networks=None, groups=128, segment=1024)
    >>> layout.next_end(0), layout.next_end(2048), layout.next_end(4096)
    (2048, 2560, 5120)
    """

    first: int
    networks: int | None
    groups: int
    segment: int

    def __post_init__(self) -> None:
        numbers = [self.first, self.groups, self.segment]
        numbers += [] if self.networks is None else [self.networks]
        whole = all(isinstance(n, int) and not isinstance(n, bool) for n in numbers)
        if not whole or self.first < 0 or min(numbers[1:]) < 1 or self.segment % LANES:
            self._refuse(f"{numbers}")
        if self.networks is None and self.groups % 4:
            self._refuse(f"{self.groups} groups of a run that grows")
        if self.first + (self.networks or 0) >= _MAX_INDEX:
            self._refuse(f"network {self.first + (self.networks or 0)}")

    @staticmethod
    def _refuse(came: str) -> None:
        raise SpecificationError(
            expected="first at least 0, at least one network, group and multiple of 16 networks "
            "in a segment, indices below 2^63",
            came=came,
            remedy="let the sampler cut the run",
        )

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Layout:
        """Read the layout from plain data."""
        if not isinstance(data, Mapping) or set(data) != {"first", "networks", "groups", "segment"}:
            cls._refuse(f"{data!r:.80}")
        return cls(**data)

    def to_dict(self) -> dict[str, int | None]:
        """Give the layout as plain data."""
        return {
            "first": self.first,
            "networks": self.networks,
            "groups": self.groups,
            "segment": self.segment,
        }

    @property
    def most_groups(self) -> int:
        """Largest number of groups at any time."""
        if self.networks is None:
            return 2 * self.groups
        return min(self.groups, self.networks)

    def group_size(self, done: int) -> int:
        """Networks of each group of a growing run once ``done`` networks are summed."""
        level = max(0, (done // (self.groups * _SMALLEST)).bit_length() - 1)
        return _SMALLEST << level

    def bounds(self, done: int) -> NDArray[np.int64]:
        """Borders of the groups, counted from the first network, when ``done`` are summed."""
        if self.networks is not None:
            return group_bounds(self.networks, self.groups)
        size = self.group_size(done)
        return size * np.arange(-(-done // size) + 1, dtype=np.int64)

    def counts(self, done: int) -> NDArray[np.int64]:
        """Networks summed in each group."""
        return np.diff(np.minimum(self.bounds(done), done))

    def next_end(self, done: int) -> int:
        """The smallest number of networks beyond ``done`` where the run may stop."""
        if self.networks is not None:
            return self.networks
        step = self.group_size(done) * self.groups // 4
        return max(step * 4, (done // step + 1) * step)

    def segments(self, done: int, end: int) -> Iterator[Segment]:
        """Segments of the networks done, ..., end - 1; ``done`` is the end of a segment."""
        bounds = self.bounds(done)
        if self.networks is None:
            size = self.group_size(done)
            bounds = size * np.arange(-(-end // size) + 1, dtype=np.int64)
        for group, (low, high) in enumerate(pairwise(np.minimum(bounds, end).tolist())):
            for start in range(low, high, self.segment):
                if start >= done:
                    stop = min(start + self.segment, high)
                    yield Segment(group, self.first + start, self.first + stop)
