"""Draws and layer covariances of sixteen networks side by side.

A vector of 64 numbers holds four neurons of each of sixteen networks: entry 16 s + l is slot s of
network l, and slots 0, 1, 2, 3 hold neurons 0, 2, 1, 3 of the block, which is how Box and Muller
pair the four words of one call of the generator.  Draws are those of ``nnft_num.kernels.draws`` at
the same address.  Covariances are kept as unique entries a >= b at position a (a + 1)/2 + b,
lanes last.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

__all__ = [
    "EPSILON",
    "NETWORKS",
    "VECTOR",
    "add_all_biases",
    "add_gram",
    "apply_factor",
    "draw",
    "draw_samples",
    "factorise",
    "pivoted",
    "write_fields",
    "write_metric",
]

NETWORKS = 16
"""Networks side by side."""

VECTOR = 4 * NETWORKS
"""Four neurons of each network."""

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)
_STEP = 2.0**-32
_TWO_PI = 2.0 * math.pi
EPSILON = 2.0**-52
"""Relative rounding of double precision."""


@njit(nogil=True, error_model="numpy")
def _words(k0: Any, k1: Any, block: Any, word: Any, first: Any, words: Any) -> None:
    for lane in range(NETWORKS):
        network = first + np.uint64(lane)
        c0 = block
        c1 = word
        c2 = network & _LOW
        c3 = network >> _SHIFT
        q0 = k0
        q1 = k1
        for _ in range(10):
            # what stands above 32 bits is never multiplied and falls off at the end
            product_0 = _MULTIPLIER_0 * (c0 & _LOW)
            product_1 = _MULTIPLIER_1 * (c2 & _LOW)
            c0 = (product_1 >> _SHIFT) ^ c1 ^ q0
            c2 = (product_0 >> _SHIFT) ^ c3 ^ q1
            c1 = product_1
            c3 = product_0
            q0 = q0 + _WEYL_0
            q1 = q1 + _WEYL_1
        words[0, lane] = c0 & _LOW
        words[1, lane] = c2 & _LOW
        words[2, lane] = c1 & _LOW
        words[3, lane] = c3 & _LOW


@njit(nogil=True, error_model="numpy")
def draw(
    k0: Any, k1: Any, block: Any, word: Any, first: Any, normal: Any, words: Any, out: Any
) -> None:
    """Draw primitives ``word``, ``word + 1``, ... of a block of neurons for sixteen networks.

    Parameters
    ----------
    k0, k1 : uint64
        Key of the run.
    block : uint64
        Index of the block of four neurons.
    word : uint64
        Second counter word of the first primitive.
    first : uint64
        Index of the first network.
    normal : ndarray of bool, shape (P,)
        Whether each primitive is a standard normal; else it is uniform on (0, 1).
    words : ndarray of uint64, shape (4, 16)
        Room for the words.
    out : ndarray, shape (P, 64)
        Filled in place.
    """
    half = 2 * NETWORKS
    for p in range(len(normal)):
        _words(k0, k1, block, word + np.uint64(p), first, words)
        if normal[p]:
            for pair in range(2):
                for lane in range(NETWORKS):
                    v = pair * NETWORKS + lane
                    u = (np.float64(words[pair, lane]) + 0.5) * _STEP
                    angle = _TWO_PI * ((np.float64(words[2 + pair, lane]) + 0.5) * _STEP)
                    radius = math.sqrt(-2.0 * math.log(u))
                    out[p, v] = radius * math.cos(angle)
                    out[p, half + v] = radius * math.sin(angle)
        else:
            for quarter in range(4):
                for lane in range(NETWORKS):
                    u = (np.float64(words[quarter, lane]) + 0.5) * _STEP
                    out[p, quarter * NETWORKS + lane] = u


@njit(nogil=True, error_model="numpy")
def draw_samples(k0: Any, k1: Any, word: Any, start: Any, normal: Any, out: Any) -> None:
    """Draw primitives of samples start, start + 1, ..., shape (P, samples).

    Four samples share one network index: sample 4 q + k is neuron k of network q.
    """
    words = np.empty((4, NETWORKS), dtype=np.uint64)
    room = np.empty((len(normal), VECTOR))
    network = start // np.uint64(4)
    first = -np.int64(start % np.uint64(4))
    while first < out.shape[1]:
        draw(k0, k1, np.uint64(0), word, network, normal, words, room)
        for p in range(len(normal)):
            for slot in range(4):
                neuron = 2 * (slot % 2) + slot // 2
                for lane in range(NETWORKS):
                    column = first + 4 * lane + neuron
                    if 0 <= column < out.shape[1]:
                        out[p, column] = room[p, slot * NETWORKS + lane]
        network += np.uint64(NETWORKS)
        first += VECTOR


@njit(nogil=True, error_model="numpy")
def add_gram(H: Any, neurons: Any, S: Any) -> None:
    """Add sum_i φ_ia φ_ib over the first ``neurons`` (of four) to S, shape (n(n+1)/2, 16)."""
    if neurons < 4:
        for slot in range(4):
            neuron = 2 * (slot % 2) + slot // 2
            if neuron >= neurons:
                for a in range(len(H)):
                    for lane in range(NETWORKS):
                        H[a, slot * NETWORKS + lane] = 0.0
    entry = 0
    for a in range(len(H)):
        for b in range(a + 1):
            for lane in range(NETWORKS):
                S[entry, lane] += (
                    H[a, lane] * H[b, lane]
                    + H[a, 16 + lane] * H[b, 16 + lane]
                    + H[a, 32 + lane] * H[b, 32 + lane]
                    + H[a, 48 + lane] * H[b, 48 + lane]
                )
            entry += 1


@njit(nogil=True, error_model="numpy")
def pivoted(G: Any, epsilon: Any = EPSILON) -> Any:
    """Factorise a covariance of any rank: L Lᵀ = G to rounding, by Cholesky with pivoting.

    It ends where the largest variance left is 2 n epsilon of the largest one.  Columns beyond the
    numerical rank are zero, so that points that coincide or depend on each other linearly get
    fields that do.

    Source: N. J. Higham, Accuracy and Stability of Numerical Algorithms (2002), section 10.3.

    Examples
    --------
    >>> pivoted(np.ones((2, 2))).tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    n = len(G)
    rest = np.empty(n)
    largest = 0.0
    for i in range(n):
        rest[i] = G[i, i]
        largest = max(largest, rest[i])
    L = np.zeros((n, n))
    done = np.zeros(n, dtype=np.bool_)
    least = 2 * n * epsilon * largest
    for k in range(n):
        pivot = -1
        for i in range(n):
            if not done[i] and (pivot < 0 or rest[i] > rest[pivot]):
                pivot = i
        # a NaN is passed on, not taken for a rank
        if rest[pivot] <= least:
            break
        done[pivot] = True
        root = math.sqrt(rest[pivot])
        L[pivot, k] = root
        for i in range(n):
            if not done[i]:
                value = G[i, pivot]
                for j in range(k):
                    value -= L[i, j] * L[pivot, j]
                value /= root
                L[i, k] = value
                rest[i] -= value * value
    return L


@njit(nogil=True, error_model="numpy")
def factorise(S: Any, scale: Any, shift: Any, epsilon: Any, L: Any) -> None:
    """Factorise G = shift + scale S of each network: L Lᵀ = G, L lower triangular, stored as S is.

    Without pivoting for all lanes at once; a network with a pivot below the root of the relative
    rounding ``epsilon`` of S is done again, with it.
    """
    least = math.sqrt(epsilon)
    n = int((math.sqrt(8.0 * len(S) + 1.0) - 1.0) / 2.0 + 0.5)
    bad = np.zeros(NETWORKS, dtype=np.bool_)
    root = np.empty(NETWORKS)
    for j in range(n):
        row = j * (j + 1) // 2
        for i in range(j, n):
            entry = i * (i + 1) // 2
            for lane in range(NETWORKS):
                L[entry + j, lane] = shift + scale * S[entry + j, lane]
            for k in range(j):
                for lane in range(NETWORKS):
                    L[entry + j, lane] -= L[entry + k, lane] * L[row + k, lane]
            if i == j:
                for lane in range(NETWORKS):
                    pivot = L[entry + j, lane]
                    good = pivot > least * (shift + scale * S[entry + j, lane])
                    bad[lane] = bad[lane] or not good
                    root[lane] = 1.0 / math.sqrt(pivot if good else 1.0)
            for lane in range(NETWORKS):
                L[entry + j, lane] *= root[lane]
    for lane in range(NETWORKS):
        if bad[lane]:
            _factorise_lane(S, scale, shift, epsilon, n, lane, L)


@njit(nogil=True, error_model="numpy")
def _factorise_lane(
    S: Any, scale: Any, shift: Any, epsilon: Any, n: int, lane: int, L: Any
) -> None:
    dense = np.empty((n, n))
    for i in range(n):
        for j in range(i + 1):
            dense[i, j] = shift + scale * S[i * (i + 1) // 2 + j, lane]
            dense[j, i] = dense[i, j]
    factor = pivoted(dense, epsilon)
    # rotations of columns leave the product L Lᵀ and make L lower triangular
    for i in range(n):
        for j in range(i + 1, n):
            a, b = factor[i, i], factor[i, j]
            if b != 0.0:
                size = math.hypot(a, b)
                c, s = a / size, b / size
                for k in range(i, n):
                    u, v = factor[k, i], factor[k, j]
                    factor[k, i] = c * u + s * v
                    factor[k, j] = c * v - s * u
        for j in range(i + 1):
            L[i * (i + 1) // 2 + j, lane] = factor[i, j]


@njit(nogil=True, error_model="numpy")
def apply_factor(L: Any, G: Any, H: Any) -> None:
    """Write the fields z = L g of four neurons of each network, from normals G, into H."""
    for a in range(len(H)):
        for v in range(VECTOR):
            H[a, v] = 0.0
        for p in range(a + 1):
            for slot in range(4):
                for lane in range(NETWORKS):
                    v = slot * NETWORKS + lane
                    H[a, v] += L[a * (a + 1) // 2 + p, lane] * G[p, v]


@njit(nogil=True, error_model="numpy")
def write_metric(S: Any, width: Any, out: Any) -> None:
    """Write S_ab / width of each network, shape (networks, n(n+1)/2)."""
    for lane in range(len(out)):
        for entry in range(len(S)):
            out[lane, entry] = S[entry, lane] / width


@njit(nogil=True, error_model="numpy")
def write_fields(
    k0: Any,
    k1: Any,
    word: Any,
    bias_word: Any,
    first: Any,
    L: Any,
    readout: Any,
    normal: Any,
    words: Any,
    G: Any,
    H: Any,
    out: Any,
) -> None:
    """Write fields s_j L g_j + c_j of each network, field index = point * D + output.

    Row j of ``readout`` holds s_j, the offset and slope of the bias c_j, and whether its primitive
    is normal.
    """
    outputs = len(readout)
    for block in range((outputs + 3) // 4):
        draw(k0, k1, np.uint64(block), word, first, normal, words, G)
        apply_factor(L, G, H)
        for slot in range(4):
            j = 4 * block + 2 * (slot % 2) + slot // 2
            if j < outputs:
                for lane in range(len(out)):
                    for a in range(len(H)):
                        z = H[a, slot * NETWORKS + lane]
                        out[lane, a * outputs + j] = readout[j, 0] * z + readout[j, 1]
    add_biases(k0, k1, bias_word, first, readout, words, G, out)


@njit(nogil=True, error_model="numpy")
def add_biases(
    k0: Any, k1: Any, word: Any, first: Any, readout: Any, words: Any, G: Any, out: Any
) -> None:
    """Add the random part of the output biases of at most sixteen networks."""
    outputs = len(readout)
    kind = np.empty(1, dtype=np.bool_)
    for j in range(outputs):
        if readout[j, 2] != 0.0:
            kind[0] = readout[j, 3] != 0.0
            draw(k0, k1, np.uint64(0), word + np.uint64(j), first, kind, words, G)
            for lane in range(len(out)):
                for field in range(j, out.shape[1], outputs):
                    out[lane, field] += readout[j, 2] * G[0, lane]


@njit(nogil=True, error_model="numpy")
def add_all_biases(k0: Any, k1: Any, word: Any, start: Any, readout: Any, out: Any) -> None:
    """Add the random part of the output biases of networks start, start + 1, ..."""
    words = np.empty((4, NETWORKS), dtype=np.uint64)
    G = np.empty((1, VECTOR))
    for row in range(0, len(out), NETWORKS):
        part = out[row : min(row + NETWORKS, len(out))]
        add_biases(k0, k1, word, start + np.uint64(row), readout, words, G, part)
