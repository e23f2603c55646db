"""When a random phase is uniform on its circle, redundancies included.

Moments of h = A cos(ω b + α) contain the phase in E e^{imωb}, m = 1, 2, ...; only even m where
h and -h are one, and only real parts where (w, b) and (-w, -b - 2δ/ω) are one and P(w) is even.
The phase is flat, so that any shift of it is a symmetry, if all of them vanish.
"""

from __future__ import annotations

import sympy as sp

from nnft_sym.densities import Uniform
from nnft_sym.symmetries.neuron_forms import Neuron, Wave
from nnft_sym.symmetries.requirements import evenness

__all__ = ["flatness", "is_integer"]


def flatness(neuron: Neuron, wave: Wave) -> sp.Basic:
    """Condition on the density of a phase to be uniform on the circle.

    For U[l, l + L], with s = ω, or s = 2ω where h and -h are one: sL ∈ 2πZ; where reflections are
    a redundancy also sL ∈ πZ together with s c ∈ π/2 + πZ at the centre c = l + L/2 + δ/ω.

    Parameters
    ----------
    neuron : Neuron
        h.
    wave : Wave
        The phase, in which h is a single harmonic.

    Returns
    -------
    sympy.Boolean
        ``sp.false`` also where the density is none that is known to become flat.

    Examples
    --------
    >>> from nnft_sym.activations import Cos
    >>> from nnft_sym.architectures import shallow
    >>> from nnft_sym.symmetries.neuron_forms import first_neuron
    >>> net = shallow(Cos(), bias=Uniform(0, sp.pi / 2))
    >>> neuron = first_neuron(net, 1)
    >>> flatness(neuron, neuron.waves[0])
    True
    """
    density = neuron.coordinates[wave.phase].density
    if not isinstance(density, Uniform):
        return sp.false
    length, step = density.high - density.low, wave.frequency
    if length.is_zero:
        return sp.false
    if neuron.even_readout:
        step = 2 * step
    turns = is_integer(step * length / (2 * sp.pi))
    if turns == sp.true or wave.offset is None or not _is_mirrored(neuron, wave, wave.offset):
        return turns
    own = neuron.coordinates[wave.phase].event
    even = evenness(c.density for c in neuron.coordinates if c.event != own)
    centre = (density.low + density.high) / 2 + wave.offset / wave.frequency
    if is_integer(step * (centre - length / 2) / sp.pi) == sp.true:
        # Then s c ∈ π/2 + πZ is sL ∈ π + 2πZ, and both cases together are sL ∈ πZ.
        halves = is_integer(step * length / sp.pi)
        if even == sp.true:
            return halves
        return sp.Or(turns, sp.And(even, halves))
    mirrored = sp.And(
        even,
        is_integer(step * length / sp.pi),
        is_integer(step * centre / sp.pi - sp.Rational(1, 2)),
    )
    return sp.Or(turns, mirrored)


def is_integer(number: sp.Expr) -> sp.Basic:
    """Whether a number is an integer, as a condition where it contains symbols.

    Examples
    --------
    >>> is_integer(sp.Integer(2)), is_integer(1 / sp.pi)
    (True, False)
    """
    value = sp.expand(number)
    if value.is_number:
        return sp.true if value.is_integer else sp.false
    return sp.Contains(value, sp.S.Integers)


def _is_mirrored(neuron: Neuron, wave: Wave, offset: sp.Expr) -> bool:
    """Whether all parameters reversed about the phase -δ/ω leave the neuron as it is."""
    own = neuron.coordinates[wave.phase]
    image = {s: -s for s in neuron.symbols}
    image[own.symbol] = -own.symbol - 2 * offset / wave.frequency
    reflected = neuron.expression.xreplace(image)
    arguments = {f: f.func(sp.expand(f.args[0])) for f in reflected.atoms(sp.sin, sp.cos)}
    return bool(sp.expand(reflected.xreplace(arguments) - neuron.expression) == 0)
