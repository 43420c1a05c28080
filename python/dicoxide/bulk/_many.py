"""Many sources, decoded on all cores in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Literal

from dicoxide._decode import decode
from dicoxide._request import Array, thread_count
from dicoxide.errors import DecodeError

if TYPE_CHECKING:
    from dicoxide._source import Readable

__all__ = ["decode_many"]

OnError = Literal["raise", "return", "skip"]


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
        What becomes of a `DecodeError` or an `OSError`: it is raised; or given in place of the array; or left out.
    ordered : bool
        Give results in the order of `sources`; with ``False``, as they come.
    **options
        Those of :func:`decode`, but for `out` and `copy`.

    Yields
    ------
    (source, ndarray or exception)
        The source as it was given, and what `decode` gives of it.

    Raises
    ------
    DecodeError, OSError
        With ``on_error="raise"``: of the first source in order that has one (of the first that is found, where not
        `ordered`).
    """
    if on_error not in ("raise", "return", "skip"):
        raise ValueError(f"on_error is 'raise', 'return' or 'skip', not {on_error!r}")
    for name in {"out", "copy"} & options.keys():
        raise TypeError(f"decode_many takes no {name!r}: each result has memory of its own")
    return _results(sources, thread_count(threads), on_error, ordered, options)


def _results(
    sources: Iterable[Readable], threads: int, on_error: OnError, ordered: bool, options: dict[str, Any]
) -> Iterator[tuple[Any, Any]]:
    def one(source: Readable) -> Any:
        try:
            return decode(source, threads=1, **options)
        except (DecodeError, OSError) as error:
            return error

    process = os.getpid()
    waiting: deque[tuple[Readable, Future[Any]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="dicoxide") as executor:
        rest = iter(sources)
        try:
            while True:
                while len(waiting) < 2 * threads:
                    try:
                        source = next(rest)
                    except StopIteration:
                        break
                    waiting.append((source, executor.submit(one, source)))
                if not waiting:
                    return
                if not ordered and os.getpid() == process:
                    done = wait([future for _, future in waiting], return_when=FIRST_COMPLETED).done
                    place = next(place for place, (_, future) in enumerate(waiting) if future in done)
                    waiting.rotate(-place)
                source, future = waiting.popleft()
                waiting.rotate(place if not ordered else 0)
                result: Array | Exception = future.result()
                if not isinstance(result, Exception):
                    yield source, result
                elif on_error == "raise":
                    raise result
                elif on_error == "return":
                    yield source, result
        finally:
            for _, future in waiting:
                future.cancel()
