"""Figures of reports and sweeps, in colours that the colour-blind can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nnft_num.checking import Report
    from nnft_num.scaling import Sweep
    from nnft_num.slopes import Slope

__all__ = ["COLOURS", "MARKERS", "plot_report", "plot_sweeps"]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Blue, vermilion, green, purple, orange and sky blue of M. Okabe and K. Ito."""

MARKERS = ("o", "s", "^", "D", "v", "P")
"""A marker for each colour, so that the figures survive without any."""


def plot_report(report: Report, ax: Any = None) -> Any:
    """Estimates with error bars against theory, in units of the scale of each order.

    Parameters
    ----------
    report : Report
        What to show.
    ax : matplotlib.axes.Axes, optional
        Where; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots(layout="constrained")[1]
    low = high = 0.0
    for number, order in enumerate(report.orders):
        with np.errstate(divide="ignore", invalid="ignore"):
            theory = order.theory.entries / order.scale.entries
            estimate = order.estimate.entries / order.scale.entries
            error = order.error.entries / order.scale.entries
        style = number % len(COLOURS)
        ax.errorbar(
            theory,
            estimate,
            error,
            fmt=MARKERS[style],
            color=COLOURS[style],
            markersize=4,
            linewidth=0,
            elinewidth=1,
            label=f"$n={order.order}$: {order.verdict}",
        )
        low, high = min(low, np.nanmin(theory)), max(high, np.nanmax(theory))
    ax.plot([low, high], [low, high], color="black", linewidth=0.8, zorder=0)
    ax.set(xlabel="theory / scale", ylabel="estimate / scale", title=report.network)
    ax.legend(frameon=False)
    return ax


def plot_sweeps(sweeps: Sequence[Sweep], titles: Sequence[str]) -> Any:
    """Norms of G_c⁽ⁿ⁾ against the width, log-log, one panel for each sweep.

    Parameters
    ----------
    sweeps : sequence of Sweep
        What to show.
    titles : sequence of str
        One for each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    across = min(3, len(sweeps))
    down = ceil(len(sweeps) / across)
    figure = Figure(figsize=(3.2 * across, 2.6 * down), layout="constrained")
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
    figure.supylabel(r"$|G_c^{(n)}|$: theory (lines), samples (points)")
    return figure


def _plot_slope(panel: Any, slope: Slope, colour: str, marker: str) -> None:
    widths = [a.width for a in slope.amplitudes]
    resolved = not np.isnan(slope.value)
    measured = f"slope {slope.value:.2f}±{slope.error:.2f}" if resolved else "slope unresolved"
    panel.errorbar(
        widths,
        [a.value for a in slope.amplitudes],
        [a.error for a in slope.amplitudes],
        fmt=marker,
        color=colour,
        markersize=4,
        linewidth=0,
        elinewidth=1,
        label=f"$n={slope.order}$: {measured}",
    )
    panel.plot(widths, [a.theory for a in slope.amplitudes], color=colour, linewidth=0.9)
