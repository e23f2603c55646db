"""Reading plain data: what a plan may hold, checked piece by piece and refused in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from nnft_sym.language import Expression, Name, parse
from nnft_sym.language.errors import LanguageError, SpecificationError

__all__ = [
    "read_count",
    "read_expression",
    "read_json",
    "read_list",
    "read_names",
    "read_record",
    "refuse",
]

_RESERVED = re.compile(r"norm2|d|z|[gu]_[0-9]+")


def read_json(text: str, what: str) -> Any:
    """Read JSON text whose objects repeat no key and whose numbers are finite."""
    try:
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except (json.JSONDecodeError, RecursionError, TypeError) as error:
        refuse(f"{what} as JSON text", str(error), "write it with to_json")


def read_expression(text: Any, names: Iterable[str], where: str) -> Expression:
    """Parse the text of an expression in the given names."""
    if not isinstance(text, str):
        refuse(f"an expression as text in {where}", f"{text!r}", "write the expression as text")
    try:
        return parse(text, names=frozenset(names))
    except LanguageError as error:
        raise LanguageError(
            expected=f"{error.expected} in {where}", came=error.came, remedy=error.remedy
        ) from error


def read_record(data: Any, where: str, keys: tuple[str, ...]) -> Mapping[str, Any]:
    """Check that data is an object of exactly these keys."""
    if not isinstance(data, Mapping) or set(data) != set(keys):
        came = sorted(map(str, data)) if isinstance(data, Mapping) else f"{data!r:.80}"
        refuse(f"{where} as an object of the keys {', '.join(keys)}", f"{came}", "match the keys")
    return data


def read_list(data: Any, where: str, least: int) -> Sequence[Any]:
    """Check that data is a list of at least so many items."""
    if not isinstance(data, (list, tuple)) or len(data) < least:
        refuse(f"{where} as a list of at least {least}", f"{data!r:.80}", "write a list")
    return data


def read_names(data: Any, where: str, taken: Iterable[str]) -> tuple[str, ...]:
    """Check names: each new, and none with a meaning of its own."""
    names = read_list(data, where, least=0)
    seen = set(taken)
    for name in names:
        # as a node of the language a name has passed its rules; constants have no free names
        free = Name(name).names
        if not free or _RESERVED.fullmatch(name) or name in seen:
            refuse(
                f"names in {where} that are new and not reserved",
                f"{name!r}",
                "rename it; pi, e, z, d, norm2, g_i and u_i have meanings of their own",
            )
        seen.add(name)
    return tuple(names)


def read_count(data: Any, where: str, least: int) -> int:
    """Check an integer of at least ``least``."""
    if not isinstance(data, int) or isinstance(data, bool) or data < least:
        refuse(f"{where} as an integer of at least {least}", f"{data!r}", "write an integer")
    return data


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        refuse("each key once", "a repeated key", "write it with to_json")
    return record


def _constant(text: str) -> NoReturn:
    refuse("finite numbers", text, "write it with to_json")


def refuse(expected: str, came: str, remedy: str) -> NoReturn:
    """Raise a SpecificationError."""
    raise SpecificationError(expected=expected, came=came, remedy=remedy)
