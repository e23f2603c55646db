"""Panels of the real line on each of which a function is a resolved smooth one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from nnft_sym.expectation.cubature.panels import gauss
from nnft_sym.expectation.cubature.reach import PointFunction

__all__ = ["Chart", "draw_chart"]

Floats = NDArray[np.float64]

_NODES = 16
# A panel is resolved when its interpolant errs by less than this of its largest value.
_RESOLVED = 1e-11
_PANELS = 1500
_SPLIT = 0.4877


@dataclass(frozen=True, kw_only=True, eq=False)
class Chart:
    """Boundaries of the panels of one function.

    Parameters
    ----------
    breaks : ndarray, shape (m,)
        Sorted inner boundaries, the kinks among them.
    finest : float
        Length of the shortest panel that a smooth function needed.
    """

    breaks: Floats
    finest: float


def draw_chart(phi: PointFunction, point: int, thresholds: Floats, span: float) -> Chart:
    r"""Divide \|z\| <= span so that polynomials of degree 15 resolve phi on every panel.

    A first division is probed at random-like points besides the nodes, so that narrow features
    are seen down to about a thousandth of the span, and finer ones near zero and near the kinks.

    Parameters
    ----------
    phi : callable
        Function phi(z, a).
    point : int
        a: the point whose function it is.
    thresholds : ndarray
        Kinks of phi.
    span : float
        Half-width of the range.

    Examples
    --------
    >>> draw_chart(lambda z, a: np.abs(z - 1.0), 0, np.array([1.0]), 9.0).breaks.tolist()
    [1.0]
    """
    if not span > 0:
        return Chart(breaks=np.zeros(0), finest=np.inf)
    kinks = np.unique(thresholds[np.abs(thresholds) < span])
    edges = np.concatenate([[-span], kinks, [span]])
    rule = gauss(_NODES)
    nodes = rule.nodes
    # Interpolation from the nodes to the probes and the Legendre coefficients at once.
    inverse = np.linalg.inv(legvander(2 * nodes - 1, _NODES - 1))
    label = np.array(point)
    with np.errstate(all="ignore"):
        centre = np.nanmax(np.abs(phi(np.linspace(-1.0, 1.0, 65) * min(span, span / 8), label)))
    probes = _probes(kinks, span)
    with np.errstate(all="ignore"):
        probed = phi(probes, label)
    low, high = edges[:-1], edges[1:]
    done: list[Floats] = []
    finest = np.inf
    count = 0
    while low.size and count < _PANELS:
        length = high - low
        with np.errstate(all="ignore"):
            values = phi(low[:, None] + length[:, None] * nodes, label)
            series = values @ inverse.T
            size = np.max(np.abs(values), axis=1)
            tail = np.abs(series[:, -2:]).sum(axis=1)
            missed = _missed(probes, probed, low, high, series)
            allowed = _RESOLVED * size + 1e-16 * centre
            coarse = np.maximum(tail, missed) > allowed
        coarse &= (length > 1e-13 * span) & np.isfinite(size)
        coarse &= length > 1e-12 * np.maximum(np.abs(low), np.abs(high))
        done.append(low[~coarse])
        if np.any(coarse):
            finest = min(finest, float(length[coarse].min()) * _SPLIT)
        # Off the middle, so that a step is not lost between two panels of a symmetric range.
        middle = low[coarse] + _SPLIT * length[coarse]
        low, high = (
            np.concatenate([low[coarse], middle]),
            np.concatenate([middle, high[coarse]]),
        )
        count += len(low)
    breaks = np.unique(np.concatenate([*done, low]))
    return Chart(breaks=breaks[breaks > -span], finest=finest)


def _probes(kinks: Floats, span: float) -> Floats:
    """Points off any regular grid: evenly over the range, and denser towards 0 and the kinks."""
    golden = 0.6180339887498949
    even = (2 * ((np.arange(2000) * golden) % 1.0) - 1) * span
    centres = np.unique(np.concatenate([[0.0], kinks]))[:32]
    steps = span * 10.0 ** (-13 * ((np.arange(130) * golden) % 1.0))
    near = centres[:, None] + np.concatenate([steps, -steps])
    points = np.concatenate([even, near.ravel()])
    return np.sort(points[np.abs(points) < span])


def _missed(probes: Floats, probed: Floats, low: Floats, high: Floats, series: Floats) -> Floats:
    """Largest difference between each panel's interpolant and the probes in it."""
    order = np.argsort(low)
    slot = np.searchsorted(low[order], probes, side="right") - 1
    inside = slot >= 0
    panel = order[np.maximum(slot, 0)]
    inside &= (probes > low[panel]) & (probes < high[panel]) & np.isfinite(probed)
    panel, at, value = panel[inside], probes[inside], probed[inside]
    local = 2 * (at - low[panel]) / (high[panel] - low[panel]) - 1
    difference = np.abs(np.sum(legvander(local, _NODES - 1) * series[panel], axis=1) - value)
    missed = np.zeros(len(low))
    np.maximum.at(missed, panel, np.nan_to_num(difference))
    return missed
