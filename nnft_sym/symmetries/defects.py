"""Invariance defects: how much a connected correlator changes under each generator of a group.

Under a vector field on the inputs the defect is the Lie derivative sum_a v(x_a)·∂G/∂x_a, on the
outputs sum_l T_{i_l j} G_{..j..}; under a finite generator it is the difference of the
transformed correlator and the correlator.  All full correlators up to order n are invariant if and
only if all connected ones are; the defects of both agree at the first order that has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations, combinations_with_replacement, product
from typing import Any, ClassVar

import sympy as sp

from nnft_sym.correlators import Correlator
from nnft_sym.cumulants import cumulant
from nnft_sym.group_theory.group import Group
from nnft_sym.group_theory.representations import Representation
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.mathml import aligned, formulas_html
from nnft_sym.networks import Dense, Network
from nnft_sym.point_functions import moment_symbol
from nnft_sym.symmetries.generators import ActingGenerator, acting_on
from nnft_sym.symmetries.generic_values import generic_values
from nnft_sym.symmetries.moment_changes import MomentChange, changed_polynomial

__all__ = ["Defect", "InvarianceDefect", "invariance_defect"]

Legs = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Defect:
    """The change of a correlator under one generator.

    Parameters
    ----------
    generator : ActingGenerator
        The generator.
    expressions : Mapping of tuple of int to sympy.Expr
        The change for the outputs of the legs, counted from 0, those that vanish left out.  For a
        generator acting on inputs in coordinates ``x_a_i`` of the points, for one acting on outputs
        in the moments M_B of a neuron.
    """

    generator: ActingGenerator
    expressions: Mapping[Legs, sp.Expr]

    @property
    def vanishes(self) -> bool:
        """Whether it is zero identically."""
        return not self.expressions


@dataclass(frozen=True, kw_only=True)
class InvarianceDefect:
    """The defects of a connected correlator under the generators of a group.

    Parameters
    ----------
    correlator : Correlator
        G.
    group : Group
        The group.
    on : str
        "input" or "output".
    defects : tuple of Defect
        One for each generator.

    Examples
    --------
    >>> from nnft_sym.groups import Translations
    >>> from nnft_sym.literature import gauss_net
    >>> [invariance_defect(gauss_net(), Translations(1), n).vanishes for n in (2, 4)]
    [True, False]
    """

    source: ClassVar[str] = "MSH21 section 2"

    correlator: Correlator
    group: Group
    on: str
    defects: tuple[Defect, ...]

    @property
    def cites(self) -> tuple[Any, ...]:
        """What else it rests on: the correlator."""
        return (self.correlator,)

    @property
    def vanishes(self) -> bool:
        """Whether the correlator is invariant."""
        return all(defect.vanishes for defect in self.defects)

    def coincident(self) -> tuple[dict[Legs, sp.Expr], ...]:
        """Defects on the outputs where all points coincide, one mapping for each generator.

        Raises
        ------
        SpecificationError
            For a group acting on the inputs, where coincident points are an evaluation like any.
        """
        if self.on == "input":
            raise SpecificationError(
                expected="defects of a group acting on the outputs",
                came="one acting on the inputs",
                remedy="put the coordinates of the points into .expressions",
            )
        order = self.correlator.order
        same = {moment_symbol(block): moment_symbol((0,) * len(block)) for block in _blocks(order)}
        return tuple(
            {legs: sp.expand(e.xreplace(same)) for legs, e in defect.expressions.items()}
            for defect in self.defects
        )

    def latex(self) -> str:
        r"""Return one line for each generator and pattern of outputs.

        Examples
        --------
        >>> from nnft_sym.groups import SO
        >>> from nnft_sym.literature import erf_net
        >>> print(invariance_defect(erf_net(), SO(2), 2).latex())
        \delta_{v_{1}} G^{(2)} = 0
        """
        lines = []
        for defect in self.defects:
            sign = r"\delta" if defect.generator.is_flow else r"\Delta"
            name = rf"{sign}_{{{defect.generator.label}}} {self.correlator.name}"
            if defect.vanishes:
                lines.append(f"{name} = 0")
            several = self.correlator.outputs > 1
            for legs, expression in defect.expressions.items():
                mark = "_{" + "".join(str(j + 1) for j in legs) + "}" if several else ""
                lines.append(f"{{{name}}}{mark} = {sp.latex(expression)}")
        return "\n".join(lines)

    def _repr_latex_(self) -> str:
        return aligned(self.latex().splitlines())

    def _repr_html_(self) -> str:
        return formulas_html(self.latex().splitlines())

    def __repr__(self) -> str:
        found = ", ".join(
            f"{d.generator.name} {'keeps' if d.vanishes else 'changes'} it"
            for d in self.defects[:3]
        )
        more = f", {len(self.defects) - 3} more" if len(self.defects) > 3 else ""
        name = f"{self.group.name} on the {self.on}s, order {self.correlator.order}"
        return f"InvarianceDefect({name}: {found}{more})"


def invariance_defect(
    net: Network,
    group: Group,
    n: int,
    on: str = "input",
    representation: Representation | None = None,
) -> InvarianceDefect:
    """Derive the change of the connected n-point function under each generator of a group.

    Parameters
    ----------
    net : Network
        One hidden layer; for deep networks n = 2, in the limit of infinite width.
    group : Group
        The group, acting on R^d or R^D.
    n : int
        Order, from 1 to 8.
    on : str
        "input" or "output".
    representation : Representation, optional
        How the group acts, if not by its own action.

    Returns
    -------
    InvarianceDefect

    Raises
    ------
    SpecificationError
        If the group acts on another space, or the order is out of range.
    NotDerivedError
        If the correlator is known as an integral only and the defect does not vanish term by term,
        or is not derived at all.

    Notes
    -----
    Source: [MSH21] section 2.

    Examples
    --------
    >>> from nnft_sym.architectures import shallow
    >>> from nnft_sym.densities import Uniform
    >>> from nnft_sym.groups import SO
    >>> net = shallow("tanh(z)", readout=Uniform(-1, 1), outputs=2)
    >>> invariance_defect(net, SO(2), 4, on="output").defects[0].expressions[0, 0, 0, 1]
    -2*M_1234/(15*N)
    """
    generators = acting_on(net, group, on, representation)
    if on == "input":
        sized = _sized(net, generators[0].map.dimension) if generators else net
        G = _correlator(sized, n)
        defects = tuple(_on_inputs(G, generator) for generator in generators)
    else:
        G = _correlator(net, n)
        defects = tuple(_on_outputs(G, generator) for generator in generators)
    return InvarianceDefect(correlator=G, group=group, on=on, defects=defects)


def _correlator(net: Network, n: int) -> Correlator:
    return kernel(net) if net.depth > 1 and n == 2 else cumulant(net, n)


def _sized(net: Network, dimension: int) -> Network:
    """The network with its number of inputs fixed, as formulas of non-Gaussian weights need."""
    first = net.layers[0]
    if not isinstance(first, Dense) or first.inputs is not None:
        return net
    return replace(net, layers=(replace(first, inputs=dimension), *net.layers[1:]))


def _patterns(G: Correlator) -> list[Legs]:
    """Outputs of the legs; other orders of them are those of permuted points."""
    return list(combinations_with_replacement(range(G.outputs), G.order))


def _on_inputs(G: Correlator, generator: ActingGenerator) -> Defect:
    """Through the moments: δG = sum_B ∂G/∂M_B δM_B, or G(M + ΔM) - G(M)."""
    found: dict[Legs, sp.Expr] = {}
    for law in dict.fromkeys(term.function.law for term in G.terms):
        needs = {k for term in G.terms for k in term.function.needs.get(law, ())}
        changes = {k: MomentChange.of(law, k, generator) for k in sorted(needs)}
        if not any(changes.values()):
            continue
        values = generic_values(G.networks[0])
        for legs in _patterns(G):
            blocks = [b for b in _blocks(G.order) if len(b) in changes]
            moments = {moment_symbol(block): (block, changes[len(block)]) for block in blocks}
            change = changed_polynomial(G.formula(legs), moments, generator, values)
            if change != 0:
                found[legs] = change
    return Defect(generator=generator, expressions=found)


def _blocks(order: int) -> list[Legs]:
    return [b for size in range(1, order + 1) for b in combinations(range(order), size)]


def _on_outputs(G: Correlator, generator: ActingGenerator) -> Defect:
    if not generator.is_affine:
        raise NotDerivedError(
            expected="an affine action on the outputs",
            came=f"{generator.latex()}",
            remedy="pass a representation of the group",
        )
    rows: dict[int, list[tuple[int, sp.Expr]]] = {}
    for (i, j), value in sp.SparseMatrix(generator.matrix).todok().items():
        rows.setdefault(i, []).append((j, value))
    formulas: dict[Legs, sp.Expr] = {}

    def formula(legs: Legs) -> sp.Expr:
        if legs not in formulas:
            formulas[legs] = G.formula(legs)
        return formulas[legs]

    found = {}
    for legs in _patterns(G):
        if generator.is_flow:
            terms = [
                value * formula((*legs[:place], j, *legs[place + 1 :]))
                for place, i in enumerate(legs)
                for j, value in rows.get(i, [])
            ]
        else:
            terms = [
                sp.Mul(*(value for _, value in images)) * formula(tuple(j for j, _ in images))
                for images in product(*(rows.get(i, []) for i in legs))
            ]
            terms.append(-formula(legs))
        if G.order == 1:
            terms.append(generator.shift[legs[0]])
        change = sp.expand(sp.Add(*terms))
        if change != 0:
            found[legs] = change
    return Defect(generator=generator, expressions=found)
