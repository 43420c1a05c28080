"""JPEG with arithmetic coding, decoded by the plugins that are installed; without one, an error names the feature."""

from __future__ import annotations

import struct
import warnings
from typing import Any

import numpy as np
import pytest
from pydicom.pixels import convert_color_space, get_decoder
from pydicom.uid import UID

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning, UnsupportedError
from dicoxide._backend import backend
from support.arithmetic_jpeg import (
    COLOUR,
    GRAY,
    GRAY_HUFFMAN,
    GRAY_PROGRESSIVE,
    GRAY_SEQUENTIAL,
    RGB_COMPONENTS,
    YBR_COMPONENTS,
)
from support.encoders.dataset import dataset, to_bytes

PREFIX = "1.2.840.10008.1.2.4."
YBR = convert_color_space(COLOUR, "RGB", "YBR_FULL")
JFIF = b"\xff\xe0" + struct.pack(">H5sHBHHBB", 16, b"JFIF\0", 0x0101, 0, 1, 1, 0, 0)
# Loss of the coding process at high quality, in steps of a sample.
LOSS = 8

needs_extension = pytest.mark.skipif(backend != "rust", reason="the extension decodes JPEG")


def adobe(transform: int) -> bytes:
    return b"\xff\xee" + struct.pack(">H5sHHHB", 14, b"Adobe", 100, 0, 0, transform)


def file(codestream: bytes, declared: str = "MONOCHROME2", syntax: str = "51") -> bytes:
    samples = GRAY if declared == "MONOCHROME2" else COLOUR
    options: dict[str, Any] = {"samples_per_pixel": samples.shape[2] if samples.ndim == 3 else 1}
    ds = dataset(samples, PREFIX + syntax, photometric_interpretation=declared, coded=[codestream], **options)
    return to_bytes(ds)


@pytest.fixture(params=["pillow", "pylibjpeg"])
def plugin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leave one plugin only."""
    for syntax in ("50", "51"):
        decoder = get_decoder(UID(PREFIX + syntax))
        if request.param not in decoder.available_plugins:
            pytest.skip(f"{request.param} is not installed")
        monkeypatch.setattr(decoder, "_available", {request.param: decoder._available[request.param]})
    return str(request.param)


@pytest.mark.parametrize("codestream", [GRAY_SEQUENTIAL, GRAY_PROGRESSIVE], ids=["SOF9", "SOF10"])
@pytest.mark.parametrize("syntax", ["50", "51"])
@pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning")
def test_fallback_of_arithmetic_coding_returns_the_image(plugin: str, codestream: bytes, syntax: str) -> None:
    decoded = dicoxide.decode(file(codestream, syntax=syntax))
    assert np.abs(decoded.astype(int) - GRAY).max() <= LOSS
    if backend == "rust":
        # The coefficients are those of the codestream with Huffman coding; pylibjpeg's inverse DCT differs by a step.
        same = dicoxide.decode_codestream(GRAY_HUFFMAN)
        assert np.abs(decoded.astype(int) - same).max() <= (plugin == "pylibjpeg")


# (application data, components, Photometric Interpretation, evidence of the deviation). Decoded samples are RGB.
COLOURS: dict[str, tuple[bytes, bytes, str, str | None]] = {
    "YBR": (b"", YBR_COMPONENTS, "YBR_FULL_422", None),
    "YBR, JFIF, declared as RGB": (JFIF, YBR_COMPONENTS, "RGB", "JFIF"),
    "YBR, Adobe 1": (adobe(1), YBR_COMPONENTS, "YBR_FULL", None),
    "YBR, Adobe 1, declared as RGB": (adobe(1), YBR_COMPONENTS, "RGB", "Adobe transform 1"),
    "YBR, JFIF and Adobe 0": (JFIF + adobe(0), YBR_COMPONENTS, "YBR_FULL", None),
    "RGB": (b"", RGB_COMPONENTS, "RGB", None),
    "RGB, Adobe 0": (adobe(0), RGB_COMPONENTS, "RGB", None),
    "RGB, Adobe 0, declared as YBR_FULL": (adobe(0), RGB_COMPONENTS, "YBR_FULL", "Adobe transform 0"),
}


@pytest.mark.parametrize(("application", "codestream", "declared", "evidence"), COLOURS.values(), ids=COLOURS)
def test_fallback_of_arithmetic_coding_converts_colour_once(
    plugin: str, application: bytes, codestream: bytes, declared: str, evidence: str | None
) -> None:
    # Identifiers R, G and B declare a colour too.
    data = file(codestream[:2] + application + codestream[2:], declared)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoded = dicoxide.decode(data)
        stored = dicoxide.decode(data, raw=True)
    assert np.abs(decoded.astype(int) - COLOUR).max() <= LOSS
    expected = YBR if codestream is YBR_COMPONENTS else COLOUR
    assert np.abs(stored.astype(int) - expected).max() <= LOSS
    found = [str(warning.message) for warning in caught if warning.category is NonConformantWarning]
    assert sum("photometric interpretation" in message for message in found) == (evidence is not None)
    assert evidence is None or any(evidence in message for message in found)


@needs_extension
@pytest.mark.parametrize("codestream", [GRAY_SEQUENTIAL, GRAY_PROGRESSIVE], ids=["SOF9", "SOF10"])
def test_arithmetic_coding_without_plugins_raises_unsupported_and_names_it(
    monkeypatch: pytest.MonkeyPatch, codestream: bytes
) -> None:
    for syntax in ("50", "51", "70"):
        monkeypatch.setattr(get_decoder(UID(PREFIX + syntax)), "_available", {})
        for options in ({}, {"fallback": False}):
            with pytest.raises(UnsupportedError, match=r"arithmetic coding \(SOF(9|10), marker FFC[9A]\) is not supp"):
                dicoxide.decode(file(codestream, syntax=syntax), **options)
    with pytest.raises(UnsupportedError, match="arithmetic-coded JPEG is not supported"):
        dicoxide.decode_codestream(codestream)


@needs_extension
def test_failing_plugins_are_the_cause_of_the_unsupported_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(src: bytes, runner: Any) -> bytearray:
        raise ValueError("marker 5 is odd")

    monkeypatch.setattr(get_decoder(UID(PREFIX + "51")), "_available", {"one": fail, "two": fail})
    with pytest.raises(UnsupportedError, match="arithmetic coding") as caught:
        dicoxide.decode(file(GRAY_SEQUENTIAL))
    assert "one: marker 5 is odd; two: marker 5 is odd" in str(caught.value.__cause__)


def test_arithmetic_coding_of_another_size_raises_before_plugins_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(src: bytes, runner: Any) -> bytearray:
        pytest.fail("a plugin is asked")

    monkeypatch.setattr(get_decoder(UID(PREFIX + "51")), "_available", {"other": fail})
    ds = dataset(GRAY[:8], PREFIX + "51", coded=[GRAY_SEQUENTIAL])
    with pytest.raises(CorruptFrameError, match="rows 16 found in the codestream, 8 in the data set") as caught:
        dicoxide.decode(ds)
    assert (caught.value.kind, caught.value.frame_index) == ("Mismatch", 0)


@needs_extension
@pytest.mark.parametrize("missing", [2, 60, 120], ids=str)
@pytest.mark.parametrize("codestream", [GRAY_SEQUENTIAL, GRAY_PROGRESSIVE], ids=["SOF9", "SOF10"])
def test_codestream_without_end_of_image_raises_truncated(codestream: bytes, missing: int, plugin: str) -> None:
    del plugin
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(dicoxide.TruncatedFrameError, match="no marker EOI found after the last scan") as caught,
    ):
        dicoxide.decode(file(codestream[:-missing]))
    assert caught.value.frame_index == 0


@needs_extension
def test_error_of_a_later_frame_is_that_of_the_plugin(plugin: str) -> None:
    coded = [GRAY_SEQUENTIAL, GRAY_SEQUENTIAL[:40]]
    data = to_bytes(dataset(np.stack([GRAY, GRAY]), PREFIX + "51", coded=coded, number_of_frames=2))
    with warnings.catch_warnings(action="ignore"), pytest.raises(dicoxide.DecodeError, match=plugin) as caught:
        dicoxide.decode(data)
    assert (caught.value.kind, caught.value.frame_index) == ("Fallback", 1)
