r"""Gaussian integration by parts, down to moments without powers.

With half-spaces J of a product of factors, and S those already differentiated to δ(y_j), let
F_S[P] be the expectation of P(z) ∏_{j in S} δ(y_j) ∏_{j not in S} g(y_j).  Stein's identity is

.. math:: F_S[z_a P] = m^S_a F_S[P] + \sum_b W^S_{ab} F_S[\partial_b P]
          + \sum_{j \notin S} T^{S,j}_a F_{S \cup j}[P] ,

where m^S and W^S are mean and covariance given y_j = 0 for j in S, and T carries the covariance
of z_a with y_j times what g' has in front of its δ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

__all__ = ["State", "reduced"]

Given = frozenset[int]


@dataclass(frozen=True, kw_only=True)
class State:
    """The fields given y_j = 0 for some of the half-spaces, in any arithmetic.

    Parameters
    ----------
    mean : sequence
        m^S_a.
    covariance : sequence of sequences
        W^S_ab.
    transfer : mapping of int to sequence
        T^{S,j}_a for each half-space j not in S.
    """

    mean: Sequence[Any]
    covariance: Sequence[Sequence[Any]]
    transfer: Mapping[int, Sequence[Any]]


def reduced(
    states: Mapping[Given, State],
    polynomials: Sequence[Sequence[Any]],
    start: Given = frozenset(),
) -> dict[Given, Any]:
    """Write F_S[∏ P_a(z_a)], S = ``start``, as the sum of coefficients times F_T[1], T ⊇ S.

    Examples
    --------
    >>> plain = State(mean=[0, 0], covariance=[[2, 1], [1, 3]], transfer={})
    >>> reduced({frozenset(): plain}, [[0, 0, 1], [0, 0, 1]])
    {frozenset(): 8}
    """
    cache: dict[tuple[Given, tuple[int, ...]], dict[Given, Any]] = {}

    def monomial(given: Given, powers: tuple[int, ...]) -> dict[Given, Any]:
        if not any(powers):
            return {given: 1}
        if (given, powers) not in cache:
            state = states[given]
            a = next(i for i, p in enumerate(powers) if p)
            lower = (*powers[:a], powers[a] - 1, *powers[a + 1 :])
            total: dict[Given, Any] = {}
            _add(total, state.mean[a], monomial(given, lower))
            for b, p in enumerate(lower):
                if p:
                    contracted = (*lower[:b], p - 1, *lower[b + 1 :])
                    _add(total, p * state.covariance[a][b], monomial(given, contracted))
            for j, weights in state.transfer.items():
                _add(total, weights[a], monomial(given | {j}, lower))
            cache[given, powers] = total
        return cache[given, powers]

    result: dict[Given, Any] = {}
    for powers in product(*(range(len(P)) for P in polynomials)):
        coefficient: Any = 1
        for P, p in zip(polynomials, powers, strict=True):
            coefficient = coefficient * P[p]
        _add(result, coefficient, monomial(start, powers))
    return result


def _add(total: dict[Given, Any], factor: Any, terms: Mapping[Given, Any]) -> None:
    if isinstance(factor, (int, float)) and factor == 0:
        return
    for given, value in terms.items():
        added = factor * value
        total[given] = total[given] + added if given in total else added
