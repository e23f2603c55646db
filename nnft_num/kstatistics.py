"""Multivariate k-statistics: unbiased joint cumulants from power sums.

    k = sum over set partitions sigma of {1..k} of c_sigma(n) * product over blocks of S_B,
    c_sigma(n) = sum over pi <= sigma of (-1)^(|pi|-1) (|pi|-1)! mu(pi, sigma) / (n)_|pi|,

where S_B sums the product of the variables in block B over the n samples, (n)_j is the falling
factorial and mu(pi, sigma) = product over blocks of (-1)^(b-1) (b-1)!, b blocks of pi in each.

Source: A. Stuart, K. Ord, Kendall's Advanced Theory of Statistics, vol. 1, ch. 12-13.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import factorial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nnft_num.moments import order_offsets
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import multi_indices, rank_of

__all__ = ["MAX_ORDER", "coefficients", "k_statistics", "partitions"]

MAX_ORDER = 8
"""Highest order: 4140 set partitions."""

_CHUNK = 4096
"""Entries whose positions are held at a time."""


@lru_cache(maxsize=MAX_ORDER + 1)
def partitions(order: int) -> tuple[tuple[int, ...], ...]:
    """Set partitions of {0..order-1}, each block as a bit mask.

    Examples
    --------
    >>> partitions(2)
    ((3,), (1, 2))
    """
    grown: list[tuple[int, ...]] = [()]
    for element in range(order):
        bit = 1 << element
        grown = [
            larger
            for partition in grown
            for larger in (
                *(
                    (*partition[:slot], block | bit, *partition[slot + 1 :])
                    for slot, block in enumerate(partition)
                ),
                (*partition, bit),
            )
        ]
    return tuple(grown)


@lru_cache(maxsize=MAX_ORDER + 1)
def _refinements(size: int) -> dict[int, int]:
    """Sum of mu(pi, whole) over the partitions pi of one block, by number of parts."""
    total: dict[int, int] = {}
    for partition in partitions(size):
        parts = len(partition)
        total[parts] = total.get(parts, 0) + (-1) ** (parts - 1) * factorial(parts - 1)
    return total


def coefficients(order: int, samples: int) -> list[Fraction]:
    """Compute the exact c_sigma(n) of every partition, in the order of ``partitions(order)``.

    Raises
    ------
    SpecificationError
        If there are fewer samples than the order: no unbiased estimate exists.

    Examples
    --------
    >>> coefficients(2, 5)
    [Fraction(1, 4), Fraction(-1, 20)]
    """
    if not 1 <= order <= MAX_ORDER or samples < order:
        raise SpecificationError(
            expected=f"an order from 1 to {MAX_ORDER} and at least as many networks",
            came=f"order {order} from {samples} networks",
            remedy="sample more networks, or ask for lower orders",
        )
    falling = [Fraction(1)]
    for step in range(order):
        falling.append(falling[-1] * (samples - step))
    by_sizes: dict[tuple[int, ...], Fraction] = {}
    values = []
    for partition in partitions(order):
        sizes = tuple(sorted(block.bit_count() for block in partition))
        if sizes not in by_sizes:
            polynomial = {0: 1}
            for size in sizes:
                product: dict[int, int] = {}
                for low, a in polynomial.items():
                    for parts, b in _refinements(size).items():
                        product[low + parts] = product.get(low + parts, 0) + a * b
                polynomial = product
            by_sizes[sizes] = sum(
                (
                    (-1) ** (parts - 1) * factorial(parts - 1) * a / falling[parts]
                    for parts, a in polynomial.items()
                ),
                start=Fraction(0),
            )
        values.append(by_sizes[sizes])
    return values


def k_statistics(
    order: int, dimension: int, means: NDArray[np.float64], counts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Unbiased joint cumulants of one order for several samples at once.

    Parameters
    ----------
    order : int
        k: number of fields.
    dimension : int
        m: number of different fields.
    means : ndarray, shape (C(m + K, K) - 1, R)
        Mean monomials of each sample, orders 1 to K >= k one after another as in
        ``Moments.table``.
    counts : ndarray, shape (R,)
        Size of each sample.

    Returns
    -------
    ndarray, shape (C(m + k - 1, k), R)

    Raises
    ------
    SpecificationError
        If a sample is smaller than the order.
    """
    blocks = partitions(order)
    columns = {}
    for samples in {int(count) for count in counts}:
        # means in place of sums keep the factors of order one
        columns[samples] = [
            float(value * Fraction(samples) ** len(partition))
            for value, partition in zip(coefficients(order, samples), blocks, strict=True)
        ]
    weights = np.array([columns[int(count)] for count in counts]).T.copy()
    lengths = np.array([len(partition) for partition in blocks])
    masks = np.zeros((len(blocks), order), dtype=np.int64)
    for row, partition in zip(masks, blocks, strict=True):
        row[: len(partition)] = partition
    starts = order_offsets(dimension, order)
    indices = multi_indices(order, dimension)
    means = np.ascontiguousarray(means[: starts[order]])
    out = np.zeros((len(indices), len(counts)))
    for first in range(0, len(indices), _CHUNK):
        part = indices[first : first + _CHUNK]
        position = np.zeros((len(part), 2**order), dtype=np.int64)
        for mask in range(1, 2**order):
            slots = [slot for slot in range(order) if mask >> slot & 1]
            position[:, mask] = starts[len(slots) - 1] + rank_of(part[:, slots], dimension)
        _combine(means, position, masks, lengths, weights, out[first : first + _CHUNK])
    return out


@njit(nogil=True, error_model="numpy")
def _combine(means: Any, position: Any, masks: Any, lengths: Any, weights: Any, out: Any) -> None:
    samples = means.shape[1]
    term = np.empty(samples)
    for entry in range(len(position)):
        for partition in range(len(lengths)):
            for r in range(samples):
                term[r] = weights[partition, r]
            for block in range(lengths[partition]):
                row = position[entry, masks[partition, block]]
                for r in range(samples):
                    term[r] *= means[row, r]
            for r in range(samples):
                out[entry, r] += term[r]
