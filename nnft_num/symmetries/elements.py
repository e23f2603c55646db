"""Random elements of a group, drawn from its exact generators.

An element is g = exp(Σ_a c_a A_a) h, with h a word in the finite generators.  Where the Lie
algebra is that of all rotations, or of the (special) unitary group, exp(...) is a Haar draw of
scipy and the c_a are read off its logarithm when a representation asks for them.  Other algebras
give exponentials with (c_a) of a stated length in a random direction: no invariant probability is
claimed for them.  h is drawn uniformly from the finite group the generators make, where that has at
most 2000 elements, else it is a long random word.  Vector fields of higher degree are integrated in
time.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from nnft_num.kernels.draws import key_from_rng
from nnft_sym.group_theory.group import Group, walk
from nnft_sym.group_theory.transformations import AffineMap
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.mathml import Written

__all__ = ["GroupElement", "as_elements", "generators", "random_elements"]

_WALKED = 2000
"""Order of a finite group up to which its elements are listed."""

_LOGARITHM = 1e-8
"""Accuracy to which a logarithm has to lie in the Lie algebra."""

_TOLERANCE = 1e-12
"""Relative accuracy of flows of vector fields that are not affine."""


_WRITTEN = 6
"""Rows of a matrix that is written out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupElement(Written):
    """An element g = exp(Σ c_a A_a) h of a group, as it acts on R^n.

    Parameters
    ----------
    group : Group or None
        The group, None for a matrix given ready-made.
    dimension : int
        n.
    matrix, shift : ndarray of shape (n, n) and (n,), or None
        x → matrix x + shift; None where the action is not affine.
    chosen : ndarray, shape (generators,), or None
        c_a where they were drawn, None where the rotation itself was.
    word : tuple of int
        h: finite generators, the last one acting first.
    """

    group: Group | None
    dimension: int
    matrix: NDArray[np.float64] | None
    shift: NDArray[np.float64] | None
    chosen: NDArray[np.float64] | None = None
    word: tuple[int, ...] = ()

    def __call__(self, points: ArrayLike) -> NDArray[np.float64]:
        """Move points, shape (..., n)."""
        array = np.asarray(points, dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] != self.dimension:
            raise SpecificationError(
                expected=f"points in {self.dimension} dimensions",
                came=f"shape {array.shape}",
                remedy="choose the group that acts on the points",
            )
        if self.matrix is not None and self.shift is not None:
            return array @ self.matrix.T + self.shift
        return self._flowed(array)

    def represented(self, representation: Any) -> GroupElement:
        """The element as a representation of its group has it.

        Parameters
        ----------
        representation : Representation
            Matrices ``algebra`` and ``finite``, one for each generator of the group.
        """
        algebra = [_numbers(matrix) for matrix in representation.algebra]
        finite = [_numbers(matrix) for matrix in representation.finite]
        matrix = _exponential(self.coefficients, algebra, int(representation.dimension))
        for index in self.word:
            matrix = matrix @ finite[index]
        return GroupElement(
            group=self.group,
            dimension=len(matrix),
            matrix=matrix,
            shift=np.zeros(len(matrix)),
            chosen=self.chosen,
            word=self.word,
        )

    @cached_property
    def coefficients(self) -> NDArray[np.float64]:
        """c_a, where the element is of a group with generators."""
        if self.chosen is not None:
            return self.chosen
        if self.group is None or self.matrix is None:
            raise SpecificationError(
                expected="an element drawn from the generators of a group",
                came="a matrix given ready-made",
                remedy="give the matrix in the representation that acts",
            )
        continuous = self.matrix
        for index in reversed(self.word):
            continuous = continuous @ np.linalg.inv(_numbers(self.group.finite[index].matrix))
        basis = np.array([_numbers(matrix).ravel() for matrix in self.group.algebra]).T
        for logarithm in (_principal, _traceless):
            target = logarithm(continuous).ravel()
            found: NDArray[np.float64] = np.linalg.lstsq(basis, target, rcond=None)[0]
            if np.allclose(basis @ found, target, rtol=0, atol=_LOGARITHM):
                return found
        raise NotDerivedError(
            expected="an element with a logarithm in the Lie algebra of its group",
            came=f"one of {self.group.name} without",
            remedy="give elements as matrices in the representation that acts",
        )

    def latex(self) -> str:
        """Return the map x → g x, by its matrix where that is small, else by its group."""
        whole = "" if self.group is None else rf"g \in {self.group.latex}"
        if self.matrix is None or self.shift is None or self.dimension > _WRITTEN:
            return whole or rf"g \in \mathbb{{R}}^{{{self.dimension}\times {self.dimension}}}"
        moved = _matrix_latex(self.matrix) + "x"
        if self.shift.any():
            moved += " + " + _matrix_latex(self.shift[:, None])
        return (rf"{whole}\colon\ " if whole else "") + rf"g x = {moved}"

    def __repr__(self) -> str:
        name = "a matrix" if self.group is None else self.group.name
        finite = f", finite part {self.word}" if 0 < len(self.word) <= _WRITTEN else ""
        return f"GroupElement({name} on R^{self.dimension}{finite})"

    def _flowed(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Apply h, and follow Σ c_a v_a for unit time."""
        from scipy.integrate import solve_ivp

        assert self.group is not None
        assert self.chosen is not None
        flat = points.reshape(-1, self.dimension)
        for index in reversed(self.word):
            h = self.group.finite[index]
            flat = flat @ _numbers(h.matrix).T + _numbers(h.shift).ravel()
        terms = [
            (c * float(value), component, powers)
            for c, field in zip(self.chosen, self.group.fields, strict=True)
            for (component, powers), value in field.terms.items()
        ]

        def velocity(_: float, state: NDArray[np.float64]) -> NDArray[np.float64]:
            x = state.reshape(-1, self.dimension)
            v = np.zeros_like(x)
            for value, component, powers in terms:
                v[:, component] += value * np.prod(x ** np.array(powers), axis=1)
            return v.ravel()

        flow = solve_ivp(
            velocity, (0.0, 1.0), flat.ravel(), method="DOP853", rtol=_TOLERANCE, atol=_TOLERANCE
        )
        if not flow.success or not np.isfinite(flow.y[:, -1]).all():
            raise NotDerivedError(
                expected="a transformation that keeps the points finite",
                came=f"{self.group.name}, which carries one to infinity on the way",
                remedy="take elements of smaller size, or points nearer to the origin",
            )
        moved: NDArray[np.float64] = flow.y[:, -1].reshape(points.shape)
        return moved


def random_elements(
    group: Group, count: int, rng: Any = None, *, size: float = 1.0
) -> tuple[GroupElement, ...]:
    """Draw elements of a group, from the Haar measure where scipy has it.

    Parameters
    ----------
    group : Group
        The group.
    count : int
        Number of elements.
    rng : None, int, numpy.random.SeedSequence or numpy.random.Generator
        Seed of the draws.
    size : float
        Length of (c_a) in exp(Σ c_a A_a) where there is no Haar draw; of rotations and unitary
        matrices it says nothing.

    Returns
    -------
    tuple of GroupElement

    Raises
    ------
    SpecificationError
        If the count or the size is impossible.

    Examples
    --------
    >>> from nnft_sym.groups import SO
    >>> g = random_elements(SO(3), 1, rng=0)[0]
    >>> bool(np.allclose(g.matrix @ g.matrix.T, np.eye(3)))
    True
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1 or not 0 < size < np.inf:
        raise SpecificationError(
            expected="at least 1 element, of a finite size > 0",
            came=f"{count!r} elements of size {size!r}",
            remedy="pass elements=4, size=1.0, say",
        )
    generator = np.random.default_rng(list(key_from_rng(rng)))
    words = _words(group)
    haar = _haar(group)
    found = []
    for _ in range(count):
        word = words[int(generator.integers(len(words)))] if words else _long(group, generator)
        continuous = None if haar is None else haar(generator)
        chosen = None
        if continuous is None:
            direction = generator.normal(size=len(group.fields))
            length = np.linalg.norm(direction)
            chosen = size * direction / length if length > 0 else direction
        found.append(_element(group, continuous, chosen, word))
    return tuple(found)


def generators(group: Group) -> tuple[GroupElement, ...]:
    """The finite generators of a group, as elements."""
    none = np.zeros(len(group.fields))
    return tuple(_element(group, None, none, (index,)) for index in range(len(group.finite)))


def as_elements(elements: Iterable[Any], dimension: int) -> tuple[GroupElement, ...]:
    """Read elements that a user gives: of a group, affine maps, or matrices.

    Raises
    ------
    SpecificationError
        If there is none, or one is not an invertible map of the dimension.
    """
    found = []
    for element in elements:
        if isinstance(element, GroupElement):
            found.append(element)
            continue
        affine = isinstance(element, AffineMap)
        matrix = _numbers(element.matrix) if affine else np.array(element, dtype=np.float64)
        shift = _numbers(element.shift).ravel() if affine else np.zeros(dimension)
        square = matrix.shape == (dimension, dimension) and bool(np.isfinite(matrix).all())
        if not square or abs(np.linalg.det(matrix)) < np.finfo(float).tiny:
            raise SpecificationError(
                expected=f"invertible {dimension} x {dimension} matrices as elements",
                came=f"shape {matrix.shape}" if not square else "one that is not invertible",
                remedy="give elements of a group",
            )
        found.append(GroupElement(group=None, dimension=dimension, matrix=matrix, shift=shift))
    if not found:
        raise SpecificationError(
            expected="at least one element", came="none", remedy="pass elements=4, say"
        )
    return tuple(found)


def _element(
    group: Group,
    continuous: NDArray[np.float64] | None,
    chosen: NDArray[np.float64] | None,
    word: tuple[int, ...],
) -> GroupElement:
    n = group.dimension
    if not group.is_affine:
        return GroupElement(
            group=group, dimension=n, matrix=None, shift=None, chosen=chosen, word=word
        )
    whole = np.eye(n + 1)
    if continuous is not None:
        whole[:n, :n] = continuous
    elif chosen is not None:
        fields = []
        for field in group.fields:
            block = np.zeros((n + 1, n + 1))
            block[:n, :n], block[:n, n] = _numbers(field.matrix), _numbers(field.shift).ravel()
            fields.append(block)
        whole = _exponential(chosen, fields, n + 1)
    for index in word:
        block = np.eye(n + 1)
        h = group.finite[index]
        block[:n, :n], block[:n, n] = _numbers(h.matrix), _numbers(h.shift).ravel()
        whole = whole @ block
    return GroupElement(
        group=group,
        dimension=n,
        matrix=whole[:n, :n],
        shift=whole[:n, n],
        chosen=chosen,
        word=word,
    )


def _exponential(
    coefficients: NDArray[np.float64], matrices: list[NDArray[np.float64]], size: int
) -> NDArray[np.float64]:
    from scipy.linalg import expm

    total = np.zeros((size, size))
    for c, matrix in zip(coefficients, matrices, strict=True):
        total += c * matrix
    found: NDArray[np.float64] = expm(total)
    return found


def _haar(group: Group) -> Any:
    """A function that draws the connected part from the Haar measure, None if there is none."""
    n, count = group.dimension, len(group.fields)
    if count == 0 or not all(field.is_linear for field in group.fields):
        return None
    algebra = np.array([_numbers(matrix) for matrix in group.algebra])
    if not np.allclose(algebra, -algebra.transpose(0, 2, 1)):
        return None
    if count == n * (n - 1) // 2:
        return lambda generator: _rotation(n, generator)
    half = n // 2
    if n % 2 or half < 1 or count not in (half**2, half**2 - 1):
        return None
    phase = np.kron([[0.0, -1.0], [1.0, 0.0]], np.eye(half))
    traces = np.array([np.trace(phase @ matrix) for matrix in algebra])
    special = count == half**2 - 1
    if not np.allclose(algebra @ phase, phase @ algebra) or special != np.allclose(traces, 0):
        return None
    return lambda generator: _unitary(half, special, generator)


def _rotation(n: int, generator: np.random.Generator) -> NDArray[np.float64]:
    from scipy.stats import special_ortho_group

    found: NDArray[np.float64] = special_ortho_group(n, seed=generator).rvs()
    return found


def _unitary(m: int, special: bool, generator: np.random.Generator) -> NDArray[np.float64]:
    from scipy.stats import unitary_group

    u = np.atleast_2d(unitary_group(m, seed=generator).rvs())
    if special:
        u = u * np.exp(-1j * np.angle(np.linalg.det(u)) / m)
    return np.block([[u.real, -u.imag], [u.imag, u.real]])


def _words(group: Group) -> list[tuple[int, ...]]:
    """Words of all elements of the finite group of the finite generators; none if too many."""
    if not group.finite:
        return [()]
    bare = Group(name=group.name, latex="", dimension=group.dimension, finite=group.finite)
    try:
        if all(g.is_linear for g in group.finite) and bare.order() > _WALKED:
            return []
        one, *generators = group.homogeneous
        words: list[tuple[int, ...]] = []
        for step in walk(one, generators, _WALKED, group.name):
            words.append((step.generator, *words[step.parent]) if words else ())
        return words
    except NotDerivedError:
        return []


def _long(group: Group, generator: np.random.Generator) -> tuple[int, ...]:
    """A random word long enough to reach everywhere in permutations of the coordinates."""
    length = 4 * group.dimension**3
    return tuple(generator.integers(len(group.finite), size=length).tolist())


def _principal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.linalg import logm

    with warnings.catch_warnings():
        # of what it warns about, the span of the Lie algebra is the judge
        warnings.simplefilter("ignore")
        found: NDArray[np.float64] = np.real(logm(matrix))
    return found


def _traceless(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of a special unitary matrix whose phases add up to zero, in real form."""
    from scipy.linalg import schur

    m = len(matrix) // 2
    triangle, vectors = schur(matrix[:m, :m] + 1j * matrix[m:, :m], output="complex")
    phases = np.angle(np.diag(triangle))
    phases[0] -= phases.sum()
    found = (vectors * (1j * phases)) @ vectors.conj().T
    return np.block([[found.real, -found.imag], [found.imag, found.real]])


def _numbers(matrix: Any) -> NDArray[np.float64]:
    return np.array(sp.Matrix(matrix).tolist(), dtype=np.float64)


def _matrix_latex(matrix: NDArray[np.float64]) -> str:
    rows = (" & ".join(f"{value + 0.0:.4g}" for value in row) for row in matrix)
    return r"\begin{pmatrix}" + r" \\ ".join(rows) + r"\end{pmatrix}"
