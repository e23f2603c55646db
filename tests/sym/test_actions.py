"""The Edgeworth action: identities, oracles that share nothing with it, and planted faults."""

from fractions import Fraction
from itertools import combinations
from math import factorial

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy import stats
from thewalrus import hermite_multidimensional

import nnft_sym as nn
from nnft_sym.actions.conventions import CONVENTIONS, convert_coupling
from nnft_sym.actions.normalisability import normalisability, worst_direction
from nnft_sym.actions.polynomials import form
from nnft_sym.diagrams import contraction
from nnft_sym.diagrams.diagram import Diagram
from nnft_sym.tensors import SymmetricTensor, multi_indices, rank_of

SCALES = dict(sigma_w=1.3, sigma_b=0.5, sigma_v=1.0, N=50)
POINTS = np.array([[-1.0], [0.3], [0.8]])


def random_cumulants(points, orders, seed=0, size=0.1):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(points, points))
    covariance = factor @ factor.T + 0.5 * np.eye(points)
    scales = np.sqrt(np.diag(covariance))
    found = {2: covariance / np.outer(scales, scales)}
    for k in orders:
        entries = size ** ((k - 2) / 2) * rng.normal(size=len(multi_indices(k, points)))
        found[k] = SymmetricTensor(k, points, entries)
    return found


def worst_defect(action, cumulants):
    """Largest deviation of a round trip, in units of (max G)^{n/2}."""
    unit = np.max(np.abs(action.cumulants[2].entries))
    worst = 0.0
    for (n, p), tensor in action.correlators().by_order.items():
        own = n > 2 and p == Fraction(n - 2, 2)
        if n == 2 and p == 0:
            continue
        expected = cumulants[n].entries if own else 0.0
        worst = max(worst, np.max(np.abs(tensor.entries - expected)) / unit ** (n / 2))
    return worst


# One point -------------------------------------------------------------------------------------


def test_one_point_couplings():
    k4, k6 = sp.symbols("k4 k6")
    S = nn.action_from_cumulants({2: 1, 4: k4, 6: k6})
    expected = {
        0: sp.log(2 * sp.pi) / 2 - k4 / 8 - k4**2 / 12 + k6 / 48,
        2: 1 + k4 / 2 + sp.Rational(2, 3) * k4**2 - k6 / 8,
        4: -k4 - (7 * k4**2 - k6) / 2,
        6: 10 * k4**2 - k6,
    }
    assert set(S) == set(expected)
    for k, value in expected.items():
        assert sp.expand(S[k].entries[0] - value) == 0


def test_one_point_couplings_from_the_logarithm_of_the_hermite_series():
    """All cumulants, odd ones too, through N^-2: the logarithm taken of polynomials in h."""
    names = sp.symbols("k3:7")
    ring, h, *kappa = sp.ring(["h", *map(str, names)], sp.QQ)
    hermite = [ring(1), h]
    for n in range(1, 13):
        hermite.append(h * hermite[n] - n * hermite[n - 1])
    # Coefficients of t^m e^p in exp sum_k κ_k e^{k-2} t^k/k!, then t^m -> He_m.
    operator = {(k, k - 2): kappa[k - 3].quo_ground(factorial(k)) for k in range(3, 7)}
    power, ratio = {(0, 0): ring(1)}, [ring(0)] * 5
    for j in range(1, 5):
        raised = {}
        for (m, p), a in power.items():
            for (k, q), b in operator.items():
                if p + q <= 4:
                    raised[m + k, p + q] = raised.get((m + k, p + q), ring(0)) + a * b
        power = raised
        for (m, p), c in power.items():
            ratio[p] += (c * hermite[m]).quo_ground(factorial(j))
    log = [ring(0)] * 5
    for p in range(1, 5):
        inner = sum((q * log[q] * ratio[p - q] for q in range(1, p)), ring(0))
        log[p] = ratio[p] - inner.quo_ground(p)
    S = nn.action_from_cumulants({2: 1, **dict(zip(range(3, 7), names, strict=True))})
    free = {0: sp.log(2 * sp.pi) / 2, 2: 1}
    for degree in range(13):
        expected = -sum(
            sp.Poly(term.as_expr(), sp.Symbol("h")).coeff_monomial(sp.Symbol("h") ** degree)
            for term in log[1:]
        ) * factorial(degree)
        found = S[degree].entries[0] - free.get(degree, 0) if degree in S else sp.Integer(0)
        assert sp.expand(found - expected) == 0, degree
    assert S.degree == 6


def linear_net():
    return nn.shallow(nn.Identity(), bias=None, name="linear")


def log_bessel_marginal(h, N):
    """Log-density of N^{-1/2} sum_i a_i w_i, a and w standard normal, exactly."""
    with mpmath.workdps(40):
        s, order = abs(mpmath.mpf(h)) * mpmath.sqrt(N), mpmath.mpf(N - 1) / 2
        log = order * mpmath.log(s / 2) + mpmath.log(mpmath.besselk(order, s))
        return (
            log
            - mpmath.log(mpmath.pi) / 2
            - mpmath.loggamma(mpmath.mpf(N) / 2)
            + (mpmath.log(N) / 2)
        )


def test_linear_network_against_its_bessel_marginal():
    heights = [0.3, 1.0, 1.7, 2.4]
    defects = {}
    for N in (400, 800):
        values = dict(sigma_w=1.0, sigma_v=1.0, N=N)
        one, two = (nn.action(linear_net(), p).at([[1.0]], **values) for p in (1, 2))
        for h in heights:
            exact = float(log_bessel_marginal(h, N))
            free = -(h**2) / 2 - np.log(2 * np.pi) / 2
            first = (h**4 - 6 * h**2 + 3) / (4 * N)
            assert one.logpdf(h) - free == pytest.approx(first, rel=1e-9, abs=1e-14)
            assert abs(exact - free - first) < 12 / N**2
            defects[N, h] = [exact - S.logpdf(h) for S in (one, two)]
            edgeworth = exact - one.logpdf(h, density="edgeworth")
            assert abs(edgeworth) < 12 / N**2
    for h in heights:
        ratios = np.array(defects[400, h]) / np.array(defects[800, h])
        np.testing.assert_allclose(ratios, [4, 8], rtol=0.1)


def test_odd_cumulants_and_a_mean_against_the_gamma_density():
    """Sums of N exponentials: κ_k = (k-1)! N^{1-k/2}, mean √N; the error falls as N^{-p-1/2}."""
    heights = np.array([-1.6, -0.6, 1.2, 1.9])
    for order in (1, 2):
        defects = []
        for N in (800, 3200):
            kappa = {k: factorial(k - 1) * N ** (1 - k / 2) for k in range(2, 2 * order + 3)}
            kappa[1] = np.sqrt(N)
            S = nn.action_from_cumulants(kappa, order=order)
            f = np.sqrt(N) + heights
            exact = stats.gamma(a=N, scale=1 / np.sqrt(N)).logpdf(f)
            # A root mean square: single heights may lie near a zero of the first term left out.
            defects.append(np.linalg.norm(exact - S.logpdf(f[:, None])))
        assert np.log(defects[0] / defects[1]) / np.log(4) == pytest.approx(order + 0.5, abs=0.1)


# Several points --------------------------------------------------------------------------------


def test_amputation_by_plain_einsum():
    kappa = random_cumulants(3, (4, 6), seed=1)
    S = nn.action_from_cumulants(kappa)
    P = np.linalg.inv(kappa[2])
    K4 = np.einsum("abcd,ai,bj,ck,dl->ijkl", kappa[4].dense, P, P, P, P)
    K6 = np.einsum("abcdef,ai,bj,ck,dl,em,fn->ijklmn", kappa[6].dense, *[P] * 6, optimize=True)
    G = kappa[2]
    g4 = -K4
    g2 = P + np.einsum("ijkl,kl->ij", K4, G) / 2
    np.testing.assert_allclose(S.by_order[4, 1].dense, g4, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(S.by_order[2, 0].dense + S.by_order[2, 1].dense, g2, atol=1e-9)
    constant = -np.einsum("ijkl,ij,kl->", K4, G, G) / 8
    assert S.by_order[0, 1].entries[0] == pytest.approx(constant, rel=1e-10)
    exchange = np.einsum("abcx,xy,ydef->abcdef", K4, G, K4)
    splits = ["abcdef", "abdcef", "abecdf", "abfcde", "acdbef"]
    splits += ["acebdf", "acfbde", "adebcf", "adfbce", "aefbcd"]
    tree = sum(np.einsum(f"{split}->abcdef", exchange) for split in splits)
    np.testing.assert_allclose(S.by_order[6, 2].dense, tree - K6, rtol=1e-8, atol=1e-7)


def test_edgeworth_density_is_the_hermite_series():
    """Against thewalrus: exp(f R t - t R t/2) = sum He_n t^n/n! with R = G⁻¹."""
    points, rng = 2, np.random.default_rng(5)
    kappa = random_cumulants(points, (4, 6), seed=2)
    R = np.linalg.inv(kappa[2])

    def contracted(tensor, hermite):
        return sum(
            count * entry * hermite[tuple(np.bincount(index, minlength=points))]
            for index, entry, count in zip(
                tensor.indices, tensor.entries, tensor.multiplicities, strict=True
            )
        )

    outer = np.multiply.outer(kappa[4].dense, kappa[4].dense)
    eight = SymmetricTensor.from_function(8, points, lambda *i: outer_mean(outer, i))
    for f in rng.normal(size=(4, points)) * 1.5:
        hermite = hermite_multidimensional(R, 9, f)
        first = contracted(kappa[4], hermite) / 24
        second = contracted(kappa[6], hermite) / 720 + contracted(eight, hermite) / (2 * 24**2)
        free = stats.multivariate_normal(cov=kappa[2]).pdf(f)
        for order, ratio in ((1, 1 + first), (2, 1 + first + second)):
            S = nn.action_from_cumulants(kappa, order=order)
            assert S.pdf(f, density="edgeworth") == pytest.approx(free * ratio, rel=1e-10)
            if order == 1:
                assert S.value(f) == pytest.approx(-np.log(free) - first, rel=1e-10)


def outer_mean(outer, index):
    """Symmetrised κ4 κ4 at one index, by dealing the indices to the two factors."""

    splits = list(combinations(range(8), 4))
    total = 0.0
    for block in splits:
        rest = [i for i in range(8) if i not in block]
        total += outer[tuple(index[i] for i in (*block, *rest))]
    return total / len(splits)


def test_edgeworth_density_integrates_to_one():
    kappa = random_cumulants(2, (3, 4, 5, 6), seed=3, size=0.05)
    S = nn.action_from_cumulants(kappa)
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    mass = np.outer(weights, weights).ravel() / (2 * np.pi)
    f = grid @ np.linalg.cholesky(kappa[2]).T
    ratio = S.pdf(f, density="edgeworth") / stats.multivariate_normal(cov=kappa[2]).pdf(f)
    assert np.sum(mass * ratio) == pytest.approx(1.0, abs=1e-12)
    second = np.einsum("s,sa,sb->ab", mass * ratio, f, f)
    np.testing.assert_allclose(second, kappa[2], atol=1e-11)
    third = np.einsum("s,sa,sb,sc->abc", mass * ratio, f, f, f)
    np.testing.assert_allclose(third, kappa[3].dense, atol=1e-11)


@pytest.mark.parametrize(("points", "orders"), [(2, (3, 4, 5, 6)), (3, (4, 6)), (5, (4, 6))])
def test_round_trip_and_schwinger_dyson_in_numbers(points, orders):
    kappa = random_cumulants(points, orders, seed=points, size=0.02)
    S = nn.action_from_cumulants(kappa)
    assert worst_defect(S, kappa) < 1e-12
    assert S.degree == 6
    for power, average in S.schwinger_dyson().items():
        np.testing.assert_allclose(average, np.eye(points) * (power == 0), atol=1e-12)


@pytest.mark.parametrize("points", [1, 2])
def test_round_trip_is_an_identity_of_symbols(points):
    orders = (2, 3, 4, 5, 6) if points == 1 else (2, 4, 6)
    kappa = nn.cumulant_symbols(orders, points)
    S = nn.action_from_cumulants(kappa)
    for (n, p), tensor in S.correlators().by_order.items():
        own = (n > 2 and p == Fraction(n - 2, 2)) or (n == 2 and p == 0)
        assert all(
            value == (kappa[n].entries[place] if own else 0)
            for place, value in enumerate(tensor.entries)
        )
    for power, average in S.schwinger_dyson().items():
        assert np.array_equal(average, np.eye(points, dtype=int) * int(power == 0))


def test_round_trip_with_odd_symbols_at_two_points():
    kappa = nn.cumulant_symbols((2, 3, 4), points=2)
    S = nn.action_from_cumulants(kappa)
    series = S.correlators()
    assert all(series.by_order[3, Fraction(1, 2)].entries == kappa[3].entries)
    for key in ((0, 1), (2, 1), (1, Fraction(1, 2))):
        assert not any(series.by_order[key].entries)


def test_third_order_follows_from_the_same_machinery():
    kappa = random_cumulants(2, (4, 6, 8), seed=8, size=0.02)
    S = nn.action_from_cumulants(kappa)
    assert (S.order, S.degree) == (3, 8)
    assert worst_defect(S, kappa) < 1e-12


def test_a_mean_moves_the_powers_and_nothing_else():
    kappa = random_cumulants(3, (3, 4), seed=4)
    mean = np.array([0.5, -1.0, 2.0])
    centred, moved = (nn.action_from_cumulants(k) for k in (kappa, {**kappa, 1: mean}))
    f = np.random.default_rng(0).normal(size=(6, 3))
    np.testing.assert_allclose(moved.value(f + mean), centred.value(f), rtol=1e-12)
    summed = sum(form(moved[k], f) for k in moved)
    np.testing.assert_allclose(summed, moved.value(f), rtol=1e-9)
    np.testing.assert_array_equal(moved.correlators()[1].entries[:0], [])
    np.testing.assert_allclose(moved.correlators().by_order[1, 0].entries, mean)


def test_a_symbolic_mean_and_field():
    m, k3, k4, f = sp.symbols("m k3 k4 f")
    S = nn.action_from_cumulants({1: m, 2: 1, 3: k3, 4: k4})
    centred = nn.action_from_cumulants({2: 1, 3: k3, 4: k4})
    assert sp.expand(S.value([f]) - centred.value([f - m])) == 0
    powers = sum(g.entries[0] * f**k / factorial(k) for k, g in S.items())
    assert sp.expand(powers - S.value([f])) == 0
    assert S.logpdf([f]) == -S.value([f])


def test_symbolic_and_numerical_couplings_agree():
    kappa = random_cumulants(2, (3, 4, 5, 6), seed=6)
    rational = {
        k: SymmetricTensor(
            k, 2, np.array([sp.Rational(float(v)).limit_denominator(500) for v in entries])
        )
        for k, entries in ((2, SymmetricTensor.from_dense(kappa[2]).entries),)
    }
    for k in (3, 4, 5, 6):
        entries = [sp.Rational(float(v)).limit_denominator(500) for v in kappa[k].entries]
        rational[k] = SymmetricTensor(k, 2, np.array(entries))
    exact = nn.action_from_cumulants(rational)
    numeric = nn.action_from_cumulants(
        {k: t.map(lambda e: e.astype(float)) for k, t in rational.items()}
    )
    for k, tensor in exact.items():
        np.testing.assert_allclose(
            tensor.entries.astype(float), numeric[k].entries, rtol=1e-8, atol=1e-9
        )
    f = [0.3, -0.2]
    for density in ("action", "edgeworth"):
        symbolic = float(sp.N(exact.logpdf(f, density=density)))
        assert symbolic == pytest.approx(numeric.logpdf(f, density=density), rel=1e-9)


def test_error_bounds_hold_and_are_not_idle():
    kappa = random_cumulants(3, (3, 4, 5, 6), seed=7, size=0.05)
    kappa[2] = SymmetricTensor.from_dense(kappa[2])
    errors = {k: t.map(lambda e: 1e-7 * np.abs(e) + 1e-9) for k, t in kappa.items()}
    S = nn.action_from_cumulants(kappa, errors=errors)
    rng = np.random.default_rng(0)
    seen = dict.fromkeys(S, 0.0)
    for _ in range(20):
        moved = {
            k: SymmetricTensor(k, 3, t.entries + errors[k].entries * rng.choice([-1, 1], len(t)))
            for k, t in kappa.items()
        }
        other = nn.action_from_cumulants(moved)
        for k, g in other.items():
            ratio = np.abs(g.entries - S[k].entries) / S.errors[k].entries
            seen[k] = max(seen[k], np.max(ratio))
    assert all(1e-4 < ratio <= 1 for ratio in seen.values()), seen
    bounds = nn.action(nn.erf_net(), 2).at(POINTS, **SCALES).errors
    assert sorted(bounds) == [0, 2, 4, 6]
    assert all(0 < np.max(b.entries) < 1e-2 for b in bounds.values())


# Planted faults --------------------------------------------------------------------------------


def test_a_wrong_symmetry_factor_is_found_out(monkeypatch):
    kappa = random_cumulants(2, (4, 6), seed=9, size=0.02)
    assert worst_defect(nn.action_from_cumulants(kappa), kappa) < 1e-12
    right = Diagram.symmetry_factor.func
    S = nn.action_from_cumulants(kappa)
    with monkeypatch.context() as patch:
        # 8 for 4: the tadpole with two legs.
        wrong = property(lambda d: 2 * right(d) if right(d) == 4 else right(d))
        patch.setattr(Diagram, "symmetry_factor", wrong)
        faulty = nn.action_from_cumulants(kappa)
    assert worst_defect(faulty, kappa) > 1e-3
    assert np.max(np.abs(faulty.schwinger_dyson()[Fraction(1)])) > 1e-3
    assert np.max(np.abs(faulty[2].entries - S[2].entries)) > 1e-3


def test_a_missing_permutation_is_found_out(monkeypatch):
    kappa = random_cumulants(2, (4, 6), seed=9, size=0.02)
    all_of_them = contraction._splittings

    def without_the_last(positions, sizes):
        found = list(all_of_them(positions, sizes))
        yield from found[: max(1, len(found) - 1)]

    with monkeypatch.context() as patch:
        patch.setattr(contraction, "_splittings", without_the_last)
        faulty = nn.action_from_cumulants(kappa)
    assert worst_defect(faulty, kappa) > 1e-4


def test_a_missing_diagram_is_found_out():
    kappa = random_cumulants(2, (4, 6), seed=9, size=0.02)
    S = nn.action_from_cumulants(kappa)
    without = {v: t for v, t in S.bare.items() if (v.valence, v.order) != (2, 4)}
    faulty = S.__class__(**{**vars_of(S), "bare": without})
    assert worst_defect(faulty, kappa) > 1e-4


def vars_of(S):
    names = ("order", "cumulants", "elements", "mean", "frame", "names", "exactness")
    names = (*names, "cumulant_errors")
    return {name: getattr(S, name) for name in names}


# Networks --------------------------------------------------------------------------------------


def test_erf_network_from_formula_to_numbers():
    S = nn.action(nn.erf_net(), order=2)
    assert sorted(S.couplings) == [0, 2, 4, 6]
    at = S.at(POINTS, **SCALES)
    G, K4 = (nn.cumulant(nn.erf_net(), k).tensor(POINTS, **SCALES) for k in (2, 4))
    P = np.linalg.inv(G)
    first = -np.einsum("abcd,ai,bj,ck,dl->ijkl", K4, P, P, P, P)
    np.testing.assert_allclose(at.by_order[4, 1].dense, first, rtol=1e-7, atol=1e-7)
    assert worst_defect(at, at.cumulants) < 1e-12
    f = np.array([0.1, -0.4, 0.2])
    assert S.logpdf(f, POINTS, **SCALES) == at.logpdf(f)
    lone = S.logpdf(f, POINTS, density="edgeworth", params=SCALES)
    assert lone == at.logpdf(f, density="edgeworth")


def test_formal_couplings_are_those_over_points():
    """One point, all functions constant: the printed coefficients add up to the numbers."""
    S = nn.action(nn.shallow(nn.Erf(), readout=nn.Gaussian("m", "s")), order=2)
    values = dict(sigma_w=1.0, sigma_b=0.3, m=0.2, s=1.0, N=40)
    at = S.at([[0.7]], **values)
    G = at.cumulants[2].entries[0]
    for k, coupling in S.couplings.items():
        total = 0.0
        for amplitude in coupling:
            term = float(amplitude.coefficient) * amplitude.labellings
            for vertex in amplitude.diagram.vertices:
                term *= at.cumulants[vertex.valence].entries[0]
            total += term / G ** (amplitude.diagram.internal + k)
        free = {0: np.log(2 * np.pi * G) / 2, 2: 1 / G}.get(k, 0.0)
        assert total + free == pytest.approx(at.about_mean[k].entries[0], rel=1e-10, abs=1e-14)


def test_several_outputs():
    net = nn.erf_net(outputs=2)
    S = nn.action(net).at(POINTS[:2], **SCALES)
    assert len(S.names) == 4
    assert worst_defect(S, S.cumulants) < 1e-12
    single = nn.action(nn.erf_net()).at(POINTS[:2], **SCALES)
    same = [0, 2]  # output 0 of both points
    rows = np.array(same)[multi_indices(4, 2)]
    np.testing.assert_allclose(
        S[4].entries[rank_of(rows, 4)], single[4].entries, rtol=1e-8, atol=1e-10
    )


def test_printing():
    S = nn.action(nn.erf_net(), order=2)
    for text in (S.latex(), S.feynman_rules(), *(c.latex() for c in S.correlators().values())):
        assert text.count("{") == text.count("}")
        assert text.count("\\left[") == text.count("\\right]")
    assert r"\toprule" in S.feynman_rules()
    assert "9 perms" in S.couplings[6].latex()
    assert "$" in S._repr_latex_()
    assert "<figure" in S.couplings[4]._repr_html_()
    with_mean = nn.action(nn.shallow(nn.Erf(), readout=nn.Gaussian(1, 1)))
    assert r"\phi(x) = f(x) - G^{(1)}(x)" in with_mean.latex()
    assert with_mean.degree == 4
    assert sorted(with_mean.couplings) == [0, 1, 2, 3, 4]


# Structure -------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3])
def test_degree(order):
    step = 1 if order < 3 else 2
    kappa = random_cumulants(1, range(4, 2 * order + 3, step), seed=order)
    assert nn.action_from_cumulants(kappa, order=order).degree == 2 * order + 2


def test_gaussian_readouts_are_not_normalisable_at_first_order():
    for net in (nn.erf_net(), nn.cos_net(), nn.relu_net()):
        S = nn.action(net)
        assert S.normalisable.holds is False
        values = {name: SCALES[name] for name in net.parameters}
        at = S.at(POINTS, **values)
        verdict = at.normalisable
        assert verdict.holds is False
        far = at.value(1e3 * verdict.direction) - at.value(np.zeros(3))
        assert far < -1e3


@pytest.mark.parametrize(
    ("net", "X"),
    [
        (nn.shallow(nn.Identity(), bias=None), [[1.0]]),
        (nn.shallow(nn.ReLU(), bias=None), [[1.0]]),
        (nn.cos_net(), [[0.0], [1.0]]),
        (nn.cos_net(), [[0.0], [1.0], [2.5]]),
    ],
    ids=["linear", "relu", "cos, 2 points", "cos, 3 points"],
)
def test_second_order_can_be_normalisable(net, X):
    values = {name: SCALES[name] for name in net.parameters}
    verdict = nn.action(net, 2).at(X, **values).normalisable
    assert verdict
    assert verdict.holds is True
    assert verdict.value > 0


def test_a_readout_with_negative_kurtosis_is_normalisable_at_first_order():
    net = nn.shallow(nn.Sign(), readout=nn.Uniform(-1, 1), bias=None)
    assert nn.action(net).normalisable.holds is None
    assert nn.action(net).at([[1.0]], sigma_w=1.0, N=20).normalisable.holds is True


def test_what_a_local_search_cannot_prove_is_left_open():
    x = sp.symbols("x:3")
    motzkin = x[0] ** 4 * x[1] ** 2 + x[0] ** 2 * x[1] ** 4 + x[2] ** 6
    motzkin = motzkin - 3 * x[0] ** 2 * x[1] ** 2 * x[2] ** 2

    def tensor(polynomial):
        table = sp.Poly(polynomial, *x)
        entries = []
        for index in multi_indices(6, 3):
            powers = tuple(int(p) for p in np.bincount(index, minlength=3))
            count = factorial(6) / np.prod([factorial(p) for p in powers])
            entries.append(
                float(table.coeff_monomial(sp.prod(v**p for v, p in zip(x, powers, strict=True))))
                / count
            )
        return SymmetricTensor(6, 3, np.array(entries))

    # Positive but no sum of squares: Motzkin's form raised a little.
    raised = sp.expand(motzkin + sp.Rational(1, 2000) * (x[0] ** 2 + x[1] ** 2 + x[2] ** 2) ** 3)
    quadratic = {2: SymmetricTensor.from_dense(np.eye(3))}
    verdict = normalisability({**quadratic, 6: tensor(raised)}, np.eye(3))
    assert verdict.holds is None
    assert verdict.value > 0
    assert not verdict
    flat = normalisability({**quadratic, 6: tensor(motzkin)}, np.eye(3))
    assert flat.holds is None
    uncertain = {6: SymmetricTensor(6, 3, np.full(28, 1e-3))}
    square = sp.expand((x[0] ** 2 + x[1] ** 2 + x[2] ** 2) ** 3)
    small = {**quadratic, 6: tensor(square / 100)}
    assert normalisability(small, np.eye(3)).holds is True
    assert normalisability(small, np.eye(3), uncertain).holds is None
    lowered = sp.expand(motzkin - sp.Rational(1, 2000) * (x[0] ** 2 + x[1] ** 2 + x[2] ** 2) ** 3)
    assert normalisability({**quadratic, 6: tensor(lowered)}, np.eye(3)).holds is False


def test_worst_direction_of_binary_forms_by_scanning():
    rng = np.random.default_rng(2)
    angles = np.linspace(0, 2 * np.pi, 20001)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for k in (3, 4, 6):
        tensor = SymmetricTensor(k, 2, rng.normal(size=k + 1))
        found = form(tensor, worst_direction(tensor)[None])[0]
        assert found <= np.min(form(tensor, circle)) + 1e-12


def test_coupling_conventions():
    S = nn.action_from_cumulants({2: 1.0, 4: 0.24})
    assert S.table(4).iloc[0, 0] == pytest.approx(-0.24)
    for name, value in (("lambda f^4", -0.01), ("EFT -24 lambda", -0.01), ("EFT -lambda", -0.24)):
        table = S.table(4, name)
        assert table.iloc[0, 0] == pytest.approx(value)
        there = convert_coupling(S[4], 4, source="lambda f^4/4!", target=name)
        back = convert_coupling(there, 4, source=name, target="lambda f^4/4!")
        assert back.entries[0] == pytest.approx(-0.24)
    # The leading response of each convention gives back the cumulant.
    assert -24 * convert_coupling(-0.24, 4, source="lambda f^4/4!", target="lambda f^4") == (
        pytest.approx(0.24)
    )
    headers = {S.table(4, name).columns[0] for name in CONVENTIONS}
    assert "24" in S.table(4, "EFT -24 lambda", latex=True).to_latex()
    assert len(headers) == len(CONVENTIONS)
    with pytest.raises(nn.SpecificationError, match="conventions"):
        S.table(4, "mine")


# Bad input -------------------------------------------------------------------------------------


def test_singular_covariances_name_their_points():
    S = nn.action(nn.erf_net())
    with pytest.raises(nn.SpecificationError, match=r"point 0 at \(0.3\) and point 2 at \(0.3\)"):
        S.at([[0.3], [0.5], [0.3]], **SCALES)
    relu = nn.action(nn.relu_net())
    flat = {**SCALES, "sigma_b": 0.0}
    with pytest.raises(nn.SpecificationError, match="rank 1 of 3"):
        relu.at([[0.3], [0.5], [2.0]], **flat)
    with pytest.raises(nn.SpecificationError, match="no variance"):
        relu.at([[0.0], [0.5]], **flat)
    linear = nn.action(nn.shallow(nn.Identity(), bias=None))
    with pytest.raises(nn.SpecificationError, match="linearly dependent"):
        linear.at([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], sigma_w=1.0, sigma_v=1.0, N=9)


def test_the_pseudo_inverse_reports_what_it_projects_out():
    X = np.array([[0.3], [0.5], [2.0]])
    flat = {**SCALES, "sigma_b": 0.0}
    S = nn.action(nn.relu_net(), 2).at(X, singular="project", **flat)
    assert S.projected.shape == (2, 3)
    np.testing.assert_allclose(S.projected @ X[:, 0], 0, atol=1e-12)
    assert worst_defect(S, S.cumulants) < 1e-12
    single = nn.action(nn.relu_net(), 2).at([[1.0]], **flat)
    f = X[:, 0] * 0.7
    length = np.linalg.norm(X)
    assert S.value(f) == pytest.approx(single.value(0.7) + np.log(length), rel=1e-10)
    with pytest.raises(nn.SpecificationError, match="range of the covariance"):
        S.value([1.0, 0.0, 0.0])
    loose = {2: np.ones((2, 2)), 4: SymmetricTensor(4, 2, [1.0, 0.0, 0.0, 0.0, 0.0])}
    with pytest.raises(nn.SpecificationError, match="without variance"):
        nn.action_from_cumulants(loose, singular="project")


def test_order_zero_is_the_gaussian():
    S = nn.action(nn.erf_net(), 0)
    at = S.at(POINTS, **SCALES)
    assert sorted(at) == [0, 2]
    f = np.array([0.2, -0.1, 0.3])
    free = stats.multivariate_normal(cov=at.cumulants[2].dense).logpdf(f)
    assert at.logpdf(f) == pytest.approx(free, rel=1e-12)
    assert at.normalisable.holds is True


def test_infinite_cumulants_are_refused():
    with pytest.raises(nn.InfiniteMomentError, match="order 4"):
        nn.action_from_cumulants({2: 1.0, 4: np.inf})
    with pytest.raises(nn.InfiniteMomentError):
        nn.action_from_cumulants({2: 1, 4: sp.oo})
    with pytest.raises(nn.InfiniteMomentError):
        nn.action_from_cumulants({2: np.nan, 4: 1.0})
    exponential = nn.shallow(nn.Exp(), weight=nn.Laplace(0, "sigma_w"))
    with pytest.raises(nn.NNFTError):
        nn.action(exponential).at([[1.0]], sigma_w=1.0, sigma_b=0.1, sigma_v=1.0, N=5)


@pytest.mark.parametrize(
    ("cumulants", "options", "words"),
    [
        ({4: 1.0}, {}, "covariance"),
        ({2: 1.0}, {}, "cumulants 2, 4"),
        ({2: 1.0, 6: 1.0}, {}, "cumulants 2, 4"),
        ({2: 1.0, 4: 1.0}, {"order": 2}, "6"),
        ({2: 1.0, 4: 1.0}, {"order": 1.5}, "order"),
        ({2: np.eye(2), 4: 1.0}, {}, "2 points"),
        ({2: np.eye(2), 4: np.ones((2, 2))}, {}, "4 axes"),
        ({2: [[1.0, 0.2], [0.3, 1.0]], 4: np.zeros((2,) * 4)}, {}, "symmetric"),
        ({2: [[1.0, 2.0], [2.0, 1.0]], 4: np.zeros((2,) * 4)}, {}, "negative"),
        ({2: 1.0, 4: 1.0}, {"singular": "ignore"}, "project"),
        ({2: 1.0 + 1.0j, 4: 1.0}, {}, "real"),
    ],
    ids=str,
)
def test_impossible_cumulants_are_refused(cumulants, options, words):
    with pytest.raises(nn.SpecificationError, match=words):
        nn.action_from_cumulants(cumulants, **options)


def test_impossible_requests_are_refused():
    with pytest.raises(nn.SpecificationError, match="order"):
        nn.action(nn.erf_net(), 7)
    with pytest.raises(nn.NotDerivedError):
        nn.action(nn.mlp(nn.Erf(), depth=2))
    with pytest.raises(nn.NotDerivedError, match="bias"):
        nn.action(nn.shallow(nn.Erf(), output_bias=nn.Uniform(-1, 1)))
    assert nn.action(nn.shallow(nn.Erf(), output_bias=nn.Gaussian(0, 1))).degree == 4
    S = nn.action_from_cumulants({2: 1.0, 4: 0.1})
    with pytest.raises(nn.SpecificationError, match="order"):
        S.correlators(2)
    with pytest.raises(nn.SpecificationError, match="density"):
        S.logpdf(0.0, density="gaussian")
    with pytest.raises(nn.SpecificationError, match="shape"):
        S.value([1.0, 2.0])


@pytest.mark.parametrize(
    ("cumulants", "words"),
    [
        ({"a": 1.0, 2: 1.0, 4: 1.0}, "key 'a'"),
        ({2.5: 1.0, 2: 1.0, 4: 1.0}, "key 2.5"),
        ({2: 1e-200, 4: 1e-300}, "other units"),
        ({2: -1, 4: sp.Symbol("k")}, "negative directions"),
    ],
    ids=["text", "fraction", "tiny", "negative"],
)
def test_cumulants_that_belong_to_no_field_are_refused(cumulants, words):
    with pytest.raises(nn.SpecificationError, match=words):
        nn.action_from_cumulants(cumulants)


def test_fields_far_out():
    S = nn.action_from_cumulants({2: 1.0, 4: 1.0})
    assert S.pdf(1e3) == np.inf  # order 1 is not normalisable, and says so
    assert np.isfinite(S.logpdf(1e20))
    for field in (np.nan, np.inf, 1e80):
        with pytest.raises(nn.SpecificationError, match="standard deviations"):
            S.pdf(field)
