"""The cache of machine code: never stale, never torn, shared by processes, never in the way."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nnft_num.kernels.single import VectorKernel
from nnft_num.machine import compiled as machine
from nnft_num.machine import draws as vectordraws
from nnft_num.machine import fill as vectorfill
from nnft_num.machine import functions as vectormath
from nnft_num.machine.simd import LANES, Code, f32, i64
from nnft_num.plans.plan import Plan
from nnft_num.runs.sampling import sample_fields
from tests.num.example_plans import ERF, data, dense, scalar


def text(number: float) -> str:
    code = Code("put", {"y": f32.as_pointer()})
    code.store(code.arguments["y"], code.number(0, i64), code.vector(number, f32))
    return code.finish()


def run(number: float) -> np.ndarray:
    y = np.zeros(LANES, dtype=np.float32)
    machine.machine_function(text(number), "put", [ctypes.c_void_p])(y.ctypes.data)
    return y


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NNFT_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(machine, "_functions", {})
    return tmp_path


def forget(monkeypatch):
    """As a new process would begin."""
    monkeypatch.setattr(machine, "_functions", {})


def test_a_known_function_is_not_compiled_again(empty_cache, monkeypatch):
    before = machine.compilations()
    assert (run(2.0) == 2).all()
    assert (run(2.0) == 2).all()
    forget(monkeypatch)
    assert (run(2.0) == 2).all()
    assert machine.compilations() == before + 1
    assert len(list(empty_cache.iterdir())) == 1
    assert (run(3.0) == 3).all()
    assert machine.compilations() == before + 2


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign", "empty", "swapped"])
def test_a_damaged_file_is_compiled_again(empty_cache, monkeypatch, damage):
    run(2.0)
    (file,) = empty_cache.iterdir()
    good = file.read_bytes()
    bad = {
        "cut": good[:-5],
        "flip": good[:-40] + bytes([good[-40] ^ 1]) + good[-39:],
        "foreign": b"something else",
        "empty": b"",
    }
    if damage == "swapped":
        run(3.0)
        other = next(other for other in empty_cache.iterdir() if other != file)
        file.write_bytes(other.read_bytes())
    else:
        file.write_bytes(bad[damage])
    forget(monkeypatch)
    before = machine.compilations()
    assert (run(2.0) == 2).all()
    assert machine.compilations() == before + 1
    assert file.read_bytes()[:20] == good[:20]


def test_an_edit_of_the_runtime_changes_the_key(monkeypatch):
    """The key is a hash of the whole module; draws are modules of their own."""
    before = VectorKernel(ERF.plan).text
    assert VectorKernel(ERF.plan).text == before
    with monkeypatch.context() as edit:
        edit.setitem(vectormath.SINGLE, "erf", lambda x: x * 1.0000001)
        assert VectorKernel(ERF.plan).text != before
    assert VectorKernel(ERF.plan).text == before
    for text in (vectorfill.words_text, vectorfill.normals_text):
        before = text()
        with monkeypatch.context() as edit:
            edit.setattr(vectordraws, "_MULTIPLIER_0", 1)
            assert text() != before
        assert text() == before


def test_versions_and_processor_are_part_of_the_key(empty_cache, monkeypatch):
    run(2.0)
    conditions = machine._conditions()
    monkeypatch.setattr(machine, "_conditions", lambda: (*conditions[:-1], "another"))
    forget(monkeypatch)
    run(2.0)
    assert len(list(empty_cache.iterdir())) == 2
    assert all(conditions)


def test_a_directory_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("no directory")
    monkeypatch.setenv("NNFT_CACHE_DIR", str(blocked))
    forget(monkeypatch)
    assert (run(5.0) == 5).all()


def test_threads_meet_one_function(empty_cache):
    before = machine.compilations()
    with ThreadPoolExecutor(4) as pool:
        assert all((y == 7).all() for y in pool.map(run, [7.0] * 8))
    assert machine.compilations() == before + 1


SCRIPT = """
import numpy as np, time
from tests.num.example_plans import ERF
from nnft_num.machine import compiled as machine
from nnft_num.runs.sampling import sample_fields
begin = time.perf_counter()
fields = sample_fields(ERF.plan, ERF.X, 3, (1, 2), ERF.params)
print(machine.compilations(), fields.sum().hex(), time.perf_counter() - begin)
"""


def test_processes_share_the_cache(tmp_path):
    environment = os.environ | {"NNFT_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.getcwd()}
    command = [sys.executable, "-c", SCRIPT]
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    first = [process.communicate()[0].split() for process in both]
    third = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    compiled, total, _ = third.stdout.split()
    assert compiled == "0"
    assert {total, *(result[1] for result in first)} == {total}


def test_a_call_costs_little():
    plan = Plan.from_dict(
        data("N", [dense("erf(z)", weight=scalar("g_1"))], weights=[scalar("g_1")])
        | {"parameters": ["N", "sigma_b"]}
    )
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        sample_fields(plan, [0.0, 1.0], 1, (1, 2), {"N": 4, "sigma_b": 1.0})
        times.append(time.perf_counter() - begin)
    assert np.median(times) < 0.01
