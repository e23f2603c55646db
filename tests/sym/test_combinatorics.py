"""Set partitions and cumulants against counting and sympy."""

import sympy as sp

from nnft_sym.combinatorics import (
    coarsenings,
    cumulant_from_moments,
    moebius,
    pairings,
    set_partitions,
)


def test_counts():
    assert [len(set_partitions(n)) for n in range(9)] == [int(sp.bell(n)) for n in range(9)]
    assert [len(pairings(2 * k)) for k in range(1, 5)] == [
        int(sp.factorial2(2 * k - 1)) for k in range(1, 5)
    ]
    assert pairings(3) == ()


def test_partitions_are_distinct_and_cover():
    for n in range(1, 7):
        seen = set()
        for partition in set_partitions(n):
            assert sorted(element for block in partition for element in block) == list(range(n))
            seen.add(frozenset(map(frozenset, partition)))
        assert len(seen) == len(set_partitions(n))


def test_moebius_function_inverts_the_sum_over_coarser_partitions():
    for n in range(2, 7):
        assert sum(moebius(len(partition)) for partition in set_partitions(n)) == 0


def test_coarsenings_of_the_finest_are_all_partitions():
    finest = tuple((i,) for i in range(5))
    found = {partition for partition, _ in coarsenings(finest)}
    assert found == {tuple(sorted(p)) for p in set_partitions(5)}


def test_cumulants_are_the_series_of_the_log():
    t = sp.Symbol("t")
    moments = [1, *sp.symbols("m1:7")]
    generating = sum(m * t**k / sp.factorial(k) for k, m in enumerate(moments))
    series = sp.series(sp.log(generating), t, 0, 7).removeO()
    for order in range(1, 7):
        expected = sp.expand(series.coeff(t, order) * sp.factorial(order))
        assert sp.expand(cumulant_from_moments(order, lambda k: moments[k]) - expected) == 0
