"""Covariances of Gaussian fields at points, with degenerate geometry kept exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import qr

from nnft_sym.language.errors import SpecificationError

__all__ = ["Distinct", "Gram"]

Floats = NDArray[np.float64]

_EPS = float(np.finfo(float).eps)
# Below this angle two features cannot be told from collinear ones that were rounded.
_ANGLE = 16 * _EPS
# The same for a covariance given as a matrix, whose entries are rounded before D is formed.
_MATRIX = 8 * _EPS
# sin² of an angle above which K_aa K_bb - K_ab² is as good as a sum of squares.
_WIDE = 0.1
# Pairs whose minors are computed together.
_PAIRS = 65536


def _two_product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Write the product a b as its rounding plus the error of that rounding."""
    product = a * b
    split_a, split_b = 134217729.0 * a, 134217729.0 * b
    high_a, high_b = split_a - (split_a - a), split_b - (split_b - b)
    low_a, low_b = a - high_a, b - high_b
    error = low_a * low_b - (((product - high_a * high_b) - low_a * high_b) - high_a * low_b)
    return product, error


def _difference_of_products(a: Floats, b: Floats, c: Floats, d: Floats) -> Floats:
    """Compute a b - c d without cancellation (correct to about two roundings)."""
    first, first_error = _two_product(a, b)
    second, second_error = _two_product(c, d)
    return (first - second) + (first_error - second_error)


def _is_positive(matrix: Floats, slack: float) -> bool:
    """Whether no eigenvalue is below -slack."""
    try:
        np.linalg.cholesky(matrix + slack * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return bool(np.linalg.eigvalsh(matrix)[0] >= -slack)
    return True


def _upper(n: int) -> NDArray[np.bool_]:
    """All pairs of different points."""
    return np.triu(np.ones((n, n), dtype=bool), 1)


def _determinants(
    points: Floats, a: NDArray[np.intp], b: NDArray[np.intp], bias: float, weight: float
) -> Floats:
    """D of pairs of points by Lagrange's identity, with K_ab = bias + weight x_a . x_b."""
    determinants = np.zeros(len(a))
    for start in range(0, len(a), _PAIRS):
        x, y = points[a[start : start + _PAIRS]], points[b[start : start + _PAIRS]]
        area = np.zeros(len(x))
        for i in range(1, points.shape[1]):
            minors = _difference_of_products(x[:, i : i + 1], y[:, :i], x[:, :i], y[:, i : i + 1])
            area += np.sum(minors**2, axis=1)
        distance = np.sum((x - y) ** 2, axis=1)
        determinants[start : start + _PAIRS] = bias * weight * distance + weight**2 * area
    return determinants


def _finite(values: ArrayLike, name: str) -> Floats:
    array = np.array(values, dtype=float)
    if not np.all(np.isfinite(array)):
        raise SpecificationError(
            expected=f"finite numbers in {name}",
            came="nan or infinity",
            remedy="remove those points",
        )
    return array


@dataclass(frozen=True, kw_only=True, eq=False)
class Gram:
    r"""Covariance K_ab of centred Gaussian fields z_a at n points.

    .. math:: K_{ab} = E[z_a z_b], \qquad D_{ab} = K_{aa} K_{bb} - K_{ab}^2 .

    Build it with :meth:`from_points` or :meth:`from_matrix`, which compute D without
    cancellation; a point of zero variance (K_aa = 0) is an ordinary point.

    Parameters
    ----------
    matrix : ndarray, shape (n, n)
        K: the covariance, symmetric and positive semidefinite.
    determinants : ndarray, shape (n, n)
        D: the determinants of all pairs, at least 0 and exactly 0 for collinear points.
    features : ndarray, shape (n, p), or None
        v: vectors with K = v v^T, when the covariance comes from points.
    errors : ndarray, shape (n, n), or None
        Bounds of the errors of K, where they are more than rounding of the matrix.

    Examples
    --------
    >>> gram = Gram.from_points([[1.0], [2.0], [2.0]], weight_variance=1.0, bias_variance=0.0)
    >>> gram.rank(), gram.determinants.tolist()[0]
    (1, [0.0, 0.0, 0.0])
    """

    matrix: Floats
    determinants: Floats
    features: Floats | None = None
    errors: Floats | None = None

    def __post_init__(self) -> None:
        for array in (self.matrix, self.determinants, self.features, self.errors):
            if array is not None:
                array.setflags(write=False)

    @classmethod
    def from_points(cls, X: ArrayLike, weight_variance: float, bias_variance: float) -> Gram:
        r"""Covariance of a dense first layer at points x_a.

        .. math:: K_{ab} = C_b + C_W\, x_a \cdot x_b / d, \qquad
                  D_{ab} = \frac{C_b C_W}{d} |x_a - x_b|^2
                  + \frac{C_W^2}{d^2} \sum_{i<j} (x_{ai} x_{bj} - x_{aj} x_{bi})^2 ,

        the second by Lagrange's identity. D is set to 0 where the angle between the two
        features is below 16 roundings: collinear points stay collinear after rounding.

        Parameters
        ----------
        X : array_like, shape (n, d)
            x: points.
        weight_variance : float
            C_W = sigma_w^2, at least 0.
        bias_variance : float
            C_b = sigma_b^2, at least 0.

        Raises
        ------
        SpecificationError
            If X is not a finite (n, d) array or a variance is negative.

        Examples
        --------
        >>> Gram.from_points([[1.0], [3.0]], weight_variance=1.0, bias_variance=0.5).matrix.tolist()
        [[1.5, 3.5], [3.5, 9.5]]
        """
        points = _finite(X, "the points")
        if points.ndim != 2 or 0 in points.shape:
            raise SpecificationError(
                expected="points of shape (n, d) with n and d at least 1",
                came=f"an array of shape {points.shape}",
                remedy="pass one row for each point, also in one dimension",
            )
        weight, bias = (
            float(_finite(value, "the variances")) for value in (weight_variance, bias_variance)
        )
        if weight < 0 or bias < 0:
            raise SpecificationError(
                expected="variances of at least 0",
                came=f"weight variance {weight:g}, bias variance {bias:g}",
                remedy="pass the squares of the scales",
            )
        d = points.shape[1]
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = bias + weight / d * (points @ points.T)
            bound = np.outer(np.diag(matrix), np.diag(matrix))
            determinants = bound - matrix**2
            # At wide angles that difference loses no digits; d² minors are for the others.
            narrow = np.triu(determinants <= _WIDE * bound, 1) if d > 4 else _upper(len(points))
            a, b = np.nonzero(narrow)
            close = _determinants(points, a, b, bias, weight / d)
            determinants[a, b] = determinants[b, a] = close
            np.fill_diagonal(determinants, 0.0)
        _finite(matrix, "the covariance")
        _finite(determinants, "the determinants of the covariance")
        determinants[determinants <= _ANGLE**2 * bound] = 0.0
        constant = np.full((len(points), 1), np.sqrt(bias))
        features = np.hstack([constant, np.sqrt(weight / d) * points])
        keep = np.any(features != 0, axis=0)
        return cls(matrix=matrix, determinants=determinants, features=features[:, keep])

    @classmethod
    def from_matrix(cls, K: ArrayLike, errors: ArrayLike | None = None) -> Gram:
        r"""Covariance given as a matrix.

        The determinants are those of the numbers given, computed without cancellation, and set
        to 0 where D_ab <= 8 eps K_aa K_bb: a matrix of doubles cannot tell smaller angles
        (below about 4e-8) from collinear points. Use :meth:`from_points` where they matter.

        Parameters
        ----------
        K : array_like, shape (n, n)
            K: symmetric and positive semidefinite, both to rounding.
        errors : array_like, shape (n, n), optional
            Bounds of the errors of K.

        Raises
        ------
        SpecificationError
            If K is not square, finite, symmetric and positive semidefinite.

        Examples
        --------
        >>> Gram.from_matrix([[1.0, 0.5], [0.5, 1.0]]).determinants.tolist()
        [[0.0, 0.75], [0.75, 0.0]]
        """
        given = _finite(K, "the covariance")
        if given.ndim != 2 or given.shape[0] != given.shape[1] or not given.size:
            raise SpecificationError(
                expected="a square covariance of shape (n, n)",
                came=f"an array of shape {given.shape}",
                remedy="pass one row and one column for each point",
            )
        diagonal = np.diag(given).copy()
        bound = np.sqrt(np.outer(np.abs(diagonal), np.abs(diagonal)))
        asymmetry = np.max(np.abs(given - given.T) - 64 * _EPS * bound)
        if asymmetry > 0:
            raise SpecificationError(
                expected="a symmetric covariance",
                came=f"entries K_ab and K_ba that differ by {np.max(np.abs(given - given.T)):.3g}",
                remedy="symmetrise it first",
            )
        matrix = (given + given.T) / 2
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        correlation = matrix / scale[:, None] / scale[None, :]
        bounds = None if errors is None else np.array(errors, dtype=float)
        # A matrix with errors may miss positivity by as much; correlations are kept within ±1.
        slack = 64 * _EPS
        if bounds is not None:
            relative = bounds / scale[:, None] / scale[None, :]
            slack += 2 * float(np.max(relative, where=np.outer(diagonal, diagonal) > 0, initial=0))
            matrix = np.where(
                np.abs(matrix) <= bound + slack * bound, np.clip(matrix, -bound, bound), matrix
            )
            np.fill_diagonal(matrix, diagonal)
        negative = np.any(diagonal < 0) or np.any(np.abs(matrix) > bound * (1 + slack))
        if negative or not _is_positive(correlation, slack * len(matrix)):
            raise SpecificationError(
                expected="a positive semidefinite covariance",
                came="a matrix with a negative direction",
                remedy="check the variances and |K_ab| <= sqrt(K_aa K_bb)",
            )
        full = np.broadcast_to(diagonal, matrix.shape)
        determinants = _difference_of_products(full.T, full, matrix, matrix)
        determinants[determinants <= _MATRIX * bound**2] = 0.0
        return cls(matrix=matrix, determinants=determinants, errors=bounds)

    def __len__(self) -> int:
        return len(self.matrix)

    def distinct(self) -> Distinct:
        """Merge points whose rows are exactly equal.

        Examples
        --------
        >>> Gram.from_points([[1.0], [2.0], [1.0]], 1.0, 1.0).distinct().labels.tolist()
        [0, 1, 0]
        """
        rows = self.matrix if self.features is None else self.features
        # Adding 0 makes -0.0 and 0.0 the same key.
        keys = [row.tobytes() for row in rows + 0.0]
        first: dict[bytes, int] = {}
        for position, key in enumerate(keys):
            first.setdefault(key, position)
        keep = list(first.values())
        rank = {key: label for label, key in enumerate(first)}
        return Distinct(
            gram=self.take(keep),
            labels=np.array([rank[key] for key in keys], dtype=np.intp),
            points=np.array(keep, dtype=np.intp),
        )

    def take(self, subset: Sequence[int]) -> Gram:
        """Keep some of the points, in the order given."""
        index = np.asarray(subset, dtype=np.intp)
        return Gram(
            matrix=self.matrix[np.ix_(index, index)].copy(),
            determinants=self.determinants[np.ix_(index, index)].copy(),
            features=None if self.features is None else self.features[index].copy(),
            errors=None if self.errors is None else self.errors[np.ix_(index, index)].copy(),
        )

    def rank(self, subset: Sequence[int] | None = None) -> int:
        """Numerical rank of the covariance of a subset of points (all of them if None).

        Examples
        --------
        >>> Gram.from_points([[1.0, 0.0], [1.0, 1e-9]], 1.0, 0.0).rank()
        2
        """
        return int(self.factor(subset).shape[1])

    def factor(self, subset: Sequence[int] | None = None) -> Floats:
        """Vectors v_a of minimal length r with K_ab = v_a . v_b over a subset of points.

        Parameters
        ----------
        subset : sequence of int, optional
            Points, s of them; all if omitted.

        Returns
        -------
        ndarray, shape (s, r)
            One row for each point; r is the numerical rank.

        Examples
        --------
        >>> Gram.from_matrix([[4.0, -2.0], [-2.0, 1.0]]).factor().tolist()
        [[2.0], [-1.0]]
        """
        index = np.arange(len(self)) if subset is None else np.asarray(subset, dtype=np.intp)
        lengths = np.sqrt(np.maximum(self.matrix[index, index], 0.0))
        occupied = np.flatnonzero(lengths > 0)
        if not occupied.size:
            return np.zeros((len(index), 0))
        pivot = occupied[np.argmax(lengths[occupied])]
        live = index[occupied]
        if not np.any(self.determinants[np.ix_(live, live)]):
            sign = np.sign(self.matrix[index, index[pivot]])
            return (sign * lengths)[:, None]
        if len(live) == 2:
            vectors = np.zeros((len(index), 2))
            vectors[occupied] = self.pairs(live[None, :])[0]
            return vectors
        directions = self._directions(live)
        vectors = np.zeros((len(index), directions.shape[1]))
        vectors[occupied] = lengths[occupied, None] * directions
        return vectors

    def _directions(self, live: NDArray[np.intp]) -> Floats:
        """Find unit vectors with the correlations of points of positive variance."""
        lengths = np.sqrt(self.matrix[live, live])
        if self.features is not None:
            units = self.features[live] / lengths[:, None]
            if units.shape[1] == 2:
                return np.asarray(units)
            _, triangle, order = qr(units.T, mode="economic", pivoting=True)
            tolerance = 2 * _ANGLE
        else:
            correlation = self.matrix[np.ix_(live, live)] / np.outer(lengths, lengths)
            triangle, order = _pivoted_cholesky(correlation)
            tolerance = float(np.sqrt(_MATRIX * len(live)))
        rank = int(np.sum(np.abs(np.diag(triangle)) > tolerance))
        directions = np.empty((len(live), rank))
        directions[order] = triangle[:rank].T
        return directions

    def pairs(self, pairs: ArrayLike) -> Floats:
        r"""Vectors in the plane of many pairs of points at once.

        .. math:: v_a = (\sqrt{K_{aa}}, 0), \qquad
                  v_b = (K_{ab}, \sqrt{D_{ab}}) / \sqrt{K_{aa}},

        exact also where the two are almost collinear; a pair of zero variance gives zeros.

        Parameters
        ----------
        pairs : array_like of int, shape (P, 2)
            Points a and b of each pair.

        Returns
        -------
        ndarray, shape (P, 2, 2)
            Two vectors for each pair.

        Examples
        --------
        >>> Gram.from_matrix([[4.0, 0.0], [0.0, 9.0]]).pairs([[0, 1]]).tolist()
        [[[2.0, 0.0], [0.0, 3.0]]]
        """
        index = np.asarray(pairs, dtype=np.intp)
        a, b = index[:, 0], index[:, 1]
        first = np.sqrt(self.matrix[a, a])
        safe = np.where(first > 0, first, 1.0)
        vectors = np.zeros((len(index), 2, 2))
        vectors[:, 0, 0] = first
        vectors[:, 1, 0] = np.where(first > 0, self.matrix[a, b] / safe, np.sqrt(self.matrix[b, b]))
        vectors[:, 1, 1] = np.where(first > 0, np.sqrt(self.determinants[a, b]) / safe, 0.0)
        return vectors


@dataclass(frozen=True, kw_only=True, eq=False)
class Distinct:
    """The distinct points of a :class:`Gram`.

    Parameters
    ----------
    gram : Gram
        Covariance of the m distinct points.
    labels : ndarray of int, shape (n,)
        For each of the n points its position among the distinct ones.
    points : ndarray of int, shape (m,)
        For each distinct point the first of the n points equal to it.
    """

    gram: Gram
    labels: NDArray[np.intp]
    points: NDArray[np.intp]


def _pivoted_cholesky(correlation: Floats) -> tuple[Floats, NDArray[Any]]:
    """Upper triangle R and order of pivots with correlation[order][:, order] = R^T R."""
    rest = correlation.copy()
    n = len(rest)
    order = np.arange(n)
    triangle = np.zeros((n, n))
    for k in range(n):
        pivot = k + int(np.argmax(np.diag(rest)[k:]))
        for array in (rest, triangle):
            array[:, [k, pivot]] = array[:, [pivot, k]]
        rest[[k, pivot]] = rest[[pivot, k]]
        order[[k, pivot]] = order[[pivot, k]]
        if rest[k, k] <= 0:
            break
        triangle[k, k:] = rest[k, k:] / np.sqrt(rest[k, k])
        rest[k:, k:] -= np.outer(triangle[k, k:], triangle[k, k:])
    return triangle, order
