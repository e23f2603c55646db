"""Sampling until the hardest entry is known to a relative error.

The relative error of an entry of G_c⁽ⁿ⁾ is its standard error over the largest |entry| of that
tensor, so that an entry that vanishes by symmetry can be known as well as the others.  It is looked
at when a growing run has 1, 5/4, 3/2, 7/4 times a power of two of networks: what decides is the
sums there and nothing else, neither time nor threads.  So the same seed and target give the same
bits, with at most a quarter more networks than needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from nnft_num.estimates.estimate import Estimate, estimate_of
from nnft_num.routes import ASKED
from nnft_num.runs.run import Sums
from nnft_sym.language.errors import AccuracyError, SpecificationError

__all__ = ["HIGHEST_TARGET", "Hardest", "Target", "hardest"]

HIGHEST_TARGET = 0.2
"""Errors above a fifth of the scale leave the scale itself, a largest entry, in the noise."""

_LEAST = 2048
"""Networks of the first look."""

_HOPELESS = 8.0
"""Times the networks allowed beyond which a run is given up early, after an eighth of them."""


@dataclass(frozen=True, kw_only=True)
class Hardest:
    """The entry with the largest relative error.

    Parameters
    ----------
    order : int
        k: order of the correlator.
    entry : tuple of int
        Fields of the entry, point * D + output.
    relative : float
        Standard error over the largest |entry| of the same order.
    heavy : bool
        Whether the tails of its fields leave the error itself untrustworthy.
    """

    order: int
    entry: tuple[int, ...]
    relative: float
    heavy: bool

    def __str__(self) -> str:
        return f"G_c({self.order})[{','.join(map(str, self.entry))}]"


def hardest(estimate: Estimate) -> Hardest:
    """Find the entry of all orders with the largest relative error; heavy tails come first.

    Examples
    --------
    >>> from nnft_num.estimates.estimate import estimate_from_fields
    >>> f = np.random.default_rng(0).normal(size=(10_000, 2))
    >>> found = hardest(estimate_from_fields(f, orders=(2,)))
    >>> found.entry, round(found.relative, 2)
    ((1, 1), 0.01)
    """
    found = []
    for order in estimate.orders:
        each = estimate[order]
        scale = float(np.max(np.abs(each.tensor.entries)))
        errors = each.error_tensor.entries
        relative = errors / scale if scale > 0 else np.where(errors > 0, np.inf, 0.0)
        heavy = each.heavy_tailed.entries
        worst = int(np.lexsort((relative, heavy))[-1])
        found.append(
            Hardest(
                order=order,
                entry=tuple(map(int, each.tensor.indices[worst])),
                relative=float(relative[worst]),
                heavy=bool(heavy[worst]),
            )
        )
    return max(found, key=lambda each: (each.heavy, each.relative))


class Target:
    """Decides when a growing run is enough.

    Parameters
    ----------
    relative : float
        Relative error asked for, at most 0.2.
    orders : tuple of int
        Orders that must reach it.
    most : int
        Networks not to exceed, at least 2048.
    reason : str
        Why the route of the run was taken.

    Raises
    ------
    SpecificationError
        If a number is impossible.
    """

    def __init__(
        self, relative: float, orders: tuple[int, ...], most: int, reason: str = ASKED
    ) -> None:
        real = isinstance(relative, (int, float, np.number)) and not isinstance(relative, bool)
        if not real or not 0 < float(relative) <= HIGHEST_TARGET:
            raise SpecificationError(
                expected=f"target= a relative error above 0 and at most {HIGHEST_TARGET}",
                came=f"{relative!r}",
                remedy="pass target=0.01, say, or leave it out and give networks=",
            )
        if most < _LEAST:
            raise SpecificationError(
                expected=f"networks= at least {_LEAST} for a run to a target",
                came=f"{most}",
                remedy="allow more networks, or leave target= out",
            )
        self.relative = float(relative)
        self.orders = orders
        self.most = most
        self.reason = reason

    def __call__(self, sums: Sums, bar: tqdm[Any]) -> bool:
        """Whether the sums are enough.

        Raises
        ------
        AccuracyError
            If the networks allowed do not suffice; its ``estimate`` holds what was reached.
        """
        estimate = estimate_of(sums.moments(), self.orders, sums.provenance(), self.reason)
        found = hardest(estimate)
        if found.relative <= self.relative and not found.heavy:
            return True
        needed = sums.done * (found.relative / self.relative) ** 2
        following = sums.run.layout.next_end(sums.done)
        hopeless = sums.done >= self.most / 8 and needed > _HOPELESS * self.most
        if following > self.most or hopeless:
            self._give_up(estimate, found, needed)
        if np.isfinite(needed):
            bar.total = max(following, int(needed))
        bar.set_postfix_str(f"error {found.relative:.2g} of {self.relative:.2g} at {found}")
        return False

    def _give_up(self, estimate: Estimate, found: Hardest, needed: float) -> None:
        what = f"{found.relative:.2g} at {found} after {estimate.networks:.3g}"
        remedy = f"about {needed:.1g} networks are needed: allow them with networks=, ask for a "
        remedy += "larger target or lower orders, or choose a route with a smaller variance"
        if found.heavy:
            what += ", with tails too heavy for an error bar"
            remedy = "no number of networks helps where moments are infinite; ask for lower orders"
        elif found.relative > HIGHEST_TARGET:
            what += ", where nothing of that order stands out of the noise"
            remedy = f"at least {remedy.removeprefix('about ')}; an order that vanishes is never "
            remedy += "known to a relative error"
        error = AccuracyError(
            expected=f"a relative error of {self.relative:g} within {self.most:.3g} networks",
            came=what,
            remedy=remedy,
        )
        error.__dict__["estimate"] = estimate
        raise error
