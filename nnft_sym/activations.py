"""Activations: an expression φ(z), a name, a source.

Nothing else is stated about an activation: kernels, moments, numeric code and thresholds are all
derived from the expression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from nnft_sym.formulas import from_sympy, to_sympy
from nnft_sym.language import parse
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table
from nnft_sym.mathml import Formula

__all__ = [
    "GELU",
    "Abs",
    "Activation",
    "Cos",
    "Erf",
    "Exp",
    "Identity",
    "LeakyReLU",
    "Monomial",
    "NormalisedExp",
    "ReLU",
    "Sign",
    "Sin",
    "Step",
    "Tanh",
    "catalogue",
]

Z = sp.Symbol("z", real=True)
"""The argument of every activation: the preactivation z."""

VARIANCE = sp.Symbol("k", nonnegative=True)
"""The variance E z² of the argument at the same point, for normalised activations."""

_CATALOGUE: dict[str, Callable[..., Activation]] = {}


@dataclass(frozen=True, kw_only=True)
class Activation(Shown):
    """A non-linearity φ(z).

    Parameters
    ----------
    expression : sympy.Expr
        φ in the symbol z (and, for normalised activations, k = E z² at the same point).
    name : str
        The name by which reports call it.
    source : str
        Where it was introduced, empty if the user wrote it.

    Raises
    ------
    SpecificationError
        If the expression has other free symbols, or is outside the little language.
    """

    expression: sp.Expr
    name: str
    source: str = ""

    def __post_init__(self) -> None:
        extra = self.expression.free_symbols - {Z, VARIANCE}
        if extra:
            raise SpecificationError(
                expected="an activation in the one symbol z",
                came=f"{self.expression} with {', '.join(sorted(s.name for s in extra))}",
                remedy="write φ in z alone, or use Activation.of",
            )
        from_sympy(self.expression)

    @classmethod
    def of(cls, given: Any) -> Activation:
        """Read an activation from an Activation, an expression in one symbol, or a text.

        Examples
        --------
        >>> Activation.of("t*exp(-t**2/2)").expression
        z*exp(-z**2/2)
        """
        if isinstance(given, Activation):
            return given
        if isinstance(given, str):
            expression = to_sympy(parse(given))
            if expression.is_Symbol and len(expression.name) > 1:
                raise SpecificationError(
                    expected="an activation as an expression",
                    came=f"the bare name {given!r}, which as a variable would be the identity",
                    remedy="write nn.ReLU() or 'max(z, 0)', say; the identity is 'z'",
                )
        elif isinstance(given, sp.Expr):
            expression = given
        else:
            raise SpecificationError(
                expected="an activation such as nn.Erf(), an expression in one symbol, or a text",
                came=f"{given!r} of type {type(given).__name__}",
                remedy="write for example nn.shallow(nn.Erf()) or nn.shallow('z*exp(-z**2)')",
            )
        symbols = sorted(expression.free_symbols, key=lambda symbol: symbol.name)
        if len(symbols) > 1:
            raise SpecificationError(
                expected="an activation in one symbol",
                came=f"{expression} with the symbols {', '.join(s.name for s in symbols)}",
                remedy="replace all but one of them by numbers",
            )
        if symbols and not symbols[0].assumptions0.items() <= Z.assumptions0.items():
            raise SpecificationError(
                expected="an activation in a symbol that takes every real value",
                came=f"the symbol {symbols[0]}, which sympy is told more about and may have "
                f"used to shorten the formula to {expression}",
                remedy=f"write sympy.Symbol({symbols[0].name!r}, real=True), or a text",
            )
        if symbols:
            expression = expression.xreplace({symbols[0]: Z})
        return cls(expression=expression, name=str(given))

    @property
    def is_normalised(self) -> bool:
        """Whether φ refers to the variance of its argument."""
        return VARIANCE in self.expression.free_symbols

    @property
    def formula(self) -> Formula:
        """φ(z)."""
        return Formula(sp.latex(self.expression), str(self.expression))

    def _table(self) -> Table:
        source = (("source", self.source),) if self.source else ()
        shown = Formula(rf"\phi(z) = {self.formula.source}", f"phi(z) = {self.formula.text}")
        return Table(title=self.name, rows=(("activation", shown), *source))

    def __repr__(self) -> str:
        return f"Activation({self.name}: {self.expression})"


def _named(make: Callable[..., Activation]) -> Callable[..., Activation]:
    _CATALOGUE[make.__name__] = make
    return make


def catalogue() -> dict[str, Callable[..., Activation]]:
    """Return the named activations by name.

    Examples
    --------
    >>> "Erf" in catalogue()
    True
    """
    return dict(_CATALOGUE)


@_named
def Erf() -> Activation:
    """Error function erf(z) = (2/√π)∫₀ᶻ exp(-t²)dt."""
    return Activation(expression=sp.erf(Z), name="Erf", source="W96")


@_named
def ReLU() -> Activation:
    """Rectified linear unit max(z, 0)."""
    return Activation(expression=sp.Max(Z, 0), name="ReLU", source="CS09")


@_named
def LeakyReLU(a: float = 0.01) -> Activation:
    """Leaky rectifier max(z, 0) + a min(z, 0)."""
    slope = sp.nsimplify(a, rational=True)
    expression = sp.Max(Z, 0) + slope * sp.Min(Z, 0)
    return Activation(expression=expression, name=f"LeakyReLU({a})", source="CS09")


@_named
def Step() -> Activation:
    """Heaviside step, 1 for z > 0, 0 for z < 0 and one half at z = 0."""
    return Activation(expression=sp.Heaviside(Z), name="Step", source="CS09")


@_named
def Sign() -> Activation:
    """Sign of z, zero at z = 0."""
    return Activation(expression=sp.sign(Z), name="Sign", source="W96")


@_named
def Abs() -> Activation:
    """Absolute value of z."""
    return Activation(expression=sp.Abs(Z), name="Abs", source="CS09")


@_named
def Cos() -> Activation:
    """Cosine cos(z)."""
    return Activation(expression=sp.cos(Z), name="Cos", source="HMS20")


@_named
def Sin() -> Activation:
    """Sine sin(z)."""
    return Activation(expression=sp.sin(Z), name="Sin", source="PDLT chapter 5")


@_named
def Exp() -> Activation:
    """Exponential exp(z)."""
    return Activation(expression=sp.exp(Z), name="Exp", source="W96")


@_named
def NormalisedExp() -> Activation:
    """Exponential over its root mean square: exp(z)/√(E exp(2z)) = exp(z - E z²)."""
    return Activation(expression=sp.exp(Z - VARIANCE), name="NormalisedExp", source="HMS20")


@_named
def Tanh() -> Activation:
    """Hyperbolic tangent tanh(z)."""
    return Activation(expression=sp.tanh(Z), name="Tanh", source="PDLT chapter 5")


@_named
def GELU() -> Activation:
    """Gaussian error linear unit z Φ(z)."""
    expression = Z * (1 + sp.erf(Z / sp.sqrt(2))) / 2
    return Activation(expression=expression, name="GELU", source="HG16")


@_named
def Identity() -> Activation:
    """Identity z: a linear network."""
    return Activation(expression=Z, name="Identity", source="")


@_named
def Monomial(k: int = 2) -> Activation:
    """Monomial z^k, k ≥ 0."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 0:
        raise SpecificationError(
            expected="a degree k >= 0", came=f"k = {k!r}", remedy="pass a non-negative integer"
        )
    return Activation(expression=Z**k, name=f"Monomial({k})", source="")
