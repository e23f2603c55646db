"""Fields of random equivariant networks, from the coefficients in the bases of a network.

Only the definition is shared with the theory: bases, φ and scales. A draw is a function of the
key, the index of the network, and the place of the coefficient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.kernels.draws import Key, key_from_rng, normals
from nnft_sym.language import evaluate
from nnft_sym.language.errors import SpecificationError

if TYPE_CHECKING:
    from nnft_sym.equivariance.networks import EquivariantNetwork

__all__ = ["sample_equivariant"]

WEIGHT, BIAS, READOUT = range(3)


def sample_equivariant(
    net: EquivariantNetwork, X: ArrayLike, networks: int = 1000, rng: Any = None
) -> NDArray[np.float64]:
    """Raw fields f_i(x_a) of independent equivariant networks.

    Parameters
    ----------
    net : EquivariantNetwork
        From ``nn.equivariant_network``.
    X : array_like of shape (n, d)
        Points.
    networks : int
        How many networks, at least 1.
    rng : int, numpy.random.SeedSequence or numpy.random.Generator, optional
        The seed: network k of one seed has the same coefficients at all points and numbers.

    Returns
    -------
    ndarray of shape (networks, n, outputs)

    Raises
    ------
    SpecificationError
        If points do not fit, or there is no network.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> V = nn.regular(nn.Zn(3))
    >>> net = nn.equivariant_network("max(z, 0)", V, V, V, channels=4)
    >>> sample_equivariant(net, [[1.0, 0, 0]], networks=5, rng=0).shape
    (5, 1, 3)
    """
    if networks < 1:
        raise SpecificationError(
            expected="at least one network", came=str(networks), remedy="ask for networks=1000"
        )
    points, key, formula = net.points(X), key_from_rng(rng), net.formula
    fields = np.einsum("kmd,ad->kam", net.maps_in, points) * net.sigma_w
    fields /= np.sqrt(points.shape[1])
    scale = net.sigma_v / np.sqrt(net.channels * net.rho_hidden.dimension)
    samples = np.empty((networks, len(points), net.rho_out.dimension))
    for network in range(networks):

        def coefficients(parameter: int, count: int, network: int = network) -> Any:
            return _coefficients(key, network, parameter, count, net.channels)

        z = np.einsum("kc,kam->cam", coefficients(WEIGHT, len(fields)), fields)
        bias = np.einsum("kc,km->cm", coefficients(BIAS, len(net.biases)), net.biases)
        z += net.sigma_b * bias[:, None, :]
        hidden = np.broadcast_to(evaluate(formula, {"z": z}), z.shape)
        readout = coefficients(READOUT, len(net.maps_out))
        summed = np.einsum("kc,cam->kam", readout, hidden)
        samples[network] = scale * np.einsum("kpm,kam->ap", net.maps_out, summed)
    return samples


def _coefficients(
    key: Key, network: int, parameter: int, count: int, channels: int
) -> NDArray[np.float64]:
    """Normals, one row for each basis map and one column for each channel."""
    rows = [normals(key, network, parameter, place, channels) for place in range(count)]
    return np.array(rows).reshape(count, channels)
