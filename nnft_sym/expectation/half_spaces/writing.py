"""Products of terms as formulas: rational functions times a few special functions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import sympy as sp
from sympy.polys.fields import FracElement

from nnft_sym.expectation.half_spaces.bivariate import BivariateNormalCDF
from nnft_sym.expectation.half_spaces.by_parts import Given, State, reduced
from nnft_sym.expectation.half_spaces.rational import RationalFunctions
from nnft_sym.expectation.half_spaces.reading import Edge, EdgeTerm

__all__ = ["written_moment"]

_Matrix = list[list[Any]]
# Growth, radicand, number of densities, special function.
_Atom = tuple[FracElement, FracElement, int, sp.Expr]


def written_moment(factors: Sequence[Sequence[EdgeTerm]]) -> sp.Expr:
    r"""E[∏ φ_a(z_a)] in the symbols K_ab.

    Every atom exp(g) N^{-1/2} F, with F one of 1, erf, asin, acos and Φ₂, is collected with a
    coefficient that is a rational function of the covariances, printed in factors.

    Examples
    --------
    >>> from nnft_sym.activations import Z
    >>> from nnft_sym.expectation.half_spaces.reading import edge_terms
    >>> written_moment([edge_terms(sp.erf(Z))] * 2)
    2*asin(2*K_12/(sqrt(2*K_11 + 1)*sqrt(2*K_22 + 1)))/pi
    """
    constants = [c for terms in factors for term in terms for c in _constants(term)]
    field = RationalFunctions(len(factors), constants)
    collected: dict[_Atom, FracElement] = {}
    for choice in product(*factors):
        for atom, coefficient in _Product(field, choice).atoms():
            collected[atom] = collected.get(atom, field.field(0)) + coefficient
    return _assembled(field, collected)


def _assembled(field: RationalFunctions, collected: dict[_Atom, FracElement]) -> sp.Expr:
    """Sum of atoms, with common exponentials, then common coefficients, in front."""
    groups: dict[FracElement, dict[tuple[FracElement, FracElement, int], list[sp.Expr]]] = {}
    for (growth, radicand, densities, function), coefficient in collected.items():
        normal = field.normal(coefficient)
        if normal != 0:
            sign = -1 if normal.numer.LC < 0 else 1
            same = groups.setdefault(growth, {})
            same.setdefault((sign * normal, radicand, densities), []).append(sign * function)
    total = []
    for growth, same in groups.items():
        terms = []
        for (coefficient, radicand, densities), functions in same.items():
            scale = (2 * sp.pi) ** (-sp.Rational(densities, 2))
            body = field.over_root(coefficient, radicand)
            terms.append(sp.Mul(scale, *body, _tail(sp.Add(*functions))))
        total.append(sp.exp(field.write(growth)) * sp.Add(*terms))
    return sp.Add(*total).xreplace(field.meanings)


def _tail(function: sp.Expr) -> sp.Expr:
    """Write 1 - erf(x) as erfc(x), which keeps its digits."""
    constant, rest = function.as_coeff_Add()
    if constant == 1 and isinstance(-rest, sp.erf):
        return sp.erfc((-rest).args[0])
    return function


def _constants(term: EdgeTerm) -> list[sp.Expr]:
    edges = [value for edge in term.edges for value in (edge.threshold, edge.noise)]
    return [*term.polynomial, term.linear, term.quadratic, *edges]


class _Product:
    """One product of terms: its atoms and their coefficients."""

    def __init__(self, field: RationalFunctions, choice: Sequence[EdgeTerm]) -> None:
        self.field, self.choice, self.k = field, choice, len(choice)
        self.K = [[field.covariance(a, b) for b in range(self.k)] for a in range(self.k)]
        self.edges: list[tuple[int, Edge]] = [
            (a, edge) for a, term in enumerate(choice) for edge in term.edges
        ]
        self.noise = [field.constant(edge.noise) for _, edge in self.edges]
        self.threshold = [field.constant(edge.threshold) for _, edge in self.edges]
        self.alpha = [field.constant(term.linear) for term in choice]
        count = len(self.edges)
        subsets = [frozenset(j for j in range(count) if bits >> j & 1) for bits in range(2**count)]
        self.given = {subset: self._fields(subset) for subset in subsets}

    def _fields(self, given: Given) -> tuple[FracElement, list[FracElement], _Matrix]:
        """Determinant, mean and covariance given the boundaries: (K⁻¹ + P/Q)⁻¹ = K(Q + PK)⁻¹Q."""
        k, one = range(self.k), self.field.field(1)
        p = [-2 * self.field.constant(term.quadratic) for term in self.choice]
        q = [one for _ in k]
        pulls = [(0 * one) for _ in k]
        for j in given:
            a = self.edges[j][0]
            # Precisions add up: p/q + 1/τ²; the pull t/τ² is kept as a multiple of 1/q.
            pulls[a] = pulls[a] * self.noise[j] + self.threshold[j] * q[a]
            p[a], q[a] = p[a] * self.noise[j] + q[a], q[a] * self.noise[j]
        system = [[p[a] * self.K[a][b] + (q[a] if a == b else 0) for b in k] for a in k]
        determinant = _determinant(system)
        adjugate = [[_cofactor(system, b, a) for b in k] for a in k]
        gain = [[sum(self.K[a][c] * adjugate[c][b] for c in k) / determinant for b in k] for a in k]
        W = [[gain[a][b] * q[b] for b in k] for a in k]
        mean = [sum(W[a][b] * self.alpha[b] + gain[a][b] * pulls[b] for b in k) for a in k]
        return determinant, [self.field.normal(m) for m in mean], W

    def _boundary(self, given: Given, j: int) -> tuple[FracElement, FracElement]:
        """Mean and variance of y_j."""
        b, edge = self.edges[j]
        _, mean, W = self.given[given]
        return edge.side * (mean[b] - self.threshold[j]), W[b][b] + self.noise[j]

    def _growth(self, given: Given) -> FracElement:
        """Exponent of F_S[1]."""
        _, mean, _ = self.given[frozenset()]
        growth = sum(a * m for a, m in zip(self.alpha, mean, strict=True)) / 2
        before: Given = frozenset()
        for j in sorted(given):
            mean_j, variance = self._boundary(before, j)
            growth = growth - mean_j**2 / variance / 2
            before = before | {j}
        return self.field.normal(self.field.field(growth))

    def atoms(self) -> list[tuple[_Atom, FracElement]]:
        """Atoms with coefficients; an atom may come more than once."""
        states = {}
        for given, (_, mean, W) in self.given.items():
            transfer = {}
            for j, (b, edge) in enumerate(self.edges):
                if j not in given:
                    jump = edge.side * (2 if edge.is_sign else 1)
                    transfer[j] = [jump * W[a][b] for a in range(self.k)]
            states[given] = State(mean=mean, covariance=W, transfer=transfer)
        polynomials = [[self.field.constant(c) for c in term.polynomial] for term in self.choice]
        found: list[tuple[_Atom, FracElement]] = []
        for given, coefficient in reduced(states, polynomials).items():
            if self.field.normal(self.field.field(coefficient)) == 0:
                continue
            growth, radicand = self._growth(given), self.given[given][0]
            for factor, function in self._functions(given):
                atom = (growth, radicand, len(given), function)
                found.append((atom, coefficient * factor))
        return found

    def _functions(self, given: Given) -> list[tuple[Any, sp.Expr]]:
        """E of the half-spaces that are left, as a sum of factors times functions."""
        left = [j for j in range(len(self.edges)) if j not in given]
        if not left:
            return [(1, sp.Integer(1))]
        if len(left) == 1:
            return self._line(given, left[0], self.edges[left[0]][1].is_sign)
        first, second = (edge.is_sign for _, edge in self.edges)
        angle = self._angle()
        if angle is not None:
            if first and second:
                return [(2 * f, function) for f, function in angle]
            if first or second:
                return angle
            quarter = self.field.field(1) / 4
            return [(quarter, sp.Integer(1)), *((f / 2, function) for f, function in angle)]
        both = (4 if first and second else 2 if first or second else 1, self._quadrant())
        if first and second:
            lines = self._line(given, 0, True) + self._line(given, 1, True)
            return [both, (-1, sp.Integer(1)), *((-f, function) for f, function in lines)]
        if first or second:
            plain = self._line(given, 1 if first else 0, False)
            return [both, *((-f, function) for f, function in plain)]
        return [both]

    def _line(self, given: Given, j: int, is_sign: bool) -> list[tuple[Any, sp.Expr]]:
        """E sign(y) = erf(h/√2), or Φ(h) = ½ + ½ erf(h/√2)."""
        mean, variance = self._boundary(given, j)
        half = self.field.field(1) / 2
        found: list[tuple[Any, sp.Expr]] = [] if is_sign else [(half, sp.Integer(1))]
        if mean != 0:
            factor = self.field.field(1) if is_sign else half
            error: type[sp.Function] = sp.erf
            if self.field.is_imaginary(mean):
                factor, error = factor * self.field.imaginary, sp.erfi
                mean = -self.field.normal(mean * self.field.imaginary)
            argument = self.field.write(mean) * self.field.root(2 * variance, -sp.S.Half)
            function = error(argument.xreplace(self.field.meanings))
            sign, rest = function.as_coeff_Mul()
            found.append((factor * int(sign), rest))
        return found

    def _angle(self) -> list[tuple[Any, sp.Expr]] | None:
        """asin(ρ)/π of two boundaries through the mean; None if they are elsewhere."""
        none: Given = frozenset()
        (mean, first), (other, second) = (self._boundary(none, j) for j in (0, 1))
        if mean != 0 or other != 0:
            return None
        (a, edge), (b, partner) = self.edges
        side = self.field.field(edge.side * partner.side)
        W = self.given[none][2]
        correlation = self.field.write(W[a][b])
        if edge.noise == partner.noise == 0 and all(t.quadratic == 0 for t in self.choice):
            angle = sp.acos(correlation / sp.sqrt(self.field.root(first * second, sp.Integer(1))))
            return [(side / 2, sp.Integer(1)), (-side, angle / sp.pi)]
        inverse = self.field.root(first, -sp.S.Half) * self.field.root(second, -sp.S.Half)
        return [(side, sp.asin(correlation * inverse) / sp.pi)]

    def _quadrant(self) -> sp.Expr:
        none: Given = frozenset()
        (a, edge), (b, partner) = self.edges
        W = self.given[none][2]
        arguments, scale = [], sp.Integer(edge.side * partner.side)
        for j in (0, 1):
            mean, variance = self._boundary(none, j)
            inverse = self.field.root(variance, -sp.S.Half)
            arguments.append(self.field.write(mean) * inverse)
            scale *= inverse
        rho = self.field.write(W[a][b]) * scale
        return BivariateNormalCDF(*(x.xreplace(self.field.meanings) for x in (*arguments, rho)))


def _determinant(matrix: _Matrix) -> Any:
    if not matrix:
        return 1
    return sum(matrix[0][b] * _cofactor(matrix, 0, b) for b in range(len(matrix)))


def _cofactor(matrix: _Matrix, a: int, b: int) -> Any:
    minor = [row[:b] + row[b + 1 :] for i, row in enumerate(matrix) if i != a]
    return (-1) ** (a + b) * _determinant(minor)
