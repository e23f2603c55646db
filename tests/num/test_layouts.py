from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnft_num.runs.layouts import Layout, segment_size
from nnft_num.runs.run import Provenance, Run, Sums
from nnft_num.runs.sampling import new_run, sample_fields, sample_moments, sample_sums
from nnft_num.sources.source import Source
from nnft_num.statistics.moments import moments_from_fields
from nnft_sym.language.errors import SpecificationError
from tests.num.example_plans import ERF

SOURCE = Source(plan=ERF.plan, X=ERF.X[:2], params=ERF.params, precision="single")
KEY = (5, 6)


def layout(networks, first=0, groups=8, segment=16):
    return Layout(first=first, networks=networks, groups=groups, segment=segment)


def ends(growing, last):
    found = [growing.next_end(0)]
    while found[-1] < last:
        found.append(growing.next_end(found[-1]))
    return found


def test_a_growing_run_may_stop_at_quarters_of_powers_of_two():
    assert ends(layout(None, groups=128), 10_000)[:9] == [
        *(2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192)
    ]


@given(
    networks=st.one_of(st.none(), st.integers(1, 3000)),
    first=st.integers(0, 50),
    segment=st.sampled_from([16, 48, 128]),
    cut=st.integers(0, 200),
)
def test_segments_cover_each_network_once_wherever_a_run_was_cut(networks, first, segment, cut):
    cuts = layout(networks, first=first, segment=segment)
    last, done, found = networks or 1000, 0, []
    while done < last:
        end = cuts.next_end(done)
        whole = list(cuts.segments(done, end))
        stopped = cuts.first + done if not cut else whole[min(cut, len(whole)) - 1].stop
        halves = [s for s in whole if s.stop <= stopped]
        halves += cuts.segments(stopped - cuts.first, end)
        assert halves == whole
        found += whole
        done = end
    assert found[0].start == first
    assert all(a.stop == b.start for a, b in pairwise(found))
    assert all(0 < s.stop - s.start <= segment for s in found)
    assert cuts.counts(done).sum() == done


@pytest.mark.parametrize("end", [64, 128, 160, 256, 320, 512])
def test_a_growing_run_holds_the_moments_of_its_groups(end):
    run = Run(source=SOURCE, key=KEY, max_order=3, layout=layout(None, groups=4))
    sums = sample_sums(run, enough=lambda sums, bar: sums.done >= end)
    assert sums.done == end
    moments = sums.moments()
    assert 4 <= moments.groups < 8
    assert np.ptp(moments.counts) == 0
    fields = sample_fields(ERF.plan, ERF.X[:2], end, KEY, ERF.params)[..., 0]
    direct = moments_from_fields(fields, max_order=3, groups=moments.groups)
    np.testing.assert_allclose(moments.table, direct.table, rtol=1e-11, atol=1e-12)
    assert np.array_equal(moments.maxima, direct.maxima)


def test_a_run_may_begin_at_any_network():
    run = new_run(SOURCE, networks=100, max_order=2, key=KEY, first=40, groups=4)
    fields = sample_fields(ERF.plan, ERF.X[:2], 100, KEY, ERF.params, start=40)[..., 0]
    direct = moments_from_fields(fields, max_order=2, groups=4)
    assert np.array_equal(sample_sums(run).moments().table, direct.table)


def test_sums_take_segments_in_their_order_only():
    run = new_run(SOURCE, networks=100, max_order=2, key=KEY, groups=4)
    second = list(run.layout.segments(0, 100))[1]
    with pytest.raises(AssertionError, match="does not follow"):
        Sums(run).add(second, np.zeros(run.unique), np.zeros(2))


def test_segments_are_whole_lanes_and_follow_the_work():
    assert [segment_size(work) for work in (1e3, 1e6, 1e20)] == [1_000_000, 1008, 16]
    source = Source(plan=ERF.plan, X=ERF.X, params=ERF.params | {"N": 10**9})
    assert new_run(source, networks=9, max_order=2, key=KEY).layout.segment == 16
    moments = sample_moments(SOURCE, networks=3, max_order=1, key=KEY)
    assert moments.counts.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "wrong",
    [
        dict(first=-1),
        dict(networks=0),
        dict(groups=0),
        dict(segment=0),
        dict(segment=17),
        dict(networks=None, groups=6),
        dict(first=2**63),
        dict(groups=True),
        dict(networks=2.0),
    ],
)
def test_impossible_layouts_are_refused(wrong):
    with pytest.raises(SpecificationError):
        Layout(**{"first": 0, "networks": 100, "groups": 8, "segment": 16} | wrong)


def test_runs_survive_plain_data():
    run = new_run(SOURCE, networks=100, max_order=2, key=KEY, first=40)
    again = Run.from_dict(run.to_dict())
    assert again.hash == run.hash
    assert run.differences(again) == []
    other = new_run(SOURCE, networks=101, max_order=4, key=(0, 0), first=40)
    assert run.differences(other) == [*("seed", "highest order", "number of networks", "segments")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": [1]},
        {"key": [1, 2**32]},
        {"key": "ab"},
        {"max_order": 0},
        {"max_order": 10**9},
        {"more": 1},
        {"layout": None},
    ],
)
def test_foreign_runs_are_refused(wrong):
    data = new_run(SOURCE, networks=100, max_order=2, key=KEY).to_dict()
    with pytest.raises(SpecificationError):
        Run.from_dict(data | wrong)


@pytest.mark.parametrize("ranges", [(), ((0, 0),), ((5, 3),), ((0, 10), (9, 12)), ((-1, 3),)])
def test_ranges_are_disjoint(ranges):
    with pytest.raises(SpecificationError, match="ranges"):
        Provenance(source=SOURCE, key=KEY, ranges=ranges, environments=())
