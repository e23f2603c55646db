"""Printed diagrams, rules and couplings compile as they are."""

import shutil
import subprocess

import pytest

import nnft_sym as nn
from nnft_sym.actions.line_breaks import LINE, width_of

HEADER = r"""\documentclass{article}
\usepackage{amsmath,booktabs,graphicx}
\usepackage{tikz-feynhand}
\begin{document}
"""


def missing():
    """Why nothing can be compiled here, empty if it can."""
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return "no pdflatex"
    for package in ("tikz-feynhand.sty", "booktabs.sty"):
        found = subprocess.run(
            ["kpsewhich", package], capture_output=True, text=True, check=False
        ).stdout
        if not found.strip():
            return f"no LaTeX package {package}"
    return ""


def document(S):
    """All diagrams of both directions, the rules and the couplings of an action."""
    parts = [HEADER, S.feynman_rules()]
    parts += [rf"\[{line}\]" for line in S.latex().splitlines()]
    parts += [rf"\[{total.latex()}\]" for total in S.correlators().values()]
    for sums in (S.couplings, S.correlators()):
        for total in sums.values():
            parts += [amplitude.tikz() for amplitude in total]
    at = S.at([[0.4]], sigma_w=1.0, sigma_b=0.5, sigma_v=1.0, N=10)
    parts += [at.table(k, "lambda f^4", latex=True).to_latex() for k in (2, 4)]
    return "\n\n".join([*parts, r"\end{document}"])


def test_long_equations_are_broken_where_a_line_may_end():
    S = nn.action(nn.erf_net(), 2)
    for line in S.latex().splitlines():
        inner = line.removeprefix(r"\begin{aligned}").removesuffix(r"\end{aligned}")
        rows = [row.strip().removeprefix("& ") for row in inner.split(r"\\")]
        assert all(width_of(row) <= LINE for row in rows)
    short = S.couplings[4].amplitudes[0].latex()
    joined = " ".join(S.couplings[4].latex().replace(r"\\ & \qquad\qquad{} \times ", "").split())
    assert " ".join(short.split()) in joined  # nothing is lost
    assert "aligned" not in nn.action(nn.erf_net(), 0).couplings[2].latex()


@pytest.mark.skipif(bool(missing()), reason=missing() or "can be compiled")
def test_a_document_of_diagrams_compiles(tmp_path):
    S = nn.action(nn.erf_net(), 2)
    source = document(S)
    assert source.count(r"\begin{feynhand}") > 20
    (tmp_path / "action.tex").write_text(source, encoding="utf-8")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "action.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout[-2000:]
    assert r"Overfull \hbox" not in run.stdout  # equations stay on the page
    assert (tmp_path / "action.pdf").stat().st_size > 10_000
