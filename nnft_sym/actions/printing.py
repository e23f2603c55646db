"""LaTeX of actions, couplings and Feynman rules: pure functions from records to text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnft_sym.actions.line_breaks import broken
from nnft_sym.diagrams.rules import (
    CORRELATORS_FROM_COUPLINGS,
    COUPLINGS_FROM_CUMULANTS,
    order_label,
)

if TYPE_CHECKING:
    from nnft_sym.actions.action import Action, DiagramSum

__all__ = ["action_latex", "rules_table", "sum_latex"]


def action_latex(action: Action) -> str:
    """Return lines: the action in its couplings, then each coupling in connected correlators."""
    field = r"\phi" if 1 in action.cumulants else "f"
    argument = "f"
    terms = [[r"\text{const}"]]
    for k in sorted(action.couplings):
        if k == 0:
            continue
        points = ",".join(f"x_{a + 1}" for a in range(k))
        fields = [f"{field}(x_{a + 1})" for a in range(k)]
        number = "" if k == 1 else rf"\frac{{1}}{{{k}!}}"
        terms.append([rf"{number}\int_{{x}} g_{{{k}}}({points})\,{fields[0]}", *fields[1:]])
    terms.append([rf"O(N^{{-{action.order + 1}}})"])
    lines = [broken(f"S[{argument}]", terms)]
    if field != "f":
        lines.append(r"\phi(x) = f(x) - G^{(1)}(x)")
    lines += [action.couplings[k].latex() for k in sorted(action.couplings) if k]
    lines.append(r"\int_y G(x_1,y) G^{-1}(y,x_2) = \delta(x_1-x_2)")
    if action.network.outputs > 1:
        lines.append(r"x = (\text{point}, \text{output})")
    return "\n".join(lines)


def sum_latex(total: DiagramSum) -> str:
    """Return a coupling or correlator as one equation, broken where it is long."""
    points = ",".join(f"x_{a + 1}" for a in range(total.legs))
    name = total.rules.quantity.format(n=total.legs)
    name = f"{name}({points})" if points else name
    free = [[total.free]] if total.free else []
    return broken(name, [*free, *(amplitude.factors for amplitude in total)])


def rules_table(action: Action) -> str:
    """Return a booktabs table of the rules from cumulants to couplings and back."""
    down, up = COUPLINGS_FROM_CUMULANTS, CORRELATORS_FROM_COUPLINGS
    cumulants = [k for k in sorted(action.cumulants) if k > 2]
    orders = {
        k: sorted({amplitude.order for amplitude in coupling})
        for k, coupling in action.couplings.items()
        if k
    }
    rows = [
        r"\multicolumn{2}{l}{couplings $g_n$ from connected correlators} \\",
        r"\midrule",
        *(
            rf"vertex of {k} slots & ${down.vertex.format(valence=k)}(y_1,\dots,y_{{{k}}})$, "
            rf"of order $N^{{-{order_label(k - 2)}}}$ \\"
            for k in cumulants
        ),
        rf"line & $-{down.line}(y,y')$ \\",
        rf"leg & ${down.leg}(y,x)$ \\",
        r"diagram & $-1/s$, summed over distinct labellings of the legs \\",
        r"\midrule",
        r"\multicolumn{2}{l}{connected correlators from couplings} \\",
        r"\midrule",
    ]
    for k, powers in orders.items():
        for power in powers:
            name = up.vertex.format(valence=k, order=power)
            points = ",".join([r"y_1", r"\dots", f"y_{{{k}}}"] if k > 2 else ["y_1", "y_2"][:k])
            meaning = r", the part of $g_2-G^{-1}$" if k == 2 else ""
            rows.append(
                rf"vertex of {k} slots & $-{name}({points})${meaning} of order $N^{{-{power}}}$ \\"
            )
    rows += [
        rf"line & ${up.line}(y,y')$ \\",
        rf"leg & ${up.leg}(y,x)$ \\",
        r"diagram & $1/s$, summed over distinct labellings of the legs \\",
    ]
    return "\n".join(
        [
            r"\begin{tabular}{ll}",
            r"\toprule",
            r"element & stands for \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"% s: automorphisms that leave every leg in place; all y are integrated over.",
        ]
    )
