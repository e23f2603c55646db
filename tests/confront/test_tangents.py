"""Tangent kernels: theory against sampled networks, and faults that must be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from scipy import stats

import nnft_num as nm
import nnft_sym as nn
from nnft_num.tangents import checking as tangents
from nnft_num.tangents import sweeps as tangent_sweeps
from nnft_num.tangents.differentiating import compile_tangent
from nnft_sym.language import parse
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.tensors import SymmetricTensor
from tests.sym import tangent_networks as nets

X = np.array([[0.4, -0.9], [1.2, 0.5], [-0.8, 0.3]])
PARAMS = {"sigma_w": 1.2, "sigma_b": 0.4, "sigma_v": 0.9}
WAVES = {"sigma_w": 2.0, "sigma_b": 0.0}
LINE = [0.3, 1.0]


@pytest.mark.montecarlo
@pytest.mark.parametrize("activation", [nn.Erf(), nn.ReLU(), nn.Tanh(), nn.GELU()], ids=str)
def test_one_hidden_layer_is_unbiased_at_every_width(activation):
    """Level 1 % for each report, 12 reports over the four activations."""
    net = nn.shallow(activation)
    for N in (1, 2, 10):
        report = nm.check_ntk(net, X, 40_000, 3, N=N, **PARAMS)
        assert report.verdict == "agree", str(report)
        assert report[2].resolution.entries.min() > 50


@pytest.mark.montecarlo
@pytest.mark.parametrize("parametrisation", ["ntk", "standard"])
def test_outputs_and_densities_of_their_own_agree(parametrisation):
    """Level 1 % for each of 2 reports of 21 entries."""
    net = nn.shallow(
        nn.Erf(),
        bias=nn.Uniform(-1, 1),
        readout=[nn.Gaussian(0, 0.8), nn.Rademacher()],
        output_bias=[nn.Laplace(0.5, 0.4), None],
    )
    report = nm.check_ntk(net, X, 60_000, 1, parametrisation=parametrisation, N=3, sigma_w=1.2)
    assert report.verdict == "agree", str(report)
    assert report.entries == 21


@pytest.mark.montecarlo
def test_neurons_written_out_agree():
    """Level 1 % for a report of 6 entries."""
    x, w, b = nn.inputs(2), nn.vector("w", 2), sp.Symbol("b")
    densities = {w: nn.Gaussian(0, 1.1), b: nn.Uniform(-sp.pi, sp.pi)}
    net = nn.neurons(sp.cos(nn.dot(w, x) + b), densities)
    report = nm.check_ntk(net, X, 40_000, 2, N=3, sigma_v=0.9)
    assert report.verdict == "agree", str(report)


def faulty(monkeypatch, change):
    def compiled(net, parametrisation="ntk"):
        return change(compile_tangent(net, parametrisation))

    monkeypatch.setattr(tangents, "compile_tangent", compiled)


def layer_with(**changes):
    return lambda plan: replace(plan, layers=(replace(plan.layers[0], **changes),))


FAULTS = {
    "none": lambda plan: plan,
    "no C_W": layer_with(weight=parse("1")),
    "no gradient of the bias": layer_with(bias=parse("0")),
    "no gradient of the readout": lambda plan: replace(plan, weights=(parse("0"),)),
    "σ_v for σ_v²": lambda plan: replace(plan, weights=(parse("sigma_v"),)),
    "slope of another function": layer_with(slope=parse("1 - erf(z)**2")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_disagree(monkeypatch, fault):
    faulty(monkeypatch, FAULTS[fault])
    report = nm.check_ntk(nn.erf_net(), X, 40_000, 3, N=2, **PARAMS)
    assert report.verdict == ("agree" if fault == "none" else "disagree"), str(report)


def test_the_other_parametrisation_disagrees_and_is_refused():
    net, params = nn.erf_net(), PARAMS | {"N": 2}
    other = nm.tangent(net, X, 40_000, 3, orders=1, parametrisation="standard", **params)
    with pytest.raises(SpecificationError, match="3 points, 1 outputs, ntk"):
        nm.check_ntk(net, X, estimate=other, **params)
    hidden = replace(other, parametrisation="ntk")
    assert nm.check_ntk(net, X, estimate=hidden, **params).verdict == "disagree"
    assert nm.check_ntk(
        net, X, estimate=other, parametrisation="standard", **params
    ).verdict == "agree"  # fmt: skip


@pytest.mark.montecarlo
@pytest.mark.parametrize(("net", "N"), [(nn.erf_net(), 1), (nn.relu_net(), 3)], ids=["erf", "ReLU"])
def test_false_alarms_are_as_rare_as_stated(net, N):
    """80 seeds at a family-wise level of 5 %."""
    params = PARAMS | {"N": N}
    alarms = sum(
        nm.check_ntk(net, X, 2000, seed, level=0.05, params=params).verdict == "disagree"
        for seed in range(80)
    )
    assert stats.binomtest(alarms, 80, 0.05, alternative="greater").pvalue > 0.001, alarms


def test_few_networks_are_unresolved():
    report = nm.check_ntk(nn.relu_net(), X, 16, 0, N=1, **PARAMS)
    assert report.verdict == "unresolved"


@pytest.mark.parametrize("activation", [nn.Step(), nn.Sign()], ids=["step", "sign"])
def test_jumps_are_infinite_on_the_diagonal_and_reported_as_such(activation):
    net, points = nn.shallow(activation), np.vstack([X, X[:1]])
    report = nm.check_ntk(net, points, 1000, 0, N=4, **PARAMS)
    order = report[2]
    assert report.verdict == "unresolved"
    # The diagonal, and the point that is there twice.
    assert [tuple(i) for i in order.theory.indices[order.infinite.entries]] == [
        (0, 0),
        (1, 1),
        (2, 2),
        (0, 3),
        (3, 3),
    ]
    assert np.all(order.verdicts.entries == "unresolved")
    assert np.all(np.isnan(order.pull.entries))
    assert order.networks_needed is None
    assert "infinite in 5 of 10 entries" in str(report)
    assert "no sampled gradient shows" in str(report)
    assert " inf " in report.to_text(entries=10)
    assert report.to_dataframe().theory.max() == np.inf
    finite = ~order.infinite.entries
    # What the sample does see is another kernel.
    assert np.max(np.abs((order.theory.entries - order.estimate.entries)[finite])) > 0.02
    with pytest.raises(NotDerivedError, match="delta functions"):
        nm.sweep_ntk(net, X, (1, 2), 1000, 0, **PARAMS)


@pytest.mark.montecarlo
def test_a_smoothed_sign_shows_the_infinite_diagonal_grow():
    """erf(z/ε√2): its samples agree with its theory, which tends to that of the sign.

    Level 1 % for each of 2 reports.
    """
    pairs, sharp = [[0, 1], [0, 2], [1, 2]], nn.ntk(nn.shallow(nn.Sign()))
    limit, diagonals, gaps = sharp.entries(X, pairs, **PARAMS), [], []
    for width in (0.2, 0.1):
        net = nn.shallow(sp.erf(nn.activations.Z / (sp.Float(width) * sp.sqrt(2))))
        report = nm.check_ntk(net, X, 150_000, 4, N=2, **PARAMS)
        assert report.verdict == "agree", str(report)
        theory = report[2].theory.dense
        diagonals.append(np.diag(theory) - 0.9**2)
        gaps.append(np.abs(theory[tuple(np.transpose(pairs))] - limit))
    assert np.allclose(diagonals[1] / diagonals[0], 2, rtol=0.15)
    assert np.all(gaps[1] < 0.35 * gaps[0])


def test_deep_kernels_point_to_the_sweep():
    deep = nn.mlp(nn.ReLU(), depth=2)
    with pytest.raises(NotDerivedError, match=r"nm\.sweep_ntk"):
        nm.check_ntk(deep, X, 1000, 0, n_1=4, n_2=4, sigma_w=1, sigma_b=0)


@pytest.mark.montecarlo
def test_one_hidden_layer_fluctuates_as_1_over_n():
    """Level 1 % over 4 x 6 + 1 comparisons."""
    result = nm.sweep_ntk(nn.erf_net(), X, (1, 2, 4, 8), 40_000, 1, **PARAMS)
    assert result.verdict == "agree", str(result)
    assert len(result.reports) == 4
    assert result.deviation is None
    assert result.bias is None
    assert result.variance.error < 0.03
    assert "slope of Var Theta" in str(result)
    bare = nm.sweep_ntk(
        nn.erf_net(), X, (1, 2), 20_000, 1, parametrisation="standard", **PARAMS
    )  # fmt: skip
    assert bare.verdict == "agree", str(bare)
    assert bare.slopes == ()


@pytest.fixture(scope="module")
def deep():
    net = nn.mlp(nn.Sin(), depth=2)
    return {
        parametrisation: nm.sweep_ntk(
            net, LINE, (1, 2, 3, 4, 6, 8, 12), 120_000, 3, parametrisation=parametrisation, **WAVES
        )
        for parametrisation in ("ntk", "standard")
    }


@pytest.mark.montecarlo
@pytest.mark.parametrize("parametrisation", ["ntk", "standard"])
def test_two_hidden_layers_have_a_bias_that_falls_as_1_over_n(deep, parametrisation):
    """Level 1 % for each of 2 sweeps."""
    result = deep[parametrisation]
    assert result.verdict == "agree", str(result)
    assert result.deviation.error < 0.2
    assert abs(result.deviation.value + 1) < 3 * result.deviation.error
    assert result.bias.coefficient > result.bias.error
    assert result.reports == ()


@pytest.mark.parametrize("parametrisation", ["ntk", "standard"])
def test_the_sign_of_the_bias_is_told_where_it_is_resolved(deep, parametrisation):
    """Beyond 5 errors at 7 widths: a wrong sign in 4e-6 of all sweeps."""
    bias = deep[parametrisation].bias
    assert bias.sign == 1
    assert bias.resolved
    assert "larger at finite n (resolved at n = " in str(deep[parametrisation])
    assert replace(bias, errors=(1.0,) * len(bias.widths)).sign is None
    mirrored = replace(bias, values=tuple(-value for value in bias.values))
    assert mirrored.sign == -1
    assert replace(bias, values=(-1.0, *bias.values[1:])).sign is None, "signs that differ"


@pytest.mark.montecarlo
def test_the_bias_is_that_of_other_networks():
    """Numpy networks of width 2 with gradients of their own: 3 entries, beyond 4.5 in 2e-5."""
    rng = np.random.default_rng(12)
    layers = nets.dense_networks(
        rng,
        100_000,
        (1, 2, 2, 1),
        [lambda rng, shape: 2.0 * rng.standard_normal(shape)] * 3,
        [None] * 3,
    )
    points = np.array(LINE)[:, None]
    theta = nets.tangent_kernels(layers, points, np.sin, np.cos, [(None, None)] * 3)
    mean = theta.mean(axis=0)
    error = theta.std(axis=0, ddof=1) / np.sqrt(len(theta))
    net = nn.mlp(nn.Sin(), depth=2, bias=None)
    params = {"n_1": 2, "n_2": 2, "sigma_w": 2.0}
    est = nm.tangent(net, LINE, 200_000, 1, parametrisation="standard", params=params)
    pull = (est.mean - mean) / np.hypot(error, est.error)
    assert np.max(np.abs(pull)) < 4.5
    limit = nn.ntk(net, parametrisation="standard").tensor(LINE, params=params)
    assert np.max(np.abs(limit - mean) / error) > 6
    assert np.max(np.abs(limit - est.mean) / est.error) > 6


def test_a_wrong_limit_disagrees(monkeypatch):
    """A limit that is 20 % too large leaves a deviation that does not fall."""

    def wrong(*given):
        values, errors = tangents.evaluated_ntk(*given)
        return SymmetricTensor(2, values.dimension, 1.2 * values.entries), errors

    monkeypatch.setattr(tangent_sweeps, "evaluated_ntk", wrong)
    net = nn.mlp(nn.Sin(), depth=2)
    result = nm.sweep_ntk(net, LINE, (1, 2, 4, 8, 12), 60_000, 3, **WAVES)
    assert result.deviation.verdict == "disagree", str(result)


def test_sweeps_repeat_to_the_bit_and_depend_on_the_seed():
    def means(seed):
        result = nm.sweep_ntk(nn.erf_net(), X, (1, 3), 500, seed, **PARAMS)
        return np.array([estimate.mean for estimate in result.estimates])

    assert np.array_equal(means(3), means(3))
    assert not np.array_equal(means(3), means(4))


def test_few_networks_leave_a_deep_sweep_unresolved():
    net = nn.mlp(nn.Erf(), depth=2)
    result = nm.sweep_ntk(net, X, (8, 16, 32, 64), 500, 0, sigma_w=1.2, sigma_b=0.3)
    assert result.verdict == "unresolved"
    assert "too few widths" in str(result.deviation)
    assert result.bias.sign is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"widths": (2, 4, 8)}, "at least 4 different widths"),
        ({"widths": (0, 1, 2, 3)}, "of at least 1"),
        ({"n_1": 3}, "without the widths"),
        ({"net": nn.mlp(nn.Erf(), widths=(4, 4))}, "named widths"),
        ({"sigma_q": 3}, "unknown parameter"),
        ({"parametrisation": "mup"}, "parametrisation"),
        ({"networks": {1: 100}}, "for each of the widths"),
    ],
)
def test_impossible_sweeps_are_refused(changes, words):
    given = {"net": nn.mlp(nn.Erf(), depth=2), "widths": (1, 2, 3, 4), "networks": 100, **WAVES}
    given |= changes
    with pytest.raises(SpecificationError, match=words):
        nm.sweep_ntk(given.pop("net"), LINE, given.pop("widths"), rng=0, **given)
