"""Calls on an executor with their results in order; a call that is lost is made again.

Any ``concurrent.futures.Executor`` serves: it needs no more than ``submit``.  A call may be lost
with the worker that ran it, and a whole pool with it.  As a call depends on nothing but its
arguments, making it again, anywhere, gives the same result.
"""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from nnft_sym.language.errors import NNFTError, SpecificationError

__all__ = ["Calls", "ExecutorLike", "LostWorkWarning"]

ExecutorLike = Executor | Callable[[], Executor] | None
"""An executor, a function that makes one, or None for threads of our own."""

T = TypeVar("T")

_TRIALS = 2
"""How often a call is made on the executor before it is made here."""

_RENEWALS = 3
"""How many pools in a row may break without a result between."""

_MOST_WAITING = 2**12


class LostWorkWarning(RuntimeWarning):
    """A worker or a pool was lost; its work is done again, with the same result."""


@dataclass
class _Call:
    arguments: tuple[Any, ...]
    future: Future[Any]
    trials: int = 1


class Calls:
    """A context in which a function is called over many arguments on an executor.

    Parameters
    ----------
    executor : Executor, callable or None
        Where calls run.  A function that makes an executor is called again when the executor
        breaks; when one given ready-made breaks, threads of our own take over.

    Raises
    ------
    SpecificationError
        If it is none of these.

    Examples
    --------
    >>> with Calls(None) as calls:
    ...     list(calls.results(pow, iter([(2, 3), (3, 2)])))
    [8, 9]
    """

    def __init__(self, executor: ExecutorLike = None) -> None:
        self._make: Callable[[], Executor] = _threads
        self._own = True
        if executor is not None and callable(getattr(executor, "submit", None)):
            self._pool: Any = executor
            self._own = False
        elif executor is None or callable(executor):
            self._make = executor or _threads
            self._pool = self._fresh()
        else:
            self._refuse(executor)
        self._renewals = 0
        self._most = 0

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._own:
            self._pool.shutdown(wait=True)

    @property
    def workers(self) -> int:
        """Number of workers, as far as the executor tells."""
        return self._told or os.cpu_count() or 1

    @property
    def _told(self) -> int:
        found = getattr(self._pool, "_max_workers", None)
        return found if isinstance(found, int) and found > 0 else 0

    def results(
        self, function: Callable[..., T], arguments: Iterator[tuple[Any, ...]]
    ) -> Iterator[T]:
        """Give function(*a) for each a, in their order, reading ahead only as far as needed.

        Errors of our own and those that come again when a call is made here are raised.
        """
        waiting: deque[_Call] = deque()
        self._most = 4 * self.workers
        try:
            for each in arguments:
                waiting.append(_Call(each, self._submit(function, each, waiting)))
                self._widen(waiting)
                while len(waiting) >= self._most:
                    yield self._result(function, waiting)
            while waiting:
                yield self._result(function, waiting)
        finally:
            for call in waiting:
                call.future.cancel()

    def _widen(self, waiting: deque[_Call]) -> None:
        """An executor that hides its number of workers gets more calls while it runs dry."""
        full = self._most <= len(waiting) < _MOST_WAITING
        if full and not self._told and all(call.future.done() for call in waiting):
            self._most *= 2

    def _result(self, function: Callable[..., T], waiting: deque[_Call]) -> T:
        while True:
            call = waiting[0]
            try:
                result: T = call.future.result()
            except NNFTError:
                raise
            except Exception as error:
                self._again(function, waiting, error)
                continue
            self._renewals = 0
            waiting.popleft()
            return result

    def _again(self, function: Callable[..., Any], waiting: deque[_Call], error: Exception) -> None:
        """Make the first call again: on the pool, on a fresh pool if it broke, or here."""
        call = waiting[0]
        if isinstance(error, BrokenExecutor):
            self._renew(function, waiting, error)
        elif call.trials < _TRIALS:
            _warn(f"{_words(error)}; its networks are summed again")
            call.trials += 1
            call.future = self._submit(function, call.arguments, waiting)
        else:
            _warn(f"{_words(error)} again; its networks are summed in this process")
            call.future = Future()
            call.future.set_result(function(*call.arguments))

    def _submit(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], waiting: deque[_Call]
    ) -> Future[Any]:
        while True:
            try:
                future: Future[Any] = self._pool.submit(function, *arguments)
            except BrokenExecutor as error:
                self._renew(function, waiting, error)
            else:
                return future

    def _renew(
        self, function: Callable[..., Any], waiting: deque[_Call], error: BrokenExecutor
    ) -> None:
        """Replace a broken pool and give it the calls that were lost with the old one."""
        self._renewals += 1
        if self._renewals > _RENEWALS:
            error.add_note(f"{_RENEWALS} executors in a row broke before they gave a result")
            raise error
        if self._own:
            self._pool.shutdown(wait=False)
        where = "in threads here" if self._make is _threads else "on a fresh executor"
        _warn(f"{_words(error)}; what was lost is summed again {where}")
        self._pool, self._own = self._fresh(), True
        for call in waiting:
            done = call.future.done() and not call.future.cancelled()
            if not done or call.future.exception() is not None:
                call.future.cancel()
                try:
                    call.future = self._pool.submit(function, *call.arguments)
                except BrokenExecutor:
                    return  # the calls left behind come up again, and renew it in their turn

    def _fresh(self) -> Executor:
        pool = self._make()
        if not callable(getattr(pool, "submit", None)):
            self._refuse(pool)
        return pool

    @staticmethod
    def _refuse(executor: object) -> None:
        raise SpecificationError(
            expected="executor= a concurrent.futures.Executor or a function that makes one",
            came=f"{executor!r}",
            remedy="leave it out, or pass ThreadPoolExecutor(2), say",
        )


def _threads() -> Executor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="nnft")


def _words(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"a call was lost with {type(error).__name__}" + (f" ({text:.120})" if text else "")


def _warn(text: str) -> None:
    warnings.warn(text, LostWorkWarning, stacklevel=2)
