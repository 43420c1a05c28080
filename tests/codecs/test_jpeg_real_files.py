"""Real JPEG DCT files: equal to libjpeg-turbo, to the reference decoder, and to pydicom with Pillow."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import convert_color_space, get_decoder
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

import dicoxide
from dicoxide import UnsupportedError
from support import reference_jpeg_dct as reference
from support.real_images import manifest_rows, path_parameters

pytestmark = [
    pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG"),
    # Se = 0, progressive codestreams, bytes after EOI.
    pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning"),
]

# The reference decoder takes about a second for this number of pixels.
MAX_REFERENCE_PIXELS = 300_000


OBJECTS = path_parameters([row for row in manifest_rows() if row["uid"] in (JPEGBaseline8Bit, JPEGExtended12Bit)])
BARE = path_parameters([row for row in manifest_rows() if not row["uid"] and row["jpeg_sof"] in ("C0", "C1", "C2")])


def frames(path: Path) -> tuple[Any, list[bytes]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(path, force=True)
        return ds, list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))


def trimmed(src: bytes) -> bytes:
    """Return the codestream up to its last EOI marker."""
    return src[: src.rindex(b"\xff\xd9") + 2] if b"\xff\xd9" in src else src


def turbo(src: bytes) -> Any:
    """Return the stored samples of libjpeg-turbo."""
    imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
    components = dicoxide.codestream_info(src).components
    spaces = {3: "YCBCR", 4: "CMYK"}
    stored = {} if components not in spaces else dict.fromkeys(("colorspace", "outcolorspace"), spaces[components])
    return imagecodecs.jpeg8_decode(trimmed(src), **stored)


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_object_equals_libjpeg_turbo(path: Path) -> None:
    _, streams = frames(path)
    decoded = dicoxide.decode(path, raw=True, fallback=False)
    decoded = decoded if len(streams) > 1 else decoded[None]
    assert len(decoded) == len(streams)
    for frame, src in zip(decoded, streams, strict=True):
        expected = turbo(src)
        assert np.array_equal(frame, expected)
        assert np.array_equal(dicoxide.decode_codestream(src), expected)


@pytest.mark.parametrize("path", OBJECTS)
def test_to_rgb_of_real_codestream_equals_libjpeg_turbo(path: Path) -> None:
    imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
    _, streams = frames(path)
    for src in streams:
        expected = imagecodecs.jpeg8_decode(trimmed(src))
        assert np.array_equal(dicoxide.decode_codestream(src, to_rgb=True), expected)


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_codestream_equals_the_reference_decoder(path: Path) -> None:
    _, streams = frames(path)
    for src in streams[:1]:
        info = dicoxide.codestream_info(src)
        if (info.rows or 0) * (info.columns or 0) <= MAX_REFERENCE_PIXELS:
            for reduce in (0, 1, 2, 3):
                found = dicoxide.decode_codestream(src, reduce=reduce)
                assert np.array_equal(found, reference.decode(src, reduce=reduce))


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_object_equals_pydicom_with_pillow(path: Path) -> None:
    pytest.importorskip("PIL", reason="a decoder to compare with")
    ds, streams = frames(path)
    if dicoxide.codestream_info(streams[0]).precision != 8:
        pytest.skip("Pillow decodes 8 bits")
    decoder = get_decoder(ds.file_meta.TransferSyntaxUID)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, meta = decoder.as_array(ds, raw=True, decoding_plugin="pillow")
        found = dicoxide.decode(ds, raw=True, fallback=False)
        has_adobe = b"\xff\xee" in streams[0][:64] and b"Adobe" in streams[0][:64]
        if not has_adobe:
            # Pillow converts the colour of codestreams with Adobe's segment.
            assert np.array_equal(found, expected)
        if found.shape[-1] == 3 and "YBR" in str(meta["photometric_interpretation"]):
            expected = convert_color_space(found, "YBR_FULL", "RGB")
        else:
            expected = found
        assert np.array_equal(dicoxide.decode(ds, fallback=False), expected)
        with dicoxide.enabled():
            assert np.array_equal(ds.pixel_array, expected)


@pytest.mark.parametrize("path", BARE)
def test_decode_of_bare_codestream_equals_libjpeg_turbo(path: Path) -> None:
    src = path.read_bytes()
    try:
        decoded = dicoxide.decode_codestream(src)
    except UnsupportedError as error:
        pytest.skip(str(error))
    assert np.array_equal(decoded, turbo(src))
