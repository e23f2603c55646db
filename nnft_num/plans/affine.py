"""Draw recipes that are affine in their primitives: the Gaussian and uniform densities.

A component m + sum_i s_i g_i of standard normals is Gaussian of mean m and variance sum s_i²; one
m + s u of a uniform on (0, 1) is uniform.  What is read here is the definition of the density
alone; a recipe of any other form is left to be sampled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb, prod

from nnft_num.plans.layers import DrawRecipe
from nnft_sym.language import Expression, evaluate
from nnft_sym.language.nodes import Call, Name

__all__ = ["Affine", "read_affine"]


@dataclass(frozen=True, kw_only=True)
class Affine:
    """The density of m + s ξ, with ξ a standard normal or a uniform on (0, 1).

    Parameters
    ----------
    offset, slope : float
        m and s.
    normal : bool
        Whether ξ is normal.

    Examples
    --------
    >>> Affine(offset=0.0, slope=2.0, normal=True).moment(4)
    48.0
    >>> Affine(offset=-1.0, slope=2.0, normal=False).moment(2)
    0.33333333333333326
    """

    offset: float
    slope: float
    normal: bool

    @property
    def centred_normal(self) -> bool:
        """Whether the density is Gaussian of mean zero."""
        return self.normal and self.offset == 0

    def moment(self, order: int) -> float:
        """E (m + s ξ)^k, from E ξ^j = (j - 1)!! for even j (normal) or 1/(j + 1) (uniform)."""
        return sum(
            comb(order, j) * self.offset ** (order - j) * self.slope**j * self._primitive(j)
            for j in range(order + 1)
        )

    def cumulant(self, order: int) -> float:
        """Cumulant κ_k, by κ_k = m_k - sum over j of C(k-1, j-1) κ_j m_(k-j)."""
        moments = [self.moment(j) for j in range(order + 1)]
        found = [0.0]
        for k in range(1, order + 1):
            lower = sum(comb(k - 1, j - 1) * found[j] * moments[k - j] for j in range(1, k))
            found.append(moments[k] - lower)
        return found[order]

    def _primitive(self, order: int) -> float:
        if not self.normal:
            return 1 / (order + 1)
        return 0.0 if order % 2 else float(prod(range(order - 1, 0, -2)))


def read_affine(recipe: DrawRecipe, values: Mapping[str, float]) -> Affine | None:
    """Read a scalar recipe as an affine function of normals, or of one uniform; None if it is not.

    Parameters
    ----------
    recipe : DrawRecipe
        A density of one component.
    values : mapping of str to float
        Values of the parameters of the plan.

    Examples
    --------
    >>> from nnft_sym.language import parse
    >>> recipe = DrawRecipe(normals=1, uniforms=0, components=(parse("sigma*g_1/2"),))
    >>> read_affine(recipe, {"sigma": 3.0})
    Affine(offset=0.0, slope=1.5, normal=True)
    """
    if len(recipe.components) != 1:
        return None
    form = _linear(recipe.components[0], values, frozenset(recipe.names))
    if form is None:
        return None
    slopes = {name: slope for name, slope in form.items() if name and slope != 0}
    offset = form.get("", 0.0)
    if all(name.startswith("g_") for name in slopes):
        return Affine(offset=offset, slope=sum(s * s for s in slopes.values()) ** 0.5, normal=True)
    if len(slopes) == 1:
        return Affine(offset=offset, slope=next(iter(slopes.values())), normal=False)
    return None


def _linear(
    expression: Expression, values: Mapping[str, float], random: frozenset[str]
) -> dict[str, float] | None:
    """Coefficients by primitive, the constant under the empty name."""
    if not expression.names & random:
        numbers = {name: values[name] for name in expression.names}
        return {"": float(evaluate(expression, numbers))}
    if isinstance(expression, Name):
        return {expression.id: 1.0}
    if not isinstance(expression, Call) or expression.function not in ("+", "-", "neg", "*", "/"):
        return None
    parts = [_linear(argument, values, random) for argument in expression.arguments]
    if any(part is None for part in parts):
        return None
    forms = [part for part in parts if part is not None]
    if expression.function == "neg":
        return {name: -slope for name, slope in forms[0].items()}
    if expression.function in ("+", "-"):
        sign = 1.0 if expression.function == "+" else -1.0
        total = dict(forms[0])
        for name, slope in forms[1].items():
            total[name] = total.get(name, 0.0) + sign * slope
        return total
    left, right = forms
    if set(right) <= {""}:
        number = right.get("", 0.0)
        factor = number if expression.function == "*" else 1 / number
        return {name: slope * factor for name, slope in left.items()}
    if expression.function == "*" and set(left) <= {""}:
        return {name: slope * left.get("", 0.0) for name, slope in right.items()}
    return None
