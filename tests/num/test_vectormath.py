"""Every function of the language on vectors, over the whole range of single precision."""

from __future__ import annotations

import ctypes

import mpmath as mp
import numpy as np
import pytest
from scipy import special

from nnft_num.kernels.halfturns import HALF_TURNS
from nnft_num.machine.compiled import machine_function
from nnft_num.machine.functions import DOUBLE, SINGLE
from nnft_num.machine.simd import LANES, Code, f32, f64, i64
from nnft_sym.language import FUNCTIONS

WANTED = {record.scalar for record in FUNCTIONS.values()} - {"where"} | {"pow"}
BOUNDED = {"erf", "erfc", "tanh", "sigmoid", "sin", "cos", "asin", "acos", "atan"}
EXACT = {"fabs", "sign", "heaviside", "fmax", "fmin"}
ARITY = {"pow": 2, "fmax": 2, "fmin": 2}
NUMPY = {
    "erf": special.erf, "erfc": special.erfc, "sigmoid": special.expit, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "pow": np.power, "fmax": np.maximum,
    "fmin": np.minimum, "heaviside": lambda x: np.heaviside(x, 0.5),
}  # fmt: skip
SMALLEST = 2.0**-126
EXTREMES = np.array(
    [0.0, -0.0, np.inf, -np.inf, np.nan, 3.4e38, -3.4e38, 1e-45, -1e-45, SMALLEST, 1.0, -1.0, 0.5,
     -0.5, 88.72, 88.73, -87.33, -103.97, -104.0, 89.41, 3.9, 3.9000001, 1e4, 1e7, 1e10, 30000.0,
     30001.0, 4e5, 4.2e5, 88.715, -88.03, -88.02, 8.4, 3.875, 1e30, 1.5707964,
     3.1415927, 11.0, 10.05],
    dtype=np.float32,
)  # fmt: skip


def compiled(name: str, table: dict, kind=f32):
    pointer = ctypes.c_void_p
    code = Code("apply", {"n": i64, "x": kind.as_pointer(), "a": kind.as_pointer(),
                          "y": kind.as_pointer()})  # fmt: skip
    given = code.arguments
    with code.loop(0, given["n"], LANES) as i:
        operands = [code.load(given[array], i) for array in ("x", "a")][: ARITY.get(name, 1)]
        code.store(given["y"], i, table[name](*operands))
    function = machine_function(code.finish(), "apply", [ctypes.c_int64, pointer, pointer, pointer])

    def apply(x: np.ndarray, a: np.ndarray) -> np.ndarray:
        y = np.empty_like(x)
        function(len(x), x.ctypes.data, a.ctypes.data, y.ctypes.data)
        return y

    return apply


def arguments() -> np.ndarray:
    """Random bits (every size, sign, NaN), the usual sizes, the extremes: 2.6 million."""
    rng = np.random.default_rng(0)
    parts = [rng.integers(0, 2**32, 2**20, dtype=np.uint32).view(np.float32)]
    parts += [rng.uniform(-end, end, 2**18).astype(np.float32) for end in (1.1, 12.0, 110.0, 5e5)]
    parts.append(np.exp(rng.uniform(-100, 88, 2**19)).astype(np.float32))
    parts.append(EXTREMES)
    x = np.concatenate(parts)
    # comparing or converting a signalling NaN would warn
    x[np.isnan(x)] = np.nan
    return np.ascontiguousarray(np.resize(x, -(-len(x) // LANES) * LANES))


X = arguments()
EXPONENTS = np.random.default_rng(1).uniform(-3, 3, len(X)).astype(np.float32)


def exact(name: str, x: np.ndarray, a: np.ndarray) -> np.ndarray:
    function = NUMPY.get(name) or getattr(np, name)
    with np.errstate(all="ignore"):
        operands = [np.float64(x), np.float64(a)][: ARITY.get(name, 1)]
        return function(*operands)


def test_no_function_of_the_language_is_missing():
    assert set(SINGLE) == set(DOUBLE) == WANTED


@pytest.mark.parametrize("name", sorted(WANTED))
def test_single_precision(name):
    a = np.where(X > 0, np.float32(2), np.float32(-3)) if name in ("fmax", "fmin") else EXPONENTS
    if name == "pow":
        a = np.where(np.arange(len(X)) % 5 == 0, np.round(EXPONENTS), EXPONENTS)
    got, want = compiled(name, SINGLE)(X, a), exact(name, X, a)
    with np.errstate(all="ignore"):
        rounded = want.astype(np.float32)
    assert np.array_equal(np.isnan(got), np.isnan(rounded))
    # at the border of overflow one rounding decides
    border = np.abs(want) > 3.4028e38
    infinite = np.isinf(rounded) & ~border | np.isinf(want)
    assert np.array_equal(got[infinite], rounded[infinite])
    finite = np.isfinite(want) & ~border
    difference = np.abs(got[finite] - want[finite])
    if name in EXACT:
        assert not difference.any()
    elif name in BOUNDED:
        assert difference.max() <= 4e-7
    else:
        exact_size = np.abs(want[finite])
        # what is below the smallest normal number may be zero
        allowed = np.where(exact_size < 1.000001 * SMALLEST, SMALLEST, 4e-7 * exact_size)
        assert (difference <= allowed).all()


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_half_turns(name):
    """sin(pi x) and cos(pi x); from 2^17 on the angle is rounded, but the value stays bounded."""
    got = compiled(name, HALF_TURNS)(X, X)
    near = np.abs(X) < 2.0**17
    want = getattr(np, name)(np.pi * np.remainder(X[near].astype(np.float64), 2.0))
    assert np.abs(got[near] - want).max() <= 4e-7
    far = np.isfinite(X) & (np.abs(X) < 1e38)
    assert (np.abs(got[far]) <= 1.0 + 4e-7).all()
    assert np.isnan(got[~np.isfinite(X)]).all()


@pytest.mark.parametrize("name", ["exp", "log", "sigmoid", "pow"])
def test_double_precision(name):
    x = X[: 2**20].astype(np.float64)
    x[::2] = 1 - np.random.default_rng(3).uniform(-1, 1, len(x[::2])) ** 9
    a = np.random.default_rng(1).uniform(-3, 3, len(x))
    if name in ("log", "pow"):
        x = np.abs(x)
    else:
        x[np.abs(x) > 600] = 1.0
    got, want = compiled(name, DOUBLE, f64)(x, a), exact(name, x, a)
    fine = np.isfinite(want) & (np.abs(want) > 1e-290) & (np.abs(want) < 1e290)
    error = np.abs(got[fine] - want[fine]) / (np.abs(want[fine]) + (1e-5 if name == "log" else 0))
    assert error.max() < 1e-9
    assert np.array_equal(np.isnan(got), np.isnan(want))


MPMATH = {
    "exp": mp.exp, "log": mp.log, "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "tanh": mp.tanh,
    "sinh": mp.sinh, "cosh": mp.cosh, "erf": mp.erf, "erfc": mp.erfc, "atan": mp.atan,
    "asin": mp.asin, "acos": mp.acos, "sqrt": mp.sqrt, "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(MPMATH))
def test_against_exact_values(name):
    rng = np.random.default_rng(2)
    usual = np.float32(rng.normal(size=150) * 3)
    x = np.concatenate(
        [EXTREMES[np.isfinite(EXTREMES)], usual, np.float32(rng.uniform(-1, 1, 100))]
    )
    if name in ("log", "sqrt"):
        x = np.abs(x[x != 0])
    if name in ("asin", "acos"):
        x = x[np.abs(x) <= 1]
    if name in ("exp", "sinh", "cosh"):
        x = x[np.abs(x) < 88]
    x = np.ascontiguousarray(np.resize(x, -(-len(x) // LANES) * LANES))
    got = compiled(name, SINGLE)(x, x)
    with mp.workdps(60):
        for value, y in zip(x, got, strict=True):
            want = MPMATH[name](mp.mpf(float(value)))
            allowed = 4e-7 * (1 if name in BOUNDED else abs(want))
            if name not in BOUNDED and abs(want) < SMALLEST:
                allowed = SMALLEST
            assert abs(mp.mpf(float(y)) - want) <= allowed, (name, value)
