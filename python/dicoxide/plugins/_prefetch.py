"""Frames that pydicom has not asked for yet, decoded on several threads.

pydicom asks a plugin for one frame after the other and waits for each. Where it goes through all frames of an object,
the next ones are known: they are decoded at once when the first of them is asked for, and given out as their turns
come. What is given out was decoded from the very bytes that pydicom hands over, so it is what a call of its own would
have given; a frame with an error gets that call.
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

__all__ = ["Ahead", "set_threads", "threads"]

Decoded: TypeAlias = "tuple[bytearray, list[Deviation]]"

# Codecs as fast as memory is copied. Fetching the bytes of their frames once more, comparing them, and reading frames
# that another core wrote takes longer than a second thread saves.
_AT_MEMORY_SPEED = frozenset({"native", "rle"})
_CODECS = {uid: codec for uid, _, codec in core.transfer_syntaxes()}

# A thread has this much to do at least, so that starting it pays; and this much is held ahead at most.
_THREAD_BYTES = 1 << 20
_AHEAD_BYTES = 64 << 20

_threads = 1


def threads() -> int:
    """How many threads a run of pydicom's may decode ahead on; 1 where it may not."""
    return _threads


def set_threads(count: int) -> None:
    """Let runs that begin from now on decode ahead on `count` threads."""
    global _threads  # noqa: PLW0603
    _threads = count


class Ahead:
    """What is decoded ahead of one run of pydicom's, on as many threads as are set when it begins."""

    __slots__ = ("_asked", "_decoded", "_frames", "_is_over", "_key", "_threads")

    def __init__(self) -> None:
        self._threads = threads()
        self._asked = 0
        self._decoded: deque[Decoded | None] = deque()
        self._frames: Frames | None = None
        self._key: tuple[Any, ...] = ()
        self._is_over = self._threads < 2

    def take(
        self, src: bytes, runner: Any, spec: FrameSpec, segment_byte_order: Literal["big", "little"]
    ) -> Decoded | None:
        """The frame of the bytes `src` as ``core.decode_frame_bytearray`` gives it, or None where that is to be asked.

        The first frame is never ahead: one frame is all that many callers want. From the second on, frames are taken
        to come in their order; the first that does not ends it for this run.
        """
        if self._is_over:
            return None
        index = self._asked
        self._asked += 1
        if index == 0:
            return None
        key = (spec, segment_byte_order)
        if index == 1:
            self._frames, self._key = _open(runner, spec), key
        frames = self._frames
        if frames is None or key != self._key or index >= len(frames) or not frames.is_frame(index, src):
            self._end()
            return None
        if not self._decoded:
            self._decode(frames, index, _frame_bytes(spec), segment_byte_order)
        return self._decoded.popleft() if self._decoded else None

    def _decode(
        self, frames: Frames, index: int, frame_bytes: int, segment_byte_order: Literal["big", "little"]
    ) -> None:
        wanted = max(self._threads, self._threads * _THREAD_BYTES // frame_bytes)
        stop = min(len(frames), index + min(wanted, _AHEAD_BYTES // frame_bytes))
        if stop - index < 2:
            return
        try:
            self._decoded.extend(
                frames.decode_bytearrays(
                    range(index, stop), DecodeOptions(self._threads, segment_byte_order=segment_byte_order)
                )
            )
        except (DecodeError, MemoryError):
            self._end()

    def _end(self) -> None:
        self._is_over = True
        self._frames = None
        self._decoded.clear()


def _open(runner: Any, spec: FrameSpec) -> Frames | None:
    """The frames that `runner` goes through; None where that would not pay, or the runner does not show them."""
    if _CODECS.get(spec.transfer_syntax) in _AT_MEMORY_SPEED:
        return None
    try:
        value, count, extended = runner.src, runner.number_of_frames, runner.extended_offsets
        # Anything else could change, or move with pydicom's own reading.
        if type(value) is not bytes or count < 3:
            return None
        return core.Frames(spec, value, count, extended)
    except Exception:
        return None


def _frame_bytes(spec: FrameSpec) -> int:
    return max(1, spec.rows * spec.columns * spec.samples_per_pixel * max(1, spec.bits_allocated // 8))
