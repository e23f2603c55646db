"""Citations: from what an answer was built of to the BibTeX of the papers behind it.

A ``source`` is a text such as ``"W96 equation 11, PDLT chapter 5"``: keys of ``references.bib``,
each with the place in the work.  What else a record rests on is listed by its ``cites``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import latex_text

__all__ = ["Bibliography", "Entry", "Reference", "bibliography", "cite", "references"]

_KEY = re.compile(r"[A-Z][A-Za-z]*\d{2}|PDLT")
_ENTRY = re.compile(r"^@(\w+)\{(\w+),\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+) = \{(.*)\},?$", re.MULTILINE)
_ACCENTS = {r"{\'e}": "é", r"{\"o}": "ö", r"{\"u}": "ü"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One work of ``references.bib``.

    Parameters
    ----------
    key, kind : str
        ``W96`` and ``inproceedings``.
    fields : mapping of str to str
        Author, title, year and so on, as BibTeX has them.
    bibtex : str
        The entry itself.
    """

    key: str
    kind: str
    fields: dict[str, str]
    bibtex: str

    @property
    def title(self) -> str:
        """Title in plain letters."""
        return _plain(self.fields["title"])

    @property
    def authors(self) -> tuple[str, ...]:
        """First names as they are given, then the family name."""
        names = _plain(self.fields["author"]).split(" and ")
        return tuple(" ".join(reversed(name.split(", ", 1))) for name in names)

    @property
    def where(self) -> str:
        """Journal, book, publisher or archive, with the year."""
        own = self.fields
        if "eprint" in own:
            return f"arXiv:{own['eprint']} ({own['year']})"
        place = own.get("journal") or own.get("booktitle") or own.get("publisher") or ""
        volume = f" {own['volume']}" if "volume" in own else ""
        pages = f", {own['pages'].replace('--', '–')}" if "pages" in own else ""
        return f"{_plain(place)}{volume}{pages} ({own['year']})"

    @property
    def latex(self) -> str:
        """Authors, title and place for a list of references."""
        names = (" ".join(reversed(n.split(", ", 1))) for n in self.fields["author"].split(" and "))
        place = latex_text(self.where).replace("–", "--")
        return f"{', '.join(names)}, \\emph{{{self.fields['title']}}}, {place}"

    def __str__(self) -> str:
        return f"{', '.join(self.authors)}, {self.title}, {self.where}"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A work, and the place in it.

    Parameters
    ----------
    key : str
        Key of ``references.bib``.
    place : str
        Such as ``equation 11``; empty for the work as a whole.
    """

    key: str
    place: str = ""

    def __str__(self) -> str:
        return f"[{self.key}] {self.place}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Bibliography:
    """Works behind an answer; its text is their BibTeX.

    Parameters
    ----------
    references : tuple of Reference
        What is cited, each once.
    entries : tuple of Entry
        The works, each once.
    """

    references: tuple[Reference, ...]
    entries: tuple[Entry, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the works."""
        return tuple(entry.key for entry in self.entries)

    @property
    def bibtex(self) -> str:
        """Return the entries as a BibTeX file."""
        return "\n\n".join(entry.bibtex for entry in self.entries) + "\n" * bool(self.entries)

    def places(self, key: str) -> str:
        """Places in one work that are cited, in one line."""
        return "; ".join(r.place for r in self.references if r.key == key and r.place)

    @property
    def latex(self) -> str:
        """Return the list of references as LaTeX, empty if there are none."""
        items = []
        for entry in self.entries:
            place = self.places(entry.key)
            items.append(
                rf"\bibitem{{{entry.key}}} {entry.latex}"
                + (f"; {latex_text(place)}." if place else ".")
            )
        body = "\n".join(items)
        return (
            f"\\begin{{thebibliography}}{{99}}\n{body}\n\\end{{thebibliography}}" if items else ""
        )

    def _repr_latex_(self) -> str:
        return self.latex

    def __str__(self) -> str:
        return self.bibtex

    def __repr__(self) -> str:
        return f"Bibliography({', '.join(self.keys)})"

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li>[{entry.key}] {escape(str(entry))}"
            + (f"; {escape(self.places(entry.key))}" if self.places(entry.key) else "")
            + "</li>"
            for entry in self.entries
        )
        return f'<ul class="nnft-references">{items}</ul><pre>{escape(self.bibtex)}</pre>'


@cache
def bibliography() -> dict[str, Entry]:
    """All works of ``references.bib`` by their keys.

    Examples
    --------
    >>> print(bibliography()["W96"])
    Christopher K. I. Williams, Computing with infinite networks, Advances in Neural Information \
Processing Systems 9 (1996)
    """
    text = files("nnft_sym").joinpath("references.bib").read_text(encoding="utf-8")
    return {
        key: Entry(kind=kind, key=key, fields=dict(_FIELD.findall(body)), bibtex=entry.group())
        for entry in _ENTRY.finditer(text)
        for kind, key, body in [entry.groups()]
    }


def references(source: str) -> tuple[Reference, ...]:
    """References of a source; words that are no key of a work are left out.

    Examples
    --------
    >>> [str(reference) for reference in references("W96 equation 11, parity")]
    ['[W96] equation 11']
    """
    found = []
    for item in source.split(","):
        key, _, place = item.strip().partition(" ")
        if _KEY.fullmatch(key):
            _known(key)
            found.append(Reference(key=key, place=place))
    return tuple(found)


def cite(*sources: Any) -> Bibliography:
    """Return the works behind answers, or of keys, as BibTeX.

    Parameters
    ----------
    *sources : str or record
        Keys such as ``"W96"``, and anything with a source: networks, activations, correlators,
        tables, estimates, reports, sweeps.

    Returns
    -------
    Bibliography
        Prints as BibTeX; ``.keys``, ``.references`` with the places in the works.

    Raises
    ------
    SpecificationError
        For a key that is not known, or an object that has no source.

    Examples
    --------
    >>> from nnft_sym.kernels import kernel
    >>> from nnft_sym.literature import erf_net
    >>> cite(kernel(erf_net()))
    Bibliography(HMS20, Y19, W96)
    >>> print(str(cite("M66")).splitlines()[0])
    @article{M66,
    """
    found: dict[Reference, None] = {}
    for source in sources:
        if isinstance(source, str):
            for item in source.split(","):
                _known(item.split()[0] if item.split() else item)
        elif not (hasattr(source, "source") or hasattr(source, "cites")):
            raise SpecificationError(
                expected="keys of works, or answers of this workbench",
                came=f"{source!r} of type {type(source).__name__}",
                remedy="pass a network, correlator or report, or a key such as 'W96'",
            )
        found |= dict.fromkeys(_walk(source))
    keys = dict.fromkeys(reference.key for reference in found)
    placed = {reference.key for reference in found if reference.place}
    return Bibliography(
        references=tuple(r for r in found if r.place or r.key not in placed),
        entries=tuple(bibliography()[key] for key in keys),
    )


def _walk(item: Any) -> Iterator[Reference]:
    if isinstance(item, str):
        yield from references(item)
        return
    yield from references(getattr(item, "source", ""))
    for part in getattr(item, "cites", ()):
        yield from _walk(part)


def _known(key: str) -> None:
    if key not in bibliography():
        raise SpecificationError(
            expected=f"a key out of {', '.join(bibliography())}",
            came=f"{key!r}",
            remedy="add the work to nnft_sym/references.bib, or correct the key",
        )


def _plain(text: str) -> str:
    for code, letter in _ACCENTS.items():
        text = text.replace(code, letter)
    return text.replace("{", "").replace("}", "").replace("--", "–")
