"""Figures of actions against samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.reporting.figures import COLOURS, MARKERS

if TYPE_CHECKING:
    from nnft_num.actions.records import ActionReport

__all__ = ["plot_action"]


def plot_action(report: ActionReport) -> Any:
    """Sampled density over the Gaussian at the smallest width, and distances over the widths.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.figure import Figure

    several = len(report.widths) > 1
    figure = Figure(figsize=(8.0 if several else 4.0, 3.4), layout="constrained")
    panels = figure.subplots(1, 2 if several else 1, squeeze=False)[0]
    width = report.widths[0]
    if report.densities[width].grid.directions == 1:
        _ratio(panels[0], report, width)
    else:
        _map(figure, panels[0], report, width)
    if several:
        _distances(panels[1], report)
    return figure


def _ratio(panel: Any, report: ActionReport, width: int) -> None:
    """Masses of the cells over those of the Gaussian."""
    sampled = report.densities[width]
    edges = sampled.grid.edges
    middle, reference = (edges[:-1] + edges[1:]) / 2, report.masses[0, "gaussian", width].values
    panel.errorbar(
        middle,
        sampled.frequencies / reference,
        sampled.errors / reference,
        fmt="o",
        color="black",
        markersize=3,
        linewidth=0,
        elinewidth=1,
        label="networks",
        zorder=3,
    )
    styles = {"gaussian": ":", "action": "-", "edgeworth": "--"}
    for (order, density, size), masses in report.masses.items():
        if size == width:
            panel.stairs(
                masses.values / reference,
                edges,
                baseline=None,
                linestyle=styles[density],
                color=COLOURS[order % len(COLOURS)],
                label=_label(order, density),
            )
    panel.set(xlabel=r"field in standard deviations", ylabel="density / Gaussian")
    panel.set_title(f"{report.network}, N = {width}", fontsize="medium")
    panel.legend(frameon=False, fontsize="x-small")


def _map(figure: Any, panel: Any, report: ActionReport, width: int) -> None:
    """Masses of the cells over those of the Gaussian, less one, as a map."""
    sampled = report.densities[width]
    edges, size = sampled.grid.edges, len(sampled.grid.edges) - 1
    ratio = sampled.frequencies / report.masses[0, "gaussian", width].values - 1
    largest = float(np.max(np.abs(ratio)))
    shown = panel.pcolormesh(
        edges, edges, ratio.reshape(size, size).T, cmap="PuOr", vmin=-largest, vmax=largest
    )
    figure.colorbar(shown, ax=panel, label="density / Gaussian - 1")
    panel.set(xlabel="$h_1$", ylabel="$h_2$", aspect="equal")
    panel.set_title(f"{report.network}, N = {width}", fontsize="medium")


def _distances(panel: Any, report: ActionReport) -> None:
    widths = np.array(report.widths, dtype=float)
    for found in report.distances:
        colour = COLOURS[found.order % len(COLOURS)]
        hollow = found.density == "edgeworth"
        slope = found.slope
        measured = "" if slope is None or np.isnan(slope.value) else f": {slope.value:.2f}"
        if measured and slope is not None:
            measured += f"±{slope.error:.2f}"
        value = np.array([a.value for a in found.amplitudes])
        error = np.array([a.error for a in found.amplitudes])
        panel.errorbar(
            widths,
            np.where(value > 0, value, np.nan),
            error,
            fmt=MARKERS[found.order % len(MARKERS)],
            markerfacecolor="none" if hollow else colour,
            color=colour,
            markersize=4,
            linewidth=0,
            elinewidth=1,
            label=_label(found.order, found.density) + measured,
        )
        if slope is not None and not hollow and np.any(_clear(value, error)):
            anchor = int(np.flatnonzero(_clear(value, error))[-1])
            panel.plot(
                widths,
                value[anchor] * (widths / widths[anchor]) ** slope.claimed,
                color=colour,
                linewidth=0.8,
            )
    panel.set(xscale="log", yscale="log", xlabel="width N", ylabel="distance")
    panel.set_xticks(widths, labels=[f"{width:g}" for width in widths])
    panel.set_xticks([], minor=True)
    panel.set_title("distances, lines: claimed powers", fontsize="medium")
    panel.legend(frameon=False, fontsize="x-small")


def _clear(value: NDArray[np.float64], error: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Distances known to a tenth: the largest such width shows the claimed power."""
    clear: NDArray[np.bool_] = (value > 0) & (error < 0.1 * value)
    return clear


def _label(order: int, density: str) -> str:
    if order == 0:
        return "Gaussian"
    name = r"$e^{-S}$" if density == "action" else "Edgeworth"
    return f"{name}, order {order}"
