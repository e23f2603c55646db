"""The draws of ``nnft_num.kernels.draws`` for sixteen networks at once, in single precision.

The counters, the words and so the uniforms are the same; normals by Box and Muller agree with
those of double precision to the rounding of single precision, and end at the same 6.76 standard
deviations: ln u is computed from the distance of u to the nearer one of 0 and 1, of which the
word gives all digits.  The sixteen networks are 16 m, ..., 16 m + 15, so that they share the upper
word of their index and part of the first two rounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nnft_num.machine.functions import fma, looked_up, sqrt
from nnft_num.machine.simd import Value, i64
from nnft_num.machine.tables import COSINES, RADIUS

__all__ = ["Counters", "pair", "round_keys", "to_uniform", "to_uniform_double"]

_LOW = 0xFFFFFFFF
_MULTIPLIER_0 = 0xD2511F53
_MULTIPLIER_1 = 0xCD9E8D57
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85
_TWO_52 = 0x4330000000000000
_SIGN = -(2**31)
_SINES = COSINES[24:] + COSINES[:24]
_STEP = 2.0**-32


def round_keys(key: tuple[int, int]) -> NDArray[np.int64]:
    """Both words of the key of each of ten rounds.

    Examples
    --------
    >>> [hex(word) for word in round_keys((1, 2))[:4]]
    ['0x1', '0x2', '0x9e3779ba', '0xbb67ae87']
    """
    steps = np.arange(10)[:, None] * np.array([_WEYL_0, _WEYL_1])
    return ((np.array(key, dtype=np.int64) + steps) & _LOW).ravel()


class Counters:
    """The generator for sixteen networks, its first round begun.

    Parameters
    ----------
    number : Value
        Index of the first of the networks, which share its upper word.
    keys : Value
        Array of ``round_keys``.
    """

    def __init__(self, number: Value, keys: Value) -> None:
        code = number.code
        listed = [
            code.load(keys, code.number(position, i64), vector=False) for position in range(20)
        ]
        self.keys = list(zip(listed[::2], listed[1::2], strict=True))
        product = ((number.splat() + number.code.lane_numbers()) & _LOW) * _MULTIPLIER_1
        self.upper = number >> 32
        self.first, self.second = (product >> 32) ^ self.keys[0][0], product & _LOW

    def words(self, counters: Sequence[tuple[Value, Value]]) -> list[tuple[Value, ...]]:
        """Four words of each of some counters (c0, c1), as ``i32``.

        Rounds of all counters are written together, so that none has to wait for its products.
        """
        states = [self._two_rounds(c0, c1) for c0, c1 in counters]
        for keys in self.keys[2:-1]:
            states = [self._round(state, keys) for state in states]
        return [self._last_round(state) for state in states]

    def _two_rounds(self, c0: Value, c1: Value) -> tuple[Value, ...]:
        # round 1: one product is the same for all networks, the other for all counters
        product = c0 * _MULTIPLIER_0
        s2, s3 = (product >> 32) ^ self.upper ^ self.keys[0][1], product & _LOW
        # round 2: again one product is the same for all networks
        k0, k1 = self.keys[1]
        product = s2 * _MULTIPLIER_1
        wide = ((self.first ^ c1) & _LOW) * _MULTIPLIER_0
        v0, v1 = self.second ^ ((product >> 32) ^ k0), product & _LOW
        return v0, v1, (wide >> 32) ^ (s3 ^ k1), wide & _LOW

    @staticmethod
    def _round(state: tuple[Value, ...], keys: tuple[Value, Value]) -> tuple[Value, ...]:
        v0, v1, v2, v3 = state
        wide, broad = (v0 & _LOW) * _MULTIPLIER_0, (v2 & _LOW) * _MULTIPLIER_1
        return (
            (broad >> 32) ^ (v1 ^ keys[0]),
            broad & _LOW,
            (wide >> 32) ^ (v3 ^ keys[1]),
            wide & _LOW,
        )

    def _last_round(self, state: tuple[Value, ...]) -> tuple[Value, ...]:
        """The last round ends in words."""
        v0, v1, v2, v3 = state
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
    """sqrt(-2 ln u) for u = (r + 1/2) 2^-32 = m 2^-e, 1/2 <= m < 1, from m - 1 with all digits."""
    e = r.leading_zeros()
    # the half moves in behind the digits of r; the first bit is missing for r = 0 alone
    m = r.shifted_left(e, fill=_SIGN) | _SIGN
    # as signed integers, digits of m are those of m - 1; without a shift the half is still missing
    f = m.to_float() + 0.5
    return sqrt(fma(e.to_float(), 1.38629436, f * looked_up(RADIUS, m >> 26, f)))


def pair(first: Value, r: Value, scale: Value | float = 1.0) -> tuple[Value, Value]:
    """Box and Muller: radius from the first word, angle 2 pi (r + 1/2) 2^-32 from the second."""
    radius = _radius(first) * scale
    # the nearest of 32 directions, and the angle s pi/32 beyond it: 2^-31 by way of the exponent
    direction = (r + 2**26) >> 27
    s = (((r << 5).to_float() + 16.0).bits() - (31 << 23)).from_bits()
    t = s * s
    cosine = radius * fma(fma(t, 3.86884585e-06, -0.00481914217), t, 1.0)
    sine = radius * (fma(t, -0.000157620452, 0.0981747583) * s)
    x = r.code.lookup(COSINES, direction)
    y = r.code.lookup(_SINES, direction)
    return fma(x, cosine, -(y * sine)), fma(y, cosine, x * sine)
