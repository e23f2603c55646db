"""Correlators: functions of k points and k outputs, with their exactness, source and steps.

With D outputs a correlator is a sum of (δ-tensor over outputs) ⊗ (function of points),

    G_{i_1...i_k}(x_1, ..., x_k) = sum_ρ δ_ρ(i) F_ρ(x),

where δ_ρ = 1 if the outputs of the legs in each block of the partition ρ coincide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.calculus import differentiated, limited, written_out, written_size
from nnft_sym.combinatorics import Partition
from nnft_sym.exactness import Exactness, Kind
from nnft_sym.expectation.precise.agreement import agreed, exact_points
from nnft_sym.expectation.precise.evaluator import PreciseEvaluator
from nnft_sym.expectation.precise.numbers import exact
from nnft_sym.expectation.variables import expanded_determinants
from nnft_sym.language.errors import InfiniteMomentError, SpecificationError
from nnft_sym.layered_networks import read_layers
from nnft_sym.networks import Network
from nnft_sym.parameters import in_symbols, number_of
from nnft_sym.point_functions import Evaluator, PointFunction
from nnft_sym.printing import correlator_latex
from nnft_sym.tensors import SymmetricTensor, multi_indices

__all__ = ["Correlator", "Evaluation", "OutputTerm"]

MANY_POINTS = 64
"""Points from which deep kernels that have one are taken by a recursion over blocks of rows."""


@dataclass(frozen=True, kw_only=True)
class OutputTerm:
    """One term (δ-tensor over outputs) ⊗ (function of points).

    Parameters
    ----------
    blocks : Partition
        Legs, counted from 0, whose outputs must coincide.
    labels : tuple of int or None
        The output of each block; None if the term holds for any outputs.
    function : PointFunction
        F(x_1, ..., x_k).
    """

    blocks: Partition
    labels: tuple[int, ...] | None
    function: PointFunction

    def contributes(self, outputs: Sequence[int]) -> bool:
        """Whether the δ-tensor is 1 at the given outputs."""
        for number, block in enumerate(self.blocks):
            values = {outputs[leg] for leg in block}
            if len(values) > 1 or (self.labels is not None and values != {self.labels[number]}):
                return False
        return True


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A correlator over n points and D outputs in numbers, each with an error bound.

    Parameters
    ----------
    values, errors : SymmetricTensor
        Over the n·D fields f_j(x_a), field index a·D + j.
    points, outputs : int
        n and D.
    exactness : Exactness
        What the numbers leave out beyond ``errors``.
    """

    values: SymmetricTensor
    errors: SymmetricTensor
    points: int
    outputs: int
    exactness: Exactness

    @cached_property
    def dense(self) -> NDArray[np.float64]:
        """Array of shape (n,)*k for one output, (n, D)*k for several."""
        order = self.values.order
        shape = (self.points,) if self.outputs == 1 else (self.points, self.outputs)
        return self.values.dense.reshape(shape * order)


@dataclass(frozen=True, kw_only=True)
class Correlator:
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

    order: int
    name: str
    networks: tuple[Network, ...]
    terms: tuple[OutputTerm, ...]
    limitation: Exactness = field(default_factory=Exactness.exact)
    source: str = ""
    derivation: tuple[str, ...] = ()

    @property
    def outputs(self) -> int:
        """Number of outputs D."""
        return self.networks[0].outputs

    @property
    def exactness(self) -> Exactness:
        """Exact closed form, exact integral, or truncated at a power of 1/n."""
        result = self.limitation
        for term in self.terms:
            result = result & term.function.exactness
        return result

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """Free parameters the correlator depends on, sorted by name."""
        free = frozenset().union(*(term.function.symbols for term in self.terms))
        return tuple(sorted(free, key=lambda symbol: symbol.name))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the free parameters the correlator depends on."""
        return tuple(symbol.name for symbol in self.symbols)

    @property
    def steps(self) -> tuple[str, ...]:
        """The derivation as LaTeX lines."""
        lines = list(self.derivation)
        for law, orders in self._moment_orders().items():
            for order in sorted(orders):
                lines += [line for line in law.steps(order) if line not in lines]
        return tuple(lines)

    def _moment_orders(self) -> dict[Any, set[int]]:
        needed: dict[Any, set[int]] = {}
        for term in self.terms:
            for law, orders in term.function.needs.items():
                needed.setdefault(law, set()).update(orders)
        return needed

    def _sum(
        self, outputs: Sequence[int] | None, part: Callable[[PointFunction], sp.Expr]
    ) -> sp.Expr:
        legs = (0,) * self.order if outputs is None else self._legs(outputs)
        return sp.Add(*(part(t.function) for t in self.terms if t.contributes(legs)))

    def formula(self, outputs: Sequence[int] | None = None) -> sp.Expr:
        """Return the correlator in the neuron's moments M_B, for given outputs (default: all 0).

        Examples
        --------
        >>> from nnft_sym.cumulants import cumulant
        >>> from nnft_sym.literature import erf_net
        >>> cumulant(erf_net(), 2).formula()
        M_12*sigma_v**2
        """
        return self._sum(outputs, lambda function: function.formula)

    @cached_property
    def expr(self) -> sp.Expr:
        """The correlator in the covariances K_ab, all legs on output 0."""
        return self.expression()

    def expression(self, outputs: Sequence[int] | None = None) -> sp.Expr:
        """Return the correlator in the covariances K_ab for given outputs (default: all 0).

        A sum over networks whose covariances differ has no common K_ab and is written out in
        inner products of the points.
        """
        if not self._has_one_covariance:
            return self.explicit(outputs)
        total = self._sum(outputs, lambda function: function.expression)
        return expanded_determinants(total, self.order)

    @property
    def _has_one_covariance(self) -> bool:
        maps = [term.function.law.variables(self.order) for term in self.terms]
        return all(first == other for first in maps[:1] for other in maps[1:])

    @property
    def covariances(self) -> dict[sp.Symbol, sp.Expr]:
        """The map K_ab(x): each covariance in terms of the points."""
        variables: dict[sp.Symbol, sp.Expr] = {}
        for term in self.terms:
            variables |= term.function.law.variables(self.order)
        return variables

    def explicit(self, outputs: Sequence[int] | None = None, *, largest: int = 50_000) -> sp.Expr:
        """Return the correlator in inner products of the points and parameters alone.

        The recursion of a deep network is expanded to one expression, which grows by a factor
        with every layer (about 11 for GELU: 165, 2267, 25211 operations at depth 1, 2, 3).

        Parameters
        ----------
        outputs : sequence of int, optional
            One output for each leg (default: all 0).
        largest : int
            Operations beyond which nothing is expanded.

        Raises
        ------
        SpecificationError
            If the expression would be larger.

        Examples
        --------
        >>> from nnft_sym.kernels import kernel
        >>> from nnft_sym.literature import cos_net
        >>> sorted(str(symbol) for symbol in kernel(cos_net()).explicit().free_symbols)
        ['d', 'sigma_v', 'sigma_w']
        """

        def own(function: PointFunction) -> sp.Expr:
            expression = expanded_determinants(function.expression, self.order)
            variables = function.law.variables(self.order)
            size = written_size(expression, variables)
            if size > largest:
                raise SpecificationError(
                    expected=f"an expression of at most {largest} operations",
                    came=f"one of {size}",
                    remedy="print the recursion with .latex(), or pass largest=",
                )
            return written_out(expression, variables)

        return self._sum(outputs, own)

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

    def _legs(self, outputs: Sequence[int]) -> tuple[int, ...]:
        legs = tuple(outputs) if isinstance(outputs, Iterable) else ()
        whole = all(isinstance(leg, (int, np.integer)) for leg in legs)
        if len(legs) != self.order or not whole or any(not 0 <= i < self.outputs for i in legs):
            raise SpecificationError(
                expected=f"{self.order} outputs between 0 and {self.outputs - 1}",
                came=f"{outputs!r}",
                remedy="give one output index for each leg",
            )
        return legs

    def __add__(self, other: Correlator) -> Correlator:
        """Sum of two correlators of the same order and number of outputs."""
        if not isinstance(other, Correlator):
            return NotImplemented
        if (other.order, other.outputs) != (self.order, self.outputs):
            raise SpecificationError(
                expected=f"a correlator of order {self.order} with {self.outputs} outputs",
                came=f"order {other.order} with {other.outputs} outputs",
                remedy="add correlators of the same kind only",
            )
        extra = tuple(network for network in other.networks if network not in self.networks)
        return replace(
            self,
            name=f"{self.name}+{other.name}",
            networks=self.networks + extra,
            terms=self.terms + other.terms,
            limitation=self.limitation & other.limitation,
            source=", ".join(dict.fromkeys(filter(None, (self.source, other.source)))),
            derivation=self.derivation + other.derivation,
        )

    def subs(self, values: Mapping[Any, Any]) -> Correlator:
        """Replace parameters, by name or symbol, with numbers or expressions.

        Examples
        --------
        >>> from nnft_sym.kernels import kernel
        >>> from nnft_sym.literature import erf_net
        >>> kernel(erf_net()).subs({"sigma_v": 2}).parameters
        ('sigma_b', 'sigma_w')
        """
        if not isinstance(values, Mapping):
            raise SpecificationError(
                expected="a mapping of parameters to values",
                came=f"{values!r}",
                remedy="pass a dict",
            )
        known = self._symbols_by_name
        symbols = {
            self._symbol(key): in_symbols(value, str(key), known) for key, value in values.items()
        }
        plain = {symbol.name: value for symbol, value in symbols.items() if value.is_number}
        for network in self.networks:
            own = {name: value for name, value in plain.items() if name in network.parameters}
            network.bind(own, partial=True)
        return self._mapped(lambda function: function.replace(symbols))

    def diff(self, parameter: str | sp.Symbol) -> Correlator:
        """Differentiate with respect to a parameter.

        Raises
        ------
        NotDerivedError
            If the parameter enters a moment that is known as an integral only.

        Examples
        --------
        >>> from nnft_sym.kernels import kernel
        >>> from nnft_sym.literature import cos_net
        >>> kernel(cos_net()).diff("sigma_v").parameters
        ('sigma_v', 'sigma_w')
        """
        symbol = self._symbol(parameter)
        changed = self._mapped(lambda function: differentiated(function, symbol, self.order))
        return replace(changed, name=rf"\partial_{{{sp.latex(symbol)}}} {self.name}")

    def limit(self, parameter: str | sp.Symbol, target: Any) -> Correlator:
        """Take the limit parameter -> target.

        Raises
        ------
        NotDerivedError
            If the parameter enters a moment that is known as an integral only.

        Examples
        --------
        >>> from nnft_sym.cumulants import cumulant
        >>> from nnft_sym.literature import erf_net
        >>> cumulant(erf_net(), 4).limit("N", sp.oo).expr
        0
        """
        symbol = self._symbol(parameter)
        infinite = target in (sp.oo, float("inf"))
        end = sp.oo if infinite else in_symbols(target, "target", self._symbols_by_name)
        if symbol.is_nonnegative and end.is_negative:
            raise SpecificationError(
                expected=f"a target of at least 0 for {symbol}",
                came=f"{end}",
                remedy="drop the sign",
            )
        return self._mapped(lambda function: limited(function, symbol, end, self.order))

    def _mapped(self, change: Callable[[PointFunction], PointFunction]) -> Correlator:
        return replace(
            self,
            terms=tuple(replace(term, function=change(term.function)) for term in self.terms),
        )

    @property
    def _symbols_by_name(self) -> dict[str, sp.Symbol]:
        symbols = {symbol.name: symbol for net in self.networks for symbol in net.symbols}
        return symbols | {symbol.name: symbol for symbol in self.symbols}

    def _symbol(self, key: str | sp.Symbol) -> sp.Symbol:
        name = key if isinstance(key, str) else getattr(key, "name", str(key))
        symbols = self._symbols_by_name
        if name not in symbols:
            raise SpecificationError(
                expected=f"one of the parameters {', '.join(sorted(symbols))}",
                came=f"{name!r}",
                remedy="check its spelling",
            )
        return symbols[name]

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
        lines = r" \\ ".join(f"& {line}" for line in self.latex().splitlines())
        return rf"$\displaystyle \begin{{aligned}} {lines} \end{{aligned}}$"

    def __repr__(self) -> str:
        names = " + ".join(network.name for network in self.networks)
        return f"Correlator({self.name} of {names}: {self.exactness})"
