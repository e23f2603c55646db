"""Reading a TOML spec piece by piece: every refusal names the file, the key and what to do."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from nnft_sym.language.errors import NNFTError, SpecificationError

__all__ = ["Table", "read_toml"]

_LONGEST = 60


def read_toml(path: Path) -> Table:
    """Read a file as TOML.

    Raises
    ------
    SpecificationError
        If it cannot be read, or is not TOML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}"
        raise SpecificationError(
            expected=f"a spec in TOML in {path}",
            came=f"{reason}",
            remedy="check the path; docs/specs.md has examples",
        ) from None
    return parse_toml(text, str(path))


def parse_toml(text: str, file: str) -> Table:
    """Read TOML text; ``file`` is what errors call it.

    Examples
    --------
    >>> parse_toml("seed = 3", "a.toml").count("seed", 0, 9, 1)
    3
    >>> parse_toml("sed = 3", "a.toml").only(("seed",))
    Traceback (most recent call last):
    ...
    nnft_sym.language.errors.SpecificationError: expected the keys seed in a.toml; came sed; did ...
    """
    try:
        return Table(tomllib.loads(text), file)
    except (ValueError, RecursionError) as error:
        raise SpecificationError(
            expected=f"TOML in {file}",
            came=f"{error!s:.120}",
            remedy="see toml.io for the format and docs/specs.md for the keys",
        ) from None


class Table:
    """A table of a spec, which knows its file and key.

    Parameters
    ----------
    data : mapping
        Keys and values.
    file, key : str
        Where it stands; the key of the whole file is empty.
    """

    def __init__(self, data: Mapping[str, Any], file: str, key: str = "") -> None:
        self.data, self.file, self.key = data, file, key

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def path(self, name: str = "") -> str:
        """Full key of an entry."""
        return ".".join(filter(None, (self.key, name)))

    def refuse(self, name: str, expected: str, came: Any, remedy: str) -> NoReturn:
        """Raise a SpecificationError about one entry."""
        key = self.path(name)
        where = f"for the key {key} in {self.file}" if key else f"in {self.file}"
        raise SpecificationError(expected=f"{expected} {where}", came=_shown(came), remedy=remedy)

    @contextmanager
    def located(self, name: str = "") -> Iterator[None]:
        """Add file and key to what the workbench refuses inside."""
        try:
            yield
        except NNFTError as error:
            key = self.path(name)
            where = f"for the key {key} in {self.file}" if key else f"in {self.file}"
            raise type(error)(
                expected=f"{error.expected} {where}", came=error.came, remedy=error.remedy
            ) from error

    def only(self, allowed: Collection[str]) -> None:
        """Refuse keys that have no meaning here."""
        for name in self.data:
            if name not in allowed:
                close = difflib.get_close_matches(name, allowed, n=1)
                self.refuse(
                    "",
                    f"the keys {', '.join(allowed)}",
                    name if name.isidentifier() else repr(name),
                    f"did you mean {close[0]}?" if close else "remove it, or see docs/specs.md",
                )

    def table(self, name: str) -> Table:
        """Return a table; an empty one where there is none."""
        value = self.data.get(name, {})
        if not isinstance(value, Mapping):
            self.refuse(name, "a table", value, f"write [{self.path(name)}]")
        return Table(value, self.file, self.path(name))

    def tables(self, name: str) -> list[Table]:
        """Return one table or an array of tables."""
        value = self.data.get(name)
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(item, Mapping) for item in listed):
            self.refuse(name, "a table or an array of tables", value, f"write [{self.path(name)}]")
        key = self.path(name)
        single = not isinstance(value, list)
        return [
            Table(item, self.file, key if single else f"{key}[{number}]")
            for number, item in enumerate(listed)
        ]

    def text(self, name: str, default: str | None = None, among: Collection[str] = ()) -> str:
        """Return a text, out of a list if one is given."""
        value = self.data.get(name, default)
        if not isinstance(value, str) or (among and value not in among):
            close = difflib.get_close_matches(value, among, n=1) if isinstance(value, str) else []
            self.refuse(
                name,
                f"one of {', '.join(among)}" if among else "a text",
                value,
                f"did you mean {close[0]}?" if close else "write it in quotes",
            )
        return value

    def count(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """Return an integer within bounds."""
        value = self.data.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.refuse(name, f"an integer from {least} to {most}", value, "write a plain integer")
        return value

    def counts(
        self, name: str, least: int, most: int, default: Sequence[int] = ()
    ) -> tuple[int, ...]:
        """Return one or several different integers within bounds, sorted."""
        value = self.data.get(name, list(default))
        listed = value if isinstance(value, list) else [value]
        whole = all(isinstance(item, int) and not isinstance(item, bool) for item in listed)
        if not whole or not all(least <= item <= most for item in listed):
            self.refuse(name, f"integers from {least} to {most}", value, "write [2, 4], say")
        if len(set(listed)) < len(listed) or (name in self.data and not listed):
            self.refuse(name, "one or more different integers", value, "write each once")
        return tuple(sorted(listed))

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """Return a number strictly between bounds."""
        value = self.data.get(name, default)
        if not _is_number(value) or not low < value < high:
            self.refuse(name, f"a number between {low:g} and {high:g}", value, "write 0.01, say")
        return float(value)

    def numbers(self, name: str) -> dict[str, float | int | tuple[float | int, ...]]:
        """Return a table of numbers, each one number or several different ones."""
        inner = self.table(name)
        for key, value in inner.data.items():
            listed = value if isinstance(value, list) and value else [value]
            if not all(map(_is_number, listed)) or len(set(listed)) < len(listed):
                inner.refuse(
                    key,
                    "a finite number, or different ones in a list",
                    value,
                    "write it without quotes: 1.0 or [0.5, 1.0]",
                )
        return {k: tuple(v) if isinstance(v, list) else v for k, v in inner.data.items()}

    def flag(self, name: str) -> bool:
        """Return true or false, false if it is not there."""
        value = self.data.get(name, False)
        if not isinstance(value, bool):
            self.refuse(name, "true or false", value, "write it without quotes")
        return value


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and -1e300 < value < 1e300
    )


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    shown = value if isinstance(value, str) and value.isidentifier() else repr(value)
    return shown if len(shown) <= _LONGEST else shown[:_LONGEST] + " ..."
