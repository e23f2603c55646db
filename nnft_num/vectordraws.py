"""The draws of ``nnft_num.draws`` for sixteen networks at once, in single precision.

The counters, the words and so the uniforms are the same; normals by Box and Muller agree with
those of double precision to the rounding of single precision, and end at the same 6.76 standard
deviations: ln u is computed from the distance of u to the nearer one of 0 and 1, of which the
word gives all digits.  The sixteen networks are 16 m, ..., 16 m + 15, so that they share the upper
word of their index and part of the first two rounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nnft_num.simd import (
    LANES,
    as_bits,
    as_double,
    as_float,
    fma,
    low_word,
    select,
    splat,
    sqrt,
    store,
    to_float,
    unsigned_to_float,
    wide_word,
)
from nnft_num.vectormath import called, inlined

__all__ = ["begin", "fill_words", "pair", "to_uniform", "to_uniform_double"]

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_TWO_52 = np.uint64(0x4330000000000000)
_SIGN = -(2**31)
_STEP = 2.0**-32


@inlined
def begin(numbers: Any, k0: Any) -> Any:
    """What the first round makes of the networks' numbers alone."""
    product = (numbers & _LOW) * _MULTIPLIER_1
    return (product >> _SHIFT) ^ k0, product & _LOW


@inlined
def _words4(c0: Any, c1: Any, c3: Any, k0: Any, k1: Any, first: Any, second: Any) -> Any:
    """Four words, as ``u64`` with rubbish above bit 31 in the second and fourth.

    c0, c1, c3, k0 and k1 are scalars; first and second come from ``begin``.
    """
    product = _MULTIPLIER_0 * c0
    s2, s3 = (product >> _SHIFT) ^ c3 ^ k1, product & _LOW
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    product = _MULTIPLIER_1 * s2
    v0, s1 = second ^ ((product >> _SHIFT) ^ k0), product & _LOW
    wide = ((first ^ c1) & _LOW) * _MULTIPLIER_0
    v2, v3 = (wide >> _SHIFT) ^ (s3 ^ k1), wide & _LOW
    k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
    wide, broad = v0 * _MULTIPLIER_0, v2 * _MULTIPLIER_1
    v0, v1 = (broad >> _SHIFT) ^ (s1 ^ k0), broad & _LOW
    v2, v3 = (wide >> _SHIFT) ^ v3 ^ k1, wide & _LOW
    for _ in range(7):
        k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW
        wide, broad = v0 * _MULTIPLIER_0, v2 * _MULTIPLIER_1
        v0, v1 = (broad >> _SHIFT) ^ v1 ^ k0, broad & _LOW
        v2, v3 = (wide >> _SHIFT) ^ v3 ^ k1, wide & _LOW
    return v0, v1, v2, v3


@inlined
def to_uniform(word: Any) -> Any:
    """(word + 1/2) 2^-32, in (0, 1]."""
    return fma(unsigned_to_float(word), _STEP, 0.5 * _STEP)


@inlined
def to_uniform_double(word: Any) -> Any:
    """(word + 1/2) 2^-32 with all digits."""
    return fma(as_double(wide_word(word) | _TWO_52) - 2.0**52, _STEP, 0.5 * _STEP)


@inlined
def _radius(r: Any) -> Any:
    """sqrt(-2 ln u)."""
    u = unsigned_to_float(r) + 0.5
    bits = as_bits(u)
    k = (bits + 0x004AFB0D) >> 23
    near_one = u > 0.70710678 * 2.0**32
    f = as_float(bits - (k << 23) + 0x3F800000) - 1.0
    f = select(near_one, fma(unsigned_to_float(~r), -_STEP, -0.5 * _STEP), f)
    e = select(near_one, splat(0.0), to_float(k - 159))
    p = fma(f, 0.0870035961, -0.142669141)
    p = fma(p, f, 0.149145111)
    p = fma(p, f, -0.165776536)
    p = fma(p, f, 0.199631006)
    p = fma(p, f, -0.250013351)
    p = fma(p, f, 0.333339095)
    p = fma(p, f, -0.5)
    return sqrt(fma(e, -1.38629436, fma(p * f, f, f) * -2.0))


@inlined
def pair(first: Any, r: Any) -> Any:
    """Box and Muller: radius from the first word, angle from the second."""
    radius = _radius(first)
    s = fma(to_float(r << 2), 2.0**-31, 2.0**-30)
    t = s * s
    sine = fma(t, -3.65858359e-05, 0.0024909873)
    sine = fma(sine, t, -0.0807458237)
    sine = fma(sine, t, 0.785398185) * s
    cosine = fma(t, -0.000319186889, 0.0158504378)
    cosine = fma(cosine, t, -0.308424503)
    cosine = fma(cosine, t, 1.0)
    turn = r + 0x20000000
    even = (turn & 0x40000000) == 0
    a = as_float(as_bits(select(even, cosine, sine)) ^ ((turn + 0x40000000) & _SIGN))
    b = as_float(as_bits(select(even, sine, cosine)) ^ (turn & _SIGN))
    return radius * a, radius * b


@called
def fill_words(
    words: Any, at: int, c0: Any, count: int, c1: Any, stride: int, events: int,
    c3: Any, k0: Any, k1: Any, first: Any, second: Any,
) -> None:  # fmt: skip
    """Words of ``events`` events, ``stride`` primitives apart, for ``count`` fours of neurons."""
    for four in range(count):
        for event in range(events):
            second_word = c1 + np.uint64(event * stride)
            w0, w1, w2, w3 = _words4(
                c0 + np.uint64(four), second_word, c3, k0, k1, first, second
            )
            store(words, at, low_word(w0))
            store(words, at + LANES, low_word(w1))
            store(words, at + 2 * LANES, low_word(w2))
            store(words, at + 3 * LANES, low_word(w3))
            at += 4 * LANES
