"""Articles of results: LaTeX that compiles as it stands, figures drawn by LaTeX itself."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from typing import Any

from nnft_num.confrontation.checking import Report
from nnft_num.confrontation.scaling import Sweep
from nnft_num.confrontation.scans import Scan
from nnft_num.reporting import reports
from nnft_num.reporting.pgfplots import COLOUR_NAMES, report_figure, slopes_figure
from nnft_num.reporting.publishing import Published
from nnft_num.symmetries.reports import order_table
from nnft_num.symmetries.testing import SymmetryReport
from nnft_num.tangents.sweeps import TangentSweep
from nnft_sym.citations import cite
from nnft_sym.correlators import Correlator
from nnft_sym.language.markup import Table, latex_text

__all__ = ["document_of", "parts"]

Parts = list[tuple[str, str]]

_PACKAGES = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[a4paper,margin=25mm]{geometry}
\usepackage{amsmath,amssymb,array,booktabs,float,graphicx,siunitx,xcolor,pgfplots}
\usepackage[hidelinks]{hyperref}
\usepgfplotslibrary{groupplots}
\pgfplotsset{compat=1.15}
"""

_MACROS = r"""\newsavebox{\formulabox}
\newcommand{\formula}[1]{\par\smallskip\noindent\sbox{\formulabox}{$\displaystyle #1$}%
  \ifdim\wd\formulabox>\linewidth\resizebox{\linewidth}{!}{\usebox{\formulabox}}%
  \else\usebox{\formulabox}\fi\par}
\emergencystretch=3em
"""

_GREEK = {
    "αβγδεζη": ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"),
    "θικλμνξπ": ("theta", "iota", "kappa", "lambda", "mu", "nu", "xi", "pi"),
    "ρστυφχψω": ("rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
    "ΓΔΘΛΞΠΣΦΨΩ": ("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega"),
    "→≥≤∞": ("to", "geq", "leq", "infty"),
}
"""Letters that names and texts may hold, and what LaTeX calls them."""

_ROWS = 4
"""Entries of each order of one report among many."""


def document_of(*results: Any, title: str | None = None, rows: int = 8) -> str:
    """Return an article: verdicts, formulas, tables, figures and references.

    Parameters
    ----------
    *results : Report, Sweep, TangentSweep, Scan or SymmetryReport
        What to print, each in a section of its own if there are several.
    title : str, optional
        By default the name of the network.
    rows : int
        Entries of each order in the tables.
    """
    single = len(results) == 1
    lines = []
    for result in results:
        lines += [] if single else [rf"\section{{{latex_text(result.subject)}}}"]
        for heading, body in parts(result, rows):
            lines += [rf"\{'section' if single else 'subsection'}{{{heading}}}", body]
    named = title or results[0].headline
    return "\n".join(
        [
            _head(),
            rf"\title{{{latex_text(named)}}}",
            r"\author{}\date{}",
            r"\begin{document}",
            r"\maketitle",
            *lines,
            cite(*results).latex,
            r"\end{document}",
            "",
        ]
    )


def _head() -> str:
    colours = [rf"\definecolor{{{name}}}{{HTML}}{{{code}}}" for name, code in COLOUR_NAMES.items()]
    letters = [
        rf"\DeclareUnicodeCharacter{{{ord(letter):04X}}}{{\ensuremath{{\{name}}}}}"
        for row, names in _GREEK.items()
        for letter, name in zip(row, names, strict=True)
    ]
    return _PACKAGES + "\n".join([*colours, *letters, _MACROS])


@singledispatch
def parts(result: Any, rows: int) -> Parts:
    """Headings and LaTeX of the sections of a result."""
    raise TypeError(f"{type(result).__name__} is not printed")


@parts.register
def _report(report: Report, rows: int) -> Parts:
    points, dimension = report.X.shape
    said = [
        f"Verdict: {report.verdict}. {report.networks} {report.unit} (route {report.route}) at "
        f"{points} points in d={dimension}, with {reports.parameters(report.params)}.",
        *(f"Tensor level, {whole}." for whole in report.chi_squares),
    ]
    return [
        ("Result", _result(report, said)),
        *_formulas(o.formula for o in report.orders if o.formula is not None),
        ("Entries", _entries(report, rows)),
        ("Figure", report_figure(report)),
    ]


@parts.register
def _sweep(sweep: Sweep, rows: int) -> Parts:
    return _over_widths(sweep, [*map(str, sweep.slopes)], rows)


@parts.register
def _tangent_sweep(sweep: TangentSweep, rows: int) -> Parts:
    bias = () if sweep.bias is None else (str(sweep.bias),)
    return _over_widths(sweep, [*map(str, sweep.slopes), *bias], rows)


def _over_widths(sweep: Sweep | TangentSweep, said: list[str], rows: int) -> Parts:
    verdict = reports.criterion_text(sweep.verdict, sweep.criterion)
    few = min(rows, _ROWS)
    tables = "\n".join(_entries(report, few) for report in sweep.reports)
    return [
        ("Result", _result(sweep, [_sentence(line) for line in (verdict, *said)])),
        *_formulas(sweep.formulas),
        *([("Scaling", drawn)] if (drawn := slopes_figure(sweep.slopes)) else []),
        *([("Entries", tables)] if tables else []),
    ]


@parts.register
def _scan(scan: Scan, rows: int) -> Parts:
    first = scan.reports[0]
    few = min(rows, _ROWS)
    return [
        (
            "Result",
            _result(scan, [_sentence(reports.criterion_text(scan.verdict, scan.criterion))]),
        ),
        *_formulas(o.formula for o in first.orders if o.formula is not None),
        ("Entries", "\n".join(_entries(report, few) for report in scan.reports)),
    ]


@parts.register
def _symmetry(report: SymmetryReport, rows: int) -> Parts:
    title, *_, last = report.to_text().splitlines()
    tables = "\n".join(
        rf"\paragraph{{Order {order.order}:}} {order.verdict}." + "\n\n"
        rf"\noindent {order_table(order, rows=rows).latex}"
        for order in report.orders
    )
    elements = "\n".join(rf"\formula{{{g.latex()}}}" for g in report.elements)
    return [
        ("Result", _result(report, [_sentence(title), _sentence(last)])),
        ("Entries", tables),
        ("Elements", elements),
    ]


def _sentence(line: str) -> str:
    return f"{line[:1].upper()}{line[1:]}."


def _result(result: Published, said: Iterable[str]) -> str:
    works = cite(result).keys
    cited = rf" \cite{{{','.join(works)}}}" if works else ""
    lines = "\n\n".join(map(latex_text, said))
    return f"{lines}\n\nReferences behind theory and errors:{cited}.\n\n{_tabular(result._table())}"


def _tabular(table: Table) -> str:
    """Table as wide as the page, its last column in several lines where need be."""
    columns = "l" * (len(table.header) - 1)
    body = "\n".join(table.latex.splitlines()[1:])
    size = r"\small" if len(table.header) < 8 else r"\footnotesize\setlength{\tabcolsep}{3pt}"
    return (
        rf"\medskip\noindent{{{size}\begin{{tabular}}{{{columns}"
        r">{\raggedright\arraybackslash}p{0.22\linewidth}}" + f"\n{body}}}"
    )


def _entries(report: Report, rows: int) -> str:
    return reports.latex(report, rows=rows).replace("[htbp]", "[H]")


def _formulas(found: Iterable[Correlator]) -> Parts:
    lines = []
    for formula in found:
        words = latex_text(str(formula.exactness))
        lines.append(rf"\paragraph{{Order {formula.order}:}} {words}.")
        lines += [rf"\formula{{{line}}}" for line in formula.latex().splitlines()]
    return [("Formulas", "\n".join(lines))] if lines else []
