"""The functions and classes of the compiled extension ``_core``, in plain NumPy.

It has two purposes:

- Fallback: the package works without the extension, for native transfer syntaxes, Encapsulated Uncompressed and RLE
  Lossless. ``_backend`` imports it then.
- Test oracle: ``tests/core/test_backends_agree.py`` requires the same samples, deviations and errors, with the same
  messages, of both. So this code is written to be obviously right, without regard to speed, and uses the names of the
  core: `FrameInfo`, `Limits`, `Deviation`, ``min_frame_bytes``, ``starts_frame``.

A rule or message that changes in the core must change here too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dicoxide._deviations import Deviation
from dicoxide._numpy_backend import _codestream, _rendering, _rle, _samples, _syntaxes
from dicoxide._numpy_backend._codestream import Codestream, codestream_info, compare_codestream
from dicoxide._numpy_backend._encode import jpeg_lossless_encode, jpegls_encode, rle_encode
from dicoxide._numpy_backend._errors import ERROR_KINDS, make_error
from dicoxide._numpy_backend._frame_info import FrameInfo
from dicoxide._numpy_backend._frame_table import EncapsulatedFrames, FrameTable, NativeFrames, SingleFrame
from dicoxide._numpy_backend._limits import Limits
from dicoxide._numpy_backend._lookup_table import LookupTable, ValueRanges
from dicoxide._numpy_backend._rendering import Rendering
from dicoxide._numpy_backend._syntaxes import unsupported_feature
from dicoxide._options import DecodeOptions
from dicoxide._transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN
from dicoxide.errors import DecodeError

if TYPE_CHECKING:
    from dicoxide._frame import FrameSpec

__all__ = [
    "CPU_PATH",
    "ERROR_KINDS",
    "CancelToken",
    "Codestream",
    "Frames",
    "LookupTable",
    "Rendering",
    "ValueRanges",
    "burn_overlay",
    "codestream_info",
    "compare_codestream",
    "decode_frame",
    "decode_frame_bytearray",
    "decode_frame_into",
    "jpeg_lossless_encode",
    "jpegls_encode",
    "pack_bits_into",
    "render_into",
    "rescale_into",
    "rle_encode",
    "transfer_syntaxes",
    "unpack_bits_into",
    "unsupported_feature",
    "value_range",
]

try:
    __version__ = version("dicoxide")
except PackageNotFoundError:
    __version__ = "0+unknown"

CPU_PATH = "numpy"


class CancelToken:
    """Cancels decoding on other threads in the extension. NumPy calls cannot be cancelled, so nothing happens here."""

    def attach_to_thread(self) -> None:
        """Do nothing; in the extension, calls of this thread end soon after ``cancel``."""

    def cancel(self) -> None:
        """Do nothing; in the extension, end the calls of the threads that this token is attached to."""


class Frames:
    """The frames of one Pixel Data value, located and decoded on demand.

    Parameters
    ----------
    spec : FrameSpec
        Image Pixel attributes.
    value : bytes
        Value of the element; an encapsulated value starts with the Basic Offset Table item.
    number_of_frames : int, optional
        Number of Frames (0028,0008).
    extended_offsets : (bytes, bytes), optional
        Values of Extended Offset Table (7FE0,0001) and Extended Offset Table Lengths (7FE0,0002).
    word_swapped : bool
        True if samples of 1 or 8 bits are stored in big-endian words of 16 bits (VR OW).
    whole : bool
        True if `value` is the bytes of one frame.
    find_only : bool
        True if the frames will be decoded by another package, so that no codec is needed.
    """

    def __init__(
        self,
        spec: FrameSpec,
        value: bytes,
        number_of_frames: int | None = None,
        extended_offsets: tuple[bytes, bytes] | None = None,
        *,
        word_swapped: bool = False,
        whole: bool = False,
        find_only: bool = False,
    ) -> None:
        transfer_syntax = spec.transfer_syntax
        self._syntax = uid = transfer_syntax.rstrip("\0 ")
        with self._error_context(transfer_syntax):
            codec = _syntaxes.codec_name(uid) or ("undecoded" if find_only and uid in _syntaxes.ENCAPSULATED else None)
            if codec is None:
                text = f"no codec for transfer syntax {_syntaxes.KEYWORDS.get(uid, transfer_syntax)} in plain NumPy"
                raise make_error("Unsupported", f"{text}, the compiled extension may have one", "PS3.5 Annex A")
            self._codec = codec
            self._info = info = FrameInfo.of_spec(spec)
            self._table: FrameTable
            if whole:
                self._table = SingleFrame(value)
            elif uid in _syntaxes.ENCAPSULATED:
                self._table = EncapsulatedFrames(value, extended_offsets, number_of_frames, self._starts_frame)
            else:
                self._table = NativeFrames(value, info, number_of_frames, word_swapped)

    def __len__(self) -> int:
        return self._table.count

    def deviations(self) -> list[Deviation]:
        """Return the deviations of the value and its offset tables."""
        return [*self._table.deviations]

    def lookup_deviations(self) -> list[Deviation]:
        """Return the deviations that look-ups of frames have found; ``decode_into`` returns them too."""
        return self._table.lookup_deviations()

    def check(self, indices: Sequence[int], *, max_bytes: int | None = None) -> None:
        """Raise if a frame has fewer bytes than any frame of its size; to be called before output is allocated."""
        self._require_indices(indices)
        is_rle = self._codec == "rle"
        min_bytes = _rle.min_frame_bytes(self._info) if is_rle else -(-self._info.native_frame_bits // 8)
        for index in indices:
            with self._error_context(self._syntax, index):
                src, _ = self._join_fragments(index, Limits(max_bytes))
                if len(src) < min_bytes:
                    if is_rle:
                        # An invalid header is the better explanation.
                        _rle.read_header(src, self._info)
                    else:
                        self._info.check_subsampling(len(src), min_bytes)
                    text = f"frame has {len(src)} bytes, at least {min_bytes} expected"
                    raise make_error("Truncated", text, "PS3.5 Annex A", len(src))

    def decode_into(
        self,
        out: npt.NDArray[Any],
        indices: Sequence[int],
        options: DecodeOptions | None = None,
        *,
        transforms: Sequence[tuple[float, float] | LookupTable | ValueRanges | Rendering] | None = None,
        is_warm: bool = False,
    ) -> tuple[str, list[Deviation]]:
        """Decode the frames `indices` into `out`.

        Parameters
        ----------
        out : ndarray
            C-contiguous array with the number of samples of all frames, in native byte order.
        indices : sequence of int
            Zero-based frame indices.
        options : DecodeOptions, optional
            Options of the call.
        transforms : sequence of (float, float), LookupTable, ValueRanges or Rendering, optional
            Slope and intercept, the look-up table, the ranges, or the rendering, of each frame in `indices`, or one for
            all.
        is_warm : bool
            True if the memory of `out` has been written to before; ignored here.

        Returns
        -------
        path : str
            Name of the code path: ``CPU_PATH``.
        deviations : list of Deviation
            Those of the first frame that has any, and that of the offset table.
        """
        options = options or DecodeOptions()
        self._require_indices(indices)
        if options.reduce:
            raise make_error("Output", f"reduce is {options.reduce}, the frame has 1 resolution level(s)")
        _samples.check_memory(out)
        first_transform = transforms[0] if transforms else None
        samples_per_value = first_transform.samples_per_value if isinstance(first_transform, Rendering) else 1
        frame_samples = self._info.samples * samples_per_value
        if out.size != len(indices) * frame_samples:
            text = f"output holds {out.size} samples, {len(indices)} frames of {frame_samples} expected"
            raise make_error("Output", text)
        if transforms and len(transforms) not in (1, len(indices)):
            raise make_error("Output", f"{len(transforms)} rescales found, 1 or {len(indices)} expected")
        frame_transforms: list[tuple[float, float] | LookupTable | ValueRanges | Rendering | None] = (
            [*transforms] if transforms else [None]
        )
        if len(frame_transforms) == 1:
            frame_transforms *= len(indices)
        with self._error_context(self._syntax, indices[0] if indices else 0):
            limits = Limits(options.max_bytes, out.nbytes)
        deviations: list[Deviation] = []
        ybr_to_rgb = options.to_rgb and self._info.is_ybr
        targets = out.reshape(len(indices), frame_samples)
        for index, target, transform in zip(indices, targets, frame_transforms, strict=True):
            with self._error_context(self._syntax, index):
                src, bit_offset = self._join_fragments(index, limits)
                _samples.check_output(target, self._info, transform, ybr_to_rgb)
                samples, frame_deviations = self._decode(src, bit_offset, options.segment_byte_order, limits)
                if ybr_to_rgb:
                    samples = _samples.ybr_full_to_rgb(samples)
                if transform is None:
                    target[:] = samples
                elif isinstance(transform, Rendering):
                    target[:] = transform.apply(samples)
                else:
                    _samples.transform(samples, transform, target)
                if frame_deviations and options.strict:
                    raise _deviation_error(frame_deviations[0])
            deviations = deviations or [deviation._replace(frame_index=index) for deviation in frame_deviations]
        for deviation in self._table.lookup_deviations():
            if options.strict:
                with self._error_context(self._syntax, indices[0] if indices else 0):
                    raise _deviation_error(deviation)
            deviations.append(deviation)
        return CPU_PATH, deviations

    def decode_bytearrays(
        self, indices: Sequence[int], options: DecodeOptions | None = None
    ) -> list[tuple[bytearray, list[Deviation]] | None]:
        """Decode the frames `indices`, each into a little-endian bytearray; a frame with an error becomes None."""
        self._require_indices(indices)
        options = options or DecodeOptions()
        frames: list[tuple[bytearray, list[Deviation]] | None] = []
        for index in indices:
            try:
                self.check([index], max_bytes=options.max_bytes)
                out = np.empty(self._info.samples, self._info.dtype)
                limits = Limits(options.max_bytes, out.nbytes)
                src, bit_offset = self._join_fragments(index, limits)
                out[:], deviations = self._decode(src, bit_offset, options.segment_byte_order, limits)
                if deviations and options.strict:
                    raise _deviation_error(deviations[0])
            except DecodeError:
                frames.append(None)
            else:
                frames.append((_little_endian(out), deviations))
        return frames

    def is_frame(self, index: int, src: bytes) -> bool:
        """Return True if the joined fragments of the frame `index` are `src`."""
        try:
            return self._join_fragments(index, Limits(None)) == (src, 0)
        except DecodeError:
            return False

    def frame_bytes(self, index: int) -> tuple[bytes, int]:
        """Return the joined fragments of the frame `index`, and its bit offset in the first byte."""
        if not 0 <= index < len(self):
            raise make_error("Output", f"frame index {index} is out of range for {len(self)} frames")
        with self._error_context(self._syntax):
            return self._join_fragments(index, Limits(None))

    def _require_indices(self, indices: Sequence[int]) -> None:
        for index in indices:
            if not 0 <= index < len(self):
                raise IndexError(f"frame index {index} is out of range for {len(self)} frames")

    def _join_fragments(self, index: int, limits: Limits) -> tuple[bytes, int]:
        fragments, bit_offset = self._table.frame(index)
        if len(fragments) != 1:
            limits.reserve(sum(map(len, fragments)))
        return b"".join(fragments), bit_offset

    def _decode(
        self, src: bytes, bit_offset: int, segment_byte_order: str, limits: Limits
    ) -> tuple[npt.NDArray[Any], list[Deviation]]:
        if self._codec == "rle":
            return _rle.decode(src, self._info, segment_byte_order, limits)
        is_big_endian = self._syntax == EXPLICIT_VR_BIG_ENDIAN
        return _samples.decode_native(src, bit_offset, self._info, is_big_endian), []

    def _starts_frame(self, fragment: bytes) -> bool:
        if self._codec == "rle":
            return _rle.starts_frame(fragment, self._info)
        if self._codec == "undecoded":
            return _codestream.starts_frame(fragment)
        return len(fragment) * 8 >= self._info.native_frame_bits

    @contextmanager
    def _error_context(self, transfer_syntax: str, frame_index: int | None = None) -> Iterator[None]:
        """Add transfer syntax and frame index to a `DecodeError` raised within the block."""
        try:
            yield
        except DecodeError as error:
            error.transfer_syntax, error.frame_index = transfer_syntax, frame_index
            raise


def decode_frame_into(
    out: npt.NDArray[Any], spec: FrameSpec, src: bytes, options: DecodeOptions | None = None
) -> list[Deviation]:
    """Decode the bytes of one frame into `out`; return its deviations."""
    frames = Frames(spec, src, whole=True)
    try:
        _, deviations = frames.decode_into(out, [0], options)
    except DecodeError as error:
        error.frame_index = None
        raise
    return [deviation._replace(frame_index=None) for deviation in deviations]


def decode_frame(
    spec: FrameSpec, src: bytes, options: DecodeOptions | None = None
) -> tuple[npt.NDArray[Any], list[Deviation]]:
    """Decode the bytes of one frame; return an array of shape ``spec.shape`` and the frame's deviations."""
    frames = Frames(spec, src, whole=True)
    # As in the extension: memory for a large frame is allocated only if its bytes can fill it.
    if frames._info.samples > 1 << 20:
        _check_single(frames)
    out = np.empty(spec.shape, frames._info.dtype)
    return out, decode_frame_into(out, spec, src, options)


def decode_frame_bytearray(
    spec: FrameSpec, src: bytes, options: DecodeOptions | None = None
) -> tuple[bytearray, list[Deviation]]:
    """Decode the bytes of one frame into a new bytearray, little-endian; return that and the frame's deviations."""
    _check_single(Frames(spec, src, whole=True))
    out, deviations = decode_frame(spec, src, options)
    return _little_endian(out), deviations


def _check_single(frames: Frames) -> None:
    """Raise if the only frame is too short for its attributes."""
    try:
        frames.check([0])
    except DecodeError as error:
        error.frame_index = None
        raise


def transfer_syntaxes() -> list[tuple[str, str, str | None]]:
    """Return (UID, keyword, codec name or None) of every transfer syntax for images, in the order of the UIDs."""
    uids = sorted(_syntaxes.KEYWORDS, key=lambda uid: [int(part) for part in uid.split(".")])
    return [(uid, _syntaxes.KEYWORDS[uid], _syntaxes.codec_name(uid)) for uid in uids]


def unpack_bits_into(src: bytes, offset_bits: int, out: npt.NDArray[np.uint8]) -> None:
    """Write the bits of `src` after `offset_bits` to `out` as bytes 0 and 1, least significant first (PS3.5 8.1.1)."""
    _check_bytes(out)
    if offset_bits < 0:
        raise make_error("Output", f"bit offset {offset_bits} found, 0 or more expected")
    if offset_bits + out.size > 8 * len(src):
        text = f"{max(0, 8 * len(src) - offset_bits)} bits found from bit {offset_bits} on, {out.size} expected"
        raise make_error("Truncated", text, "PS3.5 8.1.1")
    bits = np.unpackbits(np.frombuffer(src, np.uint8), count=offset_bits + out.size, bitorder="little")
    out.reshape(-1)[:] = bits[offset_bits:]


def pack_bits_into(src: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> None:
    """Write one bit per element of `src`, 0 for 0 and 1 for others, least significant first, to `out` (PS3.5 8.1.1)."""
    _check_bytes(out)
    if out.size != -(-src.size // 8):
        text = f"output holds {out.size} bytes, the packed samples have {-(-src.size // 8)}"
        raise make_error("Output", text, "PS3.5 8.1.1")
    out.reshape(-1)[:] = np.packbits(src != 0, bitorder="little")


def rescale_into(
    src: npt.NDArray[Any],
    transform: tuple[float, float] | LookupTable | ValueRanges,
    out: npt.NDArray[Any],
    is_warm: bool = False,
) -> None:
    """Write the modality values of `src` to `out`: rounded once to a float type, exact in an integer type.

    `transform` is (slope, intercept), a look-up table, or ranges.
    """
    _samples.check_memory(out)
    if src.size != out.size:
        raise make_error("Output", f"output holds {out.size} samples, {src.size} expected", "PS3.3 C.11.1")
    _samples.transform(src.reshape(-1), transform, out.reshape(-1))


def render_into(
    src: npt.NDArray[Any], rendering: Rendering, out: npt.NDArray[Any], threads: int = 1, is_warm: bool = False
) -> None:
    """Write the rendered samples of `src` to `out`, which has the type of the rendering; `threads` is ignored."""
    _samples.check_memory(out)
    expected = src.size * rendering.samples_per_value
    if out.size != expected:
        raise make_error("Output", f"output holds {out.size} samples, {expected} expected")
    rendering.check(src.dtype, 1, out.dtype)
    out.reshape(-1)[:] = rendering.apply(src.reshape(-1))


def value_range(src: npt.NDArray[Any], padding: tuple[float, float] | None = None) -> tuple[float, float] | None:
    """Return the smallest and largest value of `src`, without NaN, infinities and values in `padding`, or None."""
    return _rendering.find_value_range(src, padding)


def burn_overlay(
    frame: npt.NDArray[Any],
    plane: bytes,
    rows: int,
    columns: int,
    row: int,
    column: int,
    value: float,
    bit_offset: int = 0,
) -> None:
    """Set the pixels of `frame` to `value` where the bit of an overlay plane is 1 (PS3.3 C.9.2).

    `plane` has `rows` × `columns` packed bits from `bit_offset` on; its first pixel is at `row`, `column` of the frame.
    """
    _samples.check_memory(frame)
    if frame.ndim not in (2, 3):
        raise ValueError("frame must be an ndarray (rows, columns) or (rows, columns, samples)")
    _rendering.draw_overlay(frame, plane, (rows, columns), (row, column), value, bit_offset)


def _deviation_error(deviation: Deviation) -> ValueError:
    """Return the error that a deviation is with ``strict=True``."""
    return make_error("Malformed", deviation.message, deviation.clause, deviation.offset)


def _little_endian(samples: npt.NDArray[Any]) -> bytearray:
    return bytearray(samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes())


def _check_bytes(out: npt.NDArray[np.uint8]) -> None:
    _samples.check_memory(out)
    if out.dtype != np.uint8:
        raise ValueError(f"output of {out.dtype} found, uint8 expected")
