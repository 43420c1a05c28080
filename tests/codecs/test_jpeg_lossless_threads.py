"""One large JPEG Lossless frame on several threads: samples, warnings and errors equal those of one thread."""

from __future__ import annotations

import functools
import signal
import warnings
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLossless

import dicoxide
from dicoxide import DecodeError
from support.encoders.dataset import dataset
from support.encoders.jpeg_lossless_cases import picture

pytestmark = pytest.mark.skipif(dicoxide.backend == "numpy", reason="the NumPy backend decodes no JPEG Lossless")

THREADS = [2, 3, 7, None]


@functools.cache
def large(*shape: int, kind: str = "smooth", selection_value: int = 1, restart_rows: int = 0) -> tuple[Any, bytes]:
    """Return samples and their codestream of several MB."""
    values = picture(np.random.default_rng(7), shape, 12, kind)
    interval = restart_rows * shape[1]
    src = dicoxide.jpeg_lossless_encode(
        values, selection_value=selection_value, restart_interval=interval, precision=12
    )
    return values, src


def of(values: Any, *coded: bytes) -> Dataset:
    samples_per_pixel = 3 if values.shape[-1] == 3 else 1
    return dataset(values, JPEGLossless, samples_per_pixel=samples_per_pixel, bits_stored=12, coded=list(coded))


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((3000, 2500), {}),
        ((3000, 2500), {"kind": "noise", "selection_value": 7}),
        ((3000, 2500), {"kind": "constant"}),
        ((1500, 1250), {"restart_rows": 1}),
        ((1500, 1250), {"restart_rows": 50, "selection_value": 4}),
        ((900, 700, 3), {}),
    ],
)
def test_decode_on_any_threads_equals_one_thread(
    shape: tuple[int, ...], options: dict[str, Any], threads: int | None
) -> None:
    values, src = large(*shape, **options)
    ds = of(values, src)
    assert np.array_equal(dicoxide.decode(ds, threads=1, fallback=False), values)
    assert np.array_equal(dicoxide.decode(ds, threads=threads, fallback=False), values)
    if len(shape) == 2:
        out = np.empty(shape, np.float32)
        assert dicoxide.decode(ds, threads=threads, fallback=False, rescale=True, out=out) is out
        assert np.array_equal(out, values)


@pytest.mark.parametrize("threads", THREADS)
def test_decode_of_fewer_frames_than_threads(threads: int | None) -> None:
    values, src = large(900, 700)
    assert np.array_equal(dicoxide.decode(of(np.stack([values, values]), src, src), threads=threads), [values, values])


@pytest.mark.parametrize("restart_rows", [0, 3, 70])
def test_decode_errors_and_warnings_on_any_threads_equal_one_thread(restart_rows: int) -> None:
    values, src = large(1200, 900, restart_rows=restart_rows)
    rng = np.random.default_rng(3)
    changed = [src[: len(src) // 2] + b"\xff\xd9", src[:-2] + bytes(90_000) + src[-2:]]
    for index in rng.integers(len(src) // 10, len(src) - 200, 12):
        piece = rng.integers(0, 255, 100, dtype=np.uint8).tobytes()
        changed.append(src[:index] + piece + src[index + len(piece) :])
    for broken in changed:
        result = [outcome(of(values, broken), threads) for threads in (1, *THREADS)]
        assert result.count(result[0]) == len(result)


def outcome(ds: Dataset, threads: int | None) -> tuple[Any, ...]:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            result: Any = dicoxide.decode(ds, threads=threads, fallback=False).tobytes()
        except DecodeError as error:
            result = type(error), str(error), error.offset
    return result, [str(warning.message) for warning in warned]


def test_plugin_decodes_large_frames_on_the_enabled_threads() -> None:
    values, src = large(1200, 900)
    with dicoxide.enabled(threads=3):
        assert np.array_equal(of(values, src).pixel_array, values)
        with pytest.raises(RuntimeError, match="entropy-coded data end"):
            _ = of(values, src[: len(src) // 2] + b"\xff\xd9").pixel_array


def test_max_bytes_sufficient_for_one_thread_is_sufficient() -> None:
    values, src = large(1200, 900)
    ds = of(values, src)
    minimum = next(
        limit
        for limit in range(values.nbytes, 2 * values.nbytes + (1 << 22), 1 << 16)
        if isinstance(outcome_of_budget(ds, 1, limit), np.ndarray)
    )
    for threads in THREADS:
        for limit in (minimum, minimum + (1 << 21), minimum + (1 << 23)):
            assert np.array_equal(outcome_of_budget(ds, threads, limit), values)


def outcome_of_budget(ds: Dataset, threads: int | None, max_bytes: int) -> Any:
    try:
        return dicoxide.decode(ds, threads=threads, max_bytes=max_bytes, fallback=False)
    except dicoxide.LimitError as error:
        return error


def test_decode_interrupted_by_a_signal_ends_all_threads() -> None:
    values, src = large(3000, 2500, kind="noise", selection_value=7)
    ds = of(values, src)

    class AlarmError(Exception):
        pass

    def raised(*_: object) -> None:
        raise AlarmError

    before = signal.signal(signal.SIGALRM, raised)
    try:
        with pytest.raises(AlarmError):
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            while True:
                dicoxide.decode(ds, threads=3, fallback=False)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert np.array_equal(dicoxide.decode(ds, threads=3, fallback=False), values)
