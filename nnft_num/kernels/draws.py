"""Random draws as pure functions of (seed, network, parameter, position).

The generator is Philox4x32-10: ten rounds of a bijection of 128-bit counters under a 64-bit key.
One call takes the counter

    (neuron // 4,  parameter << 24 | primitive,  network mod 2^32,  network // 2^32)

and gives four words r_0..r_3 for the neurons 4*(neuron // 4) + 0..3: uniforms
u_k = (r_k + 1/2) 2^-32, or normals by Box and Muller, the pair (n_0, n_1) from (u_0, u_1) as
sqrt(-2 ln u_0) (cos 2 pi u_1, sin 2 pi u_1) and (n_2, n_3) from (u_2, u_3) alike.  Nothing depends
on threads, blocks or the width, so that any draw can be repeated alone.  The resolution of 32 bits
ends the normals at sqrt(66 ln 2) = 6.76 standard deviations.
"""

from __future__ import annotations

import math
import operator
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nnft_sym.language.errors import SpecificationError

__all__ = [
    "LANES",
    "Key",
    "fill_normals",
    "fill_uniforms",
    "key_from_rng",
    "normals",
    "philox",
    "uniforms",
]

LANES = 4
"""Number of neurons served by one call of the generator."""

PRIMITIVE_BITS = 24
"""Bits of the second counter word that hold the index of the primitive."""

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_TWO_PI = 2.0 * math.pi
_STEP = 2.0**-32


class Key(NamedTuple):
    """The two 32-bit words that every draw of a run is keyed by."""

    low: int
    high: int


@njit(nogil=True, error_model="numpy")
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Four random words from four counter words and two key words, all uint64 below 2^32.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

    Examples
    --------
    >>> zero = np.uint64(0)
    >>> [hex(word) for word in philox(zero, zero, zero, zero, zero, zero)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    for _ in range(10):
        product_0 = _MULTIPLIER_0 * c0
        product_1 = _MULTIPLIER_1 * c2
        c0 = (product_1 >> _SHIFT) ^ c1 ^ k0
        c1 = product_1 & _LOW
        c2 = (product_0 >> _SHIFT) ^ c3 ^ k1
        c3 = product_0 & _LOW
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@njit(nogil=True, error_model="numpy")
def fill_uniforms(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any, out: Any) -> None:
    """Write the four uniforms on (0, 1) of one counter into ``out[0:4]``."""
    r0, r1, r2, r3 = philox(c0, c1, c2, c3, k0, k1)
    out[0] = (np.float64(r0) + 0.5) * _STEP
    out[1] = (np.float64(r1) + 0.5) * _STEP
    out[2] = (np.float64(r2) + 0.5) * _STEP
    out[3] = (np.float64(r3) + 0.5) * _STEP


@njit(nogil=True, error_model="numpy")
def fill_normals(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any, out: Any) -> None:
    """Write the four standard normals of one counter into ``out[0:4]``."""
    fill_uniforms(c0, c1, c2, c3, k0, k1, out)
    radius = math.sqrt(-2.0 * math.log(out[0]))
    angle = _TWO_PI * out[1]
    out[0] = radius * math.cos(angle)
    out[1] = radius * math.sin(angle)
    radius = math.sqrt(-2.0 * math.log(out[2]))
    angle = _TWO_PI * out[3]
    out[2] = radius * math.cos(angle)
    out[3] = radius * math.sin(angle)


@njit(nogil=True, error_model="numpy")
def _sequence(k0: Any, k1: Any, network: Any, c1: Any, normal: Any, out: Any) -> None:
    for block in range(len(out) // 4):
        c0 = np.uint64(block)
        c2 = network & _LOW
        c3 = network >> _SHIFT
        if normal:
            fill_normals(c0, c1, c2, c3, k0, k1, out[4 * block : 4 * block + 4])
        else:
            fill_uniforms(c0, c1, c2, c3, k0, k1, out[4 * block : 4 * block + 4])


def _draw(
    key: tuple[int, int], network: int, parameter: int, primitive: int, count: int, normal: bool
) -> NDArray[np.float64]:
    limits = {
        "key": all(0 <= word < 2**32 for word in key) and len(key) == 2,
        "network": 0 <= network < 2**64,
        "parameter": 0 <= parameter < 2**8,
        "primitive": 0 <= primitive < 2**PRIMITIVE_BITS,
        "count": 0 <= count <= 2**34,
    }
    wrong = [name for name, right in limits.items() if not right]
    if wrong:
        raise SpecificationError(
            expected="a key of two 32-bit words, network < 2^64, parameter < 2^8, "
            "primitive < 2^24 and count <= 2^34",
            came=f"{wrong[0]} out of range",
            remedy="address an existing draw",
        )
    out = np.empty(-(-count // LANES) * LANES)
    second = np.uint64(parameter << PRIMITIVE_BITS | primitive)
    _sequence(np.uint64(key[0]), np.uint64(key[1]), np.uint64(network), second, normal, out)
    return out[:count]


def uniforms(
    key: tuple[int, int], network: int, parameter: int, primitive: int, count: int
) -> NDArray[np.float64]:
    """Draw uniforms on (0, 1) of one primitive of one parameter for neurons 0..count-1.

    Parameters
    ----------
    key : tuple of two int
        Key of the run, as given by ``key_from_rng``.
    network : int
        Index of the network, below 2^64.
    parameter : int
        Index of the parameter array within the plan (layer l: weight 2l, bias 2l + 1).
    primitive : int
        Index of the primitive within one neuron, below 2^24.
    count : int
        Number of neurons.

    Raises
    ------
    SpecificationError
        If an index is out of its range.

    Examples
    --------
    >>> uniforms((0, 0), 0, 0, 0, 2).round(6).tolist()
    [0.399046, 0.88052]
    """
    return _draw(key, network, parameter, primitive, count, normal=False)


def normals(
    key: tuple[int, int], network: int, parameter: int, primitive: int, count: int
) -> NDArray[np.float64]:
    """Draw standard normals, addressed as in ``uniforms``.

    Examples
    --------
    >>> first = normals((1, 2), 5, 0, 3, 6)
    >>> bool((normals((1, 2), 5, 0, 3, 100)[:6] == first).all())
    True
    """
    return _draw(key, network, parameter, primitive, count, normal=True)


def key_from_rng(rng: object = None) -> Key:
    """Make the key of a run from an ``rng=`` argument.

    Parameters
    ----------
    rng : None, int, numpy.random.SeedSequence or numpy.random.Generator
        None takes fresh entropy; an int or SeedSequence is a seed; a Generator is read once.

    Raises
    ------
    SpecificationError
        For a negative int, a legacy ``RandomState``, the global numpy state or another object.

    Source: SPEC 7 of the Scientific Python project.

    Examples
    --------
    >>> key_from_rng(0) == key_from_rng(np.random.SeedSequence(0))
    True
    """
    if isinstance(rng, np.random.Generator):
        low, high = rng.integers(0, 2**32, size=2, dtype=np.uint32)
        return Key(int(low), int(high))
    if isinstance(rng, np.random.SeedSequence):
        sequence = rng
    else:
        sequence = np.random.SeedSequence(None if rng is None else _seed(rng))
    low, high = sequence.generate_state(2, np.uint32)
    return Key(int(low), int(high))


def _seed(rng: Any) -> int:
    try:
        if isinstance(rng, (bool, np.bool_)):
            raise TypeError
        seed = operator.index(rng)
    except TypeError:
        legacy = isinstance(rng, np.random.RandomState) or rng is np.random
        raise SpecificationError(
            expected="rng= None, a non-negative int, a SeedSequence or a Generator",
            came="the legacy numpy random state" if legacy else f"{type(rng).__name__} {rng!r}",
            remedy="pass rng=numpy.random.default_rng(seed) or an int",
        ) from None
    if seed < 0:
        raise SpecificationError(
            expected="a seed of at least 0", came=str(seed), remedy="pass rng=0, 1, 2, ..."
        )
    return seed
