"""Symmetry groups of densities: against enumeration, numeric ranks and theorems."""

from itertools import permutations, product

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import expm

import nnft_sym as nn
from nnft_sym.language.errors import NotDerivedError, SpecificationError


def dense(matrix):
    return np.array(matrix.tolist(), dtype=float)


def signed_permutations(m):
    for p in permutations(range(m)):
        for signs in product((1, -1), repeat=m):
            yield [(p[i], signs[i]) for i in range(m)]


def enumerated_order(log_density, names):
    """Signed permutations that keep a polynomial, by trying all of them."""
    target, count = sp.Poly(log_density, *names), 0
    for g in signed_permutations(len(names)):
        values = {x: s * names[k] for x, (k, s) in zip(names, g, strict=True)}
        count += sp.Poly(log_density.xreplace(values), *names) == target
    return count


def numeric_dimension(log_density, names, rng):
    """Nullity of A ↦ (Aθ)·∇ log P + tr A at random points, by singular values."""
    m = len(names)
    gradient = sp.lambdify(names, [sp.diff(log_density, x) for x in names], modules="numpy")
    theta = rng.normal(size=(3 * m * m, m))
    rows = [np.outer(gradient(*t), t).ravel() + np.eye(m).ravel() for t in theta]
    values = np.linalg.svd(np.array(rows, dtype=float), compute_uv=False)
    return int(np.sum(values < 1e-9 * values[0]))


w = sp.symbols("w1:5", real=True)
W = sp.Matrix(2, 2, w)
GRAM = W.T * W
CASES = {
    "isotropic": (-sum(x**2 for x in w), 6, 384),
    "two scales": (-(w[0] ** 2) - w[1] ** 2 - 3 * w[2] ** 2 - 3 * w[3] ** 2, 6, 64),
    "quartic entries": (-sum(x**2 + x**4 for x in w), 0, 384),
    "trace of square": (-GRAM.trace() - (GRAM * GRAM).trace(), 2, 64),
    "square of trace": (-GRAM.trace() - GRAM.trace() ** 2, 6, 384),
    "determinant": (-(W.det() ** 2), 6, 64),
    "odd": (-sum(x**4 for x in w) + w[0] ** 3 * w[1], 0, 16),
    "cycle": (-sum(x**4 for x in w) + sum(w[i] ** 2 * w[(i + 1) % 4] for i in range(4)), 0, 4),
    "one entry alone": (-(w[0] ** 2), 11, 96),
    "irrational": (-(w[0] ** 2) - sp.sqrt(2) * w[1] ** 2 - w[2] ** 4 - w[3] ** 4, 1, 32),
}


@pytest.mark.parametrize("name", CASES)
def test_lie_algebra_and_finite_part(name):
    expression, dimension, order = CASES[name]
    expression = sp.expand(expression)
    found = nn.symmetry_group(expression, w)
    rng = np.random.default_rng(0)
    assert (found.dimension, found.finite_order) == (dimension, order)
    assert numeric_dimension(expression, w, rng) == dimension
    assert enumerated_order(expression, w) == order
    log_density = sp.lambdify(w, expression, modules="numpy")
    theta = rng.normal(size=(4, 10))
    for g in [*map(dense, found.finite), *(expm(0.3 * dense(A)) for A in found.algebra)]:
        changed = log_density(*(g @ theta)) + np.log(abs(np.linalg.det(g)))
        assert np.allclose(changed, log_density(*theta), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("outputs", [3, 4, 5])
def test_a_common_mean_leaves_the_rotations_around_it(outputs):
    """SO(D-1) for every k >= 1: the stabiliser of one vector, whatever its number of entries."""
    for k in range(outputs + 1):
        readout = [nn.Gaussian("mu", "s")] * k + [nn.Gaussian(0, "s")] * (outputs - k)
        found = nn.symmetry_group(readout)
        left = outputs - (k > 0)
        assert found.name == f"SO({left})"
        assert found.dimension == left * (left - 1) // 2
        mean = sp.Matrix([1] * k + [0] * (outputs - k))
        assert all((A * mean).is_zero_matrix for A in found.algebra)
        fixed = sp.factorial(k) * 2 ** (outputs - k) * sp.factorial(outputs - k)
        assert found.finite_order == fixed


def test_different_means_leave_no_more():
    readout = [nn.Gaussian("m1", 1), nn.Gaussian("m2", 1), nn.Gaussian(0, 1), nn.Gaussian(0, 1)]
    found = nn.symmetry_group(readout)
    assert found.name == "SO(3)"
    assert found.finite_order == 8


def test_the_group_closes():
    found = nn.symmetry_group([nn.Gaussian("mu", 1)] * 2 + [nn.Gaussian(0, 1)] * 2)
    assert len(found.group.fields) == 3  # closure is verified on construction


def test_boxes():
    box = nn.Uniform(-1, 1)
    assert nn.symmetry_group([box] * 3).finite_order == 48
    assert nn.symmetry_group([nn.Uniform(0, 1)] * 3 + [box]).finite_order == 12
    assert nn.symmetry_group([nn.Uniform(0, 1), nn.Uniform(-1, 0)]).finite_order == 2
    assert nn.symmetry_group([box, nn.Uniform(-2, 2)]).finite_order == 4
    assert nn.symmetry_group([box] * 3).dimension == 0


def test_other_densities_with_corners():
    assert nn.symmetry_group([nn.Laplace(0, "b")] * 3).finite_order == 48
    assert nn.symmetry_group([nn.Laplace("m", 1)] * 2 + [nn.Laplace(0, 2)]).finite_order == 4
    assert nn.symmetry_group([nn.Rademacher()] * 3).finite_order == 48


def test_many_variables_without_enumeration():
    names = sp.symbols("t1:9")
    assert nn.symmetry_group(-sum(x**4 for x in names), names).finite_order == 2**8 * 40320


def test_densities_found_by_a_group_keep_it():
    """The way back: the symmetry group of the general invariant density contains the group."""
    for group in (nn.Dn(4), nn.SO(3), nn.Hyperoctahedral(3)):
        densities = nn.invariant_densities(group, degree=4)
        found = nn.symmetry_group(densities.log_density, densities.variables)
        assert found.dimension >= len(group.fields)
        if not group.fields:
            assert found.finite_order == group.order()
            assert found.dimension == 0


def test_bad_input_is_named():
    x = sp.Symbol("x", real=True)
    with pytest.raises(SpecificationError, match="variables"):
        nn.symmetry_group(-(x**2))
    with pytest.raises(SpecificationError, match="a Density"):
        nn.symmetry_group([1, 2])
    with pytest.raises(SpecificationError, match="2 variables"):
        nn.symmetry_group([nn.Gaussian(0, 1)] * 2, [x])
    with pytest.raises(NotDerivedError, match="polynomial"):
        nn.symmetry_group(-sp.Abs(x), [x])
    with pytest.raises(NotDerivedError, match="exact"):
        nn.symmetry_group(-0.5 * x**2, [x])
    with pytest.raises(NotDerivedError, match="came Ball"):
        nn.symmetry_group([nn.Ball(2, 1)])
    with pytest.raises(NotDerivedError, match="came Gaussian, Laplace"):
        nn.symmetry_group([nn.Laplace(0, 1), nn.Gaussian(0, 1)])


def test_display():
    found = nn.symmetry_group([nn.Gaussian(0, 1)] * 3)
    assert r"\mathfrak{so}(3)" in found._repr_latex_()
