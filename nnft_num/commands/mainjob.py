"""The main job: the networks of the literature, their correlators, and the powers of 1/N.

A task is one network at its points over several widths.  All tasks together share one
family-wise level: each of T tasks is tested at level α/T.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.confrontation.scaling import Sweep, sweep
from nnft_num.confrontation.slopes import Slope
from nnft_num.confrontation.verdicts import Verdict, joined
from nnft_num.kernels.draws import key_from_rng
from nnft_num.reporting import reports
from nnft_num.runs.executing import ExecutorLike
from nnft_sym.literature import cos_net, erf_net, gauss_net, relu_net, scalar_field_net
from nnft_sym.networks import Network

__all__ = ["Outcome", "Task", "literature_tasks", "run", "summary_line", "write_outcome"]

_HEADER = ("network", "d", "order", "widths", "worst pull", "resolution", "slope", "verdict")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One network to confront over several widths.

    Parameters
    ----------
    network : Network
        The ensemble.
    X : ndarray, shape (n, d)
        Points.
    widths : mapping of int to tuple of int
        Widths for each order.
    networks : int or mapping of int to int
        Number of networks, at each width.
    params : mapping
        Parameters without the width.
    """

    network: Network
    X: NDArray[np.float64]
    widths: Mapping[int, tuple[int, ...]]
    networks: int | Mapping[int, int]
    params: Mapping[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name of the network and dimension of its inputs."""
        return f"{self.network.name.split(',')[0]}, d={self.X.shape[1]}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a run of tasks found.

    Parameters
    ----------
    tasks : tuple of Task
        What was asked.
    sweeps : tuple of Sweep
        One for each task.
    level : float
        Family-wise level of the whole run.
    """

    tasks: tuple[Task, ...]
    sweeps: tuple[Sweep, ...]
    level: float

    @property
    def verdict(self) -> Verdict:
        """Verdict over all tasks."""
        return joined(sweep.verdict for sweep in self.sweeps)

    @property
    def comparisons(self) -> int:
        """Number of comparisons of the run."""
        return sum(sweep.criterion.family for sweep in self.sweeps)


def literature_tasks(networks: int | None = None) -> tuple[Task, ...]:
    """The tasks of the main job; ``networks`` replaces their own numbers of networks."""
    line = np.array([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0])[:, None]
    half_line = np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.2])[:, None]
    plane = np.array([[-0.6, 0.2], [0.2, 0.6], [1.0, -0.2], [0.2, -1.0]])
    quadrant = np.array([[0.2, 0.4], [0.6, 0.2], [1.0, 0.6], [0.4, 1.2]])
    space = np.array([[-0.6, 0.2, 1.0], [0.2, 0.6, -0.2], [1.0, -1.0, 0.6]])
    unit = {"sigma_w": 1.0, "sigma_v": 1.0}
    lognormal = {"sigma_b": 0.3, "sigma_v": 1.0}
    free = {"m": 1.0, "Lambda": 1.5}
    widths = {2: (1, 2, 4, 8), 4: (1, 2, 4, 8), 6: (1, 2, 3)}

    def task(
        net: Network, X: NDArray[np.float64], params: Mapping[str, float], *millions: float
    ) -> Task:
        """Task with numbers for N = 1, 2, 3: the relative error of order 6 grows as N²."""
        own = {N: int(1e6 * count) for N, count in zip((1, 2, 3), millions, strict=True)}
        own |= {4: 300_000, 8: 400_000}
        return Task(network=net, X=X, widths=widths, networks=networks or own, params=params)

    return (
        task(gauss_net(), 0.01 * line, lognormal | {"sigma_w": 1.0}, 1, 1.5, 4),
        task(erf_net(), line, unit | {"sigma_b": 1.0}, 0.5, 0.8, 1.5),
        task(relu_net(), half_line, unit | {"sigma_b": 0.0}, 1, 1, 1),
        task(cos_net(), line, unit, 0.5, 0.8, 1.5),
        task(scalar_field_net(1), line, free, 0.5, 0.8, 1.2),
        task(gauss_net(), plane, lognormal | {"sigma_w": 0.3}, 1, 1.5, 4),
        task(erf_net(), plane, unit | {"sigma_b": 0.0}, 0.5, 0.8, 1.5),
        task(relu_net(), quadrant, unit | {"sigma_b": 0.0}, 1, 1, 1),
        task(cos_net(), space, unit, 0.5, 1.6, 3),
        task(scalar_field_net(2), plane, free, 0.5, 0.8, 1.2),
        task(scalar_field_net(3), space, free, 0.5, 0.8, 1.2),
    )


def run(
    tasks: Iterable[Task],
    *,
    rng: Any = None,
    level: float = 0.01,
    resolution: float = 5.0,
    executor: ExecutorLike = None,
    progress: bool | None = None,
    show: Callable[[str], Any] | None = None,
) -> Outcome:
    """Run tasks one after another, each with a key of its own.

    Parameters
    ----------
    tasks : iterable of Task
        What to confront.
    rng : None, int, numpy.random.SeedSequence or numpy.random.Generator
        Seed of the run.
    level : float
        α: family-wise level of the whole run.
    resolution : float
        Resolution that is asked for.
    executor, progress
        As in :func:`nnft_num.correlators`.
    show : callable, optional
        Is given each line of the result as soon as it is known.
    """
    listed = tuple(tasks)
    seeds = np.random.SeedSequence(key_from_rng(rng)).spawn(len(listed))
    if show is not None:
        show(_aligned(_HEADER))
    sweeps = []
    for task, seed in zip(listed, seeds, strict=True):
        result = sweep(
            task.network,
            task.X,
            task.widths,
            networks=task.networks,
            rng=seed,
            level=level / len(listed),
            resolution=resolution,
            executor=executor,
            progress=progress,
            params=task.params,
        )
        sweeps.append(result)
        if show is not None:
            for order in result.orders:
                show(_aligned(summary_line(task, result, order)))
    return Outcome(tasks=listed, sweeps=tuple(sweeps), level=level)


def summary_line(task: Task, result: Sweep, order: int) -> tuple[str, ...]:
    """Cells of the line for one network and order: worst over widths, slope, verdict."""
    entries = result.of_order(order)
    slope = result.slope(order)
    worst = max(
        (
            (float(entry.pull.entries[entry.worst]), float(entry.limit.entries[entry.worst]))
            for entry in entries.values()
            if entry.worst is not None
        ),
        key=lambda pair: abs(pair[0]) / pair[1],
        default=(float("nan"), float("nan")),
    )
    weakest = min(
        (
            (
                float(entry.resolution.entries[entry.weakest]),
                float(entry.required.entries[entry.weakest]),
            )
            for entry in entries.values()
            if entry.weakest is not None
        ),
        key=lambda pair: pair[0] / pair[1],
        default=(float("nan"), float("nan")),
    )
    verdict = str(result.verdict_of(order))
    for width, entry in entries.items():
        if entry.reasons:
            verdict += f"; N={width}: {', '.join(entry.reasons)}"
    return (
        task.network.name.split(",")[0],
        str(task.X.shape[1]),
        str(order),
        ",".join(map(str, task.widths[order])),
        reports.limited(*worst),
        reports.at_least(*weakest),
        "none" if slope is None else f"{_slope(slope)} against {slope.claimed:g}",
        verdict,
    )


def _slope(slope: Slope) -> str:
    resolved = not np.isnan(slope.value)
    return reports.uncertain(slope.value, slope.error) if resolved else "unresolved"


def _aligned(cells: Sequence[str]) -> str:
    widths = (16, 1, 5, 9, 14, 12, 22, 0)
    return "  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip()


def write_outcome(outcome: Outcome, directory: str | Path) -> tuple[Path, ...]:
    """Write the tables and the figure of a run; return the paths of the files.

    ``summary.tex`` has one line for each network and order, ``entries-*.tex`` the worst entries of
    each network at its smallest width, ``scaling.pdf`` the norms against the width.
    """
    from nnft_num.reporting.figures import plot_sweeps

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "summary.tex"]
    reports.written(_summary_table(outcome), written[0])
    for task, result in zip(outcome.tasks, outcome.sweeps, strict=True):
        name = task.title.lower().replace(", d=", "-d").replace(" ", "-")
        written.append(folder / f"entries-{name}.tex")
        result.reports[0].to_latex(written[-1])
    written.append(folder / "scaling.pdf")
    titles = [task.title for task in outcome.tasks]
    plot_sweeps(outcome.sweeps, titles).savefig(written[-1])
    return tuple(written)


def _summary_table(outcome: Outcome) -> str:
    rows = []
    for task, result in zip(outcome.tasks, outcome.sweeps, strict=True):
        for order in result.orders:
            cells = list(summary_line(task, result, order))
            slope = result.slope(order)
            cells[4], cells[5] = cells[4].split()[0], cells[5].split()[0]
            cells[6] = "{--}" if slope is None or np.isnan(slope.value) else _slope(slope)
            claimed = "{--}" if slope is None else f"{slope.claimed:g}"
            cells[7:] = [claimed, str(result.verdict_of(order))]
            rows.append([reports.latex_text(cells[0]), *cells[1:]])
    header = (
        *("network", "$d$", "$n$", "widths", "{worst pull}", "{resolution}", "{slope}"),
        *("{claimed}", "verdict"),
    )
    caption = reports.latex_text(
        f"Theory against samples: the worst pull and the lowest resolution over all entries and "
        f"widths, the slope of the norm of the connected n-point function in log N and the power "
        f"claimed. Family-wise level {outcome.level:g} over {outcome.comparisons} comparisons."
    )
    return reports.latex_table(header, rows, column_format="lcclSSSSl", caption=caption)
