"""Couplings of the action from samples: the action of sampled cumulants, with jackknife errors.

Couplings are polynomials in the cumulants and in G⁻¹, so that what is put in unbiased comes out
with a bias of order 1/M from M networks; the jackknife removes that order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnft_num.estimates.correlator import CorrelatorEstimate
from nnft_num.estimates.estimate import Estimate
from nnft_num.statistics.jackknife import jackknife
from nnft_num.statistics.rounding import uncertain
from nnft_sym.actions.at_points import ActionAtPoints
from nnft_sym.actions.construction import Singular, action_from_cumulants
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table
from nnft_sym.tensors import SHOWN, SymmetricTensor

__all__ = ["CouplingEstimate", "couplings"]


@dataclass(frozen=True, kw_only=True, eq=False)
class CouplingEstimate(Shown, Mapping[int, CorrelatorEstimate]):
    """Couplings g_k, k >= 1, of the action through N^{-order}: {k: estimate with errors}.

    Parameters
    ----------
    order : int
        p.
    sample : Estimate
        The cumulants.
    action : ActionAtPoints
        The action of the sampled cumulants, the bias of order 1/M not removed.
    entries : mapping of int to CorrelatorEstimate
        By k, about the mean.
    """

    order: int
    sample: Estimate
    action: ActionAtPoints
    entries: Mapping[int, CorrelatorEstimate]

    def __getitem__(self, k: int) -> CorrelatorEstimate:
        return self.entries[k]

    def __iter__(self) -> Iterator[int]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def covariance(self, k: int) -> NDArray[np.float64]:
        """Covariance between the unique entries of g_k, shape (U, U)."""
        return self[k].covariance

    def _table(self) -> Table:
        rows, notes = [], []
        for k, own in self.items():
            indices = own.tensor.indices[:SHOWN].tolist()
            rows += [
                (
                    f"g_{k}",
                    ",".join(str(i + 1) for i in fields),
                    uncertain(own.tensor.entries[row], own.error_tensor.entries[row]),
                    "heavy tails" if own.heavy_tailed.entries[row] else "",
                )
                for row, fields in enumerate(indices)
            ]
            more = len(own.tensor) - len(indices)
            notes += [f"g_{k}: {more} more entries"] * bool(more)
        return Table(
            title=f"couplings of S = sum of g_k f^k/k! through N^-{self.order} from "
            f"{self.sample.networks} networks",
            header=("coupling", "fields", "estimate", "error bar"),
            rows=tuple(rows),
            notes=tuple(notes),
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"g_{k}: {len(g.tensor)}" for k, g in self.items())
        return f"CouplingEstimate({sizes}; {self.sample.networks} networks)"


def couplings(
    estimate: Estimate, order: int = 1, *, odd: bool | None = None, singular: Singular = "raise"
) -> CouplingEstimate:
    """Estimate the couplings of the action from sampled cumulants.

    Parameters
    ----------
    estimate : Estimate
        Connected correlators of orders 2, 4, ..., 2 order + 2, and odd ones if they matter.
    order : int
        p: terms through N^{-p} are kept.
    odd : bool, optional
        Whether the mean and the odd cumulants, from the third to the order 2p + 1, enter; by
        default if the estimate holds one.
    singular : {"raise", "project"}
        What to do where the sampled covariance has no inverse.

    Returns
    -------
    CouplingEstimate
        Couplings in powers of f - μ, with errors.

    Raises
    ------
    SpecificationError
        If the estimate lacks an order, or its covariance has no inverse.

    Examples
    --------
    >>> from nnft_num.estimates.estimate import estimate_from_fields
    >>> f = np.random.default_rng(0).normal(size=(4000, 1))
    >>> g = couplings(estimate_from_fields(f, orders=(2, 4)))
    >>> sorted(g), bool(abs(g[4].mean[0, 0, 0, 0]) < 5 * g[4].error[0, 0, 0, 0])
    ([2, 4], True)
    """
    if not isinstance(order, (int, np.integer)) or isinstance(order, bool) or order < 0:
        raise SpecificationError(
            expected="an order k >= 0 of N^{-k}", came=f"{order!r}", remedy="pass 1 or 2"
        )
    highest = 2 * int(order) + 2
    present = set(estimate.orders)
    with_odd = any(k % 2 for k in present) if odd is None else odd
    needed = [k for k in range(2, highest + 1) if with_odd or k % 2 == 0]
    if not set(needed) <= present:
        raise SpecificationError(
            expected=f"an estimate of the orders {', '.join(map(str, needed))}",
            came=f"orders {', '.join(map(str, estimate.orders))}",
            remedy="estimate with orders=(2, 4) for order 1, (2, 4, 6) for order 2",
        )
    dimension = estimate.points * estimate.outputs_count
    cumulants = {k: estimate.resampled(k) for k in needed}
    actions = [
        action_from_cumulants(
            {k: SymmetricTensor(k, dimension, values[:, g]) for k, values in cumulants.items()},
            order=order,
            singular=singular,
        )
        for g in range(1 + estimate.groups)
    ]
    floors = _floors(estimate, actions[0], needed)
    found = {}
    for k in (k for k in sorted(actions[0].about_mean) if k):
        values = np.stack([action.about_mean[k].entries for action in actions], axis=1)
        found[k] = _coupling(estimate, k, values, needed, floors.get(k))
    return CouplingEstimate(order=order, sample=estimate, action=actions[0], entries=found)


def _floors(
    estimate: Estimate, action: ActionAtPoints, needed: list[int]
) -> Mapping[int, SymmetricTensor]:
    """Second-order terms of the errors of the cumulants, where the route states them."""
    own = {k: floor for k in needed if (floor := estimate[k].floor) is not None}
    if not own:
        return {}
    return action_from_cumulants(action.cumulants, order=action.order, errors=own).errors


def _coupling(
    estimate: Estimate,
    k: int,
    values: NDArray[np.float64],
    needed: list[int],
    floor: SymmetricTensor | None,
) -> CorrelatorEstimate:
    """Estimate of one coupling from its values over all networks and without each group."""
    spread = jackknife(values, estimate.moments.counts)
    dimension = estimate.points * estimate.outputs_count
    highest = estimate[needed[-1]]
    # G⁻¹ joins all fields, and the highest cumulant enters every coupling.
    heavy = bool(highest.heavy_tailed.entries.any())
    active = min(estimate[order].active.entries.min() for order in needed)
    return CorrelatorEstimate(
        points=estimate.points,
        outputs_count=estimate.outputs_count,
        tensor=SymmetricTensor(k, dimension, spread.centre),
        error_tensor=SymmetricTensor(k, dimension, spread.errors),
        deviations=spread.deviations,
        freedom=SymmetricTensor(k, dimension, spread.freedom),
        tail_index=highest.tail_index,
        heavy_tailed=SymmetricTensor(k, dimension, np.full(len(values), heavy)),
        row_order=highest.row_order,
        floor=floor,
        active=SymmetricTensor(k, dimension, np.full(len(values), active)),
    )
