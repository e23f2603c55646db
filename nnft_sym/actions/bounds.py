"""How errors of the correlators, and rounding, carry over to the couplings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from nnft_sym.actions.expansions import Graded, cumulant_vertices, diagram_sums
from nnft_sym.actions.frames import Frame
from nnft_sym.diagrams.diagram import Vertex
from nnft_sym.diagrams.rules import COUPLINGS_FROM_CUMULANTS
from nnft_sym.tensors import SymmetricTensor

__all__ = ["bare_coupling_bounds"]

ALL_POSITIVE = replace(COUPLINGS_FROM_CUMULANTS, overall=1, vertex_sign=1, line_sign=1)
"""The same diagrams without signs: they bound every sum."""


def bare_coupling_bounds(
    frame: Frame,
    elements: Mapping[int, SymmetricTensor],
    bare: Graded,
    errors: Mapping[int, SymmetricTensor],
    order: int,
) -> dict[int, SymmetricTensor]:
    """Return bounds on the errors of the bare couplings, free part included, to first order.

    Diagrams are monotonic in the absolute values of their vertices, so that the sum over diagrams
    without signs at |κ| + δκ, less the same at |κ|, bounds the change for |δκ| <= errors.  An
    error of G moves the whitened frame by η = |L⁻¹| δG |L⁻¹|ᵀ, each slot of a vertex by η/2.

    Parameters
    ----------
    frame : Frame
        The whitened frame.
    elements : mapping of int to SymmetricTensor
        Cumulants from the third on in it.
    bare : mapping of Vertex to SymmetricTensor
        Bare couplings.
    errors : mapping of int to SymmetricTensor
        Error bounds of the cumulants of f; those not given are rounding alone.
    order : int
        Highest power of N^{-1/2}.
    """
    enter = frame.enter
    assert enter is not None
    size, eps = np.abs(enter), float(np.finfo(np.float64).eps)
    rank = frame.rank
    shift = eps * rank * (frame.condition or 1.0)
    if 2 in errors:
        shift += float(np.linalg.norm(size @ errors[2].dense @ size.T, 2))
    low, high = {}, {}
    for k, tensor in elements.items():
        low[k] = tensor.map(np.abs)
        largest = float(np.max(low[k].entries))
        # The factor √r turns a spectral norm into one for single entries.
        moved = k * shift * np.sqrt(rank) * largest
        own = errors[k].transform(size).entries if k in errors else 0.0
        high[k] = SymmetricTensor(k, rank, low[k].entries + own + moved)
    upper = diagram_sums(cumulant_vertices(high, order), order, None, ALL_POSITIVE)
    lower = diagram_sums(cumulant_vertices(low, order), order, None, ALL_POSITIVE)
    changes: dict[int, SymmetricTensor] = {
        0: SymmetricTensor(0, rank, np.array([rank * shift])),
        2: SymmetricTensor.from_dense(np.full((rank, rank), shift)),
    }
    for place, tensor in bare.items():
        change = upper[place] - lower[place] + _moved(tensor, place, shift)
        k = place.valence
        changes[k] = changes[k] + change if k in changes else change
    return dict(sorted(changes.items()))


def _moved(tensor: SymmetricTensor, place: Vertex, shift: float) -> SymmetricTensor:
    """What a shift of the frame does to the legs of a bare coupling."""
    largest = float(np.max(np.abs(tensor.entries)))
    amount = place.valence * shift * np.sqrt(tensor.dimension) * largest
    return tensor.map(lambda entries: np.full(len(entries), amount))
