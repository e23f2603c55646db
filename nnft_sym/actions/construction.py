"""Actions from raw cumulants, in numbers or symbols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.actions.at_points import ActionAtPoints
from nnft_sym.actions.exact import exact_frame
from nnft_sym.actions.expansions import bare_couplings, cumulant_vertices, highest_degree
from nnft_sym.actions.frames import Frame, whitened
from nnft_sym.diagrams.contraction import boxed
from nnft_sym.exactness import Exactness
from nnft_sym.language.errors import InfiniteMomentError, SpecificationError
from nnft_sym.tensors import SymmetricTensor

__all__ = ["Singular", "action_from_cumulants", "cumulant_symbols"]

Singular = Literal["raise", "project"]
"""What to do where the covariance has no inverse."""

OUT_OF_RANGE = 1e-7
"""Share of a cumulant along directions without variance that is put down to rounding."""


def action_from_cumulants(
    cumulants: Mapping[int, Any],
    *,
    order: int | None = None,
    singular: Singular = "raise",
    names: Sequence[str] | None = None,
    exactness: Exactness | None = None,
    errors: Mapping[int, SymmetricTensor] | None = None,
) -> ActionAtPoints:
    """Return the Edgeworth action of a field over n points from its cumulants.

    Cumulants κ_k count as order N^{1-k/2}.  Odd ones and a mean (κ_1) are welcome; odd ones not
    given are zero.

    Parameters
    ----------
    cumulants : mapping of int to array_like, SymmetricTensor or expression
        Joint cumulants κ_k of shape (n,)*k; a number or expression alone is one point.  2, the
        covariance, and 4 to 2·order + 2 must be there; higher ones are not used.
    order : int, optional
        p: terms through N^{-p} are kept; by default as many as the cumulants allow.
    singular : {"raise", "project"}
        Refuse a covariance without inverse, or take the pseudo-inverse and report the directions
        projected out.
    names : sequence of str, optional
        What to call the n fields in messages.
    exactness : Exactness, optional
        What the cumulants leave out.
    errors : mapping of int to SymmetricTensor, optional
        Error bounds of the cumulants, carried over to the couplings.

    Returns
    -------
    ActionAtPoints

    Raises
    ------
    SpecificationError
        If cumulants are missing, not symmetric or of different dimensions, or G is singular.
    InfiniteMomentError
        If a cumulant is not finite.

    Notes
    -----
    Source: [D23] section 3; one diagram expansion to any order.

    Examples
    --------
    >>> k = sp.Symbol("k")
    >>> S = action_from_cumulants({2: 1, 4: k, 6: 0})
    >>> {j: g.entries[0] for j, g in S.items() if j}
    {2: 2*k**2/3 + k/2 + 1, 4: -7*k**2/2 - k, 6: 10*k**2}
    """
    tensors = {k: _tensor(k, value) for k, value in ((_key(k), v) for k, v in cumulants.items())}
    through = _order(tensors, order)
    tensors = {k: t for k, t in tensors.items() if k <= highest_degree(2 * through)}
    n = tensors[2].dimension
    for k, tensor in tensors.items():
        if tensor.dimension != n:
            raise SpecificationError(
                expected=f"cumulants over the {n} points of the covariance",
                came=f"κ_{k} over {tensor.dimension}",
                remedy="pass arrays with one axis for each index, each over the same points",
            )
    if singular not in ("raise", "project"):
        raise SpecificationError(
            expected="singular='raise' or 'project'", came=f"{singular!r}", remedy="choose one"
        )
    called = tuple(names) if names is not None else tuple(f"f_{a + 1}" for a in range(n))
    exact = any(_is_symbolic(tensor) for tensor in tensors.values())
    mean = tensors.pop(1, None)
    frame: Frame
    if exact:
        tensors = {k: _sympified(tensor) for k, tensor in tensors.items()}
        frame, elements = exact_frame(tensors)
        centre = None if mean is None else _sympified(mean).entries
    else:
        tensors = {k: _finite(k, tensor) for k, tensor in tensors.items()}
        frame = whitened(tensors[2], project=singular == "project", names=list(called))
        elements = {k: frame.entered(tensor) for k, tensor in tensors.items() if k > 2}
        if frame.projected is not None:
            _require_in_range(frame, tensors)
        centre = None if mean is None else _finite(1, mean).entries
    if centre is not None and not np.any(centre != 0):
        centre = None
    power = 2 * through
    return ActionAtPoints(
        order=through,
        cumulants=tensors,
        elements=elements,
        mean=centre,
        frame=frame,
        bare=bare_couplings(cumulant_vertices(elements, power), power, frame.line),
        names=called,
        exactness=exactness if exactness is not None else Exactness.exact(),
        cumulant_errors=errors or {},
    )


def _key(k: Any) -> int:
    if isinstance(k, (int, np.integer)) and not isinstance(k, bool) and k >= 1:
        return int(k)
    raise SpecificationError(
        expected="cumulants by their order k >= 1",
        came=f"the key {k!r}",
        remedy="pass {2: G, 4: kappa_4, ...}",
    )


def _order(tensors: Mapping[int, SymmetricTensor], order: int | None) -> int:
    """The order asked for, or the highest for which all even cumulants are there."""
    if 2 not in tensors or min(tensors) < 1:
        raise SpecificationError(
            expected="cumulants by their order k >= 1, the covariance (2) among them",
            came=f"orders {sorted(tensors)}",
            remedy="pass {2: G, 4: kappa_4, ...}",
        )
    available = 0
    while highest_degree(2 * available + 2) in tensors:
        available += 1
    through = available if order is None else order
    if isinstance(through, bool) or not isinstance(through, (int, np.integer)) or through < 0:
        raise SpecificationError(
            expected="an order k >= 0 of N^{-k}", came=f"{order!r}", remedy="pass 1 or 2"
        )
    if through > available or (order is None and available == 0):
        raise SpecificationError(
            expected=f"the cumulants 2, 4, ..., {max(4, 2 * int(through) + 2)}",
            came=f"orders {sorted(tensors)}",
            remedy="give every even cumulant, zeros if it vanishes",
        )
    return int(through)


def _tensor(k: int, value: Any) -> SymmetricTensor:
    if isinstance(value, SymmetricTensor):
        if value.order != k:
            raise SpecificationError(
                expected=f"a tensor of order {k} for the cumulant {k}",
                came=f"{value!r}",
                remedy="check the keys",
            )
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "iufO":
        raise SpecificationError(
            expected=f"real numbers or expressions for the cumulant {k}",
            came=f"entries of type {array.dtype}",
            remedy="check its source",
        )
    if array.ndim == 0:
        return SymmetricTensor(k, 1, boxed([value]) if array.dtype == object else array.reshape(1))
    if array.ndim != k:
        raise SpecificationError(
            expected=f"an array with {k} axes for the cumulant {k}",
            came=f"shape {array.shape}",
            remedy="pass one axis for each index",
        )
    return SymmetricTensor.from_dense(array)


def _is_symbolic(tensor: SymmetricTensor) -> bool:
    entries = tensor.entries
    return entries.dtype == object and any(isinstance(entry, sp.Basic) for entry in entries)


def _sympified(tensor: SymmetricTensor) -> SymmetricTensor:
    entries = boxed([sp.sympify(entry) for entry in tensor.entries.tolist()])
    for entry in entries:
        if entry.has(sp.oo, -sp.oo, sp.nan, sp.zoo):
            raise _infinite(tensor.order, entry)
    return SymmetricTensor(tensor.order, tensor.dimension, entries)


def _finite(k: int, tensor: SymmetricTensor) -> SymmetricTensor:
    entries = np.asarray(tensor.entries, dtype=np.float64)
    if not np.all(np.isfinite(entries)):
        wrong = np.flatnonzero(~np.isfinite(entries))[0]
        raise _infinite(k, f"{entries[wrong]} at points {tensor.indices[wrong].tolist()}")
    return SymmetricTensor(k, tensor.dimension, entries)


def _require_in_range(frame: Frame, tensors: Mapping[int, SymmetricTensor]) -> None:
    """A field that is fixed along a direction has no cumulants there."""
    for k, tensor in tensors.items():
        kept = frame.correlator(frame.entered(tensor))
        lost = np.max(np.abs(tensor.entries - kept.entries))
        if lost > OUT_OF_RANGE * np.max(np.abs(tensor.entries)):
            raise SpecificationError(
                expected=f"a cumulant of order {k} within the range of the covariance",
                came=f"a part {lost:.3g} along directions without variance",
                remedy="check the cumulants: they belong to no random field together",
            )


def _infinite(k: int, came: Any) -> InfiniteMomentError:
    return InfiniteMomentError(
        expected=f"a finite cumulant of order {k}",
        came=f"{came}",
        remedy="an ensemble with infinite cumulants has no Edgeworth action",
    )


def cumulant_symbols(orders: Sequence[int], points: int = 1) -> dict[int, SymmetricTensor]:
    """Return symbols for the cumulants over a few points: G_ab, and kappa_abc... beyond.

    Examples
    --------
    >>> cumulant_symbols((2, 4), points=2)[2].entries
    array([G_11, G_12, G_22], dtype=object)
    """

    def symbol(k: int, index: NDArray[np.intp]) -> sp.Symbol:
        separator = "" if points < 10 else ","
        letter = {1: "mu", 2: "G"}.get(k, "kappa")
        return sp.Symbol(f"{letter}_{separator.join(str(i + 1) for i in index)}", real=True)

    tensors = {}
    for k in orders:
        template = SymmetricTensor.from_function(k, points, lambda *index: 0)
        entries = boxed([symbol(k, index) for index in template.indices])
        tensors[k] = SymmetricTensor(k, points, entries)
    return tensors
