"""Sums over outputs as formulas: output structures times functions of the points.

With D outputs a correlator is a sum of (δ-tensor over outputs) ⊗ (function of points),

    G_{i_1...i_k}(x_1, ..., x_k) = sum_ρ δ_ρ(i) F_ρ(x),

where δ_ρ = 1 if the outputs of the legs in each block of the partition ρ coincide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import sympy as sp

from nnft_sym.calculus import differentiated, limited, written_out, written_size
from nnft_sym.combinatorics import Partition
from nnft_sym.exactness import Exactness
from nnft_sym.expectation.variables import expanded_determinants
from nnft_sym.language.errors import SpecificationError
from nnft_sym.networks import Network
from nnft_sym.parameters import in_symbols
from nnft_sym.point_functions import PointFunction

__all__ = ["OutputSum", "OutputTerm"]


@dataclass(frozen=True, kw_only=True)
class OutputTerm:
    """One term (δ-tensor over outputs) ⊗ (function of points).

    Parameters
    ----------
    blocks : Partition
        Legs, counted from 0, whose outputs must coincide.
    labels : tuple of int or None
        The output of each block; None if the term holds for any outputs.
    function : PointFunction
        F(x_1, ..., x_k).
    """

    blocks: Partition
    labels: tuple[int, ...] | None
    function: PointFunction

    def contributes(self, outputs: Sequence[int]) -> bool:
        """Whether the δ-tensor is 1 at the given outputs."""
        for number, block in enumerate(self.blocks):
            values = {outputs[leg] for leg in block}
            if len(values) > 1 or (self.labels is not None and values != {self.labels[number]}):
                return False
        return True


@dataclass(frozen=True, kw_only=True)
class OutputSum:
    """A sum of output terms as a formula; parameters as of ``Correlator``."""

    order: int
    name: str
    networks: tuple[Network, ...]
    terms: tuple[OutputTerm, ...]
    limitation: Exactness = field(default_factory=Exactness.exact)
    source: str = ""
    derivation: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """Number of outputs D."""
        return self.networks[0].outputs

    @property
    def exactness(self) -> Exactness:
        """Exact closed form, exact integral, or truncated at a power of 1/n."""
        result = self.limitation
        for term in self.terms:
            result = result & term.function.exactness
        return result

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """Free parameters the correlator depends on, sorted by name."""
        free = frozenset().union(*(term.function.symbols for term in self.terms))
        return tuple(sorted(free, key=lambda symbol: symbol.name))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the free parameters the correlator depends on."""
        return tuple(symbol.name for symbol in self.symbols)

    @property
    def steps(self) -> tuple[str, ...]:
        """The derivation as LaTeX lines."""
        lines = list(self.derivation)
        for law, orders in self._moment_orders().items():
            for order in sorted(orders):
                lines += [line for line in law.steps(order) if line not in lines]
        return tuple(lines)

    @property
    def cites(self) -> tuple[Any, ...]:
        """What else it rests on: the networks, and the rules that give the moments."""
        needed = self._moment_orders().items()
        rules = (law.source(order) for law, orders in needed for order in sorted(orders))
        return (*self.networks, *dict.fromkeys(rules))

    def _moment_orders(self) -> dict[Any, set[int]]:
        needed: dict[Any, set[int]] = {}
        for term in self.terms:
            for law, orders in term.function.needs.items():
                needed.setdefault(law, set()).update(orders)
        return needed

    def _sum(
        self, outputs: Sequence[int] | None, part: Callable[[PointFunction], sp.Expr]
    ) -> sp.Expr:
        legs = (0,) * self.order if outputs is None else self._legs(outputs)
        return sp.Add(*(part(t.function) for t in self.terms if t.contributes(legs)))

    def formula(self, outputs: Sequence[int] | None = None) -> sp.Expr:
        """Return the correlator in the neuron's moments M_B, for given outputs (default: all 0).

        Examples
        --------
        >>> from nnft_sym.cumulants import cumulant
        >>> from nnft_sym.literature import erf_net
        >>> cumulant(erf_net(), 2).formula()
        M_12*sigma_v**2
        """
        return self._sum(outputs, lambda function: function.formula)

    @cached_property
    def expr(self) -> sp.Expr:
        """The correlator in the covariances K_ab, all legs on output 0."""
        return self.expression()

    def expression(self, outputs: Sequence[int] | None = None) -> sp.Expr:
        """Return the correlator in the covariances K_ab for given outputs (default: all 0).

        A sum over networks whose covariances differ has no common K_ab and is written out in
        inner products of the points.
        """
        if not self._has_one_covariance:
            return self.explicit(outputs)
        total = self._sum(outputs, lambda function: function.expression)
        return expanded_determinants(total, self.order)

    @property
    def _has_one_covariance(self) -> bool:
        maps = [term.function.law.variables(self.order) for term in self.terms]
        return all(first == other for first in maps[:1] for other in maps[1:])

    @property
    def covariances(self) -> dict[sp.Symbol, sp.Expr]:
        """The map K_ab(x): each covariance in terms of the points."""
        variables: dict[sp.Symbol, sp.Expr] = {}
        for term in self.terms:
            variables |= term.function.law.variables(self.order)
        return variables

    def explicit(self, outputs: Sequence[int] | None = None, *, largest: int = 50_000) -> sp.Expr:
        """Return the correlator in inner products of the points and parameters alone.

        The recursion of a deep network is expanded to one expression, which grows by a factor
        with every layer (about 11 for GELU: 165, 2267, 25211 operations at depth 1, 2, 3).

        Parameters
        ----------
        outputs : sequence of int, optional
            One output for each leg (default: all 0).
        largest : int
            Operations beyond which nothing is expanded.

        Raises
        ------
        SpecificationError
            If the expression would be larger.

        Examples
        --------
        >>> from nnft_sym.kernels import kernel
        >>> from nnft_sym.literature import cos_net
        >>> sorted(str(symbol) for symbol in kernel(cos_net()).explicit().free_symbols)
        ['d', 'sigma_v', 'sigma_w']
        """

        def own(function: PointFunction) -> sp.Expr:
            expression = expanded_determinants(function.expression, self.order)
            variables = function.law.variables(self.order)
            size = written_size(expression, variables)
            if size > largest:
                raise SpecificationError(
                    expected=f"an expression of at most {largest} operations",
                    came=f"one of {size}",
                    remedy="print the recursion with .latex(), or pass largest=",
                )
            return written_out(expression, variables)

        return self._sum(outputs, own)

    def _legs(self, outputs: Sequence[int]) -> tuple[int, ...]:
        legs = tuple(outputs) if isinstance(outputs, Iterable) else ()
        whole = all(isinstance(leg, (int, np.integer)) for leg in legs)
        if len(legs) != self.order or not whole or any(not 0 <= i < self.outputs for i in legs):
            raise SpecificationError(
                expected=f"{self.order} outputs between 0 and {self.outputs - 1}",
                came=f"{outputs!r}",
                remedy="give one output index for each leg",
            )
        return legs

    def __add__(self, other: Self) -> Self:
        """Sum of two correlators of the same order and number of outputs."""
        if not isinstance(other, OutputSum):
            return NotImplemented
        if (other.order, other.outputs) != (self.order, self.outputs):
            raise SpecificationError(
                expected=f"a correlator of order {self.order} with {self.outputs} outputs",
                came=f"order {other.order} with {other.outputs} outputs",
                remedy="add correlators of the same kind only",
            )
        extra = tuple(network for network in other.networks if network not in self.networks)
        return replace(
            self,
            name=f"{self.name}+{other.name}",
            networks=self.networks + extra,
            terms=self.terms + other.terms,
            limitation=self.limitation & other.limitation,
            source=", ".join(dict.fromkeys(filter(None, (self.source, other.source)))),
            derivation=self.derivation + other.derivation,
        )

    def subs(self, values: Mapping[Any, Any]) -> Self:
        """Replace parameters, by name or symbol, with numbers or expressions.

        Examples
        --------
        >>> from nnft_sym.kernels import kernel
        >>> from nnft_sym.literature import erf_net
        >>> kernel(erf_net()).subs({"sigma_v": 2}).parameters
        ('sigma_b', 'sigma_w')
        """
        if not isinstance(values, Mapping):
            raise SpecificationError(
                expected="a mapping of parameters to values",
                came=f"{values!r}",
                remedy="pass a dict",
            )
        known = self._symbols_by_name
        symbols = {
            self._symbol(key): in_symbols(value, str(key), known) for key, value in values.items()
        }
        plain = {symbol.name: value for symbol, value in symbols.items() if value.is_number}
        for network in self.networks:
            own = {name: value for name, value in plain.items() if name in network.parameters}
            network.bind(own, partial=True)
        return self._mapped(lambda function: function.replace(symbols))

    def diff(self, parameter: str | sp.Symbol) -> Self:
        """Differentiate with respect to a parameter.

        Raises
        ------
        NotDerivedError
            If the parameter enters a moment that is known as an integral only.

        Examples
        --------
        >>> from nnft_sym.kernels import kernel
        >>> from nnft_sym.literature import cos_net
        >>> kernel(cos_net()).diff("sigma_v").parameters
        ('sigma_v', 'sigma_w')
        """
        symbol = self._symbol(parameter)
        changed = self._mapped(lambda function: differentiated(function, symbol, self.order))
        return replace(changed, name=rf"\partial_{{{sp.latex(symbol)}}} {self.name}")

    def limit(self, parameter: str | sp.Symbol, target: Any) -> Self:
        """Take the limit parameter -> target.

        Raises
        ------
        NotDerivedError
            If the parameter enters a moment that is known as an integral only.

        Examples
        --------
        >>> from nnft_sym.cumulants import cumulant
        >>> from nnft_sym.literature import erf_net
        >>> cumulant(erf_net(), 4).limit("N", sp.oo).expr
        0
        """
        symbol = self._symbol(parameter)
        infinite = target in (sp.oo, float("inf"))
        end = sp.oo if infinite else in_symbols(target, "target", self._symbols_by_name)
        if symbol.is_nonnegative and end.is_negative:
            raise SpecificationError(
                expected=f"a target of at least 0 for {symbol}",
                came=f"{end}",
                remedy="drop the sign",
            )
        return self._mapped(lambda function: limited(function, symbol, end, self.order))

    def _mapped(self, change: Callable[[PointFunction], PointFunction]) -> Self:
        return replace(
            self,
            terms=tuple(replace(term, function=change(term.function)) for term in self.terms),
        )

    @property
    def _symbols_by_name(self) -> dict[str, sp.Symbol]:
        symbols = {symbol.name: symbol for net in self.networks for symbol in net.symbols}
        return symbols | {symbol.name: symbol for symbol in self.symbols}

    def _symbol(self, key: str | sp.Symbol) -> sp.Symbol:
        name = key if isinstance(key, str) else getattr(key, "name", str(key))
        symbols = self._symbols_by_name
        if name not in symbols:
            raise SpecificationError(
                expected=f"one of the parameters {', '.join(sorted(symbols))}",
                came=f"{name!r}",
                remedy="check its spelling",
            )
        return symbols[name]
