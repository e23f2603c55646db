"""Neurons that are products over independent parameters: their moments are products too."""

from __future__ import annotations

import sympy as sp

from nnft_sym.density import Density

__all__ = ["independent_factors"]

Groups = tuple[tuple[tuple[sp.Symbol, ...], Density], ...]


def independent_factors(neuron: sp.Expr, groups: Groups) -> tuple[tuple[sp.Expr, Groups], ...]:
    """Split h(x; θ) into factors that share no event of parameters, each with its groups.

    Parameters
    ----------
    neuron : sympy.Expr
        h.
    groups : tuple of (tuple of sympy.Symbol, Density)
        Independent events of the parameters; a density of entries may serve several symbols.

    Examples
    --------
    >>> from nnft_sym.densities import Uniform
    >>> a, b, w, x = sp.symbols("a b w x_1", real=True)
    >>> groups = (((a, b, w), Uniform(-1, 1)),)
    >>> [h for h, _ in independent_factors(a * x * sp.tanh(w * x + b), groups)]
    [a*x_1, tanh(b + w*x_1)]
    """
    events: list[tuple[tuple[sp.Symbol, ...], Density]] = []
    for names, density in groups:
        parts = [names] if density.dimension > 1 else [(name,) for name in names]
        events += [(part, density) for part in parts]
    sets: list[tuple[set[int], sp.Expr]] = []
    constant = sp.Integer(1)
    for factor in sp.Mul.make_args(neuron):
        own = {i for i, (names, _) in enumerate(events) if factor.free_symbols & set(names)}
        if not own:
            constant *= factor
            continue
        for other in [s for s in sets if s[0] & own]:
            sets.remove(other)
            own, factor = own | other[0], factor * other[1]
        sets.append((own, factor))
    sets.sort(key=lambda item: min(item[0]))
    return tuple(
        (factor * (constant if number == 0 else 1), tuple(events[i] for i in sorted(own)))
        for number, (own, factor) in enumerate(sets)
    )
