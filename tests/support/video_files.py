"""Videos made by PyAV's encoders, their frames as PyAV decodes them, and data sets that hold them."""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from support.encoders.encapsulate import SEQUENCE_DELIMITER, item, split

ROWS, COLUMNS = 48, 80
FRAME_COUNT = 90
UIDS = {
    "mpeg2video": "1.2.840.10008.1.2.4.100",
    "libx264": "1.2.840.10008.1.2.4.102",
    "libx265": "1.2.840.10008.1.2.4.107",
}
# Encoder and container of each kind of stream.
STREAMS = [
    ("libx264", "mpegts"),
    ("libx264", "mp4"),
    ("libx264", "h264"),
    ("libx265", "mpegts"),
    ("libx265", "mp4"),
    ("libx265", "hevc"),
    ("mpeg2video", "mpegts"),
    ("mpeg2video", "mpeg"),
    ("mpeg2video", "mpeg2video"),
]
STREAM_IDS = [f"{encoder}-{container}" for encoder, container in STREAMS]
# Options of encoders; the tuple of each stream is a key of the cache.
Options = tuple[tuple[str, str], ...]
OPEN_GROUPS: dict[str, Options] = {
    "libx264": (("x264-params", "open-gop=1"), ("bf", "2")),
    "libx265": (("x265-params", "log-level=none:open-gop=1"),),
    "mpeg2video": (("bf", "2"),),
}
CLOSED_GROUPS: dict[str, Options] = {
    "libx264": (("bf", "2"),),
    "libx265": (("x265-params", "log-level=none:open-gop=0"),),
    "mpeg2video": (("bf", "2"), ("flags", "+cgop"), ("sc_threshold", "1000000000")),
}
LOSSLESS: Options = (("qp", "0"), ("preset", "ultrafast"))


class Format(NamedTuple):
    """Pixel format and colour of a stream; 0 is unspecified."""

    pixel_format: str = "yuv420p"
    colour_range: int = 0
    matrix: int = 0


def test_frames(count: int) -> list[npt.NDArray[np.uint8]]:
    """Return RGB frames that all differ."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    frames = []
    for index in range(count):
        planes = [x * 2 + index * 5, y * 3 + index * 7, x + y + index * 11]
        frame = (np.stack(planes, axis=-1) % 256).astype(np.uint8)
        frame[:16, :16] = index * 2
        frames.append(frame)
    return frames


test_frames.__test__ = False  # type: ignore[attr-defined]


def encode(
    encoder: str,
    container: str,
    frames: list[Any],
    options: Options = (),
    layout: Format = Format(),  # noqa: B008
    group: int = 10,
) -> bytes:
    """Return the stream of `frames`, which are RGB arrays or PyAV frames of the pixel format."""
    av = pytest.importorskip("av")
    if encoder not in av.codecs_available:
        pytest.skip(f"PyAV has no encoder {encoder}")
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(encoder, rate=25, options=dict(options))
        context = stream.codec_context
        context.height, context.width = (
            frames[0].shape[:2] if isinstance(frames[0], np.ndarray) else (frames[0].height, frames[0].width)
        )
        context.pix_fmt = layout.pixel_format
        context.gop_size = group
        context.thread_count = 1
        if layout.colour_range:
            context.color_range = layout.colour_range
        if layout.matrix:
            context.colorspace = layout.matrix
        for frame in frames:
            picture = frame
            if isinstance(frame, np.ndarray):
                picture = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format=layout.pixel_format)
            for packet in stream.encode(picture):
                output.mux(packet)
        for packet in stream.encode():
            output.mux(packet)
    return file.getvalue()


@lru_cache(maxsize=64)
def video_stream(encoder: str, container: str, *, options: Options | None = None, count: int = FRAME_COUNT) -> bytes:
    """Return a stream of `count` test frames."""
    return encode(encoder, container, test_frames(count), CLOSED_GROUPS[encoder] if options is None else options)


def video_with_audio(encoder: str, container: str, audio_encoder: str) -> bytes:
    """Return a stream of test frames with silent stereo sound."""
    av = pytest.importorskip("av")
    if encoder not in av.codecs_available:
        pytest.skip(f"PyAV has no encoder {encoder}")
    file = io.BytesIO()
    samples_per_frame = 48000 // 25
    with av.open(file, "w", format=container) as output:
        video = output.add_stream(encoder, rate=25, options=dict(CLOSED_GROUPS[encoder]))
        video.height, video.width, video.pix_fmt = ROWS, COLUMNS, "yuv420p"
        video.codec_context.gop_size = 10
        audio = output.add_stream(audio_encoder, rate=48000)
        for index, frame in enumerate(test_frames(FRAME_COUNT)):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 2 * samples_per_frame), np.int16), "s16", "stereo")
            sound.sample_rate, sound.pts = 48000, index * samples_per_frame
            picture = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format="yuv420p")
            for packet in [*video.encode(picture), *audio.encode(sound)]:
                output.mux(packet)
        for packet in [*video.encode(), *audio.encode()]:
            output.mux(packet)
    return file.getvalue()


@lru_cache(maxsize=64)
def decoded_by_pyav(stream: bytes) -> npt.NDArray[np.uint8]:
    """Return all frames of a stream, as PyAV decodes and converts them."""
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(stream)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def video_dataset(
    stream: bytes,
    transfer_syntax: str,
    number_of_frames: int = FRAME_COUNT,
    *,
    fragments: int = 1,
    has_table: bool = False,
    **attributes: Any,
) -> Dataset:
    """Return a data set that holds a stream, in one or several fragments."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.1.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3.4"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.Modality = "1.2.3", "1.2.3.1", "ES"
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = ROWS, COLUMNS, number_of_frames
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "YBR_PARTIAL_420"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    items = b"".join(item(fragment + b"\0" * (len(fragment) % 2)) for fragment in split(stream, fragments))
    table = struct.pack("<L", 0) if has_table else b""
    dataset.PixelData = item(table) + items + SEQUENCE_DELIMITER
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def video_file(stream: bytes, transfer_syntax: str, number_of_frames: int = FRAME_COUNT, **options: Any) -> bytes:
    """Return a Part 10 file that holds a stream."""
    file = io.BytesIO()
    video_dataset(stream, transfer_syntax, number_of_frames, **options).save_as(file, enforce_file_format=True)
    return file.getvalue()
