"""Theory against sample: pulls, resolutions and verdicts.

Each distinct entry of each tensor is one comparison,

    pull = (theory - estimate)/sigma,    sigma² = error² + (theory error)² + floor²,
    resolution = scale/sigma,            scale = largest |theory| of the tensor,

and for a theory that vanishes identically scale = N^{1-n/2} sqrt(prod G⁽²⁾_aa over the n legs).
For n ≥ 2 from M networks floor = (2/M) sqrt(n! prod G⁽²⁾_aa): the second-order term of the
k-statistic, of relative size 1/√M, which the jackknife error (its linear term) leaves out and which
alone is left where the linear term vanishes (f² = 1: k_2 = (1 - mean²) M/(M - 1)).  An error is
unknown where the sample does not fluctuate, where the tails are heavy, and where a field is
zero in all but a few groups: rare networks that were not drawn would change it.
An entry disagrees if its pull is beyond the level of the family of comparisons, is unresolved if
its resolution is below the one asked for or not known, and agrees otherwise (``verdicts``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb, factorial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.confrontation.by_order import ByOrder
from nnft_num.confrontation.chi_squares import ChiSquare
from nnft_num.confrontation.order_reports import OrderReport
from nnft_num.confrontation.verdicts import Criterion, gaussian_freedom, skewness
from nnft_num.reporting import reports
from nnft_num.reporting.publishing import Published
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Table
from nnft_sym.tensors import SymmetricTensor, multi_indices

if TYPE_CHECKING:
    from pathlib import Path

    from nnft_num.estimates.correlator import CorrelatorEstimate
    from nnft_num.estimates.estimate import Estimate
    from nnft_sym.correlators import Evaluation

__all__ = ["Report", "confront", "rare_entries"]

_ACTIVE = 16
"""Groups in which a field has to differ from zero for its rare events to be counted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Report(ByOrder[OrderReport], Published):
    """Theory against a sample of networks, with its verdict.

    Parameters
    ----------
    network : str
        Name of the network.
    params : mapping
        Values of its parameters.
    X : ndarray, shape (n, d)
        Points.
    orders : tuple of OrderReport
        One for each order; ``report[4]`` looks one up.
    criterion : Criterion
        Level, resolution and size of the family of comparisons.
    networks, groups : int
        Size of the sample and number of groups of the jackknife.
    route : str
        How it was sampled.
    precision : str or None
        Arithmetic of the fields, None for fields from elsewhere.
    route_reason : str
        Why it was sampled so.
    route_assumes : tuple of str
        Laws the route takes for granted and the report therefore does not test.
    unit : str
        What was sampled: networks, or single neurons.
    plan_hash : str or None
        Hash of the plan that was sampled.
    key : tuple of two int or None
        Key of the draws.
    """

    network: str
    params: Mapping[str, float]
    X: NDArray[np.float64]
    orders: tuple[OrderReport, ...]
    criterion: Criterion
    networks: int
    groups: int
    route: str
    precision: str | None = None
    route_reason: str = ""
    route_assumes: tuple[str, ...] = ()
    unit: str = "networks"
    plan_hash: str | None = None
    key: tuple[int, int] | None = None

    @property
    def entries(self) -> int:
        """Number of distinct entries compared."""
        return sum(len(order.theory) for order in self.orders)

    @property
    def networks_needed(self) -> int | None:
        """Networks that would resolve all orders, None if that is not the remedy."""
        needed = [n for order in self.orders if (n := order.networks_needed) is not None]
        return max(needed, default=None)

    @property
    def cites(self) -> tuple[Any, ...]:
        """What the comparison rests on."""
        return self.orders

    @property
    def chi_squares(self) -> tuple[ChiSquare, ...]:
        """Tensor-level comparisons of the orders whose covariance is known."""
        found = (order.chi_square for order in self.orders)
        return tuple(whole for whole in found if whole is not None)

    def to_text(self, entries: int = 0) -> str:
        """Terminal table; with ``entries`` also so many of the worst entries of each order."""
        return reports.text(self, entries=entries)

    def to_dataframe(self) -> Any:
        """One row for each distinct entry, as a pandas.DataFrame."""
        return reports.dataframe(self)

    def to_latex(self, path: str | Path | None = None, rows: int = 8) -> str:
        """LaTeX table (booktabs, siunitx) of the ``rows`` worst entries of each order."""
        return reports.written(reports.latex(self, rows=rows), path)

    def plot(self, ax: Any = None) -> Any:
        """Theory against estimate with error bars; returns the matplotlib axes.

        Without axes of the caller's a second panel shows the pulls.
        """
        from nnft_num.reporting.figures import plot_report

        return plot_report(self, ax)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        orders = ", ".join(f"{order.order}: {order.verdict}" for order in self.orders)
        return f"Report({self.network}: {self.verdict}; orders {orders})"

    def _table(self) -> Table:
        return reports.report_table(self)

    def _repr_latex_(self) -> str:
        return self.to_latex()


def confront(
    theory: Mapping[int, Evaluation],
    estimate: Estimate,
    *,
    variances: ArrayLike,
    width: int,
    network: str = "network",
    params: Mapping[str, float] | None = None,
    X: ArrayLike | None = None,
    level: float = 0.01,
    resolution: float = 5.0,
    family: int | None = None,
) -> Report:
    """Compare evaluated correlators with an estimate, entry by entry.

    Parameters
    ----------
    theory : mapping of int to Evaluation
        G_c⁽ⁿ⁾ for each order n.
    estimate : Estimate
        Joint cumulants of at least these orders at the same points and outputs.
    variances : array_like, shape (n D,)
        G⁽²⁾_aa ≥ 0 of each field by the theory: the natural scale of what vanishes.
    width : int
        N: the last hidden width.
    network, params, X
        What the report calls the network, its parameters and points.
    level : float
        α: family-wise level.
    resolution : float
        Resolution that is asked for.
    family : int, optional
        Number of comparisons α is for; the number of distinct entries if not given.

    Raises
    ------
    SpecificationError
        If theory and estimate are over different points, outputs or orders.
    """
    for order, evaluation in theory.items():
        mine = (evaluation.points, evaluation.outputs)
        its = (estimate.points, estimate.outputs_count)
        if mine != its or order not in estimate.orders:
            raise SpecificationError(
                expected=f"an estimate of order {order} over {mine[0]} points, {mine[1]} outputs",
                came=f"orders {estimate.orders} over {its[0]} points, {its[1]} outputs",
                remedy="estimate at the points and for the orders of the theory",
            )
    dimension = estimate.points * estimate.outputs_count
    comparisons = sum(comb(dimension + order - 1, order) for order in theory)
    criterion = Criterion(level=level, resolution=resolution, family=family or comparisons)
    spread = np.sqrt(np.clip(np.asarray(variances, dtype=np.float64), 0.0, None))
    return Report(
        network=network,
        params=dict(params or {}),
        X=np.arange(float(estimate.points))[:, None] if X is None else np.asarray(X, dtype=float),
        orders=tuple(
            _order_report(evaluation, estimate, spread, width, criterion)
            for _, evaluation in sorted(theory.items())
        ),
        criterion=criterion,
        networks=estimate.networks,
        groups=estimate.groups,
        route=estimate.route.name,
        precision=estimate.precision,
        route_reason=estimate.reason,
        route_assumes=estimate.route.assumes,
        unit=estimate.route.unit,
        plan_hash=estimate.plan_hash,
        key=estimate.key,
    )


def _order_report(
    evaluation: Evaluation,
    estimate: Estimate,
    spread: NDArray[np.float64],
    width: int,
    criterion: Criterion,
) -> OrderReport:
    order, dimension = evaluation.values.order, evaluation.values.dimension
    sample: CorrelatorEstimate = estimate[order]
    legs = multi_indices(order, dimension)
    gaussian = np.prod(spread[legs], axis=1)
    natural = float(width) ** (1 - order / 2) * gaussian
    floor = (2 * factorial(order) ** 0.5 / estimate.networks if order >= 2 else 0.0) * gaussian
    if sample.floor is not None:
        floor = sample.floor.entries
    sparse = rare_entries(sample, estimate.groups) & (natural > 0)
    return OrderReport(
        order=order,
        points=evaluation.points,
        outputs=evaluation.outputs,
        theory=evaluation.values,
        theory_error=evaluation.errors,
        estimate=sample.tensor,
        error=sample.error_tensor,
        freedom=sample.freedom.map(
            lambda own: np.minimum(own, gaussian_freedom(sample.row_order, estimate.networks))
        ),
        skew=SymmetricTensor(order, dimension, skewness(sample.deviations)),
        heavy_tailed=sample.heavy_tailed,
        sparse=SymmetricTensor(order, dimension, sparse),
        floor=SymmetricTensor(order, dimension, floor),
        natural=SymmetricTensor(order, dimension, natural),
        exactness=str(evaluation.exactness),
        networks=estimate.networks,
        groups=estimate.groups,
        criterion=criterion,
        deviations=sample.deviations,
        formula=evaluation.formula,
    )


def rare_entries(sample: CorrelatorEstimate, groups: int) -> NDArray[np.bool_]:
    """Whether numbers that enter each entry differ from zero in few of the groups alone."""
    rare: NDArray[np.bool_] = sample.active.entries < min(_ACTIVE, groups / 2)
    return rare
