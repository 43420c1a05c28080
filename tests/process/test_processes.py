"""Processes with decoding threads that fork, receive signals, or end."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGLossless, RLELossless

import dicoxide
from support.encoders.dataset import dataset, to_bytes
from support.processes import run_in_fork, run_script

FRAMES = np.random.default_rng(21).integers(0, 4096, (8, 512, 512), dtype=np.uint16)

needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="tests the compiled core")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
multi_threaded = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "frames.dcm"
    if dicoxide.backend == "rust":
        coded = [dicoxide.jpeg_lossless_encode(frame, precision=12) for frame in FRAMES]
        ds = dataset(FRAMES, JPEGLossless, bits_stored=12, coded=coded)
    else:
        ds = dataset(FRAMES, RLELossless, coded=[dicoxide.rle_encode(frame) for frame in FRAMES])
    path.write_bytes(to_bytes(ds))
    return path


def by_decode(source: Path) -> bool:
    return np.array_equal(dicoxide.decode(source, threads=2), FRAMES)


def by_iter_frames(source: Path) -> bool:
    return np.array_equal(list(dicoxide.iter_frames(source, threads=2)), FRAMES)


def by_decode_many(source: Path) -> bool:
    return all(np.array_equal(decoded, FRAMES) for _, decoded in dicoxide.decode_many([source] * 4, threads=2))


def by_pydicom(source: Path) -> bool:
    from pydicom import dcmread

    ds = dcmread(source)
    with dicoxide.enabled(threads=2):
        return np.array_equal(get_decoder(ds.file_meta.TransferSyntaxUID).as_array(ds, raw=True)[0], FRAMES)


DECODE_FUNCTIONS = [by_decode, by_iter_frames, by_decode_many, by_pydicom]


@forks
@multi_threaded
class TestFork:
    @pytest.mark.parametrize("function", DECODE_FUNCTIONS)
    @pytest.mark.parametrize("before", DECODE_FUNCTIONS)
    def test_decode_in_fork_after_threads_were_used(
        self, source: Path, before: Callable[[Path], bool], function: Callable[[Path], bool]
    ) -> None:
        assert before(source)
        assert run_in_fork(lambda: function(source)) == 0
        assert function(source)

    @pytest.mark.parametrize("function", DECODE_FUNCTIONS)
    def test_decode_in_fork_while_other_threads_decode(self, source: Path, function: Callable[[Path], bool]) -> None:
        over = threading.Event()

        def decode() -> None:
            while not over.is_set():
                assert function(source)

        threads = [threading.Thread(target=decode) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(5):
                assert run_in_fork(lambda: all(function(source) for function in DECODE_FUNCTIONS)) == 0
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def test_decode_in_fork_while_the_plugin_lock_is_held(self, source: Path) -> None:
        from dicoxide.plugins import _order

        is_locked, is_over = threading.Event(), threading.Event()

        def hold() -> None:
            with _order._lock:
                is_locked.set()
                is_over.wait(0.2)

        thread = threading.Thread(target=hold)
        thread.start()
        is_locked.wait()
        assert run_in_fork(lambda: by_pydicom(source)) == 0
        is_over.set()
        thread.join()
        assert by_pydicom(source)

    def test_open_image_is_usable_in_parent_and_fork(self, source: Path) -> None:
        with dicoxide.open(source) as image:
            assert np.array_equal(image[1], FRAMES[1])
            # Both processes share one file position, so reads have to be positional.
            indices = [*range(8)] * 3
            assert run_in_fork(lambda: all(np.array_equal(image[index], FRAMES[index]) for index in indices)) == 0
            assert np.array_equal(image.decode(threads=2), FRAMES)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_decode_in_spawned_processes(source: Path, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("the system has no such processes")
    assert by_decode_many(source)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(by_decode, [source] * 4, chunksize=1) == [True] * 4
        assert pool.map(by_decode_many, [source] * 2, chunksize=1) == [True] * 2


@pytest.mark.serial
@needs_core
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("function", ["one_frame", "frames", "iter_frames", "decode_many"])
def test_interrupted_decode_ends_soon_without_threads_or_files(source: Path, function: str) -> None:
    assert run_script("interrupt_decoding", source, function).stdout.startswith("passed")


@pytest.mark.serial
@needs_core
@forks
def test_interrupted_decode_in_process_forked_by_a_thread_ends_soon(source: Path) -> None:
    assert run_script("interrupt_forked_thread", source).stdout == "0\n"


@pytest.mark.parametrize("function", ["decode", "iter_frames", "decode_many", "pydicom"])
@pytest.mark.parametrize("pause", [0, 0.003, 0.01, 0.03, 0.1])
def test_interpreter_exit_while_threads_decode_is_clean(source: Path, function: str, pause: float | int) -> None:
    # Daemon threads stop at any point; that must neither abort the process nor keep it alive.
    assert run_script("exit_while_threads_decode", source, function, pause).stdout == "the end\n"


@pytest.mark.parametrize("function", ["iter_frames", "decode_many"])
def test_interpreter_exit_with_open_iterator_is_clean(source: Path, function: str) -> None:
    assert run_script("exit_with_open_iterator", source, function).stdout == "the end\n"


@needs_core
def test_import_in_subinterpreter_raises_and_the_first_continues(source: Path) -> None:
    assert run_script("import_in_subinterpreter", source).stdout == "passed\n"
