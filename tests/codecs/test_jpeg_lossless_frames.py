"""JPEG Lossless objects of many frames, and frames large enough for every entropy mode: equal samples and errors."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLossless

import dicoxide
from dicoxide import CorruptFrameError, NonConformantWarning, TruncatedFrameError
from support import reference_jpeg_lossless as reference
from support.encoders import jpeg_lossless
from support.encoders.dataset import dataset
from support.encoders.jpeg_lossless_cases import KINDS, picture

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG Lossless")

THREADS = [1, 2, 4, None]
COUNT = 37


@functools.cache
def series(rows: int = 24, columns: int = 25) -> tuple[Any, list[bytes]]:
    """Return frames of equal size and precision with different predictors, tables, restart intervals and content."""
    rng = np.random.default_rng(59)
    names = ["optimal", "fixed", "flat", "skewed"]
    values, coded = [], []
    for index in range(COUNT):
        values.append(picture(rng, (rows, columns), 12, KINDS[index % 4]))
        coded.append(
            jpeg_lossless.encode(
                values[-1],
                precision=12,
                selection_value=index % 7 + 1,
                restart_interval=columns * (index % 5),
                tables=names[index // 4 % 4],
                use_dnl=index % 11 == 3,
                wrap_bits=12 if index % 6 == 5 else 16,
            )
        )
    return np.stack(values), coded


def of(values: Any, coded: list[bytes], **options: Any) -> Dataset:
    return dataset(values, JPEGLossless, bits_stored=12, coded=coded, table="basic", **options)


@pytest.mark.parametrize("threads", THREADS)
def test_decode_of_frames_with_different_parameters(threads: int | None) -> None:
    values, coded = series()
    decoded = dicoxide.decode(of(values, coded), threads=threads, fallback=False)
    assert np.array_equal(decoded, values)
    for frame, src in zip(decoded, coded, strict=True):
        assert np.array_equal(frame, reference.decode(src).values)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 8, 9])
def test_decode_of_few_frames_with_equal_parameters(count: int, threads: int | None) -> None:
    rng = np.random.default_rng(count)
    for selection_value, kind in itertools.product((1, 4, 6, 7), KINDS):
        values = picture(rng, (count, 40, 41), 12, "noise") if kind == "noise" else None
        if values is None:
            values = np.stack([picture(rng, (40, 41), 12, kind) for _ in range(count)])
        coded = [jpeg_lossless.encode(value, precision=12, selection_value=selection_value) for value in values]
        assert np.array_equal(dicoxide.decode(of(values, coded), threads=threads, fallback=False), values)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("broken", [0, 1, 18, COUNT - 1])
def test_decode_with_one_corrupt_frame_gives_its_index(broken: int, threads: int | None) -> None:
    values, coded = series()
    changed = list(coded)
    # A marker within the entropy-coded data.
    start = changed[broken].index(b"\xff\xda") + 12
    changed[broken] = changed[broken][:start] + b"\xff\xd9" + changed[broken][start + 2 :]
    ds = of(values, changed)
    with pytest.raises(CorruptFrameError) as caught:
        dicoxide.decode(ds, threads=threads, fallback=False)
    assert caught.value.frame_index == broken
    assert caught.value.transfer_syntax == JPEGLossless
    assert caught.value.offset is not None
    valid = [index for index in range(COUNT) if index != broken]
    assert np.array_equal(dicoxide.decode(ds, frames=valid, threads=threads, fallback=False), values[valid])


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(("wanted", "first"), [(None, 11), ([30, 11, 2], 30), ([5, 20, 12], 20), (slice(13, None), 20)])
def test_decode_with_several_corrupt_frames_raises_the_first(threads: int | None, wanted: Any, first: int) -> None:
    values, coded = series()
    changed = list(coded)
    for broken in (30, 11, 12, 20):
        changed[broken] = changed[broken][:-20] + b"\xff\xd9"
    ds = of(values, changed)
    with pytest.raises(CorruptFrameError) as caught:
        dicoxide.decode(ds, frames=wanted, threads=threads, fallback=False)
    assert caught.value.frame_index == first


@pytest.mark.parametrize("threads", THREADS)
def test_decode_error_in_a_batch_equals_that_of_the_frame_alone(threads: int | None) -> None:
    # Lock-step decoding of frames does not change errors.
    values, coded = series()
    for broken, cut in itertools.product((3, 10), (3, 7, 60)):
        changed = list(coded)
        changed[broken] = coded[broken][: -2 - cut]
        changed[broken] += b"\0" * (len(changed[broken]) % 2)
        with pytest.raises(CorruptFrameError) as together:
            dicoxide.decode(of(values, changed), threads=threads, fallback=False)
        with pytest.raises(CorruptFrameError) as alone:
            dicoxide.decode(of(values[:1], [changed[broken]]), fallback=False)
        assert type(together.value) is type(alone.value)
        assert str(together.value).rpartition(": ")[2] == str(alone.value).rpartition(": ")[2]
        assert (together.value.kind, together.value.clause) == (alone.value.kind, alone.value.clause)
        assert together.value.offset == alone.value.offset
        assert together.value.frame_index == broken


@pytest.mark.parametrize("threads", THREADS)
def test_decode_with_deviations_warns_once_per_frame(threads: int | None) -> None:
    values, coded = series()
    changed = [src[:-2] if index in (6, 20) else src for index, src in enumerate(coded)]
    ds = of(values, changed)
    with pytest.warns(NonConformantWarning) as reported:
        assert np.array_equal(dicoxide.decode(ds, threads=threads, fallback=False), values)
    # Of the first frame that has any.
    assert all(str(warning.message).startswith("frame 6:") for warning in reported)
    assert len({str(warning.message) for warning in reported}) == len(reported)
    with pytest.raises(CorruptFrameError) as caught:
        dicoxide.decode(ds, threads=threads, strict=True, fallback=False)
    assert caught.value.frame_index == 6


def test_iter_frames_and_single_frames_equal_decode() -> None:
    values, coded = series()
    ds = of(values, coded)
    for threads in THREADS:
        for index, frame in enumerate(dicoxide.iter_frames(ds, threads=threads)):
            assert np.array_equal(frame, values[index])
    for index in (0, 3, -1, 17):
        assert np.array_equal(dicoxide.decode(ds, frames=index, fallback=False), values[index])


def test_decode_of_frames_without_offset_table() -> None:
    values, coded = series()
    ds = of(values, coded)
    ds.PixelData = dataset(values, JPEGLossless, bits_stored=12, coded=coded, table="none").PixelData
    assert np.array_equal(dicoxide.decode(ds, fallback=False), values)


def test_decode_with_number_of_frames_too_small_warns() -> None:
    # Each fragment starts with SOI, so each one is a frame.
    values, coded = series()
    ds = dataset(values, JPEGLossless, bits_stored=12, coded=coded, number_of_frames=5)
    with pytest.warns(NonConformantWarning, match=f"number of frames is 5, {COUNT} frames found"):
        assert np.array_equal(dicoxide.decode(ds, fallback=False), values)


@pytest.mark.parametrize("threads", THREADS)
def test_decode_of_many_frames_with_rescale(threads: int | None) -> None:
    values, coded = series()
    ds = of(values, coded, attributes={"RescaleSlope": "0.7", "RescaleIntercept": "-5"})
    expected = dicoxide.rescale(values, 0.7, -5)
    assert np.array_equal(dicoxide.decode(ds, rescale=True, threads=threads, fallback=False), expected)
    out = np.empty(values.shape, np.float64)
    assert dicoxide.decode(ds, rescale=True, threads=threads, out=out, fallback=False) is out
    assert np.array_equal(out, dicoxide.rescale(values, 0.7, -5, dtype="float64"))


@functools.cache
def large(components: int, precision: int) -> Any:
    rng = np.random.default_rng(61)
    if components > 1:
        return picture(rng, (700, 701, components), precision)
    return picture(rng, (2050, 2051) if precision == 12 else (900, 901), precision)


@pytest.mark.parametrize("selection_value", range(1, 8))
@pytest.mark.parametrize(("components", "precision"), [(1, 12), (1, 16), (1, 8), (3, 8), (3, 12)])
def test_decode_of_large_frame_on_any_threads(components: int, precision: int, selection_value: int) -> None:
    values = large(components, precision)
    src = jpeg_lossless.encode(values, precision=precision, selection_value=selection_value)
    ds = dataset(values, JPEGLossless, samples_per_pixel=components, bits_stored=precision, coded=[src])
    assert np.array_equal(dicoxide.jpeg_lossless_decode(src), values)
    out = np.zeros(values.shape, values.dtype)
    for threads in (1, 2, 4):
        out[:] = 0
        assert np.array_equal(dicoxide.decode(ds, threads=threads, out=out, fallback=False), values)
    if components == 1:
        ds.RescaleSlope, ds.RescaleIntercept = "0.5", "-1000"
        expected = dicoxide.rescale(values, 0.5, -1000)
        assert np.array_equal(dicoxide.decode(ds, rescale=True, threads=2, fallback=False), expected)


@pytest.mark.parametrize("options", [{"restart_interval": 2051}, {"restart_interval": 2051 * 30}, {"tables": "skewed"}])
@pytest.mark.parametrize("selection_value", [1, 5, 7])
@pytest.mark.parametrize("threads", [1, 2])
def test_decode_of_large_frame_with_restarts_or_long_codes(
    options: dict[str, Any], selection_value: int, threads: int
) -> None:
    values = large(1, 12)
    src = jpeg_lossless.encode(values, precision=12, selection_value=selection_value, **options)
    ds = of(values, [src])
    assert np.array_equal(dicoxide.decode(ds, threads=threads, fallback=False), values)


@pytest.mark.parametrize("kind", ["constant next to noise", "constant", "noise"])
@pytest.mark.parametrize("selection_value", [1, 2, 6])
@pytest.mark.parametrize("threads", [1, 2])
def test_decode_of_large_frame_with_uneven_density(kind: str, selection_value: int, threads: int) -> None:
    # The number of bits per sample changes within the frame, so estimates from one part are wrong for another.
    rng = np.random.default_rng(67)
    values = picture(rng, (1500, 1400), 16, "constant" if kind != "noise" else "noise")
    if kind == "constant next to noise":
        values[400:800] = picture(rng, (400, 1400), 16, "noise")
        values[1200:, ::3] = 0
    src = jpeg_lossless.encode(values, selection_value=selection_value)
    ds = dataset(values, JPEGLossless, coded=[src])
    assert np.array_equal(dicoxide.decode(ds, threads=threads, fallback=False), values)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("part", [0.0001, 0.1, 0.37, 0.5, 0.99, 0.999999])
def test_decode_of_large_frame_cut_short_raises_truncated(threads: int, part: float) -> None:
    # Errors equal those of serial decoding.
    values = large(1, 12)
    src = jpeg_lossless.encode(values, precision=12)
    cut = src[: int(len(src) * part) & ~1]
    with pytest.raises(TruncatedFrameError) as caught:
        dicoxide.decode(of(values, [cut]), threads=threads, fallback=False)
    assert caught.value.offset is not None
    # With fewer bits than samples, no sample is decoded.
    assert len(cut) - 2 <= caught.value.offset <= len(cut) or part < 0.2


@pytest.mark.parametrize("threads", [1, 2])
def test_decode_of_large_frame_with_undefined_code_gives_the_offset(threads: int) -> None:
    values = large(1, 12)
    src = jpeg_lossless.encode(values, precision=12, tables="flat")
    offsets = []
    for part in (0.2, 0.5, 0.9):
        start = int(len(src) * part)
        # 64 one bits contain the undefined code of five ones, wherever codes start.
        changed = src[:start] + b"\xfe\xff\0\xff\0\xff\0\xff\0" + src[start + 9 :]
        with pytest.raises(CorruptFrameError) as caught:
            dicoxide.decode(of(values, [changed]), threads=threads, fallback=False)
        offsets.append((caught.value.offset or 0) - start)
    assert all(-1 <= offset <= 9 for offset in offsets), offsets
