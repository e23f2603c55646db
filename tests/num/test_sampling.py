from __future__ import annotations

import random
import tracemalloc
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest

from nnft_num.plans.plan import Plan
from nnft_num.runs import sampling
from nnft_num.runs.sampling import sample_fields, sample_moments
from nnft_num.sources.source import Source
from nnft_num.statistics.moments import moments_from_fields
from nnft_sym.language.errors import SpecificationError
from tests.num.example_plans import ERF, OUTPUTS, data, dense, scalar

KEY = (11, 12)


def run(executor=None, networks=20_001, **changes):
    options = {"max_order": 4, "key": KEY, "params": ERF.params} | changes
    source = Source(plan=ERF.plan, X=ERF.X, params=options.pop("params"), precision="single")
    return sample_moments(source, networks=networks, executor=executor, **options)


class Shuffled(Executor):
    """Keeps tasks back and runs them in random order, a few at a time."""

    def __init__(self, seed: int) -> None:
        self._max_workers = 3
        self.random = random.Random(seed)
        self.waiting: list = []
        self.order: list[int] = []
        self.submitted = 0

    def submit(self, function, /, *args, **kwargs):
        executor, number = self, self.submitted
        self.submitted += 1

        class Lazy(Future):
            def result(self, timeout=None):
                while not self.done():
                    executor.step()
                return super().result(timeout)

        future = Lazy()
        self.waiting.append((number, future, function, args, kwargs))
        return future

    def step(self):
        chosen = self.random.randrange(len(self.waiting))
        number, future, function, args, kwargs = self.waiting.pop(chosen)
        self.order.append(number)
        future.set_result(function(*args, **kwargs))


@pytest.fixture
def small_tasks(monkeypatch):
    monkeypatch.setattr(sampling, "_TASK_WORK", 4e5)
    monkeypatch.setattr(sampling, "_TASK_SECONDS", 0.0)


@pytest.mark.usefixtures("small_tasks")
def test_the_schedule_does_not_change_a_bit():
    reference = run()
    shuffled = Shuffled(seed=1)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        others = [run(one), run(two), run(shuffled), run(Shuffled(seed=2))]
    assert len(shuffled.order) > 20
    assert shuffled.order != sorted(shuffled.order)
    for other in others:
        assert np.array_equal(other.table, reference.table)
        assert np.array_equal(other.maxima, reference.maxima)


def test_different_keys_give_different_networks():
    assert not np.isin(run(networks=128).table, run(networks=128, key=(11, 13)).table).any()


@pytest.mark.parametrize("networks", [1, 5, 130, 4099])
def test_moments_are_those_of_the_raw_fields(networks):
    fields = sample_fields(OUTPUTS.plan, OUTPUTS.X, networks, KEY, OUTPUTS.params)
    source = Source(plan=OUTPUTS.plan, X=OUTPUTS.X, params=OUTPUTS.params, precision="single")
    streamed = sample_moments(source, networks=networks, max_order=3, key=KEY)
    assert streamed.dimension == 9
    direct = moments_from_fields(fields.reshape(networks, 9), max_order=3)
    assert np.array_equal(streamed.counts, direct.counts)
    assert np.array_equal(streamed.table, direct.table)


@pytest.mark.usefixtures("small_tasks")
def test_groups_longer_than_a_task_are_folded():
    streamed = run(groups=3, networks=5000)
    fields = sample_fields(ERF.plan, ERF.X, 5000, KEY, ERF.params)[..., 0]
    direct = moments_from_fields(fields, max_order=4, groups=3)
    np.testing.assert_allclose(streamed.table, direct.table, rtol=1e-11, atol=1e-9)
    assert np.array_equal(streamed.maxima, direct.maxima)


def test_any_network_can_be_drawn_alone():
    together = sample_fields(ERF.plan, ERF.X, 10, KEY, ERF.params)
    for index in (0, 7):
        alone = sample_fields(ERF.plan, ERF.X, 1, KEY, ERF.params, start=index)
        assert np.array_equal(alone[0], together[index])


def test_memory_does_not_grow_with_the_number_of_networks():
    peaks = []
    for networks in (20_000, 400_000):
        tracemalloc.start()
        with ThreadPoolExecutor(1) as pool:
            run(pool, networks=networks, params=ERF.params | {"N": 1})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 100_000
    assert peaks[1] < 0.1 * 400_000 * len(ERF.X) * 8


REFUSED = SpecificationError(expected="a", came="b", remedy="c")


class Failing(ThreadPoolExecutor):
    """Hands back a failure first, and remembers what else was asked for."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(1)
        self.error = error
        self.futures: list[Future] = []

    def submit(self, function, /, *args, **kwargs):
        future: Future = Future()
        if not self.futures:
            future.set_exception(self.error)
        self.futures.append(future)
        return future


@pytest.mark.usefixtures("small_tasks")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), REFUSED], ids=["interrupt", "our own"])
def test_an_interrupted_run_cancels_what_is_waiting(error):
    with Failing(error) as pool:
        with pytest.raises(type(error)):
            run(pool)
        assert len(pool.futures) > 1
        assert all(future.cancelled() for future in pool.futures[1:])


def test_the_number_of_waiting_tasks_is_bounded(monkeypatch):
    monkeypatch.setattr(sampling, "_TASK_WORK", 1e5)
    monkeypatch.setattr(sampling, "_TASK_SECONDS", 0.0)
    pool, most = Shuffled(seed=3), 0
    submit = pool.submit

    def counting(*args):
        nonlocal most
        most = max(most, len(pool.waiting) + 1)
        return submit(*args)

    pool.submit = counting
    run(pool)
    assert pool.submitted > 50
    assert most <= 4 * 3


def test_progress_is_shown_only_when_asked_or_at_a_terminal(capsys):
    run(networks=100)
    run(networks=100, progress=False)
    assert capsys.readouterr().err == ""
    run(networks=100, progress=True)
    assert "100" in capsys.readouterr().err


def test_fields_that_diverge_are_refused():
    one = scalar("1", normals=0)
    plan = Plan.from_dict(data("", [dense("1/z", weight=one, bias=None, width="1")], weights=[one]))
    source = Source(plan=plan, X=np.array([0.0, 1.0]), params={})
    with pytest.raises(SpecificationError, match="NaN or infinity"):
        sample_moments(source, networks=10, max_order=2, key=KEY)
    with pytest.raises(SpecificationError, match="NaN or infinity"):
        sample_fields(plan, [0.0, 1.0], 10, KEY, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"networks": 0}, "networks"),
        ({"networks": 2.5}, "networks"),
        ({"max_order": 0}, "max_order"),
        ({"groups": -1}, "groups"),
        ({"params": {}}, "missing"),
        ({"params": ERF.params | {"N": 1e30}}, "too large to sample"),
        ({"executor": 3}, "Executor"),
    ],
)
def test_impossible_runs_are_refused(changes, message):
    with pytest.raises(SpecificationError, match=message):
        run(**changes)
