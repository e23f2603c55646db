"""Sums of waves: closed forms and radial integrals against quadrature, sampling and the sheet."""

from __future__ import annotations

from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from nnft_sym.activations import Cos, Exp, NormalisedExp
from nnft_sym.architectures import neurons
from nnft_sym.densities import Ball, Gaussian, Laplace, Rademacher, Sphere, Uniform
from nnft_sym.exactness import Exactness
from nnft_sym.expectation.law import InnerProduct, coordinate
from nnft_sym.expectation.parameter_space.generating import (
    generating_numbers,
    polar_generating_function,
)
from nnft_sym.expectation.parameter_space.law import ParameterLaw
from nnft_sym.expectation.parameter_space.radial import RADIUS, RadialDensity, radial_integrals
from nnft_sym.expectation.parameter_space.wave_sums import WaveSum
from nnft_sym.expectation.parameter_space.waves import radial_amplitude, read_waves
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError
from nnft_sym.literature import scalar_field_net
from nnft_sym.networks import Dense
from nnft_sym.vectors import dot, inputs, vector

PHASE = Uniform(-sp.pi, sp.pi)


def dense(activation, weight, bias, d):
    layer = Dense(width=sp.Integer(1), weight=weight, bias=bias, activation=activation)
    return ParameterLaw.from_dense(layer, d)


def scalar_field(d, m, cutoff):
    law = ParameterLaw.from_neurons(scalar_field_net(d).layers[0])
    by_name = {symbol.name: symbol for symbol in law.symbols}
    return law, {by_name["m"]: m, by_name["Lambda"]: cutoff}


def value_of_expression(law, order, X, values, index):
    """The formula itself, evaluated with the law's own arguments."""
    numbers = law.arguments(X, values, np.array([index]))
    rule = {key: sp.Float(float(column[0]), 25) for key, column in numbers.items()}
    rule |= {symbol: sp.Float(v, 25) for symbol, v in values.items()}
    return law.expression(order).xreplace(rule)


def test_uniform_weights_give_sincs():
    law = dense(Cos(), Uniform(-1, 1), PHASE, 2)
    x, y = ([coordinate(a, i) / sp.sqrt(2) for i in (1, 2)] for a in (1, 2))
    product = sp.Mul(*(sp.sinc(a - b) for a, b in zip(x, y, strict=True)))
    assert law.expression(2) - product / 2 == 0
    assert law.exactness(4) == Exactness.exact()
    X = np.array([[0.3, -1.0], [0.3, -1.0], [2.0, 0.5]])
    moments = law.moments([2], X, {})[2].values
    assert moments[0, 0] == pytest.approx(0.5, abs=1e-15)
    assert moments[0, 1] == pytest.approx(0.5, abs=1e-15)
    t = (X[0] - X[2]) / np.sqrt(2)
    assert moments[0, 2] == pytest.approx(np.prod(np.sin(t) / t) / 2, abs=1e-15)


def test_cos_net_moments_are_those_of_the_sheet():
    law = dense(Cos(), Gaussian(0, "sigma_w"), PHASE, 3)
    X = np.random.default_rng(1).normal(size=(4, 3))
    values = dict.fromkeys(law.symbols, 0.8)
    found = law.moments([1, 2, 3, 4, 6], X, values)

    def gauss(*signs):
        t = sum(s * x for s, x in zip(signs, X, strict=True))
        return np.exp(-0.64 * t @ t / 6)

    four = (gauss(1, 1, -1, -1) + gauss(1, -1, 1, -1) + gauss(1, -1, -1, 1)) / 8
    assert found[4].values[0, 1, 2, 3] == pytest.approx(four, abs=1e-14)
    assert found[2].values[0, 2] == pytest.approx(gauss(1, 0, -1, 0) / 2, abs=1e-14)
    assert all(np.all(found[k].values.entries == 0) for k in (1, 3))
    # The connected six-point function of the Cos-net vanishes at coincident points.
    m2, m4, m6 = (found[k].values[(0,) * k] for k in (2, 4, 6))
    assert 15 * m6 - 3 * 15 * m4 * m2 + 2 * 15 * m2**3 == pytest.approx(0, abs=1e-13)


def test_expressions_hold_no_imaginary_unit_and_agree_with_the_numbers():
    laws = [
        dense(Cos(), Uniform("a", 2), Gaussian("mu", 1), 2),
        dense(Exp(), Laplace(0, sp.Rational(1, 9)), Uniform(-1, 2), 1),
        dense(Cos(), Rademacher(), Laplace(0, 1), 3),
        dense(Cos(), Sphere(3, "R"), PHASE, 3),
        dense(Cos(), Ball(2, 1), Uniform(0, 1), 2),
        dense(NormalisedExp(), Uniform(-1, 1), Gaussian(0, 1), 1),
    ]
    rng = np.random.default_rng(3)
    for law in laws:
        assert isinstance(law.method, WaveSum)
        X = rng.normal(size=(3, len(law.inputs)))
        values = dict.fromkeys(law.symbols, 0.4)
        for order, index in ((1, (1,)), (2, (0, 1)), (3, (0, 1, 1)), (4, (0, 1, 2, 2))):
            formula = value_of_expression(law, order, X, values, index)
            assert not law.expression(order).has(sp.I)
            moments = law.moments([order], X, values)[order]
            error = moments.errors[index]
            assert abs(float(sp.N(formula, 20)) - moments.values[index]) <= error + 1e-18
            assert error < 1e-11 * max(1, abs(moments.values[index]))


def test_waves_of_both_kinds_against_quadrature():
    law = dense_from("exp(z/3)*cos(z) + sinh(z/4)", Laplace(0.1, 0.3), Uniform(-1, 0.5))
    X = np.array([[-0.7], [1.1]])
    found = law.moments([3], X, {})[3]

    def h(w, b, x):
        z = w * x + b
        return mp.exp(z / 3) * mp.cos(z) + mp.sinh(z / 4)

    def density(w):
        return mp.exp(-abs(w - 0.1) / 0.3) / 0.6 / 1.5

    # Gauss-Legendre over b, adaptive over w with its corner at the mean.
    nodes, weights = np.polynomial.legendre.leggauss(24)
    b = [(mp.mpf(w) * 0.75, mp.mpf(t) * 0.75 - 0.25) for t, w in zip(nodes, weights, strict=True)]

    def inner(w):
        return mp.fsum(p * h(w, t, -0.7) ** 2 * h(w, t, 1.1) for p, t in b)

    reference = mp.quad(lambda w: density(w) * inner(w), [-12, -2, 0.1, 2.5, 12], maxdegree=5)
    assert found.values[0, 0, 1] == pytest.approx(float(reference), abs=1e-12)


def dense_from(text, weight, bias):
    from nnft_sym.activations import Activation

    return dense(Activation.of(text), weight, bias, 1)


def test_generating_function_outside_its_strip_is_infinite():
    law = dense(Exp(), Laplace(0, "s"), None, 1)
    X = np.array([[1.0]])
    values = dict.fromkeys(law.symbols, 0.26)
    assert law.moments([3], X, values)[3].values.entries[0] == pytest.approx(
        1 / (1 - (3 * 0.26) ** 2)
    )
    with pytest.raises(InfiniteMomentError, match="finite"):
        law.moments([4], X, values)
    with pytest.raises(InfiniteMomentError):
        law.moments([4], X, dict.fromkeys(law.symbols, 0.25))


def test_generating_numbers_bound_their_rounding():
    rng = np.random.default_rng(8)
    for density in (Gaussian(0.5, 2), Uniform(-1, 3), Laplace(0.2, 0.3), Ball(3, 2), Sphere(2, 3)):
        d = density.dimension
        growth = rng.uniform(-1, 1, (d, 6)) * (np.arange(6) % 2)
        phase = rng.normal(0, 20, (d, 6)) * (np.arange(6) > 1)
        value, error = generating_numbers(density, growth, phase, np.abs(growth) + np.abs(phase))
        for column in range(6):
            # Float sources as exact rationals: the reference has no rounding of its own.
            s = [
                sp.Rational(a) + sp.I * sp.Rational(b)
                for a, b in zip(growth[:, column], phase[:, column], strict=True)
            ]
            exact = sp.N(density.generating_function(*s), 40)
            assert abs(complex(exact) - value[column]) <= error[column] + 1e-300, (density, column)
            assert error[column] <= 1e-10 * max(1.0, abs(value[column]))


def test_coincident_and_opposite_points_are_regular():
    law = dense(Exp(), Uniform(-2, 2), None, 1)
    X = np.array([[0.5], [-0.5], [0.0], [1e-9]])
    found = law.moments([2], X, {})[2].values
    assert found[0, 1] == pytest.approx(1, abs=1e-15)
    assert found[2, 3] == pytest.approx(1, abs=1e-15)
    assert found[0, 0] == pytest.approx(np.sinh(2) / 2, rel=1e-14)
    formula = law.expression(2).xreplace({coordinate(1, 1): sp.S(1), coordinate(2, 1): sp.S(-1)})
    assert formula.doit() == 1


def test_order_eight_keeps_only_neutral_products():
    law = dense(Cos(), Uniform(-1, 1), PHASE, 1)
    method = law.method
    assert isinstance(method, WaveSum)
    assert len(list(method.choices(8))) == 35
    X = np.linspace(-1, 1, 4)[:, None]
    assert law.moments([8], X, {})[8].values[(0,) * 8] == pytest.approx(35 / 128, abs=1e-14)


def test_what_is_no_wave_is_not_read_as_one():
    w, x = sp.symbols("w x", real=True)
    for h in (sp.tanh(w * x), w * sp.cos(w * x), sp.cos(w**2 * x), sp.exp(sp.cos(w * x)), 1 / w):
        assert read_waves(h, (w,), (x,)) is None
    waves = read_waves((sp.cos(w * x) + sp.sin(w * x)) ** 2, (w,), (x,))
    assert sorted(wave.phase[0] for wave in waves if wave.phase[0].is_number) == [0]
    p = sp.symbols("p_1 p_2", real=True)
    assert radial_amplitude(p[0] ** 2 + 2 * p[1] ** 2, p) is None
    assert radial_amplitude(p[0], p[:1]) is None


def test_polar_form_of_a_shifted_density():
    t = sp.Symbol("t", real=True)
    form = polar_generating_function(Laplace("mu", "b"), (sp.Integer(0),), (t,))
    mu, b = sp.Symbol("mu", real=True), sp.Symbol("b", nonnegative=True)
    assert sp.simplify(form.real_part - sp.cos(mu * t) / (1 + b**2 * t**2)) == 0


@pytest.mark.parametrize("d", [1, 2, 3])
def test_scalar_field_kernel_is_the_propagator(d):
    law, values = scalar_field(d, 0.3, 4.0)
    X = np.random.default_rng(d).normal(size=(4, d))
    X[3] = X[2]
    found = law.moments([2], X, values)[2]

    def propagator(r):
        kernel = {1: mp.cos, 2: lambda s: mp.besselj(0, s), 3: mp.sinc}[d]
        area = {1: 2, 2: 2 * mp.pi, 3: 4 * mp.pi}[d] / (2 * mp.pi) ** d
        ends = [0, 0.3, 1, 2, 3, 4]
        return area * mp.quad(lambda p: p ** (d - 1) * kernel(p * r) / (p**2 + 0.09), ends)

    for a in range(4):
        for b in range(a + 1):
            reference = propagator(mp.mpf(float(np.linalg.norm(X[a] - X[b]))))
            assert abs(found.values[a, b] - reference) <= found.errors[a, b]
            assert found.errors[a, b] < 1e-13
    assert law.exactness(2) == Exactness.integral()


def test_scalar_field_kernel_is_written_as_in_the_papers():
    p, m, cutoff = RADIUS, sp.Symbol("m", nonnegative=True), sp.Symbol("Lambda", nonnegative=True)
    r = sp.sqrt(InnerProduct(1, 1) - 2 * InnerProduct(1, 2) + InnerProduct(2, 2))
    line, plane = (ParameterLaw.from_neurons(scalar_field_net(d).layers[0]) for d in (1, 2))
    wave = sp.cos(p * (coordinate(1, 1) - coordinate(2, 1))) / (p**2 + m**2)
    assert line.expression(2) == sp.Integral(wave, (p, 0, cutoff)) / sp.pi
    bessel = p * sp.besselj(0, p * r) / (p**2 + m**2)
    assert plane.expression(2) == sp.Integral(bessel, (p, 0, cutoff)) / (2 * sp.pi)


def test_scalar_field_four_point_function_by_direct_quadrature():
    law, values = scalar_field(1, 0.8, 3.0)
    X = np.array([[0.0], [0.4], [1.3], [-0.9]])
    found = law.moments([4], X, values)[4]
    # Uniform grid over the phase (exact for trigonometric polynomials), Gauss-Legendre over b.
    nodes, weights = np.polynomial.legendre.leggauss(80)
    b, c = 3.0 * nodes[:, None], 2 * np.pi * np.arange(16) / 16
    norm = np.sqrt(2 * 6.0 / (2 * np.pi))
    h = [norm * np.cos(b * x + c) / np.sqrt(b**2 + 0.64) for x in X[:, 0]]
    for index in ((0, 1, 2, 3), (0, 0, 1, 1), (2, 2, 2, 2), (0, 3, 3, 3)):
        product = np.prod([h[a] for a in index], axis=0)
        reference = np.sum(weights * product.mean(axis=1)) / 2
        assert found.values[index] == pytest.approx(reference, abs=1e-12)


@pytest.mark.montecarlo
@pytest.mark.parametrize("d", [2, 3])
def test_scalar_field_moments_by_sampling(d):
    # 6 pulls at d = 2 and 3; the largest of 12 exceeds 4 with probability 8e-4.
    law, values = scalar_field(d, 1.0, 2.0)
    rng = np.random.default_rng(40 + d)
    X = rng.normal(size=(4, d))
    found = law.moments([2, 4, 6], X, values)
    size = 400_000
    g = rng.normal(size=(size, d))
    b = g / np.linalg.norm(g, axis=1)[:, None] * 2 * rng.random(size)[:, None] ** (1 / d)
    c = rng.uniform(-np.pi, np.pi, size)
    volume = {2: np.pi * 4, 3: 4 * np.pi * 8 / 3}[d]
    norm = np.sqrt(2 * volume / (2 * np.pi) ** d / (np.sum(b**2, axis=1) + 1))
    h = norm[:, None] * np.cos(b @ X.T + c[:, None])
    for index in ((0, 1), (2, 2), (0, 1, 2, 3), (0, 0, 2, 2), (0, 1, 2, 3, 0, 1), (1,) * 6):
        sample = np.prod(h[:, list(index)], axis=1)
        pull = (sample.mean() - found[len(index)].values[index]) / (sample.std() / size**0.5)
        assert abs(pull) < 4


@pytest.mark.parametrize(
    ("d", "order", "finite"),
    [
        *((1, 1, False), (1, 2, False), (2, 1, True), (2, 2, False), (3, 2, True)),
        *((3, 3, False), (3, 4, False), (4, 3, True), (4, 4, False), (5, 4, True)),
    ],
)
def test_massless_fields_diverge_where_they_must(d, order, finite):
    law, values = scalar_field(d, 0.0, 2.0)
    X = np.random.default_rng(0).normal(size=(2, d))
    if not finite:
        with pytest.raises(InfiniteMomentError, match="infrared"):
            law.moments([order], X, values)
        return
    found = law.moments([order], X, values)[order]
    if (d, order) == (3, 2):
        r = float(np.linalg.norm(X[0] - X[1]))
        exact = mp.si(2 * r) / (2 * mp.pi**2 * r)
        assert abs(found.values[0, 1] - exact) <= found.errors[0, 1] < 1e-13


def test_small_masses_and_fast_oscillations():
    law, values = scalar_field(1, 1e-4, 1.0)
    X = np.array([[0.0], [1.0], [1000.0]])
    found = law.moments([2], X, values)[2]
    exact = [mp.atan(1e4) / 1e-4 / mp.pi]
    for r in (1, 1000):
        total = mp.exp(-1e-4 * r) * mp.pi / 2 / mp.mpf("1e-4")
        # The tail from 1 to infinity along 1 + iy, where it decays.
        tail = mp.quad(
            lambda y, r=r: (
                mp.expj(r * (1 + mp.j * y)) * mp.j / ((1 + mp.j * y) ** 2 + mp.mpf("1e-8"))
            ),
            [0, 5 / mp.mpf(r), 20 / mp.mpf(r), 60 / mp.mpf(r)],
        ).real
        exact.append((total - tail) / mp.pi)
    for b, reference in enumerate(exact):
        assert abs(found.values[0, b] - reference) <= max(found.errors[0, b], 1e-12 * reference)
        assert found.errors[0, b] <= 1e-11 * found.values[0, 0]


def test_amplitudes_of_other_isotropic_parameters():
    b, x, c = vector("b", 2), inputs(2), sp.Symbol("c", real=True)
    X = np.array([[0.2, -0.4], [1.0, 0.7]])
    r = mp.mpf(float(np.linalg.norm(X[0] - X[1])))
    wave = sp.cos(dot(b, x) + c) * sp.exp(-dot(b, b)) * dot(b, b)
    law = ParameterLaw.from_neurons(
        neurons(wave, {b: Gaussian(0, sp.Rational(3, 2)), c: PHASE}).layers[0]
    )
    found = law.moments([2], X, {})[2]

    def radial(p):
        return p**5 * mp.exp(-2 * p**2 - p**2 / mp.mpf("4.5")) * mp.besselj(0, p * r)

    reference = mp.quad(radial, [0, 1, 2, 4, 8]) / mp.mpf("2.25") / 2
    assert abs(found.values[0, 1] - reference) <= found.errors[0, 1] < 1e-14

    sphere = sp.cos(dot(b, x) + c) / (1 + dot(b, b))
    law = ParameterLaw.from_neurons(neurons(sphere, {b: Sphere(2, 2), c: PHASE}).layers[0])
    assert law.exactness(2) == Exactness.exact()
    found = law.moments([2], X, {})[2]
    assert abs(found.values[0, 1] - mp.besselj(0, 2 * r) / 50) <= found.errors[0, 1]

    q, x1 = sp.Symbol("q", real=True), sp.Symbol("x_1", real=True)
    line = sp.cos(q * x1 + c) / (1 + q**2)
    law = ParameterLaw.from_neurons(neurons(line, {q: Laplace(0, 2), c: PHASE}).layers[0])
    found = law.moments([2], X[:, :1], {})[2]
    t = mp.mpf(float(X[0, 0] - X[1, 0]))
    reference = mp.quad(
        lambda p: mp.exp(-p / 2) * mp.cos(p * t) / (1 + p**2) ** 2, [0, 1, 4, 16, 100]
    )
    assert abs(found.values[0, 1] - reference / 4) <= found.errors[0, 1] < 1e-13


def test_cancelling_divergences_go_to_the_whole_integral():
    p, x = sp.symbols("p x_1", real=True)
    law = ParameterLaw.from_neurons(
        neurons(sp.sin(p * x) / sp.Abs(p), {p: Uniform(-1, 1)}).layers[0]
    )
    X = np.array([[1.0], [2.5]])
    found = law.moments([2], X, {})[2]
    exact = mp.quad(lambda q: mp.sin(q) * mp.sin(2.5 * q) / q**2, [0, 1])
    assert abs(found.values[0, 1] - exact) <= found.errors[0, 1] < 1e-12


def test_radial_integrals_refuse_what_does_not_converge():
    ball = RadialDensity.of(Ball(2, 2), 2)
    with pytest.raises(AccuracyError, match="radial integral"):
        radial_integrals(ball, 1 / (RADIUS - 1), np.array([0.5]))
    thermal = RadialDensity.of(Gaussian(0, 1), 1)
    with pytest.raises(AccuracyError):
        radial_integrals(thermal, sp.exp(RADIUS**2), np.array([0.5]))


def test_a_kinked_amplitude_is_resolved():
    line = RadialDensity.of(Uniform(-2, 2), 1)
    value, error = radial_integrals(line, sp.Abs(RADIUS - sp.Rational(1, 3)), np.array([0.0, 5.0]))

    def integrand(t):
        return lambda r: abs(r - mp.mpf(1) / 3) * mp.cos(r * t) / 2

    for t, v, e in zip((0, 5), value, error, strict=True):
        cuts = [0, mp.mpf(1) / 3, 1, 2]
        reference = mp.fsum(mp.quad(integrand(t), pair) for pair in pairwise(cuts))
        assert abs(v - reference) <= e < 1e-11
