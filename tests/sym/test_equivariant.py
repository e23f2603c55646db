"""Equivariant maps: published dimensions, characters, patterns, exact against numeric."""

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import expm
from sympy.combinatorics import Permutation
from sympy.polys.domains import QQ

import nnft_sym as nn
from nnft_sym.group_theory import projections
from nnft_sym.group_theory.null_spaces import null_space
from nnft_sym.groups import catalogue
from nnft_sym.language.errors import AccuracyError, NotDerivedError, SpecificationError

LINEAR = [name for name, make in catalogue().items() if make(3).is_linear]


def dense(matrix):
    return np.array(matrix.tolist(), dtype=float)


def defect(basis, rng):
    """|ρ_out(g)B - Bρ_in(g)| at group elements: words, and exponentials by scipy."""
    worst = 0.0
    ins = [dense(g) for g in basis.rho_in.finite]
    outs = [dense(g) for g in basis.rho_out.finite]
    if basis.rho_in.algebra:
        c = rng.normal(size=len(basis.rho_in.algebra))
        ins.append(expm(sum(x * dense(A) for x, A in zip(c, basis.rho_in.algebra, strict=True))))
        outs.append(expm(sum(x * dense(A) for x, A in zip(c, basis.rho_out.algebra, strict=True))))
    for B in basis.array():
        for i, o in zip(ins, outs, strict=True):
            worst = max(worst, float(abs(o @ B - B @ i).max()))
    return worst


@pytest.mark.parametrize(
    ("group", "powers", "dimension"),
    [
        (nn.Zn(4), (1, 1), 4),
        (nn.Sn(4), (2, 2), 15),
        (nn.Sn(6), (2, 2), 15),
        (nn.SO(3), (2, 1), 1),
        (nn.SO(3), (2, 2), 3),
        (nn.SO(3), (3, 3), 15),
        (nn.O(3), (2, 1), 0),
        (nn.Lorentz(4), (2, 2), 4),
        (nn.Sp(2), (2, 2), 3),
        (nn.SU(3), (2, 2), 12),
    ],
    ids=str,
)
def test_published_dimensions(group, powers, dimension):
    V = nn.defining(group)
    basis = nn.equivariant_basis(V ** powers[0], V ** powers[1], method="exact")
    assert basis.dimension == dimension
    assert defect(basis, np.random.default_rng(0)) < 1e-9
    assert (
        np.linalg.matrix_rank(
            basis.array().reshape(max(dimension, 1) if dimension else 0, -1)
            if dimension
            else np.zeros((1, 1))
        )
        == dimension
    )


@pytest.mark.parametrize("name", LINEAR)
def test_exact_and_numeric_span_the_same_maps(name):
    group = catalogue()[name](3)
    V = nn.defining(group)
    exact = nn.equivariant_basis(V + V.dual(), V, method="exact")
    numeric = nn.equivariant_basis(V + V.dual(), V, method="numeric")
    assert exact.is_exact
    assert not numeric.is_exact
    a = exact.orthonormal().reshape(exact.dimension, -1)
    b = numeric.array().reshape(numeric.dimension, -1)
    assert np.allclose(a.T @ a, b.T @ b, rtol=0, atol=1e-8)
    assert numeric.residual < 1e-8


def test_dimensions_are_character_sums_for_random_permutation_groups():
    """dim Hom(ρ, σ) = Σ_g χ_ρ(g⁻¹)χ_σ(g)/|G|, with group and characters from sympy alone."""
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(6):
        n = int(rng.integers(3, 6))
        images = [rng.permutation(n).tolist() for _ in range(2)]
        finite = [sp.eye(n)[:, p] for p in images]
        group = nn.MatrixGroup(name="random", finite=finite)
        oracle = sp.combinatorics.PermutationGroup([Permutation(p) for p in images])
        fixed = [n - len(p.support()) for p in oracle.elements]
        V = nn.defining(group)
        for powers in ((1, 1), (2, 1), (2, 2)):
            count = sp.Rational(sum(f ** sum(powers) for f in fixed), oracle.order())
            assert nn.equivariant_basis(V ** powers[0], V ** powers[1]).dimension == count
        seen.add(oracle.order())
    assert len(seen) > 2


def test_dimensions_are_character_sums_for_representations():
    for group in (nn.Dn(4), nn.Hyperoctahedral(3), nn.Sn(4)):
        V, R = nn.defining(group), nn.regular(group)
        for rho, sigma in ((V, V * V), (R, V + nn.trivial(group)), (V.dual(), R)):
            pairs = zip(rho.dual().character(), sigma.character(), strict=True)
            count = sum(a * b for a, b in pairs) / sp.Integer(group.order())
            assert nn.equivariant_basis(rho, sigma).dimension == count


def test_cyclic_weights_are_circulant_and_not_hankel():
    group = nn.Zn(5)
    W = nn.equivariant_basis(nn.regular(group), nn.regular(group)).pattern
    a = W[0, :]
    circulant = sp.Matrix(5, 5, lambda i, j: a[(j - i) % 5])
    hankel = sp.Matrix(5, 5, lambda i, j: a[(i + j) % 5])
    shift = sp.Matrix(group.finite[0].matrix)
    assert circulant == W
    assert shift * circulant == circulant * shift
    assert shift * hankel != hankel * shift  # the planted fault fails the test of commutation
    assert hankel != W


def test_biases():
    V = nn.defining(nn.Sn(4))
    assert nn.bias_basis(V).matrices == (sp.ones(4, 1),)
    assert nn.bias_basis(V + V).dimension == 2
    none = nn.bias_basis(nn.defining(nn.SO(3)))
    assert (none.dimension, none.orthonormal().shape) == (0, (0, 3, 1))
    (metric,) = nn.bias_basis(nn.defining(nn.SO(3)) ** 2).matrices
    assert metric.reshape(3, 3) == sp.eye(3)


def test_number_fields():
    half, root = sp.Rational(1, 2), sp.sqrt(3) / 2
    V = nn.defining(nn.MatrixGroup(name="C3", finite=[[[-half, -root], [root, -half]]]))
    basis = nn.equivariant_basis(V, V)
    assert basis.dimension == 2
    assert nn.equivariant_basis(V * V, V).dimension == 2
    g = V.finite[0]
    for B in nn.equivariant_basis(V * V, V).matrices:
        assert sp.expand(g * B - B * (V * V).finite[0]).is_zero_matrix


def test_long_fractions_are_lifted_by_longer_primes():
    """A null vector with 40 digits: the first primes fail the verification, a longer one passes."""
    big, small = QQ(10**40 + 1), QQ(3)
    (vector,) = null_space([{0: big, 1: small}], 2, QQ)
    assert vector == {0: QQ(1), 1: QQ(-(10**40 + 1), 3)}
    p = 2**61 - 1  # an equation that vanishes modulo the first prime
    assert len(null_space([{0: QQ(1), 1: QQ(1)}, {0: QQ(1), 1: QQ(p + 1)}], 2, QQ)) == 0


def test_large_representations():
    """10⁴ and 10⁶ entries of W: cyclic shifts of 100, S_10 on T3 (Bell number of 6)."""
    assert nn.equivariant_basis(*[nn.defining(nn.Zn(100))] * 2).dimension == 100
    T3 = nn.defining(nn.Sn(8)) ** 3
    assert nn.equivariant_basis(T3, T3).dimension == sp.bell(6)


def test_numeric_limit_is_said(monkeypatch):
    monkeypatch.setattr(projections, "MEMORY", 1e3)
    V = nn.defining(nn.SO(3))
    with pytest.raises(AccuracyError, match="blocks of at most"):
        nn.equivariant_basis(V, V, method="numeric")


def test_bad_input_is_named():
    V = nn.defining(nn.SO(3))
    with pytest.raises(SpecificationError, match=r"two representations of SO\(3\)"):
        nn.equivariant_basis(V, nn.defining(nn.SO(2)))
    with pytest.raises(SpecificationError, match="method"):
        nn.equivariant_basis(V, V, method="svd")
    with pytest.raises(NotDerivedError, match="numeric one"):
        _ = nn.equivariant_basis(V, V, method="numeric").pattern


def test_displays():
    V = nn.defining(nn.Zn(3))
    basis = nn.equivariant_basis(V, V)
    assert "a_{1}" in basis._repr_latex_()
    assert repr(basis) == "EquivariantBasis(V -> V of Zn(3), dimension 3, exact)"


GROUPS = {
    "permutations": nn.defining(nn.Sn(3)),
    "signed": nn.defining(nn.Hyperoctahedral(3)),
    "rotations": nn.defining(nn.SO(3)),
    "dilatations": nn.defining(nn.Dilatations(2)),
    "mixing": nn.Representation(nn.Zn(2), finite=[[[0, 2], [sp.Rational(1, 2), 0]]]),
}
KEPT = {
    "permutations": {"relu", "tanh", "z", "z + 1", "cos"},
    "signed": {"tanh", "z"},
    "rotations": {"z"},
    "dilatations": {"relu", "z"},
    "mixing": {"relu", "z"},
}
ACTIVATIONS = {"relu": nn.ReLU(), "tanh": nn.Tanh(), "z": "z", "z + 1": "z + 1", "cos": nn.Cos()}


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_which_activations_are_equivariant(group, activation):
    rho, phi = GROUPS[group], nn.Activation.of(ACTIVATIONS[activation])
    assert nn.preserves(phi, rho).holds is (activation in KEPT[group])
    rng = np.random.default_rng(3)
    z = sp.Symbol("z", real=True)
    f = sp.lambdify(z, phi.expression.replace(sp.Max, sp.Max), modules=["scipy", "numpy"])
    elements = [dense(g) for g in rho.finite] + [expm(0.7 * dense(A)) for A in rho.algebra]
    point = rng.normal(size=(rho.dimension, 50))
    apart = max(float(abs(f(g @ point) - g @ f(point)).max()) for g in elements)
    assert (apart < 1e-12) is (activation in KEPT[group])


def test_affine_in_disguise_is_not_called_curved():
    hidden = nn.Activation.of("z + max(z, 0) - (z + abs(z))/2")
    verdict = nn.preserves(hidden, nn.defining(nn.SO(3)))
    assert verdict.holds is not False
    if verdict.holds is None:
        with pytest.raises(NotDerivedError):
            bool(verdict)
