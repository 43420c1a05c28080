"""Files of the demo: a folder of CT images, from paths to arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.pixels import get_decoder
from pydicom.uid import JPEGLossless

import dicoxide
import generated_datasets
from dicoxide._text_format import table_lines
from tables_files import write_ct_file
from timing import MedianTimes, time_alternately

FILE_COUNT = 100


def show_files() -> bool:
    """Decode a folder of native and one of compressed files with dicoxide and pydicom; False if a value differs."""
    frames = generated_datasets.ct_frames(FILE_COUNT)
    print(f"\n{FILE_COUNT} generated files with the header of a real CT image, 512 × 512, from paths to arrays\n")
    rows: list[tuple[str, ...]] = []
    are_exact = []
    with tempfile.TemporaryDirectory() as folder:
        for name, is_compressed in (("native", False), ("JPEG Lossless", True)):
            if is_compressed and dicoxide.backend != "rust":
                continue
            paths = [str(Path(folder) / f"{name[0]}{index:03}.dcm") for index in range(FILE_COUNT)]
            for index, path in enumerate(paths):
                write_ct_file(Path(path), frames[index], is_compressed=is_compressed, number=index)
            are_exact.append(_add_rows(rows, name, is_compressed, paths, frames))
    print("\n".join(table_lines(rows, ("", "ms", "files/s", "×"), right_aligned={1, 2, 3})))
    return all(are_exact)


def _add_rows(
    rows: list[tuple[str, ...]], name: str, is_compressed: bool, paths: list[str], frames: npt.NDArray[np.uint16]
) -> bool:
    calls: dict[str, Callable[[], Any]] = {
        f"{name}, dicoxide.decode_many": lambda: [array for _, array in dicoxide.decode_many(paths)],
        f"{name}, dicoxide.decode, file by file": lambda: [dicoxide.decode(path) for path in paths],
    }
    plugins = [plugin for plugin in get_decoder(JPEGLossless).available_plugins if plugin != "dicoxide"]
    if not is_compressed or plugins:
        calls[f"{name}, pydicom, file by file"] = lambda: [pydicom.dcmread(path).pixel_array for path in paths]
    are_equal: list[bool] = []

    def check(_: str, result: object) -> None:
        are_equal.append(np.array_equal(result, frames))

    times = MedianTimes(time_alternately(calls, 5, check=check))
    slowest = max(times.values())
    for label, seconds in times.items():
        rows.append((label, f"{seconds * 1e3:.1f}", f"{FILE_COUNT / seconds:.0f}", f"{slowest / seconds:.1f}"))
    return all(are_equal)
