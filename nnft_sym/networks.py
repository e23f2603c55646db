"""Networks (φ_θ, P(θ)): frozen records of architecture and densities.

A network is a list of hidden layers and a readout,

    f_j(x) = n_L^{-1/2} sum_i a_ij h_i(x) + c_j,

where the first layer's neurons are either dense, h = φ(W x/√d + b), or any expression h(x; θ),
and further layers are dense, z = W h/√fan_in + b.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from nnft_sym.activations import Activation
from nnft_sym.density import Density
from nnft_sym.drawing import network_svg, network_table
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table
from nnft_sym.parameters import number_of, unified
from nnft_sym.vectors import Vector

__all__ = ["Dense", "Layer", "Network", "Neurons", "Readout"]


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A dense hidden layer φ(W x/√fan_in + b) with independent entries (or rows) of W.

    Parameters
    ----------
    width : sympy.Expr
        n: number of neurons, an integer or a symbol.
    weight : Density
        P(W) of one entry, or of one row if it is a density of vectors.
    bias : Density or None
        P(b) of one entry; None for no bias.
    activation : Activation
        φ.
    inputs : int or None
        d: number of inputs of a first layer, where it is fixed.
    """

    width: sp.Expr
    weight: Density
    bias: Density | None
    activation: Activation
    inputs: int | None = None

    @property
    def densities(self) -> tuple[Density, ...]:
        """All densities of the layer."""
        return (self.weight,) if self.bias is None else (self.weight, self.bias)

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """Width and parameters of the densities."""
        return (self.width, *(p for density in self.densities for p in density.parameters))

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free symbols of the width and the densities."""
        return frozenset().union(*(e.free_symbols for e in self.expressions))

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> Dense:
        """Return the layer with symbols replaced."""
        return replace(
            self,
            width=self.width.xreplace(dict(symbols)),
            weight=self.weight.replace(symbols),
            bias=None if self.bias is None else self.bias.replace(symbols),
        )


@dataclass(frozen=True, kw_only=True)
class Neurons:
    """A first layer of independent neurons h(x; θ), each with parameters of its own.

    Parameters
    ----------
    width : sympy.Expr
        N: number of neurons.
    inputs : Vector
        The symbols of the point x in R^d.
    parameters : tuple of (tuple of sympy.Symbol, Density)
        Groups of parameters: the symbols are independent draws of a density of entries, or the
        components of one event of a density of vectors.
    expression : sympy.Expr
        h in inputs, parameters and free symbols of the network.
    """

    width: sp.Expr
    inputs: Vector
    parameters: tuple[tuple[tuple[sp.Symbol, ...], Density], ...]
    expression: sp.Expr

    @property
    def densities(self) -> tuple[Density, ...]:
        """All densities of the layer."""
        return tuple(density for _, density in self.parameters)

    @property
    def bound(self) -> frozenset[sp.Symbol]:
        """Symbols of the inputs and the random parameters."""
        return frozenset(self.inputs).union(*(names for names, _ in self.parameters))

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """Width, neuron and parameters of the densities."""
        own = tuple(p for density in self.densities for p in density.parameters)
        return (self.width, self.expression, *own)

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free symbols of width, neuron and densities that are not inputs or drawn."""
        return frozenset().union(*(e.free_symbols for e in self.expressions)) - self.bound

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> Neurons:
        """Return the layer with symbols replaced."""
        return replace(
            self,
            width=self.width.xreplace(dict(symbols)),
            expression=self.expression.xreplace(dict(symbols)),
            parameters=tuple((names, d.replace(symbols)) for names, d in self.parameters),
        )


@dataclass(frozen=True, kw_only=True)
class Readout:
    """The last layer: weights a and biases c, one density of each per output.

    Parameters
    ----------
    weights : tuple of Density
        P(a_j) for outputs j = 1..D.
    biases : tuple of (Density or None)
        P(c_j); None for no bias.
    """

    weights: tuple[Density, ...]
    biases: tuple[Density | None, ...]

    @property
    def densities(self) -> tuple[Density, ...]:
        """All densities of the readout."""
        return self.weights + tuple(bias for bias in self.biases if bias is not None)

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """Parameters of the densities."""
        return tuple(p for density in self.densities for p in density.parameters)

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free symbols of the densities."""
        return frozenset().union(*(e.free_symbols for e in self.expressions))

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> Readout:
        """Return the readout with symbols replaced."""
        return Readout(
            weights=tuple(weight.replace(symbols) for weight in self.weights),
            biases=tuple(None if b is None else b.replace(symbols) for b in self.biases),
        )


Layer = Dense | Neurons


@dataclass(frozen=True, kw_only=True)
class Network(Shown):
    """An ensemble of networks (φ_θ, P(θ)).

    Parameters
    ----------
    layers : tuple of Dense or Neurons
        Hidden layers; only the first may be Neurons.
    readout : Readout
        The last layer.
    name : str
        What reports call the network.
    source : str
        Reference, empty for the user's own networks.

    Raises
    ------
    SpecificationError
        If the layers cannot form a network.
    """

    layers: tuple[Layer, ...]
    readout: Readout
    name: str
    source: str = ""

    def __post_init__(self) -> None:
        _validate(self)
        parts = (*self.layers, self.readout)
        same = unified(e for part in parts for e in part.expressions)
        if same:
            object.__setattr__(self, "layers", tuple(part.replace(same) for part in self.layers))
            object.__setattr__(self, "readout", self.readout.replace(same))

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.layers)

    @property
    def outputs(self) -> int:
        """Number of outputs D."""
        return len(self.readout.weights)

    @property
    def widths(self) -> tuple[sp.Expr, ...]:
        """Widths n_1 ... n_L."""
        return tuple(layer.width for layer in self.layers)

    @property
    def densities(self) -> tuple[Density, ...]:
        """All densities, first layer to readout."""
        return tuple(d for part in (*self.layers, self.readout) for d in part.densities)

    @property
    def dimension(self) -> int | None:
        """Dimension d of the inputs where the network fixes it, else None."""
        first = self.layers[0]
        if isinstance(first, Neurons):
            return len(first.inputs)
        return first.inputs

    @property
    def cites(self) -> tuple[Any, ...]:
        """What else it rests on: the activations."""
        return tuple(layer.activation for layer in self.layers if isinstance(layer, Dense))

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """Free symbols (scales, widths), sorted by name."""
        free = frozenset().union(*(part.symbols for part in (*self.layers, self.readout)))
        return tuple(sorted(free, key=lambda symbol: symbol.name))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the free parameters, sorted."""
        return tuple(symbol.name for symbol in self.symbols)

    def bind(self, values: Mapping[str, Any], *, partial: bool = False) -> dict[str, float | int]:
        """Check the values of the free parameters: all there, no other, all possible.

        With ``partial`` some may be missing; those present are checked all the same.

        Raises
        ------
        SpecificationError
            For a missing or unknown name, or a value outside its domain.

        Examples
        --------
        >>> from nnft_sym.literature import erf_net
        >>> erf_net().bind(dict(N=10, sigma_w=1.0, sigma_b=0.5, sigma_v=1))
        {'N': 10, 'sigma_b': 0.5, 'sigma_v': 1, 'sigma_w': 1.0}
        """
        expected = ", ".join(self.parameters) or "none"
        for name in values:
            if name not in self.parameters:
                raise SpecificationError(
                    expected=f"the parameters of {self.name}: {expected}",
                    came=f"an unknown parameter {name!r}",
                    remedy="check its spelling",
                )
        missing = [name for name in self.parameters if name not in values]
        if missing and not partial:
            raise SpecificationError(
                expected=f"a value for every parameter of {self.name}: {expected}",
                came=f"none for {', '.join(missing)}",
                remedy="pass them by keyword, for example " + f"{missing[0]}=1.0",
            )
        numbers = {n: number_of(n, values[n]) for n in self.parameters if n in values}
        by_symbol = {s: sp.sympify(numbers[s.name]) for s in self.symbols if s.name in numbers}
        for width in self.widths:
            size = width.xreplace(by_symbol)
            if isinstance(size, sp.Symbol):
                continue
            if not (float(size).is_integer() and size >= 1):
                raise SpecificationError(
                    expected=f"an integer width {width} >= 1",
                    came=f"{width} = {size}",
                    remedy="choose 1, 2, 3, ...",
                )
            if isinstance(width, sp.Symbol):
                numbers[width.name] = int(size)
        for symbol, number in by_symbol.items():
            if symbol.is_nonnegative and number < 0:
                raise SpecificationError(
                    expected=f"{symbol} >= 0", came=f"{symbol} = {number}", remedy="drop the sign"
                )
        for density in self.densities:
            for expression, words in density.conditions:
                if expression.xreplace(by_symbol).is_negative:
                    raise SpecificationError(
                        expected=f"{words} for {density}",
                        came=f"the values {numbers}",
                        remedy="choose values inside the density's domain",
                    )
        return numbers

    def points(self, X: Any) -> np.ndarray:
        """Check input points: a finite array of shape (n, d), or (n,) for d = 1.

        Raises
        ------
        SpecificationError
            If the array has another shape, other dimension, or entries that are not finite.

        Examples
        --------
        >>> from nnft_sym.literature import erf_net
        >>> erf_net().points([0.0, 1.0]).shape
        (2, 1)
        """
        try:
            array = np.array(X, dtype=np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.ndim == 1:
            array = array[:, None]
        wanted = "d" if self.dimension is None else str(self.dimension)
        if array.ndim != 2 or 0 in array.shape or not np.all(np.isfinite(array)):
            raise SpecificationError(
                expected=f"points X: finite numbers of shape (n, {wanted})",
                came=f"{type(X).__name__} of shape {np.shape(X) if array.size else '?'}",
                remedy="pass one row for each point",
            )
        if self.dimension not in (None, array.shape[1]):
            raise SpecificationError(
                expected=f"points in R^{self.dimension} for {self.name}",
                came=f"points in R^{array.shape[1]}",
                remedy="match the points to the network, or make the network for their dimension",
            )
        return array

    def drawing(self) -> str:
        """Return a drawing of the architecture as SVG."""
        return network_svg(self)

    def _table(self) -> Table:
        return network_table(self)

    def _repr_html_(self) -> str:
        return f"<figure>{self.drawing()}</figure>{self._table().html}"

    def __repr__(self) -> str:
        widths = ", ".join(map(str, self.widths))
        return f"Network({self.name}: widths {widths}; outputs {self.outputs})"


def _validate(network: Network) -> None:
    if not network.layers or not network.readout.weights:
        raise SpecificationError(
            expected="at least one hidden layer and one output",
            came=f"{len(network.layers)} layers, {len(network.readout.weights)} outputs",
            remedy="use nn.shallow, nn.mlp or nn.neurons",
        )
    if len(network.readout.biases) != len(network.readout.weights):
        raise SpecificationError(
            expected=f"one output bias for each of {network.outputs} outputs",
            came=f"{len(network.readout.biases)}",
            remedy="give one density (or None), or one for each output",
        )
    for layer in network.layers[1:]:
        if isinstance(layer, Neurons) or layer.activation.is_normalised:
            raise SpecificationError(
                expected="dense layers with activations in z alone after the first",
                came=f"{layer}",
                remedy="general or normalised neurons belong in the first layer",
            )
    first = network.layers[0]
    if isinstance(first, Dense) and first.activation.is_normalised and first.weight.moment(1) != 0:
        raise SpecificationError(
            expected="centred weights below a normalised activation",
            came=f"{first.weight} with mean {first.weight.moment(1)}",
            remedy="centre the weights, or write the neurons out with nn.neurons",
        )
    scalar = [layer.bias for layer in network.layers if isinstance(layer, Dense) and layer.bias]
    scalar += [layer.weight for layer in network.layers[1:] if isinstance(layer, Dense)]
    for density in [*scalar, *network.readout.densities]:
        if density.dimension != 1:
            raise SpecificationError(
                expected="a density of single entries for biases, deeper weights and readouts",
                came=f"{density}",
                remedy="densities of vectors act as rows of the first layer's weights",
            )
