r"""Effective local couplings: the quartic correlator as if from a local interaction [HMS20].

A local action λ∫f⁴ with a cutoff |y_i| <= Λ gives, to first order in λ,

.. math:: \delta G^{(4)}(x_1, \dots, x_4) = -24 \lambda \int d^dy\, \prod_i K(y, x_i) .
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_sym.actions.local_responses import (
    INTERACTIONS,
    Interaction,
    LocalResponse,
    local_response,
)
from nnft_sym.cumulants import cumulant
from nnft_sym.language.errors import SpecificationError
from nnft_sym.networks import Network
from nnft_sym.tensors import SymmetricTensor

__all__ = [
    "LocalCouplings",
    "RunningCoupling",
    "fit_local_couplings",
    "local_couplings",
    "running_coupling",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalCouplings:
    """Couplings fitted to a quartic correlator, in the convention S = λ f⁴ (no 1/4!).

    Parameters
    ----------
    values : mapping of str to float
        The coupling of each interaction.
    errors : mapping of str to float, or None
        Standard errors; None for a theory without errors.
    covariance : ndarray or None
        Of the couplings.
    chi_squared : float or None
        Of the residuals, with ``degrees`` degrees of freedom.
    degrees : int
        Number of entries less couplings.
    misfit : float
        Norm of the residuals over the norm of the correlator.
    residuals : SymmetricTensor
        Correlator less fit.
    cutoff : float
        Λ.
    accuracy : float
        Relative error of the couplings from the integrals of the response.
    """

    values: Mapping[str, float]
    errors: Mapping[str, float] | None
    covariance: NDArray[np.float64] | None
    chi_squared: float | None
    degrees: int
    misfit: float
    residuals: SymmetricTensor
    cutoff: float
    accuracy: float

    def __getitem__(self, term: str) -> float:
        return self.values[term]

    def __str__(self) -> str:
        rows = []
        for term, value in self.values.items():
            error = "" if self.errors is None else f" ± {self.errors[term]:.2g}"
            rows.append(f"{value:.6g}{error}  [{INTERACTIONS[term]}]")
        return "\n".join([*rows, f"misfit {self.misfit:.3g} at cutoff {self.cutoff:g}"])


def fit_local_couplings(
    response: LocalResponse,
    values: SymmetricTensor,
    errors: SymmetricTensor | NDArray[np.float64] | None = None,
) -> LocalCouplings:
    """Fit couplings to a quartic correlator by least squares.

    Parameters
    ----------
    response : LocalResponse
        What a unit of each coupling adds.
    values : SymmetricTensor
        G_c⁽⁴⁾, from theory or estimated.
    errors : SymmetricTensor or ndarray, optional
        Standard errors of the unique entries, or their covariance matrix; without them all
        entries of the dense tensor count alike, and the couplings have no errors.

    Raises
    ------
    SpecificationError
        If the points differ, errors are not positive, or the interactions cannot be told apart.

    Examples
    --------
    >>> unit = LocalResponse(
    ...     terms=("local",), tensors=(SymmetricTensor(4, 1, [-24.0]),), cutoff=1.0, errors=(0.0,))
    >>> fit = fit_local_couplings(
    ...     unit, SymmetricTensor(4, 1, [1.2]), SymmetricTensor(4, 1, [0.24]))
    >>> round(fit["local"], 12), round(fit.errors["local"], 12)
    (-0.05, 0.01)
    """
    first = response.tensors[0]
    if (values.order, values.dimension) != (first.order, first.dimension):
        raise SpecificationError(
            expected=f"a correlator of order {first.order} over {first.dimension} points",
            came=f"{values!r}",
            remedy="fit over the points of the response",
        )
    design = np.stack([tensor.entries for tensor in response.tensors], axis=1)
    whiten = _whitening(values, errors)
    rows, target = whiten @ design, whiten @ values.entries
    scales = np.linalg.norm(rows, axis=0)
    singular = np.linalg.svd(rows / np.where(scales > 0, scales, 1.0), compute_uv=False)
    if len(values) < design.shape[1] or singular[-1] < 1e-10 * singular[0] or not np.all(scales):
        raise SpecificationError(
            expected="points that tell the interactions apart",
            came=f"responses of {', '.join(response.terms)} that are linearly dependent",
            remedy="use more points, or fewer interactions",
        )
    couplings = np.linalg.lstsq(rows / scales, target, rcond=None)[0] / scales
    residuals = SymmetricTensor(4, values.dimension, values.entries - design @ couplings)
    covariance = None
    if errors is not None:
        covariance = np.linalg.inv((rows / scales).T @ (rows / scales)) / np.outer(scales, scales)
    deviations = None if covariance is None else np.sqrt(np.diag(covariance))
    chi = float(np.sum((target - rows @ couplings) ** 2))
    return LocalCouplings(
        values=dict(zip(response.terms, map(float, couplings), strict=True)),
        errors=None
        if deviations is None
        else dict(zip(response.terms, map(float, deviations), strict=True)),
        covariance=covariance,
        chi_squared=None if errors is None else chi,
        degrees=len(values) - design.shape[1],
        misfit=residuals.norm() / values.norm(),
        residuals=residuals,
        cutoff=response.cutoff,
        accuracy=max(response.errors),
    )


def _whitening(
    values: SymmetricTensor, errors: SymmetricTensor | NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """A matrix W with Wᵀ W the inverse covariance of the unique entries."""
    if errors is None:
        return np.diag(np.sqrt(values.multiplicities))
    array = errors.entries if isinstance(errors, SymmetricTensor) else np.asarray(errors)
    size = len(values)
    if array.shape == (size,) and np.all(array > 0) and np.all(np.isfinite(array)):
        return np.diag(1 / array)
    if array.shape == (size, size):
        eigenvalues = np.linalg.eigvalsh(array)
        if eigenvalues[0] > 0:
            return np.linalg.inv(np.linalg.cholesky(array))
    raise SpecificationError(
        expected=f"{size} positive errors, or a positive definite matrix of their covariances",
        came=f"an array of shape {array.shape}",
        remedy="leave entries without an error out, or use errors alone instead of a covariance",
    )


def local_couplings(
    net: Network,
    X: Any,
    cutoff: float,
    *,
    terms: Sequence[Interaction] = ("local",),
    rtol: float = 1e-6,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> LocalCouplings:
    """Fit local couplings to the exact G_c⁽⁴⁾ of a network over points.

    Parameters
    ----------
    net, X, cutoff, terms, rtol, params, **values
        As :func:`local_response`.

    Examples
    --------
    >>> from nnft_sym.literature import relu_net
    >>> fit = local_couplings(
    ...     relu_net(), [[0.5], [1.0]], 2.0, sigma_w=1, sigma_b=0, sigma_v=1, N=100)
    >>> round(fit["local"] * 100 * 2.0**5, 6), fit.misfit < 1e-9
    (-12.5, True)
    """
    response = local_response(net, X, cutoff, terms=terms, rtol=rtol, params=params, **values)
    exact = cumulant(net, 4).evaluate(X, params=params, **values).values
    return fit_local_couplings(response, exact)


@dataclass(frozen=True, kw_only=True, eq=False)
class RunningCoupling:
    """How a coupling changes with the cutoff, correlators being held fixed.

    Parameters
    ----------
    cutoffs, values : ndarray
        Λ and λ(Λ).
    slopes : ndarray
        d log|λ| / d log Λ between neighbouring cutoffs.
    misfits : ndarray
        Of each fit.
    """

    cutoffs: NDArray[np.float64]
    values: NDArray[np.float64]
    slopes: NDArray[np.float64]
    misfits: NDArray[np.float64]


def running_coupling(
    net: Network,
    X: Any,
    cutoffs: Sequence[float],
    *,
    rtol: float = 1e-6,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> RunningCoupling:
    """Fit λ at several cutoffs: its flow under the renormalisation group.

    A kernel that scales as K(sy, x) = s K(y, x), such as that of ReLU without bias, gives
    λ ∝ Λ^{-(d+4)}.

    Parameters
    ----------
    net, X, rtol, params, **values
        As :func:`local_response`.
    cutoffs : sequence of float
        At least two, ascending.

    Notes
    -----
    Source: [HMS20] section 5.
    """
    scales = np.asarray(cutoffs, dtype=np.float64)
    if scales.ndim != 1 or len(scales) < 2 or np.any(np.diff(scales) <= 0):
        raise SpecificationError(
            expected="at least two ascending cutoffs", came=f"{cutoffs!r}", remedy="sort them"
        )
    exact = cumulant(net, 4).evaluate(X, params=params, **values).values
    fits = [
        fit_local_couplings(
            local_response(net, X, float(scale), rtol=rtol, params=params, **values), exact
        )
        for scale in scales
    ]
    found = np.array([fit["local"] for fit in fits])
    return RunningCoupling(
        cutoffs=scales,
        values=found,
        slopes=np.diff(np.log(np.abs(found))) / np.diff(np.log(scales)),
        misfits=np.array([fit.misfit for fit in fits]),
    )
