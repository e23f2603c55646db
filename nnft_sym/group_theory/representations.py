"""Representations: matrices for the generators of a group, and what is built from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any

import sympy as sp
from sympy.polys.domains import QQ
from sympy.polys.matrices import DomainMatrix

from nnft_sym.group_theory.exact_matrices import (
    direct_sum,
    exact_matrix,
    inverse,
    kronecker,
    matrix_key,
)
from nnft_sym.group_theory.group import MOST_ELEMENTS, Group, Step
from nnft_sym.language.errors import SpecificationError
from nnft_sym.mathml import Written

__all__ = ["Representation", "defining", "regular", "trivial"]


class Representation(Written):
    """A linear representation ρ of a group, by the matrices of its generators.

    ρ([A, B]) = [ρ(A), ρ(B)] on the Lie algebra, ρ(gh) = ρ(g)ρ(h) on the discrete part, and
    ρ(g)ρ(A)ρ(g)⁻¹ = ρ(gAg⁻¹) between them: all three are verified exactly.  Of a group with a Lie
    algebra it is a representation of the simply connected cover (spinors pass).

    Parameters
    ----------
    group : Group
        The group represented.
    algebra : sequence of matrices
        ρ(A_a), one exact m × m matrix for each field of the group.
    finite : sequence of matrices
        ρ(g), one exact invertible m × m matrix for each finite generator of the group.
    name, latex : str
        The letter it is printed with.

    Raises
    ------
    SpecificationError
        If there is not one matrix for each generator, matrices are not square and of one size, or
        an identity above fails.
    NotDerivedError
        If the discrete part has more than 10 000 elements, so that ρ(gh) = ρ(g)ρ(h) is not
        verified.

    Examples
    --------
    >>> from nnft_sym.groups import SO, Zn
    >>> sign = Representation(Zn(2), finite=[[[-1]]])
    >>> sign.dimension, (defining(SO(3)) * defining(SO(3))).dimension
    (1, 9)
    """

    def __init__(
        self,
        group: Group,
        *,
        algebra: Sequence[Any] = (),
        finite: Sequence[Any] = (),
        name: str = "rho",
        latex: str = r"\rho",
    ) -> None:
        matrices = [exact_matrix(m) for m in (*algebra, *finite)]
        counts = (len(algebra), len(finite))
        needed = (len(group.fields), len(group.finite))
        if counts != needed:
            raise SpecificationError(
                expected=f"{needed[0]} algebra and {needed[1]} finite matrices, one for each "
                f"generator of {group.name}",
                came=f"{counts[0]} and {counts[1]}",
                remedy="give the matrices in the order of group.fields and group.finite",
            )
        if not matrices:
            raise SpecificationError(
                expected="a group with generators",
                came=f"{group.name} without any",
                remedy="use nn.trivial(group) or nn.defining(group), which know their dimension",
            )
        size = matrices[0].shape[0]
        for matrix in matrices:
            if matrix.shape != (size, size):
                raise SpecificationError(
                    expected=f"matrices of shape {(size, size)}",
                    came=f"one of shape {matrix.shape}",
                    remedy="all generators act on one space R^m",
                )
        shared = DomainMatrix.unify(*matrices)
        self._set(group, size, shared[: needed[0]], shared[needed[0] :], name, latex)
        self._verify_algebra()
        self._verify_finite()
        self._verify_mixed()

    def _set(
        self,
        group: Group,
        dimension: int,
        algebra: Sequence[DomainMatrix],
        finite: Sequence[DomainMatrix],
        name: str,
        latex: str,
    ) -> None:
        self.group = group
        self.dimension = dimension
        self.exact_algebra = tuple(algebra)
        self.exact_finite = tuple(finite)
        self.name = name
        self.latex_name = latex
        self._inverses = tuple(inverse(g, "a finite generator") for g in finite)

    @classmethod
    def _derived(
        cls,
        group: Group,
        dimension: int,
        algebra: Sequence[DomainMatrix],
        finite: Sequence[DomainMatrix],
        name: str,
        latex: str,
    ) -> Representation:
        """One that is a representation by construction: nothing is verified again."""
        made = cls.__new__(cls)
        made._set(group, dimension, algebra, finite, name, latex)
        return made

    def _verify_algebra(self) -> None:
        constants = self.group.structure_constants
        for (a, A), (b, B) in combinations(enumerate(self.exact_algebra), 2):
            expected = _combination(constants.get((a, b), {}), self.exact_algebra)
            if not _same(A * B - B * A, expected):
                raise SpecificationError(
                    expected=f"matrices with the commutators of {self.group.name}",
                    came=f"[{a + 1}, {b + 1}] with another value",
                    remedy="check the order and signs of the matrices against group.fields",
                )

    def _verify_finite(self) -> None:
        _, *generators = self.group.homogeneous
        steps = list(self.group.steps())
        images = list(self._images(steps))
        found = {matrix_key(s.element): image for s, image in zip(steps, images, strict=True)}
        for step, image in zip(steps, images, strict=True):
            for g, rho in zip(generators, self.exact_finite, strict=True):
                if rho * image != found[matrix_key(g * step.element)]:
                    raise SpecificationError(
                        expected=f"matrices that obey the relations of {self.group.name}",
                        came="two words for one element of the group with different matrices",
                        remedy="check the matrices against group.finite",
                    )

    def _verify_mixed(self) -> None:
        for number, (g, rho) in enumerate(zip(self.group.finite, self.exact_finite, strict=True)):
            for a, v in enumerate(self.group.fields):
                expected = _combination(
                    self.group.coordinates_of(v.pushed(g)) or {}, self.exact_algebra
                )
                left, right = expected.unify(rho)
                if not _same(rho * self.exact_algebra[a], left * right):
                    raise SpecificationError(
                        expected="finite matrices that turn the algebra as in the group",
                        came=f"finite matrix {number + 1}, which turns generator {a + 1} otherwise",
                        remedy="check the matrices against group.finite and group.fields",
                    )

    def _images(self, steps: Iterable[Step]) -> Iterator[DomainMatrix]:
        """ρ of the elements met on a walk."""
        met: list[DomainMatrix] = []
        for step in steps:
            if step.parent < 0:
                one = _identity(self.dimension)
                met.append(
                    one.convert_to(self.exact_finite[0].domain) if self.exact_finite else one
                )
            else:
                met.append(self.exact_finite[step.generator] * met[step.parent])
            yield met[-1]

    @cached_property
    def algebra(self) -> tuple[sp.ImmutableMatrix, ...]:
        """ρ(A_a) for each field of the group."""
        return tuple(sp.ImmutableMatrix(A.to_Matrix()) for A in self.exact_algebra)

    @cached_property
    def finite(self) -> tuple[sp.ImmutableMatrix, ...]:
        """ρ(g) for each finite generator of the group."""
        return tuple(sp.ImmutableMatrix(g.to_Matrix()) for g in self.exact_finite)

    def matrices(self, bound: int = MOST_ELEMENTS) -> tuple[sp.ImmutableMatrix, ...]:
        """ρ(g) for every element of a finite group, in the order of ``group.elements()``.

        Raises
        ------
        SpecificationError, NotDerivedError
            If the group has a Lie algebra, or more elements than the bound.
        """
        self.group.require_discrete()
        images = self._images(self.group.steps(bound))
        return tuple(sp.ImmutableMatrix(image.to_Matrix()) for image in images)

    def character(self, bound: int = MOST_ELEMENTS) -> tuple[sp.Expr, ...]:
        """Tr ρ(g) for every element of a finite group, in the order of ``group.elements()``."""
        self.group.require_discrete()
        images = self._images(self.group.steps(bound))
        return tuple(image.domain.to_sympy(_trace(image)) for image in images)

    def __add__(self, other: Representation) -> Representation:
        """The direct sum ρ ⊕ σ."""
        self._require_same_group(other)
        return self._derived(
            self.group,
            self.dimension + other.dimension,
            [direct_sum(a, b) for a, b in _pairs(self.exact_algebra, other.exact_algebra)],
            [direct_sum(a, b) for a, b in _pairs(self.exact_finite, other.exact_finite)],
            f"{self.name} + {other.name}",
            rf"{self.latex_name} \oplus {other.latex_name}",
        )

    def __mul__(self, other: Representation) -> Representation:
        """The tensor product ρ ⊗ σ, with (i, k) at i·dim σ + k."""
        self._require_same_group(other)
        mine, others = _identity(self.dimension), _identity(other.dimension)
        return self._derived(
            self.group,
            self.dimension * other.dimension,
            [
                DomainMatrix.add(*DomainMatrix.unify(kronecker(a, others), kronecker(mine, b)))
                for a, b in _pairs(self.exact_algebra, other.exact_algebra)
            ],
            [kronecker(a, b) for a, b in _pairs(self.exact_finite, other.exact_finite)],
            f"{_grouped(self.name)}*{_grouped(other.name)}",
            rf"{_grouped(self.latex_name)} \otimes {_grouped(other.latex_name)}",
        )

    def __pow__(self, power: int) -> Representation:
        """The tensor power ρ ⊗ ... ⊗ ρ; the trivial representation for power 0."""
        if not isinstance(power, int) or power < 0:
            raise SpecificationError(
                expected="a tensor power 0, 1, 2, ...",
                came=repr(power),
                remedy="use rho.dual() for dual factors",
            )
        result = trivial(self.group) if power == 0 else self
        for _ in range(power - 1):
            result = result * self
        return result

    def dual(self) -> Representation:
        """The dual ρ*: -ρ(A)ᵀ and ρ(g⁻¹)ᵀ."""
        return self._derived(
            self.group,
            self.dimension,
            [-A.transpose() for A in self.exact_algebra],
            [g.transpose() for g in self._inverses],
            f"{_grouped(self.name)}.dual()",
            f"{_grouped(self.latex_name)}^*",
        )

    def _require_same_group(self, other: Representation) -> None:
        if self.group != other.group:
            raise SpecificationError(
                expected=f"two representations of {self.group.name}",
                came=f"one of {other.group.name}",
                remedy="combine representations of one group",
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Representation):
            return NotImplemented
        mine = (self.group, self.dimension, self.algebra, self.finite)
        return mine == (other.group, other.dimension, other.algebra, other.finite)

    def __hash__(self) -> int:
        return hash((self.group, self.dimension, self.algebra, self.finite))

    def __repr__(self) -> str:
        return f"Representation({self.name} of {self.group.name}, dimension {self.dimension})"

    def latex(self) -> str:
        """ρ: G → GL(m, R), with the first matrix where it is small."""
        line = rf"{self.latex_name}: {self.group.latex} \to \mathrm{{GL}}({self.dimension})"
        if self.dimension <= 6:
            for symbol, matrices in (("A_1", self.algebra), ("g_1", self.finite)):
                if matrices:
                    line += rf",\quad {symbol} \mapsto {sp.latex(matrices[0])}"
        return line


def defining(group: Group) -> Representation:
    """The action of a linear group on R^n itself.

    Raises
    ------
    SpecificationError
        If the group does not act linearly.

    Examples
    --------
    >>> from nnft_sym.groups import Sn
    >>> defining(Sn(3)).character()
    (3, 1, 0, 1, 1, 0)
    """
    algebra = group.algebra
    if not group.is_linear:
        raise SpecificationError(
            expected="a group that acts linearly",
            came=f"{group.name}, whose finite generators shift",
            remedy="give matrices to nn.Representation",
        )
    matrices = [exact_matrix(m) for m in (*algebra, *(g.matrix for g in group.finite))]
    shared = DomainMatrix.unify(*matrices) if matrices else ()
    count = len(algebra)
    return Representation._derived(
        group, group.dimension, shared[:count], shared[count:], name="V", latex="V"
    )


def trivial(group: Group) -> Representation:
    """The representation on R^1 that does nothing: ρ(A) = 0, ρ(g) = 1.

    Examples
    --------
    >>> from nnft_sym.groups import SO
    >>> trivial(SO(3)).algebra[0]
    Matrix([[0]])
    """
    return Representation._derived(
        group,
        1,
        [exact_matrix([[0]]) for _ in group.fields],
        [exact_matrix([[1]]) for _ in group.finite],
        name="1",
        latex=r"\mathbf{1}",
    )


def regular(group: Group, bound: int = MOST_ELEMENTS) -> Representation:
    """The regular representation of a finite group: h ↦ gh on functions on the group.

    Parameters
    ----------
    group : Group
        A finite group; basis vectors are its elements in the order of ``group.elements()``.
    bound : int
        Number of elements beyond which to give up.

    Raises
    ------
    SpecificationError, NotDerivedError
        If the group has a Lie algebra, or more elements than the bound.

    Examples
    --------
    >>> from nnft_sym.groups import Dn
    >>> regular(Dn(3)).character()
    (6, 0, 0, 0, 0, 0)
    """
    _, *generators = group.homogeneous
    group.require_discrete()
    elements = [step.element for step in group.steps(bound)]
    places = {matrix_key(element): index for index, element in enumerate(elements)}
    size = len(elements)
    finite = [
        _permutation([places[matrix_key(g * element)] for element in elements]) for g in generators
    ]
    return Representation._derived(group, size, (), finite, name="regular", latex=r"\mathbb{R}[G]")


def _permutation(images: Sequence[int]) -> DomainMatrix:
    size = len(images)
    return DomainMatrix({i: {j: QQ.one} for j, i in enumerate(images)}, (size, size), QQ)


def _identity(size: int) -> DomainMatrix:
    return _permutation(range(size))


def _trace(matrix: DomainMatrix) -> Any:
    return sum((v for (i, j), v in matrix.iter_items() if i == j), start=matrix.domain.zero)


def _combination(coefficients: Mapping[int, sp.Expr], matrices: Sequence[DomainMatrix]) -> Any:
    """Σ c_a A_a over the field of the matrices and of the coefficients."""
    total = matrices[0] - matrices[0]
    for index, value in coefficients.items():
        scalar = exact_matrix(sp.Matrix([[value]]))
        total = DomainMatrix.add(*total.unify(kronecker(scalar, matrices[index])))
    return total


def _same(left: DomainMatrix, right: DomainMatrix) -> bool:
    """Equality, whatever fields the matrices are written over."""
    left, right = left.unify(right)
    return bool(left == right)


def _pairs(
    left: Sequence[DomainMatrix], right: Sequence[DomainMatrix]
) -> Iterable[tuple[DomainMatrix, DomainMatrix]]:
    return zip(left, right, strict=True)


def _grouped(name: str) -> str:
    return f"({name})" if "+" in name or r"\oplus" in name else name
