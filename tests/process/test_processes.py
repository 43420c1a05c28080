"""Threads and what ends, copies or interrupts the process that has them: forks, signals, the end of the interpreter."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGLossless, RLELossless

import dicoxide
from support.command_line import environment
from support.encoders.dataset import dataset, to_bytes

FRAMES = np.random.default_rng(21).integers(0, 4096, (8, 512, 512), dtype=np.uint16)

needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="of the compiled core")
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


def python(code: str, *arguments: object, timeout: float = 60) -> str:
    """What a program says that has to end well."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, done
    return done.stdout


def by_decode(source: Path) -> bool:
    return np.array_equal(dicoxide.decode(source, threads=2), FRAMES)


def by_iter_frames(source: Path) -> bool:
    return np.array_equal(list(dicoxide.iter_frames(source, threads=2)), FRAMES)


def by_decode_many(source: Path) -> bool:
    return all(np.array_equal(found, FRAMES) for _, found in dicoxide.decode_many([source] * 4, threads=2))


def by_pydicom(source: Path) -> bool:
    from pydicom import dcmread

    ds = dcmread(source)
    with dicoxide.enabled(threads=2):
        return np.array_equal(get_decoder(ds.file_meta.TransferSyntaxUID).as_array(ds, raw=True)[0], FRAMES)


WAYS = [by_decode, by_iter_frames, by_decode_many, by_pydicom]


def in_child(work: Callable[[], bool]) -> None:
    """Fork, and have the child do it; both have to end."""
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        is_right = False
        try:
            is_right = work()
        finally:
            os._exit(0 if is_right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@forks
@multi_threaded
class TestFork:
    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("before", WAYS)
    def test_after_threads_were_used(
        self, source: Path, before: Callable[[Path], bool], way: Callable[[Path], bool]
    ) -> None:
        assert before(source)
        in_child(lambda: way(source))
        assert way(source)

    @pytest.mark.parametrize("way", WAYS)
    def test_while_other_threads_decode(self, source: Path, way: Callable[[Path], bool]) -> None:
        over = threading.Event()

        def decode() -> None:
            while not over.is_set():
                assert way(source)

        others = [threading.Thread(target=decode) for _ in range(2)]
        for thread in others:
            thread.start()
        try:
            for _ in range(5):
                in_child(lambda: all(one(source) for one in WAYS))
        finally:
            over.set()
            for thread in others:
                thread.join()

    def test_while_another_thread_changes_the_order_of_plugins(self, source: Path) -> None:
        from dicoxide.plugins import _order

        held, over = threading.Event(), threading.Event()

        def hold() -> None:
            with _order._lock:
                held.set()
                over.wait(0.2)

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        in_child(lambda: by_pydicom(source))
        over.set()
        thread.join()
        assert by_pydicom(source)

    def test_an_image_is_open_on_both_sides(self, source: Path) -> None:
        with dicoxide.open(source) as image:
            assert np.array_equal(image[1], FRAMES[1])
            # One file, one position for both processes: reads have places of their own.
            in_child(lambda: all(np.array_equal(image[index], FRAMES[index]) for index in range(8) for _ in range(3)))
            assert np.array_equal(image.decode(threads=2), FRAMES)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_begin_anew(source: Path, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("the system has no such processes")
    assert by_decode_many(source)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(by_decode, [source] * 4, chunksize=1) == [True] * 4
        assert pool.map(by_decode_many, [source] * 2, chunksize=1) == [True] * 2


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
import dicoxide
path, way = sys.argv[1:]

def one_frame(times):
    # Frames of the file, one below the other, make a large one.
    for _ in range(times):
        dicoxide.jpeg_lossless_decode(large)

def frames(times):
    for _ in range(times):
        dicoxide.decode(path, frames=[index % 8 for index in range(200)], threads=2)

def iterated(times):
    for _ in range(times):
        for _ in dicoxide.iter_frames(path, frames=[index % 8 for index in range(200)], threads=2):
            pass

def many(times):
    for _ in dicoxide.decode_many([path] * (25 * times), threads=2):
        pass

if way == "one_frame":
    image = dicoxide.decode(path).reshape(-1, 512)
    large = dicoxide.jpeg_lossless_encode(np.ascontiguousarray(np.tile(image, (1, 16))), precision=12)
work = globals()[way]
begun = time.perf_counter()
work(1)
whole = time.perf_counter() - begun

def left():
    return threading.active_count(), len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

def more_than(before):
    # What was about to end before may have ended since.
    return any(now > then for now, then in zip(left(), before))

best = 1.0
for attempt in range(5):
    before, sent = left(), []
    def interrupt():
        time.sleep(whole / 4)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)
    # The thread itself is none of what is left behind.
    thread = threading.Thread(target=interrupt)
    try:
        thread.start()
        work(1000)
    except KeyboardInterrupt:
        took = time.perf_counter() - sent[0]
    else:
        sys.exit("not interrupted")
    thread.join()
    # The kernel takes a moment to forget a thread that has ended.
    deadline = time.perf_counter() + 5
    while more_than(before) and time.perf_counter() < deadline:
        time.sleep(0.001)
    assert not more_than(before), (before, left())
    best = min(best, took / whole)
# Without being asked, it would take 1000 times as long as the whole.
assert best < 0.5, (best, whole)
work(1)
print("well", best, whole)
"""


@needs_core
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is left")
@pytest.mark.parametrize("way", ["one_frame", "frames", "iterated", "many"])
def test_an_interrupt_ends_it_soon_and_leaves_nothing(source: Path, way: str) -> None:
    assert python(INTERRUPTED, source, way).startswith("well")


SHUTDOWN = """
import sys, threading, time
import dicoxide
path, way, pause = sys.argv[1:]
begun = threading.Barrier(4)

def decode():
    begun.wait()
    while True:
        if way == "decode":
            dicoxide.decode(path, threads=2)
        elif way == "iter_frames":
            list(dicoxide.iter_frames(path, threads=2))
        elif way == "decode_many":
            list(dicoxide.decode_many([path] * 4, threads=2))
        else:
            import pydicom
            dicoxide.enable(threads=2)
            pydicom.dcmread(path).pixel_array

for _ in range(3):
    threading.Thread(target=decode, daemon=True).start()
begun.wait()
time.sleep(float(pause))
print("the end")
"""


@pytest.mark.parametrize("way", ["decode", "iter_frames", "decode_many", "pydicom"])
def test_the_interpreter_ends_while_threads_decode(source: Path, way: str) -> None:
    # They lose the interpreter wherever they are; that must neither end in an abort nor keep the process.
    for pause in (0, 0.003, 0.01, 0.03, 0.1):
        assert python(SHUTDOWN, source, way, pause) == "the end\n"


@pytest.mark.parametrize("way", ["iter_frames", "decode_many"])
def test_the_interpreter_ends_with_an_iterator_half_way(source: Path, way: str) -> None:
    code = (
        "import sys, dicoxide\n"
        f"frames = dicoxide.{way}({'sys.argv[1]' if way == 'iter_frames' else '[sys.argv[1]] * 50'}, threads=2)\n"
        "next(frames)\n"
        "print('the end')\n"
    )
    assert python(code, source) == "the end\n"


SUBINTERPRETER = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import dicoxide
from dicoxide import _core

def said(code):
    second = interpreters.create()
    try:
        answer = interpreters.run_string(second, f"import sys; sys.path[:] = {sys.path!r}\\n{code}")
        return str(answer and f"{answer.type.__name__} {answer.msg}")
    except interpreters.RunFailedError as error:
        return str(error)

# The extension itself, past NumPy, which refuses too.
bare = said(
    "from importlib.machinery import ExtensionFileLoader as Loader\\n"
    "from importlib.util import module_from_spec, spec_from_loader\\n"
    f"loader = Loader('dicoxide._core', {_core.__file__!r})\\n"
    "loader.exec_module(module_from_spec(spec_from_loader('dicoxide._core', loader)))"
)
assert "ImportError" in bare and "subinterpreter" in bare, bare
package = said("import warnings; warnings.simplefilter('ignore'); import dicoxide")
assert "ImportError" in package, package
assert len(dicoxide.decode(sys.argv[1])) == 8
print("well")
"""


@needs_core
def test_a_second_interpreter_is_refused_and_the_first_goes_on(source: Path) -> None:
    assert python(SUBINTERPRETER, source) == "well\n"
