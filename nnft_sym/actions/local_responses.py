r"""What local interactions add to the quartic correlator, to first order, with a cutoff [HMS20].

.. math:: \delta G^{(4)}(x_1, \dots, x_4) = -24 \lambda \int_{|y_i| \le \Lambda} d^dy\,
          \prod_i K(y, x_i)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nnft_sym.correlators import Correlator
from nnft_sym.expectation.boxes import integrated_over_box
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import SpecificationError
from nnft_sym.networks import Network
from nnft_sym.parameters import number_of
from nnft_sym.tensors import SymmetricTensor, multi_indices, rank_of

__all__ = [
    "INTERACTIONS",
    "Interaction",
    "LocalResponse",
    "Propagator",
    "local_response",
    "propagator",
]

Interaction = Literal["local", "position", "nonlocal"]

INTERACTIONS: Mapping[str, str] = {
    "local": "lambda: S = λ ∫ f(y)^4, δG = -24 λ ∫ ΠK",
    "position": "lambda_2: S = λ_2 ∫ y^2 f(y)^4, δG = -24 λ_2 ∫ y^2 ΠK",
    "nonlocal": "lambda_nl: S = λ_nl ∫∫ f(y)^2 f(z)^2, δG = -8 λ_nl Σ_3 ∫KK ∫KK",
}
"""The interactions that can be fitted, with the convention of each coupling."""

CHUNK = 48
"""Nodes for which the kernel is evaluated at a time; its cost is quadratic in them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalResponse:
    """What a unit of each coupling adds to G_c⁽⁴⁾ over points, to first order.

    Parameters
    ----------
    terms : tuple of str
        The interactions.
    tensors : tuple of SymmetricTensor
        One for each.
    cutoff : float
        Λ.
    errors : tuple of float
        Relative error of the integrals of each.
    """

    terms: tuple[Interaction, ...]
    tensors: tuple[SymmetricTensor, ...]
    cutoff: float
    errors: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Propagator:
    """The kernel K between nodes of integration and points, and between nodes.

    Parameters
    ----------
    correlator : Correlator
        K.
    points : ndarray, shape (n, d)
        Points.
    numbers : mapping of str to number
        Parameters.
    """

    correlator: Correlator
    points: NDArray[np.float64]
    numbers: Mapping[str, Any]

    @property
    def kinks(self) -> list[float]:
        """Where K may have kinks along a coordinate: at 0, and on a line at the points."""
        points = self.points
        return [0.0, *map(float, points[:, 0])] if points.shape[1] == 1 else [0.0]

    def to_points(self, nodes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return K(y_q, x_a), shape (Q, n)."""
        return self._between(nodes, self.points)

    def between_nodes(self, nodes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return K(y_q, y_r), shape (Q, Q)."""
        return self._between(nodes, nodes)

    def _between(
        self, left: NDArray[np.float64], right: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        found = np.empty((len(left), len(right)))
        for start in range(0, len(left), CHUNK):
            rows = left[start : start + CHUNK]
            for other in range(0, len(right), CHUNK):
                columns = right[other : other + CHUNK]
                grid = np.indices((len(rows), len(columns)))
                pairs = np.stack([grid[0].ravel(), len(rows) + grid[1].ravel()], axis=1)
                block = self.correlator.entries(
                    np.vstack([rows, columns]), pairs, params=self.numbers
                )
                found[start : start + CHUNK, other : other + CHUNK] = block.reshape(grid[0].shape)
        return found


def propagator(
    net: Network, X: Any, params: Mapping[str, Any] | None, values: Mapping[str, Any]
) -> Propagator:
    """Return the kernel of a network with one output as propagator to points."""
    if net.outputs > 1:
        raise SpecificationError(
            expected="one output", came=f"{net.outputs}", remedy="fit one output at a time"
        )
    correlator = kernel(net)
    numbers = {**(params or {}), **values}
    return Propagator(correlator=correlator, points=net.points(X), numbers=numbers)


def local_response(
    net: Network,
    X: Any,
    cutoff: float,
    *,
    terms: Sequence[Interaction] = ("local",),
    rtol: float = 1e-6,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> LocalResponse:
    """Return what a unit of each interaction adds to G_c⁽⁴⁾ over points.

    Parameters
    ----------
    net : Network
        One output; its kernel K is the propagator.
    X : array_like, shape (n, d)
        Points.
    cutoff : float
        Λ: interactions are integrated over |y_i| <= Λ.
    terms : sequence of str
        "local" (f⁴), "position" (y² f⁴), "nonlocal" (f(y)² f(z)²).
    rtol : float
        Accuracy of the integrals, relative to the largest.
    params, **values
        Values of the free parameters.

    Raises
    ------
    SpecificationError
        For an impossible cutoff or interaction.
    AccuracyError
        If the integrals cannot be had to that accuracy.

    Notes
    -----
    Source: [HMS20] section 3.
    """
    scale = number_of("cutoff", cutoff)
    if scale <= 0:
        raise SpecificationError(
            expected="a cutoff Λ > 0", came=f"{cutoff!r}", remedy="pass a positive number"
        )
    if not terms or any(term not in INTERACTIONS for term in terms) or len(set(terms)) < len(terms):
        raise SpecificationError(
            expected=f"interactions among {', '.join(INTERACTIONS)}, each once",
            came=f"{terms!r}",
            remedy="name the terms to fit",
        )
    K = propagator(net, X, params, values)
    n = len(K.points)
    pairs, table = multi_indices(2, n), multi_indices(4, n)
    halves = rank_of(table[:, :2], n), rank_of(table[:, 2:], n)

    def integrals(nodes: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        legs = K.to_points(nodes)
        double = legs[:, pairs[:, 0]] * legs[:, pairs[:, 1]]
        square = np.sum(nodes**2, axis=1)
        found = {
            "local": lambda: -24 * (double.T @ (weights[:, None] * double))[halves],
            "position": lambda: -24 * (double.T @ ((weights * square)[:, None] * double))[halves],
            "nonlocal": lambda: -8 * _paired(weights @ double, table, n),
        }
        return np.stack([found[term]() for term in terms])

    integral = integrated_over_box(
        integrals,
        cutoff=float(scale),
        dimension=K.points.shape[1],
        kinks=K.kinks,
        rtol=rtol,
    )
    return LocalResponse(
        terms=tuple(terms),
        tensors=tuple(SymmetricTensor(4, n, row) for row in integral.values),
        cutoff=float(scale),
        errors=tuple(map(float, integral.errors)),
    )


def _paired(form: NDArray[np.float64], table: NDArray[np.intp], n: int) -> NDArray[np.float64]:
    """Sum over the three pairings of I_ab I_cd."""
    splits = (([0, 1], [2, 3]), ([0, 2], [1, 3]), ([0, 3], [1, 2]))
    products = (form[rank_of(table[:, a], n)] * form[rank_of(table[:, b], n)] for a, b in splits)
    return np.sum(list(products), axis=0)
