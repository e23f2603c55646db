"""Exact rational functions of the covariances, and how they are printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, reduce
from typing import Any

import sympy as sp
from sympy.polys.domains import QQ
from sympy.polys.fields import FracElement, FracField
from sympy.polys.orderings import grlex, lex
from sympy.polys.rings import PolyElement, PolyRing

from nnft_sym.expectation.variables import covariance, point_pairs

__all__ = ["RationalFunctions", "cofactor", "determinant_of"]

_LONGEST = 10**6
_MOST_DIGITS = 8
_MOST_TERMS = 30
_IMAGINARY = sp.Dummy("iota")


class RationalFunctions:
    """The field Q(K_ab, i, constants) of k points.

    Constants that are not short fractions are variables of the field, and put back in print; so
    sums, products and quotients are exact, canonical and fast.

    Parameters
    ----------
    points : int
        k.
    constants : iterable of sympy.Expr
        Numbers the function is made of.
    """

    def __init__(self, points: int, constants: Iterable[sp.Expr]) -> None:
        parts = [part for constant in constants for part in sp.sympify(constant).as_real_imag()]
        irregular = [part for part in parts if not _is_short(part)]
        self._names = {part: sp.Dummy() for part in dict.fromkeys(irregular)}
        self.meanings: dict[sp.Expr, sp.Expr] = {
            name: part.evalf(17) if part.is_Rational else part for part, name in self._names.items()
        }
        self.meanings[_IMAGINARY] = sp.I
        self.points = points
        self._factored: dict[PolyElement, tuple[sp.Rational, list[tuple[sp.Expr, int]]]] = {}
        self._covariances = [covariance(a, b) for a, b in point_pairs(points)]
        generators = [*self._covariances, _IMAGINARY, *self._names.values()]
        self.field = FracField(generators, QQ, lex)
        self._relations = [self._generator(_IMAGINARY).numer ** 2 + 1]
        for part, name in self._names.items():
            if (part**2).is_Rational and not part.is_Rational:
                self._relations.append((self._generator(name) ** 2 - self._real(part**2)).numer)

    def _generator(self, symbol: sp.Symbol) -> FracElement:
        return self.field.gens[self.field.symbols.index(symbol)]

    def covariance(self, a: int, b: int) -> FracElement:
        """K_ab, with points counted from 0."""
        return self._generator(covariance(a + 1, b + 1))

    def constant(self, value: sp.Expr) -> FracElement:
        """A number."""
        real, imaginary = (self._real(part) for part in sp.sympify(value).as_real_imag())
        return real + imaginary * self._generator(_IMAGINARY)

    def _real(self, part: sp.Expr) -> FracElement:
        if part in self._names:
            return self._generator(self._names[part])
        return self.field(QQ(int(part.p), int(part.q)))

    @property
    def imaginary(self) -> FracElement:
        """The imaginary unit."""
        return self._generator(_IMAGINARY)

    def normal(self, element: FracElement) -> FracElement:
        """The element with i² = -1, and the squares of square roots, put in."""
        numerator = element.numer.rem(self._relations)
        return self.field(numerator) / self.field(element.denom)

    def real_and_imaginary(self, element: FracElement) -> tuple[FracElement, FracElement]:
        """Real and imaginary parts of an element in normal form, with a real denominator."""
        place, ring = self.field.symbols.index(_IMAGINARY), element.numer.ring
        parts = [ring.zero, ring.zero]
        for monomial, coefficient in element.numer.terms():
            real = tuple(0 if i == place else power for i, power in enumerate(monomial))
            parts[monomial[place]] += ring({real: coefficient})
        below = self.field(element.denom)
        return self.field(parts[0]) / below, self.field(parts[1]) / below

    def is_imaginary(self, element: FracElement) -> bool:
        """Whether the element is i times a real one."""
        place = self.field.symbols.index(_IMAGINARY)
        return all(monomial[place] == 1 for monomial in element.numer)

    @cached_property
    def _sample(self) -> list[sp.Expr]:
        """Covariances of independent unit fields, where every determinant is positive."""
        numbers = []
        for symbol in self.field.symbols:
            if symbol in self._covariances:
                place = self._covariances.index(symbol)
                a, b = point_pairs(len(self._covariances))[place]
                numbers.append(sp.Integer(1 if a == b else 0))
            else:
                numbers.append(self.meanings[symbol])
        return numbers

    def _factors(self, polynomial: PolyElement) -> tuple[sp.Rational, list[tuple[sp.Expr, int]]]:
        """Content and primitive factors, each positive where the fields are independent."""
        if polynomial not in self._factored:
            self._factored[polynomial] = self._newly_factored(polynomial)
        return self._factored[polynomial]

    def _newly_factored(
        self, polynomial: PolyElement
    ) -> tuple[sp.Rational, list[tuple[sp.Expr, int]]]:
        if len(polynomial) > _MOST_TERMS:
            content, primitive = polynomial.primitive()
            factors = [(primitive, 1)]
        else:
            content, factors = polynomial.factor_list()
        scale = sp.Rational(str(content))
        written = []
        for factor, power in factors:
            inner, primitive = factor.clear_denoms()
            common, primitive = primitive.primitive()
            expression = primitive.as_expr()
            at = dict(zip(self.field.symbols, self._sample, strict=True))
            sign = -1 if sp.re(expression.xreplace(at).evalf(15)) < 0 else 1
            scale *= (sp.Rational(str(common)) / sp.Rational(str(inner)) * sign) ** power
            written.append((self._short(sign * expression), power))
        return scale, written

    def _short(self, polynomial: sp.Expr) -> sp.Expr:
        """A polynomial, or what it is for independent fields, in factors, and the rest."""
        apart = {symbol: sp.Integer(0) for symbol in self._mixed if polynomial.has(symbol)}
        independent = polynomial.xreplace(apart)
        if not apart or not independent.is_Add:
            return polynomial
        split = sp.factor(independent) + (polynomial - independent)
        return min(polynomial, split, key=sp.count_ops)

    @cached_property
    def _mixed(self) -> list[sp.Symbol]:
        """K_ab with a ≠ b."""
        pairs = ((a, b) for a in range(1, self.points + 1) for b in range(1, a))
        return [covariance(a, b) for a, b in pairs]

    def parts(self, element: FracElement, exponent: sp.Rational = sp.S.One) -> list[sp.Expr]:
        """Factors of a power of an element, which is positive if the exponent is fractional."""
        if element == 0:
            return [sp.Integer(0)]
        above, up = self._factors(element.numer)
        below, down = self._factors(element.denom)
        body = [base ** (power * exponent) for base, power in up]
        body += [base ** (-power * exponent) for base, power in down]
        return [(above / below) ** exponent, *body]

    def write(self, element: FracElement) -> sp.Expr:
        """The element in factors."""
        return sp.Mul(*self.parts(element))

    def root(self, element: FracElement, exponent: sp.Rational = sp.S.Half) -> sp.Expr:
        """A power of an element that is positive for every covariance."""
        return sp.Mul(*self.parts(element, exponent))

    def over_root(self, element: FracElement, radicand: FracElement) -> list[sp.Expr]:
        """Factors of element/√radicand, in the shortest form found.

        Beside the plain one, the numerator is tried in powers of the radicand N, where two parts
        c_i N^{i-1/2} are often short and their sum over one denominator is not.
        """
        plain = self.parts(element) + self.parts(radicand, -sp.S.Half)
        candidates = [plain]
        divisor = radicand.numer
        if radicand.denom.is_ground and len(divisor) > 1 and len(element.numer) > 2:
            denominator, lowest = element.denom, -sp.S.Half
            while not (division := denominator.div([divisor]))[1] and denominator != 1:
                denominator, lowest = division[0][0], lowest - 1
            base = self.write(self.field(divisor))
            scale = sp.sqrt(sp.Rational(str(radicand.denom.LC)))
            below = self.field(denominator)
            candidates.append([scale, *self.parts(self.field(element.numer) / below), base**lowest])
            if len(element.numer) > _MOST_TERMS:
                return min(candidates, key=lambda parts: sp.Mul(*parts).count_ops())
            for digits in self._expansions(element.numer, divisor):
                apart = [self.parts(digit / below) for digit in digits]
                powers = [base ** (lowest + i) for i in range(len(digits))]
                candidates.append([scale, _sum(apart, powers)])
                shared = reduce(lambda p, q: p.gcd(q), (digit.numer for digit in digits))
                rest = [self.parts(digit / self.field(shared)) for digit in digits]
                together = _sum(rest, [base**i for i in range(len(digits))])
                common = self.parts(self.field(shared) / below)
                candidates.append([scale, *common, base**lowest, together])
        return min(candidates, key=lambda parts: sp.Mul(*parts).count_ops())

    def _expansions(self, numerator: PolyElement, divisor: PolyElement) -> list[list[FracElement]]:
        """The two shortest ways found to write a polynomial in powers of another, lowest first."""
        ring = PolyRing(self.field.symbols, QQ, grlex)
        base, rest = divisor.set_ring(ring), numerator.set_ring(ring)
        found: list[list[PolyElement]] = []
        digits: list[PolyElement] = []
        while rest and len(digits) < _MOST_DIGITS - 1:
            if digits:
                found.append([*digits, rest])
            quotients, digit = rest.div([base])
            digits.append(digit)
            rest = quotients[0]
        found.sort(key=lambda parts: sum(map(len, parts)))
        return [[self.field(p.set_ring(divisor.ring)) for p in parts] for parts in found[:2]]


def _is_short(part: sp.Expr) -> bool:
    return bool(part.is_Rational) and abs(part.p) < _LONGEST and part.q < _LONGEST


def _sum(factors: list[list[sp.Expr]], powers: list[sp.Expr]) -> sp.Expr:
    return sp.Add(*(sp.Mul(*parts, power) for parts, power in zip(factors, powers, strict=False)))


def determinant_of(matrix: Sequence[Sequence[Any]]) -> Any:
    """Determinant of a small matrix over a field, by minors.

    Examples
    --------
    >>> determinant_of([[1, 2], [3, 4]])
    -2
    """
    if not matrix:
        return 1
    return sum(matrix[0][b] * cofactor(matrix, 0, b) for b in range(len(matrix)))


def cofactor(matrix: Sequence[Sequence[Any]], a: int, b: int) -> Any:
    """Signed minor without row a and column b.

    Examples
    --------
    >>> cofactor([[1, 2], [3, 4]], 0, 1)
    -3
    """
    minor = [[*row[:b], *row[b + 1 :]] for i, row in enumerate(matrix) if i != a]
    return (-1) ** (a + b) * determinant_of(minor)
