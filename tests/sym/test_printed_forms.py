"""Closed forms as a paper prints them, and derivations that typeset."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.activations import Activation
from nnft_sym.expectation.closed import closed_form
from nnft_sym.expectation.exponential_sums import without_overflow
from nnft_sym.expectation.slopes import weak_derivative
from nnft_sym.expectation.variables import covariance

K11, K12, K22 = covariance(1, 1), covariance(1, 2), covariance(2, 2)
N = (1 + K11) * (1 + K22) - K12**2
ANGLE = sp.acos(K12 / sp.sqrt(K11 * K22))
CORNER = sp.sqrt(K11 * K22) * (sp.sin(ANGLE) + (sp.pi - ANGLE) * sp.cos(ANGLE)) / (2 * sp.pi)
CORNER_BACK = CORNER - K12 / 2  # E[max(u, 0) max(-v, 0)], up to its sign
GELU = (
    K12 / 4
    + K12 * sp.asin(K12 / sp.sqrt((1 + K11) * (1 + K22))) / (2 * sp.pi)
    + (K11 * K22 * N + K12**2) / (2 * sp.pi * (1 + K11) * (1 + K22) * sp.sqrt(N))
)
LEAKY = sp.Rational(1, 10)
# As published; prints are in the golden file.
PAPER = {
    "erf(z)": 2 / sp.pi * sp.asin(2 * K12 / sp.sqrt((1 + 2 * K11) * (1 + 2 * K22))),
    "max(z, 0)": CORNER,
    "max(z, 0) + 0.1*min(z, 0)": (1 - LEAKY) ** 2 * CORNER + LEAKY * K12,
    "z*(1 + erf(z/sqrt(2)))/2": GELU,
    "cos(z)": sp.exp(-(K11 + K22) / 2) * sp.cosh(K12),
    "sin(z)": sp.exp(-(K11 + K22) / 2) * sp.sinh(K12),
    "exp(-z**2/2)": 1 / sp.sqrt(N),
    "z*exp(-z**2/2)": K12 / N ** sp.Rational(3, 2),
    "heaviside(z)": (sp.pi - ANGLE) / (2 * sp.pi),
    "abs(z)": 2 * (CORNER + CORNER_BACK),
    "sign(z)": 1 - 2 * ANGLE / sp.pi,
    "exp(z)": sp.exp((K11 + 2 * K12 + K22) / 2),
    "exp(-z**2)": 1 / sp.sqrt((1 + 2 * K11) * (1 + 2 * K22) - 4 * K12**2),
    "z*cos(z)": sp.exp(-(K11 + K22) / 2)
    * (K12 * (1 - K11 - K22) * sp.cosh(K12) + (K11 * K22 + K12**2) * sp.sinh(K12)),
    "z**3": 9 * K11 * K12 * K22 + 6 * K12**3,
}
PRINTED = json.loads((Path(__file__).parent / "golden" / "printed_kernels.json").read_text())


def form(text, points=2):
    return closed_form((Activation.of(text).expression,) * points)


def covariances():
    """Random covariances, far from degenerate ones."""
    rng = np.random.default_rng(31)
    found = []
    for a, b, rho in zip(*rng.uniform(0.05, 4, (2, 3)), rng.uniform(-0.95, 0.95, 3), strict=True):
        K = a, rho * np.sqrt(a * b), b
        found.append(dict(zip((K11, K12, K22), map(sp.Rational, K), strict=True)))
    return found


@pytest.mark.parametrize("text", PAPER)
def test_published_kernels(text):
    ours = form(text).expression
    for numbers in covariances():
        assert abs((ours - PAPER[text]).subs(numbers).evalf(20)) < 1e-17
    assert not ours.has(sp.Float, sp.Integral)


@pytest.mark.parametrize(
    "text", [text for text in PAPER if text not in ("heaviside(z)", "sign(z)")]
)
def test_slopes_of_published_kernels(text):
    """E[φ'φ'] is the derivative of the published kernel in K₁₂: Price's theorem."""
    slope = weak_derivative(Activation.of(text).expression).regular
    ours = closed_form((slope, slope)).expression
    for numbers in covariances():
        assert abs((ours - PAPER[text].diff(K12)).subs(numbers).evalf(20)) < 1e-17


@pytest.mark.parametrize("text", PRINTED)
def test_prints(text):
    phi = Activation.of(text).expression
    slope = weak_derivative(phi).regular
    found = {"kernel": phi, "slope": slope}
    latex = {name: sp.latex(closed_form((f, f)).expression) for name, f in found.items()}
    assert latex == PRINTED[text]


@pytest.mark.parametrize("text", PAPER)
def test_no_form_is_longer_than_the_published_one(text):
    assert form(text).expression.count_ops() <= 1.15 * PAPER[text].count_ops() + 3


def test_oscillating_gaussian_factors():
    ours = form("exp(-z**2)*sin(z)").expression
    assert ours.has(sp.sinh)
    assert ours.count_ops() < 60


def test_large_exponents_do_not_overflow():
    rise = sp.exp(-(K11 + K22) / 2) * (sp.cosh(K12) - 2 * sp.sinh(K12) / K12)
    function = sp.lambdify((K11, K12, K22), without_overflow(rise), modules=["scipy", "numpy"])
    for K in ((1.2, -0.7, 0.5), (2000.0, 2000.0, 2000.0), (2000.0, -1999.0, 1999.5)):
        numbers = dict(zip((K11, K12, K22), map(sp.Rational, K), strict=True))
        exact = float(rise.subs(numbers).evalf(20))
        assert function(*K) == pytest.approx(exact, rel=1e-12)


EVERY = [*PAPER, "max(z - 1, 0)", "max(-1, min(1, z))", "where(z > 0, z, exp(z) - 1)", "erf(z + 1)",
         "z*erf(z)", "exp(-z**2)*sin(z)", "1/2 + erf(z/3)/2"]  # fmt: skip


def lines():
    found = []
    for text in EVERY:
        for points in (1, 2):
            derived = form(text, points)
            found += [sp.latex(derived.expression), *derived.derivation]
    for net in (nn.shallow(nn.Erf()), nn.mlp(nn.GELU(), depth=2), nn.shallow("max(z - 1, 0)")):
        for quantity in (nn.kernel(net), nn.ntk(net)):
            found += [*quantity.steps]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("points", [1, 2])
@pytest.mark.parametrize("text", EVERY)
def test_every_form_says_how_it_was_found(text, points):
    derived = form(text, points)
    steps = derived.derivation
    assert derived.steps
    if derived.expression.count_ops() < 100:
        assert steps[-1].endswith(f"= {sp.latex(derived.expression)}")
    for line in steps:
        assert line.count("{") == line.count("}")
        assert line.count(r"\left") == line.count(r"\right")


NAMED = {
    "erf(z)": ["Price"], "max(z, 0)": ["Price"], "sign(z)": ["Price"],
    "z*erf(z)": ["by parts", "conditioning", "Price"], "max(z - 1, 0)": ["by parts", "Price"],
    "erf(z)*exp(z)": ["completing the square", "Price"], "heaviside(z - 1)": ["Price"],
    "cos(z)": ["generating function"], "z*cos(z)": ["completing the square", "by parts"],
    "z**3": ["Wick"], "exp(-z**2)": ["completing the square"],
}  # fmt: skip


@pytest.mark.parametrize("text", NAMED)
def test_derivations_name_what_they_use(text):
    steps = form(text).steps
    for name in NAMED[text]:
        assert any(name in line for line in steps)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_every_line_typesets(tmp_path):
    body = "\n".join(rf"\[{line}\]" for line in lines())
    source = tmp_path / "lines.tex"
    head = r"\documentclass{article}\usepackage{amsmath}\begin{document}"
    source.write_text(head + "\n" + body + "\n" + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", source.name]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-800:]
