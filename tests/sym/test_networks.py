"""Networks: what can be specified, what is refused, and how parameters bind."""

import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.networks import Dense, Neurons

VALUES = dict(sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=10)


def test_the_defaults_are_those_users_rely_on():
    net = nn.shallow(nn.Erf())
    assert net.parameters == ("N", "sigma_b", "sigma_v", "sigma_w")
    assert (net.outputs, net.depth, net.dimension) == (1, 1, None)
    assert net.readout.biases == (None,)
    same = nn.shallow(
        nn.Erf(),
        weight=nn.Gaussian(0, "sigma_w"),
        bias=nn.Gaussian(0, "sigma_b"),
        readout=nn.Gaussian(0, "sigma_v"),
        width="N",
    )
    assert net == same


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (nn.gauss_net(), {"sigma_w", "sigma_b", "sigma_v", "N"}),
        (nn.erf_net(), {"sigma_w", "sigma_b", "sigma_v", "N"}),
        (nn.relu_net(), {"sigma_w", "sigma_b", "sigma_v", "N"}),
        (nn.cos_net(), {"sigma_w", "sigma_v", "N"}),
        (nn.scalar_field_net(d=1), {"m", "Lambda", "N"}),
    ],
)
def test_free_parameters_of_the_literature(network, parameters):
    assert set(network.parameters) == parameters


def test_activations_are_expressions_texts_or_named():
    t = sp.Symbol("t")
    expressions = {
        nn.shallow(given).layers[0].activation.expression
        for given in (t * sp.exp(-(t**2) / 2), "q*exp(-q**2/2)", nn.Activation.of("z*exp(-z**2/2)"))
    }
    assert len(expressions) == 1


def test_mlp_widths_and_layers():
    net = nn.mlp(nn.ReLU(), depth=3)
    assert [str(width) for width in net.widths] == ["n_1", "n_2", "n_3"]
    assert net.readout.weights == (nn.Gaussian(0, "sigma_w"),)
    assert net.readout.biases == (nn.Gaussian(0, "sigma_b"),)
    assert nn.mlp(nn.ReLU(), depth=2, widths=(128, "n")).widths[0] == 128
    assert (
        nn.mlp(nn.ReLU(), widths=(8, 8), outputs=3, output_bias=None).readout.biases == (None,) * 3
    )


def test_neurons_with_symbols_vectors_and_texts():
    x, w, b = nn.inputs(2), sp.Symbol("w"), sp.Symbol("b")
    densities = {w: nn.Uniform(-1, 1), b: nn.Uniform(-sp.pi, sp.pi)}
    net = nn.neurons(sp.cos(nn.dot(w, x) + b), densities, width="N")
    layer = net.layers[0]
    assert isinstance(layer, Neurons)
    assert [[s.name for s in names] for names, _ in layer.parameters] == [["w_1", "w_2"], ["b"]]
    text = nn.neurons(
        "cos(w_1*x_1 + w_2*x_2 + b)", {"w": nn.Uniform(-1, 1), "b": nn.Uniform(-sp.pi, sp.pi)}
    )
    assert text.layers[0].expression == layer.expression
    rows = nn.neurons(sp.cos(nn.dot(nn.vector("w", 2), x)), {nn.vector("w", 2): nn.Ball(2, 1)})
    assert rows.dimension == 2


def test_readouts_one_or_one_per_output():
    both = nn.shallow(nn.Erf(), readout=[nn.Gaussian(0, 1), nn.Uniform(-1, 1)])
    assert both.outputs == 2
    assert nn.shallow(nn.Erf(), outputs=3).outputs == 3


def test_symbols_of_one_name_are_one_symbol():
    net = nn.shallow(nn.Erf(), weight=nn.Gaussian(0, sp.Symbol("s")), bias=nn.Gaussian(0, "s"))
    assert net.parameters == ("N", "s", "sigma_v")


def test_rows_of_weights_fix_the_dimension():
    net = nn.shallow(nn.Erf(), weight=nn.Sphere(3, 1))
    assert net.dimension == 3
    assert isinstance(net.layers[0], Dense)


IMPOSSIBLE = {
    "negative scale": lambda: nn.Gaussian(0, -1),
    "low above high": lambda: nn.Uniform(1, -1),
    "zero dimension": lambda: nn.Ball(0, 1),
    "width zero": lambda: nn.shallow(nn.Erf(), width=0),
    "fractional width": lambda: nn.shallow(nn.Erf(), width=1.5),
    "positive symbol": lambda: nn.shallow(sp.Max(sp.Symbol("u", positive=True), 0)),
    "integer symbol": lambda: nn.shallow(sp.Symbol("u", integer=True) ** 2),
    "two symbols": lambda: nn.shallow(sp.Symbol("u") * sp.Symbol("v")),
    "two symbols in a text": lambda: nn.shallow("u*v"),
    "not an activation": lambda: nn.shallow(3),
    "complex activation": lambda: nn.shallow(sp.exp(sp.I * sp.Symbol("z"))),
    "unknown function": lambda: nn.shallow(sp.gamma(sp.Symbol("z"))),
    "not a density": lambda: nn.shallow(nn.Erf(), weight=1.0),
    "not a readout": lambda: nn.shallow(nn.Erf(), readout=1.0),
    "no readout": lambda: nn.shallow(nn.Erf(), readout=None),
    "not an output bias": lambda: nn.shallow(nn.Erf(), output_bias=[nn.Gaussian(), 1.0], outputs=2),
    "outputs zero": lambda: nn.shallow(nn.Erf(), outputs=0),
    "readouts and outputs disagree": lambda: nn.shallow(
        nn.Erf(), readout=[nn.Gaussian(), nn.Gaussian()], outputs=3
    ),
    "vector readout": lambda: nn.shallow(nn.Erf(), readout=nn.Ball(2, 1)),
    "depth and widths disagree": lambda: nn.mlp(nn.Erf(), depth=2, widths=(3,)),
    "no depth": lambda: nn.mlp(nn.Erf()),
    "depth zero": lambda: nn.mlp(nn.Erf(), depth=0),
    "normalised deep": lambda: nn.mlp(nn.NormalisedExp(), depth=2),
    "absent parameter": lambda: nn.neurons("cos(w*x_1)", {"w": nn.Gaussian(), "b": nn.Gaussian()}),
    "wrong event": lambda: nn.neurons("cos(w*x_1)", {"w": nn.Ball(2, 1)}),
    "no inputs": lambda: nn.neurons("cos(w)", {"w": nn.Gaussian()}, inputs=0),
    "code": lambda: nn.shallow("__import__('os').system('true')"),
    "rows against inputs": lambda: nn.shallow(nn.Erf(), weight=nn.Sphere(3, 1), inputs=2),
    "infinite scale": lambda: nn.Gaussian(0, float("inf")),
    "monomial": lambda: nn.Monomial(-1),
}


@pytest.mark.parametrize("build", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_impossible_specifications_raise_one_clear_error(build):
    with pytest.raises(nn.SpecificationError, match=r"expected .*; came .*; "):
        build()


@pytest.mark.parametrize(
    "values",
    [
        VALUES | {"sigma": 1.0},
        {k: v for k, v in VALUES.items() if k != "N"},
        VALUES | {"sigma_w": -1.0},
        VALUES | {"N": 0},
        VALUES | {"N": 2.5},
        VALUES | {"sigma_b": float("nan")},
        VALUES | {"sigma_b": "1"} | {"sigma_v": [1.0]},
        VALUES | {"sigma_b": True},
    ],
    ids=str,
)
def test_impossible_values_are_refused(values):
    with pytest.raises(nn.SpecificationError, match=r"expected .*; came .*; "):
        nn.erf_net().bind(values)


def test_values_may_come_from_numpy_and_sympy():
    numbers = nn.erf_net().bind(
        dict(sigma_w=np.float32(1), sigma_b=sp.Rational(1, 2), sigma_v=np.int64(2), N=np.int64(7))
    )
    assert numbers == {"N": 7, "sigma_b": 0.5, "sigma_v": 2, "sigma_w": 1.0}


@pytest.mark.parametrize(
    "X", [[], [[1.0, np.nan]], [[[1.0]]], "abc", [[1.0], [2.0, 3.0]], 3.0], ids=str
)
def test_impossible_points_are_refused(X):
    with pytest.raises(nn.SpecificationError, match="expected points X"):
        nn.erf_net().points(X)


def test_points_of_another_dimension_are_refused():
    with pytest.raises(nn.SpecificationError, match=r"points in R\^2"):
        nn.scalar_field_net(d=2).points([[1.0], [2.0]])
