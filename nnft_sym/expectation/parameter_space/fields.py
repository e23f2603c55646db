"""Neurons φ(z; x) of one field z = A(x)·θ + A_0(x) that is affine in the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.activations import Z

__all__ = ["AffineNeuron"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AffineNeuron:
    """A neuron h(x; θ) = φ(z; x) with z = A(x)·θ + A_0(x).

    Parameters
    ----------
    phi : sympy.Expr
        φ in z, the inputs and free symbols.
    slopes : tuple of sympy.Expr
        A(x), one entry for each parameter.
    offset : sympy.Expr
        A_0(x).
    """

    phi: sp.Expr
    slopes: tuple[sp.Expr, ...]
    offset: sp.Expr = sp.S.Zero

    @classmethod
    def of(cls, neuron: sp.Expr, parameters: tuple[sp.Symbol, ...]) -> AffineNeuron | None:
        """Read a neuron as a function of one affine field; None if it is not seen to be one.

        Examples
        --------
        >>> b, w, x = sp.symbols("b w x_1", real=True)
        >>> found = AffineNeuron.of(x * sp.tanh(w * x + b), (w, b))
        >>> found.phi, found.slopes
        (x_1*tanh(z), (x_1, 1))
        """
        drawn = set(parameters)
        for candidate in sp.preorder_traversal(neuron):
            inside = [p for p in parameters if p in candidate.free_symbols]
            if not inside or not candidate.is_polynomial(*inside):
                continue
            polynomial = sp.Poly(candidate, *inside)
            if polynomial.total_degree() != 1:
                continue
            slopes = {p: polynomial.coeff_monomial(p) for p in inside}
            offset = polynomial.coeff_monomial(1)
            first = inside[0]
            rest = sp.Add(*(slopes[p] * p for p in inside[1:]), offset)
            # z takes the place of the first parameter; in a function of z the others drop out.
            phi = neuron.xreplace({candidate: Z})
            if phi.free_symbols & drawn:
                phi = phi.xreplace({first: (Z - rest) / slopes[first]}).expand()
            if not phi.free_symbols & drawn:
                every = tuple(sp.expand(slopes.get(p, sp.S.Zero)) for p in parameters)
                return cls(phi=phi, slopes=every, offset=offset)
        return None

    def xreplace(self, rule: Mapping[sp.Basic, sp.Basic]) -> AffineNeuron:
        """Return the neuron with symbols replaced."""
        return AffineNeuron(
            phi=self.phi.xreplace(rule),
            slopes=tuple(slope.xreplace(rule) for slope in self.slopes),
            offset=self.offset.xreplace(rule),
        )

    def numbers(self, inputs: tuple[sp.Symbol, ...], X: Floats) -> tuple[Floats, Floats]:
        """A, of shape (n, parameters), and A_0, of shape (n,), at the rows of X.

        Examples
        --------
        >>> b, w, x = sp.symbols("b w x_1", real=True)
        >>> found = AffineNeuron.of(sp.tanh(w * x + b), (w, b))
        >>> found.numbers((x,), np.array([[2.0], [3.0]]))[0].tolist()
        [[2.0, 1.0], [3.0, 1.0]]
        """
        parts = [*self.slopes, self.offset]
        function = sp.lambdify(inputs, parts, modules=["scipy", "numpy"])
        columns = function(*X.T)
        table = np.column_stack([np.broadcast_to(c, len(X)) for c in columns]).astype(np.float64)
        return table[:, :-1], table[:, -1]

    def at(self, inputs: tuple[sp.Symbol, ...], point: Floats) -> sp.Expr:
        """φ at one point, a function of z alone."""
        rule = {x: sp.Float(float(value), 17) for x, value in zip(inputs, point, strict=True)}
        return self.phi.xreplace(rule)
