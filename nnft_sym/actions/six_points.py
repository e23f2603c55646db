"""The six-point function that a local quartic coupling predicts, confronted with the exact one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_sym.actions.local_couplings import LocalCouplings
from nnft_sym.actions.local_responses import propagator
from nnft_sym.cumulants import cumulant
from nnft_sym.expectation.boxes import integrated_over_box
from nnft_sym.language.errors import SpecificationError
from nnft_sym.networks import Network
from nnft_sym.tensors import SymmetricTensor, multi_indices, rank_of

__all__ = ["SixPointPrediction", "six_point_prediction"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SixPointPrediction:
    """G_c⁽⁶⁾ predicted from λ alone, and the exact one.

    Parameters
    ----------
    predicted : SymmetricTensor
        Two local vertices joined by a propagator, (24λ)² Σ_10 ∫∫ KKK K KKK.
    exact : SymmetricTensor
        G_c⁽⁶⁾ of the network.
    sextic : float
        κ of a local κ∫f⁶ fitted to the difference, δG_c⁽⁶⁾ = -720 κ ∫ ΠK.
    deviation : float
        Norm of the difference over the norm of the exact one, from λ alone.
    misfit : float
        The same with κ.
    """

    predicted: SymmetricTensor
    exact: SymmetricTensor
    sextic: float
    deviation: float
    misfit: float


def six_point_prediction(
    net: Network,
    X: Any,
    fit: LocalCouplings,
    *,
    rtol: float = 1e-4,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> SixPointPrediction:
    """Predict G_c⁽⁶⁾ from a fitted local λ, at tree level, and confront it with the exact one.

    λ² and a local sextic coupling κ are of the same order 1/N², so that λ alone need not suffice:
    κ is fitted to what is left.

    Parameters
    ----------
    net, X, params, **values
        As for the fit.
    fit : LocalCouplings
        With the interaction "local".
    rtol : float
        Accuracy of the integrals.

    Notes
    -----
    Source: [HMS20] section 4.
    """
    if set(fit.values) != {"local"}:
        raise SpecificationError(
            expected="a fit of the interaction 'local' alone",
            came=f"a fit of {', '.join(fit.values)}",
            remedy="fit with terms=('local',)",
        )
    K = propagator(net, X, params, values)
    n = len(K.points)
    triples, table = multi_indices(3, n), multi_indices(6, n)

    def integrals(nodes: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        triple = np.prod(K.to_points(nodes)[:, triples], axis=-1)
        weighted = weights[:, None] * triple
        return np.stack([weighted.T @ K.between_nodes(nodes) @ weighted, triple.T @ weighted])

    exchange, contact = integrated_over_box(
        integrals, cutoff=fit.cutoff, dimension=K.points.shape[1], kinks=K.kinks, rtol=rtol
    ).values
    tree = np.zeros(len(table))
    for others in combinations(range(1, 6), 2):
        block = [0, *others]
        rest = [slot for slot in range(1, 6) if slot not in others]
        tree += exchange[rank_of(table[:, block], n), rank_of(table[:, rest], n)]
    predicted = SymmetricTensor(6, n, (24 * fit["local"]) ** 2 * tree)
    response = -720 * contact[rank_of(table[:, :3], n), rank_of(table[:, 3:], n)]
    exact = cumulant(net, 6).evaluate(X, params=params, **values).values
    unit, left = SymmetricTensor(6, n, response), exact - predicted
    sextic = float(unit.inner(left) / unit.inner(unit))
    return SixPointPrediction(
        predicted=predicted,
        exact=exact,
        sextic=sextic,
        deviation=left.norm() / exact.norm(),
        misfit=(left - unit * sextic).norm() / exact.norm(),
    )
