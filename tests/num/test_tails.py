from __future__ import annotations

import numpy as np
import pytest

from nnft_num.estimates.estimate import estimate_from_fields
from nnft_num.statistics.moments import moments_from_fields
from nnft_num.statistics.tails import HEAVY, effective_freedom, tail_indices


def readout(rng: np.random.Generator, neurons: np.ndarray) -> np.ndarray:
    """Fields of networks with Gaussian readout, one point; neurons (networks, N)."""
    weights = rng.normal(size=neurons.shape)
    return np.sum(weights * neurons, axis=1, keepdims=True) / np.sqrt(neurons.shape[1])


def lognormal(rng, networks, width):
    return readout(rng, np.exp(rng.normal(size=(networks, width)) - 1))


def cosine(rng, networks, width):
    return readout(rng, np.cos(2 * np.pi * rng.random((networks, width))))


def relu(rng, networks, width):
    return readout(rng, np.maximum(0, rng.normal(size=(networks, width))))


def linear(rng, networks, width):
    return readout(rng, rng.normal(size=(networks, width)))


def indices(source, width, networks, seeds=40):
    """Natural logarithms of the tail index over seeds."""
    values = []
    for seed in range(seeds):
        fields = source(np.random.default_rng(seed), networks, width)
        values.append(tail_indices(moments_from_fields(fields, max_order=1))[0])
    return np.log(values)


# False alarms: the logarithm of the index is close to normal over seeds, so three standard
# deviations between its mean and the threshold stand for a rate of about 1e-3.
LIGHT = [
    (cosine, 2, 2_000, 4),
    (cosine, 2, 20_000, 6),
    (linear, 20, 2_000, 4),
    (linear, 8, 20_000, 4),
    (linear, 2, 20_000, 4),
    (relu, 8, 20_000, 4),
    (relu, 2, 2_000, 2),
    (linear, 2, 2_000, 2),
]


@pytest.mark.montecarlo
@pytest.mark.parametrize(("source", "width", "networks", "order"), LIGHT)
def test_light_tails_raise_no_alarm(source, width, networks, order):
    logarithms = indices(source, width, networks)
    margin = logarithms.mean() - np.log(HEAVY * order)
    assert margin > 3 * logarithms.std(ddof=1)


HEAVY_CASES = [(1, 2_000, 4), (1, 20_000, 4), (2, 20_000, 4), (4, 20_000, 6), (10, 20_000, 6)]


@pytest.mark.montecarlo
@pytest.mark.parametrize(("width", "networks", "order"), HEAVY_CASES)
def test_lognormal_fields_are_flagged(width, networks, order):
    logarithms = indices(lognormal, width, networks)
    assert (logarithms < np.log(HEAVY * order)).all()


@pytest.mark.montecarlo
def test_the_flag_comes_with_wrong_error_bars():
    # lognormal neurons: E f^4 = 3 e^4, kappa_4 = 3 e^4 - 3; the claimed errors are far too small
    far = []
    for seed in range(40):
        estimate = estimate_from_fields(
            lognormal(np.random.default_rng(seed), 20_000, 1), orders=(2, 4)
        )
        assert estimate[4].heavy_tailed.entries.all()
        truth = 3 * np.exp(4) - 3
        far.append(abs(truth - estimate[4].mean.item()) > 5 * estimate[4].error.item())
    assert np.mean(far) > 0.15


def test_only_entries_with_a_heavy_field_are_flagged():
    rng = np.random.default_rng(0)
    fields = np.hstack([rng.normal(size=(20_000, 1)), lognormal(rng, 20_000, 1)])
    flags = estimate_from_fields(fields, orders=(4,))[4].heavy_tailed
    assert not flags[0, 0, 0, 0]
    assert flags[0, 0, 0, 1]
    assert flags[1, 1, 1, 1]


def test_freedom_counts_the_groups_that_carry_the_error():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(2000, 128))
    assert 90 < np.median(effective_freedom(normal)) <= 127
    normal[:, 0] = 1e3
    np.testing.assert_allclose(effective_freedom(normal), 2 / (1 - 1 / 128), rtol=1e-3)
    assert effective_freedom(np.zeros((1, 128))).tolist() == [127.0]


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_the_index_does_not_know_units(scale):
    fields = np.random.default_rng(0).normal(size=(5000, 1))
    want = tail_indices(moments_from_fields(fields, max_order=1))
    got = tail_indices(moments_from_fields(fields * scale, max_order=1))
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_fields_without_a_tail_and_samples_too_small_to_tell():
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(5000, 1))
    zeros = np.zeros((5000, 1))
    assert np.isinf(tail_indices(moments_from_fields(np.hstack([signs, zeros]), max_order=1))).all()
    few = np.random.default_rng(0).normal(size=(100, 1))
    assert np.isnan(tail_indices(moments_from_fields(few, max_order=1))).all()
    assert not estimate_from_fields(few, orders=(4,))[4].heavy_tailed.entries.any()
