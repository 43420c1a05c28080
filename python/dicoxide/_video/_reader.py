"""One pass of PyAV over a video: container, packets, decoder. Only this module and `_conversion` import PyAV."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet
from zlib import crc32

from dicoxide._extras import is_installed
from dicoxide._frame import FrameSpec
from dicoxide._video._fragments import FragmentStream, FragmentTable
from dicoxide.errors import CorruptFrameError, DecodeError, LimitError, UnsupportedError

if TYPE_CHECKING:
    from dicoxide._sources import ValueFile

# Versions before it do not convert colour by the matrix that a frame declares.
_MIN_PYAV = 17
# Containers of PS3.5 8.2.5 to 8.2.11, and elementary streams; no playlists, which refer to other files.
_CONTAINERS = "mpegts,mpeg,mpegvideo,h264,hevc,mov,mp4,m4a,3gp,3g2,mj2"
_CODECS = "mpeg1video,mpeg2video,h264,hevc"
_MPEG_CODECS = frozenset({"mpeg1video", "mpeg2video"})
# Elementary streams have no timestamps, or FFmpeg invents them.
_ELEMENTARY = frozenset({"mpegvideo", "h264", "hevc"})
_PROBE_BYTES = 5_000_000
_READ_BYTES = 1 << 18
# Rows and columns that FFmpeg may add to a frame, at most one block of 64.
_PADDING = 64
_MAX_THREADS = 16
# Packets after a seek among which the requested one must be.
_MAX_SEEK_PACKETS = 512
_CLAUSE = "PS3.5 8.2"
# Errors in the stream are raised. Concealment stays on, because only it counts the blocks that it has concealed.
_ERROR_DETECTION = "crccheck+bitstream+buffer+explode"
# Zero bytes after a slice, which ISO/IEC 13818-2 allows (5.2.3, next_start_code), are an error of the bitstream check.
_MPEG2_ERROR_DETECTION = "crccheck+buffer+explode"


class PacketPosition(NamedTuple):
    """Identifies one packet in a second pass over the stream."""

    number: int
    size: int
    checksum: int
    pts: int | None
    dts: int | None
    offset: int | None


class VideoReader:
    """Reads the packets and frames of the video in order. Used by one thread at a time.

    Attributes
    ----------
    codec : str
        FFmpeg's name of the codec.
    has_timestamps : bool
        True if presentation times come from the container.
    extradata : bytes or None
        Configuration record of the codec.
    """

    def __init__(self, value: ValueFile, table: FragmentTable, spec: FrameSpec) -> None:
        import av

        self._spec = spec
        self._value = value
        self._stream = FragmentStream(value, table)
        options = {
            "format_whitelist": _CONTAINERS,
            "codec_whitelist": _CODECS,
            "protocol_whitelist": "none",
            "probesize": str(_PROBE_BYTES),
            "max_pixels": str((spec.rows + _PADDING) * (spec.columns + _PADDING)),
        }
        self._container: Any = None
        try:
            self._container = av.open(
                self._stream,
                "r",
                options=options,
                metadata_errors="replace",
                buffer_size=_READ_BYTES,
                io_open=_refuse_reference,
            )
            self._container.flags &= ~_generate_pts_flag()
            self._video = self._container.streams.best("video")
        except BaseException as error:
            self.close()
            raise self.convert(error, None) from error
        if self._video is None or self._video.codec_context is None:
            self.close()
            raise self._error("no video stream found")
        self.codec: str = self._video.codec_context.name
        self.has_timestamps = self._container.format.name not in _ELEMENTARY
        self._can_seek_by_time = "mov" in self._container.format.name
        context = self._video.codec_context
        self.extradata: bytes | None = context.extradata
        detection = _MPEG2_ERROR_DETECTION if self.codec in _MPEG_CODECS else _ERROR_DETECTION
        context.options = {"err_detect": detection, "max_pixels": options["max_pixels"]}
        # Threads that share the rows of a frame conceal errors too.
        context.thread_type = "FRAME"
        self._packets: Iterator[Any] = self._container.demux(self._video)
        _open_readers.add(self)

    def set_threads(self, threads: int) -> None:
        """Set the number of decoder threads, before the first packet is decoded."""
        # With threads, the decoder of MPEG-2 conceals errors in slices without reporting them.
        self._video.codec_context.thread_count = 1 if self.codec in _MPEG_CODECS else min(threads, _MAX_THREADS)

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns) that the stream declares; 0 if they are unknown before a frame is decoded."""
        context = self._video.codec_context
        return context.height or 0, context.width or 0

    @property
    def pixel_format(self) -> Any:
        """Pixel format that the stream declares, or None."""
        return self._video.codec_context.format

    def close(self) -> None:
        """Close the container and the file. May be called again."""
        if self._container is not None:
            self._container.close()
        self._value.close()
        _open_readers.discard(self)

    def abandon(self) -> None:
        """Keep the decoder from being freed; called in a forked child, which has none of the decoder's threads.

        FFmpeg waits for these threads when it frees a decoder. So a reference to it is never released.
        """
        from ctypes import py_object, pythonapi

        for owner in (self._container, self._video, self._video.codec_context):
            pythonapi.Py_IncRef(py_object(owner))
        self._container = None

    def next_packet(self) -> Any:
        """Return the next packet, or None at the end. The last one is empty; the decoder then returns all frames."""
        try:
            packet = next(self._packets, None)
        except Exception as error:
            raise self.convert(error, None) from error
        self._stream.raise_stored()
        if packet is not None and packet.is_corrupt:
            raise self._error("the container reports a corrupt packet")
        return packet

    def decode(self, packet: Any, frame_index: int) -> list[Any]:
        """Return the frames that the decoder completes with `packet`; `frame_index` is that of the next one."""
        try:
            frames = self._video.codec_context.decode(packet)
        except EOFError:
            return []
        except Exception as error:
            raise self.convert(error, frame_index) from error
        self._stream.raise_stored()
        for offset, frame in enumerate(frames):
            if frame.is_corrupt:
                raise self._error("FFmpeg reports errors in the frame", frame_index + offset)
            if (frame.height, frame.width) != (self._spec.rows, self._spec.columns):
                raise size_error(frame.height, frame.width, self._spec, frame_index + offset)
        return frames  # type: ignore[no-any-return]

    def seek(self, position: PacketPosition) -> Any:
        """Return the packet at `position`, which the next packet follows, or None if it is not found."""
        timestamp = position.pts if position.dts is None else position.dts
        target, by_byte = (timestamp, False) if self._can_seek_by_time else (position.offset, True)
        if target is None:
            # Read without decoding.
            for _ in range(position.number):
                self.next_packet()
            packet = self.next_packet()
            return packet if self._is_at(packet, position) else None
        try:
            self._container.seek(
                target, stream=None if by_byte else self._video, backward=True, unsupported_byte_offset=by_byte
            )
        except Exception as error:
            self._stream.raise_stored()
            if isinstance(error, OSError) and not _is_from_pyav(error):
                raise
            return None
        self._packets = self._container.demux(self._video)
        for _ in range(_MAX_SEEK_PACKETS if self.has_timestamps else 2):
            packet = self.next_packet()
            if packet is None or self._is_at(packet, position):
                return packet
        return None

    @staticmethod
    def position_of(packet: Any, number: int) -> PacketPosition:
        """Return what identifies `packet`, which `number` packets precede."""
        return PacketPosition(number, packet.size, crc32(packet), packet.pts, packet.dts, packet.pos)

    def _is_at(self, packet: Any, position: PacketPosition) -> bool:
        # Sizes are compared first, because a checksum reads the whole packet.
        if packet is None or packet.size != position.size or crc32(packet) != position.checksum:
            return False
        return not self.has_timestamps or packet.pts == position.pts

    def convert(self, error: BaseException, frame_index: int | None) -> BaseException:
        """Return the exception to raise for one that PyAV has raised."""
        if self._stream.error is not None:
            return self._stream.error
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return LimitError("not enough memory for FFmpeg", kind="LimitExceeded", frame_index=frame_index)
        if isinstance(error, DecodeError) or not isinstance(error, Exception):
            return error
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return self._error(f"FFmpeg: {' '.join(reason.split())}", frame_index)

    def _error(self, text: str, frame_index: int | None = None) -> CorruptFrameError:
        return CorruptFrameError(
            f"{text} ({_CLAUSE})", clause=_CLAUSE, transfer_syntax=self._spec.transfer_syntax, frame_index=frame_index
        )


# Readers whose decoder may have threads.
_open_readers: WeakSet[VideoReader] = WeakSet()


def _abandon_readers() -> None:
    for reader in list(_open_readers):
        reader.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_readers)


def size_error(rows: int, columns: int, spec: FrameSpec, frame_index: int | None = None) -> CorruptFrameError:
    """Return the error of frames whose size is not that of the data set."""
    return CorruptFrameError(
        f"video has {rows} rows and {columns} columns, {spec.rows} and {spec.columns} expected ({_CLAUSE})",
        kind="Mismatch",
        clause=_CLAUSE,
        transfer_syntax=spec.transfer_syntax,
        frame_index=frame_index,
    )


def import_error(spec: FrameSpec) -> UnsupportedError | None:
    """Return the error of video without a usable PyAV, or None."""
    reason = unavailable_reason()
    if reason is None:
        try:
            import av  # noqa: F401
        except ImportError as error:
            reason = f"PyAV cannot be imported: {error}"
    return None if reason is None else UnsupportedError(reason, transfer_syntax=spec.transfer_syntax)


def pyav_version() -> str | None:
    """Return the version of the installed PyAV, without importing it; None if it is not installed."""
    if not is_installed("av"):
        return None
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("av")
    except PackageNotFoundError:
        return "unknown"


def unavailable_reason() -> str | None:
    """Return the reason why no video can be decoded; None if there is a PyAV to import."""
    installed = pyav_version()
    if installed is None:
        return 'video needs PyAV: pip install "dicoxide[video]"'
    major = installed.partition(".")[0]
    if major.isdecimal() and int(major) < _MIN_PYAV:
        return f'PyAV {installed} found, at least {_MIN_PYAV} needed: pip install "dicoxide[video]"'
    return None


def _generate_pts_flag() -> int:
    """Return the flag that makes FFmpeg generate timestamps, for which it may hold the whole stream in memory."""
    from av.container import core

    flags: Any = core.Flags
    return int(flags.gen_pts.value)


def _is_from_pyav(error: Exception) -> bool:
    import av

    return isinstance(error, av.FFmpegError)


def _refuse_reference(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError("video refers to another file")
