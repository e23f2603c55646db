"""Deep kernels as recursions in print, and as one expression on request."""

import pytest
import sympy as sp

import nnft_sym as nn


def test_layers_that_are_alike_are_printed_once():
    lines = nn.kernel(nn.mlp(nn.ReLU(), depth=5)).latex().splitlines()
    recursion = [line for line in lines if line.startswith("K^{(l+1)}_{12} =")]
    assert len(recursion) == 1
    assert r"l = 1, \dots, 4,\quad K = K^{(5)}" in recursion[0]
    assert "K^{(l)}_{12}" in recursion[0]
    assert lines[-1] == (
        r"K^{(1)}_{12} = \sigma_{b}^{2} + \frac{\sigma_{w}^{2} x_{1}\cdot x_{2}}{d}"
    )
    tangent = nn.ntk(nn.mlp(nn.Erf(), depth=3)).latex()
    assert "K^{(l+1)}_{12} =" in tangent
    assert r"\Theta^{(3)}_{12} =" in tangent


def test_layers_that_differ_are_printed_each():
    text = nn.kernel(nn.mlp(nn.Erf(), depth=2)).latex()
    assert "l = 1" not in text
    assert "K^{(1)}_{12} = " in text


def test_integrals_name_their_layer():
    text = nn.kernel(nn.mlp(nn.Tanh(), depth=2)).latex()
    assert r"K_{11} = \sigma_{b}^{2} + \sigma_{w}^{2} \mathbb{E}\left[\tanh{\left(z_{1} " in text
    assert r"\tanh{\left(z_{1} \right)} \tanh{\left(z_{1} \right)}\right]_{K^{(1)}}" in text
    assert r"\tanh{\left(z_{1} \right)} \tanh{\left(z_{2} \right)}\right]_{K}" in text


def test_expansion_and_its_limit():
    net = nn.mlp(nn.Erf(), depth=3)
    values = {"sigma_w": sp.Rational(6, 5), "sigma_b": sp.Rational(3, 10)}
    for derive in (nn.kernel, nn.ntk):
        correlator = derive(net)
        whole = correlator.explicit().subs(
            {s: values[s.name] for s in correlator.symbols}
            | {sp.Symbol("d", integer=True, positive=True): 2}
        )
        products = {(1, 1): sp.Rational(5, 4), (1, 2): sp.Rational(1, 3), (2, 2): 2}
        number = whole.subs(
            {
                node: products[tuple(map(int, node.args))]
                for node in whole.atoms(sp.Function)
                if type(node).__name__ == "InnerProduct"
            }
        )
        a = sp.sqrt(sp.Rational(5, 4))
        b = sp.Rational(1, 3) / a
        X = [[a, 0], [b, sp.sqrt(2 - b**2)]]
        found = correlator.evaluate(X, precision=25, **values).values[0, 1]
        assert abs(number.evalf(30) - found) < 1e-24
    with pytest.raises(nn.SpecificationError, match="recursion"):
        nn.kernel(nn.mlp(nn.GELU(), depth=5)).explicit()
    with pytest.raises(nn.SpecificationError, match="at most 10 operations"):
        nn.kernel(nn.mlp(nn.Erf(), depth=2)).explicit(largest=10)
