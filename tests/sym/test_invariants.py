"""Invariant densities: counts by characters, weights, theorems; confronted at group elements."""

from collections import Counter
from itertools import combinations_with_replacement

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import expm

import nnft_sym as nn
from nnft_sym.groups import catalogue
from nnft_sym.language.errors import NotDerivedError, SpecificationError


def dense(matrix):
    return np.array(matrix.tolist(), dtype=float)


def counts(found, degree):
    return found.counts + (0,) * (degree + 1 - len(found.counts))


def largest_change(found, algebra, finite, rng):
    """max |q(gθ) - q(θ)| over invariants q and elements g."""
    f = sp.lambdify(found.variables, found.invariants, modules="numpy")
    theta = rng.normal(size=(len(found.variables), 20))
    elements = [dense(g) for g in finite] + [expm(rng.normal() * dense(A)) for A in algebra]
    values = [np.array(f(*theta)) for theta in (theta, *(g @ theta for g in elements))]
    return max((float(abs(v - values[0]).max()) for v in values), default=0.0)


@pytest.mark.parametrize("name", ["Sn", "Zn", "Dn", "Hyperoctahedral"])
@pytest.mark.parametrize("n", [2, 3])
def test_counts_of_finite_groups_are_those_of_molien(name, n):
    group = catalogue()[name](n)
    V = nn.defining(group)
    for rho, degree in ((V, 6), (V + V, 4), (nn.regular(nn.Zn(4)), 4)):
        found = nn.invariant_densities(rho.group, rho, degree)
        assert counts(found, degree) == nn.molien_series(rho, degree)
        assert largest_change(found, (), rho.finite, np.random.default_rng(n)) < 1e-9


@pytest.mark.parametrize("multiplicity", [1, 2])
def test_counts_of_rotations_are_those_of_weights(multiplicity):
    """dim of the invariants of S^k(V): weights 0 minus weights 1 of SO(3)."""
    V = nn.defining(nn.SO(3))
    rho = V if multiplicity == 1 else V + V
    found = nn.invariant_densities(nn.SO(3), rho, 6)
    weights = (-1, 0, 1) * multiplicity
    for k in range(7):
        sums = Counter(map(sum, combinations_with_replacement(weights, k)))
        assert counts(found, 6)[k] == sums[0] - sums[1]
    assert largest_change(found, rho.algebra, (), np.random.default_rng(0)) < 1e-8


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (nn.SO(2), (1, 0, 1, 0, 1)),
        (nn.SL(2), (1, 0, 0, 0, 0)),
        (nn.Sp(2), (1, 0, 0, 0, 0)),
        (nn.U(2), (1, 0, 1, 0, 1)),
        (nn.Lorentz(4), (1, 0, 1, 0, 1)),
    ],
    ids=lambda case: getattr(case, "name", None),
)
def test_invariants_of_one_vector(group, expected):
    assert counts(nn.invariant_densities(group, degree=4), 4) == expected


def test_determinants_need_the_group_without_reflections():
    V, W = nn.defining(nn.SO(3)), nn.defining(nn.O(3))
    assert nn.invariant_densities(nn.SO(3), V + V + V, 3).counts == (1, 0, 6, 1)
    assert nn.invariant_densities(nn.O(3), W + W + W, 3).counts == (1, 0, 6)


def test_quartic_couplings_of_a_matrix():
    """W in R^{2×2} under O(2) × O(2): Tr WᵀW, its square, and Tr (WᵀW)²."""
    one, J, F = sp.eye(2), sp.Matrix([[0, -1], [1, 0]]), sp.diag(-1, 1)
    kron = sp.kronecker_product
    group = nn.MatrixGroup(
        name="O(2)xO(2)",
        algebra=[kron(J, one), kron(one, J)],
        finite=[kron(F, one), kron(one, F)],
    )
    found = nn.invariant_densities(group, degree=4)
    assert found.counts == (1, 0, 1, 0, 2)
    W = sp.Matrix(2, 2, found.variables)
    gram = W.T * W
    for candidate in (gram.trace() ** 2, (gram * gram).trace()):
        a, b = sp.symbols("a b")
        quartic = [q for q in found.invariants if sp.Poly(q, *found.variables).total_degree() == 4]
        rest = sp.Poly(candidate - a * quartic[0] - b * quartic[1], *found.variables)
        assert sp.solve(rest.coeffs(), [a, b])


def test_volume():
    assert nn.invariant_densities(nn.Dilatations(2)).particular is None
    with pytest.raises(NotDerivedError, match="scales the volume"):
        _ = nn.invariant_densities(nn.Conformal(1)).log_density
    assert nn.invariant_densities(nn.Translations(2)).log_density == 0
    x = nn.inputs(2)
    drift = nn.VectorField(components=(sp.Integer(1), x[1]))  # ∇·v = 1, made up for by -θ_1
    group = nn.Group(name="drift", latex="D", dimension=2, fields=(drift,))
    found = nn.invariant_densities(group, degree=2)
    assert found.log_density == -found.variables[0]
    doubling = nn.MatrixGroup(name="2", finite=[[[2]]])
    assert nn.invariant_densities(doubling, degree=3).particular is None


def test_isometries_of_the_plane_on_pairs_of_points():
    """Two points under E(2), written as fields and maps on R^4: functions of the distance."""
    x = nn.inputs(4)
    one, zero = sp.S.One, sp.S.Zero
    fields = [
        (one, zero, one, zero),
        (zero, one, zero, one),
        (-x[1], x[0], -x[3], x[2]),
    ]
    group = nn.Group(
        name="E(2) on pairs",
        latex="E(2)",
        dimension=4,
        fields=tuple(nn.VectorField(components=f) for f in fields),
        finite=(nn.AffineMap(matrix=sp.diag(-1, 1, -1, 1)),),
    )
    found = nn.invariant_densities(group, degree=4)
    a, b, c, d = found.variables
    distance = (a - c) ** 2 + (b - d) ** 2
    assert found.counts == (1, 0, 1, 0, 1)
    assert sp.Poly(distance, a) in {sp.Poly(found.invariants[0] * s, a) for s in (1, -1, 2, -2)}


def test_a_dropped_term_is_seen():
    found = nn.invariant_densities(nn.SO(3), degree=4)
    broken = found.invariants[1] - found.variables[0] ** 4
    wrong = type(found)(
        group=found.group, variables=found.variables, invariants=(broken,), particular=sp.S.Zero
    )
    assert largest_change(wrong, nn.SO(3).algebra, (), np.random.default_rng(0)) > 0.1


def test_bad_input_is_named():
    with pytest.raises(SpecificationError, match=r"a representation of SO\(3\)"):
        nn.invariant_densities(nn.SO(3), nn.defining(nn.SO(2)))
    for degree in (0, -1, 2.5, True):
        with pytest.raises(SpecificationError, match="degree"):
            nn.invariant_densities(nn.SO(3), degree=degree)
    with pytest.raises(SpecificationError, match="finite group"):
        nn.molien_series(nn.defining(nn.SO(3)), 4)


def test_displays():
    assert "c_{1}" in nn.invariant_densities(nn.SO(2))._repr_latex_()
    assert "no polynomial" in nn.invariant_densities(nn.Dilatations(1))._repr_latex_()
