"""Specs: what to derive, to tabulate and to check, as a TOML file.

The schema is in docs/specs.md.  A spec is data: its expressions go through the parser of the little
language, and nothing in it is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import comb, prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_num.commands.spec_networks import read_network
from nnft_num.commands.spec_reading import Table, parse_toml, read_toml
from nnft_num.confrontation.scaling import width_names, widths_of
from nnft_num.routes import find_route
from nnft_sym.networks import Network

__all__ = [
    "CheckSpec",
    "DeriveSpec",
    "NetworkSpec",
    "OutputSpec",
    "Spec",
    "parse_spec",
    "read_spec",
    "require_check",
]

_KEYS = ("title", "network", "points", "parameters", "check", "derive", "output")
_CHECK = ("orders", "networks", "seed", "widths", "level", "resolution", "route")
_QUANTITIES = ("kernel", "ntk", "cumulant")
_ENTRIES = 5_000_000
"""Distinct entries of one tensor beyond which a spec is taken for a mistake."""

_COMBINATIONS = 1000
"""Combinations of values beyond which a spec is taken for a mistake."""

_FILES = {
    "table": (".tex",),
    "json": (".json",),
    "html": (".html",),
    "document": (".tex",),
    "figure": (".pdf", ".svg", ".png"),
}
"""What may be written, and how the names of the files end."""

Values = Mapping[str, float | int | tuple[float | int, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkSpec:
    """A network with its points and parameters.

    Parameters
    ----------
    network : Network
        The ensemble.
    points : ndarray, shape (n, d), or None
        Points, where they are given.
    parameters : mapping
        Values of its parameters, as far as they are given: a number, or a tuple of several.
    key : str
        Where it stands in the file.
    """

    network: Network
    points: NDArray[np.float64] | None
    parameters: Values
    key: str = "network"

    @property
    def axes(self) -> dict[str, tuple[float | int, ...]]:
        """Parameters that take several values."""
        return {k: v for k, v in self.parameters.items() if isinstance(v, tuple)}

    @property
    def combinations(self) -> list[dict[str, float | int]]:
        """Every combination of the values of the parameters."""
        listed = [v if isinstance(v, tuple) else (v,) for v in self.parameters.values()]
        return [dict(zip(self.parameters, chosen, strict=True)) for chosen in product(*listed)]


@dataclass(frozen=True, kw_only=True)
class CheckSpec:
    """How to sample and to compare.

    Parameters
    ----------
    orders : tuple of int
        Orders of the correlators.
    networks, seed : int
        Networks, at each width, and the seed.
    widths : tuple of int
        Widths of a sweep; empty for one width.
    level, resolution : float
        As in :func:`nnft_num.check`.
    route : str
        How networks are sampled.
    """

    orders: tuple[int, ...]
    networks: int
    seed: int
    widths: tuple[int, ...]
    level: float
    resolution: float
    route: str


@dataclass(frozen=True, kw_only=True)
class DeriveSpec:
    """What to derive: quantities, and the orders of the cumulants."""

    quantities: tuple[str, ...]
    orders: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class OutputSpec:
    """Names of the files to write, None for none.

    Parameters
    ----------
    table : str or None
        LaTeX tables of entries.
    json : str or None
        All numbers.
    html : str or None
        A page that needs no network.
    document : str or None
        A LaTeX article.
    figure : str or None
        Theory against sample, as PDF, SVG or PNG.
    """

    table: str | None = None
    json: str | None = None
    html: str | None = None
    document: str | None = None
    figure: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Spec:
    """What a file asks for.

    Parameters
    ----------
    file, title : str
        Where it stands and what it is called.
    networks : tuple of NetworkSpec
        At least one.
    check : CheckSpec
        For ``nnft check``.
    derive : DeriveSpec
        For ``nnft derive``.
    output : OutputSpec
        Files.
    """

    file: str
    title: str
    networks: tuple[NetworkSpec, ...]
    check: CheckSpec
    derive: DeriveSpec
    output: OutputSpec


def read_spec(path: str | Path) -> Spec:
    """Read a spec.

    Raises
    ------
    SpecificationError
        With file, key and remedy, for anything that is not in the schema.
    """
    return _spec(read_toml(Path(path)))


def parse_spec(text: str, file: str = "spec") -> Spec:
    r"""Read the text of a spec.

    Examples
    --------
    >>> parse_spec('[network]\nliterature = "cos_net"').networks[0].network.name
    'Cos-net'
    """
    return _spec(parse_toml(text, file))


def require_check(spec: Spec) -> None:
    """Refuse a spec that cannot be checked: points or values missing, or too large.

    Raises
    ------
    SpecificationError
        With file, key and remedy.
    """
    for entry in spec.networks:
        table = Table({}, spec.file)
        if entry.points is None:
            table.refuse("points", f"points for {entry.key}", None, "write points = [0.0, 1.0]")
        values: dict[str, Any] = dict(entry.parameters)
        if spec.check.widths:
            for name in entry.axes:
                table.refuse(
                    f"parameters.{name}",
                    "one value beside check.widths",
                    list(entry.axes[name]),
                    "choose one, or leave check.widths out",
                )
            with table.located("check.widths"):
                names = width_names(entry.network)
                widths_of(spec.check.widths, least=2 if entry.network.depth == 1 else 3)
            for name in set(names) & set(values):
                table.refuse(
                    f"parameters.{name}", "no width beside check.widths", name, "remove it"
                )
            values |= dict.fromkeys(names, spec.check.widths[0])
        with table.located("parameters"):
            entry.network.bind({k: v[0] if isinstance(v, tuple) else v for k, v in values.items()})
        fields = len(entry.points) * entry.network.outputs
        entries = comb(fields + spec.check.orders[-1] - 1, spec.check.orders[-1])
        if entries > _ENTRIES:
            table.refuse(
                "check.orders",
                f"at most {_ENTRIES} distinct entries",
                f"{entries} at order {spec.check.orders[-1]}",
                "ask for fewer points or lower orders",
            )


def _spec(table: Table) -> Spec:
    table.only(_KEYS)
    if "network" not in table:
        table.refuse("network", "a network", None, 'write [network] literature = "erf_net", say')
    shared = _points(table) if "points" in table else None
    values = table.numbers("parameters")
    networks = tuple(_network(own, table, shared, values) for own in table.tables("network"))
    for name in values:
        if not any(name in entry.network.parameters for entry in networks):
            known = sorted({name for entry in networks for name in entry.network.parameters})
            table.table("parameters").only(known)
    return Spec(
        file=table.file,
        title=table.text("title", Path(table.file).stem),
        networks=networks,
        check=_check(table.table("check")),
        derive=_derive(table.table("derive")),
        output=_output(table.table("output")),
    )


def _network(
    table: Table,
    whole: Table,
    shared: NDArray[np.float64] | None,
    values: Values,
) -> NetworkSpec:
    network = read_network(table)
    points = _points(table) if "points" in table else shared
    if points is not None:
        with table.located("points"):
            points = network.points(points)
    # shared values serve every network that has the parameter
    known = {name: value for name, value in values.items() if name in network.parameters}
    own = table.numbers("parameters")
    merged = NetworkSpec(network=network, points=points, parameters=known | own, key=table.key)
    for origin, given in ((whole, known), (table, own)):
        with origin.located("parameters"):
            for name, value in given.items():
                for single in value if isinstance(value, tuple) else (value,):
                    network.bind({name: single}, partial=True)
    count = prod(map(len, merged.axes.values()))
    if count > _COMBINATIONS:
        table.refuse(
            "parameters",
            f"at most {_COMBINATIONS} combinations of values",
            f"{count}",
            "list fewer values",
        )
    with table.located("parameters"):
        for chosen in merged.combinations:
            network.bind(chosen, partial=True)
    return merged


def _points(table: Table) -> NDArray[np.float64]:
    value = table.data["points"]
    rows: list[Any] = value if isinstance(value, list) and value else [None]
    flat = all(_is_number(item) for item in rows)
    deep = all(isinstance(row, list) and row and all(map(_is_number, row)) for row in rows)
    if not flat and not (deep and len({len(row) for row in rows}) == 1):
        table.refuse(
            "points",
            "a list of numbers, or of points with one length",
            value,
            "write [-1.0, 1.0] or [[0.0, 1.0], [1.0, 0.0]]",
        )
    return np.array(rows, dtype=np.float64)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _check(table: Table) -> CheckSpec:
    table.only(_CHECK)
    route = table.text("route", "parameters")
    with table.located("route"):
        find_route(route)
    widths = table.counts("widths", 1, 10**6)
    if len(widths) == 1:
        table.refuse("widths", "two widths or more", list(widths), "write [1, 2, 4], say")
    return CheckSpec(
        orders=table.counts("orders", 1, 8, (2, 4)),
        networks=table.count("networks", 100, 10**10, 10**5),
        seed=table.count("seed", 0, 2**63 - 1, 0),
        widths=widths,
        level=table.number("level", 0.01, 0.0, 1.0),
        resolution=table.number("resolution", 5.0, 0.0, 1e6),
        route=route,
    )


def _derive(table: Table) -> DeriveSpec:
    table.only(("quantities", "orders"))
    value = table.data.get("quantities", list(_QUANTITIES))
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(v, str) and v in _QUANTITIES for v in listed):
        table.refuse("quantities", f"some of {', '.join(_QUANTITIES)}", value, 'write ["kernel"]')
    return DeriveSpec(
        quantities=tuple(dict.fromkeys(listed)), orders=table.counts("orders", 1, 8, (4,))
    )


def _output(table: Table) -> OutputSpec:
    table.only(tuple(_FILES))
    names: dict[str, str] = {}
    for key, endings in _FILES.items():
        if key not in table:
            continue
        name = table.text(key)
        # a spec names files; where they go is said on the command line
        if not name or name != Path(name).name or not name.isprintable() or "\\" in name:
            table.refuse(key, "the name of a file", name, "give the directory with --out")
        if not name.endswith(endings):
            table.refuse(key, f"a name that ends with {' or '.join(endings)}", name, "rename it")
        if name in names.values():
            table.refuse(key, "a name of its own for each file", name, "choose another")
        names[key] = name
    return OutputSpec(**names)
