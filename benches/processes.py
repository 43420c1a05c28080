"""Measurements that need a process of their own: imports and peak memory."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import generated
from claims import Claim, Table
from clock import Times, in_turns


@contextlib.contextmanager
def import_commands() -> Iterator[dict[str, Callable[[], object]]]:
    """Whole processes: start, import, end. As after an installation, everything is compiled to byte code before."""
    codes = {"numpy": "import numpy", "dicoxide": "import dicoxide, sys; sys.exit('pydicom' in sys.modules)"}
    with tempfile.TemporaryDirectory() as folder:
        variables = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        variables.pop("PYTHONDONTWRITEBYTECODE", None)

        def start(code: str) -> Callable[[], object]:
            return lambda: subprocess.run([sys.executable, "-c", code], check=True, env=variables)

        commands = {name: start(code) for name, code in codes.items()}
        for command in commands.values():
            command()
        yield commands


def imports(rounds: int) -> Table:
    """What importing costs, and that it does not import pydicom."""
    table = Table("Import (ms)", ("what", "median", "best"))
    with import_commands() as commands:
        took = Times(in_turns(commands, rounds))
    table.rows += [(f"import {name}", seconds * 1e3, took.best[name] * 1e3) for name, seconds in took.items()]
    over, best = ((times["dicoxide"] - times["numpy"]) * 1e3 for times in (took, took.best))
    table.claims.append(Claim("import dicoxide, longer than import numpy", over, 20, best, unit="ms", at_most=True))
    return table


# Peak memory is asked for before and after, so that what the imports took does not count. The kernel's own account of
# the address space comes first: what getrusage tells of a new process may be the peak of the one that started it.
_PEAK = """
import json, resource, sys
import numpy as np, pydicom, dicoxide
from pydicom.pixels import pixel_array
path, way, small = sys.argv[1:]
dicoxide.decode(small), pixel_array(small)
out = np.ones((200, 512, 512), np.uint16) if way == "out" else None
def peak():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
before = peak()
if way == "pydicom": result = pixel_array(path)
elif way == "out": result = dicoxide.decode(path, out=out)
else: result = dicoxide.decode(path)
print(json.dumps([peak() - before, int(result[::50, ::7, ::7].sum(dtype=np.int64))]))
"""


def memory(rounds: int) -> Table:
    """Peak resident memory of a decode from a path, each in a process of its own; the median of three."""
    table = Table("Peak memory, native 200 × 512 × 512 from a path (MB)", ("what", "MB", "of file + array"))
    try:
        import resource  # noqa: F401
    except ImportError:
        table.skipped = "this platform does not tell"
        return table
    frames = generated.ct_frames(200)
    expected = int(frames[::50, ::7, ::7].sum(dtype=np.int64))
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "large.dcm", Path(folder) / "small.dcm"
        generated.dataset(frames, bits_stored=12).save_as(path, enforce_file_format=True)
        generated.dataset(frames[:1], bits_stored=12).save_as(small, enforce_file_format=True)
        file_bytes, both_bytes = path.stat().st_size, path.stat().st_size + frames.nbytes
        peaks = {}
        for way in ("fresh", "out", "pydicom"):
            command = [sys.executable, "-c", _PEAK, str(path), way, str(small)]
            answers = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(3)]
            if any(total != expected for _, total in answers):
                raise AssertionError("a wrong answer was measured")
            peaks[way] = statistics.median(peak for peak, _ in answers)
    names = {"fresh": "decode(path)", "out": "decode(path, out=)", "pydicom": "pydicom's pixel_array(path)"}
    table.rows += [(names[way], peak / 1e6, peak / both_bytes) for way, peak in peaks.items()]
    table.claims += [
        Claim("peak memory of decode(path), of file + array", peaks["fresh"] / both_bytes, 1.1, at_most=True),
        Claim("peak memory of decode(path, out=), of file", peaks["out"] / file_bytes, 1.1, at_most=True),
    ]
    return table
