"""Optimisers: how parameters move along the gradient of the loss.

With g the gradient of the loss over a batch in the trained parameters θ (``parametrisation``),

- ``GD``:   θ ← θ - η g, over all examples at every step;
- ``SGD``:  the same over batches, drawn without replacement until fewer than a batch are left;
- ``Adam``: m ← β₁ m + (1 - β₁) g,  v ← β₂ v + (1 - β₂) g²,
            θ ← θ - η (m/(1 - β₁ᵗ))/(√(v/(1 - β₂ᵗ)) + ε), entry by entry.

The first two commute with orthogonal maps of the parameters; the third, entry by entry, only with
signed permutations.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = ["GD", "SGD", "Adam", "Optimiser"]


@dataclass(frozen=True)
class Optimiser(Shown):
    """What training asks of an optimiser."""

    code: ClassVar[int]

    rate: float

    def __post_init__(self) -> None:
        _demand(_real(self.rate) and 0 <= self.rate < np.inf, "a finite rate >= 0", self.rate)

    @property
    def numbers(self) -> NDArray[np.float64]:
        """Numbers the kernel reads, the rate first."""
        return np.array([self.rate, 0.0, 0.0, 0.0])

    def batch_of(self, examples: int) -> int:
        """Size of a batch out of so many examples."""
        return examples

    def _table(self) -> Table:
        values = ((own.name, getattr(self, own.name)) for own in fields(self))
        rows = tuple((name, "all" if value is None else f"{value:g}") for name, value in values)
        return Table(title=type(self).__name__, rows=rows)


@dataclass(frozen=True)
class GD(Optimiser):
    """Full-batch gradient descent θ ← θ - η g.

    Parameters
    ----------
    rate : float
        η ≥ 0.

    Raises
    ------
    SpecificationError
        If the rate is no such number.

    Examples
    --------
    >>> GD(0.1).batch_of(7)
    7
    """

    code: ClassVar[int] = 0


@dataclass(frozen=True)
class SGD(Optimiser):
    """Stochastic gradient descent θ ← θ - η g over batches of one size.

    Each epoch is a random order of the examples, for every network its own, cut into batches; what
    is left over at its end is not used in it.

    Parameters
    ----------
    rate : float
        η ≥ 0.
    batch : int
        Examples in a batch.

    Raises
    ------
    SpecificationError
        If a number is impossible.

    Examples
    --------
    >>> SGD(0.1, batch=2).batch_of(7)
    2
    """

    code: ClassVar[int] = 0

    batch: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _demand(_count(self.batch), "a batch of at least 1 example", self.batch)

    def batch_of(self, examples: int) -> int:
        return _fitting(self.batch, examples)


@dataclass(frozen=True)
class Adam(Optimiser):
    """Adam: a rate of its own for each entry, from running means of g and g².

    Parameters
    ----------
    rate : float
        η ≥ 0.
    batch : int or None
        Examples in a batch, as for ``SGD``; None for all.
    beta1, beta2 : float
        β₁, β₂ in [0, 1).
    epsilon : float
        ε > 0.

    Raises
    ------
    SpecificationError
        If a number is impossible.

    Source: D. P. Kingma, J. Ba, International Conference on Learning Representations (2015),
    algorithm 1.

    Examples
    --------
    >>> Adam(0.01).numbers.tolist()
    [0.01, 0.9, 0.999, 1e-08]
    """

    code: ClassVar[int] = 1

    batch: int | None = None
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        _demand(self.batch is None or _count(self.batch), "a batch of at least 1", self.batch)
        for beta in (self.beta1, self.beta2):
            _demand(_real(beta) and 0 <= beta < 1, "beta1 and beta2 in [0, 1)", beta)
        _demand(_real(self.epsilon) and 0 < self.epsilon < np.inf, "epsilon > 0", self.epsilon)

    @property
    def numbers(self) -> NDArray[np.float64]:
        return np.array([self.rate, self.beta1, self.beta2, self.epsilon])

    def batch_of(self, examples: int) -> int:
        return examples if self.batch is None else _fitting(self.batch, examples)


def _fitting(batch: int, examples: int) -> int:
    _demand(batch <= examples, f"a batch of at most the {examples} examples", batch)
    return operator.index(batch)


def _real(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def _count(value: Any) -> bool:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and bool(value >= 1)


def _demand(right: bool, expected: str, came: Any) -> None:
    if not right:
        raise SpecificationError(
            expected=expected, came=f"{came!r}", remedy="use nm.SGD(rate=0.1, batch=32), say"
        )
