"""Identities that a correct action satisfies order by order in 1/N."""

from __future__ import annotations

from collections.abc import Mapping
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_sym.actions.expansions import (
    Graded,
    cumulant_vertices,
    graded_moments,
    highest_degree,
)
from nnft_sym.diagrams.contraction import scaled
from nnft_sym.tensors import SymmetricTensor, multi_indices, rank_of

__all__ = ["schwinger_dyson_defects"]


def schwinger_dyson_defects(
    couplings: Graded, cumulants: Mapping[int, SymmetricTensor], order: int
) -> dict[int, NDArray[Any]]:
    r"""Return sum_k ⟨y_a ĝ_{k,b...} y^{k-1}⟩/(k-1)!, which vanishes at each order p in N^{-1/2}.

    Parameters
    ----------
    couplings : mapping of Vertex to SymmetricTensor
        Bare couplings ĝ_k, without the free part.
    cumulants : mapping of int to SymmetricTensor
        Of the coordinates y that bare couplings multiply.
    order : int
        Highest p.

    Notes
    -----
    The free part of ⟨f_a ∂S/∂f_b⟩ is G G⁻¹ by itself; the identity says that nothing is added.

    Examples
    --------
    >>> from nnft_sym.actions.expansions import bare_couplings
    >>> kappa = {2: SymmetricTensor(2, 1, [1.0]), 4: SymmetricTensor(4, 1, [0.1])}
    >>> couplings = bare_couplings(cumulant_vertices(kappa, 2), 2, None)
    >>> schwinger_dyson_defects(couplings, kappa, 2)
    {2: array([[0.]])}
    """
    vertices = cumulant_vertices(cumulants, order)
    moments = graded_moments(cumulants[2], vertices, order, highest_degree(order))
    defects: dict[int, NDArray[Any]] = {}
    for vertex, tensor in couplings.items():
        k = vertex.valence
        for power in range(vertex.order, order + 1):
            moment = moments.get((k, power - vertex.order))
            if k and moment is not None:
                term = _average(moment, scaled(tensor, 1, factorial(k - 1)))
                defects[power] = defects[power] + term if power in defects else term
    return dict(sorted(defects.items()))


def _average(moment: SymmetricTensor, derivative: SymmetricTensor) -> NDArray[Any]:
    """Contract all indices but the first of each."""
    m = moment.dimension
    rest = multi_indices(moment.order - 1, m)
    table = np.stack([rank_of(np.hstack([np.full((len(rest), 1), a), rest]), m) for a in range(m)])
    counts = SymmetricTensor(moment.order - 1, m, np.zeros(len(rest))).multiplicities
    left = moment.entries[table]
    if left.dtype == object:
        counts = np.array([int(count) for count in counts], dtype=object)
    return np.dot(left * counts, derivative.entries[table].T)
