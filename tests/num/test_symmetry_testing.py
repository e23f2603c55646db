"""Symmetry tests: the two sides, the level that is held, the power that is stated, and reports."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom, kstest, ortho_group

import nnft_num as nm
import nnft_sym as nn
from nnft_num.statistics.sign_flips import flip_signs
from nnft_num.symmetries.defects import DefectCriterion, defects_of
from nnft_num.symmetries.ensembles import Fields, Kernels, Observed, observed
from nnft_sym.language.errors import SpecificationError

X = np.array([[0.3, 0.8], [1.0, -0.5]])
ERF = nn.erf_net()
SHALLOW = dict(N=4, sigma_w=1.0, sigma_b=0.5, sigma_v=1.0)
UNIFORM = nn.shallow(nn.ReLU(), weight=nn.Uniform(-1, 1), bias=None, outputs=2)
FEW = dict(N=2, sigma_v=1.0)
WEIGHTS = np.full(128, 1 / 128)


def test_a_cumulant_turned_is_the_cumulant_of_turned_fields():
    f = np.random.default_rng(0).exponential(size=(500, 2, 2))
    R, t = np.array([[0.6, -0.8], [1.3, 0.2]]), np.array([0.5, -1.0])
    here = observed(nm.estimate(f, orders=(1, 2, 3, 4)))
    there = observed(nm.estimate(f @ R.T + t, orders=(1, 2, 3, 4)))
    turned = here.turned(np.kron(np.eye(2), R), np.tile(t, 2))
    for order in (1, 2, 3, 4):
        np.testing.assert_allclose(turned.values[order], there.values[order], atol=1e-10)


def test_both_sides_are_of_the_same_networks():
    """Without biases erf networks are odd: products of even order are the same in each."""
    report = nm.symmetry_test(
        ERF, nn.MatrixGroup(name="x to -x", finite=[[[-1, 0], [0, -1]]]), X, networks=300, rng=1,
        **SHALLOW | dict(sigma_b=0.0),
    )  # fmt: skip
    assert all(order.still.all() for order in report.orders)
    assert (report.p_value, str(report.verdict)) == (1.0, "agree")
    assert "none in any network" in str(report)


def test_fields_that_are_zero_settle_nothing():
    for on, group in (("input", nn.SO(2)), ("output", nn.Sn(2))):
        report = nm.symmetry_test(
            nn.shallow("erf(z)", outputs=2), group, [[0.3, 0.8], [1.0, -0.5]], networks=2000, rng=0,
            on=on, sigma_w=1, sigma_b=1, sigma_v=0, N=2,
        )  # fmt: skip
        assert report.verdict == "unresolved"
        assert report.networks_needed is None


def test_tangent_kernels_turn_with_the_outputs():
    params, g = SHALLOW | {"N": 3}, ortho_group(2, seed=np.random.default_rng(3)).rvs()
    net = nn.shallow(nn.Erf(), outputs=2)
    element = nm.symmetry_test(
        net, nn.O(2), X, orders=1, networks=300, rng=5, on="output", of="ntk", elements=[g],
        **params,
    ).elements[0]  # fmt: skip
    ensemble = Kernels(net=net, X=X, networks=300, key=(1, 2), params=params)
    turned, here = ensemble.sides(element, "output", (1, 2))
    theta = nm.tangent(net, X, 300, ensemble.rng, orders=1, params=params).mean
    expected = np.einsum("ik,akbl,jl->aibj", g, theta, g).reshape(4, 4)
    dense = nm.tangent(net, X, 300, ensemble.rng, orders=1, params=params).kernel.tensor
    np.testing.assert_allclose(here.values[1][:, 0], dense.entries, rtol=1e-12)
    rows = [expected[c, e] for c in range(4) for e in range(c + 1)]
    np.testing.assert_allclose(turned.values[1][:, 0], rows, rtol=1e-10)


def p_values(seeds, net, group, **options):
    common = dict(orders=(2, 4), networks=640, elements=1, flips=199) | options
    return [nm.symmetry_test(net, group, X, rng=seed, **common).p_value for seed in range(seeds)]


@pytest.mark.montecarlo
@pytest.mark.parametrize("case", ["rotations", "outputs"])
def test_p_values_are_uniform_where_the_symmetry_holds(case):
    """KS over 200 seeds; fails one time in 10³ by chance."""
    if case == "rotations":
        found = p_values(200, ERF, nn.SO(2), **SHALLOW)
    else:
        net = nn.shallow(nn.ReLU(), outputs=2)
        found = p_values(200, net, nn.SO(2), on="output", elements=2, **SHALLOW)
    assert kstest(found, "uniform").pvalue > 1e-3
    assert binom.sf(sum(p <= 0.01 for p in found) - 1, 200, 0.01) > 1e-3


@pytest.mark.montecarlo
def test_a_sign_that_is_shared_by_all_groups_fails_the_uniformity():
    """The planted fault: sides of other networks' groups, paired with a mean that is not theirs."""
    generator = np.random.default_rng(1)
    found = []
    for _ in range(200):
        p = generator.normal(size=(5, 64)) + 0.5 * generator.normal(size=(5, 1))
        flips = flip_signs(p, np.full(64, 1 / 64), 199, generator, 0.05)
        found.append(flips.p_value(np.max(np.abs(flips.statistics))))
    assert kstest(found, "uniform").pvalue < 1e-3


@pytest.mark.montecarlo
def test_flips_of_few_heavy_groups_hold_the_level():
    """Symmetric contributions of infinite variance, 8 groups: exact; one time in 10³ by chance."""
    generator = np.random.default_rng(2)
    found = []
    for _ in range(400):
        p = generator.standard_t(1.5, size=(7, 8))
        p[3:] += p[:4]
        flips = flip_signs(p, np.full(8, 1 / 8), 199, generator, 0.05)
        found.append(flips.p_value(np.max(np.abs(flips.statistics))))
    assert binom.sf(sum(p <= 0.05 for p in found) - 1, 400, 0.05) > 1e-3


@pytest.mark.montecarlo
def test_the_stated_defect_is_seen_with_the_stated_probability():
    """A defect of the stated size in one entry, over 300 samples; one time in 10³ by chance."""
    generator, seen, size = np.random.default_rng(4), 0, (3.3 + ndtri(0.9)) / np.sqrt(127)
    criterion = DefectCriterion(level=0.01, resolution=5, flips=299, width=1, rounding=1e-10)
    for _ in range(300):
        rows = generator.normal(size=(12, 128))
        rows -= rows.mean(axis=1, keepdims=True)
        defect = generator.normal(size=12) / np.sqrt(128)
        sides = [
            Observed(
                values={1: np.column_stack([values, noise / np.sqrt(127 * 128)])},
                heavy={1: np.zeros(12, bool)},
                squares=np.ones(12),
                counts=np.full(128, 10),
            )
            for values, noise in ((np.zeros(12), 0 * rows), (defect, rows))
        ]
        (plain,), _ = defects_of([tuple(sides)], (1,), criterion, generator)
        size = plain.critical + ndtri(0.9)
        sides[1].values[1][4, 0] += size * plain.error[0, 4]
        (moved,), p_value = defects_of([tuple(sides)], (1,), criterion, generator)
        assert moved.detectable == pytest.approx(
            (moved.critical + ndtri(0.9)) * moved.error.max(), rel=1e-12
        )
        seen += p_value <= 0.01
    assert binom.cdf(seen, 300, 0.9) > 1e-3
    assert binom.sf(seen - 1, 300, 0.95) > 1e-3


BROKEN = {
    "uniform weights under rotations": (UNIFORM, nn.SO(2), dict(orders=(2, 4)), FEW),
    "erf under translations": (ERF, nn.Translations(2), dict(orders=2), SHALLOW),
    "tangent kernel under dilatations": (ERF, nn.Dilatations(2), dict(of="ntk"), SHALLOW),
    "uniform readout under rotations of the outputs": (
        nn.shallow(nn.ReLU(), readout=nn.Uniform(-1, 1), outputs=2),
        nn.SO(2), dict(on="output", orders=4), dict(N=2, sigma_w=1.0, sigma_b=0.5),
    ),
}  # fmt: skip
KEPT = {
    "Gaussian weights under O(2)": (ERF, nn.O(2), dict(orders=(2, 4)), SHALLOW),
    "uniform weights under signed permutations": (
        UNIFORM, nn.Hyperoctahedral(2), dict(orders=(2, 4)), FEW,
    ),
    "cos-net under translations": (
        nn.cos_net(), nn.Translations(2), dict(orders=(2, 4), size=3.0),
        dict(N=2, sigma_w=1.0, sigma_v=1.0),
    ),
    "uniform readout under rotations, at order 2": (
        BROKEN["uniform readout under rotations of the outputs"][0],
        nn.SO(2), dict(on="output", orders=2), dict(N=2, sigma_w=1.0, sigma_b=0.5),
    ),
    "tangent kernel under O(2)": (ERF, nn.O(2), dict(of="ntk", orders=(1, 2)), SHALLOW),
}  # fmt: skip


@pytest.mark.montecarlo
@pytest.mark.parametrize("name", BROKEN)
def test_broken_symmetries_are_rejected(name):
    net, group, options, params = BROKEN[name]
    report = nm.symmetry_test(net, group, X, networks=8000, rng=7, **options, **params)
    assert str(report.verdict) == "disagree", str(report)


@pytest.mark.montecarlo
@pytest.mark.parametrize("name", KEPT)
def test_kept_symmetries_agree(name):
    """Each fails one time in a hundred seeds; the seed is fixed."""
    net, group, options, params = KEPT[name]
    networks = 2000 if "tangent" in name else 100_000
    report = nm.symmetry_test(net, group, X, networks=networks, rng=8, **options, **params)
    assert str(report.verdict) == "agree", str(report)
    for order in report.orders:
        assert order.detectable <= order.scale


@pytest.mark.montecarlo
def test_the_defect_of_a_uniform_readout_is_the_derived_one():
    """Under g = exp(45°): entries of G_c⁽⁴⁾ - g⊗⁴G_c⁽⁴⁾ against κ₄ of the derived tensor turned."""
    net, _, options, params = BROKEN["uniform readout under rotations of the outputs"]
    g = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    report = nm.symmetry_test(
        net, nn.SO(2), X[:1], networks=40_000, rng=9, elements=[g], **options, **params
    )
    theory = nn.cumulant(net, 4).tensor(X[:1], **params).reshape((2,) * 4)
    turned = np.einsum("ai,bj,ck,dl,ijkl", g, g, g, g, theory)
    order = report[4]
    expected = (theory - turned)[tuple(order.indices.T)]
    assert np.max(np.abs(expected)) > 5 * order.error.max()
    assert np.all(np.abs(order.defect[0] - expected) < 4.5 * order.error[0] + 1e-12)


TRAINING = dict(data=([[0.5, 1.0], [-1.0, 0.3], [0.2, -0.7]], [[1.0], [0.0], [-1.0]]), steps=15)


@pytest.mark.montecarlo
@pytest.mark.parametrize(
    ("optimiser", "moved", "verdict"),
    [
        (nm.GD(0.4), True, "agree"),
        (nm.SGD(0.4, 2), True, "agree"),
        (nm.Adam(0.05), True, "disagree"),
        (nm.GD(0.4), False, "disagree"),
    ],
    ids=["GD", "SGD", "Adam", "GD, examples left behind"],
)
def test_correlators_of_trained_networks_keep_rotations(optimiser, moved, verdict):
    report = nm.symmetry_test(
        ERF, nn.O(2), X, orders=(1, 2), networks=4000, rng=3, move_data=moved,
        training=nm.Training(optimiser=optimiser, **TRAINING), **SHALLOW,
    )  # fmt: skip
    assert str(report.verdict) == verdict, str(report)


@pytest.mark.montecarlo
def test_trained_outputs_turn_with_their_targets():
    net = nn.shallow(nn.Erf(), outputs=2)
    targets = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]])
    for moved, verdict in ((True, "agree"), (False, "disagree")):
        training = nm.Training(data=(TRAINING["data"][0], targets), steps=15, optimiser=nm.GD(0.4))
        report = nm.symmetry_test(
            net, nn.SO(2), X, orders=(1, 2), networks=2000, rng=3, on="output", training=training,
            move_data=moved, **SHALLOW,
        )  # fmt: skip
        assert str(report.verdict) == verdict, str(report)


def test_too_few_networks_are_unresolved_and_say_what_would_do():
    wide = SHALLOW | dict(N=60)
    report = nm.symmetry_test(ERF, nn.SO(2), X, orders=4, networks=2000, rng=2, **wide)
    assert str(report.verdict) == "unresolved"
    assert report.networks_needed > 2000
    assert "networks would resolve it" in str(report)


def test_heavy_tails_are_never_an_agreement():
    f = np.random.default_rng(0).standard_cauchy(size=(4000, 2))
    sides = observed(nm.estimate(f, orders=2)), observed(nm.estimate(2 * f, orders=2))
    criterion = DefectCriterion(level=0.01, resolution=5, flips=299, width=1, rounding=1e-10)
    (order,), p_value = defects_of([sides], (2,), criterion, np.random.default_rng(1))
    assert order.heavy.all()
    assert (p_value, str(order.verdict), order.networks_factor) == (1.0, "unresolved", None)


def test_the_same_seed_gives_the_same_report():
    def run(seed):
        return nm.symmetry_test(ERF, nn.SO(2), X, networks=640, rng=seed, **SHALLOW).to_dataframe()

    first, again, other = run(1), run(1), run(2)
    assert first.equals(again)
    assert not first.equals(other)


def test_reports_as_text_frame_latex_and_html(tmp_path):
    report = nm.symmetry_test(ERF, nn.SO(2), X, orders=(2, 4), networks=640, rng=1, **SHALLOW)
    frame = report.to_dataframe()
    assert len(frame) == 4 * (3 + 5)
    assert set(frame.order) == {2, 4}
    path = tmp_path / "table.tex"
    assert report.to_latex(path) == path.read_text()
    assert "toprule" in path.read_text()
    assert report._repr_html_().count("<tr") == 3
    assert "seen with 0.9" in str(report)
    with pytest.raises(SpecificationError, match="an order out of 2, 4"):
        report[6]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(group=nn.SO(3)), "acts on the input in 2 dimensions"),
        (dict(on="output"), "acts on the output in 1 dimensions"),
        (dict(group="SO(2)"), "a network and a group"),
        (dict(representation="defining"), "a representation of SO"),
        (dict(representation=nn.defining(nn.Sn(2))), "a representation of SO"),
        (dict(elements=[np.eye(2), *nm.random_elements(nn.SO(3), 1, rng=0)]), "in 2 dimensions"),
        (dict(on="weights"), "on out of"),
        (dict(of="spectrum"), "of out of"),
        (dict(elements=[np.zeros((2, 2))]), "invertible"),
        (dict(elements=[]), "at least one element"),
        (dict(elements=0), "at least 1 element"),
        (dict(flips=20), "flips for the level"),
        (dict(level=2.0), "a level between 0 and 1"),
        (dict(of="ntk", training=nm.Training(optimiser=nm.GD(0.1), **TRAINING)), 'of="fields"'),
    ],
)
def test_impossible_tests_are_refused(change, words):
    arguments = dict(group=nn.SO(2), orders=2, networks=64, rng=0) | SHALLOW | change
    with pytest.raises(SpecificationError, match=words):
        nm.symmetry_test(ERF, arguments.pop("group"), X, **arguments)


def test_sides_are_sampled_once_where_they_are_the_same():
    ensemble = Fields(net=ERF, X=X, networks=64, key=(1, 2), params=SHALLOW)
    assert ensemble.own((2,)) is ensemble.own((2,))
