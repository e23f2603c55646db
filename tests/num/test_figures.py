"""Figures: what they draw, in a style that touches nothing outside."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

import nnft_num as nm
import nnft_sym as nn
from nnft_num.reporting.figures import COLOURS, pull_density, pulls_figure, report_figure, svg
from nnft_sym.language.errors import SpecificationError
from tests.num.synthetic import order_report, report


@pytest.fixture
def example():
    second = order_report([2.0, 1.0, 1.5], [2.0, 0.8, 1.5], [0.05] * 3, order=2)
    fourth = order_report([1.0] * 5, [1.5, 1, 1, 1, 1], [0.5, 0.1, 0.1, 0.1, 0.1])
    return report(second, fourth)


@pytest.fixture(autouse=True)
def settings_are_left_alone():
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before


def test_report_has_a_panel_of_pulls_with_limits(example):
    upper, lower = report_figure(example).axes
    assert upper.get_ylabel() == "estimate / scale"
    drawn = np.concatenate(
        [line.get_ydata() for line in lower.lines if line.get_marker() != "None"]
    )
    assert np.allclose(sorted(drawn), sorted([0, 4, 0, -1, 0, 0, 0, 0]))
    assert any(line.get_linestyle() == "--" for line in lower.lines)


def test_pulls_are_drawn_against_the_law_that_is_claimed(example):
    axes = nm.plot_pulls(example, Figure().subplots())
    grid, law = axes.lines[0].get_data()
    assert np.allclose(law, stats.t.pdf(grid, 127), rtol=1e-10)
    assert np.trapezoid(law, grid) == pytest.approx(1, abs=2e-4)
    heights = np.array([patch.get_height() * patch.get_width() for patch in axes.patches])
    assert heights.sum() == pytest.approx(1)


def test_law_is_the_mean_over_the_degrees_of_freedom():
    t = np.linspace(-3, 3, 7)
    expected = (stats.t.pdf(t, 2) + stats.t.pdf(t, 50)) / 2
    assert np.allclose(pull_density(t, [2, 50]), expected)


def test_unknown_pulls_are_left_out():
    heavy = order_report([1.0, 1.0, 1.0], [1, 1, 1], [0.1] * 3, order=2, heavy=[True] * 3)
    assert svg(report_figure(report(heavy))).startswith("<svg")
    assert svg(pulls_figure(report(heavy))).startswith("<svg")


def test_drawings_are_the_same_on_every_run(example):
    assert svg(report_figure(example)) == svg(report_figure(example))


def test_kernels_are_drawn_as_they_are_evaluated():
    K, Theta = nn.kernel(nn.relu_net()), nn.ntk(nn.relu_net())
    params = dict(sigma_w=1.0, sigma_b=0.2, sigma_v=1.0)
    X = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.5]]
    axes = nm.plot_heat_map(K, X, Figure().subplots(), **params)
    assert np.array_equal(axes.images[0].get_array(), K.tensor(X, **params))
    assert axes.images[0].get_cmap().name == "cividis"
    axes = nm.plot_angles([K, Theta], 2.0, Figure().subplots(), angles=5, N=3, **params)
    theta, curve = axes.lines[1].get_data()
    a = theta[3]
    pair = [[2.0, 0.0], [2 * np.cos(a), 2 * np.sin(a)]]
    assert curve[3] == pytest.approx(Theta.tensor(pair, **params)[0, 1], rel=1e-9)
    assert len({line.get_linestyle() for line in axes.lines}) == 2


def test_only_kernels_are_drawn_as_kernels():
    G4 = nn.cumulant(nn.cos_net(), 4)
    for draw in (nm.plot_heat_map, nm.plot_angles):
        with pytest.raises(SpecificationError, match="order 2"):
            draw(G4, [[0.0, 1.0]], Figure().subplots(), N=1, sigma_w=1, sigma_v=1)


def test_colours_differ_in_lightness_or_marker():
    with nm.style():
        cycle = mpl.rcParams["axes.prop_cycle"].by_key()
    assert cycle["color"] == list(COLOURS)
    assert len(set(map(str, cycle["linestyle"]))) == len(COLOURS)
