"""Errors of lower layers in deep kernels: claimed bounds against forty digits."""

import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.activations import Z
from nnft_sym.expectation.covariances import LayerCovariance
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.evaluation import numeric_moments
from nnft_sym.expectation.sensitivity import propagated

PAIRS = np.array([[0, 0], [0, 1], [1, 1]])


def true_errors(derive, net, X, values):
    """Errors of the doubles by many digits, and their bounds."""
    doubles = derive(net).evaluate(X, **values)
    many = derive(net).evaluate(X, precision=30, **values)
    difference = [
        abs(float(sp.Rational(float(a)) - sp.Rational(b)))
        for a, b in zip(doubles.values.entries, many.values.entries, strict=True)
    ]
    return np.array(difference), doubles.errors.entries, doubles.values.entries


@pytest.mark.parametrize("derive", [nn.kernel, nn.ntk], ids=["kernel", "tangent"])
@pytest.mark.parametrize(
    ("activation", "sigma_w", "sigma_b"),
    [
        (nn.ReLU(), 2**0.5, 0.0),
        (nn.Erf(), 0.5 * np.pi**0.5, 0.0),
        (nn.Erf(), 3.0, 0.1),
        (nn.GELU(), 1.98305826**0.5, 0.17292239**0.5),
        (nn.Sin(), 1.0, 0.05),
    ],
    ids=["ReLU", "erf", "erf chaotic", "GELU", "sin"],
)
def test_ten_layers_near_criticality(derive, activation, sigma_w, sigma_b):
    X = np.array([[0.4, -1.0], [0.7, 0.3], [0.4 + 1e-9, -1.0]])
    values = dict(sigma_w=sigma_w, sigma_b=sigma_b)
    errors, bounds, entries = true_errors(derive, nn.mlp(activation, depth=10), X, values)
    assert np.all(errors <= bounds)
    limit = 1e-5 if derive is nn.ntk and activation.name == "ReLU" else 1e-8
    assert np.all(bounds <= limit * np.max(np.abs(entries)))


@pytest.mark.parametrize(
    "phi",
    [sp.tanh(Z), sp.Max(Z, 0), sp.erf(3 * Z), sp.sign(Z), sp.Heaviside(Z), Z * sp.tanh(Z)],
    ids=str,
)
@pytest.mark.parametrize("rho", [0.0, 0.9, 1 - 1e-9])
def test_bounds_of_the_change_by_finite_differences(phi, rho):
    K = np.array([[1.3, 0.0], [0.0, 0.6]])
    K[0, 1] = K[1, 0] = rho * np.sqrt(K[0, 0] * K[1, 1])
    rng = np.random.default_rng(2)
    size = 1e-7 if rho < 0.99 else 1e-11

    def moments(matrix):
        return numeric_moments(phi, Gram.from_matrix(matrix), {2: PAIRS}, rtol=1e-12)[2].entries

    base = moments(K)
    largest = np.zeros(3)
    for _ in range(6):
        change = size * rng.choice([-1, 1], size=(2, 2))
        change = np.triu(change) + np.triu(change, 1).T
        largest = np.maximum(largest, np.abs(moments(K + change) - base))
    bound = propagated(phi, Gram.from_matrix(K, errors=np.full((2, 2), size)), PAIRS)
    assert np.all(largest <= bound + 1e-11)
    smooth = not phi.has(sp.sign, sp.Heaviside)
    assert np.all(bound[:2] <= 40 * largest[:2] + (1e-9 if smooth else 1e-4))


def test_without_propagation_the_bounds_are_broken(monkeypatch):
    """The planted fault: errors of lower layers forgotten."""
    original = LayerCovariance.gram_above

    def forgetful(self, moment, values):
        gram = original(self, moment, values)
        return Gram(matrix=gram.matrix, determinants=gram.determinants)

    X = np.array([[0.4, -1.0], [0.7, 0.3], [0.4 + 1e-9, -1.0]])
    arguments = nn.ntk, nn.mlp(nn.ReLU(), depth=10), X, dict(sigma_w=2**0.5, sigma_b=0.0)
    monkeypatch.setattr(LayerCovariance, "gram_above", forgetful)
    errors, bounds, _ = true_errors(*arguments)
    assert np.any(errors > bounds)
