r"""Characteristic functions of centred fields, and how far fields reach.

With u_a = A_a·(θ - E θ) the function χ(s) = E exp(i sum_a s_a u_a) is a product over independent
events: of the characteristic function at A^T s for an entry, and of Λ_n(R |A^T s|) for a vector
that is uniform on a sphere in n dimensions, or in a ball in n - 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.densities import Ball, Sphere
from nnft_sym.density import Density
from nnft_sym.expectation.parameter_space.generating import generating_numbers
from nnft_sym.expectation.parameter_space.radial import angular_numbers
from nnft_sym.language.errors import AccuracyError, NotDerivedError

__all__ = ["IndependentEvent", "independent_events"]

Floats = NDArray[np.float64]

_LARGEST_EXPONENT = 300.0


@dataclass(frozen=True, kw_only=True)
class IndependentEvent:
    """One event of parameters: an entry, or a vector uniform on a sphere or in a ball.

    Parameters
    ----------
    names : tuple of sympy.Symbol
        The parameters.
    columns : tuple of int
        Their places among all parameters.
    density : Density
        With numbers for parameters.
    """

    names: tuple[sp.Symbol, ...]
    columns: tuple[int, ...]
    density: Density

    @cached_property
    def sphere(self) -> int | None:
        """Dimension n of the sphere whose projection the event is; None for an entry."""
        if isinstance(self.density, Sphere):
            return self.density.d
        # A ball is the projection of the sphere that has two dimensions more.
        return self.density.d + 2 if isinstance(self.density, Ball) else None

    @cached_property
    def radius(self) -> float:
        """Largest norm of the centred event, possibly infinite."""
        if self.sphere is not None:
            return float(self.density.support()[1])
        low, high = self.density.support()
        return max(float(high) - self.mean, self.mean - float(low))

    @cached_property
    def mean(self) -> float:
        """Mean of each component."""
        return float(self.density.moment(1))

    @cached_property
    def variance(self) -> float:
        """Variance of each component."""
        return float(self.density.moment(2)) - self.mean**2

    @cached_property
    def is_damped(self) -> bool:
        """Whether the characteristic function decays: no atoms."""
        return not self.density.atoms() and self.sphere != 1 and self.variance > 0

    def characteristic(self, slopes: Floats, sources: Floats) -> Floats:
        """χ at sources (N, ...) of fields with slopes (N, components)."""
        if self.sphere is not None:
            gram = slopes @ slopes.T
            square = np.einsum("a...,ab,b...->...", sources, gram, sources)
            argument = self.radius * np.sqrt(np.maximum(square, 0.0))
            return angular_numbers(self.sphere, argument)
        argument = sum(a * s for a, s in zip(slopes[:, 0], sources, strict=True))
        value = _characteristic(self.density)(argument)
        return np.broadcast_to(value, np.shape(argument))

    def log_generating(self, slopes: Floats, sources: Floats) -> Floats:
        """Log E exp(η u), at least, for each η > 0; infinite where it is not to be had."""
        if self.sphere is not None:
            return self.radius * float(np.linalg.norm(slopes)) * sources
        growth = sources * float(slopes[0])
        size = np.abs(growth)
        finite = (size * float(self.density.tail) < 1) & (size * self._extent < _LARGEST_EXPONENT)
        found = np.full(len(sources), np.inf)
        growth = growth[None, finite]
        value, _ = generating_numbers(self.density, growth, np.zeros_like(growth), np.abs(growth))
        found[finite] = np.log(value.real) - growth[0] * self.mean
        return found

    @cached_property
    def _extent(self) -> float:
        """What keeps E exp(ηθ) below overflow for η up to some tens over it."""
        return self.radius if np.isfinite(self.radius) else 8 * float(np.sqrt(self.variance))


def independent_events(
    groups: tuple[tuple[tuple[sp.Symbol, ...], Density], ...],
) -> tuple[IndependentEvent, ...]:
    """Split groups of parameters into independent events.

    Raises
    ------
    NotDerivedError
        For densities of vectors other than Ball and Sphere.

    Examples
    --------
    >>> from nnft_sym.densities import Uniform
    >>> v, w = sp.symbols("v w", real=True)
    >>> [event.columns for event in independent_events((((v, w), Uniform(0, 1)),))]
    [(0,), (1,)]
    """
    events, column = [], 0
    for names, density in groups:
        isotropic = isinstance(density, (Ball, Sphere))
        if density.dimension > 1 and not isotropic:
            raise NotDerivedError(
                expected="a density of entries, a Ball or a Sphere",
                came=f"{density}",
                remedy="write the neuron in parameters with such densities",
            )
        parts = [names] if isotropic else [(name,) for name in names]
        for part in parts:
            columns = tuple(range(column, column + len(part)))
            events.append(IndependentEvent(names=part, columns=columns, density=density))
            column += len(part)
    return tuple(events)


@lru_cache(maxsize=256)
def _characteristic(density: Density) -> Callable[[Any], Any]:
    """Characteristic function of θ - E θ, real since the densities are symmetric about it."""
    t = sp.Dummy("t", real=True)
    centred = density.characteristic_function(t) * sp.exp(-sp.I * t * density.moment(1))
    centred = sp.powsimp(sp.expand_power_exp(centred))
    if centred.has(sp.I):
        raise AccuracyError(
            expected="a density that is symmetric about its mean",
            came=f"{density}",
            remedy="use at most two such parameters",
        )
    return sp.lambdify(t, centred, modules=["scipy", "numpy"])
