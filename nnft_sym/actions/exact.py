"""Exact amputation: the entries of G⁻¹ and of the correlators as generators of a polynomial ring.

Every bare coupling is a polynomial in them, and the way back needs no G: a round trip is an
identity between polynomials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.actions.frames import Frame
from nnft_sym.diagrams.contraction import boxed
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import SymmetricTensor

__all__ = ["ExactFrame", "exact_frame"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExactFrame(Frame):
    """The frame of symbols: f itself.

    Parameters
    ----------
    meaning : mapping of sympy.Symbol to sympy.Expr
        What the generators of the ring stand for.
    """

    meaning: Mapping[sp.Symbol, sp.Expr]

    def expressions(self, tensor: SymmetricTensor) -> SymmetricTensor:
        """A tensor over the ring in the symbols it was made from."""
        entries = self.expression_array(tensor.entries)
        return SymmetricTensor(tensor.order, tensor.dimension, entries)

    def expression_array(self, elements: NDArray[Any]) -> NDArray[Any]:
        """An array over the ring in the symbols it was made from."""
        values = [element.as_expr().xreplace(dict(self.meaning)) for element in elements.flat]
        return boxed(values).reshape(elements.shape)


def exact_frame(
    cumulants: Mapping[int, SymmetricTensor],
) -> tuple[ExactFrame, dict[int, SymmetricTensor]]:
    """Return the frame of a symbolic covariance, and the cumulants beyond it in its ring.

    Parameters
    ----------
    cumulants : mapping of int to SymmetricTensor
        Entries are sympy expressions or exact numbers; 2 is there.

    Raises
    ------
    SpecificationError
        If the determinant of the covariance is zero, or it has a negative direction for sure.

    Examples
    --------
    >>> a, k = sp.symbols("a k")
    >>> one = lambda order, entry: SymmetricTensor(order, 1, boxed([entry]))
    >>> frame, elements = exact_frame({2: one(2, a), 4: one(4, k)})
    >>> frame.precision.entries[0], frame.meaning[sp.Symbol("P_11")], sorted(elements)
    (P_11, 1/a, [4])
    """
    covariance = cumulants[2]
    n = covariance.dimension
    matrix = sp.Matrix(n, n, list(covariance.dense.reshape(-1)))
    determinant = sp.expand(matrix.det())
    if determinant == 0:
        raise SpecificationError(
            expected="a covariance G that can be inverted",
            came=f"the determinant 0 of {matrix.tolist()}",
            remedy="leave dependent points out",
        )
    if determinant.is_negative or any(matrix[a, a].is_negative for a in range(n)):
        raise SpecificationError(
            expected="a covariance G without negative directions",
            came=f"{matrix.tolist()}, of determinant {determinant}",
            remedy="pass the connected two-point function",
        )
    adjugate = matrix.adjugate()
    precision = {}
    for a, b in covariance.indices:
        name = sp.Symbol(f"P_{a + 1}{b + 1}" if n < 10 else f"P_{a + 1},{b + 1}")
        precision[name] = adjugate[int(a), int(b)] / determinant
    meaning: dict[sp.Symbol, sp.Expr] = dict(precision)
    names: dict[sp.Expr, sp.Symbol] = {}
    for k in sorted(set(cumulants) - {2}):
        for entry in cumulants[k].entries:
            if not entry.is_Rational and entry not in names:
                names[entry] = sp.Dummy(f"k_{k}")
                meaning[names[entry]] = entry
    ring = sp.ring(list(meaning), sp.QQ)[0]

    def element(entry: sp.Expr) -> Any:
        return ring.from_expr(names.get(entry, entry))

    elements = {
        k: SymmetricTensor(k, n, boxed([element(entry) for entry in tensor.entries]))
        for k, tensor in cumulants.items()
        if k > 2
    }
    inverse = SymmetricTensor(2, n, boxed([ring.from_expr(name) for name in precision]))
    line = np.array(inverse.dense)
    frame = ExactFrame(
        enter=None,
        line=line,
        coupling_legs=line,
        correlator_legs=None,
        precision=inverse,
        half_log_determinant=sp.log((2 * sp.pi) ** n * determinant) / 2,
        meaning=meaning,
    )
    return frame, elements
