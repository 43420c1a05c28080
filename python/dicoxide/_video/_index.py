"""Packets of a video: their number, and the access points from which a frame can be decoded exactly."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from dicoxide._threads import raise_if_cancelled
from dicoxide._video._access_points import AccessPoint, classify
from dicoxide._video._reader import PacketPosition, VideoReader

# Seek points to try before the start. After an open one, FFmpeg may miss references that no frame uses.
_MAX_SEEK_POINTS = 4


class SeekPoint(NamedTuple):
    """An access unit to decode from.

    Attributes
    ----------
    frame_index : int
        Index of the first frame that is exact.
    position : PacketPosition
        The packet.
    first_pts : int or None
        Presentation time of that frame; frames before it are dropped.
    """

    frame_index: int
    position: PacketPosition
    first_pts: int | None


class PacketIndex:
    """Made by reading all packets once, without decoding.

    Frames are numbered in output order. If all packets have different timestamps, that is the order of the timestamps.
    Otherwise only closed access points are used: all frames of the packets before them precede them.

    Attributes
    ----------
    packet_count : int
        Number of packets, which is the number of frames unless fields have packets of their own, or the decoder drops
        frames that it cannot decode.
    """

    def __init__(self, reader: VideoReader) -> None:
        self.packet_count = 0
        times = array("q")
        points: list[tuple[int, AccessPoint, PacketPosition]] = []
        while (packet := reader.next_packet()) is not None:
            raise_if_cancelled()
            if not packet.size:
                continue
            if reader.has_timestamps and packet.pts is not None:
                times.append(packet.pts)
            if packet.is_keyframe and (kind := classify(bytes(packet), reader.codec, reader.extradata)) is not None:
                points.append((self.packet_count, kind, reader.position_of(packet, self.packet_count)))
            self.packet_count += 1
        ordered = array("q", sorted(times))
        # The decoder drops pictures that precede the first one and refer to pictures that are not in the stream.
        has_times = len(times) == self.packet_count > 0 and times[0] == ordered[0]
        has_times = has_times and all(ordered[index] != ordered[index + 1] for index in range(len(ordered) - 1))
        starts_closed = bool(points) and points[0][:2] == (0, AccessPoint.CLOSED)
        # Presentation times in output order; None if they do not number the frames.
        self._times = ordered if has_times else None
        self._points: list[SeekPoint] = []
        for number, kind, position in points:
            if self._times is not None and position.pts is not None:
                self._points.append(SeekPoint(bisect_left(self._times, position.pts), position, position.pts))
            elif kind is AccessPoint.CLOSED and self._times is None and starts_closed:
                self._points.append(SeekPoint(number, position, None))
        self._points.sort(key=lambda point: point.frame_index)
        self._frame_indices = [point.frame_index for point in self._points]

    def seek_points(self, frame_index: int) -> list[SeekPoint]:
        """Return the last seek points at or before a frame, the nearest first."""
        count = bisect_right(self._frame_indices, frame_index)
        return self._points[max(0, count - _MAX_SEEK_POINTS) : count][::-1]

    def time_of(self, frame_index: int) -> int | None:
        """Return the presentation time of a frame, or None if it is unknown."""
        return None if self._times is None or frame_index >= len(self._times) else self._times[frame_index]
