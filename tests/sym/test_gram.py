"""Covariances of points: exactness where points almost coincide or are collinear."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.language.errors import SpecificationError

small = st.floats(-3, 3).map(lambda x: round(x, 6))


def exact_determinant(x, y, weight, bias):
    """D in rational arithmetic, for the doubles given."""
    d = len(x)
    x, y = [Fraction(t) for t in x], [Fraction(t) for t in y]
    weight, bias = Fraction(weight), Fraction(bias)

    def K(u, v):
        return bias + weight / d * sum(s * t for s, t in zip(u, v, strict=True))

    return K(x, x) * K(y, y) - K(x, y) ** 2


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("bias", [0.0, 0.7])
@pytest.mark.parametrize("distance", [1.0, 1e-4, 1e-8, 1e-12])
def test_determinants_do_not_cancel(d, bias, distance):
    rng = np.random.default_rng(d)
    x = rng.normal(size=d)
    y = x + distance * rng.normal(size=d)
    gram = Gram.from_points([x, y], 1.3, bias)
    exact = exact_determinant(x, y, 1.3, bias)
    assert gram.determinants[0, 1] == pytest.approx(float(exact), rel=1e-14, abs=0)
    assert gram.rank() == (1 if d == 1 and bias == 0 else 2)


def test_collinear_points_stay_collinear():
    x = np.array([0.1, 0.7, -0.3])
    gram = Gram.from_points([x, 3 * x, -0.1 * x, 0 * x], 1.0, 0.0)
    assert not np.any(gram.determinants)
    assert gram.rank() == 1
    signs = np.sign(gram.factor()[:, 0])
    assert signs[0] == signs[1] == -signs[2]
    assert signs[3] == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 3), st.data(), st.sampled_from([0.0, 0.4]))
def test_factor_reproduces_the_covariance(n, d, data, bias):
    X = [[data.draw(small) for _ in range(d)] for _ in range(n)]
    gram = Gram.from_points(X, 1.2, bias)
    scale = np.max(np.abs(gram.matrix))
    for given_as in (gram, Gram.from_matrix(gram.matrix)):
        v = given_as.factor()
        assert v.shape == (n, given_as.rank())
        assert v.shape[1] <= min(n, d + (bias > 0))
        np.testing.assert_allclose(v @ v.T, gram.matrix, rtol=0, atol=1e-13 * scale)
    index = [(a, b) for a in range(n) for b in range(n)]
    pairs = gram.pairs(index)
    rebuilt = np.einsum("pai,pbi->pab", pairs, pairs)
    for (a, b), block in zip(index, rebuilt, strict=True):
        expected = gram.matrix[np.ix_([a, b], [a, b])]
        np.testing.assert_allclose(block, expected, rtol=0, atol=1e-14 * scale)


def test_affine_collinear_points_span_a_plane():
    x, u = np.array([0.3, -1.1, 0.7]), np.array([0.9, 0.2, -0.4])
    gram = Gram.from_points([x + t * u for t in (-1.3, 0.1, 0.77, 2.9)], 1.0, 0.3)
    assert gram.rank() == 2
    assert gram.rank([0, 2]) == 2
    assert gram.rank([1]) == 1


def test_rank_three_from_nearly_parallel_points():
    gram = Gram.from_points([[1.0, 0.0, 0.0], [1.0, 1e-8, 0.0], [1.0, 0.0, 1e-8]], 1.0, 0.0)
    assert gram.rank() == 3
    assert gram.rank([0, 1]) == 2


def test_points_of_zero_variance():
    gram = Gram.from_points([[0.0], [1.0]], 1.0, 0.0)
    assert gram.rank([0]) == 0
    assert gram.factor().tolist() == [[0.0], [1.0]]
    assert Gram.from_points([[1.0], [2.0]], 0.0, 0.0).rank() == 0
    assert Gram.from_matrix(np.zeros((2, 2))).factor().shape == (2, 0)


def test_distinct_merges_equal_points_only():
    gram = Gram.from_points([[1.0, 0.0], [2.0, 1.0], [1.0, -0.0], [1.0, 1e-15]], 1.0, 1.0)
    merged = gram.distinct()
    assert merged.labels.tolist() == [0, 1, 0, 2]
    assert merged.points.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(merged.gram.matrix, gram.matrix[np.ix_([0, 1, 3], [0, 1, 3])])
    assert Gram.from_matrix(np.ones((3, 3))).distinct().labels.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "K",
    [
        [[1.0, 2.0], [2.0, 1.0]],
        [[1.0, 0.5], [0.4, 1.0]],
        [[-1.0]],
        [[0.0, 1.0], [1.0, 1.0]],
        [[1.0, np.nan], [np.nan, 1.0]],
        [1.0, 2.0],
        np.eye(3) - 0.6 * (np.ones((3, 3)) - np.eye(3)),
    ],
)
def test_impossible_covariances_are_refused(K):
    with pytest.raises(SpecificationError, match="expected"):
        Gram.from_matrix(K)


@pytest.mark.parametrize(
    ("X", "weight", "bias"),
    [
        ([1.0, 2.0], 1.0, 0.0),
        ([[1.0]], -1.0, 0.0),
        ([[np.inf]], 1.0, 0.0),
        ([[1e200]], 1.0, 0.0),
        (np.zeros((0, 2)), 1.0, 0.0),
    ],
)
def test_impossible_points_are_refused(X, weight, bias):
    with pytest.raises(SpecificationError, match="expected"):
        Gram.from_points(X, weight, bias)


@pytest.mark.parametrize("distance", [1.0, 1e-3, 1e-9])
def test_determinants_in_many_dimensions(distance):
    """Wide angles by the plain difference, narrow ones by minors."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=7)
    points = np.array([x, 2 * x + distance * rng.normal(size=7), rng.normal(size=7), 0 * x, -3 * x])
    for bias in (0.0, 0.4):
        gram = Gram.from_points(points, 1.3, bias)
        for a in range(5):
            for b in range(5):
                exact = float(exact_determinant(points[a], points[b], 1.3, bias))
                if exact < 1e-28 * gram.matrix[a, a] * gram.matrix[b, b]:
                    exact = 0.0
                assert gram.determinants[a, b] == pytest.approx(exact, rel=2e-14, abs=0)


def test_a_slightly_negative_direction_is_rounding():
    u = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 40)))[0]
    for lowest, allowed in ((-1e-14, True), (-1e-9, False)):
        K = (u * np.concatenate([[lowest], np.linspace(0.5, 2.0, 39)])) @ u.T
        K = (K + K.T) / 2
        if allowed:
            assert len(Gram.from_matrix(K)) == 40
        else:
            with pytest.raises(SpecificationError, match="negative direction"):
                Gram.from_matrix(K)
