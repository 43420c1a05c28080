"""One object's pixel data, opened: its frames decode as often as they are asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dicoxide import _delegate, _notes
from dicoxide._backend import core
from dicoxide._pixels import exact_copy, rescale_into
from dicoxide._request import LARGE_SAMPLES, Array, FrameIndex, byte_limit, select, target_array, threads_for
from dicoxide._source import Source
from dicoxide.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy.typing as npt

    from dicoxide._core import Frames

_YBR = ("YBR_FULL", "YBR_FULL_422")


class Image:
    """Pixel data that are decoded by the core, or by pydicom where the core has no codec and `fallback` allows it.

    Raises
    ------
    DecodeError
        If the frames cannot be found, or cannot be decoded by anybody here.
    """

    def __init__(self, source: Source, *, strict: bool = False, fallback: bool = True) -> None:
        self._source = source
        self._strict = strict
        self._frames: Frames | None = None
        try:
            self._frames = self._open()
        except UnsupportedError as unsupported:
            if not (fallback and _delegate.available(source.spec.transfer_syntax)):
                raise
            self._unsupported = unsupported
            self.number_of_frames = source.number_of_frames or 1
        else:
            self.number_of_frames = len(self._frames)

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
        source, spec = self._source, self._source.spec
        max_bytes = byte_limit(max_bytes)
        if rescale and spec.samples_per_pixel != 1:
            raise ValueError("rescale of an image with more than one sample per pixel (PS3.3 C.11.1)")
        if self._frames is None:
            return self._decode_elsewhere(frames, out, rescale=rescale, dtype=dtype, raw=raw, max_bytes=max_bytes)
        indices, has_axis = select(self.number_of_frames, frames)
        shape = (len(indices), *spec.shape) if has_axis else spec.shape
        if math.prod(shape) > LARGE_SAMPLES:
            self._frames.check(indices)
        target = target_array(shape, spec.dtype, out, rescale=rescale, dtype=dtype, max_bytes=max_bytes)
        if rescale and source.has_modality_lut:
            left = None if max_bytes is None else max_bytes - target.nbytes
            stored = target_array(shape, spec.dtype, None, max_bytes=left)
            self._fill(stored, indices, threads=threads, max_bytes=left)
            exact_copy(_delegate.modality_lut(stored, source.dataset), target)
            return target
        rescales = source.rescales(indices) if rescale else []
        if rescale and not rescales and target.dtype != spec.dtype:
            rescales = [(1.0, 0.0)]
        ybr_to_rgb = not raw and spec.samples_per_pixel == 3 and spec.photometric_interpretation in _YBR
        self._fill(
            target,
            indices,
            threads=threads,
            ybr_to_rgb=ybr_to_rgb,
            rescales=rescales,
            is_warm=out is not None,
            max_bytes=max_bytes,
        )
        return target

    def _open(self) -> Frames:
        """The core's frames; departures found so far are warned of, or are errors."""
        source, spec = self._source, self._source.spec
        frames = core.Frames(
            spec.transfer_syntax,
            source.value,
            *spec.core_attributes(),
            source.number_of_frames,
            source.extended_offsets,
            source.word_swapped,
        )
        notes = frames.notes()
        if spec.high_bit is not None and spec.bits_stored is not None and spec.high_bit != spec.bits_stored - 1:
            text = (
                f"high bit {spec.high_bit} found, {spec.bits_stored - 1} expected with bits stored {spec.bits_stored}"
            )
            notes.append((None, text, "PS3.5 8.1.1", None))
        if notes:
            if self._strict:
                _notes.refuse(notes, spec.transfer_syntax)
            _notes.warn(notes)
        return frames

    def _fill(
        self,
        target: Array,
        indices: Sequence[int],
        *,
        threads: int | None,
        max_bytes: int | None,
        ybr_to_rgb: bool = False,
        rescales: list[tuple[float, float]] | None = None,
        is_warm: bool = False,
    ) -> None:
        """Let the core decode `indices` into `target`."""
        assert self._frames is not None
        _, notes = self._frames.decode_into(
            target,
            indices,
            threads=threads_for(threads, len(indices), target.size),
            strict=self._strict,
            ybr_to_rgb=ybr_to_rgb,
            rescales=rescales or None,
            max_bytes=max_bytes,
            is_warm=is_warm,
        )
        if notes:
            _notes.warn(notes)

    def _decode_elsewhere(
        self,
        frames: FrameIndex,
        out: Array | None,
        *,
        rescale: bool,
        dtype: npt.DTypeLike | None,
        raw: bool,
        max_bytes: int | None,
    ) -> Array:
        """What pydicom's decoders give, in the type and place that the caller wants."""
        source = self._source
        stored = _delegate.decode(source, self._unsupported, frames, raw=raw, max_bytes=max_bytes)
        if out is None and not rescale and dtype is None:
            return stored
        target = target_array(stored.shape, stored.dtype, out, rescale=rescale, dtype=dtype, max_bytes=max_bytes)
        if not rescale:
            target[...] = stored
        elif source.has_modality_lut:
            exact_copy(_delegate.modality_lut(stored, source.dataset), target)
        else:
            several = stored.ndim > len(source.spec.shape)
            count = len(stored) if several and frames is None else self.number_of_frames
            rescales = source.rescales(select(count, frames)[0]) or [(1.0, 0.0)]
            if len(rescales) == 1:
                rescale_into(stored, *rescales[0], target)
            else:
                for frame, pair, window in zip(stored, rescales, target, strict=True):
                    rescale_into(frame, *pair, window)
        return target
