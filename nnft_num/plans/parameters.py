"""All parameters of sampled networks as arrays: one row for each network, cut into blocks.

The blocks of a network follow each other in a row: for each hidden layer l the weights ``W_l`` of
shape (n_l, fan_in) and biases ``b_l`` of shape (n_l,), or for neurons h(x; θ) the array ``theta``
of shape (N, parameters of one neuron); then the readout ``a`` of shape (D, n_L) and its biases
``c`` of shape (D,), zero where an output has none.  Entries are those of z = W h/√fan_in + b.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.plans.layers import Dense
from nnft_num.plans.plan import Plan
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = ["Parameters", "block_shapes"]


def block_shapes(plan: Plan, widths: Sequence[int], dimension: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the blocks of one network, in their order.

    Parameters
    ----------
    plan : Plan
        The network.
    widths : sequence of int
        Widths of the hidden layers.
    dimension : int
        d: dimension of the inputs.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    fan_in = dimension
    for number, (layer, width) in enumerate(zip(plan.layers, widths, strict=True), start=1):
        if isinstance(layer, Dense):
            shapes[f"W_{number}"] = (width, fan_in)
            if layer.bias is not None:
                shapes[f"b_{number}"] = (width,)
        else:
            shapes["theta"] = (width, sum(len(draw.names) for draw in layer.draws))
        fan_in = width
    shapes["a"] = (plan.outputs, fan_in)
    shapes["c"] = (plan.outputs,)
    return shapes


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameters(Shown):
    """Parameters of several networks; ``parameters["W_1"]`` is a view, networks first.

    Parameters
    ----------
    table : ndarray, shape (networks, parameters of one network)
        One row for each network.
    shapes : mapping of str to tuple of int
        Shapes of the blocks, in their order in a row.

    Raises
    ------
    SpecificationError
        If the blocks do not fill a row.

    Examples
    --------
    >>> two = Parameters(table=np.arange(6.0).reshape(2, 3), shapes={"a": (1, 2), "c": (1,)})
    >>> two["a"].shape, two.replace(c=[[7.0], [8.0]]).table[:, 2].tolist()
    ((2, 1, 2), [7.0, 8.0])
    """

    table: NDArray[np.float64]
    shapes: Mapping[str, tuple[int, ...]]

    def __post_init__(self) -> None:
        size = sum(prod(shape) for shape in self.shapes.values())
        if self.table.ndim != 2 or self.table.shape[1] != size:
            raise SpecificationError(
                expected=f"rows of {size} parameters",
                came=f"an array of shape {self.table.shape}",
                remedy="draw them with nm.draw_parameters",
            )

    @property
    def networks(self) -> int:
        """Number of networks."""
        return len(self.table)

    @cached_property
    def _slices(self) -> dict[str, slice]:
        slices, start = {}, 0
        for name, shape in self.shapes.items():
            slices[name] = slice(start, start + prod(shape))
            start += prod(shape)
        return slices

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in self.shapes:
            raise SpecificationError(
                expected=f"a block out of {', '.join(self.shapes)}",
                came=f"{name!r}",
                remedy="W_1 are the weights of the first layer, a those of the readout",
            )
        return self.table[:, self._slices[name]].reshape(-1, *self.shapes[name])

    def replace(self, **blocks: ArrayLike) -> Parameters:
        """Return parameters with some blocks replaced, networks first.

        Raises
        ------
        SpecificationError
            If a block is unknown or has another shape.
        """
        table = self.table.copy()
        for name, values in blocks.items():
            own, array = self[name], np.asarray(values, dtype=np.float64)
            if array.shape != own.shape:
                raise SpecificationError(
                    expected=f"{name} of shape {own.shape}",
                    came=f"{array.shape}",
                    remedy="put the networks first",
                )
            table[:, self._slices[name]] = array.reshape(len(table), -1)
        return Parameters(table=table, shapes=self.shapes)

    def _table(self) -> Table:
        rows = []
        for name, shape in self.shapes.items():
            own = self[name]
            spread = (f"{own.mean():.4g}", f"{own.std():.4g}") if own.size else ("", "")
            rows.append((name, " × ".join(map(str, shape)), *spread))
        return Table(
            title=f"Parameters of {self.networks} networks",
            header=("block", "shape", "mean", "deviation"),
            rows=tuple(rows),
        )

    def __repr__(self) -> str:
        size = f"{self.table.shape[1]} numbers each in {len(self.shapes)} blocks"
        return f"Parameters({self.networks} networks, {size})"
