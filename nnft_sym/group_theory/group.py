"""What a group is: exact generators of its action on R^n, and nothing else.

The Lie algebra is given by polynomial vector fields, the discrete part by affine maps; the
closure of both is verified on construction, everything else is derived.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import sympy as sp
from sympy.combinatorics import Permutation, PermutationGroup
from sympy.polys.domains.domain import Domain
from sympy.polys.matrices import DomainMatrix

from nnft_sym.group_theory.exact_matrices import (
    Span,
    add_multiple,
    exact_matrix,
    matrix_key,
    number_field,
)
from nnft_sym.group_theory.transformations import AffineMap, Term, VectorField
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.mathml import Written

__all__ = ["Group"]

MOST_ELEMENTS = 10_000
"""Elements up to which a finite group is walked unless more are asked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Step:
    """An element met on a walk: generator times the element met at place ``parent``.

    Parameters
    ----------
    element : DomainMatrix
        Its action on (x, 1).
    generator, parent : int
        How it was reached; -1 for the identity.
    """

    element: DomainMatrix
    generator: int = -1
    parent: int = -1


@dataclass(frozen=True, kw_only=True)
class Group(Written):
    """A group of transformations of R^n, given by exact generators.

    Parameters
    ----------
    name : str
        The name by which reports call it, "SO(3)".
    latex : str
        The same in LaTeX.
    dimension : int
        n: of the space it acts on.
    fields : tuple of VectorField
        A basis of the Lie algebra, as infinitesimal transformations x → x + ε v(x).
    finite : tuple of AffineMap
        Generators of the discrete part.

    Raises
    ------
    SpecificationError
        If generators act on other spaces, are linearly dependent, do not close under commutators,
        or if a finite generator carries the Lie algebra out of itself.

    Examples
    --------
    >>> from nnft_sym.groups import SO
    >>> SO(3).structure_constants[0, 1]
    {2: 1}
    """

    name: str
    latex: str
    dimension: int
    fields: tuple[VectorField, ...] = ()
    finite: tuple[AffineMap, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.dimension, int) or self.dimension < 1:
            raise SpecificationError(
                expected="a group acting on R^n with n = 1, 2, ...",
                came=f"dimension {self.dimension!r}",
                remedy="give the number of coordinates",
            )
        sizes = [v.dimension for v in self.fields] + [g.dimension for g in self.finite]
        for size in sizes:
            if size != self.dimension:
                raise SpecificationError(
                    expected=f"generators acting on R^{self.dimension}",
                    came=f"one acting on R^{size}",
                    remedy="give all generators on one space",
                )
        if self._span.dependent is not None:
            raise SpecificationError(
                expected="linearly independent generators of the Lie algebra",
                came=f"generator {self._span.dependent + 1}, a combination of those before it",
                remedy="leave it out",
            )
        _ = self.structure_constants
        self._require_normalised()

    @cached_property
    def _sparse(self) -> tuple[Domain, list[dict[Term, Any]]]:
        """The fields as sparse vectors over the field of numbers they share."""
        values = [value for v in self.fields for value in v.terms.values()]
        domain, elements = number_field(values)
        supply = iter(elements)
        return domain, [{term: next(supply) for term in v.terms} for v in self.fields]

    @cached_property
    def _span(self) -> Span:
        domain, vectors = self._sparse
        return Span(vectors, domain.one)

    @cached_property
    def structure_constants(self) -> dict[tuple[int, int], dict[int, sp.Expr]]:
        """f_ab^c of [A_a, A_b] = Σ_c f_ab^c A_c for a < b, zeros left out.

        The commutator is the one of matrices; for vector fields it is minus the commutator of
        derivations, so that both give the same numbers for linear groups.
        """
        domain, vectors = self._sparse
        constants = {}
        for (a, v), (b, w) in combinations(enumerate(vectors), 2):
            commutator = _commutator(w, v)
            if not commutator:
                continue
            found = self._span.coordinates(commutator)
            if found is None:
                raise SpecificationError(
                    expected="generators whose commutators are combinations of them",
                    came=f"[{a + 1}, {b + 1}] outside the span of the {len(vectors)} given",
                    remedy="add the commutators as generators, or correct the ones given",
                )
            constants[a, b] = {c: domain.to_sympy(f) for c, f in sorted(found.items())}
        return constants

    def _require_normalised(self) -> None:
        for number, g in enumerate(self.finite, 1):
            for a, v in enumerate(self.fields, 1):
                if self.coordinates_of(v.pushed(g)) is None:
                    raise SpecificationError(
                        expected="finite generators that keep the Lie algebra",
                        came=f"finite generator {number}, which carries generator {a} out of it",
                        remedy="add the missing generators of the Lie algebra",
                    )

    def coordinates_of(self, candidate: VectorField) -> dict[int, sp.Expr] | None:
        """Return c with v = Σ c_a v_a, or None if v is not in the Lie algebra."""
        domain, vectors = self._sparse
        own, elements = number_field(candidate.terms.values())
        shared = domain.unify(own)
        if shared == domain:
            span = self._span
        else:
            span = Span(
                [{t: shared.convert_from(x, domain) for t, x in v.items()} for v in vectors],
                shared.one,
            )
        converted = (shared.convert_from(element, own) for element in elements)
        found = span.coordinates(dict(zip(candidate.terms, converted, strict=True)))
        return None if found is None else {c: shared.to_sympy(f) for c, f in sorted(found.items())}

    @cached_property
    def lie_generators(self) -> tuple[int, ...]:
        """Indices of fields whose repeated commutators give all the others."""
        domain, _ = self._sparse
        found = Span((), domain.one)
        chosen: list[int] = []
        members: list[dict[int, Any]] = []
        for index in range(len(self.fields)):
            if found.coordinates({index: domain.one}) is not None:
                continue
            chosen.append(index)
            fresh = [{index: domain.one}]
            while fresh:
                vector = fresh.pop()
                if found.add(vector):
                    members.append(vector)
                    fresh += [self._bracket(vector, other) for other in members]
        return tuple(chosen)

    def _bracket(self, left: Mapping[int, Any], right: Mapping[int, Any]) -> dict[int, Any]:
        """[Σ l_a A_a, Σ r_b A_b] in coordinates."""
        domain, _ = self._sparse
        total: dict[int, Any] = {}
        for a, x in left.items():
            for b, y in right.items():
                row = self.structure_constants.get((min(a, b), max(a, b)), {})
                sign = 1 if a < b else -1
                values = {c: domain.from_sympy(f) for c, f in row.items()}
                add_multiple(total, values, sign * x * y)
        return total

    @property
    def is_linear(self) -> bool:
        """Whether every generator is x → A x."""
        return all(v.is_linear for v in self.fields) and all(g.is_linear for g in self.finite)

    @property
    def is_affine(self) -> bool:
        """Whether every generator is x → A x + t."""
        return all(v.is_affine for v in self.fields)

    @cached_property
    def algebra(self) -> tuple[sp.ImmutableMatrix, ...]:
        """The Lie algebra as matrices A_a on R^n.

        Raises
        ------
        SpecificationError
            If a generator is not linear.
        """
        for number, v in enumerate(self.fields, 1):
            if not v.is_linear:
                raise SpecificationError(
                    expected="a group that acts linearly",
                    came=f"{self.name}, whose generator {number} is {v.components}",
                    remedy="read the vector fields, group.fields",
                )
        return tuple(v.matrix for v in self.fields)

    @property
    def is_finite(self) -> bool:
        """Whether the group has finitely many elements (at most 10 000 if no permutations)."""
        try:
            self.order()
        except (SpecificationError, NotDerivedError):
            return False
        return True

    def order(self) -> int:
        """Number of elements.

        Raises
        ------
        SpecificationError
            If the group has a Lie algebra.
        NotDerivedError
            If generators are no signed permutations and 10 000 elements do not exhaust the group.
        """
        self.require_discrete()
        if all(g.is_linear for g in self.finite):
            permutations = [signed_permutation(g.matrix) for g in self.finite]
            if permutations and None not in permutations:
                return int(PermutationGroup([Permutation(p) for p in permutations]).order())
        return sum(1 for _ in self.steps())

    def elements(self, bound: int = MOST_ELEMENTS) -> tuple[AffineMap, ...]:
        """All elements of a finite group, the identity first.

        Parameters
        ----------
        bound : int
            Number of elements beyond which to give up.

        Raises
        ------
        SpecificationError
            If the group has a Lie algebra.
        NotDerivedError
            If the bound does not exhaust the group.
        """
        self.require_discrete()
        return tuple(_from_homogeneous(step.element) for step in self.steps(bound))

    def steps(self, bound: int = MOST_ELEMENTS) -> Iterator[Step]:
        """Walk over what the finite generators generate, each element once."""
        one, *generators = self.homogeneous
        return walk(one, generators, bound, self.name)

    def require_discrete(self) -> None:
        """Raise unless the group has no Lie algebra."""
        if self.fields:
            raise SpecificationError(
                expected="a finite group",
                came=f"{self.name} with {len(self.fields)} generators of a Lie algebra",
                remedy="sample its elements instead",
            )

    @cached_property
    def homogeneous(self) -> tuple[DomainMatrix, ...]:
        """The identity and the finite generators as matrices acting on (x, 1), over one field."""
        one = exact_matrix(sp.eye(self.dimension + 1))
        return tuple(one.unify(*(exact_matrix(_homogeneous(g)) for g in self.finite)))

    def __repr__(self) -> str:
        generators = f"{len(self.fields)} fields, {len(self.finite)} finite generators"
        return f"Group({self.name} on R^{self.dimension}: {generators})"

    def _written(self, most: int = 3) -> str:
        """The group with its first generators."""
        lines = [rf"{self.latex} \curvearrowright \mathbb{{R}}^{{{self.dimension}}}"]
        for title, generators in ((r"\mathfrak{g}", self.fields), ("G", self.finite)):
            if generators:
                shown = [g.latex() for g in generators[:most]]
                shown += [rf"\dots\ ({len(generators)})"] if len(generators) > most else []
                lines.append(rf"{title} \ni " + r",\ ".join(shown))
        return r";\quad ".join(lines)


def _commutator(v: Mapping[Term, Any], w: Mapping[Term, Any]) -> dict[Term, Any]:
    """[v, w] of derivations, on sparse fields."""
    result: dict[Term, Any] = {}
    for first, second, sign in ((v, w, 1), (w, v, -1)):
        for (k, target), b in second.items():
            for (i, powers), a in first.items():
                if target[i]:
                    lowered = [p + q for p, q in zip(target, powers, strict=True)]
                    lowered[i] -= 1
                    add_multiple(result, {(k, tuple(lowered)): a * b}, sign * target[i])
    return result


def walk(
    one: DomainMatrix, generators: Sequence[DomainMatrix], bound: int, name: str
) -> Iterator[Step]:
    """Walk over the group that matrices generate, each element once, the identity first."""
    seen = {matrix_key(one)}
    reached = [one]
    yield Step(element=one)
    for parent, element in enumerate(reached):
        for index, generator in enumerate(generators):
            product = generator * element
            key = matrix_key(product)
            if key in seen:
                continue
            if len(reached) >= bound:
                raise NotDerivedError(
                    expected=f"a group of at most {bound} elements to walk over",
                    came=f"{name}, which has more",
                    remedy="raise the bound, or use what needs the generators alone",
                )
            seen.add(key)
            reached.append(product)
            yield Step(element=product, generator=index, parent=parent)


def signed_permutation(matrix: sp.ImmutableMatrix) -> list[int] | None:
    """Return a signed permutation matrix as a permutation of ±e_1 ... ±e_n, others as None."""
    n = matrix.rows
    images: dict[int, tuple[int, bool]] = {}
    for (i, j), value in matrix.todok().items():
        if value not in (1, -1) or j in images:
            return None
        images[j] = (i, value == -1)
    if len({i for i, _ in images.values()}) < n:
        return None
    plus = [i + n * flipped for i, flipped in (images[j] for j in range(n))]
    return plus + [(p + n) % (2 * n) for p in plus]


def _homogeneous(g: AffineMap) -> sp.Matrix:
    """The map as a matrix acting on (x, 1)."""
    last = sp.Matrix([[0] * g.dimension + [1]])
    return sp.Matrix(g.matrix).row_join(sp.Matrix(g.shift)).col_join(last)


def _from_homogeneous(matrix: DomainMatrix) -> AffineMap:
    dense = matrix.to_Matrix()
    n = dense.rows - 1
    return AffineMap(matrix=dense[:n, :n], shift=dense[:n, n])
