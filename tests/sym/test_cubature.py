"""Numerical Gaussian moments against exact results, and their bounds against their errors."""

import time
from itertools import product
from math import prod

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import erf, ndtr

from nnft_sym.expectation.cubature import plane
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.expectation.cubature.moments import gaussian_moments
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError, SpecificationError
from nnft_sym.tensors import multi_indices

PAIR = {2: np.array([[0, 0], [0, 1], [1, 1]])}
RTOL = 1e-10
z = sp.Symbol("z")


def relu(x):
    return np.maximum(x, 0.0)


def angle(K, D):
    return np.arctan2(np.sqrt(D), K)


KERNELS = {
    "relu": (relu, [0.0], lambda K, D, s, u: s / (2 * np.pi) * (
        np.sin(angle(K, D)) + (np.pi - angle(K, D)) * np.cos(angle(K, D)))),
    "step": (lambda x: np.heaviside(x, 0.5), [0.0], lambda K, D, s, u: (
        angle(-K, D) / (2 * np.pi))),
    "sign": (np.sign, [0.0], lambda K, D, s, u: 1 - 2 * angle(K, D) / np.pi),
    "abs": (np.abs, [0.0], lambda K, D, s, u: 2 * s / np.pi * (
        np.sin(angle(K, D)) + (np.pi / 2 - angle(K, D)) * np.cos(angle(K, D)))),
    "erf": (erf, [], lambda K, D, s, u: 2 / np.pi * np.arctan2(2 * K, np.sqrt(1 + 2 * u + 4 * D))),
}  # fmt: skip


def pair(lengths, theta, start=0.0):
    """Two points in two dimensions at a given angle, so that angles of 1e-12 are exact."""
    angles = np.array([start, start + theta])
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return Gram.from_points(np.sqrt(2) * np.array(lengths)[:, None] * directions, 1.0, 0.0)


def check(moments, exact, rtol=RTOL, noise=0.0):
    """The error is below its bound (and rounding of the reference), the bound below rtol."""
    for k, expected in exact.items():
        expected = np.asarray(expected, dtype=float)
        scale = np.max(np.abs(expected))
        error = np.abs(moments[k].entries - expected)
        assert np.all(error <= moments[k].errors + noise * scale), (k, error, moments[k].errors)
        assert np.all(moments[k].errors <= 1.01 * rtol * scale + 1e-300), (k, moments[k].errors)


def check_kernel(name, gram):
    phi, kinks, formula = KERNELS[name]
    d = np.diag(gram.matrix)
    exact = formula(
        gram.matrix, gram.determinants, np.sqrt(np.outer(d, d)), d[:, None] + d[None, :]
    )
    # The closed forms of these kernels cancel near opposite points, to rounding of their scale.
    cancelled = 0.0 if name == "step" else 4e-16
    check(gaussian_moments(phi, kinks, gram, PAIR), {2: exact[tuple(PAIR[2].T)]}, noise=cancelled)


multiples_of_one = st.floats(-3, 3).map(lambda x: round(x, 3)).filter(lambda x: x != 0)
logs = st.floats(-2, 2).map(lambda p: 10.0**p)
thetas = st.one_of(
    st.floats(0, 2 * np.pi),
    st.tuples(st.floats(-12, -1), st.sampled_from([0.0, np.pi])).map(lambda t: t[1] + 10 ** t[0]),
    st.sampled_from([0.0, np.pi]),
)


@pytest.mark.parametrize("name", KERNELS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(lengths=st.tuples(logs, logs), theta=thetas, start=st.floats(0, 6.3))
@example(lengths=(1.0, 1.0), theta=1e-12, start=0.3)
@example(lengths=(1e4, 1e-4), theta=1.1, start=0.3)
@example(lengths=(1.0, 1e-9), theta=np.pi - 1e-6, start=0.3)
def test_kernels_at_any_covariance(name, lengths, theta, start):
    check_kernel(name, pair(lengths, theta, start))


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_over_many_points(name, d):
    """One set of nodes for all pairs in the plane, one for each pair in space."""
    phi, kinks, formula = KERNELS[name]
    for seed in range(3):
        gram = Gram.from_points(np.random.default_rng(seed).normal(size=(12, d)), 1.0, 0.0)
        rows = multi_indices(2, 12)
        K, D = gram.matrix[tuple(rows.T)], gram.determinants[tuple(rows.T)]
        first, second = np.diag(gram.matrix)[rows.T]
        exact = formula(K, D, np.sqrt(first * second), first + second)
        check(gaussian_moments(phi, kinks, gram, {2: rows}), {2: exact}, noise=4e-16)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(multiples_of_one, min_size=1, max_size=4), st.sampled_from(sorted(KERNELS)))
def test_rank_one_against_powers(multiples, name):
    """Without bias in one dimension every homogeneous moment is a moment of one variable."""
    phi, kinks, _ = KERNELS[name]
    gram = Gram.from_points(np.array(multiples)[:, None], 1.0, 0.0)
    rows = multi_indices(4, len(multiples))
    x = np.array(multiples)[rows]
    moments = gaussian_moments(phi, kinks, gram, {4: rows})
    if name == "erf":
        assert np.all(moments[4].errors <= RTOL)
        return
    if name in ("sign", "step"):
        plus = np.prod(phi(x), axis=1) / 2
        exact = plus + np.prod(phi(-x), axis=1) / 2
    else:
        exact = 3 / 2 * (np.prod(phi(x), axis=1) + np.prod(phi(-x), axis=1))
    check(moments, {4: exact})


def test_relu_moments_of_one_line():
    gram = Gram.from_points(np.linspace(0.2, 1.2, 6)[:, None], 1.0, 0.0)
    sets = {k: multi_indices(k, 6) for k in (2, 4, 6)}
    double = {2: 1, 4: 3, 6: 15}
    x = np.linspace(0.2, 1.2, 6)
    exact = {k: double[k] / 2 * np.prod(x[rows], axis=1) for k, rows in sets.items()}
    check(gaussian_moments(relu, [0.0], gram, sets), exact)


def signed_sums(rows, n, signs):
    """Vectors C with C.z = sum of sign z_a, one for each multi-index."""
    C = np.zeros((len(rows), n))
    np.add.at(C, (np.arange(len(rows))[:, None], rows), signs)
    return C


@pytest.mark.parametrize(("d", "bias"), [(1, 0.0), (1, 1.0), (2, 0.0), (3, 0.0)])
def test_sums_of_exponentials(d, bias):
    gram = Gram.from_points(np.random.default_rng(7).normal(size=(4, d)), 1.0, bias)
    K = gram.matrix
    sets = {k: multi_indices(k, 4) for k in (1, 2, 3, 4)}

    def quadratic(C):
        return np.einsum("ua,ab,ub->u", C, K, C)

    cosines = {
        k: sum(
            np.exp(-quadratic(signed_sums(rows, 4, np.array(signs))) / 2)
            for signs in product([1.0, -1.0], repeat=k)
        )
        / 2**k
        for k, rows in sets.items()
    }
    check(gaussian_moments(np.cos, [], gram, sets), cosines)
    exponentials = {k: np.exp(quadratic(signed_sums(r, 4, 1.0)) / 2) for k, r in sets.items()}
    check(gaussian_moments(np.exp, [], gram, sets), exponentials)
    gaussians = {
        k: np.array([np.linalg.det(np.eye(4) + np.diag(2 * c) @ K) ** -0.5 for c in
                     signed_sums(rows, 4, 1.0)])
        for k, rows in sets.items()
    }  # fmt: skip
    check(gaussian_moments(lambda x: np.exp(-(x**2)), [], gram, sets), gaussians)


@pytest.mark.parametrize("forced", ["lattice", "sectors"])
def test_lattice_and_sectors_agree(forced):
    """The two methods of the plane, each against sums of exponentials."""
    gram = Gram.from_points([[-1.0], [0.3], [0.8]], 1.0, 0.6)
    rows = multi_indices(4, 3)
    C = signed_sums(rows, 3, 1.0)
    exact = np.exp(np.einsum("ua,ab,ub->u", C, gram.matrix, C) / 2)
    kinks = [] if forced == "lattice" else [0.2]
    check(gaussian_moments(np.exp, kinks, gram, {4: rows}), {4: exact})


def test_polynomials_against_wick():
    gram = Gram.from_points([[1.0], [-0.4]], 1.0, 0.5)
    K = gram.matrix

    def wick(points):
        if not points:
            return 1.0
        first, rest = points[0], points[1:]
        return sum(K[first, b] * wick(rest[:i] + rest[i + 1 :]) for i, b in enumerate(rest))

    rows = multi_indices(4, 2)
    exact = [wick(tuple(np.repeat(row, 3))) for row in rows]
    check(gaussian_moments(lambda x: x**3, [], gram, {4: rows}), {4: exact})
    single = Gram.from_matrix([[2.0]])
    highest = {8: [2.0**32 * prod(range(1, 64, 2))]}
    check(gaussian_moments(lambda x: x**8, [], single, {8: [[0] * 8]}), highest)


def test_growth_shifts_the_mass():
    gram = Gram.from_matrix([[4.0]])
    sets = {k: [[0] * k] for k in (1, 2, 4, 8)}
    check(gaussian_moments(np.exp, [], gram, sets), {k: [np.exp(2.0 * k * k)] for k in sets})
    plane_gram = Gram.from_matrix([[4.0, 1.0], [1.0, 2.0]])
    kinked = gaussian_moments(lambda x: np.exp(np.abs(x)), [0.0], plane_gram, {4: [[0, 0, 1, 1]]})
    # |2 z_1| + |2 z_2| by the four quadrants: exponentials times bivariate orthants.
    exact = 0.0
    for s in product([1, -1], repeat=2):
        c = 2.0 * np.array(s)
        mean = plane_gram.matrix @ c * s
        flipped = plane_gram.matrix * np.outer(s, s)
        exact += float(np.exp(c @ plane_gram.matrix @ c / 2)) * orthant(mean, flipped)
    check({4: kinked[4]}, {4: [exact]})


def orthant(mean, K):
    """P(both > 0) for a bivariate normal, by one integral over conditional probabilities."""
    spread = np.sqrt(K[1, 1] - K[0, 1] ** 2 / K[0, 0])
    nodes, weights = np.polynomial.legendre.leggauss(200)
    low, high = -mean[0] / np.sqrt(K[0, 0]), 12.0
    low = max(low, -12.0)
    g = low + (high - low) * (nodes + 1) / 2
    conditional = ndtr((mean[1] + K[0, 1] / np.sqrt(K[0, 0]) * g) / spread)
    return float(np.sum(weights * np.exp(-(g**2) / 2) * conditional) * (high - low) / 2
                 / np.sqrt(2 * np.pi))  # fmt: skip


THRESHOLDED = {
    "shifted relu": (lambda x: np.maximum(x - 1, 0), [1.0], lambda x: max(x - 1, mp.mpf(0))),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), [0.0],
            lambda x: x if x > 0 else mp.expm1(x)),
}  # fmt: skip


@pytest.mark.parametrize("name", THRESHOLDED)
@pytest.mark.parametrize("K", [(4.0, -1.9, 1.0)])
def test_thresholded_functions_against_high_precision(name, K):
    phi, kinks, exact_phi = THRESHOLDED[name]
    gram = Gram.from_matrix([[K[0], K[1]], [K[1], K[2]]])
    with mp.workdps(20):
        a = mp.sqrt(K[0])
        b, c = K[1] / a, mp.sqrt(K[2] - mp.mpf(K[1]) ** 2 / K[0])

        def weight(g):
            return mp.exp(-g * g / 2) / mp.sqrt(2 * mp.pi)

        def inner(g):
            cuts = sorted((t - b * g) / c for t in kinks)
            edges = [-9, *(t for t in cuts if -9 < t < 9), 9]
            return mp.quad(lambda h: weight(h) * exact_phi(b * g + c * h), edges, maxdegree=4)

        outer = sorted({-9, -3, 3, 9, *(t / a for t in kinks)})
        value = mp.quad(lambda g: weight(g) * exact_phi(a * g) * inner(g), outer, maxdegree=4)
    moments = gaussian_moments(phi, kinks, gram, {2: [[0, 1]]}, rtol=1e-9)
    assert abs(moments[2].entries[0] - float(value)) < 1e-9 * abs(float(value))


def piecewise_linear(mean, spread, corner):
    """E max(x - corner, 0) for a normal x."""
    if spread == 0:
        return np.maximum(mean - corner, 0)
    u = (mean - corner) / spread
    return spread * (np.exp(-u * u / 2) / np.sqrt(2 * np.pi) + u * ndtr(u))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(lengths=st.tuples(st.floats(0.3, 30), st.floats(0.3, 30)), theta=thetas)
@example(lengths=(1.0, 1.0), theta=1e-6)
@example(lengths=(1.0, 1.0), theta=np.pi - 1e-9)
@example(lengths=(30.0, 0.3), theta=np.pi / 2 - 1e-3)
def test_hard_tanh_at_any_covariance(lengths, theta):
    """One conditional mean in closed form leaves an integral over a line."""
    gram = pair(lengths, theta, 0.7)
    a = np.sqrt(gram.matrix[0, 0])
    slope = gram.matrix[0, 1] / a
    spread = np.sqrt(gram.determinants[0, 1]) / a
    steps = np.concatenate([[0.0], 10.0 ** np.arange(-14, 1.5, 0.5)])
    around = np.concatenate([steps, -steps])
    cuts = [np.linspace(-14, 14, 57)]
    for t in (-1.0, 1.0):
        cuts.append(t / a + around)
        if slope:
            cuts += [t / slope + around, t / slope + np.arange(-12, 12, 0.5) * spread / abs(slope)]
    edges = np.unique(np.concatenate(cuts))
    edges = edges[np.abs(edges) <= 14]
    nodes, weights = np.polynomial.legendre.leggauss(40)
    g = edges[:-1, None] + np.diff(edges)[:, None] * (nodes + 1) / 2
    w = np.diff(edges)[:, None] * weights / 2 * np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi)
    conditional = piecewise_linear(slope * g, spread, -1) - piecewise_linear(slope * g, spread, 1)
    exact = np.sum(w * np.clip(a * g, -1, 1) * (conditional - 1))
    moments = gaussian_moments(lambda x: np.clip(x, -1, 1), [-1.0, 1.0], gram, PAIR)
    assert abs(moments[2].entries[1] - exact) <= moments[2].errors[1] + 1e-13
    assert np.all(moments[2].errors <= RTOL)


def test_four_point_erf_against_gauss_hermite():
    """The product rule converges for a smooth function, and shares no node with the lattice."""
    gram = Gram.from_points([[-1.0], [-0.2], [0.6], [1.0]], 1.0, 1.0)
    v = gram.features
    g, w = np.polynomial.hermite_e.hermegauss(120)
    x, y = np.meshgrid(g, g, indexing="ij")
    weight = np.outer(w, w) / (2 * np.pi)
    factors = erf(v[:, 0, None, None] * x + v[:, 1, None, None] * y)
    exact = float(np.sum(weight * np.prod(factors, axis=0)))
    moments = gaussian_moments(erf, [], gram, {4: [[0, 1, 2, 3]]})
    assert abs(moments[4].entries[0] - exact) < 1e-10 * abs(exact)


def test_four_point_step_against_orthant_probabilities():
    """In the plane P(all z_a > 0) is an angle: pi minus the largest spread of the directions."""
    gram = Gram.from_points([[-1.0], [-0.2], [0.6], [1.0]], 1.0, 1.0)
    directions = np.arctan2(*gram.features.T[::-1])
    exact = (np.pi - np.ptp(directions)) / (2 * np.pi)
    moments = gaussian_moments(lambda x: 1.0 * (x > 0), [0.0], gram, {4: [[0, 1, 2, 3]]})
    check(moments, {4: [exact]})


@pytest.mark.parametrize("steepness", [30.0, 1e3, 1e6])
def test_steep_smooth_functions(steepness):
    for gram in (pair((1.0, 2.0), 0.7), pair((1.0, 1.0), 1e-4), pair((5.0, 0.01), 2.0)):
        d = np.diag(gram.matrix) * steepness**2
        K, D = gram.matrix * steepness**2, gram.determinants * steepness**4
        exact = 2 / np.pi * np.arctan2(2 * K, np.sqrt(1 + 2 * d[:, None] + 2 * d + 4 * D))
        moments = gaussian_moments(lambda x: erf(steepness * x), [], gram, PAIR)
        check(moments, {2: exact[tuple(PAIR[2].T)]})


@pytest.mark.parametrize("scale", [1e-5, 1e-7, 1e-9])
@pytest.mark.parametrize("theta", [1.1, 1e-3])
def test_kinks_close_to_zero(scale, theta):
    """Bands of kinks narrower than any first sector: seen because the sectors are graded."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    density = np.exp(-((scale * nodes) ** 2) / 2) / np.sqrt(2 * np.pi)
    square = 1 - scale * np.sum(weights * (1 - nodes**2) * density)
    gram = pair((1.0, 1.0), theta, 0.3)
    moments = gaussian_moments(lambda x: np.clip(x / scale, -1, 1), [-scale, scale], gram, PAIR)[2]
    # The last pair is a point with itself, integrated over the same plane.
    assert abs(moments.entries[2] - square) <= moments.errors[2] <= RTOL


@pytest.mark.parametrize("sharpness", [10.0, 1000.0])
def test_narrow_bumps_are_not_stepped_over(sharpness):
    gram = Gram.from_matrix([[1.0, 0.5], [0.5, 1.0]])
    C = gram.matrix + np.eye(2) / (2 * sharpness**2)
    centre = np.array([0.3, 0.3])
    exact = np.exp(-centre @ np.linalg.solve(C, centre) / 2) / (
        2 * sharpness**2 * np.sqrt(np.linalg.det(C))
    )
    moments = gaussian_moments(
        lambda x: np.exp(-((sharpness * (x - 0.3)) ** 2)), [], gram, {2: [[0, 1]]}
    )
    check(moments, {2: [exact]})


def test_smooth_functions_beyond_the_plane():
    gram = Gram.from_points(np.random.default_rng(3).normal(size=(4, 3)), 1.0, 0.0)
    assert gram.rank() == 3
    rows = multi_indices(4, 4)
    moments = gaussian_moments(erf, [], gram, {2: multi_indices(2, 4), 4: rows})
    d = np.diag(gram.matrix)
    exact = 2 / np.pi * np.arcsin(2 * gram.matrix / np.sqrt(np.outer(1 + 2 * d, 1 + 2 * d)))
    check(moments, {2: exact[tuple(multi_indices(2, 4).T)]})
    assert np.max(moments[4].errors) <= RTOL * np.max(moments[4].entries)


def test_kinks_beyond_the_plane_are_refused_by_name():
    gram = Gram.from_points(np.eye(3)[[0, 0, 1, 2]], 1.0, 0.0)
    assert gaussian_moments(relu, [0.0], gram, {3: [[0, 1, 2]]})[3].entries.shape == (1,)
    with pytest.raises(AccuracyError, match=r"effective dimension 3 at the points \[0, 2, 3\]"):
        gaussian_moments(relu, [0.0], gram, {3: [[1, 2, 3]]})


def test_repeated_and_zero_points():
    gram = Gram.from_points([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [-2.0, -4.0]], 1.0, 0.0)
    moments = gaussian_moments(lambda x: relu(x) + 1, [0.0], gram, {2: multi_indices(2, 4)})[2]
    s = np.sqrt(2.5)
    one, rest = 1 + s / np.sqrt(2 * np.pi), s**2 / 2 + 2 * s / np.sqrt(2 * np.pi) + 1
    place = {tuple(row): i for i, row in enumerate(multi_indices(2, 4).tolist())}
    assert moments.entries[place[1, 1]] == pytest.approx(1, rel=1e-14)
    assert moments.entries[place[0, 1]] == pytest.approx(one, rel=1e-12)
    assert moments.entries[place[0, 2]] == moments.entries[place[0, 0]]
    assert moments.entries[place[0, 0]] == pytest.approx(rest, rel=1e-12)
    opposite = 1 + 3 * s / np.sqrt(2 * np.pi)
    assert moments.entries[place[0, 3]] == pytest.approx(opposite, rel=1e-12)


def test_functions_that_depend_on_the_point():
    gram = Gram.from_points([[0.3], [-0.5], [0.3]], 1.0, 0.1)
    own = np.diag(gram.matrix)
    rows = multi_indices(4, 3)
    moments = gaussian_moments(lambda x, a: np.exp(x - own[a]), [], gram, {4: rows}, per_point=True)
    C = signed_sums(rows, 3, 1.0)
    exact = np.exp(np.einsum("ua,ab,ub->u", C, gram.matrix, C) / 2 - C @ own)
    check(moments, {4: exact})


@pytest.mark.parametrize("K", [0.25, 0.3, 5.0, 1e-8])
def test_infinite_moments_are_not_numbers(K):
    power, variance = (4, K) if K < 1e-3 else (2, K)
    with pytest.raises(InfiniteMomentError):
        gaussian_moments(
            lambda x: np.exp(x**power), [], Gram.from_matrix([[variance]]), {2: [[0, 0]]}
        )


def test_finite_moment_next_to_an_infinite_one():
    moments = gaussian_moments(
        lambda x: np.exp(x**2), [], Gram.from_matrix([[0.2]]), {1: [[0]], 2: [[0, 0]]}
    )
    check(moments, {1: [0.6**-0.5], 2: [0.2**-0.5]})


@pytest.mark.parametrize(
    ("phi", "kinks"),
    [
        (lambda x: 1 / x, [0.0]),
        (lambda x: 1 / x, []),
        (lambda x: 1 / (x - 1) ** 2, [1.0]),
        (np.sqrt, [0.0]),
        (np.log, [0.0]),
    ],
)
@pytest.mark.parametrize("K", [[[1.0]], [[1.0, 0.5], [0.5, 1.0]]])
def test_poles_and_domains_give_errors(phi, kinks, K):
    n = len(K)
    with pytest.raises((InfiniteMomentError, AccuracyError)):
        gaussian_moments(phi, kinks, Gram.from_matrix(K), {n: [list(range(n))]})


def test_singularity_that_can_be_integrated():
    moments = gaussian_moments(
        lambda x: np.log(np.abs(x)), [0.0], Gram.from_matrix([[1.0]]), {1: [[0]]}
    )
    check(moments, {1: [-(np.euler_gamma + np.log(2)) / 2]})


@pytest.mark.parametrize(
    ("sets", "options"),
    [
        ({2: [[0, 2]]}, {}),
        ({2: [[0]]}, {}),
        ({2: [[0.5, 0.5]]}, {}),
        ({2: [[0, 0]]}, {"rtol": 1e-16}),
    ],
)
def test_bad_requests(sets, options):
    with pytest.raises(SpecificationError, match="expected"):
        gaussian_moments(np.tanh, [], Gram.from_matrix(np.eye(2)), sets, **options)


@pytest.mark.parametrize("gap", [1e-3, 1e-7, 1e-12])
def test_small_entries_alone_keep_their_digits(gap):
    """Almost opposite points: the moment is tiny, and nothing larger sets the scale."""
    x = np.array([0.6, 0.8])
    gram = Gram.from_points([x, gap * np.array([-0.8, 0.6]) - x], 1.0, 0.0)
    rest = np.arctan2(np.sqrt(gram.determinants[0, 1]), -gram.matrix[0, 1])
    step = gaussian_moments(lambda x: 1.0 * (x > 0), [0.0], gram, {2: [[0, 1]]})
    check(step, {2: [rest / (2 * np.pi)]})
    s = np.sqrt(gram.matrix[0, 0] * gram.matrix[1, 1])
    exact = s / (2 * np.pi) * rest**3 / 3 * (1 - rest**2 / 10)
    found = gaussian_moments(relu, [0.0], gram, {2: [[0, 1]]})[2].entries[0]
    assert found == pytest.approx(exact, rel=1e-9)


def test_symmetry_zeros_are_zeros():
    gram = Gram.from_points([[1.0], [0.5]], 1.0, 0.3)
    for phi, kinks in ((np.sign, [0.0]), (erf, []), (lambda x: np.clip(x, -1, 1), [-1, 1])):
        odd = gaussian_moments(phi, kinks, gram, {3: multi_indices(3, 2)})[3]
        assert np.max(np.abs(odd.entries)) < 1e-14
        assert np.max(odd.errors) < 1e-9


def test_forgotten_sectors_are_noticed(monkeypatch):
    """Without the crossings of kink lines the bound still holds: it is not built on them."""
    monkeypatch.setattr(plane, "_crossings", lambda vectors, *_: np.zeros((len(vectors), 1)))
    gram = pair((1.0, 2.0), 0.7)
    rough = gaussian_moments(lambda x: np.clip(x, -1, 1), [-1.0, 1.0], gram, PAIR)[2]
    monkeypatch.undo()
    fine = gaussian_moments(lambda x: np.clip(x, -1, 1), [-1.0, 1.0], gram, PAIR)[2]
    assert np.all(np.abs(rough.entries - fine.entries) <= rough.errors + fine.errors)


def test_undeclared_kinks_are_not_silent():
    gram = pair((1.0, 2.0), 0.7)
    hidden = gaussian_moments(lambda x: np.maximum(x - 1, 0), [], gram, PAIR)[2]
    told = gaussian_moments(lambda x: np.maximum(x - 1, 0), [1.0], gram, PAIR)[2]
    assert np.all(np.abs(hidden.entries - told.entries) <= hidden.errors + told.errors)


def test_fast_enough():
    """Well below ten times the times aimed at, so that a busy machine does not fail it."""
    published = Gram.from_points(np.array([-1, -0.6, -0.2, 0.2, 0.6, 1])[:, None], 1.0, 1.0)
    sets = {k: multi_indices(k, 6) for k in (2, 4, 6)}
    start = time.perf_counter()
    gaussian_moments(erf, [], published, sets)
    gaussian_moments(relu, [0.0], published, sets)
    space = Gram.from_points(np.random.default_rng(0).normal(size=(20, 3)), 1.0, 0.5)
    gaussian_moments(lambda x: np.clip(x, -1, 1), [-1, 1], space, {2: multi_indices(2, 20)})
    assert time.perf_counter() - start < 30


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (sp.Max(z, 0), (0,)),
        (sp.Max(-1, sp.Min(1, z)), (-1, 1)),
        (sp.Piecewise((z, z > 0), (sp.exp(z) - 1, True)), (0,)),
        (sp.Abs(z**2 - 2), (-np.sqrt(2), np.sqrt(2))),
        (sp.Max(0, 1 - sp.Abs(z)), (-1, 0, 1)),
        (sp.Abs(sp.Abs(z) - 3), (-3, 0, 3)),
        (sp.sign(sp.exp(z) - 1), (0,)),
        (sp.Abs(sp.cos(z) - z), (0.7390851332151607,)),
        (sp.Heaviside(3 * z - 1), (1 / 3,)),
        (z * sp.Max(0, sp.Min(1, z / 6 + sp.Rational(1, 2))), (-3, 3)),
        (1 / z, (0,)),
        (sp.sqrt(z**2 + 1), ()),
        (sp.log(1 + sp.exp(z)), ()),
        (z / (1 + sp.exp(-z)), ()),
        (z * (1 + sp.erf(z / sp.sqrt(2))) / 2, ()),
        (sp.Integer(3), ()),
    ],
)
def test_kinks(expression, expected):
    kinks = find_kinks(expression)
    assert kinks.thresholds == pytest.approx(expected, abs=1e-14)
    assert kinks.is_smooth == (not expected)


def test_touching_roots_do_not_flood():
    assert len(find_kinks(sp.Max(z, sp.exp(z) - 1)).thresholds) <= 1


@pytest.mark.parametrize("expression", [sp.tan(z), sp.gamma(z), z * sp.Symbol("y")])
def test_kinks_refused(expression):
    with pytest.raises(SpecificationError, match="expected"):
        find_kinks(expression)
