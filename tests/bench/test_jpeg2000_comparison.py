"""`dicoxide bench` of JPEG 2000 and HTJ2K: generated images, decoders that support them, votes, and rounding of 9/7."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import JPEG2000, HTJ2KLossless

import dicoxide
from dicoxide.bench import DECODERS, DICOXIDE, cases_from_paths
from dicoxide.bench._array_comparison import difference
from dicoxide.bench._cases import Case, generated_cases
from dicoxide.bench._decoders import LoadedCase

needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="the core decodes JPEG 2000")

CASE = Case("x", "file", "", JPEG2000, "", "", 2, 3, 1, 16, 12, 0, 1, "<u2", 12, 12)


@needs_core
def test_generated_cases_are_decoded_at_the_level_codec(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="encodes JPEG 2000")
    cases = {case.name: case for case in generated_cases(str(tmp_path), ["us-rgb-480x640", "mr-256"])}
    for name in ("us-rgb-480x640-jpeg-2000", "us-rgb-480x640-htj2k", "mr-256-jpeg-2000", "mr-256-htj2k"):
        loaded = LoadedCase(cases[name])
        expected = np.load(str(loaded.case.reference))
        assert np.array_equal(dicoxide.decode(loaded.case.path, fallback=False), expected)
        for decoder in (DECODERS[decoder] for decoder in (DICOXIDE, "imagecodecs", "pylibjpeg")):
            if decoder.is_installed():
                call = decoder.bind("codec", loaded, "", 1)
                assert call is not None
                assert np.array_equal(decoder.normalised("codec", loaded, call()), expected)


@needs_core
@pytest.mark.parametrize("variant", ["", "out="])
def test_codec_level_ignores_the_sign_as_other_codecs_do(variant: str) -> None:
    (case,), _ = cases_from_paths([str(get_testdata_file("J2K_pixelrep_mismatch.dcm"))])
    results = []
    for name in (DICOXIDE, "imagecodecs", "pylibjpeg"):
        decoder, loaded = DECODERS[name], LoadedCase(case)
        if decoder.is_installed() and variant in decoder.variants:
            call = decoder.bind("codec", loaded, variant, 1)
            assert call is not None
            results.append(decoder.normalised("codec", loaded, call()))
    assert all(np.array_equal(result, results[0]) for result in results)


@needs_core
@pytest.mark.parametrize(
    ("uid", "implementations"),
    [
        (HTJ2KLossless, {"imagecodecs": "OpenJPH", "pylibjpeg": "OpenJPEG", "gdcm": "OpenJPEG", "dicoxide": DICOXIDE}),
        (JPEG2000, {"imagecodecs": "OpenJPEG", "pillow": "OpenJPEG", "dicomsdl": "OpenJPEG", "dicoxide": DICOXIDE}),
    ],
    ids=["HTJ2K", "JPEG 2000"],
)
def test_implementation_of_a_decoder_is_its_library(uid: str, implementations: dict[str, str]) -> None:
    case = CASE._replace(transfer_syntax=uid)
    assert {name: DECODERS[name].implementation(case, "file") for name in implementations} == implementations


def test_difference_of_modality_values_tolerates_rounding_of_stored_values() -> None:
    reference = np.full((2, 3), 100, np.float32)
    case = CASE._replace(slope=3.5)
    assert difference(reference + np.float32(7), reference, case) is None
    assert difference(reference + np.float32(7.5), reference, case) is not None
    lossless = case._replace(transfer_syntax=HTJ2KLossless)
    assert difference(reference + np.float32(7), reference, lossless) is not None
