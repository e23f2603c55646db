"""Every density of the package: law and draw against quadrature of its own log-density."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace

import mpmath as mp
import numpy as np
import pytest
import scipy.stats
import sympy as sp

from nnft_sym import densities
from nnft_sym.density import Density, Draw
from nnft_sym.language.errors import SpecificationError

SAMPLES = 20_000
# Probability that a correct set of densities fails any of the statistical tests below.
FALSE_ALARM = 1e-3

SCIPY = {
    "Gaussian": lambda d: scipy.stats.norm(float(d.mean), float(d.std)),
    "Uniform": lambda d: scipy.stats.uniform(float(d.low), float(d.high - d.low)),
    "Laplace": lambda d: scipy.stats.laplace(float(d.mean), float(d.scale)),
}


def concrete(base: type[Density]) -> list[type[Density]]:
    found = [] if inspect.isabstract(base) or base.__name__.startswith("_") else [base]
    for child in base.__subclasses__():
        if child.__module__ == densities.__name__:
            found += concrete(child)
    return found


CLASSES = concrete(Density)
EXAMPLES = [cls.example() for cls in CLASSES]
EXAMPLES += [replace(e, d=d) for e in EXAMPLES if hasattr(e, "d") for d in (1, 2, 4)]
CONTINUOUS = [density for density in EXAMPLES if density.continuous]
KS_LEVEL = FALSE_ALARM / (3 * len(EXAMPLES))


def name(value):
    if inspect.isclass(value):
        return value.__name__
    return type(value).__name__ + (str(value.d) if hasattr(value, "d") else "")


def of_density(items):
    return pytest.mark.parametrize("density", items, ids=name)


def is_isotropic(density):
    return hasattr(density, "d")


def number(expression):
    return mp.mpmathify(sp.N(expression, 30))


def radial_weight(density):
    """Density of the norm of a vector: exp(log P) times the area of the sphere."""
    d = density.dimension
    area = 2 * mp.pi ** (mp.mpf(d) / 2) / mp.gamma(mp.mpf(d) / 2)
    point = [sp.Symbol("r", positive=True)] + [sp.Integer(0)] * (d - 1)
    log_density = sp.lambdify(point[0], density.log_density(*point), modules="mpmath")
    return lambda r: area * r ** (d - 1) * mp.exp(log_density(r))


def expectation(density, function):
    """E f by quadrature of exp(log P): f of θ for entries, of the norm for vectors."""
    atoms = density.atoms()
    if atoms:
        return mp.fsum(number(p) * function(number(value)) for value, p in atoms)
    low, high = (number(end) if end.is_finite else end for end in density.support())
    if not is_isotropic(density):
        theta = sp.Symbol("theta", real=True)
        log_density = sp.lambdify(theta, density.log_density(theta), modules="mpmath")
        centre = number(density.moment(1))
        ends = [-mp.inf if low == -sp.oo else low, centre, mp.inf if high == sp.oo else high]
        return mp.quad(lambda t: mp.exp(log_density(t)) * function(t), ends)
    weight = radial_weight(density)
    if low == high:
        return weight(low) * function(low)
    return mp.quad(lambda r: weight(r) * function(r), [low, high])


def angular_moment(powers):
    """E of a monomial in a uniform unit vector, from Gaussians: E g^p = E|g|^{|p|} E n^p."""

    def normal(t):
        return mp.exp(-(t**2) / 2) / mp.sqrt(2 * mp.pi)

    top = mp.fprod(mp.quad(lambda t, p=p: t**p * normal(t), [-mp.inf, 0, mp.inf]) for p in powers)
    d = len(powers)
    chi = mp.quad(lambda r: r ** (d - 1) * mp.exp(-(r**2) / 2), [0, mp.inf])
    size = mp.quad(lambda r: r ** (d - 1 + sum(powers)) * mp.exp(-(r**2) / 2), [0, mp.inf])
    return top * chi / size


def angular_exponential(s, d):
    """Average of exp(s n_1) over the unit sphere."""
    if d == 1:
        return mp.cosh(s)

    # In the polar angle the weight sin^{d-2} is smooth: Gauss-Legendre converges fast.
    def average(f):
        return mp.quad(lambda a: mp.sin(a) ** (d - 2) * f(a), [0, mp.pi], method="gauss-legendre")

    return average(lambda a: mp.exp(s * mp.cos(a))) / average(lambda a: 1)


def powers_to_test(d):
    if d == 1:
        return [(k,) for k in range(9)]
    base = [(0, 0), (2, 0), (0, 2), (1, 1), (2, 2), (4, 0), (3, 1), (4, 2), (6, 2), (8, 0)]
    return [p + (0,) * (d - 2) for p in base] + [(2,) * d, (1,) * d]


def test_the_walk_finds_densities():
    assert len(CLASSES) >= 6
    assert all(cls in CLASSES for cls in (densities.Gaussian, densities.Ball))


@of_density(EXAMPLES)
def test_density_is_normalised_and_moments_match_quadrature(density):
    for powers in powers_to_test(density.dimension):
        k = sum(powers)
        reference = expectation(density, lambda r, k=k: r**k)
        if is_isotropic(density):
            reference *= angular_moment(powers)
        assert abs(number(density.mixed_moment(powers)) - reference) < 1e-11 * (
            1 + abs(reference)
        ), powers


@of_density(EXAMPLES)
def test_generating_function_matches_quadrature(density):
    d = density.dimension
    direction = [sp.Rational(3, 5), sp.Rational(4, 5), *([0] * (d - 2))] if d > 1 else [1]
    for s in (sp.Rational(3, 10), -sp.Rational(9, 10), sp.I * sp.Rational(17, 10), 5 * sp.I):
        value = density.generating_function(*(s * n for n in direction))
        source = mp.mpmathify(sp.N(s, 30))
        if not is_isotropic(density):
            reference = expectation(density, lambda t, s=source: mp.exp(s * t))
        else:
            reference = expectation(density, lambda r, s=source: angular_exponential(s * r, d))
        assert abs(mp.mpmathify(sp.N(value, 30)) - reference) < 1e-11 * (1 + abs(reference)), s
    t = sp.Rational(1, 2)
    pair = density.characteristic_function(*(t * n for n in direction))
    assert sp.N(pair - density.generating_function(*(sp.I * t * n for n in direction))) == 0


@of_density(EXAMPLES)
def test_cumulants_are_the_series_of_the_log_generating_function(density):
    s = sp.Symbol("s")
    zeros = [sp.Integer(0)] * (density.dimension - 1)
    with mp.workdps(60):
        function = sp.lambdify(
            s, density.generating_function(s, *zeros), modules=[{"sinc": mp.sinc}, "mpmath"]
        )
        series = mp.taylor(lambda u: mp.log(function(u)), 0, 6)
        for k in range(1, 7):
            expected = series[k] * mp.factorial(k)
            assert abs(number(density.cumulant(k)) - expected) < 1e-12, k


@of_density(EXAMPLES)
def test_is_even_is_what_the_odd_moments_say(density):
    odd = [density.moment(k) for k in (1, 3, 5)]
    assert density.is_even == all(moment == 0 for moment in odd)


@of_density([d for d in EXAMPLES if type(d).__name__ in SCIPY])
def test_log_density_agrees_with_scipy(density):
    theta = sp.Symbol("theta", real=True)
    oracle = SCIPY[type(density).__name__](density)
    function = sp.lambdify(theta, density.log_density(theta), modules="numpy")
    for point in oracle.ppf([0.01, 0.3, 0.5, 0.9, 0.999]):
        assert abs(float(function(point)) - oracle.logpdf(point)) < 1e-12


def draws(density, recipe: Draw | None = None):
    """Events drawn with numpy's generator by the density's own recipe: (dimension, SAMPLES)."""
    recipe = density.draw if recipe is None else recipe
    rng = np.random.default_rng(20240917)
    symbols = [sp.Symbol(f"g_{i + 1}", real=True) for i in range(recipe.normals)]
    symbols += [sp.Symbol(f"u_{i + 1}", positive=True) for i in range(recipe.uniforms)]
    values = [rng.standard_normal(SAMPLES) for _ in range(recipe.normals)]
    values += [rng.random(SAMPLES) for _ in range(recipe.uniforms)]
    rows = []
    for component in recipe.components:
        assert component.free_symbols <= set(symbols)
        row = sp.lambdify(symbols, component, modules="numpy")(*values)
        rows.append(np.broadcast_to(row, SAMPLES))
    return np.array(rows)


def cdf(density, low, high):
    """Distribution function by a fine trapezoid of exp(log P), normalised by itself."""
    grid = np.linspace(low, high, 20_001)
    if not is_isotropic(density):
        theta = sp.Symbol("theta", real=True)
        function = sp.lambdify(theta, density.log_density(theta), modules="numpy")
        weight = np.exp(np.broadcast_to(function(grid), grid.shape))
    else:
        weight = np.array([float(radial_weight(density)(r)) for r in grid[::100]])
        weight = np.interp(grid, grid[::100], weight)
    total = np.concatenate([[0.0], np.cumsum((weight[1:] + weight[:-1]) / 2)])
    return lambda t: np.interp(t, grid, total / total[-1])


def p_values(density, events):
    """Kolmogorov-Smirnov p-values of norm and direction, or of the entry."""
    d = density.dimension
    low, high = (float(end) if end.is_finite else None for end in density.support())
    if not is_isotropic(density):
        spread = 40 * float(sp.sqrt(density.cumulant(2)))
        ends = (-spread if low is None else low, spread if high is None else high)
        return [scipy.stats.kstest(events[0], cdf(density, *ends)).pvalue]
    norm = np.sqrt(np.sum(events**2, axis=0))
    found = []
    if low == high:
        found.append(1.0 if np.allclose(norm, high, rtol=1e-12) else 0.0)
    else:
        found.append(scipy.stats.kstest(norm, cdf(density, low, high)).pvalue)
    if d == 1:
        return [*found, scipy.stats.binomtest(int(np.sum(events > 0)), SAMPLES).pvalue]
    # n_i of a uniform direction: (1 + n_i)/2 is beta with both exponents (d - 1)/2.
    beta = scipy.stats.beta((d - 1) / 2, (d - 1) / 2)
    halves = [(1 + events[component] / norm) / 2 for component in (0, d - 1)]
    found += [scipy.stats.kstest(half, beta.cdf).pvalue for half in halves]
    return found


@pytest.mark.montecarlo
@of_density(EXAMPLES)
def test_draws_follow_the_density(density):
    events = draws(density)
    assert events.shape[0] == density.dimension
    if density.continuous:
        assert min(p_values(density, events)) > KS_LEVEL
        return
    counts = {float(value): np.sum(events[0] == float(value)) for value, _ in density.atoms()}
    assert sum(counts.values()) == SAMPLES
    expected = [SAMPLES * float(p) for _, p in density.atoms()]
    assert scipy.stats.chisquare(list(counts.values()), expected).pvalue > KS_LEVEL


@pytest.mark.montecarlo
@of_density(CONTINUOUS)
def test_a_wrong_scale_in_the_draw_is_seen(density):
    recipe = density.draw
    wrong = Draw(
        normals=recipe.normals,
        uniforms=recipe.uniforms,
        components=tuple(sp.Rational(11, 10) * c for c in recipe.components),
    )
    assert min(p_values(density, draws(density, wrong))) < KS_LEVEL


def symbolic(cls):
    """A member with symbols for its parameters."""
    example = cls.example()
    given = [
        getattr(example, f.name) if isinstance(getattr(example, f.name), int) else f"q_{f.name}"
        for f in fields(example)
    ]
    return cls(*given)


@pytest.mark.parametrize("cls", CLASSES, ids=name)
def test_conditions_refuse_impossible_numbers(cls):
    density = symbolic(cls)
    symbols = sorted({s for p in density.parameters for s in p.free_symbols}, key=lambda s: s.name)
    rng = np.random.default_rng(5)
    for expression, words in density.conditions:
        assert words
        seen = {True: 0, False: 0}
        for _ in range(20):
            values = {s: sp.Float(v) for s, v in zip(symbols, rng.normal(size=9), strict=False)}
            possible = all(bool(e.xreplace(values) >= 0) for e, _ in density.conditions)
            seen[possible] += 1
            if possible:
                density.replace(values)
            else:
                with pytest.raises(SpecificationError):
                    density.replace(values)
        assert min(seen.values()) > 0, expression


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.example().conditions], ids=name)
def test_zero_width_is_a_point_mass(cls):
    density = symbolic(cls)
    expression, _ = density.conditions[0]
    symbol = sorted(expression.free_symbols, key=lambda s: s.name)[0]
    numbers = {s: sp.Rational(1, 3) for p in density.parameters for s in p.free_symbols}
    zero = sp.solve(expression.xreplace({s: v for s, v in numbers.items() if s != symbol}), symbol)
    point = density.replace(numbers | {symbol: zero[0]})
    mean = point.moment(1)
    assert all(sp.simplify(point.moment(k) - mean**k) == 0 for k in range(1, 9))
    sources = [sp.Rational(2, 7)] * point.dimension
    assert sp.simplify(point.generating_function(*sources) - sp.exp(sp.Rational(2, 7) * mean)) == 0
    assert np.allclose(draws(point)[0], float(mean), atol=1e-15)


def test_tail_is_where_the_generating_function_ends():
    laplace = densities.Laplace(0, 2)
    assert laplace.tail == 2
    assert sp.limit(laplace.generating_function(sp.Symbol("s")), sp.Symbol("s"), 0.5, "-") == sp.oo
