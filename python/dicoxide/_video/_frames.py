"""The frames of a video: counted, decoded in order, and reached from access points."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dicoxide._deviations import Deviation, raise_first, warn
from dicoxide._sources import Source
from dicoxide._threads import raise_if_cancelled
from dicoxide._video._conversion import FrameConverter, check_attributes, check_format
from dicoxide._video._fragments import FragmentTable
from dicoxide._video._index import PacketIndex, SeekPoint
from dicoxide._video._reader import VideoReader, import_error, size_error
from dicoxide.errors import CorruptFrameError, TruncatedFrameError

_NUMBER_OF_FRAMES = "PS3.3 C.7.6.6"
# Frames that are decoded and dropped rather than looked for in the index, which takes a pass over the stream.
_MAX_SKIPPED = 32


class _SeekFailedError(Exception):
    """Frames after a seek are not those that the index has."""


class _Cursor:
    """Decodes frames in order, from the first one or from a seek point.

    Attributes
    ----------
    next_index : int
        Index of the frame that :meth:`read` returns next.
    """

    def __init__(self, reader: VideoReader, point: SeekPoint | None = None, index: PacketIndex | None = None) -> None:
        self.next_index = 0
        self.is_after_seek = False
        self._reader = reader
        self._index = index
        self._frames: deque[Any] = deque()
        self._first_pts: int | None = None
        self._packet: Any = None
        self._is_at_end = False
        if point is not None:
            self._packet = reader.seek(point.position)
            if self._packet is None:
                raise _SeekFailedError
            self.next_index = point.frame_index
            self.is_after_seek = True
            self._first_pts = point.first_pts

    def read(self) -> Any:
        """Return the next frame, or None at the end."""
        raise_if_cancelled()
        while not self._frames:
            if self._is_at_end:
                return None
            packet = self._packet if self._packet is not None else self._reader.next_packet()
            self._packet = None
            if packet is None or not packet.size:
                # The empty packet at the end makes the decoder return what it holds.
                self._is_at_end = True
                if packet is None:
                    return None
            elif self._first_pts is not None and packet.pts is not None and packet.pts < self._first_pts:
                # A picture that precedes the seek point in output order, and may refer to pictures before it.
                continue
            frames = self._reader.decode(packet, self.next_index)
            self._frames.extend(self._verified(frames) if self.is_after_seek else frames)
        self.next_index += 1
        return self._frames.popleft()

    def _verified(self, frames: Sequence[Any]) -> Iterator[Any]:
        """Yield the frames after a seek; raise if one is not the frame that the index has."""
        index = self.next_index + len(self._frames)
        for frame in frames:
            # Fields of a frame may have packets of their own, so that packets do not number the frames.
            if frame.interlaced_frame and self._reader.codec != "mpeg2video":
                raise _SeekFailedError
            expected_pts = None if self._index is None else self._index.time_of(index)
            if self._first_pts is not None and (frame.pts is None or frame.pts != expected_pts):
                raise _SeekFailedError
            index += 1
            yield frame

    def close(self) -> None:
        self._frames.clear()
        self._reader.close()


class VideoFrames:
    """The frames of one video. Calls from several threads wait for each other.

    Parameters
    ----------
    source : Source
        The object.
    strict : bool
        Raise deviations as errors.

    Attributes
    ----------
    declared : int
        Number of Frames (0028,0008).

    Raises
    ------
    UnsupportedError
        If PyAV is not installed.
    DecodeError
        If the stream cannot be opened or contradicts the data set.
    """

    def __init__(self, source: Source, *, strict: bool) -> None:
        spec = source.spec
        if (error := import_error(spec)) is not None:
            raise error
        check_attributes(spec)
        self.declared = source.number_of_frames or 1
        self._source = source
        self._strict = strict
        self._table = self._find_fragments()
        self._converter = FrameConverter(spec)
        self._lock = threading.RLock()
        self._process_id = os.getpid()
        self._cursor: _Cursor | None = None
        self._index: PacketIndex | None = None
        self._count: int | None = None
        # Number of frames, once a pass has reached the end.
        self._end_index = 0
        self._reported_more = False
        # Opened for the checks, and used by the first call.
        self._unused_reader: VideoReader | None = None
        reader = self._open(1)
        try:
            if 0 not in reader.size and reader.size != (spec.rows, spec.columns):
                raise size_error(*reader.size, spec)
            deviations = check_format(reader.pixel_format, reader.codec, spec)
            deviations = [*self._table.deviations, *source.deviations, *spec.deviations(), *deviations]
            if source.number_of_frames == 0:
                text = "number of frames 0 found, taken as 1"
                deviations.insert(0, Deviation(None, text, _NUMBER_OF_FRAMES, None))
            self._report(deviations)
        except BaseException:
            reader.close()
            raise
        self._unused_reader = reader

    def count(self) -> int:
        """Return the number of frames in the stream.

        The packets are counted; the stream is decoded only if there are more of them than declared.

        Raises
        ------
        TruncatedFrameError
            If there are fewer frames than the data set declares.
        """
        with self._locked():
            if self._count is None:
                index = self._packets()
                if index.packet_count == self.declared:
                    self._count = self.declared
                elif index.packet_count < self.declared:
                    raise self.fewer_error(index.packet_count)
                else:
                    count = self._count_by_decoding()
                    if count < self.declared:
                        raise self.fewer_error(count)
                    self.report_more(count)
                    self._count = count
            return self._count

    def report_more(self, count: int, *, is_end: bool = True) -> None:
        """Report that there are more frames than declared, once; `is_end` if `count` is their number."""
        if count > self.declared and not self._reported_more:
            self._reported_more = True
            found = f"{count} frames" if is_end else "more frames"
            text = f"number of frames is {self.declared}, {found} found"
            self._report([Deviation(None, text, _NUMBER_OF_FRAMES, None)])

    def fewer_error(self, count: int | None = None) -> TruncatedFrameError:
        """Return the error of a stream that has `count` frames, fewer than declared; by default those decoded."""
        count = self._end_index if count is None else count
        return TruncatedFrameError(
            f"{count} frames found, {self.declared} expected ({_NUMBER_OF_FRAMES})",
            clause=_NUMBER_OF_FRAMES,
            transfer_syntax=self._source.spec.transfer_syntax,
            frame_index=count,
        )

    def read(self, indices: Sequence[int], threads: int, store: Callable[[int, Any], None]) -> None:
        """Decode the frames `indices`, in increasing order, and call `store` with each index and its samples."""
        with self._locked():
            for index in indices:
                samples = self.frame(index, threads)
                if samples is None:
                    raise self.fewer_error()
                store(index, samples)
                # Freed before the next frame is decoded, so that its memory is used again.
                del samples

    def frame(self, index: int, threads: int) -> Any:
        """Return the samples of one frame, or None if the stream has ended before."""
        with self._locked():
            try:
                frame = self._decode(index, threads)
                samples = None if frame is None else self._converter.convert(frame)
            except BaseException:
                self._drop_cursor()
                raise
            if frame is None and self._cursor is not None:
                self._end_index = self._cursor.next_index
            if frame is None or index + 1 == self._count:
                self._drop_cursor()
            return samples

    def close(self) -> None:
        """Close what is open. May be called again."""
        with self._locked():
            self._drop_cursor()
            reader, self._unused_reader = self._unused_reader, None
            if reader is not None:
                reader.close()

    def _report(self, deviations: Sequence[Deviation]) -> None:
        """Warn of deviations, or raise the first one."""
        if self._strict:
            raise_first(deviations, self._source.spec.transfer_syntax)
        warn(deviations)

    def _decode(self, index: int, threads: int) -> Any:
        """Return FFmpeg's frame `index`, from the cursor, a seek point or the start.

        Errors after a seek may be due to it, so earlier seek points are tried, and at last the start.
        """
        cursor = self._cursor
        is_ahead = cursor is not None and cursor.next_index <= index
        is_near = index - (cursor.next_index if cursor is not None and is_ahead else 0) <= _MAX_SKIPPED
        points = [] if is_near else self._seek_points(index)
        if cursor is not None and is_ahead and (not points or points[0].frame_index <= cursor.next_index):
            try:
                return self._advance(cursor, index)
            except (_SeekFailedError, CorruptFrameError):
                if not cursor.is_after_seek:
                    raise
                points = []
        for point in points:
            try:
                return self._advance(self._new_cursor(threads, point), index)
            except (_SeekFailedError, CorruptFrameError):
                continue
        return self._advance(self._new_cursor(threads, None), index)

    def _seek_points(self, index: int) -> list[SeekPoint]:
        """Return seek points at or before a frame, the nearest first; none if packets do not number the frames."""
        packets = self._packets()
        return packets.seek_points(index) if packets.packet_count == self.declared else []

    def _new_cursor(self, threads: int, point: SeekPoint | None) -> _Cursor:
        """Replace the cursor by one at a seek point, or at the start."""
        self._drop_cursor()
        reader = self._open(threads)
        try:
            self._cursor = _Cursor(reader, point, self._index)
        except BaseException:
            reader.close()
            raise
        return self._cursor

    @staticmethod
    def _advance(cursor: _Cursor, index: int) -> Any:
        """Decode up to the frame `index` and return it, or None if the stream ends before."""
        while True:
            found = cursor.next_index
            frame = cursor.read()
            if frame is None or found == index:
                return frame

    def _packets(self) -> PacketIndex:
        if self._index is None:
            reader = self._open(1)
            try:
                self._index = PacketIndex(reader)
            finally:
                reader.close()
        return self._index

    def _count_by_decoding(self) -> int:
        from dicoxide._arguments import thread_count

        cursor = _Cursor(self._open(thread_count(None)))
        try:
            while cursor.read() is not None:
                pass
        finally:
            cursor.close()
        return cursor.next_index

    def _find_fragments(self) -> FragmentTable:
        value = self._source.open_value()
        try:
            return FragmentTable(value, self._source.spec.transfer_syntax)
        finally:
            value.close()

    def _open(self, threads: int) -> VideoReader:
        reader, self._unused_reader = self._unused_reader, None
        if reader is None:
            reader = VideoReader(self._source.open_value(), self._table, self._source.spec)
        reader.set_threads(threads)
        return reader

    def _drop_cursor(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()

    def _locked(self) -> threading.RLock:
        """Return the lock; in a forked child a new one, without the parent's cursor."""
        if self._process_id != os.getpid():
            self._process_id = os.getpid()
            self._lock = threading.RLock()
            self._cursor = self._unused_reader = None
        return self._lock
