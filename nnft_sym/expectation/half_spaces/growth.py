"""Whether a moment with growing Gaussian factors exists."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.expectation.half_spaces.reading import EdgeTerm
from nnft_sym.language.errors import InfiniteMomentError, NotDerivedError

__all__ = ["check_finite"]


def check_finite(factors: Sequence[Sequence[EdgeTerm]], K: NDArray[np.float64]) -> None:
    """Refuse covariances for which a term is infinite.

    exp(sum β z²) is integrable iff 1 - 2 K^{1/2} B K^{1/2} is positive.  Where it is not, the whole
    moment is infinite if the terms that grow most do not cancel along the growing direction.

    Raises
    ------
    InfiniteMomentError
        If the moment is infinite or undefined.
    NotDerivedError
        If terms are infinite that may cancel in their sum.
    """
    if not any(sp.re(term.quadratic) > 0 for terms in factors for term in terms):
        return
    values, vectors = np.linalg.eigh(K)
    root = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
    for choice in product(*factors):
        beta = np.array([float(sp.re(term.quadratic)) for term in choice])
        form = np.eye(K.shape[-1]) - 2 * np.swapaxes(root, 1, 2) @ (beta[:, None] * root)
        lowest, modes = np.linalg.eigh(form)
        for row in np.flatnonzero(lowest[:, 0] <= 0):
            direction = root[row] @ modes[row, :, 0]
            if any(_survives(factors, beta, side * direction) for side in (1, -1)):
                raise InfiniteMomentError(
                    expected="covariances for which the moment is finite",
                    came=f"exp(β z²) with β = {beta.tolist()} beyond its range of convergence",
                    remedy="lower the weight and bias scales",
                )
            raise NotDerivedError(
                expected="covariances for which every term of the function has a finite moment",
                came=f"variances {np.diag(K[row]).tolist()}, where growing terms may cancel",
                remedy="lower the weight and bias scales",
            )


def _survives(
    factors: Sequence[Sequence[EdgeTerm]],
    beta: NDArray[np.float64],
    direction: NDArray[np.float64],
) -> bool:
    """Whether the terms of given growth add up to something far out along a direction."""
    for terms, growth, side in zip(factors, beta, direction, strict=True):
        total: dict[tuple[sp.Expr, sp.Expr, int], sp.Expr] = {}
        for term in terms:
            if float(sp.re(term.quadratic)) == growth:
                for power, coefficient in enumerate(term.polynomial):
                    key = (term.quadratic, term.linear, power)
                    limit = coefficient * _limit(term, float(np.sign(side)))
                    total[key] = total.get(key, sp.Integer(0)) + limit
        if all(sp.expand(value) == 0 for value in total.values()):
            return False
    return True


def _limit(term: EdgeTerm, side: float) -> sp.Expr:
    """What the half-spaces of a term tend to on one side."""
    limit = sp.Integer(1)
    for edge in term.edges:
        inside = edge.side * side
        limit *= int(inside) if edge.is_sign else int(inside > 0)
    return limit
