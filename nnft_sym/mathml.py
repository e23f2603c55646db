"""Formulas in pages without a network: LaTeX as MathML, which browsers render themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["Formula", "Written", "aligned", "formulas_html", "mathml"]

_BLANK, _SPACE = "&#x000A0;", "&#x02004;"
"""A blank between words, and one that MathJax does not look up in a table of entities."""


@lru_cache(maxsize=4096)
def mathml(latex: str, *, block: bool = False) -> str:
    r"""Return a formula as MathML.

    Examples
    --------
    >>> mathml("K_{12}")[-61:]
    '<msub><mi>K</mi><mrow><mn>12</mn></mrow></msub></mrow></math>'
    """
    from latex2mathml.converter import convert

    return str(convert(latex, display="block" if block else "inline")).replace(_BLANK, _SPACE)


def formulas_html(lines: Iterable[str]) -> str:
    """One displayed formula below the other."""
    body = "".join(f"<div>{mathml(line, block=True)}</div>" for line in lines)
    return f'<div class="nnft-formulas" style="overflow-x:auto;text-align:left">{body}</div>'


def aligned(lines: Iterable[str]) -> str:
    r"""Lines of LaTeX as one formula.

    Examples
    --------
    >>> aligned(["a = 1", "b"])
    '$\\displaystyle \\begin{aligned} & a = 1 \\\\ & b \\end{aligned}$'
    """
    body = r" \\ ".join(f"& {line}" for line in lines)
    return rf"$\displaystyle \begin{{aligned}} {body} \end{{aligned}}$"


class Written:
    """A record that shows itself by one formula, ``latex()``."""

    latex: Any

    def _written(self) -> str:
        return str(self.latex())

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self._written()}$"

    def _repr_html_(self) -> str:
        return formulas_html([self._written()])


@dataclass(frozen=True)
class Formula:
    """A formula as a cell of a table.

    Parameters
    ----------
    source : str
        LaTeX, without dollars.
    text : str
        The same in plain letters.
    """

    source: str
    text: str

    @property
    def html(self) -> str:
        """MathML."""
        return mathml(self.source)

    @property
    def latex(self) -> str:
        """In dollars."""
        return f"${self.source}$"
