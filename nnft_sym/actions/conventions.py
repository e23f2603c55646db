"""Conventions for couplings, and the factors between them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import factorial
from typing import TYPE_CHECKING, Any

from nnft_sym.diagrams.contraction import scaled
from nnft_sym.language.errors import SpecificationError
from nnft_sym.tensors import SymmetricTensor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONVENTIONS", "CouplingConvention", "convention", "convert_coupling", "coupling_table"]


@dataclass(frozen=True, kw_only=True)
class CouplingConvention:
    """How a coupling enters the action, and what it does to the correlator.

    Parameters
    ----------
    name : str
        By which it is asked for.
    symbol : str
        What the coupling is called, as LaTeX.
    divided : bool
        Whether the action has λ_k f^k/k! rather than λ_k f^k.
    line : str
        The propagator of the leading response, G or K.
    source : str
        Where it is used.
    """

    name: str
    symbol: str
    divided: bool
    line: str
    source: str

    def factor(self, k: int) -> Fraction:
        """λ_k over g_k.

        Examples
        --------
        >>> CONVENTIONS["lambda f^4"].factor(4)
        Fraction(1, 24)
        """
        return Fraction(1) if self.divided else Fraction(1, factorial(k))

    def latex_header(self, k: int) -> str:
        """Return what a LaTeX table says over couplings of k fields."""
        own = f"{self.symbol}_{{{k}}}"
        enters = rf"S \ni {own} f^{{{k}}}" + (f"/{k}!" if self.divided else "")
        if k < 3:
            return f"${enters}$"
        number = "" if self.divided else f"{factorial(k)}\\,"
        response = rf"\delta G_c^{{({k})}} = -{number}{own} \int \prod {self.line}"
        return f"${enters}$, ${response}$"

    def header(self, k: int) -> str:
        """Return what a table says over couplings of k fields.

        Examples
        --------
        >>> CONVENTIONS["EFT -24 lambda"].header(4)
        'EFT -24 lambda: S has lambda_4 f^4, δG_c = -24 lambda_4 ∫ΠK'
        """
        own = f"{self.symbol.strip(chr(92))}_{k}"
        enters = f"{self.name}: S has {own} f^{k}" + (f"/{k}!" if self.divided else "")
        if k < 3:
            return enters
        number = "" if self.divided else f"{factorial(k)} "
        return f"{enters}, δG_c = -{number}{own} ∫Π{self.line}"


CONVENTIONS = {
    entry.name: entry
    for entry in (
        CouplingConvention(name="lambda f^4/4!", symbol="g", divided=True, line="G", source="D23"),
        CouplingConvention(
            name="lambda f^4", symbol=r"\lambda", divided=False, line="G", source="HMS20"
        ),
        CouplingConvention(
            name="EFT -24 lambda", symbol=r"\lambda", divided=False, line="K", source="HMS20"
        ),
        CouplingConvention(name="EFT -lambda", symbol="u", divided=True, line="K", source="ELS21"),
    )
}
"""The conventions of the literature by name; the first is that of the actions here."""


def convention(name: str) -> CouplingConvention:
    """Return a convention by its name.

    Raises
    ------
    SpecificationError
        If there is none of that name.

    Examples
    --------
    >>> convention("lambda f^4").source
    'HMS20'
    """
    if name not in CONVENTIONS:
        raise SpecificationError(
            expected=f"one of the conventions {', '.join(map(repr, CONVENTIONS))}",
            came=f"{name!r}",
            remedy="choose how the coupling enters the action",
        )
    return CONVENTIONS[name]


def convert_coupling(value: Any, k: int, *, source: str, target: str) -> Any:
    """Convert a coupling of k fields from one convention to another.

    Examples
    --------
    >>> convert_coupling(-0.24, 4, source="lambda f^4/4!", target="lambda f^4")
    -0.01
    """
    ratio = convention(target).factor(k) / convention(source).factor(k)
    if isinstance(value, SymmetricTensor):
        return scaled(value, ratio.numerator, ratio.denominator)
    return value * ratio.numerator / ratio.denominator


def coupling_table(
    coupling: SymmetricTensor, name: str = "lambda f^4/4!", *, latex: bool = False
) -> pd.DataFrame:
    """Return the unique entries of g_k as a table whose header names the convention.

    Parameters
    ----------
    coupling : SymmetricTensor
        g_k in S = g_k f^k/k!.
    name : str
        The convention to convert to.
    latex : bool
        Write the header for ``to_latex``.

    Examples
    --------
    >>> table = coupling_table(SymmetricTensor(4, 1, [-0.24]), "lambda f^4")
    >>> print(table.columns[0])
    lambda f^4: S has lambda_4 f^4, δG_c = -24 lambda_4 ∫ΠG
    >>> float(table.iloc[0, 0])
    -0.01
    """
    import pandas as pd

    k, chosen = coupling.order, convention(name)
    converted = convert_coupling(coupling, k, source="lambda f^4/4!", target=name)
    index = [",".join(str(i + 1) for i in row) for row in coupling.indices]
    header = chosen.latex_header(k) if latex else chosen.header(k)
    return pd.DataFrame({header: converted.entries}, index=pd.Index(index, name="points"))
