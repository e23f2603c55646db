"""Every rule of integration against quadrature that shares nothing with it, at every rank.

The cases are found by walking the rules: a rule without cases of its own fails by name.
"""

import pkgutil
from importlib import import_module
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import sympy as sp
from mpmath.calculus.quadrature import GaussLegendre

from nnft_sym.activations import Activation
from nnft_sym.expectation import rules
from nnft_sym.expectation.variables import covariance
from tests.sym.quadrature import one_point, two_points, z

RULES = {info.name: info.name for info in pkgutil.iter_modules(rules.__path__)}
# Pairs of functions at two points, each with its kinks.
PAIRS = {
    "parity": [("erf(z)", "exp(-z**2)"), ("z*abs(z)", "cos(z)"), ("sign(z)", "abs(z)")],
    "exponential": [
        ("z**3 - z/2 + 1", "z**2"), ("exp(z)", "exp(-z/2)"), ("cos(2*z)", "sin(z + 1/3)"),
        ("exp(-z**2)", "z**2*exp(-z**2/3)"), ("sinh(z)*z", "cosh(z/2)*exp(-z**2/4)"),
        ("exp(-z**2)*sin(z)", "exp(z)*cos(z)"),
    ],
    "arcsine": [("erf(z)", "erf(3*z)"), ("1 + erf(z/2)", "2 - 3*erf(z)"), ("erf(-z)", "erf(20*z)")],
    "arccosine": [
        ("max(z, 0)", "max(z, 0)"), ("abs(z)", "z**2*heaviside(z)"), ("sign(z)", "heaviside(z)"),
        ("max(z, 0) + 0.2*min(z, 0)", "1 + abs(z)**3"), ("max(-z, 0)**4", "z + heaviside(z)"),
    ],
    "half_space": [
        ("z*(1 + erf(z/sqrt(2)))/2", "z*erf(z)"), ("max(z - 1, 0)", "max(-1, min(1, z))"),
        ("where(z > 0, z, exp(z) - 1)", "heaviside(z + 1/2)"), ("erf(z - 1/2)", "erfc(2*z + 1)"),
        ("exp(-z**2)*max(z, 0)", "z**2*erf(z)"), ("erf(z)", "exp(z/2)"), ("erf(z)**2", "z**2 + z"),
        ("abs(z)*exp(-abs(z))", "where(abs(z) < 1, 1 - z**2, 0)"), ("erf(z)*sin(z)", "cos(z)"),
    ],
}  # fmt: skip
# Functions at one point.
SINGLES = {
    "parity": ["z**3*erf(z)**2", "sin(z)*abs(z)"],
    "exponential": ["z**4 - z", "exp(z)*cos(2*z)", "z**2*exp(-3*z**2)"],
    "arcsine": ["1/2 + erf(z/3)"],
    "arccosine": ["max(z, 0)**3", "1 + heaviside(z)"],
    "erf_moment": ["z*erf(z)", "z**3*erf(2*z)*exp(-z**2/2) + z**2", "z*erf(z/5) - erf(z)"],
    "half_space": ["erf(z)**2", "max(z - 1, 0)**2", "exp(z)*erfc(z)", "z**2*erf(z + 1)",
                   "erf(z)*sin(z)"],
}  # fmt: skip
ONE_POINT_ONLY = {"erf_moment"}


def derive(rule):
    return import_module(f"{rules.__name__}.{rule}").derive


def expression(text):
    return Activation.of(text).expression


KINKS = {"max(z - 1, 0)": (1,), "max(-1, min(1, z))": (-1, 1), "heaviside(z + 1/2)": (-0.5,),
         "where(abs(z) < 1, 1 - z**2, 0)": (-1, 1), "max(z - 1, 0)**2": (1,),
         "erf(z - 1/2)": (0.5,),
         "erfc(2*z + 1)": (-0.5,), "z**2*erf(z + 1)": (-1,)}  # fmt: skip


def covariances():
    """Covariances with their determinants: random, extreme and degenerate, of every rank."""
    rng = np.random.default_rng(17)
    found = []
    for _ in range(1):
        root = rng.normal(size=(2, 2))
        K = root @ root.T
        found.append(("random", K, np.linalg.det(root) ** 2))
    for side, gap in ((1, 1e-3), (1, 1e-14), (-1, 1e-8)):
        # ρ = ±(1 - gap)
        a, b = 1.3, 0.7
        c = side * (1 - gap) * np.sqrt(a * b)
        found.append((f"rho={side}-{gap}", np.array([[a, c], [c, b]]), gap * (2 - gap) * a * b))
    for a, b in ((9.0, 1e-6), (1e-6, 1e-5), (8.0, 8.0)):
        c = 0.4 * np.sqrt(a * b)
        found.append((f"{a}:{b}", np.array([[a, c], [c, b]]), 0.84 * a * b))
    found += [
        ("coincident", np.full((2, 2), 0.9), 0.0),
        ("opposite", np.array([[0.5, -1.0], [-1.0, 2.0]]), 0.0),
        ("independent", np.diag([2.0, 0.3]), 0.6),
        ("first fixed", np.diag([0.0, 1.1]), 0.0),
        ("second fixed", np.diag([1.1, 0.0]), 0.0),
        ("both fixed", np.zeros((2, 2)), 0.0),
    ]
    return found


CASES = [(rule, *pair) for rule, pairs in PAIRS.items() for pair in pairs]


def test_every_rule_has_cases():
    assert set(RULES) == set(SINGLES)
    assert set(RULES) == set(PAIRS) | ONE_POINT_ONLY


@pytest.mark.parametrize(("rule", "left", "right"), CASES)
def test_two_points(rule, left, right):
    phi = expression(left), expression(right)
    form = derive(rule)(phi)
    assert form is not None
    kinks = KINKS.get(left, ()), KINKS.get(right, ())
    for name, K, D in covariances():
        exact, size = two_points(*phi, K, kinks, D)
        minors = np.array([[[0.0, D], [D, 0.0]]])
        value, error = form.bounded(K[None], minors)
        assert abs(value[0] - exact) <= 2e-13 * size + error[0], name
        # The bound is no excuse: it stays small against what the moment could be.
        scale = np.sqrt(size_of(phi[0], K[0, 0]) * size_of(phi[1], K[1, 1]))
        assert error[0] <= 1e-10 * scale + 1e-13, name


def size_of(phi, variance):
    """E φ²."""
    at_zero = float(phi.subs(z, 0)) ** 2
    return one_point(phi**2, variance)[0] if variance else at_zero


@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, texts in SINGLES.items() for text in texts]
)
def test_one_point(rule, text):
    phi = expression(text)
    form = derive(rule)((phi,))
    assert form is not None
    for variance in (1e-8, 0.02, 1.0, 7.5):
        exact, size = one_point(phi, variance, KINKS.get(text, ()))
        K = np.array([[[variance]]])
        value, error = form.bounded(K, np.zeros((1, 1, 1)))
        assert abs(value[0] - exact) <= 2e-13 * size + error[0]
        written = complex(form.expression.subs(covariance(1, 1), sp.Rational(variance)).evalf(20))
        assert abs(written - exact) <= 2e-13 * size
    at_zero = form.bounded(np.zeros((1, 1, 1)), np.zeros((1, 1, 1)))[0][0]
    assert at_zero == pytest.approx(float(phi.subs(z, 0)), abs=1e-15)


# Over the four quadrants, so that kinks are end points of panels.
PRECISE = {
    "parity": ("z*exp(-z**2)", "abs(z)"),
    "exponential": ("z*cos(z)", "exp(-z**2)*(1 + z)"),
    "arcsine": ("erf(z)", "erf(z/2) + 1"),
    "arccosine": ("max(z, 0)", "abs(z)**3"),
    "half_space": ("z*erf(z)", "where(z > 0, z, exp(z) - 1)"),
}


@pytest.mark.parametrize("rule", PRECISE)
def test_formulas_to_many_digits(rule):
    phi = [expression(text) for text in PRECISE[rule]]
    form = derive(rule)(tuple(phi))
    K11, K12, K22 = sp.Rational(6, 5), -sp.Rational(1, 3), sp.Rational(3, 4)
    numbers = {covariance(1, 1): K11, covariance(1, 2): K12, covariance(2, 2): K22}
    written = sp.sympify(form.expression.subs(numbers)).evalf(30)
    f, g = (sp.lambdify(z, function, modules="mpmath") for function in phi)
    with mpmath.workdps(25):
        nodes = GaussLegendre(mpmath.mp).calc_nodes(5, mpmath.mp.prec)
        grid = [
            ((a + b) / 2 + (b - a) / 2 * x, (b - a) / 2 * w)
            for a, b in pairwise(map(mpmath.mpf, (-12, -5, -2, 0, 2, 5, 12)))
            for x, w in nodes
        ]
        D = mpmath.mpf(K11 * K22 - K12**2)
        a, b, c = (mpmath.mpf(x.p) / x.q / D for x in (K22 / 2, K11 / 2, K12))
        left = [(u, w * f(u) * mpmath.exp(-a * u * u)) for u, w in grid]
        right = [(v, w * g(v) * mpmath.exp(-b * v * v)) for v, w in grid]
        total = mpmath.fsum(p * q * mpmath.exp(c * u * v) for u, p in left for v, q in right)
        total /= 2 * mpmath.pi * mpmath.sqrt(D)
        assert abs(mpmath.mpf(written._to_mpmath(100)) - total) < mpmath.mpf(10) ** -18
