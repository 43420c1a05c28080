"""Jobs into arrays on disk: slices are decoded in order, and go in blocks to the disk while the next ones are decoded.

    decoded_slices ──► block ──► prepare (compress: any thread) ──► append (write: one thread, in order) ──► finish

What is held at once is a few blocks, and what `decode_many` decodes ahead, however large a series is.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dicoxide._arguments import Array, thread_count
from dicoxide._threads import Task, ThreadPool
from dicoxide.bulk.runs._decode_slices import decoded_slices
from dicoxide.bulk.runs._failure import Failure, failure_of
from dicoxide.bulk.runs._formats import Writer, open_writer
from dicoxide.bulk.runs._options import Options
from dicoxide.bulk.runs._tasks import Job

__all__ = ["Report", "Result", "run"]

# How many frames, files and bytes have been done, and how many of the frames have failed.
Report = Callable[[int, int, int, int], None]

# Blocks that are prepared, or wait to be written: about so many bytes a thread, and as many more; and so many of them.
_WAITING_BYTES = 8 << 20
_WAITING_COUNT = 64


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job.

    Attributes
    ----------
    name : str
        Of the job.
    outputs : tuple of str
        What has appeared in the output folder; empty where nothing was written.
    slices : int
        How many slices were written.
    failures : tuple of Failure
        Each slice that is missing, or why there is nothing.
    """

    name: str
    outputs: tuple[str, ...]
    slices: int
    failures: tuple[Failure, ...]


@dataclass(slots=True, eq=False)
class _Work:
    """A job on its way. `is_dead`, `failures` and `writer` are also written by the writing thread, each at once."""

    job: Job
    options: Options
    writer: Writer | None = None
    block: list[Array] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    taken: int = 0
    failures: list[Failure] = field(default_factory=list)
    is_open: bool = False
    is_dead: bool = False
    # The repetition that is not written, as a slice of it has failed.
    left_out: int | None = None


def run(
    jobs: Iterable[Job],
    out: str,
    options: Options,
    *,
    threads: int | None = None,
    stop_at_failure: bool = False,
    report: Report | None = None,
) -> Generator[Result, None, None]:
    """Decode and write `jobs`; whatever ends it leaves nothing that is not complete.

    Parameters
    ----------
    jobs : iterable of Job
        What to make.
    out : str
        The output folder, which exists.
    options : Options
        How to make it.
    threads : int, optional
        Most threads to decode on: all cores by default. As many compress, and one writes.
    stop_at_failure : bool
        Nothing more is begun after the first failure, and its series is not written.
    report : callable, optional
        Called with counts of frames, files, bytes and failed frames since it was called last.

    Yields
    ------
    Result
        One a job, in any order; none for jobs that were not finished.
    """
    runner = _Runner(out, options, thread_count(threads), stop_at_failure, report or (lambda *_: None))
    return runner.results(jobs)


class _Runner:
    def __init__(self, out: str, options: Options, threads: int, stop_at_failure: bool, report: Report) -> None:
        self._out = out
        self._options = options
        self._threads = threads
        self._stop_at_failure = stop_at_failure
        self._report = report
        self._waiting: deque[tuple[Task[Result | None], int]] = deque()
        self._waiting_bytes = 0
        self._preparing = ThreadPool(threads, "dicoxide-prepare")
        self._writing = ThreadPool(1, "dicoxide-write")

    def results(self, jobs: Iterable[Job]) -> Generator[Result, None, None]:
        works = [_Work(job, self._options) for job in jobs]
        # Those that `decode_many` takes are in one go, so that many small series are as fast as a large one.
        order = sorted(
            range(len(works)), key=lambda place: any(s.frame_index is not None for s in works[place].job.slices)
        )
        works = [works[place] for place in order]
        try:
            yield from self._results(works)
        finally:
            with ExitStack() as ends:
                for work in works:
                    ends.callback(_abort, work)
                # What writes waits for what prepares, so it is stopped first: the last is called first.
                ends.callback(self._preparing.stop)
                ends.callback(self._writing.stop)

    def _results(self, works: list[_Work]) -> Iterator[Result]:
        current = 0
        places = {id(work): place for place, work in enumerate(works)}
        with closing(decoded_slices([(work.job, work) for work in works], self._options, self._threads)) as slices:
            for work, index, result in slices:
                while current < places[id(work)]:
                    self._end(works[current])
                    current += 1
                self._take(work, index, result)
                if self._stop_at_failure and work.failures:
                    # Its series is not written, but what is complete already is told.
                    work.is_dead = True
                    self._end(work)
                    current = len(works)
                    break
                most_bytes = (self._threads + 1) * _WAITING_BYTES
                for one in self._done(wait=self._waiting_bytes > most_bytes or len(self._waiting) > _WAITING_COUNT):
                    yield one
                    if self._stop_at_failure and one.failures:
                        return
        for work in works[current:]:
            self._end(work)
        while self._waiting:
            yield from self._done(wait=True)

    def _done(self, *, wait: bool) -> Iterator[Result]:
        """Results of what has been written; with `wait`, after the next of it."""
        while self._waiting and (wait or self._waiting[0][0].done()):
            wait = False
            future, size = self._waiting.popleft()
            result = future.result()
            self._waiting_bytes -= size
            if result is not None:
                yield result

    def _take(self, work: _Work, index: int, result: Array | Exception) -> None:
        """One slice into its block."""
        work.taken = index + 1
        if work.is_dead:
            self._count(work, index, 0)
            return
        if work.writer is None:
            try:
                work.writer = open_writer(self._out, work.job, work.options)
            except Exception as error:
                self._kill(work, error)
                self._count(work, index, 0)
                return
        failure = _refused(work.job, index, result, work.writer.dtype)
        depth = work.job.plan.depth
        if failure is not None:
            work.failures.append(failure)
            self._count(work, index, 0)
            if work.job.plan.axis is not None:
                self._leave_out(work, index // depth)
            return
        if index // depth == work.left_out:
            self._count(work, index, 0)
            return
        assert not isinstance(result, Exception)
        work.block.append(result)
        work.held.append(index)
        work.kept.append(index)
        self._count(work, index, work.writer.slice_bytes)
        # A block has slices of one repetition.
        if len(work.held) == work.writer.block or len(work.kept) % depth == 0:
            self._flush(work)

    def _leave_out(self, work: _Work, repetition: int) -> None:
        """Forget a repetition of which a slice has failed: an array has no holes."""
        if work.left_out == repetition:
            return
        work.left_out = repetition
        work.block, work.held = [], []
        start = next((at for at, one in enumerate(work.kept) if one // work.job.plan.depth == repetition), None)
        if start is None:
            return
        gone = len(work.kept) - start
        del work.kept[start:]
        assert work.writer is not None
        self._report(0, 0, -gone * work.writer.slice_bytes, gone)
        self._submit(self._writing.submit(self._forget, work, start), 0)

    def _forget(self, work: _Work, count: int) -> None:
        if work.is_dead or not work.is_open or work.writer is None:
            return
        try:
            work.writer.forget(count)
        except Exception as error:
            self._kill(work, error)

    def _count(self, work: _Work, index: int, size: int) -> None:
        slices = work.job.slices
        is_last = index + 1 == len(slices) or slices[index + 1].path != slices[index].path
        self._report(1, int(is_last), size, int(size == 0))

    def _flush(self, work: _Work) -> None:
        block, held = work.block, work.held
        if not held:
            return
        work.block, work.held = [], []
        size = sum(one.nbytes for one in block)
        prepared = self._preparing.submit(_prepared, work, block, held)
        self._submit(self._writing.submit(self._append, work, prepared, len(held)), size)

    def _end(self, work: _Work) -> None:
        """No more slices of the job come."""
        left = work.job.slices[work.taken :]
        if left:
            self._report(len(left), len({one.path for one in left}), 0, len(left))
        self._flush(work)
        self._submit(self._writing.submit(self._finish, work), 0)

    def _submit(self, future: Task[Result | None], size: int) -> None:
        self._waiting.append((future, size))
        self._waiting_bytes += size

    def _append(self, work: _Work, prepared: Task[Any], count: int) -> None:
        if work.is_dead or work.writer is None:
            return
        try:
            if not work.is_open:
                work.is_open = True
                work.writer.open()
            work.writer.append(prepared.result(), count)
        except Exception as error:
            self._kill(work, error)

    def _finish(self, work: _Work) -> Result:
        job, writer = work.job, work.writer
        outputs: list[str] = []
        if not work.is_dead and work.is_open and work.kept and writer is not None:
            try:
                kept = job.keeping(work.kept)
                outputs = writer.finish(kept, [failure.as_json() for failure in work.failures])
            except Exception as error:
                self._kill(work, error)
        if writer is not None and not outputs:
            writer.abort()
        if work.failures:
            # What was left out as a copy may be a copy of what has failed; findings are not written without an array.
            work.failures.extend(
                Failure(job.slices[0].path, kind="Duplicate", message=finding.message, series=job.name)
                for finding in job.plan.findings
                if finding.kind == "duplicate"
            )
        work.writer = None
        return Result(job.name, tuple(outputs), len(work.kept) if outputs else 0, tuple(work.failures))

    def _kill(self, work: _Work, error: Exception) -> None:
        """The series cannot be written; its other slices are not decoded."""
        work.is_dead = True
        if isinstance(error, OSError):
            said = (error.strerror or str(error)).lower()
            work.failures.append(
                Failure(
                    work.job.slices[0].path, kind="Write", message=f"writing the series: {said}", series=work.job.name
                )
            )
        else:
            work.failures.append(failure_of(error, work.job.slices[0].path, series=work.job.name))
        if work.writer is not None:
            work.writer.abort()


def _abort(work: _Work) -> None:
    if work.writer is not None:
        work.writer.abort()


def _prepared(work: _Work, block: list[Array], held: list[int]) -> Any:
    return None if work.is_dead or work.writer is None else work.writer.prepare(block, held)


def _refused(job: Job, index: int, result: Array | Exception, dtype: np.dtype[np.generic]) -> Failure | None:
    """Why the slice cannot be taken."""
    one = job.slices[index]
    known: dict[str, Any] = {
        "sop_instance_uid": one.sop_instance_uid or None,
        "transfer_syntax": one.file.transfer_syntax,
        "frame_index": one.frame_index,
        "series": job.name,
    }
    try:
        status = os.stat(one.path)
        has_changed = (status.st_size, status.st_mtime_ns) != (one.file.size, one.file.mtime_ns)
    except OSError:
        has_changed = not isinstance(result, OSError)
    if has_changed:
        return Failure(one.path, kind="Changed", message="the file has changed while it was read", **known)
    if isinstance(result, Exception):
        return failure_of(result, one.path, **known)
    if result.shape != job.slice_shape or not np.can_cast(result.dtype, dtype, "safe"):
        found = f"{'×'.join(map(str, result.shape))} of {result.dtype} found"
        wanted = f"{'×'.join(map(str, job.slice_shape))} of {dtype} expected"
        return Failure(one.path, kind="Mismatch", message=f"{found}, {wanted} of the header", **known)
    return None
