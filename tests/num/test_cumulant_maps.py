"""Maps to cumulants, against exact enumeration of every sample of a small population."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest

from nnft_num.estimates.estimate import moments_of_cumulants
from nnft_num.plans.affine import Affine
from nnft_num.statistics.cumulant_maps import FieldMap, MetricMap, NeuronMap, pairings
from nnft_num.statistics.kstatistics import partitions
from nnft_num.statistics.moments import moments_from_fields
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import multi_indices

NORMAL = Affine(offset=0.0, slope=1.3, normal=True)
SHIFTED = Affine(offset=0.4, slope=0.7, normal=True)
UNIFORM = Affine(offset=-0.5, slope=2.0, normal=False)
ZERO = Affine(offset=0.0, slope=0.0, normal=True)


def joint_cumulants(moment, order, dimension):
    """From E[product over legs] by set partitions."""
    found = []
    for legs in multi_indices(order, dimension):
        total = 0.0
        for partition in partitions(order):
            parts = [[legs[i] for i in range(order) if block >> i & 1] for block in partition]
            sign = (-1) ** (len(parts) - 1) * prod(range(1, len(parts)))
            total += sign * prod(moment(tuple(part)) for part in parts)
        found.append(total)
    return np.array(found)


def averaged(cumulant_map, order, population, size):
    """Average of the statistic over every sample with replacement of the population."""
    highest = cumulant_map.highest(order)
    tables = [
        moments_from_fields(list(sample), max_order=highest, groups=1).table[0]
        for sample in product(population, repeat=size)
    ]
    counts = np.full(len(tables), size)
    return cumulant_map.cumulants(order, np.array(tables).T / size, counts).mean(axis=1)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("readout", [(NORMAL,), (SHIFTED,), (UNIFORM, SHIFTED)])
def test_neuron_cumulants_are_unbiased(order, readout):
    population = [[0.3, -1.0], [1.1, 0.4], [-0.2, 0.9]]
    outputs, width = len(readout), 5
    biases = (UNIFORM, ZERO)[:outputs]
    map_ = NeuronMap(points=2, width=width, readout=readout, biases=biases)

    def moment(legs):
        mean = np.mean([prod(y[leg // outputs] for leg in legs) for y in population])
        counts = np.bincount([leg % outputs for leg in legs], minlength=outputs)
        return mean * prod(a.moment(int(k)) for a, k in zip(readout, counts, strict=True))

    expected = joint_cumulants(moment, order, 2 * outputs) * width ** (1 - order / 2)
    legs = multi_indices(order, 2 * outputs)
    for row, entry in enumerate(legs % outputs):
        if len(set(entry)) == 1:
            expected[row] += biases[entry[0]].cumulant(order)
    found = averaged(map_, order, population, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("order", [2, 4, 6])
def test_metric_cumulants_are_unbiased(order):
    """Given S the fields are Gaussian: their moments are pairings, their cumulants follow."""
    population = [[1.0, 0.2, 0.5], [0.4, -0.1, 2.0]]
    deviations, biases = (1.3, 0.6), (0.5, 0.0)
    outputs = 2 if order < 6 else 1
    deviations, biases = deviations[:outputs], biases[:outputs]
    map_ = MetricMap(points=2, deviations=deviations, biases=biases)

    def covariance(row, a, b):
        (p, i), (q, j) = divmod(a, outputs), divmod(b, outputs)
        entry = max(p, q) * (max(p, q) + 1) // 2 + min(p, q)
        return (i == j) * (deviations[i] ** 2 * row[entry] + biases[i] ** 2)

    def moment(legs):
        if len(legs) % 2:
            return 0.0
        return np.mean(
            [
                sum(
                    prod(covariance(row, legs[i], legs[j]) for i, j in pairing)
                    for pairing in pairings(len(legs))
                )
                for row in population
            ]
        )

    expected = joint_cumulants(moment, order, 2 * outputs)
    found = averaged(map_, order, population, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_a_missing_pairing_is_caught(monkeypatch):
    pairings_of = "nnft_num.statistics.cumulant_maps.pairings"
    monkeypatch.setattr(pairings_of, lambda order: pairings(order)[:-1])
    population = [[1.0, 0.2, 0.5], [0.4, -0.1, 2.0]]
    map_ = MetricMap(points=2, deviations=(1.0,), biases=(0.0,))
    variance = np.var([1.0, 0.4])
    assert averaged(map_, 4, population, 3)[0] == pytest.approx(2 * variance)
    monkeypatch.undo()
    assert averaged(map_, 4, population, 3)[0] == pytest.approx(3 * variance)


def test_cumulants_of_points_that_are_no_independent_draws_are_those_of_their_means():
    rows = np.random.default_rng(0).normal(size=(64, 2)) + 0.3
    moments = moments_from_fields(rows, max_order=4, groups=1)
    map_ = NeuronMap(points=2, width=1, readout=(SHIFTED,), biases=(ZERO,), independent=False)

    def moment(legs):
        return np.mean(np.prod(rows[:, list(legs)], axis=1)) * SHIFTED.moment(len(legs))

    found = map_.cumulants(4, moments.table.T / 64, moments.counts)[:, 0]
    np.testing.assert_allclose(found, joint_cumulants(moment, 4, 2), rtol=1e-9)


def test_moments_come_back_from_their_cumulants():
    rows = np.random.default_rng(1).normal(size=(50, 2)) ** 2
    moments = moments_from_fields(rows, max_order=4, groups=1)
    means = NeuronMap(points=2, width=1, readout=None, biases=(ZERO,), independent=False)
    found = moments_of_cumulants(
        4, 2, lambda order: means.cumulants(order, moments.table.T / 50, moments.counts)
    )[:, 0]
    expected = [np.mean(np.prod(rows[:, legs], axis=1)) for legs in multi_indices(4, 2)]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_odd_orders_are_refused_without_a_readout():
    with pytest.raises(SpecificationError, match="even orders"):
        MetricMap(points=2, deviations=(1.0,), biases=(0.0,)).highest(3)


@pytest.mark.parametrize(
    "map_",
    [
        FieldMap(dimension=4),
        MetricMap(points=2, deviations=(1.0, 1.0), biases=(0.0, 0.0)),
        NeuronMap(points=2, width=3, readout=None, biases=(ZERO, ZERO)),
        NeuronMap(points=2, width=3, readout=(NORMAL, NORMAL), biases=(ZERO, ZERO)),
    ],
    ids=["fields", "metric", "neurons", "integrated"],
)
def test_flags_reach_the_entries_of_their_points(map_):
    """The last number of a row belongs to point 1 and, where there are two, output 1."""
    flags = np.arange(map_.dimension, 0, -1)
    spread = map_.spread(4, flags)
    legs = multi_indices(4, 4)
    last = np.any(legs >= 2, axis=1)
    if map_.dimension == 4:
        last = np.any(legs == 3, axis=1)
    assert np.array_equal(spread == 1, last)
