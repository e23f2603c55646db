"""Feynman diagrams as graphs: vertices, legs, lines, and the symmetry factor they carry.

The logarithm of a Gaussian average of an exponential, log E_ξ exp V(φ + ξ), is the sum over
connected diagrams whose vertices are the Taylor coefficients of V, whose lines are the covariance
of ξ and whose legs are φ, each divided by the number of its automorphisms.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import factorial, prod

import networkx as nx
from networkx.algorithms.isomorphism import GraphMatcher

from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = ["Diagram", "Vertex"]


@dataclass(frozen=True, order=True)
class Vertex:
    """A vertex with k symmetric slots that counts as a power of N^{-1/2}.

    Parameters
    ----------
    valence : int
        k: number of slots, at least 0.
    order : int
        p: the vertex is of order N^{-p/2}, at least 1.

    Examples
    --------
    >>> Vertex(4, 2)
    Vertex(valence=4, order=2)
    """

    valence: int
    order: int

    def __post_init__(self) -> None:
        if self.valence < 0 or self.order < 1:
            raise SpecificationError(
                expected="a vertex of valence >= 0 and order >= 1",
                came=f"valence {self.valence}, order {self.order}",
                remedy="leave the free propagator out of the vertices",
            )


@dataclass(frozen=True, kw_only=True)
class Diagram(Shown):
    """A connected diagram: vertices, how many legs each carries, and the lines between them.

    Parameters
    ----------
    vertices : tuple of Vertex
        The vertices v = 1..V, at least one.
    legs : tuple of int
        e_v: number of external legs at each vertex.
    lines : tuple of tuple of int
        Symmetric matrix of the number of lines m_vw between vertices, with the number of lines
        s_v from a vertex to itself on the diagonal.

    Raises
    ------
    SpecificationError
        If the slots do not add up, k_v = e_v + 2 s_v + sum_w m_vw, or the diagram falls apart.

    Examples
    --------
    >>> quartic = Vertex(4, 2)
    >>> sunset = Diagram(vertices=(quartic, quartic), legs=(1, 1), lines=((0, 3), (3, 0)))
    >>> sunset.symmetry_factor, sunset.labelled_symmetry_factor, sunset.loops
    (12, 6, 2)
    """

    vertices: tuple[Vertex, ...]
    legs: tuple[int, ...]
    lines: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        size = len(self.vertices)
        square = len(self.legs) == len(self.lines) == size
        square = square and all(len(row) == size for row in self.lines)
        if not square or tuple(zip(*self.lines, strict=True)) != self.lines:
            raise SpecificationError(
                expected=f"{size} numbers of legs and a symmetric matrix of lines",
                came=f"legs {self.legs}, lines {self.lines}",
                remedy="give one row and one number for each vertex",
            )
        for v, vertex in enumerate(self.vertices):
            slots = self.legs[v] + sum(self.lines[v]) + self.lines[v][v]
            if slots != vertex.valence or self.legs[v] < 0 or min(self.lines[v]) < 0:
                raise SpecificationError(
                    expected=f"{vertex.valence} slots of vertex {v} filled",
                    came=f"{self.legs[v]} legs and lines {self.lines[v]}",
                    remedy="a line from a vertex to itself fills two slots",
                )
        if size == 0 or not nx.is_connected(self.graph):
            raise SpecificationError(
                expected="a connected diagram of at least one vertex",
                came=f"{size} vertices with lines {self.lines}",
                remedy="disconnected diagrams are products of connected ones",
            )

    @cached_property
    def graph(self) -> nx.Graph:
        """Vertices with their kind, legs and own lines; edges with the number of lines."""
        graph = nx.Graph()
        for v, vertex in enumerate(self.vertices):
            graph.add_node(v, kind=(vertex, self.legs[v], self.lines[v][v]))
        for v, row in enumerate(self.lines):
            graph.add_edges_from((v, w, {"lines": m}) for w, m in enumerate(row[:v]) if m)
        return graph

    def _table(self) -> Table:
        vertices = ", ".join(
            f"{v.valence} slots of order N^-{Fraction(v.order, 2)}" for v in self.vertices
        )
        return Table(
            title="connected diagram",
            rows=(
                ("vertices", vertices),
                ("legs", str(self.external)),
                ("lines", str(self.internal)),
                ("loops", str(self.loops)),
                ("order", f"N^-{Fraction(self.order, 2)}"),
                ("automorphisms", str(self.symmetry_factor)),
                ("automorphisms, legs held", str(self.labelled_symmetry_factor)),
                ("labellings of the legs", str(self.labellings)),
            ),
        )

    @property
    def order(self) -> int:
        """Power of N^{-1/2}."""
        return sum(vertex.order for vertex in self.vertices)

    @property
    def external(self) -> int:
        """n: number of external legs."""
        return sum(self.legs)

    @property
    def internal(self) -> int:
        """I: number of internal lines."""
        return sum(self.lines[v][w] for v in range(len(self.vertices)) for w in range(v + 1))

    @property
    def loops(self) -> int:
        """L = I - V + 1: number of independent loops; 0 for a tree."""
        return self.internal - len(self.vertices) + 1

    def matchings(self, other: Diagram) -> Iterator[dict[int, int]]:
        """All bijections of the vertices onto those of another diagram that keep everything."""
        matcher = GraphMatcher(
            self.graph,
            other.graph,
            node_match=lambda a, b: a["kind"] == b["kind"],
            edge_match=lambda a, b: a["lines"] == b["lines"],
        )
        yield from matcher.isomorphisms_iter()

    def is_isomorphic(self, other: Diagram) -> bool:
        """Whether the two are the same diagram drawn differently.

        Examples
        --------
        >>> a, b = Vertex(3, 1), Vertex(4, 2)
        >>> one = Diagram(vertices=(a, b), legs=(1, 2), lines=((0, 2), (2, 0)))
        >>> two = Diagram(vertices=(b, a), legs=(2, 1), lines=((0, 2), (2, 0)))
        >>> one.is_isomorphic(two)
        True
        """
        return next(self.matchings(other), None) is not None

    @cached_property
    def _swaps(self) -> int:
        """Exchanges of equal lines, and of the two ends of lines from a vertex to itself."""
        pairs = (self.lines[v][w] for v in range(len(self.lines)) for w in range(v))
        own = (self.lines[v][v] for v in range(len(self.lines)))
        return prod(map(factorial, pairs)) * prod(2**s * factorial(s) for s in own)

    @cached_property
    def symmetry_factor(self) -> int:
        """|Aut|: automorphisms of the diagram, legs being interchangeable."""
        vertices = sum(1 for _ in self.matchings(self))
        return vertices * prod(map(factorial, self.legs)) * self._swaps

    @cached_property
    def labelled_symmetry_factor(self) -> int:
        """Automorphisms that leave every leg in place."""
        held = [v for v, legs in enumerate(self.legs) if legs]
        fixing = sum(all(match[v] == v for v in held) for match in self.matchings(self))
        return fixing * self._swaps

    @property
    def labellings(self) -> int:
        """Number of distinct ways to attach n labelled points to the legs."""
        return factorial(self.external) * self.labelled_symmetry_factor // self.symmetry_factor

    @property
    def weight(self) -> Fraction:
        """1/|Aut|."""
        return Fraction(1, self.symmetry_factor)
