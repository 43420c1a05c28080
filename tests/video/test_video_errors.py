"""Videos that contradict their data set, are corrupt, or cannot be decoded here."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest

import dicoxide
from support.encoders.encapsulate import SEQUENCE_DELIMITER, item
from support.video_files import (
    COLUMNS,
    FRAME_COUNT,
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
)

pytest.importorskip("av")
H264 = UIDS["libx264"]
COUNT = 20
READS_BY_POSITION = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend reads whole files")


def stream_of(encoder: str = "libx264", container: str = "mp4") -> bytes:
    return video_stream(encoder, container, count=COUNT)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Rows": ROWS + 1}, "video has 48 rows and 80 columns, 49 and 80 expected"),
        ({"Columns": 16}, "48 and 16 expected"),
        ({"Rows": 65535, "Columns": 65535}, "65535 and 65535 expected"),
        ({"SamplesPerPixel": 4}, "samples per pixel 4 found"),
        ({"Rows": 0}, "0 rows"),
        ({"BitsAllocated": 32}, "bits allocated 32"),
        ({"PixelRepresentation": 1}, "pixel representation 1"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_attributes_of_another_video_raise_mismatch(attributes: dict[str, int], message: str) -> None:
    data = video_file(stream_of(), H264, COUNT, **attributes)
    for call in (dicoxide.decode, dicoxide.iter_frames, lambda data: dicoxide.open(data)[0]):
        with pytest.raises(dicoxide.CorruptFrameError, match=message) as caught:
            call(data)
        assert caught.value.kind == "Mismatch"
        assert caught.value.transfer_syntax == H264


@pytest.mark.parametrize(("encoder", "container"), STREAMS, ids=STREAM_IDS)
def test_more_frames_than_declared_are_returned_with_a_warning(encoder: str, container: str) -> None:
    stream = stream_of(encoder, container)
    data = video_file(stream, UIDS[encoder], COUNT - 3)
    with pytest.warns(dicoxide.NonConformantWarning, match="number of frames is 17, 20 frames found"):
        decoded = dicoxide.decode(data)
    np.testing.assert_array_equal(decoded, decoded_by_pyav(stream))
    with pytest.warns(dicoxide.NonConformantWarning, match="number of frames is 17, more frames found"):
        assert len(list(dicoxide.iter_frames(data))) == COUNT
    with pytest.raises(dicoxide.CorruptFrameError, match="20 frames found"):
        dicoxide.decode(data, strict=True)
    # Frames that the data set declares need no count.
    np.testing.assert_array_equal(dicoxide.decode(data, frames=COUNT - 4), decoded[COUNT - 4])


@pytest.mark.parametrize(("encoder", "container"), STREAMS, ids=STREAM_IDS)
def test_fewer_frames_than_declared_are_an_error(encoder: str, container: str) -> None:
    data = video_file(stream_of(encoder, container), UIDS[encoder], COUNT + 2)
    with pytest.raises(dicoxide.TruncatedFrameError, match="20 frames found, 22 expected"):
        dicoxide.decode(data)
    iterator = dicoxide.iter_frames(data)
    for _ in range(COUNT):
        next(iterator)
    with pytest.raises(dicoxide.TruncatedFrameError, match="20 frames found, 22 expected") as caught:
        next(iterator)
    assert caught.value.frame_index == COUNT
    assert dicoxide.decode(data, frames=COUNT - 1).shape == (ROWS, COLUMNS, 3)
    with pytest.raises(dicoxide.TruncatedFrameError):
        dicoxide.decode(data, frames=COUNT + 1)


def test_huge_number_of_frames_is_an_error_before_memory_is_allocated() -> None:
    data = video_file(stream_of(), H264, 2**31 - 1)
    with pytest.raises(dicoxide.TruncatedFrameError, match="20 frames found"):
        dicoxide.decode(data)


def test_missing_number_of_frames_is_one() -> None:
    dataset = video_dataset(stream_of(), H264)
    del dataset.NumberOfFrames
    with pytest.warns(dicoxide.NonConformantWarning, match="number of frames is 1, 20 frames found"):
        assert len(dicoxide.decode(dataset)) == COUNT


def test_max_bytes_is_checked_before_decoding() -> None:
    data = video_file(stream_of(), H264, COUNT)
    frame_bytes = ROWS * COLUMNS * 3
    assert dicoxide.decode(data, frames=0, max_bytes=frame_bytes).nbytes == frame_bytes
    with pytest.raises(dicoxide.LimitError, match=f"output has {frame_bytes * COUNT} bytes"):
        dicoxide.decode(data, max_bytes=frame_bytes * COUNT - 1)
    with pytest.raises(dicoxide.LimitError):
        dicoxide.iter_frames(data, max_bytes=frame_bytes - 1)


def test_codec_of_another_transfer_syntax_is_a_deviation() -> None:
    stream = stream_of()
    data = video_file(stream, UIDS["libx265"], COUNT)
    with pytest.warns(dicoxide.NonConformantWarning, match="h264 video found, hevc expected"):
        np.testing.assert_array_equal(dicoxide.decode(data), decoded_by_pyav(stream))
    with pytest.raises(dicoxide.CorruptFrameError, match="hevc expected"):
        dicoxide.decode(data, strict=True)


def test_stereo_video_is_a_deviation() -> None:
    data = video_file(stream_of(), "1.2.840.10008.1.2.4.106", COUNT)
    with pytest.warns(dicoxide.NonConformantWarning, match="only the base view"):
        assert len(dicoxide.decode(data)) == COUNT


def test_change_of_size_within_the_stream_is_an_error() -> None:
    small, large = test_frames(10), [np.ones((96, 160, 3), np.uint8)] * 10
    stream = encode("libx264", "h264", small) + encode("libx264", "h264", large)
    with pytest.raises(dicoxide.CorruptFrameError) as caught:
        dicoxide.decode(video_file(stream, H264, 20))
    assert caught.value.frame_index is not None


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"\0" * 4000,
        b"no video at all " * 300,
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n" * 40,
        b"ffconcat version 1.0\nfile /etc/hostname\n" * 40,
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0" + bytes(4000),
        b"\x89PNG\r\n\x1a\n" + bytes(4000),
    ],
    ids=["empty", "zeros", "text", "playlist", "concat", "audio", "png"],
)
def test_other_bytes_raise_corrupt_frame_error(stream: bytes) -> None:
    data = video_file(stream, H264, 3)
    with pytest.raises(dicoxide.CorruptFrameError):
        dicoxide.decode(data)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (b"", dicoxide.TruncatedFrameError, "item header of 8 bytes expected"),
        (item(b"") + item(b"ab")[:-1], dicoxide.TruncatedFrameError, "item of 2 bytes found, 1 bytes left"),
        (item(b"") + b"\xfe\xff\0\xe0\xff\xff\xff\xff", dicoxide.CorruptFrameError, "undefined length"),
        (item(b"") + b"abcd\0\0\0\0", dicoxide.CorruptFrameError, r"item \(FFFE,E000\) expected"),
        (SEQUENCE_DELIMITER, dicoxide.CorruptFrameError, r"item \(FFFE,E000\) expected"),
        (item(b"") + SEQUENCE_DELIMITER, dicoxide.CorruptFrameError, "FFmpeg"),
    ],
    ids=["empty", "truncated", "undefined", "tag", "delimiter", "no fragment"],
)
def test_corrupt_items_raise(value: bytes, error: type[Exception], message: str) -> None:
    dataset = video_dataset(b"", H264, 3)
    dataset["PixelData"]._value = value
    with pytest.raises(error, match=message):
        dicoxide.decode(dataset)


def test_zeros_in_place_of_the_delimiter_are_a_deviation() -> None:
    dataset = video_dataset(stream_of(), H264, COUNT)
    dataset["PixelData"]._value = dataset.PixelData[:-8] + bytes(16)
    with pytest.warns(dicoxide.NonConformantWarning, match="zero bytes found"):
        assert len(dicoxide.decode(dataset)) == COUNT


@pytest.mark.parametrize(("encoder", "container"), STREAMS, ids=STREAM_IDS)
def test_truncated_streams_raise(encoder: str, container: str) -> None:
    stream = stream_of(encoder, container)
    # Containers end with padding or tables.
    for size in range(2, len(stream) // 2, max(2, len(stream) // 20 // 2 * 2)):
        # The beginning of a stream may look like one of another codec.
        with pytest.raises((dicoxide.DecodeError, dicoxide.NonConformantWarning)):
            dicoxide.decode(video_file(stream[:size], UIDS[encoder], COUNT))


@pytest.mark.parametrize(("encoder", "container"), STREAMS, ids=STREAM_IDS)
def test_mutated_streams_decode_or_raise(encoder: str, container: str) -> None:
    stream = stream_of(encoder, container)
    generator = random.Random(f"{encoder} {container}")
    for _ in range(60):
        mutated = bytearray(stream)
        start = generator.randrange(len(mutated))
        kind = generator.randrange(4)
        if kind == 0:
            mutated[start] ^= 1 << generator.randrange(8)
        elif kind == 1:
            length = generator.randrange(1, 300)
            mutated[start : start + length] = generator.randbytes(length)
        elif kind == 2:
            del mutated[start : start + generator.randrange(1, 300)]
        else:
            mutated[start:start] = mutated[: generator.randrange(1, 300)]
        data = video_file(bytes(mutated), UIDS[encoder], COUNT)
        calls = (
            dicoxide.decode,
            lambda data: np.stack(list(dicoxide.iter_frames(data))),
            lambda data: np.stack([dicoxide.decode(data, frames=index) for index in (19, 3)]),
        )
        for call in calls:
            try:
                decoded = call(data)
            except (dicoxide.DecodeError, dicoxide.NonConformantWarning):
                continue
            assert decoded.shape[1:] == (ROWS, COLUMNS, 3)
            assert len(decoded) in (2, COUNT)


@pytest.mark.parametrize(("encoder", "container"), [STREAMS[2], STREAMS[8]], ids=["h264", "mpeg2"])
def test_results_do_not_depend_on_the_number_of_threads(encoder: str, container: str) -> None:
    stream = stream_of(encoder, container)
    generator = random.Random(encoder)
    for _ in range(60):
        mutated = bytearray(stream)
        start = generator.randrange(len(mutated))
        mutated[start : start + 20] = generator.randbytes(20)
        data = video_file(bytes(mutated), UIDS[encoder], COUNT)
        results = []
        for threads in (1, 3):
            try:
                results.append(dicoxide.decode(data, threads=threads).tobytes())
            except (dicoxide.DecodeError, dicoxide.NonConformantWarning):
                # With threads, FFmpeg drops a corrupt frame at the end: fewer frames than expected.
                results.append(b"")
        assert results[0] == results[1]


def test_corrupt_frame_is_named_and_earlier_frames_are_yielded() -> None:
    stream = bytearray(video_stream("libx264", "h264", options=(("bf", "0"),), count=COUNT))
    units = [index for index in range(len(stream)) if stream[index : index + 4] == b"\0\0\0\1"]
    # The second half of the last access units.
    for start in units[-3:]:
        stream[start + 8 : start + 20] = b"\xff" * 12
    iterator = dicoxide.iter_frames(video_file(bytes(stream), H264, COUNT))
    frames = []
    with pytest.raises(dicoxide.CorruptFrameError) as caught:
        for frame in iterator:
            frames.append(frame)  # noqa: PERF402
    assert frames
    assert caught.value.frame_index is None or caught.value.frame_index >= len(frames)
    expected = decoded_by_pyav(video_stream("libx264", "h264", options=(("bf", "0"),), count=COUNT))
    np.testing.assert_array_equal(frames, expected[: len(frames)])


@READS_BY_POSITION
def test_file_that_becomes_shorter_raises_truncated(tmp_path: Path) -> None:
    path = tmp_path / "video.dcm"
    path.write_bytes(video_file(stream_of("libx264", "mpegts"), H264, COUNT))
    with dicoxide.open(path) as image:
        assert image[0].shape == (ROWS, COLUMNS, 3)
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(dicoxide.TruncatedFrameError):
            image.decode()


@READS_BY_POSITION
def test_error_of_a_file_object_is_raised_as_it_is() -> None:
    import io

    class Failing(io.BytesIO):
        fails = False

        def read(self, count: int | None = -1) -> bytes:
            if self.fails:
                raise OSError("the medium was removed")
            return super().read(count)

    file = Failing(video_file(stream_of("libx264", "mpegts"), H264, COUNT))
    image = dicoxide.open(file)
    assert image[0].shape == (ROWS, COLUMNS, 3)
    file.fails = True
    with pytest.raises(OSError, match="the medium was removed"):
        image.decode()
    image.close()


@READS_BY_POSITION
def test_interrupt_in_a_read_is_raised() -> None:
    import io

    class Interrupting(io.BytesIO):
        interrupts = False

        def read(self, count: int | None = -1) -> bytes:
            if self.interrupts:
                raise KeyboardInterrupt
            return super().read(count)

    file = Interrupting(video_file(stream_of("libx264", "mpegts"), H264, COUNT))
    image = dicoxide.open(file)
    assert image.number_of_frames == COUNT
    file.interrupts = True
    with pytest.raises(KeyboardInterrupt):
        image.decode()
    file.interrupts = False
    assert len(image.decode()) == COUNT
    image.close()


def test_fallback_false_excludes_pyav() -> None:
    data = video_file(stream_of(), H264, COUNT)
    with pytest.raises(dicoxide.UnsupportedError, match="no codec for transfer syntax MPEG4HP41: .* fallback=False"):
        dicoxide.decode(data, fallback=False)
    ((_, error),) = dicoxide.decode_many([data], fallback=False, on_error="return")
    assert isinstance(error, dicoxide.UnsupportedError)


def test_without_pyav_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "video.dcm"
    path.write_bytes(video_file(stream_of(), H264, FRAME_COUNT))
    monkeypatch.setitem(sys.modules, "av", None)
    for call in (dicoxide.decode, dicoxide.iter_frames, lambda path: dicoxide.open(path).shape):
        with pytest.raises(dicoxide.UnsupportedError, match=r'video needs PyAV: pip install "dicoxide\[video\]"'):
            call(path)
    capability = dicoxide.capabilities()[H264]
    assert capability.decoder is None
    assert "dicoxide[video]" in capability.why
    result = dicoxide.read_series(path, on_error="return")
    assert not list(result)
    assert "dicoxide[video]" in str(next(iter(result.errors)))


def test_old_pyav_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from dicoxide._video import _reader

    monkeypatch.setattr(_reader, "pyav_version", lambda: "16.1.0")
    with pytest.raises(dicoxide.UnsupportedError, match=r"PyAV 16\.1\.0 found, at least 17 needed"):
        dicoxide.decode(video_file(stream_of(), H264, COUNT))
