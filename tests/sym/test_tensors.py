"""SymmetricTensor against dense numpy arrays."""

import itertools
from math import comb, factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnft_sym.language import SpecificationError
from nnft_sym.tensors import SymmetricTensor, multi_indices, multiplicities, rank_of

SIZES = st.tuples(st.integers(0, 5), st.integers(1, 4))


def random_tensor(order, dimension, seed=0):
    unique = comb(dimension + order - 1, order)
    return SymmetricTensor(order, dimension, np.random.default_rng(seed).normal(size=unique))


@given(SIZES)
def test_ranks_number_the_multi_indices(size):
    order, dimension = size
    table = multi_indices(order, dimension)
    assert len(table) == comb(dimension + order - 1, order)
    assert rank_of(table, dimension).tolist() == list(range(len(table)))
    assert multiplicities(order, dimension).sum() == dimension**order


def test_entries_of_fewer_points_are_a_prefix():
    small, large = multi_indices(3, 2), multi_indices(3, 5)
    assert np.array_equal(large[: len(small)], small)


@given(SIZES, st.integers(0, 10))
def test_dense_is_symmetric_and_round_trips(size, seed):
    tensor = random_tensor(*size, seed)
    for axes in itertools.permutations(range(tensor.order)):
        assert np.array_equal(tensor.dense, np.transpose(tensor.dense, axes))
    if tensor.order:
        assert np.array_equal(SymmetricTensor.from_dense(tensor.dense).entries, tensor.entries)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 10))
def test_contractions_are_those_of_einsum(order, dimension, seed):
    tensor, other = random_tensor(order, dimension, seed), random_tensor(order, dimension, seed + 1)
    rng = np.random.default_rng(seed)
    vector, matrix = rng.normal(size=dimension), rng.normal(size=(2, dimension))
    once = np.tensordot(vector, tensor.dense, axes=(0, 0))
    assert np.allclose(tensor.contract(vector).dense, once)
    assert np.isclose(tensor.inner(other), np.sum(tensor.dense * other.dense))
    assert np.isclose(tensor.norm(), np.linalg.norm(tensor.dense.ravel()))
    dense = tensor.dense
    for axis in range(order):
        dense = np.moveaxis(np.tensordot(matrix, dense, axes=(1, axis)), 0, axis)
    assert np.allclose(tensor.transform(matrix).dense, dense)


def test_repeated_contraction_of_a_power():
    v = np.array([1.0, -2.0, 0.5])
    cube = SymmetricTensor.from_function(3, 3, lambda i, j, k: v[i] * v[j] * v[k])
    assert np.isclose(cube.contract(v, times=3).entries[0], (v @ v) ** 3)
    assert multiplicities(3, 3).max() == factorial(3)


def test_arithmetic_and_access():
    tensor = SymmetricTensor(2, 2, [1.0, 5.0, 2.0])
    assert (tensor + 2 * tensor - tensor).entries.tolist() == [2.0, 10.0, 4.0]
    assert dict(tensor) == {(0, 0): 1.0, (0, 1): 5.0, (1, 1): 2.0}
    assert tensor[-1, 0] == 5.0
    with pytest.raises(ValueError, match="read-only"):
        tensor.entries[0] = 3.0


@pytest.mark.parametrize(
    "build",
    [
        lambda: SymmetricTensor(2, 2, [1.0, 2.0]),
        lambda: SymmetricTensor(-1, 2, [1.0]),
        lambda: SymmetricTensor.from_dense([[1.0, 2.0], [3.0, 4.0]]),
        lambda: SymmetricTensor.from_dense(np.zeros((2, 3))),
        lambda: random_tensor(2, 2) + random_tensor(3, 2),
        lambda: random_tensor(2, 2)[0],
        lambda: random_tensor(2, 2)[0, 2],
        lambda: random_tensor(2, 2).contract([1.0, 2.0, 3.0]),
        lambda: random_tensor(2, 2).inner(random_tensor(2, 3)),
    ],
)
def test_impossible_requests_are_refused(build):
    with pytest.raises(SpecificationError, match="expected"):
        build()
