"""Verdicts on the grid of networks and groups, walked and confronted with sampled networks.

What is said to hold is not rejected: p-values of all those cells together fall to ``LEVEL`` with
probability 0.01 at most (Bonferroni).  What is said to fail is rejected by the element of the
witness; the power of that, ``POWER`` at least, is that of the defect that theory derives, with the
errors of the sample.
"""

from __future__ import annotations

from functools import cache
from math import ceil

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

import nnft_num as nm
import nnft_sym as nn
from nnft_num.symmetries import ensembles
from nnft_num.symmetries.elements import GroupElement
from nnft_sym.symmetries.generic_values import generic_values
from nnft_sym.tensors import multi_indices
from tests.sym.test_symmetries import GROUPS, INPUTS, OUTPUTS, cells, on_inputs, output_net

pytestmark = pytest.mark.montecarlo

X = np.array([[0.37, -0.81], [1.13, 0.29]])
TABLES = {"input": INPUTS, "output": OUTPUTS}
CELLS = [(on, *cell) for on, table in TABLES.items() for cell in cells(table)]
HOLDING = [cell for cell in CELLS if cell[2] in TABLES[cell[0]][cell[1]][1].split()]
FAILING = [cell for cell in CELLS if cell not in HOLDING]

LEVEL = 0.01 / len(HOLDING)
"""Level of each cell that holds: any of them is rejected one time in a hundred."""

REJECTED = 1e-3
"""Level at which a cell that fails is rejected."""

POWER = 0.9
NETWORKS = {True: 8000, False: 40_000}

PULL = 5.0
"""Errors between a defect that is sampled and the derived one: 6e-7 for each of 400 entries."""

# Witnesses that are too small for a sample of this size, or of too heavy a tail: the element is
# tested at other points, or parameters.  With the networks that the witness itself would need, for
# the power at the level, where its errors are to be trusted.
FAR = np.array([[2.5, 0.0], [-2.5, 0.0]])
ELSEWHERE = {
    "uniform": ("SO O E", FAR, {}, 9e4),
    "uniform with bias": ("SO O E", FAR, {}, 2.7e7),
    "cos of uniform": ("SO O E", FAR, {}, 2e11),
    "deep, uniform": ("SO O E T Dil Lor", 2 * FAR + 0.5, {}, 1.7e9),
    "deep": ("T E Dil Lor", FAR, {}, None),
    "gauss": ("T E Dil Lor", X, dict(sigma_w=0.5, sigma_b=0.3), None),
}


def network(on, name):
    # Fourth moments of ReLUs with Laplace weights have errors that are not to be trusted.
    bounded = nn.Tanh() if name == "laplace" else None
    return INPUTS[name][0] if on == "input" else output_net(name, bounded)


@cache
def verdict(on, name, group):
    if on == "input":
        return on_inputs(name, group)
    return nn.symmetry(network(on, name), GROUPS[group], on=on)


def parameters(on, name):
    values = {s.name: float(v) for s, v in generic_values(network(on, name)).items()}
    return values | (ELSEWHERE[name][2] if (on, name) == ("input", "gauss") else {})


def element_of(generator):
    """The element that a witness is found with, an affine map."""
    n = generator.map.dimension
    shift = generator.element(np.zeros((1, n)))[0]
    matrix = (generator.element(np.eye(n)) - shift).T
    return GroupElement(group=None, dimension=n, matrix=matrix, shift=shift)


def derived(on, name, points, element, order):
    """The defect by theory alone, distinct entry by distinct entry."""
    net, params = network(on, name), parameters(on, name)
    G = nn.cumulant(net, order)
    rows = multi_indices(order, len(points) * net.outputs)
    if on == "input":
        values = G.evaluate(np.concatenate([points, element(points)]), params=params).values
        return values.gather(rows + len(points)) - values.gather(rows)
    here = turned = G.tensor(points, **params).reshape((net.outputs,) * order)
    for leg in range(order):
        turned = np.moveaxis(np.tensordot(element.matrix, turned, axes=(1, leg)), 0, leg)
    change = here - turned - (element.shift if order == 1 else 0)
    return change[tuple(rows.T)]


@cache
def sampled(on, name, group, order, place, rng=11):
    """The element of a witness, at its points or elsewhere."""
    witness = verdict(on, name, group).witness
    return nm.symmetry_test(
        network(on, name), GROUPS[group], np.array(place), orders=order, rng=rng, on=on,
        networks=NETWORKS[False], elements=[element_of(witness.generator)], level=REJECTED,
        flips=ceil(2 / REJECTED), params=parameters(on, name),
    )  # fmt: skip


def place_of(on, name, group):
    """Points at which a failing cell is tested, hashable."""
    witness = verdict(on, name, group).witness
    if on == "input" and name in ELSEWHERE and group in ELSEWHERE[name][0].split():
        return tuple(map(tuple, ELSEWHERE[name][1].tolist()))
    return tuple(sorted(set(witness.points))) or tuple(map(tuple, X[:1].tolist()))


def representative(on, name, group):
    """The first cell of a network with the same generator for its witness: sampled once."""
    generator = verdict(on, name, group).witness.generator.map
    for other in GROUPS:
        found = verdict(on, name, other)
        if found.witness is not None and found.witness.generator.map == generator:
            return other
    return group


@pytest.mark.parametrize(("on", "name", "group"), HOLDING)
def test_what_holds_is_not_rejected(on, name, group):
    assert verdict(on, name, group).holds is True
    report = nm.symmetry_test(
        network(on, name), GROUPS[group], X if on == "input" else X[:1],
        orders=(2, 4) if on == "input" else (1, 2, 4), networks=NETWORKS[True], rng=5, on=on,
        elements=1, level=LEVEL, flips=ceil(2 / LEVEL), params=parameters(on, name),
    )  # fmt: skip
    assert report.p_value > LEVEL, str(report)
    # a defect of the size of the lowest correlator would have been seen
    assert report.orders[0].detectable < report.orders[0].scale


@pytest.mark.parametrize(("on", "name", "group"), FAILING)
def test_what_fails_is_rejected(on, name, group):
    found = verdict(on, name, group)
    assert found.holds is False
    order, place = found.witness.order, place_of(on, name, group)
    cell = on, name, representative(on, name, group), order, place
    report = sampled(*cell)
    (table,) = report.orders
    assert report.p_value <= REJECTED, str(report)
    if network(on, name).depth > 1:
        # Theory has the limit of infinite width: from other networks, less 2.3 of their errors.
        (pilot,) = sampled(*cell, rng=12).orders
        defects = np.abs(pilot.statistic[0]) - ndtri(0.99)
    else:
        change = derived(on, name, np.array(place), element_of(found.witness.generator), order)
        moving = table.tested[0]
        change, errors = change[moving], table.error[0][moving]
        exact = errors < 1e-12
        pulls = np.abs(table.defect[0][moving] - change) / np.where(exact, 1e-9, errors)
        assert np.all(pulls < PULL), str(report)
        defects = np.abs(change) / np.maximum(errors, 1e-12)
    assert ndtr(np.max(defects) - table.critical) > POWER


def test_witnesses_that_are_tested_elsewhere_are_few_and_too_small():
    assert len(ELSEWHERE) <= 6
    for name, (groups, _, _, needed) in ELSEWHERE.items():
        group = groups.split()[0]
        witness = verdict("input", name, group).witness
        if needed is None:
            continue
        place = tuple(sorted(set(witness.points)))
        (table,) = sampled("input", name, group, witness.order, place).orders
        error = table.error[0].max()
        factor = ((table.critical + ndtri(POWER)) * error / abs(float(witness.value))) ** 2
        assert NETWORKS[False] < factor * NETWORKS[False]
        assert 0.5 < factor * NETWORKS[False] / needed < 2


# Samplers with a planted fault: the verdict stays, and the sample is to reject it.


def planted(monkeypatch, change):
    """Sample other networks, or at other points, than those asked for."""
    honest = ensembles.correlators
    monkeypatch.setattr(
        ensembles,
        "correlators",
        lambda net, points, *rest, **options: honest(*change(net, points), *rest, **options),
    )


FAULTS = {
    "a weight is wider along one axis": (
        nn.erf_net(), nn.SO(2), "input", lambda net, x: (net, x * [1.0, 1.3]),
    ),
    "a weight is wider along one axis, exchanged": (
        nn.relu_net(), nn.Sn(2), "input", lambda net, x: (net, x * [1.0, 1.3]),
    ),
    "the inputs are not centred": (
        nn.erf_net(), nn.O(2), "input", lambda net, x: (net, x + np.array([0.3, 0.0])),
    ),
    "a phase misses a tenth of its circle": (
        nn.cos_net(), nn.Translations(2), "input",
        lambda net, x: (nn.shallow(nn.Cos(), bias=nn.Uniform(0, 0.9 * np.pi)), x),
    ),
    "weights are signs": (
        nn.shallow(nn.Tanh(), weight=nn.Gaussian(0, 1), bias=None), nn.SO(2), "input",
        lambda net, x: (nn.shallow(nn.Tanh(), weight=nn.Rademacher(), bias=None), x),
    ),
    "one output is louder": (
        nn.relu_net(outputs=2), nn.SO(2), "output",
        lambda net, x: (
            nn.shallow(nn.ReLU(), readout=[nn.Gaussian(0, "sigma_v"), nn.Gaussian(0, 0.7)]), x,
        ),
    ),
    "the readout has a mean": (
        nn.relu_net(outputs=2), nn.SO(2), "output",
        lambda net, x: (nn.shallow(nn.ReLU(), readout=nn.Gaussian(0.2, "sigma_v"), outputs=2), x),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_rejected_and_its_absence_is_not(monkeypatch, fault):
    net, group, on, change = FAULTS[fault]
    values = {s.name: float(v) for s, v in generic_values(net).items()}
    points = 2 * FAR + X if on == "input" else X[:1]

    def p_value():
        orders = (2, 4) if on == "input" else (1, 2, 4)
        return nm.symmetry_test(
            net, group, points, orders=orders, networks=20_000, rng=3, on=on, level=REJECTED,
            flips=ceil(2 / REJECTED), params=values,
        ).p_value  # fmt: skip

    assert nn.symmetry(net, group, on=on).holds is True
    assert p_value() > REJECTED
    planted(monkeypatch, change)
    assert p_value() <= REJECTED
