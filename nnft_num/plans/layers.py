"""Records of what a plan draws and computes, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nnft_sym.language import Expression

__all__ = ["Dense", "DrawRecipe", "NamedDraw", "Neurons", "optional"]


@dataclass(frozen=True, kw_only=True)
class DrawRecipe:
    """One event of a density: components as expressions in primitives g_i and u_j.

    Parameters
    ----------
    normals, uniforms : int
        Numbers of standard normals g_1, g_2, ... and of uniforms u_1, u_2, ... on (0, 1).
    components : tuple of Expression
        Components of the event; one for a scalar density.
    """

    normals: int
    uniforms: int
    components: tuple[Expression, ...]

    @property
    def primitives(self) -> int:
        """Number of primitives of one event."""
        return self.normals + self.uniforms

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the primitives, normals first."""
        normals = (f"g_{i + 1}" for i in range(self.normals))
        return (*normals, *(f"u_{i + 1}" for i in range(self.uniforms)))

    def to_dict(self) -> dict[str, Any]:
        """Give the recipe as plain data."""
        components = [str(component) for component in self.components]
        return {"normals": self.normals, "uniforms": self.uniforms, "components": components}


@dataclass(frozen=True, kw_only=True)
class NamedDraw:
    """Names of neuron parameters and the recipe that draws them."""

    names: tuple[str, ...]
    recipe: DrawRecipe

    @property
    def events(self) -> int:
        """Number of independent events: one for each name, or one for a vector event."""
        return len(self.names) if len(self.recipe.components) == 1 else 1

    def to_dict(self) -> dict[str, Any]:
        """Give the draw as plain data."""
        return {"names": list(self.names), "draw": self.recipe.to_dict()}


@dataclass(frozen=True, kw_only=True)
class Dense:
    """Dense layer: activation(z) of z_i = sum_j W_ij x_j / sqrt(fan_in) + b_i."""

    width: Expression
    weight: DrawRecipe
    bias: DrawRecipe | None
    activation: Expression
    locals: tuple[tuple[str, Expression], ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the layer as plain data."""
        return {
            "kind": "dense",
            "width": str(self.width),
            "weight": self.weight.to_dict(),
            "bias": optional(self.bias),
            "activation": str(self.activation),
            "locals": {name: str(expression) for name, expression in self.locals},
        }


@dataclass(frozen=True, kw_only=True)
class Neurons:
    """First layer of i.i.d. neurons h(x; theta) given by one expression."""

    width: Expression
    inputs: tuple[str, ...]
    draws: tuple[NamedDraw, ...]
    neuron: Expression

    def to_dict(self) -> dict[str, Any]:
        """Give the layer as plain data."""
        return {
            "kind": "neurons",
            "width": str(self.width),
            "inputs": list(self.inputs),
            "draws": [draw.to_dict() for draw in self.draws],
            "neuron": str(self.neuron),
        }


def optional(recipe: DrawRecipe | None) -> dict[str, Any] | None:
    """Give a recipe that may be absent as plain data."""
    return None if recipe is None else recipe.to_dict()
