"""The groups: one record of exact generators each.

Conventions: every group acts on real coordinates x_1 ... x_n; complex groups act on
(Re z_1 ... Re z_m, Im z_1 ... Im z_m). Time is x_1 for the Lorentz group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

import sympy as sp

from nnft_sym.group_theory.group import Group
from nnft_sym.group_theory.transformations import AffineMap, VectorField
from nnft_sym.language.errors import SpecificationError
from nnft_sym.vectors import inputs

__all__ = [
    "SL",
    "SO",
    "SU",
    "AffineMap",
    "Conformal",
    "Dilatations",
    "Dn",
    "Euclidean",
    "Group",
    "Hyperoctahedral",
    "Lorentz",
    "MatrixGroup",
    "O",
    "Sn",
    "Sp",
    "Translations",
    "U",
    "VectorField",
    "Zn",
    "catalogue",
]

_CATALOGUE: dict[str, Callable[[int], Group]] = {}


def _named(constructor: Callable[[int], Group]) -> Callable[[int], Group]:
    _CATALOGUE[constructor.__name__] = constructor
    return constructor


def catalogue() -> dict[str, Callable[[int], Group]]:
    """Every group by name, as a function of n.

    Examples
    --------
    >>> "SO" in catalogue()
    True
    """
    return dict(_CATALOGUE)


def _group(
    name: str,
    n: int,
    latex: str,
    *,
    least: int = 1,
    dimension: Callable[[int], int] = int,
    algebra: Callable[[int], Iterable[Any]] = lambda _: (),
    fields: Callable[[int], Iterable[VectorField]] = lambda _: (),
    finite: Callable[[int], Iterable[Any]] = lambda _: (),
) -> Group:
    """The record of a named group, n checked before generators are made."""
    if isinstance(n, bool) or not isinstance(n, int) or n < least:
        raise SpecificationError(
            expected=f"{name}(n) with an integer n >= {least}",
            came=f"{name}({n!r})",
            remedy="give the size as an integer",
        )
    return Group(
        name=f"{name}({n})",
        latex=latex,
        dimension=dimension(n),
        fields=(*map(VectorField.linear, algebra(n)), *fields(n)),
        finite=tuple(AffineMap(matrix=m) for m in finite(n)),
    )


def _matrix(n: int, entries: dict[tuple[int, int], int]) -> sp.SparseMatrix:
    return sp.SparseMatrix(n, n, entries)


def _rotations(n: int) -> list[sp.SparseMatrix]:
    return [_matrix(n, {(i, j): -1, (j, i): 1}) for i, j in combinations(range(n), 2)]


def _reflection(n: int) -> sp.SparseMatrix:
    return _matrix(n, {(i, i): -1 if i == 0 else 1 for i in range(n)})


def _permutation(images: Sequence[int]) -> sp.SparseMatrix:
    """The matrix that carries e_j to e_images[j]."""
    return _matrix(len(images), {(i, j): 1 for j, i in enumerate(images)})


def _cycle(n: int) -> list[sp.SparseMatrix]:
    return [_permutation([(j + 1) % n for j in range(n)])] if n > 1 else []


def _transposition(n: int) -> list[sp.SparseMatrix]:
    return [_permutation([1, 0, *range(2, n)])] if n > 1 else []


def _symmetric(n: int) -> list[sp.SparseMatrix]:
    return _transposition(n) + (_cycle(n) if n > 2 else [])


def _mirrored(n: int) -> list[sp.SparseMatrix]:
    return [_permutation([n - 1 - j for j in range(n)])] if n > 1 else []


@_named
def SO(n: int) -> Group:
    """Rotations of R^n: (A_ij)_kl = δ_jk δ_il - δ_ik δ_jl for i < j.

    Examples
    --------
    >>> SO(3).algebra[0]
    Matrix([
    [0, -1, 0],
    [1,  0, 0],
    [0,  0, 0]])
    """
    return _group("SO", n, rf"\mathrm{{SO}}({n})", algebra=_rotations)


@_named
def O(n: int) -> Group:  # noqa: E743
    """Rotations and reflections of R^n: those of SO(n), and x_1 → -x_1.

    Examples
    --------
    >>> len(O(3).fields), len(O(3).finite)
    (3, 1)
    """
    return _group(
        "O", n, rf"\mathrm{{O}}({n})", algebra=_rotations, finite=lambda n: [_reflection(n)]
    )


def _real_form(
    n: int, real: dict[tuple[int, int], int], imaginary: dict[tuple[int, int], int]
) -> sp.SparseMatrix:
    """A + iB on C^n as [[A, -B], [B, A]] on (Re z, Im z)."""
    entries = dict(real)
    entries |= {(i + n, j + n): a for (i, j), a in real.items()}
    entries |= {(i, j + n): -b for (i, j), b in imaginary.items()}
    entries |= {(i + n, j): b for (i, j), b in imaginary.items()}
    return _matrix(2 * n, entries)


def _special_unitary(n: int) -> list[sp.SparseMatrix]:
    """Real antisymmetric and i times real symmetric traceless matrices."""
    pairs = list(combinations(range(n), 2))
    return [
        *(_real_form(n, {(i, j): -1, (j, i): 1}, {}) for i, j in pairs),
        *(_real_form(n, {}, {(i, j): 1, (j, i): 1}) for i, j in pairs),
        *(_real_form(n, {}, {(i, i): 1, (i + 1, i + 1): -1}) for i in range(n - 1)),
    ]


@_named
def SU(n: int) -> Group:
    """Special unitary transformations of C^n, acting on (Re z, Im z) in R^{2n}.

    Examples
    --------
    >>> SU(3).dimension, len(SU(3).fields)
    (6, 8)
    """
    return _group(
        "SU",
        n,
        rf"\mathrm{{SU}}({n})",
        dimension=lambda n: 2 * n,
        algebra=_special_unitary,
    )


@_named
def U(n: int) -> Group:
    """Unitary transformations of C^n, acting on (Re z, Im z) in R^{2n}.

    Examples
    --------
    >>> U(1).algebra
    (Matrix([
    [0, -1],
    [1,  0]]),)
    """

    def algebra(n: int) -> list[sp.SparseMatrix]:
        phase = _real_form(n, {}, {(i, i): 1 for i in range(n)})
        return [phase, *_special_unitary(n)]

    return _group("U", n, rf"\mathrm{{U}}({n})", dimension=lambda n: 2 * n, algebra=algebra)


@_named
def Sp(n: int) -> Group:
    """Real symplectic transformations Sp(2n, R) of phase space (q, p) in R^{2n}: AᵀJ + JA = 0.

    Examples
    --------
    >>> Sp(2).dimension, len(Sp(2).fields)
    (4, 10)
    """

    def algebra(n: int) -> list[sp.SparseMatrix]:
        upper = [(i, j) for i in range(n) for j in range(i, n)]
        blocks = [{(i, j): 1, (j + n, i + n): -1} for i in range(n) for j in range(n)]
        blocks += [{(i, j + n): 1, (j, i + n): 1} for i, j in upper]
        blocks += [{(i + n, j): 1, (j + n, i): 1} for i, j in upper]
        return [_matrix(2 * n, entries) for entries in blocks]

    return _group(
        "Sp", n, rf"\mathrm{{Sp}}({2 * n},\mathbb{{R}})", dimension=lambda n: 2 * n, algebra=algebra
    )


@_named
def SL(n: int) -> Group:
    """Real linear transformations of R^n of determinant 1: traceless matrices.

    Examples
    --------
    >>> len(SL(3).fields)
    8
    """

    def algebra(n: int) -> list[sp.SparseMatrix]:
        shears = [{(i, j): 1} for i in range(n) for j in range(n) if i != j]
        stretches = [{(i, i): 1, (i + 1, i + 1): -1} for i in range(n - 1)]
        return [_matrix(n, entries) for entries in shears + stretches]

    return _group("SL", n, rf"\mathrm{{SL}}({n},\mathbb{{R}})", algebra=algebra)


@_named
def Lorentz(n: int) -> Group:
    """Lorentz transformations of n-dimensional space-time connected to the identity, SO⁺(1, n-1).

    They keep -x_1² + x_2² + ... + x_n²: boosts of x_1 (time) and rotations of the others.

    Examples
    --------
    >>> Lorentz(4).fields[0].components
    (x_2, x_1, 0, 0)
    """

    def algebra(n: int) -> list[sp.SparseMatrix]:
        boosts = [_matrix(n, {(0, i): 1, (i, 0): 1}) for i in range(1, n)]
        spatial = combinations(range(1, n), 2)
        return boosts + [_matrix(n, {(i, j): -1, (j, i): 1}) for i, j in spatial]

    return _group("Lorentz", n, rf"\mathrm{{SO}}^+(1,{n - 1 if n else 0})", algebra=algebra)


@_named
def Sn(n: int) -> Group:
    """Permutations of n coordinates: a transposition and a cycle.

    Examples
    --------
    >>> Sn(4).order()
    24
    """
    return _group("Sn", n, rf"S_{{{n}}}", finite=_symmetric)


@_named
def Zn(n: int) -> Group:
    """Cyclic shifts e_j → e_{j+1} of n coordinates.

    Examples
    --------
    >>> Zn(5).order()
    5
    """
    return _group("Zn", n, rf"\mathbb{{Z}}_{{{n}}}", finite=_cycle)


@_named
def Dn(n: int) -> Group:
    """The dihedral group on n coordinates: cyclic shifts and the mirror image e_j → e_{n-1-j}.

    Examples
    --------
    >>> Dn(5).order()
    10
    """
    return _group("Dn", n, rf"D_{{{n}}}", finite=lambda n: _cycle(n) + _mirrored(n))


@_named
def Hyperoctahedral(n: int) -> Group:
    """Signed permutations B_n of n coordinates.

    Examples
    --------
    >>> Hyperoctahedral(3).order()
    48
    """
    return _group(
        "Hyperoctahedral", n, rf"B_{{{n}}}", finite=lambda n: [*_symmetric(n), _reflection(n)]
    )


def _units(d: int) -> list[VectorField]:
    rows = [[sp.Integer(i == j) for j in range(d)] for i in range(d)]
    return [VectorField(components=tuple(row)) for row in rows]


def _stretch(d: int) -> VectorField:
    return VectorField(components=inputs(d).components)


@_named
def Translations(d: int) -> Group:
    """Translations x → x + t of R^d.

    Examples
    --------
    >>> [v.components for v in Translations(2).fields]
    [(1, 0), (0, 1)]
    """
    return _group("Translations", d, rf"\mathbb{{R}}^{{{d}}}", fields=_units)


@_named
def Euclidean(d: int) -> Group:
    """Isometries of R^d: translations, rotations and the reflection x_1 → -x_1.

    Examples
    --------
    >>> len(Euclidean(3).fields)
    6
    """
    return _group(
        "Euclidean",
        d,
        rf"\mathrm{{E}}({d})",
        algebra=_rotations,
        fields=_units,
        finite=lambda d: [_reflection(d)],
    )


@_named
def Dilatations(d: int) -> Group:
    """Dilatations x → e^s x of R^d.

    Examples
    --------
    >>> Dilatations(2).fields[0].components
    (x_1, x_2)
    """
    return _group("Dilatations", d, r"\mathbb{R}_{>0}", fields=lambda d: [_stretch(d)])


def _special_conformal(d: int) -> list[VectorField]:
    """V = 2 x_i x - x² e_i."""
    x = inputs(d).components
    square = sum(c**2 for c in x)
    return [
        VectorField(
            components=tuple(sp.expand(2 * x[i] * x[k] - square * int(i == k)) for k in range(d))
        )
        for i in range(d)
    ]


@_named
def Conformal(d: int) -> Group:
    """The conformal group of R^d connected to the identity, SO⁺(1, d+1); for d = 2 the global one.

    Rotations, translations, the dilatation and the special conformal fields 2 x_i x - x² e_i: the
    last are quadratic, so that the group acts by vector fields and not by matrices.

    Examples
    --------
    >>> Conformal(1).fields[-1].components
    (x_1**2,)
    """
    return _group(
        "Conformal",
        d,
        rf"\mathrm{{Conf}}({d})",
        algebra=_rotations,
        fields=lambda d: [*_units(d), _stretch(d), *_special_conformal(d)],
    )


def MatrixGroup(
    *,
    name: str,
    algebra: Sequence[Any] = (),
    finite: Sequence[Any] = (),
    dimension: int | None = None,
    latex: str | None = None,
) -> Group:
    """A group of matrices of one's own.

    Parameters
    ----------
    name : str
        The name by which reports call it.
    algebra : sequence of matrices
        A basis of the Lie algebra: exact n × n matrices that close under commutators.
    finite : sequence of matrices
        Generators of the discrete part: exact invertible n × n matrices.
    dimension : int, optional
        n, needed where there are no generators (the trivial group).
    latex : str, optional
        The name in LaTeX.

    Raises
    ------
    SpecificationError
        If generators are not square, of different sizes, not invertible, or do not close.

    Examples
    --------
    >>> MatrixGroup(name="C2", finite=[[[0, 1], [1, 0]]]).order()
    2
    """
    fields = tuple(VectorField.linear(matrix) for matrix in algebra)
    maps = tuple(AffineMap(matrix=matrix) for matrix in finite)
    sizes = [v.dimension for v in fields] + [g.dimension for g in maps]
    if not sizes and dimension is None:
        raise SpecificationError(
            expected="generators, or the dimension of the trivial group",
            came="neither",
            remedy="give algebra=, finite= or dimension=",
        )
    return Group(
        name=name,
        latex=latex or rf"\text{{{name}}}",
        dimension=dimension if dimension is not None else sizes[0],
        fields=fields,
        finite=maps,
    )
