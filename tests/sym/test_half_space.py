"""Closed forms with error functions and kinks against the project's own cubature."""

import numpy as np
import pytest
import sympy as sp

from nnft_sym.activations import Activation, Z
from nnft_sym.expectation.closed import closed_form
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.expectation.cubature.moments import gaussian_moments

TEXTS = [
    "z*(1 + erf(z/sqrt(2)))/2", "z*erf(z)", "max(z - 1, 0)", "max(-1, min(1, z))",
    "where(z > 0, z, exp(z) - 1)", "erf(z + 1/2)", "z*erf(2*z - 1)", "heaviside(z - 1)",
    "max(z, 0)*exp(-z**2/2)", "exp(z)*erfc(z)", "max(z + 1/2, 0)**2", "z**2*heaviside(1 - z)",
]  # fmt: skip
COVARIANCES = {
    "generic": [[1.0, 0.3], [0.3, 0.8]],
    "negative": [[1.0, -0.95], [-0.95, 1.0]],
    "unequal": [[9.0, 0.2], [0.2, 0.05]],
    "independent": [[2.0, 0.0], [0.0, 0.1]],
    "coincident": [[1.0, 1.0], [1.0, 1.0]],
    "opposite": [[1.0, -2.0], [-2.0, 4.0]],
    "one fixed": [[0.0, 0.0], [0.0, 1.3]],
}


def both_ways(phi, K, order):
    gram = Gram.from_matrix(np.array(K))
    rows = np.array([list(range(order))])
    grid = rows[:, :, None], rows[:, None, :]
    form = closed_form((phi,) * order)
    closed = form.evaluate(gram.matrix[grid], gram.determinants[grid])[0]
    function = sp.lambdify(Z, phi, modules=["scipy", "numpy"])
    values = gaussian_moments(
        lambda z: np.broadcast_to(function(z), np.shape(z)),
        find_kinks(phi).thresholds,
        gram,
        {order: rows},
    )
    size = gaussian_moments(
        lambda z: np.abs(np.broadcast_to(function(z), np.shape(z))),
        find_kinks(phi).thresholds,
        gram,
        {order: rows},
    )
    return closed, values[order].entries[0], size[order].entries[0]


@pytest.mark.parametrize("K", COVARIANCES.values(), ids=COVARIANCES.keys())
@pytest.mark.parametrize("text", TEXTS)
def test_two_points_against_cubature(text, K):
    closed, integral, size = both_ways(Activation.of(text).expression, K, 2)
    assert abs(closed - integral) <= 1e-11 * size


@pytest.mark.parametrize("text", TEXTS)
def test_one_point_against_cubature(text):
    closed, integral, size = both_ways(Activation.of(text).expression, [[1.7]], 1)
    assert abs(closed - integral) <= 1e-11 * size


@pytest.mark.parametrize("text", [*TEXTS, "z**2*exp(-z**2) + z*(erf(z/sqrt(2)) + 1)*exp(-z**2/2)"])
def test_one_point_formulas_have_the_same_values(text):
    form = closed_form((Activation.of(text).expression,))
    written = form.expression.subs(sp.Symbol("K_11", nonnegative=True), sp.Rational(17, 10)).evalf()
    value = form.evaluate(np.array([[[1.7]]]), np.zeros((1, 1, 1)))[0]
    assert float(written) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("text", TEXTS)
def test_written_out_formulas_have_the_same_values(text):
    form = closed_form((Activation.of(text).expression,) * 2)
    K = np.array(COVARIANCES["generic"])
    numbers = {
        sp.Symbol("K_11", nonnegative=True): sp.Rational(1),
        sp.Symbol("K_12", real=True): sp.Rational(3, 10),
        sp.Symbol("K_22", nonnegative=True): sp.Rational(4, 5),
    }
    written = form.expression.subs(numbers).evalf()
    D = np.array([[[0.0, 0.71], [0.71, 0.0]]])
    assert float(written) == pytest.approx(form.evaluate(K[None], D)[0], rel=1e-11)


def test_four_half_spaces_have_no_closed_form():
    assert closed_form((sp.erf(Z) ** 2,) * 2) is None
