"""The action against samples: its densities over a sweep of widths, and its couplings.

An action is a statement about the density of fields.  Truncated after N^{-p} it is wrong by a term
of the next order, so no single width can test it: the distance between the density of samples and

    the Gaussian (p = 0), e^{-S} and the Edgeworth density (p = 1, 2, ...)

has to fall with the claimed power N^{-(p+1)} (N^{-(p+1/2)} where odd cumulants enter), distances
being those of ``nnft_num.actions.distances``.  Couplings are functions of cumulants that are exact
at every width, so that they are confronted entry by entry.

Networks drawn whole, ``route="parameters"``, assume nothing and are the independent test.  With a
centred Gaussian readout integrated out, ``route="readout"``, masses and couplings have errors that
are smaller by orders of magnitude and fall with the width: that resolves the power of order 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import comb
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.actions.coupling_checks import confront_couplings
from nnft_num.actions.couplings import couplings
from nnft_num.actions.densities import CELLS, WINDOW, action_grid, action_masses, is_small
from nnft_num.actions.distances import Distance, distance
from nnft_num.actions.records import ActionReport, DensityDistance
from nnft_num.compiling import compile_plan
from nnft_num.confrontation.power_laws import fit_power
from nnft_num.confrontation.scaling import counts_of, width_names, widths_of
from nnft_num.confrontation.slopes import Slope
from nnft_num.confrontation.verdicts import Criterion
from nnft_num.front import correlators, merged
from nnft_num.kernels.draws import key_from_rng
from nnft_num.routes import find_route
from nnft_num.runs.conditional_masses import sample_conditional_masses
from nnft_num.runs.executing import ExecutorLike
from nnft_num.runs.histograms import sample_histogram
from nnft_num.sources.source import Source
from nnft_sym.actions.action import action
from nnft_sym.actions.at_points import ActionAtPoints
from nnft_sym.cumulants import LARGEST_ORDER, cumulant
from nnft_sym.language.errors import SpecificationError
from nnft_sym.networks import Network

__all__ = ["DensityRoute", "check_action"]

DensityRoute = Literal["parameters", "readout"]
"""Whether networks are drawn whole, or their readout is integrated out."""

_ROUNDING = 1e-12
"""Odd cumulants below this, in units of the variance, are zeros that were rounded."""


def check_action(
    net: Network,
    X: ArrayLike,
    order: int = 1,
    widths: Iterable[int] | None = None,
    networks: int | Mapping[int, int] = 10**6,
    rng: Any = None,
    *,
    route: DensityRoute = "parameters",
    couplings_at: int | None = None,
    window: float = WINDOW,
    cells: int | None = None,
    level: float = 0.01,
    resolution: float = 5.0,
    executor: ExecutorLike = None,
    progress: bool | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> ActionReport:
    """Confront the action of a network with samples, as a density and coupling by coupling.

    Over the widths the distance of the sampled density from the Gaussian is measured to fall as
    1/N, that from e^{-S} and from the Edgeworth density through N^{-p} as N^{-(p+1)}; at one width
    sampled couplings are compared with S.at(X), each with its pull and resolution.

    Parameters
    ----------
    net : Network
        One hidden layer, with a named width if ``widths`` are given.
    X : array_like, shape (n, d)
        One or two points, two fields in all; (n,) is read as d = 1.
    order : int
        p: highest order in 1/N; all lower ones are confronted as well.
    widths : iterable of int, optional
        N: at least four, as the powers are fitted with terms of the next orders; without them
        couplings alone have verdicts, and distances are reported.
    networks : int or mapping of int to int
        Number of networks at each width; a mapping gives that of each width.
    route : {"parameters", "readout"}
        Draw whole networks, which assumes nothing, or integrate a centred Gaussian readout out,
        which resolves far smaller distances.
    couplings_at : int, optional
        Width of the couplings; the smallest by default.
    window : float
        Half the width of the window in which densities are compared, in standard deviations.
    cells : int, optional
        Number of cells along each direction of the field.
    level, resolution
        As in :func:`nnft_num.check`; the level is that of all couplings and powers together.
    rng, executor, progress, params, **values
        As in :func:`nnft_num.correlators`; parameters without widths if ``widths`` are given.

    Returns
    -------
    ActionReport

    Raises
    ------
    SpecificationError
        If points, parameters, widths or counts are impossible, G is singular, or the network has
        no such route.
    NotDerivedError
        If the correlators of the network are not derived.
    AccuracyError, InfiniteMomentError
        If a correlator cannot be had, or is infinite.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> report = check_action(nn.cos_net(), [0.0], order=1, networks=10**5, rng=0, N=2,
    ...                       sigma_w=1, sigma_v=1)
    >>> str(report.verdict), report.distance(1).amplitudes[0].value < 0.1
    ('agree', True)
    """
    action(net, order)  # refuses impossible orders and networks
    points, given = net.points(X), merged(params, values)
    fields = len(points) * net.outputs
    if fields > max(CELLS):
        raise SpecificationError(
            expected=f"at most {max(CELLS)} fields, whose density can be seen in a histogram",
            came=f"{len(points)} points with {net.outputs} outputs",
            remedy="confront couplings over more points with nm.couplings",
        )
    numbers = _numbers(net, widths, given)
    sizes = tuple(numbers)
    chosen = sizes[0] if couplings_at is None else couplings_at
    if chosen not in numbers:
        raise SpecificationError(
            expected=f"a width out of {', '.join(map(str, sizes))}",
            came=f"couplings_at={couplings_at!r}",
            remedy="take one of the widths",
        )
    counts = counts_of(networks, list(sizes))
    if route not in ("parameters", "readout"):
        raise SpecificationError(
            expected="route='parameters' or 'readout'",
            came=f"{route!r}",
            remedy="use 'parameters', which holds for every network",
        )
    seeds = np.random.SeedSequence(key_from_rng(rng)).spawn(len(sizes) + 1)
    actions = {
        size: [action(net, p).at(points, params=bound) for p in range(order + 1)]
        for size, bound in numbers.items()
    }
    names = [(0, "gaussian")]
    names += [(p, density) for p in range(1, order + 1) for density in ("action", "edgeworth")]
    plan, densities, masses = compile_plan(net), {}, {}
    sampled_masses = sample_histogram if route == "parameters" else sample_conditional_masses
    for size, seed in zip(sizes, seeds, strict=False):
        grid = action_grid(actions[size][-1], float(window), cells)
        for p, density in names:
            masses[p, density, size] = action_masses(actions[size][p], density, grid)
        densities[size] = sampled_masses(
            Source(
                plan=plan, X=points, params=numbers[size], route=route, precision="single"
            ).settled,
            grid,
            networks=counts[size],
            key=key_from_rng(seed),
            executor=executor,
            progress=progress,
        )
    theory = actions[chosen][-1]
    sampled = couplings(
        correlators(
            net,
            points,
            sorted({*range(2, 2 * order + 3, 2), *_odd(theory)}),
            counts[chosen],
            seeds[-1],
            route=route,
            executor=executor,
            progress=progress,
            params=numbers[chosen],
        ),
        order,
    )
    compared = {k for k in theory.about_mean if k} | set(sampled)
    entries = sum(comb(fields + k - 1, k) for k in compared)
    family = entries + (len(names) if len(sizes) > 1 else 0)
    criterion = Criterion(level=level, resolution=resolution, family=family)
    odd = _odd_orders(net, points, numbers[sizes[0]], actions[sizes[0]][-1], order)
    distances = []
    for p, density in names:
        measured = [
            distance(
                densities[size],
                masses[p, density, size],
                masses[0, "gaussian", size],
                width=size,
            )
            for size in sizes
        ]
        half = any(k <= 2 * p + 3 for k in odd)
        claimed = -(p + 0.5) if half else -(p + 1.0)
        used = tuple(size for size in sizes if is_small(masses, p, density, size))
        slope = _slope(p, density, measured, used, claimed, criterion) if len(sizes) > 1 else None
        distances.append(
            DensityDistance(
                order=p,
                density=density,
                amplitudes=tuple(found.amplitude for found in measured),
                used=used,
                slope=slope,
            )
        )
    return ActionReport(
        network=net.name,
        X=points,
        order=order,
        widths=sizes,
        couplings=confront_couplings(
            theory,
            sampled,
            width=chosen,
            network=f"couplings of {net.name} through 1/N^{order}",
            params=numbers[chosen],
            X=points,
            criterion=criterion,
        ),
        coupling_width=chosen,
        distances=tuple(distances),
        densities=densities,
        route=route,
        route_assumes=find_route(route).assumes,
        masses=masses,
        criterion=criterion,
    )


def _numbers(
    net: Network, widths: Iterable[int] | None, given: Mapping[str, Any]
) -> dict[int, dict[str, Any]]:
    """Parameters by the width, in ascending order."""
    if widths is None:
        bound = dict(net.bind(given))
        width = net.widths[0]
        size = int(width.xreplace({s: bound[s.name] for s in width.free_symbols}))
        return {size: bound}
    names = width_names(net)
    if set(names) & set(given):
        raise SpecificationError(
            expected="parameters without the widths",
            came=", ".join(sorted(set(names) & set(given))),
            remedy="pass widths=(...) alone",
        )
    sizes = widths_of(widths, least=4)
    return {size: dict(net.bind({**given, **dict.fromkeys(names, size)})) for size in sizes}


def _odd(at: ActionAtPoints) -> list[int]:
    """Odd orders whose cumulants the action holds, 3 to 2p + 1."""
    held = any(k % 2 for k in at.cumulants) or at.mean is not None
    return list(range(1, 2 * at.order + 2, 2)) if held and at.order else []


def _odd_orders(
    net: Network,
    X: NDArray[np.float64],
    params: Mapping[str, Any],
    at: ActionAtPoints,
    order: int,
) -> tuple[int, ...]:
    """Odd orders k = 3 .. 2p + 3 whose cumulants do not vanish at the points."""
    found = []
    for k in range(3, min(2 * order + 3, LARGEST_ORDER) + 1, 2):
        tensor = at.cumulants.get(k)
        if tensor is None:
            tensor = cumulant(net, k).evaluate(X, params=params).values
        scale = float(np.max(at.cumulants[2].dense)) ** (k / 2)
        if np.max(np.abs(tensor.entries)) > _ROUNDING * scale:
            found.append(k)
    return tuple(found)


def _slope(
    order: int,
    density: str,
    measured: Sequence[Distance],
    used: Sequence[int],
    claimed: float,
    criterion: Criterion,
) -> Slope:
    """Power of N of the distances, fitted to their squares."""
    fitted = [found for found in measured if found.amplitude.width in used]
    return Slope(
        order=order,
        what=f"distance from {density}" + (f" of order {order}" if order else ""),
        amplitudes=tuple(found.amplitude for found in measured),
        claimed=claimed,
        fit=fit_power(
            np.array([float(found.amplitude.width) for found in fitted]),
            np.array([found.square for found in fitted]),
            np.array([found.error for found in fitted]),
        ),
        criterion=criterion,
    )
