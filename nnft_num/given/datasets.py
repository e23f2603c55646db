"""Data sets that are trained on: images with labels, read from files in the idx format.

An idx file is a magic number 0, 0, type, rank, then the extents and the numbers, big-endian.

Source: Y. LeCun, C. Cortes, The MNIST database of handwritten digits, for the format; H. Xiao,
K. Rasul, R. Vollgraf, arXiv:1708.07747, for Fashion-MNIST.
"""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = ["FASHION_VARIABLE", "Images", "fashion_mnist", "read_idx"]

FASHION_VARIABLE = "NNFT_FASHION_MNIST"
"""Environment variable that names the folder of the files."""

_FOLDERS = ("/usr/share/datasets/fashion-mnist", "/usr/share/dataset-fashion-mnist")
"""Where the Debian package dataset-fashion-mnist puts them."""

_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}

_MOST = 2**31
"""Bytes of the numbers of a file that is read."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Images(Shown):
    """Images and their labels.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Pixels, from 0 to 1, less their mean over the training images.
    labels : ndarray of int, shape (n,)
        Classes 0, ..., D - 1.
    classes : int
        D.
    """

    X: NDArray[np.float64]
    labels: NDArray[np.int64]
    classes: int

    @property
    def one_hot(self) -> NDArray[np.float64]:
        """Targets (n, D): 1 for the class of an image, 0 for the others."""
        return np.eye(self.classes)[self.labels]

    @property
    def one_cold(self) -> NDArray[np.float64]:
        """Targets (n, D): 0 for the class of an image, 1 for the others."""
        return 1.0 - self.one_hot

    def _table(self) -> Table:
        counts = np.bincount(self.labels, minlength=self.classes)
        return Table(
            title=f"{len(self.labels)} images of {self.X.shape[1]} pixels",
            header=("class", "images"),
            rows=tuple((str(name), str(count)) for name, count in enumerate(counts)),
        )

    def __repr__(self) -> str:
        count, pixels = self.X.shape
        return f"Images({count} images of {pixels} pixels in {self.classes} classes)"


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read the array of an idx file, compressed by gzip or not.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    SpecificationError
        If it cannot be read, or is no such file.
    """
    try:
        raw = Path(path).read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (OSError, EOFError) as error:
        raise _refused("an idx file that can be read", f"{str(path)!r}: {error}") from error
    kind, rank = (raw[2], raw[3]) if len(raw) >= 4 and raw[:2] == b"\0\0" else (0, 0)
    if kind not in _TYPES or len(raw) < 4 + 4 * rank or not rank:
        raise _refused("an idx file: 0, 0, a type out of 8 to 14, a rank", f"{raw[:4]!r} in {path}")
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", rank, 4))
    dtype, count = np.dtype(_TYPES[kind]), int(np.prod(shape, dtype=object))
    if count * dtype.itemsize != len(raw) - 4 - 4 * rank or count * dtype.itemsize > _MOST:
        raise _refused(
            f"{count} numbers for shape {shape}", f"{len(raw) - 4 - 4 * rank} bytes in {path}"
        )
    return np.frombuffer(raw, dtype, count, 4 + 4 * rank).reshape(shape)


def fashion_mnist(
    *, train: int = 60_000, test: int = 10_000, pool: int = 1, folder: str | None = None
) -> tuple[Images, Images]:
    """Fashion-MNIST: 28 x 28 images of ten kinds of clothes, for training and for testing.

    Parameters
    ----------
    train, test : int
        How many images, the first ones of the files.
    pool : int
        Side of the squares of pixels that are averaged: 1, 2, 4, 7, 14 or 28; d = (28/pool)².
    folder : str, optional
        Where the files are; by default the folder that the environment variable
        ``NNFT_FASHION_MNIST`` names, or that of the Debian package ``dataset-fashion-mnist``.

    Returns
    -------
    tuple of Images
        For training, and for testing.

    Raises
    ------
    SpecificationError
        If the files are not found, which says where they were looked for, or are damaged.
    """
    where = _folder(folder)
    if 28 % pool:
        raise _refused("pool= a divisor of 28", f"{pool!r}")
    parts = []
    for name, count in (("train", train), ("t10k", test)):
        images = read_idx(where / f"{name}-images-idx3-ubyte.gz")
        labels = read_idx(where / f"{name}-labels-idx1-ubyte.gz")
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or labels.max() > 9:
            raise _refused(
                "28 x 28 images, one label out of ten for each", f"{images.shape} in {where}"
            )
        if not 1 <= count <= len(labels):
            raise _refused(f"from 1 to {len(labels)} images", f"{count!r}")
        side = 28 // pool
        pixels = images[:count].reshape(count, side, pool, side, pool).mean(axis=(2, 4)) / 255
        parts.append((pixels.reshape(count, side * side), labels[:count].astype(np.int64)))
    mean = parts[0][0].mean(axis=0)
    first, second = (Images(X=X - mean, labels=labels, classes=10) for X, labels in parts)
    return first, second


def _folder(folder: str | None) -> Path:
    named = os.environ.get(FASHION_VARIABLE) if folder is None else folder
    candidates = _FOLDERS if named is None else (named,)
    for candidate in candidates:
        if (Path(candidate) / "train-images-idx3-ubyte.gz").is_file():
            return Path(candidate)
    raise _refused("the files of Fashion-MNIST", f"none in {' or '.join(map(str, candidates))}")


def _refused(expected: str, came: str) -> SpecificationError:
    return SpecificationError(
        expected=expected,
        came=came,
        remedy="install the Debian package dataset-fashion-mnist, or name the folder of its files "
        f"in the environment variable {FASHION_VARIABLE}",
    )
