"""Reports as text, data frames, HTML and LaTeX: pure functions of a report.

A report format is one function here; none of them decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnft_num.statistics.rounding import plain_exponent, uncertain
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Cell, Judged, Table, latex_text

if TYPE_CHECKING:
    from nnft_num.confrontation.checking import Report
    from nnft_num.confrontation.chi_squares import ChiSquare
    from nnft_num.confrontation.order_reports import OrderReport
    from nnft_num.confrontation.scaling import Sweep
    from nnft_num.confrontation.slopes import Slope
    from nnft_num.confrontation.verdicts import Criterion
    from nnft_num.tangents.sweeps import TangentSweep

__all__ = [
    "HEADER",
    "at_least",
    "columns",
    "criterion_text",
    "dataframe",
    "latex",
    "latex_cell",
    "latex_table",
    "latex_text",
    "limited",
    "order_rows",
    "order_table",
    "parameters",
    "report_table",
    "sweep_table",
    "sweep_text",
    "tangent_sweep_table",
    "text",
    "uncertain",
    "written",
]


HEADER = ("order", "entries", "scale", "worst pull", "lowest resolution", "verdict")
"""What a table of a report says of each order."""


def parameters(params: Mapping[str, float]) -> str:
    """Parameters in one line.

    Examples
    --------
    >>> parameters({"N": 3, "sigma_w": 0.5})
    'N=3, sigma_w=0.5'
    """
    return ", ".join(f"{name}={value:g}" for name, value in params.items())


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Left-aligned columns under their headers.

    Examples
    --------
    >>> print(columns(("a", "verdict"), [("1", "agree")]))
    a  verdict
    1  agree
    """
    table = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in table)
    return "\n".join(line.rstrip() for line in lines)


def text(report: Report, *, entries: int = 0) -> str:
    """Terminal table of a report, one line for each order."""
    points, dimension = report.X.shape
    criterion = report.criterion
    how = report.route
    if report.precision is not None:
        how += f", {report.precision} precision"
    lines = [
        f"{report.network} at {parameters(report.params)}: {_count(points, 'point')} in "
        f"d={dimension}, "
        f"{report.networks:.6g} {report.unit} ({how}, {report.groups} groups)",
        columns(
            HEADER,
            [_line(order) for order in report.orders],
        ),
        *(_whole(found) for found in report.chi_squares),
        f"verdict: {report.verdict} (family-wise level {criterion.level:g} over "
        f"{_count(criterion.family, 'comparison')}, |pull| beyond "
        f"{float(criterion.limit(1.0, report.groups - 1)):.2f} at {report.groups - 1} degrees of "
        f"freedom; resolution {criterion.resolution:g} asked for)",
    ]
    if report.route_assumes:
        assumed = "; ".join(report.route_assumes)
        lines.append(f"route {report.route}: {report.route_reason}")
        lines.append(f"  assumes, and so does not test: {assumed}")
    if entries:
        lines.append(_worst_entries(report, entries))
    return "\n".join(lines)


def limited(pull: float, limit: float) -> str:
    """Pull and the limit beyond which it disagrees.

    Examples
    --------
    >>> limited(1.234, 4.5), limited(0.3, 1e9)
    ('+1.23 of 4.50', '+0.30 of 1e+09')
    """
    return f"{pull:+.2f} of " + (f"{limit:.2f}" if limit < 1000 else f"{limit:.0e}")


def at_least(resolution: float, required: float) -> str:
    """Resolution and the one it has to reach.

    Examples
    --------
    >>> at_least(123.4, 5.0)
    '123 of 5'
    """
    return f"{resolution:.3g} of {required:.3g}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _line(order: OrderReport) -> tuple[str, ...]:
    pull = "unknown"
    if order.worst is not None:
        position = order.worst
        index = ",".join(map(str, order.theory.indices[position]))
        largest = limited(order.pull.entries[position], order.limit.entries[position])
        pull = f"{largest} at [{index}]"
    low = "unknown"
    if order.weakest is not None:
        low = at_least(
            order.resolution.entries[order.weakest], order.required.entries[order.weakest]
        )
    scale = float(np.max(order.scale.entries))
    verdict = "; ".join((str(order.verdict), *order.reasons))
    return (
        str(order.order),
        str(len(order.theory)),
        f"{scale:.4g}" + (" (zero)" if order.vanishes else ""),
        pull,
        low,
        verdict,
    )


def sweep_text(sweep: Sweep) -> str:
    """Terminal table of a sweep: one line for each order and width, and the slopes."""
    rows = [
        (str(order), str(width), *_line(entry)[2:])
        for order in sweep.orders
        for width, entry in sweep.of_order(order).items()
    ]
    lines = [f"{sweep.network} over widths {', '.join(map(str, sweep.widths))}"]
    if rows:
        header = ("order", "width", "scale", "worst pull", "lowest resolution", "verdict")
        lines.append(columns(header, rows))
    for slope in sweep.slopes:
        measured = ((str(a.width), str(a)) for a in slope.amplitudes)
        lines += [columns(("width", slope.what), measured), str(slope)]
    lines.append(criterion_text(sweep.verdict, sweep.criterion))
    return "\n".join(lines)


def _worst_entries(report: Report, entries: int) -> str:
    rows = [
        (str(order.order), *_entry(order, position))
        for order in report.orders
        for position in _ranked(order)[:entries]
    ]
    header = ("order", "fields", "theory", "estimate", "pull", "resolution", "verdict")
    return columns(header, rows)


def _entry(order: OrderReport, position: int) -> tuple[str, ...]:
    return (
        ",".join(map(str, order.theory.indices[position])),
        f"{order.theory.entries[position]:.6g}",
        uncertain(order.estimate.entries[position], order.error.entries[position]),
        limited(order.pull.entries[position], order.limit.entries[position]),
        f"{order.resolution.entries[position]:.3g}",
        str(order.verdicts.entries[position]),
    )


def _ranked(order: OrderReport) -> list[int]:
    """Positions of the entries, largest |pull| in units of its limit first, unknown pulls last."""
    size = np.nan_to_num(np.abs(order.pull.entries) / order.limit.entries, nan=-1.0)
    return [int(position) for position in np.argsort(-size, kind="stable")]


def dataframe(report: Report) -> Any:
    """One row for each distinct entry, with its points and outputs."""
    import pandas as pd

    tables = []
    for order in report.orders:
        fields = order.theory.indices
        tables.append(
            pd.DataFrame(
                {
                    "order": order.order,
                    "points": [tuple(map(int, row)) for row in fields // order.outputs],
                    "outputs": [tuple(map(int, row)) for row in fields % order.outputs],
                    "theory": order.theory.entries,
                    "theory_error": order.theory_error.entries,
                    "estimate": order.estimate.entries,
                    "error": order.error.entries,
                    "second_order": order.floor.entries,
                    "degrees_of_freedom": order.freedom.entries,
                    "skewness": order.skew.entries,
                    "pull": order.pull.entries,
                    "limit": order.limit.entries,
                    "resolution": order.resolution.entries,
                    "required": order.required.entries,
                    "heavy_tailed": order.heavy_tailed.entries,
                    "verdict": order.verdicts.entries.astype(object),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def report_table(report: Report) -> Table:
    """Table for notebooks and pages: one row for each order."""
    lines = text(report).splitlines()
    return Table(
        title=lines[0],
        header=HEADER,
        rows=order_rows(report),
        notes=(*(_whole(found) for found in report.chi_squares), lines[-1]),
    )


def order_rows(report: Report) -> tuple[tuple[str | Cell, ...], ...]:
    """Cells of each order, under ``HEADER``."""
    return tuple((*_line(order)[:-1], _judged(order)) for order in report.orders)


def criterion_text(verdict: str, criterion: Criterion) -> str:
    """Verdict, and what was asked for."""
    return (
        f"verdict: {verdict} (family-wise level {criterion.level:g} over "
        f"{_count(criterion.family, 'comparison')}; resolution {criterion.resolution:g} asked for)"
    )


def order_table(order: OrderReport, rows: int = 8) -> Table:
    """The entries of one order with the largest pulls."""
    ranked = _ranked(order)[:rows]
    more = len(order.theory) - len(ranked)
    return Table(
        title=f"order {order.order}: {order.exactness}",
        header=("fields", "theory", "estimate", "pull", "resolution", "verdict"),
        rows=tuple((*_entry(order, p)[:-1], Judged(order.verdicts.entries[p])) for p in ranked),
        notes=(f"and {more} entries with smaller pulls",) * bool(more),
    )


def _judged(order: OrderReport) -> Judged:
    return Judged(order.verdict, "; ".join(order.reasons))


def _whole(found: ChiSquare) -> str:
    return f"tensor level, {found}"


def sweep_table(sweep: Sweep) -> Table:
    """Table for notebooks and pages: one row for each order and width, then the powers."""
    rows: list[tuple[str | Cell, ...]] = [
        (str(order), str(width), *_line(entry)[2:-1], _judged(entry))
        for order in sweep.orders
        for width, entry in sweep.of_order(order).items()
    ]
    rows += [(str(slope.order), "all", *_slope_cells(slope)) for slope in sweep.slopes]
    return Table(
        title=f"{sweep.network} over widths {', '.join(map(str, sweep.widths))}",
        header=("order", "width", "scale", "worst pull", "lowest resolution", "verdict"),
        rows=tuple(rows),
        notes=(*map(str, sweep.slopes), criterion_text(sweep.verdict, sweep.criterion)),
    )


def _slope_cells(slope: Slope) -> tuple[str | Cell, ...]:
    known = not np.isnan(slope.value)
    measured = f"N^{uncertain(slope.value, slope.error)}" if known else "power unresolved"
    limit = slope.criterion.limit(slope.pull, slope.fit.freedom, slope.fit.skew)
    return (
        measured,
        limited(slope.pull, float(limit)) if known else "unknown",
        at_least(slope.resolution, slope.criterion.resolution) if known else "unknown",
        Judged(slope.verdict),
    )


def tangent_sweep_table(sweep: TangentSweep) -> Table:
    """Table for notebooks and pages: reports at each width, powers and the bias."""
    rows: list[tuple[str | Cell, ...]] = [
        ("mean", str(width), *_line(order)[2:-1], _judged(order))
        for width, report in zip(sweep.widths, sweep.reports, strict=False)
        for order in report.orders
    ]
    rows += [(slope.what, "all", *_slope_cells(slope)) for slope in sweep.slopes]
    return Table(
        title=sweep.subject,
        header=("quantity", "width", "scale", "worst pull", "lowest resolution", "verdict"),
        rows=tuple(rows),
        notes=(*(() if sweep.bias is None else (str(sweep.bias),)), Judged(sweep.verdict)),
    )


def latex_cell(value: float, digits: str = ".5g") -> str:
    """Number for a siunitx column; braces keep what is no number out of its parser.

    Examples
    --------
    >>> latex_cell(0.25), latex_cell(float("nan")), latex_cell(1e-9)
    ('0.25', '{--}', '1e-9')
    """
    if np.isnan(value):
        return "{--}"
    if np.isinf(value):
        return r"{$\infty$}" if value > 0 else r"{$-\infty$}"
    return plain_exponent(f"{value:{digits}}")


def latex_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, column_format: str, caption: str
) -> str:
    """Return a booktabs table of finished cells; needs the packages booktabs and siunitx."""
    import pandas as pd

    frame = pd.DataFrame([list(row) for row in rows], columns=list(header))
    styled = frame.style.hide(axis="index")
    body: str = styled.to_latex(
        hrules=True,
        column_format=column_format,
        caption=caption,
        position="htbp",
        position_float="centering",
    )
    return "% \\usepackage{booktabs,siunitx}\n" + body


def _latex_row(order: OrderReport, position: int) -> tuple[str, ...]:
    fields = order.theory.indices[position]
    legs = " ".join(str(field // order.outputs + 1) for field in fields)
    if order.outputs > 1:
        legs += "; " + " ".join(str(field % order.outputs + 1) for field in fields)
    trusted = not order.heavy_tailed.entries[position]
    error = order.error.entries[position] if trusted else float("nan")
    return (
        f"${order.order}$",
        legs,
        latex_cell(order.theory.entries[position]),
        uncertain(order.estimate.entries[position], error),
        latex_cell(order.pull.entries[position], ".2f"),
        latex_cell(order.resolution.entries[position], ".3g"),
        str(order.verdicts.entries[position]),
    )


def latex(report: Report, *, rows: int = 8) -> str:
    """Table of the worst entries of each order, points counted from 1."""
    cells = [
        _latex_row(order, position) for order in report.orders for position in _ranked(order)[:rows]
    ]
    criterion = report.criterion
    points, dimension = report.X.shape
    verdicts = "; ".join(
        f"order {order.order}: {order.verdict} over {len(order.theory)} entries"
        for order in report.orders
    )
    caption = latex_text(
        f"{report.network} at {parameters(report.params)}: theory against {report.networks} "
        f"{report.unit} at {_count(points, 'point')} in d={dimension}, entries with the largest "
        f"pulls, "
        f"points counted from 1. {verdicts}. Family-wise level {criterion.level:g} over "
        f"{_count(criterion.family, 'comparison')}; resolution {criterion.resolution:g} asked for."
    )
    outputs = any(order.outputs > 1 for order in report.orders)
    header = (
        "order",
        "points; outputs" if outputs else "points",
        "{theory}",
        "{estimate}",
        "{pull}",
        "{resolution}",
        "verdict",
    )
    return latex_table(header, cells, column_format="rlSSSSl", caption=caption)


def written(content: str, path: str | Path | None) -> str:
    """Write a text to a file if a path is given, and return it."""
    if path is not None:
        try:
            Path(path).write_text(content, encoding="utf-8")
        except OSError as error:
            raise SpecificationError(
                expected="a file that can be written",
                came=f"{str(path)!r}: {error.strerror}",
                remedy="make its directory first, or choose another path",
            ) from error
    return content
