"""Where a function of one real variable is not smooth, read from its expression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice
from typing import Any

import numpy as np
import sympy as sp
from scipy.optimize import brentq
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational
from sympy.logic.boolalg import Boolean, BooleanFunction

from nnft_sym.language.errors import SpecificationError

__all__ = ["Kinks", "find_kinks"]

# Roots of arguments that are not polynomials are searched for on |z| <= SEARCH.
SEARCH = 1e3
# An argument with nested kinks is resolved into at most this many smooth branches.
_BRANCHES = 256

_SMOOTH = (
    sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.sech, sp.atan, sp.asinh,
    sp.erf, sp.erfc, sp.sinc,
)  # fmt: skip
_STEPS = (sp.Abs, sp.sign, sp.Heaviside)
_KINKED = (*_STEPS, sp.Max, sp.Min, sp.Piecewise)


@dataclass(frozen=True, kw_only=True)
class Kinks:
    """The real points at which a function is not smooth.

    Parameters
    ----------
    thresholds : tuple of float
        t: sorted points outside of which the function is smooth (jumps, corners, singularities).

    Examples
    --------
    >>> Kinks(thresholds=(0.0,)).is_smooth
    False
    """

    thresholds: tuple[float, ...]

    @property
    def is_smooth(self) -> bool:
        """Whether there is no such point."""
        return not self.thresholds


@lru_cache(maxsize=512)
def find_kinks(expression: sp.Expr) -> Kinks:
    r"""Find where a function of one real symbol is not smooth.

    The thresholds are the real roots of the arguments of ``Abs``, ``sign``, ``Heaviside``, of
    fractional and negative powers and of ``log``, of the differences of the arguments of
    ``Max`` and ``Min``, and of the boundaries of ``Piecewise``. Roots of polynomials are found
    among all reals, those of other arguments by bracketing on \|z\| <= 1000.

    Parameters
    ----------
    expression : sympy.Expr
        phi: function of at most one symbol z, taken as real.

    Returns
    -------
    Kinks
        The thresholds.

    Raises
    ------
    SpecificationError
        If there are several symbols or a function whose singularities are not known.

    Examples
    --------
    >>> z = sp.Symbol("z")
    >>> find_kinks(sp.Max(-1, sp.Min(1, z))).thresholds
    (-1.0, 1.0)
    >>> find_kinks(sp.erf(z)).is_smooth
    True
    """
    tree = sp.sympify(expression)
    symbols = sorted(tree.free_symbols, key=str)
    if len(symbols) > 1:
        raise SpecificationError(
            expected="a function of one symbol",
            came=f"the symbols {', '.join(map(str, symbols))}",
            remedy="substitute numbers for the others first",
        )
    if not symbols:
        return Kinks(thresholds=())
    z = sp.Dummy("z", real=True)
    roots: list[float] = []
    for argument in _arguments(tree.xreplace({symbols[0]: z})):
        roots.extend(_real_roots(argument, z))
    return Kinks(thresholds=_merged(roots))


def _merged(roots: list[float]) -> tuple[float, ...]:
    """Sort, and keep one of each group of roots that differ by rounding only."""
    kept: list[float] = []
    for root in sorted(roots):
        value = 0.0 if abs(root) < 1e-15 else root
        if not kept or value - kept[-1] > 1e-13 * max(1.0, abs(value)):
            kept.append(value)
    return tuple(kept)


def _arguments(tree: sp.Basic) -> Iterator[sp.Expr]:
    """Walk the expressions whose real roots are the candidates for thresholds."""
    for node in sp.preorder_traversal(tree):
        if isinstance(node, _STEPS):
            yield node.args[0]
        elif isinstance(node, (sp.Max, sp.Min)):
            yield from (a - b for a, b in combinations(node.args, 2))
        elif isinstance(node, Relational):
            yield node.lhs - node.rhs
        elif isinstance(node, sp.log):
            yield node.args[0]
        elif isinstance(node, sp.Pow):
            base, exponent = node.args
            if exponent.is_number:
                if not (exponent.is_integer and exponent.is_nonnegative):
                    yield base
            elif base is not sp.E and not base.is_positive:
                yield base
        elif isinstance(node, AppliedUndef) or (
            isinstance(node, sp.Function) and not isinstance(node, (*_SMOOTH, *_KINKED, sp.log))
        ):
            raise SpecificationError(
                expected="functions whose singularities on the real line are known",
                came=f"{node.func} in the activation",
                remedy="write it with exp, log, sin, cos, tanh, erf, Abs, Max, Piecewise, ...",
            )
        elif not isinstance(
            node, (sp.Add, sp.Mul, sp.Function, sp.Number, sp.NumberSymbol, sp.Symbol,
                   sp.Tuple, BooleanFunction, Boolean)
        ) and node is not sp.E:  # fmt: skip
            raise SpecificationError(
                expected="a real elementary function",
                came=f"{node} in the activation",
                remedy="write it with sums, products, powers and real functions",
            )


def _real_roots(argument: sp.Expr, z: sp.Symbol) -> list[float]:
    """Real roots of an expression in z, which may itself have kinks."""
    if z not in argument.free_symbols or argument.is_positive or argument.is_negative:
        return []
    roots: list[float] = []
    nested = argument.has(*_KINKED)
    for branch in _smooth_branches(argument):
        found = _polynomial_roots(branch, z)
        if found is None:
            inner = [root for part in _arguments(argument) for root in _real_roots(part, z)]
            return _bracketed_roots(argument, z, inner)
        roots.extend(found)
    if not nested:
        return roots
    function = _numeric(argument, z)
    return [root for root in roots if _vanishes(function, root)]


def _vanishes(function: Any, root: float) -> bool:
    """Whether a function vanishes or changes sign at a root of one of its branches."""
    step = 1e-9 * max(1.0, abs(root))
    left, middle, right = function(root - step), function(root), function(root + step)
    scale = max(abs(left), abs(right))
    return bool(abs(middle) <= 1e-6 * scale + 1e-12 or left * right <= 0)


def _smooth_branches(argument: sp.Expr) -> list[sp.Expr]:
    """Every smooth function that an expression with kinks follows somewhere."""
    pending, done = [argument], []
    while pending:
        current = pending.pop()
        atom = next((a for a in sp.preorder_traversal(current) if isinstance(a, _KINKED)), None)
        if atom is None:
            done.append(current)
            continue
        if isinstance(atom, sp.Abs):
            choices: list[sp.Expr] = [atom.args[0], -atom.args[0]]
        elif isinstance(atom, sp.sign):
            choices = [sp.Integer(-1), sp.Integer(1)]
        elif isinstance(atom, sp.Heaviside):
            choices = [sp.Integer(0), sp.Integer(1)]
        elif isinstance(atom, sp.Piecewise):
            choices = [value for value, _ in atom.args]
        else:
            choices = list(atom.args)
        pending.extend(current.xreplace({atom: choice}) for choice in choices)
        if len(pending) + len(done) > _BRANCHES:
            raise SpecificationError(
                expected=f"at most {_BRANCHES} branches in one nested argument",
                came=f"the argument {argument}",
                remedy="write the function as one Piecewise",
            )
    return list(islice(dict.fromkeys(done), _BRANCHES))


def _polynomial_roots(argument: sp.Expr, z: sp.Symbol) -> list[float] | None:
    """Real roots of a polynomial in z; None if it is not one."""
    if z not in argument.free_symbols:
        return []
    if not argument.is_polynomial(z):
        return None
    polynomial = sp.Poly(argument, z)
    if polynomial.degree() == 1:
        slope, constant = polynomial.all_coeffs()
        return [float(-constant / slope)]
    if all(c.is_Rational for c in polynomial.all_coeffs()):
        return [float(root) for root in polynomial.real_roots(multiple=False) for root in root[:1]]
    found = np.roots([float(c) for c in polynomial.all_coeffs()])
    # A double root splits into a pair with imaginary parts of the order of sqrt(eps).
    near = np.abs(found.imag) <= 1e-6 * np.maximum(1.0, np.abs(found))
    return [float(root) for root in found.real[near]]


def _numeric(argument: sp.Expr, z: sp.Symbol) -> Any:
    function = sp.lambdify(z, argument, modules=["scipy", "numpy"])

    def evaluate(values: Any) -> Any:
        with np.errstate(all="ignore"):
            return np.real(function(np.asarray(values, dtype=float)) + np.zeros(np.shape(values)))

    return evaluate


def _bracketed_roots(argument: sp.Expr, z: sp.Symbol, inner: list[float]) -> list[float]:
    """Roots on a stated range of an argument that is not a polynomial, by changes of sign."""
    function = _numeric(argument, z)
    fine = np.linspace(-20.0, 20.0, 4001)
    coarse = np.geomspace(20.0, SEARCH, 2000)
    tiny = np.geomspace(1e-12, 1e-2, 200)
    inside = [root for root in inner if abs(root) < SEARCH]
    grid = np.unique(np.concatenate([fine, coarse, -coarse, tiny, -tiny, inside]))
    values = function(grid)
    usable = np.isfinite(values)
    if not np.any(usable):
        raise SpecificationError(
            expected="a real argument",
            came=f"{argument}, which is not finite on |z| <= {SEARCH:g}",
            remedy="write the function on its domain only",
        )
    roots = [float(root) for root in grid[usable & (values == 0)]]
    if len(roots) > 64:
        # The argument vanishes on an interval (an underflow or a flat branch): its edges count.
        zero = (usable & (values == 0)).astype(int)
        edges = np.flatnonzero(np.diff(zero))
        roots = [float(grid[edge + (zero[edge] == 0)]) for edge in edges]
    crossing = usable[:-1] & usable[1:] & (np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    for left in np.flatnonzero(crossing):
        roots.append(
            float(brentq(lambda t: float(function(t)), grid[left], grid[left + 1], xtol=1e-15))
        )
    # A minimum of |u| that touches zero does not change sign; where u is smooth it is found by
    # the minimum itself.
    size = np.abs(values)
    dip = np.flatnonzero((size[1:-1] < size[:-2]) & (size[1:-1] < size[2:])) + 1
    for centre in dip[size[dip] < 1e-3]:
        root = _touching(function, grid[centre - 1], grid[centre + 1])
        if root is not None:
            roots.append(root)
    return _without_noise(roots)


def _without_noise(roots: list[float]) -> list[float]:
    """Replace clusters of three or more by one: rounding around a multiple root changes sign."""
    ordered = np.sort(np.array(roots))
    groups = np.split(ordered, np.flatnonzero(np.diff(ordered) > 1e-6) + 1)
    return [
        float(root)
        for group in groups
        for root in (group if len(group) < 3 else group[[np.argmin(np.abs(group))]])
    ]


def _touching(function: Any, low: float, high: float) -> float | None:
    """Locate a double root between two points, if there is one."""
    for _ in range(80):
        points = np.linspace(low, high, 9)
        best = int(np.argmin(np.abs(function(points))))
        low, high = points[max(best - 1, 0)], points[min(best + 1, 8)]
    return float(points[best]) if abs(float(function(points[best]))) < 1e-15 else None
