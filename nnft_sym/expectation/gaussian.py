"""The law of a neuron φ(z) whose preactivation z is a centred Gaussian field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import Activation
from nnft_sym.density import Density
from nnft_sym.exactness import Exactness
from nnft_sym.expectation.closed import closed_form
from nnft_sym.expectation.covariances import Covariance
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.domain import require_averages
from nnft_sym.expectation.forms import ClosedForm
from nnft_sym.expectation.integral import expectation_over_offset
from nnft_sym.expectation.law import Moments
from nnft_sym.expectation.offset_integral import integral_moments
from nnft_sym.expectation.offsets import offset_form
from nnft_sym.expectation.sensitivity import propagated
from nnft_sym.expectation.variables import covariance, determinant, point_pairs
from nnft_sym.tensors import SymmetricTensor, multi_indices

__all__ = ["GaussianLaw"]


@dataclass(frozen=True, kw_only=True)
class GaussianLaw:
    """Law of φ(u + b): u a centred Gaussian field, b an independent bias or none.

    Parameters
    ----------
    activation : Activation
        φ.
    covariance : Covariance
        K_ab as a function of the points; a Gaussian bias is part of it.
    offset : Density or None
        Density of a bias that is not a centred Gaussian.
    """

    activation: Activation
    covariance: Covariance
    offset: Density | None = None

    def __post_init__(self) -> None:
        require_averages(self.activation.expression)

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        if self.offset is None:
            return self.covariance.symbols
        own = frozenset().union(*(p.free_symbols for p in self.offset.parameters))
        return self.covariance.symbols | own

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> GaussianLaw:
        return replace(
            self,
            covariance=self.covariance.replace(symbols),
            offset=None if self.offset is None else self.offset.replace(symbols),
        )

    def form(self, order: int) -> ClosedForm | None:
        """Closed form of the moment at ``order`` points, None if there is none."""
        factors = (self.activation.expression,) * order
        if self.offset is not None:
            return offset_form(factors, self.offset)
        return closed_form(factors)

    def exactness(self, order: int) -> Exactness:
        return Exactness.integral() if self.form(order) is None else Exactness.exact()

    def source(self, order: int) -> str:
        form = self.form(order)
        return "definition" if form is None else form.source

    def steps(self, order: int) -> tuple[str, ...]:
        form = self.form(order)
        return () if form is None else form.steps

    def expression(self, order: int) -> sp.Expr:
        form = self.form(order)
        if form is not None:
            return form.expression
        return expectation_over_offset(self.activation.expression, order, self.offset)

    @property
    def level(self) -> int:
        return self.covariance.level

    def variables(self, order: int) -> dict[sp.Symbol, sp.Expr]:
        pairs = point_pairs(order)
        own = {covariance(a, b): self.covariance.expression(a, b) for a, b in pairs}
        return own | self.covariance.lower_variables(order)

    def arguments(
        self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float], indices: NDArray[np.intp]
    ) -> dict[sp.Basic, NDArray[np.float64]]:
        gram = self.covariance.gram(X, values)
        numbers = self.covariance.lower_arguments(X, values, indices)
        for a, b in point_pairs(indices.shape[1]):
            pair = (indices[:, a - 1], indices[:, b - 1])
            numbers[covariance(a, b)] = gram.matrix[pair]
            numbers[determinant(a, b)] = gram.determinants[pair]
        return numbers

    def moments(
        self, orders: Iterable[int], X: NDArray[np.float64], values: Mapping[sp.Symbol, float]
    ) -> dict[int, Moments]:
        return self.moments_over(self.covariance.gram(X, values), orders, values)

    def moments_over(
        self, gram: Gram, orders: Iterable[int], values: Mapping[sp.Symbol, float]
    ) -> dict[int, Moments]:
        """Moments of the given orders over points whose covariance is known already."""
        law = self.replace({symbol: sp.Float(value) for symbol, value in values.items()})
        found: dict[int, Moments] = {}
        unresolved: list[int] = []
        for order in orders:
            form = law.form(order)
            if form is None:
                unresolved.append(order)
            else:
                found[order] = _from_closed_form(form, order, gram)
        if unresolved:
            phi = self.activation.expression
            found |= integral_moments(phi, gram, unresolved, law.offset)
        if gram.errors is not None and 2 in found:
            found[2] = self._with_errors_of(gram, found[2], law.offset)
        return found

    def _with_errors_of(self, gram: Gram, moments: Moments, offset: Density | None) -> Moments:
        """Second moments with what the errors of the covariance add to theirs."""
        rows = multi_indices(2, len(gram))
        more = propagated(self.activation.expression, gram, rows, offset)
        errors = SymmetricTensor(2, len(gram), moments.errors.entries + more)
        return Moments(values=moments.values, errors=errors)


def _from_closed_form(form: ClosedForm, order: int, gram: Any) -> Moments:
    n = len(gram.matrix)
    indices = multi_indices(order, n)
    grid = indices[:, :, None], indices[:, None, :]
    # What overflows here is refused by whoever asked for the moment.
    with np.errstate(over="ignore", invalid="ignore"):
        entries, errors = form.bounded(gram.matrix[grid], gram.determinants[grid])
    return Moments(
        values=SymmetricTensor(order, n, entries), errors=SymmetricTensor(order, n, errors)
    )
