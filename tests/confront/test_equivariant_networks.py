"""Random equivariant networks: covariance of the kernel, and the kernel against samples."""

import numpy as np
import pytest
import sympy as sp
from scipy.special import ndtri

import nnft_num as nm
import nnft_sym as nn
from nnft_sym.language.errors import SpecificationError

FALSE_ALARM = 1e-4
"""Chance that a right kernel is rejected, over all entries of one test."""

sign = nn.Representation(nn.Hyperoctahedral(2), finite=[[[1]], [[-1]]])


def networks():
    Z3, S3, B2 = nn.Zn(3), nn.Sn(3), nn.Hyperoctahedral(2)
    V3, V2 = nn.defining(S3), nn.defining(B2)
    R = nn.regular(Z3)
    return {
        "cyclic": nn.equivariant_network(nn.ReLU(), R, R, R + nn.trivial(Z3), channels=2),
        "permutations": nn.equivariant_network(nn.Erf(), V3, V3 * V3, V3, sigma_b=0.5, channels=3),
        "signed": nn.equivariant_network(nn.Erf(), V2, V2 + sign, V2, sigma_w=2.0),
    }


def dense(matrix):
    return np.array(matrix.tolist(), dtype=float)


def largest_pull(samples, kernel):
    """Largest |mean - theory|/error over the distinct entries of G."""
    flat = samples.reshape(len(samples), -1)
    theory = kernel.reshape(flat.shape[1], -1)
    a, b = np.triu_indices(flat.shape[1])
    products = flat[:, a] * flat[:, b]
    error = products.std(axis=0, ddof=1) / np.sqrt(len(flat))
    return float(np.max(abs(products.mean(axis=0) - theory[a, b]) / error)), len(a)


POINTS = np.random.default_rng(7).normal(size=(2, 4))


@pytest.mark.parametrize("name", networks())
def test_kernels_are_covariant(name):
    net = networks()[name]
    X = POINTS[:, : net.rho_in.dimension]
    G = net.kernel(X)
    for g, rho in zip(net.rho_in.finite, net.rho_out.finite, strict=True):
        moved, r = net.kernel(X @ dense(g).T), dense(rho)
        assert np.allclose(moved, np.einsum("pi,aibj,qj->apbq", r, G, r), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", networks())
def test_every_draw_is_equivariant(name):
    net = networks()[name]
    X = POINTS[:, : net.rho_in.dimension]
    f = nm.sample_equivariant(net, X, networks=5, rng=1)
    for g, rho in zip(net.rho_in.finite, net.rho_out.finite, strict=True):
        moved = nm.sample_equivariant(net, X @ dense(g).T, networks=5, rng=1)
        assert np.allclose(moved, f @ dense(rho).T, rtol=0, atol=1e-12)


@pytest.mark.montecarlo
@pytest.mark.parametrize("name", networks())
def test_kernels_are_those_of_samples(name):
    net = networks()[name]
    X = POINTS[:, : net.rho_in.dimension]
    samples = nm.sample_equivariant(net, X, networks=6_000, rng=2)
    pull, entries = largest_pull(samples, net.kernel(X))
    limit = -ndtri(FALSE_ALARM / 2 / entries)
    assert pull < limit
    wrong, _ = largest_pull(samples, 1.3 * net.kernel(X))  # a kernel 30 % off is rejected
    assert wrong > limit


def test_hankel_weights_are_not_equivariant():
    """The planted fault: Hankel in place of circulant maps, f(gx) is no longer g f(x)."""
    V = nn.regular(nn.Zn(3))
    net = nn.equivariant_network(nn.ReLU(), V, V, V)
    hankel = np.array([[[(i + j) % 3 == k for j in range(3)] for i in range(3)] for k in range(3)])
    object.__setattr__(net, "maps_in", hankel / np.sqrt(3))
    g, X = dense(V.finite[0]), POINTS[:, :3]
    f = nm.sample_equivariant(net, X, networks=20, rng=1)
    moved = nm.sample_equivariant(net, X @ g.T, networks=20, rng=1)
    assert not np.allclose(moved, f @ g.T, rtol=0, atol=1e-2)


def test_without_symmetry_it_is_the_dense_network():
    one = nn.MatrixGroup(name="1", dimension=3)
    V = nn.defining(one)
    net = nn.equivariant_network(
        nn.ReLU(), V, V, nn.trivial(one), sigma_w=1.3, sigma_b=0.4, sigma_v=0.9
    )
    X = POINTS[:, :3]
    plain = nn.kernel(nn.shallow(nn.ReLU())).tensor(X, sigma_w=1.3, sigma_b=0.4, sigma_v=0.9, N=3)
    assert np.allclose(net.kernel(X)[:, 0, :, 0], plain, rtol=1e-10)


def test_bad_input_is_named():
    V = nn.defining(nn.SO(3))
    with pytest.raises(SpecificationError, match="mixes components"):
        nn.equivariant_network(nn.ReLU(), V, V, V)
    P = nn.defining(nn.Sn(3))
    net = nn.equivariant_network(nn.ReLU(), P, P, P)
    with pytest.raises(SpecificationError, match=r"shape \(n, 3\)"):
        net.kernel([[1.0, 2.0]])
    with pytest.raises(SpecificationError, match="finite points"):
        net.kernel([[1.0, 2.0, np.inf]])
    with pytest.raises(SpecificationError, match="at least one network"):
        nm.sample_equivariant(net, [[1.0, 2.0, 3.0]], networks=0)
    with pytest.raises(SpecificationError, match="scales"):
        nn.equivariant_network(nn.ReLU(), P, P, P, channels=0)
    with pytest.raises(SpecificationError, match="two representations"):
        nn.equivariant_network(nn.ReLU(), nn.defining(nn.Sn(4)), P, P).kernel(np.ones((1, 4)))
    assert sp.Integer(1) == nn.bias_basis(P).dimension
