"""Runs to a target: where they stop, what they promise, and that nothing but the sums decides."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.estimates import targets
from nnft_num.estimates.estimate import estimate_from_fields
from nnft_num.estimates.targets import hardest
from nnft_num.runs import sampling
from nnft_sym.language.errors import AccuracyError, SpecificationError

X = np.array([0.0, 0.8])
CALL = dict(orders=(2, 4), rng=3, N=1, sigma_w=1.0, sigma_v=1.0, progress=False)


def sampled(**changes):
    return nm.correlators(nn.cos_net(), X, **CALL | {"target": 0.02} | changes)


def same(one, two):
    return np.array_equal(one.moments.table, two.moments.table) and one.orders == two.orders


def relative(estimate, order):
    each = estimate[order]
    return np.max(each.error) / np.max(np.abs(each.mean))


@pytest.fixture(scope="module")
def reference():
    return sampled()


def test_a_run_stops_at_the_first_end_where_the_target_is_reached(reference):
    assert max(relative(reference, order) for order in (2, 4)) <= 0.02
    ends = [2048 * 2**level * quarter // 4 for level in range(12) for quarter in (4, 5, 6, 7)]
    assert reference.networks in ends[1:]
    before = sampled(target=0.2, networks=2048)
    assert before.networks == 2048
    # the error falls as one over the root: no more than a quarter of the networks is wasted
    assert max(relative(reference, order) for order in (2, 4)) > 0.02 * 0.8
    assert 128 <= reference.groups < 256
    assert np.ptp(reference.moments.counts) == 0


@pytest.mark.montecarlo
def test_what_a_target_promises_is_kept():
    # pulls of 40 runs against exact values: false alarm below 1e-4 if the errors are honest
    exact = {k: nn.cumulant(nn.cos_net(), k).tensor(X, N=1, sigma_w=1, sigma_v=1) for k in (2, 4)}
    pulls = []
    for seed in range(40):
        estimate = sampled(rng=seed, target=0.05)
        pulls.append(
            [(exact[k][(0,) * k] - estimate[k].mean[(0,) * k]) / estimate[k].error[(0,) * k]
             for k in (2, 4)]
        )  # fmt: skip
    assert np.abs(np.mean(pulls, axis=0)).max() < 4 / np.sqrt(40)
    assert 0.55 < np.std(pulls) < 1.6


def test_nothing_but_the_sums_decides(reference, monkeypatch, tmp_path):
    with ThreadPoolExecutor(1) as one:
        assert same(sampled(executor=one), reference)
    monkeypatch.setattr(sampling, "_TASK_WORK", 1e5)
    with ThreadPoolExecutor(2) as two:
        assert same(sampled(executor=two), reference)
    assert same(sampled(networks=10**6), reference)
    assert not same(sampled(rng=4), reference)


def test_an_interrupted_run_reaches_its_target_with_the_same_bits(tmp_path, reference):
    path = tmp_path / "run.nc"
    rough = sampled(target=0.1, store=path)
    assert rough.networks < reference.networks
    assert same(sampled(store=path), reference)
    assert same(nm.load(path), reference)
    assert same(sampled(target=0.1, store=path), reference)
    # stopped between two ends, by an error in place of a signal
    later = tmp_path / "later.nc"
    add = sampling.Sums.add
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nnft_num.storage.store._INTERVAL", 0.0)
        patch.setattr(sampling, "_TASK_WORK", 1e4)
        patch.setattr(sampling, "_TASK_SECONDS", 0.0)
        patch.setattr(sampling.Sums, "add", lambda s, *a: 1 / 0 if s.done > 4500 else add(s, *a))
        with pytest.raises(ZeroDivisionError):
            sampled(store=later)
    stopped = nm.load(later).networks
    assert stopped > 0
    assert stopped % 1024
    assert same(sampled(store=later), reference)


def test_runs_of_fixed_length_and_to_a_target_are_different_runs(tmp_path):
    path = tmp_path / "run.nc"
    sampled(target=0.2, store=path)
    with pytest.raises(nm.NNFTError, match="number of networks"):
        sampled(target=None, store=path)


def test_runs_to_a_target_merge(reference):
    more = sampled(first=reference.networks)
    whole = nm.merge(reference, more)
    assert whole.networks == reference.networks + more.networks
    assert relative(whole, 4) < 0.02


def test_a_target_out_of_reach_says_what_would_be_needed(tmp_path, reference):
    path = tmp_path / "run.nc"
    with pytest.raises(AccuracyError, match="networks are needed") as caught:
        sampled(networks=reference.networks - 1, store=path)
    estimate = caught.value.estimate
    assert reference.networks / 1.3 < estimate.networks < reference.networks
    assert same(nm.load(path), estimate)
    needed = float(str(caught.value).partition("about ")[2].partition(" ")[0])
    assert needed == pytest.approx(estimate.networks * (relative(estimate, 4) / 0.02) ** 2, rel=0.5)


def test_a_hopeless_target_is_given_up_early():
    with pytest.raises(AccuracyError) as caught:
        sampled(target=1e-4, networks=40_000)
    assert 5000 <= caught.value.estimate.networks < 8000


def test_an_order_that_vanishes_is_never_known_to_a_relative_error():
    with pytest.raises(AccuracyError, match="an order that vanishes") as caught:
        sampled(orders=(2, 3), networks=10_000)
    assert "G_c(3)" in str(caught.value)


def test_tails_too_heavy_for_an_error_bar_never_reach_a_target():
    with pytest.raises(AccuracyError, match="tails too heavy"):
        nm.correlators(
            nn.gauss_net(), [3.0], (4,), 20_000, 0, target=0.2, N=1, sigma_w=2, sigma_b=1, sigma_v=1
        )


def test_the_hardest_entry_is_the_largest_error_over_its_scale():
    rng = np.random.default_rng(1)
    f = rng.normal(size=(4000, 3)) * [1.0, 5.0, 0.1]
    estimate = estimate_from_fields(f, orders=(1, 2))
    found = hardest(estimate)
    assert found.order == 1
    wide = hardest(estimate_from_fields(f, orders=(2,)))
    assert wide.entry == (1, 1)
    assert wide.relative == pytest.approx(np.sqrt(2 / 4000), rel=0.2)
    assert str(wide) == "G_c(2)[1,1]"
    zero = estimate_from_fields(np.zeros((100, 2)), orders=(2,))
    assert hardest(zero).relative == 0.0


@pytest.mark.parametrize("wrong", [0, -0.1, 0.5, np.nan, np.inf, "1%", True])
def test_impossible_targets_are_refused(wrong):
    with pytest.raises(SpecificationError, match="target"):
        sampled(target=wrong)
    with pytest.raises(SpecificationError, match="2048"):
        sampled(networks=100)


def test_the_bar_shows_error_and_time_left(capsys, monkeypatch):
    looks = []
    asked = targets.Target.__call__

    def watched(self, sums, bar):
        enough = asked(self, sums, bar)
        looks.append((bar.total, bar.postfix))
        return enough

    monkeypatch.setattr(targets.Target, "__call__", watched)
    sampled(progress=True)
    shown = capsys.readouterr().err
    assert "of 0.02 at G_c(4)" in shown
    assert "networks/s" in shown
    assert all(total > 2048 for total, _ in looks[:-1])
