r"""Powers of the width at which a square falls, from unbiased squares with errors.

Squared distances D² whose noise was subtracted are unbiased and may be negative, which their
logarithm cannot be, so that the law is fitted to the squares themselves,

.. math:: D^2 = C\, (N + a)^{-2s} .

The shift a stands for the next orders: expanded in 1/N it is a term of relative order 1/N and a
choice of those beyond, which in distances of truncated densities is close to the right one.  The
smallest widths, where it need not be, are left out until the fit is good, and its error includes

- the step of s on leaving out one width more, less the noise in that step, whose variance is the
  difference of the two fits' (J. A. Hausman, Econometrica 46 (1978) 1251),
- the difference to the fit with exp(b/N) in place of the shift, and
- 5 % of s: by so much the powers fitted to exact distances of the linear network (widths 2 to 24)
  were off at most, where errors were too small to see that the law is not quite a power.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from nnft_num.confrontation.fits import NO_FIT, Fit

__all__ = ["fit_power"]

_LEAST = 4
"""Widths of a fit: one more than it has parameters."""

_STEEPEST = 12.0
"""Highest power that is fitted; an error as large says nothing of the power."""

_IMPERFECT = 0.05
"""Share of the power by which the law itself may be off."""


def fit_power(
    widths: NDArray[np.float64], squares: NDArray[np.float64], errors: NDArray[np.float64]
) -> Fit:
    """Fit the power -s with which the root of a square falls with the width.

    Parameters
    ----------
    widths : ndarray, shape (W,)
        N, ascending.
    squares, errors : ndarray, shape (W,)
        Unbiased squares and their standard errors.

    Returns
    -------
    Fit
        Without a value for fewer than four widths, if no fit is good, or if nothing is known of
        the power.

    Examples
    --------
    >>> N = np.array([2.0, 3.0, 4.0, 6.0, 8.0])
    >>> found = fit_power(N, (N + 1) ** -4.0, 0.01 * N**-4.0)
    >>> round(found.value, 6), found.is_good
    (-2.0, True)
    """
    for first in range(len(widths) - _LEAST + 1):
        kept = slice(first, None)
        own = _fit(widths[kept], squares[kept], errors[kept], shifted=True)
        if not own.is_good:
            continue
        other = _fit(widths[kept], squares[kept], errors[kept], shifted=False)
        parts = [own.error, other.value - own.value, _IMPERFECT * own.value]
        if len(widths) - first > _LEAST:
            fewer = slice(first + 1, None)
            following = _fit(widths[fewer], squares[fewer], errors[fewer], shifted=True)
            noise = following.error**2 - own.error**2
            parts.append(max((following.value - own.value) ** 2 - noise, 0.0) ** 0.5)
        else:
            parts.append(own.error)
        error = float(np.sqrt(np.sum(np.square(parts))))
        if not error < _STEEPEST:
            return NO_FIT
        return Fit(
            value=own.value,
            error=error,
            freedom=own.freedom,
            skew=0.0,
            misfit=own.misfit,
            spare=own.spare,
        )
    return NO_FIT


@dataclass(frozen=True, kw_only=True, eq=False)
class _Law:
    """Residuals of (log C, s, a) in units of the errors, and their derivatives."""

    N: NDArray[np.float64]
    squares: NDArray[np.float64]
    errors: NDArray[np.float64]
    shifted: bool

    def predicted(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        base = np.log(self.N + x[2]) if self.shifted else np.log(self.N) + x[2] / self.N
        predicted: NDArray[np.float64] = np.exp(np.clip(x[0] - 2 * x[1] * base, -300.0, 300.0))
        return predicted

    def residuals(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return (self.predicted(x) - self.squares) / self.errors

    def slopes(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        base = np.log(self.N + x[2]) if self.shifted else np.log(self.N) + x[2] / self.N
        moved = 1 / (self.N + x[2]) if self.shifted else 1 / self.N
        columns = np.stack([np.ones_like(self.N), -2 * base, -2 * x[1] * moved], axis=1)
        slopes: NDArray[np.float64] = (self.predicted(x) / self.errors)[:, None] * columns
        return slopes


def _fit(
    N: NDArray[np.float64],
    squares: NDArray[np.float64],
    errors: NDArray[np.float64],
    *,
    shifted: bool,
) -> Fit:
    law = _Law(N=N, squares=squares, errors=errors, shifted=shifted)
    best = int(np.argmax(squares / errors))
    if squares[best] <= 0:
        return NO_FIT
    lowest = -0.9 * N[0] if shifted else -10.0 * N[-1]
    found = None
    for power in (1.0, 2.0, 3.0):
        start = [float(np.log(squares[best]) + 2 * power * np.log(N[best])), power, 0.0]
        bounds = ([-np.inf, -1.0, lowest], [np.inf, _STEEPEST, 10.0 * N[-1]])
        run = least_squares(law.residuals, start, jac=law.slopes, bounds=bounds)
        if found is None or run.cost < found.cost:
            found = run
    assert found is not None
    covariance = np.linalg.pinv(found.jac.T @ found.jac)
    return Fit(
        value=-float(found.x[1]),
        error=float(np.sqrt(covariance[1, 1])),
        freedom=np.inf,
        skew=0.0,
        misfit=2 * float(found.cost),
        spare=len(N) - 3,
    )
