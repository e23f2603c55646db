"""Functions of k points that correlators are sums of.

A :class:`MomentPolynomial` is a sum over set partitions of the legs of products of neuron moments
M_B, as every cumulant of i.i.d. neurons is.  A :class:`ClosedExpression` is any expression in the
covariances of one law, as derivatives and limits are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.combinatorics import Partition, shape
from nnft_sym.exactness import Exactness
from nnft_sym.expectation.covariances import DIMENSION
from nnft_sym.expectation.law import Moments, NeuronLaw, relabelled
from nnft_sym.expectation.precise.evaluator import PreciseEvaluator
from nnft_sym.expectation.variables import collected_determinants, pair_geometries
from nnft_sym.language.errors import AccuracyError
from nnft_sym.language.nodes import shorten

__all__ = ["ClosedExpression", "Evaluator", "MomentPolynomial", "PointFunction"]


def moment_symbol(block: Iterable[int]) -> sp.Symbol:
    """M_B for the legs of a block, counted from 0 and printed from 1.

    Examples
    --------
    >>> moment_symbol((0, 2))
    M_13
    """
    return sp.Symbol("M_" + "".join(str(leg + 1) for leg in block), real=True)


class Evaluator:
    """Moments of laws over fixed points and parameters, each computed once.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Points.
    values : mapping of sympy.Symbol to float
        Parameters.
    """

    def __init__(self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float]) -> None:
        self.X = X
        self.values = dict(values)
        self._moments: dict[NeuronLaw, dict[int, Moments]] = {}

    def prepare(self, functions: Iterable[PointFunction]) -> None:
        """Compute the moments that the functions need, all orders of one law together."""
        needed: dict[NeuronLaw, set[int]] = {}
        for function in functions:
            if isinstance(function, MomentPolynomial):
                needed.setdefault(function.law, set()).update(function.moment_orders)
            else:
                function.prepare(self)
        for law, orders in needed.items():
            missing = sorted(orders - set(self._moments.get(law, {})))
            if missing:
                own = {s: v for s, v in self.values.items() if s in law.symbols}
                self.keep(law, law.moments(missing, self.X, own))

    def keep(self, law: NeuronLaw, found: Mapping[int, Moments]) -> None:
        """Remember moments of a law, by their orders."""
        self._moments.setdefault(law, {}).update(found)

    def moments(self, law: NeuronLaw, order: int) -> Moments:
        """Moments of one order, as prepared."""
        return self._moments[law][order]

    def number(self, expression: sp.Expr) -> float:
        """Value of an expression in the parameters alone."""
        return float(expression.xreplace(self.values))


class PointFunction(Protocol):
    """What a correlator asks of a function of k points."""

    @property
    def law(self) -> NeuronLaw:
        """The law whose covariances the expression is written in."""

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free parameters."""

    @property
    def needs(self) -> Mapping[NeuronLaw, frozenset[int]]:
        """Laws and the orders of their moments that occur."""

    @property
    def exactness(self) -> Exactness:
        """The weakest of the moments that occur."""

    @property
    def formula(self) -> sp.Expr:
        """The function in symbols for moments."""

    @property
    def expression(self) -> sp.Expr:
        """The function in covariances and inner products."""

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> Self:
        """Return the function with parameters replaced."""

    def prepare(self, evaluator: Evaluator) -> None:
        """Have the evaluator compute the moments that occur."""

    def evaluate(
        self, evaluator: Evaluator, indices: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and error bounds at rows of point indices."""

    def in_digits(self, evaluator: PreciseEvaluator, indices: NDArray[np.intp]) -> list[mpmath.mpf]:
        """Values at rows of point indices, at mpmath's working precision."""


@dataclass(frozen=True)
class MomentPolynomial:
    """Sum over partitions π of c_π prod_{B in π} M_B for one neuron law.

    Parameters
    ----------
    law : NeuronLaw
        The neuron.
    coefficients : tuple of (Partition, sympy.Expr)
        c_π; legs are counted from 0, and a partition need not cover all legs.
    """

    law: NeuronLaw
    coefficients: tuple[tuple[Partition, sp.Expr], ...]

    @property
    def moment_orders(self) -> frozenset[int]:
        """Orders of the moments that occur."""
        return frozenset(len(block) for partition, _ in self.coefficients for block in partition)

    @property
    def needs(self) -> dict[NeuronLaw, frozenset[int]]:
        """Laws and the orders of their moments that occur."""
        return {self.law: self.moment_orders}

    def prepare(self, evaluator: Evaluator) -> None:
        """Compute all moments that occur."""
        evaluator.prepare([self])

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free parameters."""
        own = (c.free_symbols for _, c in self.coefficients)
        return self.law.symbols.union(*own) if self.moment_orders else frozenset().union(*own)

    @property
    def exactness(self) -> Exactness:
        """The weakest of the moments that occur."""
        result = Exactness.exact()
        for order in self.moment_orders:
            result = result & self.law.exactness(order)
        return result

    @cached_property
    def formula(self) -> sp.Expr:
        """The polynomial in the symbols M_B."""
        return sp.Add(
            *(c * sp.Mul(*map(moment_symbol, partition)) for partition, c in self.coefficients)
        )

    @cached_property
    def expression(self) -> sp.Expr:
        """The polynomial with the moments written out."""
        return sp.Add(
            *(
                c * sp.Mul(*(self._moment(block) for block in partition))
                for partition, c in self.coefficients
            )
        )

    def _moment(self, block: tuple[int, ...]) -> sp.Expr:
        legs = tuple(leg + 1 for leg in block)
        return relabelled(self.law.expression(len(block)), legs)

    def map(self, function: Callable[[sp.Expr], sp.Expr]) -> MomentPolynomial:
        """Apply a function to every coefficient, dropping those that vanish."""
        mapped = ((partition, function(c)) for partition, c in self.coefficients)
        return MomentPolynomial(self.law, tuple((p, c) for p, c in mapped if c != 0))

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> MomentPolynomial:
        """Return the polynomial with parameters replaced."""
        changed = self.map(lambda c: c.xreplace(dict(symbols)))
        return MomentPolynomial(self.law.replace(symbols), changed.coefficients)

    def evaluate(
        self, evaluator: Evaluator, indices: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and error bounds at rows of point indices."""
        total, error = np.zeros(len(indices)), np.zeros(len(indices))
        for partition, coefficient in self.coefficients:
            weight = evaluator.number(coefficient)
            value, relative = np.full(len(indices), weight), np.full(len(indices), abs(weight))
            for block in partition:
                moments = evaluator.moments(self.law, len(block))
                rows = indices[:, list(block)]
                factor = moments.values.gather(rows)
                value = value * factor
                relative = relative * (np.abs(factor) + moments.errors.gather(rows))
            total += value
            error += relative - np.abs(value)
        return total, error + 4 * np.finfo(np.float64).eps * np.abs(total)

    def in_digits(self, evaluator: PreciseEvaluator, indices: NDArray[np.intp]) -> list[mpmath.mpf]:
        """Values at rows of point indices, at mpmath's working precision."""
        total = [mpmath.mpf(0)] * len(indices)
        for partition, coefficient in self.coefficients:
            product = [evaluator.number(coefficient)] * len(indices)
            for block in partition:
                rows = [tuple(row) for row in indices[:, list(block)].tolist()]
                moments = evaluator.moments(self.law, rows)
                product = [p * m for p, m in zip(product, moments, strict=True)]
            total = [t + p for t, p in zip(total, product, strict=True)]
        return total

    def classes(self) -> list[tuple[sp.Expr, list[Partition]]]:
        """Partitions grouped by equal coefficient and block sizes, in a fixed order."""
        groups: dict[tuple[tuple[int, ...], sp.Expr], list[Partition]] = {}
        for partition, coefficient in self.coefficients:
            groups.setdefault((shape(partition), coefficient), []).append(partition)
        ordered = sorted(groups.items(), key=lambda item: (len(item[0][0]), item[0][0]))
        return [(key[1], members) for key, members in ordered]


@dataclass(frozen=True)
class ClosedExpression:
    """An expression in the covariances K_ab and inner products of k points of one law.

    Parameters
    ----------
    law : NeuronLaw
        The law whose covariances occur.
    order : int
        k: number of points.
    expression : sympy.Expr
        The expression.
    """

    law: NeuronLaw
    order: int
    expression: sp.Expr

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free parameters, those inside the covariances included."""
        points = {DIMENSION, *self.law.variables(self.order)}
        points |= {pair.D for pair in pair_geometries(self.expression, self.order)}
        own = self.expression.free_symbols - points
        return frozenset(s for s in own if not s.name.startswith("x_")) | self.law.symbols

    @property
    def exactness(self) -> Exactness:
        """A closed form."""
        return Exactness.exact()

    @property
    def needs(self) -> dict[NeuronLaw, frozenset[int]]:
        """No moments: they are written out."""
        return {}

    def prepare(self, evaluator: Evaluator) -> None:
        """Nothing to compute beforehand."""

    @property
    def formula(self) -> sp.Expr:
        """The expression itself."""
        return self.expression

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> ClosedExpression:
        """Return the expression with parameters replaced."""
        return ClosedExpression(
            self.law.replace(symbols), self.order, self.expression.xreplace(dict(symbols))
        )

    def evaluate(
        self, evaluator: Evaluator, indices: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values and rounding errors at rows of point indices."""
        own = {s: v for s, v in evaluator.values.items() if s in self.law.symbols}
        arguments = self.law.arguments(evaluator.X, own, indices)
        numbers = evaluator.values | {DIMENSION: evaluator.X.shape[1]}
        expression = collected_determinants(self.expression, self.order).xreplace(numbers)
        names = {key: sp.Dummy() for key in arguments}
        function = sp.lambdify(
            list(names.values()), expression.xreplace(names), modules=["scipy", "numpy"]
        )
        with np.errstate(all="ignore"):
            value = np.asarray(function(*arguments.values()), dtype=np.float64)
        value = np.broadcast_to(value, (len(indices),)).copy()
        if not np.all(np.isfinite(value)):
            where = indices[~np.isfinite(value)][0]
            raise AccuracyError(
                expected="a finite value at every set of points",
                came=f"{shorten(str(expression))}, undefined at points {where}",
                remedy="leave out degenerate points: the expression is singular there",
            )
        return value, 1e3 * np.finfo(np.float64).eps * np.abs(value)

    def in_digits(self, evaluator: PreciseEvaluator, indices: NDArray[np.intp]) -> list[mpmath.mpf]:
        """Values at rows of point indices, at mpmath's working precision."""
        expression = collected_determinants(self.expression, self.order)
        dimension = {DIMENSION: sp.Integer(len(evaluator.X[0]))}
        return [
            evaluator.expression_value(self.law, expression.xreplace(dimension), tuple(row))
            for row in indices.tolist()
        ]
