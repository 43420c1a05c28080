"""Soak test: decodes through all interfaces concurrently for a given time.

Several processes run random jobs on several threads: decoding by every interface, series, corrupt bytes, enabling and
disabling the plugins. Results are compared with checksums that are calculated at the start. At the end, memory has not
grown, and the numbers of descriptors and threads are those of the start.

python tests/support/soak.py --minutes 60
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pydicom
from pydicom.pixels import get_decoder, pixel_array

import dicoxide
from support import synthetic_series
from support.file_mutations import interfaces, source_files
from support.file_mutations.mutators import Expectation
from support.processes import environment, started

_MAX_FILE_BYTES = 400_000
_ITEM_TAG = b"\xfe\xff\x00\xe0"
# Memory that the allocator may retain after the largest concurrent jobs.
_NOISE_BYTES = 32 << 20
# glibc returns blocks from this size on to the system when they are freed. By default it raises the size as blocks are
# freed, and resident memory grows for a minute from 120 to 230 MiB, although memory in use stays the same.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
# Part of the time in which memory may grow, because caches and arenas fill.
_WARM_UP = 0.4


class Soak:
    """Jobs of one process.

    Parameters
    ----------
    folder : Path
        Folder for files.
    threads : int
        Number of threads.
    seed : int
        Seed of the order of jobs.
    only : str
        Use only files whose names contain this text.
    """

    def __init__(self, folder: Path, threads: int, seed: int, only: str = "") -> None:
        self._threads = threads
        self._seed = seed
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        # Seconds since the start, and resident bytes.
        self.resident: list[tuple[float, int]] = []
        files = {name: path for name, path in source_files.files(shared=False).items() if only in name}
        self._paths = {name: path for name, path in files.items() if _is_decoded(path)}
        self._names = sorted(self._paths)
        self._checksums = {name: _checksum(dicoxide.decode(path)) for name, path in self._paths.items()}
        self._handler_checksums = {name: _checksum(_decode_by_handler(path)) for name, path in self._paths.items()}
        self._folder = folder / "series"
        synthetic_series.write_all(synthetic_series.slices(12), self._folder)
        self._volume = _checksum(_read_volume(self._folder))
        self._jobs: list[Callable[[random.Random], None]] = [
            self.decode,
            self.decode,
            self.out,
            self.dataset,
            self.plugin,
            self.handler,
            self.many,
            self.frames,
            self.image,
            self.corrupt,
            self.corrupt,
            self.corrupt,
            self.error,
            self.series,
        ]

    def run(self, seconds: float) -> dict[str, Any]:
        """Run jobs for `seconds`; return their counts, failures, remaining resources and memory."""
        before = _plugins()
        # Run each job once, so that caches and threads that are created once exist.
        for work in self._jobs:
            self._run_job(work, random.Random(self._seed))
        resources_before = _resources()
        begin = time.monotonic()
        threads = [
            threading.Thread(target=self._run_until, args=(begin + seconds, random.Random(f"{self._seed} {index}")))
            for index in range(self._threads)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(min(1.0, seconds / 40))
            self.resident.append((time.monotonic() - begin, _resident_bytes()))
        for thread in threads:
            thread.join()
        resources = _resources()
        if resources != resources_before:
            self.wrong.append(f"descriptors and threads before: {resources_before}, after: {resources}")
        if _plugins() != before:
            self.wrong.append(f"plugins before: {before}, after: {_plugins()}")
        growth = growth_of(self.resident)
        if growth > _NOISE_BYTES:
            self.wrong.append(f"memory grows: {growth} bytes")
        return {
            "done": dict(self.done.most_common()),
            "wrong": self.wrong[:50],
            "held": resources,
            "growth": growth,
            "resident": [
                (round(seconds), size >> 20) for seconds, size in self.resident[:: max(1, len(self.resident) // 40)]
            ],
        }

    def _run_until(self, end: float, rng: random.Random) -> None:
        while time.monotonic() < end and not self.wrong:
            self._run_job(rng.choice(self._jobs), rng)

    def _run_job(self, work: Callable[[random.Random], None], rng: random.Random) -> None:
        try:
            work(rng)
        except BaseException:
            self.wrong.append(f"{work.__name__}: {traceback.format_exc()}")
        with self._lock:
            self.done[work.__name__] += 1

    def _expect(self, name: str, samples: Any) -> None:
        assert _checksum(samples) == self._checksums[name], name

    def decode(self, rng: random.Random) -> None:
        """Decode a path or bytes, on any number of threads."""
        name = rng.choice(self._names)
        path = self._paths[name]
        self._expect(name, dicoxide.decode(rng.choice([path, path.read_bytes()]), threads=rng.choice([None, 1, 2, 5])))

    def out(self, rng: random.Random) -> None:
        """Decode into an array of the caller."""
        name = rng.choice(self._names)
        with dicoxide.open(self._paths[name]) as image:
            target = np.empty(image.shape, image.dtype)
            assert image.decode(out=target) is target
        self._expect(name, target)

    def dataset(self, rng: random.Random) -> None:
        """Decode a pydicom Dataset."""
        name = rng.choice(self._names)
        self._expect(name, dicoxide.decode(pydicom.dcmread(self._paths[name])))

    def plugin(self, rng: random.Random) -> None:
        """Decode by ``pydicom.pixels.pixel_array`` with the plugin enabled."""
        name = rng.choice(self._names)
        dataset = pydicom.dcmread(self._paths[name])
        with dicoxide.enabled(threads=rng.choice([None, 1, 3])):
            if not dataset.file_meta.TransferSyntaxUID.is_encapsulated or dataset.BitsAllocated == 1:
                return
            if not dataset.PixelData.startswith(_ITEM_TAG):
                # Native samples under an encapsulated transfer syntax: pydicom finds no frames for a plugin to decode.
                return
            samples = pixel_array(dataset, decoding_plugin="dicoxide")
        self._expect(name, samples)

    def handler(self, rng: random.Random) -> None:
        """Decode by the handler of pydicom 2."""
        name = rng.choice(self._names)
        assert _checksum(_decode_by_handler(self._paths[name])) == self._handler_checksums[name], name

    def many(self, rng: random.Random) -> None:
        """Decode several files by `decode_many`, which is sometimes closed early."""
        names = rng.choices(self._names, k=rng.randrange(1, 12))
        results = dicoxide.decode_many([self._paths[name] for name in names], threads=rng.choice([None, 1, 3]))
        for name, (_, samples) in zip(names, results, strict=False):
            self._expect(name, samples)
            if rng.random() < 0.05:
                break

    def frames(self, rng: random.Random) -> None:
        """Decode by `iter_frames`, which is sometimes closed early."""
        name = rng.choice(self._names)
        whole = dicoxide.decode(self._paths[name], frames=slice(None))
        for index, frame in enumerate(dicoxide.iter_frames(self._paths[name], threads=rng.choice([1, 2]))):
            assert np.array_equal(frame, whole[index], equal_nan=True), name
            if rng.random() < 0.05:
                break

    def image(self, rng: random.Random) -> None:
        """Open an image; reads its attributes and one frame."""
        name = rng.choice(self._names)
        with dicoxide.open(self._paths[name]) as image:
            dict(image.attributes)
            index = rng.randrange(len(image))
            assert np.array_equal(image[index], image[index - len(image)], equal_nan=True), name

    def corrupt(self, rng: random.Random) -> None:
        """Decode a mutated file twice: equal results, documented errors."""
        name, number = rng.choice(self._names), rng.randrange(100_000)
        mutant = source_files.mutant(name, number)
        for options in ({"threads": 1}, {"threads": 2}):
            result = interfaces.outcome(lambda options=options: dicoxide.decode(mutant.data, fallback=False, **options))
            if result.error is not None:
                assert isinstance(result.error, ValueError), f"{name}:{number} {result}"
                assert not isinstance(result.error, dicoxide.InternalError), f"{name}:{number} {result}"
            elif mutant.expectation is not Expectation.ANY:
                self._expect(name, result.array)
            if options == {"threads": 1}:
                first = str(result) if result.array is None else _checksum(result.array)
            else:
                assert first == (str(result) if result.array is None else _checksum(result.array)), f"{name}:{number}"

    def error(self, rng: random.Random) -> None:
        """Make calls that raise."""
        path = self._paths[rng.choice(self._names)]
        for work, expected in (
            (lambda: dicoxide.decode(path, frames=1 << 40), IndexError),
            (lambda: dicoxide.decode(path, max_bytes=1), dicoxide.LimitError),
            (lambda: dicoxide.decode(path.with_name("missing")), OSError),
            (lambda: list(dicoxide.decode_many([path, path.with_name("missing")])), OSError),
        ):
            assert isinstance(interfaces.outcome(work).error, expected)

    def series(self, rng: random.Random) -> None:
        """Read a series."""
        assert _checksum(_read_volume(self._folder, threads=rng.choice([None, 1, 3]))) == self._volume


def growth_of(resident: list[tuple[float, int]]) -> int:
    """Return the growth in bytes from the first fifth after the warm-up to the last fifth (medians)."""
    fifth = len(resident) // 5
    if not fifth:
        return 0
    start = int(len(resident) * _WARM_UP)
    sizes = [size for _, size in resident]
    return int(median(sizes[-fifth:]) - median(sizes[start : start + fifth]))


def _is_decoded(path: Path) -> bool:
    if path.stat().st_size > _MAX_FILE_BYTES:
        return False
    return all(interfaces.outcome(lambda work=work: work(path)).error is None for work in (_decode, _decode_by_handler))


def _decode(path: Path) -> Any:
    return dicoxide.decode(path, fallback=False)


def _decode_by_handler(path: Path) -> Any:
    return dicoxide.pydicom_handler.get_pixeldata(pydicom.dcmread(path))


def _read_volume(folder: Path, **options: Any) -> Any:
    [volume] = dicoxide.read_series(folder, **options)
    return volume.array


def _checksum(samples: Any) -> str:
    little_endian = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    return f"{samples.shape} {samples.dtype.name} {hashlib.sha256(little_endian.tobytes()).hexdigest()}"


def _plugins() -> dict[str, list[str]]:
    """Return pydicom's plugins by UID, in the order in which pydicom calls them."""
    plugins = {}
    for uid in dicoxide.capabilities():
        try:
            plugins[uid] = list(get_decoder(uid)._available)
        except NotImplementedError:
            plugins[uid] = []
    return plugins


def _resources() -> dict[str, int]:
    """Return the numbers of open descriptors and of threads, including native ones."""
    gc.collect()
    if sys.platform != "linux":
        return {"threads": threading.active_count()}
    end = time.monotonic() + 5
    # The system removes a thread shortly after it was joined.
    while len(os.listdir("/proc/self/task")) > threading.active_count() and time.monotonic() < end:
        time.sleep(0.05)
    # Minus the descriptor of this listing.
    return {"descriptors": len(os.listdir("/proc/self/fd")) - 1, "threads": len(os.listdir("/proc/self/task"))}


def _resident_bytes() -> int:
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _child(seconds: float, threads: int, seed: int) -> int:
    warnings.simplefilter("ignore")
    faulthandler.enable()
    # In a deadlock, print the tracebacks of all threads.
    faulthandler.dump_traceback_later(seconds * 1.5 + 60, exit=True)
    with tempfile.TemporaryDirectory() as folder:
        result = Soak(Path(folder), threads, seed).run(seconds)
    print(json.dumps(result))
    return 1 if result["wrong"] else 0


def soak(seconds: float, processes: int, threads: int, seed: int = 0) -> list[dict[str, Any]]:
    """Run the processes; return the result of each, or the end of its standard error if it crashed."""
    command = [sys.executable, __file__, "--child", "--minutes", str(seconds / 60), "--threads", str(threads)]
    results = []
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                started(
                    [*command, "--seed", str(seed + index)],
                    env=environment(**_ALLOCATOR),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for index in range(processes)
        ]
        for process in running:
            out, errors = process.communicate()
            if process.returncode in (0, 1) and out.strip():
                results.append(json.loads(out.splitlines()[-1]))
            else:
                results.append({"wrong": [f"exit code {process.returncode}: {errors[-5000:]}"]})
    return results


def main() -> int:
    """Run the command; return 1 if there was a failure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=3, help="number of threads per process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="file to write the results to")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return _child(arguments.minutes * 60, arguments.threads, arguments.seed)
    results = soak(arguments.minutes * 60, arguments.processes, arguments.threads, arguments.seed)
    print(json.dumps(results, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    return 1 if any(result["wrong"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
