"""Writes tasks to disk: slices are decoded in order, and blocks of them are written while the next ones are decoded.

    decode_task_slices ──► block ──► prepare (compress; any thread) ──► append (one thread, in order) ──► finish

Memory is bounded for series of any size: a few blocks, and the slices that `decode_many` decodes ahead.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from dicoxide._arguments import Array, thread_count
from dicoxide._threads import Task, ThreadPool
from dicoxide.bulk.runs._decode_slices import decode_task_slices
from dicoxide.bulk.runs._failure import Failure, failure_from_error, os_error_text
from dicoxide.bulk.runs._formats import Writer, open_writer
from dicoxide.bulk.runs._options import RunOptions
from dicoxide.bulk.runs._tasks import ArrayTask
from dicoxide.bulk.series import Slice

__all__ = ["ProgressCallback", "TaskResult", "run_tasks"]

# Called with the number of frames, files and bytes done since the last call, and of failed frames among them.
ProgressCallback: TypeAlias = Callable[[int, int, int, int], None]

# Blocks that are being prepared or wait to be written: bytes for each decoding thread and once more, and their number.
_QUEUED_BYTES_PER_THREAD = 8 << 20
_MAX_QUEUED_BLOCKS = 64


@dataclass(frozen=True, slots=True)
class TaskResult:
    """Outcome of a task.

    Attributes
    ----------
    name : str
        Name of the task.
    outputs : tuple of str
        Names of files and folders in the output folder; empty if nothing was written.
    slices : int
        Number of slices written.
    failures : tuple of Failure
        One for each missing slice, or the reason why nothing was written.
    shape : tuple of int
        Shape of the array that was written; empty if nothing was.
    """

    name: str
    outputs: tuple[str, ...]
    slices: int
    failures: tuple[Failure, ...]
    shape: tuple[int, ...] = ()


@dataclass(slots=True, eq=False)
class _TaskState:
    """Progress of one task.

    The writing thread sets `is_abandoned`, `is_open` and `writer`, and appends to `failures`, while the calling thread
    reads them; each of these is one atomic operation.
    """

    task: ArrayTask
    options: RunOptions
    writer: Writer | None = None
    # Slices of the next block, and their indices in the task.
    block: list[Array] = field(default_factory=list)
    block_indices: list[int] = field(default_factory=list)
    # Indices of all slices that are written, or in blocks.
    retained_indices: list[int] = field(default_factory=list)
    # Number of slices received, including failed ones.
    received_count: int = 0
    failures: list[Failure] = field(default_factory=list)
    is_open: bool = False
    is_abandoned: bool = False
    # Index of the repetition that is left out because one of its slices failed.
    skipped_repetition: int | None = None
    # Path and index of the frame that was checked last, and whether its file has changed.
    checked_frame: tuple[str, int, bool] = ("", 0, False)

    def has_changed(self, frame: Slice, *, if_missing: bool) -> bool:
        """Return whether the file of a slice has changed since its header was read; `if_missing` if it is gone.

        The slices of a mosaic are decoded as one frame, so the file is checked once for all of them.
        """
        if self.checked_frame[:2] != (frame.path, frame.frame):
            try:
                status = os.stat(frame.path)
                has_changed = (status.st_size, status.st_mtime_ns) != (frame.file.size, frame.file.mtime_ns)
            except OSError:
                has_changed = if_missing
            self.checked_frame = (frame.path, frame.frame, has_changed)
        return self.checked_frame[2]

    def has_known_shape(self, index: int, result: Array | Exception) -> bool:
        """Return True if the shape of the array is known, with the first result of a slice.

        Palettes, colours of segments and a maximum size change the shape of rendered slices, so the task gets that of
        the first one.
        """
        if self.options.rendering is None:
            return True
        frame = self.task.slices[index]
        if isinstance(result, Exception) or (not frame.is_omitted and self.has_changed(frame, if_missing=True)):
            return False
        self.task = self.task.rendered(result.shape, result.dtype)
        return True

    def abort(self) -> None:
        """Remove what was written."""
        if self.writer is not None:
            self.writer.abort()


def run_tasks(
    tasks: Iterable[ArrayTask],
    out: str,
    options: RunOptions,
    *,
    threads: int | None = None,
    stop_at_failure: bool = False,
    report: ProgressCallback | None = None,
) -> Generator[TaskResult, None, None]:
    """Decode and write tasks. If the generator is closed or raises, no incomplete output remains.

    Parameters
    ----------
    tasks : iterable of ArrayTask
        Arrays to write.
    out : str
        The output folder; must exist.
    options : RunOptions
        Decoding options and output format.
    threads : int, optional
        Maximum number of threads that decode; all cores by default. The same number compresses, and one thread writes.
    stop_at_failure : bool
        Stop after the first failure, and do not write its series.
    report : callable, optional
        Progress callback.

    Yields
    ------
    TaskResult
        One for each task, in any order; none for tasks that were not finished.
    """
    runner = _Runner(out, options, thread_count(threads), stop_at_failure, report or (lambda *_: None))
    return runner.results(tasks)


class _Runner:
    def __init__(
        self, out: str, options: RunOptions, threads: int, stop_at_failure: bool, report: ProgressCallback
    ) -> None:
        self._out = out
        self._options = options
        self._threads = threads
        self._stop_at_failure = stop_at_failure
        self._report = report
        # Calls of the writing thread, in order, and the bytes of the block that each writes.
        self._writes: deque[tuple[Task[TaskResult | None], int]] = deque()
        self._queued_bytes = 0
        self._prepare_pool = ThreadPool(threads, "dicoxide-prepare")
        self._write_pool = ThreadPool(1, "dicoxide-write")

    def results(self, tasks: Iterable[ArrayTask]) -> Generator[TaskResult, None, None]:
        states = [_TaskState(task, self._options) for task in tasks]
        # Tasks without multi-frame files come first: `decode_many` decodes them in one call, so that many small series
        # are as fast as a large one.
        states.sort(key=lambda state: any(frame.frame_index is not None for frame in state.task.slices))
        try:
            yield from self._results(states)
        finally:
            with ExitStack() as cleanup:
                for state in states:
                    cleanup.callback(state.abort)
                # Callbacks run in reverse order: the writing thread waits for prepared blocks, so it is stopped first.
                cleanup.callback(self._prepare_pool.stop)
                cleanup.callback(self._write_pool.stop)

    def _results(self, states: list[_TaskState]) -> Iterator[TaskResult]:
        current = 0
        position_of = {id(state): position for position, state in enumerate(states)}
        tasks = [(state.task, state) for state in states]
        with closing(decode_task_slices(tasks, self._options, self._threads)) as slices:
            for state, index, result in slices:
                while current < position_of[id(state)]:
                    self._end_task(states[current])
                    current += 1
                self._receive(state, index, result)
                if self._stop_at_failure and state.failures:
                    # This series is not written, but results of series that are complete are still yielded.
                    state.is_abandoned = True
                    self._end_task(state)
                    current = len(states)
                    break
                is_full = self._queued_bytes > (self._threads + 1) * _QUEUED_BYTES_PER_THREAD
                for task_result in self._completed(wait=is_full or len(self._writes) > _MAX_QUEUED_BLOCKS):
                    yield task_result
                    if self._stop_at_failure and task_result.failures:
                        return
        for state in states[current:]:
            self._end_task(state)
        while self._writes:
            yield from self._completed(wait=True)

    def _completed(self, *, wait: bool) -> Iterator[TaskResult]:
        """Yield results of completed calls of the writing thread; with `wait`, wait for the first of them."""
        while self._writes and (wait or self._writes[0][0].done()):
            wait = False
            call, size = self._writes.popleft()
            result = call.result()
            self._queued_bytes -= size
            if result is not None:
                yield result

    def _receive(self, state: _TaskState, index: int, result: Array | Exception) -> None:
        """Put one slice, or its failure, into the state of its task."""
        state.received_count = index + 1
        if state.is_abandoned:
            self._report_slice(state, index, 0)
            return
        if state.writer is None and state.has_known_shape(index, result):
            try:
                state.writer = open_writer(self._out, state.task, state.options)
            except Exception as error:
                self._abandon(state, error)
                self._report_slice(state, index, 0)
                return
        failure = _slice_failure(state, index, result)
        depth = state.task.plan.depth
        if failure is not None:
            state.failures.append(failure)
            self._report_slice(state, index, 0)
            if state.task.plan.axis is not None:
                self._skip_repetition(state, index // depth)
            return
        if index // depth == state.skipped_repetition:
            self._report_slice(state, index, 0)
            return
        assert state.writer is not None
        assert not isinstance(result, Exception)
        state.block.append(result)
        state.block_indices.append(index)
        state.retained_indices.append(index)
        self._report_slice(state, index, state.writer.slice_bytes)
        # A block holds slices of one repetition.
        if len(state.block) == state.writer.block_slices or len(state.retained_indices) % depth == 0:
            self._submit_block(state)

    def _skip_repetition(self, state: _TaskState, repetition: int) -> None:
        """Drop the slices of a repetition, one of which failed; an array has no holes."""
        if state.skipped_repetition == repetition:
            return
        state.skipped_repetition = repetition
        state.block, state.block_indices = [], []
        depth, retained = state.task.plan.depth, state.retained_indices
        # Slices arrive in order, so those of this repetition are the last.
        remaining = sum(index // depth != repetition for index in retained)
        dropped = len(retained) - remaining
        if not dropped:
            return
        del retained[remaining:]
        assert state.writer is not None
        self._report(0, 0, -dropped * state.writer.slice_bytes, dropped)
        self._submit_write(self._write_pool.submit(self._truncate, state, remaining), 0)

    def _truncate(self, state: _TaskState, slice_count: int) -> None:
        if state.is_abandoned or not state.is_open or state.writer is None:
            return
        try:
            state.writer.truncate(slice_count)
        except Exception as error:
            self._abandon(state, error)

    def _report_slice(self, state: _TaskState, index: int, size: int) -> None:
        """Report one slice; it failed if its size is 0."""
        slices = state.task.slices
        is_last_of_file = slices[index].path != "" and (
            index + 1 == len(slices) or slices[index + 1].path != slices[index].path
        )
        self._report(1, int(is_last_of_file), size, int(size == 0))

    def _submit_block(self, state: _TaskState) -> None:
        block, indices = state.block, state.block_indices
        if not block:
            return
        state.block, state.block_indices = [], []
        size = sum(pixels.nbytes for pixels in block)
        prepared = self._prepare_pool.submit(_prepare_block, state, block, indices)
        self._submit_write(self._write_pool.submit(self._append, state, prepared, len(block)), size)

    def _end_task(self, state: _TaskState) -> None:
        """Submit the last block and the end of a task whose slices have all been received."""
        not_received = state.task.slices[state.received_count :]
        if not_received:
            file_count = len({frame.path for frame in not_received} - {""})
            self._report(len(not_received), file_count, 0, len(not_received))
        self._submit_block(state)
        self._submit_write(self._write_pool.submit(self._finish, state), 0)

    def _submit_write(self, call: Task[TaskResult | None], size: int) -> None:
        self._writes.append((call, size))
        self._queued_bytes += size

    def _append(self, state: _TaskState, prepared: Task[Any], slice_count: int) -> None:
        if state.is_abandoned or state.writer is None:
            return
        try:
            if not state.is_open:
                state.is_open = True
                state.writer.open()
            state.writer.append(prepared.result(), slice_count)
        except Exception as error:
            self._abandon(state, error)

    def _finish(self, state: _TaskState) -> TaskResult:
        task, writer = state.task, state.writer
        outputs: list[str] = []
        retained = task
        # Frames that a segmentation omits are no reason to write an array.
        has_slices = any(not task.slices[index].is_omitted for index in state.retained_indices)
        if not state.is_abandoned and state.is_open and has_slices and writer is not None:
            try:
                retained = task.with_slices(state.retained_indices)
                outputs = writer.finish(retained, [failure.as_json() for failure in state.failures])
            except Exception as error:
                self._abandon(state, error)
        if writer is not None and not outputs:
            writer.abort()
        if state.failures:
            # Files left out as copies may be copies of a slice that failed.
            state.failures.extend(
                Failure(path, kind="Duplicate", message="left out as a copy of an instance", series=task.name)
                for finding in task.plan.findings
                if finding.kind == "duplicate"
                for path in dict.fromkeys(path for path, _ in finding.left_out)
            )
        state.writer = None
        slice_count = len(state.retained_indices) if outputs else 0
        shape = retained.shape if outputs else ()
        return TaskResult(task.name, tuple(outputs), slice_count, tuple(state.failures), shape)

    def _abandon(self, state: _TaskState, error: Exception) -> None:
        """Give up a series that cannot be written; its remaining slices are not decoded."""
        state.is_abandoned = True
        path, series = state.task.plan.first_slice.path, state.task.name
        if isinstance(error, OSError):
            message = f"cannot write the series: {os_error_text(error)}"
            state.failures.append(Failure(path, kind="Write", message=message, series=series))
        else:
            state.failures.append(failure_from_error(error, path, series=series))
        state.abort()


def _prepare_block(state: _TaskState, block: list[Array], indices: list[int]) -> Any:
    return None if state.is_abandoned or state.writer is None else state.writer.prepare(block, indices)


def _slice_failure(state: _TaskState, index: int, result: Array | Exception) -> Failure | None:
    """Return why the result of a slice cannot be written, or None if it can."""
    task = state.task
    # Looks at all slices, so the writer, which all slices but failed ones have, keeps the type.
    dtype = state.options.output_dtype(task) if state.writer is None else state.writer.dtype
    frame = task.slices[index]
    if frame.is_omitted:
        return None
    source: dict[str, Any] = {
        "sop_instance_uid": frame.sop_instance_uid or None,
        "transfer_syntax": frame.file.transfer_syntax,
        "frame_index": frame.frame_index,
        "series": task.name,
    }
    # If decoding failed because the file is gone, its error says so.
    if state.has_changed(frame, if_missing=not isinstance(result, OSError)):
        return Failure(frame.path, kind="Changed", message="the file changed during the run", **source)
    if isinstance(result, Exception):
        return failure_from_error(result, frame.path, **source)
    if result.shape != task.slice_shape or not np.can_cast(result.dtype, dtype, "safe"):
        decoded = f"{'×'.join(map(str, result.shape))} {result.dtype} decoded"
        expected = f"{'×'.join(map(str, task.slice_shape))} {dtype} expected from the header"
        return Failure(frame.path, kind="Mismatch", message=f"{decoded}, {expected}", **source)
    return None
