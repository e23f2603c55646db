"""The table of activations: right in every cell, and readable by LaTeX."""

import pytest
import sympy as sp
from matplotlib.mathtext import MathTextParser

import nnft_sym as nn
from nnft_sym.activations import catalogue
from nnft_sym.laws import first_layer_law
from nnft_sym.tables import _abbreviated, _abbreviations, activation_table

ROW = activation_table(["erf(z)"]).rows[0]


@pytest.mark.parametrize("phi", [make() for make in catalogue().values()], ids=lambda p: p.name)
def test_each_activation_has_a_row_that_latex_reads(phi):
    table = activation_table(phi)
    (row,) = table.rows
    assert row.kernel == first_layer_law(nn.shallow(phi)).expression(2)
    body = table.latex().split(r"\midrule")[1].split(r"\\")[0]
    cells = body.strip().split(" & ")
    assert len(cells) == 4
    for cell in cells[:3]:
        MathTextParser("path").parse(cell.replace(r"\mathbb", r"\mathrm"))


def test_abbreviations_mean_what_they_stand_for():
    for cell in (ROW.kernel, ROW.factor):
        restored = _abbreviated(cell).subs(_abbreviations())
        assert sp.expand(restored - cell) == 0
    assert nn.activation_table(["erf(z)"]).abbreviations == {
        "|1+2K|": sp.latex(_abbreviations()[sp.Symbol("|1+2K|", positive=True)])
    }


@pytest.mark.parametrize(
    ("phi", "expected"),
    [("erf(z)", "(0.886227, 0)"), (nn.GELU(), "(1.40821, 0.415839)"), ("z**3", "--")],
)
def test_critical_deviations(phi, expected):
    assert (
        activation_table([phi])
        .latex()
        .split(r"\midrule")[1]
        .split(" & ")[3][:20]
        .startswith(expected)
    )


def test_written_as_latex_and_html(tmp_path):
    path = tmp_path / "table.tex"
    table = activation_table([nn.Exp(), "z"])
    assert path.write_text("") == 0
    assert table.latex(path) == path.read_text()
    assert table._repr_html_().count("<tr>") == 3
    assert repr(table) == "ActivationTable(Exp, z)"


def test_an_empty_table_is_refused():
    with pytest.raises(nn.SpecificationError, match="at least one activation"):
        activation_table([])
