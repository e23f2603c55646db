"""Cells on which an integrand of one or two coordinates is smooth.

The outer coordinate u is cut where creases meet each other or the ends of the inner coordinate;
at each u the inner one is cut into strips by the branches of the creases g(u, v) = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.expectation.parameter_space.branches import Solution, affine_parts, solution
from nnft_sym.expectation.parameter_space.creases import crease_arguments, transitions
from nnft_sym.expectation.parameter_space.events import Axis
from nnft_sym.expectation.parameter_space.sign_changes import sampled_roots
from nnft_sym.language.errors import AccuracyError

__all__ = ["Combinations", "Creases", "ordered_axes"]

Floats = NDArray[np.float64]
Function = Callable[..., Floats]

_EPS = np.finfo(np.float64).eps
_GRID = 65
_EFFORT = {"affine": 0, "quadratic": 1, "wave": 1, "unsolved": 100}
# Smooth functions of arguments that range over less need no cells of their own.
_STEEP = 16.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Combinations:
    """Values of discrete parameters and their probabilities.

    Parameters
    ----------
    names : tuple of sympy.Symbol
        The discrete parameters.
    atoms : ndarray, shape (C, len(names))
        One row for each combination.
    probabilities : ndarray, shape (C,)
        Their weights.
    """

    names: tuple[sp.Symbol, ...]
    atoms: Floats
    probabilities: Floats


def ordered_axes(expression: sp.Expr, weight: sp.Expr, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """Put the coordinate innermost in which the creases are solved with least effort.

    Examples
    --------
    >>> w, b = sp.symbols("w b", real=True)
    >>> axes = tuple(Axis(symbol=s, low=sp.Integer(0), high=sp.Integer(1)) for s in (b, w))
    >>> [axis.symbol for axis in ordered_axes(sp.Abs(w**2 - b), sp.Integer(1), axes)]
    [w, b]
    """
    if len(axes) < 2:
        return axes
    arguments = _arguments(expression, weight, axes)

    def badness(inner: Axis) -> int:
        return sum(_EFFORT[_kind(argument, inner)] for argument in arguments)

    inner = min(reversed(axes), key=badness)
    return (*(axis for axis in axes if axis is not inner), inner)


def _arguments(expression: sp.Expr, weight: sp.Expr, axes: tuple[Axis, ...]) -> tuple[sp.Expr, ...]:
    symbols = tuple(axis.symbol for axis in axes)
    own = crease_arguments(weight, symbols)
    return own + tuple(a for a in crease_arguments(expression, symbols) if a not in own)


def _solved(argument: sp.Expr, axis: Axis) -> Solution | None:
    """Branches of a crease along an axis; those of waves cover one period."""
    found = solution(argument, axis.symbol)
    if found is not None and found.kind == "wave":
        period = float(axis.high - axis.low)
        return found if period <= 2 * np.pi * (1 + 4 * _EPS) else None
    return found


def _kind(argument: sp.Expr, axis: Axis) -> str:
    found = _solved(argument, axis)
    return "unsolved" if found is None else found.kind


@dataclass(frozen=True, kw_only=True)
class _Curve:
    """A crease in the plane: its solution for v, by compiled coefficients.

    An affine one is straight if its slope is constant and its offset affine in u.
    """

    solution: Solution
    coefficients: tuple[Function, ...]
    value: Function
    straight: tuple[Function, Function] | None

    def heights(self, members: Any, u: Floats, low: Floats) -> Floats:
        """Zeros in v: (B, q) to (B, q, n branches), low of shape (B)."""
        numbers = tuple(c(members, u) for c in self.coefficients)
        roots = self.solution.roots(numbers, low[:, None, None])
        return roots.reshape(*u.shape, -1)


@dataclass(frozen=True, kw_only=True)
class _Root:
    """A crease slope u + offset = 0 of the outer coordinate alone."""

    slope: Function
    offset: Function


class Creases:
    """Creases of an integrand over points and combinations, as functions of the outer coordinate.

    Parameters
    ----------
    expression, weight : sympy.Expr
        Neuron and density in the coordinates.
    inputs : tuple of sympy.Symbol
        x.
    X : ndarray, shape (n, d)
        Points.
    combinations : Combinations
        Discrete parameters.
    axes : tuple of Axis
        One coordinate, or the outer and the inner one.
    """

    def __init__(
        self,
        expression: sp.Expr,
        weight: sp.Expr,
        inputs: tuple[sp.Symbol, ...],
        X: Floats,
        combinations: Combinations,
        axes: tuple[Axis, ...],
    ) -> None:
        self.X, self.combinations = X, combinations
        self.outer = axes[0].symbol
        self.given = (*inputs, *combinations.names, self.outer)
        self.lines: list[_Curve] = []
        self._roots: list[_Root] = []
        self._outer: list[Function] = []
        self._unsolved: list[tuple[sp.Expr, Callable[..., Any]]] = []
        steep = self._steep(expression, axes)
        self.is_steep = bool(steep)
        creases = _arguments(expression, weight, axes)
        for argument in dict.fromkeys([*creases, *steep]):
            if len(axes) == 2 and axes[1].symbol in argument.free_symbols:
                self._add_curve(argument, axes[1], argument in creases)
            else:
                parts = affine_parts(argument, self.outer)
                if parts is not None:
                    numbers = self.numeric(parts[0]), self.numeric(parts[1])
                    self._roots.append(_Root(slope=numbers[0], offset=numbers[1]))
                else:
                    self._outer.append(self.numeric(argument))

    def _add_curve(self, argument: sp.Expr, inner: Axis, is_crease: bool) -> None:
        found = _solved(argument, inner)
        if found is not None:
            self.lines.append(self._curve(argument, found, inner.symbol))
        elif is_crease:
            given = (*self.given, inner.symbol)
            function = sp.lambdify(given, argument, modules=["scipy", "numpy"])
            self._unsolved.append((argument, function))

    def _steep(self, expression: sp.Expr, axes: tuple[Axis, ...]) -> list[sp.Expr]:
        """Transitions of arguments that range over more than a smooth rule can follow."""
        found = []
        for argument, zero in transitions(expression, tuple(axis.symbol for axis in axes)):
            corners = []
            for corner in product(*(_corners(axis) for axis in axes)):
                rule = {a.symbol: sp.Float(c) for a, c in zip(axes[1:], corner[1:], strict=True)}
                at = self.numeric(argument.xreplace(rule))
                corners.append(at(self.everyone, np.full((len(self.everyone), 1), corner[0])))
            ranges = np.max(corners, axis=0) - np.min(corners, axis=0)
            if np.max(np.nan_to_num(ranges, nan=np.inf)) > _STEEP:
                found.append(zero)
        return found

    @property
    def everyone(self) -> NDArray[np.intp]:
        """Numbers of all combinations."""
        return np.arange(len(self.combinations.probabilities))

    def _curve(self, argument: sp.Expr, found: Solution, inner: sp.Symbol) -> _Curve:
        straight = None
        if found.kind == "affine" and self.outer not in found.coefficients[0].free_symbols:
            parts = affine_parts(found.coefficients[1], self.outer)
            straight = None if parts is None else (self.numeric(parts[0]), self.numeric(parts[1]))
        if straight is None:
            self._outer += [self.numeric(part) for part in found.indicators]
        return _Curve(
            solution=found,
            coefficients=tuple(self.numeric(c) for c in found.coefficients),
            value=self.numeric(argument, inner),
            straight=straight,
        )

    def numeric(self, expression: sp.Expr, inner: sp.Symbol | None = None) -> Function:
        """Compile a function of (combination numbers, u): arrays (B,) and (B, q) to (B, q, n).

        With an inner coordinate, its value follows.
        """
        given = self.given if inner is None else (*self.given, inner)
        function = sp.lambdify(given, expression, modules=["scipy", "numpy"])
        points = [column[None, None, :] for column in self.X.T]
        atoms = self.combinations.atoms

        def evaluate(members: Any, u: Floats, *v: float) -> Floats:
            fixed = [atoms[members, j][:, None, None] for j in range(atoms.shape[1])]
            with np.errstate(all="ignore"):
                value = np.asarray(function(*points, *fixed, u[:, :, None], *v), dtype=np.float64)
            return np.broadcast_to(value, (*u.shape, len(self.X)))

        return evaluate

    def strips(self, members: Any, u: Floats, low: Floats, high: Floats) -> Floats:
        """Sorted ends of the strips: (B, q) outer values to (B, q, strips + 1) inner values."""
        ends = [np.broadcast_to(end[:, None, None], (*u.shape, 1)) for end in (low, high)]
        cuts = []
        for line in self.lines:
            cut = line.heights(members, u, low)
            cut = np.where(np.isfinite(cut), cut, low[:, None, None])
            cuts.append(np.clip(cut, low[:, None, None], high[:, None, None]))
        return np.sort(np.concatenate([*cuts, *ends], axis=2), axis=2)

    @property
    def strip_count(self) -> int:
        """Number of strips, empty ones included."""
        return sum(line.solution.branches for line in self.lines) * len(self.X) + 1

    def breaks(
        self, member: int, low: float, high: float, inner: tuple[float, float] | None
    ) -> Floats:
        """Where to cut the outer range for one combination."""
        one, zero = np.array([member]), np.zeros((1, 1))
        cuts = [np.array([low, high])]
        curves: list[Callable[[Floats], Floats]] = [partial(f, one) for f in self._outer]
        with np.errstate(all="ignore"):
            cuts += [(-r.offset(one, zero) / r.slope(one, zero)).ravel() for r in self._roots]
            if inner is not None:
                self._require_solved(one, low, high, inner)
                cuts += self._crossings(one, zero, inner)
                bent = [line for line in self.lines if line.straight is None]
                curves += [partial(_at_edge, line, one, edge) for line in bent for edge in inner]
                if bent:
                    heights = partial(self._heights, one, inner)
                    cuts.append(sampled_roots(heights, low, high, self._pairs()))
            cuts += [sampled_roots(curve, low, high) for curve in curves]
        flat = np.concatenate(cuts)
        flat = np.unique(flat[np.isfinite(flat) & (flat >= low) & (flat <= high)])
        apart = np.diff(flat, prepend=-np.inf) > 1e-13 * (high - low)
        kept = flat[apart]
        kept[0], kept[-1] = low, high
        return kept if len(kept) > 1 else np.array([low, high])

    def _require_solved(
        self, one: NDArray[np.intp], low: float, high: float, inner: tuple[float, float]
    ) -> None:
        """Refuse creases that bend in both coordinates, unless they never come to zero."""
        u, v = np.meshgrid(np.linspace(low, high, _GRID), np.linspace(*inner, _GRID))
        fixed = [
            self.combinations.atoms[one[0], j] for j in range(self.combinations.atoms.shape[1])
        ]
        for argument, function in self._unsolved:
            for x in self.X:
                value = np.broadcast_to(np.asarray(function(*x, *fixed, u, v), float), u.shape)
                steps = max(np.max(np.abs(np.diff(value, axis=j)), initial=0.0) for j in (0, 1))
                if not np.min(np.abs(value)) > steps:
                    raise AccuracyError(
                        expected="kinks, jumps and singularities on curves that one of the "
                        "coordinates solves: affine, quadratic or one wave in it",
                        came=f"{argument} = 0",
                        remedy="write the neuron with such curves, or estimate by sampling",
                    )

    def _heights(self, one: NDArray[np.intp], inner: tuple[float, float], u: Floats) -> Floats:
        """All branches at u (1, q), not a number outside the inner range."""
        low = np.full(1, inner[0])
        heights = np.concatenate([line.heights(one, u, low) for line in self.lines], axis=2)
        inside = (heights >= inner[0]) & (heights <= inner[1])
        return np.where(inside, heights, np.nan)

    def _pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Pairs of branches whose crossings are not those of two straight lines."""
        bent = np.concatenate(
            [
                np.full(line.solution.branches * len(self.X), line.straight is None)
                for line in self.lines
            ]
        )
        i, j = np.triu_indices(len(bent), 1)
        kept = bent[i] | bent[j]
        return i[kept], j[kept]

    def _crossings(
        self, one: NDArray[np.intp], zero: Floats, inner: tuple[float, float]
    ) -> list[Floats]:
        """Outer values at which straight creases meet each other or the inner ends."""
        slopes, offsets, upright = [], [], []
        for line in self.lines:
            if line.straight is None:
                continue
            a = line.coefficients[0](one, zero).ravel()
            b = -line.straight[0](one, zero).ravel()
            c = -line.straight[1](one, zero).ravel()
            slopes.append(b / a)
            offsets.append(c / a)
            # A crease whose inner slope vanishes at a point lies at one outer value.
            upright.append(np.where(a == 0, -c / b, np.nan))
        if not slopes:
            return []
        s, t = np.concatenate(slopes), np.concatenate(offsets)
        usable = np.isfinite(s) & np.isfinite(t)
        lines = np.unique(np.column_stack([s, t])[usable], axis=0)
        s, t = lines[:, 0], lines[:, 1]
        i, j = np.triu_indices(len(s), 1)
        meet = -(t[i] - t[j]) / (s[i] - s[j])
        height = s[i] * meet + t[i]
        margin = 1e-9 * (inner[1] - inner[0])
        inside = (height >= inner[0] - margin) & (height <= inner[1] + margin)
        return [meet[inside], *((edge - t) / s for edge in inner), *upright]


def _corners(axis: Axis) -> tuple[float, float, float]:
    """Both ends of a range, or of most of its weight, and a point between."""
    reach = 4 * float(axis.scale)
    ends = [float(axis.low), float(axis.high)]
    low = ends[0] if np.isfinite(ends[0]) else float(axis.centre) - reach
    high = ends[1] if np.isfinite(ends[1]) else float(axis.centre) + reach
    return low, (low + high) / 2, high


def _at_edge(line: _Curve, one: NDArray[np.intp], edge: float, u: Floats) -> Floats:
    return line.value(one, u, edge)
