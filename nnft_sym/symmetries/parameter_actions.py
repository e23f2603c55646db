"""How a transformation of the inputs is absorbed in the parameters of a neuron.

h(g x; θ) = h(x; B θ + c) for a finite g, and h(x + ε v(x); θ) = h(x; θ + ε (T θ + τ)) to first
order for a vector field: the maps of θ that do what g does to x, where there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from nnft_sym.group_theory.transformations import AffineMap, VectorField
from nnft_sym.symmetries.neuron_forms import Neuron

__all__ = ["ParameterAction", "absorbed"]

Generator = VectorField | AffineMap


@dataclass(frozen=True, kw_only=True)
class ParameterAction:
    """An affine transformation of parameters: θ → Bθ + c, or δθ = Tθ + τ.

    Parameters
    ----------
    matrix : sympy.ImmutableSparseMatrix
        B or T.
    shift : sympy.ImmutableSparseMatrix
        c or τ, a column.
    infinitesimal : bool
        Whether it is a flow δθ = Tθ + τ.
    """

    matrix: sp.ImmutableSparseMatrix
    shift: sp.ImmutableSparseMatrix
    infinitesimal: bool

    def applied(self, theta: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
        """Bθ + c or Tθ + τ.

        Examples
        --------
        >>> turn = sp.ImmutableSparseMatrix([[0, -1], [1, 0]])
        >>> zero = sp.ImmutableSparseMatrix([0, 0])
        >>> action = ParameterAction(matrix=turn, shift=zero, infinitesimal=True)
        >>> action.applied(sp.symbols("a b"))
        (-b, a)
        """
        return tuple(self.matrix * sp.SparseMatrix(list(theta)) + self.shift)

    @property
    def divergence(self) -> sp.Expr:
        """The trace term tr T: by how much a flow stretches volumes."""
        return self.matrix.trace()

    def reflected(self) -> ParameterAction:
        """The action followed by θ → -θ."""
        return ParameterAction(
            matrix=-self.matrix, shift=-self.shift, infinitesimal=self.infinitesimal
        )

    def unscaled(self) -> ParameterAction:
        """The flow without the part that scales all parameters alike."""
        n = self.matrix.rows
        return ParameterAction(
            matrix=sp.ImmutableSparseMatrix(
                self.matrix - sp.SparseMatrix.eye(n) * self.divergence / n
            ),
            shift=self.shift,
            infinitesimal=self.infinitesimal,
        )


def absorbed(neuron: Neuron, generator: Generator) -> ParameterAction | None:
    """Find the affine map of parameters that does what a generator does to the inputs.

    Every polynomial s(x; θ) the neuron is built from must be carried over.  Where θ occurs
    linearly in the coefficients of s in x, s = Σ_m x^m (C θ + c_0)_m, this is C B = C', verified
    then on all of s.  None where there is no such map, or none is found.

    Parameters
    ----------
    neuron : Neuron
        h(x; θ).
    generator : VectorField or AffineMap
        A generator acting on x.

    Examples
    --------
    >>> from nnft_sym.groups import Translations
    >>> from nnft_sym.literature import cos_net, relu_net
    >>> from nnft_sym.symmetries.neuron_forms import first_neuron
    >>> (shift,) = Translations(1).fields
    >>> absorbed(first_neuron(cos_net(), 1), shift).matrix
    Matrix([
    [0, 0],
    [1, 0]])
    """
    flow = isinstance(generator, VectorField)
    if isinstance(generator, VectorField):
        moved = [_derivative(s, neuron.inputs, generator.components) for s in neuron.cores]
    else:
        image = dict(zip(neuron.inputs, generator(neuron.inputs), strict=True))
        moved = [sp.expand(s.xreplace(image)) for s in neuron.cores]
    n, frame = len(neuron.symbols), _frame(neuron)
    after = [_coefficients(s, neuron) for s in moved]
    target = [after[c].get(m, {}) for c, m in frame.rows]
    if frame.inverse is None or not all(_is_linear(t) for t in target):
        return None
    D, wanted = _affine(target, n)
    matrix = sp.SparseMatrix.zeros(n, n) if flow else sp.SparseMatrix.eye(n)
    shift = sp.SparseMatrix.zeros(n, 1)
    if frame.bound:
        solved = frame.inverse * D
        moved_by = frame.inverse * (wanted if flow else wanted - frame.offset)
        for number, k in enumerate(frame.bound):
            matrix[k, :] = solved[number, :]
            shift[k] = moved_by[number]
    action = ParameterAction(
        matrix=sp.ImmutableSparseMatrix(matrix),
        shift=sp.ImmutableSparseMatrix(shift),
        infinitesimal=flow,
    )
    return action if _does(action, neuron, moved) else None


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """Where parameters occur linearly: rows (core, monomial), those parameters, and C⁻¹, c_0."""

    rows: tuple[tuple[int, tuple[int, ...]], ...]
    bound: tuple[int, ...]
    inverse: sp.ImmutableSparseMatrix | None
    offset: sp.ImmutableSparseMatrix


@lru_cache(maxsize=64)
def _frame(neuron: Neuron) -> _Frame:
    theta = neuron.symbols
    terms = [
        ((number, monomial), coefficient)
        for number, core in enumerate(neuron.cores)
        for monomial, coefficient in _coefficients(core, neuron).items()
        if _is_linear(coefficient)
    ]
    C, offset = _affine([coefficient for _, coefficient in terms], len(theta))
    bound = [k for k in range(len(theta)) if any(C[i, k] != 0 for i in range(C.rows))]
    own = C.extract(list(range(C.rows)), bound)
    square = own.T * own
    singular = bool(bound) and square.det() == 0
    return _Frame(
        rows=tuple(row for row, _ in terms),
        bound=tuple(bound),
        inverse=None if singular else sp.ImmutableSparseMatrix(square.inv() * own.T),
        offset=sp.ImmutableSparseMatrix(offset),
    )


def _does(action: ParameterAction, neuron: Neuron, moved: list[sp.Expr]) -> bool:
    """Whether the cores change by the action on θ as they did by the one on x."""
    image = action.applied(neuron.symbols)
    rule = dict(zip(neuron.symbols, image, strict=True))
    for core, wanted in zip(neuron.cores, moved, strict=True):
        if action.infinitesimal:
            found = _derivative(core, neuron.symbols, image)
        else:
            found = core.xreplace(rule)
        if sp.expand(found - wanted) != 0:
            return False
    return True


def _derivative(s: sp.Expr, along: Sequence[sp.Symbol], components: Sequence[sp.Expr]) -> sp.Expr:
    pairs = zip(along, components, strict=True)
    return sp.expand(sp.Add(*(v * sp.diff(s, x) for x, v in pairs if v != 0)))


Table = dict[tuple[int, ...], dict[tuple[int, ...], sp.Expr]]
"""Coefficients by monomial in x, then by monomial in θ."""


def _coefficients(s: sp.Expr, neuron: Neuron) -> Table:
    d = len(neuron.inputs)
    table: Table = {}
    for powers, value in sp.Poly(s, *neuron.inputs, *neuron.symbols).terms():
        table.setdefault(powers[:d], {})[powers[d:]] = value
    return table


def _is_linear(coefficient: dict[tuple[int, ...], sp.Expr]) -> bool:
    return all(sum(powers) <= 1 for powers in coefficient)


def _affine(
    rows: list[dict[tuple[int, ...], sp.Expr]], size: int
) -> tuple[sp.SparseMatrix, sp.SparseMatrix]:
    """Matrix and constants of polynomials that are affine in θ."""
    matrix, constants = sp.SparseMatrix.zeros(len(rows), size), sp.SparseMatrix.zeros(len(rows), 1)
    for i, row in enumerate(rows):
        for powers, value in row.items():
            if any(powers):
                matrix[i, powers.index(1)] = value
            else:
                constants[i] = value
    return matrix, constants
