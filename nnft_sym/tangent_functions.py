"""Tangent kernels as functions of two points: a recursion over layers, never expanded unasked.

The gradients of one more dense layer z⁽ˡ⁺¹⁾ = W φ(z⁽ˡ⁾)/√n + b add

    Θ⁽ˡ⁺¹⁾_ab = β + α M_ab + C_W I_ab,      M_ab = E[φ_a φ_b],

with α and β the weights of the layer's own weight and bias gradients, and I_ab what reaches the
parameters below: E[φ'_a φ'_b] Θ⁽ˡ⁾_ab for dense layers, sum_p s_p² E[∂_p h_a ∂_p h_b] for neurons
h(x; θ) written out in their parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.exactness import Exactness
from nnft_sym.expectation.covariances import DIMENSION, AffineCovariance, LayerCovariance
from nnft_sym.expectation.cubature.gram import Gram
from nnft_sym.expectation.gaussian import GaussianLaw
from nnft_sym.expectation.jump_law import JumpLaw
from nnft_sym.expectation.law import InnerProduct, NeuronLaw, relabelled
from nnft_sym.expectation.precise.evaluator import PreciseEvaluator
from nnft_sym.expectation.variables import covariance
from nnft_sym.language.errors import InfiniteMomentError, NotDerivedError
from nnft_sym.point_functions import Evaluator

__all__ = ["DenseInner", "InputTangent", "NeuronInner", "TangentFunction"]

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

_EPS = float(np.finfo(np.float64).eps)
_LONGEST = 200
"""Operations beyond which a moment is named instead of printed."""


@dataclass(frozen=True, kw_only=True)
class InputTangent:
    """Θ⁽¹⁾_ab = α x_a·x_b + β: gradients of the first layer's own parameters.

    Parameters
    ----------
    weight, bias : sympy.Expr
        α (with the 1/d of its scaling, if any) and β.
    """

    weight: sp.Expr
    bias: sp.Expr

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free parameters."""
        return frozenset(self.weight.free_symbols | self.bias.free_symbols) - {DIMENSION}

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> InputTangent:
        """Return it with parameters replaced."""
        rule = dict(symbols)
        return InputTangent(weight=self.weight.xreplace(rule), bias=self.bias.xreplace(rule))

    @property
    def expression(self) -> sp.Expr:
        """Θ⁽¹⁾_12 in the points."""
        return self.bias + self.weight * InnerProduct(1, 2)

    def evaluate(self, evaluator: Evaluator, rows: Rows) -> tuple[Floats, Floats]:
        """Values and error bounds at rows of point indices."""
        numbers = evaluator.values | {DIMENSION: sp.Integer(evaluator.X.shape[1])}
        weight, bias = (float(e.xreplace(numbers)) for e in (self.weight, self.bias))
        x, y = evaluator.X[rows[:, 0]], evaluator.X[rows[:, 1]]
        size = abs(weight) * np.einsum("ui,ui->u", np.abs(x), np.abs(y)) + abs(bias)
        value = weight * np.einsum("ui,ui->u", x, y) + bias
        return value, (4 + evaluator.X.shape[1]) * _EPS * size

    def in_digits(self, evaluator: PreciseEvaluator, indices: Rows) -> list[mpmath.mpf]:
        """Values at rows of point indices, at mpmath's working precision."""
        dimension = {DIMENSION: sp.Integer(len(evaluator.X[0]))}
        expression = self.expression.xreplace(dimension)
        pairs = (tuple(row) for row in indices.tolist())
        products = (evaluator.inner_product(a, b) for a, b in pairs)
        return [
            evaluator.number(expression.xreplace({InnerProduct(1, 2): product}))
            for product in products
        ]


@dataclass(frozen=True, kw_only=True)
class DenseInner:
    """I_ab = E[φ'_a φ'_b] Θ_ab: gradients that pass through an activation.

    Parameters
    ----------
    slope : NeuronLaw
        Law of φ'(z).
    below : TangentFunction or InputTangent
        Θ of the layer z.
    """

    slope: NeuronLaw
    below: TangentFunction | InputTangent

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free parameters."""
        return self.slope.symbols | self.below.symbols

    @property
    def laws(self) -> tuple[NeuronLaw, ...]:
        """Laws whose second moments are needed."""
        lower = self.below.laws if isinstance(self.below, TangentFunction) else ()
        return (self.slope, *lower)

    @property
    def exactness(self) -> Exactness:
        """The weakest of the moments that occur."""
        own = self.slope.exactness(2)
        return own & self.below.exactness if isinstance(self.below, TangentFunction) else own

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> DenseInner:
        """Return it with parameters replaced."""
        return DenseInner(slope=self.slope.replace(symbols), below=self.below.replace(symbols))

    @property
    def formula(self) -> sp.Expr:
        """In the symbols S_12 = E[φ'_1 φ'_2] and Θ_12."""
        return _symbol("S", None) * self._theta

    def latex(self, layer: int | None) -> str:
        """The formula, with S marked by a layer."""
        return f"{sp.latex(_symbol('S', layer))} {sp.latex(self._theta)}"

    @property
    def _theta(self) -> sp.Symbol:
        return _symbol("Theta", self.slope.level + 1)

    def expression(self, law: NeuronLaw) -> sp.Expr:
        """In covariances: those of z unmarked, those of lower layers marked."""
        if isinstance(self.below, TangentFunction):
            theta = relabelled(self.below.expression, (1, 2), layer=law.level)
        else:
            theta = self._named(law)
        return self.slope.expression(2) * theta

    def _named(self, law: NeuronLaw) -> sp.Expr:
        """Θ⁽¹⁾ as K_12 where it is the covariance of the first layer."""
        theta = self.below.expression
        if not isinstance(law, GaussianLaw) or not isinstance(law.covariance, AffineCovariance):
            return theta
        return covariance(1, 2) if law.covariance.expression(1, 2) == theta else theta

    def evaluate(self, evaluator: Evaluator, rows: Rows) -> tuple[Floats, Floats]:
        """Values and error bounds at rows of point indices."""
        slopes = evaluator.moments(self.slope, 2)
        s, s_error = slopes.values.gather(rows), slopes.errors.gather(rows)
        theta, theta_error = self.below.evaluate(evaluator, rows)
        _require_finite(s, evaluator, rows)
        error = (np.abs(s) + s_error) * (np.abs(theta) + theta_error) - np.abs(s * theta)
        return s * theta, error

    def in_digits(self, evaluator: PreciseEvaluator, indices: Rows) -> list[mpmath.mpf]:
        """Values at rows of point indices, at mpmath's working precision."""
        slopes = evaluator.moments(self.slope, [tuple(row) for row in indices.tolist()])
        theta = self.below.in_digits(evaluator, indices)
        return [s * t for s, t in zip(slopes, theta, strict=True)]

    def meanings(self, law: NeuronLaw) -> list[str]:
        """LaTeX lines: what S, Θ of the layer below, and so on stand for."""
        theta = sp.latex(self._theta)
        lines = [_moment_line(r"S_{12} = \mathbb{E}[\phi'_1\phi'_2]", self.slope)]
        if isinstance(self.below, InputTangent):
            return [*lines, f"{theta} = {sp.latex(self._named(law))}"]
        return [*lines, *self.below.lower_lines()]


@dataclass(frozen=True, kw_only=True)
class NeuronInner:
    """I_ab = sum_p s_p² E[∂_p h_a ∂_p h_b] over the parameters p of neurons h(x; θ).

    Parameters
    ----------
    parts : tuple of (sympy.Expr, NeuronLaw)
        s_p² and the law of ∂h/∂θ_p.
    names : tuple of str
        The parameters, for printing.
    """

    parts: tuple[tuple[sp.Expr, NeuronLaw], ...]
    names: tuple[str, ...]

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """Free parameters."""
        return frozenset().union(*(c.free_symbols | law.symbols for c, law in self.parts))

    @property
    def laws(self) -> tuple[NeuronLaw, ...]:
        """Laws whose second moments are needed."""
        return tuple(law for _, law in self.parts)

    @property
    def exactness(self) -> Exactness:
        """The weakest of the moments that occur."""
        result = Exactness.exact()
        for law in self.laws:
            result = result & law.exactness(2)
        return result

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> NeuronInner:
        """Return it with parameters replaced."""
        rule = dict(symbols)
        parts = tuple((c.xreplace(rule), law.replace(symbols)) for c, law in self.parts)
        return NeuronInner(parts=parts, names=self.names)

    def _slope(self, name: str) -> sp.Symbol:
        return sp.Symbol(f"S^{{({name})}}_{{12}}", real=True)

    @property
    def formula(self) -> sp.Expr:
        """In the symbols S^(p)_12 = E[∂_p h_1 ∂_p h_2]."""
        pairs = zip(self.parts, self.names, strict=True)
        return sp.Add(*(c * self._slope(name) for (c, _), name in pairs))

    def latex(self, layer: int | None) -> str:
        """The formula."""
        return rf"\left({sp.latex(self.formula)}\right)"

    def expression(self, law: NeuronLaw) -> sp.Expr:
        """In the points."""
        return sp.Add(*(c * part.expression(2) for c, part in self.parts))

    def evaluate(self, evaluator: Evaluator, rows: Rows) -> tuple[Floats, Floats]:
        """Values and error bounds at rows of point indices."""
        value, error = np.zeros(len(rows)), np.zeros(len(rows))
        for coefficient, law in self.parts:
            weight, moments = evaluator.number(coefficient), evaluator.moments(law, 2)
            value = value + weight * moments.values.gather(rows)
            error = error + abs(weight) * moments.errors.gather(rows)
        return value, error

    def in_digits(self, evaluator: PreciseEvaluator, indices: Rows) -> list[mpmath.mpf]:
        """Values at rows of point indices, at mpmath's working precision."""
        rows = [tuple(row) for row in indices.tolist()]
        parts = [
            (evaluator.number(coefficient), evaluator.moments(law, rows))
            for coefficient, law in self.parts
        ]
        return [mpmath.fsum(c * m[i] for c, m in parts) for i in range(len(rows))]

    def meanings(self, law: NeuronLaw) -> list[str]:
        """LaTeX lines: what S^(p) stand for."""
        return [
            _moment_line(
                rf"{sp.latex(self._slope(name))} = \mathbb{{E}}"
                rf"[\partial_{{{name}}} h_1\,\partial_{{{name}}} h_2]",
                part,
            )
            for (_, part), name in zip(self.parts, self.names, strict=True)
        ]


@dataclass(frozen=True, kw_only=True)
class TangentFunction:
    """Θ_ab = β + α E[φ_a φ_b] + C_W I_ab of a dense layer above neurons φ.

    Parameters
    ----------
    law : NeuronLaw
        Law of the neurons φ.
    weight, bias : sympy.Expr
        α and β.
    chain : sympy.Expr
        C_W: second moment of the layer's weights.
    inner : DenseInner or NeuronInner
        I.
    """

    law: NeuronLaw
    weight: sp.Expr
    bias: sp.Expr
    chain: sp.Expr
    inner: DenseInner | NeuronInner

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        own = (self.weight, self.bias, self.chain)
        free = frozenset().union(*(e.free_symbols for e in own))
        return free | self.law.symbols | self.inner.symbols

    @property
    def laws(self) -> tuple[NeuronLaw, ...]:
        """Laws whose second moments are needed."""
        return (self.law, *self.inner.laws)

    @property
    def needs(self) -> dict[NeuronLaw, frozenset[int]]:
        return {law: frozenset({2}) for law in self.laws}

    @property
    def exactness(self) -> Exactness:
        return self.law.exactness(2) & self.inner.exactness

    @property
    def formula(self) -> sp.Expr:
        moment = sp.Symbol("M_12", real=True)
        return self.bias + self.weight * moment + self.chain * self.inner.formula

    def latex(self, layer: int | None = None) -> str:
        """The formula, with M and S marked by a layer."""
        moment = sp.latex(_symbol("M", layer))
        terms = [
            (self.bias, ""),
            (self.weight, f" {moment}"),
            (self.chain, f" {self.inner.latex(layer)}"),
        ]
        return " + ".join(
            rest.strip() if factor == 1 and rest else f"{sp.latex(factor)}{rest}"
            for factor, rest in terms
            if factor != 0
        )

    @property
    def expression(self) -> sp.Expr:
        below = self.inner.expression(self.law)
        return self.bias + self.weight * self.law.expression(2) + self.chain * below

    def replace(self, symbols: Mapping[sp.Symbol, sp.Expr]) -> TangentFunction:
        rule = dict(symbols)
        return replace(
            self,
            law=self.law.replace(symbols),
            weight=self.weight.xreplace(rule),
            bias=self.bias.xreplace(rule),
            chain=self.chain.xreplace(rule),
            inner=self.inner.replace(symbols),
        )

    def prepare(self, evaluator: Evaluator) -> None:
        """Second moments of all laws, the covariance of each layer computed once."""
        gram: Gram | None = None
        if isinstance(self.law, GaussianLaw):
            cov = self.law.covariance
            own = {s: v for s, v in evaluator.values.items() if s in self.law.symbols}
            below = self.inner.below if isinstance(self.inner, DenseInner) else None
            if isinstance(below, TangentFunction) and isinstance(cov, LayerCovariance):
                below.prepare(evaluator)
                gram = cov.gram_above(evaluator.moments(below.law, 2), own)
            else:
                gram = cov.gram(evaluator.X, own)
        for law in (self.law, *self._slopes):
            own = {s: v for s, v in evaluator.values.items() if s in law.symbols}
            if gram is not None and isinstance(law, (GaussianLaw, JumpLaw)):
                evaluator.keep(law, law.moments_over(gram, (2,), own))
            else:
                evaluator.keep(law, law.moments((2,), evaluator.X, own))

    @property
    def _slopes(self) -> tuple[NeuronLaw, ...]:
        inner = self.inner
        return (inner.slope,) if isinstance(inner, DenseInner) else inner.laws

    def evaluate(self, evaluator: Evaluator, indices: Rows) -> tuple[Floats, Floats]:
        weight, bias, chain = (evaluator.number(e) for e in (self.weight, self.bias, self.chain))
        moments = evaluator.moments(self.law, 2)
        value = bias + weight * moments.values.gather(indices)
        error = abs(weight) * moments.errors.gather(indices)
        if chain != 0:
            inner, bound = self.inner.evaluate(evaluator, indices)
            value, error = value + chain * inner, error + abs(chain) * bound
        return value, error + 4 * _EPS * np.abs(value)

    def in_digits(self, evaluator: PreciseEvaluator, indices: Rows) -> list[mpmath.mpf]:
        weight, bias, chain = (evaluator.number(e) for e in (self.weight, self.bias, self.chain))
        moments = evaluator.moments(self.law, [tuple(row) for row in indices.tolist()])
        inner = self.inner.in_digits(evaluator, indices) if chain else [chain] * len(indices)
        return [bias + weight * m + chain * i for m, i in zip(moments, inner, strict=True)]

    def meanings(self) -> list[str]:
        """LaTeX lines: what the symbols of the formula stand for, layer by layer."""
        first = _moment_line(r"M_{12} = \mathbb{E}[\phi_1\phi_2]", self.law)
        return [first, *self.inner.meanings(self.law)]

    def lower_lines(self) -> list[str]:
        """LaTeX lines for Θ of a layer below the one a correlator is written in."""
        layer = self.law.level + 1
        mark = f"({layer})"
        name = sp.latex(_symbol("Theta", layer + 1))
        lines = [
            f"{name} = {self.latex(layer)}",
            rf"M^{{{mark}}}_{{12}} = \mathbb{{E}}[\phi_1\phi_2]_{{K^{{{mark}}}}},\ "
            rf"S^{{{mark}}}_{{12}} = \mathbb{{E}}[\phi'_1\phi'_2]_{{K^{{{mark}}}}}",
        ]
        inner = self.inner
        if isinstance(inner, DenseInner) and isinstance(inner.below, TangentFunction):
            return lines + inner.below.lower_lines()
        if isinstance(inner, DenseInner):
            theta = sp.latex(_symbol("Theta", 1))
            named = inner._named(self.law)
            marked_covariance = {covariance(1, 2): covariance(1, 2, layer=1)}
            return [*lines, f"{theta} = {sp.latex(named.xreplace(marked_covariance))}"]
        return lines


def _symbol(stem: str, layer: int | None) -> sp.Symbol:
    mark = "" if layer is None else f"^({layer})"
    return sp.Symbol(f"{stem}_12{mark}", real=True)


def _moment_line(name: str, law: Any) -> str:
    try:
        expression = law.expression(2)
    except NotDerivedError as reason:
        return rf"{name}: \text{{{reason.came}}}"
    if expression.count_ops() <= _LONGEST:
        return f"{name} = {sp.latex(expression)}"
    return rf"{name}\quad\text{{({expression.count_ops()} operations written out)}}"


def _require_finite(values: Floats, evaluator: Evaluator, rows: Rows) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        a, b = rows[bad[0]]
        where = f"x = {evaluator.X[a].tolist()}"
        if a != b:
            where += f", y = {evaluator.X[b].tolist()}"
        raise InfiniteMomentError(
            expected="points at which the tangent kernel is finite",
            came=f"E[φ'φ'] infinite at {len(bad)} pairs, the first (a, b) = ({a}, {b}): {where}",
            remedy="an activation that jumps has an infinite tangent kernel at coincident points; "
            "ask for other pairs with .entries(X, pairs)",
        )
