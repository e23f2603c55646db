"""The draws of ``nnft_num.draws`` for sixteen networks at once, in single precision.

The counters, the words and so the uniforms are the same; normals by Box and Muller agree with
those of double precision to the rounding of single precision, and end at the same 6.76 standard
deviations: ln u is computed from the distance of u to the nearer one of 0 and 1, of which the
word gives all digits.  The sixteen networks are 16 m, ..., 16 m + 15, so that they share the upper
word of their index and part of the first two rounds.
"""

from __future__ import annotations

from typing import Any

from nnft_num.simd import LANES, Value
from nnft_num.vectormath import fma, select, sqrt

__all__ = ["Counters", "pair", "to_uniform", "to_uniform_double"]

_LOW = 0xFFFFFFFF
_MULTIPLIER_0 = 0xD2511F53
_MULTIPLIER_1 = 0xCD9E8D57
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85
_TWO_52 = 0x4330000000000000
_SIGN = -(2**31)
_STEP = 2.0**-32


class Counters:
    """The generator for sixteen networks, its first round begun.

    Parameters
    ----------
    number : Value
        Index of the first of the networks, which share its upper word.
    k0, k1 : Value
        Key of the run.
    """

    def __init__(self, number: Value, k0: Value, k1: Value) -> None:
        product = ((number.splat() + number.code.lane_numbers()) & _LOW) * _MULTIPLIER_1
        self.upper = number >> 32
        self.first, self.second = (product >> 32) ^ k0, product & _LOW
        self.keys = []
        for _ in range(10):
            self.keys.append((k0, k1))
            k0, k1 = (k0 + _WEYL_0) & _LOW, (k1 + _WEYL_1) & _LOW

    def words(self, c0: Value, c1: Value) -> tuple[Value, Value, Value, Value]:
        """Four words of one counter, as ``i32``."""
        # round 1: one product is the same for all networks, the other for all counters
        product = c0 * _MULTIPLIER_0
        s2, s3 = (product >> 32) ^ self.upper ^ self.keys[0][1], product & _LOW
        # round 2: again one product is the same for all networks
        k0, k1 = self.keys[1]
        product = s2 * _MULTIPLIER_1
        v0, v1 = self.second ^ ((product >> 32) ^ k0), product & _LOW
        wide = ((self.first ^ c1) & _LOW) * _MULTIPLIER_0
        v2, v3 = (wide >> 32) ^ (s3 ^ k1), wide & _LOW
        for k0, k1 in self.keys[2:-1]:
            wide, broad = (v0 & _LOW) * _MULTIPLIER_0, (v2 & _LOW) * _MULTIPLIER_1
            v0, v1 = (broad >> 32) ^ (v1 ^ k0), broad & _LOW
            v2, v3 = (wide >> 32) ^ (v3 ^ k1), wide & _LOW
        # the last round ends in words
        k0, k1 = self.keys[-1]
        wide, broad = (v0 & _LOW) * _MULTIPLIER_0, (v2 & _LOW) * _MULTIPLIER_1
        return (
            broad.upper_words() ^ v1.lower_words() ^ k0.low_word(),
            broad.lower_words(),
            wide.upper_words() ^ v3.lower_words() ^ k1.low_word(),
            wide.lower_words(),
        )


def to_uniform(word: Value) -> Value:
    """(word + 1/2) 2^-32, in (0, 1]."""
    return fma(word.unsigned_to_float(), _STEP, 0.5 * _STEP)


def to_uniform_double(word: Value) -> Value:
    """(word + 1/2) 2^-32 with all digits."""
    return fma((word.wide_word() | _TWO_52).from_bits() - 2.0**52, _STEP, 0.5 * _STEP)


def _radius(r: Value) -> Value:
    """sqrt(-2 ln u)."""
    u = r.unsigned_to_float() + 0.5
    bits = u.bits()
    k = bits + 0x004AFB0D
    near_one = u > 0.70710678 * 2.0**32
    f = ((k & 0x007FFFFF) + 0x3F3504F3).from_bits() - 1.0
    f = select(near_one, fma((~r).unsigned_to_float(), -_STEP, -0.5 * _STEP), f)
    e = select(near_one, 0.0, ((k >> 23) - 159).to_float())
    p = fma(f, 0.0870035961, -0.142669141)
    p = fma(p, f, 0.149145111)
    p = fma(p, f, -0.165776536)
    p = fma(p, f, 0.199631006)
    p = fma(p, f, -0.250013351)
    p = fma(p, f, 0.333339095)
    p = fma(p, f, -0.5)
    return sqrt(fma(e, -1.38629436, fma(p * f, f, f) * -2.0))


def pair(first: Value, r: Value) -> tuple[Value, Value]:
    """Box and Muller: radius from the first word, angle from the second."""
    radius = _radius(first)
    s = fma((r << 2).to_float(), 2.0**-31, 2.0**-30)
    t = s * s
    sine = fma(t, -3.65858359e-05, 0.0024909873)
    sine = fma(sine, t, -0.0807458237)
    sine = fma(sine, t, 0.785398185) * s
    cosine = fma(t, -0.000319186889, 0.0158504378)
    cosine = fma(cosine, t, -0.308424503)
    cosine = fma(cosine, t, 1.0)
    turn = r + 0x20000000
    even = (turn & 0x40000000).equals(0)
    a = (select(even, cosine, sine).bits() ^ ((turn + 0x40000000) & _SIGN)).from_bits()
    b = (select(even, sine, cosine).bits() ^ (turn & _SIGN)).from_bits()
    return radius * a, radius * b


def fill_words(
    words: Value, counters: Counters, c0: Value, count: Value, c1: Value, stride: int, events: Any,
    at: int,
) -> None:  # fmt: skip
    """Words of ``events`` events, ``stride`` primitives apart, for ``count`` fours of neurons."""
    code = words.code
    # the inner loop keeps c1, on which all of the second round's vectors depend
    with code.loop(0, events) as event, code.loop(0, count) as four:
        place = (four * events + event) * (4 * LANES) + at
        for word in counters.words(c0 + four, c1 + event * stride):
            code.store(words, place, word)
            place = place + LANES
