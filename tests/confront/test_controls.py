"""Confrontations that must disagree, must stay unresolved, and must not cry wolf."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy import stats
from scipy.special import stdtr

import nnft_num as nm
import nnft_sym as nn
from nnft_num.confrontation.checking import confront
from nnft_num.front import evaluated
from nnft_sym.correlators import Evaluation
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.tensors import SymmetricTensor

X = np.array([[-0.6], [0.2], [1.0]])
ERF = {"N": 2, "sigma_w": 1.0, "sigma_b": 0.5, "sigma_v": 1.2}


@pytest.fixture(scope="module")
def estimate():
    return nm.correlators(nn.erf_net(), X, (2, 4), networks=200_000, rng=11, params=ERF)


@pytest.fixture(scope="module")
def theory():
    return evaluated(nn.erf_net(), X, (2, 4), ERF)


def confronted(theory, variances, estimate):
    return confront(theory, estimate, variances=variances, width=2)


def changed(evaluation: Evaluation, function) -> Evaluation:
    values = SymmetricTensor.from_function(4, evaluation.values.dimension, function)
    return Evaluation(
        values=values,
        errors=evaluation.errors,
        points=evaluation.points,
        outputs=evaluation.outputs,
        exactness=evaluation.exactness,
    )


def pieces(theory):
    """G_c⁽⁴⁾ = (σ⁴/N)(3 M_abcd - Σ₃ M_ab M_cd), taken apart with σ⁴ M_ab M_cd = G_ab G_cd."""
    second, fourth = theory[2].dense, theory[4].dense

    def pairs(a, b, c, d):
        G = second
        return [G[a, b] * G[c, d], G[a, c] * G[b, d], G[a, d] * G[b, c]]

    def moment(a, b, c, d):
        return (ERF["N"] * fourth[a, b, c, d] + sum(pairs(a, b, c, d))) / 3

    return moment, pairs


def test_right_theory_agrees(theory, estimate):
    assert confronted(*theory, estimate).verdict == "agree"


def test_three_replaced_by_two_disagrees(theory, estimate):
    evaluations, variances = theory
    moment, pairs = pieces(evaluations)
    wrong = changed(evaluations[4], lambda *i: (2 * moment(*i) - sum(pairs(*i))) / ERF["N"])
    report = confronted({2: evaluations[2], 4: wrong}, variances, estimate)
    assert report[2].verdict == "agree"
    assert report[4].verdict == "disagree"
    same = changed(evaluations[4], lambda *i: (3 * moment(*i) - sum(pairs(*i))) / ERF["N"])
    assert confronted({4: same}, variances, estimate).verdict == "agree"


def test_a_missing_pairing_disagrees(theory, estimate):
    evaluations, variances = theory
    moment, pairs = pieces(evaluations)
    wrong = changed(evaluations[4], lambda *i: (3 * moment(*i) - sum(pairs(*i)[:2])) / ERF["N"])
    assert confronted({4: wrong}, variances, estimate).verdict == "disagree"


def test_swapped_scales_disagree(estimate):
    swapped = ERF | {"sigma_w": ERF["sigma_b"], "sigma_b": ERF["sigma_w"]}
    wrong, variances = evaluated(nn.erf_net(), X, (2, 4), swapped)
    report = confronted(wrong, variances, estimate)
    assert report[2].verdict == "disagree"
    assert report[4].verdict == "disagree"


def test_a_wrong_power_of_the_width_disagrees(theory, estimate):
    evaluations, variances = theory
    wrong = changed(evaluations[4], lambda *i: evaluations[4].values[i] * 2**0.5)
    assert confronted({4: wrong}, variances, estimate).verdict == "disagree"


def test_wide_networks_in_a_small_sample_are_unresolved():
    report = nm.check(nn.erf_net(), X, (4,), 2000, 5, params=ERF | {"N": 1000})
    assert report.verdict == "unresolved"
    needed = report.networks_needed
    assert needed > 10**7
    low = np.min(report[4].resolution.entries)
    assert needed == pytest.approx(2000 * (5 / low) ** 2, rel=0.1)
    assert "networks would resolve it" in str(report)


def test_the_number_of_networks_named_resolves():
    params = ERF | {"N": 8}
    small = nm.check(nn.erf_net(), X, (4,), 2000, 5, params=params)
    assert small.verdict == "unresolved"
    enough = nm.check(nn.erf_net(), X, (4,), 2 * small.networks_needed, 6, params=params)
    assert enough.verdict == "agree"


def test_heavy_tails_do_not_disagree():
    """Gauss-net at C_b = 1: a lognormal of the weights, whose high moments no sample shows."""
    params = {"N": 1, "sigma_w": 1.0, "sigma_b": 1.0, "sigma_v": 1.0}
    for seed in range(12):
        report = nm.check(nn.gauss_net(), [-0.01, 0.01], (2, 4, 6), 20_000, seed, params=params)
        assert report.verdict == "unresolved", str(report)
        assert report[4].verdict == report[6].verdict == "unresolved", str(report)
        assert any("heavy tails" in reason for reason in report[6].reasons)


def test_a_sampler_of_zeros_never_agrees():
    zeros = nm.estimate(np.zeros((1000, 3)), orders=(2, 3, 4))
    assert nm.check(nn.erf_net(), X, (2, 4), estimate=zeros, params=ERF).verdict == "unresolved"
    assert nm.check(nn.erf_net(), X, (3,), estimate=zeros, params=ERF).verdict == "unresolved"


def test_odd_orders_are_confirmed_as_zeros():
    report = nm.check(nn.erf_net(), X, (1, 3), 200_000, 1, params=ERF)
    assert report[1].vanishes
    assert report[3].vanishes
    assert report.verdict == "agree", str(report)
    shifted = nn.shallow(nn.ReLU(), readout=nn.Gaussian(0.5, 1))
    params = {name: ERF[name] for name in ("N", "sigma_w", "sigma_b")}
    skewed = nm.sample(shifted, X, 200_000, 1, params=params)
    other = nm.estimate(skewed, orders=(3,))
    assert nm.check(nn.relu_net(), X, (3,), estimate=other, params=ERF).verdict == "disagree"


def test_a_point_where_the_field_vanishes_agrees():
    params = {"N": 2, "sigma_w": 1.0, "sigma_b": 0.0, "sigma_v": 1.0}
    report = nm.check(nn.relu_net(), [0.0, 0.5], (2, 4), 100_000, 2, params=params)
    assert report.verdict == "agree", str(report)
    assert np.isinf(report[2].resolution.entries[0])


def test_several_outputs_agree():
    net = nn.erf_net(outputs=2)
    report = nm.check(net, X[:2], (2, 4), 200_000, 3, params=ERF)
    assert report.verdict == "agree", str(report)
    assert report.entries == comb(5, 2) + comb(7, 4)
    mixed = nn.shallow(nn.Erf(), readout=[nn.Gaussian(0, 1), nn.Uniform(-1, 1)])
    params = {name: ERF[name] for name in ("N", "sigma_w", "sigma_b")}
    assert nm.check(mixed, X[:2], (2, 4), 200_000, 4, params=params).verdict == "agree"


def test_truncated_theory_points_to_the_sweep():
    deep = nn.mlp(nn.ReLU(), depth=2)
    params = {"n_1": 8, "n_2": 8, "sigma_w": 1.0, "sigma_b": 0.1}
    with pytest.raises(NotDerivedError, match=r"nm\.sweep"):
        nm.check(deep, X, (2,), 1000, 0, params=params)
    with pytest.raises(NotDerivedError, match="not derived yet") as raised:
        nm.check(deep, X, (4,), 1000, 0, params=params)
    assert raised.value.__notes__ == ["for order 4 of ReLU network of depth 2"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"orders": (0, 2)}, "orders from 1 to 8"),
        ({"orders": (9,)}, "orders from 1 to 8"),
        ({"orders": ()}, "orders from 1 to 8"),
        ({"route": "luck"}, "a route out of"),
        ({"networks": 3}, "networks"),
        ({"N": 0}, "N"),
        ({"params": {"N": 3}}, "each parameter once"),
        ({"level": 2}, "a level between 0 and 1"),
        ({"X": [[0.0, float("nan")]]}, "finite numbers"),
        ({"sigma_q": 1.0}, "unknown parameter"),
        ({"rng": -1}, "seed of at least 0"),
    ],
)
def test_impossible_checks_are_refused(changes, words):
    given = {"X": X, "networks": 100, "rng": 0, **ERF} | changes
    with pytest.raises(SpecificationError, match=words):
        nm.check(nn.erf_net(), given.pop("X"), **given)


def reports_over_seeds(net, points, orders, networks, seeds, level, params):
    points = net.points(points)
    theory, variances = evaluated(net, points, orders, params)
    for seed in range(seeds):
        sample = nm.correlators(net, points, orders, networks, seed, params=params)
        yield confront(theory, sample, variances=variances, width=params["N"], level=level)


@pytest.mark.montecarlo
def test_false_alarms_are_as_rare_as_stated_and_pulls_follow_their_law():
    """300 seeds at a family-wise level of 5 %, which correlated entries only lower."""
    level, seeds = 0.05, 300
    params = {"N": 2, "sigma_w": 1.0, "sigma_v": 1.0}
    ranks: dict[tuple[int, int], list[float]] = {}
    alarms = 0
    for report in reports_over_seeds(nn.cos_net(), [0.2, 1.0], (2, 4), 4000, seeds, level, params):
        alarms += report.verdict == "disagree"
        for order in report.orders:
            for position, pull in enumerate(order.pull.entries):
                rank = stdtr(report.groups - 1, pull)
                ranks.setdefault((order.order, position), []).append(rank)
    assert stats.binomtest(alarms, seeds, level, alternative="greater").pvalue > 0.001, alarms
    for entry, values in ranks.items():
        assert stats.kstest(values, "uniform").pvalue > 1e-4, entry


@pytest.mark.montecarlo
@pytest.mark.parametrize(
    ("net", "points", "networks", "params"),
    [
        (nn.erf_net(), [-0.6, 1.0], 1000, {"N": 3, "sigma_w": 1.0, "sigma_b": 1.0}),
        (nn.relu_net(), [0.2, 1.2], 5000, {"N": 10, "sigma_w": 1.0, "sigma_b": 0.0}),
        (nn.gauss_net(), [-0.01, 0.01], 1000, {"N": 1, "sigma_w": 1.0, "sigma_b": 0.3}),
    ],
    ids=["erf", "relu", "gauss"],
)
def test_false_alarms_stay_rare_where_errors_are_skewed(net, points, networks, params):
    """Order 6 from few networks: pulls judged by Student's t alone cry wolf in 10 to 30 of 100."""
    level, seeds = 0.01, 100
    params = params | {"sigma_v": 1.0}
    reports = reports_over_seeds(net, points, (2, 4, 6), networks, seeds, level, params)
    alarms = sum(report.verdict == "disagree" for report in reports)
    assert stats.binomtest(alarms, seeds, level, alternative="greater").pvalue > 0.001, alarms


@pytest.mark.montecarlo
@pytest.mark.parametrize(
    ("net", "orders", "networks", "biased"),
    [
        (nn.shallow("heaviside(z-3.5)"), (2, 4), 2000, 0.0),
        (nn.shallow("heaviside(z-3.5)"), (2, 4), 20_000, 0.0),
        (nn.shallow(nn.Sign(), readout=nn.Rademacher()), (2,), 2000, 1.0),
        (nn.shallow(nn.Sign(), readout=nn.Rademacher()), (2, 4), 2000, 1.0),
    ],
    ids=["no event", "few events", "f²=1", "f²=1, order 4"],
)
def test_false_alarms_stay_rare_where_the_jackknife_error_fails(net, orders, networks, biased):
    """Level 1 % over 200 seeds; by the jackknife error alone up to 75 of 100 disagree."""
    level, seeds = 0.01, 200
    params = {"N": 1, "sigma_w": 1.0, "sigma_b": biased}
    params |= {"sigma_v": 1.0} if "sigma_v" in net.parameters else {}
    reports = list(reports_over_seeds(net, [1.0], orders, networks, seeds, level, params))
    alarms = sum(report.verdict == "disagree" for report in reports)
    assert stats.binomtest(alarms, seeds, level, alternative="greater").pvalue > 0.001, alarms
    silent = [r for r in reports if r[2].estimate.entries[0] == 0]
    assert all(r.verdict == "unresolved" and np.isnan(r[2].pull.entries[0]) for r in silent)


@pytest.mark.montecarlo
def test_keys_of_different_seeds_give_independent_reports():
    params = {"N": 2, "sigma_w": 1.0, "sigma_v": 1.0}
    reports = reports_over_seeds(nn.cos_net(), [0.2], (2,), 2000, 200, 0.01, params)
    pulls = np.array([report[2].pull.entries[0] for report in reports])
    neighbours = np.corrcoef(pulls[:-1], pulls[1:])[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(200)
    assert len({float(p) for p in pulls}) == 200
    assert all(a != b for a, b in combinations(pulls[:5], 2))
