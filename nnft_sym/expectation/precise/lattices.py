"""Moments in one and two dimensions to many digits, by sums over lattices and panels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mpmath

from nnft_sym.expectation.precise.reaching import reach
from nnft_sym.language.errors import AccuracyError

__all__ = ["lattice_moment", "panel_moment"]

_BUDGET = {1: 40_000, 2: 400_000}
"""Values of φ that are affordable (about 10 s)."""
_FINER = 1.4


def lattice_moment(
    phi: Callable[[Any], Any], vectors: Sequence[Sequence[Any]], counts: Sequence[int]
) -> mpmath.mpf:
    r"""E[∏_a φ(v_a·g)^{m_a}] of a smooth φ by the trapezoidal rule in one or two dimensions.

    .. math:: h^r (2\pi)^{-r/2} \sum_{g \in h Z^r} e^{-|g|^2/2} \prod_a \phi(v_a \cdot g)^{m_a}

    For analytic functions the error is exp(-c/h): a spacing smaller by 1.4 takes it to its power
    1.4, and the sum is taken once what it changes is below the power 0.7 of the precision.

    Parameters
    ----------
    phi : callable
        φ of one of mpmath's numbers.
    vectors : sequence of sequence of mpf
        v: one vector for each distinct point, of length r = 1 or 2.
    counts : sequence of int
        m: how often each point occurs.

    Raises
    ------
    AccuracyError
        If more nodes are needed than can be afforded.

    Examples
    --------
    >>> one = mpmath.mpf(1)
    >>> mpmath.nstr(lattice_moment(mpmath.tanh, [[one]], [2]), 12)
    '0.394294490398'
    """
    rank = len(vectors[0])
    lengths = [mpmath.sqrt(sum(x * x for x in v)) for v in vectors]
    radius = reach(phi, max(lengths), sum(counts))
    small = mpmath.mpf(10) ** (-0.72 * mpmath.mp.dps)
    step, before = 1.0, None
    while len(vectors) * (math.pi / 2 * radius / step) ** rank < _BUDGET[rank]:
        now, size = _lattice(phi, vectors, counts, radius, step)
        if before is not None and abs(now - before) <= small * size:
            return now
        step, before = step / _FINER, now
    raise AccuracyError(
        expected=f"an integral in {rank} dimensions to {mpmath.mp.dps} digits",
        came=f"a function that needs steps below {step:.2g} standard deviations",
        remedy="ask for fewer digits, or use smaller variances",
    )


def _lattice(
    phi: Callable[[Any], Any],
    vectors: Sequence[Sequence[Any]],
    counts: Sequence[int],
    radius: float,
    step: float,
) -> tuple[mpmath.mpf, mpmath.mpf]:
    """The sum, and that of the absolute values."""
    h = mpmath.mpf(step)
    half = int(radius / step)
    nodes = [h * i for i in range(-half, half + 1)]
    weights = [h * mpmath.npdf(x) for x in nodes]
    inner = list(zip(nodes, weights, strict=True)) if len(vectors[0]) == 2 else [(h * 0, h / h)]
    # Points that do not depend on the second axis are the same all along it.
    flat = [a for a, v in enumerate(vectors) if len(v) == 1 or v[1] == 0]
    steep = [a for a in range(len(vectors)) if a not in flat]
    total, size = mpmath.mpf(0), mpmath.mpf(0)
    for x, w in zip(nodes, weights, strict=True):
        outer = w
        for a in flat:
            outer *= phi(vectors[a][0] * x) ** counts[a]
        terms = []
        for y, v in inner:
            if x * x + y * y > radius**2:
                continue
            term = v
            for a in steep:
                term *= phi(vectors[a][0] * x + vectors[a][1] * y) ** counts[a]
            terms.append(term)
        total += outer * mpmath.fsum(terms)
        size += abs(outer) * mpmath.fsum(terms, absolute=True)
    return total, size


def panel_moment(
    phi: Callable[[Any], Any],
    scales: Sequence[Any],
    counts: Sequence[int],
    thresholds: Sequence[Any],
) -> mpmath.mpf:
    """E[∏_a φ(v_a g)^{m_a}] of collinear points, split where φ has kinks.

    Parameters
    ----------
    phi : callable
        φ of one of mpmath's numbers.
    scales, counts : sequence
        v and m of each distinct point.
    thresholds : sequence of mpf
        The kinks of φ.

    Raises
    ------
    AccuracyError
        If the quadrature does not converge.

    Examples
    --------
    >>> one = mpmath.mpf(1)
    >>> abs(panel_moment(abs, [one], [2], [mpmath.mpf(0)]) - 1) < 1e-14
    True
    """
    radius = reach(phi, max(abs(v) for v in scales), sum(counts))
    inside = {t / v for t in thresholds for v in scales if abs(t / v) < radius}
    edges = sorted(
        {mpmath.mpf(-radius), mpmath.mpf(radius), *inside, *map(mpmath.mpf, range(-6, 7))}
    )

    def integrand(g: Any) -> Any:
        return mpmath.npdf(g) * mpmath.fprod(
            phi(v * g) ** m for v, m in zip(scales, counts, strict=True)
        )

    value, error = mpmath.quad(integrand, edges, error=True)
    if error > mpmath.mpf(10) ** (6 - mpmath.mp.dps) * (abs(value) + 1):
        raise AccuracyError(
            expected=f"an integral to {mpmath.mp.dps} digits",
            came=f"one known to {mpmath.nstr(error, 2)}",
            remedy="ask for fewer digits",
        )
    return value
