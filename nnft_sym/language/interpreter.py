"""Evaluation of expressions with numpy: slow, plain, and the oracle of every faster reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.functions import CONSTANTS, FUNCTIONS, OPERATORS
from nnft_sym.language.nodes import Call, Expression, Name, Number, shorten

__all__ = ["evaluate"]


def evaluate(expression: Expression, values: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Evaluate an expression elementwise on arrays.

    Parameters
    ----------
    expression : Expression
        What ``parse`` returns.
    values : mapping of str to array_like
        A real number or array for each free name; further names are allowed.

    Returns
    -------
    ndarray of float64
        Of the shape to which all of ``values`` broadcast.  Outside the domain of a function the
        entry is nan or inf, without a warning.

    Raises
    ------
    SpecificationError
        If a free name has no value, a value is not real, or the shapes do not broadcast.

    Examples
    --------
    >>> from nnft_sym.language import parse
    >>> evaluate(parse("where(z > 0, z, a*z)"), {"z": [-1.0, 0.0, 2.0], "a": 0.5}).tolist()
    [-0.5, 0.0, 2.0]
    """
    missing = sorted(expression.names - values.keys())
    if missing:
        raise SpecificationError(
            expected=f"a value for each of {', '.join(sorted(expression.names))}",
            came=f"none for {', '.join(missing)}",
            remedy="add the missing names to the values",
        )
    arrays = {name: _real(name, value) for name, value in values.items()}
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise SpecificationError(
            expected="values whose shapes broadcast together",
            came=shapes,
            remedy="add axes of length 1 where a value does not vary",
        ) from None
    with np.errstate(all="ignore"):
        result = _value(expression, arrays)
    return np.array(np.broadcast_to(result, shape), dtype=np.float64)


def _real(name: str, value: ArrayLike) -> NDArray[np.float64]:
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        raise SpecificationError(
            expected=f"a real number or array of them for {name}",
            came=shorten(repr(value)),
            remedy="pass floats",
        )
    return array.astype(np.float64)


def _value(expression: Expression, arrays: Mapping[str, NDArray[np.float64]]) -> Any:
    if isinstance(expression, Number):
        return np.float64(expression.value)
    if isinstance(expression, Name):
        constant = CONSTANTS.get(expression.id)
        return arrays[expression.id] if constant is None else np.float64(constant)
    if not isinstance(expression, Call):
        raise TypeError(f"{type(expression).__name__} is no node of the language")
    record = OPERATORS.get(expression.function) or FUNCTIONS[expression.function]
    return record.numpy(*[_value(argument, arrays) for argument in expression.arguments])
