"""Set partitions and the cumulants they organise."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from math import factorial
from typing import TypeVar

import sympy as sp

__all__ = [
    "Partition",
    "coarsenings",
    "cumulant_from_moments",
    "moebius",
    "pairings",
    "set_partitions",
]

Block = tuple[int, ...]
Partition = tuple[Block, ...]
Item = TypeVar("Item", bound=Hashable)


@lru_cache(maxsize=64)
def set_partitions(size: int) -> tuple[Partition, ...]:
    """All partitions of {0, ..., size-1} into blocks, blocks and partitions in a fixed order.

    Examples
    --------
    >>> [len(set_partitions(n)) for n in range(1, 9)]
    [1, 2, 5, 15, 52, 203, 877, 4140]
    """
    if size == 0:
        return ((),)
    partitions: list[Partition] = [((0,),)]
    for element in range(1, size):
        grown: list[Partition] = []
        for partition in partitions:
            for slot, block in enumerate(partition):
                grown.append((*partition[:slot], (*block, element), *partition[slot + 1 :]))
            grown.append((*partition, (element,)))
        partitions = grown
    return tuple(partitions)


@lru_cache(maxsize=64)
def pairings(size: int) -> tuple[Partition, ...]:
    """All partitions of {0, ..., size-1} into pairs; empty when size is odd.

    Examples
    --------
    >>> pairings(4)
    (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
    """
    return tuple(_pairings(tuple(range(size))))


def _pairings(elements: Block) -> Iterator[Partition]:
    if not elements:
        yield ()
        return
    first, *rest = elements
    for slot, partner in enumerate(rest):
        remaining = (*rest[:slot], *rest[slot + 1 :])
        for tail in _pairings(remaining):
            yield ((first, partner), *tail)


def moebius(blocks: int) -> int:
    """Möbius function of the partition lattice from b blocks to one: (-1)^{b-1} (b-1)!.

    Examples
    --------
    >>> [moebius(b) for b in (1, 2, 3, 4)]
    [1, -1, 2, -6]
    """
    return (-1) ** (blocks - 1) * factorial(blocks - 1)


def coarsenings(partition: Partition) -> Iterator[tuple[Partition, int]]:
    """Partitions coarser than or equal to a given one, with the number of their blocks.

    Examples
    --------
    >>> list(coarsenings(((0, 1), (2, 3))))
    [(((0, 1, 2, 3),), 1), (((0, 1), (2, 3)), 2)]
    """
    for grouping in set_partitions(len(partition)):
        merged = (
            tuple(sorted(element for block in group for element in partition[block]))
            for group in grouping
        )
        yield tuple(sorted(merged)), len(grouping)


def cumulant_from_moments(order: int, moment: Callable[[int], sp.Expr]) -> sp.Expr:
    """Cumulant κ_k of one variable: sum over set partitions of (-1)^{b-1}(b-1)! prod m_|B|.

    Examples
    --------
    >>> cumulant_from_moments(4, lambda k: [1, 0, 1, 0, 3][k])
    0
    """
    return sp.Add(
        *(
            moebius(len(partition)) * sp.Mul(*(moment(len(block)) for block in partition))
            for partition in set_partitions(order)
        )
    )


def equal_blocks(labels: Sequence[Item]) -> Partition:
    """Partition of the positions by equal labels.

    Examples
    --------
    >>> equal_blocks(["i", "j", "i"])
    ((0, 2), (1,))
    """
    blocks: dict[Item, list[int]] = {}
    for position, label in enumerate(labels):
        blocks.setdefault(label, []).append(position)
    return tuple(tuple(block) for block in blocks.values())


def shape(partition: Iterable[Block]) -> tuple[int, ...]:
    """Block sizes in descending order: the type of a partition.

    Examples
    --------
    >>> shape(((0, 2), (1,), (3, 4, 5)))
    (3, 2, 1)
    """
    return tuple(sorted((len(block) for block in partition), reverse=True))
