"""Reports of symmetry tests as text, data frames, HTML and LaTeX: pure functions of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnft_num.reporting.reports import columns, latex_table, latex_text, parameters, uncertain
from nnft_sym.language.markup import Cell, Judged, Table

if TYPE_CHECKING:
    from nnft_num.symmetries.defects import OrderDefect
    from nnft_num.symmetries.testing import SymmetryReport

__all__ = ["dataframe", "latex", "order_table", "table", "text"]

_HEADER = ("order", "entries", "scale", "worst defect", "p", "seen with 0.9", "verdict")


def text(report: SymmetryReport) -> str:
    """Terminal table of a report, one line for each order."""
    lines = [_title(report), columns(_HEADER, [_line(report, order) for order in report.orders])]
    return "\n".join([*lines, _last(report)])


def dataframe(report: SymmetryReport) -> Any:
    """One row for each element and distinct entry."""
    import pandas as pd

    tables = []
    for order in report.orders:
        elements, entries = order.defect.shape
        fields = np.tile(order.indices, (elements, 1))
        tables.append(
            pd.DataFrame(
                {
                    "order": order.order,
                    "element": np.repeat(np.arange(elements), entries),
                    "points": [tuple(map(int, row)) for row in fields // report.outputs],
                    "outputs": [tuple(map(int, row)) for row in fields % report.outputs],
                    "defect": order.defect.ravel(),
                    "error": order.error.ravel(),
                    "statistic": order.statistic.ravel(),
                    "critical": order.critical,
                    "heavy_tailed": order.heavy.ravel(),
                    "equal_in_every_network": order.still.ravel(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def table(report: SymmetryReport) -> Table:
    """Table for notebooks and pages: one row for each order."""
    rows: tuple[tuple[str | Cell, ...], ...] = tuple(
        (*_line(report, order)[:-1], Judged(order.verdict, "; ".join(_reasons(report, order))))
        for order in report.orders
    )
    return Table(title=_title(report), header=_HEADER, rows=rows, notes=(_last(report),))


def order_table(order: OrderDefect, rows: int = 8) -> Table:
    """Table of the entries with the largest defect in errors."""
    size = np.nan_to_num(np.abs(order.statistic), nan=-1.0)
    worst = np.argsort(-size, axis=None, kind="stable")[:rows]
    lines = []
    for element, entry in zip(*np.unravel_index(worst, size.shape), strict=True):
        value, error = order.defect[element, entry], order.error[element, entry]
        heavy = order.heavy[element, entry]
        lines.append(
            (
                str(element),
                ",".join(map(str, order.indices[entry])),
                f"{value:.4g}" if heavy or error == 0 else uncertain(value, error),
                "heavy tails" if heavy else f"{order.statistic[element, entry]:+.2f}",
            )
        )
    return Table(
        title=f"Defects of order {order.order}",
        header=("element", "fields", "defect", "defect/error"),
        rows=tuple(lines),
        notes=(
            Judged(order.verdict),
            f"{len(lines)} of {order.defect.size} entries; p = {order.p_value:.3g}, significant "
            f"beyond {order.critical:.2f} errors, a defect of {order.detectable:.2g} is seen with "
            f"probability 0.9, scale {order.scale:.4g}",
        ),
    )


def latex(report: SymmetryReport) -> str:
    """Table of the worst defect of each order."""
    caption = latex_text(f"{_title(report)} {_last(report)}.".replace("verdict", "Verdict"))
    rows = [tuple(map(latex_text, _line(report, order))) for order in report.orders]
    return latex_table(_HEADER, rows, column_format="rrrlrrl", caption=caption)


def _title(report: SymmetryReport) -> str:
    points, dimension = report.X.shape
    return (
        f"{report.network} at {parameters(report.params)} under {report.group} on the {report.on}: "
        f"{report.what}, {points} points in d={dimension}, {report.networks} networks "
        f"({report.groups} groups), {len(report.elements)} elements"
    )


def _last(report: SymmetryReport) -> str:
    return (
        f"verdict: {report.verdict} (p = {report.p_value:.3g} over all entries, "
        f"{report.flips} flips of signs; rejected up to {report.level:g})"
    )


def _line(report: SymmetryReport, order: OrderDefect) -> tuple[str, ...]:
    defect = "none in any network"
    if order.worst is not None:
        element, entry = order.worst
        legs = ",".join(map(str, order.indices[entry]))
        value = uncertain(order.defect[element, entry], order.error[element, entry])
        defect = f"{value} at [{legs}], element {element}"
    elif order.heavy.any():
        defect = "unknown"
    return (
        str(order.order),
        str(order.defect.size),
        f"{order.scale:.4g}",
        defect,
        f"{order.p_value:.3g}",
        f"{order.detectable:.2g}",
        "; ".join((str(order.verdict), *_reasons(report, order))),
    )


def _reasons(report: SymmetryReport, order: OrderDefect) -> list[str]:
    """Why an order is unresolved, and what would resolve it."""
    said = []
    if order.heavy.any():
        said.append(f"heavy tails in {order.heavy.sum()} of {order.heavy.size} entries")
    if order.networks_factor is not None:
        said.append(f"{order.networks_factor * report.networks:.2g} networks would resolve it")
    return said
