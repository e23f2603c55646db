r"""Moments of φ(A·θ + A_0) for any densities: integrals over as few fields as carry the points.

Points with parallel slopes share one field; fields that share no parameter are independent.  What
is left over at most two coordinates of θ is integrated there, and the rest over the sources of
the fields,

    E prod_a f_a(u_a) = ∫ prod_a ds_a f̂_a(s_a)/2π χ(s),   χ(s) = E exp(i sum_a s_a u_a),

whose dimension is the number of fields, whatever the number of parameters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import Z
from nnft_sym.density import Density
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.expectation.law import Moments
from nnft_sym.expectation.parameter_space.clusters import Cluster, clustered, components
from nnft_sym.expectation.parameter_space.enumeration import EventIntegral
from nnft_sym.expectation.parameter_space.events import Event
from nnft_sym.expectation.parameter_space.fields import AffineNeuron
from nnft_sym.expectation.parameter_space.lattices import lattice_sum
from nnft_sym.expectation.parameter_space.narrow import narrow_cuts
from nnft_sym.expectation.parameter_space.projected import one_coordinate, plane_average
from nnft_sym.expectation.parameter_space.reach import field_reach
from nnft_sym.expectation.parameter_space.spreading import IndependentEvent, independent_events
from nnft_sym.expectation.parameter_space.windows import WindowedFunction
from nnft_sym.language.errors import AccuracyError
from nnft_sym.tensors import SymmetricTensor, multi_indices

__all__ = ["FieldMoments"]

Floats = NDArray[np.float64]

_ACCEPTED = 1e-6
_FIELDS = 4
_PLANE = 1e-9
_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class _Value:
    value: float
    error: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Followed:
    """A function of a field, a bound on (E[f²; beyond])^{1/2}, and E f²."""

    function: WindowedFunction
    beyond: float
    square: float


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldMoments:
    """Moments of one affine neuron over given points.

    Parameters
    ----------
    neuron : AffineNeuron
        φ, A and A_0, with numbers for free symbols.
    inputs : tuple of sympy.Symbol
        x.
    groups : tuple of (tuple of sympy.Symbol, Density)
        Independent events of the parameters.
    X : ndarray, shape (n, d)
        Points.
    """

    neuron: AffineNeuron
    inputs: tuple[sp.Symbol, ...]
    groups: tuple[tuple[tuple[sp.Symbol, ...], Density], ...]
    X: Floats

    def moments(self, orders: Iterable[int]) -> dict[int, Moments]:
        """Moments of the given orders, unique entries.

        Raises
        ------
        AccuracyError
            If an entry needs more than four fields, or its error exceeds 1e-6 of its scale.
        InfiniteMomentError
            If the neuron grows faster than the density of its field decays.
        """
        found = {}
        n = len(self.X)
        for order in orders:
            entries = [self._entry(tuple(row)) for row in multi_indices(order, n)]
            found[order] = Moments(
                values=SymmetricTensor(order, n, np.array([e.value for e in entries])),
                errors=SymmetricTensor(order, n, np.array([e.error for e in entries])),
            )
        return found

    @cached_property
    def _events(self) -> tuple[IndependentEvent, ...]:
        return independent_events(self.groups)

    @cached_property
    def _fields(self) -> tuple[Floats, Floats]:
        """Slopes of the fluctuating parameters, and means of the fields."""
        slopes, means = self.neuron.numbers(self.inputs, self.X)
        slopes, means = slopes.copy(), means.copy()
        for event in self._events:
            columns = list(event.columns)
            means = means + event.mean * np.sum(slopes[:, columns], axis=1)
            if event.variance == 0:
                slopes[:, columns] = 0.0
        return slopes, means

    @cached_property
    def _first(self) -> list[int]:
        """For each point the first one that equals it."""
        _, first, inverse = np.unique(self.X, axis=0, return_index=True, return_inverse=True)
        return [int(i) for i in first[inverse.reshape(-1)]]

    @cached_property
    def _phis(self) -> list[sp.Expr]:
        return [self.neuron.at(self.inputs, x) for x in self.X]

    @cached_property
    def _functions(self) -> list[Callable[[Floats], Floats]]:
        return [sp.lambdify(Z, phi, modules=["scipy", "numpy"]) for phi in self._phis]

    @cached_property
    def _thresholds(self) -> list[tuple[float, ...]]:
        return [find_kinks(phi).thresholds for phi in self._phis]

    @cached_property
    def _known(self) -> dict[tuple[tuple[tuple[int, int, float, float], ...], bool], _Followed]:
        return {}

    @cached_property
    def _memo(self) -> dict[frozenset[tuple[int, int]], _Value]:
        return {}

    def _entry(self, points: tuple[int, ...]) -> _Value:
        """E of a product over points, factor by independent factor."""
        powers = sorted(Counter(self._first[p] for p in points).items())
        slopes, means = self._fields
        clusters, constant = clustered(powers, slopes, means)
        value, error = 1.0, 0.0
        for point, power in constant:
            value *= float(self._functions[point](means[point : point + 1])[0]) ** power
        for together in components(clusters, [e.columns for e in self._events]):
            factor = self._component(together)
            # |ab - AB| <= |A| δb + |b| δa with A, B the true factors.
            error = error * (abs(factor.value) + factor.error) + abs(value) * factor.error
            value *= factor.value
        return _Value(value, error + 8 * float(_EPS) * abs(value))

    def _component(self, clusters: Sequence[Cluster]) -> _Value:
        key = frozenset((m[0], m[1]) for cluster in clusters for m in cluster.members)
        if key not in self._memo:
            direct = self._direct(clusters)
            self._memo[key] = self._by_sources(clusters) if direct is None else direct
        return self._memo[key]

    def _direct(self, clusters: Sequence[Cluster]) -> _Value | None:
        """Integrate over the parameters themselves, if they are few; None otherwise."""
        slopes, means = self._fields
        powers = [(m[0], m[1]) for cluster in clusters for m in cluster.members]
        points = [point for point, _ in powers]
        columns: list[Floats] = []
        names: list[sp.Symbol] = []
        given: list[Event] = []
        for event in self._events:
            own = slopes[points][:, event.columns]
            if not np.any(own):
                continue
            symbols = event.names
            if event.sphere is not None:
                basis = _basis(own)
                if len(basis) > 1:
                    return self._in_the_plane(powers, own @ basis.T, event)
                symbols = event.names[:1]
                radius = event.density.support()[1]
                own = own @ basis.T
                given.append(one_coordinate(symbols[0], event.sphere, radius))
            else:
                given.append(Event.of(symbols, event.density))
                means = means - event.mean * slopes[:, event.columns[0]]
            columns += list(own.T)
            names += symbols
        stems = tuple(sp.Symbol(f"slope_{j}", real=True) for j in range(len(names)))
        offset = sp.Symbol("offset", real=True)
        field = sp.Add(*(s * w for s, w in zip(stems, names, strict=True)), offset)
        integral = EventIntegral(
            inputs=(*self.inputs, *stems, offset),
            groups=(),
            neuron=self.neuron.phi.xreplace({Z: field}),
            given=tuple(given),
        )
        if not integral.is_feasible:
            return None
        order = sum(power for _, power in powers)
        rows = np.column_stack([self.X[points], *columns, means[points]])
        try:
            found = integral.moments([order], rows)[order]
        except AccuracyError:
            return None
        index = tuple(i for i, (_, power) in enumerate(powers) for _ in range(power))
        return _Value(float(found.values[index]), float(found.errors[index]))

    def _in_the_plane(
        self, powers: Sequence[tuple[int, int]], slopes: Floats, event: IndependentEvent
    ) -> _Value | None:
        """Average over two coordinates of a sphere, for kinks of fields at zero alone."""
        points = [point for point, _ in powers]
        places = [e.columns for e in self._events if e is not event]
        others = any(np.any(self._fields[0][points][:, columns]) for columns in places)
        kinks = {t for point in points for t in self._thresholds[point]}
        narrow = any(narrow_cuts(self._phis[point]) for point in points)
        shifted = bool(np.any(self._fields[1][points]))
        if slopes.shape[1] > 2 or others or narrow or kinks - {0.0} or (kinks and shifted):
            return None

        def function(fields: Floats) -> Floats:
            value = np.ones(fields.shape[1:])
            for (point, power), field in zip(powers, fields, strict=True):
                mean = self._fields[1][point]
                value = value * self._functions[point](field + mean) ** power
            return value

        assert event.sphere is not None
        value, error = plane_average(function, slopes, event.sphere, event.radius)
        return _Value(value, error) if error <= _PLANE * max(abs(value), 1e-6) else None

    def _by_sources(self, clusters: Sequence[Cluster]) -> _Value:
        """Integrate over the sources of the fields."""
        if len(clusters) > _FIELDS:
            raise AccuracyError(
                expected=f"at most {_FIELDS} fields of different directions",
                came=f"{len(clusters)} in a moment over {len(self._events)} parameters",
                remedy="ask for a lower order or fewer points, use Gaussian weights, or estimate "
                "by sampling",
            )
        many = len(clusters) > 2
        followed = [self._follow(cluster, many) for cluster in clusters]
        functions = [one.function for one in followed]
        if any(one.square == 0 for one in followed):
            return _Value(0.0, 0.0)
        left = [one.beyond for one in followed]
        scale = float(np.sqrt(prod(one.square for one in followed)))
        slopes = np.array([cluster.slopes for cluster in clusters])
        found = lattice_sum(functions, slopes, self._events, scale, _ACCEPTED * scale)
        heights = [f.largest() for f in functions]
        beyond = sum(
            2 * rest * prod(h for j, h in enumerate(heights) if j != i)
            for i, rest in enumerate(left)
        )
        error = found.error + beyond
        if not error <= _ACCEPTED * scale < np.inf:
            raise self._inaccurate(len(clusters), error / scale, found.points)
        return _Value(found.value, error)

    def _inaccurate(self, fields: int, error: float, points: int) -> AccuracyError:
        return AccuracyError(
            expected=f"an integral over {fields} fields to {_ACCEPTED:g} of its scale",
            came=f"an error of {error:.1e} after {points} sources",
            remedy="use a smoother activation, points whose coordinates are not zero, or "
            "estimate by sampling",
        )

    def _follow(self, cluster: Cluster, many: bool) -> _Followed:
        """The function of a cluster as far as its field reaches; nearer, where they are many."""
        key = cluster.members, many
        if key not in self._known:
            f = cluster.function(self._functions)
            left_out, gap = (1e-20, 0.2513) if many else (1e-30, 0.5123)
            reach, rest = field_reach(f, cluster.slopes, self._events, left_out)
            kinks = cluster.kinks(self._thresholds)
            cuts = cluster.kinks([narrow_cuts(phi) for phi in self._phis])
            function = WindowedFunction(function=f, kinks=kinks, cuts=cuts, reach=reach, gap=gap)
            squared = replace(function, function=lambda t: f(t) ** 2, known={})
            if function.largest() == 0:
                self._known[key] = _Followed(function=function, beyond=0.0, square=0.0)
                return self._known[key]
            typical = 1e-3 * function.largest() ** 2
            square = lattice_sum(
                [squared], cluster.slopes[None], self._events, typical, 0.1 * typical
            )
            # The size of the answer has to be known before an error is compared with it.
            if not square.error <= 0.5 * square.value:
                error = square.error / max(square.value, 1e-300)
                raise self._inaccurate(1, error, square.points)
            self._known[key] = _Followed(
                function=function, beyond=float(np.exp(rest / 2)), square=square.value
            )
        return self._known[key]


def _basis(rows: Floats) -> Floats:
    """Orthonormal basis of the span of rows, as rows."""
    _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
    return directions[sizes > 16 * _EPS * sizes[0]]
