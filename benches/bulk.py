"""Files: from a path to ready, to an array, and many of them; each answer checked."""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Callable
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
from claims import Table
from clock import Times, in_turns
from tables import equals

Array = npt.NDArray[Any]
MANY = 500
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def dicomsdl_module() -> Any:
    """The peer, if it is installed."""
    try:
        import dicomsdl
    except ImportError:
        return None
    return dicomsdl


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

        headers: dict[str, Callable[[], Any]] = {"here": ready, "pydicom": lambda: pydicom.dcmread(text)}
        pixels: dict[str, Callable[[], Any]] = {
            "here": lambda: dicoxide.decode(text),
            "pydicom": lambda: pydicom.dcmread(text).pixel_array,
        }
        sdl = dicomsdl_module()
        if sdl is not None:
            out = np.zeros_like(frame)

            def copied() -> Array:
                sdl.open(text).copyFrameData(0, out)
                return out

            headers["dicomsdl"] = lambda: sdl.open(text)
            pixels["dicomsdl"] = copied
        took = Times(in_turns(headers, rounds * 5, cpu=True))
        for rival, target in (("pydicom", 15.0), ("dicomsdl", 2.0)):
            if rival in headers:
                table.race(f"header of a CT file to ready to decode, over {rival}", took, "here", rival, target)
        took = Times(in_turns(pixels, rounds * 5, check=lambda _, result: equals(frame, result), cpu=True))
        for rival, target in (("pydicom", 10.0), ("dicomsdl", 1.3)):
            if rival in pixels:
                table.race(f"decode(path), native CT 512 × 512, over {rival}", took, "here", rival, target)
    return table


def many(rounds: int) -> Table:
    """Many files, on all cores."""
    table = Table(f"{MANY} files of JPEG Lossless, CT 512 × 512 (ms)", ("what", "here", "theirs", "×", "× best"))
    with tempfile.TemporaryDirectory() as folder:
        frames = generated.ct_frames(MANY)
        paths = [str(Path(folder) / f"{index:04}.dcm") for index in range(MANY)]
        for index, path in enumerate(paths):
            write(Path(path), frames[index], compressed=True, number=index)

        def drained(results: Any) -> None:
            for index, result in enumerate(results):
                equals(frames[index], result)

        def here(threads: int) -> None:
            drained(array for _, array in dicoxide.decode_many(paths, threads=threads))

        def with_gdcm() -> None:
            for index, path in enumerate(paths):
                ds = pydicom.dcmread(path)
                ds.pixel_array_options(decoding_plugin="gdcm")
                equals(frames[index], ds.pixel_array)

        calls: dict[Any, Callable[[], Any]] = {CORES: lambda: here(CORES), 1: lambda: here(1)}
        if "gdcm" in get_decoder(JPEGLossless).available_plugins:
            calls["gdcm"] = with_gdcm
        sdl = dicomsdl_module()
        if sdl is not None:

            def with_dicomsdl() -> None:
                def decode(path: str) -> Array:
                    out = np.empty_like(frames[0])
                    sdl.open(path).copyFrameData(0, out)
                    return out

                with ThreadPoolExecutor(CORES) as pool:
                    drained(pool.map(decode, paths))

            calls["dicomsdl"] = with_dicomsdl
        took = Times(in_turns(calls, max(3, rounds // 6)))
        for rival, target in (("gdcm", 20.0), ("dicomsdl", 8.0), (1, 1.7)):
            if rival in calls:
                name = {"gdcm": "pydicom with gdcm", "dicomsdl": "dicomsdl in as many threads", 1: "one thread"}[rival]
                table.race(f"decode_many, {CORES} threads, over {name}", took, CORES, rival, target)
    return table


TABLES: dict[str, Callable[[int], Table]] = {"bulk_one": one, "bulk_many": many}
