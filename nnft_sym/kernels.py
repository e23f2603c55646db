"""Kernels: the two-point function E[f f], at every width for one hidden layer, else at infinity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from nnft_sym.combinatorics import Partition
from nnft_sym.correlators import Correlator
from nnft_sym.cumulants import cumulant
from nnft_sym.exactness import Exactness
from nnft_sym.expectation.law import NeuronLaw
from nnft_sym.laws import infinite_width_law, require_centred
from nnft_sym.networks import Network
from nnft_sym.output_sums import OutputTerm
from nnft_sym.point_functions import MomentPolynomial

__all__ = ["kernel"]


def kernel(net: Network) -> Correlator:
    """Return the kernel G⁽²⁾_ij(x, y) = E[f_i(x) f_j(y)].

    For one hidden layer it is exact at every width: δ_ij (σ_v² E[φφ] + σ_c²) for centred
    readouts.  For deeper networks it is the infinite-width limit
    K⁽ˡ⁺¹⁾ = C_b + C_W E[φφ]_{K⁽ˡ⁾}, with corrections of order 1/n left out.

    Parameters
    ----------
    net : Network
        Any number of hidden layers and outputs.

    Returns
    -------
    Correlator

    Raises
    ------
    NotDerivedError
        If a deep network has weights with a mean, where the limit diverges.

    Notes
    -----
    Source: [W96], [CS09]; the recursion [PDLT] chapter 4.

    Examples
    --------
    >>> from nnft_sym.activations import ReLU
    >>> from nnft_sym.architectures import mlp
    >>> print(kernel(mlp(ReLU(), depth=2)).exactness)
    exact as n -> oo; corrections of order 1/n left out
    """
    return _exact(net) if net.depth == 1 else _infinite_width(net)


def _exact(net: Network) -> Correlator:
    connected, mean = cumulant(net, 2), cumulant(net, 1)
    means = (_product(left, right) for left in mean.terms for right in mean.terms)
    nonzero = tuple(term for term in means if term.function.formula != 0)
    return replace(connected, name="G^{(2)}", terms=connected.terms + nonzero)


def _product(left: OutputTerm, right: OutputTerm) -> OutputTerm:
    """Product of two one-point terms, on legs 0 and 1."""
    first, second = left.function, right.function
    assert isinstance(first, MomentPolynomial)
    assert isinstance(second, MomentPolynomial)
    shifted = [(_shift(partition), c) for partition, c in second.coefficients]
    coefficients = tuple(((*p, *q), c * e) for p, c in first.coefficients for q, e in shifted)
    labels = None if left.labels is None or right.labels is None else left.labels + right.labels
    return OutputTerm(
        blocks=((0,), (1,)), labels=labels, function=MomentPolynomial(first.law, coefficients)
    )


def _shift(partition: Iterable[tuple[int, ...]]) -> Partition:
    return tuple(tuple(leg + 1 for leg in block) for block in partition)


def _infinite_width(net: Network) -> Correlator:
    law = infinite_width_law(net)
    for density in net.readout.densities:
        require_centred(density, "readout weights and biases")
    shared = len(set(net.readout.weights)) == 1 and len(set(net.readout.biases)) == 1
    terms = [
        OutputTerm(
            blocks=((0, 1),),
            labels=None if shared else (output,),
            function=_dense(net, output, law),
        )
        for output in ((0,) if shared else range(net.outputs))
    ]
    return Correlator(
        order=2,
        name="G^{(2)}",
        networks=(net,),
        terms=tuple(terms),
        limitation=Exactness.truncated(1),
        source="PDLT chapter 4",
        derivation=(r"K^{(l+1)}_{ab} = C_b + C_W\,E[\phi_a\phi_b]_{K^{(l)}}",),
    )


def _dense(net: Network, output: int, law: NeuronLaw) -> MomentPolynomial:
    weight, bias = net.readout.weights[output], net.readout.biases[output]
    coefficients: list[tuple[Partition, sp.Expr]] = [(((0, 1),), weight.moment(2))]
    if bias is not None:
        coefficients.append(((), bias.moment(2)))
    return MomentPolynomial(law, tuple(coefficients))
