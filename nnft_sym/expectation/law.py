"""The law of one neuron: what every correlator of i.i.d. neurons is built from.

A law answers one question, the moments M_{a_1...a_k} = E[h(x_{a_1}) ... h(x_{a_k})] of a single
neuron h, as a formula and as numbers with errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.exactness import Exactness
from nnft_sym.expectation.variables import covariance, point_pairs
from nnft_sym.tensors import SymmetricTensor

__all__ = ["InnerProduct", "Moments", "NeuronLaw", "coordinate", "relabelled"]


class InnerProduct(sp.Function):
    """Inner product x_a·x_b of two points, counted from 1.

    Examples
    --------
    >>> InnerProduct(2, 1)
    x_1.x_2
    """

    nargs = 2
    is_real = True
    is_commutative = True

    @classmethod
    def eval(cls, a: sp.Expr, b: sp.Expr) -> sp.Expr | None:
        """Order the points: the product is symmetric."""
        return cls(b, a) if (a - b).is_positive else None

    def _sympystr(self, printer: Any) -> str:
        return f"x_{self.args[0]}.x_{self.args[1]}"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        a, b = self.args
        body = f"x_{{{a}}}^2" if a == b else f"x_{{{a}}}\\cdot x_{{{b}}}"
        return body if exp is None else f"\\left({body}\\right)^{{{exp}}}"


def coordinate(point: int, component: int) -> sp.Symbol:
    """Component i of point a, both counted from 1.

    Examples
    --------
    >>> coordinate(1, 2)
    x_1_2
    """
    return sp.Symbol(f"x_{point}_{component}", real=True)


def relabelled(expression: sp.Expr, points: tuple[int, ...], layer: int | None = None) -> sp.Expr:
    """Write an expression in points 1..k for other points; covariances may be marked by a layer.

    Examples
    --------
    >>> relabelled(covariance(1, 2) + InnerProduct(1, 1), (3, 4))
    K_34 + x_3.x_3
    """
    swap: dict[sp.Basic, sp.Basic] = {
        covariance(a, b): covariance(points[a - 1], points[b - 1], layer)
        for a, b in point_pairs(len(points))
    }
    for node in expression.atoms(InnerProduct):
        a, b = (int(argument) for argument in node.args)
        swap[node] = InnerProduct(points[a - 1], points[b - 1])
    for symbol in expression.free_symbols:
        if symbol.name.startswith("x_"):
            point, component = (int(part) for part in symbol.name.split("_")[1:])
            swap[symbol] = coordinate(points[point - 1], component)
    return expression.xreplace(swap)


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Moments of one order over n points, each with a bound on its numerical error.

    Parameters
    ----------
    values : SymmetricTensor
        M_{a_1...a_k}.
    errors : SymmetricTensor
        Bounds on |error| of each entry; rounding alone where the moment has a closed form.
    """

    values: SymmetricTensor
    errors: SymmetricTensor


class NeuronLaw(Protocol):
    """What a correlator asks of the law of a neuron."""

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free parameters of the law."""

    @property
    def level(self) -> int:
        """Number of hidden layers below the neuron."""

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> Self:
        """Return the law with parameters replaced."""

    def exactness(self, order: int) -> Exactness:
        """Whether the moment of this order is a closed form or an exact integral."""

    def source(self, order: int) -> str:
        """Reference of the formula used."""

    def steps(self, order: int) -> tuple[str, ...]:
        """Derivation of the moment, as LaTeX lines."""

    def expression(self, order: int) -> sp.Expr:
        """E[h(x_1) ... h(x_k)] at k points in general position."""

    def variables(self, order: int) -> dict[sp.Symbol, sp.Expr]:
        """Symbols of the expression that stand for functions of the points."""

    def arguments(
        self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float], indices: NDArray[np.intp]
    ) -> dict[sp.Basic, NDArray[np.float64]]:
        """Numbers for the variables at each row of point indices."""

    def moments(
        self, orders: Iterable[int], X: NDArray[np.float64], values: Mapping[sp.Symbol, float]
    ) -> dict[int, Moments]:
        """Moments of the given orders over the rows of X."""
