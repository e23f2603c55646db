"""How a sample of networks becomes an estimate of correlators: one record for each route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nnft_num.rows import PARAMETER_ROWS, Rows
from nnft_sym.language.errors import SpecificationError

__all__ = ["GIVEN", "ROUTES", "Route", "find_route"]


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

    def __post_init__(self) -> None:
        texts = (self.name, self.drawn, self.statistic, self.statement, *self.assumes)
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
    """Look a route up by its name.

    Raises
    ------
    SpecificationError
        If there is none.
    """
    route = ROUTES.get(name) if isinstance(name, str) else None
    if route is None:
        raise SpecificationError(
            expected=f"a route out of {', '.join(map(repr, ROUTES))}",
            came=f"{name!r}",
            remedy="use route='parameters', which holds for every network",
        )
    return route
