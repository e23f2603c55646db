"""Machine code that fills buffers with draws, one function for all kernels.

Events stand ``stride`` primitives apart; those of four neurons b go to 64 numbers from
``at`` + (b * events + event) * 64 on, neuron after neuron, sixteen networks side by side.
"""

from __future__ import annotations

import ctypes
from functools import cache

from llvmlite import ir

from nnft_num.machine.compiled import address_of, machine_function
from nnft_num.machine.draws import Counters, pair
from nnft_num.machine.simd import LANES, Code, Value, Variable, f32, i32, i64

__all__ = [
    "FILL_NORMALS",
    "FILL_WORDS",
    "normals_address",
    "normals_text",
    "words_address",
    "words_text",
]

_PLACES = {
    "keys": i64.as_pointer(),
    **dict.fromkeys(("start", "c0", "count", "c1", "stride", "events"), i64),
}

FILL_WORDS: dict[str, ir.Type] = {"words": i32.as_pointer(), **_PLACES}
"""Arguments: where to, keys of the rounds, first network, first four of neurons and number of
fours, first primitive, distance and number of events."""

FILL_NORMALS: dict[str, ir.Type] = {"target": f32.as_pointer(), "scale": f32, **_PLACES}
"""The same with the standard deviation of the normals."""

_TOGETHER = 4


@cache
def words_address() -> int:
    """Address of the function that fills in words."""
    return _address(words_text(), "fill_words", FILL_WORDS)


@cache
def normals_address() -> int:
    """Address of the function that fills in normals."""
    return _address(normals_text(), "fill_normals", FILL_NORMALS)


def words_text() -> str:
    """Write the module of the function that fills in words."""
    code = Code("fill_words", FILL_WORDS)
    _fill(code, code.arguments["words"])
    return code.finish()


def normals_text() -> str:
    """Write the module of the function that fills in normals."""
    code = Code("fill_normals", FILL_NORMALS)
    target, scale = code.arguments["target"], code.arguments["scale"].splat()
    total = code.arguments["count"] * code.arguments["events"] * (4 * LANES)
    # words first, then normals in their place: both loops at once need too many registers
    words = code.as_words(target)
    _fill(code, words)
    with code.loop(0, total, 2 * LANES) as element:
        drawn = pair(code.load(words, element), code.load(words, element + LANES), scale)
        for number, normal in enumerate(drawn):
            code.store(target, element + number * LANES, normal)
    return code.finish()


def _fill(code: Code, target: Value) -> None:
    """Write the loops over counters."""
    given = code.arguments
    count, events = given["count"], given["events"]
    counters = Counters(given["start"], given["keys"])
    # the inner loop keeps c1, on which all of the second round's vectors depend
    with code.loop(0, events) as event:
        key = given["c1"] + event * given["stride"]
        done = Variable(code.number(0, i64))
        for together in (_TOGETHER, 1):
            with code.loop(0, (count - done.value) // together):
                fours = [done.value + i for i in range(together)]
                found = counters.words([(given["c0"] + four, key) for four in fours])
                for four, words in zip(fours, found, strict=True):
                    place = (four * events + event) * (4 * LANES)
                    for number, word in enumerate(words):
                        code.store(target, place + number * LANES, word)
                done.value = done.value + together


def _address(text: str, name: str, arguments: dict[str, ir.Type]) -> int:
    kinds = {i64: ctypes.c_int64, f32: ctypes.c_float}
    types = [kinds.get(kind, ctypes.c_void_p) for kind in arguments.values()]
    return address_of(machine_function(text, name, types))
