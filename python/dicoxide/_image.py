"""One object's pixel data, opened: its frames decode as often as they are asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dicoxide import _deviations
from dicoxide._arguments import LARGE_SAMPLES, Array, FrameIndex, byte_limit, select, target_array, threads_for
from dicoxide._fallback_decoders import FallbackFrames, apply_modality_lut, available_plugins
from dicoxide._options import DecodeOptions, output_options
from dicoxide._pixels import exact_copy, rescale_into
from dicoxide._sources import Source
from dicoxide.errors import DecodeError, UnsupportedError

if TYPE_CHECKING:
    import numpy.typing as npt
    from pydicom.dataset import Dataset

    from dicoxide._core import Frames
    from dicoxide._sources import Attributes


class Image:
    """The pixel data of one object: what they are at once, their values when they are asked for.

    :func:`dicoxide.open` makes it. It is indexed by frame, also where there is one: ``image[5]`` is
    (rows, columns[, samples]), ``image[10:20]`` and ``image[[3, 1, 8]]`` have a frame axis before these;
    ``numpy.asarray(image)`` is all of it, as :func:`dicoxide.decode` gives it. It may be used by several threads.

    Raises
    ------
    DecodeError
        If the frames cannot be found, or cannot be decoded by anybody here: when they are needed first.
    """

    def __init__(self, source: Source, *, strict: bool = False, fallback: bool = True) -> None:
        self._source = source
        self._strict = strict
        self._fallback = fallback
        # The core's frames, or those of other decoders; None until they are needed.
        self._opened: Frames | FallbackFrames | None = None

    @property
    def number_of_frames(self) -> int:
        """How many frames are there, whatever the data set says."""
        return len(self._frames())

    @property
    def transfer_syntax(self) -> str:
        """UID of the transfer syntax."""
        return self._source.spec.transfer_syntax

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of ``decode()``: (rows, columns[, samples]), after the number of frames where it is not one."""
        count = self.number_of_frames
        return (count, *self._source.spec.shape) if count > 1 else self._source.spec.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of ``decode()``: that of the stored values, in native byte order."""
        return self._source.spec.dtype

    @property
    def attributes(self) -> Attributes:
        """What decoding, sorting and measuring need of the data set, by keyword."""
        return self._source.attributes

    def to_pydicom(self) -> Dataset:
        """The whole data set, as pydicom reads it."""
        return self._source.dataset

    def close(self) -> None:
        """Close the file, if one is open; what is decoded stays. Harmless when called again."""
        self._opened = None
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self.number_of_frames

    def __getitem__(self, frames: int | slice | Iterable[int]) -> Array:
        return self.decode(frames)

    def __iter__(self) -> Iterator[Array]:
        return (self.decode(index) for index in range(len(self)))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("an image is decoded into memory of its own: there is no array without a copy")
        decoded = self.decode()
        return decoded if dtype is None else decoded.astype(dtype, copy=False)

    def __repr__(self) -> str:
        spec = self._source.spec
        count = self._source.number_of_frames or 1
        return f"<dicoxide.Image: {count} × {'×'.join(map(str, spec.shape))} of {spec.dtype}, {self.transfer_syntax}>"

    def decode(
        self,
        frames: FrameIndex = None,
        out: Array | None = None,
        *,
        rescale: bool = False,
        dtype: npt.DTypeLike | None = None,
        raw: bool = False,
        threads: int | None = None,
        max_bytes: int | None = None,
    ) -> Array:
        """Decode `frames`; see :func:`dicoxide.decode`."""
        max_bytes = byte_limit(max_bytes)
        if rescale and self._source.spec.samples_per_pixel != 1:
            raise ValueError("rescale of an image with more than one sample per pixel (PS3.3 C.11.1)")
        opened = self._frames()
        if isinstance(opened, FallbackFrames):
            return self._decode_elsewhere(opened, frames, out, rescale, dtype, raw, max_bytes)
        try:
            return self._decode_here(opened, frames, out, rescale, dtype, raw, threads, max_bytes)
        except UnsupportedError as unsupported:
            # What only the codestream says: another process of JPEG, say.
            if not self._has_others():
                raise
            try:
                others = FallbackFrames(self._source, unsupported, opened)
                return self._decode_elsewhere(others, frames, out, rescale, dtype, raw, max_bytes)
            except DecodeError as error:
                if error.kind != "Fallback":
                    raise
                raise unsupported from error

    def check(self, frames: Sequence[int]) -> None:
        """Refuse frames that cannot be as large as the header says, before memory is taken for them.

        Raises
        ------
        DecodeError
            As decoding the first of them would.
        """
        opened = self._frames()
        try:
            opened.check(frames)
        except UnsupportedError as unsupported:
            if isinstance(opened, FallbackFrames) or not self._has_others():
                raise
            FallbackFrames(self._source, unsupported, opened).check(frames)

    def _decode_here(
        self,
        opened: Frames,
        frames: FrameIndex,
        out: Array | None,
        rescale: bool,
        dtype: npt.DTypeLike | None,
        raw: bool,
        threads: int | None,
        max_bytes: int | None,
    ) -> Array:
        """What the core gives."""
        source, spec = self._source, self._source.spec
        indices, has_axis = select(len(opened), frames)
        shape = (len(indices), *spec.shape) if has_axis else spec.shape
        if math.prod(shape) > LARGE_SAMPLES:
            opened.check(indices, max_bytes=max_bytes)
        target = target_array(shape, spec.dtype, out, rescale=rescale, dtype=dtype, max_bytes=max_bytes)
        threads = threads_for(threads, len(indices), target.size)
        if rescale and source.has_modality_lut:
            left = None if max_bytes is None else max_bytes - target.nbytes
            stored = target_array(shape, spec.dtype, None, max_bytes=left)
            self._fill(opened, stored, indices, DecodeOptions(threads, self._strict, max_bytes=left))
            exact_copy(apply_modality_lut(stored, source.dataset), target)
            return target
        rescales = source.rescales(indices) if rescale else []
        if rescale and not rescales and target.dtype != spec.dtype:
            rescales = [(1.0, 0.0)]
        options = output_options(threads, self._strict, not raw, max_bytes)
        self._fill(opened, target, indices, options, rescales, is_warm=out is not None)
        return target

    def _frames(self) -> Frames | FallbackFrames:
        # Another thread may close the image, or open it too: what is found here is what is used here.
        opened = self._opened
        if opened is None:
            try:
                opened = self._open()
            except UnsupportedError as unsupported:
                if not self._has_others():
                    raise
                opened = FallbackFrames(self._source, unsupported)
                self._report(opened.deviations)
            self._opened = opened
        return opened

    def _has_others(self) -> bool:
        """Whether other decoders may be asked, and are there."""
        return self._fallback and bool(available_plugins(self.transfer_syntax))

    def _open(self) -> Frames:
        """The core's frames; departures found so far are warned of, or are errors."""
        frames = self._source.frames()
        if deviations := [*frames.deviations(), *self._source.spec.deviations()]:
            self._report(deviations)
        return frames

    def _report(self, deviations: Sequence[_deviations.Deviation]) -> None:
        """Warn of deviations, or raise the first one if the image is `strict`."""
        if deviations:
            if self._strict:
                _deviations.raise_first(deviations, self.transfer_syntax)
            _deviations.warn(deviations)

    def _fill(
        self,
        opened: Frames,
        target: Array,
        indices: Sequence[int],
        options: DecodeOptions,
        rescales: list[tuple[float, float]] | None = None,
        *,
        is_warm: bool = False,
    ) -> None:
        """Decode `indices` into `target` by the core, and warn of deviations."""
        _, deviations = opened.decode_into(target, indices, options, rescales=rescales or None, is_warm=is_warm)
        if deviations:
            _deviations.warn(deviations)

    def _decode_elsewhere(
        self,
        others: FallbackFrames,
        frames: FrameIndex,
        out: Array | None,
        rescale: bool,
        dtype: npt.DTypeLike | None,
        raw: bool,
        max_bytes: int | None,
    ) -> Array:
        """What pydicom's decoders give, in the type and place that the caller wants."""
        source = self._source
        stored = others.decode(frames, raw=raw, max_bytes=max_bytes)
        if out is None and not rescale and dtype is None:
            return stored
        target = target_array(stored.shape, stored.dtype, out, rescale=rescale, dtype=dtype, max_bytes=max_bytes)
        if not rescale:
            target[...] = stored
        elif source.has_modality_lut:
            exact_copy(apply_modality_lut(stored, source.dataset), target)
        else:
            rescales = source.rescales(select(len(others), frames)[0]) or [(1.0, 0.0)]
            if len(rescales) == 1:
                rescale_into(stored, *rescales[0], target)
            else:
                for frame, pair, window in zip(stored, rescales, target, strict=True):
                    rescale_into(frame, *pair, window)
        return target
