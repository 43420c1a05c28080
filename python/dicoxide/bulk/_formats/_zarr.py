"""One array of the Zarr v3 group that the output folder is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import ceil
from typing import Any

from dicoxide._request import Array
from dicoxide.bulk._formats import _base
from dicoxide.bulk._jobs import Job

__all__ = ["Writer", "begin_group", "end_group"]

_CHUNK_BYTES = 4 << 20
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

    def open(self) -> None:
        import zarr
        from zarr.codecs import BloscCodec, BloscShuffle

        super().open()
        chunks, shards = self._layout()
        itemsize = self.dtype.itemsize
        shuffle = BloscShuffle.bitshuffle if itemsize == 1 else BloscShuffle.shuffle
        codec = BloscCodec(cname="lz4", clevel=5, shuffle=shuffle, typesize=itemsize)
        self._done = 0
        self._array = zarr.create_array(
            os.path.join(self.folder, self.job.name),
            shape=self.job.shape,
            dtype=self.dtype,
            chunks=chunks,
            shards=shards,
            compressors=codec if self.options.compressed else None,
            dimension_names=("slice", "row", "column", "sample")[: len(self.job.shape)],
            zarr_format=3,
            attributes=_base.document(self.job, self.options, []),
            # Every chunk is written, also one of zeros: an absent one would mean that something is missing.
            config={"write_empty_chunks": True},
        )

    def append(self, block: Array, indices: Sequence[int]) -> None:
        self._array[self._done : self._done + len(block)] = block
        self._done += len(block)

    def close(self, kept: Job, told: dict[str, Any]) -> list[str]:
        if kept is not self.job:
            self._array.resize(kept.shape)
            self._array.update_attributes(told)
        return [self.job.name]

    def _layout(self) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Shapes of chunks and shards; sets `block` to whole ones."""
        count, rows, *rest = self.job.shape
        if self.slice_bytes > _LARGE_FRAME_BYTES:
            bands = ceil(self.slice_bytes / (_CHUNK_BYTES))
            chunk = (1, max(1, ceil(rows / bands)), *rest)
        else:
            chunk = (max(1, min(count, _CHUNK_BYTES // self.slice_bytes)), max(1, rows), *rest)
        in_frame = ceil(max(1, rows) / chunk[1])
        chunks = ceil(count / chunk[0]) * in_frame
        per_block = max(1, min(_base.BLOCK_BYTES // self.slice_bytes // chunk[0], ceil(count / chunk[0])))
        self.block = per_block * chunk[0]
        if chunks <= _MANY_CHUNKS:
            return chunk, None
        return chunk, (self.block, in_frame * chunk[1], *rest)
