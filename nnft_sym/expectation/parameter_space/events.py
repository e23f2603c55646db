"""Independent events of parameters: atoms where discrete, coordinates where continuous."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from nnft_sym.densities import Ball, Sphere
from nnft_sym.density import Density
from nnft_sym.language.errors import NotDerivedError

__all__ = ["Axis", "Event", "events_of"]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One coordinate of a continuous event.

    Parameters
    ----------
    symbol : sympy.Symbol
        The coordinate.
    low, high : sympy.Expr
        Its range, possibly infinite.
    centre, scale : sympy.Expr
        Where an infinite range holds most of its weight.
    """

    symbol: sp.Symbol
    low: sp.Expr
    high: sp.Expr
    centre: sp.Expr = sp.S.Zero
    scale: sp.Expr = sp.S.One


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event: a choice of atoms, or a density over coordinates.

    Parameters
    ----------
    names : tuple of sympy.Symbol
        The parameters of the event.
    atoms : tuple of (tuple of sympy.Expr, sympy.Expr)
        Pairs (values of the parameters, probability); empty if continuous.
    values : tuple of sympy.Expr
        The parameters in the coordinates.
    weight : sympy.Expr
        Density in the coordinates.
    axes : tuple of Axis
        The coordinates.
    """

    names: tuple[sp.Symbol, ...]
    atoms: tuple[tuple[tuple[sp.Expr, ...], sp.Expr], ...] = ()
    values: tuple[sp.Expr, ...] = ()
    weight: sp.Expr = sp.S.One
    axes: tuple[Axis, ...] = ()

    @classmethod
    def of(cls, names: tuple[sp.Symbol, ...], density: Density) -> Event:
        """One event of a density.

        Raises
        ------
        NotDerivedError
            For a density of vectors without known coordinates.

        Examples
        --------
        >>> from nnft_sym.densities import Rademacher
        >>> Event.of((sp.Symbol("w"),), Rademacher()).atoms
        (((-1,), 1/2), ((1,), 1/2))
        """
        if density.atoms():
            return cls(names=names, atoms=tuple(((v,), p) for v, p in density.atoms()))
        if _is_point(density):
            mean = tuple(density.mixed_moment(_unit(j, len(names))) for j in range(len(names)))
            return cls(names=names, atoms=((mean, sp.Integer(1)),))
        if isinstance(density, Sphere) and density.d == 1:
            half = sp.Rational(1, 2)
            return cls(names=names, atoms=(((-density.radius,), half), ((density.radius,), half)))
        if isinstance(density, (Ball, Sphere)) and density.d > 1:
            return _isotropic(names, density)
        if density.dimension > 1:
            raise NotDerivedError(
                expected="a density of entries, a Ball or a Sphere",
                came=f"{density}",
                remedy="write the neuron in parameters with such densities",
            )
        (theta,) = names
        low, high = density.support()
        if isinstance(density, Ball):
            low = -high
        mean = density.moment(1)
        axis = Axis(
            symbol=theta,
            low=low,
            high=high,
            centre=mean,
            scale=sp.sqrt(density.moment(2) - mean**2),
        )
        weight = sp.exp(density.log_density(theta))
        return cls(names=names, values=(theta,), weight=weight, axes=(axis,))


def events_of(
    neuron: sp.Expr, groups: tuple[tuple[tuple[sp.Symbol, ...], Density], ...]
) -> tuple[Event, ...]:
    """Events of the parameters that occur in a neuron.

    Examples
    --------
    >>> from nnft_sym.densities import Uniform
    >>> v, w = sp.symbols("v w", real=True)
    >>> len(events_of(sp.exp(v), (((v, w), Uniform(0, 1)),)))
    1
    """
    found = []
    for names, density in groups:
        parts = [names] if density.dimension > 1 else [(name,) for name in names]
        found += [Event.of(p, density) for p in parts if neuron.free_symbols & set(p)]
    return tuple(found)


def _unit(j: int, size: int) -> tuple[int, ...]:
    return tuple(int(i == j) for i in range(size))


def _is_point(density: Density) -> bool:
    """Whether the width is zero: the density is then not finite at its own mean."""
    d = density.dimension
    mean = [density.mixed_moment(_unit(j, d)) for j in range(d)]
    return bool(density.log_density(*mean).has(sp.nan, sp.zoo, sp.oo))


def _isotropic(names: tuple[sp.Symbol, ...], density: Ball | Sphere) -> Event:
    """Norm and angles: p_1 = r cos θ_1, ..., p_d = r sin θ_1 ... sin θ_{d-1}."""
    d = density.d
    stem = names[0].name.rsplit("_", 1)[0]
    angles = [sp.Symbol(f"{stem}_angle_{i + 1}", real=True) for i in range(d - 1)]
    radius = sp.Symbol(f"{stem}_norm", nonnegative=True)
    norm = density.radius if isinstance(density, Sphere) else radius
    values, sines = [], sp.Integer(1)
    for angle in angles:
        values.append(norm * sines * sp.cos(angle))
        sines *= sp.sin(angle)
    values.append(norm * sines)
    half = sp.Rational(d, 2)
    weight = sp.gamma(half) / (2 * sp.pi**half)
    for i, angle in enumerate(angles[:-1]):
        weight *= sp.sin(angle) ** (d - 2 - i)
    axes = [Axis(symbol=a, low=sp.Integer(0), high=sp.pi) for a in angles[:-1]]
    axes.append(Axis(symbol=angles[-1], low=-sp.pi, high=sp.pi))
    if isinstance(density, Ball):
        weight *= d * radius ** (d - 1) / density.radius**d
        axes.append(Axis(symbol=radius, low=sp.Integer(0), high=density.radius))
    return Event(names=names, values=tuple(values), weight=weight, axes=tuple(axes))
