"""Jobs on a Dask cluster: each is one task, which writes to the output folder that all workers share.

A series appears by one rename, and each attempt writes to a folder of its own: a task may run again on another worker,
or on two at once, and what is there is the same.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dicoxide._arguments import thread_count
from dicoxide._extras import require
from dicoxide.bulk.runs._failure import Failure
from dicoxide.bulk.runs._options import Options
from dicoxide.bulk.runs._run import Report, Result, run
from dicoxide.bulk.runs._tasks import Job

__all__ = ["ClusterError", "run_on_cluster"]

# Tasks that wait in the scheduler, for each thread of the cluster.
_AHEAD = 4


class ClusterError(Exception):
    """There is no such cluster; the message says why."""


def run_on_cluster(
    jobs: Iterable[Job],
    out: str,
    options: Options,
    address: str,
    *,
    threads: int | None = None,
    stop_at_failure: bool = False,
    report: Report | None = None,
) -> Generator[Result, None, None]:
    """As `_run.run`, on the cluster at `address`, or on `threads` new processes with ``"local"``.

    Raises
    ------
    ClusterError
        If nobody answers at `address`.
    """
    require("dask", "distributed", feature="--dask")
    from distributed import Client, LocalCluster

    cluster = None
    if address == "local":
        with _without_interrupts():
            cluster = LocalCluster(n_workers=thread_count(threads), threads_per_worker=1, dashboard_address=None)
    try:
        try:
            client = Client(cluster or address, timeout="10s")
        except (OSError, ValueError) as error:
            raise ClusterError(f"no Dask cluster at {address}: {' '.join(str(error).split())}") from error
        with client:
            yield from _results(client, jobs, out, options, stop_at_failure, report or (lambda *_: None))
    finally:
        if cluster is not None:
            cluster.close()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C while the workers are started, and let them inherit that: this process ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def one_job(job: Job, out: str, options: Options, stop_at_failure: bool) -> Result:
    """What a worker does: all of one job, on the task's own thread."""
    found = list(run([job], out, options, threads=1, stop_at_failure=stop_at_failure))
    return found[0]


def _results(
    client: Any, jobs: Iterable[Job], out: str, options: Options, stop_at_failure: bool, report: Report
) -> Iterator[Result]:
    from distributed import as_completed

    rest = iter(jobs)
    on_way: dict[str, Job] = {}
    running = as_completed()
    most = _AHEAD * max(1, sum(client.nthreads().values()))

    def submit() -> None:
        while len(on_way) < most and (job := next(rest, None)) is not None:
            future = client.submit(one_job, job, out, options, stop_at_failure, pure=False)
            on_way[future.key] = job
            running.add(future)

    submit()
    for future in running:
        job = on_way.pop(future.key)
        try:
            # Waits again where the worker that had the result has died meanwhile.
            result = future.result()
        except Exception as error:
            message = f"the worker failed: {type(error).__name__}: {' '.join(str(error).split())}"
            failure = Failure(job.slices[0].path, kind="Worker", message=message, series=job.name)
            result = Result(job.name, (), 0, (failure,))
        size = options.result_dtype(job).itemsize
        for length in job.slice_shape:
            size *= length
        failed = len(job.slices) - result.slices
        report(len(job.slices), len({one.path for one in job.slices}), result.slices * size, failed)
        future.release()
        yield result
        if stop_at_failure and result.failures:
            return
        submit()
