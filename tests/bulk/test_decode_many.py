"""`decode_many`: what `decode` gives of each source, in bounded memory, whatever goes wrong with some of them."""

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
from pydicom.uid import ExplicitVRLittleEndian, JPEGLossless, RLELossless

import dicoxide
from dicoxide import decode_many
from support.real_images import pydicom_files, shared_files

FILES = [path for path in pydicom_files() if path.suffix == ".dcm"]
pytestmark = pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning", "ignore::UserWarning")


def image(frame: np.ndarray, uid: str = ExplicitVRLittleEndian, **attributes: Any) -> bytes:
    """A file of one frame of 12 bits."""
    ds = Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3"
    ds.Rows, ds.Columns = frame.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    if uid == ExplicitVRLittleEndian:
        ds.PixelData = frame.astype("<u2").tobytes()
        ds["PixelData"].VR = "OW"
    else:
        encode = {JPEGLossless: lambda: dicoxide.jpeg_lossless_encode(frame, precision=12)}
        encode[RLELossless] = lambda: dicoxide.rle_encode(frame)
        ds.PixelData = encapsulate([encode[uid]()])
        ds["PixelData"].VR = "OB"
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def frames(count: int, rows: int = 48, columns: int = 64) -> np.ndarray:
    random = np.random.default_rng(count)
    ramp = np.add.outer(np.arange(rows), np.arange(columns))
    return (ramp[None] + random.integers(0, 8, (count, rows, columns))).astype(np.uint16)


def one_by_one(sources: list[Any], **options: Any) -> list[Any]:
    found = []
    for source in sources:
        try:
            found.append(dicoxide.decode(source, **options))
        except (ValueError, IndexError, OSError) as error:
            found.append(error)
    return found


def require_same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected), (found, expected)
    if isinstance(expected, dicoxide.LimitError):
        # How much is needed is found out at another moment.
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
def test_each_result_is_that_of_decode(options: dict[str, Any]) -> None:
    files = [path for path in [*FILES, *shared_files()[::3]] if dicoxide.backend == "rust" or path in FILES]
    found = list(decode_many(files, on_error="return", fallback=False, **options))
    assert [source for source, _ in found] == files
    for (_, result), expected in zip(found, one_by_one(files, fallback=False, **options), strict=True):
        require_same(result, expected)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("uid", [ExplicitVRLittleEndian, RLELossless, JPEGLossless])
def test_many_small_images_in_order(uid: str, threads: int) -> None:
    if uid == JPEGLossless and dicoxide.backend != "rust":
        pytest.skip("the NumPy backend has no JPEG Lossless")
    # Of two sizes, so that not all of them go together.
    every = [*frames(40), *frames(30, 20, 32), *frames(5)]
    sources = [image(frame, uid) for frame in every]
    found = list(decode_many(sources, threads=threads))
    assert [source for source, _ in found] == sources
    assert all(np.array_equal(result, frame) for (_, result), frame in zip(found, every, strict=True))


def test_a_broken_image_among_those_that_go_together_fails_alone() -> None:
    every = frames(24)
    sources: list[bytes] = [
        image(frame, JPEGLossless if dicoxide.backend == "rust" else RLELossless) for frame in every
    ]
    for broken in (0, 7, 23):
        sources[broken] = sources[broken][:-120]
    found = [result for _, result in decode_many(sources, on_error="return")]
    for index, (result, frame) in enumerate(zip(found, every, strict=True)):
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

    def test_are_given_in_place_of_arrays(self, tmp_path: Path) -> None:
        sources = self.sources(tmp_path)
        found = list(decode_many(sources, on_error="return"))
        kinds = [type(result).__name__ for _, result in found]
        assert kinds == [
            "ndarray",
            "FileNotFoundError",
            "ndarray",
            "TruncatedFrameError",
            "CorruptFrameError",
            "IsADirectoryError",
            "ndarray",
        ]
        missing = found[1][1]
        assert (missing.filename, missing.errno) == (str(tmp_path / "missing"), 2)

    def test_are_skipped(self, tmp_path: Path) -> None:
        sources = self.sources(tmp_path)
        found = list(decode_many(sources, on_error="skip"))
        assert [source for source, _ in found] == [sources[0], sources[2], sources[6]]

    def test_are_raised_after_what_comes_before(self, tmp_path: Path) -> None:
        results = decode_many(self.sources(tmp_path))
        assert isinstance(next(results)[1], np.ndarray)
        with pytest.raises(FileNotFoundError):
            next(results)

    def test_of_arguments_come_at_once(self) -> None:
        with pytest.raises(ValueError, match="on_error is"):
            decode_many([], on_error="ignore")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="takes no 'out'"):
            decode_many([], out=np.zeros(1))
        with pytest.raises(ValueError, match="threads is at least 1"):
            decode_many([], threads=0)


def test_sources_of_every_kind() -> None:
    (frame,) = frames(1)
    data = image(frame)
    sources: list[Any] = [data, bytearray(data), memoryview(data), io.BytesIO(data), pydicom.dcmread(io.BytesIO(data))]
    found = list(decode_many(sources))
    assert all(source is given for (source, _), given in zip(found, sources, strict=True))
    assert all(np.array_equal(result, frame) for _, result in found)
    with pytest.raises(TypeError, match="src must be a path"):
        list(decode_many([7]))  # type: ignore[list-item]


def test_unordered_gives_all() -> None:
    every = frames(50)
    sources = [image(frame) for frame in every]
    found = dict(decode_many(sources, ordered=False, threads=3))
    assert len(found) == 50
    assert all(np.array_equal(found[source], frame) for source, frame in zip(sources, every, strict=True))


def test_what_is_tolerated_is_told_of_each() -> None:
    sources = [image(frame, HighBit=15) for frame in frames(2)] + [image(frames(1)[0], NumberOfFrames=0)]
    with pytest.warns(dicoxide.NonConformantWarning) as caught:
        list(decode_many(sources))
    told = [str(warning.message) for warning in caught if warning.category is dicoxide.NonConformantWarning]
    assert [text.partition(" found")[0] for text in told] == ["high bit 15", "high bit 15", "number of frames 0"]


def test_sources_are_asked_for_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    path.write_bytes(image(np.zeros((1000, 1000), np.uint16)))
    asked = 0

    def endless() -> Iterator[Path]:
        nonlocal asked
        while True:
            asked += 1
            yield path

    results = decode_many(endless(), threads=2)
    for _, _ in zip(range(60), results, strict=False):
        pass
    # 2 MB each, of which 16 MiB are decoded at once, and as many before they are asked for.
    assert asked < 60 + 2 * 256 + 10
    results.close()  # type: ignore[attr-defined]


def test_memory_of_arrays_that_are_kept_is_not_used_again() -> None:
    every = frames(200)
    kept = [result for _, result in decode_many([image(frame) for frame in every], threads=2)]
    assert all(np.array_equal(result, frame) for result, frame in zip(kept, every, strict=True))


@pytest.mark.skipif(dicoxide.backend != "rust", reason="the NumPy backend takes new memory each time")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells the peak of memory")
def test_memory_is_bounded_however_many_there_are(tmp_path: Path) -> None:
    path = tmp_path / "image.dcm"
    path.write_bytes(image(np.zeros((512, 512), np.uint16)))
    code = (
        "import sys, dicoxide\n"
        "def peak(count):\n"
        "    for _ in dicoxide.decode_many([sys.argv[1]] * count, threads=2): pass\n"
        "    with open('/proc/self/status') as file:\n"
        "        return next(int(line.split()[1]) for line in file if line.startswith('VmHWM'))\n"
        "few = peak(10)\n"
        "print((peak(4000) - few) / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    # Of 2 GB: what is held, and as much that is kept to be used again.
    assert float(done.stdout) < 2 * 48 + 8


def test_a_generator_that_is_dropped_leaves_no_thread() -> None:
    before = threading.active_count()
    results = decode_many([image(frame) for frame in frames(64)], threads=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_goes_on_with_the_iterator() -> None:
    every = frames(40)
    results = decode_many([image(frame) for frame in every], threads=2)
    next(results)
    child = os.fork()
    if not child:
        try:
            rest = [result for _, result in results]
            is_right = len(rest) == 39 and all(np.array_equal(a, b) for a, b in zip(rest, every[1:], strict=True))
            os._exit(0 if is_right else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(list(results)) == 39


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_an_interrupt_ends_it_soon(tmp_path: Path) -> None:
    path = tmp_path / "large.dcm"
    path.write_bytes(image(np.zeros((2000, 2000), np.uint16), RLELossless))
    code = (
        "import sys, itertools, dicoxide\n"
        "print('begun', flush=True)\n"
        "for _ in dicoxide.decode_many(itertools.repeat(sys.argv[1]), threads=2): pass"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    threading.Event().wait(0.5)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode in (-signal.SIGINT, 1, 130)
    assert b"KeyboardInterrupt" in told


def test_no_sources_give_no_results() -> None:
    assert list(decode_many([])) == []


def test_a_slow_source_does_not_let_those_behind_it_pile_up() -> None:
    # Inflating takes long; small ones take the room meanwhile.
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
    taken = 0

    def sources() -> Iterator[bytes]:
        nonlocal taken
        for source in (slow, *[small] * 3, slow, *[small] * 1500):
            taken += 1
            yield source

    results = decode_many(sources(), threads=2)
    _, first = next(results)
    assert first.shape == (3000, 3000)
    assert taken < 600
    assert sum(1 for _ in results) == 1504


def test_what_cannot_be_read_is_an_error_of_its_source() -> None:
    good = image(frames(1)[0])
    closed = io.BytesIO(good)
    closed.close()
    results = [result for _, result in decode_many([good, closed, good], on_error="return")]
    assert [type(result) for result in results] == [np.ndarray, ValueError, np.ndarray]
    assert len(list(decode_many([good, closed, good], on_error="skip"))) == 2


def test_a_text_file_is_no_path(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(image(frames(1)[0]))
    with pytest.raises(TypeError):
        list(decode_many([io.StringIO(str(path))]))


@pytest.mark.parametrize("count", [0, 1, 2, 7, 30])
def test_sources_that_raise_have_given_what_came_before(count: int) -> None:
    good = image(frames(1)[0])

    def sources() -> Iterator[bytes]:
        yield from [good] * count
        raise RuntimeError("no more")

    given = 0
    with pytest.raises(RuntimeError, match="no more"):
        for _ in decode_many(sources(), threads=1):
            given += 1
    assert given == count


def test_what_is_no_source_is_raised_in_its_turn() -> None:
    good = image(frames(1)[0])
    given = 0
    with pytest.raises(TypeError):
        for _ in decode_many([good, good, 5, good], on_error="return"):
            given += 1
    assert given == 2


def test_a_budget_and_an_index_are_those_of_decode() -> None:
    odd = image(frames(1, 3, 3)[0])
    [(_, found)] = decode_many([odd], max_bytes=18)
    assert found.shape == (3, 3)
    for options in ({"max_bytes": 17}, {"frames": 1 << 63}, {"frames": -(1 << 70)}, {"dtype": "longdouble"}):
        [(_, found)] = decode_many([odd], on_error="return", **options)
        require_same(found, one_by_one([odd], **options)[0])


@pytest.mark.skipif(sys.platform == "win32" or dicoxide.backend != "rust", reason="signals of POSIX, JPEG Lossless")
def test_the_first_batch_can_be_interrupted(tmp_path: Path) -> None:
    code = """
import os, signal, sys, threading, time
import numpy as np, dicoxide
from pathlib import Path
source = Path(sys.argv[1]).read_bytes()
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    for _ in dicoxide.decode_many([source] * 4, threads=1):
        print("result")
except KeyboardInterrupt:
    print("interrupted")
"""
    path = tmp_path / "long.dcm"
    frame = frames(1, 512, 512)[0]
    encoded = dicoxide.jpeg_lossless_encode(frame, precision=12)
    ds = pydicom.dcmread(io.BytesIO(image(frame, JPEGLossless)))
    ds.NumberOfFrames = 2000
    ds.PixelData = encapsulate([encoded] * 2000)
    ds.save_as(path)
    done = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "interrupted\n", done


@pytest.mark.parametrize("room_bytes", [1, 100_000])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_sources_of_the_core_and_of_others_wait_for_each_other_only(
    threads: int, ordered: bool, room_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dicoxide.bulk import _many

    # There is hardly room for one: whoever comes next has to get it, whoever decodes it.
    monkeypatch.setattr(_many, "_ROOM_BYTES", room_bytes)
    every = frames(90)
    sources: list[Any] = [image(frame) for frame in every]
    for place in {*range(0, 90, 7), *range(40, 60), 89}:
        sources[place] = pydicom.dcmread(io.BytesIO(sources[place]))
    found = list(decode_many(sources, threads=threads, ordered=ordered))
    assert len(found) == 90
    by_source = {id(source): result for source, result in found}
    assert all(np.array_equal(by_source[id(source)], frame) for source, frame in zip(sources, every, strict=True))
    if ordered:
        assert all(source is given for (source, _), given in zip(found, sources, strict=True))


def test_threads_that_wait_for_room_end_with_the_iterator(monkeypatch: pytest.MonkeyPatch) -> None:
    from dicoxide.bulk import _many

    monkeypatch.setattr(_many, "_ROOM_BYTES", 1)
    before = threading.active_count()
    results = decode_many([image(frame) for frame in frames(64)] * 4, threads=3)
    next(results)
    threading.Event().wait(0.1)
    results.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


class _Slow(Dataset):
    """A data set that takes long, as long as nobody says that it is enough."""

    def __init__(self, data: bytes, enough: threading.Event) -> None:
        super().__init__(pydicom.dcmread(io.BytesIO(data)))
        self.file_meta = pydicom.dcmread(io.BytesIO(data)).file_meta
        self._private = enough

    def get_item(self, *arguments: Any, **options: Any) -> Any:
        self._private.wait(20)
        return super().get_item(*arguments, **options)


@pytest.mark.parametrize("others", [b"", bytes(1 << 20)])
def test_what_waits_for_a_slow_source_is_bounded_also_where_its_results_are_small(others: bytes) -> None:
    enough = threading.Event()
    good = image(frames(1, 8, 8)[0])
    asked = 0

    def sources() -> Iterator[Any]:
        nonlocal asked
        yield _Slow(good, enough)
        while asked < 4000:
            asked += 1
            # With much behind the pixel data, or nothing that can be decoded.
            yield good + others if others and dicoxide.backend == "rust" else b"no image"

    results = decode_many(sources(), threads=2, on_error="return")
    threading.Timer(1.5, enough.set).start()
    next(results)
    assert asked <= (48 + 2 if others and dicoxide.backend == "rust" else 2 * 128 + 2)
    results.close()  # type: ignore[attr-defined]


def test_a_decoder_that_wants_to_end_the_process_ends_the_iterator() -> None:
    class Leaving(Dataset):
        def get_item(self, *_: Any, **__: Any) -> Any:
            raise SystemExit(3)

    good = image(frames(1)[0])
    leaving = Leaving(pydicom.dcmread(io.BytesIO(good)))
    leaving.file_meta = pydicom.dcmread(io.BytesIO(good)).file_meta
    with pytest.raises(SystemExit):
        list(decode_many([good, leaving], on_error="return"))


@pytest.mark.skipif(dicoxide.backend != "rust", reason="pydicom takes other paths, and refuses them otherwise")
@pytest.mark.parametrize("odd", ["\ud800.dcm", "of bytes"])
def test_a_path_that_is_none_is_raised_in_its_turn(odd: str) -> None:
    class OfBytes:
        def __fspath__(self) -> bytes:
            return b"x.dcm"

    good = image(frames(1)[0])
    source: Any = OfBytes() if odd == "of bytes" else odd
    found = []
    with pytest.raises((TypeError, UnicodeEncodeError)):
        for _, result in decode_many([good, good, source, good], on_error="skip"):
            found.append(result)
    assert len(found) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    [(_, error)] = decode_many([tmp_path / "pipe"], on_error="return")
    assert isinstance(error, OSError)
    with pytest.raises(OSError):
        dicoxide.decode(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_by_the_sources_themselves() -> None:
    every = frames(40)
    child = None

    def sources() -> Iterator[bytes]:
        nonlocal child
        for place, frame in enumerate(every):
            if place == 20:
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
    _, status = os.waitpid(child, 0)
    assert (os.waitstatus_to_exitcode(status), count) == (0, 40)


@pytest.mark.skipif(dicoxide.backend != "rust", reason="the core looks NumPy's interface up")
def test_a_signal_at_the_first_array_is_no_panic() -> None:
    code = (
        "import sys, numpy.lib, dicoxide\n"
        "before = numpy.lib.NumpyVersion.__init__\n"
        "def interrupted(*_): raise KeyboardInterrupt\n"
        "numpy.lib.NumpyVersion.__init__ = interrupted\n"
        "[(_, array)] = dicoxide.decode_many([sys.stdin.buffer.read()])\n"
        "print(array.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=image(frames(1)[0]), capture_output=True, check=False)
    assert done.stdout == b"(48, 64)\n", done.stderr


def test_an_interrupt_while_a_thread_starts_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
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
