"""The plan of a sample: what to draw and what to compute, as plain data.

A plan is a JSON object of expressions in the little language, draw recipes and shapes; numbers
(scales, widths, points) are given when it is run.  Loading one parses and validates every
expression and executes nothing.  Its hash is the SHA-256 of its canonical JSON.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.plans.layers import Dense, DrawRecipe, NamedDraw, Neurons, optional
from nnft_num.plans.reading import (
    read_count,
    read_expression,
    read_json,
    read_list,
    read_names,
    read_record,
    refuse,
)
from nnft_sym.language import evaluate
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = ["FORMAT", "Plan", "recipes"]

FORMAT = "nnft-plan/1"

_MAX_PRIMITIVES = 4096
_MAX_WIDTH = 2**34


@dataclass(frozen=True, kw_only=True)
class Plan(Shown):
    """A sampling plan f_j(x) = sum_i a_ij h_i(x) / sqrt(n_L) + c_j; build with ``from_dict``.

    Parameters
    ----------
    parameters : tuple of str
        Names of the numbers given at run time, sorted.
    dimension : int or None
        d: dimension of the inputs where the network fixes it.
    layers : tuple of Dense or Neurons
        Hidden layers, first to last.
    weights, biases : tuple
        Draw recipes of the readout, one for each output; a bias may be None.

    Examples
    --------
    >>> normal = {"normals": 1, "uniforms": 0, "components": ["g_1"]}
    >>> layer = {"kind": "dense", "width": "N", "weight": normal, "bias": None,
    ...          "activation": "erf(z)", "locals": {}}
    >>> plan = Plan.from_dict({
    ...     "format": "nnft-plan/1", "parameters": ["N"], "dimension": None, "layers": [layer],
    ...     "readout": {"weights": [normal], "biases": [None]}})
    >>> plan.outputs, plan.widths({"N": 100}), Plan.from_json(plan.to_json()) == plan
    (1, (100,), True)
    """

    parameters: tuple[str, ...]
    dimension: int | None
    layers: tuple[Dense | Neurons, ...]
    weights: tuple[DrawRecipe, ...]
    biases: tuple[DrawRecipe | None, ...]

    def _table(self) -> Table:
        return Table(
            title="plan",
            rows=(
                ("hidden layers", str(len(self.layers))),
                ("outputs", str(len(self.weights))),
                ("parameters", ", ".join(self.parameters) or "none"),
                ("hash", self.hash),
            ),
        )

    def __repr__(self) -> str:
        return f"Plan({len(self.layers)} hidden layers; {self.hash[:12]})"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Validate plain data and build the plan.

        Raises
        ------
        SpecificationError
            If a key is unknown or missing, a shape is impossible or a name stands where it is
            not allowed; ``LanguageError`` for a text outside the little language.
        """
        keys = ("format", "parameters", "dimension", "layers", "readout")
        top = read_record(data, "a plan", keys)
        if top["format"] != FORMAT:
            refuse(f"a plan of format {FORMAT!r}", f"{top['format']!r}", "write the plan again")
        parameters = read_names(top["parameters"], "parameters", taken=())
        if list(parameters) != sorted(parameters):
            refuse("parameters in sorted order", f"{list(parameters)}", "sort the names")
        dimension = top["dimension"]
        if dimension is not None:
            dimension = read_count(dimension, "dimension", least=1)
        texts = read_list(top["layers"], "layers", least=1)
        if len(texts) > 120:
            refuse("at most 120 hidden layers", str(len(texts)), "use fewer layers")
        layers = tuple(
            _layer(layer, f"layers[{index}]", index == 0, parameters, dimension)
            for index, layer in enumerate(texts)
        )
        readout = read_record(top["readout"], "readout", ("weights", "biases"))
        weights = read_list(readout["weights"], "readout.weights", least=1)
        biases = read_list(readout["biases"], "readout.biases", least=len(weights))
        if len(biases) != len(weights):
            refuse(
                f"one bias or null for each of {len(weights)} outputs",
                f"{len(biases)} biases",
                "match readout.biases to readout.weights",
            )
        return cls(
            parameters=parameters,
            dimension=dimension,
            layers=layers,
            weights=tuple(
                _scalar(weight, f"readout.weights[{j}]", parameters)
                for j, weight in enumerate(weights)
            ),
            biases=tuple(
                None if bias is None else _scalar(bias, f"readout.biases[{j}]", parameters)
                for j, bias in enumerate(biases)
            ),
        )

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan from JSON text, executing nothing.

        Raises
        ------
        SpecificationError
            If the text is not JSON or not a plan.
        """
        return cls.from_dict(read_json(text, "a plan"))

    def to_dict(self) -> dict[str, Any]:
        """Give the plan as plain data, expressions in canonical text."""
        return {
            "format": FORMAT,
            "parameters": list(self.parameters),
            "dimension": self.dimension,
            "layers": [layer.to_dict() for layer in self.layers],
            "readout": {
                "weights": [weight.to_dict() for weight in self.weights],
                "biases": [optional(bias) for bias in self.biases],
            },
        }

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def outputs(self) -> int:
        """D: number of outputs of the network."""
        return len(self.weights)

    def statistics(self, points: int) -> int:
        """Count the numbers kept of each network: its n D fields."""
        return points * self.outputs

    def values(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Read the numbers of a run, checked against the parameters of the plan.

        Raises
        ------
        SpecificationError
            If a name is unknown or missing, or a value is not a finite real number.
        """
        if set(params) != set(self.parameters):
            unknown = sorted(set(params) - set(self.parameters))
            missing = sorted(set(self.parameters) - set(params))
            refuse(
                f"values for exactly {', '.join(self.parameters) or 'no parameters'}",
                f"unknown {unknown}, missing {missing}",
                "give each parameter of the network once",
            )
        numbers = {}
        for name in self.parameters:
            value = params[name]
            real = isinstance(value, Real) and not isinstance(value, bool)
            if not real or not math.isfinite(value):
                refuse(f"a finite number for {name}", f"{value!r}", "pass an int or a float")
            numbers[name] = float(value)
        return numbers

    def widths(self, params: Mapping[str, Any]) -> tuple[int, ...]:
        """Widths n_1, ..., n_L at the given parameters.

        Raises
        ------
        SpecificationError
            If a width is not an integer of at least 1.
        """
        numbers = self.values(params)
        widths = []
        for layer in self.layers:
            width = float(evaluate(layer.width, numbers))
            if width > _MAX_WIDTH:
                refuse(
                    f"a width of at most {_MAX_WIDTH}",
                    f"{layer.width} = {width:g}, too large to sample",
                    "choose a smaller N",
                )
            if not (width >= 1 and width == int(width)):
                refuse("an integer width of at least 1", f"{layer.width} = {width:g}", "choose N")
            widths.append(int(width))
        return tuple(widths)

    def points(self, X: ArrayLike) -> NDArray[np.float64]:
        """Input points as an array (n, d) of finite numbers; (n,) is read as d = 1.

        Raises
        ------
        SpecificationError
            If the shape or dimension is wrong, or a coordinate is not finite.
        """
        try:
            array = np.array(X, dtype=np.float64, order="C")
        except (TypeError, ValueError):
            refuse("points as an array (n, d) of real numbers", f"{X!r}", "pass numbers")
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2 or 0 in array.shape:
            refuse("points of shape (n, d), at least one", f"{array.shape}", "reshape the points")
        if self.dimension not in (None, array.shape[1]):
            refuse(
                f"points in {self.dimension} dimensions",
                f"{array.shape[1]} dimensions",
                "match the points to the network",
            )
        if not np.isfinite(array).all():
            refuse("finite coordinates", "NaN or infinity", "remove those points")
        return array


def recipes(plan: Plan) -> Iterator[DrawRecipe]:
    """All draw recipes of a plan."""
    yield from plan.weights
    yield from (bias for bias in plan.biases if bias is not None)
    for layer in plan.layers:
        if isinstance(layer, Neurons):
            yield from (draw.recipe for draw in layer.draws)
        else:
            yield layer.weight
            if layer.bias is not None:
                yield layer.bias


def _layer(
    data: Any, where: str, first: bool, parameters: tuple[str, ...], dimension: int | None
) -> Dense | Neurons:
    kind = data.get("kind") if isinstance(data, Mapping) else None
    if kind == "dense":
        return _dense(data, where, first, parameters, dimension)
    if kind == "neurons" and first:
        return _neurons(data, where, parameters, dimension)
    expected = "kind 'dense' or, in the first layer, 'neurons'"
    raise SpecificationError(
        expected=f"{expected} in {where}", came=f"{kind!r}", remedy="use a known kind of layer"
    )


def _dense(
    data: Mapping[str, Any],
    where: str,
    first: bool,
    parameters: tuple[str, ...],
    dimension: int | None,
) -> Dense:
    keys = ("kind", "width", "weight", "bias", "activation", "locals")
    layer = read_record(data, where, keys)
    texts = layer["locals"]
    if not isinstance(texts, Mapping) or (texts and not first):
        refuse(
            f"{where}.locals as an object, empty except in the first layer",
            f"{texts!r}",
            "move the local names to the first layer",
        )
    names = read_names(list(texts), f"{where}.locals", taken=parameters)
    reserved = (*parameters, "norm2", "d")
    definitions = tuple(
        (name, read_expression(texts[name], reserved, f"{where}.locals.{name}")) for name in names
    )
    weight = _recipe(layer["weight"], f"{where}.weight", parameters)
    events = len(weight.components)
    if events > 1 and not (first and dimension == events):
        refuse(
            f"in {where} a scalar weight, or a row of as many components as the dimension",
            f"{events} components at dimension {dimension}",
            "fix the dimension of the plan to that of the vector density",
        )
    bias = layer["bias"]
    return Dense(
        width=read_expression(layer["width"], parameters, f"{where}.width"),
        weight=weight,
        bias=None if bias is None else _scalar(bias, f"{where}.bias", parameters),
        activation=read_expression(
            layer["activation"], (*parameters, *names, "z"), f"{where}.activation"
        ),
        locals=definitions,
    )


def _neurons(
    data: Mapping[str, Any], where: str, parameters: tuple[str, ...], dimension: int | None
) -> Neurons:
    layer = read_record(data, where, ("kind", "width", "inputs", "draws", "neuron"))
    inputs = read_names(layer["inputs"], f"{where}.inputs", taken=parameters)
    if len(inputs) != dimension:
        refuse(
            f"as many inputs in {where} as the dimension of the plan",
            f"{len(inputs)} inputs at dimension {dimension}",
            "set dimension to the number of inputs",
        )
    taken = [*parameters, *inputs]
    draws = []
    for index, item in enumerate(read_list(layer["draws"], f"{where}.draws", least=0)):
        here = f"{where}.draws[{index}]"
        record = read_record(item, here, ("names", "draw"))
        names = read_names(record["names"], f"{here}.names", taken=taken)
        taken.extend(names)
        recipe = _recipe(record["draw"], f"{here}.draw", parameters)
        if len(recipe.components) not in (1, len(names)) or not names:
            refuse(
                f"one component, or one for each name, in {here}",
                f"{len(recipe.components)} components for {len(names)} names",
                "match the names to the density",
            )
        draws.append(NamedDraw(names=names, recipe=recipe))
    return Neurons(
        width=read_expression(layer["width"], parameters, f"{where}.width"),
        inputs=inputs,
        draws=tuple(draws),
        neuron=read_expression(layer["neuron"], taken, f"{where}.neuron"),
    )


def _recipe(data: Any, where: str, parameters: tuple[str, ...]) -> DrawRecipe:
    record = read_record(data, where, ("normals", "uniforms", "components"))
    normals = read_count(record["normals"], f"{where}.normals", least=0)
    uniforms = read_count(record["uniforms"], f"{where}.uniforms", least=0)
    if normals + uniforms > _MAX_PRIMITIVES:
        refuse(
            f"at most {_MAX_PRIMITIVES} primitives in {where}",
            f"{normals + uniforms}",
            "draw the density with fewer primitives",
        )
    texts = read_list(record["components"], f"{where}.components", least=1)
    empty = DrawRecipe(normals=normals, uniforms=uniforms, components=())
    names = (*parameters, *empty.names)
    components = tuple(
        read_expression(text, names, f"{where}.components[{index}]")
        for index, text in enumerate(texts)
    )
    return DrawRecipe(normals=normals, uniforms=uniforms, components=components)


def _scalar(data: Any, where: str, parameters: tuple[str, ...]) -> DrawRecipe:
    recipe = _recipe(data, where, parameters)
    if len(recipe.components) != 1:
        refuse(f"one component in {where}", f"{len(recipe.components)}", "use a scalar density")
    return recipe
