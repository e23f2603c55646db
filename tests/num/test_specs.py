"""Specs in TOML: what they say, what is refused, and any text at all."""

from __future__ import annotations

import copy
import datetime
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import nnft_num as nm
import nnft_sym as nn
from nnft_num.commands.cli import main
from nnft_num.commands.specs import parse_spec, require_check
from nnft_sym.language.errors import SpecificationError

SHALLOW = """
title = "erf at width 4"
points = [-1.0, 0.3, 0.8]

[network]
architecture = "shallow"
activation = "erf(z)"
weight = { density = "Gaussian", std = "sigma_w" }
bias = { density = "Gaussian", std = 0.5 }
readout = { density = "Uniform", low = -1, high = 1 }

[parameters]
sigma_w = 1.0
N = 4

[check]
orders = [2, 4]
networks = 80_000
seed = 3
"""
SEVERAL = """
points = [0.0, 1.0]

[[network]]
literature = "cos_net"

[[network]]
architecture = "mlp"
activation = { name = "LeakyReLU", a = 0.1 }
depth = 1
bias = "none"
points = [[0.5, 0.5], [1.0, 2.0]]

[[network]]
architecture = "neurons"
expression = "cos(w_1*x_1 + b)"
densities = { w = { density = "Laplace", scale = "s" }, b = { density = "Uniform" } }
readout = [{ density = "Rademacher" }, { density = "Gaussian", std = 2 }]
width = 3
parameters = { s = 0.5 }

[parameters]
N = 2
n_1 = 2
sigma_w = 1.0
sigma_v = 1.0

[check]
orders = 2
networks = 20_000

[output]
table = "t.tex"
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run a command on a spec in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def run(name, text=None, *options):
        arguments = [name]
        if text is not None:
            (tmp_path / "net.toml").write_text(text)
            arguments.append("net.toml")
        done = CliRunner().invoke(main, [*arguments, *options])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return run


@pytest.mark.montecarlo
def test_a_spec_is_the_call_it_describes(command, tmp_path):
    done = command("check", SHALLOW, "--json", "--out", "deep/report")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    record = json.loads(done.stdout)
    net = nn.shallow("erf(z)", bias=nn.Gaussian(0, 0.5), readout=nn.Uniform(-1, 1))
    params = dict(sigma_w=1.0, N=4)
    report = nm.check(net, [-1.0, 0.3, 0.8], (2, 4), 80_000, 3, **params)
    (own,) = record["networks"]
    for order, entry in zip(report.orders, own["orders"], strict=True):
        assert entry["estimate"] == order.estimate.entries.tolist()
        assert entry["theory"] == order.theory.entries.tolist()
        assert entry["verdict"] == order.verdict
    assert (record["verdict"], record["title"]) == ("agree", "erf at width 4")
    folder = tmp_path / "deep" / "report"
    assert {path.name for path in folder.iterdir()} == {
        *("report.json", "entries.tex", "report.html", "article.tex")
    }
    assert json.loads((folder / "report.json").read_text()) == record
    assert r"\toprule" in (folder / "entries.tex").read_text()


@pytest.mark.montecarlo
def test_exit_codes(command, monkeypatch):
    from nnft_num import front

    assert command("check", SHALLOW).exit_code == 0
    few = command("check", SHALLOW, "--networks", "200")
    assert few.exit_code == 3
    assert "unresolved" in few.output
    deep = SHALLOW.replace('"shallow"', '"mlp"\ndepth = 2').replace("N = 4", "n_1 = 4\nn_2 = 4")
    done = command("check", deep)
    assert done.exit_code == 4, done.output
    assert "nm.sweep" in done.output
    exact = front.evaluated

    def shifted(net, X, orders, params):
        return exact(net, X, orders, params | {"sigma_w": params["sigma_w"] * 1.1})

    monkeypatch.setattr(front, "evaluated", shifted)  # the planted fault
    done = command("check", SHALLOW)
    assert done.exit_code == 1
    assert "disagree" in done.output


@pytest.mark.montecarlo
def test_several_networks_and_a_sweep(command, tmp_path):
    done = command("check", SEVERAL)
    assert done.exit_code == 0, done.output
    assert done.output.count("verdict: agree (family-wise level 0.00333") == 3
    assert (tmp_path / "t.tex").exists()
    swept = SHALLOW.replace("N = 4\n", "") + "widths = [1, 2, 4]\n"
    done = command("check", swept, "--json")
    assert done.exit_code == 0, done.output
    (own,) = json.loads(done.stdout)["networks"]
    assert own["widths"] == [1, 2, 4]
    assert [slope["claimed"] for slope in own["slopes"]] == [0.0, -1.0]


@pytest.mark.montecarlo
def test_lists_of_values_are_a_scan(command, tmp_path):
    spec = SHALLOW.replace("N = 4", "N = [2, 4]")
    done = command("check", spec, "--json", "--out", "run")
    assert done.exit_code == 0, done.output
    (own,) = json.loads(done.stdout)["networks"]
    assert own["axes"] == {"N": [2, 4]}
    assert [report["parameters"]["N"] for report in own["reports"]] == [2, 4]
    assert (tmp_path / "run" / "entries.tex").read_text().count(r"\toprule") == 2
    swept = spec + "widths = [1, 2]\n"
    assert "key parameters.N in net.toml" in command("check", swept).output
    record = json.loads(command("derive", spec, "--json").stdout)[0]
    said = {entry["quantity"]: entry.get("not_evaluated") for entry in record["quantities"]}
    assert said == {"kernel": None, "ntk": None, "cumulant": "several values of N"}


@pytest.mark.montecarlo
def test_pages_articles_and_figures_of_several_networks(command, tmp_path):
    names = 'html = "all.html"\ndocument = "all.tex"\nfigure = "f.svg"\n'
    few = SEVERAL.replace("20_000", "4_000")
    done = command("check", f'title = "α & β"\n{few}{names}', "--out", "run")
    folder = tmp_path / "run"
    written = {path.name for path in folder.iterdir()}
    assert written == {"t.tex", "all.html", "all.tex", "f-1.svg", "f-2.svg", "f-3.svg"}
    assert all(f"wrote {Path('run') / name}" in done.output for name in written)
    page = (folder / "all.html").read_text("utf-8")
    assert page.count("<h1>") == 4
    assert "<title>α &amp; β</title>" in page
    article = (folder / "all.tex").read_text("utf-8")
    assert article.count(r"\section{") == 3
    assert article.count(r"\begin{thebibliography}") == 1
    assert (folder / "f-2.svg").read_text("utf-8").count("<svg") == 1


def test_derivations_and_tables(command, tmp_path):
    done = command("derive", SHALLOW, "--json", "--order", "2")
    assert done.exit_code == 0, done.output
    (record,) = json.loads(done.stdout)
    found = {entry["quantity"]: entry for entry in record["quantities"]}
    assert set(found) == {"kernel", "ntk", "cumulant"}
    net = nn.shallow("erf(z)", bias=nn.Gaussian(0, 0.5), readout=nn.Uniform(-1, 1))
    tensor = nn.kernel(net).evaluate([-1.0, 0.3, 0.8], sigma_w=1.0)
    assert found["kernel"]["values"] == tensor.values.entries.tolist()
    assert found["kernel"]["latex"] == nn.kernel(net).latex()
    done = command("derive", SEVERAL, "--out", "all.tex")
    assert (done.exit_code, done.output) == (0, "")
    assert (tmp_path / "all.tex").read_text().count("% kernel, order 2") == 3
    done = command("table", SEVERAL)
    assert done.exit_code == 0
    assert done.output.count("G^{(2)}") == 3
    assert done.output.count("% ") == 3
    done = command("table", None, "-a", "Erf", "-a", "max(z, 0)")
    assert done.output == nn.activation_table([nn.Erf(), "max(z, 0)"]).latex()
    done = command("table", None, "-a", "Erf", "--json")
    assert json.loads(done.stdout)[0]["class"] == "K*=0"
    done = command("derive", None, "GELU", "--json")
    assert json.loads(done.stdout)[0]["network"] == "GELU network"
    done = command("derive", None, "relu")
    assert done.exit_code == 2
    assert "did you mean ReLU?" in done.output


REFUSED = [
    ('activation = "erf(z)"', 'activation = "erf(y)"', "network.activation", "declare it"),
    ('activation = "erf(z)"', 'activation = "__import__(1)"', "network.activation", "rename"),
    ('activation = "erf(z)"', 'activation = "relu"', "network.activation", "'relu' in 'relu'"),
    ('"shallow"', '"shalow"', "network.architecture", "did you mean shallow?"),
    ("std =", "sd =", "network.weight", "did you mean std?"),
    ('"sigma_w" }', '"sigma w" }', "network.weight.std", "check its operators"),
    ('"Gaussian"', '"Gauss"', "network.weight.density", "did you mean Gaussian?"),
    ("low = -1", "low = 2", "network.readout", "swap the ends"),
    ("low = -1", "low = true", "network.readout.low", "came True"),
    ("0.3", "nan", "points", "a list of numbers"),
    ("N = 4", "N = 0", "parameters", "integer width"),
    ("N = 4", "M = 4", "parameters", "came M"),
    ("N = 4", "", "parameters", "none for N"),
    ("N = 4", 'N = "4"', "parameters.N", "without quotes"),
    ("orders = [2, 4]", "orders = [2, 9]", "check.orders", "from 1 to 8"),
    ("orders = [2, 4]", "orders = [2, 2]", "check.orders", "each once"),
    ("seed = 3", "seed = -3", "check.seed", "plain integer"),
    ("seed = 3", "sed = 3", "check", "did you mean seed?"),
    ("seed = 3", 'route = "road"', "check.route", "route="),
    ("seed = 3", "level = 1.0", "check.level", "between 0 and 1"),
    ("seed = 3", "widths = [1, 2]", "parameters.N", "remove it"),
    ("bias = {", "width = 8\nbias = {", "parameters", "came N"),
    ("seed = 3", "[output]\njson = '../x'", "output.json", "--out"),
    ("seed = 3", "[output]\nfigure = 'f.gif'", "output.figure", ".pdf or .svg or .png"),
    ("seed = 3", "[output]\ntable = 'a.tex'\ndocument = 'a.tex'", "output.document", "another"),
    ("N = 4", "N = [4, 4]", "parameters.N", "different ones"),
    ("N = 4", "N = []", "parameters.N", "came []"),
    ("N = 4", "N = [4, 2.5]", "parameters", "integer width"),
    ("[check]", "[chek]", "", "did you mean check?"),
    ("title =", "title", "", "TOML in"),
]


@pytest.mark.parametrize(("old", "new", "key", "words"), REFUSED, ids=[r[1] for r in REFUSED])
def test_errors_name_file_key_and_remedy(command, old, new, key, words):
    assert old in SHALLOW
    done = command("check", SHALLOW.replace(old, new))
    assert done.exit_code == 2, done.output
    line = done.output
    assert line.startswith("Error: expected ")
    assert len(line.splitlines()) == 1
    assert (f"for the key {key} in net.toml" if key else "in net.toml") in line, line
    assert words in line, line


def test_files_that_cannot_be_read_or_written(command, tmp_path):
    for content in (None, b"\xff\xfe", b"points = " + b"[" * 5000):
        if content is not None:
            (tmp_path / "odd.toml").write_bytes(content)
        done = CliRunner().invoke(main, ["check", "odd.toml"])
        assert done.exit_code == 2, done.output
        assert "odd.toml" in done.output
    for arguments in (["table", "--out", "no/where.tex"], ["derive", "z", "--out", "no/where"]):
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 2
        assert "make its directory first" in done.output
    (tmp_path / "taken").write_text("")
    done = command("check", SHALLOW, "--networks", "200", "--out", "taken/deep")
    assert done.exit_code == 2
    assert "choose another with --out" in done.output
    assert command("check", None, "--json").exit_code == 2


def test_shell_completion():
    complete = BashComplete(main, {}, "nnft", "_NNFT_COMPLETE")
    assert {item.value for item in complete.get_completions([], "")} == {"check", "derive", "table"}
    assert "--json" in {item.value for item in complete.get_completions(["check"], "--")}
    assert "_NNFT_COMPLETE" in complete.source()


# --- any text at all

BASES = [
    {
        "title": "a",
        "points": [-1.0, 0.3],
        "network": {
            "architecture": "shallow",
            "activation": "tanh(z)",
            "weight": {"density": "Gaussian", "std": "sigma_w"},
            "bias": {"density": "Uniform", "low": -1, "high": 1},
            "readout": [{"density": "Rademacher"}, {"density": "Laplace", "scale": "b"}],
            "output_bias": "none",
            "width": "N",
            "inputs": 1,
            "outputs": 2,
        },
        "parameters": {"sigma_w": 1.0, "b": 1.0, "N": 4},
        "check": {
            "orders": [2, 4],
            "networks": 1000,
            "seed": 3,
            "level": 0.01,
            "resolution": 5.0,
            "route": "parameters",
        },
        "derive": {"quantities": ["kernel", "ntk"], "orders": [4]},
        "output": {"table": "t.tex", "json": "r.json", "html": "r.html", "figure": "f.svg"},
    },
    {
        "points": [[0.0, 1.0], [1.0, 0.5]],
        "network": [
            {
                "architecture": "mlp",
                "activation": {"name": "LeakyReLU", "a": 0.1},
                "widths": ["n_1", "n_2"],
                "depth": 2,
                "weight": {"density": "Gaussian", "mean": 0, "std": 1},
            },
            {"literature": "scalar_field_net", "d": 2, "outputs": 1, "parameters": {"m": 1}},
        ],
        "parameters": {"sigma_b": 0.5, "Lambda": 1.0},
        "check": {"widths": [1, 2, 4], "orders": 2},
    },
    {
        "network": {
            "architecture": "neurons",
            "expression": "cos(w_1*x_1 + w_2*x_2 + b)",
            "densities": {
                "w": {"density": "Ball", "d": 2, "radius": "R"},
                "b": {"density": "Uniform", "low": "-pi", "high": "pi"},
            },
            "points": [[0.0, 1.0]],
            "parameters": {"R": [1.0, 2.0], "sigma_v": 1.0, "N": [1, 3]},
        },
    },
]
KEYS = sorted(
    {"literature", "name", "k", "x_1", "w_1", "z", "d", "e", "lambda", "", "a.b", "__class__"}
    | {"depth", "width", "widths", "inputs", "parameters", "points", "density", "std", "sigma_w"}
    | {"output", "html", "document", "figure"}
)
WORDS = [
    *KEYS,
    *["erf(z)", "max(z, 0)", "z/0", "1/(z - z)", "9**9**9", "log(-1)", "x_1", "sqrt(w_1)", "pi"],
    *["shallow", "mlp", "neurons", "none", "Erf", "Monomial", "NormalisedExp", "gauss_net"],
    *["Gaussian", "Uniform", "Sphere", "Ball", "Rademacher", "kernel", "../x"],
    *["cos(x_3)", "exp(w_1*x_1)", "k*z", "sigma_w**2", "-sigma_w", "1e400", "((((", "N", "2"],
    "where(z > 0, 1, 0)",
]
SCALARS = st.one_of(
    st.sampled_from(WORDS),
    st.text(max_size=6),
    st.integers(-3, 12),
    st.sampled_from([10**6, 10**12, 2**63, -(10**40), 10**400]),
    st.sampled_from([0.0, -0.0, 1.5, -2.0, 1e-320, 1e308, math.inf, -math.inf, math.nan]),
    st.booleans(),
    st.sampled_from([datetime.date(2020, 1, 1), datetime.time(1, 2)]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=4,
)
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 10**4),
        st.sampled_from(["replace", "replace", "remove", "add", "rename", "text"]),
        st.sampled_from(KEYS),
        VALUES,
    ),
    max_size=3,
)


def toml(value):
    """A value as inline TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=True).replace("\\ud", "\\uD")
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, int):
        return str(value)
    return value.isoformat()


def places(value):
    """All (container, key) pairs below a value."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def changed(base, changes):
    spec = copy.deepcopy(base)
    texts = []
    for place, kind, key, value in changes:
        held = list(places(spec)) or [(spec, None)]
        container, own = held[place % len(held)]
        if kind == "text":
            texts.append((place, toml(value)))
        elif own is None or (kind == "add" and isinstance(container, dict)):
            container[key] = value
        elif kind == "remove":
            del container[own]
        elif kind == "rename" and isinstance(container, dict):
            container[key] = container.pop(own)
        else:
            container[own] = value
    text = "\n".join(f"{toml(key)} = {toml(value)}" for key, value in spec.items())
    for place, piece in texts:
        at = place % (len(text) + 1)
        text = text[:at] + piece + text[at + place % 7 :]
    return text


def read(text):
    """Whether a spec was read; a refusal must say file and remedy."""
    refusal = None
    try:
        require_check(parse_spec(text, "net.toml"))
    except SpecificationError as error:
        refusal = error
    if refusal is not None:
        assert "net.toml" in refusal.expected, refusal
        assert refusal.remedy
        assert "\n" not in str(refusal)
    return refusal is None


def test_the_unchanged_specs_are_read():
    assert all(read(changed(base, [])) for base in BASES)


@settings(
    max_examples=int(os.getenv("NNFT_FUZZ", "5000")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, len(BASES) - 1), CHANGES)
@example(0, [(3, "replace", "z", 10**400)])
def test_any_spec_is_read_or_refused(number, changes):
    read(changed(BASES[number], changes))


def test_numbers_of_json_are_those_of_toml():
    spec = parse_spec(SHALLOW, "net.toml")
    assert spec.networks[0].parameters == {"sigma_w": 1.0, "N": 4}
    assert np.array_equal(spec.networks[0].points, [[-1.0], [0.3], [0.8]])
