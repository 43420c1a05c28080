"""`Renderer`: renders frames of one image, by the core while decoding, or from decoded arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import (
    LARGE_SAMPLES,
    Array,
    FrameSelection,
    check_output_bytes,
    reduced_shape,
    target_array,
    threads_for,
)
from dicoxide._backend import core
from dicoxide._codestream import codestream_info
from dicoxide._options import output_options
from dicoxide._rendering._options import Percentiles, RenderOptions
from dicoxide._rendering._presentation import Kind, Presentation, all_bits
from dicoxide._rendering._resize import limited_shape, reductions, resize_into
from dicoxide._rendering._value_range import ValueRangeMeter
from dicoxide._rendering._windows import FullRange, ValueRange, Voi
from dicoxide._sources import Transform
from dicoxide._transfer_syntaxes import VIDEO_CODECS
from dicoxide.errors import CorruptFrameError, DecodeError, UnsupportedError

if TYPE_CHECKING:
    from dicoxide._core import Rendering
    from dicoxide._image import Image

__all__ = ["Renderer"]

# Maximum bytes of full-size frames in memory while they are reduced to `max_size`; one frame at least.
_MAX_FULL_SIZE_BYTES = 64 << 20
# Maximum bytes of stored values in memory, one frame at least. Of more, the range is measured by decoding them twice.
_MAX_STORED_BYTES = 256 << 20
# Renderings of plain gray images by `Presentation.plain_key`, and the maximum number of them.
_shared_renderings: dict[Any, Rendering] = {}
_MAX_SHARED = 64
_GRAY_KINDS = frozenset({"gray", "supplemental"})


class Renderer:
    """Renders frames of an image with the same options.

    Parameters
    ----------
    image : Image
        The opened image.
    presentation : Presentation
        Attributes of the image.
    options : RenderOptions
        Options of the calls.

    Attributes
    ----------
    image : Image
        The opened image.
    options : RenderOptions
        Options of the calls.
    value_range : (float, float) or None
        Range of modality values for frames without a window; measured by each call if None.
    """

    def __init__(self, image: Image, presentation: Presentation, options: RenderOptions) -> None:
        self.value_range: tuple[float, float] | None = None
        # Key of the rendering in `_shared_renderings`, if it can be shared.
        self._key: Any = None
        self.image = image
        self._presentation = presentation
        self.options = options
        self._kind: Kind = presentation.kind(options)
        spec = presentation.spec
        is_rgb = self._kind not in ("gray", "indices")
        self._full_shape: tuple[int, ...] = (spec.rows, spec.columns, 3) if is_rgb else (spec.rows, spec.columns)

    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a rendered frame: (rows, columns[, 3])."""
        shape = self._full_shape
        if self.options.reduce:
            shape = reduced_shape(shape, self.options.reduce)
        return limited_shape(shape, self.options.max_size)

    def render(self, frames: FrameSelection, out: Array | None, *, threads: int | None, max_bytes: int | None) -> Array:
        """Render frames, as :func:`dicoxide.render` does."""
        image, options = self.image, self.options
        indices, has_frame_axis = image._resolve_frames(frames)
        frame_shape = self._full_shape if options.max_size is None and not options.reduce else self.frame_shape()
        shape = (len(indices), *frame_shape) if has_frame_axis else frame_shape
        if math.prod(shape) > LARGE_SAMPLES:
            image.check(indices)
        target = target_array(shape, np.dtype(options.dtype), out, dtype=options.dtype, max_bytes=max_bytes)
        is_direct = options.max_size is None and not options.overlays and not options.icc
        # A range that was measured is not that of equal images.
        is_sharable = is_direct and self.value_range is None
        if is_sharable and self._render_shared(target, indices, threads, max_bytes, is_warm=out is not None):
            return target
        call = _Call(self, indices, threads, max_bytes, is_warm=out is not None)
        if is_direct:
            call.fill(target, target, options.reduce)
        else:
            call.fill_processed(target if has_frame_axis else target[None])
        return target

    def _render_shared(
        self, target: Array, indices: Sequence[int], threads: int | None, max_bytes: int | None, *, is_warm: bool
    ) -> bool:
        """Render by the core with the rendering of an equal image before; return False if there is none.

        Choosing a window takes 10 % of decoding a small file.
        """
        image = self.image
        opened = image._opened
        if self._kind != "gray" or not indices or not isinstance(opened, core.Frames):
            return False
        # The range of values is that of this image.
        is_measured = isinstance(self.options.window, Percentiles) or self.options.window == "range"
        if is_measured or not self._presentation.is_plain:
            return False
        key = self._presentation.plain_key(self.options)
        rendering = _shared_renderings.get(key)
        if rendering is None:
            self._key = key
            return False
        threads = threads_for(threads, len(indices), target.size)
        options = output_options(threads, image._strict, True, max_bytes, self.options.reduce)
        try:
            image._fill(opened, target, indices, options, [rendering], is_warm=is_warm)
        except UnsupportedError:
            # A fallback decoder may decode it.
            return False
        return True

    def needs_value_range(self, indices: Sequence[int]) -> bool:
        """Return True if a frame in `indices` is displayed with the range of the values of the call."""
        return any(isinstance(voi, ValueRange) for voi in self._select(indices)[1])

    def with_reduction(self, work: Callable[[int], None]) -> None:
        """Call `work` with the number of resolutions to discard: the largest that the codestreams allow."""
        options = self.options
        candidates: Iterable[int] = (options.reduce,)
        if options.max_size is not None and not options.reduce and self._can_average():
            candidates = reductions(self._full_shape, options.max_size)
        for reduce in candidates:
            try:
                work(reduce)
                return
            except (ValueError, UnsupportedError) as error:
                # The codestream has fewer resolutions, or another decoder decodes it.
                if reduce == options.reduce or isinstance(error, CorruptFrameError):
                    raise

    def _can_average(self) -> bool:
        """Return True if averages of stored values, which reduced resolutions are, can be rendered."""
        presentation = self._presentation
        # Averages of palette indices and labels have no meaning.
        if self._kind not in ("gray", "color"):
            return False
        # Padding would be mixed with the pixels next to it. Overlays have the full resolution.
        is_padded = self._kind == "gray" and presentation.padding is not None
        if is_padded or (self.options.overlays and presentation.overlays):
            return False
        return presentation.spec.pixel_representation == 0 or self._has_signed_codestream()

    def _has_signed_codestream(self) -> bool:
        """Return True if the samples of the first frame's codestream are signed.

        Unsigned ones may be signed values of another precision: -1 next to 0 is 65 535, whose average is 32 767.
        """
        opened = self.image._frames()
        try:
            return isinstance(opened, core.Frames) and bool(codestream_info(opened.frame_bytes(0)[0]).is_signed)
        except DecodeError:
            return False

    def measure(self, frames: Iterable[tuple[int, Array]]) -> None:
        """Set the range of values to that of decoded frames, given as (index, stored values)."""
        self.value_range = self.measured_range(frames) or (0.0, 0.0)

    def measured_range(self, frames: Iterable[tuple[int, Array]]) -> tuple[float, float] | None:
        """Return the range of the values of decoded frames, given as (index, stored values); None without a value."""
        request = self.options.window
        percentiles = request if isinstance(request, Percentiles) else None
        meter = ValueRangeMeter(percentiles, self._presentation.padding)
        for index, stored in frames:
            transforms = self.image._transforms([index], True, None)
            meter.add(stored, transforms[0] if transforms else None)
        return None if meter.is_empty else meter.result()

    def _select(self, indices: Sequence[int]) -> tuple[list[Transform], list[Voi | ValueRange | FullRange]]:
        """Return modality and VOI transforms: one per frame, or one for all; none if the kind has none."""
        if self._kind not in _GRAY_KINDS:
            return [], []
        transforms = self.image._transforms(indices, True, None)
        vois = self._presentation.select_vois(indices, transforms, self.options)
        if self._report():
            # Each call reports them, so the rendering is not shared.
            self._key = None
        return transforms, vois

    def _report(self) -> bool:
        """Report the deviations of the attributes that have been read; return True if there are some."""
        deviations = self._presentation.deviations
        found = list(dict.fromkeys([*deviations, *self.image._source.item_deviations()]))
        deviations.clear()
        self.image._report(found)
        return bool(found)


def _share(key: Any, rendering: Rendering) -> None:
    """Retain a rendering for equal images."""
    if len(_shared_renderings) >= _MAX_SHARED:
        _shared_renderings.clear()
    _shared_renderings[key] = rendering


class _Call:
    """One call: the frames to render, and their renderings."""

    def __init__(
        self, renderer: Renderer, indices: Sequence[int], threads: int | None, max_bytes: int | None, *, is_warm: bool
    ) -> None:
        self._image = renderer.image
        self._presentation = renderer._presentation
        self._options = renderer.options
        self._kind = renderer._kind
        self._full_shape = renderer._full_shape
        self._renderer = renderer
        self._indices = indices
        self._threads = threads
        self._max_bytes = max_bytes
        self._is_warm = is_warm
        self._transforms, self._vois = renderer._select(indices)
        if renderer.value_range is not None:
            self._set_range(renderer.value_range)
        # Stored values of all frames, if their range was measured.
        self._stored: Array | None = None

    def fill(self, target: Array, output: Array, reduce: int, chunk: slice = slice(None)) -> None:
        """Render the frames of `chunk` into `target`; `output` is the result of the call, whose size is limited."""
        indices = self._indices[chunk]
        if not indices:
            return
        if any(isinstance(voi, ValueRange) for voi in self._vois):
            self._measure(reduce, output)
        if self._stored is not None:
            self._render_arrays(self._stored[chunk], target, chunk)
            return
        image = self._image
        is_video = self._presentation.spec.transfer_syntax in VIDEO_CODECS
        opened = None if is_video else image._frames()
        if isinstance(opened, core.Frames):
            try:
                bits = self._presentation.spec.bits_stored or self._presentation.spec.bits_allocated
                renderings = self._renderings(bits, chunk)
                threads = threads_for(self._threads, len(indices), target.size)
                options = output_options(threads, image._strict, True, self._max_bytes, reduce)
                image._fill(opened, target, indices, options, renderings, is_warm=self._is_warm)
                if self._renderer._key is not None and len(renderings) == 1:
                    _share(self._renderer._key, renderings[0])
                return
            except UnsupportedError:
                if reduce or not image._has_fallback():
                    raise
        batch_size = self._batch_size(reduce, output)
        if len(indices) <= batch_size:
            self._render_arrays(self._decode(indices, reduce, output), target, chunk)
            return
        first, stop, _ = chunk.indices(len(self._indices))
        for start in range(first, stop, batch_size):
            batch = slice(start, min(start + batch_size, stop))
            stored = self._decode(self._indices[batch], reduce, output)
            self._render_arrays(stored, target[batch.start - first : batch.stop - first], batch)

    def fill_processed(self, target: Array) -> None:
        """Render all frames into `target`, which has a frame axis; apply overlays, size and ICC profile."""
        options, presentation = self._options, self._presentation
        overlays = presentation.overlays if options.overlays else []
        transform = presentation.color_transform if options.icc and target.ndim == 4 else None
        self._renderer._report()
        self._renderer.with_reduction(lambda reduce: self._fill_reduced(target, reduce, overlays))
        if transform is not None:
            from dicoxide._rendering._icc import to_srgb

            for frame in target:
                to_srgb(frame, transform)

    def _fill_reduced(self, target: Array, reduce: int, overlays: list[Any]) -> None:
        shape = reduced_shape(self._full_shape, reduce) if reduce else self._full_shape
        if shape == target.shape[1:]:
            self.fill(target, target, reduce)
            self._burn(overlays, target, self._indices)
            return
        frame_bytes = math.prod(shape) * target.itemsize
        limit = _MAX_FULL_SIZE_BYTES
        if self._max_bytes is not None:
            limit = min(limit, self._max_bytes - target.nbytes)
        chunk_size = max(1, min(limit // max(1, frame_bytes), len(self._indices)))
        check_output_bytes(target.nbytes + chunk_size * frame_bytes, self._max_bytes)
        frames = np.empty((chunk_size, *shape), target.dtype)
        for start in range(0, len(self._indices), chunk_size):
            chunk = slice(start, min(start + chunk_size, len(self._indices)))
            filled = frames[: chunk.stop - chunk.start]
            self.fill(filled, target, reduce, chunk)
            self._burn(overlays, filled, self._indices[chunk])
            for frame, target_frame in zip(filled, target[chunk], strict=True):
                resize_into(frame, target_frame)

    def _burn(self, overlays: list[Any], frames: Array, indices: Sequence[int]) -> None:
        if not overlays:
            return
        from dicoxide._rendering._overlays import burn_overlays

        opened = self._image._frames() if any(not overlay.data for overlay in overlays) else None
        native = opened if isinstance(opened, core.Frames) else None
        for frame, index in zip(frames, indices, strict=True):
            burn_overlays(overlays, frame, index, self._options.highest, self._presentation.spec, native)

    def _decode(self, indices: Sequence[int], reduce: int, output: Array) -> Array:
        """Return stored values of `indices`, or RGB samples, with a frame axis."""
        limit = self._max_bytes
        if limit is not None:
            check_output_bytes(output.nbytes, limit)
            limit -= output.nbytes
        return self._image.decode(indices, reduce=reduce, threads=self._threads, max_bytes=limit)

    def _batch_size(self, reduce: int, output: Array) -> int:
        """Return the number of frames whose stored values may be in memory besides the output; at least one."""
        shape = self._presentation.spec.shape
        frame_bytes = math.prod(reduced_shape(shape, reduce)) * self._presentation.spec.dtype.itemsize
        limit = _MAX_STORED_BYTES
        if self._max_bytes is not None:
            limit = min(limit, self._max_bytes - output.nbytes)
        return max(1, limit // max(1, frame_bytes))

    def _measure(self, reduce: int, output: Array) -> None:
        """Measure the range of the modality values of all frames; retain the stored values if they are few."""
        request = next(voi for voi in self._vois if isinstance(voi, ValueRange))
        meter = ValueRangeMeter(request.percentiles, self._presentation.padding)
        count, batch_size = len(self._indices), self._batch_size(reduce, output)
        for start in range(0, count, batch_size):
            batch = slice(start, start + batch_size)
            stored = self._decode(self._indices[batch], reduce, output)
            if len(self._transforms) <= 1:
                meter.add(stored, self._transforms[0] if self._transforms else None)
            else:
                for frame, transform in zip(stored, self._transforms[batch], strict=True):
                    meter.add(frame, transform)
            if batch_size >= count:
                self._stored = stored
        self._set_range(meter.result())

    def _set_range(self, value_range: tuple[float, float]) -> None:
        """Display the frames without a window with a range of modality values, which other images do not share."""
        if any(isinstance(voi, ValueRange) for voi in self._vois):
            self._renderer._key = None
        self._vois = [("RANGE", *value_range) if isinstance(voi, ValueRange) else voi for voi in self._vois]

    def _render_arrays(self, stored: Array, target: Array, chunk: slice) -> None:
        """Render stored values in memory."""
        renderings = self._renderings(all_bits(stored), chunk)
        if not renderings:
            target[...] = stored.reshape(target.shape)
            return
        if len(renderings) == 1:
            threads = threads_for(self._threads, len(stored), target.size)
            core.render_into(stored, renderings[0], target, threads, self._is_warm)
            return
        for frame, rendering, target_frame in zip(stored, renderings, target, strict=True):
            core.render_into(frame, rendering, target_frame, threads_for(self._threads, 1, frame.size), self._is_warm)

    def _renderings(self, bits: int, chunk: slice) -> list[Rendering]:
        """Return the rendering of each frame of `chunk`, or one for all; none if the samples are the output.

        `bits` is the number of significant bits of the stored values.
        """
        presentation, options, kind = self._presentation, self._options, self._kind
        if kind in ("color", "indices"):
            rendering = presentation.samples(options, bits=bits, is_index=kind == "indices")
            return [] if rendering is None else [rendering]
        indices = self._indices[chunk]
        if kind in ("palette", "segments"):
            tables: dict[int, Rendering] = {}
            groups = presentation.color_groups(indices, kind)
            for group, index in zip(groups, indices, strict=False):
                if group not in tables:
                    tables[group] = presentation.colored(index, kind, options)
            self._renderer._report()
            return [tables[group] for group in groups]
        is_supplemental = kind == "supplemental"
        transforms = self._transforms[chunk] if len(self._transforms) > 1 else self._transforms
        vois = self._vois[chunk] if len(self._vois) > 1 else self._vois
        count = max(len(transforms), len(vois))
        shared: dict[Any, Rendering] = {}
        result = []
        for position in range(count):
            transform = (transforms[position] if len(transforms) > 1 else transforms[0]) if transforms else None
            voi = vois[position] if len(vois) > 1 else vois[0]
            rendering = shared.get((voi, transform))
            if rendering is None:
                assert not isinstance(voi, ValueRange)
                rendering = shared[voi, transform] = presentation.gray(
                    voi, transform, options, bits=bits, is_supplemental=is_supplemental
                )
            result.append(rendering)
        if is_supplemental:
            self._renderer._report()
        return result
