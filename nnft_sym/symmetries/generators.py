"""The generators of a group as they act on the inputs or the outputs of a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from nnft_sym.group_theory.group import Group
from nnft_sym.group_theory.representations import Representation
from nnft_sym.group_theory.transformations import AffineMap, VectorField
from nnft_sym.language.errors import SpecificationError
from nnft_sym.networks import Network

__all__ = ["ActingGenerator", "acting", "acting_on"]

FLOW_TIME = 2 * np.arctan(0.5)
"""Time for which flows are followed: rotations then have the cosine 3/5."""


@dataclass(frozen=True, kw_only=True)
class ActingGenerator:
    """One generator with the way it is called.

    Parameters
    ----------
    label : str
        LaTeX, by number: v_1, v_2, ... for the fields and g_1, g_2, ... for finite generators.
    map : VectorField or AffineMap
        What it does to R^n.
    """

    label: str
    map: VectorField | AffineMap

    @property
    def is_flow(self) -> bool:
        """Whether it is infinitesimal."""
        return isinstance(self.map, VectorField)

    @property
    def is_affine(self) -> bool:
        """Whether it is x → Gx + t or v(x) = Ax + t."""
        return isinstance(self.map, AffineMap) or self.map.is_affine

    @property
    def matrix(self) -> sp.ImmutableMatrix:
        """G or A."""
        return self.map.matrix

    @property
    def shift(self) -> tuple[sp.Expr, ...]:
        """The components of t."""
        assert self.map.shift is not None
        return tuple(self.map.shift)

    @property
    def name(self) -> str:
        """The label as plain text, v_1."""
        return self.label.replace("{", "").replace("}", "")

    def latex(self) -> str:
        """Name and action."""
        sign = "=" if self.is_flow else ":"
        return f"{self.label} {sign} {self.map.latex()}"

    def element(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows of points moved by the generator, along a flow for the time 2 arctan(1/2)."""
        if isinstance(self.map, AffineMap):
            matrix = np.array(self.matrix.tolist(), dtype=float)
            return np.asarray(X @ matrix.T + np.array(self.shift, dtype=float))
        n = self.map.dimension
        if self.map.is_affine:
            whole = np.zeros((n + 1, n + 1))
            whole[:n, :n] = np.array(self.matrix.tolist(), dtype=float)
            whole[:n, n] = np.array(self.shift, dtype=float)
            moved = expm(FLOW_TIME * whole)
            return np.asarray(X @ moved[:n, :n].T + moved[:n, n])
        velocity = sp.lambdify(list(self.map.coordinates), list(self.map.components), "numpy")
        # A short time: quadratic flows leave R^n in a finite one.
        paths = [
            solve_ivp(lambda _, x: velocity(*x), (0, FLOW_TIME / 4), row, rtol=1e-12, atol=1e-13).y[
                :, -1
            ]
            for row in X
        ]
        return np.array(paths)


def acting(group: Group, representation: Representation | None) -> tuple[ActingGenerator, ...]:
    """Name the generators, in the group's own action or in a representation of it.

    Raises
    ------
    SpecificationError
        If the representation is of another group.

    Examples
    --------
    >>> from nnft_sym.groups import O
    >>> [generator.label for generator in acting(O(2), None)]
    ['v_{1}', 'g_{1}']
    """
    if representation is None:
        fields, finite = group.fields, group.finite
    else:
        _require_representation(group, representation)
        fields = tuple(VectorField.linear(matrix) for matrix in representation.algebra)
        finite = tuple(AffineMap(matrix=matrix) for matrix in representation.finite)
    return (
        *(ActingGenerator(label=f"v_{{{i}}}", map=v) for i, v in enumerate(fields, 1)),
        *(ActingGenerator(label=f"g_{{{i}}}", map=g) for i, g in enumerate(finite, 1)),
    )


def acting_on(
    net: Network, group: Group, on: str, representation: Representation | None
) -> tuple[ActingGenerator, ...]:
    """The generators on the inputs or the outputs of a network, their dimension checked.

    Raises
    ------
    SpecificationError
        For a side that is none, or a group that acts on another space.

    Examples
    --------
    >>> from nnft_sym.groups import O
    >>> from nnft_sym.literature import erf_net
    >>> len(acting_on(erf_net(outputs=2), O(2), "output", None))
    2
    """
    if on not in ("input", "output"):
        raise SpecificationError(
            expected='on="input" or on="output"', came=f"on={on!r}", remedy="say where it acts"
        )
    if representation is not None:
        _require_representation(group, representation)
    size = group.dimension if representation is None else representation.dimension
    wanted = net.dimension if on == "input" else net.outputs
    if wanted not in (None, size):
        raise SpecificationError(
            expected=f"an action on the {wanted} {on}s of {net.name}",
            came=f"{group.name} acting on R^{size}",
            remedy=f"match the group to the {on}s, or pass representation= of dimension {wanted}",
        )
    return acting(group, representation)


def _require_representation(group: Group, representation: object) -> None:
    if not isinstance(representation, Representation) or representation.group != group:
        raise SpecificationError(
            expected=f"a representation of {group.name}",
            came=f"{representation!r}",
            remedy="make it with nn.defining(group), sums and products of them, or "
            "nn.Representation(group, ...)",
        )
