"""One neuron of the first layer as a function h(x; θ), and the maps of θ that h does not see.

A redundancy is an affine map of the parameters with h(x; γθ) = ±h(x; θ); the sign is free where
the weights that leave the neuron are even.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import sympy as sp

from nnft_sym.activations import VARIANCE, Z
from nnft_sym.density import Density
from nnft_sym.language.errors import SpecificationError
from nnft_sym.networks import Dense, Network, Neurons
from nnft_sym.symmetries.requirements import evenness
from nnft_sym.vectors import Vector

__all__ = ["Coordinate", "Neuron", "Wave", "first_neuron", "parity", "polynomial_cores"]


@dataclass(frozen=True, kw_only=True)
class Coordinate:
    """One random parameter of a neuron, or of one row of weights.

    Parameters
    ----------
    symbol : sympy.Symbol
        θ_k.
    density : Density
        The density of the event that θ_k is a component of.
    event : int
        Number of the event: coordinates of different events are independent.
    """

    symbol: sp.Symbol
    density: Density
    event: int


@dataclass(frozen=True, kw_only=True)
class Wave:
    """A single harmonic h(θ) = A cos(ω θ_p + α), where A and α are free of the phase θ_p.

    Parameters
    ----------
    phase : int
        p: which coordinate.
    frequency : sympy.Expr
        ω > 0.
    offset : sympy.Expr or None
        δ = α at the origin of inputs and parameters, None if it is no number.
    """

    phase: int
    frequency: sp.Expr
    offset: sp.Expr | None


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """A neuron h(x; θ) with independent events of parameters.

    Parameters
    ----------
    inputs : tuple of sympy.Symbol
        x_1 ... x_d.
    coordinates : tuple of Coordinate
        θ_1 ... θ_p.
    cores : tuple of sympy.Expr
        Polynomials in x and θ that h is a function of.
    expression : sympy.Expr
        h.
    parity : int or None
        ±1 if h(x; -θ) = ±h(x; θ), else None.
    is_scale_free : bool
        Whether h(x; λθ) = h(x; θ) for λ > 0.
    even_readout : bool
        Whether the weights leaving the neuron have an even density: h and -h are one.
    """

    inputs: tuple[sp.Symbol, ...]
    coordinates: tuple[Coordinate, ...]
    cores: tuple[sp.Expr, ...]
    expression: sp.Expr
    parity: int | None
    is_scale_free: bool
    even_readout: bool

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """θ_1 ... θ_p."""
        return tuple(coordinate.symbol for coordinate in self.coordinates)

    @property
    def reflects(self) -> bool:
        """Whether θ → -θ is a redundancy."""
        return self.parity == 1 or (self.parity == -1 and self.even_readout)

    @cached_property
    def waves(self) -> tuple[Wave, ...]:
        """Coordinates in which h is a single harmonic."""
        found = (self._wave(p) for p in range(len(self.coordinates)))
        return tuple(wave for wave in found if wave is not None)

    def _wave(self, p: int) -> Wave | None:
        phase, h = self.symbols[p], self.expression
        arguments = {a.args[0] for a in h.atoms(sp.sin, sp.cos) if a.has(phase)}
        frequencies = {sp.Abs(sp.expand(a).coeff(phase)) for a in arguments}
        if len(frequencies) != 1:
            return None
        (frequency,) = frequencies
        if not frequency.is_number or frequency == 0:
            return None
        if sp.expand(sp.diff(h, phase, 2) + frequency**2 * h) != 0:
            return None
        return Wave(phase=p, frequency=frequency, offset=self._offset(phase, frequency))

    def _offset(self, phase: sp.Symbol, frequency: sp.Expr) -> sp.Expr | None:
        """δ from h and its slope in the phase at the origin, A cos δ and -A ω sin δ."""
        origin = {s: sp.Integer(0) for s in (*self.inputs, phase)}
        value = self.expression.xreplace(origin)
        slope = sp.diff(self.expression, phase).xreplace(origin)
        if slope == 0:
            return sp.Integer(0)
        if value == 0:
            return -sp.pi / 2
        offset = sp.atan(-sp.cancel(slope / value) / frequency)
        return offset if offset.is_number else None


def first_neuron(net: Network, dimension: int) -> Neuron:
    """Read the first layer's neuron as a function of d inputs.

    Examples
    --------
    >>> from nnft_sym.literature import cos_net
    >>> first_neuron(cos_net(), 2).cores
    (b + sqrt(2)*w_1*x_1/2 + sqrt(2)*w_2*x_2/2,)
    """
    if net.dimension not in (None, dimension):
        raise SpecificationError(
            expected=f"a group acting on the {net.dimension} inputs of {net.name}",
            came=f"one acting on R^{dimension}",
            remedy="match the group to the network, or give a representation of that dimension",
        )
    layer = net.layers[0]
    above = net.layers[1] if net.depth > 1 else None
    outgoing = (above.weight,) if isinstance(above, Dense) else net.readout.weights
    even = evenness(outgoing) == sp.true
    if isinstance(layer, Neurons):
        events = [
            (names if density.dimension > 1 else (name,), density)
            for names, density in layer.parameters
            for name in (names[:1] if density.dimension > 1 else names)
        ]
        coordinates = _coordinates(events)
        symbols = (*layer.inputs, *(c.symbol for c in coordinates))
        return Neuron(
            inputs=tuple(layer.inputs),
            coordinates=coordinates,
            cores=tuple(dict.fromkeys(polynomial_cores(layer.expression, symbols))),
            expression=layer.expression,
            parity=parity(layer.expression, tuple(c.symbol for c in coordinates)),
            is_scale_free=_is_scale_free(layer.expression, tuple(c.symbol for c in coordinates)),
            even_readout=even,
        )
    x, weights = tuple(Vector("x", dimension)), tuple(Vector("w", dimension))
    rows = layer.weight.dimension > 1
    events = [(weights, layer.weight)] if rows else [((w,), layer.weight) for w in weights]
    field = sp.Add(*(w * xi / sp.sqrt(dimension) for w, xi in zip(weights, x, strict=True)))
    if layer.bias is not None:
        offset = sp.Symbol("b", real=True)
        events.append(((offset,), layer.bias))
        field += offset
    cores: tuple[sp.Expr, ...] = (field,)
    phi = layer.activation.expression
    sign, scale_free = parity(phi, (Z,)), _is_scale_free(phi, (Z,))
    if layer.activation.is_normalised:
        square = layer.weight.moment(2) * sp.Add(*(xi**2 for xi in x)) / dimension
        square += 0 if layer.bias is None else layer.bias.moment(2)
        cores, phi = (field, square), phi.xreplace({VARIANCE: square})
    return Neuron(
        inputs=x,
        coordinates=_coordinates(events),
        cores=cores,
        expression=phi.xreplace({Z: field}),
        parity=sign,
        is_scale_free=scale_free,
        even_readout=even,
    )


def parity(expression: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> int | None:
    """±1 if an expression is even or odd under a change of sign of all symbols, else None.

    Examples
    --------
    >>> parity(Z * sp.exp(-(Z**2)), (Z,)), parity(sp.exp(Z), (Z,))
    (-1, None)
    """
    flipped = expression.xreplace({s: -s for s in symbols})
    for sign in (1, -1):
        if sp.expand(flipped - sign * expression) == 0:
            return sign
    return None


def _coordinates(events: list[tuple[tuple[sp.Symbol, ...], Density]]) -> tuple[Coordinate, ...]:
    return tuple(
        Coordinate(symbol=name, density=density, event=number)
        for number, (names, density) in enumerate(events)
        for name in names
    )


def polynomial_cores(expression: sp.Basic, symbols: tuple[sp.Symbol, ...]) -> list[sp.Expr]:
    """The largest polynomials in the symbols that an expression is built from.

    Examples
    --------
    >>> x, y = sp.symbols("x y")
    >>> polynomial_cores(sp.exp(x + y) * sp.sqrt(x**2 + 1), (x, y))
    [x**2 + 1, x + y]
    """
    if not expression.has(*symbols):
        return []
    if isinstance(expression, sp.Expr) and expression.is_polynomial(*symbols):
        return [expression]
    if not isinstance(expression, (sp.Add, sp.Mul)):
        return [
            core for argument in expression.args for core in polynomial_cores(argument, symbols)
        ]
    whole = [a for a in expression.args if a.is_polynomial(*symbols)]
    rest = [a for a in expression.args if not a.is_polynomial(*symbols)]
    cores = polynomial_cores(expression.func(*whole), symbols)
    return cores + [core for argument in rest for core in polynomial_cores(argument, symbols)]


def _is_scale_free(expression: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> bool:
    """Whether an expression is homogeneous of degree 0."""
    scale = sp.Dummy("lambda", positive=True)
    signs = expression.rewrite(sp.sign) if expression.has(sp.Heaviside) else expression
    scaled = signs.xreplace({s: scale * s for s in symbols})
    whole = scaled.xreplace({f: sp.sign(sp.factor_terms(f.args[0])) for f in scaled.atoms(sp.sign)})
    return bool(sp.expand(whole - signs) == 0)
