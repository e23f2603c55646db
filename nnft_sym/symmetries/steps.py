"""The argument for a symmetry as LaTeX lines: pure functions from records to text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from nnft_sym.language.errors import NNFTError
from nnft_sym.networks import Network
from nnft_sym.symmetries.invariance_conditions import Finding
from nnft_sym.symmetries.neuron_forms import Coordinate

if TYPE_CHECKING:
    from nnft_sym.symmetries.symmetry import Symmetry

__all__ = ["derivation", "symmetry_latex"]

WRITTEN_OUT = 3
"""Generators that are written out; the others are like them."""


def derivation(net: Network, on: str, findings: tuple[Finding, ...]) -> tuple[str, ...]:
    """Field, parameters, condition on P and what it comes to, line by line."""
    lines = [_field(on)]
    flows = [f for f in findings if f.generator.is_flow]
    finite = [f for f in findings if not f.generator.is_flow]
    lines += _absorbed(on, flows) + _absorbed(on, finite)
    if flows:
        lines.append(
            r"\text{flows: } \sum_{ij} (T W)_{ij}\,\partial_{W_{ij}}\log P"
            r" + \operatorname{tr} T = 0\quad\text{and the support is kept}"
        )
    if finite:
        lines.append(
            r"\text{finite generators: } P(g\theta)\,|\det \partial g\theta/\partial\theta|"
            r" = P(\theta)"
        )
    lines += _densities(findings)
    used = dict.fromkeys(r for f in findings if (way := f.open_way) for r in way.redundancies)
    lines += [rf"\text{{redundancy: }} {line}" for line in used]
    lines += [line for finding in findings if (line := _outcome(finding))]
    return tuple(dict.fromkeys(lines))


def _field(on: str) -> str:
    if on == "input":
        return (
            r"f(gx;\theta) = f(x;g\theta) \;\Rightarrow\; "
            r"G^{(n)}(gx_1,\dots,gx_n) = \int d\theta\,P(\theta)\,f(x_1;g\theta)\cdots "
            r"f(x_n;g\theta)"
        )
    return (
        r"R f(x;\theta) = f(x;g\theta),\quad g\colon (a, c) \mapsto (Ra, Rc + t) \;\Rightarrow\; "
        r"R\cdots R\, G^{(n)} = \int d\theta\,P(\theta)\,f(x_1;g\theta)\cdots f(x_n;g\theta)"
    )


def _absorbed(on: str, findings: list[Finding]) -> list[str]:
    lines = []
    for finding in findings[:WRITTEN_OUT]:
        generator = finding.generator
        if finding.action is None:
            lines.append(rf"{generator.latex()}\colon\ \text{{no action on }}\theta")
            continue
        images = finding.action.applied(finding.symbols)
        changed = [
            (s, image)
            for s, image in zip(finding.symbols, images, strict=True)
            if image != (0 if generator.is_flow else s)
        ]
        arrow, prefix = ("=", r"\delta ") if generator.is_flow else (r"\mapsto ", "")
        parts = [rf"{prefix}{sp.latex(s)} {arrow} {sp.latex(image)}" for s, image in changed]
        lines.append(rf"{generator.latex()}\colon\ " + (r",\ ".join(parts) or r"g\theta = \theta"))
    if len(findings) > WRITTEN_OUT:
        lines.append(rf"\text{{and {len(findings) - WRITTEN_OUT} more}}")
    return lines


def _densities(findings: tuple[Finding, ...]) -> list[str]:
    """Log-densities of the coordinates that some generator moves, one line for each density."""
    lines: dict[str, list[str]] = {}
    for finding in findings:
        if finding.action is None:
            continue
        for coordinate in finding.coordinates:
            lines.setdefault(_log_density(coordinate), []).append(sp.latex(coordinate.symbol))
    return [
        rf"{', '.join(dict.fromkeys(names))}\colon\ {formula}" for formula, names in lines.items()
    ]


def _log_density(coordinate: Coordinate) -> str:
    density, theta = coordinate.density, sp.Symbol("theta", real=True)
    if density.dimension == 1:
        try:
            return rf"\log P(\theta) = {sp.latex(density.log_density(theta))}"
        except NNFTError:
            pass
    return rf"\text{{{type(density).__name__}}}"


def _outcome(finding: Finding) -> str:
    label = finding.generator.label
    if finding.open_way is not None:
        return rf"{label}\colon\ P(g\theta)\,|\det| = P(\theta) \text{{ for all parameters}}"
    if finding.action is None:
        return rf"{label}\colon\ \text{{nothing in }}\theta\text{{ does it}}"
    return rf"{label}\colon\ {sp.latex(finding.condition)}"


def symmetry_latex(found: Symmetry) -> str:
    """The generators, the argument, and the verdict."""
    which = r"f \mapsto f\circ g" if found.on == "input" else r"f \mapsto g f"
    generators = [f.generator.latex() for f in found.findings[:WRITTEN_OUT]]
    generators += [r"\dots"] if len(found.findings) > WRITTEN_OUT else []
    lines = [rf"{which},\quad g \in {found.group.latex}:\quad " + r",\ ".join(generators)]
    lines += found.steps
    verdict = {
        True: r"\text{symmetry: holds}",
        False: r"\text{symmetry: fails}",
        None: r"\text{symmetry: undecided}",
    }[found.holds]
    if found.holds is None:
        verdict += "".join(rf",\quad {sp.latex(c)}" for c in found.conditions)
    lines.append(verdict)
    if found.witness is not None:
        lines.append(found.witness.latex())
    return "\n".join(lines)
