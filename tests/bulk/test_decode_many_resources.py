"""`decode_many`: bounded memory, threads, processes and interruption."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLossless, RLELossless

import dicoxide
from dicoxide import decode_many
from support.processes import TIMEOUT_SECONDS, forked, run_in_fork, run_script, script, started
from support.single_frame_files import frames, image

pytestmark = pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning", "ignore::UserWarning")


def test_decode_many_requests_sources_as_memory_allows(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    path.write_bytes(image(np.zeros((1000, 1000), np.uint16)))
    requested = 0

    def endless() -> Iterator[Path]:
        nonlocal requested
        while True:
            requested += 1
            yield path

    results = decode_many(endless(), threads=2)
    for _, _ in zip(range(60), results, strict=False):
        pass
    # 2 MB each; 16 MiB are decoded at a time, and as much is buffered.
    assert requested < 60 + 2 * 256 + 10
    results.close()  # type: ignore[attr-defined]


def test_decode_many_does_not_reuse_memory_of_retained_arrays() -> None:
    every = frames(200)
    retained = [result for _, result in decode_many([image(frame) for frame in every], threads=2)]
    assert all(np.array_equal(result, frame) for result, frame in zip(retained, every, strict=True))


@pytest.mark.skipif(dicoxide.backend != "rust", reason="the NumPy backend takes new memory each time")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc reports peak memory")
def test_decode_many_peak_memory_does_not_grow_with_sources(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(image(np.zeros((512, 512), np.uint16)))
    growth_mib = float(run_script("decode_many_peak_memory", path).stdout)
    # Of 2 GB: buffered results, and as much memory kept for reuse.
    assert growth_mib < 2 * 48 + 8


def test_decode_many_closed_early_ends_its_threads() -> None:
    before = threading.active_count()
    results = decode_many([image(frame) for frame in frames(64)], threads=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_decode_many_continues_in_a_forked_child() -> None:
    every = frames(40)
    results = decode_many([image(frame) for frame in every], threads=2)
    next(results)

    def rest_is_right() -> bool:
        rest = [result for _, result in results]
        return len(rest) == 39 and all(np.array_equal(a, b) for a, b in zip(rest, every[1:], strict=True))

    assert run_in_fork(rest_is_right) == 0
    assert len(list(results)) == 39


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_decode_many_interrupted_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    path.write_bytes(image(np.zeros((2000, 2000), np.uint16), RLELossless))
    with started(script("decode_many_forever", path), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        threading.Event().wait(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode in (-signal.SIGINT, 1, 130)
    assert b"KeyboardInterrupt" in errors


def test_decode_many_after_a_slow_source_buffers_few_results() -> None:
    # Inflating takes long; small sources are decoded meanwhile.
    small = image(frames(1, 256, 256)[0])
    compress = zlib.compressobj(6, zlib.DEFLATED, -15)
    plain_file = image(frames(1, 3000, 3000)[0])
    start = plain_file.index(b"\x08\x00\x16\x00")
    head = plain_file[:start].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    length = head.index(b"\x02\x00\x10\x00") + 6
    head = head[:length] + b"\x16\0" + head[length + 2 :]
    group_length = head.index(b"\x02\x00\x00\x00UL") + 8
    head = (
        head[:group_length]
        + (int.from_bytes(head[group_length : group_length + 4], "little") + 2).to_bytes(4, "little")
        + head[group_length + 4 :]
    )
    slow = head + compress.compress(plain_file[start:]) + compress.flush()
    taken_count = 0

    def sources() -> Iterator[bytes]:
        nonlocal taken_count
        for source in (slow, *[small] * 3, slow, *[small] * 1500):
            taken_count += 1
            yield source

    results = decode_many(sources(), threads=2)
    _, first = next(results)
    assert first.shape == (3000, 3000)
    assert taken_count < 600
    assert sum(1 for _ in results) == 1504


@pytest.mark.skipif(sys.platform == "win32" or dicoxide.backend != "rust", reason="signals of POSIX, JPEG Lossless")
def test_decode_many_interrupted_in_the_first_batch_raises(tmp_path: Path) -> None:
    path = tmp_path / "long.dcm"
    frame = frames(1, 512, 512)[0]
    encoded = dicoxide.jpeg_lossless_encode(frame, precision=12)
    ds = pydicom.dcmread(io.BytesIO(image(frame, JPEGLossless)))
    ds.NumberOfFrames = 2000
    ds.PixelData = encapsulate([encoded] * 2000)
    ds.save_as(path)
    assert run_script("interrupt_first_batch", path).stdout == "interrupted\n"


@pytest.mark.parametrize("room_bytes", [1, 100_000])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_decode_many_of_mixed_sources_with_tiny_buffer_completes(
    threads: int, ordered: bool, room_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dicoxide.bulk import _many

    # The buffer holds hardly one result: the next one in order has to fit, whichever decoder it comes from.
    monkeypatch.setattr(_many, "_BUFFER_BYTES", room_bytes)
    every = frames(90)
    sources: list[Any] = [image(frame) for frame in every]
    for index in {*range(0, 90, 7), *range(40, 60), 89}:
        sources[index] = pydicom.dcmread(io.BytesIO(sources[index]))
    decoded = list(decode_many(sources, threads=threads, ordered=ordered))
    assert len(decoded) == 90
    by_source = {id(source): result for source, result in decoded}
    assert all(np.array_equal(by_source[id(source)], frame) for source, frame in zip(sources, every, strict=True))
    if ordered:
        assert all(source is given for (source, _), given in zip(decoded, sources, strict=True))


def test_decode_many_closed_while_threads_wait_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from dicoxide.bulk import _many

    monkeypatch.setattr(_many, "_BUFFER_BYTES", 1)
    before = threading.active_count()
    results = decode_many([image(frame) for frame in frames(64)] * 4, threads=3)
    next(results)
    threading.Event().wait(0.1)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


class _Slow(Dataset):
    """A data set whose elements block until an event is set."""

    def __init__(self, data: bytes, enough: threading.Event) -> None:
        super().__init__(pydicom.dcmread(io.BytesIO(data)))
        self.file_meta = pydicom.dcmread(io.BytesIO(data)).file_meta
        self._private = enough

    def get_item(self, *arguments: Any, **options: Any) -> Any:
        self._private.wait(20)
        return super().get_item(*arguments, **options)


@pytest.mark.parametrize("others", [b"", bytes(1 << 20)])
def test_decode_many_after_a_slow_source_requests_few_sources(others: bytes) -> None:
    enough = threading.Event()
    good = image(frames(1, 8, 8)[0])
    requested = 0

    def sources() -> Iterator[Any]:
        nonlocal requested
        yield _Slow(good, enough)
        while requested < 4000:
            requested += 1
            # With many bytes after the pixel data, or nothing that can be decoded.
            yield good + others if others and dicoxide.backend == "rust" else b"no image"

    results = decode_many(sources(), threads=2, on_error="return")
    threading.Timer(1.5, enough.set).start()
    next(results)
    assert requested <= (48 + 2 if others and dicoxide.backend == "rust" else 2 * 128 + 2)
    results.close()  # type: ignore[attr-defined]


def test_decode_many_with_system_exit_in_a_source_raises_it() -> None:
    class Leaving(Dataset):
        def get_item(self, *_: Any, **__: Any) -> Any:
            raise SystemExit(3)

    good = image(frames(1)[0])
    leaving = Leaving(pydicom.dcmread(io.BytesIO(good)))
    leaving.file_meta = pydicom.dcmread(io.BytesIO(good)).file_meta
    with pytest.raises(SystemExit):
        list(decode_many([good, leaving], on_error="return"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_decode_many_with_fork_in_the_source_iterator_completes_twice() -> None:
    every = frames(40)
    child = None

    def sources() -> Iterator[bytes]:
        nonlocal child
        for index, frame in enumerate(every):
            if index == 20:
                child = os.fork()
            yield image(frame)

    try:
        count = sum(
            np.array_equal(result, frame) for (_, result), frame in zip(decode_many(sources()), every, strict=True)
        )
    except BaseException:
        count = -1
    if child == 0:
        os._exit(0 if count == 40 else 1)
    assert child is not None
    with forked(child):
        _, status = os.waitpid(child, 0)
    assert (os.waitstatus_to_exitcode(status), count) == (0, 40)


@pytest.mark.skipif(dicoxide.backend != "rust", reason="the core looks NumPy's interface up")
def test_decode_many_interrupted_at_numpy_lookup_does_not_panic() -> None:
    done = run_script("interrupt_numpy_lookup", input=image(frames(1)[0]), text=False)
    assert done.stdout == b"(48, 64)\n", done.stderr


def test_decode_many_interrupted_while_a_thread_starts_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    start, begun = threading.Thread.start, []

    def interrupted(thread: threading.Thread) -> None:
        begun.append(thread)
        if len(begun) == 2:
            raise KeyboardInterrupt
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    datasets = [pydicom.dcmread(io.BytesIO(image(frame))) for frame in frames(10)]
    with pytest.raises(KeyboardInterrupt):
        list(decode_many(datasets, threads=3))
