"""Two-point moments of smooth functions as Hermite series in the correlation (Mehler)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import VARIANCE, Activation, Z
from nnft_sym.expectation.cubature.moments import Values
from nnft_sym.expectation.cubature.reach import PointFunction, find_reach
from nnft_sym.language.errors import AccuracyError, SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = ["MehlerSeries"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_EPS = float(np.finfo(float).eps)
# Pairs summed together: three arrays of them stay in the cache.
_TOGETHER = 4096
# Coefficients times half the nodes of the quadrature that are affordable.
_TABLE = 8_000_000
_TINY = 1e-300
# Points between the nodes: |g| up to which they lie, and their steps.
_SEEN, _GOLDEN = 9.0, 0.6180339887498949


@dataclass(frozen=True, kw_only=True, eq=False)
class MehlerSeries(Shown):
    r"""E[φ_a(u) φ_b(v)] as a power series in the correlation ρ of u and v.

    .. math:: E[\phi_a(u)\,\phi_b(v)] = \sum_{n=0}^\infty c_n(a)\, c_n(b)\, \rho^n, \qquad
              c_n(a) = \frac{1}{\sqrt{n!}} E[\phi_a(s_a g)\, He_n(g)], \quad g \sim N(0, 1)

    What the sum up to N leaves out is at most
    :math:`|\rho|^{N+1} \sqrt{T_a T_b}` with :math:`T = E\phi^2 - \sum_{n \le N} c_n^2` (Parseval
    and Cauchy-Schwarz), whatever ρ.

    Parameters
    ----------
    coefficients : ndarray, shape (N + 1, m)
        c_n of m functions.
    norms : ndarray, shape (m,)
        E φ²: what the squares of all coefficients add up to.
    errors : ndarray, shape (m,)
        Bounds of the Euclidean norm of the errors of the coefficients of each function.

    Notes
    -----
    Source: [M66] Mehler 1866; Parseval's theorem for the Hermite polynomials.

    Examples
    --------
    >>> series = MehlerSeries.of("tanh(z)", [1.0, 2.0], terms=100)
    >>> value = series.sums(np.array([0]), np.array([1]), np.array([0.5]))
    >>> round(float(value.entries[0]), 12), bool(value.errors[0] < 1e-13)
    (0.209603079428, True)
    """

    coefficients: Floats
    norms: Floats
    errors: Floats

    def _table(self) -> Table:
        terms, functions = self.coefficients.shape
        return Table(
            title="Mehler series",
            rows=(
                ("functions", str(functions)),
                ("terms", str(terms)),
                ("largest error bound of coefficients", f"{np.max(self.errors):.1e}"),
            ),
            notes=("source: M66",),
        )

    def __repr__(self) -> str:
        terms, functions = self.coefficients.shape
        return f"MehlerSeries({functions} functions, {terms} terms)"

    @classmethod
    def of(cls, phi: Any, variances: Sequence[float], terms: int = 64) -> MehlerSeries:
        """Series of an activation at several variances.

        Parameters
        ----------
        phi : Activation, sympy.Expr or str
            A smooth φ(z) (with its variance k, for normalised activations).
        variances : sequence of float
            K_aa = s_a², at least 0.
        terms : int
            N + 1: number of coefficients.

        Raises
        ------
        AccuracyError
            If a function is too steep.
        InfiniteMomentError
            If E φ² is infinite.
        SpecificationError
            If a variance or the number of terms is not possible.
        """
        squares = np.asarray(variances, dtype=float)
        if squares.ndim != 1 or not np.all((squares >= 0) & (squares < np.inf)) or terms < 1:
            raise SpecificationError(
                expected="finite variances of at least 0, in one row, and at least one term",
                came=f"variances {variances}, {terms} terms",
                remedy="pass for example variances=[1.0, 2.0], terms=64",
            )
        s = np.sqrt(squares)
        function = sp.lambdify(
            (Z, VARIANCE), Activation.of(phi).expression, modules=["scipy", "numpy"]
        )

        def field(z: Floats, a: Indices) -> Floats:
            return np.broadcast_to(function(z, s[a] ** 2), np.shape(z))

        return cls.of_field(field, s, terms)

    @classmethod
    def of_field(cls, phi: PointFunction, deviations: Floats, terms: int) -> MehlerSeries:
        """Series of m functions phi(z, a) of fields of standard deviations s_a.

        The coefficients are trapezoidal sums, which converge faster than any power of the step
        for analytic functions; their error is bounded by what doubling the step changes.
        Features that the nodes might step over are looked for at other points, where the series
        must reproduce the functions up to its own tail; those narrower than about 1/300 of a
        standard deviation may escape.
        """
        points = np.arange(len(deviations))
        reach = find_reach(phi, deviations, {2: np.stack([points, points], axis=1)})
        step = np.pi / (np.sqrt(terms) + 12.0)
        while terms * reach.radius / step < _TABLE:
            # An even number of steps on each side, of which every second one is left out.
            half = 2 * int(reach.radius / step / 2)
            g = step * np.arange(-half, half + 1, dtype=np.float64)
            with np.errstate(all="ignore"):
                values = phi(deviations[:, None] * g, points[:, None])
            weighted = values * np.sqrt(step * np.exp(-(g**2) / 2) / np.sqrt(2 * np.pi))
            table = _hermite_functions(g, terms) * np.sqrt(step)
            fine, norms = table @ weighted.T, np.sum(weighted**2, axis=1)
            coarse = 2 * table[:, ::2] @ weighted[:, ::2].T
            size = np.sqrt(norms)
            change = np.linalg.norm(fine - coarse, axis=0)
            change += np.abs(norms - 2 * np.sum(weighted[:, ::2] ** 2, axis=1)) / (size + _TINY)
            rounding = 8 * _EPS * np.sqrt(terms) * size
            if np.all(change <= 2 * rounding):
                errors = change + rounding + _outside(phi, deviations, reach.radius)
                series = cls(coefficients=fine, norms=norms, errors=errors)
                series._check_between_nodes(phi, deviations)
                return series
            step /= 2
        raise AccuracyError(
            expected="functions that a trapezoidal rule resolves",
            came=f"one that needs steps below {2 * step:.3g} standard deviations",
            remedy="use smaller variances, or the cubature",
        )

    def _check_between_nodes(self, phi: PointFunction, deviations: Floats) -> None:
        """Compare the tails with the mean square of what the series misses at other points."""
        count = min(max(200_000 // len(deviations), 256), 2048)
        fractions = (np.arange(count) * _GOLDEN) % 1.0
        g = np.asarray(_SEEN * (2 * fractions - 1), dtype=np.float64)
        with np.errstate(all="ignore"):
            values = phi(deviations[:, None] * g, np.arange(len(deviations))[:, None])
        root = np.exp(-(g**2) / 4) / (2 * np.pi) ** 0.25
        series = _hermite_functions(g, len(self.coefficients)).T @ self.coefficients
        missed = values * root - series.T
        square = 2 * _SEEN * np.mean(missed**2, axis=1)
        if np.any(square > 16 * self.tails[-1]):
            raise AccuracyError(
                expected="functions without features narrower than the step of a quadrature",
                came="one that its Hermite series does not reproduce",
                remedy="use smaller variances, or the cubature",
            )

    @cached_property
    def tails(self) -> Floats:
        """T_N(a): bounds of the squares left out after each N, shape (N + 1, m)."""
        kept = np.cumsum(self.coefficients**2, axis=0)
        rounding = 4 * np.sqrt(self.norms) * self.errors
        return np.maximum(self.norms - kept, 0.0) + rounding

    @cached_property
    def _steepness(self) -> Floats:
        """sqrt(sum n c_n²), which multiplies relative errors of ρ."""
        n = np.arange(len(self.coefficients))[:, None]
        return np.sqrt(np.sum(n * self.coefficients**2, axis=0))

    def bound(self, a: Indices, b: Indices, rho: Floats, terms: int) -> Floats:
        """Largest possible |sum over n >= terms of c_n(a) c_n(b) ρ^n|."""
        tails = self.tails[terms - 1]
        return np.abs(rho) ** terms * np.sqrt(tails[a] * tails[b])

    def sums(self, a: Indices, b: Indices, rho: Floats) -> Values:
        """The series at pairs of functions, with bounds of all errors.

        Parameters
        ----------
        a, b : ndarray of int, shape (P,)
            Functions of each pair.
        rho : ndarray, shape (P,)
            Correlations.
        """
        size = np.sqrt(self.norms)
        entries, errors = np.empty(len(rho)), np.empty(len(rho))
        # Pairs of similar correlation need similar numbers of terms.
        order = np.argsort(-np.abs(rho), kind="stable")
        for start in range(0, len(order), _TOGETHER):
            block = order[start : start + _TOGETHER]
            i, j, r = a[block], b[block], rho[block]
            terms = self._enough(float(np.max(np.abs(r))))
            total = np.zeros(len(block))
            for row in self.coefficients[terms - 1 :: -1]:
                total *= r
                total += row[i] * row[j]
            entries[block] = total
            errors[block] = (
                self.bound(i, j, r, terms)
                + self.errors[i] * (size[j] + self.errors[j])
                + self.errors[j] * size[i]
                + 4 * _EPS * self._steepness[i] * self._steepness[j]
                + 4 * _EPS * size[i] * size[j]
            )
        return Values(entries=entries, errors=errors)

    def _enough(self, rho: float) -> int:
        """Number of terms after which more would not lower the bounds of the errors."""
        n = np.arange(1, len(self.coefficients) + 1)
        if rho < 1:
            with np.errstate(under="ignore"):
                left = rho**n * np.max(self.tails / (self.norms + _TINY), axis=1)
        else:
            left = np.max(self.tails / (self.norms + _TINY), axis=1)
        floor = 4 * _EPS
        small = np.flatnonzero(left <= floor)
        best = left <= 1.5 * left[-1]
        return int(small[0]) + 1 if small.size else int(np.flatnonzero(best)[0]) + 1

    def expression(self, a: int = 0, b: int = 0, digits: int = 12) -> sp.Expr:
        """The truncated series as a polynomial in the symbol rho.

        Examples
        --------
        >>> MehlerSeries.of("z**2", [1.0], terms=3).expression(digits=6)
        2.0*rho**2 + 1.0
        """
        rho = sp.Symbol("rho", real=True)
        products = self.coefficients[:, a] * self.coefficients[:, b]
        noise = np.sqrt(self.norms[a] * self.norms[b]) * 1e3 * _EPS
        return sp.Add(
            *(sp.Float(c, digits) * rho**n for n, c in enumerate(products) if abs(c) > noise)
        )


def _outside(phi: PointFunction, deviations: Floats, radius: float) -> Floats:
    """Root of E[φ²; |g| > radius], which no coefficient vector can exceed in norm."""
    s = radius * np.linspace(1.0, 3.0, 201)
    points = np.arange(len(deviations))[:, None]
    with np.errstate(all="ignore"):
        z = deviations[:, None] * s
        size = np.maximum(np.abs(phi(z, points)), np.abs(phi(-z, points)))
        density = np.exp(2 * np.log(size) - s**2 / 2)
    density[~np.isfinite(density)] = 0.0
    return np.asarray(np.sqrt(np.sum(density, axis=1) * (s[1] - s[0])))


def _hermite_functions(g: Floats, terms: int) -> Floats:
    """Orthonormal Hermite functions He_n(g) exp(-g²/4) / sqrt(n! sqrt(2π)), by recurrence in n."""
    table = np.empty((terms, len(g)))
    table[0] = np.exp(-(g**2) / 4) / (2 * np.pi) ** 0.25
    if terms > 1:
        table[1] = g * table[0]
    for n in range(1, terms - 1):
        table[n + 1] = (g * table[n] - np.sqrt(n) * table[n - 1]) / np.sqrt(n + 1)
    return table
