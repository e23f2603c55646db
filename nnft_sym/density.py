"""What a parameter density P(θ) is: law and draw, stated once in one class.

A density knows its log-density, its moments, its moment generating function (at imaginary
argument: the characteristic function), the conditions on its parameters, and how one event is
drawn from standard normals g_1, g_2, ... and uniforms u_1, u_2, ... on (0, 1).  The theory
reads the first, the sampler reads the last.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Self

import sympy as sp

from nnft_sym.combinatorics import cumulant_from_moments
from nnft_sym.language.markup import Shown, Table
from nnft_sym.mathml import Formula

__all__ = ["Density", "Draw"]


@dataclass(frozen=True, kw_only=True)
class Draw:
    """How one event is drawn: expressions in normals g_i and uniforms u_j.

    Parameters
    ----------
    normals, uniforms : int
        Number of standard normals and of uniforms on (0, 1) that one event consumes.
    components : tuple of sympy.Expr
        The event's components.
    """

    normals: int = 0
    uniforms: int = 0
    components: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class Density(Shown, ABC):
    """A parameter density with its event shape.

    ``dimension`` is the number of components of one event: 1 for densities of independent
    entries, d for densities of vectors (a row of weights).
    """

    continuous: ClassVar[bool] = True

    @property
    def dimension(self) -> int:
        """Number of components of one event."""
        return 1

    @property
    def parameters(self) -> tuple[sp.Expr, ...]:
        """The density's parameters, in the order of its constructor."""
        values = (getattr(self, field.name) for field in fields(self))
        return tuple(value for value in values if isinstance(value, sp.Expr))

    @property
    def formula(self) -> Formula:
        r"""Name and parameters as a formula.

        Examples
        --------
        >>> from nnft_sym.densities import Uniform
        >>> print(Uniform(-1, 1).formula.source)
        \mathrm{Uniform}(\mathrm{low}=-1,\ \mathrm{high}=1)
        """
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        inner = r",\ ".join(rf"\mathrm{{{name}}}={sp.latex(value)}" for name, value in values)
        return Formula(rf"\mathrm{{{type(self).__name__}}}({inner})", str(self))

    def _table(self) -> Table:
        moments = [("dimension of an event", str(self.dimension))] * (self.dimension > 1)
        rows = [
            (name, Formula(sp.latex(value), str(value)))
            for name, value in (("mean", self.moment(1)), ("variance", self.cumulant(2)))
        ]
        return Table(title=type(self).__name__, rows=(("density", self.formula), *moments, *rows))

    @property
    def conditions(self) -> tuple[tuple[sp.Expr, str], ...]:
        """Expressions that must be non-negative, with the words for it."""
        return ()

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> Self:
        """Return the density with symbols of its parameters replaced."""
        values = (getattr(self, field.name) for field in fields(self))
        return type(self)(
            *(v.xreplace(dict(symbols)) if isinstance(v, sp.Expr) else v for v in values)
        )

    @classmethod
    @abstractmethod
    def example(cls) -> Self:
        """Return a member with plain numbers."""

    @property
    @abstractmethod
    def draw(self) -> Draw:
        """How one event is drawn."""

    @property
    @abstractmethod
    def is_even(self) -> bool:
        """Whether P(-θ) = P(θ) holds for all values of the parameters."""

    @abstractmethod
    def log_density(self, *components: sp.Expr) -> sp.Expr:
        """Log P at an event inside the support (of the atoms, if discrete)."""

    @abstractmethod
    def support(self) -> tuple[sp.Expr, sp.Expr]:
        """Ends of the interval that holds the event (its norm, for vectors)."""

    @abstractmethod
    def mixed_moment(self, powers: Sequence[int]) -> sp.Expr:
        """E[θ_1^{p_1} ... θ_d^{p_d}] over the components of one event."""

    @abstractmethod
    def generating_function(self, *sources: sp.Expr) -> sp.Expr:
        """E exp(s·θ) for real or complex sources s where it is finite."""

    @property
    def tail(self) -> sp.Expr:
        """Decay length ℓ of P(θ) ~ exp(-|θ|/ℓ), 0 if faster: E e^{sθ} needs |Re s| ℓ < 1."""
        return sp.Integer(0)

    @property
    def is_point_mass(self) -> bool:
        """Whether all weight sits at one point: a scale of zero."""
        return bool(sp.expand(self.moment(2) - self.moment(1) ** 2) == 0)

    def atoms(self) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        """Pairs (value, probability) of a discrete density; empty if continuous."""
        return ()

    def moment(self, order: int) -> sp.Expr:
        """E[θ^k] of a scalar density, or of one component of a vector."""
        return self.mixed_moment((order,) + (0,) * (self.dimension - 1))

    def cumulant(self, order: int) -> sp.Expr:
        """Cumulant κ_k of one component.

        Examples
        --------
        >>> from nnft_sym.densities import Uniform
        >>> Uniform(-1, 1).cumulant(4)
        -2/15
        """
        return sp.expand(cumulant_from_moments(order, self.moment))

    def characteristic_function(self, *arguments: sp.Expr) -> sp.Expr:
        """E exp(i t·θ) for real t."""
        return self.generating_function(*(sp.I * t for t in arguments))
