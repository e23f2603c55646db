"""Results of the commands as records for JSON: confrontations, derivations, tables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from nnft_num.commands.specs import NetworkSpec
from nnft_num.confrontation.checking import Report
from nnft_num.confrontation.order_reports import OrderReport
from nnft_num.confrontation.scaling import Sweep
from nnft_num.confrontation.scans import Scan
from nnft_sym.citations import cite
from nnft_sym.correlators import Correlator
from nnft_sym.cumulants import cumulant
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import (
    AccuracyError,
    InfiniteMomentError,
    NNFTError,
    NotDerivedError,
)
from nnft_sym.networks import Network
from nnft_sym.tables import ActivationTable
from nnft_sym.tangent import ntk

__all__ = [
    "activation_records",
    "as_json",
    "derivation_records",
    "derivation_text",
    "result_record",
]

NO_ANSWER = (NotDerivedError, AccuracyError, InfiniteMomentError)
"""What the theory raises where it has no answer, though the question is possible."""


def as_json(data: Any) -> str:
    r"""JSON text; what is not a finite number becomes null.

    Examples
    --------
    >>> as_json({"pull": float("nan"), "entries": np.arange(2)})
    '{"pull": null, "entries": [0, 1]}\n'
    """
    return json.dumps(_plain(data), ensure_ascii=False, allow_nan=False) + "\n"


def _plain(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, np.ndarray):
        return _plain(data.tolist())
    if isinstance(data, (list, tuple)):
        return [_plain(value) for value in data]
    if isinstance(data, np.generic):
        data = data.item()
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return str(data) if isinstance(data, str) else data


def result_record(result: Report | Sweep | Scan) -> dict[str, Any]:
    """Return a confrontation as plain data."""
    if isinstance(result, Report):
        return _report_record(result)
    if isinstance(result, Scan):
        return {
            "network": result.network,
            "verdict": result.verdict,
            "axes": result.axes,
            "reports": [_report_record(report) for report in result.reports],
        }
    return {
        "network": result.network,
        "verdict": result.verdict,
        "widths": result.widths,
        "reports": [_report_record(report) for report in result.reports],
        "slopes": [
            {
                "order": slope.order,
                "slope": slope.value,
                "error": slope.error,
                "claimed": slope.claimed,
                "intercept": slope.intercept.value,
                "intercept_error": slope.intercept.error,
                "intercept_claimed": slope.claimed_intercept,
                "verdict": slope.verdict,
            }
            for slope in result.slopes
        ],
    }


def _report_record(report: Report) -> dict[str, Any]:
    return {
        "network": report.network,
        "verdict": report.verdict,
        "parameters": report.params,
        "points": report.X,
        "sampled": report.networks,
        "route": report.route,
        "networks_needed": report.networks_needed,
        "orders": [_order_record(order) for order in report.orders],
        "references": cite(report).keys,
    }


def _order_record(order: OrderReport) -> dict[str, Any]:
    return {
        "order": order.order,
        "verdict": order.verdict,
        "reasons": order.reasons,
        "exactness": order.exactness,
        "scale": np.max(order.scale.entries),
        "fields": order.theory.indices,
        "theory": order.theory.entries,
        "theory_error": order.theory_error.entries,
        "estimate": order.estimate.entries,
        "error": order.error.entries,
        "pull": order.pull.entries,
        "limit": order.limit.entries,
        "resolution": order.resolution.entries,
        "required": order.required.entries,
        "verdicts": order.verdicts.entries,
    }


def derivation_records(
    networks: Iterable[NetworkSpec],
    quantities: Sequence[str],
    orders: Sequence[int],
    *,
    values: bool = True,
) -> list[dict[str, Any]]:
    """Quantities of networks as plain data; what is not derived says why.

    Parameters
    ----------
    networks : iterable of NetworkSpec
        With points and values of parameters, if any.
    quantities : sequence of str
        Some of kernel, ntk and cumulant.
    orders : sequence of int
        Orders of the cumulants.
    values : bool
        Whether to evaluate them where points and all parameters are given.
    """
    return [
        {
            "network": entry.network.name,
            "source": entry.network.source,
            "parameters": entry.network.parameters,
            "quantities": [
                _quantity_record(entry if values else None, name, order, derive)
                for name, order, derive in _wanted(entry.network, quantities, orders)
            ],
        }
        for entry in networks
    ]


def _wanted(
    net: Network, quantities: Sequence[str], orders: Sequence[int]
) -> Iterable[tuple[str, int, Callable[[], Correlator]]]:
    for name in quantities:
        if name == "kernel":
            yield "kernel", 2, partial(kernel, net)
        elif name == "ntk":
            yield "ntk", 2, partial(ntk, net)
        else:
            yield from (("cumulant", order, partial(cumulant, net, order)) for order in orders)


def _quantity_record(
    entry: NetworkSpec | None, name: str, order: int, derive: Callable[[], Correlator]
) -> dict[str, Any]:
    record: dict[str, Any] = {"quantity": name, "order": order}
    try:
        correlator = derive()
        record |= {
            "name": correlator.name,
            "formula": str(correlator.formula()),
            "latex": correlator.latex(),
            "exactness": str(correlator.exactness),
            "reference": correlator.source,
        }
    except NO_ANSWER as reason:
        return record | {"not_derived": str(reason)}
    if entry is None:
        return record
    several = sorted(set(entry.axes) & set(correlator.parameters))
    if several:
        return record | {"not_evaluated": f"several values of {', '.join(several)}"}
    known = {k: v for k, v in entry.parameters.items() if k in correlator.parameters}
    if entry.points is not None and set(known) == set(correlator.parameters):
        try:
            evaluation = correlator.evaluate(entry.points, params=known)
            record |= {
                "points": entry.points,
                "fields": evaluation.values.indices,
                "values": evaluation.values.entries,
                "errors": evaluation.errors.entries,
            }
        except NNFTError as reason:
            record["not_evaluated"] = str(reason)
    return record


def derivation_text(records: Iterable[Mapping[str, Any]]) -> str:
    """Derivations as LaTeX, each below a comment that says what it is."""
    lines = []
    for record in records:
        source = f" ({record['source']})" if record["source"] else ""
        lines.append(f"% {record['network']}{source}")
        for quantity in record["quantities"]:
            title = f"% {quantity['quantity']}, order {quantity['order']}"
            if "not_derived" in quantity:
                lines += [f"{title}: not derived: {quantity['not_derived']}", ""]
            else:
                lines += [f"{title}: {quantity['exactness']}", quantity["latex"], ""]
    return "\n".join(lines)


def activation_records(table: ActivationTable) -> list[dict[str, Any]]:
    """Rows of a table of activations as plain data."""
    import sympy as sp

    return [
        {
            "activation": str(row.activation.expression),
            "kernel": sp.latex(row.kernel),
            "kernel_exactness": str(row.kernel_exactness),
            "ntk_factor": sp.latex(row.factor),
            "ntk_factor_exactness": str(row.factor_exactness),
            "class": None if row.criticality is None else row.criticality.universality,
        }
        for row in table.rows
    ]
