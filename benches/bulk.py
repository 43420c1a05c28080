"""Files: from a path to ready, to an array, and many of them; each answer checked."""

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
import generated
from claims import Claim, Table
from clock import Times, in_turns
from dicoxide.bench._cases import cases_from_paths
from dicoxide.bench._decoders import DECODERS, DICOXIDE, LoadedCase
from jpeg_lossless import lacking
from tables import equals

Array = npt.NDArray[Any]
MANY = 500
DICOMSDL = DECODERS["dicomsdl"]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def typical_header() -> Dataset:
    """The data set of a real CT image, without its pixels: about 200 elements, private ones among them."""
    path = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    ds = pydicom.dcmread(path)
    del ds.PixelData
    # Behind the pixels stands only padding that no scanner writes.
    ds.pop("DataSetTrailingPadding", None)
    return ds


def write(path: Path, frame: Array, *, compressed: bool, number: int = 1) -> None:
    """One CT image of 12 bits with a typical header."""
    ds = copy.deepcopy(typical_header())
    ds.Rows, ds.Columns = frame.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.InstanceNumber = number
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.ImagePositionPatient = [-250, -250, 2.5 * number]
    if compressed:
        ds.file_meta.TransferSyntaxUID = JPEGLossless
        ds.PixelData = encapsulate([dicoxide.jpeg_lossless_encode(frame, precision=12)])
        ds["PixelData"].VR = "OB"
    else:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.PixelData = frame.tobytes()
        ds["PixelData"].VR = "OW"
    ds.save_as(path, enforce_file_format=True)


def one(rounds: int) -> Table:
    """One file: its header, and its native pixels."""
    table = Table("One file (ms)", ("what", "here", "theirs", "×", "× best"))
    frame = generated.ct_frames(1)[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ct.dcm"
        write(path, frame, compressed=False)
        text = str(path)

        def ready() -> tuple[int, ...]:
            with dicoxide.open(text) as image:
                return image.shape

        headers: dict[str, Callable[[], Any]] = {DICOXIDE: ready, "pydicom": lambda: pydicom.dcmread(text)}
        ((case,), _) = cases_from_paths([text])
        variants = {DICOXIDE: "", "pydicom": ""}
        if DICOMSDL.is_installed():
            import dicomsdl

            headers["dicomsdl"] = lambda: dicomsdl.open(text)
            variants["dicomsdl"] = "out="
        pixels = {name: DECODERS[name].bind("file", LoadedCase(case), variant, 1) for name, variant in variants.items()}
        took = Times(in_turns(headers, rounds * 5, cpu=True))
        for rival, target in (("pydicom", 15.0), ("dicomsdl", 2.0)):
            if rival in headers:
                table.race(f"header of a CT file to ready to decode, over {rival}", took, DICOXIDE, rival, target)
        # One of them gives frames a dimension of their own.
        took = Times(
            in_turns(pixels, rounds * 5, check=lambda _, result: equals(frame, result.reshape(frame.shape)), cpu=True)
        )
        for rival, target in (("pydicom", 10.0), ("dicomsdl", 1.3)):
            if rival in pixels:
                table.race(f"decode(path), native CT 512 × 512, over {rival}", took, DICOXIDE, rival, target)
    return table


@contextlib.contextmanager
def series(count: int) -> Iterator[tuple[list[str], Array]]:
    """Files of JPEG Lossless, CT 512 × 512, in a folder of their own; and what is in them."""
    with tempfile.TemporaryDirectory() as folder:
        frames = generated.ct_frames(count)
        paths = [str(Path(folder) / f"{index:04}.dcm") for index in range(count)]
        for index, path in enumerate(paths):
            write(Path(path), frames[index], compressed=True, number=index)
        yield paths, frames


def drained(results: Iterable[Array], frames: Array, *, whole: bool = False) -> None:
    """Take results as they come, and look whether they are right: all of each, or some rows.

    To compare all takes as long as decoding a quarter of it, on a core that decoders want: it is done once a way.
    """
    count = 0
    for result in results:
        expected = frames[count]
        equals(expected if whole else expected[7::128], result if whole else result[7::128])
        count += 1
    if count != len(frames):
        raise AssertionError("results are missing")


def many(rounds: int) -> Table:
    """Many files, on all cores."""
    table = Table(f"{MANY} files of JPEG Lossless, CT 512 × 512 (ms)", ("what", "here", "theirs", "×", "× best"))
    table.skipped = lacking()
    if table.skipped:
        return table
    with series(MANY) as (paths, frames):

        def here(threads: int) -> Iterator[Array]:
            return (array for _, array in dicoxide.decode_many(paths, threads=threads))

        def with_gdcm(path: str) -> Array:
            ds = pydicom.dcmread(path)
            ds.pixel_array_options(decoding_plugin="gdcm")
            return ds.pixel_array

        ways: dict[Any, Callable[[], Iterator[Array]]] = {CORES: lambda: here(CORES), 1: lambda: here(1)}
        if "gdcm" in get_decoder(JPEGLossless).available_plugins:
            ways["gdcm"] = lambda: map(with_gdcm, paths)
        if DICOMSDL.is_installed():
            calls = [DICOMSDL.bind("file", LoadedCase(case), "", 1) for case in cases_from_paths(paths)[0]]

            def pooled() -> Iterator[Array]:
                with ThreadPoolExecutor(CORES) as pool:
                    yield from (values[0] for values in pool.map(lambda call: call(), calls))

            ways["dicomsdl"] = pooled
        for way in ways.values():
            drained(way(), frames, whole=True)
        races = {key: lambda way=way: drained(way(), frames) for key, way in ways.items()}
        took = Times(in_turns(races, max(3, rounds // 6)))
        for rival, target in (("gdcm", 20.0), ("dicomsdl", 8.0), (1, 1.7)):
            if rival in races:
                name = {"gdcm": "pydicom with gdcm", "dicomsdl": "dicomsdl in as many threads", 1: "one thread"}[rival]
                table.race(f"decode_many, {CORES} threads, over {name}", took, CORES, rival, target)
        table.rows.append(("threads of another kind, 2 over 1 (sha256)", *_control(rounds)))
    return table


def _control(rounds: int) -> tuple[float, float, float, float]:
    """What two threads gain here that share nothing and touch no memory."""
    block = bytes(4 << 20)

    def hashed(threads: int) -> None:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: hashlib.sha256(block).digest(), range(8)))

    took = Times(in_turns({count: lambda count=count: hashed(count) for count in (1, 2)}, max(5, rounds // 3)))
    return took[2] * 1e3, took[1] * 1e3, took[1] / took[2], took.best[1] / took.best[2]


def to_zarr(rounds: int) -> Table:
    """The command line, against decoding alone."""
    title = f"dicoxide decode to Zarr, {MANY} files of JPEG Lossless (ms)"
    table = Table(title, ("what", "it", "decode_many alone", "× time", "× best"))
    table.skipped = lacking() or ("zarr is not installed" if importlib.util.find_spec("zarr") is None else None)
    if table.skipped:
        return table
    from dicoxide.cli import main

    with series(MANY) as (paths, frames), tempfile.TemporaryDirectory() as outputs:
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
                equals(frames, array[:])
                shutil.rmtree(result)

        from numcodecs import Blosc

        encode = Blosc("lz4", 1, Blosc.SHUFFLE).encode
        chunks = [frames[start : start + 8] for start in range(0, len(frames), 8)]

        def compress() -> None:
            with ThreadPoolExecutor(CORES) as pool:
                list(pool.map(encode, chunks))

        calls: dict[str, Callable[[], Any]] = {
            "command": command,
            "compression": compress,
            "alone": lambda: drained((array for _, array in dicoxide.decode_many(paths)), frames),
        }
        took = Times(in_turns(calls, max(3, rounds // 6), check=check))
    whats = {"command": "dicoxide decode to Zarr", "compression": "what compresses the same chunks (Blosc, LZ4) alone"}
    for key, what in whats.items():
        longer, best = (of[key] / of["alone"] for of in (took, took.best))
        table.rows.append((what, took[key] * 1e3, took["alone"] * 1e3, longer, best))
        if key == "command":
            table.claims.append(Claim(f"{what} over decode_many alone", longer, 2.0, best, at_most=True))
    return table


_PEAK = """
def peak():
    # What getrusage tells of a new process may be the peak of the one that started it.
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024
"""
_LARGE = """
import json, statistics, sys
import dicoxide
sys.path.insert(0, sys.argv[2])
from clock import in_turns
took = in_turns({index: lambda index=index: dicoxide.decode(sys.argv[1], frames=index) for index in (5, 2900, 4095)}, 7)
seconds = [some for times in took.values() for some in times]
print(json.dumps([statistics.median(seconds) * 1e3, max(seconds) * 1e3, peak()]))
"""
_SMALL = """
import json, sys
import dicoxide
sys.path.insert(0, sys.argv[2])
from clock import in_turns
from pathlib import Path
paths = sorted(map(str, Path(sys.argv[1]).iterdir()))
def read(count):
    for _ in dicoxide.decode_many(paths[:count]):
        pass
read(1000)
numbers = []
for count in (30_000, 100_000):
    seconds = in_turns({0: lambda: read(count)}, 1)[0][0]
    numbers.append((seconds / count * 1e6, peak()))
print(json.dumps(numbers))
"""


def _in_process(code: str, path: str) -> Any:
    command = [sys.executable, "-W", "ignore", "-c", _PEAK + code, path, str(Path(__file__).parent)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def extremes(_: int) -> Table:
    """A file of 2 GB, of which one frame is wanted; and very many small files. Each in a process of its own."""
    table = Table("Large and many", ("what", "measured", "unit"))
    if dicoxide.backend != "rust":
        table.skipped = "what it takes is the core's"
        return table
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "large.dcm")
        write(Path(path), np.zeros((512, 512), np.uint16), compressed=False)
        with open(path, "r+b") as file:
            data = file.read()
            at = data.rindex(b"\xe0\x7f\x10\x00") + 8
            # Number of Frames has four digits where the template has some of its own.
            file.seek(at)
            file.write((4096 * (1 << 19)).to_bytes(4, "little"))
            file.truncate(at + 4 + 4096 * (1 << 19))
        with warnings.catch_warnings():
            median, worst, peak = _in_process(_LARGE, path)
        table.rows += [
            ("one frame of 4096 in 2 GB, by index, median", median, "ms"),
            ("the slowest of 21", worst, "ms"),
            ("peak memory of the process", peak, "MB"),
        ]
        table.claims += [
            Claim("one frame of a file of 2 GB", median, 5.0, unit="ms", at_most=True),
            Claim("peak memory of that process", peak, 100.0, unit="MB", at_most=True),
        ]
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first"
        write(first, np.zeros((32, 32), np.uint16), compressed=False)
        data = first.read_bytes()
        first.unlink()
        for index in range(100_000):
            (Path(folder) / f"{index:06}.dcm").write_bytes(data)
        (few, few_mb), (all_, all_mb) = _in_process(_SMALL, folder)
        table.rows += [
            ("30 000 small files, each", few, "µs"),
            ("100 000 small files, each", all_, "µs"),
            ("peak memory after 30 000", few_mb, "MB"),
            ("peak memory after 100 000", all_mb, "MB"),
        ]
        table.claims += [
            Claim("100 000 small files, time of each over that of 30 000", all_ / few, 1.2, at_most=True),
            Claim("the memory they take more", all_mb - few_mb, 16.0, unit="MB", at_most=True),
        ]
    return table


TABLES: dict[str, Callable[[int], Table]] = {
    "bulk_one": one,
    "bulk_many": many,
    "bulk_zarr": to_zarr,
    "bulk_extremes": extremes,
}
