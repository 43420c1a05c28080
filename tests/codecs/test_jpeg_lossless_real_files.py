"""Real JPEG Lossless codestreams: equal to other decoders, or rejected for a reason in the standard."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGLossless, JPEGLosslessSV1

import dicoxide
from dicoxide import UnsupportedError
from support import reference_jpeg_lossless as reference
from support.real_images import manifest_rows, path_parameters

pytestmark = [
    pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG Lossless"),
    # Some of these have a byte after EOI that is not padding.
    pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning"),
]


OBJECTS = path_parameters([row for row in manifest_rows() if row["uid"] in (JPEGLossless, JPEGLosslessSV1)])
BARE = path_parameters([row for row in manifest_rows() if not row["uid"] and row["jpeg_sof"] == "C3"])
OTHER_PROCESSES = path_parameters(
    [row for row in manifest_rows() if not row["uid"] and row["jpeg_sof"] in ("C0", "C1", "C2")]
)


def frames(path: Path) -> tuple[Any, list[bytes]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(path, force=True)
        return ds, list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_codestream_equals_the_reference_decoder(path: Path) -> None:
    _, streams = frames(path)
    for src in streams[:2]:
        decoded = dicoxide.jpeg_lossless_decode(src)
        if decoded.size <= 600_000:
            expected = reference.decode(src).values
            assert decoded.dtype == expected.dtype
            assert np.array_equal(decoded, expected)


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_codestream_equals_libjpeg_turbo(path: Path) -> None:
    imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
    _, streams = frames(path)
    for src in streams:
        # libjpeg-turbo rejects some fill bytes and padding.
        decoded = dicoxide.jpeg_lossless_decode(src)
        unconverted = {"colorspace": "RGB", "outcolorspace": "RGB"} if decoded.ndim == 3 else {}
        expected = imagecodecs.jpeg8_decode(src[: src.rindex(b"\xff\xd9") + 2], **unconverted)
        assert np.array_equal(decoded, expected)


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_object_equals_gdcm(path: Path) -> None:
    pytest.importorskip("gdcm", reason="a decoder to compare with")
    ds, _ = frames(path)
    decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
    if "gdcm" not in decoder.available_plugins:
        pytest.skip("pydicom does not take this GDCM")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, _ = decoder.as_array(ds, raw=True, decoding_plugin="gdcm")
    assert np.array_equal(dicoxide.decode(ds, raw=True, fallback=False), expected)


def test_decode_of_gradient_with_point_transform(shared: Path) -> None:
    result = {path.name: path for path in shared.rglob("gradient_ls*.jpg")}
    if len(result) != 2:
        pytest.skip("the gradients are not among the shared images")
    whole = dicoxide.jpeg_lossless_decode(result["gradient_ls.jpg"].read_bytes())
    assert whole.dtype == np.uint16
    coarse = dicoxide.jpeg_lossless_decode(result["gradient_ls_pt.jpg"].read_bytes())
    # The point transform drops four bits; they decode to zeros.
    assert np.array_equal(coarse, whole >> 4 << 4)


@pytest.mark.parametrize("path", BARE)
def test_decode_of_bare_codestream_equals_the_reference_decoder(path: Path) -> None:
    src = path.read_bytes()
    if path.name == "O1.JPG":
        # T.83: three components of different size.
        with pytest.raises(UnsupportedError) as caught:
            dicoxide.jpeg_lossless_decode(src)
        assert caught.value.clause == "ITU-T T.81 A.1.1"
        with pytest.raises(reference.InvalidFrameError, match="unsupported"):
            reference.decode(src)
        return
    assert np.array_equal(dicoxide.jpeg_lossless_decode(src), reference.decode(src).values)


@pytest.mark.parametrize("path", OTHER_PROCESSES)
def test_decode_of_real_file_of_other_process_raises_unsupported(path: Path) -> None:
    with pytest.raises(UnsupportedError):
        dicoxide.jpeg_lossless_decode(path.read_bytes())
