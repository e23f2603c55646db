"""Densities over a whole matrix of weights: deformed by a potential, or left unspecified.

They correlate neurons, so that neither moments nor draws of single entries exist: they serve the
analysis of symmetries, and say so wherever numbers are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NoReturn, Self

import sympy as sp

from nnft_sym.densities import Gaussian
from nnft_sym.density import Density, Draw
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.language.markup import Table
from nnft_sym.mathml import Formula

__all__ = ["Deformed", "MatrixDensity", "Unspecified", "entry"]


@lru_cache(maxsize=4096)
def entry(i: int, j: int) -> sp.Symbol:
    """W_ij, rows and columns counted from 1.

    Examples
    --------
    >>> entry(1, 2)
    W_12
    """
    mark = f"{i}{j}" if i < 10 and j < 10 else f"{i}_{j}"
    return sp.Symbol(f"W_{mark}", real=True)


def entries(rows: int, columns: int) -> sp.ImmutableMatrix:
    """The matrix of the symbols W_ij."""
    return sp.ImmutableMatrix(rows, columns, lambda i, j: entry(i + 1, j + 1))


@dataclass(frozen=True)
class MatrixDensity(Density):
    """A density of a layer's whole matrix of weights, whose entries need not be independent."""

    continuous: ClassVar[bool] = True

    @property
    def draw(self) -> Draw:
        self._refuse("draws")

    def log_density(self, *components: sp.Expr) -> sp.Expr:
        self._refuse("the log-density of single entries")

    def support(self) -> tuple[sp.Expr, sp.Expr]:
        self._refuse("the support of single entries")

    def mixed_moment(self, powers: Sequence[int]) -> sp.Expr:
        self._refuse("moments of single entries")

    def generating_function(self, *sources: sp.Expr) -> sp.Expr:
        self._refuse("the generating function of single entries")

    @property
    def is_point_mass(self) -> bool:
        return False

    def _table(self) -> Table:
        use = "nn.symmetry; it has no draws and no moments"
        return Table(title=type(self).__name__, rows=(("density", self.formula), ("serves", use)))

    def _refuse(self, what: str) -> NoReturn:
        raise NotDerivedError(
            expected=f"a density of independent entries or rows for {what}",
            came=f"{self}, a density of a whole matrix of weights",
            remedy="it serves nn.symmetry alone; sample and derive with Gaussian, Uniform, ...",
        )


@dataclass(frozen=True)
class Deformed(MatrixDensity):
    """A density of independent entries, deformed by a potential of the whole matrix.

    P(W) = P_0(W) e^{-V(W)}/Z

    Parameters
    ----------
    base : Density
        P_0: of the entries of W, independent.
    potential : sympy.Expr
        V in one ``sympy.MatrixSymbol`` of the shape of the layer, (fan-out, fan-in), sizes
        symbolic or numbers, such as ``lam*sp.Trace((W.T*W)**2)``; a polynomial in the entries.

    Raises
    ------
    SpecificationError
        If V is not a scalar in one matrix, or the base is no density of entries.

    Notes
    -----
    Source: [MSH21] appendix on deformed densities.

    Examples
    --------
    >>> n, d = sp.symbols("n d", integer=True, positive=True)
    >>> W, lam = sp.MatrixSymbol("W", n, d), sp.Symbol("lam", nonnegative=True)
    >>> Deformed(Gaussian(0, 1), lam * sp.Trace(W.T * W)).written_out(1, 2)
    W_11**2*lam + W_12**2*lam
    """

    base: Density
    potential: sp.Expr

    def __post_init__(self) -> None:
        matrices = (
            self.potential.atoms(sp.MatrixSymbol) if isinstance(self.potential, sp.Expr) else ()
        )
        if len(matrices) != 1 or getattr(self.potential, "is_Matrix", False):
            raise SpecificationError(
                expected="a scalar potential in one sympy.MatrixSymbol",
                came=f"{self.potential!r}",
                remedy="write for example lam*sp.Trace((W.T*W)**2) with W = "
                'sp.MatrixSymbol("W", n, d)',
            )
        independent = isinstance(self.base, Density) and not isinstance(self.base, MatrixDensity)
        if not independent or self.base.dimension != 1:
            raise SpecificationError(
                expected="a base density of independent entries",
                came=f"{self.base!r}",
                remedy="deform nn.Gaussian(0, sigma), say",
            )
        try:
            whole = sp.Poly(self.written_out(*self.least_shape), *entries(*self.least_shape))
        except sp.PolynomialError:
            whole = None
        if whole is None:
            raise SpecificationError(
                expected="a potential that is a polynomial in the entries of the matrix",
                came=f"{self.potential}",
                remedy="write it with traces of products of W and W.T, or sums over W[i, j]",
            )

    @property
    def formula(self) -> Formula:
        """P_0 and V as a formula."""
        name = sp.latex(self.matrix)
        exponent = sp.latex(-self.potential)
        entries = rf"\quad {name}_{{ij}} \sim {self.base.formula.source}\ \text{{in }}P_0"
        return Formula(rf"P({name}) = P_0({name})\,e^{{{exponent}}}/Z,{entries}", str(self))

    @classmethod
    def example(cls) -> Self:
        matrix = sp.MatrixSymbol("W", 2, 2)
        return cls(Gaussian(0, 1), sp.Trace((matrix.T * matrix) ** 2))

    @property
    def matrix(self) -> sp.MatrixSymbol:
        """W."""
        (found,) = self.potential.atoms(sp.MatrixSymbol)
        return found

    @property
    def least_shape(self) -> tuple[int, int]:
        """The shape of W, sizes that are symbols replaced by 2."""
        rows, columns = (int(n) if n.is_Integer else 2 for n in self.matrix.shape)
        return rows, columns

    @property
    def parameters(self) -> tuple[sp.Expr, ...]:
        sizes = frozenset().union(*(sp.sympify(n).free_symbols for n in self.matrix.shape))
        bound = sizes | {self.matrix}
        indices = (limits[0] for s in self.potential.atoms(sp.Sum) for limits in s.limits)
        free = self.potential.free_symbols - bound - set(indices)
        return (*self.base.parameters, *sorted(free, key=lambda symbol: symbol.name))

    @property
    def conditions(self) -> tuple[tuple[sp.Expr, str], ...]:
        return self.base.conditions

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> Self:
        return type(self)(self.base.replace(symbols), self.potential.xreplace(dict(symbols)))

    @property
    def is_even(self) -> bool:
        rows, columns = self.least_shape
        V = self.written_out(rows, columns)
        flipped = V.xreplace({w: -w for w in entries(rows, columns)})
        return self.base.is_even and sp.expand(flipped - V) == 0

    def written_out(self, rows: int, columns: int) -> sp.Expr:
        """V in the entries W_ij of a matrix of the given shape.

        Raises
        ------
        SpecificationError
            If the potential is written for another shape.
        """
        sizes = dict(zip(self.matrix.shape, (rows, columns), strict=True))
        wrong = any(n.is_Integer and int(n) != size for n, size in sizes.items())
        if wrong or (self.matrix.shape[0] == self.matrix.shape[1] and rows != columns):
            raise SpecificationError(
                expected=f"weights of shape {(rows, columns)}, (fan-out, fan-in)",
                came=f"a potential in {self.matrix.name} of shape {self.matrix.shape}",
                remedy="make the matrix symbol of the shape of the layer, or of symbolic sizes",
            )
        sized = self.potential.subs({n: s for n, s in sizes.items() if not n.is_Integer})
        sized = sized.doit()
        explicit = sized.subs(
            sp.MatrixSymbol(self.matrix.name, rows, columns), entries(rows, columns)
        )
        return sp.expand(explicit.doit())


@dataclass(frozen=True)
class Unspecified(MatrixDensity):
    """A density P(W) that is left open, of several rows of weights at once.

    Symmetries of a network with it are conditions on P.

    Parameters
    ----------
    name : str
        P: what conditions call it.
    rows : int
        Number of rows of W the conditions are written for, at least 1; one row is enough where
        the neurons are independent.

    Raises
    ------
    SpecificationError
        If the name is no identifier or the number of rows is not positive.

    Examples
    --------
    >>> Unspecified("P").function(2)
    P(W_11, W_12)
    """

    name: str = "P"
    rows: int = 1

    def __post_init__(self) -> None:
        valid = isinstance(self.name, str) and self.name.isidentifier()
        count = self.rows
        if not valid or isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise SpecificationError(
                expected="an identifier and a number of rows of at least 1",
                came=f"{self.name!r} and {self.rows!r}",
                remedy="write for example nn.Unspecified('P', rows=2)",
            )

    @property
    def formula(self) -> Formula:
        """P of the rows that conditions are written for."""
        rows = ", ".join(f"W_{{{i + 1}\\cdot}}" for i in range(min(self.rows, 3)))
        rows += r",\dots" if self.rows > 3 else ""
        return Formula(rf"\mathrm{{{self.name}}}({rows})", str(self))

    @classmethod
    def example(cls) -> Self:
        return cls("P", 2)

    @property
    def is_even(self) -> bool:
        return False

    def function(self, columns: int) -> sp.Expr:
        """P at the matrix of the symbols W_ij."""
        return sp.Function(self.name, nonnegative=True)(*entries(self.rows, columns))
