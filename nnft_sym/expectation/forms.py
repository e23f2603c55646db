"""Closed forms of a Gaussian expectation: an expression and its evaluation over many entries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.expectation.variables import (
    covariance,
    determinant,
    expanded_determinants,
    point_pairs,
)
from nnft_sym.language.errors import NotDerivedError

__all__ = ["ClosedForm", "SymbolicForm"]

ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""Relative rounding error ascribed to closed forms that do not know their own."""

_LONGEST_RESULT = 150
"""Operations beyond which a result is not repeated among the steps."""


class ClosedForm(ABC):
    """E[φ_1(z_1) ... φ_k(z_k)] of centred Gaussians as a function of their covariances."""

    source: str
    steps: tuple[str, ...]
    points: int

    @property
    def derivation(self) -> tuple[str, ...]:
        """The steps, and the result they end with where it is short enough to read."""
        try:
            result = self.expression
        except NotDerivedError:
            return self.steps
        if result.count_ops() > _LONGEST_RESULT:
            return self.steps
        product = "".join(rf"\phi(z_{a})" for a in range(1, self.points + 1))
        return (*self.steps, rf"\Rightarrow\quad E[{product}] = {sp.latex(result)}")

    @property
    @abstractmethod
    def expression(self) -> sp.Expr:
        """The expectation in the symbols K_ab."""

    @abstractmethod
    def evaluate(self, K: NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
        """Value for each of U covariance matrices K and determinants D, both (U, k, k)."""

    def magnitude(self, K: NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum of the sizes of the terms that are added: what rounding errors scale with."""
        return np.abs(self.evaluate(K, D))

    def bounded(
        self, K: NDArray[np.float64], D: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values with bounds of their rounding errors."""
        return self.evaluate(K, D), ROUNDING * self.magnitude(K, D)


@dataclass(frozen=True, kw_only=True)
class SymbolicForm(ClosedForm):
    """A closed form given by one expression in K_ab and D_ab.

    Parameters
    ----------
    points : int
        k: number of points.
    in_determinants : sympy.Expr
        The expression in the symbols K_ab and D_ab.
    source : str
        Reference.
    steps : tuple of str
        The derivation as LaTeX lines.
    """

    points: int
    in_determinants: sp.Expr
    source: str
    steps: tuple[str, ...] = field(default=())

    @cached_property
    def expression(self) -> sp.Expr:
        return expanded_determinants(self.in_determinants, self.points)

    @cached_property
    def _function(self) -> Callable[..., Any]:
        return sp.lambdify(self._symbols, self.in_determinants, modules=["scipy", "numpy"])

    @property
    def _symbols(self) -> list[sp.Symbol]:
        pairs = point_pairs(self.points)
        covariances = [covariance(a, b) for a, b in pairs]
        return covariances + [determinant(a, b) for a, b in pairs if a != b]

    @cached_property
    def _size(self) -> Callable[..., Any]:
        summands = sp.Add.make_args(sp.expand(self.in_determinants))
        sizes = sp.Add(*(sp.Abs(summand, evaluate=False) for summand in summands))
        return sp.lambdify(self._symbols, sizes, modules=["scipy", "numpy"])

    def evaluate(self, K: NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._called(self._function, K, D)

    def magnitude(self, K: NDArray[np.float64], D: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            size = self._called(self._size, K, D)
            # Points of zero variance are treated apart, where formulas divide by it.
            return np.where(np.isfinite(size), size, np.abs(self.evaluate(K, D)))

    def _called(
        self, function: Callable[..., Any], K: NDArray[np.float64], D: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        pairs = point_pairs(self.points)
        arguments = [K[:, a - 1, b - 1] for a, b in pairs]
        arguments += [D[:, a - 1, b - 1] for a, b in pairs if a != b]
        value = function(*arguments)
        return np.broadcast_to(np.asarray(value, dtype=np.float64), (len(K),)).copy()
