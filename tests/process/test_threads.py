"""Threads that share a data set, an image, bytes, an output array or the plugins of pydicom."""

from __future__ import annotations

import gc
import io
import mmap
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGLossless, RLELossless

import dicoxide
from dicoxide._threads import ThreadPool
from support.encoders.dataset import dataset, to_bytes

needs_core = pytest.mark.skipif(dicoxide.backend != "rust", reason="of the compiled core")

THREADS = 4
RANDOM = np.random.default_rng(20)
FRAMES = RANDOM.integers(0, 4096, (6, 90, 110), dtype=np.uint16)
# Large enough that calls overlap: the interpreter switches threads every 5 ms.
LARGE = [RANDOM.integers(0, 4096, (1000, 1000), dtype=np.uint16) for _ in range(2)]


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Start all calls together; return the result or the exception of each."""
    begin = threading.Barrier(len(calls))

    def called(call: Callable[[], Any]) -> Any:
        begin.wait()
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(called, calls))


@pytest.fixture(scope="module")
def large() -> list[Dataset]:
    """Return two images of equal size that take several milliseconds each."""
    if dicoxide.backend == "rust":
        coded = [dicoxide.jpeg_lossless_encode(values, precision=12) for values in LARGE]
        return [
            dataset(values, JPEGLossless, bits_stored=12, coded=[item])
            for values, item in zip(LARGE, coded, strict=True)
        ]
    return [dataset(values, RLELossless, coded=[dicoxide.rle_encode(values)]) for values in LARGE]


class TestOneSource:
    @pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.1", RLELossless])
    def test_decode_of_unread_data_set_on_several_threads(self, uid: str) -> None:
        from pydicom import dcmread

        data = to_bytes(dataset(FRAMES, uid))
        for _ in range(10):
            # pydicom converts elements on first access.
            ds = dcmread(io.BytesIO(data))
            decoded = at_once(*[lambda ds=ds: dicoxide.decode(ds, threads=2)] * THREADS)
            assert all(np.array_equal(frame, FRAMES) for frame in decoded), decoded

    def test_decode_of_data_set_with_file_pixel_data_on_several_threads(self) -> None:
        class Slow(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                data = super().read(size)
                # The file has one position; the pause lets another thread move it.
                time.sleep(0.01)
                return data

        ds = dataset(FRAMES)
        file = Slow(ds.PixelData)
        ds.PixelData = file
        decoded = at_once(*[lambda: dicoxide.decode(ds, threads=1)] * THREADS)
        assert all(np.array_equal(frame, FRAMES) for frame in decoded), decoded
        assert file.tell() == 0

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_decode_of_shared_bytes_on_several_threads(self, kind: Callable[[bytes], Any]) -> None:
        data = kind(to_bytes(dataset(FRAMES, RLELossless)))
        decoded = at_once(*[lambda: dicoxide.decode(data, threads=2)] * THREADS)
        assert all(np.array_equal(frame, FRAMES) for frame in decoded)

    def test_image_closed_while_threads_decode_raises_or_completes(self, tmp_path: Path) -> None:
        path = tmp_path / "image.dcm"
        path.write_bytes(to_bytes(dataset(FRAMES, RLELossless)))
        for _ in range(50):
            image = dicoxide.open(path)
            *decoded, _ = at_once(*[lambda image=image: image.decode(2)] * THREADS, image.close)
            for frame in decoded:
                # A complete frame, or an error that gives the reason.
                if isinstance(frame, Exception):
                    assert (type(frame), str(frame)) == (ValueError, "the image is closed")
                else:
                    assert np.array_equal(frame, FRAMES[2])

    def test_image_closed_while_it_opens_keeps_its_frame_count(self) -> None:
        class Closed(dicoxide.Image):
            def __setattr__(self, name: str, value: Any) -> None:
                # As if another thread closed it as soon as this one has opened it.
                super().__setattr__(name, None if name == "_opened" else value)

        opened = dicoxide.open(dataset(FRAMES))
        assert Closed(opened._source).number_of_frames == len(FRAMES)


@needs_core
class TestOneOutput:
    """`out` belongs to one call at a time: another call raises or runs later; samples are never mixed."""

    VIEWS: ClassVar[dict[str, Callable[[bytearray], Any]]] = {
        "one owner": lambda memory: np.ndarray(LARGE[0].shape, np.uint16, memory),
        # Two memoryviews are two owners of the same memory.
        "two owners": lambda memory: np.frombuffer(memoryview(memory), np.uint16).reshape(LARGE[0].shape),
    }

    @pytest.mark.serial
    @pytest.mark.parametrize("view", ["one owner", "two owners"])
    def test_decode_of_two_images_into_shared_memory_raises_in_one(self, large: list[Dataset], view: str) -> None:
        memory = bytearray(LARGE[0].nbytes)
        refused = 0
        for _ in range(20):
            outs = [self.VIEWS[view](memory) for _ in large]
            ends = [0.0, 0.0]

            def decode(index: int, outs: list[Any] = outs, ends: list[float] = ends) -> Any:
                decoded = dicoxide.decode(large[index], out=outs[index], threads=1)
                ends[index] = time.perf_counter()
                return decoded

            result = at_once(lambda: decode(0), lambda: decode(1))
            good = [index for index, frame in enumerate(result) if not isinstance(frame, Exception)]
            for frame in result:
                if isinstance(frame, Exception):
                    refused += 1
                    assert type(frame) is ValueError
                    assert "out is in use" in str(frame)
            assert good, result
            assert any(np.array_equal(outs[0], LARGE[index]) for index in good)
        assert refused, "the calls never overlapped"

    def test_rescale_into_overlapping_memory_raises_value_error(self) -> None:
        memory = bytearray(8000)
        src = np.frombuffer(memoryview(memory), np.uint16)[:1000]
        with pytest.raises(ValueError, match="in use"):
            dicoxide.rescale(src, 2.0, 0.0, out=np.frombuffer(memoryview(memory), np.float32)[:1000])
        # Adjacent memory does not overlap.
        after = np.frombuffer(memoryview(memory), np.float32)[500:1500]
        assert dicoxide.rescale(src, 2.0, 1.0, out=after) is after

    def test_encode_of_shared_array_on_several_threads(self) -> None:
        expected = dicoxide.rle_encode(LARGE[0])
        assert at_once(*[lambda: dicoxide.rle_encode(LARGE[0])] * THREADS) == [expected] * THREADS

    def test_out_is_usable_after_a_decode_error(self) -> None:
        out = np.empty(FRAMES[0].shape, np.uint16)
        coded = dicoxide.rle_encode(FRAMES[0])
        for _ in range(3):
            with pytest.raises(dicoxide.DecodeError):
                dicoxide.rle_decode(coded[:80], *out.shape, out=out)
        assert np.array_equal(dicoxide.rle_decode(coded, *out.shape, out=out), FRAMES[0])

    def test_decode_into_parts_of_one_array_on_several_threads(self, large: list[Dataset]) -> None:
        out = np.empty((2, *LARGE[0].shape), np.uint16)
        at_once(*[lambda index=index: dicoxide.decode(large[index], out=out[index]) for index in range(2)])
        assert np.array_equal(out, LARGE)


class TestChangingInput:
    """Buffers other than `bytes` may change during a call: it raises or gives samples of the right shape."""

    @staticmethod
    def changed(target: Any, work: Callable[[], Any], times: int = 30) -> Iterator[Any]:
        """Yield results of `work` while a thread writes to `target`, a writable view of bytes."""
        over = threading.Event()

        def change() -> None:
            random = np.random.default_rng(0)
            while not over.is_set():
                target[random.integers(0, target.size, 64)] = random.integers(0, 256, 64)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(times):
                try:
                    yield work()
                except dicoxide.InternalError:
                    raise
                except (dicoxide.DecodeError, ValueError) as error:
                    yield error
        finally:
            over.set()
            thread.join()

    @pytest.mark.filterwarnings("ignore::dicoxide.NonConformantWarning")
    @pytest.mark.parametrize("kind", ["bytearray", "mmap", "array"])
    def test_decode_of_changing_bytes_gives_an_error_or_the_shape(self, kind: str, tmp_path: Path) -> None:
        coded = dicoxide.rle_encode(FRAMES[0])
        src: Any = bytearray(coded)
        if kind == "mmap":
            src = mmap.mmap(-1, len(coded))
            src[:] = coded
        elif kind == "array":
            src = np.frombuffer(coded, np.uint8).copy()
        written = np.frombuffer(src, np.uint8)
        # The header is not changed, so that much of the frame decodes.
        shapes = {
            getattr(item, "shape", None)
            for item in self.changed(written[64:], lambda: dicoxide.rle_decode(src, *FRAMES[0].shape), 200)
        }
        assert shapes <= {FRAMES[0].shape, None}

    @needs_core
    @pytest.mark.parametrize("encode", [dicoxide.rle_encode, dicoxide.jpeg_lossless_encode, dicoxide.jpegls_encode])
    def test_encode_of_changing_samples_does_not_crash(self, encode: Callable[[Any], bytes]) -> None:
        samples = LARGE[0].copy()
        for item in self.changed(samples.reshape(-1).view(np.uint8), lambda: encode(samples)):
            assert isinstance(item, (bytes, ValueError))
        assert encode(samples)

    def test_decode_of_bytearray_prevents_resizing(self) -> None:
        data = bytearray(to_bytes(dataset(FRAMES, RLELossless)))
        outcomes = []

        def resize() -> None:
            for _ in range(300):
                try:
                    data.append(0)
                    data.pop()
                except BufferError as error:
                    outcomes.append(error)

        *decoded, _ = at_once(*[lambda: dicoxide.decode(data)] * 3, resize)
        assert all(np.array_equal(frame, FRAMES) for frame in decoded), decoded


class TestPlugins:
    def test_enable_and_disable_while_threads_decode(self) -> None:
        ds = dataset(FRAMES, RLELossless)
        decoder = get_decoder(RLELossless)
        before = list(decoder._available)
        over = threading.Event()

        def switch(threads: int) -> None:
            for _ in range(15):
                with dicoxide.enabled(threads=threads):
                    dicoxide.enable()
                dicoxide.disable()

        def switch_all() -> None:
            try:
                for item in at_once(lambda: switch(1), lambda: switch(2)):
                    if isinstance(item, Exception):
                        raise item
            finally:
                over.set()

        def decode() -> int:
            count = 0
            while not over.is_set():
                # Without `pixel_array`, which caches the last array in the data set.
                pixels = get_decoder(RLELossless).as_array(ds, raw=True)[0]
                assert np.array_equal(pixels, FRAMES)
                count += 1
            return count

        *counts, switched = at_once(decode, decode, switch_all)
        assert switched is None
        assert all(isinstance(count, int) and count > 0 for count in counts), counts
        assert not dicoxide.plugins.is_enabled()
        assert list(decoder._available) == before

    def test_pydicom_decode_of_shared_data_set_on_several_threads(self) -> None:
        ds = dataset(FRAMES, RLELossless)
        with dicoxide.enabled(threads=2):
            decoded = at_once(*[lambda: get_decoder(RLELossless).as_array(ds, raw=True)[0]] * THREADS)
        assert all(np.array_equal(frame, FRAMES) for frame in decoded), decoded


class TestIterators:
    @pytest.mark.parametrize("kind", ["iter_frames", "decode_many"])
    def test_iterator_closed_by_two_threads_ends_once(self, kind: str) -> None:
        before = threading.active_count()
        source = to_bytes(dataset(FRAMES, RLELossless))
        for _ in range(20):
            many: Any = (
                dicoxide.iter_frames(source, threads=2)
                if kind == "iter_frames"
                else dicoxide.decode_many([source] * 20, threads=2)
            )
            next(many)
            first, second = at_once(many.close, many.close)
            # Python itself rejects the second concurrent call.
            assert [type(item) for item in (first, second) if item is not None] in ([], [ValueError])
            assert next(many, None) is None
        assert threading.active_count() == before

    @pytest.mark.parametrize("kind", ["iter_frames", "decode_many"])
    def test_iterator_collected_by_another_thread_ends(self, kind: str) -> None:
        before = threading.active_count()
        source = to_bytes(dataset(FRAMES, RLELossless))
        many: Any = (
            dicoxide.iter_frames(source) if kind == "iter_frames" else dicoxide.decode_many([source] * 20, threads=2)
        )
        next(many)
        retained = [many]
        del many
        thread = threading.Thread(target=retained.clear)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
        assert threading.active_count() == before

    @pytest.mark.serial
    @needs_core
    def test_iter_frames_closed_cancels_the_running_frame(self) -> None:
        values = RANDOM.integers(0, 1 << 16, (3000, 3000), dtype=np.uint16)
        ds = dataset(values[:1], JPEGLossless, coded=[dicoxide.jpeg_lossless_encode(values)] * 2)
        ds.Rows, ds.NumberOfFrames = len(values), 2
        waited = []
        for _ in range(5):
            begin = time.perf_counter()
            frames = dicoxide.iter_frames(ds, threads=1)
            next(frames)
            decoded = time.perf_counter() - begin
            # The second frame is started meanwhile.
            time.sleep(decoded / 5)
            middle = time.perf_counter()
            frames.close()  # type: ignore[attr-defined]
            waited.append((time.perf_counter() - middle) / decoded)
        assert min(waited) < 0.2, waited


@pytest.mark.parametrize("is_raised", [False, True])
def test_thread_pool_task_releases_its_arguments(is_raised: bool) -> None:
    # A traceback refers to the frames of the thread: an open file there would stay open until garbage collection.
    class Argument:
        pass

    def work(argument: Argument) -> tuple[list[int], Exception]:
        try:
            raise ValueError
        except ValueError as error:
            if is_raised:
                raise
            return [], error

    gc.disable()
    try:
        argument = Argument()
        is_alive = weakref.ref(argument)
        threads = ThreadPool(1)
        task = threads.submit(work, argument)
        while not task.done():
            time.sleep(0.001)
        threads.stop()
        del argument, task, threads
        assert is_alive() is None
    finally:
        gc.enable()
