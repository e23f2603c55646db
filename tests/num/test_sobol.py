from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, qmc

from nnft_num.sources.sobol import MAX_COORDINATES, _directions, _fill, sobol_points

KEY = (5, 6)


def test_the_sequence_is_that_of_another_program():
    plain = np.empty((MAX_COORDINATES, 4096))
    _fill(_directions(), np.zeros(MAX_COORDINATES, dtype=np.uint64), np.uint64(0), plain)
    other = qmc.Sobol(MAX_COORDINATES, scramble=False).random_base2(12).T
    np.testing.assert_allclose(plain, other, rtol=0, atol=2.0**-32)


def test_any_point_can_be_had_alone():
    whole = sobol_points(KEY, 3, 0, 300, 5)
    assert np.array_equal(sobol_points(KEY, 3, 77, 100, 5), whole[:, 77:177])


def test_scrambling_keeps_the_points_even():
    points = sobol_points(KEY, 1, 0, 1024, 4)
    for row in points:
        assert np.array_equal(np.sort((1024 * row).astype(int)), np.arange(1024))
    # a pair of coordinates meets every box of area 1/1024 of a (0, 10, 2)-net once
    for i in range(11):
        boxes = (2**i * points[0]).astype(int) * 2 ** (10 - i) + (2 ** (10 - i) * points[1])
        assert len(set(boxes.astype(int))) == 1024


@pytest.mark.montecarlo
def test_every_point_is_uniform_over_the_randomisations():
    """False-alarm rate 1e-3 for each of six positions (Bonferroni: 1e-3 in all)."""
    for position in (0, 1, 517):
        points = np.array([sobol_points(KEY, r, position, 1, 2)[:, 0] for r in range(800)])
        for row in points.T:
            assert kstest(row, "uniform").pvalue > 1e-3 / 6
        assert abs(np.corrcoef(points.T)[0, 1]) < 4 / 800**0.5
