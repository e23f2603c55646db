"""Networks with weights that are not Gaussian: theory by sources of fields against samples."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import nnft_num as nm
import nnft_sym as nn
from nnft_num.confrontation.checking import confront
from nnft_num.front import evaluated

D = 3
X = np.random.default_rng(1).normal(size=(3, D)) * 1.5
UNIFORM = nn.Uniform(-1, 1)


def network(weight: nn.Density) -> nn.Network:
    return nn.shallow(
        nn.Tanh(), weight=weight, bias=None, readout=nn.Gaussian(0, 1), width=2, inputs=D
    )


@pytest.mark.montecarlo
def test_uniform_weights_agree_and_gaussian_ones_do_not():
    net = network(UNIFORM)
    estimate = nm.correlators(net, X, (2, 4), networks=400_000, rng=3)
    right, variances = evaluated(net, X, (2, 4), {})
    assert confront(right, estimate, variances=variances, width=2).verdict == "agree"
    # The planted faults: the kurtosis dropped, and another variance.
    for wrong in (nn.Gaussian(0, 1 / sp.sqrt(3)), nn.Uniform(-1.05, 1.05)):
        other, variances = evaluated(network(wrong), X, (2, 4), {})
        assert confront(other, estimate, variances=variances, width=2).verdict == "disagree"


@pytest.mark.montecarlo
def test_the_tangent_kernel_of_uniform_weights_is_that_of_samples():
    # Theta = E φφ + E φ'φ' (Var W x·y/d + Var b), with 4 pulls: beyond 4.5 with 3e-5.
    net = nn.shallow(
        nn.Tanh(), weight=UNIFORM, bias=UNIFORM, readout=nn.Gaussian(0, 1), width=4, inputs=D
    )
    theta = nn.ntk(net).tensor(X[:2])
    rng, size = np.random.default_rng(4), 400_000
    z = rng.uniform(-1, 1, (size, D)) @ X[:2].T / np.sqrt(D) + rng.uniform(-1, 1, (size, 1))
    inner = (X[:2] @ X[:2].T / D + 1) / 3
    phi, slope = np.tanh(z), 1 / np.cosh(z) ** 2
    for a in range(2):
        for b in range(2):
            sample = phi[:, a] * phi[:, b] + slope[:, a] * slope[:, b] * inner[a, b]
            assert abs(sample.mean() - theta[a, b]) < 4.5 * sample.std() / size**0.5
