"""Factors of covariances by machine code: as those of pivoting code, and for any rank."""

from __future__ import annotations

import numpy as np
import pytest

from nnft_num.kernels.lanes import NETWORKS, factorise
from nnft_num.kernels.single_factor import factors

EPSILON = 2.0**-22
SCALE, SHIFT = 0.7, 0.3


def metrics(n: int, sixteens: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    full = rng.normal(size=(sixteens, NETWORKS, n, n + 4))
    return full @ full.swapaxes(-1, -2)


def entries(matrices: np.ndarray) -> np.ndarray:
    rows, columns = np.tril_indices(matrices.shape[-1])
    return np.ascontiguousarray(matrices[..., rows, columns].swapaxes(-1, -2))


def products(factor: np.ndarray, n: int) -> np.ndarray:
    L = np.zeros((len(factor), NETWORKS, n, n))
    rows, columns = np.tril_indices(n)
    L[..., rows, columns] = factor.swapaxes(-1, -2)
    return L @ L.swapaxes(-1, -2)


@pytest.mark.parametrize("n", [1, 2, 5, 16])
def test_factors_are_those_of_the_scalar_code(n):
    S = entries(metrics(n, 3))
    found, wanted = factors(S, SCALE, SHIFT, EPSILON), np.empty(S.shape[1:])
    assert found.shape == S.shape
    for batch in range(3):
        factorise(S[batch], SCALE, SHIFT, EPSILON, wanted)
        np.testing.assert_allclose(found[batch], wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


def test_singular_covariances_among_regular_ones():
    n = 6
    matrices = metrics(n, 4)
    # equal points, collinear points, zero, each in a sixteen of its own
    matrices[2, 3, :, 5], matrices[2, 3, 5] = matrices[2, 3, :, 2], matrices[2, 3, 2]
    # as sums of single precision round
    matrices[2, 3, 5, 5] = matrices[2, 3, 2, 2] * (1 + 2e-7)
    line = np.linspace(-1, 1, n)
    matrices[1, 15] = np.outer(line, line)
    matrices[3, 0] = 0.0
    G = SHIFT + SCALE * matrices
    factor = factors(entries(matrices), SCALE, SHIFT, EPSILON)
    assert np.isfinite(factor).all()
    size = np.abs(G).max(axis=(-1, -2), keepdims=True)
    assert (np.abs(products(factor, n) - G) <= 3e-6 * size).all()
    rows = np.zeros((n, n))
    rows[np.tril_indices(n)] = factor[2, :, 3]
    np.testing.assert_allclose(rows[5], rows[2], rtol=0, atol=1e-6)


def test_nothing_hides_a_nan():
    matrices = metrics(3, 2)
    matrices[1, 7, 1, 1] = np.nan
    factor = factors(entries(matrices), SCALE, SHIFT, EPSILON)
    assert np.isnan(factor[1, :, 7]).any()
    assert np.isfinite(factor[0]).all()
