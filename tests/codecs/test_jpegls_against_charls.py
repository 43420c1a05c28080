"""JPEG-LS: dicoxide equals the encoded samples and CharLS on generated frames, and on damaged ones or raises.

``DICOXIDE_EXAMPLES=100000`` sets the number of frames of each test. Where CharLS departs from T.87
(`Frame.is_decoded_by_charls`), the encoded samples alone decide, which the reference decoder confirms.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide import DecodeError, NonConformantWarning
from support import reference_jpegls as reference
from support.encoders import jpegls
from support.encoders.jpegls_cases import KINDS, random_frame, samples_of
from support.encoders.jpegls_scans import Presets
from support.examples import count
from support.jpeg_frames import LEVELS, decoded_at_level
from support.reference_jpegls_scan import InvalidFrameError

imagecodecs = pytest.importorskip("imagecodecs", reason="a decoder to compare with")

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG-LS")

LOSSLESS = "1.2.840.10008.1.2.4.80"
# Tests of many frames are divided, so that processes share them.
BLOCKS = range(20)


@pytest.fixture(autouse=True)
def _deviations_do_not_warn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonConformantWarning)
        yield


def block_seeds(block: int, frame_count: int) -> range:
    """Return the seeds of a block when all blocks together have `frame_count` frames."""
    return range(block, frame_count, len(BLOCKS))


def charls_encode(samples: Any, precision: int, near: int, interleave: int) -> bytes:
    """Encode by CharLS."""
    jpeg_ls = pytest.importorskip("jpeg_ls", reason="an encoder")
    # CharLS takes planes for separate scans, else samples by pixel.
    ordered = np.moveaxis(samples, 2, 0) if samples.ndim == 3 and interleave == 0 else samples
    shape = (*samples.shape, 1)[:3]
    return bytes(jpeg_ls.encode_buffer(ordered.tobytes(), *shape, precision, near, interleave))


@pytest.mark.parametrize("block", BLOCKS)
def test_decode_of_generated_frame_returns_the_encoded_samples(block: int) -> None:
    for seed in block_seeds(block, count(2500)):
        frame = random_frame(seed)
        found = dicoxide.decode_codestream(frame.src)
        assert found.dtype == (np.uint8 if frame.precision <= 8 else np.uint16), frame
        assert np.array_equal(found, frame.values), frame
        if frame.is_decoded_by_charls:
            assert np.array_equal(found, imagecodecs.jpegls_decode(frame.src)), frame


@pytest.mark.parametrize("block", BLOCKS)
def test_cpu_levels_decode_generated_frame_alike(block: int) -> None:
    for seed in block_seeds(block, count(1500)):
        frame = random_frame(seed, max_side=40)
        for is_portable in LEVELS:
            found = decoded_at_level(frame.src, is_portable, uid=LOSSLESS)
            assert np.array_equal(found, frame.values), frame


@pytest.mark.parametrize("block", BLOCKS)
def test_decode_of_frame_of_charls_equals_charls(block: int) -> None:
    for seed in block_seeds(block, count(2500)):
        rng = np.random.default_rng([seed, 80])
        precision, components = int(rng.integers(2, 17)), int(rng.choice([1, 1, 3, 4]))
        near = int(rng.choice([0, 0, 0, 1, 2, 3, 5, 9, 40]))
        near = min(near, ((1 << precision) - 1) // 2)
        shape = tuple(rng.integers(1, 70, 2, endpoint=True).tolist()) + ((components,) if components > 1 else ())
        samples = samples_of(rng, shape, (1 << precision) - 1, str(rng.choice(KINDS)))
        interleave = int(rng.integers(3)) if components > 1 else 0
        try:
            src = charls_encode(samples, precision, near, interleave)
        except RuntimeError:
            # pyjpegls reserves too little for some noise.
            continue
        found = dicoxide.decode_codestream(src)
        where = f"seed {seed}, {shape}, precision {precision}, NEAR {near}, interleave mode {interleave}"
        assert np.array_equal(found, imagecodecs.jpegls_decode(src)), where
        # CharLS 2.4 loses changes of the fourth sample of pixels in run mode of its instance for 8 bits.
        if (components, precision, near, interleave) != (4, 8, 0, jpegls.SAMPLE):
            assert np.abs(found.astype(int) - samples).max() <= near, where


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("interleave", [0, 1, 2], ids=["none", "line", "sample"])
@pytest.mark.parametrize("near", [0, 2])
@pytest.mark.parametrize("precision", [8, 12, 16])
def test_decode_of_large_frame_equals_charls(precision: int, near: int, interleave: int, kind: str) -> None:
    rng = np.random.default_rng([precision, near, interleave, *kind.encode()])
    for shape in ((300, 411), (211, 320, 3)):
        samples = samples_of(rng, shape, (1 << precision) - 1, kind)
        src = charls_encode(samples, precision, near, interleave if len(shape) == 3 else 0)
        expected = imagecodecs.jpegls_decode(src)
        assert np.array_equal(dicoxide.decode_codestream(src), expected)
        for is_portable in LEVELS:
            assert np.array_equal(decoded_at_level(src, is_portable, uid=LOSSLESS), expected)


def _base(shape: tuple[int, ...], kind: str, precision: int = 8, **options: Any) -> bytes:
    rng = np.random.default_rng([len(kind), *shape])
    return jpegls.encode(samples_of(rng, shape, (1 << precision) - 1, kind), precision=precision, **options)


BASES: dict[str, bytes] = {
    "gray": _base((30, 40), "smooth"),
    "runs": _base((30, 60), "runs"),
    "near": _base((30, 40), "sparse", near=3),
    "12 bits": _base((30, 40), "noise", 12),
    "16 bits near": _base((30, 40), "smooth", 16, near=20),
    "2 bits": _base((30, 60), "smooth", 2),
    "line": _base((15, 20, 3), "smooth"),
    "sample": _base((15, 20, 3), "runs", interleave="sample"),
    "separate scans": _base((15, 20, 3), "gradient", interleave="none"),
    "restarts": _base((30, 40), "smooth", restart_interval=4),
    "presets": _base((30, 40), "smooth", presets=Presets(255, 5, 9, 30, 31)),
    "colour transform": _base((15, 20, 3), "smooth", transform=2),
}


def damage(rng: np.random.Generator, base: bytes) -> bytes:
    """Change one or two bytes or bits after the scan header."""
    src = bytearray(base)
    start = base.index(b"\xff\xda") + 10
    for _ in range(rng.integers(1, 3)):
        position, change = int(rng.integers(start, len(src) - 2)), rng.integers(4)
        if change == 0:
            src[position] ^= 1 << int(rng.integers(8))
        elif change == 1:
            src[position] = int(rng.integers(256))
        elif change == 2:
            del src[position]
        else:
            src.insert(position, int(rng.integers(255)))
    return bytes(src)


@pytest.mark.parametrize("name", BASES)
def test_damaged_codestream_raises_or_equals_charls_or_the_reference_decoder(name: str) -> None:
    rng = np.random.default_rng([102, *name.encode()])
    for _ in range(count(1000)):
        damaged = damage(rng, BASES[name])
        try:
            found = dicoxide.decode_codestream(damaged)
        except DecodeError:
            continue
        assert any(np.array_equal(found, samples) for samples in decoded_by_others(damaged)), damaged.hex()


def decoded_by_others(src: bytes) -> Iterator[Any]:
    """Yield the samples of CharLS and of the reference decoder, if they decode the codestream.

    For prediction errors that no encoder writes, CharLS with 8, 12 and 16 bits wraps where T.87 A.4.5 clamps.
    """
    with contextlib.suppress(imagecodecs.JpeglsError):
        yield imagecodecs.jpegls_decode(src)
    with contextlib.suppress(InvalidFrameError):
        yield reference.decode(src).values


@pytest.mark.parametrize("name", BASES)
def test_codestream_cut_anywhere_raises(name: str) -> None:
    src = BASES[name]
    for end in range(2, len(src) - 3):
        with pytest.raises(DecodeError):
            dicoxide.decode_codestream(src[:end])
