"""The bivariate normal distribution function against mpmath, scipy and its own identities."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.stats import multivariate_normal

from nnft_sym.expectation.half_spaces import bivariate
from nnft_sym.expectation.half_spaces.bivariate import BivariateNormalCDF, normal_cdf
from nnft_sym.expectation.half_spaces.tails import bivariate_normal_cdf
from nnft_sym.language.errors import AccuracyError

SEED = 20
EPS = np.finfo(float).eps


def by_price(h, k, rho, digits=40):
    """Φ₂(h, k; -1) + ∫ ∂Φ₂/∂ρ: a sum of positive terms, so that slivers keep their digits."""
    with mpmath.workdps(digits + 15):
        h, k, rho = (mpmath.mpf(x) for x in (h, k, rho))
        start = mpmath.ncdf(h) - mpmath.ncdf(-k) if h + k > 0 else mpmath.mpf(0)
        if rho == -1:
            return start

        def exponent(t):
            # With 1 + cos ψ = 2cos², 1 - cos ψ = 2 sin², no digits are lost at either end.
            s, c = mpmath.sin(t / 2), mpmath.cos(t / 2)
            return -(((h + k) / s) ** 2 + ((h - k) / c) ** 2) / 8

        end = mpmath.acos(-rho)
        ends = [mpmath.mpf(0), end]
        ratio = abs(mpmath.sqrt(abs(h + k))), abs(mpmath.sqrt(abs(h - k)))
        peak = 2 * mpmath.atan2(*ratio) if any(ratio) else end / 2
        peak = min(peak, end)
        width = 1 / (1 + abs(h) + abs(k))
        for step in (mpmath.mpf(2) ** e for e in range(-48, 6, 3)):
            ends += [peak - step * width, peak + step * width, step * width * end, end * (1 - step)]
        ends = sorted({t for t in ends if 0 < t < end} | {mpmath.mpf(0), end})
        scale = exponent(peak) if peak else exponent(end)
        total = mpmath.quad(
            lambda t: mpmath.exp(exponent(t) - scale) if t else mpmath.mpf(0), ends, maxdegree=6
        )
        return start + mpmath.exp(scale) * total / (2 * mpmath.pi)


def corners():
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(8):
        size = rng.choice([0.5, 3.0, 10.0, 40.0])
        h = rng.uniform(-size, size)
        k = rng.choice([rng.uniform(-size, size), h, -h, 0.0, h * (1 + 1e-9), -h * (1 - 1e-12)])
        near = 10 ** rng.uniform(-15, 0)
        rho = rng.choice([1 - near, near - 1, rng.uniform(-1, 1), 1 - 1e-14, 1e-14 - 1])
        found.append((float(h), float(k), float(rho)))
    found += [(1.0, -1.0, 1e-14 - 1), (-0.3, 0.3, 1e-14 - 1), (40.0, -40.0, -0.5),
              (-40.0, -40.0, 1 - 1e-14), (38.0, 39.0, 0.1), (0.0, 0.0, 1e-14 - 1)]  # fmt: skip
    return found


@pytest.mark.parametrize(("h", "k", "rho"), corners())
def test_digits_asked_for_are_digits_given(h, k, rho):
    exact = by_price(h, k, rho)
    for digits in (15, 30):
        found = BivariateNormalCDF(*map(sp.Rational, (h, k, rho))).evalf(digits)
        with mpmath.workdps(40):
            off = abs(mpmath.mpf(found._mpf_) - exact)
            assert off <= abs(exact) * mpmath.mpf(10) ** (1 - digits)


@pytest.mark.parametrize(("h", "k", "rho"), corners())
def test_doubles(h, k, rho):
    """Errors are roundings of the smaller marginal probability, which bounds the value."""
    exact = by_price(h, k, rho, 20)
    found = bivariate_normal_cdf(h, k, rho)
    marginal = mpmath.ncdf(min(h, k)) * (1 + min(h, k) ** 2)
    assert abs(found - exact) <= 40 * EPS * marginal + 1e-300


def test_fifty_digits():
    exact = by_price(0.5, -0.25, 0.75, 60)
    found = BivariateNormalCDF(sp.Rational(1, 2), -sp.Rational(1, 4), sp.Rational(3, 4)).evalf(50)
    with mpmath.workdps(60):
        assert abs(mpmath.mpf(found._mpf_) - exact) < mpmath.mpf(10) ** -50


def test_scipy():
    rng = np.random.default_rng(SEED)
    for h, k, rho in zip(*rng.uniform(-3, 3, (2, 40)), rng.uniform(-0.99, 0.99, 40), strict=True):
        expected = multivariate_normal.cdf([h, k], cov=[[1, rho], [rho, 1]], abseps=1e-13)
        assert bivariate_normal_cdf(h, k, rho) == pytest.approx(expected, abs=2e-8)


@pytest.mark.parametrize("h", [-2.5, -0.3, 0.0, 1.7])
@pytest.mark.parametrize("k", [-1.2, 0.0, 0.3, 2.5])
def test_perfect_correlation_and_infinities(h, k):
    both, lower = sp.Rational(h), sp.Rational(k)
    at = {rho: float(BivariateNormalCDF(both, lower, rho).evalf(20)) for rho in (-1, 0, 1)}
    Ph, Pk = (float(normal_cdf(sp.Rational(x)).evalf(20)) for x in (h, k))
    assert at[1] == pytest.approx(min(Ph, Pk), rel=1e-15)
    assert at[-1] == pytest.approx(max(Ph + Pk - 1, 0), rel=1e-14)
    assert at[0] == pytest.approx(Ph * Pk, rel=1e-15)
    for rho, value in at.items():
        assert bivariate_normal_cdf(h, k, rho) == pytest.approx(value, abs=4e-16)
    for rho in (-1.0, -0.4, 0.9, 1.0):
        assert bivariate_normal_cdf(h, np.inf, rho) == pytest.approx(Ph, rel=1e-15)
        assert bivariate_normal_cdf(-np.inf, k, rho) == 0.0
        assert BivariateNormalCDF(both, sp.oo, sp.Rational(rho)) == normal_cdf(both)
        assert BivariateNormalCDF(both, -sp.oo, sp.Rational(rho)) == 0


def test_outside_its_domain():
    assert np.isnan(bivariate_normal_cdf([1.0, np.nan], [0.0, 0.0], [1.1, 0.5])).all()
    assert BivariateNormalCDF(1, 2, 2) is sp.nan
    assert BivariateNormalCDF(sp.nan, 2, 0) is sp.nan


def test_correlations_that_rounding_moves_beyond_one():
    one = sp.cos(1) ** 2 + sp.sin(1) ** 2
    assert BivariateNormalCDF(1, 2, one).evalf(15) == normal_cdf(sp.Integer(1)).evalf(15)
    assert BivariateNormalCDF(-1, -2, -one).evalf(15) == 0


def test_digits_that_cannot_be_had_are_refused(monkeypatch):
    """A sliver at ρ = -1 + 10⁻⁹⁰, which needs hundreds of bits."""
    sliver = BivariateNormalCDF(sp.S.Half, -sp.S.Half, sp.Rational(1, 10) ** 90 - 1)
    exact = sp.sqrt(2) * sp.Rational(1, 10) ** 45 * sp.exp(-sp.Rational(1, 8)) / (2 * sp.pi)
    assert float(sliver.evalf(15) / exact.evalf(15)) == pytest.approx(1, rel=1e-14)
    monkeypatch.setattr(bivariate, "_EXTRA_BITS", (30, 400))
    with pytest.raises(AccuracyError):
        sliver.evalf(15)


H, K, RHO = sp.symbols("h k rho", real=True)
POINT = {H: sp.Rational(3, 10), K: -sp.Rational(7, 10), RHO: sp.Rational(2, 5)}


@pytest.mark.parametrize("symbol", [H, K, RHO])
def test_derivatives_against_differences(symbol):
    function = BivariateNormalCDF(H, K, RHO)
    step = sp.Rational(1, 10**8)
    sides = [function.subs(POINT | {symbol: POINT[symbol] + s * step}).evalf(30) for s in (1, -1)]
    difference = (sides[0] - sides[1]) / (2 * step)
    found = function.diff(symbol).subs(POINT).evalf(30)
    assert abs(difference - found) < 1e-14


@pytest.mark.parametrize("symbol", [H, RHO])
def test_series(symbol):
    function = BivariateNormalCDF(H, K, RHO).subs({s: v for s, v in POINT.items() if s != symbol})
    series = function.series(symbol, 0, 3).removeO()
    at = {symbol: sp.Rational(1, 10000)}
    assert abs((series - function).subs(at).evalf(18)) < 1e-12


def test_limits():
    function = BivariateNormalCDF(H, K, RHO)
    near = function.subs({H: -sp.S.Half, K: 1})
    assert sp.limit(near, RHO, 1, "-") == normal_cdf(-sp.S.Half)
    assert sp.limit(function.subs({K: 1, RHO: sp.S.Half}), H, sp.oo) == normal_cdf(sp.Integer(1))


def test_print():
    assert sp.latex(BivariateNormalCDF(H, K, RHO) ** 2) == r"\Phi_{2}\left(h, k; \rho\right)^{2}"
    numeric = sp.lambdify((H, K, RHO), BivariateNormalCDF(H, K, RHO), modules=["scipy", "numpy"])
    assert numeric(1.0, -1.0, 0.5) == pytest.approx(0.15487295185860279, rel=1e-15)
