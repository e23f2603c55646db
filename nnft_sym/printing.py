"""LaTeX and HTML of correlators: pure functions from records to text."""

from __future__ import annotations

from functools import partial
from math import gcd, lcm
from types import MappingProxyType
from typing import TYPE_CHECKING

import sympy as sp

from nnft_sym.citations import cite
from nnft_sym.combinatorics import Partition
from nnft_sym.expectation.law import NeuronLaw
from nnft_sym.expectation.variables import covariance
from nnft_sym.language.errors import NotDerivedError
from nnft_sym.language.markup import Table
from nnft_sym.mathml import formulas_html, mathml
from nnft_sym.point_functions import MomentPolynomial, PointFunction, moment_symbol
from nnft_sym.tangent_functions import TangentFunction

if TYPE_CHECKING:
    from nnft_sym.correlators import Correlator
    from nnft_sym.output_sums import OutputTerm

__all__ = ["correlator_html", "correlator_latex", "words_in_latex"]

WRITTEN_OUT = 3
"""Permutations beyond which a sum is printed by its first member and the number of terms."""

LONGEST_WRITTEN_OUT = 200
"""Operations beyond which a moment is printed by the rule that gives it."""

OUTPUT_LETTERS = "ijklmnop"

_IN_WORDS = MappingProxyType(
    {
        "E[φφ'']": r"E[\phi\phi'']",
        "C_b < 0": "C_b < 0",
        "χ_∥": r"\chi_\parallel",
        "χ_⊥": r"\chi_\perp",
        "φ": r"\phi",
        "≠": r"\neq",
    }
)
"""What formulas in the middle of a sentence are in LaTeX."""


def words_in_latex(words: str) -> str:
    r"""Return a sentence with formulas in it as the inside of a LaTeX text.

    Examples
    --------
    >>> print(words_in_latex("χ_⊥ = 0 at every K"))
    $\chi_\perp$ = 0 at every K
    """
    for letters, formula in _IN_WORDS.items():
        words = words.replace(letters, f"${formula}$")
    return words


def correlator_latex(correlator: Correlator) -> str:
    """Return lines: the correlator in moments M, each moment, and the covariances K."""
    points = ",".join(f"x_{a + 1}" for a in range(correlator.order))
    letters = OUTPUT_LETTERS[: correlator.order] if correlator.outputs > 1 else ""
    name = f"{{{correlator.name}}}_{{{letters}}}" if letters else correlator.name
    lines = [f"{name}({points}) = {_terms(correlator)}"]
    for law in _laws(correlator):
        functions = (t.function for t in correlator.terms if t.function.law == law)
        own = [line for function in functions for line in _meanings(function)]
        own += _covariances(law, correlator.order)
        lines += map(partial(_marked, correlator, law), own)
    return "\n".join(dict.fromkeys(lines))


def correlator_html(correlator: Correlator) -> str:
    """Formulas in MathML, then what they leave out, where they are from and how they follow."""
    networks = " + ".join(network.name for network in correlator.networks)
    rows = [
        ("network", networks),
        ("exactness", str(correlator.exactness)),
        ("source", ", ".join(map(str, cite(correlator).references)) or "your own network"),
        ("parameters", ", ".join(correlator.parameters) or "none"),
    ]
    facts = Table(title=f"{networks}, order {correlator.order}", rows=tuple(rows))
    steps = "".join(f"<li>{mathml(step)}</li>" for step in correlator.steps)
    why = f"<details><summary>derivation</summary><ol>{steps}</ol></details>" if steps else ""
    return formulas_html(correlator.latex().splitlines()) + facts.html + why


def _covariances(law: NeuronLaw, order: int) -> list[str]:
    """K_11 and K_12, and of deep networks those of all layers below, as a recursion.

    Layers that are alike are written once, K^{(l+1)} in K^{(l)}.
    """
    variables = law.variables(order)
    marks = [None, *range(law.level, 0, -1)]
    layers = []
    for mark in marks:
        below = law.level if mark is None else mark - 1
        pair = [covariance(1, b, mark) for b in (1, 2)]
        rule = {
            covariance(a, b, below): covariance(a, b).func(
                f"K_{a}{b}^(l)", **covariance(a, b).assumptions0
            )
            for b in (1, 2)
            for a in (1, 2)
        }
        layers.append(
            [(s, variables[s], variables[s].xreplace(rule)) for s in pair if s in variables]
        )
    deep = layers[:-1]
    alike = len(deep) > 1 and all(
        [e[2] for e in other] == [e[2] for e in deep[0]] for other in deep
    )
    if not alike:
        return [f"{sp.latex(s)} = {sp.latex(m)}" for layer in layers for s, m, _ in layer]
    lines = [
        rf"{sp.latex(s).replace('K_', 'K^{(l+1)}_')} = {sp.latex(generic)}"
        for s, _, generic in deep[0]
    ]
    lines[-1] += rf",\quad l = 1, \dots, {law.level},\quad K = K^{{({law.level + 1})}}"
    return lines + [f"{sp.latex(s)} = {sp.latex(m)}" for s, m, _ in layers[-1]]


def _laws(correlator: Correlator) -> list[NeuronLaw]:
    """The laws that occur, each once, in the order of the terms."""
    return list(dict.fromkeys(term.function.law for term in correlator.terms))


def _marked(correlator: Correlator, law: NeuronLaw, text: str) -> str:
    """Number moments and covariances by their law where there are several."""
    laws = _laws(correlator)
    if len(laws) == 1:
        return text
    mark = f"^{{[{laws.index(law) + 1}]}}"
    return text.replace("M_{", f"M{mark}_{{").replace("K_{", f"K{mark}_{{")


def _terms(correlator: Correlator) -> str:
    if correlator.outputs == 1:
        return _joined([_printed(correlator, term) for term in correlator.terms])
    groups: dict[object, list[OutputTerm]] = {}
    for term in correlator.terms:
        sizes = [len(block) for block in term.blocks]
        labels = term.labels or (-1,) * len(sizes)
        key = (term.function.law, tuple(sorted(zip(sizes, labels, strict=True))))
        groups.setdefault(key, []).append(term)
    parts = []
    for members in groups.values():
        first = members[0]
        body = f"{_delta(first)}\\left[{_printed(correlator, first)}\\right]"
        more = len(members) - 1
        plural = "perms" if more > 1 else "perm"
        parts.append(body + (rf" + \text{{{more} {plural}}}" if more else ""))
    return _joined(parts)


def _printed(correlator: Correlator, term: OutputTerm) -> str:
    return _marked(correlator, term.function.law, _function(term.function))


def _delta(term: OutputTerm) -> str:
    deltas = []
    for number, block in enumerate(term.blocks):
        letters = "".join(OUTPUT_LETTERS[leg] for leg in block)
        if term.labels is not None:
            letters += str(term.labels[number] + 1)
        if len(letters) > 1:
            deltas.append(f"\\delta_{{{letters}}}")
    return "".join(deltas)


def _function(function: PointFunction) -> str:
    if isinstance(function, TangentFunction):
        return function.latex()
    if not isinstance(function, MomentPolynomial):
        return sp.latex(function.expression)
    classes = function.classes()
    if not classes:
        return "0"
    if all(not partition for _, members in classes for partition in members):
        return sp.latex(function.formula)
    common = _common_factor([coefficient for coefficient, _ in classes])
    parts = [_sum(sp.nsimplify(c / common), members) for c, members in classes]
    if len(parts) == 1 and sp.nsimplify(classes[0][0] / common) == 1:
        return _times(common, parts[0])
    body = _joined(parts)
    return body if common == 1 else f"{sp.latex(common)}\\left({body}\\right)"


def _times(factor: sp.Expr, body: str) -> str:
    return body if factor == 1 else f"{sp.latex(factor)} {body}"


def _sum(coefficient: sp.Expr, members: list[Partition]) -> str:
    def product(partition: Partition) -> str:
        return " ".join(sp.latex(moment_symbol(block)) for block in partition)

    if members == [()]:
        return sp.latex(coefficient)
    if len(members) > WRITTEN_OUT:
        sign = "-" if coefficient == -1 else "" if coefficient == 1 else sp.latex(coefficient)
        return f"{sign}\\sum_{{{len(members)}}} {product(members[0])}"
    body = _joined([product(partition) for partition in members])
    if coefficient == 1:
        return body
    grouped = f"\\left({body}\\right)" if len(members) > 1 else body
    return f"-{grouped}" if coefficient == -1 else f"{sp.latex(coefficient)} {grouped}"


def _common_factor(coefficients: list[sp.Expr]) -> sp.Expr:
    """A factor that leaves integers, if the coefficients are proportional; otherwise 1."""
    ratios = [sp.cancel(c / coefficients[0]) for c in coefficients]
    if not all(ratio.is_Rational for ratio in ratios):
        return sp.Integer(1)
    scale = lcm(*(int(ratio.q) for ratio in ratios))
    integers = [int(ratio * scale) for ratio in ratios]
    return coefficients[0] / scale * gcd(*integers)


def _joined(parts: list[str]) -> str:
    text = " + ".join(parts) if parts else "0"
    return text.replace("+ -", "- ")


def _meanings(function: PointFunction) -> list[str]:
    """What the moments M_{1...k} stand for."""
    if isinstance(function, TangentFunction):
        return function.meanings()
    if not isinstance(function, MomentPolynomial):
        return []
    return [line for order in sorted(function.moment_orders) for line in _meaning(function, order)]


def _meaning(function: MomentPolynomial, order: int) -> list[str]:
    name = sp.latex(moment_symbol(range(order)))
    try:
        expression = function.law.expression(order)
    except NotDerivedError as reason:
        return [rf"{name}: \text{{{reason.came}}}"]
    if expression.count_ops() <= LONGEST_WRITTEN_OUT:
        return [f"{name} = {sp.latex(expression)}"]
    size = rf"\quad\text{{({expression.count_ops()} operations written out)}}"
    fields = "".join(rf"\phi(z_{a})" for a in range(1, order + 1))
    return [rf"{name} = E[{fields}]:{size}", *function.law.steps(order)]
