"""Reports built from numbers: one order over two points."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnft_num.confrontation.checking import Report
from nnft_num.confrontation.order_reports import OrderReport
from nnft_num.confrontation.verdicts import Criterion
from nnft_sym.tensors import SymmetricTensor


def order_report(
    theory: list[float],
    estimate: list[float],
    error: list[float],
    *,
    order: int = 4,
    theory_error: float = 0.0,
    freedom: float = 127.0,
    skew: float = 0.0,
    heavy: list[bool] | None = None,
    natural: list[float] | None = None,
    sparse: list[bool] | None = None,
    floor: float = 0.0,
    networks: int = 10_000,
    level: float = 0.01,
    resolution: float = 5.0,
    family: int | None = None,
    outputs: int = 1,
) -> OrderReport:
    count = len(theory)
    dimension = {1: 1, order + 1: 2}[count]

    def tensor(entries: Any) -> SymmetricTensor:
        return SymmetricTensor(order, dimension, np.array(entries))

    return OrderReport(
        order=order,
        points=dimension // outputs,
        outputs=outputs,
        theory=tensor(theory),
        theory_error=tensor([theory_error] * count),
        estimate=tensor(estimate),
        error=tensor(error),
        freedom=tensor([freedom] * count),
        skew=tensor([skew] * count),
        heavy_tailed=tensor([False] * count if heavy is None else heavy),
        sparse=tensor([False] * count if sparse is None else sparse),
        floor=tensor([floor] * count),
        natural=tensor([1.0] * count if natural is None else natural),
        exactness="exact closed form",
        networks=networks,
        groups=128,
        criterion=Criterion(level=level, resolution=resolution, family=family or count),
    )


def report(*orders: OrderReport) -> Report:
    return Report(
        network="Erf-net",
        params={"N": 3, "sigma_w": 1.0},
        X=np.array([[0.0], [1.0]]),
        orders=orders,
        criterion=orders[0].criterion,
        networks=10_000,
        groups=128,
        route="parameters",
    )
