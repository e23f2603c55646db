"""The ways to write a network down: shallow, deep, or by any expression of one neuron."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy as sp

from nnft_sym.activations import Activation
from nnft_sym.densities import Gaussian
from nnft_sym.density import Density
from nnft_sym.formulas import from_sympy, to_sympy
from nnft_sym.language import parse
from nnft_sym.language.errors import SpecificationError
from nnft_sym.networks import Dense, Network, Neurons, Readout
from nnft_sym.parameters import Parameter, width_parameter
from nnft_sym.vectors import Vector

__all__ = ["mlp", "neurons", "shallow"]


def shallow(
    activation: Any,
    *,
    weight: Density = Gaussian(0, "sigma_w"),
    bias: Density | None = Gaussian(0, "sigma_b"),
    readout: Density | Sequence[Density] = Gaussian(0, "sigma_v"),
    width: Parameter = "N",
    inputs: int | None = None,
    outputs: int | None = None,
    output_bias: Density | Sequence[Density | None] | None = None,
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
    output_bias: Density | Sequence[Density | None] | None = None,
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
    h = to_sympy(parse(expression)) if isinstance(expression, str) else expression
    if not isinstance(h, sp.Expr):
        raise SpecificationError(
            expected="a neuron as an expression or a text",
            came=f"{expression!r} of type {type(expression).__name__}",
            remedy="write for example nn.neurons(sp.cos(nn.dot(w, x) + b), ...)",
        )
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


def _readout(
    weights: Density | Sequence[Density],
    biases: Density | Sequence[Density | None] | None,
    outputs: int | None,
) -> Readout:
    count = outputs
    if outputs is None:
        count = len(weights) if isinstance(weights, Sequence) else 1
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SpecificationError(
            expected="a number of outputs of at least 1", came=f"{outputs!r}", remedy="pass an int"
        )
    offsets = (None,) * count if biases is None else _one_each(biases, count, "output bias")
    return Readout(weights=_one_each(weights, count, "readout"), biases=offsets)


def _one_each(given: Any, count: int, role: str) -> tuple[Any, ...]:
    """One density for each output, from one for all or a list of them."""
    listed = tuple(given) if isinstance(given, Sequence) else (given,) * count
    if len(listed) != count:
        raise SpecificationError(
            expected=f"one {role} density for each of {count} outputs",
            came=f"{len(listed)} densities",
            remedy="drop outputs=, or list as many densities",
        )
    for density in listed:
        if density is not None or role == "readout":
            _is_density(density, role)
    return listed


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
