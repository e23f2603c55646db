"""The derivation of a moment with half-spaces, as LaTeX lines."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from nnft_sym.activations import Z
from nnft_sym.expectation.half_spaces.reading import Edge, EdgeTerm

__all__ = ["derivation"]

_SIGN, _INDICATOR = sp.Function("sgn", real=True), sp.Function("theta", real=True)


def derivation(factors: Sequence[sp.Expr], terms: Sequence[Sequence[EdgeTerm]]) -> tuple[str, ...]:
    r"""Lines from the function to its closed form.

    Examples
    --------
    >>> from nnft_sym.expectation.half_spaces.reading import edge_terms
    >>> print(derivation([sp.erf(Z)], [edge_terms(sp.erf(Z))])[0])
    \phi(z) = \operatorname{sgn}{\left(y_{1} \right)}
    """
    found = dict(zip(factors, terms, strict=True))
    edges: dict[Edge, sp.Symbol] = {}
    lines = []
    for number, read in enumerate(found.values()):
        name = r"\phi" if len(found) == 1 else rf"\phi_{{{number + 1}}}"
        total = sp.Add(*(_written(term, edges) for term in read))
        lines.append(rf"{name}(z) = {sp.latex(total)}")
    lines += [_meaning(edge, name) for edge, name in edges.items()]
    every = [term for read in terms for term in read]
    tilted = any(term.linear != 0 or term.quadratic != 0 for term in every)
    if tilted:
        lines.append(
            r"\text{completing the square: }"
            r" E\prod_a e^{\alpha_a z_a+\beta_a z_a^2} R = \det(1-2BK)^{-1/2}"
            r" e^{\frac12\alpha^T m}\,E_{N(m, W)} R,"
            r"\quad W = K(1-2BK)^{-1},\ B = \mathrm{diag}(\beta),\ m = W\alpha"
        )
    if edges:
        mean, width = ("o_j(m_b - t_j)", "W") if tilted else ("-o_j t_j", "K")
        lines.append(
            rf"y_j = o_j(z_b - t_j + \tau_j\xi_j)\text{{ at point }} b: \quad"
            rf"\bar y_j = {mean},\quad \mathrm{{cov}}(z_a, y_j) = o_j {width}_{{ab}},"
            rf"\quad s_j^2 = \mathrm{{var}}\,y_j = {width}_{{bb}} + \tau_j^2"
        )
    if any(len(term.polynomial) > 1 for term in every):
        mean, width = (r"m_a E[R] + ", "W") if tilted else ("", "K")
        lines.append(
            rf"\text{{by parts: }} E[z_a R] = {mean}\sum_b {width}_{{ab}} E[\partial_b R]"
            r" + \sum_j \mathrm{cov}(z_a, y_j)\,E[g'(y_j) R_j],"
            r"\quad \theta' = \delta,\ \mathrm{sgn}' = 2\delta"
        )
        lines.append(
            r"\text{conditioning on } y = 0\text{: } E[\delta(y) R]"
            r" = \frac{e^{-\bar y^2/2s^2}}{\sqrt{2\pi}\,s} E[R\,|\,y=0],"
            rf"\quad E[z_a|y=0] = {'m_a ' if tilted else ''}- c_a\bar y/s^2,"
            rf"\ \mathrm{{cov}}(z_a, z_b|y=0) = {width}_{{ab}} - c_a c_b/s^2,"
            r"\ c_a = \mathrm{cov}(z_a, y)"
        )
    lines += _ends(every, len(factors))
    return tuple(lines)


def _written(term: EdgeTerm, edges: dict[Edge, sp.Symbol]) -> sp.Expr:
    polynomial = sp.Add(*(c * Z**p for p, c in enumerate(term.polynomial)))
    result = polynomial * sp.exp(term.linear * Z + term.quadratic * Z**2)
    for edge in term.edges:
        name = edges.setdefault(edge, sp.Symbol(f"y_{len(edges) + 1}", real=True))
        result *= (_SIGN if edge.is_sign else _INDICATOR)(name)
    return result


def _meaning(edge: Edge, name: sp.Symbol) -> str:
    body = sp.latex(edge.side * (Z - edge.threshold))
    if edge.noise == 0:
        return rf"{name} = {body}"
    scale = sp.sqrt(edge.noise)
    noise = r"\xi" if scale == 1 else rf"{sp.latex(scale)}\,\xi"
    error = sp.latex(sp.erf((Z - edge.threshold) / (sp.sqrt(2) * scale)))
    return (
        rf"{name} = {body} + {noise},\quad \xi \sim N(0,1):"
        rf"\quad {error} = E_\xi\,\mathrm{{sgn}}({name})"
    )


def _ends(terms: Sequence[EdgeTerm], points: int) -> list[str]:
    """What the reduction ends with."""
    edges = [len(term.edges) for term in terms]
    pair = (points > 1 or max(edges, default=0) > 1) and any(edges)
    if all(term.linear == 0 and all(e.threshold == 0 for e in term.edges) for term in terms):
        lines = [r"E[\mathrm{sgn}(y_i)] = 0"] if any(edges) else []
        if pair:
            lines.append(
                r"\text{Price: } \partial_{\rho_{ij}} E[\mathrm{sgn}(y_i)\,\mathrm{sgn}(y_j)]"
                r" = 4\,s_i s_j\,E[\delta(y_i)\delta(y_j)] = \frac{2}{\pi\sqrt{1-\rho_{ij}^2}}"
                r"\ \Rightarrow\ E[\mathrm{sgn}(y_i)\,\mathrm{sgn}(y_j)]"
                r" = \tfrac{2}{\pi}\arcsin\rho_{ij},"
                r"\quad \rho_{ij} = \mathrm{cov}(y_i, y_j)/s_i s_j"
            )
        return lines
    lines = [r"E[\theta(y_i)] = \Phi(\bar y_i/s_i),\quad \mathrm{sgn} = 2\theta - 1"]
    if pair:
        lines.append(
            r"\text{Price: } \partial_{\rho_{ij}} E[\theta(y_i)\theta(y_j)]"
            r" = s_i s_j\,E[\delta(y_i)\delta(y_j)]"
            r" = \partial_{\rho_{ij}} \Phi_2(\bar y_i/s_i, \bar y_j/s_j; \rho_{ij})"
            r"\ \Rightarrow\ E[\theta(y_i)\theta(y_j)]"
            r" = \Phi_2(\bar y_i/s_i, \bar y_j/s_j; \rho_{ij}),"
            r"\quad \rho_{ij} = \mathrm{cov}(y_i, y_j)/s_i s_j"
        )
    return lines
