"""Neurons with non-Gaussian weights whose number of inputs is not fixed yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.exactness import Exactness
from nnft_sym.expectation.law import Moments
from nnft_sym.expectation.parameter_space.law import ParameterLaw
from nnft_sym.language.errors import NotDerivedError
from nnft_sym.networks import Dense

__all__ = ["UnsizedLaw"]


@dataclass(frozen=True)
class UnsizedLaw:
    """Law of a dense neuron for any number of inputs: numbers at given points, no formula.

    Parameters
    ----------
    layer : Dense
        First layer with weights that are not centred Gaussians.
    """

    layer: Dense

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        own = (p.free_symbols for density in self.layer.densities for p in density.parameters)
        return frozenset().union(*own)

    @property
    def level(self) -> int:
        return 0

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> UnsizedLaw:
        return UnsizedLaw(self.layer.replace(symbols))

    def exactness(self, order: int) -> Exactness:
        return Exactness.integral()

    def source(self, order: int) -> str:
        return "definition"

    def steps(self, order: int) -> tuple[str, ...]:
        return ()

    def expression(self, order: int) -> sp.Expr:
        raise NotDerivedError(
            expected="a fixed number of inputs for a formula with non-Gaussian weights",
            came=f"weights {self.layer.weight} and any number of inputs",
            remedy="pass inputs=d when making the network; .tensor works without it",
        )

    def variables(self, order: int) -> dict[sp.Symbol, sp.Expr]:
        return {}

    def arguments(
        self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float], indices: NDArray[np.intp]
    ) -> dict[sp.Basic, NDArray[np.float64]]:
        return {}

    def moments(
        self, orders: Iterable[int], X: NDArray[np.float64], values: Mapping[sp.Symbol, float]
    ) -> dict[int, Moments]:
        return ParameterLaw.from_dense(self.layer, X.shape[1]).moments(orders, X, values)
