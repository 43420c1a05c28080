"""What lies in some sources: headers, read on several threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from dicoxide._request import thread_count
from dicoxide.bulk._failure import Failure
from dicoxide.bulk._find import File, Finder
from dicoxide.bulk._header import Header, read_header

__all__ = ["survey"]

# Headers are read so many at once on a thread: one takes less time than handing it over.
_BATCH = 16


def survey(finder: Finder, threads: int | None = None) -> Iterator[Header | Failure]:
    """Read the headers of what `finder` finds, in its order and in bounded memory."""
    threads = thread_count(threads)
    waiting: deque[Future[list[Header | Failure]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="dicoxide-header") as executor:
        try:
            found = iter(finder)
            while batch := list(islice(found, _BATCH)):
                waiting.append(executor.submit(_headers, batch))
                if len(waiting) > 2 * threads:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _headers(batch: list[File | Failure]) -> list[Header | Failure]:
    return [one if isinstance(one, Failure) else read_header(one) for one in batch]
