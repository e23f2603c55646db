"""The recursion over many points against correlators and high precision."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import mpmath as mp
import numpy as np
import pytest

import nnft_sym as nn
from nnft_sym.correlators import MANY_POINTS
from nnft_sym.expectation.layered import layered_kernels
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.layered_networks import read_layers

NETS = {
    "erf": (nn.Erf(), 0.0, 1.0, 1.0),
    "scaled erf": (nn.Activation.of("1/4 - 3*erf(z/2)"), 0.25, -3.0, 0.5),
    "relu": (nn.ReLU(), 0.5, 0.5, None),
    "leaky": (nn.LeakyReLU(0.25), 0.375, 0.625, None),
    "abs": (nn.Abs(), 1.0, 0.0, None),
}
DEPTH = 5


def precise(name, K, weight, bias):
    """Kernel and tangent kernel of one pair with 40 digits, in the arc cosine form."""
    _, first, second, slope = NETS[name]
    with mp.workdps(40):
        a, b, c = (mp.mpf(float(x)) for x in (K[0, 0], K[0, 1], K[1, 1]))
        weight, bias, pi = mp.mpf(weight), mp.mpf(bias), mp.pi
        theta = [a, b, c]

        def erf_pair(x, y, z):
            q = 2 * slope**2 * z / mp.sqrt((1 + 2 * slope**2 * x) * (1 + 2 * slope**2 * y))
            root = mp.sqrt((1 + 2 * slope**2 * x) * (1 + 2 * slope**2 * y) - 4 * slope**4 * z * z)
            square = first**2 + second**2 * (1 - 2 / pi * mp.acos(q))
            return square, second**2 * 4 * slope**2 / (pi * root)

        def linear_pair(x, y, z):
            up, down = mp.mpf(first) + second, mp.mpf(second) - first
            q = min(max(z / mp.sqrt(x * y), mp.mpf(-1)), mp.mpf(1))
            angle = mp.acos(q)
            same = (mp.sin(angle) + (pi - angle) * q) / (2 * pi) * mp.sqrt(x * y)
            other = (mp.sin(angle) - angle * q) / (2 * pi) * mp.sqrt(x * y)
            square = (up**2 + down**2) * same - 2 * up * down * other
            return square, ((up**2 + down**2) * (pi - angle) + 2 * up * down * angle) / (2 * pi)

        pair = linear_pair if slope is None else erf_pair
        for _ in range(DEPTH):
            found = [pair(a, a, a), pair(a, c, b), pair(c, c, c)]
            a, b, c = (bias + weight * square for square, _ in found)
            theta = [
                k + weight * t * step
                for k, t, (_, step) in zip((a, b, c), theta, found, strict=True)
            ]
        return float(b), float(theta[1])


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(("weight", "bias"), [(1.7, 0.1), (3.0, 0.0)])
def test_against_high_precision(name, weight, bias):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 3))
    # Equal, almost equal, almost opposite and collinear points.
    X[1:5] = X[0], X[0] + 1e-7, -X[0] + 1e-5, 3 * X[0]
    first = 0.2 + X @ X.T
    deep = layered_kernels(NETS[name][0], first, [weight] * DEPTH, [bias] * DEPTH)
    scale = np.sqrt(np.outer(np.diag(deep.tangent), np.diag(deep.tangent)))
    for a, b in [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (2, 3), (5, 17), (8, 29), (29, 8)]:
        kernel, tangent = precise(name, first[np.ix_([a, b], [a, b])], weight, bias)
        assert abs(deep.kernel[a, b] - kernel) <= deep.kernel_error * scale[a, b]
        assert abs(deep.tangent[a, b] - tangent) <= deep.tangent_error * scale[a, b]
    assert deep.kernel_error < 1e-13
    assert deep.tangent_error < (1e-5 if NETS[name][3] is None else 1e-9)
    assert np.array_equal(deep.kernel, deep.kernel.T)
    assert np.array_equal(deep.tangent, deep.tangent.T)


@pytest.mark.parametrize("name", NETS)
def test_against_correlators(name):
    X = np.random.default_rng(1).normal(size=(60, 4))
    deep = layered_kernels(
        NETS[name][0], 0.09 + 1.44 * X @ X.T / 4, [1.44] * 3, [0.09] * 3, tangent=False
    )
    exact = nn.kernel(nn.mlp(NETS[name][0], depth=3)).tensor(X, sigma_w=1.2, sigma_b=0.3)
    np.testing.assert_allclose(deep.kernel, exact, atol=1e-13 * np.max(exact))
    assert deep.tangent is None


def test_threads_change_nothing():
    X = np.random.default_rng(1).normal(size=(300, 4))
    arguments = nn.ReLU(), X @ X.T, [2.0] * 4, [0.1] * 4
    with ThreadPoolExecutor(2) as threads:
        together = layered_kernels(*arguments, executor=threads)
    alone = layered_kernels(*arguments)
    assert np.array_equal(together.kernel, alone.kernel)
    assert np.array_equal(together.tangent, alone.tangent)


def test_points_of_zero_variance():
    K = np.array([[0.0, 0.0], [0.0, 2.0]])
    deep = layered_kernels(nn.ReLU(), K, [2.0, 2.0], [0.0, 0.0])
    assert deep.kernel.tolist() == [[0.0, 0.0], [0.0, 2.0]]
    assert deep.tangent.tolist() == [[0.0, 0.0], [0.0, 6.0]]


def test_what_cannot_be_is_refused():
    with pytest.raises(NotDerivedError, match="linear on both sides"):
        layered_kernels(nn.Tanh(), np.eye(2), [1.0], [0.0])
    with pytest.raises(NotDerivedError, match="linear on both sides"):
        layered_kernels(nn.Step(), np.eye(2), [1.0], [0.0])
    with pytest.raises(SpecificationError, match="square"):
        layered_kernels(nn.Erf(), np.ones((2, 3)), [1.0], [0.0])
    with pytest.raises(SpecificationError, match="0 layers"):
        layered_kernels(nn.Erf(), np.eye(2), [], [])


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_the_public_kernels_take_the_recursion(name, bias):
    """Identical to the general path within the errors that both state."""
    X = np.random.default_rng(4).normal(size=(MANY_POINTS + 6, 3))
    X[1], X[2] = X[0], -2 * X[3]
    net = nn.mlp(NETS[name][0], depth=4)
    values = dict(sigma_w=1.2, sigma_b=bias)
    both = nn.kernel_matrices(net, X, **values)
    scale = np.sqrt(np.outer(np.diag(both.tangent), np.diag(both.tangent)))
    general = nn.kernel(net).evaluate(X, **values), nn.ntk(net).evaluate(X, **values)
    found = (both.kernel, both.kernel_error), (both.tangent, both.tangent_error)
    for (matrix, error), other in zip(found, general, strict=True):
        allowed = error * scale + other.errors.dense
        assert np.all(np.abs(matrix - other.dense) <= allowed)
    assert np.array_equal(nn.kernel(net).tensor(X, **values), both.kernel)
    assert np.array_equal(nn.ntk(net).tensor(X, **values), both.tangent)
    few = nn.kernel(net).tensor(X[:4], **values)
    np.testing.assert_allclose(few, both.kernel[:4, :4], atol=1e-13 * np.max(few))


def test_what_the_recursion_is_not_for():
    """Other parametrisations, mixed layers, biases of other densities, one layer, other φ."""
    deep = nn.mlp(nn.ReLU(), depth=2)
    assert read_layers(nn.kernel(deep).terms[0].function) is not None
    assert read_layers(nn.ntk(deep).terms[0].function) is not None
    others = [
        nn.ntk(deep, parametrisation="standard"),
        nn.kernel(nn.mlp(nn.Erf(), depth=2, bias=nn.Uniform(-1, 1))),
        nn.kernel(nn.relu_net()),
        nn.kernel(nn.mlp(nn.Tanh(), depth=2)),
        nn.kernel(deep).diff("sigma_w"),
    ]
    assert all(read_layers(other.terms[0].function) is None for other in others)
    # A readout with scales of its own: Θ and K weigh it alike, whatever it is.
    readout = nn.mlp(nn.Erf(), depth=2, readout=nn.Gaussian(0, "s"), output_bias=None)
    X = np.random.default_rng(0).normal(size=(5, 2))
    values = dict(sigma_w=1.1, sigma_b=0.2, s=0.7)
    both = nn.kernel_matrices(readout, X, **values)
    np.testing.assert_allclose(
        both.tangent, nn.ntk(readout).evaluate(X, **values).dense, rtol=1e-12
    )
    smooth = nn.kernel_matrices(nn.mlp(nn.Tanh(), depth=2), X, sigma_w=1.1, sigma_b=0.2)
    assert 0 < smooth.tangent_error < 1e-9
    with pytest.raises(SpecificationError, match="one output"):
        nn.kernel_matrices(nn.mlp(nn.ReLU(), depth=2, outputs=2), X, sigma_w=1, sigma_b=1)
    with pytest.raises(nn.InfiniteMomentError):
        nn.kernel_matrices(nn.mlp(nn.ReLU(), depth=30), X, sigma_w=1e20, sigma_b=1)


def test_memory_of_one_pair_of_matrices():
    X = np.random.default_rng(0).normal(size=(700, 5))
    net = nn.mlp(nn.Erf(), depth=3)
    nn.kernel_matrices(net, X[:70], sigma_w=1.1, sigma_b=0.2)
    tracemalloc.start()
    nn.kernel_matrices(net, X, sigma_w=1.1, sigma_b=0.2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.3 * 2 * 8 * 700**2
