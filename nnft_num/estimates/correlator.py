"""The estimate of one correlator: entries with errors, and what is known of those errors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nnft_num.statistics.rounding import uncertain
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table
from nnft_sym.tensors import SHOWN, SymmetricTensor, multi_indices

__all__ = ["CorrelatorEstimate", "OutputBlock"]


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
class CorrelatorEstimate(Shown):
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
    row_order : int
        Order of the moments of the rows that enter.
    floor : SymmetricTensor or None
        Second-order term of the error where the rows are not the fields themselves.
    active : SymmetricTensor
        Least number of groups in which a number that enters an entry, if it is not zero in all,
        differs from zero.
    """

    points: int
    outputs_count: int
    tensor: SymmetricTensor
    error_tensor: SymmetricTensor
    deviations: NDArray[np.float64]
    freedom: SymmetricTensor
    tail_index: NDArray[np.float64]
    heavy_tailed: SymmetricTensor
    row_order: int
    floor: SymmetricTensor | None
    active: SymmetricTensor

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

    def _table(self) -> Table:
        indices = multi_indices(self.order, self.tensor.dimension)[:SHOWN]
        rows = tuple(
            (
                ",".join(map(str, fields)),
                uncertain(self.tensor.entries[row], self.error_tensor.entries[row]),
                f"{self.freedom.entries[row]:.3g}",
                "heavy tails" if self.heavy_tailed.entries[row] else "",
            )
            for row, fields in enumerate(indices.tolist())
        )
        more = len(self.tensor) - len(rows)
        return Table(
            title=f"estimate of order {self.order}",
            header=("fields", "estimate", "degrees of freedom", "error bar"),
            rows=rows,
            notes=(f"and {more} more",) * bool(more),
        )

    def __repr__(self) -> str:
        return (
            f"CorrelatorEstimate(order {self.order}; {self.points} points, "
            f"{self.outputs_count} outputs)"
        )

    def _dense(self, tensor: SymmetricTensor) -> NDArray[np.float64]:
        if self.outputs_count == 1:
            return tensor.dense
        return tensor.dense.reshape((self.points, self.outputs_count) * self.order)
