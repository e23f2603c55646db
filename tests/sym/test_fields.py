"""Neurons of one affine field, any densities and dimensions, against methods that share nothing."""

from __future__ import annotations

from itertools import product

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from scipy.special import ndtr

from nnft_sym.activations import GELU, Activation, Erf, ReLU, Sign, Step, Tanh
from nnft_sym.architectures import neurons
from nnft_sym.densities import Ball, Gaussian, Laplace, Rademacher, Sphere, Uniform
from nnft_sym.expectation.covariances import AffineCovariance
from nnft_sym.expectation.gaussian import GaussianLaw
from nnft_sym.expectation.parameter_space.field_moments import FieldMoments
from nnft_sym.expectation.parameter_space.fields import AffineNeuron
from nnft_sym.expectation.parameter_space.law import ParameterLaw
from nnft_sym.expectation.parameter_space.spreading import IndependentEvent
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError
from nnft_sym.networks import Dense

PAIR = np.array([[0.7, -1.1], [0.3, 0.9]])


def dense(activation, weight, bias, d):
    phi = activation if isinstance(activation, Activation) else Activation.of(activation)
    layer = Dense(width=sp.Integer(1), weight=weight, bias=bias, activation=phi)
    return ParameterLaw.from_dense(layer, d)


def by_sources(law, X, order):
    """Moments over sources only, never over the parameters themselves."""
    fields = FieldMoments(neuron=law.field, inputs=law.inputs, groups=law.groups, X=X)
    object.__setattr__(fields, "_direct", lambda clusters: None)
    return fields.moments([order])[order]


def legendre(d, count, low=-1.0, high=1.0):
    """Nodes (count^d, d) and weights of the mean over a cube."""
    x, w = np.polynomial.legendre.leggauss(count)
    nodes = np.array(list(product((high + low + (high - low) * x) / 2, repeat=d)))
    return nodes, np.prod(np.array(list(product(w / 2, repeat=d))), axis=1)


@pytest.mark.parametrize(
    ("phi", "function"),
    [
        (Tanh(), np.tanh),
        (GELU(), lambda z: z * ndtr(z)),
        ("log(1+exp(z))", lambda z: np.logaddexp(0, z)),
    ],
)
def test_smooth_neurons_of_uniform_weights_against_tensor_quadrature(phi, function):
    X = np.random.default_rng(1).normal(size=(3, 3))
    nodes, weights = legendre(4, 24)
    law = dense(phi, Uniform(-1, 1), Uniform(-1, 1), 3)
    found = law.moments([1, 2, 3], X, {})
    h = function(nodes[:, :3] @ X.T / np.sqrt(3) + nodes[:, 3:])
    for order in (1, 2, 3):
        for index, value in found[order].values:
            exact = weights @ np.prod(h[:, list(index)], axis=1)
            error = found[order].errors[index]
            assert abs(value - exact) <= error + 1e-13
            assert error < (1e-11 if order < 3 else 1e-6)


@pytest.mark.parametrize("phi", [Tanh(), Erf(), ReLU(), Step(), GELU()])
def test_gaussian_weights_by_sources_are_the_gaussian_law(phi):
    d = 5
    X = np.random.default_rng(2).normal(size=(3, d))
    law = dense(phi, Gaussian(0, sp.Rational(4, 5)), Gaussian(0, sp.Rational(1, 2)), d)
    exact = GaussianLaw(
        activation=phi,
        covariance=AffineCovariance(
            weight_variance=sp.Rational(16, 25), bias_variance=sp.Rational(1, 4)
        ),
    )
    # The Gaussian law has no third moments of GELU at three points.
    for order in (2,) if phi == GELU() else (2, 3):
        found = by_sources(law, X, order)
        known = exact.moments([order], X, {})[order].values.entries
        assert np.all(np.abs(found.values.entries - known) <= found.errors.entries + 1e-12)
        assert np.max(found.errors.entries) < (1e-10 if order == 2 else 1e-7)


@pytest.mark.parametrize("weight", [Uniform(-1, 2), Laplace(0.2, 1), Ball(2, 1), Sphere(2, 1)])
@pytest.mark.parametrize("phi", [Tanh(), GELU(), "exp(-z**2)"])
def test_sources_and_parameters_agree_in_two_dimensions(phi, weight):
    law = dense(phi, weight, None, 2)
    here, there = by_sources(law, PAIR, 2), law.method.moments([2], PAIR)[2]
    difference = np.abs(here.values.entries - there.values.entries)
    assert np.all(difference <= here.errors.entries + there.errors.entries)
    assert np.max(here.errors.entries) < 1e-9


def test_kinks_by_sources_hold_their_errors():
    # Cubature over the two parameters shares nothing with the sum over sources.
    for phi, weight in (
        (ReLU(), Uniform(-1, 1)),
        (Sign(), Uniform(0, 2)),
        (Step(), Uniform(-1, 1)),
    ):
        law = dense(phi, weight, None, 2)
        exact = law.method.moments([2], PAIR)[2].values.entries
        found = by_sources(law, PAIR, 2)
        assert np.all(np.abs(found.values.entries - exact) <= found.errors.entries)
        assert np.max(found.errors.entries) < 1e-6


def test_relu_of_uniform_weights_by_exact_simplices():
    # E u_+² = E u²/2 for even densities, and E u_+ = E|u|/2 with three unit coordinates:
    # u = (w_1 + w_2 + w_3)/√3 has the cubic B-spline as density, E|sum| = 13/16.
    law = dense(ReLU(), Uniform(-1, 1), None, 3)
    found = law.moments([1, 2], np.ones((2, 3)), {})
    assert found[1].values[0] == pytest.approx(13 / 16 / np.sqrt(3) / 2, abs=1e-11)
    for index in ((0, 0), (0, 1)):
        assert found[2].values[index] == pytest.approx(1 / 6, abs=1e-12)


def test_rademacher_weights_by_sources_are_enumerated():
    d = 7
    X = np.random.default_rng(3).normal(size=(2, d))
    law = dense(Tanh(), Rademacher(), None, d)
    found, exact = by_sources(law, X, 2), law.moments([2], X, {})[2]
    assert np.all(np.abs(found.values.entries - exact.values.entries) <= found.errors.entries)
    assert np.max(found.errors.entries) < 1e-11
    # Kinks leave sources that nothing damps: refused, not guessed.
    with pytest.raises(AccuracyError, match="fields"):
        by_sources(dense(Sign(), Rademacher(), None, d), X, 2)


def test_many_dimensions_follow_the_kurtosis():
    # E φφ = E_G φφ + κ₄/24 sum_i D_i⁴ E_G φφ + O(d⁻²), D_i = x_i ∂_u/√d + y_i ∂_v/√d.
    rng = np.random.default_rng(4)
    rest = []
    for d in (25, 100):
        x, y = rng.choice([-1.0, 1.0], size=(2, d)) * 1.5
        y[: d // 5 * 4] = x[: d // 5 * 4]
        x, y = x, y
        X = np.array([x, y])
        value = dense(Erf(), Uniform(-1, 1), None, d).moments([2], X, {})[2].values[0, 1]
        K = X @ X.T / d / 3
        kurtosis = -2 / 15 / d**2
        parts = {
            k: np.sum(x ** (4 - k) * y**k) * kurtosis / 24 * [1, 4, 6, 4, 1][k] for k in range(5)
        }
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        root = np.linalg.cholesky(K)
        g = np.array(list(product(nodes, repeat=2))) @ root.T
        p = np.array([a * b for a, b in product(weights, repeat=2)]) / (2 * np.pi)
        z = sp.Symbol("z")
        D = [sp.lambdify(z, sp.diff(sp.erf(z), z, k), ["scipy", "numpy"]) for k in range(5)]
        gauss = np.sum(p * D[0](g[:, 0]) * D[0](g[:, 1]))
        first = sum(c * np.sum(p * D[4 - k](g[:, 0]) * D[k](g[:, 1])) for k, c in parts.items())
        rest.append(abs(value - gauss - first))
        # The Gaussian answer alone is wrong by far more than what is left.
        assert abs(value - gauss) > 10 * rest[-1]
    assert rest[1] < rest[0] / 8


@pytest.mark.parametrize("d", [3, 10])
def test_rectifiers_of_directions_are_the_gaussian_kernel_rescaled(d):
    # ReLU is homogeneous: over a sphere or ball E φφ = (E r²/d) E_G φφ, arc-cosine.
    X = np.random.default_rng(5).normal(size=(3, d))
    norms = np.linalg.norm(X, axis=1)
    cosine = np.clip(X @ X.T / np.outer(norms, norms), -1, 1)
    angle = np.arccos(cosine)
    arc = np.outer(norms, norms) * (np.sin(angle) + (np.pi - angle) * cosine) / (2 * np.pi) / d
    for weight, square in ((Sphere(d, 2), 4.0), (Ball(d, 2), 4.0 * d / (d + 2))):
        found = dense(ReLU(), weight, None, d).moments([2], X, {})[2]
        difference = np.abs(found.values.dense - arc * square / d)
        assert np.all(difference <= found.errors.dense + 1e-14)
        assert np.max(found.errors.entries) < 1e-9


def test_dependent_and_independent_fields():
    law = dense(Tanh(), Uniform(-1, 1), None, 6)
    x = np.array([1.0, -0.5, 0.8, 0, 0, 0])
    X = np.array([x, 2 * x, x, np.roll(x, 3), 0 * x])
    found = law.moments([2, 4], X, {})
    nodes, weights = legendre(3, 30)
    u = nodes @ x[:3] / np.sqrt(6)
    h = np.column_stack([np.tanh(u), np.tanh(2 * u)])
    one = weights @ h[:, 0] ** 2
    two = weights @ (h[:, 0] * h[:, 1])
    values, fourth = found[2].values, found[4].values
    assert values[0, 1] == pytest.approx(two, abs=1e-14)
    assert values[0, 2] == pytest.approx(one, abs=1e-14)
    assert values[0, 3] == pytest.approx(0, abs=1e-14)
    assert values[0, 4] == 0
    assert fourth[0, 1, 3, 3] == pytest.approx(two * one, abs=1e-14)
    assert fourth[0, 0, 1, 2] == pytest.approx(weights @ (h[:, 0] ** 3 * h[:, 1]), abs=1e-14)


def test_narrow_features_are_seen():
    # Density of u = (w_1 + w_2 + w_3)/√3 at 1/8, times the area under the spike.
    law = dense("exp(-10**10*(z - 1/8)**2)", Uniform(-1, 1), None, 3)
    value = law.moments([1], np.ones((1, 3)), {})[1]
    s = np.sqrt(3) / 8
    exact = np.sqrt(3) * (3 - s**2) / 8 * np.sqrt(np.pi) * 1e-5
    assert value.values[0] == pytest.approx(exact, abs=1e-13)
    assert abs(value.values[0] - exact) <= value.errors[0] + 1e-13


def test_tails_that_no_density_bounds_are_infinite():
    law = dense("exp(z**2)*tanh(z)", Laplace(0, 1), None, 3)
    with pytest.raises(InfiniteMomentError, match="grows slower"):
        law.moments([2], np.ones((1, 3)), {})
    # E e^{2|u|} is finite for small weights only.
    near = dense("max(exp(z), 1)", Laplace(0, sp.Rational(1, 10)), None, 3)
    u = near.moments([1], np.ones((1, 3)), {})[1]
    z = sp.Rational(1, 10) / sp.sqrt(3)
    generating = mp.mpf(1) / (1 - mp.mpf(float(z)) ** 2) ** 3
    # E max(e^u, 1) - 1 = E (e^u - 1)_+, and E e^u = 1 + E(e^u - 1)_+ - E(1 - e^u)_+.
    other = dense("min(exp(z), 1)", Laplace(0, sp.Rational(1, 10)), None, 3)
    v = other.moments([1], np.ones((1, 3)), {})[1]
    assert u.values[0] + v.values[0] == pytest.approx(float(generating) + 1, abs=1e-10)
    with pytest.raises((InfiniteMomentError, AccuracyError)):
        dense("max(exp(z), 1)", Laplace(0, 2), None, 3).moments([2], np.ones((1, 3)), {})


def test_more_fields_than_four_are_refused():
    X = np.random.default_rng(6).normal(size=(5, 6))
    law = dense(Tanh(), Uniform(-1, 1), None, 6)
    fields = FieldMoments(neuron=law.field, inputs=law.inputs, groups=law.groups, X=X)
    with pytest.raises(AccuracyError, match="at most 4 fields"):
        fields._entry((0, 1, 2, 3, 4))


def test_affine_neurons_are_recognised():
    a, b, v, w, x = sp.symbols("a b v w x_1", real=True)
    h = (w * x + b) * (1 + sp.erf((w * x + b) / sp.sqrt(2)))
    found = AffineNeuron.of(h, (w, b))
    (z,) = found.phi.free_symbols
    field = found.slopes[0] * w + found.slopes[1] * b + found.offset
    assert sp.expand(found.phi.xreplace({z: field}) - h, deep=True) == 0
    assert AffineNeuron.of(sp.tanh(w * x + v * b), (w, v, b)) is None
    assert AffineNeuron.of(sp.tanh(w * x) + sp.cos(b), (w, b)) is None
    assert AffineNeuron.of(a * sp.Max(w * x, 0), (a, w)) is None


def test_neurons_of_independent_factors_multiply():
    a, b, u, w, x = sp.symbols("a b u w x_1", real=True)
    uniform = Uniform(-1, 1)
    h = a * sp.tanh(w * x + b) * sp.Max(u * x, 0)
    parameters = {a: Laplace(0, 1), w: uniform, b: uniform, u: Rademacher()}
    law = ParameterLaw.from_neurons(neurons(h, parameters).layers[0])
    X = np.array([[0.5], [-0.8]])
    nodes, weights = legendre(2, 30)
    t = np.tanh(nodes[:, :1] @ X.T + nodes[:, 1:])
    found = law.moments([2], X, {})[2]
    # E a² = 2; the rectified signs of 0.5 and -0.8 never are positive together.
    for index, sign in (((0, 0), 0.125), ((1, 1), 0.32), ((0, 1), 0.0)):
        exact = 2 * sign * (weights @ np.prod(t[:, list(index)], axis=1))
        assert abs(found.values[index] - exact) <= found.errors[index] + 1e-14
    assert law.expression(2).has(sp.Integral)


def test_a_wrong_characteristic_function_is_noticed(monkeypatch):
    """A planted fault: the Gaussian of the same variance in place of the density."""
    X = np.random.default_rng(7).normal(size=(2, 3))
    law = dense(Tanh(), Uniform(-1, 1), None, 3)
    right = law.moments([2], X, {})[2]

    def gaussian(self, slopes, sources):
        field = np.einsum("a,a...->...", slopes[:, 0], sources)
        return np.exp(-self.variance * field**2 / 2)

    monkeypatch.setattr(IndependentEvent, "characteristic", gaussian)
    wrong = law.moments([2], X, {})[2]
    nodes, weights = legendre(3, 30)
    h = np.tanh(nodes @ X.T / np.sqrt(3))
    exact = weights @ (h[:, 0] * h[:, 1])
    assert abs(right.values[0, 1] - exact) <= right.errors[0, 1] + 1e-14
    assert abs(wrong.values[0, 1] - exact) > 1e-4
