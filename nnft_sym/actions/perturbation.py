"""Correlators computed perturbatively, order by order in 1/N."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from nnft_sym.tensors import SymmetricTensor

__all__ = ["PerturbativeCorrelators"]


@dataclass(frozen=True, kw_only=True, eq=False)
class PerturbativeCorrelators(Mapping[int, SymmetricTensor]):
    """Connected correlators computed from couplings: {n: G_c⁽ⁿ⁾} and each order by itself.

    Parameters
    ----------
    order : int
        k: computed through N^{-k}.
    by_order : mapping of (int, Fraction) to SymmetricTensor
        The term of order N^{-p} of G_c⁽ⁿ⁾ by (n, p); n = 0 is log ∫ e^{-S}.
    """

    order: int
    by_order: Mapping[tuple[int, Fraction], SymmetricTensor]

    def __getitem__(self, n: int) -> SymmetricTensor:
        terms = [tensor for (legs, _), tensor in self.by_order.items() if legs == n]
        if not terms:
            raise KeyError(n)
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    def __iter__(self) -> Iterator[int]:
        return iter(sorted({n for n, _ in self.by_order}))

    def __len__(self) -> int:
        return len({n for n, _ in self.by_order})

    def __repr__(self) -> str:
        return f"PerturbativeCorrelators(n = {', '.join(map(str, self))}; through N^-{self.order})"
