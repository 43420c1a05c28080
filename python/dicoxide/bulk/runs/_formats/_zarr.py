"""One array of the Zarr v3 group that the output folder is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import ceil
from typing import Any, BinaryIO

import numpy as np

from dicoxide._arguments import Array
from dicoxide.bulk.runs._formats import _base
from dicoxide.bulk.runs._options import Options
from dicoxide.bulk.runs._tasks import Job

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
    """Appends chunks, to shards where there are many."""

    def __init__(self, out: str, job: Job, options: Options) -> None:
        from numcodecs import Blosc

        super().__init__(out, job, options)
        # Before the first slice comes: blocks are whole chunks.
        self._chunk, self._shard = self._layout()
        self._encode = Blosc("lz4", _LEVEL, Blosc.BITSHUFFLE if self.dtype.itemsize == 1 else Blosc.SHUFFLE).encode
        self._done = 0
        self._open_shard: _Shard | None = None
        self._path = os.path.join(self.folder, job.name)

    def open(self) -> None:
        import zarr
        from zarr.codecs import BloscCodec, BloscShuffle

        super().open()
        itemsize = self.dtype.itemsize
        shuffle = BloscShuffle.bitshuffle if itemsize == 1 else BloscShuffle.shuffle
        codec = BloscCodec(cname="lz4", clevel=_LEVEL, shuffle=shuffle, typesize=itemsize)
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

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> list[bytes] | Array:
        """The block's chunks, by the codecs ``bytes`` and ``blosc``."""
        if sys.byteorder != "little":
            return np.stack(block)
        # zarr copies each chunk several times; what it would write is this.
        shape = self._chunk[-1 - len(self.job.slice_shape) :]
        values = np.empty(shape, self.dtype)
        return [
            self._encoded(block[place : place + shape[0]], row, values)
            for place in range(0, len(block), shape[0])
            for row in range(0, self.job.slice_shape[0] or 1, shape[1])
        ]

    def _encoded(self, some: Sequence[Array], row: int, values: Array) -> bytes:
        """One chunk, put together in `values`."""
        parts = [pixels[row : row + values.shape[1]] for pixels in some]
        if (len(parts), *parts[0].shape) != values.shape:
            # Chunks at the end are as large as all.
            values[:] = 0
        for place, part in enumerate(parts):
            values[place, : len(part)] = part
        return self._encode(values) if self.options.compressed else values.tobytes()

    def append(self, prepared: list[bytes] | Array, count: int) -> None:
        repetition, start = divmod(self._done, self.job.plan.depth)
        leading = () if self.job.plan.axis is None else (repetition,)
        self._done += count
        if isinstance(prepared, np.ndarray):
            self._array[(*leading, slice(start, start + count))] = prepared
            return
        of_slices, of_rows = self._chunk[len(leading) : len(leading) + 2]
        bands = ceil((self.job.slice_shape[0] or 1) / of_rows)
        if self._shard is None:
            for number, chunk in enumerate(prepared):
                place, band = divmod(number, bands)
                with self._file(*leading, start // of_slices + place, band) as file:
                    file.write(chunk)
            return
        in_shard = self._shard[len(leading)]
        if start % in_shard == 0:
            self._close_shard()
            self._open_shard = _Shard(self._file(*leading, start // in_shard, 0), in_shard // of_slices * bands)
        assert self._open_shard is not None
        self._open_shard.append(prepared)

    def _close_shard(self) -> None:
        if self._open_shard is not None:
            shard, self._open_shard = self._open_shard, None
            shard.close()

    def _file(self, *place: int) -> BinaryIO:
        """A file of a regular grid, by the default chunk key encoding."""
        within = (0,) * (len(self.job.slice_shape) - 1)
        path = os.path.join(self._path, "c", *map(str, (*place, *within)))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "wb")

    def forget(self, count: int) -> None:
        # The files are written again, or left out when the array is made shorter.
        self._done = count
        self._close_shard()

    def close(self, kept: Job, told: dict[str, Any]) -> list[str]:
        self._close_shard()
        if kept is not self.job:
            self._array.resize(kept.shape)
            self._array.update_attributes(told)
        return [self.job.name]

    def abort(self) -> None:
        # What could not be written is removed anyway.
        with suppress(OSError):
            self._close_shard()
        super().abort()

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
        # A block is whole chunks, and so is a shard of blocks.
        in_block = max(1, min(_base.BLOCK_BYTES // self.slice_bytes // chunk[0], in_depth))
        self.block = in_block * chunk[0]
        blocks = min(max(1, _SHARD_BYTES // (self.block * self.slice_bytes)), ceil(in_depth / in_block))
        if not is_sharded or blocks * in_block * in_frame == 1:
            return (*leading, *chunk), None
        return (*leading, *chunk), (*leading, blocks * self.block, in_frame * chunk[1], *rest)


class _Shard:
    """A file of chunks, with where each is behind them (Zarr v3: sharding-indexed)."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        # All ones: there is no such chunk.
        self._index = np.full((most, 2), -1, "<i8")
        self._count = self._end = 0

    def append(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self._index[self._count] = self._end, len(chunk)
            self._count += 1
            self._end += len(chunk)
            self._file.write(chunk)

    def close(self) -> None:
        index = self._index.tobytes()
        with self._file:
            self._file.write(index)
            self._file.write(_crc32c(index).to_bytes(4, "little"))


def _crc32c(data: bytes) -> int:
    """CRC-32C of the few bytes of an index (RFC 3720 B.4)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
