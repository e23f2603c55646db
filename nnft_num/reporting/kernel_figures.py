"""Figures of kernels: heat maps over points, and curves over the angle between two points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from nnft_num.reporting.figures import COLOURS, LINES, style
from nnft_sym.language.errors import SpecificationError

if TYPE_CHECKING:
    from nnft_sym.correlators import Correlator

__all__ = ["plot_angles", "plot_heat_map"]


def plot_heat_map(
    kernel: Correlator,
    X: ArrayLike,
    ax: Any = None,
    *,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> Any:
    """Heat map of a kernel over points, one row and column for each.

    Parameters
    ----------
    kernel : Correlator
        Of order 2: K or the tangent kernel; of output 0 where there are several.
    X : array_like, shape (n, d)
        Points.
    ax : matplotlib.axes.Axes, optional
        Where; a new figure if not given.
    params, **values
        Values of the free parameters, by mapping or keyword.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    SpecificationError
        For a correlator of another order, impossible points or parameters.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> from matplotlib.figure import Figure
    >>> axes = plot_heat_map(nn.kernel(nn.cos_net()), [-1.0, 0.0, 1.0], Figure().subplots(),
    ...                      sigma_w=1, sigma_v=1)
    >>> axes.images[0].get_array().shape
    (3, 3)
    """
    _second(kernel)
    matrix = kernel.tensor(X, outputs=(0, 0), params=params, **values)
    with style():
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.subplots(figsize=(3.8, 3.2), layout="constrained")[1]
        image = ax.imshow(matrix, interpolation="nearest", cmap="cividis")
        ax.figure.colorbar(image, ax=ax, label=_name(kernel))
        ax.set(xlabel="point", ylabel="point", title=kernel.networks[0].name)
    return ax


def plot_angles(
    kernels: Correlator | Sequence[Correlator],
    radius: float = 1.0,
    ax: Any = None,
    *,
    angles: int = 61,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> Any:
    """Kernels against the angle between two points of one norm in the plane.

    Parameters
    ----------
    kernels : Correlator or sequence of Correlator
        Of order 2, with the same parameters.
    radius : float
        |x|: norm of both points.
    ax : matplotlib.axes.Axes, optional
        Where; a new figure if not given.
    angles : int
        Number of angles from 0 to π.
    params, **values
        Values of the free parameters; each kernel takes those that it has.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    SpecificationError
        For a correlator of another order, impossible points or parameters.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> from matplotlib.figure import Figure
    >>> axes = plot_angles(nn.kernel(nn.relu_net()), ax=Figure().subplots(),
    ...                    sigma_w=1, sigma_b=0, sigma_v=1)
    >>> curve = axes.lines[0].get_ydata()
    >>> [round(float(value), 12) for value in (curve[0], curve[-1])]
    [0.25, 0.0]
    """
    listed = (kernels,) if not isinstance(kernels, Sequence) else tuple(kernels)
    theta = np.linspace(0.0, np.pi, angles)
    X = radius * np.stack([np.cos(theta), np.sin(theta)], axis=1)
    pairs = np.stack([np.zeros(angles, dtype=int), np.arange(angles)], axis=1)
    given = {**(params or {}), **values}
    with style():
        if ax is None:
            from matplotlib import pyplot

            ax = pyplot.subplots(figsize=(4.2, 3.0), layout="constrained")[1]
        for number, kernel in enumerate(listed):
            _second(kernel)
            known = set(kernel.parameters).union(*(net.parameters for net in kernel.networks))
            own = {name: value for name, value in given.items() if name in known}
            curve = kernel.entries(X, pairs, params=own)
            ax.plot(
                theta,
                curve,
                color=COLOURS[number % len(COLOURS)],
                linestyle=LINES[number % len(LINES)],
                label=f"{_name(kernel)}, {kernel.networks[0].name}",
            )
        ax.set(xlabel=r"angle $\vartheta$", ylabel="kernel", title=rf"$|x| = {radius:g}$")
        ax.set_xticks([0, np.pi / 2, np.pi], labels=["0", r"$\pi/2$", r"$\pi$"])
        ax.legend()
    return ax


def _name(kernel: Correlator) -> str:
    return f"${kernel.name}$"


def _second(kernel: Correlator) -> None:
    if kernel.order != 2:
        raise SpecificationError(
            expected="a kernel: a correlator of order 2",
            came=f"order {kernel.order}",
            remedy="use nn.kernel, nn.ntk or nn.cumulant(net, 2)",
        )
