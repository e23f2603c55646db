from __future__ import annotations

import numpy as np
import pytest

from nnft_num.plans.affine import Affine, read_affine
from nnft_num.plans.layers import DrawRecipe
from nnft_sym.language import evaluate, parse


def recipe(text, normals=1, uniforms=0):
    names = frozenset({"s", "m", *(f"g_{i + 1}" for i in range(normals)), "u_1"})
    return DrawRecipe(normals=normals, uniforms=uniforms, components=(parse(text, names=names),))


@pytest.mark.parametrize(
    ("text", "shape", "offset", "slope", "normal"),
    [
        ("s*g_1", {}, 0.0, 2.0, True),
        ("m + s*g_1/4", {}, 0.5, 0.5, True),
        ("-(g_1*sqrt(s)) - m", {}, -0.5, 2**0.5, True),
        ("3*g_1 + s**2*g_2", {"normals": 2}, 0.0, 5.0, True),
        ("g_1 - g_1", {}, 0.0, 0.0, True),
        ("1", {"normals": 0}, 1.0, 0.0, True),
        ("sqrt(12)*(u_1 - 1/2)", {"normals": 0, "uniforms": 1}, -(3**0.5), 12**0.5, False),
    ],
)
def test_affine_recipes_are_read(text, shape, offset, slope, normal):
    found = read_affine(recipe(text, **shape), {"s": 2.0, "m": 0.5})
    assert (found.offset, found.slope) == pytest.approx((offset, slope), abs=1e-15)
    assert found.normal is normal
    assert found.centred_normal is (normal and offset == 0)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("g_1**2", {}),
        ("g_1*g_2", {"normals": 2}),
        ("s/g_1", {}),
        ("sign(u_1 - 1/2)", {"normals": 0, "uniforms": 1}),
        ("g_1 + u_1", {"uniforms": 1}),
        ("where(g_1 > 0, g_1, g_1)", {}),
    ],
)
def test_other_recipes_are_left_to_be_sampled(text, shape):
    assert read_affine(recipe(text, **shape), {"s": 2.0, "m": 0.5}) is None


@pytest.mark.parametrize("text", ["m + s*g_1", "m - s*u_1"])
def test_moments_are_those_of_the_recipe(text):
    shape = {"normals": 1} if "g_1" in text else {"normals": 0, "uniforms": 1}
    found = read_affine(recipe(text, **shape), {"s": 2.0, "m": 0.5})
    # Gauss rules of 40 nodes are exact for these polynomials
    if "g_1" in text:
        nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    else:
        nodes, weights = np.polynomial.legendre.leggauss(40)
        nodes = (nodes + 1) / 2
    values = evaluate(parse(text), {"s": 2.0, "m": 0.5, "g_1": nodes, "u_1": nodes})
    for order in range(9):
        assert found.moment(order) == pytest.approx(weights @ values**order / weights.sum())


def test_cumulants_of_known_densities():
    uniform = Affine(offset=3.0, slope=1.0, normal=False)
    found = [uniform.cumulant(k) for k in range(1, 7)]
    assert found == pytest.approx([3.5, 1 / 12, 0, -1 / 120, 0, 1 / 252], abs=1e-9)
    normal = Affine(offset=-1.0, slope=3.0, normal=True)
    assert [normal.cumulant(k) for k in range(1, 5)] == pytest.approx([-1, 9, 0, 0], abs=1e-9)
