"""The public names of both packages in groups, read from the modules that define them.

``__all__`` of each package is walked; a name belongs to the group of the module its stub imports it
from.  A module without a group, or a group without a name, is an error that says which.
"""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["GROUPS", "PREFIXES", "described", "grouped", "page", "shared"]

PREFIXES = {"nnft_sym": "nn", "nnft_num": "nm"}

# Titles, and the modules or packages whose public names they hold.
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "nnft_sym": {
        "Networks": ("architectures", "networks", "vectors"),
        "Networks of the literature": ("literature",),
        "Activations": ("activations",),
        "Densities": ("densities", "density", "deformations"),
        "Correlators": ("kernels", "cumulants", "correlators", "exactness", "joint"),
        "Tangent kernels, criticality, tables": ("tangent", "recursions", "universality", "tables"),
        "Expansions and tensors": ("expectation", "tensors"),
        "The Edgeworth action": ("actions", "diagrams"),
        "Groups and representations": ("groups", "group_theory"),
        "Equivariant maps and networks": ("equivariance",),
        "Symmetries": ("symmetries",),
        "References": ("citations",),
        "Errors": ("language.errors",),
    },
    "nnft_num": {
        "Sampling and estimating": ("front", "estimates.estimate", "estimates.correlator"),
        "Confrontation": (
            "confrontation.checking",
            "confrontation.order_reports",
            "confrontation.chi_squares",
            "confrontation.fieldchecks",
            "confrontation.verdicts",
        ),
        "Sweeps over widths and parameters": (
            "confrontation.scaling",
            "confrontation.slopes",
            "confrontation.scans",
        ),
        "Actions of samples": ("actions",),
        "Symmetries of samples": ("symmetries", "runs.equivariant"),
        "Training": (
            "training",
            "plans.optimisers",
            "plans.parameters",
            "given.datasets",
        ),
        "Tangent kernels of sampled networks": ("tangents", "estimates.tangents"),
        "Figures": ("reporting",),
        "Long runs and files": ("storage", "runs.run", "runs.executing", "sources"),
        "Plans": ("compiling", "plans.plan"),
    },
}


def _origins(package: str) -> dict[str, str]:
    """Module of each public name, from the imports of the package's stub."""
    stub = Path(__file__).parents[1] / package / "__init__.pyi"
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name: node.module or ""
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def grouped(package: str) -> dict[str, list[str]]:
    """Public names of a package in groups.

    Raises
    ------
    ValueError
        If a name has no group, or more than one.
    """
    origins = _origins(package)
    result: dict[str, list[str]] = {title: [] for title in GROUPS[package]}
    for name in sorted(origins, key=str.casefold):
        titles = [
            title
            for title, modules in GROUPS[package].items()
            if any(f"{origins[name]}.".startswith(f"{module}.") for module in modules)
        ]
        if len(titles) != 1:
            raise ValueError(
                f"{package}.{name}, of the module {origins[name]}, has the groups {titles} in "
                "docs/public_names.py; expected one: add the module to a group"
            )
        result[titles[0]].append(name)
    empty = [title for title, names in result.items() if not names]
    if empty:
        raise ValueError(f"groups of {package} without a name in docs/public_names.py: {empty}")
    return result


def shared(package: str) -> list[str]:
    """Public names of the simulation that are those of the theory, and described there."""
    if package == "nnft_sym":
        return []
    return sorted(set(_origins("nnft_sym")) & set(_origins(package)))


def described(package: str) -> list[str]:
    """Public names with a page of their own."""
    return sorted(set(_origins(package)) - set(shared(package)))


def page(package: str, title: str) -> str:
    """A page in reStructuredText with a table of names for each group."""
    own = set(described(package))
    lines = [title, "=" * len(title), "", f".. currentmodule:: {package}", ""]
    for heading, names in grouped(package).items():
        lines += [heading, "-" * len(heading), "", ".. autosummary::", "   :toctree: .", ""]
        lines += [*(f"   {name}" for name in names if name in own), ""]
    for name in shared(package):
        lines += [f"``{PREFIXES[package]}.{name}`` is :class:`nnft_sym.{name}`.", ""]
    return "\n".join(lines)
