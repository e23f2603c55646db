"""Run files: nothing is lost and no wrong number is read, whatever happens to run or file."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import itertools
import json
import os
import resource
import signal

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.runs import run as runs
from nnft_num.runs import sampling
from nnft_num.storage import formats, runfiles, store
from nnft_num.storage.formats import Contents, read_contents, write_contents
from nnft_num.storage.store import StorageWarning
from nnft_sym.language.errors import SpecificationError, StorageError

SUFFIXES = pytest.mark.parametrize("suffix", ["nc", "zarr"])
X = np.array([-0.4, 0.3, 1.0])
CALL = dict(orders=(2, 4), networks=4000, rng=7, N=5, sigma_w=1.0, sigma_v=1.2, progress=False)


def sampled(path=None, **changes):
    return nm.correlators(nn.cos_net(), X, **CALL | {"store": path} | changes)


def same(one, two):
    return (
        np.array_equal(one.moments.table, two.moments.table)
        and np.array_equal(one.moments.counts, two.moments.counts)
        and np.array_equal(one.moments.maxima, two.moments.maxima)
        and np.array_equal(one[4].error, two[4].error)
    )


@pytest.fixture(scope="module")
def reference():
    return sampled()


@pytest.fixture
def eager(monkeypatch):
    """Many tasks, and a checkpoint after each."""
    monkeypatch.setattr(sampling, "_TASK_WORK", 1e5)
    monkeypatch.setattr(sampling, "_TASK_SECONDS", 0.0)
    monkeypatch.setattr(store, "_INTERVAL", 0.0)
    reached = store.Checkpoints.reached

    def each(self, sums):
        self._interval = 0.0
        reached(self, sums)

    monkeypatch.setattr(store.Checkpoints, "reached", each)


@SUFFIXES
def test_a_run_comes_back_as_it_went(tmp_path, reference, suffix):
    path = tmp_path / f"run.{suffix}"
    kept = sampled(path)
    assert same(kept, reference)
    assert os.listdir(tmp_path) == [path.name]
    loaded = nm.load(path)
    assert same(loaded, reference)
    assert loaded.orders == (2, 4)
    assert loaded.route == reference.route
    origin = loaded.provenance
    assert origin.source.to_dict() == reference.provenance.source.to_dict()
    assert origin.ranges == ((0, 4000),)
    assert origin.key == loaded.key == reference.key
    assert loaded.plan_hash == origin.source.plan.hash == reference.plan_hash
    assert origin.environments == (runs.environment(),)
    assert set(runs.environment()) == {"python", "nnft", "llvmlite", "numba", "numpy", "processor"}
    assert nm.check(nn.cos_net(), X, estimate=loaded, N=5, sigma_w=1, sigma_v=1.2)


def test_a_finished_run_is_not_sampled_again(tmp_path, reference, monkeypatch):
    sampled(tmp_path / "run.nc")
    monkeypatch.setattr(sampling, "_sum_segments", None)
    assert same(sampled(tmp_path / "run.nc"), reference)
    assert same(sampled(tmp_path / "run.nc", rng=None), reference)


def test_a_check_keeps_its_run_and_takes_a_target(tmp_path, reference):
    path = tmp_path / "check.nc"
    call = {name: value for name, value in CALL.items() if name != "networks"}
    report = nm.check(nn.cos_net(), X, **call, networks=4000, store=path)
    assert same(nm.load(path), reference)
    assert np.array_equal(report[4].estimate.entries, reference[4].tensor.entries)
    reached = nm.check(nn.cos_net(), X, **call | {"orders": 2}, target=0.05)
    wanted = nm.correlators(nn.cos_net(), X, **call | {"orders": 2}, target=0.05)
    assert reached.networks == wanted.networks < 10**5
    assert np.array_equal(reached[2].estimate.entries, wanted[2].tensor.entries)


def test_other_programs_read_the_file(tmp_path, reference):
    h5py = pytest.importorskip("h5py")
    sampled(tmp_path / "run.nc")
    with h5py.File(tmp_path / "run.nc") as file:
        assert np.array_equal(file["sums"][...], reference.moments.table)
        assert file.attrs["plan_hash"] == reference.plan_hash
        assert json.loads(file["provenance"][()])["source"]["params"]["N"] == 5
    zarr = pytest.importorskip("zarr")
    sampled(tmp_path / "run.zarr")
    root = zarr.open_group(tmp_path / "run.zarr", mode="r")
    assert np.array_equal(root["sums"][...], reference.moments.table)
    assert root.attrs["networks"] == 4000


# --- killed at any moment


def killed_at(event, run):
    """Run in a process that kills itself at its n-th event; whether it was killed."""
    child = os.fork()
    if child == 0:
        counter = itertools.count(1)

        def counted(function):
            def wrapper(*args, **kwargs):
                if next(counter) == event:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*args, **kwargs)

            return wrapper

        @counted
        def half_way():
            """Stand where half of a file is written."""

        def in_halves(path, parts):
            data = b"".join(parts)
            with path.open("wb") as file:
                for half in (data[: len(data) // 2], data[len(data) // 2 :]):
                    file.write(half)
                    file.flush()
                    half_way()
                os.fsync(file.fileno())

        formats._write = in_halves
        os.fsync, os.replace = counted(os.fsync), counted(os.replace)
        runs.Sums.add = counted(runs.Sums.add)
        formats._remove = counted(formats._remove)
        try:
            run()
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("suffix", "step"), [("nc", 1), ("zarr", 5)])
def test_a_run_killed_at_any_moment_goes_on_to_the_same_bits(tmp_path, reference, suffix, step):
    path, kills, done = tmp_path / f"run.{suffix}", 0, -1
    while killed_at(1 + step * kills, lambda: sampled(path)):
        kills += 1
        if done < 0 and (not path.exists() or not runfiles.read_run(path).networks):
            continue
        before, done = done, nm.load(path).networks
        assert done >= before
        assert kills < 300
    assert kills > 10
    assert same(nm.load(path), reference)
    assert same(sampled(path), reference)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(("suffix", "event"), [("nc", 40), ("zarr", 120)])
def test_what_a_killed_run_left_can_be_used_and_merged(tmp_path, reference, suffix, event):
    path = tmp_path / f"run.{suffix}"
    assert killed_at(event, lambda: sampled(path))
    part = nm.load(path)
    done = part.networks
    assert 0 < done < 4000
    rest = sampled(first=done, networks=4000 - done)
    whole = nm.merge(rest, part)
    assert whole.networks == 4000
    np.testing.assert_allclose(whole[2].mean, reference[2].mean, rtol=1e-10)
    assert whole.provenance.ranges == ((0, done), (done, 4000))


# --- torn, foreign and hostile files


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_every_damaged_netcdf_file_is_refused(tmp_path):
    path = tmp_path / "run.nc"
    sampled(path)
    data = path.read_bytes()
    size = len(data)
    cuts = {0, 1, 8, 511, size // 2, size - 1, size - 20, size - 32, size - 44, size - 45}
    broken = [data[:cut] for cut in sorted(cuts)]
    broken += [flipped(data, bit) for bit in range(0, 8 * size, 8 * size // 200 | 1)]
    broken += [data + b"\0", data[:-1] + b"\0", b"\x89HDF\r\n\x1a\n" + b"\0" * 5000]
    for content in broken:
        path.write_bytes(content)
        with pytest.raises(StorageError, match=r"foreign|damaged"):
            nm.load(path)
        with pytest.raises(StorageError):
            sampled(path)
        assert path.read_bytes() == content


def test_every_damaged_zarr_directory_is_refused(tmp_path):
    path = tmp_path / "run.zarr"
    sampled(path)
    files = [place for place in path.rglob("*") if place.is_file()]
    assert len(files) == 10
    for place in files:
        data = place.read_bytes()
        broken = [data[: len(data) // 2], data + b"\n", b""]
        broken += [flipped(data, bit) for bit in range(0, 8 * len(data), len(data) // 2 | 1)]
        for content in broken:
            place.write_bytes(content)
            with pytest.raises(StorageError, match=r"foreign|damaged"):
                nm.load(path)
        place.unlink()
        with pytest.raises(StorageError, match=r"foreign|damaged"):
            nm.load(path)
        place.write_bytes(data)
    (path / "more").write_text("more")
    with pytest.raises(StorageError, match="damaged"):
        nm.load(path)
    (path / "more").unlink()
    assert nm.load(path).networks == 4000


@pytest.mark.parametrize("name", ["missing.nc", "missing.zarr", "."])
def test_missing_files_and_unknown_names_are_refused(tmp_path, name):
    with pytest.raises((StorageError, SpecificationError)):
        nm.load(tmp_path / name)
    (tmp_path / "file.zarr").write_text("no directory")
    (tmp_path / "directory.nc").mkdir()
    for wrong in ("file.zarr", "directory.nc"):
        with pytest.raises(StorageError):
            nm.load(tmp_path / wrong)
    with pytest.raises(SpecificationError, match="ends in"):
        sampled(tmp_path / "run.pickle")


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5netcdf", None)
    with pytest.raises(SpecificationError, match=r"nnft\[storage\]"):
        sampled(tmp_path / "run.nc")


def forged(path, change=lambda head: None, **arrays):
    """Rewrite a run with other contents, under a seal that holds."""
    contents = read_contents(path, runfiles.DIMENSIONS)
    head = json.loads(contents.text)
    change(head)
    other = Contents(
        arrays={**contents.arrays, **arrays},
        dimensions=contents.dimensions,
        text=json.dumps(head),
        labels={},
    )
    write_contents(path, other)


def set_path(*places, value):
    def change(head):
        for place in places[:-1]:
            head = head[place]
        head[places[-1]] = value

    return change


FORGERIES = {
    "format": set_path("format", value="nnft-run/0"),
    "ranges": set_path("ranges", value=[[0, 3999]]),
    "overlap": set_path("ranges", value=[[0, 3000], [2000, 3000]]),
    "layout": set_path("layout", "groups", value=64),
    "no layout": set_path("layout", value={}),
    "orders": set_path("orders", value=[2, 9]),
    "max_order": set_path("max_order", value=3),
    "points": set_path("source", "points", value=[[0.0], [1.0], [2.0]]),
    "parameter": set_path("source", "params", "N", value="5"),
    "key": set_path("key", value=[1, -1]),
    "environment": set_path("environments", value=["x"]),
    "route": set_path("source", "route", value="readout"),
    "precision": set_path("source", "precision", value="half"),
    "reason": set_path("reason", value=["x"]),
    "nested": set_path("source", "plan", value=json.loads("[" * 500 + "]" * 500)),
}


@SUFFIXES
@pytest.mark.parametrize("name", FORGERIES)
def test_files_that_contradict_themselves_are_refused(tmp_path, suffix, name):
    path = tmp_path / f"run.{suffix}"
    sampled(path, networks=4000)
    forged(path, FORGERIES[name])
    with pytest.raises(StorageError, match=r"run\.(nc|zarr)"):
        nm.load(path)


def test_numbers_that_cannot_be_are_refused(tmp_path, reference):
    path = tmp_path / "run.nc"
    sampled(path)
    counts, table = reference.moments.counts.copy(), reference.moments.table.copy()
    counts[:2] += [1, -1]
    forged(path, counts=counts)
    with pytest.raises(StorageError, match="do not fit"):
        nm.load(path)
    table[3, 4] = np.nan
    forged(path, counts=reference.moments.counts, sums=table)
    with pytest.raises(SpecificationError, match="NaN"):
        nm.load(path)


@SUFFIXES
def test_loading_executes_nothing(tmp_path, suffix):
    path, witness = tmp_path / f"run.{suffix}", tmp_path / "executed"
    sampled(path)
    attack = f"__import__('pathlib').Path({str(witness)!r}).touch()"
    forged(path, set_path("source", "plan", "layers", 0, "activation", value=attack))
    with pytest.raises(StorageError, match=r"little language|expected"):
        nm.load(path)
    assert not witness.exists()


def sealed(files):
    """Seal of a directory as its description says, written apart from the code under test."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(name.encode() + b"\0" + str(len(files[name])).encode() + b"\0" + files[name])
    return b"nnft-seal/1:" + total.hexdigest().encode()


@pytest.mark.parametrize(
    "change",
    [
        {"codecs": [{"name": "numcodecs.pickle", "configuration": {}}]},
        {"codecs": [{"name": "vlen-utf8"}]},
        {"data_type": "string"},
        {"data_type": {"name": "numpy.datetime64"}},
        {"storage_transformers": [{"name": "x"}]},
    ],
    ids=str,
)
def test_zarr_arrays_of_anything_but_plain_numbers_are_refused(tmp_path, change):
    path = tmp_path / "run.zarr"
    sampled(path)
    place = path / "sums" / "zarr.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | change))
    files = {
        file.relative_to(path).as_posix(): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and file.name != "nnft-seal"
    }
    (path / "nnft-seal").write_bytes(sealed(files))
    with pytest.raises(StorageError, match="plain numbers"):
        nm.load(path)


# --- a disk that is full


@contextlib.contextmanager
def files_no_longer_than(limit):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@SUFFIXES
def test_a_disk_that_is_full_at_once_stops_the_run_before_it_begins(tmp_path, suffix):
    with (
        files_no_longer_than(500),
        pytest.raises(StorageError, match="place to write"),
    ):
        sampled(tmp_path / f"run.{suffix}")
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("eager")
@SUFFIXES
def test_a_disk_that_is_full_for_a_while_loses_nothing(tmp_path, reference, suffix, monkeypatch):
    calls, write = itertools.count(), runfiles.write_contents

    def sometimes(path, contents):
        if 2 < next(calls) < 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, contents)

    monkeypatch.setattr(runfiles, "write_contents", sometimes)
    with pytest.warns(StorageWarning, match="No space left"):
        kept = sampled(tmp_path / f"run.{suffix}")
    assert same(kept, reference)
    assert same(nm.load(tmp_path / f"run.{suffix}"), reference)


@pytest.mark.usefixtures("eager")
@SUFFIXES
def test_a_disk_that_is_full_at_the_end_keeps_checkpoint_and_result(
    tmp_path, reference, suffix, monkeypatch
):
    path = tmp_path / f"run.{suffix}"
    finished = store.Checkpoints.finished

    def with_no_room(self, sums):
        with files_no_longer_than(5000):
            finished(self, sums)

    monkeypatch.setattr(store.Checkpoints, "finished", with_no_room)
    with pytest.raises(StorageError, match="nothing is lost") as caught:
        sampled(path)
    assert same(caught.value.estimate, reference)
    assert os.listdir(tmp_path) == [path.name]
    assert nm.load(path).networks > 1000
    nm.save(caught.value.estimate, tmp_path / f"other.{suffix}")
    assert same(nm.load(tmp_path / f"other.{suffix}"), reference)
    with pytest.raises(StorageError, match="a new file"):
        nm.save(reference, path)


# --- other runs


CHANGES = {
    "points": {},
    "parameters": {"N": 6},
    "seed": {"rng": 8},
    "number of networks": {"networks": 5000},
    "first network": {"first": 1},
    "highest order": {"orders": (2, 3)},
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_run_is_refused_and_says_what_differs(tmp_path, reference, name):
    sampled(tmp_path / "run.nc")
    with pytest.raises(StorageError, match=f"differs in {name}"):
        nm.correlators(
            nn.cos_net(),
            X + (name == "points"),
            **CALL | {"store": tmp_path / "run.nc"} | CHANGES[name],
        )
    with pytest.raises(StorageError, match="differs in plan"):
        nm.correlators(nn.erf_net(), X, store=tmp_path / "run.nc", **CALL | {"sigma_b": 1.0})
    assert same(nm.load(tmp_path / "run.nc"), reference)


def test_other_versions_are_refused(tmp_path, monkeypatch):
    sampled(tmp_path / "run.nc")
    old = {**runs.environment(), "numba": "0.1", "processor": "another"}
    monkeypatch.setattr(store, "environment", lambda: old)
    with pytest.raises(StorageError, match="versions"):
        sampled(tmp_path / "run.nc")
    assert nm.load(tmp_path / "run.nc").networks == 4000
    other = {**runs.environment(), "processor": "another"}
    monkeypatch.setattr(store, "environment", lambda: other)
    assert sampled(tmp_path / "run.nc").networks == 4000


def test_a_merged_run_cannot_be_continued(tmp_path):
    halves = [sampled(first=first, networks=2000) for first in (0, 2000)]
    nm.save(nm.merge(*halves), tmp_path / "run.nc")
    with pytest.raises(StorageError, match="merged"):
        sampled(tmp_path / "run.nc")


# --- merging


@SUFFIXES
def test_disjoint_runs_merge(tmp_path, reference, suffix):
    paths = [tmp_path / f"{name}.{suffix}" for name in "abc"]
    bounds = [(0, 1000), (1000, 2500), (2500, 4000)]
    for path, (start, stop) in zip(paths, bounds, strict=True):
        sampled(path, first=start, networks=stop - start)
    parts = [nm.load(path) for path in paths]
    whole = nm.merge(*parts)
    assert whole.provenance.ranges == tuple(bounds)
    assert whole.networks == 4000
    for order in (2, 4):
        scale = np.abs(reference[order].mean).max()
        assert np.abs(whole[order].mean - reference[order].mean).max() < 1e-10 * scale
        np.testing.assert_allclose(whole[order].error, reference[order].error, rtol=0.4)
    assert same(nm.merge(*parts[::-1]), whole)
    nm.save(whole, tmp_path / f"whole.{suffix}")
    assert same(nm.load(tmp_path / f"whole.{suffix}"), whole)


def test_runs_that_share_networks_or_differ_are_not_merged(reference):
    for changes, message in [
        ({"first": 3999}, "disjoint"),
        ({}, "disjoint"),
        ({"first": 4000, "rng": 8}, "one seed"),
        ({"first": 4000, "N": 6}, "one source"),
        ({"first": 4000, "orders": (2,)}, "order"),
    ]:
        with pytest.raises(SpecificationError, match=message):
            nm.merge(reference, sampled(**changes))
    with pytest.raises(SpecificationError, match="sampled here"):
        nm.merge(reference, nm.estimate(np.random.default_rng(0).normal(size=(100, 3))))
    with pytest.raises(SpecificationError, match="at least one"):
        nm.merge()


def test_versions_of_all_parts_are_remembered(reference):
    other = sampled(first=4000)
    old = {**runs.environment(), "numpy": "1.0"}
    aged = dataclasses.replace(
        other, provenance=dataclasses.replace(other.provenance, environments=(old,))
    )
    merged = nm.merge(reference, aged)
    assert merged.provenance.environments == (runs.environment(), old)
    assert merged.provenance.networks == 8000
