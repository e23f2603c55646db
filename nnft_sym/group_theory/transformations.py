"""Infinitesimal and finite transformations of R^n: polynomial vector fields, affine maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from nnft_sym.group_theory.exact_matrices import exact_matrix, inverse, number_field, read_matrix
from nnft_sym.language.errors import SpecificationError
from nnft_sym.mathml import Written
from nnft_sym.vectors import inputs

__all__ = ["AffineMap", "VectorField"]

Term = tuple[int, tuple[int, ...]]
"""A component and a monomial, as the exponents of x_1 ... x_n."""


@dataclass(frozen=True, kw_only=True)
class VectorField(Written):
    """An infinitesimal transformation x → x + ε v(x) of R^n with polynomial components.

    v = Σ_i v_i(x) ∂/∂x_i

    Parameters
    ----------
    components : tuple of sympy.Expr
        v_1 ... v_n: polynomials in the coordinates x_1 ... x_n with exact coefficients.

    Raises
    ------
    SpecificationError
        If a component is no such polynomial.

    Examples
    --------
    >>> x, y = inputs(2)
    >>> VectorField(components=(-y, x)).bracket(VectorField(components=(sp.Integer(1), sp.S.Zero)))
    VectorField(components=(0, -1))
    """

    components: tuple[sp.Expr, ...]

    def __post_init__(self) -> None:
        try:
            components = tuple(sp.sympify(c, strict=True) for c in self.components)
        except sp.SympifyError as error:
            raise SpecificationError(
                expected="sympy expressions or numbers as components",
                came=repr(self.components),
                remedy="write the components in the symbols of nn.inputs(n)",
            ) from error
        object.__setattr__(self, "components", components)
        if not components:
            raise SpecificationError(
                expected="at least one component", came="none", remedy="give v_1 ... v_n"
            )
        number_field(self.terms.values())

    @classmethod
    def linear(cls, matrix: Any) -> VectorField:
        """v(x) = A x."""
        exact = read_matrix(matrix)
        if exact.rows != exact.cols:
            raise SpecificationError(
                expected="a square matrix as a generator",
                came=f"shape {exact.shape}",
                remedy="give a matrix of the action on R^n",
            )
        return cls(components=tuple(exact * sp.Matrix(list(inputs(exact.rows)))))

    @property
    def dimension(self) -> int:
        """n: the number of coordinates."""
        return len(self.components)

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """The symbols x_1 ... x_n the components are written in."""
        return inputs(self.dimension).components

    @cached_property
    def terms(self) -> dict[Term, sp.Expr]:
        """Coefficients by component and monomial."""
        found: dict[Term, sp.Expr] = {}
        for i, component in enumerate(self.components):
            try:
                polynomial = sp.Poly(component, *self.coordinates)
            except sp.PolynomialError:
                polynomial = None
            if polynomial is None or polynomial.free_symbols_in_domain:
                raise SpecificationError(
                    expected=f"polynomials in x_1 ... x_{self.dimension} as components",
                    came=str(component),
                    remedy="write the components in the symbols of nn.inputs(n)",
                )
            found |= {(i, powers): value for powers, value in polynomial.terms() if value}
        return found

    @property
    def degree(self) -> int:
        """The largest degree of a component; 0 for the field that vanishes."""
        return max((sum(powers) for _, powers in self.terms), default=0)

    @property
    def is_affine(self) -> bool:
        """Whether v(x) = A x + t."""
        return self.degree <= 1

    @property
    def is_linear(self) -> bool:
        """Whether v(x) = A x."""
        return all(sum(powers) == 1 for _, powers in self.terms)

    @cached_property
    def matrix(self) -> sp.ImmutableMatrix:
        """A: the linear part, ∂v_i/∂x_j at the origin."""
        entries = {
            (i, powers.index(1)): value
            for (i, powers), value in self.terms.items()
            if sum(powers) == 1
        }
        return sp.ImmutableMatrix(sp.SparseMatrix(self.dimension, self.dimension, entries))

    @cached_property
    def shift(self) -> sp.ImmutableMatrix:
        """t: the constant part, v at the origin, as a column."""
        zeros = (0,) * self.dimension
        constant = [self.terms.get((i, zeros), sp.S.Zero) for i in range(self.dimension)]
        return sp.ImmutableMatrix(constant)

    def at(self, point: Sequence[Any]) -> tuple[sp.Expr, ...]:
        """V at a point."""
        values = dict(zip(self.coordinates, map(sp.sympify, point), strict=True))
        return tuple(component.xreplace(values) for component in self.components)

    def divergence(self) -> sp.Expr:
        """Σ_i ∂v_i/∂x_i."""
        pairs = zip(self.components, self.coordinates, strict=True)
        return sp.expand(sp.Add(*(sp.diff(v, x) for v, x in pairs)))

    def bracket(self, other: VectorField) -> VectorField:
        """The commutator of derivations, [v, w]_i = Σ_j (v_j ∂_j w_i - w_j ∂_j v_i).

        For linear fields A x and B x it is (BA - AB) x.
        """
        _same_space(self.dimension, other.dimension)
        return VectorField(
            components=tuple(
                sp.expand(
                    sp.Add(
                        *(
                            a * sp.diff(w, x) - b * sp.diff(v, x)
                            for a, b, x in zip(
                                self.components, other.components, self.coordinates, strict=True
                            )
                        )
                    )
                )
                for v, w in zip(self.components, other.components, strict=True)
            )
        )

    def pushed(self, transformation: AffineMap) -> VectorField:
        """The field carried along x → g x, (g_* v)(x) = G v(g⁻¹ x)."""
        _same_space(self.dimension, transformation.dimension)
        if self.is_linear and transformation.is_linear:
            turned = transformation.matrix * self.matrix * transformation.inverse.matrix
            return VectorField.linear(turned)
        values = self.at(transformation.inverse(self.coordinates))
        return VectorField(
            components=tuple((transformation.matrix * sp.Matrix(values)).applyfunc(sp.expand))
        )

    def latex(self) -> str:
        """The field as a derivation, Σ v_i ∂_i."""
        partials = [
            sp.Symbol(rf"\partial_{{{i + 1}}}", commutative=False) for i in range(self.dimension)
        ]
        pairs = zip(self.components, partials, strict=True)
        return str(sp.latex(sp.Add(*(component * d for component, d in pairs))))


@dataclass(frozen=True, kw_only=True)
class AffineMap(Written):
    """A finite transformation x → G x + t of R^n with an inverse.

    Parameters
    ----------
    matrix : sympy.Matrix
        G: invertible, n × n, exact.
    shift : sympy.Matrix or None
        t: a column of n exact numbers; none is no shift.

    Raises
    ------
    SpecificationError
        If G has no inverse, or the shapes do not fit.

    Examples
    --------
    >>> flip = AffineMap(matrix=sp.Matrix([[-1]]), shift=sp.Matrix([2]))
    >>> flip.after(flip) == AffineMap.identity(1)
    True
    """

    matrix: sp.ImmutableMatrix
    shift: Any = None
    _inverse: DomainMatrix = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact = exact_matrix(self.matrix)
        object.__setattr__(self, "_inverse", inverse(exact, "an element of a group"))
        object.__setattr__(self, "matrix", read_matrix(self.matrix))
        shift = [0] * exact.shape[0] if self.shift is None else list(self.shift)
        if len(shift) != exact.shape[0]:
            raise SpecificationError(
                expected=f"a shift of {exact.shape[0]} numbers",
                came=str(len(shift)),
                remedy="give one number for each coordinate",
            )
        number_field(shift)
        object.__setattr__(self, "shift", sp.ImmutableMatrix(shift))

    @classmethod
    def identity(cls, dimension: int) -> AffineMap:
        """X → x."""
        return cls(matrix=sp.eye(dimension))

    @property
    def dimension(self) -> int:
        """n: the number of coordinates."""
        return int(self.matrix.rows)

    @property
    def is_linear(self) -> bool:
        """Whether there is no shift."""
        return bool(self.shift.is_zero_matrix)

    def __call__(self, point: Sequence[Any]) -> tuple[sp.Expr, ...]:
        """G x + t."""
        return tuple(self.matrix * sp.Matrix(list(point)) + self.shift)

    def after(self, other: AffineMap) -> AffineMap:
        """The composition x → self(other(x))."""
        _same_space(self.dimension, other.dimension)
        return AffineMap(
            matrix=self.matrix * other.matrix, shift=self.matrix * other.shift + self.shift
        )

    @cached_property
    def inverse(self) -> AffineMap:
        """X → G⁻¹(x - t)."""
        inverted = self._inverse.to_Matrix()
        return AffineMap(matrix=inverted, shift=-inverted * self.shift)

    def __repr__(self) -> str:
        shift = "" if self.is_linear else f" + {list(self.shift)}"
        return f"AffineMap({self.matrix.tolist()} x{shift})"

    def latex(self) -> str:
        """The map as x ↦ G x + t."""
        shift = "" if self.is_linear else "+" + sp.latex(self.shift)
        return rf"x \mapsto {sp.latex(self.matrix)}x{shift}"


def _same_space(mine: int, other: int) -> None:
    if mine != other:
        raise SpecificationError(
            expected=f"a transformation of R^{mine}",
            came=f"one of R^{other}",
            remedy="combine transformations of one space",
        )
