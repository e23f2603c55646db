"""Sweeps over the width: a report for each width, and the powers of 1/N."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import comb
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from nnft_num.confrontation.amplitudes import Amplitude, deviation, projection
from nnft_num.confrontation.checking import Report, confront
from nnft_num.confrontation.fits import fit_intercept, fit_power
from nnft_num.confrontation.order_reports import OrderReport
from nnft_num.confrontation.slopes import Slope
from nnft_num.confrontation.verdicts import Criterion, Verdict, joined
from nnft_num.estimates.estimate import Estimate, wanted_orders
from nnft_num.front import correlators, evaluated, merged, tested_laws
from nnft_num.kernels.draws import key_from_rng
from nnft_num.reporting import reports
from nnft_num.reporting.publishing import Published
from nnft_num.runs.executing import ExecutorLike
from nnft_sym.correlators import Correlator
from nnft_sym.cumulants import cumulant
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Table
from nnft_sym.networks import Network

__all__ = ["Sweep", "counts_of", "sweep", "width_names", "widths_of"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweep(Published):
    """Theory against samples over several widths.

    Parameters
    ----------
    network : str
        Name of the network.
    widths : tuple of int
        N.
    reports : tuple of Report
        One for each width; empty where the theory is a limit of infinite width.
    slopes : tuple of Slope
        Measured powers of N.
    criterion : Criterion
        Level, resolution and size of the family: all entries at all widths, and the slopes.
    formulas : tuple of Correlator
        The theory, one for each order.
    """

    network: str
    widths: tuple[int, ...]
    reports: tuple[Report, ...]
    slopes: tuple[Slope, ...]
    criterion: Criterion
    formulas: tuple[Correlator, ...] = ()

    @property
    def orders(self) -> tuple[int, ...]:
        """Orders that were confronted."""
        own = {order.order for report in self.reports for order in report.orders}
        return tuple(sorted(own | {slope.order for slope in self.slopes}))

    def of_order(self, order: int) -> dict[int, OrderReport]:
        """Confrontation of one order at each width where it was estimated."""
        return {
            width: entry
            for width, report in zip(self.widths, self.reports, strict=False)
            for entry in report.orders
            if entry.order == order
        }

    def slope(self, order: int) -> Slope | None:
        """Slope of one order, None if none is claimed."""
        return next((slope for slope in self.slopes if slope.order == order), None)

    def verdict_of(self, order: int) -> Verdict:
        """Verdict of one order over all widths and its slope."""
        found = [confronted.verdict for confronted in self.of_order(order).values()]
        slope = self.slope(order)
        return joined([*found, slope.verdict] if slope is not None else found)

    @property
    def verdict(self) -> Verdict:
        """Verdict over all orders."""
        return joined(self.verdict_of(order) for order in self.orders)

    @property
    def cites(self) -> tuple[Any, ...]:
        """What the comparisons rest on."""
        return (*self.formulas, *self.reports, "E82, BML99, H92")

    def plot(self) -> Any:
        """Norms against the width, log-log; returns the matplotlib figure."""
        from nnft_num.reporting.figures import plot_sweeps

        return plot_sweeps([self], [self.network])

    def _table(self) -> Table:
        return reports.sweep_table(self)

    def __str__(self) -> str:
        return reports.sweep_text(self)

    def __repr__(self) -> str:
        orders = ", ".join(f"{order}: {self.verdict_of(order)}" for order in self.orders)
        return f"Sweep({self.network}: {self.verdict}; orders {orders})"


def sweep(
    net: Network,
    X: ArrayLike,
    widths: Iterable[int] | Mapping[int, Iterable[int]],
    orders: int | Iterable[int] | None = None,
    networks: int | Mapping[int, int] = 10**5,
    rng: Any = None,
    *,
    level: float = 0.01,
    resolution: float = 5.0,
    route: str = "parameters",
    precision: str = "single",
    executor: ExecutorLike = None,
    progress: bool | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> Sweep:
    """Confront a network at several widths, and the powers of 1/N with those claimed.

    With one hidden layer every width has its report and |G_c⁽ⁿ⁾| is measured to fall as N^{1-n/2}.
    A deep network's kernel is a limit: the deviation of the sampled G⁽²⁾ from it, with all hidden
    widths equal to N, is measured to fall as 1/N (1 + O(1/N)), the expansion in 1/N taken as far as
    it is seen and its cut being part of the error (:func:`nnft_num.confrontation.fits.cut`).

    Parameters
    ----------
    net : Network
        The ensemble of networks, with named widths.
    X : array_like, shape (n, d)
        Points.
    widths : iterable of int, or mapping of int to iterable of int
        N: at least two, and four for a deep network; a mapping gives the widths of each order, as
        the resolution of high orders falls with N.
    orders : iterable of int
        Orders, if ``widths`` is not a mapping; (2, 4) by default, (2,) for a deep network.
    networks : int or mapping of int to int
        Number of networks at each width; a mapping gives that of each width.
    rng, route, precision, executor, progress, params, **values
        As in :func:`nnft_num.correlators`; parameters without widths.
    level, resolution : float
        As in :func:`nnft_num.check`; the level is that of the whole sweep.

    Returns
    -------
    Sweep

    Raises
    ------
    SpecificationError
        If points, parameters, widths, orders or counts are impossible.
    NotDerivedError
        If a correlator is not derived.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> result = sweep(nn.cos_net(), [0.0, 1.0], (1, 2, 4), networks=10**5, rng=0,
    ...                sigma_w=1, sigma_v=1)
    >>> str(result.verdict), result.slope(4).claimed
    ('agree', -1.0)
    """
    deep = net.depth > 1
    wanted = ((2,) if deep else (2, 4)) if orders is None else orders
    schedule = _schedule(widths, wanted, least=4 if deep else 2)
    points, names = net.points(X), width_names(net)
    given = merged(params, values)
    if set(names) & set(given):
        raise SpecificationError(
            expected="parameters without the widths",
            came=", ".join(sorted(set(names) & set(given))),
            remedy="pass widths=(...) alone",
        )
    sizes = sorted({size for listed in schedule.values() for size in listed})
    counts = counts_of(networks, sizes)
    numbers = {size: net.bind(given | dict.fromkeys(names, size)) for size in sizes}
    seeds = np.random.SeedSequence(key_from_rng(rng)).spawn(len(sizes))

    def sampled(size: int) -> Estimate:
        return correlators(
            net,
            points,
            [order for order, listed in schedule.items() if size in listed],
            counts[size],
            seeds[sizes.index(size)],
            route=route,
            testing=tested_laws(net),
            precision=precision,
            executor=executor,
            progress=progress,
            params=numbers[size],
        )

    if deep:
        return _limit_sweep(net, points, schedule, numbers, sampled, level, resolution)

    theories = {
        size: evaluated(net, points, [k for k in schedule if size in schedule[k]], bound)
        for size, bound in numbers.items()
    }
    powers = {k: 1 - k / 2 for k in schedule if _has_power(net, k, numbers[sizes[0]])}
    family = len(powers) + sum(
        comb(len(points) * net.outputs + order - 1, order) * len(listed)
        for order, listed in schedule.items()
    )
    criterion = Criterion(level=level, resolution=resolution, family=family)
    found: dict[int, list[Amplitude]] = {order: [] for order in powers}
    results = []
    for size, (theory, variances) in theories.items():
        estimate = sampled(size)
        report = confront(
            theory,
            estimate,
            variances=variances,
            width=size,
            network=net.name,
            params=numbers[size],
            X=points,
            level=level,
            resolution=resolution,
            family=family,
        )
        results.append(report)
        for order in theory:
            if order in powers and not report[order].vanishes:
                amplitude = projection(
                    theory[order].values, estimate[order], width=size, networks=counts[size]
                )
                found[order].append(amplitude)
    return Sweep(
        network=net.name,
        widths=tuple(sizes),
        reports=tuple(results),
        slopes=tuple(
            _slope(order, f"|G{order}|", amplitudes, powers[order], criterion)
            for order, amplitudes in found.items()
            if amplitudes
        ),
        criterion=criterion,
        formulas=_formulas(results),
    )


def _limit_sweep(
    net: Network,
    X: NDArray[np.float64],
    schedule: Mapping[int, tuple[int, ...]],
    numbers: Mapping[int, Mapping[str, Any]],
    sampled: Callable[[int], Estimate],
    level: float,
    resolution: float,
) -> Sweep:
    """Sweep of a deep network: the deviation of G⁽²⁾ from its limit of infinite width."""
    for order in schedule:
        if order != 2:
            cumulant(net, order)
    formula = kernel(net)
    limit = formula.evaluate(X, params=next(iter(numbers.values()))).values
    amplitudes = []
    for size in numbers:
        estimate = sampled(size)
        found = deviation(limit, estimate[2], width=size, networks=estimate.networks)
        amplitudes.append(found)
    criterion = Criterion(level=level, resolution=resolution, family=1)
    return Sweep(
        network=net.name,
        widths=tuple(numbers),
        reports=(),
        slopes=(_slope(2, "|G2 - limit|", amplitudes, -1.0, criterion, expansion=True),),
        criterion=criterion,
        formulas=(formula,),
    )


def _formulas(found: Iterable[Report]) -> tuple[Correlator, ...]:
    """What was evaluated, one formula for each order."""
    listed = {o.order: o.formula for report in found for o in report.orders}
    return tuple(formula for _, formula in sorted(listed.items()) if formula is not None)


def _slope(
    order: int,
    what: str,
    amplitudes: Sequence[Amplitude],
    claimed: float,
    criterion: Criterion,
    expansion: bool = False,
) -> Slope:
    power = partial(fit_power, amplitudes, resolution=criterion.resolution, expansion=expansion)
    return Slope(
        order=order,
        what=what,
        amplitudes=tuple(amplitudes),
        claimed=claimed,
        fit=power(),
        intercept=power(fitted=fit_intercept),
        criterion=criterion,
    )


def _has_power(net: Network, order: int, params: Mapping[str, Any]) -> bool:
    """Whether G_c⁽ⁿ⁾ is one power of N: an output bias adds a cumulant that is not."""
    numbers = {sp.Symbol(name): value for name, value in params.items()}
    own = [bias.cumulant(order) for bias in net.readout.biases if bias is not None]
    named = [k.xreplace({s: numbers[sp.Symbol(s.name)] for s in k.free_symbols}) for k in own]
    return all(k == 0 for k in named)


def width_names(net: Network) -> tuple[str, ...]:
    """Names of the hidden widths, each once; all have to be named."""
    fixed = [width for width in net.widths if not width.is_Symbol]
    if fixed:
        raise SpecificationError(
            expected="a network with named widths",
            came=f"{net.name} of width {', '.join(map(str, fixed))}",
            remedy="leave width= or widths= out, or give names",
        )
    return tuple(dict.fromkeys(str(width) for width in net.widths))


def _schedule(
    widths: Iterable[int] | Mapping[int, Iterable[int]],
    orders: int | Iterable[int],
    *,
    least: int,
) -> dict[int, tuple[int, ...]]:
    """Widths of each order."""
    if isinstance(widths, Mapping):
        return {k: widths_of(widths[k], least=least) for k in wanted_orders(widths)}
    return dict.fromkeys(wanted_orders(orders), widths_of(widths, least=least))


def counts_of(networks: int | Mapping[int, int], sizes: list[int]) -> dict[int, int]:
    """Number of networks at each width."""
    if not isinstance(networks, Mapping):
        return dict.fromkeys(sizes, networks)
    if set(networks) != set(sizes):
        raise SpecificationError(
            expected=f"a number of networks for each of the widths {', '.join(map(str, sizes))}",
            came=f"numbers for {', '.join(map(str, sorted(networks)))}",
            remedy="match networks={width: number} to the widths, or pass one number",
        )
    return {size: networks[size] for size in sizes}


def widths_of(widths: Iterable[int], *, least: int) -> tuple[int, ...]:
    """Widths in ascending order, each once and at least so many."""
    listed = tuple(widths)
    whole = all(
        isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= 1
        for size in listed
    )
    if not whole or len(set(listed)) < least or len(set(listed)) != len(listed):
        raise SpecificationError(
            expected=f"at least {least} different widths of at least 1",
            came=f"{listed}",
            remedy="pass widths=(1, 2, 4, 8), say",
        )
    return tuple(sorted(int(size) for size in listed))
