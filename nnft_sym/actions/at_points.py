"""The action over a finite set of points: couplings as symmetric tensors, densities, identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from nnft_sym.actions.bounds import bare_coupling_bounds
from nnft_sym.actions.conventions import CONVENTIONS, coupling_table
from nnft_sym.actions.exact import ExactFrame
from nnft_sym.actions.expansions import Graded, bare_correlators
from nnft_sym.actions.frames import Frame
from nnft_sym.actions.identities import schwinger_dyson_defects
from nnft_sym.actions.normalisability import Normalisability, normalisability
from nnft_sym.actions.perturbation import PerturbativeCorrelators
from nnft_sym.actions.polynomials import form, recentred
from nnft_sym.diagrams.contraction import boxed
from nnft_sym.exactness import Exactness
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Shown, Table
from nnft_sym.mathml import Formula
from nnft_sym.tensors import SymmetricTensor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ActionAtPoints", "Density"]

Density = Literal["action", "edgeworth"]
"""The exponentiated action e^{-S}, or the Edgeworth density; they differ at the next order."""

LONGEST_TABLE = 12
"""Rows of each coupling shown in a notebook."""

FARTHEST = 1e30
"""Standard deviations up to which fields are looked at, for powers that doubles can hold."""

OFF_SUPPORT = 1e-8
"""Share of a field outside the range of a projected covariance that is put down to rounding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ActionAtPoints(Shown, Mapping[int, SymmetricTensor]):
    r"""The action S(f) = sum_k g_k f^k/k! over n points: a mapping {k: g_k}.

    .. math:: S(f) = g_0 + g_1 f + \tfrac12 g_2 f^2 + \dots + \tfrac1{(2p+2)!} g_{2p+2} f^{2p+2}

    g_2 holds G⁻¹ and its shift of order 1/N; g_0 holds ½ log det 2πG, so that e^{-S} is a
    density up to the next order.  With a mean the powers are those of f itself;
    ``about_mean`` has the powers of f - μ.

    Parameters
    ----------
    order : int
        p: terms through N^{-p} are kept.
    cumulants : mapping of int to SymmetricTensor
        Connected correlators over the fields, 2 being the covariance G.
    elements : mapping of int to SymmetricTensor
        Those beyond the covariance, in the coordinates of the frame.
    mean : ndarray or None
        μ, where it is not zero.
    frame : Frame
        How G amputates.
    bare : mapping of Vertex to SymmetricTensor
        Bare couplings about the mean, order by order, without the free part.
    names : tuple of str
        What the fields are called.
    exactness : Exactness
        What the cumulants leave out.
    cumulant_errors : mapping of int to SymmetricTensor
        Error bounds of the cumulants, where they are known.

    Examples
    --------
    >>> from nnft_sym.actions.construction import action_from_cumulants
    >>> S = action_from_cumulants({2: 1.0, 4: 0.1})
    >>> {k: float(g.entries[0]) for k, g in S.items() if k}
    {2: 1.05, 4: -0.1}
    """

    order: int
    cumulants: Mapping[int, SymmetricTensor]
    elements: Mapping[int, SymmetricTensor]
    mean: NDArray[Any] | None
    frame: Frame
    bare: Graded
    names: tuple[str, ...]
    exactness: Exactness
    cumulant_errors: Mapping[int, SymmetricTensor]

    @property
    def is_exact(self) -> bool:
        """Whether couplings are symbolic expressions rather than numbers."""
        return isinstance(self.frame, ExactFrame)

    def _shown(self, tensor: SymmetricTensor) -> SymmetricTensor:
        frame = self.frame
        return frame.expressions(tensor) if isinstance(frame, ExactFrame) else tensor

    @cached_property
    def by_order(self) -> dict[tuple[int, Fraction], SymmetricTensor]:
        """The term of order N^{-p} in the coupling g_k about the mean, by (k, p)."""
        terms = {
            (vertex.valence, Fraction(vertex.order, 2)): self._shown(self.frame.coupling(tensor))
            for vertex, tensor in self.bare.items()
        }
        constant = boxed([self.frame.half_log_determinant])
        constant = constant if self.is_exact else constant.astype(np.float64)
        free = {
            (0, Fraction(0)): SymmetricTensor(0, len(self.names), constant),
            (2, Fraction(0)): self._shown(self.frame.precision),
        }
        return dict(sorted((free | terms).items()))

    @cached_property
    def about_mean(self) -> dict[int, SymmetricTensor]:
        """Couplings in powers of f - μ, all orders together."""
        total: dict[int, SymmetricTensor] = {}
        for (k, _), tensor in self.by_order.items():
            total[k] = total[k] + tensor if k in total else tensor
        return total

    @cached_property
    def couplings(self) -> Mapping[int, SymmetricTensor]:
        """Couplings g_k in powers of f, all orders together."""
        about = self.about_mean
        return about if self.mean is None else dict(sorted(recentred(about, self.mean).items()))

    def __getitem__(self, k: int) -> SymmetricTensor:
        return self.couplings[k]

    def __iter__(self) -> Iterator[int]:
        return iter(self.couplings)

    def __len__(self) -> int:
        return len(self.couplings)

    @cached_property
    def errors(self) -> Mapping[int, SymmetricTensor]:
        """Bounds on the errors of ``about_mean``, from those of the cumulants and rounding."""
        if self.is_exact:
            return {k: g.map(lambda entries: 0 * entries) for k, g in self.about_mean.items()}
        legs = np.abs(self.frame.coupling_legs)
        return {k: bound.transform(legs) for k, bound in self._bare_errors.items()}

    @cached_property
    def _bare_errors(self) -> dict[int, SymmetricTensor]:
        return bare_coupling_bounds(
            self.frame, self.elements, self.bare, self.cumulant_errors, 2 * self.order
        )

    @property
    def degree(self) -> int:
        """Degree of S as a polynomial in f: at most 2p + 2."""
        return max(self.couplings)

    @property
    def projected(self) -> NDArray[np.float64] | None:
        """Directions in field space projected out because G is singular, as unit rows."""
        return self.frame.projected

    def _fields(self, f: Any) -> tuple[NDArray[Any], tuple[int, ...]]:
        """Fields about the mean, one in each row, and the shape of the answer."""
        dtype = object if self.is_exact else np.float64
        n = len(self.names)
        try:
            array = np.asarray(f, dtype=dtype)
        except (TypeError, ValueError):
            array = np.empty((0, 0), dtype=dtype)
        if array.ndim == 0 and n == 1:
            array = array.reshape(1)
        if array.ndim == 0 or array.shape[-1] != n:
            raise SpecificationError(
                expected=f"fields of shape (..., {n}), one value for each of {n} fields",
                came=f"shape {np.shape(f)}",
                remedy="for one point, pass f[:, None]",
            )
        rows = array.reshape(-1, n)
        if self.is_exact:
            rows = np.array([[sp.sympify(v) for v in row] for row in rows], dtype=object)
        rows = rows if self.mean is None else rows - self.mean
        if not self.is_exact:
            self._require_reach(rows)
        null = self.frame.projected
        if null is not None:
            outside = np.linalg.norm(rows @ null.T, axis=1)
            if np.any(outside > OFF_SUPPORT * (np.linalg.norm(rows, axis=1) + 1e-300)):
                raise SpecificationError(
                    expected="fields within the range of the covariance",
                    came=f"a field with a part {np.max(outside):.3g} outside",
                    remedy="the projected directions are in .projected; the field is fixed there",
                )
        return rows, array.shape[:-1]

    def _require_reach(self, rows: NDArray[np.float64]) -> None:
        deviations = np.sqrt(np.diag(self.cumulants[2].dense))
        unit = np.where(deviations > 0, deviations, 1.0)
        if not np.all(np.abs(rows) <= FARTHEST * unit):
            raise SpecificationError(
                expected=f"finite fields within {FARTHEST:g} standard deviations",
                came=f"fields from {np.min(rows):.3g} to {np.max(rows):.3g}",
                remedy="leave NaN and infinity out",
            )

    def _by_power(self, rows: NDArray[Any]) -> list[NDArray[Any]]:
        """S of each field by power p = 0, 1, ... of N^{-1/2}."""
        powers: list[Any] = [0] * (2 * self.order + 1)
        if self.is_exact:
            for (k, p), tensor in self.by_order.items():
                del k
                powers[int(2 * p)] = powers[int(2 * p)] + form(tensor, rows)
        else:
            amputated = rows @ self.frame.coupling_legs
            free = self.frame.precision
            powers[0] = self.frame.half_log_determinant + form(free, rows)
            for vertex, tensor in self.bare.items():
                powers[vertex.order] = powers[vertex.order] + form(tensor, amputated)
        return [np.zeros(len(rows)) + power for power in powers]

    def value(self, f: Any) -> Any:
        """Return S(f), for one field or for each of many.

        Parameters
        ----------
        f : array_like, shape (..., n)
            Fields.

        Examples
        --------
        >>> from nnft_sym.actions.construction import action_from_cumulants
        >>> S = action_from_cumulants({2: 1.0, 4: 0.1})
        >>> S.value([[0.0], [1.0]]) - S[0].entries
        array([0.        , 0.52083333])
        """
        rows, shape = self._fields(f)
        total = np.sum(np.stack(self._by_power(rows)), axis=0)
        return total.reshape(shape)[()]

    def pdf(self, f: Any, *, density: Density = "action") -> Any:
        r"""Return the truncated density of the fields.

        ``"action"`` is e^{-S}: positive, normalised up to the next order only.  ``"edgeworth"``
        is φ_G (1 + ...): its integral is exactly 1, but it may be negative.  They differ at order
        N^{-p-1}.

        Parameters
        ----------
        f : array_like, shape (..., n)
            Fields.
        density : {"action", "edgeworth"}
            Which of the two.

        Examples
        --------
        >>> from nnft_sym.actions.construction import action_from_cumulants
        >>> S = action_from_cumulants({2: 1.0, 4: 0.1})
        >>> [round(float(S.pdf(0.0, density=d)), 6) for d in ("action", "edgeworth")]
        [0.40396, 0.403929]
        """
        return self._density(f, density)[0]

    def logpdf(self, f: Any, *, density: Density = "action") -> Any:
        """Return the logarithm of the truncated density of the fields.

        Parameters
        ----------
        f : array_like, shape (..., n)
            Fields.
        density : {"action", "edgeworth"}
            -S itself, or the logarithm of the Edgeworth density: nan where that is not positive.

        Examples
        --------
        >>> from nnft_sym.actions.construction import action_from_cumulants
        >>> float(action_from_cumulants({2: 1.0, 4: 5.0}).logpdf(1.7, density="edgeworth"))
        nan
        """
        return self._density(f, density)[1]

    def _density(self, f: Any, density: Density) -> tuple[Any, Any]:
        if density not in ("action", "edgeworth"):
            raise SpecificationError(
                expected="the density 'action' or 'edgeworth'",
                came=f"{density!r}",
                remedy="they differ at the first order left out",
            )
        rows, shape = self._fields(f)
        powers = self._by_power(rows)
        exact = self.is_exact
        if density == "action":
            log = -np.sum(np.stack(powers), axis=0)
            # Where g is negative e^{-S} grows beyond all numbers: that is infinity here.
            with np.errstate(over="ignore"):
                value = np.array([sp.exp(v) for v in log], dtype=object) if exact else np.exp(log)
        else:
            ratio = _exponential_series([-power for power in powers])
            if exact:
                log = np.array([-s + sp.log(r) for s, r in zip(powers[0], ratio, strict=True)])
                value = np.array([sp.exp(-s) * r for s, r in zip(powers[0], ratio, strict=True)])
            else:
                positive = ratio > 0
                log = np.where(positive, np.log(np.where(positive, ratio, 1.0)), np.nan) - powers[0]
                value = np.exp(-powers[0]) * ratio
        return value.reshape(shape)[()], log.reshape(shape)[()]

    def correlators(self, order: int | None = None) -> PerturbativeCorrelators:
        """Compute the correlators perturbatively from the couplings, order by order in 1/N.

        Vertices are the couplings, g_2 - G⁻¹ among them, and the propagator is G.  The round
        trip is an identity: every order beyond the cumulant itself vanishes.

        Parameters
        ----------
        order : int, optional
            Through N^{-order}; by default that of the action.

        Raises
        ------
        SpecificationError
            If the order is above that of the action.

        Examples
        --------
        >>> from nnft_sym.actions.construction import action_from_cumulants
        >>> G = action_from_cumulants({2: 1.0, 4: 0.1}).correlators()
        >>> {n: float(G[n].entries[0]) for n in G}
        {0: 0.0, 2: 1.0, 4: 0.1}
        """
        through = self.order if order is None else order
        if not 0 <= through <= self.order:
            raise SpecificationError(
                expected=f"an order from 0 to {self.order}, that of the action",
                came=f"{order}",
                remedy="build the action to a higher order",
            )
        found = bare_correlators(self.bare, 2 * through, self.frame.line)
        terms = {
            (v.valence, Fraction(v.order, 2)): self._shown(self.frame.correlator(tensor))
            for v, tensor in found.items()
        }
        free: dict[tuple[int, Fraction], SymmetricTensor] = {(2, Fraction(0)): self.cumulants[2]}
        if self.mean is not None:
            free[1, Fraction(0)] = SymmetricTensor(1, len(self.names), self.mean)
        return PerturbativeCorrelators(
            order=through, by_order=dict(sorted((free | terms).items(), key=lambda item: item[0]))
        )

    def schwinger_dyson(self) -> dict[Fraction, NDArray[Any]]:
        r"""Return ⟨f_a ∂S/∂f_b⟩ order by order: δ_ab at order 0 and zero at all others.

        The average is over the correlators the action was built from.

        .. math:: \langle f_a\, \partial S/\partial f_b\rangle = \delta_{ab}

        Examples
        --------
        >>> from nnft_sym.actions.construction import action_from_cumulants
        >>> S = action_from_cumulants({2: 1.0, 4: 0.1})
        >>> {str(p): m.tolist() for p, m in S.schwinger_dyson().items()}
        {'0': [[1.0]], '1': [[0.0]]}
        """
        line, order = self.frame.line, 2 * self.order
        own = np.eye(self.frame.rank) if line is None else line
        # Amputated, the covariance is C G C = C: that of h, or G⁻¹, which the ring does not know.
        amputated = {2: SymmetricTensor.from_dense(own)}
        for k, tensor in self.elements.items():
            amputated[k] = tensor if line is None else tensor.transform(line)
        covariance = self.cumulants[2].dense
        precision = self._shown(self.frame.precision).dense
        legs = self.frame.correlator_legs
        left = covariance if legs is None else legs
        right = precision if legs is None else self.frame.coupling_legs
        free = covariance @ precision
        result = {Fraction(0): np.vectorize(sp.cancel)(free) if self.is_exact else free}
        for power, defect in schwinger_dyson_defects(self.bare, amputated, order).items():
            if isinstance(self.frame, ExactFrame):
                defect = self.frame.expression_array(defect)
            result[Fraction(power, 2)] = left @ defect @ right.T
        return result

    @cached_property
    def normalisable(self) -> Normalisability:
        """Whether ∫ e^{-S} is finite: decided by the highest coupling in its worst direction."""
        if self.is_exact:
            return self._symbolic_normalisability()
        total = {2: SymmetricTensor.from_dense(np.eye(self.frame.rank))}
        for vertex, tensor in self.bare.items():
            k = vertex.valence
            total[k] = total[k] + tensor if k in total else tensor
        legs = self.frame.correlator_legs
        assert legs is not None
        return normalisability(total, legs, self._bare_errors)

    def _symbolic_normalisability(self) -> Normalisability:
        k = max(k for k, g in self.couplings.items() if any(entry != 0 for entry in g.entries))
        top = self.couplings[k].entries[0]
        if len(self.names) == 1 and k % 2 == 0 and (top.is_positive or top.is_negative):
            sign = ">" if top.is_positive else "<"
            return Normalisability(
                holds=bool(top.is_positive), reason=f"g_{k} = {top} {sign} 0", coupling=k
            )
        return Normalisability(
            holds=None, reason=f"the sign of g_{k} depends on the symbols", coupling=k
        )

    def table(
        self, k: int, convention: str = "lambda f^4/4!", *, latex: bool = False
    ) -> pd.DataFrame:
        """Return the unique entries of g_k in a convention that the table's header names.

        Parameters
        ----------
        k : int
            Number of fields.
        convention : str
            "lambda f^4/4!" (that of the mapping), "lambda f^4", "EFT -24 lambda", "EFT -lambda".
        latex : bool
            Write the header for ``to_latex``.
        """
        return coupling_table(self[k], convention, latex=latex)

    def _table(self) -> Table:
        rows: list[tuple[str | Formula, ...]] = []
        notes = [CONVENTIONS["lambda f^4/4!"].header(k) for k in self if k]
        for k, tensor in self.couplings.items():
            entries = tensor.entries[:LONGEST_TABLE]
            for index, value in zip(tensor.indices.tolist(), entries, strict=False):
                shown = (
                    Formula(sp.latex(value), str(value))
                    if isinstance(value, sp.Basic)
                    else f"{float(value):.6g}"
                )
                rows.append((f"g_{k}", ",".join(str(i + 1) for i in index), shown))
            if len(tensor) > len(entries):
                notes.append(f"g_{k}: {len(tensor) - len(entries)} more entries")
        return Table(
            title=f"action through N^-{self.order} over {len(self.names)} fields",
            header=("coupling", "fields", "value"),
            rows=tuple(rows),
            notes=(*notes, str(self.exactness)),
        )

    def __repr__(self) -> str:
        sizes = ", ".join(f"g_{k}: {len(g)}" for k, g in self.items())
        return f"ActionAtPoints(order {self.order} in 1/N over {len(self.names)} fields; {sizes})"


def _exponential_series(terms: list[NDArray[Any]]) -> NDArray[Any]:
    """Sum of the series of exp(sum_p ε^p a_p), p >= 1, through the last power, at ε = 1.

    e_p = (1/p) sum_q q a_q e_{p-q}.
    """
    series = [terms[0] * 0 + 1]
    for p in range(1, len(terms)):
        total = sum(q * terms[q] * series[p - q] for q in range(1, p + 1))
        series.append(total / p)
    return np.sum(np.stack(series), axis=0)
