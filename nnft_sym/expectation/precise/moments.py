"""The moment of φ at a few points to the working precision, by the first way there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import sympy as sp

from nnft_sym.activations import VARIANCE, Z
from nnft_sym.expectation.closed import closed_form
from nnft_sym.expectation.cubature.kinks import find_kinks
from nnft_sym.expectation.evaluators.error_functions import scaled_erf
from nnft_sym.expectation.evaluators.homogeneous import read_sides
from nnft_sym.expectation.precise.closed import evaluated, function_of
from nnft_sym.expectation.precise.fours import of_error_functions, of_sides
from nnft_sym.expectation.precise.gram import Matrix, PreciseGram, Support
from nnft_sym.expectation.precise.lattices import lattice_moment, panel_moment
from nnft_sym.expectation.precise.numbers import number
from nnft_sym.expectation.precise.series import mehler_moments
from nnft_sym.language.errors import AccuracyError, NotDerivedError

__all__ = ["precise_moments"]


def precise_moments(
    phi: sp.Expr, gram: PreciseGram, rows: Sequence[Sequence[int]]
) -> list[mpmath.mpf]:
    """E[φ(z_a) φ(z_b) ...] at rows of points.

    Parameters
    ----------
    phi : sympy.Expr
        φ in z (and k = K_aa, for normalised activations with closed forms).
    gram : PreciseGram
        Covariances of z.
    rows : sequence of sequence of int
        Points of each moment.

    Raises
    ------
    AccuracyError
        Where no way to many digits is known.
    InfiniteMomentError
        If a moment is infinite.
    """
    found: list[Any] = [None] * len(rows)
    pairs: dict[int, tuple[Any, Any, Any]] = {}
    at_zero = phi.xreplace({Z: sp.S.Zero, VARIANCE: sp.S.Zero})
    fixed = number(at_zero) if at_zero.is_finite else mpmath.mpf(0)
    for i, row in enumerate(rows):
        support = gram.support(row)
        order = len(support.slots)
        factor = fixed**support.fixed
        if order == 0:
            found[i] = factor
            continue
        K, D = support.spread()
        value = _closed(phi, K, D, order)
        if value is None:
            pair = _smooth_pair(phi, support)
            if pair is not None and support.fixed == 0:
                pairs[i] = pair
                continue
            value = _integrated(phi, support)
        found[i] = factor * value
    if pairs:
        values = mehler_moments(function_of((Z,), phi), list(pairs.values()))
        for i, value in zip(pairs, values, strict=True):
            found[i] = value
    return found


def _closed(phi: sp.Expr, K: Matrix, D: Matrix, order: int) -> mpmath.mpf | None:
    form = closed_form((phi,) * order)
    if form is not None:
        try:
            return evaluated(form, K, D)
        except NotDerivedError:
            return None
    if order not in (3, 4) or phi.has(VARIANCE):
        return None
    if scaled_erf(phi) is not None:
        offset, rest = sp.expand(phi).as_independent(Z, as_Add=True)
        amplitude, erf = rest.as_independent(Z, as_Add=False)
        slope = sp.cancel(erf.args[0] / Z)
        return of_error_functions(number(offset), number(amplitude), number(slope), K)
    sides = read_sides(phi)
    if sides is None:
        return None
    t = sp.Symbol("t", positive=True)
    up, down = (number(sp.cancel(phi.subs(Z, value) / t**sides.degree)) for value in (t, -t))
    return of_sides(sides.degree, (up + down) / 2, (up - down) / 2, K, D)


def _smooth_pair(phi: sp.Expr, support: Support) -> tuple[Any, Any, Any] | None:
    """Standard deviations and correlation of two different points of a smooth function."""
    if len(support.K) != 2 or len(support.slots) != 2 or _kinks(phi):
        return None
    s, t = (mpmath.sqrt(support.K[a][a]) for a in (0, 1))
    rho = support.K[0][1] / (s * t)
    return s, t, mpmath.sign(rho) if support.D[0][1] == 0 else rho


def _integrated(phi: sp.Expr, support: Support) -> mpmath.mpf:
    if phi.has(VARIANCE):
        raise _refused("a normalised activation without a closed form")
    vectors = support.vectors()
    rank = len(vectors[0])
    kinks = _kinks(phi)
    counts = Counter(support.slots)
    multiplicity = [counts[a] for a in range(len(vectors))]
    function: Callable[[Any], Any] = function_of((Z,), phi)
    if rank == 1 and kinks:
        scales = [v[0] for v in vectors]
        return panel_moment(function, scales, multiplicity, [number(t) for t in kinks])
    if rank <= 2 and not kinks:
        return lattice_moment(function, vectors, multiplicity)
    raise _refused(
        f"{len(support.slots)} points of rank {rank} of "
        + (f"{phi}, which has kinks" if kinks else f"{phi}")
    )


def _kinks(phi: sp.Expr) -> tuple[sp.Expr, ...]:
    thresholds = find_kinks(phi.xreplace({VARIANCE: sp.Integer(1)})).thresholds
    return tuple(sp.Rational(t) if float(t).is_integer() else sp.nsimplify(t) for t in thresholds)


def _refused(came: str) -> AccuracyError:
    return AccuracyError(
        expected="a closed form, three or four points of an error function or of a function with "
        "a kink at zero, or a smooth function at rank 1 or 2, for more digits than doubles have",
        came=came,
        remedy="evaluate without precision=, which bounds its error in doubles",
    )
