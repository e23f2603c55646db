"""What a run file says, and its way into bytes and back.

Reading parses JSON and the expressions of the plan, the latter through the allow-list of the little
language; it checks that networks, groups, points and sums fit each other, and executes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from nnft_num.estimates.estimate import wanted_orders
from nnft_num.runs.layouts import Layout
from nnft_num.runs.run import Run
from nnft_num.sources.source import RowSource
from nnft_num.statistics.moments import Moments
from nnft_num.storage.formats import Contents, read_contents, write_contents
from nnft_sym.language.errors import StorageError

__all__ = ["DIMENSIONS", "Kept", "read_run", "refuse", "write_run"]

FORMAT = "nnft-run/1"

DIMENSIONS = {
    "counts": ("group",),
    "sums": ("group", "monomial"),
    "maxima": ("group", "field"),
    "points": ("point", "coordinate"),
}

_TITLE = "Sums of products of the fields of random networks, by groups of networks"


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept:
    """What a run file says.

    Parameters
    ----------
    source, key, max_order
        As in ``Run``.
    orders : tuple of int
        Orders that were asked for.
    layout : Layout or None
        How the run is cut; None for what cannot be continued.
    ranges : tuple of (int, int)
        Networks that were summed.
    environments : tuple of mapping
        Versions of what took part.
    reason : str
        Why the route was taken.
    counts, table, maxima : ndarray
        As in ``Moments``, with groups that hold no network yet.
    """

    source: RowSource
    key: tuple[int, int]
    orders: tuple[int, ...]
    max_order: int
    layout: Layout | None
    ranges: tuple[tuple[int, int], ...]
    environments: tuple[Mapping[str, str], ...]
    reason: str
    counts: NDArray[np.int64]
    table: NDArray[np.float64]
    maxima: NDArray[np.float64]

    @property
    def networks(self) -> int:
        """Number of networks summed."""
        return sum(stop - start for start, stop in self.ranges)

    def moments(self) -> Moments:
        """Moments over the groups that hold networks."""
        held = np.flatnonzero(self.counts)
        return Moments(
            dimension=self.source.dimension,
            max_order=self.max_order,
            counts=self.counts[held],
            table=self.table[held],
            maxima=self.maxima[held],
        )


def write_run(path: Path, kept: Kept) -> None:
    """Write a run file in one step.

    Raises
    ------
    OSError
        If it cannot be written; an old file is untouched.
    """
    write_contents(path, _contents(kept))


def _contents(kept: Kept) -> Contents:
    head = {
        "format": FORMAT,
        "source": kept.source.to_dict(),
        "key": list(kept.key),
        "orders": list(kept.orders),
        "max_order": kept.max_order,
        "layout": None if kept.layout is None else kept.layout.to_dict(),
        "ranges": [list(each) for each in kept.ranges],
        "environments": [dict(each) for each in kept.environments],
        "reason": kept.reason,
    }
    return Contents(
        arrays={
            "counts": kept.counts,
            "sums": kept.table,
            "maxima": kept.maxima,
            "points": kept.source.X,
        },
        dimensions=DIMENSIONS,
        text=json.dumps(head, sort_keys=True),
        labels={
            "title": _TITLE,
            "plan_hash": kept.source.plan.hash,
            "source_hash": kept.source.hash,
            "route": kept.source.route,
            "precision": kept.source.precision,
            "networks": kept.networks,
        },
    )


def read_run(path: Path) -> Kept:
    """Read a run file.

    Raises
    ------
    StorageError
        If it is missing, foreign, damaged or contradicts itself.
    """
    contents = read_contents(path, DIMENSIONS)
    try:
        return _validated(contents)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        # SpecificationError is a ValueError: what it says of the data holds of the file
        refuse(path, "a run", f"{error!s:.300}", "write it again with nnft_num")


def _validated(contents: Contents) -> Kept:
    head = json.loads(contents.text)
    if head["format"] != FORMAT:
        raise ValueError(f"format {head['format']!r} in place of {FORMAT!r}")
    layout = None if head["layout"] is None else Layout.from_dict(head["layout"])
    stub = head["layout"] or {"first": 0, "networks": 1, "groups": 1, "segment": 16}
    keys = ("source", "key", "max_order")
    run = Run.from_dict({name: head[name] for name in keys} | {"layout": stub})
    ranges = tuple((int(start), int(stop)) for start, stop in head["ranges"])
    kept = Kept(
        source=run.source,
        key=run.key,
        orders=wanted_orders(head["orders"]),
        max_order=run.max_order,
        layout=layout,
        ranges=ranges,
        environments=tuple(_environment(each) for each in head["environments"]),
        reason=_text(head["reason"]),
        counts=contents.arrays["counts"],
        table=contents.arrays["sums"],
        maxima=contents.arrays["maxima"],
    )
    expected = kept.counts if layout is None else layout.counts(kept.networks)
    shapes = ((len(expected), run.unique), (len(expected), run.source.dimension))
    right = (
        kept.counts.ndim == 1
        and np.array_equal(kept.counts, expected)
        and kept.counts.sum() == kept.networks
        and (kept.counts >= 0).all()
        and (kept.table.shape, kept.maxima.shape) == shapes
        and (layout is None or ranges in ((), ((layout.first, layout.first + kept.networks),)))
        and np.array_equal(contents.arrays["points"], run.source.X)
    )
    if not right:
        raise ValueError("sums that do not fit the networks, points and orders they claim")
    return kept


def _environment(data: object) -> dict[str, str]:
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise ValueError(f"{data!r:.80} in place of versions by name")
    return data


def _text(data: object) -> str:
    if not isinstance(data, str):
        raise ValueError(f"{data!r:.80} in place of a text")
    return data


def refuse(path: Path, expected: str, came: str, remedy: str) -> NoReturn:
    """Raise what is wrong with a file."""
    raise StorageError(expected=f"{expected} in {path}", came=came, remedy=remedy)
