"""Many sources, decoded on all cores in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from dicoxide import _deviations
from dicoxide._arguments import Array, byte_limit, owned_bytes, thread_count
from dicoxide._backend import backend, core
from dicoxide._decode import decode
from dicoxide._options import DecodeOptions
from dicoxide._threads import ThreadPool

if TYPE_CHECKING:
    from dicoxide._sources import Readable

__all__ = ["OnError", "decode_many"]

OnError = Literal["raise", "return", "skip"]

_OPTIONS = frozenset({"dtype", "fallback", "frames", "max_bytes", "raw", "rescale", "strict"})
# Decoded samples that are held; a quarter of it a thread where there are more than four.
_ROOM_BYTES = 48 << 20
# Sources that are on their way, a thread: few at first, so that results come soon; then so many that no thread waits.
_FIRST_SOURCES = 2
_MOST_SOURCES = 128

# What may be wrong with a single source, `DecodeError` among it: colour cannot be rescaled, there is no such frame.
_OF_SOURCES = (ValueError, IndexError, OSError)

# The array, with notes if it is the core's; or an error.
_Result: TypeAlias = "tuple[Array, list[Any] | None] | BaseException"


class _Entry(NamedTuple):
    """What the caller gave, what is decoded, and whether the core can read it."""

    source: Any
    data: Any
    is_ours: bool

    @property
    def held_bytes(self) -> int:
        """Of memory that it takes before it is decoded."""
        return len(self.data) if type(self.data) is bytes else 0


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
    return _results(iter(sources), thread_count(threads), options, on_error, ordered)


def _results(
    sources: Iterator[Readable], threads: int, options: dict[str, Any], on_error: OnError, ordered: bool
) -> Iterator[tuple[Any, Any]]:
    process = os.getpid()
    asked, decoding = _Asked(sources), _Decoding(threads, options)
    # By place: what is not done yet; and what is done and comes after something that is not, with who has done it.
    begun: dict[int, _Entry] = {}
    done: dict[int, tuple[_Entry, _Result, _Decoding]] = {}
    most = _FIRST_SOURCES * threads
    try:
        while True:
            new = asked.more(most - len(begun) - len(done), decoding.room_bytes)
            begun |= new
            if os.getpid() != process:
                # A forked child has neither the threads nor what they were about.
                process, decoding = os.getpid(), _Decoding(threads, options)
                new = begun
            decoding.put(new)
            if not begun:
                asked.end()
                return
            for place, result in decoding.get(begun):
                done[place] = begun.pop(place), result, decoding
            if decoding.is_hungry:
                most = min(2 * most, _MOST_SOURCES * threads)
            following = min(begun, default=asked.count)
            for place in sorted(done):
                if ordered and place > following:
                    break
                entry, result, owner = done.pop(place)
                asked.handed_on(entry)
                if type(result) is tuple:
                    array, notes = result
                    owner.handed_on(array, is_of_core=notes is not None)
                    _deviations.warn(notes or ())
                    yield entry.source, array
                elif on_error == "raise" or not isinstance(result, _OF_SOURCES):
                    raise result  # type: ignore[misc]
                elif on_error == "return":
                    yield entry.source, result
    finally:
        decoding.stop()


class _Asked:
    """What the caller gives, when there is room for it.

    Attributes
    ----------
    count : int
        How many sources there were so far; each has its place among them.
    """

    def __init__(self, sources: Iterator[Readable]) -> None:
        self.count = 0
        # Of sources that are not handed on.
        self._held_bytes = 0
        self._sources = sources
        self._is_over = False
        self._failure: Exception | None = None

    def more(self, most: int, most_bytes: int) -> dict[int, _Entry]:
        """At most so many further sources, while those that are not handed on take less than so many bytes."""
        new: dict[int, _Entry] = {}
        while not self._is_over and len(new) < most and self._held_bytes < most_bytes:
            try:
                source = next(self._sources)
            except Exception as error:
                self._is_over = True
                if not isinstance(error, StopIteration):
                    # Raised in its turn, behind what came before it.
                    self._failure = error
                break
            entry = new[self.count] = _readable(source)
            self._held_bytes += entry.held_bytes
            self.count += 1
        return new

    def handed_on(self, entry: _Entry) -> None:
        """It is the caller's again."""
        self._held_bytes -= entry.held_bytes

    def end(self) -> None:
        """All that was given is handed on: raise what the sources have raised."""
        if self._failure is not None:
            raise self._failure


def _readable(source: Any) -> _Entry:
    """With path or bytes, as the core reads them; or the source itself, or why it cannot be read."""
    if isinstance(source, (str, os.PathLike)):
        try:
            path = os.fspath(source)
            os.fsencode(path)
        except Exception:
            path = b""
        return _Entry(source, source, isinstance(path, str))
    if isinstance(source, bytes) or hasattr(source, "get_item") or hasattr(source, "file_meta"):
        return _Entry(source, source, isinstance(source, bytes))
    if hasattr(source, "read"):
        try:
            data = source.read()
        except Exception as error:
            return _Entry(source, error, False)
        return _Entry(source, data, True) if isinstance(data, bytes) else _Entry(source, source, False)
    try:
        return _Entry(source, owned_bytes(source), True)
    except TypeError:
        return _Entry(source, source, False)


class _Decoding:
    """Sources on their way: on the core's threads, or on those of others where the core does not decode them.

    Attributes
    ----------
    room_bytes : int
        About so many bytes of samples are held.
    is_hungry : bool
        Whether the core has no source that waits for a thread.
    """

    def __init__(self, threads: int, options: dict[str, Any]) -> None:
        self.room_bytes = max(_ROOM_BYTES, threads * _ROOM_BYTES // 4)
        self.is_hungry = False
        self._options = options
        batch = _batch_arguments(options, threads)
        self._many = None if batch is None else core.BatchDecoder(buffer_bytes=self.room_bytes, **batch)
        # How many sources the core has.
        self._of_core = 0
        self._freed_bytes = 0
        self._others = ThreadPool(threads)
        # What others are to decode, by place; how many of it are on their way or not handed on, and may be so at once.
        self._left: list[tuple[int, Any]] = []
        self._of_others = 0
        self._most_of_others = 2 * threads
        self._answers: SimpleQueue[tuple[int, _Result]] = SimpleQueue()
        self._unreadable: list[tuple[int, _Result]] = []

    def put(self, entries: Mapping[int, _Entry]) -> None:
        """Have these decoded."""
        ours = []
        for place, (_, data, is_ours) in entries.items():
            if isinstance(data, Exception):
                self._unreadable.append((place, data))
            elif self._many is not None and is_ours:
                ours.append((place, data))
            else:
                heappush(self._left, (place, data))
        if ours and self._many is not None:
            self._of_core += len(ours)
            self._many.push(ours)

    def get(self, begun: Mapping[int, _Entry]) -> list[tuple[int, _Result]]:
        """What is done, with its place; waits for it. `begun` are those that are not yet, as they were put."""
        first = min(begun)
        # What is next is decoded in any case: the others may all wait for it.
        while self._left and (self._of_others < self._most_of_others or self._left[0][0] == first):
            self._of_others += 1
            self._others.submit(self._decode, *heappop(self._left))
        found, self._unreadable = self._unreadable, []
        if self._many is not None and self._of_core:
            if found or not self._answers.empty():
                self._many.call()
            waiting, taken = self._many.take(first, self._freed_bytes)
            self._freed_bytes = 0
            self.is_hungry = not waiting
            for place, result in taken:
                self._of_core -= 1
                if result is None:
                    heappush(self._left, (place, begun[place].data))
                else:
                    found.append((place, result))
        elif not found:
            found.append(self._answer())
        while not self._answers.empty():
            found.append(self._answer())
        return found

    def _answer(self) -> tuple[int, _Result]:
        place, result = self._answers.get()
        self._of_others -= isinstance(result, BaseException)
        return place, result

    def handed_on(self, array: Array, *, is_of_core: bool) -> None:
        """The caller has it."""
        if is_of_core:
            self._freed_bytes += array.nbytes
        else:
            self._of_others -= 1

    def stop(self) -> None:
        """Let what is being decoded end soon."""
        if self._many is not None:
            self._many.stop()
        self._others.stop()

    def _decode(self, place: int, data: Any) -> None:
        result: _Result
        try:
            result = decode(data, threads=1, **self._options), None
        except BaseException as error:
            # Whoever waits for it has to get something; what is not of the source is raised in its turn.
            result = error
        self._answers.put((place, result))
        if self._many is not None:
            self._many.call()


def _batch_arguments(options: dict[str, Any], threads: int) -> dict[str, Any] | None:
    """Return the arguments of `core.BatchDecoder`, or None for options that only `decode` implements."""
    frames, dtype = options.get("frames"), options.get("dtype")
    if backend != "rust" or options.get("strict") or not (frames is None or type(frames) is int):
        return None
    if frames is not None and not -(1 << 63) <= frames < 1 << 63:
        return None
    arguments = {
        "options": DecodeOptions(
            threads, to_rgb=not options.get("raw"), max_bytes=byte_limit(options.get("max_bytes"))
        ),
        "frame": frames,
        "rescale": bool(options.get("rescale")),
    }
    if dtype is not None:
        wanted = np.dtype(dtype)
        if not wanted.isnative or wanted.kind not in "iuf" or wanted.name == "float16" or wanted.itemsize > 8:
            return None
        arguments["type_name"] = wanted.name
    return arguments
