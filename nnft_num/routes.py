"""How a sample of networks becomes an estimate of correlators: one record for each route."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from nnft_num.sources.hidden_rows import (
    FUNCTION_ROWS,
    METRIC_ROWS,
    functions_refusal,
    metric_map,
    readout_refusal,
)
from nnft_num.sources.neuron_rows import (
    NEURON_ROWS,
    neuron_map,
    neurons_refusal,
    sobol_refusal,
    sobol_rows,
)
from nnft_num.sources.rows import PARAMETER_ROWS, Rows
from nnft_num.statistics.cumulant_maps import CumulantMap, FieldMap
from nnft_sym.language.errors import SpecificationError

if TYPE_CHECKING:
    from nnft_num.sources.source import Source

__all__ = [
    "ASKED",
    "GAUSSIAN_LAYERS",
    "GIVEN",
    "INDEPENDENT_NEURONS",
    "METRIC_CUMULANTS",
    "RANDOMISATIONS",
    "ROUTES",
    "Choice",
    "Route",
    "choose_route",
    "find_route",
    "randomised_rows",
    "sobol_route",
]

GAUSSIAN_LAYERS = (
    "given the layer below, the fields of a Gaussian layer are N(0, C_b + C_W sum φφ/n)"
)
METRIC_CUMULANTS = (
    "given the hidden layers the fields are Gaussian: their cumulants are pairings of cumulants of "
    "the metric"
)
INDEPENDENT_NEURONS = (
    "the neurons are independent and identically distributed: G_c⁽ⁿ⁾ = N^(1-n/2) κ_n[aφ]"
)

ASKED = "asked for"
"""Why a route was taken that was named in the call."""

RANDOMISATIONS = 64
"""Randomisations of Sobol points, the groups of their jackknife."""


def _no_refusal(source: Source) -> str | None:
    return None


def _field_map(source: Source) -> FieldMap:
    return FieldMap(dimension=len(source.X) * source.plan.outputs)


def _independent(source: Source) -> CumulantMap:
    return neuron_map(source, independent=True)


def _randomised(source: Source) -> CumulantMap:
    return neuron_map(source, independent=False)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A way to sample with the law of the network.

    Parameters
    ----------
    name : str
        What users call it.
    drawn : str
        What is drawn at random.
    statistic : str
        Number kept of each network.
    assumes : tuple of str
        Laws the route takes for granted and therefore cannot test; empty for none.
    statement : str
        What makes the estimate exact, in one sentence.
    rows : Rows, optional
        How the rows that are summed are made; None for a route that cannot sample.
    refuses : callable (source) -> str or None
        Why a network has no such route, None if it has.
    cumulant_map : callable (source) -> CumulantMap
        Unbiased map from sums over rows to joint cumulants of the fields.
    unit : str
        What a row is.

    Examples
    --------
    >>> find_route("parameters").assumes
    ()
    """

    name: str
    drawn: str
    statistic: str
    assumes: tuple[str, ...]
    statement: str
    rows: Rows | None = None
    refuses: Callable[[Source], str | None] = _no_refusal
    cumulant_map: Callable[[Source], CumulantMap] = _field_map
    unit: str = "networks"

    def __post_init__(self) -> None:
        texts = (self.name, self.drawn, self.statistic, self.statement, self.unit, *self.assumes)
        if not all(text.strip() for text in texts):
            raise SpecificationError(
                expected="a name, what is drawn, a statistic and a statement",
                came=f"an empty text in route {self.name!r}",
                remedy="say how the route samples",
            )


ROUTES: Mapping[str, Route] = MappingProxyType(
    {
        route.name: route
        for route in (
            Route(
                name="parameters",
                drawn="every parameter theta from P(theta), independently for each network",
                statistic="products of the fields f_theta(x_a) at the points",
                assumes=(),
                statement=(
                    "unbiased for every P(theta) and every width: E over networks of the joint "
                    "k-statistics of f is the joint cumulant of the network's law"
                ),
                rows=PARAMETER_ROWS,
            ),
            Route(
                name="functions",
                drawn="the fields of every Gaussian layer at the points, given the layer below",
                statistic="products of the fields f(x_a) at the points",
                assumes=(GAUSSIAN_LAYERS,),
                statement=(
                    "the same law of the fields at the points: sums of centred Gaussian weights "
                    "times given numbers are jointly Gaussian, with the covariance of the sums"
                ),
                rows=FUNCTION_ROWS,
                refuses=functions_refusal,
            ),
            Route(
                name="readout",
                drawn="the hidden layers; the readout is integrated out",
                statistic="products of entries of the metric S_ab = sum_i φ_i(x_a) φ_i(x_b)/N",
                assumes=(GAUSSIAN_LAYERS, METRIC_CUMULANTS),
                statement=(
                    "unbiased: joint k-statistics of S, summed over pairings, are joint cumulants "
                    "of f by the law of total cumulance"
                ),
                rows=METRIC_ROWS,
                refuses=readout_refusal,
                cumulant_map=metric_map,
            ),
            Route(
                name="neurons",
                drawn="single neurons; their number N enters as a factor",
                statistic="products of one neuron's outputs φ(x_a), times moments of its readout",
                assumes=(INDEPENDENT_NEURONS,),
                statement=(
                    "unbiased: joint k-statistics of one term of a sum of N independent ones are "
                    "N^(k/2-1) times the joint cumulants of f"
                ),
                rows=NEURON_ROWS,
                refuses=neurons_refusal,
                cumulant_map=_independent,
                unit="neurons",
            ),
            Route(
                name="sobol",
                drawn="single neurons at scrambled Sobol points, in independent randomisations",
                statistic="products of one neuron's outputs φ(x_a), times moments of its readout",
                assumes=(INDEPENDENT_NEURONS,),
                statement=(
                    "moments are unbiased in every randomisation; the jackknife over "
                    "randomisations takes out the bias of their products up to third order in "
                    "the error"
                ),
                refuses=sobol_refusal,
                cumulant_map=_randomised,
                unit="neurons",
            ),
        )
    }
)
"""The routes that exist, by name."""

GIVEN = Route(
    name="fields",
    drawn="nothing: the fields were given",
    statistic="products of the given fields at the points",
    assumes=("the given fields are independent and identically distributed over the networks",),
    statement="unbiased for the law the fields were drawn from, whatever it is",
)
"""What an estimate says of fields that come from elsewhere; nothing can be sampled by it."""


def find_route(name: str) -> Route:
    """Look a route up by its name; ``"sobol-m"`` has 2^m points in every randomisation.

    Raises
    ------
    SpecificationError
        If there is none.
    """
    route = ROUTES.get(name) if isinstance(name, str) else None
    sized = re.fullmatch(r"sobol-([1-9]|[12][0-9]|3[01])", name) if isinstance(name, str) else None
    if sized is not None:
        route = replace(ROUTES["sobol"], name=name, rows=sobol_rows(int(sized[1])))
    if route is None:
        raise SpecificationError(
            expected=f"a route out of {', '.join(map(repr, ROUTES))}",
            came=f"{name!r}",
            remedy="use route='parameters', which holds for every network",
        )
    return route


def sobol_route(neurons: int) -> Route:
    """Sobol route with at least so many neurons over all randomisations.

    Examples
    --------
    >>> sobol_route(100_000).name
    'sobol-11'
    """
    return find_route(f"sobol-{max(1, (-(-neurons // RANDOMISATIONS) - 1).bit_length())}")


def randomised_rows(route: Route, first: int = 0) -> int:
    """Rows of all randomisations of a sized Sobol route, counted from ``first``.

    Raises
    ------
    SpecificationError
        If ``first`` is not the first point of a randomisation.

    Examples
    --------
    >>> randomised_rows(find_route("sobol-11"))
    131072
    """
    points = 1 << int(route.name.removeprefix("sobol-"))
    if first % points:
        raise SpecificationError(
            expected=f"first= a multiple of the {points} points of a randomisation",
            came=f"{first}",
            remedy="pass the number of neurons of the run before, of the same size",
        )
    return RANDOMISATIONS * points


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A route and why it was taken.

    Parameters
    ----------
    route : Route
        The route.
    reason : str
        Why.
    """

    route: Route
    reason: str


_PREFERENCE = ("sobol", "neurons", "readout", "functions", "parameters")
"""Routes by what they know of a correlator for the same work, as measured."""


def choose_route(
    name: str,
    source: Source,
    orders: Iterable[int],
    testing: Iterable[str] = (),
    *,
    grows: bool = False,
) -> Choice:
    """Take the route asked for, or for ``"auto"`` the best that tests what is asked.

    Parameters
    ----------
    name : str
        Name of a route or ``"auto"``.
    source : Source
        The network by any route.
    orders : iterable of int
        Orders to estimate.
    testing : iterable of str
        Laws the estimate is to test: routes that assume one of them are passed over.
    grows : bool
        Whether the number of rows is not known before the run.

    Raises
    ------
    SpecificationError
        If the route does not hold for the network or an order.
    """
    wanted, questions = tuple(orders), frozenset(testing)
    if name != "auto":
        route = find_route(name)
        refusal = _refusal(route, source, wanted, grows)
        if refusal is not None:
            raise SpecificationError(
                expected=f"a network with a route {name!r}",
                came=refusal,
                remedy="use route='parameters', which holds for every network, or route='auto'",
            )
        return Choice(route=route, reason=ASKED)
    passed = []
    for candidate in _PREFERENCE:
        route = ROUTES[candidate]
        if candidate == "functions" and len(source.plan.layers) == 1:
            passed.append("functions: nothing to gain with one hidden layer")
            continue
        shared = [law for law in route.assumes if law in questions]
        refusal = f"assumes what is tested, {shared[0]}" if shared else None
        refusal = refusal or _refusal(route, source, wanted, grows)
        if refusal is None:
            reason = "; ".join(["the best route that holds here and tests what is asked", *passed])
            return Choice(route=route, reason=reason)
        passed.append(f"{candidate}: {refusal}")
    raise AssertionError("the route over parameters holds for every network")


def _refusal(route: Route, source: Source, orders: tuple[int, ...], grows: bool) -> str | None:
    refusal = route.refuses(source)
    if refusal is None and grows and route.name.startswith("sobol"):
        refusal = "the number of points of every randomisation is fixed before the run to a target"
    if refusal is not None:
        return refusal
    cumulant_map = route.cumulant_map(source)
    for order in orders:
        try:
            cumulant_map.highest(order)
        except SpecificationError as error:
            return f"{error.came}, while it gives {error.expected}"
    return None
