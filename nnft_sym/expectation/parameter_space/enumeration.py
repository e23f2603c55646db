"""Expectations over any parameters: finite sums over atoms, integrals over coordinates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.density import Density
from nnft_sym.expectation.law import Moments, coordinate
from nnft_sym.expectation.parameter_space.events import Axis, Event, events_of
from nnft_sym.expectation.parameter_space.nested import Combinations, integrate
from nnft_sym.language.errors import AccuracyError
from nnft_sym.tensors import SymmetricTensor

__all__ = ["EventIntegral"]

_COMBINATIONS = 1 << 16
_WRITTEN = 1 << 10
_CONTINUOUS = 2


@dataclass(frozen=True, kw_only=True)
class EventIntegral:
    """E[h(x_1)...h(x_k)] as a sum over atoms of integrals over coordinates.

    Parameters
    ----------
    inputs : tuple of sympy.Symbol
        x.
    groups : tuple of (tuple of sympy.Symbol, Density)
        Independent events of the parameters; a density of entries may serve several symbols.
    neuron : sympy.Expr
        h.
    given : tuple of Event or None
        Events, where they are not those of the groups.
    """

    inputs: tuple[sp.Symbol, ...]
    groups: tuple[tuple[tuple[sp.Symbol, ...], Density], ...]
    neuron: sp.Expr
    given: tuple[Event, ...] | None = None

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Events of the parameters that occur in the neuron."""
        return events_of(self.neuron, self.groups) if self.given is None else self.given

    @cached_property
    def discrete(self) -> tuple[Event, ...]:
        """Events with atoms."""
        return tuple(event for event in self.events if event.atoms)

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """Coordinates of the continuous events: their number is the effective dimension."""
        return tuple(axis for event in self.events for axis in event.axes)

    @property
    def is_feasible(self) -> bool:
        """Whether numbers can be had: at most two coordinates, and few combinations."""
        return len(self.axes) <= _CONTINUOUS and self._combined <= _COMBINATIONS

    def is_closed(self) -> bool:
        """Whether the moments are finite sums."""
        return not self.axes

    @cached_property
    def _written(self) -> tuple[sp.Expr, sp.Expr]:
        """The neuron in coordinates, and the density of the coordinates."""
        continuous = [event for event in self.events if not event.atoms]
        rule = {
            name: value
            for event in continuous
            for name, value in zip(event.names, event.values, strict=True)
        }
        return self.neuron.xreplace(rule), sp.Mul(*(event.weight for event in continuous))

    @property
    def _combined(self) -> int:
        return prod(len(event.atoms) for event in self.discrete)

    def _count(self, most: int) -> None:
        if self._combined > most:
            raise AccuracyError(
                expected=f"at most {most} combinations of discrete parameters",
                came=f"{self._combined}",
                remedy="use fewer discrete parameters (inputs), or estimate by sampling",
            )

    def _combinations(self) -> Iterator[tuple[dict[sp.Basic, sp.Expr], sp.Expr]]:
        for chosen in product(*(event.atoms for event in self.discrete)):
            rule: dict[sp.Basic, sp.Expr] = {}
            for event, (values, _) in zip(self.discrete, chosen, strict=True):
                rule.update(zip(event.names, values, strict=True))
            yield rule, sp.Mul(*(probability for _, probability in chosen))

    def expression(self, order: int) -> sp.Expr:
        """Write the moment as an explicit sum of unevaluated integrals, in coordinates."""
        self._count(_WRITTEN)
        h, weight = self._written
        limits = [(axis.symbol, axis.low, axis.high) for axis in reversed(self.axes)]
        terms = []
        for rule, probability in self._combinations():
            at_points = [
                h.xreplace(rule | {x: coordinate(a, i + 1) for i, x in enumerate(self.inputs)})
                for a in range(1, order + 1)
            ]
            integrand = weight * sp.Mul(*at_points)
            terms.append(probability * (sp.Integral(integrand, *limits) if limits else integrand))
        return sp.Add(*terms)

    def moments(self, orders: Iterable[int], X: NDArray[np.float64]) -> dict[int, Moments]:
        """Moments over the rows of X, for numbers in place of all symbols.

        Raises
        ------
        AccuracyError
            For more than two coordinates, too many combinations, or no convergence.
        InfiniteMomentError
            If a tail diverges.
        """
        if len(self.axes) > _CONTINUOUS:
            raise AccuracyError(
                expected=f"at most {_CONTINUOUS} continuous parameters of a neuron without a "
                "closed form",
                came=f"effective dimension {len(self.axes)} "
                f"({', '.join(axis.symbol.name for axis in self.axes)})",
                remedy="lower the input dimension, use Gaussian weights, an activation made of "
                "cosines, exponentials or polynomials, or estimate by sampling",
            )
        self._count(_COMBINATIONS)
        h, weight = self._written
        names = tuple(name for event in self.discrete for name in event.names)
        rows = list(self._combinations())
        atoms = np.array([[float(rule[n]) for n in names] for rule, _ in rows])
        combinations = Combinations(
            names=names,
            atoms=atoms.reshape(len(rows), len(names)),
            probabilities=np.array([float(probability) for _, probability in rows]),
        )
        found = integrate(h, weight, self.inputs, X, combinations, self.axes, sorted(orders))
        return {
            order: Moments(
                values=SymmetricTensor(order, len(X), value),
                errors=SymmetricTensor(order, len(X), error),
            )
            for order, (value, error) in found.items()
        }
