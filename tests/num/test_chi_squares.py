"""The tensor-level comparison: its level over seeds, its power, and its rank."""

from __future__ import annotations

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.confrontation.chi_squares import chi_square

REPEATS = 1000


def compared(draws, *, shift=0.0, added=0.0, size=1.0):
    count, groups = draws.shape
    mean = draws.mean(axis=1)
    one = np.ones(count)
    return chi_square(
        mean + shift,
        (draws - mean[:, None]) / np.sqrt(groups * (groups - 1)),
        order=2,
        added=added * one,
        freedom=(groups - 1) * one,
        size=size * one,
        known=one > 0,
        level=0.01,
        required=5.0,
    )


@pytest.mark.montecarlo
@pytest.mark.parametrize(("count", "groups", "rank"), [(6, 128, 6), (60, 128, 23), (10, 16, 2)])
def test_level_is_held_for_few_and_many_entries(count, groups, rank):
    rng = np.random.default_rng(count)
    mixing = rng.normal(size=(count, count)) * np.exp(2 * rng.normal(size=count))
    found = [compared(mixing @ rng.normal(size=(count, groups))) for _ in range(REPEATS)]
    p = np.array([one.p_value for one in found])
    assert {one.rank for one in found} == {rank}
    # binomial counts at four standard deviations: false alarms of 1 in 16 000 for each line
    for level in (0.01, 0.1, 0.5):
        assert abs((p < level).mean() - level) < 4 * np.sqrt(level * (1 - level) / REPEATS)


@pytest.mark.montecarlo
def test_the_plain_chi_square_would_not_hold_its_level():
    """Planted: F's law replaced by that of χ², which takes the covariance for known."""
    from scipy.special import chdtrc

    rng = np.random.default_rng(0)
    found = [compared(rng.normal(size=(25, 128))) for _ in range(400)]
    naive = np.mean([chdtrc(one.rank, one.value) < 0.01 for one in found])
    assert naive > 0.05


@pytest.mark.montecarlo
def test_directions_of_the_matrix_that_is_inverted_would_not_hold_it():
    """Planted: the largest directions of S, and then S itself in them."""
    from scipy.special import fdtrc

    rng = np.random.default_rng(0)
    p = []
    for _ in range(200):
        draws = rng.normal(size=(200, 128))
        mean = draws.mean(axis=1)
        groups = (draws - mean[:, None]) / np.sqrt(128 * 127)
        values, vectors = np.linalg.eigh(groups @ groups.T)
        along = vectors[:, -23:].T @ mean
        square = np.sum(along**2 / values[-23:])
        p.append(fdtrc(23, 105, square * 105 / (127 * 23)))
    assert np.mean(np.array(p) < 0.1) < 0.02


def test_a_shift_along_a_quiet_direction_is_seen_where_no_entry_shows_it():
    rng = np.random.default_rng(1)
    common, own = rng.normal(size=(1, 128)), 0.02 * rng.normal(size=(8, 128))
    draws = 1.0 * common + own
    shift = 0.05 * np.array([1, -1, 1, -1, 1, -1, 1, -1])
    errors = draws.std(axis=1, ddof=1) / np.sqrt(128)
    assert np.all(np.abs(draws.mean(axis=1) + shift) / errors < 3.5)
    assert compared(draws).verdict == "agree"
    assert compared(draws, shift=shift).verdict == "disagree"


def test_directions_without_fluctuation_are_not_counted():
    rng = np.random.default_rng(2)
    basis = rng.normal(size=(6, 3))
    assert compared(basis @ rng.normal(size=(3, 128))).rank == 3


def test_nothing_known_is_unresolved():
    none = chi_square(
        np.zeros(2),
        np.zeros((2, 16)),
        order=4,
        added=np.zeros(2),
        freedom=np.ones(2),
        size=np.ones(2),
        known=np.array([False, False]),
        level=0.01,
        required=5.0,
    )
    assert (none.rank, none.entries, none.unknown, str(none.verdict)) == (0, 0, 2, "unresolved")
    assert (
        compared(np.random.default_rng(3).normal(size=(2, 64)), size=1e-6).verdict == "unresolved"
    )


@pytest.mark.montecarlo
def test_level_is_held_by_sampled_networks():
    net, X = nn.cos_net(), [0.0, 0.7, 1.5]
    params = dict(N=2, sigma_w=1.0, sigma_v=1.0)
    p = {2: [], 4: []}
    for seed in range(60):
        found = nm.check(net, X, networks=4000, rng=seed, **params)
        for whole in found.chi_squares:
            p[whole.order].append(whole.p_value)
    for order in p:
        # 60 uniform p-values: more than 15 below 0.1, or 4 below 0.01, happens once in 1000
        small = np.array(p[order])
        assert np.sum(small < 0.1) <= 15
        assert np.sum(small < 0.01) <= 4


def test_all_tensors_of_a_family_share_its_level():
    grid = nm.scan(nn.cos_net(), [0.0, 0.7], networks=1000, rng=0, N=[1, 2], sigma_w=1, sigma_v=1)
    levels = [whole.level for report in grid.reports for whole in report.chi_squares]
    assert len(levels) == 4
    assert sum(levels) == pytest.approx(0.01)


def test_a_wrong_tensor_disagrees_at_the_tensor_level():
    net, X = nn.cos_net(), [0.0, 0.7, 1.5]
    params = dict(N=2, sigma_w=1.0, sigma_v=1.0)
    estimate = nm.correlators(net, X, networks=20_000, rng=0, params=params)
    wrong = nm.check(net, X, estimate=estimate, **(params | {"sigma_w": 1.3}))
    second, fourth = wrong.chi_squares
    assert second.verdict == "disagree"
    # few networks know few directions of order 4: no agreement of the tensor is stated
    assert (fourth.rank < fourth.present, str(fourth.verdict)) == (True, "unresolved")
    assert "p = " in str(wrong)
