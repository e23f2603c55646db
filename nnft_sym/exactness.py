"""Exactness: what an answer leaves out, as part of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from nnft_sym.language.markup import Shown, Table

__all__ = ["Exactness", "Kind"]


class Kind(IntEnum):
    """How a result was obtained, from strongest to weakest."""

    EXACT = 0
    INTEGRAL = 1
    TRUNCATED = 2


@dataclass(frozen=True, kw_only=True)
class Exactness(Shown):
    """Exact closed form, exact integral evaluated numerically, or truncated at 1/n^k.

    Parameters
    ----------
    kind : Kind
        EXACT, INTEGRAL or TRUNCATED.
    power : int or None
        k: for TRUNCATED, the first power of 1/n left out.

    Examples
    --------
    >>> str(Exactness.exact() & Exactness.truncated(1))
    'exact as n -> oo; corrections of order 1/n left out'
    """

    kind: Kind
    power: int | None = None

    @classmethod
    def exact(cls) -> Exactness:
        """A closed form, exact at every width."""
        return cls(kind=Kind.EXACT)

    @classmethod
    def integral(cls) -> Exactness:
        """An exact integral, evaluated to a stated accuracy."""
        return cls(kind=Kind.INTEGRAL)

    @classmethod
    def truncated(cls, power: int) -> Exactness:
        """The leading terms in 1/n, with terms of order 1/n^power left out."""
        return cls(kind=Kind.TRUNCATED, power=power)

    def __and__(self, other: Exactness) -> Exactness:
        """Exactness of a result built from two others: the weaker of them."""
        if self.kind != other.kind:
            return max(self, other, key=lambda exactness: exactness.kind)
        if self.kind is Kind.TRUNCATED:
            return min(self, other, key=lambda exactness: exactness.power or 0)
        return self

    def _table(self) -> Table:
        return Table(title="exactness", rows=((self.kind.name.lower(), str(self)),))

    def __repr__(self) -> str:
        power = "" if self.power is None else f", power={self.power}"
        return f"Exactness({self.kind.name}{power})"

    def __str__(self) -> str:
        if self.kind is Kind.EXACT:
            return "exact closed form"
        if self.kind is Kind.INTEGRAL:
            return "exact integral, evaluated with an error bound"
        order = "1/n" if self.power == 1 else f"1/n^{self.power}"
        return f"exact as n -> oo; corrections of order {order} left out"
