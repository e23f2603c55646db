"""Machine code that adds up all unique monomials of the fields of many networks.

Sixteen networks side by side, each lane adding up every sixteenth network in order; a few times
sixteen at once, so that a sum is read and written once for all of them.  What is kept of them are
the products below the highest order; those of the highest are added where they arise, fused.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from nnft_num.machine.compiled import machine_function
from nnft_num.machine.simd import LANES, Code, Value, Variable, f64, i64

__all__ = ["accumulate", "parent_counts"]

_ROWS = 4
_POINTER, _COUNT = ctypes.c_void_p, ctypes.c_int64
_ARGUMENTS = {
    "fields": (f64.as_pointer(), _POINTER),
    "networks": (i64, _COUNT),
    "dimension": (i64, _COUNT),
    "orders": (i64, _COUNT),
    "starts": (i64.as_pointer(), _POINTER),
    "parents": (i64.as_pointer(), _POINTER),
    "vectors": (i64, _COUNT),
    "totals": (f64.as_pointer(), _POINTER),
    "products": (f64.as_pointer(), _POINTER),
    "maxima": (f64.as_pointer(), _POINTER),
}


def parent_counts(dimension: int, max_order: int) -> NDArray[np.int64]:
    """Count the monomials of order k - 1 whose indices are all at most ``last``, by (k, last).

    Examples
    --------
    >>> parent_counts(3, 3)[3].tolist()
    [1, 3, 6]
    """
    table = np.zeros((max_order + 1, dimension), dtype=np.int64)
    for order in range(2, max_order + 1):
        table[order] = [comb(last + order - 1, order - 1) for last in range(dimension)]
    return table


def accumulate(
    fields: NDArray[np.float64],
    starts: NDArray[np.int64],
    parents: NDArray[np.int64],
    vectors: int,
    totals: NDArray[np.float64],
    products: NDArray[np.float64],
    maxima: NDArray[np.float64],
) -> None:
    """Add the monomials of fields (networks, m) to ``totals``, and the largest |f| to ``maxima``.

    Parameters
    ----------
    fields : ndarray, shape (networks, m)
        C-contiguous.
    starts, parents
        Where each order starts, and ``parent_counts``.
    vectors : int
        Times sixteen networks taken at once; of no influence on the sums.
    totals, maxima : ndarray, shape (.., 16)
        Sums of all monomials and largest absolute fields, by lanes.
    products : ndarray
        Memory for ``vectors`` times 16 numbers for each monomial below the highest order.
    """
    networks, dimension = fields.shape
    _function()(
        fields.ctypes.data, networks, dimension, len(starts) - 1, starts.ctypes.data,
        parents.ctypes.data, vectors, totals.ctypes.data, products.ctypes.data, maxima.ctypes.data,
    )  # fmt: skip


@cache
def _function() -> Callable[..., None]:
    return machine_function(_write(), "accumulate", [kind for _, kind in _ARGUMENTS.values()])


def _write() -> str:
    code = Code("accumulate", {name: kind for name, (kind, _) in _ARGUMENTS.items()})
    given = code.arguments
    orders = given["orders"]
    step = given["vectors"] * LANES
    with code.loop(0, (given["networks"] + step - 1) // step) as part:
        first = part * step
        present = code.smaller(given["networks"] - first, step)
        count = (present + (LANES - 1)) // LANES
        _gather(code, first, present, count)
        with code.loop(2, orders) as order:
            _children(code, order, count, keep=True)
        with code.when(orders > 1):
            _children(code, orders, count, keep=False)
    return code.finish()


def _gather(code: Code, first: Value, present: Value, count: Value) -> None:
    """Order 1: bring the fields of the part into lanes, zeros at its end, and add them up."""
    given = code.arguments
    dimension, products = given["dimension"], given["products"]
    stride = given["vectors"] * LANES
    with code.loop(0, dimension) as field:
        row = field * stride
        with code.loop(0, present) as network:
            value = code.load(given["fields"], (first + network) * dimension + field, vector=False)
            code.store(products, row + network, value)
        with code.loop(present, count * LANES) as network:
            code.store(products, row + network, code.number(0.0, f64))
        total = Variable(code.load(given["totals"], field * LANES))
        largest = Variable(code.load(given["maxima"], field * LANES))
        with code.loop(0, count) as vector:
            value = code.load(products, row + vector * LANES)
            total.value = total.value + value
            size = code.call("fabs", value)
            largest.value = (size > largest.value).select(size, largest.value)
        code.store(given["totals"], field * LANES, total.value)
        code.store(given["maxima"], field * LANES, largest.value)


def _children(code: Code, order: Value, count: Value, *, keep: bool) -> None:
    """Products of one order, from those of the order below and the fields."""
    given = code.arguments
    begin = code.load(given["starts"], order - 2, vector=False)
    child = Variable(code.load(given["starts"], order - 1, vector=False))
    with code.loop(0, given["dimension"]) as last:
        place = order * given["dimension"] + last
        parents = code.load(given["parents"], place, vector=False)
        done = Variable(code.number(0, i64))
        for rows in (_ROWS, 1):
            with code.loop(0, (parents - done.value) // rows):
                _row(code, begin + done.value, last, child.value, count, rows, keep)
                done.value = done.value + rows
                child.value = child.value + rows


def _row(
    code: Code, parent: Value, last: Value, child: Value, count: Value, rows: int, keep: bool
) -> None:
    """Multiply a few monomials by one field, for all networks of the part."""
    given, products = code.arguments, code.arguments["products"]
    stride = given["vectors"] * LANES
    sums = [Variable(code.load(given["totals"], (child + r) * LANES)) for r in range(rows)]
    with code.loop(0, count) as vector:
        place = vector * LANES
        field = code.load(products, last * stride + place)
        for r, total in enumerate(sums):
            value = code.load(products, (parent + r) * stride + place)
            if keep:
                product = value * field
                code.store(products, (child + r) * stride + place, product)
                total.value = total.value + product
            else:
                total.value = code.call("fma", value, field, total.value)
    for r, total in enumerate(sums):
        code.store(given["totals"], (child + r) * LANES, total.value)
