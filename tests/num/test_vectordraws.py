"""Normals in lanes against Box and Muller in many digits; lookups on processors without them."""

from __future__ import annotations

import ctypes

import mpmath as mp
import numpy as np
import pytest

from nnft_num.machine import simd
from nnft_num.machine.compiled import machine_function
from nnft_num.machine.draws import pair
from nnft_num.machine.functions import SINGLE
from nnft_num.machine.simd import LANES, Code, f32, i32, i64

TOP = 2**32
# every number of leading zeros, both ends of the unit interval, borders of pieces and directions
CORNERS = np.unique(
    [(2**k + offset) % TOP for k in range(33) for offset in (-2, -1, 0, 1)]
    + [(k * 2**26 + offset) % TOP for k in range(64) for offset in (-1, 0, 1)]
)


def normals(first: np.ndarray, second: np.ndarray, scale: float = 1.0) -> np.ndarray:
    code = Code("normals", {"n": i64, "words": i32.as_pointer(), "y": f32.as_pointer()})
    given = code.arguments
    with code.loop(0, given["n"], 2 * LANES) as i:
        words = [code.load(given["words"], i + offset) for offset in (0, LANES)]
        for number, value in enumerate(pair(*words, code.number(scale, f32))):
            code.store(given["y"], i + number * LANES, value)
    function = machine_function(code.finish(), "normals", [ctypes.c_int64] + 2 * [ctypes.c_void_p])
    both = np.stack([first.reshape(-1, LANES), second.reshape(-1, LANES)], axis=1)
    words, y = both.astype(np.uint32).ravel(), np.empty(both.size, np.float32)
    function(len(words), words.ctypes.data, y.ctypes.data)
    return y.reshape(-1, 2, LANES).swapaxes(0, 1).reshape(2, -1)


def words() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    size = -(-len(CORNERS) // LANES) * LANES
    corners, random = np.resize(CORNERS, size), rng.integers(0, TOP, (2, size))
    return (
        np.concatenate([corners, random[0], corners, random[0]]),
        np.concatenate([random[1], corners, corners, random[1]]),
    )


def test_normals_are_those_of_box_and_muller():
    first, second = words()
    rows = zip(first.tolist(), second.tolist(), *normals(first, second).tolist(), strict=True)
    with mp.workdps(40):
        for r, s, x, y in rows:
            radius = mp.sqrt(-2 * mp.log(mp.mpf(2 * r + 1) / 2**33))
            angle = mp.pi * mp.mpf(2 * s + 1) / 2**32
            for value, exact in ((x, radius * mp.cos(angle)), (y, radius * mp.sin(angle))):
                assert abs(value - exact) <= 4e-7 * abs(exact), (r, s)


def test_the_scale_multiplies():
    first, second = words()
    got, doubled = normals(first, second), normals(first, second, scale=2.0)
    assert np.array_equal(doubled, 2 * got)


@pytest.mark.parametrize("name", ["erf", "tanh", "exp"])
def test_lookups_one_by_one_give_the_same_bits(name, monkeypatch):
    def values() -> np.ndarray:
        code = Code("apply", {"n": i64, "x": f32.as_pointer(), "y": f32.as_pointer()})
        given = code.arguments
        with code.loop(0, given["n"], LANES) as i:
            code.store(given["y"], i, SINGLE[name](code.load(given["x"], i)))
        arguments = [ctypes.c_int64] + 2 * [ctypes.c_void_p]
        function = machine_function(code.finish(), "apply", arguments)
        x = np.linspace(-100, 100, 2**14, dtype=np.float32)
        y = np.empty_like(x)
        function(len(x), x.ctypes.data, y.ctypes.data)
        return y

    usual = values(), normals(*words())
    monkeypatch.setattr(simd, "has_feature", lambda feature: False)
    one_by_one = values(), normals(*words())
    for got, want in zip(one_by_one, usual, strict=True):
        assert np.array_equal(got, want)
