"""Multivariate k-statistics: unbiased joint cumulants from power sums.

    k = sum over set partitions sigma of {1..k} of c_sigma(n) * product over blocks of S_B,
    c_sigma(n) = sum over pi <= sigma of (-1)^(|pi|-1) (|pi|-1)! mu(pi, sigma) / (n)_|pi|,

where S_B sums the product of the variables in block B over the n samples, (n)_j is the falling
factorial and mu(pi, sigma) = product over blocks of (-1)^(b-1) (b-1)!, b blocks of pi in each.

For variables a_j y_i with independent a_j of known moments, integrated out, every block B of pi
carries the factor w_B = E[product of its a_j], and the variables of S_B are the y_i alone.  Samples
that are no independent draws (n = None) are taken for the whole law: c_sigma is the coefficient of
the cumulant itself, (-1)^(|sigma|-1) (|sigma|-1)! product of w_B, on means in place of S_B.

Source: A. Stuart, K. Ord, Kendall's Advanced Theory of Statistics, vol. 1, ch. 12-13.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache, lru_cache
from math import factorial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nnft_num.statistics.moments import order_offsets
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import multi_indices, rank_of

__all__ = ["MAX_ORDER", "coefficients", "k_statistics", "partitions", "weighted_statistics"]

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


def coefficients(
    order: int,
    samples: int | None,
    labels: tuple[int, ...] | None = None,
    weights: Mapping[tuple[int, ...], float] | None = None,
) -> list[Fraction]:
    """Compute the exact c_sigma(n) of every partition, in the order of ``partitions(order)``.

    Parameters
    ----------
    order : int
        k: number of variables.
    samples : int or None
        n; None gives n^|sigma| c_sigma(n) as n grows without bound, the cumulant itself.
    labels : tuple of int, optional
        Label j of each variable a_j y_i.
    weights : mapping of tuple of int to float, optional
        w of each sorted tuple of labels of a block; 1 if not given.

    Raises
    ------
    SpecificationError
        If there are fewer samples than the order: no unbiased estimate exists.

    Examples
    --------
    >>> coefficients(2, 5)
    [Fraction(1, 4), Fraction(-1, 20)]
    >>> coefficients(2, None, (0, 0), {(0,): 0.0, (0, 0): 3.0})
    [Fraction(3, 1), Fraction(0, 1)]
    """
    if not 1 <= order <= MAX_ORDER or (samples is not None and samples < order):
        raise SpecificationError(
            expected=f"an order from 1 to {MAX_ORDER} and at least as many networks",
            came=f"order {order} from {samples} networks",
            remedy="sample more networks, or ask for lower orders",
        )
    kinds = labels or (0,) * order
    falling = [Fraction(1)]
    for step in range(order):
        falling.append(falling[-1] * (1 if samples is None else samples - step))

    def content(block: int) -> tuple[int, ...]:
        return tuple(sorted(kinds[slot] for slot in range(order) if block >> slot & 1))

    @cache
    def refined(block: tuple[int, ...]) -> dict[int, Fraction]:
        """Sum of mu(pi, block) w over the partitions pi of a block, by number of parts."""
        total: dict[int, Fraction] = {}
        for partition in partitions(len(block)):
            parts = len(partition)
            if samples is None and parts > 1:
                continue
            weight = Fraction((-1) ** (parts - 1) * factorial(parts - 1))
            for part in partition:
                inside = tuple(block[i] for i in range(len(block)) if part >> i & 1)
                weight *= 1 if weights is None else Fraction(weights[inside])
            total[parts] = total.get(parts, Fraction(0)) + weight
        return total

    @cache
    def coefficient(blocks: tuple[tuple[int, ...], ...]) -> Fraction:
        polynomial = {0: Fraction(1)}
        for block in blocks:
            product: dict[int, Fraction] = {}
            for low, a in polynomial.items():
                for parts, b in refined(block).items():
                    product[low + parts] = product.get(low + parts, Fraction(0)) + a * b
            polynomial = product
        terms = (
            (-1) ** (parts - 1) * factorial(parts - 1) * a / falling[parts]
            for parts, a in polynomial.items()
        )
        return sum(terms, start=Fraction(0))

    return [coefficient(tuple(sorted(map(content, blocks)))) for blocks in partitions(order)]


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
        If a sample is smaller than the order, or the means are of another shape.
    """
    return weighted_statistics(multi_indices(order, dimension), dimension, means, counts)


def weighted_statistics(
    indices: NDArray[np.intp],
    dimension: int,
    means: NDArray[np.float64],
    counts: NDArray[np.int64],
    labels: tuple[int, ...] | None = None,
    weights: Mapping[tuple[int, ...], float] | None = None,
    independent: bool = True,
) -> NDArray[np.float64]:
    """Joint cumulants of variables a_j y_i for several samples at once, the a_j integrated out.

    Parameters
    ----------
    indices : ndarray, shape (U, k)
        Variables y_i of each entry.
    dimension : int
        m: number of different variables.
    means, counts : ndarray
        As in :func:`k_statistics`.
    labels, weights
        As in :func:`coefficients`, the same labels for every entry.
    independent : bool
        Whether the samples are independent draws, of which the estimate is then unbiased.

    Returns
    -------
    ndarray, shape (U, R)

    Raises
    ------
    SpecificationError
        If a sample is smaller than the order, or the means are of another shape.
    """
    order = indices.shape[1]
    starts = order_offsets(dimension, order)
    if means.ndim != 2 or len(means) < starts[order] or means.shape[1] != len(counts):
        raise SpecificationError(
            expected=f"means of {starts[order]} monomials in {len(counts)} samples",
            came=f"shape {means.shape}",
            remedy="give a row for each monomial and a column for each sample",
        )
    blocks = partitions(order)
    columns = {}
    readout = () if weights is None else (labels, weights)
    for samples in {int(count) for count in counts}:
        # means in place of sums keep the factors of order one
        exact = coefficients(order, samples if independent else None, *readout)
        scale = samples if independent else 1
        columns[samples] = [
            float(value * Fraction(scale) ** len(partition))
            for value, partition in zip(exact, blocks, strict=True)
        ]
    table = np.array([columns[int(count)] for count in counts]).T.copy()
    used = np.flatnonzero(np.any(table != 0, axis=1))
    factors = table[used]
    lengths = np.array([len(blocks[i]) for i in used], dtype=np.int64)
    masks = np.zeros((len(used), order), dtype=np.int64)
    for row, i in zip(masks, used, strict=True):
        row[: len(blocks[i])] = blocks[i]
    means = np.ascontiguousarray(means[: starts[order]])
    out = np.zeros((len(indices), len(counts)))
    for first in range(0, len(indices), _CHUNK):
        part = indices[first : first + _CHUNK]
        position = np.zeros((len(part), 2**order), dtype=np.int64)
        for mask in range(1, 2**order):
            slots = [slot for slot in range(order) if mask >> slot & 1]
            position[:, mask] = starts[len(slots) - 1] + rank_of(part[:, slots], dimension)
        _combine(means, position, masks, lengths, factors, out[first : first + _CHUNK])
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
