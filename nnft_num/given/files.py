"""Fields in files: npy, npz and netCDF, read row by row.

A file opens as an array that is not read: its shape, and consecutive rows when they are asked for.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.storage.formats import require_format
from nnft_sym.language.errors import NNFTError, SpecificationError, StorageError

__all__ = ["FileArray", "open_fields", "rows_of"]

_PIECE_BYTES = 2**22
_REMEDY = "write the fields again, as an array of shape (networks, n) or (networks, n, D)"


@dataclass(frozen=True, kw_only=True)
class FileArray:
    """An array in a file.

    Parameters
    ----------
    name : str
        File, and the array in it.
    shape : tuple of int
        Its shape.
    dtype : numpy.dtype
        Its type.
    pieces : callable
        Returns an iterator over consecutive rows.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pieces: Callable[[], Iterator[NDArray[Any]]]


def open_fields(path: str | PathLike[str], variable: str | None = None) -> FileArray:
    """Open an array in a file without reading it.

    Parameters
    ----------
    path : path
        File .npy, .npz or .nc.
    variable : str, optional
        Which array, where the file holds several; ``fields`` or the only one if not given.

    Raises
    ------
    SpecificationError
        If the suffix is unknown, a library is missing, or there is no such array.
    StorageError
        If the file is missing, damaged, or holds objects.
    """
    file = Path(path)
    opened = {".npy": _npy, ".npz": _npz, ".nc": _netcdf}.get(file.suffix)
    if opened is None:
        raise SpecificationError(
            expected="a file of fields that ends in .npy, .npz or .nc",
            came=f"{file.name!r}",
            remedy="save them with numpy.save, say",
        )
    if not file.is_file():
        raise _refused(file, "a file of fields", "no such file", "check the path")
    try:
        return opened(file, variable)
    except NNFTError:
        raise
    except (OSError, ValueError, EOFError, KeyError, RuntimeError, *_ZIP) as error:
        raise _damaged(file, error) from None


_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError)


def rows_of(array: Any, networks: int, row_bytes: int) -> Iterator[NDArray[Any]]:
    """Consecutive rows of what can be sliced, some megabytes at a time."""
    step = max(1, _PIECE_BYTES // max(row_bytes, 1))
    for start in range(0, networks, step):
        yield np.asarray(array[start : start + step])


def _npy(file: Path, variable: str | None) -> FileArray:
    if variable is not None:
        raise SpecificationError(
            expected="no name of a variable for a .npy file, which holds one array",
            came=f"variable={variable!r}",
            remedy="leave it out",
        )
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    row = array.dtype.itemsize * math.prod(array.shape[1:])
    return FileArray(
        name=file.name,
        shape=array.shape,
        dtype=array.dtype,
        pieces=lambda: rows_of(array, len(array), row),
    )


def _npz(file: Path, variable: str | None) -> FileArray:
    with zipfile.ZipFile(file) as archive:
        names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
        name = _chosen(file, names, variable)
        with archive.open(f"{name}.npy") as member:
            shape, fortran, dtype = _header(member)
    if dtype.hasobject:
        raise _refused(file, "an array of numbers", f"an array of type {dtype}", _REMEDY)
    if fortran and len(shape) > 1:
        raise SpecificationError(
            expected=f"an array in C order in {file.name}",
            came="one in Fortran order, whose rows cannot be read one after another",
            remedy="save numpy.ascontiguousarray(fields)",
        )
    return FileArray(
        name=f"{file.name}:{name}",
        shape=shape,
        dtype=dtype,
        pieces=lambda: _npz_rows(file, name, shape, dtype),
    )


def _header(member: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    return read(member)


def _npz_rows(
    file: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Iterator[NDArray[Any]]:
    row = dtype.itemsize * math.prod(shape[1:])
    step = max(1, _PIECE_BYTES // max(row, 1))
    try:
        with zipfile.ZipFile(file) as archive, archive.open(f"{name}.npy") as member:
            _header(member)
            for start in range(0, shape[0], step):
                count = min(step, shape[0] - start)
                data = member.read(count * row)
                if len(data) < count * row:
                    raise EOFError(f"{start} of {shape[0]} networks")
                yield np.frombuffer(data, dtype=dtype).reshape(count, *shape[1:])
            # the checksum of the archive is compared at the end of the member
            if member.read(1):
                raise EOFError("more bytes than the array has")
    except (OSError, ValueError, EOFError, *_ZIP) as error:
        raise _damaged(file, error) from None


def _netcdf(file: Path, variable: str | None) -> FileArray:
    require_format(file)
    import h5netcdf

    with h5netcdf.File(file, "r") as opened:
        names = [name for name, held in opened.variables.items() if len(held.shape) in (2, 3)]
        name = _chosen(file, names, variable)
        held = opened.variables[name]
        shape, dtype, attributes = tuple(held.shape), np.dtype(held.dtype), dict(held.attrs)
    packed = sorted({"scale_factor", "add_offset"} & set(attributes))
    if packed:
        raise SpecificationError(
            expected=f"plain numbers in {file.name}:{name}",
            came=f"packed ones ({', '.join(packed)})",
            remedy="write the fields as float32 or float64",
        )
    missing = attributes.get("_FillValue")
    return FileArray(
        name=f"{file.name}:{name}",
        shape=shape,
        dtype=dtype,
        pieces=lambda: _netcdf_rows(file, name, shape, dtype, missing),
    )


def _netcdf_rows(
    file: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], missing: Any
) -> Iterator[NDArray[Any]]:
    import h5netcdf

    row = dtype.itemsize * math.prod(shape[1:])
    try:
        with h5netcdf.File(file, "r") as opened:
            for piece in rows_of(opened.variables[name], shape[0], row):
                if missing is not None and np.any(piece == np.asarray(missing)):
                    raise SpecificationError(
                        expected=f"a value for every field in {file.name}:{name}",
                        came="missing values (_FillValue)",
                        remedy="leave none out silently: find out why they are missing",
                    )
                yield piece
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        if isinstance(error, NNFTError):
            raise
        raise _damaged(file, error) from None


def _chosen(file: Path, names: list[str], variable: str | None) -> str:
    if variable is None and (len(names) == 1 or "fields" in names):
        return "fields" if "fields" in names else names[0]
    if variable is None or variable not in names:
        raise SpecificationError(
            expected=f"an array out of {', '.join(names) or 'those in the file'} in {file.name}",
            came="none named" if variable is None else f"variable={variable!r}",
            remedy="pass variable= with its name" if names else _REMEDY,
        )
    return variable


def _damaged(file: Path, error: Exception) -> StorageError:
    return _refused(file, "whole arrays of numbers", f"{type(error).__name__}: {error}", _REMEDY)


def _refused(file: Path, expected: str, came: str, remedy: str) -> StorageError:
    return StorageError(expected=f"{expected} in {file}", came=f"{came:.160}", remedy=remedy)
