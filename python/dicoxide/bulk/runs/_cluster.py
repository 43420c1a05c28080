"""Runs tasks on a Dask cluster. Each task writes its series to the output folder, which all workers share.

Dask may run a task again on another worker, or twice at the same time. This is safe: each attempt writes to a folder of
its own, and the series appears by one rename.
"""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dicoxide._arguments import thread_count
from dicoxide._extras import require
from dicoxide.bulk.runs._failure import Failure
from dicoxide.bulk.runs._options import RunOptions
from dicoxide.bulk.runs._run import ProgressCallback, TaskResult, run_tasks
from dicoxide.bulk.runs._tasks import ArrayTask

__all__ = ["ClusterError", "run_on_cluster"]

# Tasks submitted to the scheduler at the same time, for each thread of the cluster.
_TASKS_PER_THREAD = 4


class ClusterError(Exception):
    """No cluster can be reached; the message gives the reason."""


def run_on_cluster(
    tasks: Iterable[ArrayTask],
    out: str,
    options: RunOptions,
    address: str,
    *,
    threads: int | None = None,
    stop_at_failure: bool = False,
    report: ProgressCallback | None = None,
) -> Generator[TaskResult, None, None]:
    """Run tasks on the cluster at `address`, as :func:`run_tasks` does in this process.

    With the address ``"local"``, a cluster of `threads` worker processes is started and stopped.

    Raises
    ------
    ClusterError
        If no scheduler answers at `address`.
    """
    require("dask", "distributed", feature="--dask")
    from distributed import Client, LocalCluster

    cluster = None
    if address == "local":
        with _interrupts_ignored():
            cluster = LocalCluster(n_workers=thread_count(threads), threads_per_worker=1, dashboard_address=None)
    try:
        try:
            client = Client(cluster or address, timeout="10s")
        except (OSError, ValueError) as error:
            raise ClusterError(f"no Dask cluster at {address}: {' '.join(str(error).split())}") from error
        with client:
            yield from _results(client, tasks, out, options, stop_at_failure, report or (lambda *_: None))
    finally:
        if cluster is not None:
            cluster.close()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore SIGINT while workers are started. They inherit this, so that Ctrl-C does not kill them before cleanup."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def run_one_task(task: ArrayTask, out: str, options: RunOptions, stop_at_failure: bool) -> TaskResult:
    """Run one task on the calling thread. Called on the workers."""
    (result,) = run_tasks([task], out, options, threads=1, stop_at_failure=stop_at_failure)
    return result


def _results(
    client: Any,
    tasks: Iterable[ArrayTask],
    out: str,
    options: RunOptions,
    stop_at_failure: bool,
    report: ProgressCallback,
) -> Iterator[TaskResult]:
    from distributed import as_completed

    remaining = iter(tasks)
    submitted: dict[str, ArrayTask] = {}
    completed = as_completed()
    max_submitted = _TASKS_PER_THREAD * max(1, sum(client.nthreads().values()))

    def submit() -> None:
        while len(submitted) < max_submitted and (task := next(remaining, None)) is not None:
            future = client.submit(run_one_task, task, out, options, stop_at_failure, pure=False)
            submitted[future.key] = task
            completed.add(future)

    submit()
    for future in completed:
        task = submitted.pop(future.key)
        try:
            # Waits again if the worker that held the result has died meanwhile.
            result = future.result()
        except Exception as error:
            message = f"the worker failed: {type(error).__name__}: {' '.join(str(error).split())}"
            failure = Failure(task.plan.first_slice.path, kind="Worker", message=message, series=task.name)
            result = TaskResult(task.name, (), 0, (failure,))
        slice_bytes = options.output_dtype(task).itemsize * math.prod(task.slice_shape)
        slice_count = len(task.slices)
        report(slice_count, task.file_count, result.slices * slice_bytes, slice_count - result.slices)
        future.release()
        yield result
        if stop_at_failure and result.failures:
            return
        submit()
