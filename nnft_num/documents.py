"""Articles of reports: LaTeX that compiles as it stands, figures drawn by LaTeX itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnft_num import reports
from nnft_sym.citations import Bibliography, cite
from nnft_sym.language.markup import latex_text

if TYPE_CHECKING:
    from nnft_num.checking import OrderReport, Report

__all__ = ["report_document"]

_HEAD = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[a4paper,margin=25mm]{geometry}
\usepackage{amsmath,amssymb,array,booktabs,float,graphicx,siunitx,xcolor,pgfplots}
\usepackage[hidelinks]{hyperref}
\usepgfplotslibrary{groupplots}
\pgfplotsset{compat=1.15}
\definecolor{blue1}{HTML}{0072B2}
\definecolor{red1}{HTML}{D55E00}
\definecolor{green1}{HTML}{009E73}
\definecolor{purple1}{HTML}{CC79A7}
\newsavebox{\formulabox}
\newcommand{\formula}[1]{\par\smallskip\noindent\sbox{\formulabox}{$\displaystyle #1$}%
  \ifdim\wd\formulabox>\linewidth\resizebox{\linewidth}{!}{\usebox{\formulabox}}%
  \else\usebox{\formulabox}\fi\par}
\emergencystretch=3em
"""

_COLOURS = ("blue1", "red1", "green1", "purple1")
_MARKS = ("*", "square*", "triangle*", "diamond*")
_DRAWN = 400
"""Entries of one order that a figure draws; of more, evenly spaced ones."""

_UNICODE = {
    "→": r"$\to$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "±": r"$\pm$",
    "φ": r"$\phi$",
    "θ": r"$\theta$",
    "σ": r"$\sigma$",
    "–": "--",
    "²": r"$^2$",
}


def report_document(report: Report, *, rows: int = 8) -> str:
    """Return an article: verdict, formulas, table, figure and references.

    Parameters
    ----------
    report : Report
        What to print.
    rows : int
        Entries of each order in the table.
    """
    title = f"{report.network}: theory against sample"
    works = cite(report)
    parts = [
        _HEAD + rf"\title{{{_words(title)}}}" + "\n" + r"\author{}\date{}",
        r"\begin{document}",
        r"\maketitle",
        _summary(report, works),
        *_formulas(report),
        r"\section{Entries}",
        reports.latex(report, rows=rows).replace("[htbp]", "[H]"),
        r"\section{Figure}",
        _figure(report),
        works.latex,
        r"\end{document}",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _words(line: str) -> str:
    escaped = latex_text(line)
    for letter, code in _UNICODE.items():
        escaped = escaped.replace(letter, code)
    return escaped


def _summary(report: Report, works: Bibliography) -> str:
    points, dimension = report.X.shape
    said = [
        f"Verdict: {report.verdict}. {report.networks} networks (route {report.route}) at "
        f"{points} points in d={dimension}, with {reports.parameters(report.params)}.",
        *(f"Tensor level, {whole}." for whole in report.chi_squares),
    ]
    cited = rf" \cite{{{','.join(works.keys)}}}" if works.keys else ""
    return (
        r"\section{Result}"
        + "\n"
        + "\n\n".join(map(_words, said))
        + f"\n\nReferences behind theory and errors:{cited}.\n\n"
        + r"\medskip\noindent{\small\begin{tabular}{lllll"
        + r">{\raggedright\arraybackslash}p{0.28\linewidth}}"
        + "\n"
        + "\n".join(reports.report_table(report).latex.splitlines()[1:])
        + "}"
    )


def _formulas(report: Report) -> list[str]:
    found = [order.formula for order in report.orders if order.formula is not None]
    if not found:
        return []
    lines = [r"\section{Formulas}"]
    for formula in found:
        lines.append(rf"\paragraph{{Order {formula.order}:}} {_words(str(formula.exactness))}.")
        lines += [rf"\formula{{{line}}}" for line in formula.latex().splitlines()]
    return lines


def _figure(report: Report) -> str:
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
