"""One product of terms in numbers: its expectation, and a bound of what rounding does to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_sym.expectation.half_spaces.by_parts import Given, State, reduced
from nnft_sym.expectation.half_spaces.conditioning import Fields, Matrix
from nnft_sym.expectation.half_spaces.reading import EdgeTerm

__all__ = ["DivergentError", "TermMoment"]

NONE: Given = frozenset()


class DivergentError(ArithmeticError):
    """A term exp(βz²) grows faster than the Gaussian density falls."""


@dataclass(frozen=True, kw_only=True)
class _Boundary:
    """A half-space of the product, y = o (z_b - t + τξ), given the fields in some state.

    ``argument`` is E y/√(Var y), and ``size`` the same without cancellation between its terms.
    """

    point: int
    side: int
    threshold: Any
    noise: Any
    is_sign: bool
    deviation: Any
    argument: Any
    size: Any


@dataclass(frozen=True, kw_only=True)
class TermMoment:
    """E of ∏_a P_a(z_a) exp(α_a z_a + β_a z_a²) ∏ g(y), with at most two half-spaces.

    Parameters
    ----------
    choice : sequence of EdgeTerm
        One term for each factor.
    K, D : sequence of sequences
        Covariances of the centred fields and their 2×2 minors.
    arithmetic : Doubles or Big
        The numbers to compute with.

    Raises
    ------
    DivergentError
        If the expectation of a Gaussian factor is infinite.
    """

    choice: Sequence[EdgeTerm]
    K: Matrix
    D: Matrix
    arithmetic: Any

    @cached_property
    def _start(self) -> tuple[Any, Any, Any, Fields]:
        """Amplitude, log weight, its size, and the fields under the exponential factors."""
        number, k = self.arithmetic.number, range(len(self.choice))
        alpha = [number(term.linear) for term in self.choice]
        beta = [number(term.quadratic) for term in self.choice]
        centre = [0 * self.K[a][a] for a in k]
        fields = Fields(mean=centre, mean_size=centre, covariance=self.K, minors=self.D)
        amplitude = 1 + centre[0]
        # Falling factors first: all later spreads are then positive if the whole is finite.
        for b in sorted(k, key=lambda a: beta[a].real):
            if beta[b] != 0:
                spread = 1 - 2 * beta[b] * fields.covariance[b][b]
                if np.any(spread.real <= 0):
                    raise DivergentError
                amplitude = amplitude / self.arithmetic.sqrt(spread)
                fields = fields.seen(b, -2 * beta[b], 1, self.arithmetic)
        fields = fields.tilted(alpha)
        weight = sum((alpha[a] * fields.mean[a] for a in k), centre[0]) / 2
        size = sum((abs(alpha[a]) * fields.mean_size[a] for a in k), centre[0]) / 2
        return amplitude, weight, size, fields

    @cached_property
    def _boundaries(self) -> list[_Boundary]:
        fields = self._start[3]
        found = []
        for a, term in enumerate(self.choice):
            for edge in term.edges:
                threshold = self.arithmetic.number(edge.threshold)
                noise = self.arithmetic.number(edge.noise)
                deviation = self.arithmetic.sqrt(noise + fields.covariance[a][a])
                found.append(
                    _Boundary(
                        point=a,
                        side=edge.side,
                        threshold=threshold,
                        noise=noise,
                        is_sign=edge.is_sign,
                        deviation=deviation,
                        argument=edge.side * (fields.mean[a] - threshold) / deviation,
                        size=(fields.mean_size[a] + abs(threshold)) / deviation,
                    )
                )
        return found

    @cached_property
    def _pair(self) -> tuple[Any, Any, tuple[Any, Any]]:
        """ρ, 1 - ρ² and the conditional arguments of two half-spaces."""
        first, second = self._boundaries
        before, after = self._start[3], self._given[frozenset({0})]
        b = second.point
        rest = (after.covariance[b][b] + second.noise) / second.deviation**2
        shared = first.side * second.side * before.covariance[first.point][b]
        scale = first.deviation * second.deviation
        rho = self.arithmetic.correlation(shared, scale, rest)
        h, k = first.argument, second.argument
        return rho, rest, self.arithmetic.corner_slopes(h, k, rho, rest)

    @cached_property
    def _given(self) -> dict[Given, Fields]:
        """The fields with every subset of the half-space boundaries given."""
        found = {NONE: self._start[3]}
        for j, boundary in enumerate(self._boundaries):
            for given, fields in list(found.items()):
                found[given | {j}] = fields.given(
                    boundary.point, boundary.noise, boundary.threshold, self.arithmetic
                )
        return found

    def _transfer(self, given: Given, j: int, fields: Fields) -> list[Any]:
        """T_a = g' × o W_ab/√(2π Var y), which is 0 where y has no variance left."""
        boundary = self._boundaries[j]
        jump = boundary.side * (2 if boundary.is_sign else 1)
        deviation = boundary.deviation
        if given:
            deviation = deviation * self.arithmetic.sqrt(self._pair[1])
        scale = self.arithmetic.sqrt(2 * self.arithmetic.pi) * deviation
        column = [fields.covariance[a][boundary.point] for a in range(fields.points)]
        return [self.arithmetic.divide(jump * entry, scale, 0 * entry) for entry in column]

    def _coefficients(self, absolute: bool) -> dict[Given, Any]:
        """What each F_S[1] is multiplied by; or the sum of the absolute values of its terms."""
        states = {}
        for given, fields in self._given.items():
            left = [j for j in range(len(self._boundaries)) if j not in given]
            transfer = {j: self._transfer(given, j, fields) for j in left}
            mean, covariance = fields.mean, fields.covariance
            if absolute:
                mean = fields.mean_size
                covariance = [[abs(entry) for entry in row] for row in covariance]
                transfer = {j: [abs(entry) for entry in row] for j, row in transfer.items()}
            states[given] = State(mean=mean, covariance=covariance, transfer=transfer)
        number = self.arithmetic.number
        polynomials = [[number(c) for c in term.polynomial] for term in self.choice]
        if absolute:
            polynomials = [[abs(c) for c in polynomial] for polynomial in polynomials]
        return reduced(states, polynomials)

    def _weight(self, given: Given) -> Any:
        """Log weight of F_S: the exponential factors and the densities at the boundaries."""
        weight = self._start[1]
        if 0 in given:
            weight = weight - self._boundaries[0].argument ** 2 / 2
        if 1 in given:
            argument = self._pair[2][0] if 0 in given else self._boundaries[1].argument
            weight = weight - argument**2 / 2
        return weight

    @cached_property
    def _bases(self) -> Mapping[Given, Any]:
        """F_S[1], up to amplitudes."""
        count, arithmetic = len(self._boundaries), self.arithmetic
        bases: dict[Given, Any] = {}
        for given in self._given:
            weight, left = self._weight(given), [j for j in range(count) if j not in given]
            if not left:
                bases[given] = arithmetic.exp(weight)
            elif len(left) == 1:
                boundary = self._boundaries[left[0]]
                argument = boundary.argument if not given else self._pair[2][1 - left[0]]
                line = arithmetic.sign_line if boundary.is_sign else arithmetic.half_line
                bases[given] = line(weight, argument)
            else:
                bases[given] = self._both(weight)
        return bases

    @property
    def _centred(self) -> bool:
        plain = all(term.linear == 0 for term in self.choice)
        return plain and all(e.threshold == 0 for term in self.choice for e in term.edges)

    def _both(self, weight: Any) -> Any:
        """exp(w) E[g(y_1) g(y_2)]."""
        first, second = self._boundaries
        h, k = first.argument, second.argument
        rho, rest, slopes = self._pair
        arithmetic = self.arithmetic
        if first.is_sign and second.is_sign and self._centred:
            return arithmetic.exp(weight) * arithmetic.arcsine(rho, rest) * 2 / arithmetic.pi
        both = arithmetic.quadrant(weight, h, k, rho, rest, slopes)
        if first.is_sign and second.is_sign:
            lines = arithmetic.half_line(weight, h) + arithmetic.half_line(weight, k)
            return 4 * both - 2 * lines + arithmetic.exp(weight)
        if first.is_sign:
            return 2 * both - arithmetic.half_line(weight, k)
        if second.is_sign:
            return 2 * both - arithmetic.half_line(weight, h)
        return both

    @property
    def value(self) -> Any:
        """The expectation."""
        parts = self._coefficients(False)
        total = sum((c * self._bases[given] for given, c in parts.items()), 0 * self.K[0][0])
        return self._start[0] * total

    def size(self) -> NDArray[np.float64]:
        """Sum of the absolute values of all terms: in roundings, how far the value may be off."""
        amplitude, weight, weight_size, _ = self._start
        plain = np.exp(np.real(weight))
        total: Any = 0.0
        for given, coefficient in self._coefficients(True).items():
            scale = np.abs(self._bases[given]) * (1 + weight_size)
            for j, boundary in enumerate(self._boundaries):
                scale = scale + boundary.size * self._density(given, j)
            if len(self._boundaries) == 2 and not (given == NONE and self._centred):
                scale = scale + self._cancelling(given, plain)
            elif len(self._boundaries) == 1 and given == NONE and np.iscomplexobj(weight):
                scale = scale + plain
            total = total + coefficient * scale
        return np.abs(amplitude) * np.real(total)

    def _density(self, given: Given, j: int) -> Any:
        """How much F_S[1] changes, at most, with the argument of half-space j."""
        argument, weight = self._boundaries[j].argument, self._weight(given)
        if j in given:
            return np.abs(self._bases[given]) * np.abs(argument)
        if given:
            # Slopes are rounded together, as if the arguments were: their densities cancel.
            argument = self._pair[2][1 - j]
            return np.exp(weight - argument**2 / 2) * np.where(np.isinf(argument), 0.0, 1.0)
        density = weight - argument**2 / 2
        other = self._boundaries[1 - j] if len(self._boundaries) == 2 else None
        if other is None or other.is_sign:
            return np.exp(np.real(density))
        return self.arithmetic.half_line(density, self._pair[2][j])

    def _cancelling(self, given: Given, plain: Any) -> Any:
        """Probabilities that are differences of larger ones."""
        first, second = self._boundaries
        h, k = first.argument, second.argument
        if given:
            j = next((j for j in (0, 1) if j not in given), 0)
            slope = self._pair[2][1 - j] if len(given) == 1 else 0.0
            tilt = np.where(np.isinf(slope), 0.0, np.abs(slope))
            return 2 * tilt * np.exp(self._weight(given) - tilt**2 / 2)
        if first.is_sign and second.is_sign:
            return plain
        if first.is_sign or second.is_sign:
            return self.arithmetic.half_line(self._start[1], k if first.is_sign else h)
        small = (h <= 0) & (k <= 0) & (h**2 + self._pair[2][0] ** 2 >= 1)
        return np.where(small, 0.0, self.arithmetic.half_line(self._start[1], np.minimum(h, k)))
