"""The law of a neuron written out in its parameters: expectations over P(θ) itself.

Sums of waves and polynomials have closed forms, amplitudes of isotropic parameters leave a
radial integral, and anything else is a sum over discrete and an integral over at most two
continuous parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import VARIANCE, Z
from nnft_sym.density import Density
from nnft_sym.exactness import Exactness
from nnft_sym.expectation.law import InnerProduct, Moments, coordinate
from nnft_sym.expectation.parameter_space.enumeration import EventIntegral
from nnft_sym.expectation.parameter_space.factors import independent_factors
from nnft_sym.expectation.parameter_space.field_moments import FieldMoments
from nnft_sym.expectation.parameter_space.fields import AffineNeuron
from nnft_sym.expectation.parameter_space.monomials import Monomials
from nnft_sym.expectation.parameter_space.wave_sums import WaveSum
from nnft_sym.language.errors import AccuracyError, NNFTError
from nnft_sym.networks import Dense, Neurons
from nnft_sym.tensors import SymmetricTensor
from nnft_sym.vectors import Vector

__all__ = ["ParameterLaw"]

Method = WaveSum | Monomials | EventIntegral


@dataclass(frozen=True, kw_only=True)
class ParameterLaw:
    """Law of one neuron h(x; θ) with independent groups of parameters θ.

    M_{a_1...a_k} = ∫ dθ P(θ) h(x_{a_1}; θ) ... h(x_{a_k}; θ).

    Parameters
    ----------
    inputs : tuple of sympy.Symbol
        x: the coordinates of a point.
    groups : tuple of (tuple of sympy.Symbol, Density)
        Parameters by density: independent entries, or the components of one event of a density
        of vectors.
    neuron : sympy.Expr
        h in inputs, parameters and free symbols.

    Examples
    --------
    >>> from nnft_sym.densities import Uniform
    >>> w, b, x = sp.symbols("w b x_1", real=True)
    >>> law = ParameterLaw(
    ...     inputs=(x,),
    ...     groups=(((w,), Uniform(-1, 1)), ((b,), Uniform(-sp.pi, sp.pi))),
    ...     neuron=sp.cos(w * x + b),
    ... )
    >>> law.expression(2)
    sinc(x_1_1 - x_2_1)/2
    """

    inputs: tuple[sp.Symbol, ...]
    groups: tuple[tuple[tuple[sp.Symbol, ...], Density], ...]
    neuron: sp.Expr

    @classmethod
    def from_neurons(cls, layer: Neurons) -> ParameterLaw:
        """Law of the neurons of a first layer that is written out in parameters.

        Examples
        --------
        >>> from nnft_sym.literature import scalar_field_net
        >>> law = ParameterLaw.from_neurons(scalar_field_net(3).layers[0])
        >>> sorted(symbol.name for symbol in law.symbols)
        ['Lambda', 'm']
        """
        return cls(inputs=tuple(layer.inputs), groups=layer.parameters, neuron=layer.expression)

    @classmethod
    def from_dense(cls, layer: Dense, dimension: int) -> ParameterLaw:
        """Law of φ(w·x/√d + b) for a first layer of any densities.

        Normalised activations refer to E z² under these densities.

        Parameters
        ----------
        layer : Dense
            First layer; its weights are d independent entries or one event of a row.
        dimension : int
            d ≥ 1: number of inputs.

        Examples
        --------
        >>> from nnft_sym.activations import Identity
        >>> from nnft_sym.densities import Laplace
        >>> layer = Dense(
        ...     width=sp.Integer(1), weight=Laplace(0, "s"), bias=None, activation=Identity()
        ... )
        >>> ParameterLaw.from_dense(layer, 1).expression(2)
        2*s**2*x_1_1*x_2_1
        """
        taken = {symbol.name for symbol in layer.symbols}
        stem = next(s for s in ("w", "W", "weight") if not any(_is_like(t, s) for t in taken))
        names = tuple(Vector(stem, dimension))
        x = tuple(Vector("x", dimension))
        groups: list[tuple[tuple[sp.Symbol, ...], Density]] = [(names, layer.weight)]
        field = sp.Add(*(w * xi for w, xi in zip(names, x, strict=True))) / sp.sqrt(dimension)
        field = sp.expand(field)
        if layer.bias is not None:
            offset = next(s for s in ("b", "B", "bias") if s not in taken)
            groups.append(((sp.Symbol(offset, real=True),), layer.bias))
            field += sp.Symbol(offset, real=True)
        phi = layer.activation.expression
        if layer.activation.is_normalised:
            squared = Monomials.of(field**2, x, tuple(groups))
            assert squared is not None
            back = {coordinate(1, i + 1): xi for i, xi in enumerate(x)}
            phi = phi.xreplace({VARIANCE: sp.expand(squared.expression(1)).xreplace(back)})
        return cls(inputs=x, groups=tuple(groups), neuron=phi.xreplace({Z: field}))

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free symbols of the neuron and the densities."""
        drawn = {symbol for names, _ in self.groups for symbol in names}
        own = [p.free_symbols for _, density in self.groups for p in density.parameters]
        return frozenset(self.neuron.free_symbols - drawn - set(self.inputs)).union(*own)

    @property
    def level(self) -> int:
        """Number of hidden layers below the neuron: none."""
        return 0

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> ParameterLaw:
        """Return the law with symbols replaced."""
        rule = dict(symbols)
        return ParameterLaw(
            inputs=self.inputs,
            groups=tuple((names, density.replace(rule)) for names, density in self.groups),
            neuron=self.neuron.xreplace(rule),
        )

    @cached_property
    def method(self) -> Method:
        """How the expectation is taken: the first way that applies."""
        for way in (Monomials, WaveSum):
            found = way.of(self.neuron, self.inputs, self.groups)
            if found is not None:
                return found
        return EventIntegral(inputs=self.inputs, groups=self.groups, neuron=self.neuron)

    @cached_property
    def field(self) -> AffineNeuron | None:
        """The neuron as a function of one field that is affine in the parameters, if it is."""
        names = tuple(name for group, _ in self.groups for name in group)
        return AffineNeuron.of(self.neuron, names)

    @cached_property
    def factors(self) -> tuple[ParameterLaw, ...]:
        """Laws of the factors of the neuron that share no parameters."""
        return tuple(
            ParameterLaw(inputs=self.inputs, groups=groups, neuron=factor)
            for factor, groups in independent_factors(self.neuron, self.groups)
        )

    def exactness(self, order: int) -> Exactness:
        """Whether moments are closed forms, or exact integrals over parameters."""
        method = self.method
        closed = isinstance(method, Monomials) or method.is_closed()
        return Exactness.exact() if closed else Exactness.integral()

    def source(self, order: int) -> str:
        """Name the reference of the formula used."""
        if isinstance(self.method, WaveSum):
            return "H21"
        return "definition"

    def steps(self, order: int) -> tuple[str, ...]:
        """Derive the moment, as LaTeX lines."""
        points = " ".join(f"h(x_{{{a + 1}}};\\theta)" for a in range(order))
        first = (
            rf"M_{{{''.join(str(a + 1) for a in range(order))}}}"
            rf" = \int d\theta\, P(\theta)\, {points}"
        )
        neuron = rf"h(x;\theta) = {sp.latex(self.neuron)}"
        if isinstance(self.method, Monomials):
            how = r"\mathbb{E}[\theta^{p_1+\dots+p_k}] \text{ from the moments of } P(\theta)"
        elif isinstance(self.method, WaveSum):
            how = (
                r"h = \sum_t c_t(x)\, e^{s_t(x)\cdot\theta} \;\Rightarrow\; "
                r"\mathbb{E}\, e^{s\cdot\theta} \text{ at } s = s_{t_1}(x_1) + \dots + s_{t_k}(x_k)"
            )
            if self.method.radial_groups:
                how += (
                    r"; \quad \int dp\, \rho(p)\, A(p)\, \Lambda_d(p\tau), \;"
                    r" \Lambda_d(s) = \Gamma(d/2)\, (2/s)^{d/2-1} J_{d/2-1}(s)"
                )
        else:
            return neuron, first
        return neuron, first, how

    def expression(self, order: int) -> sp.Expr:
        """E[h(x_1) ... h(x_k)] in coordinates of the points, or in inner products."""
        if isinstance(self.method, EventIntegral) and len(self.factors) > 1:
            return sp.Mul(*(factor.expression(order) for factor in self.factors))
        return self.method.expression(order)

    def variables(self, order: int) -> dict[sp.Symbol, sp.Expr]:
        """No symbols: the expression is written in the points themselves."""
        return {}

    def arguments(
        self, X: NDArray[np.float64], values: Mapping[sp.Symbol, float], indices: NDArray[np.intp]
    ) -> dict[sp.Basic, NDArray[np.float64]]:
        """Coordinates and inner products at each row of point indices."""
        numbers: dict[sp.Basic, NDArray[np.float64]] = {}
        for a in range(indices.shape[1]):
            rows = X[indices[:, a]]
            for i in range(X.shape[1]):
                numbers[coordinate(a + 1, i + 1)] = rows[:, i]
            for b in range(a + 1):
                products = np.einsum("ui,ui->u", rows, X[indices[:, b]])
                numbers[InnerProduct(b + 1, a + 1)] = products
        return numbers

    def moments(
        self, orders: Iterable[int], X: NDArray[np.float64], values: Mapping[sp.Symbol, float]
    ) -> dict[int, Moments]:
        """Moments of the given orders over the rows of X.

        Parameters
        ----------
        orders : iterable of int
            k ≥ 1.
        X : ndarray, shape (n, d)
            Points; repeated points are ordinary.
        values : mapping of sympy.Symbol to float
            A number for each free symbol.

        Returns
        -------
        dict of int to Moments

        Raises
        ------
        AccuracyError
            If more than two continuous parameters remain, or an integral does not converge.
        InfiniteMomentError
            If a moment is infinite.
        """
        law = self.replace({s: sp.sympify(v) for s, v in values.items()})
        wanted = sorted(set(orders))
        method = law.method
        if isinstance(method, EventIntegral):
            factors = law.factors
            if len(factors) > 1:
                return _multiplied([factor.moments(wanted, X, {}) for factor in factors])
            return law._integrated(method, wanted, X)
        try:
            return {order: method.moments(order, X) for order in wanted}
        except AccuracyError:
            # Waves whose divergences cancel are finite as one integral over few parameters.
            whole = EventIntegral(inputs=law.inputs, groups=law.groups, neuron=law.neuron)
            if not whole.is_feasible:
                raise
            return whole.moments(wanted, X)

    def _integrated(
        self, method: EventIntegral, orders: list[int], X: NDArray[np.float64]
    ) -> dict[int, Moments]:
        """Integrate over the parameters, or over the fields that are made of them."""
        if not method.is_feasible:
            return self._over_fields(method, orders, X)
        try:
            return method.moments(orders, X)
        except AccuracyError as refusal:
            try:
                return self._over_fields(method, orders, X)
            except NNFTError:
                raise refusal from None

    def _over_fields(
        self, method: EventIntegral, orders: list[int], X: NDArray[np.float64]
    ) -> dict[int, Moments]:
        if self.field is None:
            return method.moments(orders, X)
        over = FieldMoments(neuron=self.field, inputs=self.inputs, groups=self.groups, X=X)
        return over.moments(orders)


def _multiplied(parts: list[dict[int, Moments]]) -> dict[int, Moments]:
    """Moments of a product of independent factors."""
    return {order: _product([part[order] for part in parts]) for order in parts[0]}


def _product(factors: list[Moments]) -> Moments:
    first, *rest = factors
    value, error = first.values.entries, first.errors.entries
    for factor in rest:
        v, e = factor.values.entries, factor.errors.entries
        error = error * (np.abs(v) + e) + np.abs(value) * e
        value = value * v
    order, dimension = first.values.order, first.values.dimension
    return Moments(
        values=SymmetricTensor(order, dimension, value),
        errors=SymmetricTensor(order, dimension, error),
    )


def _is_like(name: str, stem: str) -> bool:
    return name == stem or (name.startswith(stem + "_") and name[len(stem) + 1 :].isdigit())
