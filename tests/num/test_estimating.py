from __future__ import annotations

import itertools
import pickle
from fractions import Fraction
from math import factorial

import numpy as np
import pytest
from scipy import stats

from nnft_num.estimates import estimate as estimating
from nnft_num.estimates.estimate import Estimate, estimate_from_fields
from nnft_num.routes import find_route
from nnft_num.runs.sampling import sample_moments
from nnft_num.sources.source import Source
from nnft_num.statistics import kstatistics
from nnft_num.statistics.kstatistics import coefficients, k_statistics, partitions
from nnft_num.statistics.moments import moments_from_fields
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import multi_indices
from tests.num.example_plans import OUTPUTS, Plan, data, dense, scalar, uniform

# ---- exact unbiasedness, by enumeration ----------------------------------------------------------

# atoms (values of four correlated, skew variables) with their probabilities
ATOMS = (
    ((2, -1, 1, 3), Fraction(1, 6)),
    ((0, 1, -2, 1), Fraction(1, 3)),
    ((-1, 1, 1, 0), Fraction(1, 2)),
)


def moment(block: int, slots: tuple[int, ...]) -> Fraction:
    total = Fraction(0)
    for values, probability in ATOMS:
        product = probability
        for position, slot in enumerate(slots):
            if block >> position & 1:
                product *= values[slot]
        total += product
    return total


def cumulant(slots: tuple[int, ...]) -> Fraction:
    total = Fraction(0)
    for partition in partitions(len(slots)):
        term = Fraction((-1) ** (len(partition) - 1) * factorial(len(partition) - 1))
        for block in partition:
            term *= moment(block, slots)
        total += term
    return total


def expected_statistic(slots: tuple[int, ...], samples: int, weights: list[Fraction]) -> Fraction:
    """Mean of the statistic over all samples, counted by how often each atom occurs."""
    total = Fraction(0)
    for often in itertools.product(range(samples + 1), repeat=len(ATOMS)):
        if sum(often) != samples:
            continue
        probability = Fraction(factorial(samples))
        for times, (_, p) in zip(often, ATOMS, strict=True):
            probability *= p**times / factorial(times)
        sums = {}
        for block in range(1, 2 ** len(slots)):
            chosen = [slot for position, slot in enumerate(slots) if block >> position & 1]
            sums[block] = sum(
                times * int(np.prod([values[slot] for slot in chosen]))
                for times, (values, _) in zip(often, ATOMS, strict=True)
            )
        for partition, weight in zip(partitions(len(slots)), weights, strict=True):
            term = probability * weight
            for block in partition:
                term *= sums[block]
            total += term
    return total


SLOTS = [(0,), (0, 1), (0, 0, 2), (0, 1, 2, 3), (0, 0, 0, 0), (0, 1, 1, 2, 3), (0, 0, 1, 1, 2, 3)]


@pytest.mark.parametrize("slots", SLOTS, ids=str)
def test_k_statistics_are_exactly_unbiased(slots):
    for samples in (len(slots), len(slots) + 2):
        weights = coefficients(len(slots), samples)
        assert expected_statistic(slots, samples, weights) == cumulant(slots)


@pytest.mark.parametrize("slots", SLOTS[1:], ids=str)
def test_plug_in_cumulants_are_seen_to_be_biased(slots):
    samples = len(slots) + 2
    plug_in = [
        Fraction((-1) ** (len(p) - 1) * factorial(len(p) - 1), samples ** len(p))
        for p in partitions(len(slots))
    ]
    assert expected_statistic(slots, samples, plug_in) != cumulant(slots)


def test_floats_follow_the_exact_coefficients():
    rng = np.random.default_rng(3)
    for order, size in ((2, 3), (4, 3), (5, 2), (6, 2), (8, 1)):
        for samples in (order, 40):
            f = rng.normal(size=(samples, size)) + 0.3
            moments = moments_from_fields(f, max_order=order, groups=1)
            means = (moments.table / moments.counts[:, None]).T
            got = k_statistics(order, size, means, moments.counts)[:, 0]
            exact = []
            for row in multi_indices(order, size):
                total = Fraction(0)
                for partition, c in zip(
                    partitions(order), coefficients(order, samples), strict=True
                ):
                    for block in partition:
                        slots = [row[i] for i in range(order) if block >> i & 1]
                        c *= Fraction(float(np.prod(f[:, slots], axis=1).sum()))
                    total += c
                exact.append(float(total))
            np.testing.assert_allclose(got, exact, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_one_variable_agrees_with_scipy(order):
    x = np.random.default_rng(0).exponential(size=50)
    estimate = estimate_from_fields(x[:, None], orders=(order,))
    assert float(estimate[order].mean.ravel()[0]) == pytest.approx(stats.kstat(x, order))


# ---- jackknife -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("networks", "groups"), [(640, 128), (700, 16), (50, 128)])
def test_the_error_of_a_mean_is_the_one_of_the_group_means(networks, groups):
    f = np.random.default_rng(1).normal(size=(networks, 2))
    estimate = estimate_from_fields(f, orders=(1,), groups=groups)
    moments = estimate.moments
    means, weights = moments.sums[1] / moments.counts[:, None], moments.counts / networks
    spread = means - f.mean(axis=0)
    covariance = (weights[:, None] * spread).T @ spread / (moments.groups - 1)
    np.testing.assert_allclose(estimate[1].mean, f.mean(axis=0), rtol=1e-11)
    np.testing.assert_allclose(estimate.covariance(1), covariance, rtol=1e-9)
    np.testing.assert_allclose(estimate[1].error ** 2, np.diag(covariance), rtol=1e-9)


def test_covariance_and_errors_belong_together():
    f = np.random.default_rng(2).normal(size=(2000, 3))
    estimate = estimate_from_fields(f, orders=(2, 3))
    for order in (2, 3):
        covariance = estimate.covariance(order)
        np.testing.assert_allclose(np.diag(covariance), estimate[order].error_tensor.entries ** 2)
        assert np.linalg.eigvalsh(covariance).min() > 0
    # Cov(k_ab, k_cd) = (G_ac G_bd + G_ad G_bc)/n for Gaussian fields, entries aa, ab, bb, ac, ...
    theory = np.diag([2, 1, 2, 1, 1, 2]) / 2000
    np.testing.assert_allclose(estimate.covariance(2), theory, atol=6 * 2 / 2000 / np.sqrt(128))


# ---- shapes and records --------------------------------------------------------------------------


def test_shapes_of_one_output():
    f = np.random.default_rng(0).normal(size=(300, 3))
    estimate = estimate_from_fields(f, orders=(4, 2))
    assert estimate.orders == (2, 4)
    assert estimate[4].mean.shape == estimate[4].error.shape == (3,) * 4
    assert estimate.full[4].mean.shape == (3,) * 4
    assert estimate[4].tensor.dimension == 3
    assert estimate[4].tail_index.shape == (3, 1)
    assert (estimate.networks, estimate.groups, estimate.degrees_of_freedom) == (300, 128, 127)
    assert (estimate.points, estimate.outputs_count, estimate.route.name) == (3, 1, "fields")
    assert estimate.covariance(4).shape == (15, 15)
    np.testing.assert_allclose(estimate[2].mean, np.cov(f.T), rtol=1e-10)
    np.testing.assert_allclose(estimate.full[2].mean, f.T @ f / 300, rtol=1e-10)
    assert np.array_equal(estimate[4].outputs(0, 0, 0, 0).mean, estimate[4].mean)


def test_shapes_of_several_outputs():
    f = np.random.default_rng(0).normal(size=(300, 3, 2)) * [1.0, 2.0]
    estimate = estimate_from_fields(f, orders=(2, 3))
    assert estimate[3].mean.shape == (3, 2) * 3
    block = estimate[2].outputs(1, 0)
    want = np.cov(f[:, :, 1].T, f[:, :, 0].T)[:3, 3:]
    np.testing.assert_allclose(block.mean, want, rtol=1e-9)
    np.testing.assert_allclose(block.mean, estimate[2].mean[:, 1, :, 0], rtol=1e-12)
    np.testing.assert_allclose(block.error, estimate[2].error[:, 1, :, 0], rtol=1e-12)
    for wrong in ((0,), (0, 2), (0, -1), (0, 0, 0)):
        with pytest.raises(SpecificationError, match="output"):
            estimate[2].outputs(*wrong)


def test_estimates_of_a_plan_carry_where_they_come_from():
    plan = OUTPUTS.plan
    source = Source(plan=plan, X=OUTPUTS.X, params=OUTPUTS.params)
    moments = sample_moments(source, networks=500, max_order=2, key=(0, 1))
    estimate = Estimate(
        moments=moments,
        orders=(1, 2),
        points=3,
        outputs_count=3,
        route=find_route("parameters"),
        plan_hash=plan.hash,
        key=(0, 1),
    )
    assert estimate[1].mean.shape == (3, 3)
    assert estimate.plan_hash == plan.hash
    again = pickle.loads(pickle.dumps(estimate))
    assert np.array_equal(again[2].error, estimate[2].error)


def test_merged_runs_estimate_like_one():
    f = np.random.default_rng(0).normal(size=(1280, 2))
    whole = estimate_from_fields(f, orders=(4,), groups=64)
    parts = [moments_from_fields(f[i::2], max_order=4, groups=32) for i in (0, 1)]
    merged = Estimate(
        moments=parts[0].merge(parts[1]),
        orders=(4,),
        points=2,
        outputs_count=1,
        route=find_route("parameters"),
    )
    np.testing.assert_allclose(merged[4].mean, whole[4].mean, rtol=1e-9, atol=1e-12)


FIELD = np.random.default_rng(0).normal(size=(100, 2))


@pytest.mark.parametrize(
    ("f", "orders", "message"),
    [
        (np.where(np.arange(200).reshape(100, 2) == 7, np.nan, FIELD), (2,), "the first at 3"),
        (np.where(np.arange(200).reshape(100, 2) == 7, np.inf, FIELD), (2,), "NaN or infinity"),
        (FIELD * 1e200, (2,), "products"),
        (FIELD[:, 0], (2,), "shape"),
        (FIELD + 1j, (2,), "real"),
        ([["a", "b"]], (2,), "real"),
        (FIELD[:7], (2,), "at least 8 networks"),
        (FIELD[:11], (6,), "at least 12 networks"),
        (FIELD, (), "orders"),
        (FIELD, (0, 2), "orders"),
        (FIELD, (9,), "orders"),
        (FIELD, (2.0,), "orders"),
    ],
)
def test_impossible_estimates_are_refused(f, orders, message):
    with pytest.raises(SpecificationError, match=message), np.errstate(all="ignore"):
        estimate_from_fields(f, orders=orders)


def test_orders_not_estimated_are_refused():
    with pytest.raises(SpecificationError, match="orders="):
        estimate_from_fields(FIELD, orders=(2,))[4]


# ---- calibration ---------------------------------------------------------------------------------

LEVEL = 1e-3


def two_fields(rng: np.random.Generator, networks: int) -> np.ndarray:
    """f_1 = u, f_2 = v + u v with uniform u, v of unit variance: light tails, known cumulants."""
    u, v = np.sqrt(12) * (rng.random((2, networks)) - 0.5)
    return np.stack([u, v + u * v], axis=1)


# joint cumulants by the moments of the uniform law, E u^4 = 9/5: kappa(f_1, f_1, f_2, f_2) =
# E u^2 (1 + u)^2 - 1*2 = 1 + 9/5 - 2; kappa(f_1, f_2, f_2) = 2 E u^2
TRUTH = {2: {(0, 0): 1.0, (0, 1): 0.0, (1, 1): 2.0}, 4: {(0, 0, 1, 1): 0.8, (0, 0, 0, 0): -1.2},
         3: {(0, 1, 1): 2.0}}  # fmt: skip


def calibrated(source, *, seeds: int, networks: int, groups: int) -> bool:
    """Whether the pulls of all known entries follow t with G - 1 degrees of freedom."""
    pulls: dict[tuple[int, ...], list[float]] = {}
    for seed in range(seeds):
        estimate = estimate_from_fields(
            source(np.random.default_rng(seed), networks), orders=(2, 3, 4), groups=groups
        )
        for order, entries in TRUTH.items():
            for index, truth in entries.items():
                with np.errstate(all="ignore"):
                    pull = (truth - estimate[order].mean[index]) / estimate[order].error[index]
                pulls.setdefault(index, []).append(float(pull))
    return all(follows_student(values, groups - 1) for values in pulls.values())


def follows_student(pulls, freedom: int) -> bool:
    """Kolmogorov-Smirnov for the shape and chi squared for the width, each at LEVEL."""
    if not np.isfinite(pulls).all():
        return False
    scores = stats.norm.ppf(stats.t(freedom).cdf(pulls))
    width = stats.chi2(len(scores)).cdf(np.sum(scores**2))
    return stats.kstest(scores, "norm").pvalue > LEVEL and LEVEL / 2 < width < 1 - LEVEL / 2


@pytest.mark.montecarlo
@pytest.mark.parametrize(("networks", "groups"), [(2000, 8), (4000, 128)])
def test_pulls_follow_student(networks, groups):
    assert calibrated(two_fields, seeds=300, networks=networks, groups=groups)


@pytest.mark.montecarlo
def test_a_sampler_of_zeros_is_caught():
    def zeros(rng, networks):
        return np.zeros((networks, 2))

    assert not calibrated(zeros, seeds=20, networks=500, groups=32)


@pytest.mark.montecarlo
def test_a_wrong_scale_is_caught():
    def wide(rng, networks):
        return 1.02 * two_fields(rng, networks)

    assert not calibrated(wide, seeds=300, networks=4000, groups=128)


@pytest.mark.montecarlo
def test_errors_twenty_percent_too_small_are_caught(monkeypatch):
    honest = estimating.CorrelatorEstimate.error.func
    flattering = property(lambda self: 0.8 * honest(self))
    monkeypatch.setattr(estimating.CorrelatorEstimate, "error", flattering)
    assert not calibrated(two_fields, seeds=300, networks=2000, groups=32)


@pytest.mark.montecarlo
def test_plug_in_cumulants_are_caught_at_few_networks(monkeypatch):
    # with 16 networks the plug-in variance is low by 1/16: 300 seeds see it, mean by mean
    def mean_pull() -> float:
        values = [
            estimate_from_fields(two_fields(np.random.default_rng(s), 16), orders=(2,))[2].mean
            for s in range(2000)
        ]
        values = np.array(values)[:, 1, 1]
        return abs(values.mean() - 2.0) / (values.std(ddof=1) / np.sqrt(len(values)))

    assert mean_pull() < 3.5

    def plug_in(order, samples):
        return [
            Fraction((-1) ** (len(p) - 1) * factorial(len(p) - 1), samples ** len(p))
            for p in partitions(order)
        ]

    monkeypatch.setattr(kstatistics, "coefficients", plug_in)
    assert mean_pull() > 3.5


@pytest.mark.montecarlo
def test_pulls_of_a_plan_follow_student():
    # f = a cos(w x + b), a = +-1: bounded fields; kappa_2 = exp(-(x-y)^2/2)/2, and at one point
    # kappa_4 = E cos^4 - 3/4 = -3/8
    plan = Plan.from_dict(
        data(
            "N",
            [dense("cos(z)", weight=scalar("g_1"), bias=uniform("2*pi*u_1"))],
            weights=[uniform("sign(u_1 - 1/2)")],
        )
    )
    X = np.array([0.0, 0.7])
    source = Source(plan=plan, X=X, params={"N": 1})
    pulls = []
    for seed in range(250):
        moments = sample_moments(source, networks=2048, max_order=4, key=(seed, 1), groups=16)
        estimate = Estimate(
            moments=moments,
            orders=(2, 4),
            points=2,
            outputs_count=1,
            route=find_route("parameters"),
        )
        two, four = estimate[2], estimate[4]
        pulls.append(
            [
                (np.exp(-(0.7**2) / 2) / 2 - two.mean[0, 1]) / two.error[0, 1],
                (-3 / 8 - four.mean[0, 0, 0, 0]) / four.error[0, 0, 0, 0],
            ]
        )
    law = stats.t(15)
    for column in np.transpose(pulls):
        assert follows_student(column, 15)
        inside = np.mean(np.abs(column) < law.ppf(0.975))
        assert abs(inside - 0.95) < 3.3 * np.sqrt(0.95 * 0.05 / 250), "coverage of 95 % intervals"


def test_orders_are_any_integers_and_missing_ones_are_refused():
    f = np.random.default_rng(0).normal(size=(1000, 1))
    estimate = estimate_from_fields(f, orders=np.array([4, 2]))
    assert estimate.orders == (2, 4)
    assert estimate_from_fields(f, orders=np.int64(2)).orders == (2,)
    assert estimate[np.int64(4)] is estimate[4]
    for read in (estimate, estimate.full):
        with pytest.raises(SpecificationError, match="an order out of 2, 4"):
            read[3]
    for wrong in (None, 2.0, True, "24", (9,)):
        with pytest.raises(SpecificationError, match="orders from 1 to 8"):
            estimate_from_fields(f, orders=wrong)
