"""Arguments of unusual size and type, limits, and lack of system resources."""

from __future__ import annotations

import os
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

import dicoxide
from dicoxide import CorruptFrameError, LimitError, TruncatedFrameError, UnsupportedError
from support.encoders.dataset import dataset, to_bytes
from support.processes import run_in_fork, run_script

RNG = np.random.default_rng(23)
FRAMES = RNG.integers(0, 4096, (3, 40, 60), dtype=np.uint16)


class TestArguments:
    @pytest.mark.parametrize(
        "change",
        [
            {"rows": -1},
            {"rows": 1 << 40},
            {"bits_allocated": -8},
            {"bits_allocated": 0},
            {"bits_stored": 0},
            {"high_bit": -1},
            {"pixel_representation": -1},
        ],
    )
    def test_frame_spec_with_invalid_numbers_raises_malformed(self, change: dict[str, int]) -> None:
        spec = dicoxide.FrameSpec(**{"transfer_syntax": ExplicitVRLittleEndian, "rows": 2, "columns": 2, **change})
        with pytest.raises(CorruptFrameError) as caught:
            dicoxide.decode_frame(bytes(16), spec)
        assert caught.value.kind == "Malformed"

    def test_frame_spec_accepts_numpy_integers(self) -> None:
        numbers = [np.int64(number) for number in (2, 3, 1, 16, 12, 11, 1, 0)]
        decoded = dicoxide.decode_frame(bytes(range(12)), dicoxide.FrameSpec(ExplicitVRLittleEndian, *numbers))
        assert decoded.dtype == np.int16
        assert decoded.shape == (2, 3)

    def test_decode_accepts_numbers_beyond_64_bits(self) -> None:
        ds = dataset(FRAMES)
        assert np.array_equal(dicoxide.decode(ds, threads=1 << 70, max_bytes=1 << 70), FRAMES)
        with pytest.raises(ValueError, match="at least 0"):
            dicoxide.decode(ds, max_bytes=-1)
        with pytest.raises(TypeError):
            dicoxide.decode(ds, max_bytes=1.5)  # type: ignore[arg-type]

    @pytest.mark.parametrize("out", [[0] * 8, bytearray(8)])
    def test_array_functions_with_out_other_than_an_array_raise(self, out: Any) -> None:
        with pytest.raises(ValueError, match="must be an ndarray"):
            dicoxide.unpack_bits(b"\1", out=out)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="must be an ndarray"):
            dicoxide.pack_bits(np.ones(8), out=out)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="must be an ndarray"):
            dicoxide.rescale(np.ones(8), 1, 0, out=out)  # type: ignore[arg-type]

    def test_limit_error_reports_the_given_max_bytes(self) -> None:
        with pytest.raises(LimitError, match=f"max_bytes is {FRAMES.nbytes}"):
            dicoxide.decode(dataset(FRAMES, RLELossless), max_bytes=FRAMES.nbytes)

    def test_iter_frames_prefetches_within_max_bytes(self) -> None:
        frames = np.zeros((20, 256, 256), np.uint16)
        ds = dataset(frames)
        tracemalloc.start()
        try:
            for _ in dicoxide.iter_frames(ds, threads=20, max_bytes=frames[0].nbytes):
                pass
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 8 * frames[0].nbytes


def test_error_classes_have_a_default_kind() -> None:
    kinds = {
        error: error("").kind for error in (dicoxide.InternalError, TruncatedFrameError, UnsupportedError, LimitError)
    }
    assert list(kinds.values()) == ["Internal", "Truncated", "Unsupported", "LimitExceeded"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_iter_frames_continues_in_a_forked_child() -> None:
    frames = dicoxide.iter_frames(dataset(FRAMES), threads=1)
    assert np.array_equal(next(frames), FRAMES[0])
    assert run_in_fork(lambda: np.array_equal(next(frames), FRAMES[1]) and np.array_equal(next(frames), FRAMES[2])) == 0
    assert np.array_equal(next(frames), FRAMES[1])


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS as on Linux")
def test_decode_without_new_threads_uses_the_calling_thread() -> None:
    run_script("decode_without_new_threads")


class TestMemoryAndArguments:
    def test_view_of_bytes_shares_their_memory(self) -> None:
        data = to_bytes(dataset(FRAMES))
        view = dicoxide.decode(data, copy=False)
        assert np.array_equal(view, FRAMES)
        assert np.shares_memory(view, np.frombuffer(data, np.uint8))
        assert not view.flags.writeable

    def test_iter_frames_results_do_not_share_memory(self) -> None:
        frames = list(dicoxide.iter_frames(dataset(FRAMES), threads=2))
        assert all(frame.base is None or frame.base.size == frame.size for frame in frames)

    @pytest.mark.parametrize("slope", ["nan", "inf"])
    def test_rescale_with_non_finite_slope_raises_corrupt_frame(self, slope: str) -> None:
        ds = dataset(FRAMES, attributes={"RescaleIntercept": "0"})
        ds.RescaleSlope = 1
        ds["RescaleSlope"]._value = float(slope)
        with pytest.raises(CorruptFrameError, match="numbers expected"):
            dicoxide.decode(ds, rescale=True)

    def test_pack_bits_of_unsupported_input_raises_value_error(self) -> None:
        assert dicoxide.pack_bits(b"\1\0\1\1").tolist() == [0b1101]
        for src in (None, "abc", [object()]):
            with pytest.raises(ValueError, match="cannot be packed"):
                dicoxide.pack_bits(src)  # type: ignore[arg-type]

    def test_rescale_in_place_raises_value_error(self) -> None:
        values = np.zeros(100, np.float32)
        if dicoxide.backend == "rust":
            with pytest.raises(ValueError, match="in use"):
                dicoxide.rescale(values, 2, 0, out=values)

    def test_frame_spec_with_unknown_pixel_keyword_raises_value_error(self) -> None:
        spec = dicoxide.FrameSpec(transfer_syntax=ExplicitVRLittleEndian, rows=2, columns=2, pixel_keyword="Pixels")
        with pytest.raises(ValueError, match="pixel_keyword"):
            dicoxide.decode_frame(bytes(8), spec)
