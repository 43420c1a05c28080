"""Tables of JPEG-LS: codestreams by kind, CPU levels, whole objects, and files.

Every result is compared with that of CharLS, sample by sample. Both decoders write into the same mapped array.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.encaps import generate_frames
from pydicom.uid import JPEGLSLossless

import corpus_jpegls
import dicoxide
from codestream_timing import (
    TimedCodestream,
    geometric_mean,
    mean_ratios,
    mean_ratios_by_level,
    ratios_to_other,
    speeds,
    time_codestreams,
)
from corpus_jpegls import JpegLsFrame, charls
from dicoxide.bench import DECODERS
from frame_timing import DecoderVariant, missing_reason
from tables_frames import check_equal
from targets import Table, Target
from timing import MedianTimes, time_alternately

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
    measured = mean_ratios_by_level(__file__, names, rounds)
    for name in measured["portable"]:
        table.rows.append((name, *(measured[level][name][0] for level in names)))
    means = [geometric_mean([mean[index] for mean in measured["portable"].values()]) for index in (0, 1)]
    table.targets.append(Target("JPEG-LS, portable level, over CharLS", means[0], 1.0, means[1]))
    return table


def objects(rounds: int) -> Table:
    """Whole objects: one thread against CharLS frame by frame, two threads against one."""
    table = Table("JPEG-LS, whole objects, reused out= (ms)", ("call", "dicoxide", "other", "×", "× best"))
    table.skipped = unavailable_reason()
    if table.skipped:
        return table
    for name, ds, samples in corpus_jpegls.objects():
        out = np.ones_like(samples)
        sources = list(generate_frames(ds.PixelData, number_of_frames=len(samples)))

        def by_charls(sources: list[bytes] = sources, out: Array = out) -> None:
            for src, frame in zip(sources, out.view(f"u{out.itemsize}"), strict=True):
                charls(src, frame)

        calls: dict[str, Callable[[], object]] = {
            "one thread": lambda ds=ds, out=out: dicoxide.decode(ds, raw=True, out=out, threads=1),
            "charls": by_charls,
            "two threads": lambda ds=ds, out=out: dicoxide.decode(ds, raw=True, out=out, threads=2),
        }
        times = MedianTimes(
            time_alternately(
                calls,
                rounds,
                before=lambda _, out=out: out.fill(0x2A),
                check=lambda _, __, out=out, samples=samples: check_equal(samples, out),
                seed=rounds,
            )
        )
        table.add_comparison(f"{name}, one thread over CharLS", times, "one thread", "charls", None)
        table.add_comparison(f"{name}, two threads over one", times, "two threads", "one thread", TWO_THREADS)
    return table


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
            samples = dicoxide.decode(path, raw=True, fallback=False)
            times = _file_times(str(path), samples, rounds)
            if times is None:
                table.rows.append((path.name, "", "error", "", ""))
            else:
                ratios.append(table.add_comparison(path.name, times, "dicoxide", "dicomsdl", None))
    if ratios:
        mean, best = (geometric_mean([pair[index] for pair in ratios]) for index in (0, 1))
        table.rows.append(("geometric mean (goal 1.6)", "", "", mean, best))
        table.targets.append(Target("JPEG-LS, decode(path) over dicomsdl", mean, MIN_DICOMSDL, best))
    return table


def _file_times(path: str, samples: Array, rounds: int) -> MedianTimes[str] | None:
    """Return the times of both decoders; None if dicomsdl fails or its samples differ."""
    import dicomsdl

    out = np.empty_like(samples)

    def by_dicomsdl() -> None:
        dicomsdl.open(path).copyFrameData(0, out)

    def by_dicoxide() -> None:
        dicoxide.decode(path, raw=True, out=out, threads=1)

    try:
        by_dicomsdl()
    except Exception:
        return None
    if not np.array_equal(out, samples):
        return None
    calls: dict[str, Callable[[], object]] = {"dicoxide": by_dicoxide, "dicomsdl": by_dicomsdl}
    return MedianTimes(
        time_alternately(
            calls,
            rounds,
            before=lambda _: out.fill(0x2A),
            check=lambda _, __: check_equal(samples, out),
            use_cpu_time=True,
            seed=rounds,
        )
    )


TABLES: dict[str, Callable[[int], Table]] = {
    "jpegls": codestreams,
    "jpegls_levels": levels,
    "jpegls_objects": objects,
    "jpegls_files": files,
}

if __name__ == "__main__":
    # `levels` starts this file.
    print(json.dumps(class_means(int(sys.argv[1]))))
