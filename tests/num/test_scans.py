"""Scans over parameters and widths, and the fits of powers of the width."""

from __future__ import annotations

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.confrontation.amplitudes import Amplitude
from nnft_num.confrontation.fits import fit_intercept, fit_slope
from nnft_num.kernels.double import compilations
from nnft_sym.language.errors import NotDerivedError, SpecificationError

PARAMS = dict(sigma_v=1.0)


def test_a_scan_compiles_once_and_keeps_every_combination():
    net = nn.shallow("sin(3*z)*exp(-z**2)")
    before = compilations()
    grid = nm.scan(
        net,
        [0.2, 1.0],
        2,
        2000,
        0,
        sigma_w=np.array([0.5, 1.0, 2.0]),
        sigma_b=0.1,
        N=[2, 5],
        **PARAMS,
    )
    assert compilations() - before <= 1
    assert grid.axes == {"sigma_w": (0.5, 1.0, 2.0), "N": (2, 5)}
    assert [(r.params["sigma_w"], r.params["N"]) for r in grid.reports] == [
        (w, n) for w in (0.5, 1.0, 2.0) for n in (2, 5)
    ]
    frame = grid.to_dataframe()
    assert frame.columns[:3].tolist() == ["sigma_w", "N", "order"]
    assert len(frame) == 6 * 3
    assert grid.criterion.family == 18
    assert all(r.criterion.family == 18 for r in grid.reports)
    assert grid.at(sigma_w=1.0, N=5) is grid.reports[3]
    assert len({r.key for r in grid.reports}) == 6
    assert grid.verdict == "agree"


def test_a_scan_disagrees_if_one_combination_does(monkeypatch):
    from nnft_num import front

    honest = front.evaluated

    def planted(net, X, orders, params):
        theory, variances = honest(net, X, orders, params)
        if params["sigma_w"] == 1.0:
            wrong = theory[2].values.map(lambda entries: 1.2 * entries)
            theory[2] = type(theory[2])(
                values=wrong,
                errors=theory[2].errors,
                points=theory[2].points,
                outputs=theory[2].outputs,
                exactness=theory[2].exactness,
            )
        return theory, variances

    monkeypatch.setattr(front, "evaluated", planted)
    grid = nm.scan(nn.cos_net(), [0.2, 1.0], 2, 4000, 0, sigma_w=[0.5, 1.0], N=2, **PARAMS)
    assert [str(r.verdict) for r in grid.reports] == ["agree", "disagree"]
    assert grid.verdict == "disagree"


@pytest.mark.parametrize(
    "values",
    [
        dict(sigma_w=1.0, N=2),
        dict(sigma_w=[], N=2),
        dict(sigma_w=[1.0, 1.0], N=2),
        dict(sigma_w=[[1.0, 2.0]], N=2),
        dict(sigma_w=["a", "b"], N=2),
        dict(sigma_w=[1.0, float("nan")], N=2),
        dict(sigma_w=[1.0, 2.0], N=[2, 0]),
        dict(sigma_w=[1.0, 2.0], N=2, nonsense=3),
    ],
)
def test_impossible_grids_are_refused_before_anything_is_sampled(values):
    with pytest.raises(SpecificationError):
        nm.scan(nn.cos_net(), [0.0], 2, 2000, 0, **values, **PARAMS)


def test_what_is_not_derived_names_the_combination():
    with pytest.raises(NotDerivedError) as caught:
        nm.scan(
            nn.mlp("erf(z)", depth=2), [0.5], 2, 2000, 0, sigma_w=[1, 2], sigma_b=0, n_1=2, n_2=2
        )
    assert any("sigma_w=1" in note for note in caught.value.__notes__)


def test_values_outside_a_scan_are_refused():
    grid = nm.scan(nn.cos_net(), [0.2], 2, 2000, 0, sigma_w=[0.5, 1.0], N=2, **PARAMS)
    for wrong in ({"sigma_w": 0.7}, {"N": 2}, {}):
        with pytest.raises(SpecificationError):
            grid.at(**wrong)


def test_exponent_and_intercept_have_the_errors_they_show():
    rng, widths = np.random.default_rng(0), np.array([1, 2, 4, 8])
    pulls = []
    for _ in range(400):
        relative = 0.02 * np.sqrt(widths)
        values = 3.0 / widths * (1 + relative * rng.normal(size=4))
        points = [
            Amplitude(width=int(N), value=v, error=r * 3 / N, freedom=127, theory=3 / N)
            for N, v, r in zip(widths, values, relative, strict=True)
        ]
        slope = fit_slope(points, resolution=5)
        start = fit_intercept(points, resolution=5)
        pulls.append([(slope.value + 1) / slope.error, (start.value - np.log(3)) / start.error])
    # 400 standard normals: their mean within 0.2 and deviation within 0.15 at four sigma
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.2)
    assert np.all(np.abs(np.std(pulls, axis=0) - 1) < 0.15)


def test_intercept_of_a_sweep_is_that_of_the_theory():
    found = nm.sweep(
        nn.cos_net(), [0.0, 1.0], (1, 2, 4), networks=20_000, rng=3, sigma_w=1, sigma_v=1
    )
    for slope in found.slopes:
        pull = (slope.intercept.value - slope.claimed_intercept) / slope.intercept.error
        assert abs(pull) < 4
        assert "intercept" in str(slope)
