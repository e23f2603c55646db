"""One layer of sixteen networks side by side in single precision, written as machine code.

For four neurons at a time, their fields at the n points are z = L g with normals g: L is the factor
of the first layer's covariance, the same for all networks, or that of each network's own, lower
triangular.  Then the activation is applied and φ_a φ_b is summed, in single precision over at most
128 neurons and in double precision beyond.  All loops over points are written out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from nnft_num.machine.compiled import machine_function
from nnft_num.machine.draws import Counters, pair, round_keys
from nnft_num.machine.expressions import VectorExpression
from nnft_num.machine.functions import fma
from nnft_num.machine.simd import LANES, Code, Value, f32, f64, i64
from nnft_sym.language import Expression, evaluate

__all__ = ["MAX_POINTS", "VectorLayer", "vector_layer"]

MAX_POINTS = 16
"""Points up to which the code, quadratic in their number, is written out."""

_BLOCKS = 32
"""Fours of neurons summed in single precision."""

_ABREAST = 2
"""Points whose activations are written abreast, each for two neurons."""

_TOGETHER = 4
"""Counters whose rounds are written together, so that none waits for its products."""

_ARGUMENTS: dict[str, ir.Type] = {
    "sixteens": i64,
    "start": i64,
    "keys": i64.as_pointer(),
    "word": i64,
    "width": i64,
    "factor": f32.as_pointer(),
    "singles": f32.as_pointer(),
    "at_points": f32.as_pointer(),
    "work": f32.as_pointer(),
    "sums": f64.as_pointer(),
}
_TYPES = [
    ctypes.c_void_p if isinstance(kind, ir.PointerType) else ctypes.c_uint64
    for kind in _ARGUMENTS.values()
]


@lru_cache(maxsize=256)
def vector_layer(
    activation: Expression | None,
    local: tuple[str, ...],
    points: int,
    columns: int,
    shared: bool,
    summed: bool = True,
) -> VectorLayer:
    """Write and compile a layer, once for each shape; arguments as in ``VectorLayer``."""
    return VectorLayer(activation, local, points, columns, shared, summed)


class VectorLayer:
    """Compiled code of one layer.

    Parameters
    ----------
    activation : Expression or None
        φ(z); None for z itself.
    local : tuple of str
        Names in φ with a value at each point.
    points, columns : int
        Shape (n, r) of the factor.
    shared : bool
        Whether one factor serves all networks; else each has its own, lower triangular.
    summed : bool
        Whether sums over the neurons are kept; else φ of four neurons, or z of four outputs.
    """

    def __init__(
        self,
        activation: Expression | None,
        local: tuple[str, ...],
        points: int,
        columns: int,
        shared: bool,
        summed: bool,
    ) -> None:
        self.activation = activation
        self.summed = summed
        self.local = frozenset(local)
        self.points = points
        self.columns = columns
        self.shared = shared
        self.singles: dict[Expression, int] = {}
        self.at_points: dict[Expression, int] = {}
        self.entries = points * (points + 1) // 2
        self.code = Code("layer", _ARGUMENTS)
        self.given = self.code.arguments
        self._write()
        self._function = machine_function(self.code.finish(), "layer", _TYPES)

    @property
    def kept(self) -> int:
        """Vectors kept of each sixteen networks: sums, or numbers at the points, four each."""
        return self.entries if self.summed else 4 * self.points

    def run(
        self,
        *,
        sixteens: int,
        start: int,
        key: tuple[int, int],
        word: int,
        width: int,
        factor: NDArray[np.float32],
        values: Mapping[str, Any],
    ) -> NDArray[np.float64]:
        """Run the layer for sixteens of networks from a multiple of sixteen on.

        Parameters
        ----------
        sixteens, start : int
            How many, and index of the first network.
        key, word
            Key of the run and second counter word of the first normal.
        width : int
            Number of neurons; if they are not summed, index of the four.
        factor : ndarray
            Shape (n, r) if shared, else (sixteens, n(n+1)/2, 16).
        values : mapping
            Parameters, and locals as arrays over the points.

        Returns
        -------
        ndarray, shape (sixteens, kept, 16)
        """
        with np.errstate(all="ignore"):
            singles = [float(evaluate(part, self._of(part, values))) for part in self.singles]
            table = [
                np.broadcast_to(evaluate(part, self._of(part, values)), self.points)
                for part in self.at_points
            ]
        numbers = np.array(singles, dtype=np.float32)
        at_points = np.ascontiguousarray(table, dtype=np.float32)
        vectors = 4 * self.columns + 4 * self.points + self.entries
        work = np.empty(vectors * LANES + 16, dtype=np.float32)
        # loads of aligned vectors do not cross lines of the cache
        first = -work.ctypes.data % 64 // 4
        sums = np.zeros((sixteens, self.kept, LANES))
        keys = round_keys(key)
        self._function(
            sixteens, start, keys.ctypes.data, word, width, factor.ctypes.data,
            numbers.ctypes.data, at_points.ctypes.data, work[first:].ctypes.data, sums.ctypes.data,
        )  # fmt: skip
        return sums

    @staticmethod
    def _of(part: Expression, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: values[name] for name in part.names}

    def _index(self, value: int) -> Value:
        return self.code.number(value, i64)

    def _hoist(self, part: Expression, point: int) -> Value:
        if part.names.isdisjoint(self.local):
            index = self.singles.setdefault(part, len(self.singles))
            return self.code.load(self.given["singles"], self._index(index), vector=False)
        row = self.at_points.setdefault(part, len(self.at_points))
        index = row * self.points + point
        return self.code.load(self.given["at_points"], self._index(index), vector=False)

    # -- places in the work space, in vectors: normals, activations, sums

    def _load(self, place: int) -> Value:
        return self.code.load(self.given["work"], self._index(place * LANES))

    def _store(self, place: int, value: Value) -> None:
        self.code.store(self.given["work"], self._index(place * LANES), value)

    def _phi(self, point: int, slot: int) -> int:
        return 4 * self.columns + 4 * point + slot

    def _sum(self, entry: int) -> int:
        return 4 * self.columns + 4 * self.points + entry

    def _write(self) -> None:
        code, given = self.code, self.given
        with code.loop(0, given["sixteens"]) as batch:
            counters = Counters(given["start"] + batch * LANES, given["keys"])
            self.factor_at = batch * (self.entries * LANES)
            self.kept_at = batch * (self.kept * LANES)
            blocks = (given["width"] + 3) >> 2
            if not self.summed:
                self._normals(counters, given["width"])
                self._fields()
            else:
                with code.loop(0, blocks, _BLOCKS) as first:
                    self._add_up(counters, first, code.smaller(blocks - first, _BLOCKS))

    def _add_up(self, counters: Counters, first: Value, count: Value) -> None:
        """Add the sums over some fours of neurons to those of the layer."""
        code, given = self.code, self.given
        zero = code.vector(0.0, f32)
        for entry in range(self.entries):
            self._store(self._sum(entry), zero)
        with code.loop(0, count) as four:
            block = first + four
            self._normals(counters, block)
            self._fields()
            self._leave_out(given["width"] - block * 4)
            self._gram()
        for entry in range(self.entries):
            place = self.kept_at + entry * LANES
            total = code.load(given["sums"], place)
            part = self._load(self._sum(entry)).to_double()
            code.store(given["sums"], place, total + part)

    def _normals(self, counters: Counters, block: Value) -> None:
        for first in range(0, self.columns, _TOGETHER):
            columns = range(first, min(first + _TOGETHER, self.columns))
            found = counters.words([(block, self.given["word"] + column) for column in columns])
            for column, words in zip(columns, found, strict=True):
                for half in range(2):
                    for slot, value in enumerate(pair(words[2 * half], words[2 * half + 1])):
                        self._store(4 * column + 2 * half + slot, value)

    def _fields(self) -> None:
        code = self.code
        for half in range(2):
            normals = [
                [self._load(4 * column + 2 * half + slot) for slot in range(2)]
                for column in range(self.columns)
            ]
            for low in range(0, self.points, _ABREAST):
                points = range(low, min(low + _ABREAST, self.points))
                code.abreast(
                    [
                        partial(self._field, point, [row[slot] for row in normals], 2 * half + slot)
                        for point in points
                        for slot in range(2)
                    ]
                )

    def _field(self, point: int, normals: list[Value], slot: int) -> None:
        """Activation at a point, or the field itself, of one of four neurons."""
        code = self.code
        out = self._product(point, normals)
        if self.activation is not None:
            hoist = partial(self._hoist, point=point)
            out = VectorExpression(code, {"z": out}, hoist).vector(self.activation)
        if self.summed:
            self._store(self._phi(point, slot), out)
        else:
            place = self.kept_at + (4 * point + slot) * LANES
            code.store(self.given["sums"], place, out.to_double())

    def _product(self, point: int, normals: list[Value]) -> Value:
        code, z = self.code, None
        for column in range(self.columns if self.shared else point + 1):
            if self.shared:
                index = self._index(point * self.columns + column)
                entry = code.load(self.given["factor"], index, vector=False)
            else:
                place = (point * (point + 1) // 2 + column) * LANES
                entry = code.load(self.given["factor"], self.factor_at + place)
            g = normals[column]
            z = entry * g if z is None else fma(entry, g, z)
        assert z is not None
        return z

    def _leave_out(self, remaining: Value) -> None:
        """Neurons beyond the width count as zero."""
        code = self.code
        with code.when(remaining < 4):
            zero = code.vector(0.0, f32)
            for slot in range(1, 4):
                with code.when(remaining <= slot):
                    for point in range(self.points):
                        self._store(self._phi(point, slot), zero)

    def _gram(self) -> None:
        # two rows at a time, so that what is loaded serves twice
        for low in range(0, self.points, 2):
            rows = range(low, min(low + 2, self.points))
            left = {a: [self._load(self._phi(a, slot)) for slot in range(4)] for a in rows}
            for b in range(rows[-1] + 1):
                right = [self._load(self._phi(b, slot)) for slot in range(4)]
                for a in rows:
                    if b <= a:
                        place = self._sum(a * (a + 1) // 2 + b)
                        total = self._load(place)
                        for one, other in zip(left[a], right, strict=True):
                            total = fma(one, other, total)
                        self._store(place, total)
