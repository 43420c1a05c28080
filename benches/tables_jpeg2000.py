"""Tables of JPEG 2000 and HTJ2K: codestreams by kind, CPU levels, two threads, reduced resolutions, files.

Every result is compared with that of OpenJPEG, or of OpenJPH for HTJ2K: sample by sample, and within 1 for the 9/7
wavelet. Both decoders write into the same mapped array.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.uid import JPEG2000Lossless

import corpus
import corpus_jpeg2000
import dicoxide
from codestream_timing import (
    DICOXIDE,
    TimedCodestream,
    Times,
    add_levels,
    add_object,
    mean_pair,
    ratios_to_other,
    speeds,
    time_codestreams,
    time_file,
)
from corpus_jpeg2000 import Jpeg2000Frame
from dicoxide.bench import DECODERS
from frame_timing import DecoderVariant, missing_reason
from tables_frames import check_equal, hash_twice
from targets import Table, Target
from timing import MedianTimes, time_alternately

Array = npt.NDArray[Any]
OPENJPEG = DecoderVariant("OpenJPEG and OpenJPH", DECODERS["imagecodecs"])

# Kinds of codestreams, minimum ratio to the other decoder, and the ratio to aim for.
CLASSES: dict[str, tuple[tuple[str, ...], float | None, float]] = {
    "lossless 5/3": (("5/3",), 2.0, 2.5),
    "lossy 9/7": (("9/7",), 1.7, 2.2),
    "HTJ2K": (("mono", "RGB"), 1.0, 1.3),
    "HTJ2K mono": (("mono",), 1.1, 1.4),
    "HTJ2K RGB": (("RGB",), 0.9, 1.2),
    "HTJ2K lossy 9/7": (("mono 9/7", "RGB 9/7"), None, 1.2),
}
MIN_REAL = 1.2
# Minimum ratio of one thread to two: one large frame, and the frames of an object.
TWO_THREADS, TWO_THREADS_OBJECT = 1.8, 1.9
# Maximum fraction of the full time by number of discarded resolutions.
MAX_REDUCED = {1: 0.35, 2: 0.12, 3: 0.05}
REDUCED_CLASSES = {"JPEG 2000, lossless 5/3": ("5/3",), "JPEG 2000, lossy 9/7": ("9/7",), "HTJ2K": ("mono", "RGB")}
MIN_DICOMSDL, MIN_SIMPLEITK = 1.6, 3.0


def unavailable_reason(*variants: DecoderVariant) -> str | None:
    """Return why a table cannot be measured: no compiled extension, or a decoder is not installed; or None."""
    if dicoxide.capabilities()[JPEG2000Lossless].decoder != "dicoxide":
        return f"the {dicoxide.backend} backend does not decode JPEG 2000"
    return missing_reason(OPENJPEG, *variants)


def timed(frame: Jpeg2000Frame) -> TimedCodestream:
    """Return the calls that decode a frame."""
    return TimedCodestream(
        frame.reference,
        lambda out: dicoxide.decode_codestream(frame.src, out),
        lambda out: frame.decode_by_other(frame.src, out),
        frame.tolerance,
    )


def codestreams(rounds: int) -> Table:
    """Codestreams of each kind on one thread, into mapped memory, all in one random order."""
    table = Table(
        "JPEG 2000 codestream, reused out=, one thread, in random order (decoded MB/s; OpenJPEG, or OpenJPH for HTJ2K)",
        ("class and codestream", "bits/sample", "dicoxide", "other", "× other", "× best", "goal"),
    )
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    frames = corpus_jpeg2000.frames()
    times, pairs = _measure(frames, rounds)
    for name, (kinds, gate, goal) in CLASSES.items():
        indices = [index for index, frame in enumerate(frames) if frame.kind in kinds]
        if not indices:
            continue
        # The classes of mono and RGB repeat the codestreams of the class HTJ2K.
        if name not in ("HTJ2K mono", "HTJ2K RGB"):
            table.rows += [_row(name, frames, index, times, pairs) for index in indices]
        mean, best = mean_pair([pairs[index] for index in indices])
        table.rows.append((f"{name}: geometric mean", "", "", "", mean, best, goal))
        if gate is not None:
            frame = frames[indices[0]]
            label = name if frame.is_htj2k else f"JPEG 2000, {name}"
            table.targets.append(Target(f"{label}, over {frame.other} (goal {goal})", mean, gate, best))
    of_real_files = [pair for pair, frame in zip(pairs, frames, strict=True) if frame.is_real and not frame.is_htj2k]
    if of_real_files:
        slowest, best = min(of_real_files)
        table.targets.append(Target("JPEG 2000, slowest real file over OpenJPEG (goal 1.5)", slowest, MIN_REAL, best))
    small_frames = corpus_jpeg2000.small_frames()
    if small_frames:
        times, pairs = _measure(small_frames, rounds)
        table.rows += [_row("small", small_frames, index, times, pairs) for index in range(len(small_frames))]
        table.rows.append(("small: geometric mean", "", "", "", *mean_pair(pairs), ""))
    return table


def _row(
    name: str, frames: Sequence[Jpeg2000Frame], index: int, times: Times, pairs: Sequence[tuple[float, float]]
) -> tuple[str | float, ...]:
    """Return the row of a frame of a class."""
    frame = frames[index]
    bits = 8 * len(frame.src) / frame.reference.size
    return f"{name}: {frame.name}", bits, *speeds(times, index, frame.reference.nbytes), *pairs[index], ""


def _measure(frames: Sequence[Jpeg2000Frame], rounds: int) -> tuple[Times, list[tuple[float, float]]]:
    """Return the times, and for each frame the ratios of medians and of minimum times."""
    times = time_codestreams([timed(frame) for frame in frames], rounds, mixed=True)
    return times, list(zip(ratios_to_other(times), ratios_to_other(times.best), strict=True))


def class_means(rounds: int) -> dict[str, tuple[float, float]]:
    """Return the geometric means of each class; runs in a process whose CPU level environment variables choose."""
    frames = corpus_jpeg2000.frames()
    _, pairs = _measure(frames, rounds)
    means = {}
    for name, (kinds, _, _) in CLASSES.items():
        if found := [pair for pair, frame in zip(pairs, frames, strict=True) if frame.kind in kinds]:
            means[name] = mean_pair(found)
    return means


def levels(rounds: int) -> Table:
    """Each CPU level, in a process that environment variables restrict to it."""
    names = ("portable", "x86-64-v3", "x86-64-v4")
    table = Table("JPEG 2000 by CPU level (× OpenJPEG, or OpenJPH with AVX2 for HTJ2K)", ("class", *names))
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    means = add_levels(table, __file__, names, rounds)
    mean, best = mean_pair([means[name] for name in ("lossless 5/3", "lossy 9/7")])
    table.targets.append(Target("JPEG 2000, portable level, over OpenJPEG", mean, 1.0, best))
    return table


def threads(rounds: int) -> Table:
    """Two threads against one for one large frame, in elapsed time, and for the frames of an object."""
    table = Table("JPEG 2000, one and two threads, reused out= (ms)", ("call", "dicoxide", "other", "×", "× best"))
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    frames = corpus_jpeg2000.large_frames()
    outs = [np.ones_like(frame.reference) for frame in frames]

    def decode(index: int, count: int) -> None:
        dicoxide.decode_codestream(frames[index].src, outs[index], threads=count)

    def check(key: tuple[int, int], _: object) -> None:
        if key[0] >= 0:
            check_equal(frames[key[0]].reference, outs[key[0]], frames[key[0]].tolerance)

    calls: dict[tuple[int, int], Callable[[], object]] = {
        (index, count): partial(decode, index, count) for index in range(len(frames)) for count in (1, 2)
    }
    # The control.
    calls |= {(-1, count): partial(hash_twice, count) for count in (1, 2)}
    times = MedianTimes(time_alternately(calls, rounds, check=check, seed=rounds))
    ratios = [
        table.add_comparison(f"{frame.name}, two threads over one", times, (index, 2), (index, 1), None)
        for index, frame in enumerate(frames)
    ]
    mean, best = mean_pair(ratios)
    target = "JPEG 2000, one large frame, two threads over one (goal 1.9)"
    table.targets.append(Target(target, mean, TWO_THREADS, best))
    table.add_comparison("SHA-256, two threads over one (control)", times, (-1, 2), (-1, 1), None)
    for frame, object_ in corpus_jpeg2000.objects():
        by_other = (frame.other, frame.decode_by_other)
        add_object(table, object_, by_other, rounds, min_two_threads=TWO_THREADS_OBJECT, tolerance=frame.tolerance)
    return table


def reduced(rounds: int) -> Table:
    """Reduced resolutions, as a fraction of the time of the full one.

    The first result is the reference: the tests compare it with that of OpenJPEG.
    """
    table = Table(
        "JPEG 2000, reduced resolutions, reused out=, one thread (full time in ms, fraction of it)",
        ("codestream", "full", *(f"reduce={reduce}" for reduce in MAX_REDUCED)),
    )
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    frames = [
        frame
        for frame in corpus_jpeg2000.frames()
        if any(frame.kind in kinds for kinds in REDUCED_CLASSES.values())
        and (dicoxide.codestream_info(frame.src).resolution_levels or 0) > max(MAX_REDUCED)
    ]
    keys = [(index, reduce) for index in range(len(frames)) for reduce in (0, *MAX_REDUCED)]
    expected = {key: dicoxide.decode_codestream(frames[key[0]].src, reduce=key[1]) for key in keys}
    outs = {key: np.ones_like(samples) for key, samples in expected.items()}

    def decode(key: tuple[int, int]) -> None:
        dicoxide.decode_codestream(frames[key[0]].src, outs[key], reduce=key[1])

    times = MedianTimes(
        time_alternately(
            {key: lambda key=key: decode(key) for key in keys},
            rounds,
            before=lambda key: outs[key].fill(0x2A),
            check=lambda key, _: check_equal(expected[key], outs[key]),
            use_cpu_time=True,
            seed=rounds,
        )
    )
    fractions = {
        (index, reduce): (times[index, reduce] / times[index, 0], times.best[index, reduce] / times.best[index, 0])
        for index, reduce in keys
    }
    for index, frame in enumerate(frames):
        row = (fractions[index, reduce][0] for reduce in MAX_REDUCED)
        table.rows.append((f"{frame.kind}: {frame.name}", times[index, 0] * 1e3, *row))
    for name, kinds in REDUCED_CLASSES.items():
        indices = [index for index, frame in enumerate(frames) if frame.kind in kinds]
        for reduce, limit in MAX_REDUCED.items():
            mean, best = mean_pair([fractions[index, reduce] for index in indices])
            label = f"{name}, reduce={reduce}, fraction of the full time"
            table.targets.append(Target(label, mean, limit, best, "", is_maximum=True))
    return table


def files(rounds: int) -> Table:
    """A file to an array: against dicomsdl, which binds OpenJPEG, and for HTJ2K against SimpleITK."""
    dicomsdl = DecoderVariant("dicomsdl", DECODERS["dicomsdl"], "file")
    simpleitk = DecoderVariant("SimpleITK", DECODERS["SimpleITK"], "file")
    table = Table("JPEG 2000, a file to an array (ms)", ("file", "dicoxide", "other", "×", "× best"))
    table.skipped = unavailable_reason(dicomsdl, simpleitk)
    if not table.skipped and not corpus_jpeg2000.real_frames():
        table.skipped = "there are no real files"
    if table.skipped:
        return table
    comparisons = (
        ("JPEG 2000", "dicomsdl", False, time_file, MIN_DICOMSDL, 2),
        ("HTJ2K", "SimpleITK", True, time_by_simpleitk, MIN_SIMPLEITK, 5),
    )
    for name, other, is_htj2k, measure, gate, goal in comparisons:
        ratios = []
        for path, frame in corpus_jpeg2000.real_files():
            if frame.is_htj2k == is_htj2k:
                times = measure(path, rounds, tolerance=frame.tolerance)
                if times is None:
                    table.rows.append((path.name, "", "error", "", ""))
                else:
                    ratios.append(table.add_comparison(f"{path.name}, {other}", times, DICOXIDE, other, None))
        mean, best = mean_pair(ratios)
        table.targets.append(Target(f"{name}, decode(path) over {other} (goal {goal})", mean, gate, best))
    return table


def time_by_simpleitk(path: Path, rounds: int, *, tolerance: int) -> MedianTimes[str] | None:
    """Return the times of dicoxide and of SimpleITK, which applies the rescale, for a file of one frame."""
    import SimpleITK

    def by_simpleitk() -> Array:
        return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))

    is_rescaled = "RescaleSlope" in corpus.read_dataset(path)
    dtype = by_simpleitk().dtype if is_rescaled else None
    expected = dicoxide.decode(path, rescale=is_rescaled, dtype=dtype, fallback=False)

    def by_dicoxide() -> Array:
        return dicoxide.decode(path, rescale=is_rescaled, dtype=dtype, threads=1)

    def check(_: str, result: Any) -> None:
        check_equal(expected, result.reshape(expected.shape), tolerance)

    calls: dict[str, Callable[[], object]] = {DICOXIDE: by_dicoxide, "SimpleITK": by_simpleitk}
    return MedianTimes(time_alternately(calls, rounds, check=check, use_cpu_time=True, seed=rounds))


TABLES: dict[str, Callable[[int], Table]] = {
    "jpeg2000": codestreams,
    "jpeg2000_levels": levels,
    "jpeg2000_threads": threads,
    "jpeg2000_reduced": reduced,
    "jpeg2000_files": files,
}

if __name__ == "__main__":
    # `levels` starts this file.
    print(json.dumps(class_means(int(sys.argv[1]))))
