"""Groups: closure and Jacobi identities of all of them by walking, orders, bad input."""

from itertools import combinations, permutations

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import expm

import nnft_sym as nn
from nnft_sym.group_theory import group as group_module
from nnft_sym.groups import catalogue
from nnft_sym.language.errors import NotDerivedError, SpecificationError

SIZES = (1, 2, 3, 4)
CASES = [(name, n) for name in catalogue() for n in SIZES]


def constants(group):
    """f[a, b, c] of [A_a, A_b] = Σ f_abc A_c, as floats."""
    size = len(group.fields)
    f = np.zeros((size, size, size))
    for (a, b), row in group.structure_constants.items():
        for c, value in row.items():
            f[a, b, c], f[b, a, c] = float(value), -float(value)
    return f


@pytest.mark.parametrize(("name", "n"), CASES)
def test_commutators_close_and_obey_jacobi(name, n):
    group = catalogue()[name](n)
    f = constants(group)
    jacobi = np.einsum("abe,ecd->abcd", f, f)
    assert np.all(
        jacobi + np.transpose(jacobi, (1, 2, 0, 3)) + np.transpose(jacobi, (2, 0, 1, 3)) == 0
    )
    if group.is_linear:  # the same numbers from matrices, which share no code with vector fields
        A = np.array([np.array(m.tolist(), dtype=float) for m in group.algebra])
        for a, b in combinations(range(len(A)), 2):
            assert np.array_equal(A[a] @ A[b] - A[b] @ A[a], np.einsum("c,cij->ij", f[a, b], A))
    elif len(group.fields) <= 6:  # the same from derivatives taken by sympy
        for (a, v), (b, w) in combinations(enumerate(group.fields), 2):
            expected = [
                -sum(f[a, b, c] * sp.S(u) for c, u in enumerate(components))
                for components in zip(*(u.components for u in group.fields), strict=True)
            ]
            found = v.bracket(w).components
            assert all(
                sp.expand(x - sp.nsimplify(y)) == 0 for x, y in zip(found, expected, strict=True)
            )


FORMS = {
    "SO": lambda n: np.eye(n),
    "O": lambda n: np.eye(n),
    "SU": lambda n: np.eye(2 * n),
    "U": lambda n: np.eye(2 * n),
    "Sp": lambda n: np.kron([[0, 1], [-1, 0]], np.eye(n)),
    "Lorentz": lambda n: np.diag([-1.0] + [1.0] * (n - 1)),
    "Hyperoctahedral": np.eye,
    "Sn": np.eye,
}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", FORMS)
def test_elements_keep_the_form_that_defines_the_group(name, n):
    group, form = catalogue()[name](n), FORMS[name](n)
    rng = np.random.default_rng(n)
    for g in group.finite:
        m = np.array(g.matrix.tolist(), dtype=float)
        assert np.array_equal(m.T @ form @ m, form)
    for A in group.algebra:
        m = expm(rng.normal() * np.array(A.tolist(), dtype=float))
        assert np.allclose(m.T @ form @ m, form, rtol=0, atol=1e-12)
        assert np.isclose(np.linalg.det(m), 1)


DIMENSIONS = {
    "SO": lambda n: n * (n - 1) // 2,
    "O": lambda n: n * (n - 1) // 2,
    "SU": lambda n: n * n - 1,
    "U": lambda n: n * n,
    "Sp": lambda n: n * (2 * n + 1),
    "SL": lambda n: n * n - 1,
    "Lorentz": lambda n: n * (n - 1) // 2,
    "Translations": lambda n: n,
    "Euclidean": lambda n: n * (n + 1) // 2,
    "Dilatations": lambda n: 1,
    "Conformal": lambda n: (n + 1) * (n + 2) // 2,
}
ORDERS = {
    "Sn": sp.factorial,
    "Zn": lambda n: n,
    "Dn": lambda n: 2 * n if n > 2 else n,
    "Hyperoctahedral": lambda n: 2**n * sp.factorial(n),
}


@pytest.mark.parametrize(("name", "n"), CASES)
def test_dimension_of_the_algebra_or_order(name, n):
    group = catalogue()[name](n)
    assert name in DIMENSIONS.keys() | ORDERS.keys(), "state its dimension or order"
    if name in DIMENSIONS:
        assert len(group.fields) == DIMENSIONS[name](n)
    else:
        assert group.is_finite
        assert group.order() == ORDERS[name](n)


def test_unitary_generators_commute_with_i():
    for group in (nn.SU(3), nn.U(3)):
        i = np.kron([[0, -1], [1, 0]], np.eye(3))
        for A in group.algebra:
            m = np.array(A.tolist(), dtype=float)
            assert np.array_equal(m @ i, i @ m)


def test_special_unitary_generators_are_traceless_as_complex_matrices():
    for A in nn.SU(3).algebra:
        m = np.array(A.tolist(), dtype=float)
        assert np.trace(m[:3, :3] + 1j * m[3:, :3]) == 0


@pytest.mark.parametrize("d", [1, 2, 3])
def test_conformal_fields_are_conformal(d):
    """∂_i v_j + ∂_j v_i = (2/d) (∂·v) δ_ij."""
    for v in nn.Conformal(d).fields:
        for i in range(d):
            for j in range(d):
                left = sp.diff(v.components[j], v.coordinates[i])
                left += sp.diff(v.components[i], v.coordinates[j])
                assert sp.expand(left - sp.Rational(2, d) * v.divergence() * int(i == j)) == 0


def test_elements_of_permutation_groups():
    found = {tuple(map(tuple, g.matrix.tolist())) for g in nn.Sn(3).elements()}
    identity = sp.eye(3)
    expected = {tuple(map(tuple, identity[list(p), :].tolist())) for p in permutations(range(3))}
    assert found == expected
    assert len(nn.Hyperoctahedral(3).elements()) == 48


def test_rotations_by_sixths_need_a_square_root():
    half, root = sp.Rational(1, 2), sp.sqrt(3) / 2
    hexagon = nn.MatrixGroup(name="C6", finite=[[[half, -root], [root, half]]])
    assert hexagon.order() == 6
    g = hexagon.elements()[1]
    assert g.after(g.inverse) == nn.AffineMap.identity(2)


def test_glide_reflections_generate_an_infinite_group():
    glide = nn.AffineMap(matrix=sp.diag(1, -1), shift=sp.Matrix([1, 0]))
    frieze = nn.Group(name="p1g1", latex="p11g", dimension=2, finite=(glide,))
    assert not frieze.is_finite
    with pytest.raises(NotDerivedError, match="at most 50 elements"):
        frieze.elements(bound=50)


def test_bad_input_is_named():
    L = nn.SO(3).algebra
    with pytest.raises(SpecificationError, match=r"\[1, 2\] outside the span"):
        nn.MatrixGroup(name="?", algebra=L[:2])
    with pytest.raises(SpecificationError, match="generator 3, a combination"):
        nn.MatrixGroup(name="?", algebra=[*L[:2], L[0] - L[1]])
    with pytest.raises(SpecificationError, match="rank 1 of 2"):
        nn.MatrixGroup(name="?", finite=[[[1, 1], [1, 1]]])
    with pytest.raises(SpecificationError, match="square"):
        nn.MatrixGroup(name="?", finite=[[[1, 0, 0], [0, 1, 0]]])
    with pytest.raises(SpecificationError, match="square"):
        nn.MatrixGroup(name="?", algebra=[[[1, 0, 0], [0, 1, 0]]])
    with pytest.raises(SpecificationError, match=r"exact algebraic numbers; came 0\.5"):
        nn.MatrixGroup(name="?", finite=[[[0.5, 0], [0, 2]]])
    with pytest.raises(SpecificationError, match="polynomials"):
        nn.MatrixGroup(name="?", algebra=[[[0, sp.Symbol("a")], [1, 0]]])
    with pytest.raises(SpecificationError, match="R\\^3"):
        nn.Group(name="?", latex="?", dimension=3, fields=nn.SO(2).fields)
    with pytest.raises(SpecificationError, match="carries generator 1 out"):
        nn.MatrixGroup(name="?", algebra=[sp.diag(1, 0)], finite=[[[0, 1], [1, 0]]])
    for wrong in ("abc", [["x"]], [[1, 2], [3]], 4, [1, 2]):
        with pytest.raises(SpecificationError, match="a matrix of numbers"):
            nn.MatrixGroup(name="?", finite=[wrong])
        with pytest.raises(SpecificationError, match="a matrix of numbers"):
            nn.MatrixGroup(name="?", algebra=[wrong])
    with pytest.raises(SpecificationError, match="expressions or numbers"):
        nn.VectorField(components=("x_1", 1))
    with pytest.raises(SpecificationError, match="dimension of the trivial group"):
        nn.MatrixGroup(name="?")
    with pytest.raises(SpecificationError, match="acts linearly"):
        _ = nn.Conformal(2).algebra
    with pytest.raises(SpecificationError, match="a finite group"):
        nn.SO(3).elements()
    with pytest.raises(SpecificationError, match="polynomials"):
        nn.VectorField(components=(sp.sin(sp.Symbol("x_1", real=True)),))
    for constructor in catalogue().values():
        for n in (0, -1, 2.0, True):
            with pytest.raises(SpecificationError, match="n >= 1"):
                constructor(n)


def test_a_wrong_commutator_is_seen(monkeypatch):
    """The planted fault: the anticommutator of derivations does not close."""
    right = group_module._commutator

    def wrong(v, w):
        result = right(v, w)
        return {term: abs(value) for term, value in result.items()}

    monkeypatch.setattr(group_module, "_commutator", wrong)
    with pytest.raises(SpecificationError, match="outside the span"):
        nn.SO(3)


def test_displays():
    assert r"\mathrm{SO}(3)" in nn.SO(3)._repr_latex_()
    assert r"\partial_{1}" in nn.Translations(1)._repr_latex_()
    assert r"\mapsto" in nn.Zn(3)._repr_latex_()


def test_a_few_commutators_give_the_whole_algebra():
    """Planes through one axis for SO(n); nothing to gain where commutators vanish."""
    assert len(nn.SO(5).lie_generators) == 4
    assert len(nn.Lorentz(4).lie_generators) == 3
    assert nn.Translations(3).lie_generators == (0, 1, 2)
    for group in (nn.SU(3), nn.SL(3), nn.Sp(2)):
        chosen = [dense(group.algebra[k]).ravel() for k in group.lie_generators]
        n = group.dimension
        while True:  # closure by matrices
            rank = np.linalg.matrix_rank(np.array(chosen))
            squares = [m.reshape(n, n) for m in chosen]
            chosen += [(a @ b - b @ a).ravel() for a in squares for b in squares]
            basis = np.linalg.svd(np.array(chosen), full_matrices=False)[2]
            chosen = list(basis[: np.linalg.matrix_rank(np.array(chosen))])
            if len(chosen) == rank:
                break
        assert rank == len(group.fields)


def dense(matrix):
    return np.array(matrix.tolist(), dtype=float)
