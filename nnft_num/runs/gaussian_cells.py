r"""Masses of centred Gaussians in the cells of a grid, along one direction or two.

With Φ the normal distribution function and T Owen's function, the mass below a corner (a, b) of a
standard pair of correlation ρ is

.. math:: \Phi_2(a, b; \rho) = \tfrac12[\Phi(a) + \Phi(b)]
          - T(a, \tfrac{b-\rho a}{a\sqrt{1-\rho^2}}) - T(b, \tfrac{a-\rho b}{b\sqrt{1-\rho^2}})
          - \tfrac12[ab < 0],

and that of a cell is a difference over its corners.  Corners are moved off zero, where a quotient
has no value, by so little that no mass changes.

Source: D. B. Owen, Annals of Mathematical Statistics 27 (1956) 1075.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, owens_t

__all__ = ["gaussian_masses"]

_OFF = 1e-300
"""Where corners at zero are put, in standard deviations."""

_LEAST = 1e-300
"""Variances below this are a point at zero."""


def gaussian_masses(
    covariances: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mass of N(0, Σ) in each cell of a grid.

    Parameters
    ----------
    covariances : ndarray, shape (M, r, r)
        Σ of each network, r = 1 or 2; Σ may be singular.
    edges : ndarray, shape (B + 1,)
        Edges of the cells along each direction.

    Returns
    -------
    ndarray, shape (M, B^r)
        The last direction running fastest.

    Examples
    --------
    >>> gaussian_masses(np.array([[[1.0]]]), np.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [[0.3413, 0.3413]]
    >>> gaussian_masses(np.eye(2)[None], np.array([-1.0, 0.0, 1.0])).round(4).tolist()
    [[0.1165, 0.1165, 0.1165, 0.1165]]
    """
    deviations = np.sqrt(np.maximum(np.einsum("maa->ma", covariances), _LEAST))
    corners = edges / deviations[:, :, None]
    if covariances.shape[1] == 1:
        return np.diff(ndtr(corners[:, 0]), axis=1)
    ratio = covariances[:, 0, 1] / (deviations[:, 0] * deviations[:, 1])
    below = _below(corners[:, 0, :, None], corners[:, 1, None, :], ratio[:, None, None])
    cells = np.diff(np.diff(below, axis=1), axis=2)
    return cells.reshape(len(covariances), -1)


def _below(
    a: NDArray[np.float64], b: NDArray[np.float64], ratio: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mass below and left of each corner; correlations are kept within what rounding allows."""
    a, b = (np.where(np.abs(c) < _OFF, _OFF, c) for c in (a, b))
    rho = np.clip(ratio, -1.0, 1.0)
    root = np.sqrt((1 - rho) * (1 + rho))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        slopes = [np.nan_to_num((c / d - rho) / root) for c, d in ((b, a), (a, b))]
    split = 0.5 * (np.signbit(a) != np.signbit(b))
    whole: NDArray[np.float64] = (
        0.5 * (ndtr(a) + ndtr(b)) - owens_t(a, slopes[0]) - owens_t(b, slopes[1]) - split
    )
    return whole
