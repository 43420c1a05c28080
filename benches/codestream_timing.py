"""Timing of codestreams: dicoxide and another decoder alternate and write into the same mapped array."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tables_frames import check_equal
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


def time_codestreams(codestreams: Sequence[TimedCodestream], rounds: int, *, mixed: bool = False) -> Times:
    """Return the times of both decoders.

    The decoders alternate in a random order, codestream by codestream: each for all rounds, as frames of one object or
    series are decoded. If `mixed`, every round decodes all codestreams in a random order: caches and branch prediction
    are those of other ones.
    """
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
            check=lambda key, _: check_equal(codestreams[key[0]].expected, outs[key[0]]),
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


def mean_ratios(times: Times) -> tuple[float, float]:
    """Return the geometric means of the ratios of medians and of minimum times."""
    return geometric_mean(ratios_to_other(times)), geometric_mean(ratios_to_other(times.best))


def mean_ratios_by_level(script: str, levels: Sequence[str], rounds: int) -> dict[str, dict[str, tuple[float, float]]]:
    """Return :func:`mean_ratios` by level and class. `script`, run at each CPU level, prints those by class as JSON."""
    measured = {}
    for level in levels:
        environment = {**os.environ, "DICOXIDE_CPU": level, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-W", "ignore", script, str(max(3, rounds // 3))]
        output = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE).stdout
        measured[level] = json.loads(output)
    return measured
