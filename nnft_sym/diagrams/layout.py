"""Where the vertices, legs and lines of a diagram go on paper."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, pi, sin

from nnft_sym.diagrams.diagram import Diagram

__all__ = ["Layout", "Point", "layout"]

Point = tuple[float, float]

SPACING = 2.2
"""Distance between neighbouring vertices."""

REACH = 1.3
"""Length of a leg."""

BEND = 38.0
"""Degrees between parallel lines where they leave a vertex."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A drawing in the plane.

    Parameters
    ----------
    vertices : tuple of Point
        Positions of the vertices.
    legs : tuple of (int, Point)
        Vertex and outer end of each leg.
    lines : tuple of (int, int, float)
        Two vertices and the angle in degrees by which the line leaves the straight one.
    own : tuple of (int, float)
        Vertex and direction in degrees of each line from a vertex to itself.
    """

    vertices: tuple[Point, ...]
    legs: tuple[tuple[int, Point], ...]
    lines: tuple[tuple[int, int, float], ...]
    own: tuple[tuple[int, float], ...]


def layout(diagram: Diagram) -> Layout:
    """Put vertices on a circle, legs and own lines in fans outwards, and parallel lines in arcs.

    Examples
    --------
    >>> from nnft_sym.diagrams.diagram import Vertex
    >>> tadpole = Diagram(vertices=(Vertex(4, 2),), legs=(2,), lines=((1,),))
    >>> plan = layout(tadpole)
    >>> plan.vertices, [leg[0] for leg in plan.legs], plan.own
    (((0.0, 0.0),), [0, 0], ((0, 90.0),))
    """
    size = len(diagram.vertices)
    vertices = _polygon(size)
    legs: list[tuple[int, Point]] = []
    own: list[tuple[int, float]] = []
    for v, (x, y) in enumerate(vertices):
        # Own lines in the middle of a fan would cross legs drawn through them: alternate.
        slots = _alternating(diagram.legs[v], diagram.lines[v][v])
        for angle, is_leg in zip(_fan(size, len(slots), (x, y)), slots, strict=True):
            if is_leg:
                legs.append((v, (x + REACH * cos(angle), y + REACH * sin(angle))))
            else:
                own.append((v, round(angle * 180 / pi, 1)))
    lines = [
        (v, w, BEND * (2 * number - m + 1) / 2)
        for v in range(size)
        for w in range(v + 1, size)
        for m in [diagram.lines[v][w]]
        for number in range(m)
    ]
    return Layout(vertices=vertices, legs=tuple(legs), lines=tuple(lines), own=tuple(own))


def _polygon(size: int) -> tuple[Point, ...]:
    if size == 1:
        return ((0.0, 0.0),)
    radius = SPACING / (2 * sin(pi / size))
    angles = [pi - 2 * pi * v / size for v in range(size)]
    return tuple((round(radius * cos(a), 3), round(radius * sin(a), 3)) for a in angles)


def _alternating(legs: int, own: int) -> list[bool]:
    """True for legs and False for own lines, those spread between the legs."""
    total = legs + own
    loops = {round((number + 0.5) * total / own - 0.5) for number in range(own)} if own else set()
    return [position not in loops for position in range(total)]


def _fan(size: int, slots: int, position: Point) -> list[float]:
    """Directions of legs and own lines: all around a single vertex, outwards of several."""
    if size == 1:
        return [pi / 2 + 2 * pi * (number + 0.5 - slots / 2) / slots for number in range(slots)]
    outward = atan2(position[1], position[0])
    opening = pi if size == 2 else pi * 0.8
    return [outward + opening * ((number + 0.5) / slots - 0.5) for number in range(slots)]
