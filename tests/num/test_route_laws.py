"""The routes have one law: each against the ground truth over parameters, which shares no draw."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest, norm, t

import nnft_num as nm
import nnft_sym as nn
from nnft_num.compiling import compile_plan
from nnft_num.estimates.estimate import Estimate
from nnft_num.front import sample
from nnft_num.kernels.draws import key_from_rng
from nnft_num.routes import RANDOMISATIONS, find_route
from nnft_num.runs.sampling import sample_moments
from nnft_num.sources import hidden_rows
from nnft_num.sources.source import Source
from nnft_num.statistics.cumulant_maps import MetricMap
from tests.num.example_plans import GAUSS, NEURONS, ROW, SCALAR_FIELD

# the third point repeats the first, and n_1 < n: the metric is singular twice over
DEEP = nn.mlp(nn.Tanh(), widths=(2, 3), outputs=2)
DEEP_PARAMS = dict(sigma_w=1.5, sigma_b=0.4)
SINGULAR = np.array([[0.3, -1.0], [1.2, 0.4], [0.3, -1.0], [0.6, -2.0]])
SHALLOW = nn.shallow(
    nn.Erf(), readout=nn.Gaussian(0, "sigma_v"), output_bias=nn.Gaussian(0, 0.3), outputs=2
)
SHALLOW_PARAMS = dict(sigma_w=1.5, sigma_b=0.5, sigma_v=1.2, N=2)
LINE = np.array([[-1.0], [0.4], [-1.0]])


def source(net, X, params, route="parameters"):
    return Source(plan=compile_plan(net), X=X, params=params, route=route)


def rows(source, count, key=(3, 4), start=0):
    out = np.empty((count, source.dimension))
    source.fill(key, start, out)
    return out


def agree(one, other, orders, level=1e-3):
    """Entry by entry, at a family-wise level by Bonferroni; entries that both give exactly drop."""
    pulls = []
    for order in orders:
        difference = one[order].tensor.entries - other[order].tensor.entries
        error = np.hypot(one[order].error_tensor.entries, other[order].error_tensor.entries)
        exact = error <= 1e-12 * np.max(np.abs(one[order].tensor.entries))
        assert np.all(np.abs(difference[exact]) < 1e-12)
        pulls.append(difference[~exact] / error[~exact])
    pull = np.concatenate(pulls)
    limit = t.isf(level / 2 / len(pull), 60)
    return bool(np.max(np.abs(pull)) < limit)


@pytest.fixture(scope="module")
def truth():
    """Estimates over parameters."""
    return {
        "shallow": nm.correlators(SHALLOW, LINE, (2, 4), 150_000, rng=1, params=SHALLOW_PARAMS),
        "deep": nm.correlators(DEEP, SINGULAR, (2, 4), 150_000, rng=1, params=DEEP_PARAMS),
    }


@pytest.mark.montecarlo
@pytest.mark.parametrize("route", ["functions", "readout", "neurons", "sobol"])
def test_routes_of_a_shallow_network_agree_with_its_parameters(route, truth):
    """False-alarm rate 1e-3 for each route."""
    estimate = nm.correlators(
        SHALLOW, LINE, (2, 4), 50_000, rng=2, route=route, params=SHALLOW_PARAMS
    )
    assert agree(estimate, truth["shallow"], (2, 4))
    assert agree(estimate.full, truth["shallow"].full, (2, 4))


@pytest.mark.montecarlo
@pytest.mark.parametrize("route", ["functions", "readout"])
def test_routes_of_a_deep_network_agree_with_its_parameters(route, truth):
    """False-alarm rate 1e-3 for each route; narrow layers, repeated and collinear points."""
    estimate = nm.correlators(
        DEEP, SINGULAR, (2, 4), 50_000, rng=2, route=route, params=DEEP_PARAMS
    )
    assert agree(estimate, truth["deep"], (2, 4))


@pytest.mark.montecarlo
@pytest.mark.parametrize("precision", ["double", "single"])
def test_fields_drawn_layer_by_layer_have_the_whole_law(precision):
    """Kolmogorov-Smirnov at single points, sums, differences, products; false-alarm rate 1e-3."""
    count = 60_000
    one = rows(source(DEEP, SINGULAR, DEEP_PARAMS), count)
    drawn = source(DEEP, SINGULAR, DEEP_PARAMS, "functions")
    other = rows(replace(drawn, precision=precision), count)
    views = [
        lambda f: f[:, 0],
        lambda f: f[:, 3],
        lambda f: f[:, 0] + f[:, 2],
        lambda f: f[:, 0] - f[:, 6],
        lambda f: f[:, 2] * f[:, 7],
        lambda f: f[:, 0] * f[:, 1],
        lambda f: np.abs(f[:, 0]) - np.abs(f[:, 2]),
    ]
    for view in views:
        assert ks_2samp(view(one), view(other)).pvalue > 1e-3 / len(views)
    scale = np.sqrt(np.mean(other**2))
    assert np.max(np.abs(other[:, 4:6] - other[:, 0:2])) < 1e-3 * scale


@pytest.mark.montecarlo
@pytest.mark.parametrize(
    ("example", "route"),
    [
        (GAUSS, "neurons"),
        (SCALAR_FIELD, "neurons"),
        (NEURONS, "neurons"),
        (ROW, "neurons"),
        (ROW, "readout"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_kind_of_first_layer_is_drawn_as_its_parameters_are(example, route):
    """Means and covariances of fields; false-alarm rate 1e-3 for each."""
    plain = Source(plan=example.plan, X=example.X, params=example.params)
    other = Source(plan=example.plan, X=example.X, params=example.params, route=route)
    estimates = []
    for chosen, count in ((plain, 40_000), (other, 40_000)):
        kind = find_route(chosen.route)
        map_ = kind.cumulant_map(chosen)
        estimates.append(
            Estimate(
                moments=sample_moments(
                    chosen, networks=count, max_order=map_.highest(2), key=(5, len(estimates))
                ),
                orders=(2,),
                points=len(example.X),
                outputs_count=example.plan.outputs,
                route=kind,
                cumulant_map=map_,
            )
        )
    assert agree(*estimates, (2,))


@pytest.mark.montecarlo
def test_readouts_that_are_no_affine_image_of_a_primitive_are_sampled():
    """Rademacher and Laplace readouts, by neurons; false-alarm rate 1e-3."""
    net = nn.shallow(nn.Erf(), readout=(nn.Rademacher(), nn.Laplace(0, 1)), outputs=2)
    params = dict(sigma_w=1.5, sigma_b=0.5, N=2)
    one = nm.correlators(net, LINE[:2], (2, 4), 100_000, rng=1, params=params)
    for route in ("neurons", "sobol"):
        other = nm.correlators(net, LINE[:2], (2, 4), 100_000, rng=2, route=route, params=params)
        assert other.moments.dimension == 4
        assert agree(one, other, (2, 4))


def pulls_of(net, X, params, route, networks, seeds, order):
    """Pulls of one network over seeds against a long run of the Sobol route."""
    reference = nm.correlators(net, X, order, 2**18, rng=99, route="sobol", params=params)
    found = []
    for seed in range(seeds):
        estimate = nm.correlators(
            net, X, order, networks, rng=seed, route=route, progress=False, params=params
        )
        difference = estimate[order].tensor.entries - reference[order].tensor.entries
        error = np.hypot(
            estimate[order].error_tensor.entries, reference[order].error_tensor.entries
        )
        found.append(difference / error)
    return np.array(found), estimate.groups - 1


@pytest.mark.montecarlo
@pytest.mark.parametrize(
    ("route", "networks"), [("readout", 4096), ("neurons", 8192), ("sobol", 4096)]
)
def test_pulls_follow_student(route, networks):
    """100 seeds, one entry for each order; false-alarm rate 1e-3 for each order and route."""
    net, params = nn.erf_net(), dict(sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=20)
    for order, entry in ((2, 1), (4, 2)):
        pulls, freedom = pulls_of(net, [-1.0, 0.4], params, route, networks, 100, order)
        assert kstest(pulls[:, entry], t(freedom).cdf).pvalue > 1e-3


@pytest.mark.montecarlo
def test_a_million_sobol_neurons_confirm_a_closed_form_to_four_digits():
    """At a width where no sample of networks resolves it; false-alarm rate 1e-3 (Bonferroni)."""
    net, params = nn.erf_net(), dict(sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=10**6)
    X = np.array([[-1.0], [0.4]])
    estimate = nm.correlators(net, X, 4, 2**20, rng=3, route="sobol", params=params)
    theory = nn.cumulant(net, 4).evaluate(X, params=params).values.entries
    error = estimate[4].error_tensor.entries
    assert np.max(error / np.abs(theory)) < 1e-4
    pulls = (estimate[4].tensor.entries - theory) / error
    assert np.max(np.abs(pulls)) < t.isf(1e-3 / 2 / len(pulls), RANDOMISATIONS - 1)


@pytest.mark.montecarlo
def test_a_metric_under_a_readout_that_is_not_gaussian_gives_the_wrong_sign():
    """Why it is refused: Rademacher readout, E a⁴ = 1 in place of 3; false-alarm rate 1e-3."""
    params = dict(sigma_w=1.5, sigma_b=0.5, N=2)
    X = LINE[:1]
    net = nn.shallow(nn.Erf(), readout=nn.Rademacher())
    truth = nm.correlators(net, X, 4, 100_000, rng=1, params=params)
    gaussian = source(nn.shallow(nn.Erf(), readout=nn.Gaussian(0, 1)), X, params, "readout")
    forced = Estimate(
        moments=sample_moments(gaussian, networks=100_000, max_order=2, key=(1, 2)),
        orders=(4,),
        points=1,
        outputs_count=1,
        route=find_route("readout"),
        cumulant_map=MetricMap(points=1, deviations=(1.0,), biases=(0.0,)),
    )
    right, wrong = (float(e[4].mean.item() / e[4].error.item()) for e in (truth, forced))
    assert right < norm.ppf(1e-3)
    assert wrong > norm.isf(1e-3)


@pytest.mark.montecarlo
def test_a_sampler_with_a_missing_permutation_is_caught(monkeypatch, truth):
    """Two pairings in place of three; a report disagrees, and so does the comparison of routes."""
    from nnft_num.statistics import cumulant_maps

    whole = cumulant_maps.pairings
    monkeypatch.setattr(cumulant_maps, "pairings", lambda k: whole(k)[:-1] if k > 2 else whole(k))
    estimate = nm.correlators(
        SHALLOW, LINE, (2, 4), 50_000, rng=2, route="readout", params=SHALLOW_PARAMS
    )
    assert agree(estimate, truth["shallow"], (2,))
    assert not agree(estimate, truth["shallow"], (4,))
    net, params = nn.erf_net(), dict(sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=4)
    report = nm.check(net, LINE[:2], 4, 20_000, rng=1, route="readout", params=params)
    assert report.verdict == "disagree"


@pytest.mark.montecarlo
def test_a_factor_of_the_wrong_covariance_is_caught(monkeypatch, truth):
    """Layers drawn without their bias."""
    monkeypatch.setattr(hidden_rows, "variances", lambda layer, params: (params["sigma_w"] ** 2, 0))
    estimate = nm.correlators(
        DEEP, SINGULAR, 2, 50_000, rng=2, route="functions", params=DEEP_PARAMS
    )
    assert not agree(estimate, truth["deep"], (2,))


@pytest.mark.parametrize("route", ["functions", "readout", "neurons", "sobol"])
def test_bits_do_not_depend_on_who_computes(route):
    net, params = nn.erf_net(), dict(sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=3)
    chosen = "sobol-7" if route == "sobol" else route
    plain = source(net, LINE, params, chosen)
    count = RANDOMISATIONS << 7

    def run(executor):
        return sample_moments(
            plain, networks=count, max_order=2, key=(1, 2), executor=executor, groups=RANDOMISATIONS
        ).table

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(3) as three:
        first = run(one)
        assert np.array_equal(run(three), first)
    whole = rows(plain, 200)
    for start, size in ((0, 1), (3, 20), (37, 130), (199, 1)):
        assert np.array_equal(rows(plain, size, start=start), whole[start : start + size])


def test_processes_give_the_same_bits():
    plain = source(DEEP, SINGULAR, DEEP_PARAMS, "functions")
    here = sample_moments(plain, networks=400, max_order=2, key=(1, 2))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        elsewhere = sample_moments(plain, networks=400, max_order=2, key=(1, 2), executor=pool)
    assert np.array_equal(elsewhere.table, here.table)


def test_routes_share_no_draws():
    """A field and the metric below it are independent between routes of the same key."""
    fields = sample(SHALLOW, LINE[:1], 2000, 0, params=SHALLOW_PARAMS)[:, 0, 0]
    for route, step in (("functions", 1), ("readout", 1), ("neurons", 4)):
        plain = source(SHALLOW, LINE[:1], SHALLOW_PARAMS, route)
        # four neurons share the index of a network
        other = rows(plain, 2000 * step, key=key_from_rng(0))[::step, 0]
        assert abs(np.corrcoef(fields**2, other**2)[0, 1]) < 4.5 / 2000**0.5
