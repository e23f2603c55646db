"""Activations a Gaussian average does not exist for, and averages that are infinite."""

import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn

X = [[1.0, 0.5], [0.3, -0.2]]
SCALES = dict(sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=1)
z, a = sp.symbols("z a")


@pytest.mark.parametrize("make", [nn.kernel, nn.ntk, lambda net: nn.cumulant(net, 4)])
@pytest.mark.parametrize(
    "text",
    ["log(z)", "sqrt(z)", "z**(1/3)", "sqrt(1 - z**2)", "acos(z)", "asin(z)", "z**z",
     "where(z > 1, log(z - 2), 0)", "1/z", "1/z**2", "1/abs(z)", "1/(1 - z)", "exp(1/z)",
     "1/(1 - 2*z**2 + z**4)", "1/(exp(z) - 1)", "tan(z)"],
)  # fmt: skip
def test_undefined_activations_are_refused_when_a_quantity_is_asked_for(text, make):
    with pytest.raises(nn.SpecificationError):
        make(nn.shallow(text))


@pytest.mark.parametrize("text", ["log(z)", "sqrt(2 - z)", "1/(z + 3)"])
def test_so_they_are_in_deep_networks(text):
    with pytest.raises(nn.SpecificationError):
        nn.kernel(nn.mlp(text, depth=2))


@pytest.mark.parametrize(
    "text",
    ["log(1 + z**2)", "sqrt(1 + z**2)", "where(z > 0, sqrt(z), 0)", "sqrt(abs(z))",
     "1/(1 + z**2)", "where(z > 0, log(1 + z), -log(1 - z))", "sin(z)/z"],
)  # fmt: skip
def test_functions_that_are_defined_pass(text):
    values = nn.kernel(nn.shallow(text)).tensor(X, **SCALES)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("given", [a * z, "a*z", sp.erf(z) + a, "erf(z) + cos(t)"])
def test_two_symbols(given):
    with pytest.raises(nn.SpecificationError, match="one symbol"):
        nn.shallow(given)


@pytest.mark.parametrize("text", ["foo(z)", "gamma(z)", "I*z", "z +", "2 if z else 3", ""])
def test_what_the_language_cannot_say(text):
    with pytest.raises(nn.SpecificationError):
        nn.shallow(text)


# E exp(βz²)² = 1/√(1 - 4βK): infinite from K = 1/(4β) on.
@pytest.mark.parametrize(
    "text", ["exp(z**2)", "z*exp(z**2)", "exp(z**2)*sin(z)", "max(z, 0)*exp(z**2)",
             "erf(z)*exp(z**2)", "where(z > 1, exp(z**2), 0)", "cosh(z)*exp(z**2)"]
)  # fmt: skip
@pytest.mark.parametrize("variance", [0.25, 0.26, 3.0])
def test_infinite_moments_are_reported_as_infinite(text, variance):
    kernel = nn.kernel(nn.shallow(text, bias=None))
    with pytest.raises(nn.InfiniteMomentError):
        kernel.tensor([[1.0]], sigma_w=np.sqrt(variance), sigma_v=1.0)


@pytest.mark.parametrize("variance", [1e-8, 0.1, 0.2, 0.249, 0.2499999])
def test_below_the_limit_the_number_is_right(variance):
    kernel = nn.kernel(nn.shallow("exp(z**2)", bias=None))
    found = kernel.tensor([[1.0]], sigma_w=np.sqrt(variance), sigma_v=1.0)[0, 0]
    # The variance that is used is the rounded square of sigma_w.
    K = sp.Rational(float(np.sqrt(variance))) ** 2
    exact = float(1 / sp.sqrt(1 - 4 * K))
    assert found == pytest.approx(exact, rel=4e-15 / (1 - 4 * variance))


def test_infinite_for_one_pair_of_points_and_not_for_another():
    """1 - 4K₁₁ and the like decide: finite at (0, 1) where it is infinite at (1, 1)."""
    kernel = nn.kernel(nn.shallow("exp(z**2)", bias=None))
    K = np.array([[0.01, 0.0], [0.0, 0.36]])
    numbers = {
        sp.Symbol(f"K_{a}{b}", nonnegative=True): K[a - 1, b - 1] for a, b in ((1, 1), (2, 2))
    }
    numbers |= {sp.Symbol("K_12", real=True): 0}
    written = kernel.expr.subs(numbers)
    exact = 1 / np.sqrt(np.prod(1 - 2 * np.diag(K)))
    assert float(written / kernel.expr.subs(dict.fromkeys(numbers, 0))) == pytest.approx(exact)
    with pytest.raises(nn.InfiniteMomentError):
        kernel.tensor([[0.1, 0.0], [0.0, 0.6]], sigma_w=np.sqrt(2), sigma_v=1.0)
