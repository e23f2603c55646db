"""Tangent kernels of sampled networks, and their confrontation with the derived mean.

Θ_ij(x_a, x_b) = sum_p ∂f_i(x_a)/∂θ_p ∂f_j(x_b)/∂θ_p differs from network to network.  Its mean is
the derived kernel at every width for one hidden layer; deeper networks have a bias of relative
order 1/n (``tangent_sweeps``).

Where a neuron jumps, φ' has a delta function.  A sampled network does not show it, as its gradients
are zero at almost every point; the mean of Θ has it, and is infinite at coincident points.  The
sample then does not estimate the mean, which is said and never passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.confrontation.checking import Report, rare_entries
from nnft_num.confrontation.order_reports import OrderReport
from nnft_num.confrontation.verdicts import Criterion, gaussian_freedom, skewness
from nnft_num.estimates.estimate import Estimate, wanted_orders
from nnft_num.estimates.tangents import GRADIENTS, TangentEstimate
from nnft_num.front import merged
from nnft_num.kernels.draws import key_from_rng
from nnft_num.runs.executing import ExecutorLike
from nnft_num.runs.sampling import sample_moments
from nnft_num.sources.tangents import TangentSource
from nnft_num.tangents.differentiating import compile_tangent, leaps
from nnft_sym.correlators import Correlator
from nnft_sym.exactness import Kind
from nnft_sym.language.errors import InfiniteMomentError, NotDerivedError, SpecificationError
from nnft_sym.networks import Network
from nnft_sym.tangent import Parametrisation, ntk
from nnft_sym.tensors import SymmetricTensor, multi_indices

__all__ = [
    "TangentReport",
    "check_ntk",
    "evaluated_ntk",
    "require_seen",
    "tangent",
    "tangent_report",
]


def tangent(
    net: Network,
    X: ArrayLike,
    networks: int = 10**4,
    rng: Any = None,
    *,
    parametrisation: Parametrisation = "ntk",
    orders: int | Iterable[int] = (1, 2),
    jumps: str = "refuse",
    executor: ExecutorLike = None,
    progress: bool | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> TangentEstimate:
    """Estimate the tangent kernel of a network by sampling: Θ_ij(x_a, x_b) = ∂f_i(x_a)·∂f_j(x_b).

    The networks are those of :func:`nnft_num.correlators` and :func:`nnft_num.sample` with the same
    seed; the gradients with respect to all their parameters are exact.

    Parameters
    ----------
    net : Network
        The ensemble of networks: any depth, neurons, densities and number of outputs.
    X : array_like, shape (n, d)
        Points; (n,) is read as d = 1.
    networks : int
        Number of networks to draw.
    rng : None, int, numpy.random.SeedSequence or numpy.random.Generator
        Seed of the draws; the same seed gives the same bits.
    parametrisation : {"ntk", "standard"}
        Gradients in standardised parameters (W = σ_w ω in z = Wh/√fan_in + b), or in the weights
        w = W/√fan_in and biases themselves.
    orders : iterable of int
        Joint cumulants of the entries of Θ to estimate, 1 (the mean) among them; 2, the covariance
        of all pairs of entries, takes memory ~ (n D)⁴.
    jumps : {"refuse", "ignore"}
        What to do with activations that jump: ``"ignore"`` leaves the delta functions of φ' out,
        which gives the kernel a gradient descent sees, but not one with the mean of :func:`ntk`.
    executor, progress, params, **values
        As in :func:`nnft_num.correlators`.

    Returns
    -------
    TangentEstimate
        ``est.mean`` and ``est.error`` over the points; ``est.variance`` over networks.

    Raises
    ------
    SpecificationError
        If points, parameters or counts are impossible.
    NotDerivedError
        If an activation jumps, and the mean of Θ is not what samples show.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> est = tangent(nn.cos_net(), [0.0, 1.0], networks=2000, rng=0, N=3, sigma_w=1, sigma_v=1)
    >>> theory = nn.ntk(nn.cos_net()).tensor([0.0, 1.0], sigma_w=1, sigma_v=1)
    >>> est.mean.shape, bool((abs(est.mean - theory) < 4 * est.error).all())
    ((2, 2), True)
    """
    if jumps not in ("refuse", "ignore"):
        raise SpecificationError(
            expected='jumps "refuse" or "ignore"',
            came=f"{jumps!r}",
            remedy='"ignore" leaves the delta functions of slopes out',
        )
    wanted = wanted_orders(orders)
    if 1 not in wanted:
        raise SpecificationError(
            expected="order 1, the mean, among the orders",
            came=f"{wanted}",
            remedy="pass orders=(1, 2), say",
        )
    points, numbers = net.points(X), net.bind(merged(params, values))
    plan = compile_tangent(net, parametrisation)
    if jumps == "refuse":
        require_seen(net)
    key = key_from_rng(rng)
    moments = sample_moments(
        TangentSource(plan=plan, X=points, params=numbers),
        networks=networks,
        max_order=wanted[-1],
        key=key,
        executor=executor,
        progress=progress,
    )
    return TangentEstimate(
        entries=Estimate(
            moments=moments,
            orders=wanted,
            points=moments.dimension,
            outputs_count=1,
            route=GRADIENTS,
            plan_hash=plan.hash,
            key=key,
        ),
        points=len(points),
        outputs_count=net.outputs,
        parametrisation=parametrisation,
        unseen=leaps(net),
    )


def require_seen(net: Network) -> None:
    """Refuse networks whose mean tangent kernel samples do not show.

    Raises
    ------
    NotDerivedError
        If a neuron jumps.
    """
    unseen = leaps(net)
    if unseen:
        raise NotDerivedError(
            expected="activations without jumps: gradients of samples do not show the delta "
            "functions that the mean of the tangent kernel has, infinite at coincident points",
            came=", ".join(unseen),
            remedy="smooth the jump, as with erf(10*z) for sign(z), or take nm.tangent(..., "
            "jumps='ignore') for the kernel without them",
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TangentReport(OrderReport):
    """Derived mean of a tangent kernel against samples, entry by entry over the n·D fields.

    Parameters
    ----------
    unseen : tuple of str
        Layers whose neurons jump; with one, no entry of the sample estimates the theory.
    """

    unseen: tuple[str, ...] = ()

    @property
    def infinite(self) -> SymmetricTensor:
        """Entries where the mean of the kernel is infinite."""
        return self.theory.map(np.isinf)

    @cached_property
    def scale(self) -> SymmetricTensor:
        """The largest finite |theory|, or the natural scale if there is none."""
        largest = _largest(self.theory)
        if largest == 0 or self.vanishes:
            return self.natural
        return self.theory.map(lambda entries: np.full(len(entries), largest))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why entries are unresolved, and what would resolve them."""
        if not self.unseen:
            return super().reasons
        count, infinite = len(self.theory), int(np.sum(self.infinite.entries))
        words = f"the jumps of {', '.join(self.unseen)}, which no sampled gradient shows"
        finite = f"in {count - infinite} of {count} entries the theory has a part from {words}"
        return (f"infinite in {infinite} of {count} entries", finite)


def check_ntk(
    net: Network,
    X: ArrayLike,
    networks: int = 10**4,
    rng: Any = None,
    *,
    parametrisation: Parametrisation = "ntk",
    level: float = 0.01,
    resolution: float = 5.0,
    estimate: TangentEstimate | None = None,
    executor: ExecutorLike = None,
    progress: bool | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> Report:
    """Confront the derived tangent kernel of a network with a sample of networks.

    The entries of E Θ_ij(x_a, x_b), exact at every width for one hidden layer, have a pull, a
    resolution and a verdict each, as in :func:`nnft_num.check`.  For activations that jump, as step
    and sign, the report names the infinite entries, and all are unresolved: gradients of sampled
    networks do not show the delta functions of φ'.

    Parameters
    ----------
    net, X, networks, rng, parametrisation, executor, progress, params, **values
        As in :func:`tangent`.
    level, resolution
        As in :func:`nnft_num.check`.
    estimate : TangentEstimate, optional
        An estimate to confront instead of a sample of our own.

    Returns
    -------
    Report
        With one :class:`TangentReport`, of order 2.

    Raises
    ------
    SpecificationError
        If points, parameters or counts are impossible, or the estimate does not match them.
    NotDerivedError
        If the kernel is not derived, or is a limit of infinite width: see
        :func:`nnft_num.sweep_ntk`.
    AccuracyError, InfiniteMomentError
        If the theory has no number to give at these points.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> report = check_ntk(nn.relu_net(), [-0.5, 1.0], networks=10**4, rng=0,
    ...                    N=2, sigma_w=1, sigma_b=0.5, sigma_v=1)
    >>> str(report.verdict)
    'agree'
    """
    theory = ntk(net, parametrisation=parametrisation)
    if theory.exactness.kind is Kind.TRUNCATED:
        raise NotDerivedError(
            expected="a theory that is exact at the width of the sample",
            came=f"{theory.name} of {net.name}: {theory.exactness}",
            remedy="confront it over a sweep of widths with nm.sweep_ntk(net, X, widths=...)",
        )
    points, numbers = net.points(X), net.bind(merged(params, values))
    unseen = leaps(net)
    expected, bound = evaluated_ntk(theory, points, numbers, unseen)
    if estimate is None:
        estimate = tangent(
            net,
            points,
            networks,
            rng,
            parametrisation=parametrisation,
            orders=1,
            jumps="ignore",
            executor=executor,
            progress=progress,
            params=numbers,
        )
    criterion = Criterion(level=level, resolution=resolution, family=len(expected))
    return tangent_report(
        net, points, numbers, parametrisation, expected, bound, estimate, criterion
    )


def evaluated_ntk(
    theory: Correlator,
    X: NDArray[np.float64],
    params: Mapping[str, Any],
    unseen: tuple[str, ...],
) -> tuple[SymmetricTensor, SymmetricTensor]:
    """Evaluate E Θ and the bound of its error over the fields; infinite where jumps make it so."""
    if not unseen:
        found = theory.evaluate(X, params=params)
        return found.values, found.errors
    outputs = theory.outputs
    fields = len(X) * outputs
    indices = multi_indices(2, fields)
    entries = np.empty(len(indices))
    for rank, pair in enumerate(indices):
        a, b = pair // outputs
        i, j = (int(output) for output in pair % outputs)
        try:
            entries[rank] = theory.entries(X, [[a, b]], outputs=(i, j), params=params)[0]
        except InfiniteMomentError:
            entries[rank] = np.inf
    return SymmetricTensor(2, fields, entries), SymmetricTensor(2, fields, np.zeros(len(entries)))


def tangent_report(
    net: Network,
    X: NDArray[np.float64],
    params: Mapping[str, Any],
    parametrisation: Parametrisation,
    theory: SymmetricTensor,
    bound: SymmetricTensor,
    estimate: TangentEstimate,
    criterion: Criterion,
) -> Report:
    """Compare E Θ with an estimate, entry by entry.

    Raises
    ------
    SpecificationError
        If they are over other points or outputs, or of another parametrisation.
    """
    mine = (len(X), net.outputs, parametrisation)
    its = (estimate.points, estimate.outputs_count, estimate.parametrisation)
    if mine != its:
        raise SpecificationError(
            expected=f"an estimate over {mine[0]} points, {mine[1]} outputs, {mine[2]}",
            came=f"{its[0]} points, {its[1]} outputs, {its[2]}",
            remedy="estimate with nm.tangent at the points of the theory",
        )
    unseen = leaps(net)
    formula = ntk(net, parametrisation=parametrisation)
    groups, found = estimate.entries.groups, estimate.kernel
    diagonal = np.abs(theory.gather(np.arange(theory.dimension)[:, None].repeat(2, axis=1)))
    finite = np.isfinite(diagonal)
    diagonal[~finite] = np.max(diagonal, where=finite, initial=_largest(theory))
    natural = np.sqrt(np.prod(diagonal[multi_indices(2, theory.dimension)], axis=1))
    none = theory.map(np.zeros_like)
    order = TangentReport(
        order=2,
        points=estimate.points,
        outputs=estimate.outputs_count,
        theory=theory,
        theory_error=bound,
        estimate=found.tensor,
        error=found.error_tensor,
        freedom=found.freedom.map(
            lambda own: np.minimum(own, gaussian_freedom(2, estimate.networks))
        ),
        skew=SymmetricTensor(2, theory.dimension, skewness(found.deviations)),
        heavy_tailed=found.heavy_tailed,
        sparse=none.map(lambda own: (rare_entries(found, groups) & (natural > 0)) | bool(unseen)),
        floor=none,
        natural=SymmetricTensor(2, theory.dimension, natural),
        exactness=str(formula.exactness),
        networks=estimate.networks,
        groups=groups,
        criterion=criterion,
        deviations=found.deviations,
        formula=formula,
        unseen=unseen,
    )
    return Report(
        network=f"tangent kernel ({parametrisation}) of {net.name}",
        params=dict(params),
        X=X,
        orders=(order,),
        criterion=criterion,
        networks=estimate.networks,
        groups=groups,
        route=estimate.entries.route.name,
        precision=TangentSource.precision,
        plan_hash=estimate.entries.plan_hash,
        key=estimate.entries.key,
    )


def _largest(theory: SymmetricTensor) -> float:
    """Largest finite |theory|, 0 if there is none."""
    sizes = np.abs(theory.entries)
    return float(np.max(sizes, where=np.isfinite(sizes), initial=0.0))
