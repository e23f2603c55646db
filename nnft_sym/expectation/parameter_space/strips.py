"""Cells on which an integrand of one or two coordinates is smooth.

The outer coordinate u is cut where creases meet each other or the ends of the inner coordinate;
at each u the inner one is cut into strips by the creases α(u) v + β(u) = 0.
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

from nnft_sym.expectation.parameter_space.creases import crease_arguments, transitions
from nnft_sym.expectation.parameter_space.events import Axis

__all__ = ["Combinations", "Creases", "ordered_axes"]

Floats = NDArray[np.float64]
Function = Callable[[Any, Floats], Floats]

_SAMPLES = 257
_BISECTIONS = 60
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
    """Put the coordinate innermost in which the creases are affine, if one is.

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
        return sum(_affine_parts(argument, inner.symbol) is None for argument in arguments)

    inner = min(reversed(axes), key=badness)
    return (*(axis for axis in axes if axis is not inner), inner)


def _arguments(expression: sp.Expr, weight: sp.Expr, axes: tuple[Axis, ...]) -> tuple[sp.Expr, ...]:
    symbols = tuple(axis.symbol for axis in axes)
    own = crease_arguments(weight, symbols)
    return own + tuple(a for a in crease_arguments(expression, symbols) if a not in own)


def _affine_parts(argument: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, sp.Expr] | None:
    """(α, β) of α·symbol + β; None if it is no such function."""
    if not argument.is_polynomial(symbol):
        return None
    coefficients = sp.Poly(argument, symbol).all_coeffs()
    if len(coefficients) > 2:
        return None
    return (sp.Integer(0), coefficients[0]) if len(coefficients) == 1 else tuple(coefficients)


@dataclass(frozen=True, kw_only=True)
class _Line:
    """A crease slope(u) v + offset(u) = 0; straight if the slope is constant and offset affine."""

    slope: Function
    offset: Function
    straight: tuple[Function, Function] | None

    def height(self, members: Any, v: float, u: Floats) -> Floats:
        return self.slope(members, u) * v + self.offset(members, u)


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
        self.lines: list[_Line] = []
        self._roots: list[_Line] = []
        self._curves: list[Function] = []
        steep = self._steep(expression, axes)
        self.is_steep = bool(steep)
        for argument in dict.fromkeys([*_arguments(expression, weight, axes), *steep]):
            if len(axes) == 2 and axes[1].symbol in argument.free_symbols:
                parts = _affine_parts(argument, axes[1].symbol)
                if parts is not None:
                    self.lines.append(self._line(*parts))
            else:
                parts = _affine_parts(argument, self.outer)
                if parts is not None:
                    self._roots.append(self._line(*parts))
                else:
                    self._curves.append(self.numeric(argument))

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

    def _line(self, slope: sp.Expr, offset: sp.Expr) -> _Line:
        straight = None
        if self.outer not in slope.free_symbols:
            parts = _affine_parts(offset, self.outer)
            straight = None if parts is None else (self.numeric(parts[0]), self.numeric(parts[1]))
        return _Line(slope=self.numeric(slope), offset=self.numeric(offset), straight=straight)

    def numeric(self, expression: sp.Expr) -> Function:
        """Compile a function of (combination numbers, u): arrays (B,) and (B, q) to (B, q, n)."""
        function = sp.lambdify(self.given, expression, modules=["scipy", "numpy"])
        points = [column[None, None, :] for column in self.X.T]
        atoms = self.combinations.atoms

        def evaluate(members: Any, u: Floats) -> Floats:
            fixed = [atoms[members, j][:, None, None] for j in range(atoms.shape[1])]
            with np.errstate(all="ignore"):
                value = np.asarray(function(*points, *fixed, u[:, :, None]), dtype=np.float64)
            return np.broadcast_to(value, (*u.shape, len(self.X)))

        return evaluate

    def strips(self, members: Any, u: Floats, low: Floats, high: Floats) -> Floats:
        """Sorted ends of the strips: (B, q) outer values to (B, q, strips + 1) inner values."""
        ends = [np.broadcast_to(end[:, None, None], (*u.shape, 1)) for end in (low, high)]
        cuts = []
        for line in self.lines:
            with np.errstate(all="ignore"):
                cut = -line.offset(members, u) / line.slope(members, u)
            cut = np.where(np.isfinite(cut), cut, low[:, None, None])
            cuts.append(np.clip(cut, low[:, None, None], high[:, None, None]))
        return np.sort(np.concatenate([*cuts, *ends], axis=2), axis=2)

    @property
    def strip_count(self) -> int:
        """Number of strips, empty ones included."""
        return len(self.lines) * len(self.X) + 1

    def breaks(
        self, member: int, low: float, high: float, inner: tuple[float, float] | None
    ) -> Floats:
        """Where to cut the outer range for one combination."""
        one, zero = np.array([member]), np.zeros((1, 1))
        cuts = [np.array([low, high])]
        curves: list[Callable[[Floats], Floats]] = [partial(f, one) for f in self._curves]
        with np.errstate(all="ignore"):
            cuts += [(-r.offset(one, zero) / r.slope(one, zero)).ravel() for r in self._roots]
            if inner is not None:
                cuts += self._crossings(one, zero, inner)
                for line in self.lines:
                    if line.straight is None:
                        curves.append(partial(line.slope, one))
                        curves += [partial(line.height, one, edge) for edge in inner]
            cuts += [_sampled_roots(curve, low, high) for curve in curves]
        flat = np.concatenate(cuts)
        flat = np.unique(flat[np.isfinite(flat) & (flat >= low) & (flat <= high)])
        apart = np.diff(flat, prepend=-np.inf) > 1e-13 * (high - low)
        kept = flat[apart]
        kept[0], kept[-1] = low, high
        return kept if len(kept) > 1 else np.array([low, high])

    def _crossings(
        self, one: NDArray[np.intp], zero: Floats, inner: tuple[float, float]
    ) -> list[Floats]:
        """Outer values at which straight creases meet each other or the inner ends."""
        slopes, offsets, upright = [], [], []
        for line in self.lines:
            if line.straight is None:
                continue
            a = line.slope(one, zero).ravel()
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


def _sampled_roots(function: Callable[[Floats], Floats], low: float, high: float) -> Floats:
    """Sign changes on a grid, refined by bisection; others are left to adaptive refinement."""
    grid = np.linspace(low, high, _SAMPLES)
    values = function(grid[None, :])[0]
    exact = np.unique(np.nonzero(values == 0)[0])
    row, point = np.nonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    left, right = grid[row], grid[row + 1]
    sign = np.sign(values[row, point])
    for _ in range(_BISECTIONS if len(row) else 0):
        middle = (left + right) / 2
        at = function(middle[None, :])[0][np.arange(len(row)), point]
        same = np.sign(at) == sign
        left, right = np.where(same, middle, left), np.where(same, right, middle)
    return np.concatenate([left, grid[exact] if len(exact) < _SAMPLES // 4 else grid[:0]])
