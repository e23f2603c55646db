"""Which non-linearities, applied to each component, commute with a representation.

φ(ρ(g)z) = ρ(g)φ(z) holds for any φ if ρ permutes components; if ρ permutes and scales them by c,
where φ(cz) = cφ(z); if ρ mixes components, for affine φ alone: φ(au + bv + ...) = aφ(u) + bφ(v) +
... with a, b ≠ 0 has no other measurable solutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from nnft_sym.activations import VARIANCE, Activation, Z
from nnft_sym.group_theory.representations import Representation
from nnft_sym.language.errors import NotDerivedError
from nnft_sym.language.markup import Shown, Table

__all__ = ["Preservation", "preserves"]

PROBES = tuple(sp.Rational(n, 7) for n in (-17, -9, -4, -1, 1, 3, 8, 16))
"""Arguments at which an identity that is not proved is tried."""

TOLERANCE = sp.Float("1e-20")
"""What 30 digits leave of an identity that holds."""


@dataclass(frozen=True, kw_only=True)
class Preservation(Shown):
    """Whether an activation on each component commutes with a representation, and why.

    Parameters
    ----------
    holds : bool or None
        True if proved, False if a counterexample is known, None if neither.
    reason : str
        The argument.
    """

    holds: bool | None
    reason: str

    def __bool__(self) -> bool:
        if self.holds is None:
            raise NotDerivedError(
                expected="a decided question", came=self.reason, remedy="read .holds and .reason"
            )
        return self.holds

    def _table(self) -> Table:
        return Table(
            title="Does the activation preserve equivariance?",
            rows=(("holds", str(self.holds)), ("reason", self.reason)),
        )


def preserves(activation: Any, rho: Representation) -> Preservation:
    """Whether φ, applied to each component, is equivariant: φ(ρ(g)z) = ρ(g)φ(z).

    Parameters
    ----------
    activation : Activation, sympy.Expr or str
        φ.
    rho : Representation
        ρ.

    Returns
    -------
    Preservation
        ``.holds`` (True, False, or None where it is not decided) and ``.reason``.

    Examples
    --------
    >>> from nnft_sym.activations import Erf, ReLU
    >>> from nnft_sym.groups import Hyperoctahedral, Sn
    >>> from nnft_sym.group_theory.representations import defining
    >>> [bool(preserves(ReLU(), defining(G))) for G in (Sn(3), Hyperoctahedral(3))]
    [True, False]
    >>> preserves(Erf(), defining(Hyperoctahedral(3))).reason
    'rho permutes components up to signs, and φ is odd'
    """
    phi = Activation.of(activation).expression
    if VARIANCE in phi.free_symbols:
        return Preservation(holds=None, reason="φ depends on the variance of its argument")
    if sp.diff(phi, Z, 2) == 0 and phi.is_polynomial(Z):
        return _affine(phi, rho)
    for number, A in enumerate(rho.exact_algebra, 1):
        if any(i != j for (i, j), _ in A.iter_items()):
            return _mixes(phi, f"generator {number} of the Lie algebra")
    for number, g in enumerate(rho.exact_finite, 1):
        if not _is_monomial(g):
            return _mixes(phi, f"finite generator {number}")
    if any(not _vanishes(A) for A in rho.exact_algebra):
        return _under_scaling(phi)
    return _under_factors(phi, rho)


def _mixes(phi: sp.Expr, what: str) -> Preservation:
    values = [sp.N(phi.subs(Z, z), 30) for z in range(-4, 5)]
    bends = [a - 2 * b + c for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    if max(map(abs, bends)) > TOLERANCE:
        return Preservation(holds=False, reason=f"{what} mixes components, and φ is not affine")
    return Preservation(holds=None, reason=f"{what} mixes components; that φ is affine is open")


def _affine(phi: sp.Expr, rho: Representation) -> Preservation:
    """φ = αz + β: β must be invariant, ρ(g)1 = 1."""
    if phi.subs(Z, 0) == 0:
        return Preservation(holds=True, reason="φ is linear")
    kept = all(_row_sums(A) == {A.domain.zero} for A in rho.exact_algebra) and all(
        _row_sums(g) == {g.domain.one} for g in rho.exact_finite
    )
    words = "keeps" if kept else "does not keep"
    return Preservation(holds=kept, reason=f"φ is affine, and rho {words} the vector (1, ..., 1)")


def _row_sums(matrix: DomainMatrix) -> set[Any]:
    sums = dict.fromkeys(range(matrix.shape[0]), matrix.domain.zero)
    for (i, _), value in matrix.iter_items():
        sums[i] += value
    return set(sums.values())


def _is_monomial(matrix: DomainMatrix) -> bool:
    return len({i for (i, _), _ in matrix.iter_items()}) == len(list(matrix.iter_items()))


def _vanishes(matrix: DomainMatrix) -> bool:
    return not list(matrix.iter_items())


def _under_scaling(phi: sp.Expr) -> Preservation:
    """A diagonal Lie algebra scales components by every c > 0: zφ'(z) = φ(z) on each half-line."""
    c = sp.Symbol("c", positive=True)
    return _judged(phi, c, "rho scales components by all c > 0", "positively homogeneous")


def _under_factors(phi: sp.Expr, rho: Representation) -> Preservation:
    factors = {g.domain.to_sympy(v) for g in rho.exact_finite for _, v in g.iter_items()} - {
        sp.S.One
    }
    if not factors:
        return Preservation(holds=True, reason="rho permutes components: any φ")
    if factors == {sp.S.NegativeOne}:
        return _judged(phi, sp.S.NegativeOne, "rho permutes components up to signs", "odd")
    verdicts = [
        _judged(
            phi,
            c,
            f"rho permutes components up to factors, {c} among them",
            f"of φ({c}z) = {c}φ(z)",
        )
        for c in sorted(factors, key=sp.default_sort_key)
    ]
    worst = [v for v in verdicts if v.holds is False] or [v for v in verdicts if v.holds is None]
    return (worst or verdicts)[0]


def _judged(phi: sp.Expr, factor: sp.Expr, how: str, what: str) -> Preservation:
    """Whether φ(cz) = cφ(z), proved on each half-line or refuted at a point."""
    trial = factor.subs({s: sp.Rational(5, 3) for s in factor.free_symbols})
    for z in PROBES:
        if abs(sp.N(phi.subs(Z, trial * z) - trial * phi.subs(Z, z), 30)) > TOLERANCE:
            return Preservation(holds=False, reason=f"{how}, and φ is not {what}")
    defect = phi.subs(Z, factor * Z) - factor * phi
    half = sp.Symbol("r", positive=True)
    for side in (half, -half, sp.S.Zero):
        if sp.expand(sp.expand_func(defect.subs(Z, side))) != 0:
            return Preservation(holds=None, reason=f"{how}; that φ is {what} is not proved")
    return Preservation(holds=True, reason=f"{how}, and φ is {what}")
