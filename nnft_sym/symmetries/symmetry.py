"""Symmetries of the density of networks by duality: proved in the parameters, refuted in fields.

A transformation of the field is absorbed in the parameters, θ → gθ; the ensemble is invariant if
P(gθ) |det ∂gθ/∂θ| = P(θ), up to redundancies of θ → f.  The condition is sufficient; that a
symmetry fails is said only with a correlator that changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import sympy as sp

from nnft_sym.deformations import Deformed, MatrixDensity
from nnft_sym.group_theory.group import Group
from nnft_sym.group_theory.representations import Representation
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Cell, Table
from nnft_sym.mathml import Formula, aligned, formulas_html
from nnft_sym.networks import Dense, Network
from nnft_sym.symmetries.generators import acting_on
from nnft_sym.symmetries.invariance_conditions import Finding, input_finding, output_finding
from nnft_sym.symmetries.readout_witnesses import output_witness
from nnft_sym.symmetries.steps import derivation, symmetry_latex
from nnft_sym.symmetries.witnesses import Witness, input_witness

__all__ = ["Symmetry", "symmetry"]


@dataclass(frozen=True, kw_only=True)
class Symmetry:
    """Whether a group is a symmetry of a network's density, with the argument.

    Parameters
    ----------
    network : Network
        The ensemble.
    group : Group
        The group.
    on : str
        Where it acts: "input" or "output".
    holds : bool or None
        True: proved by a change of variables in the parameters.  False: the condition on P(θ)
        fails, and the witness is a correlator that changes.  None: undecided, for the reason given.
    conditions : tuple of sympy.Boolean
        What is left of the condition on P(θ): on free parameters, or on a density left open.  None
        if it holds for all parameters; ``sp.false`` if none meet it.
    reason : str
        The verdict in words.
    findings : tuple of Finding
        Each generator with its action on the parameters and what it needs.
    steps : tuple of str
        The argument as LaTeX lines.
    witness : Witness or None
        A correlator that changes; where ``holds`` is None, at parameters that do not meet the
        conditions.

    Examples
    --------
    >>> from nnft_sym.groups import SO
    >>> from nnft_sym.literature import erf_net
    >>> symmetry(erf_net(), SO(3)).holds
    True
    """

    source: ClassVar[str] = "MSH21 sections 2 and 3"

    network: Network
    group: Group
    on: str
    holds: bool | None
    conditions: tuple[sp.Basic, ...]
    reason: str
    findings: tuple[Finding, ...]
    steps: tuple[str, ...]
    witness: Witness | None

    @property
    def cites(self) -> tuple[Any, ...]:
        """What else it rests on: the network."""
        return (self.network,)

    def latex(self) -> str:
        r"""Return the argument and the verdict as LaTeX lines.

        Examples
        --------
        >>> from nnft_sym.groups import Translations
        >>> from nnft_sym.literature import cos_net
        >>> print(symmetry(cos_net(), Translations(1)).latex().splitlines()[0])
        f \mapsto f\circ g,\quad g \in \mathbb{R}^{1}:\quad v_{1} = \partial_{1}
        """
        return symmetry_latex(self)

    def _repr_latex_(self) -> str:
        return aligned(self.latex().splitlines())

    def _repr_html_(self) -> str:
        return self._table().html + formulas_html(self.latex().splitlines())

    def _table(self) -> Table:
        word = {True: "✓ holds", False: "✗ fails", None: "? undecided"}[self.holds]
        rows: list[tuple[str | Cell, ...]] = [("verdict", word), ("reason", self.reason)]
        rows += [
            ("condition", "met by no parameters" if c == sp.false else Formula(sp.latex(c), str(c)))
            for c in self.conditions
        ]
        if self.witness is not None:
            rows.append(("witness", Formula(self.witness.latex(), str(self.witness.value))))
        return Table(title=self._subject, rows=tuple(rows), notes=(f"source: {self.source}",))

    @property
    def _subject(self) -> str:
        return f"{self.group.name} on the {self.on}s of {self.network.name}"

    def __repr__(self) -> str:
        return f"Symmetry({self._subject}: {self.holds}; {self.reason})"


def symmetry(
    net: Network,
    group: Group,
    on: str = "input",
    representation: Representation | None = None,
) -> Symmetry:
    """Decide whether a group is a symmetry of the density of a network, at every width.

    Input x → gx: a first-layer neuron has h(gx; θ) = h(x; gθ), as W_0 → W_0 R and
    b_0 → b_0 + W_0 t/√d.  Output f → Rf: (W_L, b_L) → (R W_L, R b_L).

    Parameters
    ----------
    net : Network
        Any network.
    group : Group
        The group, acting on R^d or R^D.
    on : str
        "input" or "output".
    representation : Representation, optional
        How the group acts on inputs or outputs, if not by its own action.

    Returns
    -------
    Symmetry

    Raises
    ------
    SpecificationError
        If the group acts on another space than the inputs or outputs.

    Notes
    -----
    Source: [MSH21] sections 2 and 3.

    Examples
    --------
    >>> from nnft_sym.architectures import shallow
    >>> from nnft_sym.densities import Gaussian
    >>> from nnft_sym.groups import SO
    >>> net = shallow("tanh(z)", readout=Gaussian("mu", 1), outputs=3)
    >>> symmetry(net, SO(3), on="output").conditions
    (Eq(mu, 0),)
    """
    _require_network(net, group, on)
    generators = acting_on(net, group, on, representation)
    _require_shapes(net)
    find = input_finding if on == "input" else output_finding
    findings = tuple(find(net, generator) for generator in generators)
    holds, conditions, reason, witness = _verdict(net, on, findings)
    return Symmetry(
        network=net,
        group=group,
        on=on,
        holds=holds,
        conditions=conditions,
        reason=reason,
        findings=findings,
        steps=derivation(net, on, findings),
        witness=witness,
    )


def _verdict(
    net: Network, on: str, findings: tuple[Finding, ...]
) -> tuple[bool | None, tuple[sp.Basic, ...], str, Witness | None]:
    """Truth, conditions, reason and witness, from what each generator needs."""
    unmet = [finding for finding in findings if finding.open_way is None]
    if not unmet:
        return True, (), "proved by a change of variables in the parameters", None
    closed = [finding for finding in unmet if finding.condition == sp.false]
    search = input_witness if on == "input" else output_witness
    witness = next(filter(None, (search(net, f.generator) for f in closed or unmet)), None)
    if closed:
        failing = closed[0] if witness is None else _of(closed, witness)
        if witness is not None:
            change = f"the {witness.order}-point function changes under {failing.generator.name}"
            return False, (sp.false,), f"{failing.obstacle}; {change}", witness
        lost = "no correlator was found to change, and the condition on P(θ) is only sufficient"
        return None, (sp.false,), f"{failing.obstacle}; {lost}", None
    conditions = tuple(dict.fromkeys(c for f in unmet for c in sp.And.make_args(f.condition)))
    reason = "it holds where the conditions on P(θ) are met"
    if witness is not None:
        label = witness.generator.name
        reason += f"; elsewhere the {witness.order}-point function changes under {label}"
    return None, conditions, reason, witness


def _of(findings: list[Finding], witness: Witness) -> Finding:
    return next(f for f in findings if f.generator == witness.generator)


def _require_network(net: Network, group: Group, on: str) -> None:
    if not isinstance(net, Network) or not isinstance(group, Group):
        raise SpecificationError(
            expected="a network and a group",
            came=f"{type(net).__name__} and {type(group).__name__}",
            remedy="write for example nn.symmetry(nn.erf_net(), nn.SO(3))",
        )


def _require_shapes(net: Network) -> None:
    """Densities of matrices have the shape of the layer they are given for."""
    dense = [layer for layer in net.layers if isinstance(layer, Dense)]
    biases = [layer.bias for layer in dense] + list(net.readout.biases)
    if any(isinstance(bias, MatrixDensity) for bias in biases):
        raise SpecificationError(
            expected="densities of entries for biases",
            came="a density of a whole matrix",
            remedy="give weights such a density, biases one of entries",
        )
    shapes = [(layer.weight, 0, layer.width) for layer in dense]
    shapes += [
        (layer.weight, 1, below.width)
        for below, layer in pairwise(net.layers)
        if isinstance(layer, Dense)
    ]
    shapes += [(weight, 1, net.widths[-1]) for weight in net.readout.weights]
    for density, axis, width in shapes:
        if isinstance(density, Deformed):
            size = density.matrix.shape[axis]
            if size.is_Integer and size != width:
                raise SpecificationError(
                    expected=f"a potential in a matrix with {width} "
                    f"{'rows' if axis == 0 else 'columns'}, the width of the layer",
                    came=f"{density.potential} in {density.matrix.name} of shape "
                    f"{density.matrix.shape}",
                    remedy="match width= to the matrix symbol, or make its sizes symbols",
                )
