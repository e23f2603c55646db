"""Given fields against theory: one or several correlators, and the fields of any program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.confrontation.checking import Report, confront
from nnft_num.estimates.correlator import CorrelatorEstimate
from nnft_num.estimates.estimate import Estimate
from nnft_num.front import last_width, merged
from nnft_num.given.fields import estimate_given
from nnft_sym.correlators import Correlator, Evaluation
from nnft_sym.cumulants import cumulant
from nnft_sym.exactness import Kind
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.networks import Network

__all__ = ["check_fields"]

_SAME = 1e-9
"""Relative difference below which two evaluations are of the same formula."""


def check_fields(
    correlators: Correlator | Iterable[Correlator],
    fields: Any,
    X: ArrayLike,
    *,
    level: float = 0.01,
    resolution: float = 5.0,
    variable: str | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> Report:
    """Confront correlators with the fields of networks from any program.

    Connected correlators are compared with the joint cumulants of the fields; a kernel
    E[f f] of fields that have a mean with their second moments.

    Parameters
    ----------
    correlators : Correlator or iterable of Correlator
        Of one order each, exact at the width of the networks: ``nn.cumulant(net, 4)``,
        ``nn.kernel(net)``, ...
    fields : array_like, path, iterable of arrays, or Estimate
        As in :func:`nnft_num.estimate`: f_j(x_a) of independent networks, with the networks first.
        Rows that depend on one another, such as steps of one training run, make the errors too
        small and are not noticed.
    X : array_like, shape (n, d)
        Points at which the fields were taken.
    level, resolution : float
        As in :func:`nnft_num.check`.
    variable : str, optional
        Which array, where a file holds several.
    params, **values
        Values of all parameters of the network.

    Returns
    -------
    Report
        ``report.verdict`` is "agree", "disagree" or "unresolved".

    Raises
    ------
    SpecificationError
        If fields, points, orders or parameters do not fit together, or are impossible.
    NotDerivedError
        If a correlator is truncated in 1/n.
    StorageError
        If a file is missing or damaged.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> rng, X = np.random.default_rng(0), np.array([0.0, 1.0])
    >>> w, a = rng.normal(size=(2, 20000, 3, 1))  # 20000 networks of width 3
    >>> b = rng.uniform(-np.pi, np.pi, size=(20000, 3, 1))
    >>> f = np.sum(a * np.cos(w * X + b), axis=1) / np.sqrt(3)
    >>> net = nn.cos_net()
    >>> report = check_fields(nn.kernel(net), f, X=X, N=3, sigma_w=1, sigma_v=1)
    >>> str(report.verdict)
    'agree'
    """
    asked = _by_order(correlators)
    first = next(iter(asked.values())).networks[0]
    given, points = merged(params, values), first.points(X)
    if isinstance(fields, Estimate):
        if variable is not None:
            raise SpecificationError(
                expected="variable= with a file alone",
                came=f"variable={variable!r} with an estimate",
                remedy="leave it out",
            )
        estimate = fields
    else:
        estimate = estimate_given(fields, tuple(asked), points=len(points), variable=variable)
    networks = tuple(dict.fromkeys(net for c in asked.values() for net in c.networks))
    numbers = _bound(networks, given)
    theory = {k: c.evaluate(points, params=_of(c, given)) for k, c in asked.items()}
    connected = _connected(networks, points, given)
    whole = 2 in theory and _is_second_moment(theory[2], connected, networks, points, given)
    second = connected.values
    return confront(
        theory,
        _Compared.of(estimate) if whole else estimate,
        variances=second.gather(np.arange(second.dimension)[:, None].repeat(2, axis=1)),
        width=last_width(first, numbers),
        network=" + ".join(net.name for net in networks),
        params=numbers,
        X=points,
        level=level,
        resolution=resolution,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Compared(Estimate):
    """An estimate whose order 2 is the second moment E[f f] in place of the covariance."""

    @classmethod
    def of(cls, estimate: Estimate) -> _Compared:
        return cls(**{name: getattr(estimate, name) for name in estimate.__dataclass_fields__})

    def __getitem__(self, order: int) -> CorrelatorEstimate:
        return self.full[2] if order == 2 else super().__getitem__(order)


def _by_order(correlators: Correlator | Iterable[Correlator]) -> dict[int, Correlator]:
    listed: list[Any] = list(correlators) if isinstance(correlators, Iterable) else [correlators]
    if not listed or not all(isinstance(item, Correlator) for item in listed):
        kinds = ", ".join(type(item).__name__ for item in listed) or "none"
        raise SpecificationError(
            expected="one or several correlators",
            came=kinds,
            remedy="pass nn.cumulant(net, 4), say, or a list of such",
        )
    orders = [item.order for item in listed]
    if len(set(orders)) < len(orders):
        raise SpecificationError(
            expected="one correlator of each order",
            came=f"orders {', '.join(map(str, orders))}",
            remedy="check them one by one, or add those of independent networks with +",
        )
    for item in listed:
        parts = item.name.split("+")
        if not all(part.startswith("G") for part in parts):
            raise SpecificationError(
                expected="a correlator of the fields: nn.kernel(net) or nn.cumulant(net, k)",
                came=f"{item!r}",
                remedy="a tangent kernel is confronted with nm.check_ntk",
            )
        if item.exactness.kind is Kind.TRUNCATED:
            raise NotDerivedError(
                expected="a theory that is exact at the width of the fields",
                came=f"{item!r}",
                remedy="confront it over a sweep of widths with nm.sweep(net, X, widths=...)",
            )
    return dict(sorted((item.order, item) for item in listed))


def _bound(networks: tuple[Network, ...], given: Mapping[str, Any]) -> dict[str, float | int]:
    """Values of the parameters of all networks; a name that none of them has is refused."""
    numbers: dict[str, float | int] = {}
    for net in networks:
        numbers |= net.bind(_of(net, given))
    unknown = {name: value for name, value in given.items() if name not in numbers}
    return numbers | networks[0].bind(unknown, partial=True)


def _of(known: Network | Correlator, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that are parameters of one network or correlator."""
    networks = (known,) if isinstance(known, Network) else known.networks
    names = set(known.parameters).union(*(net.parameters for net in networks))
    return {name: value for name, value in given.items() if name in names}


def _connected(
    networks: tuple[Network, ...], points: NDArray[np.float64], given: Mapping[str, Any]
) -> Evaluation:
    """Covariance of the sum of the fields of independent networks."""
    total = sum((cumulant(net, 2) for net in networks[1:]), start=cumulant(networks[0], 2))
    return total.evaluate(points, params=_of(total, given))


def _is_second_moment(
    theory: Evaluation,
    connected: Evaluation,
    networks: tuple[Network, ...],
    points: NDArray[np.float64],
    given: Mapping[str, Any],
) -> bool:
    """Whether the theory is E[f f] of one network whose fields have a mean."""
    if len(networks) > 1:
        return False
    whole = kernel(networks[0])
    second = whole.evaluate(points, params=_of(whole, given)).values.entries
    near = _SAME * np.max(np.abs(second), initial=0.0)
    means = np.max(np.abs(second - connected.values.entries)) > near
    return bool(means and np.max(np.abs(second - theory.values.entries)) <= near)
