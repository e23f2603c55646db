"""Kernel and tangent kernel of a network over many points, from one pass through its layers."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnft_sym.exactness import Exactness
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import InfiniteMomentError, SpecificationError
from nnft_sym.layered_networks import read_layers
from nnft_sym.networks import Network
from nnft_sym.tangent import ntk

__all__ = ["KernelMatrices", "kernel_matrices"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class KernelMatrices:
    """Kernel and tangent kernel over n points, of one output.

    Parameters
    ----------
    kernel, tangent : ndarray, shape (n, n)
        K and Θ (gradients with respect to standardised parameters).
    kernel_error, tangent_error : float
        Bounds of the errors, relative to sqrt(Θ_aa Θ_bb).
    exactness : Exactness
        What they leave out.
    """

    kernel: Floats
    tangent: Floats
    kernel_error: float
    tangent_error: float
    exactness: Exactness


def kernel_matrices(
    net: Network,
    X: Any,
    *,
    params: Mapping[str, Any] | None = None,
    executor: Executor | None = None,
    **values: Any,
) -> KernelMatrices:
    """Return the kernel and the tangent kernel over points together.

    For deep networks of error functions and of functions linear on both sides of zero both come
    from one recursion over blocks of rows, whose memory is that of the two matrices; other
    networks are evaluated one kernel after the other.

    Parameters
    ----------
    net : Network
        With one output.
    X : array_like, shape (n, d)
        Points.
    params, **values
        Values of the free parameters, by mapping or keyword.
    executor : Executor, optional
        Threads that share the blocks; one after the other if None.

    Returns
    -------
    KernelMatrices

    Raises
    ------
    SpecificationError
        For several outputs, impossible points or parameters.
    NotDerivedError, AccuracyError, InfiniteMomentError
        As :func:`kernel` and :func:`ntk`.

    Notes
    -----
    Source: [J18].

    Examples
    --------
    >>> from nnft_sym.activations import ReLU
    >>> from nnft_sym.architectures import mlp
    >>> both = kernel_matrices(mlp(ReLU(), depth=2), [[1.0], [2.0]], sigma_w=1, sigma_b=0)
    >>> both.kernel.round(12).tolist(), both.tangent.round(12).tolist()
    ([[0.25, 0.5], [0.5, 1.0]], [[0.75, 1.5], [1.5, 3.0]])
    """
    if net.outputs != 1:
        raise SpecificationError(
            expected="a network with one output",
            came=f"{net.outputs} outputs",
            remedy="use nn.kernel(net).tensor and nn.ntk(net).tensor",
        )
    theta = ntk(net)
    layers = read_layers(theta.terms[0].function)
    if layers is not None:
        points, numbers = theta.bound(X, params, values)
        with np.errstate(over="ignore", invalid="ignore"):
            found = layers.matrices(points, numbers, tangent=True, executor=executor)
        if found.tangent is None or not np.all(np.isfinite(found.tangent)):
            raise InfiniteMomentError(
                expected="finite covariances in every layer",
                came="a covariance that overflows",
                remedy="lower the weight and bias scales, or the depth",
            )
        return KernelMatrices(
            kernel=found.kernel,
            tangent=found.tangent,
            kernel_error=found.kernel_error,
            tangent_error=found.tangent_error,
            exactness=theta.exactness,
        )
    tangent = theta.evaluate(X, params=params, **values)
    plain = kernel(net).evaluate(X, params=params, **values)
    length = np.sqrt(np.diag(tangent.dense))
    scale = np.outer(length, length)
    worst = [
        float(np.max(np.divide(e.dense, scale, out=np.zeros_like(scale), where=scale > 0)))
        for e in (plain.errors, tangent.errors)
    ]
    return KernelMatrices(
        kernel=plain.dense,
        tangent=tangent.dense,
        kernel_error=worst[0],
        tangent_error=worst[1],
        exactness=tangent.exactness & plain.exactness,
    )
