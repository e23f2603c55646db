"""Closed forms against quadrature that shares nothing with them, and against published formulas."""

from itertools import product

import numpy as np
import pytest
import sympy as sp
from numpy.polynomial.hermite_e import hermegauss
from numpy.polynomial.legendre import leggauss

from nnft_sym.activations import VARIANCE, Activation, Z, catalogue
from nnft_sym.expectation.closed import closed_form
from nnft_sym.expectation.variables import covariance, covariance_matrix
from nnft_sym.language import InfiniteMomentError

ACTIVATIONS = [make() for make in catalogue().values()]
MORE = ["z*exp(-z**2/2)", "exp(-0.7*z**2)*sin(z)", "1 - 2*z + z**3/4", "cos(2*z)*exp(z/3)",
        "max(z, 0)**2", "abs(z)**3 - z", "heaviside(z)*(1 + z)", "1.5*erf(0.7*z) + 0.3",
        "sinh(z/2)**2", "z*cos(z)"]  # fmt: skip
FUNCTIONS = ACTIVATIONS + [Activation.of(text) for text in MORE]
CLOSED_AT_TWO = [a for a in FUNCTIONS if a.name != "Tanh"]
FAMILY = [a for a in FUNCTIONS if closed_form((a.expression,) * 4)]

COVARIANCES = [
    np.array([[1.0, 0.3], [0.3, 0.8]]),
    np.array([[0.5, -0.4], [-0.4, 1.2]]),
    np.array([[2.0, 0.0], [0.0, 0.1]]),
    np.array([[1.0, 0.99], [0.99, 1.0]]),
    np.array([[30.0, 0.5], [0.5, 0.01]]),
]


def numeric(phi, variance):
    function = sp.lambdify((Z, VARIANCE), phi.expression, modules=["scipy", "numpy"])
    return lambda z: np.broadcast_to(function(z, variance), np.shape(z)).astype(float)


def half_lines(reach=12.0, panels=40, size=20):
    """Gauss-Legendre nodes on both half lines, so that a kink at zero is an end point."""
    x, w = leggauss(size)
    edges = np.linspace(0, reach, panels + 1)
    half = (edges[1:] - edges[:-1])[:, None] / 2
    nodes = (edges[:-1, None] + half * (x + 1)).ravel()
    weights = (half * w).ravel()
    return np.concatenate([nodes, -nodes]), np.concatenate([weights, weights])


def pair_by_quadrature(phi, K):
    """E[φ(u)φ(v)] in polar coordinates, the angle split where u or v changes sign."""
    opening = np.arccos(K[0, 1] / np.sqrt(K[0, 0] * K[1, 1]))
    quarter = np.pi / 2
    corners = np.sort(np.mod([quarter, -quarter, opening + quarter, opening - quarter], 2 * np.pi))
    x, w = leggauss(60)
    radius, radial = half_lines(reach=14.0, panels=20)
    radius, radial = radius[radius > 0], radial[radius > 0]
    radial = radial * radius * np.exp(-(radius**2) / 2) / (2 * np.pi)
    first, second = numeric(phi, K[0, 0]), numeric(phi, K[1, 1])
    total = 0.0
    for low, high in zip(corners, [*corners[1:], corners[0] + 2 * np.pi], strict=True):
        angle = (low + high) / 2 + (high - low) / 2 * x[:, None]
        u = np.sqrt(K[0, 0]) * radius * np.cos(angle)
        v = np.sqrt(K[1, 1]) * radius * np.cos(angle - opening)
        total += (high - low) / 2 * np.sum(w[:, None] * radial * first(u) * second(v))
    return total


def evaluate(phi, K, order=None):
    form = closed_form((phi.expression,) * (order or len(K)))
    D = np.outer(np.diag(K), np.diag(K)) - K**2
    return form.evaluate(K[None], D[None])[0]


@pytest.mark.parametrize("K", COVARIANCES[:4], ids=str)
@pytest.mark.parametrize("phi", CLOSED_AT_TWO, ids=lambda a: a.name)
def test_two_points_against_quadrature(phi, K):
    expected = pair_by_quadrature(phi, K)
    assert evaluate(phi, K) == pytest.approx(expected, rel=2e-11, abs=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("phi", CLOSED_AT_TWO, ids=lambda a: a.name)
def test_coincident_and_opposite_points(phi, sign):
    g, w = half_lines()
    for variance, ratio in product((0.3, 2.0), (1.0, 2.5)):
        u = np.sqrt(variance) * g
        K = variance * np.array([[1.0, sign * ratio], [sign * ratio, ratio**2]])
        values = numeric(phi, variance)(u) * numeric(phi, K[1, 1])(sign * ratio * u)
        expected = np.sum(w * np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi) * values)
        form = closed_form((phi.expression,) * 2)
        got = form.evaluate(K[None], np.zeros((1, 2, 2)))[0]
        assert got == pytest.approx(expected, rel=2e-11, abs=1e-12)


@pytest.mark.parametrize("phi", CLOSED_AT_TWO, ids=lambda a: a.name)
def test_points_of_zero_variance(phi):
    at_zero = float(numeric(phi, 0.0)(np.zeros(1))[0])
    g, w = half_lines()
    variance = 1.7
    mean = np.sum(
        w * np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi) * numeric(phi, variance)(np.sqrt(variance) * g)
    )
    assert evaluate(phi, np.zeros((2, 2))) == pytest.approx(at_zero**2, abs=1e-14)
    for K in (np.diag([0.0, variance]), np.diag([variance, 0.0])):
        assert evaluate(phi, K) == pytest.approx(at_zero * mean, rel=1e-11, abs=1e-13)


@pytest.mark.parametrize("order", [1, 3, 4])
@pytest.mark.parametrize("phi", FAMILY, ids=lambda a: a.name)
def test_many_points_against_gauss_hermite(phi, order):
    rng = np.random.default_rng(7)
    root = rng.normal(size=(order, order)) * 0.45
    K = root @ root.T
    x, w = hermegauss(48 if order < 4 else 32)
    nodes = np.array(np.meshgrid(*[x] * order, indexing="ij")).reshape(order, -1)
    weights = np.prod(np.array(np.meshgrid(*[w] * order, indexing="ij")).reshape(order, -1), axis=0)
    fields = root @ nodes
    product_of_fields = np.prod([numeric(phi, K[a, a])(fields[a]) for a in range(order)], axis=0)
    expected = np.sum(weights * product_of_fields) / np.sqrt(2 * np.pi) ** order
    assert evaluate(phi, K) == pytest.approx(expected, rel=1e-8, abs=1e-10)


def test_published_forms():
    K11, K12, K22 = covariance(1, 1), covariance(1, 2), covariance(2, 2)
    erf = closed_form((sp.erf(Z),) * 2).expression
    assert erf == 2 / sp.pi * sp.asin(2 * K12 / (sp.sqrt(1 + 2 * K11) * sp.sqrt(1 + 2 * K22)))
    angle = sp.acos(K12 / sp.sqrt(K11 * K22))
    relu = sp.sqrt(K11 * K22) * (sp.sin(angle) + (sp.pi - angle) * sp.cos(angle)) / (2 * sp.pi)
    numbers = {K11: 1.3, K12: 0.4, K22: 0.9}
    ours = closed_form((sp.Max(Z, 0),) * 2).expression
    assert float((ours - relu).subs(numbers)) == pytest.approx(0, abs=1e-15)


def test_expression_and_evaluation_agree():
    rng = np.random.default_rng(3)
    for phi, order in product(FUNCTIONS, (1, 2, 3)):
        form = closed_form((phi.expression,) * order)
        if form is None:
            continue
        root = rng.normal(size=(order, order)) * 0.5
        K = root @ root.T
        numbers = dict(zip(covariance_matrix(order), K.ravel(), strict=True))
        written = complex(form.expression.subs(numbers).evalf())
        assert written.imag == pytest.approx(0, abs=1e-12)
        assert evaluate(phi, K) == pytest.approx(written.real, rel=1e-9, abs=1e-12), phi


def test_wick_pairings_of_the_identity():
    ours = closed_form((Z,) * 6).expression
    pairs = sp.Add(
        *(sp.Mul(*(covariance(a + 1, b + 1) for a, b in p)) for p in _pairings(range(6)))
    )
    assert sp.expand(ours - pairs) == 0


def _pairings(elements):
    first, *rest = elements
    if len(rest) == 1:
        yield ((first, rest[0]),)
        return
    for partner in rest:
        for tail in _pairings([e for e in rest if e != partner]):
            yield ((first, partner), *tail)


def test_gaussian_factor_beyond_its_range_is_infinite():
    form = closed_form((sp.exp(Z**2),))
    inside, beyond = np.array([[[0.49]]]), np.array([[[0.5]]])
    assert form.evaluate(inside, np.zeros((1, 1, 1)))[0] == pytest.approx(1 / np.sqrt(1 - 0.98))
    with pytest.raises(InfiniteMomentError):
        form.evaluate(beyond, np.zeros((1, 1, 1)))


def test_no_closed_form_is_claimed_for_others():
    for text in (
        "tanh(z)", "erf(z)**2", "cos(z)*max(z - 1, 0)", "1/(1 + exp(-z))", "log(1 + exp(z))",
        "abs(sin(z))", "z*abs(erf(z))",
    ):  # fmt: skip
        assert closed_form((Activation.of(text).expression,) * 2) is None


@pytest.mark.parametrize("degree", [7, 9, 12])
def test_high_monomials_are_written_out(degree):
    # Of the chances to pair up 2k factors, those with j pairs across: (k choose j)² j! (rest)!!².
    K = {(a, b): covariance(a, b) for a, b in ((1, 1), (1, 2), (2, 2))}
    expected = sp.Add(
        *(
            sp.binomial(degree, j) ** 2
            * sp.factorial(j)
            * sp.factorial2(degree - j - 1) ** 2
            * K[1, 2] ** j
            * (K[1, 1] * K[2, 2]) ** ((degree - j) // 2)
            for j in range(degree % 2, degree + 1, 2)
        )
    )
    found = closed_form((Z**degree,) * 2).expression
    assert sp.expand(found - expected) == 0
