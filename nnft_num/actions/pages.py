"""Pages of actions against samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnft_num.actions.figures import plot_action
from nnft_num.reporting import reports
from nnft_num.reporting.figures import svg
from nnft_num.reporting.pages import page
from nnft_sym.citations import cite
from nnft_sym.language.markup import Judged

if TYPE_CHECKING:
    from nnft_num.actions.records import ActionReport

__all__ = ["action_page"]


def action_page(report: ActionReport) -> str:
    """Page of a report: verdict, couplings, distances, figures, references."""
    verdict = f'<p class="verdict">{Judged(report.verdict).html}</p>'
    sections = [
        ("Verdict", verdict + report._repr_html_()),
        (
            f"Couplings at N = {report.coupling_width}",
            reports.report_table(report.couplings).html
            + "".join(order._repr_html_() for order in report.couplings.orders),
        ),
        ("Figures", f'<div class="figures"><figure>{svg(plot_action(report))}</figure></div>'),
        ("Distances", "".join(found._repr_html_() for found in report.distances)),
        ("References", cite(report)._repr_html_()),
    ]
    return page(f"{report.network}: its action against samples", ("", sections))
