"""Decoding of many sources on all cores, in bounded memory.

    sources ──► _SourceQueue ──► _DecoderPool ──┬─► core.BatchDecoder (native threads) ──┬─► results, in order
                limits sources                  └─► `decode` on a ThreadPool             ┘
                and their bytes                     what the core does not support

Each source has an index, its position in the input. The consumer's thread drives everything: it reads sources, submits
them, and waits for results. No thread outlives the iterator.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from heapq import heappop, heappush
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from weakref import WeakSet

import numpy as np

from dicoxide import _deviations
from dicoxide._arguments import Array, byte_limit, check_reduce, check_rescale, owned_bytes, thread_count
from dicoxide._backend import backend, core
from dicoxide._decode import decode
from dicoxide._decode import open as open_image
from dicoxide._options import DecodeOptions
from dicoxide._sources import not_dicom_error, read_to_end, seekable_file
from dicoxide._threads import ThreadPool
from dicoxide.bulk._on_error import OnError, check_on_error
from dicoxide.bulk._render_options import render_options

if TYPE_CHECKING:
    from dicoxide._rendering import RenderOptions
    from dicoxide._sources import Readable

__all__ = ["decode_many"]

_DECODE_OPTIONS = frozenset(
    {"dtype", "fallback", "frames", "max_bytes", "quantity", "raw", "reduce", "rescale", "strict"}
)
# Options of `decode` that may be given with `render`.
_COMMON_OPTIONS = frozenset({"dtype", "fallback", "frames", "max_bytes", "reduce", "strict"})
# Size of decoded samples that are buffered; more than four threads have a quarter of this each.
_BUFFER_BYTES = 48 << 20
# Sources in flight for each thread. The number starts small, so that the first results come soon, and doubles whenever
# a thread has no source to decode.
_INITIAL_SOURCES = 2
_MAX_SOURCES = 128
# Sources for `decode` in flight, or decoded and not yet yielded, for each thread.
_MAX_FALLBACK_SOURCES = 2

# Errors of single sources, including `DecodeError`; other exceptions are always raised.
_SOURCE_ERRORS = (ValueError, IndexError, OSError)

# An array with its deviations (None if `decode` has warned about them already), or an error.
_Result: TypeAlias = "tuple[Array, list[Any] | None] | BaseException"


class _Source(NamedTuple):
    """A source as the caller gave it, what is decoded for it, and whether the core can read that.

    `data` is a path, bytes, a `SeekableFile`, the source itself, or the exception that reading it raised.
    """

    source: Any
    data: Any
    core_can_read: bool

    @property
    def buffered_bytes(self) -> int:
        """Size in memory before it is decoded."""
        return len(self.data) if type(self.data) is bytes else 0


def decode_many(
    sources: Iterable[Readable],
    *,
    threads: int | None = None,
    on_error: OnError = "raise",
    ordered: bool = True,
    render: bool | Mapping[str, Any] | RenderOptions = False,
    **options: Any,
) -> Iterator[tuple[Any, Any]]:
    """Decode many sources; reading, parsing and decoding overlap on all cores, in bounded memory.

    Parameters
    ----------
    sources : iterable of path, bytes-like, binary file or pydicom Dataset
        The sources. They are consumed as results are, with a limited number in flight. A seekable file is read on the
        threads that decode, and must stay open until its result is yielded.
    threads : int, optional
        Maximum number of threads that decode; all cores by default.
    on_error : {"raise", "return", "skip"}
        Handling of the errors of a source (`DecodeError` and other ValueErrors, IndexError, OSError): raise the error,
        yield it in place of the array, or leave the source out.
    ordered : bool
        Yield results in the order of `sources`; with ``False``, in the order in which they are complete.
    render : bool or mapping
        Yield rendered arrays: True, or the options of :func:`render`, such as ``{"window": (40, 400)}``. A range of
        values is that of each source.
    **options
        Options of :func:`decode`, except `out` and `copy`; `max_bytes` is the limit for each source. With `render`:
        `frames`, `dtype`, `reduce`, `max_bytes`, `strict` and `fallback`.

    Yields
    ------
    (source, ndarray or exception)
        The source as it was given, and the array that `decode` or `render` returns for it, or its error.

    Raises
    ------
    DecodeError, ValueError, IndexError, OSError
        With ``on_error="raise"``: the error of the first source, in order, that has one (if not `ordered`, the error
        that occurs first). Results before it are yielded first, also if iterating over `sources` raises.
    """
    check_on_error(on_error)
    check_rescale(options.get("rescale", False), options.get("quantity"))
    check_reduce(options.get("reduce", 0))
    if unknown := sorted(options.keys() - _DECODE_OPTIONS):
        supported = ", ".join(sorted(_DECODE_OPTIONS))
        raise TypeError(f"decode_many() has no option {unknown[0]!r}; options of decode() are {supported}")
    rendering = _check_rendering(render, options)
    return _results(iter(sources), thread_count(threads), options, rendering, on_error, ordered)


def _check_rendering(
    render: bool | Mapping[str, Any] | RenderOptions, options: Mapping[str, Any]
) -> RenderOptions | None:
    """Return the options of `render`, checked against the others; None if sources are not rendered."""
    rendering = render_options(render, dtype=options.get("dtype"), reduce=options.get("reduce"))
    if rendering is None:
        return None
    if unsuitable := sorted(key for key in options.keys() - _COMMON_OPTIONS if options[key]):
        raise ValueError(f"{unsuitable[0]} does not fit render, which needs stored values")
    return rendering


def _results(
    sources: Iterator[Readable],
    threads: int,
    options: dict[str, Any],
    rendering: RenderOptions | None,
    on_error: OnError,
    ordered: bool,
) -> Iterator[tuple[Any, Any]]:
    process_id = os.getpid()
    queue, pool = _SourceQueue(sources), _DecoderPool(threads, options, rendering)
    # By index. Results wait here for those of earlier sources; each with the pool that made it.
    in_flight: dict[int, _Source] = {}
    done: dict[int, tuple[_Source, _Result, _DecoderPool]] = {}
    max_sources = _INITIAL_SOURCES * threads
    try:
        while True:
            new = queue.take(max_sources - len(in_flight) - len(done), pool.buffer_bytes)
            in_flight |= new
            if os.getpid() != process_id:
                # A forked child has no threads; submit everything again.
                process_id, pool = os.getpid(), _DecoderPool(threads, options, rendering)
                new = in_flight
            pool.submit(new)
            if not in_flight:
                queue.raise_deferred()
                return
            for index, result in pool.collect(in_flight):
                done[index] = in_flight.pop(index), result, pool
            if pool.queue_is_empty:
                max_sources = min(2 * max_sources, _MAX_SOURCES * threads)
            first_in_flight = min(in_flight, default=queue.count)
            for index in sorted(done):
                if ordered and index > first_in_flight:
                    break
                entry, result, owner = done.pop(index)
                queue.release(entry)
                if type(result) is tuple:
                    array, deviations = result
                    owner.release(array, from_core=deviations is not None)
                    if deviations:
                        _deviations.warn(deviations)
                    yield entry.source, array
                elif on_error == "raise" or not isinstance(result, _SOURCE_ERRORS):
                    raise result  # type: ignore[misc]
                elif on_error == "return":
                    yield entry.source, result
    finally:
        pool.stop()


class _SourceQueue:
    """Takes sources from the caller's iterator, in bounded numbers and sizes.

    Attributes
    ----------
    count : int
        Number of sources taken so far, which is the index of the next one.
    """

    def __init__(self, sources: Iterator[Readable]) -> None:
        self.count = 0
        self._sources = sources
        # Bytes of the sources that are not released.
        self._buffered_bytes = 0
        self._is_exhausted = False
        self._deferred_error: Exception | None = None

    def take(self, max_count: int, max_bytes: int) -> dict[int, _Source]:
        """Take up to `max_count` sources, and none while those not yet released hold `max_bytes` or more."""
        new: dict[int, _Source] = {}
        while not self._is_exhausted and len(new) < max_count and self._buffered_bytes < max_bytes:
            try:
                source = next(self._sources)
            except Exception as error:
                self._is_exhausted = True
                if not isinstance(error, StopIteration):
                    # Raised after the results of the sources before it.
                    self._deferred_error = error
                break
            entry = new[self.count] = _read_source(source)
            self._buffered_bytes += entry.buffered_bytes
            self.count += 1
        return new

    def release(self, entry: _Source) -> None:
        """Stop counting the bytes of a source, whose result is yielded next."""
        self._buffered_bytes -= entry.buffered_bytes

    def raise_deferred(self) -> None:
        """Raise the error of the caller's iterator, if it raised one."""
        if self._deferred_error is not None:
            raise self._deferred_error


def _read_source(source: Any) -> _Source:
    """Read unseekable files and buffers into bytes; leave paths, Datasets and unknown types as they are."""
    if isinstance(source, (str, os.PathLike)):
        return _Source(source, source, _is_text_path(source))
    if isinstance(source, bytes) or hasattr(source, "get_item") or hasattr(source, "file_meta"):
        return _Source(source, source, isinstance(source, bytes))
    if hasattr(source, "read"):
        try:
            file = seekable_file(source)
            return _Source(source, read_to_end(source) if file is None else file, True)
        except Exception as error:
            return _Source(source, error, False)
    try:
        return _Source(source, owned_bytes(source), True)
    except TypeError:
        return _Source(source, source, False)


def _is_text_path(path: str | os.PathLike[str]) -> bool:
    """Return True if the core can open `path`. Otherwise `decode` opens it, or raises the error."""
    if type(path) is str and path.isascii():
        return True
    try:
        name = os.fspath(path)
        os.fsencode(name)
    except Exception:
        return False
    return isinstance(name, str)


# Pools whose threads may need the interpreter, to read file objects. At exit they are stopped while they can get it.
_live_pools: WeakSet[_DecoderPool] = WeakSet()


@atexit.register
def _stop_pools() -> None:
    for pool in list(_live_pools):
        pool.stop()


class _DecoderPool:
    """Decodes sources on the core's threads, or with `decode` on Python threads if the core does not support them.

    Attributes
    ----------
    buffer_bytes : int
        Approximate limit of decoded samples that are buffered.
    queue_is_empty : bool
        True if no source waited for a thread of the core when results were last collected.
    """

    def __init__(self, threads: int, options: dict[str, Any], rendering: RenderOptions | None) -> None:
        self.buffer_bytes = max(_BUFFER_BYTES, threads * _BUFFER_BYTES // 4)
        self.queue_is_empty = False
        self._decode_source = _source_decoder(options, rendering)
        arguments = _batch_arguments(options, threads) if rendering is None else None
        self._core = None if arguments is None else core.BatchDecoder(buffer_bytes=self.buffer_bytes, **arguments)
        self._core_source_count = 0
        # Bytes of arrays yielded since results were last collected; the core may decode that many bytes more.
        self._released_bytes = 0
        self._fallback = ThreadPool(threads)
        # Heap of (index, data) that wait for the fallback threads.
        self._fallback_queue: list[tuple[int, Any]] = []
        # Number of sources on the fallback threads, or decoded there and not yet released.
        self._fallback_source_count = 0
        self._max_fallback_sources = _MAX_FALLBACK_SOURCES * threads
        self._fallback_results: SimpleQueue[tuple[int, _Result]] = SimpleQueue()
        self._read_errors: list[tuple[int, _Result]] = []
        _live_pools.add(self)

    def submit(self, sources: Mapping[int, _Source]) -> None:
        """Queue sources, by index."""
        for_core = []
        for index, (_, data, core_can_read) in sources.items():
            if isinstance(data, Exception):
                self._read_errors.append((index, data))
            elif self._core is not None and core_can_read:
                for_core.append((index, data))
            else:
                heappush(self._fallback_queue, (index, data))
        if for_core and self._core is not None:
            self._core_source_count += len(for_core)
            self._core.push(for_core)

    def collect(self, in_flight: Mapping[int, _Source]) -> list[tuple[int, _Result]]:
        """Wait for results and return them with their indices; the list may be empty if the core was woken.

        `in_flight` has all sources that were submitted and not yet collected, and is not empty.
        """
        first = min(in_flight)
        # The first source is started even if the limit is reached: the results of all others may wait for it.
        while self._fallback_queue and (
            self._fallback_source_count < self._max_fallback_sources or self._fallback_queue[0][0] == first
        ):
            self._fallback_source_count += 1
            self._fallback.submit(self._decode, *heappop(self._fallback_queue))
        results, self._read_errors = self._read_errors, []
        if self._core is not None and self._core_source_count:
            if results or not self._fallback_results.empty():
                # There are results already: `take` must not wait.
                self._core.wake()
            queued_count, core_results = self._core.take_results(first, self._released_bytes)
            self._released_bytes = 0
            self.queue_is_empty = not queued_count
            for index, result in core_results:
                self._core_source_count -= 1
                if result is None:
                    # Not supported by the core.
                    heappush(self._fallback_queue, (index, in_flight[index].data))
                elif isinstance(result, BaseException):
                    results.append((index, not_dicom_error(result, in_flight[index].data) or result))
                else:
                    results.append((index, result))
        elif not results:
            results.append(self._fallback_result())
        while not self._fallback_results.empty():
            results.append(self._fallback_result())
        return results

    def _fallback_result(self) -> tuple[int, _Result]:
        index, result = self._fallback_results.get()
        # Errors hold no samples, so they are not counted until they are released.
        self._fallback_source_count -= isinstance(result, BaseException)
        return index, result

    def release(self, array: Array, *, from_core: bool) -> None:
        """Stop counting an array, which is yielded next."""
        if from_core:
            self._released_bytes += array.nbytes
        else:
            self._fallback_source_count -= 1

    def stop(self) -> None:
        """Cancel what is being decoded."""
        if self._core is not None:
            self._core.cancel()
        self._fallback.stop()

    def _decode(self, index: int, data: Any) -> None:
        """Decode one source; called on a fallback thread."""
        result: _Result
        try:
            result = self._decode_source(data), None
        except BaseException as error:
            # The consumer waits for a result of every source, and raises this one in order.
            result = error
        self._fallback_results.put((index, result))
        if self._core is not None:
            # Wakes the consumer if it waits in `BatchDecoder.take`.
            self._core.wake()


def _source_decoder(options: dict[str, Any], rendering: RenderOptions | None) -> Callable[[Any], Array]:
    """Return the function that decodes or renders one source on the calling thread."""
    if rendering is None:
        return partial(decode, threads=1, **options)
    strict, fallback = bool(options.get("strict", False)), bool(options.get("fallback", True))
    frames, max_bytes = options.get("frames"), byte_limit(options.get("max_bytes"))

    def render_source(data: Any) -> Array:
        with open_image(data, strict=strict, fallback=fallback) as image:
            return image._renderer(rendering).render(frames, None, threads=1, max_bytes=max_bytes)

    return render_source


def _batch_arguments(options: dict[str, Any], threads: int) -> dict[str, Any] | None:
    """Return the arguments of `core.BatchDecoder`, or None for options that only `decode` implements."""
    frames, dtype = options.get("frames"), options.get("dtype")
    if options.get("rescale") == "real_world" or options.get("quantity") is not None:
        return None
    if backend != "rust" or options.get("strict") or not (frames is None or type(frames) is int):
        return None
    if frames is not None and not -(1 << 63) <= frames < 1 << 63:
        return None
    arguments = {
        "options": DecodeOptions(
            threads,
            to_rgb=not options.get("raw"),
            max_bytes=byte_limit(options.get("max_bytes")),
            reduce=check_reduce(options.get("reduce", 0)),
        ),
        "frame": frames,
        "rescale": bool(options.get("rescale")),
    }
    if dtype is not None:
        requested = np.dtype(dtype)
        if not requested.isnative or requested.kind not in "iuf" or requested.name == "float16":
            return None
        if requested.itemsize > 8:
            return None
        arguments["type_name"] = requested.name
    return arguments
