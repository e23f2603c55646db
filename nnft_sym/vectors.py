"""Vectors of symbols, for neurons written out in inputs and parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from nnft_sym.language.errors import SpecificationError

__all__ = ["Vector", "dot", "inputs", "vector"]


@dataclass(frozen=True)
class Vector:
    """A named tuple of real symbols v_1 ... v_d; hashable, so that it can key a density.

    Parameters
    ----------
    name : str
        v: stem of the component names.
    dimension : int
        d: number of components, at least 1.

    Examples
    --------
    >>> list(Vector("x", 2))
    [x_1, x_2]
    """

    name: str
    dimension: int

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.dimension < 1:
            raise SpecificationError(
                expected="an identifier and at least one component",
                came=f"name {self.name!r}, dimension {self.dimension}",
                remedy="write for example vector('w', 2)",
            )

    @property
    def components(self) -> tuple[sp.Symbol, ...]:
        """The symbols v_1, ..., v_d."""
        return tuple(sp.Symbol(f"{self.name}_{i + 1}", real=True) for i in range(self.dimension))

    def __getitem__(self, index: int) -> sp.Symbol:
        return self.components[index]

    def __len__(self) -> int:
        return self.dimension

    def __iter__(self) -> Iterator[sp.Symbol]:
        return iter(self.components)


def vector(name: str, dimension: int) -> Vector:
    """Return a vector of real symbols name_1 ... name_d.

    Examples
    --------
    >>> list(vector("w", 3))
    [w_1, w_2, w_3]
    """
    return Vector(name, dimension)


def inputs(dimension: int) -> Vector:
    """Return the input point x in R^d as a vector of symbols.

    Examples
    --------
    >>> inputs(2)
    Vector(name='x', dimension=2)
    """
    return Vector("x", dimension)


def dot(left: Vector | sp.Symbol, right: Vector | sp.Symbol) -> sp.Expr:
    """Euclidean inner product sum_i a_i b_i; a plain symbol beside a vector stands for a vector.

    Examples
    --------
    >>> dot(sp.Symbol("w"), inputs(2))
    w_1*x_1 + w_2*x_2
    """
    sizes = {len(side) for side in (left, right) if not isinstance(side, sp.Symbol)}
    if len(sizes) != 1:
        raise SpecificationError(
            expected="two vectors of one dimension, or one vector and one symbol",
            came=f"{left!r} and {right!r}",
            remedy="make the vectors with nn.inputs(d) and nn.vector(name, d)",
        )
    dimension = sizes.pop()
    a, b = (
        Vector(side.name, dimension) if isinstance(side, sp.Symbol) else side
        for side in (left, right)
    )
    return sp.Add(*(ai * bi for ai, bi in zip(a, b, strict=True)))
