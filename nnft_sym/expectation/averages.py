"""Averages over one centred Gaussian as functions of its variance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import Z
from nnft_sym.expectation.closed import closed_form
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.expectation.cubature.moments import gaussian_moments
from nnft_sym.expectation.variables import covariance
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError

__all__ = ["Average"]

_K = sp.Symbol("K", positive=True)
_LARGEST = 1e150
_RTOL = 1e-13
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, kw_only=True)
class Average:
    """E[g(z)] + sum_i c_i p(t_i) for z ~ N(0, K), with p the density of z.

    Parameters
    ----------
    integrand : sympy.Expr
        g in z.
    deltas : tuple of (sympy.Expr, sympy.Expr)
        Pairs (t_i, c_i): delta functions in the integrand.

    Examples
    --------
    >>> Average(integrand=sp.Max(Z, 0) ** 2).closed(sp.Symbol("K"))
    K/2
    >>> value, error = Average(integrand=sp.tanh(Z) ** 2)(1.0)
    >>> round(value, 8), error < 1e-12
    (0.39429449, True)
    """

    integrand: sp.Expr
    deltas: tuple[tuple[sp.Expr, sp.Expr], ...] = ()

    @property
    def vanishes(self) -> bool:
        """Whether nothing is averaged at all."""
        return self.integrand == 0 and not self.deltas

    def closed(self, K: sp.Expr) -> sp.Expr | None:
        """The closed form at variance K, None if there is none."""
        form = closed_form((sp.expand(self.integrand),))
        if form is None:
            return None
        peaks = sp.Add(
            *(c * sp.exp(-(t**2) / (2 * K)) / sp.sqrt(2 * sp.pi * K) for t, c in self.deltas)
        )
        return form.expression.xreplace({covariance(1, 1): K}) + peaks

    def __call__(self, variance: float) -> tuple[float, float]:
        """Value and error bound at K > 0.

        Raises
        ------
        AccuracyError, InfiniteMomentError
            If the integral cannot be had, or is infinite.
        """
        value, error = 0.0, 0.0
        if self._expression is not None:
            value = self._from_closed_form(variance)
        elif self.integrand != 0:
            gram = Gram.from_matrix([[variance]])
            found = gaussian_moments(self._function, self._kinks, gram, {1: [[0]]}, rtol=_RTOL)[1]
            value, error = float(found.entries[0]), float(found.errors[0])
        for t, c in () if self._expression is not None else self.deltas:
            peak = float(c) * np.exp(-(float(t) ** 2) / (2 * variance))
            value += peak / np.sqrt(2 * np.pi * variance)
            error += 16 * _EPS * abs(peak) / np.sqrt(2 * np.pi * variance)
        return value, error + 4 * _EPS * abs(value)

    @cached_property
    def _expression(self) -> sp.Expr | None:
        return self.closed(_K)

    def _from_closed_form(self, variance: float) -> float:
        """Value by sympy, which raises its precision until cancellations are resolved."""
        number = self._expression.evalf(17, subs={_K: sp.Float(variance, 17)})  # type: ignore[union-attr]
        if not (number.is_real and number.is_finite):
            raise InfiniteMomentError(
                expected="a variance for which the average is finite",
                came=f"K = {variance:g} for {self.integrand}",
                remedy="lower the variance",
            )
        if abs(number) > _LARGEST:
            raise AccuracyError(
                expected=f"an average below {_LARGEST:g}",
                came=f"one of order 1e{int(sp.log(abs(number), 10))} at K = {variance:g}",
                remedy="lower the variance",
            )
        return float(number)

    @cached_property
    def _function(self) -> Callable[..., NDArray[np.float64]]:
        g = sp.lambdify(Z, self.integrand, modules=["scipy", "numpy"])
        return lambda z: np.broadcast_to(g(z), np.shape(z))

    @cached_property
    def _kinks(self) -> tuple[float, ...]:
        return find_kinks(self.integrand).thresholds
