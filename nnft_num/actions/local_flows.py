"""The flow of a local coupling with the cutoff, from samples.

At each cutoff λ(Λ) is fitted to a sample of its own: from one sample the amplitude of the
four-point function, and with it all noise, would drop out of the slope wherever the response is a
power of the cutoff, so that nothing would be measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnft_num.actions.local_fits import LocalFit, local_fit
from nnft_num.confrontation.verdicts import Criterion, Verdict, joined
from nnft_num.front import correlators, merged
from nnft_num.kernels.draws import key_from_rng
from nnft_num.reporting import reports
from nnft_num.runs.executing import ExecutorLike
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Cell, Judged, Shown, Table
from nnft_sym.networks import Network

__all__ = ["LocalFlow", "local_flow"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalFlow(Shown):
    """λ at several cutoffs, each from a sample of its own, and d log|λ| / d log Λ.

    Parameters
    ----------
    network : str
        Name of the network.
    fits : tuple of LocalFit
        One for each cutoff, ascending.
    slope, error : float
        Of log|λ| in log Λ by weighted least squares, and its standard error.
    claimed : float
        The same combination of the couplings fitted to the exact correlator.
    criterion : Criterion
        Level, resolution and size of the family: the couplings and the slope.
    route : str
        How networks were sampled.
    """

    network: str
    fits: tuple[LocalFit, ...]
    slope: float
    error: float
    claimed: float
    criterion: Criterion
    route: str

    @property
    def cutoffs(self) -> tuple[float, ...]:
        """Λ."""
        return tuple(fit.sampled.cutoff for fit in self.fits)

    @property
    def pull(self) -> float:
        """(claimed - slope)/error."""
        return (self.claimed - self.slope) / self.error

    @property
    def resolution(self) -> float:
        """Distance 1 between successive powers of Λ, over the error."""
        return 1.0 / self.error

    @property
    def slope_verdict(self) -> Verdict:
        """Verdict on the slope; unresolved where a coupling is."""
        freedom = min(fit.freedom["local"] for fit in self.fits)
        return Verdict(str(self.criterion.verdicts(self.pull, self.resolution, freedom)))

    @property
    def verdict(self) -> Verdict:
        """Verdict over the couplings and the slope."""
        return joined([*(fit.verdict for fit in self.fits), self.slope_verdict])

    @property
    def cites(self) -> tuple[Any, ...]:
        """What the comparison rests on."""
        return ("HMS20", "E82, BML99")

    def to_dataframe(self) -> Any:
        """One row for each cutoff, as a pandas.DataFrame."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "network": self.network,
                    "cutoff": fit.sampled.cutoff,
                    "networks": fit.networks,
                    "theory": fit.theory["local"],
                    "estimate": fit.sampled["local"],
                    "error": fit.errors["local"],
                    "pull": fit.pulls["local"],
                    "resolution": fit.resolutions["local"],
                    "verdict": str(fit.verdict),
                }
                for fit in self.fits
            ]
        )

    def _table(self) -> Table:
        rows: list[tuple[str | Cell, ...]] = [
            (
                f"{fit.sampled.cutoff:g}",
                f"{fit.theory['local']:.6g}",
                reports.uncertain(fit.sampled["local"], fit.errors["local"]),
                f"{fit.pulls['local']:+.2f}",
                f"{fit.resolutions['local']:.3g}",
                Judged(fit.verdict),
            )
            for fit in self.fits
        ]
        rows.append(
            (
                "slope",
                f"{self.claimed:.6g}",
                reports.uncertain(self.slope, self.error),
                f"{self.pull:+.2f}",
                f"{self.resolution:.3g}",
                Judged(self.slope_verdict),
            )
        )
        networks = sum(fit.networks for fit in self.fits)
        return Table(
            title=f"flow of λ in S = λ ∫ f^4 for {self.network}",
            header=("cutoff", "theory", "sample", "pull", "resolution", "verdict"),
            rows=tuple(rows),
            notes=(
                f"{networks:.6g} networks (route {self.route}), a sample of its own at each cutoff",
                reports.criterion_text(self.verdict, self.criterion),
            ),
        )

    def __str__(self) -> str:
        return self._table().text

    def __repr__(self) -> str:
        return f"LocalFlow({self.network}: {self.verdict}; {len(self.fits)} cutoffs)"


def local_flow(
    net: Network,
    X: ArrayLike,
    cutoffs: Sequence[float],
    *,
    networks: int = 10**5,
    rng: Any = None,
    route: str = "parameters",
    rtol: float = 1e-3,
    level: float = 0.01,
    resolution: float = 5.0,
    executor: ExecutorLike = None,
    progress: bool | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> LocalFlow:
    """Measure how a local coupling runs with the cutoff.

    λ(Λ) is fitted to sampled four-point functions at fixed points, weights and convention being
    those of :func:`local_fit`; without bias the ReLU-net has the slope -(d + 4).

    Parameters
    ----------
    net : Network
        One hidden layer, one output.
    X : array_like, shape (n, d)
        Points.
    cutoffs : sequence of float
        Λ: at least two, ascending.
    networks : int
        Number of networks at each cutoff.
    rtol
        As in :func:`nnft_sym.local_couplings`.
    route, rng, executor, progress, params, **values
        As in :func:`nnft_num.correlators`.
    level, resolution
        As in :func:`nnft_num.check`; the resolution of the slope is 1 over its error.

    Returns
    -------
    LocalFlow

    Raises
    ------
    SpecificationError
        If cutoffs do not ascend, or a coupling cannot be fitted.

    Notes
    -----
    Source: [HMS20] section 5.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> run = local_flow(nn.relu_net(), [0.5, 1.0], [2.0, 8.0], networks=10**5, rng=0,
    ...                  route="readout", sigma_w=1, sigma_b=0, sigma_v=1, N=4)
    >>> str(run.verdict), round(run.claimed, 6), run.error < 0.1
    ('agree', -5.0, True)
    """
    scales = np.asarray(cutoffs, dtype=np.float64)
    if scales.ndim != 1 or len(scales) < 2 or np.any(np.diff(scales) <= 0):
        raise SpecificationError(
            expected="at least two ascending cutoffs", came=f"{cutoffs!r}", remedy="sort them"
        )
    points, numbers = net.points(X), net.bind(merged(params, values))
    seeds = np.random.SeedSequence(key_from_rng(rng)).spawn(len(scales))
    criterion = Criterion(level=level, resolution=resolution, family=len(scales) + 1)
    fits = tuple(
        local_fit(
            net,
            points,
            float(scale),
            rtol=rtol,
            estimate=correlators(
                net,
                points,
                4,
                networks,
                seed,
                route=route,
                executor=executor,
                progress=progress,
                params=numbers,
            ),
            criterion=criterion,
            params=numbers,
        )
        for scale, seed in zip(scales, seeds, strict=True)
    )
    sampled = np.array([fit.sampled["local"] for fit in fits])
    exact = np.array([fit.theory["local"] for fit in fits])
    shares = np.array([fit.errors["local"] for fit in fits]) / np.abs(sampled)
    logs = np.log(scales)
    weights = shares**-2.0
    centred = logs - weights @ logs / weights.sum()
    spread = float(weights @ centred**2)
    slope, claimed = (
        float((weights * centred) @ np.log(np.abs(own)) / spread) for own in (sampled, exact)
    )
    return LocalFlow(
        network=net.name,
        fits=fits,
        slope=slope,
        error=spread**-0.5,
        claimed=claimed,
        criterion=criterion,
        route=route,
    )
