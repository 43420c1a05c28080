"""The pydicom 2 handler: encoded values round trip, and results equal the handlers of pydicom."""

from __future__ import annotations

import copy
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.multival import MultiValue
from pydicom.pixel_data_handlers import numpy_handler, rle_handler
from pydicom.tag import Tag
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

import dicoxide
from dicoxide.errors import CorruptFrameError
from support.encoders.dataset import ENCAPSULATED_UNCOMPRESSED, IMPLICIT_VR, dataset, random_values
from support.real_images import PYDICOM_FILES, SHARED

rng = np.random.default_rng(6)
handler = dicoxide.pydicom_handler


@pytest.fixture(autouse=True)
def handlers() -> Iterator[list[Any]]:
    before = list(pydicom.config.pixel_data_handlers)
    pydicom.config.pixel_data_handlers[:] = [handler]
    yield pydicom.config.pixel_data_handlers
    pydicom.config.pixel_data_handlers[:] = before


def v2(ds: Any) -> np.ndarray[Any, Any]:
    ds.pixel_array_options(use_v2_backend=True)
    return ds.pixel_array  # type: ignore[no-any-return]


def test_handler_has_the_names_of_the_interface() -> None:
    assert handler.HANDLER_NAME == "dicoxide"
    assert set(handler.DEPENDENCIES) == {"numpy"}
    assert handler.is_available()
    assert all(map(handler.supports_transfer_syntax, (RLELossless, ExplicitVRBigEndian, IMPLICIT_VR)))
    assert not handler.supports_transfer_syntax("1.2.3")
    ds = dataset(np.zeros((2, 2), np.uint8), RLELossless)
    assert not handler.needs_to_convert_to_RGB(ds)
    assert not handler.should_change_PhotometricInterpretation_to_RGB(ds)
    assert handler.get_pixeldata(ds).shape == (4,)


@pytest.mark.filterwarnings("ignore:samples of .* bits read as big-endian numbers")
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(
    "uid", [IMPLICIT_VR, ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, ENCAPSULATED_UNCOMPRESSED]
)
def test_handler_round_trips_and_keeps_the_data_set(
    uid: str, planar: int, frames: int, samples: int, dtype: str
) -> None:
    shape = (frames, 5, 6, samples) if samples > 1 else (frames, 5, 6)
    images = random_values(rng, shape, np.dtype(dtype).itemsize * 8, dtype)
    ds = dataset(images, uid, samples_per_pixel=samples, planar_configuration=planar, table="basic")
    before = copy.deepcopy(ds)
    result = v2(ds)
    assert result.dtype == images.dtype
    assert np.array_equal(result, images[0] if frames == 1 else images)
    assert ds == before
    assert ds.file_meta == before.file_meta


def test_handler_masks_and_sign_extends() -> None:
    values = random_values(rng, (2, 4, 4), 12, "i2")
    garbage = rng.integers(0, 16, (2, 4, 4), dtype=np.uint16) << 12
    ds = dataset(values, bits_stored=12, garbage=garbage)
    assert np.array_equal(v2(ds), values)


@pytest.mark.parametrize("uid", [ExplicitVRLittleEndian, RLELossless])
def test_handler_decodes_single_bits(uid: Any) -> None:
    images = rng.integers(0, 2, (3, 5, 7), dtype=np.uint8)
    assert np.array_equal(v2(dataset(images, uid, bits_allocated=1, table="basic")), images)


def test_handler_does_not_convert_colour() -> None:
    images = rng.integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)
    ds = dataset(images, RLELossless, samples_per_pixel=3, photometric_interpretation="YBR_FULL", table="basic")
    assert np.array_equal(v2(ds), images)


def test_handler_returns_exactly_number_of_frames() -> None:
    images = rng.integers(0, 256, (3, 4, 6), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = v2(dataset(images, ExplicitVRLittleEndian, number_of_frames=2))
    assert np.array_equal(result, images[:2])
    with pytest.raises(CorruptFrameError):
        v2(dataset(images, RLELossless, number_of_frames=4, table="basic"))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("value", [b"1A", b"1\\\\2 ", b"x "])
def test_handler_with_invalid_number_of_frames_raises(value: bytes) -> None:
    ds = dataset(np.zeros((3, 2, 2), np.uint8))
    tag = Tag("NumberOfFrames")
    ds._dict[tag] = RawDataElement(tag, "IS", len(value), value, 0, False, True)
    with pytest.raises(CorruptFrameError, match="NumberOfFrames|0028,0008"):
        handler.get_pixeldata(ds)


@pytest.mark.parametrize("uid", [ExplicitVRLittleEndian, RLELossless])
def test_handler_without_pixel_data_raises_attribute_error(uid: str) -> None:
    ds = dataset(np.zeros((3, 2, 2), np.uint8), uid, table="basic")
    del ds.PixelData
    ds.pixel_array_options(use_v2_backend=True)
    assert not hasattr(ds, "pixel_array")
    with pytest.raises(AttributeError, match="Pixel Data"):
        handler.get_pixeldata(ds)


@pytest.mark.parametrize("keyword", ["BitsAllocated", "Rows", "Columns", "SamplesPerPixel"])
def test_handler_without_required_element_raises_attribute_error(keyword: str, handlers: list[Any]) -> None:
    ds = dataset(np.zeros((3, 2, 2), np.uint8))
    delattr(ds, keyword)
    for each in (numpy_handler, handler):
        handlers[:] = [each]
        with pytest.raises(AttributeError, match=keyword):
            v2(ds)


def test_handler_with_two_kinds_of_pixel_data_raises_attribute_error() -> None:
    ds = dataset(np.zeros((3, 2, 2), np.uint8))
    ds.FloatPixelData = bytes(48)
    ds.pixel_array_options(use_v2_backend=True)
    assert not hasattr(ds, "pixel_array")


def test_handler_rejects_several_transfer_syntaxes() -> None:
    assert not handler.supports_transfer_syntax(MultiValue(str, [RLELossless, RLELossless]))


def test_handler_leaves_unsupported_syntaxes_to_others(handlers: list[Any]) -> None:
    ds = dataset(np.zeros((2, 2), np.uint8), RLELossless)
    ds.file_meta.TransferSyntaxUID = JPEG2000
    if handler.supports_transfer_syntax(JPEG2000):
        pytest.skip("there is a codec for JPEG 2000")
    with pytest.raises(NotImplementedError):
        v2(ds)


JPEG_FAMILY = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSLossless, JPEGLSNearLossless)
needs_jpeg_lossless = pytest.mark.skipif(
    dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG Lossless"
)


@needs_jpeg_lossless
@pytest.mark.parametrize("uid", JPEG_FAMILY)
@pytest.mark.parametrize(("samples", "planar"), [(1, 0), (3, 0), (3, 1)])
@pytest.mark.parametrize("frames", [1, 3])
def test_handler_decodes_lossless_frames_of_other_jpeg_syntaxes(
    uid: UID, frames: int, samples: int, planar: int
) -> None:
    # The start-of-frame marker selects the decoder, not the transfer syntax.
    shape = (frames, 5, 6, samples) if samples > 1 else (frames, 5, 6)
    images = random_values(rng, shape, 8, "u1")
    coded = [dicoxide.jpeg_lossless_encode(image) for image in images]
    ds = dataset(images, uid, samples_per_pixel=samples, planar_configuration=planar, coded=coded)
    with pytest.warns(dicoxide.NonConformantWarning, match="JPEG Lossless"):
        result = v2(ds)
    assert np.array_equal(result, images[0] if frames == 1 else images)


@needs_jpeg_lossless
@pytest.mark.parametrize("uid", JPEG_FAMILY)
def test_handler_leaves_other_processes_to_the_next_handler(uid: UID, handlers: list[Any]) -> None:
    # Frame header of a DCT process with arithmetic coding.
    src = bytes.fromhex("ffd8 ffc9 000b 08 0002 0002 01 01 11 00 ffda 0008 01 01 00 00 3f 00 00 ffd9")
    ds = dataset(np.zeros((2, 2), np.uint8), uid, coded=[src])
    with pytest.raises(dicoxide.UnsupportedError, match="arithmetic|JPEG"):
        handler.get_pixeldata(ds)
    names = {name: getattr(handler, name) for name in dir(handler) if not name.startswith("_")}
    expected = np.arange(4, dtype=np.uint8)
    handlers.append(types.SimpleNamespace(**{**names, "HANDLER_NAME": "next", "get_pixeldata": lambda ds: expected}))
    assert np.array_equal(v2(ds).reshape(-1), expected)


def files() -> list[Path]:
    """Return the images of pydicom and, if available, the shared images."""
    return sorted(path for root in (PYDICOM_FILES, SHARED) for path in root.rglob("*") if path.is_file())


def test_handler_equals_the_handlers_of_pydicom(handlers: list[Any]) -> None:
    compared = 0
    for path in files():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ds = dcmread(path)
                handlers[:] = [numpy_handler, rle_handler]
                expected = v2(ds)
                # The handlers of pydicom do not mask.
                if ds.get("BitsStored", ds.BitsAllocated) != ds.BitsAllocated:
                    shift = ds.BitsAllocated - ds.BitsStored
                    expected = (expected << shift) >> shift
            except Exception:
                continue
            handlers[:] = [handler]
            ds = dcmread(path)
            before = copy.deepcopy(ds)
            result = v2(ds)
            assert ds == before, path
        assert result.dtype == expected.dtype.newbyteorder("="), path
        assert np.array_equal(result, expected, equal_nan=result.dtype.kind == "f"), path
        compared += 1
    if compared == 0:
        pytest.skip("pydicom is installed without its test files")
