"""The plan of a tangent kernel: a network's plan, and what its gradients are made of.

With z = W h/√fan_in + b and backward signals g = ∂f/∂z, the parameters of one dense layer add

    Θ_ij(x_a, x_b) += sum_k g_k,i(a) g_k,j(b) (s_W² h(a)·h(b)/fan_in + s_b²),

where ∂f/∂θ is taken with respect to parameters of scale s: standardised ones, or, where the square
of a weight is null, the entries w = W/√fan_in themselves (s_W² = fan_in).  Slopes φ'(z), gradients
∂h/∂θ of neurons and squares s² are expressions of the little language.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.plans.layers import Dense
from nnft_num.plans.plan import Plan
from nnft_num.plans.reading import read_expression, read_json, read_list, read_record, refuse
from nnft_sym.language import Expression

__all__ = ["DenseGradient", "NeuronGradient", "TangentPlan"]

_FORMAT = "nnft-tangent/1"


@dataclass(frozen=True, kw_only=True)
class DenseGradient:
    """Slope φ'(z) of a dense layer, and the squares of the scales of its parameters.

    Parameters
    ----------
    slope : Expression
        φ' in z.
    weight : Expression or None
        s_W²; None for gradients in the entries w = W/√fan_in.
    bias : Expression or None
        s_b²; None where there is no bias.
    """

    slope: Expression
    weight: Expression | None
    bias: Expression | None

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {"slope": str(self.slope), "weight": _text(self.weight), "bias": _text(self.bias)}


@dataclass(frozen=True, kw_only=True)
class NeuronGradient:
    """Gradients ∂h/∂θ_p of neurons h(x; θ), and the squares s_p², in the order of the draws."""

    gradients: tuple[Expression, ...]
    squares: tuple[Expression, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "gradients": [str(gradient) for gradient in self.gradients],
            "squares": [str(square) for square in self.squares],
        }


@dataclass(frozen=True, kw_only=True)
class TangentPlan:
    """What to draw and to differentiate for Θ_ij(x_a, x_b); build with ``from_dict``.

    Parameters
    ----------
    network : Plan
        The plan of the network: its draws are the same as for its fields.
    layers : tuple of DenseGradient or NeuronGradient
        One for each hidden layer.
    weights, biases : tuple of (Expression or None)
        Squares of the scales of the readout: a weight's is None for gradients in a/√n_L, a bias's
        where there is none.

    Examples
    --------
    >>> normal = {"normals": 1, "uniforms": 0, "components": ["g_1"]}
    >>> layer = {"kind": "dense", "width": "N", "weight": normal, "bias": None,
    ...          "activation": "sin(z)", "locals": {}}
    >>> plan = TangentPlan.from_dict({
    ...     "format": "nnft-tangent/1",
    ...     "network": {"format": "nnft-plan/1", "parameters": ["N"], "dimension": None,
    ...                 "layers": [layer], "readout": {"weights": [normal], "biases": [None]}},
    ...     "layers": [{"slope": "cos(z)", "weight": "1", "bias": None}],
    ...     "readout": {"weights": ["1"], "biases": [None]}})
    >>> plan.statistics(3), TangentPlan.from_json(plan.to_json()) == plan
    (6, True)
    """

    network: Plan
    layers: tuple[DenseGradient | NeuronGradient, ...]
    weights: tuple[Expression | None, ...]
    biases: tuple[Expression | None, ...]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TangentPlan:
        """Validate plain data and build the plan.

        Raises
        ------
        SpecificationError
            If a key is unknown or missing, or the gradients do not match the network;
            ``LanguageError`` for a text outside the little language.
        """
        top = read_record(
            data, "the plan of a tangent kernel", ("format", "network", "layers", "readout")
        )
        if top["format"] != _FORMAT:
            refuse(f"a plan of format {_FORMAT!r}", f"{top['format']!r}", "write the plan again")
        network = Plan.from_dict(top["network"])
        listed = _as_many(top["layers"], "layers", len(network.layers))
        readout = read_record(top["readout"], "readout", ("weights", "biases"))
        weights = _as_many(readout["weights"], "readout.weights", network.outputs)
        biases = _as_many(readout["biases"], "readout.biases", network.outputs)
        return cls(
            network=network,
            layers=tuple(
                _layer(network, index, part, f"layers[{index}]")
                for index, part in enumerate(listed)
            ),
            weights=tuple(
                _square(network, weight, f"readout.weights[{j}]")
                for j, weight in enumerate(weights)
            ),
            biases=tuple(
                _bias(network, recipe is not None, bias, f"readout.biases[{j}]")
                for j, (recipe, bias) in enumerate(zip(network.biases, biases, strict=True))
            ),
        )

    @classmethod
    def from_json(cls, text: str) -> TangentPlan:
        """Read a plan from JSON text, executing nothing.

        Raises
        ------
        SpecificationError
            If the text is not JSON or not such a plan.
        """
        return cls.from_dict(read_json(text, "the plan of a tangent kernel"))

    def to_dict(self) -> dict[str, Any]:
        """Give the plan as plain data, expressions in canonical text."""
        return {
            "format": _FORMAT,
            "network": self.network.to_dict(),
            "layers": [layer.to_dict() for layer in self.layers],
            "readout": {
                "weights": [_text(weight) for weight in self.weights],
                "biases": [_text(bias) for bias in self.biases],
            },
        }

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def statistics(self, points: int) -> int:
        """Count the numbers kept of each network: distinct entries of Θ over the n D fields."""
        fields = self.network.statistics(points)
        return fields * (fields + 1) // 2

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the numbers given at run time, sorted."""
        return self.network.parameters

    def values(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Read the numbers of a run, as ``Plan.values``."""
        return self.network.values(params)

    def widths(self, params: Mapping[str, Any]) -> tuple[int, ...]:
        """Widths n_1, ..., n_L, as ``Plan.widths``."""
        return self.network.widths(params)

    def points(self, X: ArrayLike) -> NDArray[np.float64]:
        """Input points as an array (n, d), as ``Plan.points``."""
        return self.network.points(X)


def _layer(network: Plan, index: int, data: Any, where: str) -> DenseGradient | NeuronGradient:
    layer = network.layers[index]
    if isinstance(layer, Dense):
        part = read_record(data, where, ("slope", "weight", "bias"))
        names = (*network.parameters, *(name for name, _ in layer.locals), "z")
        return DenseGradient(
            slope=read_expression(part["slope"], names, f"{where}.slope"),
            weight=_square(network, part["weight"], f"{where}.weight"),
            bias=_bias(network, layer.bias is not None, part["bias"], f"{where}.bias"),
        )
    drawn = [name for draw in layer.draws for name in draw.names]
    part = read_record(data, where, ("gradients", "squares"))
    gradients = _as_many(part["gradients"], f"{where}.gradients", len(drawn))
    squares = _as_many(part["squares"], f"{where}.squares", len(drawn))
    names = (*network.parameters, *layer.inputs, *drawn)
    return NeuronGradient(
        gradients=tuple(
            read_expression(text, names, f"{where}.gradients[{p}]")
            for p, text in enumerate(gradients)
        ),
        squares=tuple(
            read_expression(text, network.parameters, f"{where}.squares[{p}]")
            for p, text in enumerate(squares)
        ),
    )


def _square(network: Plan, text: Any, where: str) -> Expression | None:
    return None if text is None else read_expression(text, network.parameters, where)


def _bias(network: Plan, present: bool, text: Any, where: str) -> Expression | None:
    if present != (text is not None):
        refuse(
            f"a square in {where} exactly where the network has a bias",
            f"{text!r}",
            "match the gradients to the network",
        )
    return _square(network, text, where)


def _as_many(data: Any, where: str, count: int) -> list[Any]:
    listed = list(read_list(data, where, least=0))
    if len(listed) != count:
        refuse(f"{count} items in {where}", f"{len(listed)}", "match the gradients to the network")
    return listed


def _text(expression: Expression | None) -> str | None:
    return None if expression is None else str(expression)
