"""Tables of files: opening, decoding, many files, the command line, and extreme sizes; every result is checked."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import importlib.util
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import ExplicitVRLittleEndian, JPEGLossless, generate_uid

import dicoxide
import generated_datasets
from dicoxide.bench import DECODERS, DICOXIDE, cases_from_paths
from dicoxide.bench._decoders import LoadedCase
from tables_frames import check_equal
from tables_jpeg_lossless import unavailable_reason
from targets import Table, Target
from timing import MedianTimes, time_alternately

Array = npt.NDArray[Any]
FILE_COUNT = 500
DICOMSDL = DECODERS["dicomsdl"]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def typical_header() -> Dataset:
    """Return the data set of a real CT image without its pixel data: about 200 elements, some of them private."""
    path = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    ds = pydicom.dcmread(path)
    del ds.PixelData
    # Padding after the pixel data, which scanners do not write.
    ds.pop("DataSetTrailingPadding", None)
    return ds


def write_ct_file(path: Path, frame: Array, *, is_compressed: bool, number: int = 1) -> None:
    """Write a CT image of 12 bits with a typical header, native or JPEG Lossless."""
    ds = copy.deepcopy(typical_header())
    ds.Rows, ds.Columns = frame.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.InstanceNumber = number
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.ImagePositionPatient = [-250, -250, 2.5 * number]
    if is_compressed:
        ds.file_meta.TransferSyntaxUID = JPEGLossless
        ds.PixelData = encapsulate([dicoxide.jpeg_lossless_encode(frame, precision=12)])
        ds["PixelData"].VR = "OB"
    else:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.PixelData = frame.tobytes()
        ds["PixelData"].VR = "OW"
    ds.save_as(path, enforce_file_format=True)


def single_file(rounds: int) -> Table:
    """The header and the native pixel data of one file."""
    table = Table("One file (ms)", ("call", "dicoxide", "other", "×", "× best"))
    frame = generated_datasets.ct_frames(1)[0]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "ct.dcm")
        write_ct_file(Path(path), frame, is_compressed=False)

        def open_image() -> tuple[int, ...]:
            with dicoxide.open(path) as image:
                return image.shape

        header_calls: dict[str, Callable[[], Any]] = {DICOXIDE: open_image, "pydicom": lambda: pydicom.dcmread(path)}
        ((case,), _) = cases_from_paths([path])
        variants = {DICOXIDE: "", "pydicom": ""}
        if DICOMSDL.is_installed():
            import dicomsdl

            header_calls["dicomsdl"] = lambda: dicomsdl.open(path)
            variants["dicomsdl"] = "out="
        decode_calls = {
            name: DECODERS[name].bind("file", LoadedCase(case), variant, 1) for name, variant in variants.items()
        }
        times = MedianTimes(time_alternately(header_calls, rounds * 5, use_cpu_time=True))
        for other, min_ratio in (("pydicom", 15.0), ("dicomsdl", 2.0)):
            if other in header_calls:
                table.add_comparison(f"header of a CT file, over {other}", times, DICOXIDE, other, min_ratio)
        times = MedianTimes(
            time_alternately(
                decode_calls,
                rounds * 5,
                # dicomsdl adds a dimension of frames.
                check=lambda _, result: check_equal(frame, result.reshape(frame.shape)),
                use_cpu_time=True,
            )
        )
        for other, min_ratio in (("pydicom", 10.0), ("dicomsdl", 1.3)):
            if other in decode_calls:
                name = f"decode(path), native CT 512 × 512, over {other}"
                table.add_comparison(name, times, DICOXIDE, other, min_ratio)
    return table


@contextlib.contextmanager
def jpeg_lossless_files(file_count: int) -> Iterator[tuple[list[str], Array]]:
    """Yield paths of JPEG Lossless CT files of 512 × 512 in a temporary folder, and their samples."""
    with tempfile.TemporaryDirectory() as folder:
        frames = generated_datasets.ct_frames(file_count)
        paths = [str(Path(folder) / f"{index:04}.dcm") for index in range(file_count)]
        for index, path in enumerate(paths):
            write_ct_file(Path(path), frames[index], is_compressed=True, number=index)
        yield paths, frames


def consume(results: Iterable[Array], frames: Array, *, check_all_rows: bool = False) -> None:
    """Take all results, and check some rows of each, or all rows.

    Checking all rows takes a quarter of the decoding time, on a core that decoders use, so it is not part of timing.
    """
    result_count = 0
    for result in results:
        expected = frames[result_count]
        if check_all_rows:
            check_equal(expected, result)
        else:
            check_equal(expected[7::128], result[7::128])
        result_count += 1
    if result_count != len(frames):
        raise AssertionError(f"{result_count} results returned, {len(frames)} expected")


def many_files(rounds: int) -> Table:
    """Many files, on all cores."""
    table = Table(
        f"{FILE_COUNT} files of JPEG Lossless, CT 512 × 512 (ms)", ("call", "dicoxide", "other", "×", "× best")
    )
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    with jpeg_lossless_files(FILE_COUNT) as (paths, frames):

        def decode_many(threads: int) -> Iterator[Array]:
            return (array for _, array in dicoxide.decode_many(paths, threads=threads))

        def decode_with_gdcm(path: str) -> Array:
            ds = pydicom.dcmread(path)
            ds.pixel_array_options(decoding_plugin="gdcm")
            return ds.pixel_array

        decoders: dict[Any, Callable[[], Iterator[Array]]] = {
            CORES: lambda: decode_many(CORES),
            1: lambda: decode_many(1),
        }
        if "gdcm" in get_decoder(JPEGLossless).available_plugins:
            decoders["gdcm"] = lambda: map(decode_with_gdcm, paths)
        if DICOMSDL.is_installed():
            calls = [DICOMSDL.bind("file", LoadedCase(case), "", 1) for case in cases_from_paths(paths)[0]]

            def decode_with_dicomsdl() -> Iterator[Array]:
                with ThreadPoolExecutor(CORES) as pool:
                    yield from (values[0] for values in pool.map(lambda call: call(), calls))

            decoders["dicomsdl"] = decode_with_dicomsdl
        for decode in decoders.values():
            consume(decode(), frames, check_all_rows=True)
        timed = {key: lambda decode=decode: consume(decode(), frames) for key, decode in decoders.items()}
        times = MedianTimes(time_alternately(timed, max(3, rounds // 6)))
        for other, other_name, min_ratio in (
            ("gdcm", "pydicom with gdcm", 20.0),
            ("dicomsdl", f"dicomsdl, {CORES} threads", 8.0),
            (1, "one thread", 1.7),
        ):
            if other in timed:
                name = f"decode_many, {CORES} threads, over {other_name}"
                table.add_comparison(name, times, CORES, other, min_ratio)
        table.rows.append(("SHA-256, 2 threads over 1 (control)", *_thread_control(rounds)))
    return table


def _thread_control(rounds: int) -> tuple[float, float, float, float]:
    """Return the gain of two threads that share no data and use little memory, as the columns of a row."""
    block = bytes(4 << 20)

    def hash_blocks(threads: int) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: hashlib.sha256(block).digest(), range(8)))

    calls = {count: lambda count=count: hash_blocks(count) for count in (1, 2)}
    times = MedianTimes(time_alternately(calls, max(5, rounds // 3)))
    return times[2] * 1e3, times[1] * 1e3, times[1] / times[2], times.best[1] / times.best[2]


def to_zarr(rounds: int) -> Table:
    """`dicoxide decode` to Zarr, relative to decoding alone."""
    title = f"dicoxide decode to Zarr, {FILE_COUNT} files of JPEG Lossless (ms)"
    table = Table(title, ("call", "time", "decode_many alone", "× time", "× best"))
    is_zarr_missing = importlib.util.find_spec("zarr") is None
    table.skipped = unavailable_reason() or ("zarr is not installed" if is_zarr_missing else None)
    if table.skipped:
        return table
    from numcodecs import Blosc

    from dicoxide.cli import main

    with jpeg_lossless_files(FILE_COUNT) as (paths, frames), tempfile.TemporaryDirectory() as outputs:
        folder, numbers = str(Path(paths[0]).parent), itertools.count()

        def command() -> str:
            out = str(Path(outputs) / f"{next(numbers)}.zarr")
            with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
                if main(["decode", folder, "-o", out]):
                    raise AssertionError("the command failed")
            return out

        def check(key: str, result: Any) -> None:
            import zarr

            if key == "command":
                (array,) = (array for _, array in zarr.open_group(result, mode="r").arrays())
                check_equal(frames, array[:])
                shutil.rmtree(result)

        encode = Blosc("lz4", 1, Blosc.SHUFFLE).encode
        chunks = [frames[start : start + 8] for start in range(0, len(frames), 8)]

        def compress() -> None:
            with ThreadPoolExecutor(CORES) as pool:
                list(pool.map(encode, chunks))

        calls: dict[str, Callable[[], Any]] = {
            "command": command,
            "compression": compress,
            "decode_many": lambda: consume((array for _, array in dicoxide.decode_many(paths)), frames),
        }
        times = MedianTimes(time_alternately(calls, max(3, rounds // 6), check=check))
    names = {"command": "dicoxide decode to Zarr", "compression": "compression of the same chunks alone (Blosc, LZ4)"}
    for key, name in names.items():
        ratio, best = (seconds[key] / seconds["decode_many"] for seconds in (times, times.best))
        table.rows.append((name, times[key] * 1e3, times["decode_many"] * 1e3, ratio, best))
        if key == "command":
            table.targets.append(Target(f"{name} relative to decode_many", ratio, 2.0, best, is_maximum=True))
    return table


def _run_script(name: str, path: str) -> Any:
    """Return the JSON output of a script of this folder, run in a new process."""
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name(name)), path]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def extremes(_: int) -> Table:
    """One frame of a file of 2 GiB, and 100 000 small files, each in a process of its own."""
    table = Table("Large files and many files", ("measurement", "value", "unit"))
    if dicoxide.backend != "rust":
        table.skipped = "needs the compiled extension"
        return table
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.dcm"
        _write_large_file(path, 4096)
        with warnings.catch_warnings():
            median, worst, peak = _run_script("read_large_file.py", str(path))
        table.rows += [
            ("one frame of 4096 in 2 GiB, by index, median", median, "ms"),
            ("maximum of 21", worst, "ms"),
            ("peak memory of the process", peak, "MiB"),
        ]
        table.targets += [
            Target("one frame of a file of 2 GiB", median, 5.0, unit="ms", is_maximum=True),
            Target("peak memory of that process", peak, 100.0, unit="MiB", is_maximum=True),
        ]
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template"
        write_ct_file(template, np.zeros((32, 32), np.uint16), is_compressed=False)
        data = template.read_bytes()
        template.unlink()
        for index in range(100_000):
            (Path(folder) / f"{index:06}.dcm").write_bytes(data)
        (first_time, first_peak), (second_time, second_peak) = _run_script("read_small_files.py", folder)
        table.rows += [
            ("30 000 small files, time per file", first_time, "µs"),
            ("100 000 small files, time per file", second_time, "µs"),
            ("peak memory after 30 000", first_peak, "MiB"),
            ("peak memory after 100 000", second_peak, "MiB"),
        ]
        table.targets += [
            Target(
                "100 000 small files, time per file relative to 30 000", second_time / first_time, 1.2, is_maximum=True
            ),
            Target("growth of peak memory", second_peak - first_peak, 16.0, unit="MiB", is_maximum=True),
        ]
    return table


def _write_large_file(path: Path, frame_count: int) -> None:
    """Write a sparse file whose native pixel data, of 512 × 512 frames of 16 bits, are zero."""
    write_ct_file(path, np.zeros((512, 512), np.uint16), is_compressed=False)
    pixel_data_bytes = frame_count * (512 * 512 * 2)
    with open(path, "r+b") as file:
        # The length of Pixel Data follows its tag (4 bytes), VR and two reserved bytes.
        length_offset = file.read().rindex(b"\xe0\x7f\x10\x00") + 8
        file.seek(length_offset)
        file.write(pixel_data_bytes.to_bytes(4, "little"))
        file.truncate(length_offset + 4 + pixel_data_bytes)


TABLES: dict[str, Callable[[int], Table]] = {
    "bulk_one": single_file,
    "bulk_many": many_files,
    "bulk_zarr": to_zarr,
    "bulk_extremes": extremes,
}
