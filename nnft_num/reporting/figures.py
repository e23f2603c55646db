"""Figures of reports and sweeps, in colours that the colour-blind can tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

if TYPE_CHECKING:
    from nnft_num.confrontation.checking import Report
    from nnft_num.confrontation.order_reports import OrderReport
    from nnft_num.confrontation.scaling import Sweep
    from nnft_num.confrontation.scans import Scan
    from nnft_num.confrontation.slopes import Slope
    from nnft_num.tangents.sweeps import TangentSweep

__all__ = [
    "COLOURS",
    "MARKERS",
    "plot_pulls",
    "plot_report",
    "plot_sweeps",
    "pull_density",
    "pulls_figure",
    "report_figure",
    "style",
    "svg",
]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Blue, vermilion, green, purple, orange and sky blue of M. Okabe and K. Ito."""

MARKERS = ("o", "s", "^", "D", "v", "P")
"""A marker for each colour, so that the figures survive without any."""


LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
"""A kind of line for each colour."""

STYLE = {
    "axes.grid": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "errorbar.capsize": 2,
    "font.size": 9,
    "image.cmap": "cividis",
    "legend.frameon": False,
    "lines.linewidth": 1.1,
    "mathtext.fontset": "cm",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "nnft",
}
"""Settings of our figures: lines and sizes that survive print, a colour map whose lightness rises
with the value, so that grey copies read the same."""


@contextmanager
def style() -> Iterator[None]:
    """Apply the style of the figures for the time of a with block, and leave all settings alone.

    Examples
    --------
    >>> import matplotlib
    >>> before = matplotlib.rcParams["image.cmap"]
    >>> with style():
    ...     inside = matplotlib.rcParams["image.cmap"]
    >>> inside, matplotlib.rcParams["image.cmap"] == before
    ('cividis', True)
    """
    from cycler import cycler
    from matplotlib import rc_context

    cycle = cycler(color=list(COLOURS), linestyle=list(LINES))
    with rc_context({**STYLE, "axes.prop_cycle": cycle}):  # type: ignore[dict-item]
        yield


def svg(figure: Any) -> str:
    """Figure as SVG to stand in a page, the same on every run."""
    with style(), StringIO() as stream:
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        text = stream.getvalue()
    return text[text.index("<svg") :]


def plot_report(report: Report, ax: Any = None) -> Any:
    """Estimates with error bars against theory, in units of the scale of each order.

    Parameters
    ----------
    report : Report
        What to show.
    ax : matplotlib.axes.Axes, optional
        Where; if not given a new figure, with the pulls in a second panel.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        from matplotlib import pyplot

        return report_figure(report, pyplot.figure(layout="constrained")).axes[0]
    with style():
        return _agreement(report, ax)


def report_figure(report: Report, figure: Any = None) -> Any:
    """Theory against sample above the pulls of all entries, in a figure of its own."""
    with style():
        drawn = _sized(figure, 4.2, 4.6)
        upper, lower = drawn.subplots(2, 1, height_ratios=[2.4, 1])
        _agreement(report, upper)
        _pulls(report, lower)
    return drawn


def pulls_figure(result: Report | Sweep | Scan) -> Any:
    """Histogram of the pulls in a figure of its own."""
    with style():
        figure = _sized(None, 4.2, 3.0)
        plot_pulls(result, figure.subplots())
    return figure


def _sized(figure: Any, width: float, height: float) -> Any:
    """The figure given, or one that pyplot does not keep."""
    from matplotlib.figure import Figure

    drawn = Figure(layout="constrained") if figure is None else figure
    drawn.set_size_inches(width, height)
    return drawn


def _agreement(report: Report, ax: Any) -> Any:
    low = high = 0.0
    for number, order in enumerate(report.orders):
        with np.errstate(divide="ignore", invalid="ignore"):
            theory = order.theory.entries / order.scale.entries
            estimate = order.estimate.entries / order.scale.entries
            error = order.error.entries / order.scale.entries
        seen = np.isfinite(theory) & np.isfinite(estimate) & np.isfinite(error)
        if not seen.any():
            continue
        which = number % len(COLOURS)
        ax.errorbar(
            theory[seen],
            estimate[seen],
            error[seen],
            fmt=MARKERS[which],
            color=COLOURS[which],
            markersize=4,
            linewidth=0,
            elinewidth=1,
            label=f"$n={order.order}$: {order.verdict}",
        )
        low, high = min(low, theory[seen].min()), max(high, theory[seen].max())
    ax.plot([low, high], [low, high], color="black", linewidth=0.8, linestyle="-", zorder=0)
    ax.set(xlabel="theory / scale", ylabel="estimate / scale", title=report.network)
    _legend(ax)
    return ax


def _legend(ax: Any) -> None:
    """Legend, where anything was drawn."""
    if ax.get_legend_handles_labels()[1]:
        ax.legend()


def _pulls(report: Report, ax: Any) -> None:
    """Pulls of all entries in the order of the tensors, with the limits they must keep."""
    start = 0
    for number, order in enumerate(report.orders):
        which = number % len(COLOURS)
        places = start + np.arange(len(order.theory))
        ax.plot(
            places,
            order.pull.entries,
            MARKERS[which],
            color=COLOURS[which],
            markersize=3,
            linestyle="none",
        )
        limit = float(np.nanmin(order.limit.entries))
        ends = [places[0] - 0.5, places[-1] + 0.5]
        for side in (-limit, limit):
            ax.plot(ends, [side, side], color=COLOURS[which], linewidth=0.9, linestyle="--")
        start += len(places)
    ax.axhline(0.0, color="black", linewidth=0.8)
    ax.set(xlabel="entry", ylabel="pull (limit dashed)")


def plot_pulls(result: Report | Sweep | Scan, ax: Any = None, bins: int = 31) -> Any:
    """Histogram of the pulls against the law they follow if the theory holds.

    The law is the mean over the entries of Student's t with the degrees of freedom of each; as
    entries of one sample are correlated, the histogram scatters more than independent counts do.

    Parameters
    ----------
    result : Report, Sweep or Scan
        What to show; of sweeps and scans the pulls of all reports.
    ax : matplotlib.axes.Axes, optional
        Where; a new figure if not given.
    bins : int
        Number of bins.

    Returns
    -------
    matplotlib.axes.Axes
    """
    listed: Any = getattr(result, "reports", [result])
    orders: list[OrderReport] = [order for report in listed for order in report.orders]
    pulls = np.concatenate([order.pull.entries for order in orders] or [np.empty(0)])
    freedom = np.concatenate([order.freedom.entries for order in orders] or [np.empty(0)])
    known = np.isfinite(pulls)
    reach = max(4.0, float(np.max(np.abs(pulls[known]), initial=0.0)) * 1.05)
    with style():
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.subplots(figsize=(4.2, 3.0), layout="constrained")[1]
        edges = np.linspace(-reach, reach, bins + 1)
        if known.any():
            ax.hist(
                pulls[known],
                edges,
                density=True,
                color=COLOURS[5],
                edgecolor="black",
                linewidth=0.5,
                label=f"{known.sum()} of {len(pulls)} entries",
            )
            grid = np.linspace(-reach, reach, 301)
            law = pull_density(grid, freedom[known])
            ax.plot(grid, law, color="black", linestyle="-", label="law if theory holds")
        ax.set(xlabel="pull", ylabel="density", title=result.network)
        _legend(ax)
    return ax


def pull_density(pulls: ArrayLike, freedom: ArrayLike) -> NDArray[np.float64]:
    """Mean density of Student's t over several degrees of freedom.

    Examples
    --------
    >>> pull_density([0.0], [1e9]).round(4).tolist()
    [0.3989]
    """
    t = np.asarray(pulls, dtype=float)[:, None]
    nu = np.asarray(freedom, dtype=float)
    norm = gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(nu * np.pi) / 2
    density: NDArray[np.float64] = np.exp(norm - (nu + 1) / 2 * np.log1p(t**2 / nu)).mean(axis=1)
    return density


def plot_sweeps(sweeps: Sequence[Sweep | TangentSweep], titles: Sequence[str]) -> Any:
    """Norms and deviations against the width, log-log, one panel for each sweep.

    Parameters
    ----------
    sweeps : sequence of Sweep or TangentSweep
        What to show.
    titles : sequence of str
        One for each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with style():
        return _panels(sweeps, titles)


def _panels(sweeps: Sequence[Sweep | TangentSweep], titles: Sequence[str]) -> Any:
    from matplotlib.figure import Figure

    across = min(3, len(sweeps))
    down = ceil(len(sweeps) / across)
    size = (4.8, 3.6) if len(sweeps) == 1 else (3.2 * across, 2.6 * down)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False)
    for panel, sweep, title in zip(panels.flat, sweeps, titles, strict=False):
        for number, slope in enumerate(sweep.slopes):
            _plot_slope(panel, slope, COLOURS[number % 6], MARKERS[number % 6])
        widths = sorted({a.width for slope in sweep.slopes for a in slope.amplitudes})
        panel.set(xscale="log", yscale="log", title=title)
        panel.set_xticks(widths, labels=[str(width) for width in widths])
        panel.set_xticks([], minor=True)
        low, high = panel.get_ylim()
        panel.set_ylim(low, high * (high / low) ** 0.6)
        panel.legend(frameon=False, fontsize="small", loc="upper right")
    for panel in panels.flat[len(sweeps) :]:
        panel.set_visible(False)
    figure.supxlabel("width N")
    figure.supylabel("size, theory as lines")
    return figure


def _plot_slope(panel: Any, slope: Slope, colour: str, marker: str) -> None:
    widths = [a.width for a in slope.amplitudes]
    resolved = not np.isnan(slope.value)
    measured = f"slope {slope.value:.2f}±{slope.error:.2f}" if resolved else "slope unresolved"
    start = slope.intercept
    if resolved and not np.isnan(start.value):
        measured += f", intercept {start.value:.2f}±{start.error:.2f}"
    panel.errorbar(
        widths,
        [a.value for a in slope.amplitudes],
        [a.error for a in slope.amplitudes],
        fmt=marker,
        color=colour,
        markersize=4,
        linewidth=0,
        elinewidth=1,
        label=f"{slope.what}: {measured}",
    )
    panel.plot(
        widths, [a.theory for a in slope.amplitudes], color=colour, linewidth=0.9, linestyle="-"
    )
