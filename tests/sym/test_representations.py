"""Representations: homomorphisms of every construction, characters, bad input."""

from itertools import combinations

import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.groups import catalogue
from nnft_sym.language.errors import NotDerivedError, SpecificationError

LINEAR = [name for name, make in catalogue().items() if make(3).is_linear]


def constructions(group):
    V, one = nn.defining(group), nn.trivial(group)
    return {
        "defining": V,
        "trivial": one,
        "sum": V + one,
        "product": V * V,
        "dual": V.dual(),
        "power": (V + one) * V.dual(),
    }


def dense(matrix):
    return np.array(matrix.tolist(), dtype=float)


@pytest.mark.parametrize("name", LINEAR)
def test_every_construction_passes_the_check_of_matrices_from_users(name):
    """Products and duals are made without a check; given as plain matrices they pass it."""
    group = catalogue()[name](2)
    for rho in constructions(group).values():
        again = nn.Representation(group, algebra=rho.algebra, finite=rho.finite)
        assert again == rho
        assert hash(again) == hash(rho)


@pytest.mark.parametrize("name", LINEAR)
def test_products_and_duals_by_numpy(name):
    """ρ⊗σ by numpy's kron, duals by transposed inverses."""
    group = catalogue()[name](3)
    found = constructions(group)
    one = np.eye(group.dimension)
    for A, B, C in zip(group.algebra, found["product"].algebra, found["dual"].algebra, strict=True):
        a = dense(A)
        assert np.array_equal(dense(B), np.kron(a, one) + np.kron(one, a))
        assert np.array_equal(dense(C), -a.T)
    for g, h, k in zip(group.finite, found["product"].finite, found["dual"].finite, strict=True):
        a = dense(g.matrix)
        assert np.array_equal(dense(h), np.kron(a, a))
        assert np.allclose(dense(k), np.linalg.inv(a).T, rtol=0, atol=1e-14)


def test_characters_of_constructions():
    for group in (nn.Dn(4), nn.Hyperoctahedral(2), nn.Sn(4)):
        V, one = nn.defining(group), nn.trivial(group)
        chi = np.array(V.character(), dtype=int)
        assert np.array_equal(np.array((V + one).character(), dtype=int), chi + 1)
        assert np.array_equal(np.array((V * V).character(), dtype=int), chi**2)
        traces = [int(g.matrix.trace()) for g in group.elements()]
        assert traces == chi.tolist()
        regular = nn.regular(group)
        assert regular.dimension == group.order()
        assert regular.character() == (group.order(),) + (0,) * (group.order() - 1)


def test_matrices_follow_the_elements():
    rho = nn.defining(nn.Dn(4)) ** 2
    for g, image in zip(nn.Dn(4).elements(), rho.matrices(), strict=True):
        assert np.array_equal(dense(image), np.kron(dense(g.matrix), dense(g.matrix)))


def test_powers():
    V = nn.defining(nn.SO(3))
    assert nn.trivial(nn.SO(3)) == V**0
    assert V**3 == V * V * V
    assert repr((V + V**0) * V) == "Representation((V + 1)*V of SO(3), dimension 12)"
    with pytest.raises(SpecificationError, match="tensor power"):
        V ** (-1)


def test_spinors_represent_the_algebra_of_rotations():
    half = sp.Rational(1, 2)
    sigma = [sp.Matrix([[0, 1], [1, 0]]), sp.Matrix([[0, -sp.I], [sp.I, 0]]), sp.diag(1, -1)]
    J = [-sp.I * half * s for s in sigma]  # [J_1, J_2] = J_3
    A = nn.SO(3)  # generators of the planes 12, 13, 23: J_3, -J_2, J_1
    spin = nn.Representation(A, algebra=[J[2], -J[1], J[0]], name="spin")
    assert spin.dimension == 2
    with pytest.raises(SpecificationError, match="commutators of SO"):
        nn.Representation(A, algebra=[J[2], J[1], J[0]])


def test_lie_algebras_of_nonlinear_groups_are_represented():
    """so(1, 2) of Conformal(1) on R^2: translation, dilatation, special conformal."""
    f = nn.Conformal(1).structure_constants
    up, down = sp.Matrix([[0, 1], [0, 0]]), sp.Matrix([[0, 0], [-1, 0]])
    middle = sp.diag(sp.Rational(1, 2), -sp.Rational(1, 2))
    rho = nn.Representation(nn.Conformal(1), algebra=[up, middle, down])
    for a, b in combinations(range(3), 2):
        A, B = rho.algebra[a], rho.algebra[b]
        expected = sum((x * rho.algebra[c] for c, x in f.get((a, b), {}).items()), sp.zeros(2))
        assert expected == A * B - B * A


def test_bad_input_is_named():
    S3 = nn.Sn(3)
    V = nn.defining(S3)
    with pytest.raises(SpecificationError, match="0 algebra and 2 finite"):
        nn.Representation(S3, finite=[sp.eye(2)])
    with pytest.raises(SpecificationError, match=r"shape \(3, 3\)"):
        nn.Representation(S3, finite=[sp.eye(3), sp.eye(2)])
    with pytest.raises(SpecificationError, match="obey the relations"):
        nn.Representation(S3, finite=[[[-1]], [[-1]]])  # a cycle of three is even
    assert nn.Representation(S3, finite=[[[-1]], [[1]]]).dimension == 1
    with pytest.raises(SpecificationError, match="invertible"):
        nn.Representation(S3, finite=[sp.zeros(2), sp.eye(2)])
    with pytest.raises(SpecificationError, match="turn the algebra"):
        nn.Representation(nn.O(3), algebra=nn.O(3).algebra, finite=[sp.eye(3)])
    with pytest.raises(SpecificationError, match="one group"):
        V + nn.defining(nn.Sn(4))
    with pytest.raises(SpecificationError, match="acts linearly"):
        nn.defining(nn.Translations(2))
    with pytest.raises(SpecificationError, match="a finite group"):
        nn.regular(nn.SO(3))
    with pytest.raises(SpecificationError, match="finite group"):
        nn.defining(nn.SO(3)).character()
    with pytest.raises(NotDerivedError, match="at most 10000"):
        nn.Representation(nn.Hyperoctahedral(6), finite=[[[1]]] * 3)
    with pytest.raises(SpecificationError, match="without any"):
        nn.Representation(nn.SO(1))


def test_displays():
    assert r"\mathrm{GL}(9)" in (nn.defining(nn.SO(3)) ** 2)._repr_latex_()
    assert r"V \otimes V" in (nn.defining(nn.SO(3)) ** 2)._repr_latex_()


def test_irrational_structure_constants():
    """√2 times the rotations, with a reflection turned by 45°: the trivial matrices still pass."""
    root = sp.sqrt(2)
    algebra = [root * A for A in nn.SO(3).algebra]
    turned = sp.Matrix([[1 / root, 1 / root, 0], [1 / root, -1 / root, 0], [0, 0, 1]])
    group = nn.MatrixGroup(name="turned", algebra=algebra, finite=[turned])
    assert group.structure_constants[0, 1] == {2: root}
    zero, one = sp.zeros(1), sp.eye(1)
    assert nn.Representation(group, algebra=[zero] * 3, finite=[one]) == nn.trivial(group)
    V = nn.defining(group)
    assert nn.Representation(group, algebra=V.algebra, finite=V.finite) == V
    assert nn.equivariant_basis(V, V).dimension == 1


def test_repr_of_a_group_is_short():
    assert repr(nn.O(3)) == "Group(O(3) on R^3: 3 fields, 1 finite generators)"
