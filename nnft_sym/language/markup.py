r"""Tables as plain data, and what they look like as text, HTML and LaTeX.

A record that shows itself says what its table holds; how a table looks is decided here alone.
Verdicts carry a sign and a word beside their colour, so that no reader depends on colour.

Source: the colours are those of M. Okabe and K. Ito, which the colour-blind can tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Protocol

__all__ = ["SIGNS", "Cell", "Judged", "Shown", "Table", "latex_text"]

SIGNS = {
    "agree": ("✓", r"$\checkmark$", "#0072B2"),
    "disagree": ("✗", r"$\times$", "#D55E00"),
    "unresolved": ("?", "?", "#999999"),
}
"""Sign in text, sign in LaTeX and colour of each verdict."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


class Cell(Protocol):
    """What a table may hold beside plain words."""

    @property
    def text(self) -> str:
        """As plain text."""

    @property
    def html(self) -> str:
        """As HTML."""

    @property
    def latex(self) -> str:
        """As LaTeX."""


def latex_text(line: str) -> str:
    r"""Plain words for LaTeX.

    Examples
    --------
    >>> print(latex_text("sigma_w=50%"))
    sigma\_w=50\%
    """
    return "".join(_SPECIAL.get(character, character) for character in line)


@dataclass(frozen=True)
class Judged:
    """A verdict with its sign, and what is said about it.

    Parameters
    ----------
    verdict : str
        "agree", "disagree" or "unresolved".
    note : str
        Reasons, in words.
    """

    verdict: str
    note: str = ""

    @property
    def text(self) -> str:
        """Word and note.

        Examples
        --------
        >>> Judged("agree").text, Judged("unresolved", "heavy tails").latex
        ('✓ agree', '? unresolved; heavy tails')
        """
        return f"{SIGNS[self.verdict][0]} {self._words}"

    @property
    def html(self) -> str:
        """With a bar of its colour."""
        sign, _, colour = SIGNS[self.verdict]
        bar = f"border-left:0.5em solid {colour};padding-left:0.4em"
        return f'<span style="{bar}">{sign} {escape(self._words)}</span>'

    @property
    def latex(self) -> str:
        """Sign and words, without colour."""
        return f"{SIGNS[self.verdict][1]} {latex_text(self._words)}"

    @property
    def _words(self) -> str:
        return f"{self.verdict}; {self.note}" if self.note else str(self.verdict)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under a header, with a title above and notes below.

    Parameters
    ----------
    title : str
        What it shows.
    header : tuple of str
        One for each column; empty for rows that name themselves.
    rows : tuple of tuple of (str or Cell)
        Cells.
    notes : tuple of (str or Cell)
        Lines below.

    Examples
    --------
    >>> table = Table(title="one & two", header=("a", "verdict"), rows=(("1", Judged("agree")),))
    >>> print(table.text)
    one & two
    a  verdict
    1  ✓ agree
    >>> table.html[:27]
    '<p><b>one &amp; two</b></p>'
    """

    title: str
    rows: tuple[Sequence[str | Cell], ...]
    header: tuple[str, ...] = ()
    notes: tuple[str | Cell, ...] = field(default=())

    @property
    def text(self) -> str:
        """Columns of text."""
        body = [tuple(_text(cell) for cell in row) for row in self.rows]
        lines = [self.header, *body] if self.header else body
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        padded = (
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )
        return "\n".join([self.title, *padded, *map(_text, self.notes)])

    @property
    def html(self) -> str:
        """A table for notebooks and pages."""
        head = "".join(f"<th>{escape(title)}</th>" for title in self.header)
        first = f"<thead><tr>{head}</tr></thead>" if head else ""
        body = "".join(_row(map(_html, row), named=not head) for row in self.rows)
        notes = "".join(f"<p>{_html(note)}</p>" for note in self.notes)
        title = f"<p><b>{escape(self.title)}</b></p>"
        return f"{title}<table>{first}<tbody>{body}</tbody></table>{notes}"

    @property
    def latex(self) -> str:
        """A tabular with the rules of booktabs."""
        width = max((len(row) for row in self.rows), default=1)
        lines = [rf"\begin{{tabular}}{{{'l' * width}}}", r"\toprule"]
        if self.header:
            lines += [" & ".join(map(latex_text, self.header)) + r" \\", r"\midrule"]
        lines += [" & ".join(map(_latex, row)) + r" \\" for row in self.rows]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


class Shown:
    """A record that shows itself in notebooks by its table."""

    def _table(self) -> Table:
        """What it shows."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return self._table().html

    def _repr_latex_(self) -> str:
        return self._table().latex


def _row(cells: Iterable[str], *, named: bool) -> str:
    """A row; the first cell is its name where there is no header."""
    first, *others = (f"<td>{cell}</td>" for cell in cells)
    own = first.replace("<td>", "<th>", 1)[: -len("</td>")] + "</th>" if named else first
    return f"<tr>{own}{''.join(others)}</tr>"


def _text(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def _html(cell: str | Cell) -> str:
    return escape(cell) if isinstance(cell, str) else cell.html


def _latex(cell: str | Cell) -> str:
    return latex_text(cell) if isinstance(cell, str) else cell.latex
