r"""Long equations broken into lines that fit on a page, before signs and between factors.

The width of a formula is estimated from its letters: LaTeX alone knows it, but the text has to be
written before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

__all__ = ["LINE", "broken", "width_of"]

LINE = 350.0
"""Width of a line in points, by the estimate below: it is printed in less."""

_LETTER, _SCRIPT = 5.8, 4.3
"""Mean width of a letter in points, and of one in an index or exponent."""

_STEP, _FURTHER = r"\qquad ", r"\qquad\qquad{} \times "
"""How a line begins that continues an equation, and one that continues a product."""


def width_of(latex: str) -> float:
    r"""Estimate the printed width of a formula, in points at 10 pt.

    Examples
    --------
    >>> width_of("x") < width_of("x_1") < width_of("G(x_1)")
    True
    """
    shown = re.sub(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", _widest, latex)
    shown = re.sub(r"\\(?:text|mathrm)\{([^{}]*)\}", r"\1", shown)
    shown = re.sub(r"\\[,;!: ]|\\[Bb]ig[lr]|\\left|\\right", "", shown)
    shown = re.sub(r"\\(?:dots|qquad)", "lll", shown)
    shown = re.sub(r"\\[A-Za-z]+", "l", shown)
    scripts = re.findall(r"[_^](?:\{([^{}]*)\}|(.))", shown)
    small = sum(len(one) + len(other) for one, other in scripts)
    letters = re.sub(r"[_^](?:\{[^{}]*\}|.)|[{}\s]", "", shown)
    return _LETTER * len(letters) + _SCRIPT * small


def _widest(found: re.Match[str]) -> str:
    return max(found.groups(), key=len)


def broken(head: str, terms: Iterable[Sequence[str]]) -> str:
    r"""Write ``head = sum of terms``, in several lines if it has to be.

    Parameters
    ----------
    head : str
        The left side.
    terms : iterable of sequence of str
        Factors of each term, the sign with the first; a line may end after any of them.  One
        that begins with + is no factor but is added within the term.

    Examples
    --------
    >>> print(broken("a", [["b", "c"], ["-d"]]))
    a = b c - d
    >>> print(broken("a", [["b" * 40], ["-" + "c" * 40]]).replace("b" * 40, "B"))
    \begin{aligned} & a = B \\ & \qquad - cccccccccccccccccccccccccccccccccccccccc \end{aligned}
    """
    signed = [_signed(list(term), number) for number, term in enumerate(terms)] or [["0"]]
    start = f"{head} = "
    whole = start + " ".join(" ".join(term) for term in signed)
    if width_of(whole) <= LINE:
        return whole
    rows = [start]
    for term in signed:
        rows = _with_term(rows, term)
    lines = r" \\ ".join(f"& {row.rstrip()}" for row in rows)
    return rf"\begin{{aligned}} {lines} \end{{aligned}}"


def _with_term(rows: list[str], term: list[str]) -> list[str]:
    """Rows with one term more: on the last row, on a row of its own, or over several."""
    joined = " ".join(term)
    if _fits(rows[-1], joined):
        return [*rows[:-1], f"{rows[-1]}{joined} "]
    # what does not fit even on a row of its own begins after the sign of equality
    alone = len(rows) > 1 or not rows[0].endswith("= ") or _fits(_STEP, joined)
    found = [*rows, _STEP] if alone else list(rows)
    for factor in term:
        if not _fits(found[-1], factor):
            found.append(_STEP + r"\qquad " if factor.startswith("+ ") else _FURTHER)
        found[-1] += f"{factor} "
    return found


def _fits(row: str, more: str) -> bool:
    return width_of(row) + width_of(more) <= LINE


def _signed(term: list[str], number: int) -> list[str]:
    """Factors of a term with a sign in front, where it is not the first."""
    first = term[0]
    if number:
        first = f"- {first[1:]}" if first.startswith("-") else f"+ {first}"
    return [first, *term[1:]]
