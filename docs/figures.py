"""The pictures of the concepts page: drawn when the pages are built, from the package itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

import nnft_num as nm
import nnft_sym as nn

__all__ = ["draw_all"]

BLUE, ORANGE, GREY, GREEN = "#0072b2", "#d55e00", "#666666", "#009e73"
"""Colours that the colour-blind can tell apart."""


def _blank(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axis = figure.add_subplot()
    axis.set(xlim=(0, width), ylim=(0, height))
    axis.axis("off")
    return figure, axis


def _box(axis: Any, x: float, y: float, width: float, height: float, words: str, c: str) -> None:
    axis.add_patch(
        FancyBboxPatch(
            (x, y), width, height, boxstyle="round,pad=0.06", facecolor="white", edgecolor=c, lw=1.5
        )
    )
    axis.text(x + width / 2, y + height / 2, words, ha="center", va="center", fontsize=9)


def _arrow(
    axis: Any, start: tuple[float, float], end: tuple[float, float], words: str = "", c: str = GREY
) -> None:
    style = {"arrowstyle": "-|>", "color": c, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", xy=end, xytext=start, arrowprops=style)
    if words:
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.1)
        axis.text(*middle, words, ha="center", va="bottom", fontsize=8, color=c)


def frames() -> Figure:
    """Two frames of one theory, and what connects them."""
    figure, axis = _blank(8.2, 3.3)
    _box(
        axis,
        0.2,
        1.9,
        2.7,
        1.1,
        "parameter space\n$\\theta\\sim P(\\theta)$,  $f_\\theta(x)$",
        BLUE,
    )
    _box(axis, 5.3, 1.9, 2.7, 1.1, "function space\n$f\\sim e^{-S[f]}$", ORANGE)
    _box(
        axis,
        2.5,
        0.2,
        3.2,
        0.9,
        "correlators\n$G^{(n)}(x_1\\ldots x_n)=\\langle f(x_1)\\cdots f(x_n)\\rangle$",
        GREEN,
    )
    _arrow(axis, (1.9, 1.8), (3.1, 1.2))
    _arrow(axis, (6.3, 1.8), (5.1, 1.2))
    axis.text(1.15, 1.42, "integrate over $\\theta$", ha="center", fontsize=8, color=GREY)
    axis.text(7.05, 1.42, "integrate over field values", ha="center", fontsize=8, color=GREY)
    axis.annotate(
        "",
        xy=(5.2, 2.45),
        xytext=(3.0, 2.45),
        arrowprops={"arrowstyle": "<|-|>", "color": GREY, "lw": 1.3},
    )
    axis.text(4.1, 2.55, "the same theory", ha="center", fontsize=8, color=GREY)
    return figure


def one_definition() -> Figure:
    """One definition with two readers, and the confrontation."""
    figure, axis = _blank(8.2, 2.9)
    _box(axis, 0.2, 0.95, 1.7, 0.9, "network\nneuron, densities,\nscaling", GREY)
    _box(axis, 3.0, 1.75, 2.0, 0.8, "derive\nformula + exactness", BLUE)
    _box(axis, 3.0, 0.25, 2.0, 0.8, "sample\nestimate + errors", ORANGE)
    _box(axis, 6.2, 0.95, 1.8, 0.9, "report\npull, resolution,\nverdict", GREEN)
    _arrow(axis, (2.0, 1.6), (2.9, 2.1))
    _arrow(axis, (2.0, 1.2), (2.9, 0.7))
    _arrow(axis, (5.1, 2.1), (6.1, 1.6))
    _arrow(axis, (5.1, 0.7), (6.1, 1.2))
    axis.text(4.0, 1.4, "no closed form\ncrosses this line", ha="center", va="center", fontsize=8)
    axis.plot([2.3, 3.1], [1.4, 1.4], ls=":", c=GREY, lw=1)
    axis.plot([4.9, 5.8], [1.4, 1.4], ls=":", c=GREY, lw=1)
    return figure


def verdicts() -> Figure:
    """Pull and resolution, and the verdict each region gives."""
    figure = Figure(figsize=(6.2, 3.3), layout="constrained")
    axis = figure.add_subplot()
    axis.set(xscale="log", xlim=(0.5, 500), ylim=(-8, 8))
    axis.fill_between([0.5, 5], -3.6, 3.6, color="#dddddd", lw=0)
    axis.fill_between([5, 500], -3.6, 3.6, color="#c6e6d8", lw=0)
    for low, high in ((3.6, 8), (-8, -3.6)):
        axis.fill_between([0.5, 500], low, high, color="#f6d5bf", lw=0)
    axis.text(1.6, 0, "unresolved", ha="center", va="center")
    axis.text(50, 0, "agree", ha="center", va="center")
    axis.text(16, 5.8, "disagree", ha="center", va="center")
    axis.text(16, -5.8, "disagree", ha="center", va="center")
    axis.axvline(5, color=GREY, lw=1)
    axis.set_xlabel("resolution = scale / error")
    axis.set_ylabel("pull = (theory − estimate) / error")
    return figure


def resolution() -> Figure:
    """The same right theory and the same number of networks at two widths."""
    points = [[-0.8], [0.3], [1.0]]
    figure = Figure(figsize=(8.2, 3.1), layout="constrained")
    panels = figure.subplots(1, 2)
    for axis, width in zip(panels, (4, 256), strict=True):
        report = nm.check(
            nn.erf_net(),
            points,
            orders=4,
            networks=40_000,
            rng=1,
            sigma_w=1.0,
            sigma_b=0.5,
            sigma_v=1.0,
            N=width,
        )
        order = report[4]
        index = np.arange(len(order.theory))
        axis.errorbar(
            index, order.estimate.entries, order.error.entries, fmt="o", ms=3, color=ORANGE,
            capsize=2, label="sample",
        )  # fmt: skip
        axis.plot(index, order.theory.entries, "_", ms=10, mew=2, color=BLUE, label="theory")
        axis.axhline(0, color=GREY, lw=0.7)
        axis.set_title(f"N = {width}: {report.verdict}", fontsize=10)
        axis.set_xlabel("entry of $G_c^{(4)}$")
    panels[0].legend(frameon=False)
    return figure


def _recorded() -> dict[str, Callable[[], Figure]]:
    return {
        "frames": frames,
        "one_definition": one_definition,
        "verdicts": verdicts,
        "resolution": resolution,
    }


def draw_all(folder: Path) -> None:
    """Write each picture as SVG, with the same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "nnft", "font.size": 9}):
        for name, draw in _recorded().items():
            draw().savefig(folder / f"{name}.svg", metadata={"Date": None}, facecolor="white")
