"""The pytest plugin, in fresh projects."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

import nnft_num as nm
import nnft_sym as nn
from nnft_num.frozen import Drift, compare, freeze, read_frozen, write_frozen
from nnft_num.kernels.draws import key_from_rng
from nnft_sym.language.errors import SpecificationError, StorageError

pytest_plugins = ["pytester"]

HOME = Path(nm.__file__).parents[1]
ROOT = Path(__file__).parents[2]
PLUGIN = "nnft_num.pytest_plugin"

COMMON = """
import pytest
import nnft_sym as nn
import nnft_num as nm
X = [0.0, 1.0]
NET = nn.cos_net()
PARAMS = dict(N=2, sigma_w=1, sigma_v=1)
"""


def outcomes(text):
    found = re.findall(r"^(PASSED|FAILED|ERROR) test_fields\.py::(\w+)", text, re.M)
    assert found, text
    return {name: outcome for outcome, name in found}


def table(text):
    """Rows of the summary table, without the name of the file."""
    lines = text.partition("= nnft verdicts =")[2].splitlines()[1:]
    rows = [re.split(r"  +", line) for line in lines if line.startswith("test_fields")]
    return [[row[0].partition("::")[2], *row[1:]] for row in rows]


CHECKS = """
WRONG = nn.cumulant(NET, 4).subs({"sigma_w": 1.3})  # a planted fault

def test_right(nnft_check):
    report = nnft_check(NET, X, networks=40_000, **PARAMS)
    print("key", *report.key)

def test_wrong(nnft_check):
    nnft_check(WRONG, X, networks=40_000, sampled=NET, **PARAMS)

def test_right_correlator(nnft_check):
    nnft_check([nn.kernel(NET), nn.cumulant(NET, 4)], X, networks=40_000, **PARAMS)

def test_own_fields(nnft_check):
    f = nm.sample(NET, X, networks=40_000, rng=1, **PARAMS)
    nnft_check(NET, X, fields=f, **PARAMS)

def test_few(nnft_check):
    nnft_check(NET, X, networks=200, **PARAMS)

@pytest.mark.montecarlo(allow_unresolved=True)
def test_few_allowed_by_marker(nnft_check):
    nnft_check(NET, X, networks=200, **PARAMS)

def test_few_allowed_here(nnft_check):
    nnft_check(NET, X, networks=200, allow_unresolved=True, **PARAMS)

def test_sweep(nnft_verdict):
    nnft_verdict(nm.sweep(NET, X, (1, 2), 2, 20_000, 1, sigma_w=1, sigma_v=1))

def test_plain():
    pass
"""


@pytest.fixture
def installed(tmp_path):
    """The variables of a process that finds the package as an installation would have it."""
    site = tmp_path / "site"
    if not any(point.name == PLUGIN for point in entry_points(group="pytest11")):
        # what an installation of this source leaves behind
        told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
        info = site / "nnft-0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: nnft\nVersion: 0\n")
        lines = [f"{name} = {value}" for name, value in told["pytest11"].items()]
        (info / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    path = os.pathsep.join([str(site), str(HOME)])
    return {**os.environ, "PYTHONPATH": path, "PYTEST_ADDOPTS": ""}


def test_a_fresh_project_on_two_workers_fails_on_a_wrong_correlator_alone(tmp_path, installed):
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -W error\n")
    (folder / "test_fields.py").write_text(COMMON + CHECKS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-n", "2", "-p", "no:cacheprovider"],
        cwd=folder,
        env=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    found = outcomes(done.stdout)
    assert {name for name, outcome in found.items() if outcome != "PASSED"} == {
        "test_wrong",
        "test_few",
    }, done.stdout
    assert len(found) == 9
    assert done.returncode == 1
    rows = {row[0]: row[1:] for row in table(done.stdout)}
    assert set(rows) == set(found) - {"test_plain"}
    assert rows["test_right"][:2] == ["Cos-net, order 2,4", "40000"]
    verdicts = {name: row[-1] for name, row in rows.items()}
    assert verdicts["test_wrong"] == "disagree"
    assert verdicts["test_few"] == verdicts["test_few_allowed_by_marker"] == "unresolved"
    assert verdicts["test_right"] == verdicts["test_own_fields"] == "agree"
    assert "unresolved is no agreement: use more networks" in done.stdout
    # the seed is made from the name of the test, on whichever worker it ran
    digest = hashlib.sha256(b"test_fields.py::test_right#0").digest()
    key = key_from_rng(int.from_bytes(digest[:8], "big"))
    assert f"key {key[0]} {key[1]}" in done.stdout


def test_loading_the_plugin_imports_nothing_heavy(tmp_path, installed):
    source = """
def test_light(pytestconfig):
    import sys
    assert pytestconfig.pluginmanager.has_plugin("nnft_num.pytest_plugin")
    heavy = {"numpy", "numba", "sympy", "scipy", "mpmath", "pandas", "matplotlib"}
    assert not heavy & set(sys.modules)
"""
    (tmp_path / "test_other.py").write_text(source)
    # without the plugins of other packages, which import what they like
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**installed, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def run(pytester):
    """Run tests of a fresh project in this process, which has the workbench loaded."""
    nm.check(nn.cos_net(), [0.0], (2, 4), 100, 1, N=1, sigma_w=1, sigma_v=1)

    def run(source, *options):
        pytester.makepyfile(test_fields=COMMON + source)
        chosen = ("-rA", "--strict-markers", "-p", PLUGIN, "-p", "no:cacheprovider", *options)
        done = pytester.runpytest_inprocess(*chosen)
        return done.ret, done.stdout.str(), done.stderr.str()

    run.folder = pytester.path
    return run


def test_budgets_markers_and_options(run):
    source = """
def test_seed(nnft_check):
    first, second = (nnft_check(NET, X, 2, networks=20_000, **PARAMS) for _ in range(2))
    assert first.key != second.key

def test_other_seed(nnft_check):
    given = nnft_check(NET, X, 2, networks=20_000, rng=3, **PARAMS)
    assert given.key == nm.check(NET, X, 2, given.networks, 3, **PARAMS).key

def test_light():
    pass
"""
    code, text, _ = run(source, "--nnft-budget", "quick")
    assert code == 0, text
    assert {row[2] for row in table(text)} == {"2000"}
    _, text, _ = run(source, "--nnft-budget=3000", "-m", "montecarlo")
    assert set(outcomes(text)) == {"test_seed", "test_other_seed"}
    assert {row[2] for row in table(text)} == {"3000"}
    pulls = [row[3] for row in table(text)]
    assert pulls == [row[3] for row in table(run(source, "--nnft-budget=3000")[1])]
    assert len(set(pulls)) == 3
    code, _, said = run(source, "--nnft-budget=some")
    assert code == 4
    assert "expected quick, full or a number of networks" in said
    few = """
def test_few(nnft_check):
    nnft_check(NET, X, networks=200, **PARAMS)
"""
    assert run(few)[0] == 1
    assert run(few, "--nnft-allow-unresolved")[0] == 0


FROZEN = """
def test_estimate(nnft_frozen):
    est = nm.correlators(NET, X, (2, 4), 20_000, SEED, **PARAMS)
    nnft_frozen(est, "cos-estimate")

def test_theory(nnft_frozen):
    nnft_frozen(nn.cumulant(NET, 4), "cos-G4", X, **(PARAMS | dict(sigma_v=SCALE)))
"""


def test_frozen_correlators(run):
    _, missing, _ = run("SEED, SCALE = 1, 1.0\n" + FROZEN)
    assert set(outcomes(missing).values()) == {"FAILED"}
    assert "run once with --nnft-freeze" in missing
    code, written, _ = run("SEED, SCALE = 1, 1.0\n" + FROZEN, "--nnft-freeze")
    assert code == 0, written
    assert [row[-1] for row in table(written)] == ["frozen", "frozen"]
    assert {path.name for path in (run.folder / "frozen").iterdir()} == {
        "cos-estimate.json",
        "cos-G4.json",
    }
    code, later, _ = run("SEED, SCALE = 2, 1.0\n" + FROZEN)
    assert code == 0, later
    assert [row[-1] for row in table(later)] == ["agree", "agree"]
    _, changed, _ = run('SEED, SCALE = 2, 1.0001\nPARAMS["sigma_w"] = 1.5\n' + FROZEN)
    assert [row[-1] for row in table(changed)] == ["disagree", "disagree"], changed
    file = run.folder / "frozen" / "cos-G4.json"
    file.write_text(file.read_text()[:-40])
    _, torn, _ = run("SEED, SCALE = 2, 1.0\n" + FROZEN, "-k", "theory")
    assert set(outcomes(torn).values()) == {"FAILED"}
    assert "StorageError" in torn


# --- frozen correlators by themselves

PARAMS = dict(N=2, sigma_w=1.0, sigma_v=1.0)


def estimated(rng, networks=20_000, **changed):
    return nm.correlators(nn.cos_net(), [0.0, 1.0], (2, 4), networks, rng, **(PARAMS | changed))


def test_frozen_files_keep_every_bit_and_refuse_what_is_torn_or_foreign(tmp_path):
    path = tmp_path / "frozen" / "a.json"
    frozen = freeze(estimated(1), "test_a")
    write_frozen(frozen, path)
    held = read_frozen(path)
    for order, tensor in frozen.tensors.items():
        for name in ("values", "errors", "freedom"):
            assert np.array_equal(getattr(held.tensors[order], name), getattr(tensor, name))
    with pytest.raises(StorageError, match="a file that test_b froze"):
        write_frozen(freeze(estimated(1), "test_b"), path)
    whole = path.read_text()
    value = repr(float(frozen.tensors[2].values[0]))
    edited = json.loads(whole)
    edited["tensors"]["2"]["values"] = edited["tensors"]["2"]["values"][:-1]
    foreign = {**json.loads(whole), "format": "other/1"}
    wrong = [
        whole[:200],
        "",
        "[]",
        "{}",
        whole.replace(value, "0.25"),
        whole.replace(value, "NaN"),
        json.dumps(edited),
        json.dumps(foreign),
        whole.replace('"owner"', '"owners"'),
    ]
    for text in wrong:
        path.write_text(text)
        with pytest.raises(StorageError, match=r"a\.json"):
            read_frozen(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StorageError):
        read_frozen(path)
    with pytest.raises(StorageError):
        read_frozen(tmp_path / "none.json")


@pytest.mark.montecarlo
def test_frozen_estimates_are_compared_by_pulls():
    frozen = freeze(estimated(1), "t")
    same = compare(frozen, estimated(1))
    assert np.all(same[4].pull.entries == 0)
    # two samples of one law: pulls of order one, at level 0.01 over both orders
    other = compare(frozen, estimated(2))
    assert other.verdict == "agree", str(other)
    assert 0.2 < np.std(other[4].pull.entries) < 3
    alone = nm.check(nn.cos_net(), [0.0, 1.0], (2,), 20_000, 2, **PARAMS)
    assert np.all(other[2].uncertainty > 1.2 * alone[2].uncertainty)
    assert compare(frozen, estimated(2, sigma_v=1.1)).verdict == "disagree"
    assert compare(frozen, estimated(3, networks=200)).verdict == "unresolved"


def test_what_cannot_be_frozen_or_compared_is_refused():
    frozen = freeze(estimated(1), "t")
    theory = nn.cumulant(nn.cos_net(), 4)
    with pytest.raises(SpecificationError, match="estimate of orders"):
        compare(frozen, theory.evaluate([0.0, 1.0], params=PARAMS))
    with pytest.raises(SpecificationError, match="2 points"):
        compare(frozen, nm.correlators(nn.cos_net(), [0.0], (2, 4), 2000, 1, **PARAMS))
    with pytest.raises(SpecificationError, match="a correlator evaluated at points"):
        freeze(theory, "t")
    heavy = nm.estimate(np.random.default_rng(0).standard_cauchy(size=(5000, 2)))
    with pytest.raises(SpecificationError, match="heavy tails"):
        freeze(heavy, "t")


def test_a_theory_drifts_by_more_than_rounding_or_not_at_all():
    theory = nn.cumulant(nn.cos_net(), 4)
    frozen = freeze(theory.evaluate([0.0, 1.0], params=PARAMS), "t")
    same = compare(frozen, theory.evaluate([0.0, 1.0], params=PARAMS))
    assert isinstance(same, Drift)
    assert (same.verdict, same.pull) == ("agree", 0.0)
    moved = compare(frozen, theory.evaluate([0.0, 1.0], params=PARAMS | {"sigma_w": 1 + 1e-9}))
    assert moved.verdict == "disagree"
