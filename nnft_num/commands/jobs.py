"""What ``nnft check`` does with a spec: confront its networks, and write the files it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nnft_num.commands.records import as_json, result_record
from nnft_num.commands.spec_reading import Table
from nnft_num.commands.specs import NetworkSpec, OutputSpec, Spec, require_check
from nnft_num.confrontation.checking import Report
from nnft_num.confrontation.scaling import Sweep, sweep
from nnft_num.confrontation.scans import Scan, scan
from nnft_num.confrontation.verdicts import Verdict, joined
from nnft_num.front import check
from nnft_num.reporting import reports
from nnft_num.reporting.publishing import Published
from nnft_sym.language.errors import SpecificationError

__all__ = ["Checked", "checked_record", "run_check", "write_checked"]

_ALL = OutputSpec(
    table="entries.tex", json="report.json", html="report.html", document="article.tex"
)
"""What is written where a directory is given and no names."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """Results of a spec.

    Parameters
    ----------
    spec : Spec
        What was asked.
    seed : int
        Seed of the run.
    results : tuple of Report, Sweep or Scan
        One for each network.
    """

    spec: Spec
    seed: int
    results: tuple[Report | Sweep | Scan, ...]

    @property
    def verdict(self) -> Verdict:
        """Verdict over all networks."""
        return joined(result.verdict for result in self.results)


def run_check(
    spec: Spec,
    *,
    seed: int | None = None,
    networks: int | None = None,
    progress: bool | None = None,
    show: Callable[[str], Any] | None = None,
) -> Checked:
    """Confront the networks of a spec, sharing one family-wise level.

    Parameters
    ----------
    spec : Spec
        Networks, points, parameters and how to check.
    seed, networks : int, optional
        In place of those of the spec.
    progress : bool, optional
        As in :func:`nnft_num.check`.
    show : callable, optional
        Is given the text of each result as soon as it is known.

    Raises
    ------
    SpecificationError
        If points or parameters are missing.
    NotDerivedError, AccuracyError, InfiniteMomentError
        If the theory has no answer.
    """
    require_check(spec)
    chosen = spec.check.seed if seed is None else seed
    count = len(spec.networks)
    # one network has the draws of nm.check(..., rng=seed)
    seeds = [chosen] if count == 1 else np.random.SeedSequence(chosen).spawn(count)
    results = []
    for entry, own in zip(spec.networks, seeds, strict=True):
        with Table({}, spec.file).located(entry.key):
            results.append(_confronted(spec, entry, own, networks, progress))
        if show is not None:
            show(str(results[-1]))
    return Checked(spec=spec, seed=chosen, results=tuple(results))


def _confronted(
    spec: Spec, entry: NetworkSpec, seed: Any, networks: int | None, progress: bool | None
) -> Report | Sweep | Scan:
    asked = spec.check
    assert entry.points is not None
    options: dict[str, Any] = {
        "networks": asked.networks if networks is None else networks,
        "rng": seed,
        "level": asked.level / len(spec.networks),
        "resolution": asked.resolution,
        "route": asked.route,
        "progress": progress,
        "params": entry.parameters,
    }
    if asked.widths:
        return sweep(entry.network, entry.points, asked.widths, asked.orders, **options)
    confronted = scan if entry.axes else check
    return confronted(entry.network, entry.points, asked.orders, **options)


def write_checked(checked: Checked, folder: Path, *, every: bool) -> list[Path]:
    """Write the files of a spec, and return their paths.

    Parameters
    ----------
    checked : Checked
        Results.
    folder : Path
        Directory, made if need be.
    every : bool
        Whether to write all kinds of files but figures where the spec names none.
    """
    named = checked.spec.output
    if every and named == OutputSpec():
        named = _ALL
    writers = {
        named.table: _tables,
        named.json: lambda done: as_json(checked_record(done)),
        named.html: _page,
        named.document: _document,
    }
    wanted = {name: write for name, write in writers.items() if name is not None}
    if wanted or named.figure is not None:
        _make(folder)
    paths = []
    for name, write in wanted.items():
        paths.append(folder / name)
        reports.written(write(checked), paths[-1])
    if named.figure is not None:
        paths += _figures(checked, folder / named.figure)
    return paths


def _page(checked: Checked) -> str:
    from nnft_num.reporting.pages import page_of

    return page_of(*checked.results, title=checked.spec.title)


def _document(checked: Checked) -> str:
    from nnft_num.reporting.documents import document_of

    return document_of(*checked.results, title=checked.spec.title)


def _figures(checked: Checked, path: Path) -> list[Path]:
    """One figure for each network, numbered if there are several."""
    from nnft_num.reporting.figures import pulls_figure, report_figure, style

    single, paths = len(checked.results) == 1, []
    for number, result in enumerate(checked.results, 1):
        paths.append(path if single else path.with_stem(f"{path.stem}-{number}"))
        if isinstance(result, Report):
            figure = report_figure(result)
        else:
            figure = result.plot() if isinstance(result, Sweep) else pulls_figure(result)
        with style(), _writing(paths[-1]):
            figure.savefig(paths[-1])
    return paths


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpecificationError(
            expected="a file that can be written",
            came=f"{str(path)!r}: {error.strerror}",
            remedy="choose another name, or another directory with --out",
        ) from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecificationError(
            expected="a directory that can be made",
            came=f"{str(folder)!r}: {error.strerror}",
            remedy="choose another with --out",
        ) from None


def _tables(checked: Checked) -> str:
    """Entries of every report; the powers of the width where a theory is a limit."""
    listed: list[Published] = []
    for result in checked.results:
        listed += [result] if isinstance(result, Report) else (result.reports or [result])
    return "\n".join(item.to_latex() for item in listed)


def checked_record(checked: Checked) -> dict[str, Any]:
    """Results of a spec as plain data."""
    return {
        "title": checked.spec.title,
        "spec": checked.spec.file,
        "verdict": checked.verdict,
        "seed": checked.seed,
        "level": checked.spec.check.level,
        "networks": [result_record(result) for result in checked.results],
    }
