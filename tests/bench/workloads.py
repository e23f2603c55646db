"""The five workloads on which samplers are compared, and some more of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import nnft_sym as nn
from nnft_sym.networks import Network

__all__ = ["BOX", "LINE", "ORDER", "OWN", "WORKLOADS", "Workload"]

ORDER = 4
"""Moments up to this order are part of the work."""

LINE = np.array([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0])[:, None]
"""Six points in one dimension."""

BOX = np.random.default_rng(0).uniform(-1, 1, size=(8, 4))
"""Eight points in four dimensions."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A network, its points and the numbers that fix it.

    Parameters
    ----------
    title : str
        What is sampled, in a few words.
    network : Network
        The ensemble, for our sampler.
    functions : tuple of str
        Functions of the vector math in its activation; none for a comparison.
    X : ndarray, shape (n, d)
        Points.
    widths : tuple of int
        Hidden widths.
    params : mapping
        Values of the network's parameters.
    phi : str
        Name of the activation, for the samplers of others.
    phases : bool
        Whether biases are uniform, else normal.
    routes : tuple of str
        Routes to its fields that are measured.
    """

    title: str
    network: Network
    functions: tuple[str, ...]
    X: NDArray[np.float64]
    widths: tuple[int, ...]
    params: Mapping[str, float]
    phi: str = ""
    phases: bool = False
    routes: tuple[str, ...] = ("parameters",)

    def draws(self, route: str) -> tuple[int, int]:
        """Count the normals and the uniforms of one network."""
        n, d = self.X.shape
        if route == "functions":
            # the first layer's covariance has rank d + 1 at most
            return self.widths[0] * min(n, d + 1) + n * sum(self.widths[1:]) + n, 0
        neurons = sum(self.widths)
        weights = sum(fan * n for fan, n in zip((d, *self.widths), self.widths, strict=False))
        normals = weights + self.widths[-1] + (0 if self.phases else neurons)
        return normals, neurons if self.phases else 0

    @property
    def activations(self) -> int:
        """Values of φ of one network at all points."""
        return len(self.X) * sum(self.widths)

    def products(self, route: str) -> int:
        """Count the products of one network: sums over inputs, factors and metrics."""
        n, d = self.X.shape
        if route == "functions":
            pairs = n * (n + 1) // 2
            first = self.widths[0] * n * min(n, d + 1)
            return first + pairs * sum(self.widths[1:]) + pairs * sum(self.widths)
        fans = (d, *self.widths)
        layers = sum(fan * n for fan, n in zip(fans, self.widths, strict=False))
        return n * (layers + self.widths[-1])


_UNIT = {"sigma_w": 1.0, "sigma_v": 1.0}

WORKLOADS = {
    "W1": Workload(
        title="erf, d=1, N=1000, n=6",
        network=nn.erf_net(),
        functions=("erf",),
        phi="erf",
        X=LINE,
        widths=(1000,),
        params=_UNIT | {"sigma_b": 1.0, "N": 1000},
    ),
    "W2": Workload(
        title="ReLU, d=3, N=1000, n=6",
        network=nn.relu_net(),
        functions=(),
        phi="relu",
        X=np.random.default_rng(1).uniform(-1, 1, size=(6, 3)),
        widths=(1000,),
        params=_UNIT | {"sigma_b": 1.0, "N": 1000},
    ),
    "W3": Workload(
        title="cos, d=1, N=1000, n=6",
        network=nn.cos_net(),
        functions=("cos of half turns",),
        phi="cos",
        phases=True,
        X=LINE,
        widths=(1000,),
        params=_UNIT | {"N": 1000},
    ),
    "W4": Workload(
        title="tanh MLP, 4-128-128-128-1, n=8",
        network=nn.mlp(nn.Tanh(), widths=(128, 128, 128)),
        functions=("tanh",),
        phi="tanh",
        routes=("parameters", "functions"),
        X=BOX,
        widths=(128, 128, 128),
        params={"sigma_w": 1.0, "sigma_b": 0.1},
    ),
    "W5": Workload(
        title="Gauss-net, d=1, N=1000, n=6",
        network=nn.gauss_net(),
        functions=("exp",),
        phi="gauss",
        X=LINE,
        widths=(1000,),
        params=_UNIT | {"sigma_b": 0.3, "N": 1000},
    ),
}
"""By the names under which results are quoted."""


def _own(title: str, network: Network, functions: tuple[str, ...], N: int = 1000) -> Workload:
    params = _UNIT | {"sigma_b": 1.0, "N": N}
    return Workload(
        title=title, network=network, functions=functions, X=LINE, widths=(N,), params=params
    )


OWN = {
    "GELU": _own("GELU, d=1, N=1000, n=6", nn.shallow(nn.GELU()), ("erf",)),
    "mixed": _own(
        "cos(z) exp(-z^2/2) + tanh(z), d=1, N=1000, n=6",
        nn.shallow("cos(z)*exp(-z**2/2) + tanh(z)"),
        ("cos", "exp", "tanh"),
    ),
    "narrow": _own("erf, d=1, N=8, n=6", nn.erf_net(), ("erf",), N=8),
}
"""More activations, and a small width."""
