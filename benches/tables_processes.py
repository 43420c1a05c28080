"""Tables that need a process for each measurement: import time and peak memory."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import generated_datasets
from targets import Table, Target
from timing import MedianTimes, time_alternately

_MEASURE_PEAK_MEMORY = Path(__file__).with_name("measure_peak_memory.py")


@contextlib.contextmanager
def import_commands() -> Iterator[dict[str, Callable[[], object]]]:
    """Yield functions that run a process which imports a package; all modules are compiled to bytecode before."""
    codes = {"numpy": "import numpy", "dicoxide": "import dicoxide, sys; sys.exit('pydicom' in sys.modules)"}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def runner(code: str) -> Callable[[], object]:
            return lambda: subprocess.run([sys.executable, "-c", code], check=True, env=environment)

        commands = {name: runner(code) for name, code in codes.items()}
        for command in commands.values():
            command()
        yield commands


def imports(rounds: int) -> Table:
    """Import time; also checks that pydicom is not imported."""
    table = Table("Import (ms)", ("command", "median", "best"))
    with import_commands() as commands:
        times = MedianTimes(time_alternately(commands, rounds))
    table.rows += [(f"import {name}", seconds * 1e3, times.best[name] * 1e3) for name, seconds in times.items()]
    additional, best = ((seconds["dicoxide"] - seconds["numpy"]) * 1e3 for seconds in (times, times.best))
    table.targets.append(
        Target("import dicoxide, in addition to import numpy", additional, 20, best, unit="ms", is_maximum=True)
    )
    return table


def memory(_: int) -> Table:
    """Growth of peak resident memory while a file is decoded, each in a new process; the median of three."""
    table = Table("Peak memory, native 200 × 512 × 512 from a path (MB)", ("call", "MB", "relative to file + array"))
    if importlib.util.find_spec("resource") is None:
        table.skipped = "this platform does not report peak memory"
        return table
    frames = generated_datasets.ct_frames(200)
    expected = int(frames[::50, ::7, ::7].sum(dtype=np.int64))
    with tempfile.TemporaryDirectory() as folder:
        path, small_path = Path(folder) / "large.dcm", Path(folder) / "small.dcm"
        generated_datasets.dataset(frames, bits_stored=12).save_as(path, enforce_file_format=True)
        generated_datasets.dataset(frames[:1], bits_stored=12).save_as(small_path, enforce_file_format=True)
        file_bytes = path.stat().st_size
        file_and_array_bytes = file_bytes + frames.nbytes
        peaks = {}
        for mode in ("fresh", "out", "pydicom"):
            command = [sys.executable, str(_MEASURE_PEAK_MEMORY), str(path), mode, str(small_path)]
            outputs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(3)]
            if any(total != expected for _, total in outputs):
                raise AssertionError("a measured call returned a wrong result")
            peaks[mode] = statistics.median(peak for peak, _ in outputs)
    names = {"fresh": "decode(path)", "out": "decode(path, out=)", "pydicom": "pydicom's pixel_array(path)"}
    table.rows += [(names[mode], peak / 1e6, peak / file_and_array_bytes) for mode, peak in peaks.items()]
    table.targets += [
        Target(
            "peak memory of decode(path), relative to file + array",
            peaks["fresh"] / file_and_array_bytes,
            1.1,
            is_maximum=True,
        ),
        Target("peak memory of decode(path, out=), relative to file", peaks["out"] / file_bytes, 1.1, is_maximum=True),
    ]
    return table
