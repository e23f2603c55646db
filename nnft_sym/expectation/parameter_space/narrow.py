"""Where a smooth function of one variable changes fast, so that no panel passes it by."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import sympy as sp

from nnft_sym.activations import Z
from nnft_sym.expectation.parameter_space.creases import transitions

__all__ = ["narrow_cuts"]

_WIDTHS = 2.0 ** np.arange(-60, 11)
_GRADES = 2.0 ** np.arange(0, 8)
_WIDE = 0.05


@lru_cache(maxsize=512)
def narrow_cuts(phi: sp.Expr) -> tuple[float, ...]:
    """Cuts around the narrow transitions of a function of z, at doubling distances.

    Examples
    --------
    >>> narrow_cuts(sp.tanh(Z))
    ()
    >>> len(narrow_cuts(sp.erf(10**6 * (Z - 1))))
    17
    """
    cuts: set[float] = set()
    for argument, zero in transitions(phi, (Z,)):
        if argument.free_symbols != {Z} or not zero.is_polynomial(Z):
            continue
        function = sp.lambdify(Z, argument, modules=["scipy", "numpy"])
        polynomial = sp.Poly(zero, Z)
        roots = np.roots([complex(c) for c in polynomial.all_coeffs()])
        for root in (float(r.real) for r in roots if abs(r.imag) <= 1e-9 * (1 + abs(r))):
            places = root + np.concatenate([-_WIDTHS, _WIDTHS])
            moved = np.abs(np.broadcast_to(function(places), places.shape) - function(root)) >= 1
            widths = np.tile(_WIDTHS, 2)[moved]
            if len(widths) and widths.min() < _WIDE:
                steps = widths.min() * _GRADES
                cuts |= {root, *(root - steps), *(root + steps)}
    return tuple(sorted(cuts))
