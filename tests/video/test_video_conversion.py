"""Conversion to RGB: matrix, range and depth are those that the stream declares; grey samples stay as they are."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

import dicoxide
from support.video_files import LOSSLESS, UIDS, Format, encode, test_frames, video_file

av = pytest.importorskip("av")
H264, MAIN_10 = UIDS["libx264"], "1.2.840.10008.1.2.4.108"
MPEG_RANGE, JPEG_RANGE = 1, 2
BT709, BT601, YCGCO, BT2020 = 1, 6, 8, 9
# Luma coefficients of red and blue.
COEFFICIENTS = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114), BT2020: (0.2627, 0.0593), 0: (0.299, 0.114)}
COUNT = 4
SIZE = 64


def picture(levels: tuple[int, ...], pixel_format: str) -> Any:
    """Return a PyAV frame whose planes have one level each."""
    frame = av.VideoFrame(SIZE, SIZE, pixel_format)
    for plane, level in zip(frame.planes, levels, strict=True):
        sample = np.dtype("<u2" if frame.format.components[0].bits > 8 else "u1")
        plane.update(np.full(plane.buffer_size // sample.itemsize, level, sample))
    return frame


def rgb_of(levels: tuple[int, ...], matrix: int, is_full: bool, bits: int = 8) -> np.ndarray:
    """Return the RGB levels of YCbCr levels, unrounded (ITU-T H.273, 8.3)."""
    red, blue = COEFFICIENTS[matrix]
    unit = 1 << bits - 8
    luma, *chroma = (float(level) for level in levels)
    if is_full:
        y, (cb, cr) = luma / (256 * unit - 1), ((level - 128 * unit) / (256 * unit - 1) for level in chroma)
    else:
        y, (cb, cr) = (luma - 16 * unit) / (219 * unit), ((level - 128 * unit) / (224 * unit) for level in chroma)
    r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.clip([r, g, b], 0, 1) * (256 * unit - 1)


def decode(stream: bytes, uid: str, **attributes: Any) -> np.ndarray:
    return dicoxide.decode(video_file(stream, uid, COUNT, Rows=SIZE, Columns=SIZE, **attributes))


@pytest.mark.parametrize("is_full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", [0, BT601, BT709, BT2020], ids=["unspecified", "601", "709", "2020"])
@pytest.mark.parametrize("levels", [(120, 90, 170), (16, 128, 128), (235, 128, 128), (60, 140, 100)], ids=str)
def test_matrix_and_range_of_the_stream_are_applied(levels: tuple[int, int, int], matrix: int, is_full: bool) -> None:
    layout = Format("yuv420p", JPEG_RANGE if is_full else MPEG_RANGE, matrix)
    stream = encode("libx264", "mp4", [picture(levels, "yuv420p")] * COUNT, LOSSLESS, layout)
    decoded = decode(stream, H264)
    assert np.ptp(decoded, axis=(0, 1, 2)).max() == 0
    np.testing.assert_allclose(decoded[0, 0, 0], rgb_of(levels, matrix, is_full), atol=2)


def test_matrix_that_swscale_does_not_know_is_unsupported() -> None:
    ycgco = 8
    stream = encode(
        "libx264", "mp4", [picture((120, 90, 170), "yuv444p")] * COUNT, LOSSLESS, Format("yuv444p", 0, ycgco)
    )
    with pytest.raises(dicoxide.UnsupportedError, match="cannot convert yuv444p with matrix 8 to rgb24"):
        decode(stream, H264)


def ten_bit_stream() -> bytes:
    layout = Format("yuv420p10le", MPEG_RANGE, BT709)
    options = (("x265-params", "log-level=none:lossless=1"),)
    return encode("libx265", "mp4", [picture((500, 400, 650), "yuv420p10le")] * COUNT, options, layout)


def test_ten_bits_are_kept_in_16_bits_allocated() -> None:
    decoded = decode(ten_bit_stream(), MAIN_10, BitsAllocated=16, BitsStored=10, HighBit=9)
    assert decoded.dtype == np.uint16
    np.testing.assert_allclose(decoded[0, 0, 0], rgb_of((500, 400, 650), BT709, False, bits=10), atol=4)


def test_ten_bits_in_8_bits_allocated_are_rounded_with_a_warning() -> None:
    with pytest.warns(dicoxide.NonConformantWarning, match="10 bits per sample, bits stored is 8, rounded to 8"):
        decoded = decode(ten_bit_stream(), MAIN_10)
    assert decoded.dtype == np.uint8
    np.testing.assert_allclose(decoded[0, 0, 0], rgb_of((125, 100, 162.5), BT709, False), atol=3)


def test_eight_bits_in_16_bits_allocated_keep_their_values() -> None:
    stream = encode("libx264", "mp4", [picture((120, 90, 170), "yuv420p")] * COUNT, LOSSLESS)
    decoded = decode(stream, MAIN_10.replace("108", "102"), BitsAllocated=16, BitsStored=8)
    assert decoded.dtype == np.uint16
    np.testing.assert_array_equal(decoded, decode(stream, H264))


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuvj420p"])
def test_other_subsampling_equals_pyav(pixel_format: str) -> None:
    frames = [frame[:, :64] for frame in test_frames(COUNT)]
    stream = encode("libx264", "mp4", frames, LOSSLESS, Format(pixel_format))
    with av.open(io.BytesIO(stream)) as container:
        expected = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    data = video_file(stream, H264, COUNT, Columns=64)
    np.testing.assert_array_equal(dicoxide.decode(data), expected)


def grey_stream(level: int) -> bytes:
    return encode("libx264", "mp4", [picture((level,), "gray")] * COUNT, LOSSLESS, Format("gray"))


GREY = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}


@pytest.mark.parametrize("level", [0, 16, 100, 255])
def test_grey_samples_are_the_luma(level: int) -> None:
    decoded = decode(grey_stream(level), H264, **GREY)
    assert decoded.shape == (COUNT, SIZE, SIZE)
    assert np.unique(decoded).tolist() == [level]


def test_grey_samples_are_rescaled() -> None:
    stream = grey_stream(100)
    options = {**GREY, "RescaleSlope": "2", "RescaleIntercept": "-24"}
    data = video_file(stream, H264, COUNT, Rows=SIZE, Columns=SIZE, **options)
    decoded = dicoxide.decode(data, rescale=True)
    assert decoded.dtype == np.float32
    assert np.unique(decoded).tolist() == [176]
    frames = list(dicoxide.iter_frames(data, rescale=True, dtype="int16"))
    assert np.unique(frames).tolist() == [176]
    assert np.unique(dicoxide.decode(data, frames=[2, 1], rescale=True)).tolist() == [176]


def test_colour_video_of_a_grey_data_set_raises_mismatch() -> None:
    stream = encode("libx264", "mp4", [picture((120, 90, 170), "yuv420p")] * COUNT, LOSSLESS)
    with pytest.raises(dicoxide.CorruptFrameError, match="video has 3 samples per pixel, 1 expected") as caught:
        decode(stream, H264, **GREY)
    assert caught.value.kind == "Mismatch"


def test_monochrome_hevc_is_grey() -> None:
    options = (("x265-params", "log-level=none:lossless=1"),)
    stream = encode("libx265", "mp4", [picture((77,), "gray")] * COUNT, options, Format("gray"))
    assert np.unique(decode(stream, UIDS["libx265"], **GREY)).tolist() == [77]
    with pytest.raises(dicoxide.CorruptFrameError, match="video has 1 samples per pixel, 3 expected"):
        decode(stream, UIDS["libx265"])


@pytest.mark.parametrize("columns", [64, 66], ids=["without_padding", "with_padding"])
def test_iter_frames_yields_frames_of_their_own(columns: int) -> None:
    stream = encode("libx264", "mp4", [frame[:, :columns] for frame in test_frames(COUNT)], LOSSLESS)
    data = video_file(stream, H264, COUNT, Columns=columns)
    expected = dicoxide.decode(data)
    frames = []
    for frame in dicoxide.iter_frames(data):
        assert frame.flags.writeable
        assert frame.flags.c_contiguous
        frames.append(frame.copy())
        frame[...] = 0
    np.testing.assert_array_equal(frames, expected)


def test_iter_frames_of_grey_video_yields_frames_of_their_own() -> None:
    stream = encode("libx264", "mp4", [picture((index, 128, 128), "yuv420p") for index in range(COUNT)], LOSSLESS)
    attributes = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": SIZE, "Columns": SIZE}
    levels = []
    for frame in dicoxide.iter_frames(video_file(stream, H264, COUNT, **attributes)):
        assert frame.flags.writeable
        assert frame.flags.c_contiguous
        levels.append(int(frame[-1, -1]))
        # Later frames are predicted from this one.
        frame[...] = 255
    assert levels == list(range(COUNT))


@pytest.mark.parametrize("rows", [47, 48, 161], ids=str)
def test_samples_do_not_depend_on_the_number_of_threads(rows: int) -> None:
    rng = np.random.default_rng(rows)
    noise = list(rng.integers(0, 256, (COUNT, rows, 81, 3), np.uint8))
    stream = encode("libx264", "mp4", noise, LOSSLESS, Format("yuv444p"))
    data = video_file(stream, H264, COUNT, Rows=rows, Columns=81)
    one, *others = (dicoxide.decode(data, threads=threads) for threads in (1, 2, 5, 16))
    for other in others:
        np.testing.assert_array_equal(other, one)
