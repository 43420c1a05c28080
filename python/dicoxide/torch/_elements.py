"""Elements of a data set: files, frames or volumes, decoded by index into arrays."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dicoxide._arguments import Array, byte_limit, thread_count
from dicoxide._decode import decode
from dicoxide._decode import open as open_image
from dicoxide._threads import ThreadPool
from dicoxide.bulk import OnError, VolumePlan, decode_many, decode_slices, decode_volume
from dicoxide.torch._tensors import render_source

if TYPE_CHECKING:
    from dicoxide._image import Image
    from dicoxide._rendering import RenderOptions

__all__ = ["Elements", "FileElements", "FrameElements", "VolumeElements"]

# Errors of single elements, including `DecodeError`; other exceptions are always raised.
_ELEMENT_ERRORS = (ValueError, IndexError, OSError)
# Frames that are decoded in one batch for each thread when a data set is iterated over.
_FRAMES_PER_THREAD = 16


class Elements(Protocol):
    """Elements by index, zero-based and not negative.

    Attributes
    ----------
    kind : str
        Plural noun for the elements.
    """

    kind: str

    def __len__(self) -> int:
        """Return the number of elements."""

    def source(self, index: int) -> Any:
        """Return what an element is decoded from."""

    def load(self, indices: Sequence[int], threads: int) -> Generator[Array | Exception]:
        """Yield the array or the error of each element, decoded by at most `threads` threads."""


class FileElements:
    """Elements that are files: each has the array that `decode` or `render` returns."""

    kind = "files"

    def __init__(self, sources: Sequence[Any], rendering: RenderOptions | None, options: Mapping[str, Any]) -> None:
        # Raises if an option does not fit.
        decode_many((), render=rendering or False, **options)
        self._sources = sources
        self._rendering = rendering
        self._options = dict(options)

    def __len__(self) -> int:
        return len(self._sources)

    def source(self, index: int) -> Any:
        return self._sources[index]

    def load(self, indices: Sequence[int], threads: int) -> Generator[Array | Exception]:
        """Yield the arrays or errors of elements."""
        if len(indices) == 1:
            # Several threads may decode one file; those of `decode_many` decode a file each.
            yield self._load_one(indices[0], threads)
            return
        results = decode_many(
            (self._sources[index] for index in indices),
            threads=threads,
            on_error="return",
            render=self._rendering or False,
            **self._options,
        )
        for index, (_, result) in zip(indices, results, strict=True):
            yield _name_source(result, self._sources[index], index)

    def _load_one(self, index: int, threads: int) -> Array | Exception:
        source, options = self._sources[index], self._options
        try:
            if self._rendering is None:
                return decode(source, threads=threads, **options)
            accepted = {key: options[key] for key in options if key not in ("dtype", "reduce")}
            return render_source(source, self._rendering, threads=threads, **accepted)
        except _ELEMENT_ERRORS as error:
            named: Exception = _name_source(error, source, index)
            return named


class FrameElements:
    """Elements that are frames of files, in the order of the files."""

    kind = "frames"

    def __init__(
        self,
        sources: Sequence[Any],
        rendering: RenderOptions | None,
        options: Mapping[str, Any],
        threads: int | None,
        on_error: OnError,
    ) -> None:
        if "frames" in options:
            raise ValueError("frames does not fit per_frame, which has all frames")
        # Raises if an option does not fit.
        decode_many((), render=rendering or False, **options)
        self._sources = sources
        self._rendering = rendering
        self._options = dict(options)
        self._image_options = {key: self._options.pop(key) for key in ("strict", "fallback") if key in options}
        self.errors: list[tuple[Any, Exception]] = []
        # Index after the last element of each source.
        self._ends = np.cumsum(self._count_frames(threads, on_error), dtype=np.int64)

    def _count_frames(self, threads: int | None, on_error: OnError) -> list[int]:
        """Return the number of elements of each source."""
        counts = []
        with ThreadPool(max(1, min(thread_count(threads), len(self._sources)))) as pool:
            for index, task in enumerate([pool.submit(self._count, source) for source in self._sources]):
                try:
                    counts.append(task.result())
                except _ELEMENT_ERRORS as error:
                    _name_source(error, self._sources[index], index)
                    if on_error == "raise":
                        raise
                    self.errors.append((self._sources[index], error))
                    # Returned errors need an element, which fails with the same error.
                    counts.append(1 if on_error == "return" else 0)
        return counts

    def _count(self, source: Any) -> int:
        with open_image(source, **self._image_options) as image:
            return image.number_of_frames

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def source(self, index: int) -> tuple[Any, int]:
        position, frame = self._locate(index)
        return self._sources[position], frame

    def _locate(self, index: int) -> tuple[int, int]:
        """Return the index of the source and of the frame in it."""
        position = int(np.searchsorted(self._ends, index, side="right"))
        return position, index - (int(self._ends[position - 1]) if position else 0)

    def load(self, indices: Sequence[int], threads: int) -> Generator[Array | Exception]:
        """Yield the arrays or errors of elements."""
        step = _FRAMES_PER_THREAD * threads
        for start in range(0, len(indices), step):
            yield from self._load_batch(indices[start : start + step], threads)

    def _load_batch(self, indices: Sequence[int], threads: int) -> list[Array | Exception]:
        """Decode frames; those of one file are decoded by as few threads as keep all threads busy."""
        # By source: (position in `indices`, frame).
        groups: dict[int, list[tuple[int, int]]] = {}
        for position, index in enumerate(indices):
            source, frame = self._locate(index)
            groups.setdefault(source, []).append((position, frame))
        # Chunks of one file; more than one if there are more threads than files.
        chunk_count = max(1, threads // len(groups))
        chunks = [
            (source, group[i::chunk_count])
            for source, group in groups.items()
            for i in range(min(chunk_count, len(group)))
        ]
        chunk_threads = max(1, threads // len(chunks))
        results: dict[int, Array | Exception] = {}
        if threads == 1 or len(chunks) == 1:
            for chunk in chunks:
                results |= self._load_chunk(*chunk, chunk_threads)
        else:
            with ThreadPool(min(threads, len(chunks))) as pool:
                for task in [pool.submit(self._load_chunk, *chunk, chunk_threads) for chunk in chunks]:
                    results |= task.result()
        return [results[position] for position in range(len(indices))]

    def _load_chunk(self, index: int, chunk: Sequence[tuple[int, int]], threads: int) -> dict[int, Array | Exception]:
        """Decode (position, frame) of one source; return arrays and errors by position."""
        results: dict[int, Array | Exception] = {}
        source = self._sources[index]
        try:
            with open_image(source, **self._image_options) as image:
                for position, frame in chunk:
                    try:
                        results[position] = self._load_frame(image, frame, threads)
                    except _ELEMENT_ERRORS as error:
                        results[position] = _name_source(error, source, index)
        except _ELEMENT_ERRORS as error:
            return {position: _name_source(error, source, index) for position, _ in chunk}
        return results

    def _load_frame(self, image: Image, frame: int, threads: int) -> Array:
        if self._rendering is None:
            return image.decode(frame, threads=threads, **self._options)
        max_bytes = byte_limit(self._options.get("max_bytes"))
        return image._renderer(self._rendering).render(frame, None, threads=threads, max_bytes=max_bytes)


class VolumeElements:
    """Elements that are volumes, planned once."""

    kind = "volumes"

    def __init__(
        self,
        plans: Sequence[VolumePlan],
        render: Mapping[str, Any] | None,
        options: Mapping[str, Any],
    ) -> None:
        self._plans = plans
        self._render = render
        self._options = dict(options)

    def __len__(self) -> int:
        return len(self._plans)

    def source(self, index: int) -> VolumePlan:
        return self._plans[index]

    def load(self, indices: Sequence[int], threads: int) -> Generator[Array | Exception]:
        """Yield the arrays or errors of elements."""
        for index in indices:
            plan = self._plans[index]
            try:
                if self._render is None:
                    array = decode_slices(plan, threads=threads, **self._options)[0].reshape(plan.shape)
                else:
                    volume = decode_volume(plan, threads=threads, **self._options)
                    array = volume.render(threads=threads, **self._render)
            except _ELEMENT_ERRORS as error:
                yield error
            else:
                yield array


def _name_source(result: Any, source: Any, index: int) -> Any:
    """Return `result`; if it is an error, with a note that names its source."""
    if isinstance(result, Exception):
        is_path = isinstance(source, (str, os.PathLike))
        note = f"file: {os.fspath(source)}" if is_path else f"source index: {index}"
        if note not in getattr(result, "__notes__", ()):
            result.add_note(note)
    return result
