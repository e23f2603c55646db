"""Layers whose activation takes its argument as an angle alone, as in cos(z), with z in half turns.

Weights and biases are divided by pi as they are drawn.  The functions of the activation then find
the nearest whole number by sums, where a division by pi in two parts would take products.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nnft_num.machine.functions import SINGLE, cos_half_turns, sin_half_turns
from nnft_num.plans.layers import Dense, DrawRecipe
from nnft_sym.language import Call, Expression, Name, Number

__all__ = ["HALF_TURNS", "in_half_turns", "is_angle"]

HALF_TURNS: Mapping[str, Any] = {**SINGLE, "cos": cos_half_turns, "sin": sin_half_turns}
"""Functions of activations that are given z in half turns."""

_PER_PI = Number(1 / math.pi)
_Z = Name("z")


def is_angle(activation: Expression) -> bool:
    """Whether z occurs, and only as the whole argument of sines and cosines.

    Examples
    --------
    >>> from nnft_sym.language import parse
    >>> [is_angle(parse(text)) for text in ("1 + cos(z)*sin(z)", "cos(2*z)", "z*sin(z)", "d")]
    [True, False, False, False]
    """
    return "z" in activation.names and _only_angle(activation)


def _only_angle(part: Expression) -> bool:
    if not isinstance(part, Call):
        return part != _Z
    if part.function in ("sin", "cos") and part.arguments == (_Z,):
        return True
    return all(map(_only_angle, part.arguments))


def in_half_turns(layer: Dense) -> Dense:
    """Divide the weights and biases of a layer by pi.

    Examples
    --------
    >>> from nnft_sym.language import parse
    >>> recipe = DrawRecipe(normals=1, uniforms=0, components=(parse("g_1*sigma_w"),))
    >>> layer = Dense(
    ...     width=parse("N"), weight=recipe, bias=None, activation=parse("cos(z)"), locals=()
    ... )
    >>> in_half_turns(layer).weight.components
    (parse('g_1*(sigma_w*0.3183098861837907)'),)
    """
    bias = None if layer.bias is None else _divided(layer.bias)
    return replace(layer, weight=_divided(layer.weight), bias=bias)


def _divided(recipe: DrawRecipe) -> DrawRecipe:
    drawn = set(recipe.names)
    return replace(recipe, components=tuple(_scaled(part, drawn) for part in recipe.components))


def _scaled(part: Expression, drawn: set[str]) -> Expression:
    """Product with 1/pi, taken into a factor that is the same for all draws."""
    if isinstance(part, Call) and part.function == "*":
        one, other = part.arguments
        if other.names.isdisjoint(drawn):
            return Call("*", (one, Call("*", (other, _PER_PI))))
    return Call("*", (part, _PER_PI))
