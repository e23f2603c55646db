"""From a network to the plan of its tangent kernel: slopes and scales, from the definitions.

Derivatives are those at almost every point.  Where a neuron jumps they leave out a delta function:
no sampled network shows it, though it contributes to the mean of the kernel and makes that mean
infinite at coincident points.  ``leaps`` names such layers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy as sp

from nnft_num.compiling import compile_plan
from nnft_num.plans.gradients import TangentPlan
from nnft_sym.density import Density
from nnft_sym.expectation.slopes import weak_derivative
from nnft_sym.formulas import from_sympy
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.networks import Dense, Network, Neurons

__all__ = ["compile_tangent", "leaps"]

_JUMPING = (sp.sign, sp.Heaviside, sp.Piecewise)


@lru_cache(maxsize=128)
def compile_tangent(net: Network, parametrisation: str = "ntk") -> TangentPlan:
    """Return the plan that samples the tangent kernel of a network.

    Parameters
    ----------
    net : Network
        Any network of ``nnft_sym``.
    parametrisation : {"ntk", "standard"}
        Gradients in standardised parameters, or in the weights W/√fan_in and biases themselves.

    Returns
    -------
    TangentPlan

    Raises
    ------
    SpecificationError
        For another parametrisation, or an expression outside the little language.
    NotDerivedError
        If a neuron cannot be differentiated.

    Examples
    --------
    >>> from nnft_sym.literature import cos_net
    >>> str(compile_tangent(cos_net()).layers[0].slope)
    '-sin(z)'
    """
    if parametrisation not in ("ntk", "standard"):
        raise SpecificationError(
            expected='parametrisation "ntk" or "standard"',
            came=f"{parametrisation!r}",
            remedy='"ntk" differentiates with respect to parameters of unit variance',
        )
    standard = parametrisation == "standard"
    readout = net.readout
    return TangentPlan.from_dict(
        {
            "format": "nnft-tangent/1",
            "network": compile_plan(net).to_dict(),
            "layers": [
                _neurons(layer, standard) if isinstance(layer, Neurons) else _dense(layer, standard)
                for layer in net.layers
            ],
            "readout": {
                "weights": [_weight(density, standard) for density in readout.weights],
                "biases": [_bias(density, standard) for density in readout.biases],
            },
        }
    )


def leaps(net: Network) -> tuple[str, ...]:
    """Layers whose neurons jump, or may jump, so that gradients of samples miss a part.

    Examples
    --------
    >>> from nnft_sym.activations import ReLU, Sign
    >>> from nnft_sym.architectures import mlp
    >>> leaps(mlp(ReLU(), depth=2)), leaps(mlp(Sign(), depth=1))
    ((), ('Sign in layer 1',))
    """
    found = []
    for number, layer in enumerate(net.layers, start=1):
        if isinstance(layer, Neurons):
            if layer.expression.has(*_JUMPING):
                found.append(f"{layer.expression} in layer {number}")
        elif weak_derivative(layer.activation.expression).jumps:
            found.append(f"{layer.activation.name} in layer {number}")
    return tuple(found)


def _dense(layer: Dense, standard: bool) -> dict[str, Any]:
    return {
        "slope": str(from_sympy(weak_derivative(layer.activation.expression).regular)),
        "weight": _weight(layer.weight, standard),
        "bias": _bias(layer.bias, standard),
    }


def _neurons(layer: Neurons, standard: bool) -> dict[str, Any]:
    parameters = [(name, density) for names, density in layer.parameters for name in names]
    return {
        "gradients": [str(from_sympy(_partial(layer.expression, name))) for name, _ in parameters],
        "squares": ["1" if standard else _square(density) for _, density in parameters],
    }


def _partial(expression: sp.Expr, name: sp.Symbol) -> sp.Expr:
    """∂h/∂θ at almost every point; steps and signs are constants there."""
    real = {s: sp.Dummy(s.name, real=True) for s in expression.free_symbols}
    own = expression.xreplace(real)
    steps = {atom: sp.Dummy(real=True) for atom in own.atoms(sp.sign, sp.Heaviside)}
    partial = sp.diff(own.xreplace(steps), real.get(name, name))
    partial = partial.xreplace({dummy: step for step, dummy in steps.items()})
    if partial.has(sp.Derivative, sp.Subs, sp.DiracDelta, sp.re, sp.im):
        raise NotDerivedError(
            expected="neurons that can be differentiated in their parameters",
            came=f"{expression}, whose derivative in {name} is {partial}",
            remedy="write them with functions that have derivatives",
        )
    return partial.xreplace({dummy: symbol for symbol, dummy in real.items()})


def _square(density: Density) -> str:
    """Square of the scale of a parameter (of one entry, for densities of vectors)."""
    return str(from_sympy(sp.expand(density.moment(2) - density.moment(1) ** 2)))


def _weight(density: Density, standard: bool) -> str | None:
    return None if standard else _square(density)


def _bias(density: Density | None, standard: bool) -> str | None:
    if density is None:
        return None
    return "1" if standard else _square(density)
