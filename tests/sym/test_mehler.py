"""Hermite series of two-point moments: values, bounds of what is left out, and refusals."""

import time

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nnft_sym as nn
from nnft_sym.activations import VARIANCE, Z
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.cubature.moments import gaussian_moments
from nnft_sym.expectation.evaluation import Problem, numeric_moments
from nnft_sym.expectation.evaluators import hermite
from nnft_sym.expectation.mehler import MehlerSeries
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError, SpecificationError

PAIRS = np.array([[0, 0], [0, 1], [1, 1]])
SMOOTH = {
    "tanh": ("tanh(z)", np.tanh),
    "sigmoid": ("sigmoid(z)", lambda z: 1 / (1 + np.exp(-z))),
    "softplus": ("log(1 + exp(z))", lambda z: np.logaddexp(0, z)),
    "SiLU": ("z*sigmoid(z)", lambda z: z / (1 + np.exp(-z))),
    "GELU": ("z*(1 + erf(z/sqrt(2)))/2", None),
}  # fmt: skip


def expression(text):
    return nn.Activation.of(text).expression


def arcsine(K, c=1.0):
    d = np.sqrt(1 + 2 * c**2 * np.diag(K))
    return 2 / np.pi * np.arcsin(2 * c**2 * K / np.outer(d, d))


def series_at(text, K, rtol=1e-11):
    problem = Problem(phi=expression(text), gram=Gram.from_matrix(K), shift=0.0, rtol=rtol)
    return hermite.evaluate(problem, PAIRS)


def check(found, exact, rtol=1e-11, noise=0.0):
    scale = np.max(np.abs(found.entries))
    error = np.abs(found.entries - exact)
    assert np.all(error <= found.errors + noise * scale), (error, found.errors)
    assert np.all(found.errors <= rtol * scale)


correlations = st.one_of(
    st.floats(-1, 1),
    st.tuples(st.sampled_from([-1.0, 1.0]), st.floats(-15, -2)).map(
        lambda t: t[0] * (1 - 10 ** t[1])
    ),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.floats(-6, 2), st.floats(-6, 2), correlations)
@example(0.0, 0.0, 1.0)
@example(2.0, 2.0, -1.0)
@example(2.0, -6.0, 1.0)
def test_error_functions_at_any_covariance(first, second, rho):
    s = np.array([10 ** (first / 2), 10 ** (second / 2)])
    K = np.outer(s, s) * np.array([[1, rho], [rho, 1]])
    exact = arcsine(K)[tuple(PAIRS.T)]
    check(series_at("erf(z)", K), exact, noise=4e-16 * (1 + np.max(s)))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "SiLU"])
def test_other_activations_against_cubature(name):
    text, phi = SMOOTH[name]
    rng = np.random.default_rng(1)
    for scale in (0.1, 1.0, 4.0):
        gram = Gram.from_points(scale * rng.normal(size=(2, 2)), 1.0, 0.1)
        ours = series_at(text, gram.matrix)
        other = gaussian_moments(phi, [], gram, {2: PAIRS}, rtol=1e-12)[2]
        check(ours, other.entries, noise=1e-12)


def test_gelu_against_its_closed_form():
    """E[zΦ(z) wΦ(w)] from the moments of erf by integration by parts, in high precision."""
    for K in ([[1.0, 0.3], [0.3, 0.5]], [[9.0, -2.0], [-2.0, 1.0]]):
        with mp.workdps(20):
            a, b, c = (mp.mpf(x) for x in (K[0][0], K[0][1], K[1][1]))
            s, r = mp.sqrt(a), b / mp.sqrt(a)
            t = mp.sqrt(c - r * r)

            def conditional(m, t=t):
                """E[w Φ(w)] for w of mean m and variance t²."""
                root = mp.sqrt(1 + t * t)
                return m * mp.ncdf(m / root) + t * t / root * mp.npdf(m / root)

            exact = mp.quad(
                lambda g, s=s, r=r: mp.npdf(g) * s * g * mp.ncdf(s * g) * conditional(r * g),
                [-12, -4, -1, 0, 1, 4, 12],
            )
        found = series_at(SMOOTH["GELU"][0], np.array(K))
        error = abs(found.entries[1] - float(exact))
        assert error <= found.errors[1] + 1e-15 * abs(float(exact))


@pytest.mark.parametrize("rho", [0.2, -0.7, 0.95, -0.999, 1.0])
def test_the_bound_of_a_truncated_series(rho):
    """What is left out after N terms is below its bound, and the bound is not idle."""
    K = np.array([4.0, 9.0])
    long = MehlerSeries.of("erf(z)", K, terms=1200)
    pair = np.array([0]), np.array([1]), np.array([rho])
    exact = 2 / np.pi * np.arcsin(2 * 6 * rho / np.sqrt(9.0 * 19.0))
    for terms in (1, 4, 16, 64, 256):
        short = MehlerSeries(
            coefficients=long.coefficients[:terms], norms=long.norms, errors=long.errors
        )
        n = np.arange(terms)
        value = np.sum(short.coefficients[:, 0] * short.coefficients[:, 1] * rho**n)
        bound = short.bound(*pair, terms)[0]
        assert abs(value - exact) <= bound + 1e-13
        if abs(value - exact) > 1e-10:
            assert bound <= 30 * abs(value - exact)
        sums = short.sums(*pair)
        assert abs(sums.entries[0] - exact) <= sums.errors[0]
    np.testing.assert_allclose(long.norms, arcsine(np.diag(K)).diagonal(), rtol=1e-14)


def test_polynomials_are_finite_series():
    series = MehlerSeries.of("z**3 - z", [2.0], terms=12)
    rho = sp.Symbol("rho", real=True)
    expected = sp.Poly(50 * rho + 48 * rho**3, rho)
    found = sp.Poly(series.expression(digits=13), rho)
    for power in (1, 3):
        assert float(found.coeff_monomial(rho**power)) == pytest.approx(
            float(expected.coeff_monomial(rho**power)), rel=1e-12
        )
    assert found.degree() == 3


def test_coefficients_in_high_precision():
    series = MehlerSeries.of("tanh(z)", [2.0], terms=40)
    with mp.workdps(30):
        for n in (1, 5, 31):
            exact = 2 * mp.quad(
                lambda g, n=n: mp.tanh(mp.sqrt(2) * g) * mp.npdf(g)
                * mp.hermite(n, g / mp.sqrt(2)) * mp.mpf(2) ** (-mp.mpf(n) / 2),
                [0, 1, 2, 4, 7, 14],
            ) / mp.sqrt(mp.factorial(n))  # fmt: skip
            assert abs(series.coefficients[n, 0] - float(exact)) <= series.errors[0]
    assert np.max(np.abs(series.coefficients[::2])) <= series.errors[0]


@pytest.mark.parametrize("sharpness", [30.0, 300.0, 3000.0])
@pytest.mark.parametrize("rho", [0.5, 0.9999, -1.0])
def test_steep_functions(sharpness, rho):
    """Where the series is too short the cubature takes over."""
    K = np.array([[1.0, rho], [rho, 1.0]])
    exact = arcsine(K, sharpness)[tuple(PAIRS.T)]
    phi = expression(f"erf({sharpness}*z)")
    found = numeric_moments(phi, Gram.from_matrix(K), {2: PAIRS}, rtol=1e-11)[2]
    check(found, exact, noise=1e-13 * sharpness)


@pytest.mark.parametrize("sharpness", [3.0, 60.0, 300.0])
@pytest.mark.parametrize("centre", [0.3, -1.234, 2.5])
def test_narrow_features_are_seen(sharpness, centre):
    K = np.array([[1.0, 0.5], [0.5, 1.0]])
    C = K + np.eye(2) / (2 * sharpness**2)
    m = np.full(2, centre)
    exact = np.exp(-m @ np.linalg.solve(C, m) / 2) / (2 * sharpness**2 * np.sqrt(np.linalg.det(C)))
    phi = expression(f"exp(-({sharpness}*(z - {centre}))**2)")
    found = numeric_moments(phi, Gram.from_matrix(K), {2: PAIRS}, rtol=1e-11)[2]
    assert abs(found.entries[1] - exact) <= found.errors[1] + 1e-13 * exact


def test_wiggles_between_the_nodes_are_noticed():
    """A small fast wave, which a grid of twice its period does not see."""
    with pytest.raises(AccuracyError):
        MehlerSeries.of("tanh(z) + sin(2000*z)/1000", [1.0], terms=64)


def test_repeated_and_fixed_points():
    gram = Gram.from_points([[1.0], [0.0], [1.0], [-1.0]], 1.0, 0.0)
    rows = np.array([[0, 0], [0, 2], [0, 3], [0, 1], [1, 1]])
    found = numeric_moments(expression("tanh(z) + 1"), gram, {2: rows})[2]
    square = series_at("tanh(z)", np.eye(2)).entries[0]
    exact = np.array([1 + square, 1 + square, 1 - square, 1.0, 1.0])
    check(found, exact)


def test_activations_normalised_by_their_variance():
    K = np.array([[0.8, -0.3], [-0.3, 0.4]])
    problem = Problem(phi=sp.exp(Z - VARIANCE), gram=Gram.from_matrix(K), shift=0.0, rtol=1e-11)
    found = hermite.evaluate(problem, PAIRS)
    d = np.diag(K)
    exact = np.exp(K - (d[:, None] + d) / 2)[tuple(PAIRS.T)]
    check(found, exact, noise=1e-15)


def test_biases_of_other_densities():
    """A point mass shifts the argument; a uniform bias is integrated over it."""
    gram = Gram.from_matrix([[1.0, 0.2], [0.2, 0.5]])
    shifted = numeric_moments(sp.tanh(Z), gram, {2: PAIRS}, shift=0.7)[2]
    other = gaussian_moments(lambda z: np.tanh(z + 0.7), [], gram, {2: PAIRS})[2]
    assert np.all(np.abs(shifted.entries - other.entries) <= shifted.errors + other.errors)


def test_kinks_and_other_orders_are_left_alone():
    gram = Gram.from_matrix(np.eye(2))
    kinked = Problem(phi=sp.Max(Z - 1, 0), gram=gram, shift=0.0, rtol=1e-10)
    assert hermite.evaluate(kinked, PAIRS) is None
    smooth = Problem(phi=sp.tanh(Z), gram=gram, shift=0.0, rtol=1e-10)
    assert hermite.evaluate(smooth, np.array([[0, 1, 1]])) is None


@pytest.mark.parametrize("K", [0.25, 0.3, 5.0])
def test_infinite_moments_are_not_numbers(K):
    with pytest.raises(InfiniteMomentError):
        series_at("exp(z**2)", np.diag([K, K]))
    with pytest.raises(InfiniteMomentError):
        MehlerSeries.of("exp(z**2)", [K])


def test_impossible_requests_are_refused():
    for variances, terms in (([-1.0], 8), ([np.nan], 8), ([1.0], 0)):
        with pytest.raises(SpecificationError, match="variances"):
            MehlerSeries.of("tanh(z)", variances, terms)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_hundred_points_three_layers_deep(name):
    """Against a product rule written here, and fast."""
    X = np.random.default_rng(0).normal(size=(100, 5))
    kernel = nn.kernel(nn.mlp(nn.Activation.of(SMOOTH[name][0]), depth=3))
    values = dict(sigma_w=1.2, sigma_b=0.3)
    kernel.tensor(X[:2], **values)
    start = time.process_time()
    tensor = kernel.tensor(X, **values)
    assert time.process_time() - start < 2.0
    phi = sp.lambdify(Z, expression(SMOOTH[name][0]), modules=["scipy", "numpy"])
    g, w = np.polynomial.hermite_e.hermegauss(150)
    w = w / np.sqrt(2 * np.pi)
    for a, b in ((0, 1), (7, 42), (99, 99)):
        x = X[[a, b]]
        K = 0.09 + 1.44 * x @ x.T / 5
        for _ in range(3):
            s, c = np.sqrt(K[0, 0]), K[0, 1] / np.sqrt(K[0, 0])
            t = np.sqrt(max(K[1, 1] - c * c, 0.0))
            u, v = phi(s * g), phi(c * g[:, None] + t * g)
            first, second = np.sum(w * u * u), np.sum(w * phi(np.sqrt(K[1, 1]) * g) ** 2)
            K = 0.09 + 1.44 * np.array([[first, w * u @ v @ w], [w * u @ v @ w, second]])
        assert abs(tensor[a, b] - K[0, 1]) <= 1e-9 * np.max(tensor)


@pytest.mark.parametrize("K", [1e-4, 1.0, 1e2, 1e4])
@pytest.mark.parametrize("terms", [16, 64, 512])
def test_bounds_at_the_ends_of_the_correlation(K, terms):
    """Against the arcsine in high precision, and close to it: the bound of a smaller tail fails."""
    series = MehlerSeries.of("erf(z)", [K, K], terms)
    rho = np.array([1.0, -1.0, 1 - 1e-12, -(1 - 1e-12), 1 - 1e-6])
    zeros = np.zeros(len(rho), dtype=int)
    found = series.sums(zeros, zeros + 1, rho)
    with mp.workdps(40):
        k = mp.mpf(K)
        exact = [2 / mp.pi * mp.asin(2 * k * mp.mpf(r) / (1 + 2 * k)) for r in rho]
        errors = np.array(
            [float(abs(mp.mpf(v) - e)) for v, e in zip(found.entries, exact, strict=True)]
        )
    assert np.all(errors <= found.errors)
    if K >= 100:
        # The planted fault: a bound that is smaller by a tenth no longer bounds.
        assert np.all(errors > 0.9 * found.errors)
