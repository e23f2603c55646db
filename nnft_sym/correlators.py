"""Correlators: functions of k points and k outputs, with their exactness, source and steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.exactness import Exactness, Kind
from nnft_sym.expectation.precise.agreement import agreed, exact_points
from nnft_sym.expectation.precise.evaluator import PreciseEvaluator
from nnft_sym.expectation.precise.numbers import exact
from nnft_sym.language.errors import AccuracyError, InfiniteMomentError, SpecificationError
from nnft_sym.language.markup import Shown, Table
from nnft_sym.layered_networks import read_layers
from nnft_sym.mathml import aligned
from nnft_sym.output_sums import OutputSum
from nnft_sym.parameters import number_of
from nnft_sym.point_functions import Evaluator
from nnft_sym.printing import correlator_html, correlator_latex
from nnft_sym.tensors import SHOWN, SymmetricTensor, multi_indices

__all__ = ["Correlator", "Evaluation"]

MANY_POINTS = 64
"""Points from which deep kernels that have one are taken by a recursion over blocks of rows."""


@dataclass(frozen=True, kw_only=True)
class Evaluation(Shown):
    """A correlator over n points and D outputs in numbers, each with an error bound.

    Parameters
    ----------
    values, errors : SymmetricTensor
        Over the n·D fields f_j(x_a), field index a·D + j.
    points, outputs : int
        n and D.
    exactness : Exactness
        What the numbers leave out beyond ``errors``.
    formula : Correlator or None
        What was evaluated.
    """

    values: SymmetricTensor
    errors: SymmetricTensor
    points: int
    outputs: int
    exactness: Exactness
    formula: Correlator | None = None

    @cached_property
    def dense(self) -> NDArray[np.float64]:
        """Array of shape (n,)*k for one output, (n, D)*k for several."""
        order = self.values.order
        shape = (self.points,) if self.outputs == 1 else (self.points, self.outputs)
        return self.values.dense.reshape(shape * order)

    def _table(self) -> Table:
        indices = multi_indices(self.values.order, self.values.dimension)[:SHOWN]
        rows = tuple(
            (",".join(map(str, row)), f"{self.values[tuple(row)]}", f"{self.errors[tuple(row)]}")
            for row in indices.tolist()
        )
        return Table(
            title=repr(self),
            header=("fields", "value", "error bound"),
            rows=rows,
            notes=(f"and {len(self.values) - len(rows)} more",) * (len(self.values) > len(rows)),
        )

    def __repr__(self) -> str:
        return (
            f"Evaluation(order {self.values.order}, {self.points} points, {self.outputs} outputs: "
            f"{self.exactness})"
        )


@dataclass(frozen=True, kw_only=True)
class Correlator(OutputSum):
    """A correlator as a formula, a function of points, and an answer with its exactness.

    Parameters
    ----------
    order : int
        k: number of points.
    name : str
        LaTeX name, such as ``G_c^{(4)}``.
    networks : tuple of Network
        The networks it was derived from; they check parameters and points.
    terms : tuple of OutputTerm
        The sum over output structures.
    limitation : Exactness
        What was left out in the derivation, on top of the moments' own exactness.
    source : str
        References.
    derivation : tuple of str
        Steps of the derivation as LaTeX lines.

    Examples
    --------
    >>> from nnft_sym.kernels import kernel
    >>> from nnft_sym.literature import erf_net
    >>> kernel(erf_net()).expr
    2*sigma_v**2*asin(2*K_12/(sqrt(2*K_11 + 1)*sqrt(2*K_22 + 1)))/pi
    """

    def evaluate(
        self,
        X: Any,
        *,
        precision: int | None = None,
        params: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> Evaluation:
        """Evaluate over points, all outputs, with error bounds.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Points.
        precision : int, optional
            Decimal digits relative to the largest entry, in place of double precision.  Points and
            parameters are then taken for what they are: ints, fractions, decimal texts such as
            ``"0.1"``, exact expressions; a float is the binary number it holds.  Closed forms have
            any precision; so do error functions, signs and rectifiers at three and four points,
            and smooth activations where the covariance of the points has at most rank 2.  Entries
            are sympy Floats.
        params, **values
            Values of the free parameters, by mapping or keyword.

        Returns
        -------
        Evaluation

        Raises
        ------
        SpecificationError
            For impossible points or parameters.
        AccuracyError
            If an integral cannot be evaluated to its accuracy.
        InfiniteMomentError
            If a moment is infinite.

        Examples
        --------
        >>> from nnft_sym.kernels import kernel
        >>> from nnft_sym.literature import erf_net
        >>> K = kernel(erf_net())
        >>> K.evaluate(["0.1"], precision=30, sigma_w=1, sigma_b=0, sigma_v="1/2").values[0, 0]
        0.00312088516027894112916297141342
        """
        if precision is not None:
            return self._evaluate_in_digits(X, precision, params, values)
        try:
            return self._evaluate_in_doubles(X, params, values)
        except RecursionError:
            raise AccuracyError(
                expected="a depth that the recursion over layers reaches",
                came=f"{self.name} of a network of {self.networks[0].depth} hidden layers",
                remedy="use nn.kernel_matrices, which has no such limit",
            ) from None

    def _evaluate_in_doubles(
        self, X: Any, params: Mapping[str, Any] | None, values: Mapping[str, Any]
    ) -> Evaluation:
        evaluator, n = self._evaluator(X, params, values)
        dimension = n * self.outputs
        indices = multi_indices(self.order, dimension)
        entries, errors = np.zeros(len(indices)), np.zeros(len(indices))
        for pattern, rows, points in self._patterns(n):
            entries[rows], errors[rows] = self._evaluate_legs(evaluator, pattern, points)
        return Evaluation(
            values=SymmetricTensor(self.order, dimension, entries),
            errors=SymmetricTensor(self.order, dimension, errors),
            points=n,
            outputs=self.outputs,
            exactness=self.exactness,
            formula=self,
        )

    def _patterns(
        self, n: int
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
        """Outputs of the legs, the unique entries that have them, and the points of those."""
        indices = multi_indices(self.order, n * self.outputs)
        points, outputs = indices // self.outputs, indices % self.outputs
        patterns, members = np.unique(outputs, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(members.reshape(-1) == number)
            yield pattern, rows, points[rows]

    def _evaluate_in_digits(
        self, X: Any, precision: int, params: Mapping[str, Any] | None, values: Mapping[str, Any]
    ) -> Evaluation:
        given = self._merged(params, values)
        exactly = {name: exact(value, name) for name, value in given.items()}
        self._bind({name: float(value) for name, value in exactly.items()})
        rows_of_X = exact_points(X)
        for network in self.networks:
            network.points([[float(x) for x in row] for row in rows_of_X])
        numbers = {symbol: exactly[symbol.name] for symbol in self.symbols}
        n = len(rows_of_X)
        count = len(multi_indices(self.order, n * self.outputs))

        def compute() -> list[mpmath.mpf]:
            evaluator = PreciseEvaluator(rows_of_X, numbers)
            entries = [mpmath.mpf(0)] * count
            for pattern, rows, points in self._patterns(n):
                legs = tuple(int(output) for output in pattern)
                for term in self.terms:
                    if not term.contributes(legs):
                        continue
                    found = term.function.in_digits(evaluator, points)
                    for row, value in zip(rows.tolist(), found, strict=True):
                        entries[row] += value
            return entries

        # Angles of deeper layers are square roots of differences of rounded covariances.
        doubled = all(term.function.exactness.kind is not Kind.INTEGRAL for term in self.terms)
        found = agreed(compute, precision, doubled=doubled)
        dimension = n * self.outputs
        return Evaluation(
            values=SymmetricTensor(self.order, dimension, found.values),
            errors=SymmetricTensor(self.order, dimension, found.errors),
            points=n,
            outputs=self.outputs,
            exactness=self.exactness,
            formula=self,
        )

    def tensor(
        self,
        X: Any,
        *,
        outputs: Sequence[int] | None = None,
        params: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> NDArray[np.float64]:
        """Evaluate over points as a dense array.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Points.
        outputs : sequence of int, optional
            One output for each leg; the array then has shape (n,)*k.
        params, **values
            Values of the free parameters.

        Returns
        -------
        ndarray
            Shape (n,)*k for one output or given ``outputs``, else (n, D)*k.

        Raises
        ------
        SpecificationError, AccuracyError, InfiniteMomentError
            As :meth:`evaluate`.

        Examples
        --------
        >>> from nnft_sym.kernels import kernel
        >>> from nnft_sym.literature import relu_net
        >>> kernel(relu_net()).tensor([[1.0], [2.0]], sigma_w=1, sigma_b=0, sigma_v=1)
        array([[0.5, 1. ],
               [1. , 2. ]])
        """
        matrix = self._matrix(X, outputs, params, values)
        if matrix is not None:
            return matrix
        if outputs is None:
            return self.evaluate(X, params=params, **values).dense
        legs = self._legs(outputs)
        evaluator, n = self._evaluator(X, params, values)
        grid = np.indices((n,) * self.order).reshape(self.order, -1).T
        return self._evaluate_legs(evaluator, legs, grid)[0].reshape((n,) * self.order)

    def _matrix(
        self,
        X: Any,
        outputs: Sequence[int] | None,
        params: Mapping[str, Any] | None,
        values: Mapping[str, Any],
    ) -> NDArray[np.float64] | None:
        """A deep kernel over very many points by its recursion, None where that does not apply."""
        if self.order != 2 or self.outputs > 1 or outputs is not None or len(self.terms) != 1:
            return None
        points = self.networks[0].points(X)
        layers = None if len(points) < MANY_POINTS else read_layers(self.terms[0].function)
        if layers is None:
            return None
        points, numbers = self.bound(X, params, values)
        with np.errstate(over="ignore", invalid="ignore"):
            found = layers.matrices(points, numbers, tangent=layers.tangent)
        matrix = found.tangent if layers.tangent else found.kernel
        return matrix if matrix is not None and np.all(np.isfinite(matrix)) else None

    def entries(
        self,
        X: Any,
        points: Any,
        *,
        outputs: Sequence[int] | None = None,
        params: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> NDArray[np.float64]:
        """Evaluate at chosen sets of points alone, where a whole tensor is infinite or too large.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Points.
        points : array_like of int, shape (U, k)
            Which points, one row for each entry.
        outputs : sequence of int, optional
            One output for each leg (default: all 0).
        params, **values
            Values of the free parameters.

        Returns
        -------
        ndarray, shape (U,)

        Raises
        ------
        SpecificationError, AccuracyError, InfiniteMomentError
            As :meth:`evaluate`.

        Examples
        --------
        >>> from nnft_sym.kernels import kernel
        >>> from nnft_sym.literature import relu_net
        >>> K = kernel(relu_net())
        >>> K.entries([[1.0], [2.0]], [[0, 1]], sigma_w=1, sigma_b=0, sigma_v=1)
        array([1.])
        """
        legs = (0,) * self.order if outputs is None else self._legs(outputs)
        evaluator, n = self._evaluator(X, params, values)
        rows = np.asarray(points)
        valid = rows.ndim == 2 and rows.shape[1] == self.order and rows.dtype.kind in "iu"
        if not valid or (rows.size and not (rows.min() >= 0 and rows.max() < n)):
            raise SpecificationError(
                expected=f"rows of {self.order} points between 0 and {n - 1}",
                came=f"{points!r}",
                remedy="count the points from 0, one row for each entry",
            )
        return self._evaluate_legs(evaluator, legs, rows.astype(np.intp))[0]

    def _evaluator(
        self, X: Any, params: Mapping[str, Any] | None, values: Mapping[str, Any]
    ) -> tuple[Evaluator, int]:
        points, numbers = self.bound(X, params, values)
        evaluator = Evaluator(points, numbers)
        with np.errstate(over="ignore", invalid="ignore"):
            evaluator.prepare(term.function for term in self.terms)
        return evaluator, len(points)

    def bound(
        self, X: Any, params: Mapping[str, Any] | None, values: Mapping[str, Any]
    ) -> tuple[NDArray[np.float64], dict[sp.Symbol, float]]:
        """Points and values of the free parameters, checked by all networks."""
        numbers = self._bind(self._merged(params, values))
        points = self.networks[0].points(X)
        for network in self.networks[1:]:
            network.points(X)
        return points, numbers

    def _merged(
        self, params: Mapping[str, Any] | None, values: Mapping[str, Any]
    ) -> dict[str, Any]:
        if not isinstance(params or {}, Mapping) or set(params or {}) & set(values):
            raise SpecificationError(
                expected="each parameter once, in a mapping or by keyword",
                came=f"params={params!r} and {', '.join(values) or 'no keywords'}",
                remedy="pass params={...} or keywords",
            )
        return {**(params or {}), **values}

    def _evaluate_legs(
        self, evaluator: Evaluator, outputs: Iterable[int], points: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        legs = tuple(int(output) for output in outputs)
        total, error = np.zeros(len(points)), np.zeros(len(points))
        for term in self.terms:
            if term.contributes(legs):
                with np.errstate(over="ignore", invalid="ignore"):
                    value, bound = term.function.evaluate(evaluator, points)
                    total, error = total + value, error + bound
        if not np.all(np.isfinite(total)):
            wrong = np.flatnonzero(~np.isfinite(total))[0]
            raise InfiniteMomentError(
                expected=f"a finite {self.name} within the range of double precision",
                came=f"{total[wrong]} at points {points[wrong].tolist()}",
                remedy="check the scales: a moment is infinite, or overflows",
            )
        return total, error

    def _bind(self, values: Mapping[str, Any]) -> dict[sp.Symbol, float]:
        """Check values by the networks; parameters the correlator does not need may be left out."""
        needed = set(self.parameters)
        known = needed.union(*(network.parameters for network in self.networks))
        for name in values:
            if name not in known:
                raise SpecificationError(
                    expected=f"the parameters {', '.join(sorted(known)) or '(none)'}",
                    came=f"an unknown parameter {name!r}",
                    remedy="check its spelling",
                )
        missing = sorted(needed - set(values))
        if missing:
            raise SpecificationError(
                expected=f"a value for {', '.join(sorted(needed))}",
                came=f"none for {', '.join(missing)}",
                remedy=f"pass them by keyword, for example {missing[0]}=1.0",
            )
        numbers = {name: float(number_of(name, values[name])) for name in needed}
        for network in self.networks:
            own = {name: values[name] for name in network.parameters if name in values}
            numbers |= network.bind(own, partial=True)
        return {symbol: float(numbers[symbol.name]) for symbol in self.symbols}

    def latex(self) -> str:
        r"""Return the correlator as LaTeX: the formula in moments, and what the symbols stand for.

        Examples
        --------
        >>> from nnft_sym.kernels import kernel
        >>> from nnft_sym.literature import cos_net
        >>> print(kernel(cos_net()).latex().splitlines()[0])
        G^{(2)}(x_1,x_2) = \sigma_{v}^{2} M_{12}
        """
        return correlator_latex(self)

    def _repr_latex_(self) -> str:
        return aligned(self.latex().splitlines())

    def _repr_html_(self) -> str:
        return correlator_html(self)

    def __repr__(self) -> str:
        names = " + ".join(network.name for network in self.networks)
        return f"Correlator({self.name} of {names}: {self.exactness})"
