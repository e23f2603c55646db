"""Price's theorem itself: derivatives of moments in the covariances are moments of derivatives.

With f, g smooth or kinked, ∂E[f(u)g(v)]/∂K₁₂ = E[f'g'] and ∂E[f(u)g(v)]/∂K₁₁ = ½E[f''g].  Left
sides are exact derivatives of closed forms, right sides closed forms of other functions.
"""

import pytest
import sympy as sp

from nnft_sym.activations import Activation, Z
from nnft_sym.expectation.closed import closed_form
from nnft_sym.expectation.slopes import weak_derivative
from nnft_sym.expectation.variables import covariance

K11, K12, K22 = covariance(1, 1), covariance(1, 2), covariance(2, 2)
POINT = {K11: sp.Rational(7, 5), K12: -sp.Rational(2, 5), K22: sp.Rational(3, 4)}
SMOOTH = ["erf(z)", "erf(2*z - 1)", "z*erf(z)", "z*(1 + erf(z/sqrt(2)))/2", "exp(-z**2)",
          "z*exp(-z**2/2)", "sin(z)", "z**3 - z", "exp(z/2)*z", "cosh(z)*exp(-z**2)"]  # fmt: skip
KINKED = ["max(z, 0)", "abs(z)**3", "max(z, 0) + 0.25*min(z, 0)", "max(z - 1, 0)",
          "max(-1, min(1, z))", "where(z > 0, z, exp(z) - 1)"]  # fmt: skip


def moment(f, g):
    return closed_form((sp.expand(f), sp.expand(g))).expression


def at(expression):
    return sp.sympify(expression).subs(POINT).evalf(25)


def same(left, right):
    return abs(at(left) - at(right)) < sp.Float("1e-20")


@pytest.mark.parametrize("text", [*SMOOTH, *KINKED])
def test_derivative_in_the_covariance(text):
    phi = Activation.of(text).expression
    slope = weak_derivative(phi).regular
    assert same(moment(phi, phi).diff(K12), moment(slope, slope))


@pytest.mark.parametrize("text", SMOOTH)
def test_derivative_in_a_variance(text):
    phi = Activation.of(text).expression
    assert same(moment(phi, phi).diff(K11), moment(phi.diff(Z, 2), phi) / 2)


@pytest.mark.parametrize("text", ["max(z, 0)", "abs(z)", "max(z - 1, 0)"])
def test_delta_functions(text):
    """Twice a corner is a jump of the slope, φ'' = Δ δ(z - t), and E δδ is a Gaussian density."""
    phi = Activation.of(text).expression
    slope = weak_derivative(weak_derivative(phi).regular)
    (jump,) = slope.jumps
    assert slope.regular == 0
    D, t = K11 * K22 - K12**2, jump.threshold
    density = sp.exp(-(t**2) * (K11 - 2 * K12 + K22) / (2 * D)) / (2 * sp.pi * sp.sqrt(D))
    assert same(moment(phi, phi).diff(K12, 2), jump.height**2 * density)


@pytest.mark.parametrize("text", ["erf(z)", "max(z, 0)", "max(-1, min(1, z))"])
def test_differences(text):
    phi = Activation.of(text).expression
    slope, step = weak_derivative(phi).regular, sp.Rational(1, 10**10)
    both = [moment(phi, phi).subs(POINT | {K12: POINT[K12] + s * step}).evalf(40) for s in (1, -1)]
    assert abs((both[0] - both[1]) / (2 * step) - at(moment(slope, slope))) < 1e-17
