"""A source: independent rows of m numbers, as pure functions of (key, index).

It joins a plan with points, parameters, a route and a precision.  As plain data it travels to any
process and into any file, and its hash names what is sampled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from nnft_num.plans.plan import Plan
from nnft_num.routes import find_route
from nnft_num.sources.rows import Rows
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = ["FORMAT", "PRECISIONS", "RowSource", "Source"]

FORMAT = "nnft-source/1"

PRECISIONS = ("single", "double")
"""Arithmetic of the fields; sums over networks are always double."""


class RowSource(Protocol):
    """What a run needs to know of that which it samples."""

    @property
    def plan(self) -> Any: ...

    @property
    def X(self) -> NDArray[np.float64]: ...

    @property
    def params(self) -> Mapping[str, float]: ...

    @property
    def route(self) -> str: ...

    @property
    def precision(self) -> str: ...

    @property
    def dimension(self) -> int: ...

    @property
    def work(self) -> float: ...

    @property
    def hash(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...

    def fill(self, key: tuple[int, int], start: int, out: NDArray[np.float64]) -> None: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Source(Shown):
    """What is sampled: rows of m numbers, each fixed by a key and its index.

    Parameters
    ----------
    plan : Plan
        What to draw and compute.
    X : ndarray, shape (n, d)
        Points; (n,) is read as d = 1.
    params : mapping
        Values of the parameters of the plan.
    route : str
        Name of the route, which says what a row is.
    precision : str
        Arithmetic of the fields, out of ``PRECISIONS``; ``settled`` tells whether it is enough.

    Raises
    ------
    SpecificationError
        If points or parameters do not fit the plan, or the route or precision is unknown.

    Examples
    --------
    >>> normal = {"normals": 1, "uniforms": 0, "components": ["g_1"]}
    >>> layer = {"kind": "dense", "width": "N", "weight": normal, "bias": None,
    ...          "activation": "erf(z)", "locals": {}}
    >>> plan = Plan.from_dict({
    ...     "format": "nnft-plan/1", "parameters": ["N"], "dimension": None, "layers": [layer],
    ...     "readout": {"weights": [normal], "biases": [None]}})
    >>> source = Source(plan=plan, X=np.array([0.0, 1.0]), params={"N": 10})
    >>> source.dimension, Source.from_json(source.to_json()).hash == source.hash
    (2, True)
    """

    plan: Plan
    X: NDArray[np.float64]
    params: Mapping[str, float]
    route: str = "parameters"
    precision: str = "double"

    def _table(self) -> Table:
        points, dimension = self.X.shape
        return Table(
            title="source of samples",
            rows=(
                ("plan", self.plan.hash),
                ("points", f"{points} in d={dimension}"),
                *((name, f"{value:g}") for name, value in self.params.items()),
                ("route", self.route),
                ("precision", self.precision),
            ),
        )

    def __repr__(self) -> str:
        return f"Source({len(self.X)} points; route {self.route}; plan {self.plan.hash[:12]})"

    def __post_init__(self) -> None:
        object.__setattr__(self, "X", self.plan.points(self.X))
        object.__setattr__(self, "params", self.plan.values(self.params))
        # what is impossible is refused here, not in a worker
        self.plan.widths(self.params)
        refusal = find_route(self.route).refuses(self)
        if refusal is not None:
            _refuse(f"a network with a route {self.route!r}", refusal, "use route='parameters'")
        if self.precision not in PRECISIONS:
            known = ", ".join(map(repr, PRECISIONS))
            _refuse(f"a precision out of {known}", f"{self.precision!r}", "choose one of them")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Source:
        """Validate plain data and build the source, executing nothing.

        Raises
        ------
        SpecificationError
            If a key is unknown or missing, or a value is impossible.
        """
        keys = {"format", "plan", "points", "params", "route", "precision"}
        if not isinstance(data, Mapping) or set(data) != keys:
            came = sorted(map(str, data)) if isinstance(data, Mapping) else f"{data!r:.80}"
            _refuse(f"a source with the keys {', '.join(sorted(keys))}", f"{came}", "match them")
        if data["format"] != FORMAT:
            _refuse(f"a source of format {FORMAT!r}", f"{data['format']!r}", "write it again")
        if not isinstance(data["params"], Mapping):
            _refuse("parameters by name", f"{data['params']!r:.80}", "pass {name: value}")
        return cls(
            plan=Plan.from_dict(data["plan"]),
            X=data["points"],
            params=data["params"],
            route=data["route"],
            precision=data["precision"],
        )

    @classmethod
    def from_json(cls, text: str) -> Source:
        """Read a source from JSON text, executing nothing.

        Raises
        ------
        SpecificationError
            If the text is not JSON or not a source.
        """
        try:
            data = json.loads(text)
        except (json.JSONDecodeError, RecursionError, TypeError) as error:
            _refuse("a source as JSON text", str(error), "write it with Source.to_json")
        return cls.from_dict(data)

    def to_dict(self) -> dict[str, Any]:
        """Give the source as plain data; floats survive a round trip to the bit."""
        return {
            "format": FORMAT,
            "plan": self.plan.to_dict(),
            "points": self.X.tolist(),
            "params": dict(self.params),
            "route": self.route,
            "precision": self.precision,
        }

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return self._text

    @cached_property
    def _text(self) -> str:
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        return hashlib.sha256(self._text.encode()).hexdigest()

    @property
    def rows(self) -> Rows:
        """How the route makes its rows."""
        rows = find_route(self.route).rows
        if rows is None:
            _refuse("a route that samples", f"{self.route!r}", "use route='parameters'")
        return rows

    @property
    def dimension(self) -> int:
        """m: numbers in one row."""
        return self.rows.dimension(self)

    @property
    def work(self) -> float:
        """Cost of one row, in products of two numbers."""
        return self.rows.work(self)

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """Values of ``plan.parameters`` in their order."""
        return np.array([self.params[name] for name in self.plan.parameters], dtype=np.float64)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        return self.plan.widths(self.params)

    @cached_property
    def settled(self) -> Source:
        """The source, in double precision where its rows need it at these points and parameters."""
        if self.precision == "double" or self.rows.is_single_enough(self):
            return self
        return replace(self, precision="double")

    def fill(self, key: tuple[int, int], start: int, out: NDArray[np.float64]) -> None:
        """Write rows start, start + 1, ... into ``out``, shape (rows, m)."""
        self.rows.fill(self, key, start, out)

    def __reduce__(self) -> tuple[Any, ...]:
        # text is small, and what is unpickled passes the same validation as any other data
        return _load, (self._text,)


@lru_cache(maxsize=64)
def _load(text: str) -> Source:
    return Source.from_json(text)


def _refuse(expected: str, came: str, remedy: str) -> NoReturn:
    raise SpecificationError(expected=expected, came=came, remedy=remedy)
