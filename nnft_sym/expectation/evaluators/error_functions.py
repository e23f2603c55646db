"""Three and four points of error functions, as signs of fields with independent noise."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import Z
from nnft_sym.expectation.cubature.moments import Values
from nnft_sym.expectation.directions import Directions
from nnft_sym.expectation.orthants import sign_products

if TYPE_CHECKING:
    from nnft_sym.expectation.evaluation import Problem

__all__ = ["evaluate", "scaled_erf"]

RANK = 10

_ROUNDING = 64 * float(np.finfo(float).eps)


def evaluate(problem: Problem, rows: NDArray[np.intp]) -> Values | None:
    r"""E[φ(z_1) ... φ(z_k)] for k = 3, 4 and φ = α + γ erf(c z), any rank.

    .. math:: \operatorname{erf}(c z) = E_\xi\, \operatorname{sign}(\sqrt 2\, c z - \xi),
              \qquad \xi \sim N(0, 1),

    with noise ξ of its own for each factor, also at repeated points: a moment of four error
    functions is one of four signs, with correlations
    :math:`2c^2 K_{ab} / \sqrt{(1 + 2c^2 K_{aa})(1 + 2c^2 K_{bb})}`.

    Examples
    --------
    >>> from nnft_sym.expectation.evaluation import Problem
    >>> from nnft_sym.expectation.cubature.gram import Gram
    >>> erf = Problem(phi=sp.erf(Z), gram=Gram.from_matrix(np.eye(2)), shift=0, rtol=1e-10)
    >>> evaluate(erf, np.array([[0, 0, 1, 1]])).entries
    array([0.21581512])
    """
    order = rows.shape[1]
    if order not in (3, 4) or problem.shift != 0 or problem.per_point:
        return None
    parsed = scaled_erf(problem.phi)
    if parsed is None:
        return None
    offset, amplitude, slope = parsed
    directions = Directions.of(problem.gram)
    signals = np.sqrt(2) * abs(slope) * directions.lengths[rows]
    norms = np.hypot(1.0, signals)
    u = np.zeros((len(rows), 4, directions.units.shape[1] + 4))
    u[:, :order, :-4] = directions.units[rows] * (signals / norms)[..., None]
    for slot in range(4):
        u[:, slot, slot - 4] = 1 / norms[:, slot] if slot < order else 1.0
    total = np.full(len(rows), offset**order)
    size = np.abs(total)
    for p, q in combinations(range(order), 2):
        R = np.einsum("ui,ui->u", u[:, p], u[:, q])
        across = np.linalg.norm(u[:, q] - R[:, None] * u[:, p], axis=1)
        weight = offset ** (order - 2) * amplitude**2
        total += weight * 2 / np.pi * np.arctan2(R, across)
        size += np.abs(weight * R)
    # The derivative of a moment in a correlation is at most (2/π)/sqrt(1 - R²).
    steep = 6 * float(np.max(norms, initial=1.0)) * directions.defect
    errors = _ROUNDING * size + steep * (abs(offset) + abs(amplitude)) ** order
    if order == 4 and amplitude:
        signs = sign_products(u)
        total += amplitude**4 * signs.values
        errors += amplitude**4 * signs.errors
    if np.max(errors) > problem.rtol * np.max(np.abs(total)):
        # Small variances, where the four signs are almost independent: erf is smooth there.
        return None
    return Values(entries=total, errors=errors)


@lru_cache(maxsize=256)
def scaled_erf(phi: sp.Expr) -> tuple[float, float, float] | None:
    """Read phi = offset + amplitude erf(c z) with numbers offset, amplitude, c."""
    offset, rest = sp.expand(phi).as_independent(Z, as_Add=True)
    amplitude, function = rest.as_independent(Z, as_Add=False)
    if not isinstance(function, sp.erf):
        return None
    slope = sp.cancel(function.args[0] / Z)
    if not (offset.is_number and amplitude.is_number and slope.is_number):
        return None
    # erf(-c z) = -erf(c z)
    sign = 1.0 if slope > 0 else -1.0
    return float(offset), sign * float(amplitude), abs(float(slope))
