"""Colour that a codestream of the JPEG family declares: it decides, and a contradiction is a deviation.

PS3.5 8.2.1: the codestream controls the decoding if it contradicts the data set. The samples of the codestreams are
known, because their encoder (Pillow) is asked for a colour space, and all markers that declare one are replaced here.
"""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import pytest
from pydicom.pixels import convert_color_space, get_decoder
from pydicom.uid import UID

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning
from dicoxide._fallback_decoders.jpeg_colour import with_untransformed_components
from support.encoders.dataset import dataset, to_bytes

Image = pytest.importorskip("PIL.Image")

PREFIX = "1.2.840.10008.1.2.4."
JFIF = struct.pack(">H5sHBHHBB", 16, b"JFIF\0", 0x0101, 0, 1, 1, 0, 0)
COLUMNS, ROWS = np.meshgrid(np.arange(24), np.arange(16))
RGB = np.stack([200 + 0 * COLUMNS, 40 + COLUMNS, 60 + ROWS], axis=-1).astype(np.uint8)
YBR = convert_color_space(RGB, "RGB", "YBR_FULL")
CONVERTED = convert_color_space(RGB, "YBR_FULL", "RGB")
# Loss of the coding process at high quality, in steps of a sample; conversions differ by far more.
LOSS = 8


def adobe(transform: int) -> bytes:
    return struct.pack(">H5sHHHB", 14, b"Adobe", 100, 0, 0, transform)


def baseline(
    *, ybr: bool, jfif: bool = False, transform: int | None = None, ids: bytes = b"\1\2\3", late: bool = False
) -> bytes:
    """Return a codestream of `RGB` whose components are R, G, B, or `ybr`; `late` puts Adobe's segment after SOF."""
    file = io.BytesIO()
    Image.fromarray(RGB).save(file, "JPEG", quality=98, subsampling=0, keep_rgb=not ybr)
    src = file.getvalue()
    early = (b"\xff\xe0" + JFIF if jfif else b"") + (
        b"" if transform is None or late else b"\xff\xee" + adobe(transform)
    )
    parts = [b"\xff\xd8", early]
    position = 2
    while True:
        marker, length = src[position + 1], int.from_bytes(src[position + 2 : position + 4], "big")
        segment = bytearray(src[position : position + 2 + length])
        position += 2 + length
        if marker == 0xC0:
            segment[10:19:3] = ids
        if marker == 0xDA:
            segment[5:11:2] = ids
            parts += [b"\xff\xee" + adobe(transform)] if late and transform is not None else []
            return b"".join([*parts, segment, src[position:]])
        if marker not in (0xE0, 0xEE):
            parts.append(bytes(segment))


def decode(codestream: bytes, declared: str, **options: Any) -> tuple[np.ndarray[Any, Any], list[str]]:
    ds = dataset(RGB, PREFIX + "50", samples_per_pixel=3, photometric_interpretation=declared, coded=[codestream])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoded = dicoxide.decode(to_bytes(ds), **options)
        of_dataset = dicoxide.decode(ds, **options)
    assert np.array_equal(decoded, of_dataset)
    messages = [str(warning.message) for warning in caught if warning.category is NonConformantWarning]
    assert messages[::2] == messages[1::2]
    return decoded, messages[::2]


def differs(decoded: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> int:
    return int(np.abs(decoded.astype(int) - expected.astype(int)).max())


@pytest.fixture(params=["pillow", "pylibjpeg"])
def plugin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leave one plugin only, for the NumPy backend: the extension decodes the frames itself."""
    if dicoxide.backend == "rust" and request.param != "pillow":
        pytest.skip("no plugin decodes these frames")
    decoder = get_decoder(UID(PREFIX + "50"))
    if request.param not in decoder.available_plugins:
        pytest.skip(f"{request.param} is not installed")
    monkeypatch.setattr(decoder, "_available", {request.param: decoder._available[request.param]})
    return str(request.param)


# (codestream, Photometric Interpretation, message of the deviation). The samples are R, G, B in each case.
CASES: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "YBR, nothing declared": ({"ybr": True}, "YBR_FULL_422", None),
    "RGB, nothing declared": ({"ybr": False}, "RGB", None),
    "YBR, JFIF": ({"ybr": True, "jfif": True}, "YBR_FULL_422", None),
    "YBR, JFIF, declared as RGB": ({"ybr": True, "jfif": True}, "RGB", "JFIF"),
    "YBR, Adobe 1": ({"ybr": True, "transform": 1}, "YBR_FULL", None),
    "YBR, Adobe 1, declared as RGB": ({"ybr": True, "transform": 1}, "RGB", "Adobe transform 1"),
    "YBR, late Adobe 1, declared as RGB": ({"ybr": True, "transform": 1, "late": True}, "RGB", "Adobe transform 1"),
    "RGB, Adobe 0": ({"ybr": False, "transform": 0}, "RGB", None),
    "RGB, Adobe 0, declared as YBR_FULL": ({"ybr": False, "transform": 0}, "YBR_FULL", "Adobe transform 0"),
    "RGB, Adobe 0, declared as YBR_FULL_422": ({"ybr": False, "transform": 0}, "YBR_FULL_422", "Adobe transform 0"),
    "RGB, identifiers": ({"ybr": False, "ids": b"RGB"}, "RGB", None),
    "RGB, identifiers, declared as YBR_FULL": ({"ybr": False, "ids": b"rgb"}, "YBR_FULL", "component identifiers"),
    "YBR, JFIF and Adobe 1": ({"ybr": True, "jfif": True, "transform": 1}, "YBR_FULL", None),
    "YBR, JFIF and Adobe 0": ({"ybr": True, "jfif": True, "transform": 0}, "YBR_FULL", None),
    "YBR, JFIF and Adobe 1, declared as RGB": ({"ybr": True, "jfif": True, "transform": 1}, "RGB", "JFIF"),
    "YBR, Adobe 1 and identifiers": ({"ybr": True, "transform": 1, "ids": b"RGB"}, "RGB", "Adobe transform 1"),
    "YBR, JFIF and identifiers, declared as RGB": ({"ybr": True, "jfif": True, "ids": b"RGB"}, "RGB", "JFIF"),
}


@pytest.mark.parametrize(("codestream", "declared", "message"), CASES.values(), ids=CASES)
def test_fallback_of_declared_colour_converts_once(
    plugin: str, codestream: dict[str, Any], declared: str, message: str | None
) -> None:
    decoded, found = decode(baseline(**codestream), declared)
    assert differs(decoded, RGB) <= LOSS
    assert differs(decoded, CONVERTED) > 3 * LOSS
    assert len(found) == (message is not None)
    assert message is None or message in found[0]
    # Without conversion, the components are returned as stored, and their colour does not matter.
    stored, found = decode(baseline(**codestream), declared, raw=True)
    assert differs(stored, YBR if codestream["ybr"] else RGB) <= LOSS
    assert found == []


@pytest.mark.parametrize("case", [name for name, (_, _, message) in CASES.items() if message])
def test_fallback_of_contradicting_colour_with_strict_raises(case: str) -> None:
    codestream, declared, message = CASES[case]
    with pytest.raises(CorruptFrameError, match=str(message)):
        decode(baseline(**codestream), declared, strict=True)


def test_header_without_colour_segments_leaves_codestream_unchanged() -> None:
    for codestream in (baseline(ybr=True), baseline(ybr=True, jfif=True), baseline(ybr=False)):
        assert with_untransformed_components(codestream) is codestream


@pytest.mark.parametrize("declared", ["RGB", "YBR_FULL"])
def test_fallback_of_hp_colour_transform_is_inverted_or_unsupported(
    monkeypatch: pytest.MonkeyPatch, declared: str
) -> None:
    # HP's transform 1 stores R - G + 128, G, B - G + 128. pylibjpeg does not know it.
    imagecodecs = pytest.importorskip("imagecodecs")
    pytest.importorskip("jpeg_ls")
    stored = RGB.astype(int) - RGB[..., 1:2].astype(int) * [1, 0, 1] + np.array([128, 0, 128])
    src = imagecodecs.jpegls_encode(stored.astype(np.uint8))
    codestream = src[:2] + b"\xff\xe8\0\7mrfx\1" + src[2:]
    ds = dataset(RGB, PREFIX + "80", samples_per_pixel=3, photometric_interpretation=declared, coded=[codestream])
    with pytest.warns(NonConformantWarning, match="colour transform of HP"):
        assert np.array_equal(dicoxide.decode(ds), RGB)
    with pytest.raises(CorruptFrameError, match="colour transform of HP"):
        dicoxide.decode(ds, strict=True)
    decoder = get_decoder(UID(PREFIX + "80"))
    if dicoxide.backend == "numpy" and "pylibjpeg" in decoder.available_plugins:
        monkeypatch.setattr(decoder, "_available", {"pylibjpeg": decoder._available["pylibjpeg"]})
        with pytest.raises(dicoxide.UnsupportedError):
            dicoxide.decode(ds)
