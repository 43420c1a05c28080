"""Frames by index: decoding starts at an access point before the frame, and the frame is exact."""

from __future__ import annotations

import io
import random
import threading
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide._video._access_points import AccessPoint, classify
from support.video_files import (
    CLOSED_GROUPS,
    FRAME_COUNT,
    OPEN_GROUPS,
    STREAM_IDS,
    STREAMS,
    UIDS,
    decoded_by_pyav,
    encode,
    test_frames,
    video_file,
    video_stream,
)

pytest.importorskip("av")


def is_after_seek(image: Any) -> bool:
    """True if the image's decoder has started at an access point."""
    cursor = image._video._cursor
    return cursor is not None and cursor.is_after_seek


@pytest.mark.parametrize(("encoder", "container"), STREAMS, ids=STREAM_IDS)
@pytest.mark.parametrize("groups", ["closed", "open"])
def test_random_access_returns_exact_frames(encoder: str, container: str, groups: str) -> None:
    stream = video_stream(encoder, container, options=None if groups == "closed" else OPEN_GROUPS[encoder])
    expected = decoded_by_pyav(stream)
    indices = list(range(FRAME_COUNT))
    random.Random(f"{encoder}{container}").shuffle(indices)
    with dicoxide.open(video_file(stream, UIDS[encoder], fragments=3)) as image:
        for index in indices[:40]:
            np.testing.assert_array_equal(image[index], expected[index], err_msg=f"frame {index}")


@pytest.mark.parametrize(("encoder", "container"), STREAMS, ids=STREAM_IDS)
def test_distant_frame_is_decoded_from_an_access_point(encoder: str, container: str) -> None:
    stream = video_stream(encoder, container)
    with dicoxide.open(video_file(stream, UIDS[encoder])) as image:
        np.testing.assert_array_equal(image[85], decoded_by_pyav(stream)[85])
        assert is_after_seek(image)


def test_next_frame_continues_from_the_cursor() -> None:
    stream = video_stream("libx264", "mp4")
    with dicoxide.open(video_file(stream, UIDS["libx264"])) as image:
        first = image[70]
        cursor = image._video._cursor
        second = image[72]
        assert image._video._cursor is cursor
        third = image[71]
    np.testing.assert_array_equal([first, third, second], decoded_by_pyav(stream)[70:73])


def test_interlaced_video_is_exact_at_every_frame() -> None:
    options = (("x264-params", "interlaced=1"), ("bf", "2"))
    stream = video_stream("libx264", "mpegts", options=options)
    expected = decoded_by_pyav(stream)
    with dicoxide.open(video_file(stream, UIDS["libx264"])) as image:
        for index in (80, 45, 81, 3):
            np.testing.assert_array_equal(image[index], expected[index])
        assert not is_after_seek(image)


def test_intra_refresh_without_access_points_is_exact() -> None:
    options = (("x264-params", "intra-refresh=1"), ("bf", "0"))
    stream = video_stream("libx264", "mp4", options=options)
    expected = decoded_by_pyav(stream)
    with dicoxide.open(video_file(stream, UIDS["libx264"])) as image:
        for index in (80, 45):
            np.testing.assert_array_equal(image[index], expected[index])


def test_identical_groups_are_not_confused() -> None:
    # In an elementary stream, equal access units differ by their position only.
    frames = test_frames(10) * 9
    stream = encode("mpeg2video", "mpeg2video", frames, CLOSED_GROUPS["mpeg2video"][1:], group=10)
    expected = decoded_by_pyav(stream)
    with dicoxide.open(video_file(stream, UIDS["mpeg2video"], len(frames))) as image:
        for index in (85, 41, 60):
            np.testing.assert_array_equal(image[index], expected[index])


def test_threads_share_an_image() -> None:
    stream = video_stream("libx264", "mpegts")
    expected = decoded_by_pyav(stream)
    failures: list[object] = []

    def decode(indices: list[int]) -> None:
        try:
            for index in indices:
                np.testing.assert_array_equal(image[index], expected[index])
        except BaseException as error:
            failures.append(error)

    with dicoxide.open(video_file(stream, UIDS["libx264"])) as image:
        threads = [threading.Thread(target=decode, args=([start, start + 40, start + 5],)) for start in range(0, 45, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures


@pytest.mark.parametrize(
    ("codec", "data", "kind"),
    [
        ("h264", b"\0\0\0\1\x67\x42\0\0\1\x65\x88", AccessPoint.CLOSED),
        ("h264", b"\0\0\1\x06\x06\x01\xc4\x80\0\0\1\x41\x9a", AccessPoint.OPEN),
        ("h264", b"\0\0\1\x06\x05\x02ab\x06\x01\xc4\x80\0\0\1\x41\x9a", AccessPoint.OPEN),
        ("h264", b"\0\0\1\x06\x06\x01\x84\x80\0\0\1\x41\x9a", None),
        ("h264", b"\0\0\1\x06\xff\xff", None),
        ("h264", b"\0\0\1\x41\x9a", None),
        ("h264", b"", None),
        ("hevc", b"\0\0\1\x40\x01\0\0\1\x26\x01", AccessPoint.CLOSED),
        ("hevc", b"\0\0\1\x2a\x01", AccessPoint.OPEN),
        ("hevc", b"\0\0\1\x02\x01", None),
        ("mpeg2video", b"\0\0\1\xb3abcd\0\0\1\xb8\0\0\0\x40", AccessPoint.CLOSED),
        ("mpeg2video", b"\0\0\1\xb3abcd\0\0\1\xb8\0\0\0\x00", AccessPoint.OPEN),
        ("mpeg2video", b"\0\0\1\xb3abcd\0\0\1\xb8", AccessPoint.OPEN),
        ("mpeg2video", b"\0\0\1\0", None),
        ("mpeg1video", b"\0\0\1\xb3", None),
    ],
)
def test_classify_finds_access_points(codec: str, data: bytes, kind: AccessPoint | None) -> None:
    assert classify(data, codec, None) is kind


@pytest.mark.parametrize(
    ("codec", "extradata", "unit"),
    [("h264", b"\1\x64\0\x28\xff", b"\x65\x88"), ("hevc", b"\1" + bytes(20) + b"\xff\0", b"\x26\x01")],
)
def test_classify_reads_length_prefixed_units(codec: str, extradata: bytes, unit: bytes) -> None:
    data = len(unit).to_bytes(4, "big") + unit
    assert classify(data, codec, extradata) is AccessPoint.CLOSED
    for end in range(len(data) - 2):
        assert classify(data[:end], codec, extradata) is None


@pytest.mark.parametrize(("encoder", "container"), [STREAMS[0], STREAMS[3], STREAMS[6]], ids=["h264", "hevc", "mpeg2"])
def test_stream_cut_at_an_open_group_has_the_indices_of_sequential_decoding(encoder: str, container: str) -> None:
    av = pytest.importorskip("av")
    source = video_stream(encoder, container, options=OPEN_GROUPS[encoder])
    file = io.BytesIO()
    with av.open(io.BytesIO(source)) as original, av.open(file, "w", format=container) as output:
        stream = output.add_stream_from_template(original.streams.video[0])
        packets = [packet for packet in original.demux(original.streams.video[0]) if packet.size]
        keys = [index for index, packet in enumerate(packets) if packet.is_keyframe]
        for packet in packets[keys[2] :]:
            packet.stream = stream
            output.mux(packet)
    expected = decoded_by_pyav(file.getvalue())
    data = video_file(file.getvalue(), UIDS[encoder], len(packets) - keys[2])
    with dicoxide.open(data) as image:
        for index in (0, 50, 40):
            np.testing.assert_array_equal(image[index], expected[index])
    # The decoder drops pictures that refer to those that were cut off.
    assert len(expected) < len(packets) - keys[2]
