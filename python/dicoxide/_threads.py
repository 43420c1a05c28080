"""Threads that Ctrl-C cannot leave locked.

The locks of ThreadPoolExecutor are taken in Python: an interrupt between two of their lines leaves them locked, and the
process never ends. Simple queues are not interrupted so.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

from dicoxide._backend import core

__all__ = ["Task", "Threads"]

_T = TypeVar("_T")


class Task(Generic[_T]):
    """Something that one of the threads does."""

    def __init__(self, call: Callable[..., _T], arguments: tuple[Any, ...]) -> None:
        self._call: Callable[[], _T] | None = partial(call, *arguments)
        self._answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def run(self) -> None:
        """Do it; once."""
        # What it is about may be large: nobody holds it for longer than it takes.
        call, self._call = self._call, None
        answer = self._answer
        try:
            answer.put((call() if call else None, None))
        except BaseException as error:
            answer.put((None, error))
        finally:
            # A traceback in the answer keeps this frame, and so would keep itself, with all that was being decoded.
            del self, call, answer

    def done(self) -> bool:
        """Whether there is a result."""
        return not self._answer.empty()

    def result(self) -> _T:
        """The result, when there is one; what was raised is raised. To be asked for once."""
        result, error = self._answer.get()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]


class Threads:
    """At most `count` threads that do tasks in the order in which they come."""

    def __init__(self, count: int, name: str = "dicoxide") -> None:
        self._count = count
        self._name = name
        self._process = os.getpid()
        self._tasks: SimpleQueue[Task[Any] | None] = SimpleQueue()
        self._is_stopped = False
        self._stop = core.Stop()
        self._threads: list[Thread] = []

    def submit(self, call: Callable[..., _T], *arguments: Any) -> Task[_T]:
        """Have ``call(*arguments)`` done after what was submitted before."""
        task = Task(call, arguments)
        self._tasks.put(task)
        if len(self._threads) < self._count:
            thread = Thread(target=self._run, name=self._name, daemon=True)
            self._threads.append(thread)
            try:
                thread.start()
            except RuntimeError:
                # The system gives no more: fewer do the work.
                self._threads.remove(thread)
                if not self._threads:
                    raise
        return task

    def stop(self) -> None:
        """Wait for what is being done; the rest is not done. A forked child has no threads to wait for.

        What is being decoded ends with an error: an interrupt would otherwise wait for whole frames.
        """
        self._is_stopped = True
        self._stop.set()
        if os.getpid() == self._process:
            for _ in self._threads:
                self._tasks.put(None)
            for thread in self._threads:
                # An interrupt while it was started leaves one that cannot be waited for; and whoever is collected by
                # a thread of its own does not wait for itself.
                with suppress(RuntimeError):
                    thread.join()

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        self._stop.adopt()
        while (task := self._tasks.get()) is not None:
            if not self._is_stopped:
                task.run()
