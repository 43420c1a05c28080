"""Workers as their parent sees them: a request, and an answer, an end or a limit of time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from dicoxide._fallback_decoders.isolated_process import describe_exit

__all__ = ["OutOfTimeError", "Worker"]


class OutOfTimeError(Exception):
    """The budget has ended before an answer came."""


class Worker:
    """A process that is started when it is needed, and again after it has ended.

    Parameters
    ----------
    left : callable
        Gives the seconds that are left for everything.
    """

    def __init__(self, left: Callable[[], float]) -> None:
        self._left = left
        self._process: subprocess.Popen[str] | None = None
        self._lines: SimpleQueue[str] = SimpleQueue()

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The answer; or ``crashed`` with what ended it; or ``timeout``.

        Raises
        ------
        OutOfTimeError
            If what is left for everything is over.
        """
        left = self._left()
        process = self._started()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = self._lines.get(timeout=max(0.0, min(left, seconds)))
        except Empty:
            self.stop()
            if left < seconds:
                raise OutOfTimeError from None
            return {"timeout": f"no answer within {seconds:.0f} s"}
        except OSError:
            line = ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        code = process.wait()
        self._process = None
        return {"crashed": describe_exit(code)}

    def stop(self) -> None:
        """End the process."""
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
                # Ctrl-C is the parent's.
                start_new_session=os.name == "posix",
            )
            Thread(target=_read, args=(self._process, self._lines), daemon=True).start()
        return self._process


def _read(process: subprocess.Popen[str], lines: SimpleQueue[str]) -> None:
    assert process.stdout is not None
    with suppress(OSError, ValueError):
        for line in process.stdout:
            lines.put(line)
    lines.put("")
