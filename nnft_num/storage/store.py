"""Runs kept in files: checkpoints, loading and merging.

A run file holds the sums of a run as they stand, with everything needed to go on: the plan and its
hash, points, parameters, route, precision, key, the networks summed, and the versions.  Loading one
parses text through the allow-list of the little language and executes nothing.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from nnft_num.estimates.estimate import Estimate, estimate_of, wanted_orders
from nnft_num.routes import ASKED
from nnft_num.runs.run import Provenance, Run, Sums, environment
from nnft_num.storage.formats import require_format, sweep
from nnft_num.storage.runfiles import Kept, read_run, refuse, write_run
from nnft_sym.language.errors import SpecificationError, StorageError

__all__ = ["Checkpoints", "StorageWarning", "load", "merge", "save"]

_INTERVAL = 20.0
"""Seconds between checkpoints; longer where writing one takes more than a twentieth of it."""


class StorageWarning(RuntimeWarning):
    """A checkpoint could not be written; the run goes on and the last one stands."""


class Checkpoints:
    """Keeps a run in a file while it is summed.

    Parameters
    ----------
    path : path
        File in netCDF (.nc) or directory in Zarr (.zarr).
    orders : tuple of int
        Orders that were asked for.
    reason : str
        Why the route of the run was taken.

    Raises
    ------
    SpecificationError
        If the suffix is unknown or its library missing.
    """

    def __init__(
        self, path: str | PathLike[str], orders: tuple[int, ...], reason: str = ASKED
    ) -> None:
        self.path = Path(path).absolute()
        self.orders = orders
        self.reason = reason
        self._last = time.monotonic()
        self._interval = _INTERVAL
        require_format(self.path)

    def key(self) -> tuple[int, int] | None:
        """Key of the run in the file, None where there is no file yet."""
        sweep(self.path)
        return read_run(self.path).key if self.path.exists() else None

    def resumed(self, run: Run) -> Sums:
        """Sums of the run as the file has them; a file is begun where there is none.

        Raises
        ------
        StorageError
            If the file is damaged or foreign, holds another run, was written by other versions,
            or cannot be written.
        """
        sweep(self.path)
        sums = Sums(run)
        if self.path.exists():
            kept = read_run(self.path)
            _require_same(self.path, kept, run)
            rows = len(kept.counts)
            sums.done = kept.networks
            sums.table[:rows] = kept.table
            sums.maxima[:rows] = kept.maxima
        else:
            try:
                self._write(sums)
            except OSError as error:
                refuse(self.path, "a place to write to", str(error), "name another place")
        return sums

    def reached(self, sums: Sums) -> None:
        """Write the sums if some time has passed; a failure is told and tried again later."""
        began = time.monotonic()
        if began - self._last < self._interval:
            return
        try:
            self._write(sums)
        except OSError as error:
            warnings.warn(
                f"no checkpoint of {self.path}: {error}; the last one stands, the run goes on",
                StorageWarning,
                stacklevel=2,
            )
        self._last = time.monotonic()
        self._interval = max(_INTERVAL, 20 * (self._last - began))

    def finished(self, sums: Sums) -> None:
        """Write the sums at the end.

        Raises
        ------
        StorageError
            If they cannot be written; its ``estimate`` holds the result.
        """
        try:
            self._write(sums)
        except OSError as error:
            failure = StorageError(
                expected=f"room for the run in {self.path}",
                came=str(error),
                remedy="nothing is lost: keep the .estimate of this error with "
                "nnft_num.save(error.estimate, path); the last checkpoint stands as well",
            )
            estimate = estimate_of(sums.moments(), self.orders, sums.provenance(), self.reason)
            failure.__dict__["estimate"] = estimate
            raise failure from error

    def _write(self, sums: Sums) -> None:
        run, rows = sums.run, len(sums.counts)
        first = run.layout.first
        kept = Kept(
            source=run.source,
            key=run.key,
            orders=self.orders,
            max_order=run.max_order,
            layout=run.layout,
            ranges=((first, first + sums.done),) if sums.done else (),
            environments=(environment(),),
            reason=self.reason,
            counts=sums.counts,
            table=sums.table[:rows],
            maxima=sums.maxima[:rows],
        )
        write_run(self.path, kept)


def save(estimate: Estimate, path: str | PathLike[str]) -> None:
    """Write an estimate of sampled networks to a file.

    Parameters
    ----------
    estimate : Estimate
        Result of ``correlators``, ``load`` or ``merge``.
    path : path
        New file, .nc for netCDF or .zarr for Zarr.

    Raises
    ------
    SpecificationError
        If the estimate is of fields from elsewhere, or the suffix is unknown.
    StorageError
        If the file exists or cannot be written.
    """
    target = Path(path).absolute()
    require_format(target)
    if target.exists():
        refuse(target, "a new file", "one that exists", "name another file")
    origin = _origin(estimate)
    moments = estimate.moments
    kept = Kept(
        source=origin.source,
        key=origin.key,
        orders=estimate.orders,
        max_order=moments.max_order,
        layout=None,
        ranges=origin.ranges,
        environments=origin.environments,
        reason=estimate.reason,
        counts=moments.counts,
        table=moments.table,
        maxima=moments.maxima,
    )
    try:
        write_run(target, kept)
    except OSError as error:
        refuse(target, "a place to write to", str(error), "name another place")


def load(path: str | PathLike[str]) -> Estimate:
    """Read an estimate from a run file, finished or not; nothing in the file is executed.

    Parameters
    ----------
    path : path
        File written by ``correlators(..., store=path)`` or ``save``.

    Raises
    ------
    StorageError
        If the file is missing, foreign, cut short or damaged.
    SpecificationError
        If the suffix is unknown, or too few networks are summed for an estimate.
    """
    target = Path(path).absolute()
    require_format(target)
    kept = read_run(target)
    if not kept.ranges:
        refuse(target, "networks", "a run that has only begun", "let it run on")
    provenance = Provenance(
        source=kept.source, key=kept.key, ranges=kept.ranges, environments=kept.environments
    )
    return estimate_of(kept.moments(), kept.orders, provenance, kept.reason)


def merge(*estimates: Estimate) -> Estimate:
    """Join estimates over disjoint networks of one source under one seed.

    Parameters
    ----------
    *estimates : Estimate
        Results of ``correlators(..., first=...)`` or ``load``.

    Raises
    ------
    SpecificationError
        If they are of different plans, points, parameters, routes, orders or seeds, or share
        networks.

    Examples
    --------
    >>> import nnft_num as nm, nnft_sym as nn
    >>> call = dict(orders=(2,), rng=0, N=3, sigma_w=1, sigma_v=1)
    >>> parts = [nm.correlators(nn.cos_net(), [0.0], networks=500, first=first, **call)
    ...          for first in (0, 500)]
    >>> merge(*parts).networks
    1000
    """
    if not estimates:
        raise SpecificationError(
            expected="at least one estimate", came="none", remedy="pass those to join"
        )
    # in the order of the networks, so that the order of the call does not change a bit
    ordered = sorted(estimates, key=lambda estimate: _origin(estimate).ranges)
    moments, origin = ordered[0].moments, _origin(ordered[0])
    for estimate in ordered[1:]:
        origin = origin.joined(_origin(estimate))
        moments = moments.merge(estimate.moments)
    orders = wanted_orders({order for estimate in ordered for order in estimate.orders})
    return estimate_of(moments, orders, origin, ordered[0].reason)


def _origin(estimate: Estimate) -> Provenance:
    if estimate.provenance is None:
        raise SpecificationError(
            expected="an estimate of networks that were sampled here",
            came=f"one by the route {estimate.route.name!r}",
            remedy="keep the fields themselves, with numpy.save, say",
        )
    return estimate.provenance


def _require_same(path: Path, kept: Kept, run: Run) -> None:
    if kept.layout is None:
        refuse(path, "a run", "a merged or saved estimate", "continue with first= in a new file")
    found = Run(
        source=kept.source, key=kept.key, max_order=kept.max_order, layout=kept.layout
    ).differences(run)
    if found:
        refuse(
            path,
            "the run that is asked for",
            f"one that differs in {', '.join(found)}",
            "name another file; nnft_num.load reads this one, and runs over other networks of "
            "the same seed merge",
        )
    mine, its = (_versions(each) for each in (environment(), *kept.environments[:1]))
    if mine != its:
        changed = [f"{name} {its.get(name)}" for name in mine if its.get(name) != mine[name]]
        refuse(
            path,
            "a run by the versions in use, which its bits depend on",
            f"one by {', '.join(changed)}",
            "go on in that environment, or sample the networks that are left with first= in a "
            "new file and merge",
        )


def _versions(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name != "processor"}
