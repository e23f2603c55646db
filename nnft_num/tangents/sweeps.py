"""Tangent kernels over several widths: the 1/n bias of deep networks, and how Θ fluctuates.

Deep networks have E Θ(n) = T(n) (1 + O(1/n)), T the limit of infinite width.  Three numbers are
measured at all hidden widths equal to n:

- the size of the deviation, |E Θ - T|/|T|, without noise bias (``amplitudes.deviation``), and its
  power of n against -1;
- the signed bias b(n) = <T, E Θ - T>/<T, T>, linear in the sample, whose sign says whether finite
  networks have the larger or the smaller kernel; from b = c/n + c_2/n² + ... the coefficient c;
- the variance of Θ over networks, summed over its entries, against n^{-1}: exact in the
  standardised parametrisation of one hidden layer, where Θ is a mean over the neurons.

The first two, and the third in deep networks, are expansions in 1/n: terms are added until the fit
is good, then one more, and its effect is part of the error (``fits.cut``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nnft_num.confrontation.amplitudes import Amplitude, deviation
from nnft_num.confrontation.checking import Report
from nnft_num.confrontation.fits import Fit, cut, fit_first, fit_power
from nnft_num.confrontation.scaling import counts_of, width_names, widths_of
from nnft_num.confrontation.slopes import Slope
from nnft_num.confrontation.verdicts import Criterion, Verdict, joined, skewness
from nnft_num.estimates.tangents import TangentEstimate
from nnft_num.front import merged
from nnft_num.kernels.draws import key_from_rng
from nnft_num.reporting import reports
from nnft_num.reporting.publishing import Published
from nnft_num.runs.executing import ExecutorLike
from nnft_num.statistics.tails import effective_freedom
from nnft_num.tangents.checking import evaluated_ntk, require_seen, tangent, tangent_report
from nnft_sym.correlators import Correlator
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Table
from nnft_sym.networks import Network
from nnft_sym.tangent import Parametrisation, ntk
from nnft_sym.tensors import SymmetricTensor, rank_of

__all__ = ["Bias", "TangentSweep", "sweep_ntk"]


@dataclass(frozen=True, kw_only=True)
class Bias:
    """Signed relative bias b(n) = <T, E Θ - T>/<T, T> at several widths, and its 1/n coefficient.

    Parameters
    ----------
    widths : tuple of int
        n.
    values, errors : tuple of float
        b(n) and its standard errors.
    coefficient, error : float
        c of b = c/n + c_2/n² + ..., by weighted least squares, and its standard error, that of the
        cut of the expansion included.
    resolution : float
        |b(n)|/error from which the sign at a width is said to be known.
    """

    widths: tuple[int, ...]
    values: tuple[float, ...]
    errors: tuple[float, ...]
    coefficient: float
    error: float
    resolution: float

    @property
    def resolved(self) -> tuple[int, ...]:
        """Widths at which |b(n)| is at least ``resolution`` errors."""
        rows = zip(self.widths, self.values, self.errors, strict=True)
        return tuple(n for n, b, error in rows if 0 < error <= abs(b) / self.resolution)

    @property
    def sign(self) -> int | None:
        """+1 if finite networks have the larger kernel, -1 if the smaller, None if unresolved.

        It is that of b(n) at all widths that resolve it, of which there must be one.
        """
        signs = {np.sign(self.values[self.widths.index(n)]) for n in self.resolved}
        return int(signs.pop()) if len(signs) == 1 else None

    def __str__(self) -> str:
        words = {1: "larger", -1: "smaller", None: "sign unresolved"}[self.sign]
        if self.sign is not None:
            words += f" at finite n (resolved at n = {', '.join(map(str, self.resolved))})"
        return (
            f"relative bias <T, E Theta - T>/<T, T> = c/n + ...: c = "
            f"{reports.uncertain(self.coefficient, self.error)}; {words}"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class TangentSweep(Published):
    """Tangent kernels of sampled networks against theory over several widths.

    Parameters
    ----------
    network, parametrisation : str
        Name of the network, and what the gradients are taken with respect to.
    widths : tuple of int
        n of all hidden layers.
    estimates : tuple of TangentEstimate
        One for each width.
    reports : tuple of Report
        One for each width with one hidden layer; empty where the theory is a limit.
    deviation : Slope or None
        Power of the deviation from the limit; None with one hidden layer.
    bias : Bias or None
        Its sign and coefficient; None with one hidden layer.
    variance : Slope or None
        Power of the variance of Θ; None in the standard parametrisation, where layers carry
        different powers of n.
    criterion : Criterion
        Level, resolution and size of the family.
    formula : Correlator or None
        The theory.
    """

    network: str
    parametrisation: str
    widths: tuple[int, ...]
    estimates: tuple[TangentEstimate, ...]
    reports: tuple[Report, ...]
    deviation: Slope | None
    bias: Bias | None
    variance: Slope | None
    criterion: Criterion
    formula: Correlator | None = None

    @property
    def formulas(self) -> tuple[Correlator, ...]:
        """The theory, as the formulas of a sweep."""
        return () if self.formula is None else (self.formula,)

    @property
    def slopes(self) -> tuple[Slope, ...]:
        """Powers of n that were measured."""
        return tuple(slope for slope in (self.deviation, self.variance) if slope is not None)

    @property
    def verdict(self) -> Verdict:
        """Disagree if any report or slope does, else unresolved if any is, else agree."""
        found = [report.verdict for report in self.reports]
        return joined([*found, *(slope.verdict for slope in self.slopes)])

    @property
    def cites(self) -> tuple[Any, ...]:
        """What the comparisons rest on."""
        return ("H92", *self.formulas, *self.reports, *self.estimates)

    @property
    def subject(self) -> str:
        """What was confronted, in words."""
        return f"tangent kernel ({self.parametrisation}) of {self.network}"

    def plot(self) -> Any:
        """Deviation and variance against the width, log-log; returns the matplotlib figure."""
        from nnft_num.reporting.figures import plot_sweeps

        return plot_sweeps([self], [f"tangent kernel of {self.network}"])

    def _table(self) -> Table:
        return reports.tangent_sweep_table(self)

    def __str__(self) -> str:
        lines = [f"{self.subject} over widths {', '.join(map(str, self.widths))}"]
        lines += [reports.text(report) for report in self.reports]
        for slope in self.slopes:
            measured = ((str(a.width), str(a)) for a in slope.amplitudes)
            lines += [reports.columns(("width", slope.what), measured), str(slope)]
        lines += [] if self.bias is None else [str(self.bias)]
        lines.append(
            f"verdict: {self.verdict} (family-wise level {self.criterion.level:g} over "
            f"{self.criterion.family} comparisons; resolution {self.criterion.resolution:g} "
            "asked for)"
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"TangentSweep({self.network}: {self.verdict})"


def sweep_ntk(
    net: Network,
    X: ArrayLike,
    widths: Iterable[int],
    networks: int | Mapping[int, int] = 10**4,
    rng: Any = None,
    *,
    parametrisation: Parametrisation = "ntk",
    level: float = 0.01,
    resolution: float = 5.0,
    executor: ExecutorLike = None,
    progress: bool | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> TangentSweep:
    """Confront the tangent kernel of a network at several widths with the theory and its powers.

    With one hidden layer every width has its report, as the mean is exact.  Deeper, the deviation
    of the mean from the limit of infinite width is measured to fall as 1/n, with its sign.  The
    variance of Θ over networks is measured to fall as 1/n.

    Parameters
    ----------
    net : Network
        The ensemble of networks, with named widths.
    X : array_like, shape (n, d)
        Points.
    widths : iterable of int
        Width of all hidden layers: at least two, and four for a deep network.
    networks : int or mapping of int to int
        Number of networks at each width; a mapping gives that of each width.
    rng, parametrisation, executor, progress, params, **values
        As in :func:`nnft_num.tangent`; parameters without widths.
    level, resolution : float
        As in :func:`nnft_num.check`; the level is that of the whole sweep.

    Returns
    -------
    TangentSweep

    Raises
    ------
    SpecificationError
        If points, parameters, widths or counts are impossible.
    NotDerivedError
        If the kernel is not derived, or an activation jumps.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> result = sweep_ntk(nn.cos_net(), [0.0, 1.0], (1, 2, 4), networks=10**4, rng=0,
    ...                    sigma_w=1, sigma_v=1)
    >>> str(result.verdict), result.variance.claimed
    ('agree', -1.0)
    """
    deep = net.depth > 1
    require_seen(net)
    theory = ntk(net, parametrisation=parametrisation)
    points, names, given = net.points(X), width_names(net), merged(params, values)
    if set(names) & set(given):
        raise SpecificationError(
            expected="parameters without the widths",
            came=", ".join(sorted(set(names) & set(given))),
            remedy="pass widths=(...) alone",
        )
    sizes = widths_of(widths, least=4 if deep else 2)
    counts = counts_of(networks, list(sizes))
    numbers = {size: net.bind(given | dict.fromkeys(names, size)) for size in sizes}
    seeds = np.random.SeedSequence(key_from_rng(rng)).spawn(len(sizes))
    expected = {size: evaluated_ntk(theory, points, numbers[size], ()) for size in sizes}
    estimates = {
        size: tangent(
            net,
            points,
            counts[size],
            seed,
            parametrisation=parametrisation,
            executor=executor,
            progress=progress,
            params=numbers[size],
        )
        for size, seed in zip(sizes, seeds, strict=True)
    }
    fluctuates = parametrisation == "ntk"
    entries = len(next(iter(expected.values()))[0])
    family = (1 if deep else entries * len(sizes)) + fluctuates
    criterion = Criterion(level=level, resolution=resolution, family=family)
    limits = {size: values for size, (values, _) in expected.items()}
    return TangentSweep(
        network=net.name,
        parametrisation=parametrisation,
        widths=sizes,
        estimates=tuple(estimates.values()),
        reports=()
        if deep
        else tuple(
            tangent_report(
                net,
                points,
                numbers[size],
                parametrisation,
                *expected[size],
                estimates[size],
                criterion,
            )
            for size in sizes
        ),
        deviation=_deviation(limits, estimates, criterion) if deep else None,
        bias=_bias(limits, estimates, resolution) if deep else None,
        variance=_variance(limits, estimates, criterion, deep) if fluctuates else None,
        criterion=criterion,
        formula=theory,
    )


def _deviation(
    limits: Mapping[int, SymmetricTensor],
    estimates: Mapping[int, TangentEstimate],
    criterion: Criterion,
) -> Slope:
    """Power of |E Θ - T|/|T|."""
    found = []
    for size, limit in limits.items():
        own = estimates[size]
        absolute = deviation(limit, own.kernel, width=size, networks=own.networks)
        norm = limit.norm()
        found.append(
            replace(
                absolute,
                value=absolute.value / norm,
                error=absolute.error / norm,
                bound=absolute.bound / norm,
                noise=absolute.noise / norm**2,
            )
        )
    return _slope("|E Theta - T|/|T|", found, criterion, expansion=True)


def _bias(
    limits: Mapping[int, SymmetricTensor],
    estimates: Mapping[int, TangentEstimate],
    resolution: float,
) -> Bias:
    """Signed bias at each width, and the coefficient of 1/n."""
    values, errors = [], []
    for size, limit in limits.items():
        kernel = estimates[size].kernel
        weights = limit.multiplicities * limit.entries / limit.norm() ** 2
        values.append(float(weights @ (kernel.tensor.entries - limit.entries)))
        groups = weights @ kernel.deviations
        trusted = not np.any(kernel.heavy_tailed.entries)
        errors.append(float(np.sqrt(groups @ groups)) if trusted else float("nan"))
    n, error, b = (np.array(list(listed), dtype=float) for listed in (limits, errors, values))
    known = error > 0

    def expansion(terms: int) -> Fit:
        basis = [n[known] ** -float(k + 1) for k in range(terms)]
        one = np.ones(len(basis[0]))
        return fit_first(basis, b[known], error[known], freedom=one, skew=one)

    found = cut(expansion, least=2)
    return Bias(
        widths=tuple(limits),
        values=tuple(values),
        errors=tuple(errors),
        coefficient=found.value,
        error=found.error,
        resolution=resolution,
    )


def _variance(
    limits: Mapping[int, SymmetricTensor],
    estimates: Mapping[int, TangentEstimate],
    criterion: Criterion,
    deep: bool,
) -> Slope:
    """Power of the sum over entries of Var Θ, in units of <T, T>."""
    found = []
    for size, limit in limits.items():
        sample = estimates[size].fluctuations
        count = sample.tensor.dimension
        own = rank_of(np.arange(count)[:, None].repeat(2, axis=1), count)
        weights = limit.multiplicities / limit.norm() ** 2
        groups = weights @ sample.deviations[own]
        trusted = not np.any(sample.heavy_tailed.entries[own])
        error = float(np.sqrt(groups @ groups))
        found.append(
            Amplitude(
                width=size,
                value=float(weights @ sample.tensor.entries[own]),
                error=error if trusted else float("nan"),
                freedom=float(effective_freedom(groups[None])[0]),
                skew=float(skewness(groups)),
                networks=estimates[size].networks,
            )
        )
    return _slope("Var Theta/|T|^2", found, criterion, expansion=deep)


def _slope(
    what: str, amplitudes: Sequence[Amplitude], criterion: Criterion, *, expansion: bool
) -> Slope:
    """Slope against -1; with ``expansion`` the leading power of an expansion in 1/n."""
    return Slope(
        order=2,
        what=what,
        amplitudes=tuple(amplitudes),
        claimed=-1.0,
        fit=fit_power(amplitudes, resolution=criterion.resolution, expansion=expansion),
        criterion=criterion,
    )
