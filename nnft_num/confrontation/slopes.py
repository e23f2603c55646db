"""Powers of the width: amplitudes without noise bias, and the slope of their logarithms.

A sampled tensor E with noise has E|E|² = |T|² + noise, so the logarithm of its norm flattens where
the noise takes over.  Two amplitudes without that bias are used:

- where the theory T is exact, the projection A = <T, E>/|T|, linear in E, equal to |T| on average;
- where it is the limit of infinite width, the deviation Q = |E - T|² - trace of the covariance of
  E, equal on average to |E[E] - T|², and A = √Q.

Their errors follow from the groups of the jackknife.  The slope s of log A in log N is fitted by
weighted least squares over the widths that are resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from nnft_num.confrontation.verdicts import Criterion, Verdict, gaussian_freedom, skewness
from nnft_num.estimates.correlator import CorrelatorEstimate
from nnft_num.reporting import reports
from nnft_num.statistics.tails import effective_freedom
from nnft_sym.language.markup import Judged, Shown, Table
from nnft_sym.tensors import SymmetricTensor

__all__ = [
    "NO_FIT",
    "Amplitude",
    "Fit",
    "Slope",
    "cut",
    "deviation",
    "fit_first",
    "fit_intercept",
    "fit_power",
    "fit_slope",
    "projection",
]

_GOOD = 0.05


@dataclass(frozen=True, kw_only=True)
class Amplitude:
    """Size of a tensor, or of its deviation, measured at one width.

    Parameters
    ----------
    width : int
        N.
    value, error : float
        A and its standard error.
    freedom, skew : float
        Degrees of freedom of the error and skewness of the value.
    theory : float
        |T| where the theory gives it, else NaN.
    networks : int
        M: number of networks of the sample.
    bound : float
        Upper limit of A where there is no theory: A² and two of its standard errors.
    noise : float
        |C|, C the covariance of the tensor, where A is the size of a deviation.
    """

    width: int
    value: float
    error: float
    freedom: float
    skew: float = 0.0
    theory: float = float("nan")
    networks: int = 0
    bound: float = float("nan")
    noise: float = float("nan")

    @property
    def resolution(self) -> float:
        """|T|/error, or A/error where there is no theory; NaN where the error is not known."""
        size = self.value if np.isnan(self.theory) else self.theory
        return size / self.error if self.error > 0 else float("nan")

    def networks_needed(self, resolution: float, size: float) -> float:
        """Networks that would resolve an amplitude of a size; NaN if not known.

        Errors of projections fall with 1/√M.  Those of deviations are √(4A²|C| + 2|C|²)/(2A) at
        most, with C falling as 1/M, so M grows by |C|/(A² (√(1 + 2/r²) - 1)) at resolution r.
        """
        if not np.isnan(self.noise):
            return self.networks * self.noise / (size**2 * ((1 + 2 / resolution**2) ** 0.5 - 1))
        return self.networks * (resolution * self.error / size) ** 2

    def __str__(self) -> str:
        if np.isfinite(self.error):
            return reports.uncertain(self.value, self.error)
        if np.isfinite(self.bound):
            return f"below {self.bound:.2g}"
        return f"{self.value:.4g}, error unknown"


def projection(
    theory: SymmetricTensor, sample: CorrelatorEstimate, *, width: int, networks: int
) -> Amplitude:
    """Project an estimate E on a theory T: A = <T, E>/|T|.

    Linear in E, A is |T| on average if the theory holds, whatever the noise; its error is that of
    the same combination over the groups of the jackknife.
    """
    weights = theory.multiplicities * theory.entries / theory.norm()
    groups = weights @ sample.deviations
    trusted = not np.any(sample.heavy_tailed.entries)
    error = float(np.sqrt(groups @ groups))
    return Amplitude(
        width=width,
        value=float(weights @ sample.tensor.entries),
        error=error if trusted else float("nan"),
        freedom=_freedom(groups, sample.order, networks),
        skew=float(skewness(groups)),
        theory=theory.norm(),
        networks=networks,
    )


def deviation(
    limit: SymmetricTensor, sample: CorrelatorEstimate, *, width: int, networks: int
) -> Amplitude:
    """Size of the deviation of an estimate E from a limit T: A² = |E - T|² - trace cov E.

    The square is unbiased for the square of the mean δ of E - T.  For normal noise of covariance C
    its variance is 4 δᵀCδ + 2 tr C², estimated by 4 (E-T)ᵀC(E-T) - 2 tr C², whose noise is
    subtracted too, and at least 2 tr C².  A square below zero gives A = 0.
    """
    root = np.sqrt(limit.multiplicities)
    delta = root * (sample.tensor.entries - limit.entries)
    groups = root[:, None] * sample.deviations
    covariance = groups @ groups.T
    square = float(delta @ delta - np.trace(covariance))
    noise = 2 * np.sum(covariance**2)
    spread = float(np.sqrt(max(4 * delta @ covariance @ delta - noise, noise)))
    value = np.sqrt(max(square, 0.0))
    light = not np.any(sample.heavy_tailed.entries)
    trusted = value > 0 and light
    return Amplitude(
        width=width,
        value=float(value),
        error=spread / (2 * value) if trusted else float("nan"),
        freedom=_freedom(delta @ groups, sample.order, networks),
        skew=float(skewness(delta @ groups)),
        networks=networks,
        bound=float(np.sqrt(max(square, 0.0) + 2 * spread)) if light else float("nan"),
        noise=float(np.sqrt(noise / 2)),
    )


def _freedom(groups: NDArray[np.float64], order: int, networks: int) -> float:
    return min(float(effective_freedom(groups[None])[0]), gaussian_freedom(order, networks))


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A fitted number with its standard error, degrees of freedom and skewness; NaN if none.

    ``misfit`` is χ² of the fit over its ``spare`` degrees of freedom.
    """

    value: float
    error: float
    freedom: float
    skew: float
    misfit: float = 0.0
    spare: int = 0

    @property
    def is_good(self) -> bool:
        """Whether more scatter than this has a probability above 5 %."""
        return not np.isnan(self.value) and bool(chdtrc(self.spare, self.misfit) > _GOOD)


NO_FIT = Fit(value=float("nan"), error=float("nan"), freedom=1.0, skew=0.0)
"""Where there are too few data."""


@dataclass(frozen=True, kw_only=True)
class Slope(Shown):
    """A measured power of the width against the one that is claimed.

    Parameters
    ----------
    order : int
        n: order of the correlator.
    what : str
        The quantity whose power is measured.
    amplitudes : tuple of Amplitude
        A at each width.
    claimed : float
        The power the theory claims.
    fit : Fit
        Slope of log A in log N; NaN if too few widths are resolved.
    criterion : Criterion
        What is asked of the comparison.
    intercept : Fit
        log A at N = 1 by the same fit; NaN where it was not fitted.
    """

    order: int
    what: str
    amplitudes: tuple[Amplitude, ...]
    claimed: float
    fit: Fit
    criterion: Criterion
    intercept: Fit = NO_FIT

    @property
    def value(self) -> float:
        """Slope of log A in log N."""
        return self.fit.value

    @property
    def error(self) -> float:
        """Standard error of the slope."""
        return self.fit.error

    @property
    def claimed_intercept(self) -> float:
        """Log |T| - s log N of the theory T with the power s that is claimed; NaN without T."""
        known = [a for a in self.amplitudes if a.theory > 0]
        logs = [np.log(a.theory) - self.claimed * np.log(a.width) for a in known]
        return float(np.mean(logs)) if logs else float("nan")

    def _table(self) -> Table:
        pairs = (
            ("exponent", self.fit, self.claimed),
            ("intercept log A(N=1)", self.intercept, self.claimed_intercept),
        )
        rows = tuple(
            (
                name,
                "unresolved" if np.isnan(fit.value) else reports.uncertain(fit.value, fit.error),
                "not claimed" if np.isnan(claimed) else f"{claimed:.5g}",
                "unknown" if np.isnan(fit.value) else f"{(claimed - fit.value) / fit.error:+.2f}",
            )
            for name, fit, claimed in pairs
        )
        return Table(
            title=f"power of N of {self.what}",
            header=("quantity", "measured", "claimed", "pull"),
            rows=rows,
            notes=(Judged(self.verdict),),
        )

    def __repr__(self) -> str:
        return f"Slope({self})"

    @property
    def pull(self) -> float:
        """(claimed - slope)/error."""
        return (self.claimed - self.value) / self.error

    @property
    def resolution(self) -> float:
        """Distance 1 between successive powers of 1/N, over the error."""
        return 1.0 / self.error

    @property
    def verdict(self) -> Verdict:
        """Verdict on the claimed power."""
        fit = self.fit
        found = self.criterion.verdicts(self.pull, self.resolution, fit.freedom, fit.skew)
        return Verdict(str(found))

    @property
    def networks_needed(self) -> int | None:
        """Networks at each width that would resolve all amplitudes; None if none is unresolved.

        Sizes are those of the theory, or follow the claimed power from the best resolved width;
        None also where not even that is known.
        """
        asked = self.criterion.resolution
        unresolved = [a for a in self.amplitudes if not a.resolution >= asked]
        seen = [a for a in self.amplitudes if a.resolution > 0]
        if not unresolved or not seen:
            return None
        best = max(seen, key=lambda a: a.resolution)
        needed = []
        for a in unresolved:
            expected = best.value * (a.width / best.width) ** self.claimed
            size = expected if np.isnan(a.theory) else a.theory
            needed.append(a.networks_needed(asked, size))
        return ceil(max(needed)) if np.all(np.isfinite(needed)) else None

    def __str__(self) -> str:
        if np.isnan(self.value):
            remedy = "more networks or smaller widths are needed"
            if self.networks_needed:
                remedy = f"{self.networks_needed:.2g} networks would resolve every width"
            return f"slope of {self.what}: too few widths are resolved, {remedy}; {self.verdict}"
        return (
            f"slope of {self.what}: {reports.uncertain(self.value, self.error)} against "
            f"{self.claimed:g}, pull {self.pull:+.2f}{self._start}; {self.verdict}"
        )

    @property
    def _start(self) -> str:
        if np.isnan(self.intercept.value):
            return ""
        return f", intercept {reports.uncertain(self.intercept.value, self.intercept.error)}" + (
            "" if np.isnan(self.claimed_intercept) else f" against {self.claimed_intercept:.4g}"
        )


def fit_slope(amplitudes: Sequence[Amplitude], *, resolution: float, correction: int = 0) -> Fit:
    """Fit log A = c + s log N by weighted least squares.

    Widths are used if their resolution, by the theory where there is one and so free of noise,
    is at least the one given.  With ``correction`` so many terms b_1/N + b_2/N² + ... are fitted as
    well: the next orders of a truncated expansion, which would otherwise pass for a wrong power.

    Examples
    --------
    >>> points = [Amplitude(width=N, value=3 / N, error=0.01 / N, freedom=127) for N in (1, 2, 4)]
    >>> fit = fit_slope(points, resolution=5)
    >>> round(fit.value, 12), round(fit.error, 4)
    (-1.0, 0.0034)
    """
    return _fit_logarithms(amplitudes, resolution, correction, first=0)


def fit_intercept(
    amplitudes: Sequence[Amplitude], *, resolution: float, correction: int = 0
) -> Fit:
    """Fit the same, and return c, the logarithm of A at N = 1.

    Examples
    --------
    >>> points = [Amplitude(width=N, value=3 / N, error=0.01 / N, freedom=127) for N in (1, 2, 4)]
    >>> round(float(np.exp(fit_intercept(points, resolution=5).value)), 12)
    3.0
    """
    return _fit_logarithms(amplitudes, resolution, correction, first=1)


def _fit_logarithms(
    amplitudes: Sequence[Amplitude], resolution: float, correction: int, *, first: int
) -> Fit:
    used = [a for a in amplitudes if a.resolution >= resolution and a.value > 0]
    N = np.array([float(a.width) for a in used])
    basis = [np.log(N), np.ones_like(N), *(N ** -float(k + 1) for k in range(correction))]
    basis.insert(0, basis.pop(first))
    return fit_first(
        basis,
        np.log([a.value for a in used]),
        np.array([a.error / a.value for a in used]),
        freedom=np.array([a.freedom for a in used]),
        skew=np.array([a.skew for a in used]),
    )


def fit_first(
    basis: Sequence[NDArray[np.float64]],
    values: NDArray[np.float64],
    errors: NDArray[np.float64],
    *,
    freedom: NDArray[np.float64],
    skew: NDArray[np.float64],
) -> Fit:
    """Fit values as a sum over a basis by weighted least squares; the first coefficient."""
    if len(values) < len(basis):
        return NO_FIT
    design = np.stack(basis, axis=1) / errors[:, None]
    inverse = np.linalg.pinv(design)
    solution = inverse @ (values / errors)
    parts = inverse[0]
    variance = float(parts @ parts)
    return Fit(
        value=float(solution[0]),
        error=float(np.sqrt(variance)),
        # Welch and Satterthwaite: freedom of a sum of independent variances
        freedom=float(variance**2 / np.sum(parts**4 / freedom)),
        skew=float(parts**3 @ skew / variance**1.5),
        misfit=float(np.sum((values / errors - design @ solution) ** 2)),
        spare=len(values) - len(basis),
    )


def cut(fit: Callable[[int], Fit], *, least: int) -> Fit:
    """Fit an expansion that nobody knows where to cut, the cut being part of the error.

    Terms are added to the ``least`` number until the fit is good, and then one more; the step of
    the result on adding it is part of the error, in quadrature.  Small widths, where many terms
    matter, so lead to a large error and not to a wrong number.

    Parameters
    ----------
    fit : callable
        Fit with a given number of terms; without a value where there are too few data.
    least : int
        Number of terms to begin with.

    Examples
    --------
    >>> N = np.array([2.0, 3.0, 4.0, 6.0, 8.0])
    >>> def fit(terms):
    ...     basis = [N ** -(k + 1.0) for k in range(terms)]
    ...     one = np.ones_like(N)
    ...     return fit_first(basis, 3 / N - 5 / N**2, 0.01 * one, freedom=99 * one, skew=0 * one)
    >>> round(cut(fit, least=1).value, 9), fit(1).is_good
    (3.0, False)
    """
    own, terms = fit(least), least
    while not np.isnan(own.value):
        following = fit(terms + 1)
        if own.is_good:
            step = following.value - own.value
            return replace(following, error=float(np.hypot(following.error, step)))
        own, terms = following, terms + 1
    return NO_FIT


def fit_power(
    amplitudes: Sequence[Amplitude],
    *,
    resolution: float,
    expansion: bool,
    fitted: Callable[..., Fit] = fit_slope,
) -> Fit:
    """Fit the power of N of amplitudes, or with ``expansion`` the leading one of a series in 1/N.

    With ``fitted=fit_intercept`` the logarithm of the amplitude at N = 1 is returned.

    Examples
    --------
    >>> def amplitude(N):
    ...     return Amplitude(width=N, value=3 / N - 2 / N**2, error=0.01 / N, freedom=127)
    >>> points = [amplitude(N) for N in (1, 2, 3, 4, 6, 8)]
    >>> fits = [fit_power(points, resolution=5, expansion=way) for way in (False, True)]
    >>> [abs(fit.value + 1) < 2 * fit.error for fit in fits]
    [False, True]
    """

    def fit(terms: int) -> Fit:
        return fitted(amplitudes, resolution=resolution, correction=terms)

    return cut(fit, least=1) if expansion else fit(0)
