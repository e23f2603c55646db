"""Polynomials sum_k T_k f^k/k! of a field over points, for many fields at once."""

from __future__ import annotations

from collections.abc import Mapping
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_sym.diagrams.contraction import scaled
from nnft_sym.tensors import SymmetricTensor

__all__ = ["form", "recentred"]

CHUNK = 1 << 21
"""Monomials held at one time."""


def form(tensor: SymmetricTensor, fields: NDArray[Any]) -> NDArray[Any]:
    """Return T f^k/k! for each field.

    Parameters
    ----------
    tensor : SymmetricTensor
        Order k over m indices.
    fields : ndarray, shape (s, m)
        One field in each row.

    Examples
    --------
    >>> form(SymmetricTensor(4, 1, [24.0]), np.array([[1.0], [2.0]])).tolist()
    [1.0, 16.0]
    """
    if tensor.entries.dtype == object or fields.dtype == object:
        return np.array([_exact_form(tensor, row) for row in fields], dtype=object)
    weights = tensor.entries * tensor.multiplicities / factorial(tensor.order)
    step = max(1, CHUNK // max(1, len(weights)))
    values = np.empty(len(fields))
    for start in range(0, len(fields), step):
        rows = fields[start : start + step]
        monomials = np.ones((len(rows), len(weights)))
        for slot in range(tensor.order):
            monomials *= rows[:, tensor.indices[:, slot]]
        values[start : start + step] = monomials @ weights
    return values


def _exact_form(tensor: SymmetricTensor, field: NDArray[Any]) -> Any:
    total: Any = 0
    for (index, entry), count in zip(tensor, tensor.multiplicities, strict=True):
        monomial: Any = 1
        for slot in index:
            monomial = monomial * field[slot]
        total = total + entry * monomial * int(count) / factorial(tensor.order)
    return total


def recentred(
    couplings: Mapping[int, SymmetricTensor], shift: NDArray[Any]
) -> dict[int, SymmetricTensor]:
    """Rewrite sum_k g_k (f - μ)^k/k! in powers of f: g'_k = sum_j g_{k+j} (-μ)^j/j!.

    Examples
    --------
    >>> square = {2: SymmetricTensor(2, 1, [1.0])}
    >>> {k: float(t.entries[0]) for k, t in sorted(recentred(square, np.array([3.0])).items())}
    {0: 4.5, 1: -3.0, 2: 1.0}
    """
    result: dict[int, SymmetricTensor] = {}
    for degree, tensor in couplings.items():
        lower = tensor
        for times in range(degree + 1):
            k = degree - times
            term = scaled(lower, 1, factorial(times))
            result[k] = result[k] + term if k in result else term
            if k:
                lower = lower.contract(-shift)
    return result
