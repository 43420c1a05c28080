"""Tables of JPEG-LS: codestreams by kind, CPU levels, whole objects, and files.

Every result is compared with that of CharLS, sample by sample. Both decoders write into the same mapped array.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy.typing as npt
from pydicom.uid import JPEGLSLossless

import corpus_jpegls
import dicoxide
from codestream_timing import (
    TimedCodestream,
    add_levels,
    add_object,
    geometric_mean,
    mean_pair,
    mean_ratios,
    ratios_to_other,
    speeds,
    time_codestreams,
    time_file,
)
from corpus_jpegls import JpegLsFrame, charls
from dicoxide.bench import DECODERS
from frame_timing import DecoderVariant, missing_reason
from targets import Table, Target

Array = npt.NDArray[Any]
CHARLS = DecoderVariant("CharLS", DECODERS["imagecodecs"], module="jpeg_ls")

# Kinds of codestreams, minimum ratio to CharLS, and the ratio to aim for.
CLASSES: dict[str, tuple[tuple[str, ...], float | None, float]] = {
    "lossless": (("lossless",), 1.45, 1.7),
    "near-lossless": (("near",), 1.35, 1.6),
    "RGB, line-interleaved": (("line",), 1.4, 1.7),
    "RGB, sample-interleaved": (("sample",), 1.4, 1.7),
    "RGB, near-lossless": (("line near", "sample near"), None, 1.4),
}
MIN_REAL = 1.05
TWO_THREADS = 1.9
MIN_DICOMSDL = 1.3


def unavailable_reason(*variants: DecoderVariant) -> str | None:
    """Return why a table cannot be measured: no compiled extension, or a decoder is not installed; or None."""
    if dicoxide.capabilities()[JPEGLSLossless].decoder != "dicoxide":
        return f"the {dicoxide.backend} backend does not decode JPEG-LS"
    return missing_reason(CHARLS, *variants)


def timed(frame: JpegLsFrame) -> TimedCodestream:
    """Return the calls that decode a frame."""
    return TimedCodestream(
        frame.reference, lambda out: dicoxide.decode_codestream(frame.src, out), lambda out: charls(frame.src, out)
    )


def codestreams(rounds: int) -> Table:
    """Codestreams of each kind on one thread, into mapped memory."""
    table = Table(
        "JPEG-LS codestream, reused out=, one thread (decoded MB/s; mixed: all frames of the class in random order)",
        ("class and codestream", "bits/sample", "dicoxide", "CharLS", "× CharLS", "× best", "× mixed", "goal"),
    )
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    of_real_files: list[tuple[float, float]] = []
    for name, (kinds, gate, goal) in CLASSES.items():
        frames = [frame for frame in corpus_jpegls.frames() if frame.kind in kinds]
        if not frames:
            continue
        timed_frames = [timed(frame) for frame in frames]
        times = time_codestreams(timed_frames, rounds)
        mixed_times = time_codestreams(timed_frames, max(3, rounds // 2), mixed=True)
        ratios, best, mixed = map(ratios_to_other, (times, times.best, mixed_times))
        for index, frame in enumerate(frames):
            bits = 8 * len(frame.src) / frame.reference.size
            values = (*speeds(times, index, frame.reference.nbytes), ratios[index], best[index], mixed[index])
            table.rows.append((f"{name}: {frame.name}", bits, *values, ""))
            if frame.is_real:
                of_real_files.append((ratios[index], best[index]))
        mean, best_mean, mixed_mean = map(geometric_mean, (ratios, best, mixed))
        table.rows.append((f"{name}: geometric mean", "", "", "", mean, best_mean, mixed_mean, goal))
        if gate is not None:
            table.targets.append(Target(f"JPEG-LS, {name}, over CharLS", mean, gate, best_mean))
    if of_real_files:
        slowest = min(of_real_files)
        table.targets.append(Target("JPEG-LS, slowest real file over CharLS", slowest[0], MIN_REAL, slowest[1]))
    return table


def class_means(rounds: int) -> dict[str, tuple[float, float]]:
    """Return the geometric means of each class; runs in a process whose CPU level environment variables choose."""
    means = {}
    for name, (kinds, _, _) in CLASSES.items():
        frames = [frame for frame in corpus_jpegls.frames() if frame.kind in kinds]
        if frames:
            means[name] = mean_ratios(time_codestreams([timed(frame) for frame in frames], rounds))
    return means


def levels(rounds: int) -> Table:
    """Each CPU level, in a process that environment variables restrict to it."""
    names = ("portable", "x86-64-v3", "x86-64-v4")
    table = Table("JPEG-LS by CPU level (× CharLS)", ("class", *names))
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    mean, best = mean_pair(add_levels(table, __file__, names, rounds).values())
    table.targets.append(Target("JPEG-LS, portable level, over CharLS", mean, 1.0, best))
    return table


def objects(rounds: int) -> Table:
    """Whole objects: one thread against CharLS frame by frame, two threads against one."""
    table = Table("JPEG-LS, whole objects, reused out= (ms)", ("call", "dicoxide", "other", "×", "× best"))
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    for object_ in corpus_jpegls.objects():
        add_object(table, object_, ("CharLS", _unsigned_by_charls), rounds, min_two_threads=TWO_THREADS)
    return table


def _unsigned_by_charls(src: bytes, out: Array) -> None:
    charls(src, out.view(f"u{out.itemsize}"))


def files(rounds: int) -> Table:
    """A file to an array, against dicomsdl, which binds CharLS."""
    dicomsdl = DecoderVariant("dicomsdl", DECODERS["dicomsdl"], "file")
    table = Table("JPEG-LS, a file to an array (ms)", ("file", "dicoxide", "dicomsdl", "×", "× best"))
    table.skipped = unavailable_reason(dicomsdl)
    if not table.skipped and not corpus_jpegls.real_paths():
        table.skipped = "there are no real files"
    if table.skipped:
        return table
    ratios = []
    large = {frame.name for frame in corpus_jpegls.real_frames()}
    for path in corpus_jpegls.real_paths():
        if path.name in large:
            times = time_file(path, rounds)
            if times is None:
                table.rows.append((path.name, "", "error", "", ""))
            else:
                ratios.append(table.add_comparison(path.name, times, "dicoxide", "dicomsdl", None))
    if ratios:
        mean, best = mean_pair(ratios)
        table.rows.append(("geometric mean (goal 1.6)", "", "", mean, best))
        table.targets.append(Target("JPEG-LS, decode(path) over dicomsdl", mean, MIN_DICOMSDL, best))
    return table


TABLES: dict[str, Callable[[int], Table]] = {
    "jpegls": codestreams,
    "jpegls_levels": levels,
    "jpegls_objects": objects,
    "jpegls_files": files,
}

if __name__ == "__main__":
    # `levels` starts this file.
    print(json.dumps(class_means(int(sys.argv[1]))))
