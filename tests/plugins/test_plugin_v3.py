"""The pydicom 3 decoder plugin: values through pydicom, reported options, and errors."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate as encapsulate_frames
from pydicom.encaps import generate_frames
from pydicom.pixels import decompress, get_decoder, iter_pixels, pixel_array
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

import dicoxide
from dicoxide.errors import CorruptFrameError, NonConformantWarning, UnsupportedError
from dicoxide.plugins import pydicom_v3
from support.decode_runners import Runner30, Runner31
from support.encoders import rle
from support.encoders.dataset import ENCAPSULATED_UNCOMPRESSED, dataset, random_values
from support.encoders.encapsulate import encapsulate
from support.real_images import PYDICOM_FILES

rng = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _enabled() -> Iterator[None]:
    with dicoxide.enabled():
        yield


def encoded(image: np.ndarray[Any, Any], bits_allocated: int, **others: Any) -> bytes:
    return rle.encode(image if image.ndim == 3 else image[..., None], bits_allocated, **others)


def options(array: np.ndarray[Any, Any], bits_allocated: int, **others: Any) -> dict[str, Any]:
    return {
        "rows": array.shape[0],
        "columns": array.shape[1],
        "samples_per_pixel": 1 if array.ndim == 2 else array.shape[2],
        "bits_allocated": bits_allocated,
        "bits_stored": bits_allocated,
        "pixel_representation": 0,
        "planar_configuration": 1,
        "photometric_interpretation": "RGB" if array.ndim == 3 else "MONOCHROME2",
        **others,
    }


def test_plugin_supports_every_encapsulated_codec() -> None:
    assert RLELossless in pydicom_v3.DECODER_DEPENDENCIES
    assert ENCAPSULATED_UNCOMPRESSED in pydicom_v3.DECODER_DEPENDENCIES
    assert ExplicitVRLittleEndian not in pydicom_v3.DECODER_DEPENDENCIES
    assert all(pydicom_v3.is_available(uid) for uid in pydicom_v3.DECODER_DEPENDENCIES)
    assert not pydicom_v3.is_available(ExplicitVRLittleEndian)


@pytest.mark.parametrize("is_array", [True, False], ids=["array", "buffer"])
@pytest.mark.parametrize("declared", [0, 1])
@pytest.mark.parametrize("kind", [Runner30, Runner31])
def test_plugin_reports_the_planar_configuration_to_each_runner(
    kind: type[Runner30], declared: int, is_array: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pydicom_v3, "called_for_array", lambda caller: is_array)
    image = rng.integers(0, 2**16, (3, 5, 3), dtype=np.uint16)
    runner = kind(options(image, 16, planar_configuration=declared))
    for _ in range(3):
        frame = pydicom_v3.decode_frame(encoded(image, 16), runner)  # type: ignore[arg-type]
        assert isinstance(frame, bytearray)
        samples = image if is_array else np.moveaxis(image, -1, 0)
        assert bytes(frame) == samples.astype("<u2").tobytes()
        assert runner.reported.pop("decoding_plugin", "dicoxide") == "dicoxide"
        assert runner.reported == {"planar_configuration": 0 if is_array else 1}


def test_plugin_called_by_other_code_returns_planes() -> None:
    image = rng.integers(0, 2**16, (3, 5, 3), dtype=np.uint16)
    runner = Runner30(options(image, 16))
    frame = pydicom_v3.decode_frame(encoded(image, 16), runner)  # type: ignore[arg-type]
    assert bytes(frame) == np.moveaxis(image, -1, 0).astype("<u2").tobytes()
    assert runner.reported == {"planar_configuration": 1}


@pytest.mark.parametrize("kind", [Runner30, Runner31])
def test_plugin_reports_unpacked_bits_for_each_frame(kind: type[Runner30]) -> None:
    image = rng.integers(0, 2, (5, 7), dtype=np.uint8)
    src = encoded(image, 1)
    runner = kind(options(image, 1))
    for _ in range(3):
        frame = pydicom_v3.decode_frame(src, runner)  # type: ignore[arg-type]
        assert bytes(frame) == image.tobytes()
        assert runner.reported["bits_allocated"] == 8


def test_plugin_leaves_unused_bits_to_pydicom() -> None:
    image = rng.integers(0, 2**16, (4, 4), dtype=np.uint16)
    runner = Runner30(options(image, 16, bits_stored=12, pixel_representation=1))
    assert bytes(pydicom_v3.decode_frame(encoded(image, 16), runner)) == image.astype("<u2").tobytes()  # type: ignore[arg-type]
    ds = dataset(image & 0x0FFF, RLELossless, bits_stored=12, garbage=image & 0xF000)
    assert np.array_equal(ds.pixel_array, image & 0x0FFF)
    assert np.array_equal(pixel_array(ds, correct_unused_bits=False), image)


@pytest.mark.parametrize("option", [{"rle_segment_order": "<"}, {"byteorder": ">"}])
def test_plugin_decodes_little_endian_segments(option: dict[str, str]) -> None:
    image = rng.integers(0, 2**32, (4, 5), dtype=np.uint32)
    runner = Runner30(options(image, 32, **option))
    src = encoded(image, 32, little=True)
    assert bytes(pydicom_v3.decode_frame(src, runner)) == image.astype("<u4").tobytes()  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("uid", [RLELossless, ENCAPSULATED_UNCOMPRESSED])
def test_pixel_array_with_plugin_round_trips(uid: str, frames: int, samples: int, dtype: str) -> None:
    shape = (frames, 5, 6, samples) if samples > 1 else (frames, 5, 6)
    bits = np.dtype(dtype).itemsize * 8
    images = random_values(rng, shape, bits, dtype)
    ds = dataset(images, uid, samples_per_pixel=samples, table="basic")
    expected = images[0] if frames == 1 else images
    assert ds.pixel_array.dtype == images.dtype
    assert np.array_equal(ds.pixel_array, expected)
    for index in range(frames):
        assert np.array_equal(pixel_array(ds, index=index), images[index])
    assert np.array_equal(np.stack(list(iter_pixels(ds))), images)
    assert np.array_equal(pixel_array(ds, decoding_plugin="dicoxide"), expected)


def test_pixel_array_of_encapsulated_planes() -> None:
    images = rng.integers(0, 256, (3, 4, 6, 3), dtype=np.uint8)
    ds = dataset(images, ENCAPSULATED_UNCOMPRESSED, samples_per_pixel=3, planar_configuration=1, table="basic")
    assert np.array_equal(ds.pixel_array, images)
    assert np.array_equal(np.stack(list(iter_pixels(ds, indices=[2, 0, 1, 1]))), images[[2, 0, 1, 1]])


def test_pixel_array_of_encapsulated_ybr_full_422_equals_native() -> None:
    images = np.repeat(rng.integers(0, 256, (2, 4, 3, 3), dtype=np.uint8), 2, axis=2)
    colour = {"samples_per_pixel": 3, "photometric_interpretation": "YBR_FULL_422"}
    ds = dataset(images, ENCAPSULATED_UNCOMPRESSED, table="basic", **colour)
    native = dataset(images, ExplicitVRLittleEndian, **colour)
    assert np.array_equal(ds.pixel_array, native.pixel_array)
    assert np.array_equal(pixel_array(ds, raw=True), pixel_array(native, raw=True))


@pytest.mark.filterwarnings("ignore:segment 1 has packed bits")
@pytest.mark.parametrize("packed", [False, True], ids=["bytes", "packed"])
def test_pixel_array_of_single_bits(packed: bool) -> None:
    images = rng.integers(0, 2, (3, 5, 7), dtype=np.uint8)
    coded = [rle.encode(image[..., None], 1, packed=packed) for image in images]
    ds = dataset(images, RLELossless, bits_allocated=1, table="basic", coded=coded)
    assert np.array_equal(ds.pixel_array, images)
    assert np.array_equal(np.stack(list(iter_pixels(ds))), images)
    assert np.array_equal(pixel_array(ds, index=1), images[1])


def corrupt() -> Any:
    ds = dataset(rng.integers(0, 2**16, (3, 4, 4), dtype=np.uint16), RLELossless, table="basic")
    value = bytearray(ds.PixelData)
    # Basic Offset Table item with three offsets, then the first frame's item: its number of segments.
    value[8 + 12 + 8] = 0
    ds.PixelData = bytes(value)
    return ds


def test_corrupt_frame_is_not_passed_to_other_plugins(caplog: pytest.LogCaptureFixture) -> None:
    requested: list[str] = []
    decoder = get_decoder(RLELossless)

    def guess(src: bytes, runner: Any) -> bytearray:
        requested.append("guess")
        return bytearray(32)

    decoder._available["guess"] = guess  # type: ignore[assignment]
    try:
        for call in (lambda: corrupt().pixel_array, lambda: pixel_array(corrupt(), index=0)):
            with caplog.at_level(logging.CRITICAL), pytest.raises(RuntimeError, match=r"dicoxide: .*segments"):
                call()
        assert requested == []
        # Only the plugins of that call were changed.
        assert decoder._available["guess"] is guess
        assert np.array_equal(pixel_array(corrupt(), index=1).shape, (4, 4))
    finally:
        del decoder._available["guess"]


def test_plugin_with_corrupt_frame_raises_corrupt_frame_error() -> None:
    runner = Runner30(options(np.zeros((4, 4), np.uint16), 16))
    with pytest.raises(CorruptFrameError):
        pydicom_v3.decode_frame(bytes(64), runner)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [-5, 2, 1 << 40, "x", [1, 1], Sequence([Dataset()]), float("inf")])
def test_plugin_with_invalid_pixel_representation_raises(value: Any) -> None:
    # pydicom checks it for Pixel Data only, and a corrupt file may have items in Float Pixel Data.
    image = rng.integers(0, 256, (4, 4), dtype=np.uint8)
    runner = Runner30(options(image, 8, pixel_representation=value))
    with pytest.raises(CorruptFrameError, match="(?i)pixel ?representation"):
        pydicom_v3.decode_frame(encoded(image, 8), runner)  # type: ignore[arg-type]


def test_unsupported_frame_is_passed_on_without_log(caplog: pytest.LogCaptureFixture) -> None:
    # Bits Allocated 24 has no dtype; the plugin of pydicom decodes it to bytes.
    segment = rle.encode_segment(bytes(range(6)))
    src = rle.assemble([segment] * 3)
    arguments = {**options(np.zeros((2, 3)), 24), "number_of_frames": 1, "pixel_keyword": "PixelData"}
    arguments["planar_configuration"] = 0
    value = encapsulate([src]).value
    frame, _ = get_decoder(RLELossless).as_buffer(value, **arguments)
    assert bytes(frame) == bytes(value for value in range(6) for _ in range(3))
    assert not caplog.records
    with caplog.at_level(logging.CRITICAL), pytest.raises(RuntimeError, match="dicoxide: bits allocated 24"):
        get_decoder(RLELossless).as_buffer(value, decoding_plugin="dicoxide", **arguments)


def test_unsupported_frame_without_other_plugins_raises() -> None:
    runner = Runner30(options(np.zeros((2, 3)), 24))
    with pytest.raises(UnsupportedError):
        pydicom_v3.decode_frame(bytes(64), runner)  # type: ignore[arg-type]

    def refuses(src: bytes, runner: Any) -> bytearray:
        raise RuntimeError

    runner._decoders = {"dicoxide": pydicom_v3.decode_frame, "x": refuses}
    with pytest.raises(UnsupportedError):
        pydicom_v3.decode_frame(bytes(64), runner)  # type: ignore[arg-type]
    runner._decoders["y"] = lambda src, runner: bytearray(b"yes")
    assert pydicom_v3.decode_frame(bytes(64), runner) == b"yes"  # type: ignore[arg-type]


def test_plugin_warns_of_deviations_once_per_call() -> None:
    image = rng.integers(0, 256, (4, 4), dtype=np.uint8)
    src = rle.assemble([rle.encode_segment(image.tobytes()) + b"\0\7\0\7"])
    runner: Any = Runner30(options(image, 8))
    with pytest.warns(NonConformantWarning, match="Annex G"):
        assert bytes(pydicom_v3.decode_frame(src, runner)) == image.tobytes()
    # Warnings are errors here.
    assert bytes(pydicom_v3.decode_frame(src, runner)) == image.tobytes()


needs_jpeg_lossless = pytest.mark.skipif(
    dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG Lossless"
)


# PS3.5 8.2.1: the precision of a codestream is at most Bits Stored.
@needs_jpeg_lossless
@pytest.mark.parametrize("uid", [JPEGLossless, JPEGLosslessSV1, JPEGBaseline8Bit, JPEGLSLossless])
@pytest.mark.parametrize(("precisions", "bits_stored"), [([16], 12), ([12, 16, 16], 12), ([16, 12, 12], 10)])
def test_plugin_warns_of_precision_over_bits_stored_as_decode(
    uid: UID, precisions: list[int], bits_stored: int
) -> None:
    images = rng.integers(0, 1 << 10, (len(precisions), 6, 7), dtype=np.uint16)
    coded = [
        dicoxide.jpeg_lossless_encode(image, precision=precision)
        for image, precision in zip(images, precisions, strict=True)
    ]
    ds = dataset(images, uid, bits_stored=bits_stored, coded=coded)
    with pytest.warns(NonConformantWarning) as of_decode:
        expected = dicoxide.decode(ds)
    with warnings.catch_warnings(record=True) as of_plugin:
        warnings.simplefilter("always")
        assert np.array_equal(ds.pixel_array, expected)
    # decode adds the frame's index and the byte offset.
    found = [re.sub(r"^frame \d+: | at byte \d+", "", str(warning.message)) for warning in of_decode]
    messages = [str(warning.message) for warning in of_plugin if warning.category is NonConformantWarning]
    assert messages == found
    # Those of the first frame that has any: under another transfer syntax, it is frame 0.
    has_precision = uid in (JPEGLossless, JPEGLosslessSV1) or precisions[0] > bits_stored
    assert any("precision" in message for message in messages) == has_precision


@needs_jpeg_lossless
@pytest.mark.filterwarnings("error::dicoxide.NonConformantWarning")
@pytest.mark.parametrize(("dtype", "bits_stored"), [("u1", 8), ("u2", 12), ("u2", 16), ("i2", 12)])
def test_plugin_with_precision_of_bits_stored_does_not_warn(dtype: str, bits_stored: int) -> None:
    image = random_values(rng, (6, 7), bits_stored, dtype)
    coded = [dicoxide.jpeg_lossless_encode(image.view(f"u{dtype[1]}") & (1 << bits_stored) - 1, precision=bits_stored)]
    ds = dataset(image, JPEGLossless, bits_stored=bits_stored, coded=coded)
    assert np.array_equal(ds.pixel_array, image)


def test_reporter_is_selected_by_the_runner_class() -> None:
    reported: list[tuple[Any, ...]] = []
    old = type("Old", (), {"set_option": lambda self, *a: reported.append(a)})()
    new = type("New", (), {"set_frame_option": lambda self, *a: reported.append(a), "index": 7})()
    pydicom_v3.reporter(old)("bits_allocated", 8)
    pydicom_v3.reporter(new)("bits_allocated", 8)
    assert reported == [("bits_allocated", 8), (7, "decoding_plugin", "dicoxide"), (7, "bits_allocated", 8)]


def test_plugin_accepts_bytearray() -> None:
    image = rng.integers(0, 256, (4, 4), dtype=np.uint8)
    runner = Runner30(options(image, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = pydicom_v3.decode_frame(bytearray(encoded(image, 8)), runner)  # type: ignore[arg-type]
    assert bytes(frame) == image.tobytes()


@pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG 2000")
@pytest.mark.filterwarnings("ignore:codestream in JP2 boxes")
@pytest.mark.parametrize("frame_count", [1, 3])
def test_decompressed_jpeg2000_declares_rgb(frame_count: int) -> None:
    ds = pydicom.dcmread(PYDICOM_FILES / "test_files" / "GDCMJ2K_TextGBR.dcm")
    assert ds.PhotometricInterpretation == "YBR_RCT"
    (frame,) = generate_frames(ds.PixelData, number_of_frames=1)
    ds.PixelData = encapsulate_frames([frame] * frame_count)
    ds.NumberOfFrames = frame_count
    expected = ds.pixel_array
    decompress(ds)
    assert ds.PhotometricInterpretation == "RGB"
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    np.testing.assert_array_equal(ds.pixel_array, expected)
