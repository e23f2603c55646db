"""Moments of neuron laws over fixed points and parameters, to the working precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mpmath
import sympy as sp

from nnft_sym.activations import Z
from nnft_sym.density import Density
from nnft_sym.expectation.covariances import AffineCovariance, Covariance, LayerCovariance
from nnft_sym.expectation.gaussian import GaussianLaw
from nnft_sym.expectation.integral import GaussianExpectation
from nnft_sym.expectation.jump_law import JumpLaw
from nnft_sym.expectation.law import InnerProduct, NeuronLaw, coordinate
from nnft_sym.expectation.parameter_space.law import ParameterLaw
from nnft_sym.expectation.precise.closed import evaluated, real
from nnft_sym.expectation.precise.gram import Matrix, PreciseGram
from nnft_sym.expectation.precise.moments import precise_moments
from nnft_sym.expectation.precise.numbers import number, require_exact
from nnft_sym.expectation.unsized import UnsizedLaw
from nnft_sym.expectation.variables import covariance, determinant, point_pairs
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError

__all__ = ["PreciseEvaluator"]

Row = tuple[int, ...]


class PreciseEvaluator:
    """Moments of laws at exact points, each computed once at mpmath's working precision.

    Parameters
    ----------
    X : sequence of sequence of sympy.Expr
        Points, as exact numbers.
    values : mapping of sympy.Symbol to sympy.Expr
        Parameters, as exact numbers.
    """

    def __init__(self, X: Sequence[Sequence[sp.Expr]], values: Mapping[sp.Symbol, sp.Expr]) -> None:
        self.X = [list(row) for row in X]
        self.values = dict(values)
        keys = [tuple(row) for row in self.X]
        self.labels = tuple(keys.index(key) for key in keys)
        self._grams: dict[Covariance, PreciseGram] = {}
        self._moments: dict[tuple[NeuronLaw, Row], mpmath.mpf] = {}

    def number(self, expression: sp.Expr) -> mpmath.mpf:
        """Value of an expression in the parameters alone."""
        require_exact([expression], "the network")
        return number(expression.xreplace(self.values))

    def inner_product(self, a: int, b: int) -> sp.Expr:
        """x_a·x_b, exactly."""
        return sp.Add(*(x * y for x, y in zip(self.X[a], self.X[b], strict=True)))

    def moments(self, law: NeuronLaw, rows: Sequence[Row]) -> list[mpmath.mpf]:
        """E[h(x_a) h(x_b) ...] of a law at rows of points.

        Raises
        ------
        AccuracyError
            Where the law has no way to many digits.
        InfiniteMomentError
            If a moment is infinite.
        """
        keys = [tuple(sorted(self.labels[a] for a in row)) for row in rows]
        missing = sorted({key for key in keys if (law, key) not in self._moments})
        if missing:
            for key, value in zip(missing, self._computed(law, missing), strict=True):
                self._moments[law, key] = value
        return [self._moments[law, key] for key in keys]

    def _computed(self, law: NeuronLaw, rows: Sequence[Row]) -> list[mpmath.mpf]:
        if isinstance(law, UnsizedLaw):
            law = ParameterLaw.from_dense(law.layer, len(self.X[0]))
        if not isinstance(law, GaussianLaw):
            return [self._from_expression(law, row) for row in rows]
        gram = self.gram(law.covariance)
        phi = law.activation.expression
        require_exact([phi], "the activation")
        if law.offset is None:
            return precise_moments(phi, gram, rows)
        offset = law.offset.replace(self.values)
        points = offset.atoms()
        if offset.is_point_mass:
            points = ((offset.moment(1), sp.Integer(1)),)
        if not points:
            return [self._over_offset(law, offset, gram, row) for row in rows]
        parts = [
            (self.number(weight), precise_moments(phi.xreplace({Z: Z + b}), gram, rows))
            for b, weight in points
        ]
        return [mpmath.fsum(w * part[i] for w, part in parts) for i in range(len(rows))]

    def _over_offset(
        self, law: GaussianLaw, offset: Density, gram: PreciseGram, row: Row
    ) -> mpmath.mpf:
        fixed = law.replace(self.values)
        form = fixed.form(len(row))
        if form is None:
            raise AccuracyError(
                expected="a closed form of the average over the bias, for more than 15 digits",
                came=f"{law.activation} with the bias {offset}",
                remedy="evaluate without precision=, which bounds its error in doubles",
            )
        K = [[gram.K[a][b] for b in row] for a in row]
        return evaluated(form, K, [[gram.D[a][b] for b in row] for a in row])

    def gram(self, field: Covariance) -> PreciseGram:
        """Covariance of a Gaussian field over all points."""
        if field not in self._grams:
            self._grams[field] = self._gram(field)
        return self._grams[field]

    def _gram(self, field: Covariance) -> PreciseGram:
        n = range(len(self.X))
        own = (field.weight_variance, field.bias_variance)  # type: ignore[attr-defined]
        require_exact(own, "the network")
        weight, bias = (e.xreplace(self.values) for e in own)
        if isinstance(field, AffineCovariance):
            d = len(self.X[0])
            K = [[bias + weight * self.inner_product(a, b) / d for b in n] for a in n]
            return PreciseGram.from_exact(K, self.labels)
        assert isinstance(field, LayerCovariance)
        pairs = [(a, b) for b in n for a in range(b + 1)]
        C_W, C_b = number(weight), number(bias)
        matrix: Matrix = [[mpmath.mpf(0) for _ in n] for _ in n]
        for (a, b), value in zip(pairs, self.moments(field.previous, pairs), strict=True):
            matrix[a][b] = matrix[b][a] = C_b + C_W * value
        return PreciseGram.from_numbers(matrix, self.labels)

    def _from_expression(self, law: NeuronLaw, row: Row) -> mpmath.mpf:
        """A law whose moments are expressions in the points or in covariances."""
        order = len(row)
        expression = law.expression(order)
        if expression.has(sp.Integral, GaussianExpectation):
            raise _no_digits(law)
        require_exact([expression], "the network")
        return self.expression_value(law, expression, row)

    def expression_value(self, law: NeuronLaw, expression: sp.Expr, row: Row) -> mpmath.mpf:
        """Value of an expression in covariances, inner products and coordinates of the points."""
        k = len(row)
        numbers: dict[sp.Basic, sp.Expr] = dict(self.values)
        for a in range(k):
            for i, x in enumerate(self.X[row[a]]):
                numbers[coordinate(a + 1, i + 1)] = x
            for b in range(a + 1):
                numbers[InnerProduct(b + 1, a + 1)] = self.inner_product(row[b], row[a])
        digits, layer = mpmath.mp.dps, None
        gaussian = law.regular if isinstance(law, JumpLaw) else law
        while isinstance(gaussian, GaussianLaw):
            field = gaussian.covariance
            gram = self.gram(field)
            for a, b in point_pairs(k):
                i, j = row[a - 1], row[b - 1]
                numbers[covariance(a, b, layer)] = sp.Float(gram.K[i][j], digits)
                numbers[determinant(a, b, layer)] = sp.Float(gram.D[i][j], digits)
            if not isinstance(field, LayerCovariance):
                break
            gaussian, layer = field.previous, field.level
        value = expression.xreplace(numbers)
        if value.has(sp.zoo, sp.nan, sp.oo):
            raise InfiniteMomentError(
                expected="points at which the moment is finite",
                came=f"{value} at points {row}",
                remedy="leave out coincident points with .entries",
            )
        found = value.evalf(mpmath.mp.dps)
        if not found.is_number or not found.is_comparable:
            raise _no_digits(law)
        return real(found._to_mpmath(mpmath.mp.prec), str(expression)[:60])


def _no_digits(law: NeuronLaw) -> AccuracyError:
    return AccuracyError(
        expected="a closed form, for more digits than doubles have",
        came=f"a moment of {type(law).__name__} that is known as an integral only",
        remedy="evaluate without precision=, which bounds its error in doubles",
    )
