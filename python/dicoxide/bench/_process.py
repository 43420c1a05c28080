"""Worker processes as seen by the parent: a request is answered, or the process ends, or a time limit passes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

__all__ = ["BudgetExceededError", "WorkerProcess"]


class BudgetExceededError(Exception):
    """The time budget of the run ended before a response arrived."""


class WorkerProcess:
    """A process that is started at the first request, and again after it has ended.

    Parameters
    ----------
    remaining_seconds : callable
        Returns the seconds left of the budget of the run.
    """

    def __init__(self, remaining_seconds: Callable[[], float]) -> None:
        self._remaining_seconds = remaining_seconds
        self._process: subprocess.Popen[str] | None = None
        self._lines: SimpleQueue[str] = SimpleQueue()

    def request(self, message: dict[str, Any], max_seconds: float) -> dict[str, Any]:
        """Send a request. Return the response, or ``{"crashed": reason}`` or ``{"timeout": message}`` without one.

        Raises
        ------
        BudgetExceededError
            If the budget of the run ends before `max_seconds`.
        """
        remaining = self._remaining_seconds()
        process = self._started()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            line = self._lines.get(timeout=max(0.0, min(remaining, max_seconds)))
        except Empty:
            self.stop()
            if remaining < max_seconds:
                raise BudgetExceededError from None
            return {"timeout": f"no result within {max_seconds:.0f} s"}
        except OSError:
            line = ""
        if line:
            response: dict[str, Any] = json.loads(line)
            return response
        code = process.wait()
        self._process = None
        return {"crashed": _describe_exit(code)}

    def stop(self) -> None:
        """Kill the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._lines = SimpleQueue()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dicoxide.bench._worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                # Ctrl-C is handled by the parent alone.
                start_new_session=os.name == "posix",
            )
            Thread(target=_read_lines, args=(self._process, self._lines), daemon=True).start()
        return self._process


def _describe_exit(code: int) -> str:
    """Return one line for an exit code; negative codes are signals."""
    if code >= 0:
        return f"the process ended with exit code {code}"
    try:
        return f"the process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"the process was ended by signal {-code}"


def _read_lines(process: subprocess.Popen[str], lines: SimpleQueue[str]) -> None:
    """Put each line of the output into a queue, and an empty string at its end."""
    assert process.stdout is not None
    with suppress(OSError, ValueError):
        for line in process.stdout:
            lines.put(line)
    lines.put("")
