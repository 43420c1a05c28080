"""Timing of codestreams, alone, in objects and in files: dicoxide and another decoder alternate and write into the same
mapped array.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

import dicoxide
from tables_frames import check_equal
from targets import Table
from timing import MedianTimes, time_alternately

Array = npt.NDArray[Any]
DICOXIDE, OTHER = "dicoxide", "other"
Times = MedianTimes[tuple[int, str]]
"""Times by index of the codestream and decoder."""


@dataclass(frozen=True, eq=False)
class TimedCodestream:
    """A codestream as a function per decoder that decodes it into an array."""

    expected: Array
    decode: Callable[[Array], object]
    decode_by_other: Callable[[Array], object]
    tolerance: int = 0
    """Largest difference of a correct sample from `expected`."""


def time_codestreams(codestreams: Sequence[TimedCodestream], rounds: int, *, mixed: bool = False) -> Times:
    """Return the times of both decoders.

    The decoders alternate in a random order, codestream by codestream: each for all rounds, as frames of one object or
    series are decoded. If `mixed`, every round decodes all codestreams in a random order: caches and branch prediction
    are those of other ones.
    """

    def check(key: tuple[int, str], _: object) -> None:
        codestream = codestreams[key[0]]
        check_equal(codestream.expected, outs[key[0]], codestream.tolerance)

    outs = [np.ones_like(codestream.expected) for codestream in codestreams]
    calls: dict[tuple[int, str], Callable[[], object]] = {}
    for index, (codestream, out) in enumerate(zip(codestreams, outs, strict=True)):
        calls[index, DICOXIDE] = lambda decode=codestream.decode, out=out: decode(out)
        calls[index, OTHER] = lambda decode=codestream.decode_by_other, out=out: decode(out)
    groups = [calls] if mixed else [{key: calls[key] for key in calls if key[0] == i} for i in range(len(outs))]
    times: dict[tuple[int, str], list[float]] = {}
    for group in groups:
        times |= time_alternately(
            group,
            rounds,
            before=lambda key: outs[key[0]].fill(0x2A),
            check=check,
            use_cpu_time=True,
            seed=rounds,
        )
    return MedianTimes(times)


def ratios_to_other(times: Mapping[tuple[int, str], float]) -> list[float]:
    """Return the run time of the other decoder relative to dicoxide for each codestream."""
    return [times[index, OTHER] / times[index, DICOXIDE] for index, decoder in times if decoder == DICOXIDE]


def speeds(times: Mapping[tuple[int, str], float], index: int, nbytes: int) -> tuple[float, float]:
    """Return the decoded MB/s of dicoxide and of the other decoder."""
    dicoxide, other = (nbytes / times[index, decoder] / 1e6 for decoder in (DICOXIDE, OTHER))
    return dicoxide, other


def geometric_mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean."""
    return float(np.exp(np.log(ratios).mean()))


def mean_pair(pairs: Collection[tuple[float, float]]) -> tuple[float, float]:
    """Return the geometric means of pairs of ratios: of medians, and of minimum times."""
    mean, best = (geometric_mean([pair[index] for pair in pairs]) for index in (0, 1))
    return mean, best


def mean_ratios(times: Times) -> tuple[float, float]:
    """Return the geometric means of the ratios of medians and of minimum times."""
    return geometric_mean(ratios_to_other(times)), geometric_mean(ratios_to_other(times.best))


def add_levels(table: Table, script: str, levels: Sequence[str], rounds: int) -> dict[str, tuple[float, float]]:
    """Add a row per class with its mean ratio at each level; return the :func:`mean_ratios` of the first level.

    `script` prints :func:`mean_ratios` by class as JSON. It runs at each level, in a process that environment variables
    restrict to it.
    """
    measured = {}
    for level in levels:
        environment = {**os.environ, "DICOXIDE_CPU": level, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-W", "ignore", script, str(max(3, rounds // 3))]
        output = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout
        measured[level] = json.loads(output)
    first: dict[str, tuple[float, float]] = measured[levels[0]]
    table.rows += [(name, *(measured[level][name][0] for level in levels)) for name in first]
    return first


def add_object(
    table: Table,
    object_: tuple[str, Dataset, Array],
    decode_by_other: tuple[str, Callable[[bytes, Array], object]],
    rounds: int,
    *,
    min_two_threads: float,
    tolerance: int = 0,
) -> tuple[float, float]:
    """Add a row for one thread against another decoder frame by frame, and one for two threads against one.

    Parameters
    ----------
    object_ : tuple
        Name, data set, and samples (frames, rows, columns[, samples]).
    decode_by_other : tuple
        Name of the other decoder, and its function of a codestream and an array for the samples of a frame.
    min_two_threads : float
        Target of the second row.

    Returns
    -------
    tuple of float
        Ratios of the first row, as `Table.add_comparison` returns them.
    """
    name, ds, samples = object_
    other_name, decode = decode_by_other
    out = np.ones_like(samples)
    sources = list(generate_frames(ds.PixelData, number_of_frames=len(samples)))

    def by_other() -> None:
        for src, frame in zip(sources, out, strict=True):
            decode(src, frame)

    calls: dict[str, Callable[[], object]] = {
        "one thread": lambda: dicoxide.decode(ds, raw=True, out=out, threads=1),
        "other": by_other,
        "two threads": lambda: dicoxide.decode(ds, raw=True, out=out, threads=2),
    }
    times = MedianTimes(
        time_alternately(
            calls,
            rounds,
            before=lambda _: out.fill(0x2A),
            check=lambda _, __: check_equal(samples, out, tolerance),
            seed=rounds,
        )
    )
    ratios = table.add_comparison(f"{name}, one thread over {other_name}", times, "one thread", "other", None)
    table.add_comparison(f"{name}, two threads over one", times, "two threads", "one thread", min_two_threads)
    return ratios


def time_file(path: Path, rounds: int, *, tolerance: int = 0) -> MedianTimes[str] | None:
    """Return the times of dicoxide and of dicomsdl for a file of one frame; None if dicomsdl fails or is wrong."""
    import dicomsdl

    samples = dicoxide.decode(path, raw=True, fallback=False)
    out, name = np.empty_like(samples), str(path)

    def by_dicomsdl() -> None:
        dicomsdl.open(name).copyFrameData(0, out)

    def by_dicoxide() -> None:
        dicoxide.decode(name, raw=True, out=out, threads=1)

    try:
        by_dicomsdl()
        check_equal(samples, out, tolerance)
    except Exception:
        return None
    calls: dict[str, Callable[[], object]] = {DICOXIDE: by_dicoxide, "dicomsdl": by_dicomsdl}
    return MedianTimes(
        time_alternately(
            calls,
            rounds,
            before=lambda _: out.fill(0x2A),
            check=lambda _, __: check_equal(samples, out, tolerance),
            use_cpu_time=True,
            seed=rounds,
        )
    )
