"""The five workloads on which samplers are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import nnft_sym as nn
from nnft_sym.networks import Network

__all__ = ["ORDER", "WORKLOADS", "Workload"]

ORDER = 4
"""Moments up to this order are part of the work."""

_LINE = np.array([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0])[:, None]
_BOX = np.random.default_rng(0).uniform(-1, 1, size=(8, 4))


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A network, its points and the numbers that fix it.

    Parameters
    ----------
    title : str
        What is sampled, in a few words.
    network : Network
        The ensemble, for our sampler.
    phi : str
        Name of the activation, for those of the peers.
    X : ndarray, shape (n, d)
        Points.
    widths : tuple of int
        Hidden widths.
    params : mapping
        Values of the network's parameters.
    """

    title: str
    network: Network
    phi: str
    X: NDArray[np.float64]
    widths: tuple[int, ...]
    params: Mapping[str, float]

    @property
    def normals(self) -> int:
        """Random numbers of one network."""
        fans = (self.X.shape[1], *self.widths)
        hidden = sum(n * (fan + 1) for fan, n in zip(fans, self.widths, strict=False))
        return hidden + self.widths[-1]

    @property
    def activations(self) -> int:
        """Values of φ of one network at all points."""
        return len(self.X) * sum(self.widths)

    @property
    def products(self) -> int:
        """Multiplications of one network at all points, those of the layers alone."""
        fans = (self.X.shape[1], *self.widths)
        layers = sum(fan * n for fan, n in zip(fans, self.widths, strict=False))
        return len(self.X) * (layers + self.widths[-1])


_UNIT = {"sigma_w": 1.0, "sigma_v": 1.0}

WORKLOADS = {
    "W1": Workload(
        title="erf, d=1, N=1000, n=6",
        network=nn.erf_net(),
        phi="erf",
        X=_LINE,
        widths=(1000,),
        params=_UNIT | {"sigma_b": 1.0, "N": 1000},
    ),
    "W2": Workload(
        title="ReLU, d=3, N=1000, n=6",
        network=nn.relu_net(),
        phi="relu",
        X=np.random.default_rng(1).uniform(-1, 1, size=(6, 3)),
        widths=(1000,),
        params=_UNIT | {"sigma_b": 1.0, "N": 1000},
    ),
    "W3": Workload(
        title="cos, d=1, N=1000, n=6",
        network=nn.cos_net(),
        phi="cos",
        X=_LINE,
        widths=(1000,),
        params=_UNIT | {"N": 1000},
    ),
    "W4": Workload(
        title="tanh MLP, 4-128-128-128-1, n=8",
        network=nn.mlp(nn.Tanh(), widths=(128, 128, 128)),
        phi="tanh",
        X=_BOX,
        widths=(128, 128, 128),
        params={"sigma_w": 1.0, "sigma_b": 0.1},
    ),
    "W5": Workload(
        title="Gauss-net, d=1, N=1000, n=6",
        network=nn.gauss_net(),
        phi="gauss",
        X=_LINE,
        widths=(1000,),
        params=_UNIT | {"sigma_b": 0.3, "N": 1000},
    ),
}
"""By the names under which results are quoted."""
