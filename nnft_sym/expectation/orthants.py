"""Four signs or four absolute values of jointly Gaussian fields, at every rank, by one integral.

Let z_a = u_a.g for unit vectors u_a, and let R(t) = 1 + t (R - 1) shrink the correlations R of
four of them to none. With C = R(t), tau = 1 - t and conditional correlations ρ, Price's theorem
gives

    d/dt E[s_1 s_2 s_3 s_4] = (4/π²) sum_{p<q} R_pq asin(ρ_{rs|pq}) / sqrt(1 - C_pq²),

with s = sign z and {r, s} the other two points; d/dt E|z_1 z_2 z_3 z_4| is, after Gaussian
integration by parts, a sum of the same arcsines with polynomial coefficients plus a multiple of
E[s_1 s_2 s_3 s_4], which a partial integration in t removes. R(t) is regular for t < 1 whatever
the rank of R, so that coplanar, collinear and equal points need no formula of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from nnft_sym.language.errors import AccuracyError

__all__ = ["Orthants", "absolute_products", "sign_products"]

Floats = NDArray[np.float64]

_EPS = float(np.finfo(float).eps)
# Pairs p < q of the four points, each with its complement r < s.
_SPLITS = ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2), (1, 2, 0, 3), (1, 3, 0, 2), (2, 3, 0, 1))
# The integrand is analytic in t outside of (-oo, -1/3] and [1, oo), where at worst it grows like
# (1 - t)^{-1/2}: these ends of the double exponential substitution leave out less than 1e-17.
_ENDS = (-3.25, 4.0)
_COARSEST, _FINEST = 2, 6
# Entries that are integrated together, so that arrays over entries and nodes stay in the cache.
_TOGETHER = 256
# Directions rounded by a few eps move a product of four signs by (2/π) of each of the four angles.
_ROUNDING = 64 * _EPS


@dataclass(frozen=True, kw_only=True, eq=False)
class Orthants:
    """Expectations of products over sets of four points.

    Parameters
    ----------
    values : ndarray, shape (U,)
        One expectation for each set of four.
    errors : ndarray, shape (U,)
        Bounds of the absolute errors, about 1e-13: what the last halving of the step changed,
        and rounding.
    """

    values: Floats
    errors: Floats


def sign_products(directions: Floats) -> Orthants:
    r"""E[sign z_1 sign z_2 sign z_3 sign z_4], from which orthant probabilities follow.

    .. math:: E[s_1 s_2 s_3 s_4] = \frac{4}{\pi^2} \int_0^1 dt \sum_{p<q}
              \frac{R_{pq}}{\sqrt{1 - t^2 R_{pq}^2}} \arcsin \rho_{rs|pq}(t)

    Parameters
    ----------
    directions : ndarray, shape (U, 4, p)
        u: unit vectors with correlations R_ab = u_a . u_b, of any rank.

    Raises
    ------
    AccuracyError
        If the integral does not converge.

    Notes
    -----
    Source: [P54] Plackett 1954, reduction formula for normal multivariate integrals; Price 1958.

    Examples
    --------
    >>> equal = np.tile([1.0, 0.0], (1, 4, 1))
    >>> sign_products(equal).values.round(12).tolist()
    [1.0]
    """
    return _integrated(directions, absolute=False)


def absolute_products(directions: Floats) -> Orthants:
    r"""E\|z_1 z_2 z_3 z_4\| of four standard normal variables.

    .. math:: E|z_1 z_2 z_3 z_4| = \frac{4}{\pi^2} \Big[ 1 + \int_0^1 dt \sum_{p<q}
              \frac{H_{pq}(t)}{\sqrt{1 - t^2 R_{pq}^2}} \arcsin \rho_{rs|pq}(t) \Big]

    with polynomials H_pq in t and R (see ``_absolute_coefficients``).

    Parameters
    ----------
    directions : ndarray, shape (U, 4, p)
        As in :func:`sign_products`.

    Raises
    ------
    AccuracyError
        If the integral does not converge.

    Notes
    -----
    Source: Price's theorem and integration by parts, as in the head of this module.

    Examples
    --------
    >>> equal = np.tile([1.0, 0.0], (1, 4, 1))
    >>> absolute_products(equal).values.round(12).tolist()
    [3.0]
    """
    return _integrated(directions, absolute=True)


def _integrated(directions: Floats, *, absolute: bool) -> Orthants:
    values, errors = np.empty(len(directions)), np.empty(len(directions))
    for start in range(0, len(directions), _TOGETHER):
        block = slice(start, start + _TOGETHER)
        path = _Path(directions[block], absolute)
        values[block], errors[block] = path.integrate()
    return Orthants(values=values, errors=errors)


class _Path:
    """The integrands of a block of sets along R(t), from minors that do not cancel.

    Minors of tau 1 + t u u^T are sums over subsets of points of inner products of wedge products
    of the vectors; where they are determinants, every term is at least zero.
    """

    def __init__(self, directions: Floats, absolute: bool) -> None:
        self.absolute = absolute
        self.R = np.einsum("uai,ubi->uab", directions, directions)
        u = _in_four_dimensions(directions)
        pairs = {(a, b): _wedge(u[:, :, a], u[:, :, b]) for a, b in combinations(range(4), 2)}
        pairs |= {(b, a): -wedge for (a, b), wedge in pairs.items()}
        triples = {
            (p, q, r): _wedge_with(pairs[p, q], u[:, :, r])
            for p, q, *others in _SPLITS
            for r in others
        }
        self.squares = {pair: _dot(wedge, wedge) for pair, wedge in pairs.items()}
        # One row of coefficients for every split: of tau^2, tau t and t^2.
        self.numerators = [
            (
                self.R[:, r, s],
                _dot(pairs[p, r], pairs[p, s]) + _dot(pairs[q, r], pairs[q, s]),
                _dot(triples[p, q, r], triples[p, q, s]),
            )
            for p, q, r, s in _SPLITS
        ]
        # u is triangular: the determinant of the four is the product of its diagonal.
        self.full = np.prod(np.einsum("uaa->ua", u) ** 2, axis=1)
        self.of_pairs = np.sum([self.squares[p, q] for p, q, *_ in _SPLITS], axis=0)
        self.of_triples = np.sum(
            [_dot(wedge, wedge) for (p, q, r), wedge in triples.items() if p < q < r], axis=0
        )

    def integrate(self) -> tuple[Floats, Floats]:
        """Halve the step of the trapezoidal rule for those sets that still change."""
        sets = len(self.R)
        values, errors = np.empty(sets), np.empty(sets)
        active = np.arange(sets)
        total, size = self._sums(_nodes(_COARSEST, every=True), active)
        # Arcsines have rounding errors of their own size 1, and coefficients of this size.
        largest = np.max(np.abs(self.R - np.eye(4)), axis=(1, 2))
        floor = np.ones(sets) if self.absolute else largest
        for level in range(_COARSEST + 1, _FINEST + 1):
            before = total * 2.0 ** (1 - level)
            more, more_size = self._sums(_nodes(level, every=False), active)
            total, size = total + more, size + more_size
            now = total * 2.0**-level
            rounding = _ROUNDING * (floor[active] + size * 2.0**-level)
            change = np.abs(now - before)
            done = change <= 2 * rounding
            values[active[done]], errors[active[done]] = now[done], (change + rounding)[done]
            active, total, size = active[~done], total[~done], size[~done]
            if not active.size:
                scale = 4 / np.pi**2
                return scale * (values + self.absolute), scale * errors
        raise AccuracyError(
            expected="a four-point moment to rounding",
            came=f"an integral up to correlations {self.R[active[0]].tolist()} not converged",
            remedy="move the points",
        )

    def _sums(self, nodes: tuple[Floats, Floats, Floats], active: NDArray[np.intp]) -> Floats:
        """Weighted sums over the nodes, and those of the absolute values."""
        t, tau, weights = nodes
        terms = np.zeros((len(active), len(t)))
        whole = (
            tau**4
            + 4 * tau**3 * t
            + np.multiply.outer(self.of_pairs[active], tau**2 * t**2)
            + np.multiply.outer(self.of_triples[active], tau * t**3)
            + np.multiply.outer(self.full[active], t**4)
        )
        for (p, q, r, s), (first, second, third) in zip(_SPLITS, self.numerators, strict=True):
            pair = tau * (1 + t) + np.multiply.outer(self.squares[p, q][active], t**2)
            numerator = (
                np.multiply.outer(first[active], tau**2 * t)
                + np.multiply.outer(second[active], tau * t**2)
                + np.multiply.outer(third[active], t**3)
            )
            arcsine = np.arctan2(numerator, np.sqrt(pair * whole))
            coefficient = (
                self._absolute_coefficients((p, q, r, s), active, t, pair)
                if self.absolute
                else self.R[active, p, q, None]
            )
            terms += coefficient * arcsine / np.sqrt(pair)
        return np.stack([terms @ weights, np.abs(terms) @ weights])

    def _absolute_coefficients(
        self, split: tuple[int, int, int, int], active: NDArray[np.intp], t: Floats, pair: Floats
    ) -> Floats:
        """H_pq = m (2tA + R_rs) + t²x (B - txA) + (1-t²) x (x R_rs + B), m = 1 - t²x², x = R_pq.

        A = R_pr R_ps + R_qr R_qs and B = R_pr R_qs + R_ps R_qr; the last term is what
        E[s_1 s_2 s_3 s_4] becomes by partial integration.
        """
        p, q, r, s = split
        R = self.R[active]
        x, rest = R[:, p, q, None], R[:, r, s, None]
        A = (R[:, p, r] * R[:, p, s] + R[:, q, r] * R[:, q, s])[:, None]
        B = (R[:, p, r] * R[:, q, s] + R[:, p, s] * R[:, q, r])[:, None]
        closed = pair * (2 * t * A + rest) + t**2 * x * (B - t * x * A)
        return np.asarray(closed + (1 - t**2) * x * (x * rest + B))


def _nodes(level: int, *, every: bool) -> tuple[Floats, Floats, Floats]:
    """t, 1 - t and dt/dy at the nodes y = k 2^-level of t = 1/(1 + exp(-π sinh y))."""
    first, last = (int(np.floor(end * 2**level)) for end in _ENDS)
    k = np.arange(first, last + 1)
    y = (k if every else k[k % 2 == 1]) * 2.0**-level
    slope = np.pi * np.sinh(y)
    t, tau = 1 / (1 + np.exp(-slope)), 1 / (1 + np.exp(slope))
    return t, tau, np.pi * np.cosh(y) * t * tau


def _in_four_dimensions(directions: Floats) -> Floats:
    """Triangular columns with the inner products of four vectors, of unit length."""
    triangle: Floats = np.asarray(np.linalg.qr(np.swapaxes(directions, 1, 2), mode="r"))
    square = np.zeros((len(directions), 4, 4))
    square[:, : triangle.shape[1]] = triangle
    return square / np.sqrt(np.sum(square**2, axis=1, keepdims=True))


def _wedge(a: Floats, b: Floats) -> Floats:
    """Components ij of a ∧ b for i < j, antisymmetric in both as a matrix."""
    product = a[:, :, None] * b[:, None, :]
    return np.asarray(product - np.swapaxes(product, 1, 2))


def _wedge_with(pair: Floats, c: Floats) -> Floats:
    """Components ijk of (a ∧ b) ∧ c for i < j < k."""
    return np.stack(
        [
            pair[:, i, j] * c[:, k] - pair[:, i, k] * c[:, j] + pair[:, j, k] * c[:, i]
            for i, j, k in combinations(range(4), 3)
        ],
        axis=1,
    )


def _dot(a: Floats, b: Floats) -> Floats:
    """Inner product of wedge products: a matrix holds each of its components twice."""
    if a.ndim == 3:
        return np.einsum("uij,uij->u", a, b) / 2
    return np.einsum("ui,ui->u", a, b)
