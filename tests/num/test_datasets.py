"""Data sets: idx files written here and read, and what is said where there are none."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

import nnft_num as nm
from nnft_num.given.datasets import FASHION_VARIABLE
from nnft_sym.language.errors import SpecificationError

CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx(array):
    head = bytes([0, 0, CODES[array.dtype.str.replace("|", "")], array.ndim])
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("packed", [False, True])
def test_arrays_survive_the_format(tmp_path, kind, packed):
    array = np.arange(-12, 12).reshape(2, 3, 4).astype(kind)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    found = nm.read_idx(path)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08", b"PK\x08\x01", b"\0\0\x07\x01\0\0\0\0", b"\x1f\x8bnot packed",
     idx(np.zeros(5, "u1"))[:-1], b"\0\0\x08\x03" + b"\xff" * 12],
)  # fmt: skip
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(SpecificationError):
        nm.read_idx(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    generator = np.random.default_rng(0)
    for name in ("train", "t10k"):
        images = generator.integers(0, 256, size=(6, 28, 28), dtype="u1")
        labels = np.arange(6, dtype="u1")
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
        (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))
    monkeypatch.setenv(FASHION_VARIABLE, str(tmp_path))
    return tmp_path


def test_images_are_pooled_and_centred(folder):
    train, test = nm.fashion_mnist(train=5, test=2, pool=14)
    raw = nm.read_idx(folder / "train-images-idx3-ubyte.gz")[:5]
    corner = raw[:, :14, 14:].reshape(5, -1).mean(axis=1) / 255
    assert train.X.shape == (5, 4)
    np.testing.assert_allclose(train.X[:, 1], corner - corner.mean(), atol=1e-12)
    np.testing.assert_allclose(train.X.mean(axis=0), 0, atol=1e-12)
    assert test.X.shape == (2, 4)
    assert train.one_hot.tolist()[2] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(train.one_cold, 1 - train.one_hot)


@pytest.mark.parametrize(
    ("change", "words"),
    [(dict(train=7), "from 1 to 6"), (dict(pool=3), "divisor of 28"), (dict(test=0), "from 1")],
)
def test_impossible_selections_are_refused(folder, change, words):
    with pytest.raises(SpecificationError, match=words):
        nm.fashion_mnist(**({"train": 5, "test": 2} | change))


def test_where_there_are_no_files_it_says_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setenv(FASHION_VARIABLE, str(tmp_path))
    with pytest.raises(SpecificationError, match="dataset-fashion-mnist"):
        nm.fashion_mnist()
