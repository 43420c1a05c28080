"""`VideoImage`: an opened video with the interface of all images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dicoxide._arguments import (
    Array,
    FrameSelection,
    Rescale,
    byte_limit,
    check_gray,
    check_output_bytes,
    check_reduce,
    check_rescale,
    resolve_frames,
    target_array,
    thread_count,
)
from dicoxide._backend import core
from dicoxide._image import Image
from dicoxide._pixels import transform_into
from dicoxide._sources import Source, Transform
from dicoxide._video._frames import VideoFrames
from dicoxide.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy.typing as npt


class VideoImage(Image):
    """A video (PS3.5 8.2.5 to 8.2.11), decoded by PyAV.

    Frames are decoded from the nearest access point before them; the decoder stays open, so that the next frames
    continue from there.
    """

    def __init__(self, source: Source, *, strict: bool = False, fallback: bool = True) -> None:
        super().__init__(source, strict=strict, fallback=fallback)
        self._video: VideoFrames | None = None

    @property
    def number_of_frames(self) -> int:
        """Number of frames in the stream, which may be more than Number of Frames (0028,0008)."""
        return self._opened_video().count()

    def close(self) -> None:
        """Close the file and the decoder. Decoded arrays stay valid. May be called again."""
        video, self._video = self._video, None
        if video is not None:
            video.close()
        super().close()

    def decode(
        self,
        frames: FrameSelection = None,
        out: Array | None = None,
        *,
        rescale: Rescale = False,
        quantity: str | None = None,
        dtype: npt.DTypeLike | None = None,
        raw: bool = False,
        reduce: int = 0,
        threads: int | None = None,
        max_bytes: int | None = None,
    ) -> Array:
        """Decode frames, as :meth:`Image.decode` does. `raw` has no effect, because the decoder converts to RGB."""
        del raw
        self._check_options(rescale, quantity, reduce, max_bytes, dtype)
        codec_threads = thread_count(threads)
        video = self._opened_video()
        indices, has_frame_axis = self._resolve_frames(frames)
        spec = self._source.spec
        shape = (len(indices), *spec.shape) if has_frame_axis else spec.shape
        target = target_array(shape, spec.dtype, out, rescale=rescale, dtype=dtype, max_bytes=byte_limit(max_bytes))
        transforms = self._frame_transforms(indices, rescale, quantity)
        positions: dict[int, list[int]] = {}
        for position, index in enumerate(indices):
            positions.setdefault(index, []).append(position)

        def store(index: int, samples: Array) -> None:
            for position in positions[index]:
                self._store(samples, transforms, position, target[position] if has_frame_axis else target)

        video.read(sorted(positions), codec_threads, store)
        return target

    def iterate(
        self,
        frames: FrameSelection,
        *,
        rescale: Rescale,
        quantity: str | None,
        dtype: npt.DTypeLike | None,
        reduce: int,
        threads: int | None,
        max_bytes: int | None,
    ) -> Iterator[Array]:
        """Return an iterator over decoded frames. One frame is in memory besides those that the decoder holds.

        With all frames, the stream is not read to count them first: that there are fewer than declared is an error
        after the last one.
        """
        self._check_options(rescale, quantity, reduce, max_bytes, dtype)
        codec_threads = thread_count(threads)
        video = self._opened_video()
        is_all = frames is None or frames == slice(None)
        indices = None if is_all else self._resolve_frames(frames)[0]
        spec = self._source.spec

        def convert(index: int, samples: Array) -> Array:
            flags = samples.flags
            # Memory of the converted frame, without padding after the rows, needs no copy.
            if not rescale and dtype is None and samples.dtype == spec.dtype and flags.writeable and flags.c_contiguous:
                return samples
            target = target_array(spec.shape, spec.dtype, None, rescale=rescale, dtype=dtype)
            self._store(samples, self._frame_transforms([index], rescale, quantity), 0, target)
            return target

        def iterate_selected(selected: Sequence[int]) -> Iterator[Array]:
            for index in selected:
                samples = video.frame(index, codec_threads)
                if samples is None:
                    raise video.fewer_error()
                converted = [convert(index, samples)]
                del samples
                # Without a reference here, the caller can free the frame before the next one is decoded.
                yield converted.pop()

        def iterate_all() -> Iterator[Array]:
            index = 0
            while (samples := video.frame(index, codec_threads)) is not None:
                video.report_more(index + 1, is_end=False)
                converted = [convert(index, samples)]
                del samples
                yield converted.pop()
                index += 1
            if index < video.declared:
                raise video.fewer_error()

        return iterate_all() if indices is None else iterate_selected(indices)

    def check(self, frames: Sequence[int]) -> None:
        """Raise if the size or the samples of the video are not those of the data set; `frames` has no effect."""
        del frames
        self._opened_video()

    def _check_options(
        self,
        rescale: Rescale,
        quantity: str | None,
        reduce: int,
        max_bytes: int | None,
        dtype: npt.DTypeLike | None,
    ) -> None:
        """Raise for options that video does not support, and for a frame that exceeds `max_bytes`."""
        check_rescale(rescale, quantity)
        spec = self._source.spec
        if rescale:
            check_gray(spec.samples_per_pixel)
        if check_reduce(reduce):
            raise ValueError(f"reduce is {reduce}, video has one resolution")
        sample_bytes = np.dtype(dtype or "f4").itemsize if rescale else spec.dtype.itemsize
        check_output_bytes(math.prod(spec.shape) * sample_bytes, byte_limit(max_bytes))

    def _opened_video(self) -> VideoFrames:
        video = self._video
        if video is None:
            if not self._fallback:
                keyword = next(name for uid, name, _ in core.transfer_syntaxes() if uid == self.transfer_syntax)
                text = f"no codec for transfer syntax {keyword}: PyAV decodes video, fallback=False excludes it"
                raise UnsupportedError(text, transfer_syntax=self.transfer_syntax)
            video = self._video = VideoFrames(self._source, strict=self._strict)
        return video

    def _resolve_frames(self, frames: FrameSelection) -> tuple[Sequence[int], bool]:
        """Return the indices of `frames` and True if the result has a frame axis.

        The frames are counted only if the indices depend on their number.
        """
        video = self._opened_video()
        if isinstance(frames, Iterable):
            frames = list(frames)
        declared = video.declared
        if frames is None:
            is_within = False
        elif isinstance(frames, slice):
            bounds = (frames.start or 0, frames.stop)
            is_within = all(isinstance(bound, int) and 0 <= bound <= declared for bound in bounds)
            is_within = is_within and (frames.step is None or frames.step > 0)
        else:
            selected = frames if isinstance(frames, list) else [frames]
            is_within = all(isinstance(index, int) and 0 <= index < declared for index in selected)
        return resolve_frames(declared if is_within else video.count(), frames)

    def _frame_transforms(self, indices: Sequence[int], rescale: Rescale, quantity: str | None) -> list[Transform]:
        return (self._transforms(indices, rescale, quantity) or [(1.0, 0.0)]) if rescale else []

    @staticmethod
    def _store(samples: Array, transforms: Sequence[Transform], position: int, target: Array) -> None:
        """Store the samples of a frame, transformed if there are transforms: one for all frames, or one per frame."""
        if transforms:
            transform = transforms[position if len(transforms) > 1 else 0]
            transform_into(np.ascontiguousarray(samples), transform, target)
        else:
            target[...] = samples
