"""Many cases in worker processes, and what came of them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dicoxide
from support.processes import started

_PACKAGE = Path(dicoxide.__file__).parent
WORKER = (sys.executable, "-m", "support.file_mutations.worker")


@dataclass
class Summary:
    """Counts, and each case that failed."""

    cases: int = 0
    # Way: what came of it, how often.
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    mutators: Counter[str] = field(default_factory=Counter)
    # File, number, mutator, what is wrong.
    failures: list[tuple[str, int, str, str]] = field(default_factory=list)
    # Cases that pydicom itself did not survive, or not in time.
    beyond_us: list[tuple[str, int, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "cases": self.cases,
            "outcomes": {way: dict(kinds.most_common()) for way, kinds in sorted(self.outcomes.items())},
            "mutators": dict(sorted(self.mutators.items())),
            "failures": self.failures,
            "beyond_us": self.beyond_us,
        }


class Campaign:
    """Cases by file, tried in `jobs` processes.

    Parameters
    ----------
    seconds : float
        What a case may take.
    start : int
        The number of the first case of each file.
    is_over : callable
        Asked before each file whether to leave it and those after it.
    told : callable
        Gets the summary after each file.
    worker : sequence of str
        The command of a worker process.
    """

    def __init__(
        self,
        *,
        jobs: int = 1,
        seconds: float = 10,
        start: int = 0,
        is_over: Callable[[], bool] = lambda: False,
        told: Callable[[Summary], None] = lambda summary: None,
        worker: tuple[str, ...] = WORKER,
    ) -> None:
        self._jobs = jobs
        self._seconds = seconds
        self._start = start
        self._is_over = is_over
        self._told = told
        self._command = worker
        self._lock = threading.Lock()
        self.summary = Summary()

    def run(self, shares: Mapping[str, int]) -> Summary:
        """Try so many cases of each file."""
        jobs: Iterator[tuple[str, int]] = iter(list(shares.items()))

        def work() -> None:
            with _Worker(self._command) as worker:
                while not self._is_over():
                    with self._lock:
                        job = next(jobs, None)
                    if job is None:
                        return
                    self._try(worker, *job)
                    with self._lock:
                        self._told(self.summary)

        with ThreadPoolExecutor(self._jobs) as threads:
            for done in [threads.submit(work) for _ in range(self._jobs)]:
                done.result()
        self.summary.failures.sort()
        return self.summary

    def _try(self, worker: _Worker, name: str, count: int) -> None:
        number, stop = self._start, self._start + count
        while number < stop:
            for answer in worker.ask({"file": name, "start": number, "stop": stop, "seconds": self._seconds}):
                self._note(name, answer)
                number = answer["number"] + 1
            if number < stop:
                self._note_end(name, number, worker.end())
                number += 1

    def _note(self, name: str, answer: dict[str, Any]) -> None:
        with self._lock:
            self.summary.cases += 1
            self.summary.mutators[answer["mutator"]] += 1
            for way, kind in answer["kinds"].items():
                self.summary.outcomes[way][kind] += 1
            for failure in answer["failures"]:
                self.summary.failures.append((name, answer["number"], answer["mutator"], failure))

    def _note_end(self, name: str, number: int, last_words: str) -> None:
        with self._lock:
            self.summary.cases += 1
            # What faulthandler says of the stack: whoever else raises here is a mistake of ours.
            by_fault = "Fatal Python error" in last_words or "Timeout" in last_words
            if by_fault and "pydicom" in last_words and str(_PACKAGE) not in last_words:
                self.summary.beyond_us.append((name, number, last_words))
            else:
                self.summary.failures.append((name, number, "", f"the process ended: {last_words}"))


class _Worker:
    """A process that is started when it is needed, and again after it has ended."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._stack = contextlib.ExitStack()
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._errors.close()

    def ask(self, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """An answer for each case, until the job is done or the process ends."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        for line in process.stdout:
            answer = json.loads(line)
            if not answer:
                return
            yield answer

    def end(self) -> str:
        """End the process, and say how it ended by itself where it did."""
        process, self._process = self._process, None
        if process is None:
            return ""
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        code = process.wait()
        self._stack.close()
        self._errors.seek(0)
        return f"exit code {code}; {self._errors.read()[-4000:]}"

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._errors.seek(0)
            self._errors.truncate()
            self._process = self._stack.enter_context(
                started(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._errors,
                    encoding="utf-8",
                )
            )
        return self._process
