"""Couplings from cumulants, and cumulants from couplings, order by order in 1/N.

Both are one sum over connected diagrams.  Tensors are *bare*: what a diagram is worth before its
legs are attached, so that one matrix C, the line, serves both ways,

    couplings    g_n = C-amputated legs on  - n! sum_D (-1)^I/|Aut D| prod κ_k,
    correlators  G_n =                        n! sum_D (-1)^V/|Aut D| prod ĝ_k.

Orders are counted in powers p of N^{-1/2}: κ_k of a sum of N independent neurons has p = k - 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from nnft_sym.diagrams.contraction import Contraction, scaled, symmetric_product
from nnft_sym.diagrams.diagram import Vertex
from nnft_sym.diagrams.enumeration import diagrams_of_order
from nnft_sym.diagrams.rules import (
    CORRELATORS_FROM_COUPLINGS,
    COUPLINGS_FROM_CUMULANTS,
    FeynmanRules,
)
from nnft_sym.tensors import SymmetricTensor

__all__ = [
    "Graded",
    "bare_correlators",
    "bare_couplings",
    "cumulant_vertices",
    "diagram_sums",
    "graded_moments",
    "highest_degree",
]

Graded = Mapping[Vertex, SymmetricTensor]
"""Tensors by their number of indices and their power of N^{-1/2}."""

Matrix = NDArray[Any]


def highest_degree(order: int) -> int:
    """2k + 2: degree in f of the action at order N^{-k}, for an order counted in N^{-1/2}.

    Examples
    --------
    >>> [highest_degree(2 * k) for k in (0, 1, 2)]
    [2, 4, 6]
    """
    return order + 2


def cumulant_vertices(cumulants: Mapping[int, SymmetricTensor], order: int) -> Graded:
    """The connected correlators κ_k, k >= 3, that enter through order p = k - 2."""
    return {
        Vertex(k, k - 2): tensor
        for k, tensor in cumulants.items()
        if 3 <= k <= highest_degree(order)
    }


def bare_couplings(cumulants: Graded, order: int, line: Matrix | None) -> Graded:
    """Return the bare couplings ĝ_n of orders 1..order, n >= 0, without the free part.

    Parameters
    ----------
    cumulants : mapping of Vertex to SymmetricTensor
        Connected correlators.
    order : int
        Highest power of N^{-1/2}.
    line : ndarray or None
        The matrix that amputates; None for the identity.

    Notes
    -----
    P(f) = ∫dJ e^{-iJf + W(iJ)} with J shifted to its saddle is a Gaussian average over ξ of
    covariance -C of exp(sum_k κ_k (Cf + ξ)^k/k!); its logarithm is the sum over connected
    diagrams.  Source: [D23] section 3.

    Examples
    --------
    >>> kappa = {Vertex(4, 2): SymmetricTensor(4, 1, [0.1])}
    >>> {v.valence: float(t.entries[0]) for v, t in bare_couplings(kappa, 2, None).items()}
    {0: -0.0125, 2: 0.05, 4: -0.1}
    """
    return diagram_sums(cumulants, order, line, COUPLINGS_FROM_CUMULANTS)


def bare_correlators(couplings: Graded, order: int, line: Matrix | None) -> Graded:
    """Return the connected correlators of orders 1..order, beyond the free G, from ĝ.

    Examples
    --------
    >>> kappa = {Vertex(4, 2): SymmetricTensor(4, 1, [0.1])}
    >>> back = bare_correlators(bare_couplings(kappa, 2, None), 2, None)
    >>> {v.valence: float(t.entries[0]) for v, t in back.items()}
    {0: 0.0, 2: 0.0, 4: 0.1}
    """
    return diagram_sums(couplings, order, line, CORRELATORS_FROM_COUPLINGS)


def diagram_sums(
    vertices: Graded, order: int, line: Matrix | None, rules: FeynmanRules
) -> dict[Vertex, SymmetricTensor]:
    """Sum all connected diagrams of orders 1..order, by their number of legs and order."""
    contraction = Contraction(tensors=vertices, line=line)
    kinds = frozenset(vertices)
    result: dict[Vertex, SymmetricTensor] = {}
    for power in range(1, order + 1):
        for legs in range(highest_degree(power) + 1):
            for diagram in diagrams_of_order(kinds, power, legs):
                term = contraction.value(diagram) * rules.sign(diagram)
                place = Vertex(legs, power)
                result[place] = result[place] + term if place in result else term
    return result


def graded_moments(
    covariance: SymmetricTensor, cumulants: Graded, order: int, degree: int
) -> dict[tuple[int, int], SymmetricTensor]:
    """Return moments <f^n> of order p in N^{-1/2} by (n, p), for n up to a degree.

    m_n = sum_k C(n-1, k-1) κ_k m_{n-k}, symmetrised: the block of the first index has k members.

    Examples
    --------
    >>> one = SymmetricTensor(2, 1, [1.0])
    >>> kappa = {Vertex(4, 2): SymmetricTensor(4, 1, [0.1])}
    >>> moments = graded_moments(one, kappa, 2, 4)
    >>> {key: float(moments[key].entries[0]) for key in sorted(moments)}
    {(2, 0): 1.0, (4, 0): 3.0, (4, 2): 0.1}
    """
    blocks = {(2, 0): covariance}
    blocks |= {(vertex.valence, vertex.order): tensor for vertex, tensor in cumulants.items()}
    moments: dict[tuple[int, int], SymmetricTensor] = {}
    for n in range(1, degree + 1):
        terms = [((n, p), block) for (k, p), block in blocks.items() if k == n]
        for (k, p), block in blocks.items():
            for power in range(order - p + 1):
                if (n - k, power) in moments:
                    # All C(n, k) blocks are summed over; k/n of them hold the first index.
                    product = symmetric_product([block, moments[n - k, power]])
                    terms.append(((n, p + power), scaled(product, k, n)))
        for place, term in terms:
            moments[place] = moments[place] + term if place in moments else term
    return moments
