"""Drawings of diagrams: tikz-feynhand for papers, matplotlib for screens."""

from __future__ import annotations

from io import BytesIO
from math import atan2, cos, pi, radians, sin
from typing import TYPE_CHECKING

from nnft_sym.diagrams.diagram import Diagram
from nnft_sym.diagrams.layout import Layout, Point, layout
from nnft_sym.diagrams.rules import FeynmanRules

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["feynhand", "figure", "png"]

OWN_REACH = 1.5
"""How far a line from a vertex to itself bulges out."""

OWN_OPENING = 40.0
"""Half the angle in degrees between the two ends of such a line."""

TIKZ_LOOSENESS = 0.3915
"""Share of the distance at which TikZ puts the control points of a bent line."""


def feynhand(diagram: Diagram, rules: FeynmanRules) -> str:
    r"""Return the diagram as a tikzpicture for the LaTeX package tikz-feynhand.

    Examples
    --------
    >>> from nnft_sym.diagrams.diagram import Vertex
    >>> from nnft_sym.diagrams.rules import COUPLINGS_FROM_CUMULANTS
    >>> contact = Diagram(vertices=(Vertex(4, 2),), legs=(4,), lines=((0,),))
    >>> print(feynhand(contact, COUPLINGS_FROM_CUMULANTS).splitlines()[2])
    \vertex [grayblob, label={center:$G_c^{(4)}$}] (v1) at (0, 0) {};
    """
    plan = layout(diagram)
    style = "dot" if rules.graded else "grayblob"
    place = "above" if rules.graded else "center"
    rows = [r"\begin{tikzpicture}", r"\begin{feynhand}"]
    for v, (x, y) in enumerate(plan.vertices):
        name = rules.vertex_name(diagram.vertices[v])
        mark = f"{style}, label={{{place}:${name}$}}"
        rows.append(rf"\vertex [{mark}] (v{v + 1}) at ({x:g}, {y:g}) {{}};")
    for number, (v, (x, y)) in enumerate(plan.legs, start=1):
        rows.append(rf"\vertex [particle] (x{number}) at ({x:.3g}, {y:.3g}) {{$x_{{{number}}}$}};")
        rows.append(rf"\propag [plain] (v{v + 1}) to (x{number});")
    for v, w, bend in plan.lines:
        option = f" [bend left={bend:g}]" if bend else ""
        rows.append(rf"\propag [plain] (v{v + 1}) to{option} (v{w + 1});")
    for v, angle in plan.own:
        out, back = angle - OWN_OPENING, angle + OWN_OPENING
        option = f"out={out:g}, in={back:g}, min distance={OWN_REACH:g}cm"
        rows.append(rf"\propag [plain] (v{v + 1}) to [{option}] (v{v + 1});")
    return "\n".join([*rows, r"\end{feynhand}", r"\end{tikzpicture}"])


def figure(diagram: Diagram, rules: FeynmanRules) -> Figure:
    """Return the diagram as a matplotlib figure, with its vertices and points named."""
    from matplotlib.figure import Figure

    plan = layout(diagram)
    corners = [*plan.vertices, *(end for _, end in plan.legs)]
    corners += [_beyond(plan, v, angle) for v, angle in plan.own]
    xs, ys = zip(*corners, strict=True)
    width, height = max(xs) - min(xs) + 1.4, max(ys) - min(ys) + 1.4
    canvas = Figure(figsize=(0.55 * width, 0.55 * height), dpi=110)
    axes = canvas.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(min(xs) - 0.7, max(xs) + 0.7)
    axes.set_ylim(min(ys) - 0.7, max(ys) + 0.7)
    _draw_lines(axes, plan)
    for number, (v, end) in enumerate(plan.legs, start=1):
        (x, y), (a, b) = plan.vertices[v], end
        axes.plot([x, a], [y, b], color="black", linewidth=1.2, zorder=1)
        axes.text(*_further(plan.vertices[v], end), f"$x_{{{number}}}$", ha="center", va="center")
    size = 12 if rules.graded else 30
    for v, (x, y) in enumerate(plan.vertices):
        face = "black" if rules.graded else "0.85"
        axes.plot([x], [y], "o", markersize=size, color=face, markeredgecolor="black", zorder=2)
        name, height = rules.vertex_name(diagram.vertices[v]), 0.45 if rules.graded else 0.0
        axes.text(x, y + height, f"${name}$", ha="center", va="center", fontsize=8, zorder=3)
    return canvas


def png(diagram: Diagram, rules: FeynmanRules) -> bytes:
    """Return the figure as the bytes of a PNG image."""
    buffer = BytesIO()
    figure(diagram, rules).savefig(buffer, format="png")
    return buffer.getvalue()


def _draw_lines(axes: Axes, plan: Layout) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    curves = [_bent(plan.vertices[v], plan.vertices[w], bend) for v, w, bend in plan.lines]
    curves += [_own(plan.vertices[v], angle) for v, angle in plan.own]
    codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    for points in curves:
        axes.add_patch(PathPatch(Path(points, codes), fill=False, linewidth=1.2, zorder=1))


def _bent(start: Point, end: Point, bend: float) -> list[Point]:
    dx, dy = end[0] - start[0], end[1] - start[1]
    away, back = atan2(dy, dx) + radians(bend), atan2(-dy, -dx) - radians(bend)
    reach = TIKZ_LOOSENESS * (dx**2 + dy**2) ** 0.5
    return [start, _towards(start, away, reach), _towards(end, back, reach), end]


def _own(vertex: Point, angle: float) -> list[Point]:
    out, back = radians(angle - OWN_OPENING), radians(angle + OWN_OPENING)
    return [vertex, _towards(vertex, out, OWN_REACH), _towards(vertex, back, OWN_REACH), vertex]


def _towards(point: Point, direction: float, distance: float) -> Point:
    return point[0] + distance * cos(direction), point[1] + distance * sin(direction)


def _beyond(plan: Layout, v: int, angle: float) -> Point:
    return _towards(plan.vertices[v], angle * pi / 180, OWN_REACH)


def _further(start: Point, end: Point) -> Point:
    """A little beyond the end of a leg, for its label."""
    return end[0] + 0.18 * (end[0] - start[0]), end[1] + 0.18 * (end[1] - start[1])
