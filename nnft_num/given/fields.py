"""Fields from anywhere: arrays of any library, files, and pieces of what does not fit in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.estimates.estimate import Estimate, estimate_from_fields, wanted_orders
from nnft_num.given.files import open_fields, rows_of
from nnft_num.given.streaming import moments_of_pieces
from nnft_num.routes import GIVEN
from nnft_sym.language.errors import SpecificationError

__all__ = ["as_array", "estimate_given"]

_LARGE_BYTES = 2**27
"""Arrays in memory beyond this size are converted and checked piece by piece."""


def estimate_given(
    fields: Any,
    orders: int | Iterable[int] = (2, 4),
    *,
    points: int | None = None,
    variable: str | None = None,
) -> Estimate:
    """Estimate connected correlators of given fields; parameters as in :func:`nnft_num.estimate`.

    Raises
    ------
    SpecificationError
        If shapes are wrong, a value is not a finite real number, there are too few networks, or
        pieces come without ``points``.
    StorageError
        If a file is missing or damaged.
    """
    wanted = wanted_orders(orders)
    if isinstance(fields, (str, PathLike)):
        file = open_fields(fields, variable)
        shape = _checked_shape(file.shape, file.dtype, points, file.name)
        return _streamed(file.pieces(), shape, wanted, networks=file.shape[0])
    if variable is not None:
        raise SpecificationError(
            expected="variable= with a file alone",
            came=f"variable={variable!r} with {type(fields).__name__}",
            remedy="leave it out",
        )
    if _is_array(fields) or isinstance(fields, Sequence):
        array = as_array(fields)
        if not isinstance(array, np.memmap) and array.nbytes <= _LARGE_BYTES:
            if points is not None or array.ndim not in (2, 3):
                _checked_shape(array.shape, array.dtype, points, "the array")
            return estimate_from_fields(array, orders=wanted)
        shape = _checked_shape(array.shape, array.dtype, points, "the array")
        pieces = rows_of(array, len(array), array.nbytes // len(array))
        return _streamed(pieces, shape, wanted, networks=len(array))
    if isinstance(fields, Iterable):
        return _from_pieces(fields, wanted, points)
    raise SpecificationError(
        expected="fields as an array, a file, or an iterable of arrays",
        came=f"a value of type {type(fields).__name__}",
        remedy="pass an array of shape (networks, n) or (networks, n, D)",
    )


def as_array(fields: Any) -> NDArray[Any]:
    """Array of numpy, torch, JAX or anything with ``__array__`` or ``__dlpack__``, on the CPU.

    Raises
    ------
    SpecificationError
        If it cannot be had as an array of numpy, or has masked entries.

    Examples
    --------
    >>> as_array([[1.0, 2.0]]).shape
    (1, 2)
    """
    if isinstance(fields, np.ma.MaskedArray):
        if np.ma.getmaskarray(fields).any():
            raise SpecificationError(
                expected="a value for every field",
                came="an array with masked entries",
                remedy="leave none out silently: find out why they are masked",
            )
        fields = fields.data
    if isinstance(fields, np.ndarray):
        return fields
    try:
        if hasattr(fields, "__array__") or not hasattr(fields, "__dlpack__"):
            return np.asarray(fields)
        return np.from_dlpack(fields)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise SpecificationError(
            expected="fields that numpy can read, of one shape for all networks",
            came=f"a value of type {type(fields).__name__} ({error!s:.160})",
            remedy="for torch pass fields.detach().cpu(); convert bfloat16 to float32 first",
        ) from error


def _is_array(fields: Any) -> bool:
    return hasattr(fields, "__array__") or hasattr(fields, "__dlpack__")


def _from_pieces(pieces: Iterable[Any], orders: tuple[int, ...], points: int | None) -> Estimate:
    if points is None:
        # a stack of networks and a field of one network over points look alike
        raise SpecificationError(
            expected="the number of points with an iterable of arrays",
            came="none",
            remedy="pass points=n; each array then has shape (networks, n) or (networks, n, D)",
        )
    iterator = iter(pieces)
    first = next(iterator, None)
    if first is None:
        raise SpecificationError(
            expected="at least one array of fields",
            came="an iterable that is empty, or was used up",
            remedy="make the generator anew for each estimate",
        )
    shape = _shape_of_piece(first, points, 0)

    def checked() -> Iterator[NDArray[Any]]:
        yield as_array(first)
        for number, piece in enumerate(iterator, start=1):
            own = _shape_of_piece(piece, points, number)
            if own != shape:
                raise SpecificationError(
                    expected=f"arrays of {shape[0]} points and {shape[1]} outputs throughout",
                    came=f"{own[0]} points and {own[1]} outputs in array {number}",
                    remedy="give every network the same points and outputs",
                )
            yield as_array(piece)

    return _streamed(checked(), shape, orders, networks=None)


def _shape_of_piece(piece: Any, points: int, number: int) -> tuple[int, int]:
    if not _is_array(piece):
        raise SpecificationError(
            expected=f"an array of shape (networks, {points}) or (networks, {points}, D)",
            came=f"item {number} of type {type(piece).__name__}",
            remedy="yield arrays that hold one or more networks each",
        )
    array = as_array(piece)
    return _checked_shape(array.shape, array.dtype, points, f"array {number}")


def _checked_shape(
    shape: tuple[int, ...], dtype: np.dtype[Any], points: int | None, what: str
) -> tuple[int, int]:
    """Points and outputs of an array of fields."""
    n = "n" if points is None else str(points)
    wrong = points is not None and len(shape) > 1 and shape[1] != points
    if len(shape) not in (2, 3) or 0 in shape or dtype.kind not in "fiub" or wrong:
        raise SpecificationError(
            expected=f"real fields of shape (networks, {n}) or (networks, {n}, D)",
            came=f"shape {shape} of type {dtype} in {what}",
            remedy="put the networks first, then the points",
        )
    return shape[1], shape[2] if len(shape) == 3 else 1


def _streamed(
    pieces: Iterator[NDArray[Any]],
    shape: tuple[int, int],
    orders: tuple[int, ...],
    *,
    networks: int | None,
) -> Estimate:
    """Estimate from sums over pieces of one shape."""
    dimension = shape[0] * shape[1]
    moments = moments_of_pieces(
        _finite(pieces, dimension), dimension, orders[-1], networks=networks
    )
    return Estimate(
        moments=moments, orders=orders, points=shape[0], outputs_count=shape[1], route=GIVEN
    )


def _finite(pieces: Iterator[NDArray[Any]], dimension: int) -> Iterator[NDArray[np.float64]]:
    done = 0
    for piece in pieces:
        rows = piece.astype(np.float64).reshape(len(piece), dimension)
        bad = ~np.isfinite(rows).all(axis=1)
        if bad.any():
            raise SpecificationError(
                expected="finite fields",
                came=f"NaN or infinity, first in network {done + int(np.argmax(bad))}",
                remedy="leave none out silently: find out why they diverge",
            )
        done += len(rows)
        yield rows
