"""`decode_many`: each result equals that of `decode`, in order, for every kind of source."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEGLossless, RLELossless

import dicoxide
from dicoxide import decode_many
from support.real_images import pydicom_files, shared_files
from support.single_frame_files import frames, image

pytestmark = pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning", "ignore::UserWarning")


FILES = [path for path in pydicom_files() if path.suffix == ".dcm"]


def one_by_one(sources: list[Any], **options: Any) -> list[Any]:
    result = []
    for source in sources:
        try:
            result.append(dicoxide.decode(source, **options))
        except (ValueError, IndexError, OSError) as error:
            result.append(error)
    return result


def require_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected), (found, expected)
    if isinstance(expected, dicoxide.LimitError):
        # The needed size in the message differs: it is computed at another point.
        assert found.__dict__ == expected.__dict__
    elif isinstance(expected, Exception):
        assert (str(found), found.__dict__) == (str(expected), expected.__dict__)
    else:
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        assert found.flags.writeable
        assert np.array_equal(found, expected, equal_nan=found.dtype.kind == "f")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rescale": True},
        {"rescale": True, "dtype": "float64"},
        {"rescale": True, "dtype": "int32"},
        {"frames": 0},
        {"frames": -1},
        {"frames": 2},
        {"frames": slice(1, 3)},
        {"raw": True},
        {"strict": True},
        {"max_bytes": 100_000},
        {"dtype": "uint32"},
    ],
    ids=str,
)
def test_decode_many_results_equal_decode(options: dict[str, Any]) -> None:
    files = [path for path in [*FILES, *shared_files()[::3]] if dicoxide.backend == "rust" or path in FILES]
    decoded = list(decode_many(files, on_error="return", fallback=False, **options))
    assert [source for source, _ in decoded] == files
    for (_, result), expected in zip(decoded, one_by_one(files, fallback=False, **options), strict=True):
        require_same(result, expected)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("uid", [ExplicitVRLittleEndian, RLELossless, JPEGLossless])
def test_decode_many_of_small_images_keeps_order(uid: str, threads: int) -> None:
    if uid == JPEGLossless and dicoxide.backend != "rust":
        pytest.skip("the NumPy backend has no JPEG Lossless")
    # Three sizes, so that there are several batches.
    images = [*frames(40), *frames(30, 20, 32), *frames(5)]
    sources = [image(frame, uid) for frame in images]
    decoded = list(decode_many(sources, threads=threads))
    assert [source for source, _ in decoded] == sources
    assert all(np.array_equal(result, frame) for (_, result), frame in zip(decoded, images, strict=True))


def test_decode_many_with_corrupt_images_in_a_batch_fails_only_those() -> None:
    images = frames(24)
    sources: list[bytes] = [
        image(frame, JPEGLossless if dicoxide.backend == "rust" else RLELossless) for frame in images
    ]
    for broken in (0, 7, 23):
        sources[broken] = sources[broken][:-120]
    decoded = [result for _, result in decode_many(sources, on_error="return")]
    for index, (result, frame) in enumerate(zip(decoded, images, strict=True)):
        if index in (0, 7, 23):
            require_same(result, one_by_one([sources[index]])[0])
            assert isinstance(result, dicoxide.DecodeError)
        else:
            assert np.array_equal(result, frame)


class TestErrors:
    def sources(self, tmp_path: Path) -> list[Any]:
        good = [image(frame) for frame in frames(6)]
        (tmp_path / "empty").touch()
        return [good[0], tmp_path / "missing", good[1], good[2][:-50], tmp_path / "empty", tmp_path, good[3]]

    def test_on_error_return_yields_errors(self, tmp_path: Path) -> None:
        sources = self.sources(tmp_path)
        decoded = list(decode_many(sources, on_error="return"))
        kinds = [type(result).__name__ for _, result in decoded]
        assert kinds == [
            "ndarray",
            "FileNotFoundError",
            "ndarray",
            "TruncatedFrameError",
            "CorruptFrameError",
            "IsADirectoryError",
            "ndarray",
        ]
        missing = decoded[1][1]
        assert (missing.filename, missing.errno) == (str(tmp_path / "missing"), 2)

    def test_on_error_skip_omits_failed_sources(self, tmp_path: Path) -> None:
        sources = self.sources(tmp_path)
        decoded = list(decode_many(sources, on_error="skip"))
        assert [source for source, _ in decoded] == [sources[0], sources[2], sources[6]]

    def test_on_error_raise_raises_at_the_failed_source(self, tmp_path: Path) -> None:
        results = decode_many(self.sources(tmp_path))
        assert isinstance(next(results)[1], np.ndarray)
        with pytest.raises(FileNotFoundError):
            next(results)

    def test_decode_many_checks_arguments_when_called(self) -> None:
        with pytest.raises(ValueError, match="on_error must be"):
            decode_many([], on_error="ignore")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="has no option 'out'"):
            decode_many([], out=np.zeros(1))
        with pytest.raises(ValueError, match="threads must be at least 1"):
            decode_many([], threads=0)


def test_decode_many_accepts_every_source_type() -> None:
    (frame,) = frames(1)
    data = image(frame)
    sources: list[Any] = [data, bytearray(data), memoryview(data), io.BytesIO(data), pydicom.dcmread(io.BytesIO(data))]
    decoded = list(decode_many(sources))
    assert all(source is given for (source, _), given in zip(decoded, sources, strict=True))
    assert all(np.array_equal(result, frame) for _, result in decoded)
    with pytest.raises(TypeError, match="src must be a path"):
        list(decode_many([7]))  # type: ignore[list-item]


def test_decode_many_unordered_yields_every_source() -> None:
    images = frames(50)
    sources = [image(frame) for frame in images]
    decoded = dict(decode_many(sources, ordered=False, threads=3))
    assert len(decoded) == 50
    assert all(np.array_equal(decoded[source], frame) for source, frame in zip(sources, images, strict=True))


def test_decode_many_warns_of_deviations_per_source() -> None:
    sources = [image(frame, HighBit=15) for frame in frames(2)] + [image(frames(1)[0], NumberOfFrames=0)]
    with pytest.warns(dicoxide.NonConformantWarning) as caught:
        list(decode_many(sources))
    reported = [str(warning.message) for warning in caught if warning.category is dicoxide.NonConformantWarning]
    assert [text.partition(" found")[0] for text in reported] == ["high bit 15", "high bit 15", "number of frames 0"]


def test_decode_many_without_sources_is_empty() -> None:
    assert list(decode_many([])) == []


def test_decode_many_of_closed_file_is_an_error_of_that_source() -> None:
    good = image(frames(1)[0])
    closed = io.BytesIO(good)
    closed.close()
    results = [result for _, result in decode_many([good, closed, good], on_error="return")]
    assert [type(result) for result in results] == [np.ndarray, ValueError, np.ndarray]
    assert len(list(decode_many([good, closed, good], on_error="skip"))) == 2


def test_decode_many_of_text_file_raises_type_error(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(image(frames(1)[0]))
    with pytest.raises(TypeError):
        list(decode_many([io.StringIO(str(path))]))


@pytest.mark.parametrize("count", [0, 1, 2, 7, 30])
def test_decode_many_with_failing_iterator_yields_earlier_results(count: int) -> None:
    good = image(frames(1)[0])

    def sources() -> Iterator[bytes]:
        yield from [good] * count
        raise RuntimeError("no more")

    given = 0
    with pytest.raises(RuntimeError, match="no more"):
        for _ in decode_many(sources(), threads=1):
            given += 1
    assert given == count


def test_decode_many_of_unknown_source_type_raises_at_that_source() -> None:
    good = image(frames(1)[0])
    given = 0
    with pytest.raises(TypeError):
        for _ in decode_many([good, good, 5, good], on_error="return"):
            given += 1
    assert given == 2


def test_decode_many_limits_and_indices_equal_decode() -> None:
    odd = image(frames(1, 3, 3)[0])
    [(_, found)] = decode_many([odd], max_bytes=18)
    assert found.shape == (3, 3)
    for options in ({"max_bytes": 17}, {"frames": 1 << 63}, {"frames": -(1 << 70)}, {"dtype": "longdouble"}):
        [(_, found)] = decode_many([odd], on_error="return", **options)
        require_same(found, one_by_one([odd], **options)[0])


@pytest.mark.skipif(dicoxide.backend != "rust", reason="pydicom takes other paths, and refuses them otherwise")
@pytest.mark.parametrize("odd", ["\ud800.dcm", "of bytes"])
def test_decode_many_of_invalid_path_raises_at_that_source(odd: str) -> None:
    class OfBytes:
        def __fspath__(self) -> bytes:
            return b"x.dcm"

    good = image(frames(1)[0])
    source: Any = OfBytes() if odd == "of bytes" else odd
    results = []
    with pytest.raises((TypeError, UnicodeEncodeError)):
        for _, result in decode_many([good, good, source, good], on_error="skip"):
            results.append(result)
    assert len(results) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_decode_many_of_named_pipe_raises_os_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    [(_, error)] = decode_many([tmp_path / "pipe"], on_error="return")
    assert isinstance(error, OSError)
    with pytest.raises(OSError):
        dicoxide.decode(tmp_path / "pipe")
