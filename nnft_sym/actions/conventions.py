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
    """How a coupling λ_k enters the action, and what it does to the correlator.

    Parameters
    ----------
    name : str
        By which it is asked for.
    divided : bool
        Whether the action has λ_k f^k/k! rather than λ_k f^k.
    header : str
        What tables say, with the field {k}.
    source : str
        Where it is used.
    """

    name: str
    divided: bool
    header: str
    source: str

    def factor(self, k: int) -> Fraction:
        """λ_k over g_k.

        Examples
        --------
        >>> CONVENTIONS["lambda f^4"].factor(4)
        Fraction(1, 24)
        """
        return Fraction(1) if self.divided else Fraction(1, factorial(k))


CONVENTIONS = {
    entry.name: entry
    for entry in (
        CouplingConvention(
            name="lambda f^4/4!",
            divided=True,
            header="g_{k}: S = g_{k} f^{k}/{k}!, leading G_c = -g_{k} ∫ ΠG",
            source="D23",
        ),
        CouplingConvention(
            name="lambda f^4",
            divided=False,
            header="λ_{k}: S = λ_{k} f^{k}, leading G_c = -{k}! λ_{k} ∫ ΠG",
            source="HMS20",
        ),
        CouplingConvention(
            name="EFT -24 lambda",
            divided=False,
            header="λ_{k}: δG = -{k}! λ_{k} ∫ ΠK (24 for k = 4), as for S = λ_{k} f^{k}",
            source="HMS20",
        ),
        CouplingConvention(
            name="EFT -lambda",
            divided=True,
            header="u_{k}: δG = -u_{k} ∫ ΠK (no 24), as for S = u_{k} f^{k}/{k}!",
            source="ELS21",
        ),
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


def coupling_table(coupling: SymmetricTensor, name: str = "lambda f^4/4!") -> pd.DataFrame:
    """Return the unique entries of g_k as a table whose header names the convention.

    Examples
    --------
    >>> table = coupling_table(SymmetricTensor(4, 1, [-0.24]), "lambda f^4")
    >>> print(table.columns[0])
    λ_4: S = λ_4 f^4, leading G_c = -4! λ_4 ∫ ΠG
    >>> float(table.iloc[0, 0])
    -0.01
    """
    import pandas as pd

    k = coupling.order
    converted = convert_coupling(coupling, k, source="lambda f^4/4!", target=name)
    index = [",".join(str(i + 1) for i in row) for row in coupling.indices]
    header = convention(name).header.format(k=k)
    return pd.DataFrame({header: converted.entries}, index=pd.Index(index, name="points"))
