"""Criticality: the literature's values, and mpmath's own integrals at high precision."""

import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.activations import Z
from nnft_sym.expectation.averages import Average
from nnft_sym.expectation.closed import closed_form
from nnft_sym.recursions import VarianceRecursion
from nnft_sym.roots import find_roots

SILU = "z/(1 + exp(-z))"


def average(g, K, corners=(0,)):
    """E[g(z)] for z ~ N(0, K), to 20 digits by mpmath."""
    with mp.workdps(25):
        s = mp.sqrt(K)
        ends = [-mp.inf, *sorted(mp.mpf(c) / s for c in corners), mp.inf]
        return mp.quad(lambda t: g(s * t) * mp.npdf(t), ends)


def silu(z):
    return z / (1 + mp.exp(-z))


def silu_slopes(z):
    s = 1 / (1 + mp.exp(-z))
    return s * (1 + z * (1 - s)), s * (1 - s) * (2 + z * (1 - 2 * s))


def gelu(z):
    return z * mp.ncdf(z)


def gelu_slopes(z):
    return mp.ncdf(z) + z * mp.npdf(z), mp.npdf(z) * (2 - z**2)


@pytest.mark.parametrize(
    ("activation", "slope"),
    [
        (nn.ReLU(), 0),
        (nn.LeakyReLU(0.2), sp.Rational(1, 5)),
        (nn.Abs(), -1),
        (nn.Identity(), 1),
    ],
)
def test_scale_invariant_class(activation, slope):
    found = nn.criticality(activation)
    assert found.universality == "scale-invariant"
    assert 2 / (1 + sp.sympify(slope) ** 2) == found.C_W
    assert (found.C_b, found.K) == (0, None)


@pytest.mark.parametrize(
    ("activation", "C_W"),
    [
        (nn.Tanh(), 1),
        (nn.Sin(), 1),
        (nn.Erf(), sp.pi / 4),
        ("2*atan(z)", sp.Rational(1, 4)),
        ("z*exp(-z**2/2)", 1),
        ("z/(1 + abs(z))", 1),
        ("where(z > 0, z, exp(z) - 1)", 1),
        ("max(-1, min(1, z))", 1),
    ],
)
def test_class_of_vanishing_variance(activation, C_W):
    found = nn.criticality(activation, search=(1e-2, 1e2))
    assert found.universality == "K*=0"
    assert (found.C_W, found.C_b, found.K) == (C_W, 0, 0)
    assert found.point.stability == "stable"
    assert len(found.points) == 1


@pytest.mark.parametrize(
    ("activation", "f", "slopes", "K", "C_W", "C_b"),
    [
        (nn.GELU(), gelu, gelu_slopes, (3 + 17**0.5) / 2, 1.98305826, 0.17292239),
        (SILU, silu, silu_slopes, 14.32017362, 1.98800468, 0.55514317),
    ],
    ids=["GELU", "SiLU"],
)
def test_half_stable_class(activation, f, slopes, K, C_W, C_b):
    """The values printed in PDLT chapter 5, and χ = 1 by mpmath within the errors."""
    found = nn.criticality(activation, search=(1, 100))
    assert found.universality == "half-stable"
    point = found.point
    assert [float(v) for v in (point.K, point.C_W, point.C_b)] == pytest.approx(
        [K, C_W, C_b], abs=5e-9
    )
    assert max(point.K_error, point.C_W_error, point.C_b_error) < 1e-10
    with mp.workdps(25):
        exact = mp.findroot(
            lambda k: average(lambda z: f(z) * slopes(z)[1], k), (K - 0.01, K + 0.01)
        )
        slope = average(lambda z: slopes(z)[0] ** 2, exact)
        bias = exact - average(lambda z: f(z) ** 2, exact) / slope
        assert abs(mp.mpf(str(sp.N(point.K, 20))) - exact) <= point.K_error + 1e-12
        assert abs(mp.mpf(str(point.C_W)) - 1 / slope) <= point.C_W_error + 1e-14
        assert abs(mp.mpf(str(point.C_b)) - bias) <= point.C_b_error + 1e-14
    unstable = next(p for p in found.points if p.K == 0)
    assert (unstable.C_W, unstable.stability) == (4, "unstable")


def test_gelu_is_exact():
    found = nn.criticality(nn.GELU(), search=(1, 10))
    assert (3 + sp.sqrt(17)) / 2 == found.K
    assert found.point.K_error == 0
    assert "K* = 3/2 + sqrt(17)/2, C_W = 1.983058257 ±" in repr(found)


@pytest.mark.parametrize(
    "activation",
    [nn.Sign(), nn.Step(), nn.Cos(), nn.Exp(), nn.Monomial(2), "1/(1 + exp(-z))", "1", "sinh(z)"],
)
def test_no_criticality(activation):
    found = nn.criticality(activation, search=(1e-2, 1e2))
    assert found.universality == "none"
    assert found.point is found.C_W is found.C_b is found.K is None
    assert all(point.stability == "unstable" for point in found.points)
    assert found.reason in found.latex()


@pytest.mark.parametrize(
    ("activation", "reason"),
    [
        ("1/(1 + exp(-z))", "χ_∥ ≠ χ_⊥ at every K"),
        ("log(1 + exp(z))", "χ_∥ ≠ χ_⊥ at every K"),
        (nn.Exp(), "χ_∥ ≠ χ_⊥ at every K"),
        (nn.Cos(), "χ_∥ ≠ χ_⊥ at every K"),
        (nn.Step(), "φ jumps"),
        ("sinh(z)", "unstable"),
        ("1", "φ is constant"),
        ("z**3 - z + 2", "C_b < 0"),
    ],
)
def test_why_there_is_no_criticality(activation, reason):
    assert reason in nn.criticality(activation, search=(1e-2, 1e1)).reason


def test_classes_with_criticality_need_no_reason():
    assert nn.criticality(nn.Tanh(), search=(1e-2, 1e1)).reason == ""


def test_a_line_of_critical_points():
    found = nn.criticality("max(z - 1, 0)")
    assert found.universality == "line"
    K = 1.7
    F = average(lambda z: max(z - 1, 0) ** 2, K, (1,))
    chi = average(lambda z: 1 if z > 1 else 0, K, (1,))
    C_b = float(K - F / chi)
    assert C_b > 0
    fixed = nn.fixed_points("max(z - 1, 0)", float(1 / chi), C_b, search=(1.0, 3.0)).points
    assert all(abs(p.parallel - 1) < 1e-6 for p in fixed)


def test_variances_that_would_be_negative_are_no_criticality():
    found = nn.criticality("z**3 - z + 2", search=(1e-2, 1e1))
    assert found.universality == "none"
    assert any("< 0" in step for step in found.steps)


def test_what_was_searched_is_said():
    found = nn.criticality(nn.Exp())
    assert "16 points per decade" in found.searched
    # E e^{2z} leaves double precision: the range says where the search ended.
    assert "1e+04" not in found.searched
    narrow = nn.criticality(nn.GELU(), search=(4.0, 100.0))
    assert narrow.universality == "none"
    assert "[4, 100]" in narrow.searched
    with pytest.raises(nn.SpecificationError, match="0 < low < high"):
        nn.criticality(nn.GELU(), search=(1.0, 1.0))
    with pytest.raises(nn.NotDerivedError, match="activation in z alone"):
        nn.criticality(nn.NormalisedExp())


RECURSIONS = {
    "tanh": (nn.Tanh(), mp.tanh, 2.0, 0.1),
    "erf": (nn.Erf(), mp.erf, 1.0, 0.3),
    "GELU": (nn.GELU(), gelu, 1.5, 0.2),
    "ReLU": (nn.ReLU(), lambda z: max(z, 0), 1.2, 0.3),
    "exp": ("exp(z)", mp.exp, 0.1, 0.1),
}


@pytest.mark.parametrize("name", RECURSIONS)
def test_fixed_points_are_fixed(name):
    activation, f, C_W, C_b = RECURSIONS[name]
    found = nn.fixed_points(activation, C_W, C_b, search=(1e-2, 1e2))
    assert found.points
    for point in found.points:
        K, h = point.K, 1e-4 * point.K
        F = {s: average(lambda z: f(z) ** 2, K + s * h) for s in (-1, 0, 1)}
        assert abs(C_b + C_W * F[0] - K) < 3 * point.K_error + 1e-13
        assert point.K_error < 1e-10
        assert point.parallel == pytest.approx(float(C_W * (F[1] - F[-1]) / (2 * h)), rel=1e-6)
        slope = average(lambda z: mp.diff(f, z) ** 2, K)
        assert point.perpendicular == pytest.approx(float(C_W * slope), rel=1e-8)
        assert point.stability == ("stable" if point.parallel < 1 else "unstable")
    K = found.points[0].K * 1.001
    for _ in range(200):
        K = C_b + C_W * VarianceRecursion(activation=nn.Activation.of(activation)).variance(K)[0]
        if abs(K - found.points[0].K) < 1e-9:
            break
    assert pytest.approx(found.points[0].K, abs=1e-8) == K


def test_fixed_points_at_the_ends():
    zero = nn.fixed_points(nn.Tanh(), 0.5, 0.0, search=(1e-2, 1e1)).points
    assert [(p.K, p.parallel, p.stability) for p in zero] == [(0.0, 0.5, "stable")]
    assert nn.fixed_points(nn.ReLU(), 2.0, 0.0).every
    assert nn.fixed_points(nn.ReLU(), 2.0, 0.1).points == ()
    (line,) = nn.fixed_points(nn.ReLU(), 1.0, 0.5).points
    assert (line.K, line.parallel, line.perpendicular) == (1.0, 0.5, 0.5)
    (jump,) = nn.fixed_points(nn.Sign(), 1.0, 0.5, search=(1e-1, 1e1)).points
    assert pytest.approx(1.5, abs=1e-12) == jump.K
    assert (jump.perpendicular, jump.stability) == (math.inf, "stable")
    assert abs(jump.parallel) < 1e-12
    with pytest.raises(nn.SpecificationError, match="variances C_W, C_b >= 0"):
        nn.fixed_points(nn.ReLU(), -1.0, 0.0)


def test_the_critical_point_is_a_fixed_point_without_growth():
    critical = nn.criticality(SILU, search=(10, 20)).point
    point = min(
        nn.fixed_points(SILU, float(critical.C_W), float(critical.C_b), search=(10, 20)).points,
        key=lambda p: abs(p.K - float(critical.K)),
    )
    # A double root: K is only known to the root of the rounding errors.
    assert abs(point.K - float(critical.K)) < 1e-3
    assert point.parallel == pytest.approx(1, abs=1e-6)
    assert point.perpendicular == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("g", "f"),
    [
        (Z * sp.erf(Z / 2) * sp.exp(-(Z**2)), lambda z: z * mp.erf(z / 2) * mp.exp(-(z**2))),
        (Z**5 * sp.erf(Z) - 2 * Z**2, lambda z: z**5 * mp.erf(z) - 2 * z**2),
        ((1 + Z) * sp.erf(3 * Z), lambda z: (1 + z) * mp.erf(3 * z)),
    ],
)
@pytest.mark.parametrize("K", [0.01, 1.0, 30.0])
def test_one_error_function_at_one_point(g, f, K):
    form = closed_form((sp.expand(g),))
    value = form.evaluate(np.array([[[K]]]), np.zeros((1, 1, 1)))[0]
    assert value == pytest.approx(float(average(f, K)), rel=1e-12)


def test_averages_with_corners_and_their_errors():
    g = sp.Abs(Z - 1) * sp.tanh(Z)
    value, error = Average(integrand=g, deltas=((sp.Integer(1), sp.Integer(3)),))(0.7)
    exact = average(lambda z: abs(z - 1) * mp.tanh(z), 0.7, (1,)) + 3 * mp.npdf(1, 0, mp.sqrt(0.7))
    assert abs(value - exact) <= error < 1e-12
    with pytest.raises(nn.InfiniteMomentError):
        Average(integrand=sp.exp(Z**2))(0.6)


def test_roots_are_bracketed_and_near_misses_are_not_roots():
    search = find_roots(lambda x: ((x - 2) * (x - 2.05) * (x - 30), 1e-13), 0.1, 100.0)
    assert [round(root.value, 10) for root in search.roots] == [2.0, 2.05, 30.0]
    assert all(
        abs(r.value - t) <= r.error for r, t in zip(search.roots, (2, 2.05, 30), strict=True)
    )
    assert find_roots(lambda x: ((x - 2) ** 2 + 1e-6, 1e-13), 0.1, 100.0).roots == ()
    (touch,) = find_roots(lambda x: ((x - 2) ** 2, 1e-13), 0.1, 100.0).roots
    assert touch.touching
    assert abs(touch.value - 2) <= touch.error < 1e-5


def test_latex():
    lines = nn.criticality(nn.GELU(), search=(1, 10)).latex().splitlines()
    assert lines[0] == r"\text{half-stable}"
    assert r"K^* = \frac{3}{2} + \frac{\sqrt{17}}{2}" in lines[1]
