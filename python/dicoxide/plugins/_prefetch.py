"""Decodes frames on several threads before pydicom requests them.

pydicom requests one frame at a time and waits for each. Where it iterates over all frames of an object, the next frames
are known: when one is requested that is not decoded yet, it and the following ones are decoded in one call into the
core, and each is returned when pydicom requests it. A prefetched frame is returned only if pydicom passes the same
bytes that it was decoded from, so the result equals that of a call for the single frame. A frame with an error is not
prefetched; the call for the single frame then raises.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dicoxide._backend import core
from dicoxide._options import DecodeOptions
from dicoxide.errors import DecodeError

if TYPE_CHECKING:
    from dicoxide._core import Frames
    from dicoxide._deviations import Deviation
    from dicoxide._frame import FrameSpec

__all__ = ["FramePrefetcher", "set_threads", "threads"]

DecodedFrame: TypeAlias = "tuple[bytearray, list[Deviation]]"

# Codecs that are never prefetched, because they decode about as fast as memory is copied: comparing the bytes of each
# frame, and reading samples that another core has written, takes longer than a second thread saves.
_COPY_SPEED_CODECS = frozenset({"native", "rle"})
_CODECS = {uid: codec for uid, _, codec in core.transfer_syntaxes()}

# Decoded bytes per thread in one batch, so that starting a thread pays; and maximum bytes of one batch.
_THREAD_BYTES = 1 << 20
_MAX_BATCH_BYTES = 64 << 20

_threads = 1


def threads() -> int:
    """Return the number of threads that decode frames ahead; 1 if nothing is decoded ahead."""
    return _threads


def set_threads(count: int) -> None:
    """Set the number of threads for runners that are created from now on."""
    global _threads  # noqa: PLW0603
    _threads = count


class FramePrefetcher:
    """Decodes the next frames of one runner of pydicom, with the number of threads set at its creation."""

    __slots__ = ("_batch", "_frames", "_is_stopped", "_key", "_request_count", "_threads")

    def __init__(self) -> None:
        self._threads = threads()
        self._request_count = 0
        # Decoded frames that have not been requested; None for a frame with an error.
        self._batch: deque[DecodedFrame | None] = deque()
        self._frames: Frames | None = None
        self._key: tuple[Any, ...] = ()
        self._is_stopped = self._threads < 2

    def take(
        self, src: bytes, runner: Any, spec: FrameSpec, segment_byte_order: Literal["big", "little"]
    ) -> DecodedFrame | None:
        """Return the frame whose bytes are `src`, or None if the caller must decode it.

        Frames are expected in order, and the first one is never prefetched, because many callers need only one. The
        first frame that is not the expected one ends prefetching for this runner.
        """
        if self._is_stopped:
            return None
        index = self._request_count
        self._request_count += 1
        if index == 0:
            return None
        key = (spec, segment_byte_order)
        if index == 1:
            self._frames, self._key = _find_frames(runner, spec), key
        frames = self._frames
        if frames is None or key != self._key or index >= len(frames) or not frames.is_frame(index, src):
            self._stop()
            return None
        if not self._batch:
            self._decode_batch(frames, index, _frame_bytes(spec), segment_byte_order)
        return self._batch.popleft() if self._batch else None

    def _decode_batch(
        self, frames: Frames, index: int, frame_bytes: int, segment_byte_order: Literal["big", "little"]
    ) -> None:
        """Decode the frame `index` and the following ones: at least one per thread, within the byte limits."""
        wanted = max(self._threads, self._threads * _THREAD_BYTES // frame_bytes)
        stop = min(len(frames), index + min(wanted, _MAX_BATCH_BYTES // frame_bytes))
        if stop - index < 2:
            return
        options = DecodeOptions(self._threads, segment_byte_order=segment_byte_order)
        try:
            self._batch.extend(frames.decode_bytearrays(range(index, stop), options))
        except (DecodeError, MemoryError):
            self._stop()

    def _stop(self) -> None:
        self._is_stopped = True
        self._frames = None
        self._batch.clear()


def _find_frames(runner: Any, spec: FrameSpec) -> Frames | None:
    """Return all frames of `runner`; None if prefetching does not pay, or the runner does not have them."""
    if _CODECS.get(spec.transfer_syntax) in _COPY_SPEED_CODECS:
        return None
    try:
        value, count, extended_offsets = runner.src, runner.number_of_frames, runner.extended_offsets
        # Other types than bytes are mutable, or a file whose position pydicom moves.
        if type(value) is not bytes or count < 3:
            return None
        return core.Frames(spec, value, count, extended_offsets)
    except Exception:
        return None


def _frame_bytes(spec: FrameSpec) -> int:
    return max(1, spec.rows * spec.columns * spec.samples_per_pixel * max(1, spec.bits_allocated // 8))
