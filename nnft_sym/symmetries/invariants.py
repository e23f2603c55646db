"""Invariant densities: the most general polynomial log-density that a group leaves alone.

P(gθ)|det g| = P(θ) reads, for a generator v of the Lie algebra, v·∇ log P + ∇·v = 0, and for a
finite one log P(gθ) + log|det g| = log P(θ): linear equations in the coefficients of log P.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import sympy as sp
from sympy.polys.domains.domain import Domain
from sympy.polys.rings import PolyElement, PolyRing

from nnft_sym.group_theory.exact_matrices import add_multiple, exact_matrix, number_field
from nnft_sym.group_theory.group import Group
from nnft_sym.group_theory.null_spaces import Equation, null_space
from nnft_sym.group_theory.representations import Representation
from nnft_sym.group_theory.transformations import AffineMap, VectorField
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.mathml import Written
from nnft_sym.vectors import vector

__all__ = ["InvariantDensities", "invariant_densities", "molien_series"]

Powers = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class InvariantDensities(Written):
    """The polynomial log-densities of bounded degree that a group leaves invariant.

    Parameters
    ----------
    group : Group
        The group.
    variables : tuple of sympy.Symbol
        θ_1 ... θ_m it acts on.
    invariants : tuple of sympy.Expr
        A basis of the invariant polynomials without constant term, by ascending degree.
    particular : sympy.Expr or None
        A log-density that makes up for the volume the group changes, 0 if it changes none; None
        if no polynomial of this degree does, so that there is no invariant density among them.
    """

    group: Group
    variables: tuple[sp.Symbol, ...]
    invariants: tuple[sp.Expr, ...]
    particular: sp.Expr | None

    @property
    def coefficients(self) -> tuple[sp.Symbol, ...]:
        """The free couplings c_1, c_2, ..."""
        return tuple(sp.Symbol(f"c_{k + 1}", real=True) for k in range(len(self.invariants)))

    @property
    def log_density(self) -> sp.Expr:
        """Log P up to its normalisation, with free couplings, normalisable or not.

        Raises
        ------
        NotDerivedError
            If no polynomial log-density is invariant.
        """
        if self.particular is None:
            raise NotDerivedError(
                expected="a group that keeps the volume, or a polynomial that makes up for it",
                came=f"{self.group.name}, which scales the volume",
                remedy="an invariant log-density would need other functions than polynomials",
            )
        pairs = zip(self.coefficients, self.invariants, strict=True)
        return self.particular + sp.Add(*(c * invariant for c, invariant in pairs))

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of basis invariants by degree, from degree 0 (the constant) up."""
        degrees = [sp.Poly(q, *self.variables).total_degree() for q in self.invariants]
        return (1, *(degrees.count(k) for k in range(1, max(degrees, default=0) + 1)))

    def latex(self) -> str:
        """Log P with free couplings."""
        if self.particular is None:
            return rf"\text{{no polynomial }}\log P\text{{ is invariant under }}{self.group.latex}"
        polynomial = "" if self.log_density == 0 else sp.latex(self.log_density) + "+"
        return rf"\log P(\theta) = {polynomial}\text{{const}}"


def invariant_densities(
    group: Group, representation: Representation | None = None, degree: int = 4
) -> InvariantDensities:
    """The most general polynomial log-density up to a degree that a group leaves invariant.

    v·∇ log P + ∇·v = 0 for the Lie algebra, log P(gθ) + log|det g| = log P(θ) for finite g.

    Parameters
    ----------
    group : Group
        The group, linear or not.
    representation : Representation, optional
        How it acts on the parameters θ in R^m; without one, as it is defined.
    degree : int
        The highest degree of log P, at least 1.

    Returns
    -------
    InvariantDensities
        ``.invariants``, ``.log_density`` with free couplings, ``.counts`` by degree.

    Raises
    ------
    SpecificationError
        If the representation is of another group, or the degree is no positive integer.

    Examples
    --------
    >>> from nnft_sym.groups import Hyperoctahedral
    >>> invariant_densities(Hyperoctahedral(2), degree=4).log_density
    c_1*(theta_1**2 + theta_2**2) + c_2*(theta_1**4 + theta_2**4) + c_3*theta_1**2*theta_2**2
    """
    if representation is not None and representation.group != group:
        raise SpecificationError(
            expected=f"a representation of {group.name}",
            came=f"one of {representation.group.name}",
            remedy="give a representation of the same group",
        )
    if isinstance(degree, bool) or not isinstance(degree, int) or degree < 1:
        raise SpecificationError(
            expected="a degree 1, 2, ...", came=repr(degree), remedy="give the highest degree"
        )
    system = _System(group, representation)
    layers = [_monomials(system.size, k) for k in range(1, degree + 1)]
    if not system.is_linear:  # degrees mix
        layers = [[powers for layer in layers for powers in layer]]
    solutions = [solution for layer in layers for solution in system.solutions(layer)]
    volumes = [solution for solution in solutions if VOLUME in solution]
    particular = sp.S.Zero if system.keeps_volume else None
    if volumes and not system.keeps_volume:
        particular = system.expression(volumes[0])
    invariants = [system.expression(solution) for solution in solutions if VOLUME not in solution]
    return InvariantDensities(
        group=group,
        variables=system.variables,
        invariants=tuple(sorted(invariants, key=lambda q: _degree(q, system.variables))),
        particular=particular,
    )


def molien_series(representation: Representation, degree: int) -> tuple[int, ...]:
    """Number of independent invariant polynomials by degree, 0 to the degree given.

    Σ_k n_k t^k = 1/|G| Σ_g 1/det(1 - tρ(g)), expanded by Newton's identities from Tr ρ(g)^j.

    Parameters
    ----------
    representation : Representation
        Of a finite group of at most 10 000 elements.
    degree : int
        Where to stop.

    Raises
    ------
    SpecificationError
        If the group has a Lie algebra.

    Source: Molien 1897.

    Examples
    --------
    >>> from nnft_sym.groups import Sn
    >>> from nnft_sym.group_theory.representations import defining
    >>> molien_series(defining(Sn(3)), 6)
    (1, 1, 2, 3, 4, 5, 7)
    """
    total = [sp.S.Zero] * (degree + 1)
    matrices = representation.matrices()
    for matrix in matrices:
        powers, traces = matrix, []
        for _ in range(degree):
            traces.append(powers.trace())
            powers = powers * matrix
        symmetric = [sp.S.One]
        for k in range(1, degree + 1):
            parts = (traces[j - 1] * symmetric[k - j] for j in range(1, k + 1))
            symmetric.append(sp.expand(sp.Add(*parts) / k))
        total = [a + b for a, b in zip(total, symmetric, strict=True)]
    return tuple(int(sp.expand(t) / len(matrices)) for t in total)


VOLUME: Powers = ()
"""The key of the factor in front of ∇·v and log|det g|, among the coefficients of monomials."""


class _System:
    """The linear equations that an action puts on the coefficients of log P."""

    def __init__(self, group: Group, representation: Representation | None) -> None:
        if representation is None:
            fields, maps = group.fields, group.finite
            self.size = group.dimension
        else:
            fields = tuple(VectorField.linear(A) for A in representation.algebra)
            maps = tuple(AffineMap(matrix=g) for g in representation.finite)
            self.size = representation.dimension
        self.variables = vector("theta", self.size).components
        self.is_linear = all(v.is_linear for v in fields) and all(g.is_linear for g in maps)
        determinants = [sp.expand(exact_matrix(g.matrix).to_Matrix().det() ** 2) for g in maps]
        self.domain, self._fields, self._maps = _over_one_field(fields, maps)
        self._divergences = [_divergence(v) for v in self._fields]
        stretched = any(square != 1 for square in determinants)
        if stretched and not self.is_linear:
            raise NotDerivedError(
                expected="finite generators that keep the volume beside fields that are not linear",
                came=f"{group.name}, with a determinant other than 1 and -1",
                remedy="give the group without that generator",
            )
        self.keeps_volume = not stretched and not any(self._divergences)

    def solutions(self, monomials: Sequence[Powers]) -> list[dict[Powers, Any]]:
        """Coefficients of the polynomials that satisfy all equations."""
        unknowns = ([] if self.is_linear else [VOLUME]) + list(monomials)
        equations: list[Equation] = []
        for terms, divergence in zip(self._fields, self._divergences, strict=True):
            rows: dict[Powers, Equation] = {}
            for number, powers in enumerate(unknowns):
                changed = divergence if powers == VOLUME else _derivative(terms, powers)
                for target, value in changed.items():
                    rows.setdefault(target, {})[number] = value
            equations += rows.values()
        for images in self._maps:
            equations += self._moved(unknowns, images)
        found = null_space(equations, len(unknowns), self.domain)
        return [{unknowns[k]: value for k, value in row.items()} for row in found]

    def _moved(self, unknowns: Sequence[Powers], images: Sequence[PolyElement]) -> list[Equation]:
        """q(gθ) - q(θ) = 0, with gθ given as polynomials."""
        ring = images[0].ring
        known: dict[Powers, PolyElement] = {(0,) * self.size: ring.one}

        def image(powers: Powers) -> PolyElement:
            if powers not in known:
                place = next(i for i, p in enumerate(powers) if p)
                lower = (*powers[:place], powers[place] - 1, *powers[place + 1 :])
                known[powers] = image(lower) * images[place]
            return known[powers]

        rows: dict[Powers, Equation] = {}
        for number, powers in enumerate(unknowns):
            if powers != VOLUME:
                moved = dict(image(powers).terms())
                add_multiple(moved, {powers: self.domain.one}, -self.domain.one)
                for target, value in moved.items():
                    rows.setdefault(target, {})[number] = value
        return list(rows.values())

    def expression(self, solution: dict[Powers, Any]) -> sp.Expr:
        """The polynomial of a solution."""
        return sp.Add(
            *(
                self.domain.to_sympy(value)
                * sp.Mul(*(x**p for x, p in zip(self.variables, powers, strict=True)))
                for powers, value in solution.items()
                if powers != VOLUME
            )
        )


def _over_one_field(
    fields: Sequence[VectorField], maps: Sequence[AffineMap]
) -> tuple[Domain, list[dict[Any, Any]], list[list[PolyElement]]]:
    """Fields as sparse terms, maps as the polynomials (gθ)_i, over one field of numbers."""
    numbers = [value for v in fields for value in v.terms.values()]
    numbers += [value for g in maps for value in (*g.matrix, *g.shift)]
    domain, elements = number_field(numbers)
    supply = iter(elements)
    sparse = [{term: next(supply) for term in v.terms} for v in fields]
    moved = []
    for g in maps:
        n = g.dimension
        ring = PolyRing([f"t_{i}" for i in range(n)], domain)
        matrix = [[next(supply) for _ in range(n)] for _ in range(n)]
        shift = [next(supply) for _ in range(n)]
        moved.append(
            [
                sum((c * x for c, x in zip(row, ring.gens, strict=True) if c), ring(t))
                for row, t in zip(matrix, shift, strict=True)
            ]
        )
    return domain, sparse, moved


def _monomials(size: int, degree: int) -> list[Powers]:
    chosen = combinations_with_replacement(range(size), degree)
    return [tuple(map(indices.count, range(size))) for indices in chosen]


def _degree(polynomial: sp.Expr, variables: Sequence[sp.Symbol]) -> int:
    return int(sp.Poly(polynomial, *variables).total_degree())


def _derivative(terms: dict[Any, Any], powers: Powers) -> dict[Powers, Any]:
    """v·∇ of a monomial."""
    result: dict[Powers, Any] = {}
    for (i, factor), value in terms.items():
        if powers[i]:
            target = [p + q for p, q in zip(powers, factor, strict=True)]
            target[i] -= 1
            add_multiple(result, {tuple(target): value}, powers[i])
    return result


def _divergence(terms: dict[Any, Any]) -> dict[Powers, Any]:
    """∇·v."""
    result: dict[Powers, Any] = {}
    for (i, powers), value in terms.items():
        if powers[i]:
            lowered = (*powers[:i], powers[i] - 1, *powers[i + 1 :])
            add_multiple(result, {lowered: value}, powers[i])
    return result
