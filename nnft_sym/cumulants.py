"""Connected correlators of networks with one hidden layer, exact in the width.

For f_j = N^{-1/2} sum_i a_ij h_i + c_j with independent neurons, the joint cumulants are

    G_c⁽ⁿ⁾ = N^{1-n/2} κ(a_{j_1} h(x_1), ..., a_{j_n} h(x_n)) + δ κ_n(c_j).

Conditioned on the neuron, the readouts are independent; by the law of total cumulance the joint
cumulant is a sum over set partitions ρ of the legs,

    κ = sum_ρ prod_{b in ρ} δ_b κ_|b|(a) · κ(prod_{l in b} h(x_l) : b in ρ).
"""

from __future__ import annotations

from itertools import product

import numpy as np
import sympy as sp

from nnft_sym.combinatorics import Partition, coarsenings, moebius, set_partitions
from nnft_sym.correlators import Correlator
from nnft_sym.expectation.law import NeuronLaw
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.laws import first_layer_law
from nnft_sym.networks import Network
from nnft_sym.output_sums import OutputTerm
from nnft_sym.point_functions import MomentPolynomial

__all__ = ["cumulant"]

LARGEST_ORDER = 8


def cumulant(net: Network, order: int) -> Correlator:
    """Return the connected correlator G_c⁽ⁿ⁾ of a network with one hidden layer, exact in N.

    G_c⁽ⁿ⁾(x_1, ..., x_n) = N^{1-n/2} sum_π (-1)^{|π|-1} (|π|-1)! prod_{B in π} E[a^|B|] M_B.

    Parameters
    ----------
    net : Network
        One hidden layer, any readout densities and number of outputs.
    order : int
        n, from 1 to 8.

    Returns
    -------
    Correlator

    Raises
    ------
    SpecificationError
        If the order is outside 1..8.
    NotDerivedError
        If the network has more than one hidden layer.

    Notes
    -----
    Source: [Y19], [HMS20] section 3; cumulants of sums of independent variables.

    Examples
    --------
    >>> from nnft_sym.literature import erf_net
    >>> cumulant(erf_net(), 3).formula(), len(cumulant(erf_net(), 4).formula().args)
    (0, 4)
    """
    whole = isinstance(order, (int, np.integer)) and not isinstance(order, bool)
    if not whole or not 1 <= order <= LARGEST_ORDER:
        raise SpecificationError(
            expected=f"an order from 1 to {LARGEST_ORDER}", came=f"{order!r}", remedy="pass an int"
        )
    order = int(order)
    if net.depth > 1:
        raise NotDerivedError(
            expected="one hidden layer for correlators at finite width",
            came=f"{net.name} of depth {net.depth}: not derived yet",
            remedy="use nn.kernel for the infinite-width limit, or sample with nm.correlators",
        )
    law = first_layer_law(net)
    scale = net.widths[0] ** (1 - sp.Rational(order, 2))
    if net.outputs == 1:
        terms = [_single_output(net, order, law, scale)]
    else:
        terms = _several_outputs(net, order, law, scale)
    return Correlator(
        order=order,
        name=rf"G_c^{{({order})}}" if order > 2 else rf"G^{{({order})}}",
        networks=(net,),
        terms=tuple(terms),
        source=", ".join(dict.fromkeys(filter(None, ("HMS20 section 3", "Y19", net.source)))),
        derivation=(
            r"G_c^{(n)} = N^{1-n/2}\,\kappa(a\,h(x_1), \dots, a\,h(x_n))"
            r"\quad\text{(cumulants of independent neurons add)}",
            r"\kappa = \sum_\pi (-1)^{|\pi|-1}(|\pi|-1)!\prod_{B\in\pi} E[a^{|B|}]\,M_B",
        ),
    )


def _single_output(net: Network, order: int, law: NeuronLaw, scale: sp.Expr) -> OutputTerm:
    weight, bias = net.readout.weights[0], net.readout.biases[0]
    moments = [weight.moment(k) for k in range(order + 1)]
    coefficients: list[tuple[Partition, sp.Expr]] = []
    for partition in set_partitions(order):
        readout = sp.Mul(*(moments[len(block)] for block in partition))
        if readout != 0:
            coefficients.append((partition, moebius(len(partition)) * scale * readout))
    if bias is not None and (own := bias.cumulant(order)) != 0:
        coefficients.append(((), own))
    everything = (tuple(range(order)),)
    return OutputTerm(
        blocks=everything, labels=None, function=MomentPolynomial(law, tuple(coefficients))
    )


def _several_outputs(net: Network, order: int, law: NeuronLaw, scale: sp.Expr) -> list[OutputTerm]:
    weights, biases = net.readout.weights, net.readout.biases
    cumulants = [[w.cumulant(k) for k in range(1, order + 1)] for w in weights]
    shared = len(set(weights)) == 1 and len(set(biases)) == 1
    terms = []
    for blocks in set_partitions(order):
        connected = [(p, moebius(size)) for p, size in coarsenings(blocks)]
        for labels in _labels(len(blocks), net.outputs, shared):
            chosen = [cumulants[label] for label in labels]
            readout = sp.Mul(*(k[len(b) - 1] for k, b in zip(chosen, blocks, strict=True)))
            coefficients = [(p, sign * scale * readout) for p, sign in connected if readout != 0]
            bias = biases[labels[0]]
            if len(blocks) == 1 and bias is not None and (own := bias.cumulant(order)) != 0:
                coefficients.append(((), own))
            if coefficients:
                terms.append(
                    OutputTerm(
                        blocks=blocks,
                        labels=None if shared else labels,
                        function=MomentPolynomial(law, tuple(coefficients)),
                    )
                )
    return terms


def _labels(blocks: int, outputs: int, shared: bool) -> list[tuple[int, ...]]:
    """Outputs of the blocks: one representative if all outputs have the same densities."""
    return [(0,) * blocks] if shared else list(product(range(outputs), repeat=blocks))
