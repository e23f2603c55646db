"""Numbers for the free parameters of a network, at which nothing holds by coincidence."""

from __future__ import annotations

from itertools import permutations

import sympy as sp

from nnft_sym.networks import Network

__all__ = ["generic_values"]

SCALES = tuple(sp.Rational(n, 4) for n in (3, 2, 4, 5, 6, 7, 9, 10))
LOCATIONS = tuple(sp.Rational(n, 5) for n in (2, 4, 6, 7, 9, 11))


def generic_values(net: Network) -> dict[sp.Symbol, sp.Expr]:
    """Widths 2, scales and locations that differ, inside the domains of all densities.

    Where the conditions of the densities order locations, as in U[low, high], they are tried in
    other orders.

    Examples
    --------
    >>> from nnft_sym.literature import erf_net
    >>> generic_values(erf_net())
    {N: 2, sigma_b: 3/4, sigma_v: 1/2, sigma_w: 1}
    """
    free = sorted(net.symbols, key=lambda symbol: symbol.name)
    widths = {s: sp.Integer(2) for s in free if s.is_integer}
    scales = [s for s in free if s not in widths and s.is_nonnegative]
    locations = [s for s in free if s not in widths and s not in scales]
    values = widths | {s: SCALES[i % len(SCALES)] for i, s in enumerate(scales)}
    for order in permutations(locations):
        tried = values | {
            s: LOCATIONS[i % len(LOCATIONS)] + i // len(LOCATIONS) for i, s in enumerate(order)
        }
        conditions = (c for density in net.densities for c, _ in density.conditions)
        if all(not c.xreplace(tried).is_negative for c in conditions):
            return {s: tried[s] for s in free}
    return {s: values.get(s, sp.Integer(1)) for s in free}
