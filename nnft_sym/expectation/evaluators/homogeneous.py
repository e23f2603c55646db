"""Three and four points of functions with a kink at zero: sign, step, ReLU, leaky ReLU, abs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import Z
from nnft_sym.expectation.cubature.moments import Values
from nnft_sym.expectation.directions import Directions
from nnft_sym.expectation.orthants import absolute_products, sign_products

if TYPE_CHECKING:
    from nnft_sym.expectation.evaluation import Problem

__all__ = ["Sides", "evaluate", "read_sides"]

RANK = 20

Floats = NDArray[np.float64]
_ROUNDING = 64 * float(np.finfo(float).eps)
_T = sp.Symbol("t", positive=True)
_FOUR = range(4)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """φ = even |z|^degree + odd sign(z) |z|^degree, of degree 0 or 1, with φ(0) given."""

    degree: int
    even: float
    odd: float
    at_zero: float


def evaluate(problem: Problem, rows: NDArray[np.intp]) -> Values | None:
    r"""E[φ(z_1) ... φ(z_k)] for k = 3, 4 and φ of degree 0 or 1 on each side of zero, any rank.

    .. math:: \phi = \alpha + \gamma s: \quad E = \sum_S \alpha^{k-|S|} \gamma^{|S|} E\prod_S s_a,
              \qquad
              \phi = \alpha |z| + \gamma z: \quad
              E = \sum_S \alpha^{k-|S|} \gamma^{|S|} E \prod_S z_a \prod_{\bar S} |z_a|

    with :math:`s = \operatorname{sign} z` and sums over sets S of an even number of points. Only
    four signs and four absolute values are no closed forms: see ``orthants``. Three points are
    four of which one is independent. Errors are rounding of :math:`\prod_a \sqrt{K_{aa}}`.

    Examples
    --------
    >>> from nnft_sym.expectation.evaluation import Problem
    >>> from nnft_sym.expectation.cubature.gram import Gram
    >>> step = Problem(phi=sp.Heaviside(Z), gram=Gram.from_matrix(np.eye(4)), shift=0, rtol=1e-10)
    >>> evaluate(step, np.array([[0, 1, 2, 3], [0, 0, 1, 1]])).entries.round(12).tolist()
    [0.0625, 0.25]
    """
    order = rows.shape[1]
    if order not in (3, 4) or problem.shift != 0 or problem.per_point:
        return None
    sides = read_sides(problem.phi)
    if sides is None:
        return None
    directions = Directions.of(problem.gram)
    u = directions.of_rows(rows)
    lengths = directions.lengths[rows]
    if sides.degree == 1:
        return _linear(sides, u, np.prod(lengths, axis=1), order, 6 * directions.defect)
    if directions.uncertainty > problem.rtol / 8:
        # A jump sees the angles themselves, which a rounded matrix may not determine.
        return None
    even = np.where(lengths == 0, sides.at_zero, sides.even)
    odd = np.where(lengths == 0, 0.0, sides.odd)
    ones = np.ones((len(rows), 4 - order))
    even, odd = np.hstack([even, ones]), np.hstack([odd, 0 * ones])
    return _constant(even, odd, u, 4 * directions.uncertainty)


@lru_cache(maxsize=256)
def read_sides(phi: sp.Expr) -> Sides | None:
    """Read φ(t) and φ(-t) for t > 0, which must be constants or multiples of t."""
    if not phi.has(sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise):
        return None
    positive, negative = (phi.subs(Z, value) for value in (_T, -_T))
    for degree in (0, 1):
        up, down = (sp.cancel(side / _T**degree) for side in (positive, negative))
        if up.is_number and down.is_number:
            right, left = float(up), float(down)
            zero = float(phi.subs(Z, 0)) if degree == 0 else 0.0
            even, odd = (right + left) / 2, (right - left) / 2
            return Sides(degree=degree, even=even, odd=odd, at_zero=zero)
    return None


def _constant(even: Floats, odd: Floats, u: Floats, uncertainty: float) -> Values:
    """Sum over the points whose sign is taken, with coefficients for each point."""
    R, sines = _angles(u)
    total = np.prod(even, axis=1)
    size = np.abs(total)
    for p, q in combinations(_FOUR, 2):
        r, s = (a for a in _FOUR if a not in (p, q))
        weight = odd[:, p] * odd[:, q] * even[:, r] * even[:, s]
        total += weight * 2 / np.pi * np.arctan2(R[:, p, q], sines[:, p, q])
        size += np.abs(weight)
    four = np.prod(odd, axis=1)
    errors = (_ROUNDING + uncertainty) * (size + np.abs(four))
    used = four != 0
    signs = sign_products(u[used])
    total[used] += four[used] * signs.values
    errors[used] += np.abs(four[used]) * signs.errors
    return Values(entries=total, errors=errors)


def _linear(sides: Sides, u: Floats, amplitude: Floats, order: int, defect: float) -> Values:
    """Sum over the points taken without absolute value; a padded fourth is never."""
    R, sines = _angles(u)
    angle = np.arctan2(R, sines)
    even, odd = sides.even, sides.odd
    total = np.zeros(len(u))
    for a, b in combinations(range(order), 2):
        c, d = (e for e in _FOUR if e not in (a, b))
        # E[z_a z_b |z_c z_d|] by integration by parts over z_a, then over z_b.
        total += (odd**2 * even ** (order - 2) * 2 / np.pi) * (
            R[:, a, b] * (sines[:, c, d] + R[:, c, d] * angle[:, c, d])
            + R[:, a, c] * (R[:, b, c] * sines[:, c, d] + R[:, b, d] * angle[:, c, d])
            + R[:, a, d] * (R[:, b, d] * sines[:, c, d] + R[:, b, c] * angle[:, c, d])
        )
    if order == 4:
        wick = R[:, 0, 1] * R[:, 2, 3] + R[:, 0, 2] * R[:, 1, 3] + R[:, 0, 3] * R[:, 1, 2]
        total += odd**4 * wick
    errors = np.full(len(u), 3 * (_ROUNDING + defect) * (abs(even) + abs(odd)) ** order)
    if even:
        products = absolute_products(u)
        total += even**order * products.values
        errors += abs(even) ** order * products.errors
    # Three points: divide by E|z| of the fourth.
    factor = amplitude if order == 4 else amplitude * np.sqrt(np.pi / 2)
    return Values(entries=factor * total, errors=factor * errors)


def _angles(u: Floats) -> tuple[Floats, Floats]:
    """Cosines R and sines of the angles between all points, the sines without cancellation."""
    R = np.einsum("uai,ubi->uab", u, u)
    across = u[:, None, :, :] - R[..., None] * u[:, :, None, :]
    return R, np.sqrt(np.sum(across**2, axis=-1))
