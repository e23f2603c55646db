"""Effective local couplings from samples: the fit of λ to sampled four-point functions.

Weighted alike for all entries of the dense tensor, the fit is linear in the sample, so that its
errors follow from the groups of the jackknife and it is on average the fit to the exact
correlator, whether or not local interactions describe it and whether or not entries fluctuate
independently.  Weighted with the covariance of the sample it has smaller errors and a χ².
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from nnft_num.confrontation.verdicts import Criterion, Verdict, gaussian_freedom, joined
from nnft_num.estimates.correlator import CorrelatorEstimate
from nnft_num.estimates.estimate import Estimate
from nnft_num.front import correlators, merged
from nnft_num.reporting import reports
from nnft_num.runs.executing import ExecutorLike
from nnft_num.statistics.tails import effective_freedom
from nnft_sym.actions.local_couplings import LocalCouplings, fit_local_couplings
from nnft_sym.actions.local_responses import (
    INTERACTIONS,
    Interaction,
    LocalResponse,
    local_response,
)
from nnft_sym.cumulants import cumulant
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Cell, Judged, Shown, Table
from nnft_sym.networks import Network
from nnft_sym.tensors import SymmetricTensor

__all__ = ["LocalFit", "Weights", "local_fit"]

Weights = Literal["tensor", "covariance"]
"""All entries of the dense tensor alike, or by the covariance of the sample."""

SINGULAR = 1e-6
"""Eigenvalues of correlations of entries below this make their covariance useless as weights."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalFit(Shown):
    """Local couplings fitted to a sampled G_c⁽⁴⁾, and the same fit to the exact one.

    Parameters
    ----------
    sampled : LocalCouplings
        λ with errors, in the convention S = λ f⁴; the misfit, and χ² where there is one, tell
        whether local interactions suffice.
    theory : LocalCouplings
        The fit with the same weights to the exact G_c⁽⁴⁾.
    networks : int
        Size of the sample.
    freedom : mapping of str to float
        Degrees of freedom of the errors.
    criterion : Criterion
        What is asked of each coupling.
    """

    sampled: LocalCouplings
    theory: LocalCouplings
    networks: int
    freedom: Mapping[str, float]
    criterion: Criterion

    @property
    def pulls(self) -> Mapping[str, float]:
        """(theory - sample)/error of each coupling."""
        return {
            term: (self.theory[term] - self.sampled[term]) / e for term, e in self.errors.items()
        }

    @property
    def resolutions(self) -> Mapping[str, float]:
        """|theory|/error of each coupling."""
        return {term: abs(self.theory[term]) / error for term, error in self.errors.items()}

    @property
    def errors(self) -> Mapping[str, float]:
        """Errors of the samples and of the integrals of the response."""
        own = self.sampled.errors
        assert own is not None
        accuracy = self.sampled.accuracy
        return {
            term: float(np.hypot(error, accuracy * abs(self.theory[term])))
            for term, error in own.items()
        }

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """Verdict on each coupling."""
        return {
            term: Verdict(
                str(self.criterion.verdicts(pull, self.resolutions[term], self.freedom[term]))
            )
            for term, pull in self.pulls.items()
        }

    @property
    def verdict(self) -> Verdict:
        """Verdict over the couplings."""
        return joined(self.verdicts.values())

    def _table(self) -> Table:
        rows: list[tuple[str | Cell, ...]] = [
            (
                INTERACTIONS[term],
                f"{self.theory[term]:.6g}",
                reports.uncertain(self.sampled[term], error),
                f"{self.pulls[term]:+.2f}",
                f"{self.resolutions[term]:.3g}",
                Judged(self.verdicts[term]),
            )
            for term, error in self.errors.items()
        ]
        own = self.sampled
        chi = "" if own.chi_squared is None else f", chi squared {own.chi_squared:.3g}"
        return Table(
            title="local couplings fitted to the connected four-point function",
            header=("interaction", "theory", "sample", "pull", "resolution", "verdict"),
            rows=tuple(rows),
            notes=(
                f"{self.networks:.6g} networks, cutoff {own.cutoff:g}, misfit {own.misfit:.3g}"
                f"{chi} with {own.degrees} degrees of freedom; verdict: {self.verdict}",
            ),
        )

    def __str__(self) -> str:
        return self._table().text

    def __repr__(self) -> str:
        terms = ", ".join(f"{term}: {found}" for term, found in self.verdicts.items())
        return f"LocalFit({terms}; cutoff {self.sampled.cutoff:g}; {self.networks} networks)"


def local_fit(
    net: Network,
    X: ArrayLike,
    cutoff: float,
    *,
    terms: Sequence[Interaction] = ("local",),
    weights: Weights = "tensor",
    networks: int = 10**6,
    rng: Any = None,
    estimate: Estimate | None = None,
    rtol: float = 1e-6,
    level: float = 0.01,
    resolution: float = 5.0,
    criterion: Criterion | None = None,
    executor: ExecutorLike = None,
    progress: bool | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> LocalFit:
    """Fit local couplings with a cutoff to the sampled four-point function of a network.

    With ``weights="covariance"`` from G groups and U entries, the inverse of the covariance is too
    large by (G - 1)/(G - U - 2) on average, and the couplings scatter more than it says by
    (G - 2)/(G - 2 - U + terms) in square: both are corrected.

    Parameters
    ----------
    net : Network
        One hidden layer, one output.
    X : array_like, shape (n, d)
        Points.
    cutoff, terms, rtol
        As in :func:`nnft_sym.local_couplings`.
    weights : {"tensor", "covariance"}
        Least squares over the dense tensor, as for the theory, or with the covariance of the
        sampled entries.
    networks, rng, executor, progress, params, **values
        As in :func:`nnft_num.correlators`.
    estimate : Estimate, optional
        An estimate of order 4 at the points instead of a sample of our own.
    level, resolution
        As in :func:`nnft_num.check`.
    criterion : Criterion, optional
        What is asked of each coupling, instead of a level and a resolution of its own.

    Returns
    -------
    LocalFit

    Raises
    ------
    SpecificationError
        If the interactions cannot be told apart, tails are too heavy for errors, or the
        covariance has no inverse that could be trusted.

    Notes
    -----
    Source: [HMS20] section 3; J. Hartlap, P. Simon, P. Schneider, Astronomy and Astrophysics 464
    (2007) 399; S. Dodelson, M. Schneider, Physical Review D 88 (2013) 063537.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> fit = local_fit(nn.relu_net(), [0.5, 1.0], 2.0, networks=10**5, rng=0,
    ...                 sigma_w=1, sigma_b=0, sigma_v=1, N=2)
    >>> str(fit.verdict), round(fit.theory["local"] * 2 * 2**5, 3)
    ('agree', -12.5)
    """
    points, numbers = net.points(X), net.bind(merged(params, values))
    response = local_response(net, points, cutoff, terms=terms, rtol=rtol, params=numbers)
    exact = cumulant(net, 4).evaluate(points, params=numbers).values
    if estimate is None:
        estimate = correlators(
            net,
            points,
            4,
            networks,
            rng,
            executor=executor,
            progress=progress,
            params=numbers,
        )
    sample = estimate[4]
    if sample.tensor.dimension != exact.dimension:
        raise SpecificationError(
            expected=f"an estimate over {exact.dimension} points",
            came=f"{sample.tensor.dimension} fields",
            remedy="estimate at the points of the fit",
        )
    if np.any(sample.heavy_tailed.entries):
        raise SpecificationError(
            expected="entries whose errors can be trusted",
            came=f"heavy tails in {np.sum(sample.heavy_tailed.entries)} of {len(exact)} entries",
            remedy="sample more networks, or at larger widths",
        )
    if weights not in ("tensor", "covariance"):
        raise SpecificationError(
            expected="weights 'tensor' or 'covariance'", came=f"{weights!r}", remedy="choose one"
        )
    fit = _weighted if weights == "covariance" else _linear
    sampled, theory, freedom = fit(response, sample, exact)
    least = gaussian_freedom(4, estimate.networks)
    return LocalFit(
        sampled=sampled,
        theory=theory,
        networks=estimate.networks,
        freedom={term: min(own, least) for term, own in freedom.items()},
        criterion=criterion
        or Criterion(level=level, resolution=resolution, family=len(response.terms)),
    )


def _linear(
    response: LocalResponse, sample: CorrelatorEstimate, exact: SymmetricTensor
) -> tuple[LocalCouplings, LocalCouplings, dict[str, float]]:
    """Fit over the dense tensor; what it makes of the groups gives the errors."""
    found = fit_local_couplings(response, sample.tensor)
    columns = [
        fit_local_couplings(response, SymmetricTensor(4, exact.dimension, column)).values
        for column in sample.deviations.T
    ]
    groups = np.array([[column[term] for column in columns] for term in response.terms])
    covariance = groups @ groups.T
    names: tuple[str, ...] = response.terms
    errors = dict(zip(names, map(float, np.sqrt(np.diag(covariance))), strict=True))
    freedom = dict(zip(names, map(float, effective_freedom(groups)), strict=True))
    sampled = replace(found, errors=errors, covariance=covariance)
    return sampled, fit_local_couplings(response, exact), freedom


def _weighted(
    response: LocalResponse, sample: CorrelatorEstimate, exact: SymmetricTensor
) -> tuple[LocalCouplings, LocalCouplings, dict[str, float]]:
    """Fit with the covariance of the sampled entries, the noise of which is allowed for."""
    entries, groups = len(exact), sample.deviations.shape[1]
    own = sample.covariance
    scales = np.sqrt(np.diag(own))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = own / np.outer(scales, scales)
    known = bool(np.all(scales > 0)) and 2 * entries <= groups
    if not known or np.linalg.eigvalsh(correlation)[0] < SINGULAR:
        raise SpecificationError(
            expected=f"at most {groups // 2} entries that fluctuate independently of each other",
            came=f"{entries} entries whose covariance has no inverse to be trusted",
            remedy="use weights='tensor', or fewer points, none a multiple of another",
        )
    covariance = own * (groups - 1) / (groups - entries - 2)
    found = fit_local_couplings(response, sample.tensor, covariance)
    wider = (groups - 2) / (groups - 2 - entries + len(response.terms))
    assert found.errors is not None
    assert found.covariance is not None
    sampled = replace(
        found,
        errors={term: error * wider**0.5 for term, error in found.errors.items()},
        covariance=found.covariance * wider,
    )
    freedom = float(groups - 1 - entries + len(response.terms))
    theory = fit_local_couplings(response, exact, covariance)
    return sampled, theory, dict.fromkeys(response.terms, freedom)
