"""Videos through all interfaces; the frames are those of PyAV's own decoding."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide._threads import ThreadPool
from support.processes import run_script
from support.video_files import (
    COLUMNS,
    FRAME_COUNT,
    OPEN_GROUPS,
    ROWS,
    STREAM_IDS,
    STREAMS,
    UIDS,
    decoded_by_pyav,
    encode,
    test_frames,
    video_dataset,
    video_file,
    video_stream,
    video_with_audio,
)

av = pytest.importorskip("av")
H264 = UIDS["libx264"]
FRAME_SHAPE = (ROWS, COLUMNS, 3)


@pytest.fixture
def stream() -> bytes:
    return video_stream("libx264", "mp4")


@pytest.fixture
def expected(stream: bytes) -> np.ndarray:
    return decoded_by_pyav(stream)


@pytest.fixture
def path(stream: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "video.dcm"
    path.write_bytes(video_file(stream, H264, fragments=5))
    return path


@pytest.mark.parametrize(("encoder", "container"), STREAMS, ids=STREAM_IDS)
@pytest.mark.parametrize("groups", ["closed", "open"])
def test_decode_equals_pyav(encoder: str, container: str, groups: str) -> None:
    stream = video_stream(encoder, container, options=None if groups == "closed" else OPEN_GROUPS[encoder])
    decoded = dicoxide.decode(video_file(stream, UIDS[encoder]))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, decoded_by_pyav(stream))


@pytest.mark.parametrize(
    ("encoder", "container", "audio"),
    [
        ("libx264", "mp4", "aac"),
        ("libx264", "mpegts", "aac"),
        ("mpeg2video", "mpegts", "mp2"),
        ("mpeg2video", "mpeg", "mp2"),
    ],
    ids=["h264-mp4", "h264-mpegts", "mpeg2-mpegts", "mpeg2-mpeg"],
)
def test_audio_is_ignored(encoder: str, container: str, audio: str) -> None:
    stream = video_with_audio(encoder, container, audio)
    expected = decoded_by_pyav(stream)
    with dicoxide.open(video_file(stream, UIDS[encoder])) as image:
        np.testing.assert_array_equal(image.decode(), expected)
        np.testing.assert_array_equal(image[[80, 40]], expected[[80, 40]])


@pytest.mark.parametrize("fragments", [1, 2, 40], ids=lambda count: f"{count}-fragments")
@pytest.mark.parametrize("has_table", [False, True], ids=["no-table", "table"])
@pytest.mark.parametrize("container", ["mpegts", "mp4", "h264"])
def test_decode_of_fragments_equals_pyav(container: str, fragments: int, has_table: bool) -> None:
    stream = video_stream("libx264", container, count=20)
    data = video_file(stream, f"{H264}.1" if fragments > 1 else H264, 20, fragments=fragments, has_table=has_table)
    np.testing.assert_array_equal(dicoxide.decode(data), decoded_by_pyav(stream))


@pytest.mark.parametrize("kind", ["path", "str", "bytes", "file", "unseekable", "dataset", "read dataset"])
def test_decode_of_every_source_returns_same_frames(kind: str, path: Path, stream: bytes, expected: np.ndarray) -> None:
    import pydicom

    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

    data = path.read_bytes()
    sources = {
        "path": lambda: path,
        "str": lambda: str(path),
        "bytes": lambda: data,
        "file": lambda: io.BytesIO(data),
        "unseekable": lambda: Unseekable(data),
        "dataset": lambda: video_dataset(stream, H264),
        "read dataset": lambda: pydicom.dcmread(path),
    }
    np.testing.assert_array_equal(dicoxide.decode(sources[kind]()), expected)
    np.testing.assert_array_equal(dicoxide.decode(sources[kind](), frames=-1), expected[-1])


def test_decode_of_single_frame_video_has_no_frame_axis() -> None:
    stream = video_stream("libx264", "mp4", count=1)
    data = video_file(stream, H264, 1)
    assert dicoxide.decode(data).shape == FRAME_SHAPE
    assert dicoxide.decode(data, frames=[0]).shape == (1, *FRAME_SHAPE)
    with dicoxide.open(data) as image:
        assert image.shape == FRAME_SHAPE


@pytest.mark.parametrize(
    "frames",
    [0, 5, 60, -1, -90, slice(10, 20), slice(80, None), slice(None, None, -7), [3, 88, 3, -2], [], range(50, 40, -3)],
    ids=str,
)
def test_decode_of_selected_frames_equals_selection_of_all(frames: object, path: Path, expected: np.ndarray) -> None:
    selection = list(frames) if isinstance(frames, range) else frames
    wanted = expected[selection] if selection != [] else expected[:0]
    np.testing.assert_array_equal(dicoxide.decode(path, frames=frames), wanted)
    with dicoxide.open(path) as image:
        np.testing.assert_array_equal(image[frames], wanted)


@pytest.mark.parametrize("frame", [90, -91, [0, 90]], ids=str)
def test_frame_out_of_range_raises(frame: object, path: Path) -> None:
    with pytest.raises(IndexError, match="out of range for 90 frames"):
        dicoxide.decode(path, frames=frame)


def test_out_receives_the_frames(path: Path, expected: np.ndarray) -> None:
    out = np.zeros(expected.shape, np.uint8)
    assert dicoxide.decode(path, out=out) is out
    np.testing.assert_array_equal(out, expected)
    wide = np.zeros(FRAME_SHAPE, np.int32)
    assert dicoxide.decode(path, frames=7, out=wide) is wide
    np.testing.assert_array_equal(wide, expected[7])


def test_out_of_other_shape_raises(path: Path) -> None:
    with pytest.raises(ValueError, match="shape"):
        dicoxide.decode(path, out=np.zeros((3, 3), np.uint8))


def test_dtype_widens_the_samples(path: Path, expected: np.ndarray) -> None:
    decoded = dicoxide.decode(path, frames=[4], dtype="uint16")
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded[0], expected[4])


def test_raw_returns_rgb_too(path: Path, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(dicoxide.decode(path, frames=0, raw=True), expected[0])


@pytest.mark.parametrize("threads", [1, 2, None])
def test_threads_do_not_change_the_frames(threads: int | None, path: Path, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(dicoxide.decode(path, threads=threads), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rescale": True}, "rescale"), ({"reduce": 1}, "one resolution"), ({"copy": False}, "copy=False|view")],
    ids=["rescale", "reduce", "copy"],
)
def test_unsupported_option_raises_value_error(options: dict[str, object], message: str, path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        dicoxide.decode(path, **options)


def test_iter_frames_equals_decode(path: Path, expected: np.ndarray) -> None:
    frames = list(dicoxide.iter_frames(path))
    np.testing.assert_array_equal(frames, expected)
    selected = list(dicoxide.iter_frames(path, frames=[70, 2, -1], dtype="uint16"))
    assert selected[0].dtype == np.uint16
    np.testing.assert_array_equal(selected, expected[[70, 2, -1]])


def test_iter_frames_holds_few_frames(tmp_path: Path) -> None:
    frames = [np.kron(frame, np.ones((6, 6, 1), np.uint8)) for frame in test_frames(60)]
    rows, columns, _ = frames[0].shape
    path = tmp_path / "large.dcm"
    path.write_bytes(video_file(encode("libx264", "mp4", frames), H264, 60, Rows=rows, Columns=columns))
    frame_bytes = rows * columns * 3
    next(dicoxide.iter_frames(path))
    tracemalloc.start()
    try:
        count = sum(1 for _ in dicoxide.iter_frames(path, max_bytes=frame_bytes))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 60
    # A frame, the next one, its conversion, and two blocks of the file.
    assert peak < 3 * frame_bytes + (1 << 20) < 60 * frame_bytes


def test_image_iterates_and_converts(path: Path, expected: np.ndarray) -> None:
    with dicoxide.open(path) as image:
        assert image.number_of_frames == FRAME_COUNT
        assert image.shape == expected.shape
        assert image.dtype == np.uint8
        assert "90 × 48×80×3" in repr(image)
        np.testing.assert_array_equal(list(image), expected)
        np.testing.assert_array_equal(np.asarray(image), expected)
        image.check([0])


@pytest.mark.skipif(dicoxide.backend == "numpy", reason="data sets are not closed")
def test_image_is_closed_with_its_file(path: Path) -> None:
    image = dicoxide.open(path)
    assert image[40].shape == FRAME_SHAPE
    image.close()
    image.close()
    with pytest.raises(ValueError, match="closed"):
        image[0]


def test_decode_many_returns_videos_in_order(path: Path, expected: np.ndarray) -> None:
    results = list(dicoxide.decode_many([path, path, path.read_bytes()], threads=2))
    assert len(results) == 3
    for _, array in results:
        np.testing.assert_array_equal(array, expected)
    ((_, frame),) = dicoxide.decode_many([path], frames=33)
    np.testing.assert_array_equal(frame, expected[33])


def test_read_series_returns_frames_without_geometry(path: Path, expected: np.ndarray) -> None:
    (volume,) = dicoxide.read_series(path)
    np.testing.assert_array_equal(volume.array, expected)
    assert volume.affine is None


def test_command_line_decodes_video(path: Path, tmp_path: Path, expected: np.ndarray) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "dicoxide", "decode", str(path), "-o", str(out), "--format", "npy"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    (array,) = out.rglob("*.npy")
    np.testing.assert_array_equal(np.load(array), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_children_decode_and_end(path: Path) -> None:
    assert run_script("fork_while_video_is_open", path).stdout == "status 0\nstatus 0\n"


def test_stopped_pool_cancels_decoding(path: Path) -> None:
    with dicoxide.open(path) as image, ThreadPool(1) as pool:
        started = threading.Event()

        def decode_forever() -> None:
            for index in itertools.cycle(range(FRAME_COUNT)):
                image.decode(index)
                started.set()

        task = pool.submit(decode_forever)
        assert started.wait(60)
        pool.stop()
        with pytest.raises(RuntimeError, match="decoding cancelled"):
            task.result()


def test_capabilities_name_pyav() -> None:
    capability = dicoxide.capabilities()["1.2.840.10008.1.2.4.106.1"]
    assert capability.decoder == "pyav"
    assert "PyAV" in capability.why


@pytest.mark.parametrize(
    "call",
    [lambda path: dicoxide.decode(path, frames=0), lambda path: list(dicoxide.iter_frames(path))],
    ids=["decode", "iter_frames"],
)
def test_stream_is_opened_once(path: Path, call: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0
    av_open = av.open

    def open_counted(*args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        return av_open(*args, **options)

    monkeypatch.setattr(av, "open", open_counted)
    call(path)
    assert count == 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_checked_image_that_is_closed_leaves_no_open_file(path: Path) -> None:
    image = dicoxide.open(path)
    image.check([0])
    before = len(list(Path("/proc/self/fd").iterdir()))
    image.close()
    assert len(list(Path("/proc/self/fd").iterdir())) < before
