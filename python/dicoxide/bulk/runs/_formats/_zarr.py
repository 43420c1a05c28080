"""Zarr output: one array of the Zarr v3 group that is the output folder.

zarr creates the group, the arrays and their metadata. Chunks and shards are encoded and written here, because zarr's
codec pipelines copy each chunk several times; docs/bulk.md has the measurement.
"""

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
from dicoxide.bulk.runs._options import RunOptions
from dicoxide.bulk.runs._series_metadata import axis_names
from dicoxide.bulk.runs._tasks import ArrayTask

__all__ = ["Writer", "begin_group", "finish_group"]

# Approximate sizes of a chunk and of a shard, uncompressed.
_CHUNK_BYTES = 4 << 20
_SHARD_BYTES = 32 << 20
# A larger frame is split into several chunks, which are bands of rows.
_MAX_CHUNK_FRAME_BYTES = 8 << 20
# Arrays with more chunks have shards, which hold several chunks in one file.
_MAX_UNSHARDED_CHUNKS = 64
# Compression level of LZ4: higher levels are slower, and CT, MR and PET images become hardly smaller.
_LEVEL = 1


def begin_group(out: str) -> None:
    """Make the folder a Zarr group; arrays are added to it one by one."""
    import zarr

    if not os.path.exists(os.path.join(out, "zarr.json")):
        zarr.create_group(out, zarr_format=3, overwrite=False)
        return
    # Rewrites the metadata without the consolidated metadata of the earlier run, which would hide arrays that this run
    # adds before it is killed.
    zarr.open_group(out, mode="r+", zarr_format=3, use_consolidated=False).update_attributes({})


def finish_group(out: str) -> None:
    """Consolidate the arrays' metadata into the group's, so that readers do not list the folder."""
    import warnings

    import zarr

    with warnings.catch_warnings():
        # zarr warns that other libraries may ignore consolidated metadata; they find the arrays without it.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(out, zarr_format=3)


class Writer(_base.Writer):
    """Appends chunks to files, or to shards if there are many chunks."""

    def __init__(self, out: str, task: ArrayTask, options: RunOptions) -> None:
        from numcodecs import Blosc

        super().__init__(out, task, options)
        self._chunk_shape, self._shard_shape = self._layout()
        shuffle = Blosc.BITSHUFFLE if self.dtype.itemsize == 1 else Blosc.SHUFFLE
        self._compress = Blosc("lz4", _LEVEL, shuffle).encode
        # Number of slices written.
        self._slice_count = 0
        self._shard: _ShardFile | None = None
        self._path = os.path.join(self.folder, task.name)

    def open(self) -> None:
        import zarr
        from zarr.codecs import BloscCodec, BloscShuffle

        super().open()
        itemsize = self.dtype.itemsize
        shuffle = BloscShuffle.bitshuffle if itemsize == 1 else BloscShuffle.shuffle
        codec = BloscCodec(cname="lz4", clevel=_LEVEL, shuffle=shuffle, typesize=itemsize)
        self._array = zarr.create_array(
            self._path,
            shape=self.task.shape,
            dtype=self.dtype,
            chunks=self._chunk_shape,
            shards=self._shard_shape,
            compressors=codec if self.options.compressed else None,
            dimension_names=axis_names(self.task),
            zarr_format=3,
            attributes=self.metadata(self.task, []),
            # Chunks of zeros are written too: an absent chunk would mean that samples are missing.
            config={"write_empty_chunks": True},
        )

    def prepare(self, block: Sequence[Array], indices: Sequence[int]) -> list[bytes] | Array:
        """Encode the chunks of a block as the codecs ``bytes`` (little-endian) and ``blosc`` do.

        On big-endian systems the samples are returned, for zarr to write.
        """
        if sys.byteorder != "little":
            return np.stack(block)
        slices_per_chunk, rows_per_chunk, *pixel_axes = self._chunk_shape[self._leading_axes :]
        buffer = np.empty((slices_per_chunk, rows_per_chunk, *pixel_axes), self.dtype)
        return [
            self._encode_chunk(block[start : start + slices_per_chunk], row, buffer)
            for start in range(0, len(block), slices_per_chunk)
            for row in range(0, self.task.slice_shape[0] or 1, rows_per_chunk)
        ]

    def _encode_chunk(self, slices: Sequence[Array], first_row: int, buffer: Array) -> bytes:
        """Encode one chunk: rows from `first_row` of `slices`, assembled in `buffer`, which has the chunk's shape."""
        bands = [pixels[first_row : first_row + buffer.shape[1]] for pixels in slices]
        if (len(bands), *bands[0].shape) != buffer.shape:
            # Chunks at the end of the array have the full size.
            buffer[:] = 0
        for index, band in enumerate(bands):
            buffer[index, : len(band)] = band
        return self._compress(buffer) if self.options.compressed else buffer.tobytes()

    def append(self, prepared: list[bytes] | Array, slice_count: int) -> None:
        repetition, first_slice = divmod(self._slice_count, self.task.plan.depth)
        leading = (repetition,) * self._leading_axes
        self._slice_count += slice_count
        if isinstance(prepared, np.ndarray):
            self._array[(*leading, slice(first_slice, first_slice + slice_count))] = prepared
            return
        slices_per_chunk, rows_per_chunk = self._chunk_shape[self._leading_axes :][:2]
        chunks_per_slice = ceil((self.task.slice_shape[0] or 1) / rows_per_chunk)
        if self._shard_shape is None:
            for number, chunk in enumerate(prepared):
                chunk_index, band = divmod(number, chunks_per_slice)
                with self._create_file(*leading, first_slice // slices_per_chunk + chunk_index, band) as file:
                    file.write(chunk)
            return
        slices_per_shard = self._shard_shape[self._leading_axes]
        if first_slice % slices_per_shard == 0:
            self._close_shard()
            file = self._create_file(*leading, first_slice // slices_per_shard, 0)
            self._shard = _ShardFile(file, slices_per_shard // slices_per_chunk * chunks_per_slice)
        assert self._shard is not None
        self._shard.append(prepared)

    def _close_shard(self) -> None:
        if self._shard is not None:
            shard, self._shard = self._shard, None
            shard.close()

    def _create_file(self, *grid_indices: int) -> BinaryIO:
        """Create the file of a chunk or shard, named by its indices in the grid (default chunk key encoding)."""
        remaining_axes = (0,) * (len(self.task.slice_shape) - 1)
        path = os.path.join(self._path, "c", *map(str, (*grid_indices, *remaining_axes)))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "wb")

    def truncate(self, slice_count: int) -> None:
        # Files beyond are overwritten, or removed when the array is resized.
        self._slice_count = slice_count
        self._close_shard()

    def close(self, retained: ArrayTask, metadata: dict[str, Any]) -> list[str]:
        self._close_shard()
        if retained is not self.task:
            self._array.resize(retained.shape)
            self._array.update_attributes(metadata)
        return [self.task.name]

    def abort(self) -> None:
        # Closing writes the index, which may fail; the file is removed anyway.
        with suppress(OSError):
            self._close_shard()
        super().abort()

    @property
    def _leading_axes(self) -> int:
        """Number of axes before the slice axis."""
        return 0 if self.task.plan.axis is None else 1

    def _layout(self) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Return the shapes of chunks and of shards (None without shards); set `block_slices` to whole chunks.

        A shard holds whole blocks, and a block whole chunks, so that each is written once.
        """
        depth = self.task.plan.depth
        rows, *pixel_axes = self.task.slice_shape
        leading = (1,) * self._leading_axes
        if self.slice_bytes > _MAX_CHUNK_FRAME_BYTES:
            bands = ceil(self.slice_bytes / _CHUNK_BYTES)
            chunk = (1, max(1, ceil(rows / bands)), *pixel_axes)
        else:
            chunk = (max(1, min(depth, _CHUNK_BYTES // self.slice_bytes)), max(1, rows), *pixel_axes)
        chunks_per_slice = ceil(max(1, rows) / chunk[1])
        chunks_along_slices = ceil(depth / chunk[0])
        repetitions = len(self.task.slices) // depth
        is_sharded = repetitions * chunks_along_slices * chunks_per_slice > _MAX_UNSHARDED_CHUNKS
        chunks_per_block = max(1, min(_base.BLOCK_BYTES // self.slice_bytes // chunk[0], chunks_along_slices))
        self.block_slices = chunks_per_block * chunk[0]
        blocks_per_shard = min(
            max(1, _SHARD_BYTES // (self.block_slices * self.slice_bytes)), ceil(chunks_along_slices / chunks_per_block)
        )
        if not is_sharded or blocks_per_shard * chunks_per_block * chunks_per_slice == 1:
            return (*leading, *chunk), None
        return (*leading, *chunk), (
            *leading,
            blocks_per_shard * self.block_slices,
            chunks_per_slice * chunk[1],
            *pixel_axes,
        )


class _ShardFile:
    """A file of chunks, followed by an index and its CRC-32C (Zarr v3 codec ``sharding_indexed``).

    The index has two little-endian 64-bit integers per chunk: offset and size in bytes, all ones for an absent chunk.
    """

    def __init__(self, file: BinaryIO, max_chunks: int) -> None:
        self._file = file
        self._index = np.full((max_chunks, 2), -1, "<i8")
        self._chunk_count = self._end_offset = 0

    def append(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            self._index[self._chunk_count] = self._end_offset, len(chunk)
            self._chunk_count += 1
            self._end_offset += len(chunk)
            self._file.write(chunk)

    def close(self) -> None:
        import google_crc32c

        index = self._index.tobytes()
        with self._file:
            self._file.write(index)
            self._file.write(google_crc32c.value(index).to_bytes(4, "little"))
