"""The closed form of a product with at most two half-spaces: formula, steps and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import mpmath
import numpy as np
import sympy as sp
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray

from nnft_sym.activations import Z
from nnft_sym.expectation.forms import ClosedForm
from nnft_sym.expectation.half_spaces.arithmetic import Big, Doubles
from nnft_sym.expectation.half_spaces.explaining import derivation
from nnft_sym.expectation.half_spaces.growth import check_finite
from nnft_sym.expectation.half_spaces.moments import TermMoment
from nnft_sym.expectation.half_spaces.reading import EdgeTerm, expanded_terms, is_closed
from nnft_sym.expectation.half_spaces.writing import written_moment
from nnft_sym.language.errors import AccuracyError, NotDerivedError

__all__ = ["HalfSpaceForm"]

Floats = NDArray[np.float64]

LARGEST_SYMBOLIC = 4
"""Points beyond which determinants are not written out."""

_EPS = float(np.finfo(np.float64).eps)
# Roundings ascribed to a term, and the cancellation allowed, relative to the scale of the moment.
_ROUNDINGS = 6
_ALLOWED = 1e-11
# Below these, |α|σ and |β|σ², an exponential is its Taylor polynomial to 1e-18 out to 9σ.
_SMALL_LINEAR = 0.35
_SMALL_QUADRATIC = 0.005
_TAYLOR = 32
_ROWS = 50_000
_DIGITS = (40, 80, 160, 320)


@dataclass(frozen=True, kw_only=True)
class HalfSpaceForm(ClosedForm):
    """E[∏ φ_a(z_a)] for sums of polynomial × exponential × half-space terms.

    Parameters
    ----------
    factors : tuple of sympy.Expr
        φ_a as expressions in z.
    terms : tuple of tuple of EdgeTerm
        The same, read as sums of terms.
    """

    factors: tuple[sp.Expr, ...]
    terms: tuple[tuple[EdgeTerm, ...], ...]
    source: str = "W96"

    @property
    def points(self) -> int:  # type: ignore[override]
        """Number of points k."""
        return len(self.factors)

    @cached_property
    def steps(self) -> tuple[str, ...]:  # type: ignore[override]
        return derivation(self.factors, self.terms)

    @cached_property
    def expression(self) -> sp.Expr:
        if self.points > LARGEST_SYMBOLIC:
            raise NotDerivedError(
                expected=f"at most {LARGEST_SYMBOLIC} points for determinants written out",
                came=f"{self.points} points",
                remedy="evaluate it with .tensor, which works for any number of points",
            )
        return written_moment(self.terms)

    def evaluate(self, K: Floats, D: Floats) -> Floats:
        return self.bounded(K, D)[0]

    def bounded(self, K: Floats, D: Floats) -> tuple[Floats, Floats]:
        """Values, and what rounding may have done to them."""
        value, error = np.empty(len(K)), np.empty(len(K))
        free = K[:, range(self.points), range(self.points)] > 0
        for pattern in np.unique(free, axis=0):
            rows = np.flatnonzero((free == pattern).all(axis=1))
            kept = np.flatnonzero(pattern).tolist()
            fixed = float(sp.Mul(*(self._at_zero(a) for a in np.flatnonzero(~pattern).tolist())))
            form = self if pattern.all() else self._restricted(kept)
            grid = np.ix_(rows, np.array(kept, dtype=np.intp), np.array(kept, dtype=np.intp))
            part, bound = form._of_positive_variance(K[grid], D[grid])
            value[rows], error[rows] = fixed * part, abs(fixed) * bound
        return value, error

    def _at_zero(self, a: int) -> sp.Expr:
        return self.factors[a].xreplace({Z: sp.Integer(0)})

    def _restricted(self, kept: Sequence[int]) -> HalfSpaceForm:
        return HalfSpaceForm(
            factors=tuple(self.factors[a] for a in kept), terms=tuple(self.terms[a] for a in kept)
        )

    def _of_positive_variance(self, K: Floats, D: Floats) -> tuple[Floats, Floats]:
        if not self.points:
            return np.ones(len(K)), np.zeros(len(K))
        check_finite(self.terms, K)
        value, error = self._in_doubles(self.terms, K, D)
        scale = np.abs(value)
        doubtful = _beyond(error, scale, np.arange(len(K)))
        if doubtful.size:
            scale[doubtful] = self._scale(K[doubtful])
            doubtful = _beyond(error, scale, doubtful)
        small = self._small(K[doubtful])
        for pattern in np.unique(small, axis=0):
            if pattern.any():
                rows = doubtful[(small == pattern).all(axis=1)]
                value[rows], error[rows] = self._in_doubles(
                    self._expanded(pattern), K[rows], D[rows]
                )
        for row in _beyond(error, scale, doubtful):
            lost = error[row] / scale[row] if scale[row] > 0 else np.nan
            value[row], error[row] = self._in_many_digits(K[row], D[row], scale[row], lost)
        return value, error

    def _small(self, K: Floats) -> NDArray[np.bool_]:
        """Factors with exponentials that hardly vary over the Gaussian: (rows, points)."""
        small = np.zeros((len(K), self.points), dtype=bool)
        for a, terms in enumerate(self.terms):
            linear = max((abs(complex(term.linear)) for term in terms), default=0.0)
            quadratic = max((abs(complex(term.quadratic)) for term in terms), default=0.0)
            if linear or quadratic:
                variance = K[:, a, a]
                small[:, a] = linear * np.sqrt(variance) < _SMALL_LINEAR
                small[:, a] &= quadratic * variance < _SMALL_QUADRATIC
        return small

    def _expanded(self, pattern: NDArray[np.bool_]) -> tuple[tuple[EdgeTerm, ...], ...]:
        """The terms with the exponentials of some factors as Taylor polynomials."""
        return tuple(
            expanded_terms(terms, _TAYLOR) if expand else terms
            for terms, expand in zip(self.terms, pattern, strict=True)
        )

    def _in_doubles(
        self, terms: Sequence[Sequence[EdgeTerm]], K: Floats, D: Floats
    ) -> tuple[Floats, Floats]:
        """Values, and bounds of their rounding errors."""
        value, size = np.zeros(len(K)), np.zeros(len(K))
        for start in range(0, len(K), _ROWS):
            rows = slice(start, start + _ROWS)
            matrix, minors = np.moveaxis(K[rows], 0, -1), np.moveaxis(D[rows], 0, -1)
            with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
                for choice in product(*terms):
                    moment = TermMoment(choice=choice, K=matrix, D=minors, arithmetic=Doubles())
                    value[rows] += np.real(moment.value)
                    size[rows] += moment.size()
        return value, _ROUNDINGS * _EPS * size

    def _scale(self, K: Floats) -> Floats:
        """∏_a (E|φ_a|^k)^{1/k}: what the moment could be at most."""
        scale = np.ones(len(K))
        for a in range(self.points):
            variance = K[:, a, a]
            norm = self._square(a, variance) if self.points == 2 else np.full(len(K), np.nan)
            rough = np.flatnonzero(~np.isfinite(norm) | (norm <= 0))
            norm[rough] = self._rough_power(a, variance[rough])
            scale *= norm ** (1 / self.points)
        return np.nan_to_num(scale, nan=0.0, posinf=np.finfo(float).max)

    def _square(self, a: int, variance: Floats) -> Floats:
        """E φ_a², by the form itself; not a number where that is not closed."""
        terms = (self.terms[a], self.terms[a])
        if not all(is_closed(choice) for choice in product(*terms)):
            return np.full(len(variance), np.nan)
        K = np.broadcast_to(variance[:, None, None], (len(variance), 2, 2))
        return self._in_doubles(terms, K, np.zeros_like(K))[0]

    def _rough_power(self, a: int, variance: Floats) -> Floats:
        """E|φ_a|^k by a rough quadrature."""
        nodes, weights = hermegauss(64)
        function = sp.lambdify(Z, self.factors[a], modules=["scipy", "numpy"])
        z = np.sqrt(variance)[:, None] * nodes
        with np.errstate(over="ignore", invalid="ignore"):
            powers = np.abs(np.broadcast_to(function(z), z.shape)) ** self.points
            return np.asarray(powers @ weights / np.sqrt(2 * np.pi))

    def _in_many_digits(
        self, K: Floats, D: Floats, scale: float, lost: float
    ) -> tuple[float, float]:
        """One entry with as many digits as its cancellation takes."""
        before = mpmath.nan
        known = np.isfinite(lost) and lost > 0
        for digits in (int(np.log10(lost) + 36),) if known else _DIGITS:
            with mpmath.workdps(digits):
                matrix, minors = _consistent(K, D)
                total = mpmath.mpf(0)
                for choice in product(*self.terms):
                    moment = TermMoment(choice=choice, K=matrix, D=minors, arithmetic=Big())
                    total += mpmath.re(moment.value)
                bound = _EPS * max(abs(total), mpmath.mpf(float(scale)))
                if abs(total) > np.finfo(float).max:
                    break
                if known or abs(total - before) <= bound:
                    return float(total), float(2 * bound)
                before = total
        raise AccuracyError(
            expected="a moment within the range of doubles",
            came=f"variances {np.diag(K).tolist()}, at which it is {mpmath.nstr(total, 5)}",
            remedy="lower the weight and bias scales",
        )


def _beyond(error: Floats, scale: Floats, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Those of the rows whose error is too large, or not a number."""
    return rows[~(error[rows] <= _ALLOWED * scale[rows])]


def _consistent(K: Floats, D: Floats) -> tuple[list[list[mpmath.mpf]], list[list[mpmath.mpf]]]:
    """K and D in mpmath's numbers, one from the other, whichever is known better."""
    k = range(len(K))
    matrix = [[mpmath.mpf(float(entry)) for entry in row] for row in K]
    minors = [[mpmath.mpf(float(entry)) for entry in row] for row in D]
    for a, b in product(k, k):
        whole = matrix[a][a] * matrix[b][b]
        if a == b:
            minors[a][b] = mpmath.mpf(0)
        elif minors[a][b] < whole / 2:
            matrix[a][b] = mpmath.sqrt(whole - minors[a][b]) * mpmath.sign(matrix[a][b])
        else:
            minors[a][b] = whole - matrix[a][b] ** 2
    return matrix, minors
