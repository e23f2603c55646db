"""Neurons h(x; θ) written out: generating functions, quadrature over parameters, refusals."""

from __future__ import annotations

from itertools import pairwise, product

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from nnft_sym.architectures import neurons
from nnft_sym.densities import Ball, Gaussian, Laplace, Rademacher, Sphere, Uniform
from nnft_sym.expectation.law import coordinate
from nnft_sym.expectation.parameter_space.law import ParameterLaw
from nnft_sym.expectation.parameter_space.wave_sums import WaveSum
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import (
    AccuracyError,
    InfiniteMomentError,
    NNFTError,
    SpecificationError,
)
from nnft_sym.vectors import dot, inputs, vector

a, b, c, g, p, w, x = sp.symbols("a b c g p w x_1", real=True)
UNIT, PHASE = Uniform(-1, 1), Uniform(-sp.pi, sp.pi)
HALF = sp.Rational(1, 2)
X = np.array([[0.4], [-1.3]])


def law_of(h, densities, inputs=1):
    return ParameterLaw.from_neurons(neurons(h, densities, inputs=inputs).layers[0])


def gauss_legendre(low, high, count=60):
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (high + low + (high - low) * nodes) / 2, weights * (high - low) / 2


def gauss(mean, std, count=80):
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    return mean + std * nodes, weights / np.sqrt(2 * np.pi)


def laplace(mean, scale, count=60):
    nodes, weights = np.polynomial.laguerre.laggauss(count)
    return mean + scale * np.append(-nodes, nodes), np.append(weights, weights) / 2


def uniform(low, high, cuts=()):
    ends = sorted({low, high, *(t for t in cuts if low < t < high)})
    parts = [gauss_legendre(u, v) for u, v in pairwise(ends)]
    nodes, weights = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    return nodes, weights / (high - low)


def tensor(h, *rules):
    """Sum of the values of h over a tensor of rules."""
    grids = np.meshgrid(*(nodes for nodes, _ in rules), indexing="ij")
    weights = np.prod(np.meshgrid(*(p for _, p in rules), indexing="ij"), axis=0)
    return float(np.sum(weights * h(*grids)))


def _product(function, index, parameters):
    return np.prod([function(X[k, 0], *parameters) for k in index], axis=0)


def assert_moments(law, function, rules, orders=(1, 2), tolerance=1e-12):
    found = law.moments(orders, X, {})
    for order in orders:
        for index, value in found[order].values:
            exact = tensor(lambda *t, i=index: _product(function, i, t), *rules)
            error = found[order].errors[index]
            assert abs(value - exact) <= error + tolerance
            assert error <= 1e-10


@pytest.mark.parametrize(
    ("h", "densities", "function", "rules"),
    [
        (
            sp.cos(w * x + b),
            {w: UNIT, b: Uniform(0, 1)},
            lambda x, w, b: np.cos(w * x + b),
            (uniform(-1, 1), uniform(0, 1)),
        ),
        (
            (w**2 - w) * sp.cos(w * x + b),
            {w: Gaussian(HALF, 1), b: Uniform(0, 1)},
            lambda x, w, b: (w**2 - w) * np.cos(w * x + b),
            (gauss(0.5, 1), uniform(0, 1)),
        ),
        (
            b * sp.exp(w * x / 8) * sp.sin(w * x),
            {w: Laplace(0, HALF), b: Laplace(1, 1)},
            lambda x, w, b: b * np.exp(w * x / 8) * np.sin(w * x),
            (laplace(0, 0.5), laplace(1, 1)),
        ),
        (
            sp.exp(-((x - c) ** 2)),
            {c: Gaussian(HALF, 1)},
            lambda x, c: np.exp(-((x - c) ** 2)),
            (gauss(0.5, 1, 150),),
        ),
        (
            sp.exp(-((x - c) ** 2)),
            {c: Uniform(-2, 2)},
            lambda x, c: np.exp(-((x - c) ** 2)),
            (uniform(-2, 2),),
        ),
        (
            sp.tanh(p * x) * sp.cos(w * x + b),
            {p: UNIT, w: UNIT, b: Uniform(0, 1)},
            lambda x, p, w, b: np.tanh(p * x) * np.cos(w * x + b),
            (uniform(-1, 1, (0,)), uniform(-1, 1), uniform(0, 1)),
        ),
        (
            sp.Max(sp.Abs(x - c) - HALF, 0),
            {c: UNIT},
            lambda x, c: np.maximum(np.abs(x - c) - 0.5, 0),
            (uniform(-1, 1, (*(X[:, 0] - 0.5), *(X[:, 0] + 0.5))),),
        ),
        (
            sp.Max(w * x + b, p),
            {w: Rademacher(), b: Rademacher(), p: Rademacher()},
            lambda x, w, b, p: np.maximum(w * x + b, p),
            ((np.array([-1.0, 1.0]), np.array([0.5, 0.5])),) * 3,
        ),
    ],
    ids=["cos", "poly-cos", "exp-sin", "rbf", "rbf-uniform", "tanh-cos", "hat", "signs"],
)
def test_neurons_against_tensor_quadrature(h, densities, function, rules):
    # The tensor of three rules is large: sixty nodes each suffice to rounding.
    assert_moments(law_of(h, densities), function, rules)


def test_amplitudes_inside_the_neuron():
    # E a² = 5/4, and the inner integral over b is a cubic above its threshold.
    law = law_of(a * sp.Max(w * x + b, 0), {a: Gaussian(1, HALF), w: UNIT, b: UNIT})
    found = law.moments([2], X, {})[2]
    t, u = (mp.mpf(float(row[0])) for row in X)

    def inner(q):
        low = max(-1, min(1, max(-q * t, -q * u)))
        powers = [(1 - low**k) / k for k in (1, 2, 3)]
        return (q * q * t * u * powers[0] + q * (t + u) * powers[1] + powers[2]) / 4

    exact = mp.mpf(5) / 4 * mp.quad(inner, [-1, -1 / abs(u), 0, 1 / abs(u), 1])
    assert abs(found.values[0, 1] - exact) <= found.errors[0, 1] < 1e-12


@pytest.mark.parametrize(
    ("density", "generating"),
    [
        (Gaussian(HALF, 2), lambda s: mp.exp(s / 2 + 2 * s**2)),
        (Uniform(-1, 2), lambda s: (mp.exp(2 * s) - mp.exp(-s)) / (3 * s) if s else mp.mpf(1)),
        (Laplace(HALF, sp.Rational(1, 16)), lambda s: mp.exp(s / 2) / (1 - s**2 / 256)),
        (Rademacher(), mp.cosh),
    ],
)
def test_exponential_neurons_by_generating_functions(density, generating):
    law = law_of(sp.exp(w * x), {w: density})
    assert isinstance(law.method, WaveSum)
    points = np.array([[0.5], [-1.25], [-0.5]])
    found = law.moments([1, 2, 4], points, {})
    for order in (1, 2, 4):
        for index, value in found[order].values:
            exact = generating(mp.fsum(points[k, 0] for k in index))
            assert abs(value - exact) <= found[order].errors[index] <= 1e-12 * max(1, abs(exact))
    # The printed kernel gives the same numbers.
    for i, j in product(range(3), repeat=2):
        pair = (coordinate(1, 1), i), (coordinate(2, 1), j)
        rule = {name: sp.Rational(points[k, 0]) for name, k in pair}
        assert float(law.expression(2).subs(rule).doit()) == pytest.approx(
            float(generating(mp.mpf(points[i, 0] + points[j, 0]))), rel=1e-14
        )


@pytest.mark.parametrize("density", [Ball(3, 2), Sphere(3, 2)])
def test_exponential_neurons_of_vectors(density):
    v, z = vector("v", 3), inputs(3)
    law = law_of(sp.exp(dot(v, z)), {v: density}, 3)
    points = np.array([[0.3, -0.2, 0.5], [1.0, 0.1, -0.4]])
    found = law.moments([2], points, {})[2]
    for i, j in ((0, 0), (0, 1), (1, 1)):
        s = 2 * mp.mpf(float(np.linalg.norm(points[i] + points[j])))
        shell = mp.sinh(s) / s
        solid = 3 * (s * mp.cosh(s) - mp.sinh(s)) / s**3
        exact = shell if isinstance(density, Sphere) else solid
        assert abs(found.values[i, j] - exact) <= found.errors[i, j] < 1e-12 * exact


def test_the_edge_of_the_strip_of_convergence():
    law = law_of(sp.exp(w * x), {w: Laplace(0, HALF)})
    for gap in (1e-2, 1e-6, 1e-10, 1e-12):
        t = 2 * (1 - gap)
        found = law.moments([1], np.array([[t]]), {})[1]
        # The point as it is stored, to all digits.
        exact = 1 / (1 - (mp.mpf(t) / 2) ** 2)
        assert abs(found.values[0] - exact) <= found.errors[0] < 1e-2 * exact
    for t in (2.0, -2.0, 2.0 * (1 + 1e-15), 3.0):
        with pytest.raises(InfiniteMomentError, match="finite"):
            law.moments([1], np.array([[t]]), {})
    # Point by point: the diagonal at 1 is infinite and what lies inside the strip is not.
    points = np.array([[0.9], [-0.9]])
    assert law.moments([2], points, {})[2].values[0, 1] == pytest.approx(1, abs=1e-14)
    with pytest.raises(InfiniteMomentError):
        law.moments([2], np.array([[0.4], [1.0]]), {})
    assert str(law.expression(2)) == "1/(1 - (x_1_1 + x_2_1)**2/4)"


def test_polynomials_and_waves_of_independent_parameters_print_closed_kernels():
    net = neurons(b * sp.cos(w * x), {w: Laplace(0, 1), b: Gaussian(0, 2)}, readout=Gaussian(0, 1))
    s, t = coordinate(1, 1), coordinate(2, 1)
    closed = 2 / ((s + t) ** 2 + 1) + 2 / ((s - t) ** 2 + 1)
    assert sp.simplify(kernel(net).expr - closed) == 0


@pytest.mark.parametrize(
    ("h", "density", "error"),
    [
        (sp.log(w) * x, UNIT, SpecificationError),
        (sp.sqrt(w) * x, Gaussian(0, 1), SpecificationError),
        (x / w, UNIT, AccuracyError),
        (x / w, Gaussian(0, 1), AccuracyError),
        (sp.exp(w**2 * x**2), Gaussian(0, 1), InfiniteMomentError),
        (sp.exp(w**2 * x**2), Laplace(0, 1), InfiniteMomentError),
        (x / w, Rademacher(), None),
        (sp.log(w) * x, Uniform(0, 1), None),
    ],
)
def test_bad_neurons_are_refused_with_the_right_error(h, density, error):
    law = law_of(h, {w: density})
    if error is None:
        exact = 1.0 if density == Rademacher() else 2.0
        assert law.moments([2], np.ones((1, 1)), {})[2].values[0, 0] == pytest.approx(exact)
        return
    with pytest.raises(error) as raised:
        law.moments([2], np.array([[0.8], [1.0]]), {})
    assert isinstance(raised.value, NNFTError)


def test_free_symbols_need_numbers():
    net = neurons(sp.tanh(g * w * x), {w: UNIT}, readout=Gaussian(0, 1))
    with pytest.raises(SpecificationError, match="a value for g"):
        kernel(net).evaluate(X)
    with pytest.raises(SpecificationError):
        neurons(sp.tanh(w * x), {w: UNIT, g: UNIT})
