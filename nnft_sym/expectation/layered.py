"""Kernels and tangent kernels of deep erf and rectifier networks over very many points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_sym.activations import Activation
from nnft_sym.expectation.evaluators.error_functions import scaled_erf
from nnft_sym.expectation.evaluators.homogeneous import read_sides
from nnft_sym.language.errors import NotDerivedError, SpecificationError

__all__ = ["LayeredKernels", "is_layered", "layered_kernels"]

Floats = NDArray[np.float64]

_EPS = float(np.finfo(float).eps)
# Rows that pass through all layers together: their five buffers stay in the cache.
_ROWS = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class LayeredKernels:
    """Infinite-width kernel and tangent kernel after all layers.

    Parameters
    ----------
    kernel, tangent : ndarray, shape (n, n)
        K⁽ᴸ⁺¹⁾ and Θ⁽ᴸ⁺¹⁾; Θ is None where it was not asked for.
    kernel_error, tangent_error : float
        Bounds of the errors from rounding, K's own included, relative to sqrt(Θ_aa Θ_bb). For
        rectifiers that of Θ is the square root of rounding, which points of almost equal
        direction reach.
    """

    kernel: Floats
    tangent: Floats | None
    kernel_error: float
    tangent_error: float


def layered_kernels(
    activation: Activation,
    first: ArrayLike,
    weight_variances: Sequence[float],
    bias_variances: Sequence[float],
    *,
    tangent: bool = True,
    overwrite: bool = False,
    executor: Executor | None = None,
) -> LayeredKernels:
    r"""Iterate the kernels of a deep network, all layers of a few rows at a time.

    .. math:: K^{(l+1)} = C_b + C_W E[\phi\phi]_{K^{(l)}}, \qquad
              \Theta^{(l+1)} = K^{(l+1)} + C_W \Theta^{(l)} E[\phi'\phi']_{K^{(l)}},
              \qquad \Theta^{(1)} = K^{(1)}

    The diagonal obeys a recursion of its own, so that blocks of rows are independent of each
    other; only the upper triangle is computed.

    Parameters
    ----------
    activation : Activation
        α + γ erf(c z), or a function that is linear on both sides of zero (ReLU, leaky ReLU, abs).
    first : array_like, shape (n, n)
        K⁽¹⁾: covariance of the first preactivations.
    weight_variances, bias_variances : sequence of float
        C_W and C_b of every layer after the first, the readout included.
    tangent : bool
        Whether Θ is computed too.
    overwrite : bool
        Whether K⁽¹⁾ may be replaced by the result, which saves the memory of a matrix.
    executor : Executor, optional
        Threads that share the blocks; one after the other if None.

    Raises
    ------
    NotDerivedError
        For other activations.
    SpecificationError
        If the shapes do not fit.

    Notes
    -----
    Source: [J18] for Θ, [W96] and [CS09] for the two families.

    Examples
    --------
    >>> from nnft_sym.activations import ReLU
    >>> deep = layered_kernels(ReLU(), [[1.0, 0.0], [0.0, 1.0]], [2.0], [0.0])
    >>> deep.kernel.round(6).tolist(), deep.tangent.round(6).tolist()
    ([[1.0, 0.31831], [0.31831, 1.0]], [[2.0, 0.31831], [0.31831, 2.0]])
    """
    family = _family(activation)
    kernel = np.asarray(first, dtype=float) if overwrite else np.array(first, dtype=float)
    layers = list(zip(weight_variances, bias_variances, strict=True))
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or not layers:
        raise SpecificationError(
            expected="a square covariance and one layer at least",
            came=f"an array of shape {kernel.shape}, {len(layers)} layers",
            remedy="pass K of the first layer, and C_W, C_b of the layers after it",
        )
    slopes = kernel.copy() if tangent else None
    path = _Diagonals(family, np.diag(kernel).copy(), layers)

    def run(start: int) -> None:
        _run_block(family, path, kernel, slopes, slice(start, min(start + _ROWS, len(kernel))))

    for _ in (map if executor is None else executor.map)(run, range(0, len(kernel), _ROWS)):
        pass
    for matrix in (kernel, slopes):
        if matrix is not None:
            _mirror(matrix)
    rounding = 16 * _EPS * (len(layers) + 1)
    return LayeredKernels(
        kernel=kernel,
        tangent=slopes,
        kernel_error=rounding,
        tangent_error=len(layers) * family.slope_error(rounding * path.gain, path.largest),
    )


class _Family(ABC):
    """Two-point functions through q = K_ab f_a f_b, sin and asin, written into given buffers."""

    @abstractmethod
    def factors(self, d: Floats) -> Floats:
        """Return f with q = K_ab f_a f_b, from the diagonal d."""

    @abstractmethod
    def diagonal(self, d: Floats) -> tuple[Floats, Floats]:
        """E φ² and E φ'²."""

    @abstractmethod
    def slopes(self, asin: Floats, sin: Floats, d: Floats, a: slice, out: Floats) -> None:
        """E φ'φ' for rows a and the columns from the first of them on."""

    @abstractmethod
    def products(self, q: Floats, asin: Floats, sin: Floats, d: Floats, a: slice) -> Floats:
        """E φφ, in place of asin."""

    @abstractmethod
    def slope_error(self, error: float, variance: float) -> float:
        """Relative error of E φ'φ' for this error of q, with variances up to the given one."""


@dataclass(frozen=True)
class _ErrorFunctions(_Family):
    """φ = offset + amplitude erf(c z): E φφ = offset² + amplitude² (2/π) asin q."""

    offset: float
    amplitude: float
    slope: float

    def factors(self, d: Floats) -> Floats:
        return np.asarray(np.sqrt(2) * self.slope / np.sqrt(1 + 2 * self.slope**2 * d))

    def diagonal(self, d: Floats) -> tuple[Floats, Floats]:
        c2 = self.slope**2
        square = self.offset**2 + self._weight * np.arcsin(2 * c2 * d / (1 + 2 * c2 * d))
        return square, self._weight * 2 * c2 / np.sqrt(1 + 4 * c2 * d)

    @property
    def _weight(self) -> float:
        return 2 / np.pi * self.amplitude**2

    def slopes(self, asin: Floats, sin: Floats, d: Floats, a: slice, out: Floats) -> None:
        f = self.factors(d)
        np.divide((self._weight * f[a])[:, None], sin, out=out)
        out *= f[a.start :]

    def products(self, q: Floats, asin: Floats, sin: Floats, d: Floats, a: slice) -> Floats:
        asin *= self._weight
        if self.offset:
            asin += self.offset**2
        return asin

    def slope_error(self, error: float, variance: float) -> float:
        # |d log (1 - q²)^(-1/2)| <= |dq| / (1 - q²)
        return error * (1 + 2 * self.slope**2 * variance)


@dataclass(frozen=True)
class _Rectifiers(_Family):
    """φ = even |z| + odd z: E φφ = sqrt(K_aa K_bb) (even² (2/π) (sin + q asin q) + odd² q)."""

    even: float
    odd: float

    def factors(self, d: Floats) -> Floats:
        # A few roundings too large, so that q of collinear points is clipped to exactly ±1.
        return np.divide(1.0 + 4 * _EPS, np.sqrt(d), out=np.zeros_like(d), where=d > 0)

    def diagonal(self, d: Floats) -> tuple[Floats, Floats]:
        square = self.even**2 + self.odd**2
        return square * d, np.full_like(d, square)

    def slopes(self, asin: Floats, sin: Floats, d: Floats, a: slice, out: Floats) -> None:
        np.multiply(asin, 2 / np.pi * self.even**2, out=out)
        out += self.odd**2

    def products(self, q: Floats, asin: Floats, sin: Floats, d: Floats, a: slice) -> Floats:
        asin *= q
        asin += sin
        asin *= 2 / np.pi * self.even**2
        q *= self.odd**2
        asin += q
        lengths = np.sqrt(d)
        asin *= lengths[a, None]
        asin *= lengths[a.start :]
        return asin

    def slope_error(self, error: float, variance: float) -> float:
        # asin changes by at most the angle whose cosine is 1 - error.
        return 2 * float(np.sqrt(2 * error))


def is_layered(activation: Activation) -> bool:
    """Whether the recursion knows an activation.

    Examples
    --------
    >>> is_layered(Activation.of("erf(z)")), is_layered(Activation.of("tanh(z)"))
    (True, False)
    """
    try:
        _family(activation)
    except NotDerivedError:
        return False
    return True


@lru_cache(maxsize=64)
def _family(activation: Activation) -> _Family:
    parsed = scaled_erf(activation.expression)
    if parsed is not None:
        offset, amplitude, slope = parsed
        return _ErrorFunctions(offset, amplitude, slope)
    sides = read_sides(activation.expression)
    if sides is None or sides.degree != 1:
        raise NotDerivedError(
            expected="an error function, or a function linear on both sides of zero",
            came=f"{activation!r}",
            remedy="use nn.kernel, which takes any activation",
        )
    return _Rectifiers(sides.even, sides.odd)


class _Diagonals:
    """K_aa and Θ_aa of every layer, with what they tell about the growth of errors."""

    def __init__(self, family: _Family, d: Floats, layers: Sequence[tuple[float, float]]) -> None:
        self.layers = layers
        self.kernel, self.tangent = [d], [d]
        for weight, bias in layers:
            square, slope = family.diagonal(self.kernel[-1])
            self.kernel.append(bias + weight * square)
            self.tangent.append(self.kernel[-1] + weight * slope * self.tangent[-1])
        self.largest = float(np.max(self.kernel))
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.divide(self.tangent, self.kernel)
        # Errors of K grow from layer to layer by the factors that make up Θ.
        self.gain = float(np.max(ratio[np.isfinite(ratio)], initial=1.0))


def _run_block(
    family: _Family, path: _Diagonals, kernel: Floats, tangent: Floats | None, rows: slice
) -> None:
    """All layers for some rows and the columns from the first of them on."""
    K = kernel[rows, rows.start :].copy()
    theta = None if tangent is None else tangent[rows, rows.start :].copy()
    q, asin, sin = (np.empty_like(K) for _ in range(3))
    own = np.arange(len(K))
    for layer, (weight, bias) in enumerate(path.layers):
        d = path.kernel[layer]
        f = family.factors(d)
        np.multiply(K, f[rows, None], out=q)
        q *= f[rows.start :]
        np.clip(q, -1.0, 1.0, out=q)
        np.arcsin(q, out=asin)
        np.multiply(q, q, out=sin)
        np.subtract(1.0, sin, out=sin)
        np.sqrt(sin, out=sin)
        if theta is not None:
            # K itself is not needed any more: its buffer takes E φ'φ'.
            family.slopes(asin, sin, d, rows, out=K)
            K *= weight
            theta *= K
        np.multiply(family.products(q, asin, sin, d, rows), weight, out=K)
        K += bias
        K[own, own] = path.kernel[layer + 1][rows]
        if theta is not None:
            theta += K
            theta[own, own] = path.tangent[layer + 1][rows]
    kernel[rows, rows.start :] = K
    if tangent is not None and theta is not None:
        tangent[rows, rows.start :] = theta


def _mirror(matrix: Floats) -> None:
    """Copy the upper triangle to the lower one, block by block."""
    for start in range(0, len(matrix), 128):
        rows = slice(start, start + 128)
        block = matrix[rows, rows]
        matrix[rows, rows] = np.triu(block) + np.triu(block, 1).T
        matrix[start + 128 :, rows] = matrix[rows, start + 128 :].T
