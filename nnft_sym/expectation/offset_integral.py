"""Numerical moments of φ(z) and of φ(u + b) with an independent bias b of any density."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np
import sympy as sp
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray

from nnft_sym.activations import VARIANCE
from nnft_sym.density import Density
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.expectation.cubature.moments import Values
from nnft_sym.expectation.domain import require_moment
from nnft_sym.expectation.evaluation import numeric_moments
from nnft_sym.expectation.law import Moments
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError
from nnft_sym.tensors import SymmetricTensor, multi_indices

__all__ = ["integral_moments"]

TOLERANCE = 1e-10
"""Error allowed relative to the largest moment of an order."""

_PANEL_NODES = 10
_LARGEST_PANELS = 256
_TAIL = 90.0
"""Scales of an exponential tail after which its weight is below rounding."""

Floats = NDArray[np.float64]


def integral_moments(
    phi: sp.Expr, gram: Gram, orders: Sequence[int], offset: Density | None
) -> dict[int, Moments]:
    """Moments of φ over the points of a Gram matrix, with error bounds.

    Parameters
    ----------
    phi : sympy.Expr
        φ in z (and k = K_aa, for normalised activations).
    gram : Gram
        Covariance of the Gaussian part over n points.
    orders : sequence of int
        Orders of the moments.
    offset : Density or None
        Density, with numbers, of an independent bias.

    Returns
    -------
    dict of int to Moments

    Raises
    ------
    AccuracyError
        If the accuracy of 1e-10 of the largest moment cannot be met.
    InfiniteMomentError
        If a moment is infinite.
    """
    n = len(gram)
    for order in orders:
        require_moment(phi, order)
    added = 0.0 if offset is None else float(offset.moment(2))
    index_sets = {order: multi_indices(order, n) for order in orders}
    if offset is None:
        found = _at_offset(phi, gram, index_sets, 0.0, added)
    elif offset.is_point_mass:
        found = _at_offset(phi, gram, index_sets, float(offset.moment(1)), added)
    elif offset.atoms():
        found = _mixture(
            [(float(b), float(p)) for b, p in offset.atoms()],
            lambda b: _at_offset(phi, gram, index_sets, b, added),
        )
    else:
        found = _integrated(phi, gram, index_sets, offset)
    return {
        order: Moments(
            values=SymmetricTensor(order, n, value.entries),
            errors=SymmetricTensor(order, n, value.errors),
        )
        for order, value in found.items()
    }


def _at_offset(
    phi: sp.Expr, gram: Gram, index_sets: dict[int, NDArray[np.intp]], b: float, added: float
) -> dict[int, Values]:
    """Moments of φ(u + b) at one bias; its second moment is added to that of u in k = E z²."""
    if phi.has(VARIANCE):
        phi = phi.xreplace({VARIANCE: VARIANCE + sp.Float(added)})
    return numeric_moments(phi, gram, index_sets, shift=b, rtol=TOLERANCE / 10)


def _mixture(
    nodes: Iterable[tuple[float, float]], moments: Callable[[float], dict[int, Values]]
) -> dict[int, Values]:
    total: dict[int, Values] = {}
    for b, weight in nodes:
        for order, value in moments(b).items():
            before = total.get(order)
            entries, errors = weight * value.entries, abs(weight) * value.errors
            total[order] = Values(
                entries=entries if before is None else before.entries + entries,
                errors=errors if before is None else before.errors + errors,
            )
    return total


def _integrated(
    phi: sp.Expr, gram: Gram, index_sets: dict[int, NDArray[np.intp]], offset: Density
) -> dict[int, Values]:
    """Adaptive Gauss-Legendre panels over the bias, split where φ or its density has a kink."""
    b = sp.Symbol("b", real=True)
    log_density = sp.lambdify(b, offset.log_density(b), modules="numpy")
    low, high, inner = _range(offset)
    kinks = [*find_kinks(phi.xreplace({VARIANCE: sp.Integer(1)})).thresholds, *inner]
    edges = [low, *sorted({t for t in kinks if low < t < high}), high]
    x, w = leggauss(_PANEL_NODES)

    def panel(left: float, right: float) -> dict[int, Values]:
        half = (right - left) / 2
        nodes = left + half * (x + 1)
        weights = half * w * np.exp(np.broadcast_to(log_density(nodes), nodes.shape))
        return _mixture(
            zip(nodes.tolist(), weights.tolist(), strict=True),
            lambda value: _at_offset(phi, gram, index_sets, value, float(offset.moment(2))),
        )

    pending = [(left, right, panel(left, right)) for left, right in pairwise(edges)]
    scale = {k: max(np.max(np.abs(p[k].entries)) for *_, p in pending) for k in index_sets}
    accepted: list[dict[int, Values]] = []
    panels = len(pending)
    while pending:
        left, right, coarse = pending.pop()
        middle = (left + right) / 2
        halves = [panel(left, middle), panel(middle, right)]
        fine = _sum(halves)
        defect = {k: np.abs(fine[k].entries - coarse[k].entries) for k in index_sets}
        if all(np.max(defect[k]) <= TOLERANCE / 10 * scale[k] for k in index_sets):
            accepted.append(
                {
                    k: Values(entries=fine[k].entries, errors=fine[k].errors + defect[k])
                    for k in index_sets
                }
            )
            continue
        panels += 2
        if panels > _LARGEST_PANELS:
            raise AccuracyError(
                expected=f"moments to {TOLERANCE:g} of their scale",
                came=f"an integral over the bias {offset} that did not converge",
                remedy="use a Gaussian bias, or a smoother activation",
            )
        pending += [(left, middle, halves[0]), (middle, right, halves[1])]
    total = _sum(accepted)
    if offset.tail != 0:
        for end in (low, high):
            step = math.copysign(float(offset.tail), end)
            near, far = panel(end, end + step), panel(end + step, end + 2 * step)
            _check_tail(near, far, total, offset)
    return total


def _check_tail(
    near: dict[int, Values], far: dict[int, Values], total: dict[int, Values], offset: Density
) -> None:
    """Refuse a moment to which the bias contributes from far out in its exponential tail."""
    for order, value in total.items():
        inner, outer = (np.max(np.abs(part[order].entries)) for part in (near, far))
        if not inner <= TOLERANCE / 10 * np.max(np.abs(value.entries)):
            grows = not outer < inner
            raise (InfiniteMomentError if grows else AccuracyError)(
                expected="a bias whose tail falls off faster than the activation grows",
                came=f"{offset}, for which moment {order} "
                + ("is infinite" if grows else "converges too slowly"),
                remedy="lower the scale of the bias, or use a Gaussian bias",
            )


def _sum(parts: Sequence[dict[int, Values]]) -> dict[int, Values]:
    return {
        order: Values(
            entries=np.sum([part[order].entries for part in parts], axis=0),
            errors=np.sum([part[order].errors for part in parts], axis=0),
        )
        for order in parts[0]
    }


def _range(offset: Density) -> tuple[float, float, list[float]]:
    """Ends of the integration and the kinks of the density inside."""
    low, high = (float(end) for end in offset.support())
    mean = float(offset.moment(1))
    spread = float(offset.moment(2) - offset.moment(1) ** 2) ** 0.5
    inner = [] if np.isfinite(low) and np.isfinite(high) else [mean]
    return max(low, mean - _TAIL * spread), min(high, mean + _TAIL * spread), inner
