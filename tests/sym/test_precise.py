"""Many digits: every family at 30 and 50 digits against a method that shares nothing with it."""

from decimal import Decimal
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.activations import Z
from nnft_sym.expectation.precise.agreement import agreed
from nnft_sym.expectation.precise.gram import PreciseGram
from nnft_sym.expectation.precise.lattices import lattice_moment
from nnft_sym.expectation.precise.moments import precise_moments
from nnft_sym.expectation.precise.numbers import exact

X = [["0.1", "1/3"], [1, 2]]
SCALES = dict(sigma_w="1.2", sigma_b="0.3")


def gram(a=0, b=1):
    """K of X as exact fractions, written out again here."""
    C_W, C_b = sp.Rational(36, 25), sp.Rational(9, 100)
    points = [[sp.Rational(str(x)) for x in X[i]] for i in (a, b)]
    return [[C_b + C_W * (x[0] * y[0] + x[1] * y[1]) / 2 for y in points] for x in points]


def numbers(matrix):
    return [[mp.mpf(int(x.p)) / int(x.q) for x in row] for row in matrix]


def close(value, exact_value, digits, scale=1):
    with mp.workdps(digits + 20):
        difference = abs(mp.mpf(str(value)) - exact_value)
        return difference <= mp.mpf(10) ** (1 - digits) * scale


@pytest.mark.parametrize("precision", [30, 50])
def test_deep_rectifiers_against_arccosines(precision):
    net = nn.mlp(nn.ReLU(), depth=4)
    K = nn.kernel(net).evaluate(X, precision=precision, **SCALES)
    theta = nn.ntk(net).evaluate(X, precision=precision, **SCALES)
    with mp.workdps(120):
        (a, b), (_, c) = numbers(gram())
        t = b
        for _ in range(4):
            angle = mp.acos(b / mp.sqrt(a * c))
            slope = (mp.pi - angle) / (2 * mp.pi)
            square = mp.sqrt(a * c) * mp.sin(angle) / (2 * mp.pi) + b * slope
            weight, bias = mp.mpf("1.44"), mp.mpf("0.09")
            a, b, c = (bias + weight * value for value in (a / 2, square, c / 2))
            t = b + weight * slope * t
        assert close(K.values[0, 1], b, precision)
        assert close(theta.values[0, 1], t, precision, 10)
    assert float(K.errors[0, 1]) < 10.0**-precision


@pytest.mark.parametrize("precision", [30, 50])
def test_error_functions_by_series_and_lattice(precision):
    """The two integrators against the arcsine, which neither of them knows."""
    with mp.workdps(precision + 10):
        (a, b), (_, c) = numbers(gram())
        arcsine = 2 / mp.pi * mp.asin(2 * b / mp.sqrt((1 + 2 * a) * (1 + 2 * c)))
        # erf(z) as a product of unrelated functions has no closed form in the engine.
        hidden = sp.erf(Z) * (1 + sp.tanh(Z) - sp.tanh(Z))
        fields = PreciseGram.from_exact(gram(), (0, 1))
        (found,) = precise_moments(sp.Mul(hidden, evaluate=False), fields, [(0, 1)])
        assert abs(found - arcsine) < mp.mpf(10) ** -precision
    with mp.workdps(30):
        vectors = fields.support((0, 1)).vectors()
        assert abs(lattice_moment(mp.erf, vectors, [1, 1]) - arcsine) < mp.mpf(10) ** -28


@pytest.mark.parametrize(
    "text", ["tanh(z)", "1/(1 + exp(-z))", "log(1 + exp(z))", "z/(1 + exp(-z))"]
)
def test_smooth_kernels_against_a_lattice(text):
    """Mehler's series against the trapezoidal rule in the plane, at 30 digits."""
    f = sp.lambdify(Z, nn.Activation.of(text).expression, modules="mpmath")
    K = nn.kernel(nn.shallow(text)).evaluate(X, precision=30, sigma_v=1, **SCALES)
    with mp.workdps(32):
        vectors = PreciseGram.from_exact(gram(), (0, 1)).support((0, 1)).vectors()
        assert len(vectors[0]) == 2
        exact_value = lattice_moment(f, vectors, [1, 1])
    assert close(K.values[0, 1], exact_value, 30, 2)
    assert float(K.errors[0, 1]) <= 1e-29


@pytest.mark.parametrize("text", ["tanh(z)", "z/(1 + exp(-z))"])
def test_fifty_digits_of_a_variance(text):
    """Trapezoidal sums against Gauss-Legendre panels."""
    f = sp.lambdify(Z, nn.Activation.of(text).expression, modules="mpmath")
    K = nn.kernel(nn.shallow(text)).evaluate(X[:1], precision=50, sigma_v=1, **SCALES)
    with mp.workdps(60):
        s = mp.sqrt(numbers(gram())[0][0])
        square = mp.quad(lambda g: f(s * g) ** 2 * mp.npdf(g), range(-17, 18))
    assert close(K.values[0, 0], square, 50)


def test_fifty_digits_of_a_pair_by_turning_the_plane():
    """tanh at ρ = 3/5 with Mehler's series, and along the axes u ± v with panels, at 50 digits."""
    one, rho = sp.Integer(1) / 16, sp.Rational(3, 80)
    with mp.workdps(55):
        fields = PreciseGram.from_exact([[one, rho], [rho, one]], (0, 1))
        (found,) = precise_moments(sp.tanh(Z), fields, [(0, 1)])
        p, m = (mp.sqrt((mp.mpf(1) / 16 + sign * mp.mpf(3) / 80) / 2) for sign in (1, -1))
        step = mp.mpf(1) / 12
        line = [(step * i, step * mp.npdf(step * i)) for i in range(-190, 191)]
        along = [(mp.cosh(2 * p * x), w) for x, w in line]
        across = [(mp.cosh(2 * m * y), v) for y, v in line]
        sums = [w * v * (c - d) / (c + d) for c, w in along for d, v in across]
        # tanh(a+b) tanh(a-b) = (cosh 2a - cosh 2b)/(cosh 2a + cosh 2b).
        assert abs(found - mp.fsum(sums)) < mp.mpf(10) ** -52


@pytest.mark.parametrize("precision", [30])
def test_four_rectifiers_in_the_plane(precision):
    """Rank 2: polar coordinates leave a trigonometric polynomial between kinks."""
    points = [["0.3", 1], [1, "-0.2"]]
    G4 = nn.cumulant(nn.shallow(nn.ReLU(), bias=None), 4)
    entry = (0, 1, 1, 1)
    found = G4.evaluate(points, precision=precision, sigma_w=1, sigma_v=1, N=1)
    with mp.workdps(precision + 15):
        x = [[mp.mpf(int(v.p)) / int(v.q) for v in map(sp.Rational, map(str, p))] for p in points]

        def moment(*rows):
            angles = [mp.atan2(x[a][1], x[a][0]) for a in rows]
            lengths = [mp.sqrt((x[a][0] ** 2 + x[a][1] ** 2) / 2) for a in rows]
            edges = {-mp.pi, mp.pi}
            for angle in angles:
                for turn in (-1.5, -0.5, 0.5, 1.5):
                    edge = angle + turn * mp.pi
                    edges |= {edge} if abs(edge) < mp.pi else set()
            product = mp.quad(
                lambda t: mp.fprod(max(mp.cos(t - angle), 0) for angle in angles), sorted(edges)
            )
            k = len(rows)
            radial = mp.mpf(2) ** (mp.mpf(k) / 2) * mp.gamma(1 + mp.mpf(k) / 2)
            return mp.fprod(lengths) * radial * product / (2 * mp.pi)

        a, b, c, d = entry
        pairs = (
            moment(a, b) * moment(c, d) + moment(a, c) * moment(b, d) + moment(a, d) * moment(b, c)
        )
        assert close(found.values[entry], 3 * moment(*entry) - pairs, precision, 10)


def test_four_error_functions_against_a_lattice():
    """Rank 1 (d = 1 without bias): one trapezoidal sum."""
    G4 = nn.cumulant(nn.shallow(nn.Erf(), bias=None), 4)
    found = G4.evaluate([1, 2], precision=20, sigma_w=1, sigma_v=1, N=1)
    with mp.workdps(25):

        def moment(*scales):
            return mp.quad(
                lambda g: mp.npdf(g) * mp.fprod(mp.erf(s * g) for s in scales), range(-13, 14)
            )

        expected = 3 * moment(1, 1, 2, 2) - moment(1, 1) * moment(2, 2) - 2 * moment(1, 2) ** 2
        assert close(found.values[0, 0, 1, 1], expected, 20)


def test_doubles_agree_with_many_digits():
    rng = np.random.default_rng(5)
    points = rng.normal(size=(3, 2))
    for net in (nn.mlp(nn.GELU(), depth=2), nn.mlp(nn.Erf(), depth=2), nn.mlp(nn.Abs(), depth=2)):
        for derive in (nn.kernel, nn.ntk):
            values = dict(sigma_w=1.25, sigma_b=0.5)
            doubles = derive(net).evaluate(points, **values)
            many = derive(net).evaluate(points, precision=20, **values)
            difference = np.abs(doubles.values.entries - many.values.entries.astype(float))
            assert np.all(difference <= doubles.errors.entries + 1e-15)


def test_derivatives_and_waves():
    rate = nn.kernel(nn.mlp(nn.Erf(), depth=2)).diff("sigma_w")
    found = rate.evaluate(X, precision=30, **SCALES).values[0, 1]
    kernel = nn.kernel(nn.mlp(nn.Erf(), depth=2))
    h = Fraction(1, 10**12)
    up, down = (
        kernel.evaluate(X, precision=50, sigma_w=Fraction(6, 5) + s * h, sigma_b="0.3").values[0, 1]
        for s in (1, -1)
    )
    assert abs(found - (up - down) / sp.Rational(2 * h)) < 1e-22
    cos = nn.kernel(nn.cos_net()).evaluate(X, precision=40, sigma_w=2, sigma_v=1).values[0, 1]
    with mp.workdps(45):
        gap = (mp.mpf(9) / 10) ** 2 + (mp.mpf(5) / 3) ** 2
        assert close(cos, mp.exp(-gap) / 2, 40)


def test_inputs_are_taken_for_what_they_are():
    same = ["0.1", Decimal("0.1"), Fraction(1, 10), sp.Rational(1, 10)]
    assert len({exact(value, "x") for value in same}) == 1
    assert exact(0.1, "x") != exact("0.1", "x")
    with mp.workdps(40):
        assert exact(mp.mpf(1) / 4, "x") == sp.Rational(1, 4)
    for wrong in ("one", float("nan"), True, None, sp.I, sp.Float(0.1) * sp.sqrt(2)):
        with pytest.raises(nn.SpecificationError, match="real number"):
            exact(wrong, "x")
    rounded = nn.shallow(nn.Erf(), weight=nn.Gaussian(0, 0.3), bias=None)
    with pytest.raises(nn.SpecificationError, match="exact numbers"):
        nn.kernel(rounded).evaluate([1], precision=30, sigma_v=1)
    K = nn.kernel(nn.shallow(nn.LeakyReLU(0.25), bias=None))
    square = K.evaluate([1], precision=30, sigma_v=1, sigma_w=1).values[0, 0]
    assert square == sp.Float(sp.Rational(17, 32), 30)


@pytest.mark.parametrize(
    ("net", "points"),
    [
        (nn.shallow("z/(1 + abs(z))"), [["0.1"], [1]]),
        (nn.shallow(nn.Tanh(), weight=nn.Laplace(0, "sigma_w")), [[1]]),
        (nn.shallow(nn.Tanh(), bias=nn.Uniform(-1, 1)), [[1]]),
        (nn.shallow("tanh(1000*z)"), [[1]]),
    ],
    ids=["kinks in the plane", "other weights", "bias integrated", "too steep"],
)
def test_what_is_not_feasible_is_refused(net, points):
    values = {name: 1 for name in net.parameters if name != "N"}
    with pytest.raises(nn.AccuracyError, match="expected"):
        nn.kernel(net).evaluate(points, precision=30, **values)


def test_infinite_moments_and_impossible_precisions():
    with pytest.raises(nn.InfiniteMomentError):
        nn.ntk(nn.shallow(nn.Sign())).evaluate([1], precision=30, sigma_w=1, sigma_b=1, sigma_v=1)
    growing = nn.kernel(nn.shallow("exp(z**2)", bias=None))
    with pytest.raises(nn.InfiniteMomentError):
        growing.evaluate([1], precision=30, sigma_w=1, sigma_v=1)
    for precision in (0, 10**6, 2.5, True):
        with pytest.raises(nn.SpecificationError, match="decimal digits"):
            nn.kernel(nn.erf_net()).evaluate([1], precision=precision, sigma_v=1, **SCALES)


def test_disagreement_between_precisions_is_an_error():
    """The planted fault: a result that depends on the working precision."""
    with pytest.raises(nn.AccuracyError, match="change"):
        agreed(lambda: [1 + mp.mpf(2) ** -mp.mp.dps], 30, doubled=False)
