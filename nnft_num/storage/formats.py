"""Bytes of a run file: arrays and a text in netCDF or Zarr, sealed with a checksum.

A seal is the SHA-256 of all bytes.  It is read before any library parses them: a file that was
cut short or changed, by a bit or more, never reaches a parser.  A netCDF file carries the seal
after its last byte, where readers of netCDF do not look; a Zarr directory in a file of its own.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from nnft_sym.language.errors import SpecificationError, StorageError

__all__ = ["Contents", "read_contents", "require_format", "sweep", "write_contents"]

Buffer = bytes | memoryview

_MAGIC = b"nnft-seal/1:"
_SEAL_FILE = "nnft-seal"
_TYPES = ("float64", "int64")


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """What a run file holds.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Arrays of float64 or int64.
    dimensions : mapping of str to tuple of str
        Names of the axes of each array.
    text : str
        JSON that describes them.
    labels : mapping of str to str or int
        Attributes for human readers; nothing is read back from them.
    """

    arrays: Mapping[str, NDArray[Any]]
    dimensions: Mapping[str, tuple[str, ...]]
    text: str
    labels: Mapping[str, str | int]


def require_format(path: Path) -> None:
    """Refuse a name that says no known format, or a format whose library is missing.

    Raises
    ------
    SpecificationError
        If the suffix is not .nc or .zarr, or h5netcdf or zarr cannot be imported.
    """
    needed = {".nc": ("h5netcdf", "h5py"), ".zarr": ("zarr",)}.get(path.suffix)
    if needed is None:
        raise SpecificationError(
            expected="a file name that ends in .nc (netCDF) or .zarr (Zarr)",
            came=f"{path.name!r}",
            remedy="name it run.nc, say",
        )
    for package in needed:
        try:
            __import__(package)
        except ImportError:
            raise SpecificationError(
                expected=f"the package {package} for {path.suffix} files",
                came="none installed",
                remedy="pip install 'nnft[storage]'",
            ) from None


def write_contents(path: Path, contents: Contents) -> None:
    """Write a file so that at any moment the old one or the new one is there, whole.

    Raises
    ------
    OSError
        If it cannot be written; the old file is untouched.
    """
    # a name of its own for each writer; what a killed one leaves behind is swept up
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        if path.suffix == ".nc":
            _write(part, _sealed(_to_netcdf(contents)))
            os.replace(part, path)
        else:
            _write_directory(part, _to_zarr(contents))
            _exchange(part, path)
        _sync(path.parent)
    except OSError:
        _remove(part)
        raise


def sweep(path: Path) -> None:
    """Remove what writers that were killed left behind, and finish an interrupted exchange."""
    old = _old(path)
    if old.exists():
        if path.exists():
            _remove(old)
        else:
            os.replace(old, path)
    for part in path.parent.glob(f".{path.name}.*.part"):
        _remove(part)


def read_contents(path: Path, names: Mapping[str, tuple[str, ...]]) -> Contents:
    """Read arrays of the given names and the text, after checking the seal.

    Raises
    ------
    StorageError
        If the file is missing, foreign, cut short or damaged.
    """
    if not path.exists() and _old(path).exists():
        path = _old(path)
    try:
        if path.suffix == ".nc":
            arrays, text = _from_netcdf(path, _unsealed(path), names)
        else:
            arrays, text = _from_zarr(path, _read_directory(path), names)
    except StorageError:
        raise
    except OSError as error:
        _refuse(path, "a readable file", str(error), "check the path")
    return Contents(arrays=arrays, dimensions=names, text=text, labels={})


# --- seals


def _sealed(data: Buffer) -> list[Buffer]:
    return [data, _MAGIC, hashlib.sha256(data).digest()]


def _unsealed(path: Path) -> bytes:
    data = path.read_bytes()
    end = len(data) - len(_MAGIC) - hashlib.sha256().digest_size
    if end < 0 or data[end : end + len(_MAGIC)] != _MAGIC:
        _foreign(path)
    body, digest = data[:end], data[end + len(_MAGIC) :]
    if hashlib.sha256(body).digest() != digest:
        _damaged(path)
    return body


def _seal_of(files: Mapping[str, bytes]) -> bytes:
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(f"{name}\0{len(files[name])}\0".encode())
        total.update(files[name])
    return _MAGIC + total.hexdigest().encode()


# --- netCDF


def _to_netcdf(contents: Contents) -> Buffer:
    import h5netcdf
    import h5py

    buffer = io.BytesIO()
    with h5netcdf.File(buffer, "w") as file:
        for name, value in contents.labels.items():
            file.attrs[name] = value
        for name, array in contents.arrays.items():
            for axis, size in zip(contents.dimensions[name], array.shape, strict=True):
                if axis not in file.dimensions:
                    file.dimensions[axis] = size
            file.create_variable(name, contents.dimensions[name], dtype=array.dtype, data=array)
        # a variable and not an attribute: those end at 64 kB
        text = file.create_variable("provenance", (), dtype=h5py.string_dtype())
        text[...] = contents.text
    return buffer.getvalue()


def _from_netcdf(
    path: Path, data: bytes, names: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, NDArray[Any]], str]:
    import h5netcdf

    try:
        with h5netcdf.File(io.BytesIO(data), "r") as file:
            arrays = {name: np.array(file.variables[name][...]) for name in names}
            text = file.variables["provenance"][()]
    except Exception as error:
        _refuse(path, "a run in netCDF", f"{type(error).__name__}: {error!s:.120}", _REMEDY)
    return arrays, text.decode() if isinstance(text, bytes) else str(text)


# --- Zarr


def _to_zarr(contents: Contents) -> dict[str, bytes]:
    import zarr
    from zarr.storage import MemoryStore

    files: dict[str, Any] = {}
    root = zarr.create_group(MemoryStore(files), zarr_format=3)
    root.attrs.update({**contents.labels, "provenance": contents.text})
    for name, array in contents.arrays.items():
        root.create_array(
            name,
            data=array,
            chunks=tuple(max(1, size) for size in array.shape),
            dimension_names=contents.dimensions[name],
            compressors=None,
            filters=None,
        )
    return {name: value.to_bytes() for name, value in files.items()}


def _from_zarr(
    path: Path, files: Mapping[str, bytes], names: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, NDArray[Any]], str]:
    import zarr
    from zarr.core.buffer import cpu
    from zarr.storage import MemoryStore

    _require_plain(path, files, names)
    store = MemoryStore({name: cpu.Buffer.from_bytes(data) for name, data in files.items()})
    try:
        root: Any = zarr.open_group(store, mode="r", zarr_format=3, use_consolidated=False)
        arrays = {name: np.array(root[name][...]) for name in names}
        text = root.attrs["provenance"]
    except Exception as error:
        _refuse(path, "a run in Zarr", f"{type(error).__name__}: {error!s:.120}", _REMEDY)
    return arrays, str(text)


def _require_plain(
    path: Path, files: Mapping[str, bytes], names: Mapping[str, tuple[str, ...]]
) -> None:
    """Refuse any codec but plain numbers: a file could name one that runs code of its own."""
    for name in ("", *names):
        place = f"{name}/zarr.json" if name else "zarr.json"
        try:
            head = json.loads(files[place])
            kind, plain = head["node_type"], True
            if name:
                codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
                plain = head["codecs"] == codecs and head["data_type"] in _TYPES
                plain = plain and not head.get("storage_transformers")
        except (KeyError, TypeError, ValueError):
            _foreign(path)
        if kind != ("array" if name else "group") or not plain:
            _refuse(path, "arrays of plain numbers", f"other codecs in {place}", _REMEDY)


def _read_directory(path: Path) -> dict[str, bytes]:
    if not path.is_dir():
        if not path.exists():
            raise FileNotFoundError(f"no directory {path}")
        _foreign(path)
    found = {
        str(file.relative_to(path).as_posix()): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file()
    }
    seal = found.pop(_SEAL_FILE, None)
    if seal is None:
        _foreign(path)
    if seal != _seal_of(found):
        _damaged(path)
    return found


# --- writing


def _write(path: Path, parts: Sequence[Buffer]) -> None:
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _write_directory(path: Path, files: Mapping[str, bytes]) -> None:
    for name, data in {**files, _SEAL_FILE: _seal_of(files)}.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        _write(place, [data])
    for folder in (path, *(place for place in path.rglob("*") if place.is_dir())):
        _sync(folder)


def _exchange(part: Path, path: Path) -> None:
    """Put a directory in the place of another; between the two renames ``sweep`` knows the old."""
    old = _old(path)
    _remove(old)
    if path.exists():
        os.replace(path, old)
    os.replace(part, path)
    _remove(old)


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    if os.name != "posix":
        return  # there folders have no handle to flush
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- refusals

_REMEDY = "it is not overwritten: move it away, or name another file"


def _foreign(path: Path) -> NoReturn:
    _refuse(path, "a run with its seal", "no seal: a foreign file, or one cut short", _REMEDY)


def _damaged(path: Path) -> NoReturn:
    _refuse(path, "bytes that match their seal", "others: the file is damaged", _REMEDY)


def _refuse(path: Path, expected: str, came: str, remedy: str) -> NoReturn:
    raise StorageError(expected=f"{expected} in {path}", came=came, remedy=remedy)
