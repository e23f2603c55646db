"""What users call: estimates of correlators, raw fields, and the confrontation with theory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from nnft_num.compiling import compile_plan
from nnft_num.confrontation.checking import Report, confront
from nnft_num.estimates.estimate import Estimate, estimate_of, wanted_orders
from nnft_num.estimates.targets import Target
from nnft_num.given.fields import estimate_given
from nnft_num.kernels.draws import key_from_rng
from nnft_num.routes import (
    INDEPENDENT_NEURONS,
    METRIC_CUMULANTS,
    RANDOMISATIONS,
    choose_route,
    randomised_rows,
    sobol_route,
)
from nnft_num.runs.executing import ExecutorLike
from nnft_num.runs.layouts import GROUPS
from nnft_num.runs.sampling import new_run, sample_fields, sample_sums
from nnft_num.sources.source import Source
from nnft_num.storage.store import Checkpoints
from nnft_sym.correlators import Correlator, Evaluation
from nnft_sym.cumulants import cumulant
from nnft_sym.exactness import Kind
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import NNFTError, NotDerivedError, SpecificationError
from nnft_sym.networks import Network

_NETWORKS = 10**5
_MOST = 10**8

__all__ = [
    "NNFTError",
    "check",
    "correlators",
    "estimate",
    "evaluated",
    "last_width",
    "merged",
    "sample",
    "tested_laws",
]


def correlators(
    net: Network,
    X: ArrayLike,
    orders: int | Iterable[int] = (2, 4),
    networks: int | None = None,
    rng: Any = None,
    *,
    target: float | None = None,
    store: str | PathLike[str] | None = None,
    first: int = 0,
    route: str = "parameters",
    testing: Iterable[str] = (),
    precision: str = "single",
    executor: ExecutorLike = None,
    progress: bool | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> Estimate:
    """Estimate the connected correlators of a network by sampling, with jackknife errors.

    Parameters
    ----------
    net : Network
        The ensemble of networks.
    X : array_like, shape (n, d)
        Points; (n,) is read as d = 1.
    orders : iterable of int
        Orders to estimate, each from 1 to 8.
    networks : int
        Number of networks to draw, 10⁵ by default; with a target the most that are drawn, 10⁸ by
        default. Of neurons by the routes ``"neurons"`` and ``"sobol"``, the latter rounded up to
        64 powers of two.
    rng : None, int, numpy.random.SeedSequence or numpy.random.Generator
        Seed of the draws; the same seed gives the same bits.
    target : float
        Relative error to reach: sampling stops when for each order the largest standard error is
        below it times the largest entry. At most 0.2.
    store : path
        File that keeps the run, .nc for netCDF or .zarr for Zarr. The same call goes on where it
        was interrupted, and gives the same bits as without interruption; ``rng=None`` then takes
        the seed from the file.
    first : int
        Index of the first network: runs over other networks of the same seed merge.
    route : str
        How networks are sampled: ``"parameters"``, which holds for every network, ``"functions"``,
        ``"readout"``, ``"neurons"``, ``"sobol"``, or ``"auto"`` for the best that holds.
    testing : iterable of str
        Laws the estimate is to test, out of what routes assume; ``"auto"`` passes over routes that
        assume one of them.
    precision : str
        Arithmetic of the fields: ``"double"``, or ``"single"`` where a few networks agree with
        double precision. ``est.precision`` tells which was taken; sums are always double.
    executor : concurrent.futures.Executor or function that makes one, optional
        Where the work runs; threads of our own by default. A function is called again if the
        executor breaks.
    progress : bool, optional
        Whether to show a progress bar; by default in long runs on a terminal.
    params, **values
        Values of the network's parameters, by mapping or keyword.

    Returns
    -------
    Estimate
        ``est[k].mean`` and ``est[k].error`` over the points; ``est.full[k]``; covariances.

    Raises
    ------
    SpecificationError
        If points, parameters, orders or counts are impossible.
    AccuracyError
        If the target is not reached; its ``estimate`` holds what was.
    StorageError
        If the file is foreign, damaged, of another run, or cannot be written.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> est = correlators(nn.cos_net(), [0.0, 1.0], networks=2000, rng=0, N=3, sigma_w=1, sigma_v=1)
    >>> est[4].mean.shape, bool(abs(est[2].mean[0, 0] - 0.5) < 5 * est[2].error[0, 0])
    ((2, 2, 2, 2), True)
    """
    wanted = wanted_orders(orders)
    points, numbers = net.points(X), net.bind(merged(params, values))
    source = Source(plan=compile_plan(net), X=points, params=numbers, precision=precision)
    choice = choose_route(route, source, wanted, testing, grows=target is not None)
    limit = (_MOST if target is not None else _NETWORKS) if networks is None else networks
    chosen, groups = choice.route, GROUPS
    if chosen.name == "sobol":
        chosen = sobol_route(limit)
    if chosen.name.startswith("sobol-"):
        groups, limit = RANDOMISATIONS, randomised_rows(chosen, first)
    source = replace(source, route=chosen.name).settled
    cumulant_map = chosen.cumulant_map(source)
    keeper = None if store is None else Checkpoints(store, wanted, choice.reason)
    known = keeper.key() if keeper is not None and rng is None else None
    run = new_run(
        source,
        networks=limit if target is None else None,
        max_order=max(cumulant_map.highest(order) for order in wanted),
        key=known or key_from_rng(rng),
        first=first,
        groups=groups,
    )
    sums = sample_sums(
        run,
        executor=executor,
        progress=progress,
        keeper=keeper,
        enough=None if target is None else Target(target, wanted, limit, choice.reason),
    )
    return estimate_of(sums.moments(), wanted, sums.provenance(), choice.reason)


def sample(
    net: Network,
    X: ArrayLike,
    networks: int = 1000,
    rng: Any = None,
    *,
    precision: str = "single",
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> NDArray[np.float64]:
    """Raw fields f_j(x_a) of independent networks.

    Parameters
    ----------
    net, X, networks, rng, precision, params, **values
        As in :func:`correlators`.

    Returns
    -------
    ndarray, shape (networks, n, D)

    Raises
    ------
    SpecificationError
        If points, parameters or counts are impossible, or a field is not finite.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> sample(nn.cos_net(), [0.0, 1.0], networks=5, rng=0, N=3, sigma_w=1, sigma_v=1).shape
    (5, 2, 1)
    """
    points, numbers = net.points(X), net.bind(merged(params, values))
    key = key_from_rng(rng)
    return sample_fields(compile_plan(net), points, networks, key, numbers, precision=precision)


def estimate(
    f: Any,
    orders: int | Iterable[int] = (2, 4),
    *,
    points: int | None = None,
    variable: str | None = None,
) -> Estimate:
    """Estimate connected correlators of fields from anywhere.

    Parameters
    ----------
    f : array_like, path, or iterable of arrays
        Fields of shape (networks, n) or (networks, n, D), independent and identically distributed
        over the first axis: an array of numpy, torch, JAX or whatever numpy can read; a file .npy,
        .npz or .nc; or an iterator over arrays of so many networks each, such as a generator.  Of
        files, memory-mapped arrays and iterators only the sums are kept in memory.  A list is
        stacked to one array.  Rows that depend on one another make the errors too small and are
        not noticed.
    orders : iterable of int
        Orders to estimate, each from 1 to 8.
    points : int, optional
        n, to be checked; needed with an iterator.
    variable : str, optional
        Which array of a file that holds several.

    Returns
    -------
    Estimate

    Raises
    ------
    SpecificationError
        If the shape is wrong, a value is not finite, or there are too few networks.
    StorageError
        If a file is missing or damaged.

    Examples
    --------
    >>> import numpy as np
    >>> f = np.random.default_rng(0).normal(size=(1000, 3))
    >>> estimate(f)[4].mean.shape
    (3, 3, 3, 3)
    >>> pieces = (f[start : start + 300] for start in range(0, 1000, 300))
    >>> bool((estimate(pieces, points=3)[2].mean == estimate(f)[2].mean).all())
    True
    """
    return estimate_given(f, orders, points=points, variable=variable)


def check(
    net: Network,
    X: ArrayLike,
    orders: int | Iterable[int] = (2, 4),
    networks: int | None = None,
    rng: Any = None,
    *,
    level: float = 0.01,
    resolution: float = 5.0,
    estimate: Estimate | None = None,
    target: float | None = None,
    store: str | PathLike[str] | None = None,
    route: str = "parameters",
    precision: str = "single",
    executor: ExecutorLike = None,
    progress: bool | None = None,
    family: int | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> Report:
    """Confront the theory of a network with a sample of networks.

    For every distinct entry of G_c⁽ⁿ⁾ the report holds pull = (theory - estimate)/error and
    resolution = scale/error, both with the theory's own error included, and a verdict.

    Parameters
    ----------
    net, X, orders, networks, rng, target, store
        As in :func:`correlators`.
    route, precision, executor, progress, params, **values
        As in :func:`correlators`.
    level : float
        α: probability, at most, that any entry of a right theory is said to disagree.
    resolution : float
        Resolution below which an entry is unresolved.
    estimate : Estimate, optional
        An estimate to confront instead of a sample of our own: one output of
        :func:`correlators` or :func:`estimate` at the same points.

    family : int, optional
        Number of comparisons the level is for, where this report is one of several; that of its
        own entries if not given.

    Returns
    -------
    Report
        ``report.verdict`` is "agree", "disagree" or "unresolved".

    Raises
    ------
    SpecificationError
        If points, parameters, orders or counts are impossible.
    NotDerivedError
        If a correlator is not derived, or is truncated in 1/n: see :func:`nnft_num.sweep`.
    AccuracyError, InfiniteMomentError
        If the theory has no number to give at these points, or the target is not reached.
    StorageError
        As in :func:`correlators`.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> report = check(nn.cos_net(), [0.0, 1.0], networks=10**4, rng=0, N=2, sigma_w=1, sigma_v=1)
    >>> str(report.verdict)
    'agree'
    """
    wanted = wanted_orders(orders)
    given = merged(params, values)
    points, numbers = net.points(X), net.bind(given)
    theory, variances = evaluated(net, points, wanted, numbers)
    if estimate is None:
        estimate = correlators(
            net,
            points,
            wanted,
            networks,
            rng,
            target=target,
            store=store,
            route=route,
            testing=tested_laws(net),
            precision=precision,
            executor=executor,
            progress=progress,
            params=numbers,
        )
    return confront(
        theory,
        estimate,
        variances=variances,
        width=last_width(net, numbers),
        network=net.name,
        params=numbers,
        X=points,
        level=level,
        resolution=resolution,
        family=family,
    )


def tested_laws(net: Network) -> tuple[str, ...]:
    """Laws the theory of a network rests on, which a route that confronts it should not assume."""
    return (INDEPENDENT_NEURONS,) if net.depth == 1 else (METRIC_CUMULANTS,)


def evaluated(
    net: Network, X: NDArray[np.float64], orders: Iterable[int], params: Mapping[str, Any]
) -> tuple[dict[int, Evaluation], NDArray[np.float64]]:
    """Evaluate theory that is exact at finite width, and the variances G⁽²⁾_aa of the fields.

    Raises
    ------
    NotDerivedError
        If the theory of an order is not derived or is truncated in 1/n.
    """
    theory: dict[int, Evaluation] = {}
    for order in dict.fromkeys((*orders, 2)):
        with _context(f"for order {order} of {net.name}"):
            limit = order == 2 and net.depth > 1
            formula: Correlator = kernel(net) if limit else cumulant(net, order)
            if formula.exactness.kind is Kind.TRUNCATED:
                raise NotDerivedError(
                    expected="a theory that is exact at the width of the sample",
                    came=f"{formula.name} of {net.name}: {formula.exactness}",
                    remedy="confront it over a sweep of widths with nm.sweep(net, X, widths=...)",
                )
            theory[order] = formula.evaluate(X, params=params)
    second = theory[2].values
    variances = second.gather(np.arange(second.dimension)[:, None].repeat(2, axis=1))
    return {order: theory[order] for order in orders}, variances


def last_width(net: Network, params: Mapping[str, Any]) -> int:
    """Width of the last hidden layer."""
    width = net.widths[-1]
    return int(width.xreplace({s: sp.Integer(params[s.name]) for s in width.free_symbols}))


@contextmanager
def _context(words: str) -> Iterator[None]:
    try:
        yield
    except NNFTError as error:
        error.add_note(words)
        raise


def merged(params: Mapping[str, Any] | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters given as a mapping and by keyword, each at most once."""
    twice = sorted(set(params or {}) & set(values))
    if twice:
        raise SpecificationError(
            expected="each parameter once",
            came=f"{', '.join(twice)} both in params and as a keyword",
            remedy="drop one of them",
        )
    return {**(params or {}), **values}
