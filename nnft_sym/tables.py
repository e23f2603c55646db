"""Tables of activations: what a paper prints side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sympy as sp

from nnft_sym.activations import Activation
from nnft_sym.architectures import shallow
from nnft_sym.exactness import Exactness
from nnft_sym.expectation.gaussian import GaussianLaw
from nnft_sym.expectation.jump_law import slope_law
from nnft_sym.expectation.variables import covariance
from nnft_sym.language.errors import InfiniteMomentError, NotDerivedError, SpecificationError
from nnft_sym.laws import first_layer_law
from nnft_sym.mathml import mathml
from nnft_sym.universality import Criticality, criticality

__all__ = ["ActivationRow", "ActivationTable", "activation_table"]

_COLUMNS = (
    "activation",
    r"$\mathbb{E}[\phi_1\phi_2]_K$",
    r"$\mathbb{E}[\phi'_1\phi'_2]_K$",
    r"critical $(\sigma_w, \sigma_b)$",
)
_DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class ActivationRow:
    """What is derived about one activation.

    Parameters
    ----------
    activation : Activation
        φ.
    kernel, factor : sympy.Expr
        E[φ_1 φ_2] and E[φ'_1 φ'_2] in the covariances K_ab.
    kernel_exactness, factor_exactness : Exactness
        Closed form, or an integral.
    criticality : Criticality or None
        Universality class and critical variances; None if they are not derived, for activations
        of infinite variance or normalised to a fixed one.
    """

    activation: Activation
    kernel: sp.Expr
    factor: sp.Expr
    kernel_exactness: Exactness
    factor_exactness: Exactness
    criticality: Criticality | None


@dataclass(frozen=True, kw_only=True)
class ActivationTable:
    """Kernels, tangent kernel factors and critical points of several activations.

    Parameters
    ----------
    rows : tuple of ActivationRow
        One for each activation.

    Examples
    --------
    >>> table = activation_table(["erf(z)", "max(z, 0)"])
    >>> print(table)
    activation  class            critical (sigma_w, sigma_b)
    erf(z)      K*=0             (0.886227, 0)
    Max(0, z)   scale-invariant  (1.41421, 0)
    """

    rows: tuple[ActivationRow, ...]

    @property
    def cites(self) -> tuple[Any, ...]:
        """What the rows rest on."""
        rows = ((row.activation, row.criticality or "") for row in self.rows)
        return ("J18 theorem 1", *(part for row in rows for part in row))

    def latex(self, path: str | Path | None = None) -> str:
        """Return a booktabs tabular to input in a paper, and write it to ``path`` if given.

        Below the rule stand the abbreviations of the table, as comments for its caption.
        """
        lines = [r"\begin{tabular}{llll}", r"\toprule", " & ".join(_COLUMNS) + r" \\", r"\midrule"]
        lines += [" & ".join(_cells(row)) + r" \\" for row in self.rows]
        lines += [r"\bottomrule", r"\end{tabular}"]
        lines += [f"% ${name} = {meaning}$" for name, meaning in self.abbreviations.items()]
        text = "\n".join(lines) + "\n"
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @property
    def abbreviations(self) -> dict[str, str]:
        """LaTeX of the symbols that the cells use beside K_ab, and what they stand for."""
        cells = (cell for row in self.rows for cell in (row.kernel, row.factor))
        used = set[sp.Symbol]().union(*(_abbreviated(cell).free_symbols for cell in cells))
        return {sp.latex(s): sp.latex(m) for s, m in _abbreviations().items() if s in used}

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{_in_mathml(title)}</th>" for title in _COLUMNS)
        body = "".join(
            "<tr>" + "".join(f"<td>{_in_mathml(cell)}</td>" for cell in _cells(row)) + "</tr>"
            for row in self.rows
        )
        named = (mathml(f"{name} = {meaning}") for name, meaning in self.abbreviations.items())
        where = ", ".join(named)
        return f"<table><tr>{head}</tr>{body}</table>" + (f"<p>with {where}</p>" if where else "")

    def _repr_latex_(self) -> str:
        return self.latex()

    def __repr__(self) -> str:
        return f"ActivationTable({', '.join(row.activation.name for row in self.rows)})"

    def __str__(self) -> str:
        lines = [("activation", "class", "critical (sigma_w, sigma_b)")]
        for row in self.rows:
            found = row.criticality
            universality = "not derived" if found is None else found.universality
            lines.append((str(row.activation.expression), universality, _critical(row)))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = (
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )
        return "\n".join(padded)


def activation_table(activations: Iterable[Any]) -> ActivationTable:
    r"""Return the table "activation, kernel, NTK factor, critical (σ_w, σ_b)".

    The kernel of the next layer is C_b + C_W E[φ_1φ_2]_K, and the tangent kernel takes the factor
    E[φ'_1φ'_2]_K from layer to layer:

    .. math:: \Theta^{(l+1)} = K^{(l+1)} + C_W\, \Theta^{(l)} E[\phi'_1\phi'_2]_{K^{(l)}} .

    Parameters
    ----------
    activations : iterable of Activation, sympy.Expr or str
        φ, one for each row.

    Returns
    -------
    ActivationTable
        With ``rows``, ``latex()`` and a display of its own in Jupyter.

    Raises
    ------
    SpecificationError
        If there is none, or one cannot be read.
    NotDerivedError, InfiniteMomentError
        If a kernel is not derived, or is infinite whatever the covariance.

    Notes
    -----
    Source: [J18]; the critical points as in [PDLT] chapter 5.

    Examples
    --------
    >>> activation_table(["sin(z)"]).rows[0].criticality
    Criticality(sin(z): K*=0; K* = 0, C_W = 1, C_b = 0)
    """
    if isinstance(activations, (str, sp.Basic, Activation)):
        activations = (activations,)
    rows = tuple(_row(Activation.of(activation)) for activation in activations)
    if not rows:
        raise SpecificationError(
            expected="at least one activation", came="none", remedy='pass ["erf(z)"], say'
        )
    return ActivationTable(rows=rows)


def _row(phi: Activation) -> ActivationRow:
    law = first_layer_law(shallow(phi))
    assert isinstance(law, GaussianLaw)
    slope = slope_law(law)
    found: Criticality | None
    try:
        found = criticality(phi)
    except (InfiniteMomentError, NotDerivedError):
        found = None
    return ActivationRow(
        activation=phi,
        kernel=law.expression(2),
        factor=slope.expression(2),
        kernel_exactness=law.exactness(2),
        factor_exactness=slope.exactness(2),
        criticality=found,
    )


def _cells(row: ActivationRow) -> tuple[str, str, str, str]:
    formulas = (row.activation.expression, _abbreviated(row.kernel), _abbreviated(row.factor))
    phi, kernel, factor = (f"${sp.latex(formula)}$" for formula in formulas)
    return phi, kernel, factor, _critical(row)


def _critical(row: ActivationRow) -> str:
    """(σ_w, σ_b) of the point that defines the class, a dash if there is none."""
    if row.criticality is None or row.criticality.point is None:
        return "--"
    point = row.criticality.point
    deviations = (sp.sqrt(variance).evalf(_DIGITS) for variance in (point.C_W, point.C_b))
    return "(" + ", ".join(f"{float(deviation):.{_DIGITS}g}" for deviation in deviations) + ")"


def _abbreviations() -> dict[sp.Symbol, sp.Expr]:
    """The angle between two points, and determinants |c + K| of two-point covariances."""
    K11, K12, K22 = covariance(1, 1), covariance(1, 2), covariance(2, 2)
    found = {sp.Symbol(r"\vartheta"): sp.acos(K12 / (sp.sqrt(K11) * sp.sqrt(K22)))}
    for name, unit, times in (("1+K", 1, 1), ("1+2K", 1, 2), ("K", 0, 1)):
        determinant = (unit + times * K11) * (unit + times * K22) - times**2 * K12**2
        found[sp.Symbol(f"|{name}|", positive=True)] = determinant
    return found


def _abbreviated(expression: sp.Expr) -> sp.Expr:
    return expression.subs([(meaning, symbol) for symbol, meaning in _abbreviations().items()])


def _in_mathml(cell: str) -> str:
    """A cell of words and formulas in dollars, for HTML."""
    parts = cell.split("$")
    return "".join(mathml(part) if number % 2 else part for number, part in enumerate(parts))
