"""Every kernel and tangent kernel of another program's table, as nn.kernel and nn.ntk find it."""

import json
from math import factorial, prod
from pathlib import Path

import numpy as np
import pytest

import nnft_sym as nn

TABLE = json.loads((Path(__file__).parent / "golden/neural_tangents_kernels.json").read_text())
BLOCKS = {name: block for name, block in TABLE.items() if isinstance(block, dict)}
CASES = [(name, key) for name, block in BLOCKS.items() for key in block["kernels"]]
# The meaning of each name, as the file's README states it.
ACTIVATIONS = {
    "relu": "max(z, 0)",
    "leaky_relu_0.2": "max(z, 0) + 0.2*min(z, 0)",
    "abrelu_-0.5_2": "-0.5*min(z, 0) + 2*max(z, 0)",
    "abs": "abs(z)",
    "sign": "sign(z)",
    "exp": "exp(z)",
    "exp_a0.5_b0.6": "0.5*exp(0.6*z)",
    "cos": "cos(z)",
    "sin": "sin(z)",
    "sin_a1.2_b0.8_c0.5": "1.2*sin(0.8*z + 0.5)",
    "rbf_gamma0.6": "sqrt(2)*sin(sqrt(1.2)*z + pi/4)",
    "erf": "erf(z)",
    "erf_a1.5_b0.7_c0.3": "1.5*erf(0.7*z) + 0.3",
    "sigmoid_like": "1/2 + erf(z/2.4020563531719796)/2",
    "gelu": "z*(1 + erf(z/sqrt(2)))/2",
    "gabor": "exp(-z**2)*sin(z)",
    "gaussian_a1_b-0.7": "exp(-0.7*z**2)",
    "monomial_2": "z**2",
    "monomial_3": "z**3",
    "monomial_5": "z**5",
    "rectified_monomial_2": "max(z, 0)**2",
    "rectified_monomial_3": "max(z, 0)**3",
    "polynomial_1_-2_0.5_0.25": "1 - 2*z + 0.5*z**2 + 0.25*z**3",
}
IDS = [f"{name}-{key}" for name, key in CASES]


def network(key):
    name, _, depth = key.partition("|depth")
    return nn.mlp(ACTIVATIONS[name], depth=int(depth))


def scales(block):
    return dict(sigma_w=block["W_std"], sigma_b=block["b_std"])


def agrees(got, expected):
    known = np.isfinite(expected)
    return np.allclose(got[known], expected[known], rtol=1e-10, atol=1e-14)


def test_every_name_of_the_table_is_met_and_no_other():
    names = {key.partition("|")[0] for _, key in CASES}
    assert names == set(ACTIVATIONS)


@pytest.mark.parametrize(("name", "key"), CASES, ids=IDS)
def test_kernel(name, key):
    block = BLOCKS[name]
    expected = np.array(block["kernels"][key]["nngp"], dtype=float)
    kernel = nn.kernel(network(key))
    assert agrees(kernel.tensor(block["inputs"], **scales(block)), expected)


@pytest.mark.parametrize(("name", "key"), [c for c in CASES if not c[1].startswith("sign|")])
def test_tangent_kernel(name, key):
    block = BLOCKS[name]
    expected = np.array(block["kernels"][key]["ntk"], dtype=float)
    theta = nn.ntk(network(key))
    assert agrees(theta.tensor(block["inputs"], **scales(block)), expected)


def first_layer(block):
    X = np.array(block["inputs"])
    return block["b_std"] ** 2 + block["W_std"] ** 2 * X @ X.T / X.shape[1]


@pytest.mark.parametrize(("name", "key"), [c for c in CASES if c[1].startswith("rectified")])
def test_diagonals_that_the_other_program_has_not(name, key):
    """E[θ(z) z^{2k}] = (2k-1)!!/2 K^k, and k²E[θ(z) z^{2k-2}] for the slopes."""
    block = BLOCKS[name]
    theirs = np.array(block["kernels"][key]["nngp"], dtype=float)
    assert np.isnan(np.diag(theirs)).all()
    k, K = int(key.partition("|")[0].rpartition("_")[2]), np.diag(first_layer(block))
    odd = [prod(range(1, 2 * m, 2)) for m in (k, k - 1)]
    assert odd[0] == factorial(2 * k) // (2**k * factorial(k))
    kernel = block["b_std"] ** 2 + block["W_std"] ** 2 * odd[0] * K**k / 2
    theta = kernel + block["W_std"] ** 2 * K * k**2 * odd[1] * K ** (k - 1) / 2
    for make, expected in ((nn.kernel, kernel), (nn.ntk, theta)):
        got = make(network(key)).tensor(block["inputs"], **scales(block))
        assert np.allclose(np.diag(got), expected, rtol=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_tangent_kernel_of_sign_with_the_term_the_other_program_drops(depth):
    """Θ' = K' + C_W Θ·2/(π√(K₁₁K₂₂-K₁₂²)) off the diagonal, from that program's own kernels."""
    for block in BLOCKS.values():
        K = theta = first_layer(block)
        for layer in range(1, depth + 1):
            above = np.array(block["kernels"][f"sign|depth{layer}"]["nngp"])
            D = np.outer(np.diag(K), np.diag(K)) - K**2
            with np.errstate(divide="ignore", invalid="ignore"):
                slopes = 2 / (np.pi * np.sqrt(np.where(np.eye(len(K)) > 0, 0.0, D)))
                theta = above + block["W_std"] ** 2 * theta * slopes
            K = above
        pairs = [[a, b] for a in range(len(K)) for b in range(a)]
        tangent = nn.ntk(network(f"sign|depth{depth}"))
        got = tangent.entries(block["inputs"], pairs, **scales(block))
        assert np.allclose(got, [theta[a, b] for a, b in pairs], rtol=1e-10)
        with pytest.raises(nn.InfiniteMomentError):
            tangent.tensor(block["inputs"], **scales(block))
