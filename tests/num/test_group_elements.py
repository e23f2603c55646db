"""Random elements: in the group, from the Haar measure, in representations, and along flows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import sympy as sp
from scipy.stats import kstest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.symmetries.elements import as_elements, generators
from nnft_sym.groups import catalogue
from nnft_sym.language.errors import NotDerivedError, SpecificationError

KEPT = {
    "SO": lambda g, n: (g.T @ g - np.eye(n), np.linalg.det(g) - 1),
    "O": lambda g, n: (g.T @ g - np.eye(n), 0),
    "SU": lambda g, n: (g.T @ g - np.eye(2 * n), np.linalg.det(g[:n, :n] - 1j * g[:n, n:]) - 1),
    "U": lambda g, n: (g.T @ g - np.eye(2 * n), g[:n, :n] - g[n:, n:]),
    "Sp": lambda g, n: (g.T @ J(n) @ g - J(n), 0),
    "SL": lambda g, n: (np.linalg.det(g) - 1, 0),
    "Lorentz": lambda g, n: (g.T @ minkowski(n) @ g - minkowski(n), np.minimum(g[0, 0], 0)),
    "Hyperoctahedral": lambda g, n: (np.abs(g).sum(axis=0) - 1, np.abs(g).sum(axis=1) - 1),
    "Sn": lambda g, n: (g.sum(axis=0) - 1, g.min()),
}


def J(n):
    return np.kron([[0, 1], [-1, 0]], np.eye(n))


def minkowski(n):
    return np.diag([-1.0] + [1.0] * (n - 1))


@pytest.mark.parametrize("name", KEPT)
def test_elements_keep_what_their_group_keeps(name):
    group = catalogue()[name](3)
    found = nm.random_elements(group, 5, rng=1)
    for g in found:
        for kept in KEPT[name](g.matrix, 3):
            np.testing.assert_allclose(kept, 0, atol=1e-12)
    assert any(not np.allclose(g.matrix, found[0].matrix) for g in found)


@pytest.mark.montecarlo
def test_rotations_and_unitary_matrices_are_haar_draws():
    """(1 + trace/3)... of the angle of SO(3), and |u₁₁|² of SU(2); one time in 10³ by chance."""
    traces = [np.trace(g.matrix) for g in nm.random_elements(nn.SO(3), 400, rng=1)]
    angles = np.arccos(np.clip((np.array(traces) - 1) / 2, -1, 1))
    assert kstest((angles - np.sin(angles)) / np.pi, "uniform").pvalue > 1e-3
    entries = [g.matrix[0, 0] ** 2 + g.matrix[2, 0] ** 2
               for g in nm.random_elements(nn.SU(2), 400, rng=1)]  # fmt: skip
    assert kstest(entries, "uniform").pvalue > 1e-3
    # the planted fault: exponentials of fixed size are no Haar draws
    algebra = np.array([np.array(a, float) for a in nn.SO(3).algebra])
    assert kstest(np.full(400, (1 - np.sin(1)) / np.pi), "uniform").pvalue < 1e-3
    assert algebra.shape == (3, 3, 3)


@pytest.mark.montecarlo
def test_finite_groups_are_drawn_uniformly():
    """Chi squared over the 48 elements of B_3, within 5 deviations."""
    found = nm.random_elements(nn.Hyperoctahedral(3), 2400, rng=2)
    _, counts = np.unique([g.matrix.ravel() for g in found], axis=0, return_counts=True)
    chi = np.sum((counts - 50) ** 2 / 50)
    assert len(counts) == 48
    assert abs(chi - 47) < 5 * np.sqrt(2 * 47)


@pytest.mark.parametrize("name", ["SO", "O", "SU", "U", "SL", "Lorentz", "Hyperoctahedral"])
def test_the_square_of_the_defining_representation_is_the_square_of_the_matrix(name):
    group = catalogue()[name](3)
    one = sp.eye(group.dimension)
    square = SimpleNamespace(
        dimension=group.dimension**2,
        algebra=[
            sp.kronecker_product(a, one) + sp.kronecker_product(one, a) for a in group.algebra
        ],
        finite=[sp.kronecker_product(h.matrix, h.matrix) for h in group.finite],
    )
    for g in nm.random_elements(group, 3, rng=4, size=0.7):
        found = g.represented(square).matrix
        np.testing.assert_allclose(found, np.kron(g.matrix, g.matrix), atol=1e-12)


def test_affine_and_conformal_elements_move_points():
    points = np.array([[0.2, 0.1], [-0.3, 0.4], [0.1, -0.2]])
    moved = nm.random_elements(nn.Euclidean(2), 1, rng=1)[0](points)
    np.testing.assert_allclose(
        np.linalg.norm(moved[0] - moved[1]), np.linalg.norm(points[0] - points[1]), rtol=1e-12
    )
    assert not np.allclose(moved, points)
    # the cross-ratio of four points of the line is kept by the conformal group
    line = np.array([[0.1], [0.2], [-0.3], [0.5]])
    a, b, c, d = nm.random_elements(nn.Conformal(1), 1, rng=3, size=0.4)[0](line).ravel()
    p, q, r, s = line.ravel()
    ratio = (p - r) * (q - s) / ((p - s) * (q - r))
    assert (a - c) * (b - d) / ((a - d) * (b - c)) == pytest.approx(ratio, rel=1e-9)


def test_flows_to_infinity_are_said():
    elements = nm.random_elements(nn.Conformal(1), 8, rng=3, size=30.0)
    with pytest.raises(NotDerivedError, match="keeps the points finite"):
        _ = [g([[1.0]]) for g in elements]


def test_generators_and_given_maps_are_elements():
    flip = generators(nn.O(2))[0]
    np.testing.assert_array_equal(flip([[2.0, 3.0]]), [[-2.0, 3.0]])
    given = as_elements([nn.AffineMap(matrix=sp.eye(1), shift=sp.Matrix([2])), [[3.0]]], 1)
    assert [g([1.0]).tolist() for g in given] == [[3.0], [3.0]]
    with pytest.raises(SpecificationError, match="given ready-made"):
        _ = given[1].coefficients
    with pytest.raises(SpecificationError, match="points in 2 dimensions"):
        flip([1.0])


@pytest.mark.parametrize("bad", [dict(count=0), dict(size=0.0), dict(size=np.inf)])
def test_impossible_draws_are_refused(bad):
    with pytest.raises(SpecificationError, match="at least 1 element"):
        nm.random_elements(nn.SO(2), **({"count": 1, "rng": 0} | bad))
