"""Fits of powers of the width: least squares over the widths that are resolved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from nnft_num.confrontation.amplitudes import Amplitude

__all__ = ["NO_FIT", "Fit", "cut", "fit_first", "fit_intercept", "fit_power", "fit_slope"]

_GOOD = 0.05


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted number with its standard error, degrees of freedom and skewness; NaN if none.

    ``misfit`` is χ² of the fit over its ``spare`` degrees of freedom.
    """

    value: float
    error: float
    freedom: float
    skew: float
    misfit: float = 0.0
    spare: int = 0

    @property
    def is_good(self) -> bool:
        """Whether more scatter than this has a probability above 5 %."""
        return not np.isnan(self.value) and bool(chdtrc(self.spare, self.misfit) > _GOOD)


NO_FIT = Fit(value=float("nan"), error=float("nan"), freedom=1.0, skew=0.0)
"""Where there are too few data."""


def fit_slope(amplitudes: Sequence[Amplitude], *, resolution: float, correction: int = 0) -> Fit:
    """Fit log A = c + s log N by weighted least squares.

    Widths are used if their resolution, by the theory where there is one and so free of noise,
    is at least the one given.  With ``correction`` so many terms b_1/N + b_2/N² + ... are fitted as
    well: the next orders of a truncated expansion, which would otherwise pass for a wrong power.

    Examples
    --------
    >>> points = [Amplitude(width=N, value=3 / N, error=0.01 / N, freedom=127) for N in (1, 2, 4)]
    >>> fit = fit_slope(points, resolution=5)
    >>> round(fit.value, 12), round(fit.error, 4)
    (-1.0, 0.0034)
    """
    return _fit_logarithms(amplitudes, resolution, correction, first=0)


def fit_intercept(
    amplitudes: Sequence[Amplitude], *, resolution: float, correction: int = 0
) -> Fit:
    """Fit the same, and return c, the logarithm of A at N = 1.

    Examples
    --------
    >>> points = [Amplitude(width=N, value=3 / N, error=0.01 / N, freedom=127) for N in (1, 2, 4)]
    >>> round(float(np.exp(fit_intercept(points, resolution=5).value)), 12)
    3.0
    """
    return _fit_logarithms(amplitudes, resolution, correction, first=1)


def _fit_logarithms(
    amplitudes: Sequence[Amplitude], resolution: float, correction: int, *, first: int
) -> Fit:
    used = [a for a in amplitudes if a.resolution >= resolution and a.value > 0]
    N = np.array([float(a.width) for a in used])
    basis = [np.log(N), np.ones_like(N), *(N ** -float(k + 1) for k in range(correction))]
    basis.insert(0, basis.pop(first))
    return fit_first(
        basis,
        np.log([a.value for a in used]),
        np.array([a.error / a.value for a in used]),
        freedom=np.array([a.freedom for a in used]),
        skew=np.array([a.skew for a in used]),
    )


def fit_first(
    basis: Sequence[NDArray[np.float64]],
    values: NDArray[np.float64],
    errors: NDArray[np.float64],
    *,
    freedom: NDArray[np.float64],
    skew: NDArray[np.float64],
) -> Fit:
    """Fit values as a sum over a basis by weighted least squares; the first coefficient."""
    if len(values) < len(basis):
        return NO_FIT
    design = np.stack(basis, axis=1) / errors[:, None]
    inverse = np.linalg.pinv(design)
    solution = inverse @ (values / errors)
    parts = inverse[0]
    variance = float(parts @ parts)
    return Fit(
        value=float(solution[0]),
        error=float(np.sqrt(variance)),
        # Welch and Satterthwaite: freedom of a sum of independent variances
        freedom=float(variance**2 / np.sum(parts**4 / freedom)),
        skew=float(parts**3 @ skew / variance**1.5),
        misfit=float(np.sum((values / errors - design @ solution) ** 2)),
        spare=len(values) - len(basis),
    )


def cut(fit: Callable[[int], Fit], *, least: int) -> Fit:
    """Fit an expansion that nobody knows where to cut, the cut being part of the error.

    Terms are added to the ``least`` number until the fit is good, and then one more; the step of
    the result on adding it is part of the error, in quadrature.  Small widths, where many terms
    matter, so lead to a large error and not to a wrong number.

    Parameters
    ----------
    fit : callable
        Fit with a given number of terms; without a value where there are too few data.
    least : int
        Number of terms to begin with.

    Examples
    --------
    >>> N = np.array([2.0, 3.0, 4.0, 6.0, 8.0])
    >>> def fit(terms):
    ...     basis = [N ** -(k + 1.0) for k in range(terms)]
    ...     one = np.ones_like(N)
    ...     return fit_first(basis, 3 / N - 5 / N**2, 0.01 * one, freedom=99 * one, skew=0 * one)
    >>> round(cut(fit, least=1).value, 9), fit(1).is_good
    (3.0, False)
    """
    own, terms = fit(least), least
    while not np.isnan(own.value):
        following = fit(terms + 1)
        if own.is_good:
            step = following.value - own.value
            return replace(following, error=float(np.hypot(following.error, step)))
        own, terms = following, terms + 1
    return NO_FIT


def fit_power(
    amplitudes: Sequence[Amplitude],
    *,
    resolution: float,
    expansion: bool,
    fitted: Callable[..., Fit] = fit_slope,
) -> Fit:
    """Fit the power of N of amplitudes, or with ``expansion`` the leading one of a series in 1/N.

    With ``fitted=fit_intercept`` the logarithm of the amplitude at N = 1 is returned.

    Examples
    --------
    >>> def amplitude(N):
    ...     return Amplitude(width=N, value=3 / N - 2 / N**2, error=0.01 / N, freedom=127)
    >>> points = [amplitude(N) for N in (1, 2, 3, 4, 6, 8)]
    >>> fits = [fit_power(points, resolution=5, expansion=way) for way in (False, True)]
    >>> [abs(fit.value + 1) < 2 * fit.error for fit in fits]
    [False, True]
    """

    def fit(terms: int) -> Fit:
        return fitted(amplitudes, resolution=resolution, correction=terms)

    return cut(fit, least=1) if expansion else fit(0)
