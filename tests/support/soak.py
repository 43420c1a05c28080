"""The command for hours: everything that decodes, at once, over and over; checked, and watched for what it leaves.

Several processes, each with several threads that do random work until time is over: decoding by every interface,
series, broken bytes, enabling and disabling. What is decoded is compared with checksums taken at the beginning. At
the end, memory has not grown with the work, and as many descriptors and threads are there as were before.

python tests/soak.py --minutes 60
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
from support.file_mutations.mutators import Promise
from support.processes import started

_MOST_BYTES = 400_000
# What an allocator keeps after the worst that several threads have done at once, which is late now and then; and how
# much of the time memory may grow, as caches and arenas fill.
_NOISE_BYTES = 32 << 20
_WARM_UP = 0.4


class Soak:
    """What one process does, until it is over.

    Parameters
    ----------
    folder : Path
        Where files may be written.
    threads : int
        On how many threads.
    seed : int
        Of the order of things.
    only : str
        A part of the names of the files that are taken.
    """

    def __init__(self, folder: Path, threads: int, seed: int, only: str = "") -> None:
        self._threads = threads
        self._seed = seed
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        # Seconds, and resident bytes.
        self.resident: list[tuple[float, int]] = []
        files = {name: path for name, path in source_files.files(shared=False).items() if only in name}
        self._paths = {name: path for name, path in files.items() if _is_decoded(path)}
        self._names = sorted(self._paths)
        self._sums = {name: _sum(dicoxide.decode(path)) for name, path in self._paths.items()}
        self._handled = {name: _sum(_handled(path)) for name, path in self._paths.items()}
        self._folder = folder / "series"
        synthetic_series.write_all(synthetic_series.stack(12), self._folder)
        self._volume = _sum(_volume(self._folder))
        self._work: list[Callable[[random.Random], None]] = [
            self.decode,
            self.decode,
            self.out,
            self.dataset,
            self.plugin,
            self.handler,
            self.many,
            self.frames,
            self.image,
            self.broken,
            self.broken,
            self.broken,
            self.error,
            self.series,
        ]

    def run(self, seconds: float) -> dict[str, Any]:
        """Work, and say what was done, what was wrong, and what is left."""
        before = _plugins()
        # Once each, so that what is made once is there.
        for work in self._work:
            self._tried(work, random.Random(self._seed))
        retained = _held()
        begin = time.monotonic()
        threads = [
            threading.Thread(target=self._until, args=(begin + seconds, random.Random(f"{self._seed} {index}")))
            for index in range(self._threads)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(min(1.0, seconds / 40))
            self.resident.append((time.monotonic() - begin, _resident_bytes()))
        for thread in threads:
            thread.join()
        left = _held()
        if left != retained:
            self.wrong.append(f"descriptors and threads before: {retained}, after: {left}")
        if _plugins() != before:
            self.wrong.append(f"plugins before: {before}, after: {_plugins()}")
        growth = growth_of(self.resident)
        if growth > _NOISE_BYTES:
            self.wrong.append(f"memory grows: {growth} bytes")
        return {
            "done": dict(self.done.most_common()),
            "wrong": self.wrong[:50],
            "held": left,
            "growth": growth,
            "resident": [(round(at), size >> 20) for at, size in self.resident[:: max(1, len(self.resident) // 40)]],
        }

    def _until(self, end: float, rng: random.Random) -> None:
        while time.monotonic() < end and not self.wrong:
            self._tried(rng.choice(self._work), rng)

    def _tried(self, work: Callable[[random.Random], None], rng: random.Random) -> None:
        try:
            work(rng)
        except BaseException:
            self.wrong.append(f"{work.__name__}: {traceback.format_exc()}")
        with self._lock:
            self.done[work.__name__] += 1

    def _expect(self, name: str, found: Any) -> None:
        assert _sum(found) == self._sums[name], name

    def decode(self, rng: random.Random) -> None:
        """A path or bytes, on any number of threads."""
        name = rng.choice(self._names)
        path = self._paths[name]
        self._expect(name, dicoxide.decode(rng.choice([path, path.read_bytes()]), threads=rng.choice([None, 1, 2, 5])))

    def out(self, rng: random.Random) -> None:
        """Into memory of the caller's."""
        name = rng.choice(self._names)
        with dicoxide.open(self._paths[name]) as image:
            target = np.empty(image.shape, image.dtype)
            assert image.decode(out=target) is target
        self._expect(name, target)

    def dataset(self, rng: random.Random) -> None:
        """pydicom's Dataset."""
        name = rng.choice(self._names)
        self._expect(name, dicoxide.decode(pydicom.dcmread(self._paths[name])))

    def plugin(self, rng: random.Random) -> None:
        """pydicom's ``pixel_array``, enabled meanwhile."""
        name = rng.choice(self._names)
        dataset = pydicom.dcmread(self._paths[name])
        with dicoxide.enabled(threads=rng.choice([None, 1, 3])):
            if not dataset.file_meta.TransferSyntaxUID.is_encapsulated or dataset.BitsAllocated == 1:
                return
            found = pixel_array(dataset, decoding_plugin="dicoxide")
        self._expect(name, found)

    def handler(self, rng: random.Random) -> None:
        """The handler of pydicom 2."""
        name = rng.choice(self._names)
        assert _sum(_handled(self._paths[name])) == self._handled[name], name

    def many(self, rng: random.Random) -> None:
        """Several files at once; not all of them to the end."""
        names = rng.choices(self._names, k=rng.randrange(1, 12))
        results = dicoxide.decode_many([self._paths[name] for name in names], threads=rng.choice([None, 1, 3]))
        for name, (_, found) in zip(names, results, strict=False):
            self._expect(name, found)
            if rng.random() < 0.05:
                break

    def frames(self, rng: random.Random) -> None:
        """Frame by frame; not all of them to the end."""
        name = rng.choice(self._names)
        whole = dicoxide.decode(self._paths[name], frames=slice(None))
        for index, frame in enumerate(dicoxide.iter_frames(self._paths[name], threads=rng.choice([1, 2]))):
            assert np.array_equal(frame, whole[index], equal_nan=True), name
            if rng.random() < 0.05:
                break

    def image(self, rng: random.Random) -> None:
        """An open image, its attributes, a frame of it."""
        name = rng.choice(self._names)
        with dicoxide.open(self._paths[name]) as image:
            dict(image.attributes)
            index = rng.randrange(len(image))
            assert np.array_equal(image[index], image[index - len(image)], equal_nan=True), name

    def broken(self, rng: random.Random) -> None:
        """A mutation: the same twice, and nothing undocumented."""
        name, number = rng.choice(self._names), rng.randrange(100_000)
        mutant = source_files.mutant(name, number)
        for options in ({"threads": 1}, {"threads": 2}):
            found = interfaces.outcome(lambda options=options: dicoxide.decode(mutant.data, fallback=False, **options))
            if found.error is not None:
                assert isinstance(found.error, ValueError), f"{name}:{number} {found}"
                assert not isinstance(found.error, dicoxide.InternalError), f"{name}:{number} {found}"
            elif mutant.promise is not Promise.NOTHING:
                self._expect(name, found.array)
            if options == {"threads": 1}:
                first = str(found) if found.array is None else _sum(found.array)
            else:
                assert first == (str(found) if found.array is None else _sum(found.array)), f"{name}:{number}"

    def error(self, rng: random.Random) -> None:
        """What callers do wrong."""
        path = self._paths[rng.choice(self._names)]
        for work, expected in (
            (lambda: dicoxide.decode(path, frames=1 << 40), IndexError),
            (lambda: dicoxide.decode(path, max_bytes=1), dicoxide.LimitError),
            (lambda: dicoxide.decode(path.with_name("nobody")), OSError),
            (lambda: list(dicoxide.decode_many([path, path.with_name("nobody")])), OSError),
        ):
            assert isinstance(interfaces.outcome(work).error, expected)

    def series(self, rng: random.Random) -> None:
        """A folder to a volume."""
        assert _sum(_volume(self._folder, threads=rng.choice([None, 1, 3]))) == self._volume


def growth_of(resident: list[tuple[float, int]]) -> int:
    """Bytes by which the last fifth of the time has more than the fifth behind the warm-up."""
    fifth = len(resident) // 5
    if not fifth:
        return 0
    start = int(len(resident) * _WARM_UP)
    sizes = [size for _, size in resident]
    return int(median(sizes[-fifth:]) - median(sizes[start : start + fifth]))


def _is_decoded(path: Path) -> bool:
    if path.stat().st_size > _MOST_BYTES:
        return False
    return all(interfaces.outcome(lambda work=work: work(path)).error is None for work in (_decoded, _handled))


def _decoded(path: Path) -> Any:
    return dicoxide.decode(path, fallback=False)


def _handled(path: Path) -> Any:
    return dicoxide.pydicom_handler.get_pixeldata(pydicom.dcmread(path))


def _volume(folder: Path, **options: Any) -> Any:
    [volume] = dicoxide.read_series(folder, **options)
    return volume.array


def _sum(samples: Any) -> str:
    little_endian = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    return f"{samples.shape} {samples.dtype.name} {hashlib.sha256(little_endian.tobytes()).hexdigest()}"


def _plugins() -> dict[str, list[str]]:
    """pydicom's plugins in the order in which they are asked."""
    found = {}
    for uid in dicoxide.capabilities():
        try:
            found[uid] = list(get_decoder(uid)._available)
        except NotImplementedError:
            found[uid] = []
    return found


def _held() -> dict[str, int]:
    """Descriptors and threads, those of other languages too."""
    gc.collect()
    if sys.platform != "linux":
        return {"threads": threading.active_count()}
    end = time.monotonic() + 5
    # Threads that have been joined are gone from the system a little later.
    while len(os.listdir("/proc/self/task")) > threading.active_count() and time.monotonic() < end:
        time.sleep(0.05)
    # But the one that lists them.
    return {"descriptors": len(os.listdir("/proc/self/fd")) - 1, "threads": len(os.listdir("/proc/self/task"))}


def _resident_bytes() -> int:
    if sys.platform != "linux":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _child(seconds: float, threads: int, seed: int) -> int:
    warnings.simplefilter("ignore")
    faulthandler.enable()
    # Where threads wait for each other, their traces say for what.
    faulthandler.dump_traceback_later(seconds * 1.5 + 60, exit=True)
    with tempfile.TemporaryDirectory() as folder:
        found = Soak(Path(folder), threads, seed).run(seconds)
    print(json.dumps(found))
    return 1 if found["wrong"] else 0


def soak(seconds: float, processes: int, threads: int, seed: int = 0) -> list[dict[str, Any]]:
    """What each process says; of one that ended otherwise, what it said last."""
    command = [sys.executable, __file__, "--child", "--minutes", str(seconds / 60), "--threads", str(threads)]
    found = []
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                started(
                    [*command, "--seed", str(seed + index)],
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
                found.append(json.loads(out.splitlines()[-1]))
            else:
                found.append({"wrong": [f"exit code {process.returncode}: {errors[-5000:]}"]})
    return found


def main() -> int:
    """Run what the command line says; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=3, help="of each process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where to write the outcome")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return _child(arguments.minutes * 60, arguments.threads, arguments.seed)
    found = soak(arguments.minutes * 60, arguments.processes, arguments.threads, arguments.seed)
    print(json.dumps(found, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if any(frame["wrong"] for frame in found) else 0


if __name__ == "__main__":
    sys.exit(main())
