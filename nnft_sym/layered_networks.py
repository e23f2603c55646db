"""Deep networks whose kernels the recursion over very many points can take."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import Activation
from nnft_sym.expectation.covariances import DIMENSION, AffineCovariance, LayerCovariance
from nnft_sym.expectation.gaussian import GaussianLaw
from nnft_sym.expectation.layered import LayeredKernels, is_layered, layered_kernels
from nnft_sym.point_functions import MomentPolynomial, PointFunction
from nnft_sym.tangent_functions import DenseInner, InputTangent, TangentFunction

__all__ = ["DeepLayers", "read_layers"]

Floats = NDArray[np.float64]
Layer = tuple[sp.Expr, sp.Expr]


@dataclass(frozen=True, kw_only=True)
class DeepLayers:
    """One activation in every layer, Gaussian fields, and C_W, C_b of each.

    Parameters
    ----------
    activation : Activation
        φ: an error function, or linear on both sides of zero.
    layers : tuple of (sympy.Expr, sympy.Expr)
        C_W and C_b from the first layer to the readout.
    tangent : bool
        Whether Θ⁽ˡ⁺¹⁾ = K⁽ˡ⁺¹⁾ + C_W Θ⁽ˡ⁾ E[φ'φ'] is asked for.
    """

    activation: Activation
    layers: tuple[Layer, ...]
    tangent: bool

    def matrices(
        self,
        X: Floats,
        values: Mapping[sp.Symbol, float],
        *,
        tangent: bool,
        executor: Executor | None = None,
    ) -> LayeredKernels:
        """K⁽ᴸ⁺¹⁾, and Θ⁽ᴸ⁺¹⁾ if asked for, over the rows of X."""
        rule = dict(values)
        weights = [float(weight.xreplace(rule)) for weight, _ in self.layers]
        biases = [float(bias.xreplace(rule)) for _, bias in self.layers]
        first = X @ X.T
        first *= weights[0] / X.shape[1]
        first += biases[0]
        return layered_kernels(
            self.activation,
            first,
            weights[1:],
            biases[1:],
            tangent=tangent,
            overwrite=True,
            executor=executor,
        )


def read_layers(function: PointFunction) -> DeepLayers | None:
    """Read a kernel or tangent kernel as such a recursion, None if it is another one."""
    if isinstance(function, MomentPolynomial):
        readout = dict(function.coefficients)
        if not set(readout) <= {((0, 1),), ()} or ((0, 1),) not in readout:
            return None
        top = (readout[((0, 1),)], readout.get((), sp.Integer(0)))
        return _read(function.law, (top,), tangent=False)
    if isinstance(function, TangentFunction):
        found = _read(function.law, ((function.chain, function.bias),), tangent=True)
        return found if found is not None and _is_own(function, found) else None
    return None


def _read(law: object, layers: tuple[Layer, ...], *, tangent: bool) -> DeepLayers | None:
    activation: Activation | None = None
    while isinstance(law, GaussianLaw) and law.offset is None:
        if activation not in (None, law.activation):
            return None
        activation, field = law.activation, law.covariance
        if not isinstance(field, (AffineCovariance, LayerCovariance)):
            return None
        layers = ((field.weight_variance, field.bias_variance), *layers)
        if isinstance(field, AffineCovariance):
            # One layer has nothing to iterate.
            if len(layers) < 3 or not is_layered(activation):
                return None
            return DeepLayers(activation=activation, layers=layers, tangent=tangent)
        law = field.previous
    return None


def _is_own(function: TangentFunction, found: DeepLayers) -> bool:
    """Whether the gradients of every layer weigh as its covariance does."""
    for weight, bias in found.layers[:0:-1]:
        if (function.weight, function.chain, function.bias) != (weight, weight, bias):
            return False
        if not isinstance(function.inner, DenseInner):
            return False
        below = function.inner.below
        if isinstance(below, InputTangent):
            own = found.layers[0]
            return (below.weight * DIMENSION, below.bias) == own
        function = below
    return False
