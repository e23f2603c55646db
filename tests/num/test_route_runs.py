"""Runs by every route: files, targets, merging and precision serve them as they are."""

from __future__ import annotations

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.estimates.estimate import Estimate
from nnft_num.routes import find_route
from nnft_num.statistics.cumulant_maps import MetricMap
from nnft_num.statistics.moments import moments_from_fields, order_offsets
from nnft_sym.language.errors import AccuracyError, SpecificationError

X = np.array([-1.0, 0.4])
NET = nn.erf_net()
CALL = dict(orders=(2, 4), networks=4096, rng=5, sigma_w=1.0, sigma_b=0.5, sigma_v=1.2, N=3)
ROUTES = pytest.mark.parametrize(
    "route", ["parameters", "functions", "readout", "neurons", "sobol", "auto"]
)


def sampled(**changes):
    return nm.correlators(NET, X, **CALL | {"progress": False} | changes)


def same(one, two):
    return all(
        np.array_equal(found, expected)
        for order in (2, 4)
        for ours, its in ((one[order], two[order]), (one.full[order], two.full[order]))
        for found, expected in ((ours.mean, its.mean), (ours.error, its.error))
    )


@ROUTES
def test_a_file_of_any_route_gives_the_same_estimate(tmp_path, route):
    path, copy = tmp_path / "run.nc", tmp_path / "copy.nc"
    estimate = sampled(route=route, store=path)
    nm.save(estimate, copy)
    for loaded in (nm.load(path), nm.load(copy)):
        assert same(loaded, estimate)
        assert loaded.cumulant_map == estimate.cumulant_map
        assert (loaded.route.name, loaded.reason) == (estimate.route.name, estimate.reason)
        assert loaded.precision == estimate.precision
    assert same(sampled(route=route, store=path, rng=None), estimate)


@ROUTES
def test_runs_of_any_route_merge(route):
    one = sampled(route=route)
    two = sampled(route=route, first=one.networks)
    both = nm.merge(two, one)
    assert (both.route, both.reason) == (one.route, one.reason)
    assert both.networks == 2 * one.networks
    assert both.groups == 2 * one.groups
    np.testing.assert_allclose(both[2].mean, (one[2].mean + two[2].mean) / 2, rtol=1e-3)


def test_randomisations_are_never_torn():
    with pytest.raises(SpecificationError, match="multiple of the 64 points"):
        sampled(route="sobol", first=32)


@pytest.mark.montecarlo
@pytest.mark.parametrize("route", ["parameters", "functions", "readout", "neurons", "auto"])
def test_a_target_is_reached_by_every_route_that_grows(route):
    """Against the closed form; false-alarm rate 1e-4 for each entry by Student's law."""
    estimate = sampled(route=route, target=0.1, networks=None)
    assert estimate.route.name == ("neurons" if route == "auto" else route)
    for order in (2, 4):
        theory = nn.cumulant(NET, order).tensor(X, **{name: CALL[name] for name in PARAMS})
        each = estimate[order]
        assert np.max(each.error) <= 0.1 * np.max(np.abs(each.mean))
        assert np.max(np.abs(each.mean - theory) / each.error) < 4.5


PARAMS = ("sigma_w", "sigma_b", "sigma_v", "N")


def test_sobol_points_are_refused_with_a_target_and_auto_says_so():
    with pytest.raises(SpecificationError, match="fixed before the run"):
        sampled(route="sobol", target=0.1, networks=None)
    assert "sobol: the number of points" in sampled(route="auto", target=0.1, networks=None).reason


def test_what_a_target_does_not_reach_is_an_estimate_of_its_route():
    with pytest.raises(AccuracyError) as caught:
        sampled(route="readout", target=1e-4)
    reached = caught.value.estimate
    assert reached.route.name == "readout"
    assert isinstance(reached.cumulant_map, MetricMap)
    assert np.all(np.isfinite(reached[4].mean))


@pytest.mark.parametrize("route", ["parameters", "functions", "readout", "neurons"])
def test_the_arithmetic_is_settled_before_the_run_and_told(route):
    assert sampled(route=route).precision == "single"
    assert sampled(route=route, precision="double").precision == "double"
    net, params = nn.shallow("cos(1e6*z)"), {name: CALL[name] for name in PARAMS}
    far = nm.correlators(net, X, 2, 64, rng=0, route=route, params=params)
    assert far.precision == "double"
    with pytest.raises(SpecificationError, match="precision"):
        sampled(route=route, precision="half")


def test_sobol_points_are_computed_in_double_precision():
    assert sampled(route="sobol").precision == "double"


def test_reports_say_which_arithmetic_was_taken():
    for precision in ("single", "double"):
        report = nm.check(NET, X, route="readout", precision=precision, **CALL)
        assert report.precision == precision
        assert f"(readout, {precision} precision, 128 groups)" in str(report)


def test_six_points_of_a_metric_over_many_points_are_those_of_few():
    """Entries are worked on in parts: those of the first points do not know of the others."""
    rows = np.random.default_rng(0).normal(size=(64, 6 * 7 // 2)) ** 2
    found = []
    for points in (6, 2):
        map_ = MetricMap(points=points, deviations=(1.1,), biases=(0.3,))
        moments = moments_from_fields(rows[:, : map_.dimension], max_order=3, groups=16)
        estimate = Estimate(
            moments=moments,
            orders=(6,),
            points=points,
            outputs_count=1,
            route=find_route("readout"),
            cumulant_map=map_,
        )
        assert moments.table.shape[1] == order_offsets(map_.dimension, 3)[-1]
        found.append(estimate)
    part = (slice(2),) * 6
    np.testing.assert_allclose(found[0][6].mean[part], found[1][6].mean, rtol=1e-10)
    np.testing.assert_allclose(found[0].full[6].error[part], found[1].full[6].error, rtol=1e-10)
