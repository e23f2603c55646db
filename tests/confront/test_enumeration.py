"""Rademacher networks of at most three neurons: every set of weights, one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn

X = np.array([[0.5, -1.0], [1.5, 0.3], [-0.7, 0.9]])


def every_field(phi, width: int, *, bias: bool, outputs: int = 1) -> np.ndarray:
    """Fields (networks, n, D) of all networks with weights ±1, each as likely as any other."""
    signs = np.array(list(product((-1.0, 1.0), repeat=2 + bias + outputs)))
    z = signs[:, :2] @ X.T / np.sqrt(2) + (signs[:, 2:3] if bias else 0.0)
    neuron = phi(z)[:, :, None] * signs[:, None, 2 + bias :]
    total = neuron
    for _ in range(width - 1):
        total = (total[:, None] + neuron[None]).reshape(-1, len(X), outputs)
    return total / np.sqrt(width)


def joint_cumulant(fields: np.ndarray) -> float:
    """Cumulant of all columns by the recursion over the block of the first one.

    m_S = sum over T in S with the first element of κ_T m_{S without T}.
    """
    order = fields.shape[1]
    full = (1 << order) - 1
    moment = {
        s: float(np.mean(np.prod(fields[:, [i for i in range(order) if s >> i & 1]], axis=1)))
        for s in range(full + 1)
    }
    kappa: dict[int, float] = {}
    for s in range(1, full + 1):
        first = s & -s
        rest = s ^ first
        part, total = rest, moment[s]
        while part:
            part = (part - 1) & rest
            total -= kappa[part | first] * moment[rest ^ part]
        kappa[s] = total
    return kappa[full]


ACTIVATIONS = {
    "z**2+z": lambda z: z**2 + z,
    "exp(z/2)": lambda z: np.exp(z / 2),
    "max(z,0)": lambda z: np.maximum(z, 0),
}


def network(text: str, width: int, *, bias: bool, outputs: int = 1) -> nn.Network:
    sign = nn.Rademacher()
    return nn.shallow(
        text,
        weight=sign,
        bias=sign if bias else None,
        readout=sign,
        width=width,
        inputs=2,
        outputs=outputs,
    )


@pytest.mark.parametrize(
    ("width", "bias"), [(1, False), (1, True), (2, False), (2, True), (3, False)]
)
@pytest.mark.parametrize("text", ACTIVATIONS)
def test_cumulants_equal_enumeration(text, bias, width):
    fields = every_field(ACTIVATIONS[text], width, bias=bias)[:, :, 0]
    net = network(text, width, bias=bias)
    for order in (2, 4, 6):
        evaluation = nn.cumulant(net, order).evaluate(X)
        scale = np.abs(evaluation.values.entries).max()
        for index, value in evaluation.values:
            exact = joint_cumulant(fields[:, list(index)])
            assert value == pytest.approx(exact, rel=1e-10, abs=1e-11 * scale + 1e-13), index


def test_cumulants_of_two_outputs_equal_enumeration():
    fields = every_field(np.exp, 2, bias=False, outputs=2).reshape(-1, 2 * len(X))
    evaluation = nn.cumulant(network("exp(z)", 2, bias=False, outputs=2), 4).evaluate(X)
    for index, value in evaluation.values:
        assert value == pytest.approx(joint_cumulant(fields[:, list(index)]), rel=1e-10, abs=1e-12)


def test_uneven_readout_has_odd_cumulants():
    """A readout on [0, 1], by quadrature, of one neuron: the third cumulant does not vanish."""
    net = nn.shallow(
        "z**2+z", weight=nn.Rademacher(), bias=None, readout=nn.Uniform(0, 1), width=1, inputs=2
    )
    nodes, weights = np.polynomial.legendre.leggauss(8)
    readout, chance = (nodes + 1) / 2, weights / 2
    signs = np.array(list(product((-1.0, 1.0), repeat=2)))
    h = ACTIVATIONS["z**2+z"](signs @ X.T / np.sqrt(2))
    f = (readout[:, None, None] * h[None]).reshape(-1, len(X))
    p = np.repeat(chance, 4) / 4
    mean = p @ f
    third = np.einsum("s,sa,sb,sc->abc", p, *(f - mean,) * 3)
    assert nn.cumulant(net, 3).tensor(X) == pytest.approx(third, rel=1e-10, abs=1e-12)


@pytest.mark.montecarlo
@pytest.mark.parametrize("width", [1, 3])
def test_the_sampler_agrees_with_enumeration(width):
    fields = every_field(ACTIVATIONS["z**2+z"], width, bias=True)[:, :, 0]
    net = network("z**2+z", width, bias=True)
    estimate = nm.correlators(net, X, (2, 4), networks=200_000, rng=7)
    for order in (2, 4):
        sample = estimate[order]
        exact = [joint_cumulant(fields[:, list(index)]) for index, _ in sample.tensor]
        pulls = (exact - sample.tensor.entries) / sample.error_tensor.entries
        assert np.all(np.abs(pulls) < 5), (order, pulls)
