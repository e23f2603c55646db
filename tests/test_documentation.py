"""The documentation has every public name, speaks of no other, and runs as it is printed."""

import importlib
import importlib.util
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PACKAGES = {"nnft_sym": "nn", "nnft_num": "nm"}


def load_public_names():
    spec = importlib.util.spec_from_file_location("public_names", DOCS / "public_names.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


public_names = load_public_names()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_one_group(package):
    listed = [name for names in public_names.grouped(package).values() for name in names]
    public = importlib.import_module(package).__all__
    missing, extra = sorted(set(public) - set(listed)), sorted(set(listed) - set(public))
    assert not missing, f"{package}: not in the documentation: {', '.join(missing)}"
    assert not extra, f"{package}: documented but not public: {', '.join(extra)}"
    assert len(listed) == len(set(listed))


def test_a_module_without_a_group_is_named(monkeypatch):
    groups = dict(public_names.GROUPS["nnft_sym"])
    groups["Networks"] = ("architectures", "networks")
    monkeypatch.setitem(public_names.GROUPS, "nnft_sym", groups)
    with pytest.raises(ValueError, match=r"nnft_sym\.dot, of the module vectors"):
        public_names.grouped("nnft_sym")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_a_docstring(package):
    module = importlib.import_module(package)
    bare = [name for name in module.__all__ if not (getattr(module, name).__doc__ or "").strip()]
    assert not bare


def names_used(text):
    """Names written as nn.name or nm.name."""
    return {
        (package, name)
        for package, prefix in PACKAGES.items()
        for name in re.findall(rf"\b{prefix}\.([A-Za-z]\w*)", text)
    }


PAGES = sorted([*DOCS.glob("*.md"), *(DOCS.parent / "notebooks").glob("*.ipynb")])


@pytest.mark.parametrize("page", [*PAGES, DOCS.parent / "README.md"], ids=lambda page: page.name)
def test_pages_speak_of_names_that_exist(page):
    text = page.read_text(encoding="utf-8").replace("torch.nn.", "").replace("nm.name", "")
    used = names_used(text.replace("nn.name", ""))
    gone = [
        f"{PACKAGES[package]}.{name}"
        for package, name in sorted(used)
        if name not in importlib.import_module(package).__all__
    ]
    assert not gone


def test_the_walk_through_runs_as_it_is_printed(tmp_path, monkeypatch, capsys):
    for name in ("my_network.py", "paper.tex"):
        assert f"examples/{name}" in (DOCS / "paper_to_table.md").read_text(encoding="utf-8")
        shutil.copy(DOCS / "examples" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("my_network.py")
    assert "verdict: agree" in capsys.readouterr().out
    latex = shutil.which("pdflatex")
    if latex is None:
        pytest.skip("pdflatex is not installed")
    command = [latex, "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000
