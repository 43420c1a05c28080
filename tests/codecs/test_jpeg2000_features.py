"""JPEG 2000 and HTJ2K codestreams of the test encoder: every feature, resolution, CPU level and number of threads.

``DICOXIDE_EXAMPLES=100000`` sets the number of random frames of each test.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dicoxide
from dicoxide import NonConformantWarning
from support.encoders.jpeg2000_cases import (
    ALL_STYLES,
    FEATURES,
    HT_FEATURES,
    Frame,
    random_blocks,
    random_frame,
    samples_of,
)
from support.encoders.jpeg2000_ebcot import HT
from support.encoders.jpeg2000_packets import PROGRESSIONS
from support.examples import count
from support.jpeg2000_frames import assert_equals_frame, decoded, expected_dtype
from support.jpeg_frames import LEVELS

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG 2000")

ALL_FEATURES = {**FEATURES, **HT_FEATURES}
# Reduced sizes are those of the codestream, which an image offset and subsampled components change.
REDUCIBLE = [
    name
    for name, frame in ALL_FEATURES.items()
    if frame.min_levels and not {"offset", "subsampling"} & frame.options.keys()
]
# Tests of many frames are divided, so that processes share them.
BLOCKS = range(10)


@pytest.fixture(autouse=True)
def _deviations_do_not_warn() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonConformantWarning)
        yield


@pytest.mark.parametrize("name", ALL_FEATURES)
def test_decode_of_feature_returns_the_encoded_samples(name: str) -> None:
    frame = ALL_FEATURES[name]
    found = dicoxide.decode_codestream(frame.src)
    assert found.dtype == expected_dtype(frame)
    assert_equals_frame(found, frame)


@pytest.mark.parametrize("name", ALL_FEATURES)
def test_cpu_levels_decode_feature_alike(name: str) -> None:
    frame = ALL_FEATURES[name]
    expected = dicoxide.decode_codestream(frame.src)
    for is_portable in LEVELS:
        assert np.array_equal(decoded(frame, is_portable), expected)


@pytest.mark.parametrize("name", REDUCIBLE)
def test_reduced_decode_of_feature_returns_the_encoded_resolution(name: str) -> None:
    frame = ALL_FEATURES[name]
    for reduce in range(1, min(frame.min_levels, 5) + 1):
        found = dicoxide.decode_codestream(frame.src, reduce=reduce)
        assert found.dtype == expected_dtype(frame)
        assert_equals_frame(found, frame.reduced(reduce))


@pytest.mark.parametrize("name", ALL_FEATURES)
def test_reduce_above_the_levels_is_refused(name: str) -> None:
    frame = ALL_FEATURES[name]
    with pytest.raises(ValueError, match="level"):
        dicoxide.decode_codestream(frame.src, reduce=frame.min_levels + 1)


@pytest.mark.parametrize("name", ALL_FEATURES)
def test_codestream_info_describes_feature(name: str) -> None:
    frame = ALL_FEATURES[name]
    info = dicoxide.codestream_info(frame.src)
    assert info.format == ("htj2k" if frame.is_ht else "jpeg2000")
    assert (info.rows, info.columns) == frame.samples.shape[:2]
    assert info.components == len(frame.encoded.planes)
    assert info.precision == frame.precision
    assert info.is_lossy == any(coding.wavelet == "9/7" for coding in frame.main_codings)
    assert info.resolution_levels == 1 + min(coding.levels for coding in frame.main_codings)


@pytest.mark.parametrize("is_ht", [False, True], ids=["EBCOT", "HT"])
@pytest.mark.parametrize("block", BLOCKS)
def test_decode_of_random_frame_returns_the_encoded_samples(block: int, is_ht: bool) -> None:
    for seed in range(block, count(400), len(BLOCKS)):
        frame = random_frame(seed, is_ht=is_ht)
        found = dicoxide.decode_codestream(frame.src)
        assert_equals_frame(found, frame)
        for is_portable in LEVELS:
            assert np.array_equal(decoded(frame, is_portable), found), frame
        assert np.array_equal(dicoxide.decode_codestream(frame.src, threads=3), found), frame


@pytest.mark.parametrize("is_ht", [False, True], ids=["EBCOT", "HT"])
@pytest.mark.parametrize("block", BLOCKS)
def test_reduced_decode_of_random_frame_returns_the_encoded_resolution(block: int, is_ht: bool) -> None:
    for seed in range(block, count(200), len(BLOCKS)):
        frame = random_blocks(seed, is_ht=is_ht)
        if frame.min_levels:
            reduce = 1 + seed % frame.min_levels
            found = dicoxide.decode_codestream(frame.src, reduce=reduce)
            assert_equals_frame(found, frame.reduced(reduce))


@pytest.mark.parametrize("is_signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("precision", range(1, 27))
def test_every_precision_is_decoded(precision: int, is_signed: bool) -> None:
    rng = np.random.default_rng(precision)
    samples = samples_of(rng, (33, 47), precision, "noise", is_signed=is_signed)
    frame = Frame(samples, {"precision": precision})
    found = dicoxide.decode_codestream(frame.src)
    assert found.dtype == expected_dtype(frame)
    assert np.array_equal(found, samples)


@pytest.mark.parametrize("style", [0, ALL_STYLES, HT], ids=["plain", "all styles", "HT"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (3, 3), (1, 300), (300, 1), (4, 5), (65, 64), (129, 31)])
def test_every_shape_is_decoded(shape: tuple[int, int], style: int) -> None:
    samples = samples_of(np.random.default_rng(1), shape, 8, "noise")
    for offset in ((0, 0), (1, 0), (0, 1), (1, 1)):
        for wavelet in ("5/3", "9/7"):
            frame = Frame(samples, {"offset": offset, "style": style, "wavelet": wavelet})
            assert_equals_frame(dicoxide.decode_codestream(frame.src), frame)


THREADED: dict[str, dict[str, Any]] = {
    "5/3": {},
    "9/7": {"wavelet": "9/7"},
    "RCT": {"has_transform": True},
    "ICT": {"has_transform": True, "wavelet": "9/7"},
    "tiles": {"tile_size": (100, 77)},
    "precincts and layers": {"precincts": ((5, 5),), "layer_count": 3, "progression": "RPCL"},
    "small blocks": {"block_exponents": (3, 3)},
    "HT": {"style": HT},
    "HT 9/7": {"style": HT, "wavelet": "9/7"},
}


@pytest.mark.parametrize("reduce", [0, 1])
@pytest.mark.parametrize("name", THREADED)
def test_threads_return_the_samples_of_one(name: str, reduce: int) -> None:
    options = THREADED[name]
    shape = (300, 311, 3) if "has_transform" in options else (300, 311)
    samples = samples_of(np.random.default_rng(5), shape, 8)
    frame = Frame(samples, {**options, "reduce": reduce})
    expected = dicoxide.decode_codestream(frame.src, reduce=reduce)
    assert_equals_frame(expected, frame)
    for threads in (2, 3, 4, 8):
        assert np.array_equal(dicoxide.decode_codestream(frame.src, reduce=reduce, threads=threads), expected)


@pytest.mark.parametrize("order", PROGRESSIONS)
def test_repeated_decode_reuses_buffers_of_other_frames(order: str) -> None:
    rng = np.random.default_rng(9)
    frames = [random_frame(seed) for seed in range(8)]
    frames.append(Frame(samples_of(rng, (90, 70, 3), 8), {"progression": order, "has_transform": True}))
    expected = [dicoxide.decode_codestream(frame.src) for frame in frames]
    for index in rng.permutation(np.repeat(range(len(frames)), 3)):
        assert np.array_equal(dicoxide.decode_codestream(frames[index].src), expected[index])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.int64])
def test_decode_into_wider_array(dtype: type) -> None:
    frame = FEATURES["5/3"]
    out = np.full(frame.samples.shape, 77, dtype)
    assert dicoxide.decode_codestream(frame.src, out) is out
    assert np.array_equal(out, frame.samples)


def test_frame_of_one_tile_per_sample_is_decoded() -> None:
    frame = Frame(samples_of(np.random.default_rng(3), (20, 20), 8), {"tile_size": (1, 1), "levels": 5})
    assert np.array_equal(dicoxide.decode_codestream(frame.src), frame.samples)
