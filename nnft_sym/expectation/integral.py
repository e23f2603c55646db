"""Gaussian expectations without a closed form, as exact integral objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from nnft_sym.activations import VARIANCE, Z
from nnft_sym.density import Density
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.evaluation import numeric_moments
from nnft_sym.expectation.variables import covariance_matrix
from nnft_sym.language.errors import AccuracyError, NotDerivedError

__all__ = ["GaussianExpectation", "expectation_over_offset"]

OFFSET = sp.Symbol("b", real=True)

_BITS = 80
"""Working precision up to which sympy may ask for a double-precision value."""


class GaussianExpectation(sp.Expr):
    """E[φ(z_1) ... φ(z_k)] over centred Gaussians with covariance K, left as an integral.

    It evaluates (``evalf``) to 1e-10 of its scale where the rank of K over the distinct points
    is at most 2, and for smooth φ beyond.

    Parameters
    ----------
    phi : sympy.Expr
        φ in the symbol z.
    K : sympy.Matrix
        Covariance matrix, k × k.

    Raises
    ------
    AccuracyError
        On evaluation, if more digits are asked for than can be had.

    Examples
    --------
    >>> mean_square = GaussianExpectation(sp.tanh(Z), sp.Matrix([[1, 1], [1, 1]]))
    >>> mean_square.evalf(8)
    0.39429449
    """

    is_commutative = True
    is_real = True

    def __new__(cls, phi: sp.Expr, K: sp.Matrix) -> GaussianExpectation:
        return super().__new__(cls, phi, sp.ImmutableMatrix(K))

    @property
    def order(self) -> int:
        """Number of points k."""
        return int(self.args[1].shape[0])

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        """Symbols of the covariances; z is integrated over."""
        return self.args[1].free_symbols | (self.args[0].free_symbols - {Z})

    def _eval_evalf(self, prec: int) -> sp.Expr | None:
        K = self.args[1]
        if K.free_symbols:
            return None
        if prec > _BITS:
            raise AccuracyError(
                expected="at most 15 digits of a Gaussian integral without a closed form",
                came=f"a request for {prec} bits",
                remedy="call evalf() or evalf(15)",
            )
        gram = Gram.from_matrix(np.array(K.evalf(), dtype=np.float64))
        rows = np.arange(self.order)[None, :]
        moments = numeric_moments(self.args[0], gram, {self.order: rows})
        return sp.Float(float(moments[self.order].entries[0]), precision=53)

    def _latex(self, printer: Any) -> str:
        phi, K = self.args
        names = [str(K[a, a]) for a in range(self.order)]
        # Symbols such as K_22^(3) name their point and layer; other covariances are numbered.
        points = [
            name[2 : 2 + (len(name.partition("^")[0]) - 2) // 2]
            if name.startswith("K_")
            else str(a + 1)
            for a, name in enumerate(names)
        ]
        marks = {name.partition("^")[2] for name in names if name.startswith("K_")}
        layer = f"K^{{{marks.pop()}}}" if len(marks) == 1 and marks != {""} else "K"
        written = (
            printer.doprint(phi.xreplace({Z: sp.Symbol(f"z_{point}", real=True)}))
            for point in points
        )
        factors = (rf"\left({text}\right)" if phi.is_Add else text for text in written)
        return rf"\mathbb{{E}}\left[{' '.join(factors)}\right]_{{{layer}}}"

    def _sympystr(self, printer: Any) -> str:
        factors = "*".join(f"phi(z_{a + 1})" for a in range(self.order))
        return f"E[{factors}; phi(z) = {printer.doprint(self.args[0])}]"


def expectation_over_offset(phi: sp.Expr, order: int, offset: Density | None) -> sp.Expr:
    """E[prod_a φ(u_a + b)] for Gaussian u and an independent bias b, left as an integral.

    Examples
    --------
    >>> expectation_over_offset(sp.tanh(Z), 2, None)
    E[phi(z_1)*phi(z_2); phi(z) = tanh(z)]
    """
    K = covariance_matrix(order)
    if phi.has(VARIANCE):
        raise NotDerivedError(
            expected="a normalised activation with a closed form to be written out",
            came=f"{phi} with a bias {offset}",
            remedy="evaluate it with .tensor, or use a centred Gaussian bias",
        )
    if offset is None:
        return GaussianExpectation(phi, K)
    shifted = GaussianExpectation(phi.xreplace({Z: Z + OFFSET}), K)
    low, high = offset.support()
    points = offset.atoms()
    if offset.is_point_mass:
        points = ((offset.moment(1), sp.Integer(1)),)
    if points:
        return sp.Add(*(weight * shifted.xreplace({OFFSET: b}) for b, weight in points))
    return sp.Integral(sp.exp(offset.log_density(OFFSET)) * shifted, (OFFSET, low, high))
