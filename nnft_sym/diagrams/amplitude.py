"""Amplitudes: diagrams read with Feynman rules, as expressions, LaTeX and drawings."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import sympy as sp

from nnft_sym.diagrams.diagram import Diagram
from nnft_sym.diagrams.drawing import feynhand, figure, png
from nnft_sym.diagrams.rules import FeynmanRules
from nnft_sym.language.markup import Shown, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Amplitude"]


@dataclass(frozen=True, kw_only=True)
class Amplitude(Shown):
    r"""What one diagram contributes: the sum over the labellings of its legs.

    Parameters
    ----------
    diagram : Diagram
        The graph.
    rules : FeynmanRules
        What its parts stand for.

    Examples
    --------
    >>> from nnft_sym.diagrams.diagram import Vertex
    >>> from nnft_sym.diagrams.rules import COUPLINGS_FROM_CUMULANTS
    >>> loop = Diagram(vertices=(Vertex(4, 2),), legs=(2,), lines=((1,),))
    >>> amplitude = Amplitude(diagram=loop, rules=COUPLINGS_FROM_CUMULANTS)
    >>> amplitude.coefficient, amplitude.labellings
    (Fraction(1, 2), 1)
    >>> print(amplitude.latex()[-22:])
    x_2) \,G^{-1}(y_3,y_4)
    """

    diagram: Diagram
    rules: FeynmanRules

    @property
    def coefficient(self) -> Fraction:
        """Sign over the symmetry factor of the diagram with labelled legs."""
        return self.rules.coefficient(self.diagram)

    @property
    def labellings(self) -> int:
        """Number of distinct ways to attach the points x_1 ... x_n."""
        return self.diagram.labellings

    @property
    def order(self) -> Fraction:
        """Power of 1/N."""
        return Fraction(self.diagram.order, 2)

    @cached_property
    def _slots(self) -> list[list[int]]:
        """Numbers of the integrated points y at each vertex: legs first, then lines."""
        numbers, slots = 0, []
        for vertex in self.diagram.vertices:
            slots.append(list(range(numbers + 1, numbers + vertex.valence + 1)))
            numbers += vertex.valence
        return slots

    @cached_property
    def _joined(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Pairs (y, x) of the legs and pairs (y, y) of the lines."""
        free = [list(slots) for slots in self._slots]
        owners = [v for v, count in enumerate(self.diagram.legs) for _ in range(count)]
        legs = [(free[v].pop(0), number) for number, v in enumerate(owners, start=1)]
        lines: list[tuple[int, int]] = []
        for v, row in enumerate(self.diagram.lines):
            lines += [(free[v].pop(0), free[v].pop(0)) for _ in range(row[v])]
            for w in range(v + 1, len(row)):
                lines += [(free[v].pop(0), free[w].pop(0)) for _ in range(row[w])]
        return legs, lines

    @property
    def expression(self) -> sp.Expr:
        """One labelling as a sympy expression, to be integrated over all y.

        Examples
        --------
        >>> from nnft_sym.diagrams.diagram import Vertex
        >>> from nnft_sym.diagrams.rules import COUPLINGS_FROM_CUMULANTS
        >>> contact = Diagram(vertices=(Vertex(1, 2),), legs=(1,), lines=((0,),))
        >>> Amplitude(diagram=contact, rules=COUPLINGS_FROM_CUMULANTS).expression
        -G^{-1}(y_1, x_1)*G_c^{(1)}(y_1)
        """
        legs, lines = self._joined
        factors: list[sp.Expr] = [sp.Rational(*self.coefficient.as_integer_ratio())]
        for vertex, slots in zip(self.diagram.vertices, self._slots, strict=True):
            name = sp.Function(self.rules.vertex_name(vertex))
            factors.append(name(*(_symbol("y", slot) for slot in slots)))
        line, leg = sp.Function(self.rules.line), sp.Function(self.rules.leg)
        factors += [line(_symbol("y", a), _symbol("y", b)) for a, b in lines]
        factors += [leg(_symbol("y", a), _symbol("x", b)) for a, b in legs]
        return sp.Mul(*factors)

    @property
    def factors(self) -> list[str]:
        """The contribution as LaTeX, between whose pieces a line may be broken."""
        legs, lines = self._joined
        pieces = []
        for vertex, slots in zip(self.diagram.vertices, self._slots, strict=True):
            points = ",".join(_point("y", slot) for slot in slots)
            pieces.append(self.rules.vertex_name(vertex) + (f"({points})" if slots else ""))
        amputating = [f"{self.rules.leg}({_point('y', a)},{_point('x', b)})" for a, b in legs]
        joining = [f"{self.rules.line}({_point('y', a)},{_point('y', b)})" for a, b in lines]
        for group in (amputating, joining):
            pieces += [rf"\,{piece}" if n == 0 else piece for n, piece in enumerate(group)]
        if legs or lines:
            pieces[0] = rf"\int_{{y}} {pieces[0]}"
        if self.labellings > 1:
            more = self.labellings - 1
            pieces[0] = rf"\Bigl[{pieces[0]}"
            pieces.append(rf"+ \text{{{more} {'perms' if more > 1 else 'perm'}}}\Bigr]")
        return [_number(self.coefficient) + pieces[0], *pieces[1:]]

    def latex(self) -> str:
        """Return the contribution as LaTeX, all y being integrated over."""
        return " ".join(self.factors)

    def tikz(self) -> str:
        """Return the drawing for the LaTeX package tikz-feynhand."""
        return feynhand(self.diagram, self.rules)

    def figure(self) -> Figure:
        """Return the drawing as a matplotlib figure."""
        return figure(self.diagram, self.rules)

    def _table(self) -> Table:
        return Table(
            title="what a diagram contributes",
            rows=(
                ("factor of each labelling", str(self.coefficient)),
                ("labellings", str(self.labellings)),
                ("order", f"N^-{self.order}"),
                ("loops", str(self.diagram.loops)),
            ),
        )

    def _repr_png_(self) -> bytes:
        return png(self.diagram, self.rules)

    def _repr_html_(self) -> str:
        image = b64encode(self._repr_png_()).decode("ascii")
        words = f"{self.coefficient} × {self.labellings} labellings, order N^-{self.order}"
        style = "display:inline-block;text-align:center;margin:4px"
        return (
            f'<figure style="{style}"><img alt="{words}" src="data:image/png;base64,{image}"/>'
            f"<figcaption>{words}</figcaption></figure>"
        )

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def __repr__(self) -> str:
        return f"Amplitude({self})"

    def __str__(self) -> str:
        return (
            f"{self.coefficient} x {self.labellings} labellings of {len(self.diagram.vertices)} "
            f"vertices, {self.diagram.internal} lines, {self.diagram.loops} loops"
        )


def _symbol(letter: str, number: int) -> sp.Symbol:
    return sp.Symbol(f"{letter}_{number}")


def _point(letter: str, number: int) -> str:
    return f"{letter}_{number}" if number < 10 else f"{letter}_{{{number}}}"


def _number(value: Fraction) -> str:
    """A rational number in front of a product, as LaTeX."""
    if abs(value) == 1:
        return "-" if value < 0 else ""
    sign, size = ("-" if value < 0 else ""), abs(value)
    if size.denominator == 1:
        return f"{sign}{size.numerator} "
    return rf"{sign}\frac{{{size.numerator}}}{{{size.denominator}}} "
