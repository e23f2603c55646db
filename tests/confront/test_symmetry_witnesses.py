"""Witnesses that symmetries fail, against sampled networks."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import nnft_num as nm
import nnft_sym as nn

NETWORKS = 200_000
# Each of the four comparisons below is beyond 4.5 errors with probability 7e-6 if all is right.
PULL = 4.5


@pytest.mark.montecarlo
@pytest.mark.parametrize(
    ("readout", "fails"), [(nn.Uniform(-1, 1), True), (nn.Gaussian(0, 1), False)]
)
def test_the_defect_of_a_readout_is_that_of_samples(readout, fails):
    """δG_1112 under the rotation of two outputs at one point: G_1111 - 3 G_1122 up to sign."""
    net = nn.shallow(nn.Sign(), readout=readout, outputs=2, width=1)
    f = nm.sample(net, [[1.0]], networks=NETWORKS, rng=7, sigma_w=1.0, sigma_b=0.5)
    one, two = np.asarray(f)[:, 0, 0], np.asarray(f)[:, 0, 1]
    # v = x_1 ∂_2 - x_2 ∂_1 carries f_1^3 f_2 into f_1^3 f_1 - 3 f_1^2 f_2 f_2.
    change = one**4 - 3 * one**2 * two**2
    mean, error = change.mean(), change.std() / NETWORKS**0.5
    found = nn.symmetry(net, nn.SO(2), on="output")
    assert found.holds is not fails
    (defect,) = nn.invariance_defect(net, nn.SO(2), 4, on="output").coincident()
    entry = defect.get((0, 0, 0, 1), sp.Integer(0))
    # M_1111 of a sign is 1.
    derived = abs(float(entry.xreplace({symbol: sp.Integer(1) for symbol in entry.free_symbols})))
    assert abs(abs(mean) - derived) < PULL * error if fails else abs(mean) < PULL * error
    assert (derived > 2 * PULL * error) == fails


@pytest.mark.montecarlo
@pytest.mark.parametrize(
    ("net", "group"),
    [
        (
            nn.shallow(
                nn.Tanh(), weight=nn.Laplace(0, 3), bias=None, readout=nn.Gaussian(0, 1), width=1
            ),
            nn.SO(2),
        ),
        (
            nn.shallow(
                nn.Cos(),
                weight=nn.Gaussian(0, 1),
                bias=nn.Uniform(-1, 1),
                readout=nn.Gaussian(0, 1),
                width=1,
            ),
            nn.Translations(2),
        ),
    ],
    ids=["laplace weights", "phase on [-1, 1]"],
)
def test_witnesses_on_inputs_are_seen_in_samples(net, group):
    witness = nn.symmetry(net, group).witness
    assert witness.order == 2
    X = np.array(witness.points)
    both = np.concatenate([X, witness.generator.element(X)])
    f = np.asarray(nm.sample(net, both, networks=NETWORKS, rng=3)).reshape(NETWORKS, 4)
    change = f[:, 2] * f[:, 3] - f[:, 0] * f[:, 1]
    mean, error = change.mean(), change.std() / NETWORKS**0.5
    assert abs(mean - float(witness.value)) < PULL * error
    assert abs(mean) > 2 * PULL * error
