"""JPEG DCT: dicoxide equals libjpeg-turbo (imagecodecs, Pillow) on valid codestreams, and on damaged ones or raises."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicoxide
from dicoxide import DecodeError, NonConformantWarning
from support.encoders import jpeg_dct, jpeg_dct_cases
from support.encoders.jpeg_dct import EXTENDED, PROGRESSIVE, SAMPLINGS, encode_image, progressive_scans
from support.encoders.jpeg_lossless_cases import picture
from support.examples import count, examples

imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG")

RNG = np.random.default_rng(97)


@pytest.fixture(autouse=True)
def _deviations_do_not_warn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonConformantWarning)
        yield


def turbo(src: bytes, *, to_rgb: bool = False) -> Any:
    """Return the samples of libjpeg-turbo, as stored or as it converts them by default."""
    default = imagecodecs.jpeg8_decode(src)
    if default.ndim == 2 or to_rgb:
        return default
    return imagecodecs.jpeg8_decode(src, colorspace="YCBCR", outcolorspace="YCBCR")


def assert_equals_turbo(src: bytes) -> None:
    for to_rgb in (False, True):
        found, expected = dicoxide.decode_codestream(src, to_rgb=to_rgb), turbo(src, to_rgb=to_rgb)
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)


@examples(500)
@given(jpeg_dct_cases.frames(max_side=70, components=(1, 3)))
def test_decode_of_any_frame_equals_libjpeg_turbo(frame: jpeg_dct_cases.Frame) -> None:
    if not frame.options["use_dnl"]:
        assert_equals_turbo(frame.src)


@pytest.mark.parametrize("optimize", [False, True])
@pytest.mark.parametrize("quality", [50, 75, 90, 98, 100])
@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411"])
def test_decode_of_frames_of_its_encoder_equals_libjpeg_turbo(subsampling: str, quality: int, optimize: bool) -> None:
    for rows, columns in ((1, 1), (3, 5), (16, 16), (17, 33), (47, 70), (130, 201)):
        source = picture(RNG, (rows, columns, 3), 8)
        src = imagecodecs.jpeg8_encode(source, level=quality, subsampling=subsampling, optimize=optimize)
        assert_equals_turbo(src)


@pytest.mark.parametrize("quality", [50, 75, 95, 100])
@pytest.mark.parametrize("components", [1, 3])
def test_decode_of_12_bit_frames_of_its_encoder_equals_libjpeg_turbo(components: int, quality: int) -> None:
    for rows, columns in ((1, 1), (9, 7), (64, 65), (133, 70)):
        source = picture(RNG, (rows, columns, 3)[: 2 if components == 1 else 3], 12)
        assert_equals_turbo(imagecodecs.jpeg8_encode(source, level=quality, bitspersample=12))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"optimize": True}])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_decode_of_frames_of_pillow_equals_libjpeg_turbo(subsampling: int, options: dict[str, Any]) -> None:
    image = pytest.importorskip("PIL.Image", reason="an encoder")
    for rows, columns in ((1, 1), (8, 9), (31, 33), (65, 97)):
        file = io.BytesIO()
        source = picture(RNG, (rows, columns, 3), 8)
        image.fromarray(source).save(file, "JPEG", quality=85, subsampling=subsampling, **options)
        assert_equals_turbo(file.getvalue())
        file = io.BytesIO()
        image.fromarray(source[..., 0]).save(file, "JPEG", quality=85, **options)
        assert_equals_turbo(file.getvalue())


@examples(200)
@given(jpeg_dct_cases.frames(max_side=70, components=(1, 3), precisions=(8,)), st.integers(1, 3))
def test_reduced_decode_equals_scaled_decoding(frame: jpeg_dct_cases.Frame, reduce: int) -> None:
    image = pytest.importorskip("PIL.Image", reason="a decoder to compare with")
    rows, columns = frame.samples.shape[:2]
    if frame.options["use_dnl"] or min(rows, columns) < 1 << reduce:
        return
    with image.open(io.BytesIO(frame.src)) as opened:
        # Pillow chooses the largest reduction with at least the requested size.
        opened.draft(opened.mode, (max(1, columns >> reduce), max(1, rows >> reduce)))
        if opened.size == (-(-columns // (1 << reduce)), -(-rows // (1 << reduce))):
            found = dicoxide.decode_codestream(frame.src, to_rgb=True, reduce=reduce)
            assert np.array_equal(found, np.asarray(opened))


BASES: dict[str, bytes] = {
    **{name: encode_image(picture(RNG, (40, 56, 3), 8), sampling=name, quality=85) for name in SAMPLINGS},
    "gray": encode_image(picture(RNG, (60, 70), 8, "noise"), quality=70),
    "gray of 12 bits": encode_image(picture(RNG, (60, 70), 12, "noise"), precision=12, quality=90),
    "colour of 12 bits": encode_image(picture(RNG, (40, 40, 3), 12), precision=12, sampling="420"),
    "restarts": encode_image(picture(RNG, (60, 70, 3), 8), sampling="422", restart_interval=2),
    "long codes": encode_image(picture(RNG, (60, 70), 8), tables="long"),
    "typical tables": encode_image(picture(RNG, (60, 70, 3), 8), tables="typical"),
    "separate scans": encode_image(picture(RNG, (40, 30, 3), 8), interleaved=False),
    "progressive": encode_image(picture(RNG, (40, 56), 8), marker=PROGRESSIVE, scans=progressive_scans(1)),
    "progressive colour": encode_image(
        picture(RNG, (40, 40, 3), 8), sampling="420", marker=PROGRESSIVE, scans=progressive_scans(3, refinements=2)
    ),
    "coarse": encode_image(picture(RNG, (60, 70), 8, "noise"), quantizers={0: np.full(64, 255)}),
    "extended": encode_image(picture(RNG, (30, 30), 8), marker=EXTENDED),
}


@pytest.mark.parametrize("name", BASES)
def test_damaged_codestream_raises_or_equals_libjpeg_turbo(name: str) -> None:
    rng = np.random.default_rng([101, *name.encode()])
    base, compared = BASES[name], 0
    start = base.index(b"\xff\xda") + 8
    for _ in range(count(1000)):
        src = bytearray(base)
        for _ in range(rng.integers(1, 3)):
            position = int(rng.integers(start, len(src) - 2))
            change = rng.integers(4)
            if change == 0:
                src[position] ^= 1 << int(rng.integers(8))
            elif change == 1:
                src[position] = int(rng.integers(256))
            elif change == 2:
                del src[position]
            else:
                src.insert(position, int(rng.integers(255)))
        damaged = bytes(src)
        try:
            found = dicoxide.decode_codestream(damaged)
        except DecodeError:
            continue
        try:
            expected = turbo(damaged)
        except Exception:
            continue
        compared += 1
        assert np.array_equal(found, expected), damaged.hex()
    assert compared > 5


@pytest.mark.parametrize("name", ["gray", "420", "gray of 12 bits", "progressive"])
def test_damaged_quantizers_equal_libjpeg_turbo(name: str) -> None:
    # Coefficients beyond any range of samples: wrap-around and saturation.
    rng = np.random.default_rng(103)
    base = BASES[name]
    table = base.index(b"\xff\xdb") + 5
    for _ in range(count(300)):
        src = bytearray(base)
        for position in rng.integers(table, table + 64, rng.integers(1, 30)):
            src[position] = int(rng.choice([1, 127, 128, 200, 255]))
        assert np.array_equal(dicoxide.decode_codestream(bytes(src)), turbo(bytes(src)))


def test_frame_without_declared_colour_is_converted_as_by_libjpeg_turbo() -> None:
    for identifiers in (None, (0, 1, 2), (5, 99, 7), (114, 103, 98)):
        src = encode_image(picture(RNG, (20, 21, 3), 8), identifiers=identifiers)
        if identifiers == (114, 103, 98):
            # pydicom takes the identifiers r, g, b for RGB, as dicoxide does; libjpeg-turbo does not.
            continue
        assert np.array_equal(dicoxide.decode_codestream(src, to_rgb=True), turbo(src, to_rgb=True))


def test_four_components_equal_libjpeg_turbo() -> None:
    source = picture(RNG, (30, 41, 4), 8)
    for sampling in jpeg_dct_cases.SAMPLINGS[4]:
        src = jpeg_dct.encode_image(source, sampling=sampling)
        expected = imagecodecs.jpeg8_decode(src, colorspace="CMYK", outcolorspace="CMYK")
        assert np.array_equal(dicoxide.decode_codestream(src), expected)
