"""Couplings of the action against those estimated from samples, entry by entry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import factorial

import numpy as np
from numpy.typing import NDArray

from nnft_num.actions.couplings import CouplingEstimate
from nnft_num.confrontation.checking import Report, rare_entries
from nnft_num.confrontation.order_reports import OrderReport
from nnft_num.confrontation.verdicts import Criterion, gaussian_freedom, skewness
from nnft_sym.actions.at_points import ActionAtPoints
from nnft_sym.actions.construction import action_from_cumulants
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import SymmetricTensor, multi_indices

__all__ = ["confront_couplings"]


def confront_couplings(
    theory: ActionAtPoints,
    sample: CouplingEstimate,
    *,
    width: int,
    criterion: Criterion,
    network: str = "couplings",
    params: Mapping[str, float] | None = None,
    X: NDArray[np.float64] | None = None,
) -> Report:
    """Compare couplings with sampled ones; the orders of the report are the k of g_k.

    Couplings that were sampled and that the theory does not have are compared with zero.

    Parameters
    ----------
    theory : ActionAtPoints
        S at the points of the sample; g_k in powers of f - μ are compared.
    sample : CouplingEstimate
        Of the same order.
    width : int
        N.
    criterion : Criterion
        Level, resolution and size of the family of comparisons.
    network, params, X
        What the report calls them.

    Raises
    ------
    SpecificationError
        If theory and sample have different fields or couplings.
    """
    estimate = sample.sample
    own_couplings = {k: g for k, g in theory.about_mean.items() if k}
    compared = sorted(set(own_couplings) | set(sample))
    fields = len(theory.names)
    if set(own_couplings) - set(sample) or fields != estimate.points * estimate.outputs_count:
        raise SpecificationError(
            expected=f"sampled couplings {', '.join(map(str, compared))} over {fields} fields",
            came=f"{', '.join(map(str, sample))} over {estimate.points} points, "
            f"{estimate.outputs_count} outputs",
            remedy="estimate at the points and for the order of the theory",
        )
    default = _floors(theory, estimate.networks)
    inverse = np.sqrt(np.diag(theory.frame.precision.dense))
    orders = []
    for k in compared:
        own = sample[k]
        zero = own.tensor.map(np.zeros_like)
        g = own_couplings.get(k, zero)
        freedom = gaussian_freedom(own.row_order, estimate.networks)
        natural = float(width) ** (1 - k / 2) * np.prod(inverse[multi_indices(k, fields)], axis=1)
        orders.append(
            OrderReport(
                order=k,
                points=estimate.points,
                outputs=estimate.outputs_count,
                theory=g,
                theory_error=theory.errors.get(k, zero),
                estimate=own.tensor,
                error=own.error_tensor,
                freedom=own.freedom.map(partial(np.minimum, freedom)),
                skew=SymmetricTensor(k, fields, skewness(own.deviations)),
                heavy_tailed=own.heavy_tailed,
                sparse=SymmetricTensor(k, fields, rare_entries(own, estimate.groups)),
                floor=default.get(k, zero) if own.floor is None else own.floor,
                natural=SymmetricTensor(k, fields, natural),
                exactness=str(theory.exactness),
                networks=estimate.networks,
                groups=estimate.groups,
                criterion=criterion,
            )
        )
    return Report(
        network=network,
        params=dict(params or {}),
        X=np.arange(float(estimate.points))[:, None] if X is None else X,
        orders=tuple(orders),
        criterion=criterion,
        networks=estimate.networks,
        groups=estimate.groups,
        route=estimate.route.name,
        plan_hash=estimate.plan_hash,
        key=estimate.key,
    )


def _floors(theory: ActionAtPoints, networks: int) -> Mapping[int, SymmetricTensor]:
    """Second-order terms of the errors, (2/M) sqrt(n! prod G_aa) of each cumulant carried over."""
    deviations = np.sqrt(np.diag(theory.cumulants[2].dense))
    floors = {
        n: SymmetricTensor(
            n,
            len(deviations),
            2 * factorial(n) ** 0.5 / networks * np.prod(deviations[tensor.indices], axis=1),
        )
        for n, tensor in theory.cumulants.items()
    }
    return action_from_cumulants(theory.cumulants, order=theory.order, errors=floors).errors
