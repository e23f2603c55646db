from __future__ import annotations

import numpy as np
import pytest

from nnft_num.kernels.draws import normals, uniforms
from nnft_num.kernels.lanes import EPSILON, NETWORKS, VECTOR, draw, draw_samples, factorise, pivoted

KEY = (7, 8)


def lanes(first, kinds, block=3, word=(254 << 24) + 5):
    out = np.empty((len(kinds), VECTOR))
    numbers = (np.uint64(number) for number in (*KEY, block, word, first))
    draw(*numbers, np.array(kinds), np.empty((4, NETWORKS), dtype=np.uint64), out)
    return out


@pytest.mark.parametrize("first", [0, 5, 2**32 - 7])
def test_draws_are_those_of_their_address(first):
    found = lanes(first, [True, False])
    for lane in range(NETWORKS):
        for slot, neuron in enumerate((0, 2, 1, 3)):
            where = (KEY, first + lane, 254)
            v = slot * NETWORKS + lane
            assert found[0, v] == pytest.approx(normals(*where, 5, 16)[12 + neuron], abs=1e-13)
            assert found[1, v] == uniforms(*where, 6, 16)[12 + neuron]


@pytest.mark.parametrize("start", [0, 1, 6, 131])
def test_samples_are_the_neurons_of_successive_networks(start):
    out = np.empty((1, 150))
    word = np.uint64(253 << 24)
    draw_samples(np.uint64(7), np.uint64(8), word, np.uint64(start), np.array([True]), out)
    expected = [normals(KEY, s // 4, 253, 0, 4)[s % 4] for s in range(start, start + 150)]
    np.testing.assert_allclose(out[0], expected, rtol=0, atol=1e-13)


def covariances(n, rng):
    """Of full rank, of low rank, with repeated points, nearly singular, zero."""
    full = rng.normal(size=(n, n + 2))
    low = rng.normal(size=(n, 2))
    repeated = full.copy()
    repeated[n - 1] = repeated[0]
    near = full.copy()
    near[-1] = near[0] + 1e-7 * near[-1]
    spread = full * np.logspace(0, -6, n)[:, None]
    return [a @ a.T for a in (full, low, repeated, near, spread, 0 * full)]


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_factors_reproduce_covariances_of_any_rank(n):
    rng = np.random.default_rng(n)
    matrices = covariances(n, rng)
    matrices = (matrices * 3)[:NETWORKS] if n > 1 else [np.eye(1) * i for i in range(NETWORKS)]
    S = np.zeros((n * (n + 1) // 2, NETWORKS))
    for lane, matrix in enumerate(matrices):
        S[:, lane] = matrix[np.tril_indices(n)]
    L = np.full_like(S, np.nan)
    factorise(S, 0.7, 0.3, EPSILON, L)
    for lane, matrix in enumerate(matrices):
        G = 0.3 + 0.7 * matrix
        factor = np.zeros((n, n))
        factor[np.tril_indices(n)] = L[:, lane]
        np.testing.assert_allclose(factor @ factor.T, G, rtol=0, atol=2e-14 * n * np.max(G))


def test_rank_is_read_off_and_equal_points_get_equal_rows():
    rng = np.random.default_rng(0)
    low = rng.normal(size=(6, 2))
    low[4] = low[1]
    factor = pivoted(low @ low.T)
    assert np.count_nonzero(np.any(factor != 0, axis=0)) == 2
    np.testing.assert_allclose(factor[4], factor[1], rtol=0, atol=1e-14)


def test_a_factor_does_not_hide_a_nan():
    matrix = np.eye(3)
    matrix[1, 1] = np.nan
    assert np.isnan(pivoted(matrix)).any()
