"""From a network's layers to the laws of its neurons."""

from __future__ import annotations

import sympy as sp

from nnft_sym.densities import Gaussian
from nnft_sym.density import Density
from nnft_sym.expectation.covariances import AffineCovariance, LayerCovariance
from nnft_sym.expectation.gaussian import GaussianLaw
from nnft_sym.expectation.law import NeuronLaw
from nnft_sym.expectation.parameter_space.law import ParameterLaw
from nnft_sym.expectation.unsized import UnsizedLaw
from nnft_sym.language.errors import NotDerivedError
from nnft_sym.networks import Dense, Network, Neurons

__all__ = ["first_layer_law", "infinite_width_law"]


def first_layer_law(network: Network) -> NeuronLaw:
    """Law of one neuron of the first layer, exact at every width.

    Gaussian centred weights make the preactivation a Gaussian field; otherwise the law is that
    of the parameters themselves.

    Examples
    --------
    >>> from nnft_sym.literature import erf_net
    >>> type(first_layer_law(erf_net())).__name__
    'GaussianLaw'
    """
    layer = network.layers[0]
    if isinstance(layer, Neurons):
        return ParameterLaw.from_neurons(layer)
    if isinstance(layer.weight, Gaussian) and layer.weight.mean == 0:
        variance, offset = _bias(layer.bias)
        covariance = AffineCovariance(weight_variance=layer.weight.std**2, bias_variance=variance)
        return GaussianLaw(activation=layer.activation, covariance=covariance, offset=offset)
    if layer.inputs is None:
        return UnsizedLaw(layer)
    return ParameterLaw.from_dense(layer, layer.inputs)


def infinite_width_law(network: Network) -> NeuronLaw:
    """Law of one neuron of the last hidden layer as all widths before it go to infinity.

    By the central limit theorem the preactivations of deeper layers are Gaussian fields with
    K⁽ˡ⁺¹⁾_ab = C_b + C_W E[φ_a φ_b] of layer l.

    Examples
    --------
    >>> from nnft_sym.activations import ReLU
    >>> from nnft_sym.architectures import mlp
    >>> infinite_width_law(mlp(ReLU(), depth=2)).covariance.level
    1
    """
    law = first_layer_law(network)
    for layer in network.layers[1:]:
        assert isinstance(layer, Dense)
        require_centred(layer.weight, "weights of deeper layers")
        variance, offset = _bias(layer.bias)
        covariance = LayerCovariance(
            weight_variance=layer.weight.moment(2), bias_variance=variance, previous=law
        )
        law = GaussianLaw(activation=layer.activation, covariance=covariance, offset=offset)
    return law


def require_centred(density: Density, role: str) -> None:
    """Refuse a density whose mean would make the infinite-width limit diverge."""
    if density.moment(1) != 0:
        raise NotDerivedError(
            expected=f"centred {role}",
            came=f"{density} with mean {density.moment(1)}",
            remedy="centre the density: otherwise the mean of the next layer grows as √n",
        )


def _bias(bias: Density | None) -> tuple[sp.Expr, Density | None]:
    """Split a bias into the variance of a centred Gaussian and an independent offset."""
    if bias is None:
        return sp.Integer(0), None
    if isinstance(bias, Gaussian):
        return bias.std**2, None if bias.mean == 0 else Gaussian(bias.mean, 0)
    return sp.Integer(0), bias
