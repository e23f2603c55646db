"""Sphinx configuration: notebooks are executed, and mathematics needs no network."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import jupyter_server_mathjax
from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style
from pybtex.style.labels import BaseLabelStyle

sys.path.insert(0, str(Path(__file__).parent))

import figures
import public_names

project = "nnft"
author = "The nnft developers"
copyright = "The nnft developers"
release = version = importlib.metadata.version("nnft")

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinxcontrib.bibtex",
]
nitpicky = False
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = "nnft"
html_static_path = ["_build/assets", "_static"]
html_css_files = ["site.css"]

# MathJax is copied from its package into the pages, so that they render without a network.
mathjax_path = "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full,Safe"
mathjax2_config = {
    "tex2jax": {
        "inlineMath": [["\\(", "\\)"]],
        "displayMath": [["\\[", "\\]"]],
    },
    "HTML-CSS": {
        "availableFonts": [],
        "imageFont": None,
        "preferredFont": None,
        "webFont": "STIX-Web",
    },
    "showMathMenu": False,
}

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
nb_execution_mode = os.environ.get("NNFT_DOCS_NOTEBOOKS", "cache")
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True
suppress_warnings = ["myst-nb.lexer"] if nb_execution_mode == "off" else []

autosummary_generate = ["api/theory.rst", "api/simulation.rst"]
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

bibtex_bibfiles = ["../nnft_sym/references.bib"]
bibtex_default_style = "keys"


class _KeyLabels(BaseLabelStyle):
    """References are cited by their keys, as in docstrings and reports."""

    def format_labels(self, sorted_entries: Any) -> Any:
        for entry in sorted_entries:
            yield entry.key


class _KeyStyle(Style):
    """The plain style, with keys."""

    default_label_style = _KeyLabels


register_plugin("pybtex.style.formatting", "keys", _KeyStyle)

_KEY = re.compile(r"\[((?:[A-Z][A-Za-z]*\d{2}|PDLT))\](?!_)")
_VERBATIM = re.compile(r"(``.+?``|`[^`]+`)")


def _marked(text: str) -> str:
    """Text with keys, [W96], as citations and the bars of |x| as bars, not as substitutions."""
    return _KEY.sub(r":cite:`\1`", re.sub(r"(?<!\\)\|", r"\|", text))


def _mark(app: Any, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Mark up docstrings, which are written to be read as they stand; examples are left alone."""
    example = False
    for number, line in enumerate(lines):
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if not example:
            parts = _VERBATIM.split(line)
            parts[::2] = [_marked(part) for part in parts[::2]]
            lines[number] = "".join(parts)


def _bundle_mathjax(app: Any, config: object) -> None:
    static = Path(jupyter_server_mathjax.__file__).parent / "static"
    shutil.copytree(static, Path(app.srcdir, "_build/assets/mathjax"), dirs_exist_ok=True)


def _generate(app: Any, config: object) -> None:
    """Write the pages of the public names, and only those, and the figures."""
    folder = Path(app.srcdir, "api")
    folder.mkdir(exist_ok=True)
    keep = {"theory.rst", "simulation.rst"}
    for package, stem, title in (
        ("nnft_sym", "theory", "Theory: nnft_sym"),
        ("nnft_num", "simulation", "Simulation: nnft_num"),
    ):
        keep |= {f"{package}.{name}.rst" for name in public_names.described(package)}
        Path(folder, f"{stem}.rst").write_text(public_names.page(package, title), encoding="utf-8")
    for path in folder.glob("*.rst"):
        if path.name not in keep:
            path.unlink()
    figures.draw_all(Path(app.srcdir, "_build/figures"))


def setup(app: Any) -> None:
    """Connect the citations, the bundle and what is generated."""
    app.connect("config-inited", _bundle_mathjax)
    app.connect("config-inited", _generate)
    app.connect("autodoc-process-docstring", _mark)
