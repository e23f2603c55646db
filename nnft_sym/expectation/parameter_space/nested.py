"""Adaptive cubature over atoms and at most two coordinates, all moments at once.

Cells on which the integrand is smooth carry tensor Gauss-Legendre rules; the last Legendre
coefficients of the integrand bound the error, and the direction in which they are larger is
halved.  Infinite ranges grow by doubling until what is added is negligible.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.expectation.parameter_space.cells import Cells, cell_rule
from nnft_sym.expectation.parameter_space.events import Axis
from nnft_sym.expectation.parameter_space.product_sums import finite_sum, products
from nnft_sym.expectation.parameter_space.strips import Combinations, Creases, ordered_axes
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError, SpecificationError
from nnft_sym.tensors import multi_indices, rank_of

__all__ = ["Combinations", "integrate"]

Floats = NDArray[np.float64]

_TOLERANCE = 2e-14
_ACCEPTED = 1e-10
_CELLS = 40_000
# Values of products at nodes that are worth a convergence in doubt: some seconds.
_WORK = 1 << 27
_BUDGET = 1 << 22
_DEPTH = 400
_REACH = 8.0
_DOUBLINGS = 12
_EPS = np.finfo(np.float64).eps
_SHIFTS = 16
_LATTICE = 4096
# Powers of the golden and the plastic number: lattices of one and two dimensions.
_GENERATOR = {
    1: np.array([0.6180339887498949]),
    2: np.array([0.7548776662466927, 0.5698402909980532]),
}
# Parts of a strip beside a transition, down to the width at which it is still noticed.
_GRADED = np.array([0, 1e-4, 1e-3, 1e-2, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1])


def integrate(
    neuron: sp.Expr,
    weight: sp.Expr,
    inputs: tuple[sp.Symbol, ...],
    X: Floats,
    combinations: Combinations,
    axes: tuple[Axis, ...],
    orders: list[int],
) -> dict[int, tuple[Floats, Floats]]:
    """Integrate all moments over the rows of X: unique entries, with error bounds.

    Parameters
    ----------
    neuron, weight : sympy.Expr
        h and the density of the coordinates.
    inputs : tuple of sympy.Symbol
        x.
    X : ndarray, shape (n, d)
        Points.
    combinations : Combinations
        Discrete parameters.
    axes : tuple of Axis
        At most two coordinates.
    orders : list of int
        k ≥ 1.

    Raises
    ------
    AccuracyError
        If the errors exceed 1e-10 of max_a E|h(x_a)|^k.
    SpecificationError
        If h is undefined on a part of the range of the coordinates.
    InfiniteMomentError
        If the integral over an infinite range diverges.
    """
    if not axes:
        return finite_sum(neuron, inputs, X, combinations, orders)
    return _Adaptive(neuron, weight, inputs, X, combinations, axes, orders).run()


class _Adaptive:
    def __init__(
        self,
        neuron: sp.Expr,
        weight: sp.Expr,
        inputs: tuple[sp.Symbol, ...],
        X: Floats,
        combinations: Combinations,
        axes: tuple[Axis, ...],
        orders: list[int],
    ) -> None:
        self.neuron, self.X, self.combinations, self.orders = neuron, X, combinations, orders
        self.axes = ordered_axes(neuron, weight, axes)
        self.creases = Creases(neuron, weight, inputs, X, combinations, self.axes)
        self.rule = cell_rule(len(self.axes))
        self.nodes, self.rules = self.rule.nodes, self.rule.weights
        symbols = tuple(axis.symbol for axis in self.axes)
        given = (*inputs, *combinations.names, *symbols)
        self.h = sp.lambdify(given, neuron, modules=["scipy", "numpy"])
        self.density = sp.lambdify(symbols, weight, modules=["scipy", "numpy"])
        n = len(X)
        self.value = {k: np.zeros(len(multi_indices(k, n))) for k in orders}
        self.error = {k: np.zeros(len(multi_indices(k, n))) for k in orders}
        self.absolute = {k: np.zeros(n) for k in orders}

    def run(self) -> dict[int, tuple[Floats, Floats]]:
        added: list[float] = []
        for level in range(_DOUBLINGS + 1):
            before = {k: self.absolute[k].copy() for k in self.orders}
            cells = Cells.joined([self._cells(box) for box in self._rectangles(level)])
            self._size_up(cells, is_first=level == 0)
            if all(np.isfinite([end for axis in self.axes for end in self._ends(axis)])):
                self._add(cells)
                self._probe()
                break
            shells = {k: float(np.max(self.absolute[k] - before[k])) for k in self.orders}
            added.append(max(shells[k] / max(self._scale(k), 1e-300) for k in self.orders))
            self._check_tail(added)
            self._add(cells)
            if level == 0:
                self._probe()
            if level and added[-1] <= _TOLERANCE:
                # What lies beyond is less than the last shell, where shells shrink.
                for k in self.orders:
                    self.error[k] += shells[k]
                break
        else:
            raise self._inaccurate(f"a tail that still adds {added[-1]:.1e}")
        return self._checked()

    def _probe(self) -> None:
        """Compare E h^k over the first box with a shifted lattice rule, for even orders.

        The cells see an integrand at their nodes only.  A feature between them shows as a sum
        over an independent set of points that is larger by far more than its own spread.
        """
        box = np.array([self._range(axis, 0) for axis in self.axes])
        rng = np.random.default_rng(0)
        shifts = rng.random((_SHIFTS, 1, len(box)))
        places = (np.arange(_LATTICE)[:, None] * _GENERATOR[len(box)] + shifts) % 1.0
        coordinates = box[:, 0] + (box[:, 1] - box[:, 0]) * places
        chances = self.combinations.probabilities / np.sum(self.combinations.probabilities)
        chosen = rng.choice(len(chances), size=places.shape[:2], p=chances)
        atoms = self.combinations.atoms[chosen]
        h, density = self._at(atoms, [coordinates[..., j] for j in range(len(box))])
        n = len(self.X)
        for k in self.orders:
            if k % 2:
                continue
            with np.errstate(all="ignore"):
                blocks = np.mean(h**k * density[..., None], axis=1)
            blocks = (
                blocks * np.prod(box[:, 1] - box[:, 0]) * np.sum(self.combinations.probabilities)
            )
            found = self.value[k][rank_of(np.tile(np.arange(n)[:, None], k), n)]
            spread = np.std(blocks, axis=0, ddof=1) / np.sqrt(_SHIFTS)
            if np.any(np.mean(blocks, axis=0) - found > 8 * spread + 1e-6 * np.abs(found)):
                raise self._inaccurate("a feature too narrow for the cells")

    def _at(self, atoms: Floats, coordinates: list[Floats]) -> tuple[Floats, Floats]:
        """Neuron (B, Q, n) and density (B, Q) at coordinates (B, Q)."""
        with np.errstate(all="ignore"):
            h = self.h(
                *(column[None, None, :] for column in self.X.T),
                *(atoms[..., j][..., None] for j in range(atoms.shape[-1])),
                *(c[:, :, None] for c in coordinates),
            )
            density = np.asarray(self.density(*coordinates), dtype=np.float64)
        shape = coordinates[0].shape
        h = np.broadcast_to(np.asarray(h, dtype=np.float64), (*shape, len(self.X)))
        return h, np.broadcast_to(density, shape)

    def _ends(self, axis: Axis) -> tuple[float, float]:
        return float(axis.low), float(axis.high)

    def _check_tail(self, added: list[float]) -> None:
        grows = len(added) > 3 and all(ratio > 0.3 for ratio in added[-3:])
        overflows = len(added) > 1 and not np.isfinite(added[-1])
        if overflows or grows:
            raise InfiniteMomentError(
                expected="a moment that is finite",
                came=f"{self.neuron}, whose tail grows faster than its density decays",
                remedy="lower the order or the scale of the parameters",
            )

    def _scale(self, order: int) -> float:
        return float(np.max(self.absolute[order]))

    def _range(self, axis: Axis, level: int) -> tuple[float, float]:
        low, high = self._ends(axis)
        reach = _REACH * 2.0**level * float(axis.scale)
        centre = float(axis.centre)
        return (
            low if np.isfinite(low) else centre - reach,
            high if np.isfinite(high) else centre + reach,
        )

    def _rectangles(self, level: int) -> Iterator[tuple[tuple[float, float], ...]]:
        """Box of the level less the box of the level before."""
        box = [self._range(axis, level) for axis in self.axes]
        if level == 0:
            yield tuple(box)
            return
        inside = [self._range(axis, level - 1) for axis in self.axes]
        for number, ((low, high), (near, far)) in enumerate(zip(box, inside, strict=True)):
            rest = (inside[:number], box[number + 1 :])
            for side in ((low, near), (far, high)):
                if side[1] > side[0]:
                    yield (*rest[0], side, *rest[1])

    def _size_up(self, cells: Cells, is_first: bool) -> None:
        """Add the absolute moments ∫|h_a|^k over cells, unrefined, to the scales."""
        for batch in self._batches(cells):
            h, weights = self._evaluate(batch)
            if is_first and np.any(np.all(np.isnan(h[:, self.rule.inside]), axis=1)):
                raise SpecificationError(
                    expected="a neuron that is a real number wherever its parameters may lie",
                    came=f"{self.neuron}, which is undefined on a part of their range",
                    remedy="take densities that live where it is defined, such as Uniform(0, 1)",
                )
            for k in self.orders:
                with np.errstate(all="ignore"):
                    sizes = np.einsum("bq,bqn->n", weights[k] * self.rules[0], np.abs(h) ** k)
                self.absolute[k] += sizes

    def _add(self, cells: Cells) -> None:
        entries = max(len(v) for v in self.value.values())
        affordable = min(_CELLS, _WORK // (self.rules.shape[1] * entries))
        processed, most = 0, affordable + 4 * len(cells)
        while len(cells):
            processed += len(cells)
            if processed > most:
                raise self._inaccurate(f"no convergence within {processed} cells")
            cells = Cells.joined([self._refine(batch) for batch in self._batches(cells)])

    def _cells(self, rectangle: tuple[tuple[float, float], ...]) -> Cells:
        """First cells: cuts of u by the creases, and every strip that is not empty."""
        (low, high), *inner = rectangle
        v_range = inner[0] if inner else None
        parts = []
        for member in range(len(self.combinations.probabilities)):
            cuts = self.creases.breaks(member, low, high, v_range)
            longest = (high - low) / (4 if inner else 8)
            edges = np.concatenate(
                [
                    np.linspace(a, b, int(np.ceil((b - a) / longest)) + 1)[:-1]
                    for a, b in pairwise(cuts)
                ]
                + [[high]]
            )
            if self.creases.is_steep and not inner:
                steps = np.diff(edges)[:, None] * _GRADED[:-1]
                edges = np.append((edges[:-1, None] + steps).ravel(), high)
            parts.append(self._row(member, edges, v_range))
        return Cells.joined(parts)

    def _row(self, member: int, edges: Floats, inner: tuple[float, float] | None) -> Cells:
        count = self.creases.strip_count if inner else 1
        parts = _GRADED if self.creases.is_steep else np.array([0.0, 0.5, 1.0])
        parts = parts if inner else np.array([0.0, 1.0])
        u0, strip, piece = (
            grid.ravel()
            for grid in np.meshgrid(
                np.arange(len(edges) - 1),
                np.arange(count),
                np.arange(len(parts) - 1),
                indexing="ij",
            )
        )
        low, high = inner if inner else (0.0, 1.0)
        size = len(u0)
        cells = Cells(
            member=np.full(size, member),
            u0=edges[u0],
            u1=edges[u0 + 1],
            low=np.full(size, low),
            high=np.full(size, high),
            strip=strip,
            v0=parts[piece],
            v1=parts[piece + 1],
            depth=np.zeros(size, dtype=np.intp),
        )
        if not inner:
            return cells
        u = cells.u0[:, None] + (cells.u1 - cells.u0)[:, None] * self.nodes
        keep = np.zeros(size, dtype=bool)
        for start in range(0, size, 512):
            rows = slice(start, start + 512)
            c = cells[rows]
            ends = self.creases.strips(c.member, u[rows], c.low, c.high)
            pick = c.strip[:, None, None] + np.array([0, 1])
            pair = np.take_along_axis(ends, np.broadcast_to(pick, (*ends.shape[:2], 2)), axis=2)
            keep[rows] = np.any(pair[..., 1] > pair[..., 0], axis=1)
        return cells[keep]

    def _batches(self, cells: Cells) -> Iterator[Cells]:
        nodes = self.rules.shape[1]
        entries = max(len(v) for v in self.value.values())
        size = max(1, min(512, _BUDGET // (nodes * entries)))
        for start in range(0, len(cells), size):
            yield cells[start : start + size]

    def _evaluate(self, cells: Cells) -> tuple[Floats, dict[int, Floats]]:
        """Scaled neuron (B, Q, n) and, for each order, the weight (B, Q) of its products.

        The density P is shared out, h P^{1/K} and P^{1-k/K} with K the highest order, so that
        growing neurons do not overflow where the product is finite.
        """
        q = len(self.nodes)
        width = cells.u1 - cells.u0
        u = cells.u0[:, None] + width[:, None] * self.nodes
        measure = np.broadcast_to(width[:, None], u.shape)
        coordinates = [u]
        if len(self.axes) == 2:
            ends = self.creases.strips(cells.member, u, cells.low, cells.high)
            pick = np.broadcast_to(
                cells.strip[:, None, None] + np.array([0, 1]), (len(cells), q, 2)
            )
            ends = np.take_along_axis(ends, pick, axis=2)
            span = ends[..., 1] - ends[..., 0]
            part = cells.v0[:, None] + (cells.v1 - cells.v0)[:, None] * self.nodes
            v = ends[..., :1] + span[..., None] * part[:, None, :]
            volume = (width * (cells.v1 - cells.v0))[:, None] * span
            measure = np.repeat(volume, q, axis=1)
            coordinates = [np.repeat(u, q, axis=1), v.reshape(len(cells), -1)]
        atoms = self.combinations.atoms[cells.member][:, None, :]
        h, density = self._at(atoms, coordinates)
        highest = max(self.orders)
        root = density[..., None] ** (1 / highest)
        with np.errstate(all="ignore"):
            scaled = np.where(root > 0, h * root, 0.0)
        # A singularity at an end is no feature that the nodes have missed.
        scaled[:, ~self.rule.inside] = np.nan_to_num(
            scaled[:, ~self.rule.inside], nan=0.0, posinf=0.0, neginf=0.0
        )
        volume = measure * self.combinations.probabilities[cells.member][:, None]
        return scaled, {k: volume * density ** (1 - k / highest) for k in self.orders}

    def _refine(self, cells: Cells) -> Cells:
        """Add the cells that are resolved and return halves of the others."""
        h, weights = self._evaluate(cells)
        accept = np.ones(len(cells), dtype=bool)
        along_u = np.zeros(len(cells))
        found = []
        for k, sums in self._sums(h, weights).items():
            with np.errstate(all="ignore"):
                in_u, in_v, hidden = self.rule.errors(sums)
                sizes = np.einsum("bq,q,bqn->bn", weights[k], self.rules[0], np.abs(h) ** k)
                error = hidden + _sharpened(in_u + in_v, np.max(sizes, axis=1, keepdims=True))
            finite = np.isfinite(error)
            error, in_u, in_v = (
                np.where(finite, e, big) for e, big in ((error, np.inf), (in_u, 0.0), (in_v, 0.0))
            )
            worst = np.max(error, axis=1)
            scale = self._scale(k)
            accept &= worst <= _TOLERANCE * scale
            lean = np.max(in_u, axis=1, initial=0.0) - np.max(in_v, axis=1, initial=0.0)
            along_u += np.nan_to_num(lean / max(scale, 1e-300), nan=0.0)
            found.append((k, sums[:, :, 0], error))
        stuck = (cells.depth >= _DEPTH) | (
            cells.u1 - cells.u0 <= 8 * _EPS * np.maximum(np.abs(cells.u0), np.abs(cells.u1))
        )
        done = accept | stuck
        for k, value, error in found:
            self.value[k] += np.sum(value[done], axis=0)
            self.error[k] += np.sum(error[done], axis=0)
        rest = cells[~done]
        direction = along_u[~done] >= 0
        if len(self.axes) == 1:
            direction = np.ones(len(rest), dtype=bool)
        return rest.halves(direction)

    def _sums(self, h: Floats, weights: dict[int, Floats]) -> dict[int, Floats]:
        """Every rule applied to every product: (B, entries, rules), a slice of nodes at a time."""
        total: dict[int, Floats] = {}
        entries = max(len(v) for v in self.value.values())
        step = max(1, 4 * _BUDGET // (len(h) * entries))
        for start in range(0, h.shape[1], step):
            nodes = slice(start, start + step)
            with np.errstate(all="ignore"):
                for k, block in products(h[:, nodes], self.orders):
                    loads = weights[k][:, nodes, None] * self.rules.T[nodes]
                    part = np.swapaxes(block, 1, 2) @ loads
                    total[k] = total[k] + part if k in total else part
        return total

    def _checked(self) -> dict[int, tuple[Floats, Floats]]:
        result = {}
        for k in self.orders:
            scale = self._scale(k)
            bound = self.absolute[k] ** (1 / k)
            size = np.prod(bound[multi_indices(k, len(self.X))], axis=1)
            error = self.error[k] + 8 * _EPS * (k + 8) * size
            worst = float(np.max(error))
            if not np.all(np.isfinite(self.value[k])) or not worst <= _ACCEPTED * scale:
                raise self._inaccurate(f"an error of {worst:.1e} at a scale of {scale:.1e}")
            result[k] = self.value[k], error
        return result

    def _inaccurate(self, came: str) -> AccuracyError:
        names = ", ".join(axis.symbol.name for axis in self.axes)
        return AccuracyError(
            expected=f"moments of {self.neuron} to {_ACCEPTED:g} of their scale",
            came=f"{came}, at effective dimension {len(self.axes)} ({names})",
            remedy="check that the moment is finite; else smooth the neuron, use Gaussian "
            "weights, or estimate by sampling",
        )


def _sharpened(error: Floats, size: Floats) -> Floats:
    """Error of a rule from that of its last coefficients, where these are small.

    A Gauss rule of n nodes errs by a coefficient of order 2n, of about the square of the last
    ones it resolves; the power 3/2 and the factor 200 are those of QUADPACK.
    """
    sharp = size * (200 * error / np.maximum(size, 1e-300)) ** 1.5
    return np.minimum(error, sharp)
