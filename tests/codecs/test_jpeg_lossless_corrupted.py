"""Truncated and mutated JPEG Lossless frames: samples equal the reference decoder, or both reject the frame."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dicoxide
from dicoxide import DecodeError, InternalError, LimitError, NonConformantWarning, TruncatedFrameError
from support import reference_jpeg_lossless as reference
from support.encoders import jpeg_lossless, jpeg_lossless_cases
from support.encoders.jpeg_lossless_cases import picture
from support.examples import count, examples

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG Lossless")

RNG = np.random.default_rng(53)


def decode(src: bytes) -> Any:
    """Return samples and True if there were deviations, or the error."""
    failed: DecodeError | None = None
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        try:
            samples = dicoxide.jpeg_lossless_decode(src)
        except DecodeError as error:
            failed = error
    if failed:
        assert not isinstance(failed, InternalError | LimitError)
        assert failed.offset is None or 0 <= failed.offset <= len(src)
        assert failed.clause
        return failed
    assert all(issubclass(warning.category, NonConformantWarning) for warning in reported)
    return samples, bool(reported)


VALID = {
    "mono": jpeg_lossless.encode(picture(RNG, (9, 11), 12), precision=12),
    "constant": jpeg_lossless.encode(np.full((30, 40), 7, np.uint8)),
    "restarts": jpeg_lossless.encode(picture(RNG, (9, 11), 8), restart_interval=22, selection_value=7),
    "colour": jpeg_lossless.encode(picture(RNG, (5, 7, 3), 8), tables=["optimal"] * 3),
    "scans": jpeg_lossless.encode(picture(RNG, (5, 7, 3), 8), interleaved=False, redefine=True),
    "lines": jpeg_lossless.encode(picture(RNG, (5, 7, 3), 10), precision=10, interleaved=False, use_dnl=True),
    "long codes": jpeg_lossless.encode(picture(RNG, (9, 11), 16, "noise"), tables="skewed", selection_value=4),
    "fill bytes": jpeg_lossless.encode(picture(RNG, (9, 11), 12), precision=12, fill_bytes=3, restart_interval=11),
    "stuffed": jpeg_lossless.encode(np.tile(np.array([0, 65535], np.uint16), (10, 6)), tables="skewed"),
}


@pytest.mark.parametrize("name", VALID)
def test_every_prefix_raises_unless_only_eoi_is_missing(name: str) -> None:
    src = VALID[name]
    expected, has_deviations = decode(src)
    assert not has_deviations
    assert np.array_equal(expected, reference.decode(src).values)
    # Fill bytes belong to the marker that follows.
    samples_end = len(src[:-2].rstrip(b"\xff"))
    for end in range(len(src)):
        decoded = decode(src[:end])
        if end < samples_end:
            assert isinstance(decoded, dicoxide.CorruptFrameError), end
            assert decoded.offset is not None
            assert decoded.offset <= end
        else:
            assert np.array_equal(decoded[0], expected)
            assert decoded[1]


@pytest.mark.parametrize("name", VALID)
def test_every_suffix_raises_corrupt_frame(name: str) -> None:
    src = VALID[name]
    for start in range(1, len(src) + 1):
        assert isinstance(decode(src[start:]), dicoxide.CorruptFrameError), start


MARKERS = [0, 0xC3, 0xC4, 0xD0, 0xD7, 0xD9, 0xDA, 0xDC, 0xDD, 0xE0, 0xFF]


def mutated(src: bytes, rng: random.Random) -> bytes:
    value = bytearray(src)
    for _ in range(rng.choice([1, 1, 2, 5])):
        offset = rng.randrange(min(len(value), 80) if rng.random() < 0.5 else len(value))
        match rng.randrange(6):
            case 0:
                value[offset] ^= 1 << rng.randrange(8)
            case 1:
                value[offset] = rng.choice([0, 1, 2, 0x10, 0x11, 0x7F, 0x80, 0xFE, 0xFF])
            case 2:
                del value[offset : offset + rng.choice([1, 2, 8])]
            case 3:
                value[offset:offset] = rng.randbytes(rng.choice([1, 2, 8]))
            case 4:
                value[offset:offset] = bytes(
                    [0xFF, rng.choice([0, 0xC3, 0xC4, 0xD0, 0xD7, 0xD9, 0xDA, 0xDC, 0xDD, 0xFF])]
                )
            case 5:
                # A piece is copied to another position.
                start = rng.randrange(len(value))
                value[offset:offset] = value[start : start + rng.randrange(1, 40)]
        value = value or bytearray(1)
    return bytes(value)


def assert_agrees_with_reference(src: bytes) -> None:
    decoded = decode(src)
    try:
        expected = reference.decode(src)
    except reference.InvalidFrameError as error:
        reference_error = str(error)
    else:
        assert not isinstance(decoded, DecodeError), f"{decoded!r}, the reference decodes with {expected.deviations}"
        assert np.array_equal(decoded[0], expected.values)
        assert decoded[0].dtype == expected.values.dtype
        assert decoded[1] == bool(expected.deviations), f"deviations of the reference: {expected.deviations}"
        return
    assert isinstance(decoded, DecodeError), f"decoded, error of the reference: {reference_error}"


@examples(300)
@given(jpeg_lossless_cases.frames(), st.integers(0, 2**32))
def test_mutated_generated_frames_agree_with_the_reference_decoder(frame: jpeg_lossless_cases.Frame, seed: int) -> None:
    assert_agrees_with_reference(mutated(frame.src, random.Random(seed)))


@pytest.mark.parametrize("name", VALID)
def test_mutated_valid_frames_agree_with_the_reference_decoder(name: str) -> None:
    rng = random.Random(name)
    for _ in range(count(300)):
        src = mutated(VALID[name], rng)
        try:
            assert_agrees_with_reference(src)
        except AssertionError as error:
            raise AssertionError(f"{src!r}") from error


@examples(300)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_decode_error(src: bytes) -> None:
    assert isinstance(decode(src), DecodeError)
    assert isinstance(decode(b"\xff\xd8" + src), DecodeError)


@examples(300)
@given(jpeg_lossless_cases.frames(), st.binary(max_size=300))
def test_valid_headers_with_arbitrary_data_agree_with_the_reference_decoder(
    frame: jpeg_lossless_cases.Frame, rest: bytes
) -> None:
    src = frame.src
    assert_agrees_with_reference(src[: src.index(b"\xff\xda") + 20] + rest)


@pytest.mark.parametrize("tail", [b"\xff\xdc", b"\xff\xdc\0", b"\xff\xdc\0\4", b"\xff\xdc\0\4\0"])
@pytest.mark.parametrize("use_dnl", [False, True])
def test_decode_of_cut_dnl_raises_truncated(use_dnl: bool, tail: bytes) -> None:
    # The segment that gives the number of lines follows the only scan.
    src = jpeg_lossless.encode(picture(RNG, (9, 11), 12), precision=12, use_dnl=use_dnl)
    end = src.rindex(b"\xff\xdc") if use_dnl else -2
    with pytest.raises(TruncatedFrameError, match="DNL") as caught:
        dicoxide.jpeg_lossless_decode(src[:end] + tail)
    assert caught.value.offset is not None
