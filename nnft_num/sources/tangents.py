"""What is sampled of tangent kernels: rows of the distinct entries of Θ, one network a row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nnft_num.kernels.backpropagation import fill_tangents
from nnft_num.plans.gradients import TangentPlan

__all__ = ["TangentSource"]


@dataclass(frozen=True, kw_only=True, eq=False)
class TangentSource:
    """A tangent plan with its points and parameters: rows fixed by a key and their index.

    Parameters
    ----------
    plan : TangentPlan
        What to draw and to differentiate.
    X : ndarray, shape (n, d)
        Points; (n,) is read as d = 1.
    params : mapping
        Values of the parameters of the plan.

    Raises
    ------
    SpecificationError
        If points or parameters do not fit the plan.
    """

    plan: TangentPlan
    X: NDArray[np.float64]
    params: Mapping[str, float]
    route: ClassVar[str] = "gradients"
    precision: ClassVar[str] = "double"

    def __post_init__(self) -> None:
        object.__setattr__(self, "X", self.plan.points(self.X))
        object.__setattr__(self, "params", self.plan.values(self.params))

    @property
    def dimension(self) -> int:
        """m: distinct entries of Θ."""
        return self.plan.statistics(len(self.X))

    @property
    def work(self) -> float:
        """Cost of one row, in products of two numbers."""
        widths, d = self.plan.widths(self.params), self.X.shape[1]
        products = sum(a * (b + 10) for a, b in zip(widths, (d, *widths), strict=False))
        return float(len(self.X) * products)

    def fill(self, key: tuple[int, int], start: int, out: NDArray[np.float64]) -> None:
        """Write rows start, start + 1, ... into ``out``, shape (rows, m)."""
        values = np.array([self.params[name] for name in self.plan.parameters], dtype=np.float64)
        widths = self.plan.widths(self.params)
        fill_tangents(
            self.plan, self.X, key=key, start=start, values=values, widths=widths, out=out
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the source as plain data; floats survive a round trip to the bit."""
        plan = json.loads(self.plan.to_json())
        return {"plan": plan, "points": self.X.tolist(), "params": dict(self.params)}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, in hexadecimal."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        points = json.dumps(self.X.tolist())
        return _load, (self.plan.to_json(), points, json.dumps(dict(self.params)))


@lru_cache(maxsize=64)
def _load(plan: str, points: str, params: str) -> TangentSource:
    X = np.array(json.loads(points), dtype=np.float64)
    return TangentSource(plan=TangentPlan.from_json(plan), X=X, params=json.loads(params))
