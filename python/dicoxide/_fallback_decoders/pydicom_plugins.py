"""Decoding by the plugins that pydicom knows: pylibjpeg, Pillow and pyjpegls.

This is the only module that reads the order in which pydicom tries its plugins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import Array, FrameSelection, check_output_bytes, resolve_frames
from dicoxide._backend import core
from dicoxide._deviations import Deviation, raise_first
from dicoxide._fallback_decoders.jpeg_colour import with_untransformed_components
from dicoxide._fallback_decoders.jpeg_end import has_end_of_image
from dicoxide._frame import IMAGE_PIXEL, FrameSpec
from dicoxide.errors import DecodeError, LimitError, TruncatedFrameError, UnsupportedError

if TYPE_CHECKING:
    from pydicom.pixels.common import CoderBase
    from pydicom.pixels.decoders.base import Decoder

    from dicoxide._core import Frames
    from dicoxide._sources import Source

# Labels of plugins that are not asked: dicoxide's own, and GDCM, which ends the process on some corrupt frames (an
# uncaught C++ exception).
_EXCLUDED_PLUGINS = frozenset({"dicoxide", "gdcm"})
# The beginning of HP's APP8 segment in JPEG-LS. pylibjpeg does not invert the colour transform that it declares.
_HP_TRANSFORM, _WITHOUT_HP_TRANSFORM = b"mrfx", "pylibjpeg"
# Bits of the widest integer sample that a codestream can hold. JPEG 2000 has up to 38 bits (T.800 A.5.1), decoders
# return arrays of at most 32.
_MAX_BITS_ALLOCATED = 32


class FallbackFrames:
    """The frames of one object, decoded by pydicom's plugins.

    Each codestream is passed to a plugin on its own. So the frames are those that the core finds, and memory is
    allocated for one frame at a time.

    Parameters
    ----------
    source : Source
        The object.
    unsupported : UnsupportedError
        The core's reason not to decode it; raised again if no plugin decodes it either.
    frames : Frames, optional
        The frames as the core has already found them.

    Raises
    ------
    DecodeError
        If the frames cannot be found.
    """

    def __init__(self, source: Source, unsupported: UnsupportedError, frames: Frames | None = None) -> None:
        spec = source.spec
        self.unsupported = unsupported
        self._source = source
        self._is_encapsulated = _decoder(spec.transfer_syntax).is_encapsulated
        if self._is_encapsulated:
            # Some decoders end the process if they are asked for samples that no codestream can hold.
            if spec.is_float or spec.bits_allocated > _MAX_BITS_ALLOCATED:
                raise unsupported
            frames = source.frames(find_only=True) if frames is None else frames
        elif _is_packed_colour(spec):
            frames = core.Frames(_as_monochrome(spec), source.value, source.number_of_frames)
        else:
            raise unsupported
        self._frames = frames
        self.deviations = [*frames.deviations(), *source.deviations, *spec.deviations()]

    def __len__(self) -> int:
        return len(self._frames)

    def decode(
        self, frames: FrameSelection, *, raw: bool, max_bytes: int | None, strict: bool = False
    ) -> tuple[Array, list[Deviation]]:
        """Decode `frames`; the result has the shape that :func:`dicoxide.decode` gives.

        The deviations are those of the first frame that has any and those of finding the frames, as the core returns
        them.

        Raises
        ------
        UnsupportedError
            The one that was passed to the constructor, if there is no plugin for the frame.
        DecodeError
            With kind ``"Fallback"``, if the plugins failed.
        CorruptFrameError
            If a codestream contradicts the data set or does not end; with `strict`, also if it has a deviation.
        """
        spec = self._source.spec
        indices, has_frame_axis = resolve_frames(len(self), frames)
        output_bytes = len(indices) * math.prod(spec.shape) * spec.dtype.itemsize
        check_output_bytes(output_bytes, max_bytes)
        deviations: list[Deviation] = []
        target: Array | None = None
        try:
            for position, index in enumerate(indices):
                frame, found = self._decode_frame(index, raw, strict)
                deviations = deviations or found
                if not has_frame_axis:
                    target = frame
                    break
                if target is None:
                    # Allocated after the first frame has been decoded, so that a corrupt header costs nothing.
                    target = np.empty((len(indices), *spec.shape), spec.dtype)
                target[position] = frame
        except MemoryError as error:
            text = f"not enough memory for {output_bytes} bytes of output and pydicom's decoders"
            raise LimitError(text, kind="LimitExceeded") from error
        lookup_deviations = self._frames.lookup_deviations()
        if strict:
            raise_first(lookup_deviations, spec.transfer_syntax)
        if target is None:
            target = np.empty((0, *spec.shape), spec.dtype)
        return target, deviations + lookup_deviations

    def check(self, indices: Sequence[int]) -> None:
        """Raise if a codestream declares another size or depth than the data set; called before memory is allocated."""
        if self._is_encapsulated:
            for index in indices:
                self._codestream(index, raw=True)

    def _decode_frame(self, index: int, raw: bool, strict: bool) -> tuple[Array, list[Deviation]]:
        """Decode a frame; return it and its deviations, or raise the first one if `strict`."""
        spec = self._source.spec
        deviations: list[Deviation] = []
        if self._is_encapsulated:
            codestream, is_ybr, deviations = self._codestream(index, raw)
            if strict:
                raise_first(deviations, spec.transfer_syntax)
            decoded = self._decode_codestream(codestream, index, is_ybr, raw)
        else:
            decoded = self._decode_native(index, raw)
        if not decoded.dtype.isnative:
            decoded = decoded.astype(decoded.dtype.newbyteorder("="))
        if decoded.shape != spec.shape or decoded.dtype != spec.dtype:
            text = f"returned {decoded.dtype} of shape {decoded.shape}, {spec.dtype} of shape {spec.shape} expected"
            raise self._error(text, index)
        return np.ascontiguousarray(decoded), deviations

    def _codestream(self, index: int, raw: bool) -> tuple[bytes, bool, list[Deviation]]:
        """Return a frame's codestream, whether its samples are luminance and colour differences, and its deviations.

        Its size and depth are those of the data set. Some decoders allocate what the data set declares, others what
        the codestream declares.
        """
        codestream, _ = self._frames.frame_bytes(index)
        try:
            is_ybr, deviations = core.compare_codestream(self._source.spec, codestream, to_rgb=not raw)
        except DecodeError as error:
            error.frame_index = index
            raise
        if not has_end_of_image(codestream):
            text = (
                f"no marker EOI found after the last scan of a codestream of {len(codestream)} bytes (ITU-T T.81 B.2.1)"
            )
            uid = self._source.spec.transfer_syntax
            raise TruncatedFrameError(text, clause="ITU-T T.81 B.2.1", transfer_syntax=uid, frame_index=index)
        return codestream, is_ybr, [deviation._replace(frame_index=index) for deviation in deviations]

    def _decode_codestream(self, codestream: bytes, index: int, is_ybr: bool, raw: bool) -> Array:
        """Decode one codestream by the first plugin that succeeds."""
        from pydicom.encaps import encapsulate

        spec = self._source.spec
        colour = "YBR_FULL" if is_ybr else "RGB"
        to_rgb = is_ybr and not raw
        options: dict[str, Any] = {
            "rows": spec.rows,
            "columns": spec.columns,
            "samples_per_pixel": spec.samples_per_pixel,
            "bits_allocated": spec.bits_allocated,
            "bits_stored": spec.bits_allocated if spec.bits_stored is None else spec.bits_stored,
            "pixel_representation": spec.pixel_representation,
            # Only `force_rgb` converts colour: pydicom's own choice is that of Photometric Interpretation.
            "photometric_interpretation": colour if spec.samples_per_pixel == 3 else spec.photometric_interpretation,
            "as_rgb": False,
            "force_rgb": to_rgb,
            "planar_configuration": spec.planar_configuration,
            "number_of_frames": 1,
            "raw": not to_rgb,
        }
        decoder = _decoder(spec.transfer_syntax)
        value = encapsulate([with_untransformed_components(codestream)])
        failures = []
        for name in available_plugins(spec.transfer_syntax):
            if name == _WITHOUT_HP_TRANSFORM and _HP_TRANSFORM in codestream:
                continue
            try:
                return decoder.as_array(value, decoding_plugin=name, **options)[0]
            except MemoryError:
                raise
            except Exception as error:
                failures.append(f"{name}: {_failure_reason(error, name)}")
        if not failures:
            raise self.unsupported
        raise self._error(f"failed: {'; '.join(failures)}", index)

    def _decode_native(self, index: int, raw: bool) -> Array:
        """Decode one native frame by pydicom itself, from the elements that pydicom reads for it."""
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.uid import UID

        spec, dataset = self._source.spec, self._source.dataset
        image = Dataset()
        for keyword in (*IMAGE_PIXEL, spec.pixel_keyword):
            if keyword in dataset:
                image[keyword] = dataset[keyword]
        image.NumberOfFrames = len(self)
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = UID(spec.transfer_syntax)
        try:
            return _decoder(spec.transfer_syntax).as_array(image, index=index, raw=raw)[0]
        except MemoryError:
            raise
        except Exception as error:
            raise self._error(f"failed: {' '.join(str(error).split())}", index) from error

    def _error(self, text: str, index: int) -> DecodeError:
        uid = self._source.spec.transfer_syntax
        return DecodeError(f"pydicom's decoders {text}", kind="Fallback", transfer_syntax=uid, frame_index=index)


def available_plugins(transfer_syntax: str) -> tuple[str, ...]:
    """Return the labels of pydicom's plugins for a transfer syntax, without dicoxide and GDCM, in the order of use.

    Native transfer syntaxes have one entry, ``"pydicom"``.
    """
    try:
        decoder = _decoder(transfer_syntax)
    except NotImplementedError:
        return ()
    if not decoder.is_encapsulated:
        return ("pydicom",)
    labels = plugin_order(decoder) or decoder.available_plugins
    return tuple(label for label in labels if label not in _EXCLUDED_PLUGINS)


def plugin_order(coder: CoderBase) -> dict[str, Callable[..., Any]] | None:
    """Return the plugin functions of `coder` by label, in the order in which pydicom tries them.

    The order is in pydicom's private ``_available`` only, because the public ``available_plugins`` is sorted. None is
    returned if ``_available`` is not as expected.
    """
    plugins = getattr(coder, "_available", None)
    if not isinstance(plugins, dict) or tuple(sorted(plugins)) != coder.available_plugins:
        return None
    return plugins.copy()


def why_unavailable(transfer_syntax: str) -> str:
    """Return the reason, in one line, why :func:`available_plugins` is empty."""
    try:
        missing = _decoder(transfer_syntax).missing_dependencies
    except NotImplementedError:
        return "pydicom has no decoder for it"
    return f"pydicom's plugins are not installed: {'; '.join(missing)}"


def _decoder(transfer_syntax: str) -> Decoder:
    from pydicom.pixels.decoders.base import get_decoder

    return get_decoder(transfer_syntax)


def _is_packed_colour(spec: FrameSpec) -> bool:
    """Return True for one-bit samples in colour, the native pixel data that pydicom decodes and the core does not."""
    is_ybr = spec.photometric_interpretation.startswith("YBR")
    return spec.bits_allocated == 1 and 2 <= spec.samples_per_pixel <= 4 and not is_ybr


def _as_monochrome(spec: FrameSpec) -> FrameSpec:
    """Return the attributes of an image whose frames have as many bits, and one sample per pixel."""
    name = "rows" if spec.rows < spec.columns else "columns"
    side = getattr(spec, name) * spec.samples_per_pixel
    changed = spec._replace(samples_per_pixel=1, planar_configuration=0, photometric_interpretation="MONOCHROME2")
    return changed._replace(**{name: side})


def _failure_reason(error: Exception, label: str) -> str:
    """Return the message of a plugin's exception without the sentence that pydicom puts before it."""
    text = " ".join((str(error) or type(error).__name__).split())
    return text.rpartition(f"plugins: {label}:")[2].strip() or "no reason given"
