"""One large JPEG-LS frame decoded on several threads: the samples, deviations and errors of one thread."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import JPEGLSLossless

import dicoxide
from dicoxide import CorruptFrameError
from support.encoders.dataset import dataset
from support.encoders.jpegls import NONE, SAMPLE, Scan, encode
from support.real_images import manifest_rows, path_parameters

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG-LS")

# Enough samples for two threads, 2^16 for each; three components are enough for six.
ROWS, COLUMNS = 262, 512
_row, _column = np.mgrid[:ROWS, :COLUMNS]
_noise = np.random.default_rng(1).integers(0, 5, (ROWS, COLUMNS))
GRAY = ((_row // 3 + _column // 5 + 40 * (_row % 97 < 9) + _noise) % 256).astype(np.uint8)
RGB = np.stack([GRAY, (GRAY // 2 + _column // 4) % 256, np.where(_row < 128, 0, GRAY[::-1])], axis=2).astype(np.uint8)
WIDE = (GRAY[..., None] * np.array([15, 16])).astype(np.uint16)
TWO_SCANS = [Scan((0, 2), SAMPLE), Scan((1,), NONE)]
CONFORMANCE = path_parameters([row for row in manifest_rows() if not row["uid"] and row["jpeg_sof"] == "F7"])

FRAMES: dict[str, tuple[Any, dict[str, Any]]] = {
    "restarts": (GRAY, {"restart_interval": 3}),
    "two restart intervals": (GRAY, {"restart_interval": 200}),
    "restarts, near-lossless": (GRAY, {"restart_interval": 40, "near": 2}),
    "restarts, samples interleaved and transformed": (
        RGB,
        {"restart_interval": 16, "interleave": "sample", "transform": 1},
    ),
    "restarts, lines interleaved and transformed": (RGB, {"restart_interval": 1, "interleave": "line", "transform": 2}),
    "restarts, separate scans": (RGB, {"restart_interval": 7, "interleave": "none"}),
    "separate scans": (RGB, {"interleave": "none"}),
    "separate scans, near-lossless": (RGB, {"interleave": "none", "near": 3}),
    "two scans of 12 bits": (WIDE, {"interleave": "none", "precision": 12}),
    "two components in one scan, one in another": (RGB, {"scans": TWO_SCANS}),
}
_encoded: dict[str, bytes] = {}


def frame(name: str) -> bytes:
    if name not in _encoded:
        array, options = FRAMES[name]
        _encoded[name] = encode(array, **options)
    return _encoded[name]


def outcome(src: bytes, threads: int) -> tuple[Any, ...]:
    """Return samples and warnings, or the error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            samples = dicoxide.decode_codestream(src, threads=threads)
        except dicoxide.DecodeError as error:
            return type(error), str(error), error.offset
    return samples.shape, samples.dtype, samples.tobytes(), [str(warning.message) for warning in caught]


def markers(src: bytes, first: int, last: int) -> list[int]:
    """Return the offsets of the markers with codes from `first` to `last`."""
    return [offset for offset in range(len(src) - 1) if src[offset] == 0xFF and first <= src[offset + 1] <= last]


@pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning")
@pytest.mark.parametrize("name", FRAMES)
def test_threads_give_the_samples_of_one_thread(name: str) -> None:
    src = frame(name)
    array, options = FRAMES[name]
    expected = dicoxide.decode_codestream(src, threads=1)
    assert np.abs(expected.astype(int) - array).max() == options.get("near", 0)
    for threads in (2, 3, 4, 8):
        assert np.array_equal(dicoxide.decode_codestream(src, threads=threads), expected)


@pytest.mark.parametrize("path", CONFORMANCE)
def test_threads_decode_conformance_streams_alike(path: Path) -> None:
    src = path.read_bytes()
    assert outcome(src, 2) == outcome(src, 1)
    assert outcome(src, 3) == outcome(src, 1)


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("seed", range(6))
def test_threads_give_the_outcome_of_one_thread_for_damaged_data(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    src = bytearray(frame(name))
    start = markers(bytes(src), 0xDA, 0xDA)[0] + 20
    # Several segments are damaged, so that the first error is not that of the first one to be decoded.
    for offset in rng.integers(start, len(src) - 2, 1 + seed):
        if src[offset] != 0xFF and src[offset - 1] != 0xFF:
            src[offset] ^= int(rng.integers(1, 128))
    expected = outcome(bytes(src), 1)
    for threads in (2, 4):
        assert outcome(bytes(src), threads) == expected


@pytest.mark.parametrize("name", ["restarts", "restarts, separate scans", "separate scans"])
def test_threads_give_the_error_of_one_thread_for_missing_data(name: str) -> None:
    src = frame(name)
    ends = [*markers(src, 0xD0, 0xD7), *markers(src, 0xDA, 0xDA)[1:], *markers(src, 0xD9, 0xD9)]
    for count in (1, 2):
        damaged = src
        for end in sorted(ends)[-count:][::-1]:
            damaged = damaged[: end - 30] + damaged[end:]
        expected = outcome(damaged, 1)
        assert issubclass(expected[0], CorruptFrameError)
        for threads in (2, 4):
            assert outcome(damaged, threads) == expected


@pytest.mark.parametrize("name", ["restarts", "restarts, separate scans", "separate scans"])
def test_threads_give_the_deviation_of_one_thread(name: str) -> None:
    src = frame(name)
    ends = sorted([*markers(src, 0xD0, 0xD7), *markers(src, 0xDA, 0xDA)[1:], *markers(src, 0xD9, 0xD9)])
    # A byte 00 follows the last line of the first segment but one, and of the last.
    for end in (ends[-1], ends[1]):
        src = src[:end] + b"\0" + src[end:]
    expected = outcome(src, 1)
    assert [text for text in expected[3] if "a byte 00" in text]
    for threads in (2, 4):
        assert outcome(src, threads) == expected


@pytest.mark.parametrize("rescale", [False, True])
def test_threads_decode_objects_alike(rescale: bool) -> None:
    ds = dataset(GRAY, JPEGLSLossless, coded=[frame("restarts")])
    expected = dicoxide.decode(ds, rescale=rescale)
    assert np.array_equal(dicoxide.decode(ds, rescale=rescale, threads=3), expected)


@pytest.mark.parametrize("name", ["restarts", "separate scans"])
def test_memory_budget_of_one_thread_is_enough_for_any_number(name: str) -> None:
    array, _ = FRAMES[name]
    ds = dataset(array, JPEGLSLossless, samples_per_pixel=2 * array.ndim - 3, coded=[frame(name)])
    expected = dicoxide.decode(ds)

    def decodes(max_bytes: int, threads: int) -> bool:
        try:
            return np.array_equal(dicoxide.decode(ds, threads=threads, max_bytes=max_bytes), expected)
        except dicoxide.LimitError:
            return False

    smallest = next(size for size in itertools.count(expected.nbytes, 512) if decodes(size, threads=1))
    assert smallest > expected.nbytes
    for size in range(smallest, smallest + 100_000, 5_000):
        assert decodes(size, threads=3)
