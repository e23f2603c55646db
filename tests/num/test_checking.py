"""The logic of verdicts on numbers made for each branch."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nnft_num.confrontation.checking import confront
from nnft_num.confrontation.verdicts import (
    Criterion,
    Verdict,
    gaussian_freedom,
    hermite_kurtosis,
    joined,
    skewness,
)
from nnft_num.estimates.estimate import estimate_from_fields
from nnft_sym.correlators import Evaluation
from nnft_sym.exactness import Exactness
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import SymmetricTensor
from tests.num.synthetic import order_report, report


def evaluation(order: int, entries: list[float], *, outputs: int = 1) -> Evaluation:
    dimension = 1 if len(entries) == 1 else 2
    return Evaluation(
        values=SymmetricTensor(order, dimension, entries),
        errors=SymmetricTensor(order, dimension, [0.0] * len(entries)),
        points=dimension // outputs,
        outputs=outputs,
        exactness=Exactness.exact(),
    )


def test_threshold_is_students_t_over_the_family():
    criterion = Criterion(level=0.02, resolution=5, family=50)
    for freedom in (3.0, 20.0, 127.0):
        expected = stats.t(freedom).isf(0.02 / 50 / 2)
        for pull, skew in ((1.0, 0.0), (-1.0, 0.0), (-1.0, 0.3), (1.0, -0.3)):
            assert criterion.limit(pull, freedom, skew) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("skew", [1e-5, 0.1, 0.4])
def test_limit_inverts_halls_transformation(skew):
    criterion = Criterion(level=0.01, resolution=5, family=30)
    quantile = float(criterion.limit(1.0, 127))
    t = -float(criterion.limit(1.0, 127, skew))
    assert ((1 + skew * t / 3) ** 3 - 1) / skew + skew / 6 == pytest.approx(-quantile, rel=1e-6)
    assert float(criterion.limit(-1.0, 127, -skew)) == pytest.approx(-t)
    assert -t >= quantile


def test_kurtosis_and_skewness_by_their_definitions():
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    for order in range(1, 9):
        he = np.polynomial.hermite_e.hermeval(nodes, [0] * order + [1])
        expected = weights @ he**4 / (weights @ he**2) ** 2
        assert hermite_kurtosis(order) == pytest.approx(expected, rel=1e-9)
    x = np.random.default_rng(0).gamma(2.0, size=(3, 500))
    x -= x.mean(axis=1, keepdims=True)
    assert skewness(x) == pytest.approx(stats.skew(x, axis=1) / np.sqrt(500))
    assert skewness(np.zeros((2, 5))).tolist() == [0.0, 0.0]


def test_errors_of_high_orders_from_few_networks_are_not_known():
    """The freedom of a Gaussian field's error of order 4, by samples of 2000 networks."""
    rng = np.random.default_rng(6)
    errors = [
        estimate_from_fields(rng.normal(size=(2000, 1)), orders=(4,))[4].error_tensor.entries[0]
        for _ in range(300)
    ]
    variances = np.square(errors)
    freedom = 2 * np.mean(variances) ** 2 / np.var(variances)
    assert freedom < 2 * gaussian_freedom(4, 2000)
    assert gaussian_freedom(4, 2000) == pytest.approx(4000 / 639)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"estimate": 1.02}, "agree"),
        ({"estimate": 1.05}, "disagree"),
        ({"estimate": 0.95}, "disagree"),
        ({"estimate": 1.05, "freedom": 9.0}, "disagree"),
        ({"estimate": 1.03, "freedom": 6.0}, "agree"),
        ({"estimate": 1.03, "freedom": 4.0}, "agree"),
        ({"estimate": 1.03, "error": 0.19, "freedom": 3.0}, "unresolved"),
        ({"estimate": 0.97, "skew": 0.2}, "agree"),
        ({"estimate": 1.03, "skew": 0.2}, "disagree"),
        ({"estimate": 1.03, "skew": -0.2}, "agree"),
        ({"estimate": 1.05, "family": 10**9}, "agree"),
        ({"estimate": 1.05, "theory_error": 0.02}, "agree"),
        ({"estimate": 1.1, "error": 0.21}, "unresolved"),
        ({"estimate": 3.0, "error": 0.21}, "disagree"),
        ({"estimate": 1.1, "error": 0.19}, "agree"),
        ({"estimate": 1.0, "theory_error": 0.3}, "unresolved"),
        ({"estimate": 1.0, "error": 0.0}, "unresolved"),
        ({"estimate": 0.0, "error": 0.0}, "unresolved"),
        ({"theory": 0.0, "estimate": 0.1, "error": 0.0}, "unresolved"),
        ({"estimate": 1.0 - 1e-15, "error": 1e-17}, "unresolved"),
        ({"estimate": 9.0, "sparse": [True]}, "unresolved"),
        ({"estimate": 1.0, "sparse": [True]}, "unresolved"),
        ({"estimate": 1.05, "floor": 0.02}, "agree"),
        ({"estimate": 1.0, "floor": 0.3}, "unresolved"),
        ({"estimate": 9.0, "heavy": [True]}, "unresolved"),
        ({"estimate": 1.0, "heavy": [True]}, "unresolved"),
        ({"theory": 0.0, "estimate": 0.0, "error": 0.0}, "unresolved"),
        ({"theory": 0.0, "estimate": 0.0, "error": 0.0, "natural": [0.0]}, "agree"),
        ({"theory": 0.0, "estimate": 0.1, "error": 0.0, "natural": [0.0]}, "disagree"),
        ({"theory": 0.0, "estimate": 0.01, "natural": [0.06]}, "agree"),
        ({"theory": 0.0, "estimate": 0.01, "natural": [0.04]}, "unresolved"),
        ({"theory": 1e-14, "estimate": 0.01, "natural": [1.0]}, "agree"),
    ],
)
def test_verdict_of_one_entry(changes, verdict):
    given = {"theory": 1.0, "error": 0.01} | changes
    lists = {name: [given.pop(name)] for name in ("theory", "estimate", "error")}
    assert order_report(**lists, **given).verdict == verdict


def test_scale_is_the_largest_theory_of_the_tensor():
    confronted = order_report([0.0, 2.0, -4.0, 0.0, 0.0], [0, 2, -4, 0, 0], [0.5] * 5)
    assert np.all(confronted.scale.entries == 4.0)
    assert np.all(confronted.resolution.entries == 8.0)
    assert confronted.verdict == "agree"


def test_vanishing_theory_takes_the_natural_scale():
    confronted = order_report([0.0] * 5, [0.0] * 5, [0.1] * 5, natural=[0.1, 0.4, 0.5, 0.6, 2.0])
    assert confronted.vanishes
    assert confronted.resolution.entries.tolist() == pytest.approx([1, 4, 5, 6, 20])
    assert confronted.verdicts.entries.tolist() == ["unresolved"] * 2 + ["agree"] * 3


def test_report_disagrees_before_it_is_unresolved():
    agrees = order_report([1.0], [1.0], [0.01])
    low = order_report([1.0], [1.0], [1.0], order=6)
    wrong = order_report([1.0], [2.0], [0.01], order=2)
    assert report(agrees).verdict == "agree"
    assert report(agrees, low).verdict == "unresolved"
    assert report(agrees, low, wrong).verdict == "disagree"
    assert report(agrees, low)[6].verdict == "unresolved"
    with pytest.raises(SpecificationError, match="an order out of 4"):
        report(agrees)[8]


def test_nothing_compared_is_no_agreement():
    assert joined([]) is Verdict.UNRESOLVED


def test_networks_needed_follow_one_over_root():
    confronted = order_report([1.0], [1.0], [1.0], networks=10_000)
    assert confronted.networks_needed == 250_000
    enough = order_report([1.0], [1.0], [0.2], networks=250_000)
    assert enough.verdict == "agree"
    assert enough.networks_needed is None
    assert confronted.reasons == ("2.5e+05 networks would resolve it",)


@pytest.mark.parametrize("freedom", [0.3, 2.0, 3.0])
def test_errors_that_are_hardly_known_ask_for_more_resolution(freedom):
    confronted = order_report([1.0], [1.0], [0.19], networks=5000, freedom=freedom)
    assert confronted.verdict == "unresolved"
    assert confronted.required.entries[0] == pytest.approx(stats.t(freedom).isf(0.005), rel=1e-6)
    factor = confronted.networks_needed / 5000
    given = {"freedom": min(freedom * factor, 127.0)}
    enough = order_report([1.0], [1.0], [0.19 / factor**0.5], **given)
    assert enough.verdict == "agree"
    assert order_report([1.0], [1.0], [1e-9], freedom=2.0).verdict == "agree"


def test_no_number_of_networks_is_named_where_none_helps():
    heavy = order_report([1.0], [1.0], [1.0], heavy=[True])
    limited = order_report([1.0], [1.0], [0.01], theory_error=0.3)
    still = order_report([1.0], [1.0], [0.0])
    for confronted, words in ((heavy, "heavy tails"), (limited, "own error"), (still, "fluctuate")):
        assert confronted.networks_needed is None
        assert words in confronted.reasons[0]


def test_worst_is_relative_to_the_threshold_and_skips_the_unknown():
    confronted = order_report(
        [1.0] * 5, [1.0, 1.1, 0.7, 1.2, 9.0], [0.1] * 5, heavy=[False] * 4 + [True]
    )
    assert confronted.worst == 2
    assert order_report([1.0], [1.0], [0.1], heavy=[True]).worst is None


@pytest.mark.parametrize(
    "wrong", [{"level": 0.0}, {"level": 1.0}, {"resolution": 0}, {"family": 0}]
)
def test_impossible_criteria_are_refused(wrong):
    with pytest.raises(SpecificationError, match="a level between 0 and 1"):
        Criterion(**({"level": 0.01, "resolution": 5.0, "family": 1} | wrong))


def test_family_counts_all_distinct_entries():
    f = np.random.default_rng(1).normal(size=(4000, 2))
    theory = {2: evaluation(2, [1, 0, 1]), 4: evaluation(4, [0.0] * 5)}
    estimate = estimate_from_fields(f, orders=(2, 4))
    made = confront(theory, estimate, variances=[1, 1], width=1)
    assert made.criterion.family == made.entries == 8
    assert made.verdict == "agree"
    assert made[4].natural.entries == pytest.approx(np.ones(5))
    wider = confront(theory, estimate, variances=[1, 4], width=2)
    assert wider[4].natural.entries == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0])


def test_zeros_never_agree():
    f = np.zeros((1000, 2))
    estimate = estimate_from_fields(f, orders=(2, 3, 4))
    for order, entries in ((2, [1.0, 0.5, 1.0]), (3, [0.0] * 4), (4, [1.0] * 5), (4, [0.0] * 5)):
        made = confront({order: evaluation(order, entries)}, estimate, variances=[1, 1], width=2)
        assert made.verdict == "unresolved"
        assert made[order].verdicts.entries.tolist() == ["unresolved"] * len(entries)
        assert np.isnan(made[order].pull.entries).all() == any(entries)


def test_the_floor_is_the_second_order_term_of_the_k_statistic():
    estimate = estimate_from_fields(np.random.default_rng(4).normal(size=(1000, 2)), orders=(2, 4))
    theory = {2: evaluation(2, [1, 0, 1]), 4: evaluation(4, [0.0] * 5)}
    made = confront(theory, estimate, variances=[1, 4], width=9)
    assert made[2].floor.entries == pytest.approx(2e-3 * 2**0.5 * np.array([1, 2, 4]))
    assert made[4].floor.entries == pytest.approx(2e-3 * 24**0.5 * 2.0 ** np.arange(5))
    combined = np.hypot(made[2].error.entries, made[2].floor.entries)
    assert made[2].uncertainty == pytest.approx(combined)


def test_outputs_are_confronted_entry_by_entry():
    f = np.random.default_rng(2).normal(size=(4000, 1, 2))
    estimate = estimate_from_fields(f, orders=(2,))
    right = confront({2: evaluation(2, [1, 0, 1], outputs=2)}, estimate, variances=[1, 1], width=1)
    wrong = confront({2: evaluation(2, [1, 1, 1], outputs=2)}, estimate, variances=[1, 1], width=1)
    assert right.verdict == "agree"
    assert wrong[2].verdicts.entries.tolist() == ["agree", "disagree", "agree"]


def test_other_points_or_orders_are_refused():
    estimate = estimate_from_fields(np.random.default_rng(3).normal(size=(100, 3)), orders=(2,))
    with pytest.raises(SpecificationError, match="over 3 points"):
        confront({2: evaluation(2, [1, 0, 1])}, estimate, variances=[1, 1], width=1)
