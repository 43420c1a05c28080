"""Table of a mixed archive: all real images in one call, over loops of other packages."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom

import corpus
import dicoxide
from dicoxide._threads import ThreadPool
from dicoxide.bench import DICOXIDE, cases_from_paths
from dicoxide.bench._decoders import LoadedCase
from dicoxide.bench._process import WorkerProcess
from dicoxide.bench._verify import Verifier
from tables_files import CORES, DICOMSDL
from targets import Table, Target
from timing import MedianTimes, time_alternately

Array = npt.NDArray[Any]


def archive() -> dict[str, Array]:
    """Return the samples of each image of the shared corpus that dicoxide decodes by itself, by path."""
    samples = {}
    for path in sorted((corpus.SHARED / "files").rglob("*")):
        if path.is_file():
            try:
                samples[str(path)] = dicoxide.decode(path, fallback=False)
            except (ValueError, OSError):
                # Not DICOM, without an image, or broken.
                continue
    return samples


def decoded_by_pydicom(paths: Sequence[str]) -> Iterator[str]:
    """Yield the paths that pydicom decodes with its plugins."""
    for path in paths:
        try:
            pydicom.dcmread(path, force=True).pixel_array  # noqa: B018
        except Exception:
            # pydicom and its plugins raise any exception.
            continue
        yield path


def decoded_by_dicomsdl(samples: dict[str, Array]) -> Iterator[str]:
    """Yield the paths whose samples dicomsdl returns. It decodes in another process, because some files end it."""
    with tempfile.TemporaryDirectory() as folder:
        worker, threads = WorkerProcess(lambda: math.inf), ThreadPool(1, "verify")
        verifier = Verifier(folder, {DICOMSDL.name: worker}, threads)
        reference = str(Path(folder) / "reference.npy")
        try:
            for path, expected in samples.items():
                for case in cases_from_paths([path])[0]:
                    np.save(reference, expected)
                    result = verifier.verify("file", case._replace(reference=reference), [DICOMSDL.name])
                    if result[DICOMSDL.name].status == "ok":
                        yield path
        finally:
            threads.stop()
            worker.stop()


def consume(results: Iterable[Array], expected: Sequence[Array], *, is_exact: bool) -> None:
    """Take the results one by one, keep none of them, and check some samples, or only their number.

    Lossy images that another package decodes differ by rounding.
    """
    for index, (result, array) in enumerate(zip(results, expected, strict=True)):
        step = max(1, array.size // 1000)
        if result.size != array.size or (is_exact and not np.array_equal(result.flat[::step], array.flat[::step])):
            raise AssertionError(f"result {index} of {result.shape}, {array.shape} expected, differs")


def mixed_archive(rounds: int) -> Table:
    """Every transfer syntax of the shared corpus in one archive."""
    table = Table("All real images as one archive (ms)", ("call", "dicoxide", "other", "×", "× best"))
    samples = archive()
    if not samples:
        table.skipped = "no shared corpus"
        return table
    by_pydicom = list(decoded_by_pydicom(list(samples)))
    paths = {"pydicom": by_pydicom}
    expected = {"pydicom": [samples[path] for path in by_pydicom]}
    loops: dict[str, Callable[[], Iterator[Array]]] = {
        "pydicom": lambda: (pydicom.dcmread(path, force=True).pixel_array for path in by_pydicom)
    }
    if DICOMSDL.is_installed():
        by_dicomsdl = paths["dicomsdl"] = list(decoded_by_dicomsdl(samples))
        expected["dicomsdl"] = [samples[path] for path in by_dicomsdl]
        cases = [LoadedCase(case) for path in by_dicomsdl for case in cases_from_paths([path])[0]]
        functions = [function for case in cases if (function := DICOMSDL.bind("file", case, "", 1))]
        loops["dicomsdl"] = lambda: (function() for function in functions)

    def decode_many(other: str, threads: int) -> None:
        results = dicoxide.decode_many(paths[other], threads=threads)
        consume((array for _, array in results), expected[other], is_exact=True)

    calls: dict[tuple[str, str], Callable[[], None]] = {("pydicom", "one thread"): lambda: decode_many("pydicom", 1)}
    for other, loop in loops.items():
        calls[other, "other"] = lambda other=other, loop=loop: consume(loop(), expected[other], is_exact=False)
        calls[other, DICOXIDE] = lambda other=other: decode_many(other, CORES)
    times = MedianTimes(time_alternately(calls, rounds, seed=rounds))
    for other, minimum in (("pydicom", 8.0), ("dicomsdl", 2.0)):
        if other in paths:
            name = f"decode_many on {CORES} threads over a loop of {other}, {len(paths[other])} images"
            ratio, best = table.add_comparison(name, times, (other, DICOXIDE), (other, "other"), None)
            table.targets.append(Target(f"mixed archive, over {other}", ratio, minimum, best))
    name = f"decode_many on {CORES} threads over one thread"
    ratio, best = table.add_comparison(name, times, ("pydicom", DICOXIDE), ("pydicom", "one thread"), None)
    if CORES == 2:
        table.targets.append(Target("mixed archive, two threads over one", ratio, 1.85, best))
    return table


def _without_warnings(rounds: int) -> Table:
    """Measure the table without the warnings of pydicom and its plugins."""
    with warnings.catch_warnings(action="ignore"):
        return mixed_archive(rounds)


TABLES: dict[str, Callable[[int], Table]] = {"archive": _without_warnings}
