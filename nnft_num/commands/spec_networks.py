"""Networks as TOML: an architecture with its densities, or one of the literature by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from nnft_num.commands.spec_reading import Table
from nnft_sym import densities, literature
from nnft_sym.activations import Activation, catalogue
from nnft_sym.architectures import mlp, neurons, shallow
from nnft_sym.density import Density
from nnft_sym.formulas import to_sympy
from nnft_sym.language import parse
from nnft_sym.language.errors import SpecificationError
from nnft_sym.networks import Network

__all__ = ["activation_of", "read_network"]

_MOST = 64
"""Inputs, outputs and layers that a spec may ask for."""

_COMMON = ("architecture", "name", "inputs", "outputs", "points", "parameters")
_DENSE = ("activation", "weight", "bias", "readout", "output_bias")
_KEYS = {
    "shallow": (*_COMMON, *_DENSE, "width"),
    "mlp": (*_COMMON, *_DENSE, "depth", "widths"),
    "neurons": (*_COMMON, "expression", "densities", "readout", "output_bias", "width"),
}


def read_network(table: Table) -> Network:
    r"""Read a network from its table.

    Raises
    ------
    SpecificationError
        With file and key, if there is no such network.

    Examples
    --------
    >>> from nnft_num.commands.spec_reading import parse_toml
    >>> spec = parse_toml('architecture = "shallow"\nactivation = "erf(z)"', "a.toml")
    >>> read_network(spec).parameters
    ('N', 'sigma_b', 'sigma_v', 'sigma_w')
    """
    if "literature" in table:
        return _from_literature(table)
    if "architecture" not in table:
        table.refuse(
            "architecture",
            f"an architecture ({', '.join(_KEYS)}) or a network of the literature",
            None,
            'write architecture = "shallow", or literature = "erf_net"',
        )
    kind = table.text("architecture", among=tuple(_KEYS))
    table.only(_KEYS[kind])
    options: dict[str, Any] = {}
    for name in ("inputs", "outputs"):
        if name in table:
            options[name] = table.count(name, 1, _MOST)
    if "name" in table:
        options["name"] = table.text("name")
    for name in ("weight", "bias"):
        if name in table:
            options[name] = _density(table, name, absent=name == "bias")
    for name in ("readout", "output_bias"):
        if name in table:
            options[name] = _densities(table, name, absent=name == "output_bias")
    if "width" in table:
        options["width"] = _width(table, "width", table.data["width"])
    if kind == "neurons":
        return _neurons(table, options)
    phi = _activation(table)
    if kind == "mlp":
        return _mlp(table, phi, options)
    with table.located():
        return shallow(phi, **options)


def activation_of(text: str) -> Activation:
    """Return the activation of a name such as ``Erf``, or of an expression in one symbol.

    A single word that is neither is refused: it would be the identity in a symbol of that name.

    Raises
    ------
    SpecificationError
        If it is neither.

    Examples
    --------
    >>> activation_of("Erf"), activation_of("z**2")
    (Activation(Erf: erf(z)), Activation(z**2: z**2))
    """
    named = _named_activation(text)
    if named is None and text.isidentifier() and len(text) > 1:
        names = {name.lower(): name for name in catalogue()}
        close = [names[name] for name in get_close_matches(text.lower(), names, n=1)]
        raise SpecificationError(
            expected=f"an expression in z, or one of {', '.join(catalogue())}",
            came=text,
            remedy=f"did you mean {close[0]}?" if close else "write erf(z), say",
        )
    return Activation.of(text) if named is None else named


def _named_activation(text: str) -> Activation | None:
    """Return the activation that a name stands for by itself, None for anything else."""
    make: Callable[..., Activation] | None = catalogue().get(text)
    if make is None or text == "Monomial":
        return None
    return make()


def _from_literature(table: Table) -> Network:
    known = {name: getattr(literature, name) for name in literature.__all__}
    name = table.text("literature", among=tuple(known))
    spatial = name == "scalar_field_net"
    table.only(("literature", "outputs", "points", "parameters", *(("d",) if spatial else ())))
    options = {"outputs": table.count("outputs", 1, _MOST, 1)}
    if spatial:
        options["d"] = table.count("d", 1, 8, 1)
    with table.located():
        return known[name](**options)


def _mlp(table: Table, phi: Activation, options: dict[str, Any]) -> Network:
    if "depth" in table:
        options["depth"] = table.count("depth", 1, _MOST)
    if "widths" in table:
        widths = table.data["widths"]
        if not isinstance(widths, list) or len(widths) > _MOST:
            table.refuse("widths", f"at most {_MOST} widths", widths, 'write ["n_1", "n_2"], say')
        options["widths"] = [_width(table, "widths", width) for width in widths]
    with table.located():
        return mlp(phi, **options)


def _neurons(table: Table, options: dict[str, Any]) -> Network:
    text = table.text("expression")
    inner = table.table("densities")
    if not inner.data:
        table.refuse("densities", "a density for each random parameter", None, "write them")
    drawn: dict[Any, Density] = {name: _density(inner, name) for name in inner.data}
    for name in drawn:
        with inner.located(name):
            parse(name)
        if not name.isidentifier() or name.startswith("x_"):
            inner.refuse(name, "the name of a random parameter", name, "call it w or b, say")
    with table.located("expression"):
        h = to_sympy(parse(text))
    with table.located():
        return neurons(h, drawn, **options)


def _width(table: Table, name: str, value: Any) -> int | str:
    whole = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10**9
    if not whole and not (isinstance(value, str) and value.isidentifier()):
        table.refuse(name, "a width from 1 to 10⁹ or its name", value, 'write 128 or "N"')
    if isinstance(value, str):
        with table.located(name):
            parse(value)
    return value


def _activation(table: Table) -> Activation:
    value = table.data.get("activation")
    if isinstance(value, dict):
        return _activation_with_options(table.table("activation"))
    text = table.text("activation")
    named = _named_activation(text)
    if named is not None:
        return named
    with table.located("activation"):
        # a misspelt name would be an identity in another symbol
        return Activation.of(to_sympy(parse(text, names={"z"})))


def _activation_with_options(table: Table) -> Activation:
    makers = catalogue()
    name = table.text("name", among=tuple(makers))
    options = {"LeakyReLU": "a", "Monomial": "k"}
    own = options.get(name)
    table.only(("name", own) if own else ("name",))
    if own is None or own not in table:
        if name == "Monomial":
            table.refuse("k", "the power of the monomial", None, "write k = 3, say")
        return makers[name]()
    value = table.count(own, 1, 20) if own == "k" else table.number(own, 0.01, -100, 100)
    with table.located(own):
        return makers[name](value)


def _densities(table: Table, name: str, *, absent: bool) -> Any:
    value = table.data[name]
    if not isinstance(value, list):
        return _density(table, name, absent=absent)
    if not 1 <= len(value) <= _MOST:
        table.refuse(name, "one density for each output", value, "list them")
    numbered = {f"{name}[{number}]": item for number, item in enumerate(value)}
    inner = Table(numbered, table.file, table.key)
    return [_density(inner, key, absent=absent) for key in numbered]


def _density(table: Table, name: str, *, absent: bool = False) -> Any:
    value = table.data[name]
    if absent and value == "none":
        return None
    known = {kind: getattr(densities, kind) for kind in densities.__all__}
    example = '{ density = "Gaussian", std = "sigma_w" }'
    if not isinstance(value, dict):
        none = ' or "none"' if absent else ""
        table.refuse(name, f"a density as a table{none}", value, f"write {name} = {example}")
    inner = table.table(name)
    kind = known[inner.text("density", among=tuple(known))]
    fields = [field.name for field in dataclasses.fields(kind)]
    inner.only(("density", *fields))
    options: dict[str, Any] = {}
    for field in fields:
        if field not in inner:
            continue
        given = inner.data[field]
        if field == "d":
            options[field] = inner.count(field, 1, _MOST)
        else:
            if isinstance(given, str):
                with inner.located(field):
                    parse(given)
            else:
                inner.number(field, 0.0, -1e300, 1e300)
            options[field] = given
    with inner.located():
        return kind(**options)
