"""The command line: exit codes, files, and errors as one message."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from nnft_num.commands import mainjob
from nnft_num.commands.cli import main
from nnft_num.confrontation import scaling


@pytest.fixture
def short(monkeypatch):
    """The main job on its fourth task alone."""
    tasks = mainjob.literature_tasks

    def one(networks=None):
        return (tasks(networks)[3],)

    monkeypatch.setattr(mainjob, "literature_tasks", one)


def test_check_writes_tables_and_figure(short, tmp_path):
    out = tmp_path / "deep" / "report"
    done = CliRunner().invoke(main, ["check", "--networks", "20000", "--out", str(out)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert [line.split()[:3] for line in lines[1:4]] == [["Cos-net", "1", k] for k in "246"]
    assert lines[4].startswith("verdict: unresolved (family-wise level 0.01 over 1977 comparisons")
    assert {path.name for path in out.iterdir()} == {
        "summary.tex",
        "entries-cos-net-d1.tex",
        "scaling.pdf",
    }
    assert r"\toprule" in (out / "summary.tex").read_text("utf-8")


def test_a_disagreement_is_exit_code_one(short, tmp_path, monkeypatch):
    exact = scaling.evaluated

    def shifted(net, X, orders, params):
        return exact(net, X, orders, params | {"sigma_v": params["sigma_v"] * 1.05})

    monkeypatch.setattr(scaling, "evaluated", shifted)
    done = CliRunner().invoke(main, ["check", "--networks", "20000", "--out", str(tmp_path)])
    assert done.exit_code == 1, done.output
    assert "verdict: disagree" in done.output


def test_errors_are_one_message_and_exit_code_two():
    done = CliRunner().invoke(main, ["derive", "__import__('os').system('true')"])
    assert done.exit_code == 2
    assert done.output.startswith("Error: expected ")
    assert "Traceback" not in done.output
    assert len(done.output.splitlines()) == 1


def test_derive_prints_latex():
    done = CliRunner().invoke(main, ["derive", "z*exp(-z**2/2)"])
    assert done.exit_code == 0, done.output
    assert "G^{(2)}" in done.output
    assert "G_c^{(4)}" in done.output
    assert r"S_{12} = \mathbb{E}[\phi'_1\phi'_2] = " in done.output
    # Nothing in a formula stays without its meaning.
    assert r"\Theta^{(1)}_{12} = K_{12}" in done.output
    assert r"W = K(1-2BK)^{-1}" in done.output
    assert r"\Delta^{-1/2}\left(W_{12} W_{34} + W_{13} W_{24} + W_{14} W_{23}\right)" in done.output
    assert "class: K*=0 [PDLT chapter 5]" in done.output
    assert "K* = 0, C_W = 1, C_b = 0 (stable)" in done.output


def test_derive_says_what_cannot_be_derived():
    done = CliRunner().invoke(main, ["derive", "sign(z)"])
    assert done.exit_code == 0, done.output
    assert "E[phi'(z_1)*phi'(z_2)] = 2/(pi*sqrt(K_11*K_22 - K_12**2))" in done.output
    assert "class: none [PDLT chapter 5]" in done.output
    done = CliRunner().invoke(main, ["derive", "log(abs(z))"])
    assert done.exit_code == 0, done.output
    assert done.output.count("not derived: expected an activation that is finite") == 3


def test_table_lists_the_networks():
    done = CliRunner().invoke(main, ["table"])
    assert done.exit_code == 0, done.output
    for name in ("Gauss-net", "Erf-net", "ReLU-net", "Cos-net", "scalar-field net, d=3"):
        assert name in done.output


def test_help_needs_no_heavy_import():
    done = CliRunner().invoke(main, ["--help"])
    assert done.exit_code == 0
    for command in ("check", "derive", "table"):
        assert command in done.output


@pytest.mark.montecarlo
def test_the_whole_main_job_cries_no_wolf(tmp_path):
    done = CliRunner().invoke(main, ["check", "--networks", "5000", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.output.splitlines()[1:-2]]
    assert len(rows) == 33
    names = {"Gauss-net", "Erf-net", "ReLU-net", "Cos-net", "scalar-field"}
    assert {row[0] for row in rows} == names
    assert (tmp_path / "scaling.pdf").stat().st_size > 10_000
