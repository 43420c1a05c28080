"""Decoding by the plugins that pydicom knows, and pydicom's Modality LUT.

This is the only module that reads the order in which pydicom tries its plugins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dicoxide._arguments import Array, FrameSelection, resolve_frames
from dicoxide._backend import core
from dicoxide._deviations import Deviation, raise_first
from dicoxide._fallback_decoders.agreement import Agreement, compare
from dicoxide._frame import IMAGE_PIXEL
from dicoxide.errors import CorruptFrameError, DecodeError, LimitError, TruncatedFrameError, UnsupportedError

if TYPE_CHECKING:
    from pydicom.pixels.common import CoderBase
    from pydicom.pixels.decoders.base import Decoder

    from dicoxide._core import Frames
    from dicoxide._sources import Source

# Labels of plugins that are not asked: dicoxide's own, and GDCM, which ends the process on some corrupt frames (an
# uncaught C++ exception).
_EXCLUDED_PLUGINS = frozenset({"dicoxide", "gdcm"})
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
        self.unsupported = unsupported
        self._source = source
        self._is_encapsulated = _decoder(source.spec.transfer_syntax).is_encapsulated
        if self._is_encapsulated and (source.spec.is_float or source.spec.bits_allocated > _MAX_BITS_ALLOCATED):
            # Some decoders end the process if they are asked for samples that no codestream can hold.
            raise unsupported
        if not self._is_encapsulated and source.spec.photometric_interpretation.startswith("YBR_PARTIAL"):
            # pydicom's decoder expects samples at full resolution.
            raise unsupported
        if frames is None and self._is_encapsulated:
            frames = source.frames(find_only=True)
        self._frames = frames
        self._frame_count, self.deviations = (
            self._count_native_frames() if frames is None else (len(frames), frames.deviations())
        )
        self.deviations += [*source.deviations, *source.spec.deviations()]

    def __len__(self) -> int:
        return self._frame_count

    def decode(
        self, frames: FrameSelection, *, raw: bool, max_bytes: int | None, strict: bool = False
    ) -> tuple[Array, list[Deviation]]:
        """Decode `frames`; the result has the shape that :func:`dicoxide.decode` gives.

        The deviations are those of the first frame that has any and those of finding the frames, as the core returns
        them.

        Raises
        ------
        UnsupportedError
            The one that was passed to the constructor, if no plugin decodes the frame either.
        DecodeError
            With kind ``"Fallback"``, if the plugins failed.
        CorruptFrameError
            If a codestream contradicts the data set; with `strict`, also if it has a deviation.
        """
        deviations: list[Deviation] = []
        spec = self._source.spec
        indices, has_frame_axis = resolve_frames(self._frame_count, frames)
        output_bytes = len(indices) * math.prod(spec.shape) * spec.dtype.itemsize
        if max_bytes is not None and output_bytes > max_bytes:
            raise LimitError(f"output has {output_bytes} bytes, max_bytes is {max_bytes}", kind="LimitExceeded")
        try:
            if not has_frame_axis:
                frame = self._decode_frame(indices[0], raw, strict, deviations)
                return frame, deviations + self._lookup_deviations(strict)
            target: Array | None = None
            for position, index in enumerate(indices):
                frame = self._decode_frame(index, raw, strict, deviations)
                if target is None:
                    # Allocated after the first frame has been decoded, so that a corrupt header costs nothing.
                    target = np.empty((len(indices), *spec.shape), spec.dtype)
                target[position] = frame
            if target is None:
                target = np.empty((0, *spec.shape), spec.dtype)
            return target, deviations + self._lookup_deviations(strict)
        except MemoryError as error:
            text = f"not enough memory for {output_bytes} bytes of output and pydicom's decoders"
            raise LimitError(text, kind="LimitExceeded") from error

    def check(self, indices: Sequence[int]) -> None:
        """Raise if a codestream declares another size or depth than the data set; called before memory is allocated."""
        for index in indices:
            if self._is_encapsulated:
                self._codestream(index)

    def _lookup_deviations(self, strict: bool) -> list[Deviation]:
        """Return the deviations that finding the frames has shown, or raise the first one if `strict`."""
        deviations = [] if self._frames is None else self._frames.lookup_deviations()
        if strict:
            raise_first(deviations, self._source.spec.transfer_syntax)
        return deviations

    def _count_native_frames(self) -> tuple[int, list[Deviation]]:
        """Count the frames of native pixel data that the core has no sample type for."""
        source, spec = self._source, self._source.spec
        declared, clause = source.number_of_frames or 1, "PS3.5 8.1.1"
        frame_bits = spec.rows * spec.columns * (2 if spec.is_422 else spec.samples_per_pixel) * spec.bits_allocated
        value_bytes = source.value_bytes
        expected_bytes = -(-frame_bits * declared // 8)
        if frame_bits <= 0 or value_bytes * 8 < frame_bits * declared:
            text = f"value has {value_bytes} bytes, {expected_bytes} expected for {declared} frames ({clause})"
            raise TruncatedFrameError(text, clause=clause, offset=value_bytes, transfer_syntax=spec.transfer_syntax)
        # One byte more than expected is padding to even length (PS3.5 7.1.1).
        count = declared if value_bytes - expected_bytes < 2 else max(declared, value_bytes * 8 // frame_bits)
        if count == declared:
            return declared, []
        return count, [Deviation(None, f"number of frames is {declared}, {count} frames found", clause, None)]

    def _decode_frame(self, index: int, raw: bool, strict: bool, deviations: list[Deviation]) -> Array:
        """Decode a frame, and add its deviations to `deviations` if that is empty."""
        spec = self._source.spec
        # Errors of reading the source are not those of a decoder.
        agreement = self._codestream(index, raw) if self._is_encapsulated else None
        try:
            if agreement is not None:
                if strict:
                    raise_first(agreement.deviations, spec.transfer_syntax)
                deviations += [] if deviations else agreement.deviations
                decoded = self._decode_codestream(agreement, raw)
            else:
                decoded = self._decode_native(index, raw)
            decoded = _native_order(decoded)
        except (DecodeError, MemoryError):
            raise
        except NotImplementedError as error:
            raise self.unsupported from error
        except Exception as error:
            text = f"pydicom's decoders failed: {' '.join(str(error).split())}"
            raise self._frame_error(DecodeError, text, "Fallback", index) from error
        if decoded.shape != spec.shape or decoded.dtype != spec.dtype:
            text = (
                f"pydicom's decoders returned {decoded.dtype} of shape {decoded.shape}, "
                f"{spec.dtype} of shape {spec.shape} expected"
            )
            raise self._frame_error(DecodeError, text, "Fallback", index)
        return decoded

    def _decode_codestream(self, agreement: Agreement, raw: bool) -> Array:
        """Decode one codestream by the first plugin that succeeds."""
        from pydicom.encaps import encapsulate

        spec, codestream = self._source.spec, agreement.codestream
        to_rgb = agreement.is_ybr and not raw
        options: dict[str, Any] = {
            "rows": spec.rows,
            "columns": spec.columns,
            "samples_per_pixel": spec.samples_per_pixel,
            "bits_allocated": spec.bits_allocated,
            "bits_stored": spec.bits_allocated if spec.bits_stored is None else spec.bits_stored,
            "pixel_representation": spec.pixel_representation,
            # Only `force_rgb` converts colour: pydicom's own choice is that of Photometric Interpretation.
            "photometric_interpretation": agreement.photometric_interpretation,
            "as_rgb": False,
            "force_rgb": to_rgb,
            "planar_configuration": spec.planar_configuration,
            "number_of_frames": 1,
            "raw": not to_rgb,
        }
        failures = []
        for name in available_plugins(spec.transfer_syntax):
            if name in agreement.excluded_plugins:
                continue
            try:
                value = encapsulate([codestream])
                decoded, _ = _decoder(spec.transfer_syntax).as_array(value, decoding_plugin=name, **options)
                return decoded
            except MemoryError:
                raise
            except Exception as error:
                failures.append(f"{name}: {_failure_reason(error, name)}")
        if not failures:
            raise self.unsupported
        raise RuntimeError("; ".join(failures))

    def _codestream(self, index: int, raw: bool = False) -> Agreement:
        """Return the codestream of one frame, whose size and depth must be those of the data set, and its deviations.

        Some decoders allocate what the data set declares, others what the codestream declares.
        """
        spec = self._source.spec
        assert self._frames is not None
        codestream, _ = self._frames.frame_bytes(index)
        size = core.codestream_size(codestream)
        if size not in (None, (spec.rows, spec.columns)):
            text = f"codestream has {size[0]} rows and {size[1]} columns, {spec.rows} and {spec.columns} expected"
            raise self._frame_error(CorruptFrameError, text, "Mismatch", index, "PS3.5 8.2")
        return compare(codestream, spec, index, to_rgb=not raw)

    def _decode_native(self, index: int, raw: bool) -> Array:
        """Decode one native frame by pydicom itself, from the elements that pydicom reads for it."""
        from pydicom.dataset import Dataset, FileMetaDataset
        from pydicom.uid import UID

        spec, dataset = self._source.spec, self._source.dataset
        image = Dataset()
        for keyword in (*IMAGE_PIXEL, spec.pixel_keyword):
            if keyword in dataset:
                image[keyword] = dataset[keyword]
        image.NumberOfFrames = self._frame_count
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = UID(spec.transfer_syntax)
        decoded, _ = _decoder(spec.transfer_syntax).as_array(image, index=index, raw=raw)
        return decoded

    def _frame_error(
        self, error_class: type[DecodeError], text: str, kind: str, index: int, clause: str = ""
    ) -> DecodeError:
        text = f"{text} ({clause})" if clause else text
        uid = self._source.spec.transfer_syntax
        return error_class(text, kind=kind, clause=clause, transfer_syntax=uid, frame_index=index)


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


def _failure_reason(error: Exception, label: str) -> str:
    """Return the message of a plugin's exception without the sentence that pydicom puts before it."""
    text = " ".join((str(error) or type(error).__name__).split())
    return text.rpartition(f"plugins: {label}:")[2].strip() or "no reason given"


def _native_order(decoded: Array) -> Array:
    if not decoded.dtype.isnative:
        decoded = decoded.astype(decoded.dtype.newbyteorder("="))
    return np.ascontiguousarray(decoded)
