"""All connected diagrams of given vertices and number of legs, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import networkx as nx

from nnft_sym.diagrams.diagram import Diagram, Vertex

__all__ = ["connected_diagrams", "diagrams_of_order"]


@lru_cache(maxsize=4096)
def connected_diagrams(vertices: tuple[Vertex, ...], legs: int) -> tuple[Diagram, ...]:
    """Return the connected diagrams of the given vertices with n legs, none twice.

    Parameters
    ----------
    vertices : tuple of Vertex
        All vertices, equal ones repeated.
    legs : int
        n: number of external legs.

    Examples
    --------
    >>> quartic = Vertex(4, 2)
    >>> [d.symmetry_factor for d in connected_diagrams((quartic,), 2)]
    [4]
    >>> [d.labelled_symmetry_factor for d in connected_diagrams((quartic, quartic), 2)]
    [4, 4, 6]
    """
    slots = sum(vertex.valence for vertex in vertices)
    if not vertices or legs < 0 or legs > slots or (slots - legs) % 2:
        return ()
    ordered = tuple(sorted(vertices))
    classes: dict[object, list[Diagram]] = {}
    for ends, lines in _fillings(ordered, legs):
        if not _connected(lines):
            continue
        found = Diagram(vertices=ordered, legs=ends, lines=lines)
        known = classes.setdefault(_invariant(found), [])
        if not any(found.is_isomorphic(other) for other in known):
            known.append(found)
    return tuple(diagram for members in classes.values() for diagram in members)


@lru_cache(maxsize=256)
def diagrams_of_order(vertices: frozenset[Vertex], order: int, legs: int) -> tuple[Diagram, ...]:
    """Return the connected diagrams of order N^{-order/2} with n legs.

    Parameters
    ----------
    vertices : frozenset of Vertex
        The vertices of the theory.
    order : int
        Total power of N^{-1/2}.
    legs : int
        n: number of external legs.

    Examples
    --------
    >>> cumulants = frozenset({Vertex(4, 2), Vertex(6, 4)})
    >>> [len(diagrams_of_order(cumulants, 4, n)) for n in (0, 2, 4, 6, 8)]
    [3, 4, 3, 2, 0]
    """
    contents = _contents(tuple(sorted(vertices)), order)
    return tuple(d for content in contents for d in connected_diagrams(content, legs))


def _contents(kinds: Sequence[Vertex], order: int) -> Iterator[tuple[Vertex, ...]]:
    """All multisets of vertices whose orders add up."""
    if order == 0:
        yield ()
        return
    for position, kind in enumerate(kinds):
        if kind.order <= order:
            for rest in _contents(kinds[position:], order - kind.order):
                yield (kind, *rest)


def _fillings(
    vertices: tuple[Vertex, ...], legs: int
) -> Iterator[tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]]:
    """Numbers of legs and lines that fill all slots, up to some orderings of equal vertices."""
    size = len(vertices)
    free = [vertex.valence for vertex in vertices]
    lines = [[0] * size for _ in range(size)]
    ends = [0] * size

    def place(v: int, w: int, left: int) -> Iterator[None]:
        """Choose what vertex v does from neighbour w on, with so many legs left."""
        if v == size:
            if left == 0:
                yield None
            return
        if w == size:
            yield from choose_own(v, left)
            return
        for m in range(min(free[v], free[w]) + 1):
            lines[v][w] = lines[w][v] = m
            free[v] -= m
            free[w] -= m
            yield from place(v, w + 1, left)
            free[v] += m
            free[w] += m
        lines[v][w] = lines[w][v] = 0

    def choose_own(v: int, left: int) -> Iterator[None]:
        for own in range(free[v] // 2 + 1):
            legs_here = free[v] - 2 * own
            if legs_here > left:
                continue
            ends[v], lines[v][v] = legs_here, own
            equal = v > 0 and vertices[v] == vertices[v - 1]
            if equal and (ends[v - 1], lines[v - 1][v - 1]) < (legs_here, own):
                continue
            yield from place(v + 1, v + 2, left - legs_here)
        ends[v], lines[v][v] = 0, 0

    for _ in place(0, 1, legs):
        yield tuple(ends), tuple(map(tuple, lines))


def _connected(lines: Iterable[tuple[int, ...]]) -> bool:
    rows = tuple(lines)
    reached, edge = {0}, [0]
    while edge:
        new = {w for w, m in enumerate(rows[edge.pop()]) if m} - reached
        reached |= new
        edge += new
    return len(reached) == len(rows)


def _invariant(diagram: Diagram) -> object:
    """What isomorphic diagrams share: cheap, so that few pairs need to be compared."""
    graph = diagram.graph

    def seen_from(v: int) -> tuple[object, ...]:
        around = sorted((graph.nodes[w]["kind"], graph[v][w]["lines"]) for w in graph[v])
        return (graph.nodes[v]["kind"], tuple(around))

    hops = nx.wiener_index(graph) if len(graph) > 1 else 0
    return (hops, tuple(sorted(map(seen_from, graph))))
