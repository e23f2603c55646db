"""Feynman rules: what vertices, lines and legs of a diagram stand for, in either direction."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from nnft_sym.diagrams.diagram import Diagram, Vertex

__all__ = ["CORRELATORS_FROM_COUPLINGS", "COUPLINGS_FROM_CUMULANTS", "FeynmanRules", "order_label"]


@dataclass(frozen=True, kw_only=True)
class FeynmanRules:
    """Signs and names with which diagrams are read.

    Parameters
    ----------
    quantity : str
        What diagrams with n legs add up to, as LaTeX with the field {n}.
    vertex : str
        Name of a vertex, as LaTeX with the fields {valence} and {order}.
    line, leg : str
        Name of a line between two vertices, and of a line to an external point.
    overall, vertex_sign, line_sign : int
        Signs of the sum, of each vertex and of each line.
    graded : bool
        Whether vertices of one valence come in several orders of 1/N.
    """

    quantity: str
    vertex: str
    line: str
    leg: str
    overall: int
    vertex_sign: int
    line_sign: int
    graded: bool

    def sign(self, diagram: Diagram) -> int:
        """Product of all signs of a diagram.

        Examples
        --------
        >>> quartic = Vertex(4, 2)
        >>> loop = Diagram(vertices=(quartic,), legs=(2,), lines=((1,),))
        >>> COUPLINGS_FROM_CUMULANTS.sign(loop), CORRELATORS_FROM_COUPLINGS.sign(loop)
        (1, -1)
        """
        vertices = self.vertex_sign ** len(diagram.vertices)
        return self.overall * vertices * self.line_sign**diagram.internal

    def coefficient(self, diagram: Diagram) -> Fraction:
        """Factor of each distinct labelling of the legs."""
        return Fraction(self.sign(diagram), diagram.labelled_symmetry_factor)

    def vertex_name(self, vertex: Vertex) -> str:
        """LaTeX of a vertex."""
        return self.vertex.format(valence=vertex.valence, order=order_label(vertex.order))


def order_label(order: int) -> str:
    """Power of 1/N of a count of N^{-1/2}, as LaTeX.

    Examples
    --------
    >>> order_label(4), order_label(3)
    ('2', '3/2')
    """
    return str(Fraction(order, 2))


COUPLINGS_FROM_CUMULANTS = FeynmanRules(
    quantity="g_{{{n}}}",
    vertex="G_c^{{({valence})}}",
    line="G^{-1}",
    leg="G^{-1}",
    overall=-1,
    vertex_sign=1,
    line_sign=-1,
    graded=False,
)
"""The action -log P: vertices are connected correlators, lines and legs amputate them."""

CORRELATORS_FROM_COUPLINGS = FeynmanRules(
    quantity="G_c^{{({n})}}",
    vertex="g_{{{valence}}}^{{[{order}]}}",
    line="G",
    leg="G",
    overall=1,
    vertex_sign=-1,
    line_sign=1,
    graded=True,
)
"""Perturbation theory in the couplings, g_2 - G^{-1} being a vertex with two legs."""
