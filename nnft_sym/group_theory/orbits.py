"""Invariants of signed permutations: one for each orbit on which no element reverses the sign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sympy.polys.domains import QQ
from sympy.polys.matrices import DomainMatrix

from nnft_sym.group_theory.representations import Representation

__all__ = ["orbit_vectors"]


def orbit_vectors(
    rho_in: Representation, rho_out: Representation
) -> tuple[Mapping[int, Any], ...] | None:
    """Return W with ρ_out W = W ρ_in where all generators are signed permutations, else None.

    An entry W_ij is carried to ±W_kl: orbits are the connected components of the graph on ±(i, j),
    and a component that holds both signs of an entry forces it to vanish.
    """
    if rho_in.exact_algebra:
        return None
    ins = [_signed(g) for g in rho_in.exact_finite]
    outs = [_signed(g) for g in rho_out.exact_finite]
    rows, columns = rho_out.dimension, rho_in.dimension
    size = rows * columns
    nodes = np.arange(2 * size)
    images = []
    for right, left in zip(ins, outs, strict=True):
        if right is None or left is None:
            return None
        place = (left[0][:, None] * columns + right[0][None, :]).ravel()
        flips = (left[1][:, None] ^ right[1][None, :]).ravel().astype(int)
        images.append(np.concatenate([place + size * flips, place + size * (1 - flips)]))
    return _read_off(_components(nodes, images), size)


def _signed(matrix: DomainMatrix) -> tuple[np.ndarray, np.ndarray] | None:
    """Return i and whether the sign is negative, for e_j → ±e_i; None for other matrices."""
    n = matrix.shape[1]
    entries = list(matrix.iter_items())
    one = matrix.domain.one
    if len(entries) != n or any(value not in (one, -one) for _, value in entries):
        return None
    image, negative = np.empty(n, dtype=int), np.empty(n, dtype=bool)
    for (i, j), value in entries:
        image[j], negative[j] = i, value == -one
    return image, negative


def _components(nodes: np.ndarray, images: list[np.ndarray]) -> np.ndarray:
    """Label the components of the graph with edges from each node to its images."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sources = np.concatenate([nodes for _ in images]) if images else nodes
    targets = np.concatenate(images) if images else nodes
    graph = coo_array((np.ones(len(sources), dtype=np.int8), (sources, targets)))
    return np.asarray(connected_components(graph, directed=False)[1])


def _read_off(labels: np.ndarray, size: int) -> tuple[Mapping[int, Any], ...]:
    """One vector for each pair of mirror components, +1 at its first entry."""
    signs = {False: QQ.one, True: -QQ.one}
    first = np.full(labels.max() + 1, size)
    np.minimum.at(first, labels, np.tile(np.arange(size), 2))
    heads = np.unique(first)
    kept = heads[labels[heads] != labels[heads + size]]
    chosen = np.full(labels.max() + 1, -1)
    chosen[labels[kept]] = np.arange(len(kept))
    vectors: list[dict[int, Any]] = [{} for _ in kept]
    numbers = chosen[labels]
    for node in np.flatnonzero(numbers >= 0).tolist():
        vectors[numbers[node]][node % size] = signs[node >= size]
    return tuple(vectors)
