"""Four signs, absolute values, rectifiers and error functions against exact and other numbers."""

import time
from itertools import combinations, permutations

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

import nnft_sym as nn
from nnft_sym.activations import Z
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.evaluation import Problem, numeric_moments
from nnft_sym.expectation.evaluators import error_functions, homogeneous
from nnft_sym.expectation.integral import GaussianExpectation
from nnft_sym.expectation.orthants import absolute_products, sign_products
from nnft_sym.language.errors import AccuracyError
from nnft_sym.tensors import multi_indices

RNG = np.random.default_rng(5)
ALL = np.array([[0, 1, 2, 3]])
KINKED = {
    "relu": nn.ReLU(), "leaky": nn.LeakyReLU(0.3), "abs": nn.Abs(), "step": nn.Step(),
    "sign": nn.Sign(), "jump": nn.Activation.of("where(z > 0, 3, -1)"),
}  # fmt: skip


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def close(values, exact, least=0.0):
    """Errors are below their bounds, and the bounds are at rounding."""
    error = np.abs(values.values - exact)
    assert np.all(error <= values.errors + least), (error, values.errors)
    assert np.all(values.errors < 3e-13)


def two_signs(R):
    return 2 / np.pi * np.arcsin(np.clip(R, -1, 1))


def mixed(R, a, b, c, d):
    """E[z_a z_b |z_c z_d|] by conditioning on z_c and z_d, for R_cd != ±1."""
    block = np.array([[1, R[c, d]], [R[c, d], 1]])
    slopes = R[np.ix_([a, b], [c, d])] @ np.linalg.inv(block)
    left = R[a, b] - slopes[0] @ block @ slopes[1]
    theta = np.arccos(R[c, d])
    # Moments of |z_c z_d|: E|cd|, E c²|cd| = E d²|cd| and E cd|cd|, from the angle.
    s, t = np.sin(theta), np.pi / 2 - theta
    absolute = 2 / np.pi * (s + R[c, d] * t)
    square = 2 / np.pi * (2 * s + R[c, d] ** 2 * s + 3 * R[c, d] * t)
    product = 2 / np.pi * (3 * R[c, d] * s + (1 + 2 * R[c, d] ** 2) * t)
    (p, q), (u, v) = slopes
    return left * absolute + (p * u + q * v) * square + (p * v + q * u) * product


def impossible_pattern(u):
    """Signs that four vectors of rank 3 in general position can never take together."""
    relation = np.linalg.svd(u.T)[2][-1]
    return np.sign(relation)


def rank_three(u):
    """E prod sign and E prod |z| from the vanishing of one orthant and of one rectified product."""
    R = u @ u.T
    signs = impossible_pattern(u)
    pairs = list(combinations(range(4), 2))
    rest = 1 + sum(signs[a] * signs[b] * two_signs(R[a, b]) for a, b in pairs)
    others = [tuple(e for e in range(4) if e not in pair) for pair in pairs]
    wick = R[0, 1] * R[2, 3] + R[0, 2] * R[1, 3] + R[0, 3] * R[1, 2]
    total = sum(
        signs[a] * signs[b] * mixed(R, a, b, c, d)
        for (a, b), (c, d) in zip(pairs, others, strict=True)
    )
    return -np.prod(signs) * rest, -(total + np.prod(signs) * wick)


def one_factor(loadings):
    """E prod sign and E prod |z| of z_a = l_a g + sqrt(1 - l_a²) ξ_a: one integral over g."""
    with mp.workdps(18):
        spreads = [mp.sqrt(1 - mp.mpf(load) ** 2) for load in loadings]

        def weight(g):
            return mp.exp(-g * g / 2) / mp.sqrt(2 * mp.pi)

        both = list(zip(loadings, spreads, strict=True))

        def sign(g):
            return mp.fprod(mp.erf(load * g / s / mp.sqrt(2)) for load, s in both)

        def folded(g):
            return mp.fprod(
                s * mp.sqrt(2 / mp.pi) * mp.exp(-((load * g / s) ** 2) / 2)
                + load * g * mp.erf(load * g / s / mp.sqrt(2))
                for load, s in both
            )

        edges = [-10, -1, 0, 1, 10]
        return [float(mp.quad(lambda g, f=f: weight(g) * f(g), edges)) for f in (sign, folded)]


def test_independent_and_paired_points():
    eye = np.eye(4)
    close(sign_products(eye[None]), 0.0)
    close(absolute_products(eye[None]), 4 / np.pi**2)
    for theta in (0.3, 1.2, 2.9):
        u = np.array([eye[0], np.cos(theta) * eye[0] + np.sin(theta) * eye[1], eye[2], eye[3]])
        close(sign_products(u[None]), 0.0)
        c, s = np.cos(theta), np.sin(theta)
        pair = 2 / np.pi * (s + c * (np.pi / 2 - theta))
        close(absolute_products(u[None]), pair * 2 / np.pi, 1e-15)


def test_equal_and_opposite_points():
    a, b = np.array([1.0, 0.0, 0.0]), np.array([0.6, 0.8, 0.0])
    u = np.array([[a, a, a, a], [a, -a, a, a], [a, a, b, b], [a, b, -a, b], [a, a, a, b]])
    exact_signs = [1, -1, 1, -1, two_signs(0.6)]
    close(sign_products(u), np.array(exact_signs), 1e-15)
    # E z² w² = 1 + 2R² and E |z|³ |w|.
    cubic = 2 / np.pi * (2 * 0.8 + 0.6**2 * 0.8 + 3 * 0.6 * np.arcsin(0.6))
    close(absolute_products(u), np.array([3, 3, 1.72, 1.72, cubic]), 1e-15)


def test_equal_correlations_of_one_half():
    """All four positive with probability 1/5 (order statistics of five variables)."""
    u = np.linalg.cholesky((np.eye(4) + 1) / 2)
    close(sign_products(u[None]), 0.2)


def test_rank_three_against_solid_angles():
    u = unit(RNG.normal(size=(40, 4, 3)))
    exact = np.array([rank_three(v) for v in u])
    close(sign_products(u), exact[:, 0], 1e-14)
    close(absolute_products(u), exact[:, 1], 1e-12)
    tetrahedron = unit(np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1.0]]))
    close(sign_products(tetrahedron[None]), 12 / np.pi * np.arcsin(1 / 3) - 1)


@pytest.mark.parametrize(
    "loadings",
    [(0.5, 0.5, 0.5, 0.5), (0.9, -0.3, 0.7, 0.99), (0.999, 0.9999, -0.99999, 0.5)],
)
def test_rank_four_against_one_factor(loadings):
    noise = np.sqrt(1 - np.array(loadings) ** 2)
    u = np.hstack([np.array(loadings)[:, None], np.diag(noise)])
    signs, absolute = one_factor(loadings)
    close(sign_products(u[None]), signs, 1e-15)
    close(absolute_products(u[None]), absolute, 1e-15)


@pytest.mark.montecarlo
def test_rank_four_against_samples():
    """Six numbers within 4.5 standard errors: false alarms below 1 in 20 000."""
    u = unit(RNG.normal(size=(3, 4, 4)))
    g = np.random.default_rng(1).normal(size=(400_000, 4))
    for method, function in ((sign_products, np.sign), (absolute_products, np.abs)):
        values = method(u).values
        for value, v in zip(values, u, strict=True):
            drawn = np.prod(function(g @ v.T), axis=1)
            assert abs(value - drawn.mean()) < 4.5 * drawn.std() / np.sqrt(len(g))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.floats(-15, -1), st.integers(1, 3))
def test_lower_ranks_are_limits(seed, exponent, rank):
    """Moving vectors by ε moves four signs by at most (8/π)ε, and so does the computed value."""
    rng = np.random.default_rng(seed)
    u = np.zeros((1, 4, 4))
    u[0, :, :rank] = unit(rng.normal(size=(4, rank)))
    step = 10.0**exponent
    moved = unit(u + step * unit(rng.normal(size=(1, 4, 4))))
    angles = 2 * np.arcsin(np.minimum(np.linalg.norm(moved - u, axis=2) / 2, 1))
    for method, slope in ((sign_products, 2 / np.pi), (absolute_products, 4.0)):
        here, there = method(u), method(moved)
        allowed = slope * np.sum(angles) + here.errors + there.errors
        assert abs(here.values - there.values)[0] <= allowed[0]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.floats(-14, 0))
def test_values_do_not_depend_on_order_and_flip_with_signs(seed, exponent):
    rng = np.random.default_rng(seed)
    # Clusters of nearly equal and nearly coplanar vectors.
    base = rng.normal(size=(rng.integers(1, 4), 4))
    u = unit(base[rng.integers(len(base), size=4)] + 10.0**exponent * rng.normal(size=(4, 4)))
    orders = [list(p) for p in permutations(range(4))][::5]
    signs, absolute = sign_products(u[orders]), absolute_products(u[orders])
    assert np.ptp(signs.values) <= 2 * np.max(signs.errors)
    assert np.ptp(absolute.values) <= 2 * np.max(absolute.errors)
    flipped = u * np.array([-1, 1, 1, 1.0])[:, None]
    assert abs(sign_products(flipped[None]).values + signs.values[0]) <= 2 * signs.errors[0]
    assert abs(absolute_products(flipped[None]).values - absolute.values[0]) <= 1e-13


@pytest.mark.parametrize("name", KINKED)
@pytest.mark.parametrize(("d", "bias"), [(1, 0.0), (1, 0.7), (2, 0.0)])
def test_plane_against_cubature(name, d, bias):
    points = np.vstack([np.random.default_rng(3).normal(size=(3, d)), np.zeros((1, d))])
    gram = Gram.from_points(points, 1.3, bias)
    problem = Problem(phi=KINKED[name].expression, gram=gram, shift=0.0, rtol=1e-11)
    for order in (3, 4):
        rows = multi_indices(order, 4)
        if name in ("step", "jump") and not bias:
            rows = rows[np.all(rows != 3, axis=1)]
        ours = homogeneous.evaluate(problem, rows)
        if name == "sign" and order == 3:
            assert np.max(np.abs(ours.entries)) <= 1e-14
            continue
        other = problem.cubature({order: rows})[order]
        assert np.all(np.abs(ours.entries - other.entries) <= ours.errors + other.errors)
        assert np.max(ours.errors) <= 1e-11 * np.max(np.abs(ours.entries))


def test_points_of_zero_variance():
    gram = Gram.from_points([[0.0], [2.0], [-1.0]], 1.0, 0.0)
    step = numeric_moments(sp.Heaviside(Z), gram, {3: np.array([[0, 1, 1], [0, 1, 2]])})[3]
    np.testing.assert_allclose(step.entries, [0.25, 0.0], atol=1e-14)
    jump = numeric_moments(KINKED["jump"].expression, gram, {3: np.array([[0, 1, 1]])})[3]
    np.testing.assert_allclose(jump.entries, [-5.0], rtol=1e-14)
    relu = numeric_moments(sp.Max(Z, 0), gram, {4: np.array([[0, 1, 1, 1], [1, 1, 1, 1]])})[4]
    np.testing.assert_allclose(relu.entries, [0.0, 24.0], rtol=1e-13)


@pytest.mark.parametrize("name", KINKED)
@pytest.mark.parametrize(("d", "bias"), [(3, 0.0), (3, 0.5)])
@pytest.mark.montecarlo
def test_beyond_the_plane_against_samples(name, d, bias):
    """Five entries within 5 standard errors each: false alarms below 1 in 30 000 over all."""
    X = np.random.default_rng(8).normal(size=(5, d))
    gram = Gram.from_points(X, 1.3, bias)
    rng = np.random.default_rng(2)
    z = rng.normal(size=(200_000, gram.features.shape[1])) @ gram.features.T
    phi = sp.lambdify(Z, KINKED[name].expression, modules="numpy")(z)
    for order in (3, 4):
        rows = np.array(list(combinations(range(5), order)))[:5]
        values = numeric_moments(KINKED[name].expression, gram, {order: rows})[order]
        drawn = np.prod(phi[:, rows], axis=2)
        spread = drawn.std(axis=0) / np.sqrt(len(z))
        # Orthants that are empty are zero in both.
        allowed = 5 * spread + values.errors
        assert np.all(np.abs(values.entries - drawn.mean(axis=0)) < allowed)


def erf_by_product_rule(gram, rows, nodes):
    g, w = np.polynomial.hermite_e.hermegauss(nodes)
    v = gram.factor()
    r = v.shape[1]
    grid = np.stack(np.meshgrid(*[g] * r, indexing="ij"), axis=-1).reshape(-1, r)
    weights = np.prod(np.stack(np.meshgrid(*[w] * r, indexing="ij"), -1).reshape(-1, r), axis=1)
    phi = erf(grid @ v.T)
    return np.array([np.sum(weights * np.prod(phi[:, row], axis=1)) for row in rows]) / (
        2 * np.pi
    ) ** (r / 2)


@pytest.mark.parametrize(("d", "bias", "nodes"), [(1, 0.0, 120), (2, 0.3, 90), (3, 0.3, 32)])
def test_error_functions_against_product_rule(d, bias, nodes):
    X = 0.3 * np.random.default_rng(4).normal(size=(4, d))
    gram = Gram.from_points(X, 1.0, bias)
    rows = multi_indices(4, 4)[::5]
    problem = Problem(phi=sp.erf(Z), gram=gram, shift=0.0, rtol=1e-11)
    ours = error_functions.evaluate(problem, rows)
    assert np.max(ours.errors) <= 1e-11 * np.max(np.abs(ours.entries))
    np.testing.assert_allclose(
        ours.entries, erf_by_product_rule(gram, rows, nodes), atol=2e-10 * np.max(ours.entries)
    )


def test_error_functions_against_lattice_and_cubature():
    gram = Gram.from_points(np.random.default_rng(6).normal(size=(4, 3)), 0.3, 0.0)
    for text in ("erf(z)", "1/3 - 2*erf(-z/2)", "erfc(z)"):
        phi = nn.Activation.of(text).expression
        problem = Problem(phi=phi, gram=gram, shift=0.0, rtol=1e-11)
        for order in (3, 4):
            rows = multi_indices(order, 4)[::4]
            ours = numeric_moments(phi, gram, {order: rows}, rtol=1e-11)[order]
            other = problem.cubature({order: rows})[order]
            allowed = ours.errors + other.errors
            assert np.all(np.abs(ours.entries - other.entries) <= allowed)


def test_error_function_of_one_variable_in_high_precision():
    for variance in (1e-4, 0.3, 1e4):
        with mp.workdps(25):
            s = mp.sqrt(variance)
            edges = [0, 2 / s, 8 / s, 14] if variance > 1 else [0, 4, 14]
            exact = 2 * mp.quad(
                lambda g, s=s: mp.erf(s * g) ** 4 * mp.exp(-g * g / 2) / mp.sqrt(2 * mp.pi), edges
            )
        gram = Gram.from_matrix([[variance]])
        found = numeric_moments(sp.erf(Z), gram, {4: np.zeros((1, 4), dtype=int)})[4]
        assert abs(found.entries[0] - float(exact)) <= found.errors[0] + 1e-15 * float(exact)
        assert found.errors[0] <= 1e-10 * found.entries[0]


def test_error_functions_become_signs():
    """At large variance erf is a sign; the difference is below E|erf - sign| of each factor."""
    X = np.random.default_rng(0).normal(size=(4, 3))
    signs = numeric_moments(sp.sign(Z), Gram.from_points(X, 1.0, 0.2), {4: ALL})[4]
    for sharpness in (1e3, 1e6):
        gram = Gram.from_points(X * sharpness, 1.0, 0.2 * sharpness**2)
        values = numeric_moments(sp.erf(Z), gram, {4: ALL})[4]
        # E|erf(s g) - sign g| = (2/π) atan(1/(√2 s)).
        lengths = np.sqrt(np.diag(gram.matrix))
        assert abs(values.entries - signs.entries)[0] <= np.sum(1 / lengths)


def test_rounded_matrices():
    """What a matrix of doubles determines is returned, what it does not is refused."""
    gram = Gram.from_points(np.random.default_rng(9).normal(size=(4, 3)), 1.0, 0.5)
    rounded = Gram.from_matrix(gram.matrix)
    for phi in (sp.Max(Z, 0), sp.sign(Z), sp.erf(Z)):
        ours, again = (numeric_moments(phi, g, {4: ALL})[4] for g in (gram, rounded))
        assert abs(ours.entries - again.entries)[0] <= ours.errors[0] + again.errors[0]
    X = np.random.default_rng(9).normal(size=(4, 3))
    flat = Gram.from_points(X, 1.0, 0.0)
    assert numeric_moments(sp.sign(Z), flat, {4: ALL})[4].errors[0] < 1e-12
    with pytest.raises(AccuracyError, match="dimension 3"):
        numeric_moments(sp.sign(Z), Gram.from_matrix(flat.matrix), {4: ALL})
    relu = numeric_moments(sp.Max(Z, 0), Gram.from_matrix(flat.matrix), {4: ALL})[4]
    exact = numeric_moments(sp.Max(Z, 0), flat, {4: ALL})[4]
    assert abs(relu.entries - exact.entries)[0] <= relu.errors[0] + exact.errors[0]


def test_other_functions_are_left_alone():
    gram = Gram.from_matrix(np.eye(4))
    for text in ("max(z, 0) + 1", "max(z - 1, 0)", "max(z, 0)**2", "tanh(z)", "erf(z + 1)"):
        problem = Problem(phi=nn.Activation.of(text).expression, gram=gram, shift=0.0, rtol=1e-10)
        assert homogeneous.evaluate(problem, ALL) is None
        assert error_functions.evaluate(problem, ALL) is None
    shifted = Problem(phi=sp.Max(Z, 0), gram=gram, shift=0.5, rtol=1e-10)
    assert homogeneous.evaluate(shifted, ALL) is None
    six = np.arange(6)[None, :] % 4
    with pytest.raises(AccuracyError, match="dimension 4"):
        numeric_moments(sp.Max(Z, 0), gram, {6: six})


def test_rectifier_on_a_half_line_is_a_product():
    """d = 1, no bias, x > 0, σ = 1: G_c⁽⁴⁾ = 15 Πx / 4N."""
    x = np.linspace(0.2, 1.2, 5)
    four = nn.cumulant(nn.relu_net(), 4).tensor(
        x[:, None], sigma_w=1.0, sigma_b=0.0, sigma_v=1.0, N=7
    )
    exact = 15 / (4 * 7) * np.einsum("a,b,c,d->abcd", x, x, x, x)
    np.testing.assert_allclose(four, exact, rtol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("bias", [0.0, 0.5])
def test_four_points_over_twenty_are_fast(d, bias):
    X = np.random.default_rng(0).normal(size=(20, d))
    values = dict(sigma_w=1.0, sigma_b=bias, sigma_v=1.0, N=100)
    for net in (nn.relu_net(), nn.erf_net()):
        four = nn.cumulant(net, 4)
        start = time.process_time()
        tensor = four.tensor(X, **values)
        assert time.process_time() - start < 5.0
        assert np.all(np.isfinite(tensor))


def test_symbolic_integrals_use_the_same_numbers():
    K = sp.Matrix(4, 4, lambda a, b: 1 if a == b else sp.Rational(1, 2))
    value = GaussianExpectation(sp.Heaviside(Z), K).evalf()
    assert float(value) == pytest.approx(0.2, abs=1e-13)
