"""What reports have in common that judge several orders."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from nnft_num.confrontation.verdicts import Verdict, joined
from nnft_sym.language.errors import SpecificationError

__all__ = ["ByOrder"]


class _Judged(Protocol):
    @property
    def order(self) -> int: ...

    @property
    def verdict(self) -> Verdict: ...


_Entry = TypeVar("_Entry", bound=_Judged)


class ByOrder(Generic[_Entry]):
    """A report with an entry for each order: ``report[k]``, and one verdict."""

    orders: tuple[_Entry, ...]

    def __getitem__(self, order: int) -> _Entry:
        for entry in self.orders:
            if entry.order == order:
                return entry
        raise SpecificationError(
            expected=f"an order out of {', '.join(str(entry.order) for entry in self.orders)}",
            came=f"{order!r}",
            remedy="ask for it with orders=",
        )

    @property
    def verdict(self) -> Verdict:
        """Disagree if any order does, else unresolved if any is, else agree."""
        return joined(entry.verdict for entry in self.orders)
