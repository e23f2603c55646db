"""Witnesses that a symmetry fails: correlators that a transformation changes.

A symmetry of the density of f leaves every correlator as it is; a single one that changes refutes
it, whatever is known of P(θ).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.correlators import Correlator
from nnft_sym.cumulants import cumulant
from nnft_sym.deformations import MatrixDensity
from nnft_sym.exactness import Kind
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import NNFTError
from nnft_sym.networks import Network, Readout
from nnft_sym.symmetries.generators import ActingGenerator
from nnft_sym.symmetries.generic_values import generic_values
from nnft_sym.tensors import multi_indices

__all__ = ["Witness", "input_witness"]

ORDERS = (1, 2, 3, 4, 6)
BEYOND_ERRORS = 1e3
"""Times its error bound that a difference has to be."""

LEAST = 1e-7
"""Part of the correlator that a difference has to be."""


@dataclass(frozen=True, kw_only=True)
class Witness:
    """A correlator that a generator changes.

    Parameters
    ----------
    generator : ActingGenerator
        The generator.
    order : int
        n: number of points.
    points : tuple of tuple of float
        x_1 ... x_n; empty if n points that coincide anywhere will do.
    outputs : tuple of int
        The output of each leg, counted from 0.
    value : sympy.Expr
        The defect: the change of the correlator, not zero.
    error : float
        Bound on the numerical error of the value, 0 for a formula.
    parameters : Mapping
        The values of free parameters at which it was evaluated; none for a formula.
    statement : str
        What the value is, as LaTeX.
    """

    generator: ActingGenerator
    order: int
    points: tuple[tuple[float, ...], ...]
    outputs: tuple[int, ...]
    value: sp.Expr
    error: float
    parameters: Mapping[str, sp.Expr]
    statement: str

    def latex(self) -> str:
        """The statement with its value."""
        size = sp.latex(self.value)
        bound = rf" \pm {self.error:.1g}" if self.error else ""
        return rf"{self.statement} = {size}{bound} \neq 0"


def input_witness(net: Network, generator: ActingGenerator) -> Witness | None:
    """Search correlators for one that a transformation of the inputs changes, None if none does.

    Connected correlators of orders 1, 2, 3, 4 and 6 are compared at points and at the
    transformed points; for deep networks the kernel at infinite width, which refutes a symmetry at
    all widths but not one at given widths.

    Examples
    --------
    >>> from nnft_sym.symmetries.generators import acting
    >>> from nnft_sym.groups import Translations
    >>> from nnft_sym.literature import gauss_net
    >>> (shift,) = acting(Translations(1), None)
    >>> input_witness(gauss_net(), shift).order
    4
    """
    if net.depth > 1 and not all(width.is_Symbol for width in net.widths):
        return None
    if any(isinstance(density, MatrixDensity) for density in net.densities):
        return None
    values = {s.name: v for s, v in generic_values(net).items()}
    for number, marginal in _marginals(net):
        for G in _correlators(marginal):
            found = _changed(G, generator, values, number)
            if found is not None:
                return found
    return None


def _marginals(net: Network) -> Iterator[tuple[int, Network]]:
    """The networks of single outputs, those with equal densities once."""
    seen = set()
    for j, pair in enumerate(zip(net.readout.weights, net.readout.biases, strict=True)):
        if pair not in seen:
            seen.add(pair)
            yield j, replace(net, readout=Readout(weights=pair[:1], biases=pair[1:]))


def _correlators(net: Network) -> Iterator[Correlator]:
    if net.depth > 1:
        try:
            yield kernel(net)
        except NNFTError:
            return
    else:
        for order in ORDERS:
            try:
                yield cumulant(net, order)
            except NNFTError:
                return


def _changed(
    G: Correlator, generator: ActingGenerator, values: Mapping[str, sp.Expr], output: int
) -> Witness | None:
    own = {name: float(v) for name, v in values.items() if name in G.networks[0].parameters}
    for X in _points(generator.map.dimension, G):
        try:
            moved = generator.element(X)
            both = G.evaluate(np.concatenate([X, moved]), params=own)
        except NNFTError:
            continue
        rows = multi_indices(G.order, len(X))
        first = both.values.gather(rows), both.errors.gather(rows)
        second = both.values.gather(rows + len(X)), both.errors.gather(rows + len(X))
        defect, error = second[0] - first[0], second[1] + first[1]
        size = np.abs(first[0]) + np.abs(second[0])
        clear = np.abs(defect) > BEYOND_ERRORS * error + LEAST * size
        if np.any(clear):
            best = int(np.argmax(np.where(clear, np.abs(defect), 0)))
            return Witness(
                generator=generator,
                order=G.order,
                points=tuple(tuple(map(float, X[a])) for a in rows[best]),
                outputs=(output,) * G.order,
                value=sp.Float(defect[best], 12),
                error=float(error[best]),
                parameters={n: v for n, v in values.items() if n in own},
                statement=_statement(G, generator),
            )
    return None


def _statement(G: Correlator, generator: ActingGenerator) -> str:
    points = [f"x_{a + 1}" for a in range(G.order)]
    flow = rf"e^{{s {generator.label}}}"
    move = flow if generator.is_flow else generator.label
    moved = ",".join(f"{move} {x}" for x in points)
    limit = r"\lim_{n\to\infty}" if G.networks[0].depth > 1 else ""
    return rf"{limit}{G.name}({moved}) - {limit}{G.name}({','.join(points)})"


def _points(dimension: int, G: Correlator) -> Iterator[NDArray[np.float64]]:
    """Few points on few axes first, where integrals are of few dimensions."""
    for axis in range(dimension):
        yield 0.8 * np.eye(dimension)[[axis]]
    generic = np.array([0.9 - 0.55 * i for i in range(dimension)])
    closed = G.exactness.kind is Kind.EXACT
    if dimension > 1:
        pair = np.zeros((1, dimension))
        pair[0, :2] = generic[:2]
        yield pair
        if G.order == 2 or closed:
            yield np.concatenate([0.8 * np.eye(dimension)[:1], pair])
        yield generic[None, :]
    if G.order == 2 or (G.order > 1 and closed):
        yield np.stack([generic, np.array([0.3 + 0.2 * i**2 for i in range(dimension)])])
