"""Parity: centred Gaussians are symmetric under z -> -z, so odd products average to zero."""

from __future__ import annotations

import sympy as sp

from nnft_sym.activations import Z
from nnft_sym.expectation.forms import ClosedForm, SymbolicForm

RANK = 0


def derive(factors: tuple[sp.Expr, ...]) -> ClosedForm | None:
    """Zero if every factor has a parity and an odd number of them is odd.

    Examples
    --------
    >>> derive((sp.erf(Z),) * 3).expression
    0
    """
    parities = []
    for factor in factors:
        reflected = factor.xreplace({Z: -Z})
        if sp.expand(reflected - factor) == 0:
            parities.append(0)
        elif sp.expand(reflected + factor) == 0:
            parities.append(1)
        else:
            return None
    if sum(parities) % 2 == 0:
        return None
    step = r"z \to -z \text{ leaves the Gaussian unchanged and flips the product}"
    return SymbolicForm(
        points=len(factors), in_determinants=sp.Integer(0), source="parity", steps=(step,)
    )
