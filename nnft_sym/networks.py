"""Networks (φ_θ, P(θ)): frozen records of architecture and densities.

A network is a list of hidden layers and a readout,

    f_j(x) = n_L^{-1/2} sum_i a_ij h_i(x) + c_j,

where the first layer's neurons are either dense, h = φ(W x/√d + b), or any expression h(x; θ),
and further layers are dense, z = W h/√fan_in + b.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from nnft_sym.activations import Activation
from nnft_sym.densities import Density, Gaussian
from nnft_sym.formulas import from_sympy, to_sympy
from nnft_sym.language import parse
from nnft_sym.language.errors import SpecificationError
from nnft_sym.parameters import Parameter, number_of, unified, width_parameter
from nnft_sym.vectors import Vector

__all__ = ["Dense", "Network", "Neurons", "Readout", "mlp", "neurons", "shallow"]


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
class Network:
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
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """Free symbols (scales, widths), sorted by name."""
        free = frozenset().union(*(part.symbols for part in (*self.layers, self.readout)))
        return tuple(sorted(free, key=lambda symbol: symbol.name))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the free parameters, sorted."""
        return tuple(symbol.name for symbol in self.symbols)

    def bind(
        self, values: Mapping[str, Any], *, partial: bool = False
    ) -> dict[str, float | int]:
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


def _readout(
    weights: Density | Sequence[Density],
    biases: Density | None | Sequence[Density | None],
    outputs: int | None,
) -> Readout:
    listed = None if isinstance(weights, Density) else tuple(weights)
    count = outputs if outputs is not None else (1 if listed is None else len(listed))
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SpecificationError(
            expected="a number of outputs of at least 1", came=f"{outputs!r}", remedy="pass an int"
        )
    if listed is not None and len(listed) != count:
        raise SpecificationError(
            expected=f"one readout density for each of {count} outputs",
            came=f"{len(listed)} densities",
            remedy="drop outputs=, or list as many densities",
        )
    same = listed if listed is not None else (weights,) * count
    offsets = (biases,) * count if biases is None or isinstance(biases, Density) else tuple(biases)
    for density in (*same, *(b for b in offsets if b is not None)):
        _is_density(density, "readout")
    return Readout(weights=same, biases=offsets)  # type: ignore[arg-type]


def _fixed_inputs(inputs: int | None, weight: Density) -> int | None:
    """Number of inputs, fixed by the caller or by a density of rows."""
    rows = weight.dimension if weight.dimension > 1 else None
    wrong = inputs is not None and (
        isinstance(inputs, bool) or not isinstance(inputs, int) or inputs < 1
    )
    if wrong or (rows is not None and inputs not in (None, rows)):
        raise SpecificationError(
            expected=f"inputs = {rows}" if rows else "a number of inputs of at least 1",
            came=f"inputs = {inputs!r}",
            remedy="leave inputs= out, or match it to the density of rows",
        )
    return inputs if rows is None else rows


def _is_density(given: Any, role: str) -> None:
    if not isinstance(given, Density):
        raise SpecificationError(
            expected=f"a density for the {role}",
            came=f"{given!r} of type {type(given).__name__}",
            remedy="write for example nn.Gaussian(0, 'sigma_w')",
        )


def shallow(
    activation: Any,
    *,
    weight: Density = Gaussian(0, "sigma_w"),
    bias: Density | None = Gaussian(0, "sigma_b"),
    readout: Density | Sequence[Density] = Gaussian(0, "sigma_v"),
    width: Parameter = "N",
    inputs: int | None = None,
    outputs: int | None = None,
    output_bias: Density | None | Sequence[Density | None] = None,
    name: str | None = None,
    source: str = "",
) -> Network:
    """Return a network of one hidden layer, f = N^{-1/2} sum_i a_i φ(W_i·x/√d + b_i).

    Parameters
    ----------
    activation : Activation, sympy.Expr or str
        φ: a named activation, or an expression in one symbol.
    weight, bias : Density
        P(W) and P(b); ``bias=None`` for none.
    readout : Density or sequence of Density
        P(a), one for all outputs or one per output.
    width : int or str
        N ≥ 1 or its name.
    inputs : int, optional
        d ≥ 1: number of inputs, to fix it; any number if not given.
    outputs : int, optional
        D ≥ 1: number of outputs; 1, or as many as readout densities.
    output_bias : Density, optional
        P(c) of a bias added to each output.
    name, source : str
        For reports.

    Returns
    -------
    Network

    Raises
    ------
    SpecificationError
        If no such network exists.

    Examples
    --------
    >>> shallow("z*exp(-z**2/2)").parameters
    ('N', 'sigma_b', 'sigma_v', 'sigma_w')
    """
    phi = Activation.of(activation)
    _is_density(weight, "weight")
    if bias is not None:
        _is_density(bias, "bias")
    first = Dense(
        width=width_parameter(width),
        weight=weight,
        bias=bias,
        activation=phi,
        inputs=_fixed_inputs(inputs, weight),
    )
    return Network(
        layers=(first,),
        readout=_readout(readout, output_bias, outputs),
        name=name or f"{phi.name} network",
        source=source or phi.source,
    )


def mlp(
    activation: Any,
    *,
    depth: int | None = None,
    widths: Sequence[Parameter] | None = None,
    weight: Density = Gaussian(0, "sigma_w"),
    bias: Density | None = Gaussian(0, "sigma_b"),
    readout: Density | Sequence[Density] | None = None,
    output_bias: Any = "bias",
    inputs: int | None = None,
    outputs: int | None = None,
    name: str | None = None,
    source: str = "",
) -> Network:
    """Return a deep network: L hidden layers z = W h/√fan_in + b, h = φ(z), and a dense readout.

    Parameters
    ----------
    activation : Activation, sympy.Expr or str
        φ of every hidden layer.
    depth : int, optional
        L ≥ 1: number of hidden layers, with widths n_1, ..., n_L.
    widths : sequence of int or str, optional
        Widths; must agree with ``depth`` if both are given.
    weight, bias : Density
        P(W), P(b) of every dense layer, the readout included.
    readout, output_bias : Density, optional
        P(a), P(c) where they differ from ``weight`` and ``bias``.
    inputs : int, optional
        d ≥ 1: number of inputs, to fix it; any number if not given.
    outputs : int, optional
        D ≥ 1: number of outputs.
    name, source : str
        For reports.

    Returns
    -------
    Network

    Raises
    ------
    SpecificationError
        If no such network exists.

    Examples
    --------
    >>> from nnft_sym.activations import ReLU
    >>> mlp(ReLU(), depth=2).parameters
    ('n_1', 'n_2', 'sigma_b', 'sigma_w')
    """
    if depth is None and widths is None:
        raise SpecificationError(
            expected="a depth or a list of widths", came="neither", remedy="pass depth=2, say"
        )
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 1):
        raise SpecificationError(
            expected="a depth of at least 1", came=f"depth = {depth!r}", remedy="pass an int"
        )
    sizes = list(widths) if widths is not None else [f"n_{i + 1}" for i in range(depth or 0)]
    if not sizes or (depth is not None and len(sizes) != depth):
        raise SpecificationError(
            expected=f"as many widths as hidden layers ({depth or 'at least 1'})",
            came=f"{len(sizes)} widths",
            remedy="drop depth= or widths=, or make them agree",
        )
    phi = Activation.of(activation)
    _is_density(weight, "weight")
    if bias is not None:
        _is_density(bias, "bias")
    layers = tuple(
        Dense(
            width=width_parameter(size),
            weight=weight,
            bias=bias,
            activation=phi,
            inputs=None if number else _fixed_inputs(inputs, weight),
        )
        for number, size in enumerate(sizes)
    )
    return Network(
        layers=layers,
        readout=_readout(
            weight if readout is None else readout,
            bias if isinstance(output_bias, str) and output_bias == "bias" else output_bias,
            outputs,
        ),
        name=name or f"{phi.name} network of depth {len(layers)}",
        source=source or phi.source,
    )


def neurons(
    expression: sp.Expr | str,
    parameters: Mapping[sp.Symbol | Vector | str, Density],
    *,
    inputs: Vector | int | None = None,
    width: Parameter = "N",
    readout: Density | Sequence[Density] = Gaussian(0, "sigma_v"),
    outputs: int | None = None,
    output_bias: Density | None | Sequence[Density | None] = None,
    name: str | None = None,
    source: str = "",
) -> Network:
    """Return a network of arbitrary independent neurons, f = N^{-1/2} sum_i a_i h(x; θ_i).

    Parameters
    ----------
    expression : sympy.Expr or str
        h(x; θ) in the inputs x_1 ... x_d, the parameters, and free symbols.
    parameters : mapping of symbol, Vector or name to Density
        The random parameters.  A density of entries makes all components of a vector
        independent; a density of vectors draws them together.
    inputs : Vector or int, optional
        The inputs, or their number; found from x_1 ... x_d in h if not given.
    width, readout, outputs, output_bias, name, source
        As in :func:`shallow`.

    Returns
    -------
    Network

    Raises
    ------
    SpecificationError
        If a parameter does not occur in h, or its density has another dimension.

    Examples
    --------
    >>> from nnft_sym.densities import Uniform
    >>> from nnft_sym.vectors import dot, inputs
    >>> x, w, b = inputs(2), sp.Symbol("w"), sp.Symbol("b")
    >>> net = neurons(sp.cos(dot(w, x) + b), {w: Uniform(-1, 1), b: Uniform(-sp.pi, sp.pi)})
    >>> net.dimension, net.parameters
    (2, ('N', 'sigma_v'))
    """
    h = to_sympy(parse(expression)) if isinstance(expression, str) else sp.sympify(expression)
    h = h.xreplace({s: sp.Symbol(s.name, real=True) for s in h.free_symbols if s.is_real is None})
    coordinates = _coordinates(h, inputs)
    groups = tuple(_group(key, density, h) for key, density in parameters.items())
    layer = Neurons(
        width=width_parameter(width), inputs=coordinates, parameters=groups, expression=h
    )
    names = [symbol.name for symbols, _ in groups for symbol in symbols]
    if len(set(names)) != len(names):
        raise SpecificationError(
            expected="every random parameter once",
            came=", ".join(names),
            remedy="remove the duplicates",
        )
    from_sympy(h)
    return Network(
        layers=(layer,),
        readout=_readout(readout, output_bias, outputs),
        name=name or f"neurons {h}",
        source=source,
    )


def _coordinates(h: sp.Expr, given: Vector | int | None) -> Vector:
    if isinstance(given, Vector):
        return given
    found = [s.name for s in h.free_symbols if s.name.startswith("x_") and s.name[2:].isdigit()]
    largest = max((int(name[2:]) for name in found), default=0)
    dimension = largest if given is None else given
    if dimension < max(largest, 1):
        raise SpecificationError(
            expected="inputs x_1 ... x_d in the neuron",
            came=f"{h} with inputs={given!r}",
            remedy="make the inputs with x = nn.inputs(d), or pass inputs=d",
        )
    return Vector("x", dimension)


def _group(
    key: sp.Symbol | Vector | str, density: Density, h: sp.Expr
) -> tuple[tuple[sp.Symbol, ...], Density]:
    _is_density(density, f"parameter {key}")
    stem = key.name if isinstance(key, (sp.Symbol, Vector)) else str(key)
    present = {symbol.name: symbol for symbol in h.free_symbols}
    if isinstance(key, Vector):
        names = [symbol.name for symbol in key]
    elif stem in present:
        names = [stem]
    else:
        prefix = stem + "_"
        count = len([n for n in present if n.startswith(prefix) and n[len(prefix) :].isdigit()])
        names = [f"{stem}_{i + 1}" for i in range(count)]
    absent = [name for name in names if name not in present] if len(names) == 1 else []
    if not names or absent or density.dimension not in (1, len(names)):
        raise SpecificationError(
            expected=f"the parameter {stem} in the neuron, with a density of its dimension",
            came=f"{h} with {stem}: {density} of dimension {density.dimension}",
            remedy="use the same symbols in the neuron and in the densities",
        )
    return tuple(sp.Symbol(name, real=True) for name in names), density
