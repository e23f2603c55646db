"""At most two half-spaces: everything with one error function or kink at each of two points.

A factor is a finite sum of P(z) exp(αz + βz²), each times nothing, an error function of an affine
argument, or the indicator of a half-line.  Both of the latter are half-spaces y > 0 with y jointly
Gaussian with z, and integration by parts leads down to the normal distribution function of one of
them and the bivariate one of two.
"""

from __future__ import annotations

from itertools import product

import sympy as sp

from nnft_sym.expectation.forms import ClosedForm
from nnft_sym.expectation.half_spaces.form import HalfSpaceForm
from nnft_sym.expectation.half_spaces.reading import edge_terms, is_closed

RANK = 40


def derive(factors: tuple[sp.Expr, ...]) -> ClosedForm | None:
    """Closed form at any number of points, if no product of terms has three half-spaces.

    None as well where an oscillating factor, α or β complex, would make the arguments of the
    bivariate normal distribution function complex.

    Source: [W96] and [CS09] for the special cases; integration by parts in general.

    Examples
    --------
    >>> from nnft_sym.activations import Z
    >>> derive((Z * sp.erf(Z),)).expression
    2*K_11/(sqrt(pi)*sqrt(2*K_11 + 1))
    """
    read = {factor: edge_terms(factor) for factor in set(factors)}
    if any(terms is None for terms in read.values()):
        return None
    terms = tuple(read[factor] or () for factor in factors)
    if not all(is_closed(choice) for choice in product(*terms)):
        return None
    return HalfSpaceForm(factors=factors, terms=terms)
