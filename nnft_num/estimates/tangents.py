"""Estimates of tangent kernels: the distinct entries of Θ of each network, as if they were fields.

The mean over networks is unbiased at every number of networks, with the error of the jackknife; the
joint cumulants of the entries, of order 2 their covariance, measure how Θ fluctuates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nnft_num.estimates.correlator import CorrelatorEstimate, OutputBlock
from nnft_num.estimates.estimate import Estimate
from nnft_num.routes import Route
from nnft_sym.language.markup import Shown, Table
from nnft_sym.tensors import SymmetricTensor, rank_of

__all__ = ["GRADIENTS", "TangentEstimate"]

GRADIENTS = Route(
    name="gradients",
    drawn="every parameter theta from P(theta), independently for each network",
    statistic="sum_p df_i(x_a)/dtheta_p df_j(x_b)/dtheta_p at the points, by back-propagation",
    assumes=(),
    statement=(
        "unbiased for the mean of the tangent kernel for every P(theta) and every width, where no "
        "neuron jumps"
    ),
)
"""How tangent kernels are sampled."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TangentEstimate(Shown):
    """Estimate of a tangent kernel Θ_ij(x_a, x_b) over all points and outputs.

    Parameters
    ----------
    entries : Estimate
        Joint cumulants of the m (m + 1)/2 distinct entries of Θ over the m = n D fields, in
        colexicographic order; ``entries[1]`` is their mean.
    points, outputs_count : int
        n and D; a field index is point * D + output.
    parametrisation : str
        What the gradients are taken with respect to: "ntk" or "standard".
    unseen : tuple of str
        Layers whose neurons jump: the mean of Θ has a part that no sampled gradient shows.
    """

    entries: Estimate
    points: int
    outputs_count: int
    parametrisation: str
    unseen: tuple[str, ...] = ()

    @cached_property
    def kernel(self) -> CorrelatorEstimate:
        """The mean of Θ over networks, with its errors, as a tensor of order 2 over the fields."""
        found = self.entries[1]
        fields = self.points * self.outputs_count
        diagonal = rank_of(np.arange(fields)[:, None].repeat(2, axis=1), fields)
        return CorrelatorEstimate(
            points=self.points,
            outputs_count=self.outputs_count,
            tensor=self._over_fields(found.tensor.entries),
            error_tensor=self._over_fields(found.error_tensor.entries),
            deviations=found.deviations,
            freedom=self._over_fields(found.freedom.entries),
            tail_index=found.tail_index[diagonal, 0].reshape(self.points, self.outputs_count),
            heavy_tailed=self._over_fields(found.heavy_tailed.entries),
            row_order=found.row_order,
            floor=None,
            active=self._over_fields(found.active.entries),
        )

    @property
    def mean(self) -> NDArray[np.float64]:
        """E Θ, shape (n, n) for one output, else (n, D, n, D)."""
        return self.kernel.mean

    @property
    def error(self) -> NDArray[np.float64]:
        """Standard errors of the mean, in its shape."""
        return self.kernel.error

    def outputs(self, i: int, j: int) -> OutputBlock:
        """Mean and errors over the points for one pair of outputs.

        Raises
        ------
        SpecificationError
            If an output is not below D.
        """
        return self.kernel.outputs(i, j)

    @cached_property
    def fluctuations(self) -> CorrelatorEstimate:
        """Covariance of the distinct entries of Θ over networks; needs order 2."""
        return self.entries[2]

    @cached_property
    def variance(self) -> NDArray[np.float64]:
        """Variance of each entry of Θ over networks, in the shape of ``mean``."""
        return self._variances(self.fluctuations.tensor)

    @cached_property
    def variance_error(self) -> NDArray[np.float64]:
        """Standard errors of the variances."""
        return self._variances(self.fluctuations.error_tensor)

    @property
    def networks(self) -> int:
        """Number of networks."""
        return self.entries.networks

    def _variances(self, tensor: SymmetricTensor) -> NDArray[np.float64]:
        count = tensor.dimension
        own = tensor.gather(np.arange(count)[:, None].repeat(2, axis=1))
        dense = self._over_fields(own).dense
        if self.outputs_count == 1:
            return dense
        return dense.reshape((self.points, self.outputs_count) * 2)

    def _over_fields(self, entries: NDArray[np.float64]) -> SymmetricTensor:
        return SymmetricTensor(2, self.points * self.outputs_count, entries)

    source = "E82, BML99"

    def _table(self) -> Table:
        return replace(self.kernel._table(), title=repr(self))

    def __repr__(self) -> str:
        return (
            f"TangentEstimate({self.points} points, {self.outputs_count} outputs; "
            f"{self.parametrisation} parametrisation, {self.networks} networks)"
        )
