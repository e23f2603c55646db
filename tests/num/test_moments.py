from __future__ import annotations

import pickle

import numpy as np
import pytest

from nnft_num.statistics.moments import Accumulator, Moments, group_bounds, moments_from_fields
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import multi_indices

FIELDS = np.random.default_rng(0).normal(size=(203, 3))


def direct(fields: np.ndarray, order: int) -> np.ndarray:
    return np.prod(fields[:, multi_indices(order, fields.shape[1])], axis=2).sum(axis=0)


@pytest.mark.parametrize("groups", [1, 7, 64])
def test_sums_are_those_of_all_unique_products(groups):
    moments = moments_from_fields(FIELDS, max_order=6, groups=groups)
    bounds = group_bounds(len(FIELDS), groups)
    assert moments.networks == len(FIELDS)
    assert moments.groups == groups
    for order in range(1, 7):
        for group in (0, groups - 1):
            want = direct(FIELDS[bounds[group] : bounds[group + 1]], order)
            np.testing.assert_allclose(moments.sums[order][group], want, rtol=1e-12, atol=1e-12)
    first = np.abs(FIELDS[bounds[0] : bounds[1]]).max(axis=0)
    assert np.array_equal(moments.maxima[0], first)


@pytest.mark.parametrize("order", [1, 2])
def test_one_field_and_low_orders(order):
    moments = moments_from_fields(FIELDS[:, :1], max_order=order)
    assert moments.table.shape == (128, order)
    np.testing.assert_allclose(moments.sums[1].sum(), FIELDS[:, 0].sum(), rtol=1e-12)


def test_chunks_of_sixteen_do_not_change_a_bit():
    whole, chunked = Accumulator(3, 4), Accumulator(3, 4)
    whole.add(FIELDS)
    for start in range(0, len(FIELDS), 48):
        chunked.add(FIELDS[start : start + 48])
    for one, other in zip(whole.finish(), chunked.finish(), strict=True):
        assert np.array_equal(one, other)
    assert not whole.finish()[0].any(), "finish starts again from zero"


def test_groups_differ_by_at_most_one_and_cover_everything():
    for networks, groups in ((10, 4), (128, 128), (5, 128), (1000, 128), (10**12 + 1, 7)):
        bounds = group_bounds(networks, groups)
        sizes = np.diff(bounds)
        assert bounds[0] == 0
        assert bounds[-1] == networks
        assert sizes.max() - sizes.min() <= 1
        assert len(sizes) == min(networks, groups)


def test_merging_joins_the_groups():
    one = moments_from_fields(FIELDS[:100], max_order=4, groups=5)
    two = moments_from_fields(FIELDS[100:], max_order=4, groups=3)
    both = one.merge(two)
    assert both.counts.tolist() == [*one.counts, *two.counts]
    np.testing.assert_allclose(both.sums[4].sum(axis=0), direct(FIELDS, 4), rtol=1e-11)
    with pytest.raises(SpecificationError, match="same points"):
        one.merge(moments_from_fields(FIELDS, max_order=3))
    with pytest.raises(SpecificationError, match="same points"):
        one.merge(moments_from_fields(FIELDS[:, :2], max_order=4))


def test_moments_are_frozen_and_travel():
    moments = moments_from_fields(FIELDS, max_order=2)
    assert moments.sums[2].shape == (128, 6)
    with pytest.raises(ValueError, match="read-only"):
        moments.table[0, 0] = 1.0
    again = pickle.loads(pickle.dumps(moments))
    assert np.array_equal(again.table, moments.table)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(SpecificationError, match="shape"):
        Moments(
            dimension=2,
            max_order=2,
            counts=np.ones(3, dtype=np.int64),
            table=np.zeros((3, 4)),
            maxima=np.zeros((3, 2)),
        )
    with pytest.raises(SpecificationError, match="network"):
        group_bounds(0, 3)
