r"""Few coordinates of a vector that is uniform on a sphere: what a neuron sees of it.

The projection of the unit sphere in n dimensions on r of them is r coordinates of density
∝ (1 - t²)^{(n-r)/2 - 1}; a ball is the projection of the sphere with two dimensions more.
"""

from __future__ import annotations

import sympy as sp

from nnft_sym.expectation.parameter_space.events import Axis, Event

__all__ = ["projected_sphere"]


def projected_sphere(names: tuple[sp.Symbol, ...], n: int, radius: sp.Expr) -> Event | None:
    """Event of one or two coordinates of a point on a sphere in n dimensions; None for more.

    Parameters
    ----------
    names : tuple of sympy.Symbol
        The coordinates.
    n : int
        Dimension of the space.
    radius : sympy.Expr
        Radius of the sphere.

    Examples
    --------
    >>> event = projected_sphere((sp.Symbol("t", real=True),), 3, sp.Integer(1))
    >>> sp.integrate(event.weight, (event.axes[0].symbol, 0, sp.pi))
    1
    """
    polar, azimuth = sp.Symbol("polar", real=True), sp.Symbol("azimuth", real=True)
    half = sp.Rational(1, 2)
    circle = Axis(symbol=azimuth, low=-sp.pi, high=sp.pi)
    if len(names) == 1 and n == 1:
        return Event(names=names, atoms=(((-radius,), half), ((radius,), half)))
    if len(names) == 1:
        normal = sp.gamma(sp.Rational(n, 2)) / (sp.sqrt(sp.pi) * sp.gamma(sp.Rational(n - 1, 2)))
        return Event(
            names=names,
            values=(radius * sp.cos(polar),),
            weight=normal * sp.sin(polar) ** (n - 2),
            axes=(Axis(symbol=polar, low=sp.Integer(0), high=sp.pi),),
        )
    if len(names) == 2 and n == 2:
        return Event(
            names=names,
            values=(radius * sp.cos(azimuth), radius * sp.sin(azimuth)),
            weight=1 / (2 * sp.pi),
            axes=(circle,),
        )
    if len(names) == 2:
        across = radius * sp.sin(polar)
        return Event(
            names=names,
            values=(across * sp.cos(azimuth), across * sp.sin(azimuth)),
            weight=(n - 2) / (2 * sp.pi) * sp.sin(polar) * sp.cos(polar) ** (n - 3),
            axes=(Axis(symbol=polar, low=sp.Integer(0), high=sp.pi / 2), circle),
        )
    return None
