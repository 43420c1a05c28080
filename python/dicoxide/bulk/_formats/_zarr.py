"""One array of the Zarr v3 group that the output folder is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import Any

import numpy as np

from dicoxide._request import Array, thread_count
from dicoxide.bulk._formats import _base
from dicoxide.bulk._jobs import Job
from dicoxide.bulk._options import Options

__all__ = ["Writer", "begin_group", "end_group"]

_CHUNK_BYTES = 4 << 20
_SHARD_BYTES = 32 << 20
# Of LZ4: the higher ones take longer, and CT, MR and PET become hardly smaller.
_LEVEL = 1
# A frame larger than this is cut into bands of rows.
_LARGE_FRAME_BYTES = 8 << 20
# With more chunks than this, many of them go into one file.
_MANY_CHUNKS = 64


def begin_group(out: str) -> None:
    """Make the folder a group; arrays appear in it later, one by one."""
    import zarr

    zarr.create_group(out, zarr_format=3, overwrite=False) if not _is_group(out) else _forget_members(out)


def end_group(out: str) -> None:
    """Put the members' metadata into the group's, so that opening it does not search the folder."""
    import warnings

    import zarr

    with warnings.catch_warnings():
        # zarr says that other libraries may not read consolidated metadata; they find the arrays without.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(out, zarr_format=3)


def _is_group(out: str) -> bool:
    return os.path.exists(os.path.join(out, "zarr.json"))


def _forget_members(out: str) -> None:
    """Consolidated metadata would hide what is added now, if this run is killed."""
    import zarr

    group = zarr.open_group(out, mode="r+", zarr_format=3, use_consolidated=False)
    group.update_attributes({})


class Writer(_base.Writer):
    """Appends whole shards or chunks."""

    _threads: ThreadPoolExecutor | None = None

    def __init__(self, out: str, job: Job, options: Options) -> None:
        super().__init__(out, job, options)
        # Before the first slice comes: blocks are whole chunks or shards.
        self._chunk, self._shard = self._layout()

    def open(self) -> None:
        import zarr
        from numcodecs import Blosc
        from zarr.codecs import BloscCodec, BloscShuffle

        super().open()
        itemsize = self.dtype.itemsize
        is_narrow = itemsize == 1
        shuffle = BloscShuffle.bitshuffle if is_narrow else BloscShuffle.shuffle
        codec = BloscCodec(cname="lz4", clevel=_LEVEL, shuffle=shuffle, typesize=itemsize)
        self._encode = Blosc("lz4", _LEVEL, Blosc.BITSHUFFLE if is_narrow else Blosc.SHUFFLE).encode
        self._done = 0
        self._path = os.path.join(self.folder, self.job.name)
        self._array = zarr.create_array(
            self._path,
            shape=self.job.shape,
            dtype=self.dtype,
            chunks=self._chunk,
            shards=self._shard,
            compressors=codec if self.options.compressed else None,
            dimension_names=_base.axes(self.job),
            zarr_format=3,
            attributes=self.document(self.job, []),
            # Every chunk is written, also one of zeros: an absent one would mean that something is missing.
            config={"write_empty_chunks": True},
        )

    def append(self, block: Sequence[Array], indices: Sequence[int]) -> None:
        repetition, start = divmod(self._done, self.job.plan.depth)
        leading = () if self.job.plan.axis is None else (repetition,)
        self._done += len(block)
        if sys.byteorder != "little":
            self._array[(*leading, slice(start, start + len(block)))] = np.stack(block)
            return
        # zarr copies each chunk several times, in one thread; what it would write is this.
        of_slices, of_rows = self._chunk[len(leading) : len(leading) + 2]
        parts = [
            (block[place : place + of_slices], row)
            for place in range(0, len(block), of_slices)
            for row in range(0, self.job.slice_shape[0] or 1, of_rows)
        ]
        if len(parts) > 1 and self._threads is None:
            self._threads = ThreadPoolExecutor(thread_count(None), thread_name_prefix="dicoxide-zarr")
        chunks = map(self._encoded, parts) if self._threads is None else self._threads.map(self._encoded, parts)
        bands = ceil((self.job.slice_shape[0] or 1) / of_rows)
        if self._shard is not None:
            most = self._shard[len(leading)] // of_slices * bands
            self._write((*leading, start // self._shard[len(leading)], 0), _sharded(chunks, most))
            return
        for number, chunk in enumerate(chunks):
            place, band = divmod(number, bands)
            self._write((*leading, start // of_slices + place, band), [chunk])

    def _encoded(self, part: tuple[Sequence[Array], int]) -> bytes | memoryview:
        """One chunk by the codecs ``bytes`` and ``blosc``."""
        block, row = part
        shape = self._chunk[-1 - len(self.job.slice_shape) :]
        some = [pixels[row : row + shape[1]] for pixels in block]
        if (len(some), *some[0].shape) != shape:
            # Chunks at the end are as large as all.
            values = np.zeros(shape, self.dtype)
            values[: len(some), : some[0].shape[0]] = some
        elif len(some) == 1:
            values = np.ascontiguousarray(some[0], self.dtype)
        else:
            values = np.stack(some, dtype=self.dtype, casting="safe")
        return self._encode(values) if self.options.compressed else values.data.cast("B")

    def _write(self, place: tuple[int, ...], parts: Iterable[bytes | memoryview]) -> None:
        """A file of a regular grid, by the default chunk key encoding."""
        within = (0,) * (len(self.job.slice_shape) - 1)
        path = os.path.join(self._path, "c", *map(str, (*place, *within)))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.writelines(parts)

    def forget(self, count: int) -> None:
        self._done = count

    def close(self, kept: Job, told: dict[str, Any]) -> list[str]:
        self._stop()
        if kept is not self.job:
            self._array.resize(kept.shape)
            self._array.update_attributes(told)
        return [self.job.name]

    def abort(self) -> None:
        self._stop()
        super().abort()

    def _stop(self) -> None:
        if self._threads is not None:
            self._threads.shutdown()

    def _layout(self) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Shapes of chunks and shards; sets `block` to whole ones."""
        depth = self.job.plan.depth
        rows, *rest = self.job.slice_shape
        leading = () if self.job.plan.axis is None else (1,)
        if self.slice_bytes > _LARGE_FRAME_BYTES:
            bands = ceil(self.slice_bytes / (_CHUNK_BYTES))
            chunk = (1, max(1, ceil(rows / bands)), *rest)
        else:
            chunk = (max(1, min(depth, _CHUNK_BYTES // self.slice_bytes)), max(1, rows), *rest)
        in_frame = ceil(max(1, rows) / chunk[1])
        in_depth = ceil(depth / chunk[0])
        is_sharded = len(self.job.slices) // depth * in_depth * in_frame > _MANY_CHUNKS
        whole = _SHARD_BYTES if is_sharded else _base.BLOCK_BYTES
        per_block = max(1, min(whole // self.slice_bytes // chunk[0], in_depth))
        self.block = per_block * chunk[0]
        if not is_sharded or per_block * in_frame == 1:
            return (*leading, *chunk), None
        return (*leading, *chunk), (*leading, self.block, in_frame * chunk[1], *rest)


def _sharded(chunks: Iterable[bytes | memoryview], most: int) -> Iterator[bytes | memoryview]:
    """A shard of `most` chunks: those that are there, then the index with its checksum (Zarr v3: sharding-indexed)."""
    # All ones: there is no such chunk.
    index = np.full((most, 2), -1, "<i8")
    end = 0
    for number, chunk in enumerate(chunks):
        index[number] = end, len(chunk)
        end += len(chunk)
        yield chunk
    yield index.tobytes()
    yield _crc32c(index.tobytes()).to_bytes(4, "little")


def _crc32c(data: bytes) -> int:
    """CRC-32C of the few bytes of an index (RFC 3720 B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
