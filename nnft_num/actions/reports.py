"""Reports of actions against samples in all formats: pure functions of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnft_num.reporting import reports
from nnft_sym.language.markup import Cell, Judged, Table

if TYPE_CHECKING:
    from nnft_num.actions.records import ActionReport, DensityDistance

__all__ = ["action_table", "dataframe", "distance_table", "latex", "text"]


def text(report: ActionReport) -> str:
    """Terminal tables: couplings, distances by the width, and their powers of N."""
    lines = [report.couplings.to_text(), f"{_what(report)}:"]
    lines.append(reports.columns(_header(report), _rows(report)))
    lines += [str(slope) for slope in report.slopes]
    lines += _assumed(report)
    lines.append(reports.criterion_text(report.verdict, report.criterion))
    return "\n".join(lines)


def action_table(report: ActionReport) -> Table:
    """Table for notebooks: verdicts of the couplings, then distances and their powers."""
    header = _header(report)
    blank = ("",) * (len(header) - 2)
    rows: list[tuple[str | Cell, ...]] = [
        (f"g_{order.order} at N = {report.coupling_width}", Judged(order.verdict), *blank)
        for order in report.couplings.orders
    ]
    rows += [(f"N = {width}", *cells) for width, *cells in _rows(report)]
    if report.slopes:
        rows.append(("claimed power", *(f"{slope.claimed:g}" for slope in report.slopes)))
        measured = (
            "unresolved"
            if slope.value != slope.value
            else reports.uncertain(slope.value, slope.error)
            for slope in report.slopes
        )
        rows.append(("measured power", *measured))
        rows.append(("verdict", *(Judged(slope.verdict) for slope in report.slopes)))
    return Table(
        title=f"action of {report.network} through N^-{report.order} against samples",
        header=("", *header[1:]),
        rows=tuple(rows),
        notes=(
            _what(report),
            *_assumed(report),
            reports.criterion_text(report.verdict, report.criterion),
        ),
    )


def distance_table(found: DensityDistance) -> Table:
    """Table of one distance: a row for each width."""
    return Table(
        title=f"distance from {found.name}",
        header=("width", "distance", "in the fit"),
        rows=tuple(
            (str(a.width), str(a), "yes" if a.width in found.used else "no")
            for a in found.amplitudes
        ),
        notes=() if found.slope is None else (str(found.slope),),
    )


def dataframe(report: ActionReport) -> Any:
    """One row for each density and width."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "network": report.network,
                "order": found.order,
                "density": found.density,
                "route": report.route,
                "width": amplitude.width,
                "networks": amplitude.networks,
                "distance": amplitude.value,
                "error": amplitude.error,
                "bound": amplitude.bound,
                "in_fit": amplitude.width in found.used,
                "claimed_power": None if found.slope is None else found.slope.claimed,
                "power": None if found.slope is None else found.slope.value,
                "power_error": None if found.slope is None else found.slope.error,
                "verdict": None if found.slope is None else str(found.slope.verdict),
            }
            for found in report.distances
            for amplitude in found.amplitudes
        ]
    )


def _assumed(report: ActionReport) -> list[str]:
    """What the route takes for granted."""
    if not report.route_assumes:
        return []
    return [f"assumes, and so does not test: {'; '.join(report.route_assumes)}"]


def _header(report: ActionReport) -> tuple[str, ...]:
    return ("width", *(found.name for found in report.distances))


def _rows(report: ActionReport) -> list[tuple[str, ...]]:
    return [
        (str(width), *(str(found.amplitudes[row]) for found in report.distances))
        for row, width in enumerate(report.widths)
    ]


def _what(report: ActionReport) -> str:
    grid = next(iter(report.densities.values())).grid
    return (
        f"distance of the sampled density (route {report.route}), {grid.cells} cells within "
        f"{grid.edges[-1]:g} standard deviations"
    )


def latex(report: ActionReport) -> str:
    """Table of distances by the width, the claimed and the measured power below."""
    names = {"gaussian": "Gaussian", "action": r"$e^{-S}$", "edgeworth": "Edgeworth"}
    header = ["$N$"]
    for found in report.distances:
        own = names[found.density]
        header.append(f"{{{own}}}" if found.order == 0 else f"{{{own}, $N^{{-{found.order}}}$}}")
    rows = [
        [f"${width}$", *(_cell(found, row) for found in report.distances)]
        for row, width in enumerate(report.widths)
    ]
    if report.slopes:
        rows.append(["claimed", *(f"{slope.claimed:g}" for slope in report.slopes)])
        rows.append(["measured", *(reports.uncertain(s.value, s.error) for s in report.slopes)])
        rows.append(["verdict", *(f"{{{slope.verdict}}}" for slope in report.slopes)])
    caption = reports.latex_text(
        f"{report.network}: distance of the sampled density from the Gaussian, from the "
        "exponentiated action and from the Edgeworth density by the order kept, and the power of "
        f"N with which it falls (route {report.route}). Verdict: {report.verdict}."
    )
    return reports.latex_table(
        header, rows, column_format="l" + "S" * len(report.distances), caption=caption
    )


def _cell(found: DensityDistance, row: int) -> str:
    amplitude = found.amplitudes[row]
    if amplitude.error > 0:
        return reports.uncertain(amplitude.value, amplitude.error)
    return f"{{below {amplitude.bound:.2g}}}"
