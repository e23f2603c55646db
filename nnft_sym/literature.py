"""The networks of the literature, each a function that returns a Network."""

from __future__ import annotations

import sympy as sp

from nnft_sym.activations import Cos, Erf, NormalisedExp, ReLU
from nnft_sym.architectures import neurons, shallow
from nnft_sym.densities import Ball, Gaussian, Uniform
from nnft_sym.networks import Network
from nnft_sym.vectors import dot, inputs, vector

__all__ = ["cos_net", "erf_net", "gauss_net", "relu_net", "scalar_field_net"]


def gauss_net(*, outputs: int = 1) -> Network:
    """Return the Gauss-net φ = e^z/√(E e^{2z}), with kernel σ_v² exp(-σ_w²|x-y|²/2d).

    Source: [HMS20] section 2.3; the normalisation is exp(z - σ_b² - σ_w² x²/d).

    Examples
    --------
    >>> gauss_net().parameters
    ('N', 'sigma_b', 'sigma_v', 'sigma_w')
    """
    return shallow(NormalisedExp(), outputs=outputs, name="Gauss-net", source="HMS20 section 2.3")


def erf_net(*, outputs: int = 1) -> Network:
    """Return the Erf-net φ = erf(z), with the arcsine kernel.

    Source: [W96]; [HMS20] section 2.3.

    Examples
    --------
    >>> erf_net().parameters
    ('N', 'sigma_b', 'sigma_v', 'sigma_w')
    """
    return shallow(Erf(), outputs=outputs, name="Erf-net", source="W96, HMS20 section 2.3")


def relu_net(*, outputs: int = 1) -> Network:
    """Return the ReLU-net φ = max(z, 0), with the arc-cosine kernel.

    Source: [CS09]; [HMS20] section 2.3.

    Examples
    --------
    >>> relu_net().parameters
    ('N', 'sigma_b', 'sigma_v', 'sigma_w')
    """
    return shallow(ReLU(), outputs=outputs, name="ReLU-net", source="CS09, HMS20 section 2.3")


def cos_net(*, outputs: int = 1) -> Network:
    """Return the Cos-net cos(w·x/√d + b) with b uniform on [-π, π].

    Its kernel is (σ_v²/2) exp(-σ_w²|x-y|²/2d).

    Source: [H21] section 4.

    Examples
    --------
    >>> cos_net().parameters
    ('N', 'sigma_v', 'sigma_w')
    """
    phase = Uniform(-sp.pi, sp.pi)
    return shallow(Cos(), bias=phase, outputs=outputs, name="Cos-net", source="H21 section 4")


def scalar_field_net(d: int = 1, *, outputs: int = 1) -> Network:
    """Return the network whose kernel is the propagator of a free scalar field with cutoff Λ.

    f(x) = √(2 vol(B_Λ)/(2π)^d) N^{-1/2} sum_i a_i cos(b_i·x + c_i)/√(b_i² + m²), with a of unit
    variance, b uniform in the ball of radius Λ and c uniform on [-π, π]; at every N

        G⁽²⁾(x, y) = ∫_{|p|<Λ} d^dp/(2π)^d e^{ip·(x-y)}/(p² + m²).

    Parameters
    ----------
    d : int
        Dimension of space, at least 1.
    outputs : int
        Number of outputs.

    Source: [H21]; [D23] section 4.

    Examples
    --------
    >>> scalar_field_net(d=2).parameters
    ('Lambda', 'N', 'm')
    """
    x, b, c = inputs(d), vector("b", d), sp.Symbol("c", real=True)
    m = sp.Symbol("m", nonnegative=True)
    ball = Ball(d, sp.Symbol("Lambda", nonnegative=True))
    norm = sp.sqrt(2 * ball.volume / (2 * sp.pi) ** d)
    wave = norm * sp.cos(dot(b, x) + c) / sp.sqrt(dot(b, b) + m**2)
    return neurons(
        wave,
        {b: ball, c: Uniform(-sp.pi, sp.pi)},
        inputs=x,
        readout=Gaussian(0, 1),
        outputs=outputs,
        name=f"scalar-field net, d={d}",
        source="H21, D23 section 4",
    )
