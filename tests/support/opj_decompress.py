"""Samples that OpenJPEG's command-line decoder makes of a codestream or JP2 file, for each component."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DECODER = shutil.which("opj_decompress")


def read_pgx(path: Path) -> Array:
    """Return the samples of a PGX file."""
    header, _, data = path.read_bytes().partition(b"\n")
    _, order, sign, *numbers = header.replace(b"+", b"+ ").replace(b"-", b"- ").split()
    precision, columns, rows = (int(number) for number in numbers)
    width = 1 if precision <= 8 else 2 if precision <= 16 else 4
    dtype = f"{'>' if order == b'ML' else '<'}{'i' if sign == b'-' else 'u'}{width}"
    return np.frombuffer(data, dtype, rows * columns).reshape(rows, columns).astype(np.int64)


def decode_planes(src: bytes, folder: Path, component_count: int, *, reduce: int = 0) -> list[Array]:
    """Return the samples of each component; `reduce` discards the highest resolutions."""
    assert DECODER is not None
    is_file = src.startswith(b"\0\0\0\x0cjP")
    source, target = folder / f"source.{'jp2' if is_file else 'j2k'}", folder / "samples.pgx"
    source.write_bytes(src)
    command = [DECODER, "-i", source, "-o", target, "-r", str(reduce)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    numbered = [folder / f"samples_{index}.pgx" for index in range(component_count)]
    paths = numbered if component_count > 1 else [target if target.exists() else numbered[0]]
    return [read_pgx(path) for path in paths]
