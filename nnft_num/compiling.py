"""From a network to its sampling plan: the bridge between theory and simulation.

Only definitions cross it (neurons, densities' draws, widths), printed in the little language; no
derived formula does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sympy as sp

from nnft_num.plans.plan import FORMAT, Plan
from nnft_sym.activations import VARIANCE
from nnft_sym.density import Density
from nnft_sym.formulas import from_sympy
from nnft_sym.networks import Dense, Network, Neurons

__all__ = ["compile_plan"]

NORM_SQUARED, DIMENSION = sp.Symbol("norm2", nonnegative=True), sp.Symbol("d", positive=True)


@lru_cache(maxsize=128)
def compile_plan(net: Network) -> Plan:
    """Return the plan that samples a network.

    Parameters
    ----------
    net : Network
        Any network of ``nnft_sym``.

    Returns
    -------
    Plan

    Raises
    ------
    SpecificationError
        If an expression is outside the little language.

    Examples
    --------
    >>> from nnft_sym.literature import cos_net
    >>> compile_plan(cos_net()).parameters
    ('N', 'sigma_v', 'sigma_w')
    """
    return Plan.from_dict(
        {
            "format": FORMAT,
            "parameters": list(net.parameters),
            "dimension": net.dimension,
            "layers": [
                _neurons(layer) if isinstance(layer, Neurons) else _dense(layer)
                for layer in net.layers
            ],
            "readout": {
                "weights": [_draw(density) for density in net.readout.weights],
                "biases": [None if b is None else _draw(b) for b in net.readout.biases],
            },
        }
    )


def _text(expression: sp.Expr) -> str:
    return str(from_sympy(expression))


def _draw(density: Density) -> dict[str, Any]:
    recipe = density.draw
    components = [_text(component) for component in recipe.components]
    return {"normals": recipe.normals, "uniforms": recipe.uniforms, "components": components}


def _dense(layer: Dense) -> dict[str, Any]:
    return {
        "kind": "dense",
        "width": _text(layer.width),
        "weight": _draw(layer.weight),
        "bias": None if layer.bias is None else _draw(layer.bias),
        "activation": _text(layer.activation.expression),
        "locals": {VARIANCE.name: _text(_variance(layer))}
        if layer.activation.is_normalised
        else {},
    }


def _variance(layer: Dense) -> sp.Expr:
    """E z² at a point, from the second moments of the parameters: a definition, not a kernel."""
    variance = layer.weight.moment(2) * NORM_SQUARED / DIMENSION
    return variance if layer.bias is None else variance + layer.bias.moment(2)


def _neurons(layer: Neurons) -> dict[str, Any]:
    return {
        "kind": "neurons",
        "width": _text(layer.width),
        "inputs": [symbol.name for symbol in layer.inputs],
        "draws": [
            {"names": [symbol.name for symbol in names], "draw": _draw(density)}
            for names, density in layer.parameters
        ],
        "neuron": _text(layer.expression),
    }
