r"""Radial integrals of isotropic parameters: E[A(|p|) exp(i p·t)] for p in R^d.

The angles integrate to Λ_d(s) = Γ(d/2) (2/s)^{d/2-1} J_{d/2-1}(s), that is cos, J_0 and
sin(s)/s for d = 1, 2, 3, and leave

    I(τ) = ∫ dr ρ(r) A(r) Λ_d(rτ),    τ = |t|.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.special import gammaln, j0, jv

from nnft_sym.densities import Ball, Gaussian, Sphere
from nnft_sym.density import Density
from nnft_sym.expectation.parameter_space.waves import RADIUS
from nnft_sym.language.errors import AccuracyError

__all__ = [
    "RadialDensity",
    "angular_average",
    "angular_numbers",
    "diverges_at_origin",
    "power_at_origin",
    "radial_integrals",
]

_SHARE = 1e-15
_ACCEPTED = 1e-10
_NODES = 20
_PANELS = 4000
_CHUNK = 1 << 21


@dataclass(frozen=True, kw_only=True)
class RadialDensity:
    """Density ρ(r) of the norm of an isotropic event in R^d.

    Parameters
    ----------
    dimension : int
        d.
    weight : sympy.Expr
        ρ(r) in the radial variable; unused for a sphere.
    upper : sympy.Expr
        End of the support, possibly infinite.
    scale : sympy.Expr
        A typical norm.
    is_sphere : bool
        Whether the norm is fixed at ``upper``.

    Examples
    --------
    >>> RadialDensity.of(Ball(2, 3), 2).weight
    2*p/9
    """

    dimension: int
    weight: sp.Expr
    upper: sp.Expr
    scale: sp.Expr
    is_sphere: bool = False

    @property
    def is_point(self) -> bool:
        """Whether the width is zero: all weight sits at the origin."""
        return bool(self.scale == 0)

    @classmethod
    def of(cls, density: Density, symbols: int) -> RadialDensity | None:
        """Norm of a group of ``symbols`` parameters with this density; None if not isotropic."""
        r = RADIUS
        if isinstance(density, Ball):
            d, R = density.d, density.radius
            return cls(dimension=d, weight=d * r ** (d - 1) / R**d, upper=R, scale=R)
        if isinstance(density, Sphere):
            R = density.radius
            return cls(dimension=density.d, weight=sp.Integer(1), upper=R, scale=R, is_sphere=True)
        if isinstance(density, Gaussian) and density.mean == 0:
            d, sigma = symbols, density.std
            normalisation = 2 ** (1 - sp.Rational(d, 2)) / sp.gamma(sp.Rational(d, 2))
            weight = normalisation * r ** (d - 1) / sigma**d * sp.exp(-(r**2) / (2 * sigma**2))
            return cls(dimension=d, weight=weight, upper=sp.oo, scale=sigma * sp.sqrt(d))
        if symbols == 1 and density.dimension == 1 and density.continuous and density.is_even:
            weight = (2 * sp.exp(density.log_density(r))).xreplace({sp.Abs(r): r})
            spread = sp.sqrt(density.moment(2))
            return cls(dimension=1, weight=weight, upper=density.support()[1], scale=spread)
        return None

    def integral(self, amplitude: sp.Expr, distance: sp.Expr) -> sp.Expr:
        """E[A(|p|) exp(i p·t)] as a formula, ``distance`` being |t|."""
        if self.is_sphere:
            at_norm = amplitude.xreplace({RADIUS: self.upper})
            return at_norm * angular_average(self.dimension, self.upper * distance)
        kernel = angular_average(self.dimension, RADIUS * distance)
        outside, inside = (self.weight * amplitude).as_independent(RADIUS, as_Add=False)
        return outside * sp.Integral(sp.powsimp(inside) * kernel, (RADIUS, 0, self.upper))


def angular_average(d: int, s: sp.Expr) -> sp.Expr:
    """Average Λ_d of exp(i s n·e) over unit vectors n in R^d.

    Examples
    --------
    >>> s = sp.Symbol("s", positive=True)
    >>> [angular_average(d, s) for d in (1, 2, 3)]
    [cos(s), besselj(0, s), sinc(s)]
    """
    if d == 1:
        return sp.cos(s)
    if d == 2:
        return sp.besselj(0, s)
    if d == 3:
        return sp.sinc(s)
    return sp.hyper([], [sp.Rational(d, 2)], -(s**2) / 4)


def angular_numbers(d: int, s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Λ_d(s) in numbers, to rounding of its scale 1, for d up to 1000.

    Examples
    --------
    >>> angular_numbers(3, np.array([0.0, np.pi / 2])).round(6).tolist()
    [1.0, 0.63662]
    """
    if d == 1:
        return np.cos(s)
    if d == 2:
        return j0(s)
    if d == 3:
        safe = np.where(s == 0, 1.0, s)
        return np.where(s == 0, 1.0, np.sin(safe) / safe)
    order = d / 2 - 1
    # Far below its order a Bessel function underflows; the power series does not.
    small = s**2 < (d if d <= 200 else 16 * d)
    safe = np.where(small, np.sqrt(32 * d), s)
    power = np.where(small, -(s**2) / 4, 0.0)
    series, term = np.ones_like(power), np.ones_like(power)
    for k in range(1, 24 if d <= 200 else 60):
        term = term * power / (k * (order + k))
        series += term
    prefactor = np.exp(gammaln(d / 2) + order * np.log(2 / safe))
    return np.where(small, series, prefactor * jv(order, safe))


def diverges_at_origin(radial: RadialDensity, amplitude: sp.Expr) -> bool:
    """Whether ∫ dr ρ(r) A(r) diverges at r = 0, for numbers in place of all parameters.

    Examples
    --------
    >>> ball = RadialDensity.of(Ball(2, 1), 2)
    >>> diverges_at_origin(ball, RADIUS**-2), diverges_at_origin(ball, RADIUS**-1)
    (True, False)
    """
    if radial.is_sphere or radial.is_point or not amplitude.has(RADIUS):
        return False
    with mpmath.workdps(60):
        function = sp.lambdify(RADIUS, radial.weight * amplitude, modules="mpmath")
        return power_at_origin(lambda r: abs(function(r)), radial) < -1 + 1e-3


def power_at_origin(function: Callable[[Any], Any], radial: RadialDensity) -> float:
    """Power n of a function ~ r^n, read off far below every scale: at 10^{-140} and 10^{-120}.

    Examples
    --------
    >>> round(power_at_origin(lambda r: r**2 / (1 + r), RadialDensity.of(Ball(1, 1), 1)), 6)
    2.0
    """
    scale = mpmath.mpf(float(radial.scale))
    near, far = scale * mpmath.mpf(10) ** -140, scale * mpmath.mpf(10) ** -120
    try:
        values = function(near), function(far)
    except ZeroDivisionError:
        return -float("inf")
    if values[0] == 0 or values[1] == 0:
        return float("inf")
    return float(mpmath.log(values[1] / values[0]) / mpmath.log(far / near))


def radial_integrals(
    radial: RadialDensity, amplitude: sp.Expr, distances: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """I(τ) at an array of distances, with bounds on the errors.

    Parameters
    ----------
    radial : RadialDensity
        With numbers for parameters.
    amplitude : sympy.Expr
        A(r) with numbers for parameters.
    distances : ndarray
        τ ≥ 0.

    Raises
    ------
    AccuracyError
        If the integrals do not converge to 1e-10 of their scale ∫ ρ|A|.

    Examples
    --------
    >>> values, errors = radial_integrals(
    ...     RadialDensity.of(Ball(3, 1), 3), sp.Integer(1), np.array([0.0, np.pi])
    ... )
    >>> [round(float(value), 6) for value in values]
    [1.0, 0.303964]
    """
    unique, inverse = np.unique(distances, return_inverse=True)
    if radial.is_sphere or radial.is_point:
        norm = float(radial.upper) if radial.is_sphere else 0.0
        factor = _compiled(amplitude)(np.array([norm]))[0]
        value = factor * angular_numbers(radial.dimension, norm * unique)
        error = 8 * np.finfo(np.float64).eps * abs(factor) * (1 + norm * unique)
    else:
        value, error = _quadrature(radial, amplitude, unique)
    if not np.all(np.isfinite(value)):
        raise _inaccurate(amplitude, "a value that is not finite")
    return value[inverse].reshape(distances.shape), error[inverse].reshape(distances.shape)


@lru_cache(maxsize=256)
def _compiled(expression: sp.Expr) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    function = sp.lambdify(RADIUS, expression, modules=["scipy", "numpy"])

    def evaluate(r: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(function(r), dtype=np.float64), r.shape)

    return evaluate


def _inaccurate(amplitude: sp.Expr, came: str) -> AccuracyError:
    return AccuracyError(
        expected=f"a radial integral of {amplitude} to {_ACCEPTED:g} of its scale",
        came=came,
        remedy="check that the moment is finite, or choose other parameters",
    )


def _rule(nodes: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, w = np.polynomial.legendre.leggauss(nodes)
    return (1 + x) / 2, w / 2


def _quadrature(
    radial: RadialDensity, amplitude: sp.Expr, distances: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Composite Gauss-Legendre on panels fine enough for each octave of distances."""
    weight = _compiled(radial.weight * amplitude)
    value, error = np.zeros_like(distances), np.zeros_like(distances)
    scale = float(radial.scale)
    octave = np.where(distances * scale < 8, 0, np.ceil(np.log2(distances * scale / 4 + 1e-300)))
    panels = _domain(weight, radial)
    for level in np.unique(octave):
        members = np.flatnonzero(octave == level)
        sample = distances[members][[0, len(members) // 2, -1]]
        fine = _refined(weight, panels, radial.dimension, sample, amplitude)
        size = np.sum(_panel_sums(weight, fine, radial.dimension, None)[1])
        for start in range(0, len(members), _chunk(fine)):
            chunk = members[start : start + _chunk(fine)]
            value[chunk], error[chunk] = _sums(weight, fine, radial.dimension, distances[chunk])
        if np.any(~(error[members] <= _ACCEPTED * size)):
            raise _inaccurate(amplitude, f"an error of {np.max(error[members]) / size:.1e}")
    return value, error


def _chunk(panels: NDArray[np.float64]) -> int:
    return max(1, _CHUNK // (2 * _NODES * len(panels)))


def _domain(weight: Callable[..., Any], radial: RadialDensity) -> NDArray[np.float64]:
    """Panels over the support; an infinite one is followed by doubling until nothing is left."""
    scale = float(radial.scale)
    if radial.upper.is_finite:
        # The first cut has no symmetry under which errors of singular integrands could cancel.
        end = float(radial.upper)
        return np.array([[0.0, 0.38 * end], [0.38 * end, end]])
    edges, total = [0.0, scale], 0.0
    for _ in range(64):
        panel = np.array([edges[-2:]])
        part = float(np.sum(_panel_sums(weight, panel, radial.dimension, None)[1]))
        total += part
        if not np.isfinite(total) or (len(edges) > 4 and part <= 1e-17 * total):
            break
        edges.append(2 * edges[-1])
    else:
        total = np.inf
    if not np.isfinite(total):
        raise _inaccurate(radial.weight, "a tail that does not decay")
    return np.column_stack([edges[:-1], edges[1:]])


def _refined(
    weight: Callable[..., Any],
    panels: NDArray[np.float64],
    d: int,
    sample: NDArray[np.float64],
    amplitude: sp.Expr,
) -> NDArray[np.float64]:
    """Bisect panels until the rule and its two halves agree at sample distances."""
    done: list[NDArray[np.float64]] = []
    pending = panels
    finished, size = 0, 0.0
    while len(pending):
        whole, whole_sizes = _panel_sums(weight, pending, d, sample)
        halves = _halves(pending)
        parts, part_sizes = _panel_sums(weight, halves, d, sample)
        difference = np.max(np.abs(whole - parts[0::2] - parts[1::2]), axis=1)
        part_sizes = part_sizes[0::2] + part_sizes[1::2]
        total = size + np.sum(part_sizes[np.isfinite(part_sizes)])
        share = np.maximum(_SHARE * total, 1e-14 * part_sizes)
        # ∫|ρA| has to settle too, though not as precisely: it has corners.
        settled = np.abs(whole_sizes - part_sizes) <= 0.01 * part_sizes + 1e-14 * total
        good = (difference <= share) & settled
        done.append(pending[good])
        size += float(np.sum(part_sizes[good]))
        finished += int(np.sum(good))
        pending = _halves(pending[~good])
        narrow = np.any(np.diff(pending, axis=1)[:, 0] <= 1e-13 * np.abs(pending[:, 1]))
        if finished + len(pending) > _PANELS or narrow:
            raise _inaccurate(amplitude, "an integrand that no refinement resolves")
    return np.concatenate(done)


def _halves(panels: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = panels.mean(axis=1)
    left = np.column_stack([panels[:, 0], middle])
    right = np.column_stack([middle, panels[:, 1]])
    return np.stack([left, right], axis=1).reshape(-1, 2)


def _panel_sums(
    weight: Callable[..., Any],
    panels: NDArray[np.float64],
    d: int,
    distances: NDArray[np.float64] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Integrals over each panel (rows) at each distance, and of the absolute weight.

    Without distances: of the absolute weight times r, and of the absolute weight.
    """
    x, w = _rule(_NODES)
    width = np.diff(panels, axis=1)
    r = panels[:, :1] + width * x
    f = weight(r) * w * width
    absolute = np.sum(np.abs(f), axis=1)
    if distances is None:
        return np.sum(np.abs(f) * r, axis=1), absolute
    kernel = angular_numbers(d, r[:, :, None] * distances)
    with np.errstate(all="ignore"):
        return np.einsum("pr,prt->pt", f, kernel), absolute


def _sums(
    weight: Callable[..., Any], panels: NDArray[np.float64], d: int, distances: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Integrals at each distance on halved panels, with errors by comparison with whole ones."""
    whole, _ = _panel_sums(weight, panels, d, distances)
    parts, sizes = _panel_sums(weight, _halves(panels), d, distances)
    lever, _ = _panel_sums(weight, panels, d, None)
    truncation = np.abs(whole - parts[0::2] - parts[1::2]).sum(axis=0)
    rounding = 8 * np.finfo(np.float64).eps * (np.sum(sizes) + distances * np.sum(lever))
    # Halves may agree by chance: no panel is trusted beyond what was asked of it.
    chance = len(panels) * _SHARE * np.sum(sizes)
    return parts.sum(axis=0), truncation + rounding + chance
