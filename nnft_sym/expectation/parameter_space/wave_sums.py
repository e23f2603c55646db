"""Moments of a sum of waves: a sum over one wave at each point of products of group averages.

E[h(x_1)...h(x_k)] = sum over waves t_1...t_k of Re prod_a c_{t_a}(x_a) prod_g E_g, where E_g is
the generating function of group g at the sum of the sources, or a radial integral where the
waves carry amplitudes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.utilities.iterables import multiset_permutations

from nnft_sym.density import Density
from nnft_sym.expectation.law import InnerProduct, Moments, coordinate
from nnft_sym.expectation.parameter_space.generating import (
    Polar,
    generating_numbers,
    polar_generating_function,
)
from nnft_sym.expectation.parameter_space.infrared import require_finite
from nnft_sym.expectation.parameter_space.radial import RadialDensity, radial_integrals
from nnft_sym.expectation.parameter_space.waves import Wave, product, read_waves
from nnft_sym.language.errors import AccuracyError
from nnft_sym.tensors import SymmetricTensor, multi_indices

__all__ = ["WaveSum"]

Group = tuple[tuple[sp.Symbol, ...], Density]

_LARGEST = 1 << 17
_ROWS = 1 << 16
_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True, kw_only=True)
class WaveSum:
    """A neuron as a sum of waves over independent groups of parameters.

    Parameters
    ----------
    inputs : tuple of sympy.Symbol
        x.
    groups : tuple of (tuple of sympy.Symbol, Density)
        Independent events of the parameters; a density of entries may serve several symbols.
    waves : tuple of Wave
        The terms.
    """

    inputs: tuple[sp.Symbol, ...]
    groups: tuple[Group, ...]
    waves: tuple[Wave, ...]

    @classmethod
    def of(
        cls, expression: sp.Expr, inputs: tuple[sp.Symbol, ...], groups: tuple[Group, ...]
    ) -> WaveSum | None:
        """Read a neuron; None if it is no sum of waves, or grows along a radial direction."""
        parameters = tuple(symbol for names, _ in groups for symbol in names)
        waves = read_waves(expression, parameters, inputs)
        if waves is None:
            isotropic = tuple(
                (number, names)
                for number, (names, density) in enumerate(groups)
                if RadialDensity.of(density, len(names)) is not None
            )
            waves = read_waves(expression, parameters, inputs, isotropic)
        if waves is None:
            return None
        made = cls(inputs=inputs, groups=groups, waves=waves)
        grows = any(
            wave.growth[j] != 0
            for number in made.radial_groups
            for wave in waves
            for j in made.slots(number)
        )
        return None if grows else made

    @cached_property
    def radial_groups(self) -> tuple[int, ...]:
        """Groups with an amplitude in some wave."""
        return tuple(sorted({g for wave in self.waves for g, _ in wave.amplitudes}))

    def slots(self, number: int) -> range:
        """Positions of a group's parameters among all."""
        start = sum(len(names) for names, _ in self.groups[:number])
        return range(start, start + len(self.groups[number][0]))

    def radial(self, number: int) -> RadialDensity:
        """Density of the norm of an isotropic group."""
        names, density = self.groups[number]
        found = RadialDensity.of(density, len(names))
        assert found is not None
        return found

    @cached_property
    def _events(self) -> tuple[tuple[int, Density, tuple[int, ...]], ...]:
        """Independent events (group, density, slots), with entries of a group taken apart."""
        events: list[tuple[int, Density, tuple[int, ...]]] = []
        for number, (_, density) in enumerate(self.groups):
            slots = tuple(self.slots(number))
            whole = number in self.radial_groups or density.dimension > 1
            parts = [slots] if whole else [(j,) for j in slots]
            events += [(number, density, part) for part in parts]
        return tuple(events)

    @cached_property
    def _conjugates(self) -> tuple[int, ...]:
        key = {(w.growth, w.phase, w.amplitudes): i for i, w in enumerate(self.waves)}
        mirrored = (wave.conjugate for wave in self.waves)
        return tuple(key[w.growth, w.phase, w.amplitudes] for w in mirrored)

    def _amplitude(self, number: int, choice: tuple[int, ...]) -> sp.Expr:
        parts = (dict(self.waves[t].amplitudes).get(number, sp.Integer(1)) for t in choice)
        return sp.Mul(*parts)

    def _is_fixed(self, slots: tuple[int, ...]) -> bool:
        """Whether no source of an event depends on the point."""
        sources = (s for w in self.waves for j in slots for s in (w.growth[j], w.phase[j]))
        return not any(source.free_symbols & set(self.inputs) for source in sources)

    def choices(self, order: int) -> Iterator[tuple[int, ...]]:
        """Choices of one wave at each point that do not average to zero, one of each conjugates.

        Raises
        ------
        AccuracyError
            If there are too many.
        """
        if len(self.waves) ** order > _LARGEST:
            raise AccuracyError(
                expected=f"at most {_LARGEST} products of waves",
                came=f"{len(self.waves)}^{order} for {len(self.waves)} waves at order {order}",
                remedy="lower the order, or use fewer waves in a neuron",
            )
        fixed = [
            (density, slots)
            for number, density, slots in self._events
            if number not in self.radial_groups and self._is_fixed(slots)
        ]
        for multiset in combinations_with_replacement(range(len(self.waves)), order):
            if any(self._vanishes(density, slots, multiset) for density, slots in fixed):
                continue
            for choice in multiset_permutations(multiset):
                mirror = [self._conjugates[t] for t in choice]
                if choice <= mirror:
                    yield tuple(choice)

    def _vanishes(self, density: Density, slots: tuple[int, ...], choice: tuple[int, ...]) -> bool:
        growth = tuple(sp.Add(*(self.waves[t].growth[j] for t in choice)) for j in slots)
        phase = tuple(sp.Add(*(self.waves[t].phase[j] for t in choice)) for j in slots)
        return bool(polar_generating_function(density, growth, phase).size == 0)

    def _multiplicity(self, choice: tuple[int, ...]) -> int:
        return 1 if tuple(self._conjugates[t] for t in choice) == choice else 2

    def is_closed(self) -> bool:
        """Whether no radial integral is left."""
        return all(self.radial(number).is_sphere for number in self.radial_groups)

    def expression(self, order: int) -> sp.Expr:
        """Write the moment at k points in coordinates, or inner products where isotropic."""
        return sp.Add(
            *(self._multiplicity(c) * self._term(c).real_part for c in self.choices(order))
        )

    def _at(self, point: int) -> dict[sp.Basic, sp.Basic]:
        return {x: coordinate(point, i + 1) for i, x in enumerate(self.inputs)}

    def _term(self, choice: tuple[int, ...]) -> Polar:
        rules = [self._at(a + 1) for a in range(len(choice))]
        waves = [self.waves[t] for t in choice]
        pairs = [
            tuple(part.xreplace(rule) for part in wave.coefficient)
            for wave, rule in zip(waves, rules, strict=True)
        ]
        real, imaginary = reduce(product, pairs)

        def total(kind: str, j: int) -> sp.Expr:
            parts = (getattr(w, kind)[j].xreplace(r) for w, r in zip(waves, rules, strict=True))
            return sp.Add(*parts)

        form = Polar(
            size=sp.exp(total("growth", -1)),
            angle=total("phase", -1),
            real=real,
            imaginary=imaginary,
        )
        for number, density, slots in self._events:
            amplitude = self._amplitude(number, choice)
            growth = tuple(total("growth", j) for j in slots)
            if number in self.radial_groups:
                distance = self._distance(slots, choice)
                form = form * Polar(size=self.radial(number).integral(amplitude, distance))
            else:
                phase = tuple(total("phase", j) for j in slots)
                form = form * polar_generating_function(density, growth, phase)
        return form

    def _distance(self, slots: tuple[int, ...], choice: tuple[int, ...]) -> sp.Expr:
        """|t| for t = sum of the phases; in inner products where the phases are multiples of x."""
        multiples = [self._multiple(slots, self.waves[t]) for t in choice]
        factors = [factor for factor in multiples if factor is not None]
        if len(slots) == 1 or len(factors) < len(choice):
            rules = [self._at(a + 1) for a in range(len(choice))]
            parts = [
                sp.Add(
                    *(
                        self.waves[t].phase[j].xreplace(rule)
                        for t, rule in zip(choice, rules, strict=True)
                    )
                )
                for j in slots
            ]
            return parts[0] if len(slots) == 1 else sp.sqrt(sp.Add(*(p**2 for p in parts)))
        square = sp.Add(
            *(
                left * right * InnerProduct(a + 1, b + 1)
                for a, left in enumerate(factors)
                for b, right in enumerate(factors)
            )
        )
        return sp.sqrt(sp.expand(square))

    def _multiple(self, slots: tuple[int, ...], wave: Wave) -> sp.Expr | None:
        if len(slots) != len(self.inputs):
            return None
        ratios = {sp.cancel(wave.phase[j] / x) for j, x in zip(slots, self.inputs, strict=True)}
        ratio = ratios.pop()
        return None if ratios or ratio.free_symbols & set(self.inputs) else ratio

    def moments(self, order: int, X: NDArray[np.float64]) -> Moments:
        """Moments over the rows of X, for waves and densities with numbers only."""
        require_finite(self, order, X)
        n = len(X)
        indices = multi_indices(order, n)
        tables = _Tables.of(self, X)
        value, error = np.zeros(len(indices)), np.zeros(len(indices))
        choices = list(self.choices(order))
        for start in range(0, len(indices), _ROWS):
            rows = slice(start, start + _ROWS)
            value[rows], error[rows] = self._rows(choices, tables, indices[rows])
        return Moments(
            values=SymmetricTensor(order, n, value), errors=SymmetricTensor(order, n, error)
        )

    def _rows(
        self, choices: list[tuple[int, ...]], tables: _Tables, indices: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        averages = _Averages(self, choices, tables, indices)
        value, error = np.zeros(len(indices)), np.zeros(len(indices))
        for number, choice in enumerate(choices):
            term, uncertainty = tables.coefficient(choice, indices)
            for event in range(len(self._events)):
                factor, own = averages.factor(event, number)
                uncertainty = uncertainty * (np.abs(factor) + own) + np.abs(term) * own
                term = term * factor
            value += self._multiplicity(choice) * term.real
            error += self._multiplicity(choice) * uncertainty
        return value, error + 4 * _EPS * np.abs(value)


@dataclass(frozen=True, kw_only=True)
class _Tables:
    """Coefficients (T, n) and sources (T, parameters + 1, n) of every wave at every point."""

    coefficients: NDArray[np.complex128]
    growth: NDArray[np.float64]
    phase: NDArray[np.float64]

    @classmethod
    def of(cls, waves: WaveSum, X: NDArray[np.float64]) -> _Tables:
        def numbers(expressions: list[sp.Expr]) -> NDArray[np.float64]:
            function = sp.lambdify(waves.inputs, expressions, modules=["scipy", "numpy"])
            with np.errstate(all="ignore"):
                rows = function(*X.T)
            return np.array([np.broadcast_to(row, len(X)) for row in rows], dtype=np.float64)

        size = (len(waves.waves), -1, len(X))
        real = numbers([wave.coefficient[0] for wave in waves.waves])
        imaginary = numbers([wave.coefficient[1] for wave in waves.waves])
        growth = numbers([a for wave in waves.waves for a in wave.growth]).reshape(size)
        phase = numbers([b for wave in waves.waves for b in wave.phase]).reshape(size)
        tables = cls(coefficients=real + 1j * imaginary, growth=growth, phase=phase)
        if not all(np.all(np.isfinite(t)) for t in (tables.coefficients, growth, phase)):
            raise AccuracyError(
                expected="a neuron that is finite at every point",
                came="a coefficient that is not",
                remedy="leave out the points at which the neuron is singular",
            )
        return tables

    def coefficient(
        self, choice: tuple[int, ...], indices: NDArray[np.intp]
    ) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
        """Product of the coefficients with its rounding error."""
        growth, phase, size = self.source(choice, indices, -1)
        with np.errstate(over="ignore"):
            term = np.exp(growth + 1j * phase)
        for slot, t in enumerate(choice):
            term = term * self.coefficients[t][indices[:, slot]]
        return term, 2 * _EPS * (len(choice) + 2 + size) * np.abs(term)

    def source(
        self, choice: tuple[int, ...], indices: NDArray[np.intp], parameter: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Growth, phase and the size of what was added, of one parameter."""
        growth, phase, size = (np.zeros(len(indices)) for _ in range(3))
        for slot, t in enumerate(choice):
            a = self.growth[t, parameter][indices[:, slot]]
            b = self.phase[t, parameter][indices[:, slot]]
            growth, phase, size = growth + a, phase + b, size + np.abs(a) + np.abs(b)
        return growth, phase, size


class _Averages:
    """Averages over each event for each choice: all radial integrals of one amplitude at once."""

    def __init__(
        self,
        waves: WaveSum,
        choices: list[tuple[int, ...]],
        tables: _Tables,
        indices: NDArray[np.intp],
    ) -> None:
        self.waves, self.choices, self.tables, self.indices = waves, choices, tables, indices
        self.radial: dict[tuple[int, int], tuple[Any, Any]] = {}
        for event, (number, _, slots) in enumerate(waves._events):
            if number in waves.radial_groups:
                self._integrate(event, number, slots)

    def factor(self, event: int, number: int) -> tuple[Any, Any]:
        """Value and error of one event's average for one choice, at every row of indices."""
        if (event, number) in self.radial:
            return self.radial[event, number]
        _, density, slots = self.waves._events[event]
        rows = self.indices[:1] if self.waves._is_fixed(slots) else self.indices
        sources = [self.tables.source(self.choices[number], rows, j) for j in slots]
        growth, phase, size = (np.array(part) for part in zip(*sources, strict=True))
        return generating_numbers(density, growth, phase, size)

    def _integrate(self, event: int, group: int, slots: tuple[int, ...]) -> None:
        members: dict[sp.Expr, list[int]] = {}
        for number, choice in enumerate(self.choices):
            members.setdefault(self.waves._amplitude(group, choice), []).append(number)
        radial = self.waves.radial(group)
        for amplitude, numbers in members.items():
            square, size = np.zeros((2, len(numbers), len(self.indices)))
            for row, number in enumerate(numbers):
                for j in slots:
                    _, phase, added = self.tables.source(self.choices[number], self.indices, j)
                    square[row] += phase**2
                    size[row] += added
            value, error = radial_integrals(radial, amplitude, np.sqrt(square))
            reach = float(radial.scale) * _EPS * np.max(np.abs(value), initial=0.0)
            for row, number in enumerate(numbers):
                self.radial[event, number] = value[row], error[row] + reach * size[row]
