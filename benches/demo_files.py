"""The demo's files: a folder of CT images, from paths to arrays."""

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

import bulk
import dicoxide
import generated
from clock import Times, in_turns

FILES = 100


def show_files() -> bool:
    """Decode a folder of each kind, here and by pydicom alone; False if any value differs."""
    frames = generated.ct_frames(FILES)
    print(f"\n{FILES} generated files with the header of a real CT image, 512 × 512, from paths to arrays\n")
    print(f"  {'':42}  {'ms':>7}  {'files/s':>8}  {'×':>5}")
    print("  " + "─" * 68)
    are_exact = []
    with tempfile.TemporaryDirectory() as folder:
        for name, compressed in (("native", False), ("JPEG Lossless", True)):
            if compressed and dicoxide.backend != "rust":
                continue
            paths = [str(Path(folder) / f"{name[0]}{index:03}.dcm") for index in range(FILES)]
            for index, path in enumerate(paths):
                bulk.write(Path(path), frames[index], compressed=compressed, number=index)
            are_exact.append(_show(name, compressed, paths, frames))
    return all(are_exact)


def _show(name: str, compressed: bool, paths: list[str], frames: npt.NDArray[np.uint16]) -> bool:
    calls: dict[str, Callable[[], Any]] = {
        f"{name}, dicoxide.decode_many": lambda: [array for _, array in dicoxide.decode_many(paths)],
        f"{name}, dicoxide.decode, one by one": lambda: [dicoxide.decode(path) for path in paths],
    }
    plugins = [plugin for plugin in get_decoder(JPEGLossless).available_plugins if plugin != "dicoxide"]
    if not compressed or plugins:
        calls[f"{name}, pydicom, one by one"] = lambda: [pydicom.dcmread(path).pixel_array for path in paths]
    are_equal: list[bool] = []
    took = Times(in_turns(calls, 5, check=lambda _, result: are_equal.append(np.array_equal(result, frames))))
    slowest = max(took.values())
    for what, seconds in took.items():
        print(f"  {what:42}  {seconds * 1e3:7.1f}  {FILES / seconds:8.0f}  {slowest / seconds:5.1f}")
    return all(are_equal)
