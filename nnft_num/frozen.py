"""Frozen correlators: values with errors in a file, to be compared with what comes later.

A frozen estimate and a later one are both random, and are compared by pulls,

    pull = (frozen - new)/sqrt(frozen error² + new error² + floor²),

with the verdicts of ``nnft_num.confrontation.checking``; where both come from one seed the pulls
are smaller than they say.  A frozen theory and a later one differ by rounding and the bounds of
their errors, or not at all: an entry disagrees where |frozen - new| > frozen error + new error +
1e-11 |largest entry|.

A file is JSON with the SHA-256 of what it says: one that was cut short, edited or comes from
elsewhere is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from nnft_num.confrontation.checking import Report, confront
from nnft_num.confrontation.verdicts import Verdict
from nnft_num.estimates.estimate import Estimate
from nnft_num.plans.reading import read_count, read_json, read_list, read_record
from nnft_sym.correlators import Evaluation
from nnft_sym.exactness import Exactness
from nnft_sym.language.errors import NNFTError, SpecificationError, StorageError
from nnft_sym.tensors import SymmetricTensor

__all__ = ["Drift", "Frozen", "FrozenTensor", "compare", "freeze", "read_frozen", "write_frozen"]

_FORMAT = "nnft-frozen/1"
_ROUNDING = 1e-11
_RESOLUTION = 5.0
_KEYS = ("kind", "owner", "points", "outputs", "networks", "tensors")


@dataclass(frozen=True, kw_only=True, eq=False)
class FrozenTensor:
    """Unique entries of one order.

    Parameters
    ----------
    values, errors : ndarray, shape (U,)
        Entries and their standard errors, or bounds on the error of a theory.
    freedom : ndarray, shape (U,)
        Degrees of freedom of standard errors; zero for bounds.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    freedom: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frozen:
    """Correlators as they once were.

    Parameters
    ----------
    kind : {"estimate", "theory"}
        Where they came from.
    owner : str
        Who froze them; nobody else replaces them.
    points, outputs : int
        n and D.
    networks : int
        Size of the sample; zero for a theory.
    tensors : mapping of int to FrozenTensor
        By order.
    """

    kind: Literal["estimate", "theory"]
    owner: str
    points: int
    outputs: int
    networks: int
    tensors: Mapping[int, FrozenTensor]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far a theory moved since it was frozen.

    Parameters
    ----------
    order : int
        Of the correlator.
    pull : float
        The largest |frozen - new| in units of what rounding and error bounds allow.
    resolution : float
        Largest |entry| in the same units, where that is lowest.
    """

    order: int
    pull: float
    resolution: float

    @property
    def verdict(self) -> Verdict:
        """Disagree beyond what is allowed, unresolved if that is a fifth of the scale or more."""
        if not self.pull <= 1:
            return Verdict.DISAGREE
        return Verdict.AGREE if self.resolution >= _RESOLUTION else Verdict.UNRESOLVED

    def __str__(self) -> str:
        return (
            f"order {self.order} against its frozen values: difference {self.pull:.3g} of what "
            f"error bounds and rounding allow, resolution {self.resolution:.3g}: {self.verdict}"
        )


def freeze(what: Estimate | Evaluation, owner: str) -> Frozen:
    """Take an estimate or an evaluated correlator as it is now.

    Raises
    ------
    SpecificationError
        If it is neither, or an estimate has tails too heavy for its errors to be kept.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> now = nn.kernel(nn.erf_net()).evaluate([0.0, 1.0], sigma_w=1, sigma_b=1, sigma_v=1)
    >>> freeze(now, "me").tensors[2].values.round(4).tolist()
    [0.4646, 0.3455, 0.5903]
    """
    if isinstance(what, Evaluation):
        values = np.array(what.values.entries, dtype=np.float64)
        errors = np.array(what.errors.entries, dtype=np.float64)
        tensor = FrozenTensor(values=values, errors=errors, freedom=np.zeros(len(values)))
        tensors, kind, networks = {what.values.order: tensor}, "theory", 0
        points, outputs = what.points, what.outputs
    elif isinstance(what, Estimate):
        tensors, kind, networks = {}, "estimate", what.networks
        points, outputs = what.points, what.outputs_count
        for order in what.orders:
            own = what[order]
            if own.heavy_tailed.entries.any():
                raise SpecificationError(
                    expected="errors that can be trusted",
                    came=f"heavy tails in {own.heavy_tailed.entries.sum()} entries of order "
                    f"{order}",
                    remedy="freeze lower orders, or more networks",
                )
            tensors[order] = FrozenTensor(
                values=own.tensor.entries,
                errors=own.error_tensor.entries,
                freedom=own.freedom.entries,
            )
    else:
        raise SpecificationError(
            expected="an estimate, or a correlator evaluated at points",
            came=f"a value of type {type(what).__name__}",
            remedy="pass nm.correlators(...), nm.estimate(...) or G.evaluate(X, **params)",
        )
    return Frozen(
        kind="theory" if kind == "theory" else "estimate",
        owner=owner,
        points=points,
        outputs=outputs,
        networks=networks,
        tensors=tensors,
    )


def compare(frozen: Frozen, now: Estimate | Evaluation, *, level: float = 0.01) -> Report | Drift:
    """Compare with what was frozen.

    Raises
    ------
    SpecificationError
        If the two are over different points, outputs or orders, or of different kinds.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> K = nn.kernel(nn.erf_net())
    >>> old = freeze(K.evaluate([0.0, 1.0], sigma_w=1, sigma_b=1, sigma_v=1), "me")
    >>> str(compare(old, K.evaluate([0.0, 1.0], sigma_w=1, sigma_b=1, sigma_v=1.001)).verdict)
    'disagree'
    """
    own = freeze(now, frozen.owner)
    mine, its = (
        (f"{one.kind} of orders {sorted(one.tensors)}", one.points, one.outputs)
        for one in (frozen, own)
    )
    if mine != its:
        raise SpecificationError(
            expected=f"a {mine[0]} over {mine[1]} points and {mine[2]} outputs, as was frozen",
            came=f"a {its[0]} over {its[1]} points and {its[2]} outputs",
            remedy="freeze it anew if that is meant",
        )
    if isinstance(now, Estimate):
        return _pulled(frozen, now, level)
    (order,) = frozen.tensors
    old, new = frozen.tensors[order], own.tensors[order]
    scale = float(np.max(np.abs(old.values), initial=0.0))
    allowed = old.errors + new.errors + _ROUNDING * scale
    difference = np.abs(old.values - new.values)
    with np.errstate(divide="ignore", invalid="ignore"):
        pulls = np.where(difference == 0, 0.0, difference / allowed)
        resolution = scale / float(np.max(allowed)) if scale else np.inf
    return Drift(order=order, pull=float(np.max(pulls)), resolution=resolution)


def _pulled(frozen: Frozen, now: Estimate, level: float) -> Report:
    dimension = frozen.points * frozen.outputs
    theory = {
        order: Evaluation(
            values=SymmetricTensor(order, dimension, tensor.values),
            errors=SymmetricTensor(order, dimension, tensor.errors),
            points=frozen.points,
            outputs=frozen.outputs,
            exactness=Exactness.exact(),
        )
        for order, tensor in frozen.tensors.items()
    }
    report = confront(
        theory,
        now,
        variances=_variances(now),
        width=1,
        network=f"frozen estimate of {frozen.networks} networks",
        level=level,
    )
    # an error is known no better than the worse of the two
    orders = []
    for order in report.orders:
        own, old = order.freedom, frozen.tensors[order.order].freedom
        least = SymmetricTensor(own.order, own.dimension, np.minimum(own.entries, old))
        orders.append(replace(order, freedom=least, exactness="estimate"))
    return replace(report, orders=tuple(orders))


def _variances(estimate: Estimate) -> NDArray[np.float64]:
    """Sample variance of each field: its natural scale squared."""
    if estimate.moments.max_order < 2:
        return estimate.networks * estimate[1].error_tensor.entries ** 2
    second = replace(estimate, orders=(2,))[2].tensor
    return second.gather(np.arange(second.dimension)[:, None].repeat(2, axis=1))


# --- files


def write_frozen(frozen: Frozen, path: Path) -> None:
    """Write a file so that at any moment the old one or the new one is there, whole.

    Raises
    ------
    StorageError
        If the file there was frozen by another owner, or it cannot be written.
    """
    if path.exists():
        owner = read_frozen(path).owner
        if owner != frozen.owner:
            _refuse(path, f"a file that {frozen.owner} froze", f"one of {owner}", "another name")
    body = {
        "format": _FORMAT,
        "kind": frozen.kind,
        "owner": frozen.owner,
        "points": frozen.points,
        "outputs": frozen.outputs,
        "networks": frozen.networks,
        "tensors": {
            str(order): {
                "values": tensor.values.tolist(),
                "errors": tensor.errors.tolist(),
                "freedom": tensor.freedom.tolist(),
            }
            for order, tensor in sorted(frozen.tensors.items())
        },
    }
    text = json.dumps({**body, "sha256": _seal(body)}, indent=1, allow_nan=False)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text + "\n", encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        _refuse(path, "a file that can be written", str(error), "check the directory")


def read_frozen(path: Path) -> Frozen:
    """Read a file of frozen correlators, after checking its seal.

    Raises
    ------
    StorageError
        If it is missing, cut short, edited or foreign.
    """
    try:
        data = read_json(path.read_text(encoding="utf-8"), "frozen correlators")
        body = read_record(data, "frozen correlators", ("format", *_KEYS, "sha256"))
        if body["format"] != _FORMAT:
            _refuse(path, f"the format {_FORMAT}", f"{body['format']!r:.40}", "freeze it anew")
        if body["sha256"] != _seal({key: body[key] for key in ("format", *_KEYS)}):
            _refuse(path, "the checksum of its contents", "another", "freeze it anew")
        return _frozen(body)
    except StorageError:
        raise
    except OSError as error:
        _refuse(path, "a file of frozen correlators", f"{error.strerror}", "freeze it first")
    except (NNFTError, ValueError) as error:
        _refuse(path, "frozen correlators", f"{error}", "freeze them anew")


def _frozen(body: Mapping[str, Any]) -> Frozen:
    points = read_count(body["points"], "points", 1)
    outputs = read_count(body["outputs"], "outputs", 1)
    tensors = {}
    for key, value in body["tensors"].items():
        order = read_count(int(key), "an order", 1)
        unique = comb(points * outputs + order - 1, order)
        held = read_record(value, f"order {order}", ("values", "errors", "freedom"))
        arrays = {}
        for name, entries in held.items():
            array = np.array(read_list(entries, name, unique), dtype=np.float64)
            if array.shape != (unique,) or not np.isfinite(array).all():
                raise ValueError(f"{name} of order {order} of shape {array.shape}")
            arrays[name] = array
        tensors[order] = FrozenTensor(**arrays)
    if body["kind"] not in ("estimate", "theory") or not tensors:
        raise ValueError(f"{body['kind']!r:.40} with {len(tensors)} orders")
    return Frozen(
        kind=body["kind"],
        owner=str(body["owner"]),
        points=points,
        outputs=outputs,
        networks=read_count(body["networks"], "networks", 0),
        tensors=tensors,
    )


def _seal(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse(path: Path, expected: str, came: str, remedy: str) -> NoReturn:
    raise StorageError(expected=f"{expected} in {path}", came=f"{came:.200}", remedy=remedy)
