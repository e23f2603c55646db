"""Reports of actions against samples as text and LaTeX: pure functions of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnft_num import reports

if TYPE_CHECKING:
    from nnft_num.action_checks import ActionReport, DensityDistance

__all__ = ["latex", "text"]


def text(report: ActionReport) -> str:
    """Terminal tables: couplings, distances by the width, and their powers of N."""
    lines = [report.couplings.to_text()]
    header = ("width", *(_name(found) for found in report.distances))
    rows = [
        (str(width), *(str(found.amplitudes[row]) for found in report.distances))
        for row, width in enumerate(report.widths)
    ]
    grid = next(iter(report.histograms.values())).grid
    lines.append(
        f"distance of the sampled density, {grid.cells} cells within {grid.edges[-1]:g} standard "
        "deviations:"
    )
    lines.append(reports.columns(header, rows))
    lines += [str(slope) for slope in report.slopes]
    criterion = report.criterion
    lines.append(
        f"verdict: {report.verdict} (family-wise level {criterion.level:g} over "
        f"{criterion.family} comparisons; resolution {criterion.resolution:g} asked for)"
    )
    return "\n".join(lines)


def _name(found: DensityDistance) -> str:
    return found.density if found.order == 0 else f"{found.density} {found.order}"


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
        f"N with which it falls. Verdict: {report.verdict}."
    )
    return reports.latex_table(
        header, rows, column_format="l" + "S" * len(report.distances), caption=caption
    )


def _cell(found: DensityDistance, row: int) -> str:
    amplitude = found.amplitudes[row]
    if amplitude.error > 0:
        return reports.uncertain(amplitude.value, amplitude.error)
    return f"{{below {amplitude.bound:.2g}}}"
