"""How far a field has to be followed: what lies beyond adds nothing to an expectation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nnft_sym.expectation.parameter_space.spreading import IndependentEvent
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError

__all__ = ["field_reach"]

Floats = NDArray[np.float64]

_RATES = 2.0 ** np.arange(-2.0, 6.01, 0.25)
_REACHES = 2.0 ** np.arange(1.0, 8.01, 0.125)
_FAR = 64.0
_LEAST = 32


def field_reach(
    function: Callable[[Floats], Floats],
    slopes: Floats,
    events: Sequence[IndependentEvent],
    left_out: float = 1e-30,
) -> tuple[float, float]:
    r"""L such that f(t)² matters on |t| <= L only, and log of a bound on the rest.

    With t = slopes·(θ - E θ) and any η > 0 within the strip of the generating function,
    E[f²; |t| > L] <= sup_{|t| > L} f² e^{-η|t|} (E e^{ηt} + E e^{-ηt}).

    Parameters
    ----------
    function : callable
        f.
    slopes : ndarray, shape (parameters,)
    events : sequence of IndependentEvent
        Events of θ.
    left_out : float
        What E[f²; |t| > L] may be, relative to a typical f²; its root enters errors.

    Raises
    ------
    InfiniteMomentError
        If f² grows faster than the density of t decays.

    Examples
    --------
    >>> import sympy as sp
    >>> from nnft_sym.densities import Uniform
    >>> from nnft_sym.expectation.parameter_space.spreading import independent_events
    >>> w = sp.Symbol("w", real=True)
    >>> events = independent_events((((w,), Uniform(-1, 1)),))
    >>> field_reach(np.sign, np.array([2.0]), events)[0]
    2.0
    """
    active = [event for event in events if np.any(slopes[list(event.columns)])]
    own = [slopes[list(event.columns)] for event in active]
    spread = float(
        np.sqrt(sum(e.variance * np.sum(a**2) for e, a in zip(active, own, strict=True)))
    )
    # An entry of |w| <= R contributes |a|R; a vector of norm R contributes |a|R as well.
    bound = sum(e.radius * float(np.linalg.norm(a)) for e, a in zip(active, own, strict=True))
    size = _typical(function, min(bound, 3 * spread))
    rates = _RATES / spread
    generating = np.zeros(len(rates))
    for e, a in zip(active, own, strict=True):
        generating += np.maximum(e.log_generating(a, rates), e.log_generating(-a, rates))
    usable = np.isfinite(generating)
    if np.any(usable):
        rates, generating = rates[usable], generating[usable]
        for reach in _REACHES * spread:
            if reach >= bound:
                break
            rest = generating + np.log(2) + _growth(function, reach, bound, spread, rates) - size
            if np.min(rest) <= np.log(left_out):
                return float(reach), float(np.min(rest) + size)
    if np.isfinite(bound):
        return float(bound), -np.inf
    if np.any(usable) and np.any(np.isfinite(_growth(function, spread, bound, spread, rates))):
        raise AccuracyError(
            expected="a neuron whose field is followed over at most 256 standard deviations",
            came="a tail that is not negligible there",
            remedy="lower the scale of the parameters, or the order",
        )
    raise InfiniteMomentError(
        expected="a neuron that grows slower than the density of its field decays",
        came="a tail that no exponential bounds",
        remedy="lower the order or the scale of the parameters",
    )


def _typical(function: Callable[[Floats], Floats], reach: float) -> float:
    """Log of the mean of f² over |t| <= reach."""
    t = reach * np.polynomial.legendre.leggauss(64)[0]
    with np.errstate(all="ignore"):
        mean = float(np.mean(np.broadcast_to(function(t), t.shape) ** 2))
    return np.log(mean) if mean > 0 else 0.0


def _growth(
    function: Callable[[Floats], Floats],
    reach: float,
    bound: float,
    spread: float,
    rates: Floats,
) -> Floats:
    """Log sup f² e^{-η|t|} beyond the reach for each η; infinite where it keeps growing."""
    end = min(bound, _FAR * max(reach, spread))
    t = np.geomspace(reach, end, 128)
    with np.errstate(all="ignore"):
        sizes = [
            2 * np.log(np.abs(np.broadcast_to(function(sign * t), t.shape))) for sign in (1.0, -1.0)
        ]
    size = np.maximum(*(np.where(np.isnan(s), np.inf, s) for s in sizes))
    # Where f overflows nothing is known, but that it was still falling before tells as much.
    known = len(t) if np.all(size < np.inf) else int(np.argmax(size == np.inf))
    if known < _LEAST:
        return np.full(len(rates), np.inf)
    exponent = size[None, :known] - rates[:, None] * t[:known]
    highest = np.max(exponent, axis=1)
    if not np.isfinite(bound):
        falling = exponent[:, -1] < np.minimum(exponent[:, -_LEAST], highest) - 1.0
        highest = np.where(falling | np.all(np.isneginf(exponent), axis=1), highest, np.inf)
    elif known < len(t):
        return np.full(len(rates), np.inf)
    return highest
