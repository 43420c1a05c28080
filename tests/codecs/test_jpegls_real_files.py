"""Real JPEG-LS files: equal to CharLS, alone and in pydicom, on every CPU level."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless

import dicoxide
from dicoxide import UnsupportedError
from support import reference_jpegls as reference
from support.jpeg_frames import LEVELS, decoded_at_level
from support.real_images import SHARED, manifest_rows, path_parameters, pydicom_files

pytestmark = [
    pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG-LS"),
    pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning"),
]

UIDS = (JPEGLSLossless, JPEGLSNearLossless)
# The reference decoder takes about half a second for this number of samples.
MAX_REFERENCE_SAMPLES = 100_000
# Conformance streams with subsampled components, which no installed decoder reads.
SUBSAMPLED = ("T8SSE0.JLS", "T8SSE3.JLS")


def _transfer_syntax(path: Path) -> str:
    try:
        return str(pydicom.dcmread(path, specific_tags=["Rows"]).file_meta.TransferSyntaxUID)
    except Exception:
        return ""


OBJECTS = [
    *path_parameters([row for row in manifest_rows() if row["uid"] in UIDS]),
    *(pytest.param(path, id=f"pydicom {path.name}") for path in pydicom_files() if _transfer_syntax(path) in UIDS),
]
BARE = path_parameters([row for row in manifest_rows() if not row["uid"] and row["jpeg_sof"] == "F7"])
# Near-lossless conformance streams, and the lossless streams of the same rasters.
NEAR_STREAMS = [param for param in BARE if param.values[0] and param.values[0].stem.endswith("E3")]
LOSSLESS_OBJECTS = path_parameters([row for row in manifest_rows() if row["uid"] == JPEGLSLossless and row["truth"]])


def frames(path: Path) -> tuple[Any, list[bytes]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(path, force=True)
        return ds, list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))


def charls(src: bytes) -> Any:
    """Return the samples of CharLS."""
    imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
    return imagecodecs.jpegls_decode(src)


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_object_equals_pydicom_with_pyjpegls(path: Path) -> None:
    pytest.importorskip("jpeg_ls", reason="a decoder to compare with")
    ds, _ = frames(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
        try:
            expected, _ = decoder.as_array(ds, raw=True, decoding_plugin="pyjpegls")
        except RuntimeError:
            # A padding byte before EOI, which pyjpegls refuses.
            expected, _ = decoder.as_array(ds, raw=True)
        assert np.array_equal(dicoxide.decode(ds, raw=True, fallback=False), expected)
        assert np.array_equal(dicoxide.decode(path, raw=True, fallback=False, threads=2), expected)
        pixel_array = ds.pixel_array
        assert np.array_equal(dicoxide.decode(ds, fallback=False), pixel_array)
        with dicoxide.enabled():
            found = frames(path)[0].pixel_array
        assert found.dtype == pixel_array.dtype
        assert np.array_equal(found, pixel_array)


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_codestream_equals_charls_on_every_level(path: Path) -> None:
    _, streams = frames(path)
    for src in streams:
        expected = charls(src)
        assert np.array_equal(dicoxide.decode_codestream(src), expected)
        for is_portable in LEVELS:
            assert np.array_equal(decoded_at_level(src, is_portable, uid=JPEGLSLossless), expected)


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_codestream_equals_the_reference_decoder(path: Path) -> None:
    _, streams = frames(path)
    for src in streams[:1]:
        found = dicoxide.decode_codestream(src)
        if found.size <= MAX_REFERENCE_SAMPLES:
            assert np.array_equal(found, reference.decode(src).values)


@pytest.mark.parametrize("path", BARE)
def test_decode_of_conformance_stream_equals_charls(path: Path) -> None:
    src = path.read_bytes()
    if path.name in SUBSAMPLED:
        with pytest.raises(UnsupportedError):
            dicoxide.decode_codestream(src)
        return
    expected = charls(src)
    assert np.array_equal(dicoxide.decode_codestream(src), expected)
    for is_portable in LEVELS:
        assert np.array_equal(decoded_at_level(src, is_portable, uid=JPEGLSLossless), expected)


@pytest.mark.parametrize("path", NEAR_STREAMS)
def test_near_lossless_conformance_stream_differs_from_lossless_stream_by_at_most_near(path: Path) -> None:
    if path.name in SUBSAMPLED:
        pytest.skip("subsampled components")
    lossless = path.parents[1] / "JLS" / path.name.replace("E3", "E0")
    found, expected = (dicoxide.decode_codestream(source.read_bytes()) for source in (path, lossless))
    assert np.abs(found.astype(int) - expected).max() == 3


@pytest.mark.parametrize("path", LOSSLESS_OBJECTS)
def test_decode_of_lossless_object_equals_its_uncompressed_source(path: Path) -> None:
    row = next(row for row in manifest_rows() if SHARED / row["path"] == path)
    source = SHARED / "files" / row["truth"]
    if not source.is_file() or source.suffix == ".ppm":
        pytest.skip("the source is not available")
    assert np.array_equal(dicoxide.decode(path, raw=True, fallback=False), dicoxide.decode(source, raw=True))
