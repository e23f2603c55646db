"""Neurons that are polynomials in their parameters: moments from the moments of the densities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.density import Density
from nnft_sym.expectation.law import Moments, coordinate
from nnft_sym.language.errors import AccuracyError
from nnft_sym.tensors import SymmetricTensor, multi_indices, rank_of

__all__ = ["Monomials"]

_DEGREE = 16
_EPS = np.finfo(np.float64).eps

Powers = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Monomials:
    """A neuron sum_p c_p(x) θ^p, with E[h(x_1)...h(x_k)] = sum c_{p_1}...c_{p_k} E θ^{p_1+...+p_k}.

    Parameters
    ----------
    inputs : tuple of sympy.Symbol
        x.
    groups : tuple of (tuple of sympy.Symbol, Density)
        Independent events of the parameters; a density of entries may serve several symbols.
    terms : tuple of (tuple of int, sympy.Expr)
        Pairs (p, c_p).
    """

    inputs: tuple[sp.Symbol, ...]
    groups: tuple[tuple[tuple[sp.Symbol, ...], Density], ...]
    terms: tuple[tuple[Powers, sp.Expr], ...]

    @classmethod
    def of(
        cls,
        expression: sp.Expr,
        inputs: tuple[sp.Symbol, ...],
        groups: tuple[tuple[tuple[sp.Symbol, ...], Density], ...],
    ) -> Monomials | None:
        """Read a neuron; None if it is no polynomial of moderate degree in its parameters."""
        parameters = tuple(symbol for names, _ in groups for symbol in names)
        if not expression.is_polynomial(*parameters):
            return None
        polynomial = sp.Poly(expression, *parameters)
        if polynomial.total_degree() > _DEGREE:
            return None
        return cls(inputs=inputs, groups=groups, terms=tuple(polynomial.terms()))

    def parameter_moment(self, powers: Powers) -> sp.Expr:
        """E θ^p over all groups."""
        value, start = sp.Integer(1), 0
        for names, density in self.groups:
            part = powers[start : start + len(names)]
            start += len(names)
            if density.dimension > 1:
                value *= density.mixed_moment(part)
            else:
                value *= sp.Mul(*(density.moment(power) for power in part))
        return value

    def expression(self, order: int) -> sp.Expr:
        """Write the moment at k points in coordinates."""
        partial: dict[Powers, sp.Expr] = {(0,) * len(self.terms[0][0]): sp.Integer(1)}
        for point in range(1, order + 1):
            rule = {x: coordinate(point, i + 1) for i, x in enumerate(self.inputs)}
            terms = [(powers, c.xreplace(rule)) for powers, c in self.terms]
            gathered: dict[Powers, list[sp.Expr]] = {}
            for powers, factor in partial.items():
                for more, c in terms:
                    gathered.setdefault(_add(powers, more), []).append(factor * c)
            partial = {powers: sp.Add(*parts) for powers, parts in gathered.items()}
        return sp.Add(*(self.parameter_moment(powers) * c for powers, c in partial.items()))

    def moments(self, order: int, X: NDArray[np.float64]) -> Moments:
        """Moments over the rows of X, for numbers in place of all symbols."""
        n = len(X)
        function = sp.lambdify(self.inputs, [c for _, c in self.terms], modules=["scipy", "numpy"])
        with np.errstate(all="ignore"):
            table = [np.broadcast_to(row, n).astype(np.float64) for row in function(*X.T)]
        if not np.all(np.isfinite(table)):
            raise AccuracyError(
                expected="a neuron that is finite at every point",
                came="a coefficient that is not",
                remedy="leave out the points at which the neuron is singular",
            )
        partial = {(0,) * len(self.terms[0][0]): np.ones((1, 2))}
        for k in range(1, order + 1):
            indices = multi_indices(k, n)
            before, last = rank_of(indices[:, :-1], n), indices[:, -1]
            grown: dict[Powers, NDArray[np.float64]] = {}
            for powers, factor in partial.items():
                for (more, _), row in zip(self.terms, table, strict=True):
                    signs = np.stack([row[last], np.abs(row[last])], axis=1)
                    key = _add(powers, more)
                    grown[key] = grown.get(key, 0.0) + factor[before] * signs
            partial = grown
        value, size = self._summed(partial, len(multi_indices(order, n)))
        error = 4 * _EPS * (order + len(partial)) * size
        return Moments(
            values=SymmetricTensor(order, n, value), errors=SymmetricTensor(order, n, error)
        )

    def _summed(
        self, partial: dict[Powers, NDArray[np.float64]], entries: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        total = np.zeros((entries, 2))
        for powers, factor in partial.items():
            moment = float(self.parameter_moment(powers))
            total += factor * np.array([moment, abs(moment)])
        return total[:, 0], total[:, 1]


def _add(left: Sequence[int], right: Sequence[int]) -> Powers:
    return tuple(a + b for a, b in zip(left, right, strict=True))
