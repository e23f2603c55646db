"""The symmetry group of a density: the linear maps of the parameters that leave it alone.

Of the Lie algebra of GL(m), all A with (Aθ)·∇ log P + tr A = 0; of the finite maps, the signed
permutations with P(gθ) = P(θ).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy.combinatorics import Permutation, PermutationGroup
from sympy.polys.domains import QQ

from nnft_sym.densities import Gaussian, Laplace, Rademacher, Uniform
from nnft_sym.density import Density
from nnft_sym.group_theory.exact_matrices import number_field
from nnft_sym.group_theory.group import Group, signed_permutation
from nnft_sym.group_theory.null_spaces import Equation, null_space
from nnft_sym.group_theory.signed_search import signed_symmetries
from nnft_sym.groups import MatrixGroup
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.mathml import Written
from nnft_sym.vectors import vector

__all__ = ["SymmetryGroup", "symmetry_group"]

Powers = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SymmetryGroup(Written):
    """The largest subgroup of GL(m) found to keep a density of m parameters.

    Parameters
    ----------
    variables : tuple of sympy.Symbol
        θ_1 ... θ_m.
    algebra : tuple of sympy.Matrix
        A basis of the Lie algebra of the group: all A with (Aθ)·∇ log P + tr A = 0.
    finite : tuple of sympy.Matrix
        Generators of all signed permutations that keep the density.
    """

    variables: tuple[sp.Symbol, ...]
    algebra: tuple[sp.ImmutableMatrix, ...]
    finite: tuple[sp.ImmutableMatrix, ...]

    @property
    def dimension(self) -> int:
        """Dimension of the Lie algebra."""
        return len(self.algebra)

    @cached_property
    def finite_order(self) -> int:
        """Number of signed permutations that keep the density."""
        permutations = [Permutation(signed_permutation(g)) for g in self.finite]
        return int(PermutationGroup(permutations).order()) if permutations else 1

    @cached_property
    def fixed_vectors(self) -> tuple[sp.ImmutableMatrix, ...]:
        """A basis of the vectors that the whole Lie algebra annihilates."""
        if not self.algebra:
            one = sp.eye(len(self.variables))
            return tuple(sp.ImmutableMatrix(one[:, k]) for k in range(one.cols))
        stacked = sp.Matrix.vstack(*self.algebra)
        return tuple(sp.ImmutableMatrix(column) for column in stacked.nullspace())

    @property
    def name(self) -> str | None:
        """The connected part by name where it is a full rotation group, "SO(4)"; else None.

        Antisymmetric matrices that annihilate f independent vectors form a subalgebra of
        so(m - f), and all of it if their number is its dimension.
        """
        moved = len(self.variables) - len(self.fixed_vectors)
        antisymmetric = all((A + A.T).is_zero_matrix for A in self.algebra)
        full = self.dimension == moved * (moved - 1) // 2
        return f"SO({moved})" if self.algebra and antisymmetric and full else None

    @property
    def group(self) -> Group:
        """The group as exact generators.

        Raises
        ------
        SpecificationError
            If the matrices contain parameters of the density: put numbers for them first.
        """
        return MatrixGroup(
            name=f"symmetries of P({', '.join(map(str, self.variables))})",
            latex=r"G_P",
            algebra=self.algebra,
            finite=self.finite,
            dimension=len(self.variables),
        )

    def __repr__(self) -> str:
        names = ", ".join(map(str, self.variables))
        return (
            f"SymmetryGroup(of P({names}): dimension {self.dimension}, "
            f"{self.finite_order} signed permutations)"
        )

    def latex(self) -> str:
        """The Lie algebra and the finite part, with matrices where they are small."""
        name = self.name
        known = rf" \simeq \mathfrak{{so}}({name[3:-1]})" if name else ""
        line = rf"\dim \mathfrak{{g}} = {self.dimension}{known}"
        if 0 < self.dimension <= 3 and len(self.variables) <= 6:
            line += r",\ \mathfrak{g} = \langle " + ", ".join(map(sp.latex, self.algebra))
            line += r" \rangle"
        return line + rf",\quad |G \cap B_{{{len(self.variables)}}}| = {self.finite_order}"


def symmetry_group(
    density: Density | Sequence[Density] | sp.Expr, variables: Sequence[sp.Symbol] | None = None
) -> SymmetryGroup:
    """The largest subgroup of GL acting on the parameters that keeps a density.

    Its Lie algebra is all of {A : (Aθ)·∇ log P + tr A = 0}; its finite part all signed
    permutations with P(gθ) = P(θ). Symbols other than the variables stand for generic values.

    Parameters
    ----------
    density : Density, sequence of Density, or sympy.Expr
        One density, or independent ones of one kind for θ_1 ... θ_m (Gaussian, uniform, Laplace or
        Rademacher), or log P, up to a constant, as a polynomial in the variables.
    variables : sequence of sympy.Symbol, optional
        θ_1 ... θ_m, needed with an expression.

    Returns
    -------
    SymmetryGroup
        ``.algebra``, ``.finite``, ``.dimension``, ``.finite_order``, ``.name``, ``.group``.

    Raises
    ------
    NotDerivedError
        If log P is no polynomial, and densities are not of one of these kinds.

    Examples
    --------
    >>> readout = [Gaussian("mu", 1)] * 2 + [Gaussian(0, 1)] * 3
    >>> found = symmetry_group(readout)
    >>> found.name, found.dimension
    ('SO(4)', 6)
    """
    if isinstance(density, sp.Expr):
        if not variables:
            raise SpecificationError(
                expected="the variables of the log-density",
                came="none",
                remedy="pass variables=nn.vector('w', 3), say",
            )
        names = tuple(variables)
        return _of_polynomial(density, names)
    events = [density] if isinstance(density, Density) else list(density)
    if not events or not all(isinstance(event, Density) for event in events):
        raise SpecificationError(
            expected="a Density, a sequence of them, or log P as a sympy expression",
            came=repr(density),
            remedy="write for example [nn.Gaussian('mu', 1), nn.Gaussian(0, 1)]",
        )
    if variables is None:
        variables = vector("theta", sum(event.dimension for event in events)).components
    names = tuple(variables)
    if len(names) != sum(event.dimension for event in events):
        raise SpecificationError(
            expected=f"{sum(event.dimension for event in events)} variables",
            came=str(len(names)),
            remedy="give one for each component",
        )
    if all(isinstance(event, Gaussian) and not event.is_point_mass for event in events):
        pairs = zip(events, names, strict=True)
        return _of_polynomial(sp.Add(*(event.log_density(x) for event, x in pairs)), names)
    alike = len({type(event) for event in events}) == 1
    if alike and type(events[0]) in CORNERED and not any(e.is_point_mass for e in events):
        return _of_polytope(events, names)
    raise NotDerivedError(
        expected="independent densities of one kind (Gaussian, uniform, Laplace, Rademacher), or a "
        "polynomial log P",
        came=", ".join(sorted({type(event).__name__ for event in events})),
        remedy="write log P as a polynomial in the parameters if it is one",
    )


def _of_polynomial(log_density: sp.Expr, names: tuple[sp.Symbol, ...]) -> SymmetryGroup:
    expanded = sp.expand(log_density)
    varying = expanded - expanded.xreplace(dict.fromkeys(names, sp.S.Zero))
    numeric = varying.free_symbols <= set(names)
    try:
        polynomial = sp.Poly(varying, *names, field=True, extension=True if numeric else None)
    except sp.PolynomialError:
        polynomial = None
    if polynomial is None or polynomial.free_symbols_in_domain & set(names):
        raise NotDerivedError(
            expected=f"log P as a polynomial in {', '.join(map(str, names))}",
            came=str(log_density),
            remedy="the symmetries of other densities are not derived",
        )
    zero = (0,) * len(names)
    terms = {p: c for p, c in polynomial.rep.terms() if p != zero}
    domain = polynomial.domain
    constants = polynomial.free_symbols_in_domain
    if not domain.is_Exact or (domain.is_Composite and len(domain.symbols) > len(constants)):
        raise NotDerivedError(
            expected="exact algebraic coefficients and symbols",
            came=str(log_density),
            remedy="write fractions and roots exactly, other constants as symbols",
        )
    return SymmetryGroup(
        variables=names,
        algebra=_algebra(terms, domain, len(names)),
        finite=signed_symmetries(terms, len(names)),
    )


def _algebra(terms: Mapping[Powers, Any], domain: Any, size: int) -> tuple[sp.ImmutableMatrix, ...]:
    """All A with Σ A_ij θ_j ∂_i log P + tr A = 0: one equation for each monomial."""
    rows: dict[Powers, Equation] = {}
    for powers, value in terms.items():
        for i in range(size):
            for j in range(size):
                if powers[i]:
                    target = list(powers)
                    target[i] -= 1
                    target[j] += 1
                    row = rows.setdefault(tuple(target), {})
                    unknown = i * size + j
                    row[unknown] = row.get(unknown, domain.zero) + value * powers[i]
    rows[(0,) * size] = {i * size + i: domain.one for i in range(size)}
    equations = [{k: c for k, c in row.items() if c} for row in rows.values()]
    found = _generic_null_space(equations, size * size, domain)
    return tuple(
        sp.ImmutableMatrix(sp.SparseMatrix(size, size, {divmod(k, size): c for k, c in v.items()}))
        for v in found
    )


def _generic_null_space(
    equations: Sequence[Equation], unknowns: int, domain: Any
) -> tuple[dict[int, sp.Expr], ...]:
    """The null space for generic values of the symbols in the coefficients.

    At special values the rank can only be smaller: if all solutions found there hold for all
    values, they are the generic ones. Where solutions depend on the symbols, elimination runs in
    the field of rational functions.
    """
    if domain.is_Composite:
        values = {
            symbol: sp.Rational(sp.prime(100 + 17 * k), sp.prime(50 + 13 * k))
            for k, symbol in enumerate(domain.symbols)
        }
        written = [{k: domain.to_sympy(c) for k, c in row.items()} for row in equations]
        numbers = [c.xreplace(values) for row in written for c in row.values()]
        field, elements = number_field(numbers)
        supply = iter(elements)
        special = [{k: x for k in row if (x := next(supply))} for row in written]
        vectors = null_space(special, unknowns, field)
        if field.is_QQ and all(_holds(row, v, domain) for row in equations for v in vectors):
            return tuple({k: field.to_sympy(c) for k, c in v.items()} for v in vectors)
    vectors = null_space(equations, unknowns, domain)
    return tuple({k: domain.to_sympy(c) for k, c in v.items()} for v in vectors)


def _holds(row: Equation, vector: Mapping[int, Any], domain: Any) -> bool:
    """Whether rational numbers solve an equation with symbols."""
    parts = (row[k] * domain.convert_from(vector[k], QQ) for k in row if k in vector)
    return not sum(parts, start=domain.zero)


CORNERED: Mapping[type[Density], Callable[[Any], tuple[sp.Expr, sp.Expr]]] = MappingProxyType(
    {
        Uniform: lambda event: (event.high + event.low, event.high - event.low),
        Laplace: lambda event: (event.mean, event.scale),
        Rademacher: lambda _: (sp.S.Zero, sp.S.One),
    }
)
"""Centre and width of densities whose product has polytopes as level sets, or atoms."""


def _of_polytope(events: Sequence[Density], names: tuple[sp.Symbol, ...]) -> SymmetryGroup:
    """A polytope that spans R^m has finitely many linear symmetries: the Lie algebra is 0.

    Signed permutations have to keep every centre and width: they are those of a polynomial with
    one monomial for each.
    """
    terms: dict[Powers, Any] = {}
    for i, event in enumerate(events):
        centre, width = map(sp.expand, CORNERED[type(event)](event))
        unit = tuple(int(i == j) for j in range(len(events)))
        terms[tuple(2 * p for p in unit)] = width
        if centre != 0:
            terms[unit] = centre
    return SymmetryGroup(variables=names, algebra=(), finite=signed_symmetries(terms, len(events)))
