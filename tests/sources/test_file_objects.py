# ruff: noqa: SIM115
"""File objects: seekable ones are read by position, header and requested frames only; others are read to their end."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import mmap
import os
import tarfile
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import dicoxide
from support.multi_frame_files import FILES, FRAME_COUNT, FRAMES, NO_TABLE, ROWS, CountingFile
from support.processes import run_script
from support.real_images import pydicom_files

needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="without the extension, files are read whole")


@needs_core
@pytest.mark.parametrize("name", FILES)
def test_one_frame_of_a_file_object_reads_header_and_frame_only(name: str) -> None:
    data = FILES[name]
    frame_bytes = len(data) // FRAME_COUNT
    for index in (0, 5, FRAME_COUNT - 1):
        file = CountingFile(data)
        with dicoxide.open(file) as opened:
            assert len(file.reads) <= 2
            np.testing.assert_array_equal(opened[index], FRAMES[index])
            assert len(file.reads) <= 5
            # Header, frame, and what is read ahead of them.
            assert file.read_bytes < 2 * frame_bytes + 400_000
            before = len(file.reads)
            np.testing.assert_array_equal(opened[index - 1], FRAMES[index - 1])
            assert len(file.reads) - before <= 3
        assert not file.closed
        file = CountingFile(data)
        np.testing.assert_array_equal(dicoxide.decode(file, frames=index), FRAMES[index])
        assert file.read_bytes < 2 * frame_bytes + 400_000


@needs_core
@pytest.mark.parametrize("name", ["native", "rle"])
def test_iter_frames_and_slices_of_a_file_object_read_only_their_frames(name: str) -> None:
    frame_bytes = len(FILES[name]) // FRAME_COUNT
    file = CountingFile(FILES[name])
    frames = dicoxide.iter_frames(file, frames=[7, 2], threads=1)
    np.testing.assert_array_equal(np.stack(list(frames)), FRAMES[[7, 2]])
    assert file.read_bytes < 3 * frame_bytes + 400_000
    file = CountingFile(FILES[name])
    np.testing.assert_array_equal(dicoxide.open(file)[4:6], FRAMES[4:6])
    assert file.read_bytes < 3 * frame_bytes + 400_000
    file = CountingFile(FILES[name])
    [(source, array)] = dicoxide.decode_many([file], frames=-1)
    assert source is file
    np.testing.assert_array_equal(array, FRAMES[-1])
    assert file.read_bytes < 2 * frame_bytes + 400_000


@needs_core
def test_items_without_offset_table_are_stepped_over_by_small_reads() -> None:
    file = CountingFile(NO_TABLE)
    np.testing.assert_array_equal(dicoxide.open(file)[3], FRAMES[3])
    assert len(file.reads) < 2 * FRAME_COUNT
    assert file.read_bytes < len(NO_TABLE) / 2


class BareFile:
    """A file object of another package: no base class, neither `seekable` nor `readinto`; `seek` returns None."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def read(self, count: int = -1) -> memoryview:
        end = len(self._data) if count < 0 else self._position + count
        data = memoryview(self._data)[self._position : end]
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> None:
        self._position = offset + (0, self._position, len(self._data))[whence]

    def tell(self) -> int:
        return self._position


class Stream(io.RawIOBase):
    """A stream that is not seekable, and gives at most 1000 bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def readable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        part, self._rest = self._rest[: min(1000, len(out))], self._rest[min(1000, len(out)) :]
        out[: len(part)] = part
        return len(part)


class ClaimsToSeek(Stream):
    """A stream whose `seekable` is wrong, as that of fsspec's HTTP streams."""

    def seekable(self) -> bool:
        return True


@functools.cache
def _compressed(module: Any, data: bytes) -> bytes:
    result: bytes = module.compress(data)
    return result


def _zip_member(data: bytes, _: Path) -> Any:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", data)
    return zipfile.ZipFile(stream).open("a.dcm")


def _tar_member(data: bytes, _: Path, mode: str = "w") -> Any:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        info = tarfile.TarInfo("a.dcm")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    stream.seek(0)
    return tarfile.open(fileobj=stream).extractfile("a.dcm")


def _spooled(data: bytes, _: Path) -> Any:
    file = tempfile.SpooledTemporaryFile(1000)
    file.write(data)
    file.seek(0)
    return file


def _mapped(data: bytes, path: Path) -> Any:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


KINDS: dict[str, Any] = {
    "BytesIO": lambda data, path: io.BytesIO(data),
    "counting": lambda data, path: CountingFile(data),
    "buffered": lambda data, path: path.open("rb"),
    "raw": lambda data, path: path.open("rb", buffering=0),
    "mmap": _mapped,
    "spooled": _spooled,
    "bare": lambda data, path: BareFile(data),
    "stream": lambda data, path: io.BufferedReader(Stream(data)),
    "claims-to-seek": lambda data, path: io.BufferedReader(ClaimsToSeek(data)),
    "gzip": lambda data, path: gzip.GzipFile(fileobj=io.BytesIO(_compressed(gzip, data))),
    "bz2": lambda data, path: bz2.BZ2File(io.BytesIO(_compressed(bz2, data))),
    "lzma": lambda data, path: lzma.LZMAFile(io.BytesIO(_compressed(lzma, data))),
    "zip": _zip_member,
    "tar": _tar_member,
    "tar-gzip": lambda data, path: _tar_member(data, path, "w:gz"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["native", "rle"])
def test_every_kind_of_file_object_decodes_like_bytes(name: str, kind: str, tmp_path: Path) -> None:
    data, path = FILES[name], tmp_path / "file.dcm"
    path.write_bytes(data)

    def file() -> Any:
        return KINDS[kind](data, path)

    np.testing.assert_array_equal(dicoxide.decode(file()), FRAMES)
    np.testing.assert_array_equal(dicoxide.decode(file(), frames=[3, -1], rescale=True), FRAMES[[3, -1]])
    np.testing.assert_array_equal(np.stack(list(dicoxide.iter_frames(file()))), FRAMES)
    sources = [file() for _ in range(3)]
    for source, (given, array) in zip(sources, dicoxide.decode_many(sources), strict=True):
        assert given is source
        np.testing.assert_array_equal(array, FRAMES)
    opened = dicoxide.open(file())
    assert opened.number_of_frames == FRAME_COUNT
    assert opened.attributes["Rows"] == ROWS
    assert opened.to_pydicom().PixelData == pydicom.dcmread(path).PixelData
    if name == "native":
        np.testing.assert_array_equal(dicoxide.decode(file(), copy=False), FRAMES)


@pytest.mark.parametrize("kind", ["BytesIO", "counting", "buffered", "bare"])
def test_object_starts_at_the_position_of_the_file_which_does_not_change(kind: str, tmp_path: Path) -> None:
    data, path = b"before" + FILES["rle"], tmp_path / "file.dcm"
    path.write_bytes(data)
    file = KINDS[kind](data, path)
    file.seek(6)
    opened = dicoxide.open(file)
    assert file.tell() == 6
    np.testing.assert_array_equal(opened[2], FRAMES[2])
    assert file.tell() == 6
    np.testing.assert_array_equal(dicoxide.decode(file), FRAMES)
    assert file.tell() == 6
    # The caller may move the file between two calls.
    file.seek(1)
    np.testing.assert_array_equal(opened[4], FRAMES[4])
    assert file.tell() == 1
    if hasattr(file, "close"):
        file.close()


def test_fallback_decoder_reads_a_file_object() -> None:
    path = next(path for path in pydicom_files() if path.name == "JPEG2000.dcm")
    try:
        expected = dicoxide.decode(path)
    except dicoxide.UnsupportedError:
        pytest.skip("no decoder of JPEG 2000 is installed")
    np.testing.assert_array_equal(dicoxide.decode(CountingFile(path.read_bytes())), expected)


class FailingFile(CountingFile):
    """Raises `error` for reads that start at or after `limit`."""

    error: BaseException | None = None
    limit = 0

    def read(self, count: int | None = -1) -> bytes:
        if self.error is not None and self.tell() + (count or 0) >= self.limit:
            raise self.error
        return super().read(count)


ERRORS = [ZeroDivisionError("no"), OSError(5, "lost"), KeyboardInterrupt(), TimeoutError("late"), InterruptedError()]


@needs_core
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_exception_of_a_file_object_is_raised_unchanged(error: BaseException) -> None:
    for data in (FILES["native"], FILES["rle"], NO_TABLE):
        file = FailingFile(data)
        file.error = error
        with pytest.raises(type(error)) as raised:
            dicoxide.open(file)
        assert raised.value is error
        file.limit = len(data) // 2
        for call in (
            lambda file: dicoxide.decode(file, threads=1),
            lambda file: dicoxide.decode(file, threads=3),
            lambda file: list(dicoxide.iter_frames(file)),
            lambda file: list(dicoxide.decode_many([file])),
        ):
            with pytest.raises(type(error)) as raised:
                call(file)
            assert raised.value is error
        if isinstance(error, OSError):
            [(_, result)] = dicoxide.decode_many([file], on_error="return")
            assert result is error


@needs_core
@pytest.mark.parametrize("data", [FILES["native"], FILES["rle"], NO_TABLE], ids=["native", "table", "no-table"])
def test_frame_decodes_after_a_read_has_failed_once(data: bytes) -> None:
    file = FailingFile(data)
    opened = dicoxide.open(file)
    for index in (0, 8):
        file.error, file.limit = TimeoutError("late"), 0
        file.reads.clear()
        with pytest.raises(TimeoutError):
            opened[index]
        file.error = None
        np.testing.assert_array_equal(opened[index], FRAMES[index])


@needs_core
def test_file_object_that_has_become_shorter_is_truncated() -> None:
    for name in ("native", "rle"):
        file = CountingFile(FILES[name])
        opened = dicoxide.open(file)
        file.truncate(len(FILES[name]) // 2)
        np.testing.assert_array_equal(opened[1], FRAMES[1])
        with pytest.raises(dicoxide.TruncatedFrameError):
            opened[FRAME_COUNT - 1]


@pytest.mark.parametrize(
    ("returned", "error"),
    [
        ("text", (TypeError, "returned str, bytes expected")),
        (None, (BlockingIOError, "unavailable")),
        (b"x" * 10_000_000, (ValueError, "returned 10000000 bytes")),
    ],
    ids=["str", "none", "too-many"],
)
@needs_core
def test_invalid_result_of_read_raises(returned: Any, error: tuple[type[Exception], str]) -> None:
    class File(BareFile):
        def read(self, count: int = -1) -> Any:
            return returned

    with pytest.raises(error[0], match=error[1]):
        dicoxide.decode(File(FILES["rle"]))


def test_text_file_raises_type_error(tmp_path: Path) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(FILES["rle"])
    with path.open(encoding="latin-1") as file:
        for call in (dicoxide.decode, dicoxide.open, lambda file: list(dicoxide.decode_many([file]))):
            with pytest.raises(TypeError, match="text file, bytes expected"):
                call(file)


@pytest.mark.parametrize("kind", ["BytesIO", "counting", "buffered", "raw"])
def test_closed_file_raises_value_error(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(FILES["rle"])
    file = KINDS[kind](FILES["rle"], path)
    opened = dicoxide.open(file)
    file.close()
    for call in (dicoxide.decode, dicoxide.open, lambda file: list(dicoxide.decode_many([file]))):
        with pytest.raises(ValueError, match="closed file"):
            call(file)
    if kind != "BytesIO" and dicoxide.backend == "rust":
        with pytest.raises(ValueError, match="closed file"):
            opened[5]


def test_file_object_is_decoded_by_several_threads_and_images() -> None:
    file = CountingFile(FILES["rle"])
    images = [dicoxide.open(file) for _ in range(3)]
    indices = [index % FRAME_COUNT for index in range(60)]
    with ThreadPoolExecutor(4) as pool:
        decoded = list(pool.map(lambda job: images[job[0] % 3][job[1]], enumerate(indices)))
    assert all(np.array_equal(frame, FRAMES[index]) for frame, index in zip(decoded, indices, strict=True))
    for _, array in dicoxide.decode_many([file] * 8, threads=4):
        np.testing.assert_array_equal(array, FRAMES)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_process_reads_a_file_object_whose_lock_was_held() -> None:
    assert run_script("fork_while_file_is_read").stdout == "decoded\n"


@needs_core
def test_interpreter_exit_while_file_objects_are_decoded_is_clean(tmp_path: Path) -> None:
    path = tmp_path / "file.dcm"
    path.write_bytes(FILES["rle"])
    assert run_script("exit_while_file_is_read", path).stdout == "the end\n"
