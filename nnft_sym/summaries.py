"""What can be derived about one activation, as text and LaTeX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from nnft_sym.activations import Activation
from nnft_sym.architectures import shallow
from nnft_sym.correlators import Correlator
from nnft_sym.cumulants import cumulant
from nnft_sym.expectation.gaussian import GaussianLaw
from nnft_sym.expectation.jump_law import slope_law
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError, NotDerivedError
from nnft_sym.laws import first_layer_law
from nnft_sym.printing import LONGEST_WRITTEN_OUT
from nnft_sym.tangent import ntk
from nnft_sym.universality import criticality

__all__ = ["summary"]


def summary(activation: Any, *, order: int = 4) -> str:
    """Return kernel, tangent kernel factor, connected correlator and criticality of φ.

    Each section has lines of text, then the same as LaTeX; what cannot be derived says why.

    Parameters
    ----------
    activation : Activation, sympy.Expr or str
        φ.
    order : int
        Order of the connected correlator.

    Raises
    ------
    SpecificationError
        If the activation cannot be read.

    Examples
    --------
    >>> print(summary("erf(z)").splitlines()[0])
    phi(z) = erf(z)
    """
    phi = Activation.of(activation)
    net = shallow(phi)
    sections = [
        ("Kernel", lambda: _correlator(kernel(net))),
        ("NTK factor", lambda: _factor(phi)),
        ("NTK", lambda: _tangent(ntk(net))),
        (f"Connected correlator, order {order}", lambda: _correlator(cumulant(net, order))),
        ("Criticality", lambda: _criticality(phi)),
    ]
    lines = [f"phi(z) = {phi.expression}"]
    for title, write in sections:
        lines += ["", f"{title}", "-" * len(title), *_derived(write)]
    return "\n".join(lines)


def _derived(write: Callable[[], list[str]]) -> list[str]:
    try:
        return write()
    except (NotDerivedError, AccuracyError, InfiniteMomentError) as reason:
        return [f"not derived: {reason}"]


def _correlator(correlator: Correlator) -> list[str]:
    lines = [f"formula: {correlator.formula()}"]
    if correlator.order == 2:
        lines.append(f"written out: {_shown(correlator.expr)}")
    return [*lines, f"exactness: {correlator.exactness}", "latex:", correlator.latex()]


def _tangent(theta: Correlator) -> list[str]:
    """The recursion alone: its moments are those of the sections before."""
    return [
        f"formula: {theta.formula()}",
        f"exactness: {theta.exactness}",
        "latex:",
        theta.latex().splitlines()[0],
    ]


def _factor(phi: Activation) -> list[str]:
    law = first_layer_law(shallow(phi))
    assert isinstance(law, GaussianLaw)
    slope = slope_law(law)
    value = slope.expression(2)
    return [
        f"E[phi'(z_1)*phi'(z_2)] = {_shown(value)}",
        f"exactness: {slope.exactness(2)}",
        "latex:",
        rf"\mathbb{{E}}[\phi'_1\phi'_2] = {sp.latex(value)}",
    ]


def _shown(expression: sp.Expr) -> str:
    count = expression.count_ops()
    return str(expression) if count <= LONGEST_WRITTEN_OUT else f"{count} operations"


def _criticality(phi: Activation) -> list[str]:
    found = criticality(phi)
    lines = [f"class: {found.universality} [{found.source}]"]
    lines += [f"{point} ({point.stability})" for point in found.points]
    lines += [f"reason: {found.reason}"] if found.reason else []
    return [*lines, f"searched: {found.searched}", "latex:", found.latex()]
