"""What the commands do with networks: derive, tabulate, check; results as records for JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nnft_num import reports
from nnft_num.checking import OrderReport, Report
from nnft_num.front import check
from nnft_num.scaling import Sweep, sweep
from nnft_num.spec_reading import Table
from nnft_num.specs import NetworkSpec, Spec, require_check
from nnft_num.verdicts import Verdict, joined
from nnft_sym.correlators import Correlator
from nnft_sym.cumulants import cumulant
from nnft_sym.kernels import kernel
from nnft_sym.language.errors import (
    AccuracyError,
    InfiniteMomentError,
    NNFTError,
    NotDerivedError,
    SpecificationError,
)
from nnft_sym.networks import Network
from nnft_sym.tables import ActivationTable
from nnft_sym.tangent import ntk

__all__ = [
    "Checked",
    "activation_records",
    "as_json",
    "checked_record",
    "derivation_records",
    "derivation_text",
    "run_check",
    "write_checked",
]

NO_ANSWER = (NotDerivedError, AccuracyError, InfiniteMomentError)
"""What the theory raises where it has no answer, though the question is possible."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """Results of a spec.

    Parameters
    ----------
    spec : Spec
        What was asked.
    seed : int
        Seed of the run.
    results : tuple of Report or Sweep
        One for each network.
    """

    spec: Spec
    seed: int
    results: tuple[Report | Sweep, ...]

    @property
    def verdict(self) -> Verdict:
        """Verdict over all networks."""
        return joined(result.verdict for result in self.results)


def run_check(
    spec: Spec,
    *,
    seed: int | None = None,
    networks: int | None = None,
    progress: bool | None = None,
    show: Callable[[str], Any] | None = None,
) -> Checked:
    """Confront the networks of a spec, sharing one family-wise level.

    Parameters
    ----------
    spec : Spec
        Networks, points, parameters and how to check.
    seed, networks : int, optional
        In place of those of the spec.
    progress : bool, optional
        As in :func:`nnft_num.check`.
    show : callable, optional
        Is given the text of each result as soon as it is known.

    Raises
    ------
    SpecificationError
        If points or parameters are missing.
    NotDerivedError, AccuracyError, InfiniteMomentError
        If the theory has no answer.
    """
    require_check(spec)
    chosen = spec.check.seed if seed is None else seed
    count = len(spec.networks)
    # one network has the draws of nm.check(..., rng=seed)
    seeds = [chosen] if count == 1 else np.random.SeedSequence(chosen).spawn(count)
    results = []
    for entry, own in zip(spec.networks, seeds, strict=True):
        with Table({}, spec.file).located(entry.key):
            results.append(_confronted(spec, entry, own, networks, progress))
        if show is not None:
            show(str(results[-1]))
    return Checked(spec=spec, seed=chosen, results=tuple(results))


def _confronted(
    spec: Spec, entry: NetworkSpec, seed: Any, networks: int | None, progress: bool | None
) -> Report | Sweep:
    asked = spec.check
    assert entry.points is not None
    options: dict[str, Any] = {
        "networks": asked.networks if networks is None else networks,
        "rng": seed,
        "level": asked.level / len(spec.networks),
        "resolution": asked.resolution,
        "route": asked.route,
        "progress": progress,
        "params": entry.parameters,
    }
    if asked.widths:
        return sweep(entry.network, entry.points, asked.widths, asked.orders, **options)
    return check(entry.network, entry.points, asked.orders, **options)


def write_checked(checked: Checked, folder: Path, *, every: bool) -> list[Path]:
    """Write the files of a spec, and return their paths.

    Parameters
    ----------
    checked : Checked
        Results.
    folder : Path
        Directory, made if need be.
    every : bool
        Whether to write ``report.json`` and ``entries.tex`` where the spec names no files.
    """
    named = checked.spec.output
    table = named.table or ("entries.tex" if every and named.json is None else None)
    data = named.json or ("report.json" if every and named.table is None else None)
    paths = []
    if table or data:
        _make(folder)
    if table:
        paths.append(folder / table)
        reports.written(_tables(checked), paths[-1])
    if data:
        paths.append(folder / data)
        reports.written(as_json(checked_record(checked)), paths[-1])
    return paths


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecificationError(
            expected="a directory that can be made",
            came=f"{str(folder)!r}: {error.strerror}",
            remedy="choose another with --out",
        ) from None


def _tables(checked: Checked) -> str:
    each = (
        (result,) if isinstance(result, Report) else result.reports for result in checked.results
    )
    return "\n".join(report.to_latex() for listed in each for report in listed)


# --- records


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


def checked_record(checked: Checked) -> dict[str, Any]:
    """Results of a spec as plain data."""
    return {
        "title": checked.spec.title,
        "spec": checked.spec.file,
        "verdict": checked.verdict,
        "seed": checked.seed,
        "level": checked.spec.check.level,
        "networks": [_result_record(result) for result in checked.results],
    }


def _result_record(result: Report | Sweep) -> dict[str, Any]:
    if isinstance(result, Report):
        return _report_record(result)
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
    networks: Iterable[NetworkSpec], quantities: Sequence[str], orders: Sequence[int]
) -> list[dict[str, Any]]:
    """Quantities of networks as plain data; what is not derived says why."""
    return [
        {
            "network": entry.network.name,
            "source": entry.network.source,
            "parameters": entry.network.parameters,
            "quantities": [
                _quantity_record(entry, name, order, derive)
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
    entry: NetworkSpec, name: str, order: int, derive: Callable[[], Correlator]
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
