r"""Sums over a lattice of sources: E prod_a f_a(u_a) = sum_k c_k1 ... c_kr χ(s_k1, ..., s_kr).

Shells of doubled size are added until what they add in absolute value is negligible.  Absolute
sums over shells decay at least as 1/K where the series converges by more than a logarithm, so
that what lies beyond is bounded by a multiple of the last shell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnft_sym.expectation.parameter_space.spreading import IndependentEvent
from nnft_sym.expectation.parameter_space.windows import WindowedFunction

__all__ = ["LatticeSum", "lattice_sum"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Complex = NDArray[np.complex128]

_FIRST = 8
_CHUNK = 1 << 17
_MOST = {1: 1 << 26, 2: 1 << 26, 3: 1 << 26, 4: 160_000_000}
# Beyond this, shells are added only if they promise an accuracy that is accepted.
_DEAR = 1 << 23
_LARGEST = 1 << 13
# Growth of shells, by the number of fields.
_GROWTH = {1: 2.0, 2: 2.0, 3: 1.5, 4: 1.5}
# What is asked of the tail, by the number of lattice points that the next shell costs.
_GOALS = ((1 << 20, 1e-13), (1 << 22, 1e-10), (1 << 24, 1e-8), (1 << 40, 3e-7))
_PRUNED = {1: 1e-15, 2: 1e-15, 3: 1e-11, 4: 1e-10}
_SLOWEST = 0.9
_EPS = np.finfo(np.float64).eps


@dataclass(frozen=True, kw_only=True)
class LatticeSum:
    """The value of a lattice sum and a bound on its error.

    Parameters
    ----------
    value, error : float
        The sum; what was left out, errors of the coefficients and rounding.
    points : int
        Lattice points visited.
    """

    value: float
    error: float
    points: int


def lattice_sum(
    functions: Sequence[WindowedFunction],
    slopes: Floats,
    events: Sequence[IndependentEvent],
    scale: float,
    accepted: float,
) -> LatticeSum:
    """Sum over the lattice of sources of r fields.

    Parameters
    ----------
    functions : sequence of WindowedFunction
        f_1, ..., f_r.
    slopes : ndarray, shape (r, parameters)
        The fields u_a = slopes[a]·(θ - E θ).
    events : sequence of IndependentEvent
        Events of θ.
    scale : float
        Size of the answer, to which its error is compared.
    accepted : float
        Largest error of use.
    """
    return _Shells(functions, slopes, events, scale, accepted).run()


class _Shells:
    def __init__(
        self,
        functions: Sequence[WindowedFunction],
        slopes: Floats,
        events: Sequence[IndependentEvent],
        scale: float,
        accepted: float,
    ) -> None:
        self.functions, self.scale, self.accepted = functions, scale, accepted
        self.steps = [f.step for f in functions]
        active = [e for e in events if np.any(slopes[:, e.columns])]
        self.factors = _merged(slopes, active)
        damped = [slopes[:, e.columns] for e in active if e.is_damped]
        rank = np.linalg.matrix_rank(np.hstack(damped)) if damped else 0
        self.is_damped = rank == len(functions) or all(e.is_damped for e in active)
        self.error = 0.0
        self.visited = 0

    def run(self) -> LatticeSum:
        r = len(self.functions)
        growth = _GROWTH[r]
        inner, outer, last = 0, _FIRST, np.inf
        total = float(np.prod([f.coefficients(_FIRST)[0][0].real for f in self.functions]))
        self.error += self._rounding(1) * abs(total)
        while True:
            c, errors = zip(*(f.coefficients(outer) for f in self.functions), strict=True)
            value, added, uncertain = self._shell(c, errors, inner, outer)
            total += value
            self.error += uncertain + self._rounding(outer) * added
            # Sums of terms that fall as 1/K^2 shrink by the growth from shell to shell.
            fall = added / last if last > 0 else 0.0
            ratio = max(fall, 1 / growth)
            tail = 2 * added * (ratio / (1 - ratio) if ratio < 1 else np.inf)
            if not self.is_damped:
                tail = self._undamped_tail(outer)
            inner, outer, last = outer, int(np.ceil(growth * outer)), added
            cost = (2 * outer + 1) ** r // 2
            goal = next(goal for most, goal in _GOALS if cost <= most)
            settled = outer > 24 and tail <= goal * self.scale
            hopeless = cost > _DEAR and tail * fall**2 > 10 * self.accepted
            if settled or hopeless or self.visited + cost > _MOST[r] or outer > _LARGEST:
                return LatticeSum(value=total, error=self.error + tail, points=self.visited)

    def _rounding(self, outer: int) -> float:
        """Relative error of a term: an argument of χ is as wrong as it is large."""
        sources = outer * np.array(self.steps)
        sizes = (np.sum(np.abs(slopes.T) @ sources) for _, slopes, _ in self.factors)
        return 4 * float(_EPS) * (len(self.factors) + float(max(sizes, default=0.0)))

    def _undamped_tail(self, count: int) -> float:
        """What coefficients alone leave out, for fields with atoms: |χ| <= 1 and no less."""
        sizes, tails = [], []
        for f in self.functions:
            c, error = f.coefficients(8 * count)
            size = np.abs(c)
            if not f.kinks:
                # Coefficients of a smooth function fall faster than any power, down to rounding.
                size = np.where(size > error, size, 0.0)
            octaves = [
                float(np.sum(size[n + 1 : 2 * n + 1])) for n in (count, 2 * count, 4 * count)
            ]
            ratio = max(octaves[2] / octaves[1] if octaves[1] > 0 else 0.0, 0.5)
            if ratio > _SLOWEST:
                return np.inf
            tails.append(2 * (sum(octaves) + 2 * octaves[2] * ratio / (1 - ratio)))
            sizes.append(float(size[0] + 2 * np.sum(size[1:])) + tails[-1])
        inside = [size - tail for size, tail in zip(sizes, tails, strict=True)]
        return float(np.prod(sizes) - np.prod(inside))

    def _shell(
        self,
        c: Sequence[Complex],
        errors: Sequence[float],
        inner: int,
        outer: int,
    ) -> tuple[float, float, float]:
        """Sum, absolute sum and error over inner < max|k| <= outer, as twice half of it."""
        value, added, uncertain = 0.0, 0.0, 0.0
        for axis in range(len(c)):
            ranges = []
            for other in range(len(c)):
                if other == axis:
                    ranges.append(np.arange(inner + 1, outer + 1))
                else:
                    edge = inner if other < axis else outer
                    ranges.append(np.arange(-edge, edge + 1))
            count = float(np.prod([len(k) for k in ranges]))
            self.visited += int(count)
            threshold = _PRUNED[len(c)] * self.scale / count
            self.error += 2 * _PRUNED[len(c)] * self.scale
            for k, weight in _products(ranges, c, threshold):
                chi, kept = self._characteristic(k, weight, threshold)
                terms = weight[kept] * chi
                value += 2 * float(np.sum(terms.real))
                added += 2 * float(np.sum(np.abs(terms)))
                level = np.zeros(len(chi))
                for a, error in enumerate(errors):
                    level += error / np.maximum(np.abs(c[a][np.abs(k[a][kept])]), 1e-300)
                uncertain += 2 * float(np.sum(np.minimum(level * np.abs(terms), np.abs(chi))))
        return value, added, uncertain

    def _characteristic(
        self, k: Sequence[Integers], weight: Complex, threshold: float
    ) -> tuple[Floats, Integers]:
        """χ at lattice points, and which points were kept: terms below the threshold are not."""
        kept = np.arange(len(weight))
        s = np.array([step * ka for step, ka in zip(self.steps, k, strict=True)])
        size = np.abs(weight)
        chi = np.ones(len(weight))
        for number, (event, slopes, power) in enumerate(self.factors):
            factor = event.characteristic(slopes, s)
            chi = chi * (factor if power == 1 else factor**power)
            if number % 4 == 0:
                keep = size * np.abs(chi) > threshold
                if not np.all(keep):
                    kept, s, size, chi = kept[keep], s[:, keep], size[keep], chi[keep]
        return chi, kept


def _merged(
    slopes: Floats, events: Sequence[IndependentEvent]
) -> list[tuple[IndependentEvent, Floats, int]]:
    """Factors of χ with their powers: equal ones once, the fastest decaying first."""
    found: dict[tuple, tuple[IndependentEvent, Floats, int]] = {}
    for event in events:
        own = slopes[:, event.columns]
        if event.sphere is None:
            lead = own[np.flatnonzero(own[:, 0])[0], 0]
            own = own * np.sign(lead)
        key = (event.density, own.tobytes())
        power = found[key][2] if key in found else 0
        found[key] = event, own, power + 1

    def spread(item: tuple[IndependentEvent, Floats, int]) -> float:
        return -item[2] * item[0].variance * float(np.sum(item[1] ** 2))

    return sorted(found.values(), key=spread)


def _products(
    ranges: Sequence[Integers], c: Sequence[Complex], threshold: float
) -> Iterator[tuple[list[Integers], Complex]]:
    """Lattice points of a box, in chunks, with the products of coefficients that count."""
    columns = []
    for k, ca in zip(ranges, c, strict=True):
        value = ca[np.abs(k)]
        columns.append((k, np.where(k < 0, np.conj(value), value)))
    largest = [float(np.max(np.abs(value), initial=0.0)) for _, value in columns]
    kept = []
    for a, (k, value) in enumerate(columns):
        others = float(np.prod([size for b, size in enumerate(largest) if b != a]))
        keep = np.abs(value) * others > threshold
        kept.append((k[keep], value[keep]))
    (first, weight), *rest = kept
    count = int(np.prod([len(k) for k, _ in rest]))
    if not count or not len(first):
        return
    tails = [grid.ravel() for grid in np.meshgrid(*(k for k, _ in rest), indexing="ij")]
    inner = np.ones(count, dtype=np.complex128)
    for grid in np.meshgrid(*(value for _, value in rest), indexing="ij"):
        inner = inner * grid.ravel()
    rows = max(1, _CHUNK // count)
    for start in range(0, len(first), rows):
        product = (weight[start : start + rows, None] * inner).ravel()
        places = np.flatnonzero(np.abs(product) > threshold)
        row, place = np.divmod(places, count)
        if len(places):
            yield [first[start + row], *(tail[place] for tail in tails)], product[places]
