"""Two error functions: the arcsine formula."""

from __future__ import annotations

import sympy as sp

from nnft_sym.activations import Z
from nnft_sym.expectation.forms import ClosedForm, SymbolicForm
from nnft_sym.expectation.variables import covariance

RANK = 20


def derive(factors: tuple[sp.Expr, ...]) -> ClosedForm | None:
    r"""E[erf(c u) erf(e v)] = (2/π) asin(2ce K₁₂/√((1+2c²K₁₁)(1+2e²K₂₂))), constants allowed.

    Source: [W96] equation (11); by Price's theorem the derivative in K₁₂ is a Gaussian integral.

    Examples
    --------
    >>> derive((sp.erf(Z), sp.erf(Z))).expression
    2*asin(2*K_12/(sqrt(2*K_11 + 1)*sqrt(2*K_22 + 1)))/pi
    """
    if len(factors) > 2:
        return None
    parsed = [read for factor in factors if (read := _scaled_erf(factor)) is not None]
    if len(parsed) < len(factors):
        return None
    offsets = sp.Mul(*(offset for offset, _, _ in parsed))
    if len(factors) == 1:
        step = r"z \to -z:\quad E[\mathrm{erf}(cz)] = 0"
        return SymbolicForm(points=1, in_determinants=offsets, source="W96", steps=(step,))
    (_, a, c), (_, b, e) = parsed
    norm = sp.sqrt(1 + 2 * c**2 * covariance(1, 1)) * sp.sqrt(1 + 2 * e**2 * covariance(2, 2))
    arcsine = 2 * sp.asin(2 * c * e * covariance(1, 2) / norm) / sp.pi
    slopes = 4 * a * b * c * e / sp.pi
    spread = (1 + 2 * c**2 * covariance(1, 1)) * (1 + 2 * e**2 * covariance(2, 2))
    left = (2 * c * e * covariance(1, 2)) ** 2
    derivatives = ",\\ ".join(
        rf"\phi_{{{n}}}' = {sp.latex(2 * amplitude * slope / sp.sqrt(sp.pi))}"
        rf"\,{sp.latex(sp.exp(-(slope**2) * Z**2))}"
        for n, (amplitude, slope) in enumerate(((a, c), (b, e)), start=1)
    )
    steps = (
        r"\text{Price: } \partial_{K_{12}} E[\phi_1\phi_2] = E[\phi_1'\phi_2'],"
        rf"\quad {derivatives}",
        rf"E[\phi_1'\phi_2'] = {sp.latex(slopes)}"
        rf"\left[{sp.latex(spread)} - {sp.latex(left)}\right]^{{-1/2}}",
        r"\text{integrate from } K_{12} = 0,"
        rf"\text{{ where }} E[\phi_1\phi_2] = E[\phi_1]\,E[\phi_2] = {sp.latex(offsets)}",
    )
    return SymbolicForm(
        points=2, in_determinants=offsets + a * b * arcsine, source="W96", steps=steps
    )


def _scaled_erf(factor: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr] | None:
    """Read factor = offset + a erf(c z) with constants offset, a, c."""
    offset, rest = sp.expand(factor).as_independent(Z, as_Add=True)
    amplitude, function = rest.as_independent(Z, as_Add=False)
    if not isinstance(function, sp.erf):
        return None
    slope = sp.cancel(function.args[0] / Z)
    return None if slope.has(Z) else (offset, amplitude, slope)
