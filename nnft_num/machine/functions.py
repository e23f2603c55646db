"""The functions of the language on vectors of sixteen single-precision numbers.

Branch-free polynomials with ``fma``.  Largest errors, measured against exact values (the tests
repeat it): absolute 4e-7 for erf, erfc, tanh, sigmoid, sin, cos, asin, acos, atan; relative 4e-7
for exp, log, sinh, cosh, tan, pow and sqrt, over the whole range of single precision, NaN and
infinities included.  Results are right to 1.2e-38 at most, the smallest normal number.  Sines and
cosines take |x| < 400 000 in half turns, tangents |x| < 30 000 by pi/2 in three parts; where an
argument is larger, the system's library is called lane by lane in double precision, right for
every argument.  erf, tanh and exp look coefficients up in registers (``Code.lookup``).
The coefficients are those of ``tests/bench/fits.py``.

Source: range reduction in parts, W. J. Cody and W. Waite, Software Manual for the Elementary
Functions (1980).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnft_num.machine.simd import Value
from nnft_num.machine.tables import ERF, EXPONENTIALS, TANH

__all__ = [
    "DOUBLE",
    "SINGLE",
    "cos_half_turns",
    "fma",
    "looked_up",
    "power",
    "select",
    "sin_half_turns",
    "sqrt",
]

_SIGN = -(2**31)
_MAGIC = 1.5 * 2.0**23
_INFINITY = math.inf
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.42860677e-6
# pi/2 in three parts: the first has 24 bits, so that x - n a is exact near a multiple
_HALF_PI = (
    float(np.float32(math.pi / 2)),
    float(np.float32(math.pi / 2 - float(np.float32(math.pi / 2)))),
    -1.7151244719e-15,
)
_PER_PI = (0.31830987334251404, 1.2841276486e-08)
# shifts n upwards, so that n + 2^17 below 0 or from 2^18 on shows in RARE_BITS
_FAR_MAGIC = _MAGIC + 2.0**17
_FAR_BITS = 0x4B400000
# 16/ln 2 and ln 2/16 in two parts; from _EXP_LOW down 2^-127 is taken, whose bits are zero
_SIXTEENTHS = (23.083120654223414, 0.04332160949707031, 8.92879231e-08)
_EXP_LOW, _EXP_HIGH = -88.02969193111305, 0x4B400000 + 2047
_REDUCED = 30000.0
# sign, exponent and two digits
_QUARTER = -(2**21)
_ONE = 0x3FF0000000000000
_TWO_52 = 0x4330000000000000
# adds one to the exponent of numbers from the square root of two on
_UP_TO_ONE = 0x3FF0000000000000 - 0x3FE6A09E667F3BCD


def fma(a: Any, b: Any, c: Any) -> Value:
    """Fused a b + c, rounded once; plain numbers are taken in every lane."""
    given = next(x for x in (a, b, c) if isinstance(x, Value) and x.is_vector)
    operands = [given.code.pair(given, x)[1] for x in (a, b, c)]
    return given.code.call("fma", *operands)


def select(condition: Value, yes: Any, no: Any) -> Value:
    """``yes`` where the condition holds, else ``no``."""
    return condition.select(yes, no)


def looked_up(table: Sequence[Sequence[float]], index: Value, x: Value) -> Value:
    """Polynomial in x whose coefficients stand at an index, in one row for each power."""
    *lower, value = [index.code.lookup(row, index) for row in table]
    for coefficient in reversed(lower):
        value = fma(value, x, coefficient)
    return value


def sqrt(x: Value) -> Value:
    """Square root, correctly rounded."""
    return x.code.call("sqrt", x)


def fabs(x: Value) -> Value:
    """Absolute value."""
    return x.code.call("fabs", x)


def power(x: Value, exponent: int) -> Value:
    """Power x^n for an integer n >= 1, by squaring."""
    product, square = None, x
    for digit in reversed(f"{exponent:b}"):
        if digit == "1":
            product = square if product is None else product * square
        square = square * square
    assert product is not None
    return product


def _with_sign(size: Value, x: Value) -> Value:
    """|size| with the sign of x."""
    return ((size.bits() & 0x7FFFFFFF) | (x.bits() & _SIGN)).from_bits()


def _exp_parts(x: Value) -> tuple[Value, Value]:
    """(p, n) with exp(x) = p 2^n, for |x| < 1e4; n as bits."""
    turned = fma(x, 1.44269504, _MAGIC)
    n = turned - _MAGIC
    r = fma(n, -_LN2_LOW, fma(n, -_LN2_HIGH, x))
    p = fma(r, 0.00139429222, 0.00836939178)
    p = fma(p, r, 0.0416663773)
    p = fma(p, r, 0.166665152)
    p = fma(p, r, 0.5)
    return fma(p * r, r, r) + 1.0, turned.bits() - 0x4B400000


def _scaled(p: Value, n: Value) -> Value:
    """Multiply p by 2^n in two steps, through the subnormal numbers to zero and to infinity."""
    half = _half(n)
    return p * ((half + 127) << 23).from_bits() * ((n - half + 127) << 23).from_bits()


def _half(n: Value) -> Value:
    """About n/2, for |n| < 2^10."""
    return ((n + 1024) >> 1) - 512


def _clipped(x: Value, low: float, high: float) -> Any:
    """Nearest number in [low, high]; NaN stays."""
    x = select(x < low, low, x)
    return select(x > high, high, x)


def exp(x: Value) -> Value:
    x = select(x < _EXP_LOW, _EXP_LOW, x)
    turned = fma(x, _SIXTEENTHS[0], _MAGIC).bits()
    # the last power of two that is finite; comparing bits, which leaves NaN to x
    turned = select(turned > _EXP_HIGH, _EXP_HIGH, turned)
    n = turned.from_bits() - _MAGIC
    r = fma(n, -_SIXTEENTHS[2], fma(n, -_SIXTEENTHS[1], x))
    p = fma(r, 0.168496087, 0.500012815)
    p = fma(fma(p, r, 0.999999285), r, 1.0)
    # a power of two with its sixteenths, and zero from the lowest x on
    return (x.code.lookup(EXPONENTIALS, turned).bits() + (turned << 19)).from_bits() * p


def log(x: Value) -> Value:
    small = x < 1.17549435e-38
    y = select(small, x * 8388608.0, x)
    bits = y.bits()
    k = bits + 0x004AFB0D
    f = ((k & 0x007FFFFF) + 0x3F3504F3).from_bits() - 1.0
    e = (k >> 23).to_float() - select(small, x.code.vector(150.0, x.element), 127.0)
    p = fma(f, 0.0870035961, -0.142669141)
    p = fma(p, f, 0.149145111)
    p = fma(p, f, -0.165776536)
    p = fma(p, f, 0.199631006)
    p = fma(p, f, -0.250013351)
    p = fma(p, f, 0.333339095)
    p = fma(p, f, -0.5)
    low = fma(p * f, f, e * _LN2_LOW)
    value = fma(e, _LN2_HIGH, f + low)
    value = select(x.equals(_INFINITY), x, value)
    value = select(x.equals(0.0), -_INFINITY, value)
    return select(x >= 0.0, value, math.nan)


def erf(x: Value) -> Value:
    size = fabs(x)
    # the last number of the last piece, where 1 - erf = 4e-8
    size = select(size > 3.8749998, 3.8749998, size)
    # sums are cheaper than products: the last bit of what is added is worth 1/4
    turned = size + _MAGIC / 4.0
    r = size - (turned - _MAGIC / 4.0)
    return _with_sign(looked_up(ERF, turned.bits(), r), x)


def erfc(x: Value) -> Value:
    size = fabs(x)
    a = select(size > 11.0, 11.0, size)
    t = (a - 2.0) / (a + 2.0)
    p = fma(t, 6.50195798e-05, -0.000298271858)
    p = fma(p, t, -0.00126685726)
    p = fma(p, t, 0.0012088567)
    p = fma(p, t, 0.0086310776)
    p = fma(p, t, -0.00802364945)
    p = fma(p, t, -0.0542024858)
    p = fma(p, t, 0.164050609)
    p = fma(p, t, -0.166031376)
    p = fma(p, t, -0.0927638113)
    p = fma(p, t, 1.27697837)
    square = a * a
    rest = fma(a, a, -square)
    q, n = _exp_parts(-square)
    tail = _scaled(fma(q, -rest, q) * (p / fma(a, 2.0, 1.0)), n)
    return select(x < 0.0, 2.0 - tail, tail)


def tanh(x: Value) -> Value:
    size = fabs(x)
    # in the last piece, where 1 - tanh = 1e-7
    size = select(size > 8.399999, 8.399999, size)
    # pieces are quarters of the octaves of 1 + 1.78 |x|: narrow where tanh bends
    turned = fma(size, 1.78, 1.0).bits()
    r = fma(size, 1.78, 1.0 - (turned & _QUARTER).from_bits())
    return _with_sign(looked_up(TANH, turned >> 21, r), x)


def sigmoid(x: Value) -> Value:
    return 1.0 / (1.0 + exp(-x))


def sinh(x: Value) -> Value:
    size = fabs(x)
    p, n = _exp_parts(_clipped(size, 0.0, 95.0))
    half = _scaled(p, n - 1)
    large = half - 0.25 / half
    t = x * x
    s = fma(t, 2.78221319e-06, 0.000198428956)
    s = fma(s, t, 0.00833331048)
    s = fma(s, t, 0.166666672)
    return select(size < 1.0, fma(s * t, x, x), _with_sign(large, x))


def cosh(x: Value) -> Value:
    p, n = _exp_parts(_clipped(fabs(x), 0.0, 95.0))
    half = _scaled(p, n - 1)
    return half + 0.25 / half


def _turned(x: Value) -> tuple[Value, Value]:
    """(n mod 4 in the low bits, x - n pi/2) for |x| < 30000."""
    turned = fma(x, 0.636619772, _MAGIC)
    n = turned - _MAGIC
    r = fma(n, -_HALF_PI[0], x)
    r = fma(n, -_HALF_PI[1], r)
    return turned.bits(), fma(n, -_HALF_PI[2], r)


def _sine(r: Value, t: Value) -> Value:
    p = fma(t, -0.000195078741, 0.00833210628)
    p = fma(p, t, -0.166666538)
    return fma(p * t, r, r)


def _cosine(t: Value) -> Value:
    p = fma(t, 2.44306684e-05, -0.00138873013)
    p = fma(p, t, 0.0416666456)
    p = fma(p, t, -0.5)
    return fma(p, t, 1.0)


def _half_turns(x: Value) -> tuple[Value, Value, Value]:
    """(n in its last bit, x/pi - n, where |x| is too large), right for |x| < 400 000."""
    turned = fma(x, _PER_PI[0], _FAR_MAGIC)
    n = turned - _FAR_MAGIC
    # exact but for one rounding, then the rest of 1/pi
    r = fma(x, _PER_PI[1], fma(x, _PER_PI[0], -n))
    # between -2^17 and 2^17 n sets none of the upper bits
    return turned.bits(), r, turned.bits() ^ _FAR_BITS


def sin(x: Value) -> Value:
    n, r, far = _half_turns(x)
    return x.code.rarely(far, _sine_of_turn(n, r), "sin", x)


def cos(x: Value) -> Value:
    n, r, far = _half_turns(x)
    return x.code.rarely(far, _cosine_of_turn(n, r), "cos", x)


def _whole(x: Value) -> tuple[Value, Value, Value]:
    """(n in its last bit, x - n, where |x| is from 131 072 on), exact below."""
    turned = x + _FAR_MAGIC
    return turned.bits(), x - (turned - _FAR_MAGIC), turned.bits() ^ _FAR_BITS


def sin_half_turns(x: Value) -> Value:
    """sin(pi x)."""
    n, r, far = _whole(x)
    return x.code.rarely(far, _sine_of_turn(n, r), "sin", x * math.pi)


def cos_half_turns(x: Value) -> Value:
    """cos(pi x)."""
    n, r, far = _whole(x)
    return x.code.rarely(far, _cosine_of_turn(n, r), "cos", x * math.pi)


def _sine_of_turn(n: Value, r: Value) -> Value:
    """sin(pi (n + r)) for |r| <= 1/2."""
    t = r * r
    p = fma(t, 0.0793460011, -0.599223733)
    p = fma(p, t, 2.55024242)
    p = fma(p, t, -5.16771984)
    y = fma(p, t, 3.14159274) * r
    return (y.bits() ^ (n << 31)).from_bits()


def _cosine_of_turn(n: Value, r: Value) -> Value:
    """cos(pi (n + r)) for |r| <= 1/2."""
    t = r * r
    p = fma(t, 0.219177008, -1.3316344)
    p = fma(p, t, 4.05837536)
    p = fma(p, t, -4.93479109)
    y = fma(p, t, 0.99999994)
    return (y.bits() ^ (n << 31)).from_bits()


def tan(x: Value) -> Value:
    n, r = _turned(x)
    t = r * r
    s, c = _sine(r, t), _cosine(t)
    even = (n & 1).equals(0)
    return x.code.rarely(fabs(x) > _REDUCED, select(even, s, -c) / select(even, c, s), "tan", x)


def _asin_small(x: Value, t: Value) -> Value:
    """asin(x) for t = x^2 <= 1/4."""
    p = fma(t, 0.0421583056, 0.0241847783)
    p = fma(p, t, 0.0454691499)
    p = fma(p, t, 0.0749530941)
    p = fma(p, t, 0.166667521)
    return fma(p * t, x, x)


def asin(x: Value) -> Value:
    size = fabs(x)
    near = size < 0.5
    t = select(near, x * x, fma(size, -0.5, 0.5))
    root = select(near, size, sqrt(t))
    value = _asin_small(root, t)
    return _with_sign(select(near, value, fma(value, -2.0, _HALF_PI[0])), x)


def acos(x: Value) -> Value:
    size = fabs(x)
    near = size < 0.5
    t = select(near, x * x, fma(size, -0.5, 0.5))
    value = _asin_small(select(near, x, sqrt(t)), t)
    twice = value * 2.0
    far = select(x < 0.0, math.pi - twice, twice)
    return select(near, _HALF_PI[0] - value, far)


def atan(x: Value) -> Value:
    size = fabs(x)
    far = size > 1.0
    y = select(far, 1.0 / size, size)
    t = y * y
    p = fma(t, 0.00291972281, -0.016364133)
    p = fma(p, t, 0.0432058573)
    p = fma(p, t, -0.0755172372)
    p = fma(p, t, 0.106657855)
    p = fma(p, t, -0.142110035)
    p = fma(p, t, 0.199937671)
    p = fma(p, t, -0.333331525)
    value = fma(p * t, y, y)
    return _with_sign(select(far, _HALF_PI[0] - value, value), x)


def _log2_double(x: Value) -> Value:
    """Base-2 logarithm of positive normal numbers, absolute error 1e-14."""
    bits = x.bits()
    k = (bits + _UP_TO_ONE) >> 52
    m = (bits - (k << 52) + _ONE).from_bits()
    s = (m - 1.0) / (m + 1.0)
    t = s * s
    p = fma(t, 0.7522653829927611, 0.1651334759143566)
    p = fma(p, t, 0.2646054410534838)
    p = fma(p, t, 0.3205526408508945)
    p = fma(p, t, 0.4121990624871655)
    p = fma(p, t, 0.5770780139841316)
    p = fma(p, t, 0.961796693930392)
    p = fma(p, t, 2.8853900817779254)
    return fma(p, s, (k | _TWO_52).from_bits() - (2.0**52 + 1023.0))


def _exp2_double(y: Value) -> Value:
    """2^y, relative error 1e-10, for |y| <= 1000 and NaN; beyond it stays at its last value."""
    y = _clipped(y, -1000.0, 1000.0)
    turned = y + 1.5 * 2.0**52
    r = y - (turned - 1.5 * 2.0**52)
    p = fma(r, 1.531645957633149e-05, 0.00015469731669300106)
    p = fma(p, r, 0.001333342265473301)
    p = fma(p, r, 0.009618025604112878)
    p = fma(p, r, 0.05550410976097314)
    p = fma(p, r, 0.24022651213584356)
    p = fma(p, r, 0.6931471805350301)
    p = fma(p, r, 0.9999999999595498)
    return (p.bits() + (turned.bits() << 52)).from_bits()


def pow_double(a: Value, b: Value) -> Value:
    usual = (a > 1e-300) & (a < _INFINITY) & (fabs(b) < 1e15)
    y = _exp2_double(_log2_double(select(usual, a, 1.0)) * b)
    return a.code.rarely(~usual, y, "pow", a, b)


def pow_single(a: Value, b: Value) -> Value:
    return pow_double(a.to_double(), b.to_double()).to_single()


def exp_double(x: Value) -> Value:
    return _exp2_double(x * 1.4426950408889634)


def log_double(x: Value) -> Value:
    value = _log2_double(x) * 0.6931471805599453
    value = select(x.equals(_INFINITY), x, select(x.equals(0.0), -_INFINITY, value))
    return select(x >= 0.0, value, math.nan)


def sigmoid_double(x: Value) -> Value:
    return 1.0 / (1.0 + exp_double(-x))


def sign(x: Value) -> Value:
    return select(x > 0.0, 1.0, select(x < 0.0, -1.0, x))


def heaviside(x: Value) -> Value:
    return select(x > 0.0, 1.0, select(x < 0.0, 0.0, x + 0.5))


def fmax(a: Value, b: Value) -> Value:
    return select((a > b) | a.differs(a), a, b)


def fmin(a: Value, b: Value) -> Value:
    return select((a < b) | a.differs(a), a, b)


def _of_library(name: str) -> Callable[[Value], Value]:
    def function(x: Value) -> Value:
        return x.code.by_lanes(name, x)

    return function


_COMMON: dict[str, Any] = {
    "sqrt": sqrt,
    "fabs": fabs,
    "sign": sign,
    "heaviside": heaviside,
    "fmax": fmax,
    "fmin": fmin,
}

SINGLE: dict[str, Any] = {
    **_COMMON,
    "exp": exp,
    "log": log,
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "sinh": sinh,
    "cosh": cosh,
    "tanh": tanh,
    "asin": asin,
    "acos": acos,
    "atan": atan,
    "erf": erf,
    "erfc": erfc,
    "sigmoid": sigmoid,
    "pow": pow_single,
}
"""What the names of the scalar source mean on vectors of single precision."""

DOUBLE: dict[str, Any] = {
    **_COMMON,
    "exp": exp_double,
    "log": log_double,
    "sigmoid": sigmoid_double,
    "pow": pow_double,
    **{
        name: _of_library(name)
        for name in (
            "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan", "erf", "erfc",
        )
    },
}  # fmt: skip
"""The same on vectors of double precision, right to 1e-9: for draws whose density needs more than
single precision on the way to a number of single precision."""
