"""Many sources, decoded on all cores in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from dicoxide import _notes
from dicoxide._backend import backend, core
from dicoxide._decode import decode
from dicoxide._request import byte_limit, owned_bytes, thread_count
from dicoxide.bulk._threads import Task, Threads

if TYPE_CHECKING:
    from dicoxide._source import Readable

__all__ = ["OnError", "decode_many"]

OnError = Literal["raise", "return", "skip"]

_OPTIONS = frozenset({"dtype", "fallback", "frames", "max_bytes", "raw", "rescale", "strict"})
# Batches that are decoded, or wait for it, while one is in the caller's hands: so that no thread waits for the caller.
_AHEAD = 2
# Decoded samples of one batch; a quarter of it a thread where there are more than four.
_ROOM_BYTES = 16 << 20
# Sources of the first batch and of the largest one, a thread: the first results come soon, later ones without a pause.
_FIRST_SOURCES = 2
_MOST_SOURCES = 128

# What may be wrong with a single source, `DecodeError` among it: colour cannot be rescaled, there is no such frame.
_OF_SOURCES = (ValueError, IndexError, OSError)

# What is still to be done: its place in the order, what the caller gave, what is decoded.
_Entry: TypeAlias = "tuple[int, Any, Any]"


def decode_many(
    sources: Iterable[Readable],
    *,
    threads: int | None = None,
    on_error: OnError = "raise",
    ordered: bool = True,
    **options: Any,
) -> Iterator[tuple[Any, Any]]:
    """Decode many sources; reading, parsing and decoding overlap on all cores, in bounded memory.

    Parameters
    ----------
    sources : iterable of path, bytes-like, binary file or pydicom Dataset
        What to decode; it is asked for more only when there is room for it.
    threads : int, optional
        Most threads to decode on: all cores by default.
    on_error : {"raise", "return", "skip"}
        What becomes of an error of a source (`DecodeError` or another ValueError, IndexError, OSError): it is raised;
        or given in place of the array; or left out.
    ordered : bool
        Give results in the order of `sources`; with ``False``, as they come.
    **options
        Those of :func:`decode`, but for `out` and `copy`; `max_bytes` is for each source.

    Yields
    ------
    (source, ndarray or exception)
        The source as it was given, and what `decode` gives of it.

    Raises
    ------
    DecodeError, ValueError, IndexError, OSError
        With ``on_error="raise"``: that of the first source in order that has one (of the first that is found, where
        not `ordered`). What comes before it has been given, also where `sources` itself raises.
    """
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error is 'raise', 'return' or 'skip', not {on_error!r}")
    if unknown := sorted(options.keys() - _OPTIONS):
        raise TypeError(
            f"decode_many takes no {unknown[0]!r}; of decode's options it takes {', '.join(sorted(_OPTIONS))}"
        )
    return _delivered(sources, _Run(thread_count(threads), options), on_error, ordered)


def _delivered(sources: Iterable[Readable], run: _Run, on_error: OnError, ordered: bool) -> Iterator[tuple[Any, Any]]:
    done: dict[int, tuple[Any, Any]] = {}
    first = 0
    try:
        for finished in _batches(iter(sources), run):
            done.update(finished)
            for place in sorted(done):
                if ordered and place != first:
                    break
                first += 1
                source, result = done.pop(place)
                if type(result) is tuple:
                    array, notes = result
                    _notes.warn(notes)
                    yield source, array
                elif on_error == "raise" or not isinstance(result, _OF_SOURCES):
                    raise result
                elif on_error == "return":
                    yield source, result
            run.ahead_bytes = sum(result[0].nbytes for _, result in done.values() if type(result) is tuple)
    finally:
        run.stop()


def _batches(rest: Iterator[Readable], run: _Run) -> Iterator[dict[int, tuple[Any, Any]]]:
    """What is done, batch by batch; the next ones are decoded while one is in the caller's hands."""
    process = os.getpid()
    begun: dict[int, _Entry] = {}
    batches: deque[Task[dict[int, tuple[Any, Any]]]] = deque()
    count, size = 0, _FIRST_SOURCES * run.threads
    failure: Exception | None = None
    # What there was no room for: it comes first in the next batch.
    left: list[_Entry] = []

    def next_batch(entries: list[_Entry]) -> dict[int, tuple[Any, Any]]:
        nonlocal left
        finished, left = run([*left, *entries])
        return finished

    def more() -> list[_Entry]:
        """Sources for two batches, with those that are begun."""
        nonlocal count, failure
        entries: list[_Entry] = []
        held = sum(len(entry[2]) for entry in begun.values() if type(entry[2]) is bytes)
        while failure is None and len(begun) + len(entries) < 2 * size and held < 2 * run.room_bytes:
            try:
                source = next(rest)
            except StopIteration:
                break
            except Exception as error:
                # Raised in its turn, behind what it has given so far.
                failure = error
                break
            data = _readable(source)
            held += len(data) if type(data) is bytes else 0
            entries.append((count, source, data))
            count += 1
        return entries

    background = Threads(1)
    try:
        while True:
            if os.getpid() != process:
                # A forked child has the iterator, but neither its thread nor what that was about.
                process, run, background, left = os.getpid(), run.afresh(), Threads(1), list(begun.values())
                batches.clear()
            while len(batches) < _AHEAD and ((entries := more()) or len(begun) > len(batches)):
                begun.update((entry[0], entry) for entry in entries)
                batches.append(background.submit(next_batch, entries))
            if not batches:
                if failure is not None:
                    raise failure
                return
            finished = batches.popleft().result()
            for place in finished:
                del begun[place]
            # As many as there was room for, or more where there was room for all.
            size = max(size if begun else min(2 * size, _MOST_SOURCES * run.threads), len(finished))
            yield finished
    finally:
        run.stop()
        background.stop()


def _readable(source: Any) -> Any:
    """Path or bytes, as the core reads them; or the source itself, or why it cannot be read."""
    if isinstance(source, (str, os.PathLike, bytes)) or hasattr(source, "get_item") or hasattr(source, "file_meta"):
        return source
    if hasattr(source, "read"):
        try:
            data = source.read()
        except Exception as error:
            return error
        return data if isinstance(data, bytes) else source
    try:
        return owned_bytes(source)
    except TypeError:
        return source


class _Run:
    """Decodes batches."""

    def __init__(self, threads: int, options: dict[str, Any]) -> None:
        self.threads = threads
        self.room_bytes = max(_ROOM_BYTES, threads * _ROOM_BYTES // 4)
        # Samples that wait for what comes before them: there is so much less room.
        self.ahead_bytes = 0
        self._bulk = core.Bulk() if backend == "rust" else None
        self._is_stopped = False
        self._options = options
        self._fast = _fast_options(options)

    def afresh(self) -> _Run:
        """The same, of which nothing is being decoded."""
        return _Run(self.threads, self._options)

    def stop(self) -> None:
        """Let the batch that is being decoded end soon."""
        self._is_stopped = True
        if self._bulk is not None:
            self._bulk.stop()

    def __call__(self, batch: Sequence[_Entry]) -> tuple[dict[int, tuple[Any, Any]], list[_Entry]]:
        """What is done of a batch, and what there was no room for."""
        if self._is_stopped:
            return {}, list(batch)
        finished: dict[int, tuple[Any, Any]] = {}
        ours: list[_Entry] = []
        elsewhere: list[_Entry] = []
        for entry in batch:
            if isinstance(entry[2], Exception):
                finished[entry[0]] = entry[1], entry[2]
                continue
            is_ours = self._fast is not None and isinstance(entry[2], (str, os.PathLike, bytes))
            (ours if is_ours else elsewhere).append(entry)
        later: list[_Entry] = []
        if ours and self._bulk is not None and self._fast is not None:
            results = self._bulk.decode(
                [data for _, _, data in ours],
                threads=self.threads,
                room_bytes=max(0, self.room_bytes - self.ahead_bytes),
                **self._fast,
            )
            for entry, result in zip(ours, results, strict=True):
                if result == "later":
                    later.append(entry)
                elif result == "elsewhere":
                    elsewhere.append(entry)
                else:
                    finished[entry[0]] = entry[1], result
        if len(elsewhere) == 1:
            finished[elsewhere[0][0]] = elsewhere[0][1], self._one(elsewhere[0])
        elif elsewhere:
            # In parts, as each result stays in memory until the batch is done; those first that others wait for.
            elsewhere.sort(key=lambda entry: entry[0])
            part, rest = elsewhere[: 2 * self.threads], elsewhere[2 * self.threads :]
            later = sorted([*later, *rest], key=lambda entry: entry[0])
            with ThreadPoolExecutor(self.threads, thread_name_prefix="dicoxide") as executor:
                for entry, result in zip(part, executor.map(self._one, part), strict=True):
                    finished[entry[0]] = entry[1], result
        return finished, later

    def _one(self, entry: _Entry) -> Any:
        try:
            return decode(entry[2], threads=1, **self._options), []
        except Exception as error:
            # What is not of the source is raised in its turn.
            return error


def _fast_options(options: dict[str, Any]) -> dict[str, Any] | None:
    """The options as the core takes them, or None where they are left to `decode`."""
    frames, dtype = options.get("frames"), options.get("dtype")
    if backend != "rust" or options.get("strict") or not (frames is None or type(frames) is int):
        return None
    if frames is not None and not -(1 << 63) <= frames < 1 << 63:
        return None
    fast = {
        "frame": frames,
        "rescale": bool(options.get("rescale")),
        "raw": bool(options.get("raw")),
        "max_bytes": byte_limit(options.get("max_bytes")),
    }
    if dtype is not None:
        wanted = np.dtype(dtype)
        if not wanted.isnative or wanted.kind not in "iuf" or wanted.name == "float16" or wanted.itemsize > 8:
            return None
        fast["type_name"] = wanted.name
    return fast
