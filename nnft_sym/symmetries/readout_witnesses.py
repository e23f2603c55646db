"""Witnesses for transformations of the outputs, derived from the readout's cumulants.

Given the last hidden layer, the joint cumulants of f are the cumulant tensors of a row of readout
weights times sums over neurons,

    κ_k(f | h) = κ_k(a) S_k + κ_k(c),   S_k = n^{-k/2} sum_i h_i(x_1) ... h_i(x_k),

so that the first k at which a tensor changes gives the change of the k-point function, at any
depth and width: E S_k = n^{1-k/2} E h^k > 0 for even k at coincident points.  Where h and -h have
one law the tensors are those of ±a, whose odd ones vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement, product

import numpy as np
import sympy as sp
from sympy.utilities.iterables import multiset_permutations

from nnft_sym.combinatorics import moebius, set_partitions
from nnft_sym.cumulants import cumulant
from nnft_sym.density import Density
from nnft_sym.language.errors import NNFTError
from nnft_sym.networks import Network
from nnft_sym.point_functions import moment_symbol
from nnft_sym.symmetries.generators import ActingGenerator
from nnft_sym.symmetries.generic_values import generic_values
from nnft_sym.symmetries.invariance_conditions import sign_condition
from nnft_sym.symmetries.witnesses import BEYOND_ERRORS, Witness

__all__ = ["output_witness"]

Tensor = dict[tuple[int, ...], sp.Expr]

SUM_SQUARED = sp.Symbol(r"\langle{S_1^2}\rangle", positive=True)
"""E (n^{-1/2} sum_i h_i)², positive."""


def output_witness(net: Network, generator: ActingGenerator) -> Witness | None:
    """The lowest correlator that a transformation of the outputs changes, None if none is found.

    Examples
    --------
    >>> from nnft_sym.densities import Uniform
    >>> from nnft_sym.symmetries.generators import acting
    >>> from nnft_sym.groups import SO
    >>> from nnft_sym.literature import erf_net
    >>> from nnft_sym.architectures import shallow
    >>> net = shallow("tanh(z)", readout=Uniform(-1, 1), outputs=2)
    >>> (turn,) = acting(SO(2), None)
    >>> output_witness(net, turn).value
    -2*M_1111/(15*N)
    """
    if not generator.is_affine:
        return None
    try:
        found = _mean(net, generator) or _cumulants(net, generator)
        return found or _evaluated_mean(net, generator)
    except NNFTError:
        return None


def _mean(net: Network, generator: ActingGenerator) -> Witness | None:
    """The change of the mean R E c + t, or of its shift alone, where the rest has no mean."""
    R, t = sp.Matrix(generator.matrix), generator.shift
    still = sp.zeros(net.outputs) if generator.is_flow else sp.eye(net.outputs)
    biases = [sp.Integer(0) if c is None else c.moment(1) for c in net.readout.biases]
    if still != R:
        if sign_condition(net) != sp.true and any(w.moment(1) for w in net.readout.weights):
            return None
        moved = R * sp.Matrix(biases) + sp.Matrix(t)
        change = list(moved if generator.is_flow else moved - sp.Matrix(biases))
    else:
        change = list(t)
    values = generic_values(net)
    for j, value in enumerate(change):
        if value.xreplace(values) != 0:
            return _witness(generator, (j,), value, values)
    return None


def _evaluated_mean(net: Network, generator: ActingGenerator) -> Witness | None:
    """The change of the mean at one point in numbers, for one hidden layer."""
    if net.depth > 1:
        return None
    values = generic_values(net)
    X = np.full((1, net.dimension or 1), 0.8)
    own = {symbol.name: float(value) for symbol, value in values.items()}
    mean = cumulant(net, 1).evaluate(X, params=own)
    R = np.array(generator.matrix.tolist(), dtype=float)
    if not generator.is_flow:
        R = R - np.eye(net.outputs)
    change = R @ mean.dense[0] + np.array(generator.shift, dtype=float)
    error = np.abs(R) @ mean.errors.entries + 1e-14 * np.abs(R) @ np.abs(mean.dense[0])
    clear = np.abs(change) > BEYOND_ERRORS * error
    if not np.any(clear):
        return None
    j = int(np.argmax(np.where(clear, np.abs(change), 0)))
    formula = _witness(generator, (j,), sp.Float(change[j], 12), {})
    return replace(
        formula,
        points=(tuple(map(float, X[0])),),
        error=float(error[j]),
        parameters={symbol.name: value for symbol, value in values.items()},
    )


def _cumulants(net: Network, generator: ActingGenerator) -> Witness | None:
    weights, biases = net.readout.weights, net.readout.biases
    values = generic_values(net)
    mirrored = sign_condition(net) == sp.true
    if not mirrored and _has_odd_parts(net):
        return None
    width = net.widths[-1]
    moment = _mirrored_moment(weights) if mirrored else None
    for order in (2, 4, 6):
        a = _tensor(moment, net.outputs, order) if moment else _diagonal(weights, order)
        scale = width ** (1 - sp.Rational(order, 2))
        parts = [
            (_change(a, generator, order), scale * _positive_moment(order)),
            (_change(_diagonal(biases, order), generator, order), sp.Integer(1)),
        ]
        if order == 2 and not mirrored:
            means = _outer([w.moment(1) for w in weights])
            parts.append((_change(means, generator, order), SUM_SQUARED))
        found = _definite(parts, values, net.outputs, order)
        if found is not None:
            legs, value = found
            return _witness(generator, legs, value, values)
        if any(change for change, _ in parts):
            return None
    return None


def _has_odd_parts(net: Network) -> bool:
    """Whether means of weights and biases, or third cumulants, add terms of unknown sign."""
    means = [any(d is not None and d.moment(1) != 0 for d in part) for part in _parts(net)]
    skew = any(d is not None and d.cumulant(3) != 0 for part in _parts(net) for d in part)
    return all(means) or skew


def _parts(net: Network) -> tuple[Sequence[Density | None], ...]:
    return net.readout.weights, net.readout.biases


def _definite(
    parts: Sequence[tuple[Tensor, sp.Expr]],
    values: Mapping[sp.Symbol, sp.Expr],
    outputs: int,
    order: int,
) -> tuple[tuple[int, ...], sp.Expr] | None:
    """An entry to which all parts contribute with one sign, so that they cannot cancel."""
    for legs in combinations_with_replacement(range(outputs), order):
        terms = [(change[legs], weight) for change, weight in parts if legs in change]
        signs = {sp.sign(c.xreplace(dict(values))) for c, _ in terms}
        if len(signs) == 1 and signs <= {sp.Integer(1), sp.Integer(-1)}:
            return legs, sp.Add(*(sp.factor(c) * weight for c, weight in terms))
    return None


def _positive_moment(order: int) -> sp.Symbol:
    """E h^k of one neuron at one point."""
    return moment_symbol((0,) * order)


def _witness(
    generator: ActingGenerator,
    legs: Sequence[int],
    value: sp.Expr,
    values: Mapping[sp.Symbol, sp.Expr],
) -> Witness:
    order = len(legs)
    letters = "".join(str(j + 1) for j in legs)
    change = (
        rf"\delta_{{{generator.label}}}" if generator.is_flow else rf"\Delta_{{{generator.label}}}"
    )
    free = {s.name: v for s, v in values.items() if s in value.free_symbols}
    return Witness(
        generator=generator,
        order=order,
        points=(),
        outputs=tuple(legs),
        value=value,
        error=0.0,
        parameters=free,
        statement=rf"{change} G^{{({order})}}_{{{letters}}}({','.join('x' * order)})",
    )


def _diagonal(densities: Sequence[Density | None], order: int) -> Tensor:
    """Cumulant tensor of independent components."""
    found = {
        (j,) * order: density.cumulant(order)
        for j, density in enumerate(densities)
        if density is not None
    }
    return {legs: value for legs, value in found.items() if value != 0}


def _outer(means: Sequence[sp.Expr]) -> Tensor:
    pairs = product(range(len(means)), repeat=2)
    found = {(i, j): means[i] * means[j] for i, j in pairs}
    return {legs: value for legs, value in found.items() if value != 0}


def _mirrored_moment(weights: Sequence[Density]) -> Callable[[Sequence[int]], sp.Expr]:
    """Moments of ±a with a random sign common to the row."""

    def moment(legs: Sequence[int]) -> sp.Expr:
        if len(legs) % 2:
            return sp.Integer(0)
        counts = {j: legs.count(j) for j in set(legs)}
        return sp.Mul(*(weights[j].moment(power) for j, power in counts.items()))

    return moment


def _tensor(moment: Callable[[Sequence[int]], sp.Expr], outputs: int, order: int) -> Tensor:
    """Joint cumulants from joint moments."""
    tensor: Tensor = {}
    for legs in combinations_with_replacement(range(outputs), order):
        value = sp.expand(
            sp.Add(
                *(
                    moebius(len(partition))
                    * sp.Mul(*(moment([legs[k] for k in block]) for block in partition))
                    for partition in set_partitions(order)
                    if all(len(block) % 2 == 0 for block in partition)
                )
            )
        )
        if value != 0:
            tensor |= {tuple(entry): value for entry in multiset_permutations(list(legs))}
    return tensor


def _change(tensor: Tensor, generator: ActingGenerator, order: int) -> Tensor:
    """Σ_l T_{i_l j} κ_{..j..} of a flow, or R ⊗ ... ⊗ R κ - κ."""
    entries = sp.SparseMatrix(generator.matrix).todok()
    into: dict[int, list[tuple[int, sp.Expr]]] = {}
    for (i, j), value in entries.items():
        into.setdefault(j, []).append((i, value))
    change: dict[tuple[int, ...], list[sp.Expr]] = {}
    for legs, value in tensor.items():
        if generator.is_flow:
            for place, j in enumerate(legs):
                for i, factor in into.get(j, []):
                    target = (*legs[:place], i, *legs[place + 1 :])
                    change.setdefault(target, []).append(factor * value)
        else:
            for images in product(*(into.get(j, []) for j in legs)):
                target = tuple(i for i, _ in images)
                factor = sp.Mul(*(f for _, f in images))
                change.setdefault(target, []).append(factor * value)
            change.setdefault(legs, []).append(-value)
    found = {legs: sp.expand(sp.Add(*terms)) for legs, terms in change.items()}
    return {legs: value for legs, value in found.items() if value != 0}
