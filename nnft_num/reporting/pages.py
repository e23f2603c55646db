"""Pages of results: HTML that needs no network, formulas in MathML and figures in SVG."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from html import escape
from typing import Any

from nnft_num.confrontation.checking import Report
from nnft_num.confrontation.scaling import Sweep
from nnft_num.confrontation.scans import Scan
from nnft_num.confrontation.verdicts import joined
from nnft_num.reporting import reports
from nnft_num.reporting.figures import pulls_figure, report_figure, svg
from nnft_num.symmetries.testing import SymmetryReport
from nnft_num.tangents.sweeps import TangentSweep
from nnft_sym.citations import cite
from nnft_sym.correlators import Correlator
from nnft_sym.language.markup import Judged, Table

__all__ = ["page", "page_of", "sections"]

Sections = list[tuple[str, str]]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem;
     border-bottom: 1px solid #bbb; }
table { border-collapse: collapse; font-size: 0.9rem; margin: 0.6rem 0; }
th, td { text-align: left; padding: 0.25rem 0.9rem 0.25rem 0; vertical-align: top; }
thead th { border-bottom: 1.5px solid #1a1a1a; } tbody tr + tr td, tbody tr + tr th
{ border-top: 1px solid #ddd; }
.verdict { font-size: 1.2rem; } figure { margin: 1rem 0; overflow-x: auto; }
.figures { display: flex; flex-wrap: wrap; gap: 1.5rem; }
svg { max-width: 100%; height: auto; } pre { overflow-x: auto; font-size: 0.8rem; }
math { font-size: 1.05em; } .nnft-formulas > div { margin: 0.5rem 0; }
@media print { body { max-width: none; } details { display: none; } }
"""


def page(title: str, *parts: tuple[str, Sections]) -> str:
    """Return a page from its parts: a title, where there are several, and sections of HTML.

    Examples
    --------
    >>> page("a < b", ("", [("one", "<p>text</p>")])).splitlines()[0]
    '<!DOCTYPE html>'
    """
    body = "\n".join(
        (f"<h1>{escape(part)}</h1>\n" if part else "")
        + "\n".join(
            f"<section><h2>{escape(heading)}</h2>{content}</section>"
            for heading, content in sections
        )
        for part, sections in parts
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def page_of(*results: Any, title: str | None = None) -> str:
    """Page of results, each in a part of its own if there are several.

    Parameters
    ----------
    *results : Report, Sweep, TangentSweep, Scan or SymmetryReport
        What to show.
    title : str, optional
        By default the name of the network.
    """
    single = len(results) == 1
    named = title or results[0].headline
    body = [("" if single else result.subject, sections(result)) for result in results]
    whole = (
        []
        if single
        else [("", [("Verdict", _verdict(joined(result.verdict for result in results)))])]
    )
    return page(named, *whole, *body, ("", [("References", cite(*results)._repr_html_())]))


@singledispatch
def sections(result: Any) -> Sections:
    """Headings and HTML of the sections of a result."""
    raise TypeError(f"{type(result).__name__} is not printed")


@sections.register
def _report(report: Report) -> Sections:
    figures = (svg(report_figure(report)), svg(pulls_figure(report)))
    return [
        ("Verdict", _verdict(report.verdict) + reports.report_table(report).html),
        *_theory(order.formula for order in report.orders),
        ("Entries", "".join(order._repr_html_() for order in report.orders)),
        ("Figures", _figures(figures)),
        ("How it was sampled", _origin(report).html),
    ]


@sections.register(Sweep)
@sections.register(TangentSweep)
def _over_widths(sweep: Sweep | TangentSweep) -> Sections:
    figures = [svg(sweep.plot())] if sweep.slopes else []
    figures += [svg(pulls_figure(sweep))] if isinstance(sweep, Sweep) and sweep.reports else []
    tables = "".join(slope._repr_html_() for slope in sweep.slopes)
    return [
        ("Verdict", _verdict(sweep.verdict) + sweep._repr_html_()),
        ("Scaling", _figures(figures) + tables),
        *_theory(sweep.formulas),
        *(
            (f"Width {width}", report._repr_html_())
            for width, report in zip(sweep.widths, sweep.reports, strict=False)
        ),
    ]


@sections.register
def _scan(scan: Scan) -> Sections:
    return [
        ("Verdict", _verdict(scan.verdict) + scan._repr_html_()),
        *_theory(order.formula for order in scan.reports[0].orders),
        ("Pulls", _figures([svg(pulls_figure(scan))])),
        *((reports.parameters(report.params), report._repr_html_()) for report in scan.reports),
    ]


@sections.register
def _symmetry(report: SymmetryReport) -> Sections:
    elements = zip(range(len(report.elements)), report.elements, strict=True)
    moved = "".join(f"<p>element {number}</p>{g._repr_html_()}" for number, g in elements)
    return [
        ("Verdict", _verdict(report.verdict) + report._repr_html_()),
        ("Entries", "".join(order._repr_html_() for order in report.orders)),
        ("Elements", moved),
        ("How it was sampled", _draws(report).html),
    ]


def _theory(found: Iterable[Correlator | None]) -> Sections:
    """Networks and formulas, each once."""
    formulas = [formula for formula in found if formula is not None]
    networks = dict.fromkeys(net for formula in formulas for net in formula.networks)
    return [
        *((f"Network: {net.name}", net._repr_html_()) for net in networks),
        *((f"Formula of order {f.order}", f._repr_html_()) for f in formulas),
    ]


def _verdict(verdict: str) -> str:
    return f'<p class="verdict">{Judged(verdict).html}</p>'


def _figures(drawn: Iterable[str]) -> str:
    inner = "".join(f"<figure>{drawing}</figure>" for drawing in drawn)
    return f'<div class="figures">{inner}</div>'


def _draws(report: SymmetryReport) -> Table:
    return Table(
        title=f"{report.networks} networks",
        rows=(
            *_values(report),
            ("observed", report.what),
            ("groups whose signs are flipped", str(report.groups)),
            ("flips", str(report.flips)),
            ("key", ", ".join(map(str, report.key))),
        ),
    )


def _values(report: Report | SymmetryReport) -> tuple[tuple[str, str], ...]:
    """Parameters and points."""
    points = "; ".join(", ".join(f"{x:g}" for x in row) for row in report.X)
    return (*((name, f"{value:g}") for name, value in report.params.items()), ("points", points))


def _origin(report: Report) -> Table:
    return Table(
        title=f"{report.networks} networks",
        rows=(
            *_values(report),
            ("route", report.route),
            ("groups of the jackknife", str(report.groups)),
            ("plan", report.plan_hash or "fields from elsewhere"),
            ("key", "unknown" if report.key is None else ", ".join(map(str, report.key))),
        ),
    )
