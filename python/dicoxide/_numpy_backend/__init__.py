"""The names of the compiled extension `_core` in plain NumPy: slower, and the oracle of its tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dicoxide._deviations import Deviation
from dicoxide._numpy_backend import _rle, _samples, _syntaxes, _undecoded
from dicoxide._numpy_backend._encode import jpeg_lossless_encode, rle_encode
from dicoxide._numpy_backend._errors import ERROR_KINDS, Budget, Tolerated, fault
from dicoxide._numpy_backend._frames import Encapsulated, Native, Places, Whole
from dicoxide._numpy_backend._info import FrameInfo
from dicoxide._numpy_backend._undecoded import codestream_size
from dicoxide._options import DecodeOptions
from dicoxide.errors import DecodeError

if TYPE_CHECKING:
    from dicoxide._frame import FrameSpec

__all__ = [
    "CPU_PATH",
    "ERROR_KINDS",
    "CancelToken",
    "Frames",
    "codestream_size",
    "decode_frame_bytearray",
    "decode_frame_into",
    "jpeg_lossless_dimensions",
    "jpeg_lossless_encode",
    "pack_bits_into",
    "rescale_into",
    "rle_encode",
    "transfer_syntaxes",
    "unpack_bits_into",
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
    """The frames of one Pixel Data value: where they lie, and their decoding.

    ``value`` is the element's value (encapsulated values from the Basic Offset Table item on); with ``whole`` it is
    the bytes of one frame.
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
        with self._told(transfer_syntax):
            codec = _syntaxes.codec_name(uid) or ("undecoded" if find_only and uid in _syntaxes.ENCAPSULATED else None)
            if codec is None:
                text = f"no codec for transfer syntax {_syntaxes.KEYWORDS.get(uid, transfer_syntax)} in plain NumPy"
                raise fault("Unsupported", f"{text}, the compiled extension may have one", "PS3.5 Annex A")
            self._codec = codec
            self._info = info = FrameInfo.of_spec(spec)
            self._places: Places
            if whole:
                self._places = Whole(value)
            elif uid in _syntaxes.ENCAPSULATED:
                self._places = Encapsulated(value, extended_offsets, number_of_frames, self._starts_frame)
            else:
                self._places = Native(value, info, number_of_frames, word_swapped)

    def __len__(self) -> int:
        return self._places.count

    def deviations(self) -> list[Deviation]:
        """Return the deviations of the value and its offset tables."""
        return [Deviation(None, *tolerated) for tolerated in self._places.tolerated]

    def check(self, indices: Sequence[int], *, max_bytes: int | None = None) -> None:
        """Refuse frames that are too short to be what they are said to be, before their samples are allocated."""
        self._require(indices)
        least = _rle.least_bytes(self._info) if self._codec == "rle" else -(-self._info.native_frame_bits // 8)
        for index in indices:
            with self._told(self._syntax, index):
                src, _ = self._joined(index, Budget(max_bytes))
                if (found := len(src)) < least:
                    if self._codec == "rle":
                        _rle.read_header(src, self._info)
                    text = f"{found} bytes found, a frame of this size has at least {least}"
                    raise fault("Truncated", text, "PS3.5 Annex A", found)

    def decode_into(
        self,
        out: npt.NDArray[Any],
        indices: Sequence[int],
        options: DecodeOptions | None = None,
        *,
        rescales: Sequence[tuple[float, float]] | None = None,
        is_warm: bool = False,
    ) -> tuple[str, list[Deviation]]:
        """Decode the frames ``indices`` into ``out``.

        ``rescales`` has (slope, intercept) of each frame in ``indices``, or one pair for all. Returns the name of the
        code path, and the deviations of the first frame that has any, and of the offset table.
        """
        options = options or DecodeOptions()
        self._require(indices)
        _samples.check_memory(out)
        frame_samples = self._info.samples
        if out.size != len(indices) * frame_samples:
            text = f"output holds {out.size} samples, {len(indices)} frames of {frame_samples} expected"
            raise fault("Output", text)
        if rescales and len(rescales) not in (1, len(indices)):
            raise fault("Output", f"{len(rescales)} rescales found, 1 or {len(indices)} expected")
        each: list[tuple[float, float] | None] = [*rescales] if rescales else [None]
        if len(each) == 1:
            each *= len(indices)
        with self._told(self._syntax, indices[0] if indices else 0):
            budget = Budget(options.max_bytes, out.nbytes)
        deviations: list[Deviation] = []
        ybr_to_rgb = options.to_rgb and self._info.is_ybr
        windows = out.reshape(len(indices), frame_samples)
        for index, window, coefficients in zip(indices, windows, each, strict=True):
            with self._told(self._syntax, index):
                src, offset_bits = self._joined(index, budget)
                _samples.check_output(window, self._info, coefficients is not None, ybr_to_rgb)
                samples, tolerated = self._decode(src, offset_bits, options.segment_byte_order, budget)
                if ybr_to_rgb:
                    samples = _samples.ybr_full_to_rgb(samples)
                if coefficients is None:
                    window[:] = samples
                else:
                    _samples.rescale(samples, *coefficients, window)
                if tolerated and options.strict:
                    raise fault("Malformed", *tolerated[0])
            deviations = deviations or [Deviation(index, *item) for item in tolerated]
        if (late := self._places.tolerated_late()) is not None:
            if options.strict:
                with self._told(self._syntax, indices[0] if indices else 0):
                    raise fault("Malformed", *late)
            deviations.append(Deviation(None, *late))
        return CPU_PATH, deviations

    def decode_bytearrays(
        self, indices: Sequence[int], options: DecodeOptions | None = None
    ) -> list[tuple[bytearray, list[Deviation]] | None]:
        """Decode the frames ``indices``, each into a bytearray; None in place of a frame that has an error."""
        self._require(indices)
        options = options or DecodeOptions()
        found: list[tuple[bytearray, list[Deviation]] | None] = []
        for index in indices:
            try:
                self.check([index], max_bytes=options.max_bytes)
                out = np.empty(self._info.samples, self._info.dtype)
                budget = Budget(options.max_bytes, out.nbytes)
                src, offset_bits = self._joined(index, budget)
                out[:], tolerated = self._decode(src, offset_bits, options.segment_byte_order, budget)
                if tolerated and options.strict:
                    raise fault("Malformed", *tolerated[0])
            except DecodeError:
                found.append(None)
            else:
                found.append((_little_endian(out), [Deviation(None, *item) for item in tolerated]))
        return found

    def is_frame(self, index: int, src: bytes) -> bool:
        """Whether the bytes of frame ``index``, fragments joined, are ``src``."""
        try:
            return self._joined(index, Budget(None)) == (src, 0)
        except DecodeError:
            return False

    def frame_bytes(self, index: int) -> tuple[bytes, int]:
        """The bytes of frame ``index``, fragments joined, and how many bits of the first are the frame's before."""
        if not 0 <= index < len(self):
            raise fault("Output", f"frame index {index} is out of range for {len(self)} frames")
        with self._told(self._syntax):
            return self._joined(index, Budget(None))

    def _require(self, indices: Sequence[int]) -> None:
        for index in indices:
            if not 0 <= index < len(self):
                raise IndexError(f"frame index {index} is out of range for {len(self)} frames")

    def _joined(self, index: int, budget: Budget) -> tuple[bytes, int]:
        pieces, offset_bits = self._places.frame(index)
        if len(pieces) != 1:
            budget.reserve(sum(map(len, pieces)))
        return b"".join(pieces), offset_bits

    def _decode(
        self, src: bytes, offset_bits: int, segment_byte_order: str, budget: Budget
    ) -> tuple[npt.NDArray[Any], list[Tolerated]]:
        if self._codec == "rle":
            return _rle.decode(src, self._info, segment_byte_order, budget)
        big_endian = self._syntax == _syntaxes.EXPLICIT_VR_BIG_ENDIAN
        return _samples.decode_native(src, offset_bits, self._info, big_endian), []

    def _starts_frame(self, fragment: bytes) -> bool:
        if self._codec == "rle":
            return _rle.starts_frame(fragment, self._info)
        if self._codec == "undecoded":
            return _undecoded.starts_frame(fragment)
        return len(fragment) * 8 >= self._info.native_frame_bits

    @contextmanager
    def _told(self, transfer_syntax: str, frame_index: int | None = None) -> Iterator[None]:
        """Adds to an error what only the caller of the decoder knows."""
        try:
            yield
        except DecodeError as error:
            error.transfer_syntax, error.frame_index = transfer_syntax, frame_index
            raise


def decode_frame_into(
    out: npt.NDArray[Any], spec: FrameSpec, src: bytes, options: DecodeOptions | None = None
) -> list[Deviation]:
    """Decode the bytes of one frame into ``out``; return its deviations."""
    frames = Frames(spec, src, whole=True)
    try:
        _, deviations = frames.decode_into(out, [0], options)
    except DecodeError as error:
        error.frame_index = None
        raise
    return [deviation._replace(frame_index=None) for deviation in deviations]


def decode_frame_bytearray(
    spec: FrameSpec, src: bytes, options: DecodeOptions | None = None
) -> tuple[bytearray, list[Deviation]]:
    """Decode the bytes of one frame into a new bytearray, little-endian; return that and the frame's deviations."""
    frames = Frames(spec, src, whole=True)
    try:
        frames.check([0])
    except DecodeError as error:
        error.frame_index = None
        raise
    out = np.empty(frames._info.samples, frames._info.dtype)
    deviations = decode_frame_into(out, spec, src, options)
    return _little_endian(out), deviations


def jpeg_lossless_dimensions(src: bytes) -> tuple[int, int, int, int]:
    """Refused: JPEG Lossless is decoded by the compiled extension alone."""
    raise fault("Unsupported", "JPEG Lossless needs the compiled extension of dicoxide", "ITU-T T.81 Annex H")


def transfer_syntaxes() -> list[tuple[str, str, str | None]]:
    """UID, keyword and name of the codec, or None, of every image transfer syntax."""
    uids = sorted(_syntaxes.KEYWORDS, key=lambda uid: [int(part) for part in uid.split(".")])
    return [(uid, _syntaxes.KEYWORDS[uid], _syntaxes.codec_name(uid)) for uid in uids]


def unpack_bits_into(src: bytes, offset_bits: int, out: npt.NDArray[np.uint8]) -> None:
    """Bits of ``src`` from ``offset_bits`` on, least significant first, to bytes of 0 and 1 (PS3.5 8.1.1)."""
    _check_bytes(out)
    if offset_bits < 0:
        raise fault("Output", f"bit offset {offset_bits} found, 0 or more expected")
    if offset_bits + out.size > 8 * len(src):
        text = f"{max(0, 8 * len(src) - offset_bits)} bits found from bit {offset_bits} on, {out.size} expected"
        raise fault("Truncated", text, "PS3.5 8.1.1")
    bits = np.unpackbits(np.frombuffer(src, np.uint8), count=offset_bits + out.size, bitorder="little")
    out.reshape(-1)[:] = bits[offset_bits:]


def pack_bits_into(src: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> None:
    """``src`` (0 is 0, anything else is 1) eight to a byte, least significant bit first (PS3.5 8.1.1)."""
    _check_bytes(out)
    if out.size != -(-src.size // 8):
        text = f"output holds {out.size} bytes, the packed samples have {-(-src.size // 8)}"
        raise fault("Output", text, "PS3.5 8.1.1")
    out.reshape(-1)[:] = np.packbits(src != 0, bitorder="little")


def rescale_into(
    src: npt.NDArray[Any], slope: float, intercept: float, out: npt.NDArray[Any], is_warm: bool = False
) -> None:
    """``src`` * slope + intercept into ``out``: rounded once to a float; exact in an integer, or refused."""
    _samples.check_memory(out)
    if src.size != out.size:
        raise fault("Output", f"output holds {out.size} samples, {src.size} expected", "PS3.3 C.11.1")
    _samples.rescale(src.reshape(-1), slope, intercept, out.reshape(-1))


def _little_endian(samples: npt.NDArray[Any]) -> bytearray:
    return bytearray(samples.astype(samples.dtype.newbyteorder("<"), copy=False).tobytes())


def _check_bytes(out: npt.NDArray[np.uint8]) -> None:
    _samples.check_memory(out)
    if out.dtype != np.uint8:
        raise ValueError(f"output of {out.dtype} found, uint8 expected")
