"""The neural tangent kernel: exact mean for one hidden layer, infinite-width limit beyond."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import sympy as sp

from nnft_sym.activations import Activation
from nnft_sym.correlators import Correlator
from nnft_sym.density import Density
from nnft_sym.exactness import Exactness
from nnft_sym.expectation.covariances import DIMENSION, LayerCovariance
from nnft_sym.expectation.gaussian import GaussianLaw
from nnft_sym.expectation.jump_law import slope_law
from nnft_sym.expectation.law import NeuronLaw
from nnft_sym.expectation.parameter_space.law import ParameterLaw
from nnft_sym.expectation.slopes import weak_derivative
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.laws import infinite_width_law, require_centred
from nnft_sym.networks import Dense, Network, Neurons
from nnft_sym.output_sums import OutputTerm
from nnft_sym.tangent_functions import DenseInner, InputTangent, NeuronInner, TangentFunction

__all__ = ["ntk"]

Parametrisation = Literal["ntk", "standard"]


def ntk(net: Network, *, parametrisation: Parametrisation = "ntk") -> Correlator:
    r"""Return the mean tangent kernel Θ_ij(x, y) = E sum_p ∂f_i(x)/∂θ_p ∂f_j(y)/∂θ_p.

    With ``parametrisation="ntk"`` the gradients are those with respect to standardised
    parameters, W = σ_w ω and b = σ_b β in z = Wh/√fan_in + b, and the layers add up as

    .. math:: \Theta^{(l+1)} = C_b + C_W E[\phi\phi]_{K^{(l)}}
              + C_W\, \Theta^{(l)} E[\phi'\phi']_{K^{(l)}}, \qquad
              \Theta^{(1)} = C_b + C_W\, x\cdot y/d .

    With ``parametrisation="standard"`` they are those with respect to the weights themselves,
    w = W/√fan_in of variance C_W/fan_in, and the biases,

    .. math:: \Theta^{(l+1)} = 1 + n_l E[\phi\phi]_{K^{(l)}}
              + C_W\, \Theta^{(l)} E[\phi'\phi']_{K^{(l)}}, \qquad
              \Theta^{(1)} = 1 + x\cdot y ,

    where each 1 is there if the layer has a bias.

    For one hidden layer, Θ = σ_c² + σ_v² E[φφ] + σ_v² E[φ'φ'](C_b + C_W x·y/d) is the mean of
    the empirical kernel at every width: gradients of the readout are φ_i/√N, those of the neurons
    a_i φ'_i/√N, and the N equal terms of each sum cancel 1/N.  For more layers it is the limit of
    infinite widths; corrections are of relative order 1/n, which for ``"standard"``, where layers
    carry different powers of n, is as large as the terms without a factor n.

    Parameters
    ----------
    net : Network
        Any number of hidden layers and outputs, with centred readout weights of any density.
    parametrisation : {"ntk", "standard"}
        What the gradients are taken with respect to.

    Returns
    -------
    Correlator
        Of order 2; infinite at coincident points for activations that jump (see
        :meth:`Correlator.entries`).

    Raises
    ------
    NotDerivedError
        For readout or deeper weights with a mean, and for activations whose derivative is
        not known together with weights that are not Gaussian.
    SpecificationError
        For another parametrisation.

    Notes
    -----
    Source: [J18]; the two parametrisations as in [PDLT] chapter 8.

    Examples
    --------
    >>> from nnft_sym.literature import erf_net
    >>> print(ntk(erf_net()).exactness)
    exact closed form
    >>> from nnft_sym.architectures import mlp
    >>> from nnft_sym.activations import ReLU
    >>> ntk(mlp(ReLU(), depth=1), parametrisation="standard").parameters
    ('n_1', 'sigma_b', 'sigma_w')
    """
    if parametrisation not in ("ntk", "standard"):
        raise SpecificationError(
            expected='parametrisation "ntk" or "standard"',
            came=f"{parametrisation!r}",
            remedy='"ntk" differentiates with respect to parameters of unit variance',
        )
    standard = parametrisation == "standard"
    for weight in net.readout.weights:
        require_centred(weight, "readout weights")
    law = infinite_width_law(net)
    inner = _inner(net, len(net.layers), law, standard)
    shared = len(set(net.readout.weights)) == 1 and len(set(net.readout.biases)) == 1
    terms = tuple(
        OutputTerm(
            blocks=((0, 1),),
            labels=None if shared else (output,),
            function=_layer(
                law,
                inner,
                net.readout.weights[output],
                net.readout.biases[output],
                net.widths[-1],
                standard,
            ),
        )
        for output in ((0,) if shared else range(net.outputs))
    )
    return Correlator(
        order=2,
        name=rf"\Theta^{{({net.depth + 1})}}",
        networks=(net,),
        terms=terms,
        limitation=Exactness.exact() if net.depth == 1 else Exactness.truncated(1),
        source="J18 theorem 1, PDLT chapter 8" if standard else "J18 theorem 1",
        derivation=_derivation(net, standard),
    )


def _layer(
    law: NeuronLaw,
    inner: DenseInner | NeuronInner,
    weight: Density,
    bias: Density | None,
    width: sp.Expr,
    standard: bool,
) -> TangentFunction:
    """Θ of a dense layer above neurons of the given law."""
    own = width if standard else _variance(weight)
    offset = sp.Integer(0) if bias is None else sp.Integer(1) if standard else _variance(bias)
    return TangentFunction(law=law, weight=own, bias=offset, chain=weight.moment(2), inner=inner)


def _inner(net: Network, depth: int, law: NeuronLaw, standard: bool) -> DenseInner | NeuronInner:
    """What reaches the parameters below the neurons of hidden layer ``depth``."""
    layer = net.layers[depth - 1]
    if isinstance(layer, Neurons):
        return _neurons(layer, standard)
    slope = _slope(layer, law)
    if depth == 1:
        scale = sp.Integer(1) if standard else _variance(layer.weight) / DIMENSION
        bias = sp.Integer(0)
        if layer.bias is not None:
            bias = sp.Integer(1) if standard else _variance(layer.bias)
        return DenseInner(slope=slope, below=InputTangent(weight=scale, bias=bias))
    assert isinstance(law, GaussianLaw)
    assert isinstance(law.covariance, LayerCovariance)
    lower = law.covariance.previous
    below = _layer(
        lower,
        _inner(net, depth - 1, lower, standard),
        layer.weight,
        layer.bias,
        net.widths[depth - 2],
        standard,
    )
    return DenseInner(slope=slope, below=below)


def _slope(layer: Dense, law: NeuronLaw) -> NeuronLaw:
    """Law of φ'(z) of a dense layer."""
    if isinstance(law, GaussianLaw):
        return slope_law(law)
    derivative = weak_derivative(layer.activation.expression)
    if derivative.jumps:
        raise NotDerivedError(
            expected="Gaussian first-layer weights below an activation that jumps",
            came=f"{layer.activation} and weights {layer.weight}",
            remedy="use Gaussian weights, or a smooth activation",
        )
    name = f"{layer.activation.name}'"
    steep = replace(layer, activation=Activation(expression=derivative.regular, name=name))
    if layer.inputs is None:
        return type(law)(steep)  # type: ignore[call-arg]
    return ParameterLaw.from_dense(steep, layer.inputs)


def _neurons(layer: Neurons, standard: bool) -> NeuronInner:
    """Gradients with respect to every parameter of a neuron h(x; θ)."""
    parts, names = [], []
    for symbols, density in layer.parameters:
        for symbol in symbols:
            gradient = sp.diff(layer.expression, symbol)
            kinked = layer.expression.has(
                sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise
            )
            if kinked or gradient.has(sp.Derivative, sp.Subs):
                raise NotDerivedError(
                    expected="neurons that are smooth in their parameters, for a tangent kernel",
                    came=f"{layer.expression}",
                    remedy="write the layer with nn.shallow, which knows corners and jumps",
                )
            scale = sp.Integer(1) if standard else _variance(density)
            law = ParameterLaw(inputs=tuple(layer.inputs), groups=layer.parameters, neuron=gradient)
            parts.append((scale, law))
            names.append(symbol.name)
    return NeuronInner(parts=tuple(parts), names=tuple(names))


def _variance(density: Density) -> sp.Expr:
    """Square of the scale of a parameter (of one entry, for densities of vectors)."""
    return sp.expand(density.moment(2) - density.moment(1) ** 2)


def _derivation(net: Network, standard: bool) -> tuple[str, ...]:
    own = (
        r"w = W/\sqrt{n}:\ \partial z/\partial w = \phi,\ \partial z/\partial b = 1"
        if standard
        else r"W = \sigma_w\omega,\ b = \sigma_b\beta:\ "
        r"\partial z/\partial\omega = \sigma_w\phi/\sqrt{n},\ \partial z/\partial\beta = \sigma_b"
    )
    recursion = (
        r"\Theta^{(l+1)} = 1 + n_l\,E[\phi\phi]_{K^{(l)}}"
        if standard
        else r"\Theta^{(l+1)} = C_b + C_W\,E[\phi\phi]_{K^{(l)}}"
    ) + r" + C_W\,\Theta^{(l)} E[\phi'\phi']_{K^{(l)}}"
    exact = (
        (
            r"\text{one hidden layer: } E[a_i a_j \phi'_i\phi'_j] = \delta_{ij}E[a^2]E[\phi'\phi']"
            r"\text{, so the mean is exact at every width}",
        )
        if net.depth == 1
        else ()
    )
    return (own, recursion, *exact)
