"""Formats of a report: golden texts, frames, and LaTeX that a paper can take."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from nnft_num.reporting.reports import latex_cell, latex_text, uncertain
from nnft_sym.language.errors import SpecificationError
from tests.num.synthetic import order_report, report

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def example():
    second = order_report([2.0, 1.0, 1.5], [2.0, 0.8, 1.5], [0.05] * 3, order=2)
    fourth = order_report([1.0] * 5, [1.5, 1, 1, 1, 1], [0.5, 0.1, 0.1, 0.1, 0.1])
    return report(second, fourth)


def test_text_is_golden(example):
    assert example.to_text(entries=1) + "\n" == (GOLDEN / "report.txt").read_text("utf-8")
    assert str(example) == example.to_text()
    assert repr(example) == "Report(Erf-net: disagree; orders 2: disagree, 4: unresolved)"


def test_latex_is_golden_and_written(example, tmp_path):
    path = tmp_path / "table.tex"
    assert example.to_latex(path, rows=1) == (GOLDEN / "report.tex").read_text("utf-8")
    assert path.read_text("utf-8") == example.to_latex(rows=1)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(example, tmp_path):
    heavy = order_report(
        [0.0, 1e-7, 2e9], [0.0, np.inf, 1.0], [0.0, 1.0, 1e-12], order=2, heavy=[True, False, False]
    )
    body = example.to_latex() + report(heavy).to_latex()
    source = tmp_path / "a.tex"
    source.write_text(
        "\\documentclass{article}\\usepackage{booktabs,siunitx}\\begin{document}\n"
        f"{body}\\end{{document}}",
        encoding="utf-8",
    )
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", source.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


def test_dataframe_has_a_row_for_each_entry(example):
    frame = example.to_dataframe()
    assert len(frame) == example.entries == 8
    assert frame.verdict.tolist().count("disagree") == 1
    assert frame.points[1] == (0, 1)
    assert frame.theory[1] == 1.0


def test_html_and_plot(example):
    assert "<table" in example._repr_html_()
    axes = Figure().add_subplot()
    assert example.plot(axes) is axes
    assert axes.get_legend_handles_labels()[1] == ["$n=2$: disagree", "$n=4$: unresolved"]


@pytest.mark.parametrize(
    ("value", "error", "cell"),
    [
        (1.2345, 0.012, "1.234(12)"),
        (-1.5e-8, 2e-9, "-1.50(20)e-8"),
        (3.2e9, 4e7, "3.200(40)e9"),
        (0.5, 0.0, "0.5"),
        (0.5, float("nan"), "0.5"),
    ],
)
def test_values_with_errors(value, error, cell):
    assert uncertain(value, error) == cell


def test_cells_are_numbers_or_braced():
    assert [latex_cell(v) for v in (1.0, -2e-30, float("inf"), float("-inf"), float("nan"))] == [
        "1",
        "-2e-30",
        r"{$\infty$}",
        r"{$-\infty$}",
        "{--}",
    ]
    assert latex_text("50% of a_b & {c}") == r"50\% of a\_b \& \{c\}"


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    path = tmp_path / "missing" / "table.tex"
    with pytest.raises(SpecificationError, match="missing/table"):
        report(order_report([1.0], [1.0], [0.1])).to_latex(path)
