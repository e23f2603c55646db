"""Conditions on densities of whole matrices of weights: deformed, or left unspecified.

With the neurons' vectors θ_n as rows (or columns) of W, all transformed alike, a flow gives

    sum_{n,k} (Tθ_n + τ)_k ∂_{nk} log P + n tr T = 0.
"""

from __future__ import annotations

import sympy as sp

from nnft_sym.deformations import Deformed, Unspecified, entries
from nnft_sym.language.errors import SpecificationError
from nnft_sym.symmetries.parameter_actions import ParameterAction
from nnft_sym.symmetries.requirements import Requirement, vanishing

__all__ = ["deformed_conditions", "unspecified_conditions"]

MOST_NEURONS = 8
"""Neurons up to which a potential of symbolic size is written out."""


def deformed_conditions(
    density: Deformed, action: ParameterAction, columns: bool, *, with_base: bool
) -> list[Requirement]:
    """Conditions for a deformed density, coefficient by coefficient in the entries of W.

    Parameters
    ----------
    density : Deformed
        P_0 e^{-V}, with a Gaussian base where ``with_base``.
    action : ParameterAction
        The transformation of each neuron's vector of weights.
    columns : bool
        Whether these vectors are the columns of W.
    with_base : bool
        Whether to include log P_0; else V alone is to be invariant.

    Examples
    --------
    >>> from nnft_sym.densities import Gaussian
    >>> W, lam = sp.MatrixSymbol("W", 2, 2), sp.Symbol("lam", nonnegative=True)
    >>> turn = ParameterAction(matrix=sp.ImmutableSparseMatrix([[0, 1], [-1, 0]]),
    ...                        shift=sp.ImmutableSparseMatrix([0, 0]), infinitesimal=True)
    >>> kept = Deformed(Gaussian(0, 1), lam * sp.Trace(W.T * W) ** 2)
    >>> {r.condition for r in deformed_conditions(kept, turn, False, with_base=True)}
    set()
    """
    W, V = _written_out(density, action.matrix.rows, columns)
    vectors = _vectors(W, columns)
    log_density = -V
    if with_base:
        log_density += sp.Add(*(density.base.log_density(w) for w in W))
    images = [action.applied(vector) for vector in vectors]
    pairs = [
        (w, image)
        for vector, moved in zip(vectors, images, strict=True)
        for w, image in zip(vector, moved, strict=True)
    ]
    if action.infinitesimal:
        residual = sp.Add(*(v * sp.diff(log_density, w) for w, v in pairs if v != 0))
        if with_base:
            residual += len(vectors) * action.divergence
    else:
        residual = log_density.xreplace(dict(pairs)) - log_density
        if with_base:
            residual += len(vectors) * sp.log(sp.Abs(action.matrix.det()))
    because = "the condition on log P is to hold for all entries of W"
    coefficients = sp.Poly(sp.expand(residual), *W).coeffs()
    conditions = dict.fromkeys(vanishing(c) for c in coefficients)
    return [Requirement(c, because) for c in conditions if c != sp.true]


def unspecified_conditions(
    density: Unspecified, action: ParameterAction, columns: bool
) -> list[Requirement]:
    """The differential or functional equation that a density left open has to satisfy.

    Examples
    --------
    >>> stretch = ParameterAction(matrix=sp.ImmutableSparseMatrix([[1]]),
    ...                           shift=sp.ImmutableSparseMatrix([0]), infinitesimal=True)
    >>> (needed,) = unspecified_conditions(Unspecified("P"), stretch, False)
    >>> needed.condition
    Eq(W_11*Derivative(log(P(W_11)), W_11) + 1, 0)
    """
    size = action.matrix.rows
    shape = (size, density.rows) if columns else (density.rows, size)
    W = entries(*shape)
    function = sp.Function(density.name, nonnegative=True)
    P = function(*W)
    vectors = _vectors(W, columns)
    images = [action.applied(vector) for vector in vectors]
    because = f"{density.name} is left open"
    if action.infinitesimal:
        terms = [
            v * sp.Derivative(sp.log(P), w, evaluate=False)
            for vector, moved in zip(vectors, images, strict=True)
            for w, v in zip(vector, moved, strict=True)
        ]
        equation = sp.Eq(sp.Add(*terms) + len(vectors) * action.divergence, 0)
        return [Requirement(equation, because)]
    rule = {
        w: v
        for vector, moved in zip(vectors, images, strict=True)
        for w, v in zip(vector, moved, strict=True)
    }
    size_of_map = sp.Abs(action.matrix.det()) ** len(vectors)
    return [Requirement(sp.Eq(size_of_map * P.xreplace(rule), P), because)]


def _written_out(density: Deformed, size: int, columns: bool) -> tuple[sp.ImmutableMatrix, sp.Expr]:
    """W and V for enough neurons: one more than any monomial of V connects.

    Sums over neurons of symbolic number are invariant for any number of them if they are for
    this one, for a monomial with fewer neurons has the same coefficient in all.
    """
    neurons = density.matrix.shape[1 if columns else 0]
    counts = [int(neurons)] if neurons.is_Integer else range(2, MOST_NEURONS + 1)
    for count in counts:
        shape = (size, count) if columns else (count, size)
        W, V = entries(*shape), density.written_out(*shape)
        vectors = [set(vector) for vector in _vectors(W, columns)]
        connected = max(
            (
                sum(1 for vector in vectors if vector & monomial.free_symbols)
                for monomial in sp.Add.make_args(V)
            ),
            default=0,
        )
        if neurons.is_Integer or connected < count:
            return W, V
    raise SpecificationError(
        expected=f"a potential whose terms connect fewer than {MOST_NEURONS} neurons",
        came=f"{density.potential}",
        remedy="write it for a matrix of fixed size",
    )


def _vectors(W: sp.ImmutableMatrix, columns: bool) -> list[tuple[sp.Symbol, ...]]:
    if columns:
        return [tuple(W[:, n]) for n in range(W.cols)]
    return [tuple(W[n, :]) for n in range(W.rows)]
