"""Effective local couplings against closed forms, another integrator and planted couplings."""

import itertools

import numpy as np
import pytest
from scipy import integrate

import nnft_sym as nn
from nnft_sym.expectation.boxes import integrated_over_box
from nnft_sym.tensors import SymmetricTensor

HALF_LINE = [[0.4], [0.9], [1.5]]
FLAT = dict(sigma_w=1.0, sigma_b=0.0, sigma_v=1.0, N=100)
LINE = [[-1.0], [-0.4], [0.2], [0.7]]
ERF = dict(sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=100)


def test_relu_on_a_half_line_is_local_with_a_closed_coupling():
    """K = xy/2 for x, y > 0 and G_c⁽⁴⁾ = 15 Πx/4N give λ = -25/(2 N Λ⁵)."""
    fit = nn.local_couplings(nn.relu_net(), HALF_LINE, 3.0, **FLAT)
    assert fit["local"] == pytest.approx(-12.5 / (100 * 3.0**5), rel=1e-12)
    assert fit.misfit < 1e-12
    assert fit.errors is None
    assert fit.accuracy < 1e-6


@pytest.mark.parametrize("d", [1, 2, 3])
def test_renormalisation_group_slope_of_relu(d):
    X = np.random.default_rng(d).uniform(0.2, 1.0, size=(3, d))
    run = nn.running_coupling(nn.relu_net(), X, [1.5, 3.0, 6.0], rtol=1e-3, **FLAT)
    np.testing.assert_allclose(run.slopes, -(d + 4), rtol=1e-9)
    biased = nn.running_coupling(
        nn.relu_net(), X, [1.5, 3.0], rtol=1e-3, **{**FLAT, "sigma_b": 1.0}
    )
    assert abs(biased.slopes[0] + d + 4) > 0.2


def test_response_in_two_dimensions_in_polar_coordinates():
    """K(y, x) = |y| k(θ) without bias, so the box integral is one over θ of k⁴ R(θ)⁶/6."""
    x, cutoff = np.array([[0.6, -0.3]]), 1.5
    response = nn.local_response(
        nn.relu_net(), x, cutoff, terms=("local", "position"), rtol=1e-5, **FLAT
    )
    length, direction = np.hypot(*x[0]), np.arctan2(x[0, 1], x[0, 0])

    def shape(theta):
        angle = np.arccos(np.cos(theta - direction))
        return length / 2 * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)

    def reach(theta):
        return cutoff / max(abs(np.cos(theta)), abs(np.sin(theta)))

    edges = np.sort(np.append(np.arange(-4, 5) * np.pi / 4, [direction, direction + np.pi]))
    for tensor, power in zip(response.tensors, (6, 8), strict=True):
        expected = sum(
            integrate.quad(lambda t, p=power: shape(t) ** 4 * reach(t) ** p / p, a, b)[0]
            for a, b in itertools.pairwise(edges)
        )
        assert tensor.entries[0] == pytest.approx(-24 * expected, rel=2e-5)


def test_planted_couplings_come_back_with_their_errors():
    response = nn.local_response(
        nn.erf_net(), LINE, 2.0, terms=("local", "position", "nonlocal"), **ERF
    )
    planted = {"local": 0.02, "position": -0.01, "nonlocal": 0.003}
    total = sum(
        (t * planted[term] for term, t in zip(response.terms, response.tensors, strict=True)),
        start=response.tensors[0] * 0.0,
    )
    clean = nn.fit_local_couplings(response, total)
    for term, value in planted.items():
        assert clean[term] == pytest.approx(value, rel=1e-7)
    errors = total.map(lambda entries: 0.02 * np.abs(entries) + 1e-6)
    rng = np.random.default_rng(5)
    chi, pulls = [], []
    for _ in range(300):
        noisy = SymmetricTensor(4, 4, total.entries + errors.entries * rng.normal(size=len(total)))
        fit = nn.fit_local_couplings(response, noisy, errors)
        chi.append(fit.chi_squared)
        pulls.append([(fit[t] - planted[t]) / fit.errors[t] for t in planted])
    # 300 fits: mean of χ² within 4 standard errors, spread of the pulls within 4 of 1.
    assert abs(np.mean(chi) - fit.degrees) < 4 * np.sqrt(2 * fit.degrees / 300)
    assert np.all(np.abs(np.std(pulls, axis=0) - 1) < 4 / np.sqrt(600))
    same = nn.fit_local_couplings(response, noisy, np.diag(errors.entries**2))
    assert same["local"] == pytest.approx(fit["local"], rel=1e-9)
    assert "Σ_3" in str(fit)


def test_nonlocal_response_is_a_product_of_integrals():
    response = nn.local_response(nn.relu_net(), HALF_LINE, 2.0, terms=("nonlocal",), **FLAT)
    x = np.array(HALF_LINE)[:, 0]
    # ∫_0^Λ (y x_a/2)(y x_b/2) dy = x_a x_b Λ³/12
    expected = -8 * 3 * (2.0**3 / 12) ** 2 * np.prod(x[response.tensors[0].indices], axis=1)
    np.testing.assert_allclose(response.tensors[0].entries, expected, rtol=1e-10)


def test_six_points_from_a_local_coupling():
    """Tree exchange on a half line: 10 (24λ)² (Λ⁵/5)²/2⁷ Πx against 165 Πx/2N²."""
    net = nn.relu_net()
    fit = nn.local_couplings(net, HALF_LINE, 2.0, **FLAT)
    found = nn.six_point_prediction(net, HALF_LINE, fit, **FLAT)
    tree = 10 * (24 * fit["local"]) ** 2 * (2.0**5 / 5) ** 2 / 2**7
    x = np.prod(np.array(HALF_LINE)[:, 0][found.exact.indices], axis=1)
    np.testing.assert_allclose(found.predicted.entries, tree * x, rtol=1e-6)
    np.testing.assert_allclose(found.exact.entries, 82.5 * x / 100**2, rtol=1e-10)
    assert found.deviation == pytest.approx(281.25 / 82.5 - 1, rel=1e-6)
    # ∫_0^Λ (y/2)⁶ dy = Λ⁷/(7·64): a sextic coupling of the same order takes up the rest.
    sextic = (281.25 - 82.5) / 100**2 / (720 * 2.0**7 / (7 * 64))
    assert found.sextic == pytest.approx(sextic, rel=1e-6)
    assert found.misfit < 1e-6
    both = nn.local_couplings(net, [[-0.5], [0.7]], 2.0, terms=("local", "nonlocal"), **FLAT)
    with pytest.raises(nn.SpecificationError, match="alone"):
        nn.six_point_prediction(net, HALF_LINE, both, **FLAT)


def test_impossible_fits_are_refused():
    net = nn.relu_net()
    with pytest.raises(nn.SpecificationError, match="cutoff"):
        nn.local_response(net, HALF_LINE, -1.0, **FLAT)
    with pytest.raises(nn.SpecificationError, match="interactions"):
        nn.local_response(net, HALF_LINE, 1.0, terms=("quartic",), **FLAT)
    with pytest.raises(nn.SpecificationError, match="linearly dependent"):
        nn.local_couplings(net, HALF_LINE, 1.0, terms=("local", "position"), **FLAT)
    with pytest.raises(nn.SpecificationError, match="one output"):
        nn.local_couplings(nn.relu_net(outputs=2), HALF_LINE, 1.0, **FLAT)
    response = nn.local_response(net, HALF_LINE, 1.0, **FLAT)
    with pytest.raises(nn.SpecificationError, match="positive errors"):
        nn.fit_local_couplings(response, response.tensors[0], np.zeros(15))
    with pytest.raises(nn.SpecificationError, match="ascending"):
        nn.running_coupling(net, HALF_LINE, [2.0, 1.0], **FLAT)
    with pytest.raises(nn.AccuracyError, match="relative"):
        integrated_over_box(
            lambda y, w: np.array([[w @ (y[:, 0] > 0.123)]]), cutoff=1.0, dimension=1, rtol=1e-9
        )
