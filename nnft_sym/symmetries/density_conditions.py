"""Conditions on P(θ) to be invariant under an affine transformation of the parameters.

A flow δθ = Tθ + τ keeps P if sum_k (Tθ + τ)_k ∂_k log P + tr T = 0 inside the support and the
support is carried to itself; a finite map if P(Bθ + c) |det B| = P(θ).

Independent events are kept apart: Gaussian coordinates may mix (their condition is a polynomial
identity in θ), isotropic vectors may turn, and any other density of entries may only be carried
to one of its kind, since independent coordinates stay independent under a mixing of them only if
they are Gaussian (Darmois–Skitovich).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sympy as sp

from nnft_sym.deformations import Deformed, MatrixDensity, Unspecified
from nnft_sym.densities import Ball, Gaussian, Sphere
from nnft_sym.symmetries.matrix_conditions import deformed_conditions, unspecified_conditions
from nnft_sym.symmetries.neuron_forms import Coordinate
from nnft_sym.symmetries.parameter_actions import ParameterAction
from nnft_sym.symmetries.requirements import SYMMETRIC_FAMILIES, Requirement, vanishing

__all__ = ["requirements"]

ISOTROPIC = (Ball, Sphere)


def requirements(
    coordinates: Sequence[Coordinate],
    action: ParameterAction,
    *,
    flat: Mapping[int, sp.Basic],
    columns: bool = False,
) -> tuple[Requirement, ...]:
    """Conditions for the joint density of all coordinates to be invariant.

    Parameters
    ----------
    coordinates : sequence of Coordinate
        θ_1 ... θ_p.
    action : ParameterAction
        The transformation of θ.
    flat : mapping of int to sympy.Boolean
        Phases by number, with the condition under which a phase is uniform on its circle.
    columns : bool
        Whether θ is a column of the matrix that a density of matrices is of, rather than a row.

    Returns
    -------
    tuple of Requirement
        Empty if the density is invariant.

    Examples
    --------
    >>> w = [Coordinate(symbol=s, density=Gaussian("mu", 1), event=i)
    ...      for i, s in enumerate(sp.symbols("w_1 w_2"))]
    >>> turn = ParameterAction(matrix=sp.ImmutableSparseMatrix([[0, 1], [-1, 0]]),
    ...                        shift=sp.ImmutableSparseMatrix([0, 0]), infinitesimal=True)
    >>> [needed.condition for needed in requirements(w, turn, flat={})]
    [Eq(mu, 0)]
    """
    found: list[Requirement] = []
    idle = 0 if action.infinitesimal else 1
    rest = [k for k in range(len(coordinates)) if k not in flat]
    for p, condition in flat.items():
        name = coordinates[p].symbol
        others = [j for j in range(len(coordinates)) if j != p]
        if any(action.matrix[j, p] != 0 for j in others):
            found.append(_never(f"the phase {name} is carried into other parameters"))
        moved = action.shift[p] != 0 or any(action.matrix[p, j] != 0 for j in others)
        if action.matrix[p, p] != idle or moved:
            turned = action.matrix[p, p] in ((0,) if action.infinitesimal else (1, -1))
            found.append(
                Requirement(condition, f"{name} is to be uniform on its circle")
                if turned
                else _never(f"the phase {name} is stretched")
            )
    smooth = [k for k in rest if _is_smooth(coordinates[k])]
    groups: list[list[int]] = [smooth] if smooth else []
    events: dict[object, list[int]] = {}
    for k in rest:
        if k not in smooth:
            density = coordinates[k].density
            key = density if isinstance(density, MatrixDensity) else coordinates[k].event
            events.setdefault(key, []).append(k)
    groups += events.values()
    if action.infinitesimal:
        found += _unmixed(coordinates, action, groups)
        for group in groups:
            found += _flow(coordinates, action, group, columns)
    else:
        found += _map(coordinates, action, groups, columns)
    return tuple(dict.fromkeys(r for r in found if r.condition != sp.true))


def _is_smooth(coordinate: Coordinate) -> bool:
    return isinstance(coordinate.density, Gaussian) and coordinate.density.std != 0


def _never(because: str) -> Requirement:
    return Requirement(sp.false, because)


def _unmixed(
    coordinates: Sequence[Coordinate], action: ParameterAction, groups: Iterable[list[int]]
) -> list[Requirement]:
    """No entry of T between groups of coordinates."""
    home = {k: number for number, group in enumerate(groups) for k in group}
    found = []
    for (i, j), value in action.matrix.todok().items():
        if i in home and j in home and home[i] != home[j] and value != 0:
            names = coordinates[i], coordinates[j]
            found.append(
                _never(
                    f"{names[0].symbol} of {names[0].density} and {names[1].symbol} of "
                    f"{names[1].density} are mixed, and are independent after it only if Gaussian"
                )
            )
    return found


def _flow(
    coordinates: Sequence[Coordinate], action: ParameterAction, group: list[int], columns: bool
) -> list[Requirement]:
    """Conditions for one group of coordinates under the part of the flow inside it."""
    own = [coordinates[k] for k in group]
    T = action.matrix.extract(group, group)
    shift = [action.shift[k] for k in group]
    density = own[0].density
    if T.is_zero_matrix and not any(shift):
        return []
    if isinstance(density, (Deformed, Unspecified)):
        part = ParameterAction(
            matrix=sp.ImmutableSparseMatrix(T),
            shift=sp.ImmutableSparseMatrix(shift),
            infinitesimal=True,
        )
        if isinstance(density, Unspecified):
            return unspecified_conditions(density, part, columns)
        if not isinstance(density.base, Gaussian):
            entries = [
                Coordinate(symbol=c.symbol, density=density.base, event=c.event) for c in own
            ]
            found = list(requirements(entries, part, flat={}))
            return found + deformed_conditions(density, part, columns, with_base=False)
        return deformed_conditions(density, part, columns, with_base=True)
    if _is_smooth(own[0]):
        return _polynomial(_flow_residual(own, T, shift), own)
    if isinstance(density, ISOTROPIC):
        symmetric = (T + T.T).applyfunc(sp.expand)
        if symmetric.is_zero_matrix and not any(shift):
            return []
        return [_never(f"{density} is kept by rotations only")]
    return [_never(f"no flow keeps {own[0].symbol} of {density}")]


def _flow_residual(
    own: Sequence[Coordinate], T: sp.SparseMatrix, shift: Sequence[sp.Expr]
) -> sp.Expr:
    """Sum_k (Tθ + τ)_k ∂_k log P + tr T."""
    theta = sp.SparseMatrix([c.symbol for c in own])
    velocity = T * theta
    terms = [T.trace()]
    for k, coordinate in enumerate(own):
        slope = sp.diff(coordinate.density.log_density(coordinate.symbol), coordinate.symbol)
        terms.append((velocity[k] + shift[k]) * slope)
    return sp.Add(*terms)


def _polynomial(residual: sp.Expr, own: Sequence[Coordinate]) -> list[Requirement]:
    """A polynomial identity in θ, coefficient by coefficient."""
    symbols = [c.symbol for c in own]
    coefficients = sp.Poly(residual, *symbols).coeffs()
    names = ", ".join(str(s) for s in symbols)
    because = f"the condition on log P is to hold for all {names}"
    return [Requirement(vanishing(c), because) for c in coefficients]


def _map(
    coordinates: Sequence[Coordinate],
    action: ParameterAction,
    groups: Sequence[list[int]],
    columns: bool,
) -> list[Requirement]:
    """Conditions for a finite map: every group fed by one group of its kind."""
    home = {k: number for number, group in enumerate(groups) for k in group}
    found: list[Requirement] = []
    for target in groups:
        sources = {
            home[j]
            for i in target
            for j in range(len(coordinates))
            if j in home and action.matrix[i, j] != 0
        }
        if len(sources) != 1:
            names = ", ".join(str(coordinates[k].symbol) for k in target)
            found.append(_never(f"{names} is mixed from parameters of several densities"))
            continue
        source = groups[sources.pop()]
        found += _carried(coordinates, action, source, target, columns)
    return found


def _carried(
    coordinates: Sequence[Coordinate],
    action: ParameterAction,
    source: list[int],
    target: list[int],
    columns: bool,
) -> list[Requirement]:
    """Conditions for B θ_source + c to have the law of θ_target."""
    here, there = [coordinates[k] for k in source], [coordinates[k] for k in target]
    B = action.matrix.extract(target, source)
    shift = [action.shift[k] for k in target]
    first, second = here[0].density, there[0].density
    if (
        source == target
        and (B - sp.SparseMatrix.eye(len(source))).is_zero_matrix
        and not any(shift)
    ):
        return []
    if type(first) is not type(second) or len(source) != len(target):
        return [_never(f"{first} is carried to {second}")]
    if isinstance(first, (Deformed, Unspecified)):
        if source != target:
            return [_never("matrices of weights are exchanged")]
        part = ParameterAction(
            matrix=sp.ImmutableSparseMatrix(B),
            shift=sp.ImmutableSparseMatrix(shift),
            infinitesimal=False,
        )
        if isinstance(first, Unspecified):
            return unspecified_conditions(first, part, columns)
        if not isinstance(first.base, Gaussian):
            entries = [Coordinate(symbol=c.symbol, density=first.base, event=c.event) for c in here]
            found = list(requirements(entries, part, flat={}))
            return found + deformed_conditions(first, part, columns, with_base=False)
        return deformed_conditions(first, part, columns, with_base=True)
    if _is_smooth(here[0]):
        return _polynomial(_map_residual(here, B, shift), here)
    if isinstance(first, ISOTROPIC) and isinstance(second, ISOTROPIC):
        turned = (B * B.T - sp.SparseMatrix.eye(len(target))).applyfunc(sp.expand)
        if not turned.is_zero_matrix or any(shift):
            return [_never(f"{first} is kept by rotations and reflections only")]
        same = vanishing(first.radius - second.radius)
        return [Requirement(same, f"{first} is carried to {second}")]
    scale, offset = B[0, 0], shift[0]
    because = f"{here[0].symbol} of {first} is carried to {there[0].symbol} of {second}"
    if not isinstance(first, SYMMETRIC_FAMILIES):
        kept = scale == 1 or (scale == -1 and first.is_even)
        same = first == second and kept and offset == 0
        return [] if same else [Requirement(None, because)]
    mean = scale * first.moment(1) + offset - second.moment(1)
    variance = scale**2 * first.cumulant(2) - second.cumulant(2)
    return [Requirement(vanishing(part), because) for part in (mean, variance)]


def _map_residual(
    own: Sequence[Coordinate], B: sp.SparseMatrix, shift: Sequence[sp.Expr]
) -> sp.Expr:
    """Log P(Bθ + c) + log |det B| - log P(θ)."""
    theta = sp.SparseMatrix([c.symbol for c in own])
    image = B * theta
    terms = [sp.log(sp.Abs(B.det()))]
    for k, coordinate in enumerate(own):
        terms.append(coordinate.density.log_density(image[k] + shift[k]))
        terms.append(-coordinate.density.log_density(coordinate.symbol))
    return sp.Add(*terms)
