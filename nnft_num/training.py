"""Networks in training: many of an ensemble at once, and their fields after so many steps.

A network drawn from P(θ) is trained on examples (X, Y) by gradient descent, by stochastic gradient
descent or by Adam, and its fields are looked at after given numbers of steps.  Over networks these
fields have correlators as at initialisation; at infinite width and for the mean squared error they
follow the tangent kernel, f_t(x) = f_0(x) + Θ(x, X) Θ⁻¹ (1 - (1 - ηΘ/n)ᵗ)(Y - f_0(X)).

Initial parameters, batches and therefore everything else are pure functions of seed and number of a
network, so that two runs of one seed over other data, densities or optimisers are paired.

Source: A. Jacot, F. Gabriel, C. Hongler, Advances in Neural Information Processing Systems 31
(2018), for the limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnft_num.compiling import compile_plan
from nnft_num.estimates.estimate import Estimate, estimate_from_fields
from nnft_num.front import merged
from nnft_num.kernels.draws import key_from_rng
from nnft_num.kernels.parameters import fill_parameters
from nnft_num.kernels.training import LOSSES, Task, train_networks
from nnft_num.plans.gradients import TangentPlan
from nnft_num.plans.optimisers import Optimiser
from nnft_num.plans.parameters import Parameters, block_shapes
from nnft_num.runs.executing import Calls, ExecutorLike
from nnft_num.tangents.differentiating import compile_tangent
from nnft_sym.language.errors import AccuracyError, SpecificationError
from nnft_sym.language.markup import Shown, Table
from nnft_sym.networks import Network

__all__ = ["Trained", "Training", "draw_parameters", "run_training", "train"]

_TASK_WORK = 2e9
"""Products of a call: about a second."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Training(Shown):
    """What networks are trained on, how, and how long.

    Parameters
    ----------
    data : tuple of (array_like (n, d), array_like (n, D))
        X and Y: examples and their targets; (n,) is read as one input or one output.
    optimiser : GD, SGD or Adam
        How parameters move.
    steps : int
        Number of steps.
    loss : {"mse", "cross_entropy"}
        Σ_a |f(x_a) - y_a|²/2B over a batch of B examples, or -Σ_a y_a·log softmax f(x_a)/B.
    parametrisation : {"ntk", "standard"}
        Whether the gradient is taken in standardised parameters (W = σ_w ω in z = Wh/√fan_in + b),
        or in the weights w = W/√fan_in and biases themselves.

    Raises
    ------
    SpecificationError
        If data, steps, loss or optimiser are impossible.
    """

    data: tuple[ArrayLike, ArrayLike]
    optimiser: Optimiser
    steps: int
    loss: str = "mse"
    parametrisation: str = "ntk"

    def __post_init__(self) -> None:
        try:
            arrays = tuple(_matrix(array) for array in self.data)
            if len(arrays) != 2 or len(arrays[0]) != len(arrays[1]):
                raise ValueError
        except (TypeError, ValueError):
            raise SpecificationError(
                expected="data=(X, Y) with finite X of shape (n, d) and Y of shape (n, D)",
                came=" and ".join(f"shape {np.shape(array)}" for array in self.data),
                remedy="give one row of Y for each row of X",
            ) from None
        object.__setattr__(self, "data", arrays)
        if not isinstance(self.optimiser, Optimiser):
            raise SpecificationError(
                expected="an optimiser",
                came=f"{self.optimiser!r}",
                remedy="use nm.GD(rate), nm.SGD(rate, batch) or nm.Adam(rate)",
            )
        self.optimiser.batch_of(len(arrays[0]))
        if self.loss not in LOSSES:
            raise SpecificationError(
                expected=f"a loss out of {', '.join(map(repr, LOSSES))}",
                came=f"{self.loss!r}",
                remedy='"mse" is the mean squared error',
            )
        if self.loss == "cross_entropy" and np.any(arrays[1] < 0):
            raise SpecificationError(
                expected="targets >= 0 for the cross entropy",
                came=f"{arrays[1].min():g}",
                remedy="give probabilities of the classes, one-hot targets say",
            )
        object.__setattr__(self, "steps", _steps(self.steps))

    @property
    def _shapes(self) -> str:
        (examples, inputs), (_, outputs) = (np.shape(array) for array in self.data)
        return f"{examples} examples, d={inputs}, D={outputs}"

    def _table(self) -> Table:
        return Table(
            title="Training",
            rows=(
                ("data", self._shapes),
                ("optimiser", str(self.optimiser)),
                ("steps", str(self.steps)),
                ("loss", self.loss),
                ("parametrisation", self.parametrisation),
            ),
        )

    def __repr__(self) -> str:
        how = f"{self.steps} steps of {self.optimiser}, {self.loss}, {self.parametrisation}"
        return f"Training({self._shapes}; {how})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained(Shown):
    """Networks in training: their fields at some times.

    Parameters
    ----------
    training : Training
        What was done.
    at : ndarray, shape (m, d)
        Points of the fields.
    times : tuple of int
        Numbers of steps.
    fields : ndarray, shape (networks, times, m, D)
        Fields at the points at the times.
    losses : ndarray, shape (networks, times)
        Loss over all examples.
    parameters : Parameters or None
        At the end of the training, where they were asked for.
    plan_hash : str
        Hash of the plan of the networks and their gradients.
    key : tuple of two int
        Key of the draws.
    """

    training: Training
    at: NDArray[np.float64]
    times: tuple[int, ...]
    fields: NDArray[np.float64]
    losses: NDArray[np.float64]
    parameters: Parameters | None
    plan_hash: str
    key: tuple[int, int]

    @property
    def networks(self) -> int:
        """Number of networks."""
        return len(self.fields)

    def fields_at(self, time: int) -> NDArray[np.float64]:
        """Fields after so many steps, shape (networks, m, D).

        Raises
        ------
        SpecificationError
            If they were not looked at then.
        """
        if time not in self.times:
            raise SpecificationError(
                expected=f"a time out of {', '.join(map(str, self.times))}",
                came=f"{time!r}",
                remedy="ask for it with times=",
            )
        return self.fields[:, self.times.index(time)]

    def estimate(self, time: int | None = None, orders: int | Iterable[int] = (1, 2)) -> Estimate:
        """Estimate the connected correlators after so many steps, by default at the end.

        Raises
        ------
        SpecificationError
            If the fields were not looked at then, or the orders are impossible.
        """
        return estimate_from_fields(
            self.fields_at(self.times[-1] if time is None else time), orders
        )

    def _table(self) -> Table:
        spread = self.losses.std(axis=0)
        rows = tuple(
            (str(time), f"{loss:.4g}", f"{deviation:.2g}")
            for time, loss, deviation in zip(
                self.times, self.losses.mean(axis=0), spread, strict=True
            )
        )
        points, dimension = self.at.shape
        return Table(
            title=f"{self.networks} networks, {self.training.steps} steps of "
            f"{self.training.optimiser}",
            header=("step", "mean loss", "deviation over networks"),
            rows=rows,
            notes=(f"fields at {points} points in d={dimension}; {self.training!r}",),
        )

    def __repr__(self) -> str:
        optimiser = self.training.optimiser
        return f"Trained({self.networks} networks, {self.times[-1]} steps of {optimiser})"


def draw_parameters(
    net: Network,
    dimension: int,
    networks: int = 1000,
    rng: Any = None,
    *,
    first: int = 0,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> Parameters:
    """Draw the parameters of networks: those of :func:`nnft_num.sample` with the same seed.

    Parameters
    ----------
    net : Network
        The ensemble of networks.
    dimension : int
        d: dimension of the inputs.
    networks : int
        Number of networks.
    rng : None, int, numpy.random.SeedSequence or numpy.random.Generator
        Seed of the draws.
    first : int
        Index of the first network.
    params, **values
        Values of the network's parameters, by mapping or keyword.

    Returns
    -------
    drawn : Parameters
        Blocks ``W_1``, ``b_1``, ..., ``a``, ``c`` by name, networks first.

    Raises
    ------
    SpecificationError
        If parameters or counts are impossible.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> drawn = draw_parameters(nn.relu_net(), 2, 5, 0, N=3, sigma_w=1, sigma_b=0.5, sigma_v=1)
    >>> drawn["W_1"].shape, drawn["a"].shape
    ((5, 3, 2), (5, 1, 3))
    """
    numbers = net.bind(merged(params, values))
    plan = compile_plan(net)
    plan.points(np.zeros((1, dimension)))
    widths = plan.widths(numbers)
    shapes = block_shapes(plan, widths, dimension)
    table = np.empty((_networks(networks), sum(map(prod, shapes.values()))))
    fill_parameters(
        plan,
        dimension=dimension,
        key=key_from_rng(rng),
        start=first,
        values=np.array([numbers[name] for name in plan.parameters], dtype=np.float64),
        widths=widths,
        out=table,
    )
    return Parameters(table=table, shapes=shapes)


def train(
    net: Network,
    data: tuple[ArrayLike, ArrayLike],
    at: ArrayLike | None = None,
    *,
    optimiser: Optimiser,
    steps: int,
    times: Sequence[int] | None = None,
    networks: int = 1000,
    rng: Any = None,
    loss: str = "mse",
    parametrisation: str = "ntk",
    initial: Parameters | None = None,
    keep_parameters: bool = False,
    executor: ExecutorLike = None,
    params: Mapping[str, Any] | None = None,
    **values: Any,
) -> Trained:
    """Train networks of an ensemble on examples, and give their fields after some steps.

    Parameters
    ----------
    net : Network
        The ensemble of networks: any depth, neurons, densities and number of outputs.
    data, optimiser, steps, loss, parametrisation
        As in :class:`Training`.
    at : array_like, shape (m, d)
        Points of the fields; the examples by default.
    times : sequence of int
        Numbers of steps after which the fields are kept, by default 0 and ``steps``.
    networks : int
        Number of networks.
    rng : None, int, numpy.random.SeedSequence or numpy.random.Generator
        Seed of the initial parameters and of the batches; the same seed gives the same bits.
    initial : Parameters, optional
        Initial parameters, in place of draws from P(θ); the seed is then that of the batches.
    keep_parameters : bool
        Whether to keep the parameters at the end.
    executor : concurrent.futures.Executor or function that makes one, optional
        Where the work runs; threads of our own by default.
    params, **values
        Values of the network's parameters, by mapping or keyword.

    Returns
    -------
    Trained
        ``trained.fields``, ``trained.estimate(time, orders)``, ``trained.losses``.

    Raises
    ------
    SpecificationError
        If data, parameters or counts are impossible.
    NotDerivedError
        If a neuron cannot be differentiated.
    AccuracyError
        If the training of a network diverges.

    Examples
    --------
    >>> import nnft_sym as nn
    >>> from nnft_num.plans.optimisers import GD
    >>> X, Y = [[-1.0], [1.0]], [-0.5, 0.5]
    >>> trained = train(nn.erf_net(), (X, Y), optimiser=GD(0.5), steps=200, networks=8, rng=0,
    ...                 N=16, sigma_w=1, sigma_b=0.5, sigma_v=1)
    >>> trained.fields_at(200).mean(axis=0).round(2).ravel().tolist()
    [-0.5, 0.5]
    """
    training = Training(
        data=data, optimiser=optimiser, steps=steps, loss=loss, parametrisation=parametrisation
    )
    return run_training(
        net,
        training,
        training.data[0] if at is None else at,
        times=(0, training.steps) if times is None else times,
        networks=networks,
        key=key_from_rng(rng),
        initial=initial,
        keep_parameters=keep_parameters,
        executor=executor,
        params=merged(params, values),
    )


def run_training(
    net: Network,
    training: Training,
    at: ArrayLike,
    *,
    times: Sequence[int],
    networks: int,
    key: tuple[int, int],
    params: Mapping[str, Any],
    initial: Parameters | None = None,
    keep_parameters: bool = False,
    executor: ExecutorLike = None,
) -> Trained:
    """Train networks as a record of a training says; arguments as for :func:`train`."""
    plan, numbers = compile_tangent(net, training.parametrisation), net.bind(params)
    examples, targets = (np.asarray(array) for array in training.data)
    points = net.points(at)
    task = Task(
        X=net.points(examples),
        Y=targets,
        at=points,
        times=_times(times, training.steps),
        optimiser=training.optimiser,
        loss=training.loss,
    )
    if targets.shape[1] != net.outputs or points.shape[1] != examples.shape[1]:
        raise SpecificationError(
            expected=f"targets of {net.outputs} outputs, and points as the examples in "
            f"{examples.shape[1]} dimensions",
            came=f"targets of {targets.shape[1]} and points in {points.shape[1]} dimensions",
            remedy="match data and points to the network",
        )
    widths = plan.widths(numbers)
    shapes = block_shapes(plan.network, widths, points.shape[1])
    if initial is not None and dict(initial.shapes) != shapes:
        raise SpecificationError(
            expected=f"initial parameters of shapes {shapes}",
            came=f"{dict(initial.shapes)}",
            remedy="draw them with nm.draw_parameters for the same network and dimension",
        )
    count = _networks(networks) if initial is None else initial.networks
    size = sum(map(prod, shapes.values()))
    batch = task.optimiser.batch_of(len(examples))
    passes = 3 * task.times[-1] * batch + len(task.times) * (len(points) + len(examples))
    chunk = max(1, int(_TASK_WORK / (passes * size + 1)))
    real = np.array([numbers[name] for name in plan.parameters], dtype=np.float64)

    def arguments() -> Iterator[tuple[Any, ...]]:
        for start in range(0, count, chunk):
            stop = min(start + chunk, count)
            own = None if initial is None else initial.table[start:stop]
            sizes = (widths, size, keep_parameters)
            yield plan.to_json(), task, key, start, stop, real, sizes, own

    fields = np.empty((count, len(task.times), len(points), net.outputs))
    losses = np.empty((count, len(task.times)))
    table = np.empty((count if keep_parameters else 0, size))
    with Calls(executor) as calls:
        start = 0
        for found, lost, left in calls.results(_train_some, arguments()):
            stop = start + len(found)
            fields[start:stop], losses[start:stop] = found, lost
            if left is not None:
                table[start:stop] = left
            start = stop
    bad = ~(np.isfinite(fields).all(axis=(1, 2, 3)) & np.isfinite(losses).all(axis=1))
    if bad.any():
        raise AccuracyError(
            expected="training that stays finite",
            came=f"NaN or infinity in {bad.sum()} of {count} networks, the first at "
            f"{int(np.argmax(bad))}",
            remedy="reduce the rate: gradient descent of the mean squared error needs it below "
            "2n over the largest eigenvalue of the tangent kernel of the examples",
        )
    return Trained(
        training=training,
        at=points,
        times=task.times,
        fields=fields,
        losses=losses,
        parameters=Parameters(table=table, shapes=shapes) if keep_parameters else None,
        plan_hash=plan.hash,
        key=key,
    )


def _train_some(
    text: str,
    task: Task,
    key: tuple[int, int],
    start: int,
    stop: int,
    values: NDArray[np.float64],
    sizes: tuple[Sequence[int], int, bool],
    initial: NDArray[np.float64] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    """Work of one call, from plain data alone so that it can run in any process."""
    plan, (widths, size, keep) = TangentPlan.from_json(text), sizes
    table = np.empty((stop - start, size))
    if initial is not None:
        table[:] = initial
    else:
        fill_parameters(
            plan.network,
            dimension=task.X.shape[1],
            key=key,
            start=start,
            values=values,
            widths=widths,
            out=table,
        )
    fields = np.empty((stop - start, len(task.times), len(task.at), task.Y.shape[1]))
    losses = np.empty((stop - start, len(task.times)))
    train_networks(
        plan,
        task,
        key=key,
        start=start,
        values=values,
        widths=widths,
        table=table,
        fields=fields,
        losses=losses,
    )
    return fields, losses, table if keep else None


def _matrix(array: Any) -> NDArray[np.float64]:
    found = np.array(array, dtype=np.float64, order="C")
    if found.ndim == 1:
        found = found[:, None]
    if found.ndim != 2 or 0 in found.shape or not np.isfinite(found).all():
        raise ValueError
    return found


def _networks(count: Any) -> int:
    return _whole(count, "networks", 1)


def _steps(count: Any) -> int:
    return _whole(count, "steps", 0)


def _whole(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise SpecificationError(
            expected=f"{name} as an integer of at least {least}",
            came=f"{value!r}",
            remedy=f"pass {name}={max(least, 100)}, say",
        )
    return int(value)


def _times(times: Any, steps: int) -> tuple[int, ...]:
    listed = sorted({_whole(time, "a time", 0) for time in times})
    if not listed or listed[-1] > steps:
        raise SpecificationError(
            expected=f"times from 0 to {steps} steps",
            came=f"{tuple(times)}",
            remedy="look at the fields at steps of the training",
        )
    return tuple(listed)
