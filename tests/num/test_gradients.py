"""Tangent kernels, network by network: against complex steps, and the plans they are made from."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import sympy as sp
from scipy.special import erf

import nnft_num as nm
import nnft_sym as nn
from nnft_num.kernels.backpropagation import fill_tangents, tangent_source
from nnft_num.plans.gradients import TangentPlan
from nnft_num.runs import sampling
from nnft_num.runs.sampling import sample_fields, sample_moments
from nnft_num.sources.tangents import TangentSource
from nnft_num.tangents.differentiating import compile_tangent, leaps
from nnft_sym.language import LanguageError, evaluate
from nnft_sym.language.errors import NotDerivedError, SpecificationError
from tests.num import gradient_oracle as oracle
from tests.num.oracle import event
from tests.num.test_sampling import Shuffled

KEY = (3, 2**32 - 5)
START = 2**32 - 3
X2 = np.array([[0.4, -0.9], [1.2, 0.5], [-0.8, 0.3]])
SCALES = {"sigma_w": 1.2, "sigma_b": 0.4}
SHALLOW = SCALES | {"sigma_v": 0.9, "N": 6}
ROOT = np.sqrt(np.pi)


def relu(z):
    return z * (np.real(z) > 0)


def gelu(z):
    return z * (1 + erf(z / np.sqrt(2))) / 2


def tangents(net, X, params, networks=3, parametrisation="ntk"):
    plan, numbers = compile_tangent(net, parametrisation), net.bind(params)
    X = plan.points(X)
    out = np.empty((networks, plan.statistics(len(X))))
    values = np.array([numbers[name] for name in plan.parameters], dtype=float)
    widths = plan.widths(numbers)
    fill_tangents(plan, X, key=KEY, start=START, values=values, widths=widths, out=out)
    return plan, numbers, out


UNIFORM = 2 / np.sqrt(12)
BIASES = [nn.Gaussian(0.3, 0.6), None]
CASES = {
    "shallow erf": (nn.shallow(nn.Erf()), SHALLOW, [erf], [(1.2, 0.4), (0.9, 0.0)]),
    "shallow GELU, width 1": (
        nn.shallow(nn.GELU()),
        SHALLOW | {"N": 1},
        [gelu],
        [(1.2, 0.4), (0.9, 0.0)],
    ),
    "no bias": (
        nn.shallow(nn.ReLU(), bias=None),
        {"sigma_w": 1.2, "sigma_v": 0.9, "N": 7},
        [relu],
        [(1.2, None), (0.9, 0.0)],
    ),
    "two layers": (
        nn.mlp(nn.ReLU(), depth=2),
        SCALES | {"n_1": 5, "n_2": 6},
        [relu] * 2,
        [(1.2, 0.4)] * 3,
    ),
    "three layers": (
        nn.mlp(nn.Tanh(), depth=3),
        SCALES | {"n_1": 4, "n_2": 7, "n_3": 5},
        [np.tanh] * 3,
        [(1.2, 0.4)] * 4,
    ),
    "two outputs of their own": (
        nn.mlp(
            nn.Erf(), depth=2, readout=[nn.Gaussian(0.5, 1.1), nn.Uniform(-1, 1)],
            output_bias=BIASES,
        ),
        SCALES | {"n_1": 3, "n_2": 5},
        [erf] * 2,
        [(1.2, 0.4)] * 2 + [((1.1, UNIFORM), (0.6, 0.0))],
    ),
    "rows of a ball": (
        nn.shallow("sin(z)", weight=nn.Ball(2, "R"), bias=nn.Uniform(-1, 1)),
        {"R": 1.5, "sigma_v": 0.9, "N": 5},
        [np.sin],
        [(0.75, UNIFORM), (0.9, 0.0)],
    ),
    "signs and shifted weights": (
        nn.shallow("z**3 - z", weight=nn.Rademacher(), bias=nn.Laplace(0.2, 0.5)),
        {"sigma_v": 0.9, "N": 4},
        [lambda z: z**3 - z],
        [(1.0, np.sqrt(0.5)), (0.9, 0.0)],
    ),
}  # fmt: skip


BARE = ("no bias", "two layers", "two outputs of their own")


@pytest.mark.parametrize(
    ("name", "parametrisation"),
    [*((name, "ntk") for name in CASES), *((name, "standard") for name in BARE)],
)
def test_kernels_are_the_sums_over_complex_steps_of_the_sampled_networks(name, parametrisation):
    net, params, activations, scales = CASES[name]
    plan, numbers, found = tangents(net, X2, params, parametrisation=parametrisation)
    if parametrisation == "standard":
        present = np.array([bias is not None for bias in net.readout.biases], dtype=float)
        scales = [(None, b if b is None else 1.0) for _, b in scales[:-1]] + [(None, present)]
    fields = sample_fields(plan.network, X2, 3, KEY, numbers, start=START, precision="double")
    for number in range(3):
        layers = oracle.draw_layers(plan.network, numbers, KEY, START + number, 2)
        f = oracle.output(layers, X2, activations)
        np.testing.assert_allclose(f, fields[number], rtol=1e-11, atol=1e-12)
        theta = oracle.kernel(layers, X2, activations, scales)
        np.testing.assert_allclose(found[number], oracle.distinct(theta), rtol=1e-10, atol=1e-11)


def test_planted_faults_are_far_beyond_rounding():
    net, params, activations, _ = CASES["two layers"]
    plan, numbers, found = tangents(net, X2, params, networks=1)
    layers = oracle.draw_layers(plan.network, numbers, KEY, START, 2)
    faults = {
        "no scale of weights": [(1.2, 0.4), (1.0, 0.4), (1.2, 0.4)],
        "no gradient of a bias": [(1.2, 0.4), (1.2, 0.0), (1.2, 0.4)],
        "the other parametrisation": [(None, 1.0)] * 3,
    }
    for name, scales in faults.items():
        theta = oracle.distinct(oracle.kernel(layers, X2, activations, scales))
        assert np.max(np.abs(theta - found[0])) > 0.01 * np.max(np.abs(found[0])), name


def test_neurons_are_differentiated_in_every_parameter():
    """h = s exp(-|x - c|²) cos(w·x), by complex steps in c_1, c_2, w_1, w_2, s and a."""
    x, c, w, s = nn.inputs(2), nn.vector("c", 2), nn.vector("w", 2), sp.Symbol("s")
    h = s * sp.exp(-sum((p - q) ** 2 for p, q in zip(x, c, strict=True))) * sp.cos(nn.dot(w, x))
    densities = {c: nn.Gaussian(0.1, 0.7), w: nn.Ball(2, "R"), s: nn.Laplace(0, 1)}
    net = nn.neurons(h, densities, readout=[nn.Gaussian(0, 0.8), nn.Gaussian(0, 1.3)])
    for parametrisation in ("ntk", "standard"):
        plan, numbers, found = tangents(
            net, X2, {"N": 5, "R": 2.0}, parametrisation=parametrisation
        )
        layer = plan.network.layers[0]
        for number in range(3):
            theta, offset, drawn, scales = 0.0, 0, [], []
            for draw in layer.draws:
                own = []
                while len(own) < len(draw.names):
                    own += event(draw.recipe, numbers, KEY, START + number, 0, offset, 5)
                    offset += draw.recipe.primitives
                scale = {"c_1": 0.7, "w_1": 1.0, "s": np.sqrt(2)}[draw.names[0]]
                drawn += own
                scales += [1.0 if parametrisation == "standard" else scale] * len(own)

            def neuron(c1, c2, w1, w2, s):
                far = (X2[:, 0, None] - c1) ** 2 + (X2[:, 1, None] - c2) ** 2
                return s * np.exp(-far) * np.cos(w1 * X2[:, 0, None] + w2 * X2[:, 1, None])

            a = np.array(
                [
                    event(recipe, numbers, KEY, START + number, 2, position, 5)[0]
                    for position, recipe in enumerate(plan.network.weights)
                ]
            )
            for p, scale in enumerate(scales):
                moved = [d + 1j * oracle.STEP if q == p else d for q, d in enumerate(drawn)]
                slopes = scale * neuron(*moved).imag / oracle.STEP
                g = slopes[:, None, :] * a / np.sqrt(5)
                theta = theta + np.einsum("aik,bjk->aibj", g, g)
            square = [1.0, 1.0] if parametrisation == "standard" else [0.8**2 / 5, 1.3**2 / 5]
            kernel = neuron(*drawn) @ neuron(*drawn).T
            theta = theta + np.einsum("ab,i,ij->aibj", kernel, square, np.eye(2))
            np.testing.assert_allclose(found[number], oracle.distinct(theta), rtol=1e-10)


def test_normalised_activations_keep_their_norm():
    """Gauss-net: k = E z² is a number of the law and not of the sampled weights."""
    net, params = nn.gauss_net(), SHALLOW
    plan, numbers, found = tangents(net, X2, params, networks=1)
    layers = oracle.draw_layers(plan.network, numbers, KEY, START, 2)
    k = 0.4**2 + 1.2**2 * np.sum(X2**2, axis=1) / 2
    theta = oracle.kernel(layers, X2, [lambda z: np.exp(z - k)], [(1.2, 0.4), (0.9, 0.0)])
    np.testing.assert_allclose(found[0], oracle.distinct(theta), rtol=1e-10)


def test_slopes_are_those_of_finite_differences():
    for name, activation in nn.activations.catalogue().items():
        phi = activation()
        plan = compile_tangent(nn.shallow(phi))
        z = np.array([-1.7, -0.4, 0.3, 1.1])
        values = {"z": z, "k": 0.7}
        h = 1e-6
        own = plan.network.layers[0].activation
        ends = [evaluate(own, values | {"z": z + step}) for step in (h, -h)]
        slope = np.broadcast_to(evaluate(plan.layers[0].slope, values), z.shape)
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * h), atol=1e-8, err_msg=name)


def run(executor=None, networks=20_001, net=CASES["two layers"][0], params=CASES["two layers"][1]):
    source = TangentSource(plan=compile_tangent(net), X=X2, params=params)
    return sample_moments(source, networks=networks, max_order=2, key=KEY, executor=executor)


def test_the_schedule_does_not_change_a_bit(monkeypatch):
    monkeypatch.setattr(sampling, "_TASK_WORK", 4e5)
    reference = run()
    shuffled = Shuffled(seed=1)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        others = [run(one), run(two), run(shuffled)]
    assert len(shuffled.order) > 20
    assert shuffled.order != sorted(shuffled.order)
    for other in others:
        assert np.array_equal(other.table, reference.table)
        assert np.array_equal(other.maxima, reference.maxima)


def test_processes_give_the_same_bits():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        elsewhere = run(pool, networks=301)
    assert np.array_equal(elsewhere.table, run(networks=301).table)


def test_networks_do_not_depend_on_where_a_chunk_starts():
    _, _, whole = tangents(*CASES["three layers"][:1], X2, CASES["three layers"][1], networks=9)
    plan = compile_tangent(CASES["three layers"][0])
    numbers = CASES["three layers"][0].bind(CASES["three layers"][1])
    values = np.array([numbers[name] for name in plan.parameters], dtype=float)
    part = np.empty((4, whole.shape[1]))
    fill_tangents(
        plan, X2, key=KEY, start=START + 5, values=values, widths=plan.widths(numbers), out=part
    )
    assert np.array_equal(part, whole[5:])


def test_plans_are_plain_data():
    for net in (CASES["two outputs of their own"][0], nn.scalar_field_net(d=2), nn.gauss_net()):
        for parametrisation in ("ntk", "standard"):
            plan = compile_tangent(net, parametrisation)
            again = TangentPlan.from_json(plan.to_json())
            assert again == plan
            assert again.hash == plan.hash != plan.network.hash
            assert tangent_source(again) == tangent_source(plan)
    assert compile_tangent(net).hash != compile_tangent(net, "standard").hash


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(format="nnft-plan/1"), "a plan of format"),
        (lambda d: d.update(more=1), "object of the keys"),
        (lambda d: d["layers"].append(d["layers"][0]), "1 items in layers"),
        (lambda d: d["layers"][0].update(bias=None), "exactly where the network has a bias"),
        (lambda d: d["readout"].update(biases=["1"]), "exactly where the network has a bias"),
        (lambda d: d["readout"].update(weights=[]), "1 items in readout.weights"),
        (lambda d: d["layers"][0].update(slope=3), "as text"),
    ],
)
def test_plans_that_do_not_match_their_network_are_refused(change, words):
    data = json.loads(compile_tangent(nn.erf_net()).to_json())
    change(data)
    with pytest.raises(SpecificationError, match=words):
        TangentPlan.from_dict(data)


@pytest.mark.parametrize("slope", ["__import__('os')", "sigma_q*z", "z.real"])
def test_texts_outside_the_language_are_refused(slope):
    data = json.loads(compile_tangent(nn.erf_net()).to_json())
    data["layers"][0]["slope"] = slope
    with pytest.raises(LanguageError):
        TangentPlan.from_dict(data)


def test_jumps_are_found():
    assert leaps(nn.shallow("max(-1, min(1, z))")) == ()
    assert leaps(nn.shallow("where(z > 0, z, exp(z) - 1)")) == ()
    assert leaps(nn.mlp(nn.Step(), depth=2)) == ("Step in layer 1", "Step in layer 2")
    x, w = nn.inputs(1), sp.Symbol("w")
    assert leaps(nn.neurons(sp.Abs(w * x[0]), {w: nn.Gaussian(0, 1)}, inputs=x)) == ()
    assert leaps(nn.neurons(sp.sign(w * x[0]), {w: nn.Gaussian(0, 1)}, inputs=x))


def test_kinked_neurons_are_differentiated_almost_everywhere():
    x, w = nn.inputs(1), sp.Symbol("w")
    written = nn.neurons(sp.Max(w * x[0], 0), {w: nn.Gaussian(0, 1.2)}, inputs=x, width=5)
    dense = nn.shallow(nn.ReLU(), weight=nn.Gaussian(0, 1.2), bias=None, width=5)
    points = [[0.7], [-0.4]]
    one, other = (tangents(net, points, {"sigma_v": 0.9})[2] for net in (written, dense))
    np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parametrisation": "mup"}, "parametrisation"),
        ({"orders": 2}, "order 1, the mean"),
        ({"orders": 9}, "orders from 1 to 8"),
        ({"networks": 3}, "networks"),
        ({"jumps": "smooth"}, 'jumps "refuse" or "ignore"'),
        ({"X": [[0.0, float("nan")]]}, "finite numbers"),
        ({"sigma_q": 1.0}, "unknown parameter"),
        ({"N": 0}, "N"),
        ({"rng": -1}, "seed of at least 0"),
        ({"params": {"N": 3}}, "each parameter once"),
    ],
)
def test_impossible_samples_are_refused(changes, words):
    given = {"X": X2, "networks": 100, "rng": 0, **SHALLOW} | changes
    with pytest.raises(SpecificationError, match=words):
        nm.tangent(nn.erf_net(), given.pop("X"), **given)


def test_jumps_are_refused_unless_they_are_to_be_ignored():
    net, given = nn.shallow(nn.Sign()), {"networks": 100, "rng": 0, **SHALLOW}
    with pytest.raises(NotDerivedError, match="delta functions"):
        nm.tangent(net, X2, **given)
    est = nm.tangent(net, X2, jumps="ignore", **given)
    assert est.unseen == ("Sign in layer 1",)
    # What is left are the gradients of the readout: σ_v² sign sign averaged over the neurons.
    np.testing.assert_allclose(np.diag(est.mean), 0.9**2, rtol=1e-12)


def test_estimates_have_the_shapes_of_correlators():
    net, params = nn.erf_net(outputs=2), SHALLOW
    est = nm.tangent(net, X2, networks=400, rng=1, **params)
    assert est.mean.shape == est.error.shape == est.variance.shape == (3, 2, 3, 2)
    assert est.kernel.tail_index.shape == (3, 2)
    np.testing.assert_array_equal(est.outputs(0, 1).mean, est.mean[:, 0, :, 1])
    np.testing.assert_allclose(est.mean, est.mean.transpose(2, 3, 0, 1))
    # The variance over the networks is the squared error of the mean, up to the jackknife's noise.
    ratio = est.variance / est.networks / est.error**2
    assert 0.5 < ratio.min() < ratio.max() < 2
    again = nm.tangent(net, X2, networks=400, rng=1, orders=1, **params)
    assert np.array_equal(again.mean, est.mean)
    with pytest.raises(SpecificationError, match="an order out of 1"):
        _ = again.variance
    with pytest.raises(SpecificationError, match="output indices"):
        est.outputs(0, 2)
