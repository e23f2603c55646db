"""Neurons written out in their parameters: theory against sampled networks, and planted faults."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import nnft_num as nm
import nnft_sym as nn
from nnft_num.confrontation.checking import confront
from nnft_num.front import evaluated

X = np.array([[0.6], [-0.4], [1.1]])
w, v, c, x = sp.symbols("w v c x_1", real=True)


def hats(centres: nn.Density) -> nn.Network:
    h = sp.Max(sp.Rational(3, 2) - sp.Abs(x - c), 0)
    return nn.neurons(h, {c: centres}, width=2, readout=nn.Gaussian(0, 1))


def parabolas(slopes: nn.Density) -> nn.Network:
    h = sp.Max(v - w**2 * x, 0)
    return nn.neurons(h, {w: slopes, v: nn.Uniform(-1, 1)}, width=2, readout=nn.Gaussian(0, 1))


@pytest.mark.montecarlo
@pytest.mark.parametrize(
    ("make", "right", "wrong"),
    [
        (hats, nn.Gaussian(0, 1), nn.Laplace(0, 1 / sp.sqrt(2))),
        (parabolas, nn.Uniform(-1, 1), nn.Gaussian(0, 1 / sp.sqrt(3))),
    ],
)
def test_the_right_density_agrees_and_another_of_the_same_variance_does_not(make, right, wrong):
    estimate = nm.correlators(make(right), X, (2, 4), networks=400_000, rng=5)
    for density, verdict in ((right, "agree"), (wrong, "disagree")):
        theory, variances = evaluated(make(density), X, (2, 4), {})
        assert confront(theory, estimate, variances=variances, width=2).verdict == verdict
