"""A thread pool that an interrupt cannot leave locked.

``ThreadPoolExecutor`` takes its locks in Python code. A ``KeyboardInterrupt`` between two of those lines leaves a lock
held, and the process never ends. ``queue.SimpleQueue`` is implemented in C and cannot be interrupted in that state, so
this pool is built on simple queues alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread, local
from typing import Any, Generic, TypeVar

from dicoxide._backend import core

__all__ = ["Task", "ThreadPool", "raise_if_cancelled"]

_T = TypeVar("_T")

# `pool` is the pool that the thread belongs to.
_current = local()


def raise_if_cancelled() -> None:
    """Raise RuntimeError if the current thread belongs to a pool that was stopped, as calls of the core do."""
    pool = getattr(_current, "pool", None)
    if pool is not None and pool._is_stopped:
        raise RuntimeError("decoding cancelled")


class Task(Generic[_T]):
    """A call that a thread of the pool makes, and its outcome."""

    def __init__(self, call: Callable[..., _T], arguments: tuple[Any, ...]) -> None:
        self._call: Callable[[], _T] | None = partial(call, *arguments)
        self._outcome: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def run(self) -> None:
        """Make the call; to be called once."""
        # The arguments may be large: drop the task's reference to them before the call, not after it.
        call, self._call = self._call, None
        outcome = self._outcome
        try:
            outcome.put((call() if call else None, None))
        except BaseException as error:
            outcome.put((None, error))
        finally:
            # Breaks the reference cycle exception -> traceback -> this frame -> exception, so that buffers are freed
            # as soon as the caller drops the exception.
            del self, call, outcome

    def done(self) -> bool:
        """Return True if the call has returned or raised."""
        return not self._outcome.empty()

    def result(self) -> _T:
        """Wait for the call; return its result or raise its exception. To be called once."""
        result, error = self._outcome.get()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]


class ThreadPool:
    """At most `thread_count` threads that run tasks in the order of submission.

    Threads are started on demand, one per submitted task. Leaving the ``with`` block calls :meth:`stop`.
    """

    def __init__(self, thread_count: int, name: str = "dicoxide") -> None:
        self._thread_count = thread_count
        self._name = name
        self._process_id = os.getpid()
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()
        self._is_stopped = False
        self._cancel_token = core.CancelToken()
        self._threads: list[Thread] = []

    def submit(self, call: Callable[..., _T], *arguments: Any) -> Task[_T]:
        """Queue ``call(*arguments)``."""
        task = Task(call, arguments)
        self._tasks.put(task)
        if len(self._threads) < self._thread_count:
            thread = Thread(target=self._run, name=self._name, daemon=True)
            self._threads.append(thread)
            try:
                thread.start()
            except RuntimeError:
                # The system refuses more threads; the existing ones run the task.
                self._threads.remove(thread)
                if not self._threads:
                    raise
        return task

    def stop(self) -> None:
        """Cancel running tasks, discard queued ones, and wait for the threads.

        Decoding calls in progress end with an error, so that an interrupt does not wait for whole frames. In a forked
        child, which has no threads of the pool, there is nothing to wait for.
        """
        self._is_stopped = True
        self._cancel_token.cancel()
        if os.getpid() == self._process_id:
            for _ in self._threads:
                self._tasks.put(None)
            for thread in self._threads:
                # RuntimeError: the thread was interrupted while it started, or it is the current thread, which can
                # happen when the garbage collector closes the pool.
                with suppress(RuntimeError):
                    thread.join()

    def __enter__(self) -> ThreadPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        self._cancel_token.attach_to_thread()
        _current.pool = self
        while (task := self._tasks.get()) is not None:
            if not self._is_stopped:
                task.run()
