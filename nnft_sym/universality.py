"""Criticality of an activation: where perturbations neither grow nor shrink through layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from nnft_sym.activations import Activation, Z
from nnft_sym.expectation.slopes import pieces_at
from nnft_sym.language.errors import SpecificationError
from nnft_sym.recursions import RANGE, VarianceRecursion, over_bracket
from nnft_sym.roots import Root, Search, find_roots

__all__ = ["CriticalPoint", "Criticality", "criticality"]

_K = sp.Symbol("K", positive=True)
_STEP = 1e-3
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, kw_only=True)
class CriticalPoint:
    """A fixed point with χ_∥ = χ_⊥ = 1, and the variances that make it one.

    Parameters
    ----------
    K : sympy.Expr or None
        K*; None if every K is fixed.
    C_W, C_b : sympy.Expr
        Critical variances of weights and biases; numbers in double precision unless exact.
    K_error, C_W_error, C_b_error : float
        Error bounds, 0 for exact values.
    stability : str
        ``"marginal"`` (every K is fixed), ``"stable"``, ``"unstable"``, ``"undetermined"`` or
        ``"half-stable"``, as seen by K at the critical variances.
    """

    K: sp.Expr | None
    C_W: sp.Expr
    C_b: sp.Expr
    K_error: float = 0.0
    C_W_error: float = 0.0
    C_b_error: float = 0.0
    stability: str

    def __str__(self) -> str:
        named = [] if self.K is None else [("K*", self.K, self.K_error)]
        named += [("C_W", self.C_W, self.C_W_error), ("C_b", self.C_b, self.C_b_error)]
        return ", ".join(f"{name} = {_number(value, error)}" for name, value, error in named)


@dataclass(frozen=True, kw_only=True)
class Criticality:
    """The universality class of an activation and its critical points.

    Parameters
    ----------
    activation : Activation
        φ.
    universality : str
        ``"scale-invariant"``, ``"K*=0"``, ``"half-stable"``, ``"line"`` (a critical point for
        every K*), ``"undetermined"`` (one whose stability is not known) or ``"none"``.
    points : tuple of CriticalPoint
        The one that defines the class first; unstable ones are listed too.
    searched : str
        How roots were looked for.
    source : str
        Reference.
    steps : tuple of str
        The reasoning, as LaTeX lines.
    reason : str
        For the class ``"none"``: why there is no criticality, in words.

    Examples
    --------
    >>> from nnft_sym.activations import ReLU
    >>> criticality(ReLU())
    Criticality(ReLU: scale-invariant; C_W = 2, C_b = 0)
    """

    activation: Activation
    universality: str
    points: tuple[CriticalPoint, ...]
    searched: str
    source: str
    steps: tuple[str, ...]
    reason: str = ""

    @property
    def point(self) -> CriticalPoint | None:
        """The critical point that defines the class, None if there is none."""
        return self.points[0] if self.universality not in ("none", "line") else None

    @property
    def C_W(self) -> sp.Expr | None:
        """Critical variance of the weights."""
        return None if self.point is None else self.point.C_W

    @property
    def C_b(self) -> sp.Expr | None:
        """Critical variance of the biases."""
        return None if self.point is None else self.point.C_b

    @property
    def K(self) -> sp.Expr | None:
        """The fixed point K*; None if there is none, or if every K is one."""
        return None if self.point is None else self.point.K

    def latex(self) -> str:
        """Return the class, the critical points and the steps as lines of LaTeX."""
        lines = [rf"\text{{{self.universality}}}", *map(_point_latex, self.points)]
        lines += [rf"\text{{{self.reason}}}"] if self.reason else []
        return "\n".join([*lines, *self.steps])

    def _repr_latex_(self) -> str:
        lines = r" \\ ".join(f"& {line}" for line in self.latex().splitlines())
        return rf"$\displaystyle \begin{{aligned}} {lines} \end{{aligned}}$"

    def __repr__(self) -> str:
        where = "" if self.point is None else f"; {self.point}"
        return f"Criticality({self.activation.name}: {self.universality}{where})"


def criticality(activation: Any, *, search: tuple[float, float] = RANGE) -> Criticality:
    r"""Return the critical initialisations of an activation and its universality class.

    With F(K) = E[φ²]_K a point K = K* = C_b + C_W F(K*) is critical if

    .. math:: \chi_\parallel = C_W F'(K^*) = 1, \qquad \chi_\perp = C_W E[\phi'^2]_{K^*} = 1 ,

    that is, if E[φφ'']_{K*} = 0, C_W = 1/E[φ'²] and C_b = K* - C_W F(K*) ≥ 0.  At K* = 0 this
    needs φ(0) = 0, and the next term of F decides whether the point is stable (F itself at small
    K, where the terms up to K² vanish).

    Parameters
    ----------
    activation : Activation, sympy.Expr or str
        φ.
    search : (float, float)
        Range of K > 0 on which roots of E[φφ''] are looked for; what could be evaluated of it is
        stated in ``searched``.

    Returns
    -------
    Criticality

    Raises
    ------
    SpecificationError
        If the range is empty.
    NotDerivedError
        For normalised activations.

    Notes
    -----
    Source: [PDLT] chapter 5.

    Examples
    --------
    >>> from nnft_sym.activations import GELU, Erf
    >>> criticality(Erf()).C_W
    pi/4
    >>> criticality(GELU(), search=(1.0, 10.0)).K
    3/2 + sqrt(17)/2
    """
    low, high = search
    if not 0 < low < high:
        raise SpecificationError(
            expected="a range 0 < low < high", came=f"{search}", remedy="pass variances K > 0"
        )
    recursion = VarianceRecursion(activation=Activation.of(activation))
    definition = (
        r"F(K) = E[\phi^2]_K,\ \chi_\parallel = C_W F'(K),\ \chi_\perp = C_W E[\phi'^2]_K",
    )
    if recursion.jumps:
        step = r"\phi \text{ jumps: } \chi_\perp = \infty \text{ at every } K"
        reason = "φ jumps: χ_⊥ is infinite at every K"
        return _record(
            recursion, "none", (), "nothing: χ_⊥ is infinite", (*definition, step), reason
        )
    slopes = recursion.scale_invariant
    if slopes is not None:
        return _scale_invariant(recursion, slopes, definition)
    steps = [*definition, r"\chi_\parallel = \chi_\perp \iff E[\phi\phi'']_K = 0"]
    points = []
    at_zero = _at_zero(recursion)
    if at_zero is not None:
        point, step = at_zero
        points.append(point)
        steps.append(step)
    if recursion.slope.vanishes:
        reason = "φ is constant: χ_⊥ = 0 at every K"
        return _record(recursion, "none", (), "nothing: φ is constant", tuple(steps), reason)
    if recursion.curvature.vanishes:
        steps.append(
            r"E[\phi\phi''] = 0 \text{ identically: every } K^* \text{ with }"
            r" C_W = 1/F'(K^*),\ C_b = K^* - F/F' \ge 0 \text{ is critical}"
        )
        return _record(recursion, "line", tuple(points), "nothing: E[φφ''] vanishes", tuple(steps))
    found = find_roots(recursion.curvature, low, high)
    impossible = 0
    for root in found.roots:
        candidate = _critical_point(recursion, root)
        if float(candidate.C_b) < -candidate.C_b_error:
            impossible += 1
            steps.append(
                rf"K = {root.value:.6g}:\ C_b = {float(candidate.C_b):.4g} < 0,"
                r"\text{ no variance}"
            )
            continue
        points.append(candidate)
    rank = {"stable": 0, "half-stable": 1, "undetermined": 2, "unstable": 3}
    points.sort(key=lambda point: rank[point.stability])
    best = points[0].stability if points else "unstable"
    name = {"stable": "K*=0", "unstable": "none"}.get(best, best)
    reason = _why_none(found, points, impossible) if name == "none" else ""
    searched = f"E[φφ'']: {found}; and K = 0"
    return _record(recursion, name, tuple(points), searched, tuple(steps), reason)


def _why_none(found: Search, points: list[CriticalPoint], impossible: int) -> str:
    """Why no fixed point has χ_∥ = χ_⊥ = 1, in words."""
    if points:
        return "χ_∥ = χ_⊥ = 1 at unstable fixed points alone: K runs away from them"
    if impossible:
        return "χ_∥ = χ_⊥ = 1 needs C_b < 0 wherever E[φφ''] vanishes"
    return (
        f"χ_∥ ≠ χ_⊥ at every K from {found.low:.3g} to {found.high:.3g}, where E[φφ''] has no "
        "root, and K = 0 is no fixed point with slopes"
    )


def _record(
    recursion: VarianceRecursion,
    universality: str,
    points: tuple[CriticalPoint, ...],
    searched: str,
    steps: tuple[str, ...],
    reason: str = "",
) -> Criticality:
    return Criticality(
        activation=recursion.activation,
        universality=universality,
        points=points,
        searched=searched,
        source="PDLT",
        steps=steps,
        reason=reason,
    )


def _scale_invariant(
    recursion: VarianceRecursion, slopes: tuple[sp.Expr, sp.Expr], definition: tuple[str, ...]
) -> Criticality:
    left, right = slopes
    mean_square = left**2 + right**2
    steps = (
        *definition,
        r"\phi = a_+\max(z,0) + a_-\min(z,0):\ F(K) = \tfrac12(a_+^2+a_-^2)K,\ "
        r"\chi_\parallel = \chi_\perp = \tfrac12 C_W(a_+^2+a_-^2)",
    )
    if mean_square == 0:
        reason = "φ = 0: χ_⊥ = 0 at every K"
        return _record(recursion, "none", (), "nothing: φ = 0", steps, reason)
    point = CriticalPoint(K=None, C_W=2 / mean_square, C_b=sp.Integer(0), stability="marginal")
    return _record(recursion, "scale-invariant", (point,), "nothing: solved exactly", steps)


def _at_zero(recursion: VarianceRecursion) -> tuple[CriticalPoint, str] | None:
    r"""The critical point K* = 0, if φ(0) = 0 and φ has slopes there.

    With φ = a_±z + b_±z² + c_±z³ on the two sides,
    F = ½(a_+²+a_-²)K + √(8/π)(a_+b_+ - a_-b_-)K^{3/2} + (3/2)Σ_±(b² + 2ac)K² + ...
    """
    slopes = recursion.slopes_at_zero
    if not recursion.fixes_zero or slopes is None:
        return None
    series = [_taylor(piece) for piece in pieces_at(recursion.phi, sp.S.Zero)]
    if any(side is None for side in series):
        return None
    (al, bl, cl), (ar, br, cr) = series  # type: ignore[misc]
    if al**2 + ar**2 == 0:
        return None
    cubic = ar * br - al * bl
    quartic = bl**2 + 2 * al * cl + br**2 + 2 * ar * cr
    leading = next((c for c in (cubic, quartic) if abs(sp.N(c)) > _NEGLIGIBLE), sp.Integer(0))
    C_W = 2 / (al**2 + ar**2)
    sign = sp.sign(leading) if leading != 0 else _sign_above_zero(recursion, float(C_W))
    stability = {-1: "stable", 0: "undetermined", 1: "unstable"}[int(sign)]
    relation = {-1: "<", 0: "=", 1: ">"}[int(sign)]
    step = (
        rf"\phi(0) = 0:\ C_W F(K) - K {relation} 0 \text{{ above }} K = 0"
        rf" \text{{ with }} C_W = {sp.latex(C_W)}"
    )
    return CriticalPoint(K=sp.Integer(0), C_W=C_W, C_b=sp.Integer(0), stability=stability), step


def _sign_above_zero(recursion: VarianceRecursion, C_W: float) -> int:
    """Sign of C_W F(K) - K at the smallest K where it is beyond the errors; 0 if nowhere."""
    for exponent in range(-12, 1):
        K = 10.0 ** (exponent / 4)
        value, error = recursion.variance(K)
        difference = C_W * value - K
        if abs(difference) > C_W * error + 1e-15 * K:
            return 1 if difference > 0 else -1
    return 0


def _taylor(piece: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    coefficients = []
    for order in (1, 2, 3):
        value = sp.diff(piece, Z, order).xreplace({Z: sp.S.Zero}) / sp.factorial(order)
        if not value.is_finite:
            return None
        coefficients.append(value)
    return tuple(coefficients)


def _critical_point(recursion: VarianceRecursion, root: Root) -> CriticalPoint:
    slope, slope_error = over_bracket(recursion.slope, root)
    variance, variance_error = over_bracket(recursion.variance, root)
    K = _exact_root(recursion, root)
    C_W = 1 / slope
    C_W_error = slope_error / (slope * (slope - slope_error))
    C_b_error = root.error + C_W * variance_error + C_W_error * (variance + variance_error)
    return CriticalPoint(
        K=sp.Float(root.value) if K is None else K,
        C_W=sp.Float(C_W),
        C_b=sp.Float(root.value - C_W * variance),
        K_error=root.error if K is None else 0.0,
        C_W_error=C_W_error,
        C_b_error=C_b_error,
        stability=_stability(recursion, root.value, C_W),
    )


def _stability(recursion: VarianceRecursion, K: float, C_W: float) -> str:
    """Half-stable where F'' ≠ 0: K is drawn in from one side and pushed away on the other."""
    (below, e), (above, f) = (recursion.derivative(K * (1 + s)) for s in (-_STEP, _STEP))
    change = C_W * (above - below)
    return "half-stable" if abs(change) > C_W * (e + f) else "undetermined"


def _exact_root(recursion: VarianceRecursion, root: Root) -> sp.Expr | None:
    """The root in radicals, where E[φφ''] has a closed form with a polynomial factor in K."""
    closed = recursion.curvature.closed(_K)
    if closed is None or root.touching:
        return None
    numerator = sp.factor(sp.numer(sp.together(closed)))
    for factor in sp.Mul.make_args(numerator):
        base = factor.base if factor.is_Pow else factor
        if not base.is_polynomial(_K) or not base.has(_K) or sp.degree(base, _K) > 2:
            continue
        for exact in sp.roots(sp.Poly(base, _K)):
            if exact.is_real and abs(float(exact) - root.value) <= root.error:
                return exact
    return None


def _number(value: sp.Expr, error: float) -> str:
    return str(value) if error == 0 else f"{float(value):.10g} ± {error:.1g}"


def _point_latex(point: CriticalPoint) -> str:
    def written(value: sp.Expr, error: float) -> str:
        if error == 0:
            return sp.latex(value)
        return rf"{float(value):.10g}"

    K = r"K^* \text{ any}" if point.K is None else rf"K^* = {written(point.K, point.K_error)}"
    return (
        rf"{K},\ C_W = {written(point.C_W, point.C_W_error)},\ "
        rf"C_b = {written(point.C_b, point.C_b_error)}\ \text{{({point.stability})}}"
    )
