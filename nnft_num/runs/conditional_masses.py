r"""Densities of fields with the readout integrated out: masses of cells without counting.

With a centred Gaussian readout the fields given the hidden layers are Gaussian, with covariance

.. math:: \Sigma_{(a,i),(b,j)} = \delta_{ij}\,(s_i^2 S_{ab} + \beta_i^2),

S being the metric, s_i and β_i the deviations of readout and output bias.  The mass of a cell is
the mean over networks of that of N(0, Σ): the same number as by counting, with a far smaller
variance, which falls with the width (Rao and Blackwell).

Source: D. Blackwell, Annals of Mathematical Statistics 18 (1947) 105.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nnft_num.runs.cells import CellSource, Grid, Noise
from nnft_num.runs.executing import ExecutorLike
from nnft_num.runs.gaussian_cells import gaussian_masses
from nnft_num.runs.sampling import sample_moments
from nnft_num.sources.hidden_rows import metric_map
from nnft_num.sources.source import Source
from nnft_num.statistics.moments import order_offsets
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import multi_indices

__all__ = ["ConditionalMasses", "ConditionalSource", "sample_conditional_masses"]

MOST_CELLS = 256
"""Cells of the largest grid: products of all pairs are summed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ConditionalSource(CellSource):
    """A source of metrics with a grid: rows with the mass of each cell given the metric.

    Parameters
    ----------
    source : Source
        By the route "readout".
    grid : Grid
        The cells, one direction or two, centred at zero.

    Raises
    ------
    SpecificationError
        If the readout is not integrated out, or the grid is not one for its fields.
    """

    def __post_init__(self) -> None:
        fields = len(self.X) * self.plan.outputs
        grid = self.grid
        centred = not np.any(grid.shift) and grid.matrix.shape[1] == fields
        fits = centred and grid.directions <= 2 and grid.cells <= MOST_CELLS
        if self.route != "readout" or not fits:
            raise SpecificationError(
                expected=f"a source by the route 'readout', a centred grid of at most {MOST_CELLS} "
                f"cells along one direction or two of {fields} fields",
                came=f"route {self.route!r}, {grid.cells} cells along {grid.directions} "
                f"directions of {grid.matrix.shape[1]} fields",
                remedy="use route='parameters', or fewer cells",
            )

    @property
    def work(self) -> float:
        """Cost of one row, in products of two numbers."""
        return self.source.work + 200.0 * self.grid.cells

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        """Position of S_ab in a row of the metric, shape (n, n)."""
        a, b = np.indices((len(self.X), len(self.X)))
        high, low = np.maximum(a, b), np.minimum(a, b)
        return high * (high + 1) // 2 + low

    def covariances(self, metrics: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covariance in the coordinates of the grid of each row of metrics, shape (M, r, r)."""
        laws, points = metric_map(self.source), len(self.X)
        same = np.eye(laws.outputs)
        readout, bias = (np.square(s) for s in (laws.deviations, laws.biases))
        S = metrics[:, self._places]
        blocks = np.einsum("mab,i,ij->maibj", S, readout, same)
        blocks = blocks + np.einsum("i,ij->ij", bias, same)[None, None, :, None, :]
        size = points * laws.outputs
        A = self.grid.matrix
        result: NDArray[np.float64] = A @ blocks.reshape(-1, size, size) @ A.T
        return result

    def _in_cells(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return gaussian_masses(self.covariances(rows), self.grid.edges)


@dataclass(frozen=True, kw_only=True, eq=False)
class ConditionalMasses:
    """Means over networks of the masses of cells given the hidden layers.

    Parameters
    ----------
    grid : Grid
        The cells.
    frequencies : ndarray, shape (C,)
        Mean masses.
    covariance : ndarray, shape (C, C)
        Of the mean masses, from the spread of the networks.
    networks : int
        M.
    """

    grid: Grid
    frequencies: NDArray[np.float64]
    covariance: NDArray[np.float64]
    networks: int

    @property
    def errors(self) -> NDArray[np.float64]:
        """Standard errors of the masses."""
        errors: NDArray[np.float64] = np.sqrt(np.maximum(np.diag(self.covariance), 0.0))
        return errors

    def noise(self, weights: NDArray[np.float64], delta: NDArray[np.float64]) -> Noise:
        """Noise of the weighted masses, and along a direction."""
        own = weights[:, None] * self.covariance * weights
        return Noise(
            trace=float(np.trace(own)),
            square=float(np.sum(own**2)),
            along=float(delta @ own @ delta),
            skew=0.0,
        )


def sample_conditional_masses(
    source: Source,
    grid: Grid,
    *,
    networks: int,
    key: tuple[int, int],
    executor: ExecutorLike = None,
    progress: bool | None = None,
) -> ConditionalMasses:
    """Mean masses of cells over networks 0, ..., networks - 1 of a source.

    Parameters
    ----------
    source : Source
        By the route "readout".
    grid : Grid
        The cells.
    networks : int
        Number of networks, at least 2.
    key, executor, progress
        As in ``sample_moments``.

    Raises
    ------
    SpecificationError
        If counts are impossible, or a metric is not finite.
    """
    moments = sample_moments(
        ConditionalSource(source=source, grid=grid),
        networks=networks,
        max_order=2,
        key=key,
        executor=executor,
        progress=progress,
    )
    if moments.networks < 2:
        raise SpecificationError(
            expected="at least 2 networks", came=f"{networks!r}", remedy="sample more"
        )
    M, cells = moments.networks, grid.cells
    start = order_offsets(cells, 2)[1]
    total = moments.table.sum(axis=0) / M
    means = total[:cells]
    pairs = multi_indices(2, cells)
    own = total[start:] - means[pairs[:, 0]] * means[pairs[:, 1]]
    covariance = np.zeros((cells, cells))
    covariance[pairs[:, 0], pairs[:, 1]] = own
    covariance[pairs[:, 1], pairs[:, 0]] = own
    return ConditionalMasses(
        grid=grid, frequencies=means, covariance=covariance / (M - 1), networks=M
    )
