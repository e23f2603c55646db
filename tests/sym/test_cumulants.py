"""Finite-width cumulants against exact special cases and a brute-force expansion."""

import itertools
from functools import partial
from math import prod

import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.combinatorics import moebius, set_partitions

ONE = dict(sigma_w=1.0, sigma_b=0.0, sigma_v=1.0)
ERF_POINTS = np.array([-1, -0.6, -0.2, 0.2, 0.6, 1.0])[:, None]


@pytest.mark.parametrize("N", [1, 3, 100])
def test_relu_on_positive_points(N):
    X = np.array([[0.2], [0.7], [1.2]])
    x = X[:, 0]
    four = np.einsum("a,b,c,d->abcd", x, x, x, x) * 15 / (4 * N)
    six = np.einsum("a,b,c,d,e,f->abcdef", x, x, x, x, x, x) * 165 / (2 * N**2)
    assert np.allclose(nn.cumulant(nn.relu_net(), 4).tensor(X, N=N, **ONE), four, rtol=1e-11)
    assert np.allclose(nn.cumulant(nn.relu_net(), 6).tensor(X, N=N, **ONE), six, rtol=1e-10)


def test_linear_network_has_the_cumulants_of_a_product_of_gaussians():
    """κ_2k of N^{-1/2} sum a z is N^{1-k} (2k-1)! K^k 2^{...}: here by series of its log."""
    t, N = sp.symbols("t N", positive=True)
    log_generating = -N / 2 * sp.log(1 - t**2 / N)
    net = nn.shallow(nn.Identity())
    for order in (2, 4, 6, 8):
        series = sp.series(log_generating, t, 0, order + 1).removeO().coeff(t, order)
        expected = sp.simplify(series * sp.factorial(order))
        values = dict(sigma_w=0.8, sigma_b=0.6, sigma_v=1.3)
        got = nn.cumulant(net, order).tensor([[1.0]], N=7, **values).item()
        scale = (1.3**2) ** (order // 2)
        assert got == pytest.approx(float(expected.subs(N, 7)) * scale, rel=1e-11)


def test_cos_net_formulas():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(4, 2))
    C, N, s = 0.7**2, 9, 1.1
    values = dict(sigma_w=0.7, sigma_v=s, N=N)

    def distance(*signs):
        return np.sum((np.array(signs) @ X) ** 2)

    first = sum(
        np.exp(-C * distance(*signs) / 4)
        for signs in ((1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1))
    )
    second = sum(
        np.exp(-C * (np.sum((X[a] - X[b]) ** 2) + np.sum((X[c] - X[d]) ** 2)) / 4)
        for a, b, c, d in ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2))
    )
    expected = s**4 / (8 * N) * (3 * first - 2 * second)
    four = nn.cumulant(nn.cos_net(), 4).tensor(X, **values)
    assert four[0, 1, 2, 3] == pytest.approx(expected, rel=1e-12)
    six = nn.cumulant(nn.cos_net(), 6)
    assert abs(six.tensor(X[:1], **values).item()) < 1e-15
    coincident = six.formula().subs({m: sp.Rational(1, 2) ** 1 for m in []})
    assert coincident != 0
    moments = {2: sp.Rational(1, 2), 4: sp.Rational(3, 8), 6: sp.Rational(5, 16)}
    exact = six.formula().xreplace(
        {m: moments[len(m.name) - 2] for m in six.formula().free_symbols if m.name.startswith("M_")}
    )
    assert sp.simplify(exact) == 0


def test_gauss_net_is_translation_invariant_at_two_points_only():
    X = np.array([[0.0, 0.3], [0.5, -0.2]])
    values = dict(sigma_w=1.0, sigma_b=0.3, sigma_v=1.0, N=10)
    two, four = nn.kernel(nn.gauss_net()), nn.cumulant(nn.gauss_net(), 4)
    moved = X + np.array([0.4, 0.1])
    K = np.exp(-np.sum((X[0] - X[1]) ** 2) / 4)
    assert two.tensor(X, **values)[0, 1] == pytest.approx(K, rel=1e-14)
    assert np.allclose(two.tensor(X, **values), two.tensor(moved, **values), rtol=1e-13)
    assert not np.allclose(four.tensor(X, **values), four.tensor(moved, **values), rtol=1e-2)
    C = 0.09
    x = np.vstack([X, X])
    pairs = sum(x[i] @ x[j] for i, j in itertools.combinations(range(4), 2))
    M4 = np.exp(4 * C + (pairs - np.sum(x**2) / 2) / 2)
    fourth = nn.cumulant(nn.gauss_net(), 4)
    M = {(0, 1): K, (0, 0): 1.0, (1, 1): 1.0}
    wick = M[0, 0] * M[1, 1] + 2 * M[0, 1] ** 2
    expected = (3 * M4 - wick) / 10
    assert fourth.tensor(X, **values)[0, 1, 0, 1] == pytest.approx(expected, rel=1e-12)


def test_sixth_cumulant_of_the_erf_net_changes_sign():
    six = nn.cumulant(nn.erf_net(), 6)
    values = dict(sigma_w=1.0, sigma_b=1.0, sigma_v=1.0, N=1)
    signs = [np.sign(six.tensor([[x]], **values).item()) for x in (0.3, 0.44, 0.50, 0.8)]
    assert signs == [1, 1, -1, -1] or signs == [-1, -1, 1, 1]


def test_published_erf_inputs_have_exact_zeros():
    K = nn.kernel(nn.erf_net()).tensor(ERF_POINTS, sigma_w=1.0, sigma_b=1.0, sigma_v=1.0)
    assert K[0, -1] == 0.0


def test_uniform_readout_breaks_rotations_of_the_outputs():
    s = 1.2
    edge = float(np.sqrt(3) * s)
    net = nn.shallow(nn.Erf(), readout=nn.Uniform(-edge, edge), outputs=2)
    four = nn.cumulant(net, 4)
    values = dict(sigma_w=1.0, sigma_b=0.5, N=6)
    at = partial(four.tensor, [[0.8]], **values)
    defect = at(outputs=(0, 0, 0, 0)) - 3 * at(outputs=(0, 0, 1, 1))
    one = nn.shallow(nn.Erf(), readout=nn.Gaussian(0, 1), width=1)
    fields = nn.cumulant(one, 4).tensor([[0.8]], sigma_w=1.0, sigma_b=0.5)
    second = nn.kernel(one).tensor([[0.8]], sigma_w=1.0, sigma_b=0.5)
    fourth_moment = (fields.item() + 3 * second.item() ** 2) / 3
    assert defect.item() == pytest.approx(-6 / 5 * fourth_moment * s**4 / 6, rel=1e-10)


def brute_force_cumulant(net, X, outputs, N):
    """Joint cumulant from E prod f, expanded over all assignments of legs to neurons."""
    layer = net.layers[0]
    d = X.shape[1]
    draws = list(itertools.product((-1.0, 1.0), repeat=d + 1))
    phi = sp.lambdify(sp.Symbol("z", real=True), layer.activation.expression, "scipy")
    h = np.array([phi(X @ np.array(w[:d]) / np.sqrt(d) + w[d]) for w in draws])

    def neuron_moment(legs):
        readout = 1.0
        for output in range(net.outputs):
            power = sum(outputs[leg] == output for leg in legs)
            readout *= float(net.readout.weights[output].moment(power))
        points = [leg % len(X) for leg in legs]
        return readout * np.mean(np.prod(h[:, points], axis=1)) if legs else 1.0

    def moment(legs):
        total = 0.0
        for assignment in itertools.product(range(N), repeat=len(legs)):
            groups = [
                [leg for leg, i in zip(legs, assignment, strict=True) if i == n] for n in range(N)
            ]
            total += prod(neuron_moment(group) for group in groups)
        return total / N ** (len(legs) / 2)

    n = len(outputs)
    return sum(
        moebius(len(partition)) * prod(moment(block) for block in partition)
        for partition in set_partitions(n)
    )


READOUTS = {
    "shared asymmetric": dict(readout=nn.Uniform(-1, 2), outputs=2),
    "one per output": dict(readout=[nn.Gaussian(0, 1.5), nn.Laplace(0.5, 1)]),
    "Gaussian": dict(readout=nn.Gaussian(0, 1), outputs=2),
    "Rademacher": dict(readout=nn.Rademacher(), outputs=2),
}


@pytest.mark.parametrize("readout", READOUTS.values(), ids=READOUTS.keys())
@pytest.mark.parametrize("N", [1, 2, 3])
def test_any_readout_and_outputs_against_brute_force(readout, N):
    net = nn.shallow(nn.Tanh(), weight=nn.Rademacher(), bias=nn.Rademacher(), **readout)
    X = np.array([[0.3, -0.5], [1.1, 0.4], [-0.2, 0.9], [0.6, 0.6]])
    for order in (1, 2, 3, 4):
        correlator = nn.cumulant(net, order)
        whole = correlator.tensor(X, N=N)
        for outputs in itertools.product((0, 1), repeat=order):
            expected = brute_force_cumulant(net, X, outputs, N)
            points = tuple(range(order))
            entry = correlator.tensor(X, outputs=outputs, N=N)[points]
            assert entry == pytest.approx(expected, rel=1e-9, abs=1e-12)
            index = tuple(i for pair in zip(points, outputs, strict=True) for i in pair)
            assert whole[index] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_output_bias_adds_its_own_cumulants():
    plain = nn.shallow(nn.Erf(), readout=nn.Gaussian(0, 1), outputs=2)
    biased = nn.shallow(
        nn.Erf(), readout=nn.Gaussian(0, 1), outputs=2, output_bias=nn.Uniform(-1, 2)
    )
    values = dict(sigma_w=1.0, sigma_b=0.5, N=4)
    for order in (1, 2, 3, 4):
        same, mixed = (0,) * order, (1,) * (order - 1) + (0,)
        difference = [
            nn.cumulant(biased, order).tensor([[0.5]], outputs=legs, **values).item()
            - nn.cumulant(plain, order).tensor([[0.5]], outputs=legs, **values).item()
            for legs in (same, mixed)
        ]
        own = float(nn.Uniform(-1, 2).cumulant(order))
        assert difference[0] == pytest.approx(own, abs=1e-12)
        assert difference[1] == pytest.approx(own if order == 1 else 0, abs=1e-12)


def test_each_output_has_its_own_bias():
    biases = [nn.Uniform(-1, 2), nn.Laplace(0, 0.5)]
    net = nn.shallow(nn.Erf(), readout=nn.Gaussian(0, 1), outputs=2, output_bias=biases)
    plain = nn.shallow(nn.Erf(), readout=nn.Gaussian(0, 1), outputs=2)
    values = dict(sigma_w=1.0, sigma_b=0.5, N=4)
    for order in (1, 2, 3, 4):
        for output, bias in enumerate(biases):
            legs = (output,) * order
            difference = (
                nn.cumulant(net, order).tensor([[0.5]], outputs=legs, **values).item()
                - nn.cumulant(plain, order).tensor([[0.5]], outputs=legs, **values).item()
            )
            assert difference == pytest.approx(float(bias.cumulant(order)), abs=1e-12)


def test_kernel_of_a_readout_with_a_mean_includes_the_mean():
    net = nn.shallow(nn.ReLU(), readout=nn.Gaussian(0.5, 1), bias=None)
    X = np.array([[1.0], [2.0]])
    N = 5
    # E ff = E[a²] M_12 + (N - 1) E[a]² M_1 M_2 with M_1 = x/√2π and M_12 = x y/2.
    expected = np.outer(X, X) * (1.25 / 2 + (N - 1) * 0.25 / (2 * np.pi))
    assert np.allclose(nn.kernel(net).tensor(X, sigma_w=1.0, N=N), expected, rtol=1e-12)


def test_orders_up_to_eight_evaluate():
    X = np.array([[0.3], [0.9]])
    for order in range(1, 9):
        tensor = nn.cumulant(nn.erf_net(), order).tensor(
            X, sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=3
        )
        assert tensor.shape == (2,) * order
        assert np.all(tensor == 0) if order % 2 else np.any(tensor != 0)


@pytest.mark.parametrize("order", [0, 9, 2.0, "4", True])
def test_impossible_orders_are_refused(order):
    with pytest.raises(nn.SpecificationError, match="an order from 1 to 8"):
        nn.cumulant(nn.erf_net(), order)


def test_deep_networks_at_finite_width_are_not_derived():
    for order in (1, 2, 3, 4):
        with pytest.raises(nn.NotDerivedError, match="not derived yet"):
            nn.cumulant(nn.mlp(nn.ReLU(), depth=2), order)
