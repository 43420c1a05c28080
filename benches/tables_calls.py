"""Table of the costs of a call: small files, small frames, and many tiny files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

import dicoxide
import generated_datasets
from dicoxide.bench import DICOXIDE, cases_from_paths
from dicoxide.bench._decoders import LoadedCase
from tables_files import CORES, DICOMSDL, write_ct_file
from tables_frames import check_equal
from targets import Table, Target
from timing import MedianTimes, time_alternately

# Native images of 64 × 64 in three encodings with short headers, and one of 3 × 3 in colour.
_SMALL_FILES = ("MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "SC_rgb_small_odd.dcm")
_TINY_FILE_COUNT = 2000
# Calls of one measurement: one call takes a few microseconds.
_CALLS = 20


def small_calls(rounds: int) -> Table:
    """Small native files over dicomsdl, `decode_frame` over `rle_decode`, tiny files on two threads over one."""
    table = Table("Small images (ms)", ("call", "dicoxide", "other", "×", "× best"))
    if dicoxide.backend != "rust":
        table.skipped = "needs the compiled extension"
        return table
    if DICOMSDL.is_installed():
        _add_small_files(table, rounds)
    _add_small_frames(table, rounds)
    _add_tiny_files(table, rounds)
    return table


def _repeat(call: Callable[[], Any]) -> Callable[[], Any]:
    """Return a function that makes a call several times and returns the last result."""

    def calls() -> Any:
        for _ in range(_CALLS - 1):
            call()
        return call()

    return calls


def _add_small_files(table: Table, rounds: int) -> None:
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    for name in _SMALL_FILES:
        path = folder / name
        expected = dicoxide.decode(pydicom.dcmread(path))
        ((case,), _) = cases_from_paths([str(path)])
        decoders = {DICOXIDE: lambda path=str(path): dicoxide.decode(path), "dicomsdl": _bind_dicomsdl(case)}
        calls = {key: _repeat(call) for key, call in decoders.items()}

        def check(_: str, result: Any, expected: Any = expected) -> None:
            # dicomsdl adds a dimension of frames.
            check_equal(expected, result.reshape(expected.shape))

        times = MedianTimes(time_alternately(calls, rounds * 5, check=check, use_cpu_time=True))
        shape = " × ".join(map(str, expected.shape))
        table.add_comparison(
            f"{_CALLS} × decode(path), {name}, {shape}, over dicomsdl", times, DICOXIDE, "dicomsdl", 1.0
        )


def _bind_dicomsdl(case: Any) -> Callable[[], Any]:
    call = DICOMSDL.bind("file", LoadedCase(case), "", 1)
    if call is None:
        raise AssertionError(f"dicomsdl does not decode {case.path}")
    return call


def _add_small_frames(table: Table, rounds: int) -> None:
    frame = generated_datasets.ct_frames(1, 8, 8)[0]
    src, spec = dicoxide.rle_encode(frame), dicoxide.FrameSpec("1.2.840.10008.1.2.5", *frame.shape)
    calls = {
        "decode_frame": _repeat(lambda: dicoxide.decode_frame(src, spec)),
        "rle_decode": _repeat(lambda: dicoxide.rle_decode(src, *frame.shape)),
    }
    times = MedianTimes(
        time_alternately(calls, rounds * 5, check=lambda _, result: check_equal(frame, result), use_cpu_time=True)
    )
    name = "decode_frame, RLE 8 × 8"
    table.add_comparison(f"{_CALLS} × {name}, over rle_decode", times, "decode_frame", "rle_decode", None)
    longer = [(seconds["decode_frame"] - seconds["rle_decode"]) / _CALLS * 1e6 for seconds in (times, times.best)]
    table.targets.append(Target(f"{name}, longer than rle_decode", longer[0], 2.0, longer[1], "µs", is_maximum=True))


def _add_tiny_files(table: Table, rounds: int) -> None:
    frame = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32)
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "0.dcm"
        write_ct_file(first, frame, is_compressed=False)
        data = first.read_bytes()
        paths = [str(Path(folder) / f"{index}.dcm") for index in range(_TINY_FILE_COUNT)]
        for path in paths:
            Path(path).write_bytes(data)

        def decode_many(threads: int) -> int:
            return sum(array[31, 31] == 1023 for _, array in dicoxide.decode_many(paths, threads=threads))

        def check(threads: int, correct_count: int) -> None:
            if correct_count != len(paths):
                raise AssertionError(f"{correct_count} of {len(paths)} arrays are correct with {threads} threads")

        calls = {threads: lambda threads=threads: decode_many(threads) for threads in (1, 2)}
        times = MedianTimes(time_alternately(calls, max(5, rounds), check=check))
    name = f"decode_many of {_TINY_FILE_COUNT} files of 32 × 32, 2 threads over 1"
    # The calling thread takes the results, so that "one thread" uses two cores too.
    table.add_comparison(name, times, 2, 1, 1.0 if CORES > 1 else None)


TABLES: dict[str, Callable[[int], Table]] = {"calls": small_calls}
