"""The class of an opened object, which decodes frames by the core or by fallback decoders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, Unpack

import numpy as np

from dicoxide import _deviations
from dicoxide._arguments import (
    LARGE_SAMPLES,
    Array,
    FrameSelection,
    Rescale,
    byte_limit,
    check_gray,
    check_reduce,
    check_rescale,
    reduced_shape,
    resolve_frames,
    target_array,
    threads_for,
)
from dicoxide._backend import core
from dicoxide._options import DecodeOptions, output_options
from dicoxide._pixels import transform_into
from dicoxide._sources import RealWorldMapping, RealWorldValueMap, Source, Transform
from dicoxide._transfer_syntaxes import VIDEO_CODECS
from dicoxide.errors import DecodeError, UnsupportedError

if TYPE_CHECKING:
    import numpy.typing as npt
    from pydicom.dataset import Dataset

    from dicoxide._core import Frames, Rendering
    from dicoxide._fallback_decoders import FallbackFrames
    from dicoxide._rendering import Presentation, Renderer, RenderKeywords, RenderOptions
    from dicoxide._sources import Attributes

_SYNTAXES_WITH_CODEC = frozenset(uid for uid, _, codec in core.transfer_syntaxes() if codec is not None)


class Image:
    """The pixel data of one object; frames are decoded on demand.

    Created by :func:`dicoxide.open`. An image is indexed by frame, also if it has only one: ``image[5]`` has shape
    (rows, columns[, samples]); ``image[10:20]`` and ``image[[3, 1, 8]]`` have a frame axis before these.
    ``numpy.asarray(image)`` equals ``image.decode()``. An image may be used by several threads at the same time.

    Raises
    ------
    DecodeError
        At first use of the frames, if they cannot be found, or no decoder supports them.

    Examples
    --------
    >>> with dicoxide.open("image.dcm") as image:  # doctest: +SKIP
    ...     image.shape, image.dtype
    ...     last = image[-1]
    """

    def __init__(self, source: Source, *, strict: bool = False, fallback: bool = True) -> None:
        self._source = source
        self._strict = strict
        self._fallback = fallback
        # None until the frames are used.
        self._opened: Frames | FallbackFrames | None = None
        # True if deviations of the transforms to modality values have been reported.
        self._transforms_reported = False
        # None until they are used.
        self._real_world_mapping: RealWorldMapping | None = None
        self._presentation: Presentation | None = None

    @property
    def number_of_frames(self) -> int:
        """Number of frames in the pixel data, which may be more than Number of Frames (0028,0008)."""
        return len(self._frames())

    @property
    def transfer_syntax(self) -> str:
        """UID of the transfer syntax."""
        return self._source.spec.transfer_syntax

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of ``decode()``: ([frames,] rows, columns[, samples]), with a frame axis if there are several."""
        count = self.number_of_frames
        return (count, *self._source.spec.shape) if count > 1 else self._source.spec.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy dtype of ``decode()``: that of the stored values, in native byte order."""
        return self._source.spec.dtype

    @property
    def attributes(self) -> Attributes:
        """Attributes that decoding, sorting and measuring need, by keyword."""
        return self._source.attributes

    def to_pydicom(self) -> Dataset:
        """Return the whole data set, read by pydicom."""
        return self._source.dataset

    def close(self) -> None:
        """Close the file, if one is open. Decoded arrays stay valid. May be called again."""
        self._opened = None
        self._real_world_mapping = None
        self._presentation = None
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
            raise ValueError("an Image decodes into new memory: copy=False is not possible")
        decoded = self.decode()
        return decoded if dtype is None else decoded.astype(dtype, copy=False)

    def __repr__(self) -> str:
        spec = self._source.spec
        count = self._source.number_of_frames or 1
        return f"<dicoxide.Image: {count} × {'×'.join(map(str, spec.shape))} of {spec.dtype}, {self.transfer_syntax}>"

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
        """Decode frames.

        Parameters
        ----------
        frames, out, rescale, quantity, dtype, raw, reduce, threads, max_bytes
            As for :func:`dicoxide.decode`.

        Returns
        -------
        ndarray
            As :func:`dicoxide.decode` returns it.

        Raises
        ------
        DecodeError, IndexError, OSError, TypeError, ValueError
            As :func:`dicoxide.decode` raises them.
        """
        max_bytes = byte_limit(max_bytes)
        check_rescale(rescale, quantity)
        reduce = check_reduce(reduce)
        if rescale:
            check_gray(self._source.spec.samples_per_pixel)
        opened = self._frames()
        if not isinstance(opened, core.Frames):
            if reduce:
                raise opened.unsupported
            return self._decode_by_fallback(opened, frames, out, rescale, quantity, dtype, raw, max_bytes)
        try:
            return self._decode_by_core(opened, frames, out, rescale, quantity, dtype, raw, reduce, threads, max_bytes)
        except UnsupportedError as unsupported:
            # Found in the codestream, for example another JPEG process.
            # Fallback decoders decode the full size only.
            if reduce or not self._has_fallback():
                raise
            try:
                fallback = self._fallback_frames(unsupported, opened)
                return self._decode_by_fallback(fallback, frames, out, rescale, quantity, dtype, raw, max_bytes)
            except DecodeError as error:
                # The core's reason is the better one only if it has a codec for the transfer syntax, and of that frame.
                is_same_frame = error.frame_index == unsupported.frame_index
                if error.kind != "Fallback" or self.transfer_syntax not in _SYNTAXES_WITH_CODEC or not is_same_frame:
                    raise
                raise unsupported from error

    def render(
        self,
        frames: FrameSelection = None,
        out: Array | None = None,
        *,
        threads: int | None = None,
        max_bytes: int | None = None,
        **options: Unpack[RenderKeywords],
    ) -> Array:
        """Render frames: gray levels or RGB for display.

        Parameters
        ----------
        frames, out, threads, max_bytes, **options
            As for :func:`dicoxide.render`, but for `strict` and `fallback`.

        Returns
        -------
        ndarray
            As :func:`dicoxide.render` returns it; the errors are the same, too.
        """
        from dicoxide._rendering import check_options

        renderer = self._renderer(check_options(**options))
        return renderer.render(frames, out, threads=threads, max_bytes=byte_limit(max_bytes))

    def _renderer(self, options: RenderOptions) -> Renderer:
        from dicoxide._rendering import Presentation, Renderer

        # Attributes are read once.
        self._presentation = presentation = self._presentation or Presentation(self._source)
        return Renderer(self, presentation, options)

    def check(self, frames: Sequence[int]) -> None:
        """Raise if a frame has fewer bytes than any frame of its size.

        Raises
        ------
        DecodeError
            The error that decoding the first such frame raises.
        """
        opened = self._frames()
        try:
            opened.check(frames)
        except UnsupportedError as unsupported:
            if not isinstance(opened, core.Frames) or not self._has_fallback():
                raise
            self._fallback_frames(unsupported, opened).check(frames)

    def _decode_by_core(
        self,
        opened: Frames,
        frames: FrameSelection,
        out: Array | None,
        rescale: Rescale,
        quantity: str | None,
        dtype: npt.DTypeLike | None,
        raw: bool,
        reduce: int,
        threads: int | None,
        max_bytes: int | None,
    ) -> Array:
        """Decode frames by the core."""
        spec = self._source.spec
        indices, has_frame_axis = resolve_frames(len(opened), frames)
        shape = reduced_shape(spec.shape, reduce) if reduce else spec.shape
        if has_frame_axis:
            shape = (len(indices), *shape)
        if math.prod(shape) > LARGE_SAMPLES:
            opened.check(indices, max_bytes=max_bytes)
        target = target_array(shape, spec.dtype, out, rescale=rescale, dtype=dtype, max_bytes=max_bytes)
        threads = threads_for(threads, len(indices), target.size)
        transforms = self._transforms(indices, rescale, quantity) if rescale else []
        if rescale and not transforms and target.dtype != spec.dtype:
            transforms = [(1.0, 0.0)]
        options = output_options(threads, self._strict, not raw, max_bytes, reduce)
        self._fill(opened, target, indices, options, transforms, is_warm=out is not None)
        return target

    def _frames(self) -> Frames | FallbackFrames:
        # Other threads may open or close the image: each call works with what it has read once.
        opened = self._opened
        if opened is None:
            try:
                opened = self._open()
            except UnsupportedError as unsupported:
                if not self._has_fallback():
                    raise
                opened = self._fallback_frames(unsupported, None)
                self._report(opened.deviations)
            self._opened = opened
        return opened

    def _resolve_frames(self, frames: FrameSelection) -> tuple[Sequence[int], bool]:
        """Return the indices of `frames`, none negative, and True if the result has a frame axis."""
        return resolve_frames(len(self._frames()), frames)

    def _has_fallback(self) -> bool:
        """Return True if fallback is allowed and there is a decoder for it."""
        if not self._fallback:
            return False
        from dicoxide._fallback_decoders import available_plugins

        return bool(available_plugins(self.transfer_syntax))

    def _fallback_frames(self, unsupported: UnsupportedError, frames: Frames | None) -> FallbackFrames:
        """Return the frames for fallback decoders, which are imported when the first object needs them."""
        from dicoxide._fallback_decoders import FallbackFrames

        return FallbackFrames(self._source, unsupported, frames)

    def _open(self) -> Frames:
        """Find the frames, and report the deviations found in doing so."""
        frames = self._source.frames()
        if deviations := [*frames.deviations(), *self._source.deviations, *self._source.spec.deviations()]:
            self._report(deviations)
        return frames

    def real_world_value_maps(self, frame: int = 0) -> tuple[RealWorldValueMap, ...]:
        """Return the maps from stored to real-world values of a frame, with labels, quantities and units.

        Parameters
        ----------
        frame : int, default 0
            Index of the frame.

        Returns
        -------
        tuple of RealWorldValueMap
            Items of the Real World Value Mapping Sequence of the frame's functional groups, else of the shared ones,
            else of the data set itself; empty if there is none.

        Raises
        ------
        CorruptFrameError
            If a map is invalid.
        IndexError
            If the frame index is out of range.

        Notes
        -----
        PS3.3 C.7.6.16.2.11.
        """
        return self._real_world().maps(self._frame_index(frame))

    def real_world_units(self, frame: int = 0, quantity: str | None = None) -> str:
        """Return the units of the values that ``decode(frame, rescale="real_world", quantity=quantity)`` returns.

        Parameters
        ----------
        frame : int, default 0
            Index of the frame. All frames of one call of :meth:`decode` have the same units, or it raises.
        quantity : str, optional
            As for :func:`dicoxide.decode`.

        Returns
        -------
        str
            Code Value of the Measurement Units Code Sequence (0040,08EA), for example the UCUM code ``"um2/s"``;
            ``""`` if it is missing.

        Raises
        ------
        CorruptFrameError, IndexError, TypeError, ValueError
            As :meth:`decode` raises them.
        """
        check_rescale("real_world", quantity)
        return self._real_world().transforms([self._frame_index(frame)], quantity)[2]

    def _frame_index(self, frame: int) -> int:
        """Return the zero-based index of a frame; the frames are found only if Number of Frames does not include it."""
        count = self._source.number_of_frames or 1
        return resolve_frames(count if 0 <= frame < count else self.number_of_frames, [frame])[0][0]

    def _real_world(self) -> RealWorldMapping:
        """Return the Real World Value Mapping, read at first use."""
        mapping = self._real_world_mapping
        if mapping is None:
            mapping = self._real_world_mapping = RealWorldMapping(self._source.attributes, self._source.spec)
        return mapping

    def _transforms(self, indices: Sequence[int], rescale: Rescale, quantity: str | None) -> list[Transform]:
        """Return the transforms of frames that `rescale` requests, and report their deviations at first use."""
        if rescale == "real_world":
            ranges, deviations, _ = self._real_world().transforms(indices, quantity)
            transforms: list[Transform] = [*ranges]
        else:
            transforms, deviations = self._source.modality_transforms(indices)
        if deviations and (self._strict or not self._transforms_reported):
            self._transforms_reported = True
            self._report(deviations)
        return transforms

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
        transforms: Sequence[Transform | Rendering],
        *,
        is_warm: bool = False,
    ) -> None:
        """Decode `indices` into `target` by the core, and warn of deviations."""
        _, deviations = opened.decode_into(target, indices, options, transforms=transforms or None, is_warm=is_warm)
        if deviations:
            _deviations.warn(deviations)

    def _decode_by_fallback(
        self,
        fallback: FallbackFrames,
        frames: FrameSelection,
        out: Array | None,
        rescale: Rescale,
        quantity: str | None,
        dtype: npt.DTypeLike | None,
        raw: bool,
        max_bytes: int | None,
    ) -> Array:
        """Decode frames by pydicom's decoders, then rescale and convert them here."""
        stored, deviations = fallback.decode(frames, raw=raw, max_bytes=max_bytes, strict=self._strict)
        if deviations:
            _deviations.warn(deviations)
        if out is None and not rescale and dtype is None:
            return stored
        target = target_array(stored.shape, stored.dtype, out, rescale=rescale, dtype=dtype, max_bytes=max_bytes)
        if not rescale:
            target[...] = stored
            return target
        indices, _ = resolve_frames(len(fallback), frames)
        transforms = self._transforms(indices, rescale, quantity) or [(1.0, 0.0)]
        if len(transforms) == 1:
            transform_into(stored, transforms[0], target)
        else:
            for stored_frame, transform, target_frame in zip(stored, transforms, target, strict=True):
                transform_into(stored_frame, transform, target_frame)
        return target


def make_image(source: Source, *, strict: bool = False, fallback: bool = True) -> Image:
    """Return the image of a source: of the class for videos if its transfer syntax is one."""
    if source.spec.transfer_syntax in VIDEO_CODECS:
        # Imported here, because few programs decode videos.
        from dicoxide._video import VideoImage

        return VideoImage(source, strict=strict, fallback=fallback)
    return Image(source, strict=strict, fallback=fallback)
