"""Closed forms as a paper prints them, and derivations that typeset."""

import shutil
import subprocess

import pytest
import sympy as sp

import nnft_sym as nn
from nnft_sym.activations import Activation
from nnft_sym.expectation.closed import closed_form
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
ACOS = r"\operatorname{acos}{\left(\frac{K_{12}}{\sqrt{K_{11}} \sqrt{K_{22}}} \right)}"
ROOT = r"\sqrt{K_{11} K_{22} - K_{12}^{2}}"
DECAY = r"e^{- \frac{K_{11}}{2} - K_{12} - \frac{K_{22}}{2}}"
RISE = r"e^{- \frac{K_{11}}{2} + K_{12} - \frac{K_{22}}{2}}"
# Published form (None: see its test elsewhere), and the print.
PAPER = {
    "erf(z)": (
        2 / sp.pi * sp.asin(2 * K12 / sp.sqrt((1 + 2 * K11) * (1 + 2 * K22))),
        r"\frac{2 \operatorname{asin}{\left(\frac{2 K_{12}}{\sqrt{2 K_{11} + 1}"
        r" \sqrt{2 K_{22} + 1}} \right)}}{\pi}",
    ),
    "max(z, 0)": (
        CORNER,
        rf"\frac{{K_{{12}} \left(\pi - {ACOS}\right)}}{{2 \pi}} + \frac{{{ROOT}}}{{2 \pi}}",
    ),
    "heaviside(z)": ((sp.pi - ANGLE) / (2 * sp.pi), rf"\frac{{\pi - {ACOS}}}{{2 \pi}}"),
    "sign(z)": (1 - 2 * ANGLE / sp.pi, rf"- \frac{{2 {ACOS}}}{{\pi}} + 1"),
    "abs(z)": (
        2 * (CORNER + CORNER_BACK),
        rf"- \frac{{2 K_{{12}} {ACOS}}}{{\pi}} + K_{{12}} + \frac{{2 {ROOT}}}{{\pi}}",
    ),
    "z*(1 + erf(z/sqrt(2)))/2": (GELU, None),
    "max(z, 0) + 0.1*min(z, 0)": (
        sp.Rational(81, 100) * CORNER + sp.Rational(1, 10) * K12,
        None,
    ),
    "cos(z)": (
        sp.exp(-(K11 + K22) / 2) * sp.cosh(K12),
        rf"\frac{{{DECAY}}}{{2}} + \frac{{{RISE}}}{{2}}",
    ),
    "sin(z)": (
        sp.exp(-(K11 + K22) / 2) * sp.sinh(K12),
        rf"- \frac{{{DECAY}}}{{2}} + \frac{{{RISE}}}{{2}}",
    ),
    "exp(z)": (sp.exp((K11 + 2 * K12 + K22) / 2), None),
    "exp(-z**2)": (1 / sp.sqrt((1 + 2 * K11) * (1 + 2 * K22) - 4 * K12**2), None),
    "z*exp(-z**2/2)": (
        K12 / N ** sp.Rational(3, 2),
        r"\frac{K_{12}}{\left(K_{11} K_{22} + K_{11} - K_{12}^{2} + K_{22} + 1\right)"
        r"^{\frac{3}{2}}}",
    ),
    "z**3": (9 * K11 * K12 * K22 + 6 * K12**3, r"9 K_{11} K_{12} K_{22} + 6 K_{12}^{3}"),
}
POINTS = [(1.3, 0.4, 0.9), (0.2, -0.35, 1.1), (3.0, 2.9, 3.0)]


def form(text, points=2):
    return closed_form((Activation.of(text).expression,) * points)


@pytest.mark.parametrize("text", PAPER)
def test_published_forms(text):
    paper, latex = PAPER[text]
    ours = form(text).expression
    for numbers in POINTS:
        exact = dict(zip((K11, K12, K22), map(sp.Rational, map(str, numbers)), strict=True))
        assert abs((ours - paper).subs(exact).evalf(20)) < 1e-17
    assert not ours.has(sp.Float, sp.Integral)
    if latex is not None:
        assert sp.latex(ours) == latex


@pytest.mark.parametrize("text", PAPER)
def test_no_form_is_longer_than_twice_the_published_one(text):
    assert form(text).expression.count_ops() <= 2 * PAPER[text][0].count_ops() + 4


EVERY = [*PAPER, "max(z - 1, 0)", "max(-1, min(1, z))", "where(z > 0, z, exp(z) - 1)", "erf(z + 1)",
         "z*erf(z)", "exp(-z**2)*sin(z)", "1/2 + erf(z/3)/2"]  # fmt: skip


def lines():
    found = []
    for text in EVERY:
        for points in (1, 2):
            derived = form(text, points)
            found += [sp.latex(derived.expression), *derived.steps]
    for net in (nn.shallow(nn.Erf()), nn.mlp(nn.GELU(), depth=2), nn.shallow("max(z - 1, 0)")):
        for quantity in (nn.kernel(net), nn.ntk(net)):
            found += [*quantity.steps]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("points", [1, 2])
@pytest.mark.parametrize("text", EVERY)
def test_every_form_says_how_it_was_found(text, points):
    steps = form(text, points).steps
    assert steps
    for line in steps:
        assert line.count("{") == line.count("}")
        assert line.count(r"\left") == line.count(r"\right")


def test_derivations_name_the_theorem():
    for text in ("erf(z)", "max(z, 0)", "sign(z)"):
        assert any(r"\text{Price: } \partial_{K_{12}}" in line for line in form(text).steps)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_every_line_typesets(tmp_path):
    body = "\n".join(rf"\[{line}\]" for line in lines())
    source = tmp_path / "lines.tex"
    head = r"\documentclass{article}\usepackage{amsmath}\begin{document}"
    source.write_text(head + "\n" + body + "\n" + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", source.name]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout.decode(errors="replace")[-800:]
