"""Pages of reports: HTML that needs no network, formulas in MathML and figures in SVG."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from nnft_num import reports
from nnft_num.figures import plot_sweeps, pulls_figure, report_figure, svg
from nnft_sym.citations import cite
from nnft_sym.language.markup import Judged, Table

if TYPE_CHECKING:
    from nnft_num.checking import Report
    from nnft_num.scaling import Sweep

__all__ = ["page", "report_page", "sweep_page"]

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


def page(title: str, sections: Iterable[tuple[str, str]]) -> str:
    """Return a page from its sections, each a heading and its HTML.

    Examples
    --------
    >>> page("a < b", [("one", "<p>text</p>")]).splitlines()[0]
    '<!DOCTYPE html>'
    """
    body = "\n".join(
        f"<section><h2>{escape(heading)}</h2>{content}</section>" for heading, content in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def report_page(report: Report) -> str:
    """Page of a report: verdict, network, formulas, entries, figures, references."""
    figures = (svg(report_figure(report)), svg(pulls_figure(report)))
    formulas = [order.formula for order in report.orders if order.formula is not None]
    networks = dict.fromkeys(net for formula in formulas for net in formula.networks)
    sections = [("Verdict", _verdict(report.verdict) + reports.report_table(report).html)]
    sections += [(f"Network: {net.name}", net._repr_html_()) for net in networks]
    sections += [
        (f"Formula of order {formula.order}", formula._repr_html_()) for formula in formulas
    ]
    sections += [
        ("Entries", "".join(order._repr_html_() for order in report.orders)),
        ("Figures", _figures(figures)),
        ("How it was sampled", _origin(report).html),
        ("References", cite(report)._repr_html_()),
    ]
    return page(f"{report.network}: theory against sample", sections)


def sweep_page(sweep: Sweep) -> str:
    """Page of a sweep: verdict, powers of the width, each width, references."""
    figure = svg(plot_sweeps([sweep], [sweep.network]))
    sections = [
        ("Verdict", _verdict(sweep.verdict) + sweep._repr_html_()),
        ("Scaling", _figures([figure]) + "".join(s._repr_html_() for s in sweep.slopes)),
    ]
    sections += [
        (f"Width {width}", report._repr_html_())
        for width, report in zip(sweep.widths, sweep.reports, strict=False)
    ]
    sections.append(("References", cite(sweep)._repr_html_()))
    return page(f"{sweep.network}: theory against samples over the width", sections)


def _verdict(verdict: str) -> str:
    return f'<p class="verdict">{Judged(verdict).html}</p>'


def _figures(drawn: Iterable[str]) -> str:
    inner = "".join(f"<figure>{drawing}</figure>" for drawing in drawn)
    return f'<div class="figures">{inner}</div>'


def _origin(report: Report) -> Table:
    points = ("; ".join(", ".join(f"{x:g}" for x in row) for row in report.X),)
    return Table(
        title=f"{report.networks} networks",
        rows=(
            *((name, f"{value:g}") for name, value in report.params.items()),
            ("points", *points),
            ("route", report.route),
            ("groups of the jackknife", str(report.groups)),
            ("plan", report.plan_hash or "fields from elsewhere"),
            ("key", "unknown" if report.key is None else ", ".join(map(str, report.key))),
        ),
    )
