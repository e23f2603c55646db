"""Figures of articles, drawn by LaTeX itself: reports entry by entry, sizes against the width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnft_num.reporting import reports
from nnft_sym.language.markup import latex_text

if TYPE_CHECKING:
    from nnft_num.confrontation.checking import Report
    from nnft_num.confrontation.order_reports import OrderReport
    from nnft_num.confrontation.slopes import Slope

__all__ = ["COLOUR_NAMES", "report_figure", "slopes_figure"]

COLOUR_NAMES = {"blue1": "0072B2", "red1": "D55E00", "green1": "009E73", "purple1": "CC79A7"}
"""Colours of M. Okabe and K. Ito, by the names the article gives them."""

_COLOURS = tuple(COLOUR_NAMES)
_MARKS = ("*", "square*", "triangle*", "diamond*")
_DRAWN = 400
"""Entries of one order that a figure draws; of more, evenly spaced ones."""

_LEAST = 0.05
"""Lower ends of error bars on logarithmic axes, in units of the value, where they pass zero."""


def report_figure(report: Report) -> str:
    """Theory against sample, and the pulls of the same entries."""
    shown = report.orders[: len(_COLOURS)]
    upper = "\n".join(_points(order, number) for number, order in enumerate(shown))
    lower = "\n".join(_pulls(order, number) for number, order in enumerate(shown))
    legend = "\n".join(rf"\addlegendentry{{$n={order.order}$: {order.verdict}}}" for order in shown)
    return "\n".join(
        [
            r"\begin{center}\begin{tikzpicture}",
            r"\begin{groupplot}[group style={group size=2 by 1, horizontal sep=18mm},",
            r"width=0.5\linewidth, height=62mm, tick align=outside]",
            r"\nextgroupplot[xlabel={theory / scale}, ylabel={estimate / scale},",
            r"legend style={draw=none, font=\small}, legend cell align=left,",
            r"legend pos=north west]",
            upper,
            legend,
            r"\addplot[black, thin, forget plot, domain=-1:1] {x};",
            r"\nextgroupplot[xlabel={entry}, ylabel={pull}]",
            lower,
            r"\end{groupplot}\end{tikzpicture}\end{center}",
            r"\noindent Left: estimates with standard errors against theory, in units of the",
            r"scale of each tensor. Right: pulls of the same entries.",
        ]
    )


def slopes_figure(slopes: Sequence[Slope]) -> str:
    """Sizes against the width on logarithmic axes; empty if there is nothing to draw."""
    shown = [slope for slope in slopes if any(a.value > 0 for a in slope.amplitudes)]
    if not shown:
        return ""
    widths = sorted({a.width for slope in shown for a in slope.amplitudes})
    ticks = ",".join(map(str, widths))
    drawn = "\n".join(_sizes(slope, number) for number, slope in enumerate(shown[: len(_COLOURS)]))
    return "\n".join(
        [
            r"\begin{center}\begin{tikzpicture}",
            r"\begin{axis}[xmode=log, ymode=log, xlabel={width}, ylabel={size},",
            rf"xtick={{{ticks}}}, xticklabels={{{ticks}}}, log ticks with fixed point,",
            r"width=0.7\linewidth, height=75mm, tick align=outside,",
            r"legend style={draw=none, font=\small, at={(0.5,1.03)}, anchor=south},",
            r"legend cell align=left]",
            drawn,
            r"\end{axis}\end{tikzpicture}\end{center}",
            r"\noindent Sizes with standard errors; where the theory gives them, as lines.",
            r"Exponents and intercepts, $\log$ of the size at width 1, are of fits to the sizes.",
        ]
    )


def _sizes(slope: Slope, number: int) -> str:
    known = [a for a in slope.amplitudes if a.value > 0]
    measured = " ".join(
        f"({a.width},{a.value:.5g}) += (0,{error:.3g}) "
        f"-= (0,{min(error, (1 - _LEAST) * a.value):.3g})"
        for a in known
        for error in [a.error if np.isfinite(a.error) else 0.0]
    )
    theory = " ".join(f"({a.width},{a.theory:.5g})" for a in slope.amplitudes if a.theory > 0)
    said = "power unresolved"
    if not np.isnan(slope.value):
        said = f"exponent {reports.uncertain(slope.value, slope.error)}"
        start = slope.intercept
        if not np.isnan(start.value):
            said += f", intercept {reports.uncertain(start.value, start.error)}"
    lines = [
        rf"\addplot[only marks, mark={_MARKS[number]}, mark size=1.6pt, {_COLOURS[number]}, "
        rf"error bars/.cd, y dir=both, y explicit] coordinates {{{measured}}};",
        rf"\addlegendentry{{{latex_text(slope.what)}: {said}}}",
    ]
    if theory:
        lines.append(rf"\addplot[{_COLOURS[number]}, thin, forget plot] coordinates {{{theory}}};")
    return "\n".join(lines)


def _rows(order: OrderReport) -> list[int]:
    scale = order.scale.entries
    parts = (order.theory.entries, order.estimate.entries, order.error.entries)
    known = np.all(np.isfinite(parts), axis=0) & (scale > 0)
    places = np.flatnonzero(known)
    return [int(p) for p in places[:: max(1, -(-len(places) // _DRAWN))]]


def _points(order: OrderReport, number: int) -> str:
    coordinates = " ".join(
        f"({order.theory.entries[p] / s:.5g},{order.estimate.entries[p] / s:.5g}) "
        f"+- (0,{order.error.entries[p] / s:.3g})"
        for p in _rows(order)
        for s in [order.scale.entries[p]]
    )
    options = rf"only marks, mark={_MARKS[number]}, mark size=1.4pt, {_COLOURS[number]}"
    bars = "error bars/.cd, y dir=both, y explicit"
    return rf"\addplot[{options}, {bars}] coordinates {{{coordinates}}};"


def _pulls(order: OrderReport, number: int) -> str:
    pulls = order.pull.entries
    coordinates = " ".join(f"({p},{pulls[p]:.3g})" for p in _rows(order) if np.isfinite(pulls[p]))
    options = rf"only marks, mark={_MARKS[number]}, mark size=1.4pt, {_COLOURS[number]}"
    return rf"\addplot[{options}] coordinates {{{coordinates}}};"
