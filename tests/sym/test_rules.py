"""Every rule of integration against quadrature that shares nothing with it, at every rank.

The cases are found by walking the rules: a rule without cases of its own fails by name.
"""

import pkgutil
from importlib import import_module

import mpmath
import numpy as np
import pytest
import sympy as sp

from nnft_sym.activations import Activation
from nnft_sym.expectation import rules
from nnft_sym.expectation.variables import covariance
from tests.sym import digits
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


def some_covariances(number):
    """All degenerate covariances, and three of the seven others, in turn."""
    found = covariances()
    return [found[(number + step) % 7] for step in (0, 2, 4)] + found[7:]


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
    for name, K, D in some_covariances(CASES.index((rule, left, right))):
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


# One pair of each rule, with its kinks, to twenty digits.
PRECISE = {
    "parity": ("z*exp(-z**2)", "abs(z)", ((), (0,))),
    "exponential": ("z*cos(z)", "exp(-z**2)*(1 + z)", ((), ())),
    "arcsine": ("erf(z)", "erf(z/2) + 1", ((), ())),
    "arccosine": ("max(z, 0)", "abs(z)**3", ((0,), (0,))),
    "half_space": ("z*erf(z)", "where(z > 0, z, exp(z) - 1)", ((), (0,))),
}
# K₁₁, K₁₂ and K₂₂: random; ρ → ±1; K₁₁ ≫ K₂₂; of rank one.
EXACT = {
    "random": ("6/5", "-1/3", "3/4"),
    "parallel": ("1", "999999/1000000", "1"),
    "antiparallel": ("2", "-1999999999/2000000000", "1/2"),
    "unequal": ("7", "1/10000", "1/100000"),
    "rank one": ("1", "-3/2", "9/4"),
}


def check_digits(form, K, D, exact):
    """The formula to 18 digits of what the moment could be, the number to its stated error."""
    symbols = [covariance(a + 1, b + 1) for a in range(len(K)) for b in range(a, len(K))]
    entries = [K[a][b] for a in range(len(K)) for b in range(a, len(K))]
    written = sp.re(
        sp.sympify(form.expression.subs(dict(zip(symbols, entries, strict=True)))).evalf(30)
    )
    with mpmath.workdps(30):
        assert abs(mpmath.mpf(written._to_mpmath(100)) - exact) < mpmath.mpf(10) ** -18
    matrix = np.array([[[float(entry) for entry in row] for row in K]])
    minors = np.array([[[0.0, float(D)], [float(D), 0.0]]])[:, : len(K), : len(K)]
    value, error = form.bounded(matrix, minors)
    # Entries of K themselves are rounded, which the bound knows nothing of.
    assert abs(value[0] - float(exact)) <= error[0] + 1e-15 * (1 + abs(value[0]))
    assert error[0] <= 1e-9


def precise_cases():
    """Every covariance for every rule, but two for the zeros of parity."""
    zeros = [("parity", name) for name in ("random", "rank one")]
    return zeros + [(rule, name) for rule in PRECISE if rule != "parity" for name in EXACT]


@pytest.mark.parametrize(("rule", "covariances"), precise_cases())
def test_twenty_digits_at_two_points(rule, covariances):
    left, right, kinks = PRECISE[rule]
    phi = expression(left), expression(right)
    K11, K12, K22 = map(sp.Rational, EXACT[covariances])
    D = K11 * K22 - K12**2
    exact = digits.two_points(*phi, K11, K12, D, kinks)
    form = derive(rule)(phi)
    check_digits(form, [[K11, K12], [K12, K22]], D, exact)


@pytest.mark.parametrize("variance", ["1/50", "7/5"])
@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, texts in SINGLES.items() for text in texts]
)
def test_twenty_digits_at_one_point(rule, text, variance):
    phi, K = expression(text), sp.Rational(variance)
    exact = digits.one_point(phi, K, KINKS.get(text, (0,)))
    check_digits(derive(rule)((phi,)), [[K]], 0, exact)
