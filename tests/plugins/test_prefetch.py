"""Prefetching for pydicom: values, options, warnings and errors equal those of decoding frame by frame."""

from __future__ import annotations

import gc
import itertools
import logging
import re
import threading
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder, iter_pixels, pixel_array
from pydicom.uid import RLELossless
from test_plugin_v3 import options

import dicoxide
from dicoxide._backend import core
from dicoxide._options import DecodeOptions
from dicoxide.errors import NonConformantWarning
from dicoxide.plugins import _prefetch, pydicom_v3
from support.decode_runners import Runner30, Runner31
from support.encoders import image_cases, rle
from support.encoders.dataset import ENCAPSULATED_UNCOMPRESSED, dataset, random_values
from support.encoders.encapsulate import encapsulate
from support.examples import examples

rng = np.random.default_rng(8)


@pytest.fixture(autouse=True)
def _every_codec(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.function is not test_prefetch_is_not_used_for_fast_codecs:
            patch.setattr(_prefetch, "_COPY_SPEED_CODECS", frozenset())
        yield
    dicoxide.disable()
    assert _prefetch.threads() == 1


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Return the frame indices of each batch that is decoded ahead."""
    result: list[list[int]] = []

    class RecordingFrames:
        def __init__(self, *arguments: Any) -> None:
            self.frames = core.Frames(*arguments)

        def __len__(self) -> int:
            return len(self.frames)

        def is_frame(self, index: int, src: bytes) -> bool:
            return self.frames.is_frame(index, src)

        def decode_bytearrays(self, indices: range, options: DecodeOptions) -> Any:
            result.append(list(indices))
            return self.frames.decode_bytearrays(indices, options)

    monkeypatch.setattr(_prefetch, "core", type("Core", (), {"Frames": RecordingFrames}))
    return result


def images(count: int = 9, shape: tuple[int, ...] = (5, 6)) -> np.ndarray[Any, Any]:
    return random_values(rng, (count, *shape), 16, "u2")


def large_images() -> np.ndarray[Any, Any]:
    """Return frames large enough for several threads."""
    return rng.integers(0, 2**16, (9, 600, 700), dtype=np.uint16)


def outcome(call: Any) -> tuple[Any, ...]:
    """Return frames with properties, error, warnings and log records of a call."""
    records: list[tuple[str, str]] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append((record.levelname, record.getMessage()))  # type: ignore[method-assign]
    logger = logging.getLogger("pydicom")
    frames: list[Any] = []
    error = None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        logger.addHandler(handler)
        try:
            for frame, properties in call():
                kind = type(frame)
                frames.append((kind, getattr(frame, "dtype", None), np.array(frame).tobytes(), properties))
        except Exception as raised:
            error = (type(raised), str(raised))
        finally:
            logger.removeHandler(handler)
    return frames, error, [(item.category, str(item.message)) for item in warned], records


def calls(ds: Any, **others: Any) -> dict[str, Any]:

    def decoder() -> Any:
        # Some decoders exist only while dicoxide is enabled.
        return get_decoder(ds.file_meta.TransferSyntaxUID)

    return {
        "as_array": lambda: [decoder().as_array(ds, **others)],
        "as_buffer": lambda: [decoder().as_buffer(ds, **others)],
        "iter_array": lambda: decoder().iter_array(ds, **others),
        "iter_array raw": lambda: decoder().iter_array(ds, raw=True, **others),
        "iter_buffer": lambda: decoder().iter_buffer(ds, **others),
        "indices": lambda: decoder().iter_array(ds, indices=[0, 1, 2, 2, 0, 1], **others),
        "index": lambda: [decoder().as_array(ds, index=1, **others)],
    }


def assert_same(ds: Any, **others: Any) -> None:
    for name, call in calls(ds, **others).items():
        with dicoxide.enabled():
            expected = outcome(call)
        for threads in (2, 3):
            with dicoxide.enabled(threads=threads):
                assert outcome(call) == expected, name


@pytest.mark.parametrize("table", ["none", "basic", "extended"])
@pytest.mark.parametrize("fragments", [1, 2])
def test_prefetched_frames_equal_single_decoding(table: str, fragments: int, batches: list[list[int]]) -> None:
    if (table, fragments) == ("extended", 2):
        pytest.skip("the Extended Offset Table requires one fragment per frame")
    stored = images()
    ds = dataset(stored, RLELossless, table=table, fragments=fragments)
    with dicoxide.enabled(threads=2):
        if (table, fragments) != ("none", 2):
            assert np.array_equal(pixel_array(ds), stored)
            assert list(itertools.chain(*batches)) == list(range(1, 9))
    assert_same(ds)


@pytest.mark.parametrize("uid", [RLELossless, ENCAPSULATED_UNCOMPRESSED])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("samples", [1, 3])
def test_prefetched_frames_of_each_dtype(uid: str, dtype: str, samples: int) -> None:
    bits = np.dtype(dtype).itemsize * 8
    shape = (4, 5, 6, samples) if samples > 1 else (4, 5, 6)
    assert_same(dataset(random_values(rng, shape, bits, dtype), uid, samples_per_pixel=samples, table="basic"))


def test_prefetched_frames_report_options() -> None:
    bits = rng.integers(0, 2, (4, 5, 7), dtype=np.uint8)
    assert_same(dataset(bits, RLELossless, bits_allocated=1, table="basic"))
    colour = {"samples_per_pixel": 3, "photometric_interpretation": "YBR_FULL_422"}
    halves = np.repeat(rng.integers(0, 256, (4, 4, 3, 3), dtype=np.uint8), 2, axis=2)
    assert_same(dataset(halves, ENCAPSULATED_UNCOMPRESSED, table="basic", **colour))
    planes = rng.integers(0, 256, (4, 4, 6, 3), dtype=np.uint8)
    assert_same(dataset(planes, ENCAPSULATED_UNCOMPRESSED, samples_per_pixel=3, planar_configuration=1, table="basic"))


@examples(40)
@given(image_cases.images(syntaxes=(RLELossless,), max_side=5), st.randoms(use_true_random=False))
def test_prefetch_of_mutated_values_equals_single_decoding(case: image_cases.Case, random: Any) -> None:
    ds = case.dataset
    value = bytearray(ds.PixelData)
    for _ in range(random.randrange(3)):
        value[random.randrange(len(value))] ^= 1 << random.randrange(8)
    ds.PixelData = bytes(value)
    assert_same(ds)


@pytest.mark.parametrize("broken", range(6))
def test_prefetch_error_is_raised_at_its_frame(broken: int) -> None:
    frames = [rle.encode(frame[..., None], 16) for frame in images(6)]
    frames[broken] = b"\0" + frames[broken][1:]
    ds = dataset(images(6), RLELossless, table="basic")
    ds.PixelData = encapsulate(frames, table="basic").value
    assert_same(ds)
    assert_same(ds, decoding_plugin="dicoxide")
    with dicoxide.enabled(threads=2):
        good, error, *_ = outcome(lambda: get_decoder(RLELossless).iter_array(ds))
    assert len(good) == broken
    assert error is not None
    assert error[0] is RuntimeError
    assert "dicoxide: number of segments 0 found" in error[1]


@pytest.mark.parametrize("deviating", [(1,), (3, 4), (0, 5), (2, 3, 4, 5)])
def test_prefetch_warns_of_deviations_once(deviating: tuple[int, ...]) -> None:
    frames = []
    for index, frame in enumerate(images(6)):
        segments = [frame.astype(">u2").tobytes()[byte::2] for byte in (0, 1)]
        trailing = bytes(range(index + 1, index + 6)) if index in deviating else b""
        frames.append(rle.assemble([rle.encode_segment(segment) + trailing for segment in segments]))
    ds = dataset(images(6), RLELossless, table="basic")
    ds.PixelData = encapsulate(frames, table="basic").value
    assert_same(ds)
    with dicoxide.enabled(threads=2), pytest.warns(NonConformantWarning, match="Annex G") as warned:
        pixel_array(ds)
    # One for each of the two segments of the first frame that has any, as those of `decode`.
    with pytest.warns(NonConformantWarning) as expected:
        dicoxide.decode(ds, frames=deviating[0])
    messages = [str(warning.message) for warning in expected]
    assert len(messages) == 2
    assert [str(warning.message) for warning in warned] == [
        re.sub(r"^frame \d+: | at byte \d+", "", message) for message in messages
    ]


@pytest.mark.parametrize("declared", [1, 2, 4, 7])
def test_prefetch_with_wrong_number_of_frames(declared: int) -> None:
    assert_same(dataset(images(5), RLELossless, table="basic", number_of_frames=declared))
    assert_same(dataset(images(5), RLELossless, number_of_frames=declared))


def test_prefetch_is_not_used_for_single_frames(batches: list[list[int]]) -> None:
    with dicoxide.enabled(threads=4):
        pixel_array(dataset(images(2), RLELossless))
        ds = dataset(images(9), RLELossless, table="basic")
        for index in range(9):
            pixel_array(ds, index=index)
        list(iter_pixels(ds, indices=[4, 5, 6, 7]))
    assert batches == []


def test_prefetch_batches_are_bounded(batches: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    stored = images(9)
    ds = dataset(stored, RLELossless, table="basic")
    monkeypatch.setattr(_prefetch, "_THREAD_BYTES", 1)
    with dicoxide.enabled(threads=3):
        assert np.array_equal(pixel_array(ds), stored)
        assert batches == [[1, 2, 3], [4, 5, 6], [7, 8]]
        batches.clear()
        monkeypatch.setattr(_prefetch, "_MAX_BATCH_BYTES", 2 * stored[0].nbytes + 1)
        assert np.array_equal(pixel_array(ds), stored)
        assert batches == [[1, 2], [3, 4], [5, 6], [7, 8]]
        batches.clear()
        monkeypatch.setattr(_prefetch, "_MAX_BATCH_BYTES", stored[0].nbytes)
        assert np.array_equal(pixel_array(ds), stored)
        assert batches == []


@pytest.mark.parametrize("uid", [RLELossless, ENCAPSULATED_UNCOMPRESSED])
def test_prefetch_is_not_used_for_fast_codecs(uid: str, batches: list[list[int]]) -> None:
    stored = images()
    with dicoxide.enabled(threads=2):
        assert np.array_equal(pixel_array(dataset(stored, uid, table="basic")), stored)
    assert batches == []


def test_prefetch_ends_at_a_jump_of_the_index(batches: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    stored = images(9)
    monkeypatch.setattr(_prefetch, "_THREAD_BYTES", 1)
    indices = [0, 1, 2, 3, 7, 8, 0, 1, 2]
    with dicoxide.enabled(threads=2):
        result = list(iter_pixels(dataset(stored, RLELossless, table="basic"), indices=indices))
    assert np.array_equal(result, stored[indices])
    assert batches == [[1, 2], [3, 4]]


def test_prefetch_releases_resources_when_iteration_stops() -> None:
    ds = dataset(large_images(), ENCAPSULATED_UNCOMPRESSED, table="basic")
    gc.collect()
    before = threading.active_count(), len(pydicom_v3._RUNNER_STATES)
    with dicoxide.enabled(threads=3):
        frames = iter_pixels(ds)
        retained = list(itertools.islice(frames, 3))
        states = [weakref.ref(state) for state in pydicom_v3._RUNNER_STATES.values() if state.prefetcher._batch]
        assert len(states) == 1
        frames.close()  # type: ignore[attr-defined]
        gc.collect()
        assert states[0]() is None
        assert (threading.active_count(), len(pydicom_v3._RUNNER_STATES)) == before
    assert len({frame.ctypes.data for frame in retained}) == 3


@pytest.mark.parametrize("kind", [Runner30, Runner31])
@pytest.mark.parametrize("lacks", [None, "src", "number_of_frames", "extended_offsets"])
def test_prefetch_needs_a_runner_with_frame_attributes(
    kind: type[Runner30], lacks: str | None, batches: list[list[int]]
) -> None:
    stored = images(5)
    ds = dataset(stored, RLELossless, table="basic")
    shown = {"src": ds.PixelData, "number_of_frames": 5, "extended_offsets": None}
    shown.pop(lacks, None)
    with dicoxide.enabled(threads=2):
        runner = kind(options(stored[0], 16, **shown))
        frames = [pydicom_v3.decode_frame(src, runner) for src in generate_frames(ds.PixelData, number_of_frames=5)]  # type: ignore[arg-type]
    assert b"".join(frames) == stored.astype("<u2").tobytes()
    assert list(itertools.chain(*batches)) == ([1, 2, 3, 4] if lacks is None else [])


@pytest.mark.parametrize("shown", [{"src": bytearray(80)}, {"src": b""}, {"number_of_frames": "5"}, {"rows": 4}])
def test_prefetch_is_not_used_with_inconsistent_runners(shown: dict[str, Any], batches: list[list[int]]) -> None:
    stored = images(5)
    ds = dataset(stored, RLELossless, table="basic")
    frames = list(generate_frames(ds.PixelData, number_of_frames=5))
    runner = Runner30(
        options(stored[0], 16, src=ds.PixelData, number_of_frames=5, extended_offsets=None) | {"rows": 5} | shown
    )
    with dicoxide.enabled(threads=2):
        if "rows" not in shown:
            assert [bytes(pydicom_v3.decode_frame(src, runner)) for src in frames] == [  # type: ignore[arg-type]
                frame.astype("<u2").tobytes() for frame in stored
            ]
    assert batches == []


def test_prefetch_notices_changed_options(batches: list[list[int]]) -> None:
    stored = images(6)
    ds = dataset(stored, RLELossless, table="basic")
    runner = Runner30(options(stored[0], 16, src=ds.PixelData, number_of_frames=6, extended_offsets=None))
    with dicoxide.enabled(threads=2):
        for index, src in enumerate(generate_frames(ds.PixelData, number_of_frames=6)):
            if index == 3:
                runner.options["rle_segment_order"] = "<"
            swapped = stored[index].byteswap() if index >= 3 else stored[index]
            assert bytes(pydicom_v3.decode_frame(src, runner)) == swapped.astype("<u2").tobytes()  # type: ignore[arg-type]
    assert len(batches) == 1


def test_prefetch_after_a_failed_batch_decodes_singly(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = images(5)
    frames = core.Frames
    requested: list[Any] = []

    def fails(*arguments: Any, **others: Any) -> None:
        requested.append(arguments)
        raise MemoryError

    class Failing:
        def __new__(cls, *arguments: Any) -> Any:
            opened = frames(*arguments)
            methods = {"__len__": lambda self: len(opened), "is_frame": lambda self, *a: opened.is_frame(*a)}
            return type("Frames", (), methods | {"decode_bytearrays": fails})()

    monkeypatch.setattr(_prefetch, "core", type("Core", (), {"Frames": Failing}))
    with dicoxide.enabled(threads=2):
        assert np.array_equal(pixel_array(dataset(stored, RLELossless, table="basic")), stored)
    assert len(requested) == 1


def test_enable_sets_the_number_of_threads() -> None:
    assert _prefetch.threads() == 1
    dicoxide.enable(threads=4)
    dicoxide.enable()
    assert _prefetch.threads() == 4
    with dicoxide.enabled(threads=2):
        assert _prefetch.threads() == 2
        with dicoxide.enabled():
            assert _prefetch.threads() == 2
        dicoxide.enable(threads=3)
        assert _prefetch.threads() == 3
    assert _prefetch.threads() == 3
    dicoxide.enable(threads=1)
    assert _prefetch.threads() == 1
    dicoxide.enable(threads=2)
    dicoxide.disable()
    assert _prefetch.threads() == 1
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="at least 1"):
            dicoxide.enable(threads=wrong)
        with pytest.raises(ValueError, match="at least 1"), dicoxide.enabled(threads=wrong):
            pass
    with pytest.raises(TypeError):
        dicoxide.enable(threads=1.5)  # type: ignore[arg-type]


def test_iteration_continues_after_disable() -> None:
    stored = images(8)
    ds = dataset(stored, RLELossless, table="basic")
    with dicoxide.enabled(threads=2):
        frames = iter_pixels(ds)
        result = [next(frames), next(frames)]
    assert np.array_equal([*result, *frames], stored)


def test_prefetch_of_large_frames_on_several_threads() -> None:
    stored = large_images()
    ds = dataset(stored, ENCAPSULATED_UNCOMPRESSED, table="basic")
    with dicoxide.enabled(threads=3):
        assert np.array_equal(pixel_array(ds), stored)
        assert np.array_equal(list(iter_pixels(ds)), stored)
