"""How far out a Gaussian moment has its mass, and whether it is finite at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnft_sym.language.errors import AccuracyError, InfiniteMomentError

__all__ = ["PointFunction", "Reach", "find_reach"]

Floats = NDArray[np.float64]
PointFunction = Callable[[Floats, NDArray[np.intp]], Floats]

# The integrand is followed until it is e^-64 = 2e-28 of its size at the centre.
_DROP = 64.0
# log |phi| beyond which an infinite value is growth of phi, not an overflow inside its formula.
_GROWN = 350.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Reach:
    """The ball that holds a set of moments.

    Parameters
    ----------
    radius : float
        R: the integrals over g are taken over the ball of radius R.
    tails : dict
        For each order k a bound of what any moment has outside of it.
    """

    radius: float
    tails: dict[int, float]


def find_reach(
    phi: PointFunction, lengths: Floats, index_sets: Mapping[int, NDArray[np.intp]]
) -> Reach:
    r"""Find the radius beyond which products of k functions are negligible.

    On the sphere of radius s a product of k factors is at most e^{k B(s)}, with B(s) the largest
    log \|phi_a(s' \|v_a\|)\| over all points and \|s'\| <= s; R is where k B(s) - s^2/2 has
    fallen by 64 for good.

    Parameters
    ----------
    phi : callable
        Function phi(z, a) of values z at points a.
    lengths : ndarray, shape (n,)
        Standard deviations \|v_a\| = sqrt(K_aa).
    index_sets : mapping of int to ndarray
        Multi-indices of each order k.

    Raises
    ------
    InfiniteMomentError
        If a moment is infinite or phi is undefined where the Gaussian has mass.
    AccuracyError
        If phi overflows within the reach, or the moment may be finite but has no bound.
    """
    far = np.maximum(1e4, 1e3 / np.maximum(lengths, 1e-100))
    tail = 60.001 * (far[:, None] / 60.0) ** np.linspace(0.0, 1.0, 301)[1:]
    # The centre and round numbers may be singularities that can be integrated: keep off them.
    near = np.concatenate([[1e-6], 1.0000123 * np.linspace(0.0, 60.0, 601)[1:]])
    centre = np.broadcast_to(near, (len(lengths), 601))
    s = np.concatenate([centre, tail], axis=1)
    z = s * lengths[:, None]
    points = np.arange(len(lengths))[:, None]
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(phi(z, points)), np.abs(phi(-z, points)))
        logs = np.where(size == 0, -1e4, np.log(size))
    usable = np.isfinite(logs)
    # Past the first value that is not a number nothing is known.
    known = np.where(usable.all(axis=1), s.shape[1], np.argmin(usable, axis=1))
    if np.any(known == 0):
        _undefined("zero")
    for a, end in enumerate(known):
        logs[a, end:] = -np.inf
    B = np.maximum.accumulate(logs, axis=1)
    radius, tails = 0.0, {}
    for k, rows in index_sets.items():
        if k == 0 or not len(rows):
            tails[k] = 0.0
            continue
        used = np.unique(rows)
        for a in used:
            _judge_growth(k, int(a), rows, s[a], B[a], int(known[a]), float(lengths[a]))
        R = _radius(k, s[used], B[used], known[used])
        radius = max(radius, R)
    for k, rows in index_sets.items():
        if k and len(rows):
            tails[k] = _outside(k, radius, s[np.unique(rows)], B[np.unique(rows)])
    return Reach(radius=radius, tails=tails)


def _judge_growth(
    k: int, a: int, rows: NDArray[np.intp], s: Floats, B: Floats, end: int, length: float
) -> None:
    """Refuse a function that outgrows the Gaussian where it stops to be representable."""
    if end == len(s) or B[end - 1] < _GROWN or length == 0:
        return
    j, i = end - 1, max(end - 4, 1)
    power = np.log(B[j] / max(B[i], 1e-300)) / np.log(s[j] / s[i])
    share = k * B[j] / s[j] ** 2
    faster = power > 2.05
    if not faster and not (power > 1.95 and share >= 0.5 * (1 - 1e-6)):
        return
    if faster or np.any(np.all(rows == a, axis=1)):
        raise InfiniteMomentError(
            expected=f"a function whose {k}-point moments exist",
            came=f"log|phi| growing like |z|^{power:.2f} at a point of variance {length**2:.6g}",
            remedy="reduce the variances: E exp(c z^2)^k needs 2 c k K < 1",
        )
    raise AccuracyError(
        expected=f"a {k}-point moment bounded by those of its single points",
        came=f"a point of variance {length**2:.6g} whose own moment of that order is infinite",
        remedy="use a closed form, or reduce the variances",
    )


def _radius(k: int, s: Floats, B: Floats, known: NDArray[np.intp]) -> float:
    """Where the product of k functions has fallen for good, for the points of one order."""
    near = B[:, :11].max()
    peak = (k * B - s**2 / 2).max()
    reference = k * near if near > -1e3 else peak
    radius = 0.0
    for a in range(len(s)):
        below = k * B[a] - s[a] ** 2 / 2 < reference - _DROP
        below &= s[a] > 1.0
        # The last radius at which the integrand still counts.
        last = int(np.flatnonzero(~below[: known[a]])[-1]) if np.any(~below[: known[a]]) else -1
        if last + 1 >= known[a]:
            _overflowing(k, s[a, known[a] - 1])
        radius = max(radius, float(s[a, last + 1]))
    return radius


def _outside(k: int, radius: float, s: Floats, B: Floats) -> float:
    """Bound what a product of k functions has outside a ball (in at most four dimensions)."""
    total = 0.0
    for a in range(len(s)):
        beyond = s[a] >= radius
        exponent = k * B[a] - s[a] ** 2 / 2 + 3 * np.log(np.maximum(s[a], 1.0))
        with np.errstate(over="ignore", under="ignore"):
            density = np.exp(np.clip(exponent[beyond], -745.0, 700.0))
        total += float(np.sum(density[:-1] * np.diff(s[a][beyond])))
    return total


def _undefined(where: str) -> None:
    raise InfiniteMomentError(
        expected="a function that is finite almost everywhere",
        came=f"values that are infinite or not numbers at {where}",
        remedy="check the domain of the activation (roots and logarithms of negative numbers)",
    )


def _overflowing(k: int, radius: float) -> None:
    raise AccuracyError(
        expected=f"a function that is finite where products of {k} of them have their mass",
        came=f"values that are not finite beyond {radius:.3g} standard deviations",
        remedy="write the function so that it does not overflow, or reduce the variances",
    )
