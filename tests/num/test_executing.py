"""The same bits on every executor, also when workers are killed in the middle of a run."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor as Threads

import numpy as np
import pytest

from nnft_num.runs import sampling
from nnft_num.runs.executing import Calls, LostWorkWarning
from nnft_num.runs.sampling import sample_moments
from nnft_num.sources.source import Source
from nnft_sym.language.errors import SpecificationError
from tests.num.example_plans import ERF

# since Python 3.12 a fork beside threads is warned of; these are forks of the tests
pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)

SOURCE = Source(plan=ERF.plan, X=ERF.X, params=ERF.params, precision="single")


@pytest.fixture(autouse=True)
def many_small_tasks(monkeypatch):
    monkeypatch.setattr(sampling, "_TASK_WORK", 4e5)
    monkeypatch.setattr(sampling, "_TASK_SECONDS", 0.0)


def table(executor, networks=20_001):
    moments = sample_moments(SOURCE, networks=networks, max_order=4, key=(1, 2), executor=executor)
    return np.hstack([moments.table, moments.maxima])


@pytest.fixture(scope="module")
def reference():
    return table(None)


class Killer(Executor):
    """Passes calls on, and kills workers of the pool for good before the third of them."""

    def __init__(self, pool, pids):
        self.pool = pool
        self.pids = pids
        self.calls = 0

    @property
    def _max_workers(self):
        return 2

    def submit(self, function, /, *args, **kwargs):
        self.calls += 1
        if self.calls == 3:
            for pid in self.pids():
                os.kill(pid, signal.SIGKILL)
        return self.pool.submit(function, *args, **kwargs)


@contextlib.contextmanager
def processes(method, workers):
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(method)) as pool:
        pool.submit(os.getpid).result()
        yield pool, lambda: list(pool._processes)


@contextlib.contextmanager
def loky_pool():
    loky = pytest.importorskip("loky")
    pool = loky.ProcessPoolExecutor(1)
    pool.submit(os.getpid).result()
    try:
        yield pool, lambda: list(pool._processes)
    finally:
        pool.shutdown(wait=True, kill_workers=True)


@contextlib.contextmanager
def dask_pool():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor() as pool,
    ):
        yield pool, lambda: list(client.run(os.getpid).values())[:1]


POOLS = {
    "spawn": lambda: processes("spawn", 1),
    "fork": lambda: processes("fork", 2),
    "loky": loky_pool,
    "dask": dask_pool,
}


@pytest.mark.parametrize("name", POOLS)
def test_a_killed_worker_costs_time_and_no_bit(name, reference):
    with POOLS[name]() as (pool, pids):
        assert np.array_equal(table(pool), reference)
        killer = Killer(pool, pids)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            again = table(killer)
        assert killer.calls >= 3
        assert np.array_equal(again, reference)
        lost = [str(each.message) for each in told if each.category is LostWorkWarning]
        # a scheduler that replaces its workers has nothing to tell
        assert lost or name == "dask"


def test_a_pool_that_lost_a_worker_is_made_anew(reference):
    context = multiprocessing.get_context("fork")
    made = []

    def make():
        pool = ProcessPoolExecutor(2, mp_context=context)
        pool.submit(os.getpid).result()
        made.append(pool)
        return pool if len(made) > 1 else Killer(pool, lambda: list(pool._processes))

    with pytest.warns(LostWorkWarning, match="on a fresh executor"):
        assert np.array_equal(table(make), reference)
    made[0].shutdown()
    assert len(made) == 2
    with pytest.raises(RuntimeError, match="after shutdown"):
        made[1].submit(os.getpid)


def test_executors_of_other_makers_are_shut_down_as_they_allow():
    loky = pytest.importorskip("loky")
    assert powers(lambda: loky.ProcessPoolExecutor(1), 3) == EXPECTED[:3]


def test_mpi_gives_the_same_bits(tmp_path):
    pytest.importorskip("mpi4py")
    beside = os.path.dirname(sys.executable)
    mpiexec = shutil.which("mpiexec", path=os.pathsep.join([beside, os.environ["PATH"]]))
    if mpiexec is None:
        pytest.skip("no mpiexec: MPI is not installed")
    script = tmp_path / "over_mpi.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            import numpy as np
            from mpi4py.futures import MPIPoolExecutor
            from nnft_num.runs.sampling import sample_moments
            from nnft_num.sources.source import Source

            if __name__ == "__main__":
                source = Source.from_json(open(sys.argv[2]).read())
                with MPIPoolExecutor() as pool:
                    assert pool.submit(int, 3).result() == 3
                    moments = sample_moments(
                        source, networks=20_001, max_order=4, key=(1, 2), executor=pool
                    )
                np.save(sys.argv[1], np.hstack([moments.table, moments.maxima]))
            """
        )
    )
    files = [script, tmp_path / "mpi.npy", tmp_path / "source.json"]
    files[2].write_text(SOURCE.to_json())
    done = subprocess.run(
        [mpiexec, "-n", "2", sys.executable, "-m", "mpi4py.futures", *files],
        stdin=subprocess.DEVNULL,
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(files[1]), table(None))


class Scripted(Executor):
    """Answers each call as told: an error to give, or None to make the call."""

    def __init__(self, *answers, refuses=None):
        self.answers = list(answers)
        self.refuses = refuses
        self.calls = 0

    def submit(self, function, /, *args, **kwargs):
        if self.refuses is not None and self.calls >= self.refuses:
            raise BrokenExecutor("no more")
        self.calls += 1
        future: Future = Future()
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            future.set_result(function(*args, **kwargs))
        else:
            future.set_exception(answer)
        return future


def powers(executor, count=30):
    with Calls(executor) as calls:
        return list(calls.results(pow, ((2, n) for n in range(count))))


EXPECTED = [2**n for n in range(30)]


def test_a_call_that_fails_is_made_again_on_the_executor_then_here():
    executor = Scripted(None, RuntimeError("lost"), None)
    with pytest.warns(LostWorkWarning, match=r"RuntimeError \(lost\)"):
        assert powers(executor) == EXPECTED
    assert executor.calls == 31

    never = Scripted(*[ConnectionError("gone")] * 6)
    with pytest.warns(LostWorkWarning) as told:
        assert powers(never, 3) == EXPECTED[:3]
    assert never.calls == 6
    assert sum("in this process" in str(each.message) for each in told) == 3


def test_what_fails_here_as_well_is_raised():
    with (
        Calls(Threads(1)) as calls,
        pytest.warns(LostWorkWarning),
        pytest.raises(ZeroDivisionError),
    ):
        list(calls.results(divmod, iter([(1, 1), (1, 0)])))


def test_errors_of_our_own_are_raised_at_once():
    executor = Scripted(SpecificationError(expected="a", came="b", remedy="c"))
    with pytest.raises(SpecificationError):
        powers(executor)


def test_a_broken_executor_is_made_anew_where_that_can_be_done():
    made = []
    killed = BrokenExecutor("killed")
    breaks = [[None, None, killed], [killed], []]

    def make():
        made.append(Scripted(*breaks.pop(0)))
        return made[-1]

    with pytest.warns(LostWorkWarning, match="on a fresh executor") as told:
        assert powers(make) == EXPECTED
    assert len(made) == 3
    assert len(told) == 2


def test_a_broken_executor_that_was_given_is_replaced_by_threads():
    before = threading.active_count()
    with pytest.warns(LostWorkWarning, match="in threads here"):
        assert powers(Scripted(refuses=3)) == EXPECTED
    assert threading.active_count() <= before, "no thread is left behind"


def test_executors_that_break_at_once_are_given_up():
    with pytest.warns(LostWorkWarning), pytest.raises(BrokenExecutor) as caught:
        powers(lambda: Scripted(refuses=0))
    assert "in a row" in caught.value.__notes__[0]


def test_an_executor_that_hides_its_workers_is_fed_while_it_runs_dry():
    executor, ahead = Scripted(), []
    with Calls(executor) as calls:
        for number, _ in enumerate(calls.results(pow, ((2, n) for n in range(3000)))):
            ahead.append(executor.calls - number)
    assert ahead[0] > 4 * (os.cpu_count() or 1)
    assert max(ahead) > 1000


@pytest.mark.parametrize("wrong", [3, "threads", lambda: 3])
def test_what_is_no_executor_is_refused(wrong):
    with pytest.raises(SpecificationError, match="Executor"):
        powers(wrong)
