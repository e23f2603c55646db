"""The parameter densities: one class each.

Conventions: scales are standard deviations or radii, never variances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, prod
from typing import ClassVar, Self

import sympy as sp

from nnft_sym.density import Density, Draw
from nnft_sym.language.errors import SpecificationError
from nnft_sym.parameters import Parameter, location, non_negative

__all__ = ["Ball", "Gaussian", "Laplace", "Rademacher", "Sphere", "Uniform"]


def _normal(index: int) -> sp.Symbol:
    return sp.Symbol(f"g_{index}", real=True)


def _uniform(index: int) -> sp.Symbol:
    return sp.Symbol(f"u_{index}", positive=True)


def _affine_moment(mean: sp.Expr, scale: sp.Expr, order: int, standard: Sequence[int]) -> sp.Expr:
    """E (mean + scale ξ)^k from the moments of ξ."""
    return sp.Add(
        *(comb(order, j) * standard[j] * scale**j * mean ** (order - j) for j in range(order + 1))
    )


@dataclass(frozen=True)
class Gaussian(Density):
    """Normal density with mean μ and standard deviation σ ≥ 0.

    P(θ) = exp(-(θ-μ)²/2σ²)/√(2πσ²); σ = 0 is the point mass at μ.

    Parameters
    ----------
    mean : number, str or sympy.Expr
        μ: real.
    std : number, str or sympy.Expr
        σ: standard deviation (not the variance), non-negative.

    Raises
    ------
    SpecificationError
        If σ is a negative number.

    Examples
    --------
    >>> Gaussian(0, "sigma_w").moment(4)
    3*sigma_w**4
    """

    mean: Parameter = 0
    std: Parameter = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", location(self.mean, "mean"))
        object.__setattr__(self, "std", non_negative(self.std, "std"))

    @classmethod
    def example(cls) -> Self:
        return cls(sp.Rational(1, 4), sp.Rational(3, 2))

    @property
    def conditions(self) -> tuple[tuple[sp.Expr, str], ...]:
        return ((self.std, "std >= 0"),)

    @property
    def draw(self) -> Draw:
        return Draw(normals=1, components=(self.mean + self.std * _normal(1),))

    @property
    def is_even(self) -> bool:
        return bool(self.mean == 0)

    def log_density(self, *components: sp.Expr) -> sp.Expr:
        (theta,) = components
        variance = self.std**2
        return -((theta - self.mean) ** 2) / (2 * variance) - sp.log(2 * sp.pi * variance) / 2

    def support(self) -> tuple[sp.Expr, sp.Expr]:
        return -sp.oo, sp.oo

    def mixed_moment(self, powers: Sequence[int]) -> sp.Expr:
        (order,) = powers
        standard = [0 if j % 2 else int(sp.factorial2(j - 1)) for j in range(order + 1)]
        return _affine_moment(self.mean, self.std, order, standard)

    def generating_function(self, *sources: sp.Expr) -> sp.Expr:
        (s,) = sources
        return sp.exp(self.mean * s + self.std**2 * s**2 / 2)


@dataclass(frozen=True)
class Uniform(Density):
    """Uniform density on the interval [low, high].

    P(θ) = 1/(high - low); low = high is the point mass.

    Parameters
    ----------
    low, high : number, str or sympy.Expr
        Ends of the interval, low ≤ high.

    Raises
    ------
    SpecificationError
        If low > high for numbers.

    Examples
    --------
    >>> Uniform(-1, 1).moment(2)
    1/3
    """

    low: Parameter = -1
    high: Parameter = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", location(self.low, "low"))
        object.__setattr__(self, "high", location(self.high, "high"))
        if (self.high - self.low).is_negative:
            raise SpecificationError(
                expected="low <= high",
                came=f"low = {self.low}, high = {self.high}",
                remedy="swap the ends",
            )

    @classmethod
    def example(cls) -> Self:
        return cls(sp.Rational(-1, 2), 2)

    @property
    def conditions(self) -> tuple[tuple[sp.Expr, str], ...]:
        return ((self.high - self.low, "low <= high"),)

    @property
    def draw(self) -> Draw:
        width = self.high - self.low
        return Draw(uniforms=1, components=(self.low + width * _uniform(1),))

    @property
    def is_even(self) -> bool:
        return bool(sp.expand(self.low + self.high) == 0)

    def log_density(self, *components: sp.Expr) -> sp.Expr:
        return -sp.log(self.high - self.low)

    def support(self) -> tuple[sp.Expr, sp.Expr]:
        return self.low, self.high

    def mixed_moment(self, powers: Sequence[int]) -> sp.Expr:
        (order,) = powers
        ends = (self.high**j * self.low ** (order - j) for j in range(order + 1))
        return sp.Add(*ends) / (order + 1)

    def generating_function(self, *sources: sp.Expr) -> sp.Expr:
        (s,) = sources
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return sp.exp(middle * s) * sp.sinc(sp.expand(-sp.I * s * half))


@dataclass(frozen=True)
class Laplace(Density):
    """Laplace density with mean μ and scale b ≥ 0.

    P(θ) = exp(-|θ-μ|/b)/2b; its generating function is finite for |Re s| < 1/b only.

    Parameters
    ----------
    mean : number, str or sympy.Expr
        μ: real.
    scale : number, str or sympy.Expr
        b: non-negative; the variance is 2b².

    Raises
    ------
    SpecificationError
        If b is a negative number.

    Examples
    --------
    >>> Laplace(0, "b").moment(4)
    24*b**4
    """

    mean: Parameter = 0
    scale: Parameter = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", location(self.mean, "mean"))
        object.__setattr__(self, "scale", non_negative(self.scale, "scale"))

    @classmethod
    def example(cls) -> Self:
        return cls(sp.Rational(1, 3), sp.Rational(1, 2))

    @property
    def conditions(self) -> tuple[tuple[sp.Expr, str], ...]:
        return ((self.scale, "scale >= 0"),)

    @property
    def tail(self) -> sp.Expr:
        return self.scale

    @property
    def draw(self) -> Draw:
        centred = _uniform(1) - sp.Rational(1, 2)
        deviate = -sp.sign(centred) * sp.log(1 - 2 * sp.Abs(centred))
        return Draw(uniforms=1, components=(self.mean + self.scale * deviate,))

    @property
    def is_even(self) -> bool:
        return bool(self.mean == 0)

    def log_density(self, *components: sp.Expr) -> sp.Expr:
        (theta,) = components
        return -sp.Abs(theta - self.mean) / self.scale - sp.log(2 * self.scale)

    def support(self) -> tuple[sp.Expr, sp.Expr]:
        return -sp.oo, sp.oo

    def mixed_moment(self, powers: Sequence[int]) -> sp.Expr:
        (order,) = powers
        standard = [0 if j % 2 else int(sp.factorial(j)) for j in range(order + 1)]
        return _affine_moment(self.mean, self.scale, order, standard)

    def generating_function(self, *sources: sp.Expr) -> sp.Expr:
        (s,) = sources
        return sp.exp(self.mean * s) / (1 - self.scale**2 * s**2)


@dataclass(frozen=True)
class Rademacher(Density):
    """Fair sign: θ = +1 or -1, each with probability one half.

    Examples
    --------
    >>> Rademacher().cumulant(4)
    -2
    """

    continuous: ClassVar[bool] = False

    @classmethod
    def example(cls) -> Self:
        return cls()

    @property
    def draw(self) -> Draw:
        return Draw(uniforms=1, components=(sp.sign(_uniform(1) - sp.Rational(1, 2)),))

    @property
    def is_even(self) -> bool:
        return True

    def log_density(self, *components: sp.Expr) -> sp.Expr:
        return -sp.log(2)

    def support(self) -> tuple[sp.Expr, sp.Expr]:
        return sp.Integer(-1), sp.Integer(1)

    def atoms(self) -> tuple[tuple[sp.Expr, sp.Expr], ...]:
        half = sp.Rational(1, 2)
        return (sp.Integer(-1), half), (sp.Integer(1), half)

    def mixed_moment(self, powers: Sequence[int]) -> sp.Expr:
        (order,) = powers
        return sp.Integer(1 - order % 2)

    def generating_function(self, *sources: sp.Expr) -> sp.Expr:
        (s,) = sources
        return sp.cosh(s)


@dataclass(frozen=True)
class _Isotropic(Density):
    """Densities of a vector in R^d that depend on its norm only."""

    d: int = 2
    radius: Parameter = 1

    def __post_init__(self) -> None:
        if isinstance(self.d, bool) or not isinstance(self.d, int) or self.d < 1:
            raise SpecificationError(
                expected="a dimension d of at least 1", came=f"d = {self.d!r}", remedy="pass an int"
            )
        object.__setattr__(self, "radius", non_negative(self.radius, "radius"))

    @classmethod
    def example(cls) -> Self:
        return cls(3, sp.Rational(3, 2))

    @property
    def dimension(self) -> int:
        return self.d

    @property
    def conditions(self) -> tuple[tuple[sp.Expr, str], ...]:
        return ((self.radius, "radius >= 0"),)

    @property
    def is_even(self) -> bool:
        return True

    def _direction(self) -> tuple[sp.Expr, ...]:
        normals = [_normal(i + 1) for i in range(self.d)]
        norm = sp.sqrt(sp.Add(*(g**2 for g in normals)))
        return tuple(g / norm for g in normals)

    def _sphere_moment(self, powers: Sequence[int]) -> sp.Expr:
        """E of the monomial over the unit sphere: prod (p_i - 1)!!/(d (d+2) ... (d+|p|-2))."""
        if any(p % 2 for p in powers):
            return sp.Integer(0)
        numerator = prod(int(sp.factorial2(p - 1)) for p in powers)
        denominator = prod(self.d + 2 * j for j in range(sum(powers) // 2))
        return sp.Rational(numerator, denominator)


@dataclass(frozen=True)
class Sphere(_Isotropic):
    """Uniform density on the sphere |θ| = radius in R^d.

    Parameters
    ----------
    d : int
        Dimension of the space, at least 1.
    radius : number, str or sympy.Expr
        Radius, non-negative.

    Raises
    ------
    SpecificationError
        If d < 1 or the radius is a negative number.

    Examples
    --------
    >>> Sphere(3, 1).mixed_moment((2, 2, 0))
    1/15
    """

    @property
    def draw(self) -> Draw:
        if self.d == 1:
            sign = sp.sign(_uniform(1) - sp.Rational(1, 2))
            return Draw(uniforms=1, components=(self.radius * sign,))
        return Draw(normals=self.d, components=tuple(self.radius * n for n in self._direction()))

    def log_density(self, *components: sp.Expr) -> sp.Expr:
        """Log-density with respect to the surface measure."""
        area = 2 * sp.pi ** sp.Rational(self.d, 2) / sp.gamma(sp.Rational(self.d, 2))
        return -sp.log(area * self.radius ** (self.d - 1))

    def support(self) -> tuple[sp.Expr, sp.Expr]:
        return self.radius, self.radius

    def mixed_moment(self, powers: Sequence[int]) -> sp.Expr:
        return self.radius ** sum(powers) * self._sphere_moment(powers)

    def generating_function(self, *sources: sp.Expr) -> sp.Expr:
        half = sp.Rational(self.d, 2)
        square = sp.Add(*(s**2 for s in sources)) * self.radius**2 / 4
        return sp.hyper([], [half], square)


@dataclass(frozen=True)
class Ball(_Isotropic):
    """Uniform density in the ball |θ| ≤ radius in R^d.

    Parameters
    ----------
    d : int
        Dimension of the space, at least 1.
    radius : number, str or sympy.Expr
        Radius, non-negative.

    Raises
    ------
    SpecificationError
        If d < 1 or the radius is a negative number.

    Examples
    --------
    >>> Ball(2, "Lambda").moment(2)
    Lambda**2/4
    """

    @property
    def draw(self) -> Draw:
        if self.d == 1:
            return Draw(uniforms=1, components=(self.radius * (2 * _uniform(1) - 1),))
        length = self.radius * _uniform(1) ** sp.Rational(1, self.d)
        components = tuple(length * n for n in self._direction())
        return Draw(normals=self.d, uniforms=1, components=components)

    @property
    def volume(self) -> sp.Expr:
        """Volume π^{d/2} R^d/Γ(d/2 + 1)."""
        half = sp.Rational(self.d, 2)
        return sp.pi**half * self.radius**self.d / sp.gamma(half + 1)

    def log_density(self, *components: sp.Expr) -> sp.Expr:
        return -sp.log(self.volume)

    def support(self) -> tuple[sp.Expr, sp.Expr]:
        return sp.Integer(0), self.radius

    def mixed_moment(self, powers: Sequence[int]) -> sp.Expr:
        order = sum(powers)
        radial = sp.Rational(self.d, self.d + order) * self.radius**order
        return radial * self._sphere_moment(powers)

    def generating_function(self, *sources: sp.Expr) -> sp.Expr:
        half = sp.Rational(self.d, 2)
        square = sp.Add(*(s**2 for s in sources)) * self.radius**2 / 4
        return sp.hyper([], [half + 1], square)
