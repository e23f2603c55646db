"""Covariances of the Gaussian fields z_a = z(x_a) as functions of the points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.law import InnerProduct, Moments, NeuronLaw, relabelled
from nnft_sym.expectation.variables import covariance, determinant, point_pairs
from nnft_sym.language.errors import InfiniteMomentError

__all__ = ["DIMENSION", "AffineCovariance", "Covariance", "LayerCovariance"]

_EPS = float(np.finfo(np.float64).eps)

DIMENSION = sp.Symbol("d", integer=True, positive=True)
"""d: dimension of the inputs."""


class Covariance(Protocol):
    """A map from points to the covariance matrix of a Gaussian field."""

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free parameters."""

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> Self:
        """Return the map with parameters replaced."""

    @property
    def level(self) -> int:
        """Number of hidden layers below the field."""

    def expression(self, a: int, b: int) -> sp.Expr:
        """K_ab for points a, b counted from 1, in the covariances of the layer below."""

    def lower_variables(self, order: int) -> dict[sp.Symbol, sp.Expr]:
        """Meaning of the covariances of the layers below."""

    def lower_arguments(
        self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float], indices: NDArray[np.intp]
    ) -> dict[sp.Basic, NDArray[np.float64]]:
        """Numbers for the covariances of the layers below and the inner products."""

    def gram(self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float]) -> Gram:
        """Covariance matrix over the rows of X."""


@dataclass(frozen=True, kw_only=True)
class AffineCovariance:
    """First layer z = Wx/√d + b of centred Gaussians: K_ab = C_b + C_W x_a·x_b/d.

    Parameters
    ----------
    weight_variance, bias_variance : sympy.Expr
        C_W and C_b.
    """

    weight_variance: sp.Expr
    bias_variance: sp.Expr

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        return frozenset(self.weight_variance.free_symbols | self.bias_variance.free_symbols)

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> AffineCovariance:
        return AffineCovariance(
            weight_variance=self.weight_variance.xreplace(dict(symbols)),
            bias_variance=self.bias_variance.xreplace(dict(symbols)),
        )

    @property
    def level(self) -> int:
        return 0

    def expression(self, a: int, b: int) -> sp.Expr:
        return self.bias_variance + self.weight_variance * InnerProduct(a, b) / DIMENSION

    def lower_variables(self, order: int) -> dict[sp.Symbol, sp.Expr]:
        return {}

    def lower_arguments(
        self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float], indices: NDArray[np.intp]
    ) -> dict[sp.Basic, NDArray[np.float64]]:
        products = X @ X.T
        return {
            InnerProduct(a, b): products[indices[:, a - 1], indices[:, b - 1]]
            for a, b in point_pairs(indices.shape[1])
        }

    def gram(self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float]) -> Gram:
        numbers = dict(values)
        return Gram.from_points(
            X,
            float(self.weight_variance.xreplace(numbers)),
            float(self.bias_variance.xreplace(numbers)),
        )


@dataclass(frozen=True, kw_only=True)
class LayerCovariance:
    """Deeper layer at infinite width: K_ab = C_b + C_W E[φ_a φ_b] of the layer before.

    Parameters
    ----------
    weight_variance, bias_variance : sympy.Expr
        C_W and C_b.
    previous : NeuronLaw
        Law of the neurons of the layer before.
    """

    weight_variance: sp.Expr
    bias_variance: sp.Expr
    previous: NeuronLaw

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        own = self.weight_variance.free_symbols | self.bias_variance.free_symbols
        return frozenset(own) | self.previous.symbols

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> LayerCovariance:
        return replace(
            self,
            weight_variance=self.weight_variance.xreplace(dict(symbols)),
            bias_variance=self.bias_variance.xreplace(dict(symbols)),
            previous=self.previous.replace(symbols),
        )

    @property
    def level(self) -> int:
        return 1 + self.previous.level

    def expression(self, a: int, b: int) -> sp.Expr:
        pair = relabelled(self.previous.expression(2), (a, b), layer=self.level)
        return self.bias_variance + self.weight_variance * pair

    def lower_variables(self, order: int) -> dict[sp.Symbol, sp.Expr]:
        below = self.previous.variables(order)
        return {self._marked(order).get(symbol, symbol): m for symbol, m in below.items()}

    def lower_arguments(
        self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float], indices: NDArray[np.intp]
    ) -> dict[sp.Basic, NDArray[np.float64]]:
        below = self.previous.arguments(X, values, indices)
        marked = self._marked(indices.shape[1])
        return {marked.get(symbol, symbol): number for symbol, number in below.items()}

    def _marked(self, order: int) -> dict[sp.Basic, sp.Symbol]:
        """Covariances of the layer below, as they are called from this layer."""
        return {
            symbol(a, b): symbol(a, b, layer=self.level)
            for a, b in point_pairs(order)
            for symbol in (covariance, determinant)
        }

    def gram(self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float]) -> Gram:
        return self.gram_above(self.previous.moments((2,), X, values)[2], values)

    def gram_above(self, moment: Moments, values: Mapping[sp.Symbol, float]) -> Gram:
        """Covariance matrix from the second moments of the layer before."""
        numbers = dict(values)
        weight = float(self.weight_variance.xreplace(numbers))
        bias = float(self.bias_variance.xreplace(numbers))
        matrix = bias + weight * moment.values.dense
        if not np.all(np.isfinite(matrix)):
            raise InfiniteMomentError(
                expected="finite covariances in every layer",
                came=f"a covariance that overflows above layer {self.level}",
                remedy="lower the weight and bias scales, or the depth",
            )
        errors = abs(weight) * moment.errors.dense + 4 * _EPS * np.abs(matrix)
        return Gram.from_matrix(matrix, errors=errors)
