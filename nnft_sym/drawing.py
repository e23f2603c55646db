"""Portrait of a network: its architecture as SVG, its neurons and densities as a table.

Layers are columns of neurons, with the names of the weights between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

import sympy as sp

from nnft_sym.language.markup import Cell, Table
from nnft_sym.mathml import Formula

if TYPE_CHECKING:
    from nnft_sym.density import Density
    from nnft_sym.networks import Network

__all__ = ["Column", "architecture_svg", "network_svg", "network_table"]

_SPACING = 150
_STEP = 34
_RADIUS = 11
_TOP = 44
_MOST = 4


@dataclass(frozen=True, kw_only=True)
class Column:
    """One layer of a drawing.

    Parameters
    ----------
    size : str
        Number of its neurons, in figures or as a name.
    above : str
        What its neurons do.
    below : str
        What it is called.
    weights : str
        What stands between it and the layer before.
    """

    size: str
    above: str
    below: str
    weights: str = ""

    @property
    def neurons(self) -> tuple[bool, ...]:
        """Neurons that are drawn; False for the dots that stand for the others."""
        if self.size.isdigit() and int(self.size) <= _MOST:
            return (True,) * int(self.size)
        return (True, True, False, True)


def architecture_svg(columns: Sequence[Column], title: str) -> str:
    """Return the drawing; lines have the colour of the text around it.

    Parameters
    ----------
    columns : sequence of Column
        Inputs, hidden layers, outputs.
    title : str
        What a reader who does not see it is told.

    Examples
    --------
    >>> drawing = architecture_svg([Column(size="1", above="x", below="inputs")], "a point")
    >>> drawing.count("<circle"), drawing.startswith("<svg")
    (1, True)
    """
    height = _TOP + _STEP * _MOST + 34
    width = _SPACING * len(columns)
    places = [_places(number, column, height) for number, column in enumerate(columns)]
    lines = [
        f'<line x1="{x1 + _RADIUS}" y1="{y1:g}" x2="{x2 - _RADIUS}" y2="{y2:g}"/>'
        for left, right in pairwise(places)
        for x1, y1, drawn in left
        if drawn
        for x2, y2, also in right
        if also
    ]
    marks = [
        f'<circle cx="{x}" cy="{y:g}" r="{_RADIUS}"/>'
        if drawn
        else f'<text x="{x}" y="{y + 5:g}" font-size="18">⋮</text>'
        for column in places
        for x, y, drawn in column
    ]
    words = []
    for number, column in enumerate(columns):
        x = _SPACING * number + _SPACING // 2
        words.append(f'<text x="{x}" y="18">{escape(column.above)}</text>')
        words.append(f'<text x="{x}" y="{height - 8}">{escape(column.below)}</text>')
        if column.weights:
            between = x - _SPACING // 2
            words.append(f'<text x="{between}" y="36">{escape(column.weights)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
        f'<g stroke="currentColor" stroke-opacity="0.45" stroke-width="0.8">{"".join(lines)}</g>'
        '<g fill="#56B4E9" stroke="currentColor" stroke-width="1.2" text-anchor="middle" '
        'font-family="sans-serif" font-size="12">'
        f"{''.join(mark for mark in marks if mark.startswith('<circle'))}</g>"
        '<g fill="currentColor" text-anchor="middle" font-family="sans-serif" font-size="12">'
        f"{''.join(mark for mark in marks if mark.startswith('<text'))}{''.join(words)}</g></svg>"
    )


def network_svg(net: Network) -> str:
    """Return the drawing of a network."""
    columns = [Column(size=str(net.dimension or "d"), above="", below="inputs x")]
    for number, layer in enumerate(net.layers, start=1):
        mark = f"{number}" if net.depth > 1 else ""
        dense = hasattr(layer, "activation")
        drawn = f"W{mark}" + f", b{mark}" * (len(layer.densities) > 1)
        columns.append(
            Column(
                size=str(layer.width),
                above=layer.activation.name if hasattr(layer, "activation") else "h(x; θ)",
                below=f"{layer.width} neurons",
                weights=drawn if dense else "θ",
            )
        )
    biased = any(bias is not None for bias in net.readout.biases)
    columns.append(
        Column(
            size=str(net.outputs),
            above="",
            below="output f" if net.outputs == 1 else f"{net.outputs} outputs f",
            weights="a, c" if biased else "a",
        )
    )
    return architecture_svg(columns, f"architecture of {net.name}")


def network_table(net: Network) -> Table:
    """Neurons and densities of a network, one row for each layer."""
    rows: list[tuple[str | Cell, ...]] = []
    named: list[tuple[str, Density | None]]
    for number, layer in enumerate(net.layers, start=1):
        mark = f"_{{{number}}}" if net.depth > 1 else ""
        if hasattr(layer, "activation"):
            phi = layer.activation.formula
            does = Formula(rf"\phi(z) = {phi.source}", f"phi(z) = {phi.text}")
            named = [
                (f"{a}{mark}", density) for a, density in zip("Wb", layer.densities, strict=False)
            ]
        else:
            does = Formula(rf"h = {sp.latex(layer.expression)}", f"h = {layer.expression}")
            named = [(",".join(map(sp.latex, names)), d) for names, d in layer.parameters]
        width = Formula(sp.latex(layer.width), str(layer.width))
        rows.append((f"hidden layer {number}", width, does, _densities(named)))
    named = [
        (f"{letter}_{{{j}}}" if net.outputs > 1 else letter, density)
        for j, pair in enumerate(zip(net.readout.weights, net.readout.biases, strict=True), start=1)
        for letter, density in zip("ac", pair, strict=True)
    ]
    rows.append(("readout", str(net.outputs), "", _densities(named)))
    return Table(
        title=net.name,
        header=("part", "width", "neuron", "densities"),
        rows=tuple(rows),
        notes=(f"source: {net.source}",) if net.source else (),
    )


def _densities(named: Sequence[tuple[str, Density | None]]) -> Formula:
    """Symbols with the densities they are drawn from."""
    present = [(name, density.formula) for name, density in named if density is not None]
    return Formula(
        r",\quad ".join(rf"{name} \sim {density.source}" for name, density in present),
        ", ".join(f"{name} ~ {density.text}" for name, density in present),
    )


def _places(number: int, column: Column, height: int) -> list[tuple[int, float, bool]]:
    """Centres of the neurons of a column, and whether each is a neuron or dots."""
    count = len(column.neurons)
    middle = (_TOP + height - 34) / 2 + 4
    x = _SPACING * number + _SPACING // 2
    return [
        (x, middle + _STEP * (row - (count - 1) / 2), drawn)
        for row, drawn in enumerate(column.neurons)
    ]
