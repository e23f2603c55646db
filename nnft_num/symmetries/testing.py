"""Symmetries seen in function space: correlators before and after a transformation.

An ensemble is invariant under g if f∘g, or g∘f, has the law of f.  For elements of a group the
defect

    Δ_g = G⁽ᵏ⁾(g x₁, ..., g x_k) - G⁽ᵏ⁾(x₁, ..., x_k),    or    G⁽ᵏ⁾ - (g⊗...⊗g) G⁽ᵏ⁾,

of connected correlators is estimated on both sides from the same networks, whose fluctuations
cancel where they are common.  Entries, orders and elements are tested together by flips of the
signs of the groups of networks (``sign_flips``), so that the p-value is uniform where the symmetry
holds.  A test that finds nothing says what it would have seen: a defect of c + z errors, with c the
size it calls significant and z the 0.9-quantile of a normal, is seen with probability 0.9.

Source: A. Maiti, K. Stoner, J. Halverson, arXiv:2106.00694.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.compiling import compile_plan
from nnft_num.confrontation.by_order import ByOrder
from nnft_num.estimates.estimate import wanted_orders
from nnft_num.front import merged
from nnft_num.kernels.draws import key_from_rng
from nnft_num.reporting import reports
from nnft_num.reporting.publishing import Published
from nnft_num.runs.executing import ExecutorLike
from nnft_num.symmetries import reports as symmetry_reports
from nnft_num.symmetries.defects import DefectCriterion, OrderDefect, defects_of
from nnft_num.symmetries.elements import GroupElement, as_elements, generators, random_elements
from nnft_num.symmetries.ensembles import Ensemble, Fields, Kernels, TrainedFields
from nnft_num.training import Training
from nnft_sym.group_theory.group import Group
from nnft_sym.language.errors import SpecificationError
from nnft_sym.language.markup import Table
from nnft_sym.networks import Network
from nnft_sym.tangent import Parametrisation

__all__ = ["SymmetryReport", "symmetry_test"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SymmetryReport(ByOrder[OrderDefect], Published):
    """Whether the correlators of an ensemble keep a symmetry, as far as a sample shows.

    Parameters
    ----------
    network, group : str
        Their names.
    on : str
        "input" or "output".
    what : str
        What was observed.
    params : mapping
        Values of the parameters of the network.
    X : ndarray, shape (n, d)
        Points.
    outputs : int
        D.
    elements : tuple of GroupElement
        Elements tested.
    orders : tuple of OrderDefect
        One for each order; ``report[4]`` looks one up.
    p_value : float
        Of all entries together; uniform where the symmetry holds.
    level : float
        p-value up to which the symmetry is rejected.
    networks, groups, flips : int
        Size of the sample, groups whose signs are flipped, and number of flips.
    key : tuple of two int
        Key of the draws.
    """

    source: ClassVar[str] = "MSH21 section 2"

    network: str
    group: str
    on: str
    what: str
    params: Mapping[str, float]
    X: NDArray[np.float64]
    outputs: int
    elements: tuple[GroupElement, ...]
    orders: tuple[OrderDefect, ...]
    p_value: float
    level: float
    networks: int
    groups: int
    flips: int
    key: tuple[int, int]

    @property
    def subject(self) -> str:
        """What was tested, in words."""
        return f"{self.network} under {self.group}"

    @property
    def headline(self) -> str:
        """Title of a page or an article of its own."""
        return f"{self.subject}: correlators before and after"

    @property
    def cites(self) -> tuple[Any, ...]:
        """What the test rests on."""
        return ("WY93, E82",)

    @property
    def networks_needed(self) -> int | None:
        """Networks that would resolve all orders, None if that is not the remedy."""
        factors = [f for order in self.orders if (f := order.networks_factor) is not None]
        return int(np.ceil(max(factors) * self.networks)) if factors else None

    def to_text(self) -> str:
        """Terminal table."""
        return symmetry_reports.text(self)

    def to_dataframe(self) -> Any:
        """One row for each element and distinct entry, as a pandas.DataFrame."""
        return symmetry_reports.dataframe(self)

    def to_latex(self, path: str | Path | None = None) -> str:
        """LaTeX table (booktabs, siunitx), one row for each order."""
        return reports.written(symmetry_reports.latex(self), path)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"SymmetryReport({self.network} under {self.group}: {self.verdict})"

    def _table(self) -> Table:
        return symmetry_reports.table(self)


def symmetry_test(
    net: Network,
    group: Group,
    X: ArrayLike,
    orders: int | Iterable[int] | None = None,
    networks: int = 10**4,
    rng: Any = None,
    *,
    on: str = "input",
    of: str = "fields",
    representation: Any = None,
    elements: int | Iterable[Any] = 4,
    size: float = 1.0,
    training: Training | None = None,
    move_data: bool = True,
    level: float = 0.01,
    resolution: float = 5.0,
    flips: int = 999,
    route: str = "parameters",
    precision: str = "double",
    parametrisation: Parametrisation = "ntk",
    executor: ExecutorLike = None,
    progress: bool | None = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> SymmetryReport:
    """Test whether the correlators of sampled networks are invariant under a group.

    Parameters
    ----------
    net : Network
        The ensemble of networks.
    group : Group
        The group, as ``nn.SO(3)``.
    X : array_like, shape (n, d)
        Points; (n,) is read as d = 1.
    orders : iterable of int
        Orders of the connected correlators, (2, 4) by default; of cumulants of the entries of Θ, 1
        by default.
    networks : int
        Number of networks, the same on both sides and for all elements.
    rng : None, int, numpy.random.SeedSequence or numpy.random.Generator
        Seed of networks, elements and flips.
    on : {"input", "output"}
        Whether the group moves the points, or the outputs.
    of : {"fields", "ntk"}
        Whether fields are tested, or the tangent kernel Θ: Θ(gx, gy), or gΘgᵀ.
    representation : Representation, optional
        How the group acts on inputs or outputs; by default as it is defined.
    elements : int or sequence
        Number of random elements, besides the finite generators; or the elements: matrices, affine
        maps, or elements from :func:`nnft_num.random_elements`.
    size : float
        Size of random elements of groups without a Haar draw.
    training : Training, optional
        Tests the fields of networks trained so, at its end, with the examples moved along.
    move_data : bool
        Whether the examples are moved along.
    level : float
        p-value up to which the symmetry is rejected.
    resolution : float
        Scale of the correlator over the error of its defects that is asked for.
    flips : int
        Number of flips: the p-value is a multiple of 1/(flips + 1).
    route, precision, parametrisation, executor, progress, params, **values
        As in :func:`nnft_num.correlators`, :func:`nnft_num.tangent` and :func:`nnft_num.train`.

    Returns
    -------
    SymmetryReport

    Raises
    ------
    SpecificationError
        If the group does not act on the inputs or outputs, or a number is impossible.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> report = symmetry_test(nn.erf_net(), nn.SO(2), [[0.3, 0.8], [1.0, 0.0]], orders=2,
    ...                        networks=4000, rng=0, N=4, sigma_w=1, sigma_b=0.5, sigma_v=1)
    >>> str(report.verdict), bool(report.p_value > 0.01)
    ('agree', True)
    """
    _among(on, ("input", "output"), "on")
    _among(of, ("fields", "ntk"), "of")
    _require_kinds(net, group, representation)
    points, numbers, key = net.points(X), net.bind(merged(params, values)), key_from_rng(rng)
    chosen = _elements(group, representation, elements, size, key)
    for element in chosen:
        _require_action(element, on, points.shape[1], net.outputs, group)
    common: dict[str, Any] = dict(
        net=net, X=points, networks=networks, key=key, params=numbers, executor=executor
    )
    ensemble: Ensemble
    if training is not None:
        if of != "fields":
            raise SpecificationError(
                expected='of="fields" for trained networks',
                came=f"{of!r}",
                remedy="test the tangent kernel at initialisation",
            )
        ensemble = TrainedFields(training=training, move_data=move_data, **common)
        what = f"fields after {training.steps} steps of {training.optimiser}"
        what += "" if move_data else ", examples not moved"
    elif of == "ntk":
        ensemble = Kernels(parametrisation=parametrisation, progress=progress, **common)
        what = f"tangent kernel ({parametrisation})"
    else:
        ensemble = Fields(route=route, precision=precision, progress=progress, **common)
        what = f"fields ({route}, {precision} precision)"
    wanted = wanted_orders(((1,) if of == "ntk" else (2, 4)) if orders is None else orders)
    pairs = [ensemble.sides(element, on, tuple(sorted({*wanted, 2}))) for element in chosen]
    single = of == "fields" and training is None and precision == "single"
    criterion = DefectCriterion(
        level=level,
        resolution=resolution,
        flips=flips,
        width=compile_plan(net).widths(numbers)[-1] if of == "fields" else 1,
        rounding=1e-5 if single else 1e-10,
    )
    tables, p_value = defects_of(pairs, wanted, criterion, np.random.default_rng([*key, 2]))
    counts = pairs[0][0].counts
    return SymmetryReport(
        network=net.name,
        group=group.name,
        on=on,
        what=what,
        params=numbers,
        X=points,
        outputs=net.outputs if of == "fields" else 1,
        elements=chosen,
        orders=tables,
        p_value=p_value,
        level=level,
        networks=int(counts.sum()),
        groups=len(counts),
        flips=flips,
        key=key,
    )


def _elements(
    group: Group,
    representation: Any,
    elements: int | Iterable[Any],
    size: float,
    key: Sequence[int],
) -> tuple[GroupElement, ...]:
    """Finite generators and random elements, or those given, as they act."""
    acting = group.dimension if representation is None else int(representation.dimension)
    if not isinstance(elements, int):
        return as_elements(elements, acting)
    found = random_elements(group, elements, np.random.SeedSequence([*key, 1]), size=size)
    # where all is finite, an empty word is the identity, which moves nothing
    moving = found if group.fields else tuple(element for element in found if element.word)
    found = (*generators(group), *moving) or found
    if representation is not None:
        return tuple(element.represented(representation) for element in found)
    return found


def _require_kinds(net: Network, group: Group, representation: Any) -> None:
    if not isinstance(net, Network) or not isinstance(group, Group):
        raise SpecificationError(
            expected="a network and a group",
            came=f"{type(net).__name__} and {type(group).__name__}",
            remedy="write for example nm.symmetry_test(nn.erf_net(), nn.SO(2), X)",
        )
    if representation is not None and getattr(representation, "group", None) != group:
        raise SpecificationError(
            expected=f"a representation of {group.name}",
            came=f"{representation!r}",
            remedy="make it of the same group, as nn.defining(group)",
        )


def _require_action(element: GroupElement, on: str, d: int, outputs: int, group: Group) -> None:
    acted = d if on == "input" else outputs
    if element.dimension != acted:
        raise SpecificationError(
            expected=f"a group that acts on the {on} in {acted} dimensions",
            came=f"{group.name} on {element.dimension}",
            remedy="choose the group or its representation to match the network",
        )
    if on == "output" and element.matrix is None:
        raise SpecificationError(
            expected="a group that acts on the outputs by affine maps",
            came=group.name,
            remedy="test it on the input",
        )


def _among(value: str, known: tuple[str, ...], name: str) -> None:
    if value not in known:
        raise SpecificationError(
            expected=f"{name} out of {', '.join(map(repr, known))}",
            came=f"{value!r}",
            remedy=f"pass {name}={known[0]!r}",
        )
