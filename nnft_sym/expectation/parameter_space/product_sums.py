"""Weighted sums over nodes of products of a neuron at several points."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.expectation.parameter_space.strips import Combinations
from nnft_sym.language.errors import InfiniteMomentError
from nnft_sym.tensors import multi_indices, rank_of

__all__ = ["finite_sum", "products"]

Floats = NDArray[np.float64]

_EPS = np.finfo(np.float64).eps


def finite_sum(
    neuron: sp.Expr,
    inputs: tuple[sp.Symbol, ...],
    X: Floats,
    combinations: Combinations,
    orders: list[int],
) -> dict[int, tuple[Floats, Floats]]:
    """Sum over all combinations of discrete parameters, with rounding errors.

    Examples
    --------
    >>> w, x = sp.symbols("w x", real=True)
    >>> fair = Combinations(
    ...     names=(w,), atoms=np.array([[-1.0], [1.0]]), probabilities=np.array([0.5, 0.5])
    ... )
    >>> finite_sum(sp.Abs(w * x), (x,), np.array([[2.0]]), fair, [2])[2][0].tolist()
    [4.0]
    """
    function = sp.lambdify((*inputs, *combinations.names), neuron, modules=["scipy", "numpy"])
    columns = [column[None, :] for column in X.T]
    atoms = [column[:, None] for column in combinations.atoms.T]
    with np.errstate(all="ignore"):
        h = np.asarray(function(*columns, *atoms), dtype=np.float64)
    h = np.broadcast_to(h, (len(combinations.probabilities), len(X)))
    if not np.all(np.isfinite(h)):
        raise InfiniteMomentError(
            expected="a neuron that is finite at every value of its discrete parameters",
            came=f"{neuron}, which is not",
            remedy="leave out the points at which it is singular",
        )
    p = combinations.probabilities
    result = {}
    for order, value in _moment_sums(h, p[:, None], orders).items():
        bound = _moment_sums(np.abs(h), p[:, None], [order])[order][:, 0]
        result[order] = value[:, 0], 8 * _EPS * (order + 4) * bound
    return result


def _moment_sums(h: Floats, weights: Floats, orders: list[int]) -> dict[int, Floats]:
    """Sum over nodes weight times products: h (N, n), weights (N, s) to (entries, s)."""
    n = h.shape[1]
    largest = len(multi_indices(max(orders), n))
    step = max(1, (1 << 24) // largest)
    total = {k: np.zeros((len(multi_indices(k, n)), weights.shape[1])) for k in orders}
    for start in range(0, len(h), step):
        nodes = slice(start, start + step)
        for k, block in products(h[nodes], orders):
            total[k] += block.T @ weights[nodes]
    return total


def products(h: Floats, orders: list[int]) -> Iterator[tuple[int, Floats]]:
    """Products h_{a_1}...h_{a_k} over unique multi-indices, along the last axis."""
    n = h.shape[-1]
    block = h
    for k in range(1, max(orders) + 1):
        if k > 1:
            indices = multi_indices(k, n)
            block = block[..., rank_of(indices[:, :-1], n)] * h[..., indices[:, -1]]
        if k in orders:
            yield k, block
