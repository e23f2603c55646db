"""The recursion over many points against correlators and high precision."""

from concurrent.futures import ThreadPoolExecutor

import mpmath as mp
import numpy as np
import pytest

import nnft_sym as nn
from nnft_sym.expectation.layered import layered_kernels
from nnft_sym.language.errors import NotDerivedError, SpecificationError

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
