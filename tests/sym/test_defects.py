"""Invariance defects against finite differences of correlator tensors."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.expectation.law import coordinate
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from nnft_sym.symmetries import moment_changes

VALUES = dict(sigma_w=1.2, sigma_b=0.3, sigma_v=0.8, N=3)
POINTS = np.array([[0.31, -0.47], [0.83, 0.22], [-0.19, 0.71], [0.45, 0.58]])
STEP = 1e-3

NETWORKS = {
    "erf": (nn.erf_net(), (1, 2)),
    "relu": (nn.relu_net(), (2,)),
    "gauss": (nn.gauss_net(), (2, 4)),
    "cos": (nn.cos_net(), (2, 4)),
    "cos of uniform": (
        nn.shallow(nn.Cos(), weight=nn.Uniform(-1, 1), bias=nn.Uniform(0, 1), inputs=2),
        (2,),
    ),
    "linear, uniform": (nn.shallow("z", weight=nn.Uniform(-1, 1), inputs=2), (2, 4)),
    "square with means": (
        nn.shallow("z**2", readout=nn.Gaussian(1, "sigma_v"), output_bias=nn.Gaussian(1, 1)),
        (1, 2, 3),
    ),
}
GROUPS = [nn.SO(2), nn.Translations(2), nn.Dilatations(2), nn.Hyperoctahedral(2), nn.Lorentz(2)]


def own(net):
    return {name: value for name, value in VALUES.items() if name in net.parameters}


def number(expression, X, values):
    rule = {coordinate(a + 1, i + 1): X[a, i] for a, i in np.ndindex(X.shape)}
    rule |= {s: values[s.name] for s in expression.free_symbols if s.name in values}
    return float(sp.N(expression.subs(rule)))


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
@pytest.mark.parametrize("name", NETWORKS)
def test_defects_on_inputs_are_the_change_of_tensors(name, group):
    net, orders = NETWORKS[name]
    for n in orders:
        found = nn.invariance_defect(net, group, n)
        G, X = nn.cumulant(net, n), POINTS[:n]
        for defect in found.defects:
            generator = defect.generator
            A = np.array(generator.matrix.tolist(), dtype=float)
            moved = X @ A.T + np.array(generator.shift, dtype=float)
            pick = tuple(range(n))

            def at(Y, G=G, pick=pick):
                return G.tensor(Y, **own(net))[pick]

            if generator.is_flow:
                steps = [
                    (at(X + s * moved) - at(X - s * moved)) / (2 * s) for s in (STEP, 2 * STEP)
                ]
                change = (4 * steps[0] - steps[1]) / 3
            else:
                change = at(moved) - at(X)
            derived = defect.expressions.get((0,) * n, sp.Integer(0))
            assert number(derived, X, own(net)) == pytest.approx(
                change, rel=1e-6, abs=1e-9 * max(1, abs(at(X)))
            )
            assert defect.vanishes == (derived == 0)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_defects_on_outputs_are_the_change_of_tensors(n, group):
    readout = [nn.Gaussian(1, 1), nn.Uniform(-1, 2)]
    net = nn.shallow("z**2", readout=readout, output_bias=nn.Gaussian(1, 1))
    values = {name: value for name, value in VALUES.items() if name != "sigma_v"}
    G, X = nn.cumulant(net, n), POINTS[:n]
    tensor = {
        legs: G.tensor(X, outputs=legs, **values)[tuple(range(n))]
        for legs in product(range(2), repeat=n)
    }
    for defect in nn.invariance_defect(net, group, n, on="output").defects:
        R = np.array(defect.generator.matrix.tolist(), dtype=float)
        shift = np.array(defect.generator.shift, dtype=float)
        for legs in defect.expressions:
            change = 0.0
            for images in product(range(2), repeat=n):
                if defect.generator.is_flow:
                    weight = sum(
                        R[legs[k], images[k]]
                        for k in range(n)
                        if all(legs[m] == images[m] for m in range(n) if m != k)
                    )
                else:
                    weight = np.prod([R[i, j] for i, j in zip(legs, images, strict=True)])
                    weight -= float(images == legs)
                change += weight * tensor[images]
            change += shift[legs[0]] if n == 1 else 0.0
            assert with_moments(defect.expressions[legs], X, values) == pytest.approx(
                change, rel=1e-9, abs=1e-9
            )


def with_moments(expression, X, values):
    """Put in the moments of z², by Isserlis' theorem."""
    K = values["sigma_b"] ** 2 + values["sigma_w"] ** 2 * X @ X.T / X.shape[1]
    rule = {}
    for symbol in expression.free_symbols:
        if symbol.name.startswith("M_"):
            legs = [int(c) - 1 for c in symbol.name[2:] for _ in range(2)]
            rule[symbol] = wick(K, legs)
        else:
            rule[symbol] = values[symbol.name]
    return float(expression.subs(rule))


def wick(K, legs):
    if not legs:
        return 1.0
    first, *rest = legs
    return sum(
        K[first, partner] * wick(K, rest[:k] + rest[k + 1 :]) for k, partner in enumerate(rest)
    )


def test_integrals_of_invariants_are_invariant():
    for net in (nn.shallow(nn.Tanh()), nn.scalar_field_net(2), nn.mlp(nn.Tanh(), depth=3)):
        assert nn.invariance_defect(net, nn.O(2), 2).vanishes
    assert nn.invariance_defect(nn.scalar_field_net(2), nn.Euclidean(2), 4).vanishes


def test_what_is_not_derived_is_said():
    with pytest.raises(NotDerivedError, match="closed form"):
        nn.invariance_defect(nn.shallow(nn.Tanh()), nn.Translations(2), 2)
    with pytest.raises(NotDerivedError):
        nn.invariance_defect(nn.mlp(nn.ReLU(), depth=2), nn.SO(2), 4)
    with pytest.raises(SpecificationError):
        nn.invariance_defect(nn.erf_net(), nn.SO(2), 0)
    with pytest.raises(SpecificationError):
        nn.invariance_defect(nn.erf_net(), nn.SO(2), 2, on="output")
    with pytest.raises(SpecificationError):
        nn.invariance_defect(nn.erf_net(), nn.SO(2), 2).coincident()


def test_latex_has_a_line_for_each_generator():
    lines = nn.invariance_defect(nn.gauss_net(), nn.Translations(2), 4).latex().splitlines()
    assert len(lines) == 2
    assert r"\delta_{v_{1}} G_c^{(4)}" in lines[0]


def test_a_wrong_velocity_is_seen(monkeypatch):
    """Planted fault: the chain rule along the flow of another time."""
    right = moment_changes._coordinates
    monkeypatch.setattr(
        moment_changes, "_coordinates", lambda *a: {s: 2 * v for s, v in right(*a).items()}
    )
    with pytest.raises(AssertionError):
        test_defects_on_inputs_are_the_change_of_tensors("gauss", nn.Dilatations(2))
