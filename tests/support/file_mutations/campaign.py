"""Runs cases in worker processes and counts their outcomes."""

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
    """Counts of outcomes, and the cases that failed."""

    cases: int = 0
    # Counts of outcomes by interface.
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    mutators: Counter[str] = field(default_factory=Counter)
    # File, case number, mutator, description.
    failures: list[tuple[str, int, str, str]] = field(default_factory=list)
    # Cases in which pydicom crashed or took too long: file, case number, end of standard error.
    pydicom_failures: list[tuple[str, int, str]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        return {
            "cases": self.cases,
            "outcomes": {interface: dict(kinds.most_common()) for interface, kinds in sorted(self.outcomes.items())},
            "mutators": dict(sorted(self.mutators.items())),
            "failures": self.failures,
            "beyond_us": self.pydicom_failures,
        }


class Campaign:
    """Runs cases of several files in `jobs` processes.

    Parameters
    ----------
    seconds : float
        Timeout of one case.
    start : int
        Number of the first case of each file.
    is_over : callable
        Called before each file; True skips it and the remaining ones.
    on_summary : callable
        Called with the summary after each file.
    worker : sequence of str
        Command of a worker process.
    """

    def __init__(
        self,
        *,
        jobs: int = 1,
        seconds: float = 10,
        start: int = 0,
        is_over: Callable[[], bool] = lambda: False,
        on_summary: Callable[[Summary], None] = lambda summary: None,
        worker: tuple[str, ...] = WORKER,
    ) -> None:
        self._jobs = jobs
        self._seconds = seconds
        self._start = start
        self._is_over = is_over
        self._on_summary = on_summary
        self._command = worker
        self._lock = threading.Lock()
        self.summary = Summary()

    def run(self, shares: Mapping[str, int]) -> Summary:
        """Run the given number of cases of each file."""
        jobs: Iterator[tuple[str, int]] = iter(list(shares.items()))

        def work() -> None:
            with _Worker(self._command) as worker:
                while not self._is_over():
                    with self._lock:
                        job = next(jobs, None)
                    if job is None:
                        return
                    self._run_job(worker, *job)
                    with self._lock:
                        self._on_summary(self.summary)

        with ThreadPoolExecutor(self._jobs) as threads:
            for future in [threads.submit(work) for _ in range(self._jobs)]:
                future.result()
        self.summary.failures.sort()
        return self.summary

    def _run_job(self, worker: _Worker, name: str, count: int) -> None:
        number, stop = self._start, self._start + count
        while number < stop:
            for answer in worker.run({"file": name, "start": number, "stop": stop, "seconds": self._seconds}):
                self._count_answer(name, answer)
                number = answer["number"] + 1
            if number < stop:
                self._count_crash(name, number, worker.end())
                number += 1

    def _count_answer(self, name: str, answer: dict[str, Any]) -> None:
        with self._lock:
            self.summary.cases += 1
            self.summary.mutators[answer["mutator"]] += 1
            for interface, kind in answer["kinds"].items():
                self.summary.outcomes[interface][kind] += 1
            for failure in answer["failures"]:
                self.summary.failures.append((name, answer["number"], answer["mutator"], failure))

    def _count_crash(self, name: str, number: int, report: str) -> None:
        with self._lock:
            self.summary.cases += 1
            # faulthandler writes the stack. Only a crash or timeout within pydicom alone does not count as a failure.
            is_fault = "Fatal Python error" in report or "Timeout" in report
            if is_fault and "pydicom" in report and str(_PACKAGE) not in report:
                self.summary.pydicom_failures.append((name, number, report))
            else:
                self.summary.failures.append((name, number, "", f"the process ended: {report}"))


class _Worker:
    """A worker process, started on first use and again after it has ended."""

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

    def run(self, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield one answer per case until the job is done or the process ends."""
        process = self._start_process()
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
        """End the process; return its exit code and the end of its standard error."""
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

    def _start_process(self) -> subprocess.Popen[str]:
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
