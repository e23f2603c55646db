"""Random expressions of the grammar that has closed forms, against quadrature."""

from itertools import combinations

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nnft_sym.expectation.closed import closed_form
from tests.sym.quadrature import two_points, z

numbers = st.fractions(-2, 2, max_denominator=4).map(
    lambda q: sp.Rational(q.numerator, q.denominator)
)
affine = st.builds(lambda c, e: (c or 1) * z + e, numbers, numbers)
small = st.builds(lambda c, e: (c or 1) * z / 2 + e, numbers, numbers)
polynomials = st.lists(numbers, min_size=1, max_size=4).map(
    lambda cs: sp.Add(*(c * z**i for i, c in enumerate(cs)))
)
smooth = st.one_of(
    polynomials,
    st.builds(lambda f, x: f(x), st.sampled_from([sp.sin, sp.cos]), affine),
    st.builds(lambda f, x: f(x), st.sampled_from([sp.exp, sp.sinh, sp.cosh]), small),
    st.builds(lambda x: sp.exp(-(x**2)), affine),
)
products = st.lists(smooth, min_size=1, max_size=2).map(lambda fs: sp.Mul(*fs))
elementary = st.lists(products, min_size=1, max_size=2).map(lambda fs: sp.Add(*fs))
errors = st.builds(
    lambda f, x: f(x),
    st.sampled_from([sp.erf, sp.erfc, lambda x: (1 + sp.erf(x / sp.sqrt(2))) / 2]),
    affine,
)
kinks = st.builds(
    lambda make, t: make(z - t),
    st.sampled_from(
        [
            lambda y: sp.Max(y, 0),
            lambda y: sp.Min(y, 0),
            sp.Abs,
            sp.sign,
            sp.Heaviside,
            lambda y: sp.Max(-1, sp.Min(1, y)),
            lambda y: sp.Piecewise((y, y > 0), (y / 5, True)),
        ]
    ),
    numbers,
)
# No oscillation next to a half-space, whose error functions would be complex at two points.
tame = st.one_of(
    polynomials, st.builds(sp.exp, small), st.builds(lambda x: sp.exp(-(x**2)), affine)
)
half_spaces = st.builds(lambda f, half, g: f * half + g, tame, st.one_of(errors, kinks), tame)
variances = st.sampled_from([0.02, 0.3, 1.0, 2.5])
correlations = st.sampled_from([-1.0, -1 + 1e-9, -0.7, 0.0, 0.4, 0.95, 1 - 1e-7, 1.0])


def thresholds(phi):
    """Where the factors of the grammar have kinks or centres: zeros of affine arguments."""
    found = set()
    for node in phi.atoms(sp.Function, sp.Max, sp.Min, sp.core.relational.Relational):
        parts = [part for part in node.args if isinstance(part, sp.Expr)]
        for part in (*parts, *(a - b for a, b in combinations(parts, 2))):
            if part.is_polynomial(z) and sp.degree(part, z) == 1:
                found.add(float(sp.solve(part, z)[0]))
    return tuple(sorted(found | {t + s for t in found for s in (-1.0, 1.0)}))


def check(first, second, a, b, rho):
    form = closed_form((first, second))
    assert form is not None
    c = rho * np.sqrt(a * b)
    K, D = np.array([[a, c], [c, b]]), (1 - rho) * (1 + rho) * a * b
    kinks = thresholds(first), thresholds(second)
    exact, size = two_points(first, second, K, kinks, D)
    value, error = form.bounded(K[None], np.array([[[0.0, D], [D, 0.0]]]))
    assert abs(value[0] - exact) <= 1e-11 * size + error[0] + 1e-14
    assert error[0] <= 1e-9 * max(size, 1e-6)
    return form


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(elementary, elementary, variances, variances, correlations)
def test_elementary_functions(first, second, a, b, rho):
    check(first, second, a, b, rho)


@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(half_spaces, half_spaces, variances, variances, correlations)
def test_one_half_space_each(first, second, a, b, rho):
    form = check(first, second, a, b, rho)
    assert not form.expression.has(sp.Integral)


@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(half_spaces, elementary, variances, variances, correlations)
def test_a_half_space_and_an_elementary_function(first, second, a, b, rho):
    check(first, second, a, b, rho)


@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(half_spaces, half_spaces)
def test_formulas_have_the_same_values(first, second):
    form = closed_form((first, second))
    K = [sp.Rational(6, 5), -sp.Rational(1, 3), sp.Rational(3, 4)]
    symbols = sorted(form.expression.free_symbols, key=str)
    assume(symbols)
    numbers = {s: K[["K_11", "K_12", "K_22"].index(s.name)] for s in symbols}
    written = complex(sp.sympify(form.expression.subs(numbers)).evalf(20))
    matrix = np.array([[1.2, -1 / 3], [-1 / 3, 0.75]])
    D = 0.9 - 1 / 9
    value, error = form.bounded(matrix[None], np.array([[[0.0, D], [D, 0.0]]]))
    assert written == pytest.approx(value[0], rel=1e-11, abs=float(error[0]) + 1e-13)
