"""Estimates of correlators with jackknife errors, from moments of the fields.

The entries are joint cumulants by k-statistics, exactly unbiased at every number of networks.
Leaving out one group at a time gives pseudo-values p_g = (n/m_g) k - (n/m_g - 1) k_(g) with
weights w_g = m_g/n (n networks, m_g of them in group g, k_(g) the estimate without the group), and

    covariance = sum over groups of w_g (p_g - p)(p'_g - p') / (G - 1),    p = sum w_g p_g.

Law of the errors: with G groups whose contributions are close to normal, the pull
(truth - estimate)/error follows Student's t with G - 1 degrees of freedom.  Contributions to high
orders are skewed with long tails; each entry therefore carries its effective degrees of freedom
and a flag for tails that its error bar may not have seen (``nnft_num.tails``).

Source: B. Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982); F. Busing,
E. Meijer, R. van der Leeden, Statistics and Computing 9 (1999) 3, for unequal groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.jackknife import jackknife, leave_one_out
from nnft_num.kstatistics import MAX_ORDER, k_statistics
from nnft_num.moments import Moments, moments_from_fields, order_offsets
from nnft_num.routes import GIVEN, Route, find_route
from nnft_num.runs import Provenance
from nnft_num.tails import heavy_entries, tail_indices
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import SymmetricTensor, multi_indices

__all__ = [
    "CorrelatorEstimate",
    "Estimate",
    "OutputBlock",
    "estimate_from_fields",
    "estimate_of",
    "wanted_orders",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class OutputBlock:
    """Values and errors over the points for fixed outputs.

    Parameters
    ----------
    mean, error : ndarray, shape (n,)*k
        Estimates and their standard errors.
    """

    mean: NDArray[np.float64]
    error: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class CorrelatorEstimate:
    """Estimate of one correlator over all points and outputs.

    Parameters
    ----------
    points, outputs : int
        n and D; a field index is point * D + output.
    tensor, error_tensor : SymmetricTensor
        Estimates and standard errors, over the n D fields.
    deviations : ndarray, shape (U, G)
        Scaled deviations of the groups: the covariance of unique entries is their product
        ``deviations @ deviations.T``.
    freedom : SymmetricTensor
        Effective degrees of freedom of each error, at most G - 1: few when few groups carry it.
    tail_index : ndarray, shape (n, D)
        Local exponent alpha of P(|f| > y) ~ y^(-alpha) at the edge of the sample.
    heavy_tailed : SymmetricTensor
        Whether the error bar of an entry is not to be trusted.
    """

    points: int
    outputs_count: int
    tensor: SymmetricTensor
    error_tensor: SymmetricTensor
    deviations: NDArray[np.float64]
    freedom: SymmetricTensor
    tail_index: NDArray[np.float64]
    heavy_tailed: SymmetricTensor

    @property
    def order(self) -> int:
        """k: number of fields."""
        return self.tensor.order

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """Estimates, shape (n,)*k for one output, else (n, D)*k."""
        return self._dense(self.tensor)

    @cached_property
    def error(self) -> NDArray[np.float64]:
        """Standard errors, in the shape of ``mean``."""
        return self._dense(self.error_tensor)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the unique entries, shape (U, U)."""
        return self.deviations @ self.deviations.T

    def outputs(self, *indices: int) -> OutputBlock:
        """Entries over the points for one output index for each field.

        Raises
        ------
        SpecificationError
            If there are not k indices below D.
        """
        count = self.outputs_count
        if len(indices) != self.order or not all(0 <= index < count for index in indices):
            raise SpecificationError(
                expected=f"{self.order} output indices below {count}",
                came=f"{indices}",
                remedy="give one output for each field",
            )
        grid = np.indices((self.points,) * self.order)
        fields = np.moveaxis(grid, 0, -1) * count + np.array(indices)
        return OutputBlock(mean=self.tensor.gather(fields), error=self.error_tensor.gather(fields))

    def _dense(self, tensor: SymmetricTensor) -> NDArray[np.float64]:
        if self.outputs_count == 1:
            return tensor.dense
        return tensor.dense.reshape((self.points, self.outputs_count) * self.order)


class _Orders(dict[int, CorrelatorEstimate]):
    """Estimates by order; one that is not there is refused in words."""

    def __missing__(self, order: object) -> CorrelatorEstimate:
        raise SpecificationError(
            expected=f"an order out of {', '.join(map(str, self))}",
            came=f"{order!r}",
            remedy="ask for it with orders=",
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """Estimates of the connected correlators of some orders; ``est[k]``, ``est.full[k]``.

    Parameters
    ----------
    moments : Moments
        Sums over groups of networks, up to the highest order.
    orders : tuple of int
        Orders estimated, each from 1 to 8.
    points, outputs_count : int
        n and D, with n D fields in the moments.
    route : Route
        How the networks were sampled.
    plan_hash : str or None
        Hash of the plan that was sampled, None for fields from elsewhere.
    key : tuple of two int or None
        Key of the draws.
    provenance : Provenance or None
        What was sampled, over which networks and by which versions.

    Raises
    ------
    SpecificationError
        If orders or shapes are impossible, or there are fewer than max(8, 2k) networks.

    Examples
    --------
    >>> f = np.random.default_rng(0).normal(size=(1000, 2))
    >>> est = estimate_from_fields(f, orders=(2, 4))
    >>> est[2].mean.shape, est[4].error.shape, est.degrees_of_freedom
    ((2, 2), (2, 2, 2, 2), 127)
    >>> bool(abs(est[2].mean[0, 1]) < 5 * est[2].error[0, 1])
    True
    """

    moments: Moments
    orders: tuple[int, ...]
    points: int
    outputs_count: int
    route: Route
    plan_hash: str | None = None
    key: tuple[int, int] | None = None
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        orders = wanted_orders(self.orders)
        object.__setattr__(self, "orders", orders)
        moments, highest = self.moments, orders[-1]
        if moments.dimension != self.points * self.outputs_count or moments.max_order < highest:
            raise SpecificationError(
                expected=f"moments of {self.points} x {self.outputs_count} fields to order "
                f"{highest}",
                came=f"{moments.dimension} fields to order {moments.max_order}",
                remedy="sum the moments up to the highest order",
            )
        least = max(8, 2 * highest)
        if moments.networks < least or moments.groups < 2:
            raise SpecificationError(
                expected=f"at least {least} networks in at least 2 groups for order {highest}",
                came=f"{moments.networks} networks in {moments.groups} groups",
                remedy="sample more networks, or ask for lower orders",
            )
        if not np.isfinite(moments.table).all():
            raise SpecificationError(
                expected="finite fields, with finite products up to the highest order",
                came="NaN or infinity",
                remedy="find the network or point that diverges, or ask for lower orders",
            )

    @property
    def networks(self) -> int:
        """Number of networks."""
        return self.moments.networks

    @property
    def groups(self) -> int:
        """G: number of groups of the jackknife."""
        return self.moments.groups

    @property
    def degrees_of_freedom(self) -> int:
        """G - 1."""
        return self.groups - 1

    @cached_property
    def full(self) -> Mapping[int, CorrelatorEstimate]:
        """Full correlators E[f...f] of the same orders."""
        return _Orders({order: self._estimate(order, self._averages) for order in self.orders})

    @cached_property
    def _connected(self) -> Mapping[int, CorrelatorEstimate]:
        return _Orders({order: self._estimate(order, self._cumulants) for order in self.orders})

    def __getitem__(self, order: int) -> CorrelatorEstimate:
        return self._connected[order]

    def covariance(self, order: int) -> NDArray[np.float64]:
        """Covariance between the unique entries of one order, shape (U, U)."""
        return self[order].covariance

    def _cumulants(self, order: int, means: Any, counts: Any) -> NDArray[np.float64]:
        return k_statistics(order, self.moments.dimension, means, counts)

    def _averages(self, order: int, means: Any, counts: Any) -> NDArray[np.float64]:
        starts = order_offsets(self.moments.dimension, order)
        averages: NDArray[np.float64] = means[starts[order - 1] : starts[order]].copy()
        return averages

    def _estimate(
        self, order: int, statistic: Callable[[int, Any, Any], NDArray[np.float64]]
    ) -> CorrelatorEstimate:
        moments = self.moments
        dimension, networks = moments.dimension, moments.networks
        values = statistic(
            order,
            leave_one_out(moments, order_offsets(dimension, order)[-1]),
            np.concatenate([[networks], networks - moments.counts]),
        )
        spread = jackknife(values, moments.counts)
        tails = tail_indices(moments)
        heavy = heavy_entries(order, multi_indices(order, dimension), tails)
        return CorrelatorEstimate(
            points=self.points,
            outputs_count=self.outputs_count,
            tensor=SymmetricTensor(order, dimension, values[:, 0]),
            error_tensor=SymmetricTensor(order, dimension, spread.errors),
            deviations=spread.deviations,
            freedom=SymmetricTensor(order, dimension, spread.freedom),
            tail_index=tails.reshape(self.points, self.outputs_count),
            heavy_tailed=SymmetricTensor(order, dimension, heavy),
        )


def estimate_of(moments: Moments, orders: Iterable[int], provenance: Provenance) -> Estimate:
    """Estimate correlators from the moments of a sampled source.

    Parameters
    ----------
    moments : Moments
        Sums of the rows of the source.
    orders : iterable of int
        Orders to estimate.
    provenance : Provenance
        What was sampled.

    Raises
    ------
    SpecificationError
        If there are too few networks, or a sum is not finite.
    """
    source = provenance.source
    return Estimate(
        moments=moments,
        orders=wanted_orders(orders),
        points=len(source.X),
        outputs_count=source.plan.outputs,
        route=find_route(source.route),
        plan_hash=source.plan.hash,
        key=provenance.key,
        provenance=provenance,
    )


def estimate_from_fields(
    f: ArrayLike, orders: int | Iterable[int] = (2, 4), groups: int = 128
) -> Estimate:
    """Estimate correlators of fields from anywhere.

    Parameters
    ----------
    f : array_like, shape (networks, n) or (networks, n, D)
        Field values, independent and identically distributed over the first axis.
    orders : iterable of int
        Orders to estimate.
    groups : int
        Number of groups of the jackknife, fewer if there are fewer networks.

    Raises
    ------
    SpecificationError
        If the shape is wrong, a value is not a finite real number or there are too few networks.
    """
    array = np.asarray(f)
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind not in "fiub":
        raise SpecificationError(
            expected="real fields of shape (networks, n) or (networks, n, D)",
            came=f"shape {array.shape} of type {array.dtype}",
            remedy="put the networks first, then the points",
        )
    array = array.astype(np.float64)
    bad = ~np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    if bad.any():
        raise SpecificationError(
            expected="finite fields",
            came=f"NaN or infinity in {bad.sum()} networks, the first at {int(np.argmax(bad))}",
            remedy="leave none out silently: find out why they diverge",
        )
    wanted = wanted_orders(orders)
    outputs = array.shape[2] if array.ndim == 3 else 1
    flat = array.reshape(len(array), -1)
    return Estimate(
        moments=moments_from_fields(flat, max_order=wanted[-1], groups=groups),
        orders=wanted,
        points=array.shape[1],
        outputs_count=outputs,
        route=GIVEN,
    )


def wanted_orders(orders: int | Iterable[int]) -> tuple[int, ...]:
    """Orders sorted, each once; a single integer is read as one order.

    Raises
    ------
    SpecificationError
        If there is none, or one is not an integer from 1 to 8.

    Examples
    --------
    >>> wanted_orders([4, np.int64(2), 2]), wanted_orders(np.int64(4))
    ((2, 4), (4,))
    """
    listed = tuple(orders) if isinstance(orders, Iterable) else (orders,)
    valid = all(isinstance(k, (int, np.integer)) and not isinstance(k, bool) for k in listed)
    if not listed or not valid or not all(1 <= k <= MAX_ORDER for k in listed):
        raise SpecificationError(
            expected=f"orders from 1 to {MAX_ORDER}",
            came=f"{listed}",
            remedy="pass orders=(2, 4), say",
        )
    return tuple(sorted({int(k) for k in listed}))
