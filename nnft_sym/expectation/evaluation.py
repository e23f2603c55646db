"""Moments of φ(z + b) in numbers: special methods where they apply, the cubature elsewhere."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import import_module

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import VARIANCE, Z
from nnft_sym.expectation import evaluators
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.expectation.cubature.moments import Values, gaussian_moments

__all__ = ["Problem", "numeric_moments"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """The moments of φ(z_a + b) over the points a of a Gram matrix.

    Parameters
    ----------
    phi : sympy.Expr
        φ in z (and k = K_aa, for normalised activations).
    gram : Gram
        Covariance of z.
    shift : float
        b: a constant added to every z.
    rtol : float
        Error allowed, relative to the largest moment of an order.
    """

    phi: sp.Expr
    gram: Gram
    shift: float
    rtol: float

    @property
    def per_point(self) -> bool:
        """Whether φ refers to the variance of its argument."""
        return bool(self.phi.has(VARIANCE))

    @cached_property
    def thresholds(self) -> tuple[float, ...]:
        """Values of z at which φ(z + b) is not smooth."""
        kinks = find_kinks(self.phi.xreplace({VARIANCE: sp.Integer(1)})).thresholds
        return tuple(t - self.shift for t in kinks)

    def field(self, z: Floats, a: Indices | None = None) -> Floats:
        """φ(z + b), at the points a if it depends on them."""
        variance = 0.0 if a is None else np.diag(self.gram.matrix)[a]
        return np.broadcast_to(_numeric(self.phi)(z + self.shift, variance), np.shape(z))

    def cubature(self, index_sets: Mapping[int, Indices]) -> dict[int, Values]:
        """The moments by adaptive cubature, which knows nothing of φ but its values."""
        return gaussian_moments(
            self.field,
            self.thresholds,
            self.gram,
            index_sets,
            rtol=self.rtol,
            per_point=self.per_point,
        )


Evaluator = Callable[[Problem, Indices], Values | None]


def numeric_moments(
    phi: sp.Expr,
    gram: Gram,
    index_sets: Mapping[int, Indices],
    *,
    shift: float = 0.0,
    rtol: float = 1e-10,
) -> dict[int, Values]:
    """Moments of φ(z + b) by the first evaluator that applies to each order, else by cubature.

    Parameters
    ----------
    phi, gram, shift, rtol
        As in :class:`Problem`.
    index_sets : mapping of int to ndarray, shape (U, k)
        Multi-indices for each order k.

    Returns
    -------
    dict of int to Values

    Raises
    ------
    AccuracyError
        If the accuracy cannot be had.
    InfiniteMomentError
        If a moment is infinite.

    Examples
    --------
    >>> gram = Gram.from_matrix(np.eye(4))
    >>> rows = np.array([[0, 1, 2, 3]])
    >>> numeric_moments(sp.Max(Z, 0), gram, {4: rows})[4].entries * (2 * np.pi) ** 2
    array([1.])
    """
    problem = Problem(phi=phi, gram=gram, shift=shift, rtol=rtol)
    found: dict[int, Values] = {}
    left: dict[int, Indices] = {}
    for order, rows in index_sets.items():
        values = _first(problem, rows)
        if values is None:
            left[order] = rows
        else:
            found[order] = values
    return found | (problem.cubature(left) if left else {})


def _first(problem: Problem, rows: Indices) -> Values | None:
    for evaluate in _evaluators():
        values = evaluate(problem, rows)
        if values is not None:
            return values
    return None


@lru_cache(maxsize=1)
def _evaluators() -> tuple[Evaluator, ...]:
    modules = [
        import_module(f"{evaluators.__name__}.{info.name}")
        for info in pkgutil.iter_modules(evaluators.__path__)
    ]
    return tuple(module.evaluate for module in sorted(modules, key=lambda module: module.RANK))


@lru_cache(maxsize=256)
def _numeric(phi: sp.Expr) -> Callable[..., Floats]:
    return sp.lambdify((Z, VARIANCE), phi, modules=["scipy", "numpy"])
