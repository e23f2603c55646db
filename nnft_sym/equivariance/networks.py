"""Ensembles of random equivariant networks with one hidden layer, and their kernels.

f(x) = 1/√(N m) Σ_c V_c φ(z_c),  z_c = W_c x/√d + b_c, for N channels of hidden fields in R^m, with
W_c = Σ_i w_ci B_i over an orthonormal basis of equivariant maps, V_c and b_c alike, and independent
normal coefficients. Without symmetry (the trivial group) it is the dense network of N m neurons.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_sym.activations import Activation
from nnft_sym.architectures import shallow
from nnft_sym.densities import Gaussian
from nnft_sym.equivariance.maps import bias_basis, equivariant_basis
from nnft_sym.equivariance.preservation import preserves
from nnft_sym.formulas import from_sympy
from nnft_sym.group_theory.representations import Representation
from nnft_sym.kernels import kernel
from nnft_sym.language import Expression
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table

__all__ = ["EquivariantNetwork", "equivariant_network"]


@dataclass(frozen=True, kw_only=True, eq=False)
class EquivariantNetwork(Shown):
    """A random network f with f(ρ_in(g)x) = ρ_out(g) f(x) in every draw.

    Parameters
    ----------
    rho_in, rho_hidden, rho_out : Representation
        The representations on inputs R^d, on one hidden channel R^m and on outputs.
    activation : Activation
        φ, on each component: it must commute with ρ_hidden.
    sigma_w, sigma_b, sigma_v : float
        Standard deviations of the coefficients of W, b and V, non-negative.
    channels : int
        N: independent copies of the hidden representation.

    Raises
    ------
    SpecificationError
        If groups differ, a scale is negative, there is no channel, or φ is not equivariant.
    """

    rho_in: Representation
    rho_hidden: Representation
    rho_out: Representation
    activation: Activation
    sigma_w: float = 1.0
    sigma_b: float = 1.0
    sigma_v: float = 1.0
    channels: int = 1

    def __post_init__(self) -> None:
        kept = preserves(self.activation, self.rho_hidden)
        if not kept.holds:
            raise SpecificationError(
                expected="an activation that commutes with the hidden representation",
                came=f"{self.activation.name}: {kept.reason}",
                remedy="choose a hidden representation by permutations, nn.regular(group) say, "
                "or another activation",
            )
        if min(self.sigma_w, self.sigma_b, self.sigma_v) < 0 or self.channels < 1:
            raise SpecificationError(
                expected="scales >= 0 and at least one channel",
                came=f"{(self.sigma_w, self.sigma_b, self.sigma_v)} and {self.channels}",
                remedy="give standard deviations and a number of channels",
            )

    def _table(self) -> Table:
        sides = (self.rho_in, self.rho_hidden, self.rho_out)
        return Table(
            title=f"Random networks equivariant under {self.rho_in.group.name}",
            rows=(
                ("representations", " -> ".join(f"{rho.name} ({rho.dimension})" for rho in sides)),
                ("channels", str(self.channels)),
                ("activation", self.activation.name),
                *((name, f"{getattr(self, name):g}") for name in ("sigma_w", "sigma_b", "sigma_v")),
            ),
        )

    def __repr__(self) -> str:
        return (
            f"EquivariantNetwork({self.rho_in.name} -> {self.channels} x {self.rho_hidden.name} -> "
            f"{self.rho_out.name} of {self.rho_in.group.name}, {self.activation.name})"
        )

    @cached_property
    def maps_in(self) -> NDArray[np.float64]:
        """Orthonormal basis of the maps into one channel, (k, m, d)."""
        return equivariant_basis(self.rho_in, self.rho_hidden).orthonormal()

    @cached_property
    def biases(self) -> NDArray[np.float64]:
        """Orthonormal basis of the biases of one channel, (k, m)."""
        return bias_basis(self.rho_hidden).orthonormal()[:, :, 0]

    @cached_property
    def maps_out(self) -> NDArray[np.float64]:
        """Orthonormal basis of the maps out of one channel, (k, outputs, m)."""
        return equivariant_basis(self.rho_hidden, self.rho_out).orthonormal()

    @property
    def formula(self) -> Expression:
        """φ in the little language, for those who evaluate it."""
        return from_sympy(self.activation.expression)

    def points(self, X: ArrayLike) -> NDArray[np.float64]:
        """Points as an array (n, d).

        Raises
        ------
        SpecificationError
            If they are no finite vectors of the dimension of ρ_in.
        """
        points = np.asarray(X, dtype=float)
        if points.ndim != 2 or points.shape[1] != self.rho_in.dimension:
            raise SpecificationError(
                expected=f"points of shape (n, {self.rho_in.dimension})",
                came=f"shape {points.shape}",
                remedy="give one row for each point",
            )
        if not np.isfinite(points).all():
            raise SpecificationError(
                expected="finite points", came="inf or nan", remedy="leave those points out"
            )
        return points

    def kernel(self, X: ArrayLike) -> NDArray[np.float64]:
        """The kernel G_aibj = E[f_i(x_a) f_j(x_b)], exact at every N.

        G = σ_v²/m Σ_k B_k E[φ(z(x_a)) φ(z(x_b))ᵀ] B_kᵀ, where z is a Gaussian field; it obeys
        G(gx, gy) = ρ_out(g) G(x, y) ρ_out(g)ᵀ, as each draw is equivariant.

        Parameters
        ----------
        X : array_like of shape (n, d)
            Points.

        Returns
        -------
        ndarray of shape (n, outputs, n, outputs)
        """
        points, m = self.points(X), self.rho_hidden.dimension
        fields = self.sigma_w * np.einsum("kmd,ad->amk", self.maps_in, points)
        fields /= np.sqrt(points.shape[1])
        constant = np.broadcast_to(
            self.sigma_b * self.biases.T, (len(points), *self.biases.T.shape)
        )
        features = np.concatenate([fields, constant], axis=2).reshape(len(points) * m, -1)
        size = max(features.shape[1], 1)
        neuron = shallow(self.activation, weight=Gaussian(0, 1), bias=None, readout=Gaussian(0, 1))
        padded = np.zeros((len(features), size))
        padded[:, : features.shape[1]] = features * np.sqrt(size)
        moments = kernel(neuron).tensor(padded).reshape(len(points), m, len(points), m)
        return np.asarray(
            self.sigma_v**2
            / m
            * np.einsum("kpm,ambn,kqn->apbq", self.maps_out, moments, self.maps_out)
        )


def equivariant_network(
    activation: Any,
    rho_in: Representation,
    rho_hidden: Representation,
    rho_out: Representation,
    *,
    sigma_w: float = 1.0,
    sigma_b: float = 1.0,
    sigma_v: float = 1.0,
    channels: int = 1,
) -> EquivariantNetwork:
    """A random equivariant network with one hidden layer.

    Parameters
    ----------
    activation : Activation, sympy.Expr or str
        φ, which must commute with ρ_hidden (see ``nn.preserves``).
    rho_in, rho_hidden, rho_out : Representation
        Representations of one group.
    sigma_w, sigma_b, sigma_v, channels
        As in :class:`EquivariantNetwork`.

    Examples
    --------
    >>> from nnft_sym.groups import Zn
    >>> from nnft_sym.group_theory.representations import regular
    >>> V = regular(Zn(3))
    >>> G = equivariant_network("max(z, 0)", V, V, V, sigma_b=0).kernel([[1, 0, 0], [0, 1, 0]])
    >>> bool(np.allclose(np.roll(G[0, :, 0], (1, 1), axis=(0, 1)), G[1, :, 1]))
    True
    """
    return EquivariantNetwork(
        rho_in=rho_in,
        rho_hidden=rho_hidden,
        rho_out=rho_out,
        activation=Activation.of(activation),
        sigma_w=sigma_w,
        sigma_b=sigma_b,
        sigma_v=sigma_v,
        channels=channels,
    )
