"""Trained networks against the theory: kernel regression at infinite width, and what a mean breaks.

At infinite width, for the mean squared error over n examples, gradient descent gives

    f_t(x) = f_0(x) + Θ(x, X) Θ⁻¹ (1 - (1 - ηΘ/n)ᵗ) (Y - f_0(X)),

a Gaussian field with mean and covariance that follow from the derived kernels alone.
"""

from __future__ import annotations

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.given.datasets import fashion_mnist
from nnft_sym.language.errors import SpecificationError

X = np.array([[0.4, -0.9], [1.2, 0.5], [-0.8, 0.3]])
Y = np.array([[0.5], [-0.2], [1.0]])
AT = np.array([[0.1, 0.7], [-1.1, -0.6]])
RATE, TIMES = 0.6, (0, 4, 16, 64)
SCALES = dict(sigma_w=1.2, sigma_b=0.4, sigma_v=1.0)


def limit(time, n=3):
    """Mean (m,) and covariance (m, m) of the field at the points AT."""
    net, points = nn.erf_net(), np.concatenate([X, AT])
    K, theta = nn.kernel(net).tensor(points, **SCALES), nn.ntk(net).tensor(points, **SCALES)
    values, vectors = np.linalg.eigh(theta[:n, :n])
    learnt = (vectors * ((1 - (1 - RATE * values / n) ** time) / values)) @ vectors.T
    pull = theta[n:, :n] @ learnt
    mean = pull @ Y[:, 0]
    kept = np.hstack([-pull, np.eye(len(AT))])
    return mean, kept @ K @ kept.T


@pytest.fixture(scope="module")
def wide():
    return nm.train(
        nn.erf_net(), (X, Y), AT, optimiser=nm.GD(RATE), steps=TIMES[-1], times=TIMES,
        networks=1500, rng=21, N=400, **SCALES,
    )  # fmt: skip


def pulls(trained, time, mean, covariance):
    found = trained.estimate(time, orders=(1, 2))
    first = (found[1].mean - mean) / found[1].error
    second = (found[2].mean - covariance) / found[2].error
    return np.concatenate([first, second[np.triu_indices(len(AT))]])


@pytest.mark.montecarlo
@pytest.mark.parametrize("time", TIMES)
def test_wide_networks_follow_kernel_regression(wide, time):
    """Five pulls below 4 at each time: fails one time in 800; 1/N is a tenth of the errors."""
    assert np.max(np.abs(pulls(wide, time, *limit(time)))) < 4


@pytest.mark.montecarlo
def test_another_time_or_a_narrow_network_is_seen(wide):
    """The planted faults: the law of another time, and corrections of 1/N."""
    assert np.max(np.abs(pulls(wide, 4, *limit(5)))) > 5
    narrow = nm.train(
        nn.erf_net(), (X, Y), AT, optimiser=nm.GD(RATE), steps=16, times=(16,), networks=20_000,
        rng=22, N=2, **SCALES,
    )  # fmt: skip
    assert np.max(np.abs(pulls(narrow, 16, *limit(16)))) > 5


def images():
    try:
        return fashion_mnist(train=1500, test=1000, pool=4)
    except SpecificationError as absent:
        pytest.skip(f"Fashion-MNIST is not here: {absent}")


def peak(grid, accuracies):
    """Where a polynomial of order 4 through accuracies (grid, seeds) peaks; error by jackknife."""
    fine = np.linspace(grid[0] / 2, grid[-1] * 0.8, 301)

    def top(mean):
        return fine[np.argmax(np.polyval(np.polyfit(grid, mean, 4), fine))]

    seeds = accuracies.shape[1]
    left = [top(np.delete(accuracies, seed, axis=1).mean(axis=1)) for seed in range(seeds)]
    return top(accuracies.mean(axis=1)), np.sqrt((seeds - 1) ** 2 / seeds * np.var(left))


@pytest.mark.montecarlo
def test_accuracy_peaks_where_the_one_point_function_meets_the_targets():
    """Readout mean μ on all ten outputs: best where E f is the mean target, 0.1 or 0.9 [MSH21]."""
    train, test = images()
    mean, rest = nn.Gaussian("mu", "sigma_v"), dict(N=64, sigma_w=1.0, sigma_b=1.0, sigma_v=1.0)
    net = nn.shallow(nn.ReLU(), readout=[mean] * 10)
    one_point = nn.cumulant(net, 1).tensor(2 * test.X[:100], outputs=(0,), mu=1.0, **rest)
    grid = np.linspace(-1.5, 2.5, 9)
    found = {}
    for name, expected in (("one_hot", 0.1), ("one_cold", 0.9)):
        accuracies = []
        for level in grid:
            trained = nm.train(
                net, (2 * train.X, getattr(train, name)), 2 * test.X, optimiser=nm.SGD(1.5, 64),
                steps=50, times=(50,), networks=20, rng=5, mu=level / one_point.mean(), **rest,
            )  # fmt: skip
            fields = trained.fields_at(50) * (1 if name == "one_hot" else -1)
            accuracies.append(np.mean(fields.argmax(axis=2) == test.labels, axis=1))
        found[name] = peak(grid, np.array(accuracies))
        value, error = found[name]
        assert error < 0.25
        assert abs(value - expected) < 3.5 * error
    (hot, hot_error), (cold, cold_error) = found["one_hot"], found["one_cold"]
    # the planted fault: either prediction fails for the other targets
    assert cold - hot > 3 * np.hypot(hot_error, cold_error)
