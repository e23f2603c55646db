"""The action of a network: a formal expression in the continuum, numbers over points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from nnft_sym.actions.at_points import ActionAtPoints, Density
from nnft_sym.actions.construction import Singular, action_from_cumulants
from nnft_sym.actions.expansions import highest_degree
from nnft_sym.actions.normalisability import Normalisability
from nnft_sym.actions.printing import action_latex, rules_table, sum_latex
from nnft_sym.correlators import Correlator
from nnft_sym.cumulants import LARGEST_ORDER, cumulant
from nnft_sym.densities import Gaussian
from nnft_sym.diagrams.amplitude import Amplitude
from nnft_sym.diagrams.diagram import Vertex
from nnft_sym.diagrams.enumeration import diagrams_of_order
from nnft_sym.diagrams.rules import (
    CORRELATORS_FROM_COUPLINGS,
    COUPLINGS_FROM_CUMULANTS,
    FeynmanRules,
)
from nnft_sym.exactness import Exactness
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.language.markup import Shown, Table
from nnft_sym.mathml import aligned, formulas_html
from nnft_sym.networks import Network
from nnft_sym.tensors import SymmetricTensor

__all__ = ["Action", "DiagramSum", "action"]


@dataclass(frozen=True, kw_only=True)
class DiagramSum:
    """A coupling or a correlator as a sum of diagrams.

    Parameters
    ----------
    legs : int
        n: number of points.
    free : str
        LaTeX of the term without a vertex, empty if there is none.
    amplitudes : tuple of Amplitude
        The diagrams, lowest order first.
    rules : FeynmanRules
        How they are read.
    """

    legs: int
    free: str
    amplitudes: tuple[Amplitude, ...]
    rules: FeynmanRules

    @property
    def order(self) -> Fraction:
        """Lowest power of 1/N among the diagrams."""
        return min((a.order for a in self.amplitudes), default=Fraction(0))

    @property
    def expression(self) -> sp.Expr:
        """Sum of one labelling of each diagram, to be symmetrised and integrated over all y."""
        return sp.Add(*(amplitude.labellings * amplitude.expression for amplitude in self))

    def __iter__(self) -> Iterator[Amplitude]:
        return iter(self.amplitudes)

    def __len__(self) -> int:
        return len(self.amplitudes)

    def latex(self) -> str:
        """Return the sum as LaTeX."""
        return sum_latex(self)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {self.latex()}$"

    def _repr_html_(self) -> str:
        drawings = "".join(amplitude._repr_html_() for amplitude in self)
        return f"<div>{drawings}</div>"


@dataclass(frozen=True, kw_only=True)
class Action(Shown):
    r"""The Edgeworth action of a network ensemble through a power of 1/N.

    .. math:: S[f] = \text{const} + \sum_k \frac{1}{k!} \int_{x_1 \dots x_k}
              g_k(x_1, \dots, x_k) f(x_1) \dots f(x_k)

    Parameters
    ----------
    network : Network
        The ensemble.
    order : int
        p: terms through N^{-p} are kept.
    cumulants : mapping of int to Correlator
        Connected correlators 1 .. 2p + 2 that do not vanish.

    Examples
    --------
    >>> from nnft_sym.literature import erf_net
    >>> S = action(erf_net(), order=1)
    >>> print(S.couplings[4].latex().split(" =")[0])
    \begin{aligned} & g_{4}(x_1,x_2,x_3,x_4)
    """

    network: Network
    order: int
    cumulants: Mapping[int, Correlator]

    @property
    def exactness(self) -> Exactness:
        """The action leaves out all terms from N^{-p-1} on, or what its correlators do."""
        result = Exactness.truncated(self.order + 1)
        for correlator in self.cumulants.values():
            result = result & correlator.exactness
        return result

    @property
    def source(self) -> str:
        """References."""
        known = ["D23", *(c.source for c in self.cumulants.values())]
        return ", ".join(dict.fromkeys(key for text in known for key in text.split(", ") if key))

    @cached_property
    def couplings(self) -> Mapping[int, DiagramSum]:
        """Every coupling g_k as a sum of diagrams of connected correlators."""
        vertices = frozenset(Vertex(k, k - 2) for k in self.cumulants if k > 2)
        free = {2: r"G^{-1}(x_1,x_2)"}
        return self._sums(vertices, COUPLINGS_FROM_CUMULANTS, free, 2 * self.order)

    def correlators(self, order: int | None = None) -> Mapping[int, DiagramSum]:
        """Every connected correlator as a sum of diagrams of couplings: the way back.

        Vertices are the couplings order by order, g_2 - G⁻¹ being one with two legs.  Over
        points, ``S.at(X, ...).correlators()`` gives numbers.

        Parameters
        ----------
        order : int, optional
            Through N^{-order}; by default that of the action.

        Examples
        --------
        >>> from nnft_sym.literature import erf_net
        >>> {n: len(diagrams) for n, diagrams in action(erf_net()).correlators().items()}
        {0: 3, 2: 2, 4: 1}
        """
        through = self.order if order is None else order
        if not 0 <= through <= self.order:
            raise SpecificationError(
                expected=f"an order from 0 to {self.order}, that of the action",
                came=f"{order!r}",
                remedy="build the action to a higher order",
            )
        vertices = frozenset(
            Vertex(k, amplitude.diagram.order)
            for k, coupling in self.couplings.items()
            for amplitude in coupling
        )
        return self._sums(vertices, CORRELATORS_FROM_COUPLINGS, {2: r"G(x_1,x_2)"}, 2 * through)

    @staticmethod
    def _sums(
        vertices: frozenset[Vertex], rules: FeynmanRules, free: Mapping[int, str], order: int
    ) -> dict[int, DiagramSum]:
        sums = {}
        for legs in range(highest_degree(order) + 1):
            found = tuple(
                Amplitude(diagram=diagram, rules=rules)
                for power in range(1, order + 1)
                for diagram in diagrams_of_order(vertices, power, legs)
            )
            if found or legs in free:
                sums[legs] = DiagramSum(
                    legs=legs, free=free.get(legs, ""), amplitudes=found, rules=rules
                )
        return sums

    @property
    def degree(self) -> int:
        """Degree in f: at most 2p + 2."""
        return max(self.couplings)

    @property
    def normalisable(self) -> Normalisability:
        """Whether ∫ e^{-S} is finite, where that does not depend on the points.

        At order 1 the quartic form of a centred Gaussian readout is -3 Var(f̃ᵀ S f̃) <= 0, S being
        the random metric.  Otherwise ask ``S.at(X, ...).normalisable``.
        """
        readout = self.network.readout.weights
        gaussian = all(isinstance(w, Gaussian) and w.moment(1) == 0 for w in readout)
        if self.order == 1 and gaussian and 3 not in self.cumulants and 4 in self.cumulants:
            reason = "g_4 f^4 = -3 Var(f̃ S f̃) <= 0 in every direction, for a Gaussian readout"
            return Normalisability(holds=False, reason=reason, coupling=4)
        reason = f"the sign of g_{self.degree} depends on the points: ask S.at(X, ...).normalisable"
        return Normalisability(holds=None, reason=reason, coupling=self.degree)

    def at(
        self,
        X: Any,
        *,
        singular: Singular = "raise",
        params: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> ActionAtPoints:
        """Evaluate over points: a mapping {k: symmetric tensor g_k}.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Points.  Fields are f_j(x_a), in the order a·D + j for D outputs.
        singular : {"raise", "project"}
            Refuse points with a singular covariance, or take the pseudo-inverse.
        params, **values
            Values of the free parameters.

        Returns
        -------
        ActionAtPoints

        Raises
        ------
        SpecificationError
            For impossible points or parameters, or a singular covariance.
        AccuracyError, InfiniteMomentError
            If a correlator cannot be had, or is infinite.

        Examples
        --------
        >>> from nnft_sym.literature import relu_net
        >>> S = action(relu_net()).at([[1.0]], sigma_w=1, sigma_b=0, sigma_v=1, N=15)
        >>> {k: round(float(g.entries[0]), 12) for k, g in S.items() if k}
        {2: 3.0, 4: -4.0}
        """
        found = {
            k: correlator.evaluate(X, params=params, **values)
            for k, correlator in self.cumulants.items()
        }
        tensors = {k: evaluation.values for k, evaluation in found.items()}
        for k in range(4, highest_degree(2 * self.order) + 1, 2):
            if k not in tensors:
                n = tensors[2].dimension
                tensors[k] = SymmetricTensor.from_function(k, n, lambda *index: 0.0)
        return action_from_cumulants(
            tensors,
            order=self.order,
            singular=singular,
            names=self._names(X),
            exactness=self.exactness,
            errors={k: evaluation.errors for k, evaluation in found.items()},
        )

    def _names(self, X: Any) -> list[str]:
        outputs = self.network.outputs
        points = self.network.points(X)
        names = []
        for a, point in enumerate(points):
            where = f"point {a} at ({', '.join(f'{c:g}' for c in point)})"
            names += [where if outputs == 1 else f"output {j} of {where}" for j in range(outputs)]
        return names

    def logpdf(
        self,
        f: Any,
        X: Any,
        *,
        density: Density = "action",
        singular: Singular = "raise",
        params: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> Any:
        """Return the truncated log-density of fields f over points X.

        Parameters
        ----------
        f : array_like, shape (..., n)
            Fields.
        X : array_like, shape (n, d)
            Points.
        density : {"action", "edgeworth"}
            The exponentiated action, -S, or the logarithm of the Edgeworth density, nan where it
            is not positive.  They agree through the order of S and differ at the next.
        singular, params, **values
            As :meth:`at`.
        """
        at = self.at(X, singular=singular, params=params, **values)
        return at.logpdf(f, density=density)

    def feynman_rules(self) -> str:
        r"""Return the Feynman rules, in both directions, as a LaTeX table.

        Examples
        --------
        >>> from nnft_sym.literature import erf_net
        >>> print(action(erf_net()).feynman_rules().splitlines()[0])
        \begin{tabular}{ll}
        """
        return rules_table(self)

    def latex(self) -> str:
        """Return the action and its couplings as LaTeX, one equation on each line of text.

        An equation too long for a line of print is an ``aligned`` of several.
        """
        return action_latex(self)

    def _table(self) -> Table:
        rows = [
            (
                f"g_{k}",
                f"N^-{coupling.order}" if coupling.order else "1",
                str(len(coupling)),
                str(max((amplitude.diagram.loops for amplitude in coupling), default=0)),
            )
            for k, coupling in self.couplings.items()
            if k
        ]
        return Table(
            title=f"action of {self.network.name} through N^-{self.order}",
            header=("coupling", "leading order of diagrams", "diagrams", "most loops"),
            rows=tuple(rows),
            notes=(str(self.exactness), f"normalisable: {self.normalisable}", self.source),
        )

    def _repr_html_(self) -> str:
        return formulas_html(self.latex().splitlines()) + self._table().html

    def _repr_latex_(self) -> str:
        return aligned(self.latex().splitlines())

    def __repr__(self) -> str:
        return f"Action({self.network.name}: degree {self.degree}; {self.exactness})"


def action(net: Network, order: int = 1) -> Action:
    """Return the Edgeworth action of a network ensemble through order N^{-order}.

    S[f] = ½ f G⁻¹ f - (1/24) G_c⁽⁴⁾ f̃⁴ + ¼ G_c⁽⁴⁾ G⁻¹ f̃ f̃ + ... with f̃ = G⁻¹ f: connected
    diagrams of connected correlators, amputated by G⁻¹.

    Parameters
    ----------
    net : Network
        One hidden layer, any readout and number of outputs.
    order : int
        p: 1 or 2, up to where correlators are known (3).

    Returns
    -------
    Action

    Raises
    ------
    SpecificationError
        If the order is not possible.
    NotDerivedError
        If correlators of the network are not derived, or do not fall with 1/N.

    Notes
    -----
    Source: [D23] section 3.

    Examples
    --------
    >>> from nnft_sym.literature import erf_net
    >>> S = action(erf_net(), order=2)
    >>> sorted(S.couplings), S.degree
    ([0, 2, 4, 6], 6)
    """
    largest = LARGEST_ORDER // 2 - 1
    whole = isinstance(order, (int, np.integer)) and not isinstance(order, bool)
    if not whole or not 0 <= order <= largest:
        raise SpecificationError(
            expected=f"an order from 0 to {largest} in 1/N", came=f"{order!r}", remedy="pass 1 or 2"
        )
    for bias in net.readout.biases:
        if bias is not None and any(
            bias.cumulant(k) != 0 for k in range(3, highest_degree(2 * int(order)) + 1)
        ):
            raise NotDerivedError(
                expected="an output bias without cumulants beyond the second",
                came=f"{bias}, whose cumulants do not fall with the width",
                remedy="give it a Gaussian density, or leave it out",
            )
    correlators = {k: cumulant(net, k) for k in range(1, highest_degree(2 * int(order)) + 1)}
    kept = {k: c for k, c in correlators.items() if k == 2 or _is_there(c)}
    return Action(network=net, order=int(order), cumulants=kept)


def _is_there(correlator: Correlator) -> bool:
    return any(term.function.formula != 0 for term in correlator.terms)
