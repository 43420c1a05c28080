"""Real JPEG 2000 and HTJ2K files: equal to OpenJPEG and OpenJPH, alone and in pydicom, on every CPU level."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import HTJ2K, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, JPEG2000Lossless

import dicoxide
from support import opj_decompress
from support.jpeg2000_frames import JPEG_2000
from support.jpeg_frames import LEVELS, decoded_at_level
from support.real_images import SHARED, manifest_rows, path_parameters, pydicom_files

pytestmark = [
    pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG 2000"),
    pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning"),
]

JPEG2000_UIDS = (JPEG2000Lossless, JPEG2000)
HT_UIDS = (HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)
UIDS = JPEG2000_UIDS + HT_UIDS
# Its only fragment ends within the codestream, at bytes that equal a sequence delimiter; no decoder reads it.
CUT = "JPEG2000-embedded-sequence-delimiter.dcm"


def _transfer_syntax(path: Path) -> str:
    try:
        return str(pydicom.dcmread(path, specific_tags=["Rows"]).file_meta.TransferSyntaxUID)
    except Exception:
        return ""


ROWS = [row for row in manifest_rows() if row["uid"] in UIDS and not row["path"].endswith(CUT)]
OBJECTS = [
    *path_parameters(ROWS),
    *(
        pytest.param(path, id=f"pydicom {path.name}")
        for path in pydicom_files()
        if _transfer_syntax(path) in UIDS and path.name != CUT
    ),
]
LOSSLESS_OBJECTS = path_parameters([row for row in ROWS if row["truth"]])
# Lossless files of the same images in both syntaxes.
PAIRS = [(f"{name}_J2KR", f"{name}_JPH") for name in ("CT1", "MR1", "NM1", "RG2", "VL1", "XA1")]


def frames(path: Path) -> tuple[Any, list[bytes]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(path, force=True)
        return ds, list(generate_frames(ds.PixelData, number_of_frames=int(ds.get("NumberOfFrames") or 1)))


def decoded_by_others(src: bytes) -> Any:
    """Return the samples of OpenJPEG, or of OpenJPH for HT codestreams."""
    imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")
    is_ht = dicoxide.codestream_info(src).format == "htj2k"
    return imagecodecs.htj2k_decode(src) if is_ht else imagecodecs.jpeg2k_decode(src)


def assert_equal_or_close(found: Any, expected: Any, src: bytes) -> None:
    """Assert equal samples, or for 9/7 samples that differ by 1 at most, without a shift."""
    assert found.shape == expected.shape
    difference = found.astype(np.int64) - expected
    if dicoxide.codestream_info(src).is_lossy:
        assert np.abs(difference).max() <= 1
        assert abs(difference.mean()) < 0.01
    else:
        assert not difference.any()


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_codestream_equals_openjpeg_or_openjph_on_every_level(path: Path) -> None:
    ds, streams = frames(path)
    for src in streams[:3]:
        found = dicoxide.decode_codestream(src)
        expected = decoded_by_others(src)
        assert_equal_or_close(found, expected, src)
        signed = int(bool(dicoxide.codestream_info(src).is_signed))
        attributes = {
            "bits_allocated": ds.BitsAllocated,
            "pixel_representation": signed,
            "photometric_interpretation": "RGB" if ds.SamplesPerPixel == 3 else "MONOCHROME2",
        }
        for is_portable in LEVELS:
            levelled = decoded_at_level(src, is_portable, uid=JPEG_2000, attributes=attributes)
            assert np.array_equal(levelled, found)
        assert np.array_equal(dicoxide.decode_codestream(src, threads=3), found)


@pytest.mark.parametrize("path", OBJECTS)
def test_decode_of_real_object_equals_pydicom(path: Path) -> None:
    ds, streams = frames(path)
    uid = ds.file_meta.TransferSyntaxUID
    if "pylibjpeg" not in get_decoder(uid).available_plugins:
        pytest.skip("a decoder to compare with")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, _ = get_decoder(uid).as_array(ds, raw=True, decoding_plugin="pylibjpeg")
        for src, threads in ((ds, 1), (path, 1), (path, 2)):
            found = dicoxide.decode(src, raw=True, fallback=False, threads=threads)
            assert found.dtype == expected.dtype
            assert_equal_or_close(found, expected, streams[0])
        with dicoxide.enabled():
            again = frames(path)[0].pixel_array
        assert again.dtype == ds.pixel_array.dtype
        if not dicoxide.codestream_info(streams[0]).is_lossy:
            assert np.array_equal(again, ds.pixel_array)
            assert np.array_equal(dicoxide.decode(ds, fallback=False), ds.pixel_array)


@pytest.mark.skipif(opj_decompress.DECODER is None, reason="a decoder to compare with")
@pytest.mark.parametrize("path", OBJECTS)
def test_reduced_decode_of_real_codestream_equals_openjpeg(path: Path, tmp_path: Path) -> None:
    _, (src, *_) = frames(path)
    info = dicoxide.codestream_info(src)
    for reduce in range(1, min(4, info.resolution_levels)):
        found = dicoxide.decode_codestream(src, reduce=reduce)
        assert found.shape[:2] == (-(-info.rows >> reduce), -(-info.columns >> reduce))
        planes = opj_decompress.decode_planes(src, tmp_path, info.components, reduce=reduce)
        assert_equal_or_close(found, planes[0] if len(planes) == 1 else np.stack(planes, -1), src)


@pytest.mark.parametrize("path", LOSSLESS_OBJECTS)
def test_decode_of_lossless_object_equals_its_uncompressed_source(path: Path) -> None:
    row = next(row for row in ROWS if SHARED / row["path"] == path)
    source = SHARED / "files" / row["truth"]
    if not source.is_file() or source.suffix == ".ppm" or row["uid"] in (JPEG2000, HTJ2K):
        pytest.skip("the source is not available")
    found, expected = (dicoxide.decode(src, raw=True, fallback=False) for src in (path, source))
    # The source of one object has only its first frame.
    assert np.array_equal(found.reshape(-1, *expected.shape)[0], expected)


@pytest.mark.parametrize(("j2k", "ht"), PAIRS)
def test_lossless_objects_of_the_same_image_are_equal(j2k: str, ht: str) -> None:
    paths = {Path(row["path"]).name: SHARED / row["path"] for row in ROWS}
    if not {j2k, ht} <= paths.keys():
        pytest.skip("the shared images are not available")
    assert np.array_equal(
        dicoxide.decode(paths[j2k], raw=True, fallback=False), dicoxide.decode(paths[ht], raw=True, fallback=False)
    )
