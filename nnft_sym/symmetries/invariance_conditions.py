"""From a generator acting on a network to conditions on its densities, redundancies included."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp

from nnft_sym.activations import Z
from nnft_sym.density import Density
from nnft_sym.networks import Dense, Network
from nnft_sym.symmetries.density_conditions import requirements
from nnft_sym.symmetries.generators import ActingGenerator
from nnft_sym.symmetries.neuron_forms import Coordinate, Neuron, first_neuron, parity
from nnft_sym.symmetries.parameter_actions import ParameterAction, absorbed
from nnft_sym.symmetries.phases import flatness
from nnft_sym.symmetries.requirements import Requirement, evenness

__all__ = ["Finding", "Way", "input_finding", "output_finding", "sign_condition"]


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way for a generator to be a symmetry: requirements that suffice together.

    Parameters
    ----------
    requirements : tuple of Requirement
        Conditions on the parameters of the densities; none if the way is open.
    redundancies : tuple of str
        Redundancies of θ → f that are used, as LaTeX.
    """

    requirements: tuple[Requirement, ...]
    redundancies: tuple[str, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Whether no parameters meet the requirements."""
        return any(r.condition == sp.false for r in self.requirements)

    @property
    def condition(self) -> sp.Basic:
        """All conditions together; those that are undecided count as not met."""
        parts = (sp.false if r.condition is None else r.condition for r in self.requirements)
        return sp.And(*dict.fromkeys(parts))


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is found of one generator.

    Parameters
    ----------
    generator : ActingGenerator
        The generator.
    action : ParameterAction or None
        What it does to the parameters, None if nothing in them does it.
    coordinates : tuple of Coordinate
        The parameters acted on, with their densities.
    ways : tuple of Way
        Ways for it to be a symmetry, those with fewer redundancies first.
    """

    generator: ActingGenerator
    action: ParameterAction | None
    coordinates: tuple[Coordinate, ...]
    ways: tuple[Way, ...]

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """The parameters acted on."""
        return tuple(coordinate.symbol for coordinate in self.coordinates)

    @property
    def open_way(self) -> Way | None:
        """A way without requirements: a proof."""
        return next((way for way in self.ways if not way.requirements), None)

    @property
    def condition(self) -> sp.Basic:
        """True, false, or the condition on free parameters under which some way is open."""
        return sp.Or(*(way.condition for way in self.ways))

    @property
    def obstacle(self) -> str:
        """Why no way is open, in words."""
        if self.action is None:
            return f"no transformation of the parameters does what {self.generator.name} does"
        closed = (r for r in self.ways[-1].requirements if r.condition in (sp.false, None))
        return next((r.because for r in closed), "the condition on P(θ) is not met")


def input_finding(net: Network, generator: ActingGenerator) -> Finding:
    """Conditions for a generator that acts on the inputs.

    Examples
    --------
    >>> from nnft_sym.symmetries.generators import acting
    >>> from nnft_sym.groups import Translations
    >>> from nnft_sym.literature import cos_net
    >>> (shift,) = acting(Translations(1), None)
    >>> input_finding(cos_net(), shift).condition
    True
    """
    neuron = first_neuron(net, generator.map.dimension)
    action = absorbed(neuron, generator.map)
    ways: list[Way] = []
    if not neuron.expression.has(*neuron.inputs):
        ways.append(Way(requirements=(), redundancies=(r"h(gx;\theta) = h(x;\theta)",)))
    elif action is not None:
        for assumed, extra in _assumptions(net, neuron):
            ways += _neuron_ways(assumed, action, extra)
    return Finding(
        generator=generator,
        action=action,
        coordinates=neuron.coordinates,
        ways=tuple(dict.fromkeys(ways)),
    )


def _assumptions(net: Network, neuron: Neuron) -> list[tuple[Neuron, tuple[Requirement, ...]]]:
    """The neuron as it is, and with an even readout where free parameters allow one."""
    cases: list[tuple[Neuron, tuple[Requirement, ...]]] = [(neuron, ())]
    above = net.layers[1] if net.depth > 1 else None
    outgoing = (above.weight,) if isinstance(above, Dense) else net.readout.weights
    condition = evenness(outgoing)
    if not neuron.even_readout and condition != sp.false:
        needed = Requirement(condition, "the weights that leave the neurons are to be even")
        cases.append((replace(neuron, even_readout=True), (needed,)))
    return cases


def _neuron_ways(
    neuron: Neuron, action: ParameterAction, extra: tuple[Requirement, ...]
) -> list[Way]:
    candidates: list[tuple[ParameterAction, tuple[str, ...]]] = [(action, ())]
    if action.infinitesimal and neuron.is_scale_free:
        candidates.append((action.unscaled(), (r"h(x;\lambda\theta) = h(x;\theta)",)))
    if not action.infinitesimal and neuron.reflects:
        sign = "" if neuron.parity == 1 else "-"
        candidates.append((action.reflected(), (rf"h(x;-\theta) = {sign}h(x;\theta)",)))
    ways = []
    for candidate, used in candidates:
        for flat, circle in _phases(neuron):
            needed = requirements(neuron.coordinates, candidate, flat=flat)
            ways.append(Way(requirements=extra + needed, redundancies=used + circle))
    return ways


def _phases(neuron: Neuron) -> list[tuple[dict[int, sp.Basic], tuple[str, ...]]]:
    """No phase taken as one on the circle, or all of them."""
    cases: list[tuple[dict[int, sp.Basic], tuple[str, ...]]] = [({}, ())]
    if neuron.waves:
        flat = {wave.phase: flatness(neuron, wave) for wave in neuron.waves}
        lines = []
        for wave in neuron.waves:
            name = sp.latex(neuron.symbols[wave.phase])
            step = sp.latex((1 if neuron.even_readout else 2) * sp.pi / wave.frequency)
            sign = "-" if neuron.even_readout else ""
            lines.append(rf"h(x;{name}+{step}) = {sign}h(x;{name})")
        cases.append((flat, tuple(lines)))
    return cases


def output_finding(net: Network, generator: ActingGenerator) -> Finding:
    """Conditions for a generator that acts on the outputs.

    The row of readout weights of one neuron and the output biases transform as the field does,
    a → R a, c → R c + t.

    Examples
    --------
    >>> from nnft_sym.densities import Uniform
    >>> from nnft_sym.symmetries.generators import acting
    >>> from nnft_sym.groups import SO
    >>> from nnft_sym.literature import erf_net
    >>> (turn,) = acting(SO(2), None)
    >>> output_finding(erf_net(outputs=2), turn).condition
    True
    """
    rows, offsets = _readout_coordinates(net)
    coordinates = (*rows, *offsets)
    action = _readout_action(generator, len(rows), [o is not None for o in net.readout.biases])
    ways = []
    if action is not None:
        ways.append(Way(requirements=requirements(coordinates, action, flat={}, columns=True)))
        flipped = sign_condition(net)
        if not action.infinitesimal and flipped != sp.false:
            extra = (
                ()
                if flipped == sp.true
                else (Requirement(flipped, "h and -h are to have one law"),)
            )
            mirrored = _rows_reflected(action, len(rows))
            needed = requirements(coordinates, mirrored, flat={}, columns=True)
            ways.append(Way(requirements=extra + needed, redundancies=(r"P[h] = P[-h]",)))
    return Finding(generator=generator, action=action, coordinates=coordinates, ways=tuple(ways))


def _readout_coordinates(
    net: Network,
) -> tuple[tuple[Coordinate, ...], tuple[Coordinate, ...]]:
    weights, biases = net.readout.weights, net.readout.biases
    rows = tuple(
        Coordinate(symbol=sp.Symbol(f"a_{j + 1}", real=True), density=weight, event=j)
        for j, weight in enumerate(weights)
    )
    offsets = tuple(
        Coordinate(symbol=sp.Symbol(f"c_{j + 1}", real=True), density=bias, event=len(weights) + j)
        for j, bias in enumerate(biases)
        if bias is not None
    )
    return rows, offsets


def _readout_action(
    generator: ActingGenerator, outputs: int, biased: list[bool]
) -> ParameterAction | None:
    """The action on (a_1 ... a_D, those c_j that are there); None if it needs one that is not."""
    if not generator.is_affine:
        return None
    R, t = generator.matrix, generator.shift
    there = [j for j in range(outputs) if biased[j]]
    for j in range(outputs):
        if not biased[j] and (t[j] != 0 or any(R[j, k] != 0 for k in there)):
            return None
    size = outputs + len(there)
    matrix, shift = sp.SparseMatrix.zeros(size, size), sp.SparseMatrix.zeros(size, 1)
    for (j, k), value in sp.SparseMatrix(R).todok().items():
        matrix[j, k] = value
        if j in there and k in there:
            matrix[outputs + there.index(j), outputs + there.index(k)] = value
    for number, j in enumerate(there):
        shift[outputs + number] = t[j]
    return ParameterAction(
        matrix=sp.ImmutableSparseMatrix(matrix),
        shift=sp.ImmutableSparseMatrix(shift),
        infinitesimal=generator.is_flow,
    )


def _rows_reflected(action: ParameterAction, outputs: int) -> ParameterAction:
    """The action followed by a → -a, biases left alone."""
    matrix = sp.SparseMatrix(action.matrix)
    matrix[:outputs, :] = -matrix[:outputs, :]
    return replace(action, matrix=sp.ImmutableSparseMatrix(matrix))


def sign_condition(net: Network) -> sp.Basic:
    """Condition for the last hidden layer's neurons h and -h to have one law, each for itself.

    φ odd with even densities of its weights and biases, or a phase uniform on its circle.

    Examples
    --------
    >>> from nnft_sym.literature import cos_net, erf_net, relu_net
    >>> [sign_condition(net) for net in (cos_net(), erf_net(), relu_net())]
    [True, True, False]
    """
    last = net.layers[-1]
    if net.depth > 1 and isinstance(last, Dense):
        odd = parity(last.activation.expression, (Z,)) == -1
        return evenness(last.densities) if odd else sp.false
    if isinstance(last, Dense) and last.activation.is_normalised:
        return sp.false
    neuron = replace(first_neuron(net, net.dimension or 1), even_readout=False)
    parts = [flatness(neuron, wave) for wave in neuron.waves]
    if neuron.parity == -1:
        parts.append(evenness(_densities(neuron)))
    return sp.Or(*parts)


def _densities(neuron: Neuron) -> list[Density]:
    return [coordinate.density for coordinate in neuron.coordinates]
