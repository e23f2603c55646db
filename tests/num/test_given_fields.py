"""Fields from elsewhere: arrays of other libraries, files, and pieces of what is large."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.given.streaming import moments_of_pieces
from nnft_num.statistics.moments import moments_from_fields
from nnft_sym.language.errors import NotDerivedError, SpecificationError, StorageError

X = np.array([[-1.0], [0.3], [0.8]])
PARAMS = dict(sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=4)


class Other:
    """What torch and JAX have in common: an array that is none of numpy's."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self._array, dtype=dtype)


class OnlyDLPack:
    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


def tanh_fields(networks, seed, scale=1.0, offset=0.0):
    """A network of another program: plain numpy, tanh, width 4, convention of shallow."""
    rng = np.random.default_rng(seed)
    w, b, a = rng.normal(size=(3, networks, 4, 1))
    h = np.tanh(scale * w * X[:, 0] + 0.5 * b)
    return np.sum((a + offset) * h, axis=1) / np.sqrt(4)


@pytest.fixture(scope="module")
def fields():
    return np.random.default_rng(7).normal(size=(5000, 3))


def same(one, two):
    return np.array_equal(one.moments.table, two.moments.table) and one.orders == two.orders


@pytest.mark.parametrize("wrap", [Other, OnlyDLPack, list], ids=["array", "dlpack", "list"])
def test_arrays_of_other_libraries(fields, wrap):
    assert same(nm.estimate(wrap(fields)), nm.estimate(fields))


def test_files_are_streamed_to_the_same_bits(fields, tmp_path, monkeypatch):
    import h5netcdf

    from nnft_num.given import files as fieldfiles

    monkeypatch.setattr(fieldfiles, "_PIECE_BYTES", 24 * 37)
    np.save(tmp_path / "f.npy", fields)
    np.save(tmp_path / "t.npy", np.asfortranarray(fields))
    np.savez(tmp_path / "f.npz", fields=fields, other=fields[:9])
    np.savez_compressed(tmp_path / "c.npz", one=fields)
    with h5netcdf.File(tmp_path / "f.nc", "w") as file:
        file.dimensions = {"network": 5000, "point": 3}
        file.create_variable("f", ("network", "point"), data=fields)
    whole = nm.estimate(fields)
    for name in ("f.npy", "t.npy", "f.npz", "c.npz", "f.nc"):
        assert same(nm.estimate(tmp_path / name), whole), name
    assert same(nm.estimate(np.load(tmp_path / "f.npy", mmap_mode="r")), whole)
    assert nm.estimate(tmp_path / "f.npz", variable="other").networks == 9


@pytest.mark.parametrize("cuts", [(1,), (15, 16, 17, 4000), tuple(range(100, 5000, 100))])
def test_pieces_of_any_size_give_the_same_sums(fields, cuts):
    pieces = np.split(fields, cuts)
    fixed = moments_of_pieces(pieces, 3, 4, networks=5000)
    assert np.array_equal(fixed.table, moments_from_fields(fields, max_order=4).table)
    grown = moments_of_pieces(pieces, 3, 4, groups=8)
    alone = moments_of_pieces([fields], 3, 4, groups=8)
    assert np.array_equal(grown.table, alone.table)
    assert np.array_equal(grown.maxima.max(axis=0), np.abs(fields).max(axis=0))
    assert grown.networks == 5000
    assert 8 <= grown.groups <= 16
    assert np.all(grown.counts[:-1] == grown.counts[0])
    np.testing.assert_allclose(grown.table.sum(axis=0), fixed.table.sum(axis=0), rtol=1e-12)


def test_an_iterator_larger_than_memory_keeps_sums_alone():
    def pieces(count):
        rng = np.random.default_rng(1)
        for _ in range(count):
            yield rng.normal(size=(4096, 4))

    nm.estimate(pieces(2), points=4)
    peaks = []
    for count in (8, 80):
        tracemalloc.start()
        estimate = nm.estimate(pieces(count), points=4)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert estimate.networks == 80 * 4096
    assert peaks[1] < 1.5 * peaks[0]
    assert peaks[1] < estimate.networks * 4 * 8 / 2


def test_jackknife_errors_of_grown_groups_are_those_of_fixed_ones():
    f = np.random.default_rng(3).normal(size=(60_000, 2))
    grown, fixed = nm.estimate(iter(np.split(f, 6)), points=2), nm.estimate(f)
    assert 128 <= grown.groups <= 256
    np.testing.assert_allclose(grown[4].mean, fixed[4].mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(grown[4].error, fixed[4].error, rtol=0.35)


def test_what_cannot_be_read_is_refused(fields, tmp_path):
    holed = fields.copy()
    holed[4321, 1] = np.nan
    np.save(tmp_path / "nan.npy", holed)
    np.save(tmp_path / "whole.npy", fields)
    data = (tmp_path / "whole.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(data[:-100])
    np.savez(tmp_path / "two.npz", a=fields, b=fields)
    archive = bytearray((tmp_path / "two.npz").read_bytes())
    archive[5000] ^= 1
    (tmp_path / "bit.npz").write_bytes(bytes(archive))
    np.save(tmp_path / "objects.npy", np.array([[None]]), allow_pickle=True)
    masked = np.ma.masked_greater(fields, 3.0)

    def refused(kind, words, *arguments, **keywords):
        with pytest.raises(kind, match=words):
            nm.estimate(*arguments, **keywords)

    refused(SpecificationError, "first in network 4321", tmp_path / "nan.npy")
    refused(SpecificationError, "the first at 4321", holed)
    refused(SpecificationError, "first in network 4321", iter([holed]), points=3)
    refused(StorageError, "cut.npy", tmp_path / "cut.npy")
    refused(StorageError, "bit.npz", tmp_path / "bit.npz", variable="a")
    refused(StorageError, "objects.npy", tmp_path / "objects.npy")
    refused(StorageError, "no such file", tmp_path / "none.npy")
    refused(SpecificationError, "an array out of a, b", tmp_path / "two.npz")
    refused(SpecificationError, "ends in .npy, .npz or .nc", "fields.csv")
    refused(SpecificationError, "masked entries", masked)
    refused(SpecificationError, "the number of points with an iterable", iter([fields]))
    refused(SpecificationError, "an iterable that is empty", iter([]), points=3)
    refused(SpecificationError, r"shape \(networks, 2\)", fields, points=2)
    refused(SpecificationError, "item 0 of type list", iter([fields.tolist()]), points=3)
    refused(SpecificationError, "in array 1", iter([fields, fields[:, :, None, None]]), points=3)
    other = np.ones((9, 3, 2))
    refused(SpecificationError, "2 outputs in array 1", iter([fields, other]), points=3)
    refused(SpecificationError, "type complex128", fields * 1j)
    refused(SpecificationError, "numpy can read", [[1.0, 2.0], [1.0]])
    refused(SpecificationError, "at least 8 networks", fields[:5])
    refused(SpecificationError, "a value of type int", 3)
    refused(SpecificationError, "with a file alone", fields, variable="f")
    # one network over its points is no stack of networks
    refused(SpecificationError, r"shape \(3, 1\)", (f[:, None] for f in fields), points=3)


@pytest.mark.montecarlo
def test_fields_of_another_program_agree_and_a_wrong_theory_does_not():
    f = tanh_fields(100_000, seed=11)
    net = nn.shallow("tanh(z)")
    correlators = [nn.kernel(net), nn.cumulant(net, 4)]
    right = nm.check_fields(correlators, f, X=X, **PARAMS)
    assert right.verdict == "agree", str(right)
    assert [order.order for order in right.orders] == [2, 4]
    # the planted fault: weights five per cent larger
    wrong = nm.check_fields(correlators, tanh_fields(100_000, 11, scale=1.05), X=X, **PARAMS)
    assert wrong.verdict == "disagree"
    pieces = nm.check_fields(nn.cumulant(net, 4), iter(np.array_split(f, 7)), X=X, **PARAMS)
    assert pieces.verdict == "agree"
    given = nm.check_fields(nn.cumulant(net, 4), nm.estimate(f), X=X, **PARAMS)
    assert np.array_equal(given[4].pull.entries, right[4].pull.entries)


@pytest.mark.montecarlo
def test_a_kernel_of_fields_with_a_mean_is_their_second_moment():
    X1 = np.array([0.4, 1.0])
    rng = np.random.default_rng(5)
    w, a = rng.normal(size=(2, 50_000, 2, 1))
    f = np.sum((a + 0.7) * np.cos(w * X1), axis=1) / np.sqrt(2)
    net = nn.shallow("cos(z)", bias=None, readout=nn.Gaussian("mu", 1), width="N")
    params = dict(sigma_w=1.0, mu=0.7, N=2)
    for correlators in (nn.kernel(net), nn.cumulant(net, 2), [nn.cumulant(net, 1), nn.kernel(net)]):
        report = nm.check_fields(correlators, f, X=X1, **params)
        assert report.verdict == "agree", str(report)
    whole, connected = (G.tensor(X1, **params) for G in (nn.kernel(net), nn.cumulant(net, 2)))
    assert not np.allclose(whole, connected, rtol=0.1)


def test_correlators_that_cannot_be_confronted_are_refused(fields):
    net = nn.shallow("tanh(z)")

    def refused(kind, words, correlators, given=fields, **changed):
        with pytest.raises(kind, match=words):
            nm.check_fields(correlators, given, X=X, **(PARAMS | changed))

    refused(SpecificationError, "check_ntk", nn.ntk(net))
    both = [nn.kernel(net), nn.cumulant(net, 2)]
    refused(SpecificationError, "one correlator of each order", both)
    refused(SpecificationError, "one or several correlators", net)
    refused(SpecificationError, "one or several correlators", [])
    refused(SpecificationError, "unknown parameter 'sigma'", nn.kernel(net), sigma=1.0)
    refused(SpecificationError, r"shape \(networks, 3\)", nn.kernel(net), fields[:, :2])
    refused(SpecificationError, "1 outputs", nn.kernel(net), np.stack([fields, fields], axis=-1))
    with pytest.raises(NotDerivedError, match=r"nm\.sweep"):
        nm.check_fields(nn.kernel(nn.mlp("tanh(z)", depth=2)), fields, X=X, **PARAMS)
    with pytest.raises(SpecificationError, match="none for N"):
        nm.check_fields(nn.kernel(net), fields, X=X, sigma_w=1, sigma_b=1, sigma_v=1)


@pytest.mark.montecarlo
def test_the_recipe_for_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.manual_seed(0)
    with torch.no_grad():
        x, size = torch.tensor(X), (50_000, 4, 1)
        w, b, a = (torch.randn(size, dtype=torch.float64) for _ in range(3))
        f = (a * torch.tanh(w * x[:, 0] + 0.5 * b)).sum(dim=1) / 2
    report = nm.check_fields(nn.cumulant(nn.shallow("tanh(z)"), 4), f, X=X, **PARAMS)
    assert report.verdict == "agree", str(report)
    trained = f.clone().requires_grad_()
    with pytest.raises(SpecificationError, match="detach"):
        nm.estimate(trained)
